//! `notebook-audit`: what the authors' notebooks draw that the theory does not say, and by how much.

use ndarray::Array1;
use ndarray_linalg::{Eigh, UPLO};
use rayon::prelude::*;

use super::{
    Claim, Context, Control, Findings,
    dynamics::{
        Ensemble, TOLERANCE, describe, not_converged, output_layer::Response, setting, times,
        uncentred::from_zero_output,
    },
};
use crate::{
    Result,
    evidence::{
        Evidence, Kind, certificate, distance,
        extrapolation::{Limit, largest, largest_difference},
    },
    setting::{Activation, Dataset, Network, OutputInit, Scaling, Setting},
    solver::{
        dual::Sheet,
        infinite_width::{self, Solution},
        mirror_descent::{self, Rule},
        mirror_flow::{self, Options},
        model::Trained,
        quadrature::Order,
    },
};

/// The claim (proofs.md, `notebook-audit`).
pub const CLAIM: Claim = Claim {
    id: "notebook-audit",
    statement: "The curves of the authors' notebooks are off by what follows from their code: ω = 2 under \
                labels with ω = 1 (0.0111, 0.0037), data moved to a grid (0.0044; 0.0026, 0.0030, 0.0034), \
                training stopped at 1e-7 (at most 0.0012), potentials not centred, explicit steps, and a \
                density estimate that is half of the density at 0.",
    source: "proofs.md, `notebook-audit`",
    formula: r"\begin{aligned}
              \text{early stop:}\quad f(x) - f_\infty(x) &= g(x)^{\mathsf T} H^{-1} r + O(|r|^2), \\
              \text{explicit steps:}\quad f_h - f_0 &= \tfrac{h}{2}\,\Pi\Bigl[\mathbb{E}\Bigl((\varphi^*)'' \int \varphi'''(\alpha) \Bigl(\frac{d\alpha}{dt}\Bigr)^2 dt\;\sigma(x)\Bigr)\Bigr] + O(h^2), \\
              \text{density of } |h''| \text{ at } 0:\quad p(0^+) &= \sum_{U(x) = 0} \frac{\varphi''(0)}{|U'(x)|}, \quad \hat p(0) \to \tfrac12 p(0^+)
              \end{aligned}",
    controls: &[
        Control {
            id: "labels-right",
            statement: "The panel of curvatures is drawn with the constant of its labels, ω = 1.",
        },
        Control {
            id: "omega-slightly-off",
            statement: "It is drawn with ω = 2.05.",
        },
        Control {
            id: "grid-point-to-the-left",
            statement: "Data are moved to the grid point on their left.",
        },
        Control {
            id: "rate-of-the-start",
            statement: "What is left at the stop is along the slowest mode of φ''(0).",
        },
        Control {
            id: "centring-is-nothing",
            statement: "Potentials that are not centred end where centred ones do.",
        },
        Control {
            id: "steps-are-nothing",
            statement: "Explicit steps end at the projection.",
        },
        Control {
            id: "density-right-at-zero",
            statement: "The density estimate is right at 0.",
        },
    ],
    check,
};

/// Spacing of the grid of 501 points on \[−1.5, 1.5\].
const SPACING: f64 = 0.006;
/// Places at which the notebooks take |h''|.
const CURVATURES: usize = 384;
/// Mean of squares at which they stop.
const STOP: f64 = 1e-7;

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    LabelsRight,
    OmegaSlightlyOff,
    GridPointToTheLeft,
    RateOfTheStart,
    CentringIsNothing,
    StepsAreNothing,
    DensityRightAtZero,
}

use Theory::{
    CentringIsNothing, DensityRightAtZero, GridPointToTheLeft, LabelsRight, OmegaSlightlyOff,
    Paper, RateOfTheStart, StepsAreNothing,
};

fn figure(number: usize, potential: &str) -> Result<Setting> {
    let (data, activation, scaling) = if number == 1 {
        (Dataset::figure1(), Activation::Relu, Scaling::Unscaled)
    } else {
        (Dataset::figure2(), Activation::Abs, Scaling::Scaled)
    };
    setting(data, activation, potential, scaling)
}

fn check(context: &Context) -> Result<Findings> {
    let stops = [
        (1, "quadratic"),
        (2, "quadratic"),
        (2, "power:3,1"),
        (2, "power:4,1"),
    ];
    let stops = stops
        .into_par_iter()
        .enumerate()
        .map(|(number, (figure, potential))| {
            Stop::new(figure, potential, context.draws(420, number))
        });
    let stops: Vec<Stop> = stops.collect::<Result<_>>()?;
    let centring = ["power:3,1", "power:4,1"].into_par_iter().enumerate();
    let centring =
        centring.map(|(number, potential)| Centring::new(potential, context.draws(428, number)));
    let centring: Vec<Centring> = centring.collect::<Result<_>>()?;
    let steps = Steps::new(context.draws(432, 0))?;
    let judge = |theory| -> Result<Vec<Evidence>> {
        let mut evidence = drawn_curvature(theory)?;
        evidence.extend(moved_data(theory)?);
        evidence.extend(stops.iter().map(|stop| stop.judge(theory)));
        evidence.push(longest_stop(&stops)?);
        evidence.extend(centring.iter().map(|one| one.judge(theory)));
        evidence.push(steps.judge(theory));
        evidence.extend(density_at_zero(theory)?);
        Ok(evidence)
    };
    Ok(Findings {
        evidence: judge(Paper)?,
        controls: [
            LabelsRight,
            OmegaSlightlyOff,
            GridPointToTheLeft,
            RateOfTheStart,
            CentringIsNothing,
            StepsAreNothing,
            DensityRightAtZero,
        ]
        .into_iter()
        .map(judge)
        .collect::<Result<_>>()?,
    })
}

/// sup |h̄ − h̄'| over \[−1.5, 1.5\], and the bound on its error.
fn apart(one: &Solution, other: &Solution) -> (f64, f64) {
    let sup = distance::sup(|x| one.value(x) - other.value(x), 1.5);
    let bounds = [one, other].map(|solution| certificate::certify(solution).sup_error_bound);
    (sup, bounds[0] + bounds[1])
}

/// A computed distance against one that was published to four decimals; numerical, since the place of the sup is.
fn published(what: String, (sup, bound): (f64, f64), value: f64) -> Evidence {
    Evidence::compare(Kind::Numerical, what, sup, value, 5e-5 + bound)
}

/// The right panel of figure 2: h̄ under its labels, and the peaks of its density estimate.
fn drawn_curvature(theory: Theory) -> Result<Vec<Evidence>> {
    let drawn = match theory {
        LabelsRight => 1.0,
        OmegaSlightlyOff => 2.05,
        _ => 2.0,
    };
    let mut evidence = Vec::new();
    for (p, distance, peak) in [(3, 0.0111, 0.222), (4, 0.0037, 0.262)] {
        let [label, code] = [1.0, drawn].map(|omega| -> Result<Solution> {
            infinite_width::minimize(&figure(2, &format!("power:{p},{omega}"))?)
        });
        evidence.push(published(
            format!("figure 2, p = {p}: sup distance of h̄ for ω = {drawn} to h̄ for ω = 1"),
            apart(&label?, &code?),
            distance,
        ));
        let setting = figure(2, &format!("power:{p},{drawn}"))?;
        let solution = infinite_width::minimize(&Setting {
            dataset: on_the_grid(&setting.dataset, f64::round)?,
            ..setting
        })?;
        let estimate = KernelDensity::of_curvature(&solution, CURVATURES);
        let peak_of = |estimate: &KernelDensity| {
            let places = (0..=1400).map(|k| estimate.at(f64::from(k) / 100.0));
            largest(places)
        };
        evidence.push(Evidence::compare(
            Kind::Numerical,
            format!("figure 2, p = {p}: peak of the density estimate of |h''|, to three digits"),
            peak_of(&estimate),
            peak,
            5e-4,
        ));
    }
    Ok(evidence)
}

/// A Gaussian density estimate with Scott's bandwidth, not reflected at 0.
struct KernelDensity {
    values: Vec<f64>,
    bandwidth: f64,
}

impl KernelDensity {
    /// Of |h''| at equidistant places of \[−1, 1\].
    fn of_curvature(solution: &Solution, count: usize) -> Self {
        let place = |k: usize| 2.0 * k as f64 / (count - 1) as f64 - 1.0;
        let values = (0..count).map(|k| solution.second_derivative(place(k)).abs());
        let values: Vec<f64> = values.collect();
        let n = count as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        Self {
            bandwidth: (squares / (n - 1.0)).sqrt() * n.powf(-0.2),
            values,
        }
    }

    fn at(&self, v: f64) -> f64 {
        let terms = self.values.iter().map(|value| {
            let z = (value - v) / self.bandwidth;
            (-0.5 * z * z).exp()
        });
        let scale = self.bandwidth * self.values.len() as f64;
        terms.sum::<f64>() / (scale * (2.0 * std::f64::consts::PI).sqrt())
    }
}

/// Inputs on the grid of 501 points on \[−1.5, 1.5\].
fn on_the_grid(dataset: &Dataset, rule: impl Fn(f64) -> f64) -> Result<Dataset> {
    let moved = |x: &f64| -1.5 + SPACING * rule((x + 1.5) / SPACING);
    let x: Vec<f64> = dataset.x().iter().map(moved).collect();
    Dataset::from_points(&x, dataset.y())
}

/// The reference curves: data moved to the nearest point of the grid.
fn moved_data(theory: Theory) -> Result<Vec<Evidence>> {
    let rule = if theory == GridPointToTheLeft {
        f64::floor
    } else {
        f64::round
    };
    let mut evidence = Vec::new();
    for (number, potential, distance) in [
        (1, "quadratic", 0.0044),
        (2, "quadratic", 0.0026),
        (2, "power:3,1", 0.0030),
        (2, "power:4,1", 0.0034),
    ] {
        let setting = figure(number, potential)?;
        let moved = Setting {
            dataset: on_the_grid(&setting.dataset, rule)?,
            ..setting.clone()
        };
        evidence.push(published(
            format!("figure {number}, {potential}: sup |h̄| changes by data moved to 501 points"),
            apart(
                &infinite_width::minimize(&setting)?,
                &infinite_width::minimize(&moved)?,
            ),
            distance,
        ));
    }
    Ok(evidence)
}

/// Training that stops at a loss: what is left is along the slowest mode.
struct Stop {
    name: String,
    /// (f(stop) − f(∞))/√(m·mean of squares) as the stop falls, at points.
    limit: Limit,
    /// What the network's own slowest modes of φ''(α_∞) and of φ''(0) leave.
    predicted: Vec<f64>,
    at_start: Vec<f64>,
    /// Errors of all steps of the flow, in units of what is left.
    uncertainty: f64,
    /// At infinite width and the notebooks' stop.
    largest: f64,
}

impl Stop {
    /// Neurons of the network, output weights trained.
    const NEURONS: usize = 120;
    /// Stops, each a quarter of the one before.
    const STOPS: [f64; 3] = [STOP / 16.0, STOP / 64.0, STOP / 256.0];

    fn new(number: usize, potential: &str, seed: u64) -> Result<Self> {
        let setting = figure(number, potential)?;
        let limit = Setting {
            scaling: Scaling::Scaled,
            potential: setting.limit_potential(),
            ..setting.clone()
        };
        let name = describe(&format!("figure {number}"), &setting);
        let ensemble = Ensemble::new(
            name.clone(),
            limit.clone(),
            Self::NEURONS,
            seed,
            OutputInit::Zero,
        );
        let initial = ensemble.network(1);
        let points: Vec<f64> = (0..=12).map(|i| f64::from(i) / 4.0 - 1.5).collect();
        let m = limit.dataset.len() as f64;
        let train = |loss: f64| {
            let options = Options {
                trained: Trained::OutputWeights,
                loss,
                ..Options::within(TOLERANCE)
            };
            mirror_flow::train(&limit, &initial, &options, &mut |_| {})
        };
        let sigma = limit.activation;
        let at = |network: &Network| -> Array1<f64> {
            points.iter().map(|&x| network.output(sigma, x)).collect()
        };
        let end = train(0.0)?.network;
        let mut remainders = Vec::new();
        let mut residual = Array1::zeros(limit.dataset.len());
        let mut steps = 0;
        for stop in Self::STOPS {
            let run = train(0.5 * stop)?;
            let network = run.network;
            steps = steps.max(run.steps);
            let pairs = limit.dataset.x().iter().zip(limit.dataset.y());
            residual = pairs.map(|(&x, y)| network.output(sigma, x) - y).collect();
            remainders.push(((at(&network) - at(&end)) / (m * stop).sqrt()).to_vec());
        }
        // f − f_∞ = g(x)ᵀH⁻¹r with r along an eigenvector of E[FFᵀ/φ''].
        let features = ensemble.features();
        let path = ensemble.limit()?;
        let response = Response::new(&ensemble, &path, points.clone())?;
        let (alpha, _) = path.end();
        let slowest = |alpha: &Array1<f64>| -> Result<Vec<f64>> {
            let soft = alpha.mapv(|a| 1.0 / path.potential.hessian(a));
            let weighted = &features * &soft.insert_axis(ndarray::Axis(1));
            let kernel = features.t().dot(&weighted);
            let (_, vectors) = kernel
                .eigh(UPLO::Lower)
                .map_err(|_| not_converged("the kernel's eigenvectors"))?;
            let mode = vectors.column(0).to_owned();
            let mode = &mode * mode.dot(&residual).signum();
            Ok(response.spread(&mode).to_vec())
        };
        let [coarse, middle, fine] = [&remainders[0], &remainders[1], &remainders[2]];
        let predicted = slowest(alpha)?;
        Ok(Self {
            name,
            limit: Limit::of_three([coarse, middle, fine], 2.0, 1.0),
            uncertainty: TOLERANCE * steps as f64 * largest(predicted.iter().copied()),
            predicted,
            at_start: slowest(&Array1::zeros(Self::NEURONS))?,
            largest: Self::at_infinite_width(&setting)?,
        })
    }

    /// sup |h̄\[y ± ρv\] − h̄|, ρ² = m·1e-7, v the slowest mode of E\[FFᵀ/φ''(α)\].
    fn at_infinite_width(setting: &Setting) -> Result<f64> {
        let solution = infinite_width::minimize(setting)?;
        let potential = setting.limit_potential();
        let soft = |alpha: f64| 1.0 / potential.hessian(alpha);
        let kernel = solution.kernel(solution.knots(Order::Fine), soft);
        let (_, vectors) = kernel
            .eigh(UPLO::Lower)
            .map_err(|_| not_converged("the kernel's eigenvectors"))?;
        let size = (setting.dataset.len() as f64 * STOP).sqrt();
        let mut largest: f64 = 0.0;
        for sign in [-1.0, 1.0] {
            let pairs = setting.dataset.y().iter().zip(vectors.column(0));
            let moved = pairs.map(|(y, v)| y + sign * size * v).collect();
            let other = infinite_width::minimize(&Setting {
                dataset: setting.dataset.with_values(moved)?,
                ..setting.clone()
            })?;
            largest = largest.max(apart(&solution, &other).0);
        }
        Ok(largest)
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let predicted = match theory {
            RateOfTheStart => &self.at_start,
            _ => &self.predicted,
        };
        self.limit.against(
            format!(
                "{}: what a stop leaves, over the root of its sum of squares",
                self.name
            ),
            predicted,
            self.uncertainty,
        )
    }
}

/// The largest change that stopping makes, against the notebooks' bound.
fn longest_stop(stops: &[Stop]) -> Result<Evidence> {
    let largest = largest(stops.iter().map(|stop| stop.largest));
    Ok(Evidence::compare(
        Kind::Numerical,
        "largest sup distance that the stop at 1e-7 leaves, infinite width",
        largest,
        0.0,
        0.00125,
    ))
}

/// n²(f_uncentred − f_centred), unscaled, figure 1.
struct Centring {
    name: String,
    limit: Limit,
    predicted: Vec<f64>,
    uncertainty: f64,
}

impl Centring {
    const NEURONS: usize = 540;
    const COPIES: [usize; 3] = [5, 10, 20];

    fn new(potential: &str, seed: u64) -> Result<Self> {
        let setting = figure(1, potential)?;
        let name = describe("figure 1", &setting);
        let ensemble = Ensemble::new(name.clone(), setting, Self::NEURONS, seed, OutputInit::Zero);
        let points: Vec<f64> = (0..=12).map(|i| f64::from(i) / 4.0 - 1.5).collect();
        let gap = |copies: usize| -> Result<Vec<f64>> {
            let [uncentred, centred] = [true, false].map(|uncentred| {
                let ensemble = Ensemble {
                    uncentred,
                    ..ensemble.clone()
                };
                Ok::<_, crate::Error>(ensemble.train(copies, Trained::All)?.1.network)
            });
            let (uncentred, centred) = (uncentred?, centred?);
            let n = (copies * Self::NEURONS) as f64;
            let output = |network: &Network, x| network.output(Activation::Relu, x);
            let gap = |&x: &f64| n * n * (output(&uncentred, x) - output(&centred, x));
            Ok(points.iter().map(gap).collect())
        };
        let [coarse, middle, fine] = Self::COPIES.map(gap);
        let path = ensemble.limit()?;
        let response = Response::new(&ensemble, &path, points.clone())?;
        let (predicted, _, uncertainty) = from_zero_output(&ensemble, &path, &response);
        Ok(Self {
            name,
            limit: Limit::of_three([&coarse?, &middle?, &fine?], 2.0, 1.0),
            predicted,
            uncertainty,
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let zero = vec![0.0; self.predicted.len()];
        let predicted = if theory == CentringIsNothing {
            &zero
        } else {
            &self.predicted
        };
        let what = format!("{}: n²(f_uncentred − f_centred)", self.name);
        self.limit.against(what, predicted, self.uncertainty)
    }
}

/// What explicit steps of the notebooks' length add to the projection, per step length.
struct Steps {
    limit: Limit,
    predicted: Vec<f64>,
    uncertainty: f64,
}

impl Steps {
    const NEURONS: usize = 60;

    fn new(seed: u64) -> Result<Self> {
        let setting = figure(2, "power:3,1")?;
        // Fainter data: fewer steps to the end, so that shorter ones can be taken, too.
        let setting = Setting {
            dataset: times(&setting.dataset, 0.25)?,
            ..setting
        };
        let sigma = setting.activation;
        let ensemble = Ensemble::new(
            "figure 2".into(),
            setting.clone(),
            Self::NEURONS,
            seed,
            OutputInit::Zero,
        );
        let initial = ensemble.network(1);
        let points: Vec<f64> = (0..=12).map(|i| f64::from(i) / 4.0 - 1.5).collect();
        let options = Options {
            trained: Trained::OutputWeights,
            loss: 1e-12,
            most_steps: mirror_descent::MOST_STEPS,
            ..Options::within(TOLERANCE)
        };
        // (h/2)∫φ'''(α)(dα/dt)²dt of each neuron, from all steps and from every other one.
        let n = Self::NEURONS;
        let mut seen: Vec<(f64, Array1<f64>)> = Vec::new();
        let flow = mirror_flow::train(&setting, &initial, &options, &mut |state| {
            let gradient = state
                .model
                .transposed(state.point, state.gates, &state.point.residual);
            let mut bend = vec![0.0; 3 * n + 1];
            for (j, bend) in bend.iter_mut().enumerate().take(3 * n).skip(2 * n) {
                let speed = state.model.rate() * gradient[j] * state.point.inverse_metric[j];
                let third = setting
                    .potential
                    .third_derivative(state.point.parameters[j] * n as f64);
                *bend = 0.5 * third * (speed * n as f64).powi(2);
            }
            let bend = &state.model.in_network_order(&bend)[2 * n..3 * n];
            seen.push((state.time, Array1::from(bend.to_vec())));
        })?;
        let residue = |stride: usize| {
            let mut places: Vec<usize> = (0..seen.len() - 1).step_by(stride).collect();
            places.push(seen.len() - 1);
            let mut sum = Array1::<f64>::zeros(n);
            for pair in places.windows(2) {
                let (start, end) = (&seen[pair[0]], &seen[pair[1]]);
                sum.scaled_add(0.5 * (end.0 - start.0), &(&start.1 + &end.1));
            }
            sum
        };
        let path = ensemble.limit()?;
        let response = Response::new(&ensemble, &path, points.clone())?;
        let (alpha, _) = path.end();
        let soft = alpha.mapv(|a| 1.0 / setting.potential.hessian(a));
        let added = |residue: Array1<f64>| -> Vec<f64> {
            let moved = residue * &soft;
            response.project(|x| {
                let base = &ensemble.base;
                let terms = (0..n).map(|k| moved[k] * sigma.value(base.w[k] * x - base.b[k]));
                terms.sum::<f64>() / n as f64
            })
        };
        let (fine, coarse) = (added(residue(1)), added(residue(2)));
        let uncertainty = largest_difference(&fine, &coarse);
        let rates = [1.0, 0.5, 0.25].into_par_iter().map(|step| {
            let run = mirror_descent::train(&setting, &initial, Rule::Euler, step, &options);
            let off = points
                .iter()
                .map(|&x| (run.network.output(sigma, x) - flow.network.output(sigma, x)) / step);
            off.collect()
        });
        let rates: Vec<Vec<f64>> = rates.collect();
        Ok(Self {
            limit: Limit::of_three([&rates[0], &rates[1], &rates[2]], 2.0, 1.0),
            predicted: fine,
            uncertainty,
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let zero = vec![0.0; self.predicted.len()];
        let predicted = if theory == StepsAreNothing {
            &zero
        } else {
            &self.predicted
        };
        self.limit.against(
            "figure 2, y/4, scaled power:3,1: what explicit steps add to the projection, over their length",
            predicted,
            self.uncertainty,
        )
    }
}

/// The estimate at 0 over the density of |h''(x)|, x uniform on \[−1, 1\], as the bandwidth falls: ½
/// without reflection.
fn density_at_zero(theory: Theory) -> Result<Vec<Evidence>> {
    let predicted = if theory == DensityRightAtZero {
        1.0
    } else {
        0.5
    };
    let mut evidence = Vec::new();
    for potential in ["quadratic", "power:3,2", "power:4,2"] {
        let setting = figure(2, potential)?;
        let solution = infinite_width::minimize(&setting)?;
        // Σ 1/|h'''| over the zeros of h'': |h''| has each of its small values twice about each.
        let x = setting.dataset.x();
        let force = |c: f64| solution.dual_function(Sheet::Both, c);
        let density: f64 = x
            .windows(2)
            .map(|pair| {
                let (left, right) = (force(pair[0]), force(pair[1]));
                if left * right < 0.0 {
                    // h'' = 2p_B(φ*)'(U): |h'''| = |U'|/φ''(0) with 2p_B = 1.
                    setting.potential.hessian(0.0) * (pair[1] - pair[0]) / (right - left).abs()
                } else {
                    0.0
                }
            })
            .sum();
        const PLACES: usize = 200_001;
        let bandwidths = [0.04, 0.02, 0.01];
        let ratios = bandwidths.map(|bandwidth| {
            let dense = KernelDensity {
                bandwidth,
                ..KernelDensity::of_curvature(&solution, PLACES)
            };
            vec![dense.at(0.0) / density]
        });
        // The density is φ'' on either side of 0, and a sum over places is off by the height of the kernel
        // times its rises and falls, two for each zero of h''.
        let order = setting
            .potential
            .leading_correction()
            .map_or(2.0, |(_, q)| q - 2.0);
        let height = 1.0 / (bandwidths[2] * (2.0 * std::f64::consts::PI).sqrt());
        let rises = 2.0 * x.len() as f64;
        evidence.push(
            Limit::of_three([&ratios[0], &ratios[1], &ratios[2]], 2.0, order).against(
                format!("figure 2, {potential}: density estimate over density of |h''| at 0"),
                &[predicted],
                rises * height / (PLACES as f64 * density),
            ),
        );
    }
    Ok(evidence)
}
