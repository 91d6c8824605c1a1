//! The claims beyond the paper.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod strategies;
mod verdict;

mod relu_scaled {
    use super::{strategies, verdict};
    use mirrorflow::{
        claims::{Context, minimizer::relu_scaled::CLAIM},
        evidence::certificate,
        setting::{Activation, Dataset, Scaling, Setting},
        solver::{dual::Sheet, infinite_width},
    };
    use proptest::prelude::*;

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// Cone programs reject each twin for both potentials, and networks all but the near miss.
    #[test]
    fn each_twin_is_rejected() {
        let findings = (CLAIM.check)(&Context::new(1, 1)).unwrap();
        for (twin, controls) in findings.controls.iter().enumerate() {
            assert!(controls[..2].iter().all(|one| !one.passed), "twin {twin}");
            let networks = controls[2..].iter().filter(|one| !one.passed).count();
            assert!(networks == 4 || twin == 3, "twin {twin}");
        }
    }

    /// The twins that the dual can solve are what they say: as far from the theory as their minimisers are.
    #[test]
    fn twins_are_the_same_by_both_routes() {
        let findings = (CLAIM.check)(&Context::new(0, 1)).unwrap();
        let solve = |potential: &str| {
            let setting = Setting {
                dataset: Dataset::figure1(),
                activation: Activation::Relu,
                bias: "uniform:1".parse().unwrap(),
                potential: potential.parse().unwrap(),
                scaling: Scaling::Scaled,
            };
            infinite_width::minimize(&setting).unwrap()
        };
        for (case, own, omega_two) in [(0, "power:3,1", "power:3,2"), (1, "power:4,1", "power:4,2")]
        {
            for (twin, potential) in [(2, "quadratic"), (3, omega_two)] {
                let (own, other) = (solve(own), solve(potential));
                let apart = |x: f64| (own.value(x) - other.value(x)).abs();
                let distances = [-1.3, -0.6, 0.1, 0.6, 1.2].map(apart);
                let distance = distances.into_iter().fold(0.0, f64::max);
                let conic = &findings.controls[twin][case];
                assert!(conic.what.contains("|dual − cone"), "{}", conic.what);
                assert!(
                    (conic.measured - distance).abs() <= conic.threshold,
                    "{distance:e} {conic:?}"
                );
                assert!(conic.threshold < distance, "{distance:e} {conic:?}");
            }
        }
    }

    /// The cost and three values of an independent computation (13 digits).
    #[test]
    fn figure_1_has_the_reference_values() {
        let setting = Setting {
            dataset: Dataset::figure1(),
            activation: Activation::Relu,
            bias: "uniform:1".parse().unwrap(),
            potential: "power:3,1".parse().unwrap(),
            scaling: Scaling::Scaled,
        };
        let solution = infinite_width::minimize(&setting).unwrap();
        let bound = certificate::certify(&solution).sup_error_bound + 1e-13;
        assert!((solution.cost() - 2_856.832_811_394).abs() < 1e-9);
        for (x, value) in [
            (0.1, 0.060_551_970_029_1),
            (-0.6, -0.474_325_960_392_8),
            (1.5, 0.243_172_346_313_7),
        ] {
            assert!((solution.value(x) - value).abs() < bound, "x = {x}");
        }
    }

    proptest! {
        #![proptest_config(strategies::config(48))]

        /// φ'(α⁺ + α⁻) − φ'(α⁺ − α⁻) is affine in the knot: the infimal convolution's condition.
        #[test]
        fn the_odd_part_has_affine_multipliers(
            bias in strategies::even_density(),
            dataset in strategies::dataset(1.0, strategies::INSIDE),
            four in any::<bool>(),
        ) {
            let scale = strategies::scale(&bias);
            let x: Vec<f64> = dataset.x().iter().map(|x| x * scale).collect();
            let size = dataset.largest_value().max(1.0);
            let y: Vec<f64> = dataset.y().iter().map(|y| y / size).collect();
            let setting = Setting {
                dataset: Dataset::from_points(&x, &y).unwrap(),
                activation: Activation::Relu,
                bias,
                potential: if four { "power:4,1" } else { "power:3,1" }.parse().unwrap(),
                scaling: Scaling::Scaled,
            };
            let Ok(solution) = infinite_width::minimize(&setting) else {
                return Ok(());
            };
            let dual = |sheet: Sheet, c: f64| {
                setting.potential.mirror_map(solution.alpha(sheet, c))
            };
            let odd = |c: f64| dual(Sheet::Plus, c) - dual(Sheet::Minus, c);
            let places = [-0.9, -0.3, 0.2, 0.7].map(|t| t * scale);
            let terms = places.map(|c| dual(Sheet::Plus, c).abs() + dual(Sheet::Minus, c).abs());
            let largest = terms.into_iter().fold(0.0, f64::max);
            let slope = (odd(places[3]) - odd(places[0])) / (places[3] - places[0]);
            for c in places {
                let line = odd(places[0]) + slope * (c - places[0]);
                prop_assert!((odd(c) - line).abs() <= 1e-8 * largest, "{} {line}", odd(c));
            }
        }
    }
}

mod uneven_density {
    use super::{strategies, verdict};
    use mirrorflow::{
        claims::{Context, minimizer::uneven::CLAIM},
        evidence::{Evidence, Kind, certificate},
        setting::{Activation, BiasDensity, Scaling, Setting},
        solver::infinite_width,
    };
    use proptest::prelude::*;

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// Rational arithmetic alone rejects each twin: the wrong formulas for ReLU, the wrong density for |·|.
    #[test]
    fn each_twin_is_off_in_rationals() {
        let findings = (CLAIM.check)(&Context::new(3, 1)).unwrap();
        let exact = |evidence: &[Evidence]| -> Vec<bool> {
            let exact = evidence.iter().filter(|one| one.kind == Kind::Exact);
            exact.map(|one| one.passed).collect()
        };
        assert_eq!(exact(&findings.evidence), [true; 6]);
        let relu = [true, true, false, true, true, true];
        let abs = [true, true, true, true, true, false];
        let twins: Vec<_> = findings.controls.iter().map(|twin| exact(twin)).collect();
        assert_eq!(twins, [relu, relu, abs]);
    }

    proptest! {
        #![proptest_config(strategies::config(48))]

        /// For |·| a density and its mirror image, which have one even part, give one function.
        #[test]
        fn mirrored_densities_give_one_function(
            dataset in strategies::dataset(1.0, strategies::INSIDE),
            eighths in 1..=8i32,
        ) {
            let mode = f64::from(eighths) / 8.0;
            let [one, other] = [mode, -mode].map(|mode| {
                infinite_width::minimize(&Setting {
                    dataset: dataset.clone(),
                    activation: Activation::Abs,
                    bias: BiasDensity::triangular(1.0, mode).unwrap(),
                    potential: "power:3,1".parse().unwrap(),
                    scaling: Scaling::Scaled,
                })
            });
            let (Ok(one), Ok(other)) = (one, other) else {
                return Ok(());
            };
            let bounds = [&one, &other].map(|one| certificate::certify(one).sup_error_bound);
            prop_assume!(bounds[0].is_finite() && bounds[1].is_finite());
            for k in -15..=15 {
                let x = f64::from(k) / 10.0;
                let distance = (one.value(x) - other.value(x)).abs();
                prop_assert!(distance <= bounds[0] + bounds[1], "{x}: {distance:e} {bounds:?}");
            }
        }
    }
}

mod uncentred_potential {
    use super::verdict;
    use mirrorflow::{
        claims::{Context, dynamics::uncentred::CLAIM},
        setting::{Activation, Dataset, Network, OutputInit, Scaling, Setting},
        solver::mirror_flow::{self, Options},
    };

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// From zero output each trial rejects that nothing changes, and that it changes at first order.
    #[test]
    fn each_trial_from_zero_output_sees_the_difference() {
        let findings = (CLAIM.check)(&Context::new(1, 1)).unwrap();
        for twin in &findings.controls[..2] {
            assert!(twin[..3].iter().all(|one| !one.passed));
        }
    }

    /// Where φ'' is constant it does not matter where Φ is centred.
    #[test]
    fn a_quadratic_potential_has_no_centre() {
        let setting = Setting {
            dataset: Dataset::figure2(),
            activation: Activation::Abs,
            bias: "uniform:1".parse().unwrap(),
            potential: "quadratic".parse().unwrap(),
            scaling: Scaling::Unscaled,
        };
        let initial = Network::sample(&setting.bias, OutputInit::Zero, 100, 2);
        let [one, other] = [false, true].map(|uncentred| {
            let options = Options {
                uncentred,
                ..Options::default()
            };
            mirror_flow::train(&setting, &initial, &options, &mut |_| {})
                .unwrap()
                .network
        });
        for k in -15..=15 {
            let x = f64::from(k) / 10.0;
            let [a, b] = [&one, &other].map(|network| network.output(Activation::Abs, x));
            assert!((a - b).abs() < 1e-9, "x = {x}: {a} {b}");
        }
    }
}

mod hypentropy_diagonal {
    use super::verdict;
    use mirrorflow::{claims::Context, claims::dynamics::diagonal::CLAIM};

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// Clock and parameter are seen on each path, the ends by either side of the scale.
    #[test]
    fn each_twin_is_rejected_for_its_own_reason() {
        let findings = (CLAIM.check)(&Context::new(1, 1)).unwrap();
        let wrong = |twin: usize| -> Vec<usize> {
            let evidence = findings.controls[twin].iter().enumerate();
            let wrong = evidence.filter(|(_, one)| !one.passed);
            wrong.map(|(place, _)| place).collect()
        };
        // Four paths at three times, then a limit and three parameters for each of two problems.
        for twin in [0, 1] {
            assert_eq!(wrong(twin), (0..12).collect::<Vec<_>>());
        }
        assert!(wrong(2).iter().all(|&place| place >= 12));
        assert!(
            [12, 15, 16, 19]
                .iter()
                .all(|place| wrong(2).contains(place))
        );
    }
}

mod notebook_audit {
    use super::verdict;
    use mirrorflow::claims::{Context, notebook_audit::CLAIM};

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// Each twin changes what it speaks of and nothing else.
    #[test]
    fn each_twin_is_rejected_for_its_own_reason() {
        let findings = (CLAIM.check)(&Context::new(1, 1)).unwrap();
        assert!(findings.evidence.iter().all(|one| one.passed));
        let reasons = [
            ["ω = 1 to", "peak"],
            ["ω = 2.05 to", "ω = 2.05 to"],
            ["501 points", "501 points"],
            ["what a stop leaves", "what a stop leaves"],
            ["f_uncentred", "f_uncentred"],
            ["explicit steps", "explicit steps"],
            [
                "density estimate over density",
                "density estimate over density",
            ],
        ];
        for (controls, words) in findings.controls.iter().zip(reasons) {
            let rejected: Vec<&str> = controls
                .iter()
                .filter(|one| !one.passed)
                .map(|one| one.what.as_str())
                .collect();
            for word in words {
                assert!(rejected.iter().any(|what| what.contains(word)), "{word}");
            }
            let own = |what: &&str| words.iter().any(|word| what.contains(word));
            assert!(rejected.iter().all(own), "{rejected:?}");
        }
    }
}

mod sharp_hypotheses {
    use super::verdict;
    use mirrorflow::claims::{Context, sharp_hypotheses::CLAIM};

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// A twin disagrees with the instance that it speaks of, and with no other.
    #[test]
    fn each_twin_is_rejected_by_its_own_instance() {
        let findings = (CLAIM.check)(&Context::new(1, 1)).unwrap();
        assert!(findings.evidence.iter().all(|one| one.passed));
        let instances = [
            "|z|⁴, figure 1",
            "limit of the projection, and that under |z|^1.5",
            "power of 1/n",
            "start of size",
            "b = w|u|",
            "16 atoms",
            "limit of d",
            "A = 1/16",
        ];
        for (controls, instance) in findings.controls.iter().zip(instances) {
            let rejected: Vec<&str> = controls
                .iter()
                .filter(|one| !one.passed)
                .map(|one| one.what.as_str())
                .collect();
            assert!(
                rejected.len() == 1 && rejected[0].contains(instance),
                "{instance}: {rejected:?}"
            );
        }
    }
}
