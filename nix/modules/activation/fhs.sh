# The name of a directory becomes a link, or a directory with one program in it.
programs() {
  if @fhs@; then
    rm -rf "$1" && ln -sfn /run/current-system/sw/bin "$1"
  else
    [ ! -L "$1" ] || rm "$1"
    mkdir -p "$1"
    [ -z "$2" ] || { ln -sfn "@busybox@/bin/$2" "$1/$2.new" && mv -T "$1/$2.new" "$1/$2"; }
  fi
}
programs /bin sh
programs /sbin ""
programs /usr/bin env
programs /usr/sbin ""
# By the name of the booted system: a kernel's modules are of no use to another one.
rm -rf /lib/modules && ln -sfn /run/booted-system/kernel-modules/lib/modules /lib/modules
