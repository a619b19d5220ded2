# nixpkgs' attributes that the modules and tables here use, each looked up in nixpkgs' source (see
# nix/README.md). The stand-in has these and no others, so a name that nobody has looked up fails.
[
  "bash" "chrony" "conntrack-tools" "containerd" "coreutils" "cri-tools" "cryptsetup" "curl" "dbus"
  "dhcpcd" "dosfstools" "e2fsprogs" "ebtables" "etcd" "ethtool" "eudev" "findutils" "gawk" "gnugrep"
  "iproute2" "iptables" "k3s" "kmod" "kubectl" "kubernetes" "limine" "linux-firmware" "lvm2" "mdevd"
  "microcode-amd" "microcode-intel" "nfs-utils" "nix" "nvidia-container-toolkit" "openiscsi"
  "openssh" "raspberrypifw" "raspberrypiWirelessFirmware" "runc" "seatd" "socat" "sof-firmware"
  "systemd" "tailscale" "util-linux" "util-linuxMinimal" "wireguard-tools"
  "wireless-regdb" "xfsprogs"
]
