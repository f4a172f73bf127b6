//! Reproducible randomness: `SEED=n` repeats a failed run, which has printed its seed.

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// A random generator for `test`; prints its seed.
///
/// # Errors
/// If `SEED` is not a number.
pub fn chance(test: &str) -> Result<StdRng> {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().context("SEED is a whole number")?,
        Err(_) => rand::random(),
    };
    print_line(&format!("{test}: SEED={seed}"));
    Ok(StdRng::seed_from_u64(seed))
}

/// Prints `text`, which a failed test shows.
#[expect(clippy::print_stdout, reason = "this is where tests print")]
pub fn print_line(text: &str) {
    println!("{text}");
}

/// At most `length` random bytes.
pub fn noise(chance: &mut impl Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; chance.random_range(0..=length)];
    chance.fill_bytes(&mut bytes);
    bytes
}

/// `bytes` with some typical errors of lines, disks and faulty programs.
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
