//! What matters to a running process, as one number.
//!
//! The hash is FNV-1a, 64 bits, of the postcard form: the same on every machine and in every
//! build. It need not resist an enemy: who may write a graph may write anything into it.

use alloc::vec::Vec;

use serde::Serialize;

use crate::{CgroupSpec, Environment, Kind, LogTo, Process, Readiness, RunSpec, Service};

/// A hash of everything of `service` that its running process was given and cannot be given anew.
/// Relations, policies, time limits and cgroup settings are not among it: they change in place.
///
/// `consumer` names the service that reads its output, if one does: an index means nothing in
/// another graph.
#[must_use]
pub fn fingerprint(service: &Service, consumer: Option<&str>) -> u64 {
    let (kind, process) = match &service.kind {
        Kind::Longrun(process) => ("longrun", process),
        Kind::Oneshot(process) => ("oneshot", process),
        // Nothing runs, so nothing can be outdated.
        Kind::Bundle(_) => return fnv1a(b"bundle"),
    };
    let given = Given {
        kind,
        exec: &process.exec,
        notify: notify_fd(&process.ready),
        watchdog_ms: process.watchdog_ms,
        run: &process.run,
        environment: &process.environment,
        cgroup: cgroup_place(&process.cgroup),
        output: output(process, consumer),
    };
    let bytes: Vec<u8> = postcard::to_allocvec(&given).unwrap_or_default();
    fnv1a(&bytes)
}

/// In the order of this declaration: a new field changes every fingerprint, once.
#[derive(Serialize)]
struct Given<'a> {
    kind: &'a str,
    exec: &'a [alloc::string::String],
    notify: Option<u32>,
    watchdog_ms: u32,
    run: &'a RunSpec,
    environment: &'a Environment,
    cgroup: (&'a str, bool),
    output: (u8, &'a str),
}

/// What of readiness a process sees: an open descriptor, or (0) `NOTIFY_SOCKET`.
pub(crate) fn notify_fd(ready: &Readiness) -> Option<u32> {
    match ready {
        Readiness::Notify => Some(0),
        Readiness::Fd(fd) => Some(*fd),
        Readiness::Exec | Readiness::Exit | Readiness::Probe(_) => None,
    }
}

/// What of the cgroup cannot be changed under a process.
pub(crate) fn cgroup_place(cgroup: &CgroupSpec) -> (&str, bool) {
    (&cgroup.path, cgroup.delegate)
}

/// Where the output goes, without an index.
pub(crate) fn output<'a>(process: &Process, consumer: Option<&'a str>) -> (u8, &'a str) {
    match process.log.to {
        LogTo::Files => (0, ""),
        LogTo::None => (1, ""),
        LogTo::Console => (2, ""),
        LogTo::Service(_) => (3, consumer.unwrap_or_default()),
    }
}

/// FNV-1a, 64 bits: the same in every build, which std's hashes are not.
#[must_use]
pub fn fnv1a(bytes: &[u8]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(BASIS, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::fnv1a;

    #[test]
    fn fnv1a_gives_the_published_values() {
        // From the test vectors of the FNV authors (draft-eastlake-fnv, appendix C).
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
