//! `non-rkhs`: no RKHS norm has the minimisers that scaled potentials lead to.

use ndarray::Array1;
use rand::Rng;
use rayon::prelude::*;

use crate::{
    Result,
    claims::{
        Claim, Context, Control, Findings,
        dynamics::{describe, setting},
        minimizer::{self, random_dataset, random_density},
        nth_draw,
    },
    evidence::{
        Evidence, Kind, certificate,
        conic::{self, Refinement},
        fluctuation,
        statistics::{self, Alternative},
    },
    setting::{Activation, Dataset, Family, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        bregman_projection,
        dual::Sheet,
        infinite_width::{self, Solution},
    },
};

/// The claim (proofs.md, `non-rkhs`).
pub const CLAIM: Claim = Claim {
    id: "non-rkhs",
    statement: "For |·| and a scaled potential the learned function depends linearly on the data \
                only where φ is quadratic; elsewhere it minimises no RKHS norm, nor an increasing \
                function of one.",
    source: "proofs.md, `non-rkhs`",
    formula: r"\begin{aligned}
              \bar h[y_1 + y_2] &= \bar h[y_1] + \bar h[y_2] \ \text{ for all } y_1, y_2 \\
              &\Longleftrightarrow\ \varphi'' \text{ is constant}
              \end{aligned}",
    controls: &[
        Control {
            id: "linear",
            statement: "Every potential minimises an RKHS norm.",
        },
        Control {
            id: "never-linear",
            statement: "Quadratic potentials leave the RKHS norms, too.",
        },
        Control {
            id: "unscaled-too",
            statement: "Unscaled potentials leave the RKHS norms, too.",
        },
        Control {
            id: "omega-two",
            statement: "The defect is that of ω = 2 in place of ω = 1.",
        },
    ],
    check,
};

/// Potentials on figure 2's data.
const POTENTIALS: [(&str, Scaling); 6] = [
    ("power:3,1", Scaling::Scaled),
    ("power:4,1", Scaling::Scaled),
    ("hypentropy:1", Scaling::Scaled),
    ("hypentropy:0.1", Scaling::Scaled),
    ("quadratic", Scaling::Scaled),
    ("power:4,1", Scaling::Unscaled),
];
/// Of these, how many cone programs can state by second-order cones.
const STATED: usize = 2;
/// Of these, the one whose networks are drawn: its defect is the largest.
const DRAWN: usize = 2;
/// Width and number of those networks.
const WIDTH: usize = 14_580;
const DRAWS: usize = 100;
/// Neurons by which its standard error is computed, to about half a per cent.
const INFLUENCES: usize = 100_000;
/// Places at which the defect is looked for.
const PLACES: u32 = 121;

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    Linear,
    NeverLinear,
    UnscaledToo,
    OmegaTwo,
}

use Theory::{Linear, NeverLinear, OmegaTwo, Paper, UnscaledToo};

/// The learned functions of y₁ + y₂, y₁ and y₂ on the same inputs.
struct Split {
    name: String,
    settings: [Setting; 3],
    solutions: [Solution; 3],
    /// Sum of the certified bounds on their errors, and whether all of them are proven.
    error: f64,
    kind: Kind,
    /// Where the defect was largest, and the defect there.
    place: f64,
    defect: f64,
}

/// h − h₁ − h₂.
fn superposition([whole, one, two]: [f64; 3]) -> f64 {
    whole - one - two
}

impl Split {
    /// The data of `setting`, split into `first` and the rest.
    fn new(name: impl Into<String>, setting: &Setting, first: &[f64]) -> Result<Self> {
        let values = setting.dataset.y().to_vec();
        let rest = values.iter().zip(first).map(|(y, first)| y - first);
        let with = |y: Vec<f64>| -> Result<Setting> {
            Ok(Setting {
                dataset: setting.dataset.with_values(y)?,
                ..setting.clone()
            })
        };
        let settings = [
            with(values.clone())?,
            with(first.to_vec())?,
            with(rest.collect())?,
        ];
        let [whole, one, two] = settings.each_ref().map(infinite_width::minimize);
        let solutions = [whole?, one?, two?];
        let certificates = solutions.each_ref().map(certificate::certify);
        let error = certificates.iter().map(|one| one.sup_error_bound).sum();
        let kind = certificate::kind(&certificates);
        let edge = 1.5 * setting.dataset.largest_input();
        let (mut place, mut defect) = (0.0, 0.0_f64);
        for k in 0..PLACES {
            let x = edge * (2.0 * f64::from(k) / f64::from(PLACES - 1) - 1.0);
            let here = superposition(solutions.each_ref().map(|solution| solution.value(x)));
            if here.abs() > defect.abs() || here.is_nan() {
                (place, defect) = (x, here);
            }
        }
        Ok(Self {
            name: name.into(),
            settings,
            solutions,
            error,
            kind,
            place,
            defect,
        })
    }

    /// Certifies the defect, or that there is none.
    fn certified(&self, linear: bool) -> Evidence {
        let (what, measured, threshold) = if linear {
            ("superposition defect", self.defect.abs(), self.error)
        } else {
            let share = self.error / self.defect.abs();
            ("certified errors over the superposition defect", share, 1.0)
        };
        let what = format!("{}: {what}", self.name);
        Evidence::compare(self.kind, what, measured, 0.0, threshold)
    }

    /// The defect at its place by cone programs under another potential, with its error.
    fn refined(&self, potential: Potential) -> Result<[f64; 2]> {
        let refine = |setting: &Setting| -> Result<Refinement> {
            let data = &setting.dataset;
            conic::refine(
                minimizer::abs::program(potential),
                &setting.bias,
                (data.x(), data.y()),
                &[self.place],
            )
        };
        let [whole, one, two] = self.settings.each_ref().map(refine);
        let refinements = [whole?, one?, two?];
        let defect = superposition(refinements.each_ref().map(|one| one.values[0]));
        Ok([defect, refinements.iter().map(|one| one.error).sum()])
    }

    /// The mean defect of networks, each fitted to all three data sets from the same start.
    fn drawn(&self, context: &Context) -> Result<f64> {
        let draws = context.samples(DRAWS);
        let defects = (0..draws as u64).into_par_iter().map(|draw| {
            let seed = nth_draw(context.draws(300, 0), draw);
            let bias = &self.settings[0].bias;
            let start = Network::sample(bias, OutputInit::Zero, WIDTH, seed);
            let output = |setting: &Setting| -> Result<f64> {
                let network = bregman_projection::project(setting, &start)?.network;
                Ok(network.output(setting.activation, self.place))
            };
            let [whole, one, two] = self.settings.each_ref().map(output);
            Ok(superposition([whole?, one?, two?]))
        });
        let defects: Vec<f64> = defects.collect::<Result<_>>()?;
        Ok(defects.iter().sum::<f64>() / draws as f64)
    }

    /// That mean's standard error by law 1: what one neuron adds to all three functions, over a sample.
    fn standard_error(&self, context: &Context) -> Result<f64> {
        let seed = context.draws(301, 0);
        let bias = &self.settings[0].bias;
        let sample = Network::sample(bias, OutputInit::Zero, INFLUENCES, seed);
        let knots = &sample.w * &sample.b;
        let neurons: Vec<(Sheet, f64)> = knots.iter().map(|&c| (Sheet::Both, c)).collect();
        let influences = |solution| fluctuation::influences(solution, self.place, &neurons);
        let [whole, one, two] = self.solutions.each_ref().map(influences);
        let (whole, one, two) = (whole?, one?, two?);
        let defects: Array1<f64> = (0..INFLUENCES)
            .map(|k| superposition([whole[k], one[k], two[k]]))
            .collect();
        Ok(defects.std(0.0) / ((WIDTH * context.samples(DRAWS)) as f64).sqrt())
    }
}

struct Measurement {
    /// Figure 2's data with each of [`POTENTIALS`], then random problems.
    splits: Vec<Split>,
    /// (mean defect of networks, its standard error).
    networks: [f64; 2],
    /// For the first of [`POTENTIALS`] the defect by cone programs, and for ω = 2.
    refined: Vec<[[f64; 2]; 2]>,
    draws: usize,
}

fn check(context: &Context) -> Result<Findings> {
    let measurement = measure(context)?;
    let judge = |theory| judge(&measurement, theory);
    Ok(Findings {
        evidence: judge(Paper),
        controls: [Linear, NeverLinear, UnscaledToo, OmegaTwo]
            .map(judge)
            .into(),
    })
}

fn measure(context: &Context) -> Result<Measurement> {
    let mut splits = Vec::new();
    for (potential, scaling) in POTENTIALS {
        let setting = setting(Dataset::figure2(), Activation::Abs, potential, scaling)?;
        let name = describe("figure 2", &setting);
        let y = setting.dataset.y();
        let first = [y[0], y[1], 0.0, 0.0];
        splits.push(Split::new(name, &setting, &first)?);
    }
    let mut rng = context.problems(21);
    for number in 0..context.random(6) {
        let bias = random_density(&mut rng)?;
        let dataset = random_dataset(&mut rng, bias.half_width())?;
        let (potential, scaling) = POTENTIALS[number % POTENTIALS.len()];
        let eighths = dataset.y().iter().map(|_| {
            let size = f64::from(1 + rng.next_u32() % 8) / 8.0;
            if rng.next_u32().is_multiple_of(2) {
                size
            } else {
                -size
            }
        });
        let first: Vec<f64> = eighths.collect();
        let setting = Setting {
            dataset,
            activation: Activation::Abs,
            bias,
            potential: potential.parse()?,
            scaling,
        };
        let name = describe(&format!("random data set {number}"), &setting);
        splits.push(Split::new(name, &setting, &first)?);
    }
    let refined = splits[..STATED].par_iter().map(|split| {
        let own = split.settings[0].limit_potential();
        let Family::Power { exponent, omega } = own.family() else {
            return Ok([[f64::NAN; 2]; 2]);
        };
        let other = Potential::power(exponent, 2.0 * omega)?;
        Ok([split.refined(own)?, split.refined(other)?])
    });
    Ok(Measurement {
        refined: refined.collect::<Result<_>>()?,
        networks: [
            splits[DRAWN].drawn(context)?,
            splits[DRAWN].standard_error(context)?,
        ],
        splits,
        draws: context.samples(DRAWS),
    })
}

impl Theory {
    /// Whether data map linearly to functions.
    fn is_linear(self, setting: &Setting) -> bool {
        let quadratic =
            |potential: Potential| matches!(potential.family(), Family::Quadratic { .. });
        match self {
            Paper | OmegaTwo => quadratic(setting.limit_potential()),
            Linear => true,
            NeverLinear => false,
            UnscaledToo => quadratic(setting.potential),
        }
    }
}

fn judge(measurement: &Measurement, theory: Theory) -> Vec<Evidence> {
    let splits = measurement.splits.iter();
    let mut evidence: Vec<Evidence> = splits
        .map(|split| split.certified(theory.is_linear(&split.settings[0])))
        .collect();
    for (split, refined) in measurement.splits.iter().zip(&measurement.refined) {
        let [defect, error] = refined[usize::from(theory == OmegaTwo)];
        let (predicted, error) = match theory {
            Linear => (0.0, 0.0),
            _ => (defect, error),
        };
        evidence.push(Evidence::compare(
            Kind::Numerical,
            format!(
                "{}: superposition defect, dual and cone programs",
                split.name
            ),
            split.defect,
            predicted,
            split.error + error,
        ));
    }
    let split = &measurement.splits[DRAWN];
    let [mean, standard_error] = measurement.networks;
    evidence.push(statistics::mean(
        format!(
            "{}, n = {WIDTH}: superposition defect of networks from common starts",
            split.name
        ),
        mean,
        if theory == Linear { 0.0 } else { split.defect },
        standard_error,
        measurement.draws,
        &Alternative::new("no defect", split.defect),
    ));
    evidence
}
