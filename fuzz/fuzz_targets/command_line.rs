//! Each line of the input is an argument. Every grammar reads every argument, and clap all of them: it is
//! refused with what to do, or means what it is written back as.
#![no_main]

use clap::Parser;
use libfuzzer_sys::fuzz_target;
use mirrorflow::{
    Error, claims,
    report::{ledger, units::Shard},
    setting::{BiasDensity, Dataset, OutputInit, Potential},
};
use mirrorflow_fuzz::says_what_to_do;
use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

#[path = "../../src/cli.rs"]
#[allow(dead_code)]
mod cli;

use cli::{Cli, Command};

fn accepted<T>(result: mirrorflow::Result<T>) -> Option<T> {
    result
        .map_err(|error| says_what_to_do(&error.to_string()))
        .ok()
}

fn reads_back<T: FromStr<Err = Error> + Display + Debug + PartialEq>(text: &str) {
    if let Some(value) = accepted(text.parse::<T>()) {
        assert_eq!(value.to_string().parse::<T>().ok(), Some(value), "{text}");
    }
}

fuzz_target!(|text: &str| {
    let arguments: Vec<&str> = text.split('\n').collect();
    for argument in &arguments {
        reads_back::<Potential>(argument);
        reads_back::<BiasDensity>(argument);
        reads_back::<OutputInit>(argument);
        accepted(argument.parse::<Shard>());
    }
    let cli = match Cli::try_parse_from(["mirrorflow"].iter().chain(&arguments)) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return says_what_to_do(&cli::message(&error)),
        Err(_help) => return,
    };
    let figure1 = || Ok(Dataset::figure1());
    match cli.command {
        Command::Audit(args) => {
            assert!(args.effort > 0);
            accepted(ledger::select(claims::registry(), &args.only));
        }
        Command::Claims(args) => {
            let ids: Vec<String> = args.id.into_iter().collect();
            accepted(ledger::select(claims::registry(), &ids));
        }
        Command::Minimizer(args) => {
            if let Some(Some(points)) = accepted(args.points()) {
                assert!(!points.is_empty() && points.iter().all(|x| x.is_finite()));
                assert!(args.grid.is_none() || points.is_sorted());
            }
            assert!(args.width != Some(0));
        }
        Command::Train(args) => {
            let given = [args.step, args.horizon].into_iter().flatten();
            assert!(
                given
                    .into_iter()
                    .all(|number| number > 0.0 && number.is_finite())
            );
            assert!(args.width.is_some() != args.init.is_some());
        }
        Command::Inspect(args) => {
            accepted(args.theory.with(figure1));
            assert!(0.0 < args.alpha && args.alpha < 1.0);
        }
        Command::Figures(_) => {}
    }
});
