//! `output-layer-suffices`: training all parameters or the output weights alone differs by O(1/n), and
//! by what.

use ndarray::{Array1, Array2};
use ndarray_linalg::Inverse;
use rayon::prelude::*;

use super::{
    super::{Claim, Context, Control, Findings},
    Ensemble, LimitPath, TOLERANCE, describe, not_converged, random_settings, setting, slope,
    times,
};
use crate::{
    Result,
    evidence::{
        Evidence,
        extrapolation::{Limit, largest_difference},
    },
    setting::{Activation, Dataset, Network, OutputInit, Scaling},
    solver::{bregman_projection, model::Trained},
};

/// The claim (proofs.md, `output-layer-suffices`).
pub const CLAIM: Claim = Claim {
    id: "output-layer-suffices",
    statement: "The network of which all parameters were trained tends to the one whose output weights \
                alone were: they differ by Π[δ + q]/n, the output bias's doing, and by a term of the \
                inner weights in n⁻².",
    source: "proofs.md, `output-layer-suffices`",
    formula: r"\begin{aligned}
              n\,(f_{\mathrm{full}} - f_{\mathrm{out}}) &\to \Pi[\delta + q], \\
              n^2 (f_{\mathrm{full}} - f_{(a,d)}) &\to \Pi\bigl[\mathbb{E}[\alpha\,s(x)(x\omega - \beta) + \alpha_1\,\sigma(x)]\bigr] \\
              &\qquad \text{(zero output, quadratic } \varphi\text{)}, \\
              \Pi[c](x) &= c(x) - g(x)^{\mathsf T} H^{-1} (c(x_i))_i
              \end{aligned}",
    controls: &[
        Control {
            id: "output-bias-left-out",
            statement: "δ = 0: the output bias does not move.",
        },
        Control {
            id: "inner-layer-left-out",
            statement: "The inner weights contribute nothing, in either order.",
        },
    ],
    check,
};

const NEURONS: usize = 60;
const COPIES: [usize; 2] = [9, 18];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    NoOutputBias,
    NoInnerLayer,
}

fn check(context: &Context) -> Result<Findings> {
    let [zero, random] = [
        OutputInit::Zero,
        OutputInit::Random {
            output_weight: 1.0,
            output_bias: 0.01,
        },
    ];
    let [scaled, unscaled] = [Scaling::Scaled, Scaling::Unscaled];
    let fainter = times(&Dataset::figure1(), 0.125)?;
    let figure2 = Dataset::figure2();
    let faintest = times(&fainter, 0.125)?;
    let fainter2 = times(&figure2, 0.25)?;
    let (relu, abs) = (Activation::Relu, Activation::Abs);
    let mut problems = Vec::new();
    for (data, dataset, activation, potential, scaling, output) in [
        ("figure 1, y/8", &fainter, relu, "quadratic", unscaled, zero),
        (
            "figure 1, y/64",
            &faintest,
            relu,
            "quadratic",
            unscaled,
            random,
        ),
        ("figure 2", &figure2, abs, "quadratic", scaled, zero),
        ("figure 2, y/4", &fainter2, abs, "power:3,1", scaled, zero),
        ("figure 2, y/4", &fainter2, abs, "power:3,1", scaled, random),
        ("figure 2", &figure2, abs, "power:4,1", unscaled, zero),
    ] {
        let setting = setting(dataset.clone(), activation, potential, scaling)?;
        problems.push((describe(data, &setting), setting, output));
    }
    for (family, scaling) in [(21, scaled), (22, unscaled)] {
        for (name, setting) in
            random_settings(context, family, 2, &["quadratic", "power:3,1"], scaling)?
        {
            problems.push((name, setting, zero));
        }
    }
    let trials: Vec<Trial> = problems
        .into_par_iter()
        .enumerate()
        .map(|(number, (name, setting, output))| {
            let start = match output {
                OutputInit::Zero => "zero output",
                OutputInit::Random { .. } => "random output",
            };
            let seed = context.draws(200, number);
            let name = format!("{name}, {start}");
            Trial::new(Ensemble::new(name, setting, NEURONS, seed, output))
        })
        .collect::<Result<_>>()?;
    let judge = |theory| {
        trials
            .iter()
            .flat_map(|trial| trial.judge(theory))
            .collect()
    };
    Ok(Findings {
        evidence: judge(Theory::Paper),
        controls: vec![judge(Theory::NoOutputBias), judge(Theory::NoInnerLayer)],
    })
}

/// n(f_full − f_out) and, from zero output, n²(f_full − f_(a,d)), extrapolated, with their predictions.
struct Trial {
    name: String,
    first: Limit,
    second: Option<Limit>,
    /// Π\[δ\] and Π\[q\].
    bias: Vec<f64>,
    random: Vec<f64>,
    /// Limit of n²(f_full − f_(a,d)), and its error.
    inner: (Vec<f64>, f64),
    /// Error of a function that the flow ends at: three times the tolerance.
    solver: f64,
    /// The larger width.
    width: f64,
}

impl Trial {
    fn new(ensemble: Ensemble) -> Result<Self> {
        let setting = &ensemble.setting;
        let edge = 1.5 * setting.dataset.largest_input();
        let points: Vec<f64> = (0..=12)
            .map(|i| edge * (f64::from(i) / 6.0 - 1.0))
            .collect();
        // Under other potentials forces of order 1/n move inner weights linearly at larger widths only.
        let quadratic = setting.potential.leading_correction().is_none();
        let two_terms = quadratic && !ensemble.is_random();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for copies in COPIES {
            let n = (copies * ensemble.len()) as f64;
            let output = |net: &Network| -> Array1<f64> {
                points
                    .iter()
                    .map(|&x| net.output(setting.activation, x))
                    .collect()
            };
            let full = output(&ensemble.train(copies, Trained::All)?.1.network);
            let weights = bregman_projection::project(setting, &ensemble.network(copies))?;
            first.push(((&full - &output(&weights.network)) * n).to_vec());
            if two_terms {
                let layer = output(&ensemble.train(copies, Trained::OutputLayer)?.1.network);
                second.push(((full - layer) * (n * n)).to_vec());
            }
        }
        let path = ensemble.limit()?;
        let response = Response::new(&ensemble, &path, points)?;
        let (_, lambda) = path.end();
        let delta = path.potential.inverse_mirror_map(lambda.sum());
        let order = ensemble.order();
        let limit = |sequence: &[Vec<f64>]| Limit::of(&sequence[0], &sequence[1], 2.0, order);
        Ok(Self {
            first: limit(&first),
            second: two_terms.then(|| limit(&second)),
            bias: response.project(|_| delta),
            random: response.random(&ensemble, &path),
            inner: response.inner(&ensemble, &path),
            solver: 3.0 * TOLERANCE * setting.dataset.largest_value(),
            width: (COPIES[1] * ensemble.len()) as f64,
            name: ensemble.name,
        })
    }

    fn judge(&self, theory: Theory) -> Vec<Evidence> {
        let [bias, random] = [
            theory != Theory::NoOutputBias,
            theory != Theory::NoInnerLayer,
        ]
        .map(|present| f64::from(u8::from(present)));
        let pairs = self.bias.iter().zip(&self.random);
        let predicted: Vec<f64> = pairs.map(|(b, r)| bias * b + random * r).collect();
        let mut evidence = vec![self.first.against(
            format!("{}: n(f_full − f_out) and Π[δ + q]", self.name),
            &predicted,
            self.solver * self.width,
        )];
        if let Some(second) = &self.second {
            let (inner, error) = &self.inner;
            let predicted: Vec<f64> = inner.iter().map(|value| random * value).collect();
            evidence.push(second.against(
                format!(
                    "{}: n²(f_full − f_(a,d)) and the inner weights' term",
                    self.name
                ),
                &predicted,
                error + self.solver * self.width * self.width,
            ));
        }
        evidence
    }
}

/// How the interpolating function responds to a function that is added to it: Π\[c\] = c − gᵀH⁻¹c(x_i).
pub(in super::super) struct Response {
    points: Vec<f64>,
    /// g(x)ᵀH⁻¹ (one row a point, one column a datum).
    weights: Array2<f64>,
    inputs: Vec<f64>,
    /// (φ*)''(λᵀF) of each neuron.
    compliance: Array1<f64>,
}

impl Response {
    pub(in super::super) fn new(
        ensemble: &Ensemble,
        path: &LimitPath,
        points: Vec<f64>,
    ) -> Result<Self> {
        let (features, (_, lambda)) = (ensemble.features(), path.end());
        let u = features.dot(lambda);
        let compliance = u.mapv(|u| path.potential.conjugate_hessian(u));
        let mut weighted = features.clone();
        for (mut row, c) in weighted.rows_mut().into_iter().zip(&compliance) {
            row *= *c / ensemble.len() as f64;
        }
        let hessian = weighted.t().dot(&features);
        let inverse = hessian
            .inv()
            .map_err(|_| not_converged("the Newton matrix"))?;
        let (base, activation) = (&ensemble.base, ensemble.setting.activation);
        let at = Array2::from_shape_fn((points.len(), base.width()), |(i, k)| {
            activation.value(base.w[k] * points[i] - base.b[k])
        });
        Ok(Self {
            weights: at.dot(&weighted).dot(&inverse),
            inputs: ensemble.setting.dataset.x().to_vec(),
            points,
            compliance,
        })
    }

    /// g(x)ᵀH⁻¹r at the points: the change of the interpolating function with its values at the data.
    pub(in super::super) fn spread(&self, residual: &Array1<f64>) -> Array1<f64> {
        self.weights.dot(residual)
    }

    /// Π\[c\] at the points.
    pub(in super::super) fn project(&self, c: impl Fn(f64) -> f64) -> Vec<f64> {
        let data: Array1<f64> = self.inputs.iter().map(|&x| c(x)).collect();
        let taken = self.weights.dot(&data);
        self.points
            .iter()
            .zip(taken)
            .map(|(&x, taken)| c(x) - taken)
            .collect()
    }

    /// Π\[q\], q(x) = (E A²/φ''(0)) Σ λ_i E\[(x x_i + 1) s(x) s(x_i)\].
    fn random(&self, ensemble: &Ensemble, path: &LimitPath) -> Vec<f64> {
        let (base, activation, (_, lambda)) =
            (&ensemble.base, ensemble.setting.activation, path.end());
        let count = base.width() as f64;
        self.project(|x| {
            let neurons = base.w.iter().zip(&base.b).zip(&base.a);
            let sum: f64 = neurons
                .map(|((w, b), a)| {
                    let own = slope(activation, w * x - b);
                    let data = self.inputs.iter().zip(lambda);
                    let terms =
                        data.map(|(xi, l)| l * (x * xi + 1.0) * slope(activation, w * xi - b));
                    a * a * own * terms.sum::<f64>()
                })
                .sum();
            sum / (count * path.potential.hessian(0.0))
        })
    }

    /// Π of what the inner weights change at second order, E\[α s(x)(xω − β) + α₁ σ(x)\] with
    /// α₁ = (φ*)''∫(x∘s ω − s β)ᵀdλ, the change of α by features that move; with its error, from every
    /// other step.
    fn inner(&self, ensemble: &Ensemble, path: &LimitPath) -> (Vec<f64>, f64) {
        let soft = Array1::from_elem(ensemble.len(), 1.0 / path.potential.hessian(0.0));
        self.inner_under(ensemble, path, [&soft, &soft])
    }

    /// The same where w and b of each neuron have these 1/φ''.
    pub(super) fn inner_under(
        &self,
        ensemble: &Ensemble,
        path: &LimitPath,
        soft: [&Array1<f64>; 2],
    ) -> (Vec<f64>, f64) {
        let fine = self.inner_by(ensemble, path, soft, 1);
        let coarse = self.inner_by(ensemble, path, soft, 2);
        let error = largest_difference(&fine, &coarse);
        (fine, error)
    }

    fn inner_by(
        &self,
        ensemble: &Ensemble,
        path: &LimitPath,
        soft: [&Array1<f64>; 2],
        stride: usize,
    ) -> Vec<f64> {
        let gates = ensemble.gates();
        let tilted = &gates * &Array1::from(self.inputs.clone());
        let last = path.alphas.len() - 1;
        let mut places: Vec<usize> = (0..last).step_by(stride).collect();
        places.push(last);
        let zero = Array1::<f64>::zeros(ensemble.len());
        let (mut omega, mut beta, mut moved) = (zero.clone(), zero.clone(), zero);
        for pair in places.windows(2) {
            let change = &path.multipliers[pair[1]] - &path.multipliers[pair[0]];
            let (tilt, shift) = (tilted.dot(&change), gates.dot(&change));
            let alpha = (&path.alphas[pair[0]] + &path.alphas[pair[1]]) * 0.5;
            let [before_omega, before_beta] = [omega.clone(), beta.clone()];
            omega += &(&alpha * &tilt * soft[0]);
            beta -= &(&alpha * &shift * soft[1]);
            moved += &((&omega + &before_omega) * 0.5 * &tilt);
            moved -= &((&beta + &before_beta) * 0.5 * &shift);
        }
        moved *= &self.compliance;
        let (base, activation, (alpha, _)) =
            (&ensemble.base, ensemble.setting.activation, path.end());
        self.project(|x| {
            let terms = (0..base.width()).map(|k| {
                let z = base.w[k] * x - base.b[k];
                alpha[k] * slope(activation, z) * (x * omega[k] - beta[k])
                    + moved[k] * activation.value(z)
            });
            terms.sum::<f64>() / base.width() as f64
        })
    }
}
