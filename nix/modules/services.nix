# What runs: profiles, a hardware target, and services as Nix values. Together they are a graph that
# is compiled in the build, so what `svc` finds wrong with it fails the build.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  ours = import ../lib;
  build = ours.graph { inherit (pkgs) runCommand writeText; };
  cfg = config.cooper;

  # By nixpkgs' name, which may be one of a set; what goes with a kernel is of ours.
  program = name:
    let
      parts = lib.splitString "." name;
      set = if lib.head parts == "linuxPackages" then { linuxPackages = config.boot.kernelPackages; } else pkgs;
      missing = throw "there is no package `${name}`; cooper.programs.\"${name}\" can name one";
    in
    cfg.programs.${name} or (lib.attrByPath parts missing set);

  # A service that comes with Cooper, where its programs are.
  shipped = lib.mapAttrs
    (name: value: ours.services.placed cfg.package (value // lib.optionalAttrs ((value.type or "longrun") != "bundle") {
      environment = (value.environment or { }) // {
        PATH = lib.makeBinPath (map program ours.programs.${name});
      };
    }))
    ours.services.shipped;

  # What the configuration says lies over it as a drop-in does.
  own = lib.mapAttrs
    (name: service: ours.services.merge (shipped.${name} or { })
      (service.settings // lib.optionalAttrs (service.path != [ ]) {
        environment = (service.settings.environment or { }) // { PATH = lib.makeBinPath service.path; };
      }))
    cfg.services;

  isWanted = name: service: if service.wanted == null then !(shipped ? ${name}) else service.wanted;
  up = lib.unique (cfg.node.services ++ lib.attrNames (lib.filterAttrs isWanted cfg.services));
  # What can be started, beside what is up: all that this configuration says something new of.
  named = lib.attrNames (lib.filterAttrs (name: _: !(shipped ? ${name})) own);
  files = removeAttrs
    (ours.services.reachable (shipped // own) (up ++ ours.services.ofProfiles cfg.profiles ++ named))
    cfg.without;

  node = cfg.node // {
    services = up;
    profiles = lib.unique cfg.profiles;
  } // lib.optionalAttrs (cfg.hardware != null) { inherit (cfg) hardware; };
in
{
  options.cooper = {
    package = mkOption {
      type = types.package;
      description = "Cooper itself: `packages.SYSTEM.cooper` of the flake.";
    };
    compiler = mkOption {
      type = types.package;
      default = cfg.package;
      defaultText = lib.literalExpression "config.cooper.package";
      description = "A Cooper whose `svc` runs on the machine that builds; for a foreign architecture that machine's own.";
    };
    profiles = mkOption {
      type = types.listOf types.str;
      default = [ "base" ];
      example = [ "k3s-server" "flannel" "longhorn" ];
      description = "What the machine is for: see docs/node.md.";
    };
    hardware = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "n100";
      description = "The hardware target: boot parameters, modules for the initrd, firmware and boot loader come from it.";
    };
    services = mkOption {
      default = { };
      example = lib.literalExpression ''
        {
          web.settings = { exec = [ (lib.getExe pkgs.darkhttpd) "/srv" ]; after = [ "network" ]; };
          # Over one that comes with Cooper, key by key.
          sshd.settings.restart.max = "5s";
        }
      '';
      description = "Services: new ones, and what differs from those that come with Cooper.";
      type = types.attrsOf (types.submodule {
        options = {
          settings = mkOption {
            type = types.anything;
            default = { };
            description = "The keys of docs/services.md.";
          };
          wanted = mkOption {
            type = types.nullOr types.bool;
            default = null;
            description = "Whether it is up by itself. Unless said: yes, if it is a new one; "
              + "what comes with Cooper is up where a profile, or cooper.node.services, says so.";
          };
          path = mkOption {
            type = types.listOf types.package;
            default = [ ];
            description = "The packages whose programs are in its PATH; none leaves PATH as it is.";
          };
        };
      });
    };
    without = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "syslog" ];
      description = "Services of profiles that this machine does without.";
    };
    node = {
      services = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "mdevd" "mdevd-coldplug" "network-dhcp" ];
        description = "Services that are up beside those of the profiles: which of several does it.";
      };
      settled = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Conflicts between profiles that somebody has dealt with.";
      };
      control = mkOption {
        type = types.anything;
        default = { };
        description = "Who may operate services.";
      };
      shutdown = mkOption {
        type = types.anything;
        default = { };
        description = "How long a shutdown may take.";
      };
      watchdog = mkOption {
        type = types.anything;
        default = { };
        description = "The hardware watchdog.";
      };
      setup = mkOption {
        type = types.anything;
        default = { };
        description = "Kernel parameters, limits, swap.";
      };
    };
    programs = mkOption {
      type = types.attrsOf types.package;
      default = { };
      example = lib.literalExpression "{ openssh = pkgs.openssh.override { withFIDO = false; }; }";
      description = "Packages that stand in for those of nixpkgs wherever Cooper's own services run them.";
    };
  };

  config = {
    cooper.node.setup.hostname = lib.mkDefault config.networking.hostName;
    # Builds of nixpkgs' that need no systemd where the usual one does: see nix/README.md.
    cooper.programs = {
      openssh = lib.mkDefault (pkgs.openssh.override { withFIDO = false; });
      util-linux = lib.mkDefault pkgs.util-linuxMinimal;
    };

    system.build = {
      services = build.tree { services = files; inherit node; };
      graph = build.graph { svc = cfg.compiler; services = files; inherit node; };
      # For the tests, and for `nix eval`.
      serviceValues = files;
      program = program;
    };
    environment.etc = {
      "cooper/services".source = "${config.system.build.services}/etc/cooper/services";
      "cooper/node.toml".source = "${config.system.build.services}/etc/cooper/node.toml";
    };
    environment.systemPackages = map program (ours.services.packagesOf cfg.profiles);
  };
}
