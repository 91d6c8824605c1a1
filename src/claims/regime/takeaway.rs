//! `where-and-how-much`: the initialisation sets where curvature is penalised, the potential how its
//! magnitudes are.

use gauss_quad::GaussLegendre;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use std::num::NonZeroUsize;

use crate::{
    Result,
    claims::{
        Claim, Context, Control, Findings,
        dynamics::{converged, describe, not_converged, setting},
        minimizer::{self, between, random_dataset},
    },
    evidence::{
        Evidence, Kind, certificate, conic,
        extrapolation::largest_difference,
        statistics::{self, Alternative},
    },
    setting::{
        Activation, BiasDensity, Dataset, Family, Network, OutputInit, Potential, Scaling, Setting,
    },
    solver::{
        dual::Sheet,
        infinite_width::{self, Solution},
        mirror_flow::{self, Options},
    },
};

/// The claim (proofs.md, `where-and-how-much`).
pub const CLAIM: Claim = Claim {
    id: "where-and-how-much",
    statement: "In φ'(h''/(2p_B)) = Σλ_i|x_i − x| the initialisation enters through the place alone and the \
                potential through the magnitude alone: at fixed λ either can be exchanged without the \
                other, and both can be read from a trained network, φ' up to a factor.",
    source: "proofs.md, `where-and-how-much`",
    formula: r"h''(x) = \underbrace{2p_B(x)}_{\text{where}}\; \underbrace{(\varphi^*)'}_{\text{how much}} \Bigl(\sum_i \lambda_i\,|x_i - x|\Bigr)",
    controls: &[
        Control {
            id: "initialisation-forgotten",
            statement: "Another density leaves the curvature as it is.",
        },
        Control {
            id: "weight-outside",
            statement: "The density weighs φ(h''/2) by 1/p_B.",
        },
        Control {
            id: "multipliers-kept",
            statement: "λ stays when density or potential are exchanged at the same data.",
        },
        Control {
            id: "another-potential",
            statement: "The trained networks' potential has ω = 2 in place of ω = 1 (β = 2 for β = 1).",
        },
        Control {
            id: "another-density",
            statement: "The trained networks' density is triangular, of the same variance.",
        },
    ],
    check,
};

/// Width of the trained networks.
const WIDTH: usize = 4860;
/// Under these, on figure 2's data.
const POTENTIALS: [&str; 3] = ["power:3,1", "power:4,1", "hypentropy:1"];
/// What these become: under the λ of a power, sinh would overflow.
const AFTER: [&str; 3] = ["power:3,1", "power:4,1", "quadratic"];
/// Densities that are exchanged, all even.
const DENSITIES: [&str; 4] = [
    "uniform:1",
    "uniform:1.5",
    "triangular:1.25",
    "gaussian:0.75",
];
/// Panels of the quadrature between two cuts.
const PANELS: [usize; 2] = [16, 32];
/// A Gaussian density ends at as many standard deviations.
const TAIL: f64 = 12.0;

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    InitialisationForgotten,
    WeightOutside,
    MultipliersKept,
    AnotherPotential,
    AnotherDensity,
}

use Theory::{
    AnotherDensity, AnotherPotential, InitialisationForgotten, MultipliersKept, Paper,
    WeightOutside,
};

fn check(context: &Context) -> Result<Findings> {
    let exchanges = exchanges(context)?;
    let trained = POTENTIALS.into_par_iter().enumerate();
    let trained: Vec<Trained> = trained
        .map(|(number, potential)| {
            let seed = context.draws(352, number);
            Trained::new(potential, seed)
        })
        .collect::<Result<_>>()?;
    let judge = |theory: Theory| -> Result<Vec<Evidence>> {
        let parts = exchanges.par_iter().map(|one| one.judge(theory));
        let mut evidence = parts.collect::<Result<Vec<_>>>()?.concat();
        evidence.push(densities(&trained, theory)?);
        for one in &trained {
            evidence.push(one.potential(theory)?);
        }
        Ok(evidence)
    };
    let twins = [
        InitialisationForgotten,
        WeightOutside,
        MultipliersKept,
        AnotherPotential,
        AnotherDensity,
    ];
    let controls = twins.into_iter().map(judge);
    Ok(Findings {
        controls: controls.collect::<Result<_>>()?,
        evidence: judge(Paper)?,
    })
}

/// A minimiser, of whose setting density or potential are exchanged at the same λ.
struct Exchange {
    name: String,
    before: Solution,
    bias: BiasDensity,
    potential: Potential,
    points: Vec<f64>,
    /// Whether a cone program is asked, too.
    stated: bool,
}

fn exchanges(context: &Context) -> Result<Vec<Exchange>> {
    let figure2 = |bias: &str, potential: &str| -> Result<Setting> {
        Ok(Setting {
            bias: bias.parse()?,
            ..setting(
                Dataset::figure2(),
                Activation::Abs,
                potential,
                Scaling::Scaled,
            )?
        })
    };
    let mut pairs = vec![
        (
            "figure 2".to_owned(),
            figure2("uniform:1", "power:3,1")?,
            "triangular:1.25",
            "power:3,1",
            true,
        ),
        (
            "figure 2".to_owned(),
            figure2("uniform:1", "power:3,1")?,
            "uniform:1",
            "power:4,1",
            true,
        ),
        (
            "figure 2".to_owned(),
            figure2("gaussian:0.75", "hypentropy:1")?,
            "uniform:1.5",
            "hypentropy:1",
            false,
        ),
        (
            "figure 2".to_owned(),
            figure2("triangular:1.25", "power:4,1")?,
            "triangular:1.25",
            "quadratic",
            false,
        ),
    ];
    let mut rng = context.problems(41);
    for number in 0..context.random(4) {
        let dataset = random_dataset(&mut rng, 1.0)?;
        let (mut densities, mut order) = (DENSITIES, [0, 1, 2]);
        densities.shuffle(&mut rng);
        order.shuffle(&mut rng);
        let ([from, to, ..], [one, other, _]) = (densities, order);
        let setting = Setting {
            dataset,
            ..figure2(from, POTENTIALS[one])?
        };
        let name = format!("random data set {number}");
        let (bias, potential) = if number % 2 == 0 {
            (to, POTENTIALS[one])
        } else {
            (from, AFTER[other])
        };
        pairs.push((name, setting, bias, potential, false));
    }
    let exchanges = pairs
        .into_par_iter()
        .map(|(data, setting, bias, potential, stated)| {
            let (bias, potential): (BiasDensity, Potential) = (bias.parse()?, potential.parse()?);
            let what = if bias == setting.bias {
                format!("φ becomes {potential}")
            } else {
                format!("B becomes {bias}")
            };
            Ok(Exchange {
                name: format!("{}: {what}", describe(&data, &setting)),
                before: infinite_width::minimize(&setting)?,
                bias,
                potential,
                points: between(&setting.dataset),
                stated,
            })
        });
    exchanges.collect()
}

impl Exchange {
    /// h''/2 at c after the exchange, as a theory has it.
    fn curvature(&self, theory: Theory, c: f64) -> f64 {
        let setting = self.before.setting();
        let dual = self.before.dual_function(Sheet::Both, c);
        let [before, after] = [setting.bias, self.bias].map(|bias| bias.density(c));
        match theory {
            InitialisationForgotten => before * self.potential.inverse_mirror_map(dual),
            // φ'(h''/2)/p_B takes the place of φ'(h''/(2p_B)).
            WeightOutside if before > 0.0 => {
                let old = setting
                    .potential
                    .mirror_map(before * self.before.alpha(Sheet::Both, c));
                self.potential.inverse_mirror_map(old * after / before)
            }
            _ => after * self.potential.inverse_mirror_map(dual),
        }
    }

    /// ∫ (h''(c)/2) |x − c| dc, which has the curvature h'' and lies in F_Abs: at the data and the points.
    fn function(&self, theory: Theory, panels: usize) -> Vec<f64> {
        let setting = self.before.setting();
        let data = setting.dataset.x();
        let end = |bias: &BiasDensity| match *bias {
            BiasDensity::Gaussian { standard_deviation } => TAIL * standard_deviation,
            _ => bias.half_width(),
        };
        let edge = end(&self.bias).max(end(&setting.bias));
        let mut cuts: Vec<f64> = data.iter().chain(&self.points).copied().collect();
        for bias in [&self.bias, &setting.bias] {
            cuts.extend(bias.breakpoints());
        }
        cuts.extend([-edge, edge]);
        cuts.retain(|c| c.abs() <= edge);
        cuts.sort_by(f64::total_cmp);
        // (φ*)' bends most where u = 0.
        let dual = |c: f64| self.before.dual_function(Sheet::Both, c);
        let zeros: Vec<f64> = cuts
            .windows(2)
            .filter_map(|pair| {
                let [left, right] = [dual(pair[0]), dual(pair[1].next_down())];
                let zero = pair[0] + (pair[1] - pair[0]) * left / (left - right);
                (left * right < 0.0).then_some(zero)
            })
            .collect();
        cuts.extend(zeros);
        cuts.sort_by(f64::total_cmp);
        let rule = GaussLegendre::new(NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN));
        let mut sums = vec![0.0; data.len() + self.points.len()];
        for pair in cuts.windows(2) {
            let width = (pair[1] - pair[0]) / panels as f64;
            for panel in 0..panels {
                let left = pair[0] + panel as f64 * width;
                for &(node, weight) in rule.as_node_weight_pairs() {
                    let c = left + 0.5 * width * (1.0 + node);
                    let mass = 0.5 * width * weight * self.curvature(theory, c);
                    let places = data.iter().chain(&self.points);
                    for (sum, x) in sums.iter_mut().zip(places) {
                        *sum += mass * (x - c).abs();
                    }
                }
            }
        }
        sums
    }

    /// The exchanged function minimises its own values' problem.
    fn judge(&self, theory: Theory) -> Result<Vec<Evidence>> {
        let [coarse, fine] = PANELS.map(|panels| self.function(theory, panels));
        let m = self.before.setting().dataset.len();
        let settings = [&coarse, &fine].map(|values| -> Result<Setting> {
            let before = self.before.setting();
            let dataset = match theory {
                // At the same data λ would stay, it says.
                MultipliersKept => before.dataset.clone(),
                _ => before.dataset.with_values(values[..m].to_vec())?,
            };
            Ok(Setting {
                dataset,
                bias: self.bias,
                potential: self.potential,
                ..before.clone()
            })
        });
        let [rough, exact] = settings;
        let exact = exact?;
        let solution = infinite_width::minimize(&exact)?;
        let rough = infinite_width::minimize(&rough?)?;
        let values =
            |of: &Solution| -> Vec<f64> { self.points.iter().map(|&x| of.value(x)).collect() };
        let solved = values(&solution);
        // What half the panels change, in the values at the data and in the function.
        let quadrature =
            largest_difference(&solved, &values(&rough)) + largest_difference(&coarse, &fine);
        let bound = certificate::certify(&solution).sup_error_bound;
        let mut evidence = vec![Evidence::compare(
            Kind::Numerical,
            format!(
                "{}, λ kept: distance from the minimiser of its values",
                self.name
            ),
            largest_difference(&solved, &fine[m..]),
            0.0,
            bound + 2.0 * quadrature,
        )];
        if self.stated {
            let refinement = conic::refine(
                minimizer::abs::program(self.potential),
                &self.bias,
                (exact.dataset.x(), exact.dataset.y()),
                &self.points,
            )?;
            evidence.push(Evidence::compare(
                Kind::Numerical,
                format!("{}, λ kept: distance from a cone program's", self.name),
                largest_difference(&refinement.values, &fine[m..]),
                0.0,
                refinement.error + 2.0 * quadrature,
            ));
        }
        Ok(evidence)
    }
}

/// A network of figure 2 of which all parameters were trained.
struct Trained {
    setting: Setting,
    initial: Network,
    network: Network,
    /// Bound on |φ'(n a_k) − λᵀF_k| (proofs.md, `where-and-how-much`).
    slack: f64,
}

impl Trained {
    fn new(potential: &str, seed: u64) -> Result<Self> {
        let data = Dataset::figure2();
        let setting = setting(data.clone(), Activation::Abs, potential, Scaling::Scaled)?;
        let initial = Network::sample(&setting.bias, OutputInit::Zero, WIDTH, seed);
        let m = data.len();
        let (mut before, mut variation) = ((0.0, vec![0.0; m]), vec![0.0; m]);
        let run = mirror_flow::train(&setting, &initial, &Options::default(), &mut |state| {
            let residual = &state.point.residual;
            for i in 0..m {
                let larger = residual[i].abs().max(before.1[i]);
                variation[i] += (state.time - before.0) * larger / m as f64;
            }
            before = (state.time, residual.iter().map(|r| r.abs()).collect());
        })?;
        converged(&run)?;
        let moved = run.largest_displacement;
        let pairs = variation.iter().zip(data.x());
        Ok(Self {
            slack: pairs.map(|(v, x)| v * (x.abs() * moved.w + moved.b)).sum(),
            setting,
            initial,
            network: run.network,
        })
    }

    /// φ' on the stretch between data in which α runs farthest through 0, up to a factor.
    fn potential(&self, theory: Theory) -> Result<Evidence> {
        let own = self.setting.potential;
        let potential = match (theory, own.family()) {
            (AnotherPotential, Family::Power { exponent, omega }) => {
                Potential::power(exponent, 2.0 * omega)?
            }
            (AnotherPotential, Family::Hypentropy { beta }) => Potential::hypentropy(2.0 * beta)?,
            _ => own,
        };
        let data = self.setting.dataset.x();
        let n = WIDTH as f64;
        let mut neurons: Vec<(f64, f64)> = (0..WIDTH)
            .map(|k| (self.initial.w[k] * self.initial.b[k], n * self.network.a[k]))
            .collect();
        neurons.sort_by(|a, b| a.0.total_cmp(&b.0));
        let stretches = data.windows(2).map(|pair| {
            let inside = |&&(c, _): &&(f64, f64)| pair[0] < c && c < pair[1];
            neurons.iter().filter(inside).copied().collect::<Vec<_>>()
        });
        let reach = |stretch: &Vec<(f64, f64)>| {
            let alphas = || stretch.iter().map(|(_, alpha)| *alpha);
            let [low, high] = [alphas().fold(0.0, f64::min), alphas().fold(0.0, f64::max)];
            high.min(-low)
        };
        let stretch = stretches
            .max_by(|a, b| reach(a).total_cmp(&reach(b)))
            .unwrap_or_default();
        let turn = stretch
            .windows(2)
            .find(|pair| pair[0].1.is_sign_negative() != pair[1].1.is_sign_negative())
            .ok_or_else(|| not_converged("a stretch on which α changes its sign"))?;
        let &(edge, alpha) = stretch
            .iter()
            .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
            .unwrap_or(&turn[0]);
        // U vanishes between these two, up to the slack over its slope.
        let largest = own.mirror_map(alpha).abs();
        let relative = self.slack / (largest - self.slack);
        let blur = relative * (edge - turn[0].0).abs().max((edge - turn[1].0).abs());
        let zeros = [turn[0].0 - blur, turn[1].0 + blur];
        let worst = stretch.iter().map(|&(c, own_alpha)| {
            let ends = zeros.map(|zero| (c - zero) / (edge - zero));
            let (middle, half) = (
                0.5 * (ends[0] + ends[1]),
                0.5 * (ends[0] - ends[1]).abs() + 2.0 * relative,
            );
            let ratio = potential.mirror_map(own_alpha) / potential.mirror_map(alpha);
            (ratio - middle).abs() / half
        });
        Ok(Evidence::compare(
            Kind::Numerical,
            format!(
                "{}: φ'(n a)/φ'(n a_ref) of {} neurons and their knots, in half widths of the band",
                describe("figure 2", &self.setting),
                stretch.len()
            ),
            worst.fold(0.0, |a: f64, b| if b.is_nan() { b } else { a.max(b) }),
            0.0,
            1.0,
        ))
    }
}

/// The density of the trained networks' knots.
fn densities(trained: &[Trained], theory: Theory) -> Result<Evidence> {
    let own = trained[0].setting.bias;
    let bias = match theory {
        AnotherDensity => BiasDensity::triangular((6.0 * own.variance()).sqrt(), 0.0)?,
        _ => own,
    };
    let knots = trained.iter().flat_map(|one| one.network.knots());
    Ok(statistics::uniform(
        format!(
            "knots of {} trained networks of width {WIDTH}",
            trained.len()
        ),
        knots.map(|c| bias.distribution(c)).collect(),
        &Alternative::new("distribution functions 0.04 apart", 0.04),
    ))
}
