//! `mirrorflow` audits the theory of *Implicit Bias of Mirror Flow for Shallow Neural Networks in
//! Univariate Regression* (Liang and Montúfar, arXiv 2410.03988).

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod claims;
pub mod error;
pub mod evidence;
pub mod proofs {
    #![doc = include_str!("../proofs.md")]
}
pub mod report;
pub mod setting;
pub mod solver;

pub use error::{Error, Result};

/// The examples of README.md are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
