//! The minimisers: what the infinite-width network is, and that finite ones fluctuate about it.

pub mod abs;
pub mod prior;
pub mod relu;
pub mod relu_scaled;
pub mod shape;
pub mod uneven;

use num_rational::BigRational;
use num_traits::ToPrimitive;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    Result,
    evidence::{
        Evidence, Kind, certificate,
        conic::{self, Program, Refinement},
        extrapolation::largest_difference,
    },
    setting::{BiasDensity, Dataset, Setting},
    solver::{
        infinite_width,
        spline::{PiecewisePolynomial, RepresentationCost},
    },
};

/// h̄ of the dual at some points, to be compared with a theory's.
struct Case {
    name: String,
    setting: Setting,
    points: Vec<f64>,
    values: Vec<f64>,
    /// Certified bound on the error of the values, and whether it is proven.
    bound: f64,
    kind: Kind,
    /// The middle of what encloses the least E φ(α), and how far it may be off.
    cost: f64,
    cost_bound: f64,
}

impl Case {
    fn new(name: impl Into<String>, setting: Setting, points: Vec<f64>) -> Result<Self> {
        let solution = infinite_width::minimize(&setting)?;
        let certificate = certificate::certify(&solution);
        let [least, most] = certificate.cost.unwrap_or([f64::NAN; 2]);
        Ok(Self {
            name: name.into(),
            values: points.iter().map(|&x| solution.value(x)).collect(),
            points,
            bound: certificate.sup_error_bound,
            kind: certificate::kind(std::slice::from_ref(&certificate)),
            cost: (least + most) / 2.0,
            // The comparison rounds the exact value as well.
            cost_bound: (most - least) + 2.0 * f64::EPSILON * most,
            setting,
        })
    }

    /// Compares E φ(α) with a multiple of the exact cost of that theory's function.
    fn cost_against(
        &self,
        cost: &RepresentationCost<BigRational>,
        h: &PiecewisePolynomial<BigRational>,
        factor: f64,
    ) -> Result<Evidence> {
        let exact = cost.terms(h)?.total().to_f64().unwrap_or(f64::NAN) * factor;
        let what = format!("{}: E φ(α) and its value in function space", self.name);
        Ok(Evidence::compare(
            Kind::Certified,
            what,
            self.cost,
            exact,
            self.cost_bound,
        ))
    }

    /// The function through the data that costs least, by exact arithmetic.
    fn exact(
        &self,
        cost: &RepresentationCost<BigRational>,
    ) -> Result<PiecewisePolynomial<BigRational>> {
        let rational = |values: &[f64]| -> Vec<BigRational> {
            let values = values.iter().copied();
            values.filter_map(BigRational::from_float).collect()
        };
        let data = &self.setting.dataset;
        Ok(cost
            .minimizer(&rational(data.x()), &rational(data.y()))?
            .function)
    }

    /// Compares the dual with that function.
    fn against_exact(&self, h: &PiecewisePolynomial<BigRational>) -> Evidence {
        let exact: Vec<f64> = self.points.iter().map(|&x| value(h, x)).collect();
        let distance = largest_difference(&self.values, &exact);
        let what = format!(
            "{}: |dual − exact rational minimiser| at {} points",
            self.name,
            self.points.len()
        );
        Evidence::compare(self.kind, what, distance, 0.0, self.bound)
    }

    /// The function that the cone program names, by refinement.
    fn refine(&self, build: impl Fn(&[(f64, f64)]) -> Program) -> Result<Refinement> {
        let data = &self.setting.dataset;
        conic::refine(
            build,
            &self.setting.bias,
            (data.x(), data.y()),
            &self.points,
        )
    }

    /// Compares the dual with a refinement.
    fn against_conic(&self, refinement: &Refinement) -> Evidence {
        let distance = largest_difference(&self.values, &refinement.values);
        let what = format!("{}: |dual − cone program on refined grids|", self.name);
        let threshold = refinement.error + self.bound;
        Evidence::compare(Kind::Numerical, what, distance, 0.0, threshold)
    }

    /// That the grids converge as the midpoint rule should: ½ tells order 2 from its neighbours.
    fn order(&self, refinement: &Refinement) -> Evidence {
        let what = format!("{}: observed order of the cone program's grids", self.name);
        Evidence::compare(Kind::Numerical, what, refinement.order, 2.0, 0.5)
    }
}

/// h(x), evaluated exactly at the double x and rounded once.
fn value(h: &PiecewisePolynomial<BigRational>, x: f64) -> f64 {
    BigRational::from_float(x)
        .and_then(|x| h.value(&x).to_f64())
        .unwrap_or(f64::NAN)
}

/// Three to six points on a grid of 1/64 inside ±c, values in units of 1/8.
pub(super) fn random_dataset(rng: &mut ChaCha8Rng, half_width: f64) -> Result<Dataset> {
    let mut draw = |bound: u32| rng.next_u32() % bound;
    let count = 3 + draw(4) as usize;
    let mut x: Vec<u32> = Vec::new();
    while x.len() < count {
        let place = 1 + draw(126);
        if !x.contains(&place) {
            x.push(place);
        }
    }
    let x: Vec<f64> = x
        .iter()
        .map(|&k| half_width * (f64::from(k) / 64.0 - 1.0))
        .collect();
    let y: Vec<f64> = x.iter().map(|_| f64::from(draw(17)) / 8.0 - 1.0).collect();
    Dataset::from_points(&x, &y)
}

/// The middles between neighbouring data, and a point on either side of all.
pub(super) fn between(data: &Dataset) -> Vec<f64> {
    let edge = 1.25 * data.largest_input();
    let middles = data.x().windows(2).map(|x| (x[0] + x[1]) / 2.0);
    middles.chain([-edge, edge]).collect()
}

/// Uniform on [−1, 1], or triangular on [−1.25, 1.25].
pub(super) fn random_density(rng: &mut ChaCha8Rng) -> Result<BiasDensity> {
    match rng.next_u32() % 2 {
        0 => BiasDensity::uniform(1.0),
        _ => BiasDensity::triangular(1.25, 0.0),
    }
}
