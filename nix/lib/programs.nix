# Which programs each of Cooper's own services finds in its PATH: nixpkgs' names. A service has
# these and no others, so a new version of one restarts those that run it, and nobody else.
let
  # What service files write as shell.
  shell = [ "busybox" ];
  kubernetes = [ "kubernetes" ];
  # What kubelet calls on the host (kubernetes/kubernetes#26093), and mounts volumes with.
  kubelet = [
    "conntrack-tools" "e2fsprogs" "ethtool" "iproute2" "iptables" "kmod" "nfs-utils" "socat"
    "util-linux" "xfsprogs"
  ];
in
{
  bless-boot = [ ];
  cgroups = [ ];
  chronyd = [ "chrony" ];
  cilium-agent = shell ++ [ "iproute2" ];
  clock = [ "util-linux" ];
  containerd = [ "containerd" "runc" "iptables" "kmod" "util-linux" ];
  dbus = [ "dbus" ];
  dhcpcd = [ "dhcpcd" ];
  etcd = [ "etcd" ];
  filesystems = [ "util-linux" "e2fsprogs" "dosfstools" "xfsprogs" ];
  firmware = [ ];
  "getty@" = shell;
  "getty@tty1" = shell;
  grow-data = [ "util-linux" "e2fsprogs" ];
  hostname = [ ];
  iscsi-initiator-name = shell ++ [ "openiscsi" ];
  iscsi-sessions = shell ++ [ "openiscsi" ];
  iscsid = [ "openiscsi" "kmod" ];
  k3s = [ "k3s" ] ++ kubelet;
  k3s-agent = [ "k3s" ] ++ kubelet;
  kube-apiserver = kubernetes;
  kube-controller-manager = kubernetes;
  kube-proxy = kubernetes ++ [ "conntrack-tools" "iptables" "kmod" ];
  kube-scheduler = kubernetes;
  kubelet = shell ++ kubernetes ++ kubelet;
  limits = [ ];
  login1 = [ ];
  loopback = [ ];
  machine-id = [ ];
  mdev = shell;
  mdev-coldplug = shell;
  mdevd = [ "mdevd" "kmod" ];
  mdevd-coldplug = [ "mdevd" ];
  modules = [ "kmod" ];
  mounts = [ ];
  netmounts = shell ++ [ "util-linux" "nfs-utils" ];
  network-dhcp = shell ++ [ "iproute2" ];
  network-static = shell ++ [ "iproute2" ];
  nvidia-cdi = shell ++ [ "nvidia-container-toolkit" ];
  nvidia-persistenced = shell ++ [ "linuxPackages.nvidia_x11.persistenced" ];
  # Their stop commands are node-setup; what starts them is `true`.
  pods = shell ++ [ "util-linux" ];
  pods-graceful = [ ];
  random-seed = [ ];
  seatd = [ "seatd" ];
  sshd = shell ++ [ "openssh" ];
  sshd-keys = [ "openssh" ];
  swap = [ "util-linux" ];
  sysctl = [ ];
  sysctl-watch = [ ];
  syslog = shell;
  tailscaled = shell ++ [ "tailscale" "iproute2" "iptables" ];
  time-sync = shell ++ [ "chrony" ];
  tmpfiles = [ ];
  udev-coldplug = shell ++ [ "eudev" ];
  udevd = shell ++ [ "eudev" ];
}
