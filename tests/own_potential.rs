//! A potential of one's own: one of ours, written as such, gives the same numbers.

#![allow(clippy::unwrap_used)]

mod strategies;

use mirrorflow::{
    evidence::{
        certificate,
        conic::{Affine, Penalty, Program},
        distance, ensemble,
    },
    setting::{Activation, Dataset, Potential, Scaling, Setting, Shape},
    solver::infinite_width,
};
use strategies::Cubic;

/// z²/2, with what every shape must say and nothing more.
#[derive(Debug)]
struct Square;

impl Shape for Square {
    fn name(&self) -> &str {
        "square"
    }
    fn value(&self, z: f64) -> f64 {
        0.5 * z * z
    }
    fn mirror_map(&self, z: f64) -> f64 {
        z
    }
    fn hessian(&self, _: f64) -> f64 {
        1.0
    }
    fn third_derivative(&self, _: f64) -> f64 {
        0.0
    }
    fn inverse_mirror_map(&self, u: f64) -> f64 {
        u
    }
    fn leading_correction(&self) -> (f64, f64) {
        (0.0, 3.0)
    }
}

fn ours() -> Potential {
    Potential::power(3.0, 1.0).unwrap()
}

#[test]
fn every_function_of_it_is_the_same() {
    for scale in [1.0, 0.25] {
        let (own, ours) = (
            Potential::own(&Cubic).rescaled(scale),
            ours().rescaled(scale),
        );
        let near = |one: f64, other: f64, what: &str| {
            let gap = (one - other).abs();
            assert!(gap <= 1e-14 * other.abs(), "{what}: {one} {other}");
        };
        for z in [-3.0, -0.5, 0.01, 0.7, 40.0] {
            near(own.value(z), ours.value(z), "φ");
            near(own.mirror_map(z), ours.mirror_map(z), "φ'");
            near(own.hessian(z), ours.hessian(z), "φ''");
            near(own.third_derivative(z), ours.third_derivative(z), "φ'''");
            near(own.conjugate(z), ours.conjugate(z), "φ*");
            near(
                own.inverse_mirror_map(z),
                ours.inverse_mirror_map(z),
                "(φ*)'",
            );
            near(
                own.conjugate_hessian(z),
                ours.conjugate_hessian(z),
                "(φ*)''",
            );
            near(
                own.bregman_divergence(z, 0.3),
                ours.bregman_divergence(z, 0.3),
                "D",
            );
        }
        assert_eq!(own.leading_correction(), ours.leading_correction());
        near(
            own.stability_radius(2.0),
            ours.stability_radius(2.0),
            "radius",
        );
        assert_eq!(own, own);
        assert_ne!(own, ours);
    }
    assert_eq!(Potential::own(&Cubic).to_string(), "cubic");
    let square = Potential::own(&Square);
    assert_ne!(square, Potential::own(&Cubic));
    assert_eq!(square.stability_radius(2.0), 0.0);
}

#[test]
fn solvers_take_it() {
    let setting = |potential| Setting {
        dataset: Dataset::figure2(),
        activation: Activation::Abs,
        bias: "uniform:1".parse().unwrap(),
        potential,
        scaling: Scaling::Scaled,
    };
    let [own, ours, other] = [
        Potential::own(&Cubic),
        ours(),
        Potential::power(3.0, 1.000_001).unwrap(),
    ]
    .map(|potential| infinite_width::minimize(&setting(potential)).unwrap());
    let bound = |one| certificate::certify(one).sup_error_bound;
    let bounds = bound(&own) + bound(&ours);
    assert!(bounds < 1e-9, "{bounds:e}");
    let apart =
        |one: &infinite_width::Solution| distance::sup(|x| one.value(x) - ours.value(x), 1.5);
    assert!(apart(&own) <= bounds, "{:e} {bounds:e}", apart(&own));
    assert!(apart(&other) > bounds, "{:e} {bounds:e}", apart(&other));
    let [one, two] = [&own, &ours].map(|solution| {
        let run = ensemble::train(solution.setting(), 60, 0, ensemble::TOLERANCE).unwrap();
        run.network.output(Activation::Abs, -0.1)
    });
    assert!((one - two).abs() < 1e-9, "{one} {two}");
}

#[test]
fn cone_programs_refuse_it() {
    let atom = |knot| mirrorflow::evidence::conic::Atom {
        knot,
        sheet: mirrorflow::solver::dual::Sheet::Both,
        penalty: 0.5,
        generated: 0.5,
    };
    let program = Program {
        penalty: Penalty::Potential(Potential::own(&Cubic)),
        atoms: vec![atom(-0.5), atom(0.0), atom(0.5)],
        affine: Affine {
            slopes: None,
            offset: None,
        },
    };
    let message = program
        .solve(&[-1.0, 1.0], &[0.0, 1.0], 1e-6)
        .unwrap_err()
        .to_string();
    assert!(message.contains("cubic"), "{message}");
}
