//! What mirror flow of all parameters conserves, neuron by neuron (proofs.md, "What the flow conserves").
//!
//! σ is homogeneous, so a ∂f/∂a = w ∂f/∂w + b ∂f/∂b at every neuron, sliding or not; hence along the flow
//! a dφ'(a − â) = w dφ'(w − ŵ) + b dφ'(b − b̂), whatever the data and the loss. For gradient flow this is the
//! balance of a² and w² + b² (Du, Hu and Lee, NeurIPS 2018).

use ndarray::{Array1, Zip};

use crate::setting::{Network, Potential, Setting};

/// The law of conservation of a potential.
#[derive(Debug, Clone, Copy)]
pub struct Conservation {
    potential: Potential,
    uncentred: bool,
}

/// From where biases may have come: the law has two solutions.
#[derive(Debug, Clone)]
pub struct Origins {
    /// The b̂ nearer to b (n); b itself where there is none.
    pub nearer: Array1<f64>,
    /// The other one (n).
    pub farther: Array1<f64>,
    /// Error of the nearer b̂ per relative error of the network's numbers (n).
    pub condition: Array1<f64>,
}

/// Newton steps below this times |b| + |b̂| are round-off.
const ROUNDING: f64 = 16.0 * f64::EPSILON;
/// Steps of Newton's method and of bisection.
const STEPS: usize = 100;
/// Doublings that lead from the smallest number past the largest.
const EXPONENTS: usize = 2_100;

impl Conservation {
    /// Of networks of width n, trained under a setting; Φ about 0 instead of θ̂ if `uncentred`.
    pub fn new(setting: &Setting, n: usize, uncentred: bool) -> Self {
        Self {
            potential: setting.parameter_potential(n),
            uncentred,
        }
    }

    /// Ψ(θ; θ̂) = ∫ϑ dφ'(ϑ − θ̂) from θ̂ to θ.
    fn work(&self, value: f64, start: f64) -> f64 {
        let potential = &self.potential;
        if self.uncentred {
            potential.conjugate_of_mirror_map(value) - potential.conjugate_of_mirror_map(start)
        } else {
            let moved = value - start;
            start * potential.mirror_map(moved) + potential.conjugate_of_mirror_map(moved)
        }
    }

    /// −∂Ψ(θ; θ̂)/∂θ̂.
    fn slope(&self, value: f64, start: f64) -> f64 {
        let potential = &self.potential;
        if self.uncentred {
            start * potential.hessian(start)
        } else {
            let moved = value - start;
            value * potential.hessian(moved) - potential.mirror_map(moved)
        }
    }

    /// Ψ(a_k; â_k) − Ψ(w_k; ŵ_k) − Ψ(b_k; b̂_k) (n): 0 along the flow.
    pub fn defects(&self, initial: &Network, network: &Network) -> Array1<f64> {
        let work = |values: &Array1<f64>, starts: &Array1<f64>| {
            Zip::from(values)
                .and(starts)
                .map_collect(|&value, &start| self.work(value, start))
        };
        work(&network.a, &initial.a) - work(&network.w, &initial.w) - work(&network.b, &initial.b)
    }

    /// The b̂ from which a network may have come whose ŵ and â are those of `initial`.
    pub fn origins(&self, initial: &Network, network: &Network) -> Origins {
        let unmoved = Network {
            b: network.b.clone(),
            ..initial.clone()
        };
        let required = self.defects(&unmoved, network);
        let roots = network.b.iter().zip(&required).map(|(&b, &required)| {
            let top = self.between(b, required);
            let root = |side| top.and_then(|top| self.root(b, required, top, side));
            let [below, above] = [-1.0, 1.0].map(|side| root(side).unwrap_or(b));
            if (b - below).abs() <= (b - above).abs() {
                (below, above)
            } else {
                (above, below)
            }
        });
        let (nearer, farther): (Vec<f64>, Vec<f64>) = roots.unzip();
        let size = |value: f64, start: f64| {
            let centre = if self.uncentred { 0.0 } else { start };
            value * value * self.potential.hessian(value - centre)
        };
        let condition = nearer.iter().enumerate().map(|(k, &start)| {
            let sizes = size(network.a[k], initial.a[k])
                + size(network.w[k], initial.w[k])
                + size(network.b[k], start);
            sizes / self.slope(network.b[k], start).abs()
        });
        Origins {
            condition: condition.collect(),
            nearer: nearer.into(),
            farther: farther.into(),
        }
    }

    /// A b̂ between the two with Ψ(b; b̂) = `required`, by bisection towards the maximum of Ψ(b; ·); none where there are no two.
    fn between(&self, b: f64, required: f64) -> Option<f64> {
        let (mut near, mut far) = (b, b);
        let mut reach = b.abs();
        for _ in 0..STEPS {
            let middle = if far == b { b } else { 0.5 * (near + far) };
            if self.work(b, middle) >= required {
                return Some(middle);
            }
            if far == b || self.slope(b, far) * b > 0.0 {
                far = b - reach.copysign(b);
                reach *= 2.0;
            } else if self.slope(b, middle) * b > 0.0 {
                near = middle;
            } else {
                far = middle;
            }
        }
        None
    }

    /// The b̂ with Ψ(b; b̂) = `required` on one side of one that is above, by Newton's method in a bracket.
    fn root(&self, b: f64, required: f64, top: f64, side: f64) -> Option<f64> {
        let off = |start: f64| self.work(b, start) - required;
        let mut reach = b.abs().max(f64::MIN_POSITIVE);
        let mut doublings = (0..EXPONENTS).map(|_| {
            reach *= 2.0;
            top + side * reach
        });
        let mut below = doublings.find(|&start| off(start) < 0.0)?;
        let (mut above, mut start) = (top, 0.5 * (top + below));
        for _ in 0..STEPS {
            let value = off(start);
            if value >= 0.0 {
                above = start;
            } else {
                below = start;
            }
            let newton = start + value / self.slope(b, start);
            let inside = (newton - above) * (newton - below) < 0.0;
            let next = if inside {
                newton
            } else {
                0.5 * (above + below)
            };
            if (next - start).abs() <= ROUNDING * (next.abs() + b.abs()) {
                return Some(next);
            }
            start = next;
        }
        None
    }
}
