//! Registry, proofs.md and tests name the same claims.

use mirrorflow::{
    claims::{self, Context},
    evidence::{
        Evidence, Kind, distance,
        extrapolation::{self, Limit},
        statistics::SIZE,
    },
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
};
use rand::Rng;
use std::collections::BTreeSet;

#[test]
fn every_claim_has_its_proof_and_its_tests_and_every_proof_its_claim() {
    let claims: BTreeSet<&str> = claims::registry().iter().map(|claim| claim.id).collect();
    assert!(!claims.is_empty());
    let proofs: BTreeSet<&str> = include_str!("../proofs.md")
        .lines()
        .filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`'))
        .collect();
    assert_eq!(claims, proofs);
    let tests = [
        include_str!("representation_cost.rs"),
        include_str!("minimizers.rs"),
        include_str!("fluctuation.rs"),
        include_str!("dynamics.rs"),
        include_str!("regime.rs"),
        include_str!("beyond.rs"),
    ]
    .concat();
    let modules: BTreeSet<String> = tests
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(" {"))
        .map(|name| name.replace('_', "-"))
        .collect();
    assert_eq!(modules, claims.iter().map(|id| (*id).to_owned()).collect());
}

/// Each sentence of the abstract and each question beyond it has claims, and each claim one of these.
#[test]
fn the_abstract_names_every_claim() {
    let (_, rest) = include_str!("../proofs.md")
        .split_once("## The abstract, sentence by sentence")
        .expect("the section");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| \""));
    let mut named = BTreeSet::new();
    for row in rows {
        let ids: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        assert!(!ids.is_empty(), "{row}");
        named.extend(ids);
    }
    let claims: BTreeSet<&str> = claims::registry().iter().map(|claim| claim.id).collect();
    assert_eq!(named, claims);
}

/// The tests on record are few enough for the family-wise error of proofs.md, "How a test is sized".
#[test]
fn all_tests_together_are_wrong_once_in_a_thousand_audits() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let counts = claims::registry().iter().map(|claim| -> f64 {
        let record = std::fs::read_to_string(folder.join(format!("{}.snap", claim.id)));
        let record = record.expect("each claim has a snapshot");
        let count = record
            .lines()
            .find_map(|line| line.strip_suffix(" statistical"));
        count.map_or(0.0, |count| count.parse().expect("a count"))
    });
    let counts: Vec<f64> = counts.collect();
    assert!(counts.iter().sum::<f64>() * SIZE < 1e-3, "{counts:?}");
    let after_retest: f64 = counts.iter().map(|count| (count * SIZE).powi(2)).sum();
    assert!(after_retest < 1e-6, "{after_retest:e}");
}

/// Networks of other numbers, families and seeds are drawn independently, and so are random problems.
#[test]
fn draws_are_apart() {
    let (mut draws, mut problems) = (BTreeSet::new(), BTreeSet::new());
    for seed in [0, 1, 2, 3, 1_000_000, u64::MAX / 3, u64::MAX] {
        let context = Context::new(seed, 1);
        for family in [1, 64, 128] {
            for (number, draw) in (0..5).flat_map(|number| [0, 1, 999].map(|draw| (number, draw))) {
                assert!(draws.insert(claims::nth_draw(context.draws(family, number), draw)));
            }
            assert!(problems.insert(context.problems(family).next_u64()));
        }
    }
}

/// Twice the effort, twice the random problems, three more beside the three of the figures; and samples in proportion.
#[test]
fn effort_multiplies_problems() {
    let count = |effort| {
        let findings = (claims::dynamics::projection::CLAIM.check)(&Context::new(0, effort));
        findings.expect("a check").evidence.len()
    };
    assert_eq!(2 * count(2), 3 * count(1));
    assert_eq!(Context::new(0, 3).samples(5), 15);
}

#[test]
fn every_claim_has_twins_with_names_of_their_own() {
    for claim in claims::registry() {
        let names: BTreeSet<&str> = claim.controls.iter().map(|control| control.id).collect();
        assert!(
            !names.is_empty() && names.len() == claim.controls.len(),
            "{}",
            claim.id
        );
    }
}

/// A maximum that passes over what is not a number would let any comparison hold.
#[test]
fn what_is_not_a_number_passes_no_comparison() {
    let compare = |measured| Evidence::compare(Kind::Numerical, "", measured, 0.0, f64::MAX).passed;
    assert!(compare(1.0) && !compare(f64::NAN));
    for place in 0..3 {
        let mut values = [1.0, -2.0, 0.5];
        values[place] = f64::NAN;
        assert!(extrapolation::largest(values).is_nan());
    }
    let apart = |one: &[f64], other: &[f64]| extrapolation::largest_difference(one, other);
    assert_eq!(apart(&[1.0, -2.0], &[0.5, 1.0]), 3.0);
    assert!(apart(&[1.0, 2.0], &[1.0]).is_nan() && apart(&[], &[]).is_nan());
    assert!(apart(&[1.0, f64::NAN], &[1.0, 1.0]).is_nan());
    for x in [-1.0, 0.0, 0.3] {
        let nowhere_else = |at: f64| if (at - x).abs() < 2e-3 { f64::NAN } else { at };
        assert!(distance::sup(nowhere_else, 1.0).is_nan());
    }
    // Nor does a limit of sequences that are not each other's, or a prediction of another length.
    let limit = |coarse: &[f64], fine: &[f64]| Limit::of(coarse, fine, 2.0, 1.0);
    let compared = |limit: Limit, predicted: &[f64]| limit.against("", predicted, 1.0).passed;
    let (pair, one) = ([0.0, 0.1], [0.0]);
    assert!(compared(limit(&pair, &pair), &pair));
    assert!(!compared(limit(&pair, &pair), &one) && !compared(limit(&one, &one), &pair));
    assert!(!compared(limit(&pair, &one), &one) && !compared(limit(&one, &pair), &pair));
    assert!(!compared(limit(&[], &[]), &[]));
    let setting = Setting {
        dataset: Dataset::figure1(),
        activation: Activation::Relu,
        bias: BiasDensity::uniform(1.0).expect("positive"),
        potential: Potential::quadratic(),
        scaling: Scaling::Unscaled,
    };
    let mut network = Network::sample(&setting.bias, OutputInit::Zero, 9, 0);
    assert!(setting.residual(&network) > 0.0);
    network.a[4] = f64::NAN;
    assert!(setting.residual(&network).is_nan());
}
