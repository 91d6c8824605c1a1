//! First moments of α in double-double, for densities that are linear on each piece.
//!
//! With A₁ = φ*, A₂' = A₁ and A₃' = A₂ as functions of u, integration by parts gives on a piece where u runs linearly
//! from u₀ to u₁, t = (u − u₀)/Δu,
//!
//! ```text
//! ∫ α dt = ΔA₁/Δu,   ∫ α t dt = A₁(u₁)/Δu − ΔA₂/Δu²,   ∫ α t² dt = A₁(u₁)/Δu − 2A₂(u₁)/Δu² + 2ΔA₃/Δu³
//! ```
//!
//! (proofs.md, "What a double cannot hold").

use super::double_double::{DoubleDouble, Real};
use crate::setting::{Family, Potential};

/// Where |u| ≥ `FAR`·|Δu| on a piece, four Gauss points take the place of the closed form: they then err by
/// (4·`FAR`)⁻⁸ relative, and the closed form by `FAR`² roundings.
const FAR: f64 = 1e3;

/// Relative error of the moments: 64 roundings of 10u² = 2.5ε², u² = ε²/4, `FAR` squared times as large.
pub const ERROR: f64 = 160.0 * FAR * FAR * f64::EPSILON * f64::EPSILON;

/// The first moments of one potential.
#[derive(Debug, Clone)]
pub struct ClosedForm {
    potential: Potential,
    law: Law,
    /// Gauss–Legendre nodes and weights on \[0, 1\].
    rule: [(DoubleDouble, DoubleDouble); 4],
}

/// φ' = z(steep·T + even), T = |z|^(p − 2), at scale 1; or hypentropy.
#[derive(Debug, Clone)]
enum Law {
    Power {
        exponent: f64,
        /// pa and 2b.
        slope: [DoubleDouble; 2],
        /// A_ℓ = α^(ℓ+1) Σ_k c_ℓk T^k, k = 0 … ℓ.
        coefficients: Box<[[DoubleDouble; 4]; 4]>,
    },
    Hypentropy {
        beta: DoubleDouble,
    },
}

fn exact(value: f64) -> DoubleDouble {
    value.into()
}

/// c_ℓk of A_ℓ = α^(ℓ+1) Σ_k c_ℓk T^k, T = |α|^(p−2), for φ' = α(sT + t) from \[s, t\] (proofs.md, "What a double cannot hold").
pub fn coefficients<T: Real>(p: f64, slope: [T; 2]) -> [[T; 4]; 4] {
    let exact = |v: f64| T::from(v);
    let hessian = [slope[0] * exact(p - 1.0), slope[1]];
    let mut coefficients = [[exact(0.0); 4]; 4];
    coefficients[0][0] = exact(1.0);
    for level in 1..4 {
        for k in 0..=level {
            let before = coefficients[level - 1];
            let steep = if k > 0 { before[k - 1] } else { exact(0.0) };
            // ∫ α^ℓ T^k φ'' dα: the power ℓ + 1 + k(p − 2) divides.
            let power = exact(level as f64 + 1.0) + exact(k as f64) * exact(p - 2.0);
            coefficients[level][k] = (before[k] * hessian[1] + steep * hessian[0]) / power;
        }
    }
    coefficients
}

impl ClosedForm {
    /// Of a potential within the hypotheses (others have no such moments at 0); none where the family has no
    /// closed form.
    pub fn new(potential: Potential) -> Option<Self> {
        let one = exact(1.0);
        let power = |p: f64, a: DoubleDouble, b: DoubleDouble| {
            let slope = [exact(p) * a, exact(2.0) * b];
            Law::Power {
                exponent: p,
                slope,
                coefficients: Box::new(coefficients(p, slope)),
            }
        };
        let law = match potential.family() {
            Family::Quadratic { half_hessian } => power(2.0, exact(0.0), exact(half_hessian)),
            Family::Power { exponent, omega } => {
                let total = one + exact(omega);
                power(exponent, one / total, exact(omega) / total)
            }
            Family::Hypentropy { beta } => Law::Hypentropy { beta: exact(beta) },
            Family::Own(_) => return None,
        };
        // The roots of P₄: x² = (15 ∓ 2√30)/35 with weights (18 ± √30)/36.
        let root = exact(30.0).sqrt();
        let pair = |sign: f64| {
            let sign = exact(sign);
            let node = ((exact(15.0) - sign * exact(2.0) * root) / exact(35.0)).sqrt();
            (node * exact(0.5), (exact(18.0) + sign * root) / exact(72.0))
        };
        let [(near, heavy), (far, light)] = [pair(1.0), pair(-1.0)];
        let half = exact(0.5);
        Some(Self {
            potential,
            law,
            rule: [
                (half - far, light),
                (half - near, heavy),
                (half + near, heavy),
                (half + far, light),
            ],
        })
    }

    /// ∫ α (1 − t) p and ∫ α t p over a piece on which u runs between its values and p between `density`.
    pub fn first_moments(
        &self,
        u: [DoubleDouble; 2],
        density: [DoubleDouble; 2],
    ) -> [DoubleDouble; 2] {
        let scale = exact(self.potential.scale());
        let [start, end] = u.map(|u| u / scale);
        let change = end - start;
        let nearest = if start.high() * end.high() > 0.0 {
            start.high().abs().min(end.high().abs())
        } else {
            0.0
        };
        let smooth = match self.law {
            // Entire in u: four points err by 6·10⁻¹⁰|Δu|⁸.
            Law::Hypentropy { .. } => change.high().abs() < 1.0 / 128.0,
            Law::Power { .. } => nearest >= FAR * change.high().abs(),
        };
        let zero = exact(0.0);
        let [zeroth, first, second] = if smooth {
            self.rule.iter().fold([zero; 3], |[a, b, c], &(t, weight)| {
                let [alpha] = self.ratios(start + change * t);
                let term = alpha * weight;
                [a + term, b + term * t, c + term * t * t]
            })
        } else {
            let constant = density[0] == density[1];
            let terms = |u: DoubleDouble| {
                let [_, one, two, three] = if constant {
                    let [zeroth, one, two] = self.ratios(u);
                    [zeroth, one, two, zero]
                } else {
                    self.ratios(u)
                };
                let reach = u / change;
                let square = reach * reach;
                [one * reach, two * square, three * square * reach]
            };
            let ([one, two, three], [one_end, two_end, three_end]) = (terms(start), terms(end));
            let twice = exact(2.0);
            [
                one_end - one,
                one_end - (two_end - two),
                one_end - twice * two_end + twice * (three_end - three),
            ]
        };
        let slope = density[1] - density[0];
        let whole = density[0] * zeroth + slope * first;
        let right = density[0] * first + slope * second;
        [(whole - right) * scale, right * scale]
    }

    /// A_ℓ/u^ℓ for ℓ < `LEVELS` ≤ 4, with A₀ = α, at scale 1; all odd in u.
    fn ratios<const LEVELS: usize>(&self, u: DoubleDouble) -> [DoubleDouble; LEVELS] {
        if u.high() == 0.0 {
            return [exact(0.0); LEVELS];
        }
        match &self.law {
            Law::Hypentropy { beta } => {
                let (growth, one) = (u.exp(), exact(1.0));
                let [sinh, cosh] = [growth - one / growth, growth + one / growth]
                    .map(|twice| *beta * twice * exact(0.5));
                let square = u * u;
                std::array::from_fn(|level| match level {
                    0 => sinh,
                    1 => (cosh - *beta) / u,
                    2 => (sinh - *beta * u) / square,
                    _ => (cosh - *beta - *beta * square * exact(0.5)) / (square * u),
                })
            }
            Law::Power {
                exponent,
                slope,
                coefficients,
            } => {
                let scale = self.potential.scale();
                let guess = self.potential.inverse_mirror_map(u.high() * scale) / scale;
                let steepness = steepness(exact(guess).abs(), exponent - 2.0);
                // One Newton step; T follows to first order, which leaves a square of 10⁻¹⁵.
                let excess = exact(guess) * (slope[0] * steepness + slope[1]) - u;
                let hessian =
                    slope[0].high() * (exponent - 1.0) * steepness.high() + slope[1].high();
                let step = excess.high() / hessian;
                let alpha = exact(guess) - exact(step);
                let power = steepness * (exact(1.0) - exact((exponent - 2.0) * step / guess));
                if LEVELS == 1 {
                    return [alpha; LEVELS];
                }
                // T/(paT + 2b) and 1/(paT + 2b), bounded where T is not.
                let gentle = exact(1.0) / (slope[0] * power + slope[1]);
                let steep = power * gentle;
                std::array::from_fn(|level| {
                    let (mut sum, mut weight) = (coefficients[level][level], gentle);
                    for k in (0..level).rev() {
                        sum = sum * steep + coefficients[level][k] * weight;
                        weight = weight * gentle;
                    }
                    alpha * sum
                })
            }
        }
    }
}

/// z^k, z > 0.
fn steepness(z: DoubleDouble, k: f64) -> DoubleDouble {
    if k.fract() == 0.0 && (0.0..64.0).contains(&k) {
        z.powi(k as u32)
    } else {
        (exact(k) * z.ln()).exp()
    }
}
