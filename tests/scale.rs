//! Large and noisy data: what double-double gains, that work grows as m and n, and that a plain double would not do.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use astro_float::{BigFloat, Consts, RoundingMode};
use mirrorflow::{
    evidence::certificate::{self, Certificate},
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        bregman_projection,
        closed_form::{self, ClosedForm},
        double_double::DoubleDouble,
        infinite_width::{self, Solution},
        spline::RepresentationCost,
    },
};
use num_rational::BigRational;
use num_traits::ToPrimitive;

const EPS: f64 = f64::EPSILON;

/// m points, x and y uniform on [-1, 1].
fn noise(m: usize) -> Dataset {
    let draw = |seed| {
        Network::sample(&uniform(1.0), OutputInit::Zero, m, seed)
            .b
            .to_vec()
    };
    Dataset::from_points(&draw(0), &draw(1)).unwrap()
}

fn uniform(half_width: f64) -> BiasDensity {
    BiasDensity::uniform(half_width).unwrap()
}

fn setting(dataset: Dataset, activation: Activation, potential: &str) -> Setting {
    Setting {
        dataset,
        activation,
        bias: uniform(1.0),
        potential: potential.parse().unwrap(),
        scaling: Scaling::Scaled,
    }
}

/// The residual that the moments' error leaves: |x_i − x_j| ≤ L, summed over the dual's gradient.
fn rounding(h: &Solution) -> f64 {
    let (x, size) = (h.basis().x(), h.expansion().magnitude);
    2.0 * (x[x.len() - 1] - x[0]) * closed_form::ERROR * size.iter().sum::<f64>()
}

/// Asserts that the residual is below `target`·max|y|, and that λ rounded to doubles misses it.
fn meets(m: usize, activation: Activation, potential: &str, target: f64) -> Certificate {
    let setting = setting(noise(m), activation, potential);
    let h = infinite_width::minimize(&setting).unwrap();
    let certificate = certificate::certify(&h);
    let target = target * setting.dataset.largest_value();
    let residual = certificate.interpolation_residual;
    let what = format!("{m} points, {activation:?}, {potential}");
    assert!(residual <= target, "{what}: {residual:e}");
    assert!(residual <= rounding(&h), "{what}: {residual:e}");
    assert!(h.iterations() <= 25, "{what}: {} steps", h.iterations());
    let plain = certificate::certify(&h.with_coordinates(h.coordinates().to_vec()));
    assert!(
        plain.interpolation_residual > target,
        "{what}: a plain double suffices"
    );
    certificate
}

#[test]
fn residual_at_a_thousand_points() {
    for activation in [Activation::Abs, Activation::Relu] {
        for potential in ["quadratic", "power:3,1", "power:4,1"] {
            meets(1000, activation, potential, 1e-12);
        }
    }
}

#[test]
fn residual_at_a_hundred_thousand_points() {
    let certificate = meets(100_000, Activation::Abs, "power:3,1", 1e-9);
    assert!(certificate.sup_error_bound < 1e-6);
    meets(100_000, Activation::Relu, "quadratic", 1e-9);
}

/// Bounds that a residual in double precision left infinite.
#[test]
fn certificates_are_finite_and_local() {
    for (m, potential) in [
        (300, "power:5.5,1"),
        (300, "power:8,1"),
        (300, "hypentropy:0.1"),
        (1000, "power:4,1"),
    ] {
        let h = infinite_width::minimize(&setting(noise(m), Activation::Abs, potential)).unwrap();
        let certificate = certificate::certify(&h);
        let sup = certificate.sup_error_bound;
        assert!(sup < 1e-3, "{m} points, {potential}: {sup:e}");
        let local = &certificate.local_error_bounds;
        assert_eq!(local.len(), m + 1);
        assert_eq!(local.iter().copied().fold(0.0, f64::max), sup);
        // Next to the closest pair h is known far better than where data are sparse.
        let least = local[1..m].iter().copied().fold(f64::INFINITY, f64::min);
        assert!(least < sup / 4.0, "{least:e} of {sup:e}");
    }
}

/// Quadratic: the multipliers of 40 points are rationals. They come out as the nearest doubles or their neighbours.
#[test]
fn multipliers_of_exact_minimizers() {
    let exact = |v: f64| BigRational::from_float(v).unwrap();
    for activation in [Activation::Abs, Activation::Relu] {
        let coarse = |v: &f64| (v * 4096.0).round() / 4096.0;
        let data = noise(40);
        let [x, y] = [data.x(), data.y()].map(|v| v.iter().map(coarse).collect::<Vec<_>>());
        let data = Dataset::from_points(&x, &y).unwrap();
        let h = infinite_width::minimize(&setting(data.clone(), activation, "quadratic")).unwrap();
        let cost = match activation {
            Activation::Relu => RepresentationCost::relu(exact(1.0)),
            Activation::Abs => RepresentationCost::abs(exact(1.0)),
        };
        let [x, y] = [data.x(), data.y()].map(|v| v.iter().map(|&v| exact(v)).collect::<Vec<_>>());
        let minimizer = cost.minimizer(&x, &y).unwrap();
        let bound = certificate::certify(&h).sup_error_bound;
        for k in -30..=30 {
            let x = f64::from(k) / 20.0;
            let error = (exact(h.value(x)) - minimizer.function.value(&exact(x)))
                .to_f64()
                .unwrap();
            assert!(
                error.abs() <= bound,
                "{activation:?} at {x}: {error:e} > {bound:e}"
            );
        }
        // φ = z²: h'' = 2p_B α for |·| and α = λᵀF/2; the spline's multipliers are in units of their own.
        let sorted = h.multipliers();
        let scale = exact(sorted[0]) / &minimizer.multipliers[0];
        let scale = scale.to_f64().unwrap();
        let deviation = |values: &[f64]| {
            let pairs = values.iter().zip(&minimizer.multipliers);
            pairs
                .map(|(value, exact)| {
                    let exact = exact.to_f64().unwrap() * (scale * 64.0).round() / 64.0;
                    ((value - exact) / exact).abs()
                })
                .fold(0.0, f64::max)
        };
        assert!(
            deviation(&sorted) <= 2.0 * EPS,
            "{activation:?}: {:e}",
            deviation(&sorted)
        );
    }
}

/// Other units: powers of two in x and y change nothing but exponents.
#[test]
fn units_do_not_matter() {
    let data = noise(300);
    let gaussian = |unit: f64| BiasDensity::gaussian(0.75 * unit).unwrap();
    for bias in [uniform as fn(f64) -> BiasDensity, gaussian] {
        let solve = |unit: f64, height: f64| {
            let x: Vec<f64> = data.x().iter().map(|x| unit * x).collect();
            let y: Vec<f64> = data.y().iter().map(|y| height * y).collect();
            let setting = Setting {
                bias: bias(unit),
                ..setting(
                    Dataset::from_points(&x, &y).unwrap(),
                    Activation::Relu,
                    "quadratic",
                )
            };
            infinite_width::minimize(&setting).unwrap()
        };
        let plain = solve(1.0, 1.0);
        for (unit, height) in [(2f64.powi(-20), 1.0), (2f64.powi(20), 2f64.powi(30))] {
            let other = solve(unit, height);
            for x in [-1.4, -0.3, 0.0, 0.77] {
                assert_eq!(other.value(unit * x), height * plain.value(x));
            }
        }
    }
}

/// The closed form on a long piece against four Gauss points on each of 4096 short ones.
#[test]
fn closed_forms_agree_with_gauss() {
    let exact = |v: f64| DoubleDouble::from(v);
    for potential in [
        "quadratic",
        "power:3,1",
        "power:4,0.1",
        "power:2.5,1",
        "power:7.3,10",
        "hypentropy:0.5",
    ] {
        let potential: Potential = potential.parse().unwrap();
        let form = ClosedForm::new(potential).unwrap();
        let (from, to, count) = (exact(2.0), exact(3.0), 4096);
        let density = [exact(0.3), exact(0.7)];
        let at = |t: DoubleDouble, [l, r]: [DoubleDouble; 2]| l + (r - l) * t;
        let whole = form.first_moments([from, to], density);
        let mut sum = [exact(0.0); 2];
        for k in 0..count {
            let [l, r] = [k, k + 1].map(|k| exact(f64::from(k)) / exact(f64::from(count)));
            let part = form.first_moments(
                [at(l, [from, to]), at(r, [from, to])],
                [
                    at(l, density) / exact(f64::from(count)),
                    at(r, density) / exact(f64::from(count)),
                ],
            );
            let right = part[0] * l + part[1] * r;
            sum = [sum[0] + part[0] + part[1] - right, sum[1] + right];
        }
        for (whole, sum) in whole.into_iter().zip(sum) {
            let error = ((whole - sum) / whole).high().abs();
            assert!(error <= closed_form::ERROR, "{potential}: {error:e}");
            // What a double would give.
            let plain = ((exact(whole.high()) - sum) / whole).high().abs();
            assert!(plain > closed_form::ERROR, "{potential}: {plain:e}");
        }
    }
}

/// Pieces so short that the closed form would cancel, against Taylor's series; and what is too long for four points, by halves.
#[test]
fn short_pieces_do_not_cancel_and_long_ones_are_exact() {
    let exact = |v: f64| DoubleDouble::from(v);
    let form = |text: &str| ClosedForm::new(text.parse().unwrap()).unwrap();
    let one = [exact(1.0); 2];
    let growth = exact(1.0).exp();
    let [sinh, cosh] = [growth - exact(1.0) / growth, growth + exact(1.0) / growth]
        .map(|twice| twice * exact(0.25));
    // α and its derivatives in u, where 3α² + 2α = 2u at α = 1, and where α = ½ sinh u at u = 1.
    let power = [1.0, 0.25, -3.0 / 64.0, 27.0 / 1024.0, -405.0 / 16384.0].map(exact);
    let change = 2.0_f64.powi(-20);
    for (text, start, derivatives) in [
        ("power:3,1", 2.5, power),
        ("hypentropy:0.5", 1.0, [sinh, cosh, sinh, cosh, sinh]),
    ] {
        for sign in [1.0, -1.0] {
            let ends = [start, start + change].map(|u| exact(sign * u));
            let [left, right] = form(text).first_moments(ends, one);
            let (mut whole, mut tilted, mut term) = (exact(0.0), exact(0.0), exact(1.0));
            for (k, derivative) in (1..).zip(derivatives) {
                whole = whole + term * derivative / exact(f64::from(k));
                tilted = tilted + term * derivative / exact(f64::from(k + 1));
                term = term * exact(change) / exact(f64::from(k));
            }
            for (found, expected) in [(left + right, whole), (right, tilted)] {
                let off = (found * exact(sign) - expected) / expected;
                assert!(
                    off.high().abs() <= closed_form::ERROR,
                    "{text} {sign}: {off:?}"
                );
            }
        }
    }
    let form = form("hypentropy:0.5");
    let [whole, one_half, other] =
        [[1.0, 1.5], [1.0, 1.25], [1.25, 1.5]].map(|ends| form.first_moments(ends.map(exact), one));
    let halves = (one_half[0] + one_half[1] + other[0] + other[1]) * exact(0.5);
    let off = (whole[0] + whole[1] - halves) / halves;
    assert!(off.high().abs() <= closed_form::ERROR, "{off:?}");
}

/// The bounds of Joldes, Muller and Popescu, and those that `double_double` states for the functions.
#[test]
fn double_double_arithmetic() {
    const BITS: usize = 512;
    let mode = RoundingMode::ToEven;
    let mut consts = Consts::new().unwrap();
    let big = |v: DoubleDouble| {
        BigFloat::from_f64(v.high(), BITS).add(&BigFloat::from_f64(v.low(), BITS), BITS, mode)
    };
    let draws = Network::sample(&uniform(8.0), OutputInit::Zero, 4000, 3)
        .b
        .to_vec();
    let unit = EPS * EPS / 4.0;
    let check = |what: &str, got: DoubleDouble, wanted: BigFloat, roundings: f64| {
        let error = big(got)
            .sub(&wanted, BITS, mode)
            .div(&wanted, BITS, mode)
            .abs();
        let bound = BigFloat::from_f64(roundings * unit, BITS);
        assert!(
            error.cmp(&bound).unwrap() <= 0,
            "{what}: {error} above {roundings} u²"
        );
    };
    for four in draws.chunks_exact(4) {
        // A third-size tail makes both words full.
        let number = |v: f64, w: f64| DoubleDouble::from(v) + DoubleDouble::from(v * w * 1e-17);
        let (a, b) = (number(four[0], four[1]), number(four[2], four[3]));
        let (big_a, big_b) = (big(a), big(b));
        let same = a.abs() + b.abs();
        check(
            "sum",
            same,
            big(a.abs()).add(&big(b.abs()), BITS, mode),
            3.0,
        );
        check("product", a * b, big_a.mul(&big_b, BITS, mode), 5.0);
        check("quotient", a / b, big_a.div(&big_b, BITS, mode), 15.0);
        check("root", a.abs().sqrt(), big(a.abs()).sqrt(BITS, mode), 20.0);
        check(
            "exponential",
            a.exp(),
            big_a.exp(BITS, mode, &mut consts),
            8192.0,
        );
        let far = a.abs() + 2.0.into();
        check(
            "logarithm",
            far.ln(),
            big(far).ln(BITS, mode, &mut consts),
            32768.0,
        );
        check("power", a.powi(5), big_a.powi(5, BITS, mode), 30.0);
    }
}

/// Sums over neurons are cut at fixed places, whatever the number of threads.
#[test]
fn projections_do_not_depend_on_threads() {
    let setting = setting(Dataset::figure2(), Activation::Abs, "power:3,1");
    let network = Network::sample(&setting.bias, OutputInit::Zero, 300_000, 0);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| bregman_projection::project(&setting, &network).unwrap())
    };
    let (one, three) = (with(1), with(3));
    assert_eq!(one.alpha, three.alpha);
    assert_eq!(one.multipliers, three.multipliers);
}

/// A network with random output weights, whose values at the data are summed in local coordinates.
#[test]
fn projections_of_random_output() {
    for activation in [Activation::Abs, Activation::Relu] {
        let setting = setting(noise(60), activation, "power:3,1");
        let output = OutputInit::Random {
            output_weight: 1.0,
            output_bias: 0.5,
        };
        let network = Network::sample(&setting.bias, output, 20_000, 0);
        let projection = bregman_projection::project(&setting, &network).unwrap();
        // The network's own sum of n terms a_k σ(z), with |σ| ≤ 2, rounds by nε of their sizes at most; the projection's
        // by as much.
        let size: f64 = projection.network.a.iter().map(|a| 2.0 * a.abs()).sum();
        for (&x, y) in setting.dataset.x().iter().zip(setting.dataset.y()) {
            let error = (projection.network.output(activation, x) - y).abs();
            assert!(
                error <= 2.0 * 20_000.0 * EPS * size,
                "{activation:?} at {x}: {error:e}"
            );
        }
    }
}
