//! `not-kernel`: under scaled potentials the mirror kernel changes by a fixed share, however wide the
//! network; under unscaled ones its change vanishes, at a rate and with a constant.

use ndarray::{Array1, Array2, Axis};
use ndarray_linalg::Inverse;
use rayon::prelude::*;

use crate::{
    Result,
    claims::{
        Claim, Context, Control, Findings,
        dynamics::{
            Ensemble, LimitPath, TOLERANCE, describe, not_converged, random_settings, setting,
            times,
        },
        nth_draw,
    },
    evidence::{
        Evidence, certificate, conic,
        extrapolation::{Limit, largest},
        statistics::{self, Alternative},
    },
    setting::{Activation, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        bregman_projection,
        dual::Sheet,
        infinite_width::{self, Solution},
        model::Trained,
        quadrature::{Order, Quadrature},
    },
};

/// The claim (proofs.md, `not-kernel`).
pub const CLAIM: Claim = Claim {
    id: "not-kernel",
    statement: "Under a scaled potential φ''(n a_k) tends to the law of φ''(α) and the mirror kernel \
                J(∇²Φ)⁻¹Jᵀ/n to E[FFᵀ/φ''(α)], which is not where it started; under an unscaled one \
                its change vanishes as n^(−min(q−2, 2)), with a constant to which output weights and, \
                in n⁻², inner weights contribute.",
    source: "proofs.md, `not-kernel`",
    formula: r"\begin{aligned}
              \text{scaled:}\quad K_0 = \frac{\mathbb{E}[F F^{\mathsf T}]}{\varphi''(0)},\quad K_\infty &= \mathbb{E}\Bigl[\frac{F F^{\mathsf T}}{\varphi''(\alpha)}\Bigr], \\
              \text{unscaled, output layer:}\quad n^{q-2}(K_\infty - K_0) &\to -\frac{c\,q(q-1)}{\varphi''(0)^2}\, \mathbb{E}\bigl[|\alpha|^{q-2} F F^{\mathsf T}\bigr]
              \end{aligned}",
    controls: &[
        Control {
            id: "kernel-regime",
            statement: "The kernel stays what it was, under scaled potentials, too.",
        },
        Control {
            id: "unscaled-too",
            statement: "Under unscaled potentials the kernel changes as much as under scaled ones.",
        },
        Control {
            id: "secant",
            statement: "φ'(α)/α stands in place of φ''(α).",
        },
        Control {
            id: "output-layer-alone",
            statement: "The kernel's change is that of the output layer.",
        },
    ],
    check,
};

/// Width of the network whose neurons' φ'' are looked at, and how many of them.
const CROWD: usize = 1_000_000;
const NEURONS: usize = 1_000;
/// Width and number of the networks whose kernels are measured.
const WIDTH: usize = 14_580;
const DRAWS: usize = 40;
/// Cells between neighbouring data and changes of sign over which the influence of a neuron on the kernel's change is averaged.
const CELLS: usize = 20_000;
/// Neurons of an ensemble, and how often they are copied.
const DIFFERENT: usize = 60;
const COPIES: [usize; 3] = [9, 18, 36];
/// Widths at which the infinite-width problem takes the potential of a finite width.
const LIMIT_WIDTHS: [usize; 2] = [4_000, 8_000];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    KernelRegime,
    UnscaledToo,
    Secant,
    OutputLayerAlone,
}

use Theory::{KernelRegime, OutputLayerAlone, Paper, Secant, UnscaledToo};

fn check(context: &Context) -> Result<Findings> {
    let (relu, abs) = (Activation::Relu, Activation::Abs);
    let [one, two] = [Dataset::figure1(), Dataset::figure2()];
    let fainter = [times(&one, 0.125)?, times(&two, 0.25)?];
    let scaled = [
        ("figure 2", &two, abs, "power:3,1"),
        ("figure 2", &two, abs, "power:4,1"),
        ("figure 2", &two, abs, "hypentropy:1"),
        ("figure 1", &one, relu, "power:3,1"),
    ];
    let mut crowds = Vec::new();
    for ((data, dataset, activation, potential), number) in scaled.into_iter().zip(0..) {
        let setting = setting(dataset.clone(), activation, potential, Scaling::Scaled)?;
        let seed = context.draws(320, number);
        crowds.push(Crowd::new(
            describe(data, &setting),
            &setting,
            context.samples(DRAWS),
            seed,
        )?);
    }
    let vanishing = [
        ("figure 1", &one, relu, "power:3,1"),
        ("figure 1", &one, relu, "power:4,1"),
        ("figure 2", &two, abs, "hypentropy:1"),
    ];
    let vanishing = vanishing.into_iter().filter(|_| !context.calibrating);
    let vanishing = vanishing.map(|(data, dataset, activation, potential)| {
        let setting = setting(dataset.clone(), activation, potential, Scaling::Unscaled)?;
        Vanishing::new(describe(data, &setting), setting)
    });
    let vanishing: Vec<Vanishing> = vanishing.collect::<Result<_>>()?;
    let trained = [
        (
            "figure 2, y/4",
            &fainter[1],
            abs,
            "power:3,1",
            Scaling::Scaled,
        ),
        (
            "figure 2, y/4",
            &fainter[1],
            abs,
            "power:4,1",
            Scaling::Scaled,
        ),
        (
            "figure 1, y/8",
            &fainter[0],
            relu,
            "quadratic",
            Scaling::Unscaled,
        ),
        (
            "figure 1, y/8",
            &fainter[0],
            relu,
            "power:3,1",
            Scaling::Unscaled,
        ),
        (
            "figure 2, y/4",
            &fainter[1],
            abs,
            "power:4,1",
            Scaling::Unscaled,
        ),
    ];
    let mut problems = Vec::new();
    for (data, dataset, activation, potential, scaling) in trained {
        let setting = setting(dataset.clone(), activation, potential, scaling)?;
        problems.push((describe(data, &setting), setting));
    }
    for (family, scaling) in [(31, Scaling::Scaled), (32, Scaling::Unscaled)] {
        let potentials = ["power:3,1", "power:4,1", "hypentropy:2"];
        problems.extend(random_settings(context, family, 1, &potentials, scaling)?);
    }
    if context.calibrating {
        problems.clear();
    }
    let trained: Vec<Training> = problems
        .into_par_iter()
        .enumerate()
        .map(|(number, (name, setting))| {
            let seed = context.draws(328, number);
            Training::new(&Ensemble::new(
                name,
                setting,
                DIFFERENT,
                seed,
                OutputInit::Zero,
            ))
        })
        .collect::<Result<_>>()?;
    let judge = |theory| -> Vec<Evidence> {
        let crowds = crowds.iter().flat_map(|crowd| crowd.judge(theory));
        let vanishing = vanishing.iter().map(|one| one.judge(theory));
        let trained = trained.iter().map(|one| one.judge(theory));
        crowds.chain(vanishing).chain(trained).collect()
    };
    Ok(Findings {
        evidence: judge(Paper),
        controls: [KernelRegime, UnscaledToo, Secant, OutputLayerAlone]
            .map(judge)
            .into(),
    })
}

/// φ''(α), or what a theory has for it.
fn stiffness(theory: Theory, potential: &Potential, alpha: f64) -> f64 {
    match theory {
        KernelRegime => potential.hessian(0.0),
        Secant if alpha != 0.0 => potential.mirror_map(alpha) / alpha,
        _ => potential.hessian(alpha),
    }
}

/// ‖K − K₀‖/‖K₀‖ in the norm of Frobenius.
fn relative_change(kernel: &Array2<f64>, start: &Array2<f64>) -> f64 {
    let norm = |matrix: &Array2<f64>| matrix.iter().map(|v| v * v).sum::<f64>().sqrt();
    norm(&(kernel - start)) / norm(start)
}

/// Networks with projected output weights under a scaled potential.
struct Crowd {
    name: String,
    solution: Solution,
    /// φ'(n a_k) of the first neurons of a network of a million.
    duals: Vec<f64>,
    /// Mean relative change of the kernel of several networks.
    change: f64,
    /// Its predicted standard error.
    standard_error: f64,
    draws: usize,
}

impl Crowd {
    fn new(name: String, setting: &Setting, draws: usize, seed: u64) -> Result<Self> {
        let potential = setting.limit_potential();
        let project = |width: usize, seed: u64| -> Result<(Network, Array1<f64>)> {
            let initial = Network::sample(&setting.bias, OutputInit::Zero, width, seed);
            let alpha = bregman_projection::project(setting, &initial)?.alpha;
            Ok((initial, alpha))
        };
        let (_, alpha) = project(CROWD, seed)?;
        let firsts = alpha.iter().take(NEURONS);
        let changes = (1..=draws as u64).into_par_iter().map(|draw| {
            let (initial, alpha) = project(WIDTH, nth_draw(seed, draw))?;
            let features = features(setting, &initial);
            let start = alpha.mapv(|_| 1.0 / potential.hessian(0.0));
            let end = alpha.mapv(|alpha| 1.0 / potential.hessian(alpha));
            Ok(relative_change(
                &mean_square(&features, &end),
                &mean_square(&features, &start),
            ))
        });
        let changes: Vec<f64> = changes.collect::<Result<_>>()?;
        let solution = infinite_width::minimize(setting)?;
        let deviation = deviation(&solution)?;
        Ok(Self {
            name,
            solution,
            duals: firsts.map(|&alpha| potential.mirror_map(alpha)).collect(),
            change: changes.iter().sum::<f64>() / draws as f64,
            standard_error: deviation / ((WIDTH * draws) as f64).sqrt(),
            draws,
        })
    }

    fn predicted(&self, theory: Theory) -> f64 {
        let potential = self.solution.setting().limit_potential();
        let knots = self.solution.knots(Order::Fine);
        let kernel = |theory| {
            let softness = |alpha| 1.0 / stiffness(theory, &potential, alpha);
            self.solution.kernel(knots, softness)
        };
        relative_change(&kernel(theory), &kernel(KernelRegime))
    }

    fn judge(&self, theory: Theory) -> Vec<Evidence> {
        let potential = self.solution.setting().limit_potential();
        // φ'' is monotone in |α|, and |λᵀF| too: one law is the other. What a theory has for φ''(n a_k)
        // is translated into the dual whose φ'' that would be.
        let rank = |&dual: &f64| {
            let alpha = potential.inverse_mirror_map(dual);
            match theory {
                KernelRegime => 0.0,
                Secant => {
                    let wanted = stiffness(Secant, &potential, alpha);
                    self.solution.dual_within(level(&potential, wanted))
                }
                _ => self.solution.dual_within(dual.abs()),
            }
        };
        let change = self.predicted(Paper);
        vec![
            statistics::uniform(
                format!("{}: law of φ''(n a_k), n = {CROWD}", self.name),
                self.duals.iter().map(rank).collect(),
                &Alternative::new("distribution functions 0.12 apart", 0.12),
            ),
            statistics::mean(
                format!(
                    "{}: relative change of the mirror kernel, n = {WIDTH}",
                    self.name
                ),
                self.change,
                self.predicted(theory),
                self.standard_error,
                self.draws,
                &Alternative::new("change off by a tenth", 0.1 * change),
            ),
        ]
    }
}

/// |φ'(α)| at the α ≥ 0 with φ''(α) = `wanted`, φ'' monotone on α ≥ 0.
fn level(potential: &Potential, wanted: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    let rising = potential.hessian(high) > potential.hessian(low);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if (potential.hessian(middle) < wanted) == rising {
            low = middle;
        } else {
            high = middle;
        }
    }
    potential.mirror_map(low)
}

/// F (one row a neuron, one column a datum).
fn features(setting: &Setting, network: &Network) -> Array2<f64> {
    let x = setting.dataset.x();
    Array2::from_shape_fn((network.width(), x.len()), |(k, i)| {
        setting.activation.value(network.w[k] * x[i] - network.b[k])
    })
}

/// (1/n) Σ_k weight_k F_k F_kᵀ.
fn mean_square(features: &Array2<f64>, weight: &Array1<f64>) -> Array2<f64> {
    let weighted = features * &weight.view().insert_axis(Axis(1));
    features.t().dot(&weighted) / weight.len() as f64
}

/// The data, and where λᵀF, linear between them, changes its sign: cells are small about these, and there
/// 1/φ'' changes fast.
fn soft_knots(solution: &Solution) -> Vec<f64> {
    let setting = solution.setting();
    let (x, edge) = (setting.dataset.x(), setting.bias.half_width());
    let mut ends: Vec<f64> = x.iter().copied().chain([-edge, edge]).collect();
    ends.sort_by(f64::total_cmp);
    let mut knots = x.to_vec();
    for &sheet in Sheet::of(setting.activation) {
        for pair in ends.windows(2) {
            let [left, right] = [pair[0], pair[1]].map(|c| solution.dual_function(sheet, c));
            if left * right < 0.0 {
                knots.push(pair[0] + (pair[1] - pair[0]) * (left / (left - right)));
            }
        }
    }
    knots
}

/// Standard deviation of √n times the relative change of a network's kernel, by the influence of one
/// neuron (proofs.md, `not-kernel`), over midpoints of cells in place of neurons: few are so soft that they
/// count, and a sample has too few of them.
fn deviation(solution: &Solution) -> Result<f64> {
    let setting = solution.setting();
    let potential = setting.limit_potential();
    // Knots of an even density: the same on both sheets.
    let cells = conic::midpoints(&setting.bias, &soft_knots(solution), CELLS);
    let both = || cells.iter().chain(&cells);
    let sheet = |k: usize| if k < cells.len() { 1.0 } else { -1.0 };
    let w: Array1<f64> = (0..2 * cells.len()).map(sheet).collect();
    let neurons = Network {
        b: both().zip(&w).map(|((knot, _), w)| w * knot).collect(),
        a: Array1::zeros(w.len()),
        d: 0.0,
        w,
    };
    let mass: Array1<f64> = both().map(|(_, mass)| 0.5 * mass).collect();
    let features = features(setting, &neurons);
    let y = Array1::from(setting.dataset.y().to_vec());
    // The figures' data are in ascending order.
    let dual = features.dot(&Array1::from(solution.multipliers()));
    let alpha = dual.mapv(|u| potential.inverse_mirror_map(u));
    let softness = alpha.mapv(|alpha| 1.0 / potential.hessian(alpha));
    let turn = alpha.mapv(|a| -potential.third_derivative(a) / potential.hessian(a).powi(3));
    let rest = alpha.mapv(|_| 1.0 / potential.hessian(0.0));
    let [end, start] = [&softness, &rest].map(|weight| {
        let weighted = &features * &(weight * &mass).insert_axis(Axis(1));
        features.t().dot(&weighted)
    });
    let inverse = end
        .inv()
        .map_err(|_| not_converged("the Newton matrix of a grid"))?;
    let change = &end - &start;
    let square = |matrix: &Array2<f64>| matrix.iter().map(|v| v * v).sum::<f64>();
    let ratio = (square(&change) / square(&start)).sqrt();
    // ⟨C, dK_∞ − dK₀⟩/(‖C‖‖K₀‖) − ratio ⟨K₀, dK₀⟩/‖K₀‖², C = K_∞ − K₀.
    let along = &change / (ratio * square(&start));
    let back = &along + &(&start * (ratio / square(&start)));
    let form = |matrix: &Array2<f64>| (features.dot(matrix) * &features).sum_axis(Axis(1));
    // dλ = −H⁻¹(αF − y), which turns 1/φ'' of all neurons by (φ*)'''Fᵀdλ.
    let pull = features.t().dot(&(&turn * &form(&along) * &mass));
    let answer = inverse.dot(&pull);
    let moved = &alpha * &features.dot(&answer) - y.dot(&answer);
    let influence = &softness * &form(&along) - &rest * &form(&back) - moved;
    let mean = influence.dot(&mass);
    Ok(influence.mapv(|v| (v - mean).powi(2)).dot(&mass).sqrt())
}

/// The kernel of infinite width under the potential of a finite one, unscaled.
struct Vanishing {
    name: String,
    /// n^(q−2)(K_∞ − K₀)/‖K₀‖, extrapolated.
    limit: Limit,
    /// Its prediction, and the scaled potential's change times n^(q−2) at the larger width.
    predicted: Vec<f64>,
    scaled: Vec<f64>,
    secant: f64,
    /// Error by the solutions' certificates.
    uncertainty: f64,
}

impl Vanishing {
    fn new(name: String, setting: Setting) -> Result<Self> {
        let potential = setting.potential;
        let (constant, q) = potential
            .leading_correction()
            .ok_or_else(|| not_converged("the expansion of a quadratic potential"))?;
        let gradient_flow = infinite_width::minimize(&setting)?;
        let stiffness = potential.hessian(0.0);
        let start = gradient_flow.kernel(gradient_flow.knots(Order::Fine), |_| 1.0 / stiffness);
        let norm = start.iter().map(|v| v * v).sum::<f64>().sqrt();
        let change = |potential: Potential, factor: f64| -> Result<(Vec<f64>, f64)> {
            let solution = infinite_width::minimize(&Setting {
                potential,
                scaling: Scaling::Scaled,
                ..setting.clone()
            })?;
            let softness = |alpha| 1.0 / potential.hessian(alpha);
            let kernels = [Order::Base, Order::Fine]
                .map(|order| solution.kernel(solution.knots(order), softness));
            let change = (&kernels[1] - &start) * (factor / norm);
            // α errs by the solution's residual relative to y, the kernel by no more than as much
            // relative to its change, and by its quadrature.
            let quadrature = largest((&kernels[1] - &kernels[0]).iter().copied()) * factor / norm;
            let gap = certificate::certify(&solution).sup_error_bound;
            let error = quadrature + gap * largest(change.iter().copied());
            Ok((change.iter().copied().collect(), error))
        };
        let factors = LIMIT_WIDTHS.map(|n| (n as f64).powf(q - 2.0));
        let [coarse, fine] =
            [0, 1].map(|i| change(potential.rescaled(LIMIT_WIDTHS[i] as f64), factors[i]));
        let ((coarse, _), (fine, error)) = (coarse?, fine?);
        let (scaled, _) = change(potential, factors[1])?;
        let knots = gradient_flow
            .knots(Order::Fine)
            .with_quadrature(Quadrature::singular_at_zero(
                gradient_flow.setting().limit_potential(),
            ));
        let predicted = gradient_flow.kernel(&knots, |alpha| {
            -constant * q * (q - 1.0) * alpha.abs().powf(q - 2.0) / stiffness.powi(2)
        });
        Ok(Self {
            name,
            limit: Limit::of(&coarse, &fine, 2.0, q - 2.0),
            predicted: predicted.iter().map(|v| v / norm).collect(),
            scaled,
            // φ'(α)/α = φ''(0) + cq|α|^(q−2) + …
            secant: 1.0 / (q - 1.0),
            uncertainty: 4.0 * error,
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let predicted: Vec<f64> = match theory {
            Secant => self.predicted.iter().map(|v| v * self.secant).collect(),
            UnscaledToo => self.scaled.clone(),
            _ => self.predicted.clone(),
        };
        self.limit.against(
            format!("{}: n^(q−2)(K_∞ − K₀)/‖K₀‖ of the output layer", self.name),
            &predicted,
            self.uncertainty,
        )
    }
}

/// The kernel of a network of which all parameters are trained, in the limit of many copies.
struct Training {
    name: String,
    scaling: Scaling,
    /// n^s (K_∞ − K₀), s = 0 where scaled and min(q − 2, 2) where not.
    limit: Limit,
    /// What output weights and inner weights contribute, and the error of the latter.
    output: Vec<f64>,
    secant: Vec<f64>,
    inner: Vec<f64>,
    uncertainty: f64,
}

impl Training {
    fn new(ensemble: &Ensemble) -> Result<Self> {
        let setting = &ensemble.setting;
        let correction = setting.potential.leading_correction();
        let power = match (setting.scaling, correction) {
            (Scaling::Scaled, _) => 0.0,
            (Scaling::Unscaled, Some((_, q))) => f64::min(q - 2.0, 2.0),
            (Scaling::Unscaled, None) => 2.0,
        };
        let changes = COPIES.map(|copies| -> Result<Vec<f64>> {
            let n = (copies * ensemble.len()) as f64;
            let [start, end] = ensemble.kernels(copies)?;
            Ok((end - start).iter().map(|v| v * n.powf(power)).collect())
        });
        let [coarse, middle, fine] = changes;
        let limit = Limit::of_three([&coarse?, &middle?, &fine?], 2.0, ensemble.order());
        let path = ensemble.limit()?;
        let features = ensemble.features();
        let (alpha, _) = path.end();
        let output = |theory: Theory| -> Vec<f64> {
            let rest = setting.potential.hessian(0.0);
            let weight = match (setting.scaling, correction) {
                (Scaling::Scaled, _) => {
                    alpha.mapv(|alpha| 1.0 / stiffness(theory, &path.potential, alpha) - 1.0 / rest)
                }
                (Scaling::Unscaled, Some((c, q))) if q <= 4.0 => {
                    let tangent = if theory == Secant { 1.0 } else { q - 1.0 };
                    alpha.mapv(|a| -c * q * tangent * a.abs().powf(q - 2.0) / rest.powi(2))
                }
                _ => Array1::zeros(alpha.len()),
            };
            mean_square(&features, &weight).iter().copied().collect()
        };
        let (inner, error) = if power == 2.0 {
            inner(ensemble, &path)
        } else {
            (vec![0.0; features.ncols().pow(2)], 0.0)
        };
        let size = largest(limit.values.iter().copied());
        Ok(Self {
            name: ensemble.name.clone(),
            scaling: setting.scaling,
            limit,
            output: output(Paper),
            secant: output(Secant),
            inner,
            uncertainty: error + 100.0 * TOLERANCE * size,
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let scaled = self.scaling == Scaling::Scaled;
        let output = match theory {
            KernelRegime if scaled => vec![0.0; self.output.len()],
            Secant => self.secant.clone(),
            _ => self.output.clone(),
        };
        let inner = if theory == OutputLayerAlone { 0.0 } else { 1.0 };
        let pairs = output.iter().zip(&self.inner);
        let predicted: Vec<f64> = pairs.map(|(o, i)| o + inner * i).collect();
        let what = match self.scaling {
            Scaling::Scaled => "K_∞ − K₀",
            Scaling::Unscaled => "n^min(q−2, 2) (K_∞ − K₀)",
        };
        self.limit.against(
            format!("{}: {what}, all parameters trained", self.name),
            &predicted,
            self.uncertainty,
        )
    }
}

impl Ensemble {
    /// J(∇²Φ)⁻¹Jᵀ/n at the start and at the end of training with that many copies.
    fn kernels(&self, copies: usize) -> Result<[Array2<f64>; 2]> {
        let m = self.setting.dataset.len() as f64;
        let mut kernels = Vec::new();
        self.observe(copies, Trained::All, &mut |state| {
            let kernel = || state.model.kernel(state.point, state.gates) * m;
            if kernels.len() < 2 {
                kernels.push(kernel());
            } else {
                kernels[1] = kernel();
            }
        })?;
        let mut kernels = kernels.into_iter();
        let missing = || not_converged("a flow that takes a step");
        Ok([
            kernels.next().ok_or_else(missing)?,
            kernels.next().ok_or_else(missing)?,
        ])
    }
}

/// E\[α²(x x' + 1) s s'\]/φ₀ + E\[δF Fᵀ + F δFᵀ\]/φ₀, δF = s(xω − β): the inner weights' part of n²(K_∞ − K₀)
/// from zero output, unscaled; with its error.
fn inner(ensemble: &Ensemble, path: &LimitPath) -> (Vec<f64>, f64) {
    let x = Array1::from(ensemble.setting.dataset.x().to_vec());
    let (gates, features) = (ensemble.gates(), ensemble.features());
    let tilted = &gates * &x;
    let softness = 1.0 / path.potential.hessian(0.0);
    let (tilt, tilt_error) = path.integral(&tilted);
    let (shift, shift_error) = path.integral(&gates);
    let count = ensemble.len() as f64;
    let column = |v: &Array1<f64>| v.clone().insert_axis(Axis(1));
    // x ω − β = (x∫α(x∘s)ᵀdλ + ∫α sᵀdλ)/φ₀
    let moved = (&tilted * &column(&tilt) + &gates * &column(&shift)) * softness;
    let (alpha, _) = path.end();
    let [tilted, gates] = [tilted, gates].map(|v| v * &column(alpha));
    let product = moved.t().dot(&features);
    let sum = tilted.t().dot(&tilted) + gates.t().dot(&gates) + &product + product.t();
    let reach = largest(x.iter().copied());
    let error =
        2.0 * softness * (reach * tilt_error + shift_error) * largest(features.iter().copied());
    (
        sum.iter().map(|v| v * softness / count).collect(),
        error * softness,
    )
}
