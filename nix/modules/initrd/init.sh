#!/bin/busybox sh
# The initrd's PID 1: finds the file systems that a boot needs, and hands over to the generation.
# Nothing here runs a second time; what fails ends in a shell, or in a restart.
/bin/busybox mkdir -p /bin && /bin/busybox --install -s /bin
export PATH=/bin

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t devtmpfs -o mode=0755 devtmpfs /dev
mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs /run

say() { echo "<5>initrd: $*" > /dev/kmsg; }

fail() {
  echo "<2>initrd: $*" > /dev/kmsg
  if @rescue@; then
    echo "initrd: $*: this is a shell; leave it to restart" > /dev/console
    setsid cttyhack sh < /dev/console > /dev/console 2>&1
  fi
  sync
  reboot -f
}

# Prints the device that fstab's word means. There is no udev here to keep links.
device() {
  case $1 in
    PARTLABEL=*)
      for event in /sys/class/block/*/uevent; do
        if grep -qx "PARTNAME=${1#PARTLABEL=}" "$event"; then
          echo "/dev/$(sed -n 's/^DEVNAME=//p' "$event")"
          return
        fi
      done
      ;;
    PARTUUID=*)
      for event in /sys/class/block/*/uevent; do
        if grep -qix "PARTUUID=${1#PARTUUID=}" "$event"; then
          echo "/dev/$(sed -n 's/^DEVNAME=//p' "$event")"
          return
        fi
      done
      ;;
    # Which of two slots it is, only the loader knows.
    root) for word in $(cat /proc/cmdline); do case $word in root=*) device "${word#root=}"; return ;; esac; done ;;
    LABEL=* | UUID=*) findfs "$1" 2> /dev/null ;;
    /dev/*) [ ! -b "$1" ] || echo "$1" ;;
    *) echo "$1" ;;
  esac
}

# Disks appear when their drivers have found them, and nobody here is told of it.
wait_for() {
  local tries=0 found
  until found=$(device "$1") && [ -n "$found" ]; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || return 1
    sleep 0.05
  done
  echo "$found"
}

COOPER_SETUP=$(cat /etc/modules.json) node-setup modules || say "some modules could not be loaded"

while read -r what where type options; do
  found=$(wait_for "$what") || fail "cannot find $what for $where"
  mkdir -p "/sysroot$where"
  mount -t "$type" -o "$options" "$found" "/sysroot$where" || fail "cannot mount $found on $where"
done < /etc/mounts

init=
for word in $(cat /proc/cmdline); do
  case $word in init=*) init=${word#init=} ;; esac
done
[ -n "$init" ] || fail "the kernel's command line has no init="
[ -e "/sysroot$init" ] || fail "there is no $init on the disk"

for directory in dev proc sys run; do
  mkdir -p "/sysroot/$directory"
  mount --move "/$directory" "/sysroot/$directory"
done
exec switch_root /sysroot "$init"
