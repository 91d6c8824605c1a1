//! The claims on what scaled potentials change.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod strategies;
mod verdict;

mod non_rkhs {
    use super::{strategies, verdict};
    use mirrorflow::{
        claims::{Context, regime::CLAIM},
        evidence::certificate,
        setting::{Activation, BiasDensity, Dataset, Scaling, Setting},
        solver::infinite_width::{self, Solution},
    };
    use proptest::prelude::*;

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// What each twin gets wrong is rejected, what it shares with the theory is not.
    #[test]
    fn each_twin_is_rejected_for_its_own_reason() {
        let findings = (CLAIM.check)(&Context { seed: 1, effort: 1 }).unwrap();
        let wrong = |twin: usize| -> Vec<bool> {
            let evidence = findings.controls[twin].iter();
            evidence.map(|one| !one.passed).collect()
        };
        // Six potentials on figure 2 and on random data, two cone programs, the networks.
        let scaled = [true, true, true, true, false, false];
        let linear = [&scaled[..], &scaled, &[true; 3]].concat();
        assert_eq!(wrong(0), linear);
        let quadratic = [false, false, false, false, true, true];
        assert_eq!(wrong(1), [&quadratic[..], &quadratic, &[false; 3]].concat());
        let unscaled = [false, false, false, false, false, true];
        assert_eq!(wrong(2), [&unscaled[..], &unscaled, &[false; 3]].concat());
        assert_eq!(wrong(3), [&[false; 12][..], &[true, true, false]].concat());
    }

    fn solve(potential: &str, bias: BiasDensity, dataset: Dataset) -> Solution {
        let setting = Setting {
            dataset,
            activation: Activation::Abs,
            bias,
            potential: potential.parse().unwrap(),
            scaling: Scaling::Scaled,
        };
        infinite_width::minimize(&setting).unwrap()
    }

    /// sup |h̄\[2y\] − 2h̄\[y\]| at some places, and the certified errors.
    fn doubling(potential: &str, bias: BiasDensity, dataset: &Dataset) -> (f64, f64) {
        let twice = dataset.y().iter().map(|y| 2.0 * y).collect();
        let twice = solve(potential, bias, dataset.with_values(twice).unwrap());
        let once = solve(potential, bias, dataset.clone());
        let edge = 1.5 * dataset.largest_input();
        let defect = (-30..=30)
            .map(|k| edge * f64::from(k) / 30.0)
            .map(|x| (twice.value(x) - 2.0 * once.value(x)).abs())
            .fold(0.0, f64::max);
        let [two, one] = [&twice, &once].map(|one| certificate::certify(one).sup_error_bound);
        (defect, two + 2.0 * one)
    }

    /// Doubled data are the simplest superposition; where α is small, any φ is quadratic.
    #[test]
    fn doubling_the_data_doubles_the_function_for_none_but_quadratic_potentials() {
        let uniform = || "uniform:1".parse().unwrap();
        for potential in ["power:3,1", "power:4,1", "hypentropy:1"] {
            let (defect, errors) = doubling(potential, uniform(), &Dataset::figure2());
            assert!(defect > 1e6 * errors, "{potential}: {defect:e}, {errors:e}");
        }
        let faint: Vec<f64> = Dataset::figure2().y().iter().map(|y| 1e-12 * y).collect();
        let faint = Dataset::figure2().with_values(faint).unwrap();
        let (defect, _) = doubling("power:4,1", uniform(), &faint);
        assert!(defect < 1e-12 * 1e-12, "{defect:e}");
    }

    proptest! {
        #![proptest_config(strategies::config(64))]

        /// Under a quadratic potential doubled data have the doubled minimiser, whatever data and density.
        #[test]
        fn quadratic_potentials_map_linearly((bias, dataset) in strategies::problem(strategies::INSIDE)) {
            let (defect, errors) = doubling("quadratic", bias, &dataset);
            prop_assert!(defect <= errors, "{defect:e} > {errors:e}");
        }
    }
}
