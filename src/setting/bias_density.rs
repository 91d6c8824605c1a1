//! Densities p_B of the initial biases.

use crate::{Error, Result};
use statrs::function::erf::{erfc, erfc_inv};
use std::f64::consts::{PI, SQRT_2};
use std::{cmp::Ordering::*, fmt, str::FromStr};

/// Density p_B of the initial biases b_k, which are also the initial knots up to sign
/// (proofs.md, Setting).
///
/// The checked constructors are the way to make one; lengths are in units of the input x. Here
/// ε = 2⁻⁵², and "error" is relative unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BiasDensity {
    /// p_B(b) = 1/(2C) on [−C, C], both ends included.
    Uniform {
        /// C.
        half_width: f64,
    },
    /// p_B(b) = exp(−b²/(2s²))/(s√(2π)).
    Gaussian {
        /// s.
        standard_deviation: f64,
    },
    /// Piecewise linear on [−C, C], 0 at the ends and 1/C at the mode M ∈ [−C, C].
    Triangular {
        /// C.
        half_width: f64,
        /// M.
        mode: f64,
    },
}

use BiasDensity::{Gaussian, Triangular, Uniform};

/// Scales whose fourth powers, and the inverses of those, are normal numbers.
const SCALES: std::ops::RangeInclusive<f64> = 1e-75..=1e75;

impl BiasDensity {
    /// Uniform on [−C, C].
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 1e-75 ≤ C ≤ 1e75.
    pub fn uniform(half_width: f64) -> Result<Self> {
        let density = Uniform { half_width };
        density.checked(density)
    }

    /// Gaussian with mean 0 and the given standard deviation s.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 1e-75 ≤ s ≤ 1e75.
    pub fn gaussian(standard_deviation: f64) -> Result<Self> {
        let density = Gaussian { standard_deviation };
        density.checked(density)
    }

    /// Triangular on [−C, C] with mode M.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless 1e-75 ≤ C ≤ 1e75 and −C ≤ M ≤ C.
    pub fn triangular(half_width: f64, mode: f64) -> Result<Self> {
        let density = Triangular { half_width, mode };
        density.checked(density)
    }

    /// Refuses parameters out of range; `given` is how they were written.
    fn checked(self, given: impl fmt::Display) -> Result<Self> {
        let scale = match self {
            Gaussian { standard_deviation } => standard_deviation,
            Uniform { half_width } | Triangular { half_width, .. } => half_width,
        };
        if !SCALES.contains(&scale) {
            let what = format!("{scale:?} is not a positive scale between 1e-75 and 1e75");
            return refuse(given, what, "give a positive number such as 1");
        }
        match self {
            Triangular { half_width, mode } if !(-half_width..=half_width).contains(&mode) => {
                let what = format!("the mode {mode} is outside [-{half_width}, {half_width}]");
                refuse(given, what, "give a mode between -C and C")
            }
            _ => Ok(self),
        }
    }

    /// p_B(b), in units of 1/x. Error 4ε; Gaussian (4 + b²/s²)ε.
    pub fn density(&self, b: f64) -> f64 {
        match *self {
            Uniform { half_width: c } if b.abs() <= c => 0.5 / c,
            Gaussian { standard_deviation } => {
                gaussian(b / standard_deviation) / standard_deviation
            }
            Triangular { half_width, mode } if b.abs() <= half_width => {
                let peak = 1.0 / half_width;
                match b.total_cmp(&mode) {
                    Less => (b + half_width) / (half_width + mode) * peak,
                    Equal => peak,
                    Greater => (half_width - b) / (half_width - mode) * peak,
                }
            }
            _ => 0.0,
        }
    }

    /// P(B ≤ b). Error 6ε; Gaussian (6 + 2b²/s²)ε for b ≤ 0 (down to −37s, where doubles end), and
    /// 1 − P(B ≤ −b) for b > 0.
    pub fn distribution(&self, b: f64) -> f64 {
        match *self {
            Uniform { half_width: c } => 0.5 * ((b.clamp(-c, c) + c) / c),
            Gaussian { standard_deviation } => gaussian_distribution(b / standard_deviation),
            Triangular { half_width, mode } => {
                let (c, b) = (half_width, b.clamp(-half_width, half_width));
                if b <= mode {
                    0.5 * (b + c) * self.density(b)
                } else {
                    // Two positive areas, not 1 − tail: exact to rounding when the mode is near −C.
                    let right = 0.5 * (b - mode) * (1.0 / c + self.density(b));
                    (0.5 * ((mode + c) / c) + right).clamp(0.0, 1.0)
                }
            }
        }
    }

    /// The b with P(B ≤ b) = u, for u ∈ [0, 1]; NaN elsewhere. Error 4ε for the Gaussian, in
    /// both tails; 4εC absolute for the others, where the ends are finite.
    pub fn quantile(&self, u: f64) -> f64 {
        if !(0.0..=1.0).contains(&u) {
            return f64::NAN;
        }
        match *self {
            Uniform { half_width: c } => c * (2.0 * u - 1.0),
            Gaussian { standard_deviation } => standard_deviation * gaussian_quantile(u),
            Triangular { half_width, mode } => {
                let c = half_width;
                let (left, right) = ((c + mode) / c, (c - mode) / c);
                if u <= 0.5 * left {
                    (c * (2.0 * left * u).sqrt() - c).min(mode)
                } else {
                    (c - c * (2.0 * right * (1.0 - u)).sqrt()).max(mode)
                }
            }
        }
    }

    /// E B.
    pub fn mean(&self) -> f64 {
        self.moment(1)
    }

    /// E B².
    pub fn second_moment(&self) -> f64 {
        self.moment(2)
    }

    /// E B² − (E B)². Error 8ε.
    pub fn variance(&self) -> f64 {
        self.moment(2) - self.mean() * self.mean()
    }

    /// The raw moment E B^k. Error (k + 4)ε while it is a normal number, as it always is for k ≤ 4.
    ///
    /// Uniform: C^k/(k + 1), Gaussian: s^k (k − 1)!!, both for even k and 0 for odd k.
    /// Triangular: 2 C^k Σ (M/C)^j/((k + 1)(k + 2)) over the j ≤ k with the parity of k.
    pub fn moment(&self, k: u32) -> f64 {
        let (order, odd) = (f64::from(k), k % 2 == 1);
        let power = |base: f64, exponent: u32| (0..exponent).fold(1.0, |p, _| p * base);
        match *self {
            Uniform { .. } | Gaussian { .. } if odd => 0.0,
            Uniform { half_width: c } => power(c, k) / (order + 1.0),
            Gaussian { standard_deviation } => {
                let double_factorial: f64 = (1..k).step_by(2).map(f64::from).product();
                power(standard_deviation, k) * double_factorial
            }
            Triangular { half_width, mode } => {
                // All terms have one sign: this is the symmetric polynomial h_k(−1, 1, M/C), since
                // a triangular density is a linear B-spline.
                let terms = (k % 2..=k).step_by(2);
                let sum: f64 = terms.map(|j| power(mode / half_width, j)).sum();
                2.0 * power(half_width, k) * sum / ((order + 1.0) * (order + 2.0))
            }
        }
    }

    /// The support is [−`half_width`, `half_width`]; infinite for the Gaussian.
    pub fn half_width(&self) -> f64 {
        match *self {
            Uniform { half_width } | Triangular { half_width, .. } => half_width,
            Gaussian { .. } => f64::INFINITY,
        }
    }

    /// The points, ascending, where the density is not smooth: −C, M and C where there are such.
    pub fn breakpoints(&self) -> Vec<f64> {
        let mut points = match *self {
            Uniform { half_width: c } => vec![-c, c],
            Gaussian { .. } => vec![],
            Triangular { half_width, mode } => vec![-half_width, mode, half_width],
        };
        points.dedup(); // M may be an end
        points
    }

    /// Whether p_B(−b) = p_B(b), as the paper assumes.
    pub fn is_even(&self) -> bool {
        !matches!(*self, Triangular { mode, .. } if mode != 0.0)
    }
}

impl fmt::Display for BiasDensity {
    /// Writes what [`FromStr`] reads, to the last bit.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Uniform { half_width } => write!(f, "uniform:{half_width}"),
            Gaussian { standard_deviation } => write!(f, "gaussian:{standard_deviation}"),
            Triangular { half_width, mode } => write!(f, "triangular:{half_width},{mode}"),
        }
    }
}

impl FromStr for BiasDensity {
    type Err = Error;

    /// Reads `uniform:C`, `gaussian:SD`, `triangular:C` (mode 0) or `triangular:C,MODE`.
    fn from_str(text: &str) -> Result<Self> {
        let form = "give uniform:C, gaussian:SD or triangular:C[,MODE], for example uniform:1";
        let (family, rest) = text.split_once(':').unwrap_or((text, ""));
        let numbers: std::result::Result<Vec<f64>, _> = rest
            .split(',')
            .map(|number| number.trim().parse())
            .collect();
        let density = match (family.trim(), numbers.as_deref()) {
            ("uniform", Ok(&[half_width])) => Uniform { half_width },
            ("gaussian", Ok(&[standard_deviation])) => Gaussian { standard_deviation },
            ("triangular", Ok(&[half_width])) => Triangular {
                half_width,
                mode: 0.0,
            },
            ("triangular", Ok(&[half_width, mode])) => Triangular { half_width, mode },
            ("uniform" | "gaussian" | "triangular", _) => {
                return refuse(text, format!("`{rest}` is not what {family} takes"), form);
            }
            _ => return refuse(text, "there is no such density", form),
        };
        density.checked(text)
    }
}

/// The density of N(0, 1).
fn gaussian(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// The quantile of N(0, 1); measured error 2ε.
fn gaussian_quantile(u: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * u)
}

/// The distribution of N(0, 1).
///
/// `erfc` is good to 1e-10 only, but its inverse to the last bits: one Newton step on u ↦ quantile
/// makes up for it.
fn gaussian_distribution(z: f64) -> f64 {
    if z > 0.0 {
        return 1.0 - gaussian_distribution(-z);
    }
    let u = 0.5 * erfc(-z / SQRT_2);
    let at = gaussian_quantile(u);
    // Where u has underflowed there is nothing to correct.
    if at.is_finite() {
        u + (z - at) * gaussian(at)
    } else {
        u
    }
}

fn refuse(value: impl fmt::Display, what: impl Into<String>, remedy: &str) -> Result<BiasDensity> {
    Err(Error::Parameter {
        name: "--bias".into(),
        value: value.to_string(),
        what: what.into(),
        remedy: remedy.into(),
    })
}
