# Stands in for nixpkgs as an input of the flake: its packages record how they would be built, and
# which names are asked for. tests/run puts lib/ and names.nix beside this file.
{
  outputs = { self }:
    let
      lib = import ./lib;
      # A package set that remembers the way to it.
      set = way: system: host: {
        inherit lib;
        stdenv.hostPlatform = {
          system = host;
          rust = { rustcTargetSpec = "${lib.removeSuffix "-linux" host}-unknown-linux-musl"; cargoShortTarget = "${lib.removeSuffix "-linux" host}-unknown-linux-musl"; };
        };
        rustPlatform.buildRustPackage = arguments: {
          type = "derivation";
          name = "${arguments.pname}-${arguments.version}";
          inherit system;
          drvPath = "${builtins.toFile "drv" "x"}";
          outPath = "${builtins.toFile "out" "x"}";
          built = "${way}: ${arguments.pname} ${arguments.version}, vendored by ${baseNameOf arguments.cargoLock.lockFile}, from ${toString (builtins.attrNames (builtins.readDir arguments.src))}";
        };
        callPackage = file: arguments:
          let function = import file; in
          function (builtins.intersectAttrs (builtins.functionArgs function) (set way system host) // arguments);
        pkgsStatic = set "${way}.pkgsStatic" system host;
        pkgsCross = {
          musl64 = set "${way}.pkgsCross.musl64" system "x86_64-linux";
          aarch64-multiplatform-musl = set "${way}.pkgsCross.aarch64-multiplatform-musl" system "aarch64-linux";
        };
      };
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: set system system system);
    };
}
