//! Small networks, drawn or given: their projection is an error, or fits the data and has no duality gap;
//! what trains for some steps ends in a finite network whose status is true.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use mirrorflow::{
    report::train::TrainReport,
    setting::{Network, OutputInit, Setting},
    solver::{
        bregman_projection,
        mirror_descent::{self, Rule},
        mirror_flow::{self, CONVERGED, Options, Run, Status},
    },
};
use mirrorflow_fuzz::{Problem, network, says_what_to_do};

const EPS: f64 = f64::EPSILON;

#[derive(Debug)]
struct Input {
    setting: Setting,
    initial: Network,
    uncentred: bool,
    horizon: f64,
    discrete: Option<(Rule, f64)>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let Problem(setting) = u.arbitrary()?;
        let width = u.int_in_range(1..=24)?;
        let initial = match u.int_in_range(0..=2)? {
            0 => {
                let output = match u.arbitrary()? {
                    true => OutputInit::Zero,
                    false => OutputInit::Random {
                        output_weight: 1.0,
                        output_bias: 0.5,
                    },
                };
                Network::sample(&setting.bias, output, width, u.arbitrary()?)
            }
            kind => network(u, width, kind == 1)?,
        };
        let length = |u: &mut Unstructured| Ok(10f64.powi(u.int_in_range(-9..=9)?));
        Ok(Self {
            setting,
            initial,
            uncentred: u.arbitrary()?,
            horizon: if u.arbitrary()? {
                f64::INFINITY
            } else {
                length(u)?
            },
            discrete: match u.int_in_range(0..=3)? {
                0 => Some((Rule::MirrorDescent, length(u)?)),
                1 => Some((Rule::Euler, length(u)?)),
                _ => None,
            },
        })
    }
}

fuzz_target!(|input: Input| {
    let Input {
        setting, initial, ..
    } = &input;
    project(setting, initial);
    let options = Options {
        uncentred: input.uncentred,
        horizon: input.horizon,
        most_steps: 200,
        ..Options::default()
    };
    let run = match input.discrete {
        Some((rule, step)) => mirror_descent::train(setting, initial, rule, step, &options),
        None => match mirror_flow::train(setting, initial, &options, &mut |_| {}) {
            Ok(run) => run,
            Err(error) => return says_what_to_do(&error.to_string()),
        },
    };
    ended(setting, initial, &run, &options);
});

fn finite(network: &Network) -> bool {
    let parameters = network.w.iter().chain(&network.b).chain(&network.a);
    parameters.chain([&network.d]).all(|v| v.is_finite())
}

/// max|f(x_i) − y_i| and what rounding may do to it; solvers know knots by their places between the data or between
/// these and the outermost knot, to ε of the distance.
fn residual(setting: &Setting, network: &Network) -> [f64; 2] {
    let (data, n) = (&setting.dataset, network.width() as f64);
    let farthest = network.b.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    let both = data.x().iter().zip(data.y()).map(|(&x, &y)| {
        let size: f64 = (network.w.iter().zip(&network.a))
            .map(|(w, a)| (a * w * x).abs() + (a * farthest).abs())
            .sum();
        let off = (network.output(setting.activation, x) - y).abs();
        [
            off,
            2.0 * EPS * (n + 4.0) * (size + network.d.abs() + y.abs()) + f64::MIN_POSITIVE,
        ]
    });
    both.fold([0.0; 2], |[r, e], [off, rounding]| {
        [r.max(off), e.max(rounding)]
    })
}

fn project(setting: &Setting, initial: &Network) {
    let projection = match bregman_projection::project(setting, initial) {
        Ok(projection) => projection,
        Err(error) => return says_what_to_do(&error.to_string()),
    };
    assert!(
        finite(&projection.network) && projection.alpha.iter().all(|a| a.is_finite()),
        "{projection:?}"
    );
    assert!(
        projection.residual.is_finite() && projection.multipliers.iter().all(|l| l.is_finite()),
        "{projection:?}"
    );
    let ([off, rounding], [_, before]) = (
        residual(setting, &projection.network),
        residual(setting, initial),
    );
    let allowed = projection.residual + rounding + before;
    assert!(!(off > allowed), "{off:e} > {allowed:e}: {projection:?}");
}

fn ended(setting: &Setting, initial: &Network, run: &Run, options: &Options) {
    let fine = match run.status {
        Status::Converged | Status::Stationary | Status::Horizon => true,
        Status::Collapsed | Status::OutOfSteps | Status::Diverged => false,
    };
    assert!(
        !fine || (finite(&run.network) && run.residual.is_finite() && run.time.is_finite()),
        "{run:?}"
    );
    assert!(run.steps <= options.most_steps, "{} steps", run.steps);
    let report = TrainReport::new(setting, initial, run);
    let json = serde_json::to_string(&report).expect("an object");
    assert!(!json.contains("NaN"));
    if !finite(&run.network) {
        return;
    }
    let [off, rounding] = residual(setting, &run.network);
    let [_, before] = residual(setting, initial);
    if run.status == Status::Converged {
        let level = CONVERGED * setting.dataset.largest_value().max(1.0);
        assert!(
            !(off > level + rounding + before),
            "{off:e} > {level:e} + {rounding:e}: {run:?}"
        );
    }
    assert!(
        !((off - run.residual).abs() > rounding + before),
        "{off:e}, said {:e}: {run:?}",
        run.residual
    );
}
