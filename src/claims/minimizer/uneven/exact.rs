//! The functional in rational arithmetic, for densities that are constant on four cells.

use num_rational::BigRational;
use num_traits::{Signed, Zero};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Theory;
use crate::{
    Result,
    claims::representation_cost::exact::{Sheets, Spline, rational},
    setting::Activation,
    solver::spline::{PiecewisePolynomial, RepresentationCost},
};

/// Cells of the density.
const CELLS: i32 = 4;

/// A density p on \[−c, c\] that is constant on cells of equal length.
struct Histogram {
    half_width: BigRational,
    heights: Vec<BigRational>,
}

impl Histogram {
    /// Positive on every cell, and not even.
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let half_width = rational(rng.random_range(2..=7), 3);
        let mut shares: Vec<i32> = (0..CELLS).map(|_| rng.random_range(1..=5)).collect();
        shares[0] += shares[CELLS as usize - 1];
        let area = rational(2 * shares.iter().sum::<i32>(), CELLS) * &half_width;
        Self {
            heights: (shares.iter().map(|share| rational(*share, 1) / &area)).collect(),
            half_width,
        }
    }

    /// A function of p(x) and p(−x) on \[−c, c\], 0 elsewhere.
    fn function(&self, of: impl Fn(&BigRational, &BigRational) -> BigRational) -> Result<Spline> {
        let marks = (0..=CELLS).map(|k| rational(2 * k - CELLS, CELLS) * &self.half_width);
        let pairs = self.heights.iter().zip(self.heights.iter().rev());
        let inner = pairs.map(|(p, mirrored)| vec![of(p, mirrored)]);
        let outside = || std::iter::once(vec![]);
        let pieces = outside().chain(inner).chain(outside());
        PiecewisePolynomial::new(marks.collect(), pieces.collect())
    }
}

/// A random spline h, and the α that is claimed to be the cheapest to generate it.
pub(super) struct ExactCase {
    pub(super) activation: Activation,
    density: Histogram,
    h: Spline,
    /// E α².
    pub(super) energy: BigRational,
    /// Largest |E\[α σ(w x − b)\] − h(x)|, at more points in every piece than its degree.
    pub(super) generation: BigRational,
    /// Largest |E\[α ν\]| and |E\[ν σ(w x − b)\]| over null directions ν of degree ≤ 5.
    pub(super) nullity: BigRational,
}

impl ExactCase {
    pub(super) fn draw(activation: Activation, rng: &mut ChaCha8Rng) -> Result<Self> {
        let density = Histogram::draw(rng);
        let c = &density.half_width;
        let mut coefficients = |n: usize| -> Vec<_> {
            let numerators = (0..n).map(|_| rng.random_range(-6..=6));
            numerators.map(|numerator| rational(numerator, 2)).collect()
        };
        let bend = PiecewisePolynomial::new(
            [-1, 0, 1].map(|k| rational(k, 1) * c).to_vec(),
            vec![vec![], coefficients(4), coefficients(4), vec![]],
        )?;
        let curved = bend.antiderivative().antiderivative();
        let affine = match activation {
            Activation::Relu => coefficients(2),
            // S = Q = 0.
            Activation::Abs => {
                let (s, q) = RepresentationCost::relu(c.clone()).side_functionals(&curved);
                vec![q / rational(2, 1), -s / rational(2, 1)]
            }
        };
        let h = curved.sum(&PiecewisePolynomial::polynomial(affine));

        let two = rational(2, 1);
        let curvature = density.function(|p, r| &two / (p + r))?;
        // How α(1, k) and −α(−1, −k) change together without a change of h''.
        let exchange = [
            density.function(|p, r| &two * r / (p + r))?,
            density.function(|p, r| -&two * p / (p + r))?,
        ];
        let moments = Moments::of(&density, &h, true)?;
        let weights = match activation {
            Activation::Relu => {
                let free = PiecewisePolynomial::polynomial(vec![
                    &moments.slopes / &moments.mass,
                    &moments.offset / &moments.second,
                ]);
                let bent = bend.product(&curvature);
                exchange.clone().map(|e| bent.sum(&e.product(&free)))
            }
            Activation::Abs => {
                let alpha = bend.product(&curvature).scaled(&rational(1, 2));
                [alpha.clone(), alpha]
            }
        };
        let p = density.function(|p, _| p.clone())?;
        let alpha = Sheets::new(activation, weights, &p, c);
        // Ten points in each cell, three on either side.
        let places: Vec<BigRational> = (-23..=23).map(|k| rational(k, 20) * c).collect();
        let misses = (places.iter()).map(|x| (alpha.output(x) - h.value(x)).abs());
        let generation = misses.max().unwrap_or_default();

        let q = density.function(|p, r| &two * p * r / (p + r))?;
        let mut nullity = BigRational::zero();
        for degree in 2..=5 {
            // xᵏ less its projection on 1 or x in the weight q, which is even.
            let moment = |degree| q.product(&monomial(degree)).integral(&-c, c);
            let parity = degree % 2;
            let share = moment(degree + parity) / moment(2 * parity);
            let free = (monomial(degree)).sum(&monomial(parity).scaled(&-share));
            let weights = exchange.clone().map(|e| e.product(&free));
            let null = Sheets::new(activation, weights, &p, c);
            let outputs = places.iter().map(|x| null.output(x));
            let defects = outputs.chain([alpha.inner_product(&null)]);
            nullity = defects.fold(nullity, |worst, defect| worst.max(defect.abs()));
        }
        Ok(Self {
            energy: alpha.inner_product(&alpha),
            activation,
            density,
            h,
            generation,
            nullity,
        })
    }

    /// What a theory says of the least E α².
    pub(super) fn cost(&self, theory: Theory) -> Result<BigRational> {
        let c = &self.density.half_width;
        let two = rational(2, 1);
        let bend = self.h.derivative().derivative();
        let curvature = |weight: Spline| bend.product(&bend).product(&weight).integral(&-c, c);
        if self.activation == Activation::Abs {
            let weight = self.density.function(|p, r| match theory {
                Theory::OneSided => p.recip(),
                _ => &two / (p + r),
            });
            return Ok(curvature(weight?) / rational(4, 1));
        }
        let uneven = matches!(theory, Theory::Paper | Theory::OneSided);
        let moments = Moments::of(&self.density, &self.h, uneven)?;
        Ok(curvature(self.density.function(|p, r| &two / (p + r))?)
            + &moments.slopes * &moments.slopes / &moments.mass
            + &moments.offset * &moments.offset / &moments.second)
    }
}

/// h'(+∞) + h'(−∞) − ∫ρh'' and ∫h''(|x| − xρ) − 2h(0); ∫q and ∫x²q.
struct Moments {
    slopes: BigRational,
    offset: BigRational,
    mass: BigRational,
    second: BigRational,
}

impl Moments {
    /// Without ρ and with p_e for q where not `uneven`.
    fn of(density: &Histogram, h: &Spline, uneven: bool) -> Result<Self> {
        let c = &density.half_width;
        let two = rational(2, 1);
        let tilt = density.function(|p, r| {
            if uneven {
                (p - r) / (p + r)
            } else {
                BigRational::zero()
            }
        })?;
        let common = density.function(|p, r| {
            if uneven {
                &two * p * r / (p + r)
            } else {
                (p + r) / &two
            }
        })?;
        let integral = |f: Spline| f.integral(&-c, c);
        let tilted = h.derivative().derivative().product(&tilt);
        let (s, q) = RepresentationCost::relu(c.clone()).side_functionals(h);
        Ok(Self {
            slopes: s - integral(tilted.clone()),
            offset: q - integral(tilted.product(&monomial(1))),
            mass: integral(common.clone()),
            second: integral(common.product(&monomial(2))),
        })
    }
}

/// xᵏ.
fn monomial(degree: usize) -> Spline {
    let mut coefficients = vec![BigRational::zero(); degree];
    coefficients.push(rational(1, 1));
    PiecewisePolynomial::polynomial(coefficients)
}
