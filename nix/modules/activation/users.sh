# Passwords come from their files at each activation; whoever has none can log in by a key only.
umask 077
: > /etc/shadow.new
while read -r name password home uid gid; do
  hash='!'
  if [ "$password" != '!' ]; then
    if [ -r "$password" ]; then
      hash=$(head -n 1 "$password")
    else
      warn "no password for $name: cannot read $password"
    fi
  fi
  echo "$name:$hash:1::::::" >> /etc/shadow.new
  if [ "$home" != - ] && [ ! -d "$home" ]; then
    mkdir -p "$home"
    chmod 700 "$home"
    chown "$uid:$gid" "$home"
  fi
done < @users@/list
mv /etc/shadow.new /etc/shadow
umask 022
for file in passwd group; do
  cp @users@/$file /etc/$file.new
  chmod 644 /etc/$file.new
  mv /etc/$file.new /etc/$file
done
