//! What a result is worth: certificates, predicted fluctuations, tests with size and power.

pub mod ball;
pub mod certificate;
pub mod conic;
pub mod distance;
pub mod enclosure;
pub mod ensemble;
pub mod extrapolation;
pub mod fluctuation;
pub mod inspection;
pub mod prediction;
pub mod statistics;

use serde::{Deserialize, Serialize};

/// How a piece of evidence was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Rational arithmetic; the threshold is 0.
    Exact,
    /// The threshold is a bound on the error, derived in proofs.md.
    Certified,
    /// The threshold is an error estimate, e.g. from two orders of a quadrature.
    Numerical,
    /// A test of stated size and power.
    Statistical,
}

/// One comparison of a measured with a predicted number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// How it was obtained.
    pub kind: Kind,
    /// What is compared, in words.
    pub what: String,
    /// The measured number (for a test: the statistic).
    pub measured: f64,
    /// The number that the theory predicts (for a test: the statistic's mean).
    pub predicted: f64,
    /// |measured − predicted| may not exceed this (for a test: implied by its size).
    pub threshold: f64,
    /// Whether the comparison agrees with the theory.
    pub passed: bool,
    /// Size and power, for a statistical test.
    #[serde(flatten)]
    pub test: TestFigures,
}

/// The figures of a statistical test; all null for evidence of another kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestFigures {
    /// Probability of a statistic at least as extreme if the theory holds.
    pub p_value: Option<f64>,
    /// Size: the test rejects where p < α.
    pub alpha: Option<f64>,
    /// Probability of rejection under the named alternative.
    pub power: Option<f64>,
    /// Number of independent draws.
    pub samples: Option<usize>,
    /// The alternative at which the power is computed.
    pub alternative: Option<String>,
}

impl Evidence {
    /// A comparison that passes where |measured − predicted| ≤ threshold (a NaN never passes).
    pub fn compare(
        kind: Kind,
        what: impl Into<String>,
        measured: f64,
        predicted: f64,
        threshold: f64,
    ) -> Self {
        Self {
            kind,
            what: what.into(),
            measured,
            predicted,
            threshold,
            passed: (measured - predicted).abs() <= threshold,
            test: TestFigures::default(),
        }
    }
}
