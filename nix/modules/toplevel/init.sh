#!@sh@
# The first program of this generation: makes the root its own, and becomes Cooper's init.
export PATH=@busybox@/bin
[ -e /proc/self ] || { mkdir -p /proc && mount -t proc -o nosuid,nodev,noexec proc /proc; }
mount_missing() { grep -q " $4 " /proc/mounts || { mkdir -p "$4"; mount -t "$1" -o "$2" "$3" "$4"; }; }
mount_missing sysfs nosuid,nodev,noexec sysfs /sys
mount_missing devtmpfs mode=0755 devtmpfs /dev
mount_missing tmpfs nosuid,nodev,mode=0755 tmpfs /run

ln -sfn @toplevel@ /run/booted-system
# A generation that is not whole is better than none: there is a console, and a shell.
@toplevel@/activate > /dev/kmsg 2>&1 || echo "<4>activate: some of it failed" > /dev/kmsg
[ -e /run/current-system ] || ln -sfn @toplevel@ /run/current-system

# By the name that a switch changes: whoever starts `supervise` again takes the new one.
export COOPER_LIBEXEC=/run/current-system/cooper/lib/cooper COOPER_GRAPH=@toplevel@/graph
exec @toplevel@/cooper/lib/cooper/init "$@"
