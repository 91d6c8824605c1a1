//! The program is killed, the disk is full, a place cannot be written to: no half-written file, the
//! right exit code, and an interrupted audit resumes.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use mirrorflow::report;
use serde_json::Value;
use std::{
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

fn program() -> PathBuf {
    assert_cmd::cargo::cargo_bin("mirrorflow")
}

/// Claims of which the first takes a tenth of a second and the last some.
const CLAIMS: &str = "curvature-shape,sharp-hypotheses,prior-results,bregman-projection";

fn audit(more: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(["audit", "--only", CLAIMS]).args(more);
    command.env("RAYON_NUM_THREADS", "1");
    command
}

/// Runs a line of shell with the program as `$0`.
fn shell(line: &str, folder: &Path) -> Output {
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .arg(program())
        .current_dir(folder);
    command.output().unwrap()
}

fn message(output: &Output) -> String {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// A ledger without its times.
fn timeless(bytes: &[u8]) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("seconds");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::from_slice(bytes).unwrap();
    strip(&mut value);
    value
}

/// Waits until the first unit is kept.
fn first_unit(child: &mut Child, units: &Path) {
    while files(units).iter().all(|name| name.starts_with('.')) {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it was killed"
        );
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_audit_that_was_killed_leaves_whole_files_and_resumes() {
    let whole = audit(&["--json"]).output().unwrap();
    assert_eq!(whole.status.code(), Some(0));
    for (signal, number) in [("-INT", 2), ("-TERM", 15), ("-KILL", 9)] {
        let root = TempDir::new().unwrap();
        let out = root.path().to_str().unwrap();
        let mut child = audit(&["--out", out])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let units = root.path().join("units");
        first_unit(&mut child, &units);
        let kill = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        // A shell calls this 128 + its number.
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        assert_eq!(files(root.path()), ["units"], "no ledger");
        let kept = files(&units);
        assert!(
            kept.len() < 4 && kept.iter().all(|name| name.ends_with(".cbor")),
            "{kept:?}"
        );
        let time = |name: &String| fs::metadata(units.join(name)).unwrap().modified().unwrap();
        let times: Vec<_> = kept.iter().map(time).collect();

        let resumed = audit(&["--out", out, "--resume", "--json"])
            .output()
            .unwrap();
        assert_eq!(resumed.status.code(), Some(0));
        assert_eq!(timeless(&resumed.stdout), timeless(&whole.stdout));
        assert_eq!(
            times,
            kept.iter().map(time).collect::<Vec<_>>(),
            "kept, not made anew"
        );
        let names = [
            "index.html",
            "junit.xml",
            "ledger.json",
            "ledger.md",
            "ledger.txt",
            "units",
        ];
        assert_eq!(files(root.path()), names);
    }
}

/// On a full disk, here one of a block, writing fails: that is said, and nothing is left.
#[test]
fn a_full_disk_is_an_error_and_not_the_end() {
    let root = TempDir::new().unwrap();
    let out = root.path();
    let lines = [
        "ulimit -f 1; exec \"$0\" train --data figure2 --activation abs --width 1000 --out net.npz",
        "ulimit -f 1; exec \"$0\" minimizer --data figure2 --activation abs --svg net.svg",
    ];
    for line in lines {
        let output = shell(line, out);
        let message = message(&output);
        assert!(
            message.contains("net.") && message.contains("a place that can be written"),
            "{message}"
        );
        assert!(output.stdout.is_empty());
        assert_eq!(files(out), [""; 0]);
    }
    let line = "ulimit -f 1; exec \"$0\" audit --only curvature-shape --out report";
    assert!(message(&shell(line, out)).contains("report/units/curvature-shape.0.cbor"));
    assert_eq!(files(&out.join("report")), ["units"]);
    assert_eq!(files(&out.join("report/units")), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_on_a_full_disk_is_an_error() {
    let root = TempDir::new().unwrap();
    for line in [
        "exec \"$0\" claims >/dev/full",
        "exec \"$0\" audit --only curvature-shape --json >/dev/full",
        "exec \"$0\" --help >/dev/full",
    ] {
        assert!(message(&shell(line, root.path())).contains("standard output"));
    }
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let root = TempDir::new().unwrap();
    for line in [
        "{ \"$0\" claims; echo $? >code; } | head -n 1",
        "{ \"$0\" audit --only curvature-shape,sharp-hypotheses; echo $? >code; } | true",
    ] {
        let output = shell(line, root.path());
        assert!(output.status.success() && output.stderr.is_empty());
        assert_eq!(fs::read_to_string(root.path().join("code")).unwrap(), "0\n");
    }
}

#[test]
fn places_that_cannot_be_written_to_are_named_before_the_work() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("file"), b"").unwrap();
    fs::create_dir_all(root.path().join("out")).unwrap();
    fs::write(root.path().join("out/units"), b"").unwrap();
    let mut places = vec!["file", "file/below", "out"];
    if cfg!(target_os = "linux") {
        places.extend(["/proc", "/proc/none", "/dev/null"]);
    }
    for place in places {
        let line = format!("exec \"$0\" audit --only notebook-audit --out {place}");
        let output = shell(&line, root.path());
        assert!(message(&output).contains(place));
        assert!(output.stdout.is_empty());
    }
    fs::remove_file(root.path().join("out/units")).unwrap();
    fs::create_dir(root.path().join("out/ledger.json")).unwrap();
    let output = shell(
        "exec \"$0\" audit --only curvature-shape --out out",
        root.path(),
    );
    assert!(message(&output).contains("out/ledger.json"));
    assert!(
        files(&root.path().join("out"))
            .iter()
            .all(|name| !name.starts_with('.'))
    );
}

/// What a killed program left half-written is removed by the next one, not by one that runs beside it.
#[test]
fn abandoned_temporary_files_are_removed() {
    let root = TempDir::new().unwrap();
    let [old, new, other] = [".mirrorflow-old", ".mirrorflow-new", ".other"].map(|name| {
        let path = root.path().join(name);
        fs::write(&path, b"half").unwrap();
        path
    });
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    for path in [&old, &other] {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(hour_ago).unwrap();
    }
    report::make_folder(root.path()).unwrap();
    assert!(!old.exists() && new.exists() && other.exists());
}

/// Four shares of the program, on different numbers of threads, and one run.
#[test]
fn four_shares_merge_into_one_run() {
    let root = TempDir::new().unwrap();
    let folders = ["1", "2", "3", "4"].map(|k| root.path().join(k).to_str().unwrap().to_owned());
    for (k, folder) in folders.iter().enumerate() {
        let shard = format!("{}/4", k + 1);
        let share = audit(&["--shard", &shard, "--out", folder])
            .output()
            .unwrap();
        assert_eq!(share.status.code(), Some(0));
        assert_eq!(files(Path::new(folder)), ["units"]);
    }
    let all: Vec<_> = ["--json", "--merge"]
        .into_iter()
        .chain(folders.iter().map(String::as_str))
        .collect();
    let merged = audit(&all).output().unwrap();
    let whole = audit(&["--json"]).output().unwrap();
    assert_eq!(
        (merged.status.code(), whole.status.code()),
        (Some(0), Some(0))
    );
    assert_eq!(timeless(&merged.stdout), timeless(&whole.stdout));
    let missing = audit(&["--merge", &folders[0], &folders[1]])
        .output()
        .unwrap();
    assert!(message(&missing).contains("2 of 4 units are missing"));
    let other = audit(&["--seed", "1", "--merge", &folders[0]])
        .output()
        .unwrap();
    assert!(message(&other).contains("seed 0"));
    for wrong in [
        &["--shard", "1/4"][..],
        &["--resume"],
        &["--shard", "5/4", "--out", &folders[0]],
        &["--shard", "1/4", "--merge", &folders[0]],
        &["--resume", "--out", &folders[0], "--merge", &folders[0]],
        &["--merge"],
        &["--merge", ""],
        &["--merge", "none"],
    ] {
        message(&audit(wrong).output().unwrap());
    }
}
