# A NixOS-like system with Cooper as its PID 1, and no systemd. `lib` and `pkgs` are arguments, so
# nothing here needs a nixpkgs of its own.
{
  imports = [
    ./system.nix
    ./services.nix
    ./environment.nix
    ./users.nix
    ./filesystems.nix
    ./kernel.nix
    ./initrd.nix
    ./activation.nix
    ./toplevel.nix
    ./closure.nix
    ./loader.nix
    ./fhs.nix
    ./network.nix
    ./ssh.nix
    ./k3s.nix
    ./nix.nix
    ./image.nix
  ];
}
