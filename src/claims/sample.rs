//! Samples of networks whose output weights are projected onto the data, as law 1 predicts them.

use ndarray::{Array1, Array2};
use ndarray_linalg::{Cholesky, Inverse, UPLO};
use rayon::prelude::*;

use super::nth_draw;
use crate::{
    Error, Result,
    evidence::{
        Evidence, Kind,
        extrapolation::largest,
        fluctuation,
        statistics::{self, Alternative},
    },
    setting::{Network, OutputInit, Setting},
    solver::{bregman_projection, infinite_width},
};

/// Projections of networks of one width.
pub(super) struct Sample {
    /// What is sampled, with its width.
    pub(super) name: String,
    /// n.
    pub(super) width: usize,
    /// f_n at the points, one row a draw.
    pub(super) outputs: Vec<Array1<f64>>,
    /// Largest |f_n(x_i) − y_i| of all draws.
    residual: f64,
    /// Takes √n (f_n − h̄) to independent standard normal variables if law 1 holds.
    whitening: Array2<f64>,
}

/// The inverse of the Cholesky factor of a covariance.
///
/// # Errors
/// [`Error::NotConverged`] where the covariance is singular in double precision.
pub(super) fn whitening(covariance: &Array2<f64>) -> Result<Array2<f64>> {
    let factor = covariance.cholesky(UPLO::Lower);
    let inverse = factor.and_then(|factor| factor.inv());
    inverse.map_err(|_| Error::NotConverged {
        solver: "the inverse of the predicted covariance",
        iterations: 0,
        residual: f64::NAN,
    })
}

impl Sample {
    /// Draws and projects networks.
    pub(super) fn draw(
        name: &str,
        setting: &Setting,
        points: &[f64],
        width: usize,
        draws: usize,
        seed: u64,
    ) -> Result<Self> {
        let solution = infinite_width::minimize(setting)?;
        let covariance = fluctuation::covariance(&solution, points)?;
        let networks = (0..draws as u64).into_par_iter().map(|draw| {
            let seed = nth_draw(seed, draw);
            let network = Network::sample(&setting.bias, OutputInit::Zero, width, seed);
            let network = bregman_projection::project(setting, &network)?.network;
            let output = |&x: &f64| network.output(setting.activation, x);
            let residual = setting.residual(&network);
            Ok((points.iter().map(output).collect(), residual))
        });
        let (outputs, residuals): (Vec<_>, Vec<f64>) =
            networks.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok(Self {
            name: format!("{name}, n = {width}"),
            width,
            outputs,
            residual: largest(residuals),
            whitening: whitening(&covariance)?,
        })
    }

    /// That the networks interpolate: to 10⁻⁹ where |y| ≤ 1, of which projections promise more.
    pub(super) fn interpolates(&self) -> Evidence {
        let what = format!("{}: largest |f_n(x_i) − y_i|", self.name);
        Evidence::compare(Kind::Numerical, what, self.residual, 0.0, 1e-9)
    }

    /// √n (f_n − centre) for each draw, whitened; by the predicted covariance if none is given.
    pub(super) fn whitened(
        &self,
        centre: &Array1<f64>,
        whitening: Option<&Array2<f64>>,
    ) -> Vec<Array1<f64>> {
        let whitening = whitening.unwrap_or(&self.whitening);
        let root = (self.width as f64).sqrt();
        let outputs = self.outputs.iter();
        outputs
            .map(|f| whitening.dot(&((f - centre) * root)))
            .collect()
    }

    /// χ² of the fluctuation about a theory's function at the points.
    pub(super) fn about(&self, centre: &Array1<f64>) -> Evidence {
        let squares = self.whitened(centre, None).into_iter().map(|u| u.dot(&u));
        statistics::chi_square(
            format!("{}: χ² of projections about the minimiser", self.name),
            squares.sum(),
            centre.len() * self.outputs.len(),
            self.outputs.len(),
            &Alternative::new("covariance × 1.5", 1.5),
        )
    }
}
