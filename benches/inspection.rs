//! What `inspect` rejects at which width, as the table of proofs.md ("A network trained elsewhere"):
//! `make detection` prints it.

#![allow(clippy::unwrap_used)] // A table that cannot be made is no table.

use mirrorflow::{
    evidence::inspection::{self, Question, Verdict},
    setting::{Activation, Dataset, Network, OutputInit, Scaling, Setting},
    solver::mirror_flow::{self, Options},
};
use rayon::prelude::*;

const WIDTHS: [usize; 6] = [20, 60, 180, 540, 1620, 4860];
const SEEDS: u64 = 5;
/// Half a mean of squares of 10⁻⁷, at which the authors' notebooks stop.
const LOSS: f64 = 5e-8;

fn setting(activation: Activation, scaling: Scaling, potential: &str, bias: &str) -> Setting {
    let dataset = match activation {
        Activation::Relu => Dataset::figure1(),
        Activation::Abs => Dataset::figure2(),
    };
    Setting {
        dataset,
        activation,
        scaling,
        potential: potential.parse().unwrap(),
        bias: bias.parse().unwrap(),
    }
}

fn main() {
    let (scaled, unscaled) = (Scaling::Scaled, Scaling::Unscaled);
    let abs = |scaling, potential, bias| setting(Activation::Abs, scaling, potential, bias);
    let relu = |scaling, potential, bias| setting(Activation::Relu, scaling, potential, bias);
    let trained = [
        (
            "figure 2, scaled p = 3",
            vec![
                ("its own", abs(scaled, "power:3,1", "uniform:1")),
                ("p = 2", abs(scaled, "quadratic", "uniform:1")),
                ("p = 4", abs(scaled, "power:4,1", "uniform:1")),
                ("ω = 2", abs(scaled, "power:3,2", "uniform:1")),
                ("unscaled", abs(unscaled, "power:3,1", "uniform:1")),
                ("B uniform:1.25", abs(scaled, "power:3,1", "uniform:1.25")),
                ("B gaussian:0.5", abs(scaled, "power:3,1", "gaussian:0.5")),
            ],
        ),
        (
            "figure 1, unscaled p = 4",
            vec![
                ("its own", relu(unscaled, "power:4,1", "uniform:1")),
                ("p = 2", relu(unscaled, "quadratic", "uniform:1")),
                ("p = 3", relu(unscaled, "power:3,1", "uniform:1")),
                ("scaled", relu(scaled, "power:4,1", "uniform:1")),
                (
                    "B triangular:1",
                    relu(unscaled, "power:4,1", "triangular:1"),
                ),
            ],
        ),
    ];
    let widths = WIDTHS.map(|width| width.to_string()).join(" | ");
    println!("| Trained under | Inspected under | {widths} |");
    println!("|---|---|{}", "---|".repeat(WIDTHS.len()));
    let starts = trained.iter().flat_map(|row| [(row, true), (row, false)]);
    for ((name, theories), known) in starts {
        let start = if known { "" } else { ", without its start" };
        let own = &theories[0].1;
        let draws = WIDTHS
            .iter()
            .flat_map(|&width| (0..SEEDS).map(move |seed| (width, seed)));
        let draws: Vec<(usize, u64)> = draws.collect();
        let verdicts = draws.par_iter().map(|&(width, seed)| {
            let initial = Network::sample(&own.bias, OutputInit::Zero, width, seed);
            let options = Options {
                loss: LOSS,
                ..Options::default()
            };
            let run = mirror_flow::train(own, &initial, &options, &mut |_| {}).unwrap();
            let inspect = |setting: &Setting| {
                let found = inspection::inspect(&Question {
                    setting,
                    network: &run.network,
                    initial: known.then_some(&initial),
                    output: OutputInit::Zero,
                    uncentred: false,
                    alpha: 1e-3,
                    step: 2.0,
                });
                found.unwrap().verdict() == Verdict::Inconsistent
            };
            theories
                .iter()
                .map(|(_, setting)| inspect(setting))
                .collect()
        });
        let verdicts: Vec<Vec<bool>> = verdicts.collect();
        for (number, (theory, _)) in theories.iter().enumerate() {
            let rejected = verdicts.chunks(SEEDS as usize).map(|networks| {
                let count = networks.iter().filter(|verdicts| verdicts[number]).count();
                format!("{count}/{SEEDS}")
            });
            let rejected = rejected.collect::<Vec<_>>().join(" | ");
            println!("| {name}{start} | {theory} | {rejected} |");
        }
    }
}
