
# install-boot-loader TOPLEVEL: entries for this generation, which is the default, and for those
# before it. BOOT and PROFILES name other places than /boot and /nix/var/nix/profiles.
[ $# -eq 1 ] || { echo "usage: install-boot-loader TOPLEVEL" >&2; exit 100; }
default=$1

# A boot that is interrupted in the middle of this finds the old entries or the new ones: files
# come whole, and all that an entry needs is on the disk before it.
put() {
  if [ -e "$2" ] && cmp -s "$1" "$2"; then return; fi
  mkdir -p "${2%/*}"
  cp "$1" "$2.new"
  mv "$2.new" "$2"
}
write() {
  mkdir -p "${1%/*}"
  cat > "$1.new"
  sync
  mv "$1.new" "$1"
}

# Prints NUMBER TOPLEVEL for each generation that gets an entry, the newest first: the last few, and
# the default, however old it is. One that is in no profile has the number 0.
generations() {
  local link number found=
  for link in "$profiles"/system-*-link; do
    number=${link##*/system-}
    number=${number%-link}
    [ ! -e "$link/init" ] || found="$found$number $(readlink -f "$link")
"
  done
  printf %s "$found" | grep -q " $default\$" || found="${found}0 $default
"
  printf %s "$found" | sort -rn | awk -v limit="$limit" -v chosen="$default" 'NR <= limit || $2 == chosen'
}

# The name of a file of the store on the boot partition: of the same content the same.
name_of() { readlink -f "$1" | sed 's|^.*/store/||; s|/|-|g'; }

kernels=
# Sets `kernel` and `initrd` to the generation's files below DIRECTORY, after putting them there.
put_kernel() {
  kernel=$(name_of "$1/kernel")
  initrd=$(name_of "$1/initrd")
  put "$1/kernel" "$boot/$2/$kernel"
  put "$1/initrd" "$boot/$2/$initrd"
  kernels="$kernels $kernel $initrd"
}
# What no entry needs any more.
tidy_kernels() {
  local file
  for file in "$boot/$1"/*; do
    case " $kernels " in *" ${file##*/} "*) ;; *) rm -rf "$file" ;; esac
  done
}

title_of() { cat "$1/label"; }
line_of() { echo "init=$1/init $(cat "$1/kernel-params")"; }
