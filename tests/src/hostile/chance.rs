//! Chance that can be had again: `SEED=n` repeats what a failed run has printed.

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// A source of chance for `test`; prints its seed.
///
/// # Errors
/// When `SEED` is no number.
pub fn chance(test: &str) -> Result<StdRng> {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().context("SEED is a whole number")?,
        Err(_) => rand::random(),
    };
    tell(&format!("{test}: SEED={seed}"));
    Ok(StdRng::seed_from_u64(seed))
}

/// Prints `text`, which a failed test shows.
#[expect(clippy::print_stdout, reason = "this is where tests print")]
pub fn tell(text: &str) {
    println!("{text}");
}

/// `length` random bytes at most.
pub fn noise(chance: &mut impl Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; chance.random_range(0..=length)];
    chance.fill_bytes(&mut bytes);
    bytes
}

/// `bytes` with a few things done to them that lines, disks and bad programs do.
#[must_use]
pub fn mutated(bytes: &[u8], chance: &mut impl Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..chance.random_range(1..=4) {
        if bytes.is_empty() {
            return noise(chance, 8);
        }
        let at = chance.random_range(0..bytes.len());
        match chance.random_range(0..7) {
            0 => bytes[at] ^= 1 << chance.random_range(0..8),
            1 => bytes[at] = *[0, 1, 0x7F, 0x80, 0xFF].choose(chance).unwrap_or(&0),
            2 => bytes.truncate(at),
            3 => {
                bytes.remove(at);
            }
            4 => bytes.insert(at, chance.random()),
            5 => {
                let end = chance.random_range(at..=bytes.len());
                let again = bytes.get(at..end).unwrap_or_default().to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let other = noise(chance, 16);
                bytes.splice(at..at, other);
            }
        }
    }
    bytes
}
