//! The claims on the minimisers and on the shape of their curvature.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod strategies;
mod verdict;

mod relu_minimizer {
    use super::verdict;
    use mirrorflow::{
        claims::{Context, minimizer::relu::CLAIM},
        setting::{Activation, Dataset, Potential, Scaling, Setting},
        solver::{infinite_width, spline::RepresentationCost},
    };
    use num_rational::BigRational;
    use num_traits::ToPrimitive;

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    #[test]
    fn networks_show_that_the_natural_spline_is_wrong() {
        let findings = (CLAIM.check)(&Context::new(1, 1)).unwrap();
        let spline = &findings.controls[0];
        let mut tests = spline
            .iter()
            .filter(|evidence| evidence.what.contains("χ²"));
        assert!(tests.clone().count() == 3 && tests.all(|evidence| !evidence.passed));
    }

    /// A twin is what it says by both routes: on figure 1 cone program and rationals are as far from the theory as the twin's
    /// minimiser is.
    #[test]
    fn twins_are_the_same_by_both_routes() {
        let findings = (CLAIM.check)(&Context::new(0, 1)).unwrap();
        let setting = Setting {
            dataset: Dataset::figure1(),
            activation: Activation::Relu,
            bias: "uniform:1".parse().unwrap(),
            potential: Potential::quadratic(),
            scaling: Scaling::Unscaled,
        };
        let theory = infinite_width::minimize(&setting).unwrap();
        let exact = |v: f64| BigRational::from_float(v).unwrap();
        let (x, edge) = (setting.dataset.x(), setting.dataset.largest_input());
        let between = x.windows(2).map(|x| (x[0] + x[1]) / 2.0);
        let middles: Vec<f64> = between.chain([-1.25 * edge, 1.25 * edge]).collect();
        let grid = (0..=60).map(|i| 1.5 * edge * (f64::from(i) / 30.0 - 1.0));
        let grid: Vec<f64> = grid.collect();
        let [xs, ys] =
            [x, setting.dataset.y()].map(|v| v.iter().map(|&v| exact(v)).collect::<Vec<_>>());
        // Factors on the weights of G₂ and G₃; even data have no slopes to be dropped.
        for (twin, slopes, offset, differs) in [
            (0, (0, 1), (0, 1), true),
            (1, (0, 1), (1, 1), false),
            (2, (1, 1), (10, 11), true),
            (3, (2, 1), (2, 1), true),
        ] {
            let ratio = |(p, q): (i32, i32)| BigRational::new(p.into(), q.into());
            let mut cost = RepresentationCost::relu(exact(1.0));
            cost.slopes_weight *= ratio(slopes);
            cost.offset_weight *= ratio(offset);
            let h = cost.minimizer(&xs, &ys).unwrap().function;
            for (route, points) in [("|dual − cone", &middles), ("|dual − exact", &grid)] {
                let distance = points.iter().fold(0.0_f64, |distance, &x| {
                    let apart = theory.value(x) - h.value(&exact(x)).to_f64().unwrap();
                    distance.max(apart.abs())
                });
                let start = format!("figure 1: {route}");
                let mut evidence = findings.controls[twin].iter();
                let evidence = evidence.find(|one| one.what.starts_with(&start)).unwrap();
                assert!(
                    (evidence.measured - distance).abs() <= evidence.threshold,
                    "{twin}: {distance:e} {evidence:?}"
                );
                assert_eq!(evidence.threshold < 0.1 * distance, differs, "{evidence:?}");
            }
        }
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

    /// A twin's cone program is what it says: it is as far from the theory as the dual's minimiser under the twin's penalty.
    #[test]
    fn twins_are_the_same_by_both_routes() {
        let findings = (CLAIM.check)(&Context::new(0, 1)).unwrap();
        let solve = |potential: Potential| {
            let setting = Setting {
                dataset: Dataset::figure2(),
                activation: Activation::Abs,
                bias: "uniform:1".parse().unwrap(),
                potential,
                scaling: Scaling::Scaled,
            };
            infinite_width::minimize(&setting).unwrap()
        };
        for exponent in [3, 4] {
            let potential = |omega| Potential::power(f64::from(exponent), omega).unwrap();
            let own = solve(potential(1.0));
            let twins = [
                potential(1.0).rescaled(0.5),
                Potential::quadratic(),
                potential(2.0),
            ];
            for (twin, evidence) in twins.map(solve).iter().zip(&findings.controls) {
                let apart = |x: f64| (own.value(x) - twin.value(x)).abs();
                let distance = [-0.6, 0.1, 0.5, 0.8]
                    .map(apart)
                    .into_iter()
                    .fold(0.0, f64::max);
                let name = format!("figure 2, scaled power:{exponent},1: |dual − cone");
                let mut evidence = evidence.iter();
                let conic = evidence.find(|one| one.what.starts_with(&name)).unwrap();
                assert!(
                    (conic.measured - distance).abs() <= conic.threshold,
                    "{distance:e} {conic:?}"
                );
                assert!(conic.threshold < 0.1 * distance, "{distance:e} {conic:?}");
            }
        }
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
        let findings = (CLAIM.check)(&Context::new(2, 1)).unwrap();
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
        let findings = (CLAIM.check)(&Context::new(1, 1)).unwrap();
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

mod prior_results {
    use super::{strategies, verdict};
    use mirrorflow::{
        claims::{Context, minimizer::prior::CLAIM},
        evidence::{Evidence, distance},
        setting::{Activation, Potential, Scaling, Setting},
        solver::{
            infinite_width,
            spline::{PiecewisePolynomial, RepresentationCost},
        },
    };
    use ndarray::{Array1, Array2};
    use ndarray_linalg::Solve;
    use num_rational::BigRational;
    use num_traits::ToPrimitive;
    use proptest::prelude::*;
    use std::f64::consts::PI;

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// Each twin fails the comparisons that are about its point, and no other.
    #[test]
    fn each_twin_is_rejected_for_its_own_reason() {
        let findings = (CLAIM.check)(&Context::new(1, 1)).unwrap();
        assert!(findings.evidence.iter().all(|one| one.passed));
        let failed = |k: usize, words: &str| -> Vec<bool> {
            let twin: &Vec<Evidence> = &findings.controls[k];
            let about = twin.iter().filter(|one| one.what.contains(words));
            about.map(|one| !one.passed).collect()
        };
        let total = |k: usize| {
            findings.controls[k]
                .iter()
                .filter(|one| !one.passed)
                .count()
        };
        let [adjusted, sides] = ["s − ux − v", "Σλ_i"];
        // One exact difference, four duals, of which one has u = 0.
        assert_eq!(failed(0, adjusted), [true, false, true, true, true]);
        assert_eq!((failed(0, sides), total(0)), (vec![true], 5));
        assert_eq!(failed(1, adjusted), [true; 5]);
        assert_eq!((failed(1, sides), total(1)), (vec![true], 6));
        for words in ["h̄[y] and the minimiser", "h̄[y] and s", "E α² and"] {
            assert_eq!(failed(2, words), [true], "{words}");
        }
        assert_eq!(total(2), 3);
        assert_eq!((failed(3, "1/n and h̄"), total(3)), (vec![true; 4], 4));
        assert_eq!((failed(4, "skip connections"), total(4)), (vec![true], 2));
        assert_eq!(failed(4, "the same and"), [true]);
        for k in [5, 6] {
            assert_eq!(failed(k, "second differences"), [true; 4]);
            assert_eq!(failed(k, "1/n"), [false; 8]);
            assert_eq!(failed(k, "dual"), [false; 4]);
        }
    }

    fn q(numerator: i64, denominator: i64) -> BigRational {
        BigRational::new(numerator.into(), denominator.into())
    }

    /// ∫h''²/p_B + S²/slopes + Q²/offset on [−1, 1]; 0 drops both.
    fn cost(rate: Option<BigRational>) -> RepresentationCost<BigRational> {
        let relu = RepresentationCost::relu(q(1, 1));
        let weight = |second_moment: BigRational| match &rate {
            Some(rate) => (second_moment + q(4, 1) * rate).recip(),
            None => q(0, 1),
        };
        RepresentationCost {
            slopes_weight: weight(q(1, 1)),
            offset_weight: weight(q(1, 3)),
            ..relu
        }
    }

    fn through_figure1(rate: Option<BigRational>, shift: BigRational) -> PiecewisePolynomial<f64> {
        let x = [-5, -1, 0, 1, 5].map(|k| q(k, 5));
        let y = [-3, -3, 3, -3, -3].map(|k| q(k, 20) + &shift);
        let cost = cost(rate);
        let h = cost.minimizer(&x, &y).unwrap().function;
        // The same cubics in floating point, between −3 and 3.
        let breakpoints = h.breakpoints().iter().map(|t| t.to_f64().unwrap());
        let breakpoints: Vec<f64> = breakpoints.collect();
        let mut ends = vec![-3.0];
        ends.extend(&breakpoints);
        ends.push(3.0);
        let pieces = ends.windows(2).map(|ends| {
            let at = |t: f64| {
                h.value(&BigRational::from_float(t).unwrap())
                    .to_f64()
                    .unwrap()
            };
            let places = [0.1, 0.3, 0.6, 0.9].map(|s| ends[0] + s * (ends[1] - ends[0]));
            let matrix = Array2::from_shape_fn((4, 4), |(i, k)| places[i].powi(k as i32));
            let values = Array1::from(places.map(at).to_vec());
            matrix.solve_into(values).unwrap().to_vec()
        });
        let pieces = pieces.collect();
        PiecewisePolynomial::new(breakpoints, pieces).unwrap()
    }

    fn farthest(one: &PiecewisePolynomial<f64>, other: &PiecewisePolynomial<f64>) -> f64 {
        distance::sup(|x| one.value(&x) - other.value(&x), 1.5)
    }

    /// sup|h̄ − s| = (6/31)|v + shift| with v = −417/380.
    #[test]
    fn the_distance_from_the_spline_under_shifts() {
        for (halves, reference) in [
            (0, 0.212_394),
            (5, 0.271_477),
            (2, 0.018_846),
            (-1, 0.309_168),
            (-4, 0.599_491),
            (-7, 0.889_813),
        ] {
            let shift = q(halves, 2);
            let h = through_figure1(Some(q(0, 1)), shift.clone());
            let gap = farthest(&h, &through_figure1(None, shift.clone()));
            let law = (q(6, 31) * (shift - q(417, 380))).to_f64().unwrap().abs();
            assert!((gap - reference).abs() < 5e-7, "{gap}");
            assert!((gap - law).abs() < 1e-10, "{gap} {law}");
        }
    }

    /// (6/31)(417/380)/(1 + 228ρ/31): a rate of η₀ leaves an eighth of the distance.
    #[test]
    fn the_distance_from_the_spline_with_skip_connections() {
        let spline = through_figure1(None, q(0, 1));
        for (rho, reference) in [
            (q(1, 100), 0.197_843),
            (q(1, 1), 0.025_421_7),
            (q(100, 1), 2.883_89e-4),
            (q(10_000, 1), 2.887_77e-6),
        ] {
            let gap = farthest(&through_figure1(Some(rho.clone()), q(0, 1)), &spline);
            let law = q(6, 31) * q(417, 380) / (q(1, 1) + q(228, 31) * rho);
            assert!((gap / reference - 1.0).abs() < 3e-6, "{gap}");
            assert!((gap - law.to_f64().unwrap()).abs() < 1e-10, "{gap}");
        }
    }

    #[test]
    fn figure_1_has_this_adjustment() {
        let x = [-5, -1, 0, 1, 5].map(|k| q(k, 5));
        let y = [-3, -3, 3, -3, -3].map(|k| q(k, 20));
        let natural = cost(None);
        let s = natural.minimizer(&x, &y).unwrap().function;
        let (slopes, offset) = natural.side_functionals(&s);
        assert_eq!((slopes, -offset / q(2, 1)), (q(0, 1), q(-417, 380)));
        assert_eq!(natural.terms(&s).unwrap().total(), q(3780, 19));
        let adjusted = y.map(|y| y + q(417, 380));
        let relu = RepresentationCost::relu(q(1, 1));
        let h = relu.minimizer(&x, &adjusted).unwrap().function;
        let terms = relu.terms(&h).unwrap();
        assert_eq!((terms.slopes, terms.offset), (q(0, 1), q(0, 1)));
        assert_eq!(terms.curvature, q(3780, 19));
    }

    /// 2n neurons on both sheets, b at the quantiles (k + ½)/n of U(−1, 1).
    fn stratified(n: u32) -> Vec<(f64, f64)> {
        let sheets = |k| [1.0, -1.0].map(|w| (w, (2.0 * f64::from(k) + 1.0) / f64::from(n) - 1.0));
        (0..n).flat_map(sheets).collect()
    }

    fn feature((w, b): (f64, f64), x: f64) -> f64 {
        (w * x - b).max(0.0)
    }

    /// Σλ_i k(x_i, t), k = K + ρ(1 + xx') with the neurons' K, and tr k.
    fn interpolant(
        neurons: &[(f64, f64)],
        rho: f64,
        x: &[f64],
        y: &[f64],
        t: &[f64],
    ) -> (Vec<f64>, f64) {
        let kernel = |s: f64, t: f64| {
            let products = neurons.iter().map(|&k| feature(k, s) * feature(k, t));
            products.sum::<f64>() / neurons.len() as f64 + rho * (1.0 + s * t)
        };
        let matrix = Array2::from_shape_fn((x.len(), x.len()), |(i, j)| kernel(x[i], x[j]));
        let trace = matrix.diag().sum();
        let lambda = matrix.solve_into(Array1::from(y.to_vec())).unwrap();
        let value = |&t: &f64| x.iter().zip(&lambda).map(|(x, l)| l * kernel(*x, t)).sum();
        (t.iter().map(value).collect(), trace)
    }

    /// Gradient descent on 128 output weights and on a slope and an offset that learn at the rate ρη₀ ends at
    /// the kernel's interpolant, which tends to the function of least cost as n⁻².
    #[test]
    fn gradient_descent_with_skip_connections_ends_there() {
        let (x, y) = ([-0.75, -0.25, 0.25, 0.75], [0.25, -0.5, 0.75, 1.0]);
        let (neurons, rho) = (stratified(64), 0.25);
        let count = neurons.len() as f64;
        let points: Vec<f64> = (-12..=12).map(|k| f64::from(k) / 8.0).collect();
        let (end, trace) = interpolant(&neurons, rho, &x, &y, &points);
        let step = 1.0 / trace;
        let (mut alpha, mut p, mut d) = (vec![0.0; neurons.len()], 0.0, 0.0);
        let features: Vec<[f64; 4]> = neurons.iter().map(|&k| x.map(|x| feature(k, x))).collect();
        for _ in 0..400_000 {
            let mut residual = [0, 1, 2, 3].map(|i| d + p * x[i] - y[i]);
            for (alpha, f) in alpha.iter().zip(&features) {
                let terms = residual.iter_mut().zip(f);
                terms.for_each(|(r, f)| *r += alpha * f / count);
            }
            for (alpha, f) in alpha.iter_mut().zip(&features) {
                *alpha -= step * f.iter().zip(&residual).map(|(f, r)| f * r).sum::<f64>();
            }
            p -= step * rho * x.iter().zip(&residual).map(|(x, r)| x * r).sum::<f64>();
            d -= step * rho * residual.iter().sum::<f64>();
            if residual.iter().all(|r| r.abs() < 1e-10) {
                break;
            }
        }
        for (&t, end) in points.iter().zip(&end) {
            let outputs = alpha.iter().zip(&neurons);
            let output: f64 = outputs
                .map(|(alpha, &k)| alpha * feature(k, t) / count)
                .sum();
            assert!((output + p * t + d - end).abs() < 1e-8, "t = {t}");
        }
        let exact = |v: f64| BigRational::from_float(v).unwrap();
        let least = cost(Some(exact(rho))).minimizer(&x.map(exact), &y.map(exact));
        let least = least.unwrap().function;
        let [coarse, fine] = [64, 128].map(|n| {
            let (end, _) = interpolant(&stratified(n), rho, &x, &y, &points);
            let gaps = points.iter().zip(&end);
            let gaps = gaps.map(|(&t, end)| (least.value(&exact(t)).to_f64().unwrap() - end).abs());
            gaps.fold(0.0, f64::max)
        });
        assert!(
            fine < 2e-3 && (coarse / fine - 4.0).abs() < 0.5,
            "{coarse} {fine}"
        );
    }

    /// W ~ N(0, w²), B ~ N(0, b²): the arc-cosine interpolant with a free affine part has h'' = ½ζΣλ_i|x_i − x|.
    #[test]
    fn gaussian_weights_bend_by_zeta() {
        for (w, b) in [(1.0, 1.0), (0.5, 1.25), (1.5, 0.75)] {
            let kernel = |x: f64, t: f64| {
                let covariance = w * w * x * t + b * b;
                let sizes = (w * w * x * x + b * b) * (w * w * t * t + b * b);
                let angle = (covariance / sizes.sqrt()).min(1.0).acos();
                sizes.sqrt() * (angle.sin() + (PI - angle) * angle.cos()) / (2.0 * PI)
            };
            let (x, y) = (
                [-1.0, -0.2, 0.0, 0.2, 1.0],
                [-0.15, -0.15, 0.15, -0.15, -0.05],
            );
            let system = Array2::from_shape_fn((7, 7), |(i, j)| match (i < 5, j < 5) {
                (true, true) => kernel(x[i], x[j]),
                (true, false) => x[i].powi(j as i32 - 5),
                (false, true) => x[j].powi(i as i32 - 5),
                _ => 0.0,
            });
            let side = Array1::from([&y[..], &[0.0, 0.0]].concat());
            let solution = system.solve_into(side).unwrap();
            let h = |t: f64| {
                let curved: f64 = (0..5).map(|i| solution[i] * kernel(x[i], t)).sum();
                curved + solution[5] + solution[6] * t
            };
            let zeta = |t: f64| 2.0 * (w * b).powi(3) / (PI * (b * b + w * w * t * t).powi(2));
            let predicted = |t: f64| {
                let kinks: f64 = (0..5).map(|i| solution[i] * (x[i] - t).abs()).sum();
                0.5 * zeta(t) * kinks
            };
            for t in [-0.9, -0.6, -0.3, -0.1, 0.1, 0.4, 0.8, 1.3] {
                let e = 1e-3;
                let bend = (h(t + e) + h(t - e) - 2.0 * h(t)) / (e * e);
                let size = predicted(0.0).abs();
                assert!(
                    (bend - predicted(t)).abs() < 1e-5 * size,
                    "{bend} {}",
                    predicted(t)
                );
            }
        }
    }

    proptest! {
        #![proptest_config(strategies::config(64))]

        /// For every even density there are v and u for which the dual of y − ux − v has G₂ = G₃ = 0: by two
        /// equations in Σλ_i and Σλ_i x_i, which are linear in the data.
        #[test]
        fn two_numbers_remove_both_terms(
            (bias, dataset) in strategies::even_density().prop_flat_map(|density| {
                let scale = strategies::scale(&density);
                (Just(density), strategies::dataset(scale, strategies::INSIDE))
            }),
        ) {
            let scale = strategies::scale(&bias);
            let x = dataset.x();
            // Neighbours far enough apart that multipliers are known to ten digits.
            prop_assume!(x.windows(2).all(|ends| ends[1] - ends[0] > 0.1 * scale));
            let solve = |y: Vec<f64>| {
                infinite_width::minimize(&Setting {
                    dataset: dataset.with_values(y).unwrap(),
                    activation: Activation::Relu,
                    bias,
                    potential: Potential::quadratic(),
                    scaling: Scaling::Unscaled,
                })
            };
            let moments = |y: Vec<f64>| -> Option<[f64; 2]> {
                let solution = solve(y).ok()?;
                // Multipliers are in the order of the file.
                let place = solution.setting().dataset.in_file_order(x);
                let lambda = solution.multipliers();
                let pairs = lambda.iter().zip(&place);
                Some([lambda.iter().sum(), pairs.map(|(l, x)| l * x).sum()])
            };
            let all = [dataset.y().to_vec(), vec![1.0; x.len()], x.to_vec()].map(moments);
            let [Some(of_y), Some(one), Some(line)] = all else { return Ok(()) };
            let determinant = one[0] * line[1] - one[1] * line[0];
            let v = (of_y[0] * line[1] - of_y[1] * line[0]) / determinant;
            let u = (one[0] * of_y[1] - one[1] * of_y[0]) / determinant;
            let left = x.iter().zip(dataset.y()).map(|(x, y)| y - u * x - v);
            let adjusted = solve(left.collect()).unwrap();
            let (before, after) = (
                solve(dataset.y().to_vec()).unwrap().terms().unwrap(),
                adjusted.terms().unwrap(),
            );
            let size = before.curvature + before.slopes + before.offset
                + (v * v + u * u * scale * scale) / (scale * scale);
            prop_assert!(
                after.slopes + after.offset <= 1e-16 * size,
                "{after:?} {before:?} {u} {v}"
            );
        }
    }
}
