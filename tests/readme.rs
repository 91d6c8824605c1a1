//! README.md, tested as written: its commands are run in an empty folder and print what it says, and its
//! picture is the one they draw. Its Rust is tested as documentation.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

const README: &str = include_str!("../README.md");
/// The picture, in the folder of this project; with `REDRAW` set it is written, not compared.
const PICTURE: &str = "snapshots/minimizer.svg";
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The contents of the blocks in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let blocks = README.split(fence.as_str()).skip(1);
    blocks
        .map(|rest| rest.split_once("```").unwrap().0)
        .collect()
}

/// A folder that looks like this project's to the commands, with the program first in the path.
fn run(folder: &Path, command: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_mirrorflow"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut paths = vec![program.parent().unwrap().to_owned()];
    paths.extend(std::env::split_paths(&path));
    Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(paths).unwrap())
        .output()
        .unwrap()
}

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let networks = folder.path().join("tests/networks");
    fs::create_dir_all(&networks).unwrap();
    for file in fs::read_dir(Path::new(ROOT).join("tests/networks")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), networks.join(file.file_name())).unwrap();
    }
    folder
}

/// Whether a printed line is the one shown, `…` standing for anything, and numbers with a point or an
/// exponent being right to one of their last digit.
fn is_line(shown: &str, printed: &str) -> bool {
    let (shown, open) = match shown.split_once('…') {
        Some((start, _)) => (start, true),
        None => (shown, false),
    };
    let mut printed = printed.split_whitespace();
    let mut words = shown.split_whitespace();
    let same = words.all(|word| printed.next().is_some_and(|other| is_word(word, other)));
    same && (open || printed.next().is_none())
}

fn is_word(shown: &str, printed: &str) -> bool {
    let bare = |word: &str| word.trim_matches([',', ';', '(', ')', ':']).to_owned();
    let (one, other) = (bare(shown), bare(printed));
    let (Ok(a), Ok(b)) = (one.parse::<f64>(), other.parse::<f64>()) else {
        return shown == printed;
    };
    let (mantissa, exponent) = one.split_once('e').unwrap_or((&one, "0"));
    let Some((_, decimals)) = mantissa.split_once('.') else {
        return shown == printed;
    };
    let last = 10.0_f64.powi(exponent.parse::<i32>().unwrap() - decimals.len() as i32);
    (a - b).abs() <= 1.001 * last
}

/// The first place where the output leaves what is shown; a line `…` stands for any lines.
fn unlike(shown: &[&str], printed: &[&str]) -> Option<String> {
    let Some((line, rest)) = shown.split_first() else {
        return printed
            .first()
            .map(|line| format!("more is printed: {line}"));
    };
    if *line == "…" {
        let mut ends = 0..=printed.len();
        return match ends.any(|skip| unlike(rest, &printed[skip..]).is_none()) {
            true => None,
            false => Some(format!("nowhere after `…`: {rest:?}")),
        };
    }
    match printed.split_first() {
        Some((first, later)) if is_line(line, first) => unlike(rest, later),
        first => Some(format!("shown {line:?}, printed {first:?}")),
    }
}

#[test]
fn lines_are_told_apart() {
    assert!(is_line("cost  1.25e-3, n = 5", "cost 1.26e-3, n = 5"));
    assert!(!is_line("cost 1.25", "cost 1.27"));
    assert!(!is_line("n = 5", "n = 6"));
    assert!(!is_line("n = 5", "n = 5 or so"));
    assert!(is_line("n = 5 …", "n = 5 or so"));
    assert!(unlike(&["a", "…", "c"], &["a", "b", "b", "c"]).is_none());
    assert!(unlike(&["a", "…", "c"], &["a", "b", "c", "d"]).is_some());
    assert!(unlike(&["a"], &["a", "b"]).is_some());
}

#[test]
fn commands_print_what_is_shown() {
    let folder = folder();
    let blocks = blocks("console");
    assert!(blocks.len() >= 5);
    for one in blocks.iter().flat_map(|block| block.split("$ ").skip(1)) {
        let (command, shown) = one.split_once('\n').unwrap();
        let output = run(folder.path(), command);
        let printed = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let shown: Vec<&str> = shown.trim_end().lines().collect();
        let lines: Vec<&str> = printed.trim_end().lines().collect();
        if let Some(unlike) = unlike(&shown, &lines) {
            panic!("{command}\n{unlike}\n{errors}\n{printed}");
        }
        // The one network that is shown to be rejected.
        let well = !printed.starts_with("inconsistent");
        assert_eq!(output.status.success(), well, "{command}");
    }
    let drawn = fs::read_to_string(folder.path().join("minimizer.svg")).unwrap();
    let kept = Path::new(ROOT).join(PICTURE);
    if std::env::var_os("REDRAW").is_some() {
        fs::write(&kept, &drawn).unwrap();
    }
    same_picture(&drawn, &fs::read_to_string(&kept).unwrap());
}

/// Coordinates are whole tenths of a pixel: their last digit may depend on the processor.
fn same_picture(drawn: &str, kept: &str) {
    let parts = |text: &str| -> Vec<String> {
        let split = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-'));
        split.map(String::from).collect()
    };
    let (drawn, kept) = (parts(drawn), parts(kept));
    assert_eq!(drawn.len(), kept.len(), "`make picture` draws it anew");
    for (one, other) in drawn.iter().zip(&kept) {
        let near = match (one.parse::<f64>(), other.parse::<f64>()) {
            (Ok(a), Ok(b)) => (a - b).abs() <= 1.0,
            _ => one == other,
        };
        assert!(near, "{one} for {other}: `make picture` draws it anew");
    }
}

/// `model` and `start` as PyTorch has them, as far as the four lines go.
const MODELS: &str = "
import numpy
class Parameter:
    def __init__(self, value): self.value = value
    def detach(self): return self
    def numpy(self): return self.value
class Model:
    def __init__(self, *values): self.values = [Parameter(value) for value in values]
    def parameters(self): return iter(self.values)
net = numpy.load('tests/networks/f64_scaled_abs_p2_n540_seed0.npz')
layers = lambda w, b, a, d: Model(w.reshape(-1, 1), b.reshape(-1), a.reshape(1, -1), d.reshape(1))
model = layers(*(net[name] for name in 'wbad'))
start = layers(*(net[name + '0'] for name in 'wbad'))
x, y = net['x'], net['y']
";

#[test]
fn the_python_writes_a_network() {
    let folder = folder();
    if !run(folder.path(), "python3 -c 'import numpy'")
        .status
        .success()
    {
        eprintln!("skipped: there is no python3 with numpy");
        return;
    }
    let [snippet] = blocks("python")[..] else {
        panic!("one block of Python");
    };
    fs::write(folder.path().join("save.py"), format!("{MODELS}{snippet}")).unwrap();
    let saved = run(folder.path(), "python3 save.py");
    assert!(
        saved.status.success(),
        "{}",
        String::from_utf8_lossy(&saved.stderr)
    );
    let inspected = run(
        folder.path(),
        "mirrorflow inspect net.npz --activation abs --scaling scaled",
    );
    let text = String::from_utf8(inspected.stdout).unwrap();
    assert!(text.starts_with("consistent\n"), "{text}");
    assert!(inspected.status.success());
}
