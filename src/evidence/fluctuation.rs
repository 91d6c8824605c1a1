//! Predicted fluctuations of finite-width networks about h̄ (proofs.md, `fluctuation-law`).
//!
//! √n (f_n(x) − h̄(x)) is asymptotically a centred Gaussian process with covariance
//! Cov(α D_x, α D_x'), where D_x = σ(x) − g(x)ᵀH⁻¹F is what remains of the feature of x after
//! regression on the features of the data in the weight (φ*)''.

use ndarray::Array2;
use rayon::prelude::*;

use crate::{
    Error, Result,
    solver::{
        dual::{self, Expansion, Factored, Measure, Moments, Piece, Sheet},
        infinite_width::Solution,
        quadrature::{Order, Quadrature},
    },
};

/// The remainders D_x at the ends of pieces that are cut at every x.
struct Remainders {
    pieces: Vec<Piece>,
    /// For each x the values at the left and right end of each piece.
    ends: Vec<Vec<[f64; 2]>>,
}

/// Whether λ̂_n follows the network's own draw.
enum Multipliers {
    Refitted,
    Kept,
}

/// The regression of features on those of the data, on pieces that are cut at every x.
struct Regression<'a> {
    solution: &'a Solution,
    pieces: Vec<Piece>,
    factored: Factored,
}

impl<'a> Regression<'a> {
    fn new(solution: &'a Solution, points: &[f64]) -> Result<Self> {
        let (basis, knots) = (solution.basis(), solution.knots(Order::Least));
        let hessian = Expansion::at(basis, knots, solution.coordinates()).hessian;
        let factored = hessian.factor(0.0).ok_or(Error::NotConverged {
            solver: "the fluctuation law's regression",
            iterations: 0,
            residual: f64::NAN,
        })?;
        let mut cuts = points.to_vec();
        cuts.sort_by(f64::total_cmp);
        let pieces = knots
            .pieces()
            .iter()
            .flat_map(|piece| piece.split(&cuts))
            .collect();
        Ok(Self {
            solution,
            pieces,
            factored,
        })
    }

    /// D_x at the ends of the pieces.
    ///
    /// The remainder of σ(x) is that of σ(x) less any combination of the data's features. Less its chord, that is
    /// less the features of two neighbouring data as they would interpolate (or extrapolate) a line to x, it
    /// vanishes off the two points' interval and what lies between them and x: what is regressed is small and local.
    fn remainder(&self, x: f64) -> Vec<[f64; 2]> {
        let basis = self.solution.basis();
        let (data, m) = (basis.x(), basis.len());
        let interval = data.partition_point(|&xi| xi <= x);
        // The two data and the range of knots at which σ(x) is not on their chord.
        let chord = (m > 1).then(|| {
            let right = interval.clamp(1, m - 1);
            let (a, b) = (data[right - 1], data[right]);
            let t = (x - a) / (b - a);
            ([(a, 1.0 - t), (b, t)], [x.min(a), x.max(b)])
        });
        let local = |piece: &Piece| {
            chord.is_none_or(|(_, [from, to])| piece.right > from && piece.left < to)
        };
        let feature = |piece: &Piece| {
            [piece.left, piece.right].map(|c| {
                let line = chord.iter().flat_map(|(points, _)| points);
                line.fold(piece.sheet.feature(x, c), |rest, &(data, weight)| {
                    rest - weight * piece.sheet.feature(data, c)
                })
            })
        };
        let functions = |piece: &Piece| {
            [piece.left, piece.right].map(|c| basis.functions(piece.interval, piece.sheet, c))
        };
        // E[(φ*)'' F (σ(x) − chord)]
        let mut covariance = vec![0.0; m];
        for piece in self.pieces.iter().filter(|piece| local(piece)) {
            let [ll, lr, rr] = self.solution.moments(piece).second;
            let ([l, r], [left, right]) = (feature(piece), functions(piece));
            for (slot, index) in basis.indices(piece.interval).into_iter().enumerate() {
                covariance[index] +=
                    left[slot] * (l * ll + r * lr) + right[slot] * (l * lr + r * rr);
            }
        }
        let weights = self.factored.solve(&covariance);
        let remainder = |piece: &Piece| {
            let weights = basis.indices(piece.interval).map(|index| weights[index]);
            let fitted = functions(piece).map(|f| (0..4).map(|s| f[s] * weights[s]).sum::<f64>());
            let rest = if local(piece) {
                feature(piece)
            } else {
                [0.0; 2]
            };
            [rest[0] - fitted[0], rest[1] - fitted[1]]
        };
        self.pieces.iter().map(remainder).collect()
    }
}

impl Remainders {
    fn new(solution: &Solution, points: &[f64], multipliers: Multipliers) -> Result<Self> {
        let regression = Regression::new(solution, points)?;
        let pieces = &regression.pieces;
        let ends = points
            .iter()
            .map(|&x| match multipliers {
                Multipliers::Refitted => regression.remainder(x),
                Multipliers::Kept => pieces
                    .iter()
                    .map(|piece| [piece.left, piece.right].map(|c| piece.sheet.feature(x, c)))
                    .collect(),
            })
            .collect();
        Ok(Self {
            ends,
            pieces: regression.pieces,
        })
    }

    fn covariance(&self, solution: &Solution) -> Array2<f64> {
        let squares = Squares::new(solution, &self.pieces);
        Array2::from_shape_fn((self.ends.len(), self.ends.len()), |(i, j)| {
            squares.covariance(&self.ends[i.max(j)], &self.ends[i.min(j)])
        })
    }
}

/// ∫ α and ∫ α² against 1 − t, t and their products over pieces.
struct Squares(Vec<([f64; 2], [f64; 3])>);

impl Squares {
    fn new(solution: &Solution, pieces: &[Piece]) -> Self {
        let knots = solution.knots(Order::Fine);
        let moments = |piece: &Piece| {
            let mut moments = Moments::default();
            let ends = solution.dual_at_ends(piece);
            knots.for_each(piece, ends, |t, weight, alpha, _| {
                moments.add(t, weight, alpha, alpha * alpha);
            });
            (moments.first, moments.second)
        };
        Self(dual::for_pieces(pieces.len(), |k| moments(&pieces[k])))
    }

    /// Cov(αD, αD') of functions that are linear on each piece, from their values at its ends.
    fn covariance(&self, one: &[[f64; 2]], other: &[[f64; 2]]) -> f64 {
        let (mut second, mut mean) = (0.0, [0.0; 2]);
        for ((first, [ll, lr, rr]), ([l, r], [l2, r2])) in self.0.iter().zip(one.iter().zip(other))
        {
            second += l * l2 * ll + (l * r2 + r * l2) * lr + r * r2 * rr;
            mean[0] += first[0] * l + first[1] * r;
            mean[1] += first[0] * l2 + first[1] * r2;
        }
        second - mean[0] * mean[1]
    }
}

/// Covariance of the limit of √n (f_n − h̄) at the points (law 1 of proofs.md).
///
/// # Errors
/// [`Error::NotConverged`] where the Newton matrix at the solution is singular in double precision.
pub fn covariance(solution: &Solution, points: &[f64]) -> Result<Array2<f64>> {
    Ok(Remainders::new(solution, points, Multipliers::Refitted)?.covariance(solution))
}

/// α D_x of single neurons, given by sheet and knot: less its mean, what a neuron adds to n (f_n(x) − h̄(x)) to
/// leading order. It relates networks under several settings that start alike.
///
/// # Errors
/// As [`covariance`].
pub fn influences(solution: &Solution, x: f64, neurons: &[(Sheet, f64)]) -> Result<Vec<f64>> {
    let regression = Regression::new(solution, &[x])?;
    let ends = regression.remainder(x);
    let influence = |&(sheet, c): &(Sheet, f64)| {
        let holds = |piece: &Piece| piece.sheet == sheet && piece.left <= c && c <= piece.right;
        let number = regression.pieces.iter().position(holds);
        number.map_or(0.0, |number| {
            let Piece { left, right, .. } = regression.pieces[number];
            let t = (c - left) / (right - left);
            let [l, r] = ends[number];
            solution.alpha(sheet, c) * (l * (1.0 - t) + r * t)
        })
    };
    Ok(neurons.iter().map(influence).collect())
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
    // One point at a time on each processor: the diagonal alone, in O(m) memory.
    let regression = Regression::new(solution, points)?;
    let squares = Squares::new(solution, &regression.pieces);
    let variance = |&x: &f64| {
        let remainder = regression.remainder(x);
        squares.covariance(&remainder, &remainder)
    };
    let deviation = |x: &f64| match variance(x) {
        rounded if rounded < 0.0 => 0.0,
        variance => variance.sqrt(),
    };
    Ok(points.par_iter().map(deviation).collect())
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
    for (number, piece) in remainders.pieces.iter().enumerate() {
        knots.for_each(
            piece,
            solution.dual_at_ends(piece),
            |t, weight, alpha, _| {
                let force = exponent * alpha.abs().powf(exponent - 1.0).copysign(alpha);
                for (gap, ends) in gap.iter_mut().zip(&remainders.ends) {
                    let [l, r] = ends[number];
                    *gap -= weight * force * (l * (1.0 - t) + r * t) / potential.hessian(0.0);
                }
            },
        );
    }
    Ok(gap)
}
