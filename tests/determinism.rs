//! Same program, seed and effort: the same verdicts and counters on any number of threads and with
//! any kernels of OpenBLAS, and numbers that agree within their certificates.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::process::Command;

/// Claims that take a second or two between them: eigenvalues, projections, flows, exact arithmetic.
const CLAIMS: &str = "curvature-shape,bregman-projection,sharp-hypotheses,prior-results";

/// Kernels for which OpenBLAS has code on every processor of this architecture; elsewhere the name
/// changes nothing.
const KERNELS: [&str; 3] = ["Prescott", "Nehalem", "Sandybridge"];

/// Networks wide enough for sums over several chunks of neurons, of which one slides along data.
const RUNS: [&str; 3] = [
    "train --data figure2 --activation abs --scaling scaled --width 20000 --json",
    "train --data figure2 --activation abs --scaling scaled --potential power:3,1 --width 540 --json",
    "train --data figure1 --width 60 --seed 3 --json",
];

const MINIMIZERS: [&str; 3] = [
    "minimizer --data figure1 --json",
    "minimizer --data figure1 --scaling scaled --potential power:3,1 --json",
    "minimizer --data figure2 --activation abs --scaling scaled --potential hypentropy:0.1 --bias gaussian:1 --json",
];

fn run(line: &str, variable: &str, value: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mirrorflow"));
    command.args(line.split(' ')).env(variable, value);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{line}");
    let mut value = serde_json::from_slice(&output.stdout).unwrap();
    strip(&mut value);
    value
}

/// Takes out how long it took, and on how many threads.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "seconds" && name != "threads");
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

fn audit() -> String {
    format!("audit --only {CLAIMS} --json")
}

/// Verdicts, and for each comparison what it is and whether it agrees.
fn outcome(ledger: &Value) -> Value {
    let pick = |value: &Value, fields: &[&str]| -> Vec<Value> {
        fields.iter().map(|field| value[field].clone()).collect()
    };
    let claims = ledger["claims"].as_array().unwrap().iter().map(|claim| {
        let evidence = claim["evidence"].as_array().unwrap();
        let evidence = evidence
            .iter()
            .map(|e| pick(e, &["kind", "what", "passed", "samples"]));
        let twins = claim["controls"].as_array().unwrap();
        let twins = twins
            .iter()
            .map(|twin| pick(twin, &["id", "rejected", "disagreeing", "kind"]));
        json!([
            claim["verdict"],
            evidence.collect::<Vec<_>>(),
            twins.collect::<Vec<_>>()
        ])
    });
    claims.collect()
}

#[test]
fn threads_change_no_bit() {
    let lines = [audit()];
    let lines = lines
        .iter()
        .map(String::as_str)
        .chain(RUNS)
        .chain(MINIMIZERS);
    for line in lines {
        let [one, two, eight] =
            ["1", "2", "8"].map(|threads| run(line, "RAYON_NUM_THREADS", threads));
        assert_eq!(one, two, "{line}");
        assert_eq!(one, eight, "{line}");
    }
}

#[test]
fn kernels_change_no_verdict_and_no_counter() {
    let [first, rest @ ..] = KERNELS;
    let of = |line: &str, kernel| run(line, "OPENBLAS_CORETYPE", kernel);
    let verdicts = outcome(&of(&audit(), first));
    for kernel in rest {
        assert_eq!(outcome(&of(&audit(), kernel)), verdicts, "{kernel}");
    }
    for line in RUNS {
        let counters = |report: &Value| {
            ["status", "steps", "evaluations", "events"].map(|field| report[field].clone())
        };
        let right = counters(&of(line, first));
        for kernel in rest {
            assert_eq!(counters(&of(line, kernel)), right, "{kernel}: {line}");
        }
    }
}

#[test]
fn kernels_move_minimizers_within_their_certificates() {
    let numbers = |report: &Value| -> Vec<f64> {
        let values = report["values"].as_array().unwrap();
        values.iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let certified = |report: &Value, field| report["certificate"][field].as_f64().unwrap();
    for line in MINIMIZERS {
        let reports = KERNELS.map(|kernel| run(line, "OPENBLAS_CORETYPE", kernel));
        for pair in reports.windows(2) {
            let bound = |field| {
                pair.iter()
                    .map(|report| certified(report, field))
                    .sum::<f64>()
            };
            let [a, b] = [&pair[0], &pair[1]].map(numbers);
            let gap = a
                .iter()
                .zip(&b)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f64::max);
            assert!(gap <= bound("sup_error_bound"), "{line}: {gap:e}");
            let [a, b] = [&pair[0], &pair[1]].map(|report| report["cost"].as_f64().unwrap());
            assert!((a - b).abs() <= bound("duality_gap"), "{line}: {a} {b}");
        }
    }
}
