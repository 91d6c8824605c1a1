//! `descent-follows-flow`: what finite steps change of the path, and what they do not change of its end.

use ndarray::{Array1, Array2, azip};
use ndarray_linalg::LeastSquaresSvd;
use rayon::prelude::*;

use super::{
    super::{Claim, Context, Control, Findings},
    Ensemble, converged, describe, not_converged, random_settings, setting, times,
};
use crate::{
    Result,
    evidence::{
        Evidence, Kind,
        extrapolation::{Limit, largest},
    },
    setting::{Activation, Dataset, OutputInit, Potential, Scaling},
    solver::{
        mirror_descent::{self, Rule},
        mirror_flow::{self, CONVERGED, Options},
        model::Trained,
    },
};

/// The claim (proofs.md, `descent-follows-flow`).
pub const CLAIM: Claim = Claim {
    id: "descent-follows-flow",
    statement: "At a fixed flow time mirror descent and Euler steps are off by O(h), by the predicted \
                amounts; at any stable step mirror descent ends at the projection, while Euler steps \
                leave the row space by h·½∫φ'''(α)(dα/dt)² dt.",
    source: "proofs.md, `descent-follows-flow`",
    formula: r"\begin{aligned}
              \varphi'(n\Delta a)\big|_h &= v + h\,e + O(h^2), \qquad v = \varphi'(\alpha),\ e(0) = 0, \\
              \text{mirror descent:}\quad \frac{de}{dt} &= G'e - \tfrac12 \frac{d^2v}{dt^2}, \qquad \frac{dv}{dt} = G(v) = -\frac1m F\,r, \\
              \text{Euler:}\quad \frac{de}{dt} &= G'e - \tfrac12 \frac{d^2v}{dt^2} + \tfrac12 \varphi'''(\alpha) \Bigl(\frac{d\alpha}{dt}\Bigr)^2
              \end{aligned}",
    controls: &[
        Control {
            id: "half-a-step-late",
            statement: "After k steps the flow time is (k + ½)h.",
        },
        Control {
            id: "euler-is-mirror-descent",
            statement: "Euler steps err like mirror descent and keep the row space.",
        },
    ],
    check,
};

const NEURONS: usize = 100;
/// Flow time at which paths are compared, and the steps of descent.
const TIME: f64 = 64.0;
const STEPS: [f64; 2] = [1.0 / 8.0, 1.0 / 16.0];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    HalfAStepLate,
    EulerIsMirrorDescent,
}

fn check(context: &Context) -> Result<Findings> {
    let abs = Activation::Abs;
    let figure2 = Dataset::figure2();
    let fainter = times(&figure2, 0.25)?;
    let mut problems = Vec::new();
    for (data, dataset, potential) in [
        ("figure 2, y/4", &fainter, "power:3,1"),
        ("figure 2", &figure2, "power:4,1"),
        ("figure 2", &figure2, "hypentropy:1"),
    ] {
        let setting = setting(dataset.clone(), abs, potential, Scaling::Scaled)?;
        problems.push((describe(data, &setting), setting));
    }
    let potentials = ["power:3,1", "power:4,1", "hypentropy:1"];
    problems.extend(random_settings(
        context,
        41,
        2,
        &potentials,
        Scaling::Scaled,
    )?);
    let trials: Vec<Trial> = problems
        .into_par_iter()
        .enumerate()
        .map(|(number, (name, setting))| {
            let seed = context.draws(240, number);
            Trial::measure(&Ensemble::new(
                name,
                setting,
                NEURONS,
                seed,
                OutputInit::Zero,
            ))
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
        controls: vec![
            judge(Theory::HalfAStepLate),
            judge(Theory::EulerIsMirrorDescent),
        ],
    })
}

/// What finite steps change of φ'(α) at the horizon, over h, as measured and as predicted.
struct Trial {
    name: String,
    descent: Limit,
    euler: Limit,
    /// What of `euler` is not in the row space.
    residue: Limit,
    predicted: Errors,
    /// Their error: that of integrating them.
    uncertainty: f64,
    /// max|r| and the distance from the row space, with its round-off, at the end of mirror descent.
    end: [f64; 3],
}

/// First-order errors of φ'(α) at the horizon.
struct Errors {
    /// d φ'(α)/dt.
    velocity: Array1<f64>,
    descent: Array1<f64>,
    euler: Array1<f64>,
    /// What of `euler` is not in the row space.
    residue: Array1<f64>,
}

impl Trial {
    fn measure(ensemble: &Ensemble) -> Result<Self> {
        let (setting, n) = (&ensemble.setting, ensemble.len());
        let initial = ensemble.network(1);
        let options = Options {
            trained: Trained::OutputWeights,
            horizon: TIME,
            ..Options::within(1e-10)
        };
        let mirrored = |a: &Array1<f64>| a.mapv(|a| setting.potential.mirror_map(n as f64 * a));
        let flow = mirror_flow::train(setting, &initial, &options, &mut |_| {})?;
        let flow = mirrored(&flow.network.a);
        let features = ensemble.features();
        let error = |rule: Rule| -> [Array1<f64>; 2] {
            STEPS.map(|step| {
                let run = mirror_descent::train(setting, &initial, rule, step, &options);
                (mirrored(&run.network.a) - &flow) / step
            })
        };
        let limit = |[coarse, fine]: &[Array1<f64>; 2]| {
            Limit::of(&coarse.to_vec(), &fine.to_vec(), 2.0, 1.0)
        };
        let (descent, euler) = (error(Rule::MirrorDescent), error(Rule::Euler));
        let outside = [
            off_row_space(&features, &euler[0])?,
            off_row_space(&features, &euler[1])?,
        ];
        let target = Array1::from(setting.dataset.y().to_vec());
        let [coarse, predicted] = [1024, 2048].map(|steps| {
            Linear {
                features: &features,
                target: &target,
                potential: setting.potential,
            }
            .errors(TIME, steps)
        });
        let [coarse, predicted] = [coarse?, predicted?];
        let changes = [
            &predicted.descent - &coarse.descent,
            &predicted.euler - &coarse.euler,
            &predicted.residue - &coarse.residue,
        ];
        Ok(Self {
            name: ensemble.name.clone(),
            descent: limit(&descent),
            euler: limit(&euler),
            residue: limit(&outside),
            predicted,
            uncertainty: largest(changes.iter().flatten().copied()),
            end: end(ensemble, &features)?,
        })
    }

    fn judge(&self, theory: Theory) -> Vec<Evidence> {
        let Self {
            name, predicted, ..
        } = self;
        let late = match theory {
            Theory::HalfAStepLate => &predicted.velocity * -0.5,
            _ => Array1::zeros(NEURONS),
        };
        let [euler, residue] = match theory {
            Theory::EulerIsMirrorDescent => [predicted.descent.clone(), Array1::zeros(NEURONS)],
            _ => [predicted.euler.clone(), predicted.residue.clone()],
        };
        let what = |what: &str| format!("{name}: {what}, over h");
        let against = |limit: &Limit, what: String, predicted: Array1<f64>| {
            limit.against(what, &predicted.to_vec(), self.uncertainty)
        };
        let [residual, off, rounding] = self.end;
        vec![
            against(
                &self.descent,
                what("error of mirror descent in φ'(nΔa)"),
                &predicted.descent + &late,
            ),
            against(
                &self.euler,
                what("error of Euler steps in φ'(nΔa)"),
                euler + late,
            ),
            against(
                &self.residue,
                what("distance of Euler steps from the row space"),
                residue,
            ),
            Evidence::compare(
                Kind::Certified,
                format!("{name}: max|r| at the end of mirror descent with long steps"),
                residual,
                0.0,
                CONVERGED,
            ),
            Evidence::compare(
                Kind::Certified,
                format!("{name}: its distance from the row space there"),
                off,
                0.0,
                rounding,
            ),
        ]
    }
}

fn off_row_space(features: &Array2<f64>, v: &Array1<f64>) -> Result<Array1<f64>> {
    let fit = features.least_squares(v);
    let fit = fit.map_err(|_| not_converged("the least squares of the row space"))?;
    Ok(v - &features.dot(&fit.solution))
}

/// max|r|, distance from the row space and the latter's round-off at the end of mirror descent whose
/// step is near the longest stable one.
fn end(ensemble: &Ensemble, features: &Array2<f64>) -> Result<[f64; 3]> {
    let (setting, n) = (&ensemble.setting, ensemble.len() as f64);
    // 1/λ_max(K) at the start is at least this, the trace being the sum of the eigenvalues; under
    // hypentropy K may double on the way.
    let trace = features.iter().map(|f| f * f).sum::<f64>() / setting.potential.hessian(0.0);
    let step = 0.5 * n * setting.dataset.len() as f64 / trace;
    let options = Options {
        trained: Trained::OutputWeights,
        most_steps: mirror_descent::MOST_STEPS,
        ..Options::default()
    };
    // Fainter data end sooner; that the end is the projection does not depend on them.
    let mut fainter = setting.clone();
    let scale = 0.02 / setting.dataset.largest_value();
    fainter.dataset = times(&setting.dataset, scale)?;
    let run = mirror_descent::train(
        &fainter,
        &ensemble.network(1),
        Rule::MirrorDescent,
        step,
        &options,
    );
    converged(&run)?;
    let dual = run.network.a.mapv(|a| setting.potential.mirror_map(n * a));
    let off = largest(off_row_space(features, &dual)?);
    // Each step adds a vector of the row space, rounded, the whole being no larger than twice its end.
    let rounding = (2.0 * run.steps as f64 + 16.0) * f64::EPSILON * 2.0 * largest(dual);
    Ok([run.residual, off, n.sqrt() * rounding])
}

/// The model linear in a: dv/dt = −(1/m)F r, v = φ'(α), r = FᵀE\[α\] − y.
struct Linear<'a> {
    features: &'a Array2<f64>,
    target: &'a Array1<f64>,
    potential: Potential,
}

impl Linear<'_> {
    /// −(1/m) F ρ.
    fn pull(&self, rho: &Array1<f64>) -> Array1<f64> {
        self.features.dot(rho) * (-1.0 / self.target.len() as f64)
    }

    /// The mean of Fα.
    fn mean(&self, alpha: &Array1<f64>) -> Array1<f64> {
        self.features.t().dot(alpha) / alpha.len() as f64
    }

    /// d/dt of v and of the errors e, over h, of mirror descent, of Euler steps, and ½φ'''(α)(dα/dt)².
    fn derivative(&self, [v, descent, euler, _]: &[Array1<f64>; 4]) -> [Array1<f64>; 4] {
        let potential = self.potential;
        let alpha = v.mapv(|v| potential.inverse_mirror_map(v));
        let compliance = alpha.mapv(|alpha| 1.0 / potential.hessian(alpha));
        let velocity = self.pull(&(self.mean(&alpha) - self.target));
        let along = |e: &Array1<f64>| self.pull(&self.mean(&(&compliance * e)));
        // A step of Euler's method lacks ½h²d²v/dt²; taken in α it adds ½h²φ'''(α)(dα/dt)².
        let lacking = along(&velocity) * -0.5;
        let mut bend = Array1::zeros(v.len());
        azip!((bend in &mut bend, &alpha in &alpha, &c in &compliance, &v in &velocity) {
            let rate = c * v;
            let side = if alpha == 0.0 { f64::MIN_POSITIVE.copysign(rate) } else { alpha };
            *bend = 0.5 * potential.third_derivative(side) * rate * rate;
        });
        let [descent, euler] = [along(descent), along(euler)];
        [velocity, descent + &lacking, euler + lacking + &bend, bend]
    }

    /// The errors at a time, by the classical Runge–Kutta method.
    fn errors(&self, time: f64, steps: usize) -> Result<Errors> {
        let (h, n) = (time / steps as f64, self.features.nrows());
        let mut state: [Array1<f64>; 4] = std::array::from_fn(|_| Array1::zeros(n));
        let moved = |state: &[Array1<f64>; 4], by: f64, rate: &[Array1<f64>; 4]| {
            std::array::from_fn(|i| &state[i] + &(&rate[i] * by))
        };
        for _ in 0..steps {
            let first = self.derivative(&state);
            let second = self.derivative(&moved(&state, 0.5 * h, &first));
            let third = self.derivative(&moved(&state, 0.5 * h, &second));
            let fourth = self.derivative(&moved(&state, h, &third));
            for i in 0..4 {
                state[i] +=
                    &((&first[i] + &(&second[i] * 2.0) + &third[i] * 2.0 + &fourth[i]) * (h / 6.0));
            }
        }
        let [velocity, ..] = self.derivative(&state);
        let [_, descent, euler, bend] = state;
        Ok(Errors {
            velocity,
            descent,
            euler,
            residue: off_row_space(self.features, &bend)?,
        })
    }
}
