//! Interpolants of gradient flow with and without skip connections, and weighted splines, in rational
//! arithmetic.

use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};

use super::Power;
use crate::{
    Error, Result,
    solver::spline::{PiecewisePolynomial, Scalar, solve},
};

pub(super) type Spline = PiecewisePolynomial<BigRational>;

/// n/d.
pub(super) fn ratio(numerator: i32, denominator: i32) -> BigRational {
    BigRational::integer(numerator) / BigRational::integer(denominator)
}

/// The double nearest to q.
pub(super) fn float(q: &BigRational) -> f64 {
    q.to_f64().unwrap_or(f64::NAN)
}

/// max |q|, of no numbers 0.
pub(super) fn largest(values: impl IntoIterator<Item = BigRational>) -> BigRational {
    let sizes = values.into_iter().map(|value| value.abs());
    sizes.max().unwrap_or_default()
}

pub(super) fn dot<'a>(
    a: impl IntoIterator<Item = &'a BigRational>,
    b: impl IntoIterator<Item = &'a BigRational>,
) -> BigRational {
    a.into_iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Σ factor · spline.
fn combination<'a>(terms: impl IntoIterator<Item = (&'a BigRational, Spline)>) -> Spline {
    let zero = PiecewisePolynomial::polynomial(vec![]);
    terms.into_iter().fold(zero, |sum, (factor, spline)| {
        sum.sum(&spline.scaled(factor))
    })
}

/// Density p_B, even.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Uniform,
    Triangular,
}

impl Shape {
    /// The density on \[−c, c\].
    fn density(self, c: &BigRational) -> Result<Spline> {
        let height = c.recip();
        match self {
            Self::Uniform => PiecewisePolynomial::new(
                vec![-c.clone(), c.clone()],
                vec![vec![], vec![height / ratio(2, 1)], vec![]],
            ),
            Self::Triangular => {
                let slope = &height * &height;
                PiecewisePolynomial::new(
                    vec![-c.clone(), BigRational::zero(), c.clone()],
                    vec![
                        vec![],
                        vec![height.clone(), slope.clone()],
                        vec![height, -slope],
                        vec![],
                    ],
                )
            }
        }
    }
}

/// A law of initial weights: w = ±r, each magnitude and sign with equal chance, B independent of it.
#[derive(Debug, Clone)]
pub(super) struct Law {
    pub(super) shape: Shape,
    pub(super) half_width: BigRational,
    magnitudes: Vec<BigRational>,
    /// E\[B^k; B ≤ z\], k = 0, 1, 2.
    moments: [Spline; 3],
}

impl Law {
    pub(super) fn new(
        shape: Shape,
        half_width: BigRational,
        magnitudes: Vec<BigRational>,
    ) -> Result<Self> {
        let density = shape.density(&half_width)?;
        let moments = [0, 1, 2].map(|k| {
            let mut power = vec![BigRational::zero(); k];
            power.push(ratio(1, 1));
            let power = PiecewisePolynomial::polynomial(power);
            density.product(&power).antiderivative()
        });
        Ok(Self {
            shape,
            half_width,
            magnitudes,
            moments,
        })
    }

    /// Whether |W| = 1.
    pub(super) fn is_binary(&self) -> bool {
        self.magnitudes == [ratio(1, 1)]
    }

    fn count(&self) -> BigRational {
        BigRational::from_integer(self.magnitudes.len().into())
    }

    /// E W² and E B².
    pub(super) fn second_moments(&self) -> [BigRational; 2] {
        let square: BigRational = self.magnitudes.iter().map(|r| r * r).sum();
        [
            square / self.count(),
            self.moments[2].value(&self.half_width),
        ]
    }

    /// E\[σ(wx − b) σ(wx' − b)\], integrated over b for each w.
    fn kernel(&self, x: &BigRational, other: &BigRational) -> BigRational {
        let mut sum = BigRational::zero();
        for r in &self.magnitudes {
            for w in [r.clone(), -r.clone()] {
                let (z, z2) = (&w * x, &w * other);
                let [none, first, second] = {
                    let top = (&z).min(&z2);
                    [0, 1, 2].map(|k| self.moments[k].value(top))
                };
                sum += &z * &z2 * none - (z + z2) * first + second;
            }
        }
        sum / (self.count() * ratio(2, 1))
    }

    /// ∫|w|^j p_W(w) p_B(wc) dw as a function of c.
    fn knots(&self, j: usize) -> Result<Spline> {
        let mut sum = PiecewisePolynomial::polynomial(vec![]);
        for r in &self.magnitudes {
            // p_B(rc) = p_{B/r}(c)/r.
            let mut factor = self.count().recip() / r;
            for _ in 0..j {
                factor *= r;
            }
            let density = self.shape.density(&(&self.half_width / r))?;
            sum = sum.sum(&density.scaled(&factor));
        }
        Ok(sum)
    }

    /// The weight of the curvature.
    pub(super) fn zeta(&self, power: Power) -> Result<Spline> {
        match power {
            Power::Square => self.knots(3),
            Power::First => self.knots(2),
            // A quotient of splines is one for piecewise constant ones; of equal |w| it is p_C E W².
            Power::SquaredMean if self.shape == Shape::Uniform => {
                let (second, first) = (self.knots(2)?, self.knots(1)?);
                let breaks = first.breakpoints().to_vec();
                let middles = breaks
                    .windows(2)
                    .map(|ends| (&ends[0] + &ends[1]) / ratio(2, 1));
                let inner = middles.map(|c| {
                    let mean = second.value(&c);
                    vec![&mean * &mean / first.value(&c)]
                });
                let pieces = [vec![]].into_iter().chain(inner).chain([vec![]]);
                let pieces = pieces.collect();
                PiecewisePolynomial::new(breaks, pieces)
            }
            Power::SquaredMean => self.knots(3),
        }
    }
}

/// S = h'(+∞) + h'(−∞), ∫h''|x| and Q = ∫h''|x| dx − 2h(0) of h with h'' = 0 beyond ±far.
pub(super) fn sides(h: &Spline, far: &BigRational) -> [BigRational; 3] {
    let (slope, back) = (h.derivative(), -far.clone());
    let moment = slope
        .derivative()
        .product(&PiecewisePolynomial::absolute(&BigRational::zero()));
    let moment = moment.integral(&back, far);
    let offset = &moment - ratio(2, 1) * h.value(&BigRational::zero());
    [slope.value(far) + slope.value(&back), moment, offset]
}

/// The h of least ∫h''²/ζ + aS² + bQ² through the data, and ∫h''²/ζ; a = b = 0 is the weighted spline.
pub(super) fn minimizer(
    zeta: &Spline,
    [slopes, offset]: &[BigRational; 2],
    x: &[BigRational],
    y: &[BigRational],
) -> Result<(Spline, BigRational)> {
    let (m, zero, four) = (x.len(), BigRational::zero(), ratio(4, 1));
    let far = far(zeta, x);
    let kinks: Vec<Spline> = x.iter().map(PiecewisePolynomial::absolute).collect();
    let weighted: Vec<Spline> = kinks.iter().map(|kink| zeta.product(kink)).collect();
    let mut system = vec![vec![zero; m + 3]; m + 2];
    for i in 0..m {
        for j in 0..=i {
            let entry = weighted[i].product(&kinks[j]).integral(&-far.clone(), &far) / &four;
            (system[i][j], system[j][i]) = (entry.clone(), entry);
        }
        (system[m][i], system[m + 1][i]) = (ratio(1, 1), x[i].clone());
        (system[i][m], system[i][m + 1]) = (ratio(1, 1), x[i].clone());
        system[i][m + 2] = y[i].clone();
    }
    system[m][m] = -(offset * &four);
    system[m + 1][m + 1] = -(slopes * &four);
    let solution = solve(system).ok_or_else(degenerate)?;
    let half = ratio(1, 2);
    let bend = combination(solution[..m].iter().zip(weighted)).scaled(&half);
    let kink = combination(solution[..m].iter().zip(kinks)).scaled(&half);
    let cost = bend.product(&kink).integral(&-far.clone(), &far);
    let curved = bend.antiderivative().antiderivative();
    let [s, _, q] = sides(&curved, &far);
    let affine = vec![&solution[m] + q * &half, &solution[m + 1] - s * &half];
    Ok((curved.sum(&PiecewisePolynomial::polynomial(affine)), cost))
}

/// A place beyond all data and knots.
fn far(zeta: &Spline, x: &[BigRational]) -> BigRational {
    largest(zeta.breakpoints().iter().chain(x).cloned()) + ratio(1, 1)
}

fn degenerate() -> Error {
    Error::NotConverged {
        solver: "the interpolant in rational arithmetic",
        iterations: 0,
        residual: f64::NAN,
    }
}

/// Numbers at the points of a case.
pub(super) type Values = Vec<BigRational>;

/// Data for a law, and what gradient flow makes of them, by the kernel of its neurons alone.
pub(super) struct Case {
    pub(super) law: Law,
    pub(super) x: Values,
    pub(super) y: Values,
    /// More in each piece than the degree of a function there, by one.
    pub(super) points: Values,
    /// K(x_i, x_j), then K(t, x_j) for each point t.
    kernel: [Vec<Values>; 2],
    /// K⁻¹z for the data z = y, 1 and x.
    multipliers: [Values; 3],
    /// h̄\[z\] at the points.
    answers: [Values; 3],
}

impl Case {
    pub(super) fn new(law: Law, x: Values, y: Values) -> Result<Self> {
        let mut breaks: Values = law.knots(1)?.breakpoints().to_vec();
        breaks.extend(x.iter().cloned());
        let far = largest(breaks.iter().cloned()) + ratio(1, 1);
        breaks.extend([far.clone(), -far]);
        breaks.sort();
        breaks.dedup();
        let inner = breaks.windows(2).flat_map(|ends| {
            let step = (&ends[1] - &ends[0]) / ratio(4, 1);
            (0..4).map(move |k| &ends[0] + ratio(k, 1) * &step)
        });
        let points: Values = inner.chain(breaks.last().cloned()).collect();
        let row = |t: &BigRational| x.iter().map(|x| law.kernel(t, x)).collect();
        let mut case = Self {
            kernel: [&x, &points].map(|places| places.iter().map(row).collect()),
            multipliers: Default::default(),
            answers: Default::default(),
            law,
            x,
            y,
            points,
        };
        let one = vec![ratio(1, 1); case.x.len()];
        for (k, z) in [case.y.clone(), one, case.x.clone()].iter().enumerate() {
            (case.multipliers[k], case.answers[k]) = case.interpolant(&BigRational::zero(), z)?;
        }
        Ok(case)
    }

    /// λ = (K + ρPPᵀ)⁻¹z and Σλ_i(K(x_i, ·) + ρ(1 + x_i ·)) at the points.
    fn interpolant(&self, rho: &BigRational, z: &[BigRational]) -> Result<(Values, Values)> {
        let row = |t: &BigRational, kernel: &Values| -> Values {
            let terms = self.x.iter().zip(kernel);
            terms
                .map(|(x, k)| k + rho * (ratio(1, 1) + t * x))
                .collect()
        };
        let [own, other] = &self.kernel;
        let rows = self.x.iter().zip(own).zip(z);
        let rows = rows.map(|((x, kernel), z)| {
            let mut row = row(x, kernel);
            row.push(z.clone());
            row
        });
        let lambda = solve(rows.collect()).ok_or_else(degenerate)?;
        let points = self.points.iter().zip(other);
        let values = points.map(|(t, kernel)| dot(&row(t, kernel), &lambda));
        let values = values.collect();
        Ok((lambda, values))
    }

    /// The interpolant of gradient flow whose skip connections learn at ρ times the rate η₀.
    pub(super) fn skip(&self, rho: &BigRational) -> Result<Values> {
        Ok(self.interpolant(rho, &self.y)?.1)
    }

    /// h̄\[y − ux − v\] at the points, by linearity.
    pub(super) fn adjusted(&self, [v, u]: &[BigRational; 2]) -> Values {
        let [plain, one, x] = &self.answers;
        let terms = plain.iter().zip(one).zip(x);
        terms.map(|((h, one), x)| h - v * one - u * x).collect()
    }

    /// Σλ_i and Σλ_i x_i of λ = K⁻¹(y − ux − v), which are 4Q/E B² and 4S/E W² but for sign and factor.
    pub(super) fn moments(&self, [v, u]: &[BigRational; 2]) -> [BigRational; 2] {
        let [[g, cross], [_, gx]] = self.gram();
        let [zeroth, first] = self.sums();
        [zeroth - &g * v - &cross * u, first - &cross * v - &gx * u]
    }

    /// Pᵀλ of λ = K⁻¹y, P = (1, x).
    pub(super) fn sums(&self) -> [BigRational; 2] {
        let lambda = &self.multipliers[0];
        [lambda.iter().sum(), dot(lambda, &self.x)]
    }

    /// G = PᵀK⁻¹P.
    pub(super) fn gram(&self) -> [[BigRational; 2]; 2] {
        let [_, one, x] = &self.multipliers;
        [one, x].map(|lambda| [lambda.iter().sum(), dot(lambda, &self.x)])
    }

    /// yᵀK⁻¹y, the least E α².
    pub(super) fn cost(&self) -> BigRational {
        dot(&self.multipliers[0], &self.y)
    }

    /// (q + px) − h̄\[q + px\] at the points.
    pub(super) fn remainder(&self, [q, p]: &[BigRational; 2]) -> Values {
        let [_, one, x] = &self.answers;
        let points = self.points.iter().zip(one).zip(x);
        points
            .map(|((t, one), x)| q * (ratio(1, 1) - one) + p * (t - x))
            .collect()
    }
}

/// (I + ρG)⁻¹c, or G⁻¹c where ρ is not given.
pub(super) fn damped(
    rho: Option<&BigRational>,
    [[a, b], [c, d]]: &[[BigRational; 2]; 2],
    [first, second]: &[BigRational; 2],
) -> [BigRational; 2] {
    let (own, factor) = match rho {
        Some(rho) => (ratio(1, 1), rho.clone()),
        None => (BigRational::zero(), ratio(1, 1)),
    };
    let [a, b, c, d] = [
        &own + &factor * a,
        &factor * b,
        &factor * c,
        &own + &factor * d,
    ];
    let determinant = &a * &d - &b * &c;
    [
        (&d * first - &b * second) / &determinant,
        (&a * second - &c * first) / &determinant,
    ]
}
