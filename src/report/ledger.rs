//! The ledger: which claims hold, on what evidence, and by what their false twins were rejected.

use super::{make_folder, number, unwritable, write_whole};
use crate::{
    Error, Result,
    claims::{Claim, Context, Control, Findings},
    evidence::{
        Evidence, Kind,
        statistics::{self, Alternative},
    },
};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};
use std::{
    any::Any,
    fmt::{self, Display, Write},
    panic,
    path::Path,
    time::{Duration, Instant},
};

/// A statistical test of less power than this supports nothing.
pub const LEAST_POWER: f64 = 0.9;

/// How many times the samples a claim gets on fresh seeds before a test is believed that it fails.
pub const RETEST: usize = 4;

/// Further seeds on which a calibration repeats each statistical claim.
pub const CALIBRATION_RUNS: u64 = 200;

/// What the evidence says of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// There is evidence, all of it agrees, and every test in it has power.
    Holds,
    /// A comparison disagrees.
    Fails,
    /// Nothing disagrees, but there is no evidence, or a test without power.
    Inconclusive,
}

impl Verdict {
    /// The verdict on a claim with this evidence.
    pub fn of(evidence: &[Evidence]) -> Self {
        if evidence.iter().any(|e| !e.passed) {
            Self::Fails
        } else if evidence.is_empty() || !evidence.iter().all(has_power) {
            Self::Inconclusive
        } else {
            Self::Holds
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Inconclusive => "inconclusive",
        })
    }
}

fn has_power(evidence: &Evidence) -> bool {
    evidence.kind != Kind::Statistical || evidence.test.power.is_some_and(|p| p >= LEAST_POWER)
}

/// The outcome of an audit; serialises as the object that `audit --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Ledger {
    /// One entry for each claim, in the order of the registry.
    pub claims: Vec<JudgedClaim>,
    /// Counts.
    pub summary: Summary,
    /// What the run depended on, and where the ledger was drawn up.
    pub environment: Environment,
    /// Observed size and power, where they were asked for.
    pub calibration: Option<Vec<Calibration>>,
}

/// A claim with its verdict.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JudgedClaim {
    /// Slug of the claim.
    pub id: String,
    /// What is claimed.
    pub statement: String,
    /// Where it comes from.
    pub source: String,
    /// What the evidence says.
    pub verdict: Verdict,
    /// Why the check could not be carried out; the claim is then inconclusive.
    pub error: Option<String>,
    /// Wall-clock time of the check.
    pub seconds: f64,
    /// Tests that disagreed at first, where it was these alone: the evidence is then from fresh seeds
    /// and [`RETEST`] times the samples.
    pub retested: Vec<Evidence>,
    /// The comparisons made.
    pub evidence: Vec<Evidence>,
    /// The claim's false twins.
    pub controls: Vec<JudgedControl>,
}

/// A false twin of a claim and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JudgedControl {
    /// Slug of the twin.
    pub id: String,
    /// What the wrong theory says.
    pub statement: String,
    /// Whether at least one comparison disagrees with it, as it should.
    pub rejected: bool,
    /// The first comparison that disagrees with it.
    pub by: Option<String>,
    /// Of which kind that is.
    pub kind: Option<Kind>,
    /// Comparisons that disagree, of how many.
    pub disagreeing: [usize; 2],
    /// Probability with which other seeds would reject it too: 1 where a comparison disagrees that is no
    /// test, else that of the sharpest test at the effect observed.
    pub power: Option<f64>,
}

/// Counts over a ledger.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Summary {
    /// Claims checked.
    pub claims: usize,
    /// Claims that hold.
    pub holding: usize,
    /// False twins.
    pub controls: usize,
    /// False twins rejected.
    pub rejected: usize,
    /// Wall-clock time of the command that drew up the ledger; what units took that it only read
    /// shows in the claims.
    pub seconds: f64,
}

/// What a run depended on.
#[derive(Debug, Clone, Serialize)]
pub struct Environment {
    /// Version of the crate.
    pub version: &'static str,
    /// Operating system.
    pub os: &'static str,
    /// Processor architecture.
    pub arch: &'static str,
    /// Threads of the command that drew up the ledger.
    pub threads: usize,
    /// Seed of every random draw.
    pub seed: u64,
    /// Multiplier of sample sizes and cases.
    pub effort: usize,
}

/// How often a claim's statistical comparisons and its twins came out wrong on further seeds.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// Slug of the claim.
    pub id: String,
    /// Further seeds on which its check was repeated.
    pub runs: u64,
    /// Checks among these that could not be carried out.
    pub errors: usize,
    /// Statistical comparisons made.
    pub tests: usize,
    /// Those that disagreed with the claim.
    pub rejections: usize,
    /// The sum of their sizes α: how many should disagree, at most, if the claim holds.
    pub expected: f64,
    /// The smallest p-value.
    pub smallest_p: Option<f64>,
    /// Twins judged, of those that a test is the first to reject.
    pub controls: usize,
    /// Those that were not rejected.
    pub survivals: usize,
    /// For each statistical comparison, whether its p-values are uniform over the seeds.
    pub uniformity: Vec<Evidence>,
}

impl Ledger {
    /// Checks claims, spread over the threads of rayon; calls `done` after each.
    ///
    /// Apart from the times, what comes out depends on the claims and the context alone.
    pub fn run(claims: &[Claim], context: &Context, done: impl Fn() + Sync) -> Self {
        let start = Instant::now();
        let check = |claim| {
            let judged = JudgedClaim::check(claim, context);
            done();
            judged
        };
        let claims = claims.par_iter().map(check).collect();
        Self::of(claims, None, context, start)
    }

    /// The ledger of claims judged in this context since `start`.
    pub(super) fn of(
        claims: Vec<JudgedClaim>,
        calibration: Option<Vec<Calibration>>,
        context: &Context,
        start: Instant,
    ) -> Self {
        Self {
            summary: Summary::of(&claims, start.elapsed()),
            claims,
            environment: Environment {
                version: env!("CARGO_PKG_VERSION"),
                os: std::env::consts::OS,
                arch: std::env::consts::ARCH,
                threads: rayon::current_num_threads(),
                seed: context.seed,
                effort: context.effort,
            },
            calibration,
        }
    }

    /// Whether every claim holds and every false twin was rejected.
    pub fn is_clean(&self) -> bool {
        self.summary.holding == self.summary.claims
            && self.summary.rejected == self.summary.controls
    }

    /// Writes `ledger.json`, `ledger.md`, `ledger.txt` and `junit.xml` into a folder, which is made
    /// where it does not exist.
    ///
    /// # Errors
    /// [`Error::File`] where the folder or a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        make_folder(folder)?;
        let junit = folder.join("junit.xml");
        let xml = self
            .junit()
            .to_string()
            .map_err(|error| unwritable(&junit, std::io::Error::other(error)))?;
        write_whole(&junit, xml.as_bytes())?;
        write_whole(&folder.join("ledger.json"), super::json(self).as_bytes())?;
        write_whole(&folder.join("ledger.md"), self.markdown().as_bytes())?;
        write_whole(&folder.join("ledger.txt"), self.to_string().as_bytes())
    }

    /// The ledger as a Markdown page.
    pub fn markdown(&self) -> String {
        let mut page = format!("# Ledger\n\n{}. {}.\n\n", self.environment, self.summary);
        page +=
            "| claim | verdict | statement | evidence | twins rejected |\n|---|---|---|---|---|\n";
        for claim in &self.claims {
            let rejected = claim.controls.iter().filter(|twin| twin.rejected).count();
            page += &format!(
                "| [`{id}`](#{id}) | {} | {} | {} | {rejected} of {} |\n",
                claim.verdict,
                cell(&claim.statement),
                claim.evidence.len(),
                claim.controls.len(),
                id = claim.id,
            );
        }
        page += "\n## Falsifiability\n\nEvery claim and each of its false twins: what rejected it, and with which probability other seeds would (1 where not by tests alone, else the power at the effect observed).\n\n";
        page += "| claim | false twin | first rejected by | comparisons that disagree | power |\n|---|---|---|---|---|\n";
        for claim in &self.claims {
            for twin in &claim.controls {
                let [wrong, all] = twin.disagreeing;
                page += &format!(
                    "| `{}` | `{}` | {} | {wrong} of {all} | {} |\n",
                    claim.id,
                    twin.id,
                    twin.kind.map_or("**nothing**", kind),
                    twin.power.map_or("".into(), |power| number(power, 4)),
                );
            }
        }
        for claim in &self.claims {
            page += &format!(
                "\n## `{}`\n\n{}\n\nSource: {}\n\nVerdict: **{}** ({}).\n",
                claim.id,
                claim.statement,
                claim.source,
                claim.verdict,
                seconds(claim.seconds)
            );
            if let Some(error) = &claim.error {
                page += &format!("\nThe check was not carried out: {error}.\n");
            }
            if !claim.retested.is_empty() {
                page += &format!("\n{}\n", claim.retest());
            }
            if !claim.evidence.is_empty() {
                page += "\n| | kind | comparison | figures |\n|---|---|---|---|\n";
            }
            for evidence in &claim.evidence {
                page += &format!(
                    "| {} | {} | {} | {} |\n",
                    mark(evidence),
                    kind(evidence.kind),
                    cell(&evidence.what),
                    cell(&figures(evidence))
                );
            }
            if !claim.controls.is_empty() {
                page += "\n| false twin | what it says | rejected by |\n|---|---|---|\n";
            }
            for twin in &claim.controls {
                page += &format!(
                    "| `{}` | {} | {} |\n",
                    twin.id,
                    cell(&twin.statement),
                    cell(twin.by.as_deref().unwrap_or("**not rejected**"))
                );
            }
        }
        page
    }

    /// The ledger as JUnit XML: a suite for each claim, a case for each comparison and each twin.
    ///
    /// A case fails exactly where the ledger is not clean because of it.
    pub fn junit(&self) -> Report {
        let status = |complaint: Option<String>, kind| match complaint {
            None => TestCaseStatus::success(),
            Some(complaint) => {
                let mut status = TestCaseStatus::non_success(kind);
                status.set_message(complaint);
                status
            }
        };
        let mut report = Report::new("mirrorflow audit");
        report.set_time(Duration::from_secs_f64(self.summary.seconds));
        for claim in &self.claims {
            let mut suite = TestSuite::new(claim.id.as_str());
            suite.set_time(Duration::from_secs_f64(claim.seconds));
            let mut add = |name: &str, status| {
                let mut case = TestCase::new(name, status);
                case.set_classname(claim.id.as_str());
                suite.add_test_case(case);
            };
            if claim.evidence.is_empty() {
                let complaint = claim.error.clone().unwrap_or("there is no evidence".into());
                add("check", status(Some(complaint), NonSuccessKind::Error));
            }
            for evidence in &claim.evidence {
                let complaint =
                    (!evidence.passed || !has_power(evidence)).then(|| figures(evidence));
                add(&evidence.what, status(complaint, NonSuccessKind::Failure));
            }
            for twin in &claim.controls {
                let complaint =
                    (!twin.rejected).then(|| format!("not rejected: {}", twin.statement));
                let name = format!("false twin {}", twin.id);
                add(&name, status(complaint, NonSuccessKind::Failure));
            }
            report.add_test_suite(suite);
        }
        report
    }
}

impl JudgedClaim {
    /// Carries out the check of one claim. Where nothing but statistical tests disagree it is repeated
    /// with more samples on fresh seeds, and that decides (proofs.md, "How a test is sized").
    pub fn check(claim: &Claim, context: &Context) -> Self {
        let first = Self::once(claim, context);
        let disagreeing = || first.evidence.iter().filter(|e| !e.passed);
        if disagreeing().any(|e| e.kind != Kind::Statistical) || disagreeing().count() == 0 {
            return first;
        }
        let fresh = Context::new(context.seed ^ (1 << 63), RETEST * context.effort);
        let second = Self::once(claim, &fresh);
        Self {
            seconds: first.seconds + second.seconds,
            retested: disagreeing().cloned().collect(),
            ..second
        }
    }

    /// Carries out the check once, whatever the tests say.
    pub(super) fn once(claim: &Claim, context: &Context) -> Self {
        let start = Instant::now();
        // One check that panics must not cost the ledger of all others.
        let outcome = match panic::catch_unwind(|| (claim.check)(context)) {
            Ok(Ok(findings)) => complete(claim, findings),
            Ok(Err(error)) => Err(error.to_string()),
            Err(payload) => Err(format!("the check panicked: {}", panic_message(&*payload))),
        };
        let seconds = start.elapsed().as_secs_f64();
        let (error, evidence, controls) = match outcome {
            Ok(Findings { evidence, controls }) => (None, evidence, controls),
            Err(error) => (Some(error), vec![], vec![vec![]; claim.controls.len()]),
        };
        Self {
            id: claim.id.into(),
            statement: claim.statement.into(),
            source: claim.source.into(),
            verdict: Verdict::of(&evidence),
            error,
            seconds,
            retested: vec![],
            evidence,
            controls: claim
                .controls
                .iter()
                .zip(&controls)
                .map(|(control, evidence)| JudgedControl::of(control, evidence))
                .collect(),
        }
    }
}

impl JudgedClaim {
    /// Whether a statistical test is among the evidence.
    pub(super) fn is_statistical(&self) -> bool {
        self.evidence.iter().any(|e| e.kind == Kind::Statistical)
    }

    /// What was tested again, in words.
    pub(super) fn retest(&self) -> String {
        let tests: Vec<&str> = self.retested.iter().map(|e| e.what.as_str()).collect();
        format!(
            "Tested again on fresh seeds with {RETEST} times the samples, since this disagreed at first: {}.",
            tests.join("; ")
        )
    }
}

/// Refuses findings that leave a twin unjudged.
fn complete(claim: &Claim, findings: Findings) -> std::result::Result<Findings, String> {
    match (findings.controls.len(), claim.controls.len()) {
        (judged, stated) if judged != stated => Err(format!(
            "the check judged {judged} false twins where the claim states {stated}"
        )),
        _ => Ok(findings),
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

impl JudgedControl {
    /// Judges a false twin by the evidence under it.
    pub fn of(control: &Control, evidence: &[Evidence]) -> Self {
        let failed = evidence.iter().find(|e| !e.passed);
        Self {
            id: control.id.into(),
            statement: control.statement.into(),
            rejected: failed.is_some(),
            by: failed.map(|e| format!("{}: {}", e.what, figures(e))),
            kind: failed.map(|e| e.kind),
            disagreeing: [
                evidence.iter().filter(|e| !e.passed).count(),
                evidence.len(),
            ],
            power: evidence
                .iter()
                .filter(|e| !e.passed)
                .map(repeated)
                .reduce(f64::max),
        }
    }
}

/// Power of a comparison that disagrees, if its effect is as large as observed.
fn repeated(evidence: &Evidence) -> f64 {
    match (evidence.test.p_value, evidence.test.alpha) {
        (Some(p), Some(alpha)) => {
            let normal = Normal::standard();
            let [observed, critical] = [p, alpha].map(|p| normal.inverse_cdf(0.5 * p));
            normal.cdf(critical - observed)
        }
        _ => 1.0,
    }
}

impl Summary {
    fn of(claims: &[JudgedClaim], elapsed: Duration) -> Self {
        let twins = || claims.iter().flat_map(|claim| &claim.controls);
        let holds = |claim: &&JudgedClaim| claim.verdict == Verdict::Holds;
        Self {
            claims: claims.len(),
            holding: claims.iter().filter(holds).count(),
            controls: twins().count(),
            rejected: twins().filter(|twin| twin.rejected).count(),
            seconds: elapsed.as_secs_f64(),
        }
    }
}

impl Calibration {
    /// What the tests of one claim on further seeds amount to.
    pub(super) fn of(judged: &JudgedClaim, runs: &[JudgedClaim]) -> Self {
        let carried_out = || runs.iter().filter(|run| run.error.is_none());
        let tests: Vec<_> = carried_out()
            .flat_map(|run| &run.evidence)
            .filter(|e| e.kind == Kind::Statistical)
            .collect();
        let by_test = |twin: &&JudgedControl| {
            let first = judged.controls.iter().find(|first| first.id == twin.id);
            first.is_some_and(|first| first.kind == Some(Kind::Statistical))
        };
        let twins = carried_out().flat_map(|run| run.controls.iter().filter(by_test));
        let twins: Vec<_> = twins.collect();
        let mut comparisons: Vec<&str> = Vec::new();
        for test in &tests {
            if !comparisons.contains(&test.what.as_str()) {
                comparisons.push(&test.what);
            }
        }
        let alternative = Alternative::new("distribution functions 0.3 apart", 0.3);
        let uniformity = comparisons.into_iter().map(|what| {
            let values = tests.iter().filter(|test| test.what == what);
            let values = values.filter_map(|test| test.test.p_value).collect();
            statistics::uniform(format!("{what}: uniform p-values"), values, &alternative)
        });
        Self {
            uniformity: uniformity.collect(),
            id: judged.id.clone(),
            runs: runs.len() as u64,
            errors: runs.iter().filter(|run| run.error.is_some()).count(),
            tests: tests.len(),
            rejections: tests.iter().filter(|e| !e.passed).count(),
            expected: tests.iter().filter_map(|e| e.test.alpha).sum(),
            smallest_p: tests.iter().filter_map(|e| e.test.p_value).reduce(f64::min),
            controls: twins.len(),
            survivals: twins.iter().filter(|twin| !twin.rejected).count(),
        }
    }
}

/// Columns of the terminal that the text keeps to.
const WIDTH: usize = 100;

impl Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.environment)?;
        for claim in &self.claims {
            writeln!(f, "{claim}")?;
        }
        for calibration in self.calibration.iter().flatten() {
            writeln!(f, "{calibration}")?;
        }
        for claim in &self.claims {
            if let Some(fault) = claim.fault() {
                // A claim that holds is here for its twin.
                let word = match claim.verdict {
                    Verdict::Holds => "ALIVE".into(),
                    verdict => verdict.to_string().to_uppercase(),
                };
                write_wrapped(
                    f,
                    &format!("{word:<12}  "),
                    &format!("{}: {fault}", claim.id),
                )?;
            }
        }
        writeln!(f, "{}", self.summary)
    }
}

impl JudgedClaim {
    /// The first thing that is wrong with a claim: its check, a comparison, a test without power, or a twin.
    fn fault(&self) -> Option<String> {
        let error = self.error.clone();
        let disagrees = || {
            let evidence = self.evidence.iter().find(|evidence| !evidence.passed);
            evidence.map(|evidence| format!("{}; {}", evidence.what, figures(evidence)))
        };
        let weak = || {
            let evidence = self.evidence.iter().find(|evidence| !has_power(evidence));
            evidence.map(|evidence| format!("{}: the test has too little power", evidence.what))
        };
        let alive = || {
            let twin = self.controls.iter().find(|twin| !twin.rejected);
            twin.map(|twin| format!("its false twin {} is not rejected", twin.id))
        };
        error.or_else(disagrees).or_else(weak).or_else(alive)
    }
}

impl Display for JudgedClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = self.verdict.to_string().to_uppercase();
        writeln!(f, "{verdict:<12}  {}  ({})", self.id, seconds(self.seconds))?;
        write_wrapped(f, "  ", &self.statement)?;
        write_wrapped(f, "  ", &format!("Source: {}", self.source))?;
        if let Some(error) = &self.error {
            write_wrapped(f, "  ", &format!("The check was not carried out: {error}"))?;
        }
        if !self.retested.is_empty() {
            write_wrapped(f, "  ", &self.retest())?;
        }
        for evidence in &self.evidence {
            let start = format!("  {:<5} {:<12} ", mark(evidence), kind(evidence.kind));
            write_wrapped(f, &start, &evidence.what)?;
            write_wrapped(f, &" ".repeat(start.len()), &figures(evidence))?;
        }
        for twin in &self.controls {
            let (start, by) = match &twin.by {
                Some(by) => ("  ok    false twin   ", format!("rejected by {by}")),
                None => (
                    "  ALIVE false twin   ",
                    "not rejected by any comparison".into(),
                ),
            };
            write_wrapped(f, start, &format!("{}: {}", twin.id, twin.statement))?;
            write_wrapped(f, &" ".repeat(start.len()), &by)?;
        }
        Ok(())
    }
}

impl Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = self.smallest_p.map_or("none".into(), |p| number(p, 2));
        let uniform = self.uniformity.iter().filter_map(|e| e.test.p_value);
        let uniform = uniform
            .reduce(f64::min)
            .map_or("none".into(), |p| number(p, 2));
        write!(
            f,
            "calibration of {} on {} seeds: {} of {} tests disagree (at most {} expected; smallest \
             p = {p}), p-values of {} of {} comparisons are uniform by Kolmogorov and Smirnov \
             (smallest p = {uniform}), {} of {} false twins survive, {} errors",
            self.id,
            self.runs,
            self.rejections,
            self.tests,
            number(self.expected, 2),
            self.uniformity.iter().filter(|e| e.passed).count(),
            self.uniformity.len(),
            self.survivals,
            self.controls,
            self.errors
        )
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} claims hold, {} of {} false twins rejected, {}",
            self.holding,
            self.claims,
            self.rejected,
            self.controls,
            seconds(self.seconds)
        )
    }
}

impl Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            os,
            arch,
            threads,
            seed,
            effort,
        } = self;
        write!(
            f,
            "mirrorflow {version} on {os} {arch}, {threads} threads, seed {seed}, effort {effort}"
        )
    }
}

pub(super) fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}

pub(super) fn mark(evidence: &Evidence) -> &'static str {
    match (evidence.passed, has_power(evidence)) {
        (false, _) => "FAILS",
        (true, false) => "WEAK",
        (true, true) => "ok",
    }
}

pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Exact => "exact",
        Kind::Certified => "certified",
        Kind::Numerical => "numerical",
        Kind::Statistical => "statistical",
    }
}

/// The numbers of a comparison, in words.
fn figures(evidence: &Evidence) -> String {
    let Evidence {
        measured,
        predicted,
        threshold,
        test,
        ..
    } = evidence;
    let mut text = format!(
        "measured {}, predicted {}, ",
        number(*measured, 10),
        number(*predicted, 10)
    );
    if evidence.kind == Kind::Statistical {
        text += &format!("threshold {}", number(*threshold, 3));
    } else {
        text += &format!(
            "difference {} {} {}",
            number((measured - predicted).abs(), 3),
            if evidence.passed { "≤" } else { ">" },
            number(*threshold, 3)
        );
    }
    let figures = [
        ("p", test.p_value),
        ("α", test.alpha),
        ("power", test.power),
    ];
    for (name, value) in figures {
        if let Some(value) = value {
            text += &format!(", {name} = {}", number(value, 3));
        }
    }
    if let Some(alternative) = &test.alternative {
        text += &format!(" against {alternative}");
    }
    if let Some(samples) = test.samples {
        text += &format!(", {samples} samples");
    }
    text
}

/// A text in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Writes words after `start`, broken before the last column and indented as far as `start`.
fn write_wrapped(f: &mut impl Write, start: &str, text: &str) -> fmt::Result {
    let indent = start.chars().count();
    let mut column = indent;
    f.write_str(start)?;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > indent && column + 1 + length > WIDTH {
            write!(f, "\n{:indent$}", "")?;
            column = indent;
        } else if column > indent {
            f.write_char(' ')?;
            column += 1;
        }
        f.write_str(word)?;
        column += length;
    }
    f.write_char('\n')
}

/// From which likeness on (Jaro's, of 1) a name may have been meant: that of clap for options.
const ALIKE: f64 = 0.7;

/// The claims with these ids, in the order of the registry; all where none is named.
///
/// # Errors
/// [`Error::Parameter`] where an id is not in the registry.
pub fn select(registry: &[Claim], ids: &[String]) -> Result<Vec<Claim>> {
    let known = |id: &&String| registry.iter().any(|claim| claim.id == **id);
    if let Some(unknown) = ids.iter().find(|id| !known(id)) {
        let known: Vec<_> = registry.iter().map(|claim| claim.id).collect();
        let likeness = |id: &&&str| strsim::jaro(unknown, id);
        let nearest = known
            .iter()
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let remedy = match nearest.filter(|id| likeness(id) > ALIKE) {
            Some(id) => format!("did you mean {id}? `mirrorflow claims` lists all"),
            None => format!("the claims are: {}", known.join(", ")),
        };
        return Err(Error::Parameter {
            name: "claim".into(),
            value: unknown.clone(),
            what: "there is no claim of this name".into(),
            remedy,
        });
    }
    let wanted = |claim: &&Claim| ids.is_empty() || ids.iter().any(|id| id == claim.id);
    Ok(registry.iter().filter(wanted).copied().collect())
}
