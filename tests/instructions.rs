//! Instructions that kernels take, counted by valgrind, against snapshots/instructions.json: unlike times they repeat
//! (exactly, in ten runs), so that a tenth more cannot hide in the noise of a busy machine.
//!
//! The test runs this program again under callgrind, once a kernel, on one thread. A count belongs to a profile (`cargo test`
//! or `cargo test --release`), a compiler and a C library. Valgrind has no AVX-512, and `pulp` chooses AVX2, as it does without
//! valgrind: processors that have AVX2 and FMA take one path. Elsewhere counts are printed and nothing is rejected.
//! `RECORD=1 cargo test --test instructions`, with `--release` and without, writes the record anew.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use mirrorflow::{
    evidence::certificate,
    setting::{
        Activation, Archive, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting,
    },
    solver::{
        bregman_projection, infinite_width,
        mirror_flow::{self, Options},
    },
};
use serde_json::{Value, json};
use std::{
    env,
    hint::black_box,
    path::Path,
    process::{Command, Stdio},
};

const RECORD: &str = "snapshots/instructions.json";
/// By how much a count may be off its record, either way: what a kernel has gained is recorded, lest it be
/// lost unseen. No derivation says how small a loss matters; this is far above the spread of repeated counts and of minor
/// versions of the libraries, and far below a tenth.
const TOLERANCE: f64 = 0.02;
const KERNELS: [&str; 11] = [
    "quadratic",
    "power:3,1",
    "power:4,1",
    "power:2.5,1",
    "hypentropy:1",
    "minimize",
    "certify",
    "project",
    "flow",
    "csv",
    "npz",
];

fn setting(dataset: Dataset) -> Setting {
    Setting {
        dataset,
        activation: Activation::Abs,
        bias: BiasDensity::uniform(1.0).unwrap(),
        potential: Potential::power(3.0, 1.0).unwrap(),
        scaling: Scaling::Scaled,
    }
}

fn network(width: usize, seed: u64) -> Network {
    let bias = BiasDensity::uniform(1.0).unwrap();
    Network::sample(&bias, OutputInit::Zero, width, seed)
}

fn noise(m: usize) -> Dataset {
    let [x, y] = [0, 1].map(|seed| network(m, seed).b.to_vec());
    Dataset::from_points(&x, &y).unwrap()
}

/// What callgrind counts.
#[inline(never)]
fn counted_by_callgrind<T>(kernel: impl FnOnce() -> T) {
    black_box(kernel());
}

#[test]
#[ignore = "the kernel that KERNEL names, to be run under valgrind"]
fn kernel() {
    let name = env::var("KERNEL").unwrap();
    // A twin has a tenth more to do.
    let sized = |n: usize| {
        if env::var_os("TWIN").is_some() {
            n + n / 10
        } else {
            n
        }
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    pool.install(|| match name.as_str() {
        "minimize" => {
            let setting = setting(noise(sized(300)));
            counted_by_callgrind(|| infinite_width::minimize(&setting).unwrap());
        }
        "certify" => {
            let solution = infinite_width::minimize(&setting(noise(sized(300)))).unwrap();
            counted_by_callgrind(|| certificate::certify(&solution));
        }
        "project" => {
            let (setting, network) = (setting(Dataset::figure2()), network(sized(20_000), 0));
            counted_by_callgrind(|| bregman_projection::project(&setting, &network).unwrap());
        }
        "flow" => {
            let (setting, network) = (setting(Dataset::figure2()), network(sized(2000), 0));
            let options = Options {
                most_steps: 25,
                ..Options::default()
            };
            let train = || mirror_flow::train(&setting, &network, &options, &mut |_| {});
            counted_by_callgrind(|| train().unwrap());
        }
        "csv" => {
            let file = tempfile::NamedTempFile::new().unwrap();
            let points = noise(sized(2000));
            let lines = points
                .x()
                .iter()
                .zip(points.y())
                .map(|(x, y)| format!("{x},{y}\n"));
            let text = format!("x,y\n{}", lines.collect::<String>());
            std::fs::write(file.path(), text).unwrap();
            counted_by_callgrind(|| Dataset::read_csv(file.path()).unwrap());
        }
        "npz" => {
            let path = Path::new("tests/networks/f64_scaled_abs_p2_n540_seed0.npz");
            counted_by_callgrind(|| Archive::read(path, None).unwrap());
        }
        // Both derivatives of the conjugate at once, then φ' and φ'' one by one.
        potential => {
            let potential: Potential = potential.parse().unwrap();
            let u = network(sized(10_000), 0).b.to_vec();
            let (mut z, mut inverse) = (u.clone(), u.clone());
            counted_by_callgrind(|| {
                potential.conjugate_derivatives(&u, &mut z, &mut inverse);
                let primal = z
                    .iter()
                    .map(|z| potential.mirror_map(*z) + potential.hessian(*z));
                primal.sum::<f64>()
            });
        }
    });
}

/// Instructions of a kernel.
fn count(name: &str, twin: bool) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counts");
    let mut command = Command::new("valgrind");
    command
        .arg("--tool=callgrind")
        .arg("--toggle-collect=*counted_by_callgrind*")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe().unwrap())
        .args(["--exact", "kernel", "--ignored"])
        .env("KERNEL", name)
        // As .cargo/config.toml has it, whoever starts the test.
        .env("OPENBLAS_NUM_THREADS", "1")
        .env("OPENBLAS_CORETYPE", "Prescott");
    if twin {
        command.env("TWIN", "1");
    }
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {told}");
    let counts = std::fs::read_to_string(file).unwrap();
    let total = counts
        .lines()
        .find_map(|line| line.strip_prefix("totals: "));
    let total = total.unwrap().parse().unwrap();
    assert!(total > 0, "{name}: nothing was counted");
    total
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

/// What counts depend on besides this project's sources.
fn platform() -> String {
    let rustc = env::var("RUSTC").unwrap_or("rustc".into());
    let avx = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    format!(
        "{}, {}, {}",
        first_line(&rustc, &["--version"]),
        first_line("getconf", &["GNU_LIBC_VERSION"]),
        if avx { "AVX2 and FMA" } else { "no AVX2" }
    )
}

/// Whether a count is off its record.
fn is_off(count: u64, record: u64) -> bool {
    count.abs_diff(record) as f64 > TOLERANCE * record as f64
}

#[test]
fn kernels_take_the_instructions_on_record() {
    let valgrind = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if valgrind.is_err() {
        assert!(
            env::var_os("REQUIRE_VALGRIND").is_none(),
            "valgrind is missing: apt-get install valgrind"
        );
        eprintln!("valgrind is missing: no instructions are counted");
        return;
    }
    let profile = if cfg!(debug_assertions) {
        "test"
    } else {
        "release"
    };
    let mut record: Value =
        serde_json::from_str(&std::fs::read_to_string(RECORD).unwrap()).unwrap();
    let counts = KERNELS.map(|name| (name, count(name, false)));
    if env::var_os("RECORD").is_some() {
        record[profile] = json!({ "platform": platform() });
        for (name, count) in counts {
            record[profile][name] = count.into();
        }
        let text = serde_json::to_string_pretty(&record).unwrap();
        return std::fs::write(RECORD, text + "\n").unwrap();
    }
    let record = &record[profile];
    let mut off = Vec::new();
    for (name, count) in counts {
        let known = record[name].as_u64().unwrap();
        let line = format!(
            "{name}: {count} instructions, {:+.3} % of {known} on record",
            100.0 * (count as f64 / known as f64 - 1.0)
        );
        println!("{line}");
        if is_off(count, known) {
            off.push(line);
        }
    }
    let here = platform();
    if record["platform"] != here {
        let told = format!(
            "not compared: this is {here}, the record of {}",
            record["platform"]
        );
        assert!(env::var_os("REQUIRE_RECORD").is_none(), "{told}");
        return eprintln!("{told}");
    }
    assert!(
        off.is_empty(),
        "RECORD=1 writes what is meant anew:\n{}",
        off.join("\n")
    );
    // A twin of each: a tenth more points, neurons or lines is a tenth more instructions or so, and must be seen.
    for name in ["power:3,1", "certify", "project", "flow", "csv"] {
        let known = record[name].as_u64().unwrap();
        let twin = count(name, true);
        assert!(
            twin > known && is_off(twin, known),
            "{name}: {twin} against {known}"
        );
    }
}
