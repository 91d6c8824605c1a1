//! Every network of the paper's figures trains, in a number of steps that is on record.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use mirrorflow::{
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Scaling, Setting},
    solver::mirror_flow::{self, Options, Run, Status},
};
use rayon::prelude::*;
use std::{collections::BTreeMap, fmt::Write};

fn relu(potential: &str) -> Setting {
    Setting {
        dataset: Dataset::figure1(),
        activation: Activation::Relu,
        bias: BiasDensity::uniform(1.0).unwrap(),
        potential: potential.parse().unwrap(),
        scaling: Scaling::Unscaled,
    }
}

fn abs(potential: &str) -> Setting {
    Setting {
        dataset: Dataset::figure2(),
        activation: Activation::Abs,
        scaling: Scaling::Scaled,
        ..relu(potential)
    }
}

fn train(setting: &Setting, width: usize, seed: u64) -> Run {
    let initial = Network::sample(&setting.bias, OutputInit::Zero, width, seed);
    mirror_flow::train(setting, &initial, &Options::default(), &mut |_| {}).unwrap()
}

/// The 180 networks of figures 1 and 2, five shifts of figure 1's data, and Gaussian biases.
fn networks() -> Vec<(String, Setting, usize, u64)> {
    let mut networks = Vec::new();
    for potential in ["quadratic", "power:3,1", "power:4,1"] {
        for (figure, setting) in [(1, relu(potential)), (2, abs(potential))] {
            for width in [20, 60, 180, 540, 1620, 4860] {
                for seed in 0..5 {
                    let name = format!("figure {figure}, {potential}, n = {width}, seed {seed}");
                    networks.push((name, setting.clone(), width, seed));
                }
            }
        }
    }
    for shift in [2.5, 1.0, -0.5, -2.0, -3.5] {
        let mut setting = relu("quadratic");
        setting.dataset = setting.dataset.shifted(shift).unwrap();
        networks.push((format!("figure 1, y{shift:+}, n = 4860"), setting, 4860, 0));
    }
    let mut setting = abs("quadratic");
    setting.bias = BiasDensity::gaussian(0.5).unwrap();
    let name = "figure 2, Gaussian biases, n = 4860".into();
    networks.push((name, setting, 4860, 0));
    networks
}

/// Each converges, within a factor 2 of the steps on record (counts move with the last bits at narrow
/// widths). With `RECORD` in the environment the record is written anew.
#[test]
fn every_network_of_the_figures_converges() {
    const RECORD: &str = include_str!("../snapshots/steps.txt");
    let ranges: BTreeMap<&str, (usize, usize)> = RECORD
        .lines()
        .map(|line| {
            let (name, range) = line.rsplit_once(": ").unwrap();
            let (low, high) = range.split_once(" to ").unwrap();
            (name, (low.parse().unwrap(), high.parse().unwrap()))
        })
        .collect();
    let networks = networks();
    let runs: Vec<(&str, Run)> = networks
        .par_iter()
        .rev() // the wide ones first
        .map(|(name, setting, width, seed)| (name.as_str(), train(setting, *width, *seed)))
        .collect();
    let (mut record, mut wrong) = (String::new(), Vec::new());
    for (name, run) in runs.iter().rev() {
        writeln!(record, "{name}: {} to {}", run.steps / 2, 2 * run.steps).unwrap();
        let within = ranges
            .get(name)
            .is_some_and(|(low, high)| (low..=high).contains(&&run.steps));
        if run.status != Status::Converged || run.residual > 1e-10 * 3.65 || !within {
            wrong.push(format!(
                "{name}: {:?} after {} steps",
                run.status, run.steps
            ));
        }
    }
    if std::env::var_os("RECORD").is_some() {
        std::fs::write("snapshots/steps.txt", record).unwrap();
    } else {
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(ranges.len(), runs.len());
    }
}

/// Where the features and the constant do not span the data, the flow ends at a stationary point unless
/// its knots moved first: no residual can be lowered, as each derivative of the loss vanishes.
#[test]
fn draws_that_cannot_fit_end_stationary() {
    let mut stationary = Vec::new();
    for (figure, setting, width) in [(1, relu("quadratic"), 7), (2, abs("power:3,1"), 6)] {
        for seed in 0..30 {
            let run = train(&setting, width, seed);
            let net = &run.network;
            match run.status {
                Status::Converged => continue,
                Status::Stationary => {}
                other => panic!("figure {figure}, seed {seed}: {other:?} {run:?}"),
            }
            assert!(run.residual > 1e-6);
            let x = setting.dataset.x();
            let residuals: Vec<f64> = (x.iter().zip(setting.dataset.y()))
                .map(|(&x, y)| net.output(setting.activation, x) - y)
                .collect();
            // ∂L/∂a_k and ∂L/∂d, by the network's own output.
            let total: f64 = residuals.iter().sum();
            assert!(total.abs() < 1e-10, "{total:e}");
            for k in 0..width {
                let pull: f64 = (x.iter().zip(&residuals))
                    .map(|(x, r)| r * setting.activation.value(net.w[k] * x - net.b[k]))
                    .sum();
                assert!(pull.abs() < 1e-10, "{pull:e}");
            }
            stationary.push(format!("figure {figure}, n = {width}, seed {seed}"));
        }
    }
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("stationary", stationary.join("\n"));
    });
}
