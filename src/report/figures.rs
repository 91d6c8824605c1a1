//! The paper's two figures and three of our own, as SVG with their numbers as CSV: what is shown is in
//! [`numbers`], how it is drawn in [`drawing`], which claim each panel illustrates here.

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

/// One of the figures, before it is drawn.
#[derive(Debug)]
pub struct Plan {
    /// Name of its files.
    pub name: &'static str,
    /// What is to be seen.
    pub caption: &'static str,
    /// Computes what it shows.
    pub numbers: fn() -> Result<Figure>,
    /// The titles of its panels, each with the ids of the claims that it illustrates.
    pub panels: &'static [(&'static str, &'static [&'static str])],
}

/// The figures that [`numbers::all`] draws, in that order.
pub static PLANS: [Plan; 5] = [
    Plan {
        name: "figure1",
        caption: "ReLU under unscaled potentials. Three potentials lead to one function; networks are off it as \
                  far as the fluctuation law predicts (bands: mean and standard deviation); where the data are \
                  shifted it leaves the natural spline.",
        numbers: numbers::figure1,
        panels: &[
            (
                "Unscaled potentials, ReLU",
                &["relu-minimizer", "gradient-flow-agreement"],
            ),
            (
                "Distance to the infinite width",
                &["relu-minimizer", "fluctuation-law"],
            ),
            (
                "Shifted data, width 4860",
                &["relu-minimizer", "prior-results"],
            ),
        ],
    },
    Plan {
        name: "figure2",
        caption: "Absolute values under scaled potentials. Each potential leads to a function of its own, and so \
                  does another density of the biases; the larger p, the more evenly the curvature is spread.",
        numbers: numbers::figure2,
        panels: &[
            (
                "Scaled potentials, |·|",
                &["abs-minimizer", "where-and-how-much"],
            ),
            (
                "Distance to the infinite width",
                &["abs-minimizer", "fluctuation-law"],
            ),
            (
                "Density of |h''|, ω = 1",
                &["where-and-how-much", "notebook-audit"],
            ),
        ],
    },
    Plan {
        name: "relu-scaled",
        caption: "ReLU under scaled potentials, where the penalty does not separate: what is learned, its curvature, \
                  and the odd part of the output weights, which is affine in the knot for p = 2 alone.",
        numbers: numbers::relu_scaled,
        panels: &[
            ("Scaled potentials, ReLU", &["relu-scaled"]),
            ("Curvature h'' = p_B α⁺", &["relu-scaled"]),
            ("Odd part α⁻", &["relu-scaled"]),
        ],
    },
    Plan {
        name: "dynamics",
        caption: "The loss against flow time with the predicted late rate, and how far the parameters move at \
                  growing width.",
        numbers: numbers::dynamics,
        panels: &[
            ("Loss, width 1620", &["loss-decay"]),
            ("Displacements, figure 1, p = 2", &["lazy-unscaled"]),
        ],
    },
    Plan {
        name: "shape",
        caption: "The shape of the penalty, read from trained networks: φ'(n a) of each neuron against its knot, \
                  on the piecewise linear function that the theory predicts.",
        numbers: numbers::shape,
        panels: &[
            ("φ = z²", &["curvature-shape"]),
            ("φ = (|z|³ + z²)/2", &["curvature-shape"]),
            ("φ = (z⁴ + z²)/2", &["curvature-shape"]),
            ("hypentropy, β = 1", &["curvature-shape"]),
        ],
    },
];

impl Plan {
    /// Whether a panel illustrates one of these claims.
    pub fn illustrates(&self, ids: &[&str]) -> bool {
        let shown = |(_, claims): &(_, &[&str])| claims.iter().any(|claim| ids.contains(claim));
        self.panels.iter().any(shown)
    }
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
