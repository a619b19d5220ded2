# nixpkgs without systemd where a package takes it by default: what a system of ours needs, each by
# an argument, or a build option, that it has. `nixpkgs.overlays`, or `import nixpkgs { overlays }`.
# Most packages want no more of systemd than libudev; libudev-zero is one without it.
#
# It changes what much of nixpkgs is built with, so no binary cache has the result.
final: prev: {
  udev = final.libudev-zero;
  dbus = prev.dbus.override { enableSystemd = false; };
  seatd = prev.seatd.override { systemdSupport = false; };
  util-linux = prev.util-linux.override { systemdSupport = false; };
  openiscsi = (prev.openiscsi.override { systemd = null; }).overrideAttrs (old: {
    mesonFlags = old.mesonFlags ++ [ "-Dno_systemd=true" ];
  });
}
