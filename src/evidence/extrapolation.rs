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

/// |one − other|_∞, NaN if an entry is, if an entry is without a partner, or if there is none: no comparison of nothing passes.
pub fn largest_difference<'a, A, B>(one: A, other: B) -> f64
where
    A: IntoIterator<Item = &'a f64, IntoIter: ExactSizeIterator>,
    B: IntoIterator<Item = &'a f64, IntoIter: ExactSizeIterator>,
{
    let (one, other) = (one.into_iter(), other.into_iter());
    if one.len() == 0 || one.len() != other.len() {
        return f64::NAN;
    }
    largest(one.zip(other).map(|(a, b)| a - b))
}

impl Limit {
    /// From v(h) and v(h/ρ), with ρ = `ratio` > 1 and s = `order`.
    pub fn of(coarse: &[f64], fine: &[f64], ratio: f64, order: f64) -> Self {
        let gain = ratio.powf(order) - 1.0;
        let pairs = fine.iter().zip(coarse);
        Self {
            values: pairs.map(|(a, b)| a + (a - b) / gain).collect(),
            error: largest_difference(fine, coarse) / gain,
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
        Evidence::compare(
            Kind::Numerical,
            what,
            largest_difference(&self.values, predicted),
            0.0,
            self.error + uncertainty,
        )
    }
}
