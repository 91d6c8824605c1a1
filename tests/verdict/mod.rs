//! What the tests of every claim share: it holds, its twins fall, and its verdict is on record.

use insta::assert_snapshot;
use mirrorflow::{
    claims::{Claim, Context},
    report::ledger::{JudgedClaim, Verdict},
};

/// Checks a claim under seed 0 and compares verdicts, counts and what was compared, no floats that were computed, with its
/// snapshot.
pub fn record(claim: &Claim) -> JudgedClaim {
    let judged = JudgedClaim::check(claim, &Context::new(0, 1));
    let mut lines = vec![format!("{}: {}", judged.id, judged.verdict)];
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for evidence in &judged.evidence {
        let kind = format!("{:?}", evidence.kind).to_lowercase();
        match kinds.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    lines.extend(kinds.iter().map(|(kind, count)| format!("{count} {kind}")));
    for twin in &judged.controls {
        let [disagree, all] = twin.disagreeing;
        lines.push(format!("twin {}: {disagree} of {all} disagree", twin.id));
    }
    lines.push("compared:".into());
    // Without the centres that scatter is about, which were computed.
    let computed = |word: &str| {
        let decimals = word.split_once('.');
        decimals.is_some_and(|(_, decimals)| decimals.len() > 4)
    };
    for evidence in &judged.evidence {
        let words = evidence.what.split(' ').filter(|word| !computed(word));
        let mut line = words.collect::<Vec<_>>().join(" ");
        if let Some(power) = evidence.test.power {
            line.push_str(&format!(", power {:.0} %", 100.0 * power));
        }
        lines.push(line);
    }
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false }, {
        assert_snapshot!(claim.id, lines.join("\n"));
    });
    for evidence in &judged.evidence {
        assert!(evidence.passed, "{evidence:?}");
    }
    assert_eq!(judged.verdict, Verdict::Holds, "{:?}", judged.error);
    assert!(judged.controls.iter().all(|twin| twin.rejected));
    judged
}
