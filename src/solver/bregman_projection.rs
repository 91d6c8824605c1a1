//! t → ∞ at finite width, output weights only: the Bregman projection
//!
//! ```text
//! minimise (1/n) Σ_k φ_n(α_k)   subject to   (1/n) Σ_k α_k F_k = y − f(x, θ̂),   α_k = n(a_k − â_k)
//! ```
//!
//! onto the interpolating networks. The same dual as at infinite width, with the expectation over
//! the n initial neurons; knots are sorted once, after which a Newton step costs O(n + m).

use ndarray::{Array1, Array2};
use ndarray_linalg::Solve;
use pulp::Arch;
use rayon::prelude::*;
use std::collections::HashSet;

use super::{
    double_double::DoubleDouble,
    dual::{
        self, DualSolution, Expansion, Functions, LocalBasis, Measure, Moments, Piece, Sheet, dot,
    },
    interpolation,
    mirror_flow::CONVERGED,
};
use crate::{
    Error, Result,
    setting::{Activation, Network, Potential, Setting},
};

/// Neurons that one thread adds up at a time; the sums of chunks are added in order, so that no result
/// depends on the number of threads.
const CHUNK: usize = 1 << 15;
/// Neurons of which φ* is differentiated at a time.
const BLOCK: usize = 256;
/// Sums of neurons that are formed side by side.
const LANES: usize = 8;

/// Neurons sorted by sheet and knot. Knot and number of each are all that is stored: two words a neuron.
#[derive(Debug, Clone)]
pub struct Neurons {
    potential: Potential,
    pieces: Vec<Piece>,
    /// Where the neurons of each piece begin in `sorted`; one entry more than pieces.
    starts: Vec<usize>,
    /// Knot and place in the network.
    sorted: Vec<(f64, u32)>,
    /// 1/n.
    weight: f64,
}

impl Neurons {
    /// The neurons of a piece.
    fn on(&self, piece: usize) -> &[(f64, u32)] {
        &self.sorted[self.starts[piece]..self.starts[piece + 1]]
    }

    /// Position of a knot in a piece, 0 … 1.
    fn position(&self, piece: usize) -> impl Fn(f64) -> f64 + use<> {
        let Piece { left, right, .. } = self.pieces[piece];
        let length = right - left;
        move |c| {
            if length > 0.0 {
                (c - left) / length
            } else {
                0.0
            }
        }
    }

    /// Moments over a piece of α and (φ*)'', which `values` fills in for some neurons from their positions.
    fn sum(
        &self,
        piece: usize,
        values: impl Fn(&[(f64, u32)], &[f64], &mut [f64], &mut [f64]) + Sync,
    ) -> Moments {
        let position = self.position(piece);
        let arch = Arch::new();
        let chunk = |neurons: &[(f64, u32)]| {
            let mut sums = [[0.0; LANES]; 5];
            let [mut positions, mut alpha, mut hessian] = [[0.0; BLOCK]; 3];
            for block in neurons.chunks(BLOCK) {
                let size = block.len();
                arch.dispatch(|| {
                    let places = positions.iter_mut().zip(block);
                    places.for_each(|(t, &(c, _))| *t = position(c));
                });
                values(
                    block,
                    &positions[..size],
                    &mut alpha[..size],
                    &mut hessian[..size],
                );
                // Whole lanes are added, the last filled up with nothing.
                let whole = size.next_multiple_of(LANES);
                alpha[size..whole].fill(0.0);
                hessian[size..whole].fill(0.0);
                let lanes = [&positions, &alpha, &hessian].map(|of| of[..whole].as_chunks().0);
                arch.dispatch(|| add(&mut sums, lanes));
            }
            let [left, right, ll, lr, rr] =
                sums.map(|lanes| self.weight * lanes.iter().sum::<f64>());
            Moments {
                first: [left, right],
                second: [ll, lr, rr],
            }
        };
        let neurons = self.on(piece);
        if neurons.len() <= CHUNK {
            return chunk(neurons);
        }
        let parts: Vec<Moments> = neurons.par_chunks(CHUNK).map(chunk).collect();
        let mut total = Moments::default();
        for Moments { first, second } in parts {
            total.first = [0, 1].map(|k| total.first[k] + first[k]);
            total.second = [0, 1, 2].map(|k| total.second[k] + second[k]);
        }
        total
    }
}

/// Adds t, α and (φ*)'' of neurons to the five sums of [`Moments`], whose lanes need not wait for each other.
#[inline(always)]
fn add(sums: &mut [[f64; LANES]; 5], [position, alpha, hessian]: [&[[f64; LANES]]; 3]) {
    for ((t, alpha), hessian) in position.iter().zip(alpha).zip(hessian) {
        for lane in 0..LANES {
            let (l, r, g) = (1.0 - t[lane], t[lane], hessian[lane]);
            let terms = [
                alpha[lane] * l,
                alpha[lane] * r,
                g * l * l,
                g * l * r,
                g * r * r,
            ];
            for (sum, term) in sums.iter_mut().zip(terms) {
                sum[lane] += term;
            }
        }
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
        self.sum(piece, |_, positions, alpha, hessian| {
            let mut dual = [0.0; BLOCK];
            let pairs = dual.iter_mut().zip(positions);
            pairs.for_each(|(dual, t)| *dual = u[0] * (1.0 - t) + u[1] * t);
            let dual = &dual[..positions.len()];
            self.potential.conjugate_derivatives(dual, alpha, hessian);
        })
    }
}

/// Neurons whose u is taken from coordinates in double-double: one sheet is not lost in the rounding of the other.
struct Sharp<'a>(&'a Neurons);

impl Measure for Sharp<'_> {
    fn pieces(&self) -> &[Piece] {
        &self.0.pieces
    }

    fn potential(&self) -> &Potential {
        &self.0.potential
    }

    fn moments(&self, piece: usize, u: [f64; 2]) -> Moments {
        self.0.moments(piece, u)
    }

    fn precise_first(&self, piece: usize, u: [DoubleDouble; 2]) -> Option<[DoubleDouble; 2]> {
        Some(
            self.moments(piece, u.map(DoubleDouble::high))
                .first
                .map(DoubleDouble::from),
        )
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
/// [`Error::Data`] where an inner weight is not ±1 or a multiplier overflows; [`Error::NotInterpolable`] where the neurons'
/// features do not span the data; [`Error::NotConverged`] where residuals above 10⁻¹⁰ max(1, max|y|) remain.
pub fn project(setting: &Setting, initial: &Network) -> Result<Projection> {
    let n = initial.width();
    if let Some(k) = initial.w.iter().position(|w| w.abs() != 1.0) {
        return Err(Error::Data {
            place: format!("w[{k}]"),
            what: format!("inner weight {} of the initial network", initial.w[k]),
            remedy: "the projection wants initial inner weights of +1 or -1".into(),
        });
    }
    let neurons = Neurons::new(setting, initial)?;
    let data = &setting.dataset;
    let target = (data.y().iter().zip(neurons.outputs(setting, initial)))
        .map(|(y, output)| y - output)
        .collect();
    let data = data.with_values(target)?;
    let spread = setting.bias.second_moment().sqrt();
    let basis = LocalBasis::new(&data, setting.activation, spread);
    if setting.activation == Activation::Abs {
        interpolation::knots_reach_data(&data, &neurons.counts(data.len()))?;
    }
    let allowed = CONVERGED * setting.dataset.largest_value().max(1.0);
    let fit = neurons.fit(&basis, allowed)?;

    let mut alpha = Array1::zeros(n);
    for (number, piece) in neurons.pieces.iter().enumerate() {
        let (interval, sheet) = (piece.interval, piece.sheet);
        // By the arithmetic in which the residual was taken.
        let [l, r] = [piece.left, piece.right].map(|c| match &fit.low {
            None => basis.dual_function(&fit.q, interval, sheet, c),
            Some(low) => basis.precise_dual_function([&fit.q, low], interval, sheet, c),
        });
        let position = neurons.position(number);
        for &(c, place) in neurons.on(number) {
            let t = position(c);
            alpha[place as usize] = neurons.potential.inverse_mirror_map(l * (1.0 - t) + r * t);
        }
    }
    for neuron in fit.turning {
        alpha[neuron.place as usize] = neuron.alpha;
    }
    let multipliers = data.in_file_order(&basis.multipliers(&fit.q));
    if !multipliers.iter().all(|l| l.is_finite()) {
        return Err(Error::Data {
            place: "the projection".into(),
            what: "a multiplier overflows".into(),
            remedy: "bring the data into the range of the biases, and points that almost coincide into one"
                .into(),
        });
    }
    let mut network = initial.clone();
    network.a.scaled_add(1.0 / n as f64, &alpha);
    Ok(Projection {
        alpha,
        network,
        multipliers,
        iterations: fit.iterations,
        residual: fit.residual,
    })
}

/// λ in coordinates, and what rounding wants beside them.
struct Fit {
    /// λ to the nearest double.
    q: Vec<f64>,
    /// What that leaves, in double-double.
    low: Option<Vec<f64>>,
    /// Neurons of which α does not come from λ.
    turning: Vec<Turning>,
    /// Newton steps, those in doubles.
    iterations: usize,
    /// Largest |f(x_i) − y_i|.
    residual: f64,
}

impl Fit {
    fn new(basis: &LocalBasis, solution: DualSolution) -> Self {
        Self {
            residual: largest_residual(basis, &solution.gradient),
            q: solution.q,
            low: None,
            turning: Vec::new(),
            iterations: solution.iterations,
        }
    }
}

/// A neuron near a zero of u, where (φ*)'' is so large that the rounding of u moves what the network says:
/// α is not to be had from u, and is an unknown beside λ.
#[derive(Debug, Clone)]
struct Turning {
    place: u32,
    indices: [usize; 4],
    functions: Functions,
    alpha: f64,
}

impl Turning {
    /// u = λᵀF.
    fn dual(&self, q: &[f64]) -> f64 {
        dot(&self.functions, &self.indices.map(|j| q[j]))
    }

    /// Σ|q_j F_j|, of which the rounding of u is some ε.
    fn size(&self, q: &[f64]) -> f64 {
        let terms = self.functions.iter().zip(self.indices);
        terms.map(|(f, j)| (f * q[j]).abs()).sum()
    }

    /// Adds αF to a vector in coordinates.
    fn add_to(&self, gradient: &mut [f64], alpha: f64) {
        for (index, value) in self.indices.into_iter().zip(self.functions) {
            gradient[index] += alpha * value;
        }
    }
}

/// Largest |f(x_i) − y_i| from the gradient in coordinates; NaN where one is.
fn largest_residual(basis: &LocalBasis, gradient: &[f64]) -> f64 {
    let residual = basis.data_residual(gradient).into_iter().map(f64::abs);
    residual.fold(0.0, |a, r| if r.is_nan() { r } else { f64::max(a, r) })
}

impl Neurons {
    /// Sorts the neurons of a network and cuts them into one piece per sheet and interval that holds any.
    ///
    /// # Errors
    /// [`Error::Data`] for 2³² neurons or more.
    pub fn new(setting: &Setting, initial: &Network) -> Result<Self> {
        let (x, n) = (setting.dataset.x(), initial.width());
        if u32::try_from(n).is_err() {
            return Err(Error::Data {
                place: "the initial network".into(),
                what: format!("{n} neurons"),
                remedy: "the projection takes at most 2^32 - 1".into(),
            });
        }
        let (mut pieces, mut starts, mut sorted) = (Vec::new(), Vec::new(), Vec::with_capacity(n));
        for &on in Sheet::of(setting.activation) {
            let from = sorted.len();
            let here = |w: f64| match on {
                Sheet::Both => true,
                Sheet::Plus => w > 0.0,
                Sheet::Minus => w < 0.0,
            };
            let neurons =
                (initial.w.iter().zip(&initial.b).zip(0..)).filter(|((w, _), _)| here(**w));
            sorted.extend(neurons.map(|((w, b), place)| (w * b, place)));
            let sheet = &mut sorted[from..];
            sheet.par_sort_unstable_by(|one: &(f64, u32), other| {
                one.0.total_cmp(&other.0).then(one.1.cmp(&other.1))
            });
            let mut begin = 0;
            for interval in 0..=x.len() {
                let inside = |&(c, _): &(f64, u32)| x.get(interval).is_none_or(|&x| c < x);
                let end = begin + sheet[begin..].partition_point(inside);
                if begin < end {
                    pieces.push(Piece {
                        interval,
                        sheet: on,
                        left: if interval > 0 {
                            x[interval - 1]
                        } else {
                            sheet[begin].0
                        },
                        right: x.get(interval).copied().unwrap_or(sheet[end - 1].0),
                    });
                    starts.push(from + begin);
                    begin = end;
                }
            }
        }
        starts.push(n);
        Ok(Self {
            potential: setting.potential_at_width(n),
            pieces,
            starts,
            sorted,
            weight: 1.0 / n as f64,
        })
    }

    /// λ, and what rounding wants beside it, with which no residual is above `allowed`.
    fn fit(&self, basis: &LocalBasis, allowed: f64) -> Result<Fit> {
        let solver = "the finite-width dual";
        let rough = Fit::new(basis, dual::minimize(solver, basis, self)?);
        if rough.residual <= allowed {
            return Ok(rough);
        }
        let failed = Error::NotConverged {
            solver,
            iterations: rough.iterations,
            residual: rough.residual / allowed * CONVERGED,
        };
        if let Some(fit) = self.settle(basis, rough, allowed) {
            return Ok(fit);
        }
        let Ok(solution) = dual::minimize(solver, basis, &Sharp(self)) else {
            return Err(failed);
        };
        let sharp = Fit {
            low: Some(solution.low.clone()),
            ..Fit::new(basis, solution)
        };
        if sharp.residual <= allowed {
            return Ok(sharp);
        }
        self.settle(basis, sharp, allowed).ok_or(failed)
    }

    /// Newton's method in λ and in the α of the turning neurons, which solve φ'(α) = u:
    ///
    /// ```text
    /// H δλ + (1/n) Σ F δα = −r,    Fᵀδλ − φ''(α) δα = φ'(α) − u
    /// ```
    ///
    /// with r of all neurons and H of the others. None where r does not come below `allowed` with φ'(α) − u at
    /// round-off, or where there are none, or too many: a sheet hides behind the rounding of the other.
    fn settle(&self, basis: &LocalBasis, fit: Fit, allowed: f64) -> Option<Fit> {
        const STEPS: usize = 20;
        // Of u: four products, their sum, the few roundings of each function and coordinate.
        const ROUNDING: f64 = 16.0 * f64::EPSILON;
        // Their matrix is dense.
        const MOST: usize = 1000;
        let (potential, weight) = (&self.potential, self.weight);
        let mut q = fit.q;
        let mut turning = self.turning(basis, &q, allowed);
        if turning.is_empty() || turning.len() > MOST {
            return None;
        }
        let others = self.without(&turning);
        for _ in 0..STEPS {
            let mut here = Expansion::at(basis, &others, &q);
            for neuron in &turning {
                neuron.add_to(&mut here.gradient, weight * neuron.alpha);
            }
            let residual = largest_residual(basis, &here.gradient);
            let excess = |neuron: &Turning| neuron.dual(&q) - potential.mirror_map(neuron.alpha);
            let mut agreed = turning
                .iter()
                .map(|of| excess(of).abs() <= ROUNDING * of.size(&q));
            if residual <= allowed && agreed.all(|agreed| agreed) {
                return Some(Fit {
                    q,
                    low: None,
                    turning,
                    iterations: fit.iterations,
                    residual,
                });
            }
            let factored = here.hessian.factor(0.0)?;
            let plain = factored.solve(&here.gradient);
            let responses: Vec<Vec<f64>> = (turning.iter())
                .map(|neuron| {
                    let mut feature = vec![0.0; q.len()];
                    neuron.add_to(&mut feature, 1.0);
                    factored.solve(&feature)
                })
                .collect();
            let size = (turning.len(), turning.len());
            let mut schur =
                Array2::from_shape_fn(size, |(s, t)| weight * turning[s].dual(&responses[t]));
            for (own, neuron) in schur.diag_mut().iter_mut().zip(&turning) {
                *own += potential.hessian(neuron.alpha);
            }
            let wanted: Array1<f64> = (turning.iter())
                .map(|neuron| excess(neuron) - neuron.dual(&plain))
                .collect();
            let change = schur.solve(&wanted).ok()?;
            for (j, q) in q.iter_mut().enumerate() {
                let moved = responses
                    .iter()
                    .zip(&change)
                    .map(|(response, change)| response[j] * change);
                *q -= plain[j] + weight * moved.sum::<f64>();
            }
            for (neuron, change) in turning.iter_mut().zip(&change) {
                neuron.alpha += change;
            }
        }
        None
    }

    /// The neurons of which the rounding of u moves an output by a hundredth of what is `allowed`, or more.
    fn turning(&self, basis: &LocalBasis, q: &[f64], allowed: f64) -> Vec<Turning> {
        let (first, last) = (basis.x()[0], basis.x()[basis.len() - 1]);
        let mut turning = Vec::new();
        for (number, piece) in self.pieces.iter().enumerate() {
            let (interval, sheet) = (piece.interval, piece.sheet);
            let indices = basis.indices(interval);
            for &(c, place) in self.on(number) {
                let mut neuron = Turning {
                    place,
                    indices,
                    functions: basis.functions(interval, sheet, c),
                    alpha: 0.0,
                };
                neuron.alpha = self.potential.inverse_mirror_map(neuron.dual(q));
                let rounding = f64::EPSILON * neuron.size(q) / self.potential.hessian(neuron.alpha);
                let feature = (c - first).abs().max((c - last).abs());
                if self.weight * rounding * feature > 0.01 * allowed {
                    turning.push(neuron);
                }
            }
        }
        turning
    }

    /// All but some.
    fn without(&self, some: &[Turning]) -> Self {
        let some: HashSet<u32> = some.iter().map(|neuron| neuron.place).collect();
        let (mut starts, mut sorted) = (vec![0], Vec::with_capacity(self.sorted.len()));
        for piece in 0..self.pieces.len() {
            let kept = self
                .on(piece)
                .iter()
                .filter(|(_, place)| !some.contains(place));
            sorted.extend(kept);
            starts.push(sorted.len());
        }
        Self {
            potential: self.potential,
            pieces: self.pieces.clone(),
            starts,
            sorted,
            weight: self.weight,
        }
    }

    /// Neurons in each interval, for |·|.
    fn counts(&self, m: usize) -> Vec<usize> {
        let mut counts = vec![0; m + 1];
        for (number, piece) in self.pieces.iter().enumerate() {
            counts[piece.interval] += self.on(number).len();
        }
        counts
    }

    /// f(x_i, θ̂): like E\[αF\] in local coordinates, with n·â for α, in O(n + m).
    fn outputs(&self, setting: &Setting, initial: &Network) -> Vec<f64> {
        let (data, m) = (&setting.dataset, setting.dataset.len());
        if initial.a.iter().all(|&a| a == 0.0) {
            return vec![initial.d; m];
        }
        let spread = setting.bias.second_moment().sqrt();
        let basis = LocalBasis::new(data, setting.activation, spread);
        let mut coordinates = vec![0.0; m];
        for (number, piece) in self.pieces.iter().enumerate() {
            let sums = self.sum(number, |block, _, alpha, _| {
                let places = alpha.iter_mut().zip(block);
                places.for_each(|(alpha, &(_, place))| *alpha = initial.a[place as usize]);
            });
            let sums = sums.first;
            for (c, sum) in [piece.left, piece.right].into_iter().zip(sums) {
                let functions = basis.functions(piece.interval, piece.sheet, c);
                for (index, value) in basis.indices(piece.interval).into_iter().zip(functions) {
                    coordinates[index] += value * sum / self.weight;
                }
            }
        }
        let outputs = basis.data_residual(&coordinates);
        outputs
            .into_iter()
            .map(|output| output + initial.d)
            .collect()
    }
}
