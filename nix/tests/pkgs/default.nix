# A package set that stands in for nixpkgs: what is built with is real (busybox, our own programs,
# mkfs.erofs, a kernel), what would only be in a closure is a directory of the right name.
#
# `inputs` is a directory that nix/tests/run fills: in each file is a path of the store.
{ inputs, system ? "x86_64-linux" }:
let
  real = import ./real.nix inputs;
  busybox = package "busybox" (real "busybox");
  package = name: path: {
    type = "derivation";
    inherit name;
    outPath = "${path}";
    override = _: package name path;
  };

  # As stdenv's: strict, with the tools of a POSIX system in PATH.
  runCommand = name: attributes: text: derivation ({
    inherit name system;
    builder = "${busybox}/bin/busybox";
    args = [ "sh" "-eu" "-c" ("export PATH=${busybox}/bin" + builtins.concatStringsSep "" (map (tool: ":${tool}/bin") (attributes.nativeBuildInputs or [ ])) + "\n" + text) ];
  } // removeAttrs attributes [ "nativeBuildInputs" ]);
  written = mode: name: text: runCommand name { inherit text; passAsFile = [ "text" ]; } ''
    cp "$textPath" $out
    chmod ${mode} $out
  '';

  # A program of the machine that tests, with its shared libraries: nothing else of that machine is
  # in the sandbox.
  portable = program: runCommand program { } ''
    mkdir -p $out/bin
    echo '#!${busybox}/bin/sh' > $out/bin/${program}
    echo 'exec ${real program}/loader --library-path ${real program} ${real program}/program "$@"' >> $out/bin/${program}
    chmod 755 $out/bin/${program}
  '';

  stub = name: needs: let
    built = runCommand "${name}-1" { inherit needs; } ''
      mkdir -p $out/bin $out/lib/firmware
      echo "#!/bin/sh" > $out/bin/${name}
      echo "# needs: $needs" >> $out/bin/${name}
      chmod 755 $out/bin/${name}
      echo ${name} > $out/lib/firmware/${name}.bin
    '';
  in built // { override = arguments: if arguments == { withFIDO = false; } then stub name [ ] else built; };

  stubs = builtins.listToAttrs (map (name: { inherit name; value = stub name [ ]; }) (import ./names.nix));
  # As the kernel unpacks it: an archive, of nothing.
  microcode = name: file: runCommand name { } "mkdir $out; : | cpio -o -H newc > $out/${file}";
in
stubs // {
  inherit busybox runCommand;
  writeText = written "444";
  writeScript = written "555";
  erofs-utils = portable "mkfs.erofs";
  # Not nixpkgs': the tool of ours that the flake builds.
  cooper-node-image = portable "node-image";
  pkgsStatic = { inherit busybox; };
  linuxPackages.kernel = package "linux" (real "kernel") // { target = "vmlinuz"; version = "0"; };
  linuxPackages.nvidia_x11 = stub "nvidia-x11" [ ] // { persistenced = stub "nvidia-persistenced" [ ]; };
  aggregateModules = list: package "modules" "${builtins.head list}";
  stdenv.hostPlatform = { inherit system; };

  # What would bring systemd along: openssh does, by libfido2 and udev, unless told otherwise.
  systemd = runCommand "systemd-1" { } ''
    mkdir -p $out/lib/systemd/boot/efi
    for arch in x64 aa64; do echo "systemd-boot, and where it is from: $out" > $out/lib/systemd/boot/efi/systemd-boot$arch.efi; done
    sed -i "s|, and where.*||" $out/lib/systemd/boot/efi/*
  '';
  openssh = stub "openssh" [ "${stubs.systemd}" ];
  microcode-intel = microcode "microcode-intel-1" "intel-ucode.img";
  microcode-amd = microcode "microcode-amd-1" "amd-ucode.img";
  limine = runCommand "limine-1" { } "mkdir -p $out/share/limine; echo limine > $out/share/limine/BOOTX64.EFI; echo limine > $out/share/limine/BOOTAA64.EFI";
  raspberrypifw = runCommand "raspberrypi-firmware-1" { } ''
    mkdir -p $out/share/raspberrypi/boot/overlays
    cd $out/share/raspberrypi/boot
    for file in bootcode.bin start4.elf fixup4.dat bcm2711-rpi-4-b.dtb bcm2712-rpi-5-b.dtb overlays/disable-bt.dtbo kernel8.img; do echo $file > $file; done
  '';
}
