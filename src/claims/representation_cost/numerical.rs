//! The identity as a least-norm problem on Gauss nodes, for Gaussian and triangular biases.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};
use std::num::NonZeroUsize;

use gauss_quad::GaussLegendre;
use ndarray::{Array1, Array2};
use ndarray_linalg::LeastSquaresSvd;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Theory::{self, AbsoluteMoment, Paper, SlopesDropped, UnweightedCurvature};
use crate::setting::BiasDensity;
use crate::{Error, Result};

/// A smooth h, and the least E α² found among the weights on Gauss nodes that generate it.
pub(super) struct NumericalCase {
    pub(super) density: BiasDensity,
    /// ∫h''²/p_B.
    curvature: f64,
    /// ∫h''².
    unweighted: f64,
    /// S.
    slopes: f64,
    /// Q.
    offset: f64,
    pub(super) least: f64,
    /// Difference of two quadratures plus the round-off of the least-norm problem.
    pub(super) error: f64,
}

impl NumericalCase {
    pub(super) fn draw(density: BiasDensity, rng: &mut ChaCha8Rng) -> Result<Self> {
        let signs = [1.0, 1.0, 1.0, -1.0, 1.0];
        let profile = signs.map(|sign| sign * f64::from(rng.random_range(1..=9)) / 4.0);
        let coarse = Self::on_nodes(density, profile, 10)?;
        let mut fine = Self::on_nodes(density, profile, 14)?;
        fine.error += (fine.least - coarse.least).abs();
        fine.error += (fine.cost(Paper) - coarse.cost(Paper)).abs();
        Ok(fine)
    }

    /// h has h(0) = value, h'(0) = slope and h'' = envelope · (a₀ + a₁z + a₂z²), z in units of B.
    ///
    /// Least |u|² where u holds α(w, wk)√(q p_B(k)/2) at the Gauss nodes k with weights q, under
    /// h'' = ½p_B(α(1, k) + α(−1, −k)) at each node and E[α σ(w x − b)] = h(x) at both ends.
    fn on_nodes(
        density: BiasDensity,
        [value, slope, a0, a1, a2]: [f64; 5],
        order: usize,
    ) -> Result<Self> {
        let (scale, end) = match density {
            BiasDensity::Gaussian {
                standard_deviation: s,
            } => (s, 9.0 * s),
            _ => (density.half_width(), density.half_width()),
        };
        let bend = |k: f64| {
            let z = k / scale;
            let envelope = match density {
                BiasDensity::Gaussian { .. } => (-z * z / 1.28).exp(),
                _ => 1.0 - z * z,
            };
            envelope * (a0 + a1 * z + a2 * z * z)
        };
        let rule = GaussLegendre::new(NonZeroUsize::MIN.saturating_add(order - 1));
        let panel = end / 6.0;
        let nodes = (-6..6).flat_map(|j| {
            let place = move |z: f64| (f64::from(j) + 0.5 + 0.5 * z) * panel;
            rule.iter().map(move |(z, q)| (place(*z), 0.5 * panel * q))
        });
        let nodes: Vec<_> = nodes.collect();
        let integral = |f: &dyn Fn(f64) -> f64| nodes.iter().map(|(k, q)| q * f(*k)).sum::<f64>();

        let n = nodes.len();
        let mut system = Array2::zeros((n + 2, 2 * n));
        let mut target = Array1::zeros(n + 2);
        for (j, (k, q)) in nodes.iter().enumerate() {
            let p = density.density(*k);
            let share = (0.5 * q * p).sqrt();
            (system[[j, j]], system[[j, n + j]]) = (FRAC_1_SQRT_2, FRAC_1_SQRT_2);
            target[j] = bend(*k) * (q / p).sqrt();
            (system[[n, j]], system[[n + 1, n + j]]) = (share * (end - k), share * (end + k));
        }
        // h(x) = h(0) + h'(0)x + ∫h''(k)(x − k) dk from 0 to x.
        target[n] = value + slope * end + integral(&|k| f64::from(k > 0.0) * bend(k) * (end - k));
        target[n + 1] =
            value - slope * end + integral(&|k| f64::from(k < 0.0) * bend(k) * (end + k));
        let solved = system
            .least_squares(&target)
            .ok()
            .filter(|solved| solved.rank as usize == n + 2);
        let solved = solved.ok_or(Error::NotConverged {
            solver: "least-norm problem",
            iterations: 1,
            residual: f64::NAN,
        })?;
        let least = solved.solution.dot(&solved.solution);
        let condition = solved.singular_values[0] / solved.singular_values[n + 1];
        Ok(Self {
            density,
            curvature: integral(&|k| bend(k).powi(2) / density.density(k)),
            unweighted: integral(&|k| bend(k).powi(2)),
            slopes: 2.0 * slope + integral(&|k| k.signum() * bend(k)),
            offset: integral(&|k| k.abs() * bend(k)) - 2.0 * value,
            least,
            error: n as f64 * condition * f64::EPSILON * least,
        })
    }

    pub(super) fn cost(&self, theory: Theory) -> f64 {
        let moment = match self.density {
            density if theory != AbsoluteMoment => density.second_moment(),
            BiasDensity::Gaussian { standard_deviation } => FRAC_2_PI * standard_deviation.powi(2),
            BiasDensity::Triangular { half_width, .. } => half_width.powi(2) / 9.0,
            BiasDensity::Uniform { half_width } => half_width.powi(2) / 4.0,
        };
        let slopes = if theory == SlopesDropped {
            0.0
        } else {
            self.slopes
        };
        let weighted = theory != UnweightedCurvature;
        let curvature = if weighted {
            self.curvature
        } else {
            self.unweighted
        };
        curvature + slopes.powi(2) + self.offset.powi(2) / moment
    }
}
