
# The firmware of a Raspberry Pi starts the kernel itself. Each generation is a directory that
# os_prefix names, with all that the firmware reads of a system; config.txt chooses one. To go back
# without a console, change that line on another machine.
for file in "$firmware"/*; do
  case ${file##*/} in
    start*.elf | fixup*.dat | bootcode.bin) put "$file" "$boot/${file##*/}" ;;
  esac
done
list=$(mktemp)
generations > "$list"
kept=
chosen=
while read -r number toplevel; do
  directory=$boot/nixos-$number
  trees=$(readlink -f "$toplevel/kernel")
  trees=${trees%/*}/dtbs/broadcom
  put "$toplevel/kernel" "$directory/kernel.img"
  put "$toplevel/initrd" "$directory/initrd"
  # The kernel's own trees where it has them, the firmware's otherwise.
  [ -d "$trees" ] || trees=$firmware
  for tree in "$trees"/bcm27*.dtb; do put "$tree" "$directory/${tree##*/}"; done
  for overlay in "$firmware"/overlays/*; do put "$overlay" "$directory/overlays/${overlay##*/}"; done
  line_of "$toplevel" | write "$directory/cmdline.txt"
  kept="$kept nixos-$number"
  [ "$toplevel" != "$default" ] || [ -n "$chosen" ] || chosen=nixos-$number
done < "$list"
rm "$list"
# 64 bits; and pages of 4 KiB on a Pi 5, as the file is not its own kernel_2712.img.
write "$boot/config.txt" <<END
arm_64bit=1
enable_uart=1
os_prefix=$chosen/
kernel=kernel.img
initramfs initrd followkernel
$more_config
END
for directory in "$boot"/nixos-*; do
  case " $kept " in *" ${directory##*/} "*) ;; *) rm -rf "$directory" ;; esac
done
