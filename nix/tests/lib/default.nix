# The part of nixpkgs' lib that the modules here use, so that they can be evaluated where nixpkgs
# is not. Written for the tests: it agrees with nixpkgs on what the modules do, which the tests
# check where nixpkgs' own lib is at hand (NIXPKGS_LIB), and knows nothing else.
let
  inherit (builtins)
    all attrNames attrValues concatLists concatMap concatStringsSep elem elemAt filter foldl'
    functionArgs genericClosure hasAttr head intersectAttrs isAttrs isBool isFunction isInt isList
    isPath isString length listToAttrs map mapAttrs match replaceStrings sort stringLength substring
    tail toString typeOf zipAttrsWith;
in
rec {
  inherit (builtins) attrNames attrValues concatMap concatStringsSep elem filter head listToAttrs mapAttrs;

  # --- Strings, lists, sets -----------------------------------------------------------------------

  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: values: if condition then values else [ ];
  optionalString = condition: text: if condition then text else "";
  optionalAttrs = condition: set: if condition then set else { };
  concatMapStrings = f: list: concatStringsSep "" (map f list);
  concatMapStringsSep = separator: f: list: concatStringsSep separator (map f list);
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);
  nameValuePair = name: value: { inherit name value; };
  filterAttrs = predicate: set:
    listToAttrs (concatMap (name: optional (predicate name set.${name}) (nameValuePair name set.${name})) (attrNames set));
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  hasSuffix = suffix: text:
    let from = stringLength text - stringLength suffix;
    in from >= 0 && substring from (stringLength suffix) text == suffix;
  toUpper = replaceStrings
    (filter (letter: letter != "") (builtins.concatLists (filter isList (builtins.split "(.)" "abcdefghijklmnopqrstuvwxyz"))))
    (filter (letter: letter != "") (builtins.concatLists (filter isList (builtins.split "(.)" "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))));
  removeSuffix = suffix: text:
    if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
  removePrefix = prefix: text:
    if hasPrefix prefix text then substring (stringLength prefix) (stringLength text) text else text;
  splitString = separator: text: filter isString (builtins.split (escapeRegex separator) text);
  escapeRegex = replaceStrings [ "." "/" ] [ "\\." "/" ];
  unique = foldl' (found: value: if elem value found then found else found ++ [ value ]) [ ];
  # Of a package with several outputs, the one with programs.
  getBin = package: package.bin or package;
  makeBinPath = packages: concatStringsSep ":" (map (package: "${getBin package}/bin") packages);
  escapeShellArg = value: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString value)}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  attrByPath = path: default: set:
    if path == [ ] then set
    else if set ? ${head path} then attrByPath (tail path) default set.${head path}
    else default;
  cleanSourceWith = { src, filter, name }: builtins.path { path = src; inherit filter name; };
  licenses.mit = "MIT";
  literalExpression = text: { _type = "literalExpression"; inherit text; };
  isDerivation = value: (value.type or null) == "derivation";

  # --- Options and definitions --------------------------------------------------------------------

  mkOption = attributes: attributes // { _type = "option"; };
  mkEnableOption = what: mkOption { type = types.bool; default = false; description = "Whether to enable ${what}."; };
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };
  mkOverride = priority: content: { _type = "override"; inherit priority content; };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;

  # A definition's parts: conditions taken, merges spread.
  spread = value:
    if (value._type or null) == "merge" then concatMap spread value.contents
    else if (value._type or null) == "if" then (if value.condition then spread value.content else [ ])
    else [ value ];
  # With conditions pushed down to the options below.
  pushed = value:
    if (value._type or null) == "merge" then concatMap pushed value.contents
    else if (value._type or null) == "if" then
      map (mapAttrs (_: content: mkIf value.condition content)) (pushed value.content)
    else [ value ];

  strongest = definitions:
    let
      priority = value: if (value._type or null) == "override" then value.priority else 100;
      best = foldl' (least: value: if priority value < least then priority value else least) 9999 definitions;
      content = value: if (value._type or null) == "override" then value.content else value;
    in
    map content (filter (value: priority value == best) definitions);

  # --- Types --------------------------------------------------------------------------------------

  mkType = name: check: merge: { _type = "option-type"; inherit name check merge; };
  one = name: check: mkType name check (path: values:
    if all (value: value == head values) (tail values) then head values
    else throw "The option `${path}' has conflicting definition values.");
  types = rec {
    str = one "string" isString;
    bool = one "boolean" isBool;
    int = one "signed integer" isInt;
    path = one "path" (value: isPath value || isDerivation value || (isString value && hasPrefix "/" value));
    package = one "package" (value: isDerivation value || isPath value || (isString value && hasPrefix builtins.storeDir value));
    raw = mkType "raw value" (_: true) (path: values: head values);
    attrs = mkType "attribute set" isAttrs (path: foldl' (a: b: a // b) { });
    lines = mkType "strings concatenated with \"\\n\"" isString (path: concatStringsSep "\n");
    enum = values: one "one of ${concatMapStringsSep ", " builtins.toJSON values}" (value: elem value values);
    nullOr = type: mkType "null or ${type.name}" (value: value == null || type.check value)
      (path: values: if elem null values then (if all (value: value == null) values then null else throw "The option `${path}' is defined both null and not null.") else type.merge path values);
    either = a: b: mkType "${a.name} or ${b.name}" (value: a.check value || b.check value)
      (path: values: if all a.check values then a.merge path values else b.merge path values);
    oneOf = list: foldl' either (head list) (tail list);
    listOf = type: mkType "list of ${type.name}" isList (path: values:
      map (value: evaluate "${path}.*" type [ value ]) (concatLists values));
    attrsOf = type: mkType "attribute set of ${type.name}" isAttrs (path: values:
      let
        parts = concatMap (value: pushed value) values;
        defined = zipAttrsWith (name: found: concatMap spread found) parts;
      in
      mapAttrs (name: found: evaluate "${path}.${name}" type found) (filterAttrs (_: found: found != [ ]) defined));
    # As nixpkgs': whether a value is there is known by its name alone.
    lazyAttrsOf = type: mkType "lazy attribute set of ${type.name}" isAttrs (path: values:
      mapAttrs (name: found: evaluate "${path}.${name}" type (concatMap spread found))
        (zipAttrsWith (_: found: found) (concatMap pushed values)));
    # Sets are merged to the bottom, and what an `mkIf` does not hold is not there.
    anything = mkType "anything" (_: true) (path: values:
      if all (value: isAttrs value && !isDerivation value) values
      then mapAttrs (name: found: evaluate "${path}.${name}" anything found)
        (filterAttrs (_: found: found != [ ])
          (zipAttrsWith (_: found: concatMap spread found) (concatMap pushed values)))
      else (one "anything" (_: true)).merge path values);
    submodule = module: mkType "submodule" (value: isAttrs value || isFunction value || isPath value) (path: values:
      (evalAt path { modules = [ module ] ++ map (config: { inherit config; }) values; specialArgs.name = last (splitString "." path); }).config);
  };
  last = list: elemAt list (length list - 1);

  evaluate = path: type: definitions:
    let values = strongest definitions; in
    if values == [ ] then throw "The option `${path}' was accessed but has no value defined. Try setting the option."
    else
      let bad = filter (value: !type.check value) values; in
      if bad == [ ] then type.merge path values
      else throw "A definition for option `${path}' is not of type `${type.name}'.";

  # --- Modules ------------------------------------------------------------------------------------

  evalModules = arguments: evalAt "" arguments;

  evalAt = above: { modules, specialArgs ? { }, class ? null, ... }:
    let
      # A module's arguments: those that it names, from _module.args where they are not special.
      call = module:
        if isPath module || isString module then call (import module)
        else if isFunction module then
          module (mapAttrs (name: _: specialArgs.${name} or (always.${name} or config._module.args.${name})) (functionArgs module))
        else module;
      always = { inherit config options; lib = import ./.; };
      sorted = module:
        if module ? config || module ? options then { imports = [ ]; config = { }; options = { }; } // module
        else { imports = module.imports or [ ]; options = { }; config = removeAttrs module [ "imports" "_file" "key" "_class" ]; };
      collect = concatMap (module:
        let found = sorted (call module);
        in [ found ] ++ collect found.imports);
      all' = collect (modules ++ [ { options._module.args = mkOption { type = types.attrsOf types.raw; default = { }; }; } ]);

      options = declared (map (module: module.options) all');
      declared = zipAttrsWith (name: found:
        if (head found)._type or null == "option" then head found else declared found);

      config = settle above options (concatMap (module: pushed module.config) all');
      settle = path: options: definitions:
        let
          at = name: if path == "" then name else "${path}.${name}";
          given = zipAttrsWith (_: found: found) definitions;
          unknown = filter (name: !(hasAttr name options)) (attrNames (foldl' (a: b: a // b) { } definitions));
          value = name: option:
            if option._type or null == "option" then
              let
                found = concatMap spread (given.${name} or [ ]);
                all = found ++ (if option ? default then [ (mkOverride 1500 option.default) ] else [ ]);
              in
              (option.apply or (value: value)) (evaluate (at name) (option.type or types.anything) all)
            else settle (at name) option (concatMap pushed (given.${name} or [ ]));
        in
        if unknown != [ ] && !(options ? _freeform) then
          throw "The option `${at (head unknown)}' does not exist."
        else mapAttrs value options;
    in
    { inherit config options; };
}
