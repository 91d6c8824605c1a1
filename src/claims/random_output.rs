//! `random-output`: from random output the network keeps its initial function and adds h̄ of what that
//! leaves to be explained.

use ndarray::{Array1, Array2, Axis};
use ndarray_linalg::Inverse;
use rayon::prelude::*;

use super::{
    Claim, Context, Control, Findings,
    dynamics::{Ensemble, TOLERANCE, describe, not_converged, setting, times},
    nth_draw, sample,
};
use crate::{
    Result,
    evidence::{
        Evidence, Kind,
        extrapolation::{Limit, largest},
        fluctuation,
        statistics::{self, Alternative},
    },
    setting::{Activation, Dataset, Network, OutputInit, Scaling, Setting},
    solver::{bregman_projection, infinite_width, model::Trained},
};

/// The claim (proofs.md, `random-output`).
pub const CLAIM: Claim = Claim {
    id: "random-output",
    statement: "From random output with E A = 0, independent of (w, b), training ends at \
                f(x, θ̂) + h̄[y − f(x_i, θ̂)](x), about which networks fluctuate as from zero output; \
                potentials agree with gradient flow in the same form.",
    source: "proofs.md, `random-output`",
    formula: r"f(x, \theta_\infty) = f(x, \hat\theta) + \bar h\bigl[\,y - f(x_i, \hat\theta)\,\bigr](x) + O(n^{-1/2})",
    controls: &[
        Control {
            id: "initial-function-forgotten",
            statement: "Training ends at h̄[y], whatever the initial function.",
        },
        Control {
            id: "target-forgotten",
            statement: "Training ends at f(x, θ̂) + h̄[y].",
        },
        Control {
            id: "not-added-back",
            statement: "Training ends at h̄[y − f(x_i, θ̂)].",
        },
    ],
    check,
};

/// Width and number of the networks of each setting.
const WIDTH: usize = 14_580;
const DRAWS: usize = 80;
/// Standard deviations of √n a_k and of d.
const OUTPUT: OutputInit = OutputInit::Random {
    output_weight: 0.25,
    output_bias: 0.1,
};
/// Points off the data; beyond figure 2's outer data h̄ does not fluctuate for |·|.
const RELU: [f64; 5] = [-1.3, -0.6, 0.1, 0.6, 1.2];
const ABS: [f64; 5] = [-0.7, -0.3, 0.1, 0.5, 0.8];
/// Neurons of an ensemble, half of which differ in (w, b), and how often they are copied.
const NEURONS: usize = 120;
const COPIES: [usize; 3] = [5, 10, 20];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    InitialFunctionForgotten,
    TargetForgotten,
    NotAddedBack,
}

use Theory::{InitialFunctionForgotten, NotAddedBack, Paper, TargetForgotten};

fn check(context: &Context) -> Result<Findings> {
    let (relu, abs) = (Activation::Relu, Activation::Abs);
    let [one, two] = [Dataset::figure1(), Dataset::figure2()];
    let entries = [
        (
            "figure 1",
            &one,
            relu,
            "quadratic",
            Scaling::Unscaled,
            &RELU,
        ),
        ("figure 2", &two, abs, "power:3,1", Scaling::Scaled, &ABS),
        ("figure 2", &two, abs, "hypentropy:1", Scaling::Scaled, &ABS),
    ];
    let mut samples = Vec::new();
    for ((data, dataset, activation, potential, scaling, points), number) in
        entries.into_iter().zip(0..)
    {
        let setting = setting(dataset.clone(), activation, potential, scaling)?;
        let seed = context.draws(368, number);
        let name = format!("{}, n = {WIDTH}", describe(data, &setting));
        let draws = context.samples(DRAWS) as u64;
        let draws = (0..draws).into_par_iter();
        let draws = draws.map(|draw| Draw::new(&setting, points, nth_draw(seed, draw)));
        samples.push((name, draws.collect::<Result<Vec<_>>>()?));
    }
    // Fainter data and output biases, whose α/n is small at an ensemble's widths.
    let agreements = [
        ("figure 1, y/64", times(&one, 1.0 / 64.0)?, relu, 0.001),
        ("figure 2, y/4", times(&two, 0.25)?, abs, 0.01),
    ];
    let agreements = agreements.into_par_iter().enumerate();
    let agreements: Vec<Agreement> = agreements
        .map(|(number, (data, dataset, activation, output_bias))| {
            let setting = setting(dataset, activation, "power:3,1", Scaling::Unscaled)?;
            let output = OutputInit::Random {
                output_weight: 0.25,
                output_bias,
            };
            let seed = context.draws(376, number);
            let name = describe(data, &setting);
            Agreement::new(&Ensemble::new(name, setting, NEURONS, seed, output))
        })
        .collect::<Result<_>>()?;
    let judge = |theory| -> Vec<Evidence> {
        let samples = samples
            .iter()
            .flat_map(|(name, draws)| judge(name, draws, theory));
        let agreements = agreements.iter().map(|one| one.judge(theory));
        samples.chain(agreements).collect()
    };
    Ok(Findings {
        evidence: judge(Paper),
        controls: [InitialFunctionForgotten, TargetForgotten, NotAddedBack]
            .map(judge)
            .into(),
    })
}

/// One trained network from random output, at the points.
struct Draw {
    trained: Array1<f64>,
    /// f(x, θ̂).
    start: Array1<f64>,
    /// h̄\[y − f(x_i, θ̂)\] and h̄\[y\].
    answer: Array1<f64>,
    plain: Array1<f64>,
    /// Of √n (f_n − f(·, θ̂) − h̄\[y − f(x_i, θ̂)\]).
    whitening: Array2<f64>,
    residual: f64,
}

impl Draw {
    fn new(setting: &Setting, points: &[f64], seed: u64) -> Result<Self> {
        let initial = Network::sample(&setting.bias, OUTPUT, WIDTH, seed);
        let projection = bregman_projection::project(setting, &initial)?;
        let output = |network: &Network, x: f64| network.output(setting.activation, x);
        let at = |network: &Network| points.iter().map(|&x| output(network, x)).collect();
        let data = &setting.dataset;
        let pairs = data.x().iter().zip(data.y());
        let left = pairs.map(|(&x, y)| y - output(&initial, x)).collect();
        let target = Setting {
            dataset: data.with_values(left)?,
            ..setting.clone()
        };
        let solution = infinite_width::minimize(&target)?;
        let plain = infinite_width::minimize(setting)?;
        let covariance = fluctuation::covariance(&solution, points)?;
        Ok(Self {
            trained: at(&projection.network),
            start: at(&initial),
            answer: points.iter().map(|&x| solution.value(x)).collect(),
            plain: points.iter().map(|&x| plain.value(x)).collect(),
            whitening: sample::whitening(&covariance)?,
            residual: projection.residual,
        })
    }

    fn centre(&self, theory: Theory) -> Array1<f64> {
        match theory {
            Paper => &self.start + &self.answer,
            InitialFunctionForgotten => self.plain.clone(),
            TargetForgotten => &self.start + &self.plain,
            NotAddedBack => self.answer.clone(),
        }
    }
}

fn judge(name: &str, draws: &[Draw], theory: Theory) -> Vec<Evidence> {
    let root = (WIDTH as f64).sqrt();
    let whitened = draws.iter().map(|draw| {
        let off = &draw.trained - &draw.centre(theory);
        draw.whitening.dot(&(off * root))
    });
    let whitened: Vec<Array1<f64>> = whitened.collect();
    let (count, points) = (draws.len(), whitened[0].len());
    let squares = whitened.iter().map(|u| u.dot(u)).sum();
    let zero = Array1::zeros(points);
    let total: Array1<f64> = whitened.iter().fold(zero, |sum, u| sum + u);
    let residual = largest(draws.iter().map(|draw| draw.residual));
    vec![
        Evidence::compare(
            Kind::Numerical,
            format!("{name}: largest |f_n(x_i) − y_i|"),
            residual,
            0.0,
            1e-9,
        ),
        statistics::chi_square(
            format!("{name}: χ² of trained networks about f(·, θ̂) + h̄[y − f(x_i, θ̂)]"),
            squares,
            points * count,
            count,
            &Alternative::new("covariance × 1.5", 1.5),
        ),
        statistics::chi_square_shift(
            format!("{name}: their mean deviation"),
            total.dot(&total) / count as f64,
            points,
            count,
            &Alternative::new("mean off by one standard deviation", count as f64),
        ),
    ]
}

/// n^(q−2)(f_φ − f_GF) of ensembles whose parameters are all trained from random output.
struct Agreement {
    name: String,
    limit: Limit,
    /// cδ for the targets y − f(x_i, θ̂) and y.
    own: Vec<f64>,
    plain: Vec<f64>,
    solver: f64,
}

impl Agreement {
    fn new(ensemble: &Ensemble) -> Result<Self> {
        let setting = &ensemble.setting;
        let (c, q) = setting
            .potential
            .leading_correction()
            .ok_or_else(|| not_converged("the expansion of a quadratic potential"))?;
        let mut gradient = ensemble.clone();
        gradient.setting.potential = setting.potential.quadratic_limit();
        let edge = 1.5 * setting.dataset.largest_input();
        let points: Vec<f64> = (0..=12)
            .map(|i| edge * (f64::from(i) / 6.0 - 1.0))
            .collect();
        let n = COPIES.map(|copies| (copies * ensemble.len()) as f64);
        let gaps = [0, 1, 2].map(|i| -> Result<Vec<f64>> {
            let [mirror, plain] = [ensemble, &gradient]
                .map(|one| Ok::<_, crate::Error>(one.train(COPIES[i], Trained::All)?.1.network));
            let (mirror, plain) = (mirror?, plain?);
            let output = |network: &Network, x| network.output(setting.activation, x);
            let gap = |&x: &f64| n[i].powf(q - 2.0) * (output(&mirror, x) - output(&plain, x));
            Ok(points.iter().map(gap).collect())
        });
        let [coarse, middle, fine] = gaps;
        let y = Array1::from(setting.dataset.y().to_vec());
        let delta = |target: Array1<f64>| delta(ensemble, q, &points, &target);
        let scaled = |v: Array1<f64>| (v * c).to_vec();
        Ok(Self {
            name: ensemble.name.clone(),
            limit: Limit::of_three([&coarse?, &middle?, &fine?], 2.0, ensemble.order()),
            own: scaled(delta(&y - ensemble.base.d)?),
            plain: scaled(delta(y)?),
            solver: 6.0 * TOLERANCE * setting.dataset.largest_value() * n[2].powf(q - 2.0),
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let predicted = match theory {
            Paper | NotAddedBack => &self.own,
            InitialFunctionForgotten | TargetForgotten => &self.plain,
        };
        self.limit.against(
            format!(
                "{}, all parameters trained from random output: n^(q−2)(f_φ − f_GF) and cδ",
                self.name
            ),
            predicted,
            self.solver,
        )
    }
}

/// δ = −E\[q|α|^(q−1)sgn(α) D_x\]/φ''(0) over the ensemble's neurons, for a target.
fn delta(ensemble: &Ensemble, q: f64, points: &[f64], target: &Array1<f64>) -> Result<Array1<f64>> {
    let (features, base) = (ensemble.features(), &ensemble.base);
    let count = ensemble.len() as f64;
    let kernel = features.t().dot(&features) / count;
    let inverse = kernel
        .inv()
        .map_err(|_| not_converged("the kernel of an ensemble"))?;
    let alpha = features.dot(&inverse.dot(target));
    let force = alpha.mapv(|a| q * a.abs().powf(q - 1.0).copysign(a));
    let activation = ensemble.setting.activation;
    let at = Array2::from_shape_fn((base.width(), points.len()), |(k, i)| {
        activation.value(base.w[k] * points[i] - base.b[k])
    });
    let regression = inverse.dot(&features.t().dot(&at)) / count;
    let remainder = at - features.dot(&regression);
    let weighted = remainder * &force.insert_axis(Axis(1));
    let stiffness = ensemble.setting.potential.hessian(0.0);
    Ok(weighted.sum_axis(Axis(0)) / (-count * stiffness))
}
