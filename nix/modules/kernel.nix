# The kernel, its modules and parameters, and firmware: what the hardware target says, and more.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  ours = import ../lib;
  cfg = config.boot;
  hardware = if config.cooper.hardware == null then null else ours.hardware.target config.cooper.hardware;
  kernel = cfg.kernelPackages.kernel;
in
{
  options = {
    boot = {
      kernelPackages = mkOption {
        type = types.raw;
        default = pkgs.linuxPackages;
        defaultText = lib.literalExpression "pkgs.linuxPackages";
        description = "The kernel, and what is built for it.";
      };
      extraModulePackages = mkOption {
        type = types.listOf types.package;
        default = [ ];
        example = lib.literalExpression "[ config.boot.kernelPackages.nvidia_x11 ]";
        description = "Modules that are not in the kernel's package.";
      };
      kernelParams = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Words for the kernel's command line.";
      };
    };
    hardware.firmware = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = "Packages with files below lib/firmware.";
    };
  };

  config = {
    boot.kernelParams = lib.optionals (hardware != null) hardware.kernelParams;
    boot.extraModulePackages = lib.optional (lib.elem "gpu-nvidia" config.cooper.profiles)
      config.boot.kernelPackages.nvidia_x11;
    hardware.firmware = lib.optionals (hardware != null)
      (map config.system.build.program
        # Microcode goes in front of the initrd, and what a Raspberry Pi starts with into /boot.
        (lib.filter (name: !(lib.elem name [ "microcode-intel" "microcode-amd" "raspberrypifw" "nvidia-jetpack.l4t-firmware" ]))
          hardware.firmware));
    assertions = lib.optional (hardware != null) {
      assertion = hardware.system == pkgs.stdenv.hostPlatform.system;
      message = "the hardware target ${hardware.name} is ${hardware.system}, and this system is ${pkgs.stdenv.hostPlatform.system}";
    };

    system.build = {
      inherit kernel hardware;
      kernelFile = "${kernel}/${kernel.target or pkgs.stdenv.hostPlatform.linux-kernel.target}";
      # Where modules are an output of their own. As it is, where nothing is added: what enters the
      # host from a container sees files then, and no links into a store that it does not have.
      kernelModules = let own = kernel.modules or kernel; in
        if cfg.extraModulePackages == [ ] then own
        else pkgs.aggregateModules ([ own ] ++ cfg.extraModulePackages);
      firmware = pkgs.runCommand "firmware" { preferLocalBuild = true; allowSubstitutes = false; } ''
        mkdir -p $out/lib/firmware
        for package in ${lib.concatMapStringsSep " " (package: "${package}") config.hardware.firmware}; do
          cp -rsn $package/lib/firmware/. $out/lib/firmware
        done
      '';
    };
    cooper.node.setup.firmware = lib.mkIf (config.hardware.firmware != [ ])
      (lib.mkDefault "${config.system.build.firmware}/lib/firmware");
  };
}
