//! What the tests of every claim share: it holds, its twins fall, and its verdict is on record.

use insta::assert_snapshot;
use mirrorflow::{
    claims::{Claim, Context, Findings},
    evidence::Evidence,
    report::ledger::{JudgedControl, Verdict},
};
use serde::{Deserialize, Serialize};
use std::env;

/// By how much a number may be off its record, as a share of its threshold: what rounding and a machine's libraries change must
/// be small against what is allowed, or the verdict would hang on them. Ten to one is the rule for gauges. The effect of a twin,
/// which is larger than its threshold, is on record to the same share of itself.
pub const SHARE: f64 = 0.1;
/// What is measured where a flow stops, which is anywhere below the residual that it was asked for: to its threshold only.
const STOPS: &str = "max|r| at the end";

/// Checks a claim under seed 0 and compares verdicts, counts and what was compared, no floats that were computed, with its
/// snapshot, and the floats with the numbers on record.
pub fn record(claim: &Claim) {
    let findings = (claim.check)(&Context::new(0, 1)).unwrap();
    let verdict = Verdict::of(&findings.evidence);
    let mut lines = vec![format!("{}: {verdict}", claim.id)];
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for evidence in &findings.evidence {
        let kind = format!("{:?}", evidence.kind).to_lowercase();
        match kinds.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    lines.extend(kinds.iter().map(|(kind, count)| format!("{count} {kind}")));
    let twins = claim.controls.iter().zip(&findings.controls);
    let twins: Vec<_> = twins
        .map(|(twin, evidence)| JudgedControl::of(twin, evidence))
        .collect();
    for twin in &twins {
        let [disagree, all] = twin.disagreeing;
        lines.push(format!("twin {}: {disagree} of {all} disagree", twin.id));
    }
    lines.push("compared:".into());
    // Without the centres that scatter is about, which were computed.
    let computed = |word: &str| {
        let decimals = word.split_once('.');
        decimals.is_some_and(|(_, decimals)| decimals.len() > 4)
    };
    for evidence in &findings.evidence {
        let words = evidence.what.split(' ').filter(|word| !computed(word));
        let mut line = words.collect::<Vec<_>>().join(" ");
        if let (Some(samples), Some(power)) = (evidence.test.samples, evidence.test.power) {
            line.push_str(&format!(", {samples} draws, power {:.0} %", 100.0 * power));
        }
        lines.push(line);
    }
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false }, {
        assert_snapshot!(claim.id, lines.join("\n"));
    });
    for evidence in &findings.evidence {
        assert!(evidence.passed, "{evidence:?}");
    }
    assert_eq!(verdict, Verdict::Holds);
    assert!(twins.iter().all(|twin| twin.rejected));
    compare_with_record(claim, &findings);
}

/// The numbers of one comparison, of the theory or of a twin.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    of: String,
    measured: f64,
    predicted: f64,
    threshold: f64,
}

impl Row {
    /// With the digits that a comparison can see.
    pub fn new(of: &str, evidence: &Evidence) -> Self {
        let [measured, predicted, threshold] =
            [evidence.measured, evidence.predicted, evidence.threshold];
        let effect = (measured - predicted).abs();
        let round = |x: f64, unit: f64| -> f64 {
            let digits = (x.abs() / unit).log10() + 2.0;
            let digits = if digits.is_finite() {
                digits.clamp(1.0, 17.0)
            } else {
                17.0
            };
            format!("{x:.*e}", digits as usize).parse().unwrap()
        };
        Self {
            of: of.into(),
            measured: round(measured, threshold.max(effect)),
            predicted: round(predicted, threshold.max(effect)),
            threshold: round(threshold, threshold),
        }
    }

    /// Whether all three are off by no more than this share of a threshold.
    pub fn agrees(&self, record: &Self, share: f64) -> bool {
        let close =
            |now: f64, then: f64, unit: f64| now == then || (now - then).abs() <= share * unit;
        let unit = record
            .threshold
            .max((record.measured - record.predicted).abs());
        self.of == record.of
            && close(self.measured, record.measured, unit)
            && close(self.predicted, record.predicted, unit)
            && close(self.threshold, record.threshold, record.threshold)
    }
}

/// Compares all numbers with those on record; with RECORD set it writes the record anew.
fn compare_with_record(claim: &Claim, findings: &Findings) {
    let of_theory = findings.evidence.iter().map(|e| ("theory", e));
    let twins = claim.controls.iter().zip(&findings.controls);
    let of_twins = twins.flat_map(|(twin, all)| all.iter().map(|e| (twin.id, e)));
    let all: Vec<_> = of_theory.chain(of_twins).collect();
    let path = format!("snapshots/measured/{}.csv", claim.id);
    if env::var_os("RECORD").is_some() {
        let mut writer = csv::Writer::from_path(&path).unwrap();
        for (of, evidence) in &all {
            writer.serialize(Row::new(of, evidence)).unwrap();
        }
        writer.flush().unwrap();
    }
    let mut reader = csv::Reader::from_path(&path)
        .unwrap_or_else(|error| panic!("no record ({error}): RECORD=1 writes it"));
    let record: Vec<Row> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(all.len(), record.len(), "comparisons");
    for ((of, evidence), then) in all.into_iter().zip(&record) {
        let stops = evidence.what.contains(STOPS);
        let share = if stops { 1.0 } else { SHARE };
        let now = Row::new(of, evidence);
        assert!(
            now.agrees(then, share),
            "{}: {now:?} is off the record, {then:?}",
            evidence.what
        );
    }
}
