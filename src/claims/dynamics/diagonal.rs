//! `hypentropy-diagonal`: mirror flow with hypentropy is gradient flow on a = u² − v².

use ndarray::{Array1, Array2};
use ndarray_linalg::LeastSquaresSvd;
use rayon::prelude::*;

use super::{
    super::{Claim, Context, Control, Findings},
    not_converged, setting,
};
use crate::{
    Result,
    evidence::{
        Evidence, Kind,
        conic::{Affine, Atom, Penalty, Program},
        extrapolation::{Limit, largest, largest_difference},
    },
    setting::{Activation, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        bregman_projection,
        dual::Sheet,
        mirror_flow::{self, Options},
        model::Trained,
    },
};

/// The claim (proofs.md, `hypentropy-diagonal`).
pub const CLAIM: Claim = Claim {
    id: "hypentropy-diagonal",
    statement: "Gradient flow on output weights a = u² − v² is mirror flow with hypentropy of parameter \
                2u₀v₀ from u₀² − v₀², four times as fast; as the parameter grows its end tends to that of \
                gradient flow, as it falls to the least Σ|a_k|.",
    source: "proofs.md, `hypentropy-diagonal`",
    formula: r"\begin{aligned}
              a = u^2 - v^2,\quad & \frac{du}{dt} = -\eta \frac{\partial L}{\partial u},\quad \frac{dv}{dt} = -\eta \frac{\partial L}{\partial v} \\
              \Longrightarrow\quad & \frac{d}{dt} \varphi'(a) = -4\eta \frac{\partial L}{\partial a}, \\
              & \varphi''(a) = \frac{1}{\sqrt{a^2 + \beta^2}},\quad \beta = 2u_0 v_0
              \end{aligned}",
    controls: &[
        Control {
            id: "same-clock",
            statement: "Time runs equally fast in both.",
        },
        Control {
            id: "half-the-parameter",
            statement: "The parameter is u₀v₀.",
        },
        Control {
            id: "kernel-end-alone",
            statement: "The end is that of gradient flow at every parameter.",
        },
    ],
    check,
};

/// Neurons.
const WIDTH: usize = 40;
/// Steps of the classical Runge–Kutta method, twice as many the second time.
const STEPS: usize = 4_000;
/// Tolerances of the mirror flow.
const TOLERANCES: [f64; 2] = [1e-7, 1e-8];
/// Horizons in units of the start's fastest time.
const HORIZONS: [f64; 3] = [2.0, 20.0, 200.0];
/// Parameters over max|a| of gradient flow: towards the kernel end, and towards the rich end.
const LARGE: [f64; 3] = [16.0, 32.0, 64.0];
const SMALL: [f64; 3] = [1e-2, 1e-4, 1e-6];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    SameClock,
    HalfTheParameter,
    KernelEndAlone,
}

use Theory::{HalfTheParameter, KernelEndAlone, Paper, SameClock};

fn check(context: &Context) -> Result<Findings> {
    let (one, two) = (Dataset::figure1(), Dataset::figure2());
    let mut problems = Vec::new();
    for _ in 0..context.effort {
        for (data, dataset, activation, u, v) in [
            ("figure 1", &one, Activation::Relu, 0.5, 0.5),
            ("figure 2", &two, Activation::Abs, 0.25, 0.25),
            ("figure 1", &one, Activation::Relu, 0.5, 0.25),
            ("figure 2", &two, Activation::Abs, 0.25, 0.5),
        ] {
            let setting = setting(dataset.clone(), activation, "quadratic", Scaling::Unscaled)?;
            let seed = context.draws(416, problems.len());
            problems.push((format!("{data}, {activation:?}"), setting, [u, v], seed));
        }
    }
    let paths = problems.par_iter().map(|(name, setting, ends, seed)| {
        let judge = |theory| path(name, setting, *ends, *seed, theory);
        Ok([judge(Paper)?, judge(SameClock)?, judge(HalfTheParameter)?])
    });
    let paths: Vec<[Vec<Evidence>; 3]> = paths.collect::<Result<_>>()?;
    let ends = problems
        .par_iter()
        .filter(|(_, _, [u, v], _)| u == v)
        .map(|(name, setting, _, seed)| Ends::new(name, setting, *seed));
    let ends: Vec<Ends> = ends.collect::<Result<_>>()?;
    let judge = |theory: Theory| -> Vec<Evidence> {
        let place = [Paper, SameClock, HalfTheParameter]
            .iter()
            .position(|other| *other == theory)
            .unwrap_or(0);
        let paths = paths.iter().flat_map(|judged| judged[place].clone());
        let ends = ends.iter().flat_map(|one| one.judge(theory));
        paths.chain(ends).collect()
    };
    Ok(Findings {
        evidence: judge(Paper),
        controls: [SameClock, HalfTheParameter, KernelEndAlone]
            .map(judge)
            .into(),
    })
}

/// F (one row a neuron, one column a datum).
fn features(setting: &Setting, network: &Network) -> Array2<f64> {
    let x = setting.dataset.x();
    Array2::from_shape_fn((network.width(), x.len()), |(k, i)| {
        setting.activation.value(network.w[k] * x[i] - network.b[k])
    })
}

/// Both flows at [`HORIZONS`].
fn path(
    name: &str,
    setting: &Setting,
    [u, v]: [f64; 2],
    seed: u64,
    theory: Theory,
) -> Result<Vec<Evidence>> {
    let beta = if theory == HalfTheParameter {
        u * v
    } else {
        2.0 * u * v
    };
    let speed = if theory == SameClock { 1.0 } else { 4.0 };
    let setting = Setting {
        potential: Potential::hypentropy(beta)?,
        ..setting.clone()
    };
    let mut initial = Network::sample(&setting.bias, OutputInit::Zero, WIDTH, seed);
    initial.a.fill(u * u - v * v);
    let features = features(&setting, &initial);
    let m = setting.dataset.len() as f64;
    // The trace bounds the fastest rate.
    let trace = features.iter().map(|f| f * f).sum::<f64>() * (u * u + v * v);
    let fastest = WIDTH as f64 * m / trace;
    let horizons = HORIZONS.iter().map(|&units| {
        let time = units * fastest;
        let mirror = |tolerance: f64| -> Result<Array1<f64>> {
            let options = Options {
                trained: Trained::OutputWeights,
                uncentred: true,
                horizon: time,
                ..Options::within(tolerance)
            };
            let run = mirror_flow::train(&setting, &initial, &options, &mut |_| {})?;
            Ok(run.network.a)
        };
        let [rough, mirror] = [mirror(TOLERANCES[0])?, mirror(TOLERANCES[1])?];
        let [coarse, fine] = [1, 2]
            .map(|factor| diagonal(&setting, &features, [u, v], time / speed, factor * STEPS));
        Ok(Evidence::compare(
            Kind::Numerical,
            format!("{name}, u₀ = {u}, v₀ = {v}, t = {time:.3}: |a − (u² − v²)|"),
            largest_difference(&mirror, &fine),
            0.0,
            largest_difference(&mirror, &rough) + largest_difference(&fine, &coarse) + 1e-12,
        ))
    });
    horizons.collect()
}

/// u² − v² after a time of gradient flow on (u, v), by the classical Runge–Kutta method.
fn diagonal(
    setting: &Setting,
    features: &Array2<f64>,
    [u, v]: [f64; 2],
    time: f64,
    steps: usize,
) -> Array1<f64> {
    let n = features.nrows();
    let y = Array1::from(setting.dataset.y().to_vec());
    let rate = 1.0 / (n as f64 * y.len() as f64);
    let field = |u: &Array1<f64>, v: &Array1<f64>| {
        let residual = features.t().dot(&(u * u - v * v)) - &y;
        let force = features.dot(&residual) * (2.0 * rate);
        (-(u * &force), v * &force)
    };
    let (mut u, mut v) = (Array1::from_elem(n, u), Array1::from_elem(n, v));
    let h = time / steps as f64;
    for _ in 0..steps {
        let one = field(&u, &v);
        let two = field(&(&u + &one.0 * (0.5 * h)), &(&v + &one.1 * (0.5 * h)));
        let three = field(&(&u + &two.0 * (0.5 * h)), &(&v + &two.1 * (0.5 * h)));
        let four = field(&(&u + &three.0 * h), &(&v + &three.1 * h));
        u += &((one.0 + (two.0 + three.0) * 2.0 + four.0) * (h / 6.0));
        v += &((one.1 + (two.1 + three.1) * 2.0 + four.1) * (h / 6.0));
    }
    &u * &u - &v * &v
}

/// Where the flow ends, for large and for small parameters.
struct Ends {
    name: String,
    /// (β/s)²(a_β − a_GF) with s = max|a_GF|, extrapolated, and its prediction.
    limit: Limit,
    predicted: Vec<f64>,
    /// For each of [`SMALL`]: Σ|a_β| − least Σ|a|, the bound on it, and the same for a_GF.
    rich: Vec<[f64; 3]>,
    /// Error of the least Σ|a|.
    error: f64,
}

impl Ends {
    fn new(name: &str, setting: &Setting, seed: u64) -> Result<Self> {
        let initial = Network::sample(&setting.bias, OutputInit::Zero, WIDTH, seed);
        let project = |potential: Potential| -> Result<Array1<f64>> {
            let setting = Setting {
                potential,
                ..setting.clone()
            };
            Ok(bregman_projection::project(&setting, &initial)?.network.a)
        };
        let gradient = project(Potential::quadratic())?;
        let size = largest(gradient.iter().copied());
        let kernel = LARGE.map(|factor| -> Result<Vec<f64>> {
            let end = project(Potential::hypentropy(factor * size)?)?;
            Ok(((end - &gradient) * (factor * factor)).to_vec())
        });
        let [coarse, middle, fine] = kernel;
        // φ = z²/(2β) − z⁴/(24β³) + …: a moves by the part of s²·a³/(6β²) that fits nothing.
        let features = features(setting, &initial);
        let pull = gradient.mapv(|a| a.powi(3) / (6.0 * size * size));
        let fit = features
            .least_squares(&pull)
            .map_err(|_| not_converged("the least squares of the row space"))?;
        let predicted = &pull - &features.dot(&fit.solution);
        let program = Program {
            penalty: Penalty::TotalVariation,
            atoms: (0..WIDTH)
                .map(|k| Atom {
                    knot: initial.w[k] * initial.b[k],
                    sheet: match setting.activation {
                        Activation::Abs => Sheet::Both,
                        Activation::Relu if initial.w[k] > 0.0 => Sheet::Plus,
                        Activation::Relu => Sheet::Minus,
                    },
                    penalty: 1.0,
                    generated: 1.0,
                })
                .collect(),
            affine: Affine {
                slopes: None,
                offset: None,
            },
        };
        let data = &setting.dataset;
        let solve = |tolerance: f64| program.solve(data.x(), data.y(), tolerance);
        let (sparse, loose) = (solve(1e-9)?.alpha, solve(1e-7)?.alpha);
        let sum = |a: &[f64]| a.iter().map(|a| a.abs()).sum::<f64>();
        let rich = SMALL.iter().map(|&factor| {
            let potential = Potential::hypentropy(factor * size)?;
            let end = project(potential)?.to_vec();
            // Σφ is least at a_β; φ(z) = (log(2/β) − 1)|z| + e(z).
            let rate = (2.0 / (factor * size)).ln() - 1.0;
            let rest =
                |a: &[f64]| -> f64 { a.iter().map(|&a| potential.value(a) - rate * a.abs()).sum() };
            Ok([
                sum(&end) - sum(&sparse),
                (rest(&sparse) - rest(&end)) / rate,
                sum(gradient.as_slice().unwrap_or_default()) - sum(&sparse),
            ])
        });
        Ok(Self {
            name: name.into(),
            limit: Limit::of_three([&coarse?, &middle?, &fine?], 2.0, 2.0),
            predicted: predicted.to_vec(),
            rich: rich.collect::<Result<_>>()?,
            error: 10.0 * (sum(&sparse) - sum(&loose)).abs() + 1e-7 * sum(&sparse),
        })
    }

    fn judge(&self, theory: Theory) -> Vec<Evidence> {
        let zero = vec![0.0; self.predicted.len()];
        let kernel = theory == KernelEndAlone;
        let mut evidence = vec![self.limit.against(
            format!("{}: (β/s)²(a_β − a_GF) for large β", self.name),
            if kernel { &zero } else { &self.predicted },
            1e-9 * largest(self.predicted.iter().copied()),
        )];
        for (factor, [excess, bound, gradient]) in SMALL.iter().zip(&self.rich) {
            // Anything between 0 and the bound.
            evidence.push(Evidence::compare(
                Kind::Numerical,
                format!("{}, β/s = {factor:e}: Σ|a_β| − least Σ|a|", self.name),
                if kernel { *gradient } else { *excess },
                0.5 * bound,
                0.5 * bound + self.error,
            ));
        }
        evidence
    }
}
