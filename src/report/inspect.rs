//! The report on a network that was trained elsewhere.

use super::{number, train::Kinds};
use crate::{
    Result,
    evidence::inspection::{self, Explained, Finding, Fit, Inspection, Question, Verdict},
    setting::Family,
};
use serde::Serialize;
use std::fmt::{self, Display};

/// Whether the theory describes a network; serialises as the object that `inspect --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct InspectReport {
    /// consistent, inconsistent or not converged.
    pub verdict: &'static str,
    /// What it rests on, in words: disagreements first.
    pub reasons: Vec<String>,
    /// n.
    pub width: usize,
    /// max|f(x_i) − y_i|.
    pub residual: f64,
    /// max|θ_j − θ̂_j|; none without the initial arrays.
    pub displacement: Option<Kinds>,
    /// The same of the network's own flow at its loss.
    pub predicted_displacement: Option<Kinds>,
    /// sup|f − f(·, θ̂) − h̄| over [−1.5, 1.5]·max|x_i|, h̄ for y − f(x_i, θ̂).
    pub sup_distance_to_minimizer: f64,
    /// Where it is attained.
    pub at: f64,
    /// Predicted standard deviation of f there.
    pub predicted_sd: f64,
    /// Of the test that f fluctuates about h̄ as predicted.
    pub p_value: Option<f64>,
    /// sup distance to the projection of the start onto the attained values, and what is explained of it.
    pub distance_to_projection: Option<f64>,
    /// What of it finite width, steps and rounding explain.
    pub explained_to_projection: Option<f64>,
    /// sup distance to its own mirror flow at its loss.
    pub distance_to_own_flow: Option<f64>,
    /// What of it stopping, steps and rounding explain.
    pub explained_to_own_flow: Option<f64>,
    /// Largest deviation of φ'(nΔa) from piecewise linear in the knot, relative to its largest value.
    pub shape: Option<f64>,
    /// What of it finite width, steps and rounding explain.
    pub explained_shape: Option<f64>,
    /// The power family fitted to the network, where asked for.
    pub fit: Option<FitReport>,
    #[serde(skip)]
    disagreements: usize,
}

/// The fitted potential, and those that are excluded.
#[derive(Debug, Clone, Serialize)]
pub struct FitReport {
    /// p; 2 where a quadratic potential does.
    pub p: f64,
    /// ω; none where a quadratic potential does.
    pub omega: Option<f64>,
    /// Root mean square deviation of φ'(nΔa) from piecewise linear under the fit, relative to φ'(nΔa).
    pub deviation: f64,
    /// Potentials that the network excludes at level α, with the first reason.
    pub excluded: Vec<Candidate>,
    /// Potentials that it does not exclude.
    pub not_excluded: Vec<Candidate>,
}

/// A potential that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Candidate {
    /// As `--potential` reads it.
    pub potential: String,
    /// p.
    pub p: f64,
    /// ω; none for the quadratic potential.
    pub omega: Option<f64>,
    /// What speaks against it.
    pub reason: Option<String>,
}

impl InspectReport {
    /// Inspects a network, and fits the power family to it if asked to.
    ///
    /// # Errors
    /// Those of [`inspection::inspect`].
    pub fn new(question: &Question<'_>, with_fit: bool) -> Result<Self> {
        let found = inspection::inspect(question)?;
        let fit = if with_fit {
            inspection::fit(question)?.map(FitReport::from)
        } else {
            None
        };
        let measured = |explained: Option<Explained>| explained.map(|one| one.measured);
        let allowed = |explained: Option<Explained>| explained.map(|one| one.allowed);
        let agrees = |finding: &&Finding| !finding.agrees;
        Ok(Self {
            verdict: word(found.verdict()),
            disagreements: found.findings.iter().filter(agrees).count(),
            width: question.network.width(),
            residual: found.residual,
            displacement: found.displacement.map(Kinds::from),
            predicted_displacement: found.own_displacement.map(Kinds::from),
            sup_distance_to_minimizer: found.sup_distance,
            at: found.place,
            predicted_sd: found.predicted_sd,
            p_value: found.p_value,
            distance_to_projection: measured(found.projection),
            explained_to_projection: allowed(found.projection),
            distance_to_own_flow: measured(found.own_flow),
            explained_to_own_flow: allowed(found.own_flow),
            shape: measured(found.shape),
            explained_shape: allowed(found.shape),
            fit,
            reasons: reasons(found),
        })
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Consistent => "consistent",
        Verdict::Inconsistent => "inconsistent",
        Verdict::NotConverged => "not converged",
    }
}

fn reasons(found: Inspection) -> Vec<String> {
    found
        .findings
        .into_iter()
        .map(|finding| finding.what)
        .collect()
}

impl From<Fit> for FitReport {
    fn from(fit: Fit) -> Self {
        let candidates = fit.candidates.into_iter().map(|(potential, reason)| {
            let (p, omega) = match potential.family() {
                Family::Power { exponent, omega } => (exponent, Some(omega)),
                _ => (2.0, None),
            };
            Candidate {
                potential: potential.to_string(),
                p,
                omega,
                reason,
            }
        });
        let (excluded, not_excluded) = candidates.partition(|one| one.reason.is_some());
        Self {
            p: fit.exponent,
            omega: fit.omega,
            deviation: fit.deviation,
            excluded,
            not_excluded,
        }
    }
}

impl Display for InspectReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.verdict)?;
        for (number, reason) in self.reasons.iter().enumerate() {
            let mark = if number < self.disagreements {
                "✗"
            } else {
                "✓"
            };
            writeln!(f, "  {mark} {reason}")?;
        }
        if let (Some(moved), Some(predicted)) = (&self.displacement, &self.predicted_displacement) {
            writeln!(f, "largest displacements, and those of its own flow:")?;
            for (name, moved, predicted) in [
                ("w", moved.w, predicted.w),
                ("b", moved.b, predicted.b),
                ("a", moved.a, predicted.a),
                ("d", moved.d, predicted.d),
            ] {
                writeln!(
                    f,
                    "  {name} {} ({})",
                    number(moved, 4),
                    number(predicted, 4)
                )?;
            }
        }
        if self.displacement.is_none() {
            writeln!(
                f,
                "without the initial arrays w0, b0, a0 and d0: neither displacements, nor the projection, \
                 nor its own flow; the start was taken to be ±1, 0, 0 and the biases that lead there"
            )?;
        }
        if let Some(fit) = &self.fit {
            match fit.omega {
                Some(omega) => writeln!(
                    f,
                    "fit: p = {}, ω = {} (φ'(nΔa) is off lines by {})",
                    number(fit.p, 4),
                    number(omega, 4),
                    number(fit.deviation, 3)
                )?,
                None => writeln!(f, "fit: a quadratic potential does")?,
            }
            let names = |list: &[Candidate]| -> String {
                let names = list.iter().map(|one| one.potential.as_str());
                names.collect::<Vec<_>>().join(", ")
            };
            writeln!(f, "  excluded: {}", names(&fit.excluded))?;
            writeln!(f, "  not excluded: {}", names(&fit.not_excluded))?;
        }
        Ok(())
    }
}
