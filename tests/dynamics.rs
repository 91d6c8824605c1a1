//! The claims on the path of the flow.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod verdict;

mod bregman_projection {
    use super::verdict;
    use mirrorflow::claims::{Context, dynamics::projection::CLAIM};

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// The frozen preconditioner leaves the row space, in every problem; the halved rate does not.
    #[test]
    fn each_twin_is_rejected_for_its_own_reason() {
        let findings = (CLAIM.check)(&Context { seed: 1, effort: 1 }).unwrap();
        let [frozen, halved] = findings.controls.as_slice() else {
            panic!("two twins")
        };
        for (evidence, twin) in [("row space", frozen), ("fall of", halved)] {
            let mut own = twin.iter().filter(|one| one.what.contains(evidence));
            assert!(own.clone().count() == 6 && own.all(|one| !one.passed));
        }
        let mut kept = halved.iter().filter(|one| one.what.contains("row space"));
        assert!(kept.all(|one| one.passed));
    }
}
