//! `uncentred-potential`: Φ = Σφ(θ_j) in place of Σφ(θ_j − θ̂_j).

use ndarray::Array1;
use rayon::prelude::*;

use super::{
    super::{Claim, Context, Control, Findings},
    Ensemble, LimitPath, TOLERANCE, describe,
    output_layer::Response,
    random_settings, setting, times,
};
use crate::{
    Result,
    evidence::{Evidence, extrapolation::Limit},
    setting::{Activation, Dataset, Network, OutputInit, Scaling},
    solver::model::Trained,
};

/// The claim (proofs.md, `uncentred-potential`).
pub const CLAIM: Claim = Claim {
    id: "uncentred-potential",
    statement: "Under the uncentred unscaled potential Σφ(θ_j) training from zero output ends O(n⁻²) from \
                where the centred one ends, by a predicted function; from random output n^(−(q−2)/2) from \
                gradient flow for the sample at hand, which averages out where A is independent of (w, b).",
    source: "proofs.md, `uncentred-potential`",
    formula: r"\begin{aligned}
              \text{zero output:}\quad & n^2 (f_{\mathrm{uncentred}} - f_{\mathrm{centred}}) \\
              &\quad \to \Pi\bigl[I(\varphi''(\hat w), \varphi''(\hat b)) - I(\varphi''(0), \varphi''(0))\bigr], \\
              \text{random output:}\quad & n^{(q-2)/2} (f_{\mathrm{uncentred}} - f_{\mathrm{GF}})(x) \\
              &\quad \to -\frac{c\,q(q-1)}{\varphi''(0)}\, \mathbb{E}\bigl[|A|^{q-2} \alpha D_x\bigr]
              \end{aligned}",
    controls: &[
        Control {
            id: "no-difference",
            statement: "Where the potential is centred makes no difference.",
        },
        Control {
            id: "first-order",
            statement: "From zero output the difference is O(1/n).",
        },
        Control {
            id: "biases-alone",
            statement: "φ'' is taken at b̂, but at 0 for the input weights.",
        },
    ],
    check,
};

/// Neurons of an ensemble, and how often they are copied.
const NEURONS: usize = 120;
const COPIES: [usize; 3] = [5, 10, 20];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    NoDifference,
    FirstOrder,
    BiasesAlone,
}

use Theory::{BiasesAlone, FirstOrder, NoDifference, Paper};

fn check(context: &Context) -> Result<Findings> {
    let (relu, abs) = (Activation::Relu, Activation::Abs);
    let fainter = [
        times(&Dataset::figure1(), 0.125)?,
        times(&Dataset::figure2(), 0.25)?,
    ];
    let faintest = times(&Dataset::figure1(), 1.0 / 64.0)?;
    let zero = OutputInit::Zero;
    let random = |output_bias| OutputInit::Random {
        output_weight: 1.0,
        output_bias,
    };
    let mut problems = Vec::new();
    for (data, dataset, activation, potential, output) in [
        ("figure 1, y/8", &fainter[0], relu, "power:3,1", zero),
        ("figure 1, y/8", &fainter[0], relu, "power:4,1", zero),
        ("figure 2, y/4", &fainter[1], abs, "power:3,1", zero),
        (
            "figure 1, y/64",
            &faintest,
            relu,
            "power:3,1",
            random(0.001),
        ),
        ("figure 2, y/4", &fainter[1], abs, "power:3,1", random(0.01)),
    ] {
        let setting = setting(dataset.clone(), activation, potential, Scaling::Unscaled)?;
        problems.push((describe(data, &setting), setting, output));
    }
    let potentials = ["power:3,1", "power:4,1", "hypentropy:2"];
    for (name, setting) in random_settings(context, 81, 2, &potentials, Scaling::Unscaled)? {
        problems.push((name, setting, zero));
    }
    let trials: Vec<Trial> = problems
        .into_par_iter()
        .enumerate()
        .map(|(number, (name, setting, output))| {
            let seed = context.draws(400, number);
            let mut ensemble = Ensemble::new(name, setting, NEURONS, seed, output);
            // |A| of three sizes, pairs ±A kept.
            for k in 0..NEURONS {
                ensemble.base.a[k] *= 0.5 + 0.25 * ((k / 2) % 3) as f64;
            }
            Trial::new(&ensemble)
        })
        .collect::<Result<_>>()?;
    let judge = |theory| trials.iter().map(|trial| trial.judge(theory)).collect();
    Ok(Findings {
        evidence: judge(Paper),
        controls: [NoDifference, FirstOrder, BiasesAlone].map(judge).into(),
    })
}

/// n^s (f_uncentred − f_centred), s = 2 from zero output and (q − 2)/2 from random output.
struct Trial {
    name: String,
    limit: Limit,
    /// The same with s = 1.
    first: Limit,
    predicted: Vec<f64>,
    biases_alone: Vec<f64>,
    uncertainty: f64,
    width: f64,
}

impl Trial {
    fn new(ensemble: &Ensemble) -> Result<Self> {
        let setting = &ensemble.setting;
        let potential = setting.potential;
        let (c, q) = potential.leading_correction().unwrap_or((0.0, 4.0));
        let random = ensemble.is_random();
        let power = if random { 0.5 * (q - 2.0) } else { 2.0 };
        let edge = 1.5 * setting.dataset.largest_input();
        let points: Vec<f64> = (0..=12)
            .map(|i| edge * (f64::from(i) / 6.0 - 1.0))
            .collect();
        let n = COPIES.map(|copies| (copies * ensemble.len()) as f64);
        let gaps = COPIES.map(|copies| -> Result<Array1<f64>> {
            let train = |uncentred| -> Result<Network> {
                let ensemble = Ensemble {
                    uncentred,
                    ..ensemble.clone()
                };
                Ok(ensemble.train(copies, Trained::All)?.1.network)
            };
            let (uncentred, centred) = (train(true)?, train(false)?);
            let output = |network: &Network, x| network.output(setting.activation, x);
            let gap = |&x: &f64| output(&uncentred, x) - output(&centred, x);
            Ok(points.iter().map(gap).collect())
        });
        let [coarse, middle, fine] = gaps;
        let gaps = [coarse?, middle?, fine?];
        let limit = |power: f64, order: f64| {
            let scaled = [0, 1, 2].map(|i| (&gaps[i] * n[i].powf(power)).to_vec());
            let [coarse, middle, fine] = &scaled;
            if order < 1.0 {
                // Terms of order ½ and 1 follow on each other: both are taken out, and the second
                // correction is the error.
                let [first, second] = [(coarse, middle), (middle, fine)]
                    .map(|(coarse, fine)| Limit::of(coarse, fine, 2.0, order).values);
                return Limit::of(&first, &second, 2.0, 2.0 * order);
            }
            Limit::of_three([coarse, middle, fine], 2.0, order)
        };
        let path = ensemble.limit()?;
        let response = Response::new(ensemble, &path, points)?;
        let rest = potential.hessian(0.0);
        let (predicted, biases_alone, error) = if random {
            // α = (1/φ''(A/√n))λᵀF, 1/φ'' = (1/φ₀)(1 − e n^(−(q−2)/2)): as an added −E[eασ(x)].
            let (alpha, _) = path.end();
            let strain = ensemble
                .base
                .a
                .mapv(|a| c * q * (q - 1.0) * a.abs().powf(q - 2.0) / rest);
            let pulled = strain * alpha;
            let predicted = response.weighted(ensemble, &pulled.mapv(|v| -v));
            let zero = vec![0.0; predicted.len()];
            (predicted, zero, 0.0)
        } else {
            from_zero_output(ensemble, &path, &response)
        };
        let solver = 6.0 * TOLERANCE * setting.dataset.largest_value() * n[2].powf(power);
        let order = if random { 0.5 * (q - 2.0) } else { 1.0 };
        Ok(Self {
            name: format!(
                "{}, {} output",
                ensemble.name,
                if random { "random" } else { "zero" }
            ),
            limit: limit(power, order),
            first: limit(1.0, 1.0),
            predicted,
            biases_alone,
            uncertainty: error + solver,
            width: n[2].powf(power - 1.0),
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let what = format!(
            "{}: gap to the centred potential, times its power of n",
            self.name
        );
        let zero = vec![0.0; self.predicted.len()];
        match theory {
            Paper => self.limit.against(what, &self.predicted, self.uncertainty),
            NoDifference => self.limit.against(what, &zero, self.uncertainty),
            BiasesAlone => self
                .limit
                .against(what, &self.biases_alone, self.uncertainty),
            // A limit of n times the gap that is n⁻² of what it is.
            FirstOrder => {
                let predicted: Vec<f64> = self.predicted.clone();
                self.first
                    .against(what, &predicted, self.uncertainty / self.width)
            }
        }
    }
}

/// n²(f_uncentred − f_centred) from zero output, the same with φ''(0) for the input weights, and the error
/// of both.
pub(in super::super) fn from_zero_output(
    ensemble: &Ensemble,
    path: &LimitPath,
    response: &Response,
) -> (Vec<f64>, Vec<f64>, f64) {
    let potential = ensemble.setting.potential;
    let soft = |at: &Array1<f64>| at.mapv(|value| 1.0 / potential.hessian(value));
    let flat = Array1::from_elem(ensemble.len(), 1.0 / potential.hessian(0.0));
    let [own_w, own_b] = [soft(&ensemble.base.w), soft(&ensemble.base.b)];
    let inner = |w: &Array1<f64>, b: &Array1<f64>| {
        let (values, error) = response.inner_under(ensemble, path, [w, b]);
        (Array1::from(values), error)
    };
    let (centred, own) = (inner(&flat, &flat), inner(&own_w, &own_b));
    (
        (&own.0 - &centred.0).to_vec(),
        (inner(&flat, &own_b).0 - &centred.0).to_vec(),
        centred.1 + own.1,
    )
}

impl Response {
    /// Π of E\[v σ(x)\].
    fn weighted(&self, ensemble: &Ensemble, v: &Array1<f64>) -> Vec<f64> {
        let (base, activation) = (&ensemble.base, ensemble.setting.activation);
        self.project(|x| {
            let neurons = v.iter().enumerate();
            let terms = neurons.map(|(k, v)| v * activation.value(base.w[k] * x - base.b[k]));
            terms.sum::<f64>() / v.len() as f64
        })
    }
}
