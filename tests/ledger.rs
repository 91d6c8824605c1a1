//! The ledger: verdicts, false twins, exit and renderings, on claims made by hand.

#![allow(clippy::unwrap_used)]

use mirrorflow::{
    Error, Result,
    claims::{Claim, Context, Control, Findings},
    evidence::{Evidence, Kind, TestFigures},
    report::{
        self,
        ledger::{self, CALIBRATION_RUNS, JudgedClaim, Ledger, Verdict},
        units::Audit,
    },
};
use quick_junit::Report;
use serde_json::Value;
use std::collections::BTreeSet;

const CONTEXT: Context = Context::new(7, 1);
const TWIN: Control = Control {
    id: "off-by-one",
    statement: "one more <b> than & there is | \"quoted\"",
};

fn claim(
    id: &'static str,
    controls: &'static [Control],
    check: fn(&Context) -> Result<Findings>,
) -> Claim {
    Claim {
        id,
        statement: "one is one, and <says> so at some length, so that the line has to be broken \
                    before the last column of the terminal",
        source: "arithmetic",
        formula: "1 = 1",
        controls,
        check,
    }
}

fn compare(measured: f64, predicted: f64) -> Evidence {
    Evidence::compare(Kind::Exact, "one & itself", measured, predicted, 0.0)
}

fn statistical(p_value: f64, power: f64) -> Evidence {
    Evidence {
        passed: p_value >= 0.01,
        test: TestFigures {
            p_value: Some(p_value),
            alpha: Some(0.01),
            power: Some(power),
            samples: Some(100),
            alternative: Some("a mean of 2".into()),
        },
        ..Evidence::compare(Kind::Statistical, "a mean", 1.0, 1.0, 0.25)
    }
}

fn found(evidence: Vec<Evidence>, controls: Vec<Vec<Evidence>>) -> Result<Findings> {
    Ok(Findings { evidence, controls })
}

fn holding() -> Claim {
    claim("holding", &[TWIN], |_| {
        found(
            vec![compare(1.0, 1.0), statistical(0.5, 0.99)],
            vec![vec![
                compare(1.0, 1.0),
                compare(1.0, 2.0),
                compare(1.0, 3.0),
            ]],
        )
    })
}

fn surviving_twin() -> Claim {
    claim("surviving-twin", &[TWIN], |_| {
        found(vec![compare(1.0, 1.0)], vec![vec![compare(1.0, 1.0)]])
    })
}

fn failing() -> Claim {
    claim("failing", &[], |_| {
        found(vec![compare(1.0, 1.0), compare(1.0, f64::NAN)], vec![])
    })
}

fn weak() -> Claim {
    claim("weak", &[], |_| found(vec![statistical(0.5, 0.8)], vec![]))
}

fn broken() -> Claim {
    claim("broken", &[TWIN], |_| {
        Err(Error::NotConverged {
            solver: "the dual",
            iterations: 3,
            residual: 0.5,
        })
    })
}

fn all() -> [Claim; 5] {
    [holding(), surviving_twin(), failing(), weak(), broken()]
}

/// A ledger without what differs from run to run and from machine to machine.
fn reproducible(claims: &[Claim]) -> Ledger {
    let mut ledger = Ledger::run(claims, &CONTEXT, || {});
    ledger.summary.seconds = 0.0;
    ledger
        .claims
        .iter_mut()
        .for_each(|claim| claim.seconds = 0.0);
    ledger.environment.version = "VERSION";
    ledger.environment.os = "OS";
    ledger.environment.arch = "ARCH";
    ledger.environment.threads = 0;
    ledger
}

fn snapshots() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(true);
    settings.bind_to_scope()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

mod verdict {
    use super::*;

    #[test]
    fn holds_only_with_evidence_that_agrees_and_has_power() {
        let agrees = || compare(1.0, 1.0);
        assert_eq!(Verdict::of(&[agrees()]), Verdict::Holds);
        assert_eq!(
            Verdict::of(&[agrees(), statistical(0.5, 0.9)]),
            Verdict::Holds
        );
        assert_eq!(Verdict::of(&[]), Verdict::Inconclusive);
        assert_eq!(
            Verdict::of(&[agrees(), statistical(0.5, 0.89)]),
            Verdict::Inconclusive
        );
        let mut unstated = statistical(0.5, 0.99);
        unstated.test.power = None;
        assert_eq!(Verdict::of(&[unstated]), Verdict::Inconclusive);
        assert_eq!(
            Verdict::of(&[statistical(0.5, f64::NAN)]),
            Verdict::Inconclusive
        );
    }

    #[test]
    fn fails_on_one_disagreement_whatever_else_there_is() {
        let disagrees = || compare(1.0, 2.0);
        assert_eq!(
            Verdict::of(&[compare(1.0, 1.0), disagrees()]),
            Verdict::Fails
        );
        assert_eq!(
            Verdict::of(&[statistical(0.5, 0.1), disagrees()]),
            Verdict::Fails
        );
        assert_eq!(Verdict::of(&[statistical(1e-3, 0.1)]), Verdict::Fails);
        assert_eq!(Verdict::of(&[compare(f64::NAN, 1.0)]), Verdict::Fails);
    }

    #[test]
    fn is_inconclusive_where_the_check_breaks_off() {
        let judged = JudgedClaim::check(&broken(), &CONTEXT);
        assert_eq!(judged.verdict, Verdict::Inconclusive);
        assert!(
            judged
                .error
                .unwrap()
                .contains("the dual stopped after 3 iterations")
        );
        assert_eq!(judged.controls.len(), 1);
        assert!(!judged.controls[0].rejected);
    }

    #[test]
    fn a_panic_costs_one_claim_and_not_the_ledger() {
        let panics = claim("panics", &[], |_| panic!("index out of {}", "bounds"));
        let ledger = Ledger::run(&[panics, holding()], &CONTEXT, || {});
        let error = ledger.claims[0].error.as_deref();
        assert_eq!(error, Some("the check panicked: index out of bounds"));
        assert_eq!(ledger.claims[1].verdict, Verdict::Holds);
    }

    #[test]
    fn an_unjudged_twin_is_an_error() {
        let forgetful = claim("forgetful", &[TWIN], |_| {
            found(vec![compare(1.0, 1.0)], vec![])
        });
        let judged = JudgedClaim::check(&forgetful, &CONTEXT);
        assert_eq!(judged.verdict, Verdict::Inconclusive);
        assert!(
            judged
                .error
                .unwrap()
                .contains("0 false twins where the claim states 1")
        );
    }
}

mod twins {
    use super::*;

    #[test]
    fn are_rejected_by_the_first_comparison_that_disagrees() {
        let judged = JudgedClaim::check(&holding(), &CONTEXT);
        assert!(judged.controls[0].rejected);
        assert_eq!(
            judged.controls[0].by.as_deref(),
            Some("one & itself: measured 1, predicted 2, difference 1 > 0")
        );
    }

    #[test]
    fn that_no_comparison_tells_apart_survive() {
        let judged = JudgedClaim::check(&surviving_twin(), &CONTEXT);
        assert_eq!(judged.verdict, Verdict::Holds);
        assert!(!judged.controls[0].rejected);
        assert_eq!(judged.controls[0].by, None);
    }
}

#[test]
fn clean_means_that_all_claims_hold_and_no_twin_survives() {
    let clean = |claims: &[Claim]| Ledger::run(claims, &CONTEXT, || {}).is_clean();
    assert!(clean(&[holding()]));
    for bad in [surviving_twin(), failing(), weak(), broken()] {
        assert!(!clean(&[holding(), bad]), "{}", bad.id);
    }
}

#[test]
fn order_and_contents_do_not_depend_on_the_threads() {
    let slow = claim("slow", &[], |context| {
        std::thread::sleep(std::time::Duration::from_millis(30));
        found(vec![compare(context.seed as f64, 7.0)], vec![])
    });
    let claims = [slow, holding(), failing(), weak()];
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap()
            .install(|| report::json(&reproducible(&claims)))
    };
    assert_eq!(run(1), run(4));
    assert!(run(4).find("slow") < run(4).find("holding"));
}

mod selection {
    use super::*;

    #[test]
    fn keeps_the_order_of_the_registry() {
        let ids = ["weak".into(), "holding".into(), "weak".into()];
        let selected = ledger::select(&all(), &ids).unwrap();
        assert_eq!(
            selected.iter().map(|c| c.id).collect::<Vec<_>>(),
            ["holding", "weak"]
        );
        assert_eq!(ledger::select(&all(), &[]).unwrap().len(), 5);
    }

    #[test]
    fn of_an_unknown_claim_lists_the_known_ones() {
        let message = ledger::select(&all(), &["strong".into()])
            .unwrap_err()
            .to_string();
        assert!(message.contains("`strong`"), "{message}");
        assert!(
            message.contains("holding, surviving-twin, failing, weak, broken"),
            "{message}"
        );
    }
}

#[test]
fn json_has_every_field_and_null_for_what_does_not_apply() {
    let json: Value = serde_json::from_str(&report::json(&reproducible(&all()))).unwrap();
    assert_eq!(
        keys(&json),
        ["calibration", "claims", "environment", "summary"].into()
    );
    assert_eq!(
        keys(&json["summary"]),
        ["claims", "controls", "holding", "rejected", "seconds"].into()
    );
    assert_eq!(
        keys(&json["environment"]),
        ["arch", "effort", "os", "seed", "threads", "version"].into()
    );
    for claim in json["claims"].as_array().unwrap() {
        let fields = "controls error evidence id retested seconds source statement verdict";
        assert_eq!(keys(claim), fields.split(' ').collect());
        for evidence in claim["evidence"].as_array().unwrap() {
            let fields = "alpha alternative kind measured p_value passed power predicted samples threshold what";
            assert_eq!(keys(evidence), fields.split(' ').collect());
        }
        for control in claim["controls"].as_array().unwrap() {
            let fields = "by disagreeing id kind power rejected statement";
            assert_eq!(keys(control), fields.split(' ').collect());
        }
    }
    let [first, twin, failing, weak, broken] = [0, 1, 2, 3, 4].map(|i| &json["claims"][i]);
    assert_eq!(first["verdict"], "holds");
    assert_eq!(first["evidence"][0]["kind"], "exact");
    assert_eq!(first["evidence"][0]["p_value"], Value::Null);
    assert_eq!(first["evidence"][1]["power"], 0.99);
    assert_eq!(twin["controls"][0]["by"], Value::Null);
    assert_eq!(failing["verdict"], "fails");
    assert_eq!(failing["evidence"][1]["predicted"], Value::Null, "NaN");
    assert_eq!(weak["verdict"], "inconclusive");
    assert_eq!(weak["error"], Value::Null);
    assert!(broken["error"].is_string());
    assert_eq!(json["summary"]["holding"], 2);
    assert_eq!(json["summary"]["rejected"], 1);
    assert_eq!(json["environment"]["seed"], 7);
}

#[test]
fn junit_can_be_read_back_and_fails_where_the_ledger_does() {
    let xml = reproducible(&all()).junit().to_string().unwrap();
    let report = Report::deserialize_from_str(&xml).unwrap();
    let names: Vec<_> = report
        .test_suites
        .iter()
        .map(|suite| suite.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["holding", "surviving-twin", "failing", "weak", "broken"]
    );
    let bad: Vec<_> = report
        .test_suites
        .iter()
        .map(|s| (s.failures, s.errors))
        .collect();
    assert_eq!(bad, [(0, 0), (1, 0), (1, 0), (1, 0), (1, 1)]);
    assert_eq!(
        report.test_suites[0].test_cases[0].name.as_str(),
        "one & itself"
    );
}

#[test]
fn text_and_markdown_are_legible() {
    let _guard = snapshots();
    let ledger = reproducible(&all());
    let text = ledger.to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    insta::assert_snapshot!("ledger_text", text);
    insta::assert_snapshot!("ledger_markdown", ledger.markdown());
}

mod files {
    use super::*;

    #[test]
    fn are_written_whole_and_over_older_ones() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new/folder");
        let ledger = reproducible(&[holding()]);
        ledger.write(&out).unwrap();
        ledger.write(&out).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            ["junit.xml", "ledger.json", "ledger.md", "ledger.txt"]
        );
        let read = |name| std::fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(read("ledger.json"), report::json(&ledger));
        assert_eq!(read("ledger.txt"), ledger.to_string());
    }

    #[cfg(unix)]
    #[test]
    fn are_readable_as_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [ours, plain] = ["ours", "plain"].map(|name| folder.path().join(name));
        report::write_whole(&ours, b"1").unwrap();
        std::fs::write(&plain, b"1").unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[test]
    fn that_cannot_be_written_are_named_and_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let occupied = folder.path().join("occupied");
        std::fs::create_dir(&occupied).unwrap();
        let message = report::write_whole(&occupied, b"1")
            .unwrap_err()
            .to_string();
        assert!(message.contains("occupied"), "{message}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let message = report::make_folder(&file).unwrap_err().to_string();
        assert!(message.contains("file"), "{message}");
    }
}

#[test]
fn calibration_counts_tests_and_twins_on_further_seeds() {
    let chancy = claim("chancy", &[TWIN], |context| {
        let p = if context.seed.is_multiple_of(10) {
            1e-3
        } else {
            0.5
        };
        found(
            vec![statistical(p, 0.99)],
            vec![vec![statistical(1e-3, 0.99)]],
        )
    });
    let claims = [chancy, surviving_twin()];
    let audit = Audit {
        claims: &claims,
        context: CONTEXT,
        calibrate: true,
    };
    let ledger = audit.run(None, &|_| {}).unwrap();
    let calibration = ledger.calibration.as_deref().unwrap();
    let [chancy] = calibration else {
        panic!("one claim has statistical evidence: {calibration:?}")
    };
    assert_eq!(
        (chancy.id.as_str(), chancy.runs),
        ("chancy", CALIBRATION_RUNS)
    );
    assert_eq!((chancy.tests, chancy.rejections), (200, 20)); // seeds 8 … 207
    assert_eq!(
        (chancy.controls, chancy.survivals, chancy.errors),
        (200, 0, 0)
    );
    assert_eq!(chancy.smallest_p, Some(1e-3));
    assert!((chancy.expected - 2.0).abs() < 1e-12);
    // p-values that are ½ on most seeds are not uniform.
    let [uniformity] = chancy.uniformity.as_slice() else {
        panic!("one comparison: {chancy:?}")
    };
    assert!(!uniformity.passed && uniformity.test.samples == Some(200));
}

#[test]
fn numbers_are_short_and_keep_their_digits() {
    let cases = [
        (0.0, "0"),
        (-0.0, "0"),
        (207.80419354838568, "207.8041935"),
        (0.1 + 0.2, "0.3"),
        (1.5e-13, "1.5e-13"),
        (-12345678.9, "-1.23456789e7"),
        (f64::INFINITY, "inf"),
        (f64::NAN, "NaN"),
    ];
    for (x, text) in cases {
        assert_eq!(report::number(x, 10), text);
    }
}

#[test]
fn sections_of_a_page_are_found_by_their_claim() {
    let page = "# Proofs\n\n## `a`\n\nOne.\n\n### Lemma\n\nTwo.\n\n## `ab`\n\nThree.\n";
    assert_eq!(
        report::section(page, "a"),
        Some("## `a`\n\nOne.\n\n### Lemma\n\nTwo.")
    );
    assert_eq!(report::section(page, "ab"), Some("## `ab`\n\nThree."));
    assert_eq!(report::section(page, "b"), None);
}

/// A test that disagrees is repeated once, on fresh seeds with four times the samples, which decide;
/// what disagrees for certain is not.
#[test]
fn only_statistical_failures_are_tested_again() {
    let chance = claim("chance", &[], |context| {
        let unlucky = context.effort == CONTEXT.effort;
        assert_eq!(context.seed == CONTEXT.seed, unlucky);
        let p = if unlucky { 1e-9 } else { 0.5 };
        found(vec![compare(1.0, 1.0), statistical(p, 0.99)], vec![])
    });
    let judged = JudgedClaim::check(&chance, &CONTEXT);
    assert_eq!(judged.verdict, Verdict::Holds);
    assert_eq!(judged.retested.len(), 1);
    assert!(
        judged
            .to_string()
            .contains("Tested again on fresh seeds with 4")
    );

    let wrong = claim("wrong", &[], |_| {
        found(vec![statistical(1e-9, 0.99)], vec![])
    });
    let judged = JudgedClaim::check(&wrong, &CONTEXT);
    assert_eq!(judged.verdict, Verdict::Fails);
    assert_eq!(judged.retested.len(), 1);

    let certain = claim("certain", &[], |context| {
        assert_eq!(*context, CONTEXT);
        found(vec![compare(1.0, 2.0), statistical(1e-9, 0.99)], vec![])
    });
    let judged = JudgedClaim::check(&certain, &CONTEXT);
    assert_eq!(judged.verdict, Verdict::Fails);
    assert!(judged.retested.is_empty() && judged.error.is_none());
}
