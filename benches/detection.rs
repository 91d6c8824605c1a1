//! The smallest relative error of each constant of the theory that the audit detects, as the table of
//! proofs.md ("What the audit detects"): `make detection` prints it.
//!
//! A comparison rejects a prediction that is off by more than its threshold (certified and numerical
//! ones surely, tests with probability ½), so that a constant's error is seen where it moves the prediction by as
//! much: the threshold over the prediction's derivative. Tests reach power 0.9 at 1.29 times that.

#![allow(clippy::unwrap_used)] // A table that cannot be made is no table.

use mirrorflow::{
    claims::{self, Context},
    evidence::{Evidence, Kind, distance, fluctuation},
    setting::{Activation, Dataset, Potential, Scaling, Setting},
    solver::{infinite_width, spline::RepresentationCost},
};
use num_rational::BigRational;
use std::collections::HashMap;

/// 4.42 standard errors are the threshold of a z test of size 10⁻⁵, 1.28 more power 0.9.
const POWER: f64 = (4.417 + 1.282) / 4.417;

/// Evidence of a claim by effort, computed once.
struct Evidences(HashMap<(&'static str, usize), Vec<Evidence>>);

impl Evidences {
    /// The threshold of the sharpest comparison of that name and the size of its prediction; with the factor
    /// to power 0.9 for a test.
    fn threshold(&mut self, id: &'static str, effort: usize, what: &str) -> (f64, f64) {
        let all = self.0.entry((id, effort)).or_insert_with(|| {
            let claim = claims::registry()
                .iter()
                .find(|claim| claim.id == id)
                .unwrap();
            (claim.check)(&Context::new(0, effort)).unwrap().evidence
        });
        let named = all.iter().filter(|one| one.what.contains(what));
        let scaled = named.map(|one| {
            let factor = if one.kind == Kind::Statistical {
                POWER
            } else {
                1.0
            };
            (factor * one.threshold, one.predicted.abs())
        });
        scaled
            .min_by(|one, other| {
                (one.0 / one.1.max(1e-300)).total_cmp(&(other.0 / other.1.max(1e-300)))
            })
            .unwrap_or_else(|| panic!("{id}: no evidence is called {what}"))
    }
}

fn figure2(potential: Potential) -> Setting {
    Setting {
        dataset: Dataset::figure2(),
        activation: Activation::Abs,
        bias: "uniform:1".parse().unwrap(),
        potential,
        scaling: Scaling::Scaled,
    }
}

/// sup |dh̄/dε| on \[−1, 1\] for figure 2 under a potential that depends on ε, from ε = ±10⁻³.
fn sensitivity(potential: impl Fn(f64) -> Potential) -> f64 {
    let [left, right] = [-1e-3, 1e-3]
        .map(|epsilon| infinite_width::minimize(&figure2(potential(epsilon))).unwrap());
    distance::sup(|x| right.value(x) - left.value(x), 1.0) / 2e-3
}

/// Whether the exact minimiser of figure 1 violates the optimality conditions of a cost that is off.
fn exact_rejects(wrong: impl Fn(&mut RepresentationCost<BigRational>)) -> bool {
    let ratio = |v: i64, by: i64| BigRational::new(v.into(), by.into());
    let x: Vec<BigRational> = [-5, -1, 0, 1, 5].map(|v| ratio(v, 5)).into();
    let y: Vec<BigRational> = [-3, -3, 3, -3, -3].map(|v| ratio(v, 20)).into();
    let cost = RepresentationCost::relu(ratio(1, 1));
    // Tilted, so that G₂ takes part.
    let y: Vec<BigRational> = y.iter().zip(&x).map(|(y, x)| y + x * ratio(2, 5)).collect();
    let minimizer = cost.minimizer(&x, &y).unwrap();
    let mut other = cost;
    wrong(&mut other);
    let defects = other.optimality_defects(&x, &y, &minimizer);
    let zero = ratio(0, 1);
    [defects.curvature, defects.slopes, defects.offset]
        .iter()
        .any(|defect| *defect != zero)
}

fn main() {
    let mut evidences = Evidences(HashMap::new());
    let mut row = |constant: &str,
                   claim: &'static str,
                   what: &str,
                   grows: bool,
                   relative: &dyn Fn((f64, f64)) -> f64| {
        let first = relative(evidences.threshold(claim, 1, what));
        let tenth = if grows {
            relative(evidences.threshold(claim, 10, what))
        } else {
            first
        };
        println!("| {constant} | `{claim}` | {first:.1e} | {tenth:.1e} |");
    };
    println!("| Constant | Claim | Effort 1 | Effort 10 |\n|---|---|---|---|");
    let tiny = BigRational::new(1_000_000_000_001_i64.into(), 1_000_000_000_000_i64.into());
    for (constant, rejected) in [
        (
            "the 1 of G₂",
            exact_rejects(|cost| cost.slopes_weight *= &tiny),
        ),
        (
            "1/Var B of G₃",
            exact_rejects(|cost| cost.offset_weight *= &tiny),
        ),
    ] {
        let seen = if rejected {
            "any (10⁻¹² tried)"
        } else {
            "none"
        };
        println!("| {constant}, exact | `representation-cost` | {seen} | {seen} |");
    }
    let quotient = |(threshold, predicted): (f64, f64)| threshold / predicted;
    row(
        "½ of ½φ''(0)α², and 1/p_B of G₁",
        "relu-minimizer",
        "E φ(α) and its value",
        false,
        &quotient,
    );
    for (p, name) in [
        (3.0, "power:3,1: |dual − cone"),
        (4.0, "power:4,1: |dual − cone"),
    ] {
        let power = |p: f64, omega: f64| Potential::power(p, omega).unwrap();
        let name = format!("figure 2, scaled {name}");
        // φ(h''/(2p_B(1 + ε))) is φ rescaled.
        let scale = sensitivity(|epsilon| power(p, 1.0).rescaled(1.0 + epsilon));
        let omega = sensitivity(|epsilon| power(p, 1.0 + epsilon));
        let exponent = sensitivity(|epsilon| power(p + epsilon, 1.0));
        for (constant, by) in [
            (format!("2p_B under p = {p}, scaled"), scale),
            (format!("ω of φ'' under p = {p}, scaled"), omega),
            (format!("the exponent p = {p}, absolute"), exponent),
        ] {
            row(&constant, "abs-minimizer", &name, false, &|(
                threshold,
                _,
            )| {
                threshold / by
            });
        }
    }
    let chi = "all settings together: covariance";
    row(
        "covariance of law 1 (h̄ at finite width)",
        "fluctuation-law",
        chi,
        true,
        &quotient,
    );
    let width: f64 = 14_580.0;
    row(
        "the exponent ½ of its n, absolute",
        "fluctuation-law",
        chi,
        true,
        &|pair| quotient(pair) / (2.0 * width.ln()),
    );
    row(
        "c, q and φ''(0) of the gap to gradient flow, networks",
        "gradient-flow-agreement",
        "figure 2, Abs, unscaled power:3,1, uniform:1, n = 43740: mean of",
        true,
        &quotient,
    );
    let unscaled = Setting {
        dataset: Dataset::figure1(),
        activation: Activation::Relu,
        scaling: Scaling::Unscaled,
        ..figure2(Potential::power(3.0, 1.0).unwrap())
    };
    let (c, q) = unscaled.potential.leading_correction().unwrap();
    let solution = infinite_width::minimize(&unscaled).unwrap();
    let gap = distance::sup(
        |x| c * fluctuation::agreement_gap(&solution, q, &[x]).unwrap()[0],
        1.5,
    );
    row(
        "the same, infinite width",
        "gradient-flow-agreement",
        "figure 1, Relu, unscaled power:3,1, uniform:1: n^(q−2)(h̄",
        false,
        &|(threshold, _)| threshold / gap,
    );
    row(
        "the exponent q − 2, absolute",
        "gradient-flow-agreement",
        "figure 2, Abs, unscaled power:3,1, uniform:1: slope",
        true,
        &|(threshold, _)| threshold,
    );
    row(
        "φ''(α) of the late rate",
        "loss-decay",
        "figure 2, Abs, scaled power:3,1, uniform:1, n = 540: rate of |r| at the end, a alone",
        false,
        &quotient,
    );
    row(
        "φ''(α) of the kernel's change",
        "not-kernel",
        "power:4,1, uniform:1: relative change",
        true,
        &quotient,
    );
    let faint = Dataset::figure1();
    let faint = faint
        .with_values(faint.y().iter().map(|y| y / 8.0).collect())
        .unwrap();
    let limit = infinite_width::minimize(&Setting {
        dataset: faint,
        potential: Potential::quadratic(),
        ..unscaled
    })
    .unwrap();
    let largest = distance::sup(|x| limit.second_derivative(x), 1.0);
    row(
        "sup α of n·max Δa",
        "lazy-scaled",
        "figure 1, y/8, Relu, scaled quadratic, uniform:1, zero output: largest nΔa",
        false,
        &|(threshold, _)| threshold / (2.0 * largest),
    );
}
