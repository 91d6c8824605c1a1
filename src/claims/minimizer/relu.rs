//! `relu-minimizer`: h̄ of ReLU networks minimises G₁ + G₂ + G₃.

use ndarray::Array1;
use num_rational::BigRational;
use rayon::prelude::*;

use super::{Case, between, random_dataset, value};
use crate::{
    Result,
    claims::{Claim, Context, Control, Findings, sample::Sample},
    evidence::{
        Evidence,
        conic::{Affine, Atom, Penalty, Program},
    },
    setting::{Activation, BiasDensity, Dataset, Potential, Scaling, Setting},
    solver::{dual::Sheet, spline::RepresentationCost},
};

/// The claim (proofs.md, `relu-minimizer`).
pub const CLAIM: Claim = Claim {
    id: "relu-minimizer",
    statement: "For ReLU and a quadratic penalty on α the learned function minimises \
                G₁ + G₂ + G₃ among the functions through the data.",
    source: "proofs.md, `relu-minimizer`",
    formula: r"\begin{aligned}
              \bar h = \operatorname*{arg\,min}_{h(x_i) = y_i} \;& \int \frac{h''(x)^2}{p_B(x)}\,dx \\
              &+ \bigl(h'(+\infty) + h'(-\infty)\bigr)^2 \\
              &+ \frac{1}{\operatorname{Var} B} \Bigl(\int h''(x)\,|x|\,dx - 2h(0)\Bigr)^2
              \end{aligned}",
    controls: &[
        Control {
            id: "natural-spline",
            statement: "G₂ and G₃ are absent: the natural cubic spline.",
        },
        Control {
            id: "slopes-dropped",
            statement: "G₂ is absent.",
        },
        Control {
            id: "variance-off",
            statement: "Var B in G₃ is 10 % too large.",
        },
        Control {
            id: "density-forgotten",
            statement: "Curvature costs ∫h''², without the weight 1/p_B.",
        },
        Control {
            id: "total-variation",
            statement: "Curvature costs ∫|h''|.",
        },
    ],
    check,
};

/// Widths at which projections are drawn, and draws at each.
const WIDTHS: [usize; 3] = [4_860, 14_580, 43_740];
const DRAWS: usize = 100;
/// Points at which their fluctuation is tested.
const POINTS: [f64; 4] = [-1.4, -0.6, 0.1, 0.6];

/// How many of the problems for cone programs are not random.
const FIGURES: usize = 2;

/// What replaces G₁.
#[derive(Clone, Copy, PartialEq)]
enum Curvature {
    Weighted,
    Unweighted,
    TotalVariation,
}

/// G₁, and factors on the weights of G₂ and of G₃.
#[derive(Clone, Copy, PartialEq)]
struct Theory {
    curvature: Curvature,
    slopes: (i32, i32),
    offset: (i32, i32),
}

const PAPER: Theory = Theory {
    curvature: Curvature::Weighted,
    slopes: (1, 1),
    offset: (1, 1),
};
const TWINS: [Theory; 5] = [
    Theory {
        slopes: (0, 1),
        offset: (0, 1),
        ..PAPER
    },
    Theory {
        slopes: (0, 1),
        ..PAPER
    },
    Theory {
        offset: (10, 11),
        ..PAPER
    },
    Theory {
        curvature: Curvature::Unweighted,
        ..PAPER
    },
    Theory {
        curvature: Curvature::TotalVariation,
        ..PAPER
    },
];

struct Measurement {
    /// Uniform B; figure 1 first.
    rational: Vec<Case>,
    /// At few points, for cone programs; figure 1 first.
    gridded: Vec<Case>,
    /// Figure 1.
    samples: Vec<Sample>,
}

fn check(context: &Context) -> Result<Findings> {
    let measurement = measure(context)?;
    let mut controls = [&[PAPER], &TWINS[..]]
        .concat()
        .par_iter()
        .map(|theory| judge(&measurement, *theory))
        .collect::<Result<Vec<_>>>()?;
    let mut evidence = controls.remove(0);
    // Random problems are for the theory alone: a twin may agree with it there.
    for case in measurement.gridded.iter().skip(FIGURES) {
        evidence.push(case.against_conic(&case.refine(PAPER.program(&case.setting.bias))?));
    }
    Ok(Findings { evidence, controls })
}

pub(super) fn setting(dataset: Dataset, bias: BiasDensity) -> Setting {
    Setting {
        dataset,
        activation: Activation::Relu,
        bias,
        potential: Potential::quadratic(),
        scaling: Scaling::Unscaled,
    }
}

fn measure(context: &Context) -> Result<Measurement> {
    let mut rng = context.problems(0);
    let (uniform, triangular) = (
        BiasDensity::uniform(1.0)?,
        BiasDensity::triangular(1.25, 0.0)?,
    );
    let figure = setting(Dataset::figure1(), uniform);
    let case = |name: String, setting: Setting| {
        let edge = 1.5 * setting.dataset.largest_input();
        let grid = (0..=60).map(|i| edge * (f64::from(i) / 30.0 - 1.0));
        Case::new(name, setting, grid.collect())
    };
    let mut rational = vec![case("figure 1".into(), figure.clone())?];
    for number in 0..context.random(8) {
        let data = random_dataset(&mut rng, 1.0)?;
        let name = format!("random data set {number}");
        rational.push(case(name, setting(data, uniform))?);
    }
    let tilted = Dataset::figure1();
    let tilted = tilted.with_values(
        tilted
            .x()
            .iter()
            .zip(tilted.y())
            .map(|(x, y)| y + 0.4 * x)
            .collect(),
    )?;
    let mut gridded = Vec::new();
    for (name, data, bias) in [
        ("figure 1", Dataset::figure1(), uniform),
        ("figure 1 + 0.4x, triangular B", tilted, triangular),
    ] {
        let points = between(&data);
        gridded.push(Case::new(name, setting(data, bias), points)?);
    }
    for number in 0..context.random(2) {
        let data = random_dataset(&mut rng, 1.25)?;
        let points = between(&data);
        let name = format!("random data set {number}, triangular B");
        gridded.push(Case::new(name, setting(data, triangular), points)?);
    }
    let samples = WIDTHS.iter().enumerate().map(|(number, &width)| {
        let draws = context.samples(DRAWS);
        Sample::draw(
            "figure 1",
            &figure,
            &POINTS,
            width,
            draws,
            context.draws(1, number),
        )
    });
    Ok(Measurement {
        rational,
        gridded,
        samples: samples.collect::<Result<_>>()?,
    })
}

impl Theory {
    /// The cost in exact arithmetic, for B uniform on [−1, 1]: 2∫h''² if it is weighted, ½ of the
    /// factors of the other terms if not, and nothing that rational arithmetic could minimise for
    /// the total variation.
    fn exact(self) -> Option<RepresentationCost<BigRational>> {
        let ratio = |(p, q): (i32, i32)| BigRational::new(p.into(), q.into());
        let factor = match self.curvature {
            Curvature::Weighted => 1,
            Curvature::Unweighted => 2,
            Curvature::TotalVariation => return None,
        };
        let mut cost = RepresentationCost::relu(BigRational::from_integer(1.into()));
        cost.slopes_weight *= ratio(self.slopes) * ratio((factor, 1));
        cost.offset_weight *= ratio(self.offset) * ratio((factor, 1));
        Some(cost)
    }

    /// The cost as a cone program in α⁺ = h''/p_B and the affine part of h.
    fn program(self, density: &BiasDensity) -> impl Fn(&[(f64, f64)]) -> Program {
        let float = |(p, q): (i32, i32)| f64::from(p) / f64::from(q);
        let affine = Affine {
            slopes: Some(float(self.slopes)),
            offset: Some(float(self.offset) / density.second_moment()),
        };
        let penalty = match self.curvature {
            Curvature::TotalVariation => Penalty::TotalVariation,
            _ => Penalty::Potential(Potential::quadratic()),
        };
        let density = *density;
        move |cells| Program {
            penalty,
            atoms: cells
                .iter()
                .map(|&(knot, mass)| Atom {
                    knot,
                    sheet: Sheet::Both,
                    penalty: match self.curvature {
                        Curvature::Unweighted => mass * density.density(knot),
                        _ => mass,
                    },
                    generated: mass / 2.0,
                })
                .collect(),
            affine,
        }
    }
}

fn judge(measurement: &Measurement, theory: Theory) -> Result<Vec<Evidence>> {
    let mut evidence = Vec::new();
    for case in &measurement.gridded[..FIGURES] {
        let refinement = case.refine(theory.program(&case.setting.bias))?;
        evidence.push(case.against_conic(&refinement));
        if theory == PAPER {
            evidence.push(case.order(&refinement));
        }
    }
    let Some(cost) = theory.exact() else {
        return Ok(evidence);
    };
    for case in &measurement.rational {
        let h = case.exact(&cost)?;
        evidence.push(case.against_exact(&h));
        evidence.push(case.cost_against(&cost, &h, 1.0)?);
    }
    let h = measurement.rational[0].exact(&cost)?;
    let centre: Array1<f64> = POINTS.iter().map(|&x| value(&h, x)).collect();
    evidence.extend(
        measurement
            .samples
            .iter()
            .map(|sample| sample.about(&centre)),
    );
    Ok(evidence)
}
