//! proptest strategies that every test file shares.
//!
//! Everything is drawn as small integers and built into floats, so that a counterexample shrinks to
//! something one can read. `tests/setting.rs` measures how often the hard cases come up.

// Each test binary compiles its own copy and uses a part of it.
#![allow(dead_code)]

use mirrorflow::setting::{Activation, BiasDensity, Dataset, Potential, Scaling, Setting, Shape};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

/// The same cases on every run; `cases` of them.
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/regressions.txt",
        ))),
        max_shrink_time: 30_000,
        ..ProptestConfig::default()
    }
}

/// The data of figure 1 for ReLU, of figure 2 for |·|, with uniform biases.
pub fn figure(activation: Activation, potential: &str, scaling: Scaling) -> Setting {
    Setting {
        dataset: match activation {
            Activation::Relu => Dataset::figure1(),
            Activation::Abs => Dataset::figure2(),
        },
        activation,
        bias: "uniform:1".parse().unwrap(),
        potential: potential.parse().unwrap(),
        scaling,
    }
}

/// Reaches for [`dataset`]: past the edge of the support, up to the edge, strictly inside.
pub const OUTSIDE: i32 = 1500;
/// See [`OUTSIDE`].
pub const EDGE: i32 = 1000;
/// See [`OUTSIDE`].
pub const INSIDE: i32 = 999;

/// Data sets of 2 to 12 points, in no order, for a density of the given scale (its half-width).
///
/// Inputs are multiples of scale/1000 no larger than `reach` of them: a grid of step 1/8, the edges
/// ±1 wherever they are within reach, and close neighbours at 1/1000 to 5/1000. Values are a power
/// of ten from 1e-3 to 1e3 times twentieths in [−1, 1].
pub fn dataset(scale: f64, reach: i32) -> impl Strategy<Value = Dataset> {
    let base = prop_oneof![
        6 => (-12..=12).prop_map(|k| 125 * k),
        1 => prop_oneof![Just(-1000), Just(1000)],
    ];
    let gap = prop_oneof![4 => Just(0), 1 => 1..=5];
    let inputs =
        prop::collection::vec((base, gap), 1..=12).prop_filter_map("two inputs", move |pairs| {
            let mut inputs = Vec::new();
            for k in pairs.iter().flat_map(|&(base, gap)| [base, base + gap]) {
                let k = k.clamp(-reach, reach);
                if !inputs.contains(&k) && inputs.len() < 12 {
                    inputs.push(k);
                }
            }
            (inputs.len() > 1).then_some(inputs)
        });
    let values = (prop::collection::vec(-20..=20, 12), -3..=3);
    (inputs, values).prop_map(move |(inputs, (values, exponent))| {
        let x: Vec<f64> = inputs
            .iter()
            .map(|&k| scale * (f64::from(k) / 1000.0))
            .collect();
        let unit = 10f64.powi(exponent) / 20.0;
        let y: Vec<f64> = values[..x.len()]
            .iter()
            .map(|&k| unit * f64::from(k))
            .collect();
        Dataset::from_points(&x, &y).expect("distinct and finite")
    })
}

/// All three families, with scales from 1/4 to 3; triangles with any mode, often 0 or an end.
pub fn density() -> impl Strategy<Value = BiasDensity> {
    let mode = prop_oneof![3 => -8..=8, 1 => Just(0), 1 => prop_oneof![Just(-8), Just(8)]];
    densities(mode)
}

/// All three families, symmetric about 0 as the paper assumes.
pub fn even_density() -> impl Strategy<Value = BiasDensity> {
    densities(Just(0))
}

/// Triangles get mode `eighths`/8 in units of the half-width.
fn densities(eighths: impl Strategy<Value = i32>) -> impl Strategy<Value = BiasDensity> {
    (0..3, 1..=12, eighths).prop_map(|(family, quarters, eighths)| {
        let scale = f64::from(quarters) / 4.0;
        match family {
            0 => BiasDensity::uniform(scale),
            1 => BiasDensity::gaussian(scale),
            _ => BiasDensity::triangular(scale, scale * (f64::from(eighths) / 8.0)),
        }
        .expect("scales are positive and modes inside")
    })
}

/// The half-width, or the standard deviation of a Gaussian: the unit in which to draw inputs.
pub fn scale(density: &BiasDensity) -> f64 {
    match *density {
        BiasDensity::Gaussian { standard_deviation } => standard_deviation,
        _ => density.half_width(),
    }
}

/// A density and data in its units, within `reach` of its scale.
pub fn problem(reach: i32) -> impl Strategy<Value = (BiasDensity, Dataset)> {
    density().prop_flat_map(move |density| (Just(density), dataset(scale(&density), reach)))
}

/// (|z|³ + z²)/2, as one's own: `power:3,1` by another name.
#[derive(Debug)]
pub struct Cubic;

impl Shape for Cubic {
    fn name(&self) -> &str {
        "cubic"
    }
    fn value(&self, z: f64) -> f64 {
        0.5 * z * z * (z.abs() + 1.0)
    }
    fn mirror_map(&self, z: f64) -> f64 {
        z * (1.5 * z.abs() + 1.0)
    }
    fn hessian(&self, z: f64) -> f64 {
        3.0 * z.abs() + 1.0
    }
    fn third_derivative(&self, z: f64) -> f64 {
        3.0_f64.copysign(z)
    }
    fn inverse_mirror_map(&self, u: f64) -> f64 {
        2.0 * u / (1.0 + (1.0 + 6.0 * u.abs()).sqrt())
    }
    fn leading_correction(&self) -> (f64, f64) {
        (0.5, 3.0)
    }
    fn stability_radius(&self, ratio: f64) -> f64 {
        "power:3,1"
            .parse::<Potential>()
            .unwrap()
            .stability_radius(ratio)
    }
}
