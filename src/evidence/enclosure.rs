//! What is certain of a computed minimiser: the dual's gradient, its value and h at any λ, in balls.
//!
//! All integrals are those of "What a double cannot hold" in proofs.md, in ball arithmetic and from formulas of their
//! own: where the closed form cancels, Taylor's with its remainder takes over, and where that is singular, that α is
//! monotone.

use super::ball::Ball;
use crate::{
    setting::{Family, Potential},
    solver::{
        closed_form::coefficients,
        double_double::{DoubleDouble, Real},
        dual::{Piece, Sheet, for_pieces},
        infinite_width::Solution,
    },
};

/// φ of the limit and its conjugate in balls.
#[derive(Debug, Clone)]
pub struct Conjugate {
    potential: Potential,
    law: Law,
}

/// At scale 1.
#[derive(Debug, Clone)]
enum Law {
    Power {
        exponent: f64,
        /// pa and 2b of φ' = α(paT + 2b), T = |α|^(p − 2).
        slope: [Ball; 2],
        /// A_ℓ = α^(ℓ+1) Σ_k c_ℓk T^k, k = 0 … ℓ.
        coefficients: Box<[[Ball; 4]; 4]>,
    },
    Hypentropy {
        beta: Ball,
    },
}

/// u, and A_ℓ/u^ℓ there, with A₀ = α, A₁ = φ*, A₂' = A₁, A₃' = A₂, at scale 1; all stay in range.
#[derive(Debug, Clone, Copy)]
struct Point {
    u: Ball,
    ratios: [Ball; 4],
}

impl Point {
    fn alpha(&self) -> Ball {
        self.ratios[0]
    }

    fn conjugate(&self) -> Ball {
        self.ratios[1] * self.u
    }
}

fn exact(value: f64) -> Ball {
    value.into()
}

impl Conjugate {
    /// Of a potential within the hypotheses; none of one's own, of which nothing is certain.
    pub fn new(potential: Potential) -> Option<Self> {
        let power = |p: f64, a: Ball, b: Ball| {
            let slope = [exact(p) * a, exact(2.0) * b];
            Law::Power {
                exponent: p,
                slope,
                coefficients: Box::new(coefficients(p, slope)),
            }
        };
        let law = match potential.family() {
            Family::Quadratic { half_hessian } => power(2.0, exact(0.0), exact(half_hessian)),
            Family::Power { exponent, omega } if exponent > 2.0 && omega > 0.0 => {
                let total = exact(1.0) + exact(omega);
                power(exponent, exact(1.0) / total, exact(omega) / total)
            }
            Family::Hypentropy { beta } => Law::Hypentropy { beta: exact(beta) },
            Family::Power { .. } | Family::Own(_) => return None,
        };
        Some(Self { potential, law })
    }

    /// φ'(α) and φ''(α), for α at scale 1; in u at scale 1 for the hypentropy.
    fn mirror_map(&self, alpha: Ball) -> [Ball; 2] {
        match &self.law {
            Law::Power {
                exponent, slope, ..
            } => {
                let steep = slope[0] * steepness(alpha, *exponent);
                let hessian = steep * (exact(*exponent) - exact(1.0)) + slope[1];
                [alpha * (steep + slope[1]), hessian]
            }
            Law::Hypentropy { .. } => [Ball::everything(); 2],
        }
    }

    /// Values of |u| between which (φ*)'' changes by no more than `ratio`, from 0 to beyond `reach`, and (φ*)'' and |α|
    /// there.
    pub fn ladder(&self, ratio: f64, reach: f64) -> Vec<[Ball; 3]> {
        const RUNGS: i32 = 10_000;
        let scale = self.potential.scale();
        let mut ladder = Vec::new();
        for k in 0..RUNGS {
            let growth = ratio.powi(k);
            let [u, slope, alpha] = match &self.law {
                Law::Hypentropy { beta } => {
                    let u = exact(growth.acosh());
                    let [sinh, ratio, ..] = hyperbolic(u);
                    [u, *beta * (ratio * u + exact(1.0)), *beta * sinh]
                }
                Law::Power {
                    exponent: 2.0,
                    slope,
                    ..
                } => [exact(0.0), exact(1.0) / slope[1], exact(0.0)],
                Law::Power {
                    exponent: p,
                    slope: [steep, even],
                    ..
                } => {
                    let unit = even.mid().high() / (steep.mid().high() * (p - 1.0));
                    let alpha = ((growth - 1.0) * unit).powf((p - 2.0).recip());
                    let [u, hessian] = self.mirror_map(exact(alpha));
                    [u, exact(1.0) / hessian, exact(alpha)]
                }
            };
            let u = u * exact(scale);
            if !u.magnitude().is_finite() || !slope.magnitude().is_finite() {
                break;
            }
            ladder.push([u, slope, alpha * exact(scale)]);
            if u.mignitude() > reach || matches!(self.law, Law::Power { exponent: 2.0, .. }) {
                break;
            }
        }
        ladder
    }

    /// Whether h as [`Solution::value`] gives it, from double-double without radii, is right but for ε of its terms where
    /// |u| ≤ `reach` (proofs.md, "Outward rounding").
    pub fn vouches_for_values(&self, reach: f64) -> bool {
        match self.law {
            Law::Power { exponent, .. } => exponent <= 7.0,
            Law::Hypentropy { .. } => reach <= 64.0 * self.potential.scale(),
        }
    }

    /// α = (φ*)'(u) for a power, at scale 1: an approximate root, and how far from it the excess of φ' leaves the true one.
    fn root(&self, exponent: f64, slope: [Ball; 2], u: Ball) -> Ball {
        if exponent == 2.0 {
            return u / slope[1];
        }
        let scale = self.potential.scale();
        let guess = self.potential.inverse_mirror_map(u.mid().high() * scale) / scale;
        let [value, hessian] = self.mirror_map(exact(guess));
        let step = (value.mid() - u.mid()) / hessian.mid();
        let alpha = DoubleDouble::from(guess) - step;
        let [value, hessian] = self.mirror_map(alpha.into());
        let excess = (value - u).magnitude();
        // φ' is monotone, so that the root is within δ where δ times the least φ'' there is no less than the excess. With
        // k = max(1, p − 2), T within δ of α is at least T(α)(1 − kδ/|α|); and φ'' ≥ 2b everywhere.
        let even = slope[1].mignitude();
        let distance = 1.05 * excess / hessian.mignitude();
        let share = 1.0 - 1.01 * (exponent - 2.0).max(1.0) * distance / alpha.high().abs();
        let steep = 0.999 * hessian.mignitude() - even;
        let least = even + 0.999 * share * steep;
        let near = share > 0.0 && steep > 0.0 && distance * least > 1.001 * excess;
        Ball::from(alpha).widened(if near { distance } else { 1.01 * excess / even })
    }

    fn point(&self, u: Ball) -> Point {
        let ratios = match &self.law {
            Law::Hypentropy { beta } => hyperbolic(u).map(|ratio| *beta * ratio),
            Law::Power {
                exponent,
                slope: [steep, even],
                coefficients,
            } => {
                let alpha = self.root(*exponent, [*steep, *even], u);
                let power = steepness(alpha, *exponent);
                // T/(paT + 2b) and 1/(paT + 2b), bounded where T is not.
                let gentle = exact(1.0) / (*steep * power + *even);
                let steep = power * gentle;
                [0, 1, 2, 3].map(|level| {
                    let (mut sum, mut weight) = (coefficients[level][level], gentle);
                    for k in (0..level).rev() {
                        sum = sum * steep + coefficients[level][k] * weight;
                        weight = weight * gentle;
                    }
                    alpha * sum
                })
            }
        };
        Point { u, ratios }
    }

    /// dα/du, d²α/du² and d³α/du³ times powers of u's change, from α; for the hypentropy from φ* as well.
    fn derivatives(&self, [alpha, conjugate]: [Ball; 2], change: Ball) -> [Ball; 3] {
        match &self.law {
            Law::Hypentropy { beta } => {
                let first = (conjugate + *beta) * change;
                let square = change * change;
                [first, alpha * square, first * square]
            }
            Law::Power {
                exponent, slope, ..
            } => {
                let p = |less: f64| exact(*exponent) - exact(less);
                let [_, second] = self.mirror_map(alpha);
                // The third and fourth derivative of φ over the second.
                let third =
                    slope[0] * steepness(alpha, *exponent) / second * p(1.0) * p(2.0) / alpha;
                let fourth = third * p(3.0) / alpha;
                let first = change / second;
                let square = first * first;
                [
                    first,
                    -third * square,
                    (exact(3.0) * third * third - fourth) * square * first,
                ]
            }
        }
    }

    /// ∫ A_ℓ dt, ∫ A_ℓ t dt and ∫ A_ℓ t² dt over a piece, ℓ = `level` ≤ 1 (for ℓ = 1 the third is not known).
    fn integrals(&self, level: usize, [from, to]: &[Point; 2]) -> [Ball; 3] {
        // From here on Taylor's formula, which leaves |Δu/u|³, may be better than the closed form, which loses |u/Δu|², for the
        // third |u/Δu|³: from 10⁶ or 10⁵ on it is.
        const FAR: f64 = 1e4;
        let change = to.u - from.u;
        let largest = from.u.magnitude().max(to.u.magnitude());
        let known = |integrals: &[Ball; 3]| {
            let mut all = integrals[..3 - level].iter();
            all.all(|one| one.radius().is_finite())
        };
        let closed = (change.mignitude() > 0.0).then(|| {
            // A_{ℓ+k} in units of U^k, k = 1 … 3, U the largest |u|. What is divided by Δu, whose error is relative to u,
            // is a difference already.
            let unit = exact(largest);
            let terms = [from, to].map(|point| {
                let mut power = if level == 1 { point.u } else { exact(1.0) };
                [1, 2, 3].map(|k| {
                    power = power * point.u / unit;
                    let ratio = point.ratios.get(level + k).copied();
                    ratio.map_or_else(Ball::everything, |ratio| ratio * power)
                })
            });
            let [one, two, three] = [0, 1, 2].map(|k| [terms[0][k], terms[1][k]]);
            let (step, twice) = (change / unit, exact(2.0));
            let slope = (two[1] - two[0]) / step;
            let bend = (three[1] - three[0]) / step;
            [
                (one[1] - one[0]) / step,
                (one[1] - slope) / step,
                (one[1] - twice * (two[1] - bend) / step) / step,
            ]
        });
        let closed = closed.filter(known);
        if let Some(closed) = closed
            && change.mignitude() * FAR > largest
        {
            return closed;
        }
        let values = |point: &Point| [point.alpha(), point.conjugate()];
        let (here, there) = (values(from), values(to));
        let between = [0, 1].map(|k| here[k].hull(there[k]));
        let local = self.derivatives(here, change);
        let remainder = self.derivatives(between, change);
        // f, f'Δ and f''Δ² at the left end, the third in between; A₁' = α.
        let [zeroth, first, second, third] = match level {
            0 => [here[0], local[0], local[1], remainder[2]],
            _ => [
                here[1],
                here[0] * change,
                local[0] * change,
                remainder[1] * change,
            ],
        };
        let terms = [zeroth, first, second * exact(0.5), third / exact(6.0)];
        let taylor = [1.0, 2.0, 3.0].map(|k| {
            let orders = terms.iter().zip([k, k + 1.0, k + 2.0, k + 3.0]);
            orders.fold(exact(0.0), |sum, (&term, order)| sum + term / exact(order))
        });
        if known(&taylor) {
            let better = |k: usize| match closed {
                Some(closed) if closed[k].radius() < taylor[k].radius() => closed[k],
                _ => taylor[k],
            };
            return [0, 1, 2].map(better);
        }
        if let Some(closed) = closed {
            return closed;
        }
        // α is monotone; φ* as well, on either side of 0.
        let same = from.u.least() > 0.0 && to.u.least() > 0.0
            || (-from.u).least() > 0.0 && (-to.u).least() > 0.0;
        let both = between[level];
        let values = if level == 0 || same {
            both
        } else {
            both.hull(exact(0.0))
        };
        [1.0, 2.0, 3.0].map(|order| values / exact(order))
    }

    /// Over a piece on which u runs between its values and the density times the length between `mass`:
    /// ∫ α (1 − t) p and ∫ α t p, ∫ φ* p, and the largest |α|.
    pub fn moments(&self, u: [Ball; 2], mass: [Ball; 2]) -> ([Ball; 2], Ball, f64) {
        let scale = exact(self.potential.scale());
        let ends = u.map(|u| self.point(u / scale));
        let [zeroth, first, second] = self.integrals(0, &ends);
        let [whole, part, _] = self.integrals(1, &ends);
        let slope = mass[1] - mass[0];
        let right = mass[0] * first + slope * second;
        let left = mass[0] * zeroth + slope * first - right;
        let dual = (mass[0] * whole + slope * part) * scale * scale;
        let largest = ends.map(|end| (end.alpha() * scale).magnitude());
        (
            [left * scale, right * scale],
            dual,
            largest[0].max(largest[1]),
        )
    }
}

/// |α|^(p − 2).
fn steepness(alpha: Ball, exponent: f64) -> Ball {
    let size = if alpha.mid().high() < 0.0 {
        -alpha
    } else {
        alpha
    };
    if exponent == 2.0 {
        return exact(1.0);
    }
    if exponent.fract() == 0.0 && exponent < 64.0 {
        return size.powi(exponent as u32 - 2);
    }
    let power = |size: Ball| (size.ln() * (exact(exponent) - exact(2.0))).exp();
    if size.least() > 0.0 {
        return power(size);
    }
    // Near 0: anything from 0 to the value at the largest.
    let largest = size.magnitude();
    let half = if largest > 0.0 {
        power(exact(largest)).bounds()[1] / 2.0
    } else {
        0.0
    };
    Ball::new(half, half)
}

/// sinh u, (cosh u − 1)/u, (sinh u − u)/u² and (cosh u − 1 − u²/2)/u³.
fn hyperbolic(u: Ball) -> [Ball; 4] {
    const TERMS: u32 = 16;
    let (one, half) = (exact(1.0), exact(0.5));
    let square = u * u;
    if u.magnitude() <= 1.0 {
        // u/n! Σ_j n! u^(2j)/(n + 2j)!, n = 1 … 4; what follows the last term is below 1/32! for |u| ≤ 1.
        let mut first = u;
        return [1.0, 2.0, 3.0, 4.0].map(|n| {
            first = first / exact(n);
            let sum = (1..TERMS).rev().fold(one, |sum, j| {
                let order = n + 2.0 * f64::from(j);
                one + sum * square / exact(order * (order - 1.0))
            });
            first * sum.widened(1e-32)
        });
    }
    let (up, down) = (u.exp(), (-u).exp());
    let (sinh, cosh) = ((up - down) * half, (up + down) * half);
    [
        sinh,
        (cosh - one) / u,
        (sinh - u) / square,
        (cosh - one - square * half) / (square * u),
    ]
}

/// The dual about λ̂ in balls.
#[derive(Debug, Clone)]
pub struct Enclosure<'a> {
    solution: &'a Solution,
    conjugate: Conjugate,
    gradient: Vec<Ball>,
    value: Ball,
    largest: Vec<f64>,
}

/// ReLU neurons that no data point activates: λᵀF = 0 and α = 0.
pub fn is_silent(piece: &Piece, m: usize) -> bool {
    match piece.sheet {
        Sheet::Both => false,
        Sheet::Plus => piece.interval == m,
        Sheet::Minus => piece.interval == 0,
    }
}

impl<'a> Enclosure<'a> {
    /// Encloses what a solution computes; None for a Gaussian density and for potentials of one's own or beyond the
    /// hypotheses, where double precision is all there is.
    pub fn new(solution: &'a Solution) -> Option<Self> {
        let conjugate = Conjugate::new(solution.setting().limit_potential())?;
        let basis = solution.basis();
        let pieces = solution.pieces();
        let terms = for_pieces(pieces.len(), |number| {
            let piece = &pieces[number];
            let mass = solution.mass_in(piece)?;
            if is_silent(piece, basis.len()) {
                return Some(([exact(0.0); 4], exact(0.0), 0.0));
            }
            let ([first, second], value, largest) =
                conjugate.moments(solution.dual_in(piece), mass);
            let [left, right] = [piece.left, piece.right]
                .map(|c| basis.functions_in::<Ball>(piece.interval, piece.sheet, c));
            let gradient = [0, 1, 2, 3].map(|slot| left[slot] * first + right[slot] * second);
            Some((gradient, value, largest))
        });
        let target = basis.target_in::<Ball>();
        let mut gradient: Vec<Ball> = target.iter().map(|&z| -z).collect();
        let mut value = (solution.precise_coordinates().into_iter().zip(target))
            .fold(exact(0.0), |sum, (q, z)| sum + Ball::from(q) * z);
        let mut largest = Vec::with_capacity(pieces.len());
        for (piece, terms) in pieces.iter().zip(terms) {
            let (entries, conjugate, size) = terms?;
            for (index, entry) in basis.indices(piece.interval).into_iter().zip(entries) {
                gradient[index] = gradient[index] + entry;
            }
            value = value - conjugate;
            largest.push(size);
        }
        Some(Self {
            solution,
            conjugate,
            gradient,
            value,
            largest,
        })
    }

    /// E\[α̂F\] − z in coordinates.
    pub fn gradient(&self) -> &[Ball] {
        &self.gradient
    }

    /// λ̂ᵀy − E φ*(λ̂ᵀF): the dual's value, never more than the least E φ(α).
    pub fn dual_value(&self) -> Ball {
        self.value
    }

    /// A bound on |α̂| on each piece.
    pub fn largest(&self) -> &[f64] {
        &self.largest
    }

    /// The potential of the limit.
    pub fn conjugate(&self) -> &Conjugate {
        &self.conjugate
    }

    /// h(x) of λ̂, the chord of the data less what curvature makes of it.
    pub fn value(&self, x: f64) -> Ball {
        let m = self.solution.basis().len();
        let moments = |part: &Piece| match self.solution.mass_in(part) {
            Some(_) if is_silent(part, m) => [exact(0.0); 2],
            Some(mass) => self.conjugate.moments(self.solution.dual_in(part), mass).0,
            None => [Ball::everything(); 2],
        };
        self.solution.value_in(x, &moments)
    }
}
