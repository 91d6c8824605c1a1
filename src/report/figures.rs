//! The paper's two figures and two of our own, as SVG with their numbers as CSV; the numbers are in
//! [`numbers`], the drawing and which claim each panel illustrates are here.

pub mod numbers;

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::{fmt::Write as _, path::Path};

use super::{make_folder, write_whole};
use crate::{Error, Result};

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
    /// In the legend.
    pub name: String,
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
}

/// A row of panels.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Name of its files.
    pub name: &'static str,
    /// From left to right.
    pub panels: Vec<Panel>,
}

/// One of the four figures, before it is drawn.
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
pub static PLANS: [Plan; 4] = [
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
            ("Curvature", &["where-and-how-much"]),
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

/// Okabe and Ito's colours, told apart with any colour vision, and the page's ink.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    BLACK,
];
/// The number of the page's ink among the colours.
pub const INK: usize = 6;

/// Size of a panel in pixels.
pub const SIZE: (u32, u32) = (460, 400);
/// Ink and ground by the reader's scheme: black becomes `currentColor`.
const STYLE: &str = "<style>svg{color:#1a1a1a;background:#ffffff}\
                     @media(prefers-color-scheme:dark){svg{color:#e6e6e6;background:#16181c}}</style>";

impl Figure {
    /// The numbers: one row a point, with its panel and series.
    pub fn csv(&self) -> String {
        let mut text = String::from("panel,series,x,y,low,high\n");
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        for panel in &self.panels {
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
    /// [`Error::Data`] where a panel has no finite point to draw.
    pub fn svg(&self) -> Result<String> {
        let text = row(&self.panels)?;
        Ok(match text.find('>') {
            Some(end) => format!("{}{STYLE}{}", &text[..=end], &text[end + 1..]),
            None => text,
        })
    }

    /// Writes NAME.svg and NAME.csv into a folder: their names.
    ///
    /// # Errors
    /// [`Error::File`] where the folder cannot be written to; those of [`Self::svg`].
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
    /// [`Error::Data`] where it has no finite point to draw.
    pub fn svg(&self) -> Result<String> {
        row(std::slice::from_ref(self))
    }
}

fn row(panels: &[Panel]) -> Result<String> {
    let mut text = String::new();
    let failed = |error: &dyn std::fmt::Display| Error::Data {
        place: "figure".into(),
        what: error.to_string(),
        remedy: "draw data with finite values".into(),
    };
    {
        let size = (SIZE.0 * panels.len() as u32, SIZE.1);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        for (panel, area) in panels.iter().zip(&root.split_evenly((1, panels.len()))) {
            draw(panel, area).map_err(|error| failed(&error))?;
        }
        root.present().map_err(|error| failed(&error))?;
    }
    Ok(text.replace("#000000", "currentColor"))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = Box<dyn std::error::Error>;

fn draw(panel: &Panel, area: &Area<'_>) -> std::result::Result<(), Failure> {
    // Logarithmic axes hold log₁₀ and say 10^k.
    let place = |axis: usize, v: f64| {
        if panel.logarithmic[axis] {
            v.log10()
        } else {
            v
        }
    };
    let at = |(x, y): (f64, f64)| (place(0, x), place(1, y));
    let shown: Vec<(f64, f64)> = panel
        .series
        .iter()
        .flat_map(|series| {
            let ends = series.points.iter().zip(&series.interval);
            let ends = ends.flat_map(|((x, _), (low, high))| [(*x, *low), (*x, *high)]);
            series
                .points
                .iter()
                .copied()
                .chain(ends)
                .collect::<Vec<_>>()
        })
        .map(at)
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect();
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        let margin = 0.04 * (high - low).max(1e-9);
        (low - margin)..(high + margin)
    };
    if shown.is_empty() {
        return Err(format!("the panel `{}` is empty", panel.title).into());
    }
    let x = range(&mut shown.iter().map(|point| point.0));
    let y = range(&mut shown.iter().map(|point| point.1));
    // Room for the legend above what is drawn; series without a name are not in it.
    let named = panel.series.iter().filter(|one| !one.name.is_empty());
    let room = (0.05 + 0.05 * named.count() as f64).min(0.6);
    let top = y.start + (y.end - y.start) / (1.0 - room);
    let text = |size: u32| ("sans-serif", size).into_font().color(&BLACK);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, text(17))
        .margin(10)
        .x_label_area_size(42)
        .y_label_area_size(58)
        .build_cartesian_2d(x, y.start..top)?;
    let label = |axis: usize, v: f64| {
        if panel.logarithmic[axis] {
            super::number(10.0_f64.powf(v), 1)
        } else {
            super::number((v * 1e6).round() / 1e6, 3)
        }
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(128, 128, 128).mix(0.25))
        .axis_style(RGBColor(128, 128, 128))
        .x_labels(7)
        .y_labels(7)
        .x_label_formatter(&|v| label(0, *v))
        .y_label_formatter(&|v| label(1, *v))
        .x_desc(&panel.axes[0])
        .y_desc(&panel.axes[1])
        .label_style(text(13))
        .axis_desc_style(text(14))
        .draw()?;
    for series in &panel.series {
        let points = || series.points.iter().map(|point| at(*point));
        let finite = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
        let line: Vec<(f64, f64)> = points().filter(finite).collect();
        let ends = series.points.iter().zip(&series.interval);
        let ends: Vec<[(f64, f64); 2]> = ends
            .map(|((x, _), (low, high))| [at((*x, *low)), at((*x, *high))])
            .filter(|pair| pair.iter().all(finite))
            .collect();
        let named = !series.name.is_empty();
        match series.mark {
            Mark::Line(colour) => {
                let colour = COLOURS[colour % COLOURS.len()];
                let drawn = chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
                if named {
                    drawn.label(&series.name).legend(move |(x, y)| {
                        PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2))
                    });
                }
            }
            Mark::Dashes(colour) => {
                let colour = COLOURS[colour % COLOURS.len()];
                let drawn =
                    chart.draw_series(DashedLineSeries::new(line, 5, 4, colour.stroke_width(2)))?;
                if named {
                    drawn.label(&series.name).legend(move |place| {
                        let stroke = colour.stroke_width(2);
                        EmptyElement::at(place)
                            + PathElement::new([(0, 0), (8, 0)], stroke)
                            + PathElement::new([(12, 0), (20, 0)], stroke)
                    });
                }
            }
            Mark::Points(colour) => {
                let colour = COLOURS[colour % COLOURS.len()];
                let radius = if line.len() > 100 { 1 } else { 4 };
                let drawn = chart.draw_series(
                    line.iter()
                        .map(|p| Circle::new(*p, radius, colour.filled())),
                )?;
                if named {
                    drawn
                        .label(&series.name)
                        .legend(move |(x, y)| Circle::new((x + 10, y), 4, colour.filled()));
                }
            }
            Mark::Whiskers(colour) => {
                // Side by side on a logarithmic axis, where they share their x.
                let aside = if panel.logarithmic[0] {
                    0.02 * (colour as f64 - 1.0)
                } else {
                    0.0
                };
                let colour = COLOURS[colour % COLOURS.len()];
                let line = line.iter().map(|(x, y)| (x + aside, *y));
                let ends = ends.iter().map(|pair| pair.map(|(x, y)| (x + aside, y)));
                chart.draw_series(
                    ends.map(|pair| PathElement::new(pair.to_vec(), colour.stroke_width(2))),
                )?;
                let drawn = chart.draw_series(line.map(|p| Circle::new(p, 3, colour.filled())))?;
                if named {
                    drawn
                        .label(&series.name)
                        .legend(move |(x, y)| Circle::new((x + 10, y), 3, colour.filled()));
                }
            }
            Mark::Band(colour) => {
                let colour = COLOURS[colour % COLOURS.len()];
                let low = ends.iter().map(|pair| pair[0]);
                let high = ends.iter().rev().map(|pair| pair[1]);
                let area = Polygon::new(low.chain(high).collect::<Vec<_>>(), colour.mix(0.22));
                let drawn = chart.draw_series(std::iter::once(area))?;
                if named {
                    drawn.label(&series.name).legend(move |(x, y)| {
                        Rectangle::new([(x, y - 5), (x + 20, y + 5)], colour.mix(0.3).filled())
                    });
                }
            }
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(TRANSPARENT)
        .border_style(TRANSPARENT)
        .label_font(text(13).pos(Pos::new(HPos::Left, VPos::Center)))
        .draw()?;
    Ok(())
}
