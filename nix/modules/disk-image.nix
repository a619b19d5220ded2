# A system on a disk of `node-image build disk --base nix`: the store is a read-only file system in
# one of two slots, and what the node keeps is a partition of its own, on /var.
{ lib, config, pkgs, ... }:
let
  build = config.system.build;
in
{
  imports = [ ./live.nix ];
  config = {
    cooper.live.device = "root";
    cooper.profiles = [ "disk-image" ];
    fileSystems."/var" = { device = "/dev/disk/by-partlabel/data"; fsType = "ext4"; };
    # DIRECTORY/{kernel,initrd,cmdline,store.erofs}
    system.build.diskImage = build.live;
  };
}
