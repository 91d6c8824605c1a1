//! Kernels of neurons with general initial weights, and the weight ζ of the curvature.

use gauss_quad::GaussLegendre;
use std::{f64::consts::PI, num::NonZeroUsize};

use super::Power;
use crate::evidence::{Evidence, Kind};

/// Independent W and B: normal with these standard deviations, or uniform up to these bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Weights {
    Gaussian { w: f64, b: f64 },
    Uniform { w: f64, b: f64 },
}

fn rule(nodes: usize) -> GaussLegendre {
    GaussLegendre::new(NonZeroUsize::new(nodes).unwrap_or(NonZeroUsize::MIN))
}

impl Weights {
    /// E\[σ(Wx − B) σ(Wx' − B)\]: the arc-cosine kernel of degree 1, or by integrals of polynomials.
    fn kernel(self, x: f64, other: f64) -> f64 {
        match self {
            Self::Gaussian { w, b } => {
                let covariance = w * w * x * other + b * b;
                // √(vv') sin θ and the angle, without cancellation.
                let sine = w * b * (x - other).abs();
                let angle = sine.atan2(covariance);
                (sine + (PI - angle) * covariance) / (2.0 * PI)
            }
            Self::Uniform { w, b } => {
                let mut cuts = vec![0.0, w];
                cuts.extend(
                    [x, other]
                        .map(|x| b / x.abs())
                        .iter()
                        .filter(|cut| **cut < w),
                );
                cuts.sort_by(f64::total_cmp);
                let rule = rule(4);
                let part = |z: f64, other: f64| {
                    let top = z.min(other).min(b);
                    if top <= -b {
                        return 0.0;
                    }
                    let primitive = |t: f64| t * (z * other - t * (0.5 * (z + other) - t / 3.0));
                    primitive(top) - primitive(-b)
                };
                let parts = cuts.windows(2).map(|ends| {
                    rule.integrate(ends[0], ends[1], |r| {
                        part(r * x, r * other) + part(-r * x, -r * other)
                    })
                });
                parts.sum::<f64>() / (4.0 * w * b)
            }
        }
    }

    /// Of |Wx − B|.
    fn scale(self, x: f64) -> f64 {
        let (Self::Gaussian { w, b } | Self::Uniform { w, b }) = self;
        w * x.abs() + b
    }

    /// ∫|w|^j p_W(w) p_B(wc) dw, j = 1, 2, 3.
    fn moment(self, j: i32, c: f64) -> f64 {
        match self {
            Self::Gaussian { w, b } => {
                let spread = w * w * b * b / (b * b + w * w * c * c);
                let integral = match j {
                    1 => 2.0 * spread,
                    2 => (2.0 * PI).sqrt() * spread.powf(1.5),
                    _ => 4.0 * spread * spread,
                };
                integral / (2.0 * PI * w * b)
            }
            Self::Uniform { w, b } => {
                let top = w.min(b / c.abs());
                top.powi(j + 1) / (f64::from(2 * (j + 1)) * w * b)
            }
        }
    }

    pub(super) fn zeta(self, power: Power, c: f64) -> f64 {
        match power {
            Power::Square => self.moment(3, c),
            Power::First => self.moment(2, c),
            Power::SquaredMean => self.moment(2, c).powi(2) / self.moment(1, c),
        }
    }

    /// Compares second divided differences in both arguments, over the places x (ascending): of the
    /// kernel, and ∫ζ B_i B_j with those B_i of (x − c)₊ in x.
    pub(super) fn compare(self, x: &[f64], power: Power) -> Evidence {
        let count = x.len() - 2;
        let weights = |i: usize| -> [f64; 3] {
            let [a, b, c] = [x[i], x[i + 1], x[i + 2]];
            [
                1.0 / ((a - b) * (a - c)),
                1.0 / ((b - a) * (b - c)),
                1.0 / ((c - a) * (c - b)),
            ]
        };
        // A hat of height 1/(x_(i+2) − x_i).
        let hat = |i: usize, c: f64| {
            let [l, m, r] = [x[i], x[i + 1], x[i + 2]];
            let height = if c < m {
                (c - l) / (m - l)
            } else {
                (r - c) / (r - m)
            };
            height.max(0.0) / (r - l)
        };
        let mut cuts = x.to_vec();
        if let Self::Uniform { w, b } = self {
            cuts.extend([-b / w, b / w]);
        }
        cuts.retain(|c| *c >= x[0] && *c <= x[x.len() - 1]);
        cuts.sort_by(f64::total_cmp);
        cuts.dedup();
        let integral = |nodes: usize, i: usize, j: usize| -> f64 {
            let rule = rule(nodes);
            let panels = cuts.windows(2).flat_map(|ends| {
                let step = (ends[1] - ends[0]) / 4.0;
                (0..4).map(move |k| {
                    [
                        ends[0] + f64::from(k) * step,
                        ends[0] + f64::from(k + 1) * step,
                    ]
                })
            });
            let parts = panels.map(|[l, r]| {
                rule.integrate(l, r, |c| self.zeta(power, c) * hat(i, c) * hat(j, c))
            });
            parts.sum()
        };
        let (mut worst, mut threshold) = (0.0, 0.0);
        for i in 0..count {
            for j in 0..=i {
                let (mut difference, mut size) = (0.0, 0.0);
                for (a, wa) in weights(i).iter().enumerate() {
                    for (b, wb) in weights(j).iter().enumerate() {
                        let [x, other] = [x[i + a], x[j + b]];
                        difference += wa * wb * self.kernel(x, other);
                        // No term on the way to the kernel is larger, nor is the integral.
                        size += (wa * wb).abs() * self.scale(x) * self.scale(other);
                    }
                }
                let [coarse, fine] = [16, 24].map(|nodes| integral(nodes, i, j));
                let distance: f64 = (difference - fine).abs();
                // Round-off of 64 operations, and the quadrature's.
                let error = 64.0 * f64::EPSILON * size + (fine - coarse).abs();
                // The entry that is farthest off for its error.
                if distance.is_nan() || distance * threshold >= worst * error {
                    (worst, threshold) = (distance, error);
                }
            }
        }
        let what = format!(
            "{self}: second differences of the kernel at {} places and ∫ζ of theirs",
            x.len()
        );
        Evidence::compare(Kind::Numerical, what, worst, 0.0, threshold)
    }
}

impl std::fmt::Display for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Gaussian { w, b } => write!(f, "W ~ N(0, {w}²), B ~ N(0, {b}²)"),
            Self::Uniform { w, b } => write!(f, "W uniform up to ±{w}, B up to ±{b}"),
        }
    }
}
