//! `loss-decay`: how fast the loss falls along the flow, and at last.

use ndarray::{Array1, Array2};
use ndarray_linalg::{EigValsh, UPLO};
use rayon::prelude::*;

use super::{
    super::{Claim, Context, Control, Findings},
    TOLERANCE, converged, describe, not_converged, random_settings, setting,
};
use crate::{
    Result,
    evidence::{Evidence, Kind, extrapolation::largest},
    setting::{Activation, Dataset, Network, OutputInit, Scaling, Setting},
    solver::{
        bregman_projection,
        mirror_flow::{self, CONVERGED, Options, State, Status},
        model::{Point, Trained},
    },
};

/// The claim (proofs.md, `loss-decay`).
pub const CLAIM: Claim = Claim {
    id: "loss-decay",
    statement: "Along the flow dL/dt = −rᵀKr/m with K = (η/m)J(∇²Φ)⁻¹Jᵀ, so that log(L(0)/L(t)) is at \
                least 2∫λ_min(K), and |r| falls at last at the rate λ_min(E[FFᵀ/φ''(α_∞)])/m of the \
                network's own draw.",
    source: "proofs.md, `loss-decay`",
    formula: r"\begin{aligned}
              \frac{dL}{dt} &= -\frac{1}{m}\, r^{\mathsf T} K r, \qquad K = \frac{\eta}{m}\, J (\nabla^2\Phi)^{-1} J^{\mathsf T}, \\
              \log\frac{L(0)}{L(t)} &\ge 2\int_0^t \lambda_{\min}(K(s))\,ds, \\
              -\frac{d}{dt} \log |r| &\to \frac{1}{m}\, \lambda_{\min}\Bigl(\mathbb{E}\Bigl[\frac{F F^{\mathsf T}}{\varphi''(\alpha_\infty)}\Bigr]\Bigr) \quad (a \text{ alone},\ \eta = 1/n)
              \end{aligned}",
    controls: &[
        Control {
            id: "metric-of-the-start",
            statement: "φ''(0) stands in place of φ''(α).",
        },
        Control {
            id: "kernel-of-the-start",
            statement: "log(L(0)/L(t)) is at least 2tλ_min(K(0)).",
        },
    ],
    check,
};

/// Neurons of each network.
const WIDTH: usize = 540;
/// Down to this |r|₂ steps, which may err by 10⁻¹² beside 10⁻⁷ of a residual, tell how fast it falls.
const LATE: f64 = 1e-7;

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    MetricOfTheStart,
    KernelOfTheStart,
}

fn check(context: &Context) -> Result<Findings> {
    let (scaled, abs) = (Scaling::Scaled, Activation::Abs);
    let mut problems = Vec::new();
    for (data, dataset, activation, potential, scaling) in [
        (
            "figure 1",
            Dataset::figure1(),
            Activation::Relu,
            "quadratic",
            Scaling::Unscaled,
        ),
        ("figure 2", Dataset::figure2(), abs, "power:3,1", scaled),
        ("figure 2", Dataset::figure2(), abs, "power:4,1", scaled),
        ("figure 2", Dataset::figure2(), abs, "hypentropy:1", scaled),
    ] {
        let setting = setting(dataset, activation, potential, scaling)?;
        problems.push((describe(data, &setting), setting));
    }
    problems.extend(random_settings(
        context,
        31,
        2,
        &["power:3,1", "power:4,1"],
        scaled,
    )?);
    let paths: Vec<Path> = problems
        .par_iter()
        .enumerate()
        .map(|(number, (name, setting))| {
            let seed = context.draws(220, number);
            Path::measure(name, setting, seed)
        })
        .collect::<Result<_>>()?;
    let judge = |theory| paths.iter().flat_map(|path| path.judge(theory)).collect();
    Ok(Findings {
        evidence: judge(Theory::Paper),
        controls: vec![
            judge(Theory::MetricOfTheStart),
            judge(Theory::KernelOfTheStart),
        ],
    })
}

/// A number by K with the metric at θ and at θ̂.
#[derive(Clone, Copy)]
struct Both {
    current: f64,
    start: f64,
}

impl Both {
    fn of(self, theory: Theory) -> f64 {
        match theory {
            Theory::MetricOfTheStart => self.start,
            _ => self.current,
        }
    }
}

/// The flow at one step.
struct Moment {
    time: f64,
    /// L.
    loss: f64,
    /// |r|₂.
    residual: f64,
    /// λ_min(K).
    slowest: Both,
    /// −rᵀKr/m.
    decay: Both,
    /// dL/dt by differences, and its error.
    difference: [f64; 2],
}

impl Moment {
    fn is_resolved(&self) -> bool {
        self.residual >= LATE
    }
}

/// What was measured of one network.
struct Path {
    name: String,
    /// All parameters trained.
    moments: Vec<Moment>,
    /// The rate of |r| at the end: measured, its error, and λ_min(K) there.
    whole: ([f64; 2], Both),
    /// The same with a alone trained, and λ_min(E\[FFᵀ/φ''\])/m at the projection.
    weights: ([f64; 2], Both),
}

impl Path {
    fn measure(name: &str, setting: &Setting, seed: u64) -> Result<Self> {
        let initial = Network::sample(&setting.bias, OutputInit::Zero, WIDTH, seed);
        let moments = observe(setting, &initial)?;
        let late = moments.partition_point(Moment::is_resolved);
        let slowest = moments[late.min(moments.len() - 1)].slowest;
        let rate = |trained| late_rate(setting, &initial, trained);
        Ok(Self {
            name: format!("{name}, n = {WIDTH}"),
            whole: (rate(Trained::All)?, slowest),
            weights: (
                rate(Trained::OutputWeights)?,
                projected_rate(setting, &initial)?,
            ),
            moments,
        })
    }

    fn judge(&self, theory: Theory) -> [Evidence; 4] {
        let Self { name, .. } = self;
        // The worst of all steps, in units of its error.
        let worst = largest(self.moments.iter().map(|moment| {
            let [measured, error] = moment.difference;
            (measured - moment.decay.of(theory)) / error
        }));
        let rate = |what: &str, ([measured, error], predicted): ([f64; 2], Both)| {
            Evidence::compare(
                Kind::Numerical,
                format!("{name}: rate of |r| at the end, {what}"),
                measured,
                predicted.of(theory),
                error,
            )
        };
        [
            Evidence::compare(
                Kind::Numerical,
                format!("{name}: |dL/dt + rᵀKr/m| over its error, the worst of all steps"),
                worst,
                0.0,
                1.0,
            ),
            Evidence::compare(
                Kind::Numerical,
                format!("{name}: by how much 2∫λ_min exceeds log(L(0)/L(t)) at any step"),
                self.excess(theory),
                0.0,
                0.0,
            ),
            rate("all parameters trained, and λ_min(K)", self.whole),
            rate("a alone trained, and λ_min(E[FFᵀ/φ''(α)])/m", self.weights),
        ]
    }

    /// max over steps of 2∫λ_min − log(L(0)/L(t)), where of each step the end with the smaller λ_min counts (K jumps where a
    /// gate turns); 0 where it is negative. Residuals below [`LATE`] are left out.
    fn excess(&self, theory: Theory) -> f64 {
        let first = &self.moments[0];
        let (mut integral, mut worst) = (0.0, 0.0_f64);
        let resolved = self.moments.partition_point(Moment::is_resolved);
        for pair in self.moments[..resolved].windows(2) {
            let [from, to] = [&pair[0], &pair[1]].map(|moment| moment.slowest.of(theory));
            integral += (pair[1].time - pair[0].time) * from.min(to);
            let slowest = match theory {
                Theory::KernelOfTheStart => pair[1].time * first.slowest.current,
                _ => integral,
            };
            worst = worst.max(2.0 * slowest - (first.loss / pair[1].loss).ln());
        }
        worst
    }
}

/// Every step of the flow of all parameters of one network.
fn observe(setting: &Setting, initial: &Network) -> Result<Vec<Moment>> {
    let options = Options::within(TOLERANCE);
    let (mut moments, mut start, mut failed) = (Vec::new(), None, false);
    let run = mirror_flow::train(setting, initial, &options, &mut |state| {
        // Where a residual vanishes, the gate of a knot that slides along its datum is undetermined.
        let [low, high] = state.model.gate_ends();
        if !state
            .point
            .pinned
            .iter()
            .all(|gate| (low..=high).contains(gate))
        {
            return;
        }
        let metric = start.get_or_insert_with(|| state.point.inverse_metric.clone());
        match moment(setting, state, metric) {
            Some(moment) => moments.push(moment),
            None => failed = true,
        }
    })?;
    converged(&run)?;
    if failed {
        return Err(not_converged("the eigenvalues of the kernel"));
    }
    Ok(moments)
}

fn moment(setting: &Setting, state: &State<'_>, metric: &[f64]) -> Option<Moment> {
    let State {
        model,
        point,
        gates,
        dual,
        time,
    } = *state;
    let m = point.residual.len() as f64;
    let r = Array1::from(point.residual.clone());
    let kernels = [
        model.kernel(point, gates),
        model.kernel(
            &Point {
                inverse_metric: metric.to_vec(),
                ..point.clone()
            },
            gates,
        ),
    ];
    let both = |of: &dyn Fn(&Array2<f64>) -> Option<f64>| {
        Some(Both {
            current: of(&kernels[0])?,
            start: of(&kernels[1])?,
        })
    };
    let loss = r.dot(&r) / (2.0 * m);
    let decay = both(&|kernel| Some(-r.dot(&kernel.dot(&r)) / m))?;
    let slowest = both(&smallest)?;
    // The loss a little further and a little less along dζ/dt.
    let force: Vec<f64> = point.residual.iter().map(|r| -model.rate() * r).collect();
    let velocity = model.transposed(point, gates, &force);
    let along = |h: f64| -> f64 {
        let moved: Vec<f64> = dual.iter().zip(&velocity).map(|(z, v)| z + h * v).collect();
        let residual = model.at(&moved, gates).residual;
        residual.iter().map(|r| r * r).sum::<f64>() / (2.0 * m)
    };
    // ζ moves in a straight line, along which L is convex but for terms in which J changes: dL/dt lies
    // between the differences to either side, which are h L'' ≤ 2 · 10⁻³ of it apart.
    let h = 1e-3 / largest_eigenvalue(&kernels[0])?;
    let [before, after] = [(loss - along(-h)) / h, (along(h) - loss) / h];
    let size = r.dot(&r).sqrt();
    let cancelled = rounding(setting, state) * size / (m.sqrt() * h);
    Some(Moment {
        time,
        loss,
        residual: size,
        slowest,
        decay,
        difference: [
            0.5 * (before + after),
            0.5 * (after - before).abs() + cancelled,
        ],
    })
}

/// The round-off of a residual, a sum of terms of either sign.
fn rounding(setting: &Setting, state: &State<'_>) -> f64 {
    let (model, reach) = (state.model, setting.dataset.largest_input());
    let terms: f64 = (0..model.width())
        .map(|k| {
            let of = |layer: usize| state.point.parameters[layer * model.width() + k];
            let [w, b, a] = [0, 1, 2].map(of);
            (a * (w.abs() * reach + b.abs())).abs()
        })
        .sum();
    4.0 * f64::EPSILON * (terms + model.value_scale())
}

fn largest_eigenvalue(matrix: &Array2<f64>) -> Option<f64> {
    matrix.eigvalsh(UPLO::Lower).ok()?.last().copied()
}

fn smallest(matrix: &Array2<f64>) -> Option<f64> {
    matrix.eigvalsh(UPLO::Lower).ok()?.first().copied()
}

/// The rate at which |r| falls over the last two decades, and its error: the change from the two decades before, the
/// steps' errors, and round-off.
fn late_rate(setting: &Setting, initial: &Network, trained: Trained) -> Result<[f64; 2]> {
    let m = setting.dataset.len() as f64;
    let mut cancelled = 0.0;
    let mut reach = |level: f64| {
        let options = Options {
            trained,
            loss: level * level / (2.0 * m),
            ..Options::within(TOLERANCE)
        };
        let run = mirror_flow::train(setting, initial, &options, &mut |state| {
            cancelled = rounding(setting, state);
        })?;
        match run.status {
            Status::Horizon => Ok((run.time, run.steps)),
            _ => Err(not_converged("the late rate")),
        }
    };
    let [(start, _), (middle, before), (end, steps)] =
        [reach(1e4 * LATE)?, reach(100.0 * LATE)?, reach(LATE)?];
    let decades = 100f64.ln();
    let [early, late] = [decades / (middle - start), decades / (end - middle)];
    // Of each residual; the last step before either end is one of its own.
    let scale = setting.dataset.largest_value().max(1.0);
    let step = m.sqrt() * (TOLERANCE + 0.01 * CONVERGED * scale / LATE);
    let relative = ((steps - before + 1) as f64 * step + m.sqrt() * cancelled / LATE) / decades;
    Ok([late, (early - late).abs() + late * relative])
}

/// λ_min(E\[FFᵀ/φ''(α)\])/m over the neurons, α the projection's.
fn projected_rate(setting: &Setting, initial: &Network) -> Result<Both> {
    let (x, n) = (setting.dataset.x(), initial.width());
    let alpha = bregman_projection::project(setting, initial)?.alpha;
    let potential = setting.potential_at_width(n);
    let rate = |alpha: &dyn Fn(usize) -> f64| {
        let mut kernel = Array2::<f64>::zeros((x.len(), x.len()));
        for k in 0..n {
            let feature = |x: f64| setting.activation.value(initial.w[k] * x - initial.b[k]);
            for (i, &xi) in x.iter().enumerate() {
                for (j, &xj) in x.iter().enumerate() {
                    kernel[[i, j]] += feature(xi) * feature(xj) / potential.hessian(alpha(k));
                }
            }
        }
        let smallest = smallest(&kernel).ok_or_else(|| not_converged("the eigenvalues of FFᵀ"))?;
        Ok(smallest / (n * x.len()) as f64)
    };
    Ok(Both {
        current: rate(&|k| alpha[k])?,
        start: rate(&|_| 0.0)?,
    })
}
