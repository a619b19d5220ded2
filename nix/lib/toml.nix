# Nix values as TOML. On builtins alone.
#
# What Nix and TOML both have is written as it is; `null` means that a key is not there, as in the
# options of modules. A path or a derivation becomes its path in the store.
let
  inherit (builtins)
    attrNames concatStringsSep filter getAttr isAttrs isBool isFloat isInt isList isPath isString
    map match partition toJSON typeOf;

  key = name: if match "[A-Za-z0-9_-]+" name != null then name else toJSON name;

  isTable = value: isAttrs value && !(value ? outPath) && !(value ? __toString);
  kept = table: filter (name: table.${name} != null) (attrNames table);

  # TOML's basic strings have JSON's escapes.
  inline = value:
    if isString value then toJSON value
    else if isBool value then (if value then "true" else "false")
    else if isInt value then toString value
    else if isFloat value then toJSON value
    else if isPath value || (isAttrs value && !isTable value) then toJSON "${value}"
    else if isList value then "[${concatStringsSep ", " (map inline value)}]"
    else if isTable value then
      let pairs = map (name: "${key name} = ${inline value.${name}}") (kept value);
      in if pairs == [ ] then "{}" else "{ ${concatStringsSep ", " pairs} }"
    else throw "cannot write a ${typeOf value} as TOML";

  line = table: name: "${key name} = ${inline table.${name}}\n";
  commented = comments: table: name:
    (if comments ? ${name} then "# ${comments.${name}}\n" else "") + line table name;

  section = table: name:
    "\n[${key name}]\n" + concatStringsSep "" (map (line table.${name}) (kept table.${name}));
in
rec {
  # A whole file: what is no table first, as TOML wants it. `comments` has some for keys that are no
  # tables.
  file = fileWith { };
  fileWith = comments: table:
    let names = partition (name: isTable table.${name}) (kept table);
    in concatStringsSep ""
      (map (commented comments table) names.wrong ++ map (section table) names.right);
}
