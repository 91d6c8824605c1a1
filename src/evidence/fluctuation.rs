//! Predicted fluctuations of finite-width networks about h̄ (proofs.md, `fluctuation-law`).
//!
//! √n (f_n(x) − h̄(x)) is asymptotically a centred Gaussian process with covariance
//! Cov(α D_x, α D_x'), where D_x = σ(x) − g(x)ᵀH⁻¹F is what remains of the feature of x after
//! regression on the features of the data in the weight (φ*)''.

use ndarray::Array2;

use crate::{
    Error, Result,
    solver::{
        dual::{Expansion, Functions, Measure, Piece},
        infinite_width::Solution,
        quadrature::{Order, Quadrature},
    },
};

/// The remainders D_x at the ends of pieces that are cut at every x.
struct Remainders {
    pieces: Vec<Piece>,
    /// For each piece and each x the values at its left and right end.
    ends: Vec<Vec<[f64; 2]>>,
}

/// Whether λ̂_n follows the network's own draw.
enum Multipliers {
    Refitted,
    Kept,
}

impl Remainders {
    fn new(solution: &Solution, points: &[f64], multipliers: Multipliers) -> Result<Self> {
        let (basis, knots) = (solution.basis(), solution.knots(Order::Fine));
        let hessian = Expansion::at(basis, knots, solution.coordinates()).hessian;
        let factored = hessian.factor(0.0).ok_or(Error::NotConverged {
            solver: "the fluctuation law's regression",
            iterations: 0,
            residual: f64::NAN,
        })?;
        let mut cuts = points.to_vec();
        cuts.sort_by(f64::total_cmp);
        let pieces: Vec<Piece> = knots
            .pieces()
            .iter()
            .flat_map(|piece| piece.split(&cuts))
            .collect();
        let functions: Vec<[Functions; 2]> = pieces
            .iter()
            .map(|piece| {
                [piece.left, piece.right].map(|c| basis.functions(piece.interval, piece.sheet, c))
            })
            .collect();
        let feature =
            |piece: &Piece, x: f64| [piece.left, piece.right].map(|c| piece.sheet.feature(x, c));
        // g(x) = E[(φ*)'' F σ(x)]
        let mut covariances = vec![vec![0.0; basis.len()]; points.len()];
        for (piece, [left, right]) in pieces.iter().zip(&functions) {
            let [ll, lr, rr] = solution.moments(piece).second;
            let indices = basis.indices(piece.interval);
            for (g, &x) in covariances.iter_mut().zip(points) {
                let [l, r] = feature(piece, x);
                for slot in 0..4 {
                    g[indices[slot]] +=
                        left[slot] * (l * ll + r * lr) + right[slot] * (l * lr + r * rr);
                }
            }
        }
        let weights: Vec<Vec<f64>> = covariances
            .into_iter()
            .map(|g| match multipliers {
                Multipliers::Refitted => factored.solve(&g),
                Multipliers::Kept => vec![0.0; g.len()],
            })
            .collect();
        let ends = pieces
            .iter()
            .zip(&functions)
            .map(|(piece, values)| {
                let indices = basis.indices(piece.interval);
                points
                    .iter()
                    .zip(&weights)
                    .map(|(&x, weight)| {
                        let mut ends = feature(piece, x);
                        for (end, values) in ends.iter_mut().zip(values) {
                            *end -= (0..4).map(|s| values[s] * weight[indices[s]]).sum::<f64>();
                        }
                        ends
                    })
                    .collect()
            })
            .collect();
        Ok(Self { pieces, ends })
    }

    fn covariance(&self, solution: &Solution) -> Array2<f64> {
        let knots = solution.knots(Order::Fine);
        let count = self.ends.first().map_or(0, Vec::len);
        let mut second = Array2::zeros((count, count));
        let mut mean = vec![0.0; count];
        let mut influence = vec![0.0; count];
        for (piece, ends) in self.pieces.iter().zip(&self.ends) {
            knots.for_each(
                piece,
                solution.dual_at_ends(piece),
                |t, weight, alpha, _| {
                    for (value, [l, r]) in influence.iter_mut().zip(ends) {
                        *value = alpha * (l * (1.0 - t) + r * t);
                    }
                    for i in 0..count {
                        mean[i] += weight * influence[i];
                        for j in 0..=i {
                            second[[i, j]] += weight * influence[i] * influence[j];
                        }
                    }
                },
            );
        }
        for i in 0..count {
            for j in 0..=i {
                second[[i, j]] -= mean[i] * mean[j];
                second[[j, i]] = second[[i, j]];
            }
        }
        second
    }
}

/// Covariance of the limit of √n (f_n − h̄) at the points (law 1 of proofs.md).
///
/// # Errors
/// [`Error::NotConverged`] where the Newton matrix at the solution is singular in double precision.
pub fn covariance(solution: &Solution, points: &[f64]) -> Result<Array2<f64>> {
    Ok(Remainders::new(solution, points, Multipliers::Refitted)?.covariance(solution))
}

/// Covariance of √n (f_n − h̄) for networks that keep the λ of infinite width instead of the one
/// that interpolates with their own neurons: Cov(α σ(x), α σ(x')).
///
/// # Errors
/// As [`covariance`].
pub fn frozen_covariance(solution: &Solution, points: &[f64]) -> Result<Array2<f64>> {
    Ok(Remainders::new(solution, points, Multipliers::Kept)?.covariance(solution))
}

/// Standard deviations of √n (f_n(x) − h̄(x)) at each point.
///
/// # Errors
/// As [`covariance`].
pub fn standard_deviations(solution: &Solution, points: &[f64]) -> Result<Vec<f64>> {
    // One point at a time: the diagonal alone, in O(m) memory.
    points
        .iter()
        .map(|&x| Ok(covariance(solution, &[x])?[[0, 0]].max(0.0).sqrt()))
        .collect()
}

/// δ(x) with n^(q−2)(f_φ − f_GF)(x) → c·δ(x) for unscaled potentials ½φ''(0)z² + c|z|^q + …
/// (law 2 of proofs.md): δ(x) = −E[q|α|^(q−1) sgn(α) D_x]/φ''(0) in the quadratic limit.
///
/// # Errors
/// As [`covariance`].
pub fn agreement_gap(solution: &Solution, exponent: f64, points: &[f64]) -> Result<Vec<f64>> {
    let remainders = Remainders::new(solution, points, Multipliers::Refitted)?;
    let potential = solution.setting().limit_potential();
    let quadrature = Quadrature::singular_at_zero(potential);
    let knots = solution.knots(Order::Fine).with_quadrature(quadrature);
    let mut gap = vec![0.0; points.len()];
    for (piece, ends) in remainders.pieces.iter().zip(&remainders.ends) {
        knots.for_each(
            piece,
            solution.dual_at_ends(piece),
            |t, weight, alpha, _| {
                let force = exponent * alpha.abs().powf(exponent - 1.0).copysign(alpha);
                for (gap, [l, r]) in gap.iter_mut().zip(ends) {
                    *gap -= weight * force * (l * (1.0 - t) + r * t) / potential.hessian(0.0);
                }
            },
        );
    }
    Ok(gap)
}
