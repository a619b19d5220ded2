# What must not be in the closure is looked for in the build: a package that brings systemd along
# fails it, and is named with whoever needs it.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.system.refuse = mkOption {
    type = types.listOf types.str;
    default = [ "systemd" ];
    description = "Beginnings of package names that may not be in the closure. An empty list refuses nothing.";
  };

  config.system.checks = lib.optional (config.system.refuse != [ ]) (pkgs.runCommand "closure-check"
    {
      preferLocalBuild = true;
      allowSubstitutes = false;
      exportReferencesGraph = [
        "graph"
        (pkgs.writeText "parts" (lib.concatMapStrings (part: "${part}\n") (lib.attrValues config.system.build.parts
          ++ [ config.system.build.activate config.system.build.installBootLoader ])))
      ];
      refused = lib.concatStringsSep "|" config.system.refuse;
    } ''
    # PATH, its deriver, how many references, and these: for each path of the closure.
    awk -v refused="^/nix/store/[^-]*-($refused)" '
      BEGIN { state = "path" }
      state == "path" { path = $0; state = "deriver"; next }
      state == "deriver" { state = "count"; next }
      state == "count" { left = $0; state = left ? "reference" : "path"; next }
      { if ($0 != path && $0 ~ refused) { bad = 1; print "closure: " $0 " is needed by " path }
        if (--left == 0) state = "path" }
      END { exit bad }
    ' graph || { echo "closure: this system is to be without them (system.refuse)"; exit 1; }
    touch $out
  '');
}
