//! Both solvers against their own optimality conditions, recomputed by other means; certificates
//! against exact minimisers; Newton's method where it is hard.
//!
//! Expectations are recomputed from the reported multipliers alone: composite Gauss–Legendre rules in
//! the knot, graded towards the zeros of λᵀF. What rounding the multipliers costs is recomputed with
//! them ([`Reference::rounding`]), so that tolerances follow from the problem.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod strategies;

use gauss_quad::GaussLegendre;
use mirrorflow::{
    Error,
    evidence::certificate,
    setting::{
        Activation, BiasDensity, Dataset, Family, Network, OutputInit, Potential, Scaling, Setting,
    },
    solver::{
        bregman_projection,
        dual::Sheet,
        infinite_width::{self, Solution},
        spline::RepresentationCost,
    },
};
use ndarray::Array1;
use num_rational::BigRational;
use num_traits::ToPrimitive;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use std::time::Instant;
use strategies::{INSIDE, OUTSIDE, config};

const EPS: f64 = f64::EPSILON;

fn activation() -> impl Strategy<Value = Activation> {
    prop_oneof![Just(Activation::Relu), Just(Activation::Abs)]
}

fn scaling() -> impl Strategy<Value = Scaling> {
    prop_oneof![3 => Just(Scaling::Scaled), 1 => Just(Scaling::Unscaled)]
}

/// Powers from 2.25 to 8, integer or not; ω and β over three orders of magnitude.
fn potential() -> impl Strategy<Value = Potential> {
    let decade = -1..=1;
    prop_oneof![
        1 => Just(Potential::quadratic()),
        5 => (prop_oneof![9..=32, (3..=8).prop_map(|p| 4 * p)], decade.clone()).prop_map(|(p, k)| {
            Potential::power(f64::from(p) / 4.0, 10f64.powi(k)).unwrap()
        }),
        2 => decade.prop_map(|k| Potential::hypentropy(10f64.powi(k)).unwrap()),
    ]
}

fn setting_with(
    problem: impl Strategy<Value = (BiasDensity, Dataset)>,
) -> impl Strategy<Value = Setting> {
    (problem, activation(), potential(), scaling()).prop_map(
        |((bias, dataset), activation, potential, scaling)| Setting {
            dataset,
            activation,
            bias,
            potential,
            scaling,
        },
    )
}

fn setting(reach: i32) -> impl Strategy<Value = Setting> {
    setting_with(strategies::problem(reach))
}

fn even_setting(reach: i32) -> impl Strategy<Value = Setting> {
    setting_with(strategies::even_density().prop_flat_map(move |density| {
        (
            Just(density),
            strategies::dataset(strategies::scale(&density), reach),
        )
    }))
}

/// The minimiser; None where there is none.
fn solved(setting: &Setting) -> Option<Solution> {
    match infinite_width::minimize(setting) {
        Ok(h) => Some(h),
        Err(Error::NotInterpolable { .. }) => None,
        Err(error) => panic!("{error}: {setting:?}"),
    }
}

fn bound(h: &Solution) -> f64 {
    certificate::certify(h).sup_error_bound
}

/// 61 points over [−1.5, 1.5]·max|x|, where certificates hold.
fn grid(setting: &Setting) -> impl Iterator<Item = f64> {
    let end = 1.5 * setting.dataset.largest_input();
    (-30..=30).map(move |k| end * f64::from(k) / 30.0)
}

fn largest_difference(setting: &Setting, f: impl Fn(f64) -> f64, g: impl Fn(f64) -> f64) -> f64 {
    grid(setting)
        .map(|x| (f(x) - g(x)).abs())
        .fold(0.0, f64::max)
}

fn reflected(data: &Dataset) -> Dataset {
    let file = |v: &[f64]| data.in_file_order(v);
    let x: Vec<f64> = file(data.x()).iter().map(|x| -x).collect();
    Dataset::from_points(&x, &file(data.y())).unwrap()
}

/// The order of the file turned by `turn` places.
fn rotated(data: &Dataset, turn: usize) -> Dataset {
    let file = |v: &[f64]| {
        let mut v = data.in_file_order(v);
        v.rotate_left(turn % data.len());
        v
    };
    Dataset::from_points(&file(data.x()), &file(data.y())).unwrap()
}

/// 20·ε·max|z|·L: what rounding λ's coordinates to doubles costs in the values at the data, as
/// measured up to m = 10⁵; z_j is half the jump of slope of the data at x_j.
fn representation(data: &Dataset) -> f64 {
    let (x, y, m) = (data.x(), data.y(), data.len());
    let length = x[m - 1] - x[0];
    let slopes: Vec<f64> = (1..m)
        .map(|j| (y[j] - y[j - 1]) / (x[j] - x[j - 1]))
        .collect();
    let outer = (y[0] + y[m - 1]).abs() / length;
    20.0 * EPS * length * slopes.iter().fold(outer, |a, s| a.max(s.abs()))
}

/// Neurons of a quadrature: α from the multipliers, and what their rounding may change.
struct Reference {
    /// Sheet, knot, weight, λᵀF, its uncertainty, α.
    nodes: Vec<(Sheet, f64, f64, f64, f64, f64)>,
    potential: Potential,
}

impl Reference {
    fn new(h: &Solution, cuts: &[f64]) -> Self {
        let setting = h.setting();
        let potential = setting.limit_potential();
        let data = &setting.dataset;
        let file_x = data.in_file_order(data.x());
        let multipliers = h.multipliers();
        let errors = slope_errors(h);
        let v = h.basis().nodal(h.coordinates());
        let u = |sheet: Sheet, c: f64| -> [f64; 2] {
            let features = || file_x.iter().map(|&x| sheet.feature(x, c));
            let sum = features().zip(&multipliers).map(|(f, l)| f * l).sum();
            let size: f64 = h
                .basis()
                .x()
                .iter()
                .zip(&errors)
                .map(|(&x, e)| sheet.feature(x, c) * e)
                .sum();
            // And the rounding of this very sum, and that of its coordinates in the solver.
            let terms: f64 = features()
                .zip(&multipliers)
                .map(|(f, l)| (f * l).abs())
                .sum();
            let size = size + 4.0 * EPS * terms + dual_rounding(h.basis().x(), &v, c);
            [sum, size]
        };
        let rule = GaussLegendre::new(16.try_into().unwrap());
        let end = setting
            .bias
            .half_width()
            .min(12.0 * strategies::scale(&setting.bias));
        let mut breaks = setting.bias.breakpoints();
        if let BiasDensity::Gaussian {
            standard_deviation: s,
        } = setting.bias
        {
            breaks = (-12..=12).map(|k| f64::from(k) * s).collect();
        }
        let mut ends: Vec<f64> = breaks.iter().flat_map(|b| [*b, -b]).collect();
        ends.extend(data.x().iter().chain(cuts));
        ends.retain(|c| c.abs() <= end);
        ends.sort_by(f64::total_cmp);
        ends.dedup();
        let mut nodes = Vec::new();
        for &sheet in Sheet::of(setting.activation) {
            for piece in ends.windows(2) {
                let (a, b) = (piece[0], piece[1]);
                for (from, to) in graded(a, b, u(sheet, a)[0], u(sheet, b)[0], &potential) {
                    for &(node, weight) in rule.as_node_weight_pairs() {
                        let c = 0.5 * (from + to) + 0.5 * (to - from) * node;
                        let [u, error] = u(sheet, c);
                        let density = h
                            .knots(mirrorflow::solver::quadrature::Order::Base)
                            .density(sheet, c);
                        let weight = weight * 0.5 * (to - from) * density;
                        nodes.push((sheet, c, weight, u, error, potential.inverse_mirror_map(u)));
                    }
                }
            }
        }
        Self { nodes, potential }
    }

    fn expectation(&self, g: impl Fn(f64, f64) -> f64) -> f64 {
        self.nodes
            .iter()
            .map(|&(_, _, weight, u, _, alpha)| weight * g(u, alpha))
            .sum()
    }

    /// E[α σ(wx − b)].
    fn value(&self, x: f64) -> f64 {
        let feature = |(sheet, c, weight, _, _, alpha): &(Sheet, f64, f64, f64, f64, f64)| {
            weight * alpha * sheet.feature(x, *c)
        };
        self.nodes.iter().map(feature).sum()
    }

    /// What the rounding of λ may change in [`Self::value`], and that of its own terms.
    fn rounding(&self, x: f64) -> f64 {
        let alpha = |u| self.potential.inverse_mirror_map(u);
        let change = |(sheet, c, weight, u, error, a): &(Sheet, f64, f64, f64, f64, f64)| {
            weight
                * sheet.feature(x, *c)
                * (alpha(u + error) - alpha(u - error) + 64.0 * EPS * a.abs())
        };
        self.nodes.iter().map(change).sum()
    }
}

/// 8ε times the slopes of U = Σ λ_i |x − x_i| on both sides of each point, of whose difference λ_i
/// is the half: 4 roundings on the way to each slope, with a factor 2 to spare.
fn slope_errors(h: &Solution) -> Vec<f64> {
    let (x, m) = (h.basis().x(), h.basis().len());
    let v = h.basis().nodal(h.coordinates());
    let slope = |j: usize| (v[j].abs() + v[j + 1].abs()) / (x[j + 1] - x[j]);
    let outer = (v[0].abs() + v[m - 1].abs()) / (x[m - 1] - x[0]);
    (0..m)
        .map(|j| {
            let left = if j > 0 { slope(j - 1) } else { outer };
            let right = if j + 1 < m { slope(j) } else { outer };
            8.0 * EPS * (left + right)
        })
        .collect()
}

/// 16ε of the terms of which λᵀF is the sum in the local basis: those of the two nearest data, and
/// those of the outer two in the affine part.
fn dual_rounding(x: &[f64], v: &[f64], c: f64) -> f64 {
    let m = x.len();
    let after = x.partition_point(|&x| x <= c);
    let near = v[after.min(m - 1)].abs() + v[after.saturating_sub(1)].abs();
    let stretch = 1.0 + ((x[m - 1] - c).abs() + (c - x[0]).abs()) / (x[m - 1] - x[0]);
    16.0 * EPS * (near + stretch * (v[0].abs() + v[m - 1].abs()))
}

/// Panels of [a, b], where u runs from `ua` to `ub`: halving towards its zero, or of a change of u by
/// at most 2 for hypentropy.
fn graded(a: f64, b: f64, ua: f64, ub: f64, potential: &Potential) -> Vec<(f64, f64)> {
    if let Family::Hypentropy { .. } = potential.family() {
        let panels = ((ub - ua).abs() / 2.0).ceil().clamp(1.0, 500.0) as usize;
        let at = |k: usize| a + (b - a) * k as f64 / panels as f64;
        return (0..panels).map(|k| (at(k), at(k + 1))).collect();
    }
    let near = ua.abs().min(ub.abs()) < (ub - ua).abs();
    if !near || matches!(potential.family(), Family::Quadratic { .. }) {
        return vec![(a, b)];
    }
    let zero = (a + (b - a) * (ua / (ua - ub))).clamp(a, b);
    let mut panels = Vec::new();
    for end in [a, b] {
        let mut far = end;
        for _ in 0..56 {
            let middle = zero + 0.5 * (far - zero);
            panels.push((middle.min(far), middle.max(far)));
            far = middle;
        }
        panels.push((zero.min(far), zero.max(far)));
    }
    panels
}

mod infinite_width_limit {
    use super::*;

    /// Next to the left edge there are next to no knots: in half sums and differences of the outer
    /// two coordinates the Newton matrix lost what little U(x_1) has to itself.
    #[test]
    fn an_end_without_knots() {
        let setting = Setting {
            dataset: Dataset::from_points(&[-0.74925, -0.7485, 0.74925], &[0.0, 0.0, -0.05])
                .unwrap(),
            activation: Activation::Abs,
            bias: "triangular:0.75,-0.28125".parse().unwrap(),
            potential: "power:4.75,0.1".parse().unwrap(),
            scaling: Scaling::Scaled,
        };
        let at = |y: f64| {
            let (x, y) = (
                [setting.dataset.x(), &[0.515625]].concat(),
                [setting.dataset.y(), &[y]].concat(),
            );
            let dataset = Dataset::from_points(&x, &y).unwrap();
            solved(&Setting {
                dataset,
                ..setting.clone()
            })
            .unwrap()
        };
        let h = solved(&setting).unwrap();
        let rounding = 0.0..1e-14;
        assert!(rounding.contains(&h.relative_residual()));
        assert!(rounding.contains(&at(h.value(0.515625)).relative_residual()));
        // With λ halved part of z is missing, no rounding and no more than the sizes of the terms.
        let half = h.coordinates().iter().map(|q| 0.5 * q).collect();
        let missing = h.with_coordinates(half).relative_residual();
        assert!(missing > rounding.end && missing <= 1.0, "{missing}");
    }

    /// Under a Gaussian density α^(p−1) took more Gauss points than there were: 1e-7 of the values.
    #[test]
    fn high_powers_under_gaussian_densities() {
        for potential in ["power:5.5,0.1", "power:7.3,1", "power:8,1"] {
            for activation in [Activation::Relu, Activation::Abs] {
                let setting = Setting {
                    dataset: Dataset::figure1(),
                    activation,
                    bias: "gaussian:0.5".parse().unwrap(),
                    potential: potential.parse().unwrap(),
                    scaling: Scaling::Scaled,
                };
                let residual =
                    certificate::certify(&solved(&setting).unwrap()).interpolation_residual;
                assert!(
                    residual <= representation(&setting.dataset),
                    "{potential} {activation:?}: {residual:e}"
                );
            }
        }
    }

    /// Two neighbours at the edge and a high power: one sheet's λᵀF is 10¹⁰ times the other's, whose
    /// rounding hid that the first had not converged.
    #[test]
    fn sheets_of_unlike_size() {
        let setting = Setting {
            dataset: Dataset::from_points(&[-0.5, -0.4995, 0.4375], &[-0.4, 0.0, -0.45]).unwrap(),
            activation: Activation::Relu,
            bias: "uniform:0.5".parse().unwrap(),
            potential: "power:7,10".parse().unwrap(),
            scaling: Scaling::Scaled,
        };
        let h = solved(&setting).unwrap();
        let reference = Reference::new(&h, &[]);
        for (&x, &y) in setting.dataset.x().iter().zip(setting.dataset.y()).take(2) {
            let residual = (reference.value(x) - y).abs();
            assert!(
                residual <= reference.rounding(x) + representation(&setting.dataset),
                "{residual:e}"
            );
        }
    }

    proptest! {
        #![proptest_config(config(150))]

        /// The reported multipliers give α, α fits the data, and φ(α) + φ*(u) = αu: so λ and α are
        /// optimal, and the gap between their values is a product with the residual.
        #[test]
        fn optimality(setting in setting(OUTSIDE)) {
            let Some(h) = solved(&setting) else { return Ok(()) };
            let reference = Reference::new(&h, &[]);
            let potential = setting.limit_potential();
            let certificate = certificate::certify(&h);
            let representation = representation(&setting.dataset);
            let mut gap = 0.0;
            let multipliers = setting.dataset.x().iter().zip(setting.dataset.y());
            let file = setting.dataset.in_file_order(setting.dataset.x());
            for (&x, &y) in multipliers {
                let tolerance = reference.rounding(x) + representation;
                let residual = (reference.value(x) - y).abs();
                prop_assert!(residual <= tolerance, "at {x}: {residual:e} > {tolerance:e}");
                prop_assert!((h.value(x) - y).abs() <= 4.0 * EPS * y.abs());
                let place = file.iter().position(|&of_file| of_file == x).unwrap();
                gap += h.multipliers()[place].abs() * tolerance;
            }
            prop_assert!(certificate.duality_gap <= gap + 1e-13 * h.cost(), "{certificate:?}, {gap:e}");
            let cost = reference.expectation(|_, alpha| potential.value(alpha));
            prop_assert!((cost - h.cost()).abs() <= gap + 1e-12 * cost, "{cost} against {}", h.cost());
            for &(sheet, c, _, u, error, alpha) in &reference.nodes {
                let of_solver = h.dual_function(sheet, c);
                let carried = 2.0 * error;
                prop_assert!((of_solver - u).abs() <= carried, "λᵀF at {c}: {of_solver} and {u}");
                let excess = potential.value(alpha) + potential.conjugate(u) - alpha * u;
                prop_assert!(excess.abs() <= 20.0 * EPS * (alpha * u), "Fenchel at u = {u}: {excess:e}");
            }
        }

        /// E[α σ(wx − b)] over all neurons is what the local formula gives, away from the data too.
        #[test]
        fn local_formula(setting in setting(OUTSIDE)) {
            let Some(h) = solved(&setting) else { return Ok(()) };
            prop_assume!(setting.dataset.len() <= 8); // for time
            let points: Vec<f64> = grid(&setting).step_by(12).collect();
            let reference = Reference::new(&h, &points);
            let at_data = setting.dataset.x().iter().map(|&x| reference.rounding(x)).fold(0.0, f64::max);
            // h follows from its values at the data with a factor of 3 within their range, and with
            // the ratio of distances (1.5·max|x| to the closest gap) outside.
            let x = setting.dataset.x();
            let m = x.len();
            let gap = (x[1] - x[0]).min(x[m - 1] - x[m - 2]);
            for x in points {
                let amplified = 3.0 + 6.0 * setting.dataset.largest_input() / gap;
                let tolerance = reference.rounding(x)
                    + amplified * (representation(&setting.dataset) + at_data);
                let difference = (reference.value(x) - h.value(x)).abs();
                prop_assert!(difference <= tolerance, "at {x}: {difference:e} > {tolerance:e}");
            }
        }

        #[test]
        fn order_of_the_file(setting in setting(OUTSIDE), turn in 1..12usize) {
            let dataset = rotated(&setting.dataset, turn);
            let (h, g) = (solved(&setting), solved(&Setting { dataset, ..setting.clone() }));
            prop_assert_eq!(h.is_some(), g.is_some());
            let (Some(h), Some(g)) = (h, g) else { return Ok(()) };
            let mut multipliers = h.multipliers();
            multipliers.rotate_left(turn % setting.dataset.len());
            prop_assert_eq!(multipliers, g.multipliers());
            prop_assert!(grid(&setting).all(|x| h.value(x) == g.value(x)));
        }

        #[test]
        fn reflection(setting in even_setting(OUTSIDE)) {
            let mirrored = Setting { dataset: reflected(&setting.dataset), ..setting.clone() };
            let (h, g) = (solved(&setting), solved(&mirrored));
            prop_assert_eq!(h.is_some(), g.is_some());
            let (Some(h), Some(g)) = (h, g) else { return Ok(()) };
            let difference = largest_difference(&setting, |x| h.value(x), |x| g.value(-x));
            prop_assert!(difference <= bound(&h) + bound(&g), "{difference:e}");
        }

        /// A quadratic penalty makes h̄ linear in y.
        #[test]
        fn superposition(setting in setting(OUTSIDE), factor in -30..30, seed in 1..1000u32) {
            let setting = Setting { scaling: Scaling::Unscaled, ..setting };
            let Some(h) = solved(&setting) else { return Ok(()) };
            let with = |y: Vec<f64>| Setting { dataset: setting.dataset.with_values(y).unwrap(), ..setting.clone() };
            let t = f64::from(factor) / 8.0;
            let data = &setting.dataset;
            let size = data.largest_value();
            let other: Vec<f64> = (1..=data.len()).map(|i| size * (f64::from(seed) * i as f64).sin()).collect();
            let Some(g) = solved(&with(other.clone())) else { return Ok(()) };
            let sum = other.iter().zip(data.y()).map(|(other, y)| other + t * y).collect();
            let Some(both) = solved(&with(sum)) else { return Ok(()) };
            let difference = largest_difference(&setting, |x| both.value(x), |x| g.value(x) + t * h.value(x));
            // The sum of the values is rounded: the same as a rounding of y.
            let tolerance = bound(&both) + bound(&g) + t.abs() * bound(&h);
            prop_assert!(difference <= 2.0 * tolerance, "{difference:e} > {tolerance:e}");
        }

        /// n²φ(α/n) → ½φ''(0)α²: the same function as for z², multipliers and cost times ½φ''(0).
        #[test]
        fn unscaled_potentials_share_a_limit(setting in setting(OUTSIDE)) {
            let setting = Setting { scaling: Scaling::Unscaled, ..setting };
            let Some(h) = solved(&setting) else { return Ok(()) };
            let plain = Setting { potential: Potential::quadratic(), ..setting.clone() };
            let g = solved(&plain).unwrap();
            let difference = largest_difference(&setting, |x| h.value(x), |x| g.value(x));
            prop_assert!(difference <= bound(&h) + bound(&g), "{difference:e}");
            let factor = 0.5 * setting.potential.hessian(0.0);
            prop_assert!((h.cost() - factor * g.cost()).abs() <= 1e-10 * h.cost());
            let scale = h.multipliers().iter().fold(0.0, |a: f64, l| a.max(l.abs()));
            for (l, of_plain) in h.multipliers().iter().zip(g.multipliers()) {
                prop_assert!((l - factor * of_plain).abs() <= 1e-10 * scale);
            }
        }

        /// A point of h̄'s own graph, added to the data, changes nothing, and its multiplier is 0.
        #[test]
        fn nestedness(setting in setting(INSIDE), eighths in -7..=7) {
            let Some(h) = solved(&setting) else { return Ok(()) };
            let data = &setting.dataset;
            let at = strategies::scale(&setting.bias) * (f64::from(eighths) / 8.0 + 0.0625);
            prop_assume!(data.x().iter().all(|x| (x - at).abs() > 0.02 * strategies::scale(&setting.bias)));
            let solve = |y: f64| {
                let x = [data.x(), &[at]].concat();
                let dataset = Dataset::from_points(&x, &[data.y(), &[y]].concat()).unwrap();
                solved(&Setting { dataset, ..setting.clone() }).unwrap()
            };
            let (value, error) = (h.value(at), bound(&h));
            let g = solve(value);
            // h̄(at) is uncertain by `error`; what that changes elsewhere is measured.
            let (above, below) = (solve(value + error), solve(value - error));
            let shift = largest_difference(&setting, |x| above.value(x), |x| below.value(x));
            let difference = largest_difference(&setting, |x| h.value(x), |x| g.value(x));
            let tolerance = 2.0 * shift + error + bound(&g);
            prop_assert!(difference <= tolerance, "{difference:e} > {tolerance:e}");
        }
    }
}

/// Finite widths: networks drawn from the density, 50 to 2000 neurons.
mod finite_width {
    use super::*;

    #[derive(Clone)]
    struct Draw {
        setting: Setting,
        initial: Network,
        seed: u64,
    }

    impl std::fmt::Debug for Draw {
        fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            let (n, a) = (self.initial.width(), self.initial.a[0]);
            write!(
                f,
                "width {n}, seed {}, a[0] = {a}, {:?}",
                self.seed, self.setting
            )
        }
    }

    fn draw() -> impl Strategy<Value = Draw> {
        let output = prop_oneof![
            Just(OutputInit::Zero),
            Just(OutputInit::Random {
                output_weight: 1.0,
                output_bias: 0.5
            })
        ];
        (setting(OUTSIDE), output, 50..=2000usize, 0..1000u64).prop_map(
            |(setting, output, width, seed)| {
                let initial = Network::sample(&setting.bias, output, width, seed);
                Draw {
                    setting,
                    initial,
                    seed,
                }
            },
        )
    }

    fn projected(draw: &Draw) -> Option<bregman_projection::Projection> {
        match bregman_projection::project(&draw.setting, &draw.initial) {
            Ok(projection) => Some(projection),
            Err(Error::NotInterpolable { .. } | Error::NotConverged { .. }) => None,
            Err(error) => panic!("{error}: {:?}", draw.setting),
        }
    }

    /// What `optimality` asserts.
    fn optimal(draw: &Draw) -> Result<(), TestCaseError> {
        let Some(projection) = projected(draw) else {
            return Ok(());
        };
        let Draw {
            setting, initial, ..
        } = draw;
        let (data, n) = (&setting.dataset, initial.width());
        let potential = setting.potential_at_width(n);
        let (x, lambda) = (data.in_file_order(data.x()), &projection.multipliers);
        // λ is half the difference of two slopes of U, which the values of U bound.
        let v: Vec<f64> = data
            .x()
            .iter()
            .map(|at| {
                x.iter()
                    .zip(lambda)
                    .map(|(x, l)| l * (x - at).abs())
                    .sum::<f64>()
                    .abs()
            })
            .collect();
        let m = x.len();
        let slope = |j: usize| (v[j] + v[j + 1]) / (data.x()[j + 1] - data.x()[j]);
        let outer = (v[0] + v[m - 1]) / (data.x()[m - 1] - data.x()[0]);
        let errors: Vec<f64> = (0..m)
            .map(|j| {
                let sides = [
                    if j > 0 { slope(j - 1) } else { outer },
                    if j + 1 < m { slope(j) } else { outer },
                ];
                16.0 * EPS
                    * (sides[0] + sides[1] + lambda.iter().map(|l| l.abs()).sum::<f64>() * EPS)
            })
            .collect();
        let mut tolerance = vec![representation(data); m];
        for k in 0..n {
            let feature = |x: f64| setting.activation.value(initial.w[k] * x - initial.b[k]);
            let u: f64 = x.iter().zip(lambda).map(|(&x, l)| l * feature(x)).sum();
            // Each term's own rounding, that of its feature included.
            let terms: f64 = x
                .iter()
                .zip(lambda)
                .map(|(&x, l)| 4.0 * EPS * (l * feature(x)).abs())
                .sum();
            let error = terms
                + dual_rounding(data.x(), &v, initial.w[k] * initial.b[k])
                + data
                    .x()
                    .iter()
                    .zip(&errors)
                    .map(|(&x, e)| e * feature(x))
                    .sum::<f64>();
            let [low, alpha, high] =
                [u - error, u, u + error].map(|u| potential.inverse_mirror_map(u));
            let room = 64.0 * EPS * alpha.abs();
            prop_assert!(
                (low - room..=high + room).contains(&projection.alpha[k]),
                "α[{k}] = {} against {alpha}, u = {u} ± {error:e}",
                projection.alpha[k]
            );
            for (t, &x) in tolerance.iter_mut().zip(data.x()) {
                *t += (high - low + room) * feature(x) / n as f64;
            }
        }
        for ((&x, &y), tolerance) in data.x().iter().zip(data.y()).zip(tolerance) {
            let residual = (projection.network.output(setting.activation, x) - y).abs();
            prop_assert!(
                residual <= tolerance,
                "at {x}: {residual:e} > {tolerance:e}"
            );
            prop_assert!(residual <= projection.residual + tolerance);
        }
        for ((a, before), alpha) in projection
            .network
            .a
            .iter()
            .zip(&initial.a)
            .zip(&projection.alpha)
        {
            let step = alpha / n as f64;
            prop_assert!((a - before - step).abs() <= 2.0 * EPS * (before.abs() + step.abs()));
        }
        prop_assert_eq!(
            (&initial.w, &initial.b, initial.d),
            (
                &projection.network.w,
                &projection.network.b,
                projection.network.d
            )
        );
        Ok(())
    }

    fn relu(
        points: [&[f64]; 2],
        bias: BiasDensity,
        [p, omega]: [f64; 2],
        width: usize,
        seed: u64,
    ) -> Draw {
        let setting = Setting {
            dataset: Dataset::from_points(points[0], points[1]).unwrap(),
            activation: Activation::Relu,
            bias,
            potential: Potential::power(p, omega).unwrap(),
            scaling: Scaling::Scaled,
        };
        let initial = Network::sample(&setting.bias, OutputInit::Zero, width, seed);
        Draw {
            setting,
            initial,
            seed,
        }
    }

    /// Among neurons with α of 10⁵ one has 86 and one −4000: the rounding of their u, of size 10³², moved the outputs by 4.
    #[test]
    fn turning_neurons() {
        let points: [&[f64]; 2] = [
            &[0.0625, -0.09375, 0.34375, 0.28125],
            &[950.0, 200.0, -450.0, -950.0],
        ];
        let draw = relu(
            points,
            BiasDensity::uniform(0.25).unwrap(),
            [7.0, 10.0],
            150,
            917,
        );
        let projection = projected(&draw).expect("a projection");
        assert!(draw.setting.residual(&projection.network) <= 1e-10 * 950.0);
        optimal(&draw).unwrap();
    }

    /// Others of the kind: none is lost.
    #[test]
    fn turning_neurons_of_other_draws() {
        let points: [&[f64]; 2] = [
            &[0.0625, -0.09375, 0.34375, 0.28125],
            &[950.0, 200.0, -450.0, -950.0],
        ];
        let bias = BiasDensity::uniform(0.25).unwrap();
        for (shape, width) in [([5.0, 10.0], 150), ([7.0, 1.0], 150), ([9.0, 10.0], 30)] {
            for seed in 0..150 {
                let draw = relu(points, bias, shape, width, seed);
                let projection = projected(&draw).expect("a projection");
                let residual = draw.setting.residual(&projection.network);
                assert!(
                    residual <= 1e-10 * 950.0,
                    "{shape:?} {width} {seed}: {residual:e}"
                );
                optimal(&draw).unwrap();
            }
        }
    }

    /// Draws that are lost where a Newton step of λ and of turning α leaves out how these move each other, or where the rounding
    /// of u is misjudged.
    #[test]
    fn turning_neurons_and_multipliers_move_together() {
        let mut runner = TestRunner::new(config(1));
        let strategy = draw();
        let draws = (0..1729).map(|_| strategy.new_tree(&mut runner).unwrap().current());
        for (k, draw) in draws.enumerate() {
            if [1070, 1282, 1311, 1728].contains(&k) {
                let found = bregman_projection::project(&draw.setting, &draw.initial);
                assert!(found.is_ok(), "draw {k}: {found:?}");
            }
        }
    }

    /// A close pair on the edge: u on one sheet is so large that u on the other is in its rounding, which moved the outputs
    /// by 10⁻².
    #[test]
    fn a_sheet_behind_the_rounding_of_the_other() {
        let points: [&[f64]; 2] = [&[-2.25, -2.24325, 1.96875], &[2.5, -10.0, 6.5]];
        let bias = BiasDensity::triangular(2.25, 1.96875).unwrap();
        for seed in 0..8 {
            let draw = relu(points, bias, [6.0, 10.0], 597, seed);
            let projection = projected(&draw).expect("a projection");
            let residual = draw.setting.residual(&projection.network);
            assert!(residual <= 1e-10 * 10.0, "{residual:e}");
            optimal(&draw).unwrap();
        }
    }

    /// sinh of λᵀF is beyond doubles for one neuron; its sum was not a number, and no number was taken for no residual.
    #[test]
    fn weights_beyond_range_are_refused() {
        let setting = Setting {
            dataset: Dataset::from_points(&[0.0, 0.3125, 2.6875], &[2570.0, 0.3125, 2570.0])
                .unwrap(),
            activation: Activation::Relu,
            bias: BiasDensity::triangular(9.573996067047119e-6, 0.0).unwrap(),
            potential: Potential::hypentropy(10.291015625).unwrap(),
            scaling: Scaling::Scaled,
        };
        let mut b = vec![-10.291015625; 23];
        for (place, bias) in [
            (6, 1.0),
            (7, -0.0625),
            (8, -2.1455548247551605e110),
            (12, -4.357647370381135e106),
            (14, -1.625),
        ] {
            b[place] = bias;
        }
        for (place, bias) in [
            (15, 11.208984375),
            (18, -21076.0),
            (19, 0.0),
            (20, 10905190400.0),
            (21, 200496119808.0),
            (22, 0.0),
        ] {
            b[place] = bias;
        }
        let mut w = vec![-1.0; 23];
        w[21] = 1.0;
        let initial = Network {
            w: w.into(),
            b: b.into(),
            a: Array1::zeros(23),
            d: 2.6875,
        };
        match bregman_projection::project(&setting, &initial) {
            Ok(projection) => assert!(setting.residual(&projection.network) <= 1e-10 * 2570.0),
            Err(error) => assert!(matches!(error, Error::NotConverged { .. }), "{error}"),
        }
    }

    /// Between points 10⁻³¹² apart λ is a difference of slopes beyond doubles; the network itself fits.
    #[test]
    fn multipliers_beyond_range_are_refused() {
        let dataset = Dataset::from_points(&[0.0, 1.044e-312, 0.375], &[1.0, 1.0, 1.0]).unwrap();
        let setting = Setting {
            dataset,
            activation: Activation::Abs,
            bias: BiasDensity::uniform(1.0).unwrap(),
            potential: Potential::quadratic(),
            scaling: Scaling::Unscaled,
        };
        let initial = Network::sample(&setting.bias, OutputInit::Zero, 50, 0);
        let refused = bregman_projection::project(&setting, &initial);
        assert!(
            matches!(
                refused,
                Err(Error::Data { .. } | Error::NotInterpolable { .. })
            ),
            "{refused:?}"
        );
    }

    /// Two neurons at four points: refused for what it is before the first step, but for values that need none.
    #[test]
    fn dependent_features_are_refused_where_they_are_needed() {
        let x = [-0.75, -0.25, 0.25, 1.0];
        for text in ["quadratic", "power:3,1", "power:5,1", "hypentropy:1"] {
            for width in [1, 2, 3] {
                let fitted = |y: [f64; 4]| {
                    let setting = Setting {
                        dataset: Dataset::from_points(&x, &y).unwrap(),
                        activation: Activation::Relu,
                        bias: BiasDensity::uniform(1.0).unwrap(),
                        potential: text.parse().unwrap(),
                        scaling: Scaling::Scaled,
                    };
                    let initial = Network::sample(&setting.bias, OutputInit::Zero, width, 0);
                    bregman_projection::project(&setting, &initial)
                };
                let refused = fitted([1.0, 0.5, -0.25, 1.0]);
                assert!(
                    matches!(refused, Err(Error::NotInterpolable { .. })),
                    "{text} {width}: {refused:?}"
                );
                let nothing = fitted([0.0; 4]).unwrap();
                assert!(
                    nothing.alpha.iter().all(|alpha| *alpha == 0.0),
                    "{text} {width}"
                );
            }
        }
    }

    /// Four neurons at four points, of which two are one but for 10⁻⁹: dependent to the digits that count.
    #[test]
    fn nearly_dependent_features_are_refused() {
        let setting = Setting {
            dataset: Dataset::from_points(&[-0.75, -0.25, 0.25, 1.0], &[1.0, 0.5, -0.25, 1.0])
                .unwrap(),
            activation: Activation::Relu,
            bias: BiasDensity::uniform(1.0).unwrap(),
            potential: Potential::quadratic(),
            scaling: Scaling::Scaled,
        };
        for (apart, refused) in [(1e-9, true), (0.5, false)] {
            let initial = Network {
                w: Array1::ones(4),
                b: vec![-0.875, -0.5, 0.0, apart].into(),
                a: Array1::zeros(4),
                d: 0.0,
            };
            let found = bregman_projection::project(&setting, &initial);
            let error = matches!(found, Err(Error::NotInterpolable { .. }));
            assert!(error == refused && found.is_err() == refused, "{found:?}");
        }
    }

    /// Sheets further apart still.
    #[test]
    fn what_rounding_hides_is_refused() {
        let points: [&[f64]; 2] = [&[-3.0, -2.992, 2.75], &[-0.95, 0.5, -0.05]];
        let draw = relu(
            points,
            BiasDensity::uniform(2.0).unwrap(),
            [8.0, 0.1],
            1831,
            0,
        );
        let refused = bregman_projection::project(&draw.setting, &draw.initial);
        assert!(
            matches!(refused, Err(Error::NotConverged { residual, .. }) if residual > 1e-10),
            "{refused:?}"
        );
    }

    /// Such problems are few among those that are drawn, 11 of 13 073 with a projection: 6 of 400 have a probability of 10⁻⁶.
    #[test]
    fn few_draws_are_lost_to_rounding() {
        let mut runner = TestRunner::new(config(1));
        let strategy = draw();
        let lost = (0..400).filter(|_| {
            let draw = strategy.new_tree(&mut runner).unwrap().current();
            let projection = bregman_projection::project(&draw.setting, &draw.initial);
            matches!(projection, Err(Error::NotConverged { .. }))
        });
        assert!(lost.count() < 6);
    }

    proptest! {
        #![proptest_config(config(150))]

        /// α_k = (φ_n*)'(λᵀF_k), the network fits the data, and is the initial one moved by α/n.
        #[test]
        fn optimality(draw in draw()) {
            optimal(&draw)?;
        }

        /// Data in another order permute λ; neurons in another order permute α; x → −x with w → −w
        /// changes neither.
        #[test]
        fn symmetries(draw in draw(), turn in 1..12usize) {
            let Some(projection) = projected(&draw) else { return Ok(()) };
            let Draw { setting, initial, .. } = &draw;
            let dataset = rotated(&setting.dataset, turn);
            let other = Setting { dataset, ..setting.clone() };
            let again = projected(&Draw { setting: other, ..draw.clone() }).unwrap();
            let mut lambda = projection.multipliers.clone();
            lambda.rotate_left(turn % setting.dataset.len());
            prop_assert_eq!(&lambda, &again.multipliers);
            prop_assert_eq!(&projection.alpha, &again.alpha);

            let backwards = |v: &Array1<f64>| v.iter().rev().copied().collect::<Array1<f64>>();
            let reversed = Network { w: backwards(&initial.w), b: backwards(&initial.b), a: backwards(&initial.a), d: initial.d };
            let again = projected(&Draw { initial: reversed, ..draw.clone() });
            let mirrored = Setting { dataset: reflected(&setting.dataset), ..setting.clone() };
            let flipped = Network { w: -&initial.w, ..initial.clone() };
            let mirror = projected(&Draw { setting: mirrored, initial: flipped, ..draw.clone() });
            let (Some(again), Some(mirror)) = (again, mirror) else { return Ok(()) };
            // Two ways to round the same values at the data.
            let tolerance = 2.0 * (representation(&setting.dataset) + projection.residual + again.residual + mirror.residual)
                + 1e-13 * setting.dataset.largest_value();
            for (i, &x) in setting.dataset.x().iter().enumerate() {
                let f = projection.network.output(setting.activation, x);
                let size: f64 = (0..initial.width()).map(|k| {
                    (projection.network.a[k] * setting.activation.value(initial.w[k] * x - initial.b[k])).abs()
                }).sum();
                let tolerance = tolerance + 4.0 * EPS * size * (initial.width() as f64).sqrt();
                prop_assert!((f - again.network.output(setting.activation, x)).abs() <= tolerance, "{i}");
                prop_assert!((f - mirror.network.output(setting.activation, -x)).abs() <= tolerance, "{i}");
            }
        }
    }
}

/// What the strategies of this file come upon, of 400 draws.
mod strategies_reach {
    use super::*;

    #[test]
    fn solvable_and_unsolvable_problems() {
        let mut runner = TestRunner::new(config(1));
        let strategy = setting(OUTSIDE);
        let draws: Vec<Setting> = (0..400)
            .map(|_| strategy.new_tree(&mut runner).unwrap().current())
            .collect();
        let bounds: Vec<Option<f64>> = draws
            .iter()
            .map(|s| solved(s).as_ref().map(bound))
            .collect();
        let of = |holds: &dyn Fn(&Setting, Option<f64>) -> bool| {
            let held = draws
                .iter()
                .zip(&bounds)
                .filter(|(s, bound)| holds(s, **bound));
            held.count() as f64 / 400.0
        };
        let share = |holds: &dyn Fn(&Setting) -> bool| of(&|s, _| holds(s));
        let near = |s: &Setting| {
            let unit = strategies::scale(&s.bias);
            s.dataset
                .x()
                .windows(2)
                .any(|pair| pair[1] - pair[0] < 5.5e-3 * unit)
        };
        let edge = |s: &Setting| s.bias.half_width();
        for (what, share, least, most) in [
            ("near-equal points", share(&near), 0.5, 1.0),
            (
                "on the edge",
                share(&|s| s.dataset.x().iter().any(|x| x.abs() == edge(s))),
                0.3,
                1.0,
            ),
            (
                "outside",
                share(&|s| s.dataset.largest_input() > edge(s)),
                0.3,
                1.0,
            ),
            ("refused", of(&|_, bound| bound.is_none()), 0.15, 0.6),
            (
                "refused |·|",
                of(&|s, bound| s.activation == Activation::Abs && bound.is_none()),
                0.1,
                0.4,
            ),
            (
                "refused ReLU",
                of(&|s, bound| s.activation == Activation::Relu && bound.is_none()),
                0.05,
                0.4,
            ),
            (
                "outside, yet solved",
                of(&|s, bound| s.dataset.largest_input() > edge(s) && bound.is_some()),
                0.1,
                1.0,
            ),
            (
                "quadratic limit",
                share(&|s| matches!(s.limit_potential().family(), Family::Quadratic { .. })),
                0.2,
                0.6,
            ),
            (
                "power in the limit",
                share(&|s| matches!(s.limit_potential().family(), Family::Power { .. })),
                0.3,
                0.8,
            ),
            (
                "hypentropy in the limit",
                share(&|s| matches!(s.limit_potential().family(), Family::Hypentropy { .. })),
                0.1,
                0.4,
            ),
            (
                "without a certificate",
                of(&|_, bound| bound == Some(f64::INFINITY)),
                0.0,
                0.03,
            ),
        ] {
            println!("{what}: {share}");
            assert!(
                (least..=most).contains(&share),
                "{what}: {share} is not in {least}..={most}"
            );
        }
    }
}

/// Newton's method up to m = 1000: noise, waves and close pairs; values from 1e-6 to 1e6.
/// Against antiderivatives: φ* of α and α of (φ*)''.
mod quadrature {
    use super::*;
    use mirrorflow::solver::quadrature::{Order, Quadrature};

    fn end() -> impl Strategy<Value = f64> {
        let size = prop_oneof![-6.0..3.0f64, -0.5..0.5f64].prop_map(|e| 10f64.powf(e));
        prop_oneof![1 => Just(0.0), 9 => (size, any::<bool>()).prop_map(|(u, negative)| if negative { -u } else { u })]
    }

    proptest! {
        #![proptest_config(config(2000))]

        #[test]
        fn moments_are_those_of_the_antiderivatives(
            potential in potential(),
            (start, end, length) in (end(), end(), -3.0..0.5f64),
            near: bool,
            scale in prop_oneof![Just(1.0), Just(0.05), Just(30.0)],
            density in prop_oneof![Just("uniform:1"), Just("triangular:1,0"), Just("gaussian:1")],
            order in prop_oneof![Just(Order::Least), Just(Order::Base), Just(Order::Fine)],
        ) {
            let f = potential.rescaled(scale);
            let end = if near { start * (1.0 + 10f64.powf(length)) } else { end };
            prop_assume!(start != end && !(matches!(f.family(), Family::Hypentropy { .. }) && (end - start).abs() > 300.0 * f.scale()));
            let mut sums = [0.0; 4];
            Quadrature::new(f, density.parse().unwrap(), order).for_each([start, end], |node| {
                sums[0] += node.weight;
                sums[1] += node.weight * node.alpha;
                sums[2] += node.weight * node.hessian;
                sums[3] += node.weight * node.hessian * node.t;
            });
            let change = end - start;
            let [from, to] = [start, end].map(|u| f.inverse_mirror_map(u));
            // D(to, from) and its mirror image, over the change: no difference of large terms.
            let alpha = if start * end > 0.0 {
                from + f.bregman_divergence(from, to) / change
            } else {
                (f.conjugate(end) - f.conjugate(start)) / change
            };
            let hessian = (to - from) / change;
            let size = from.abs().max(to.abs());
            prop_assume!(size < 1e200);
            let exact = [1.0, alpha, hessian, (to - alpha) / change];
            // Weights and functions of α are right to some ulp; of an exponential, as many more as its exponent.
            let exponent = match f.family() {
                Family::Hypentropy { .. } => start.abs().max(end.abs()) / f.scale(),
                _ => 0.0,
            };
            let slope = size / change.abs();
            for ((sum, exact), size) in sums.into_iter().zip(exact).zip([1.0, size, slope, slope]) {
                let off = (sum - exact).abs() / size;
                prop_assert!(off <= 4.0 * EPS * (16.0 + exponent), "{sum:e}, not {exact:e}: {off:e}");
            }
        }
    }

    /// The rule for |α|^(q−1) keeps its order where α changes its sign; a fine rule has half as many nodes again.
    #[test]
    fn singular_integrands_and_orders() {
        let quadratic = Potential::quadratic();
        let mut sum = 0.0;
        Quadrature::singular_at_zero(quadratic).for_each([-1.0, 2.0], |node| {
            sum += node.weight * node.alpha.abs().powf(1.5);
        });
        // α = u/2, and u = 3t − 1.
        let exact = (1.0 + 2.0_f64.powf(2.5)) / (3.0 * 2.5 * 2.0_f64.powf(1.5));
        assert!((sum / exact - 1.0).abs() <= 64.0 * EPS, "{sum} {exact}");
        for text in ["quadratic", "power:2.5,1", "power:4,1", "hypentropy:1"] {
            for bias in ["uniform:1", "gaussian:1"] {
                let nodes = |order| {
                    let (potential, bias) = (text.parse().unwrap(), bias.parse().unwrap());
                    let mut count = 0;
                    Quadrature::new(potential, bias, order).for_each([0.5, 1.0], |_| count += 1);
                    count
                };
                let [base, fine] = [Order::Base, Order::Fine].map(nodes);
                assert_eq!(fine, base + base / 2, "{text} {bias}");
            }
        }
    }
}

/// The law of fluctuations by a dense regression on the nodes of another quadrature.
mod fluctuations {
    use super::*;
    use mirrorflow::evidence::fluctuation;
    use ndarray::Array2;
    use ndarray_linalg::Solve;

    #[test]
    fn law_1_and_law_2_by_a_dense_regression() {
        let [figure1, figure2] = [Dataset::figure1(), Dataset::figure2()];
        let one = Dataset::from_points(&[0.4], &[0.7]).unwrap();
        for (dataset, activation, bias, potential) in [
            (&figure2, Activation::Abs, "uniform:1", "power:3,1"),
            (&figure1, Activation::Relu, "uniform:1.5", "power:4,0.5"),
            (
                &figure1,
                Activation::Relu,
                "triangular:1.5,0.5",
                "hypentropy:0.7",
            ),
            (&figure2, Activation::Abs, "gaussian:0.7", "quadratic"),
            (&figure1, Activation::Relu, "uniform:1", "quadratic"),
            (&one, Activation::Relu, "uniform:1", "power:3,1"),
            (&one, Activation::Abs, "triangular:1.5,0.5", "quadratic"),
        ] {
            let setting = Setting {
                dataset: dataset.clone(),
                activation,
                bias: bias.parse().unwrap(),
                potential: potential.parse().unwrap(),
                scaling: Scaling::Scaled,
            };
            let h = infinite_width::minimize(&setting).unwrap();
            let (x, m) = (setting.dataset.x(), setting.dataset.len());
            let points = [-1.4, -0.55, 0.1, 0.9, 1.3];
            // u is linear between the data, and |α|^q has its kink where it vanishes.
            let ends: Vec<f64> = [-9.0]
                .into_iter()
                .chain(x.iter().copied())
                .chain([9.0])
                .collect();
            let zeros = Sheet::of(activation).iter().flat_map(|&sheet| {
                let h = &h;
                ends.windows(2).filter_map(move |pair| {
                    let inside = |t: f64| pair[0] + t * (pair[1] - pair[0]);
                    let [a, b] = [0.25, 0.75].map(|t| h.dual_function(sheet, inside(t)));
                    let t = 0.25 - 0.5 * a / (b - a);
                    (0.0..1.0).contains(&t).then(|| inside(t))
                })
            });
            let cuts: Vec<f64> = zeros.chain(points).collect();
            let Reference { nodes, potential } = Reference::new(&h, &cuts);
            let mean = |g: &dyn Fn(Sheet, f64, f64) -> f64| -> f64 {
                nodes
                    .iter()
                    .map(|&(sheet, c, weight, _, _, alpha)| weight * g(sheet, c, alpha))
                    .sum()
            };
            let soft = |alpha: f64| potential.hessian(alpha).recip();
            let matrix = Array2::from_shape_fn((m, m), |(i, j)| {
                mean(&|sheet, c, alpha| {
                    soft(alpha) * sheet.feature(x[i], c) * sheet.feature(x[j], c)
                })
            });
            let weights = points.map(|point| {
                let right: Array1<f64> = x
                    .iter()
                    .map(|&xi| {
                        mean(&|sheet, c, alpha| {
                            soft(alpha) * sheet.feature(point, c) * sheet.feature(xi, c)
                        })
                    })
                    .collect();
                matrix.solve(&right).unwrap()
            });
            let rest = |k: usize, sheet: Sheet, c: f64| {
                let fitted: f64 = x
                    .iter()
                    .zip(&weights[k])
                    .map(|(&xi, w)| w * sheet.feature(xi, c))
                    .sum();
                sheet.feature(points[k], c) - fitted
            };
            let covariance = |one: &dyn Fn(Sheet, f64) -> f64,
                              other: &dyn Fn(Sheet, f64) -> f64| {
                mean(&|sheet, c, alpha| alpha * alpha * one(sheet, c) * other(sheet, c))
                    - mean(&|sheet, c, alpha| alpha * one(sheet, c))
                        * mean(&|sheet, c, alpha| alpha * other(sheet, c))
            };
            let refitted = fluctuation::covariance(&h, &points).unwrap();
            let frozen = fluctuation::frozen_covariance(&h, &points).unwrap();
            let deviations = fluctuation::standard_deviations(&h, &points).unwrap();
            let size = frozen.diag().iter().fold(0.0_f64, |a, v| a.max(v.abs()));
            // Networks are at the data; the root of what variances may be off by below.
            let none = fluctuation::standard_deviations(&h, x).unwrap();
            assert!(
                none.iter().all(|d| (0.0..=1e-5 * size.sqrt()).contains(d)),
                "{none:?}"
            );
            for (i, j) in (0..points.len()).flat_map(|i| (0..points.len()).map(move |j| (i, j))) {
                let expected =
                    covariance(&|sheet, c| rest(i, sheet, c), &|sheet, c| rest(j, sheet, c));
                let found = refitted[[i, j]];
                assert!(
                    (found - expected).abs() <= 1e-10 * size,
                    "{potential} {i} {j}: {found:e} {expected:e}"
                );
                let feature = |k: usize| move |sheet: Sheet, c: f64| sheet.feature(points[k], c);
                let expected = covariance(&feature(i), &feature(j));
                let found = frozen[[i, j]];
                assert!(
                    (found - expected).abs() <= 1e-10 * size,
                    "{potential} {i} {j}: {found:e} {expected:e}"
                );
                if i == j {
                    let square = deviations[i] * deviations[i];
                    assert!((square - refitted[[i, i]]).abs() <= 1e-12 * size);
                }
            }
            for (k, &point) in points.iter().enumerate() {
                let neurons: Vec<(Sheet, f64)> = nodes
                    .iter()
                    .step_by(37)
                    .map(|node| (node.0, node.1))
                    .collect();
                let influences = fluctuation::influences(&h, point, &neurons).unwrap();
                assert_eq!(influences.len(), neurons.len());
                for (&(sheet, c), found) in neurons.iter().zip(influences) {
                    let expected = h.alpha(sheet, c) * rest(k, sheet, c);
                    assert!(
                        (found - expected).abs() <= 1e-9 * (1.0 + expected.abs()),
                        "{found:e} {expected:e}"
                    );
                }
            }
            if matches!(setting.potential.family(), Family::Quadratic { .. }) {
                // Sixteen points err by 16⁻⁵ or so where α^1.5 ends at 0.
                for (exponent, tolerance) in [(3.0, 1e-9), (4.0, 1e-9), (2.5, 1e-6)] {
                    let gap = fluctuation::agreement_gap(&h, exponent, &points).unwrap();
                    for (k, found) in gap.into_iter().enumerate() {
                        let force = |alpha: f64| {
                            exponent * alpha.abs().powf(exponent - 1.0).copysign(alpha)
                        };
                        let expected = -mean(&|sheet, c, alpha| force(alpha) * rest(k, sheet, c))
                            / potential.hessian(0.0);
                        assert!(
                            (found - expected).abs() <= tolerance * (1.0 + expected.abs()),
                            "{found:e} {expected:e}"
                        );
                    }
                }
            }
        }
    }
}

/// One point is fitted by more than one formula.
mod one_datum {
    use super::*;

    #[test]
    fn is_fitted_and_certified() {
        for activation in [Activation::Relu, Activation::Abs] {
            for potential in ["quadratic", "power:3,1", "power:2.5,0.5", "hypentropy:0.5"] {
                for (bias, proven) in [
                    ("uniform:1", true),
                    ("triangular:1.5,0.5", true),
                    ("gaussian:0.7", false),
                ] {
                    for (x0, y0) in [(0.4, 0.7), (-0.3, -2.0)] {
                        let setting = Setting {
                            dataset: Dataset::from_points(&[x0], &[y0]).unwrap(),
                            activation,
                            bias: bias.parse().unwrap(),
                            potential: potential.parse().unwrap(),
                            scaling: Scaling::Scaled,
                        };
                        let h = infinite_width::minimize(&setting).unwrap();
                        assert_eq!(h.basis().nodal(h.coordinates()), h.multipliers());
                        let certificate = certificate::certify(&h);
                        assert_eq!(certificate.proven, proven, "{potential} {bias}");
                        assert!(
                            certificate.sup_error_bound < 1e-11,
                            "{potential} {bias}: {certificate:?}"
                        );
                        assert!((h.value(x0) - y0).abs() <= 1e-14 + certificate.sup_error_bound);
                        let reference = Reference::new(&h, &[]);
                        for x in grid(&setting) {
                            let at_x = Reference::new(&h, &[x]);
                            let off = (at_x.value(x) - h.value(x)).abs();
                            // The reference sums a thousand terms of the size of y.
                            let allowed = certificate.sup_error_bound + 1e3 * EPS * y0.abs();
                            assert!(off <= allowed, "{potential} {bias} at {x}: {off:e}");
                        }
                        // From a λ̂ that is off, the bound holds and is no waste.
                        let wrong = h.with_coordinates(
                            h.coordinates().iter().map(|q| q * (1.0 + 1e-4)).collect(),
                        );
                        let bound = certificate::certify(&wrong).sup_error_bound;
                        let off = grid(&setting)
                            .map(|x| (wrong.value(x) - h.value(x)).abs())
                            .fold(0.0, f64::max);
                        assert!(
                            off <= bound && bound < 20.0 * off,
                            "{potential} {bias}: {off:e} {bound:e}"
                        );
                        let cost = reference.expectation(|_, alpha| setting.potential.value(alpha));
                        assert!((cost / h.cost() - 1.0).abs() < 1e-11, "{cost} {}", h.cost());
                    }
                }
            }
        }
    }
}

mod interpolation {
    use super::*;

    fn outside(activation: Activation, points: &[(f64, f64)]) -> Setting {
        let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        Setting {
            dataset: Dataset::from_points(&x, &y).unwrap(),
            activation,
            bias: BiasDensity::uniform(1.0).unwrap(),
            potential: Potential::quadratic(),
            scaling: Scaling::Scaled,
        }
    }

    /// The edge of the biases belongs to what is affine.
    #[test]
    fn a_datum_on_the_edge_is_outside() {
        for sign in [1.0, -1.0] {
            for activation in [Activation::Relu, Activation::Abs] {
                let points = [(1.0, 0.0), (2.0, 1.0), (3.0, 5.0)].map(|(x, y)| (sign * x, y));
                let error = infinite_width::minimize(&outside(activation, &points)).unwrap_err();
                let said = "their y do not fit one such function";
                assert!(error.to_string().contains(said), "{activation:?}: {error}");
            }
        }
    }

    proptest! {
        #![proptest_config(config(512))]

        /// Points beyond the support that are on the one function there but for the rounding of x and y are taken,
        /// whatever their sizes; one that is off by more is not.
        #[test]
        fn points_beyond_the_support_follow_from_two(
            inputs in prop::collection::btree_set(10..2000i32, 3..6),
            decades in -1.0..9.0f64,
            (slope, offset) in (-3.0..3.0f64, -3.0..3.0f64),
            (size, level) in (-6.0..6.0f64, -6.0..6.0f64),
            relu: bool,
            wrong in 0..6usize,
        ) {
            let activation = if relu { Activation::Relu } else { Activation::Abs };
            let spread = 10f64.powf(decades);
            let (slope, offset) = (slope * 10f64.powf(size) / spread, offset * 10f64.powf(level));
            let mut points: Vec<(f64, f64)> = inputs.iter().enumerate().map(|(k, &x)| {
                let x = 1.0 + 1e-2 * f64::from(x) * spread;
                let y = slope * x - offset;
                if !relu && k % 2 == 1 { (-x, slope * x + offset) } else { (x, y) }
            }).collect();
            let contradiction = |points: &[(f64, f64)]| match infinite_width::minimize(&outside(activation, points)) {
                Err(error) => error.to_string().contains("their y do not fit one such function"),
                Ok(_) => false,
            };
            prop_assert!(!contradiction(&points));
            // The error of a line through two points, far away from them.
            let reach = points.iter().fold(0.0_f64, |a, point| a.max(point.0.abs()));
            let ends = points.iter().map(|point| if relu { point.0 } else { point.0.abs() });
            let gap = ends.clone().flat_map(|a| ends.clone().map(move |b| (a - b).abs())).filter(|gap| *gap > 0.0).fold(f64::MAX, f64::min);
            let largest = points.iter().fold(0.0_f64, |a, point| a.max(point.1.abs()));
            let rounding = largest * (reach / gap).powi(2);
            let wrong = wrong % points.len();
            points[wrong].1 += 1e3 * EPS * rounding;
            prop_assert!(contradiction(&points));
        }

        /// Against every cyclic run of points, one by one; the run that is named is one that too few knots touch.
        #[test]
        fn knots_reach_what_every_run_of_points_allows(knots in prop::collection::vec(0..3usize, 2..7)) {
            let m = knots.len() - 1;
            let x: Vec<f64> = (0..m).map(|i| i as f64).collect();
            let data = Dataset::from_points(&x, &x).unwrap();
            let places = knots.iter().enumerate().flat_map(|(i, &count)| (0..count).map(move |k| i as f64 - 0.7 + 0.3 * k as f64));
            let knots_at: Array1<f64> = places.collect();
            let n = knots_at.len();
            let setting = Setting { dataset: data, ..outside(Activation::Abs, &[(0.0, 0.0)]) };
            let network = Network { w: Array1::ones(n), b: knots_at, a: Array1::zeros(n), d: 0.0 };
            // Arc i lies before point i, the two outer ones are arc 0.
            let arcs: Vec<usize> = (0..m).map(|i| knots[i] + if i == 0 { knots[m] } else { 0 }).collect();
            let touched = |start: usize, k: usize| -> usize { (0..=k).map(|j| arcs[(start + j) % m]).sum() };
            let runs = (0..m).flat_map(|start| (1..m).map(move |k| (start, k)));
            let short: Vec<(usize, usize)> = runs.filter(|&(start, k)| touched(start, k) < k).collect();
            let enough = knots.iter().sum::<usize>() >= m;
            match bregman_projection::project(&setting, &network) {
                Ok(_) => prop_assert!(enough && short.is_empty(), "{short:?}"),
                Err(error) => {
                    let message = error.to_string();
                    let neurons = format!("{} neurons cannot fit {m} points", knots.iter().sum::<usize>());
                    prop_assert_eq!(message.contains(&neurons), !enough, "{}", message);
                    if enough {
                        let named = short.iter().any(|&(start, k)| {
                            let points: Vec<String> = (0..k).map(|j| ((start + j) % m).to_string()).collect();
                            message.contains(&format!("fewer than {k} knots lie in the arcs next to x = {};", points.join(", ")))
                        });
                        prop_assert!(named, "{message}: {short:?}");
                    }
                }
            }
        }
    }
}

/// Against dense matrices.
mod bordered_matrix {
    use super::*;
    use mirrorflow::solver::{
        double_double::{DoubleDouble, Real},
        dual::{BorderedMatrix, LocalBasis},
    };
    use ndarray::Array2;
    use ndarray_linalg::{Inverse, Norm};

    /// F as a vector of all coordinates.
    fn whole(m: usize, indices: [usize; 4], f: [f64; 4]) -> Array1<f64> {
        let mut whole = Array1::zeros(m);
        (indices.into_iter().zip(f)).for_each(|(index, f)| whole[index] += f);
        whole
    }

    #[test]
    fn is_factored_and_inverted() {
        for (m, seed) in [1, 2, 3, 4, 5, 9]
            .into_iter()
            .flat_map(|m| (0..4).map(move |seed| (m, seed)))
        {
            for activation in [Activation::Relu, Activation::Abs] {
                let bias = BiasDensity::uniform(1.0).unwrap();
                let draws = Network::sample(&bias, OutputInit::Zero, 400, seed).b;
                let data = Dataset::from_points(&draws.to_vec()[..m], &vec![0.0; m]).unwrap();
                let basis =
                    LocalBasis::new(&data, activation, if seed % 2 == 0 { 0.5 } else { 50.0 });
                let (x, mut draw) = (basis.x(), draws.iter().skip(m).map(|b| 0.5 + 0.5 * b));
                let mut matrix = BorderedMatrix::zero(m);
                let mut dense = Array2::<f64>::zeros((m, m));
                let mut features = Vec::new();
                for interval in 0..=m {
                    let left = if interval == 0 {
                        x[0] - 1.0
                    } else {
                        x[interval - 1]
                    };
                    let right = if interval == m {
                        x[m - 1] + 1.0
                    } else {
                        x[interval]
                    };
                    for &sheet in Sheet::of(activation) {
                        let mut at = || left + (right - left) * draw.next().unwrap();
                        let f = [at(), at()].map(|c| basis.functions(interval, sheet, c));
                        let second = [1.0 + at().abs(), 0.3, 1.0 + at().abs()];
                        let indices = basis.indices(interval);
                        matrix.add_moments(indices, [&f[0], &f[1]], second);
                        let columns = f.map(|f| whole(m, indices, f).insert_axis(ndarray::Axis(1)));
                        let [l, r] = &columns;
                        let cross = l.dot(&r.t());
                        dense = dense
                            + second[0] * l.dot(&l.t())
                            + second[1] * (&cross + &cross.t())
                            + second[2] * r.dot(&r.t());
                        features.extend(f.map(|f| (indices, f)));
                    }
                }
                assert!(basis.len() == m && !basis.is_empty());
                let factored = matrix.factor(1e-12).unwrap();
                let inverse = dense.inv().unwrap();
                let condition = dense.norm_l2() * inverse.norm_l2();
                // Backward stable by a few operations per entry.
                let relative = 100.0 * m as f64 * EPS * condition;
                let b: Vec<f64> = draw.by_ref().take(m).map(|b| b - 0.4).collect();
                let (found, expected) = (
                    Array1::from(factored.solve(&b)),
                    inverse.dot(&Array1::from(b.clone())),
                );
                let off = (&found - &expected).norm_l2();
                assert!(
                    off <= relative * expected.norm_l2(),
                    "m = {m}: H⁻¹b is off by {off:e}"
                );
                let sizes = Array1::from(matrix.absolute_product(&b));
                let expected = dense.mapv(f64::abs).dot(&Array1::from(b).mapv(f64::abs));
                let rounding = 100.0 * m as f64 * EPS * dense.norm_l2();
                assert!(
                    (&sizes - &expected).iter().all(|off| off.abs() <= rounding),
                    "m = {m}: {sizes}, not {expected}"
                );
                let inner = factored.inner_inverse_diagonal();
                for (indices, f) in features {
                    let whole = whole(m, indices, f);
                    let expected = whole.dot(&inverse.dot(&whole));
                    let found = factored.quadratic_form(&inner, indices, &f);
                    let allowed = relative * inverse.norm_l2() * whole.dot(&whole);
                    assert!(
                        (found - expected).abs() <= allowed,
                        "m = {m}: {found:e}, not {expected:e}"
                    );
                }
                if m > 2 {
                    let tridiagonal =
                        Array2::from_shape_fn((m - 2, m - 2), |(i, j)| dense[[i + 1, j + 1]]);
                    let expected = tridiagonal.inv().unwrap().diag().to_owned();
                    for (found, expected) in inner[1..m - 1].iter().zip(&expected) {
                        assert!(
                            (found - expected).abs() <= relative * expected,
                            "{found:e}, not {expected:e}"
                        );
                    }
                }
            }
        }
    }

    /// Two features of one knot span one dimension of two.
    fn refused_where_it_is_singular<T: Real>() {
        let data = Dataset::from_points(&[0.0, 1.0], &[0.0, 0.0]).unwrap();
        let basis = LocalBasis::new(&data, Activation::Abs, 0.5);
        let mut matrix = BorderedMatrix::<T>::zero(2);
        for (knot, regular) in [(0.25, false), (0.75, true)] {
            let f = basis.functions_in(1, Sheet::Both, knot);
            let second = [1.0, 0.5, 1.0].map(T::from);
            matrix.add_moments(basis.indices(1), [&f, &f], second);
            assert_eq!(matrix.factor(1e-12).is_some(), regular, "{knot}");
            // All numbers are dyadic: the last pivot is 0 and no rounding.
            assert_eq!(matrix.factor(0.0).is_some(), regular, "{knot}");
        }
    }

    /// λᵀF is linear in the coordinates, what a double leaves of them with it.
    #[test]
    fn what_coordinates_leave_is_added() {
        let data = Dataset::from_points(&[-0.5, 0.5, 1.5], &[0.0, 0.0, 0.0]).unwrap();
        for activation in [Activation::Relu, Activation::Abs] {
            let basis = LocalBasis::new(&data, activation, 0.5);
            let (zero, q) = ([0.0; 3], [0.75, -1.5, 0.25]);
            for &sheet in Sheet::of(activation) {
                // All numbers are dyadic, and nothing is rounded.
                for (interval, knot) in [(0, -1.0), (1, 0.0), (2, 0.75), (3, 2.0)] {
                    let at = |parts| basis.precise_dual_function(parts, interval, sheet, knot);
                    let u = basis.dual_function(&q, interval, sheet, knot);
                    assert!(u != 0.0 || sheet != Sheet::Both);
                    assert_eq!(
                        [at([&q, &zero]), at([&zero, &q]), at([&q, &q])],
                        [u, u, 2.0 * u]
                    );
                }
            }
        }
    }

    #[test]
    fn is_refused_where_it_is_singular() {
        refused_where_it_is_singular::<f64>();
        refused_where_it_is_singular::<DoubleDouble>();
    }
}

mod newton {
    use super::*;

    /// Numbers in (−1, 1), uniform.
    fn noise(seed: u64, count: usize) -> Vec<f64> {
        let density = BiasDensity::uniform(1.0).unwrap();
        Network::sample(&density, OutputInit::Zero, count, seed)
            .b
            .to_vec()
    }

    fn data(kind: &str, m: usize, size: f64) -> Dataset {
        let mut x = noise(m as u64, m);
        let mut y = noise(m as u64 + 1, m);
        match kind {
            "wave" => y = x.iter().map(|x| (7.0 * x).sin()).collect(),
            // Every other point 1e-3 to 2e-3 of the mean distance from its neighbour.
            "pairs" => (1..m)
                .step_by(2)
                .for_each(|i| x[i] = x[i - 1] + (1.5 + 0.5 * x[i]) * 1e-3 / m as f64),
            _ => {}
        }
        Dataset::from_points(&x, &y.iter().map(|y| size * y).collect::<Vec<_>>()).unwrap()
    }

    /// Fewest and most steps over kinds of data, sizes, densities and activations.
    fn range(potential: &str, m: usize, sizes: &[f64]) -> [usize; 2] {
        let mut range = [usize::MAX, 0];
        for kind in ["noise", "wave", "pairs"] {
            for (&size, bias) in sizes.iter().zip(
                ["uniform:1", "gaussian:0.5", "triangular:1,0.5"]
                    .into_iter()
                    .cycle(),
            ) {
                for activation in [Activation::Relu, Activation::Abs] {
                    let setting = Setting {
                        dataset: data(kind, m, size),
                        activation,
                        bias: bias.parse().unwrap(),
                        potential: potential.parse().unwrap(),
                        scaling: Scaling::Scaled,
                    };
                    let start = Instant::now();
                    let h = infinite_width::minimize(&setting).unwrap_or_else(|e| {
                        panic!("{kind} {m} {size:e} {bias} {activation:?} {potential}: {e}")
                    });
                    assert!(
                        h.relative_residual() <= 1e-13,
                        "{kind} {m} {size:e} {bias} {activation:?} {potential}"
                    );
                    range = [range[0].min(h.iterations()), range[1].max(h.iterations())];
                    let seconds = start.elapsed().as_secs_f64();
                    assert!(
                        seconds < 10.0,
                        "{kind} {m} {size:e} {activation:?} {potential}: {seconds} s"
                    );
                }
            }
        }
        println!("{potential}, m = {m}: {range:?} steps");
        range
    }

    #[test]
    fn powers_take_few_steps() {
        for (potential, most) in [
            ("quadratic", 1),
            ("power:2.5,1", 9),
            ("power:3,1", 11),
            ("power:3,0.001", 11),
            ("power:4,1", 15),
            ("power:4,100", 15),
            ("power:5.5,0.1", 35),
            ("power:8,1", 60),
        ] {
            for m in [5, 50] {
                assert!(
                    range(potential, m, &[1e-6, 1.0, 1e6])[1] <= most,
                    "{potential}, m = {m}"
                );
            }
            assert!(
                range(potential, 1000, &[1.0])[1] <= most,
                "{potential}, m = 1000"
            );
        }
    }

    #[test]
    fn hypentropy_takes_few_steps() {
        for potential in ["hypentropy:0.01", "hypentropy:1", "hypentropy:10"] {
            for m in [5, 50] {
                assert!(
                    range(potential, m, &[1e-6, 1.0, 1e6])[1] <= 60,
                    "{potential}, m = {m}"
                );
            }
        }
        assert!(range("hypentropy:1", 300, &[1.0])[1] <= 60);
    }
}

/// Certificates against exact minimisers.
mod certificates {
    use super::*;

    fn exact(value: f64) -> BigRational {
        BigRational::from_float(value).unwrap()
    }

    proptest! {
        #![proptest_config(config(40))]

        /// φ = z² and uniform biases: h̄ in rational arithmetic, from the optimality conditions.
        #[test]
        fn rationals(data in strategies::dataset(1.0, OUTSIDE), activation in activation()) {
            let setting = Setting {
                dataset: data,
                activation,
                bias: BiasDensity::uniform(1.0).unwrap(),
                potential: Potential::quadratic(),
                scaling: Scaling::Scaled,
            };
            let Some(h) = solved(&setting) else { return Ok(()) };
            // Redundant points are met up to rounding only: leave them out of the exact problem too.
            let [x, y] = [h.basis().x(), h.basis().y()].map(|v| v.iter().map(|&v| exact(v)).collect::<Vec<_>>());
            let cost = match activation {
                Activation::Relu => RepresentationCost::relu(exact(1.0)),
                Activation::Abs => RepresentationCost::abs(exact(1.0)),
            };
            let minimizer = cost.minimizer(&x, &y).unwrap().function;
            let bound = bound(&h);
            for x in grid(&setting) {
                let error = (exact(h.value(x)) - minimizer.value(&exact(x))).to_f64().unwrap().abs();
                prop_assert!(error <= bound, "at {x}: {error:e} > {bound:e}");
            }
        }

        /// Another λ is another function: its certificate, if finite, covers the distance to h̄.
        #[test]
        fn wrong_multipliers(setting in setting(OUTSIDE), decades in 1..12i32, seed in 0..1000u64) {
            let Some(h) = solved(&setting) else { return Ok(()) };
            let kick = Network::sample(&setting.bias, OutputInit::Zero, h.basis().len(), seed);
            let size = h.coordinates().iter().fold(0.0, |a: f64, q| a.max(q.abs()));
            // Half of the kicks relative to each coordinate, half to the largest.
            let q: Vec<f64> = h.coordinates().iter().zip(&kick.b).map(|(q, b): (&f64, &f64)| {
                let unit = if seed % 2 == 0 { q.abs() } else { size };
                q + 10f64.powi(-decades) * unit * b
            }).collect();
            let wrong = h.with_coordinates(q);
            let bound = bound(&wrong) + bound(&h);
            let error = largest_difference(&setting, |x| wrong.value(x), |x| h.value(x));
            prop_assert!(error <= bound, "{error:e} > {bound:e}");
        }

        /// Data made from chosen multipliers, y = E[αF]: h̄ is known at every x without solving.
        #[test]
        fn made_to_measure(setting in setting(INSIDE), lambda in prop::collection::vec(-8..=8, 12)) {
            let spread = setting.dataset.x().windows(2).all(|pair| {
                pair[1] - pair[0] > 0.06 * strategies::scale(&setting.bias)
            });
            prop_assume!(spread);
            let Some(h) = solved(&setting) else { return Ok(()) };
            let q: Vec<f64> = h.coordinates().iter().zip(&lambda).map(|(_, l)| f64::from(*l)).collect();
            let chosen = h.with_coordinates(q);
            let points: Vec<f64> = grid(&setting).step_by(5).collect();
            let reference = Reference::new(&chosen, &points);
            let y: Vec<f64> = setting.dataset.x().iter().map(|&x| reference.value(x)).collect();
            prop_assume!(y.iter().all(|y| y.abs() < 1e30));
            let found = solved(&Setting { dataset: setting.dataset.with_values(y).unwrap(), ..setting.clone() }).unwrap();
            let bound = bound(&found);
            prop_assert!(bound.is_finite());
            // The values at the data carry the rounding of λ and of the sums; elsewhere it is amplified
            // like a chord: by 4·1.5·max|x| over the least distance at most, which is 100 here.
            let rounding = setting.dataset.x().iter().map(|&x| reference.rounding(x)).fold(0.0, f64::max);
            let amplified = 100.0 * rounding;
            for x in points {
                let error = (found.value(x) - reference.value(x)).abs();
                let tolerance = bound + amplified + reference.rounding(x);
                prop_assert!(error <= tolerance, "at {x}: {error:e} > {bound:e} + {amplified:e}");
            }
        }
    }

    /// Finite where it once was not: the residual's rounding alone was too large for one global
    /// condition on (φ*)''.
    #[test]
    fn are_finite() {
        for (data, activation, potential, bias) in [
            (
                Dataset::figure1(),
                Activation::Relu,
                "power:3,1",
                "gaussian:0.2",
            ),
            (
                Dataset::figure1(),
                Activation::Relu,
                "power:6,1",
                "gaussian:0.2",
            ),
            (
                Dataset::figure2(),
                Activation::Abs,
                "power:8,1",
                "uniform:1",
            ),
        ] {
            let setting = Setting {
                dataset: data,
                activation,
                bias: bias.parse().unwrap(),
                potential: potential.parse().unwrap(),
                scaling: Scaling::Scaled,
            };
            let bound = bound(&solved(&setting).unwrap());
            println!("{potential} {bias}: {bound:e}");
            assert!(bound < 1e-6, "{potential} {bias}: {bound:e}");
        }
        let noise = |seed| {
            Network::sample(
                &BiasDensity::uniform(1.0).unwrap(),
                OutputInit::Zero,
                1000,
                seed,
            )
            .b
            .to_vec()
        };
        let setting = Setting {
            dataset: Dataset::from_points(&noise(0), &noise(1)).unwrap(),
            activation: Activation::Abs,
            bias: BiasDensity::uniform(1.0).unwrap(),
            potential: Potential::power(4.0, 1.0).unwrap(),
            scaling: Scaling::Scaled,
        };
        let bound = bound(&solved(&setting).unwrap());
        println!("1000 points: {bound:e}");
        assert!(bound.is_finite());
    }
}
