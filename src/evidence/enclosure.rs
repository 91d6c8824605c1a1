//! What is certain of a computed minimiser: the dual's gradient, its value and h at any λ, in balls.
//!
//! All integrals are those of "What a double cannot hold" in proofs.md, in ball arithmetic and from formulas of their
//! own: where the closed form cancels, Taylor's with its remainder takes over, and where that is singular, that α is
//! monotone.

use super::ball::Ball;
use crate::{
    setting::{Family, Potential},
    solver::{
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

/// u, and α = A₀, A₁ = φ*, A₂' = A₁, A₃' = A₂ there, at scale 1.
#[derive(Debug, Clone, Copy)]
struct Point {
    u: Ball,
    levels: [Ball; 4],
}

fn exact(value: f64) -> Ball {
    value.into()
}

impl Conjugate {
    /// Of a potential within the hypotheses; none of one's own, of which nothing is certain.
    pub fn new(potential: Potential) -> Option<Self> {
        let power = |p: f64, a: Ball, b: Ball| {
            let slope = [exact(p) * a, exact(2.0) * b];
            let hessian = [slope[0] * (exact(p) - exact(1.0)), slope[1]];
            let mut coefficients = [[exact(0.0); 4]; 4];
            coefficients[0][0] = exact(1.0);
            for level in 1..4 {
                for k in 0..=level {
                    let before = coefficients[level - 1];
                    let steep = if k > 0 { before[k - 1] } else { exact(0.0) };
                    let power =
                        exact(level as f64 + 1.0) + exact(k as f64) * (exact(p) - exact(2.0));
                    coefficients[level][k] = (before[k] * hessian[1] + steep * hessian[0]) / power;
                }
            }
            Law::Power {
                exponent: p,
                slope,
                coefficients: Box::new(coefficients),
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

    /// Values of |u| between which (φ*)'' changes by no more than `ratio`, from 0 to beyond `reach`, and (φ*)'' there.
    pub fn ladder(&self, ratio: f64, reach: f64) -> Vec<[Ball; 2]> {
        const RUNGS: i32 = 10_000;
        let scale = self.potential.scale();
        let mut ladder = Vec::new();
        for k in 0..RUNGS {
            let growth = ratio.powi(k);
            let [u, slope] = match &self.law {
                Law::Hypentropy { beta } => {
                    let u = exact(growth.acosh());
                    let [_, cosh, ..] = hyperbolic(u);
                    [u, *beta * (cosh + exact(1.0))]
                }
                Law::Power {
                    exponent: 2.0,
                    slope,
                    ..
                } => [exact(0.0), exact(1.0) / slope[1]],
                Law::Power {
                    exponent: p,
                    slope: [steep, even],
                    ..
                } => {
                    let unit = even.mid().high() / (steep.mid().high() * (p - 1.0));
                    let alpha = ((growth - 1.0) * unit).powf((p - 2.0).recip());
                    let [u, hessian] = self.mirror_map(exact(alpha));
                    [u, exact(1.0) / hessian]
                }
            };
            let u = u * exact(scale);
            if !u.magnitude().is_finite() || !slope.magnitude().is_finite() {
                break;
            }
            ladder.push([u, slope]);
            if u.mignitude() > reach || matches!(self.law, Law::Power { exponent: 2.0, .. }) {
                break;
            }
        }
        ladder
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
        // |α − root| is the excess over φ'' between, and φ'' ≥ 2b. From that, T between is at least
        // T(α)(1 − kδ/|α|), k = max(1, p − 2).
        let even = slope[1].mignitude();
        let nearest = excess / even / alpha.high().abs();
        let share = 1.0 - 1.01 * (exponent - 2.0).max(1.0) * nearest;
        let steep = (hessian.mignitude() * 0.999 - even).max(0.0);
        let least = if share > 0.0 {
            even + 0.99 * share * steep
        } else {
            even
        };
        Ball::from(alpha).widened(1.01 * excess / least)
    }

    fn point(&self, u: Ball) -> Point {
        let levels = match &self.law {
            Law::Hypentropy { beta } => hyperbolic(u).map(|level| *beta * level),
            Law::Power {
                exponent,
                slope,
                coefficients,
            } => {
                let alpha = self.root(*exponent, *slope, u);
                let steep = steepness(alpha, *exponent);
                let mut power = exact(1.0);
                [0, 1, 2, 3].map(|level| {
                    power = power * alpha;
                    let c = &coefficients[level];
                    let sum = (0..level).rev().fold(c[level], |sum, k| sum * steep + c[k]);
                    power * sum
                })
            }
        };
        Point { u, levels }
    }

    /// α', α'' and α''' as functions of u, from α; for the hypentropy from α and φ* there.
    fn derivatives(&self, [alpha, conjugate]: [Ball; 2]) -> [Ball; 3] {
        match &self.law {
            Law::Hypentropy { beta } => [conjugate + *beta, alpha, conjugate + *beta],
            Law::Power {
                exponent, slope, ..
            } => {
                let p = |less: f64| exact(*exponent) - exact(less);
                let [_, second] = self.mirror_map(alpha);
                let third = slope[0] * steepness(alpha, *exponent) * p(1.0) * p(2.0) / alpha;
                let fourth = third * p(3.0) / alpha;
                let cube = second * second * second;
                [
                    exact(1.0) / second,
                    -third / cube,
                    (exact(3.0) * third * third - second * fourth) / (cube * second * second),
                ]
            }
        }
    }

    /// ∫ A_ℓ dt, ∫ A_ℓ t dt and ∫ A_ℓ t² dt over a piece, ℓ = `level` ≤ 1 (for ℓ = 1 the third is not known).
    fn integrals(&self, level: usize, [from, to]: &[Point; 2]) -> [Ball; 3] {
        // Here the closed form's loss of |u/Δu|² and what Taylor's formula leaves, |Δu/u|³, are about equal.
        const FAR: f64 = 1e6;
        let change = to.u - from.u;
        let largest = from.u.magnitude().max(to.u.magnitude());
        let at = |point: &Point, k: usize| {
            let level = point.levels.get(level + k).copied();
            level.unwrap_or_else(Ball::everything)
        };
        let known = |integrals: &[Ball; 3]| {
            integrals[..3 - level]
                .iter()
                .all(|i| i.radius().is_finite())
        };
        if change.mignitude() * FAR > largest {
            let [one, two, three] = [1, 2, 3].map(|k| [at(from, k), at(to, k)]);
            let (twice, square) = (exact(2.0), change * change);
            let closed = [
                (one[1] - one[0]) / change,
                one[1] / change - (two[1] - two[0]) / square,
                one[1] / change - twice * two[1] / square
                    + twice * (three[1] - three[0]) / (square * change),
            ];
            if known(&closed) {
                return closed;
            }
        }
        let between = [0, 1].map(|k| from.levels[k].hull(to.levels[k]));
        let local = self.derivatives([from.levels[0], from.levels[1]]);
        let remainder = self.derivatives(between);
        // f, f', f'' at the left end, f''' in between; A₁' = α.
        let (f, terms) = match level {
            0 => (from.levels[0], [local[0], local[1], remainder[2]]),
            _ => (from.levels[1], [from.levels[0], local[0], remainder[1]]),
        };
        let [one, two, three] = [change, change * change, change * change * change];
        let terms = [
            f,
            terms[0] * one,
            terms[1] * two * exact(0.5),
            terms[2] * three / exact(6.0),
        ];
        let taylor = [1.0, 2.0, 3.0].map(|k| {
            let mut order = k;
            terms.iter().fold(exact(0.0), |sum, &term| {
                let sum = sum + term / exact(order);
                order += 1.0;
                sum
            })
        });
        if known(&taylor) {
            return taylor;
        }
        // α is monotone; φ* as well, on either side of 0.
        let both = from.levels[level].hull(to.levels[level]);
        let same = from.u.least() > 0.0 && to.u.least() > 0.0
            || (-from.u).least() > 0.0 && (-to.u).least() > 0.0;
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
        let largest = ends.map(|end| (end.levels[0] * scale).magnitude());
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

/// sinh u, cosh u − 1, sinh u − u and cosh u − 1 − u²/2.
fn hyperbolic(u: Ball) -> [Ball; 4] {
    const TERMS: u32 = 16;
    let (one, half) = (exact(1.0), exact(0.5));
    let square = u * u;
    if u.magnitude() <= 1.0 {
        // Σ_j u^(n + 2j)/(n + 2j)!, n = 1 … 4; what follows the last term is less than that for |u| ≤ 1.
        let mut power = one;
        return [1.0, 2.0, 3.0, 4.0].map(|n| {
            power = power * u / exact(n);
            let sum = (1..TERMS).rev().fold(one, |sum, j| {
                let order = n + 2.0 * f64::from(j);
                one + sum * square / exact(order * (order - 1.0))
            });
            // (2·15)! is 2·10³².
            power * sum.widened(1e-32)
        });
    }
    let (up, down) = (u.exp(), (-u).exp());
    let (sinh, cosh) = ((up - down) * half, (up + down) * half);
    [sinh, cosh - one, sinh - u, cosh - one - square * half]
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
