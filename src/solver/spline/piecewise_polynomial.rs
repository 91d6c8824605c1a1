//! Piecewise polynomials over any number type.

use std::cmp::Ordering::Equal;
use std::fmt::Display;

use num_rational::BigRational;
use num_traits::{NumAssignRef, NumRef, Signed};

use crate::{Error, Result};

/// Numbers in which splines are computed: rationals exactly, `f64` up to round-off.
pub trait Scalar: Signed + NumRef + NumAssignRef + PartialOrd + Clone + Display {
    /// The integer n.
    fn integer(n: i32) -> Self;
    /// Relative size below which a number counts as round-off: 0 where arithmetic is exact.
    fn roundoff() -> Self;
}

impl Scalar for f64 {
    fn integer(n: i32) -> Self {
        n.into()
    }
    fn roundoff() -> Self {
        4096.0 * f64::EPSILON
    }
}

impl Scalar for BigRational {
    fn integer(n: i32) -> Self {
        Self::from_integer(n.into())
    }
    fn roundoff() -> Self {
        Self::integer(0)
    }
}

/// A polynomial on each interval between breakpoints and on the two unbounded ones beyond them.
///
/// Coefficients belong to powers of x itself, lowest first; at a breakpoint the right piece counts.
#[derive(Debug, Clone, PartialEq)]
pub struct PiecewisePolynomial<T> {
    breakpoints: Vec<T>,
    pub(super) pieces: Vec<Vec<T>>,
}

impl<T: Scalar> PiecewisePolynomial<T> {
    /// The function with k breakpoints and k + 1 lists of coefficients, from left to right.
    ///
    /// # Errors
    /// [`Error::Data`] unless the breakpoints ascend strictly and there is one more piece.
    pub fn new(breakpoints: Vec<T>, pieces: Vec<Vec<T>>) -> Result<Self> {
        let ascending = breakpoints.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || pieces.len() != breakpoints.len() + 1 {
            let what = format!("{} breakpoints, {} pieces", breakpoints.len(), pieces.len());
            return Err(refusal(
                what,
                "give k ascending breakpoints and k + 1 pieces",
            ));
        }
        Ok(Self {
            breakpoints,
            pieces,
        })
    }

    /// The polynomial Σ_k coefficients\[k\] x^k.
    pub fn polynomial(coefficients: Vec<T>) -> Self {
        Self {
            breakpoints: vec![],
            pieces: vec![coefficients],
        }
    }

    /// The function t ↦ |x − t|.
    pub fn absolute(x: &T) -> Self {
        let pieces = vec![vec![x.clone(), -T::one()], vec![-x.clone(), T::one()]];
        Self {
            breakpoints: vec![x.clone()],
            pieces,
        }
    }

    /// The points at which one piece ends and the next begins, ascending.
    pub fn breakpoints(&self) -> &[T] {
        &self.breakpoints
    }

    /// h(x).
    pub fn value(&self, x: &T) -> T {
        horner(self.piece(x), x)
    }

    /// h' inside the pieces.
    pub fn derivative(&self) -> Self {
        self.map(|piece| {
            (1..)
                .zip(piece.iter().skip(1))
                .map(|(k, a)| T::integer(k) * a)
                .collect()
        })
    }

    /// The continuous antiderivative without constant term on its first piece.
    pub fn antiderivative(&self) -> Self {
        let mut result = self.map(|piece| {
            let raised = (1..).zip(piece).map(|(k, a)| a.clone() / T::integer(k));
            std::iter::once(T::zero()).chain(raised).collect()
        });
        for (k, t) in self.breakpoints.iter().enumerate() {
            let jump = horner(&result.pieces[k], t) - horner(&result.pieces[k + 1], t);
            result.pieces[k + 1][0] = jump;
        }
        result
    }

    /// ∫h over [a, b].
    pub fn integral(&self, a: &T, b: &T) -> T {
        let antiderivative = self.antiderivative();
        antiderivative.value(b) - antiderivative.value(a)
    }

    /// factor · h.
    pub fn scaled(&self, factor: &T) -> Self {
        self.map(|piece| piece.iter().map(|a| a.clone() * factor).collect())
    }

    /// x ↦ h(−x), up to values at breakpoints.
    pub fn reflected(&self) -> Self {
        let sign = |k: usize, a: &T| {
            if k.is_multiple_of(2) {
                a.clone()
            } else {
                -a.clone()
            }
        };
        let mirror = |piece: &Vec<T>| piece.iter().enumerate().map(|(k, a)| sign(k, a)).collect();
        let breakpoints = self.breakpoints.iter().rev().map(|t| -t.clone()).collect();
        Self {
            breakpoints,
            pieces: self.pieces.iter().rev().map(mirror).collect(),
        }
    }

    /// h on [a, b), zero elsewhere; a < b.
    pub fn restricted(&self, a: &T, b: &T) -> Self {
        let pieces = vec![vec![], vec![T::one()], vec![]];
        self.product(&Self {
            breakpoints: vec![a.clone(), b.clone()],
            pieces,
        })
    }

    /// The sum with another function.
    pub fn sum(&self, other: &Self) -> Self {
        self.combined(other, |p, q| {
            let (longer, shorter) = if p.len() < q.len() { (q, p) } else { (p, q) };
            let mut result = longer.to_vec();
            result.iter_mut().zip(shorter).for_each(|(a, b)| *a += b);
            result
        })
    }

    /// The product with another function.
    pub fn product(&self, other: &Self) -> Self {
        self.combined(other, |p, q| {
            let mut result = vec![T::zero(); (p.len() + q.len()).saturating_sub(1)];
            for (i, a) in p.iter().enumerate() {
                result[i..]
                    .iter_mut()
                    .zip(q)
                    .for_each(|(c, b)| *c += a.clone() * b);
            }
            result
        })
    }

    /// The coefficients that hold at x and just to the right of it.
    fn piece(&self, x: &T) -> &[T] {
        &self.pieces[self.breakpoints.partition_point(|t| t <= x)]
    }

    fn map(&self, operation: impl Fn(&[T]) -> Vec<T>) -> Self {
        let pieces = self.pieces.iter().map(|piece| operation(piece)).collect();
        Self {
            breakpoints: self.breakpoints.clone(),
            pieces,
        }
    }

    fn combined(&self, other: &Self, operation: impl Fn(&[T], &[T]) -> Vec<T>) -> Self {
        let mut breakpoints = [&self.breakpoints[..], &other.breakpoints].concat();
        breakpoints.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Equal));
        breakpoints.dedup();
        let first = operation(&self.pieces[0], &other.pieces[0]);
        let further = breakpoints
            .iter()
            .map(|t| operation(self.piece(t), other.piece(t)));
        Self {
            pieces: std::iter::once(first).chain(further).collect(),
            breakpoints,
        }
    }

    pub(super) fn largest_coefficient(&self) -> T {
        largest(self.pieces.iter().flatten().map(T::abs))
    }

    pub(super) fn largest_jump(&self) -> T {
        let sides = self.breakpoints.iter().zip(self.pieces.windows(2));
        largest(sides.map(|(t, pair)| (horner(&pair[0], t) - horner(&pair[1], t)).abs()))
    }
}

fn horner<T: Scalar>(coefficients: &[T], x: &T) -> T {
    coefficients
        .iter()
        .rev()
        .fold(T::zero(), |sum, a| sum * x + a)
}

/// The largest of the values and 0.
pub(super) fn largest<T: Scalar>(values: impl IntoIterator<Item = T>) -> T {
    values
        .into_iter()
        .fold(T::zero(), |a, b| if b > a { b } else { a })
}

pub(super) fn refusal(what: String, remedy: &str) -> Error {
    Error::Data {
        place: "spline".into(),
        what,
        remedy: remedy.into(),
    }
}
