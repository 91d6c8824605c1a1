//! What a computed minimiser is worth: gap, residual, and a bound on sup |h − h̄|.
//!
//! The bound (proofs.md, "The certificate") is *linear* in the residual r of the dual's gradient.
//! Along the path of data from the attained to the wanted values, ‖α̂ − α‖ in the metric φ'' is at
//! most Rν with ν² = rᵀH⁻¹r, as long as (φ*)'' changes by no more than a factor R; that is checked
//! with the potential's stability radius. h is evaluated locally, so only the local part of α counts.

use crate::solver::{
    dual::{Expansion, Measure, Piece, Sheet},
    infinite_width::Solution,
    quadrature::Order,
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
    let base = Expansion::at(basis, solution.knots(Order::Base), q);
    let fine = Expansion::at(basis, solution.knots(Order::Fine), q);
    let gap: f64 = fine.gradient.iter().zip(q).map(|(r, q)| r * q).sum();
    let residual = basis.data_residual(&fine.gradient);
    Certificate {
        duality_gap: gap.abs(),
        interpolation_residual: residual.iter().fold(0.0, |a, r| a.max(r.abs())),
        sup_error_bound: sup_error_bound(solution, &base, &fine).unwrap_or(f64::INFINITY),
    }
}

fn sup_error_bound(solution: &Solution, base: &Expansion, fine: &Expansion) -> Option<f64> {
    let basis = solution.basis();
    let knots = solution.knots(Order::Fine);
    // √(H⁻¹)_jj; sums over these bound quadratic forms of H⁻¹ by the triangle inequality.
    let spread: Vec<f64> = fine
        .hessian
        .factor(0.0)?
        .inverse_diagonal()
        .iter()
        .map(|d| d.max(0.0).sqrt())
        .collect();
    let decrement: f64 = (0..basis.len())
        .map(|j| {
            let quadrature = (fine.gradient[j] - base.gradient[j]).abs();
            let rounding = ROUNDING * f64::EPSILON * fine.magnitude[j];
            spread[j] * (fine.gradient[j].abs() + quadrature + rounding)
        })
        .sum();
    let reach = knots
        .pieces()
        .iter()
        .flat_map(|piece| [(piece, piece.left), (piece, piece.right)])
        .map(|(piece, c)| {
            let functions = basis.functions(piece.interval, piece.sheet, c);
            let indices = basis.indices(piece.interval);
            (0..4)
                .map(|s| functions[s].abs() * spread[indices[s]])
                .sum()
        })
        .fold(0.0, f64::max);
    // The least factor R by which (φ*)'' may change so that it does not change by more.
    let potential = solution.setting().limit_potential();
    let factor = (1..=12)
        .map(|k| f64::from(1 << k))
        .find(|&factor| factor * decrement * reach <= potential.stability_radius(factor))?;
    let evaluation = (0..=basis.len())
        .map(|interval| evaluation_error(solution, interval))
        .fold(0.0, f64::max);
    Some(factor * decrement * local_kernel_norm(solution).sqrt() + evaluation)
}

/// Ends of the interval over which errors are bounded.
fn ends(solution: &Solution) -> [f64; 2] {
    let end = 1.5 * solution.setting().dataset.largest_input();
    [-end, end]
}

/// Round-off and quadrature error of the evaluation of h at the middle of an interval.
fn evaluation_error(solution: &Solution, interval: usize) -> f64 {
    let x = solution.basis().x();
    let [low, high] = ends(solution);
    let left = if interval == 0 { low } else { x[interval - 1] };
    let right = x.get(interval).copied().unwrap_or(high);
    let middle = (left + right) / 2.0;
    let value = solution.value(middle);
    let data = solution.setting().dataset.largest_value();
    (value - solution.value_with(Order::Base, middle)).abs()
        + ROUNDING * f64::EPSILON * value.abs().max(data)
}

/// sup over x of E[G_x² (φ*)''], G_x the kernel with h(x) = (chord of the data) − E[α G_x].
fn local_kernel_norm(solution: &Solution) -> f64 {
    let basis = solution.basis();
    let (x, m) = (basis.x(), basis.len());
    // ∫ g² (φ*)'' over the pieces, g linear on each.
    let norm = |keep: &dyn Fn(&Piece) -> bool, cut: f64, g: &dyn Fn(&Piece, f64) -> f64| -> f64 {
        let mut sum = 0.0;
        for piece in solution
            .knots(Order::Fine)
            .pieces()
            .iter()
            .filter(|piece| keep(piece))
        {
            for part in piece.split(&[cut]) {
                let [l, r] = [part.left, part.right].map(|c| g(&part, c));
                let [ll, lr, rr] = solution.moments(&part).second;
                sum += l * l * ll + 2.0 * l * r * lr + r * r * rr;
            }
        }
        sum
    };
    let jump = |piece: &Piece| if piece.sheet == Sheet::Both { 2.0 } else { 1.0 };
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
            &|piece| piece.interval == inner || piece.interval == outer,
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
    for piece in solution.knots(Order::Fine).pieces() {
        if (1..m).contains(&piece.interval) {
            let largest = jump(piece) * (x[piece.interval] - x[piece.interval - 1]) / 4.0;
            let [ll, lr, rr] = solution.moments(piece).second;
            inside[piece.interval] += largest * largest * (ll + 2.0 * lr + rr);
        }
    }
    outside.chain(inside).fold(0.0, f64::max)
}
