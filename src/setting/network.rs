//! Networks in the minus form f(x) = Σ a_k σ(w_k x − b_k) + d, and how they are initialised.

use super::{Activation, BiasDensity};
use crate::{Error, Result};
use ndarray::{Array1, Zip};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{fmt, str::FromStr};

/// How the output layer (a, d) starts (proofs.md, Setting).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OutputInit {
    /// a = 0 and d = 0, so that f(x, θ̂) = 0 for every x, as in the paper's figures.
    Zero,
    /// a_k ~ N(0, SD_A²/n) and d ~ N(0, SD_D²), all independent.
    Random {
        /// SD_A ≥ 0.
        output_weight: f64,
        /// SD_D ≥ 0.
        output_bias: f64,
    },
}

impl fmt::Display for OutputInit {
    /// Writes what [`FromStr`] reads, to the last bit.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            Self::Zero => write!(f, "zero"),
            Self::Random {
                output_weight: a,
                output_bias: d,
            } => write!(f, "random:{a},{d}"),
        }
    }
}

impl FromStr for OutputInit {
    type Err = Error;

    /// Reads `zero` or `random:SD_A,SD_D`, both standard deviations finite and not negative.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |what: &str| Error::Parameter {
            name: "--output-init".into(),
            value: text.into(),
            what: what.into(),
            remedy: "give zero or random:SD_A,SD_D, for example random:1,0.5".into(),
        };
        if text.trim() == "zero" {
            return Ok(Self::Zero);
        }
        let rest = text.trim().strip_prefix("random:");
        let rest = rest.ok_or_else(|| refuse("there is no such initialisation"))?;
        let numbers: Vec<Option<f64>> = rest.split(',').map(|sd| sd.trim().parse().ok()).collect();
        let usable = |sd: f64| sd.is_finite() && sd >= 0.0;
        match *numbers.as_slice() {
            [Some(a), Some(d)] if usable(a) && usable(d) => Ok(Self::Random {
                output_weight: a,
                output_bias: d,
            }),
            [Some(_), Some(_)] => Err(refuse("a standard deviation is finite and not negative")),
            _ => Err(refuse("random takes two numbers")),
        }
    }
}

/// A network of width n with one hidden layer, in the minus form (proofs.md, Setting).
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Input weights w (n).
    pub w: Array1<f64>,
    /// Input biases b (n), in units of x times w.
    pub b: Array1<f64>,
    /// Output weights a (n).
    pub a: Array1<f64>,
    /// Output bias d.
    pub d: f64,
}

impl Network {
    /// Draws θ̂: w_k = ±1 with equal odds, b_k ~ p_B, (a, d) as `output` says, all independent.
    ///
    /// Draw k of w, b, a and d is number k of stream 0, 1, 2 and 3 of ChaCha8 under the 256-bit key
    /// `seed` (little endian, then zeros). Its 64 bits r become u = (⌊r/2¹²⌋ + ½)/2⁵², which is
    /// exact, symmetric about ½ and inside (0, 1), and u goes through the quantile; w_k is −1 where
    /// u < ½. So the neurons are nested: those of width n are the first n of any larger width (a_k
    /// up to the factor n^(−1/2)).
    pub fn sample(bias: &BiasDensity, output: OutputInit, width: usize, seed: u64) -> Self {
        let draws = |stream: u64, length: usize, quantile: &dyn Fn(f64) -> f64| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&seed.to_le_bytes());
            let mut generator = ChaCha8Rng::from_seed(key);
            generator.set_stream(stream);
            Array1::from_shape_fn(length, |_| {
                let bits = generator.next_u64() >> 12; // 52 bits: the half still fits the mantissa
                quantile((bits as f64 + 0.5) / (1u64 << 52) as f64)
            })
        };
        let (sd_a, sd_d) = match output {
            OutputInit::Zero => (0.0, 0.0),
            OutputInit::Random {
                output_weight,
                output_bias,
            } => (output_weight, output_bias),
        };
        let normal = BiasDensity::Gaussian {
            standard_deviation: 1.0,
        };
        let root = (width as f64).sqrt();
        Self {
            w: draws(0, width, &|u| if u < 0.5 { -1.0 } else { 1.0 }),
            b: draws(1, width, &|u| bias.quantile(u)),
            // + 0.0 so that a zero is not −0.0.
            a: draws(2, width, &|u| sd_a * normal.quantile(u) / root + 0.0),
            d: draws(3, 1, &|u| sd_d * normal.quantile(u) + 0.0)[0],
        }
    }

    /// The width n.
    pub fn width(&self) -> usize {
        self.w.len()
    }

    /// f(x) = Σ a_k σ(w_k x − b_k) + d, summed in the order of the neurons.
    pub fn output(&self, activation: Activation, x: f64) -> f64 {
        let sum = Zip::from(&self.w).and(&self.b).and(&self.a);
        sum.fold(0.0, |sum, w, b, a| sum + a * activation.value(w * x - b)) + self.d
    }

    /// The knots c_k = b_k/w_k (n), where the neurons bend; exactly w_k b_k where w_k = ±1, and not
    /// finite where w_k = 0.
    pub fn knots(&self) -> Array1<f64> {
        &self.b / &self.w
    }
}
