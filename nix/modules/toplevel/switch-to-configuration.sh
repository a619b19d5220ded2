#!@sh@
# switch-to-configuration switch|boot|test|dry-activate: makes this generation the one that runs.
#
#   switch        now, and at the next boot
#   boot          at the next boot
#   test          now, and not at the next boot
#   dry-activate  says what `switch` would do to services
#
# Services change by `svc apply`: those whose definition has changed restart, and no others. Going
# back is the same with an older generation.
set -eu
export PATH=@busybox@/bin
toplevel=@toplevel@
svc=$toplevel/cooper/bin/svc

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2; exit 1; }
say() { echo "switch-to-configuration: $*" >&2; }

# What is below /run/cooper/services, somebody's try, ends here.
apply() {
  local cooper=$1; shift
  COOPER_SERVICES=$cooper/services COOPER_NODE=$cooper/node.toml COOPER_FACTS= "$svc" apply "$@"
}

[ $# -eq 1 ] || usage
case $1 in
  switch | boot | test | dry-activate) action=$1 ;;
  *) usage ;;
esac

if [ "$action" = dry-activate ]; then
  apply "$toplevel/etc/cooper" --dry-run
  exit
fi

lock=/run/lock/switch-to-configuration
mkdir -p /run/lock
until mkdir "$lock" 2> /dev/null; do
  other=$(cat "$lock/pid" 2> /dev/null || true)
  if [ -z "$other" ] || kill -0 "$other" 2> /dev/null; then
    say "another one runs${other:+ (process $other)}, or has left $lock"
    exit 1
  fi
  rm -r "$lock"
done
echo $$ > "$lock/pid"
trap 'rm -r "$lock"' EXIT

case $action in switch | boot) @installBootLoader@ "$toplevel" ;; esac
sync
[ "$action" != boot ] || exit 0

before=$(readlink /run/current-system || true)
status=0
"$toplevel/activate" || { say "activation: some of it failed"; status=2; }
# By their names in /etc, which activation has switched: so the graph is that of the build.
apply /etc/cooper || { say "the services are as they were"; status=3; }
for part in kernel initrd; do
  [ -z "$before" ] || [ "$(readlink "/run/booted-system/$part")" = "$(readlink "$toplevel/$part")" ] ||
    say "the $part is another one from the next boot on"
done
exit $status
