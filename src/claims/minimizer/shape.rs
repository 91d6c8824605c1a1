//! `curvature-shape`: through φ' the curvature is piecewise linear in the knot.

use ndarray::{Array1, Array2};
use ndarray_linalg::LeastSquaresSvd;
use rayon::prelude::*;

use crate::{
    Error, Result,
    claims::{Claim, Context, Control, Findings},
    evidence::{
        Evidence, Kind,
        conic::{Affine, Atom, Penalty, Program},
        extrapolation::largest,
    },
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{bregman_projection, dual::Sheet, infinite_width},
};

/// The claim (proofs.md, `curvature-shape`).
pub const CLAIM: Claim = Claim {
    id: "curvature-shape",
    statement: "For |·|, φ'(h''/(2p_B)) is piecewise linear with kinks at the data; so is \
                φ'(n a_k) as a function of the knot w_k b_k.",
    source: "proofs.md, `curvature-shape`",
    formula: r"\begin{aligned}
              \varphi'\Bigl(\frac{\bar h''(c)}{2p_B(c)}\Bigr) &= \sum_i \lambda_i\,|x_i - c|, \\
              \varphi'(n a_k) &= \sum_i \hat\lambda_i\,|x_i - w_k b_k|
              \end{aligned}",
    controls: &[
        Control {
            id: "another-exponent",
            statement: "φ' belongs to p + 1 in place of p.",
        },
        Control {
            id: "bias-for-knot",
            statement: "The neurons' place is b_k in place of w_k b_k.",
        },
    ],
    check,
};

/// Exponents of the potentials on figure 2's data, all scaled with ω = 1.
const EXPONENTS: [f64; 3] = [2.0, 3.0, 4.0];
/// Neurons whose weights the cone program finds, and those which are projected.
const WIDTHS: [usize; 2] = [300, 4_860];
/// Half-width of the second differences of h̄.
const STEP: f64 = 1.0 / 8192.0;
/// Relative tolerances of the cone program: the one used, and one that shows what it is worth.
const TOLERANCES: [f64; 2] = [1e-9, 1e-7];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    AnotherExponent,
    BiasForKnot,
}

/// Weights of a network.
struct Weights {
    w: Vec<f64>,
    b: Vec<f64>,
    /// n a_k.
    alpha: Vec<f64>,
}

struct Measurement {
    exponent: f64,
    data: Dataset,
    /// Stretches between data: knots, second differences of h̄ over 2p_B, round-off of those.
    curvature: Vec<[(f64, f64, f64); 9]>,
    /// For each of them h̄''/(2p_B) as the solution reports it.
    reported: Vec<[f64; 9]>,
    /// By the cone program at two tolerances.
    primal: [Weights; 2],
    projected: (Weights, Vec<f64>),
}

fn check(context: &Context) -> Result<Findings> {
    let measurements = EXPONENTS.par_iter().map(|&p| measure(context, p));
    let measurements: Vec<_> = measurements.collect::<Result<_>>()?;
    let judge = |theory: Theory| -> Result<Vec<Evidence>> {
        let evidence = measurements.iter().map(|one| judge(one, theory));
        Ok(evidence.collect::<Result<Vec<_>>>()?.concat())
    };
    Ok(Findings {
        evidence: judge(Theory::Paper)?,
        controls: vec![judge(Theory::AnotherExponent)?, judge(Theory::BiasForKnot)?],
    })
}

fn measure(context: &Context, exponent: f64) -> Result<Measurement> {
    let data = Dataset::figure2();
    let setting = Setting {
        dataset: data.clone(),
        activation: Activation::Abs,
        bias: BiasDensity::uniform(1.0)?,
        potential: Potential::power(exponent, 1.0)?,
        scaling: Scaling::Scaled,
    };
    let solution = infinite_width::minimize(&setting)?;
    let stretch = |ends: &[f64]| {
        std::array::from_fn(|k| {
            let share = (k as f64 + 1.0) / 10.0;
            let knot = ends[0] + (ends[1] - ends[0]) * share;
            let h = [-STEP, 0.0, STEP].map(|s| solution.value(knot + s));
            let scale = STEP * STEP * 2.0 * setting.bias.density(knot);
            // Half an ulp of each value's own error, and as much of every operation's.
            let rounding = 16.0 * f64::EPSILON * h.iter().fold(0.0, |a: f64, h| a.max(h.abs()));
            (knot, (h[0] - 2.0 * h[1] + h[2]) / scale, rounding / scale)
        })
    };
    let curvature: Vec<[(f64, f64, f64); 9]> = data.x().windows(2).map(stretch).collect();
    let reported = curvature.iter().map(|stretch| {
        stretch.map(|(c, ..)| solution.second_derivative(c) / (2.0 * setting.bias.density(c)))
    });
    let reported = reported.collect();
    let sample =
        |width| Network::sample(&setting.bias, OutputInit::Zero, width, context.draws(96, 0));
    let small = sample(WIDTHS[0]);
    let atom = |knot: f64| Atom {
        knot,
        sheet: Sheet::Both,
        penalty: 1.0 / WIDTHS[0] as f64,
        generated: 1.0 / WIDTHS[0] as f64,
    };
    let program = Program {
        penalty: Penalty::Potential(setting.potential),
        atoms: small.knots().iter().map(|&c| atom(c)).collect(),
        affine: Affine {
            slopes: None,
            offset: None,
        },
    };
    let solve = |tolerance| {
        let solution = program.solve(data.x(), data.y(), tolerance)?;
        Ok(Weights::new(&small, solution.alpha))
    };
    let primal = [solve(TOLERANCES[0])?, solve(TOLERANCES[1])?];
    let large = sample(WIDTHS[1]);
    let projection = bregman_projection::project(&setting, &large)?;
    Ok(Measurement {
        exponent,
        curvature,
        reported,
        primal,
        projected: (
            Weights::new(&large, projection.alpha.to_vec()),
            projection.multipliers,
        ),
        data,
    })
}

impl Weights {
    fn new(network: &Network, alpha: Vec<f64>) -> Self {
        Self {
            w: network.w.to_vec(),
            b: network.b.to_vec(),
            alpha,
        }
    }

    /// Where a theory puts the neurons.
    fn places(&self, theory: Theory) -> Vec<f64> {
        let pairs = self.w.iter().zip(&self.b);
        match theory {
            Theory::BiasForKnot => self.b.clone(),
            _ => pairs.map(|(w, b)| w * b).collect(),
        }
    }
}

impl Theory {
    fn potential(self, exponent: f64) -> Result<Potential> {
        match self {
            Self::AnotherExponent => Potential::power(exponent + 1.0, 1.0),
            _ => Potential::power(exponent, 1.0),
        }
    }
}

fn judge(measurement: &Measurement, theory: Theory) -> Result<Vec<Evidence>> {
    let Measurement { exponent, .. } = measurement;
    let potential = theory.potential(*exponent)?;
    Ok(vec![
        from_function(measurement, potential),
        from_primal(measurement, theory, potential)?,
        from_projection(measurement, theory, potential),
    ])
}

/// Of two distances with their thresholds the one that is the larger share, NaN the largest.
fn worse(worst: (f64, f64), next: (f64, f64)) -> (f64, f64) {
    let less = next.0 * worst.1 <= worst.0 * next.1;
    if worst.0.is_nan() || less {
        worst
    } else {
        next
    }
}

/// A second difference of h̄ is its curvature at some point of the step's reach; so nine of them on
/// a stretch lie on a line, and on the reported h̄'', up to the line's change over twice that reach,
/// and round-off.
fn from_function(measurement: &Measurement, potential: Potential) -> Evidence {
    let mut worst = (0.0, f64::INFINITY);
    for (stretch, reported) in measurement.curvature.iter().zip(&measurement.reported) {
        let dual = stretch.map(|(_, alpha, _)| potential.mirror_map(alpha));
        let reported = reported.map(|alpha| potential.mirror_map(alpha));
        let slope = (dual[8] - dual[0]) / (stretch[8].0 - stretch[0].0);
        let rounding =
            stretch.map(|(_, alpha, error)| potential.hessian(alpha.abs() + error) * error);
        let rounding = largest(rounding);
        let threshold = 2.0 * (slope.abs() * STEP + rounding);
        for ((&(knot, ..), u), v) in stretch.iter().zip(&dual).zip(&reported) {
            let distance = (u - dual[0] - slope * (knot - stretch[0].0)).abs();
            let distance = distance.max((u - v).abs());
            worst = worse(worst, (distance, threshold));
        }
    }
    let what = format!(
        "p = {}: distance of φ'(second difference of h̄/2p_B) from a line between data",
        measurement.exponent
    );
    Evidence::compare(Kind::Certified, what, worst.0, 0.0, worst.1)
}

/// The distance of φ'(n a_k) of the cone program's weights from the span of the |x_i − place|.
fn from_primal(
    measurement: &Measurement,
    theory: Theory,
    potential: Potential,
) -> Result<Evidence> {
    let [tight, loose] = &measurement.primal;
    let dual = |weights: &Weights| -> Array1<f64> {
        let alpha = weights.alpha.iter();
        alpha.map(|&alpha| potential.mirror_map(alpha)).collect()
    };
    let (tight_dual, loose_dual) = (dual(tight), dual(loose));
    let x = measurement.data.x();
    let places = tight.places(theory);
    let features =
        Array2::from_shape_fn((places.len(), x.len()), |(k, i)| (places[k] - x[i]).abs());
    let fit = features
        .least_squares(&tight_dual)
        .map_err(|_| Error::NotConverged {
            solver: "the least squares of the curvature's shape",
            iterations: 0,
            residual: f64::NAN,
        })?;
    let distance = largest(features.dot(&fit.solution) - &tight_dual);
    // Least squares moves the fit by no more than √n times what it moves the values. A solver
    // that happens to do better at both tolerances is trusted to the one it was asked for.
    let error =
        largest(&tight_dual - &loose_dual).max(TOLERANCES[0] * largest(tight_dual.iter().copied()));
    let threshold = (1.0 + (places.len() as f64).sqrt()) * error;
    let what = format!(
        "p = {}: distance of φ'(n a_k) from Σλ_i|x_i − w_k b_k|, cone program, n = {}",
        measurement.exponent, WIDTHS[0]
    );
    Ok(Evidence::compare(
        Kind::Numerical,
        what,
        distance,
        0.0,
        threshold,
    ))
}

/// The same for projected weights, with the multipliers that come with them.
fn from_projection(measurement: &Measurement, theory: Theory, potential: Potential) -> Evidence {
    let (weights, multipliers) = &measurement.projected;
    // Figure 2 is sorted, as its multipliers are.
    let x = measurement.data.x();
    let mut worst = (0.0, f64::INFINITY);
    for (place, &alpha) in weights.places(theory).iter().zip(&weights.alpha) {
        let terms = x
            .iter()
            .zip(multipliers)
            .map(|(x, l)| l * (x - place).abs());
        let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
        let distance = (potential.mirror_map(alpha) - sum).abs();
        // λ is recovered from slopes, u from it: 16 operations on the way of each term.
        let condition = alpha.abs() * potential.hessian(alpha);
        let threshold = 16.0 * f64::EPSILON * (size + condition);
        worst = worse(worst, (distance, threshold));
    }
    let what = format!(
        "p = {}: distance of φ'(n a_k) from Σλ_i|x_i − w_k b_k|, projection, n = {}",
        measurement.exponent, WIDTHS[1]
    );
    Evidence::compare(Kind::Certified, what, worst.0, 0.0, worst.1)
}
