//! Benches: the product's figures, measured on real parts next to comparable software. Figures are printed and not
//! asserted, because a busy machine doesn't mean a broken product.
//!
//! Every bench adds its results to a [`figures::Report`]. Ours: [`fold`], [`footprint`], [`latency`], [`listing`],
//! [`ingest`], [`projection`] (and [`beside`] it), [`due`], [`streams`], [`growth`]. Others: [`peer`], [`producer`], [`shipper`], [`sink`].

pub mod beside;
pub mod due;
pub mod figures;
pub mod fold;
pub mod footprint;
pub mod growth;
pub mod ingest;
pub mod latency;
pub mod listing;
pub mod machine;
pub mod meter;
pub mod number;
pub mod past;
pub mod peer;
pub mod producer;
pub mod projection;
pub mod rows;
pub mod shipper;
pub mod siege;
pub mod sink;
pub mod stage;
pub mod streams;
pub mod topic;
pub mod traffic;
pub mod usage;

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

#[expect(clippy::cast_precision_loss, reason = "a size")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert!((quantile(&values, 0.99) - 99.0).abs() < f64::EPSILON);
        assert!((quantile(&values, 0.0) - 0.0).abs() < f64::EPSILON);
        assert!((quantile(&values, 1.0) - 100.0).abs() < f64::EPSILON);
        assert!((quantile(&[7.0], 0.5) - 7.0).abs() < f64::EPSILON);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
