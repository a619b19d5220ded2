# Users and groups: the files are made of the configuration, and nobody else changes them. What
# nobody may read, passwords, comes at activation from files outside the store.
{ lib, config, pkgs, ... }:
let
  inherit (lib) mkOption types;
  ours = import ../lib;
  cfg = config.users;

  users = lib.mapAttrsToList (name: user: user // { inherit name; }) cfg.users;
  groups = lib.mapAttrsToList (name: group: group // { inherit name; }) cfg.groups;
  gid = name: toString (cfg.groups.${name} or (throw "users: there is no group `${name}`")).gid;
  members = group: lib.concatStringsSep "," (map (user: user.name)
    (lib.filter (user: lib.elem group.name user.extraGroups) users));
  twice = what: values: {
    assertion = lib.unique values == values;
    message = "two ${what} have the same number";
  };
in
{
  options.users = {
    users = mkOption {
      default = { };
      description = "Users.";
      type = types.attrsOf (types.submodule ({ name, config, ... }: {
        options = {
          uid = mkOption { type = types.int; description = "The number."; };
          group = mkOption { type = types.str; default = "users"; description = "The group."; };
          extraGroups = mkOption {
            type = types.listOf types.str;
            default = [ ];
            description = "More groups.";
          };
          description = mkOption {
            type = types.str;
            default = "";
            description = "The full name.";
          };
          home = mkOption {
            type = types.str;
            default = "/var/empty";
            description = "The home directory.";
          };
          createHome = mkOption {
            type = types.bool;
            default = false;
            description = "Whether activation makes it.";
          };
          shell = mkOption {
            type = types.str;
            default = "/bin/false";
            description = "The shell.";
          };
          hashedPasswordFile = mkOption {
            type = types.nullOr types.str;
            default = null;
            apply = value: if value == null then null
              else ours.secrets.path "users.users.${name}.hashedPasswordFile" value;
            description = "A file, outside the store, that holds the hashed password. Without it, no password is right.";
          };
          openssh.authorizedKeys.keys = mkOption {
            type = types.listOf types.str;
            default = [ ];
            description = "Public keys.";
          };
        };
      }));
    };
    groups = mkOption {
      default = { };
      description = "Groups.";
      type = types.attrsOf (types.submodule {
        options.gid = mkOption { type = types.int; description = "The number."; };
      });
    };
  };

  config = {
    users.users = {
      root = {
        uid = 0;
        group = "root";
        home = "/root";
        createHome = true;
        shell = "/run/current-system/sw/bin/bash";
        description = "System administrator";
      };
      nobody = { uid = 65534; group = "nogroup"; };
      sshd = { uid = 2; group = "sshd"; description = "SSH privilege separation"; };
      chrony = { uid = 61; group = "chrony"; };
    };
    # Devices have the groups that udev's rules and mdev's name.
    users.groups = lib.mapAttrs (_: gid: { inherit gid; }) {
      root = 0; wheel = 1; sshd = 2; tty = 3; disk = 6; audio = 17; video = 26; dialout = 27; kvm = 302;
      render = 303; input = 174; seat = 304; chrony = 61; users = 100; nogroup = 65534;
    };
    assertions = [
      (twice "users" (map (user: user.uid) users))
      (twice "groups" (map (group: group.gid) groups))
    ];

    system.build.users = pkgs.runCommand "users"
      {
        preferLocalBuild = true;
        allowSubstitutes = false;
        passwd = lib.concatMapStrings
          (user: lib.concatStringsSep ":" [
            user.name "x" (toString user.uid) (gid user.group) user.description user.home user.shell
          ] + "\n")
          users;
        group = lib.concatMapStrings (group: "${group.name}:x:${toString group.gid}:${members group}\n") groups;
        # NAME, the file of the password or `!`, HOME or `-`, UID, GID.
        list = lib.concatMapStrings
          (user: lib.concatStringsSep " " [
            user.name
            (if user.hashedPasswordFile == null then "!" else user.hashedPasswordFile)
            (if user.createHome then user.home else "-")
            (toString user.uid)
            (gid user.group)
          ] + "\n")
          users;
      } ''
      mkdir $out
      printf %s "$passwd" > $out/passwd
      printf %s "$group" > $out/group
      printf %s "$list" > $out/list
    '';
    cooper.activation."20-users" = builtins.replaceStrings [ "@users@" ] [ "${config.system.build.users}" ]
      (builtins.readFile ./activation/users.sh);

    environment.etc = lib.mapAttrs' (name: user: lib.nameValuePair "ssh/authorized_keys.d/${name}" {
      enable = user.openssh.authorizedKeys.keys != [ ];
      text = lib.concatMapStrings (key: "${key}\n") user.openssh.authorizedKeys.keys;
    }) cfg.users;
  };
}
