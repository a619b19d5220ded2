
# Limine, by its configuration; it is booted by UEFI.
EFI=$(echo "$efi" | tr a-z A-Z)
put "$loader" "$boot/EFI/BOOT/BOOT$EFI.EFI"
list=$(mktemp)
generations > "$list"
# Entries count from 1.
position=0
chosen=1
while read -r number toplevel; do
  position=$((position + 1))
  [ "$toplevel" != "$default" ] || { chosen=$position; break; }
done < "$list"
conf=$(mktemp)
{
  echo "timeout: $timeout"
  echo "default_entry: $chosen"
  echo "editor_enabled: no"
  while read -r number toplevel; do
    put_kernel "$toplevel" limine/kernels
    cat <<END

/NixOS, generation $number
    comment: $(title_of "$toplevel")
    protocol: linux
    path: boot():/limine/kernels/$kernel
    cmdline: $(line_of "$toplevel")
    module_path: boot():/limine/kernels/$initrd
END
  done < "$list"
} > "$conf"
write "$boot/limine/limine.conf" < "$conf"
rm "$list" "$conf"
tidy_kernels limine/kernels
