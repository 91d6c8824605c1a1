//! Whether tests notice changes of the sources: all that `cargo mutants --list` names, in one build.
//!
//! `cargo mutants` builds the tests once for each change. Here a copy of the sources holds all of them, each behind a switch
//! that a process reads when it starts; a change is tried with those tests that enter its function, the quickest first.
//! Linux (ELF's `.init_array`, and `timeout` of the GNU core utilities).

mod build;
mod switch;
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Changes the sources in one place at a time and asks whether a test notices.
#[derive(Parser)]
struct Cli {
    /// Where the copy, its build and the verdicts are kept.
    #[arg(long, default_value = "target/mutants", global = true)]
    folder: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the tests with a switch for each change, and runs each test once.
    Build {
        /// What `cargo mutants --list` takes: --file, --shard, --in-diff.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        selection: Vec<String>,
    },
    /// Tries the changes that were not caught before.
    Run {
        /// How many seconds of tests a change gets, the quickest first; all tests unless told.
        #[arg(long)]
        seconds: Option<f64>,
        /// Only changes with this in their names.
        #[arg(long, default_value = "")]
        only: String,
        /// Only tests with this in their names; what they miss stays open.
        #[arg(long, default_value = "")]
        by: String,
    },
    /// Tries the changes that can have no switch, one build each.
    Rest,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Command::Build { selection } => build::build(&cli.folder, &selection)?,
        Command::Rest => return build::rest(&cli.folder),
        Command::Run { seconds, only, by } => return tests::run(&cli.folder, seconds, &only, &by),
    }
    Ok(ExitCode::SUCCESS)
}
