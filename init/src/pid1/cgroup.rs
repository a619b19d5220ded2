//! init's own cgroup, `/init.scope`: the only one but the root where k3s expects PID 1. In a
//! container, whose root cgroup is not the hierarchy's, everything else that is in it moves there
//! too: a cgroup with processes cannot give controllers to its children.

use rustix::fs::Mode;

use crate::os::{self, Fd};
use crate::say;

const ROOT: &core::ffi::CStr = c"/sys/fs/cgroup";
/// CGROUP2_SUPER_MAGIC of linux/magic.h.
const CGROUP2: i64 = 0x6367_7270;
/// Rounds of evacuation: processes may fork while we look. Each round moves all that it finds.
const ROUNDS: u32 = 16;

/// Moves init to its cgroup. Without a cgroup file system of our own there is nothing to do.
pub fn enter_own() {
    let is_cgroup2 = rustix::fs::statfs(ROOT).is_ok_and(|fs| fs.f_type == CGROUP2);
    if !is_cgroup2 || !is_at_root() {
        return;
    }
    let _ = rustix::fs::mkdir(c"/sys/fs/cgroup/init.scope", Mode::from_raw_mode(0o755));
    let procs = os::open(c"/sys/fs/cgroup/init.scope/cgroup.procs", libc::O_WRONLY);
    let Ok(procs) = procs else { return };
    // 0 is whoever writes it.
    if let Err(error) = procs.write(b"0\n") {
        say::failure("enter", b"/init.scope", error);
    }
    // The hierarchy's root has no type.
    if rustix::fs::stat(c"/sys/fs/cgroup/cgroup.type").is_ok() {
        evacuate(&procs);
    }
}

/// Whether we see ourselves at the top: then what is mounted there is ours to arrange.
fn is_at_root() -> bool {
    let Ok(file) = os::open(c"/proc/self/cgroup", libc::O_RDONLY) else { return false };
    let mut text = [0; 4096];
    let length = file.read(&mut text).unwrap_or(0);
    let text = text.get(..length).unwrap_or_default();
    text.split(|byte| *byte == b'\n').any(|line| line == b"0::/")
}

fn evacuate(to: &Fd) {
    for _ in 0..ROUNDS {
        let Ok(from) = os::open(c"/sys/fs/cgroup/cgroup.procs", libc::O_RDONLY) else { return };
        let mut text = [0; 4096];
        let length = from.read(&mut text).unwrap_or(0);
        let mut moved = false;
        // The last line may be cut off: the next round reads it whole. 0 is a process of another
        // pid namespace, which has no number here.
        let text = text.get(..length).unwrap_or_default();
        let whole = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let pids = text.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n');
        for pid in pids.filter(|pid| *pid != b"0") {
            moved |= to.write(pid).is_ok();
        }
        if !moved {
            return;
        }
    }
}
