//! User, groups and capabilities of the child, in the only order that works: the bounding set
//! while we may still change it, then groups, group and user, then what is to be kept.

use graph::CapabilitySet;
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet as Bits, CapabilitySets, capabilities, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::prepare::Prepared;
use crate::Errno;

/// Numbers that a capability set has room for.
const NUMBERS: u32 = 64;

/// Takes everything outside the bounding set away, for ever.
pub(super) fn limit(wanted: Option<CapabilitySet>) -> Result<(), Errno> {
    let Some(bounding) = wanted.and_then(|set| set.bounding) else { return Ok(()) };
    for capability in each(!bounding) {
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel knows none from this number on.
            Err(Errno::INVAL) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Gives up groups, group and user, in this order: after the last one nothing else is allowed.
pub(super) fn become_user(prepared: &Prepared) -> Result<(), Errno> {
    let Some(identity) = &prepared.identity else { return Ok(()) };
    if prepared.capabilities.is_some_and(|set| set.ambient != 0) {
        // Else the change of user would clear the permitted set. Exec resets it.
        set_keep_capabilities(true)?;
    }
    set_thread_groups(&identity.groups)?;
    let gid = Gid::from_raw(identity.gid);
    set_thread_res_gid(gid, gid, gid)?;
    let uid = Uid::from_raw(identity.uid);
    set_thread_res_uid(uid, uid, uid)
}

/// Raises the ambient set, which exec turns into the program's own; then closes the door.
pub(super) fn keep(prepared: &Prepared) -> Result<(), Errno> {
    if let Some(wanted) = prepared.capabilities {
        let ambient = Bits::from_bits_retain(wanted.ambient);
        let now = capabilities(None)?;
        // Ambient needs both permitted and inheritable; and nothing else is to be inheritable.
        set_capabilities(
            None,
            CapabilitySets {
                effective: now.effective | ambient,
                permitted: now.permitted | ambient,
                inheritable: ambient,
            },
        )?;
        for capability in each(wanted.ambient) {
            configure_capability_in_ambient_set(capability, true)?;
        }
    }
    if prepared.no_new_privs { set_no_new_privs(true) } else { Ok(()) }
}

/// The single capabilities of `bits`, lowest first.
fn each(bits: u64) -> impl Iterator<Item = Bits> {
    (0..NUMBERS)
        .map(|number| 1_u64.checked_shl(number).unwrap_or(0))
        .filter(move |bit| bits & bit != 0)
        .map(Bits::from_bits_retain)
}
