//! `bregman-projection`: what mirror flow of the output weights keeps, and where it ends.

use ndarray::{Array1, Array2};
use ndarray_linalg::LeastSquaresSvd;
use rand::Rng;
use rayon::prelude::*;

use super::super::{Claim, Context, Control, Findings};
use crate::{
    Error, Result,
    evidence::{Evidence, Kind, extrapolation::largest},
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        bregman_projection,
        mirror_flow::{self, CONVERGED, Options},
        model::Trained,
    },
};

/// The claim (proofs.md, `bregman-projection`).
pub const CLAIM: Claim = Claim {
    id: "bregman-projection",
    statement: "Mirror flow of the output weights keeps ∇Φ(θ) − ∇Φ(θ̂) in the row space of the \
                features, lowers D_Φ(θ*, θ) at the rate 2ηL for every interpolating θ*, and ends at \
                the Bregman projection.",
    source: "proofs.md, `bregman-projection`",
    formula: r"\begin{aligned}
              \nabla\Phi(\theta(t)) - \nabla\Phi(\hat\theta) &\in \operatorname{range} J^{\mathsf T}, \\
              \frac{d}{dt} D_\Phi(\theta^*, \theta(t)) &= -2\eta L(t), \\
              \lim_{t\to\infty} \theta(t) &= \operatorname*{arg\,min}_{f(x_i, \theta) = y_i} D_\Phi(\theta, \hat\theta)
              \end{aligned}",
    controls: &[
        Control {
            id: "preconditioner-frozen",
            statement: "∇²Φ is taken at θ̂ all along.",
        },
        Control {
            id: "rate-halved",
            statement: "D_Φ(θ*, θ) falls at the rate ηL.",
        },
    ],
    check,
};

/// Neurons of each network.
const WIDTH: usize = 300;

/// What was measured on the way of one network.
struct Path {
    name: String,
    /// Distance of φ'(α) from the row space at the end, and its bound by round-off.
    residue: (f64, f64),
    /// max|r| at the end, over max(1, max|y|).
    residual: f64,
    /// By how much the fall of D_Φ(θ*, θ) leaves its enclosure, in units of its value at the start.
    decay: f64,
}

fn check(context: &Context) -> Result<Findings> {
    let settings = settings(context)?;
    let paths = |frozen: bool, rate: f64| -> Result<Vec<Evidence>> {
        let paths = settings
            .par_iter()
            .enumerate()
            .map(|(number, (name, setting))| {
                let seed = context.draws(128, number);
                Path::measure(name, setting, seed, (frozen, rate))
            });
        let paths: Vec<Path> = paths.collect::<Result<_>>()?;
        Ok(paths.iter().flat_map(Path::evidence).collect())
    };
    Ok(Findings {
        evidence: paths(false, 2.0)?,
        controls: vec![paths(true, 2.0)?, paths(false, 1.0)?],
    })
}

/// Figure 2 with three scaled potentials (elsewhere the twin is none), and random problems.
fn settings(context: &Context) -> Result<Vec<(String, Setting)>> {
    let setting = |dataset, activation, potential| {
        Ok(Setting {
            dataset,
            activation,
            bias: BiasDensity::uniform(1.0)?,
            potential,
            scaling: Scaling::Scaled,
        })
    };
    let potentials = [
        Potential::power(3.0, 1.0)?,
        Potential::power(4.0, 1.0)?,
        Potential::hypentropy(1.0)?,
    ];
    let mut settings = Vec::new();
    for potential in potentials {
        let name = format!("figure 2, scaled {potential}");
        settings.push((
            name,
            setting(Dataset::figure2(), Activation::Abs, potential)?,
        ));
    }
    let mut rng = context.problems(0);
    for number in 0..context.random(3) {
        let dataset = super::super::minimizer::random_dataset(&mut rng, 1.0)?;
        let potential = potentials[rng.next_u32() as usize % potentials.len()];
        let activation = [Activation::Relu, Activation::Abs][rng.next_u32() as usize % 2];
        let name = format!("random data set {number}, {activation:?}, scaled {potential}");
        settings.push((name, setting(dataset, activation, potential)?));
    }
    Ok(settings)
}

impl Path {
    /// One network, with the preconditioner frozen or not, and D to fall at `rate`·ηL.
    fn measure(
        name: &str,
        setting: &Setting,
        seed: u64,
        (frozen, rate): (bool, f64),
    ) -> Result<Self> {
        let (n, m) = (WIDTH, setting.dataset.len());
        let initial = Network::sample(&setting.bias, OutputInit::Zero, n, seed);
        let features = Array2::from_shape_fn((n, m), |(k, i)| {
            let x = setting.dataset.x()[i];
            setting.activation.value(initial.w[k] * x - initial.b[k])
        });
        let goal = bregman_projection::project(setting, &initial)?;
        let mut trained = setting.clone();
        if frozen {
            trained.potential = setting.potential.quadratic_limit();
        }
        let options = Options {
            trained: Trained::OutputWeights,
            ..Options::default()
        };
        let (mut states, mut last) = (Vec::new(), None);
        let run = mirror_flow::train(&trained, &initial, &options, &mut |state| {
            let theta = state.model.in_network_order(&state.point.parameters);
            let alpha = Array1::from(theta[2 * n..3 * n].to_vec()) * n as f64;
            let terms = goal.alpha.iter().zip(&alpha);
            let divergence = terms
                .map(|(goal, alpha)| setting.potential.bregman_divergence(*goal, *alpha))
                .sum::<f64>()
                / n as f64;
            let loss = state.point.residual.iter().map(|r| r * r).sum::<f64>() / (2 * m) as f64;
            states.push((state.time, divergence, loss));
            last = Some(alpha);
        })?;
        let alpha = last.unwrap_or_else(|| Array1::zeros(n));
        let dual = alpha.mapv(|alpha| setting.potential.mirror_map(alpha));
        let fit = features
            .least_squares(&dual)
            .map_err(|_| Error::NotConverged {
                solver: "the least squares of the row space",
                iterations: 0,
                residual: f64::NAN,
            })?;
        let size = |v: &Array1<f64>| largest(v.iter().copied());
        // φ'(α) from α costs the condition number of φ', at most 3 for these potentials.
        let rounding = (4.0 * run.evaluations as f64 + 16.0) * f64::EPSILON * size(&dual);
        Ok(Self {
            name: name.into(),
            residue: (
                size(&(&dual - &features.dot(&fit.solution))),
                (n as f64).sqrt() * rounding,
            ),
            residual: run.residual,
            decay: excess(&states, rate) / states[0].1,
        })
    }

    fn evidence(&self) -> [Evidence; 3] {
        let Self { name, .. } = self;
        let certified = |what: String, measured, threshold| {
            Evidence::compare(Kind::Certified, what, measured, 0.0, threshold)
        };
        let what = format!("{name}: distance of φ'(n a) from the row space at the end");
        [
            certified(what, self.residue.0, self.residue.1),
            certified(
                format!("{name}: max|r| at the end"),
                self.residual,
                CONVERGED,
            ),
            certified(
                format!("{name}: by how much the fall of D_Φ(θ*, θ) is not ∫2ηL dt, relative"),
                self.decay,
                // n terms, each right to 16 ulp.
                16.0 * WIDTH as f64 * f64::EPSILON,
            ),
        ]
    }
}

/// How far the fall of nD_Φ (η = 1/n) from state to state leaves what 2∫L dt can be, L falling: between 2t
/// times its last and 2t times its first value. States are (t, nD_Φ, L).
fn excess(states: &[(f64, f64, f64)], rate: f64) -> f64 {
    let steps = states.windows(2).map(|pair| {
        let [(start, before, first), (end, after, last)] = [pair[0], pair[1]];
        let (fall, time) = (before - after, end - start);
        [fall - rate * time * first, rate * time * last - fall]
    });
    let excess = steps.flatten().map(|off| if off < 0.0 { 0.0 } else { off });
    largest(excess)
}
