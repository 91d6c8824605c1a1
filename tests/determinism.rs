//! Same program, seed and effort: the same bits on any number of threads, and the same verdicts and
//! counters, and numbers that agree within their certificates, with any kernels of OpenBLAS.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::process::{Command, Output};

/// Claims that take a second or two between them: eigenvalues, projections, flows, exact arithmetic.
const AUDIT: &str =
    "audit --only curvature-shape,bregman-projection,sharp-hypotheses,prior-results --json";

/// Kernels for which OpenBLAS has code on x86-64; elsewhere the names change nothing.
const KERNELS: [&str; 3] = ["Prescott", "Nehalem", "Sandybridge"];

/// Sums over several chunks of neurons, neurons that slide along data, steps of the other kind.
const RUNS: [&str; 3] = [
    "train --data figure2 --activation abs --scaling scaled --width 20000 --json",
    "train --data figure2 --activation abs --scaling scaled --potential power:3,1 --width 540 --json",
    "train --data figure2 --activation abs --width 100 --method descent --step 1 --horizon 500 --json",
];

/// At this width rounding decides whether the flow takes a step more.
const NARROW: &str = "train --data figure1 --width 60 --seed 3 --json";

const MINIMIZERS: [&str; 3] = [
    "minimizer --data figure1 --json",
    "minimizer --data points.csv --scaling scaled --potential power:3,1 --json",
    "minimizer --data points.csv --activation abs --scaling scaled --potential hypentropy:0.1 --bias gaussian:1 --json",
];

fn output(line: &str, variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    // More points than BLAS leaves to plain loops.
    let points = (0..60).map(|i| {
        let x = f64::from(i) / 30.0 - 1.0 + 0.003 * f64::from(i * i % 7);
        format!("{x},{}\n", (7.0 * x).sin() + 0.1 * f64::from(i * i % 11))
    });
    let points = points.collect::<String>();
    std::fs::write(folder.path().join("points.csv"), format!("x,y\n{points}")).unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("mirrorflow"));
    command.args(line.split(' ')).current_dir(folder.path());
    for variable in ["OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE"] {
        command.env_remove(variable);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

/// What the program prints, without how long it took and on how many threads.
fn run(line: &str, variable: &str, value: &str) -> Value {
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
    let output = output(line, &[(variable, value)]);
    assert_eq!(output.status.code(), Some(0), "{line}");
    let mut value = serde_json::from_slice(&output.stdout).unwrap();
    strip(&mut value);
    value
}

fn by_kernel(line: &str) -> [Value; 3] {
    KERNELS.map(|kernel| run(line, "OPENBLAS_CORETYPE", kernel))
}

fn largest_difference(a: &Value, b: &Value) -> f64 {
    let pairs = a.as_array().unwrap().iter().zip(b.as_array().unwrap());
    let differences = pairs.map(|(a, b)| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs());
    differences.fold(0.0, f64::max)
}

#[test]
fn threads_change_no_bit() {
    let lines = [AUDIT, NARROW].into_iter().chain(RUNS).chain(MINIMIZERS);
    for line in lines {
        let [one, two, eight] =
            ["1", "2", "8"].map(|threads| run(line, "RAYON_NUM_THREADS", threads));
        assert_eq!(one, two, "{line}");
        assert_eq!(one, eight, "{line}");
    }
}

/// The program does not take the kernels that suit the processor, which round in ways of their own.
#[cfg(target_arch = "x86_64")]
#[test]
fn kernels_are_the_same_on_every_processor() {
    let first = |text: Vec<u8>| String::from_utf8(text).unwrap();
    let chosen = output(NARROW, &[("OPENBLAS_VERBOSE", "2")]);
    let stderr = first(chosen.stderr);
    // An OpenBLAS that was built for one processor names none.
    assert!(
        stderr.is_empty() || stderr.ends_with("Core: Prescott\n"),
        "{stderr}"
    );
    let named = output(NARROW, &[("OPENBLAS_CORETYPE", "Prescott")]);
    assert_eq!(first(chosen.stdout), first(named.stdout));
}

#[test]
fn kernels_change_no_verdict_and_no_counter() {
    let pick = |value: &Value, fields: &[&str]| -> Value {
        fields.iter().map(|field| value[field].clone()).collect()
    };
    let pick_all = |value: &Value, fields: &[&str]| -> Value {
        let items = value.as_array().unwrap().iter();
        items.map(|item| pick(item, fields)).collect()
    };
    let outcome = |ledger: &Value| -> Value {
        let claims = ledger["claims"].as_array().unwrap().iter().map(|claim| {
            let evidence = pick_all(&claim["evidence"], &["kind", "what", "passed", "samples"]);
            let twins = pick_all(
                &claim["controls"],
                &["id", "rejected", "disagreeing", "kind"],
            );
            json!([claim["verdict"], evidence, twins])
        });
        claims.collect()
    };
    let ledgers = by_kernel(AUDIT);
    for ledger in &ledgers {
        assert_eq!(outcome(ledger), outcome(&ledgers[0]));
    }
    if cfg!(target_arch = "x86_64") {
        assert_ne!(
            ledgers[0], ledgers[1],
            "the kernels round alike: nothing was tested"
        );
    }
    for line in RUNS {
        let reports = by_kernel(line);
        for report in &reports {
            let counters = |report| pick(report, &["status", "steps", "evaluations", "events"]);
            assert_eq!(counters(report), counters(&reports[0]), "{line}");
        }
    }
}

#[test]
fn kernels_move_minimizers_within_their_certificates() {
    for line in MINIMIZERS {
        for pair in by_kernel(line).windows(2) {
            let bound = |field: &str| -> f64 {
                let bounds = pair
                    .iter()
                    .map(|report| report["certificate"][field].as_f64());
                bounds.map(Option::unwrap).sum()
            };
            let moved = largest_difference(&pair[0]["values"], &pair[1]["values"]);
            assert!(moved <= bound("sup_error_bound"), "{line}: {moved:e}");
        }
    }
}
