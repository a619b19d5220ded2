//! The journal's one record: what was about to be appended to which file, for which bytes of which
//! FIFO. It lies in a tmpfs file; what was consumed of the FIFO lies behind it, so that the file's
//! length tells how much that was.
//!
//! Integers are little-endian; a CRC-32 of all that precedes it ends the record.

use crate::{Rate, Rules, Stamp};

/// A file's identity: device and inode.
pub type FileId = (u64, u64);

/// See the module's head.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// The log's name.
    pub name: String,
    /// The FIFO.
    pub fifo: FileId,
    /// The file that was `current`.
    pub file: FileId,
    /// Its length before.
    pub before: u64,
    /// So much was to be appended.
    pub out: u64,
    /// For so many bytes of the FIFO.
    pub take: u64,
    /// The time that the lines were given.
    pub stamp: Stamp,
    /// How they were cut.
    pub rules: Rules,
    /// From which state of the rate limit.
    pub rate: Rate,
}

const MAGIC: [u8; 8] = *b"cooperl1";
const NAME_MAX: usize = 255;
/// Bytes before the name.
const FIXED: usize = 8 + 13 * 8;

impl Record {
    /// An encoded record's length.
    pub const SIZE: usize = 512;

    /// To bytes. `None`: the name is too long, which [`crate::names::is_log`] forbids.
    #[must_use]
    pub fn encode(&self) -> Option<[u8; Self::SIZE]> {
        let flags = u64::from(self.rules.timestamps) | (u64::from(self.rules.flush) << 1);
        let name_len = u8::try_from(self.name.len()).ok()?;
        let numbers: [u64; 13] = [
            self.fifo.0,
            self.fifo.1,
            self.file.0,
            self.file.1,
            self.before,
            self.out,
            self.take,
            self.stamp.0,
            flags,
            u64::from(self.rules.rate_max),
            self.rate.second,
            u64::from(self.rate.used),
            u64::from(name_len),
        ];
        let mut bytes = [0; Self::SIZE];
        let (body, crc) = bytes.split_last_chunk_mut::<4>()?;
        let (fixed, rest) = body.split_first_chunk_mut::<FIXED>()?;
        let (magic, words) = fixed.split_first_chunk_mut::<8>()?;
        *magic = MAGIC;
        for (word, number) in words.chunks_exact_mut(8).zip(numbers) {
            word.copy_from_slice(&number.to_le_bytes());
        }
        rest.get_mut(..self.name.len())?.copy_from_slice(self.name.as_bytes());
        *crc = crc32fast::hash(body).to_le_bytes();
        Some(bytes)
    }

    /// From bytes; `None`: not a whole record, so nothing had been begun.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::SIZE] = bytes.try_into().ok()?;
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(body).to_le_bytes() != *crc {
            return None;
        }
        let (fixed, rest) = body.split_first_chunk::<FIXED>()?;
        let words = fixed.strip_prefix(&MAGIC)?;
        let mut numbers =
            words.chunks_exact(8).filter_map(|w| Some(u64::from_le_bytes(w.try_into().ok()?)));
        let mut next = || numbers.next();
        let (fifo, file) = ((next()?, next()?), (next()?, next()?));
        let (before, out, take, stamp) = (next()?, next()?, next()?, Stamp(next()?));
        let (flags, rate_max) = (next()?, u32::try_from(next()?).ok()?);
        let rate = Rate { second: next()?, used: u32::try_from(next()?).ok()? };
        let name = rest.get(..usize::try_from(next()?).ok()?.min(NAME_MAX))?;
        let rules = Rules {
            timestamps: flags & 1 != 0,
            flush: flags & 2 != 0,
            rate_max,
            out_max: usize::try_from(out).ok()?,
        };
        let name = String::from_utf8(name.to_vec()).ok()?;
        Some(Self { name, fifo, file, before, out, take, stamp, rules, rate })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(name: &str, n: u64) -> Record {
        let rules = Rules { timestamps: true, rate_max: 7, flush: false, out_max: 100 };
        Record {
            name: name.to_owned(),
            fifo: (n, 2),
            file: (3, 4),
            before: 5,
            out: 100,
            take: 70,
            stamp: Stamp(n),
            rules,
            rate: Rate { second: 8, used: 9 },
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        // A torn record is no record.
        let bytes = record("kubelet", 1).encode().unwrap();
        for bit in 0..Record::SIZE * 8 {
            let mut torn = bytes;
            torn[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(&torn), None, "bit {bit}");
        }
        assert_eq!(Record::decode(&bytes[..511]), None);
        assert_eq!(Record::decode(&[0; Record::SIZE]), None);
    }

    proptest! {
        #[test]
        fn decode_returns_what_was_encoded(name in "[a-z@.]{1,255}", n: u64) {
            let record = record(&name, n);
            prop_assert_eq!(Record::decode(&record.encode().unwrap()), Some(record));
        }

        #[test]
        fn decode_survives_anything(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Record::decode(&bytes);
        }
    }
}
