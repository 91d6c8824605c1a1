//! The claims on the minimisers and on the shape of their curvature.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod strategies;
mod verdict;

mod relu_minimizer {
    use super::verdict;
    use mirrorflow::claims::{Context, minimizer::relu::CLAIM};

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    #[test]
    fn networks_show_that_the_natural_spline_is_wrong() {
        let findings = (CLAIM.check)(&Context { seed: 1, effort: 1 }).unwrap();
        let spline = &findings.controls[0];
        let mut tests = spline
            .iter()
            .filter(|evidence| evidence.what.contains("χ²"));
        assert!(tests.clone().count() == 3 && tests.all(|evidence| !evidence.passed));
    }
}

mod abs_minimizer {
    use super::verdict;
    use mirrorflow::{
        claims::{Context, minimizer::abs::CLAIM},
        evidence::{Kind, fluctuation, statistics::SIZE},
        setting::{Activation, Dataset, Potential, Scaling, Setting},
        solver::infinite_width,
    };
    use ndarray::Array1;
    use ndarray_linalg::Inverse;
    use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// From how many neurons on, all networks together, ω = 2 is told from ω = 1 by the mean of
    /// √n (f_n − h̄): with probability 0.9, at size 10⁻⁵, at four points of figure 2.
    #[test]
    fn omega_two_takes_this_many_neurons() {
        let neurons = [(3, 1.6e5..1.75e5), (4, 2.2e6..2.5e6)].map(|(exponent, range)| {
            let solve = |omega: u32| {
                let setting = Setting {
                    dataset: Dataset::figure2(),
                    activation: Activation::Abs,
                    bias: "uniform:1".parse().unwrap(),
                    potential: Potential::power(f64::from(exponent), f64::from(omega)).unwrap(),
                    scaling: Scaling::Scaled,
                };
                infinite_width::minimize(&setting).unwrap()
            };
            let (h, twin) = (solve(1), solve(2));
            let points = [-0.6, 0.1, 0.5, 0.8];
            let distance = Array1::from(points.map(|x| twin.value(x) - h.value(x)).to_vec());
            let covariance = fluctuation::covariance(&h, &points).unwrap();
            let squared = distance.dot(&covariance.inv().unwrap().dot(&distance));
            // χ² with 4 degrees of freedom beyond its quantile, and the shift's own scatter.
            let critical = ChiSquared::new(4.0).unwrap().inverse_cdf(1.0 - SIZE / 2.0);
            let shift = critical.sqrt() + Normal::standard().inverse_cdf(0.9);
            (shift * shift / squared, range)
        });
        for (count, range) in neurons {
            assert!(range.contains(&count), "{count}");
        }
    }

    /// Where the penalty is quadratic, neither a factor in its argument nor ω changes the minimiser:
    /// the twins must agree with the theory there, or they were rejected for the wrong reason.
    #[test]
    fn twins_that_do_not_matter_for_quadratic_penalties_pass_there() {
        let findings = (CLAIM.check)(&Context { seed: 2, effort: 1 }).unwrap();
        for twin in &findings.controls[..3] {
            for evidence in twin {
                let quadratic = ["unscaled power:4,1", "scaled quadratic"];
                let quadratic = quadratic.iter().any(|name| evidence.what.contains(name));
                if quadratic && evidence.kind != Kind::Statistical {
                    assert!(evidence.passed, "{evidence:?}");
                }
            }
        }
    }
}

mod curvature_shape {
    use super::{strategies, verdict};
    use mirrorflow::{
        claims::minimizer::shape::CLAIM,
        setting::{Activation, Potential, Scaling, Setting},
        solver::infinite_width,
    };
    use proptest::prelude::*;

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    proptest! {
        #![proptest_config(strategies::config(128))]

        /// Between neighbouring data φ'(h''/(2p_B)) at the middle is the mean of its values at
        /// equal distances from it, up to the round-off of α and of φ' (16 operations, times the
        /// condition number of φ', at most p − 1) and of the three places themselves.
        #[test]
        fn curvature_is_linear_between_data(
            (bias, dataset) in strategies::problem(strategies::INSIDE),
            exponent in 2..=5,
        ) {
            let potential = Potential::power(f64::from(exponent), 1.0).unwrap();
            let (activation, scaling) = (Activation::Abs, Scaling::Scaled);
            let setting = Setting { dataset, activation, bias, potential, scaling };
            let Ok(h) = infinite_width::minimize(&setting) else { return Ok(()) };
            let density = |c: f64| (bias.density(c) + bias.density(-c)) / 2.0;
            let dual = |c: f64| potential.mirror_map(h.second_derivative(c) / (2.0 * density(c)));
            for ends in setting.dataset.x().windows(2) {
                let [a, b, c] = [0.25, 0.5, 0.75].map(|s| ends[0] + s * (ends[1] - ends[0]));
                let jumps = bias.breakpoints();
                if [a, b, c].iter().any(|c| density(*c) == 0.0 || jumps.contains(c)) {
                    continue;
                }
                let at_data = ends.iter().map(|&x| h.dual_function(
                    mirrorflow::solver::dual::Sheet::Both, x
                ).abs());
                let size = at_data.fold(0.0, f64::max);
                let places = 1.0 + ends[0].abs().max(ends[1].abs()) / (ends[1] - ends[0]);
                let error = 16.0 * f64::from(exponent) * f64::EPSILON * size * places;
                let (middle, mean) = (dual(b), (dual(a) + dual(c)) / 2.0);
                prop_assert!((middle - mean).abs() <= error, "{middle} {mean} {error:e}");
            }
        }
    }
}

mod random_output {
    use super::verdict;
    use mirrorflow::{
        claims::{Context, random_output::CLAIM},
        setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Scaling, Setting},
        solver::bregman_projection,
    };

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// The networks of each of three settings reject each twin.
    #[test]
    fn each_twin_is_rejected_by_networks() {
        let findings = (CLAIM.check)(&Context { seed: 1, effort: 1 }).unwrap();
        for twin in &findings.controls {
            let tests = twin.iter().filter(|one| one.what.contains("χ²"));
            assert_eq!(tests.filter(|one| !one.passed).count(), 3);
        }
    }

    /// A projection from random output is the one from zero output of what is left to be explained.
    #[test]
    fn the_initial_function_is_added_back() {
        let bias = BiasDensity::uniform(1.0).unwrap();
        let setting = Setting {
            dataset: Dataset::figure2(),
            activation: Activation::Abs,
            bias,
            potential: "power:3,1".parse().unwrap(),
            scaling: Scaling::Scaled,
        };
        let output = "random:0.5,0.25".parse().unwrap();
        let start = Network::sample(&bias, output, 500, 3);
        let zero = Network::sample(&bias, OutputInit::Zero, 500, 3);
        let at = |network: &Network, x: f64| network.output(Activation::Abs, x);
        let data = &setting.dataset;
        let left = data
            .x()
            .iter()
            .zip(data.y())
            .map(|(&x, y)| y - at(&start, x));
        let target = Setting {
            dataset: data.with_values(left.collect()).unwrap(),
            ..setting.clone()
        };
        let trained = bregman_projection::project(&setting, &start)
            .unwrap()
            .network;
        let answer = bregman_projection::project(&target, &zero).unwrap().network;
        for k in -12..=12 {
            let x = f64::from(k) / 8.0;
            let sum = at(&start, x) + at(&answer, x);
            assert!((at(&trained, x) - sum).abs() < 1e-10, "x = {x}");
        }
    }
}
