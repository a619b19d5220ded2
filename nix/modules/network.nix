# The network, and who makes devices' nodes: of each, which of several does it.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.networking;
in
{
  options = {
    networking = {
      useDHCP = mkOption {
        type = types.bool;
        default = cfg.static == "";
        defaultText = lib.literalExpression "whether networking.static is empty";
        description = "Whether addresses come by DHCP.";
      };
      static = mkOption {
        type = types.lines;
        default = "";
        example = ''
          link set eth0 up
          address replace 192.0.2.7/24 dev eth0
          route replace default via 192.0.2.1
        '';
        description = "The arguments of one `ip` per line.";
      };
      nameservers = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Resolvers, where DHCP does not name them.";
      };
    };
    cooper.devices = mkOption {
      type = types.enum [ "mdevd" "udev" "mdev" "none" ];
      default = "mdevd";
      description = "Who handles devices as they come and go.";
    };
  };

  config = {
    cooper.node.services =
      (if cfg.static != "" then [ "network-static" ] else lib.optional cfg.useDHCP "network-dhcp")
      ++ {
        mdevd = [ "mdevd" "mdevd-coldplug" ];
        udev = [ "udevd" "udev-coldplug" ];
        mdev = [ "mdev" "mdev-coldplug" ];
        none = [ ];
      }.${config.cooper.devices};
    environment.etc = {
      "cooper/network" = { enable = cfg.static != ""; text = cfg.static; };
      "resolv.conf" = {
        enable = cfg.nameservers != [ ];
        text = lib.concatMapStrings (server: "nameserver ${server}\n") cfg.nameservers;
      };
      # Modules by what a device says it is, and groups for those that people use.
      "mdev.conf" = {
        enable = lib.elem config.cooper.devices [ "mdevd" "mdev" ];
        text = ''
          $MODALIAS=.* 0:0 660 @modprobe -q -b "$MODALIAS"
          null|zero|full|random|urandom 0:0 666
          tty 0:tty 666
          tty[0-9]+ 0:tty 620
          ttyS[0-9]+ 0:dialout 660
          (sd[a-z]|vd[a-z]|nvme[0-9]|mmcblk[0-9]).* 0:disk 660
          kvm 0:kvm 660
          dri/card[0-9]+ 0:video 660
          dri/renderD[0-9]+ 0:render 660
          input/.* 0:input 660
          snd/.* 0:audio 660
        '';
      };
    };
  };
}
