//! The command line as data, and what its texts mean.

use clap::{
    Args, Parser, Subcommand,
    builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser},
    error::{ContextKind, ContextValue},
};
use mirrorflow::{
    Error, Result,
    report::minimizer::grid,
    setting::{Activation, Convention, Dataset, Scaling, Setting},
};
use std::path::PathBuf;

/// Audits the theory of the implicit bias of mirror flow for shallow univariate networks.
#[derive(Debug, Parser)]
#[command(name = "mirrorflow", version, arg_required_else_help = false)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the claims, and that each check rejects the claim's false twins
    Audit(AuditArgs),
    /// List the claims, or show one with its proof
    Claims(ClaimsArgs),
    /// Solve for the infinite-width minimiser of a data set
    Minimizer(MinimizerArgs),
    /// Train a network by mirror flow, mirror descent or Euler steps
    Train(TrainArgs),
    /// Tell whether the theory describes a trained network
    Inspect(InspectArgs),
    /// Draw the paper's figures and three more, with their numbers
    Figures(FiguresArgs),
}

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Check these claims only
    #[arg(long, value_name = "ID[,ID…]", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Multiplier of sample sizes and cases
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true, value_parser = positive)]
    pub effort: usize,
    /// Seed of every random draw
    #[arg(long, value_name = "N", default_value = "0", allow_negative_numbers = true, value_parser = seed)]
    pub seed: u64,
    /// Write index.html, ledger.json, ledger.md, ledger.txt and junit.xml into this folder, and each result as it
    /// is found into its folder `units`
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub out: Option<PathBuf>,
    /// Repeat the statistical claims on further seeds: observed size and power of their tests
    #[arg(long)]
    pub calibrate: bool,
    /// Carry out the K-th of N shares only, and keep its units in --out
    #[arg(long, value_name = "K/N", requires = "out")]
    pub shard: Option<String>,
    /// Draw up the ledger from the units in these folders, each the --out of an audit
    #[arg(long, value_name = "DIR", num_args = 1.., value_parser = path(), conflicts_with_all = ["shard", "resume"])]
    pub merge: Vec<PathBuf>,
    /// Carry out only those units that are not in --out already
    #[arg(long, requires = "out")]
    pub resume: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ClaimsArgs {
    /// The claim to show
    pub id: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct MinimizerArgs {
    #[command(flatten)]
    pub setting: SettingArgs,
    /// Points at which to report
    #[arg(
        long,
        value_name = "X[,X…]",
        allow_hyphen_values = true,
        conflicts_with = "grid"
    )]
    pub at: Option<String>,
    /// Equidistant points at which to report
    #[arg(long, value_name = "LO:HI:N", allow_hyphen_values = true)]
    pub grid: Option<String>,
    /// Add the standard deviation of networks of this width
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = positive)]
    pub width: Option<usize>,
    /// Draw data, minimiser, its curvature and the band of the width into this file
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub svg: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(flatten)]
    pub setting: SettingArgs,
    /// Take the potential about 0 instead of the initial parameters
    #[arg(long)]
    pub uncentred: bool,
    /// Width of the network to draw
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = positive, required_unless_present = "init")]
    pub width: Option<usize>,
    /// Seed of the draw
    #[arg(long, value_name = "N", default_value = "0", allow_negative_numbers = true, value_parser = seed)]
    pub seed: u64,
    /// Start of the output layer: zero or random:SD_A,SD_D
    #[arg(long, default_value = "zero", allow_hyphen_values = true)]
    pub output_init: String,
    /// Start from the arrays w0, b0, a0, d0 of this file
    #[arg(long, value_name = "NET.npz", value_parser = path(),
          conflicts_with_all = ["width", "seed", "output_init"])]
    pub init: Option<PathBuf>,
    /// How that file writes the hidden layer: plus (w x + b) or minus (w x - b)
    #[arg(long, requires = "init", conflicts_with = "width", hide_possible_values = true, value_parser = convention())]
    pub convention: Option<Convention>,
    /// How to train: flow, descent (mirror descent) or euler
    #[arg(long, default_value = "flow", hide_possible_values = true,
          value_parser = PossibleValuesParser::new(["flow", "descent", "euler"]))]
    pub method: String,
    /// Flow time of one step of descent or euler
    #[arg(long, value_name = "H", allow_hyphen_values = true, value_parser = positive_number,
          required_if_eq_any = [("method", "descent"), ("method", "euler")])]
    pub step: Option<f64>,
    /// Flow time at which to stop
    #[arg(long, value_name = "T", allow_hyphen_values = true, value_parser = positive_number)]
    pub horizon: Option<f64>,
    /// Write the trained network to this file
    #[arg(long, value_name = "NET.npz", value_parser = path())]
    pub out: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct FiguresArgs {
    /// Write the pictures (SVG) and their numbers (CSV) into this folder
    #[arg(long, value_name = "DIR", default_value = "figures", value_parser = path())]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The network: arrays w, b, a, d, and where known w0, b0, a0, d0, x, y
    #[arg(value_name = "NET.npz", value_parser = path())]
    pub network: PathBuf,
    #[command(flatten)]
    pub theory: TheoryArgs,
    /// Its data, where the file does not hold them: CSV file with header `x,y`, `figure1` or `figure2`
    #[arg(long, value_name = "FILE", value_parser = NonEmptyStringValueParser::new())]
    pub data: Option<String>,
    /// Take the potential about 0 instead of the initial parameters
    #[arg(long)]
    pub uncentred: bool,
    /// Start of the output layer: zero or random:SD_A,SD_D
    #[arg(long, default_value = "zero", allow_hyphen_values = true)]
    pub output_init: String,
    /// Fit (p, ω) of the power family, and say which potentials are excluded
    #[arg(long)]
    pub fit: bool,
    /// Probability with which a network that the theory describes is called inconsistent
    #[arg(long, value_name = "P", default_value_t = 1e-3, allow_hyphen_values = true, value_parser = probability)]
    pub alpha: f64,
    /// How the file writes the hidden layer: plus (w x + b) or minus (w x - b)
    #[arg(long, hide_possible_values = true, value_parser = convention())]
    pub convention: Option<Convention>,
    /// Flow time of the longest explicit step with which it may have been trained
    #[arg(long, value_name = "H", default_value_t = 2.0, allow_hyphen_values = true, value_parser = positive_number)]
    pub step: f64,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What every solver takes.
#[derive(Debug, Args)]
pub struct SettingArgs {
    /// CSV file with header `x,y`, or `figure1`, or `figure2`
    #[arg(long, value_name = "FILE", value_parser = NonEmptyStringValueParser::new())]
    data: String,
    #[command(flatten)]
    theory: TheoryArgs,
}

/// A setting without its data.
#[derive(Debug, Args)]
pub struct TheoryArgs {
    /// Activation function: relu or abs
    #[arg(long, default_value = "relu", hide_possible_values = true, value_parser = activation())]
    activation: Activation,
    /// Potential: quadratic, power:P,OMEGA or hypentropy:BETA
    #[arg(long, default_value = "quadratic", allow_hyphen_values = true)]
    potential: String,
    /// How the potential of all parameters is built from it: unscaled, which is quadratic at infinite width, or scaled
    #[arg(long, default_value = "unscaled", hide_possible_values = true, value_parser = scaling())]
    scaling: Scaling,
    /// Density of the initial biases: uniform:C, gaussian:SD or triangular:C[,MODE]
    #[arg(long, default_value = "uniform:1", allow_hyphen_values = true)]
    bias: String,
}

impl SettingArgs {
    /// The setting that these texts describe.
    pub fn setting(&self) -> Result<Setting> {
        self.theory.with(|| Dataset::named_or_csv(&self.data))
    }
}

impl TheoryArgs {
    /// The setting with some data, which are read after these texts.
    pub fn with(&self, dataset: impl FnOnce() -> Result<Dataset>) -> Result<Setting> {
        Ok(Setting {
            potential: self.potential.parse()?,
            bias: self.bias.parse()?,
            dataset: dataset()?,
            activation: self.activation,
            scaling: self.scaling,
        })
    }
}

impl MinimizerArgs {
    /// The points of `--at` or `--grid`; none where neither is given.
    pub fn points(&self) -> Result<Option<Vec<f64>>> {
        match (&self.at, &self.grid) {
            (Some(list), _) => list_of_points(list).map(Some),
            (None, Some(range)) => range_of_points(range).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// The most points that `--grid` gives.
const MOST_POINTS: usize = 1_000_000;

fn list_of_points(list: &str) -> Result<Vec<f64>> {
    let remedy = "give numbers parted by commas, such as --at -0.1,0.5";
    list.split(',')
        .map(|text| finite(text).ok_or_else(|| refuse("--at", list, not_finite(text), remedy)))
        .collect()
}

fn range_of_points(range: &str) -> Result<Vec<f64>> {
    let remedy = "give lowest point, highest point and number of points, such as --grid -1:1:5";
    let refuse = |what: String| refuse("--grid", range, what, remedy);
    let &[low, high, count] = range.split(':').collect::<Vec<_>>().as_slice() else {
        return Err(refuse("this is not LO:HI:N".into()));
    };
    let number = |text| finite(text).ok_or_else(|| refuse(not_finite(text)));
    let (low, high) = (number(low)?, number(high)?);
    if low >= high {
        return Err(refuse(format!("{low} is not below {high}")));
    }
    match count.trim().parse() {
        Ok(points @ 2..=MOST_POINTS) => Ok(grid(low, high, points)),
        _ => Err(refuse(format!(
            "`{count}` is not a number of points from 2 to {MOST_POINTS}"
        ))),
    }
}

fn finite(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|x: &f64| x.is_finite())
}

fn not_finite(text: &str) -> String {
    format!("`{text}` is not a finite number")
}

fn refuse(name: &str, value: &str, what: String, remedy: &str) -> Error {
    Error::Parameter {
        name: name.into(),
        value: value.into(),
        what,
        remedy: remedy.into(),
    }
}

fn positive(text: &str) -> std::result::Result<usize, String> {
    match text.parse::<u32>() {
        Ok(n) if n > 0 => Ok(n as usize),
        _ => Err(format!("give a whole number from 1 to {}", u32::MAX)),
    }
}

fn seed(text: &str) -> std::result::Result<u64, String> {
    let number = text.parse();
    number.map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

fn positive_number(text: &str) -> std::result::Result<f64, String> {
    let number = finite(text).filter(|x| *x > 0.0);
    number.ok_or_else(|| "give a positive number".into())
}

fn probability(text: &str) -> std::result::Result<f64, String> {
    let number = finite(text).filter(|p| *p > 0.0 && *p < 1.0);
    number.ok_or_else(|| "give a number between 0 and 1".into())
}

fn convention() -> impl TypedValueParser<Value = Convention> {
    PossibleValuesParser::new(["plus", "minus"]).map(|name| match name.as_str() {
        "minus" => Convention::Minus,
        _ => Convention::Plus,
    })
}

fn path() -> impl TypedValueParser<Value = PathBuf> {
    NonEmptyStringValueParser::new().map(PathBuf::from)
}

fn activation() -> impl TypedValueParser<Value = Activation> {
    PossibleValuesParser::new(["relu", "abs"]).map(|name| match name.as_str() {
        "abs" => Activation::Abs,
        _ => Activation::Relu,
    })
}

fn scaling() -> impl TypedValueParser<Value = Scaling> {
    PossibleValuesParser::new(["unscaled", "scaled"]).map(|name| match name.as_str() {
        "scaled" => Scaling::Scaled,
        _ => Scaling::Unscaled,
    })
}

/// clap's message in one paragraph: what is wrong and its hints, without the usage.
pub fn message(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty() && !line.starts_with("tip: to pass"))
        .collect::<Vec<_>>()
        .join(" ");
    let what = lines.strip_prefix("error: ").unwrap_or(&lines);
    let data = |text: &str| text.ends_with(".csv") || text == "figure1" || text == "figure2";
    let hint = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) if data(text) => "; data are given as --data FILE",
        _ => "",
    };
    format!(
        "{what}{hint}; `mirrorflow help` lists the commands, `mirrorflow help COMMAND` its options"
    )
}
