//! The claim `relu-minimizer`.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod relu_minimizer {
    use mirrorflow::claims::{Context, minimizer::RELU};

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        let findings = (RELU.check)(&Context { seed: 0, effort: 1 }).unwrap();
        for evidence in &findings.evidence {
            assert!(evidence.passed, "{evidence:?}");
            assert!(
                evidence.test.power.is_none_or(|power| power > 0.9),
                "{evidence:?}"
            );
        }
        for (control, evidence) in RELU.controls.iter().zip(&findings.controls) {
            assert!(
                evidence.iter().any(|one| !one.passed),
                "{} survives",
                control.id
            );
        }
        // The natural spline is so far off that networks show it, too.
        assert!(!findings.controls[0].last().unwrap().passed);
    }
}
