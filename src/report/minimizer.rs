//! The report on the infinite-width minimiser h̄ of a setting.

use super::number;
use crate::{
    Error, Result,
    evidence::{certificate, fluctuation},
    setting::Setting,
    solver::infinite_width,
};
use serde::Serialize;
use std::fmt::{self, Display};

/// Points at which h̄ is reported where none are given.
pub const POINTS: usize = 101;

/// h̄ at some points, what it costs and how good the solution is; serialises as the object that
/// `minimizer --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct MinimizerReport {
    /// Inputs x, as given; else [`POINTS`] over [−1.5, 1.5]·max|x_i|.
    pub points: Vec<f64>,
    /// h̄(x) at the points.
    pub values: Vec<f64>,
    /// h̄''(x) at the points; at a jump the mean of both sides.
    pub second_derivative: Vec<f64>,
    /// Standard deviation of the limit of √n (f_n(x) − h̄(x)) at the points.
    pub fluctuation_sd: Vec<f64>,
    /// E φ(α); unscaled E ½φ''(0)α².
    pub cost: f64,
    /// The terms of the representation cost, where it separates into them.
    pub terms: Option<Terms>,
    /// The multipliers λ, in the order of the data file.
    pub multipliers: Vec<f64>,
    /// How far the solution can be from the minimiser.
    pub certificate: Certificate,
    /// The band in which networks of some width lie, where one is given.
    pub band: Option<Band>,
}

/// The three terms of the representation cost (ReLU with quadratic or unscaled potential).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Terms {
    /// G₁ = ∫ h''²/p_B.
    pub curvature: f64,
    /// G₂ = (h'(+∞) + h'(−∞))².
    pub slopes: f64,
    /// G₃ = (∫ h''|x| dx − 2h(0))²/Var B.
    pub offset: f64,
}

/// What bounds the error of a solution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certificate {
    /// Primal minus dual value.
    pub duality_gap: f64,
    /// max |h(x_i) − y_i|.
    pub interpolation_residual: f64,
    /// Bound on the error in the sup norm over [−1.5, 1.5]·max|x_i|.
    pub sup_error_bound: f64,
    /// At each point, the bound that holds between its neighbouring data; none beyond that range.
    pub local_error_bounds: Vec<Option<f64>>,
    /// Whether these bounds are proven, or rest on estimates of rounding and quadrature.
    pub proven: bool,
}

/// Standard deviations of f_n(x) for networks of one width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// Width n.
    pub width: usize,
    /// Standard deviation of f_n(x) at each point, to leading order.
    pub sd: Vec<f64>,
}

impl MinimizerReport {
    /// Solves a setting and reports on h̄ at `points` (else [`POINTS`] over [−1.5, 1.5]·max|x_i|),
    /// with a band for networks of the given width.
    ///
    /// # Errors
    /// Those of [`infinite_width::minimize`]; [`Error::Data`] where a number of the report overflows. A bound
    /// may be infinite.
    pub fn new(setting: &Setting, points: Option<Vec<f64>>, width: Option<usize>) -> Result<Self> {
        let solution = infinite_width::minimize(setting)?;
        let points = points.unwrap_or_else(|| {
            let edge = 1.5 * setting.dataset.largest_input();
            grid(-edge, edge, POINTS)
        });
        let at_points = |f: &dyn Fn(f64) -> f64| points.iter().map(|&x| f(x)).collect();
        let fluctuation_sd = fluctuation::standard_deviations(&solution, &points)?;
        let certificate = certificate::certify(&solution);
        let range = 1.5 * setting.dataset.largest_input();
        let local = |&x: &f64| {
            let interval = solution.basis().x().partition_point(|&xi| xi <= x);
            (x.abs() <= range).then(|| certificate.local_error_bounds[interval])
        };
        let local_error_bounds = points.iter().map(local).collect();
        let report = Self {
            values: at_points(&|x| solution.value(x)),
            second_derivative: at_points(&|x| solution.second_derivative(x)),
            cost: solution.cost(),
            terms: solution.terms().map(|terms| Terms {
                curvature: terms.curvature,
                slopes: terms.slopes,
                offset: terms.offset,
            }),
            multipliers: solution.multipliers(),
            certificate: Certificate {
                duality_gap: certificate.duality_gap,
                interpolation_residual: certificate.interpolation_residual,
                sup_error_bound: certificate.sup_error_bound,
                local_error_bounds,
                proven: certificate.proven,
            },
            band: width.map(|width| Band {
                width,
                sd: fluctuation_sd
                    .iter()
                    .map(|sd| sd / (width as f64).sqrt())
                    .collect(),
            }),
            fluctuation_sd,
            points,
        };
        if report.is_finite() {
            return Ok(report);
        }
        Err(Error::Data {
            place: "the data".into(),
            what: "the minimiser, its cost or its fluctuation overflows".into(),
            remedy: "scale x and y, and ask for points nearer to them".into(),
        })
    }

    /// Whether all numbers but bounds are.
    fn is_finite(&self) -> bool {
        let certified = &self.certificate;
        let terms = self
            .terms
            .map(|terms| [terms.curvature, terms.slopes, terms.offset]);
        let vectors = [
            &self.values,
            &self.second_derivative,
            &self.fluctuation_sd,
            &self.multipliers,
        ];
        (vectors.into_iter().flatten())
            .chain(terms.iter().flatten())
            .chain([
                &self.cost,
                &certified.duality_gap,
                &certified.interpolation_residual,
            ])
            .all(|number| number.is_finite())
    }
}

/// So many equidistant points from `low` to `high`, both included.
pub fn grid(low: f64, high: f64, points: usize) -> Vec<f64> {
    let last = points.saturating_sub(1).max(1) as f64;
    (0..points)
        .map(|i| i as f64 / last)
        .map(|t| low * (1.0 - t) + high * t)
        .collect()
}

impl Display for MinimizerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut heads = vec!["x", "h(x)", "h''(x)", "sd of √n(f_n − h)"];
        let mut columns = vec![
            &self.points,
            &self.values,
            &self.second_derivative,
            &self.fluctuation_sd,
        ];
        let band = self.band.as_ref();
        let head = band.map(|band| format!("sd of f_n, n = {}", band.width));
        heads.extend(head.as_deref());
        columns.extend(band.map(|band| &band.sd));
        for head in heads {
            write!(f, "{head:>20}")?;
        }
        for row in 0..self.points.len() {
            writeln!(f)?;
            for column in &columns {
                write!(f, "{:>20}", number(column[row], 12))?;
            }
        }
        writeln!(f, "\n\ncost         {}", number(self.cost, 15))?;
        match &self.terms {
            Some(Terms {
                curvature,
                slopes,
                offset,
            }) => writeln!(
                f,
                "terms        curvature {}, slopes {}, offset {}",
                number(*curvature, 12),
                number(*slopes, 12),
                number(*offset, 12)
            )?,
            None => writeln!(f, "terms        the cost does not separate")?,
        }
        let multipliers: Vec<_> = self.multipliers.iter().map(|l| number(*l, 12)).collect();
        writeln!(f, "multipliers  {}", multipliers.join(", "))?;
        writeln!(
            f,
            "certificate  duality gap {}, interpolation residual {}, error in the sup norm at most {} ({})",
            number(self.certificate.duality_gap, 3),
            number(self.certificate.interpolation_residual, 3),
            number(self.certificate.sup_error_bound, 3),
            if self.certificate.proven {
                "proven"
            } else {
                "estimated"
            }
        )
    }
}
