# What the functions of lib/ answer: a list of { rule, got, want }; builtins alone.
#
# Evaluates to the rules that do not hold, each with both values: none is the empty list.
let
  ours = import ../lib;
  inherit (builtins) attrNames elem filter map readDir replaceStrings toJSON tryEval;
  fails = value: !(tryEval (builtins.deepSeq value value)).success;
  service = ours.services.shipped.containerd;

  rules = [
    {
      rule = "what TOML reads back is what was written";
      got = builtins.fromTOML (ours.toml.file {
        text = "a \"quoted\" \\ line\nand\ttab"; number = -3; yes = true; gone = null; list = [ 1 2 ];
        "a.b" = "dotted"; table = { "memory.max" = "1M"; inner = { x = [ { y = 1; } ]; none = null; }; empty = { }; };
      });
      want = {
        text = "a \"quoted\" \\ line\nand\ttab"; number = -3; yes = true; list = [ 1 2 ];
        "a.b" = "dotted"; table = { "memory.max" = "1M"; inner = { x = [ { y = 1; } ]; }; empty = { }; };
      };
    }
    {
      rule = "every service that comes with Cooper is the same after a round through Nix";
      got = filter (name: builtins.fromTOML (ours.toml.file ours.services.shipped.${name}) != ours.services.shipped.${name})
        (attrNames ours.services.shipped);
      want = [ ];
    }
    {
      rule = "a service's keys lie over those below one by one, and another form of readiness takes the place of the one below";
      got = let merged = ours.services.merge service { ready.path = "/x"; run.nice = 1; restart = null; }; in
        { inherit (merged) ready restart exec; inherit (merged.run) nice oom-score-adj; };
      want = { ready.path = "/x"; restart = null; exec = [ "containerd" ]; nice = 1; oom-score-adj = -999; };
    }
    {
      rule = "a profile brings those that it includes, each once";
      got = builtins.sort (a: b: a < b) (ours.services.including [ "longhorn" "k3s-server" ]);
      want = [ "base" "k3s-server" "kube-node" "kube-proxy" "longhorn" "nfs" ];
    }
    {
      rule = "of all services, a machine takes those that what it names leads to";
      got = attrNames (ours.services.reachable
        {
          a = { requires = [ "b" ]; wants = [ "alias" ]; after = [ "other" ]; };
          b.log.to = "c";
          c.log = "none";
          d.provides = [ "alias" ];
          "e@" = { wants = [ "f@x" ]; };
          "f@" = { };
          "f@x" = { };
          other = { };
        } [ "a" "e@1" ]);
      want = [ "a" "b" "c" "e@" "f@x" ];
    }
    {
      rule = "every service that comes with Cooper is told which programs it finds";
      got = attrNames ours.programs;
      want = attrNames ours.services.shipped;
    }
    {
      rule = "an unknown profile, and an unknown hardware target, are errors";
      got = [ (fails (ours.services.including [ "k8s" ])) (fails (ours.hardware.target "toaster")) ];
      want = [ true true ];
    }
    {
      rule = "every hardware target boots by a loader that is here";
      got = filter (name: !(elem "${(ours.hardware.target name).loader}.sh" (attrNames (readDir ../modules/loader))))
        ours.hardware.names;
      want = [ ];
    }
    {
      rule = "the parameters of a hardware target begin with its consoles";
      got = (ours.hardware.target "rpi4").kernelParams;
      want = [ "console=tty1" "console=ttyAMA0,115200" "cgroup_enable=memory" ];
    }
    {
      rule = "a secret in a variable or an argument is found, and a path is none";
      got = map (s: builtins.length (ours.secrets.ofService "s" s)) [
        { environment.K3S_TOKEN = "abc"; }
        { environment.db_password = "abc"; }
        { environment.K3S_TOKEN = "${builtins.storeDir}/abc"; }
        { environment = { K3S_TOKEN_FILE = "/run/secrets/t"; TOKEN = "/run/secrets/t"; TOKENS_MAX = "5"; }; }
        { exec = [ "k3s" "agent" "--token=abc" ]; }
        { exec = [ "k3s" "agent" "--token" "abc" ]; }
        { exec = [ "k3s" "agent" "--token-file" "/run/secrets/t" "--token" "/run/secrets/t" ]; }
      ];
      want = [ 1 1 1 0 1 1 0 ];
    }
    {
      rule = "an option for a secret takes a path outside the store and nothing else";
      got = map (value: fails (ours.secrets.path "o" value)) [ "/run/secrets/t" "K10abc::server:1" "${builtins.storeDir}/x" ./functions.nix ];
      want = [ false true true true ];
    }
    {
      rule = "the disk ends with Longhorn's partition, or without one with /var";
      got = map (arguments: let parts = (ours.disk ({ device = "/dev/nvme0n1"; } // arguments)).disk.main.content.partitions; in
        map (name: "${name} ${parts.${name}.size}") (attrNames parts)) [ { } { longhorn = null; } ];
      want = [ [ "boot 1G" "longhorn 100%" "nix 32G" "var 64G" ] [ "boot 1G" "nix 32G" "var 100%" ] ];
    }
    {
      rule = "a partition of the disk is found by its label without udev";
      got = map (part: part.label) (builtins.attrValues (ours.disk { device = "/dev/sda"; }).disk.main.content.partitions);
      want = [ "boot" "longhorn" "nix" "var" ];
    }
    {
      rule = "the overlay takes systemd out by arguments, and libudev from elsewhere";
      got =
        let
          package = name: { override = arguments: package name // { inherit arguments; }; mesonFlags = [ "-Da=b" ]; }
            // { overrideAttrs = f: f { mesonFlags = [ "-Da=b" ]; }; };
          names = [ "dbus" "seatd" "util-linux" "openiscsi" ];
          prev = builtins.listToAttrs (map (name: { inherit name; value = package name; }) names);
          new = import ../overlay.nix { libudev-zero = "zero"; } prev;
        in
        [ new.udev new.dbus.arguments new.seatd.arguments new.util-linux.arguments new.openiscsi ];
      want = [
        "zero" { enableSystemd = false; } { systemdSupport = false; } { systemdSupport = false; }
        { mesonFlags = [ "-Da=b" "-Dno_systemd=true" ]; }
      ];
    }
    {
      rule = "a bootspec names the generation's own init";
      got = (builtins.fromJSON (ours.bootspec {
        system = "x86_64-linux"; label = "l"; kernel = "/k"; kernelParams = [ "a" ]; initrd = "/i"; toplevel = "/t";
      }))."org.nixos.bootspec.v1".init;
      want = "/t/init";
    }
  ];
in
filter (rule: rule.got != rule.want) rules
