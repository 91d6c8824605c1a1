//! Ball arithmetic: a double-double midpoint and a radius that covers every rounding.
//!
//! A [`Ball`] stands for all numbers within its radius of its midpoint; an operation on balls gives one that holds
//! every outcome for the numbers that they hold (proofs.md, "Outward rounding"). Where nothing can be said, the
//! radius is infinite or NaN, and every question about the ball is answered with no.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::solver::double_double::{DoubleDouble, Real};

/// Relative error of an operation on double-doubles: 15u², u = 2⁻⁵³, for the worst of them.
const ROUNDING: f64 = 4.0 * f64::EPSILON * f64::EPSILON;
/// What underflow may lose in one of them: a few of the smallest numbers.
const UNDERFLOW: f64 = f64::from_bits(64);
/// Radii are sums of a few positive terms, each rounded.
const UP: f64 = 1.0 + 16.0 * f64::EPSILON;
const DOWN: f64 = 1.0 - 16.0 * f64::EPSILON;

/// An interval, by midpoint and radius.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ball {
    mid: DoubleDouble,
    radius: f64,
}

impl Ball {
    /// All numbers within `radius` of `mid`.
    pub fn new(mid: impl Into<DoubleDouble>, radius: f64) -> Self {
        let mid = mid.into();
        Self { mid, radius }
    }

    /// All real numbers.
    pub fn everything() -> Self {
        Self::new(0.0, f64::INFINITY)
    }

    /// Whether this is 0 and nothing else.
    fn is_zero(self) -> bool {
        self.mid.high() == 0.0 && self.radius == 0.0
    }

    /// The midpoint.
    pub fn mid(self) -> DoubleDouble {
        self.mid
    }

    /// The largest distance from the midpoint.
    pub fn radius(self) -> f64 {
        self.radius
    }

    /// The same midpoint with a radius larger by `by`.
    pub fn widened(self, by: f64) -> Self {
        Self::new(self.mid, (self.radius + by) * UP)
    }

    /// A number that none of these numbers exceeds in modulus; NaN where nothing is known.
    pub fn magnitude(self) -> f64 {
        (self.mid.high().abs() * UP + self.radius) * UP
    }

    /// The least modulus of these numbers, or less; 0 where nothing is known.
    pub fn mignitude(self) -> f64 {
        ((self.mid.high().abs() * DOWN - self.radius) * DOWN).max(0.0)
    }

    /// The two ends, rounded outward to doubles.
    pub fn bounds(self) -> [f64; 2] {
        // A step to the next double is more than rounding |low| and the sum may cost.
        let (high, low) = (self.mid.high(), self.mid.low());
        let reach = self.radius * UP;
        [
            (high + (low - reach)).next_down(),
            (high + (low + reach)).next_up(),
        ]
    }

    /// Whether a number is within the ball beyond doubt.
    pub fn contains(self, number: impl Into<DoubleDouble>) -> bool {
        (self.mid - number.into()).high().abs() * UP <= self.radius
    }

    /// Whether two balls may have a number in common.
    pub fn overlaps(self, other: Self) -> bool {
        (self.mid - other.mid).high().abs() <= (self.radius + other.radius) * UP
    }

    /// The smallest ball about both.
    pub fn hull(self, other: Self) -> Self {
        let mid = (self.mid + other.mid) * 0.5.into();
        let reach = |one: Self| (Self::new(mid, 0.0) - Self::new(one.mid, 0.0)).widened(one.radius);
        let reach = [reach(self), reach(other)].map(Self::magnitude);
        let [one, other] = reach;
        Self::new(
            mid,
            if other > one || other.is_nan() {
                other
            } else {
                one
            },
        )
    }

    /// self^k.
    pub fn powi(self, mut k: u32) -> Self {
        let (mut power, mut base) = (Self::from(1.0), self);
        while k > 0 {
            if k % 2 == 1 {
                power = power * base;
            }
            k /= 2;
            if k > 0 {
                base = base * base;
            }
        }
        power
    }

    /// e^self: the series of e^r − 1 at a 256th of what is left beside multiples of log 2, squared eight times.
    pub fn exp(self) -> Self {
        const TERMS: u32 = 11;
        // ½ log 2/256 and a little more, beyond which r cannot be; the terms from r¹² on add up to twice the first.
        const LARGEST: f64 = 1.4e-3;
        let halvings = (self.mid.high() / std::f64::consts::LN_2).round();
        // From 1/2: beyond, nothing that is asked for here is known well.
        if !(halvings.abs() < 1000.0 && self.radius < 0.5) {
            return Self::everything();
        }
        let ln_2 = Self::new(DoubleDouble::LN_2, ROUNDING);
        let centre = Self::new(self.mid, 0.0);
        let r = (centre - ln_2 * halvings.into()) * (1.0 / 256.0).into();
        let one = Self::from(1.0);
        let series = (2..=TERMS)
            .rev()
            .fold(one, |sum, k| one + r * sum / f64::from(k).into());
        // r¹²/12! in units of r, over 1/(1 − r).
        let rest = 2.5e-9 * LARGEST.powi(TERMS as i32);
        let mut growth = r * series.widened(rest);
        for _ in 0..8 {
            growth = growth * (growth + 2.0.into());
        }
        let [half, rest] = [
            (halvings / 2.0).floor(),
            halvings - (halvings / 2.0).floor(),
        ];
        let power = |k: f64| Self::from(f64::from_bits(((1023.0 + k) as u64) << 52));
        let whole = (growth + one) * power(half) * power(rest);
        // |e^δ − 1| ≤ 2|δ| for |δ| ≤ 1/2.
        whole.widened(2.0 * self.radius * whole.magnitude())
    }

    /// log(self), of positive numbers: y + log(1 + z) with a double y and z = e^−y·self − 1, which is small for no others.
    pub fn ln(self) -> Self {
        let y = Self::from(self.mid.high().ln());
        let z = self * (-y).exp() - 1.0.into();
        let size = z.magnitude();
        if size.is_nan() || size > 0.25 {
            return Self::everything();
        }
        // The alternating series: what follows z²/2 is below |z|³/2 for |z| ≤ 1/4.
        let series = z - z * z * 0.5.into();
        (y + series).widened(0.5 * size * size * size)
    }
}

impl From<DoubleDouble> for Ball {
    fn from(mid: DoubleDouble) -> Self {
        Self::new(mid, 0.0)
    }
}

impl From<f64> for Ball {
    fn from(mid: f64) -> Self {
        Self::new(mid, 0.0)
    }
}

impl Real for Ball {
    fn least(self) -> f64 {
        self.bounds()[0]
    }
}

/// An outcome in double-double with what its rounding and its operands' radii leave open.
fn rounded(mid: DoubleDouble, carried: f64) -> Ball {
    let radius = (carried + ROUNDING * mid.high().abs()) * UP;
    Ball { mid, radius }
}

impl Neg for Ball {
    type Output = Self;
    fn neg(self) -> Self {
        Self::new(-self.mid, self.radius)
    }
}

impl Add for Ball {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        if self.is_zero() {
            return other;
        } else if other.is_zero() {
            return self;
        }
        // Sums do not underflow; one that comes out as 0 is 0.
        rounded(self.mid + other.mid, self.radius + other.radius)
    }
}

impl Sub for Ball {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Ball {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        if self.is_zero() || other.is_zero() {
            return Self::from(0.0);
        }
        let [one, two] = [self, other].map(|ball| ball.mid.high().abs());
        let carried = one * other.radius + (two + other.radius) * self.radius;
        rounded(self.mid * other.mid, carried + UNDERFLOW)
    }
}

impl Div for Ball {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let least = other.mignitude();
        if least == 0.0 {
            return Self::everything();
        } else if self.is_zero() {
            return self;
        }
        let mid = self.mid / other.mid;
        let carried = self.radius + mid.high().abs() * other.radius + UNDERFLOW;
        rounded(mid, carried / least + UNDERFLOW)
    }
}
