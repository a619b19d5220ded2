
# systemd-boot, by the files that it reads (the Boot Loader Specification).
EFI=$(echo "$efi" | tr a-z A-Z)
put "$loader" "$boot/EFI/BOOT/BOOT$EFI.EFI"
entries=
first=
# From a file: what a loop behind a pipe learns is forgotten.
list=$(mktemp)
generations > "$list"
while read -r number toplevel; do
  put_kernel "$toplevel" EFI/nixos
  entry=nixos-generation-$number.conf
  write "$boot/loader/entries/$entry" <<END
title NixOS
version Generation $number, $(title_of "$toplevel")
linux /EFI/nixos/$kernel
initrd /EFI/nixos/$initrd
options $(line_of "$toplevel")
sort-key nixos
END
  entries="$entries $entry"
  [ "$toplevel" != "$default" ] || [ -n "$first" ] || first=$entry
done < "$list"
rm "$list"
write "$boot/loader/loader.conf" <<END
timeout $timeout
default $first
editor no
END
for file in "$boot"/loader/entries/nixos-generation-*.conf; do
  case " $entries " in *" ${file##*/} "*) ;; *) rm "$file" ;; esac
done
tidy_kernels EFI/nixos
