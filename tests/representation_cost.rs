//! The claim `representation-cost`.

#![allow(clippy::unwrap_used)]

mod verdict;

use mirrorflow::evidence::{Evidence, Kind};

mod representation_cost {
    use super::verdict;
    use mirrorflow::claims::{Context, representation_cost::CLAIM};
    use mirrorflow::evidence::Kind;

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    #[test]
    fn the_theory_holds_on_other_seeds() {
        for seed in 0..3 {
            let findings = (CLAIM.check)(&Context::new(seed, 1)).unwrap();
            for evidence in &findings.evidence {
                assert!(evidence.passed, "seed {seed}: {evidence:?}");
                match evidence.kind {
                    Kind::Exact => assert_eq!(evidence.threshold, 0.0),
                    // A threshold that hides nothing: ten digits at least.
                    _ => assert!(
                        evidence.threshold < 1e-10 * evidence.measured,
                        "{evidence:?}"
                    ),
                }
            }
        }
    }

    #[test]
    fn each_twin_is_rejected_exactly_and_under_every_density() {
        let findings = (CLAIM.check)(&Context::new(7, 2)).unwrap();
        assert_eq!(findings.controls.len(), CLAIM.controls.len());
        for (control, evidence) in CLAIM.controls.iter().zip(&findings.controls) {
            let comparisons = evidence.iter().zip(&findings.evidence);
            assert!(
                comparisons
                    .clone()
                    .all(|(twin, paper)| twin.what == paper.what),
                "{}",
                control.id
            );
            // The first two exact comparisons do not involve the three terms.
            let passed: Vec<_> = evidence.iter().map(|evidence| evidence.passed).collect();
            assert_eq!(passed[..3], [true, true, false], "{}", control.id);
            assert!(!passed[3..].contains(&true), "{}: {passed:?}", control.id);
        }
    }

    #[test]
    fn a_seed_is_a_run() {
        let run = |seed| (CLAIM.check)(&Context::new(seed, 1)).unwrap().evidence;
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }
}

/// Each number of a comparison off its record by two tenths of a threshold, and the rule of one tenth.
#[test]
fn a_number_off_its_record_is_noticed() {
    let row = |numbers: [f64; 3]| {
        let [measured, predicted, threshold] = numbers;
        let compared = Evidence::compare(Kind::Certified, "", measured, predicted, threshold);
        verdict::Row::new("theory", &compared)
    };
    // A theory that agrees, a twin that does not, a comparison without tolerance.
    for then in [[1.25, 1.0, 0.5], [3.0, 1.0, 0.5], [2.0, 2.0, 0.0]] {
        let unit = f64::max(then[2], (then[0] - then[1]).abs());
        for (i, unit) in [unit, unit, then[2]].into_iter().enumerate() {
            for (off, agrees) in [(0.0, true), (0.05, true), (0.2, false), (-0.2, false)] {
                let mut now = then;
                now[i] += off * unit + if then[2] == 0.0 { off } else { 0.0 };
                let agrees = agrees && (then[2] > 0.0 || off == 0.0);
                let agreed = row(now).agrees(&row(then), verdict::SHARE);
                assert_eq!(agreed, agrees, "{now:?} and {then:?}");
            }
        }
    }
    let other = verdict::Row::new("twin", &Evidence::compare(Kind::Exact, "", 2.0, 2.0, 0.0));
    assert!(!other.agrees(&row([2.0, 2.0, 0.0]), 1.0));
}
