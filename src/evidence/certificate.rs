//! What a computed minimiser is worth: gap, residual, and a bound on sup |h − h̄|.
//!
//! The bound (proofs.md, "The certificate") is *linear* in the residual r of the dual's gradient.
//! Along the path of data from the attained to the wanted values, ‖α̂ − α‖ in the metric φ'' is at
//! most √R ν with ν² = rᵀĤ⁻¹r, Ĥ being the part of the Newton matrix on which (φ*)'' changes by no
//! more than a factor R. A tube around λᵀF that the path cannot leave says which part that is. h is
//! evaluated locally, so only the local part of α counts.

use crate::{
    setting::Family,
    solver::{
        closed_form,
        dual::{self, BorderedMatrix, Expansion, Measure, Piece, Sheet},
        infinite_width::Solution,
        quadrature::Order,
    },
};

/// Round-off of a gradient entry in units of ε times the size of its terms: at most 8 operations
/// on the way of each term (u, α, weight, density, basis function, three products) and pairwise
/// few terms per entry, each correct to half an ε, with a factor 2 to spare.
const ROUNDING: f64 = 16.0;

/// Duality gap, residual and error bounds of a computed minimiser; all absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// |E φ(α) − (λᵀy − E φ*(λᵀF))| = |λᵀ(E\[αF\] − y)|.
    pub duality_gap: f64,
    /// max_i |E\[αF_i\] − y_i|.
    pub interpolation_residual: f64,
    /// Bound on sup |h − h̄| over [−1.5, 1.5]·max|x_i|: the largest of the local ones.
    pub sup_error_bound: f64,
    /// Bounds on sup |h − h̄| left of x_1, between neighbouring data and right of x_m (of the points
    /// that [`Solution::basis`] holds), within that range; infinite where the residual is too large
    /// for the derivation.
    pub local_error_bounds: Vec<f64>,
}

/// Certifies a solution of the infinite-width problem.
pub fn certify(solution: &Solution) -> Certificate {
    let (basis, q) = (solution.basis(), solution.coordinates());
    let (gradient, uncertain) = gradient(solution);
    let gap: f64 = gradient.iter().zip(q).map(|(r, q)| r * q).sum();
    let residual = basis.data_residual(&gradient);
    // The smaller the ratio the sharper the bound, and the smaller the residual must be.
    let local_error_bounds = [1.125, 2.0, 8.0]
        .into_iter()
        .find_map(|ratio| Tube::new(solution, &gradient, &uncertain, ratio))
        .map_or_else(
            || vec![f64::INFINITY; basis.len() + 1],
            |tube| tube.error_bounds(),
        );
    Certificate {
        duality_gap: gap.abs(),
        interpolation_residual: largest(&residual),
        sup_error_bound: largest(&local_error_bounds),
        local_error_bounds,
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |a, r| a.max(r.abs()))
}

/// The dual's gradient and what it may be off by, entry by entry.
fn gradient(solution: &Solution) -> (Vec<f64>, Vec<f64>) {
    if solution.is_precise() {
        let Expansion {
            gradient,
            magnitude,
            ..
        } = solution.expansion();
        let uncertain = (magnitude.iter().zip(&gradient))
            .map(|(size, r)| closed_form::ERROR * size + f64::EPSILON * r.abs())
            .collect();
        return (gradient, uncertain);
    }
    let [base, fine] = [Order::Base, Order::Fine].map(|order| {
        Expansion::at(
            solution.basis(),
            solution.knots(order),
            solution.coordinates(),
        )
    });
    let uncertain = (base
        .gradient
        .iter()
        .zip(&fine.gradient)
        .zip(&fine.magnitude))
    .map(|((base, fine), size)| (fine - base).abs() + ROUNDING * f64::EPSILON * size)
    .collect();
    (fine.gradient, uncertain)
}

/// A piece of the knots and what is known of (φ*)'' on it along the path of data.
struct Section {
    piece: Piece,
    /// û at both ends.
    u: [f64; 2],
    /// Bounds on |u_s − û| at both ends; in between, the chord is one.
    deviation: [f64; 2],
    /// ∫ (φ*)''(û) against (1 − t)², (1 − t)t and t² over the piece.
    second: [f64; 3],
    /// The parts on which (φ*)'' changes by at most the tube's ratio; all of the piece where `rest` is none.
    steady: [Option<Piece>; 2],
    /// The part around û = 0 on which it may change by more.
    rest: Option<Piece>,
}

/// Bounds on u along the whole path of data (proofs.md, "The certificate").
struct Tube<'a> {
    solution: &'a Solution,
    sections: Vec<Section>,
    ratio: f64,
    /// Bound on √(E[φ''(α) (dα/ds)²]).
    radius: f64,
}

impl<'a> Tube<'a> {
    /// Widens the tube until the path cannot leave it.
    fn new(
        solution: &'a Solution,
        gradient: &[f64],
        uncertain: &[f64],
        ratio: f64,
    ) -> Option<Self> {
        const ROUNDS: usize = 40;
        let basis = solution.basis();
        let potential = solution.setting().limit_potential();
        let pieces = solution.knots(Order::Fine).pieces();
        let functions = |piece: &Piece| {
            [piece.left, piece.right].map(|c| basis.functions(piece.interval, piece.sheet, c))
        };
        // Where |û| > kΔ, u_s/û is within [1 − 1/k, 1 + 1/k].
        let stretch = ratio.powf(potential.elasticity().recip());
        let least = stretch / (stretch - 1.0);
        let stable = potential.stability_radius(ratio);
        let mut sections = dual::for_pieces(pieces.len(), |k| Section::new(solution, pieces[k]));
        for _ in 0..ROUNDS {
            let mut hessian = BorderedMatrix::zero(basis.len());
            for section in &mut sections {
                section.divide(stable, least);
                let indices = basis.indices(section.piece.interval);
                if section.rest.is_none() {
                    let [left, right] = functions(&section.piece);
                    hessian.add_moments(indices, [&left, &right], section.second);
                    continue;
                }
                for part in section.steady.iter().flatten() {
                    let [left, right] = functions(part);
                    hessian.add_moments(indices, [&left, &right], solution.moments(part).second);
                }
            }
            let factored = hessian.factor(0.0)?;
            let known: f64 = factored
                .solve(gradient)
                .iter()
                .zip(gradient)
                .map(|(a, b)| a * b)
                .sum();
            let radius = ratio.sqrt() * (known.max(0.0).sqrt() + factored.largest_norm(uncertain));
            let inner = factored.inner_inverse_diagonal();
            if !radius.is_finite() {
                return None;
            }
            let mut inside = true;
            for section in &mut sections {
                let indices = basis.indices(section.piece.interval);
                for (f, deviation) in functions(&section.piece).iter().zip(&mut section.deviation) {
                    let reach = factored.quadratic_form(&inner, indices, f).max(0.0).sqrt();
                    let needed = ratio.sqrt() * radius * reach;
                    if needed > *deviation {
                        inside = false;
                        *deviation = 1.2 * needed;
                    }
                }
            }
            if inside {
                return Some(Self {
                    solution,
                    sections,
                    ratio,
                    radius,
                });
            }
        }
        None
    }

    /// Bound on E[G² (φ*)''(u_s)] over the path and a piece, G linear on each part of it that `cut`
    /// leaves: its values.
    fn square(&self, section: &Section, cut: f64, g: &dyn Fn(f64) -> f64) -> f64 {
        if section.deviation == [0.0; 2] {
            return 0.0; // F = 0: neurons of ReLU that no data point activates do not move
        }
        let Section { piece, rest, .. } = section;
        let ends = |part: &Piece| [part.left, part.right].map(g);
        let steady = |[l, r]: [f64; 2], [ll, lr, rr]: [f64; 3]| {
            self.ratio * (l * l * ll + 2.0 * l * r * lr + r * r * rr)
        };
        if rest.is_none() && !(piece.left < cut && cut < piece.right) {
            return steady(ends(piece), section.second);
        }
        let mut sum = 0.0;
        for part in section.steady.iter().flatten() {
            for part in part.split(&[cut]) {
                sum += steady(ends(&part), self.solution.moments(&part).second);
            }
        }
        for part in rest
            .iter()
            .flat_map(|rest| rest.split(&[cut]).collect::<Vec<_>>())
        {
            let [l, r] = ends(&part);
            sum += l.abs().max(r.abs()).powi(2) * section.largest_mass(self.solution, &part);
        }
        sum
    }
}

impl Section {
    fn new(solution: &Solution, piece: Piece) -> Self {
        Self {
            piece,
            u: solution.dual_at_ends(&piece),
            deviation: [0.0; 2],
            second: solution.moments(&piece).second,
            steady: [None; 2],
            rest: None,
        }
    }

    /// Parts what is steady from the rest: it is where Δ ≤ `stable` or |û| > `least`·Δ.
    fn divide(&mut self, stable: f64, least: f64) {
        let Self {
            piece,
            u,
            deviation,
            ..
        } = *self;
        let (from, to) = if deviation[0].max(deviation[1]) <= stable {
            (piece.left, piece.left)
        } else if least.is_finite() {
            let [above, below] = [-1.0, 1.0].map(|sign| {
                let [l, r] = [0, 1].map(|end| least * deviation[end] + sign * u[end]);
                positive(l, r)
            });
            let knot = |t: f64| match t {
                1.0 => piece.right,
                _ => piece.left * (1.0 - t) + piece.right * t,
            };
            let (from, to) = (above[0].max(below[0]), above[1].min(below[1]));
            (knot(from), knot(to).max(knot(from)))
        } else {
            (piece.left, piece.right)
        };
        let part = |left: f64, right: f64| {
            (left < right).then_some(Piece {
                left,
                right,
                ..piece
            })
        };
        self.steady = [part(piece.left, from), part(to, piece.right)];
        self.rest = part(from, to);
    }

    /// Bound on ∫ (φ*)''(u_s) over a part of the rest: its length times the greatest (φ*)'', or,
    /// as u_s is linear, what α can change by over the least slope of u_s.
    fn largest_mass(&self, solution: &Solution, part: &Piece) -> f64 {
        let potential = solution.setting().limit_potential();
        let knots = solution.knots(Order::Fine);
        let length = part.right - part.left;
        let [left, right] = solution.dual_at_ends(part);
        let [before, after] = self.deviation;
        let largest = left.abs().max(right.abs()) + before.max(after);
        let greatest = match potential.family() {
            Family::Hypentropy { .. } => potential.conjugate_hessian(largest),
            // φ'' may be least anywhere.
            Family::Own(_) => f64::INFINITY,
            _ => potential.conjugate_hessian(0.0),
        };
        let [a, b] = self.u;
        let slope = ((b - a).abs() - before - after) / (self.piece.right - self.piece.left);
        let over_slope = if slope > 0.0 {
            2.0 * potential.inverse_mirror_map(largest) / slope
        } else {
            f64::INFINITY
        };
        let density = [part.left, part.right].map(|c| knots.density(part.sheet, c));
        density[0].max(density[1]) * over_slope.min(length * greatest)
    }

    /// Bound on ∫ |α| over the piece: α and the density are monotone.
    fn largest_change(&self, solution: &Solution) -> f64 {
        let (piece, potential) = (&self.piece, solution.setting().limit_potential());
        let alpha = self.u.map(|u| potential.inverse_mirror_map(u).abs());
        let density = |c: f64| solution.knots(Order::Fine).density(piece.sheet, c);
        let [left, right] = [piece.left, piece.right].map(density);
        alpha[0].max(alpha[1]) * left.max(right) * (piece.right - piece.left)
    }
}

/// Where on [0, 1] the linear function with these end values is positive; [0, 0] if nowhere.
fn positive(left: f64, right: f64) -> [f64; 2] {
    let root = left / (left - right);
    match (left > 0.0, right > 0.0) {
        (true, true) => [0.0, 1.0],
        (true, false) => [0.0, root],
        (false, true) => [root, 1.0],
        (false, false) => [0.0, 0.0],
    }
}

/// What the jump of σ' makes of α in h'': 2 for |·|, 1 for ReLU.
fn jump(piece: &Piece) -> f64 {
    if piece.sheet == Sheet::Both { 2.0 } else { 1.0 }
}

impl Tube<'_> {
    /// [`Certificate::local_error_bounds`]: √R ν times the norm of the kernel G_x with h(x) = (chord of
    /// the data) − E[α G_x], and the error of h's evaluation.
    fn error_bounds(&self) -> Vec<f64> {
        let (basis, data) = (self.solution.basis(), &self.solution.setting().dataset);
        let (x, y, m) = (basis.x(), basis.y(), basis.len());
        let end = 1.5 * data.largest_input();
        // For each interval: bounds on E[(φ*)''(u_s)] G² where that is inside the data, and on ∫|h''|.
        let (mut square, mut curvature) = (vec![0.0; m + 1], vec![0.0; m + 1]);
        for section in &self.sections {
            let Piece { interval, .. } = section.piece;
            curvature[interval] += jump(&section.piece) * section.largest_change(self.solution);
            if (1..m).contains(&interval) {
                // The kernel's largest value is a quarter of the distance.
                let largest = jump(&section.piece) * (x[interval] - x[interval - 1]) / 4.0;
                square[interval] += self.square(section, f64::INFINITY, &|_| largest);
            }
        }
        let norm = |keep: [usize; 2], cut: f64, g: &dyn Fn(&Piece, f64) -> f64| -> f64 {
            self.sections
                .iter()
                .filter(|section| keep.contains(&section.piece.interval))
                .map(|section| self.square(section, cut, &|c| g(&section.piece, c)))
                .sum()
        };
        let mut terms = vec![0.0; m + 1];
        for (interval, end) in [(0, -end), (m, end)] {
            if m == 1 {
                square[interval] = norm([0, 1], end, &|piece, c| piece.sheet.feature(end, c));
                terms[interval] = self
                    .sections
                    .iter()
                    .map(|section| {
                        let Piece { left, right, .. } = section.piece;
                        let farthest = (end - left).abs().max((end - right).abs());
                        farthest * section.largest_change(self.solution)
                    })
                    .sum();
                continue;
            }
            // The first or last interval gives the slope at the edge.
            let (inner, edge, beyond) = if interval == 0 {
                (1, 0, 1)
            } else {
                (m - 1, m - 1, m - 2)
            };
            let reach = (end - x[edge]) / (x[edge] - x[beyond]);
            if reach <= 0.0 {
                continue; // no input lies out there
            }
            square[interval] = norm([inner, interval], end, &|piece, c| {
                let kernel = if piece.interval == inner {
                    (c - x[beyond]) * reach
                } else if (c - x[edge]) / (end - x[edge]) < 1.0 {
                    end - c
                } else {
                    0.0
                };
                kernel * jump(piece)
            });
            terms[interval] = y[edge].abs()
                + reach * (y[edge] - y[beyond]).abs()
                + (end - x[edge]).abs() * (curvature[inner] + curvature[interval]);
        }
        for i in 1..m {
            terms[i] = y[i - 1].abs() + y[i].abs() + (x[i] - x[i - 1]) / 4.0 * curvature[i];
        }
        (0..=m)
            .map(|interval| {
                let evaluation = ROUNDING * f64::EPSILON * terms[interval];
                let bound = self.radius * square[interval].sqrt()
                    + evaluation
                    + self.quadrature_error(interval);
                if bound.is_nan() { f64::INFINITY } else { bound }
            })
            .collect()
    }

    /// Difference of two orders of quadrature at the middle of an interval; 0 where both are exact.
    fn quadrature_error(&self, interval: usize) -> f64 {
        let solution = self.solution;
        if solution.knots(Order::Least).is_exact() {
            return 0.0;
        }
        let (x, end) = (
            solution.basis().x(),
            1.5 * solution.setting().dataset.largest_input(),
        );
        let left = if interval == 0 { -end } else { x[interval - 1] };
        let right = x.get(interval).copied().unwrap_or(end);
        let middle = (left + right) / 2.0;
        (solution.value(middle) - solution.value_with(Order::Base, middle)).abs()
    }
}
