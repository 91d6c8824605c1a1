//! The mathematical objects of section "Setting" of proofs.md; nothing is solved here.

mod archive;
mod arrays;
mod bias_density;
mod dataset;
mod file;
mod network;
mod potential;

pub use archive::{Archive, Convention};
pub use bias_density::BiasDensity;
pub use dataset::Dataset;
pub use network::{Network, OutputInit};
pub use potential::{Family, Potential, Shape};

/// Activation function σ of the hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// σ(z) = max(z, 0).
    Relu,
    /// σ(z) = |z|.
    Abs,
}

impl Activation {
    /// σ(z).
    pub fn value(self, z: f64) -> f64 {
        match self {
            Self::Relu => z.max(0.0),
            Self::Abs => z.abs(),
        }
    }
}

/// How the potential of the parameters is built from the scalar potential φ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// Φ(θ) = Σ_j φ(θ_j − θ̂_j).
    Unscaled,
    /// Φ(θ) = n⁻² Σ_j φ(n(θ_j − θ̂_j)).
    Scaled,
}

/// What every solver takes: data, architecture, initialisation and mirror map.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The training data (x_i, y_i).
    pub dataset: Dataset,
    /// σ.
    pub activation: Activation,
    /// Density p_B of the initial biases.
    pub bias: BiasDensity,
    /// Scalar potential φ.
    pub potential: Potential,
    /// Scaled or unscaled.
    pub scaling: Scaling,
}

impl Setting {
    /// The penalty on α = n(a − â) in the infinite-width problem: φ itself where potentials are
    /// scaled, ½φ''(0)z² where they are not (proofs.md, "From parameters to a convex problem").
    pub fn limit_potential(&self) -> Potential {
        match self.scaling {
            Scaling::Scaled => self.potential,
            Scaling::Unscaled => self.potential.quadratic_limit(),
        }
    }

    /// The penalty on α = n(a − â) at width n: φ where scaled, n²φ(α/n) where not.
    pub fn potential_at_width(&self, n: usize) -> Potential {
        match self.scaling {
            Scaling::Scaled => self.potential,
            Scaling::Unscaled => self.potential.rescaled(n as f64),
        }
    }

    /// The potential of one parameter at width n: n⁻²φ(n·) where scaled, φ where not.
    pub fn parameter_potential(&self, n: usize) -> Potential {
        match self.scaling {
            Scaling::Scaled => self.potential.rescaled(1.0 / n as f64),
            Scaling::Unscaled => self.potential,
        }
    }

    /// Largest |f(x_i) − y_i| of a network; NaN where an output is.
    pub fn residual(&self, network: &Network) -> f64 {
        let pairs = self.dataset.x().iter().zip(self.dataset.y());
        let off = pairs.map(|(&x, y)| (network.output(self.activation, x) - y).abs());
        off.fold(0.0, |a, r| if r.is_nan() { r } else { f64::max(a, r) })
    }
}
