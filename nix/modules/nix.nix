# Nix on the machine itself, for root: what `nixos-rebuild --target-host` and garbage collection need.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.nix = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = "Whether nix is on the machine.";
    };
    package = mkOption {
      type = types.package;
      default = pkgs.nix;
      defaultText = lib.literalExpression "pkgs.nix";
      description = "Which nix.";
    };
  };
  config = lib.mkIf config.nix.enable {
    environment.systemPackages = [ config.nix.package ];
    # Without a daemon: nobody but root builds here.
    environment.etc."nix/nix.conf".text = ''
      build-users-group =
      experimental-features = nix-command flakes
    '';
  };
}
