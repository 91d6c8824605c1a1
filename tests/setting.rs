//! The objects of section "Setting" of proofs.md: data sets, bias densities, sampled networks.

#![allow(clippy::unwrap_used)]

mod strategies;

use gauss_quad::GaussLegendre;
use mirrorflow::setting::{Activation, BiasDensity, Dataset, Network, OutputInit};
use ndarray::{Array1, array};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use strategies::{EDGE, INSIDE, OUTSIDE, config};

const EPS: f64 = f64::EPSILON;

mod reading_data {
    use super::*;
    use std::path::Path;

    fn read(content: impl AsRef<[u8]>) -> Result<Dataset, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("points.csv");
        std::fs::write(&path, content).unwrap();
        let message = |e: mirrorflow::Error| e.to_string().replace(path.to_str().unwrap(), "FILE");
        Dataset::read_csv(&path).map_err(message)
    }

    fn refusals<T: AsRef<[u8]>>(contents: &[T]) -> String {
        let messages = contents.iter().map(|content| read(content).unwrap_err());
        messages.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn points_are_sorted_and_the_order_is_remembered() {
        let data = read("x,y\n1,10\n-1,20\n0.5,30\n").unwrap();
        assert_eq!(data.x(), [-1.0, 0.5, 1.0]);
        assert_eq!(data.y(), [20.0, 30.0, 10.0]);
        assert_eq!(data.in_file_order(data.y()), [10.0, 20.0, 30.0]);
        assert_eq!((data.len(), data.is_empty()), (3, false));
        assert_eq!(read("x,y\n-0,1\n").unwrap().x()[0].to_bits(), 0);
        assert_eq!((data.largest_input(), data.largest_value()), (1.0, 30.0));
    }

    #[test]
    fn dialects_of_csv_do_not_matter() {
        let plain = read("x,y\n0.5,1\n-1,2e-3\n").unwrap();
        for same in [
            "X,Y\n0.5,1\n-1,2e-3",
            "\u{feff}x,y\r\n0.5,1\r\n-1,2e-3\r\n",
            " x , y \n\n\t0.5 , +1.0\n -1,.002 \n\n",
            "\"x\",\"y\"\n\"0.5\",1\n-1,2E-3\n",
        ] {
            assert_eq!(read(same).as_ref(), Ok(&plain), "{same:?}");
        }
    }

    #[test]
    fn the_built_in_data_are_the_papers() {
        let figure1 = Dataset::named_or_csv("figure1").unwrap();
        assert_eq!(figure1.x(), [-1.0, -0.2, 0.0, 0.2, 1.0]);
        assert_eq!(figure1.y(), [0.0, 0.0, 0.3, 0.0, 0.0].map(|y| y - 0.15));
        let figure2 = Dataset::named_or_csv("figure2").unwrap();
        assert_eq!(figure2.x(), [-1.0, 0.35, 0.65, 1.0]);
        assert_eq!(figure2.y(), [0.15, 0.15, -0.15, 0.15]);
        for data in [figure1, figure2] {
            assert_eq!(Dataset::from_points(data.x(), data.y()).unwrap(), data);
        }
    }

    #[test]
    fn files_that_cannot_be_read_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            folder.path(),
            &folder.path().join("absent.csv"),
            Path::new("figure3"),
        ] {
            let error = Dataset::named_or_csv(path.to_str().unwrap()).unwrap_err();
            assert!(matches!(error, mirrorflow::Error::File { .. }));
            let text = error.to_string();
            assert!(text.starts_with(&format!("{}: ", path.display())), "{text}");
            assert!(
                text.ends_with("header `x,y`, or the built-in figure1 or figure2"),
                "{text}"
            );
        }
    }

    #[test]
    fn headers_other_than_x_y_are_refused() {
        insta::assert_snapshot!(refusals(&[
            "", "\u{feff}\n\n", "x,y\n", "x\n1\n", "x;y\n1;2\n", "0,1\n2,3\n", "y,x\n1,2\n",
            "time,y\n1,2\n",
            "x,y,weight,\n1,2,3,4\n", "# note\nx,y\n1,2\n",
        ]), @r"
        FILE: the file is empty; write `x,y`, then one point a line
        FILE: the file is empty; write `x,y`, then one point a line
        FILE: no points below the header; write one point `x,y` a line
        FILE, line 1: one column, `x`; write two columns parted by a comma, under the header `x,y`
        FILE, line 1: one column, `x;y`; write two columns parted by a comma, under the header `x,y`
        FILE, line 1: `0,1` where the header should be; write the line `x,y` above it
        FILE, line 1: the header is `y,x`; swap the columns, x comes first
        FILE, line 1: the header is `time,y`; make it `x,y`, inputs in the first column
        FILE, line 1: columns besides x and y: `weight,`; keep the columns x and y only
        FILE, line 1: one column, `# note`; write two columns parted by a comma, under the header `x,y`
        ");
    }

    #[test]
    fn lines_that_are_not_a_point_are_refused() {
        insta::assert_snapshot!(refusals(&[
            "x,y\n1,2\n3\n", "x,y\n0,5,1,5\n", "x,y\n1,two\n", "x,y\n\n\n,2\n", "x,y\r\n1,2\r\n2,NaN\r\n",
            "x,y\ninf,2\n", "x,y\n1,1e999\n", "x,y\n1e308,2\n", "x,y\n# 1,2\n", "x,y\n1,\"2\n3,4\n",
        ]), @r"
        FILE, line 3: 1 field(s) where the header has 2; write one x and one y, with a decimal point, parted by one comma
        FILE, line 2: 4 field(s) where the header has 2; write one x and one y, with a decimal point, parted by one comma
        FILE, line 2, column y: `two` is not a number; write a number such as -0.25 or 1e-3
        FILE, line 4, column x: the field is empty; write a number such as -0.25 or 1e-3
        FILE, line 3, column y: NaN is not a finite number; correct the point or remove it
        FILE, line 2, column x: inf is not a finite number; correct the point or remove it
        FILE, line 2, column y: inf is not a finite number; correct the point or remove it
        FILE, line 2, column x: 1e308 is so large that differences overflow; correct the point or remove it
        FILE, line 2, column x: `# 1` is not a number; write a number such as -0.25 or 1e-3
        FILE, line 2, column y: `2 3,4` is not a number; write a number such as -0.25 or 1e-3
        ");
        insta::assert_snapshot!(refusals(&[b"x,y\n1,2\n2,\xff\n"]), @"FILE, line 3: the text is not UTF-8; save it as UTF-8");
    }

    #[test]
    fn pairs_of_points_that_cannot_be_fitted_are_refused() {
        insta::assert_snapshot!(refusals(&[
            "x,y\n1,2\n0,5\n\n1.0,3\n", "x,y\n0,2\n-0.0,5\n", "x,y\n0,0\n1e-300,1e10\n",
        ]), @r"
        FILE, lines 2 and 5, column x: two points with the same input x = 1; keep one of them, or one point with the average of their values
        FILE, lines 2 and 3, column x: two points with the same input x = 0; keep one of them, or one point with the average of their values
        FILE, lines 2 and 3, column x: the slope between these neighbours overflows; move the points apart or scale the data
        ");
    }

    #[test]
    fn slices_are_checked_like_files() {
        let refuse = |x: &[f64], y: &[f64]| Dataset::from_points(x, y).unwrap_err().to_string();
        insta::assert_snapshot!([
            refuse(&[], &[]),
            refuse(&[1.0, 2.0], &[1.0]),
            refuse(&[1.0, f64::NAN], &[1.0, 2.0]),
            refuse(&[1.0, 2.0], &[1.0, f64::NEG_INFINITY]),
            refuse(&[2.0, 1.0, 2.0], &[1.0, 2.0, 3.0]),
            refuse(&[-f64::MAX, f64::MAX], &[0.0, 0.0]),
        ].join("\n"), @r"
        x and y: there are no points; give at least one point
        x and y: 2 inputs but 1 values; give one value y for every input x
        x[1]: NaN is not a finite number; correct the point or remove it
        y[1]: -inf is not a finite number; correct the point or remove it
        x[0] and x[2]: two points with the same input x = 2; keep one of them, or one point with the average of their values
        x[0]: -1.7976931348623157e308 is so large that differences overflow; correct the point or remove it
        ");
        let figure1 = Dataset::figure1();
        insta::assert_snapshot!([
            figure1.with_values(vec![0.0; 4]).unwrap_err().to_string(),
            figure1.shifted(f64::INFINITY).unwrap_err().to_string(),
        ].join("\n"), @r"
        y: 4 values for 5 inputs; give one value for every input
        y[0]: inf is not a finite number; correct the point or remove it
        ");
    }

    proptest! {
        #![proptest_config(config(256))]

        /// Writing and reading a file, in whatever order, gives back the data to the last bit.
        #[test]
        fn files_round_trip(data in strategies::dataset(1.0, OUTSIDE)) {
            let (x, y) = (data.in_file_order(data.x()), data.in_file_order(data.y()));
            let lines = x.iter().zip(&y).map(|(x, y)| format!("{x},{y}\n"));
            let file = "x,y\n".to_owned() + &lines.collect::<String>();
            let back = read(file);
            prop_assert_eq!(back.as_ref(), Ok(&data));
            prop_assert!(data.x().windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(data.with_values(data.y().to_vec()).unwrap(), data.clone());
            let shifted = data.shifted(0.5).unwrap();
            prop_assert_eq!(shifted.in_file_order(shifted.x()), x);
            prop_assert_eq!(shifted.y(), data.y().iter().map(|y| y + 0.5).collect::<Vec<_>>());
        }
    }
}

mod density {
    use super::*;

    /// ∫ f over [a, b], Gauss–Legendre with 24 nodes between breakpoints and on pieces of one scale.
    fn integral(density: &BiasDensity, a: f64, b: f64, f: impl Fn(f64) -> f64) -> f64 {
        let rule = GaussLegendre::new(24.try_into().unwrap());
        let scale = strategies::scale(density);
        let mut ends: Vec<f64> = (-40..=40).map(|k| f64::from(k) * scale).collect();
        ends.extend(density.breakpoints().iter().chain(&[a, b]));
        ends.retain(|end| (a..=b).contains(end));
        ends.sort_by(f64::total_cmp);
        ends.windows(2)
            .map(|piece| rule.integrate(piece[0], piece[1], &f))
            .sum()
    }

    /// The support, or all of it but 1e-31 of a Gaussian's moments.
    fn bulk(density: &BiasDensity) -> f64 {
        density.half_width().min(12.0 * strategies::scale(density))
    }

    proptest! {
        #![proptest_config(config(256))]

        #[test]
        fn density_integrates_to_distribution(density in strategies::density(), k in -130..=130) {
            let b = strategies::scale(&density) * f64::from(k) / 100.0;
            let area = integral(&density, -bulk(&density), b, |b| density.density(b));
            prop_assert!((area - density.distribution(b)).abs() < 1e-14);
        }

        #[test]
        fn moments_are_integrals(density in strategies::density()) {
            let end = bulk(&density);
            for k in 0..=6 {
                let moment = integral(&density, -end, end, |b| b.powi(k) * density.density(b));
                let size = integral(&density, -end, end, |b| b.abs().powi(k) * density.density(b));
                prop_assert!((moment - density.moment(k as u32)).abs() < 1e-13 * size, "k = {k}");
            }
            let central = |b: f64| (b - density.mean()).powi(2) * density.density(b);
            let variance = integral(&density, -end, end, central);
            prop_assert!((variance / density.variance() - 1.0).abs() < 1e-13);
            prop_assert_eq!(density.second_moment(), density.moment(2));
            prop_assert_eq!(density.is_even(), density.mean() == 0.0);
        }

        /// The bounds are those that the documentation states, carried through both functions.
        #[test]
        fn quantile_and_distribution_are_inverse(density in strategies::density(), k in 0..=1000) {
            let u = f64::from(k) / 1000.0;
            let b = density.quantile(u);
            let z = match density {
                BiasDensity::Gaussian { standard_deviation } => b / standard_deviation,
                _ => 0.0,
            };
            let slope = density.density(b) * strategies::scale(&density);
            // At u = 1 the quantile of a Gaussian is infinite and nothing is lost.
            let bound = match z.is_finite() {
                true => EPS * (4.0 * slope * z.abs().max(1.0) + (6.0 + 2.0 * z * z)),
                false => 0.0,
            };
            prop_assert!((density.distribution(b) - u).abs() <= bound, "u = {u}");

            let b = strategies::scale(&density) * (2.0 * u - 1.0);
            let p = density.density(b);
            if p > 0.0 {
                let bound = EPS * (16.0 * density.distribution(b) / p + 4.0 * strategies::scale(&density));
                let back = density.quantile(density.distribution(b));
                prop_assert!((back - b).abs() <= bound, "b = {b}, back = {back}, bound = {bound}");
            }
        }

        #[test]
        fn the_support_ends_where_it_says(density in strategies::density()) {
            let end = density.half_width();
            prop_assert!(density.breakpoints().is_sorted_by(|a, b| a < b));
            prop_assert_eq!((density.quantile(0.0), density.quantile(1.0)), (-end, end));
            prop_assert_eq!((density.distribution(-end), density.distribution(end)), (0.0, 1.0));
            if end.is_finite() {
                let points = density.breakpoints();
                prop_assert_eq!((points[0], points[points.len() - 1]), (-end, end));
                prop_assert_eq!(density.density(end.next_up()) + density.density((-end).next_down()), 0.0);
            }
            if let BiasDensity::Uniform { half_width } = density {
                prop_assert_eq!(density.density(end), 0.5 / half_width);
                prop_assert_eq!(density.density(-end), 0.5 / half_width);
            }
        }

        #[test]
        fn text_round_trips(density in strategies::density()) {
            prop_assert_eq!(density.to_string().parse::<BiasDensity>().unwrap(), density);
        }
    }

    /// Independent values: erfc and its inverse to 50 digits, rounded.
    #[test]
    #[allow(clippy::excessive_precision)]
    fn gaussian_tails_are_accurate() {
        let gaussian = BiasDensity::gaussian(1.0).unwrap();
        for (z, expected) in [
            (-0.5, 0.308537538725986896),
            (-1.0, 0.158655253931457051),
            (-5.0, 2.86651571879193912e-7),
            (-10.0, 7.61985302416052607e-24),
            (-20.0, 2.7536241186062337e-89),
            (-37.0, 5.72557122252457682e-300),
        ] {
            let error = (gaussian.distribution(z) / expected - 1.0).abs();
            assert!(error <= (6.0 + 2.0 * z * z) * EPS, "F({z}): {error:e}");
            let error = (gaussian.distribution(-z) - (1.0 - expected)).abs();
            assert!(error <= EPS, "F({}): {error:e}", -z);
        }
        for (u, expected) in [
            (0.3, -0.524400512708040816),
            (1e-5, -4.26489079392282461),
            (1e-20, -9.26234008979840758),
            (1e-100, -21.2734535609653243),
            (1e-300, -37.0470962993611992),
        ] {
            let error = (gaussian.quantile(u) / expected - 1.0).abs();
            assert!(error <= 4.0 * EPS, "Q({u}): {error:e}");
        }
        for z in [-39.0, -50.0, f64::NEG_INFINITY] {
            assert_eq!(gaussian.distribution(z), 0.0);
        }
    }

    /// A right triangle: F(−C + t) = t(4C − t)/(4C²), without cancellation however small t is.
    #[test]
    fn a_mode_at_the_end_keeps_the_left_tail() {
        let c = 0.75;
        let triangle = BiasDensity::triangular(c, -c).unwrap();
        for k in 1..50 {
            let t = 0.5f64.powi(k);
            let expected = t * (4.0 * c - t) / (4.0 * c * c);
            assert!(
                (triangle.distribution(t - c) / expected - 1.0).abs() < 6.0 * EPS,
                "t = {t}"
            );
        }
    }

    #[test]
    fn nothing_panics_on_odd_arguments() {
        for text in ["uniform:1", "gaussian:2", "triangular:1,-1"] {
            let density: BiasDensity = text.parse().unwrap();
            assert!(density.distribution(f64::NAN).is_nan());
            for u in [-0.1, 1.1, f64::NAN] {
                assert!(density.quantile(u).is_nan());
            }
        }
    }

    #[test]
    fn bad_texts_are_refused() {
        let refuse = |text: &str| text.parse::<BiasDensity>().unwrap_err().to_string();
        let texts = [
            "",
            "normal:1",
            "uniform",
            "uniform:",
            "uniform:1,2",
            "uniform:one",
            "uniform:0",
            "uniform:-1",
            "gaussian:NaN",
            "gaussian:inf",
            "uniform:1e-80",
            "triangular:1,1.5",
            "triangular:1,nan",
            "triangular:1,0,0",
        ];
        insta::assert_snapshot!(texts.map(refuse).join("\n"), @r"
        --bias ``: there is no such density; give uniform:C, gaussian:SD or triangular:C[,MODE], for example uniform:1
        --bias `normal:1`: there is no such density; give uniform:C, gaussian:SD or triangular:C[,MODE], for example uniform:1
        --bias `uniform`: `` is not what uniform takes; give uniform:C, gaussian:SD or triangular:C[,MODE], for example uniform:1
        --bias `uniform:`: `` is not what uniform takes; give uniform:C, gaussian:SD or triangular:C[,MODE], for example uniform:1
        --bias `uniform:1,2`: `1,2` is not what uniform takes; give uniform:C, gaussian:SD or triangular:C[,MODE], for example uniform:1
        --bias `uniform:one`: `one` is not what uniform takes; give uniform:C, gaussian:SD or triangular:C[,MODE], for example uniform:1
        --bias `uniform:0`: 0.0 is not a positive scale between 1e-75 and 1e75; give a positive number such as 1
        --bias `uniform:-1`: -1.0 is not a positive scale between 1e-75 and 1e75; give a positive number such as 1
        --bias `gaussian:NaN`: NaN is not a positive scale between 1e-75 and 1e75; give a positive number such as 1
        --bias `gaussian:inf`: inf is not a positive scale between 1e-75 and 1e75; give a positive number such as 1
        --bias `uniform:1e-80`: 1e-80 is not a positive scale between 1e-75 and 1e75; give a positive number such as 1
        --bias `triangular:1,1.5`: the mode 1.5 is outside [-1, 1]; give a mode between -C and C
        --bias `triangular:1,nan`: the mode NaN is outside [-1, 1]; give a mode between -C and C
        --bias `triangular:1,0,0`: `1,0,0` is not what triangular takes; give uniform:C, gaussian:SD or triangular:C[,MODE], for example uniform:1
        ");
        assert_eq!(
            "triangular:2".parse::<BiasDensity>().unwrap().to_string(),
            "triangular:2,0"
        );
    }
}

mod sampling {
    use super::*;

    const WIDTH: usize = 100_000;

    /// The probability with which each check below may reject a right sampler, under any seed.
    const SIZE: f64 = 1e-6;

    fn families() -> Vec<BiasDensity> {
        let texts = [
            "uniform:1",
            "gaussian:0.5",
            "triangular:1.5",
            "triangular:2,1",
            "triangular:1,-1",
        ];
        texts.map(|text| text.parse().unwrap()).to_vec()
    }

    fn random() -> OutputInit {
        OutputInit::Random {
            output_weight: 2.0,
            output_bias: 0.5,
        }
    }

    /// Massart's form of the inequality of Dvoretzky, Kiefer and Wolfowitz: P(D > t) ≤ 2 exp(−2nt²).
    fn kolmogorov_threshold(n: usize) -> f64 {
        ((2.0 / SIZE).ln() / (2.0 * n as f64)).sqrt()
    }

    /// Hoeffding: P(|mean − E| > t) ≤ 2 exp(−2nt²/range²).
    fn mean_threshold(n: usize, range: f64) -> f64 {
        range * kolmogorov_threshold(n)
    }

    fn kolmogorov_distance(sample: &[f64], density: &BiasDensity) -> f64 {
        let mut sample = sample.to_vec();
        sample.sort_by(f64::total_cmp);
        let n = sample.len() as f64;
        let gaps = sample.iter().enumerate().map(|(k, &b)| {
            let f = density.distribution(b);
            (f - k as f64 / n).max((k + 1) as f64 / n - f)
        });
        gaps.fold(0.0, f64::max)
    }

    fn follows(sample: &[f64], density: &BiasDensity) -> bool {
        kolmogorov_distance(sample, density) <= kolmogorov_threshold(sample.len())
    }

    mod distribution {
        use super::*;

        #[test]
        fn biases_follow_their_density() {
            for density in families() {
                let b = Network::sample(&density, OutputInit::Zero, WIDTH, 1)
                    .b
                    .to_vec();
                assert!(follows(&b, &density), "{density}");
                let end = density.half_width();
                if end.is_finite() {
                    let mean =
                        |power: i32| b.iter().map(|b| b.powi(power)).sum::<f64>() / WIDTH as f64;
                    for (power, range) in [(1, 2.0), (2, 1.0), (3, 2.0), (4, 1.0)] {
                        let threshold = mean_threshold(WIDTH, range * end.powi(power));
                        let error = mean(power) - density.moment(power as u32);
                        assert!(error.abs() <= threshold, "{density}, moment {power}");
                    }
                }
            }
        }

        /// Twice the threshold away, a wrong density passes with probability at most SIZE again.
        #[test]
        fn wrong_densities_are_rejected() {
            for (right, wrong) in [
                ("uniform:1", "uniform:1.05"),
                ("gaussian:0.5", "gaussian:0.55"),
                ("triangular:1.5", "triangular:1.5,0.1"),
                ("triangular:2,1", "triangular:2,-1"),
                ("uniform:1", "triangular:1"),
            ] {
                let [right, wrong] =
                    [right, wrong].map(|text| text.parse::<BiasDensity>().unwrap());
                let grid = (-100..=100).map(|k| f64::from(k) / 50.0);
                let apart = grid.map(|b| (right.distribution(b) - wrong.distribution(b)).abs());
                assert!(
                    apart.fold(0.0, f64::max) > 2.0 * kolmogorov_threshold(WIDTH),
                    "no power"
                );
                let b = Network::sample(&right, OutputInit::Zero, WIDTH, 1)
                    .b
                    .to_vec();
                assert!(!follows(&b, &wrong), "{right} passes for {wrong}");
            }
        }

        #[test]
        fn output_weights_are_gaussian_with_variance_over_n() {
            let expected = BiasDensity::gaussian(2.0).unwrap();
            for width in [1000, WIDTH] {
                let network = Network::sample(&families()[0], random(), width, 1);
                let a: Vec<f64> = network
                    .a
                    .iter()
                    .map(|a| a * (width as f64).sqrt())
                    .collect();
                assert!(follows(&a, &expected), "width {width}");
            }
        }

        /// Seeds differ in one word of the key; their first draws must be as good as any others.
        #[test]
        fn seeds_are_independent_draws() {
            let uniform = BiasDensity::uniform(1.0).unwrap();
            let networks: Vec<Network> = (0..10_000)
                .map(|seed| Network::sample(&uniform, random(), 1, seed))
                .collect();
            let d: Vec<f64> = networks.iter().map(|network| network.d).collect();
            assert!(follows(&d, &BiasDensity::gaussian(0.5).unwrap()));
            let b: Vec<f64> = networks.iter().map(|network| network.b[0]).collect();
            assert!(follows(&b, &uniform));
            let steps = b
                .windows(2)
                .step_by(2)
                .filter(|pair| pair[0] < pair[1])
                .count() as f64
                / 5000.0;
            assert!((steps - 0.5).abs() <= mean_threshold(5000, 1.0));
        }

        /// Products of independent fair signs are fair signs: every subset of (w, b, a), and w, b and
        /// a against their own successors.
        #[test]
        fn weights_are_fair_signs_and_all_is_independent() {
            for density in families().into_iter().filter(BiasDensity::is_even) {
                let network = Network::sample(&density, random(), WIDTH, 1);
                assert!(network.w.iter().all(|w| w.abs() == 1.0));
                let signs = [&network.w, &network.b, &network.a].map(|v| v.mapv(f64::signum));
                for subset in 1..8 {
                    let chosen = (0..3).filter(|j| subset >> j & 1 == 1);
                    let product =
                        chosen.fold(Array1::<f64>::ones(WIDTH), |product, j| product * &signs[j]);
                    let mean = product.sum() / WIDTH as f64;
                    assert!(
                        mean.abs() <= mean_threshold(WIDTH, 2.0),
                        "{density}, subset {subset}"
                    );
                }
                for sign in &signs {
                    let pairs = sign
                        .exact_chunks(2)
                        .into_iter()
                        .map(|pair| pair[0] * pair[1]);
                    let mean = pairs.sum::<f64>() / (WIDTH / 2) as f64;
                    assert!(mean.abs() <= mean_threshold(WIDTH / 2, 2.0), "{density}");
                }
            }
        }
    }

    mod stream {
        use super::*;

        /// The published key stream of ChaCha8 for key 0 starts 3e00ef2f895f40d6 7f5bb8e81f09a5a1
        /// 2c840ec3ce9a7f3b 181be188ef711a1e; the last byte of each eight holds the sign.
        #[test]
        fn signs_come_from_the_published_key_stream() {
            let network = Network::sample(&families()[0], OutputInit::Zero, 4, 0);
            assert_eq!(network.w, array![1.0, 1.0, -1.0, -1.0]);
        }

        #[test]
        fn first_draws_for_seed_0() {
            let network = Network::sample(&families()[0], random(), 4, 0);
            // Exact: nothing but powers of two and one rounding stands between the bits and b.
            let bits = network.b.map(|b| format!("{:016x}", b.to_bits())).to_vec();
            insta::assert_snapshot!(bits.join(" "), @"3fe281a0de6cd2e2 3fe453a353df350e bfdecb209f19892c 3fcb59d7a0ecae08");
            // Printed: the quantile of a Gaussian goes through a logarithm.
            let a = network.a.map(|a| format!("{a:.12}")).to_vec();
            insta::assert_snapshot!(a.join(" "), @"1.947931432312 0.297072798047 -1.604749226392 1.272131552272");
            insta::assert_snapshot!(format!("{:.12}", network.d), @"0.352379954603");
            let other = Network::sample(&families()[0], random(), 4, 1 << 63);
            insta::assert_snapshot!(format!("{:.12}", other.b), @"[0.976269926008, -0.604656512505, 0.222385899106, 0.424349442638]");
        }
    }

    proptest! {
        #![proptest_config(config(64))]

        #[test]
        fn neurons_are_nested(density in strategies::density(), n in 1..300usize, more in 0..300usize, seed: u64) {
            let narrow = Network::sample(&density, random(), n, seed);
            let wide = Network::sample(&density, random(), n + more, seed);
            prop_assert_eq!(narrow.width(), n);
            prop_assert_eq!(narrow.w.as_slice(), wide.w.as_slice().map(|w| &w[..n]));
            prop_assert_eq!(narrow.b.as_slice(), wide.b.as_slice().map(|b| &b[..n]));
            prop_assert_eq!(narrow.d, wide.d);
            let ratio = ((n + more) as f64 / n as f64).sqrt();
            for (a, of_wide) in narrow.a.iter().zip(&wide.a) {
                prop_assert!((a - of_wide * ratio).abs() <= 4.0 * EPS * a.abs());
            }
            prop_assert_eq!(narrow.knots(), &narrow.w * &narrow.b);
            prop_assert!(narrow.b.iter().all(|b| b.abs() < density.half_width()));
        }

        #[test]
        fn zero_output_is_zero(density in strategies::density(), seed: u64, k in -10..=10) {
            let network = Network::sample(&density, OutputInit::Zero, 16, seed);
            for activation in [Activation::Relu, Activation::Abs] {
                prop_assert_eq!(network.output(activation, f64::from(k)).to_bits(), 0);
            }
            prop_assert!(network.a.iter().chain([&network.d]).all(|a| a.to_bits() == 0), "a zero has a sign");
        }
    }
}

mod network {
    use super::*;

    #[test]
    fn output_is_the_minus_form() {
        let network = Network {
            w: array![1.0, -1.0, 2.0],
            b: array![0.5, 0.25, -3.0],
            a: array![2.0, 4.0, -8.0],
            d: 16.0,
        };
        // At x = 1: w x − b = 0.5, −1.25, 5.
        assert_eq!(
            network.output(Activation::Relu, 1.0),
            2.0 * 0.5 - 8.0 * 5.0 + 16.0
        );
        assert_eq!(
            network.output(Activation::Abs, 1.0),
            2.0 * 0.5 + 4.0 * 1.25 - 8.0 * 5.0 + 16.0
        );
        assert_eq!(network.knots(), array![0.5, -0.25, -1.5]);
        for (knot, w) in network.knots().iter().zip(&network.w) {
            assert!(network.b.iter().any(|b| w * knot == *b));
        }
    }

    #[test]
    fn output_initialisations_are_read_and_written() {
        for text in ["zero", "random:1,0.5", "random:0,0.1"] {
            assert_eq!(text.parse::<OutputInit>().unwrap().to_string(), text);
        }
        assert_eq!(
            " random: 1 , 2 ".parse::<OutputInit>().unwrap().to_string(),
            "random:1,2"
        );
        let refuse = |text: &str| text.parse::<OutputInit>().unwrap_err().to_string();
        let texts = [
            "",
            "none",
            "random",
            "random:1",
            "random:1,2,3",
            "random:a,b",
            "random:-1,0",
            "random:1,inf",
        ];
        insta::assert_snapshot!(texts.map(refuse).join("\n"), @r"
        --output-init ``: there is no such initialisation; give zero or random:SD_A,SD_D, for example random:1,0.5
        --output-init `none`: there is no such initialisation; give zero or random:SD_A,SD_D, for example random:1,0.5
        --output-init `random`: there is no such initialisation; give zero or random:SD_A,SD_D, for example random:1,0.5
        --output-init `random:1`: random takes two numbers; give zero or random:SD_A,SD_D, for example random:1,0.5
        --output-init `random:1,2,3`: random takes two numbers; give zero or random:SD_A,SD_D, for example random:1,0.5
        --output-init `random:a,b`: random takes two numbers; give zero or random:SD_A,SD_D, for example random:1,0.5
        --output-init `random:-1,0`: a standard deviation is finite and not negative; give zero or random:SD_A,SD_D, for example random:1,0.5
        --output-init `random:1,inf`: a standard deviation is finite and not negative; give zero or random:SD_A,SD_D, for example random:1,0.5
        ");
    }
}

/// How often the strategies come upon the hard cases, of 2000 draws.
mod strategies_reach {
    use super::*;

    const DRAWS: usize = 2000;

    fn draws<S: Strategy>(strategy: S) -> Vec<S::Value> {
        let mut runner = TestRunner::new(config(1));
        let draw = |_| strategy.new_tree(&mut runner).unwrap().current();
        (0..DRAWS).map(draw).collect()
    }

    fn share<T>(draws: &[T], holds: impl Fn(&T) -> bool) -> f64 {
        draws.iter().filter(|draw| holds(draw)).count() as f64 / DRAWS as f64
    }

    fn smallest_gap(data: &Dataset) -> f64 {
        data.x()
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn near_equal_edge_and_outside_points() {
        let data = draws(strategies::dataset(1.0, OUTSIDE));
        let on_edge = |d: &Dataset| d.x().iter().any(|x| x.abs() == 1.0);
        for (what, share, least) in [
            (
                "gap of 5e-3 or less",
                share(&data, |d| smallest_gap(d) < 5.5e-3),
                0.5,
            ),
            (
                "gap of 1e-3",
                share(&data, |d| smallest_gap(d) < 1.5e-3),
                0.1,
            ),
            ("well apart", share(&data, |d| smallest_gap(d) > 0.1), 0.1),
            ("on the edge", share(&data, on_edge), 0.5),
            ("off the edge", share(&data, |d| !on_edge(d)), 0.2),
            ("outside", share(&data, |d| d.largest_input() > 1.0), 0.5),
            ("inside", share(&data, |d| d.largest_input() < 1.0), 0.03),
            ("two points", share(&data, |d| d.len() == 2), 0.05),
            ("ten points or more", share(&data, |d| d.len() >= 10), 0.1),
            ("twelve points", share(&data, |d| d.len() == 12), 0.02),
            (
                "values below 1e-2",
                share(&data, |d| d.largest_value() < 1e-2),
                0.1,
            ),
            (
                "values above 1e2",
                share(&data, |d| d.largest_value() > 1e2),
                0.1,
            ),
            (
                "not in order",
                share(&data, |d| d.in_file_order(d.x()) != d.x()),
                0.5,
            ),
        ] {
            println!("{what}: {share}");
            assert!(
                share >= least,
                "{what}: {share} of draws, at least {least} wanted"
            );
        }
        assert!(
            data.iter()
                .all(|d| (2..=12).contains(&d.len()) && smallest_gap(d) > 0.9e-3)
        );
    }

    #[test]
    fn reach_is_kept() {
        for (reach, largest) in [(OUTSIDE, 1.5), (EDGE, 1.0), (INSIDE, 0.999)] {
            let data = draws(strategies::problem(reach));
            let input = |(p, d): &(BiasDensity, Dataset)| d.largest_input() / strategies::scale(p);
            assert!(data.iter().all(|draw| input(draw) <= largest * (1.0 + EPS)));
            assert!(
                share(&data, |draw| input(draw) >= largest * (1.0 - EPS)) > 0.2,
                "{reach}"
            );
            if reach >= EDGE {
                let exact = |(p, d): &(BiasDensity, Dataset)| d.x().contains(&strategies::scale(p));
                assert!(share(&data, exact) > 0.2, "the edge is met to the last bit");
            }
        }
    }

    #[test]
    fn every_kind_of_density() {
        let densities = draws(strategies::density());
        use BiasDensity::*;
        for (what, share, least) in [
            (
                "uniform",
                share(&densities, |p| matches!(p, Uniform { .. })),
                0.25,
            ),
            (
                "gaussian",
                share(&densities, |p| matches!(p, Gaussian { .. })),
                0.25,
            ),
            (
                "triangular",
                share(&densities, |p| matches!(p, Triangular { .. })),
                0.25,
            ),
            ("not even", share(&densities, |p| !p.is_even()), 0.15),
            (
                "mode at an end",
                share(
                    &densities,
                    |p| matches!(p, Triangular { half_width: c, mode } if mode.abs() == *c),
                ),
                0.05,
            ),
        ] {
            println!("{what}: {share}");
            assert!(
                share >= least,
                "{what}: {share} of draws, at least {least} wanted"
            );
        }
        assert!(
            draws(strategies::even_density())
                .iter()
                .all(BiasDensity::is_even)
        );
    }
}
