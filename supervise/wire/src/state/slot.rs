//! Data of a fixed size that is kept twice, so that one copy is whole at any moment.
//!
//! A copy is its number, its checksum (over number and data) and its data. The valid copy with
//! the higher number counts. The writer overwrites the other one: number to 0, data, checksum,
//! new number. So a reader that saw the same number before and after has read one version, and a
//! writer that dies half way leaves a copy that does not count, beside one that does.

use core::sync::atomic::{AtomicU32, Ordering, fence};

use super::Words;

/// Number and checksum.
const EXTRA: usize = 2;
/// Words to add to a checksum at a time: it takes many bytes much faster than few.
const BLOCK: usize = 16;
/// A reader meets a writer at most now and then; this often in a row it never does.
const TRIES: usize = 8;

/// The newer whole copy of the two at word `at`.
pub(super) fn read<const N: usize, W: Words>(words: W, at: usize) -> Option<[u32; N]> {
    (0..TRIES).find_map(|_| {
        let second = at.checked_add(EXTRA)?.checked_add(N)?;
        let (newer, older) = match words.word(at)? >= words.word(second)? {
            true => (at, second),
            false => (second, at),
        };
        copy(words, newer).or_else(|| copy(words, older))
    })
}

/// Overwrites the older of the two copies at word `at`.
pub(super) fn write<const N: usize>(words: &[AtomicU32], at: usize, data: &[u32; N]) {
    let size = EXTRA.saturating_add(N);
    let second = at.saturating_add(size);
    // One that is not whole has no number: only we write.
    let number = |at| words.get(at).map_or(0, |word: &AtomicU32| word.load(Ordering::Relaxed));
    let (first_number, second_number) = (number(at), number(second));
    let target = if first_number <= second_number { at } else { second };
    // Wrapping would make the new copy the older one, once in 2^32 writes of one record.
    let next = first_number.max(second_number).saturating_add(1);
    let Some([head, sum, body @ ..]) = words.get(target..target.saturating_add(size)) else {
        return;
    };
    head.store(0, Ordering::Relaxed);
    fence(Ordering::Release);
    for (word, value) in body.iter().zip(data) {
        word.store(*value, Ordering::Relaxed);
    }
    sum.store(checksum(next, data), Ordering::Relaxed);
    head.store(next, Ordering::Release);
}

/// Both halves of a number, the lower one first.
pub(super) fn halves(value: u64) -> [u32; 2] {
    let half = |value: u64| u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    [half(value), half(value >> 32)]
}

/// Reads one copy; none if it is not whole.
fn copy<const N: usize, W: Words>(words: W, at: usize) -> Option<[u32; N]> {
    let number = words.word(at).filter(|number| *number != 0)?;
    let sum = words.word(at.checked_add(1)?)?;
    let mut data = [0; N];
    for (index, word) in (at.checked_add(EXTRA)?..).zip(&mut data) {
        *word = words.word(index)?;
    }
    fence(Ordering::Acquire);
    let same = words.word(at) == Some(number);
    (same && sum == checksum(number, &data)).then_some(data)
}

fn checksum(number: u32, data: &[u32]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_ne_bytes());
    for words in data.chunks(BLOCK) {
        let mut bytes = [[0; size_of::<u32>()]; BLOCK];
        words.iter().zip(&mut bytes).for_each(|(word, bytes)| *bytes = word.to_ne_bytes());
        hasher.update(bytes.get(..words.len()).unwrap_or_default().as_flattened());
    }
    hasher.finalize()
}
