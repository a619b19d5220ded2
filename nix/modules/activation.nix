# Activation: what makes the running root that of a generation. At each boot before Cooper's init,
# and at each switch.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.cooper = {
    activation = mkOption {
      type = types.attrsOf types.lines;
      default = { };
      description = "Pieces of shell, run in the order of their names (\"20-users\").";
    };
    state = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "/etc/rancher" ];
      description = "Directories outside /var that outlive a boot: links into /var/lib/state, for the root is a tmpfs.";
    };
  };

  config = {
    cooper.state = [ "/root" "/home" "/etc/cni" "/etc/iscsi" "/etc/kubernetes" "/etc/rancher" ];
    cooper.activation = {
      "00-directories" = builtins.readFile ./activation/directories.sh;
      "05-state" = builtins.replaceStrings [ "@directories@" ] [ (lib.concatStringsSep " " config.cooper.state) ]
        (builtins.readFile ./activation/state.sh);
      "10-etc" = builtins.readFile ./activation/etc.sh;
    };

    system.build.activate = pkgs.writeScript "activate" (''
      #!${pkgs.busybox}/bin/sh
      # Makes this generation's files those of the running system. It may run at any time, and
      # again; what fails is told, and the rest goes on.
      export PATH=${pkgs.busybox}/bin
      toplevel=''${0%/activate}
      status=0
      warn() { echo "activate: warning: $*" >&2; status=1; }
    '' + lib.concatMapStrings (name: "\n# --- ${name}\n(\n${config.cooper.activation.${name}}\nexit $status) || status=1\n")
      (lib.attrNames config.cooper.activation) + ''

      # Last, and in one step: whoever looks finds the old generation or the new one.
      ln -sfn "$toplevel" /run/current-system.new && mv -T /run/current-system.new /run/current-system || status=1
      exit $status
    '');
  };
}
