//! Function space for uniform biases: the representation cost and its minimiser in closed form.
//!
//! For B uniform on [−c, c] (1/p_B = 2c, Var B = c²/3) and ReLU neurons the cost of h is
//!
//! ```text
//! G₁ + G₂ + G₃ = 2c ∫h''² + w_S S² + w_Q Q²,   S = h'(+∞) + h'(−∞),   Q = ∫h''|x| dx − 2h(0),
//! ```
//!
//! with w_S = 1 and w_Q = 1/Var B. For |·| and φ(z) = z² it is (c/2)∫h''² under S = Q = 0. Since
//! h = A + Bx + ½∫h''(t)|x − t| dt has S = 2B and Q = −2A, the minimiser through the data solves a
//! linear system for A, B and the multipliers λ_i = ∂cost/∂y_i (proofs.md, `representation-cost`).
//! No feature, kernel or dual enters, and with rational numbers nothing is rounded.

mod piecewise_polynomial;

use std::cmp::Ordering::Equal;

use crate::setting::Activation;
use crate::{Error, Result};
pub use piecewise_polynomial::{PiecewisePolynomial, Scalar};
use piecewise_polynomial::{largest, refusal};

/// The representation cost of functions for B uniform on [−c, c].
///
/// The weights are public so that a wrong theory can be stated: both 0 is the natural cubic spline.
#[derive(Debug, Clone, PartialEq)]
pub struct RepresentationCost<T> {
    /// σ; for |·| the potential is φ(z) = z².
    pub activation: Activation,
    /// c > 0, in units of x.
    pub half_width: T,
    /// w_S ≥ 0. For |·|, S = 0 is imposed where w_S ≠ 0 and dropped where w_S = 0.
    pub slopes_weight: T,
    /// w_Q ≥ 0. For |·|, Q = 0 is imposed where w_Q ≠ 0 and dropped where w_Q = 0.
    pub offset_weight: T,
}

/// The three terms of the representation cost; for |·| the last two vanish on F_Abs.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms<T> {
    /// G₁ = W∫h''² with W = 1/p_B = 2c, or 1/(4p_B) = c/2 for |·|.
    pub curvature: T,
    /// G₂ = w_S S².
    pub slopes: T,
    /// G₃ = w_Q Q².
    pub offset: T,
}

impl<T: Scalar> Terms<T> {
    /// G₁ + G₂ + G₃.
    pub fn total(&self) -> T {
        self.curvature.clone() + &self.slopes + &self.offset
    }
}

/// The function of least representation cost through the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimizer<T> {
    /// h̄: cubic between data points and ±c, affine outside [−c, c].
    pub function: PiecewisePolynomial<T>,
    /// λ_i = ∂cost/∂y_i, the dual variables; the cost is ½Σλ_i y_i.
    pub multipliers: Vec<T>,
}

/// Violations of the optimality conditions: all 0 exactly for the minimisers (|·|: of F_Abs).
#[derive(Debug, Clone, PartialEq)]
pub struct Defects<T> {
    /// Largest jump of h or h', or coefficient of h'' outside [−c, c].
    pub smoothness: T,
    /// ∫(4W h''(t) − Σλ_i|x_i − t|)² dt over [−c, c].
    pub curvature: T,
    /// |4w_S S − Σλ_i x_i|; for |·| |S|/2, or |Σλ_i x_i| where S = 0 is dropped.
    pub slopes: T,
    /// |4w_Q Q + Σλ_i|; for |·| |Q|/2, or |Σλ_i| where Q = 0 is dropped.
    pub offset: T,
    /// Largest |h(x_i) − y_i|.
    pub data: T,
}

impl<T: Scalar> RepresentationCost<T> {
    /// ReLU: w_S = 1, w_Q = 1/Var B = 3/c².
    pub fn relu(half_width: T) -> Self {
        let offset_weight = T::integer(3) / (half_width.clone() * &half_width);
        let activation = Activation::Relu;
        Self {
            activation,
            half_width,
            slopes_weight: T::one(),
            offset_weight,
        }
    }

    /// |·| with φ(z) = z², under S = Q = 0.
    pub fn abs(half_width: T) -> Self {
        let (slopes_weight, offset_weight) = (T::one(), T::one());
        Self {
            activation: Activation::Abs,
            half_width,
            slopes_weight,
            offset_weight,
        }
    }

    /// S = h'(+∞) + h'(−∞) and Q = ∫h''|x| dx − 2h(0) of h with h'' supported in [−c, c].
    pub fn side_functionals(&self, h: &PiecewisePolynomial<T>) -> (T, T) {
        let slope = h.derivative();
        let ends = [&slope.pieces[0], &slope.pieces[slope.pieces.len() - 1]];
        let s = ends
            .into_iter()
            .filter_map(|end| end.first())
            .fold(T::zero(), |s, a| s + a);
        let moment = slope
            .derivative()
            .product(&PiecewisePolynomial::absolute(&T::zero()));
        (
            s,
            self.over_support(&moment) - T::integer(2) * h.value(&T::zero()),
        )
    }

    /// G₁, G₂ and G₃ of h.
    ///
    /// # Errors
    /// [`Error::Data`] where the cost is infinite: h or h' jumps, or h'' ≠ 0 outside [−c, c].
    pub fn terms(&self, h: &PiecewisePolynomial<T>) -> Result<Terms<T>> {
        let defect = self.smoothness_defect(h);
        if defect > T::roundoff() * h.largest_coefficient() {
            let what = format!("infinite cost: smoothness violated by {defect}");
            return Err(refusal(what, "give h in C¹ with h'' = 0 beyond the biases"));
        }
        let bend = h.derivative().derivative();
        let (s, q) = self.side_functionals(h);
        Ok(Terms {
            curvature: self.curvature_weight() * self.over_support(&bend.product(&bend)),
            slopes: s.clone() * s * &self.slopes_weight,
            offset: q.clone() * q * &self.offset_weight,
        })
    }

    /// The h of least cost with h(x_i) = y_i: O(m³). Unique if both weights are positive. In `f64`
    /// points less than about 1e-4 c apart are too close: the condition number grows like the
    /// inverse cube of the spacing.
    ///
    /// # Errors
    /// [`Error::NotInterpolable`] where no h of finite cost passes through the data (in `f64`: up
    /// to round-off); [`Error::Data`] for lists of different length or c ≤ 0.
    pub fn minimizer(&self, x: &[T], y: &[T]) -> Result<Minimizer<T>> {
        let (c, m) = (&self.half_width, x.len());
        if m != y.len() || !c.is_positive() {
            let what = format!("{m} abscissae, {} ordinates, biases up to {c}", y.len());
            return Err(refusal(
                what,
                "give one y for each x, and biases up to c > 0",
            ));
        }
        // Unknowns c²λ_i, A and cB: in units of c pivots are comparable.
        let square = c.clone() * c;
        let weight = T::integer(8) * self.curvature_weight() * &square;
        let kinks: Vec<_> = x.iter().map(PiecewisePolynomial::absolute).collect();
        let (slopes, own_slope) = self.side_condition(&self.slopes_weight);
        let (offset, own_offset) = self.side_condition(&(square.clone() * &self.offset_weight));
        let mut system = vec![vec![T::zero(); m + 3]; m + 2];
        for i in 0..m {
            for j in 0..=i {
                let entry = self.over_support(&kinks[i].product(&kinks[j])) / &weight;
                (system[i][j], system[j][i]) = (entry.clone(), entry);
            }
            let unit = x[i].clone() / c;
            (system[m][i], system[m + 1][i]) = (offset.clone(), slopes.clone() * &unit);
            (system[i][m], system[i][m + 1], system[i][m + 2]) = (T::one(), unit, y[i].clone());
        }
        (system[m][m], system[m + 1][m + 1]) = (-own_offset, -own_slope);
        let solution = solve(system).ok_or_else(|| Error::NotInterpolable {
            what: "equal x with different y, or points beyond the biases that are not on a line"
                .into(),
            remedy: format!("merge equal x, or widen the biases beyond ±{c}"),
        })?;
        let multipliers: Vec<T> = solution[..m].iter().map(|v| v.clone() / &square).collect();
        let quarter = T::one() / (T::integer(4) * self.curvature_weight());
        let bend = kink_sum(x, &multipliers)
            .restricted(&-c.clone(), c)
            .scaled(&quarter);
        let curved = bend.antiderivative().antiderivative();
        let (s, q) = self.side_functionals(&curved);
        let a = q / T::integer(2) + &solution[m];
        let b = solution[m + 1].clone() / c - s / T::integer(2);
        let function = curved.sum(&PiecewisePolynomial::polynomial(vec![a, b]));
        Ok(Minimizer {
            function,
            multipliers,
        })
    }

    /// By how much h with multipliers λ violates the conditions for the minimiser through (x_i, y_i),
    /// which are sufficient because the cost is convex.
    pub fn optimality_defects(&self, x: &[T], y: &[T], minimizer: &Minimizer<T>) -> Defects<T> {
        let Minimizer {
            function: h,
            multipliers,
        } = minimizer;
        let bend = h.derivative().derivative();
        let gap = bend.scaled(&(T::integer(-4) * self.curvature_weight()));
        let gap = gap.sum(&kink_sum(x, multipliers));
        let (s, q) = self.side_functionals(h);
        let (slopes, own_slope) = self.side_condition(&self.slopes_weight);
        let (offset, own_offset) = self.side_condition(&self.offset_weight);
        let zeroth = multipliers.iter().fold(T::zero(), |sum, l| sum + l);
        let first = x
            .iter()
            .zip(multipliers)
            .fold(T::zero(), |sum, (x, l)| sum + x.clone() * l);
        Defects {
            smoothness: self.smoothness_defect(h),
            curvature: self.over_support(&gap.product(&gap)),
            slopes: (slopes * first - own_slope * s / T::integer(2)).abs(),
            offset: (offset * zeroth + own_offset * q / T::integer(2)).abs(),
            data: largest(x.iter().zip(y).map(|(x, y)| (h.value(x) - y).abs())),
        }
    }

    /// W in G₁ = W∫h''².
    fn curvature_weight(&self) -> T {
        match self.activation {
            Activation::Relu => T::integer(2) * &self.half_width,
            Activation::Abs => self.half_width.clone() / T::integer(2),
        }
    }

    /// (a, b) of the conditions a·Σλ_i x_i = b·B (weight w_S) and a·Σλ_i = b·A (weight w_Q).
    fn side_condition(&self, weight: &T) -> (T, T) {
        match self.activation {
            Activation::Relu => (T::one(), T::integer(8) * weight),
            Activation::Abs if weight.is_zero() => (T::one(), T::zero()),
            Activation::Abs => (T::zero(), T::one()),
        }
    }

    fn over_support(&self, integrand: &PiecewisePolynomial<T>) -> T {
        integrand.integral(&-self.half_width.clone(), &self.half_width)
    }

    fn smoothness_defect(&self, h: &PiecewisePolynomial<T>) -> T {
        let (c, slope) = (&self.half_width, h.derivative());
        let bend = slope.derivative();
        let outside = bend.sum(&bend.restricted(&-c.clone(), c).scaled(&-T::one()));
        largest([
            h.largest_jump(),
            slope.largest_jump(),
            outside.largest_coefficient(),
        ])
    }
}

/// U(t) = Σλ_i|x_i − t|.
fn kink_sum<T: Scalar>(x: &[T], multipliers: &[T]) -> PiecewisePolynomial<T> {
    let kinks = x.iter().zip(multipliers);
    let kinks = kinks.map(|(x, factor)| PiecewisePolynomial::absolute(x).scaled(factor));
    kinks.fold(PiecewisePolynomial::polynomial(vec![]), |sum, kink| {
        sum.sum(&kink)
    })
}

/// A solution of the square system with augmented matrix `rows` by Gauss–Jordan elimination; free
/// unknowns are 0, and `None` says that the equations contradict each other.
pub(crate) fn solve<T: Scalar>(mut rows: Vec<Vec<T>>) -> Option<Vec<T>> {
    let n = rows.len();
    let pivot_floor = T::roundoff() * largest(rows.iter().flat_map(|row| &row[..n]).map(T::abs));
    let side_floor = T::roundoff() * largest(rows.iter().map(|row| row[n].abs()));
    let mut pivots = vec![];
    for column in 0..n {
        let (rank, size) = (pivots.len(), |row: &Vec<T>| row[column].abs());
        let order = |i: &usize, j: &usize| size(&rows[*i]).partial_cmp(&size(&rows[*j]));
        let best = (rank..n).max_by(|i, j| order(i, j).unwrap_or(Equal));
        let Some(best) = best.filter(|best| size(&rows[*best]) > pivot_floor) else {
            continue;
        };
        rows.swap(rank, best);
        let pivot = rows[rank].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != rank) {
            let factor = row[column].clone() / &pivot[column];
            row.iter_mut()
                .zip(&pivot)
                .for_each(|(entry, above)| *entry -= factor.clone() * above);
        }
        pivots.push(column);
    }
    let contradiction = rows[pivots.len()..]
        .iter()
        .any(|row| row[n].abs() > side_floor);
    let mut solution = vec![T::zero(); n];
    for (row, column) in rows.iter().zip(pivots) {
        solution[column] = row[n].clone() / &row[column];
    }
    (!contradiction).then_some(solution)
}
