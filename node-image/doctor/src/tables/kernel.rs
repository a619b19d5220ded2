//! Options of the kernel's configuration.

use facts::KernelOptions;

use crate::{
    finding::{Entry, Finding, Verdict},
    system::System,
};

/// The module that an option builds, for those that have one by another name than the option's own
/// in small letters. Where no configuration can be read, the module's being there proves the
/// option.
const MODULES: [(&str, &str); 21] = [
    ("BRIDGE_NETFILTER", "br_netfilter"),
    ("DM_CRYPT", "dm_crypt"),
    ("EXT4_FS", "ext4"),
    ("IP6_NF_FILTER", "ip6table_filter"),
    ("IP6_NF_NAT", "ip6table_nat"),
    ("IP_NF_FILTER", "iptable_filter"),
    ("IP_NF_MANGLE", "iptable_mangle"),
    ("IP_NF_NAT", "iptable_nat"),
    ("IP_NF_RAW", "iptable_raw"),
    ("IP_NF_TARGET_MASQUERADE", "xt_MASQUERADE"),
    ("IP_NF_TARGET_REDIRECT", "xt_REDIRECT"),
    ("IP_NF_TARGET_REJECT", "ipt_REJECT"),
    ("NETFILTER_XT_SET", "xt_set"),
    ("NET_CLS_BPF", "cls_bpf"),
    ("NET_SCH_FQ", "sch_fq"),
    ("NET_SCH_INGRESS", "sch_ingress"),
    ("NFS_FS", "nfs"),
    ("NFS_V4", "nfsv4"),
    ("OVERLAY_FS", "overlay"),
    ("PROC_FS", "proc"),
    ("SCSI_ISCSI_ATTRS", "scsi_transport_iscsi"),
];

/// One finding for each option, so that one can be looked for.
pub fn judge(options: &KernelOptions, system: &System) -> Vec<Finding> {
    let finding = |option: &String| {
        let entry = Entry {
            id: format!("kernel:{option}"),
            severity: options.severity,
            why: &options.why,
            // The same for all, so that those with the same reason can be told in one.
            fix: "boot a kernel that was built with it (CONFIG_…)".into(),
            source: &options.source,
            by: &options.by,
        };
        Finding::new(entry, verdict(option, system))
    };
    options.options.iter().map(finding).collect()
}

/// `A|B`: one of them is enough.
fn verdict(option: &str, system: &System) -> Verdict {
    if let Some(config) = system.kernel_config() {
        let found = option.split('|').find_map(|name| match config.value(name) {
            Some("y") => Some(format!("CONFIG_{name}: built in")),
            Some("m") => Some(format!("CONFIG_{name}: a module")),
            Some(_) | None => None,
        });
        return found.map_or_else(|| Verdict::fails("it is off"), Verdict::Holds);
    }
    let module = option.split('|').map(module_of).find(|module| has_module(module, system));
    match module {
        Some(module) => Verdict::Holds(format!("its module {module} is there")),
        None => Verdict::Unknown("the kernel's configuration is nowhere".into()),
    }
}

fn module_of(option: &str) -> String {
    if let Some((_, module)) = MODULES.iter().find(|(name, _)| *name == option) {
        return (*module).into();
    }
    let small = option.to_lowercase();
    let kinds = ["netfilter_xt_match_", "netfilter_xt_target_"];
    match (small.strip_prefix(kinds[0]), option.strip_prefix("NETFILTER_XT_TARGET_")) {
        (Some(name), _) => format!("xt_{name}"),
        (None, Some(name)) => format!("xt_{name}"),
        (None, None) => small,
    }
}

/// Loaded, built in, or there to be loaded.
fn has_module(module: &str, system: &System) -> bool {
    if system.exists(&format!("/sys/module/{module}")) {
        return true;
    }
    let directory = format!("/lib/modules/{}", system.kernel_release());
    ["modules.builtin", "modules.dep"].iter().any(|list| {
        let text = system.text(&format!("{directory}/{list}")).unwrap_or_default();
        text.lines().any(|line| {
            let path = line.split_once(':').map_or(line, |(path, _)| path);
            let file = path.rsplit('/').next().unwrap_or_default();
            let stem = file.split_once(".ko").map_or(file, |(stem, _)| stem);
            stem.replace('-', "_") == module
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::testing::Machine;

    fn judged(machine: &Machine, option: &str) -> Verdict {
        verdict(option, &machine.system())
    }

    #[test]
    fn an_option_is_on_in_either_way() {
        let machine = Machine::new()
            .file("/proc/sys/kernel/osrelease", "6.1.0")
            .file("/boot/config-6.1.0", "CONFIG_VETH=m\nCONFIG_SECCOMP=y\nCONFIG_HZ=250\n");
        let holds = |option, found: &str| {
            assert_eq!(judged(&machine, option), Verdict::Holds(found.into()));
        };
        holds("VETH", "CONFIG_VETH: a module");
        holds("SECCOMP", "CONFIG_SECCOMP: built in");
        holds("NF_NAT_IPV4|SECCOMP", "CONFIG_SECCOMP: built in");
        assert_eq!(judged(&machine, "BRIDGE"), Verdict::fails("it is off"));
        assert_eq!(judged(&machine, "HZ"), Verdict::fails("it is off"));
    }

    /// Without a configuration a module proves its option; its absence proves nothing.
    #[test]
    fn a_module_stands_for_its_option() {
        let machine = Machine::new()
            .file("/proc/sys/kernel/osrelease", "6.1.0")
            .file("/lib/modules/6.1.0/modules.builtin", "kernel/drivers/net/veth.ko\n")
            .file(
                "/lib/modules/6.1.0/modules.dep",
                "kernel/net/netfilter/xt_comment.ko.xz: kernel/net/netfilter/x_tables.ko.xz\n\
                 kernel/net/bridge/br_netfilter.ko.gz:\n",
            )
            .directory("/sys/module/xt_MASQUERADE");
        for option in [
            "VETH",
            "NETFILTER_XT_MATCH_COMMENT",
            "BRIDGE_NETFILTER",
            "NF_NOTHING|NETFILTER_XT_TARGET_MASQUERADE",
        ] {
            assert!(matches!(judged(&machine, option), Verdict::Holds(_)), "{option}");
        }
        assert!(matches!(judged(&machine, "BRIDGE"), Verdict::Unknown(_)));
    }
}
