# A generation: one path in the store that all of it hangs on, laid out as NixOS' tools expect it.
{ lib, config, pkgs, ... }:
let
  build = config.system.build;
  ours = import ../lib;
  system = pkgs.stdenv.hostPlatform.system;
  label = "NixOS with Cooper ${config.cooper.package.version or ""} (Linux ${build.kernel.modDirVersion or build.kernel.version})";
  version = if config.system.stateVersion == null then "cooper" else config.system.stateVersion;
  fill = file: builtins.replaceStrings
    [ "@sh@" "@busybox@" "@installBootLoader@" ]
    [ "${pkgs.busybox}/bin/sh" "${pkgs.busybox}" "${build.installBootLoader}" ]
    (builtins.readFile file);

  failed = lib.filter (assertion: !assertion.assertion) config.assertions;
  told = value:
    if failed != [ ] then
      throw ("\nWhat must hold does not:\n"
        + lib.concatMapStrings (assertion: "- ${assertion.message}\n") failed)
    else builtins.foldl' (value: warning: builtins.trace "warning: ${warning}" value) value
      config.warnings;
in
{
  config.system.build = {
    # The links; what there is besides are the scripts.
    parts = {
      kernel = build.kernelFile;
      kernel-modules = build.kernelModules;
      firmware = build.firmware;
      initrd = "${build.initrd}/initrd";
      etc = build.etc;
      sw = build.path;
      cooper = config.cooper.package;
      graph = build.graph;
      services = build.services;
    };

    toplevel = told (pkgs.runCommand "nixos-system-${config.networking.hostName}"
      {
        preferLocalBuild = true;
        allowSubstitutes = false;
        # What only has to have been built.
        checks = map (check: "${check}") config.system.checks;
        init = fill ./toplevel/init.sh;
        switch = fill ./toplevel/switch-to-configuration.sh;
        bootspec = ours.bootspec {
          inherit system label;
          inherit (config.boot) kernelParams;
          kernel = build.kernelFile;
          initrd = "${build.initrd}/initrd";
          toplevel = "@toplevel@";
        };
        passAsFile = [ "init" "switch" "bootspec" ];
      } ''
      mkdir -p $out/bin
      ${lib.concatMapStrings (name: "ln -s ${build.parts.${name}} $out/${name}\n") (lib.attrNames build.parts)}
      sed "s|@toplevel@|$out|g" "$initPath" > $out/init
      sed "s|@toplevel@|$out|g" "$switchPath" > $out/bin/switch-to-configuration
      sed "s|@toplevel@|$out|g" "$bootspecPath" > $out/boot.json
      cp ${build.activate} $out/activate
      chmod 555 $out/init $out/activate $out/bin/switch-to-configuration
      printf %s ${lib.escapeShellArg (lib.concatStringsSep " " config.boot.kernelParams)} > $out/kernel-params
      printf %s ${lib.escapeShellArg label} > $out/label
      printf %s ${lib.escapeShellArg version} > $out/nixos-version
      printf %s ${system} > $out/system
    '');
  };
}
