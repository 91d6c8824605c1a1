//! The one error type: what was wrong, where, and what to do.

use std::path::PathBuf;

/// Everything that can go wrong on a user's input or in a solver.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A data set or a network that cannot be used.
    #[error("{place}: {what}; {remedy}")]
    Data {
        /// File, line and column, or array, in which it was found.
        place: String,
        /// What was found.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// A parameter outside its range, or a text that does not parse.
    #[error("{name} `{value}`: {what}; {remedy}")]
    Parameter {
        /// The option or quantity, e.g. `--bias` or `potential`.
        name: String,
        /// The text or number as it was given.
        value: String,
        /// Why it cannot be used.
        what: String,
        /// What to give instead.
        remedy: String,
    },
    /// No network of the class passes through the data (proofs.md, section on interpolants).
    #[error("no interpolant: {what}; {remedy}")]
    NotInterpolable {
        /// Which points stand in the way of which other ones.
        what: String,
        /// What to change.
        remedy: String,
    },
    /// Newton's method stopped above its tolerance.
    #[error(
        "{solver} stopped after {iterations} iterations at relative residual {residual:.1e}; \
         please report the data and the setting"
    )]
    NotConverged {
        /// Name of the solver.
        solver: &'static str,
        /// Iterations made.
        iterations: usize,
        /// Relative residual reached.
        residual: f64,
    },
    /// A file that could not be read or written.
    #[error("{}: {source}; {remedy}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What to do about it.
        remedy: String,
    },
}

/// Result with [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
