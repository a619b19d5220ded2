# The partitions of a node's disk, as disko takes them (disko.devices), and thus nixos-anywhere. On
# builtins alone.
#
# What is made again from the flake (/nix, and the little that is left of /), what the node is
# (/var), and what belongs to the cluster (/var/lib/longhorn) are partitions of their own: an etcd
# or a log that grows does not fill the store, replicas fill neither, and a machine is installed
# anew without its volumes.
#
# The labels are short and ours: the initrd finds partitions by them, without udev.
{ device
, boot ? "1G"
, nix ? "32G"
, var ? "64G"
  # null: no partition for Longhorn, and /var gets the rest of the disk.
, longhorn ? "100%"
  # "gpt" with an ESP; a Raspberry Pi's firmware reads the same one.
}:
let
  filesystem = format: mountpoint: extra: { type = "filesystem"; inherit format mountpoint; } // extra;
  partition = priority: label: size: content: { inherit priority label size content; };
  last = if longhorn == null then "var" else "longhorn";
  # Only the last one can be what is left.
  rest = name: size: if name == last then "100%" else size;
in
{
  disk.main = {
    type = "disk";
    inherit device;
    content = {
      type = "gpt";
      partitions = {
        boot = partition 1 "boot" boot
          (filesystem "vfat" "/boot" { mountOptions = [ "umask=0077" ]; }) // { type = "EF00"; };
        nix = partition 2 "nix" nix (filesystem "ext4" "/nix" { mountOptions = [ "noatime" ]; });
        var = partition 3 "var" (rest "var" var) (filesystem "ext4" "/var" { });
      } // (if longhorn == null then { } else {
        # Longhorn's replicas are sparse files: both file systems know them; XFS needs no inodes set aside.
        longhorn = partition 4 "longhorn" (rest "longhorn" longhorn)
          (filesystem "xfs" "/var/lib/longhorn" { });
      });
    };
  };
  # The root is what activation puts there at each boot, and nothing else.
  nodev."/" = {
    fsType = "tmpfs";
    mountOptions = [ "mode=0755" "size=25%" ];
  };
}
