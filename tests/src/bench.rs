//! What the product promises in figures, measured on the real parts. A figure is printed, never asserted: a busy machine
//! is not a broken product.

pub mod beside;
pub mod fold;
pub mod footprint;
pub mod latency;
pub mod listing;
pub mod peer;
pub mod projection;
pub mod traffic;

/// The value below which `share` (0 to 1) of the sorted `values` lie.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((values.len().saturating_sub(1)) as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}
