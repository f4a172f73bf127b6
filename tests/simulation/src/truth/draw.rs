//! Random draws of the generator that the random source doesn't provide.

use chrono::TimeDelta;
use rand::Rng as _;
use rand::rngs::StdRng;
use uuid::Uuid;

use super::assumptions::LogNormal;

/// A normal distribution (Box and Muller).
fn normal(rng: &mut StdRng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A duration in whole milliseconds, at least one.
pub fn duration(rng: &mut StdRng, of: LogNormal) -> TimeDelta {
    seconds(of.median_s * (of.sigma * normal(rng)).exp())
}

/// `seconds` in whole milliseconds, at least one.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "some seconds")]
pub fn seconds(seconds: f64) -> TimeDelta {
    TimeDelta::milliseconds(((seconds * 1e3) as i64).max(1))
}

/// A uniform number of seconds from a range.
pub fn between(rng: &mut StdRng, (least, most): (f64, f64)) -> f64 {
    least + (most - least) * rng.random::<f64>()
}

/// A count with the mean `mean` (Poisson).
pub fn count(rng: &mut StdRng, mean: f64) -> usize {
    let mut left = mean;
    let mut count = 0;
    loop {
        left += (1.0 - rng.random::<f64>()).ln();
        if left < 0.0 {
            return count;
        }
        count += 1;
    }
}

/// An index, drawn in proportion to its weight.
pub fn one_of(rng: &mut StdRng, weights: &[f64]) -> usize {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (number, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return number;
        }
    }
    weights.len().saturating_sub(1)
}

/// A unique identifier.
pub fn id(rng: &mut StdRng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid()
}
