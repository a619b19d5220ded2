# Hardware targets: what node-image/hardware says of a machine, as a boot of NixOS needs it. On
# builtins alone.
let
  inherit (builtins) attrNames concatLists concatMap elem filter fromTOML hasAttr head listToAttrs map match readDir readFile;

  directory = ../../node-image/hardware;
  stem = file: let found = match "(.*)\\.toml" file; in if found == null then null else head found;
  names = filter (name: name != null) (map stem (attrNames (readDir directory)));
  read = name: fromTOML (readFile (directory + "/${name}.toml"));

  # How each boots, of what the targets themselves call it.
  loaders = {
    uefi = "systemd-boot";
    raspberry-pi = "raspberry-pi";
  };
in
rec {
  inherit names;

  target = name:
    if !(elem name names) then
      throw "there is no hardware target `${name}`; there are ${builtins.concatStringsSep ", " names}"
    else
      let
        file = read name;
        boot = file.boot;
      in
      {
        inherit name;
        description = file.description;
        system = "${file.architecture}-linux";
        loader = loaders.${boot.method} or (throw "hardware target ${name}: nothing in nix/ boots by `${boot.method}`");
        # The last console is /dev/console.
        consoles = boot.consoles or [ ];
        kernelParams = map (console: "console=${console}") (boot.consoles or [ ])
          ++ map (parameter: parameter.word) (boot.parameter or [ ]);
        initrdModules = boot.initramfs or [ ];
        deviceTrees = boot.device-trees or [ ];
        blacklist = map (module: module.name) (file.blacklist or [ ]);
        # nixpkgs' attributes.
        firmware = attrNames (listToAttrs (concatMap
          (entry: if entry ? nix then [ { name = entry.nix; value = null; } ] else [ ])
          (file.firmware or [ ])));
      };
}
