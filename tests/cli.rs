//! The command line: every bad input is one message and exit code 2, and what a script reads stays.

#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use serde_json::Value;
use std::collections::BTreeSet;

fn mirrorflow(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("mirrorflow").unwrap();
    command.args(arguments);
    command
}

/// Runs a command that must be refused, and gives its message.
fn refused(arguments: &[&str]) -> String {
    let assert = mirrorflow(arguments).assert().code(2).stdout("");
    let message = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    let text = message.strip_prefix("mirrorflow: ");
    assert!(text.is_some(), "{arguments:?}: {message}");
    assert_eq!(message.lines().count(), 1, "{arguments:?}: {message}");
    assert!(
        message.contains("; "),
        "{arguments:?} says not what to do: {message}"
    );
    message
}

/// A setting that must be refused, with what its message must name.
fn setting_refused(option: &str, value: &str) {
    let message = refused(&["minimizer", "--data", "figure1", option, value, "--json"]);
    assert!(message.contains(option), "{option} {value}: {message}");
}

fn json(arguments: &[&str]) -> Value {
    let output = mirrorflow(arguments)
        .assert()
        .code(0)
        .stderr("")
        .get_output()
        .stdout
        .clone();
    serde_json::from_slice(&output).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|x| x.as_f64().unwrap()).collect()
}

mod refusals {
    use super::*;

    #[test]
    fn unknown_names() {
        for arguments in [
            vec![],
            vec!["frobnicate"],
            vec!["audit", "--sed", "1"],
            vec!["audit", "extra"],
            vec!["claims", "--only", "x"],
            vec!["minimizer", "--data", "figure1", "--figure"],
        ] {
            refused(&arguments);
        }
    }

    #[test]
    fn options_without_or_with_absurd_values() {
        for arguments in [
            vec!["minimizer"],
            vec!["minimizer", "--data"],
            vec!["audit", "--only"],
            vec!["audit", "--effort", "0"],
            vec!["audit", "--effort", "-1"],
            vec!["audit", "--effort", "0.5"],
            vec!["audit", "--effort", "99999999999999999999"],
            vec!["audit", "--seed", "-1"],
            vec!["audit", "--seed", "x"],
            vec!["audit", "--out", ""],
            vec!["minimizer", "--data", "figure1", "--width", "0"],
            vec!["minimizer", "--data", "figure1", "--width", "1e3"],
            vec!["minimizer", "--data", "figure1", "--json", "--json"],
            vec!["minimizer", "--data", "figure1", "--data", "figure2"],
            vec![
                "minimizer",
                "--data",
                "figure1",
                "--at",
                "0",
                "--grid",
                "0:1:2",
            ],
        ] {
            refused(&arguments);
        }
    }

    #[test]
    fn negative_numbers_as_numbers() {
        for arguments in [
            ["audit", "--seed", "-1"],
            ["audit", "--effort", "-1"],
            ["train", "--width", "-5"],
            ["minimizer", "--width", "-5"],
        ] {
            let message = refused(&arguments);
            assert!(message.contains("give a whole number from"), "{message}");
        }
    }

    /// What every message about usage points to.
    #[test]
    fn with_the_way_to_all_options() {
        let message = refused(&["minimizer", "points.csv"]);
        assert!(message.contains("`mirrorflow help COMMAND`"), "{message}");
        assert!(message.contains("--data FILE"), "{message}");
        let help = mirrorflow(&["help", "minimizer"]).assert().code(0);
        let text = String::from_utf8_lossy(&help.get_output().stdout).into_owned();
        assert!(text.contains("--grid <LO:HI:N>"), "{text}");
    }

    #[test]
    fn unknown_claims() {
        for arguments in [
            ["audit", "--only", "no-such-claim"],
            ["audit", "--only", ""],
            ["claims", "no-such-claim", "--json"],
        ] {
            let message = refused(&arguments);
            assert!(message.contains("the claims are: "), "{message}");
            for claim in mirrorflow::claims::registry() {
                assert!(message.contains(claim.id), "{message}");
            }
        }
    }

    #[test]
    fn misspelt_claims() {
        for (text, meant) in [
            ("abs-minimiser", "abs-minimizer"),
            ("lazy-scaled-", "lazy-scaled"),
            ("gradient-flow", "gradient-flow-agreement"),
        ] {
            let message = refused(&["audit", "--only", text]);
            let question = format!("did you mean {meant}? `mirrorflow claims` lists all");
            assert!(message.contains(&question), "{message}");
        }
    }

    #[test]
    fn data_that_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.csv");
        let empty = folder.path().join("empty.csv");
        std::fs::write(&empty, "").unwrap();
        for path in [missing.as_path(), folder.path(), empty.as_path()] {
            let path = path.to_str().unwrap();
            let message = refused(&["minimizer", "--data", path]);
            assert!(message.contains(path), "{message}");
        }
        refused(&["minimizer", "--data", ""]);
        refused(&["minimizer", "--data", "figure3"]);
    }

    #[test]
    fn data_that_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        for text in [
            "x,y\n",
            "0,1\n1,2\n",
            "x,y\n0\n",
            "x,y\n0,one\n",
            "x,y\n0,NaN\n",
            "x,y\n0,1\n0,2\n",
            "x,y\n0,1,2\n",
            "y,x\n0,1\n",
        ] {
            std::fs::write(&path, text).unwrap();
            let message = refused(&["minimizer", "--data", path.to_str().unwrap()]);
            assert!(message.contains("data.csv"), "{text:?}: {message}");
        }
    }

    #[test]
    fn data_with_columns_or_numbers_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        for text in [
            "x\n0\n1\n",
            "x,y\n0,inf\n",
            "x,y\n-inf,0\n",
            "x,y\nNaN,0\n",
            "x,y\n1e999,0\n",
            "x,y\n0,\n",
            "x,y\n0,1\n-0.0,2\n",
            "x,y\n0,0\n5e-324,1\n",
        ] {
            std::fs::write(&path, text).unwrap();
            let message = refused(&["minimizer", "--data", path.to_str().unwrap(), "--json"]);
            assert!(message.contains("data.csv"), "{text:?}: {message}");
        }
        std::fs::write(&path, [b'x', b',', b'y', b'\n', 0xff]).unwrap();
        refused(&["minimizer", "--data", path.to_str().unwrap()]);
    }

    /// Where all knots lie on one side of a point, limits are affine (ReLU) or sgn(x)(Sx − T).
    #[test]
    fn data_without_an_interpolant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        let spiral = |m: i32| (0..m).map(move |i| (2.0 + f64::from(i), f64::from(i % 7)));
        let cases: [(&str, Vec<(f64, f64)>); 6] = [
            ("abs", vec![(-2.0, 1.0), (2.0, 2.0), (3.0, 3.0)]),
            ("abs", vec![(1.0, 0.0), (-1.0, 0.0), (2.0, 1.0), (0.5, 7.0)]),
            ("relu", vec![(-4.0, 0.0), (-3.0, 1.0), (-2.0, 0.0)]),
            (
                "relu",
                vec![(0.1, 3.0), (1.0, 0.0), (1.5, 1.0), (1.25, 0.0)],
            ),
            ("relu", spiral(100_000).collect()),
            ("abs", spiral(100_000).collect()),
        ];
        for (activation, points) in cases {
            let lines: String = points.iter().map(|(x, y)| format!("{x},{y}\n")).collect();
            std::fs::write(&path, format!("x,y\n{lines}")).unwrap();
            let data = path.to_str().unwrap();
            for more in [
                &[][..],
                &["--scaling", "scaled", "--potential", "power:4,1"],
                &["--json"],
            ] {
                let arguments = ["minimizer", "--data", data, "--activation", activation];
                let message = refused(&[&arguments[..], more].concat());
                assert!(
                    message.contains("no interpolant"),
                    "{activation}: {message}"
                );
                assert!(
                    message.contains("widen the support") && message.contains("--bias uniform:"),
                    "{activation}: {message}"
                );
            }
        }
        // The same points fit once the biases reach past them.
        std::fs::write(&path, "x,y\n-2,1\n2,2\n3,3\n").unwrap();
        let data = path.to_str().unwrap();
        let wide = [
            "minimizer",
            "--data",
            data,
            "--activation",
            "abs",
            "--bias",
            "uniform:3.5",
            "--json",
        ];
        assert!(json(&wide)["cost"].is_number());
    }

    #[test]
    fn potentials() {
        for value in [
            "",
            "power",
            "power:",
            "power:4",
            "power:4,",
            "power:4,-1",
            "power:4,0",
            "power:1.5,1",
            "power:-4,1",
            "power:nan,1",
            "power:inf,1",
            "power:4,inf",
            "power:4,nan",
            "power:4,1,1",
            "power:4;1",
            "hypentropy",
            "hypentropy:0",
            "hypentropy:-1",
            "hypentropy:x",
            "cubic",
            "quadratic:1",
            "-1",
        ] {
            setting_refused("--potential", value);
        }
    }

    #[test]
    fn densities() {
        for value in [
            "",
            "uniform",
            "uniform:-1",
            "uniform:0",
            "uniform:nan",
            "uniform:inf",
            "uniform:1,2",
            "gaussian:0",
            "gaussian:-1",
            "gaussian:inf",
            "triangular:1,2",
            "triangular:1,-2",
            "triangular:0",
            "triangular:1,nan",
            "cauchy:1",
            "-1",
        ] {
            setting_refused("--bias", value);
        }
    }

    #[test]
    fn names_of_activation_and_scaling() {
        for value in ["tanh", "ReLU", ""] {
            setting_refused("--activation", value);
            setting_refused("--scaling", value);
        }
    }

    #[test]
    fn points() {
        for value in [
            "", "a", "0,", ",0", "0,,1", "0;1", "nan", "0,inf", "1e999", "--json",
        ] {
            setting_refused("--at", value);
        }
        for value in [
            "",
            "0",
            "0:1",
            "1:0:5",
            "1:1:5",
            "0:1:0",
            "0:1:1",
            "0:1:-5",
            "0:1:2.5",
            "0:1:x",
            "a:1:5",
            "0:nan:5",
            "-inf:0:5",
            "0:1:5:6",
            "0:1:99999999999",
        ] {
            setting_refused("--grid", value);
        }
    }

    #[test]
    fn options_of_other_commands() {
        for arguments in [
            ["minimizer", "--data", "figure1", "--seed", "1"],
            ["minimizer", "--data", "figure1", "--output-init", "zero"],
            ["audit", "--bias", "uniform:1", "--effort", "1"],
        ] {
            refused(&arguments);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let message = refused(&["audit", "--out", path]);
        assert!(message.contains(path), "{message}");
        refused(&["audit", "--out", &format!("{path}/below")]);
    }
}

mod minimizer {
    use super::*;

    const FIELDS: &str = "band certificate cost fluctuation_sd multipliers points \
                          second_derivative terms values";

    #[test]
    fn prints_one_object_with_every_field() {
        let report = json(&["minimizer", "--data", "figure1", "--json"]);
        let keys: BTreeSet<_> = report
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, FIELDS.split_whitespace().collect());
        let points = numbers(&report["points"]);
        assert_eq!(
            (points.len(), points[0], points[50], points[100]),
            (101, -1.5, 0.0, 1.5)
        );
        for field in ["values", "second_derivative", "fluctuation_sd"] {
            assert_eq!(report[field].as_array().unwrap().len(), 101, "{field}");
        }
        assert_eq!(report["multipliers"].as_array().unwrap().len(), 5);
        assert_eq!(report["band"], Value::Null);
        for field in ["duality_gap", "interpolation_residual", "sup_error_bound"] {
            assert!(report["certificate"][field].is_number(), "{field}");
        }
        let cost = report["cost"].as_f64().unwrap();
        assert!((cost - 207.80419354838568).abs() < 1e-9 * cost);
        let terms = ["curvature", "slopes", "offset"].map(|g| report["terms"][g].as_f64().unwrap());
        for (term, expected) in terms
            .into_iter()
            .zip([202.37581685743896, 0.0, 5.42837669094675])
        {
            assert!((term - expected).abs() < 1e-9, "{terms:?}");
        }
    }

    #[test]
    fn has_no_terms_where_the_cost_does_not_separate() {
        let scaled = [
            "--potential",
            "power:3,1",
            "--scaling",
            "scaled",
            "--at",
            "0",
        ];
        let report = json(&[&["minimizer", "--data", "figure1", "--json"][..], &scaled].concat());
        assert_eq!(report["terms"], Value::Null);
    }

    #[test]
    fn takes_negative_points_in_the_order_given() {
        let at = |list| {
            numbers(&json(&["minimizer", "--data", "figure1", "--json", "--at", list])["points"])
        };
        assert_eq!(at("-0.1,0.5"), [-0.1, 0.5]);
        assert_eq!(at("0.5, -1e-1"), [0.5, -0.1]);
        let grid = json(&[
            "minimizer",
            "--data",
            "figure1",
            "--json",
            "--grid",
            "-1:1:5",
        ]);
        assert_eq!(numbers(&grid["points"]), [-1.0, -0.5, 0.0, 0.5, 1.0]);
    }

    #[test]
    fn gives_multipliers_in_the_order_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let multipliers = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let path = path.to_str().unwrap();
            numbers(&json(&["minimizer", "--data", path, "--json", "--at", "0"])["multipliers"])
        };
        let mut sorted = multipliers("sorted.csv", "x,y\n-0.5,1\n0.25,0\n0.5,2\n");
        sorted.rotate_left(1);
        assert_eq!(
            multipliers("rotated.csv", "x,y\n0.25,0\n0.5,2\n-0.5,1\n"),
            sorted
        );
    }

    #[test]
    fn band_narrows_as_one_over_the_root_of_the_width() {
        let report = json(&[
            "minimizer",
            "--data",
            "figure1",
            "--json",
            "--at",
            "0.1,0.6",
            "--width",
            "400",
        ]);
        assert_eq!(report["band"]["width"], 400);
        let (limit, band) = (
            numbers(&report["fluctuation_sd"]),
            numbers(&report["band"]["sd"]),
        );
        for (limit, band) in limit.into_iter().zip(band) {
            assert_eq!(band, limit / 20.0);
        }
    }

    #[test]
    fn prints_a_table() {
        let arguments = [
            "minimizer",
            "--data",
            "figure2",
            "--activation",
            "abs",
            "--at",
            "-1,1",
        ];
        let output = mirrorflow(&arguments)
            .assert()
            .code(0)
            .stderr("")
            .get_output()
            .stdout
            .clone();
        let text = String::from_utf8(output).unwrap();
        let first_words: Vec<_> = text
            .lines()
            .filter_map(|l| l.split_whitespace().next())
            .collect();
        let expected = [
            "x",
            "-1",
            "1",
            "cost",
            "terms",
            "multipliers",
            "certificate",
        ];
        assert_eq!(first_words, expected, "{text}");
    }
}

mod claims {
    use super::*;

    #[test]
    fn are_listed_in_the_order_of_the_registry() {
        let listed = json(&["claims", "--json"]);
        let listed: Vec<_> = listed["claims"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| &c["id"])
            .collect();
        let registry: Vec<_> = mirrorflow::claims::registry()
            .iter()
            .map(|c| c.id)
            .collect();
        assert_eq!(listed, registry);
        let assert = mirrorflow(&["claims"]).assert().code(0).stderr("");
        let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
        assert!(registry.iter().all(|id| text.contains(id)));
    }

    #[test]
    fn are_shown_with_statement_source_twins_and_proof() {
        for claim in mirrorflow::claims::registry() {
            let assert = mirrorflow(&["claims", claim.id])
                .assert()
                .code(0)
                .stderr("");
            let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
            for part in [claim.id, claim.statement, claim.source] {
                assert!(text.contains(part), "{part}");
            }
            for twin in claim.controls {
                assert!(
                    text.contains(twin.id) && text.contains(twin.statement),
                    "{}",
                    twin.id
                );
            }
        }
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in [
        &["--help"][..],
        &["help"],
        &["audit", "--help"],
        &["--version"],
    ] {
        let assert = mirrorflow(arguments).assert().code(0).stderr("");
        assert!(!assert.get_output().stdout.is_empty(), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_who_has_left_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_mirrorflow"))
        .args(["minimizer", "--data", "figure1"])
        .stdout(writer)
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(0));
    assert_eq!(String::from_utf8(status.stderr).unwrap(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn the_number_of_blas_threads_is_1_unless_chosen() {
    // Without the variable the program starts anew with it; the outcome is the same.
    let run = |threads: Option<&str>| {
        let mut command = mirrorflow(&["minimizer", "--data", "figure1", "--json"]);
        command.env_remove("OPENBLAS_NUM_THREADS");
        if let Some(threads) = threads {
            command.env("OPENBLAS_NUM_THREADS", threads);
        }
        command
            .assert()
            .code(0)
            .stderr("")
            .get_output()
            .stdout
            .clone()
    };
    assert_eq!(run(None), run(Some("1")));
}
