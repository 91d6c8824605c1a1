//! What the targets draw, and how they read files.

use arbitrary::{Arbitrary, Error, Result, Unstructured};
use mirrorflow::setting::{Activation, BiasDensity, Dataset, Network, Potential, Scaling, Setting};
use ndarray::Array1;
use std::{cell::RefCell, fs, path::Path};

/// Any setting of at most 8 points that the constructors let pass.
#[derive(Debug)]
pub struct Problem(pub Setting);

impl<'a> Arbitrary<'a> for Problem {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let m = u.int_in_range(1..=8)?;
        let x = numbers(u, m)?;
        let y = numbers(u, m)?;
        let bias = match u.int_in_range(0..=2)? {
            0 => BiasDensity::uniform(positive(u)?),
            1 => BiasDensity::gaussian(positive(u)?),
            _ => {
                let c = positive(u)?;
                BiasDensity::triangular(c, c * f64::from(u.int_in_range(-16..=16)?) / 16.0)
            }
        };
        let potential = match u.int_in_range(0..=4)? {
            0 => Ok(Potential::quadratic()),
            1 | 2 => Potential::power(2.0 + f64::from(u.int_in_range(0..=32)?) / 4.0, positive(u)?),
            3 => Potential::power(positive(u)?, positive(u)?),
            _ => Potential::hypentropy(positive(u)?),
        };
        let refused = |_| Error::IncorrectFormat;
        Ok(Self(Setting {
            dataset: Dataset::from_points(&x, &y).map_err(refused)?,
            activation: *u.choose(&[Activation::Relu, Activation::Abs])?,
            bias: bias.map_err(refused)?,
            potential: potential.map_err(refused)?,
            scaling: *u.choose(&[Scaling::Scaled, Scaling::Unscaled])?,
        }))
    }
}

/// A finite number: of a grid, of a magnitude as data have, or any.
pub fn number(u: &mut Unstructured) -> Result<f64> {
    let any = match u.int_in_range(0..=7)? {
        0..=3 => f64::from(u.arbitrary::<i8>()?) / 16.0,
        4..=6 => f64::from(u.arbitrary::<i16>()?) * 2f64.powi(i32::from(u.arbitrary::<i8>()?) / 4),
        _ => u.arbitrary()?,
    };
    any.is_finite().then_some(any).ok_or(Error::IncorrectFormat)
}

/// So many numbers.
pub fn numbers(u: &mut Unstructured, count: usize) -> Result<Vec<f64>> {
    (0..count).map(|_| number(u)).collect()
}

fn positive(u: &mut Unstructured) -> Result<f64> {
    number(u).map(f64::abs)
}

/// A network of such a width: inner weights ±1 (`unit`) or any, every parameter drawn.
pub fn network(u: &mut Unstructured, width: usize, unit: bool) -> Result<Network> {
    let array = |u: &mut Unstructured| numbers(u, width).map(Array1::from);
    Ok(Network {
        w: if unit {
            let signs = (0..width).map(|_| Ok(if u.arbitrary()? { 1.0 } else { -1.0 }));
            signs.collect::<Result<_>>()?
        } else {
            array(u)?
        },
        b: array(u)?,
        a: if u.arbitrary()? {
            array(u)?
        } else {
            Array1::zeros(width)
        },
        d: number(u)?,
    })
}

/// What `read` makes of a file with these contents; a refusal is one line that ends with what to do.
pub fn read<T>(bytes: &[u8], read: impl Fn(&Path) -> mirrorflow::Result<T>) -> Option<T> {
    thread_local! {
        static FILE: RefCell<tempfile::NamedTempFile> =
            RefCell::new(tempfile::NamedTempFile::new().expect("a place for a file"));
    }
    FILE.with_borrow(|file| {
        fs::write(file, bytes).expect("the file can be written");
        match read(file.path()) {
            Ok(result) => Some(result),
            Err(error) => {
                says_what_to_do(&error.to_string());
                None
            }
        }
    })
}

/// A refusal is one line: what, where, and what to do.
pub fn says_what_to_do(message: &str) {
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains("; "), "{message}");
}
