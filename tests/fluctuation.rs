//! The law of fluctuations.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod verdict;

mod fluctuation_law {
    use super::verdict;
    use mirrorflow::{
        claims::{Context, fluctuation_law::CLAIM},
        evidence::{
            Kind,
            statistics::{self, Alternative},
        },
    };

    #[test]
    fn the_theory_holds_and_each_twin_is_rejected() {
        verdict::record(&CLAIM);
    }

    /// A smaller sample of what `audit --calibrate` does: p-values over seeds are uniform, those of
    /// the pooled comparisons left out (they repeat the others).
    #[test]
    fn p_values_are_uniform_over_seeds() {
        let runs = (100..103).map(|seed| (CLAIM.check)(&Context::new(seed, 1)).unwrap());
        let evidence = runs.flat_map(|run| run.evidence);
        let single = evidence.filter(|one| !one.what.contains("together"));
        let values: Vec<f64> = single.filter_map(|one| one.test.p_value).collect();
        assert_eq!(values.len(), 30);
        let alternative = Alternative::new("distribution functions 0.7 apart", 0.7);
        let uniform = statistics::uniform("p-values", values, &alternative);
        assert!(
            uniform.passed && uniform.test.power.unwrap() > 0.9,
            "{uniform:?}"
        );
        assert_eq!(uniform.kind, Kind::Statistical);
    }
}
