# The initrd: modules, then the file systems that a boot needs, then the generation's init. A shell
# script on busybox, with Cooper's own node-setup to load modules; packed by Cooper's node-image,
# whose archives are the same bytes each time.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.boot.initrd;
  hardware = config.system.build.hardware;
  build = config.system.build;

  # What is mounted needs its file system.
  types' = lib.filter (type: !(lib.elem type [ "tmpfs" "auto" "none" ]))
    (map (fs: fs.fsType) (lib.filter (fs: fs.neededForBoot) (lib.attrValues config.fileSystems)));
  modules = lib.unique (cfg.availableKernelModules ++ types'
    # FAT's names are written in these.
    ++ lib.optionals (lib.elem "vfat" types') [ "nls_cp437" "nls_iso8859-1" ]);

  # As node-setup reads its section of the table.
  table = pkgs.writeText "initrd-modules.json" (builtins.toJSON {
    blacklist = [ ];
    modules = map (name: { inherit name; optional = true; why = "the boot"; source = "the initrd"; }) modules;
  });
  script = pkgs.writeText "initrd-init" (builtins.replaceStrings [ "@rescue@" ] [ (if cfg.rescue then "true" else "false") ]
    (builtins.readFile ./initrd/init.sh));
in
{
  options.boot.initrd = {
    availableKernelModules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Modules that the initrd loads, those that the kernel has.";
    };
    rescue = mkOption {
      type = types.bool;
      default = true;
      description = "Whether there is a shell on the console when the root cannot be mounted; otherwise the machine restarts.";
    };
    prepend = mkOption {
      type = types.listOf types.path;
      default = [ ];
      description = "Archives before the initrd: microcode.";
    };
    busybox = mkOption {
      type = types.package;
      default = pkgs.pkgsStatic.busybox;
      defaultText = lib.literalExpression "pkgs.pkgsStatic.busybox";
      description = "A busybox without shared libraries.";
    };
    imageTools = mkOption {
      type = types.package;
      description = "Cooper's node-image, for the machine that builds: `packages.SYSTEM.node-image` of the flake.";
    };
  };

  config = {
    boot.initrd.availableKernelModules = lib.optionals (hardware != null) hardware.initrdModules;
    boot.initrd.prepend = lib.optionals (hardware != null) (
      lib.optional (lib.elem "microcode-intel" hardware.firmware) "${pkgs.microcode-intel}/intel-ucode.img"
      ++ lib.optional (lib.elem "microcode-amd" hardware.firmware) "${pkgs.microcode-amd}/amd-ucode.img");

    system.build.initrd = pkgs.runCommand "initrd"
      {
        mounts = build.bootMounts;
        modules = lib.concatStringsSep " " modules;
        passAsFile = [ "mounts" ];
      } ''
      # node-image wants each module that it is told of; one that this kernel lacks, or has built in
      # under another name, is left out here.
      tree=$(echo ${build.kernelModules}/lib/modules/*)
      has() { grep -q "/$(echo "$1" | sed 's/[-_]/[-_]/g')\.ko" "$tree/modules.dep" "$tree/modules.builtin"; }
      list=
      for module in $modules; do
        if has "$module"; then list=$list,$module; else echo "initrd: this kernel has no module $module"; fi
      done

      cp ${script} init
      chmod 755 init
      cp "$mountsPath" mounts
      ${cfg.imageTools}/bin/node-image pack initramfs --output packed --modules "''${list#,}" \
        --lay ${build.kernelModules}/lib/modules:usr/lib/modules --link lib:usr/lib \
        --lay init:init --lay mounts:etc/mounts --lay ${table}:etc/modules.json \
        --lay ${cfg.busybox}/bin/busybox:bin/busybox --link bin/sh:busybox \
        --lay ${config.cooper.package}/lib/cooper/node-setup:bin/node-setup \
        --directory dev --directory proc --directory sys --directory run --directory sysroot
      mkdir $out
      cat ${lib.concatMapStringsSep " " (path: "${path}") cfg.prepend} packed > $out/initrd
    '';
  };
}
