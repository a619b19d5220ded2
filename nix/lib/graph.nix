# The files that a node is made of, and its graph, compiled in the build: a mistake fails the build
# with what `svc` says of it. On builtins, and two functions of nixpkgs that are arguments.
{ runCommand, writeText }:
let
  inherit (builtins) attrNames concatLists concatMap concatStringsSep filter map replaceStrings throw;
  toml = import ./toml.nix;
  secrets = import ./secrets.nix;

  # An `@` may not be in a name of the store.
  storeName = replaceStrings [ "@" ] [ "-at-" ];

  checked = services: value:
    let mistakes = concatMap (name: secrets.ofService name services.${name}) (attrNames services);
    in if mistakes == [ ] then value else throw "\n${concatStringsSep "\n" mistakes}";
in
rec {
  # Each service is a derivation, so that a change of one leaves the others' as they are.
  service = name: value: writeText "service-${storeName name}.toml" (toml.fileWith comments value);
  # `svc` asks for a reason where output is thrown away. Nix does not hand on comments.
  comments.log = "Why is said where this was made from.";

  # DIRECTORY/etc/cooper as it is on the machine, where `svc apply` reads it again.
  tree = { services, node }: checked services (runCommand "cooper-services"
    {
      preferLocalBuild = true;
      allowSubstitutes = false;
      node = writeText "node.toml" (toml.file node);
    } ''
      mkdir -p $out/etc/cooper/services
      ln -s $node $out/etc/cooper/node.toml
      ${concatStringsSep "" (map (name: ''
        ln -s ${service name services.${name}} $out/etc/cooper/services/${name}.toml
      '') (attrNames services))}
    '');

  # The graph itself. `svc` runs here, so it is one of the machine that builds.
  graph = { svc, services, node }: runCommand "cooper-graph"
    {
      preferLocalBuild = true;
      allowSubstitutes = false;
      tree = tree { inherit services node; };
    } ''
      ${svc}/bin/svc compile --root $tree --output $out
    '';
}
