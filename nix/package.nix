# Cooper's programs, static, for musl: call it with a static package set (pkgsStatic, native or
# below pkgsCross). `tools` gives node-image instead, for machines that build.
{ lib, rustPlatform, stdenv, tools ? false }:
let
  # What only a checkout, a test or a reader has need of would change the hash for nothing.
  source = lib.cleanSourceWith {
    name = "cooper-source";
    src = ../.;
    filter = path: _:
      let top = lib.head (lib.splitString "/" (lib.removePrefix (toString ../. + "/") (toString path)));
      in !(lib.elem top [ "README.md" "alpine" "docs" "nix" "target" ]) && !(lib.hasPrefix "." top);
  };
  programs = if tools then [ "node-image" ] else [ "init" "supervise" "cooper-log" "svc" "node-setup" "login1" ];
  target = stdenv.hostPlatform.rust.rustcTargetSpec;
in
rustPlatform.buildRustPackage {
  pname = if tools then "cooper-tools" else "cooper";
  version = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).workspace.package.version;
  src = source;
  cargoLock.lockFile = ../Cargo.lock;

  # The tests want real processes, a mount namespace and root: `tests/run` passes them.
  doCheck = false;
  # A list of crates in each program is no use on a node, and changes PID 1.
  auditable = false;

  # Each program by itself: cargo unites the features of what it builds together, and one program's
  # wish for std must not bring it into init. Where std is not linked nothing else names libc.
  env.RUSTFLAGS = "-Cforce-unwind-tables=no -Clink-arg=-lc";
  buildPhase = ''
    runHook preBuild
    for program in ${toString programs}; do
      features=
      [ $program != init ] || features="--features bin"
      cargo build --release --offline --locked --jobs $NIX_BUILD_CORES --target ${target} \
        --package $program --bin $program $features
    done
    runHook postBuild
  '';
  installPhase = ''
    runHook preInstall
    built=target/${stdenv.hostPlatform.rust.cargoShortTarget}/release
    ${if tools then ''
      install -Dm755 $built/node-image $out/bin/node-image
    '' else ''
      for program in init supervise cooper-log node-setup login1; do
        install -Dm755 $built/$program $out/lib/cooper/$program
      done
      install -Dm755 $built/svc $out/bin/svc
      for link in poweroff reboot halt; do ln -s svc $out/bin/$link; done
      mkdir -p $out/share/cooper
      cp -r node-image/services $out/share/cooper
    ''}
    runHook postInstall
  '';

  meta = {
    description =
      if tools then "Builds and boots images of Cooper's nodes"
      else "PID 1, supervision tree and service manager for Kubernetes nodes";
    license = lib.licenses.mit;
    platforms = [ "x86_64-linux" "aarch64-linux" ];
    mainProgram = if tools then "node-image" else "svc";
  };
}
