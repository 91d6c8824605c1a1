//! `uneven-density`: initial biases whose density is not even.

mod exact;

use gauss_quad::GaussLegendre;
use ndarray::Array1;
use num_rational::BigRational;
use num_traits::Signed;
use rand::Rng;
use rayon::prelude::*;
use std::num::NonZeroUsize;

use self::exact::ExactCase;
use super::{Case, between, random_dataset, relu_scaled::two_sheets};
use crate::{
    Result,
    claims::{
        Claim, Context, Control, Findings,
        dynamics::{describe, setting},
        representation_cost::exact::vanish,
        sample::Sample,
    },
    evidence::{
        Evidence, Kind,
        conic::{Affine, Atom, Penalty, Program},
    },
    setting::{Activation, BiasDensity, Dataset, Scaling, Setting},
    solver::{
        dual::Sheet,
        infinite_width::{self, Solution},
    },
};

/// The claim (proofs.md, `uneven-density`).
pub const CLAIM: Claim = Claim {
    id: "uneven-density",
    statement: "Where p_B is not even, ReLU networks under gradient flow minimise ∫h''²/p_e + \
                (h'(+∞) + h'(−∞) − ∫ρh'')²/∫q + (∫h''(|x| − xρ) − 2h(0))²/∫x²q with the density's even part \
                p_e; for |·| nothing but p_e matters.",
    source: "proofs.md, `uneven-density`",
    formula: r"\begin{aligned}
              \bar h = \operatorname*{arg\,min}_{h(x_i) = y_i}\ & \int \frac{h''^2}{p_e}\,dx + \frac{\bigl(h'(+\infty) + h'(-\infty) - \int \rho h''\bigr)^2}{\int q} \\
              &+ \frac{\bigl(\int h''\,(|x| - x\rho) - 2h(0)\bigr)^2}{\int x^2 q}, \\
              p_e = \frac{p(x) + p(-x)}{2},\quad & \rho = \frac{p(x) - p(-x)}{2p_e},\quad q = \frac{p(x)\,p(-x)}{p_e}
              \end{aligned}",
    controls: &[
        Control {
            id: "even-formula",
            statement: "The functional is that of even densities, with p_e for p_B.",
        },
        Control {
            id: "symmetrised",
            statement: "ReLU networks see p_e alone, too.",
        },
        Control {
            id: "one-sided",
            statement: "For |·| p_B itself takes the place of p_e.",
        },
    ],
    check,
};

/// Random splines in rational arithmetic, half of them for |·|.
const EXACT: usize = 8;
const WIDTH: usize = 14_580;
const DRAWS: usize = 100;
const POINTS: [f64; 4] = [-0.6, 0.1, 0.5, 0.8];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    EvenFormula,
    Symmetrised,
    OneSided,
}

use Theory::{EvenFormula, OneSided, Paper, Symmetrised};

fn check(context: &Context) -> Result<Findings> {
    let tilted = Dataset::figure1();
    let pairs = tilted.x().iter().zip(tilted.y());
    let tilted = tilted.with_values(pairs.map(|(x, y)| y + 0.4 * x).collect())?;
    let (relu, abs) = (Activation::Relu, Activation::Abs);
    let [scaled, unscaled] = [Scaling::Scaled, Scaling::Unscaled];
    let mut problems = Vec::new();
    for (data, dataset, activation, potential, scaling, bias) in [
        (
            "figure 1 + 0.4x",
            &tilted,
            relu,
            "quadratic",
            unscaled,
            "triangular:1.25,0.5",
        ),
        (
            "figure 2",
            &Dataset::figure2(),
            abs,
            "power:3,1",
            scaled,
            "triangular:1.25,0.75",
        ),
    ] {
        let setting = Setting {
            bias: bias.parse()?,
            ..setting(dataset.clone(), activation, potential, scaling)?
        };
        problems.push((data.to_owned(), setting, POINTS.to_vec()));
    }
    let mut rng = context.problems(71);
    for number in 0..context.random(4) {
        let dataset = random_dataset(&mut rng, 1.25)?;
        let mode = f64::from(1 + rng.next_u32() % 4) / 4.0;
        let (activation, potential, scaling) = if number % 2 == 0 {
            (relu, "quadratic", unscaled)
        } else {
            (abs, "power:3,1", scaled)
        };
        let points = between(&dataset);
        let setting = Setting {
            bias: BiasDensity::triangular(1.25, mode)?,
            ..setting(dataset, activation, potential, scaling)?
        };
        problems.push((format!("random data set {number}"), setting, points));
    }
    let cases = problems.into_par_iter().map(|(data, setting, points)| {
        let solution = infinite_width::minimize(&setting)?;
        let case = Case::new(describe(&data, &setting), setting, points)?;
        Ok((case, solution))
    });
    let cases: Vec<(Case, Solution)> = cases.collect::<Result<_>>()?;
    let samples = cases[..2].iter().enumerate().map(|(number, (case, _))| {
        let draws = context.samples(DRAWS);
        let seed = context.draws(392, number);
        Sample::draw(&case.name, &case.setting, &POINTS, WIDTH, draws, seed)
    });
    let samples: Vec<Sample> = samples.collect::<Result<_>>()?;
    let exact = (0..context.samples(EXACT)).map(|number| {
        let activation = if number % 2 == 0 { relu } else { abs };
        ExactCase::draw(activation, &mut rng)
    });
    let exact: Vec<ExactCase> = exact.collect::<Result<_>>()?;
    let judge = |theory: Theory| -> Result<Vec<Evidence>> {
        let refinements = cases.par_iter().map(|(case, _)| {
            let activation = case.setting.activation;
            let potential = case.setting.limit_potential();
            case.refine(move |cells: &[(f64, f64)]| match activation {
                Activation::Relu if theory == Symmetrised => {
                    two_sheets(potential, &symmetrised(cells), true)
                }
                Activation::Relu => two_sheets(potential, cells, false),
                Activation::Abs => Program {
                    penalty: Penalty::Potential(potential),
                    atoms: even(cells, theory != OneSided),
                    affine: Affine {
                        slopes: None,
                        offset: None,
                    },
                },
            })
        });
        let refinements: Vec<_> = refinements.collect::<Result<_>>()?;
        let mut evidence = in_rationals(&exact, theory)?;
        for ((case, solution), refinement) in cases.iter().zip(&refinements) {
            evidence.push(case.against_conic(refinement));
            if case.setting.activation == Activation::Relu {
                evidence.push(Evidence::compare(
                    Kind::Numerical,
                    format!("{}: E α² and the functional of h̄", case.name),
                    case.cost,
                    functional(solution, theory != EvenFormula),
                    // Round-off of a thousand terms.
                    case.cost_bound + 1024.0 * f64::EPSILON * case.cost,
                ));
            }
        }
        for (sample, refinement) in samples.iter().zip(&refinements) {
            evidence.push(sample.about(&Array1::from(refinement.values.clone())));
        }
        Ok(evidence)
    };
    let controls = [EvenFormula, Symmetrised, OneSided].map(judge);
    Ok(Findings {
        evidence: judge(Paper)?,
        controls: controls.into_iter().collect::<Result<_>>()?,
    })
}

/// The functional and the α that attains it, without rounding.
fn in_rationals(cases: &[ExactCase], theory: Theory) -> Result<Vec<Evidence>> {
    let mut evidence = Vec::new();
    for (name, activation) in [("ReLU", Activation::Relu), ("|·|", Activation::Abs)] {
        let cases = || cases.iter().filter(|case| case.activation == activation);
        let gaps = cases().map(|case| Ok((case.energy.clone() - case.cost(theory)?).abs()));
        let gaps: Vec<BigRational> = gaps.collect::<Result<_>>()?;
        for (what, defects) in [
            (
                "|E[α σ(w x − b)] − h(x)|",
                cases().map(|case| case.generation.clone()).collect(),
            ),
            (
                "|E[α ν]| and |E[ν σ(w x − b)]| over null directions ν",
                cases().map(|case| case.nullity.clone()).collect(),
            ),
            ("|E α² − functional|", gaps),
        ] {
            let what = format!(
                "{name}, largest in {} random splines and densities: {what}",
                defects.len()
            );
            evidence.push(vanish(what, defects));
        }
    }
    Ok(evidence)
}

/// Knots of |·|: b and −b with half the mass each, or b alone; ascending.
fn even(cells: &[(f64, f64)], both: bool) -> Vec<Atom> {
    let atom = |knot: f64, mass: f64| Atom {
        knot,
        sheet: Sheet::Both,
        penalty: mass,
        generated: mass,
    };
    // Cells come in mirrored pairs.
    let mirrored = cells.iter().zip(cells.iter().rev());
    mirrored
        .map(|(&(b, mass), &(_, other))| atom(b, if both { (mass + other) / 2.0 } else { mass }))
        .collect()
}

/// The same cells, which come in mirrored pairs, with the mass of the density's even part.
fn symmetrised(cells: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mirrored = cells.iter().zip(cells.iter().rev());
    mirrored
        .map(|(&(b, mass), &(_, other))| (b, (mass + other) / 2.0))
        .collect()
}

/// The functional of h̄, from its second derivative and its values alone; without ρ and with p_e for q
/// where not `uneven`.
fn functional(solution: &Solution, uneven: bool) -> f64 {
    let setting = solution.setting();
    let (bias, edge) = (setting.bias, setting.bias.half_width());
    let breaks = bias.breakpoints();
    let mut cuts: Vec<f64> = setting.dataset.x().to_vec();
    cuts.extend(breaks.iter().flat_map(|b| [*b, -b]).chain([0.0]));
    cuts.retain(|c| c.abs() <= edge);
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();
    let rule = GaussLegendre::new(NonZeroUsize::new(24).unwrap_or(NonZeroUsize::MIN));
    // f(x, h'', p_e, ρ, q)
    let integral = |f: &dyn Fn(f64, f64, f64, f64, f64) -> f64| -> f64 {
        let parts = cuts.windows(2).map(|ends| {
            rule.integrate(ends[0], ends[1], |x| {
                let [p, r] = [bias.density(x), bias.density(-x)];
                let even = 0.5 * (p + r);
                let (tilt, common) = if uneven {
                    ((p - r) / (p + r), p * r / even)
                } else {
                    (0.0, even)
                };
                f(x, solution.second_derivative(x), even, tilt, common)
            })
        });
        parts.sum()
    };
    // Beyond support and data h̄ is affine.
    let far = 2.0 * edge.max(setting.dataset.largest_input());
    let slopes = (solution.value(2.0 * far) - solution.value(far)) / far
        + (solution.value(-far) - solution.value(-2.0 * far)) / far;
    let slopes = slopes - integral(&|_, h, _, tilt, _| tilt * h);
    let offset = integral(&|x, h, _, tilt, _| h * (x.abs() - x * tilt)) - 2.0 * solution.value(0.0);
    integral(&|_, h, even, _, _| h * h / even)
        + slopes * slopes / integral(&|_, _, _, _, common| common)
        + offset * offset / integral(&|x, _, _, _, common| x * x * common)
}
