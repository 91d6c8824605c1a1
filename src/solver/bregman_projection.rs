//! t → ∞ at finite width, output weights only: the Bregman projection
//!
//! ```text
//! minimise (1/n) Σ_k φ_n(α_k)   subject to   (1/n) Σ_k α_k F_k = y − f(x, θ̂),   α_k = n(a_k − â_k)
//! ```
//!
//! onto the interpolating networks. The same dual as at infinite width, with the expectation over
//! the n initial neurons; knots are sorted once, after which a Newton step costs O(n + m).

use ndarray::Array1;

use super::{
    dual::{self, LocalBasis, Measure, Moments, Piece, Sheet},
    interpolation,
};
use crate::{
    Error, Result,
    setting::{Activation, Network, Potential, Setting},
};

/// Neurons sorted by sheet and knot.
#[derive(Debug, Clone)]
struct Neurons {
    potential: Potential,
    pieces: Vec<Piece>,
    /// Where the neurons of each piece begin in `knots`; one entry more than pieces.
    starts: Vec<usize>,
    knots: Vec<f64>,
    /// 1/n.
    weight: f64,
}

impl Neurons {
    fn positions(&self, piece: usize) -> impl Iterator<Item = f64> + '_ {
        let Piece { left, right, .. } = self.pieces[piece];
        let length = right - left;
        self.knots[self.starts[piece]..self.starts[piece + 1]]
            .iter()
            .map(move |c| {
                if length > 0.0 {
                    (c - left) / length
                } else {
                    0.0
                }
            })
    }
}

impl Measure for Neurons {
    fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    fn potential(&self) -> &Potential {
        &self.potential
    }

    fn moments(&self, piece: usize, u: [f64; 2]) -> Moments {
        let mut moments = Moments::default();
        for t in self.positions(piece) {
            let alpha = self
                .potential
                .inverse_mirror_map(u[0] * (1.0 - t) + u[1] * t);
            let hessian = 1.0 / self.potential.hessian(alpha);
            moments.add(t, self.weight, alpha, hessian);
        }
        moments
    }
}

/// The projection of an initial network.
#[derive(Debug, Clone)]
pub struct Projection {
    /// α_k = n(a_k − â_k), in the order of the network.
    pub alpha: Array1<f64>,
    /// The network with its output weights moved by α/n.
    pub network: Network,
    /// λ, in the order of the data file.
    pub multipliers: Vec<f64>,
    /// Newton steps to a relative residual of 10⁻¹⁰.
    pub iterations: usize,
    /// Largest |f(x_i) − y_i| over the data.
    pub residual: f64,
}

/// Projects an initial network (inner weights ±1) onto the networks that interpolate the data.
///
/// # Errors
/// [`Error::Data`] where an inner weight is not ±1; [`Error::NotInterpolable`] where the neurons'
/// features do not span the data; [`Error::NotConverged`].
pub fn project(setting: &Setting, initial: &Network) -> Result<Projection> {
    let n = initial.width();
    if let Some(k) = initial.w.iter().position(|w| w.abs() != 1.0) {
        return Err(Error::Data {
            place: format!("w[{k}]"),
            what: format!("inner weight {} of the initial network", initial.w[k]),
            remedy: "the projection wants initial inner weights of +1 or -1".into(),
        });
    }
    let data = &setting.dataset;
    let target = data
        .x()
        .iter()
        .zip(data.y())
        .map(|(&x, y)| y - initial.output(setting.activation, x))
        .collect();
    let data = data.with_values(target)?;
    let spread = setting.bias.second_moment().sqrt();
    let basis = LocalBasis::new(&data, setting.activation, spread);

    let knots = &initial.w * &initial.b;
    let sheet = |k: usize| match setting.activation {
        Activation::Abs => Sheet::Both,
        Activation::Relu if initial.w[k] > 0.0 => Sheet::Plus,
        Activation::Relu => Sheet::Minus,
    };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_unstable_by(|&i, &j| {
        (sheet(i) as u8)
            .cmp(&(sheet(j) as u8))
            .then(knots[i].total_cmp(&knots[j]))
    });
    let sorted: Vec<f64> = order.iter().map(|&k| knots[k]).collect();
    if setting.activation == Activation::Abs {
        interpolation::knots_reach_data(&data, &sorted)?;
    }
    let neurons = arcs(&basis, setting, &order, sorted, sheet);
    let solution = dual::minimize("the finite-width dual", &basis, &neurons)?;

    let mut alpha = Array1::zeros(n);
    for (number, piece) in neurons.pieces.iter().enumerate() {
        let [l, r] = [piece.left, piece.right]
            .map(|c| basis.dual_function(&solution.q, piece.interval, piece.sheet, c));
        for (t, &k) in neurons
            .positions(number)
            .zip(&order[neurons.starts[number]..])
        {
            alpha[k] = neurons.potential.inverse_mirror_map(l * (1.0 - t) + r * t);
        }
    }
    let mut network = initial.clone();
    network.a.scaled_add(1.0 / n as f64, &alpha);
    let gradient = dual::Expansion::at(&basis, &neurons, &solution.q).gradient;
    let residual = basis.data_residual(&gradient);
    Ok(Projection {
        alpha,
        network,
        multipliers: data.in_file_order(&basis.multipliers(&solution.q)),
        iterations: solution.iterations,
        residual: residual.iter().fold(0.0, |a, r| a.max(r.abs())),
    })
}

/// Cuts the sorted neurons into one piece per sheet and interval that holds any.
fn arcs(
    basis: &LocalBasis,
    setting: &Setting,
    order: &[usize],
    knots: Vec<f64>,
    sheet: impl Fn(usize) -> Sheet,
) -> Neurons {
    let (x, n) = (basis.x(), knots.len());
    let (mut pieces, mut starts, mut from) = (Vec::new(), Vec::new(), 0);
    for &on in Sheet::of(setting.activation) {
        let end = order.partition_point(|&k| sheet(k) as u8 <= on as u8);
        for interval in 0..=x.len() {
            let inside = |c: &f64| x.get(interval).is_none_or(|x| c < x);
            let to = from + knots[from..end].partition_point(inside);
            if from < to {
                pieces.push(Piece {
                    interval,
                    sheet: on,
                    left: if interval > 0 {
                        x[interval - 1]
                    } else {
                        knots[from]
                    },
                    right: x.get(interval).copied().unwrap_or(knots[to - 1]),
                });
                starts.push(from);
                from = to;
            }
        }
    }
    starts.push(n);
    Neurons {
        potential: setting.potential_at_width(n),
        pieces,
        starts,
        knots,
        weight: 1.0 / n as f64,
    }
}
