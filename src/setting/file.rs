//! Files that users name: opened within bounds, whatever they are.

use crate::{Error, Result};
use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

/// Opens a regular file of at most so many bytes; a device or a pipe, which may never end, is none.
///
/// # Errors
/// [`Error::File`], which ends with what to give instead.
pub(super) fn open(path: &Path, most_bytes: u64, remedy: &str) -> Result<File> {
    let check = || {
        // Before it is opened: a pipe would wait there for its writer.
        let data = fs::metadata(path)?;
        if data.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        if !data.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if data.len() > most_bytes {
            let what = format!("{} bytes, where at most {most_bytes} are read", data.len());
            return Err(io::Error::other(what));
        }
        File::open(path)
    };
    check().map_err(|source| Error::File {
        path: path.to_owned(),
        source,
        remedy: remedy.into(),
    })
}
