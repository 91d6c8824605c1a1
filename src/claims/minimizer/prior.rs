//! `prior-results`: cubic splines, to which earlier work led gradient flow by adjusted data or skip
//! connections, and general initial weights.

mod exact;
mod weights;

use num_rational::BigRational;
use num_traits::Zero;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use self::{
    exact::{Law, Shape, Values, damped, float, largest, minimizer, ratio, sides},
    weights::Weights,
};
use super::{between, random_dataset, relu::setting, value};
use crate::{
    Result,
    claims::{Claim, Context, Control, Findings},
    evidence::{
        Evidence, Kind,
        certificate::{self, Certificate},
        extrapolation::{self, Limit},
    },
    setting::{BiasDensity, Dataset},
    solver::infinite_width,
};

/// The claim (proofs.md, `prior-results`).
pub const CLAIM: Claim = Claim {
    id: "prior-results",
    statement: "Gradient flow ends at the cubic spline of curvature weight 1/ζ, ζ = p_C E[W² | C], for \
                data less the affine function ux + v of earlier work, and with skip connections at \
                rates ≫ η₀; without either it misses it as G₂ and G₃ predict, and at the common rate \
                η₀/n skip connections change nothing.",
    source: "proofs.md, `prior-results`",
    formula: r"\begin{aligned}
              \bar h[\,y - ux - v\,](x) &= s(x) - ux - v, \\
              s &= \operatorname*{arg\,min}_{h(x_i) = y_i} \int \frac{h''(x)^2}{\zeta(x)}\,dx, \\
              u &= \tfrac12 \bigl(s'(+\infty) + s'(-\infty)\bigr), \\
              v &= s(0) - \tfrac12 \int s''(x)\,|x|\,dx, \\
              \zeta(c) &= p_C(c)\,\mathbb{E}[W^2 \mid C = c], \qquad C = B/W
              \end{aligned}",
    controls: &[
        Control {
            id: "slope-forgotten",
            statement: "Subtracting v from the data is enough.",
        },
        Control {
            id: "half-forgotten",
            statement: "v = s(0) − ∫s''|x| dx.",
        },
        Control {
            id: "no-adjustment-needed",
            statement: "Gradient flow ends at the spline as it is.",
        },
        Control {
            id: "skip-at-the-common-rate",
            statement: "Skip connections at the rate η₀/n of all parameters lead to the spline.",
        },
        Control {
            id: "skip-at-rate-one",
            statement: "Skip connections at the rate η₀ lead to the spline.",
        },
        Control {
            id: "first-power",
            statement: "ζ = p_C E[|W| | C].",
        },
        Control {
            id: "squared-mean",
            statement: "ζ = p_C (E[|W| | C])², which is 1 % less for |W| = 0.9 and 1.1.",
        },
    ],
    check,
};

/// What ζ/p_C is given C.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Power {
    /// E W².
    Square,
    /// E|W|.
    First,
    /// (E|W|)².
    SquaredMean,
}

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    SlopeForgotten,
    HalfForgotten,
    NoAdjustmentNeeded,
    SkipAtTheCommonRate,
    SkipAtRateOne,
    FirstPower,
    MeanSquared,
}

use Theory::{
    FirstPower, HalfForgotten, MeanSquared, NoAdjustmentNeeded, Paper, SkipAtRateOne,
    SkipAtTheCommonRate, SlopeForgotten,
};

const TWINS: [Theory; 7] = [
    SlopeForgotten,
    HalfForgotten,
    NoAdjustmentNeeded,
    SkipAtTheCommonRate,
    SkipAtRateOne,
    FirstPower,
    MeanSquared,
];

/// ρ, the rate of skip connections over η₀.
const RATES: [(i32, i32); 4] = [(1, 100), (1, 1), (100, 1), (10_000, 1)];
/// n of the rates η₀/n and nη₀, of which the limits are taken.
const LARGE: [i32; 3] = [1024, 2048, 4096];

fn check(context: &Context) -> Result<Findings> {
    let mut rng = context.problems(91);
    let cases = rational_cases(context, &mut rng)?;
    let cases: Vec<Case> = cases
        .into_par_iter()
        .map(Case::new)
        .collect::<Result<_>>()?;
    let duals = dual_cases(context, &mut rng)?;
    let duals: Vec<Dual> = duals
        .into_par_iter()
        .map(Dual::new)
        .collect::<Result<_>>()?;
    let mut kernels = Vec::new();
    for number in 0..context.random(2) {
        let data = if number == 0 {
            Dataset::figure1()
        } else {
            random_dataset(&mut rng, 1.0)?
        };
        let [w, b, uniform] = [(); 3].map(|()| f64::from(rng.random_range(2..=6)) / 4.0);
        // ζ has its kinks among the data.
        let kink = f64::from(rng.random_range(1..=3)) / 4.0;
        for weights in [
            Weights::Gaussian { w, b },
            Weights::Uniform {
                w: uniform,
                b: uniform * kink,
            },
        ] {
            kernels.push((weights, data.x().to_vec()));
        }
    }
    let judge = |theory: Theory| -> Vec<Evidence> {
        let power = theory.power();
        let mut evidence = exact_evidence(&cases, theory);
        evidence.extend(cases.iter().flat_map(|case| case.limits(theory)));
        evidence.extend(duals.iter().map(|dual| dual.judge(theory)));
        evidence.extend(kernels.iter().map(|(weights, x)| weights.compare(x, power)));
        evidence
    };
    Ok(Findings {
        evidence: judge(Paper),
        controls: TWINS.map(judge).into(),
    })
}

impl Theory {
    fn power(self) -> Power {
        match self {
            FirstPower => Power::First,
            MeanSquared => Power::SquaredMean,
            _ => Power::Square,
        }
    }
}

/// Figure 1 as it is (in exact fifths), tilted and shifted, and random data, under laws of w and b; those
/// with names have limits taken.
fn rational_cases(
    context: &Context,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<(exact::Case, Option<String>)>> {
    let one = || ratio(1, 1);
    let law = |number: usize| match number {
        0 => Law::new(Shape::Uniform, one(), vec![one()]),
        1 => Law::new(Shape::Triangular, ratio(5, 4), vec![one()]),
        _ => Law::new(Shape::Uniform, one(), vec![ratio(9, 10), ratio(11, 10)]),
    };
    let x: Values = [-5, -1, 0, 1, 5].map(|k| ratio(k, 5)).to_vec();
    let y = |tilt: BigRational, shift: BigRational| -> Values {
        let bump = [-3, -3, 3, -3, -3].map(|k| ratio(k, 20));
        let places = x.iter().zip(bump);
        places.map(|(x, y)| y + &tilt * x + &shift).collect()
    };
    let mut cases = Vec::new();
    for (tilt, halves) in [(0, 0), (2, 0), (0, 5), (0, 2), (0, -1), (0, -4), (0, -7)] {
        let name = match (tilt, halves) {
            (0, 0) => Some("figure 1".to_owned()),
            (2, 0) => Some("figure 1 + 0.4x".to_owned()),
            _ => None,
        };
        let y = y(ratio(tilt, 5), ratio(halves, 2));
        cases.push((law(0)?, x.clone(), y, name));
    }
    for number in [1, 2] {
        cases.push((law(number)?, x.clone(), y(ratio(2, 5), ratio(1, 1)), None));
    }
    for number in 0..context.random(6) {
        let law = law(number % 3)?;
        let data = random_dataset(rng, float(&law.half_width))?;
        let name = (number < 2).then(|| format!("random data set {number}"));
        cases.push((law, rational(data.x()), rational(data.y()), name));
    }
    let cases = cases.into_par_iter();
    let cases = cases.map(|(law, x, y, name)| Ok((exact::Case::new(law, x, y)?, name)));
    cases.collect()
}

fn rational(values: &[f64]) -> Values {
    let values = values.iter().copied();
    values.filter_map(BigRational::from_float).collect()
}

/// A weighted spline by one of the ζ, and what follows from it.
struct Prediction {
    /// s at the points.
    spline: Values,
    /// ∫s''²/ζ.
    cost: BigRational,
    /// v and u.
    affine: [BigRational; 2],
    /// ½∫s''|x| dx.
    half_moment: BigRational,
    /// The minimisers of ∫h''²/ζ + S²/(E W² + 4ρ) + Q²/(E B² + 4ρ) for ρ = 0 and the rates.
    least: Vec<Values>,
    /// s − E(I + ρG)⁻¹(v, u) for these ρ, E what h̄ leaves of an affine function.
    missed: Vec<Values>,
    /// C(h̄\[ux + v\]).
    affine_cost: BigRational,
}

impl Prediction {
    fn new(case: &exact::Case, power: Power) -> Result<Self> {
        let zeta = case.law.zeta(power)?;
        let none = [BigRational::zero(), BigRational::zero()];
        let (spline, cost) = minimizer(&zeta, &none, &case.x, &case.y)?;
        let at = |h: &exact::Spline| -> Values { case.points.iter().map(|t| h.value(t)).collect() };
        let far = largest(case.points.iter().cloned());
        let [s, moment, q] = sides(&spline, &far);
        let (half, gram) = (ratio(1, 2), case.gram());
        let (affine, spline_values) = ([-(q * &half), s * &half], at(&spline));
        let (mut least, mut missed) = (Vec::new(), Vec::new());
        for (numerator, denominator) in [(0, 1)].into_iter().chain(RATES) {
            let rho = ratio(numerator, denominator);
            let four = ratio(4, 1) * &rho;
            let weights = case.law.second_moments().map(|m| (m + &four).recip());
            least.push(at(&minimizer(&zeta, &weights, &case.x, &case.y)?.0));
            let left = case.remainder(&damped(Some(&rho), &gram, &affine));
            missed.push(minus(&spline_values, &left));
        }
        Ok(Self {
            least,
            missed,
            affine_cost: quadratic(&gram, &affine),
            spline: spline_values,
            cost,
            affine,
            half_moment: moment * half,
        })
    }

    /// v and u as a theory has them.
    fn affine(&self, theory: Theory) -> [BigRational; 2] {
        let [v, u] = self.affine.clone();
        match theory {
            SlopeForgotten => [v, BigRational::zero()],
            HalfForgotten => [v - &self.half_moment, u],
            _ => [v, u],
        }
    }
}

/// What is measured and predicted for a data set and a law.
struct Case {
    inner: exact::Case,
    /// By Square, First and SquaredMean, which are one where |W| = 1.
    predictions: Vec<Prediction>,
    /// h_ρ for ρ = 0 and the rates.
    skip: Vec<Values>,
    /// Name, and h_ρ for ρ = 1/n and n.
    limits: Option<(String, [Vec<Values>; 2])>,
}

impl Case {
    fn new((inner, name): (exact::Case, Option<String>)) -> Result<Self> {
        let powers = [Power::Square, Power::First, Power::SquaredMean];
        let count = if inner.law.is_binary() { 1 } else { 3 };
        let predictions = powers[..count].iter();
        let predictions = predictions.map(|&power| Prediction::new(&inner, power));
        let rates = [(0, 1)].into_iter().chain(RATES);
        let skip = rates.map(|(p, q)| inner.skip(&ratio(p, q)));
        let limits = name.map(|name| -> Result<_> {
            let [slow, fast] = [true, false].map(|slow| {
                let rates = LARGE.map(|n| if slow { ratio(1, n) } else { ratio(n, 1) });
                let values = rates.iter().map(|rho| inner.skip(rho));
                values.collect::<Result<Vec<_>>>()
            });
            Ok((name, [slow?, fast?]))
        });
        Ok(Self {
            predictions: predictions.collect::<Result<_>>()?,
            skip: skip.collect::<Result<_>>()?,
            limits: limits.transpose()?,
            inner,
        })
    }

    fn prediction(&self, theory: Theory) -> &Prediction {
        let last = self.predictions.len() - 1;
        &self.predictions[last.min(theory.power() as usize)]
    }

    /// Exact differences, in the order of `EXACT`.
    fn differences(&self, theory: Theory) -> [BigRational; 7] {
        let (case, prediction) = (&self.inner, self.prediction(theory));
        let spline = &prediction.spline;
        let affine = prediction.affine(theory);
        let [v, u] = &affine;
        let points = case.points.iter().zip(spline);
        let target: Values = points.map(|(t, s)| s - v - u * t).collect();
        let needless = theory == NoAdjustmentNeeded;
        let pick = |predicted| if needless { spline } else { predicted };
        let (mut least, mut law) = (BigRational::zero(), BigRational::zero());
        for (k, rate) in (1..).zip(RATES) {
            let [by_cost, by_law] = if theory == SkipAtRateOne && rate == (1, 1) {
                [spline, spline]
            } else {
                [&prediction.least[k], &prediction.missed[k]]
            };
            least = least.max(distance(&self.skip[k], by_cost));
            law = law.max(distance(&self.skip[k], by_law));
        }
        let cost = case.cost() - &prediction.cost;
        [
            distance(&case.adjusted(&affine), &target),
            largest(case.moments(&affine)),
            distance(&self.skip[0], pick(&prediction.least[0])),
            distance(&self.skip[0], pick(&prediction.missed[0])),
            if needless {
                cost
            } else {
                cost - &prediction.affine_cost
            },
            least,
            law,
        ]
    }

    /// Limits of slow and of fast skip connections.
    fn limits(&self, theory: Theory) -> Vec<Evidence> {
        let Some((name, [slow, fast])) = &self.limits else {
            return Vec::new();
        };
        let (case, prediction) = (&self.inner, self.prediction(theory));
        let plain = &self.skip[0];
        let floats = |values: &Values| -> Vec<f64> { values.iter().map(float).collect() };
        let limit = |rates: &[Values], from: Option<&Values>| {
            let scaled = [0, 1, 2].map(|i| match from {
                None => floats(&rates[i]),
                Some(from) => {
                    let gap = minus(&rates[i], from).into_iter();
                    gap.map(|gap| float(&(gap * ratio(LARGE[i], 1)))).collect()
                }
            });
            Limit::of_three([&scaled[0], &scaled[1], &scaled[2]], 2.0, 1.0)
        };
        let settled = if theory == SkipAtTheCommonRate {
            &prediction.spline
        } else {
            plain
        };
        let inverse = damped(None, &case.gram(), &prediction.affine);
        let evidence = [
            ("h_ρ at ρ = 1/n and h̄", limit(slow, None), floats(settled)),
            (
                "n(h_ρ − h̄) at ρ = 1/n",
                limit(slow, Some(plain)),
                floats(&case.remainder(&case.sums())),
            ),
            (
                "ρ(h_ρ − s) as ρ → ∞",
                limit(fast, Some(&prediction.spline)),
                case.remainder(&inverse).iter().map(|e| -float(e)).collect(),
            ),
        ];
        let evidence = evidence.into_iter().map(|(what, limit, predicted)| {
            // Exact numbers, rounded thrice.
            let size = extrapolation::largest(predicted.iter().copied());
            limit.against(
                format!("{name}: {what}"),
                &predicted,
                8.0 * f64::EPSILON * size,
            )
        });
        evidence.collect()
    }
}

/// What `Case::differences` are differences of.
const EXACT: [&str; 7] = [
    "h̄[y − ux − v] and s − ux − v",
    "Σλ_i and Σλ_i x_i for the data y − ux − v, i.e. G₂ and G₃, and 0",
    "h̄[y] and the minimiser of ∫h''²/ζ + S²/E W² + Q²/E B²",
    "h̄[y] and s − (ux + v − h̄[ux + v])",
    "E α² and ∫s''²/ζ + C(h̄[ux + v])",
    "skip connections at the rate ρη₀ and the minimiser with E W² + 4ρ and E B² + 4ρ",
    "the same and s − (1, x)(I + ρG)⁻¹(v, u) + h̄ of that",
];

fn exact_evidence(cases: &[Case], theory: Theory) -> Vec<Evidence> {
    let differences: Vec<[BigRational; 7]> = cases
        .par_iter()
        .map(|case| case.differences(theory))
        .collect();
    let evidence = EXACT.iter().enumerate().map(|(k, what)| {
        let worst = largest(differences.iter().map(|case| case[k].clone()));
        let what = format!("largest difference on {} data sets: {what}", cases.len());
        Evidence::compare(Kind::Exact, what, float(&worst), 0.0, 0.0)
    });
    evidence.collect()
}

fn minus(a: &Values, b: &Values) -> Values {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn distance(a: &Values, b: &Values) -> BigRational {
    largest(minus(a, b))
}

/// cᵀGc.
fn quadratic(gram: &[[BigRational; 2]; 2], c: &[BigRational; 2]) -> BigRational {
    let image = gram.iter().map(|row| exact::dot(row, c));
    image.zip(c).map(|(g, c)| g * c).sum()
}

/// h̄\[y − ux − v\] by the infinite-width dual of the solver.
struct Dual {
    name: String,
    points: Vec<f64>,
    /// h̄\[z\] at the points for the data z = y, 1 and x.
    answers: [Vec<f64>; 3],
    /// Their certificates.
    certificates: [Certificate; 3],
    spline: exact::Spline,
    affine: [f64; 2],
    half_moment: f64,
}

/// Figure 1, tilted where the density is not constant, and random data.
fn dual_cases(context: &Context, rng: &mut ChaCha8Rng) -> Result<Vec<(String, Shape, Dataset)>> {
    let figure = Dataset::figure1();
    let tilt = figure.x().iter().zip(figure.y());
    let tilted = figure.with_values(tilt.map(|(x, y)| y + 0.4 * x).collect())?;
    let mut cases = vec![
        ("figure 1".to_owned(), Shape::Uniform, figure),
        ("figure 1 + 0.4x".to_owned(), Shape::Triangular, tilted),
    ];
    for number in 0..context.random(2) {
        let shape = [Shape::Uniform, Shape::Triangular][number % 2];
        let data = random_dataset(rng, 1.25)?;
        cases.push((format!("random data set {number}"), shape, data));
    }
    Ok(cases)
}

impl Dual {
    fn new((name, shape, dataset): (String, Shape, Dataset)) -> Result<Self> {
        let bias = match shape {
            Shape::Uniform => BiasDensity::uniform(1.25)?,
            Shape::Triangular => BiasDensity::triangular(1.25, 0.0)?,
        };
        let points = between(&dataset);
        let [x, y] = [dataset.x(), dataset.y()].map(rational);
        let targets = [
            dataset.y().to_vec(),
            vec![1.0; dataset.len()],
            dataset.x().to_vec(),
        ];
        let solved = targets.map(|z| -> Result<(Vec<f64>, Certificate)> {
            let solution = infinite_width::minimize(&setting(dataset.with_values(z)?, bias))?;
            let values = points.iter().map(|&t| solution.value(t)).collect();
            Ok((values, certificate::certify(&solution)))
        });
        let [of_y, of_one, of_x] = solved;
        let (of_y, of_one, of_x) = (of_y?, of_one?, of_x?);
        let law = Law::new(shape, ratio(5, 4), vec![ratio(1, 1)])?;
        let none = [BigRational::zero(), BigRational::zero()];
        let (spline, _) = minimizer(&law.zeta(Power::Square)?, &none, &x, &y)?;
        let [s, moment, q] = sides(&spline, &ratio(4, 1)).map(|side| 0.5 * float(&side));
        Ok(Self {
            name: format!("{name}, {bias}"),
            points,
            answers: [of_y.0, of_one.0, of_x.0],
            certificates: [of_y.1, of_one.1, of_x.1],
            spline,
            affine: [-q, s],
            half_moment: moment,
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let [v, u] = self.affine;
        let [v, u] = match theory {
            SlopeForgotten => [v, 0.0],
            HalfForgotten => [v - self.half_moment, u],
            _ => [v, u],
        };
        let gaps = self.points.iter().enumerate().map(|(k, &t)| {
            let [plain, one, x] = [0, 1, 2].map(|z| self.answers[z][k]);
            (plain - v * one - u * x) - (value(&self.spline, t) - v - u * t)
        });
        let gap = extrapolation::largest(gaps);
        let farthest = extrapolation::largest(self.points.iter().copied());
        let [plain, one, x] = self.certificates.each_ref().map(|of| of.sup_error_bound);
        let sizes = extrapolation::largest(self.answers[0].iter().copied())
            + 2.0 * (v.abs() + u.abs() * farthest);
        // Eight operations and the rounding of u, v and s.
        let bound = plain + v.abs() * one + u.abs() * x + 16.0 * f64::EPSILON * sizes;
        let what = format!("{}: h̄[y − ux − v] of the dual and s − ux − v", self.name);
        Evidence::compare(certificate::kind(&self.certificates), what, gap, 0.0, bound)
    }
}
