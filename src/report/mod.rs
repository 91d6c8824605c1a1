//! What leaves the crate: the ledger of an audit, as text, JSON, Markdown, JUnit XML and a page, the reports on
//! minimisers and networks, and figures. Nothing is computed here that a result depends on, and nothing is
//! printed: the command line does that.

pub mod figures;
pub mod inspect;
pub mod ledger;
pub mod minimizer;
pub mod page;
pub mod train;
pub mod units;

use crate::{Error, Result};
use serde::Serialize;
use std::{
    io::Write,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Held while a file is written.
static WRITING: Mutex<()> = Mutex::new(());

/// How the names of temporary files begin.
const TEMPORARY: &str = ".mirrorflow-";

/// Longer than any file takes to write: a temporary file of this age has lost its writer.
const ABANDONED: Duration = Duration::from_secs(600);

/// Waits until no file is being written, and lets none be written while the guard lives: the moment
/// at which the program can end and leave nothing half done.
pub fn between_files() -> impl Drop {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a file whole or not at all: into a temporary file beside it, which then takes its name.
///
/// # Errors
/// [`Error::File`] where the folder cannot be written to, is full, or `path` is a folder.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let write = || {
        let _writing = between_files();
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        // As any other new file: what the umask leaves of rw-rw-rw-.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        if !folder.is_dir() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::NotFound,
                format!("there is no folder {}", folder.display()),
            ));
        }
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(contents)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| unwritable(path, source))
}

/// Makes a folder where it does not exist, makes sure that files can be written into it, and removes
/// the temporary files of programs that were killed while they wrote.
///
/// # Errors
/// [`Error::File`] where it cannot be made or written into.
pub fn make_folder(path: &Path) -> Result<()> {
    let make = || {
        std::fs::create_dir_all(path)?;
        for entry in std::fs::read_dir(path)?.flatten() {
            let age = entry.metadata().and_then(|data| data.modified());
            let age = age.ok().and_then(|time| time.elapsed().ok());
            let name = entry.file_name();
            let temporary = name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes());
            if temporary && age.is_some_and(|age| age > ABANDONED) {
                // Another program may have been faster.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        tempfile::tempfile_in(path).map(drop)
    };
    make().map_err(|source| unwritable(path, source))
}

fn unwritable(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
        remedy: "give a place that can be written to".into(),
    }
}

/// One JSON object, indented, in full precision; what is not finite is null.
pub fn json(value: &impl Serialize) -> String {
    // Writing to memory fails only on maps whose keys are not texts, and a report has none.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The section `` ## `id` `` of a Markdown text, with its heading.
pub fn section<'a>(markdown: &'a str, id: &str) -> Option<&'a str> {
    let heading = format!("## `{id}`");
    let mut start = None;
    let mut position = 0;
    for line in markdown.split_inclusive('\n') {
        match start {
            None if line.starts_with(&heading) => start = Some(position),
            Some(start) if line.starts_with("# ") || line.starts_with("## ") => {
                return Some(markdown[start..position].trim_end());
            }
            _ => {}
        }
        position += line.len();
    }
    start.map(|start| markdown[start..].trim_end())
}

/// A number to so many significant digits, without trailing zeros.
pub fn number(x: f64, digits: usize) -> String {
    let rounded = format!("{x:.*e}", digits - 1).parse().unwrap_or(x);
    if rounded == 0.0 {
        "0".into()
    } else if !rounded.is_finite() || (1e-4..1e7).contains(&rounded.abs()) {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
    }
}
