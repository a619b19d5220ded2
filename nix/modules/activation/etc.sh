# Each file of the generation is a link to /etc/static, which is a link to the generation: so all
# change in one step. What others have written into /etc stays.
ln -sfn "$toplevel/etc" /etc/static.new && mv -T /etc/static.new /etc/static
(cd /etc/static/ && find . -mindepth 1 ! -type d) | sed 's|^\./||' | while read -r path; do
  case $path in */*) mkdir -p "/etc/${path%/*}" ;; esac
  if [ -d "/etc/$path" ] && [ ! -L "/etc/$path" ]; then
    warn "/etc/$path is a directory of somebody else's, and stays"
    continue
  fi
  [ "$(readlink "/etc/$path")" = "/etc/static/$path" ] || {
    ln -sfn "/etc/static/$path" "/etc/$path.new" && mv -T "/etc/$path.new" "/etc/$path"
  }
done
# Links of the generation before that lead nowhere now.
find /etc -type l | while read -r path; do
  case $(readlink "$path") in
    /etc/static/*) [ -e "$path" ] || rm "$path" ;;
  esac
done
