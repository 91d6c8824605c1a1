//! Networks trained from several draws at several widths, and how far from h̄ they end.

use rayon::prelude::*;

use super::distance;
use crate::{
    Result,
    setting::{Network, OutputInit, Setting},
    solver::{
        infinite_width::Solution,
        mirror_flow::{self, Options, Run, Status},
    },
};

/// Error of a step with which [`train`] follows the flow. The dual variable stays in the row space
/// whatever the steps, so that where the flow ends depends on them through moving knots alone: sup
/// distances at 10⁻³ and 10⁻⁵ are the same to 10⁻² of themselves (tests/figures_command.rs).
pub const TOLERANCE: f64 = 1e-3;

/// A network that was trained by mirror flow from zero output.
#[derive(Debug, Clone)]
pub struct Member {
    /// Which setting of the ensemble.
    pub setting: usize,
    /// n.
    pub width: usize,
    /// Of the draw.
    pub seed: u64,
    /// How it was trained.
    pub run: Run,
}

/// Trains one network of a setting, each step to an error of `tolerance`.
///
/// # Errors
/// Those of [`mirror_flow::train`].
pub fn train(setting: &Setting, width: usize, seed: u64, tolerance: f64) -> Result<Run> {
    let initial = Network::sample(&setting.bias, OutputInit::Zero, width, seed);
    let options = Options {
        tolerance,
        ..Options::default()
    };
    mirror_flow::train(setting, &initial, &options, &mut |_| {})
}

/// Trains networks of each setting, width and seed below `seeds`, the widest first so that cores finish
/// together; in the order of settings, widths and seeds.
///
/// # Errors
/// Those of [`mirror_flow::train`].
pub fn draw(settings: &[Setting], widths: &[usize], seeds: u64) -> Result<Vec<Member>> {
    let mut jobs = Vec::new();
    for setting in 0..settings.len() {
        for &width in widths {
            jobs.extend((0..seeds).map(|seed| (setting, width, seed)));
        }
    }
    jobs.sort_by_key(|&(setting, width, seed)| {
        (std::cmp::Reverse(width), std::cmp::Reverse(setting), seed)
    });
    // One job after the other from a common queue.
    let jobs = jobs.into_iter().par_bridge();
    let members = jobs.map(|(setting, width, seed)| {
        let run = train(&settings[setting], width, seed, TOLERANCE)?;
        Ok(Member {
            setting,
            width,
            seed,
            run,
        })
    });
    let mut members: Vec<Member> = members.collect::<Result<_>>()?;
    members.sort_by_key(|member| (member.setting, member.width, member.seed));
    Ok(members)
}

/// sup |f_n − h̄| over \[−1.5, 1.5\]·max|x_i|; none where the draw cannot fit the data, for then there is
/// no end to compare.
pub fn error(run: &Run, solution: &Solution) -> Option<f64> {
    let setting = solution.setting();
    let off = |x: f64| run.network.output(setting.activation, x) - solution.value(x);
    let edge = 1.5 * setting.dataset.largest_input();
    (run.status == Status::Converged).then(|| distance::sup(off, edge))
}

/// Mean, standard deviation and size of a sample of positive numbers.
pub type Summary = (f64, f64, f64);

/// How much larger the means of one column of samples are than another's: the mean of the logarithms of their
/// quotients, and its standard error to first order, all samples being independent.
pub fn log_ratio(ones: &[Summary], others: &[Summary]) -> [f64; 2] {
    let relative = |(mean, sd, count): &Summary| (sd / mean).powi(2) / count;
    let pairs = || ones.iter().zip(others);
    let count = ones.len() as f64;
    let logarithms = pairs().map(|(one, other)| (one.0 / other.0).ln());
    let variances = pairs().map(|(one, other)| relative(one) + relative(other));
    [
        logarithms.sum::<f64>() / count,
        variances.sum::<f64>().sqrt() / count,
    ]
}

/// Mean and standard deviation of a sample of at least two.
pub fn spread(sample: &[f64]) -> [f64; 2] {
    let count = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / count;
    let squares = sample.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    [mean, (squares / (count - 1.0)).sqrt()]
}
