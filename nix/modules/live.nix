# A system that runs from an image and keeps nothing: the store is a read-only file system, on a
# disk or, `ramdisk`, inside the initrd, for a boot from the network.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  build = config.system.build;
  cfg = config.cooper.live;
in
{
  options.cooper.live = {
    device = mkOption {
      type = types.str;
      default = "/dev/vda";
      description = "The disk that holds the store; \"root\" is what the kernel's command line says (root=).";
    };
    ramdisk = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the store is in the initrd instead.";
    };
  };
  config = {
    fileSystems = {
      "/" = { fsType = "tmpfs"; options = [ "mode=0755" ]; };
      "/nix/store" = {
        device = if cfg.ramdisk then "/store.erofs" else cfg.device;
        fsType = "erofs";
        options = if cfg.ramdisk then [ "ro" "loop" ] else [ "ro" ];
      };
    };
    boot.initrd.availableKernelModules = lib.optional cfg.ramdisk "loop";
    boot.loader.kind = lib.mkDefault "none";
    nix.enable = lib.mkDefault false;

    # DIRECTORY/{kernel,initrd,cmdline,boot.ipxe}: all that a machine fetches.
    system.build.netboot = pkgs.runCommand "netboot-${config.networking.hostName}" { } ''
      mkdir $out
      ln -s ${build.kernelFile} $out/kernel
      ${config.boot.initrd.imageTools}/bin/node-image pack initramfs --output store --pack none \
        --lay ${build.store}:store.erofs
      # The kernel looks for an archive that is not packed at multiples of four bytes only.
      cat ${build.initrd}/initrd > $out/initrd
      while [ $(($(wc -c < $out/initrd) % 4)) -ne 0 ]; do printf '\0' >> $out/initrd; done
      cat store >> $out/initrd
      cp ${build.live}/cmdline ${build.live}/boot.ipxe $out
    '';
  };
}
