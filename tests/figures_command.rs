//! `mirrorflow figures` and `minimizer --svg`: the files, and that their numbers are those of the theory.

#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use mirrorflow::{
    evidence::{
        ensemble::{self, Summary},
        prediction,
    },
    report::figures::{PLANS, numbers},
    setting::{Activation, Dataset, Potential, Scaling, Setting},
    solver::infinite_width,
};
use std::{collections::BTreeSet, fs};
use tempfile::TempDir;

/// What was measured of the authors' notebooks.
const AUTHORS: &str = include_str!("data/authors_notebooks.json");

fn setting(potential: &str) -> Setting {
    Setting {
        dataset: Dataset::figure2(),
        activation: Activation::Abs,
        bias: "uniform:1".parse().unwrap(),
        potential: potential.parse::<Potential>().unwrap(),
        scaling: Scaling::Scaled,
    }
}

#[test]
fn five_figures_are_drawn_with_their_numbers() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("figures");
    let run = Command::cargo_bin("mirrorflow")
        .unwrap()
        .args(["figures", "--out", out.to_str().unwrap()])
        .assert()
        .code(0);
    let listed = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    assert_eq!(listed.lines().count(), 10, "{listed}");
    for name in ["figure1", "figure2", "relu-scaled", "dynamics", "shape"] {
        let svg = fs::read_to_string(out.join(format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(
            svg.contains("prefers-color-scheme") && !svg.contains("NaN"),
            "{name}"
        );
        let table = fs::read_to_string(out.join(format!("{name}.csv"))).unwrap();
        assert!(table.starts_with("panel,series,x,y,low,high\n"));
        let mut rows = csv::Reader::from_reader(table.as_bytes());
        assert!(
            rows.records()
                .map(Result::unwrap)
                .all(|row| !row[1].is_empty() && row[3].parse::<f64>().unwrap().is_finite())
        );
    }
    for plan in &PLANS {
        let table = fs::read_to_string(out.join(format!("{}.csv", plan.name))).unwrap();
        let mut rows = csv::Reader::from_reader(table.as_bytes());
        let drawn: BTreeSet<String> = rows.records().map(|row| row.unwrap()[0].into()).collect();
        let mut planned = plan.panels.iter().map(|(title, _)| *title);
        assert!(
            planned.all(|title| drawn.contains(title)),
            "{}: {drawn:?}",
            plan.name
        );
    }
    let authors: serde_json::Value = serde_json::from_str(AUTHORS).unwrap();
    let authors = &authors["sup_error_vs_authors_curve_mean_std_of_5_seeds"];
    for (name, theirs) in [
        ("figure1", &authors["figure1_unscaled_relu"]),
        ("figure2", &authors["figure2_scaled_abs"]),
    ] {
        middle_panel(
            &fs::read_to_string(out.join(format!("{name}.csv"))).unwrap(),
            theirs,
        );
    }
}

/// Size 10⁻⁵ of a z test; what is estimated from five seeds is not quite normal, but six widths are added up.
const FAR: f64 = 4.42;

/// Over all widths the means are the authors', and those two widths further are not; from 540 on they are the
/// predicted ones, too.
fn middle_panel(table: &str, theirs: &serde_json::Value) {
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let column = |series: &str, count: f64| -> Vec<Summary> {
        let rows = rows.iter().filter(|row| &row[1] == series);
        let number = |row: &csv::StringRecord, of: usize| row[of].parse::<f64>().unwrap();
        let summary = |row| {
            (
                number(row, 3),
                0.5 * (number(row, 5) - number(row, 4)),
                count,
            )
        };
        rows.map(summary).collect()
    };
    for p in 2..=4 {
        let ours = column(&format!("p = {p}, 5 seeds"), 5.0);
        let theirs: Vec<Summary> = theirs[format!("p{p}")]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap(), 5.0))
            .collect();
        assert_eq!(ours.len(), numbers::WIDTHS.len());
        let far = |ours: &[Summary], theirs: &[Summary]| {
            let [log, error] = ensemble::log_ratio(ours, theirs);
            log.abs() / error
        };
        let apart = far(&ours, &theirs);
        assert!(
            apart < FAR,
            "p = {p}: {apart} standard errors from the authors'"
        );
        let apart = far(&ours[2..], &theirs[..4]);
        assert!(
            apart > FAR,
            "p = {p}: two widths further is as near as {apart}"
        );
        let mut predicted = column(&format!("predicted, p = {p}"), f64::INFINITY);
        predicted.extend(column("predicted", f64::INFINITY));
        let apart = far(&ours[3..], &predicted[3..6]);
        assert!(
            apart < FAR,
            "p = {p}: {apart} standard errors from the prediction"
        );
    }
}

/// Steps a hundred times as coarse end at the same distance from h̄, to a tenth of the standard error that a
/// mean of five has (some 0.1 of itself).
#[test]
fn the_tolerance_of_ensembles_does_not_show() {
    for figure in [1, 2] {
        for setting in numbers::settings(figure).unwrap() {
            let solution = infinite_width::minimize(&setting).unwrap();
            for (width, seed) in [(60, 0), (60, 1), (540, 0), (540, 1), (1620, 0)] {
                let [coarse, fine] = [ensemble::TOLERANCE, 1e-5].map(|tolerance| {
                    let run = ensemble::train(&setting, width, seed, tolerance).unwrap();
                    ensemble::error(&run, &solution).unwrap()
                });
                assert!(
                    (coarse - fine).abs() < 1e-2 * fine,
                    "{}, n = {width}, {seed}: {coarse} {fine}",
                    setting.potential
                );
            }
        }
    }
}

/// The limits of n² max|Δb| as derived apart from this program, to the digits given.
#[test]
fn inner_weights_move_as_predicted() {
    let two = setting("quadratic");
    let one = Setting {
        dataset: Dataset::figure1(),
        activation: Activation::Relu,
        scaling: Scaling::Unscaled,
        ..two.clone()
    };
    for (setting, known) in [(one, 9329.25), (two, 478.90)] {
        let solution = infinite_width::minimize(&setting).unwrap();
        let [_, b] = prediction::inner_moves(&solution).unwrap();
        assert!((b - known).abs() < 0.005, "{b} {known}");
    }
}

/// The density of |h''| has mass 1 up to what lies beyond the outer data, none here.
#[test]
fn the_density_of_the_curvature_has_mass_one() {
    for potential in ["quadratic", "power:3,1", "power:4,1"] {
        let solution = infinite_width::minimize(&setting(potential)).unwrap();
        let cells = 40_000;
        let width = 14.0 / f64::from(cells);
        let mass: f64 = (0..cells)
            .map(|k| prediction::curvature_density(&solution, (f64::from(k) + 0.5) * width))
            .sum::<f64>()
            * width;
        // Each of the up to eight jumps costs at most its height times a cell.
        assert!(
            (mass - 1.0).abs() < 8.0 * 0.5 * width,
            "{potential}: {mass}"
        );
    }
}

#[test]
fn a_minimizer_is_drawn_with_its_band() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("h.svg");
    let draw = |file: &str| {
        let mut command = Command::cargo_bin("mirrorflow").unwrap();
        command.args([
            "minimizer",
            "--data",
            "figure1",
            "--width",
            "500",
            "--svg",
            file,
        ]);
        command
    };
    draw(file.to_str().unwrap()).assert().code(0);
    let svg = fs::read_to_string(&file).unwrap();
    assert!(svg.contains("2 sd at n = 500") && svg.contains("</svg>"));
    let nowhere = folder.path().join("no").join("h.svg");
    let refused = draw(nowhere.to_str().unwrap()).assert().code(2).stdout("");
    let message = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert_eq!(message.lines().count(), 1, "{message}");
}
