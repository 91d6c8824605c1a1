//! The paper's two figures and three of our own, as SVG with their numbers as CSV: what is shown is in
//! [`numbers`], how it is drawn in [`drawing`].

pub mod drawing;
pub mod numbers;

use std::{fmt::Write as _, path::Path};

use super::{make_folder, write_whole};
use crate::Result;

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A line; each with the number of its colour.
    Line(usize),
    /// A dashed line.
    Dashes(usize),
    /// Points.
    Points(usize),
    /// Points with an interval.
    Whiskers(usize),
    /// The area between two curves.
    Band(usize),
}

/// Points (x, y) and, for intervals and bands, (low, high).
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// Whether the legend says so.
    pub listed: bool,
    /// How it is drawn.
    pub mark: Mark,
    /// x and y.
    pub points: Vec<(f64, f64)>,
    /// Low and high at each point; empty where there is no interval.
    pub interval: Vec<(f64, f64)>,
}

/// One pair of axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// Names of the axes.
    pub axes: [String; 2],
    /// Whether the axes are logarithmic.
    pub logarithmic: [bool; 2],
    /// What is drawn, later series above earlier ones.
    pub series: Vec<Series>,
    /// A smaller one above the curves, without names for its axes.
    pub inset: Option<Box<Panel>>,
}

/// A row of panels.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Name of its files.
    pub name: &'static str,
    /// From left to right.
    pub panels: Vec<Panel>,
}

/// The number of the page's ink among the colours.
pub const INK: usize = 6;
/// Ink and ground by the reader's scheme: black becomes `currentColor`.
const STYLE: &str = "<style>svg{color:#1a1a1a;background:#ffffff}\
                     @media(prefers-color-scheme:dark){svg{color:#e6e6e6;background:#16181c}}</style>";

impl Figure {
    /// The numbers: one row a point, with its panel and series.
    pub fn csv(&self) -> String {
        let mut text = String::from("panel,series,x,y,low,high\n");
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let panels = self.panels.iter();
        for panel in panels.flat_map(|panel| std::iter::once(panel).chain(panel.inset.as_deref())) {
            for series in &panel.series {
                for (k, (x, y)) in series.points.iter().enumerate() {
                    let interval = series.interval.get(k);
                    let ends = interval.map_or(",".into(), |(low, high)| format!("{low},{high}"));
                    let [panel, series] = [&panel.title, &series.name].map(|name| quoted(name));
                    let _ = writeln!(text, "{panel},{series},{x},{y},{ends}");
                }
            }
        }
        text
    }

    /// The drawing, which follows the reader's colour scheme.
    ///
    /// # Errors
    /// [`crate::Error::Data`] where a panel has no finite point to draw.
    pub fn svg(&self) -> Result<String> {
        let text = drawing::row(&self.panels)?;
        Ok(match text.find('>') {
            Some(end) => format!("{}{STYLE}{}", &text[..=end], &text[end + 1..]),
            None => text,
        })
    }

    /// Writes NAME.svg and NAME.csv into a folder: their names.
    ///
    /// # Errors
    /// [`crate::Error::File`] where the folder cannot be written to; those of [`Self::svg`].
    pub fn write(&self, folder: &Path) -> Result<[String; 2]> {
        make_folder(folder)?;
        let write = |ending: &str, contents: String| -> Result<String> {
            let path = folder.join(format!("{}.{ending}", self.name));
            write_whole(&path, contents.as_bytes())?;
            Ok(path.display().to_string())
        };
        Ok([write("svg", self.svg()?)?, write("csv", self.csv())?])
    }
}

impl Panel {
    /// The drawing of this panel alone, its ink `currentColor` and its ground transparent: for a page that
    /// sets both.
    ///
    /// # Errors
    /// [`crate::Error::Data`] where it has no finite point to draw.
    pub fn svg(&self) -> Result<String> {
        drawing::row(std::slice::from_ref(self))
    }
}
