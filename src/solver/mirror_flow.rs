//! Mirror flow dθ/dt = −(η/m)(∇²Φ)⁻¹Jᵀr, η = 1/n, of all parameters in continuous time
//! (proofs.md, "Integrating the flow").
//!
//! In ζ = ∇Φ(θ) − ∇Φ(θ̂) the flow is dζ/dt = F(ζ) = −(η/m)Jᵀr, stiff through K = (η/m)J(∇²Φ)⁻¹Jᵀ
//! only, which has m dimensions. An exponential Rosenbrock method of order 4 with an embedded one of
//! order 3 (Hochbruck, Ostermann and Schweitzer, SIAM J. Numer. Anal. 47, 2009) treats B = Jᵀ(η/m)J(∇²Φ)⁻¹
//! exactly, by the eigenvalues of K. Steps end where a knot meets a datum; there it crosses, or
//! slides along (Filippov).

use ndarray::{Array1, Array2};
use ndarray_linalg::{Eigh, UPLO};

use super::model::{Displacement, Gates, Model, Pin, Point, Trained};
use crate::{
    Error, Result,
    setting::{Network, Setting},
};

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Which parameters.
    pub trained: Trained,
    /// Φ about 0 instead of θ̂: φ'' is taken at θ.
    pub uncentred: bool,
    /// Largest estimated error of one step: of every displacement relative to the largest of its
    /// kind, and of the data's residuals relative to the largest.
    pub tolerance: f64,
    /// Flow time at which to stop.
    pub horizon: f64,
    /// Loss at which to stop.
    pub loss: f64,
    /// Steps after which to stop, accepted or not.
    pub most_steps: usize,
}

impl Options {
    /// The default, a flow of all parameters to its end, but with this `tolerance` of a step (relative).
    pub const fn within(tolerance: f64) -> Self {
        Self {
            trained: Trained::All,
            uncentred: false,
            tolerance,
            horizon: f64::INFINITY,
            loss: 0.0,
            most_steps: 100_000,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::within(1e-5)
    }
}

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// max|r| ≤ 10⁻¹⁰ max(1, max|y|).
    Converged,
    /// The gradient vanishes up to round-off, the residual does not: the network cannot fit.
    Stationary,
    /// The horizon was reached, or the loss at which to stop.
    Horizon,
    /// The step fell to the resolution of the time.
    Collapsed,
    /// The most steps were taken.
    OutOfSteps,
    /// The residuals grew beyond bounds (discrete steps that are too long), or overflowed.
    Diverged,
}

/// What happened at kinks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Events {
    /// Knots that crossed a datum.
    pub crossings: usize,
    /// Knots that began to slide along one.
    pub pins: usize,
    /// Knots that ceased to.
    pub releases: usize,
}

/// A trained network, and how it came about.
#[derive(Debug, Clone)]
pub struct Run {
    /// θ at the end.
    pub network: Network,
    /// How it ended.
    pub status: Status,
    /// Flow time.
    pub time: f64,
    /// Accepted steps.
    pub steps: usize,
    /// Evaluations of the network on the data.
    pub evaluations: usize,
    /// Events by kind.
    pub events: Events,
    /// max|f(x_i) − y_i|.
    pub residual: f64,
    /// At the end.
    pub displacement: Displacement,
    /// The largest at any step.
    pub largest_displacement: Displacement,
}

/// The flow at the end of a step, with the neurons in the order of the model.
#[derive(Debug)]
pub struct State<'a> {
    /// Flow time t.
    pub time: f64,
    /// ζ = ∇Φ(θ) − ∇Φ(θ̂) (3n + 1).
    pub dual: &'a [f64],
    /// θ, residuals and metric.
    pub point: &'a Point,
    /// σ' at each neuron and datum.
    pub gates: &'a Gates,
    /// The model.
    pub model: &'a Model,
}

/// max|r| of a converged network, over max(1, max|y|).
pub const CONVERGED: f64 = 1e-10;
/// Gradients below this times the sum of their terms' sizes are round-off.
const VANISHING: f64 = 1e-12;
/// Sliding gates further than this outside their interval let go.
const STRAINED: f64 = 1e-9;
/// Preactivations below this times 1 + |b| lie on the kink.
const ON_KINK: f64 = 1e-13;

/// (φ_1 … φ_5)(−x), φ_{k+1}(z) = (φ_k(z) − 1/k!)/z, x ≥ 0.
fn phi(x: f64) -> [f64; 5] {
    let mut phi = [0.0; 5];
    if x < 1.0 {
        for (k, value) in (1..).zip(&mut phi) {
            // Σ_j (−x)^j/(j + k)!
            let mut term = (1..=k).map(f64::from).product::<f64>().recip();
            for j in 1..=20 {
                *value += term;
                term *= -x / f64::from(j + k);
            }
        }
    } else {
        phi[0] = -(-x).exp_m1() / x;
        let mut factorial = 1.0;
        for k in 1..5 {
            factorial *= k as f64;
            phi[k] = (1.0 / factorial - phi[k - 1]) / x;
        }
    }
    phi
}

/// K's eigenvalues and eigenvectors: functions of it.
struct Spectrum {
    values: Array1<f64>,
    vectors: Array2<f64>,
}

impl Spectrum {
    fn of(kernel: &Array2<f64>) -> Result<Self> {
        let (values, vectors) = kernel.eigh(UPLO::Lower).map_err(|_| Error::NotConverged {
            solver: "the eigenvalues of the kernel",
            iterations: 0,
            residual: f64::NAN,
        })?;
        let floor =
            values.len() as f64 * f64::EPSILON * values.iter().fold(0.0, |a: f64, v| a.max(*v));
        // What is below round-off is 0, and its direction does not move.
        let values = values.mapv(|v| if v > floor { v } else { 0.0 });
        Ok(Self { values, vectors })
    }

    /// g(K)v, for the directions that move.
    fn apply(&self, v: &[f64], g: impl Fn(f64) -> f64) -> Vec<f64> {
        let v = Array1::from(v.to_vec());
        let mut coefficients = self.vectors.t().dot(&v);
        for (c, &value) in coefficients.iter_mut().zip(&self.values) {
            *c = if value > 0.0 { *c * g(value) } else { 0.0 };
        }
        self.vectors.dot(&coefficients).to_vec()
    }
}

/// The trial of a step: ζ and the network at its end, and its error in units of the tolerance.
struct Trial {
    dual: Vec<f64>,
    point: Point,
    error: f64,
}

struct Flow<'a> {
    model: &'a Model,
    gates: Gates,
    options: Options,
    evaluations: usize,
    /// Points that are no longer wanted.
    spare: Vec<Point>,
}

impl Flow<'_> {
    fn at(&mut self, dual: &[f64]) -> Point {
        self.evaluations += 1;
        match self.spare.pop() {
            Some(mut point) => {
                self.model.renew(&mut point, dual, &self.gates);
                point
            }
            None => self.model.at(dual, &self.gates),
        }
    }

    /// N(U) − N(ζ) for the nonlinear part N = F + Bζ, and (η/m)J(∇²Φ)⁻¹ of it.
    fn defect(&mut self, dual: &[f64], base: &Point, stage: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let rate = self.model.rate();
        let point = self.at(stage);
        let shift: Vec<f64> = stage.iter().zip(dual).map(|(u, z)| u - z).collect();
        let linear = self.model.applied(base, &self.gates, &shift);
        let force: Vec<f64> = point.residual.iter().map(|r| -rate * r).collect();
        let model: Vec<f64> = base
            .residual
            .iter()
            .zip(&linear)
            .map(|(r, l)| -rate * (r + l))
            .collect();
        let mut defect = self.model.transposed(&point, &self.gates, &force);
        self.model
            .add_transposed(base, &self.gates, &model, -1.0, &mut defect);
        self.spare.push(point);
        let seen = self.seen(base, &defect);
        (defect, seen)
    }

    /// (η/m)J(∇²Φ)⁻¹v.
    fn seen(&self, base: &Point, v: &[f64]) -> Vec<f64> {
        let seen = self.model.applied(base, &self.gates, v);
        seen.iter().map(|v| self.model.rate() * v).collect()
    }

    /// One step of length h.
    fn step(&mut self, dual: &[f64], base: &Point, spectrum: &Spectrum, h: f64) -> Trial {
        let model = self.model;
        let force: Vec<f64> = base.residual.iter().map(|r| -model.rate() * r).collect();
        // Jᵀρ + Σ factor·vector
        let combine = |gates: &Gates, rho: &[f64], vectors: &[(f64, &[f64])]| -> Vec<f64> {
            let mut sum = model.transposed(base, gates, rho);
            for (factor, vector) in vectors {
                let pairs = sum.iter_mut().zip(*vector);
                pairs.for_each(|(s, v)| *s += factor * v);
            }
            sum
        };
        let moved = |mut change: Vec<f64>| -> Vec<f64> {
            change.iter_mut().zip(dual).for_each(|(c, z)| *c += z);
            change
        };
        // hN'(ζ)F, of which B takes no account: Jᵀ changes with θ.
        let velocity = model.transposed(base, &self.gates, &force);
        let mut turn = model.turned(base, &self.gates, &force, &velocity);
        turn.iter_mut().for_each(|v| *v *= h);
        let turn_seen = self.seen(base, &turn);
        // h φ_k(−hB)D = h D/k! − h²Jᵀφ_{k+1}(−hK)(η/m)J(∇²Φ)⁻¹D
        let half = spectrum.apply(&force, |k| 0.5 * h * phi(0.5 * h * k)[0]);
        let second = moved(combine(&self.gates, &half, &[]));
        let (first_defect, first_seen) = self.defect(dual, base, &second);
        let full = spectrum.apply(&force, |k| h * phi(h * k)[0]);
        let seen = spectrum.apply(&first_seen, |k| -h * h * phi(h * k)[1]);
        let rho: Vec<f64> = full.iter().zip(&seen).map(|(a, b)| a + b).collect();
        let third = moved(combine(&self.gates, &rho, &[(h, &first_defect)]));
        let (second_defect, second_seen) = self.defect(dual, base, &third);
        // Σ weights of hφ₂, hφ₃, hφ₄ on hN'F and on the two defects.
        let parts = [
            (&turn, &turn_seen),
            (&first_defect, &first_seen),
            (&second_defect, &second_seen),
        ];
        let weighted = |gates: &Gates, start: &[f64], weights: [[f64; 3]; 3]| {
            let mut rho = start.to_vec();
            for ((_, seen), [two, three, four]) in parts.iter().zip(weights) {
                let through = spectrum.apply(seen, |k| {
                    let phi = phi(h * k);
                    -h * h * (two * phi[2] + three * phi[3] + four * phi[4])
                });
                rho.iter_mut().zip(through).for_each(|(r, t)| *r += t);
            }
            let at_zero = |w: [f64; 3]| h * (w[0] / 2.0 + w[1] / 6.0 + w[2] / 24.0);
            let vectors: Vec<(f64, &[f64])> = parts
                .iter()
                .zip(weights)
                .map(|((vector, _), weights)| (at_zero(weights), &vector[..]))
                .collect();
            combine(gates, &rho, &vectors)
        };
        // A cubic in time through hN'F and the defects; the error is what its last term adds.
        let cubic = [[1.0, -6.0, 12.0], [0.0, 16.0, -48.0], [0.0, -2.0, 12.0]];
        let last = [[0.0, 0.0, 12.0], [0.0, 0.0, -48.0], [0.0, 0.0, 12.0]];
        let end = moved(weighted(&self.gates, &full, cubic));
        let nothing = vec![0.0; full.len()];
        let error = weighted(&self.gates, &nothing, last);
        let point = self.at(&end);
        Trial {
            error: self.error(&error, base, &point),
            dual: end,
            point,
        }
    }

    /// Shortens a step of that share of h to where the loss is the one at which to stop.
    fn down_to_the_loss(
        &mut self,
        dual: &[f64],
        base: &Point,
        spectrum: &Spectrum,
        (h, share): (f64, f64),
        trial: Trial,
    ) -> (f64, Trial) {
        let (mut low, mut best) = (0.0, (share, trial));
        // The loss at the end is right to 2⁻⁴⁰ of the step.
        for _ in 0..40 {
            let middle = 0.5 * (low + best.0);
            let trial = self.step(dual, base, spectrum, middle * h);
            if trial.point.loss() > self.options.loss {
                low = middle;
            } else {
                best = (middle, trial);
            }
        }
        best
    }

    /// The error in units of the tolerance.
    fn error(&self, error: &[f64], base: &Point, end: &Point) -> f64 {
        if end.largest_residual().is_nan() {
            return f64::INFINITY; // `max` below passes over NaN
        }
        let model = self.model;
        let n = model.width();
        let mut worst: f64 = 0.0;
        for range in [0..n, n..2 * n, 2 * n..3 * n, 3 * n..3 * n + 1] {
            let (mut wrong, mut moved, mut size) = (0.0_f64, 0.0_f64, 0.0_f64);
            for j in range {
                wrong = wrong.max((base.inverse_metric[j] * error[j]).abs());
                moved = moved.max((end.parameters[j] - model.initial()[j]).abs());
                size = size.max(end.parameters[j].abs());
            }
            // What double precision cannot tell apart is no error.
            let unit = self.options.tolerance * moved + 4.0 * f64::EPSILON * size;
            if wrong > 0.0 {
                worst = worst.max(wrong / unit);
            }
        }
        let seen = model.applied(base, &self.gates, error);
        let wrong = seen.iter().fold(0.0_f64, |a, e| a.max(e.abs()));
        let unit = self.options.tolerance * end.largest_residual()
            + 0.01 * CONVERGED * model.value_scale();
        worst.max(wrong / unit)
    }

    /// The share of a step after which the first knot meets a datum or ceases to slide, with who.
    fn first_event(&self, base: &Point, end: &Point) -> Option<(f64, Pin)> {
        let model = self.model;
        let [low, high] = model.gate_ends();
        let middle = 0.5 * (low + high);
        let mut first: Option<(f64, Pin)> = None;
        let mut meet = |share: f64, pin: Pin| {
            if first.is_none_or(|(earliest, _)| share < earliest) {
                first = Some((share, pin));
            }
        };
        let runs = self.gates.by_run();
        for (gates, neuron) in runs.flat_map(|(gates, run)| run.map(move |neuron| (gates, neuron)))
        {
            let room = ON_KINK * (1.0 + end.parameters[model.width() + neuron].abs());
            for (datum, &gate) in gates.iter().enumerate() {
                let z = model.preactivation(&end.parameters, neuron, datum);
                let side = if gate > middle { 1.0 } else { -1.0 };
                let pin = Pin { neuron, datum };
                if z * side < -room && !self.gates.pins.contains(&pin) {
                    let start = side * model.preactivation(&base.parameters, neuron, datum);
                    let share = start.max(0.0) / (start.max(0.0) - z * side);
                    meet(share, pin);
                }
            }
        }
        for ((pin, before), after) in self.gates.pins.iter().zip(&base.pinned).zip(&end.pinned) {
            if self.strain(*after) > STRAINED {
                let (start, end) = (self.strain(*before).min(0.0), self.strain(*after));
                let share = if end.is_infinite() {
                    0.5
                } else {
                    -start / (end - start)
                };
                meet(share, *pin);
            }
        }
        first
    }

    /// By how much a sliding gate is outside \[σ'(0−), σ'(0+)\]; infinite where no gate would hold.
    fn strain(&self, gate: f64) -> f64 {
        let [low, high] = self.model.gate_ends();
        if gate.is_nan() {
            return f64::INFINITY;
        }
        (gate - high).max(low - gate)
    }

    /// A pin whose gate is outside its interval.
    fn strained(&self, point: &Point) -> Option<Pin> {
        let mut pins = self.gates.pins.iter().zip(&point.pinned);
        pins.find(|(_, gate)| self.strain(**gate) > STRAINED)
            .map(|(pin, _)| *pin)
    }

    /// Puts sliding knots back on their data, which a step leaves by as much as its tolerance: the residual is
    /// that of the network only where they are there. Says whether there are any.
    fn hold(&self, dual: &mut [f64], point: &Point) -> bool {
        let n = self.model.width();
        for &Pin { neuron, datum } in &self.gates.pins {
            let bias = point.parameters[neuron] * self.model.inputs()[datum];
            dual[n + neuron] = self.model.dual(n + neuron, bias);
        }
        !self.gates.pins.is_empty()
    }

    /// Decides what a knot on a datum does next.
    fn turn(&mut self, point: &Point, pin: Pin, events: &mut Events) {
        let [low, high] = self.model.gate_ends();
        let [rest, slope] = self.model.drift(point, &self.gates, pin);
        // dz/dt with the gate of either side; the flow has the opposite sign of the gradient.
        let [below, above] = [low, high].map(|gate| -(rest + slope * gate));
        if let Ok(place) = self
            .gates
            .pins
            .binary_search_by_key(&pin.neuron, |pin| pin.neuron)
        {
            self.gates.pins.remove(place);
            events.releases += 1;
            self.gates.set(pin, if above > 0.0 { high } else { low });
            return;
        }
        let comes_from_below = self.gates.of(pin.neuron)[pin.datum] == low;
        if below > 0.0 && above < 0.0 {
            self.gates.set(pin, 0.0);
            let place = self
                .gates
                .pins
                .partition_point(|other| other.neuron < pin.neuron);
            self.gates.pins.insert(place, pin);
            events.pins += 1;
        } else {
            self.gates
                .set(pin, if comes_from_below { high } else { low });
            events.crossings += 1;
        }
    }
}

/// Trains an initial network.
///
/// # Errors
/// [`Error::NotConverged`] where an eigenvalue problem of size m fails.
pub fn train(
    setting: &Setting,
    initial: &Network,
    options: &Options,
    observe: &mut dyn FnMut(&State<'_>),
) -> Result<Run> {
    let model = Model::new(setting, initial, options.trained, options.uncentred);
    let mut flow = Flow {
        gates: model.initial_gates(),
        model: &model,
        options: *options,
        evaluations: 0,
        spare: Vec::new(),
    };
    let mut dual = vec![0.0; 3 * model.width() + 1];
    let mut point = flow.at(&dual);
    let (mut time, mut steps, mut tried) = (0.0, 0, 0);
    let (mut events, mut largest) = (Events::default(), Displacement::default());
    let mut length = None;
    let status = loop {
        observe(&State {
            time,
            dual: &dual,
            point: &point,
            gates: &flow.gates,
            model: &model,
        });
        largest = point.displacement(&model).max(largest);
        if let Some(status) = progress(&model, &point, &flow.gates) {
            break status;
        }
        if time >= options.horizon || point.loss() <= options.loss {
            break Status::Horizon;
        }
        // What no longer holds its knot lets go at once.
        while let Some(pin) = flow.strained(&point) {
            flow.turn(&point, pin, &mut events);
            point = flow.at(&dual);
        }
        let spectrum = Spectrum::of(&model.kernel(&point, &flow.gates))?;
        let fastest = spectrum.values.iter().fold(0.0_f64, |a, v| a.max(*v));
        let mut h: f64 = length.unwrap_or(0.1 / fastest);
        h = h.min(options.horizon - time);
        let trial = loop {
            tried += 1;
            if tried > options.most_steps || h <= 4.0 * f64::EPSILON * time || h.is_nan() {
                break None;
            }
            let trial = flow.step(&dual, &point, &spectrum, h);
            let factor = (0.9 * trial.error.powf(-1.0 / 4.0)).clamp(0.2, 8.0);
            if trial.error > 1.0 {
                flow.spare.push(trial.point);
                h *= factor.min(0.9);
                continue;
            }
            length = Some(h * factor);
            break Some(trial);
        };
        let Some(mut trial) = trial else {
            break if tried > options.most_steps {
                Status::OutOfSteps
            } else {
                Status::Collapsed
            };
        };
        // Shorten the step to the first event, by the rule of false position.
        let mut event = None;
        let mut share = 1.0;
        for _ in 0..60 {
            let Some((at, pin)) = flow.first_event(&point, &trial.point) else {
                break;
            };
            event = Some(pin);
            share *= at.clamp(0.0, 1.0);
            if share * h <= 4.0 * f64::EPSILON * time {
                break;
            }
            tried += 1;
            trial = flow.step(&dual, &point, &spectrum, share * h);
        }
        if trial.point.loss() < options.loss {
            event = None;
            (share, trial) = flow.down_to_the_loss(&dual, &point, &spectrum, (h, share), trial);
        }
        dual = trial.dual;
        flow.spare.push(std::mem::replace(&mut point, trial.point));
        if flow.hold(&mut dual, &point) {
            point = flow.at(&dual);
        }
        time += share * h;
        steps += 1;
        if let Some(pin) = event {
            flow.turn(&point, pin, &mut events);
            length = length.map(|length| length.min(h));
            point = flow.at(&dual);
        }
    };
    let network = model.network(&point.parameters);
    Ok(Run {
        residual: setting.residual(&network),
        network,
        status,
        time,
        steps,
        evaluations: flow.evaluations,
        events,
        displacement: point.displacement(&model),
        largest_displacement: largest,
    })
}

/// Whether training is at its end.
pub(super) fn progress(model: &Model, point: &Point, gates: &Gates) -> Option<Status> {
    if !point.largest_residual().is_finite() {
        Some(Status::Diverged)
    } else if point.largest_residual() <= CONVERGED * model.value_scale() {
        Some(Status::Converged)
    } else if vanishes(model, point, gates) {
        Some(Status::Stationary)
    } else {
        None
    }
}

/// Whether every derivative of the loss is round-off of its own terms.
fn vanishes(model: &Model, point: &Point, gates: &Gates) -> bool {
    let gradient = model.transposed(point, gates, &point.residual);
    let largest = point.largest_residual();
    let n = model.width();
    let reach = model.inputs().iter().fold(1.0_f64, |a, x| a.max(x.abs()));
    (0..3 * n + 1)
        .filter(|&j| point.inverse_metric[j] != 0.0)
        .all(|j| {
            let k = j % n.max(1);
            let size = match j / n {
                0 | 1 => point.parameters[2 * n + k].abs() * reach,
                2 => point.parameters[k].abs() * reach + point.parameters[n + k].abs(),
                _ => 1.0,
            };
            gradient[j].abs() <= VANISHING * model.inputs().len() as f64 * largest * size
        })
}
