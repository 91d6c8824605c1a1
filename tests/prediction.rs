//! What the minimiser predicts in single numbers, and ensembles of networks, by second routes.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod strategies;

use mirrorflow::{
    evidence::{
        ensemble::{self, spread},
        fluctuation, prediction,
    },
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Scaling, Setting},
    solver::{
        dual::Sheet,
        infinite_width::{self, Solution},
        mirror_flow::{self, Options},
    },
};
use ndarray::{Array1, Array2};
use ndarray_linalg::{Cholesky, Eigh, UPLO};
use strategies::figure;

fn solved(activation: Activation, potential: &str) -> Solution {
    infinite_width::minimize(&figure(activation, potential, Scaling::Scaled)).unwrap()
}

/// The same with data and biases in another unit.
fn solved_in(unit: f64, activation: Activation, potential: &str) -> Solution {
    let setting = figure(activation, potential, Scaling::Scaled);
    let x: Vec<f64> = setting.dataset.x().iter().map(|x| unit * x).collect();
    infinite_width::minimize(&Setting {
        dataset: Dataset::from_points(&x, setting.dataset.y()).unwrap(),
        bias: BiasDensity::uniform(unit).unwrap(),
        ..setting
    })
    .unwrap()
}

/// Means over knots by the midpoint rule, cut nowhere: right to 10⁻⁴.
fn mean(h: &Solution, g: impl Fn(Sheet, f64) -> f64) -> f64 {
    let sheets = Sheet::of(h.setting().activation);
    let cells = 20_000;
    let place = |k: usize| (2.0 * (k as f64 + 0.5) / cells as f64) - 1.0;
    let sum = |sheet: Sheet| (0..cells).map(|k| g(sheet, place(k))).sum::<f64>();
    sheets.iter().map(|&sheet| sum(sheet)).sum::<f64>() / (cells * sheets.len()) as f64
}

/// Both ensembles of 2000 draws err by sd/√2000 in the mean, and by about as much in the deviation.
#[test]
fn the_error_is_that_of_the_limiting_process() {
    // Two data in the middle: the error is largest at the right edge.
    let lopsided = infinite_width::minimize(&Setting {
        dataset: Dataset::from_points(&[-0.2, 0.1], &[0.5, -0.25]).unwrap(),
        ..figure(Activation::Abs, "power:3,1", Scaling::Scaled)
    });
    let figure_2 = solved_in(0.5, Activation::Abs, "power:3,1");
    for (reach, h) in [(0.5, figure_2), (0.2, lopsided.unwrap())] {
        let places: Vec<f64> = (0..61)
            .map(|k| 1.5 * reach * (f64::from(k) / 30.0 - 1.0))
            .collect();
        let mut covariance = fluctuation::covariance(&h, &places).unwrap();
        let trace = covariance.diag().sum();
        covariance.diag_mut().mapv_inplace(|v| v + 1e-10 * trace);
        let root = covariance.cholesky(UPLO::Lower).unwrap();
        let normal = "gaussian:1".parse().unwrap();
        let draws = Network::sample(&normal, OutputInit::Zero, 61 * 2000, 77).b;
        let largest = |k: usize| {
            let draw = Array1::from(draws.to_vec()[61 * k..61 * (k + 1)].to_vec());
            root.dot(&draw).iter().fold(0.0_f64, |a, v| a.max(v.abs()))
        };
        let draws_of_the_largest: Vec<f64> = (0..2000).map(largest).collect();
        let [mean, deviation] = spread(&draws_of_the_largest);
        let [found, spread] = prediction::error(&h).unwrap();
        let allowed = 5.0 * deviation * (2.0_f64 / 2000.0).sqrt();
        assert!((found - mean).abs() < allowed, "{found} {mean} {allowed}");
        assert!((spread - deviation).abs() < allowed, "{spread} {deviation}");
    }
}

#[test]
fn rates_and_weights_are_those_of_the_minimiser() {
    for (activation, potential) in [
        (Activation::Abs, "power:3,1"),
        (Activation::Relu, "hypentropy:0.5"),
        (Activation::Relu, "quadratic"),
    ] {
        let h = solved(activation, potential);
        let (data, f) = (&h.setting().dataset, h.setting().limit_potential());
        let (x, m) = (data.x(), data.len());
        let kernel = Array2::from_shape_fn((m, m), |(i, j)| {
            mean(&h, |sheet, c| {
                sheet.feature(x[i], c) * sheet.feature(x[j], c) / f.hessian(h.alpha(sheet, c))
            })
        });
        let least = kernel.eigh(UPLO::Lower).unwrap().0[0];
        let rate = prediction::late_rate(&h).unwrap();
        assert!(
            (rate / (2.0 * least / m as f64) - 1.0).abs() < 1e-2,
            "{rate} {least}"
        );
        let sheets = Sheet::of(activation).iter();
        let weights =
            sheets.flat_map(|&sheet| (-4000..=4000).map(move |k| (sheet, f64::from(k) / 4000.0)));
        let largest = weights
            .map(|(sheet, c)| h.alpha(sheet, c).abs())
            .fold(0.0, f64::max);
        // A cell of the midpoint rule at either end of each stretch.
        let allowed = 2.0 * (m + 1) as f64 / 20_000.0;
        for share in [0.05, 0.3, 0.8] {
            let level = share * f.mirror_map(largest);
            let expected = mean(&h, |sheet, c| {
                f64::from(u8::from(h.dual_function(sheet, c).abs() <= level))
            });
            let found = h.dual_within(level);
            assert!(
                (found - expected).abs() <= allowed,
                "{level}: {found} {expected}"
            );
        }
        let found = prediction::largest_weight(&h);
        assert!(
            found >= largest * (1.0 - 1e-12) && found <= 1.001 * largest,
            "{found} {largest}"
        );
    }
}

/// A density: its integral over ever smaller cells is 1, and that over [0, v] is the share of x with |h''(x)| ≤ v.
#[test]
fn curvatures_occur_as_often_as_is_said() {
    for unit in [1.0, 0.5] {
        let h = solved_in(unit, Activation::Abs, "power:3,1");
        let bends: Vec<f64> = (0..20_000)
            .map(|k| {
                h.second_derivative(unit * (2.0 * (f64::from(k) + 0.5) / 20_000.0 - 1.0))
                    .abs()
            })
            .collect();
        let most = bends.iter().fold(0.0_f64, |a, b| a.max(*b));
        let cells = 4000;
        let width = 1.01 * most / f64::from(cells);
        let mut share = 0.0;
        for k in 0..cells {
            share += width * prediction::curvature_density(&h, (f64::from(k) + 0.5) * width);
            if k % 400 == 399 {
                let level = f64::from(k + 1) * width;
                let counted = bends.iter().filter(|b| **b <= level).count() as f64 / 20_000.0;
                assert!((share - counted).abs() < 5e-3, "{level}: {share} {counted}");
            }
        }
        assert!((share - 1.0).abs() < 5e-3, "{share}");
    }
}

#[test]
fn ensembles_are_drawn_and_ordered() {
    let settings = [
        figure(Activation::Abs, "quadratic", Scaling::Scaled),
        figure(Activation::Abs, "power:3,1", Scaling::Scaled),
    ];
    let members = ensemble::draw(&settings, &[40, 60], 3).unwrap();
    let keys: Vec<_> = members
        .iter()
        .map(|m| (m.setting, m.width, m.seed))
        .collect();
    let expected = (0..2).flat_map(|s| {
        [40, 60]
            .into_iter()
            .flat_map(move |n| (0..3).map(move |seed| (s, n, seed)))
    });
    assert_eq!(keys, expected.collect::<Vec<_>>());
    let h = infinite_width::minimize(&settings[1]).unwrap();
    for member in &members[6..] {
        let setting = &settings[member.setting];
        let initial = Network::sample(&setting.bias, OutputInit::Zero, member.width, member.seed);
        let options = Options {
            tolerance: ensemble::TOLERANCE,
            ..Options::default()
        };
        let run = mirror_flow::train(setting, &initial, &options, &mut |_| {}).unwrap();
        assert_eq!(run.network, member.run.network);
        let off = |k: i32| {
            let x = 1.5 * f64::from(k) / 1000.0;
            (run.network.output(setting.activation, x) - h.value(x)).abs()
        };
        let expected = (-1000..=1000).map(off).fold(0.0, f64::max);
        let found = ensemble::error(&member.run, &h).unwrap();
        assert!(
            found >= expected && found < 1.01 * expected,
            "{found} {expected}"
        );
    }
    let short = Options {
        most_steps: 3,
        ..Options::default()
    };
    let initial = Network::sample(&settings[1].bias, OutputInit::Zero, 40, 0);
    let run = mirror_flow::train(&settings[1], &initial, &short, &mut |_| {}).unwrap();
    assert_eq!(ensemble::error(&run, &h), None);
}
