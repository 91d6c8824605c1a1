//! The infinite-width dual against exact rationals, reference numbers and the data.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use mirrorflow::{
    evidence::{certificate, fluctuation},
    report::minimizer::MinimizerReport,
    setting::{Activation, Dataset, Network, OutputInit, Scaling, Setting},
    solver::{bregman_projection, infinite_width},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed},
};

fn setting(data: Dataset, activation: Activation, potential: &str, scaling: Scaling) -> Setting {
    Setting {
        dataset: data,
        activation,
        bias: "uniform:1".parse().unwrap(),
        potential: potential.parse().unwrap(),
        scaling,
    }
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} against {b}");
}

/// 644193/3100 is the exact cost of figure 1 (tests/spline.rs derives it in rationals).
#[test]
fn figure_1() {
    let figure = setting(
        Dataset::figure1(),
        Activation::Relu,
        "quadratic",
        Scaling::Unscaled,
    );
    let h = infinite_width::minimize(&figure).unwrap();
    let terms = h.terms().unwrap();
    close(h.cost(), 644193.0 / 3100.0, 1e-12 * 208.0);
    close(terms.curvature, 202.375_816_857_440_16, 1e-10);
    close(terms.slopes, 0.0, 1e-10);
    close(terms.offset, 5.428_376_690_946_93, 1e-10);
    let certificate = certificate::certify(&h);
    assert!(certificate.sup_error_bound <= 1e-9);
    assert!(certificate.interpolation_residual <= certificate.sup_error_bound);
}

#[test]
fn figure_2() {
    for (potential, cost, value) in [
        ("quadratic", 18.46674265552418, 0.384884928431097),
        ("power:3,1", 79.4162328629114, 0.478524747374311),
        ("power:4,1", 542.196606445360, 0.551976465256112),
    ] {
        let data = Dataset::figure2();
        let figure = setting(data, Activation::Abs, potential, Scaling::Scaled);
        let h = infinite_width::minimize(&figure).unwrap();
        close(h.cost(), cost, 1e-10);
        close(h.value(-0.1), value, 1e-10);
        assert!(certificate::certify(&h).sup_error_bound <= 1e-9);
    }
}

/// The general functional: triangular density with mode ½ (mathematical reference in proofs.md).
#[test]
fn uneven_density() {
    let data = Dataset::figure1();
    let tilted = data.x().iter().zip(data.y()).map(|(x, y)| y + 0.4 * x);
    let tilted = data.with_values(tilted.collect()).unwrap();
    let mut figure = setting(tilted, Activation::Relu, "quadratic", Scaling::Unscaled);
    figure.bias = "triangular:1,0.5".parse().unwrap();
    let h = infinite_width::minimize(&figure).unwrap();
    let terms = h.terms().unwrap();
    close(h.cost(), 156.3436564771, 1e-9);
    close(terms.curvature, 152.2524821794, 1e-9);
    close(terms.slopes, 0.7209930984, 1e-9);
    close(terms.offset, 3.3701811993, 1e-9);
}

/// Law 2's gap function on figure 1: sups 3.671 and 221.1 at φ = (|z|^q + z²)/2, where φ''(0) = 1.
#[test]
fn agreement_gap() {
    let h = infinite_width::minimize(&setting(
        Dataset::figure1(),
        Activation::Relu,
        "power:4,1",
        Scaling::Unscaled,
    ))
    .unwrap();
    let points: Vec<f64> = (0..=3000).map(|i| f64::from(i) / 1000.0 - 1.5).collect();
    for (exponent, predicted, digits) in [(3.0, 3.671, 5e-4), (4.0, 221.1, 0.05)] {
        let gap = fluctuation::agreement_gap(&h, exponent, &points).unwrap();
        let sup = gap.iter().fold(0.0, |a: f64, gap| a.max(gap.abs())) / 2.0;
        close(sup, predicted, digits);
    }
}

#[test]
fn a_point_that_contradicts_the_support_is_an_error() {
    let data = Dataset::from_points(&[-3.0, -2.0, -1.0, 0.5], &[0.0, 1.0, 0.0, 0.0]).unwrap();
    for activation in [Activation::Abs, Activation::Relu] {
        let bad = setting(data.clone(), activation, "quadratic", Scaling::Scaled);
        let message = infinite_width::minimize(&bad).unwrap_err().to_string();
        assert!(
            message.starts_with("no interpolant: x = -3, -1 and -2"),
            "{message}"
        );
    }
}

#[test]
fn redundant_points_outside_the_support_change_nothing() {
    let full = Dataset::from_points(&[-3.0, -2.0, -1.0, 0.5], &[2.0, 1.0, 0.0, 1.0]).unwrap();
    let less = Dataset::from_points(&[-3.0, -1.0, 0.5], &[2.0, 0.0, 1.0]).unwrap();
    for activation in [Activation::Abs, Activation::Relu] {
        let solve = |data: &Dataset| {
            let setting = setting(data.clone(), activation, "quadratic", Scaling::Scaled);
            infinite_width::minimize(&setting).unwrap()
        };
        let (full, less) = (solve(&full), solve(&less));
        close(full.value(0.1), less.value(0.1), 1e-12);
        assert_eq!(full.multipliers()[1], 0.0);
    }
}

/// n = 48 600, 100 draws: the mean square of √n (f_n − h̄) over its predicted variance.
#[test]
fn projections_fluctuate_as_predicted() {
    let figure = setting(
        Dataset::figure2(),
        Activation::Abs,
        "quadratic",
        Scaling::Scaled,
    );
    let h = infinite_width::minimize(&figure).unwrap();
    let variance = fluctuation::covariance(&h, &[0.0]).unwrap()[[0, 0]];
    let (n, draws) = (20_000, 100);
    let sum: f64 = (0..draws)
        .map(|seed| {
            let network = Network::sample(&figure.bias, OutputInit::Zero, n, seed);
            let projection = bregman_projection::project(&figure, &network).unwrap();
            assert!(projection.residual < 1e-12);
            let f = projection.network.output(figure.activation, 0.0);
            n as f64 * (f - h.value(0.0)).powi(2) / variance
        })
        .sum();
    let twin = mirrorflow::evidence::statistics::Alternative::new("variance × 3", 3.0);
    let judge = |statistic: f64| {
        mirrorflow::evidence::statistics::chi_square("χ²", statistic, 100, 100, &twin)
    };
    assert!(judge(sum).passed, "{sum}");
    assert!(judge(sum).test.power.unwrap() > 0.9);
    assert!(!judge(sum * 3.0).passed && !judge(sum / 3.0).passed);
}

fn config(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Config::default()
    }
}

fn problem() -> impl Strategy<Value = (Dataset, Activation, &'static str)> {
    let points = proptest::collection::btree_map(-999i32..=999, -1000i32..=1000, 2..=12);
    let data = points.prop_map(|points| {
        let (x, y): (Vec<f64>, Vec<f64>) = points
            .iter()
            .map(|(x, y)| (f64::from(*x) / 1000.0, f64::from(*y) / 1000.0))
            .unzip();
        Dataset::from_points(&x, &y).unwrap()
    });
    let activation = prop_oneof![Just(Activation::Relu), Just(Activation::Abs)];
    let potential = prop_oneof![
        Just("quadratic"),
        Just("power:2.5,1"),
        Just("power:3,0.5"),
        Just("power:4,1"),
    ];
    (data, activation, potential)
}

proptest! {
    #![proptest_config(config(64))]

    /// h̄(x_i) = y_i, from the integral and not from the local formula; and φ' ∘ α = λᵀF.
    #[test]
    fn optimality_conditions((data, activation, potential) in problem()) {
        let setting = setting(data, activation, potential, Scaling::Scaled);
        let h = infinite_width::minimize(&setting).unwrap();
        let certificate = certificate::certify(&h);
        let scale = setting.dataset.largest_value() + 1.0;
        prop_assert!(certificate.interpolation_residual <= 1e-9 * scale);
        prop_assert!(certificate.duality_gap <= 1e-9 * (1.0 + h.cost()));
    }

    /// x → −x takes h̄ to its mirror image within both certificates.
    #[test]
    fn reflection((data, activation, potential) in problem()) {
        let mirrored: Vec<f64> = data.x().iter().map(|x| -x).collect();
        let mirrored = Dataset::from_points(&mirrored, data.y()).unwrap();
        let solve = |data| {
            infinite_width::minimize(&setting(data, activation, potential, Scaling::Scaled)).unwrap()
        };
        let (h, g) = (solve(data), solve(mirrored));
        let bound = |h| certificate::certify(h).sup_error_bound;
        for x in [-1.2, -0.31, 0.0, 0.77] {
            prop_assert!((h.value(x) - g.value(-x)).abs() <= bound(&h) + bound(&g));
        }
    }
}

/// Newton steps are integers that do not depend on the last bits: a change is a change of the solver.
#[test]
fn newton_steps() {
    let mut lines = vec!["penalty: infinite width; widths 60, 540, 4860".to_owned()];
    let [relu, abs] = [Activation::Relu, Activation::Abs];
    for (activation, potential, scaling) in [
        (relu, "quadratic", Scaling::Unscaled),
        (relu, "power:4,1", Scaling::Unscaled),
        (relu, "power:3,1", Scaling::Scaled),
        (abs, "quadratic", Scaling::Scaled),
        (abs, "power:3,1", Scaling::Scaled),
        (abs, "power:4,1", Scaling::Scaled),
        (abs, "hypentropy:1", Scaling::Scaled),
    ] {
        let data = match activation {
            Activation::Relu => Dataset::figure1(),
            Activation::Abs => Dataset::figure2(),
        };
        let figure = setting(data, activation, potential, scaling);
        let limit = infinite_width::minimize(&figure).unwrap().iterations();
        let widths = [60, 540, 4860].map(|width| {
            let network = Network::sample(&figure.bias, OutputInit::Zero, width, 0);
            bregman_projection::project(&figure, &network)
                .unwrap()
                .iterations
        });
        lines.push(format!(
            "{activation:?} {scaling:?} {potential}: {limit}; {widths:?}"
        ));
    }
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("newton-steps", lines.join("\n"));
    });
}

/// The same at data, densities and outputs that are no one's figure.
#[test]
fn newton_steps_on_uneven_problems() {
    let points = |m: usize, seed: u64| {
        let draws = |seed| {
            Network::sample(&"uniform:1".parse().unwrap(), OutputInit::Zero, m, seed)
                .b
                .to_vec()
        };
        Dataset::from_points(&draws(seed), &draws(seed + 1)).unwrap()
    };
    let potentials = [
        "quadratic",
        "power:2.5,1",
        "power:3,0.1",
        "power:4,1",
        "power:7,2",
        "hypentropy:0.05",
        "hypentropy:3",
    ];
    let densities = [
        "uniform:1",
        "uniform:3",
        "triangular:1.2,0.3",
        "gaussian:0.6",
    ];
    let mut lines = Vec::new();
    for activation in [Activation::Relu, Activation::Abs] {
        for potential in potentials {
            let counts = densities.map(|density| {
                let steps = [(3, 0), (9, 5), (16, 8)].map(|(m, seed)| {
                    let problem = Setting {
                        bias: density.parse().unwrap(),
                        ..setting(points(m, seed), activation, potential, Scaling::Scaled)
                    };
                    let limit = infinite_width::minimize(&problem).map(|h| h.iterations());
                    let network =
                        Network::sample(&problem.bias, "random:1,1".parse().unwrap(), 400, seed);
                    let projected =
                        bregman_projection::project(&problem, &network).map(|p| p.iterations);
                    let text = |steps: mirrorflow::Result<usize>| {
                        steps.map_or("-".into(), |steps| steps.to_string())
                    };
                    format!("{}/{}", text(limit), text(projected))
                });
                steps.join(" ")
            });
            lines.push(format!("{activation:?} {potential}: {}", counts.join(", ")));
        }
    }
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("newton-steps-uneven", lines.join("\n"));
    });
}

/// Found by fuzzing: far outside the support of the biases α overflows, and 0·∞ was h''.
#[test]
fn nothing_bends_where_there_are_no_biases() {
    let (x, y) = ([-5e10, -3858.0, 0.0, 4e13], [2.8e6, 9.9e8, 4.0, 3.2e9]);
    let setting = Setting {
        bias: "uniform:50606".parse().unwrap(),
        ..setting(
            Dataset::from_points(&x, &y).unwrap(),
            Activation::Abs,
            "hypentropy:0.0016",
            Scaling::Scaled,
        )
    };
    let h = infinite_width::minimize(&setting).unwrap();
    assert!(
        h.alpha(mirrorflow::solver::dual::Sheet::Both, 6e13)
            .is_infinite()
    );
    assert_eq!(h.second_derivative(6e13), 0.0);
}

/// Found by fuzzing: a cost above the range of doubles was reported, with a gap that was no number and
/// fluctuations of 0.
#[test]
fn what_overflows_is_refused() {
    let (x, y) = ([-0.5, 0.0, 0.5], [0.0, 1e198, 1.0]);
    let data = Dataset::from_points(&x, &y).unwrap();
    let setting = setting(data, Activation::Relu, "quadratic", Scaling::Unscaled);
    let error = MinimizerReport::new(&setting, None, None).unwrap_err();
    assert!(error.to_string().contains("overflows"), "{error}");
    let h = infinite_width::minimize(&setting).unwrap();
    let sd = fluctuation::standard_deviations(&h, &[0.25]).unwrap();
    assert!(!sd[0].is_finite(), "{sd:?}");
}
