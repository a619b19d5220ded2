# k3s. Its options are a file in the store, so no secret is in it: tokens are paths.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  ours = import ../lib;
  cfg = config.services.k3s;
  service = if cfg.role == "server" then "k3s" else "k3s-agent";
  secret = option: value: if value == null then null else ours.secrets.path "services.k3s.${option}" value;
  # k3s' own names of options that hold a secret.
  secrets = [ "token" "agent-token" "datastore-endpoint" "etcd-s3-access-key" "etcd-s3-secret-key" "vpn-auth" ];
  exposed = lib.filter (name: cfg.settings ? ${name}) secrets;
  settings = cfg.settings
    // lib.optionalAttrs (cfg.serverAddr != "") { server = cfg.serverAddr; }
    // lib.optionalAttrs (cfg.tokenFile != null) { token-file = cfg.tokenFile; }
    // lib.optionalAttrs (cfg.agentTokenFile != null) { agent-token-file = cfg.agentTokenFile; }
    // lib.optionalAttrs cfg.clusterInit { cluster-init = true; };
in
{
  options.services.k3s = {
    enable = lib.mkEnableOption "k3s";
    role = mkOption {
      type = types.enum [ "server" "agent" ];
      default = "server";
      description = "A server, or an agent.";
    };
    serverAddr = mkOption {
      type = types.str;
      default = "";
      example = "https://10.0.0.10:6443";
      description = "The server to join.";
    };
    clusterInit = mkOption {
      type = types.bool;
      default = false;
      description = "Whether this server begins a cluster with embedded etcd.";
    };
    tokenFile = mkOption {
      type = types.nullOr types.raw;
      default = null;
      apply = secret "tokenFile";
      example = "/var/lib/secrets/k3s-token";
      description = "A file outside the store that holds the cluster's token.";
    };
    agentTokenFile = mkOption {
      type = types.nullOr types.raw;
      default = null;
      apply = secret "agentTokenFile";
      description = "A file outside the store that holds the token that agents join with.";
    };
    settings = mkOption {
      type = types.anything;
      default = { };
      example = { disable = [ "traefik" ]; flannel-backend = "none"; };
      description = "Options of k3s, by their long names.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = exposed == [ ];
        message = "services.k3s.settings: ${lib.concatStringsSep ", " exposed} would be in the store, "
          + "where everybody can read it: use tokenFile, agentTokenFile, or /etc/rancher/k3s/k3s.env "
          + "on the machine";
      }
      {
        assertion = cfg.role == "server" || (cfg.serverAddr != "" && cfg.tokenFile != null);
        message = "services.k3s: an agent needs serverAddr and tokenFile";
      }
    ];
    cooper.profiles = [ "k3s-${cfg.role}" ];
    # Not /etc/rancher/k3s/config.yaml: k3s writes into that directory, so it outlives a boot.
    # JSON is YAML.
    cooper.services.${service}.settings.environment.K3S_CONFIG_FILE =
      "${pkgs.writeText "k3s-config.yaml" (builtins.toJSON settings)}";
  };
}
