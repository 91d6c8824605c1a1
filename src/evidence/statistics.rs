//! Tests of stated size and power (proofs.md, "How a test is sized").
//!
//! Every test is two-sided: it rejects where p < α. Its power is the probability of that under a
//! named alternative, computed from the same law as its threshold.

use statrs::{
    distribution::{ChiSquared, Continuous, ContinuousCDF, Normal, Uniform},
    stats_tests::{
        NaNPolicy,
        ks_test::{KSOneSampleAlternativeMethod, ks_onesample},
    },
};

use super::{Evidence, Kind, TestFigures};

/// Size of every statistical test of the audit: a hundred of them together reject a true theory
/// with probability below 10⁻³.
pub const SIZE: f64 = 1e-5;

/// How a false theory would move a statistic.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// In words.
    pub what: String,
    /// The statistic is multiplied by this (χ²), or its mean moved by this (z).
    pub effect: f64,
}

impl Alternative {
    /// An alternative with its effect on the statistic.
    pub fn new(what: impl Into<String>, effect: f64) -> Self {
        Self {
            what: what.into(),
            effect,
        }
    }
}

fn quantile(distribution: &(impl ContinuousCDF<f64, f64> + Continuous<f64, f64>), p: f64) -> f64 {
    distribution.inverse_cdf(p)
}

fn two_sided(below: f64, above: f64) -> f64 {
    (2.0 * below.min(above)).min(1.0)
}

/// χ² test of a sum of `degrees` squared standard normals.
///
/// The alternative multiplies the statistic by its effect (a variance wrong by that factor).
pub fn chi_square(
    what: impl Into<String>,
    statistic: f64,
    degrees: usize,
    samples: usize,
    alternative: &Alternative,
) -> Evidence {
    let degrees = degrees as f64;
    let Ok(law) = ChiSquared::new(degrees) else {
        return untestable(what, "no degrees of freedom");
    };
    let [low, high] = [SIZE / 2.0, 1.0 - SIZE / 2.0].map(|p| quantile(&law, p));
    let power = law.sf(high / alternative.effect) + law.cdf(low / alternative.effect);
    let p_value = two_sided(law.cdf(statistic), law.sf(statistic));
    let threshold = if statistic > degrees {
        high - degrees
    } else {
        degrees - low
    };
    tested(
        what,
        statistic,
        degrees,
        threshold,
        p_value,
        power,
        samples,
        alternative,
    )
}

/// χ² test of a sum of `degrees` squared standard normals, whose alternative adds its effect to the
/// statistic's mean by shifting a normal mean (noncentrality).
///
/// The power is a lower bound: a vector is at least as long as its component along the shift.
pub fn chi_square_shift(
    what: impl Into<String>,
    statistic: f64,
    degrees: usize,
    samples: usize,
    alternative: &Alternative,
) -> Evidence {
    let plain = chi_square(
        what,
        statistic,
        degrees,
        samples,
        &Alternative::new("", 1.0),
    );
    let law = Normal::standard();
    let critical = ChiSquared::new(degrees as f64)
        .map_or(f64::INFINITY, |law| quantile(&law, 1.0 - SIZE / 2.0));
    // |u + s| ≥ |s| + uᵀs/|s|, and uᵀs/|s| is standard normal.
    let power = law.sf(critical.sqrt() - alternative.effect.sqrt());
    Evidence {
        test: TestFigures {
            power: Some(power),
            alternative: Some(alternative.what.clone()),
            ..plain.test
        },
        ..plain
    }
}

/// z test of a mean with a predicted standard error; the alternative shifts the mean by its effect.
pub fn mean(
    what: impl Into<String>,
    measured: f64,
    predicted: f64,
    standard_error: f64,
    samples: usize,
    alternative: &Alternative,
) -> Evidence {
    let (Ok(law), true) = (Normal::new(0.0, 1.0), standard_error > 0.0) else {
        return untestable(what, "no standard error");
    };
    let critical = quantile(&law, 1.0 - SIZE / 2.0);
    let z = (measured - predicted) / standard_error;
    let shift = alternative.effect / standard_error;
    let power = law.sf(critical - shift) + law.cdf(-critical - shift);
    let p_value = two_sided(law.cdf(z), law.sf(z));
    let threshold = critical * standard_error;
    tested(
        what,
        measured,
        predicted,
        threshold,
        p_value,
        power,
        samples,
        alternative,
    )
}

/// Kolmogorov–Smirnov test that p-values (or probability transforms) are uniform on \[0, 1\].
///
/// The alternative's effect is a distance sup |F − t|; the power is bounded below by the
/// Dvoretzky–Kiefer–Wolfowitz inequality with Massart's constant.
pub fn uniform(what: impl Into<String>, values: Vec<f64>, alternative: &Alternative) -> Evidence {
    let samples = values.len();
    let n = samples as f64;
    let test = Uniform::new(0.0, 1.0).ok().and_then(|law| {
        ks_onesample(
            values,
            &law,
            KSOneSampleAlternativeMethod::TwoSidedAsymptotic,
            NaNPolicy::Error,
        )
        .ok()
    });
    let Some((statistic, p_value)) = test else {
        return untestable(what, "no values, or one is NaN");
    };
    // Size by Massart's bound 2exp(−2nD²), so that the threshold holds at every sample size.
    let threshold = ((2.0 / SIZE).ln() / (2.0 * n)).sqrt();
    let excess = (alternative.effect - threshold).max(0.0);
    let power = 1.0 - (2.0 * (-2.0 * n * excess * excess).exp()).min(1.0);
    let p_value = p_value.max((2.0 * (-2.0 * n * statistic * statistic).exp()).min(1.0));
    tested(
        what,
        statistic,
        0.0,
        threshold,
        p_value,
        power,
        samples,
        alternative,
    )
}

#[allow(clippy::too_many_arguments)]
fn tested(
    what: impl Into<String>,
    measured: f64,
    predicted: f64,
    threshold: f64,
    p_value: f64,
    power: f64,
    samples: usize,
    alternative: &Alternative,
) -> Evidence {
    Evidence {
        kind: Kind::Statistical,
        what: what.into(),
        measured,
        predicted,
        threshold,
        passed: p_value >= SIZE,
        test: TestFigures {
            p_value: Some(p_value),
            alpha: Some(SIZE),
            power: Some(power),
            samples: Some(samples),
            alternative: Some(alternative.what.clone()),
        },
    }
}

fn untestable(what: impl Into<String>, why: &str) -> Evidence {
    let what = format!("{}: {why}", what.into());
    Evidence::compare(Kind::Statistical, what, f64::NAN, 0.0, 0.0)
}
