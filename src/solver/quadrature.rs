//! Gauss–Legendre nodes for functions of α = (φ*)'(u) on a piece where u is linear in the knot.
//!
//! As a function of the knot, α looks like a root where u changes sign; as functions of α, all
//! integrands are polynomials for integer powers p. So nodes are placed in the variable that makes
//! the integrand smooth, with dt = φ''(α) dα/Δu (proofs.md, "Quadrature in α").

use gauss_quad::GaussLegendre;
use std::num::NonZeroUsize;

use crate::setting::{BiasDensity, Family, Potential};

/// How many nodes: the difference of the last two is the estimate of the quadrature's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Just enough for the first and second moments of the solvers, where they are polynomials; else as
    /// [`Order::Base`].
    Least,
    /// Exact for every polynomial integrand of the solvers and of the covariance.
    Base,
    /// Half as many again.
    Fine,
}

/// A node on a piece.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Position in the piece, 0 … 1.
    pub t: f64,
    /// Weight; the weights of a piece add up to 1.
    pub weight: f64,
    /// α = (φ*)'(u(t)).
    pub alpha: f64,
    /// (φ*)''(u(t)) = 1/φ''(α).
    pub hessian: f64,
}

/// A quadrature rule for one potential.
#[derive(Debug, Clone)]
pub struct Quadrature {
    potential: Potential,
    /// Nodes and weights on \[0, 1\], for integrands that are polynomials in α.
    rule: Vec<(f64, f64)>,
    /// The same for those that are analytic in the knot, with their singularity at least `far`
    /// lengths away.
    smooth: Vec<(f64, f64)>,
    far: f64,
    /// Whether integrands are singular at α = 0, so that pieces are split there.
    split: bool,
    /// α = α₁ s^k makes them smooth on either side.
    substitution: i32,
}

impl Quadrature {
    /// A rule for functions of α under a density, on pieces where that is a polynomial of degree
    /// ≤ 1 or, for a Gaussian, as long as its scale.
    pub fn new(potential: Potential, bias: BiasDensity, order: Order) -> Self {
        let gaussian = matches!(bias, BiasDensity::Gaussian { .. });
        let (nodes, split, substitution) = match potential.family() {
            Family::Quadratic { .. } => (4, false, 1),
            Family::Hypentropy { .. } => (12, false, 1),
            Family::Power { exponent, .. } if exponent.fract() == 0.0 => {
                // Degree 4p − 3 at most: the covariance under a linear density.
                let nodes = (2.0 * exponent).clamp(12.0, 64.0) as usize;
                (nodes, exponent % 2.0 != 0.0, 1)
            }
            // |α|^(p−1) becomes s^7 or smoother.
            Family::Power { exponent, .. } => (32, true, (7.0 / (exponent - 1.0)).ceil() as i32),
            // Smooth on either side of 0; how smooth, the two orders tell.
            Family::Own(_) => (32, true, 1),
        };
        // The position t has degree k(p − 1) in s, and the integrands degree 3 in t, or 14 with a
        // Gaussian density over one standard deviation.
        let degree = match potential.family() {
            Family::Power { exponent, .. } => f64::from(substitution) * (exponent - 1.0),
            _ => 1.0,
        };
        let nodes = if gaussian {
            nodes.max(20).max((8.0 * degree) as usize)
        } else {
            nodes.max((2.0 * degree) as usize)
        }
        .min(256);
        let base = Self::with_nodes(potential, nodes, order, split, substitution);
        match (order, potential.family()) {
            (Order::Least, Family::Power { exponent: p, .. })
                if p.fract() == 0.0 && p <= 32.0 && !gaussian =>
            {
                // Moments have degree 2p − 2, and p − 1 more under a linear density. Eight lengths from the
                // singularity six points err by (17 + √288)⁻¹² = 4·10⁻¹⁹.
                let linear = matches!(bias, BiasDensity::Triangular { .. });
                let degree = if linear { 3.0 * p - 3.0 } else { 2.0 * p - 2.0 };
                Self {
                    rule: rule((degree / 2.0) as usize + 1),
                    smooth: rule(6),
                    far: 8.0,
                    ..base
                }
            }
            _ => base,
        }
    }

    /// A rule for integrands with |α|^(q−1) as well, q not even, in a quadratic problem.
    pub fn singular_at_zero(potential: Potential) -> Self {
        Self::with_nodes(potential, 32, Order::Fine, true, 6)
    }

    fn with_nodes(
        potential: Potential,
        nodes: usize,
        order: Order,
        split: bool,
        substitution: i32,
    ) -> Self {
        let nodes = match order {
            Order::Least | Order::Base => nodes,
            Order::Fine => nodes + nodes / 2,
        };
        Self {
            potential,
            rule: rule(nodes),
            smooth: rule(nodes),
            far: 1.0,
            split,
            substitution,
        }
    }

    /// φ.
    pub fn potential(&self) -> &Potential {
        &self.potential
    }

    /// Visits the nodes of a piece on which u runs from `u[0]` to `u[1]`.
    pub fn for_each(&self, u: [f64; 2], mut visit: impl FnMut(Node)) {
        let change = u[1] - u[0];
        let nearest = if u[0] * u[1] > 0.0 {
            u[0].abs().min(u[1].abs())
        } else {
            0.0
        };
        match self.potential.family() {
            _ if change == 0.0 => self.in_knot(u, 1, &mut visit),
            Family::Hypentropy { .. } => {
                // α and (φ*)'' grow by e⁴ on a panel; 12 nodes then err by 10⁻²³, 10⁻¹⁶ for α².
                let panels = (change.abs() / (4.0 * self.potential.scale())).ceil();
                // Past 1500, sinh overflows at one end at least, and any node tells.
                let panels = if panels < 375.0 { panels } else { 1.0 };
                self.in_knot(u, panels as usize, &mut visit);
            }
            // Far from its singularity at 0, α is analytic in u.
            _ if nearest >= self.far * change.abs() => self.in_knot(u, 1, &mut visit),
            Family::Quadratic { .. } if !self.split => self.in_knot(u, 1, &mut visit),
            _ => {
                let ends = u.map(|u| self.potential.inverse_mirror_map(u));
                if self.split && u[0] * u[1] < 0.0 {
                    self.in_alpha(u, [ends[0], 0.0], &mut visit);
                    self.in_alpha(u, [0.0, ends[1]], &mut visit);
                } else {
                    self.in_alpha(u, ends, &mut visit);
                }
            }
        }
    }

    fn in_knot(&self, u: [f64; 2], panels: usize, visit: &mut impl FnMut(Node)) {
        let length = 1.0 / panels as f64;
        for panel in 0..panels {
            for &(s, weight) in &self.smooth {
                let t = (panel as f64 + s) * length;
                let alpha = self
                    .potential
                    .inverse_mirror_map(u[0] * (1.0 - t) + u[1] * t);
                visit(Node {
                    t,
                    weight: weight * length,
                    alpha,
                    hessian: 1.0 / self.potential.hessian(alpha),
                });
            }
        }
    }

    fn in_alpha(&self, u: [f64; 2], ends: [f64; 2], visit: &mut impl FnMut(Node)) {
        let change = u[1] - u[0];
        let k = self.substitution;
        let node = |alpha: f64, dalpha: f64, weight: f64| {
            let hessian = self.potential.hessian(alpha);
            Node {
                t: ((self.potential.mirror_map(alpha) - u[0]) / change).clamp(0.0, 1.0),
                weight: weight * hessian * (dalpha / change),
                alpha,
                hessian: 1.0 / hessian,
            }
        };
        if k == 1 {
            let width = ends[1] - ends[0];
            for &(s, weight) in &self.rule {
                visit(node(ends[0] * (1.0 - s) + ends[1] * s, width, weight));
            }
            return;
        }
        // α = a·s^k with a the end of larger modulus; both ends have one sign.
        let a = if ends[0].abs() > ends[1].abs() {
            ends[0]
        } else {
            ends[1]
        };
        if a == 0.0 {
            return;
        }
        let roots = ends.map(|end| (end / a).powf(1.0 / f64::from(k)));
        let width = roots[1] - roots[0];
        for &(s, weight) in &self.rule {
            let root = roots[0] * (1.0 - s) + roots[1] * s;
            let dalpha = a * f64::from(k) * root.powi(k - 1) * width;
            visit(node(a * root.powi(k), dalpha, weight));
        }
    }
}

/// Gauss–Legendre nodes and weights on [0, 1].
fn rule(nodes: usize) -> Vec<(f64, f64)> {
    GaussLegendre::new(NonZeroUsize::new(nodes).unwrap_or(NonZeroUsize::MIN))
        .as_node_weight_pairs()
        .iter()
        .map(|&(node, weight)| (0.5 + 0.5 * node, 0.5 * weight))
        .collect()
}
