{
  description = "Cooper: PID 1, supervision tree and node set-up, and a NixOS without systemd";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each = lib.genAttrs systems;
      # By its name in pkgsCross.
      cross = { x86_64-linux = "musl64"; aarch64-linux = "aarch64-multiplatform-musl"; };
      short = lib.removeSuffix "-linux";
      build = set: arguments: set.callPackage ./package.nix arguments;
      # A system for a hardware target and a profile.
      system = hardware: profile: modules: self.lib.system {
        pkgs = import nixpkgs {
          inherit ((self.lib.hardware.target hardware)) system;
          # Microcode and firmware.
          config.allowUnfree = true;
          overlays = [ self.overlays.default ];
        };
        modules = modules ++ [
          {
            networking.hostName = "${hardware}-${profile}";
            cooper = { inherit hardware; profiles = [ profile ]; };
          }
        ];
      };
      perTarget = make: each (system: lib.genAttrs
        (lib.filter (name: (self.lib.hardware.target name).system == system) self.lib.hardware.names)
        (hardware: lib.genAttrs self.lib.services.profileNames (make hardware)));
    in
    {
      # `cooper` is for the machine that builds; `cooper-ARCH` is built here for each ARCH.
      packages = each (system:
        let pkgs = nixpkgs.legacyPackages.${system}; in
        {
          cooper = build pkgs.pkgsStatic { };
          node-image = build pkgs.pkgsStatic { tools = true; };
          default = self.packages.${system}.cooper;
        } // lib.mapAttrs' (target: name: lib.nameValuePair "cooper-${short target}"
          (if target == system then self.packages.${system}.cooper
            else build pkgs.pkgsCross.${name}.pkgsStatic { })) cross);

      lib = import ./lib // {
        # A system: `pkgs` is the package set it runs on, `modules` what it is. `buildSystem` is
        # the machine that builds, where that is another one.
        system = { pkgs, modules, lib ? nixpkgs.lib, buildSystem ? pkgs.stdenv.hostPlatform.system, specialArgs ? { } }:
          let system = pkgs.stdenv.hostPlatform.system; in
          lib.evalModules {
            class = "nixos";
            # disko's module asks for it.
            specialArgs = { modulesPath = "${nixpkgs}/nixos/modules"; } // specialArgs;
            modules = [
              self.nixosModules.default
              {
                nixpkgs.pkgs = lib.mkDefault pkgs;
                cooper.package = lib.mkDefault self.packages.${buildSystem}."cooper-${short system}";
                cooper.compiler = lib.mkDefault self.packages.${buildSystem}.cooper;
                boot.initrd.imageTools = lib.mkDefault self.packages.${buildSystem}.node-image;
              }
            ] ++ modules;
          };
      };

      nixosModules = {
        default = import ./modules;
        live = import ./modules/live.nix;
        disk-image = import ./modules/disk-image.nix;
        # For plain NixOS.
        beside-systemd = import ./modules/beside-systemd.nix;
      };

      # systemd out of what brings it along.
      overlays.default = import ./overlay.nix;

      # An image for each hardware target and profile, that runs from memory: for a boot from the
      # network, and to try one: `nix build .#images.x86_64-linux.n100.k3s-server`.
      images = perTarget (hardware: profile: (system hardware profile [
        self.nixosModules.live
        { cooper.live.ramdisk = true; }
      ]).config.system.build.netboot);

      # What `node-image build disk --base nix` makes a disk of.
      disks = perTarget (hardware: profile: (system hardware profile [
        self.nixosModules.disk-image
      ]).config.system.build.diskImage);
    };
}
