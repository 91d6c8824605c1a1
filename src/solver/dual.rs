//! The m-dimensional dual that both limits share, in the basis in which it is easy.
//!
//! ```text
//! minimise over λ   E φ*(λᵀF) − λᵀy,      F = (σ(w x_i − b))_i,   α = (φ*)'(λᵀF)
//! ```
//!
//! E is the expectation over the initial neurons: an integral over the knot c = w·b at infinite
//! width, a mean over n neurons at width n. As a function of c, λᵀF is linear between the data, so
//! the unknowns are U(x_j), U(c) = Σ λ_i |x_i − c|, in a basis of hat functions; the Newton matrix
//! is then tridiagonal up to two border rows and well conditioned (proofs.md, "The dual in local
//! coordinates"). A [`Measure`] supplies the moments of α and (φ*)'' on each linear piece.

use rayon::prelude::*;

use super::double_double::{DoubleDouble, Real};
use crate::{
    Error, Result,
    setting::{Activation, Dataset, Family, Potential},
};

/// Sign w of a neuron's inner weight; for |·| both signs are one sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sheet {
    /// |·|: the feature does not depend on the sign of w.
    Both,
    /// ReLU, w = +1: active left of the data that it serves, x > c.
    Plus,
    /// ReLU, w = −1.
    Minus,
}

impl Sheet {
    /// The sheets of an activation.
    pub fn of(activation: Activation) -> &'static [Self] {
        match activation {
            Activation::Abs => &[Self::Both],
            Activation::Relu => &[Self::Plus, Self::Minus],
        }
    }

    /// The feature σ(w(x − c)) of a neuron with knot c.
    pub fn feature(self, x: f64, c: f64) -> f64 {
        self.feature_in(x, c)
    }

    /// The same in the given arithmetic.
    pub fn feature_in<T: Real>(self, x: f64, c: f64) -> T {
        match self {
            Self::Both | Self::Plus if x > c => T::from(x) - T::from(c),
            Self::Both | Self::Minus if x < c => T::from(c) - T::from(x),
            _ => T::from(0.0),
        }
    }
}

/// A stretch of knots on which λᵀF is linear: within one of the m + 1 intervals between the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// 0 left of x_1, i between x_i and x_{i+1}, m right of x_m.
    pub interval: usize,
    /// Sign of w.
    pub sheet: Sheet,
    /// Left end (knot position).
    pub left: f64,
    /// Right end.
    pub right: f64,
}

impl Piece {
    /// The parts left and right of the knots `at` (ascending) that lie inside.
    pub fn split<'a>(self, at: &'a [f64]) -> impl Iterator<Item = Self> + 'a {
        let first = at.partition_point(|&c| c <= self.left);
        let last = at.partition_point(|&c| c < self.right).max(first);
        let inner = &at[first..last];
        (0..=inner.len()).map(move |k| Self {
            left: if k == 0 { self.left } else { inner[k - 1] },
            right: inner.get(k).copied().unwrap_or(self.right),
            ..self
        })
    }
}

/// Moments over one piece in its own coordinate t ∈ \[0, 1\], left to right; c is the knot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    /// ∫ α (1 − t), ∫ α t.
    pub first: [f64; 2],
    /// ∫ (φ*)''(u) (1 − t)², ∫ (φ*)''(u) (1 − t) t, ∫ (φ*)''(u) t².
    pub second: [f64; 3],
}

impl Moments {
    /// Adds a knot at t of the given weight, α and (φ*)''.
    #[inline]
    pub fn add(&mut self, t: f64, weight: f64, alpha: f64, hessian: f64) {
        let (l, r) = (1.0 - t, t);
        self.first[0] += weight * alpha * l;
        self.first[1] += weight * alpha * r;
        let g = weight * hessian;
        self.second[0] += g * l * l;
        self.second[1] += g * l * r;
        self.second[2] += g * r * r;
    }
}

/// The expectation over initial neurons, piece by piece.
pub trait Measure: Sync {
    /// The pieces that carry mass, ordered by sheet and knot.
    fn pieces(&self) -> &[Piece];
    /// Moments over the piece of this number, where u = λᵀF runs linearly from `u[0]` to `u[1]`.
    fn moments(&self, piece: usize, u: [f64; 2]) -> Moments;
    /// [`Moments::first`] in double-double; None where the expectation itself is not known that well.
    fn precise_first(&self, _piece: usize, _u: [DoubleDouble; 2]) -> Option<[DoubleDouble; 2]> {
        None
    }
    /// φ of the problem.
    fn potential(&self) -> &Potential;
}

/// Values of the four basis functions that can be non-zero on a piece.
pub type Functions<T = f64> = [T; 4];

/// The sum of four products.
pub fn dot<T: Real>(a: &Functions<T>, b: &Functions<T>) -> T {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
}

/// One value for each piece, in parallel where there are many.
pub fn for_pieces<T: Send>(count: usize, value: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    const CHUNK: usize = 2048;
    if count <= CHUNK {
        return (0..count).map(value).collect();
    }
    let pieces = (0..count).into_par_iter().with_min_len(CHUNK);
    pieces.map(value).collect()
}

/// Hat functions at the data, with the outer two combined into their half sum and half difference.
///
/// Coordinates q of λ: q_j = U(x_j) for the inner points, q_0 = (U(x_1) + U(x_m))/2 and
/// q_{m−1} = (U(x_1) − U(x_m))/2. For m = 1, q_0 = λ. For |·|, where the data span most of the
/// knots, q_0 = U(x_1) and q_{m−1} = U(x_m): one end may then carry far less mass than the other.
#[derive(Debug, Clone)]
pub struct LocalBasis {
    x: Vec<f64>,
    y: Vec<f64>,
    activation: Activation,
    target: Vec<f64>,
    /// Whether the outer two stay apart.
    apart: bool,
}

impl LocalBasis {
    /// The basis of a data set; `spread` is the root mean square of the knots.
    pub fn new(dataset: &Dataset, activation: Activation, spread: f64) -> Self {
        let (x, y) = (dataset.x().to_vec(), dataset.y().to_vec());
        let m = x.len();
        let apart = m > 1 && activation == Activation::Abs && x[m - 1] - x[0] >= spread;
        let mut basis = Self {
            x,
            y,
            activation,
            target: Vec::new(),
            apart,
        };
        basis.target = basis.target_in();
        basis
    }

    /// Coordinates z of the data, λᵀy = qᵀz, in the given arithmetic.
    pub fn target_in<T: Real>(&self) -> Vec<T> {
        let (m, half, real) = (self.len(), T::from(0.5), |v: f64| T::from(v));
        let x = |j: usize| real(self.x[j]);
        let y = |j: usize| real(self.y[j]);
        if m == 1 {
            return vec![y(0)];
        }
        let chord = |j: usize| (y(j + 1) - y(j)) / (x(j + 1) - x(j));
        let (first, last) = (chord(0), chord(m - 2));
        let outer = (y(0) + y(m - 1)) / (x(m - 1) - x(0));
        (0..m)
            .map(|j| match j {
                0 if self.apart => (first + outer) * half,
                _ if j == m - 1 && self.apart => (outer - last) * half,
                0 => outer + (first - last) * half,
                _ if j == m - 1 => (first + last) * half,
                _ => (chord(j) - chord(j - 1)) * half,
            })
            .collect()
    }

    /// Number m of data points.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// A data set is never empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Inputs, ascending.
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// Outputs, in the order of the inputs.
    pub fn y(&self) -> &[f64] {
        &self.y
    }

    /// σ.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Indices of the basis functions that live on an interval, as in [`Self::functions`].
    /// Slots that an interval does not use name some inner index and hold the value 0.
    pub fn indices(&self, interval: usize) -> [usize; 4] {
        let m = self.len();
        let inner = |j: usize| if (1..m - 1).contains(&j) { j } else { 0 };
        [inner(interval.wrapping_sub(1)), inner(interval), 0, m - 1]
    }

    /// Values at knot c of the functions of an interval: the hats at its left and right end (where
    /// these are inner points), then the half-sum and half-difference functions.
    pub fn functions(&self, interval: usize, sheet: Sheet, c: f64) -> Functions {
        self.functions_in(interval, sheet, c)
    }

    /// The same in the given arithmetic.
    pub fn functions_in<T: Real>(&self, interval: usize, sheet: Sheet, c: f64) -> Functions<T> {
        let (m, zero, one) = (self.len(), T::from(0.0), T::from(1.0));
        if m == 1 {
            return [zero, zero, sheet.feature_in(self.x[0], c), zero];
        }
        // Signed distances of c.
        let after = |j: usize| T::from(c) - T::from(self.x[j]);
        let before = |j: usize| T::from(self.x[j]) - T::from(c);
        let between = |j: usize, k: usize| T::from(self.x[k]) - T::from(self.x[j]);
        let span = between(0, m - 1);
        // The affine part ℓ(c) = Σ λ_i (x_i − c) is q_0·centred + q_{m−1}.
        let centred = || (before(m - 1) + before(0)) / span;
        // Hats of the points at the ends of an inner interval.
        let hats = |i: usize| {
            (
                before(i) / between(i - 1, i),
                after(i - 1) / between(i - 1, i),
            )
        };
        let inner = interval > 0 && interval < m;
        let (l, r) = if inner { hats(interval) } else { (zero, zero) };
        let mut values = [
            if inner && interval > 1 { l } else { zero },
            if inner && interval < m - 1 { r } else { zero },
            zero,
            zero,
        ];
        let [first, last] = [
            if interval == 1 { l } else { zero },
            if interval == m - 1 { r } else { zero },
        ];
        (values[2], values[3]) = match (interval, self.apart) {
            // H_1 and H_m themselves, without a difference of large terms.
            (0, true) => (before(m - 1) / span, before(0) / span),
            (i, true) if i == m => (after(m - 1) / span, after(0) / span),
            (_, true) => (first, last),
            (0, false) => (centred(), one),
            (i, false) if i == m => (-centred(), -one),
            (_, false) => (first + last, first - last),
        };
        let sign = match sheet {
            Sheet::Both => return values,
            Sheet::Plus => one,
            Sheet::Minus => -one,
        };
        values[2] = values[2] + sign * centred();
        values[3] = values[3] + sign;
        values.map(|value| value * T::from(0.5))
    }

    /// u = λᵀF at knot c.
    pub fn dual_function(&self, q: &[f64], interval: usize, sheet: Sheet, c: f64) -> f64 {
        let coordinates = self.indices(interval).map(|j| q[j]);
        dot(&self.functions(interval, sheet, c), &coordinates)
    }

    /// The same from coordinates q + `low`: right to the last digits where the terms of a sheet cancel.
    pub fn precise_dual_function(
        &self,
        [q, low]: [&[f64]; 2],
        interval: usize,
        sheet: Sheet,
        c: f64,
    ) -> f64 {
        let coordinates =
            (self.indices(interval)).map(|j| DoubleDouble::from(q[j]) + DoubleDouble::from(low[j]));
        dot(&self.functions_in(interval, sheet, c), &coordinates).high()
    }

    /// λ from its coordinates, in the order of [`Self::x`].
    pub fn multipliers<T: Real>(&self, q: &[T]) -> Vec<T> {
        let m = self.len();
        if m == 1 {
            return q.to_vec();
        }
        let (x, v) = (|j: usize| T::from(self.x[j]), self.nodal(q));
        let total = (v[0] + v[m - 1]) / (x(m - 1) - x(0));
        let slope = |j: usize| (v[j + 1] - v[j]) / (x(j + 1) - x(j));
        (0..m)
            .map(|j| {
                let left = if j == 0 { -total } else { slope(j - 1) };
                let right = if j == m - 1 { total } else { slope(j) };
                (right - left) * T::from(0.5)
            })
            .collect()
    }

    /// U(x_j) from coordinates (for m = 1: λ).
    pub fn nodal<T: Real>(&self, q: &[T]) -> Vec<T> {
        let m = self.len();
        let mut v = q.to_vec();
        if m > 1 && !self.apart {
            v[0] = q[0] + q[m - 1];
            v[m - 1] = q[0] - q[m - 1];
        }
        v
    }

    /// Residual at the data, E[α F_i] − y_i = Σ_j |x_i − x_j| r_j, from the gradient in
    /// coordinates; two prefix sums.
    pub fn data_residual<T: Real>(&self, gradient: &[T]) -> Vec<T> {
        let m = self.len();
        if m == 1 {
            return gradient.to_vec();
        }
        let mut r = gradient.to_vec();
        if !self.apart {
            r[0] = (gradient[0] + gradient[m - 1]) * T::from(0.5);
            r[m - 1] = (gradient[0] - gradient[m - 1]) * T::from(0.5);
        }
        let (zero, x) = (T::from(0.0), |i: usize| T::from(self.x[i]));
        let mut residual = vec![zero; m];
        let (mut mass, mut moment) = (zero, zero);
        for i in 1..m {
            mass = mass + r[i - 1];
            moment = moment + mass * (x(i) - x(i - 1));
            residual[i] = residual[i] + moment;
        }
        (mass, moment) = (zero, zero);
        for i in (0..m - 1).rev() {
            mass = mass + r[i + 1];
            moment = moment + mass * (x(i + 1) - x(i));
            residual[i] = residual[i] + moment;
        }
        residual
    }
}

/// A symmetric positive definite matrix: inner rows tridiagonal, first and last row dense.
#[derive(Debug, Clone)]
pub struct BorderedMatrix<T = f64> {
    diagonal: Vec<T>,
    /// Entry j couples j and j + 1.
    off_diagonal: Vec<T>,
    /// Columns 0 and m − 1 in the inner rows.
    border: [Vec<T>; 2],
    corner: T,
}

impl<T: Real> BorderedMatrix<T> {
    /// The m × m zero matrix.
    pub fn zero(m: usize) -> Self {
        let zero = T::from(0.0);
        Self {
            diagonal: vec![zero; m],
            off_diagonal: vec![zero; m],
            border: [vec![zero; m], vec![zero; m]],
            corner: zero,
        }
    }

    /// Adds a symmetric 4 × 4 matrix at the indices of an interval.
    fn add(&mut self, indices: [usize; 4], entry: impl Fn(usize, usize) -> T) {
        let [left, right, first, last] = indices;
        let add = |sum: &mut T, a, b| *sum = *sum + entry(a, b);
        add(&mut self.diagonal[left], 0, 0);
        add(&mut self.diagonal[right], 1, 1);
        add(&mut self.off_diagonal[left], 0, 1);
        for (slot, index) in [(0, left), (1, right)] {
            add(&mut self.border[0][index], slot, 2);
            add(&mut self.border[1][index], slot, 3);
        }
        // For a single datum nothing is added to the last entry, which is the first.
        add(&mut self.diagonal[first], 2, 2);
        add(&mut self.diagonal[last], 3, 3);
        add(&mut self.corner, 2, 3);
    }

    /// Adds E[(φ*)'' F Fᵀ] over a piece, from F at its ends and [`Moments::second`].
    pub fn add_moments(
        &mut self,
        indices: [usize; 4],
        [left, right]: [&Functions<T>; 2],
        [ll, lr, rr]: [T; 3],
    ) {
        self.add(indices, |a, b| {
            left[a] * left[b] * ll
                + (left[a] * right[b] + right[a] * left[b]) * lr
                + right[a] * right[b] * rr
        });
    }

    /// Factors the matrix as L D Lᵀ with the border eliminated last.
    ///
    /// None where a pivot is not above `tolerance` times its diagonal entry.
    pub fn factor(&self, tolerance: f64) -> Option<Factored<T>> {
        let m = self.diagonal.len();
        let (inner, zero) = (1..m - 1, T::from(0.0));
        let kept =
            |pivot: T, entry: T| (pivot.least() > tolerance * entry.least()).then_some(pivot);
        let mut pivot = vec![T::from(1.0); m];
        for j in inner.clone() {
            let update = if j > 1 {
                self.off_diagonal[j - 1] * self.off_diagonal[j - 1] / pivot[j - 1]
            } else {
                zero
            };
            pivot[j] = kept(self.diagonal[j] - update, self.diagonal[j])?;
        }
        let couplings = self.off_diagonal.iter().zip(&pivot);
        let mut factored = Factored {
            multiplier: couplings
                .map(|(&coupling, &pivot)| coupling / pivot)
                .collect(),
            off_diagonal: self.off_diagonal.clone(),
            diagonal: self.diagonal.clone(),
            pivot,
            border: [Vec::new(), Vec::new()],
            eliminated: [Vec::new(), Vec::new()],
            schur: [zero; 3],
        };
        for column in 0..2 {
            let mut solved = self.border[column].clone();
            factored.solve_inner(&mut solved);
            factored.border[column] = self.border[column].clone();
            factored.eliminated[column] = solved;
        }
        let product = |a: usize, b: usize| -> T {
            let (row, column) = (&self.border[a], &factored.eliminated[b]);
            sum(inner.clone().map(|j| row[j] * column[j]))
        };
        let first = kept(self.diagonal[0] - product(0, 0), self.diagonal[0])?;
        factored.schur = if m > 1 {
            let coupling = self.corner - product(0, 1);
            let last = self.diagonal[m - 1] - product(1, 1);
            kept(last - coupling * coupling / first, self.diagonal[m - 1])?;
            [first, coupling, last]
        } else {
            [first, zero, T::from(1.0)]
        };
        Some(factored)
    }
}

impl BorderedMatrix {
    /// Σ_j |H_ij| |q_j| for each of the m coordinates i, the size of the terms whose rounding a gradient carries. Expects m
    /// coordinates q.
    pub fn absolute_product(&self, q: &[f64]) -> Vec<f64> {
        let m = self.diagonal.len();
        let mut sum: Vec<f64> = (0..m)
            .map(|j| self.diagonal[j].abs() * q[j].abs())
            .collect();
        for j in 1..m - 1 {
            if j + 2 < m {
                sum[j] += (self.off_diagonal[j] * q[j + 1]).abs();
                sum[j + 1] += (self.off_diagonal[j] * q[j]).abs();
            }
            for (column, index) in [(0, 0), (1, m - 1)] {
                sum[j] += (self.border[column][j] * q[index]).abs();
                sum[index] += (self.border[column][j] * q[j]).abs();
            }
        }
        if m > 1 {
            sum[0] += (self.corner * q[m - 1]).abs();
            sum[m - 1] += (self.corner * q[0]).abs();
        }
        sum
    }
}

fn sum<T: Real>(terms: impl Iterator<Item = T>) -> T {
    terms.fold(T::from(0.0), |sum, term| sum + term)
}

/// A factored [`BorderedMatrix`].
#[derive(Debug, Clone)]
pub struct Factored<T = f64> {
    diagonal: Vec<T>,
    off_diagonal: Vec<T>,
    pivot: Vec<T>,
    /// Entry j of L couples j and j + 1.
    multiplier: Vec<T>,
    border: [Vec<T>; 2],
    /// T⁻¹ times the border, T the inner tridiagonal matrix.
    eliminated: [Vec<T>; 2],
    /// Schur complement of T: (0, 0), (0, m−1), (m−1, m−1).
    schur: [T; 3],
}

impl<T: Real> Factored<T> {
    fn solve_inner(&self, b: &mut [T]) {
        let m = b.len();
        for j in 2..m - 1 {
            b[j] = b[j] - self.multiplier[j - 1] * b[j - 1];
        }
        for j in (1..m - 1).rev() {
            b[j] = b[j] / self.pivot[j];
            if j + 2 < m {
                b[j] = b[j] - self.multiplier[j] * b[j + 1];
            }
        }
    }

    fn solve_corner(&self, first: T, last: T) -> [T; 2] {
        let [a, b, c] = self.schur;
        let determinant = a * c - b * b;
        [
            (c * first - b * last) / determinant,
            (a * last - b * first) / determinant,
        ]
    }

    /// H⁻¹ b.
    pub fn solve(&self, b: &[T]) -> Vec<T> {
        let m = b.len();
        let inner = 1..m - 1;
        let mut solution = b.to_vec();
        self.solve_inner(&mut solution);
        let reduced = |column: usize| -> T {
            sum(inner.clone().map(|j| self.border[column][j] * solution[j]))
        };
        let last = if m > 1 { b[m - 1] } else { T::from(0.0) };
        let [first, last] = self.solve_corner(b[0] - reduced(0), last - reduced(1));
        for j in inner {
            solution[j] =
                solution[j] - (self.eliminated[0][j] * first + self.eliminated[1][j] * last);
        }
        solution[0] = first;
        if m > 1 {
            solution[m - 1] = last;
        }
        solution
    }

    /// Diagonal of T⁻¹, from the pivots of both elimination directions.
    pub fn inner_inverse_diagonal(&self) -> Vec<T> {
        let m = self.pivot.len();
        let mut inverse = vec![T::from(0.0); m];
        let mut backward: Option<T> = None;
        for j in (1..m - 1).rev() {
            let (diagonal, coupling) = (self.diagonal[j], self.off_diagonal[j]);
            let from_right =
                backward.map_or(diagonal, |next| diagonal - coupling * coupling / next);
            inverse[j] = T::from(1.0) / (self.pivot[j] + from_right - diagonal);
            backward = Some(from_right);
        }
        inverse
    }

    /// FᵀH⁻¹F where F has these entries at the indices of an interval, in O(1): FᵢᵀT⁻¹Fᵢ for the
    /// inner ones and what they leave to the Schur complement.
    pub fn quadratic_form(&self, inner: &[T], indices: [usize; 4], f: &Functions<T>) -> T {
        let [left, right, ..] = indices;
        let neighbour = -self.multiplier[left] * inner[right];
        let inside = f[0] * f[0] * inner[left]
            + T::from(2.0) * f[0] * f[1] * neighbour
            + f[1] * f[1] * inner[right];
        let rest = [0, 1].map(|column| {
            let eliminated = &self.eliminated[column];
            f[2 + column] - f[0] * eliminated[left] - f[1] * eliminated[right]
        });
        let [first, last] = self.solve_corner(rest[0], rest[1]);
        inside + rest[0] * first + rest[1] * last
    }
}

/// Gradient and Newton matrix of the dual at one point.
#[derive(Debug, Clone)]
pub struct Expansion {
    /// E[α F] − z in coordinates.
    pub gradient: Vec<f64>,
    /// Size of the terms that were added up in each entry of the gradient, with the rounding of u
    /// carried through: the gradient's round-off is a few machine epsilons of it.
    pub magnitude: Vec<f64>,
    /// E[(φ*)'' F Fᵀ] in coordinates.
    pub hessian: BorderedMatrix,
}

impl Expansion {
    /// Expands the dual about q.
    pub fn at(basis: &LocalBasis, measure: &impl Measure, q: &[f64]) -> Self {
        let m = basis.len();
        let mut expansion = Self {
            gradient: basis.target.iter().map(|z| -z).collect(),
            magnitude: basis.target.iter().map(|z| z.abs()).collect(),
            hessian: BorderedMatrix::zero(m),
        };
        let pieces = measure.pieces();
        let ends = |piece: &Piece| {
            [piece.left, piece.right].map(|c| basis.functions(piece.interval, piece.sheet, c))
        };
        let moments = for_pieces(pieces.len(), |number| {
            let piece = &pieces[number];
            let coordinates = basis.indices(piece.interval).map(|j| q[j]);
            measure.moments(number, ends(piece).map(|f| dot(&f, &coordinates)))
        });
        for (piece, Moments { first, second }) in pieces.iter().zip(moments) {
            let indices = basis.indices(piece.interval);
            let [left, right] = ends(piece);
            for slot in 0..4 {
                let terms = [left[slot] * first[0], right[slot] * first[1]];
                expansion.gradient[indices[slot]] += terms[0] + terms[1];
                expansion.magnitude[indices[slot]] += terms[0].abs() + terms[1].abs();
            }
            expansion
                .hessian
                .add_moments(indices, [&left, &right], second);
        }
        for (size, carried) in expansion
            .magnitude
            .iter_mut()
            .zip(expansion.hessian.absolute_product(q))
        {
            *size += carried;
        }
        expansion
    }

    /// Largest gradient entry in units of the terms that it is the sum of.
    pub fn relative_residual(&self) -> f64 {
        self.gradient
            .iter()
            .zip(&self.magnitude)
            .map(|(r, size)| {
                if *size > 0.0 {
                    (r / size).abs()
                } else {
                    r.abs()
                }
            })
            .fold(0.0, |a, b| if b.is_nan() { b } else { f64::max(a, b) })
    }
}

/// E\[αF\] − z in coordinates, summed in double-double; None where the measure has no such moments.
fn precise_gradient(
    basis: &LocalBasis,
    measure: &impl Measure,
    q: &[DoubleDouble],
) -> Option<Vec<f64>> {
    let pieces = measure.pieces();
    let terms = for_pieces(pieces.len(), |number| {
        let piece = &pieces[number];
        let coordinates = basis.indices(piece.interval).map(|j| q[j]);
        let [left, right]: [Functions<DoubleDouble>; 2] =
            [piece.left, piece.right].map(|c| basis.functions_in(piece.interval, piece.sheet, c));
        let u = [dot(&left, &coordinates), dot(&right, &coordinates)];
        let [first, second] = measure.precise_first(number, u)?;
        Some([0, 1, 2, 3].map(|slot| left[slot] * first + right[slot] * second))
    });
    let mut gradient: Vec<DoubleDouble> = basis.target_in::<DoubleDouble>();
    gradient.iter_mut().for_each(|z| *z = -*z);
    for (piece, terms) in pieces.iter().zip(terms) {
        for (index, term) in basis.indices(piece.interval).into_iter().zip(terms?) {
            gradient[index] = gradient[index] + term;
        }
    }
    Some(gradient.into_iter().map(DoubleDouble::high).collect())
}

/// A minimiser of the dual.
#[derive(Debug, Clone)]
pub struct DualSolution {
    /// Coordinates of λ in the local basis, to the nearest double.
    pub q: Vec<f64>,
    /// What these leave; 0 where the measure has no moments in double-double.
    pub low: Vec<f64>,
    /// Newton steps until the relative residual was first below 10⁻¹⁰ (a work counter).
    pub iterations: usize,
    /// Relative residual at q.
    pub relative_residual: f64,
    /// E\[αF\] − z in coordinates, there.
    pub gradient: Vec<f64>,
}

impl DualSolution {
    /// Any coordinates with the gradient that they have.
    pub fn at(basis: &LocalBasis, measure: &impl Measure, q: Vec<f64>, iterations: usize) -> Self {
        let mut here = Expansion::at(basis, measure, &q);
        let low = vec![0.0; q.len()];
        let gradient = precise_gradient(basis, measure, &DoubleDouble::join(&q, &low));
        here.gradient = gradient.unwrap_or(here.gradient);
        Self {
            q,
            low,
            iterations,
            relative_residual: here.relative_residual(),
            gradient: here.gradient,
        }
    }
}

/// A Newton step shortened where it is longer than the same step taken in α: at each end of each
/// piece, u moves by whichever of δ and φ'(α + δ/φ''(α)) − u is nearer 0.
///
/// What happens outside the data scales the whole step; inner nodes are then limited one by one.
fn limit(basis: &LocalBasis, measure: &impl Measure, q: &[f64], step: &[f64]) -> Vec<f64> {
    let (potential, m) = (measure.potential(), basis.len());
    let shortened = |u: f64, change: f64| {
        let alpha = potential.inverse_mirror_map(u);
        let in_alpha = potential.mirror_map(alpha + change / potential.hessian(alpha)) - u;
        if in_alpha.abs() < change.abs() {
            in_alpha
        } else {
            change
        }
    };
    let outer = measure
        .pieces()
        .iter()
        .filter(|piece| piece.interval == 0 || piece.interval == m)
        .flat_map(|piece| [(piece, piece.left), (piece, piece.right)])
        .map(|(piece, c)| {
            let at = |q: &[f64]| basis.dual_function(q, piece.interval, piece.sheet, c);
            let change = at(step);
            if change == 0.0 {
                1.0
            } else {
                shortened(at(q), change) / change
            }
        })
        .fold(1.0, f64::min);
    let step: Vec<f64> = step.iter().map(|step| outer * step).collect();
    let sheets = Sheet::of(basis.activation);
    let mut limited = step.clone();
    for (j, limited) in limited.iter_mut().enumerate().take(m - 1).skip(1) {
        let shorten = |&sheet: &Sheet| {
            let at = |q: &[f64]| basis.dual_function(q, j + 1, sheet, basis.x[j]);
            shortened(at(q), at(&step))
        };
        *limited = sheets.iter().map(shorten).sum();
    }
    limited
}

/// Minimises the dual by Newton's method from λ = 0.
///
/// For powers p ≤ 4 at infinite width each step is limited where φ' bends (`limit` in the source), node by node, since the
/// sums that could judge it as a whole are those of the closest pair of data. Else, and should 50 such steps not have
/// been enough, a step that overshoots, r(q + δ)·δ > ½|r(q)·δ|, is limited and then halved until it does not.
/// From a relative residual of 10⁻¹⁰ (|·|), or two steps after it no longer falls, double-double takes over where
/// the measure has it.
///
/// # Errors
/// [`Error::NotInterpolable`] where the features are linearly dependent at the data, found before
/// the first step; [`Error::NotConverged`] after 200 steps.
pub fn minimize(
    solver: &'static str,
    basis: &LocalBasis,
    measure: &impl Measure,
) -> Result<DualSolution> {
    const STEPS: usize = 200;
    const SHORTEST: f64 = 1e-9;
    const CONVERGED: f64 = 1e-10;
    const POLISH: usize = 2;
    const UNWATCHED: usize = 50;
    // A pivot this small: features linearly dependent to a relative 3·10⁻⁷ ("Interpolants").
    const RANK_TOLERANCE: f64 = 1e-13;
    let along = |r: &[f64], d: &[f64]| r.iter().zip(d).map(|(r, d)| r * d).sum::<f64>();
    let advance = |q: &[f64], direction: &[f64], length: f64| -> Vec<f64> {
        q.iter()
            .zip(direction)
            .map(|(q, d)| q + length * d)
            .collect()
    };
    let precise = measure.precise_first(0, [0.0.into(); 2]).is_some();
    let one_sheet = basis.activation == Activation::Abs;
    let gentle = match measure.potential().family() {
        Family::Quadratic { .. } => true,
        Family::Power { exponent, .. } => exponent <= 4.0,
        Family::Hypentropy { .. } | Family::Own(_) => false,
    };
    let eager = precise && gentle;
    let mut q = vec![0.0; basis.len()];
    let mut here = Expansion::at(basis, measure, &q);
    let mut residual = here.relative_residual();
    let (mut iterations, mut polished) = (None, 0);
    for step in 0..STEPS {
        if residual <= CONVERGED {
            iterations.get_or_insert(step);
        }
        // Double-double takes it from here; but one sheet may hide behind the rounding of another, and
        // wants its matrix right.
        if precise && one_sheet && iterations.is_some() {
            break;
        }
        let tolerance = if step == 0 { RANK_TOLERANCE } else { 0.0 };
        let Some(factored) = here.hessian.factor(tolerance) else {
            if residual <= CONVERGED {
                break;
            }
            if step > 0 {
                return Err(Error::NotConverged {
                    solver,
                    iterations: step,
                    residual,
                });
            }
            return Err(Error::NotInterpolable {
                what: format!(
                    "the features of the initial neurons are linearly dependent at the {} data points",
                    basis.len()
                ),
                remedy: "take a larger width, a wider bias density or fewer points".into(),
            });
        };
        let downhill: Vec<f64> = here.gradient.iter().map(|r| -r).collect();
        let direction = factored.solve(&downhill);
        // A NaN beyond the range of double precision overshoots as well.
        let overshoots = |there: &Expansion, direction: &[f64]| {
            let slope = along(&there.gradient, direction);
            let watched = !eager || step >= UNWATCHED;
            slope.is_nan() || watched && slope > 0.5 * along(&here.gradient, direction).abs()
        };
        let limited = || {
            let limited = limit(basis, measure, &q, &direction);
            let descends = along(&here.gradient, &limited) < 0.0;
            if descends { limited } else { direction.clone() }
        };
        let first = if eager { limited() } else { direction.clone() };
        let mut trial = advance(&q, &first, 1.0);
        let mut there = Expansion::at(basis, measure, &trial);
        if overshoots(&there, &first) {
            let direction = limited();
            let mut length = 1.0;
            loop {
                trial = advance(&q, &direction, length);
                there = Expansion::at(basis, measure, &trial);
                if length < SHORTEST || !overshoots(&there, &direction) {
                    break;
                }
                length /= 2.0;
            }
        }
        let next = there.relative_residual();
        if residual <= CONVERGED && next >= residual / 2.0 {
            // Rounding of the largest terms hides what the others still gain.
            if polished == POLISH || next > CONVERGED {
                break;
            }
            polished += 1;
        }
        (q, here, residual) = (trial, there, next);
    }
    match iterations {
        Some(iterations) => Ok(refine(basis, measure, q, here, iterations)),
        None => Err(Error::NotConverged {
            solver,
            iterations: STEPS,
            residual,
        }),
    }
}

/// Newton steps with the gradient and the coordinates in double-double and the matrix in double,
/// each of which gains about as many digits as a double has; none where the measure has no
/// such gradient.
fn refine(
    basis: &LocalBasis,
    measure: &impl Measure,
    q: Vec<f64>,
    mut here: Expansion,
    iterations: usize,
) -> DualSolution {
    const CORRECTIONS: usize = 8;
    const REACHED: f64 = 1e-26;
    let mut point: Vec<DoubleDouble> = q.iter().map(|&q| q.into()).collect();
    if let (Some(gradient), Some(factored)) = (
        precise_gradient(basis, measure, &point),
        here.hessian.factor(0.0),
    ) {
        here.gradient = gradient;
        for _ in 0..CORRECTIONS {
            let residual = here.relative_residual();
            if residual <= REACHED {
                break;
            }
            let step = factored.solve(&here.gradient);
            let next: Vec<DoubleDouble> = (point.iter().zip(step))
                .map(|(&q, step)| q - step.into())
                .collect();
            let Some(gradient) = precise_gradient(basis, measure, &next) else {
                break;
            };
            let before = std::mem::replace(&mut here.gradient, gradient);
            let gained = here.relative_residual() < residual / 2.0;
            if !gained {
                here.gradient = before;
                break;
            }
            point = next;
        }
    }
    DualSolution {
        relative_residual: here.relative_residual(),
        q: point.iter().map(|q| q.high()).collect(),
        low: point.iter().map(|q| q.low()).collect(),
        gradient: here.gradient,
        iterations,
    }
}
