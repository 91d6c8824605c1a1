//! Links the system's OpenBLAS, or stops with the one line to type; gives the program a hash of its
//! sources, by which it knows the results of another program.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders in which distributions and Homebrew put the library.
const FOLDERS: [&str; 9] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
    "/opt/homebrew/opt/openblas/lib",
    "/usr/local/opt/openblas/lib",
    "/opt/OpenBLAS/lib",
];
const NAMES: [&str; 2] = ["libopenblas.so", "libopenblas.dylib"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=OPENBLAS_LIB_DIR");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rustc-env=MIRRORFLOW_SOURCES={:016x}", sources());
    let given = std::env::var("OPENBLAS_LIB_DIR").ok();
    let pkg_config = Command::new("pkg-config")
        .args(["--variable=libdir", "openblas"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|folder| folder.trim().to_owned());
    let found = given
        .iter()
        .map(String::as_str)
        .chain(pkg_config.iter().map(String::as_str))
        .chain(FOLDERS)
        .find(|folder| {
            NAMES
                .iter()
                .any(|name| Path::new(folder).join(name).exists())
        });
    match found {
        Some(folder) => {
            println!("cargo:rustc-link-search=native={folder}");
            println!("cargo:rustc-link-lib=dylib=openblas");
        }
        None => {
            println!(
                "cargo::error=OpenBLAS is missing. Type: {}",
                if cfg!(target_os = "macos") {
                    "brew install openblas"
                } else {
                    "sudo apt-get install -y --no-install-recommends libopenblas-dev"
                }
            );
            println!("cargo::error=(elsewhere: set OPENBLAS_LIB_DIR to the folder of libopenblas)");
            std::process::exit(1);
        }
    }
}

/// A hash of everything under `src`, and of the versions of all dependencies.
fn sources() -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut paths = vec![PathBuf::from("Cargo.lock"), PathBuf::from("src")];
    while let Some(path) = paths.pop() {
        let mut inside: Vec<_> = std::fs::read_dir(&path)
            .map(|folder| folder.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        inside.sort();
        paths.extend(inside);
        path.hash(&mut hasher);
        std::fs::read(&path).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}
