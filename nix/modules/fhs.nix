# Paths that programs from elsewhere look for. NixOS has /bin/sh and /usr/bin/env; what enters the
# host from a container, as Longhorn's and Cilium's pods do with nsenter, looks for programs in
# /usr/bin and /sbin, and for modules in /lib/modules.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  ours = import ../lib;
in
{
  options.cooper.fhs = mkOption {
    type = types.bool;
    default = lib.elem "kube-node" (ours.services.including config.cooper.profiles);
    defaultText = lib.literalExpression "whether a profile includes \"kube-node\"";
    description = "Whether /usr/bin, /usr/sbin, /bin and /sbin are the programs of the system.";
  };

  config.cooper.activation."30-fhs" = builtins.replaceStrings [ "@fhs@" "@busybox@" ]
    [ (if config.cooper.fhs then "true" else "false") "${pkgs.busybox}" ]
    (builtins.readFile ./activation/fhs.sh);
}
