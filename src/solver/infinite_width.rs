//! n → ∞: the minimiser h̄(x) = E[α σ(w x − b)] of E φ(α) under E[α F] = y.
//!
//! The dual is integrated exactly or to round-off over each stretch of knots between data points
//! and breakpoints of the density. Away from the data h̄ is evaluated *locally*, as the chord of the
//! neighbouring data minus ∫ G(x, c) h̄''(c) dc, so no cancellation grows with m.

use super::{
    closed_form::ClosedForm,
    double_double::{DoubleDouble, Real},
    dual::{self, Expansion, LocalBasis, Measure, Moments, Piece, Sheet},
    interpolation,
    quadrature::{Order, Quadrature},
};
use crate::{
    Result,
    setting::{Activation, BiasDensity, Dataset, Family, Potential, Setting},
};
use gauss_quad::GaussLegendre;
use ndarray::Array2;
use std::{num::NonZeroUsize, sync::Arc};

/// Gaussian tails end where the density leaves the range of double precision.
const GAUSSIAN_CUT: i32 = 38;

/// The law of the knots c = w·b, cut into pieces on which λᵀF is linear and the density smooth.
#[derive(Debug, Clone)]
pub struct Knots {
    bias: BiasDensity,
    pieces: Arc<Vec<Piece>>,
    quadrature: Quadrature,
    /// None for a Gaussian density, which has no closed form and is itself known to a double only.
    closed_form: Option<ClosedForm>,
}

impl Knots {
    fn new(basis: &LocalBasis, bias: BiasDensity, potential: Potential, order: Order) -> Self {
        let pieces = Sheet::of(basis.activation())
            .iter()
            .flat_map(|&sheet| pieces(basis.x(), bias, sheet))
            .collect();
        let polynomial = !matches!(bias, BiasDensity::Gaussian { .. });
        Self {
            bias,
            pieces: Arc::new(pieces),
            quadrature: Quadrature::new(potential, bias, order),
            closed_form: polynomial.then(|| ClosedForm::new(potential)).flatten(),
        }
    }

    /// Density of the knots at both ends of a piece, from within, times its length, in an arithmetic of more
    /// digits than a double's; None where it is not linear between.
    pub fn mass_in<T: Real>(&self, piece: &Piece) -> Option<[T; 2]> {
        let real = |v: f64| T::from(v);
        let middle = piece.left + (piece.right - piece.left) / 2.0;
        let at = |b: f64, inside: f64| match self.bias {
            BiasDensity::Uniform { half_width } => Some(real(0.5) / real(half_width)),
            BiasDensity::Triangular { half_width, mode } => {
                let (c, b, peak) = (real(half_width), real(b), real(mode));
                let share = if inside < mode {
                    (b + c) / (c + peak)
                } else {
                    (c - b) / (c - peak)
                };
                Some(share / c)
            }
            BiasDensity::Gaussian { .. } => None,
        };
        let (half, length) = (real(0.5), real(piece.right) - real(piece.left));
        let mass = |c: f64| {
            let [plus, minus] = [at(c, middle)?, at(-c, -middle)?];
            let density = match piece.sheet {
                Sheet::Plus => plus * half,
                Sheet::Minus => minus * half,
                Sheet::Both => (plus + minus) * half,
            };
            Some(density * length)
        };
        Some([mass(piece.left)?, mass(piece.right)?])
    }

    /// Density of the knots of a sheet, with the sheet's share: p_B(w c)/2, or their sum.
    pub fn density(&self, sheet: Sheet, c: f64) -> f64 {
        let (plus, minus) = (self.bias.density(c), self.bias.density(-c));
        match sheet {
            Sheet::Plus => plus / 2.0,
            Sheet::Minus => minus / 2.0,
            Sheet::Both => (plus + minus) / 2.0,
        }
    }

    /// Visits nodes of a piece on which u runs over `u` with t, weight (probability), α, (φ*)''.
    pub fn for_each(&self, piece: &Piece, u: [f64; 2], mut visit: impl FnMut(f64, f64, f64, f64)) {
        let length = piece.right - piece.left;
        let at = |t: f64| self.density(piece.sheet, piece.left + t * length) * length;
        if let BiasDensity::Uniform { .. } = self.bias {
            let mass = at(0.5);
            return self.quadrature.for_each(u, |node| {
                visit(node.t, mass * node.weight, node.alpha, node.hessian);
            });
        }
        self.quadrature.for_each(u, |node| {
            visit(node.t, at(node.t) * node.weight, node.alpha, node.hessian);
        });
    }
}

/// The knots of one sheet, cut at the data and where the density is not smooth.
fn pieces(x: &[f64], bias: BiasDensity, sheet: Sheet) -> Vec<Piece> {
    let mut breaks = bias.breakpoints();
    let mut edge = bias.half_width();
    if let BiasDensity::Gaussian { standard_deviation } = bias {
        edge = f64::from(GAUSSIAN_CUT) * standard_deviation;
        breaks = (-GAUSSIAN_CUT..=GAUSSIAN_CUT)
            .map(|k| f64::from(k) * standard_deviation)
            .collect();
    }
    let mirrored = breaks.iter().rev().map(|cut| -cut);
    let mut cuts: Vec<f64> = match sheet {
        Sheet::Plus => breaks,
        Sheet::Minus => mirrored.collect(),
        Sheet::Both => mirrored.chain(breaks.iter().copied()).collect(),
    };
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();
    (0..=x.len())
        .map(|interval| Piece {
            interval,
            sheet,
            left: if interval == 0 {
                -edge
            } else {
                x[interval - 1].max(-edge)
            },
            right: x.get(interval).map_or(edge, |x| x.min(edge)),
        })
        .filter(|piece| piece.left < piece.right)
        .flat_map(|piece| piece.split(&cuts).collect::<Vec<_>>())
        .collect()
}

impl Measure for Knots {
    fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    fn potential(&self) -> &Potential {
        self.quadrature.potential()
    }

    fn moments(&self, piece: usize, u: [f64; 2]) -> Moments {
        self.moments_over(&self.pieces[piece], u)
    }

    fn precise_first(&self, piece: usize, u: [DoubleDouble; 2]) -> Option<[DoubleDouble; 2]> {
        let form = self.closed_form.as_ref()?;
        Some(form.first_moments(u, self.mass_in(&self.pieces[piece])?))
    }
}

impl Knots {
    /// The same law with other nodes.
    pub fn with_quadrature(&self, quadrature: Quadrature) -> Self {
        Self {
            quadrature,
            ..self.clone()
        }
    }

    fn moments_over(&self, piece: &Piece, u: [f64; 2]) -> Moments {
        let mut moments = Moments::default();
        self.for_each(piece, u, |t, weight, alpha, hessian| {
            moments.add(t, weight, alpha, hessian);
        });
        moments
    }

    /// The pieces of one interval of one sheet.
    fn on(&self, sheet: Sheet, interval: usize) -> &[Piece] {
        let key = |piece: &Piece| (piece.sheet as u8, piece.interval);
        let wanted = (sheet as u8, interval);
        let first = self.pieces.partition_point(|piece| key(piece) < wanted);
        let last = self.pieces.partition_point(|piece| key(piece) <= wanted);
        &self.pieces[first..last]
    }
}

/// The three terms of the representation cost of h̄ (ReLU, quadratic penalty).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// G₁ = ∫ h''²/p_B.
    pub curvature: f64,
    /// G₂ = (h'(+∞) + h'(−∞))².
    pub slopes: f64,
    /// G₃ = (∫ h''|x| dx − 2h(0))²/Var B.
    pub offset: f64,
}

/// The infinite-width minimiser h̄ of a setting.
#[derive(Debug, Clone)]
pub struct Solution {
    setting: Setting,
    basis: LocalBasis,
    least: Knots,
    knots: Knots,
    fine: Knots,
    dual: dual::DualSolution,
    /// For each point of the basis its place among the inputs in ascending order.
    kept: Vec<usize>,
}

/// Solves the infinite-width problem of a setting.
///
/// # Errors
/// [`crate::Error::NotInterpolable`] where no network of the class passes through the data,
/// [`crate::Error::NotConverged`] where Newton's method stops short.
pub fn minimize(setting: &Setting) -> Result<Solution> {
    let kept = interpolation::independent_points(setting)?;
    let spread = setting.bias.second_moment().sqrt();
    let basis = LocalBasis::new(
        &subset(&setting.dataset, &kept)?,
        setting.activation,
        spread,
    );
    let potential = setting.limit_potential();
    let least = Knots::new(&basis, setting.bias, potential, Order::Least);
    let with = |order| least.with_quadrature(Quadrature::new(potential, setting.bias, order));
    let (knots, fine) = (with(Order::Base), with(Order::Fine));
    let dual = dual::minimize("the infinite-width dual", &basis, &least)?;
    Ok(Solution {
        setting: setting.clone(),
        basis,
        least,
        knots,
        fine,
        dual,
        kept,
    })
}

fn subset(dataset: &Dataset, kept: &[usize]) -> Result<Dataset> {
    let pick = |values: &[f64]| kept.iter().map(|&i| values[i]).collect::<Vec<_>>();
    Dataset::from_points(&pick(dataset.x()), &pick(dataset.y()))
}

impl Solution {
    /// The setting that was solved.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// The local basis of the data (redundant points outside the support left out).
    pub fn basis(&self) -> &LocalBasis {
        &self.basis
    }

    /// The law of the knots, with the quadrature of the given order.
    pub fn knots(&self, order: Order) -> &Knots {
        match order {
            Order::Least => &self.least,
            Order::Base => &self.knots,
            Order::Fine => &self.fine,
        }
    }

    /// Coordinates of λ in the local basis.
    pub fn coordinates(&self) -> &[f64] {
        &self.dual.q
    }

    /// What other coordinates of λ would give for the same data: not a minimiser, but certified
    /// like one. Expects m of them.
    pub fn with_coordinates(&self, q: Vec<f64>) -> Self {
        let dual = dual::DualSolution::at(&self.basis, &self.least, q, self.dual.iterations);
        Self {
            dual,
            ..self.clone()
        }
    }

    /// The dual at λ, with the gradient to all its digits.
    pub fn expansion(&self) -> Expansion {
        Expansion {
            gradient: self.dual.gradient.clone(),
            ..Expansion::at(&self.basis, &self.least, &self.dual.q)
        }
    }

    /// Coordinates of λ in the local basis to all their digits.
    pub fn precise_coordinates(&self) -> Vec<DoubleDouble> {
        DoubleDouble::join(&self.dual.q, &self.dual.low)
    }

    /// The pieces of the law of the knots.
    pub fn pieces(&self) -> &[Piece] {
        self.least.pieces()
    }

    /// Mass of the knots on a piece, as [`Knots::mass_in`].
    pub fn mass_in<T: Real>(&self, piece: &Piece) -> Option<[T; 2]> {
        self.least.mass_in(piece)
    }

    /// Newton steps to a relative residual of 10⁻¹⁰.
    pub fn iterations(&self) -> usize {
        self.dual.iterations
    }

    /// Relative residual of the dual's gradient.
    pub fn relative_residual(&self) -> f64 {
        self.dual.relative_residual
    }

    /// λ, in the order of the data file; 0 for points that follow from the others.
    pub fn multipliers(&self) -> Vec<f64> {
        let mut sorted = vec![0.0; self.setting.dataset.len()];
        let q = DoubleDouble::join(&self.dual.q, &self.dual.low);
        for (&place, value) in self.kept.iter().zip(self.basis.multipliers(&q)) {
            sorted[place] = value.high();
        }
        self.setting.dataset.in_file_order(&sorted)
    }

    fn interval(&self, x: f64) -> usize {
        self.basis.x().partition_point(|&xi| xi <= x)
    }

    /// u = λᵀF of a neuron with knot c.
    pub fn dual_function(&self, sheet: Sheet, c: f64) -> f64 {
        let point = [&self.dual.q[..], &self.dual.low];
        self.basis
            .precise_dual_function(point, self.interval(c), sheet, c)
    }

    /// α = (φ*)'(λᵀF) of a neuron with knot c: the limit of n(a_k − â_k).
    pub fn alpha(&self, sheet: Sheet, c: f64) -> f64 {
        self.setting
            .limit_potential()
            .inverse_mirror_map(self.dual_function(sheet, c))
    }

    /// Moments of α and (φ*)'' over a piece.
    pub fn moments(&self, piece: &Piece) -> Moments {
        self.least.moments_over(piece, self.dual_at_ends(piece))
    }

    /// Values of u at both ends of a piece.
    pub fn dual_at_ends(&self, piece: &Piece) -> [f64; 2] {
        let point = [&self.dual.q[..], &self.dual.low];
        [piece.left, piece.right].map(|c| {
            self.basis
                .precise_dual_function(point, piece.interval, piece.sheet, c)
        })
    }

    /// ∫ g(c) α p over the pieces of an interval from `from` to `to`, g linear, given by its values
    /// as a function of the knot.
    fn integrate_alpha<T: Real>(
        &self,
        moments: &impl Fn(&Piece) -> [T; 2],
        interval: usize,
        [from, to]: [f64; 2],
        g: impl Fn(Sheet, f64) -> T,
    ) -> T {
        let mut sum = T::from(0.0);
        for &sheet in Sheet::of(self.setting.activation) {
            for piece in self.knots.on(sheet, interval) {
                let part = Piece {
                    left: piece.left.max(from),
                    right: piece.right.min(to),
                    ..*piece
                };
                if part.left < part.right {
                    let [l, r] = moments(&part);
                    sum = sum + (g(sheet, part.left) * l + g(sheet, part.right) * r);
                }
            }
        }
        sum
    }

    /// h(x) of the λ at hand, local in x, from ∫ α (1 − t) p and ∫ α t p over a part of a piece.
    pub fn value_in<T: Real>(&self, x: f64, moments: &impl Fn(&Piece) -> [T; 2]) -> T {
        let (real, m) = (|v: f64| T::from(v), self.basis.len());
        let (data, y) = (self.basis.x(), |i: usize| real(self.basis.y()[i]));
        let interval = self.interval(x);
        // σ'' = 2δ for |·|, δ for ReLU.
        let jump = match self.setting.activation {
            Activation::Abs => real(2.0),
            Activation::Relu => real(1.0),
        };
        let curvature = |interval: usize, from: f64, to: f64, g: &dyn Fn(T) -> T| {
            jump * self.integrate_alpha(moments, interval, [from, to], |_, c| g(real(c)))
        };
        let (infinity, first, last) = (f64::INFINITY, data[0], data[m - 1]);
        if m == 1 {
            let ends = [[-infinity, x], [x, infinity]];
            let parts = (0..=1).flat_map(|interval| ends.map(|ends| (interval, ends)));
            return parts.fold(real(0.0), |sum, (interval, ends)| {
                let feature = |sheet: Sheet, c| sheet.feature_in(x, c);
                sum + self.integrate_alpha(moments, interval, ends, feature)
            });
        }
        let length = |j: usize| real(data[j + 1]) - real(data[j]);
        let chord = |j: usize| (y(j + 1) - y(j)) / length(j);
        if interval == 0 {
            let (next, h) = (real(data[1]), length(0));
            let slope = chord(0) - curvature(1, first, data[1], &|c| (next - c) / h);
            y(0) - slope * (real(first) - real(x)) + curvature(0, x, first, &|c| c - real(x))
        } else if interval == m {
            let (before, h) = (real(data[m - 2]), length(m - 2));
            let slope = chord(m - 2) + curvature(m - 1, data[m - 2], last, &|c| (c - before) / h);
            y(m - 1) + slope * (real(x) - real(last)) + curvature(m, last, x, &|c| real(x) - c)
        } else {
            let (l, r, h) = (data[interval - 1], data[interval], length(interval - 1));
            let (left, right) = ((real(r) - real(x)) / h, (real(x) - real(l)) / h);
            y(interval - 1) * left + y(interval) * right
                - curvature(interval, l, x, &|c| (c - real(l)) * left)
                - curvature(interval, x, r, &|c| (real(r) - c) * right)
        }
    }

    /// h̄(x) with the quadrature of an order.
    pub fn value_with(&self, order: Order, x: f64) -> f64 {
        let knots = self.knots(order);
        self.value_in(x, &|part| {
            knots.moments_over(part, self.dual_at_ends(part)).first
        })
    }

    /// h̄(x): where moments have a closed form to the last digits, but for the rounding of the outcome.
    pub fn value(&self, x: f64) -> f64 {
        let Some(form) = &self.least.closed_form else {
            return self.value_with(Order::Fine, x);
        };
        let zero = DoubleDouble::from(0.0);
        let moments = |part: &Piece| {
            let mass = self.least.mass_in(part).unwrap_or([zero; 2]);
            form.first_moments(self.dual_in(part), mass)
        };
        self.value_in(x, &moments).high()
    }

    /// u at both ends of a piece in the given arithmetic.
    pub fn dual_in<T: Real + From<DoubleDouble>>(&self, piece: &Piece) -> [T; 2] {
        let at = |j: usize| T::from(DoubleDouble::from(self.dual.q[j]) + self.dual.low[j].into());
        let coordinates = self.basis.indices(piece.interval).map(at);
        let x = self.basis.x();
        [piece.left, piece.right].map(|c| {
            // Where no datum activates a neuron, F is 0, though its terms in the basis only cancel.
            let silent = match piece.sheet {
                Sheet::Both => false,
                Sheet::Plus => c >= x[x.len() - 1],
                Sheet::Minus => c <= x[0],
            };
            if silent {
                return T::from(0.0);
            }
            let functions = self.basis.functions_in(piece.interval, piece.sheet, c);
            dual::dot(&functions, &coordinates)
        })
    }

    /// h̄''(x); at a jump of the density the mean of both sides.
    pub fn second_derivative(&self, x: f64) -> f64 {
        let side = |c: f64| -> f64 {
            Sheet::of(self.setting.activation)
                .iter()
                .map(|&sheet| {
                    let jump = if sheet == Sheet::Both { 2.0 } else { 1.0 };
                    match self.knots.density(sheet, c) {
                        0.0 => 0.0, // where α may overflow
                        density => jump * density * self.alpha(sheet, x),
                    }
                })
                .sum()
        };
        (side(x.next_down()) + side(x.next_up())) / 2.0
    }

    /// E g(α) over the initial neurons.
    pub fn expectation(&self, order: Order, g: impl Fn(f64) -> f64 + Sync) -> f64 {
        let knots = self.knots(order);
        let over = |piece: &Piece| {
            let mut sum = 0.0;
            knots.for_each(piece, self.dual_at_ends(piece), |_, weight, alpha, _| {
                sum += weight * g(alpha);
            });
            sum
        };
        let sums = dual::for_pieces(knots.pieces().len(), |k| over(&knots.pieces()[k]));
        sums.iter().sum()
    }

    /// E\[g(α) F Fᵀ\] (m × m, one row for each point of the basis) with the nodes of `knots`. With
    /// g = 1/φ'' it is the mirror kernel of the output weights at the minimiser.
    pub fn kernel(&self, knots: &Knots, g: impl Fn(f64) -> f64) -> Array2<f64> {
        let (x, m) = (self.basis.x(), self.basis.len());
        let mut kernel = Array2::zeros((m, m));
        for piece in knots.pieces() {
            let ends: Vec<[f64; 2]> = x
                .iter()
                .map(|&x| [piece.left, piece.right].map(|c| piece.sheet.feature(x, c)))
                .collect();
            let (mut ll, mut lr, mut rr) = (0.0, 0.0, 0.0);
            knots.for_each(piece, self.dual_at_ends(piece), |t, weight, alpha, _| {
                let weight = weight * g(alpha);
                ll += weight * (1.0 - t) * (1.0 - t);
                lr += weight * t * (1.0 - t);
                rr += weight * t * t;
            });
            for (i, [li, ri]) in ends.iter().enumerate() {
                for (j, [lj, rj]) in ends.iter().enumerate() {
                    kernel[[i, j]] += li * lj * ll + (li * rj + ri * lj) * lr + ri * rj * rr;
                }
            }
        }
        kernel
    }

    /// P(|λᵀF| ≤ level) over the initial neurons.
    pub fn dual_within(&self, level: f64) -> f64 {
        let below = |b: f64| self.setting.bias.distribution(b);
        let mass = |sheet: Sheet, from: f64, to: f64| {
            let [plus, minus] = [below(to) - below(from), below(-from) - below(-to)];
            match sheet {
                Sheet::Plus => 0.5 * plus,
                Sheet::Minus => 0.5 * minus,
                Sheet::Both => 0.5 * (plus + minus),
            }
        };
        let masses = self.knots.pieces.iter().map(|piece| {
            let [left, right] = self.dual_at_ends(piece);
            let (rise, length) = (right - left, piece.right - piece.left);
            // Where u = ∓level.
            let [from, to] = if rise == 0.0 {
                [0.0, f64::from(u8::from(left.abs() <= level))]
            } else {
                [-level, level].map(|u| ((u - left) / rise).clamp(0.0, 1.0))
            };
            let (from, to) = (from.min(to), from.max(to));
            mass(
                piece.sheet,
                piece.left + from * length,
                piece.left + to * length,
            )
        });
        masses.sum()
    }

    /// E φ(α), φ the limit's penalty (unscaled: ½φ''(0)α²).
    pub fn cost(&self) -> f64 {
        let potential = self.setting.limit_potential();
        self.expectation(Order::Fine, |alpha| potential.value(alpha))
    }

    /// The terms of the representation cost, for ReLU under a quadratic penalty; None otherwise.
    ///
    /// For densities that are not even these are the terms of the general functional, with
    /// p_e = (p(x) + p(−x))/2, ρ = (p(x) − p(−x))/2p_e and q = p(x)p(−x)/p_e:
    /// ∫h''²/p_e + (h'(+∞) + h'(−∞) − ∫ρh'')²/∫q + (∫h''(|x| − xρ) − 2h(0))²/∫x²q.
    pub fn terms(&self) -> Option<Terms> {
        let setting = &self.setting;
        let quadratic = matches!(setting.limit_potential().family(), Family::Quadratic { .. });
        if setting.activation != Activation::Relu || !quadratic {
            return None;
        }
        // Integrands are polynomials of degree 2 under a uniform density, on halves of the pieces at 0.
        let nodes = match setting.bias {
            BiasDensity::Uniform { .. } => 2,
            _ => 24,
        };
        let rule = GaussLegendre::new(NonZeroUsize::new(nodes)?);
        let pieces = pieces(self.basis.x(), setting.bias, Sheet::Both);
        let mut sums = [0.0; 5];
        for piece in pieces
            .iter()
            .flat_map(|piece| piece.split(&[0.0]).collect::<Vec<_>>())
        {
            let potential = setting.limit_potential();
            let [plus, minus] = [Sheet::Plus, Sheet::Minus]
                .map(|sheet| self.dual_at_ends(&Piece { sheet, ..piece }));
            let half = 0.5 * (piece.right - piece.left);
            for &(node, weight) in rule.as_node_weight_pairs() {
                let t = 0.5 + 0.5 * node;
                let c = piece.left + 2.0 * half * t;
                let alpha = |[l, r]: [f64; 2]| potential.inverse_mirror_map(l * (1.0 - t) + r * t);
                let [p, r] = [setting.bias.density(c), setting.bias.density(-c)];
                if p + r == 0.0 {
                    continue;
                }
                let [right, left] = [p * alpha(plus) / 2.0, r * alpha(minus) / 2.0];
                let (even, tilt, common) =
                    ((p + r) / 2.0, (p - r) / (p + r), 2.0 * p * r / (p + r));
                let curvature = right + left;
                let terms = [
                    curvature * curvature / even,
                    right - left - tilt * curvature,
                    curvature * (c.abs() - c * tilt),
                    common,
                    c * c * common,
                ];
                for (sum, term) in sums.iter_mut().zip(terms) {
                    *sum += weight * half * term;
                }
            }
        }
        let [curvature, slopes, moment, mass, second_moment] = sums;
        let offset = moment - 2.0 * self.value(0.0);
        // Where q ≡ 0 the functional's last two terms are constraints, which h̄ meets.
        let over = |square: f64, weight: f64| if weight > 0.0 { square / weight } else { 0.0 };
        Some(Terms {
            curvature,
            slopes: over(slopes.powi(2), mass),
            offset: over(offset.powi(2), second_moment),
        })
    }
}
