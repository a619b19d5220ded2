//! The keys of a service file.

use super::{
    For::{All, Longrun, Process},
    Key,
};
use crate::kind::Shape;
use crate::kind::Shape::{
    Account, Accounts, Address, Age, Binds, Capabilities, CgroupKeys, CgroupPath, Choice, Command,
    Conditions, Directories, Duration, DurationOrOff, EnvironmentFiles, Flag, Integer, Limits,
    Line, LogTarget, Mode, Names, Path, Paths, Provides, Signal, Size, Socket, Table, True, Url,
    Variables,
};

/// A table; if it has a shorthand, a value that is not a table stands for that key.
const fn table(shorthand: &'static str) -> Shape {
    Table { shorthand }
}

const TYPES: &[&str] = &["longrun", "oneshot", "bundle"];
const ON_CHANGE: &[&str] = &["restart", "reload", "keep"];
const KILL: &[&str] = &["process", "cgroup", "mixed"];
const POLICY: &[&str] = &["always", "on-failure", "never"];

/// The names of [`facts::Section::ALL`].
pub(super) const SECTIONS: &[&str] = &[
    "mounts",
    "cgroups",
    "modules",
    "sysctl",
    "filesystems",
    "hostname",
    "machine-id",
    "limits",
    "random-seed",
    "clock",
    "loopback",
    "firmware",
    "tmpfiles",
    "swap",
];

/// In the order of `docs/services.md`.
pub(crate) const SERVICE: &[Key] = &[
    Key::new("description", Line, All, "One line for people."),
    Key::new(
        "type",
        Choice(TYPES),
        All,
        "`longrun`: a process that runs until it is stopped. `oneshot`: a program that runs \
         to its end. `bundle`: a name for other services, its `requires` and `wants`.",
    )
    .default("\"longrun\""),
    Key::new(
        "exec",
        Command,
        Process,
        "The program and its arguments. Without a `/`, it is searched in the service's own \
         `PATH`. Required.",
    ),
    Key::new(
        "requires",
        Names,
        All,
        "Must be up first: it is started too, and ordered after them. While one of them is \
         not up, it waits.",
    )
    .default("[]"),
    Key::new(
        "wants",
        Names,
        All,
        "Started too, and ordered after them; but it goes on without those that fail.",
    )
    .default("[]"),
    Key::new(
        "after",
        Names,
        All,
        "Ordered after these, if they are to be up as well; they need not exist.",
    )
    .default("[]"),
    Key::new(
        "conflicts",
        Names,
        All,
        "Never up at the same time as these; starting the one stops the other. Mutual, \
         whoever says it. A name that it provides means all others that do.",
    )
    .default("[]"),
    Key::new(
        "provides",
        Provides,
        All,
        "Other names for it, which others may depend on. Services that conflict may provide the \
         same one: it then means the one that `default` brings up.",
    )
    .default("[]"),
    Key::new(
        "setup",
        Choice(SECTIONS),
        Process,
        "The section of the node's table that it sets up: what its profiles want of modules, \
         mounts … It gets that as JSON, in `COOPER_SETUP`, and so runs again when it has changed.",
    ),
    Key::new(
        "watchdog",
        DurationOrOff,
        Longrun,
        "It gets `WATCHDOG_USEC`; silence (no `WATCHDOG=1`) for longer than this ends it.",
    )
    .default("\"off\""),
    Key::new(
        "critical",
        Flag,
        Process,
        "Its end ends the whole tree, with its exit status (containers); so it is not restarted, \
         unless `restart.policy` says when.",
    )
    .default("false"),
    Key::new(
        "on-change",
        Choice(ON_CHANGE),
        All,
        "What `svc apply` does when what its process was given has changed: `restart` it; \
         `reload` it, if only its environment has changed; `keep` it as it is until its next \
         start.",
    )
    .default("\"restart\""),
    Key::new(
        "env-file",
        EnvironmentFiles,
        Process,
        "Files of `NAME=VALUE` lines, read at each start; with a leading `-`, a file may be \
         absent. Later ones win, and all of them win over `[environment]`.",
    )
    .default("[]"),
    Key::new(
        "ready",
        table(""),
        Process,
        "When it counts as up. Without any of the forms: as soon as its program has been \
         executed; a oneshot: when it has exited with status 0.",
    ),
    Key::new(
        "ready.notify",
        Choice(&["systemd"]),
        Longrun,
        "`systemd`: it sends `READY=1` to `NOTIFY_SOCKET`; only its main process is heard.",
    )
    .one_of("form"),
    Key::new(
        "ready.fd",
        Integer(3, 1023),
        Longrun,
        "It writes a newline to this file descriptor, as with s6.",
    )
    .one_of("form"),
    Key::new(
        "ready.socket",
        Socket,
        Longrun,
        "A unix stream socket accepts connections: a path, or `@NAME`.",
    )
    .one_of("form"),
    Key::new("ready.tcp", Address, Longrun, "An address and port accepts connections.")
        .one_of("form"),
    Key::new("ready.http", Url, Longrun, "GET is answered with a status from 200 to 399.")
        .one_of("form"),
    Key::new("ready.exec", Command, Longrun, "A command exits with status 0.").one_of("form"),
    Key::new("ready.path", Path, Longrun, "A path exists.").one_of("form"),
    Key::new(
        "ready.exit",
        True,
        Process,
        "It has exited with status 0 (oneshots, and their default).",
    )
    .one_of("form"),
    Key::new(
        "ready.timeout",
        Duration,
        Process,
        "From spawn to ready, at most; then it is stopped and counts as failed.",
    )
    .default("\"2m\""),
    Key::new(
        "ready.every",
        Duration,
        Longrun,
        "The first probe's delay, and the pause between two.",
    )
    .default("\"250ms\""),
    Key::new(
        "health",
        table(""),
        Longrun,
        "A probe of a service that is up; one of the forms of `ready`.",
    ),
    Key::new("health.socket", Socket, Longrun, "As in `ready`.").one_of("form"),
    Key::new("health.tcp", Address, Longrun, "As in `ready`.").one_of("form"),
    Key::new("health.http", Url, Longrun, "As in `ready`.").one_of("form"),
    Key::new("health.exec", Command, Longrun, "As in `ready`.").one_of("form"),
    Key::new("health.path", Path, Longrun, "As in `ready`.").one_of("form"),
    Key::new("health.every", Duration, Longrun, "From one probe's end to the next one's begin.")
        .default("\"10s\""),
    Key::new("health.timeout", Duration, Longrun, "A probe that takes longer has failed.")
        .default("\"5s\""),
    Key::new(
        "health.failures",
        Integer(1, 1_000_000),
        Longrun,
        "So many failures in a row, and it is `degraded`.",
    )
    .default("3"),
    Key::new("health.restart", Flag, Longrun, "And is restarted.").default("true"),
    Key::new("stop", table(""), Process, "How it is stopped."),
    Key::new(
        "stop.exec",
        Command,
        Process,
        "Run instead of sending the signal; for a oneshot: undoes it.",
    ),
    Key::new(
        "stop.signal",
        Signal,
        Process,
        "Sent to the main process; with `kill = \"cgroup\"`, to all of its processes.",
    )
    .default("\"SIGTERM\""),
    Key::new("stop.timeout", Duration, Process, "From the signal or command to SIGKILL.")
        .default("\"30s\""),
    Key::new(
        "stop.kill",
        Choice(KILL),
        Process,
        "Whom stopping reaches. `process`: the main process alone, the rest of its cgroup \
         lives on (containerd, k3s, sshd). `cgroup`: the signal to all, then SIGKILL to all \
         that are left. `mixed`: the signal to the main process, then SIGKILL to all that are \
         left.",
    )
    .default("\"mixed\""),
    Key::new(
        "restart",
        table("policy"),
        Process,
        "Whether and when it is started again after it has ended by itself. `restart = \
         \"never\"` is short for the policy alone.",
    ),
    Key::new(
        "restart.policy",
        Choice(POLICY),
        Process,
        "After which ends: `always`; `on-failure`: any but exit status 0; `never`.",
    )
    .default("\"always\"")
    .oneshot("\"never\""),
    Key::new(
        "restart.min",
        Duration,
        Process,
        "The first restart is at once; the second one waits this long, each further one twice \
         as long.",
    )
    .default("\"100ms\""),
    Key::new(
        "restart.max",
        Duration,
        Process,
        "But never longer than this; and after having been up for this long, the count starts \
         anew.",
    )
    .default("\"30s\""),
    Key::new(
        "reload",
        table(""),
        Longrun,
        "How it re-reads its configuration; without it, `svc reload` is refused.",
    ),
    Key::new("reload.signal", Signal, Longrun, "By this signal to the main process.")
        .one_of("form"),
    Key::new("reload.exec", Command, Longrun, "By this command.").one_of("form"),
    Key::new(
        "finish",
        table("exec"),
        Process,
        "A command for after its end, as s6's `./finish`. `finish = [...]` is short for the \
         command alone.",
    ),
    Key::new(
        "finish.exec",
        Command,
        Process,
        "Run after each end, with exit status (256: a signal ended it), signal name (or an \
         empty argument) and service name appended, as s6 does it; its own exit status 125 \
         means: do not restart.",
    ),
    Key::new("finish.timeout", Duration, Process, "It is killed after this long.")
        .default("\"10s\""),
    Key::new(
        "environment",
        Variables,
        Process,
        "Names and values. Nothing is inherited; `PATH` has a default.",
    ),
    Key::new("run", table(""), Process, "Who it runs as, and with what."),
    Key::new(
        "run.user",
        Account,
        Process,
        "Name or number, looked up at each start; otherwise root.",
    ),
    Key::new("run.group", Account, Process, "Name or number; otherwise the user's own group."),
    Key::new(
        "run.groups",
        Accounts,
        Process,
        "Supplementary groups; otherwise those that list the user.",
    ),
    Key::new("run.cwd", Path, Process, "The working directory.").default("\"/\""),
    Key::new("run.umask", Mode, Process, "File mode creation mask, octal, as a string.")
        .default("\"022\""),
    Key::new("run.nice", Integer(-20, 19), Process, "Scheduling priority.").default("0"),
    Key::new(
        "run.oom-score-adj",
        Integer(-1000, 1000),
        Process,
        "-1000: never chosen when memory is short.",
    )
    .default("0"),
    Key::new(
        "run.limits",
        Limits,
        Process,
        "Resource limits by the kernel's names, `\"SOFT:HARD\"` or one for both: `nofile`, \
         `nproc`, `memlock`, `core` … `nofile` is `1024:524288` unless said; the others are \
         inherited from init.",
    ),
    Key::new("run.capabilities", table(""), Process, "Capabilities, by name."),
    Key::new(
        "run.capabilities.bounding",
        Capabilities,
        Process,
        "It can never have others than these; absent: all.",
    ),
    Key::new(
        "run.capabilities.ambient",
        Capabilities,
        Process,
        "It has these although `user` is not root.",
    )
    .default("[]"),
    Key::new(
        "run.no-new-privs",
        Flag,
        Process,
        "No program that it executes gains privileges (setuid, file capabilities).",
    )
    .default("false"),
    Key::new(
        "run.tty",
        Path,
        Process,
        "The terminal that it owns: standard input, output and error, and its controlling \
         terminal.",
    ),
    Key::new("run.tty-reset", Flag, Process, "Hang the terminal up and reset it first.")
        .default("true"),
    Key::new(
        "run.directories",
        Directories,
        Process,
        "Made before each start, owned by its user: `\"/run/chrony\"`, or with a mode, \
         `\"/run/chrony:0750\"`.",
    )
    .default("[]"),
    Key::new(
        "run.mounts",
        table(""),
        Process,
        "A mount namespace of its own; applied from the shortest path to the longest. Not for \
         containerd, kubelet and k3s.",
    ),
    Key::new("run.mounts.tmpfs", Paths, Process, "A fresh tmpfs each, mode 1777.").default("[]"),
    Key::new("run.mounts.read-only", Paths, Process, "The host's, read-only.").default("[]"),
    Key::new(
        "run.mounts.bind",
        Binds,
        Process,
        "`\"/SOURCE:/TARGET\"`: the host's source seen at target.",
    )
    .default("[]"),
    Key::new("run.mounts.inaccessible", Paths, Process, "An empty directory without permissions.")
        .default("[]"),
    Key::new(
        "cgroup",
        CgroupKeys,
        Process,
        "Where it lives, and any of the kernel's own keys for it: `memory.max`, `pids.max`, \
         `cpu.weight` … The value is what is written to the file; a list is written line by \
         line.",
    ),
    Key::new(
        "cgroup.path",
        CgroupPath,
        Process,
        "Below the root that Cooper manages; otherwise `system/NAME`.",
    ),
    Key::new(
        "cgroup.delegate",
        Flag,
        Process,
        "It makes cgroups of its own below it. The main process is put into `PATH/main`, and \
         Cooper never writes below `PATH` again.",
    )
    .default("false"),
    Key::new(
        "log",
        table("to"),
        Process,
        "Where its output goes and how much of it is kept. `log = \"none\"` is short for `to` \
         alone.",
    ),
    Key::new(
        "log.to",
        LogTarget,
        Process,
        "`files`: `/var/log/cooper/NAME/`. `none`. `console`. Or the name of a service that \
         reads it on standard input: it is started too, and first. A service with a terminal \
         of its own has no log.",
    )
    .default("\"files\""),
    Key::new("log.file-size-max", Size, Process, "`current` is rotated at this size.")
        .default("\"4M\""),
    Key::new("log.files-max", Integer(1, 10_000), Process, "So many rotated files are kept.")
        .default("7"),
    Key::new("log.age-max", Age, Process, "Rotated files older than this are deleted.")
        .default("\"off\""),
    Key::new("log.quota", Size, Process, "All its files together never exceed this.")
        .default("\"32M\""),
    Key::new(
        "log.rate-max",
        Integer(0, 4_294_967_295),
        Process,
        "Lines per second above which lines are dropped and counted; 0: no limit.",
    )
    .default("0"),
    Key::new(
        "log.timestamps",
        Flag,
        Process,
        "Each line begins with its time, UTC, with microseconds.",
    )
    .default("true"),
    Key::new(
        "log.block",
        Flag,
        Process,
        "When disk and pipe are full: the service waits (true), or lines are dropped and \
         counted (false).",
    )
    .default("false"),
    Key::new(
        "condition",
        table(""),
        All,
        "All must hold, otherwise it is `skipped`. A leading `!` means that the opposite must \
         hold; a list means each of them.",
    ),
    Key::new(
        "condition.kernel-command-line",
        Conditions,
        All,
        "The kernel's command line has this word, or one that begins with it and `=` or `,`: \
         `console=ttyS0` is in `console=ttyS0,115200`.",
    )
    .default("[]"),
    Key::new("condition.path-exists", Conditions, All, "A path exists.").default("[]"),
    Key::new(
        "condition.virtualization",
        Conditions,
        All,
        "`vm`, `container` or `none` (bare metal).",
    )
    .default("[]"),
    Key::new(
        "condition.architecture",
        Conditions,
        All,
        "What `uname -m` says: `x86_64`, `aarch64`.",
    )
    .default("[]"),
    Key::new(
        "condition.hardware",
        Conditions,
        All,
        "The DMI vendor, product or board, or the device tree's `compatible`, contains this.",
    )
    .default("[]"),
];
