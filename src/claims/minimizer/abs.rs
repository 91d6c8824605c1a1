//! `abs-minimizer`: h̄ of |·| networks minimises ∫D_φ(h''/(2p_B), 0) p_B.

use ndarray::Array1;
use num_rational::BigRational;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Case, between, random_dataset, random_density};
use crate::{
    Result,
    claims::{Claim, Context, Control, Findings, sample::Sample},
    evidence::{
        Evidence,
        conic::{Affine, Atom, Penalty, Program},
    },
    setting::{Activation, BiasDensity, Dataset, Family, Potential, Scaling, Setting},
    solver::{dual::Sheet, spline::RepresentationCost},
};

/// The claim (proofs.md, `abs-minimizer`).
pub const CLAIM: Claim = Claim {
    id: "abs-minimizer",
    statement: "For |·| the learned function minimises ∫D_φ(h''/(2p_B), 0) p_B dx among the \
                functions of F_Abs through the data; unscaled, with ½φ''(0)z² in place of φ.",
    source: "proofs.md, `abs-minimizer`",
    formula: r"\begin{aligned}
              \bar h &= \operatorname*{arg\,min}_{h \in F_{\mathrm{Abs}},\ h(x_i) = y_i} \int D_\varphi\Bigl(\frac{h''(x)}{2p_B(x)},\, 0\Bigr)\, p_B(x)\,dx, \\
              F_{\mathrm{Abs}} &= \Bigl\{ h : h'(+\infty) + h'(-\infty) = 0, \\
              &\qquad \int h''(x)\,|x|\,dx = 2h(0) \Bigr\}
              \end{aligned}",
    controls: &[
        Control {
            id: "half-forgotten",
            statement: "h''/p_B stands in place of h''/(2p_B).",
        },
        Control {
            id: "quadratic-potential",
            statement: "φ is quadratic for scaled potentials, too.",
        },
        Control {
            id: "omega-two",
            statement: "ω = 2 stands in place of ω = 1.",
        },
        Control {
            id: "offset-free",
            statement: "2h(0) = ∫h''|x| dx need not hold.",
        },
    ],
    check,
};

/// Widths at which projections are drawn, and draws at each.
const WIDTHS: [usize; 3] = [1_620, 4_860, 14_580];
const DRAWS: usize = 100;
/// Points at which their fluctuation is tested; beyond the outer data h̄ does not fluctuate.
const POINTS: [f64; 4] = [-0.6, 0.1, 0.5, 0.8];
/// Penalties on figure 2's data.
const PENALTIES: [(&str, Scaling); 5] = [
    ("power:4,1", Scaling::Unscaled),
    ("quadratic", Scaling::Scaled),
    ("power:3,1", Scaling::Scaled),
    ("power:4,1", Scaling::Scaled),
    ("hypentropy:1", Scaling::Scaled),
];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    HalfForgotten,
    QuadraticPotential,
    OmegaTwo,
    OffsetFree,
}

use Theory::{HalfForgotten, OffsetFree, OmegaTwo, Paper, QuadraticPotential};

struct Measurement {
    /// Figure 2 with each of [`PENALTIES`], at [`POINTS`]; then random problems.
    cases: Vec<Case>,
    /// For each of [`PENALTIES`], networks of each of [`WIDTHS`].
    samples: Vec<Vec<Sample>>,
}

fn check(context: &Context) -> Result<Findings> {
    let measurement = measure(context)?;
    let twins = [HalfForgotten, QuadraticPotential, OmegaTwo, OffsetFree];
    let controls = twins.par_iter().map(|twin| judge(&measurement, *twin));
    Ok(Findings {
        controls: controls.collect::<Result<_>>()?,
        evidence: judge(&measurement, Paper)?,
    })
}

fn measure(context: &Context) -> Result<Measurement> {
    let mut rng = context.problems(0);
    let (mut cases, mut samples) = (Vec::new(), Vec::new());
    for (number, (potential, scaling)) in PENALTIES.into_iter().enumerate() {
        let setting = Setting {
            dataset: Dataset::figure2(),
            activation: Activation::Abs,
            bias: BiasDensity::uniform(1.0)?,
            potential: potential.parse()?,
            scaling,
        };
        let name = match scaling {
            Scaling::Scaled => format!("figure 2, scaled {potential}"),
            Scaling::Unscaled => format!("figure 2, unscaled {potential}"),
        };
        let draws = context.samples(DRAWS);
        let widths = WIDTHS.iter().enumerate().map(|(step, &width)| {
            Sample::draw(
                &name,
                &setting,
                &POINTS,
                width,
                draws,
                context.draws(1, WIDTHS.len() * number + step),
            )
        });
        samples.push(widths.collect::<Result<_>>()?);
        cases.push(Case::new(name, setting, POINTS.to_vec())?);
    }
    for number in 0..context.random(2) {
        let bias = random_density(&mut rng)?;
        let dataset = random_dataset(&mut rng, bias.half_width())?;
        let points = between(&dataset);
        let potential = random_potential(&mut rng)?;
        let name = format!("random data set {number}, scaled {potential}, {bias} B");
        let setting = Setting {
            dataset,
            activation: Activation::Abs,
            bias,
            potential,
            scaling: Scaling::Scaled,
        };
        cases.push(Case::new(name, setting, points)?);
    }
    Ok(Measurement { cases, samples })
}

/// One of those that second-order cones can state.
fn random_potential(rng: &mut ChaCha8Rng) -> Result<Potential> {
    let mut draw = || f64::from(rng.next_u32() % 2);
    Potential::power(3.0 + draw(), 0.5 + 0.5 * draw())
}

impl Theory {
    /// What stands for D_φ(·, 0), up to a factor: α ↦ φ(2α) is ¼ of φ rescaled by ½.
    fn penalty(self, setting: &Setting) -> Result<Potential> {
        let potential = setting.limit_potential();
        Ok(match (self, potential.family()) {
            (HalfForgotten, _) => potential.rescaled(0.5),
            (QuadraticPotential, _) => Potential::quadratic(),
            (OmegaTwo, Family::Power { exponent, omega }) => {
                Potential::power(exponent, 2.0 * omega)?
            }
            _ => potential,
        })
    }

    /// The penalty as a cone program in α = h''/(2p_B).
    fn program(self, setting: &Setting) -> Result<impl Fn(&[(f64, f64)]) -> Program> {
        let offset = (self == OffsetFree).then_some(0.0);
        Ok(stated(self.penalty(setting)?, offset))
    }

    /// The penalty in exact arithmetic, where it is quadratic and B uniform.
    fn exact(self, setting: &Setting) -> Result<Option<RepresentationCost<BigRational>>> {
        let (Family::Quadratic { .. }, BiasDensity::Uniform { half_width }) =
            (self.penalty(setting)?.family(), setting.bias)
        else {
            return Ok(None);
        };
        let mut cost = BigRational::from_float(half_width).map(RepresentationCost::abs);
        if let (OffsetFree, Some(cost)) = (self, &mut cost) {
            cost.offset_weight = BigRational::from_integer(0.into());
        }
        Ok(cost)
    }
}

/// ∫φ(h''/(2p_B)) p_B over F_Abs as a cone program in α = h''/(2p_B), φ quadratic or a power.
pub(in crate::claims) fn program(potential: Potential) -> impl Fn(&[(f64, f64)]) -> Program {
    stated(potential, None)
}

/// The same, 2h(0) = ∫h''|x| dx replaced where an offset's weight is given.
fn stated(potential: Potential, offset: Option<f64>) -> impl Fn(&[(f64, f64)]) -> Program {
    let penalty = Penalty::Potential(potential);
    let affine = Affine {
        slopes: None,
        offset,
    };
    move |cells: &[(f64, f64)]| Program {
        penalty,
        atoms: cells
            .iter()
            .map(|&(knot, mass)| Atom {
                knot,
                sheet: Sheet::Both,
                penalty: mass,
                generated: mass,
            })
            .collect(),
        affine,
    }
}

fn judge(measurement: &Measurement, theory: Theory) -> Result<Vec<Evidence>> {
    // Random problems are for the theory alone: a twin may agree with it there.
    let cases = match theory {
        Paper => &measurement.cases[..],
        _ => &measurement.cases[..PENALTIES.len()],
    };
    let refinements = cases
        .par_iter()
        .map(|case| case.refine(theory.program(&case.setting)?));
    let refinements: Vec<_> = refinements.collect::<Result<_>>()?;
    let mut evidence = Vec::new();
    for ((case, refinement), index) in cases.iter().zip(&refinements).zip(0..) {
        if let Some(cost) = theory.exact(&case.setting)? {
            let h = case.exact(&cost)?;
            evidence.push(case.against_exact(&h));
            evidence.push(case.cost_against(
                &cost,
                &h,
                0.5 * case.setting.potential.hessian(0.0),
            )?);
        }
        evidence.push(case.against_conic(refinement));
        if theory == Paper && index < PENALTIES.len() {
            evidence.push(case.order(refinement));
        }
    }
    for (samples, refinement) in measurement.samples.iter().zip(&refinements) {
        let centre = Array1::from(refinement.values.clone());
        evidence.extend(samples.iter().map(|sample| sample.about(&centre)));
    }
    Ok(evidence)
}
