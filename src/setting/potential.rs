//! Scalar potentials φ, their conjugates φ*, and what the theory needs to know of them
//! (proofs.md, "Setting").
//!
//! Every family is even, convex and normalised to φ(0) = φ'(0) = 0. All quantities are
//! dimensionless scalars; NaN in gives NaN out. But for a [`Shape`] of one's own, which is as exact as it is
//! written and whose divergences cancel near the diagonal: φ, φ', φ'', φ* and (φ*)' are right to 4 ulp, φ and
//! φ* of the hypentropy to 6, (φ*)'' of a power to 4 + p. For p < 2 the bounds of the three dual
//! functions grow by 2/(p − 1), of the order of their condition number. A scale s that is no power
//! of two adds half an ulp times the condition number, for z/s is rounded. Results of a power within
//! a factor p²(1 + ω) of `f64::MAX` may come out infinite.

use std::{f64::consts::LN_2, fmt, ops::Range, str::FromStr};

use crate::{Error, Result};

/// s²·φ(z/s): a family's potential φ and a scale s > 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Potential {
    family: Family,
    scale: f64,
}

/// A potential of one's own, for [`Potential::own`]: even, convex, φ(0) = φ'(0) = 0, φ in C² with
/// φ'' > 0, and smooth on either side of 0, where integrals are split.
pub trait Shape: fmt::Debug + Sync {
    /// How it is written; two of one name are one potential.
    fn name(&self) -> &str;
    /// φ(z).
    fn value(&self, z: f64) -> f64;
    /// φ'(z).
    fn mirror_map(&self, z: f64) -> f64;
    /// φ''(z).
    fn hessian(&self, z: f64) -> f64;
    /// φ'''(z); at 0 its limit from above.
    fn third_derivative(&self, z: f64) -> f64;
    /// The z with φ'(z) = u.
    fn inverse_mirror_map(&self, u: f64) -> f64;
    /// (c, q) of φ(z) = ½φ''(0)z² + c|z|^q + …
    fn leading_correction(&self) -> (f64, f64);
    /// As [`Potential::stability_radius`]; from 0 follows no bound on errors in the sup norm.
    fn stability_radius(&self, _ratio: f64) -> f64 {
        0.0
    }
}

impl PartialEq for dyn Shape {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

/// The families of potentials φ(z) (proofs.md, "Setting").
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Family {
    /// c z².
    Quadratic {
        /// c = ½φ''.
        half_hessian: f64,
    },
    /// (|z|^p + ω z²)/(1 + ω).
    Power {
        /// p.
        exponent: f64,
        /// ω.
        omega: f64,
    },
    /// z·arcsinh(z/β) − √(z² + β²) + β.
    Hypentropy {
        /// β.
        beta: f64,
    },
    /// One of the reader's own.
    Own(&'static dyn Shape),
}

use Family::{Hypentropy, Own, Power, Quadratic};

impl Potential {
    /// φ(z) = z², whose mirror flow is gradient flow up to a factor 2 in time.
    pub fn quadratic() -> Self {
        Quadratic { half_hessian: 1.0 }.into()
    }

    /// φ(z) = (|z|^p + ω z²)/(1 + ω), p = `exponent` ≥ 2, ω > 0; p = 2 is [`Self::quadratic`].
    ///
    /// # Errors
    /// [`Error::Parameter`] where φ would leave the hypotheses "C², φ'' > 0" or is no number.
    pub fn power(exponent: f64, omega: f64) -> Result<Self> {
        let what = if !(exponent >= 2.0 && exponent.is_finite()) {
            "needs a finite exponent P ≥ 2: below 2, φ'' is unbounded at 0, and the theory assumes φ in C²"
        } else if !(omega > 0.0 && omega.is_finite()) {
            "needs a finite OMEGA > 0: without it φ''(0) = 0 or φ is not convex, and the theory assumes φ'' > 0"
        } else {
            return Self::power_beyond_hypotheses(exponent, omega);
        };
        let value = format!("power:{exponent},{omega}");
        Err(refusal(value, what, "give for example `power:3,1`"))
    }

    /// The same φ for p > 1 and ω ≥ 0: convex, but for p < 2 or ω = 0 outside the theory's
    /// hypotheses (φ''(0) is then infinite or 0, and [`Self::quadratic_limit`] degenerate).
    ///
    /// # Errors
    /// [`Error::Parameter`] unless p > 1 and ω ≥ 0 are finite.
    pub fn power_beyond_hypotheses(exponent: f64, omega: f64) -> Result<Self> {
        if !(exponent > 1.0 && exponent.is_finite() && omega >= 0.0 && omega.is_finite()) {
            let value = format!("power:{exponent},{omega}");
            let what = "is not strictly convex: that takes finite P > 1 and OMEGA ≥ 0";
            return Err(refusal(value, what, "give for example `power:1.5,1`"));
        }
        Ok(match exponent {
            2.0 => Self::quadratic(),
            _ => Power { exponent, omega }.into(),
        })
    }

    /// φ(z) = z·arcsinh(z/β) − √(z² + β²) + β, β > 0.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless β and φ''(0) = 1/β are positive and finite.
    pub fn hypentropy(beta: f64) -> Result<Self> {
        if !(beta.is_sign_positive() && beta.is_normal()) {
            let what = "needs a finite BETA > 0: it divides z, and φ''(0) is 1/BETA";
            let value = format!("hypentropy:{beta}");
            return Err(refusal(value, what, "give for example `hypentropy:1`"));
        }
        Ok(Hypentropy { beta }.into())
    }

    /// A potential of one's own. Whatever takes a potential takes it, but for the command line, which has no name
    /// for it, and cone programs, which refuse it.
    pub fn own(shape: &'static dyn Shape) -> Self {
        Own(shape).into()
    }

    /// The family, with its parameters.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The scale s of s²·φ(z/s); 1 for every quadratic potential, which no scale changes.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// φ(z).
    #[inline]
    pub fn value(&self, z: f64) -> f64 {
        if z == 0.0 || z.is_infinite() {
            return z.abs(); // where z² and |z|^(p−2) may be 0 and infinite, or the reverse
        }
        let t = z / self.scale;
        match self.family {
            Quadratic { half_hessian: c } => c * z * z,
            Power { exponent: p, omega } => {
                let (a, b) = weights(omega);
                z * (z * (a * steepness(t, p) + b))
            }
            // Both terms are of second order at 0, so their difference loses two bits at most.
            Hypentropy { beta } => {
                self.scale * z * (arcsinh(t, beta) - t / (length(t, beta) + beta))
            }
            Own(shape) => self.scale * (self.scale * shape.value(t)),
        }
    }

    /// φ*(φ'(z)) = zφ'(z) − φ(z), as a sum of positive terms.
    #[inline]
    pub fn conjugate_of_mirror_map(&self, z: f64) -> f64 {
        if z == 0.0 || z.is_infinite() {
            return z.abs();
        }
        let t = z / self.scale;
        match self.family {
            Quadratic { half_hessian: c } => c * z * z,
            Power { exponent: p, omega } => {
                let (a, b) = weights(omega);
                z * (z * ((p - 1.0) * a * steepness(t, p) + b))
            }
            Hypentropy { beta } => self.scale * z * (t / (length(t, beta) + beta)),
            Own(shape) => self.scale * self.scale * (t * shape.mirror_map(t) - shape.value(t)),
        }
    }

    /// Mirror map φ'(z).
    #[inline]
    pub fn mirror_map(&self, z: f64) -> f64 {
        if z == 0.0 || z.is_infinite() {
            return z;
        }
        let t = z / self.scale;
        match self.family {
            Quadratic { half_hessian: c } => 2.0 * c * z,
            Power { exponent: p, omega } => {
                let (a, b) = weights(omega);
                z * (p * a * steepness(t, p) + 2.0 * b)
            }
            Hypentropy { beta } => self.scale * arcsinh(t, beta),
            Own(shape) => self.scale * shape.mirror_map(t),
        }
    }

    /// Hessian φ''(z); infinite at 0 for p < 2.
    #[inline]
    pub fn hessian(&self, z: f64) -> f64 {
        let t = z / self.scale;
        match self.family {
            Quadratic { .. } if z.is_nan() => z,
            Quadratic { half_hessian: c } => 2.0 * c,
            Power { exponent: p, omega } => {
                let (a, b) = weights(omega);
                p * (p - 1.0) * a * steepness(t, p) + 2.0 * b
            }
            Hypentropy { beta } => length(t, beta).recip(),
            Own(shape) => shape.hessian(t),
        }
    }

    /// φ'''(z), odd; at ±0 its one-sided limit, which is infinite for p < 3.
    pub fn third_derivative(&self, z: f64) -> f64 {
        let t = z / self.scale;
        match self.family {
            Quadratic { .. } => 0.0 * z,
            Power { exponent: p, omega } => {
                let k = p * (p - 1.0) * (p - 2.0) * weights(omega).0;
                k * t.abs().powf(p - 3.0) * t.signum() / self.scale
            }
            Hypentropy { beta } => {
                let root = length(t, beta);
                -(t / root) / root / root / self.scale
            }
            Own(shape) => shape.third_derivative(t) / self.scale,
        }
    }

    /// Conjugate φ*(u) = sup_z uz − φ(z).
    #[inline]
    pub fn conjugate(&self, u: f64) -> f64 {
        match self.family {
            Quadratic { half_hessian: c } => u * (u / (4.0 * c)),
            Power { exponent: p, omega } => {
                let z = self.inverse_mirror_map(u);
                if p < 2.0 || z.is_infinite() {
                    return self.conjugate_of_mirror_map(z);
                }
                // uz − φ(z) is stationary in z, so that the rounding of z does not matter, and at
                // most half of uz cancels. For p < 2 more would.
                let (a, b) = weights(omega);
                z * (u - z * (a * steepness(z / self.scale, p) + b))
            }
            Hypentropy { beta } => {
                let v = (u / self.scale).abs();
                let half = (0.5 * v).sinh();
                self.scale * self.scale * (2.0 * beta * half * half)
            }
            Own(_) => self.conjugate_of_mirror_map(self.inverse_mirror_map(u)),
        }
    }

    /// Inverse mirror map (φ*)'(u), the z with φ'(z) = u.
    #[inline]
    pub fn inverse_mirror_map(&self, u: f64) -> f64 {
        let v = (u / self.scale).abs();
        if v == 0.0 || v.is_infinite() {
            return u;
        }
        let t = match self.family {
            Quadratic { half_hessian: c } => return u / (2.0 * c),
            Power { exponent: p, omega } => invert_power(v, p, omega),
            Hypentropy { beta } if v > FAR => half_exp(beta, v),
            Hypentropy { beta } => beta * v.sinh(),
            Own(shape) => shape.inverse_mirror_map(v),
        };
        self.scale * t.copysign(u)
    }

    /// (φ*)''(u) = 1/φ''((φ*)'(u)).
    #[inline]
    pub fn conjugate_hessian(&self, u: f64) -> f64 {
        self.hessian(self.inverse_mirror_map(u)).recip()
    }

    /// (φ*)'(u) and (φ*)''(u) of many u, in the widest registers of the processor: the first to the bit
    /// what [`Self::inverse_mirror_map`] gives for each, the second as exact as [`Self::conjugate_hessian`].
    pub fn conjugate_derivatives(&self, u: &[f64], first: &mut [f64], second: &mut [f64]) {
        let arch = pulp::Arch::new();
        let scale = self.scale;
        let done = match self.family {
            Quadratic { half_hessian: c } => {
                let pairs = u.iter().zip(&mut *first).zip(&mut *second);
                let softness = (2.0 * c).recip();
                arch.dispatch(|| {
                    for ((u, first), second) in pairs {
                        *first = u / (2.0 * c);
                        *second = if first.is_nan() { *first } else { softness };
                    }
                    true
                })
            }
            Power {
                exponent: 3.0,
                omega,
            } => {
                let (first, second) = (&mut *first, &mut *second);
                arch.dispatch(Derivatives::<3> {
                    omega,
                    scale,
                    u,
                    first,
                    second,
                })
            }
            Power {
                exponent: 4.0,
                omega,
            } if TEMPERATE.contains(&omega) => {
                let (first, second) = (&mut *first, &mut *second);
                arch.dispatch(Derivatives::<4> {
                    omega,
                    scale,
                    u,
                    first,
                    second,
                })
            }
            _ => false,
        };
        if !done {
            for ((u, first), second) in u.iter().zip(first).zip(second) {
                *first = self.inverse_mirror_map(*u);
                *second = self.hessian(*first).recip();
            }
        }
    }

    /// Bregman divergence D(z, z₀) = φ(z) − φ(z₀) − φ'(z₀)(z − z₀) ≥ 0, without cancellation as
    /// z → z₀: relative error below 1e-14 for p ≤ 50, and a few ulp near the diagonal.
    pub fn bregman_divergence(&self, z: f64, z0: f64) -> f64 {
        let (t, t0, d) = (z / self.scale, z0 / self.scale, z - z0);
        if z0 == 0.0 {
            return self.value(z);
        } else if z == 0.0 {
            return self.conjugate_of_mirror_map(z0);
        }
        match self.family {
            Quadratic { half_hessian: c } => c * d * d,
            Power { exponent: p, omega } => {
                let (a, b) = weights(omega);
                let inner = if t.abs() < t0.abs() { t } else { t0 };
                let ratio = (d / self.scale / inner).abs();
                let (k, k0) = (steepness(t, p), steepness(t0, p));
                let power = if ratio <= 0.5 && t.signum() == t0.signum() {
                    d * (d * steepness(inner, p) * binomial_remainder(p, ratio, inner == t0))
                } else {
                    z * (z * k) + (p - 1.0) * z0 * (z0 * k0) - p * (z0 * k0) * z
                };
                b * d * d + a * power
            }
            // With δ = u − u₀ in the dual variable u = arcsinh(t/β), and βcosh u = √(t² + β²):
            // D/s² = βcosh u (cosh δ − 1) − t (sinh δ − δ) = tδ − (βcosh u − βcosh u₀).
            Hypentropy { beta } => {
                let (root, root0, d) = (length(t, beta), length(t0, beta), d / self.scale);
                let delta = if t.abs() + t0.abs() < 1e-150 * beta {
                    d / beta // the quotients below would underflow
                } else if t.signum() == t0.signum() && t != t0 {
                    (d / root0 * ((t + t0) / root) / (t / root + t0 / root0)).asinh()
                } else {
                    arcsinh(t, beta) - arcsinh(t0, beta)
                };
                let scaled = if delta.abs() <= 1.0 {
                    // sinh δ − δ by its series, δ³/3! (1 + δ²/(4·5) (1 + δ²/(6·7) (1 + …))).
                    let ratios = [272.0, 210.0, 156.0, 110.0, 72.0, 42.0, 20.0];
                    let series = ratios.iter().fold(1.0, |s, k| 1.0 + delta * delta / k * s);
                    let half = (0.5 * delta).sinh();
                    2.0 * half * (half * root) - delta * delta * (delta * t) / 6.0 * series
                } else {
                    t * delta - d * ((t + t0) / (root + root0))
                };
                self.scale * (self.scale * scaled)
            }
            Own(shape) => {
                let below = shape.value(t0) + shape.mirror_map(t0) * (t - t0);
                self.scale * (self.scale * (shape.value(t) - below).max(0.0))
            }
        }
    }

    /// ½φ''(0) z², what n²φ(z/n) tends to (proofs.md, "From parameters to a convex problem").
    pub fn quadratic_limit(&self) -> Self {
        Quadratic {
            half_hessian: 0.5 * self.hessian(0.0),
        }
        .into()
    }

    /// s²·φ(z/s) for a finite s > 0. Scales multiply; a quadratic potential is its own rescaling.
    pub fn rescaled(&self, s: f64) -> Self {
        match self.family {
            Quadratic { .. } => *self,
            family => Self {
                family,
                scale: self.scale * s,
            },
        }
    }

    /// (c, q) of φ(z) = ½φ''(0)z² + c|z|^q + …, `None` for a quadratic potential (proofs.md,
    /// "Setting"). For `power` nothing follows; where p < 2 the term c|z|^p is the leading one.
    pub fn leading_correction(&self) -> Option<(f64, f64)> {
        let (c, q) = match self.family {
            Quadratic { .. } => return None,
            Power { exponent, omega } => (weights(omega).0, exponent),
            Hypentropy { beta } => (-1.0 / (24.0 * beta.powi(3)), 4.0),
            Own(shape) => shape.leading_correction(),
        };
        Some((c * self.scale.powf(2.0 - q), q))
    }

    /// A ρ such that |u − u'| ≤ ρ implies 1/R ≤ g(u)/g(u') ≤ R, for R > 1, g = φ''∘(φ*)' (proofs.md,
    /// "The certificate").
    ///
    /// g' = φ'''/φ'' at α = (φ*)'(u), and g is even. Scaling by s turns u into u/s, ρ into sρ.
    /// - Quadratic: g is constant, ρ = ∞.
    /// - Hypentropy: log g(u) = −log(β cosh u) has slope at most 1, ρ = ln R.
    /// - Power, 2 < p ≤ 3: φ'''/φ'' decreases in α > 0, so g is concave and increasing on u ≥ 0,
    ///   and g(u' + ρ)/g(u') is greatest at u' = 0: ρ = φ'(α), φ''(α) = Rφ''(0). Sharp.
    /// - Power, p > 3: |(log g)'| = φ'''/φ''² ≤ Λ, attained where p(p − 1)²α^(p−2) = 2ω(p − 3), and
    ///   Λ = p(p − 1)³α^(p−3)(1 + ω)/(16ω²(p − 2)); ρ = ln R/Λ.
    ///
    /// It is 0 for the potentials beyond the hypotheses, whose g is unbounded or vanishes at 0.
    pub fn stability_radius(&self, ratio: f64) -> f64 {
        let radius = match self.family {
            Quadratic { .. } => f64::INFINITY,
            Hypentropy { .. } => ratio.ln(),
            Own(shape) => shape.stability_radius(ratio),
            Power { exponent: p, omega } if p < 2.0 || omega == 0.0 => 0.0,
            Power { exponent: p, omega } if p <= 3.0 => {
                let alpha = (2.0 * (ratio - 1.0) * omega / (p * (p - 1.0))).powf((p - 2.0).recip());
                Self::from(self.family).mirror_map(alpha)
            }
            Power { exponent: p, omega } => {
                let (a, k) = (weights(omega).0, p * (p - 1.0).powi(2));
                let alpha = (2.0 * omega * (p - 3.0) / k).powf((p - 2.0).recip());
                let least = omega * (16.0 * (p - 2.0) / (k * (p - 1.0)) * a * omega);
                ratio.ln() * least / alpha.powf(p - 3.0)
            }
        };
        self.scale * radius
    }
}

impl From<Family> for Potential {
    fn from(family: Family) -> Self {
        Self { family, scale: 1.0 }
    }
}

/// Where sinh v agrees with ½eᵛ to a rounding.
const FAR: f64 = 40.0;

/// ½βeᵛ, also where eᵛ alone overflows.
#[inline]
fn half_exp(beta: f64, v: f64) -> f64 {
    let root = (0.5 * v).exp();
    0.5 * beta * root * root
}

/// arcsinh(t/β), also where t/β overflows.
#[inline]
fn arcsinh(t: f64, beta: f64) -> f64 {
    let ratio = t / beta;
    if ratio.abs() < 1e300 {
        return ratio.asinh();
    }
    (t.abs().ln() - beta.ln() + LN_2).copysign(t)
}

/// √(t² + β²).
#[inline]
fn length(t: f64, beta: f64) -> f64 {
    let square = t * t + beta * beta;
    if (1e-280..1e280).contains(&square) {
        square.sqrt()
    } else {
        t.hypot(beta)
    }
}

/// The weights 1/(1 + ω) of |z|^p and ω/(1 + ω) of z².
#[inline]
fn weights(omega: f64) -> (f64, f64) {
    (1.0 / (1.0 + omega), omega / (1.0 + omega))
}

/// |t|^(p−2) = |t|^p/t². Multiplied by z² and z, it gives φ and φ' without forming s².
#[inline]
fn steepness(t: f64, p: f64) -> f64 {
    match p {
        3.0 => t.abs(),
        4.0 => t * t,
        _ => t.abs().powf(p - 2.0),
    }
}

/// The t > 0 with (p t^(p−1) + 2ωt)/(1 + ω) = v > 0.
#[inline(always)]
fn invert_power(v: f64, p: f64, omega: f64) -> f64 {
    let (a, b) = weights(omega);
    match p {
        3.0 => cubic(v, omega).0,
        4.0 if TEMPERATE.contains(&omega) && MODERATE.contains(&v) => quartic(v, omega).0,
        _ => invert_general_power(v, p, a, b),
    }
}

/// The t ≥ 0 with (3t² + 2ωt)/(1 + ω) = v, and 1/φ''(t).
#[inline(always)]
fn cubic(v: f64, omega: f64) -> (f64, f64) {
    let (a, b) = weights(omega);
    let root = (0.25 * b * b + 0.75 * a * v).sqrt();
    (0.5 * v / (0.5 * b + root), 0.25 / root)
}

/// Where the intermediates of [`quartic`] stay in range: ω and v.
const TEMPERATE: Range<f64> = 1e-20..1e20;
const MODERATE: Range<f64> = 1e-60..1e60;

/// The t ≥ 0 with (4t³ + 2ωt)/(1 + ω) = v, and 1/φ''(t): x³ + x = w, x = t/√(ω/2), by a start that is right
/// to 12 %, two steps of Halley's method, and a Newton step for the last digits of either.
#[inline(always)]
fn quartic(v: f64, omega: f64) -> (f64, f64) {
    let (a, b) = weights(omega);
    let unit = (0.5 * omega).sqrt();
    let w = v * (2.0 * b * unit).recip();
    // w^(1/3) to 4 % (Kahan): a third of the exponent.
    let upper = (w.to_bits() >> 32) as u32 / 3 + 715_094_163;
    let bent = 1.0 + w * f64::from_bits(u64::from(upper) << 32);
    let mut x = w * bent / (bent + w * w);
    for _ in 0..2 {
        let (excess, slope) = (x * (x * x + 1.0) - w, 3.0 * x * x + 1.0);
        x -= excess * slope / (slope * slope - 3.0 * x * excess);
    }
    let t = unit * x;
    let square = 4.0 * a * t * t;
    let inverse = (3.0 * square + 2.0 * b).recip();
    let t = t - (t * (square + 2.0 * b) - v) * inverse;
    (t, inverse * (2.0 - inverse * (12.0 * a * t * t + 2.0 * b)))
}

/// Both derivatives of the conjugate of a power P on slices: no branches, so that the compiler takes
/// several u at a time. The outcome says whether every |u|/s was 0 or in range.
struct Derivatives<'a, const P: u32> {
    omega: f64,
    scale: f64,
    u: &'a [f64],
    first: &'a mut [f64],
    second: &'a mut [f64],
}

impl<const P: u32> pulp::WithSimd for Derivatives<'_, P> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> bool {
        let mut within = true;
        for ((&u, first), second) in self.u.iter().zip(self.first).zip(self.second) {
            let v = (u / self.scale).abs();
            within &= (v == 0.0) | MODERATE.contains(&v);
            let (t, hessian) = match P {
                3 => cubic(v, self.omega),
                _ => quartic(v, self.omega),
            };
            *first = self.scale * t.copysign(u);
            *second = hessian;
        }
        within
    }
}

/// The t > 0 with p a t^(p−1) + 2bt = v, by Halley's method for log φ' as a function of log t. That
/// function is convex with slopes between 1 and p − 1, and the smaller of the two asymptotes starts
/// at most log 2 above v, so that a handful of steps is enough for any parameters.
fn invert_general_power(v: f64, p: f64, a: f64, b: f64) -> f64 {
    let mut t = (v / (2.0 * b)).min(((v.ln() - (p * a).ln()) / (p - 1.0)).exp());
    if !t.is_normal() {
        return t; // the asymptote is the answer, as far as there is one in range
    }
    for _ in 0..20 {
        let (power, linear) = (t * (p * a * t.powf(p - 2.0)), 2.0 * b * t);
        let sum = power + linear;
        let slope = ((p - 1.0) * power + linear) / sum;
        let bend = (p - 2.0).powi(2) * (power / sum) * (linear / sum);
        let excess = ((sum - v) / v).ln_1p();
        let step = excess / (slope - 0.5 * excess * bend / slope);
        t += t * (-step).exp_m1();
        if step.abs() < 1e-7 {
            break; // convergence is cubic
        }
    }
    t
}

/// Divergence of |z|^p between 1 and 1 + e over e², 0 < e ≤ ½: Σ C(p, k) e^(k−2), k ≥ 2, where the
/// inner point is the reference, Σ (k − 1) C(p, k) e^(k−2) where the outer one is.
fn binomial_remainder(p: f64, e: f64, from_inner: bool) -> f64 {
    let (mut binomial, mut sum) = (0.5 * p * (p - 1.0), 0.0);
    for k in 2.. {
        let k = f64::from(k);
        let term = if from_inner {
            binomial
        } else {
            (k - 1.0) * binomial
        };
        sum += term;
        if term.abs() <= 1e-17 * sum || !sum.is_finite() {
            break;
        }
        binomial *= (p - k) / (k + 1.0) * e;
    }
    sum
}

fn refusal(value: String, what: &str, remedy: &str) -> Error {
    let name = "--potential".into();
    Error::Parameter {
        name,
        value,
        what: what.into(),
        remedy: remedy.into(),
    }
}

impl FromStr for Potential {
    type Err = Error;

    /// `quadratic`, `power:P,OMEGA` or `hypentropy:BETA`.
    fn from_str(text: &str) -> Result<Self> {
        let (family, parameters) = match text.split_once(':') {
            Some((family, parameters)) => (family, parameters.split(',').collect()),
            None => (text, Vec::new()),
        };
        let mut numbers = Vec::new();
        for parameter in parameters {
            numbers.push(parameter.trim().parse().map_err(|_| {
                let what = format!("`{parameter}` is not a number");
                refusal(
                    text.into(),
                    &what,
                    "write numbers as 3, 0.5 or 1e-2, parted by commas",
                )
            })?);
        }
        match (family.trim(), numbers.as_slice()) {
            ("quadratic", []) => Ok(Self::quadratic()),
            ("power", &[exponent, omega]) => Self::power(exponent, omega),
            ("hypentropy", &[beta]) => Self::hypentropy(beta),
            _ => Err(refusal(
                text.into(),
                "is no known potential with its number of parameters",
                "give `quadratic`, `power:P,OMEGA` or `hypentropy:BETA`",
            )),
        }
    }
}

/// The text that [`Potential::from_str`] reads; followed, for quadratic limits and rescalings,
/// which have no such text, by the half Hessian or the scale.
impl fmt::Display for Potential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            Quadratic { half_hessian: 1.0 } => write!(f, "quadratic"),
            Quadratic { half_hessian } => write!(f, "quadratic, half Hessian {half_hessian}"),
            Power { exponent, omega } => write!(f, "power:{exponent},{omega}"),
            Hypentropy { beta } => write!(f, "hypentropy:{beta}"),
            Own(shape) => write!(f, "{}", shape.name()),
        }?;
        match self.scale {
            1.0 => Ok(()),
            scale => write!(f, " rescaled by {scale}"),
        }
    }
}
