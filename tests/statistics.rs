//! Sizes and powers of the audit's tests where they have closed forms.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use mirrorflow::{
    claims::{Context, agreement, dynamics::lazy, regime::not_kernel},
    evidence::{
        Evidence, distance,
        ensemble::{log_ratio, spread},
        extrapolation::Limit,
        statistics::{self, Alternative, SIZE},
    },
};
use rayon::prelude::*;
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

/// The two-sided quantile of the standard normal law at 10⁻⁵.
const CRITICAL: f64 = 4.417_173_413_469_02;

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-8 * other.abs()
}

fn power(evidence: &Evidence) -> f64 {
    evidence.test.power.unwrap()
}

fn p_value(evidence: &Evidence) -> f64 {
    evidence.test.p_value.unwrap()
}

/// χ² with two degrees of freedom is exponential: P(χ² > x) = e^(−x/2).
#[test]
fn chi_square_has_its_size_and_power() {
    let [low, high] = [1.0 - SIZE / 2.0, SIZE / 2.0].map(|p| -2.0 * p.ln());
    for factor in [1.0, 3.0, 0.2] {
        let test = |statistic| {
            statistics::chi_square("", statistic, 2, 7, &Alternative::new("wrong", factor))
        };
        let expected = (-high / (2.0 * factor)).exp() + (1.0 - (-low / (2.0 * factor)).exp());
        for statistic in [0.5, 5.0] {
            let evidence = test(statistic);
            assert!((power(&evidence) - expected).abs() < 1e-8, "{evidence:?}");
            let above = (-statistic / 2.0).exp();
            assert!(close(
                p_value(&evidence),
                (2.0 * above).min(2.0 * (1.0 - above))
            ));
            assert!(evidence.passed && evidence.predicted == 2.0 && evidence.measured == statistic);
            let threshold = if statistic > 2.0 {
                high - 2.0
            } else {
                2.0 - low
            };
            assert!(
                (evidence.threshold - threshold).abs() < 1e-6,
                "{evidence:?}"
            );
        }
        assert!(test(0.999 * high).passed && !test(1.001 * high).passed);
        assert!(test(1.1 * low).passed && !test(0.9 * low).passed);
        let test = test(5.0).test;
        assert_eq!((test.alpha, test.samples), (Some(SIZE), Some(7)));
        assert_eq!(test.alternative.as_deref(), Some("wrong"));
    }
    assert!(!statistics::chi_square("", 1.0, 0, 0, &Alternative::new("", 2.0)).passed);
}

#[test]
fn a_shift_is_seen_by_its_component() {
    let high = -2.0 * (SIZE / 2.0).ln();
    let power = |effect: f64| {
        let alternative = Alternative::new("moved", effect);
        let evidence = statistics::chi_square_shift("", 2.0, 2, 3, &alternative);
        assert_eq!(evidence.test.alternative.as_deref(), Some("moved"));
        power(&evidence)
    };
    assert!((power(high) - 0.5).abs() < 1e-8);
    let twice = (high.sqrt() + CRITICAL).powi(2);
    assert!((power(twice) - (1.0 - SIZE / 2.0)).abs() < 1e-8);
}

#[test]
fn a_mean_has_its_size_and_power() {
    let (predicted, error) = (3.0, 0.25);
    let test = |z: f64, effect: f64| {
        let alternative = Alternative::new("moved", effect * error);
        statistics::mean("", predicted + z * error, predicted, error, 9, &alternative)
    };
    for side in [-1.0, 1.0] {
        assert!((p_value(&test(side * CRITICAL, 1.0)) / SIZE - 1.0).abs() < 1e-6);
        assert!(test(0.999 * side * CRITICAL, 1.0).passed);
        assert!(!test(1.001 * side * CRITICAL, 1.0).passed);
        assert!((power(&test(0.0, side * CRITICAL)) - 0.5).abs() < 1e-8);
        let certain = power(&test(0.0, 2.0 * side * CRITICAL));
        assert!((certain - (1.0 - SIZE / 2.0)).abs() < 1e-8);
    }
    let evidence = test(1.0, 0.0);
    assert!((power(&evidence) / SIZE - 1.0).abs() < 1e-6);
    assert!(close(evidence.threshold, CRITICAL * error));
    assert!(close(p_value(&evidence), 0.317_310_507_862_914));
    assert_eq!((evidence.measured, evidence.predicted), (3.25, 3.0));
    let alternative = Alternative::new("", 1.0);
    for unknown in [0.0, f64::NAN] {
        assert!(!statistics::mean("", 3.0, 3.0, unknown, 9, &alternative).passed);
    }
}

/// The Dvoretzky–Kiefer–Wolfowitz inequality, P(D > d) ≤ 2e^(−2nd²).
#[test]
fn uniformity_has_its_size_and_power() {
    let n = 400;
    let even = |from: f64, to: f64| -> Vec<f64> {
        let place = |k: usize| from + (to - from) * (k as f64 + 0.5) / n as f64;
        (0..n).map(place).collect()
    };
    let threshold = ((2.0 / SIZE).ln() / (2.0 * n as f64)).sqrt();
    let test = |values, effect| statistics::uniform("", values, &Alternative::new("far", effect));
    let evidence = test(even(0.0, 1.0), threshold + 0.1);
    assert!((evidence.measured - 0.5 / n as f64).abs() < 1e-12);
    assert!(close(evidence.threshold, threshold) && p_value(&evidence) == 1.0);
    let missed = 2.0 * (-2.0 * n as f64 * 0.01).exp();
    assert!(close(power(&evidence), 1.0 - missed), "{evidence:?}");
    assert_eq!(power(&test(even(0.0, 1.0), 0.9 * threshold)), 0.0);
    for (short, passed) in [(0.9, true), (1.1, false)] {
        let evidence = test(even(short * threshold, 1.0), 0.5);
        assert_eq!(evidence.passed, passed, "{evidence:?}");
        let bound = 2.0 * (-2.0 * n as f64 * evidence.measured.powi(2)).exp();
        assert!(p_value(&evidence) >= (1.0 - 1e-9) * bound, "{evidence:?}");
    }
    assert!(!test(vec![0.5, f64::NAN], 0.5).passed && !test(vec![], 0.5).passed);
}

#[test]
fn summaries_of_samples() {
    let [mean, deviation] = spread(&[1.0, 2.0, 4.0, 5.0]);
    assert!(close(mean, 3.0) && close(deviation, (10.0_f64 / 3.0).sqrt()));
    // ln 2 and ln 8 on the average; variances (0.1)²/4 + (0.2)²/9 and (0.3)²/1 + (0.1)²/25.
    let ones = [(4.0, 0.4, 4.0), (8.0, 2.4, 1.0)];
    let others = [(2.0, 0.4, 9.0), (1.0, 0.1, 25.0)];
    let [ratio, error] = log_ratio(&ones, &others);
    assert!(close(ratio, 2.0 * 2.0_f64.ln()));
    let variance: f64 = 0.01 / 4.0 + 0.04 / 9.0 + 0.09 + 0.01 / 25.0;
    assert!(close(error, variance.sqrt() / 2.0), "{error}");
}

/// Standard errors are predicted: over seeds the deviations in units of them are as large as that, and would not be if they
/// were wrong by a factor 2.
#[test]
fn deviations_are_as_large_as_their_standard_errors() {
    let outcomes: Vec<Vec<Evidence>> = [agreement::CLAIM, lazy::SCALED, not_kernel::CLAIM]
        .into_par_iter()
        .flat_map(|claim| {
            (101_u64..117)
                .into_par_iter()
                .map(move |seed| (claim, seed))
        })
        .map(|(claim, seed)| {
            let context = Context {
                calibrating: true,
                ..Context::new(seed, 1)
            };
            (claim.check)(&context).unwrap().evidence
        })
        .collect();
    let normal = Normal::standard();
    for (comparison, count) in [
        ("mean of |f_φ − f_GF|", 128),
        ("slope of log|f_φ − f_GF|", 64),
        ("scatter of ", 64),
        ("relative change of the mirror kernel", 64),
    ] {
        let tests = outcomes
            .iter()
            .flatten()
            .filter(|one| one.what.contains(comparison));
        let deviations: Vec<f64> = tests
            .map(|one| normal.inverse_cdf(p_value(one) / 2.0))
            .collect();
        assert_eq!(deviations.len(), count, "{comparison}");
        let squares: f64 = deviations.iter().map(|z| z * z).sum();
        let law = ChiSquared::new(count as f64).unwrap();
        let passes = |sum: f64| law.cdf(sum).min(law.sf(sum)) > SIZE / 2.0;
        assert!(passes(squares), "{comparison}: {squares} for {count}");
        assert!(
            !passes(squares / 4.0) && !passes(squares * 4.0),
            "{comparison}: {squares} for {count}"
        );
    }
}

/// A limit of order s takes away what is in h^s; its error is what that was on the finer grid.
#[test]
fn limits_of_any_order_are_extrapolated() {
    for order in [1.0, 2.0, 3.0] {
        let value = |h: f64| [1.0 + h.powf(order), -2.0 * h.powf(order)];
        let limit = Limit::of(&value(1.0), &value(0.5), 2.0, order);
        assert_eq!(limit.values, [1.0, 0.0]);
        assert_eq!(limit.error, 2.0 * 0.5_f64.powf(order));
    }
}

/// Peaks between two places of the grid and at the ends, of either sign; of two the higher, though it is lower on the grid.
#[test]
fn the_largest_distance_is_where_it_is() {
    for edge in [0.5_f64, 3.0] {
        let cell = edge / 300.0;
        // Two cells after 30 sections of 0.618…
        let off = 2.0 * cell * 0.618_034_f64.powi(30);
        for share in [-1.0, -0.9987, -0.5004, 0.0, 0.333_21, 0.7503, 1.0] {
            let top = share * edge;
            for sign in [1.0, -1.0] {
                let tent = |x: f64| {
                    assert!(x.abs() <= edge, "{x} is beyond {edge}");
                    sign * (2.0 * edge - (x - top).abs())
                };
                let (place, height) = distance::located(tent, edge);
                assert!((place - top).abs() <= off, "{place} for {top} of {edge}");
                assert!((0.0..=off).contains(&(2.0 * edge - height)), "{height}");
                assert_eq!(distance::sup(tent, edge), height);
            }
        }
        // A steep peak beside one place of the grid, and a flat one whose neighbours are higher than the steep one's other.
        for beside in [119.7, 120.3] {
            let (steep, flat) = (beside * cell, -60.0 * cell);
            let two = |x: f64| {
                let [one, other] = [(x - steep).abs() / cell, (x - flat).abs() / cell];
                (1.25 - one).max(1.0 - other / 10.0).max(0.0)
            };
            let (place, height) = distance::located(two, edge);
            assert!((place - steep).abs() <= off && 1.25 - height <= off / cell);
        }
    }
}
