# A directory that is there already, of a root that is a disk, is left alone.
for directory in @directories@; do
  kept=/var/lib/state$directory
  mkdir -p "$kept"
  mkdir -p "${directory%/*}/"
  rmdir "$directory" 2> /dev/null
  [ -e "$directory" ] || ln -sfn "$kept" "$directory"
done
chmod 700 /var/lib/state/root

# What tells this installation from all others is made once.
if [ -s /var/lib/state/machine-id ]; then
  [ -s /etc/machine-id ] || cp /var/lib/state/machine-id /etc/machine-id
else
  [ -s /etc/machine-id ] || tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id
  cp /etc/machine-id /var/lib/state/machine-id.new
  mv /var/lib/state/machine-id.new /var/lib/state/machine-id
fi
chmod 444 /etc/machine-id
