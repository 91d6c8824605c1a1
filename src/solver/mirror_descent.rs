//! Discrete training: mirror descent ∇Φ(θ⁺) = ∇Φ(θ) − h(η/m)Jᵀr, and the explicit Euler step
//! θ⁺ = θ − h(∇²Φ)⁻¹(η/m)Jᵀr that the paper's notebooks take. h is flow time, η = 1/n.

use super::{
    mirror_flow::{Events, Options, Run, Status, progress},
    model::Model,
};
use crate::setting::{Network, Setting};

/// How θ moves along the gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// In the mirror coordinates ∇Φ(θ).
    MirrorDescent,
    /// In θ itself, with ∇²Φ(θ) as preconditioner.
    Euler,
}

/// Steps after which training of a small network has taken minutes.
pub const MOST_STEPS: usize = 10_000_000;

/// Trains an initial network by steps of flow time h > 0; `tolerance` of the options is not used.
///
/// A step that is too long ends in [`Status::Diverged`].
pub fn train(
    setting: &Setting,
    initial: &Network,
    rule: Rule,
    step: f64,
    options: &Options,
) -> Run {
    let model = Model::new(setting, initial, options.trained, options.uncentred);
    let n = model.width();
    let mut dual = vec![0.0; 3 * n + 1];
    let mut gates = model.initial_gates();
    let mut point = model.at(&dual, &gates);
    let first = point.largest_residual().max(model.value_scale());
    let (mut steps, mut largest) = (0, Default::default());
    let status = loop {
        largest = point.displacement(&model).max(largest);
        if let Some(status) = progress(&model, &point, &gates) {
            break status;
        }
        if steps as f64 * step >= options.horizon || point.loss() <= options.loss {
            break Status::Horizon;
        }
        if steps >= options.most_steps {
            break Status::OutOfSteps;
        }
        // The loss falls along the flow: residuals far above the first ones are the step's doing.
        if point.largest_residual() > 1e6 * first {
            break Status::Diverged;
        }
        let force: Vec<f64> = point
            .residual
            .iter()
            .map(|r| -step * model.rate() * r)
            .collect();
        let change = model.transposed(&point, &gates, &force);
        for (j, (dual, change)) in dual.iter_mut().zip(change).enumerate() {
            let inverse = point.inverse_metric[j];
            *dual = match rule {
                Rule::MirrorDescent => *dual + change,
                Rule::Euler if inverse == 0.0 => 0.0,
                Rule::Euler => model.dual(j, point.parameters[j] + inverse * change),
            };
        }
        steps += 1;
        let moved = model.at(&dual, &gates);
        gates = model.gates(&moved.parameters);
        point = model.at(&dual, &gates);
    };
    let network = model.network(&point.parameters);
    Run {
        residual: setting.residual(&network),
        network,
        status,
        time: steps as f64 * step,
        steps,
        evaluations: steps + 1,
        events: Events::default(),
        displacement: point.displacement(&model),
        largest_displacement: largest,
    }
}
