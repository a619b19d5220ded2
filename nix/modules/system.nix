# What holds the modules together: the package set, what must hold, and what is built.
{ lib, config, ... }:
let
  inherit (lib) mkOption types;
in
{
  options = {
    nixpkgs.pkgs = mkOption {
      type = types.raw;
      description = "The package set: `import nixpkgs { … }`, or what a test puts in its place.";
    };
    assertions = mkOption {
      type = types.listOf types.raw;
      default = [ ];
      description = "What must hold: `{ assertion = true; message = \"…\"; }`.";
    };
    warnings = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "What is told at each evaluation.";
    };
    system = {
      build = mkOption {
        type = types.lazyAttrsOf types.raw;
        default = { };
        description = "Derivations: `toplevel`, `graph`, `initrd`, `image`, …";
      };
      checks = mkOption {
        type = types.listOf types.raw;
        default = [ ];
        description = "Derivations that must build before the system does.";
      };
      stateVersion = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = "Taken, so that a configuration of NixOS can be carried over; nothing here depends on it.";
      };
    };
    networking.hostName = mkOption {
      type = types.str;
      default = "nixos";
      description = "The host's name.";
    };
  };

  config._module.args.pkgs = config.nixpkgs.pkgs;
}
