//! Does the theory describe a trained network? (proofs.md, "A network trained elsewhere".)
//!
//! Three references of growing sharpness: h̄ of the infinite width, the projection of the network's own
//! start onto the values it attains at the data, and its own mirror flow down to its own loss.

use ndarray::{Array1, Array2, Axis};
use ndarray_linalg::{Eigh, LeastSquaresSvd, UPLO};
use rayon::prelude::*;
use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, DiscreteCDF, Normal};

use super::{distance, extrapolation, fluctuation, statistics};
use crate::{
    Error, Result,
    setting::{Activation, Family, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        bregman_projection,
        conservation::Conservation,
        dual::{LocalBasis, Sheet},
        infinite_width::{self, Solution},
        mirror_descent::{self, Rule::Euler},
        mirror_flow::{self, Options, Run, State, Status},
        model::Displacement,
    },
};

/// What is asked about a network.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The theory: activation, potential, scaling, density of the biases; and the data.
    pub setting: &'a Setting,
    /// The trained network.
    pub network: &'a Network,
    /// Its start; none where it is not known.
    pub initial: Option<&'a Network>,
    /// How the output layer is said to have started.
    pub output: OutputInit,
    /// Φ about 0 instead of θ̂.
    pub uncentred: bool,
    /// Size of the whole decision: each of its tests takes an equal part.
    pub alpha: f64,
    /// Flow time of the longest explicit step with which the network may have been trained.
    pub step: f64,
}

/// One comparison of the decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// In words, with its numbers.
    pub what: String,
    /// Whether it agrees with the theory.
    pub agrees: bool,
}

/// Whether the theory describes a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing disagrees.
    Consistent,
    /// Something does.
    Inconsistent,
    /// It is not trained: the residual is above 10⁻² max|y|.
    NotConverged,
}

/// A distance, and how much of it discrete steps, stopping and finite width explain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Explained {
    /// What was measured.
    pub measured: f64,
    /// How much of it the theory allows.
    pub allowed: f64,
}

impl Explained {
    fn agrees(self) -> bool {
        self.measured <= self.allowed
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// max|f(x_i) − y_i|.
    pub residual: f64,
    /// Whether that is at most 10⁻² max|y|.
    pub trained: bool,
    /// max|θ_j − θ̂_j|; none without the start.
    pub displacement: Option<Displacement>,
    /// The same of the network's own flow.
    pub own_displacement: Option<Displacement>,
    /// Where |f − f(·, θ̂) − h̄\[y − f(x_i, θ̂)\]| is largest over \[−1.5, 1.5\]·max|x_i|.
    pub place: f64,
    /// That distance.
    pub sup_distance: f64,
    /// Predicted standard deviation of f there (law 1).
    pub predicted_sd: f64,
    /// Of the test that the network fluctuates about h̄ as law 1 says.
    pub p_value: Option<f64>,
    /// sup distance to the projection of the start onto the attained values.
    pub projection: Option<Explained>,
    /// sup distance to the network's own flow at the network's loss.
    pub own_flow: Option<Explained>,
    /// Largest deviation of φ'(nΔa) from a line in the knot between data, relative to its largest value.
    pub shape: Option<Explained>,
    /// What the decision rests on: disagreements first.
    pub findings: Vec<Finding>,
}

/// Residuals relative to max|y| up to which a network is trained.
const TRAINED: f64 = 1e-2;
/// Evaluations of a neuron at a datum up to which explicit steps are taken instead of estimated.
const EXPLICIT: f64 = 1e8;
/// How far a flow is followed: steps times neurons times data, and at least so many steps.
const MOST_WORK: usize = 200_000_000;
const LEAST_STEPS: usize = 500;
/// Widths up to which the test about h̄ draws networks of its own instead of trusting the limit's law.
const SMALL: usize = 1_000;
/// Points at which that test looks, at most.
const MOST_POINTS: usize = 8;
/// Directions that fluctuate less than this times the largest are left out of it (variances).
const FAINT: f64 = 1e-4;
/// Networks drawn there: at most, in parallel, and until so many are at least as far.
const MOST_DRAWS: u64 = 20_000;
const BATCH: u64 = 32;
const ENOUGH: u64 = 10;
/// How far biases may have moved, in units of the largest move that is certain.
const FARTHEST: f64 = 2.0;
/// How often an unknown start is sought again by the moves of the flow from it.
const RETURNS: usize = 3;
/// Neurons whose start is chosen between two one by one.
const TRIALS: usize = 16;
/// A start is told from another where its flow ends nearer to the network by this factor.
const APART: f64 = 0.5;
/// Statistical tests of a decision.
const TESTS: f64 = 4.0;

/// Compares a network with the theory.
///
/// # Errors
/// Those of [`infinite_width::minimize`]: the data have no interpolant, or Newton's method failed.
pub fn inspect(question: &Question<'_>) -> Result<Inspection> {
    let Question {
        setting, network, ..
    } = *question;
    let data = &setting.dataset;
    let (sigma, edge) = (setting.activation, 1.5 * data.largest_input());
    let attained = attained(question);
    let residual = setting.residual(network);
    let level = TRAINED * data.largest_value();
    let mut findings = vec![Finding {
        what: format!(
            "largest |f(x_i) − y_i| {residual:.3e}; trained where at most 1e-2·max|y| = {level:.3e}{}",
            if residual <= level {
                ""
            } else {
                misread(question, level)
            }
        ),
        agrees: residual <= level,
    }];
    let start = start(question, &attained);
    let initial = &start.network;
    start_of(question, initial, &mut findings);

    let own = |x: f64| initial.output(sigma, x);
    let limit = |values: &[f64]| -> Result<Solution> {
        let pairs = data.x().iter().zip(values);
        infinite_width::minimize(&Setting {
            dataset: data.with_values(pairs.map(|(&x, value)| value - own(x)).collect())?,
            ..setting.clone()
        })
    };
    let solution = limit(data.y())?;
    let (place, sup_distance) = distance::located(
        |x| network.output(sigma, x) - own(x) - solution.value(x),
        edge,
    );
    let root = (network.width() as f64).sqrt();
    let predicted_sd = fluctuation::standard_deviations(&solution, &[place])?[0] / root;
    let flows = Flows::new(question, initial, &attained);

    let p_value = flows.as_ref().ok().and_then(|flows| {
        // What d and the inner weights add to the projection, of which law 1 speaks.
        let function = |x: f64| network.output(sigma, x) - flows.beyond_projection(x) - own(x);
        let solution = limit(&attained).ok()?;
        about_the_limit(question, &solution, network.width(), &function)
    });
    findings.push(Finding {
        what: format!(
            "sup distance to the infinite width {sup_distance:.3e} at x = {place:.3}, where networks of \
             this width have standard deviation {predicted_sd:.3e}; {}",
            p_value.map_or("not tested".into(), |p| format!("p = {p:.2e}"))
        ),
        agrees: p_value.is_none_or(|p| p >= question.alpha / TESTS),
    });
    let mut inspection = Inspection {
        residual,
        trained: residual <= level,
        displacement: question.initial.map(|start| displacement(network, start)),
        own_displacement: None,
        place,
        sup_distance,
        predicted_sd,
        p_value,
        projection: None,
        own_flow: None,
        shape: None,
        findings,
    };
    match flows {
        Ok(flows) => inspection.compare(question, &start, &attained, &flows),
        Err(why) => inspection.find(true, format!("not compared with its own flow: {why}")),
    }
    inspection.findings.sort_by_key(|finding| finding.agrees);
    Ok(inspection)
}

/// As what a network is trained, where it is not as what it was said to be.
fn misread(question: &Question<'_>, level: f64) -> &'static str {
    let Question {
        setting, network, ..
    } = *question;
    let other = Setting {
        activation: match setting.activation {
            Activation::Relu => Activation::Abs,
            Activation::Abs => Activation::Relu,
        },
        ..setting.clone()
    };
    let turned = Network {
        b: -&network.b,
        ..network.clone()
    };
    if other.residual(network) <= level {
        "; with the other --activation it is"
    } else if setting.residual(&turned) <= level {
        "; with the other --convention it is"
    } else {
        ""
    }
}

/// f(x_i).
fn attained(question: &Question<'_>) -> Vec<f64> {
    let (data, sigma) = (&question.setting.dataset, question.setting.activation);
    let values = data.x().iter().map(|&x| question.network.output(sigma, x));
    values.collect()
}

/// How to follow the network's own flow: to its loss.
fn options(question: &Question<'_>, attained: &[f64]) -> Options {
    let data = &question.setting.dataset;
    let squares = attained.iter().zip(data.y()).map(|(f, y)| (f - y).powi(2));
    Options {
        uncentred: question.uncentred,
        loss: 0.5 * squares.sum::<f64>() / data.len() as f64,
        most_steps: LEAST_STEPS.max(MOST_WORK / (question.network.width() * data.len())),
        ..Options::default()
    }
}

/// Where a network started, as far as that is known.
struct Start {
    network: Network,
    /// 0 for neurons whose start cannot be told, else 1 (n).
    told: Array1<f64>,
    /// How far the biases of the others may be off (n).
    doubt: Array1<f64>,
    /// Where the flow from a start that was sought ends, if at the network.
    end: Option<Network>,
}

/// The start of a network. Where it is not known, ±1, zero and the biases from which the flow ends at the network's.
fn start(question: &Question<'_>, attained: &[f64]) -> Start {
    let network = question.network;
    let n = network.width();
    let start = Start {
        network: Network {
            w: network.w.mapv(f64::signum),
            b: network.b.clone(),
            a: Array1::zeros(n),
            d: 0.0,
        },
        told: Array1::ones(n),
        doubt: Array1::zeros(n),
        end: None,
    };
    let options = options(question, attained);
    let follow = |from: &Network| {
        let run = mirror_flow::train(question.setting, from, &options, &mut |_| {});
        run.ok().map(|run| run.network)
    };
    match question.initial {
        Some(known) => Start {
            network: known.clone(),
            ..start
        },
        // Moves of input weights fall below the last place there, and nothing is conserved.
        None if is_single(network) => by_returns(question, start, follow),
        None => by_conservation(question, start, follow),
    }
}

/// The biases by what the flow conserves, which has two solutions: where neither is too far away, the one is taken
/// whose neuron the flow ends nearer to.
fn by_conservation(
    question: &Question<'_>,
    mut start: Start,
    follow: impl Fn(&Network) -> Option<Network> + Sync,
) -> Start {
    let (network, n) = (question.network, question.network.width());
    let law = Conservation::new(question.setting, n, question.uncentred);
    let origins = law.origins(&start.network, network);
    let reach = FARTHEST * largest(&(&network.b - &origins.nearer));
    let open = (0..n).filter(|&k| (network.b[k] - origins.farther[k]).abs() <= reach);
    let open: Vec<usize> = open.collect();
    start.network.b.assign(&origins.nearer);
    let switch =
        |b: &mut Array1<f64>, k: usize| b[k] = origins.nearer[k] + origins.farther[k] - b[k];
    let off = |end: &Network| {
        let [b, a] = [&end.b - &network.b, &end.a - &network.a];
        b.mapv(f64::abs) + a.mapv(f64::abs)
    };
    let told = |stayed: f64, switched: f64| {
        let (less, more) = (stayed.min(switched), stayed.max(switched));
        f64::from(u8::from(less < APART * more))
    };
    // All at once, then one by one those of which most depends.
    let mut other = start.network.clone();
    open.iter().for_each(|&k| switch(&mut other.b, k));
    let (one, two) = rayon::join(|| follow(&start.network), || follow(&other));
    let (Some(one), Some(two)) = (one, two) else {
        start.told.fill(0.0);
        return start;
    };
    let (stayed, switched) = (off(&one), off(&two));
    for &k in &open {
        start.told[k] = told(stayed[k], switched[k]);
        if switched[k] < stayed[k] {
            switch(&mut start.network.b, k);
        }
    }
    let mut end = follow(&start.network).unwrap_or(one);
    let mut between = open;
    let apart = |k: usize| (origins.nearer[k] - origins.farther[k]).abs();
    between.sort_by(|&k, &l| apart(l).total_cmp(&apart(k)));
    for &k in between.iter().take(TRIALS) {
        let mut other = start.network.clone();
        switch(&mut other.b, k);
        let Some(reached) = follow(&other) else { break };
        let (stayed, switched) = (off(&end).sum(), off(&reached).sum());
        start.told[k] = told(stayed, switched);
        if switched < stayed {
            (start.network, end) = (other, reached);
        }
    }
    let misfit = |end: &Network| largest(&(&end.a - &network.a)) / largest(&network.a);
    let error =
        |k: usize| (end.b[k] - network.b[k]).abs() + origins.condition[k] * unit_round_off(network);
    // Where nothing is told the law may be flat, and the error infinite.
    start.doubt = (0..n)
        .map(|k| if start.told[k] > 0.0 { error(k) } else { 0.0 })
        .collect();
    start.end = Some(end).filter(|end| misfit(end) <= TRAINED);
    start
}

/// The biases by the moves of the flow from the last ones, which depend on them smoothly but where a knot meets a
/// datum: neurons whose knot ended within reach of one are not told. Of the others all of a move may be lost.
fn by_returns(
    question: &Question<'_>,
    mut start: Start,
    follow: impl Fn(&Network) -> Option<Network>,
) -> Start {
    let (network, data) = (question.network, question.setting.dataset.x());
    for _ in 0..RETURNS {
        let Some(end) = follow(&start.network) else {
            break;
        };
        let reach = largest(&(end.knots() - start.network.knots()));
        let near = |c: f64| data.iter().any(|x| (c - x).abs() <= reach);
        start.told = network.knots().mapv(|c| f64::from(u8::from(!near(c))));
        start.network.b -= &(end.b - &network.b);
        start.doubt = (&network.b - &start.network.b).mapv(f64::abs);
    }
    start
}

/// Whether a network's numbers are of single precision: it shows in them.
fn is_single(network: &Network) -> bool {
    network.a.iter().all(|a| f64::from(*a as f32) == *a)
}

/// Half a unit in the last place of 1, in the precision of a network's numbers.
fn unit_round_off(network: &Network) -> f64 {
    if is_single(network) {
        0.5 * f64::from(f32::EPSILON)
    } else {
        0.5 * f64::EPSILON
    }
}

impl Inspection {
    /// The decision of the command line's interface.
    pub fn verdict(&self) -> Verdict {
        if !self.trained {
            Verdict::NotConverged
        } else if self.findings.iter().all(|finding| finding.agrees) {
            Verdict::Consistent
        } else {
            Verdict::Inconsistent
        }
    }

    /// The second and third reference, and the shape of the penalty.
    fn compare(&mut self, question: &Question<'_>, start: &Start, attained: &[f64], flows: &Flows) {
        let Question {
            setting, network, ..
        } = *question;
        let (initial, sigma) = (&start.network, setting.activation);
        let edge = 1.5 * setting.dataset.largest_input();
        let between = |one: &Network, other: &Network| {
            distance::sup(|x| one.output(sigma, x) - other.output(sigma, x), edge)
        };
        let flow = &flows.stopped.network;
        let width = flows.output_bias + flows.inner;
        let steps = flows.steps;
        if question.initial.is_some() {
            self.own_displacement = Some(flows.stopped.displacement);
            let found = Explained {
                measured: between(network, flow),
                allowed: flows.stopping + steps + flows.rounding,
            };
            let Explained { measured, allowed } = found;
            self.find(
                found.agrees(),
                format!(
                    "distance to its own flow at its loss {measured:.3e}; stopping ({:.1e}), steps of {} \
                     ({steps:.1e}) and rounding ({:.1e}) explain {allowed:.3e}",
                    flows.stopping, question.step, flows.rounding
                ),
            );
            self.own_flow = Some(found);
            if let Some(projected) = project(setting, initial, attained) {
                let found = Explained {
                    measured: between(network, &projected),
                    allowed: width + steps + flows.rounding,
                };
                let Explained { measured, allowed } = found;
                self.find(
                    found.agrees(),
                    format!(
                        "distance to the projection of its start onto its values at the data \
                         {measured:.3e}; finite width ({width:.1e}), steps and rounding explain {allowed:.3e}"
                    ),
                );
                self.projection = Some(found);
                if found.agrees() && self.own_flow.is_some_and(|own| !own.agrees()) {
                    self.explain(question, initial, attained, flows.single);
                }
            }
        }
        let shapes = [network, flow, &flows.rougher.network];
        let shapes = shapes.map(|network| deviation(setting, start, network));
        if let [Some((measured, doubt)), Some((own, _)), Some((rougher, _))] = shapes {
            // A start from which the flow ends at the network is as good as its last digits.
            let end = start
                .end
                .as_ref()
                .and_then(|end| deviation(setting, start, end));
            let missed = end.map_or(0.0, |(end, _)| (measured - end).abs());
            // In single precision moves of inner weights are lost, by neuron: up to all of it again.
            let times = if flows.single { 2.0 } else { 1.0 + flows.lag };
            let found = Explained {
                measured,
                allowed: times * own
                    + doubt
                    + missed
                    + (own - rougher).abs()
                    + flows.relative_residue
                    + flows.relative_rounding,
            };
            self.find(
                found.agrees(),
                format!(
                    "φ'(nΔa) is off lines in the knot by {measured:.3e} of its size; finite width, steps \
                     and rounding explain {:.3e}",
                    found.allowed
                ),
            );
            self.shape = Some(found);
        }
    }

    /// Why a network that is a projection may be off its own flow.
    fn explain(
        &mut self,
        question: &Question<'_>,
        initial: &Network,
        attained: &[f64],
        single: bool,
    ) {
        let Question {
            setting, network, ..
        } = *question;
        let other = Question {
            uncentred: !question.uncentred,
            ..question.clone()
        };
        let edge = 1.5 * setting.dataset.largest_input();
        let sigma = setting.activation;
        if let Ok(flows) = Flows::new(&other, initial, attained) {
            let flow = &flows.stopped.network;
            let off = |x: f64| network.output(sigma, x) - flow.output(sigma, x);
            let allowed = flows.stopping + flows.steps + flows.rounding;
            if distance::sup(off, edge) <= allowed {
                let flag = if other.uncentred { "with" } else { "without" };
                let what = format!("{flag} --uncentred its own flow is where it is");
                return self.find(false, what);
            }
        }
        let why = if single {
            ": training seems to have stalled, as it does where updates fall below single precision"
        } else {
            ""
        };
        self.find(
            false,
            format!(
                "it is a projection for the values it attains, but its flow has other values at this \
                 loss, by more than stopping explains{why}"
            ),
        );
    }

    fn find(&mut self, agrees: bool, what: String) {
        self.findings.push(Finding { what, agrees });
    }
}

/// The projection of a start onto values at the data; none where its features do not span them.
fn project(setting: &Setting, initial: &Network, values: &[f64]) -> Option<Network> {
    let setting = Setting {
        dataset: setting.dataset.with_values(values.to_vec()).ok()?,
        ..setting.clone()
    };
    let projection = bregman_projection::project(&setting, initial).ok()?;
    Some(projection.network)
}

/// max|θ − θ̂| of each kind.
fn displacement(network: &Network, start: &Network) -> Displacement {
    Displacement {
        w: largest(&(&network.w - &start.w)),
        b: largest(&(&network.b - &start.b)),
        a: largest(&(&network.a - &start.a)),
        d: (network.d - start.d).abs(),
    }
}

/// Whether the start is one that the setting draws.
fn start_of(question: &Question<'_>, initial: &Network, findings: &mut Vec<Finding>) {
    let n = initial.width();
    let size = question.alpha / TESTS;
    let mut find = |what: String, agrees: bool| findings.push(Finding { what, agrees });
    if initial.w.iter().any(|w| w.abs() != 1.0) {
        find("an initial input weight is not ±1".into(), false);
    } else {
        let positive = initial.w.iter().filter(|w| **w > 0.0).count() as u64;
        let p = Binomial::new(0.5, n as u64).map_or(1.0, |law| {
            let tail = |count: u64| law.cdf(count);
            (2.0 * tail(positive.min(n as u64 - positive))).min(1.0)
        });
        let ended = &question.network.w;
        let far = ended.iter().filter(|w| (w.abs() - 1.0).abs() > 0.5).count();
        let hint = match question.initial {
            None if far > 0 => format!(
                "; {far} ended further than 1/2 from ±1, where an unknown start is taken to be: if it was not, save w0, b0, \
                 a0 and d0"
            ),
            _ => String::new(),
        };
        find(
            format!("{positive} of {n} initial input weights are +1: p = {p:.2e}{hint}"),
            p >= size,
        );
    }
    let density = &question.setting.bias;
    let transforms = initial.b.iter().map(|&b| density.distribution(b)).collect();
    let p = uniformity(transforms);
    find(
        format!("initial biases from {density}: p = {p:.2e} (Kolmogorov–Smirnov)"),
        p >= size,
    );
    match question.output {
        OutputInit::Zero => {
            let zero = initial.d == 0.0 && initial.a.iter().all(|a| *a == 0.0);
            if !zero {
                find(
                    "the output layer did not start at zero: see --output-init".into(),
                    false,
                );
            }
        }
        OutputInit::Random {
            output_weight,
            output_bias,
        } => {
            let root = (n as f64).sqrt();
            let normal = Normal::standard();
            let transforms = initial
                .a
                .iter()
                .map(|a| normal.cdf(a * root / output_weight));
            let tail = normal.cdf(-(initial.d / output_bias).abs());
            // Two tests in the place of one.
            let p = (2.0 * uniformity(transforms.collect()).min(2.0 * tail)).min(1.0);
            find(
                format!("initial output layer from {}: p = {p:.2e}", question.output),
                p >= size,
            );
        }
    }
}

/// p-value of the Kolmogorov–Smirnov test of uniformity; 0 where a value is NaN.
fn uniformity(values: Vec<f64>) -> f64 {
    let alternative = statistics::Alternative::new("", 0.0);
    let evidence = statistics::uniform("", values, &alternative);
    evidence.test.p_value.unwrap_or(0.0)
}

/// The network's own flow, and what may part a network from it.
struct Flows {
    activation: Activation,
    /// Down to the network's loss.
    stopped: Run,
    /// The same with ten times the tolerance.
    rougher: Run,
    /// The projection of the start onto its values.
    projected: Network,
    /// How far apart two networks of that loss may be: twice the sup distance to the flow's end, plus what
    /// ten times the tolerance changes.
    stopping: f64,
    /// sup of what d adds to the projection, and of what the inner weights add.
    output_bias: f64,
    inner: f64,
    /// sup of what explicit steps change, and relative in ∇Φ how far they leave the row space.
    steps: f64,
    relative_residue: f64,
    /// Relative change of the moves of inner weights by explicit steps.
    lag: f64,
    /// Whether the file's numbers are of single precision.
    single: bool,
    /// What that precision leaves open, and relative in ∇Φ.
    rounding: f64,
    relative_rounding: f64,
}

impl Flows {
    fn new(
        question: &Question<'_>,
        initial: &Network,
        attained: &[f64],
    ) -> std::result::Result<Self, String> {
        let Question {
            setting, network, ..
        } = *question;
        let (data, sigma) = (&setting.dataset, setting.activation);
        let options = options(question, attained);
        let (single, unit) = (is_single(network), unit_round_off(network));
        let mut steps = Steps::new(question, unit);
        let mut end = None;
        let coarse = Options {
            tolerance: 10.0 * options.tolerance,
            ..options
        };
        let to_the_end = Options {
            loss: 0.0,
            ..coarse
        };
        let follow = |options| mirror_flow::train(setting, initial, &options, &mut |_| {});
        let (stopped, (rougher, ended)) = rayon::join(
            || {
                mirror_flow::train(setting, initial, &options, &mut |state| {
                    steps.add(state);
                    let n = state.model.width();
                    let of = |values: &[f64]| {
                        let ordered = state.model.in_network_order(values);
                        Array1::from(ordered[2 * n..3 * n].to_vec())
                    };
                    end = Some((of(&state.point.inverse_metric), of(state.dual)));
                })
            },
            || (follow(coarse), follow(to_the_end)),
        );
        let text = |error: Error| error.to_string();
        let (stopped, rougher, ended) = (
            stopped.map_err(text)?,
            rougher.map_err(text)?,
            ended.map_err(text)?,
        );
        let failed = |run: &Run| matches!(run.status, Status::Collapsed | Status::OutOfSteps);
        if [&stopped, &rougher, &ended].into_iter().any(failed) {
            return Err("the flow takes too many steps".into());
        }
        let values: Vec<f64> = data
            .x()
            .iter()
            .map(|&x| stopped.network.output(sigma, x))
            .collect();
        let projected = project(setting, initial, &values).ok_or(
            "its start has no projection (input weights other than ±1, or too few neurons)",
        )?;
        let (metric, dual) = end.ok_or("the flow does not start")?;
        let edge = 1.5 * data.largest_input();
        let between = |one: &Network, other: &Network| {
            distance::sup(|x| one.output(sigma, x) - other.output(sigma, x), edge)
        };
        let left = |moved: &Array1<f64>, d: f64| restored(setting, initial, &metric, moved, d);
        let bias = left(
            &Array1::zeros(initial.width()),
            stopped.network.d - initial.d,
        )?;
        let residue = left(&(&steps.residue * &metric), 0.0)?;
        let inner = |x: f64| {
            let beyond = stopped.network.output(sigma, x) - projected.output(sigma, x);
            beyond - bias.output(sigma, x)
        };
        let inner = distance::sup(inner, edge);
        // To first order, twice for what follows; seen where that is cheap.
        let first = distance::sup(|x| residue.output(sigma, x), edge) + steps.lag() * inner;
        let count = stopped.time / question.step;
        let cheap = count * (initial.width() * data.len()) as f64 <= EXPLICIT;
        let seen = if cheap {
            let options = Options {
                most_steps: 2 * count as usize + 1_000,
                ..options
            };
            let euler = mirror_descent::train(setting, initial, Euler, question.step, &options);
            between(&stopped.network, &euler.network)
        } else {
            0.0
        };
        let size = largest(&dual).max(f64::MIN_POSITIVE);
        let walk = count.sqrt();
        let norm = network.a.dot(&network.a).sqrt();
        Ok(Self {
            activation: sigma,
            single,
            stopping: 2.0 * between(&stopped.network, &ended.network)
                + between(&stopped.network, &rougher.network),
            output_bias: distance::sup(|x| bias.output(sigma, x), edge),
            inner,
            steps: (2.0 * first).max(seen),
            relative_residue: 2.0 * largest(&steps.residue) / size,
            lag: steps.lag(),
            // Four standard deviations of independent rounding errors.
            rounding: 4.0 * unit * walk * norm * (1.0 + edge),
            relative_rounding: 4.0 * unit * walk + largest(&steps.lost) / size,
            stopped,
            rougher,
            projected,
        })
    }

    fn beyond_projection(&self, x: f64) -> f64 {
        let [flow, projected] =
            [&self.stopped.network, &self.projected].map(|one| one.output(self.activation, x));
        flow - projected
    }
}

fn largest(values: &Array1<f64>) -> f64 {
    extrapolation::largest(values.iter().copied())
}

/// What explicit steps of length h do, to first order, summed along the flow by the trapezoidal rule.
struct Steps {
    step: f64,
    uncentred: bool,
    unit: f64,
    /// (h/2)∫Φ'''(a_k)ȧ_k² dt: how far they leave the row space (n).
    residue: Array1<f64>,
    /// What of ∫|ζ̇_k|dt, ζ that of a, falls to updates h|ȧ_k| below half a unit in a_k's last place (n).
    lost: Array1<f64>,
    /// h∫|ȧ||r|dt and ∫|a||r|dt, largest entries: the force on inner weights is a times residuals.
    lagging: f64,
    driving: f64,
    last: Option<(f64, Rates)>,
}

#[derive(Clone)]
struct Rates {
    bend: Array1<f64>,
    lost: Array1<f64>,
    lagging: f64,
    driving: f64,
}

impl Steps {
    fn new(question: &Question<'_>, unit: f64) -> Self {
        let zero = Array1::zeros(question.network.width());
        Self {
            step: question.step,
            uncentred: question.uncentred,
            unit,
            residue: zero.clone(),
            lost: zero,
            lagging: 0.0,
            driving: 0.0,
            last: None,
        }
    }

    fn add(&mut self, state: &State<'_>) {
        let (model, point) = (state.model, state.point);
        let n = model.width();
        let gradient = model.transposed(point, state.gates, &point.residual);
        let outputs =
            |values: &[f64]| Array1::from(model.in_network_order(values)[2 * n..3 * n].to_vec());
        let force = outputs(&gradient) * model.rate();
        let speed = &force * &outputs(&point.inverse_metric);
        let a = outputs(&point.parameters);
        let centre = if self.uncentred { 0.0 } else { 1.0 };
        let start = outputs(model.initial()) * centre;
        let third = (&a - &start).mapv(|z| model.potential().third_derivative(z));
        let too_small = |k: usize| self.step * speed[k].abs() < self.unit * a[k].abs();
        let size = point.largest_residual();
        let rates = Rates {
            bend: third * &speed * &speed * (0.5 * self.step),
            lost: (0..n)
                .map(|k| if too_small(k) { force[k].abs() } else { 0.0 })
                .collect(),
            lagging: self.step * largest(&speed) * size,
            driving: largest(&a) * size,
        };
        if let Some((time, before)) = self.last.take() {
            let half = 0.5 * (state.time - time);
            self.residue.scaled_add(half, &(before.bend + &rates.bend));
            self.lost.scaled_add(half, &(before.lost + &rates.lost));
            self.lagging += half * (before.lagging + rates.lagging);
            self.driving += half * (before.driving + rates.driving);
        }
        self.last = Some((state.time, rates));
    }

    fn lag(&self) -> f64 {
        if self.driving > 0.0 {
            self.lagging / self.driving
        } else {
            0.0
        }
    }
}

/// What is left of a move of output weights (n) and output bias when the values at the data are
/// restored along the metric (n): Σ_k moved_k D_x(k) + d D\[1\](x).
fn restored(
    setting: &Setting,
    initial: &Network,
    metric: &Array1<f64>,
    moved: &Array1<f64>,
    d: f64,
) -> std::result::Result<Network, String> {
    let (x, sigma) = (setting.dataset.x(), setting.activation);
    let features = Array2::from_shape_fn((initial.width(), x.len()), |(k, i)| {
        sigma.value(initial.w[k] * x[i] - initial.b[k])
    });
    let softened = &features * &metric.view().insert_axis(Axis(1));
    let kernel = features.t().dot(&softened);
    let values = features.t().dot(moved) + d;
    let back = kernel
        .least_squares(&values)
        .map_err(|error| error.to_string())?;
    Ok(Network {
        a: moved - &softened.dot(&back.solution),
        d,
        ..initial.clone()
    })
}

/// p-value of the squared Mahalanobis distance of a function to h̄ at points between the data: from
/// law 1, and for small networks by drawing others of the same width (Besag and Clifford, Biometrika 78,
/// 1991: draws end with the tenth at least as far).
fn about_the_limit(
    question: &Question<'_>,
    solution: &Solution,
    n: usize,
    function: &(dyn Fn(f64) -> f64 + Sync),
) -> Option<f64> {
    let setting = solution.setting();
    let x = setting.dataset.x();
    let edge = 1.5 * setting.dataset.largest_input();
    let ends = [-edge].into_iter().chain(x.iter().copied()).chain([edge]);
    let ends: Vec<f64> = ends.collect();
    let middles = ends.windows(2).map(|pair| 0.5 * (pair[0] + pair[1]));
    let middles: Vec<f64> = middles.collect();
    let stride = middles.len().div_ceil(MOST_POINTS);
    let points: Vec<f64> = middles.into_iter().step_by(stride).collect();
    let covariance = fluctuation::covariance(solution, &points).ok()?;
    let (values, vectors) = covariance.eigh(UPLO::Lower).ok()?;
    let kept: Vec<usize> = (0..values.len())
        .filter(|&i| values[i] > FAINT * largest(&values))
        .collect();
    if kept.is_empty() {
        return None;
    }
    let limit: Vec<f64> = points.iter().map(|&x| solution.value(x)).collect();
    let statistic = |function: &dyn Fn(f64) -> f64| -> f64 {
        let pairs = points.iter().zip(&limit);
        let off: Array1<f64> = pairs.map(|(&x, h)| function(x) - h).collect();
        let squares = kept
            .iter()
            .map(|&i| vectors.column(i).dot(&off).powi(2) / values[i]);
        squares.sum::<f64>() * n as f64
    };
    let measured = statistic(function);
    if n > SMALL {
        let law = ChiSquared::new(kept.len() as f64).ok()?;
        return Some(law.sf(measured));
    }
    let most = ((2.0 * TESTS / question.alpha).ceil() as u64).min(MOST_DRAWS);
    let (mut drawn, mut beyond) = (0, 0);
    while drawn < most {
        let further = |seed: u64| -> Option<bool> {
            let start = Network::sample(&setting.bias, OutputInit::Zero, n, seed);
            let network = bregman_projection::project(setting, &start).ok()?.network;
            Some(statistic(&|x| network.output(setting.activation, x)) >= measured)
        };
        let batch = drawn..drawn + BATCH;
        let batch: Vec<Option<bool>> = batch.into_par_iter().map(further).collect();
        for further in batch {
            drawn += 1;
            beyond += u64::from(further.unwrap_or(false));
            if beyond == ENOUGH {
                return Some(beyond as f64 / drawn as f64);
            }
        }
    }
    Some((beyond + 1) as f64 / (drawn + 1) as f64)
}

/// The largest distance of φ_n'(n(a − â)) from functions of the knot that are linear between the data
/// on each sheet, as the dual variable of this setting is, relative to its largest value; and by how much that
/// function changes where the start is as far off as it may be.
fn deviation(setting: &Setting, start: &Start, network: &Network) -> Option<(f64, f64)> {
    let initial = &start.network;
    let n = initial.width();
    let potential = setting.potential_at_width(n);
    let alpha = (&network.a - &initial.a) * n as f64;
    let told = |values: Array1<f64>| values * &start.told;
    let dual = told(alpha.mapv(|a| potential.mirror_map(a)));
    let size = largest(&dual).max(f64::MIN_POSITIVE);
    let basis = rows(setting, initial);
    let fit = (&basis * &start.told.view().insert_axis(Axis(1)))
        .least_squares(&dual)
        .ok()?
        .solution;
    let line = basis.dot(&fit);
    let doubt = [-1.0, 1.0].map(|side| {
        let b = &initial.b + &start.doubt * side;
        let moved = rows(
            setting,
            &Network {
                b,
                ..initial.clone()
            },
        )
        .dot(&fit);
        largest(&told(moved - &line))
    });
    Some((
        largest(&(dual - told(line))) / size,
        doubt[0].max(doubt[1]) / size,
    ))
}

/// The power family fitted to a network: the potential whose mirror map makes its output weights
/// piecewise linear in the knot.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// p; 2 where the quadratic potential does.
    pub exponent: f64,
    /// ω; none where the quadratic potential does.
    pub omega: Option<f64>,
    /// Root mean square deviation from piecewise linear, relative to that of φ'(nΔa).
    pub deviation: f64,
    /// Potentials that were inspected in the place of the stated one, and what speaks against each.
    pub candidates: Vec<(Potential, Option<String>)>,
}

/// Exponents that are tried, and exponents and weights ω among which the fit is sought.
const EXPONENTS: [f64; 4] = [2.5, 3.0, 4.0, 6.0];
const MOST_EXPONENT: f64 = 8.0;
const LOG_OMEGA: [f64; 2] = [-14.0, 14.0];

/// Fits (p, ω) of φ(z) = (|z|^p + ωz²)/(1 + ω) to a network of known or likely start; none where its
/// input weights did not start at ±1.
///
/// # Errors
/// As [`inspect`].
pub fn fit(question: &Question<'_>) -> Result<Option<Fit>> {
    let Question {
        setting, network, ..
    } = *question;
    let initial = start(question, &attained(question)).network;
    if initial.w.iter().any(|w| w.abs() != 1.0) {
        return Ok(None);
    }
    let units = match setting.scaling {
        Scaling::Scaled => network.width() as f64,
        Scaling::Unscaled => 1.0,
    };
    let moves = (&network.a - &initial.a) * units;
    let rows = rows(setting, &initial);
    let off = |values: &Array1<f64>| -> Option<Array1<f64>> {
        let fit = rows.least_squares(values).ok()?;
        Some(values - &rows.dot(&fit.solution))
    };
    // φ' is a multiple of p·|z|^(p−1)sgn(z) + 2ωz, and so is what is left of it.
    let best_omega = |p: f64| -> Option<(f64, f64)> {
        let power = moves.mapv(|z| p * z.abs().powf(p - 1.0).copysign(z));
        let linear = &moves * 2.0;
        let (power_off, linear_off) = (off(&power)?, off(&linear)?);
        let relative = |log: f64| -> f64 {
            let omega = log.exp();
            let left = &power_off + &(&linear_off * omega);
            let whole = &power + &(&linear * omega);
            (left.dot(&left) / whole.dot(&whole).max(f64::MIN_POSITIVE)).sqrt()
        };
        let (log, least) = minimum(relative, LOG_OMEGA);
        Some((log.exp(), least))
    };
    let deviation = |p: f64| best_omega(p).map_or(f64::INFINITY, |(_, least)| least);
    let (exponent, least) = minimum(deviation, [2.0, MOST_EXPONENT]);
    let omega = best_omega(exponent).map(|(omega, _)| omega);

    let stated = match setting.potential.family() {
        Family::Power { omega, .. } => omega,
        _ => 1.0,
    };
    let mut potentials = vec![Potential::quadratic()];
    for p in EXPONENTS {
        potentials.push(Potential::power(p, stated)?);
    }
    let candidates = potentials.into_par_iter().map(|potential| {
        let setting = Setting {
            potential,
            ..setting.clone()
        };
        let inspection = inspect(&Question {
            setting: &setting,
            ..question.clone()
        })?;
        let against = inspection.findings.into_iter().find(|one| !one.agrees);
        Ok((potential, against.map(|finding| finding.what)))
    });
    let candidates: Vec<(Potential, Option<String>)> = candidates.collect::<Result<_>>()?;
    let quadratic = candidates[0].1.is_none() || exponent < 2.0 + 1e-3;
    Ok(Some(Fit {
        exponent: if quadratic { 2.0 } else { exponent },
        omega: omega.filter(|_| !quadratic),
        deviation: if quadratic { deviation(2.0) } else { least },
        candidates,
    }))
}

/// Where a function of one variable is least over an interval: the best of a grid of 24, then the golden
/// section about it to 10⁻⁶ of a cell. (place, value)
fn minimum(f: impl Fn(f64) -> f64, [low, high]: [f64; 2]) -> (f64, f64) {
    const CELLS: usize = 24;
    let place = |k: usize| low + (high - low) * k as f64 / CELLS as f64;
    let values: Vec<f64> = (0..=CELLS).map(|k| f(place(k))).collect();
    let order = |i: &usize, j: &usize| values[*i].total_cmp(&values[*j]);
    let best = (0..=CELLS).min_by(order).unwrap_or(0);
    let (mut left, mut right) = (place(best.max(1) - 1), place((best + 1).min(CELLS)));
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let mut least = (place(best), values[best]);
    for _ in 0..30 {
        let [a, b] = [
            right - golden * (right - left),
            left + golden * (right - left),
        ];
        let [at_a, at_b] = [f(a), f(b)];
        for candidate in [(a, at_a), (b, at_b)] {
            if candidate.1 < least.1 {
                least = candidate;
            }
        }
        if at_a < at_b { right = b } else { left = a }
    }
    least
}

/// The local basis at the knots of a network's neurons (n × m).
fn rows(setting: &Setting, initial: &Network) -> Array2<f64> {
    let spread = setting.bias.second_moment().sqrt();
    let basis = LocalBasis::new(&setting.dataset, setting.activation, spread);
    let mut rows = Array2::zeros((initial.width(), basis.len()));
    for (k, mut row) in rows.outer_iter_mut().enumerate() {
        let c = initial.w[k] * initial.b[k];
        let sheet = match setting.activation {
            Activation::Abs => Sheet::Both,
            Activation::Relu if initial.w[k] > 0.0 => Sheet::Plus,
            Activation::Relu => Sheet::Minus,
        };
        let interval = basis.x().partition_point(|x| *x <= c);
        let values = basis.functions(interval, sheet, c);
        for (index, value) in basis.indices(interval).into_iter().zip(values) {
            row[index] += value;
        }
    }
    rows
}
