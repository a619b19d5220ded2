# All of it that needs no nixpkgs: functions on builtins alone.
{
  toml = import ./toml.nix;
  secrets = import ./secrets.nix;
  services = import ./services.nix;
  programs = import ./programs.nix;
  hardware = import ./hardware.nix;
  graph = import ./graph.nix;
  bootspec = import ./bootspec.nix;
  disk = import ./disk.nix;
}
