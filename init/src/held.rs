//! The held descriptors: which of init's file descriptors it keeps for `supervise`, by name.
//! Numbers only; the program closes and sends what they stand for.

use wire::link::Name;

/// So many can be held: a log and a readiness FIFO for 2,000 services.
pub const CAPACITY: usize = 4096;

/// The table. All zero: empty. Used slots come first, without gaps, so that what is not used is
/// never touched, and costs no memory.
#[derive(Debug)]
#[repr(C)]
pub struct Held {
    slots: [Slot; CAPACITY],
    used: u32,
}

/// A name as the link has it (`len` may be anything after a crash: it is checked), and a number.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Slot {
    name: [u8; wire::link::NAME_MAX],
    len: u32,
    fd: i32,
}

/// The table is full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

impl Held {
    /// An empty table, for tests; the program's own begins as zeroed memory.
    #[must_use]
    pub const fn new() -> Self {
        let empty = Slot { name: [0; wire::link::NAME_MAX], len: 0, fd: 0 };
        Self { slots: [empty; CAPACITY], used: 0 }
    }

    /// Keeps `fd` under this name. Returns the one that had the name before: close it.
    pub fn hold(&mut self, name: &Name, fd: i32) -> Result<Option<i32>, Full> {
        if let Some(slot) = self.slot_mut(name) {
            return Ok(Some(core::mem::replace(&mut slot.fd, fd)));
        }
        let slot = self.slots.get_mut(index(self.used)).ok_or(Full)?;
        let text = name.as_bytes();
        slot.name = [0; wire::link::NAME_MAX];
        for (to, from) in slot.name.iter_mut().zip(text) {
            *to = *from;
        }
        slot.len = u32::try_from(text.len()).unwrap_or(0);
        slot.fd = fd;
        self.used = self.used.saturating_add(1);
        Ok(None)
    }

    /// The descriptor of this name.
    #[must_use]
    pub fn find(&self, name: &Name) -> Option<i32> {
        self.in_use().iter().find(|slot| slot.is(name)).map(|slot| slot.fd)
    }

    /// Forgets the name. Returns its descriptor: close it.
    pub fn remove(&mut self, name: &Name) -> Option<i32> {
        let last = self.in_use().last().copied()?;
        let slot = self.slot_mut(name)?;
        let fd = slot.fd;
        // The last one moves into the gap. After a fatal signal between these two it is there
        // twice, under one name and with one number: harmless.
        *slot = last;
        self.used = self.used.saturating_sub(1);
        Some(fd)
    }

    /// All of them.
    pub fn fds(&self) -> impl Iterator<Item = i32> + '_ {
        self.in_use().iter().map(|slot| slot.fd)
    }

    fn in_use(&self) -> &[Slot] {
        self.slots.get(..index(self.used)).unwrap_or(&self.slots)
    }

    fn slot_mut(&mut self, name: &Name) -> Option<&mut Slot> {
        let used = index(self.used);
        self.slots.iter_mut().take(used).find(|slot| slot.is(name))
    }
}

impl Default for Held {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    fn is(&self, name: &Name) -> bool {
        self.name.get(..index(self.len)) == Some(name.as_bytes())
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_name_finds_its_descriptor_and_no_other() {
        let mut held = Held::new();
        assert_eq!(held.find(&name("a")), None);
        assert_eq!(held.hold(&name("a"), 5), Ok(None));
        assert_eq!(held.hold(&name("ab"), 6), Ok(None));
        assert_eq!(held.find(&name("a")), Some(5));
        assert_eq!(held.find(&name("ab")), Some(6));
        assert_eq!(held.find(&name("b")), None);
    }

    #[test]
    fn a_second_one_replaces_the_first() {
        let mut held = Held::new();
        assert_eq!(held.hold(&name("a"), 5), Ok(None));
        assert_eq!(held.hold(&name("a"), 6), Ok(Some(5)));
        assert_eq!(held.fds().count(), 1);
    }

    #[test]
    fn what_is_removed_is_gone_and_the_rest_is_not() {
        let mut held = Held::new();
        for fd in 3..20 {
            assert_eq!(held.hold(&name(&format!("log/{fd}")), fd), Ok(None));
        }
        for fd in [3, 19, 10] {
            assert_eq!(held.remove(&name(&format!("log/{fd}"))), Some(fd));
            assert_eq!(held.remove(&name(&format!("log/{fd}"))), None);
        }
        for fd in (4..19).filter(|fd| *fd != 10) {
            assert_eq!(held.find(&name(&format!("log/{fd}"))), Some(fd));
        }
        assert_eq!(held.fds().count(), 14);
    }

    #[test]
    fn a_full_table_refuses_names_that_are_new() {
        let mut held = Held::new();
        for fd in 0..i32::try_from(CAPACITY).unwrap() {
            assert_eq!(held.hold(&name(&format!("{fd}")), fd), Ok(None));
        }
        assert_eq!(held.hold(&name("one-more"), 1), Err(Full));
        assert_eq!(held.hold(&name("17"), 1), Ok(Some(17)));
        assert_eq!(held.remove(&name("4095")), Some(4095));
        assert_eq!(held.hold(&name("one-more"), 2), Ok(None));
    }

    #[test]
    fn any_bit_pattern_is_a_table() {
        let slot = Slot { name: [255; wire::link::NAME_MAX], len: u32::MAX, fd: -1 };
        let mut held = Held { slots: [slot; CAPACITY], used: u32::MAX };
        assert_eq!(held.find(&name("a")), None);
        assert_eq!(held.remove(&name("a")), None);
        assert_eq!(held.hold(&name("a"), 3), Err(Full));
        assert_eq!(held.fds().count(), CAPACITY);
    }
}
