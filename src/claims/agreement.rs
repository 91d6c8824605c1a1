//! `gradient-flow-agreement`: by how much unscaled mirror flow differs from gradient flow at width n.

use ndarray::{Array1, Array2};
use ndarray_linalg::Inverse;
use rayon::prelude::*;

use super::{
    Claim, Context, Control, Findings,
    dynamics::{describe, not_converged, random_settings, setting},
    nth_draw,
};
use crate::{
    Result,
    evidence::{
        Evidence, certificate,
        extrapolation::Limit,
        fluctuation,
        statistics::{self, Alternative},
    },
    setting::{Activation, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        bregman_projection,
        infinite_width::{self, Solution},
        mirror_flow::{self, Options},
    },
};

/// The claim (proofs.md, `gradient-flow-agreement`).
pub const CLAIM: Claim = Claim {
    id: "gradient-flow-agreement",
    statement: "Under an unscaled potential ½φ''(0)z² + c|z|^q + … the learned function is that of \
                gradient flow up to c δ(x)/n^(q−2).",
    source: "proofs.md, `gradient-flow-agreement`",
    formula: r"\begin{aligned}
              n^{q-2}\,(f_\varphi - f_{\mathrm{GF}}) &\to c\,\delta, \\
              \delta(x) &= -\frac{1}{\varphi''(0)}\,\mathbb{E}\bigl[q\,|\alpha|^{q-1} \operatorname{sgn}(\alpha)\,D_x\bigr], \\
              D_x &= \sigma(x) - g(x)^{\mathsf T} H^{-1} F
              \end{aligned}",
    controls: &[
        Control {
            id: "vanishing-curvature",
            statement: "φ''(0) may be 0: |z|⁴ agrees as (|z|⁴ + z²)/2 does.",
        },
        Control {
            id: "scaled",
            statement: "Scaled potentials agree as well.",
        },
        Control {
            id: "wrong-exponent",
            statement: "The gap falls as n^(1−q).",
        },
        Control {
            id: "wrong-constant",
            statement: "The gap is 1.3 times as large.",
        },
    ],
    check,
};

/// Widths and number of the networks.
const WIDTHS: [usize; 2] = [14_580, 43_740];
const DRAWS: usize = 5;
/// Width of the networks that are trained by the flow.
const TRAINED: usize = 4_860;
/// Widths at which the limit's own gap is compared with its first order.
const LIMIT_WIDTHS: [usize; 2] = [4_000, 8_000];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    VanishingCurvature,
    Scaled,
    WrongExponent,
    WrongConstant,
}

fn check(context: &Context) -> Result<Findings> {
    let potentials = ["power:3,1", "power:4,1", "hypentropy:1"];
    let (relu, abs) = (Activation::Relu, Activation::Abs);
    let figures = [
        ("figure 1", Dataset::figure1(), relu, "power:3,1"),
        ("figure 1", Dataset::figure1(), relu, "power:4,1"),
        ("figure 1", Dataset::figure1(), relu, "hypentropy:1"),
        ("figure 2", Dataset::figure2(), abs, "power:3,1"),
    ];
    let mut problems = Vec::new();
    for (data, dataset, activation, potential) in figures {
        let setting = setting(dataset, activation, potential, Scaling::Unscaled)?;
        problems.push((describe(data, &setting), setting));
    }
    problems.extend(random_settings(
        context,
        51,
        2,
        &potentials,
        Scaling::Unscaled,
    )?);
    let gaps: Vec<Gap> = problems
        .into_par_iter()
        .enumerate()
        .map(|(number, (name, setting))| {
            let seed = context.draws(256, number);
            Gap::measure(name, setting, context.samples(DRAWS), seed)
        })
        .collect::<Result<_>>()?;
    // |z|⁴ up to a millionth of z², which is its own rescaling up to a factor.
    let degenerate = gaps[1].against(Potential::power(4.0, 1e-6)?, |_| 1.0)?;
    let scaled = gaps[0].against(gaps[0].setting.potential, |_| 1.0)?;
    let trained = gaps[0].trained(context.draws(264, 0))?;
    let judge = |theory| -> Vec<Evidence> {
        let evidence = gaps.iter().flat_map(|gap| gap.judge(theory));
        evidence.chain([trained.clone()]).collect()
    };
    let replaced = |which: usize, limit: Limit, theory| -> Vec<Evidence> {
        let mut evidence = judge(theory);
        evidence.push(gaps[which].compare(&limit, 1.0));
        evidence
    };
    Ok(Findings {
        evidence: judge(Theory::Paper),
        controls: vec![
            replaced(1, degenerate, Theory::VanishingCurvature),
            replaced(0, scaled, Theory::Scaled),
            judge(Theory::WrongExponent),
            judge(Theory::WrongConstant),
        ],
    })
}

/// The gap of one setting.
struct Gap {
    name: String,
    setting: Setting,
    /// c and q.
    constant: f64,
    exponent: f64,
    gradient_flow: Solution,
    points: Vec<f64>,
    /// δ at the points.
    delta: Vec<f64>,
    /// n^(q−2)(h̄ under n²φ(α/n) − h̄), extrapolated.
    limit: Limit,
    /// Error of that by the solutions' certificates.
    uncertainty: f64,
    /// Where |δ| is largest of the points.
    place: f64,
    /// There for each width: |h̄ under n²φ(α/n) − h̄|, and of networks the mean in its direction and its
    /// standard error.
    gaps: [[f64; 3]; 2],
    draws: usize,
}

impl Gap {
    fn measure(name: String, setting: Setting, draws: usize, seed: u64) -> Result<Self> {
        let (constant, exponent) = setting
            .potential
            .leading_correction()
            .ok_or_else(|| not_converged("the expansion of a quadratic potential"))?;
        let gradient_flow = infinite_width::minimize(&setting)?;
        let edge = 1.5 * setting.dataset.largest_input();
        let points: Vec<f64> = (0..=12)
            .map(|i| edge * (f64::from(i) / 6.0 - 1.0))
            .collect();
        let delta = fluctuation::agreement_gap(&gradient_flow, exponent, &points)?;
        let bound = certificate::certify(&gradient_flow).sup_error_bound;
        let uncertainty = 4.0 * (LIMIT_WIDTHS[1] as f64).powf(exponent - 2.0) * bound;
        let place = points
            .iter()
            .zip(&delta)
            .max_by(|one, other| one.1.abs().total_cmp(&other.1.abs()))
            .map_or(0.0, |(x, _)| *x);
        let mut gap = Self {
            name,
            place,
            setting,
            constant,
            exponent,
            gradient_flow,
            points,
            delta,
            limit: Limit {
                values: Vec::new(),
                error: 0.0,
            },
            uncertainty,
            gaps: [[0.0; 3]; 2],
            draws,
        };
        gap.limit = gap.against(gap.setting.potential, |n| n as f64)?;
        gap.gaps = [gap.networks(0, seed)?, gap.networks(1, seed)?];
        Ok(gap)
    }

    /// n^(q−2)(h̄ − h̄ of gradient flow) as n → ∞, where h̄ has the penalty s²φ(α/s), s = scale(n).
    fn against(&self, potential: Potential, scale: impl Fn(usize) -> f64) -> Result<Limit> {
        let [coarse, fine] = LIMIT_WIDTHS.map(|n| -> Result<Vec<f64>> {
            let penalized = self.penalized(potential.rescaled(scale(n)))?;
            let factor = (n as f64).powf(self.exponent - 2.0);
            let points = self.points.iter();
            let gaps = points.map(|&x| penalized.value(x) - self.gradient_flow.value(x));
            Ok(gaps.map(|gap| factor * gap).collect())
        });
        Ok(Limit::of(&coarse?, &fine?, 2.0, self.exponent - 2.0))
    }

    fn penalized(&self, potential: Potential) -> Result<Solution> {
        infinite_width::minimize(&Setting {
            potential,
            scaling: Scaling::Scaled,
            ..self.setting.clone()
        })
    }

    /// At one width: the limit's gap, the mean of networks', and its standard error.
    fn networks(&self, width: usize, seed: u64) -> Result<[f64; 3]> {
        let (setting, n) = (&self.setting, WIDTHS[width]);
        let mut quadratic = setting.clone();
        quadratic.potential = setting.potential.quadratic_limit();
        let seed = nth_draw(seed, (width as u64) << 32);
        let [expected, deviation] = self.expected(n, seed)?;
        let gaps: Vec<f64> = (0..self.draws as u64)
            .into_par_iter()
            .map(|draw| {
                let initial =
                    Network::sample(&setting.bias, OutputInit::Zero, n, nth_draw(seed, draw));
                let mut gap = bregman_projection::project(setting, &initial)?.network;
                gap.a -= &bregman_projection::project(&quadratic, &initial)?.network.a;
                Ok(gap.output(setting.activation, self.place))
            })
            .collect::<Result<_>>()?;
        let mean = gaps.iter().sum::<f64>() / self.draws as f64;
        let along = expected.signum();
        Ok([
            expected.abs(),
            along * mean,
            deviation / (self.draws as f64).sqrt(),
        ])
    }

    /// f_φ − f_GF at one width in the limit's law, and its standard deviation.
    fn expected(&self, n: usize, seed: u64) -> Result<[f64; 2]> {
        let penalized = self.penalized(self.setting.potential.rescaled(n as f64))?;
        let gap = penalized.value(self.place) - self.gradient_flow.value(self.place);
        let factor = (n as f64).powf(1.5 - self.exponent);
        Ok([gap, factor * self.deviation(seed)?])
    }

    /// Standard deviation of √n n^(q−2)(f_φ − f_GF) where |δ| is largest, by the mean over 10⁵ neurons.
    fn deviation(&self, seed: u64) -> Result<f64> {
        let (setting, count) = (&self.setting, 100_000);
        let (data, q) = (&setting.dataset, self.exponent);
        let m = data.len();
        let neurons = Network::sample(
            &setting.bias,
            OutputInit::Zero,
            count,
            nth_draw(seed, 1 << 30),
        );
        let feature = |k: usize, x: f64| setting.activation.value(neurons.w[k] * x - neurons.b[k]);
        let features = Array2::from_shape_fn((count, m), |(k, i)| feature(k, data.x()[i]));
        let output: Array1<f64> = (0..count).map(|k| feature(k, self.place)).collect();
        let mean = |v: &Array1<f64>| features.t().dot(v) / count as f64;
        let kernel = features.t().dot(&features) / count as f64;
        let inverse = kernel
            .inv()
            .map_err(|_| not_converged("the kernel of a sample"))?;
        let alpha = features.dot(&inverse.dot(&Array1::from(data.y().to_vec())));
        let remainder = &output - &features.dot(&inverse.dot(&mean(&output)));
        let force = alpha.mapv(|a| q * a.abs().powf(q - 1.0).copysign(a));
        let stiffness = alpha.mapv(|a| q * (q - 1.0) * a.abs().powf(q - 2.0));
        // The derivative of −E[force·remainder] in the law of the neurons: directly, through α, and
        // through the regression of σ(x) on F.
        let through_alpha = features.dot(&inverse.dot(&mean(&(stiffness * &remainder))));
        let through_regression = features.dot(&inverse.dot(&mean(&force)));
        let influence =
            &force * &remainder - through_alpha * &alpha - through_regression * &remainder;
        let scale = self.constant / setting.potential.hessian(0.0);
        Ok(scale.abs() * influence.std(0.0))
    }

    fn judge(&self, theory: Theory) -> Vec<Evidence> {
        let factor = if theory == Theory::WrongConstant {
            1.3
        } else {
            1.0
        };
        let shift = if theory == Theory::WrongExponent {
            -1.0
        } else {
            0.0
        };
        let mut evidence = vec![self.compare(&self.limit, factor)];
        for (width, [expected, mean, error]) in WIDTHS.iter().zip(self.gaps) {
            evidence.push(statistics::mean(
                format!(
                    "{}, n = {width}: mean of |f_φ − f_GF| where |δ| is largest",
                    self.name
                ),
                mean,
                factor * expected,
                error,
                self.draws,
                &Alternative::new("gap off by half", 0.5 * expected),
            ));
        }
        let [[coarse, few, e0], [fine, many, e1]] = self.gaps;
        let span = (WIDTHS[1] as f64 / WIDTHS[0] as f64).ln();
        evidence.push(statistics::mean(
            format!("{}: slope of log|f_φ − f_GF| in log n", self.name),
            (many / few).ln() / span,
            (fine / coarse).ln() / span + shift,
            (e0 / coarse).hypot(e1 / fine) / span,
            2 * self.draws,
            &Alternative::new("slope off by 1", 1.0),
        ));
        evidence
    }

    fn compare(&self, limit: &Limit, factor: f64) -> Evidence {
        let predicted = self.delta.iter().map(|d| factor * self.constant * d);
        limit.against(
            format!("{}: n^(q−2)(h̄ under n²φ(α/n) − h̄) and cδ", self.name),
            &predicted.collect::<Vec<_>>(),
            self.uncertainty,
        )
    }

    /// The same with all parameters trained by the flow, from one draw.
    fn trained(&self, seed: u64) -> Result<Evidence> {
        let setting = &self.setting;
        let initial = Network::sample(&setting.bias, OutputInit::Zero, TRAINED, seed);
        let mut quadratic = setting.clone();
        quadratic.potential = setting.potential.quadratic_limit();
        let train = |setting: &Setting| {
            mirror_flow::train(setting, &initial, &Options::default(), &mut |_| {})
        };
        let (mirror, gradient) = rayon::join(|| train(setting), || train(&quadratic));
        let [mirror, gradient] = [mirror?.network, gradient?.network];
        let output = |net: &Network| net.output(setting.activation, self.place);
        let gap = output(&mirror) - output(&gradient);
        let [expected, deviation] = self.expected(TRAINED, seed)?;
        Ok(statistics::mean(
            format!(
                "{}, n = {TRAINED}: f_φ − f_GF where |δ| is largest, all parameters trained",
                self.name
            ),
            gap,
            expected,
            deviation,
            1,
            &Alternative::new("gap off by a factor 2", expected.abs()),
        ))
    }
}
