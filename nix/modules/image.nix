# Images: the closure as a read-only file system, and what boots it from the network or in QEMU. A
# disk is disko's, or that of `node-image build disk`.
{ lib, config, pkgs, ... }:
let
  build = config.system.build;
  toplevel = build.toplevel;
in
{
  config.system.build = {
    # The store, to be mounted at /nix/store.
    store = pkgs.runCommand "store.erofs"
      { exportReferencesGraph = [ "closure" toplevel ]; nativeBuildInputs = [ pkgs.erofs-utils ]; } ''
      mkdir root
      grep '^/nix/store/[^.]' closure | sort -u | while read -r path; do cp -a "$path" root/; done
      # All that could differ from one build to the next: times, the identity, the order of threads.
      mkfs.erofs -T 1 -U 00000000-0000-0000-0000-000000000001 --all-root $out root > /dev/null
    '';
    # What QEMU, or a boot loader of somebody else, needs: see also live.nix.
    live = pkgs.runCommand "live-${config.networking.hostName}" { preferLocalBuild = true; allowSubstitutes = false; } ''
      mkdir $out
      ln -s ${build.kernelFile} $out/kernel
      ln -s ${build.initrd}/initrd $out/initrd
      ln -s ${build.store} $out/store.erofs
      printf '%s\n' "init=${toplevel}/init $(cat ${toplevel}/kernel-params)" > $out/cmdline
      cat > $out/boot.ipxe <<END
      #!ipxe
      kernel kernel initrd=initrd $(cat $out/cmdline)
      initrd initrd
      boot
      END
      sed -i 's/^ *//' $out/boot.ipxe
    '';
  };
}
