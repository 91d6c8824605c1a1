//! The claim `representation-cost`.

#![allow(clippy::unwrap_used)]

mod verdict;

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
