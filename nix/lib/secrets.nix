# What is in the store can be read by everybody on the machine, and is copied to others. So a
# secret is the path of a file that is not in the store, and these functions see to that. On
# builtins alone.
let
  inherit (builtins) attrNames concatMap filter isAttrs isList isString map match storeDir;

  # `builtins.match` takes a regular expression; names are compared in capitals and small letters.
  named = "(.*[_-])?(" + builtins.concatStringsSep "|" [
    "[Tt][Oo][Kk][Ee][Nn]"
    "[Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd]"
    "[Pp][Aa][Ss][Ss][Pp][Hh][Rr][Aa][Ss][Ee]"
    "[Ss][Ee][Cc][Rr][Ee][Tt]"
    "[Aa][Uu][Tt][Hh][_-]?[Kk][Ee][Yy]"
    "[Pp][Rr][Ii][Vv][Aa][Tt][Ee][_-]?[Kk][Ee][Yy]"
  ] + ")";
  exposed = "would be in the store, where everybody can read it";
  inStore = path: match "${storeDir}/.*" path != null;
  isPlace = value: match "/.*" value != null && !inStore value;

  # A variable that is named like a secret, and holds something else than a place to find it.
  ofEnvironment = service: environment:
    map
      (name: "service ${service}: the variable ${name} ${exposed}: put it into a file outside, and "
        + "name that in env-file, or in ${name}_FILE where the program knows that")
      (filter (name: match named name != null && !(isString environment.${name} && isPlace environment.${name}))
        (attrNames environment));

  # An argument `--token=VALUE`, or `--token VALUE`.
  ofArguments = service: arguments:
    let
      option = argument: match "--?(${named})=(.*)" argument;
      bad = argument:
        let found = if isString argument then option argument else null;
        in found != null && !isPlace (builtins.elemAt found (builtins.length found - 1));
      follows = previous: argument:
        isString previous && isString argument && match "--?${named}" previous != null && !isPlace argument;
      pairs = builtins.genList (i: {
        previous = builtins.elemAt arguments i;
        argument = builtins.elemAt arguments (i + 1);
      }) (let n = builtins.length arguments; in if n > 1 then n - 1 else 0);
      say = what: "service ${service}: the argument ${what} ${exposed}: name a file instead "
        + "(--token-file, env-file)";
    in
    map (argument: say (builtins.head (builtins.filter isString (builtins.split "=" argument))))
      (filter bad arguments)
    ++ concatMap (pair: if follows pair.previous pair.argument then [ (say pair.previous) ] else [ ]) pairs;
in
{
  inherit isPlace;

  # The mistakes of a service; none is the empty list.
  ofService = name: service:
    # What is of another form is not for here to say.
    (if isAttrs (service.environment or null) then ofEnvironment name service.environment else [ ])
    ++ (if isList (service.exec or null) then ofArguments name service.exec else [ ]);

  # The path of a secret, or an error: what takes one takes nothing else.
  path = option: value:
    if !isString value then
      throw "${option}: a path of Nix would be copied to the store, where everybody can read it: write it as a string, \"/…\""
    else if inStore value then
      throw "${option}: ${value} is in the store, where everybody can read it"
    else if !isPlace value then
      throw "${option}: this is not the path of a file; a secret itself would be in the store, where everybody can read it"
    else value;
}
