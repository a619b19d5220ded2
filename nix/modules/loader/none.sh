echo "install-boot-loader: boot.loader.kind is \"none\": the boot is somebody else's" >&2
