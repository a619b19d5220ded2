# The root may be an empty tmpfs.
for directory in bin dev etc home lib mnt proc root run sbin sys tmp usr var var/empty var/lib var/log var/tmp; do
  [ -e "/$directory" ] || mkdir -p "/$directory"
done
chmod 1777 /tmp /var/tmp
[ -L /var/run ] || [ -e /var/run ] || ln -s /run /var/run
