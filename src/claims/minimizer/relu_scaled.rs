//! `relu-scaled`: what ReLU networks minimise under scaled potentials, where the paper stops.

use ndarray::Array1;
use rand::Rng;
use rayon::prelude::*;

use super::{Case, between, random_dataset, random_density};
use crate::{
    Result,
    claims::{
        Claim, Context, Control, Findings,
        dynamics::{describe, setting},
        sample::Sample,
    },
    evidence::{
        Evidence,
        conic::{Affine, Atom, Penalty, Program},
    },
    setting::{Activation, Dataset, Family, Potential, Scaling, Setting},
    solver::dual::Sheet,
};

/// The claim (proofs.md, `relu-scaled`).
pub const CLAIM: Claim = Claim {
    id: "relu-scaled",
    statement: "For ReLU and a scaled potential the learned function minimises an infimal convolution, \
                inf over α⁻ of ½∫[φ(h''/p_B + α⁻) + φ(h''/p_B − α⁻)] p_B, in which curvature and affine \
                part do not separate.",
    source: "proofs.md, `relu-scaled`",
    formula: r"\begin{aligned}
              \bar h = \operatorname*{arg\,min}_{h(x_i) = y_i}\ \inf_{\alpha^-}\ & \tfrac12 \int \Bigl[\varphi\Bigl(\frac{h''}{p_B} + \alpha^-\Bigr) + \varphi\Bigl(\frac{h''}{p_B} - \alpha^-\Bigr)\Bigr] p_B\,dx, \\
              \mathbb{E}[\alpha^-(B)] &= h'(+\infty) + h'(-\infty), \\
              \mathbb{E}[B\,\alpha^-(B)] &= \int h''(x)\,|x|\,dx - 2h(0)
              \end{aligned}",
    controls: &[
        Control {
            id: "separable",
            statement: "It minimises ∫φ(h''/p_B) p_B + G₂ + G₃.",
        },
        Control {
            id: "curvature-alone",
            statement: "α⁻ = 0: the even part of α is all there is.",
        },
        Control {
            id: "gradient-flow",
            statement: "It minimises what gradient flow does.",
        },
        Control {
            id: "omega-two",
            statement: "ω = 2 stands in place of ω = 1.",
        },
    ],
    check,
};

/// Widths at which projections are drawn, and draws at each.
const WIDTHS: [usize; 2] = [4_860, 14_580];
const DRAWS: usize = 100;
/// Points at which their fluctuation is tested.
const POINTS: [f64; 5] = [-1.3, -0.6, 0.1, 0.6, 1.2];
/// Potentials on figure 1's data.
const POTENTIALS: [&str; 2] = ["power:3,1", "power:4,1"];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    Separable,
    CurvatureAlone,
    GradientFlow,
    OmegaTwo,
}

use Theory::{CurvatureAlone, GradientFlow, OmegaTwo, Paper, Separable};

fn check(context: &Context) -> Result<Findings> {
    let (mut cases, mut samples) = (Vec::new(), Vec::new());
    for potential in POTENTIALS {
        let setting = setting(
            Dataset::figure1(),
            Activation::Relu,
            potential,
            Scaling::Scaled,
        )?;
        let name = describe("figure 1", &setting);
        let draws = context.samples(DRAWS);
        for width in WIDTHS {
            let seed = context.draws(384, samples.len());
            let sample = Sample::draw(&name, &setting, &POINTS, width, draws, seed)?;
            samples.push((cases.len(), sample));
        }
        cases.push(Case::new(name, setting, POINTS.to_vec())?);
    }
    let mut rng = context.problems(61);
    for number in 0..context.random(2) {
        let bias = random_density(&mut rng)?;
        let dataset = random_dataset(&mut rng, bias.half_width())?;
        let points = between(&dataset);
        let potential = POTENTIALS[rng.next_u32() as usize % 2];
        let setting = Setting {
            bias,
            ..setting(dataset, Activation::Relu, potential, Scaling::Scaled)?
        };
        let name = describe(&format!("random data set {number}"), &setting);
        cases.push(Case::new(name, setting, points)?);
    }
    let judge = |theory: Theory| -> Result<Vec<Evidence>> {
        // Random problems are for the theory alone: a twin may agree with it there.
        let cases = match theory {
            Paper => &cases[..],
            _ => &cases[..POTENTIALS.len()],
        };
        let refinements = cases
            .par_iter()
            .map(|case| case.refine(theory.program(&case.setting)?));
        let refinements: Vec<_> = refinements.collect::<Result<_>>()?;
        let pairs = cases.iter().zip(&refinements);
        let mut evidence: Vec<Evidence> = pairs
            .map(|(case, refinement)| case.against_conic(refinement))
            .collect();
        for (case, sample) in &samples {
            let centre = Array1::from(refinements[*case].values.clone());
            evidence.push(sample.about(&centre));
        }
        Ok(evidence)
    };
    let controls = [Separable, CurvatureAlone, GradientFlow, OmegaTwo].map(judge);
    Ok(Findings {
        evidence: judge(Paper)?,
        controls: controls.into_iter().collect::<Result<_>>()?,
    })
}

impl Theory {
    /// The problem as a cone program over cells of knots.
    fn program(self, setting: &Setting) -> Result<impl Fn(&[(f64, f64)]) -> Program> {
        let potential = match (self, setting.potential.family()) {
            (GradientFlow, _) => Potential::quadratic(),
            (OmegaTwo, Family::Power { exponent, omega }) => {
                Potential::power(exponent, 2.0 * omega)?
            }
            _ => setting.potential,
        };
        let weights = |present: bool, weight: f64| present.then_some(weight);
        let affine = Affine {
            slopes: weights(self == Separable, 1.0),
            offset: weights(self == Separable, 1.0 / setting.bias.second_moment()),
        };
        Ok(move |cells: &[(f64, f64)]| match self {
            Separable | CurvatureAlone => Program {
                penalty: Penalty::Potential(potential),
                // ½|x − c| of either sheet.
                atoms: cells
                    .iter()
                    .map(|&(knot, mass)| Atom {
                        knot,
                        sheet: Sheet::Both,
                        penalty: mass,
                        generated: mass / 2.0,
                    })
                    .collect(),
                affine,
            },
            _ => two_sheets(potential, cells, true),
        })
    }
}

/// E φ(α) over α(w, b) of both signs of w: a cell of biases b holds knots w b, which under an even
/// density may as well be b for either sign.
pub(super) fn two_sheets(potential: Potential, cells: &[(f64, f64)], even: bool) -> Program {
    let sheet = |sheet: Sheet, sign: f64| {
        cells.iter().map(move |&(bias, mass)| Atom {
            knot: sign * bias,
            sheet,
            penalty: mass / 2.0,
            generated: mass / 2.0,
        })
    };
    // Each sheet in ascending order of its knots.
    let mut minus: Vec<Atom> = sheet(Sheet::Minus, if even { 1.0 } else { -1.0 }).collect();
    minus.sort_by(|a, b| a.knot.total_cmp(&b.knot));
    Program {
        penalty: Penalty::Potential(potential),
        atoms: sheet(Sheet::Plus, 1.0).chain(minus).collect(),
        affine: Affine {
            slopes: None,
            offset: None,
        },
    }
}
