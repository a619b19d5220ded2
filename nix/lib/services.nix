# Services as Nix values: those that come with Cooper, those of profiles, and what a machine takes
# of them. On builtins alone.
let
  inherit (builtins)
    attrNames attrValues concatMap concatLists elem elemAt filter foldl' fromTOML genericClosure
    getAttr hasAttr head isAttrs isList isString length listToAttrs map mapAttrs match pathExists
    readDir readFile replaceStrings split;

  services = ../../node-image/services;
  profiles = ../../node-image/profiles;

  stem = file: let found = match "(.*)\\.toml" file; in if found == null then null else head found;
  stems = directory: filter (name: name != null) (map stem (attrNames (readDir directory)));
  read = directory: name: fromTOML (readFile (directory + "/${name}.toml"));

  shipped = listToAttrs (map (name: { inherit name; value = read services name; }) (stems services));
  profile = name:
    if elem name (stems profiles) then read profiles name
    else throw "there is no profile `${name}`; there are ${builtins.concatStringsSep ", " (stems profiles)}";

  # A table takes one of several forms: another form takes its place, as in a drop-in.
  forms = [ "finish" "health" "ready" "reload" ];
  merge = below: above: below // mapAttrs (name: value:
    let old = below.${name} or null; in
    if isAttrs old && isAttrs value && !(elem name forms) then old // value else value) above;

  # The template of an instance: `getty@tty1` is made of `getty@`.
  template = name: let found = match "([^@]+@).+" name; in if found == null then null else head found;

  # Those names that `name` starts with it; where it is an alias, that is for `svc compile` to say.
  needs = service: (service.requires or [ ]) ++ (service.wants or [ ])
    ++ (let to = (service.log or { }); in
      filter (name: !(elem name [ "files" "none" "console" ]))
        (if isString to then [ to ] else if to ? to then [ to.to ] else [ ]));

  # A profile and those it includes, `base` with them.
  including = names: map (entry: entry.key) (genericClosure {
    startSet = map (key: { inherit key; }) names;
    operator = entry: map (key: { inherit key; }) ((profile entry.key).includes or [ ]);
  });
in
rec {
  inherit shipped merge including profile;
  profileNames = stems profiles;

  # Our service file with the programs of `package` in it: /usr/lib/cooper is not there on NixOS.
  placed = cooper: value:
    if isString value then replaceStrings [ "/usr/lib/cooper/" ] [ "${cooper}/lib/cooper/" ] value
    else if isList value then map (placed cooper) value
    else if isAttrs value && !(value ? outPath) then mapAttrs (_: placed cooper) value
    else value;

  # The names of services that profiles ask for.
  ofProfiles = names: concatMap (name: map (service: service.name) ((profile name).service or [ ]))
    (including names);

  # nixpkgs' attributes of the programs that profiles need, as their tables name them.
  packagesOf = names: attrNames (listToAttrs (concatMap
    (name: map (binary: { name = binary.package.nix; value = null; })
      (filter (binary: (binary.package or { }) ? nix) ((profile name).binary or [ ])))
    (including names)));

  # Of all files, those that `wanted` lead to. A name without a file is left out: it may be an
  # alias of one that was named, and if it is not, the compiler says so.
  reachable = files: wanted:
    let
      file = name:
        if hasAttr name files then [ name ]
        else if template name != null && hasAttr (template name) files then [ (template name) ]
        else [ ];
      # An instance with a file of its own stands in its template's place.
      start = concatMap file wanted;
      found = genericClosure {
        startSet = map (key: { inherit key; }) start;
        operator = entry: map (key: { inherit key; }) (concatMap file (needs files.${entry.key}));
      };
    in
    listToAttrs (map (entry: { name = entry.key; value = files.${entry.key}; }) found);
}
