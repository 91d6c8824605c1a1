//! A page in a browser without a window.

use scraper::{Html, Selector};
use serde::Deserialize;
use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

/// What is to be seen in a frame; the script in look.html looks.
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// Of the frame.
    pub width: u32,
    /// Whether the page was asked to be dark.
    pub dark: bool,
    /// By how many pixels the page is wider than the frame.
    pub overflow: i32,
    /// Elements that are.
    pub wide: Vec<String>,
    /// Elements whose text has a contrast below 4.5.
    pub faint: Vec<String>,
    /// Details that were closed.
    pub folded: usize,
    /// Formulas that take up room.
    pub formulas: usize,
    /// Pictures in claims that do.
    pub pictures: usize,
    /// Parts that scroll and cannot be reached by keyboard.
    pub unreachable: usize,
    /// Elements on which the focus cannot be seen.
    pub unmarked: Vec<String>,
}

/// The browser, where there is one.
///
/// # Panics
/// Where there is none and `REQUIRE_BROWSER` is set.
pub fn find() -> Option<PathBuf> {
    const NAMES: [&str; 4] = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut places = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = places.find(|place| place.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("REQUIRE_BROWSER").is_none(),
            "none of {NAMES:?} is in PATH"
        );
        eprintln!("skipped: none of {NAMES:?} is in PATH");
    }
    found
}

/// A page at 360 and 1440 pixels, and what the browser's console says.
pub fn look(browser: &PathBuf, page: &str, dark: bool) -> (Vec<Seen>, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("look.html");
    // In a script a text may not hold what ends the script.
    let page = serde_json::to_string(page).unwrap().replace('<', "\\u003c");
    fs::write(&file, include_str!("look.html").replace("PAGE", &page)).unwrap();
    let scheme = u8::from(!dark);
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args([
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--timeout=60000",
            "--dump-dom",
        ])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let dom = Html::parse_document(&String::from_utf8_lossy(&output.stdout));
    let seen = dom.select(&Selector::parse("#seen").unwrap()).next();
    let seen: String = seen
        .unwrap_or_else(|| panic!("{browser:?} showed nothing: {said}"))
        .text()
        .collect();
    let console = said.lines().filter(|line| line.contains("CONSOLE"));
    (
        serde_json::from_str(&seen).unwrap(),
        console.map(String::from).collect(),
    )
}
