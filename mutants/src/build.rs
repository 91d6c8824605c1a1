//! The copy of the sources with all changes in it.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::switch::{Mutant, Switched, function_count, switched};
use crate::tests::{self, Test};

/// What `run` needs to know.
#[derive(Serialize, Deserialize)]
pub struct Plan {
    /// Of what tests may read besides their programs.
    inputs: u64,
    pub copy: PathBuf,
    pub changes: Vec<Change>,
    pub tests: Vec<Test>,
    /// The changes that can have no switch.
    rest: Vec<Mutant>,
}

impl Plan {
    pub fn read(folder: &Path) -> Result<Self> {
        let plan = fs::read(folder.join("plan.json")).context("`build` comes first")?;
        Ok(serde_json::from_slice(&plan)?)
    }
}

/// A change that has a switch.
#[derive(Serialize, Deserialize)]
pub struct Change {
    pub name: String,
    /// The number that turns it on.
    pub switch: usize,
    pub function: usize,
    /// Of its file's text: tells whether a verdict is still about this change.
    pub fingerprint: u64,
}

/// Why a change has no switch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unswitched {
    /// Its own text is an error.
    DoesNotCompile,
    /// It stands in a constant, in a `const` function, or where a branch has another type.
    NoSwitchThere,
}

/// Writes the copy, builds its tests and runs each of them once.
pub fn build(folder: &Path, selection: &[String]) -> Result<()> {
    fs::create_dir_all(folder)?;
    let folder = &folder.canonicalize()?;
    let list = Command::new("cargo")
        .args(["mutants", "--list", "--json"])
        .args(selection)
        .output()
        .context("cargo mutants")?;
    if !list.status.success() {
        bail!("cargo mutants: {}", String::from_utf8_lossy(&list.stderr));
    }
    let mutants: Vec<Mutant> = serde_json::from_slice(&list.stdout)?;
    if mutants.is_empty() {
        bail!("there is no change to try");
    }
    let copy = folder.join("copy");
    let inputs = copy_tracked(&copy)?;

    let mut sources = Sources::read(&mutants)?;
    let mut rounds = 0;
    loop {
        sources.write(&copy, &mutants)?;
        if !sources.drop_errors(&copy, folder)? {
            break;
        }
        rounds += 1;
    }
    let count = |why| sources.unswitched.values().filter(|w| **w == why).count();
    println!(
        "{} changes: {} have a switch, {} do not compile, {} can have none ({rounds} rounds of checks)",
        mutants.len(),
        mutants.len() - sources.unswitched.len(),
        count(Unswitched::DoesNotCompile),
        count(Unswitched::NoSwitchThere),
    );
    let without = sources
        .unswitched
        .iter()
        .filter(|(_, why)| **why == Unswitched::NoSwitchThere);
    let rest = without.map(|(id, _)| mutants[*id].clone()).collect();

    let binaries = tests::compile(&copy, folder)?;
    let old = Plan::read(folder).ok().filter(|old| old.inputs == inputs);
    let known = old.map_or_else(Vec::new, |old| old.tests);
    let tests = tests::measure(&copy, folder, &binaries, known)?;
    let plan = Plan {
        inputs,
        rest,
        copy,
        changes: sources.changes(&mutants),
        tests,
    };
    fs::write(folder.join("plan.json"), serde_json::to_vec(&plan)?)?;
    Ok(())
}

/// Tries the changes that can have no switch, with one build and all tests for each.
pub fn rest(folder: &Path) -> Result<ExitCode> {
    let folder = &folder.canonicalize()?;
    let plan = Plan::read(folder)?;
    let mut missed = 0;
    for mutant in &plan.rest {
        let changed = plan.copy.join(&mutant.file);
        let before = fs::read(&changed)?;
        fs::write(&changed, mutant.applied(&fs::read_to_string(&mutant.file)?))?;
        let outcome = match tests::compile(&plan.copy, folder) {
            Ok(_) => plan
                .failing()?
                .map_or_else(|| "missed".into(), |test| format!("caught by {test}")),
            Err(_) => "does not compile".into(),
        };
        fs::write(&changed, before)?;
        println!("{}: {outcome}", mutant.name);
        missed += usize::from(outcome == "missed");
    }
    println!(
        "{} changes without a switch: {missed} missed",
        plan.rest.len()
    );
    Ok(ExitCode::from(u8::from(missed > 0)))
}

/// Copies what git tracks but the sources; what has not changed keeps its time, so that it is not compiled again. Returns a
/// fingerprint of what is not compiled.
fn copy_tracked(copy: &Path) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    let tracked = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard"])
        .output()?;
    let tracked = String::from_utf8(tracked.stdout)?;
    let tracked: BTreeSet<&str> = tracked
        .lines()
        .filter(|path| Path::new(path).is_file())
        .collect();
    if let Ok(old) = fs::read_to_string(copy.join(".tracked")) {
        for path in old.lines().filter(|path| !tracked.contains(path)) {
            fs::remove_file(copy.join(path)).ok();
        }
    }
    for path in &tracked {
        if !path.starts_with("src/") || !path.ends_with(".rs") {
            let content = fs::read(path)?;
            write_if_changed(&copy.join(path), &content)?;
            if !path.ends_with(".rs") {
                (path, content).hash(&mut hasher);
            }
        }
    }
    let list: Vec<_> = tracked.into_iter().collect();
    write_if_changed(&copy.join(".tracked"), list.join("\n").as_bytes())?;
    Ok(hasher.finish())
}

/// Writes a file, unless that is what it holds.
pub fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().context("a folder")?)?;
    fs::write(path, content).with_context(|| path.display().to_string())
}

/// The source files, and which changes have a switch.
struct Sources {
    texts: BTreeMap<String, String>,
    first_functions: BTreeMap<String, usize>,
    function_count: usize,
    switched: BTreeMap<String, Switched>,
    unswitched: BTreeMap<usize, Unswitched>,
}

impl Sources {
    fn read(mutants: &[Mutant]) -> Result<Self> {
        let mut texts = BTreeMap::new();
        let mut folders = vec![PathBuf::from("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = fs::read_to_string(&path)?;
                    texts.insert(path.to_string_lossy().into_owned(), text);
                }
            }
        }
        let (mut first_functions, mut function_total) = (BTreeMap::new(), 0);
        for file in mutants
            .iter()
            .map(|mutant| &mutant.file)
            .collect::<BTreeSet<_>>()
        {
            first_functions.insert(file.clone(), function_total);
            function_total += function_count(texts.get(file).context("a source")?)?;
        }
        Ok(Self {
            texts,
            first_functions,
            function_count: function_total,
            switched: BTreeMap::new(),
            unswitched: BTreeMap::new(),
        })
    }

    /// Writes all files.
    fn write(&mut self, copy: &Path, mutants: &[Mutant]) -> Result<()> {
        let mut of_file: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
        for (id, mutant) in mutants.iter().enumerate() {
            if !self.unswitched.contains_key(&id) {
                of_file.entry(&mutant.file).or_default().push((id, mutant));
            }
        }
        // A file of which no change is left has no switches.
        self.switched.clear();
        for (path, text) in &self.texts {
            let mut out = text.clone();
            if let (Some(mutants), Some(&first)) =
                (of_file.get(path.as_str()), self.first_functions.get(path))
            {
                let switched = switched(text, mutants, first).with_context(|| path.clone())?;
                for (id, _) in mutants {
                    if !switched.functions.contains_key(id) {
                        self.unswitched.insert(*id, Unswitched::NoSwitchThere);
                    }
                }
                out.clone_from(&switched.text);
                self.switched.insert(path.clone(), switched);
            }
            if path == "src/lib.rs" {
                out.push_str(
                    "\n/// Which change is on.\n#[allow(missing_docs)]\npub mod switches;\n",
                );
            }
            write_if_changed(&copy.join(path), out.as_bytes())?;
        }
        let runtime = include_str!("switches.rs")
            .replace("FUNCTIONS", &self.function_count.max(1).to_string());
        write_if_changed(&copy.join("src/switches.rs"), runtime.as_bytes())
    }

    /// Compiles, and takes the switch from every change that is an error; whether there was any.
    fn drop_errors(&mut self, copy: &Path, folder: &Path) -> Result<bool> {
        let output = cargo(copy, folder)
            .args([
                "check",
                "--locked",
                "--lib",
                "--profile",
                "mutants",
                "--message-format=json",
            ])
            .output()?;
        if output.status.success() {
            return Ok(false);
        }
        let before = self.unswitched.len();
        let mut errors = String::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let message: Value = serde_json::from_str(line)?;
            let message = &message["message"];
            if message["level"] != "error" {
                continue;
            }
            errors.push_str(message["rendered"].as_str().unwrap_or_default());
            let blamed = places(message).find_map(|(file, range)| {
                let (ids, own) = self.switched.get(&file)?.blame(&range);
                (!ids.is_empty()).then_some((ids, own))
            });
            for id in blamed.iter().flat_map(|(ids, _)| ids) {
                let own = blamed.as_ref().is_some_and(|(_, own)| *own);
                let why = if own {
                    Unswitched::DoesNotCompile
                } else {
                    Unswitched::NoSwitchThere
                };
                self.unswitched.insert(*id, why);
            }
        }
        if self.unswitched.len() == before {
            bail!("the copy does not compile:\n{errors}");
        }
        Ok(true)
    }

    /// The changes that have a switch.
    fn changes(&self, mutants: &[Mutant]) -> Vec<Change> {
        let with = self.switched.iter().flat_map(|(file, switched)| {
            let mut hasher = DefaultHasher::new();
            self.texts[file].hash(&mut hasher);
            let fingerprint = hasher.finish();
            switched
                .functions
                .iter()
                .map(move |(&switch, &function)| Change {
                    name: mutants[switch].name.clone(),
                    switch,
                    function,
                    fingerprint,
                })
        });
        with.collect()
    }
}

/// Where an error is said to stand: its primary places first.
fn places(message: &Value) -> impl Iterator<Item = (String, Range<usize>)> {
    let mut spans: Vec<&Value> = message["spans"].as_array().into_iter().flatten().collect();
    spans.sort_by_key(|span| span["is_primary"] != true);
    let children = message["children"].as_array().into_iter().flatten();
    spans.extend(children.flat_map(|child| child["spans"].as_array().into_iter().flatten()));
    let with_expansions = spans.into_iter().flat_map(|span| {
        std::iter::successors(Some(span), |span| {
            Some(&span["expansion"]["span"]).filter(|s| s.is_object())
        })
    });
    let places: Vec<_> = with_expansions
        .filter_map(|span| {
            let at = |key: &str| usize::try_from(span[key].as_u64()?).ok();
            Some((
                span["file_name"].as_str()?.to_owned(),
                at("byte_start")?..at("byte_end")?,
            ))
        })
        .collect();
    places.into_iter()
}

/// Cargo in the copy, with its own build folder, lints off.
pub fn cargo(copy: &Path, folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("RUSTFLAGS", "--cap-lints allow");
    command
}
