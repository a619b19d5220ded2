# File systems: what the initrd mounts, and what fstab says for later. Named as NixOS and disko do.
{ lib, config, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.fileSystems;

  all = lib.mapAttrsToList (mountPoint: fs: fs // { inherit mountPoint; }) cfg;
  # Above before below.
  ordered = builtins.sort (a: b: a.mountPoint < b.mountPoint) all;

  # Needs no udev's links: the initrd and mount(8) find these by themselves.
  device = fs:
    let by = kind: prefix: if lib.hasPrefix prefix fs.device then "${kind}=${lib.removePrefix prefix fs.device}" else null;
    in lib.head (lib.filter (found: found != null) [
      (by "PARTLABEL" "/dev/disk/by-partlabel/")
      (by "PARTUUID" "/dev/disk/by-partuuid/")
      (by "LABEL" "/dev/disk/by-label/")
      (by "UUID" "/dev/disk/by-uuid/")
      fs.device
    ]);
  options = fs: lib.concatStringsSep "," fs.options;
  # What is mounted before fsck could look is not looked at.
  pass = fs: if fs.neededForBoot || fs.fsType == "tmpfs" then "0" else "2";
  line = fs: "${device fs} ${fs.mountPoint} ${fs.fsType} ${options fs} 0 ${pass fs}\n";
in
{
  options = {
    fileSystems = mkOption {
      default = { };
      description = "File systems by mount point.";
      type = types.attrsOf (types.submodule ({ name, config, ... }: {
        options = {
          device = mkOption { type = types.str; default = "none"; description = "The device."; };
          fsType = mkOption { type = types.str; default = "auto"; description = "Its type."; };
          options = mkOption {
            type = types.listOf types.str;
            default = [ "defaults" ];
            description = "Mount options.";
          };
          neededForBoot = mkOption {
            type = types.bool;
            default = lib.elem name [ "/" "/nix" "/nix/store" "/var" "/var/log" "/var/lib" "/etc" ];
            description = "Whether the initrd mounts it.";
          };
        };
      }));
    };
    swapDevices = mkOption {
      default = [ ];
      description = "Swap; used only where cooper.node.setup.swap is true.";
      type = types.listOf (types.submodule {
        options.device = mkOption { type = types.str; description = "The device."; };
      });
    };
  };

  config = {
    assertions = [
      { assertion = cfg ? "/"; message = "fileSystems.\"/\" is missing: what is to be the root?"; }
    ];
    environment.etc.fstab.text =
      lib.concatMapStrings line ordered
      + lib.concatMapStrings (swap: "${device swap} none swap defaults 0 0\n") config.swapDevices;
    # DEVICE MOUNTPOINT TYPE OPTIONS, for the initrd.
    system.build.bootMounts = lib.concatMapStrings
      (fs: "${device fs} ${fs.mountPoint} ${fs.fsType} ${options fs}\n")
      (lib.filter (fs: fs.neededForBoot) ordered);
  };
}
