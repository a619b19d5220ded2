# sshd, which the profile `base` brings up, with keys only and without PAM.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.openssh;
  openssh = config.system.build.program "openssh";
  # They outlive a boot; the root may not.
  keys = "/var/lib/sshd";
in
{
  options.services.openssh = {
    ports = mkOption { type = types.listOf types.int; default = [ 22 ]; description = "Ports."; };
    extraConfig = mkOption {
      type = types.lines;
      default = "";
      description = "More of sshd_config.";
    };
  };

  config = {
    cooper.services = {
      sshd.settings = {
        exec = [ "${openssh}/bin/sshd" "-D" "-e" "-f" "/etc/ssh/sshd_config" ];
        reload.exec = [ "/bin/sh" "-c" "${openssh}/bin/sshd -t -f /etc/ssh/sshd_config && kill -HUP $MAINPID" ];
      };
      sshd-keys.settings = {
        exec = [ "ssh-keygen" "-A" "-f" keys ];
        run.directories = [ keys "${keys}/etc" "${keys}/etc/ssh:0700" ];
      };
    };
    environment.etc."ssh/sshd_config".text = lib.concatMapStrings (port: "Port ${toString port}\n") cfg.ports + ''
      HostKey ${keys}/etc/ssh/ssh_host_ed25519_key
      AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u
      PasswordAuthentication no
      KbdInteractiveAuthentication no
      UsePAM no
      Subsystem sftp internal-sftp
    '' + cfg.extraConfig;
    environment.systemPackages = [ openssh ];
  };
}
