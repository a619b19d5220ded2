# For plain NixOS: Cooper's tree beside systemd, for trying. One unit runs `init --subtree`, in a
# cgroup of its own; services, logs and `svc` are as on a node of its own, but nothing sets the
# machine up, and nothing of systemd's is touched.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  ours = import ../lib;
  build = ours.graph { inherit (pkgs) runCommand writeText; };
  cfg = config.services.cooper;
  files = lib.mapAttrs (_: service: service // lib.optionalAttrs (service ? exec) {
    environment = { PATH = lib.makeBinPath cfg.path; } // (service.environment or { });
  }) cfg.services;
  node = { services = lib.attrNames cfg.services; };
  graph = build.graph { svc = cfg.package; services = files; inherit node; };
  tree = build.tree { services = files; inherit node; };
  variables = {
    COOPER_RUN = "/run/cooper";
    COOPER_GRAPHS = "/var/lib/cooper/graph";
    COOPER_LOGS = "/var/log/cooper";
    COOPER_LIBEXEC = "${cfg.package}/lib/cooper";
    COOPER_SERVICES = "/etc/cooper/services";
    COOPER_NODE = "/etc/cooper/node.toml";
    COOPER_FACTS = "";
    COOPER_CGROUP = "/sys/fs/cgroup/system.slice/cooper.service";
  };
in
{
  options.services.cooper = {
    enable = lib.mkEnableOption "Cooper's tree beside systemd";
    package = mkOption {
      type = types.package;
      description = "`packages.SYSTEM.cooper` of the flake.";
    };
    services = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = { ticker.exec = [ "sh" "-c" "while :; do date; sleep 1; done" ]; };
      description = "Services, as in docs/services.md; all of them are up.";
    };
    path = mkOption {
      type = types.listOf types.package;
      default = [ pkgs.bash pkgs.coreutils ];
      defaultText = lib.literalExpression "[ pkgs.bash pkgs.coreutils ]";
      description = "What services find in their PATH.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc = {
      "cooper/services".source = "${tree}/etc/cooper/services";
      "cooper/node.toml".source = "${tree}/etc/cooper/node.toml";
    };
    systemd.services.cooper = {
      description = "Cooper, beside systemd";
      wantedBy = [ "multi-user.target" ];
      # A change of services is an apply, which restarts those that have changed.
      reloadIfChanged = true;
      environment = variables // { COOPER_GRAPH = "${graph}"; };
      serviceConfig = {
        ExecStart = "${cfg.package}/lib/cooper/init --subtree";
        ExecReload = "${cfg.package}/bin/svc apply";
        RuntimeDirectory = "cooper";
        # Services get cgroups below the unit's. No process may be in that itself then, so init is
        # in one beside them.
        Delegate = true;
        DelegateSubgroup = "init";
        KillMode = "mixed";
        Restart = "on-failure";
      };
    };
  };
}
