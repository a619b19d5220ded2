//! What the kernel is and can.

use super::Case;
use crate::finding::Verdict;

/// The auxiliary vector's entry for the size of a page.
const AT_PAGESZ: u64 = 6;

/// New enough, and none of those that are known to be bad.
pub fn version(case: &Case<'_>) -> Verdict {
    let release = case.system.kernel_release();
    let Some(version) = numbers(&release) else {
        return Verdict::Unknown(format!("what version is `{release}`?"));
    };
    if let Some(bad) = case.with.words("avoid").find(|bad| is_version(&release, bad)) {
        return Verdict::fails(format!("{release}; {bad} is known to be bad"));
    }
    let minimum = case.with.word("minimum");
    if numbers(minimum).is_some_and(|minimum| version < minimum) {
        return Verdict::fails(format!("{release} is older than {minimum}"));
    }
    Verdict::Holds(release)
}

/// Some file says how the kernel was built.
pub fn config(case: &Case<'_>) -> Verdict {
    match case.system.kernel_config() {
        Some(config) => Verdict::Holds(config.path.clone()),
        None => Verdict::fails("neither /proc/config.gz nor a file in /boot or /lib/modules"),
    }
}

/// The kernel has namespaces of these kinds.
pub fn namespaces(case: &Case<'_>) -> Verdict {
    let there = case.system.names("/proc/self/ns");
    if there.is_empty() {
        return Verdict::Unknown("/proc/self/ns cannot be read".into());
    }
    let missing: Vec<&str> =
        case.with.words("names").filter(|name| !there.iter().any(|there| there == name)).collect();
    if missing.is_empty() {
        return Verdict::Holds(case.with.word("names").into());
    }
    Verdict::fails(format!("no namespaces of kind {}", missing.join(", ")))
}

/// Filters of system calls, not only the strict mode.
pub fn seccomp(case: &Case<'_>) -> Verdict {
    if case.system.exists("/proc/sys/kernel/seccomp/actions_avail") {
        return Verdict::Holds("filters of system calls".into());
    }
    match case.system.own_status("Seccomp") {
        Some(_) => Verdict::fails("seccomp without filters (CONFIG_SECCOMP_FILTER)"),
        None => Verdict::fails("no seccomp (CONFIG_SECCOMP)"),
    }
}

/// How many bits of an address are a process's own: on aarch64 that is a choice of who built the
/// kernel.
pub fn address_space(case: &Case<'_>) -> Verdict {
    let architecture = case.system.architecture();
    if architecture != "aarch64" {
        return Verdict::DoesNotApply(format!("only to aarch64, and this is {architecture}"));
    }
    let config = case.system.kernel_config().and_then(|config| config.value("ARM64_VA_BITS"));
    let Some(bits) = config.and_then(|bits| bits.parse().ok()).or_else(|| stack_bits(case)) else {
        return Verdict::Unknown("neither the kernel's configuration nor our stack says".into());
    };
    let minimum = case.with.number("minimum-bits");
    if bits >= minimum {
        return Verdict::Holds(format!("{bits} bits"));
    }
    Verdict::fails(format!("{bits} bits, and {minimum} are needed"))
}

/// In bytes.
pub fn page_size(case: &Case<'_>) -> Verdict {
    let vector = case.system.bytes("/proc/self/auxv").unwrap_or_default();
    let Some(size) = auxiliary(&vector, AT_PAGESZ) else {
        return Verdict::Unknown("/proc/self/auxv does not say".into());
    };
    if size == case.with.number("expected") {
        return Verdict::Holds(format!("{size} bytes"));
    }
    Verdict::fails(format!("{size} bytes instead of {}", case.with.word("expected")))
}

/// Our stack is at the upper end of our addresses.
fn stack_bits(case: &Case<'_>) -> Option<u64> {
    let maps = case.system.text("/proc/self/maps").ok()?;
    let stack = maps.lines().find(|line| line.ends_with("[stack]"))?;
    let (_, end) = stack.split_whitespace().next()?.split_once('-')?;
    let last = u64::from_str_radix(end, 16).ok()?.checked_sub(1)?;
    Some(64_u64.saturating_sub(last.leading_zeros().into()))
}

/// Pairs of words: what, and its value.
fn auxiliary(vector: &[u8], wanted: u64) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    let mut words = vector.chunks_exact(WORD).map(|word| {
        let mut bytes = [0_u8; 8];
        bytes.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
        u64::from_le_bytes(bytes)
    });
    while let (Some(what), Some(value)) = (words.next(), words.next()) {
        if what == wanted {
            return Some(value);
        }
    }
    None
}

/// The first numbers of a version; three at most.
fn numbers(version: &str) -> Option<Vec<u32>> {
    let plain = version.split(|letter: char| !letter.is_ascii_digit() && letter != '.').next()?;
    let numbers: Vec<u32> = plain.split('.').map_while(|part| part.parse().ok()).take(3).collect();
    (!numbers.is_empty()).then_some(numbers)
}

/// `5.15.0-94` is `5.15.0-94-generic`, and not `5.15.0-940`.
fn is_version(release: &str, version: &str) -> bool {
    release
        .strip_prefix(version)
        .is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::ask;
    use super::*;
    use crate::system::testing::Machine;

    fn release(release: &str) -> Machine {
        Machine::new().file("/proc/sys/kernel/osrelease", release)
    }

    #[test]
    fn old_kernels_and_bad_ones_are_found() {
        let with = [("minimum", "5.10"), ("avoid", "6.5.6 5.15.0-94")];
        for good in ["5.10.0", "6.1.0-13-amd64", "6.5.60", "6.5.5", "5.15.0-940-generic", "10.0"] {
            let verdict = ask("kernel-version", &release(good), &with);
            assert_eq!(verdict, Verdict::Holds(good.into()));
        }
        for bad in ["5.9.16", "4.19.0-rc1", "6.5.6", "6.5.6-76-generic", "5.15.0-94-generic"] {
            let verdict = ask("kernel-version", &release(bad), &with);
            assert!(matches!(verdict, Verdict::Fails(_)), "{bad}: {verdict:?}");
        }
        assert!(matches!(ask("kernel-version", &release("?"), &with), Verdict::Unknown(_)));
    }

    #[test]
    fn a_configuration_that_nobody_wrote_is_missed() {
        let machine = release("6.1.0").file("/boot/config-6.1.0", "CONFIG_BPF=y\n");
        assert_eq!(
            ask("kernel-config", &machine, &[]),
            Verdict::Holds("/boot/config-6.1.0".into())
        );
        assert!(matches!(ask("kernel-config", &release("6.1.0"), &[]), Verdict::Fails(_)));
    }

    #[test]
    fn a_kind_of_namespace_that_is_missing_is_named() {
        let machine = Machine::new().file("/proc/self/ns/net", "").file("/proc/self/ns/pid", "");
        let namespaces = |names| ask("namespaces", &machine, &[("names", names)]);
        assert_eq!(namespaces("net pid"), Verdict::Holds("net pid".into()));
        assert_eq!(namespaces("net user"), Verdict::fails("no namespaces of kind user"));
    }

    #[test]
    fn seccomp_needs_its_filters() {
        let filters = Machine::new().file("/proc/sys/kernel/seccomp/actions_avail", "kill\n");
        assert!(matches!(ask("seccomp", &filters, &[]), Verdict::Holds(_)));
        let strict = Machine::new().file("/proc/self/status", "Seccomp:\t0\n");
        let found = "seccomp without filters (CONFIG_SECCOMP_FILTER)";
        assert_eq!(ask("seccomp", &strict, &[]), Verdict::fails(found));
        let none = Verdict::fails("no seccomp (CONFIG_SECCOMP)");
        assert_eq!(ask("seccomp", &Machine::new(), &[]), none);
    }

    /// Raspberry Pi OS's kernel gives 39 bits, too few for Envoy's allocator.
    #[test]
    fn a_small_address_space_is_found() {
        let with = [("minimum-bits", "48")];
        let arm = |machine: Machine| machine.file("/proc/sys/kernel/arch", "aarch64\n");
        let stack = |end: &str| {
            let line = format!("7ffc000-{end} rw-p 00000000 00:00 0   [stack]\n");
            ask("address-space", &arm(Machine::new().file("/proc/self/maps", &line)), &with)
        };
        assert_eq!(stack("ffffe0e4f000"), Verdict::Holds("48 bits".into()));
        assert_eq!(stack("7fe0e4f000"), Verdict::fails("39 bits, and 48 are needed"));
        let configured =
            arm(release("6.6.1")).file("/boot/config-6.6.1", "CONFIG_ARM64_VA_BITS=52\n");
        assert_eq!(ask("address-space", &configured, &with), Verdict::Holds("52 bits".into()));
        assert!(matches!(ask("address-space", &Machine::new(), &with), Verdict::DoesNotApply(_)));
    }

    #[test]
    fn large_pages_are_found() {
        let pages = |size: usize| {
            let words = [33, 0x7ffe_0000, 6, size, 0, 0];
            let vector: Vec<u8> =
                words.iter().flat_map(|word: &usize| word.to_le_bytes()).collect();
            let machine = Machine::new().bytes("/proc/self/auxv", &vector);
            ask("page-size", &machine, &[("expected", "4096")])
        };
        assert_eq!(pages(4096), Verdict::Holds("4096 bytes".into()));
        assert_eq!(pages(16384), Verdict::fails("16384 bytes instead of 4096"));
    }
}
