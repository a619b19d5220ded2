//! The kernel's random numbers.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// As much as one call takes: a seed is smaller.
const WORDS_MAX: usize = 128;

/// `struct rand_pool_info` of linux/random.h.
#[repr(C)]
struct Pool {
    bits: libc::c_int,
    bytes: libc::c_int,
    words: [u32; WORDS_MAX],
}

/// Mixes `seed` into the pool, and counts it as that much randomness: only for one that nobody
/// knows, and that is never used again. At most 512 bytes count.
///
/// # Errors
/// What the kernel says; EPERM without CAP_SYS_ADMIN.
pub fn credit(device: impl AsFd, seed: &[u8]) -> io::Result<()> {
    let mut pool = Pool { bits: 0, bytes: 0, words: [0; WORDS_MAX] };
    for (word, bytes) in pool.words.iter_mut().zip(seed.chunks_exact(4)) {
        *word = u32::from_ne_bytes(bytes.try_into().unwrap_or_default());
        pool.bytes = pool.bytes.saturating_add(4);
    }
    pool.bits = pool.bytes.saturating_mul(8);
    // SAFETY: RNDADDENTROPY reads a rand_pool_info and as many bytes behind its two numbers as the
    // second one says, which is no more than there are.
    let result = unsafe { libc::ioctl(device.as_fd().as_raw_fd(), RNDADDENTROPY, &raw const pool) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `_IOW('R', 3, int[2])`.
const RNDADDENTROPY: libc::Ioctl = 0x4008_5203;

#[cfg(test)]
mod tests {
    use super::credit;
    use crate::testing::is_emulated;
    use std::fs::File;

    #[test]
    fn what_is_no_random_device_takes_no_seed() {
        if is_emulated("add to the kernel's randomness") {
            return;
        }
        let null = File::open("/dev/null").unwrap();
        assert_eq!(credit(null, &[1; 64]).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }

    #[test]
    fn root_may_and_others_may_not() {
        if is_emulated("add to the kernel's randomness") {
            return;
        }
        let device = File::options().write(true).open("/dev/urandom").unwrap();
        let error = credit(device, &[7; 600]).err().and_then(|error| error.raw_os_error());
        let may = rustix::process::geteuid().is_root();
        // A container's root may lack the capability.
        assert!(error == Some(libc::EPERM) || (may && error.is_none()), "{error:?}");
    }
}
