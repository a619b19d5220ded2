# Boot loaders. Each is a program that writes the entries of all generations, from what each
# generation says of itself: no loader's own tool is run, so none is in the closure. What UEFI
# starts is put where it looks without being told, EFI/BOOT: no variable of the firmware is changed.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.boot.loader;
  hardware = config.system.build.hardware;
  # As UEFI names its architectures.
  efi = { x86_64-linux = "x64"; aarch64-linux = "aa64"; }.${pkgs.stdenv.hostPlatform.system};

  # One file out of a package that nothing of the system may refer to: that it does not is checked.
  only = name: path: pkgs.runCommand name { allowedReferences = [ ]; } "cp ${path} $out";

  files = {
    systemd-boot = "loader=${only "boot${efi}.efi" "${pkgs.systemd}/lib/systemd/boot/efi/systemd-boot${efi}.efi"}";
    limine = "loader=${only "boot${efi}.efi" "${pkgs.limine}/share/limine/BOOT${lib.toUpper efi}.EFI"}";
    extlinux = "";
    raspberry-pi = "firmware=${pkgs.raspberrypifw}/share/raspberrypi/boot";
    none = "";
  };
in
{
  options.boot.loader = {
    kind = mkOption {
      type = types.enum [ "systemd-boot" "limine" "extlinux" "raspberry-pi" "none" ];
      default = if hardware == null then "none" else hardware.loader;
      defaultText = lib.literalExpression "what the hardware target boots by";
      description = "Which boot loader. extlinux is what U-Boot reads as well.";
    };
    timeout = mkOption {
      type = types.int;
      default = 3;
      description = "Seconds until the default entry is booted.";
    };
    configurationLimit = mkOption {
      type = types.int;
      default = 10;
      description = "How many generations have an entry.";
    };
    mountPoint = mkOption {
      type = types.str;
      default = "/boot";
      description = "Where the loader's partition is mounted.";
    };
    raspberryPi.config = mkOption {
      type = types.lines;
      default = "";
      description = "More of config.txt.";
    };
  };

  config.system.build.installBootLoader = pkgs.writeScript "install-boot-loader" (''
    #!${pkgs.busybox}/bin/sh
    set -eu
    export PATH=${pkgs.busybox}/bin
    boot=''${BOOT:-${cfg.mountPoint}}
    profiles=''${PROFILES:-/nix/var/nix/profiles}
    limit=${toString cfg.configurationLimit}
    timeout=${toString cfg.timeout}
    efi=${efi}
    more_config=${lib.escapeShellArg cfg.raspberryPi.config}
    ${files.${cfg.kind}}
  '' + builtins.readFile ./loader/generations.sh
  + builtins.readFile (./loader + "/${cfg.kind}.sh"));
}
