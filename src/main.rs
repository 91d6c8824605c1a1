//! The command line: parse, call, print; no mathematics.

mod cli;

use clap::Parser;
use cli::{
    AuditArgs, ClaimsArgs, Cli, Command, FiguresArgs, InspectArgs, MinimizerArgs, TrainArgs,
};
use indicatif::{ProgressBar, ProgressStyle};
use mirrorflow::{
    Error, Result,
    claims::{self, Claim, Context},
    evidence::inspection::Question,
    report::{
        self,
        figures::{Figure, PLANS, Plan, numbers},
        inspect::InspectReport,
        ledger::{self, Ledger},
        minimizer::MinimizerReport,
        page::Page,
        train::TrainReport,
        units::{Audit, Progress, Store},
    },
    setting::{Archive, Dataset, Network, OutputInit},
    solver::{
        infinite_width,
        mirror_descent::{self, Rule},
        mirror_flow::{self, Options},
    },
};
use rayon::prelude::*;
use std::{
    fmt::{Display, Write as _},
    io::{self, ErrorKind, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
    thread,
};

/// The derivations, one section for each claim.
const PROOFS: &str = include_str!("../proofs.md");

/// What a command prints on standard output, and whether all is well.
struct Outcome {
    text: String,
    well: bool,
}

fn main() -> ExitCode {
    with_one_blas();
    if let Err(error) = end_between_files() {
        return complain(format!("signals: {error}; start it anew"), 2);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return complain(cli::message(&error), 2),
        Err(help) => return print(&help.render().to_string(), 0),
    };
    let outcome = match cli.command {
        Command::Audit(args) => audit(&args),
        Command::Claims(args) => show_claims(&args),
        Command::Minimizer(args) => minimizer(&args),
        Command::Train(args) => train(&args),
        Command::Inspect(args) => inspect(&args),
        Command::Figures(args) => figures(&args),
    };
    match outcome {
        Ok(Outcome { text, well }) => print(&text, if well { 0 } else { 1 }),
        Err(error @ Error::NotConverged { .. }) => complain(error, 1),
        Err(error) => complain(error, 2),
    }
}

/// OpenBLAS reads its number of threads and its kernels once, as it is loaded before `main`: what
/// nobody has chosen is chosen here, and the program starts anew. More than 1 thread makes small
/// problems far slower; and both change the last bits of results, by which an adaptive flow may take
/// a step more: so the kernels are those that every processor of the architecture has.
fn with_one_blas() {
    #[cfg(unix)]
    {
        use std::{env, os::unix::process::CommandExt, process};
        let mut wanted = vec![("OPENBLAS_NUM_THREADS", "1")];
        if cfg!(target_arch = "x86_64") {
            wanted.push(("OPENBLAS_CORETYPE", "Prescott"));
        }
        wanted.retain(|(variable, _)| env::var_os(variable).is_none());
        let mut arguments = env::args_os();
        if !wanted.is_empty()
            && let (Some(name), Ok(program)) = (arguments.next(), env::current_exe())
        {
            let mut again = process::Command::new(program);
            // Comes back only where the program cannot be started: then it goes on as it is.
            let _ = again.arg0(name).args(arguments).envs(wanted).exec();
        }
    }
}

/// Lets Ctrl-C and `kill` wait for the file that is being written, of which a part would be left, and
/// lets writing past `ulimit -f` fail with a message and not end the program.
fn end_between_files() -> io::Result<()> {
    #[cfg(unix)]
    {
        use signal_hook::{
            consts::{SIGINT, SIGTERM, SIGXFSZ},
            flag,
            iterator::Signals,
            low_level::emulate_default_handler,
        };
        flag::register(SIGXFSZ, Arc::default())?;
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        thread::spawn(move || {
            for signal in signals.forever() {
                let _none = report::between_files();
                let _ = emulate_default_handler(signal);
            }
        });
    }
    Ok(())
}

fn audit(args: &AuditArgs) -> Result<Outcome> {
    let selected = ledger::select(claims::registry(), &args.only)?;
    let audit = Audit {
        claims: &selected,
        context: Context::new(args.seed, args.effort),
        calibrate: args.calibrate,
    };
    let shard = args.shard.as_deref().map(str::parse).transpose()?;
    // Before the work, not after it.
    let store = match &args.out {
        Some(folder) if args.merge.is_empty() => Some(Store::open(folder, args.resume)?),
        Some(folder) => report::make_folder(folder).map(|()| None)?,
        None => None,
    };
    let bar = progress("units", 0);
    let show = |step| match step {
        Progress::Planned(units) => bar.inc_length(units as u64),
        Progress::Done => bar.inc(1),
    };
    let ledger = match (shard, &store) {
        (Some(shard), Some(store)) => audit.share(shard, store, &show),
        _ if !args.merge.is_empty() => audit.merge(&args.merge),
        _ => audit.run(store.as_ref(), &show),
    };
    bar.finish_and_clear();
    let ledger = ledger?;
    // A share has no ledger of its own: others may be writing into the same folder.
    if let (Some(folder), None) = (&args.out, shard) {
        ledger.write(folder)?;
        write_page(&ledger, folder)?;
    }
    Ok(Outcome {
        text: if args.json {
            json(&ledger)
        } else {
            ledger.to_string()
        },
        well: ledger.is_clean(),
    })
}

/// The page of an audit, with those figures that its claims show.
fn write_page(ledger: &Ledger, folder: &Path) -> Result<()> {
    let ids: Vec<&str> = ledger
        .claims
        .iter()
        .map(|claim| claim.id.as_str())
        .collect();
    let plans = PLANS.iter().filter(|plan| plan.illustrates(&ids));
    let plans: Vec<&Plan> = plans.collect();
    let bar = progress("figures", plans.len());
    let drawn = plans.into_par_iter().map(|plan| {
        let figure = (plan.numbers)();
        bar.inc(1);
        (plan, figure)
    });
    let figures: Vec<(&Plan, Result<Figure>)> = drawn.collect();
    bar.finish_and_clear();
    let page = Page {
        ledger,
        claims: claims::registry(),
        figures: &figures,
        proofs: PROOFS,
    };
    page.write(folder)
}

fn show_claims(args: &ClaimsArgs) -> Result<Outcome> {
    let ids: Vec<_> = args.id.iter().cloned().collect();
    let selected = ledger::select(claims::registry(), &ids)?;
    let text = match (&args.id, selected.as_slice()) {
        (_, claims) if args.json => json(&serde_json::json!({ "claims": claims })),
        (Some(_), [claim]) => description(claim),
        (_, claims) => claims
            .iter()
            .map(|claim| format!("{}\n    {}\n", claim.id, claim.statement))
            .collect(),
    };
    Ok(Outcome { text, well: true })
}

fn description(claim: &Claim) -> String {
    let mut text = format!(
        "{}\n\n{}\n\nSource: {}\n",
        claim.id, claim.statement, claim.source
    );
    for twin in claim.controls {
        let _ = writeln!(text, "False twin {}: {}", twin.id, twin.statement);
    }
    if let Some(section) = report::section(PROOFS, claim.id) {
        let _ = writeln!(text, "\n{section}");
    }
    text
}

fn minimizer(args: &MinimizerArgs) -> Result<Outcome> {
    let points = args.points()?;
    let setting = args.setting.setting()?;
    let report = MinimizerReport::new(&setting, points, args.width)?;
    if let Some(file) = &args.svg {
        let solution = infinite_width::minimize(&setting)?;
        let drawing = numbers::minimizer(&solution, args.width)?.svg()?;
        report::write_whole(file, drawing.as_bytes())?;
    }
    Ok(Outcome {
        text: if args.json {
            json(&report)
        } else {
            report.to_string()
        },
        well: true,
    })
}

fn train(args: &TrainArgs) -> Result<Outcome> {
    let setting = args.setting.setting()?;
    let initial = match (&args.init, args.width) {
        (Some(file), _) => {
            let start = Archive::read(file, args.convention)?.initial;
            start.ok_or_else(|| Error::Data {
                place: file.display().to_string(),
                what: "the arrays w0, b0, a0 and d0 are not all there".into(),
                remedy: "save the initial parameters with the network, or give --width".into(),
            })?
        }
        (None, width) => {
            let output = args.output_init.parse()?;
            Network::sample(&setting.bias, output, width.unwrap_or(1), args.seed)
        }
    };
    let mut options = Options {
        uncentred: args.uncentred,
        horizon: args.horizon.unwrap_or(f64::INFINITY),
        ..Options::default()
    };
    let rule = match args.method.as_str() {
        "descent" => Some(Rule::MirrorDescent),
        "euler" => Some(Rule::Euler),
        _ => None,
    };
    let run = match (rule, args.step) {
        (Some(rule), Some(step)) => {
            options.most_steps = mirror_descent::MOST_STEPS;
            mirror_descent::train(&setting, &initial, rule, step, &options)
        }
        (None, Some(step)) => {
            return Err(Error::Parameter {
                name: "--step".into(),
                value: step.to_string(),
                what: "the flow chooses its steps itself".into(),
                remedy: "leave it out, or give --method descent or euler".into(),
            });
        }
        _ => mirror_flow::train(&setting, &initial, &options, &mut |_| {})?,
    };
    let report = TrainReport::new(&setting, &initial, &run);
    if let Some(file) = &args.out {
        let archive = Archive {
            network: run.network,
            initial: Some(initial),
            dataset: Some(setting.dataset),
        };
        report::write_whole(file, &archive.contents()?)?;
    }
    Ok(Outcome {
        well: report.status != "failed",
        text: if args.json {
            json(&report)
        } else {
            report.to_string()
        },
    })
}

fn inspect(args: &InspectArgs) -> Result<Outcome> {
    let file = args.network.display();
    let Archive {
        network,
        initial,
        dataset,
    } = Archive::read(&args.network, args.convention)?;
    let setting = args.theory.with(|| match (&args.data, dataset) {
        (Some(name), _) => Dataset::named_or_csv(name),
        (None, Some(dataset)) => Ok(dataset),
        (None, None) => Err(Error::Data {
            place: file.to_string(),
            what: "the arrays x and y are not both there".into(),
            remedy: "save the data with the network, or give --data".into(),
        }),
    })?;
    let output = args.output_init.parse()?;
    if initial.is_none() && output != OutputInit::Zero {
        return Err(Error::Data {
            place: file.to_string(),
            what: "an output layer that started at random cannot be told without the arrays w0, b0, a0 and d0".into(),
            remedy: "save the initial parameters with the network".into(),
        });
    }
    let question = Question {
        setting: &setting,
        network: &network,
        initial: initial.as_ref(),
        output,
        uncentred: args.uncentred,
        alpha: args.alpha,
        step: args.step,
    };
    let report = InspectReport::new(&question, args.fit)?;
    Ok(Outcome {
        well: report.verdict == "consistent",
        text: if args.json {
            json(&report)
        } else {
            report.to_string()
        },
    })
}

fn figures(args: &FiguresArgs) -> Result<Outcome> {
    // Before the work, not after it.
    report::make_folder(&args.out)?;
    let mut text = String::new();
    for figure in numbers::all()? {
        for file in figure.write(&args.out)? {
            let _ = writeln!(text, "{file}");
        }
    }
    Ok(Outcome { text, well: true })
}

fn json(value: &impl serde::Serialize) -> String {
    report::json(value) + "\n"
}

/// A bar on standard error, drawn only where that is a terminal.
fn progress(what: &'static str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {pos}/{len} {wide_bar} {elapsed}");
    ProgressBar::new(length as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what)
}

/// Prints on standard output; a reader who has left is no error.
fn print(text: &str, code: u8) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => complain(
            format!("standard output: {error}; send it to a place that can be written to"),
            2,
        ),
        _ => ExitCode::from(code),
    }
}

fn complain(message: impl Display, code: u8) -> ExitCode {
    // Where standard error is closed too, the exit code has to do.
    let _ = writeln!(io::stderr(), "mirrorflow: {message}");
    ExitCode::from(code)
}
