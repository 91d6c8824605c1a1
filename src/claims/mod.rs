//! The claims: statement, source, check, and the false twins that the check must reject.

pub mod agreement;
pub mod dynamics;
pub mod fluctuation_law;
pub mod minimizer;
pub mod notebook_audit;
pub mod random_output;
pub mod regime;
pub mod representation_cost;
mod sample;
pub mod sharp_hypotheses;

use crate::{Result, evidence::Evidence};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// What a run of the audit is a function of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Seed of every random draw.
    pub seed: u64,
    /// Multiplier of sample sizes and cases, at least 1.
    pub effort: usize,
    /// Whether the tests alone are wanted: comparisons of other kinds may then be left out, on the theory
    /// and on its twins.
    pub calibrating: bool,
}

impl Context {
    /// A whole check.
    pub const fn new(seed: u64, effort: usize) -> Self {
        Self {
            seed,
            effort,
            calibrating: false,
        }
    }

    /// Seed of the networks with this number in a family. Those with other numbers, in other families or of other seeds (up to
    /// 10⁶) are drawn independently; many draws of one number are told apart by [`nth_draw`].
    pub const fn draws(&self, family: u64, number: usize) -> u64 {
        self.seed.wrapping_mul(1_000_003) ^ ((family + number as u64) << 40)
    }

    /// Generator of a family's random problems.
    pub fn problems(&self, family: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed.wrapping_mul(31).wrapping_add(family))
    }

    /// How many samples to draw where the check at effort 1 draws so many.
    pub const fn samples(&self, draws: usize) -> usize {
        draws * self.effort
    }

    /// How many random problems to solve where the whole check at effort 1 has so many.
    fn random(&self, problems: usize) -> usize {
        if self.calibrating {
            0
        } else {
            self.samples(problems)
        }
    }
}

/// Seed of the k-th of many draws, from what [`Context::draws`] gave: other than those of other numbers for k < 2⁴⁰, and
/// than those of other seeds for k < 10⁶.
pub const fn nth_draw(draws: u64, k: u64) -> u64 {
    draws ^ k
}

/// A false twin: a theory that differs from the claim's in one point and must be rejected.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Control {
    /// Slug, unique within its claim.
    pub id: &'static str,
    /// What the wrong theory says.
    pub statement: &'static str,
}

/// What the check of a claim found.
#[derive(Debug, Clone)]
pub struct Findings {
    /// Evidence on the claim itself.
    pub evidence: Vec<Evidence>,
    /// The same comparisons under each of the claim's twins, in the order of `Claim::controls`.
    pub controls: Vec<Vec<Evidence>>,
}

/// One claim of the ledger.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Claim {
    /// Slug, the heading of its section in proofs.md and the module of its tests.
    pub id: &'static str,
    /// What is claimed.
    pub statement: &'static str,
    /// Where it comes from: the paper's abstract, or a section of proofs.md.
    pub source: &'static str,
    /// The heart of it in LaTeX, for display; the symbols are those of proofs.md.
    pub formula: &'static str,
    /// Its false twins.
    pub controls: &'static [Control],
    /// Measures once, then judges the theory and each twin by the same comparisons.
    #[serde(skip)]
    pub check: fn(&Context) -> Result<Findings>,
}

/// All claims, in the order of the ledger.
pub fn registry() -> &'static [Claim] {
    &[
        representation_cost::CLAIM,
        minimizer::relu::CLAIM,
        minimizer::abs::CLAIM,
        minimizer::shape::CLAIM,
        fluctuation_law::CLAIM,
        agreement::CLAIM,
        dynamics::projection::CLAIM,
        dynamics::lazy::UNSCALED,
        dynamics::lazy::SCALED,
        dynamics::loss_decay::CLAIM,
        dynamics::multivariate::CLAIM,
        dynamics::output_layer::CLAIM,
        dynamics::descent::CLAIM,
        random_output::CLAIM,
        minimizer::prior::CLAIM,
        regime::not_kernel::CLAIM,
        regime::non_rkhs::CLAIM,
        regime::takeaway::CLAIM,
        minimizer::relu_scaled::CLAIM,
        minimizer::uneven::CLAIM,
        dynamics::uncentred::CLAIM,
        dynamics::diagonal::CLAIM,
        sharp_hypotheses::CLAIM,
        notebook_audit::CLAIM,
    ]
}
