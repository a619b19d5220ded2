//! The command line, defined once: parser, help, `docs/svc.md` and completions come from it.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Operate the services of this node.
#[derive(Debug, Parser)]
#[command(
    name = "svc",
    version,
    disable_help_subcommand = true,
    after_help = "\
Start here:
  svc status                 every service, and why it is in its state
  svc explain kubelet        why one is not up, down to the root cause
  svc logs -f kubelet        what it prints
  svc restart containerd     it alone; what depends on it stays up
  svc apply --dry-run        what your edits would do

`svc VERB --help` has examples. Exit status: 0 done, 1 failed, 2 timed out, 3 unknown service,
4 mistakes in service files, 5 doctor warns, 100 wrong command line, 111 system error."
)]
pub struct Svc {
    /// The user's own tree instead of the system's.
    #[arg(long, global = true)]
    pub user: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show services, and why each is in its state
    #[command(after_help = "\
Examples:
  svc status                 every service, one line each
  svc status containerd      one service in detail
  svc status sshd chronyd    these two, one line each
  svc status --json | jq -r '.services[] | select(.state == \"failed\") | .name'

Exit status: 1 if a service that was named is not up, 3 if one is unknown. It reads the state
table, so it works without privileges and while supervise is stopped.")]
    Status(Status),
    /// Start services, with what they require and want
    #[command(after_help = "\
Examples:
  svc start sshd             returns when it is ready, or has failed
  svc start -t 30s sshd      waits half a minute at most (exit status 2)
  svc start --no-wait sshd   returns at once

A service that has failed is tried anew. When a service that conflicts would have to stop, it asks
first; where nobody can be asked, it wants --force.")]
    Start(Start),
    /// Stop services, their dependents first
    #[command(after_help = "\
Examples:
  svc stop sshd
  svc stop containerd        shows that kubelet would stop, too, and asks
  svc stop --force containerd

When it reaches further than what was named, it asks first; where nobody can be asked, it wants
--force.")]
    Stop(Start),
    /// Stop and start services; what depends on them stays up
    #[command(after_help = "\
Examples:
  svc restart containerd     kubelet stays up
  svc restart --with-dependents containerd")]
    Restart(Restart),
    /// Have services re-read their configuration
    #[command(after_help = "\
Examples:
  svc reload sshd            as its file says: by a signal or a command

Exit status: 1 if a command was to do it and has failed. What a service makes of a signal is not
known, unless it says by sd_notify when it has finished.")]
    Reload(Reload),
    /// Send a signal to a service
    #[command(after_help = "\
Examples:
  svc signal sshd HUP        to its main process
  svc signal --all web KILL  to every process of its cgroup")]
    Signal(Signal),
    /// Read what services print
    #[command(after_help = "\
Examples:
  svc logs kubelet           its last lines
  svc logs -f                every service, merged by time, as it comes
  svc logs --since 10m kubelet containerd
  svc logs --since 2026-11-20T16:30:00Z --until 5m sshd
  svc logs cooper            what init and supervise themselves say")]
    Logs(Logs),
    /// Tell why a service is in its state, cause by cause
    #[command(after_help = "\
Examples:
  svc explain kubelet        down to the root cause, and what would start or stop it")]
    Explain(Explain),
    /// Show what an order would do, without doing it
    #[command(after_help = "\
Examples:
  svc plan stop containerd
  svc plan restart --with-dependents containerd")]
    Plan(Plan),
    /// Compile the service files and put them in force
    #[command(after_help = "\
Examples:
  svc apply --dry-run        what would start, stop, restart and reload, and why
  svc apply

Mistakes are reported with file, line and what to do; then nothing is changed, exit status 4. The
graph before this one is kept, and a boot falls back to it.")]
    Apply(Apply),
    /// Look for mistakes in service files
    #[command(after_help = "\
Examples:
  svc check                  all files of this node
  svc check ./services       all files in a directory
  svc check sshd.toml        one file, among all others of this node")]
    Check(Check),
    /// Compile service files into a graph, for an image
    #[command(after_help = "\
Examples:
  svc compile -o graph                 this node's files
  svc compile -o graph --root ./image  those of an image that is being built
  svc compile -o graph ./services      those in a directory

The same files make the same bytes; with --root, wherever the image is built.")]
    Compile(Compile),
    /// Begin a container: its services, then its command
    #[command(after_help = "\
Examples:
  svc container nginx -g 'daemon off;'
  svc container --rewrite TERM:QUIT -- /usr/sbin/php-fpm -F
  ENTRYPOINT [\"/init\"]        in an image where /init is a link to svc

The command becomes the service main, and its exit status the container's; the services of
/etc/cooper/services come up first. Signals go to the command. Mistakes in a file end it at once,
exit status 4. docs/images.md has more.")]
    Container(Container),
    /// List profiles and hardware targets, and those in use
    #[command(after_help = "\
Examples:
  svc profiles
  svc profiles --json | jq -r '.profiles[] | select(.chosen_by) | .name'

A choice of profiles that `svc check` refuses, because two of them contradict each other, is a
warning here, and the list is whole.")]
    Profiles(Profiles),
    /// Report how the boot went
    #[command(after_help = "\
Examples:
  svc boot                   totals, set-up, who took longest and why, the last shutdown
  svc boot --all")]
    Boot(Boot),
    /// Look whether this machine is what its profiles need
    #[command(after_help = "\
Examples:
  svc doctor                 by the profiles of node.toml: what does not hold, why, and what to do
  svc doctor --fix           sets up what node set-up sees to, and looks again
  svc doctor --profile k3s-server --profile cilium    before they are chosen
  svc doctor --all           what holds as well
  svc doctor --json | jq -r '.findings[] | select(.status == \"error\") | .id'

It changes nothing without --fix, needs no Cooper on the machine, and sees most without
privileges. Exit status: 0 all holds, 5 there are warnings, 1 there are errors.")]
    Doctor(Doctor),
    /// Tell whether all that is wanted is ready
    #[command(after_help = "\
Examples:
  svc health                       names what is not ready; exit status 1, else 0
  HEALTHCHECK CMD [\"svc\", \"health\"]    in an image
  svc health --listen :8080        answers GET /healthz and /readyz until it is stopped
  svc health --listen unix:/run/health.sock --file /run/healthy

/readyz is 200 when everything wanted is ready, as is the exit status 0; /healthz is, unless
something has failed or its probes fail. The file is there while everything wanted is ready.")]
    Health(Health),
    /// Print services as they change
    #[command(after_help = "\
Examples:
  svc watch
  svc watch --json kubelet | jq .state")]
    Watch(Watch),
    /// Edit a drop-in of a service, then check it
    #[command(after_help = "\
Examples:
  svc edit kubelet           /etc/cooper/services/kubelet.toml.d/local.toml, in $EDITOR
  svc edit --full kubelet    its whole file

Nothing changes until `svc apply`.")]
    Edit(Edit),
    /// Stop everything in order and switch off
    Poweroff(Ending),
    /// Stop everything in order and start again
    Reboot(Reboot),
    /// Stop everything in order and stop the processor
    Halt(Ending),
    /// Stop everything in order and start the loaded kernel
    Kexec(Ending),
    /// Print a completion script for a shell
    #[command(after_help = "\
Examples:
  svc completions bash > /usr/share/bash-completion/completions/svc
  svc completions zsh > /usr/share/zsh/site-functions/_svc
  svc completions fish > /usr/share/fish/vendor_completions.d/svc.fish")]
    Completions(Completions),
    /// Print the names of all services, one per line
    #[command(hide = true)]
    Names,
}

/// Arguments of `container`.
#[derive(Args, Debug)]
pub struct Container {
    /// Take a signal for another one: TERM:QUIT; HUP:0 for none. May be given again
    #[arg(long, value_name = "FROM:TO")]
    pub rewrite: Vec<String>,
    /// Send signals to the command's process group
    #[arg(long)]
    pub group: bool,
    /// The command
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

/// Arguments of `health`.
#[derive(Args, Debug)]
pub struct Health {
    /// Answer over HTTP at HOST:PORT, :PORT or unix:PATH. May be given again
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<String>,
    /// Keep this file while everything is ready
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
}

/// Arguments of `profiles`.
#[derive(Args, Debug)]
pub struct Profiles {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `status`.
#[derive(Args, Debug)]
pub struct Status {
    /// Only these services; one alone is shown in detail
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Show also those that nothing has wanted since the boot
    #[arg(short, long)]
    pub all: bool,
    /// Print JSON, as the control protocol's List answers it: all services
    #[arg(long)]
    pub json: bool,
}

/// How long to wait.
#[derive(Args, Debug)]
pub struct Patience {
    /// Return as soon as the order is taken
    #[arg(long, conflicts_with = "timeout")]
    pub no_wait: bool,
    /// Wait no longer than this: 500ms, 30s, 2m, 1h
    #[arg(short, long, value_name = "TIME", value_parser = time_span)]
    pub timeout: Option<Duration>,
}

/// Arguments of `start` and `stop`.
#[derive(Args, Debug)]
pub struct Start {
    /// Services
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// Do not ask, whatever else has to stop
    #[arg(short, long, visible_alias = "yes")]
    pub force: bool,
    /// How long to wait
    #[command(flatten)]
    pub patience: Patience,
}

/// Arguments of `restart`.
#[derive(Args, Debug)]
pub struct Restart {
    /// Services
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// All that depend on them as well
    #[arg(long)]
    pub with_dependents: bool,
    /// How long to wait
    #[command(flatten)]
    pub patience: Patience,
}

/// Arguments of `reload`.
#[derive(Args, Debug)]
pub struct Reload {
    /// Services
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// How long to wait
    #[command(flatten)]
    pub patience: Patience,
}

/// Arguments of `signal`.
#[derive(Args, Debug)]
pub struct Signal {
    /// Service
    pub name: String,
    /// HUP, SIGHUP or 1
    #[arg(value_parser = signal_number)]
    pub signal: u8,
    /// Every process of its cgroup, not only the main one
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `logs`.
#[derive(Args, Debug)]
pub struct Logs {
    /// Only these services; `cooper` is init and supervise themselves
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// So many lines from the end [default: 50, with --since all]
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub lines: Option<usize>,
    /// Only what is newer: a time span back from now, or a UTC time
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only what is older
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub until: Option<String>,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct Explain {
    /// Service
    pub name: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub struct Plan {
    /// The order
    pub order: PlanOrder,
    /// Services
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// For restart: all that depend on them as well
    #[arg(long)]
    pub with_dependents: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be planned.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PlanOrder {
    /// As `svc start`
    Start,
    /// As `svc stop`
    Stop,
    /// As `svc restart`
    Restart,
    /// As `svc reload`
    Reload,
}

/// Arguments of `apply`.
#[derive(Args, Debug)]
pub struct Apply {
    /// Only say what would happen
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct Check {
    /// Files, or directories of files, instead of this node's
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// Arguments of `compile`.
#[derive(Args, Debug)]
pub struct Compile {
    /// Where to write the graph
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The root of an image: what is below it is compiled, as if it were `/`
    #[arg(long, value_name = "DIR", conflicts_with_all = ["node", "dirs"])]
    pub root: Option<PathBuf>,
    /// The image's node.toml, instead of this node's
    #[arg(long, value_name = "FILE")]
    pub node: Option<PathBuf>,
    /// Directories of service files, the later wins, instead of this node's
    #[arg(value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
}

/// Arguments of `boot`.
#[derive(Args, Debug)]
pub struct Boot {
    /// Every service, not only those that took longest
    #[arg(short, long)]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    /// By this profile instead of node.toml's; may be given more than once
    #[arg(short, long = "profile", value_name = "NAME")]
    pub profiles: Vec<String>,
    /// On this hardware target instead of node.toml's, or the one that is recognised
    #[arg(long, value_name = "NAME")]
    pub hardware: Option<String>,
    /// Set up what is not as it should be, then look again
    // Set-up speaks to the kernel that runs: to loopback, the clock, swap, process 1.
    #[arg(long, conflicts_with = "root")]
    pub fix: bool,
    /// What holds, and what could not be looked at, as well
    #[arg(short, long)]
    pub all: bool,
    /// Print JSON: every finding
    #[arg(long)]
    pub json: bool,
    /// Look at the files below this directory, which stands for a machine that is not running
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

/// Arguments of `watch`.
#[derive(Args, Debug)]
pub struct Watch {
    /// Only these services
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `edit`.
#[derive(Args, Debug)]
pub struct Edit {
    /// Service
    pub name: String,
    /// A whole file of its own, not only a drop-in
    #[arg(long)]
    pub full: bool,
}

/// Arguments of `poweroff`, `reboot`, `halt`, `kexec`.
#[derive(Args, Debug, Default)]
pub struct Ending {
    /// Do not ask supervise: signal init, which ends everything by itself
    #[arg(short, long)]
    pub force: bool,
}

/// Arguments of `reboot`.
#[derive(Args, Debug, Default)]
pub struct Reboot {
    #[command(flatten)]
    pub ending: Ending,
    /// For the firmware, as one word: `"0 tryboot"` on a Raspberry Pi
    pub argument: Option<String>,
}

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct Completions {
    /// For which shell
    pub shell: Shell,
}

/// Shells that we write completions for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// `500ms`, `30s`, `2m` or `2min`, `1h`, `1d`.
pub fn time_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time: write 500ms, 30s, 2m, 1h or 1d");
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(ms).map(Duration::from_millis).ok_or_else(wrong)
}

fn signal_number(text: &str) -> Result<u8, String> {
    wire::describe::signal_named(text)
        .ok_or_else(|| format!("`{text}` is not a signal: write HUP, SIGHUP or 1"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// clap's own checks: no flag twice, no impossible default.
    #[test]
    fn the_definition_is_sound() {
        Svc::command().debug_assert();
    }

    #[test]
    fn time_spans_need_a_unit() {
        assert_eq!(time_span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time_span("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(time_span("2min"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "-1s", "1w", "99999999999999999999s", "18446744073709551615d"] {
            assert!(time_span(wrong).is_err(), "{wrong}");
        }
    }

    /// Every verb that takes more than itself teaches with examples.
    #[test]
    fn verbs_have_examples() {
        for verb in Svc::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let endings = ["poweroff", "reboot", "halt", "kexec"].contains(&verb.get_name());
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let teaches = help.starts_with("Examples:\n  svc ");
            assert!(endings || teaches, "{}", verb.get_name());
        }
    }
}
