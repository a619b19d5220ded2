# The systems of hosts.nix with the stand-in package set, and what is looked at by tests/run.
#
# `inputs` is a directory that nix/tests/run fills; `nixpkgsLib` is nixpkgs' lib, where it is at hand.
{ inputs, nixpkgsLib ? null, system ? "x86_64-linux" }:
let
  lib = if nixpkgsLib == null then import ./lib else import nixpkgsLib;
  pkgs = import ./pkgs { inherit inputs system; };
  real = name: {
    type = "derivation";
    inherit name;
    outPath = "${import ./pkgs/real.nix inputs name}";
  };
  hosts = import ./hosts.nix { inherit lib pkgs; cooper = real "cooper"; imageTools = pkgs.cooper-node-image; };
  ours = import ../lib;
  build = ours.graph { inherit (pkgs) runCommand writeText; };
  plain = (lib.evalModules {
    class = "nixos";
    modules = [
      (import ../modules/beside-systemd.nix)
      # Of NixOS, what that module sets.
      ({ lib, ... }: {
        options = lib.genAttrs [ "environment" "systemd" ] (_: lib.mkOption { type = lib.types.anything; default = { }; });
        config._module.args.pkgs = pkgs;
      })
      { services.cooper = { enable = true; package = real "cooper"; path = [ pkgs.busybox ]; services.ticker.exec = [ "sh" "-c" "exec sleep 1000" ]; }; }
    ];
  }).config;
in
{
  inherit hosts plain;
  # Everything that evaluates with no builder for it: a system's derivation, for each.
  evaluated = builtins.mapAttrs (_: host: host.system.build.toplevel.drvPath)
    ((if system == "x86_64-linux" then { inherit (hosts) server laptop; } else { }) // hosts.targets);
  # Of an image its system: what goes into it is the same for all.
  images = builtins.mapAttrs (_: host: host.system.build.toplevel.drvPath) hosts.images;
  graph = hosts.server.system.build.graph;
  toplevel = hosts.server.system.build.toplevel;
  laptop = hosts.laptop.system.build.toplevel;
  first = hosts.first.system.build.live;
  disk = hosts.disk-image.system.build.diskImage;
  netboot = hosts.memory.system.build.netboot;
  second = hosts.second.system.build.toplevel;
  # A store with both generations, as a machine has that was installed and then changed.
  both = pkgs.runCommand "both.erofs"
    {
      exportReferencesGraph = [ "closure" (pkgs.writeText "both" "${hosts.first.system.build.toplevel} ${hosts.second.system.build.toplevel}") ];
      nativeBuildInputs = [ pkgs.erofs-utils ];
    } ''
    mkdir root
    grep '^/nix/store/[^.]' closure | sort -u | while read -r path; do cp -a "$path" root/; done
    mkfs.erofs -T 1 -U 00000000-0000-0000-0000-000000000001 --all-root $out root > /dev/null
  '';
  plainGraph = pkgs.runCommand "plain-graph" { } "cp ${plain.systemd.services.cooper.environment.COOPER_GRAPH} $out";
  wrong = builtins.mapAttrs (_: host: host.system.build.toplevel) hosts.wrong;
  loaders = builtins.listToAttrs (map
    (kind: {
      name = kind;
      value = (lib.evalModules {
        class = "nixos";
        modules = [ (import ../modules) { nixpkgs.pkgs = pkgs; boot.loader = { inherit kind; configurationLimit = 2; }; } ];
      }).config.system.build.installBootLoader;
    }) [ "systemd-boot" "limine" "extlinux" "raspberry-pi" "none" ]);
}
