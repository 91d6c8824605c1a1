//! The minimisers: what the infinite-width network is, and that finite ones fluctuate about it.

use ndarray::{Array1, Array2};
use ndarray_linalg::InverseInto;
use num_rational::BigRational;
use num_traits::ToPrimitive;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Claim, Context, Control, Findings};
use crate::{
    Error, Result,
    evidence::{
        Evidence, Kind, certificate, fluctuation,
        statistics::{self, Alternative},
    },
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        bregman_projection, infinite_width,
        spline::{PiecewisePolynomial, RepresentationCost},
    },
};

/// The claim (proofs.md, `relu-minimizer`).
pub const RELU: Claim = Claim {
    id: "relu-minimizer",
    statement: "For ReLU and a quadratic penalty on α the learned function minimises \
                G₁ + G₂ + G₃ among the functions through the data.",
    source: "proofs.md, `relu-minimizer`",
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
    ],
    check,
};

/// Widths at which projections are drawn, and draws at each.
const WIDTHS: [usize; 3] = [4_860, 14_580, 43_740];
const DRAWS: usize = 100;
/// Points at which their fluctuation is tested.
const POINTS: [f64; 4] = [-1.4, -0.6, 0.1, 0.6];

/// Factors on the weights of G₂ and of G₃.
#[derive(Clone, Copy)]
struct Theory {
    slopes: (i32, i32),
    offset: (i32, i32),
}

const PAPER: Theory = Theory {
    slopes: (1, 1),
    offset: (1, 1),
};
const TWINS: [Theory; 3] = [
    Theory {
        slopes: (0, 1),
        offset: (0, 1),
    },
    Theory {
        slopes: (0, 1),
        ..PAPER
    },
    Theory {
        offset: (10, 11),
        ..PAPER
    },
];

/// A data set with the dual's solution.
struct Case {
    name: String,
    x: Vec<BigRational>,
    y: Vec<BigRational>,
    points: Vec<f64>,
    values: Vec<f64>,
    bound: f64,
}

/// Networks of one width: f_n at [`POINTS`], one row a draw.
struct Sample {
    width: usize,
    outputs: Vec<Array1<f64>>,
}

struct Measurement {
    /// Figure 1 first.
    cases: Vec<Case>,
    samples: Vec<Sample>,
    precision: Array2<f64>,
}

fn check(context: &Context) -> Result<Findings> {
    let measurement = measure(context)?;
    let controls = TWINS.iter().map(|twin| judge(&measurement, *twin));
    Ok(Findings {
        evidence: judge(&measurement, PAPER)?,
        controls: controls.collect::<Result<_>>()?,
    })
}

fn setting(dataset: Dataset) -> Result<Setting> {
    Ok(Setting {
        dataset,
        activation: Activation::Relu,
        bias: BiasDensity::uniform(1.0)?,
        potential: Potential::quadratic(),
        scaling: Scaling::Unscaled,
    })
}

fn measure(context: &Context) -> Result<Measurement> {
    let mut rng = ChaCha8Rng::seed_from_u64(context.seed);
    let mut cases = vec![case("figure 1".into(), Dataset::figure1())?];
    for number in 0..8 * context.effort {
        let name = format!("random data set {number}");
        cases.push(case(name, random_dataset(&mut rng)?)?);
    }
    let figure = setting(Dataset::figure1())?;
    let solution = infinite_width::minimize(&figure)?;
    let covariance = fluctuation::covariance(&solution, &POINTS)?;
    let precision = covariance.inv_into().map_err(|_| Error::NotConverged {
        solver: "the inverse of the predicted covariance",
        iterations: 0,
        residual: f64::NAN,
    })?;
    let samples = WIDTHS.iter().zip(1..).map(|(&width, block)| {
        let draws = 0..(DRAWS * context.effort) as u64;
        let outputs = draws.into_par_iter().map(|draw| {
            let seed = context.seed.wrapping_mul(1_000_003) ^ (block << 40) ^ draw;
            let network = Network::sample(&figure.bias, OutputInit::Zero, width, seed);
            let network = bregman_projection::project(&figure, &network)?.network;
            Ok(POINTS
                .map(|x| network.output(figure.activation, x))
                .to_vec()
                .into())
        });
        Ok(Sample {
            width,
            outputs: outputs.collect::<Result<_>>()?,
        })
    });
    Ok(Measurement {
        cases,
        samples: samples.collect::<Result<_>>()?,
        precision,
    })
}

/// Three to six points on a grid of 1/64 inside the support, values in units of 1/8.
fn random_dataset(rng: &mut ChaCha8Rng) -> Result<Dataset> {
    let mut draw = |bound: u32| rng.next_u32() % bound;
    let count = 3 + draw(4) as usize;
    let mut x: Vec<u32> = Vec::new();
    while x.len() < count {
        let place = 1 + draw(126);
        if !x.contains(&place) {
            x.push(place);
        }
    }
    let x: Vec<f64> = x.iter().map(|&k| f64::from(k) / 64.0 - 1.0).collect();
    let y: Vec<f64> = x.iter().map(|_| f64::from(draw(17)) / 8.0 - 1.0).collect();
    Dataset::from_points(&x, &y)
}

fn case(name: String, dataset: Dataset) -> Result<Case> {
    let rational = |values: &[f64]| -> Vec<BigRational> {
        values
            .iter()
            .copied()
            .filter_map(BigRational::from_float)
            .collect()
    };
    let solution = infinite_width::minimize(&setting(dataset.clone())?)?;
    let edge = 1.5 * dataset.largest_input();
    let points: Vec<f64> = (0..=60)
        .map(|i| edge * (f64::from(i) / 30.0 - 1.0))
        .collect();
    Ok(Case {
        name,
        x: rational(dataset.x()),
        y: rational(dataset.y()),
        values: points.iter().map(|&x| solution.value(x)).collect(),
        points,
        bound: certificate::certify(&solution).sup_error_bound,
    })
}

impl Theory {
    /// The function through the data of a case that this theory names, in exact arithmetic.
    fn minimizer(self, case: &Case) -> Result<PiecewisePolynomial<BigRational>> {
        let ratio = |(p, q): (i32, i32)| BigRational::new(p.into(), q.into());
        let mut cost = RepresentationCost::relu(BigRational::from_integer(1.into()));
        cost.slopes_weight *= ratio(self.slopes);
        cost.offset_weight *= ratio(self.offset);
        Ok(cost.minimizer(&case.x, &case.y)?.function)
    }
}

/// h(x), evaluated exactly at the double x and rounded once.
fn value(h: &PiecewisePolynomial<BigRational>, x: f64) -> f64 {
    BigRational::from_float(x)
        .and_then(|x| h.value(&x).to_f64())
        .unwrap_or(f64::NAN)
}

fn judge(measurement: &Measurement, theory: Theory) -> Result<Vec<Evidence>> {
    let mut evidence = Vec::new();
    for case in &measurement.cases {
        let h = theory.minimizer(case)?;
        let distance = case
            .points
            .iter()
            .zip(&case.values)
            .map(|(&x, computed)| (computed - value(&h, x)).abs())
            .fold(0.0, |a, b| if b.is_nan() { b } else { f64::max(a, b) });
        let what = format!(
            "{}: |dual − exact rational minimiser| at 61 points",
            case.name
        );
        evidence.push(Evidence::compare(
            Kind::Certified,
            what,
            distance,
            0.0,
            case.bound,
        ));
    }
    let h = theory.minimizer(&measurement.cases[0])?;
    let centre: Array1<f64> = POINTS.iter().map(|&x| value(&h, x)).collect();
    for Sample { width, outputs } in &measurement.samples {
        let statistic: f64 = outputs
            .iter()
            .map(|f| {
                let z = (f - &centre) * (*width as f64).sqrt();
                z.dot(&measurement.precision.dot(&z))
            })
            .sum();
        evidence.push(statistics::chi_square(
            format!("figure 1, n = {width}: χ² of projections about the minimiser"),
            statistic,
            POINTS.len() * outputs.len(),
            outputs.len(),
            &Alternative::new("covariance × 1.5", 1.5),
        ));
    }
    Ok(evidence)
}
