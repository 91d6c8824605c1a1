//! Mirror flow against the projection, against discrete steps, and against another program.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod strategies;

use mirrorflow::{
    evidence::distance,
    setting::{
        Activation, Archive, BiasDensity, Convention, Dataset, Network, OutputInit, Potential,
        Scaling, Setting,
    },
    solver::{
        bregman_projection,
        conservation::Conservation,
        mirror_descent::{self, Rule},
        mirror_flow::{self, CONVERGED, Options, Run, Status},
        model::Trained,
    },
};
use ndarray::{Array1, Array2};
use ndarray_linalg::LeastSquaresSvd;
use proptest::prelude::*;
use std::path::Path;
use strategies::figure;

fn sample(setting: &Setting, width: usize, seed: u64) -> Network {
    Network::sample(&setting.bias, OutputInit::Zero, width, seed)
}

fn flow(setting: &Setting, initial: &Network, options: &Options) -> Run {
    mirror_flow::train(setting, initial, options, &mut |_| {}).unwrap()
}

/// sup over [−1.5, 1.5]·max|x|.
fn apart(setting: &Setting, f: &Network, g: &Network) -> f64 {
    let edge = 1.5 * setting.dataset.largest_input();
    let [f, g] = [f, g].map(|net| move |x| net.output(setting.activation, x));
    distance::sup(|x| f(x) - g(x), edge)
}

proptest! {
    #![proptest_config(strategies::config(24))]

    /// The flow of the output weights alone keeps to the row space of the features, whatever its
    /// steps are: with a vanishing residual these are the conditions for the projection. Each
    /// evaluation adds at most four vectors of the row space, rounded; least squares makes of an
    /// error e of the n entries at most √n e.
    #[test]
    fn output_weights_end_at_the_projection(
        points in prop::collection::btree_set(-7..=7, 2..=5),
        values in prop::collection::vec(-8..=8, 5),
        potential in prop_oneof![
            Just("quadratic"), Just("power:3,1"), Just("power:4,0.5"), Just("hypentropy:2")
        ],
        activation in prop_oneof![Just(Activation::Relu), Just(Activation::Abs)],
        scaling in prop_oneof![Just(Scaling::Unscaled), Just(Scaling::Scaled)],
        seed in 0u64..100,
    ) {
        let x: Vec<f64> = points.iter().map(|&k| f64::from(k) / 8.0).collect();
        let y: Vec<f64> = values[..x.len()].iter().map(|&k| f64::from(k) / 16.0).collect();
        let setting = Setting {
            dataset: Dataset::from_points(&x, &y).unwrap(),
            activation,
            bias: BiasDensity::uniform(1.0).unwrap(),
            potential: potential.parse().unwrap(),
            scaling,
        };
        let initial = sample(&setting, 300, seed);
        let options = Options { trained: Trained::OutputWeights, ..Options::default() };
        let mut dual = Vec::new();
        let run = mirror_flow::train(&setting, &initial, &options, &mut |state| {
            dual = state.model.in_network_order(state.dual)[600..900].to_vec();
        });
        let run = run.unwrap();
        prop_assert_eq!(run.status, Status::Converged);
        let dual = Array1::from(dual);
        let features = Array2::from_shape_fn((300, x.len()), |(k, i)| {
            activation.value(initial.w[k] * setting.dataset.x()[i] - initial.b[k])
        });
        let fit = features.least_squares(&dual).unwrap().solution;
        let largest = |v: &Array1<f64>| v.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
        let rounding = 4.0 * run.evaluations as f64 * f64::EPSILON * largest(&dual);
        let residue = largest(&(&dual - &features.dot(&fit)));
        prop_assert!(residue <= 300f64.sqrt() * rounding, "{residue:e} {rounding:e}");
    }
}

/// How far Ψ(a) may be from Ψ(w) + Ψ(b) at the end of a run: a step errs by the tolerance times the largest displacement
/// of each kind, and Ψ by |θ|φ'' times that; numbers themselves are rounded.
fn balance_error(setting: &Setting, initial: &Network, run: &Run, options: &Options) -> f64 {
    let network = &run.network;
    let potential = setting.parameter_potential(network.width());
    let largest = |values: &Array1<f64>| values.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
    let error = |values: &Array1<f64>, start: &Array1<f64>, moved: f64| {
        let relative = run.steps as f64 * options.tolerance * moved;
        let rounding = 16.0 * f64::EPSILON * largest(values).max(largest(start));
        let terms = values.iter().zip(start).map(|(v, s)| {
            let z = if options.uncentred { *v } else { v - s };
            let steepest = potential.hessian(z).max(potential.hessian(0.0));
            v.abs().max(s.abs()) * steepest * (relative + rounding)
        });
        terms.fold(0.0, f64::max)
    };
    let moved = run.largest_displacement;
    error(&network.w, &initial.w, moved.w)
        + error(&network.b, &initial.b, moved.b)
        + error(&network.a, &initial.a, moved.a)
}

fn imbalance(law: Conservation, initial: &Network, run: &Run) -> f64 {
    let defects = law.defects(initial, &run.network);
    defects.iter().fold(0.0, |a, defect| a.max(defect.abs()))
}

proptest! {
    #![proptest_config(strategies::config(16))]

    /// Along the flow of all parameters Ψ(a) = Ψ(w) + Ψ(b) at every neuron, and the biases that the law leads back to
    /// are those of the start, or their alternatives.
    #[test]
    fn each_neuron_keeps_its_balance(
        (bias, dataset) in strategies::problem(6),
        potential in prop_oneof![
            Just("quadratic"), Just("power:3,1"), Just("power:4,0.5"), Just("hypentropy:2")
        ],
        activation in prop_oneof![Just(Activation::Relu), Just(Activation::Abs)],
        scaling in prop_oneof![Just(Scaling::Unscaled), Just(Scaling::Scaled)],
        uncentred: bool,
        random: bool,
        horizon in 1.0..300.0f64,
        seed in 0u64..100,
    ) {
        let potential = potential.parse().unwrap();
        let setting = Setting { dataset, activation, bias, potential, scaling };
        let output = if random { "random:1,0.5".parse().unwrap() } else { OutputInit::Zero };
        let initial = Network::sample(&setting.bias, output, 60, seed);
        let options = Options { uncentred, horizon, tolerance: 1e-6, ..Options::default() };
        let run = flow(&setting, &initial, &options);
        prop_assume!(matches!(run.status, Status::Horizon | Status::Converged));
        let law = Conservation::new(&setting, 60, uncentred);
        let (off, bound) = (imbalance(law, &initial, &run), balance_error(&setting, &initial, &run, &options));
        prop_assert!(off <= bound, "{off:e} {bound:e}");
        let origins = law.origins(&initial, &run.network);
        let slope = setting.parameter_potential(60).hessian(0.0);
        for k in 0..60 {
            let near = [&origins.nearer, &origins.farther].map(|b| (b[k] - initial.b[k]).abs());
            // Where the law is flat in b̂ it says little.
            if origins.condition[k] < 1e3 {
                let error = 2.0 * origins.condition[k] * bound / slope;
                prop_assert!(near[0].min(near[1]) <= error, "{k}: {near:?} {error:e}");
            }
        }
    }
}

proptest! {
    #![proptest_config(strategies::config(128))]

    /// Networks that keep the law by construction lead back to their biases; the alternative keeps it as well, and
    /// the condition is what a relative change of each number moves the bias by.
    #[test]
    fn biases_are_found_from_the_law(
        potential in prop_oneof![
            Just("quadratic"), Just("power:3,1"), Just("power:4,0.5"), Just("power:2.5,0.1"), Just("hypentropy:0.3")
        ],
        (uncentred, scaled) in any::<(bool, bool)>(),
        (b, start) in prop_oneof![(-2.0..2.0, -2.0..2.0), (-2.0..2.0, -0.1..0.1).prop_map(|(b, m)| (b, b + m))],
        w in 0.5..1.5f64,
    ) {
        let scaling = if scaled { Scaling::Scaled } else { Scaling::Unscaled };
        let setting = figure(Activation::Relu, potential, scaling);
        let law = Conservation::new(&setting, 10, uncentred);
        let network = |w: f64, b: f64, a: f64| Network { w: vec![w].into(), b: vec![b].into(), a: vec![a].into(), d: 0.0 };
        let initial = network(1.0, start, 0.0);
        // Ψ(a; 0) grows with |a| from 0.
        let (mut low, mut high) = (0.0, 1e3);
        let defect = |a: f64| law.defects(&initial, &network(w, b, a))[0];
        prop_assume!(defect(low) < 0.0 && defect(high) > 0.0);
        while low < 0.5 * (low + high) && 0.5 * (low + high) < high {
            let middle = 0.5 * (low + high);
            if defect(middle) < 0.0 { low = middle } else { high = middle }
        }
        let end = network(w, b, high);
        let origins = |end: &Network| law.origins(&network(1.0, 0.0, 0.0), end);
        let found = origins(&end);
        let (nearer, farther, condition) = (found.nearer[0], found.farther[0], found.condition[0]);
        prop_assert!((b - nearer).abs() <= (b - farther).abs());
        prop_assume!(condition < 1e4);
        let off = (nearer - start).abs().min((farther - start).abs());
        prop_assert!(off <= 1e-12 * condition.max(1.0), "{nearer} {farther} {condition}");
        let curvature = |moved: f64| setting.parameter_potential(10).hessian(moved);
        for other in [nearer, farther] {
            let defect = law.defects(&network(1.0, other, 0.0), &end)[0];
            let centre = if uncentred { 0.0 } else { other };
            let terms = (b.abs() + other.abs()).powi(2) * (curvature(b - centre) + curvature(other - centre))
                + high * high * curvature(high) + w * w * curvature(w);
            prop_assert!(defect.abs() <= 64.0 * f64::EPSILON * terms, "{other}: {defect:e}");
        }
        // Where the two are far apart the law is as good as linear over a change of 10⁻⁷.
        prop_assume!((nearer - farther).abs() > 1e-2 * (1.0 + condition));
        let relative = 1e-7;
        let moved: f64 = [
            network(w * (1.0 + relative), b, high),
            network(w, b * (1.0 + relative), high),
            network(w, b, high * (1.0 + relative)),
        ]
        .iter()
        .map(|end| (origins(end).nearer[0] - nearer).abs())
        .sum();
        prop_assert!((moved / relative - condition).abs() <= 1e-2 * condition, "{} {condition}", moved / relative);
    }
}

/// No balance is kept where only the output layer is trained, and none under another potential or centre.
#[test]
fn the_balance_is_that_of_all_parameters_under_their_potential() {
    let setting = figure(Activation::Relu, "power:3,1", Scaling::Scaled);
    let initial = sample(&setting, 60, 0);
    let options = Options {
        tolerance: 1e-8,
        ..Options::default()
    };
    let run = flow(&setting, &initial, &options);
    let bound = balance_error(&setting, &initial, &run, &options);
    let law = Conservation::new(&setting, 60, false);
    assert!(imbalance(law, &initial, &run) <= bound);
    let alone = Options {
        trained: Trained::OutputLayer,
        ..options
    };
    let other = Setting {
        potential: "power:3,2".parse().unwrap(),
        ..setting.clone()
    };
    for (law, run) in [
        (law, flow(&setting, &initial, &alone)),
        (Conservation::new(&other, 60, false), run.clone()),
        (Conservation::new(&setting, 60, true), run),
    ] {
        let off = imbalance(law, &initial, &run);
        assert!(off > 2.0 * bound, "{off:e} {bound:e}");
    }
}

/// d/dt D_Φ(θ*, θ(t)) = −2ηL for every interpolating θ* of the linear model: over each step, the
/// fall is the integral of |r|²η/m, which Simpson's rule would not see; so its sign and its sum.
#[test]
fn the_divergence_to_an_interpolant_falls() {
    let setting = figure(Activation::Abs, "power:3,1", Scaling::Scaled);
    let initial = sample(&setting, 200, 1);
    let target = bregman_projection::project(&setting, &initial)
        .unwrap()
        .alpha;
    let n = target.len();
    let mut divergences = Vec::new();
    let options = Options {
        trained: Trained::OutputWeights,
        ..Options::default()
    };
    mirror_flow::train(&setting, &initial, &options, &mut |state| {
        let theta = state.model.in_network_order(&state.point.parameters);
        let alphas = theta[2 * n..3 * n].iter().map(|a| a * n as f64);
        let terms = target.iter().zip(alphas);
        let sum = terms.map(|(goal, alpha)| setting.potential.bregman_divergence(*goal, alpha));
        divergences.push(sum.sum::<f64>() / n as f64);
    })
    .unwrap();
    assert!(
        divergences
            .windows(2)
            .all(|pair| pair[1] < pair[0] + 1e-13 * divergences[0])
    );
    assert!(*divergences.last().unwrap() < 1e-12 * divergences[0]);
}

/// At a fixed flow time mirror descent and Euler steps are off by O(h): halving h halves the
/// distance, and extrapolating both to h = 0 leaves the flow's own error.
#[test]
fn discrete_steps_converge_to_the_flow() {
    let setting = figure(Activation::Abs, "power:3,1", Scaling::Scaled);
    let initial = sample(&setting, 60, 0);
    let options = Options {
        horizon: 64.0,
        tolerance: 1e-7,
        ..Options::default()
    };
    let end = flow(&setting, &initial, &options);
    assert_eq!((end.status, end.time), (Status::Horizon, 64.0));
    for rule in [Rule::MirrorDescent, Rule::Euler] {
        let options = Options {
            most_steps: 1 << 20,
            ..options
        };
        let distance = |step: f64| {
            let run = mirror_descent::train(&setting, &initial, rule, step, &options);
            assert_eq!(run.status, Status::Horizon);
            apart(&setting, &run.network, &end.network)
        };
        let [coarse, fine] = [1.0 / 32.0, 1.0 / 64.0].map(distance);
        let order = (coarse / fine).log2();
        assert!(
            (order - 1.0).abs() < 0.1,
            "{rule:?}: {coarse:e} {fine:e} order {order}"
        );
    }
}

/// A hundred times smaller tolerance leaves a smaller error, kinks and all.
#[test]
fn the_tolerance_bounds_the_error() {
    let setting = figure(Activation::Abs, "power:4,1", Scaling::Scaled);
    let initial = sample(&setting, 540, 0);
    let at = |tolerance| {
        flow(
            &setting,
            &initial,
            &Options {
                tolerance,
                ..Options::default()
            },
        )
    };
    let best = at(1e-7);
    let errors = [1e-3, 1e-4, 1e-5].map(|tolerance| {
        let error = apart(&setting, &at(tolerance).network, &best.network);
        assert!(error <= tolerance, "{error:e} at tolerance {tolerance:e}");
        error
    });
    assert!(errors[2] < 0.1 * errors[0], "{errors:?}");
}

/// Where the field is smooth the error of the end falls with the fourth power of the number of steps.
#[test]
fn the_order_of_convergence_is_four() {
    let setting = figure(Activation::Abs, "power:4,1", Scaling::Scaled);
    let initial = sample(&setting, 180, 0);
    let at = |tolerance| {
        let options = Options {
            trained: Trained::OutputLayer,
            tolerance,
            horizon: 100.0,
            ..Options::default()
        };
        flow(&setting, &initial, &options)
    };
    let best = at(1e-9);
    let [coarse, fine] = [1e-4, 1e-6].map(|tolerance| {
        let run = at(tolerance);
        let error = apart(&setting, &run.network, &best.network);
        (run.steps as f64, error)
    });
    let order = (coarse.1 / fine.1).ln() / (fine.0 / coarse.0).ln();
    assert!(
        (order - 4.0).abs() < 0.5,
        "{coarse:?} {fine:?} order {order}"
    );
}

/// Another program's iteration in float64 ends 5.2e-7 away, of which its finite steps and the loss
/// at which it stopped are the cause: less than 1e-6 is what it was stopped at, in the residual.
#[test]
fn a_network_of_another_program() {
    let file = Path::new("tests/data/f64_scaled_abs_p2_n540_seed0.npz");
    let archive = Archive::read(file, Some(Convention::Plus)).unwrap();
    let mut setting = figure(Activation::Abs, "quadratic", Scaling::Scaled);
    setting.dataset = archive.dataset.unwrap();
    let initial = archive.initial.unwrap();
    let run = flow(&setting, &initial, &Options::default());
    assert_eq!(run.status, Status::Converged);
    let distance = apart(&setting, &run.network, &archive.network);
    assert!((4e-7..6e-7).contains(&distance), "{distance:e}");
    // Under another potential the same start leads elsewhere.
    setting.potential = Potential::power(4.0, 1.0).unwrap();
    let twin = flow(&setting, &initial, &Options::default());
    assert!(apart(&setting, &twin.network, &archive.network) > 1e-2);
}

/// A network that cannot fit says so.
#[test]
fn a_stationary_end() {
    let setting = figure(Activation::Relu, "quadratic", Scaling::Unscaled);
    let w = ndarray::array![1.0, 1.0];
    let initial = Network {
        b: ndarray::array![0.5, 0.7],
        a: ndarray::array![0.0, 0.0],
        d: 0.0,
        w,
    };
    let options = Options {
        trained: Trained::OutputLayer,
        ..Options::default()
    };
    let run = flow(&setting, &initial, &options);
    assert_eq!(run.status, Status::Stationary);
    assert!(run.residual > 0.01);
}

/// Steps that are too long are a status, not an endless run.
#[test]
fn too_long_steps_diverge() {
    let setting = figure(Activation::Relu, "quadratic", Scaling::Unscaled);
    let initial = sample(&setting, 20, 0);
    let run = mirror_descent::train(&setting, &initial, Rule::Euler, 1e9, &Options::default());
    assert_eq!(run.status, Status::Diverged);
    assert_eq!((run.steps, run.evaluations), (1, 2));
    assert_eq!(run.time, 1e9);
    // A linear model diverges by as many steps in any unit of values above 1.
    let options = Options {
        trained: Trained::OutputWeights,
        ..Options::default()
    };
    let steps = [10, 20, 30].map(|power| {
        let unit = 2.0_f64.powi(power);
        let y = setting.dataset.y().iter().map(|y| unit * y).collect();
        let setting = Setting {
            dataset: setting.dataset.with_values(y).unwrap(),
            ..setting.clone()
        };
        let run = mirror_descent::train(&setting, &initial, Rule::Euler, 100.0, &options);
        assert_eq!(run.status, Status::Diverged);
        run.steps
    });
    assert!(steps[0] > 1 && steps == [steps[0]; 3], "{steps:?}");
}

/// Found by fuzzing: knots slid along a datum to within the tolerance of steps, and networks said to be converged
/// were off the data by 7.8e-8 and 3.0e-8.
#[test]
fn sliding_knots_stay_on_their_data() {
    let (x, y) = (
        [-4.125, -0.254913330078125, 0.0],
        [-0.2571258544921875, -0.254913330078125, -0.254913330078125],
    );
    let setting = Setting {
        dataset: Dataset::from_points(&x, &y).unwrap(),
        bias: "gaussian:0.25".parse().unwrap(),
        ..figure(Activation::Relu, "quadratic", Scaling::Scaled)
    };
    let output = "random:1,0.5".parse().unwrap();
    for seed in [1, 25] {
        let initial = Network::sample(&setting.bias, output, 12, seed);
        let run = flow(&setting, &initial, &Options::default());
        assert!(
            run.status == Status::Converged && run.events.pins > 0,
            "{run:?}"
        );
        let network = &run.network;
        for (x, y) in x.into_iter().zip(y) {
            let terms = (network.w.iter().zip(&network.b).zip(&network.a))
                .map(|((w, b), a)| (a * w * x).abs() + (a * b).abs());
            let size = terms.sum::<f64>() + network.d.abs() + y.abs();
            let rounding = 16.0 * f64::EPSILON * size;
            let off = (network.output(setting.activation, x) - y).abs();
            assert!(off <= CONVERGED + rounding, "seed {seed}, at {x}: {off:e}");
        }
    }
}

/// Found by fuzzing: NaN, which no comparison rejects, was taken for a vanishing gradient or a horizon reached.
#[test]
fn overflow_is_failure() {
    let failed = |run: Run| {
        let fine = [Status::Converged, Status::Stationary, Status::Horizon];
        assert!(!fine.contains(&run.status), "{run:?}");
    };
    let setting = |x: &[f64], potential: &str, activation: Activation| Setting {
        dataset: Dataset::from_points(x, &vec![-2.0; x.len()]).unwrap(),
        ..figure(activation, potential, Scaling::Scaled)
    };
    let far = setting(&[-1.0, 1e200], "power:3,1", Activation::Abs);
    failed(flow(&far, &sample(&far, 9, 0), &Options::default()));
    let near = setting(&[-0.9375], "hypentropy:2", Activation::Relu);
    let initial = sample(&near, 9, 0);
    for horizon in [1e6, f64::INFINITY] {
        let options = Options {
            horizon,
            ..Options::default()
        };
        let rule = Rule::MirrorDescent;
        failed(mirror_descent::train(&near, &initial, rule, 1e6, &options));
    }
}

/// The loss of the last step is the one asked for, to 2⁻⁴⁰ of the step.
#[test]
fn a_flow_stops_at_its_loss() {
    for (activation, loss) in [(Activation::Relu, 1e-3), (Activation::Abs, 1e-4)] {
        let setting = figure(activation, "power:3,1", Scaling::Scaled);
        let options = Options {
            loss,
            trained: Trained::OutputLayer,
            ..Options::default()
        };
        let run = flow(&setting, &sample(&setting, 100, 0), &options);
        let data = &setting.dataset;
        let squares = (data.x().iter().zip(data.y()))
            .map(|(&x, y)| (run.network.output(activation, x) - y).powi(2));
        let reached = 0.5 * squares.sum::<f64>() / data.len() as f64;
        assert_eq!(run.status, Status::Horizon);
        assert_eq!((run.displacement.w, run.displacement.b), (0.0, 0.0));
        assert!((reached / loss - 1.0).abs() < 1e-9, "{reached:e}");
    }
}

/// Displacements are those of each kind of parameter.
#[test]
fn displacements_are_told_apart() {
    let setting = figure(Activation::Relu, "power:3,1", Scaling::Scaled);
    // From large output weights, these move least.
    for output in [OutputInit::Zero, "random:20,1".parse().unwrap()] {
        let initial = Network::sample(&setting.bias, output, 100, 0);
        let run = flow(&setting, &initial, &Options::default());
        let largest = |one: &Array1<f64>, other: &Array1<f64>| {
            (one - other).iter().fold(0.0_f64, |a, v| a.max(v.abs()))
        };
        let network = &run.network;
        let moved = [
            (run.displacement.w, largest(&network.w, &initial.w)),
            (run.displacement.b, largest(&network.b, &initial.b)),
            (run.displacement.a, largest(&network.a, &initial.a)),
            (run.displacement.d, (network.d - initial.d).abs()),
        ];
        for (k, (told, measured)) in moved.into_iter().enumerate() {
            assert!(
                (told - measured).abs() <= 1e-12 * measured,
                "{told:e} {measured:e}"
            );
            assert!(moved.iter().skip(k + 1).all(|other| other.1 != measured));
        }
    }
}

/// More neurons than are summed at a time, and data and outputs of sizes other than 1.
#[test]
fn wide_layers_and_other_units_converge() {
    for (activation, steps) in [(Activation::Relu, 8), (Activation::Abs, 7)] {
        let setting = figure(activation, "quadratic", Scaling::Scaled);
        let initial = sample(&setting, 20_000, 0);
        for trained in [Trained::OutputLayer, Trained::OutputWeights] {
            let options = Options {
                trained,
                ..Options::default()
            };
            let run = flow(&setting, &initial, &options);
            assert_eq!((run.status, run.steps), (Status::Converged, steps));
            assert!(run.residual <= 2.0 * CONVERGED, "{:e}", run.residual);
        }
        let options = Options {
            most_steps: 4,
            ..Options::default()
        };
        let mut seen = 0;
        let check = &mut |state: &mirror_flow::State<'_>| {
            let residual = setting.residual(&state.model.network(&state.point.parameters));
            let gap = state.point.largest_residual() - residual;
            assert!(gap.abs() <= 1e-12, "{gap:e}");
            seen += 1;
        };
        mirror_flow::train(&setting, &initial, &options, check).unwrap();
        assert!(seen > 2, "{seen}");
    }
    let work = [1.0, 1e5].map(|unit| {
        let mut setting = figure(Activation::Abs, "quadratic", Scaling::Unscaled);
        let data = &setting.dataset;
        let [x, y] = [data.x(), data.y()].map(|v| v.iter().map(|v| v * unit).collect::<Vec<f64>>());
        let initial = sample(&setting, 100, 0);
        setting.dataset = Dataset::from_points(&x, &y).unwrap();
        let initial = Network {
            b: &initial.b * unit,
            ..initial
        };
        let run = flow(&setting, &initial, &Options::default());
        let Run {
            status,
            steps,
            events,
            ..
        } = run;
        format!("{unit:e}: {status:?} {steps} {events:?}")
    });
    insta::assert_snapshot!(work.join("\n"), @r"
    1e0: Converged 191 Events { crossings: 0, pins: 5, releases: 0 }
    1e5: Converged 160 Events { crossings: 0, pins: 2, releases: 0 }
    ");
}

/// What flows take, which digits do not show: a change is a change of the solver.
#[test]
fn work_is_on_record() {
    let [relu, abs] = [Activation::Relu, Activation::Abs];
    let uneven: BiasDensity = "triangular:1.2,0.3".parse().unwrap();
    let lines = [
        (relu, "quadratic", Scaling::Unscaled),
        (relu, "power:3,1", Scaling::Unscaled),
        (relu, "power:4,0.1", Scaling::Scaled),
        (relu, "hypentropy:0.5", Scaling::Scaled),
        (abs, "quadratic", Scaling::Unscaled),
        (abs, "power:3,1", Scaling::Scaled),
        (abs, "power:3,0.3", Scaling::Unscaled),
        (abs, "hypentropy:0.1", Scaling::Scaled),
    ]
    .map(|(activation, potential, scaling)| {
        let even = figure(activation, potential, scaling);
        let setting = Setting { bias: uneven, ..even.clone() };
        let counts = |setting: &Setting, output: OutputInit, width: usize, options: Options| {
            let initial = Network::sample(&setting.bias, output, width, 0);
            let run = flow(setting, &initial, &options);
            let Run { status, steps, evaluations, events, .. } = run;
            format!("{status:?} {steps} {evaluations} {} {} {}", events.crossings, events.pins, events.releases)
        };
        let trained = Options { most_steps: 400, ..Options::default() };
        let zero = OutputInit::Zero;
        let random = "random:1,0.5".parse().unwrap();
        [
            format!("{activation:?} {scaling:?} {potential}: status, steps, evaluations, crossings, pins, releases"),
            counts(&even, zero, 60, trained),
            counts(&setting, random, 60, trained),
            counts(&even, zero, 200, Options { tolerance: 1e-7, ..trained }),
            counts(&setting, random, 90, Options { trained: Trained::OutputLayer, ..trained }),
            counts(&even, zero, 90, Options { trained: Trained::OutputWeights, ..trained }),
            counts(&even, random, 200, Options { uncentred: true, ..trained }),
        ]
        .join("\n")
    });
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("flow-work", lines.join("\n\n"));
    });
}

/// The gradient of a parameter counts as nothing up to 10⁻¹² of what its terms could add up to: m max|r| times |a|·max(1, max|x|) for
/// w and b, |w| max(1, max|x|) + |b| for a, 1 for d. Here one of them at a time decides, a little below that and a little above.
#[test]
fn a_vanishing_gradient_is_small_beside_its_terms() {
    let status = |trained, [w, b, a]: [[f64; 3]; 3], x: &[f64], residual: &[f64]| {
        let initial = Network {
            w: w.to_vec().into(),
            b: b.to_vec().into(),
            a: a.to_vec().into(),
            d: 0.0,
        };
        let values = x.iter().zip(residual);
        let y: Vec<f64> = values
            .map(|(&x, r)| initial.output(Activation::Abs, x) - r)
            .collect();
        let mut setting = figure(Activation::Abs, "quadratic", Scaling::Unscaled);
        setting.dataset = Dataset::from_points(x, &y).unwrap();
        let options = Options {
            trained,
            most_steps: 0,
            ..Options::default()
        };
        flow(&setting, &initial, &options).status
    };
    let none = [0.0; 3];
    for (share, expected) in [(0.97, Status::Stationary), (1.03, Status::OutOfSteps)] {
        // Σ r σ = 6ε for the one neuron, whose knot is midway; its terms are of size 2·8 + 10.
        let e = share * 2e-12 * 26.0 / 6.0;
        let middle = [[0.0, 2.0, 0.0], [0.0, 10.0, 0.0], none];
        let found = status(
            Trained::OutputWeights,
            middle,
            &[2.0, 8.0],
            &[1.0, -1.0 - e],
        );
        assert_eq!(found, expected, "a");
        // Knots left of all data: Σ r x = ε and Σ r = 0, then Σ r = δ and Σ r x = 0.
        let left = [[1.0; 3], [-10.0; 3], [0.0, 0.5, 0.0]];
        let e = share * 3e-12 * 1.5 * 4.0;
        let found = status(
            Trained::All,
            left,
            &[1.0, 2.0, 4.0],
            &[1.0 - e, e - 1.5, 0.5],
        );
        assert_eq!(found, expected, "w");
        let e = share * 3e-12 * 1.5;
        let found = status(
            Trained::All,
            left,
            &[1.0, 2.0, 4.0],
            &[1.0 + 2.0 * e, -1.5 - e, 0.5],
        );
        assert_eq!(found, expected, "d");
    }
}

/// Knots that cease to slide, as some do where outputs start far from the data.
#[test]
fn releases_are_on_record() {
    let [relu, abs] = [Activation::Relu, Activation::Abs];
    let (unscaled, scaled) = (Scaling::Unscaled, Scaling::Scaled);
    let lines = [
        (relu, "quadratic", unscaled, "random:1,4", 12, 0),
        (relu, "quadratic", unscaled, "random:1,4", 12, 6),
        (relu, "power:3,1", unscaled, "random:1,4", 12, 0),
        (relu, "power:3,1", scaled, "random:1,4", 7, 9),
        (abs, "power:3,1", unscaled, "random:1,4", 12, 8),
        (abs, "quadratic", unscaled, "random:1,4", 12, 3),
        (abs, "power:3,1", scaled, "random:1,4", 12, 5),
        (abs, "power:3,1", scaled, "random:1,4", 12, 2),
        // Inner weights move more than outer ones.
        (relu, "power:3,1", unscaled, "random:20,1", 12, 1),
    ]
    .map(|(activation, potential, scaling, output, width, seed)| {
        let setting = figure(activation, potential, scaling);
        let initial = Network::sample(&setting.bias, output.parse().unwrap(), width, seed);
        let Run { status, steps, evaluations, events, .. } = flow(&setting, &initial, &Options::default());
        format!(
            "{activation:?} {scaling:?} {potential} {output}: {status:?} {steps} {evaluations} {} {} {}",
            events.crossings, events.pins, events.releases
        )
    });
    insta::assert_snapshot!(lines.join("\n"), @r"
    Relu Unscaled quadratic random:1,4: Stationary 199 835 5 2 2
    Relu Unscaled quadratic random:1,4: Stationary 317 1602 4 5 5
    Relu Unscaled power:3,1 random:1,4: Stationary 213 931 6 2 2
    Relu Scaled power:3,1 random:1,4: Stationary 449 2026 5 3 3
    Abs Unscaled power:3,1 random:1,4: Stationary 142 579 6 1 1
    Abs Unscaled quadratic random:1,4: Stationary 170 774 10 2 2
    Abs Scaled power:3,1 random:1,4: Converged 396 1672 6 2 1
    Abs Scaled power:3,1 random:1,4: Stationary 578 2620 7 6 6
    Relu Unscaled power:3,1 random:20,1: Converged 199 720 5 0 0
    ");
}
