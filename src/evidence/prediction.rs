//! What h̄ predicts for its networks, in single numbers: the size of their error, the rate at which
//! their loss ends, how far weights move, how often a curvature occurs.

use ndarray::{Array1, Array2};
use ndarray_linalg::{Eigh, UPLO};

use super::{distance, ensemble::spread, extrapolation::largest, fluctuation};
use crate::{
    Error, Result,
    setting::{BiasDensity, Network, OutputInit},
    solver::{dual::Sheet, infinite_width::Solution, quadrature::Order},
};

/// Draws of the limiting process, and the places at which it is looked at.
const DRAWS: usize = 2_000;
const PLACES: usize = 61;

/// Mean and standard deviation of √n sup |f_n − h̄| over \[−1.5, 1.5\]·max|x_i| as n → ∞: of the Gaussian
/// process of law 1 (proofs.md, `fluctuation-law`), drawn 2000 times at 61 places.
///
/// The mean has standard error sd/√2000, about 0.012 of itself, and is too small by what the process does
/// between the places.
///
/// # Errors
/// Those of [`fluctuation::covariance`]; [`Error::NotConverged`] where its eigenvalues are not found.
pub fn error(solution: &Solution) -> Result<[f64; 2]> {
    let edge = 1.5 * solution.setting().dataset.largest_input();
    let place = |k: usize| edge * (2.0 * k as f64 / (PLACES - 1) as f64 - 1.0);
    let points: Vec<f64> = (0..PLACES).map(place).collect();
    let covariance = fluctuation::covariance(solution, &points)?;
    let (values, vectors) = covariance
        .eigh(UPLO::Lower)
        .map_err(|_| not_found("the eigenvalues of the predicted covariance"))?;
    let root = &vectors * &values.mapv(|v| v.max(0.0).sqrt());
    // A network's biases are as many independent normal variables as are asked for.
    let normal = BiasDensity::gaussian(1.0)?;
    let draws = Network::sample(&normal, OutputInit::Zero, PLACES * DRAWS, 0).b;
    let draws = Array2::from_shape_fn((PLACES, DRAWS), |(i, j)| draws[i * DRAWS + j]);
    let paths = root.dot(&draws);
    let largest = paths
        .columns()
        .into_iter()
        .map(|path| largest(path.iter().copied()));
    Ok(spread(&largest.collect::<Vec<_>>()))
}

/// The rate at which the loss falls at last, per flow time and at infinite width: twice the least
/// eigenvalue of E\[FFᵀ/φ''(α)\] over m (proofs.md, `loss-decay`).
///
/// # Errors
/// [`Error::NotConverged`] where the eigenvalues are not found.
pub fn late_rate(solution: &Solution) -> Result<f64> {
    let potential = solution.setting().limit_potential();
    let kernel = solution.kernel(solution.knots(Order::Fine), |a| 1.0 / potential.hessian(a));
    let (values, _) = kernel
        .eigh(UPLO::Lower)
        .map_err(|_| not_found("the eigenvalues of the mirror kernel"))?;
    Ok(2.0 * values[0] / solution.setting().dataset.len() as f64)
}

fn not_found(solver: &'static str) -> Error {
    Error::NotConverged {
        solver,
        iterations: 0,
        residual: f64::NAN,
    }
}

/// sup |α| over the support of the knots, the limit of n max|a_k|; the support is to be bounded.
pub fn largest_weight(solution: &Solution) -> f64 {
    let edge = solution.setting().bias.half_width();
    let on = |sheet: &Sheet| distance::sup(|c| solution.alpha(*sheet, c), edge);
    let sheets = Sheet::of(solution.setting().activation).iter();
    largest(sheets.map(on))
}

/// The limits of n² max|Δw_k| and n² max|Δb_k| from zero output where the limit's φ is quadratic (proofs.md,
/// `lazy-unscaled`): with H = E\[FFᵀ\]/φ'' = V diag(k) Vᵀ and c = Vᵀλ, the largest |FᵀM(x∘s)| and |FᵀMs|
/// over φ''², M = V\[c_a c_b k_a/(k_a + k_b)\]Vᵀ, s the gates; the support is to be bounded.
///
/// # Errors
/// [`Error::NotConverged`] where the eigenvalues are not found.
pub fn inner_moves(solution: &Solution) -> Result<[f64; 2]> {
    let setting = solution.setting();
    let (x, edge) = (setting.dataset.x(), setting.bias.half_width());
    let stiffness = setting.limit_potential().hessian(0.0);
    let hessian = solution.kernel(solution.knots(Order::Fine), |_| 1.0 / stiffness);
    let (k, vectors) = hessian
        .eigh(UPLO::Lower)
        .map_err(|_| not_found("the eigenvalues of the kernel"))?;
    let c = vectors.t().dot(&Array1::from(setting.dataset.y().to_vec())) / &k;
    let path = Array2::from_shape_fn(hessian.dim(), |(a, b)| c[a] * c[b] * k[a] / (k[a] + k[b]));
    let path = vectors.dot(&path).dot(&vectors.t()) / stiffness.powi(2);
    // Between data gates are constant and F is linear in the knot.
    let inner = x.iter().copied().filter(|x| x.abs() < edge);
    let cuts: Vec<f64> = [-edge].into_iter().chain(inner).chain([edge]).collect();
    let mut largest = [0.0_f64; 2];
    for ends in cuts.windows(2) {
        for &sheet in Sheet::of(setting.activation) {
            let middle = 0.5 * (ends[0] + ends[1]);
            let gate = |x: &f64| match sheet {
                Sheet::Both => (x - middle).signum(),
                Sheet::Plus => f64::from(*x > middle),
                Sheet::Minus => f64::from(*x < middle),
            };
            let gates: Array1<f64> = x.iter().map(gate).collect();
            let tilted: Array1<f64> = x.iter().map(|x| x * gate(x)).collect();
            for (largest, v) in largest.iter_mut().zip([tilted, gates]) {
                let force = path.dot(&v);
                for knot in ends {
                    let features: Array1<f64> =
                        x.iter().map(|x| sheet.feature(*x, *knot)).collect();
                    *largest = largest.max(features.dot(&force).abs());
                }
            }
        }
    }
    Ok(largest)
}

/// The density at v ≥ 0 of |h̄''(x)|, x uniform between the outer data: |·| and B uniform on as much as
/// they span. h̄'' = (φ*)'(U)/half-width with U linear between the data, so that each crossing of ±v adds
/// φ''(α)/|U'|.
pub fn curvature_density(solution: &Solution, v: f64) -> f64 {
    let setting = solution.setting();
    let (x, half_width) = (setting.dataset.x(), setting.bias.half_width());
    let force = |c: f64| solution.dual_function(Sheet::Both, c);
    let potential = setting.limit_potential();
    let level = potential.mirror_map(v * half_width);
    let crossings = x.windows(2).map(|pair| {
        let (left, right) = (force(pair[0]), force(pair[1]));
        let inside = |u: f64| (left.min(right)..left.max(right)).contains(&u);
        let count = u8::from(inside(level)) + u8::from(inside(-level));
        f64::from(count) * (pair[1] - pair[0]) / (right - left).abs().max(f64::MIN_POSITIVE)
    });
    let span = x[x.len() - 1] - x[0];
    half_width * potential.hessian(v * half_width) * crossings.sum::<f64>() / span
}
