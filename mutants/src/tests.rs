//! The tests of the copy, and what they notice.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::build::{Change, Plan, cargo, write_if_changed};

/// A test that passes when no change is on.
#[derive(Clone, Serialize, Deserialize)]
pub struct Test {
    binary: PathBuf,
    built: SystemTime,
    name: String,
    seconds: f64,
    /// The functions that it enters.
    functions: BTreeSet<usize>,
}

/// What came of a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// A test failed, or took too long.
    Caught,
    /// No test that enters the function failed.
    Missed,
    /// Its seconds were over before all tests were tried.
    Open,
}

impl Verdict {
    const ALL: [(Self, &str); 3] = [
        (Self::Caught, "caught"),
        (Self::Missed, "missed"),
        (Self::Open, "open"),
    ];

    fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// To which proptest adds the cases that fail: what one change made fail is no test of the next.
const REGRESSIONS: &str = "tests/regressions.txt";
/// Seconds beyond five times what a test took that it is given.
const GRACE: f64 = 20.0;

/// Builds the tests; their programs.
pub fn compile(copy: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let output = cargo(copy, folder)
        .args([
            "test",
            "--locked",
            "--profile",
            "mutants",
            "--test",
            "*",
            "--no-run",
            "--message-format=json",
        ])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("the copy's tests do not compile");
    }
    let messages = String::from_utf8(output.stdout)?;
    let messages = messages
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<Value>, _>>()?;
    let tests = messages
        .iter()
        .filter(|message| message["profile"]["test"] == true);
    Ok(tests
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect())
}

/// Runs each test once, but for those of programs that are as they were in `known`; those that pass.
pub fn measure(
    copy: &Path,
    folder: &Path,
    binaries: &[PathBuf],
    known: Vec<Test>,
) -> Result<Vec<Test>> {
    let mut names = Vec::new();
    let mut tests = Vec::new();
    for binary in binaries {
        let built = fs::metadata(binary)?.modified()?;
        let same = known
            .iter()
            .filter(|test| test.binary == *binary && test.built == built);
        let same: Vec<Test> = same.cloned().collect();
        if !same.is_empty() {
            tests.extend(same);
            continue;
        }
        let list = Command::new(binary)
            .current_dir(copy)
            .args(["--list", "--format", "terse"])
            .output()?;
        let list = String::from_utf8(list.stdout)?;
        let listed = list.lines().filter_map(|line| line.strip_suffix(": test"));
        names.extend(listed.map(|name| (binary.clone(), built, name.to_owned())));
    }
    let progress = progress(names.len(), "tests");
    let (found, failed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    on_all_cores(&names, |i, (binary, built, name)| -> Result<()> {
        let coverage = folder.join(format!("coverage-{i}"));
        fs::remove_file(&coverage).ok();
        let mut test = Test {
            binary: binary.clone(),
            built: *built,
            name: name.clone(),
            seconds: 600.0,
            functions: BTreeSet::new(),
        };
        let start = Instant::now();
        let passed = test
            .command(copy, 600.0)
            .env("MUTANT_COVERAGE", &coverage)
            .status()?
            .success();
        test.seconds = start.elapsed().as_secs_f64();
        let functions = fs::read_to_string(&coverage).unwrap_or_default();
        fs::remove_file(&coverage).ok();
        test.functions = functions
            .lines()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        if passed {
            found.lock().expect("no panic").push(test);
        } else {
            failed.lock().expect("no panic").push(test.name);
        }
        progress.inc(1);
        Ok(())
    })?;
    progress.finish_and_clear();
    tests.extend(found.into_inner()?);
    tests.sort_by(by_seconds);
    let total: f64 = tests.iter().map(|test| test.seconds).sum();
    println!(
        "{} tests pass with no change on, in {total:.0} s",
        tests.len()
    );
    for name in failed.into_inner()? {
        println!("not used, since it fails on the copy as it is: {name}");
    }
    Ok(tests)
}

/// Tries all changes that no earlier run caught.
pub fn run(folder: &Path, seconds: Option<f64>, only: &str, by: &str) -> Result<ExitCode> {
    let plan = Plan::read(folder)?;
    for test in &plan.tests {
        if fs::metadata(&test.binary)?.modified()? != test.built {
            bail!(
                "{} is not what `build` made: run it first",
                test.binary.display()
            );
        }
    }
    let path = folder.join("verdicts.tsv");
    let mut verdicts = read_verdicts(&path)?;
    let of = |change: &Change| (change.name.clone(), change.fingerprint);
    let selected: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|change| change.name.contains(only))
        .collect();
    let mut left = selected.clone();
    left.retain(|change| {
        verdicts
            .get(&of(change))
            .is_none_or(|verdict| *verdict != Verdict::Caught)
    });

    let log = Mutex::new(OpenOptions::new().create(true).append(true).open(&path)?);
    let killers: Mutex<HashMap<usize, Vec<usize>>> = Mutex::default();
    let new = Mutex::new(Vec::new());
    let progress = progress(left.len(), "changes");
    on_all_cores(&left, |_, change| -> Result<()> {
        let before = killers
            .lock()
            .expect("no panic")
            .get(&change.function)
            .cloned()
            .unwrap_or_default();
        let start = Instant::now();
        let (verdict, test) = plan.judge(change, seconds, by, &before)?;
        if let Some(test) = test {
            let mut killers = killers.lock().expect("no panic");
            let killers = killers.entry(change.function).or_default();
            killers.retain(|t| *t != test);
            killers.insert(0, test);
        }
        let (word, took) = (verdict.word(), start.elapsed().as_secs_f64());
        let test = test.map_or("", |t| &plan.tests[t].name);
        let line = format!(
            "{word}\t{}\t{took:.1}\t{}\t{test}\n",
            change.fingerprint, change.name
        );
        log.lock().expect("no panic").write_all(line.as_bytes())?;
        new.lock().expect("no panic").push((of(change), verdict));
        progress.inc(1);
        Ok(())
    })?;
    progress.finish_and_clear();
    verdicts.extend(new.into_inner()?);

    let verdict = |change: &Change| verdicts.get(&of(change)).copied().unwrap_or(Verdict::Open);
    for change in selected
        .iter()
        .filter(|change| verdict(change) != Verdict::Caught)
    {
        println!("{}\t{}", verdict(change).word(), change.name);
    }
    let count = |wanted| {
        selected
            .iter()
            .filter(|change| verdict(change) == wanted)
            .count()
    };
    println!(
        "{} changes with a switch: {} caught, {} missed, {} open",
        selected.len(),
        count(Verdict::Caught),
        count(Verdict::Missed),
        count(Verdict::Open)
    );
    let all_caught = count(Verdict::Caught) == selected.len();
    Ok(ExitCode::from(u8::from(!all_caught)))
}

/// The last verdict on each change, by name and fingerprint.
fn read_verdicts(path: &Path) -> Result<BTreeMap<(String, u64), Verdict>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| {
        let [word, fingerprint, _, name, ..] = line.split('\t').collect::<Vec<_>>()[..] else {
            bail!("{}: {line}", path.display());
        };
        let verdict = Verdict::ALL
            .iter()
            .find(|(_, w)| *w == word)
            .context("a verdict")?
            .0;
        Ok(((name.to_owned(), fingerprint.parse()?), verdict))
    });
    lines.collect()
}

impl Plan {
    /// Runs the tests that enter the change's function until one fails: those that caught others there, then the quickest.
    fn judge(
        &self,
        change: &Change,
        seconds: Option<f64>,
        by: &str,
        before: &[usize],
    ) -> Result<(Verdict, Option<usize>)> {
        let enters = |t: &usize| {
            let test = &self.tests[*t];
            test.name.contains(by) && test.functions.contains(&change.function)
        };
        let others = (0..self.tests.len()).filter(|t| enters(t) && !before.contains(t));
        let mut spent = 0.0;
        for t in before.iter().copied().chain(others) {
            let test = &self.tests[t];
            if seconds.is_some_and(|most| spent > 0.0 && spent + test.seconds > most) {
                return Ok((Verdict::Open, None));
            }
            spent += test.seconds;
            if !self.passes(test, Some(change.switch))? {
                return Ok((Verdict::Caught, Some(t)));
            }
        }
        let verdict = if by.is_empty() {
            Verdict::Missed
        } else {
            Verdict::Open
        };
        Ok((verdict, None))
    }

    /// Whether a test passes with a change on.
    fn passes(&self, test: &Test, switch: Option<usize>) -> Result<bool> {
        write_if_changed(&self.copy.join(REGRESSIONS), &fs::read(REGRESSIONS)?)?;
        let mut command = test.command(&self.copy, 5.0f64.mul_add(test.seconds, GRACE));
        if let Some(switch) = switch {
            command.env("MUTANT", switch.to_string());
        }
        Ok(command.status()?.success())
    }

    /// The name of a test that fails on the copy as it is built, the quickest first.
    pub fn failing(&self) -> Result<Option<String>> {
        let failing = Mutex::new(None);
        on_all_cores(&self.tests, |_, test| -> Result<()> {
            let found = failing.lock().expect("no panic").is_some();
            if !found && !self.passes(test, None)? {
                *failing.lock().expect("no panic") = Some(test.name.clone());
            }
            Ok(())
        })?;
        Ok(failing.into_inner()?)
    }
}

impl Test {
    /// Runs the test alone, with bounded time and memory. `timeout` also ends what the test has started.
    fn command(&self, copy: &Path, seconds: f64) -> Command {
        let mut command = Command::new("timeout");
        command
            .args(["-s", "KILL", &format!("{seconds:.1}")])
            .args(["sh", "-c", "ulimit -v 16000000; exec \"$0\" \"$@\""])
            .arg(&self.binary)
            .args(["--exact", &self.name])
            .current_dir(copy)
            .env("CARGO_MANIFEST_DIR", copy)
            .env("INSTA_WORKSPACE_ROOT", copy)
            .env("CI", "true")
            .env("RAYON_NUM_THREADS", "1")
            // As .cargo/config.toml has it.
            .env("OPENBLAS_NUM_THREADS", "1")
            .env("OPENBLAS_CORETYPE", "Prescott")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

fn by_seconds(a: &Test, b: &Test) -> Ordering {
    a.seconds.total_cmp(&b.seconds)
}

/// Calls `work` on each item, on as many threads as there are cores, in their order.
fn on_all_cores<T: Sync>(items: &[T], work: impl Fn(usize, &T) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let one_after_another = || -> Result<()> {
        while let Some((i, item)) =
            Some(next.fetch_add(1, Relaxed)).and_then(|i| Some((i, items.get(i)?)))
        {
            work(i, item)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism()?.get();
        let all: Vec<_> = (0..threads)
            .map(|_| scope.spawn(one_after_another))
            .collect();
        all.into_iter()
            .try_for_each(|thread| thread.join().expect("no panic"))
    })
}

fn progress(count: usize, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{pos}/{len} {msg}, {elapsed} of {duration}");
    ProgressBar::new(count as u64)
        .with_message(what)
        .with_style(style.expect("a template"))
}
