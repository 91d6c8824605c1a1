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
        dual::{BorderedMatrix, Expansion, Functions, Measure, Piece, Sheet},
        infinite_width::Solution,
        quadrature::Order,
    },
};

/// Round-off of a gradient entry in units of ε times the size of its terms: at most 8 operations
/// on the way of each term (u, α, weight, density, basis function, three products) and pairwise
/// few terms per entry, each correct to half an ε, with a factor 2 to spare.
const ROUNDING: f64 = 16.0;

/// Duality gap, residual and error bound of a computed minimiser; all absolute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Certificate {
    /// |E φ(α) − (λᵀy − E φ*(λᵀF))| = |λᵀ(E\[αF\] − y)|.
    pub duality_gap: f64,
    /// max_i |E\[αF_i\] − y_i|.
    pub interpolation_residual: f64,
    /// Bound on sup |h − h̄| over [−1.5, 1.5]·max|x_i|; infinite where the residual is too large for
    /// the derivation.
    pub sup_error_bound: f64,
}

/// Certifies a solution of the infinite-width problem.
pub fn certify(solution: &Solution) -> Certificate {
    let (basis, q) = (solution.basis(), solution.coordinates());
    let (gradient, uncertain) = gradient(solution);
    let gap: f64 = gradient.iter().zip(q).map(|(r, q)| r * q).sum();
    let residual = basis.data_residual(&gradient);
    Certificate {
        duality_gap: gap.abs(),
        interpolation_residual: residual.iter().fold(0.0, |a, r| a.max(r.abs())),
        sup_error_bound: sup_error_bound(solution, &gradient, &uncertain).unwrap_or(f64::INFINITY),
    }
}

/// The dual's gradient and what it may be off by, entry by entry.
fn gradient(solution: &Solution) -> (Vec<f64>, Vec<f64>) {
    if solution.is_precise() {
        let Expansion { gradient, magnitude, .. } = solution.expansion();
        let uncertain = (magnitude.iter().zip(&gradient))
            .map(|(size, r)| closed_form::ERROR * size + f64::EPSILON * r.abs())
            .collect();
        return (gradient, uncertain);
    }
    let [base, fine] = [Order::Base, Order::Fine]
        .map(|order| Expansion::at(solution.basis(), solution.knots(order), solution.coordinates()));
    let uncertain = (base.gradient.iter().zip(&fine.gradient).zip(&fine.magnitude))
        .map(|((base, fine), size)| (fine - base).abs() + ROUNDING * f64::EPSILON * size)
        .collect();
    (fine.gradient, uncertain)
}

fn sup_error_bound(solution: &Solution, gradient: &[f64], uncertain: &[f64]) -> Option<f64> {
    let data = solution.setting().dataset.largest_value();
    let range = ends(solution);
    let evaluation = (0..=solution.basis().len())
        .map(|interval| evaluation_error(solution, interval, range, data))
        .fold(0.0, f64::max);
    // Each gives a bound; which is the least depends on how large the residual is.
    [1.125, 2.0, 8.0]
        .into_iter()
        .filter_map(|ratio| Tube::new(solution, gradient, uncertain, ratio))
        .map(|tube| tube.radius * tube.local_kernel_norm(solution).sqrt() + evaluation)
        .reduce(f64::min)
}

/// A piece of the knots and what is known of (φ*)'' on it along the path of data.
struct Section {
    piece: Piece,
    /// Bounds on |u_s − û| at both ends; in between, the chord is one.
    deviation: [f64; 2],
    /// The parts on which (φ*)'' changes by at most the tube's ratio.
    steady: Vec<Piece>,
    /// The part around û = 0 on which it may change by more.
    rest: Option<Piece>,
}

/// Bounds on u along the whole path of data (proofs.md, "The certificate").
struct Tube {
    sections: Vec<Section>,
    ratio: f64,
    /// Bound on √(E[φ''(α) (dα/ds)²]).
    radius: f64,
}

impl Tube {
    /// Widens the tube until the path cannot leave it.
    fn new(solution: &Solution, gradient: &[f64], uncertain: &[f64], ratio: f64) -> Option<Self> {
        const ROUNDS: usize = 40;
        let basis = solution.basis();
        let pieces = solution.knots(Order::Fine).pieces();
        let ends: Vec<[Functions; 2]> = pieces
            .iter()
            .map(|piece| {
                [piece.left, piece.right].map(|c| basis.functions(piece.interval, piece.sheet, c))
            })
            .collect();
        let mut deviations = vec![[0.0; 2]; pieces.len()];
        for _ in 0..ROUNDS {
            let sections: Vec<Section> = pieces
                .iter()
                .zip(&deviations)
                .map(|(&piece, &deviation)| Section::new(solution, piece, deviation, ratio))
                .collect();
            let mut hessian = BorderedMatrix::zero(basis.len());
            for part in sections.iter().flat_map(|section| &section.steady) {
                let [left, right] =
                    [part.left, part.right].map(|c| basis.functions(part.interval, part.sheet, c));
                let indices = basis.indices(part.interval);
                hessian.add_moments(indices, [&left, &right], solution.moments(part).second);
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
            for ((piece, ends), deviations) in pieces.iter().zip(&ends).zip(&mut deviations) {
                let indices = basis.indices(piece.interval);
                for (f, deviation) in ends.iter().zip(deviations) {
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
                    sections,
                    ratio,
                    radius,
                });
            }
        }
        None
    }

    /// Bound on E[G² (φ*)''(u_s)] over the path, G linear on each part of a piece: its values.
    fn square(
        &self,
        solution: &Solution,
        section: &Section,
        cut: f64,
        g: &dyn Fn(f64) -> f64,
    ) -> f64 {
        if section.deviation == [0.0; 2] {
            return 0.0; // F = 0: neurons of ReLU that no data point activates do not move
        }
        let ends = |part: &Piece| [part.left, part.right].map(g);
        let mut sum = 0.0;
        for part in section
            .steady
            .iter()
            .flat_map(|part| part.split(&[cut]).collect::<Vec<_>>())
        {
            let [l, r] = ends(&part);
            let [ll, lr, rr] = solution.moments(&part).second;
            sum += self.ratio * (l * l * ll + 2.0 * l * r * lr + r * r * rr);
        }
        for part in section
            .rest
            .iter()
            .flat_map(|part| part.split(&[cut]).collect::<Vec<_>>())
        {
            let [l, r] = ends(&part);
            sum += l.abs().max(r.abs()).powi(2) * section.largest_mass(solution, &part);
        }
        sum
    }
}

impl Section {
    fn new(solution: &Solution, piece: Piece, deviation: [f64; 2], ratio: f64) -> Self {
        let potential = solution.setting().limit_potential();
        // Where |û| > kΔ, u_s/û is within [1 − 1/k, 1 + 1/k].
        let stretch = ratio.powf(potential.elasticity().recip());
        let least = stretch / (stretch - 1.0);
        let u = solution.dual_at_ends(&piece);
        let (from, to) = if deviation[0].max(deviation[1]) <= potential.stability_radius(ratio) {
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
        Self {
            piece,
            deviation,
            steady: [part(piece.left, from), part(to, piece.right)]
                .into_iter()
                .flatten()
                .collect(),
            rest: part(from, to),
        }
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
            _ => potential.conjugate_hessian(0.0),
        };
        let [a, b] = solution.dual_at_ends(&self.piece);
        let slope = ((b - a).abs() - before - after) / (self.piece.right - self.piece.left);
        let over_slope = if slope > 0.0 {
            2.0 * potential.inverse_mirror_map(largest) / slope
        } else {
            f64::INFINITY
        };
        let density = [part.left, part.right].map(|c| knots.density(part.sheet, c));
        density[0].max(density[1]) * over_slope.min(length * greatest)
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

/// Ends of the interval over which errors are bounded.
fn ends(solution: &Solution) -> [f64; 2] {
    let end = 1.5 * solution.setting().dataset.largest_input();
    [-end, end]
}

/// Round-off and quadrature error of the evaluation of h at the middle of an interval.
fn evaluation_error(solution: &Solution, interval: usize, [low, high]: [f64; 2], data: f64) -> f64 {
    let x = solution.basis().x();
    let left = if interval == 0 { low } else { x[interval - 1] };
    let right = x.get(interval).copied().unwrap_or(high);
    let middle = (left + right) / 2.0;
    let value = solution.value(middle);
    (value - solution.value_with(Order::Base, middle)).abs()
        + ROUNDING * f64::EPSILON * value.abs().max(data)
}

impl Tube {
    /// Bound on sup over x and the path of E[G_x² (φ*)''(u_s)], G_x the kernel with
    /// h(x) = (chord of the data) − E[α G_x].
    fn local_kernel_norm(&self, solution: &Solution) -> f64 {
        let basis = solution.basis();
        let (x, m) = (basis.x(), basis.len());
        let jump = |piece: &Piece| if piece.sheet == Sheet::Both { 2.0 } else { 1.0 };
        let norm =
            |keep: &dyn Fn(usize) -> bool, cut: f64, g: &dyn Fn(&Piece, f64) -> f64| -> f64 {
                let kept = self
                    .sections
                    .iter()
                    .filter(|section| keep(section.piece.interval));
                kept.map(|section| self.square(solution, section, cut, &|c| g(&section.piece, c)))
                    .sum()
            };
        let outside = ends(solution).into_iter().map(|end| {
            if m == 1 {
                return norm(&|_| true, end, &|piece, c| piece.sheet.feature(end, c));
            }
            // Left of x_1 or right of x_m: the first or last interval gives the slope at the edge.
            let (inner, outer, edge, beyond) = if end < x[0] {
                (1, 0, x[0], x[1])
            } else if end > x[m - 1] {
                (m - 1, m, x[m - 1], x[m - 2])
            } else {
                return 0.0;
            };
            norm(
                &|interval| interval == inner || interval == outer,
                end,
                &|piece, c| {
                    let kernel = if piece.interval == inner {
                        (c - beyond) / (edge - beyond) * (end - edge)
                    } else if (c - edge) / (end - edge) < 1.0 {
                        end - c
                    } else {
                        0.0
                    };
                    kernel * jump(piece)
                },
            )
        });
        // Between x_j and x_{j+1} the kernel's largest value is a quarter of the distance.
        let mut inside = vec![0.0; m + 1];
        for section in &self.sections {
            let Piece { interval, .. } = section.piece;
            if (1..m).contains(&interval) {
                let largest = jump(&section.piece) * (x[interval] - x[interval - 1]) / 4.0;
                inside[interval] += self.square(solution, section, f64::INFINITY, &|_| largest);
            }
        }
        outside.chain(inside).fold(0.0, f64::max)
    }
}
