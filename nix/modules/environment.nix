# What is in /etc and in everybody's PATH.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.environment;
  packages = lib.unique
    ([ config.cooper.package ] ++ cfg.systemPackages ++ [ pkgs.bash pkgs.busybox ]);
  enabled = lib.filterAttrs (_: file: file.enable) cfg.etc;
in
{
  options.environment = {
    systemPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = "What is in /run/current-system/sw.";
    };
    etc = mkOption {
      default = { };
      description = "Files of /etc: links into the store.";
      type = types.attrsOf (types.submodule ({ name, config, ... }: {
        options = {
          enable = mkOption {
            type = types.bool;
            default = true;
            description = "Whether it is there.";
          };
          text = mkOption {
            type = types.nullOr types.lines;
            default = null;
            description = "What is in it.";
          };
          source = mkOption {
            type = types.path;
            description = "The file or directory that it is a link to.";
          };
        };
        config.source = lib.mkIf (config.text != null) (lib.mkDefault (pkgs.writeText
          "etc-${lib.concatMapStringsSep "-" (part: part) (lib.splitString "/" name)}" config.text));
      }));
    };
  };

  config = {
    environment.etc = {
      "os-release".text = lib.mkDefault ''
        ID=nixos
        NAME=NixOS
        PRETTY_NAME="NixOS with Cooper"
        VARIANT_ID=cooper
      '';
      # nixos-rebuild and nixos-install look for it.
      NIXOS.text = "";
      hosts.text = lib.mkDefault ''
        127.0.0.1 localhost
        ::1 localhost
        127.0.1.1 ${config.networking.hostName}
      '';
      hostname.text = "${config.networking.hostName}\n";
      "nsswitch.conf".text = lib.mkDefault ''
        passwd: files
        group: files
        shadow: files
        hosts: files dns
      '';
      profile.text = lib.mkDefault ''
        export PATH=/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin
        export PAGER=less
      '';
    };

    system.build = {
      etc = pkgs.runCommand "etc" { preferLocalBuild = true; allowSubstitutes = false; } ''
        mkdir $out
        ${lib.concatMapStrings (name: ''
          mkdir -p "$out/$(dirname ${lib.escapeShellArg name})"
          ln -s ${enabled.${name}.source} $out/${lib.escapeShellArg name}
        '') (lib.attrNames enabled)}
      '';
      # Of two packages with the same program the first one's is taken: Cooper's before all, for
      # busybox has an `svc` and a `poweroff` of its own; busybox' after all.
      path = pkgs.runCommand "system-path" { preferLocalBuild = true; allowSubstitutes = false; } ''
        mkdir -p $out/bin
        for package in ${lib.concatMapStringsSep " " (package: "${lib.getBin package}") packages}; do
          for program in $package/bin/*; do
            [ ! -e "$program" ] || [ -e "$out/bin/''${program##*/}" ] || ln -s "$program" $out/bin
          done
        done
      '';
    };
  };
}
