//! Networks as `.npz` files: float or integer arrays w, b, a, d, and where known w0, b0, a0, d0, x, y.

use std::{io::Cursor, path::Path};

use ndarray::Array1;
use ndarray_npy::NpzWriter;

use super::{Dataset, Network, arrays::Arrays};
use crate::{Error, Result};

/// How a file writes the hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// σ(w x + b), as PyTorch's Linear does.
    Plus,
    /// σ(w x − b), as the paper and this crate do.
    Minus,
}

/// A network with its start and its data, in the minus form.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// w, b, a, d.
    pub network: Network,
    /// w0, b0, a0, d0, where the file has all of them.
    pub initial: Option<Network>,
    /// x and y, where the file has both.
    pub dataset: Option<Dataset>,
}

/// The arrays that are read; others are passed over.
const NAMES: [&str; 11] = [
    "w",
    "b",
    "a",
    "d",
    "w0",
    "b0",
    "a0",
    "d0",
    "x",
    "y",
    "convention",
];

impl Archive {
    /// Reads a file; `convention` overrides the file's own, and `Plus` stands where there is none.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be read; [`Error::Data`] where it is no npz archive, or an
    /// array is missing, there twice, of the wrong shape or type, longer than 2²⁴ or not finite.
    pub fn read(path: &Path, convention: Option<Convention>) -> Result<Self> {
        let arrays = Arrays::open(path, &NAMES)?;
        let file = path.display().to_string();
        let refuse = |place: String, what: String, remedy: &str| Error::Data {
            place,
            what,
            remedy: remedy.into(),
        };
        let has = |name: &str| arrays.has(name);
        let array = |name: &str| arrays.numbers(name);
        let convention = match convention {
            Some(convention) => convention,
            None if has("convention") => match array("convention")?.as_slice() {
                [1.0] => Convention::Plus,
                [-1.0] => Convention::Minus,
                other => {
                    let place = format!("{file}, array convention");
                    let remedy = "save [1] for w x + b or [-1] for w x - b";
                    return Err(refuse(place, format!("{other:?}"), remedy));
                }
            },
            None => Convention::Plus,
        };
        let network = |suffix: &str| -> Result<Network> {
            let [w, b, a, d] = ["w", "b", "a", "d"].map(|name| array(&format!("{name}{suffix}")));
            let (w, b, a, d) = (w?, b?, a?, d?);
            if b.len() != w.len() || a.len() != w.len() || d.len() != 1 {
                let lengths = [w.len(), b.len(), a.len(), d.len()];
                let names = ["w", "b", "a", "d"].map(|name| format!("{name}{suffix}"));
                let what = format!("{} have lengths {lengths:?}", names.join(", "));
                let remedy = "save n numbers for each of w, b and a, and one for d";
                return Err(refuse(file.clone(), what, remedy));
            }
            let sign = if convention == Convention::Plus {
                -1.0
            } else {
                1.0
            };
            Ok(Network {
                w: w.into(),
                b: b.iter().map(|b| sign * b).collect(),
                a: a.into(),
                d: d[0],
            })
        };
        let trained = network("")?;
        let known = ["w0", "b0", "a0", "d0"].iter().all(|name| has(name));
        let initial = if known { Some(network("0")?) } else { None };
        if let Some(start) = initial
            .as_ref()
            .filter(|start| start.width() != trained.width())
        {
            let what = format!(
                "w0 has {} entries, w has {}",
                start.width(),
                trained.width()
            );
            return Err(refuse(file, what, "save both of one network"));
        }
        let dataset = if has("x") && has("y") {
            let (x, y) = (array("x")?, array("y")?);
            if x.len() != y.len() {
                let what = format!("{} inputs x, {} values y", x.len(), y.len());
                return Err(refuse(file, what, "save one y for each x"));
            }
            Some(Dataset::from_points(&x, &y)?)
        } else {
            None
        };
        Ok(Self {
            network: trained,
            initial,
            dataset,
        })
    }

    /// The contents of an .npz file, in the minus form and with `convention` = \[−1\].
    ///
    /// # Errors
    /// [`Error::Data`] where the archive cannot be composed.
    pub fn contents(&self) -> Result<Vec<u8>> {
        let mut bytes = Cursor::new(Vec::new());
        let compose = |bytes: &mut Cursor<Vec<u8>>| {
            let mut writer = NpzWriter::new(bytes);
            let mut network = |network: &Network, suffix: &str| {
                writer.add_array(format!("w{suffix}"), &network.w)?;
                writer.add_array(format!("b{suffix}"), &network.b)?;
                writer.add_array(format!("a{suffix}"), &network.a)?;
                writer.add_array(format!("d{suffix}"), &Array1::from(vec![network.d]))
            };
            network(&self.network, "")?;
            self.initial
                .as_ref()
                .map_or(Ok(()), |start| network(start, "0"))?;
            if let Some(data) = &self.dataset {
                writer.add_array("x", &Array1::from(data.in_file_order(data.x())))?;
                writer.add_array("y", &Array1::from(data.in_file_order(data.y())))?;
            }
            writer.add_array("convention", &Array1::from(vec![-1.0]))?;
            writer.finish().map(|_| ())
        };
        compose(&mut bytes).map_err(|error: ndarray_npy::WriteNpzError| Error::Data {
            place: "the network's archive".into(),
            what: error.to_string(),
            remedy: "train a smaller network".into(),
        })?;
        Ok(bytes.into_inner())
    }
}
