
# extlinux.conf, which syslinux and U-Boot read. Where the kernel has device trees, U-Boot takes
# its board's from them.
list=$(mktemp)
generations > "$list"
conf=$(mktemp)
default_number=
while read -r number toplevel; do
  [ "$toplevel" != "$default" ] || [ -n "$default_number" ] || default_number=$number
done < "$list"
{
  echo "TIMEOUT $((timeout * 10))"
  echo "DEFAULT nixos-$default_number"
  echo "MENU TITLE NixOS"
  while read -r number toplevel; do
    put_kernel "$toplevel" nixos
    trees=$(readlink -f "$toplevel/kernel")
    trees=${trees%/*}/dtbs
    echo
    echo "LABEL nixos-$number"
    echo "  MENU LABEL NixOS, generation $number, $(title_of "$toplevel")"
    echo "  LINUX ../nixos/$kernel"
    echo "  INITRD ../nixos/$initrd"
    echo "  APPEND $(line_of "$toplevel")"
    if [ -d "$trees" ]; then
      fdt=$(name_of "$trees")
      if [ ! -d "$boot/nixos/$fdt" ]; then
        rm -rf "$boot/nixos/$fdt.new"
        cp -rL "$trees" "$boot/nixos/$fdt.new"
        sync
        mv "$boot/nixos/$fdt.new" "$boot/nixos/$fdt"
      fi
      kernels="$kernels $fdt"
      echo "  FDTDIR ../nixos/$fdt"
    fi
  done < "$list"
} > "$conf"
write "$boot/extlinux/extlinux.conf" < "$conf"
rm "$list" "$conf"
tidy_kernels nixos
