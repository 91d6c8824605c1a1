//! Double-double numbers: unevaluated sums hi + lo with |lo| ≤ ulp(hi)/2, 106 bits.
//!
//! Two error-free transformations carry them, Knuth's sum and the product by a fused
//! multiply-add. The algorithms are those of Joldes, Muller and Popescu (ACM TOMS 44, 2017) with their bounds: 3u² for
//! sums, 5u² for products, 15u² for quotients, u = 2⁻⁵³. Roots err by 20u²; exponentials by 8192u², for each of eight
//! squarings doubles the error of the series; logarithms by as much, absolute.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number of twice the precision of `f64`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DoubleDouble {
    hi: f64,
    lo: f64,
}

/// Arithmetic in which the local basis can be evaluated and its matrices factored: `f64`, [`DoubleDouble`], or
/// intervals of such numbers.
pub trait Real:
    Copy
    + PartialEq
    + Send
    + Sync
    + From<f64>
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    /// The number, rounded to a double; of an interval no more than its lower end.
    fn least(self) -> f64;
}

impl Real for f64 {
    fn least(self) -> f64 {
        self
    }
}

impl Real for DoubleDouble {
    fn least(self) -> f64 {
        self.hi
    }
}

/// a + b exactly.
fn two_sum(a: f64, b: f64) -> DoubleDouble {
    let hi = a + b;
    let rounded = hi - a;
    let lo = (a - (hi - rounded)) + (b - rounded);
    DoubleDouble { hi, lo }
}

/// a + b exactly, for |a| ≥ |b| or a = 0.
fn fast_two_sum(a: f64, b: f64) -> DoubleDouble {
    let hi = a + b;
    DoubleDouble {
        hi,
        lo: b - (hi - a),
    }
}

/// a·b exactly, if the error does not underflow.
fn two_product(a: f64, b: f64) -> DoubleDouble {
    let hi = a * b;
    DoubleDouble {
        hi,
        lo: a.mul_add(b, -hi),
    }
}

impl DoubleDouble {
    /// log 2.
    pub const LN_2: Self = Self {
        hi: std::f64::consts::LN_2,
        lo: 2.319_046_813_846_299_6e-17,
    };

    /// The sums of two lists.
    pub fn join(high: &[f64], low: &[f64]) -> Vec<Self> {
        let pairs = high.iter().zip(low);
        pairs.map(|(&high, &low)| two_sum(high, low)).collect()
    }

    /// The nearest double.
    pub fn high(self) -> f64 {
        self.hi
    }

    /// What the nearest double leaves.
    pub fn low(self) -> f64 {
        self.lo
    }

    /// The absolute value.
    pub fn abs(self) -> Self {
        if self.hi < 0.0 { -self } else { self }
    }

    /// √self, for a positive number: the double root and one Newton step.
    pub fn sqrt(self) -> Self {
        let root = Self::from(self.hi.sqrt());
        (root + self / root) * Self::from(0.5)
    }

    /// self^k.
    pub fn powi(self, mut k: u32) -> Self {
        let (mut power, mut base) = (Self::from(1.0), self);
        while k > 0 {
            if k % 2 == 1 {
                power = power * base;
            }
            base = base * base;
            k /= 2;
        }
        power
    }

    /// e^self. The series of e^r − 1 at a 256th of what is left beside multiples of log 2, squared eight times.
    pub fn exp(self) -> Self {
        let halvings = (self.hi / Self::LN_2.hi).round();
        let r = (self - Self::LN_2 * halvings.into()) * (1.0 / 256.0).into();
        let one = Self::from(1.0);
        let series = (2..=11)
            .rev()
            .fold(one, |s, k| one + r * s / f64::from(k).into());
        let mut growth = r * series;
        for _ in 0..8 {
            growth = growth * (growth + 2.0.into());
        }
        let scale = Self::from((halvings / 2.0).floor().exp2());
        let rest = Self::from((halvings - (halvings / 2.0).floor()).exp2());
        (growth + one) * scale * rest
    }

    /// log(self), for a positive number: the double logarithm and one Newton step.
    pub fn ln(self) -> Self {
        let log = Self::from(self.hi.ln());
        log + self * (-log).exp() - 1.0.into()
    }
}

impl From<f64> for DoubleDouble {
    fn from(hi: f64) -> Self {
        Self { hi, lo: 0.0 }
    }
}

impl Neg for DoubleDouble {
    type Output = Self;
    fn neg(self) -> Self {
        Self {
            hi: -self.hi,
            lo: -self.lo,
        }
    }
}

impl Add for DoubleDouble {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let high = two_sum(self.hi, other.hi);
        let low = two_sum(self.lo, other.lo);
        let sum = fast_two_sum(high.hi, high.lo + low.hi);
        fast_two_sum(sum.hi, low.lo + sum.lo)
    }
}

impl Sub for DoubleDouble {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for DoubleDouble {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let product = two_product(self.hi, other.hi);
        let cross = self
            .lo
            .mul_add(other.hi, self.hi.mul_add(other.lo, self.lo * other.lo));
        fast_two_sum(product.hi, product.lo + cross)
    }
}

impl Div for DoubleDouble {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let quotient = self.hi / other.hi;
        let rest = self - other * quotient.into();
        fast_two_sum(quotient, rest.hi / other.hi)
    }
}
