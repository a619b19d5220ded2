# real DIRECTORY NAME: what nix/tests/run has put into the store under this name.
directory: name:
builtins.storePath (builtins.head (builtins.match "(.*)\n" (builtins.readFile (directory + "/${name}"))))
