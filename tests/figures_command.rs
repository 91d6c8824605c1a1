//! `mirrorflow figures` and `minimizer --svg`: the files, and that their numbers are those of the theory.

#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use mirrorflow::{
    report::figures::{PLANS, numbers},
    setting::{Activation, Dataset, Potential, Scaling, Setting},
    solver::infinite_width,
};
use std::{collections::BTreeSet, fs};
use tempfile::TempDir;

/// The sup errors of the authors' networks on figure 1, p = 2: width, mean and standard deviation of five.
const AUTHORS: [(&str, f64, f64); 4] = [
    ("180", 0.1230, 0.033),
    ("540", 0.0583, 0.024),
    ("1620", 0.0318, 0.011),
    ("4860", 0.0188, 0.0072),
];

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
fn four_figures_are_drawn_with_their_numbers() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("figures");
    let run = Command::cargo_bin("mirrorflow")
        .unwrap()
        .args(["figures", "--out", out.to_str().unwrap()])
        .assert()
        .code(0);
    let listed = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    assert_eq!(listed.lines().count(), 8, "{listed}");
    for name in ["figure1", "figure2", "dynamics", "shape"] {
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
                .all(|row| row.unwrap()[3].parse::<f64>().unwrap().is_finite())
        );
    }
    for plan in &PLANS {
        let table = fs::read_to_string(out.join(format!("{}.csv", plan.name))).unwrap();
        let mut rows = csv::Reader::from_reader(table.as_bytes());
        let drawn: BTreeSet<String> = rows.records().map(|row| row.unwrap()[0].into()).collect();
        let planned = plan.panels.iter().map(|(title, _)| (*title).to_owned());
        assert_eq!(drawn, planned.collect(), "{}", plan.name);
    }
    // Each mean of five seeds is as far from the authors' as two means of five may be.
    let table = fs::read_to_string(out.join("figure1.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let of = |series: &str, width: &str| {
        let wanted = |row: &&csv::StringRecord| &row[1] == series && &row[2] == width;
        let row = rows.iter().find(wanted).unwrap();
        [3, 4, 5].map(|column| row[column].parse::<f64>().unwrap())
    };
    for (width, mean, sd) in AUTHORS {
        let [ours, low, high] = of("p = 2, 5 seeds", width);
        let own = 0.5 * (high - low);
        let error = ((sd * sd + own * own) / 5.0).sqrt();
        // 5.6 is Student's t of 4 degrees of freedom at 0.5 %, two-sided.
        assert!(
            (ours - mean).abs() < 5.6 * error,
            "{width}: {ours} {mean} ± {error}"
        );
        let [predicted, low, high] = of("predicted", width);
        let spread = 0.5 * (high - low) / 5.0_f64.sqrt();
        assert!(
            (ours - predicted).abs() < 5.0 * spread,
            "{width}: {ours} {predicted} ± {spread}"
        );
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
            .map(|k| numbers::density_of_curvature(&solution, (f64::from(k) + 0.5) * width))
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
