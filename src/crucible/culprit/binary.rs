//! What two versions of a file differ in that is no text and of no known kind.

use super::clip::escaped;
use super::kind::moment;
use crate::crucible::proof::Cause;

/// Two builds are not further apart than this, in seconds.
const NEAR: u32 = 86_400;
/// Builds of today lie between these, in seconds since 1970: 2015 and 2050. Narrow, because any four bytes are a number.
const MOMENTS: std::ops::Range<u32> = 1_420_070_400..2_524_608_000;
/// A time is at most so many bytes.
const TIME_BYTES: usize = 16;

/// Classifies two samples that are not the same.
pub(super) fn classify(a: &[u8], b: &[u8]) -> (Cause, String) {
    let length = a.len().min(b.len());
    let differing = (0..length).filter(|at| a[*at] != b[*at]).count();
    let Some(first) = (0..length).find(|at| a[*at] != b[*at]) else { return (Cause::Unknown, String::new()) };
    if differing <= TIME_BYTES
        && let Some((a, b)) = time(a, b, first)
    {
        return (Cause::WallClock, format!("{} / {}", moment(a.into()), moment(b.into())));
    }
    let shown = format!("{} / {}", escaped(&a[first..], 40), escaped(&b[first..], 40));
    let random = length >= 4 && differing * 10 >= length * 6 && is_even(a) && is_even(b);
    (if random { Cause::Random } else { Cause::Unknown }, shown)
}

/// Many different bytes, none of them often: what a random source gives.
fn is_even(bytes: &[u8]) -> bool {
    let mut counts = [0usize; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let distinct = counts.iter().filter(|count| **count > 0).count();
    let most = counts.iter().max().copied().unwrap_or(0);
    distinct * 2 >= bytes.len().min(256) && most * 10 <= bytes.len().max(20)
}

/// A count of seconds that holds the first byte that differs, in either byte order, where numbers stand: at every fourth
/// byte.
fn time(a: &[u8], b: &[u8], first: usize) -> Option<(u32, u32)> {
    let at = first / 4 * 4;
    let word = |bytes: &[u8]| bytes.get(at..at + 4)?.try_into().ok();
    let (a, b): ([u8; 4], [u8; 4]) = (word(a)?, word(b)?);
    let pairs = [(u32::from_le_bytes(a), u32::from_le_bytes(b)), (u32::from_be_bytes(a), u32::from_be_bytes(b))];
    pairs.into_iter().find(|(a, b)| MOMENTS.contains(a) && MOMENTS.contains(b) && a.abs_diff(*b) < NEAR)
}
