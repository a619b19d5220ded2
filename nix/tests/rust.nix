# Cooper's programs, built in Nix's sandbox from vendored crates: what the flake's package does
# with nixpkgs' compiler, done with the one that node-image/musl uses, where nixpkgs is not.
#
# What is of this machine (a shell, cargo, cc for build scripts, the musl toolchain) is let into
# the sandbox by tests/run; the network is not.
{ source, vendor, toolchain, cargo, arch ? "x86_64" }:
derivation {
  name = "cooper-programs-${arch}";
  system = builtins.currentSystem;
  builder = "/bin/bash";
  args = [ "-euc" ''
    export PATH=$cargo/bin:/usr/bin:/bin HOME=$TMPDIR CARGO_HOME=$TMPDIR/cargo
    export CARGO_NET_OFFLINE=true CARGO_TARGET_DIR=$TMPDIR/target
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=gcc
    export COOPER_MUSL=debian COOPER_CACHE=$TMPDIR/cache
    # The compiler's own crates, for its standard library, beside ours.
    mkdir -p $TMPDIR/vendor $CARGO_HOME $COOPER_CACHE
    for crate in $vendor/* $toolchain/host/usr/lib/rustlib/src/rust/library/vendor/*; do
      [ -e $TMPDIR/vendor/''${crate##*/} ] || ln -s $crate $TMPDIR/vendor
    done
    printf '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "%s"\n' \
      $TMPDIR/vendor > $CARGO_HOME/config.toml
    # What is made beside the toolchain, its lock, must be writable.
    ln -s $toolchain $COOPER_CACHE/musl-toolchain
    cp -r $source $TMPDIR/work
    chmod -R u+w $TMPDIR/work
    cd $TMPDIR/work
    # Not into the store at once: what the programs are made of is written beside their directory.
    node-image/build-static $arch $TMPDIR/programs
    cp -r $TMPDIR/programs $out
    node-image/musl $arch build --release --quiet --package node-image --bin node-image
    install -m 755 $CARGO_TARGET_DIR/musl/$arch-unknown-linux-musl/release/node-image $out
  '' ];
  inherit arch toolchain cargo;
  source = builtins.path { path = source; name = "cooper-source"; };
  vendor = builtins.path { path = vendor; name = "cooper-vendor"; };
}
