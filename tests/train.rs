//! `mirrorflow train` and the network files that it reads and writes.

#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use ndarray::{Array1, Array2, array};
use ndarray_npy::NpzWriter;
use serde_json::Value;
use std::{fs::File, path::Path};
use tempfile::TempDir;

fn train(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("mirrorflow").unwrap();
    command.args(["train", "--data", "figure2", "--activation", "abs"]);
    command.args(["--scaling", "scaled"]).args(arguments);
    command
}

fn report(arguments: &[&str]) -> Value {
    let output = train(arguments)
        .arg("--json")
        .assert()
        .code(0)
        .stderr("")
        .get_output()
        .clone();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let output = train(arguments)
        .assert()
        .code(2)
        .stdout("")
        .get_output()
        .clone();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn a_report_has_every_field() {
    let report = report(&["--width", "100", "--potential", "power:3,1"]);
    assert_eq!(report["status"], "converged");
    assert_eq!(report["width"], 100);
    assert!(report["residual"].as_f64().unwrap() <= 1e-10);
    for field in ["steps", "evaluations"] {
        assert!(report[field].as_u64().unwrap() > 0, "{field}");
    }
    for kind in ["crossings", "pins", "releases"] {
        assert!(report["events"][kind].is_u64(), "{kind}");
    }
    for kind in ["w", "b", "a", "d"] {
        let [end, way] = ["displacement", "largest_displacement"]
            .map(|field| report[field][kind].as_f64().unwrap());
        assert!(0.0 < end && end <= way, "{kind}");
    }
    let distance = report["sup_distance_to_minimizer"].as_f64().unwrap();
    assert!((1e-4..0.5).contains(&distance), "{distance}");
    assert!(report["time"].as_f64().unwrap() > 1e3);
}

#[test]
fn the_horizon_and_a_failure_have_their_exit_codes() {
    let arguments = ["--width", "30", "--horizon", "5"];
    let early = report(&arguments);
    assert_eq!(
        (&early["status"], &early["time"]),
        (&"horizon".into(), &5.0.into())
    );
    let steps = report(&[&arguments[..], &["--method", "descent", "--step", "0.5"]].concat());
    assert_eq!(
        (&steps["status"], &steps["steps"]),
        (&"horizon".into(), &10.into())
    );
    train(&["--width", "30", "--method", "euler", "--step", "1e9"])
        .assert()
        .code(1);
}

/// A network that was written is read back, and trained again from its start ends where it was.
#[test]
fn a_network_goes_through_a_file() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("net.npz");
    let name = file.to_str().unwrap();
    let first = report(&["--width", "80", "--seed", "3", "--out", name]);
    let again = report(&["--init", name]);
    for field in [
        "steps",
        "time",
        "residual",
        "displacement",
        "sup_distance_to_minimizer",
    ] {
        assert_eq!(first[field], again[field], "{field}");
    }
    // The file's own convention is minus: read as plus, knots are mirrored and the end is another.
    let mirrored = report(&["--init", name, "--convention", "plus"]);
    assert_ne!(first["displacement"], mirrored["displacement"]);
}

/// PyTorch saves (n, 1) and float32; d may be a scalar.
#[test]
fn shapes_and_types_of_other_programs() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("net.npz");
    let mut writer = NpzWriter::new(File::create(&file).unwrap());
    let b = Array2::from_shape_fn((12, 1), |(k, _)| k as f32 / 6.0 - 0.9);
    let w = Array1::from_shape_fn(12, |k| if k % 2 == 0 { 1i64 } else { -1 });
    for suffix in ["", "0"] {
        writer.add_array(format!("w{suffix}"), &w).unwrap();
        writer.add_array(format!("b{suffix}"), &b).unwrap();
        writer
            .add_array(format!("a{suffix}"), &Array2::<f32>::zeros((1, 12)))
            .unwrap();
        writer
            .add_array(format!("d{suffix}"), &ndarray::arr0(0.0))
            .unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(report(&["--init", file.to_str().unwrap()])["width"], 12);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    assert!(refused(&[]).contains("--width"));
    assert!(refused(&["--width", "0"]).contains("--width"));
    assert!(refused(&["--width", "9", "--method", "euler"]).contains("--step"));
    assert!(refused(&["--width", "9", "--step", "1"]).contains("--step"));
    assert!(refused(&["--width", "9", "--horizon", "-1"]).contains("--horizon"));
    assert!(refused(&["--width", "9", "--output-init", "some"]).contains("--output-init"));
    assert!(refused(&["--width", "9", "--convention", "plus"]).contains("--convention"));
    assert!(refused(&["--init", "no-such-file.npz"]).contains("no-such-file.npz"));
    assert!(refused(&["--init", "tests"]).contains("tests"));
}

#[test]
fn malformed_networks_are_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("net.npz");
    let name = file.to_str().unwrap();
    std::fs::write(&file, b"PK no archive").unwrap();
    assert!(refused(&["--init", name]).contains("npz"));
    let write = |w: Array1<f64>, b: Array1<f64>, with_start: bool| {
        let mut writer = NpzWriter::new(File::create(Path::new(name)).unwrap());
        for suffix in if with_start { vec!["", "0"] } else { vec![""] } {
            writer.add_array(format!("w{suffix}"), &w).unwrap();
            writer.add_array(format!("b{suffix}"), &b).unwrap();
            writer
                .add_array(format!("a{suffix}"), &array![0.0, 0.0])
                .unwrap();
            writer
                .add_array(format!("d{suffix}"), &array![0.0])
                .unwrap();
        }
        writer.finish().unwrap();
    };
    write(array![1.0, -1.0], array![0.1, 0.2], false);
    assert!(refused(&["--init", name]).contains("w0"));
    write(array![1.0, -1.0], array![0.1, f64::NAN], true);
    assert!(refused(&["--init", name]).contains("array b"));
    write(array![1.0, -1.0, 1.0], array![0.1, 0.2], true);
    assert!(refused(&["--init", name]).contains("lengths"));
    let whole = std::fs::read(name).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    refused(&["--init", name]);
}
