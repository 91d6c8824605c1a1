//! The report on a trained network.

use super::number;
use crate::{
    Result,
    evidence::distance,
    setting::{Network, Setting},
    solver::{
        infinite_width,
        mirror_flow::{Run, Status},
        model::Displacement,
    },
};
use serde::Serialize;
use std::fmt::{self, Display};

/// How a network was trained and where it ended; serialises as the object that `train --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct TrainReport {
    /// converged, stationary, horizon or failed.
    pub status: &'static str,
    /// How it ended, in words.
    pub ending: &'static str,
    /// n.
    pub width: usize,
    /// Steps.
    pub steps: usize,
    /// Evaluations of the network on all data.
    pub evaluations: usize,
    /// Knots that met data, by what they did.
    pub events: Events,
    /// Flow time, for η = 1/n.
    pub time: f64,
    /// max|f(x_i) − y_i|.
    pub residual: f64,
    /// max|θ_j − θ̂_j| at the end.
    pub displacement: Kinds,
    /// The same, the largest along the path.
    pub largest_displacement: Kinds,
    /// sup|f − f(·, θ̂) − h̄| over [−1.5, 1.5]·max|x_i|, h̄ for y − f(x_i, θ̂); none where h̄ is not.
    pub sup_distance_to_minimizer: Option<f64>,
}

/// Events by kind.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Events {
    /// Knots that crossed a datum.
    pub crossings: usize,
    /// Knots that began to slide along one.
    pub pins: usize,
    /// Knots that ceased to.
    pub releases: usize,
}

/// A number for each kind of parameter.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Kinds {
    /// Inner weights.
    pub w: f64,
    /// Inner biases.
    pub b: f64,
    /// Output weights.
    pub a: f64,
    /// Output bias.
    pub d: f64,
}

impl From<Displacement> for Kinds {
    fn from(Displacement { w, b, a, d }: Displacement) -> Self {
        Self { w, b, a, d }
    }
}

impl TrainReport {
    /// Reports on a run that started from `initial`.
    pub fn new(setting: &Setting, initial: &Network, run: &Run) -> Self {
        let (status, ending) = match run.status {
            Status::Converged => (
                "converged",
                "every residual is at most 1e-10·max(1, max|y|)",
            ),
            Status::Stationary => (
                "stationary",
                "the gradient vanishes: this network cannot fit",
            ),
            Status::Horizon => ("horizon", "the flow time reached the horizon"),
            Status::Collapsed => ("failed", "the step fell to the resolution of the time"),
            Status::OutOfSteps => ("failed", "too many steps"),
            Status::Diverged => (
                "failed",
                "the residuals grew without bound: shorten the step",
            ),
        };
        Self {
            status,
            ending,
            width: run.network.width(),
            steps: run.steps,
            evaluations: run.evaluations,
            events: Events {
                crossings: run.events.crossings,
                pins: run.events.pins,
                releases: run.events.releases,
            },
            time: run.time,
            residual: run.residual,
            displacement: run.displacement.into(),
            largest_displacement: run.largest_displacement.into(),
            sup_distance_to_minimizer: distance_to_minimizer(setting, initial, &run.network).ok(),
        }
    }
}

fn distance_to_minimizer(setting: &Setting, initial: &Network, end: &Network) -> Result<f64> {
    let output = |network: &Network, x: f64| network.output(setting.activation, x);
    let data = &setting.dataset;
    let target = data
        .x()
        .iter()
        .zip(data.y())
        .map(|(&x, y)| y - output(initial, x));
    let solution = infinite_width::minimize(&Setting {
        dataset: data.with_values(target.collect())?,
        ..setting.clone()
    })?;
    let off = |x: f64| output(end, x) - output(initial, x) - solution.value(x);
    Ok(distance::sup(off, 1.5 * data.largest_input()))
}

impl Display for TrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |x: f64| number(x, 6);
        let kinds = |k: &Kinds| {
            format!(
                "w {}, b {}, a {}, d {}",
                short(k.w),
                short(k.b),
                short(k.a),
                short(k.d)
            )
        };
        let Events {
            crossings,
            pins,
            releases,
        } = self.events;
        writeln!(f, "{}: {}", self.status, self.ending)?;
        writeln!(f, "width {}, flow time {}", self.width, short(self.time))?;
        writeln!(f, "{} steps, {} evaluations", self.steps, self.evaluations)?;
        writeln!(
            f,
            "knots at data: {crossings} crossings, {pins} pins, {releases} releases"
        )?;
        writeln!(f, "max|f(x_i) − y_i|: {}", short(self.residual))?;
        writeln!(
            f,
            "max displacement at the end: {}",
            kinds(&self.displacement)
        )?;
        writeln!(
            f,
            "max displacement on the way: {}",
            kinds(&self.largest_displacement)
        )?;
        match self.sup_distance_to_minimizer {
            Some(distance) => writeln!(f, "sup distance to h̄: {}", short(distance)),
            None => writeln!(f, "h̄ does not exist for these data and biases"),
        }
    }
}
