//! The arrays of an `.npz` file, read within bounds that hold whatever its headers say.

use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder,
};
use std::{collections::BTreeMap, io::Read, path::Path};

use super::file;
use crate::{Error, Result};

/// Most bytes of a file.
const MOST_BYTES: u64 = 1 << 31;

/// Most numbers in one array.
const MOST_NUMBERS: usize = 1 << 24;

/// Most bytes in the header of an array: plain shapes and types take a hundred.
const LONGEST_HEADER: usize = 1 << 10;

/// An `.npz` file of which some arrays are of interest.
pub(super) struct Arrays {
    file: String,
    archive: ZipArchive<FileReader>,
    entries: BTreeMap<&'static str, (ZipArchiveEntryWayfinder, CompressionMethod)>,
}

impl Arrays {
    /// Finds those arrays among `names` that the file has.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be read; [`Error::Data`] where it is no npz archive or has one
    /// of the arrays twice.
    pub(super) fn open(path: &Path, names: &'static [&'static str]) -> Result<Self> {
        let remedy = "give an .npz file with arrays w, b, a and d";
        let opened = file::open(path, MOST_BYTES, remedy)?;
        let file = path.display().to_string();
        let broken = |error: rawzip::Error| {
            let remedy = "save it with numpy.savez(file, w=w, b=b, a=a, d=d)";
            refuse(file.clone(), format!("no npz archive ({error})"), remedy)
        };
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipArchive::from_file(opened, &mut buffer).map_err(broken)?;
        let mut entries = BTreeMap::new();
        let mut directory = archive.entries(&mut buffer);
        while let Some(entry) = directory.next_entry().map_err(broken)? {
            let path = entry.file_path().as_bytes();
            let stem = path.strip_suffix(b".npy").unwrap_or(path);
            let Some(name) = names.iter().find(|name| name.as_bytes() == stem) else {
                continue;
            };
            let place = (entry.wayfinder(), entry.compression_method());
            if entries.insert(*name, place).is_some() {
                let place = format!("{file}, array {name}");
                return Err(refuse(place, "it is there twice".into(), "save it once"));
            }
        }
        Ok(Self {
            file,
            archive,
            entries,
        })
    }

    /// Whether the file has an array.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The numbers of a scalar, or of an array with one dimension longer than 1.
    ///
    /// # Errors
    /// [`Error::Data`] where the array is missing or damaged, holds no finite real numbers, or none
    /// or too many, or has two long dimensions.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let refuse = |what: String, remedy: &str| {
            refuse(format!("{}, array {name}", self.file), what, remedy)
        };
        let Some(entry) = self.entries.get(name) else {
            let remedy = "save w, b, a and d (and w0, b0, a0, d0, x, y where known)";
            return Err(refuse("there is none".into(), remedy));
        };
        let bytes = self
            .bytes(entry)
            .map_err(|what| refuse(what, "save the file again"))?;
        let (shape, values) = parse(&bytes)
            .map_err(|what| refuse(what, "save it as float64 or float32 with numpy.savez"))?;
        if values.iter().any(|v| !v.is_finite()) {
            let what = "an entry is not finite".into();
            return Err(refuse(what, "save finite numbers"));
        }
        let long = shape.iter().filter(|&&length| length != 1).count();
        if long > 1 || values.is_empty() {
            let remedy = "save a vector (n), (n, 1) or (1, n), and d as a scalar";
            return Err(refuse(format!("shape {shape:?}"), remedy));
        }
        Ok(values)
    }

    /// The contents of an entry, or what is wrong with it.
    fn bytes(
        &self,
        &(place, method): &(ZipArchiveEntryWayfinder, CompressionMethod),
    ) -> std::result::Result<Vec<u8>, String> {
        let most = LONGEST_HEADER + size_of::<f64>() * MOST_NUMBERS;
        let entry = self
            .archive
            .get_entry(place)
            .map_err(|error| error.to_string())?;
        let stream: Box<dyn Read> = match method {
            CompressionMethod::STORE => Box::new(entry.reader()),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(entry.reader())),
            _ => return Err("its compression is neither none nor deflate".into()),
        };
        let mut bytes = Vec::new();
        let mut stream = entry.verifying_reader(stream).take(most as u64 + 1);
        stream
            .read_to_end(&mut bytes)
            .map_err(|error| format!("it is damaged ({error})"))?;
        if bytes.len() > most {
            return Err(format!("it has more than {MOST_NUMBERS} numbers"));
        }
        Ok(bytes)
    }
}

/// Shape and numbers of an array in numpy's format (versions 1 to 3), or what is wrong with it.
///
/// The order of the elements is of no consequence where one dimension alone is longer than 1.
fn parse(bytes: &[u8]) -> std::result::Result<(Vec<usize>, Vec<f64>), String> {
    let (start, length) = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => {
            (10, usize::from(u16::from_le_bytes([*a, *b])))
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, a, b, c, d, ..] => {
            (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize)
        }
        _ => return Err("not in numpy's format".into()),
    };
    if length > LONGEST_HEADER {
        return Err(format!(
            "a header of {length} bytes is not that of an array of numbers"
        ));
    }
    let header = bytes
        .get(start..start + length)
        .ok_or("it ends within its header")?;
    let (descr, shape) = described(&String::from_utf8_lossy(header))
        .ok_or("its header is not that of an array of numbers")?;
    let typed = || {
        Some((
            descr.chars().next()?,
            descr.chars().nth(1)?,
            descr.get(2..)?.parse().ok()?,
        ))
    };
    let number: fn(u64) -> f64 = match typed() {
        Some((_, 'f', 8)) => f64::from_bits,
        Some((_, 'f', 4)) => |bits| f64::from(f32::from_bits(bits as u32)),
        Some((_, 'u', 1 | 2 | 4 | 8)) => |bits| bits as f64,
        Some((_, 'i', 8)) => |bits| bits as i64 as f64,
        Some((_, 'i', 4)) => |bits| f64::from(bits as i32),
        Some((_, 'i', 2)) => |bits| f64::from(bits as i16),
        Some((_, 'i', 1)) => |bits| f64::from(bits as i8),
        _ => {
            return Err(format!(
                "not an array of floats or integers, but of numpy's type `{descr}`"
            ));
        }
    };
    let (order, _, size): (char, char, usize) = typed().unwrap_or_default();
    let body = &bytes[start + length..];
    let said = shape
        .iter()
        .try_fold(size, |all, &length| all.checked_mul(length));
    if said != Some(body.len()) {
        return Err(format!(
            "its header says shape {shape:?}, but {} bytes follow",
            body.len()
        ));
    }
    let bits = |element: &[u8]| {
        let push = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        if order == '>' {
            element.iter().fold(0, push)
        } else {
            element.iter().rev().fold(0, push)
        }
    };
    Ok((
        shape,
        body.chunks_exact(size)
            .map(|element| number(bits(element)))
            .collect(),
    ))
}

/// Type and shape from a header as numpy writes it, `{'descr': '<f8', …, 'shape': (3, 1), }`; no parser
/// of Python, whose literals nest.
fn described(header: &str) -> Option<(String, Vec<usize>)> {
    let value = |key| Some(header.split_once(key)?.1.trim_start());
    let (descr, _) = value("'descr':")?.strip_prefix('\'')?.split_once('\'')?;
    let (shape, _) = value("'shape':")?.strip_prefix('(')?.split_once(')')?;
    let lengths = shape
        .split(',')
        .map(str::trim)
        .filter(|length| !length.is_empty());
    let shape = lengths
        .map(|length| length.parse().ok())
        .collect::<Option<_>>()?;
    Some((descr.to_owned(), shape))
}

fn refuse(place: String, what: String, remedy: &str) -> Error {
    Error::Data {
        place,
        what,
        remedy: remedy.into(),
    }
}
