//! Audits in units: shares, merging and resuming give what one run gives, bit for bit, and what does
//! not belong together is refused.

#![allow(clippy::unwrap_used)]

use mirrorflow::{
    Result,
    claims::{self, Claim, Context, Control, Findings},
    evidence::{Evidence, Kind, TestFigures},
    report::{
        ledger::{CALIBRATION_RUNS, Ledger},
        units::{Audit, Progress, Shard, Store, Unit},
    },
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};
use tempfile::TempDir;

const CONTEXT: Context = Context::new(7, 1);
const TWIN: Control = Control {
    id: "off-by-one",
    statement: "two is one",
};

fn claim(id: &'static str, check: fn(&Context) -> Result<Findings>) -> Claim {
    Claim {
        id,
        statement: "one is one",
        formula: "1 = 1",
        source: "arithmetic",
        controls: &[TWIN],
        check,
    }
}

fn compare(measured: f64, predicted: f64) -> Evidence {
    Evidence::compare(Kind::Numerical, "one", measured, predicted, 1.0 / 3.0)
}

fn found(evidence: Vec<Evidence>) -> Result<Findings> {
    let controls = vec![vec![compare(1.0, 2.0)]];
    Ok(Findings { evidence, controls })
}

/// Numbers that do not survive every format.
fn odd() -> Claim {
    claim("odd", |_| {
        let numbers = [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            5e-324,
            0.1 + 0.2,
        ];
        found(numbers.map(|x| compare(x, 1.0 / 3.0)).to_vec())
    })
}

/// A test whose p-value depends on the seed.
fn chancy() -> Claim {
    claim("chancy", |context| {
        let p_value = (context.seed as f64 * 0.618_033_988_75).fract();
        found(vec![Evidence {
            test: TestFigures {
                p_value: Some(p_value),
                alpha: Some(1e-5),
                power: Some(0.99),
                samples: Some(100),
                alternative: Some("a mean of 2".into()),
            },
            ..Evidence::compare(Kind::Statistical, "a mean", p_value, 1.0, 1.0)
        }])
    })
}

fn panicking() -> Claim {
    claim("panicking", |context| panic!("seed {}", context.seed))
}

fn audit(claims: &[Claim], calibrate: bool) -> Audit<'_> {
    Audit {
        claims,
        context: CONTEXT,
        calibrate,
    }
}

fn silent(_: Progress) {}

/// Everything of a ledger but its times, to the last bit: NaN, −0 and infinities have texts of their own.
fn bits(mut ledger: Ledger) -> String {
    ledger.summary.seconds = 0.0;
    ledger
        .claims
        .iter_mut()
        .for_each(|claim| claim.seconds = 0.0);
    format!("{ledger:?}")
}

/// Carries out all shares, each into a folder of its own.
fn shares(audit: &Audit, count: usize, root: &Path) -> Vec<PathBuf> {
    let folder = |index: usize| {
        let folder = root.join(index.to_string());
        let store = Store::open(&folder, false).unwrap();
        let shard: Shard = format!("{index}/{count}").parse().unwrap();
        audit.share(shard, &store, &silent).unwrap();
        folder
    };
    (1..=count).map(folder).collect()
}

fn refused(ledger: Result<Ledger>) -> String {
    ledger.unwrap_err().to_string()
}

#[test]
fn shares_merge_into_the_ledger_of_one_machine() {
    let root = TempDir::new().unwrap();
    let claims = [odd(), chancy(), panicking()];
    for (calibrate, count) in [(false, 2), (true, 4)] {
        let audit = audit(&claims, calibrate);
        let folders = shares(&audit, count, &root.path().join(count.to_string()));
        let merged = audit.merge(&folders).unwrap();
        let whole = audit.run(None, &silent).unwrap();
        assert_eq!(whole.calibration.is_some(), calibrate);
        let merged = bits(merged);
        assert!(merged.contains("NaN") && merged.contains("-inf") && merged.contains("-0.0"));
        assert_eq!(merged, bits(whole));
    }
}

#[test]
fn each_unit_falls_to_one_share_and_the_shares_weigh_the_same() {
    let names = |units: &[Unit]| units.iter().map(Unit::to_string).collect::<BTreeSet<_>>();
    let audit = audit(claims::registry(), true);
    let all = names(&audit.units());
    for count in [1, 2, 4, 7, 1000, 10_000] {
        let mut seen = BTreeSet::new();
        let mut sizes = Vec::new();
        for index in 1..=count {
            let shard: Shard = format!("{index}/{count}").parse().unwrap();
            if count > 4 && index > 20 {
                break;
            }
            let mine = names(&shard.of(audit.units()));
            assert!(seen.is_disjoint(&mine));
            sizes.push(mine.len());
            seen.extend(mine);
        }
        assert!(count > 4 || seen == all);
        assert!(
            count > 1000 || sizes.iter().all(|&size| size >= all.len() / count / 3),
            "{sizes:?}"
        );
    }
}

/// The plan of a calibration knows which claims have tests before any is checked.
#[test]
fn estimates_agree_with_the_verdicts_on_record() {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    for claim in claims::registry() {
        let record = fs::read_to_string(snapshots.join(format!("{}.snap", claim.id))).unwrap();
        let tests = record.lines().any(|line| line.ends_with(" statistical"));
        let units = audit(std::slice::from_ref(claim), true).units().len() as u64;
        let planned = if tests { 1 + CALIBRATION_RUNS } else { 1 };
        assert_eq!(units, planned, "ESTIMATES in units.rs: {}", claim.id);
    }
}

#[test]
fn shares_are_named_from_one() {
    for text in ["0/4", "5/4", "1/0", "1", "1/4/2", "a/b", "", "-1/4", "1/"] {
        let message = text.parse::<Shard>().unwrap_err().to_string();
        assert!(message.contains("K/N"), "{message}");
    }
}

mod merging_refuses {
    use super::*;

    #[test]
    fn missing_shares() {
        let root = TempDir::new().unwrap();
        let claims = [odd(), chancy()];
        let audit = audit(&claims, true);
        let folders = shares(&audit, 3, root.path());
        let message = refused(audit.merge(&folders[..2]));
        assert!(
            message.contains("units are missing") && message.contains("--resume"),
            "{message}"
        );
        let message = refused(audit.merge(&[root.path().join("none")]));
        assert!(message.contains("none"), "{message}");
    }

    #[test]
    fn another_seed_effort_or_program() {
        let root = TempDir::new().unwrap();
        let claims = [odd()];
        let audit = audit(&claims, false);
        let folders = shares(&audit, 1, root.path());
        for context in [Context::new(8, 1), Context::new(7, 2)] {
            let message = refused(Audit { context, ..audit }.merge(&folders));
            assert!(
                message.contains("seed 7, effort 1") && message.contains("odd.0"),
                "{message}"
            );
        }
        let file = folders[0].join("units/odd.0.cbor");
        let whole = fs::read(&file).unwrap();
        for program in [env!("CARGO_PKG_VERSION"), "sources"] {
            let mut bytes = whole.clone();
            let place = bytes
                .windows(program.len())
                .position(|w| w == program.as_bytes())
                .unwrap();
            // The version itself, or the hash after the name of its field and its length.
            let place = if program == "sources" {
                place + program.len() + 1
            } else {
                place
            };
            bytes[place] ^= 1;
            fs::write(&file, bytes).unwrap();
            let message = refused(audit.merge(&folders));
            assert!(message.contains("one program"), "{message}");
        }
    }

    #[test]
    fn contradictions_and_damage() {
        let root = TempDir::new().unwrap();
        let claims = [chancy()];
        let audit = audit(&claims, false);
        let folders: Vec<_> = ["a", "b"].map(|name| root.path().join(name)).to_vec();
        for folder in &folders {
            audit
                .run(Some(&Store::open(folder, false).unwrap()), &silent)
                .unwrap();
        }
        assert!(audit.merge(&folders).is_ok(), "twice the same");
        let file = folders[1].join("units/chancy.0.cbor");
        let whole = fs::read(&file).unwrap();
        let mut bytes = whole.clone();
        let power = 0.99_f64.to_be_bytes();
        let place = bytes.windows(8).position(|w| w == power).unwrap();
        bytes[place + 7] ^= 1;
        fs::write(&file, bytes).unwrap();
        let message = refused(audit.merge(&folders));
        assert!(message.contains("contradicts"), "{message}");
        for damaged in [&whole[..whole.len() / 2], b"{}".as_slice(), b"".as_slice()] {
            fs::write(&file, damaged).unwrap();
            let message = refused(audit.merge(&folders));
            assert!(message.contains("chancy.0.cbor"), "{message}");
        }
        let other = folders[1].join("units/odd.0.cbor");
        fs::write(other, whole).unwrap();
        let claims = [odd()];
        let message = refused(super::audit(&claims, false).merge(&folders[1..]));
        assert!(message.contains("another claim"), "{message}");
    }
}

#[test]
fn what_is_there_is_not_carried_out_again() {
    static CHECKS: AtomicUsize = AtomicUsize::new(0);
    let counted = claim("counted", |context| {
        CHECKS.fetch_add(1, SeqCst);
        (chancy().check)(context)
    });
    let root = TempDir::new().unwrap();
    let claims = [counted];
    let audit = audit(&claims, true);
    let run = |audit: &Audit, resume| {
        let store = Store::open(root.path(), resume).unwrap();
        let before = CHECKS.load(SeqCst);
        let ledger = audit.run(Some(&store), &silent).unwrap();
        (CHECKS.load(SeqCst) - before, bits(ledger))
    };
    let all = 1 + CALIBRATION_RUNS as usize;
    let (first, whole) = run(&audit, true);
    assert_eq!(first, all);
    assert_eq!(run(&audit, true), (0, whole.clone()));
    fs::remove_file(root.path().join("units/counted.17.cbor")).unwrap();
    fs::write(root.path().join("units/counted.18.cbor"), b"cut off").unwrap();
    assert_eq!(run(&audit, true), (2, whole.clone()));
    assert_eq!(run(&audit, false), (all, whole.clone()));
    let other = Audit {
        context: Context::new(8, 1),
        ..audit
    };
    let (again, different) = run(&other, true);
    assert_eq!(again, all);
    assert_ne!(different, whole);
}
