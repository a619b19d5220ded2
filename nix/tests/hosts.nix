# Systems to be evaluated and built: those of the README, one for each hardware target, and small
# ones for what is to fail.
{ lib, pkgs, cooper, imageTools }:
let
  ours = import ../lib;
  base = { nixpkgs.pkgs = pkgs; cooper.package = cooper; boot.initrd.imageTools = imageTools; };
  system = modules: (lib.evalModules { class = "nixos"; modules = [ (import ../modules) base ] ++ modules; }).config;
  # As disko's module makes them of lib.disk.
  disk = {
    fileSystems = {
      "/" = { fsType = "tmpfs"; options = [ "mode=0755" "size=25%" ]; };
      "/boot" = { device = "/dev/disk/by-partlabel/boot"; fsType = "vfat"; options = [ "umask=0077" ]; };
      "/nix" = { device = "/dev/disk/by-partlabel/nix"; fsType = "ext4"; options = [ "noatime" ]; };
      "/var" = { device = "/dev/disk/by-partlabel/var"; fsType = "ext4"; };
      "/var/lib/longhorn" = { device = "/dev/disk/by-partlabel/longhorn"; fsType = "xfs"; };
    };
  };
  # A node that runs in QEMU from its store, with nothing but what the stand-in has.
  node = service: [
    (import ../modules/live.nix)
    {
      networking = { hostName = "guest"; useDHCP = false; };
      cooper = {
        profiles = [ ];
        devices = "none";
        node.services = [ "mounts" "cgroups" "hostname" "loopback" "machine-id" "limits" ];
        node.shutdown.budget = "20s";
        services = {
          # For whoever drives the machine from outside, as in node-image/guest.
          guest-shell.settings = {
            exec = [ "/bin/sh" "-c" "exec sh -l 0<>/dev/vport0p1 >&0 2>&1" ];
            log = "none";
            stop.kill = "cgroup";
            on-change = "keep";
          };
          steady.settings.exec = [ "/bin/sh" "-c" "echo steady; exec sleep 1000000" ];
          changing.settings = service;
        };
        services.steady.path = [ pkgs.busybox ];
        services.changing.path = [ pkgs.busybox ];
        services.guest-shell.path = [ pkgs.busybox cooper ];
      };
      environment.etc."only-here".text = "generation of ${builtins.toJSON service.exec}\n";
      users.users.admin = {
        uid = 1000; group = "users"; extraGroups = [ "wheel" ]; home = "/home/admin"; createHome = true;
        hashedPasswordFile = "/var/lib/secrets/admin";
      };
      boot.initrd.availableKernelModules = [ "virtio_pci" "virtio_blk" "virtio_console" ];
      nixpkgs.pkgs = pkgs;
    }
  ];
  longrun = word: { exec = [ "/bin/sh" "-c" "echo ${word}; exec sleep 1000000" ]; };
  targets = lib.genAttrs
    (lib.filter (name: (ours.hardware.target name).system == pkgs.stdenv.hostPlatform.system
      # jetpack-nixos has its packages.
      && name != "jetson-orin-nano") ours.hardware.names)
    (name: system [ disk { networking.hostName = name; cooper.hardware = name; } ]);
in
{
  inherit targets;
  server = system [
    disk
    {
      networking.hostName = "node-1";
      cooper.hardware = "n100";
      cooper.profiles = [ "flannel" "longhorn" ];
      services.k3s = { enable = true; tokenFile = "/var/lib/secrets/k3s-token"; settings.disable = [ "traefik" ]; };
    }
  ];
  laptop = system [
    disk
    {
      networking.hostName = "laptop";
      cooper.hardware = "framework-amd";
      cooper.profiles = [ "laptop" "tailscale" ];
      cooper.devices = "udev";
    }
  ];
  # An image for each profile, as the flake's; targets and profiles know nothing of each other.
  images = lib.genAttrs ours.services.profileNames (profile: system [
    (import ../modules/live.nix)
    {
      networking.hostName = "image";
      cooper = {
        hardware = "generic-${lib.removeSuffix "-linux" pkgs.stdenv.hostPlatform.system}";
        profiles = [ profile ];
        live.ramdisk = true;
      };
    }
  ]);
  memory = system (node (longrun "memory") ++ [ { cooper.live.ramdisk = true; } ]);
  # Its disk is made, and boots by UEFI; what it keeps is on the partition data.
  disk-image = system (node (longrun "disk") ++ [
    (import ../modules/disk-image.nix)
    {
      cooper.profiles = lib.mkForce [ ];
      cooper.hardware = "generic-x86_64";
      boot.kernelParams = [ "console=ttyS0" "no_timer_check" ];
    }
  ]);
  first = system (node (longrun "first"));
  second = system (node (longrun "second"));

  # What must not build, or evaluate.
  wrong = {
    graph = system [ disk { cooper.services.web.settings = { exec = [ "/bin/web" ]; requires = [ "databse" ]; }; } ];
    key = system [ disk { cooper.services.web.settings = { exec = "/bin/web"; descripton = "x"; }; } ];
    circle = system [ disk {
      cooper.services.a.settings = { exec = [ "/bin/a" ]; requires = [ "b" ]; };
      cooper.services.b.settings = { exec = [ "/bin/b" ]; requires = [ "a" ]; };
    } ];
    conflict = system [ disk { cooper.profiles = [ "k3s-server" "kubeadm" ]; } ];
    systemd = system [ disk { environment.etc.full.source = "${pkgs.openssh}"; } ];
    variable = system [ disk { cooper.services.web.settings = { exec = [ "/bin/web" ]; environment.API_TOKEN = "hunter2"; }; } ];
    token = system [ disk { services.k3s = { enable = true; tokenFile = "K10abc::server:hunter2"; }; } ];
    settings = system [ disk { services.k3s = { enable = true; settings.token = "hunter2"; }; } ];
    hardware = system [ disk { cooper.hardware = if pkgs.stdenv.hostPlatform.system == "x86_64-linux" then "rpi4" else "n100"; } ];
    root = system [ ];
  };
}
