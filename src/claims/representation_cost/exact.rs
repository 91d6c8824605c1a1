//! The identity in rational arithmetic, for uniform biases and random splines.

use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Theory::{self, AbsoluteMoment, Paper, SlopesDropped, UnweightedCurvature};
use crate::Result;
use crate::evidence::{Evidence, Kind};
use crate::setting::Activation;
use crate::solver::spline::{PiecewisePolynomial, RepresentationCost, Scalar};

/// With rational coefficients.
pub(in crate::claims) type Spline = PiecewisePolynomial<BigRational>;

/// A random spline h, and the α that is claimed to be the cheapest to generate it, B ~ U(−c, c).
pub(super) struct ExactCase {
    half_width: BigRational,
    h: Spline,
    /// E α².
    pub(super) energy: BigRational,
    /// Largest |E[α σ(w x − b)] − h(x)|, at more points in every piece than its degree.
    pub(super) generation: BigRational,
    /// Largest |E[α ν]| and |E[ν σ(w x − b)]| over the null directions ν of degree ≤ 6.
    pub(super) nullity: BigRational,
}

impl ExactCase {
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Result<Self> {
        let half_width = rational(rng.random_range(2..=7), 3);
        let c = &half_width;
        let inner = (-5..=5).filter(|_| rng.random_bool(0.3));
        let marks = [-6].into_iter().chain(inner).chain([6]);
        let breakpoints: Vec<_> = marks.map(|k| rational(k, 6) * c).collect();
        let mut coefficients = |n: usize| -> Vec<_> {
            (0..n)
                .map(|_| rational(rng.random_range(-6..=6), 2))
                .collect()
        };
        let ends = breakpoints.len();
        let degree = |piece| if piece % ends == 0 { 0 } else { 4 };
        let pieces = (0..=ends)
            .map(|piece| coefficients(degree(piece)))
            .collect();
        let affine = PiecewisePolynomial::polynomial(coefficients(2));
        let bend = PiecewisePolynomial::new(breakpoints.clone(), pieces)?;
        let h = bend.antiderivative().antiderivative().sum(&affine);

        // α⁺ = h''/p_B, and α⁻ affine in the knot with E[α⁻] = S and E[B α⁻] = Q.
        let (s, q) = RepresentationCost::relu(half_width.clone()).side_functionals(&h);
        let odd = PiecewisePolynomial::polynomial(vec![s, q * rational(3, 1) / (c * c)]);
        let density = (rational(2, 1) * c).recip();
        let density = PiecewisePolynomial::polynomial(vec![density]);
        let even = bend.scaled(&(rational(2, 1) * c));
        // α(1, k) = α⁺(k) + α⁻(k), α(−1, −k) = α⁺(k) − α⁻(k).
        let sheets = |even: &Spline, odd: &Spline| {
            let knots = [even.sum(odd), even.sum(&odd.scaled(&rational(-1, 1)))];
            Sheets::new(Activation::Relu, knots, &density, c)
        };
        let alpha = sheets(&even, &odd);
        let within = breakpoints.windows(2).flat_map(|ends| {
            let step = (ends[1].clone() - &ends[0]) / rational(7, 1);
            (0..7).map(move |k| rational(k, 1) * &step + &ends[0])
        });
        let outside = (0..3).flat_map(|k| [c + rational(k, 1), -c - rational(k, 1)]);
        let misses = within
            .chain(outside)
            .map(|x| (alpha.output(&x) - h.value(&x)).abs());
        let generation = misses.max().unwrap_or_default();

        let mut nullity = BigRational::zero();
        for legendre in &legendre(c)[2..] {
            let null = sheets(&PiecewisePolynomial::polynomial(vec![]), legendre);
            // Inside [−c, c] its output has degree ≤ 8, outside it is affine.
            let outputs = (-10..=10).map(|k| null.output(&(rational(k, 6) * c)));
            let defects = outputs.chain([alpha.inner_product(&null)]);
            nullity = defects.fold(nullity, |worst, defect| worst.max(defect.abs()));
        }
        let energy = alpha.inner_product(&alpha);
        Ok(Self {
            half_width,
            h,
            energy,
            generation,
            nullity,
        })
    }

    pub(super) fn cost(&self, theory: Theory) -> Result<BigRational> {
        let c = &self.half_width;
        let mut cost = RepresentationCost::relu(c.clone());
        match theory {
            AbsoluteMoment => cost.offset_weight = rational(4, 1) / (c * c),
            SlopesDropped => cost.slopes_weight = rational(0, 1),
            Paper | UnweightedCurvature => {}
        }
        let mut terms = cost.terms(&self.h)?;
        if theory == UnweightedCurvature {
            terms.curvature /= rational(2, 1) * c;
        }
        Ok(terms.total())
    }
}

/// Output weights α(1, b) and α(−1, b) of neurons whose biases have a density on \[−c, c\].
pub(in crate::claims) struct Sheets {
    activation: Activation,
    weights: [Spline; 2],
    density: Spline,
    half_width: BigRational,
}

impl Sheets {
    /// From α(1, k) and α(−1, −k), functions of the knot k, and the density of b.
    pub(in crate::claims) fn new(
        activation: Activation,
        [plus, minus]: [Spline; 2],
        density: &Spline,
        half_width: &BigRational,
    ) -> Self {
        Self {
            activation,
            weights: [plus, minus.reflected()],
            density: density.clone(),
            half_width: half_width.clone(),
        }
    }

    /// E\[α σ(w x − b)\].
    pub(in crate::claims) fn output(&self, x: &BigRational) -> BigRational {
        let c = &self.half_width;
        let on_sheet = |(alpha, z): (&Spline, BigRational)| {
            let line = PiecewisePolynomial::polynomial(vec![z.clone(), rational(-1, 1)]);
            let signed = alpha.product(&self.density).product(&line);
            let kink = z.clamp(-c, c.clone());
            let below = signed.integral(&-c, &kink);
            match self.activation {
                Activation::Relu => below,
                Activation::Abs => below - signed.integral(&kink, c),
            }
        };
        let both: BigRational = self.weights.iter().zip([x.clone(), -x]).map(on_sheet).sum();
        both / rational(2, 1)
    }

    /// E\[α β\].
    pub(in crate::claims) fn inner_product(&self, other: &Self) -> BigRational {
        let c = &self.half_width;
        let pairs = self.weights.iter().zip(&other.weights);
        let weighted = pairs.map(|(a, b)| a.product(b).product(&self.density));
        let both: BigRational = weighted.map(|product| product.integral(&-c, c)).sum();
        both / rational(2, 1)
    }
}

/// The Legendre polynomials P₀ … P₆ of b/c.
fn legendre(c: &BigRational) -> Vec<Spline> {
    let constant = PiecewisePolynomial::polynomial(vec![rational(1, 1)]);
    let unit = PiecewisePolynomial::polynomial(vec![rational(0, 1), c.recip()]);
    let mut family = vec![constant, unit];
    for k in 1..6 {
        let rising = family[k].product(&family[1]);
        let (k, before) = (k as i32, &family[k - 1]);
        let next = rising.scaled(&rational(2 * k + 1, k + 1));
        family.push(next.sum(&before.scaled(&rational(-k, k + 1))));
    }
    family
}

/// That the largest of some defects is 0.
pub(in crate::claims) fn vanish(what: String, defects: Vec<BigRational>) -> Evidence {
    let worst = defects.into_iter().max().and_then(|worst| worst.to_f64());
    Evidence::compare(Kind::Exact, what, worst.unwrap_or(f64::NAN), 0.0, 0.0)
}

/// numerator/denominator.
pub(in crate::claims) fn rational(numerator: i32, denominator: i32) -> BigRational {
    BigRational::integer(numerator) / BigRational::integer(denominator)
}
