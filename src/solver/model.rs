//! A network with its gradients, in mirror coordinates ζ = ∇Φ(θ) − ∇Φ(θ̂): what continuous and
//! discrete training share.
//!
//! Parameters are one vector (w, b, a, d) of length 3n + 1. The derivative of σ at each neuron and
//! datum, its *gate*, is data of its own: σ(z) is continued linearly beyond the kink, and whoever
//! integrates decides when a gate changes.

use std::ops::Range;

use ndarray::Array2;
use pulp::Arch;
use rayon::prelude::*;

use crate::setting::{Activation, Network, Potential, Scaling, Setting};

/// Which parameters are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trained {
    /// All of (w, b, a, d), as in the paper.
    All,
    /// (a, d): the output layer.
    OutputLayer,
    /// a alone: the model of the Bregman projection.
    OutputWeights,
}

/// Neurons per task; partial sums are added in their order, whatever the number of threads.
const CHUNK: usize = 16_384;
/// Neurons whose moments are looked up at a time.
const BLOCK: usize = 256;

/// The network as a function of ζ.
#[derive(Debug, Clone)]
pub struct Model {
    x: Vec<f64>,
    y: Vec<f64>,
    activation: Activation,
    /// φ or n⁻²φ(n·): the potential of one parameter.
    potential: Potential,
    trained: Trained,
    /// Whether Φ is centred at 0 instead of θ̂.
    uncentred: bool,
    /// θ̂.
    initial: Vec<f64>,
    width: usize,
}

/// A neuron whose knot is held at a datum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pin {
    /// k.
    pub neuron: usize,
    /// i.
    pub datum: usize,
}

/// σ'(w_k x_i − b_k) of each neuron at the data. Neurons between the same data share a row, so that
/// sums over neurons and data take n operations and m for each row, not nm.
#[derive(Debug, Clone, PartialEq)]
pub struct Gates {
    /// The rows that have occurred (m each); 0 where a pin takes the gate's place.
    rows: Vec<Vec<f64>>,
    /// Which of them is each neuron's (n).
    row: Vec<u32>,
    /// Ascending in the neuron, of which each has one knot and so at most one pin.
    pub pins: Vec<Pin>,
}

impl Gates {
    /// σ'(w_k x_i − b_k) of neuron k (m).
    pub fn of(&self, neuron: usize) -> &[f64] {
        &self.rows[self.row[neuron] as usize]
    }

    /// Changes one gate.
    pub fn set(&mut self, Pin { neuron, datum }: Pin, gate: f64) {
        let mut row = self.of(neuron).to_vec();
        row[datum] = gate;
        self.row[neuron] = place(&mut self.rows, &row);
    }
}

/// Where a row is, or is put.
fn place(rows: &mut Vec<Vec<f64>>, row: &[f64]) -> u32 {
    let known = rows.iter().position(|other| other == row);
    let place = known.unwrap_or_else(|| {
        rows.push(row.to_vec());
        rows.len() - 1
    });
    place as u32
}

/// The network at one ζ.
#[derive(Debug, Clone)]
pub struct Point {
    /// θ (3n + 1).
    pub parameters: Vec<f64>,
    /// 1/φ'' of each parameter; 0 where it is not trained (3n + 1).
    pub inverse_metric: Vec<f64>,
    /// f(x_i) − y_i (m).
    pub residual: Vec<f64>,
    /// For each pin the gate that keeps its knot at the datum: the Filippov solution.
    pub pinned: Vec<f64>,
}

impl Point {
    /// max |f(x_i) − y_i|.
    pub fn largest_residual(&self) -> f64 {
        let sizes = self.residual.iter().map(|r| r.abs());
        sizes.fold(0.0, |a, r| if r.is_nan() { r } else { f64::max(a, r) })
    }

    /// L = (1/2m) Σ r_i².
    pub fn loss(&self) -> f64 {
        let squares: f64 = self.residual.iter().map(|r| r * r).sum();
        0.5 * squares / self.residual.len() as f64
    }

    /// How far the parameters are from θ̂.
    pub fn displacement(&self, model: &Model) -> Displacement {
        let n = model.width;
        let largest = |range: Range<usize>| {
            let pairs = self.parameters[range.clone()]
                .iter()
                .zip(&model.initial[range]);
            pairs.fold(0.0_f64, |a, (now, start)| a.max((now - start).abs()))
        };
        Displacement {
            w: largest(0..n),
            b: largest(n..2 * n),
            a: largest(2 * n..3 * n),
            d: largest(3 * n..3 * n + 1),
        }
    }
}

/// max|θ_j − θ̂_j| for each kind of parameter.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Displacement {
    /// Of w.
    pub w: f64,
    /// Of b.
    pub b: f64,
    /// Of a.
    pub a: f64,
    /// Of d.
    pub d: f64,
}

impl Displacement {
    /// The larger of each.
    pub fn max(self, other: Self) -> Self {
        Self {
            w: self.w.max(other.w),
            b: self.b.max(other.b),
            a: self.a.max(other.a),
            d: self.d.max(other.d),
        }
    }
}

impl Model {
    /// The model of a setting's data and potential about an initial network.
    pub fn new(setting: &Setting, initial: &Network, trained: Trained, uncentred: bool) -> Self {
        let n = initial.width();
        let potential = match setting.scaling {
            Scaling::Unscaled => setting.potential,
            Scaling::Scaled => setting.potential.rescaled(1.0 / n as f64),
        };
        let layers = initial.w.iter().chain(&initial.b).chain(&initial.a);
        Self {
            x: setting.dataset.x().to_vec(),
            y: setting.dataset.y().to_vec(),
            activation: setting.activation,
            potential,
            trained,
            uncentred,
            initial: layers.copied().chain([initial.d]).collect(),
            width: n,
        }
    }

    /// The potential of one parameter: φ or n⁻²φ(n·).
    pub fn potential(&self) -> &Potential {
        &self.potential
    }

    /// n.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Inputs x (m), ascending.
    pub fn inputs(&self) -> &[f64] {
        &self.x
    }

    /// θ̂ (3n + 1).
    pub fn initial(&self) -> &[f64] {
        &self.initial
    }

    /// η/m of dζ/dt = −(η/m) Jᵀr with η = 1/n.
    pub fn rate(&self) -> f64 {
        1.0 / (self.width as f64 * self.x.len() as f64)
    }

    /// max(1, max|y_i|), the unit of residuals.
    pub fn value_scale(&self) -> f64 {
        self.y.iter().fold(1.0, |a, y| a.max(y.abs()))
    }

    /// σ'(0−) and σ'(0+).
    pub fn gate_ends(&self) -> [f64; 2] {
        match self.activation {
            Activation::Relu => [0.0, 1.0],
            Activation::Abs => [-1.0, 1.0],
        }
    }

    /// z = w_k x_i − b_k.
    pub fn preactivation(&self, parameters: &[f64], neuron: usize, datum: usize) -> f64 {
        parameters[neuron] * self.x[datum] - parameters[self.width + neuron]
    }

    /// The gates at θ̂.
    pub fn initial_gates(&self) -> Gates {
        self.gates(&self.initial)
    }

    /// The gates at θ, without pins; a neuron whose knot is on a datum counts as active there.
    pub fn gates(&self, parameters: &[f64]) -> Gates {
        let [low, high] = self.gate_ends();
        let m = self.x.len();
        let (mut rows, mut own) = (Vec::new(), vec![0.0; m]);
        let row = (0..self.width)
            .map(|neuron| {
                for (datum, gate) in own.iter_mut().enumerate() {
                    let z = self.preactivation(parameters, neuron, datum);
                    *gate = if z < 0.0 { low } else { high };
                }
                place(&mut rows, &own)
            })
            .collect();
        Gates {
            rows,
            row,
            pins: Vec::new(),
        }
    }

    /// The parameters that are trained.
    fn trains(&self) -> Range<usize> {
        let n = self.width;
        match self.trained {
            Trained::All => 0..3 * n + 1,
            Trained::OutputLayer => 2 * n..3 * n + 1,
            Trained::OutputWeights => 2 * n..3 * n,
        }
    }

    /// θ and 1/φ'' of some trained parameters at their ζ, from their θ̂.
    fn move_to(&self, zeta: &[f64], start: &[f64], theta: &mut [f64], inverse: &mut [f64]) {
        let potential = &self.potential;
        if self.uncentred {
            let pairs = zeta.iter().zip(start);
            let duals: Vec<f64> = pairs
                .map(|(zeta, start)| potential.mirror_map(*start) + zeta)
                .collect();
            potential.conjugate_derivatives(&duals, theta, inverse);
        } else {
            potential.conjugate_derivatives(zeta, theta, inverse);
            theta.iter_mut().zip(start).for_each(|(t, s)| *t += s);
        }
    }

    /// ζ_j of a parameter's value.
    pub fn dual(&self, j: usize, value: f64) -> f64 {
        let start = self.initial[j];
        if self.uncentred {
            self.potential.mirror_map(value) - self.potential.mirror_map(start)
        } else {
            self.potential.mirror_map(value - start)
        }
    }

    /// The network at ζ.
    pub fn at(&self, zeta: &[f64], gates: &Gates) -> Point {
        let n = self.width;
        let (mut parameters, mut inverse_metric) = (self.initial.clone(), vec![0.0; 3 * n + 1]);
        let trained = self.trains();
        let (zeta, start) = (&zeta[trained.clone()], &self.initial[trained.clone()]);
        let theta = &mut parameters[trained.clone()];
        let inverse = &mut inverse_metric[trained];
        if n <= CHUNK {
            self.move_to(zeta, start, theta, inverse);
        } else {
            let from = zeta.par_chunks(CHUNK).zip(start.par_chunks(CHUNK));
            let to = theta.par_chunks_mut(CHUNK);
            let to = to.zip(inverse.par_chunks_mut(CHUNK));
            from.zip(to).for_each(|((zeta, start), (theta, inverse))| {
                self.move_to(zeta, start, theta, inverse);
            });
        }
        let sums = self.sums(gates, |k| {
            let a = parameters[2 * n + k];
            [a * parameters[k], a * parameters[n + k]]
        });
        let mut residual = self.lines(gates, &sums);
        for (r, y) in residual.iter_mut().zip(&self.y) {
            *r += parameters[3 * n] - y;
        }
        let mut point = Point {
            parameters,
            inverse_metric,
            residual,
            pinned: Vec::new(),
        };
        point.pinned = gates
            .pins
            .iter()
            .map(|&pin| self.sliding_gate(&point, gates, pin))
            .collect();
        point
    }

    /// ż = A + s c, up to the factor −η/m, of a neuron's preactivation at a datum, s its gate there.
    pub fn drift(&self, point: &Point, gates: &Gates, pin: Pin) -> [f64; 2] {
        let n = self.width;
        let Pin { neuron: k, datum } = pin;
        let (x, a) = (self.x[datum], point.parameters[2 * n + k]);
        let [w, b] = [point.inverse_metric[k], point.inverse_metric[n + k]];
        let mut rest = 0.0;
        for (i, gate) in gates.of(k).iter().enumerate() {
            if i != datum {
                rest += point.residual[i] * gate * (w * x * self.x[i] + b);
            }
        }
        [a * rest, a * point.residual[datum] * (w * x * x + b)]
    }

    /// The gate with ż = 0, which need not lie between σ'(0−) and σ'(0+).
    fn sliding_gate(&self, point: &Point, gates: &Gates, pin: Pin) -> f64 {
        let [rest, slope] = self.drift(point, gates, pin);
        -rest / slope
    }

    /// Jᵀρ (3n + 1), J the derivative of f(x_i) in θ (of untrained parameters, too).
    pub fn transposed(&self, point: &Point, gates: &Gates, rho: &[f64]) -> Vec<f64> {
        let mut product = vec![0.0; 3 * self.width + 1];
        self.add_transposed(point, gates, rho, 1.0, &mut product);
        product
    }

    /// Adds `factor` times Jᵀρ to a vector (3n + 1).
    pub fn add_transposed(
        &self,
        point: &Point,
        gates: &Gates,
        rho: &[f64],
        factor: f64,
        product: &mut [f64],
    ) {
        let n = self.width;
        let theta = &point.parameters;
        let rho: Vec<f64> = rho.iter().map(|rho| factor * rho).collect();
        let moments = self.moments(gates, &rho);
        let (ws, rest) = product.split_at_mut(n);
        let (bs, rest) = rest.split_at_mut(n);
        let (outputs, last) = rest.split_at_mut(n);
        let arch = Arch::new();
        let neurons = |from: usize, ws: &mut [f64], bs: &mut [f64], outputs: &mut [f64]| {
            let [mut zeroth, mut first] = [[0.0; BLOCK]; 2];
            let layers = ws.chunks_mut(BLOCK).zip(bs.chunks_mut(BLOCK));
            let blocks = layers.zip(outputs.chunks_mut(BLOCK)).zip(0..);
            for (((ws, bs), outputs), block) in blocks {
                let from = from + block * BLOCK;
                // What each neuron's row says is looked up first, so that the rest takes several neurons at a time.
                let rows = gates.row[from..]
                    .iter()
                    .zip(zeroth.iter_mut().zip(&mut first));
                for (row, (zeroth, first)) in rows.take(ws.len()) {
                    [*zeroth, *first] = moments[*row as usize];
                }
                let [w, b, a] = [0, 1, 2].map(|layer| &theta[layer * n + from..][..ws.len()]);
                arch.dispatch(|| {
                    for ((sum, a), first) in ws.iter_mut().zip(a).zip(&first) {
                        *sum += a * first;
                    }
                    for ((sum, a), zeroth) in bs.iter_mut().zip(a).zip(&zeroth) {
                        *sum -= a * zeroth;
                    }
                    let moments = first.iter().zip(&zeroth);
                    for ((sum, (w, b)), (first, zeroth)) in
                        outputs.iter_mut().zip(w.iter().zip(b)).zip(moments)
                    {
                        *sum += w * first - b * zeroth;
                    }
                });
            }
        };
        if n <= CHUNK {
            neurons(0, ws, bs, outputs);
        } else {
            let layers = ws.par_chunks_mut(CHUNK).zip(bs.par_chunks_mut(CHUNK));
            let layers = layers.zip(outputs.par_chunks_mut(CHUNK)).enumerate();
            layers.for_each(|(chunk, ((ws, bs), outputs))| neurons(chunk * CHUNK, ws, bs, outputs));
        }
        last[0] += rho.iter().sum::<f64>();
        for (pin, gate) in gates.pins.iter().zip(&point.pinned) {
            let change = theta[2 * n + pin.neuron] * rho[pin.datum] * gate;
            product[pin.neuron] += change * self.x[pin.datum];
            product[n + pin.neuron] -= change;
        }
    }

    /// The derivative of Jᵀρ along ζ̇ = v, ρ fixed (3n + 1).
    pub fn turned(&self, point: &Point, gates: &Gates, rho: &[f64], v: &[f64]) -> Vec<f64> {
        let n = self.width;
        let moments = self.moments(gates, rho);
        let mut turned = vec![0.0; 3 * n + 1];
        let mut add = |k: usize, [zeroth, first]: [f64; 2]| {
            let [dw, db, da] = [k, n + k, 2 * n + k].map(|j| point.inverse_metric[j] * v[j]);
            turned[k] += da * first;
            turned[n + k] -= da * zeroth;
            turned[2 * n + k] += dw * first - db * zeroth;
        };
        for k in 0..n {
            add(k, moments[gates.row[k] as usize]);
        }
        for (pin, gate) in gates.pins.iter().zip(&point.pinned) {
            let zeroth = rho[pin.datum] * gate;
            add(pin.neuron, [zeroth, zeroth * self.x[pin.datum]]);
        }
        turned
    }

    /// (Σ_i ρ_i s_i, Σ_i ρ_i s_i x_i) of each row s of gates.
    fn moments(&self, gates: &Gates, rho: &[f64]) -> Vec<[f64; 2]> {
        let moments = gates.rows.iter().map(|row| {
            let (mut zeroth, mut first) = (0.0, 0.0);
            for ((gate, x), rho) in row.iter().zip(&self.x).zip(rho) {
                zeroth += rho * gate;
                first += rho * gate * x;
            }
            [zeroth, first]
        });
        moments.collect()
    }

    /// For each row of gates the sum over its neurons.
    fn sums<const N: usize>(
        &self,
        gates: &Gates,
        of: impl Fn(usize) -> [f64; N] + Sync,
    ) -> Vec<[f64; N]> {
        // Neurons that follow each other often share a row: sums of their own need not wait for each other.
        const LANES: usize = 4;
        let sum_of = |neurons: Range<usize>| {
            let mut lanes = vec![[[0.0; N]; LANES]; gates.rows.len()];
            for k in neurons {
                let sum = &mut lanes[gates.row[k] as usize][k % LANES];
                sum.iter_mut().zip(of(k)).for_each(|(s, v)| *s += v);
            }
            let sums = lanes.iter().map(|[one, two, three, four]| {
                std::array::from_fn(|i| (one[i] + two[i]) + (three[i] + four[i]))
            });
            sums.collect::<Vec<[f64; N]>>()
        };
        let n = self.width;
        if n <= CHUNK {
            return sum_of(0..n);
        }
        let chunks = (0..n.div_ceil(CHUNK)).into_par_iter();
        let parts: Vec<_> = chunks
            .map(|chunk| sum_of(chunk * CHUNK..n.min((chunk + 1) * CHUNK)))
            .collect();
        let mut total = vec![[0.0; N]; gates.rows.len()];
        for part in parts {
            let pairs = total.iter_mut().flatten().zip(part.iter().flatten());
            pairs.for_each(|(t, p)| *t += p);
        }
        total
    }

    /// Σ over rows s of s_i (slope x_i − offset) at each datum (m).
    fn lines(&self, gates: &Gates, sums: &[[f64; 2]]) -> Vec<f64> {
        let mut values = vec![0.0; self.x.len()];
        for (row, [slope, offset]) in gates.rows.iter().zip(sums) {
            for ((value, gate), x) in values.iter_mut().zip(row).zip(&self.x) {
                *value += gate * (slope * x - offset);
            }
        }
        values
    }

    /// J (∇²Φ)⁻¹ v (m): how f(x_i) changes with ζ.
    pub fn applied(&self, point: &Point, gates: &Gates, v: &[f64]) -> Vec<f64> {
        let n = self.width;
        let (theta, inverse) = (&point.parameters, &point.inverse_metric);
        let sums = self.sums(gates, |k| {
            let a = theta[2 * n + k];
            let [dw, db, da] = [k, n + k, 2 * n + k].map(|j| inverse[j] * v[j]);
            [a * dw + da * theta[k], a * db + da * theta[n + k]]
        });
        let mut product = self.lines(gates, &sums);
        for (pin, gate) in gates.pins.iter().zip(&point.pinned) {
            let (k, x) = (pin.neuron, self.x[pin.datum]);
            let [dw, db] = [k, n + k].map(|j| inverse[j] * v[j]);
            product[pin.datum] += gate * theta[2 * n + k] * (dw * x - db);
        }
        let last = inverse[3 * n] * v[3 * n];
        product.iter_mut().for_each(|p| *p += last);
        product
    }

    /// (η/m) J (∇²Φ)⁻¹ Jᵀ (m × m): dr/dt = −(this) r.
    pub fn kernel(&self, point: &Point, gates: &Gates) -> Array2<f64> {
        let (n, m) = (self.width, self.x.len());
        let (theta, inverse) = (&point.parameters, &point.inverse_metric);
        let sums = self.sums(gates, |k| {
            let (w, b, squared) = (theta[k], theta[n + k], theta[2 * n + k].powi(2));
            let output = inverse[2 * n + k];
            let first = squared * inverse[k] + output * w * w;
            [
                first,
                output * w * b,
                squared * inverse[n + k] + output * b * b,
            ]
        });
        let mut kernel = Array2::from_elem((m, m), inverse[3 * n]);
        for (row, [second, first, zeroth]) in gates.rows.iter().zip(sums) {
            for (i, (si, xi)) in row.iter().zip(&self.x).enumerate() {
                for (j, (sj, xj)) in row.iter().zip(&self.x).enumerate() {
                    kernel[[i, j]] += si * sj * (second * (xi * xj) - first * (xi + xj) + zeroth);
                }
            }
        }
        for (pin, gate) in gates.pins.iter().zip(&point.pinned) {
            let (k, i) = (pin.neuron, pin.datum);
            let scale = gate * theta[2 * n + k].powi(2);
            let along = |j: usize| inverse[k] * self.x[i] * self.x[j] + inverse[n + k];
            for (j, other) in gates.of(k).iter().enumerate() {
                kernel[[i, j]] += scale * other * along(j);
                kernel[[j, i]] += scale * other * along(j);
            }
            kernel[[i, i]] += scale * gate * along(i);
        }
        kernel *= self.rate();
        kernel
    }

    /// The network with parameters θ.
    pub fn network(&self, parameters: &[f64]) -> Network {
        let n = self.width;
        let layer = |from: usize| parameters[from * n..(from + 1) * n].to_vec().into();
        Network {
            w: layer(0),
            b: layer(1),
            a: layer(2),
            d: parameters[3 * n],
        }
    }
}
