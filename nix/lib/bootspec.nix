# boot.json, as RFC 125 describes it: what a boot loader needs to know of a generation. The init is
# the generation's own, so its path is put in by the build.
{ system, label, kernel, kernelParams, initrd, toplevel }:
builtins.toJSON {
  "org.nixos.bootspec.v1" = {
    inherit initrd kernel kernelParams label system toplevel;
    init = "${toplevel}/init";
  };
  "org.nixos.specialisation.v1" = { };
}
