//! Limits of quantities that have an expansion in a small parameter (Richardson).

use super::{Evidence, Kind};

/// The limit of v(h) = v + C h^s + … as h → 0, entry by entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// v.
    pub values: Vec<f64>,
    /// The largest correction of an entry: the estimated error *before* extrapolation.
    pub error: f64,
}

/// |v|_∞, NaN if an entry is.
pub fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    let sizes = values.into_iter().map(f64::abs);
    sizes.fold(0.0, |a, b| if b.is_nan() || b > a { b } else { a })
}

/// NaN where entries are without a partner, so that no comparison passes.
fn nothing_unless(complete: bool) -> f64 {
    if complete { 0.0 } else { f64::NAN }
}

impl Limit {
    /// From v(h) and v(h/ρ), with ρ = `ratio` > 1 and s = `order`.
    pub fn of(coarse: &[f64], fine: &[f64], ratio: f64, order: f64) -> Self {
        let gain = ratio.powf(order) - 1.0;
        let pairs = fine.iter().zip(coarse);
        let corrections: Vec<f64> = pairs.map(|(fine, coarse)| (fine - coarse) / gain).collect();
        Self {
            values: fine.iter().zip(&corrections).map(|(a, b)| a + b).collect(),
            error: largest(corrections) + nothing_unless(fine.len() == coarse.len()),
        }
    }

    /// From v(h), v(h/ρ) and v(h/ρ²): the last two give the limit; the error is at least what the first
    /// two lead to expect of theirs, lest a correction that happens to vanish pass for accuracy.
    pub fn of_three([coarse, middle, fine]: [&[f64]; 3], ratio: f64, order: f64) -> Self {
        let before = Self::of(coarse, middle, ratio, order);
        let limit = Self::of(middle, fine, ratio, order);
        Self {
            error: limit.error.max(before.error / ratio.powf(order)),
            ..limit
        }
    }

    /// Compares the limit with a prediction that is right to `uncertainty`; one of another length, or of none, does not pass.
    pub fn against(
        &self,
        what: impl Into<String>,
        predicted: &[f64],
        uncertainty: f64,
    ) -> Evidence {
        let pairs = self.values.iter().zip(predicted);
        let complete = !predicted.is_empty() && self.values.len() == predicted.len();
        let distance = largest(pairs.map(|(a, b)| a - b)) + nothing_unless(complete);
        Evidence::compare(
            Kind::Numerical,
            what,
            distance,
            0.0,
            self.error + uncertainty,
        )
    }
}
