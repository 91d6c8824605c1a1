//! Our figures beside the authors' notebooks, as the tables of README.md: `make comparison` prints them.
//!
//! Theirs are in tests/data/authors_notebooks.json, measured once; ours are computed here.

#![allow(clippy::unwrap_used)] // A table that cannot be made is no table.

use mirrorflow::{
    evidence::{certificate, distance, ensemble, prediction},
    report::figures::numbers::{WIDTHS, settings},
    setting::{Dataset, Potential, Setting},
    solver::infinite_width::{self, Solution},
};
use rayon::prelude::*;
use serde_json::Value;
use std::time::Instant;

const THEIRS: &str = include_str!("../tests/data/authors_notebooks.json");
const SEEDS: u64 = 20;
const THEIR_SEEDS: f64 = 5.0;

fn main() {
    let theirs: Value = serde_json::from_str(THEIRS).unwrap();
    let start = Instant::now();
    for (figure, name) in [(1, "figure1_unscaled_relu"), (2, "figure2_scaled_abs")] {
        errors(
            figure,
            &theirs["sup_error_vs_authors_curve_mean_std_of_5_seeds"][name],
        );
    }
    println!(
        "{} networks in {:.0} s.\n",
        6 * WIDTHS.len() as u64 * SEEDS,
        start.elapsed().as_secs_f64()
    );
    work(&theirs);
    curves(&theirs["conic_solver_curves"]);
}

fn solve(setting: &Setting) -> Solution {
    infinite_width::minimize(setting).unwrap()
}

/// sup |f − h̄| by width: the predicted mean, mean ± sd of ours and of theirs.
fn errors(figure: usize, theirs: &Value) {
    let settings = settings(figure).unwrap();
    let members = ensemble::draw(&settings, &WIDTHS, SEEDS).unwrap();
    let mut columns = Vec::new();
    for (setting, power) in (0..3).zip(["p2", "p3", "p4"]) {
        let solution = solve(&settings[setting]);
        let [predicted, _] = prediction::error(&solution).unwrap();
        let ours = WIDTHS.map(|width| {
            let own: Vec<f64> = members
                .par_iter()
                .filter(|member| (member.setting, member.width) == (setting, width))
                .filter_map(|member| ensemble::error(&member.run, &solution))
                .collect();
            let [mean, sd] = ensemble::spread(&own);
            (mean, sd, own.len() as f64)
        });
        let theirs = [0, 1, 2, 3, 4, 5].map(|k| {
            let [mean, sd] = [0, 1].map(|of| theirs[power][k][of].as_f64().unwrap());
            (mean, sd, THEIR_SEEDS)
        });
        columns.push((predicted, ours, theirs));
    }
    print!("| Figure {figure}, n |");
    for p in 2..=4 {
        print!(" p = {p}: predicted | ours | theirs |");
    }
    println!("\n|---|{}", "---|".repeat(9));
    for (k, width) in WIDTHS.into_iter().enumerate() {
        print!("| {width} |");
        for (predicted, ours, theirs) in &columns {
            print!(" {:.4} |", predicted / (width as f64).sqrt());
            for (mean, sd, _) in [ours[k], theirs[k]] {
                print!(" {mean:.4} ± {sd:.4} |");
            }
        }
        println!();
    }
    print!("| ours over theirs |");
    for (_, ours, theirs) in &columns {
        let [log, error] = ensemble::log_ratio(ours, theirs);
        print!(" | {:.2} ± {:.2} | |", log.exp(), log.exp() * error);
    }
    println!("\n");
}

/// What training one network of the largest width takes.
fn work(theirs: &Value) {
    let width = WIDTHS[WIDTHS.len() - 1];
    let epoch = theirs["microseconds_per_epoch"]["n4860"].as_f64().unwrap();
    println!(
        "| One network, n = {width} | their epochs, to 1e-7 | minutes | our steps, to 1e-20 | evaluations | crossings, pins, releases | seconds |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (figure, scaling) in [(1, "unscaled"), (2, "scaled")] {
        for (setting, p) in settings(figure).unwrap().iter().zip(2..) {
            let name = format!("{scaling}_p{p}");
            let epochs = &theirs["epochs_to_loss_1e-7_seed0"][&name];
            let (epochs, note) = match epochs[WIDTHS.len() - 1].as_f64() {
                Some(epochs) => (epochs, ""),
                // Single precision stalls above the stopping loss.
                None => {
                    let double = &theirs["epochs_to_loss_1e-7_seed0"][format!("{name}_in_float64")];
                    (
                        double[width.to_string()].as_f64().unwrap(),
                        " in float64; float32 stalls",
                    )
                }
            };
            let start = Instant::now();
            let run = ensemble::train(setting, width, 0, ensemble::TOLERANCE).unwrap();
            println!(
                "| figure {figure}, p = {p} | {epochs:.0}{note} | {:.1} | {} | {} | {}, {}, {} | {:.2} |",
                epochs * epoch * 1e-6 / 60.0,
                run.steps,
                run.evaluations,
                run.events.crossings,
                run.events.pins,
                run.events.releases,
                start.elapsed().as_secs_f64()
            );
        }
    }
    let total = &theirs["total_time_both_figures"];
    println!(
        "\nBoth figures: theirs {} minutes, and {} hours more for 13 runs that stall.\n",
        total["runs_that_reach_the_stop_minutes"],
        total["13_stalled_runs_to_the_cap_hours_extrapolated"]
    );
}

/// How far their reference curves are off, what moving the data explains of it, and our own bound.
fn curves(theirs: &Value) {
    println!(
        "| Reference curve | theirs off by | data moved to the grid | ω = 2 for 1 | our bound | their seconds | ours |"
    );
    println!("|---|---|---|---|---|---|---|");
    let [unscaled, ..] = settings(1).unwrap();
    let [two, three, four] = settings(2).unwrap();
    for (name, solver, setting, power) in [
        ("unscaled", "unscaled_scs", unscaled, None),
        ("scaled_p2", "scaled_p2_ecos", two, None),
        ("scaled_p3", "scaled_p3_ecos", three, Some(3.0)),
        ("scaled_p4", "scaled_p4_ecos", four, Some(4.0)),
    ] {
        let start = Instant::now();
        let solution = solve(&setting);
        let bound = certificate::certify(&solution).sup_error_bound;
        let seconds = start.elapsed().as_secs_f64();
        let apart = |other: Setting| {
            let other = solve(&other);
            distance::sup(|x| other.value(x) - solution.value(x), 1.5)
        };
        let moved = apart(Setting {
            dataset: on_the_grid(&setting.dataset),
            ..setting.clone()
        });
        let doubled = power.map_or("–".into(), |p| {
            let potential = Potential::power(p, 2.0).unwrap();
            format!(
                "{:.4}",
                apart(Setting {
                    potential,
                    ..setting.clone()
                })
            )
        });
        println!(
            "| {} | {} | {moved:.4} | {doubled} | {bound:.0e} | {} | {seconds:.4} |",
            name.replace('_', ", ").replace(", p", ", p = "),
            theirs["sup_error_vs_exact"][name],
            theirs["seconds"][solver]
        );
    }
}

/// Inputs at the nearest of 501 points on \[−1.5, 1.5\].
fn on_the_grid(dataset: &Dataset) -> Dataset {
    let moved = |x: &f64| -1.5 + 0.006 * ((x + 1.5) / 0.006).round();
    let x: Vec<f64> = dataset.x().iter().map(moved).collect();
    Dataset::from_points(&x, dataset.y()).unwrap()
}
