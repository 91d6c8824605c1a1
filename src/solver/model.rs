//! A network with its gradients, in mirror coordinates ζ = ∇Φ(θ) − ∇Φ(θ̂): what continuous and
//! discrete training share.
//!
//! Parameters are one vector (w, b, a, d) of length 3n + 1. The derivative of σ at each neuron and
//! datum, its *gate*, is data of its own: σ(z) is continued linearly beyond the kink, and whoever
//! integrates decides when a gate changes. Neurons are sorted by the sign of w and by knot, so that those
//! with the same gates follow each other: sums over them need no look-up.

use std::ops::Range;

use ndarray::Array2;
use pulp::Arch;
use rayon::prelude::*;

use crate::setting::{Activation, Network, Potential, Setting};

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
/// Parameters of which φ* is differentiated at a time: what is near stays in the nearest cache.
const BLOCK: usize = 256;
/// Sums that are formed side by side.
const LANES: usize = 8;

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
    /// The place in the network of each neuron here (n).
    places: Vec<u32>,
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
    /// Where a run of neurons with one row begins, and which row; ascending, the next run is of another.
    runs: Vec<(usize, usize)>,
    width: usize,
    /// Ascending in the neuron, of which each has one knot and so at most one pin.
    pub pins: Vec<Pin>,
}

impl Gates {
    /// σ'(w_k x_i − b_k) of neuron k (m).
    pub fn of(&self, neuron: usize) -> &[f64] {
        let run = self.runs.partition_point(|&(start, _)| start <= neuron);
        &self.rows[self.runs[run - 1].1]
    }

    /// Changes one gate.
    pub fn set(&mut self, Pin { neuron, datum }: Pin, gate: f64) {
        let mut own = self.of(neuron).to_vec();
        own[datum] = gate;
        let own = place(&mut self.rows, &own);
        let run = self.runs.partition_point(|&(start, _)| start <= neuron) - 1;
        let (start, row) = self.runs[run];
        let end = self.runs.get(run + 1).map_or(self.width, |next| next.0);
        let parts = [
            (start, row, neuron),
            (neuron, own, neuron + 1),
            (neuron + 1, row, end),
        ];
        let parts = parts.into_iter().filter(|(start, _, end)| start < end);
        self.runs
            .splice(run..=run, parts.map(|(start, row, _)| (start, row)));
        self.runs.dedup_by_key(|run| run.1);
    }

    /// For each row the sum of `term` over its neurons among some, of which `of` has the values.
    fn sums<const I: usize, const N: usize>(
        &self,
        neurons: Range<usize>,
        of: [&[f64]; I],
        term: impl Fn([f64; I]) -> [f64; N],
    ) -> Vec<[f64; N]> {
        let (mut sums, arch) = (vec![[0.0; N]; self.rows.len()], Arch::new());
        for (row, run) in self.within(neurons.clone()) {
            let local = run.start - neurons.start..run.end - neurons.start;
            let of = of.map(|values| &values[local.clone()]);
            let part = arch.dispatch(|| sum(of, &term));
            sums[row]
                .iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
        }
        sums
    }

    /// The neurons of `range` run by run, each with its row's number.
    fn within(&self, range: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
        let first = self
            .runs
            .partition_point(|&(start, _)| start <= range.start);
        (first.saturating_sub(1)..self.runs.len()).map_while(move |run| {
            let (start, row) = self.runs[run];
            let end = self.runs.get(run + 1).map_or(self.width, |next| next.0);
            let part = start.max(range.start)..end.min(range.end);
            (start < range.end).then_some((row, part))
        })
    }

    /// All neurons run by run, each with its gates (m).
    pub fn by_run(&self) -> impl Iterator<Item = (&[f64], Range<usize>)> {
        let runs = self.within(0..self.width);
        runs.map(|(row, neurons)| (&self.rows[row][..], neurons))
    }
}

/// The sum of `term` over entries of as many lists, in [`LANES`] sums that need not wait for each other.
#[inline(always)]
fn sum<const I: usize, const N: usize>(
    of: [&[f64]; I],
    term: &impl Fn([f64; I]) -> [f64; N],
) -> [f64; N] {
    let (length, lanes) = (of[0].len(), of.map(|values| values.as_chunks::<LANES>().0));
    let mut sums = [[0.0; LANES]; N];
    for chunk in 0..length / LANES {
        let values = lanes.map(|lanes| &lanes[chunk]);
        for lane in 0..LANES {
            let terms = term(values.map(|values| values[lane]));
            sums.iter_mut()
                .zip(terms)
                .for_each(|(sum, term)| sum[lane] += term);
        }
    }
    let mut total = sums.map(|lanes| lanes.iter().sum());
    for k in length / LANES * LANES..length {
        let terms = term(of.map(|values| values[k]));
        total
            .iter_mut()
            .zip(terms)
            .for_each(|(sum, term): (&mut f64, f64)| *sum += term);
    }
    total
}

/// Sums by row of parts, added in their order.
fn total<const N: usize>(parts: Vec<Vec<[f64; N]>>) -> Vec<[f64; N]> {
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for part in parts {
        let pairs = total.iter_mut().flatten().zip(part.iter().flatten());
        pairs.for_each(|(total, part)| *total += part);
    }
    total
}

/// θ and 1/φ'' of some neurons, layer by layer.
struct Chunk<'a> {
    neurons: Range<usize>,
    theta: [&'a mut [f64]; 3],
    inverse: [&'a mut [f64]; 3],
}

impl<'a> Chunk<'a> {
    /// All neurons, from (w, b, a) and their 1/φ'' (3n each).
    fn all(theta: &'a mut [f64], inverse: &'a mut [f64]) -> Vec<Self> {
        let n = theta.len() / 3;
        let mut layers = [theta, inverse].map(|values| {
            let (w, rest) = values.split_at_mut(n);
            let (b, a) = rest.split_at_mut(n);
            [w, b, a].map(|layer| layer.chunks_mut(CHUNK))
        });
        let starts = (0..n).step_by(CHUNK);
        let chunks = starts.map(|start| {
            let [theta, inverse] = (layers.each_mut()).map(|layers| {
                layers
                    .each_mut()
                    .map(|layer| layer.next().unwrap_or_default())
            });
            Self {
                neurons: start..n.min(start + CHUNK),
                theta,
                inverse,
            }
        });
        chunks.collect()
    }
}

/// Where a row is, or is put.
fn place(rows: &mut Vec<Vec<f64>>, row: &[f64]) -> usize {
    let known = rows.iter().position(|other| other == row);
    known.unwrap_or_else(|| {
        rows.push(row.to_vec());
        rows.len() - 1
    })
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
        let mut sorted: Vec<(bool, f64, u32)> = (initial.w.iter().zip(&initial.b).zip(0..))
            .map(|((w, b), place)| (*w < 0.0, b / w, place))
            .collect();
        sorted.par_sort_unstable_by(|one, other| {
            let knots = one.1.total_cmp(&other.1);
            one.0.cmp(&other.0).then(knots).then(one.2.cmp(&other.2))
        });
        let places: Vec<u32> = sorted.into_iter().map(|(.., place)| place).collect();
        let layers = [&initial.w, &initial.b, &initial.a];
        let layers = layers.into_iter().flat_map(|layer| {
            let places = places.iter();
            places.map(|&place| layer[place as usize])
        });
        Self {
            x: setting.dataset.x().to_vec(),
            y: setting.dataset.y().to_vec(),
            activation: setting.activation,
            potential: setting.parameter_potential(n),
            trained,
            uncentred,
            initial: layers.chain([initial.d]).collect(),
            places,
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
        let (mut rows, mut runs, mut own) = (Vec::new(), Vec::new(), vec![0.0; m]);
        for neuron in 0..self.width {
            for (datum, gate) in own.iter_mut().enumerate() {
                let z = self.preactivation(parameters, neuron, datum);
                *gate = if z < 0.0 { low } else { high };
            }
            let before = runs.last().map(|&(_, row): &(usize, usize)| row);
            if before.is_none_or(|row| rows[row] != own) {
                runs.push((neuron, place(&mut rows, &own)));
            }
        }
        Gates {
            rows,
            runs,
            width: self.width,
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

    /// θ and 1/φ'' of trained parameters at their ζ, from their θ̂.
    fn move_to(&self, zeta: &[f64], start: &[f64], theta: &mut [f64], inverse: &mut [f64]) {
        let potential = &self.potential;
        let from = zeta.chunks(BLOCK).zip(start.chunks(BLOCK));
        let to = theta.chunks_mut(BLOCK).zip(inverse.chunks_mut(BLOCK));
        for ((zeta, start), (theta, inverse)) in from.zip(to) {
            if self.uncentred {
                let mut duals = [0.0; BLOCK];
                for ((dual, zeta), start) in duals.iter_mut().zip(zeta).zip(start) {
                    *dual = potential.mirror_map(*start) + zeta;
                }
                potential.conjugate_derivatives(&duals[..zeta.len()], theta, inverse);
            } else {
                potential.conjugate_derivatives(zeta, theta, inverse);
                theta.iter_mut().zip(start).for_each(|(t, s)| *t += s);
            }
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
        let mut point = Point {
            parameters: vec![0.0; 3 * self.width + 1],
            inverse_metric: vec![0.0; 3 * self.width + 1],
            residual: Vec::new(),
            pinned: Vec::new(),
        };
        self.renew(&mut point, zeta, gates);
        point
    }

    /// The same in the place of another point of this model: new memory costs as much as an evaluation.
    pub fn renew(&self, point: &mut Point, zeta: &[f64], gates: &Gates) {
        let (n, trained) = (self.width, self.trains());
        let place = |range: Range<usize>, theta: &mut [f64], inverse: &mut [f64]| {
            let start = &self.initial[range.clone()];
            if trained.contains(&range.start) {
                self.move_to(&zeta[range], start, theta, inverse);
            } else {
                theta.copy_from_slice(start);
                inverse.fill(0.0);
            }
        };
        let (parameters, inverse_metric) = (&mut point.parameters, &mut point.inverse_metric);
        // θ of some neurons, and their sums while they are in cache.
        let part = |chunk: Chunk<'_>| {
            let (neurons, layers) = (chunk.neurons, chunk.theta.into_iter().zip(chunk.inverse));
            let mut placed = (0..3).zip(layers).map(|(layer, (theta, inverse))| {
                let [from, to] = [neurons.start, neurons.end].map(|k| layer * n + k);
                place(from..to, theta, inverse);
                &*theta
            });
            let theta = [(); 3].map(|()| placed.next().unwrap_or_default());
            gates.sums(neurons.clone(), theta, |[w, b, a]| [a * w, a * b])
        };
        let chunks = Chunk::all(&mut parameters[..3 * n], &mut inverse_metric[..3 * n]);
        let sums = if n <= CHUNK {
            chunks.into_iter().map(part).collect()
        } else {
            chunks.into_par_iter().map(part).collect()
        };
        let sums = total(sums);
        place(
            3 * n..3 * n + 1,
            &mut parameters[3 * n..],
            &mut inverse_metric[3 * n..],
        );
        point.residual = self.lines(gates, &sums);
        for (r, y) in point.residual.iter_mut().zip(&self.y) {
            *r += point.parameters[3 * n] - y;
        }
        let pins = gates.pins.iter();
        point.pinned = pins
            .map(|&pin| self.sliding_gate(point, gates, pin))
            .collect();
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
            for (row, run) in gates.within(from..from + ws.len()) {
                let [zeroth, first] = moments[row];
                let [w, b, a] = self.layers(theta).map(|layer| &layer[run.clone()]);
                let run = run.start - from..run.end - from;
                let sums = (ws[run.clone()].iter_mut()).zip(&mut bs[run.clone()]);
                let sums = sums.zip(&mut outputs[run]);
                arch.dispatch(|| {
                    for (((ws, bs), outputs), ((w, b), a)) in sums.zip(w.iter().zip(b).zip(a)) {
                        *ws += a * first;
                        *bs -= a * zeroth;
                        *outputs += w * first - b * zeroth;
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
        for (row, run) in gates.within(0..n) {
            run.for_each(|k| add(k, moments[row]));
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
    fn sums<const I: usize, const N: usize>(
        &self,
        gates: &Gates,
        of: [&[f64]; I],
        term: impl Fn([f64; I]) -> [f64; N] + Sync,
    ) -> Vec<[f64; N]> {
        let n = self.width;
        let part = |start: usize| {
            let neurons = start..n.min(start + CHUNK);
            let of = of.map(|values| &values[neurons.clone()]);
            gates.sums(neurons, of, &term)
        };
        if n <= CHUNK {
            return part(0);
        }
        let chunks = (0..n.div_ceil(CHUNK)).into_par_iter();
        total(chunks.map(|chunk| part(chunk * CHUNK)).collect())
    }

    /// The layers (w, b, a) of a vector (3n + 1).
    fn layers<'a>(&self, values: &'a [f64]) -> [&'a [f64]; 3] {
        let n = self.width;
        [0, 1, 2].map(|layer| &values[layer * n..(layer + 1) * n])
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
        let (theta, inverse) = (&point.parameters[..], &point.inverse_metric[..]);
        let [[w, b, a], softness, along] = [theta, inverse, v].map(|of| self.layers(of));
        let ([sw, sb, sa], [vw, vb, va]) = (softness, along);
        let of = [w, b, a, sw, sb, sa, vw, vb, va];
        let sums = self.sums(gates, of, |[w, b, a, sw, sb, sa, vw, vb, va]| {
            let (dw, db, da) = (sw * vw, sb * vb, sa * va);
            [a * dw + da * w, a * db + da * b]
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
        let ([w, b, a], [sw, sb, sa]) = (self.layers(theta), self.layers(inverse));
        let sums = self.sums(gates, [w, b, a, sw, sb, sa], |[w, b, a, sw, sb, sa]| {
            let squared = a * a;
            [
                squared * sw + sa * w * w,
                sa * w * b,
                squared * sb + sa * b * b,
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

    /// A vector (3n + 1) with the neurons as the network has them: here they are sorted.
    pub fn in_network_order(&self, values: &[f64]) -> Vec<f64> {
        let (n, mut ordered) = (self.width, values.to_vec());
        for (layer, values) in self.layers(values).into_iter().enumerate() {
            for (&place, &value) in self.places.iter().zip(values) {
                ordered[layer * n + place as usize] = value;
            }
        }
        ordered
    }

    /// The network with parameters θ.
    pub fn network(&self, parameters: &[f64]) -> Network {
        let (n, parameters) = (self.width, self.in_network_order(parameters));
        let layer = |from: usize| parameters[from * n..(from + 1) * n].to_vec().into();
        Network {
            w: layer(0),
            b: layer(1),
            a: layer(2),
            d: parameters[3 * n],
        }
    }
}
