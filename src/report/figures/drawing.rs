//! Panels as SVG: title and legend above the axes, so that neither covers what is drawn.

use std::ops::Range;

use plotters::{
    coord::{
        Shift,
        ranged1d::{DefaultFormatting, KeyPointHint},
        types::RangedCoordf64,
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{Mark, Panel, Series};
use crate::{Error, Result, report::number};

/// Size of a panel in pixels.
pub const SIZE: (u32, u32) = (460, 430);
/// Units of the drawing in a pixel: the backend's coordinates are whole numbers.
const FINE: i32 = 10;
/// Pixels of a title, of a line of the legend, and of its left edge.
const TITLE: i32 = 26;
const LINE: i32 = 18;
const EDGE: i32 = 58;
/// Share of the plot's height that is kept free for an inset.
const INSET: f64 = 0.45;

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
const GREY: RGBColor = RGBColor(128, 128, 128);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = Box<dyn std::error::Error>;

/// Panels side by side. Ink is `currentColor` and the ground transparent, for a page that sets both.
///
/// # Errors
/// [`Error::Data`] where a panel has no finite point to draw.
pub(super) fn row(panels: &[Panel]) -> Result<String> {
    let pixels = (SIZE.0 * panels.len() as u32, SIZE.1);
    let units = (pixels.0 * FINE as u32, pixels.1 * FINE as u32);
    let mut text = String::new();
    let lines = panels.iter().map(legend_lines);
    let lines = lines.max().unwrap_or(0);
    let drawn = {
        let root = SVGBackend::with_string(&mut text, units).into_drawing_area();
        let areas = root.split_evenly((1, panels.len()));
        let mut pairs = panels.iter().zip(&areas);
        pairs
            .try_for_each(|(panel, area)| with_legend(panel, area, lines))
            .and_then(|()| Ok(root.present()?))
    };
    drawn.map_err(|error| Error::Data {
        place: "figure".into(),
        what: error.to_string(),
        remedy: "draw data with finite values".into(),
    })?;
    let size = |(width, height): (u32, u32)| format!("width=\"{width}\" height=\"{height}\"");
    Ok(text
        .replacen(&size(units), &size(pixels), 1)
        .replace("#000000", "currentColor"))
}

fn colour(number: usize) -> RGBColor {
    COLOURS[number % COLOURS.len()]
}

fn units(pixels: f64) -> i32 {
    (pixels * f64::from(FINE)).round() as i32
}

fn stroke(colour: RGBColor, pixels: f64) -> ShapeStyle {
    colour.stroke_width(units(pixels) as u32)
}

fn text<'a>(pixels: f64) -> TextStyle<'a> {
    ("sans-serif", units(pixels)).into_font().color(&BLACK)
}

fn listed(panel: &Panel) -> impl Iterator<Item = &Series> {
    panel.series.iter().filter(|one| one.listed)
}

/// Lines of the legend, two names in each; one name says nothing that title and axes do not.
fn legend_lines(panel: &Panel) -> i32 {
    match listed(panel).count() {
        1 => 0,
        count => count.div_ceil(2) as i32,
    }
}

fn with_legend(panel: &Panel, area: &Area<'_>, lines: i32) -> std::result::Result<(), Failure> {
    let (width, _) = area.dim_in_pixel();
    let centre = (width as i32 / 2, units(f64::from(TITLE) / 2.0));
    let middle = |at: HPos| Pos::new(at, VPos::Center);
    area.draw(&Text::new(
        panel.title.clone(),
        centre,
        text(16.0).pos(middle(HPos::Center)),
    ))?;
    if legend_lines(panel) > 0 {
        for (k, series) in listed(panel).enumerate() {
            let column = (width as i32 - units(f64::from(EDGE))) / 2;
            let x = units(f64::from(EDGE)) + (k % 2) as i32 * column;
            let y = units(f64::from(TITLE + LINE / 2) + f64::from(LINE) * (k / 2) as f64);
            swatch(series.mark, area, (x, y))?;
            let place = (x + units(26.0), y);
            let style = text(12.5).pos(middle(HPos::Left));
            area.draw(&Text::new(series.name.clone(), place, style))?;
        }
    }
    let (_, below) = area.split_vertically(units(f64::from(TITLE + LINE * lines)));
    plot(panel, &below, 1.0)
}

/// What a mark looks like, 20 pixels wide.
fn swatch(mark: Mark, area: &Area<'_>, (x, y): (i32, i32)) -> std::result::Result<(), Failure> {
    let line = |from: f64, to: f64| vec![(x + units(from), y), (x + units(to), y)];
    match mark {
        Mark::Line(of) => area.draw(&PathElement::new(line(0.0, 20.0), stroke(colour(of), 2.0)))?,
        Mark::Dashes(of) => {
            area.draw(&PathElement::new(line(0.0, 8.0), stroke(colour(of), 2.0)))?;
            area.draw(&PathElement::new(line(12.0, 20.0), stroke(colour(of), 2.0)))?;
        }
        Mark::Points(of) | Mark::Whiskers(of) => {
            let centre = (x + units(10.0), y);
            if matches!(mark, Mark::Whiskers(_)) {
                let ends = [-6.0, 6.0].map(|end| (centre.0, y + units(end)));
                area.draw(&PathElement::new(ends, stroke(colour(of), 2.0)))?;
            }
            area.draw(&Circle::new(centre, units(3.5), colour(of).filled()))?;
        }
        Mark::Band(of) => {
            let corners = [(x, y - units(5.0)), (x + units(20.0), y + units(5.0))];
            area.draw(&Rectangle::new(corners, colour(of).mix(0.3).filled()))?;
        }
    }
    Ok(())
}

/// Where a point is on the axes: logarithmic ones hold log₁₀.
fn placed(panel: &Panel, (x, y): (f64, f64)) -> (f64, f64) {
    let [along, up] = panel.logarithmic;
    let place = |logarithmic: bool, v: f64| if logarithmic { v.log10() } else { v };
    (place(along, x), place(up, y))
}

fn finite((x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite()
}

/// The axes with what is on them; `size` is 1 for a panel, less for an inset.
fn plot(panel: &Panel, area: &Area<'_>, size: f64) -> std::result::Result<(), Failure> {
    let ends = panel.series.iter().flat_map(|series| {
        let pairs = series.points.iter().zip(&series.interval);
        pairs.flat_map(|((x, _), (low, high))| [(*x, *low), (*x, *high)])
    });
    let points = panel.series.iter().flat_map(|series| series.points.clone());
    let shown: Vec<(f64, f64)> = points
        .chain(ends)
        .map(|point| placed(panel, point))
        .filter(finite)
        .collect();
    if shown.is_empty() {
        return Err(format!("the panel `{}` is empty", panel.title).into());
    }
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        let margin = 0.04 * (high - low).max(1e-9);
        (low - margin)..(high + margin)
    };
    let x = range(&mut shown.iter().map(|point| point.0));
    let y = range(&mut shown.iter().map(|point| point.1));
    let free = if panel.inset.is_some() { INSET } else { 0.0 };
    let top = y.start + (y.end - y.start) / (1.0 - free);
    let most = if size < 1.0 { 4 } else { 7 };
    let [along, up] = panel.logarithmic;
    // Beside an inset its panel's axis has no numbers.
    let [x_keys, y_keys] = [ticks(&x, along, most), ticks(&y, up, most)];
    let mut chart = ChartBuilder::on(area)
        .margin(units(8.0 * size))
        .x_label_area_size(units(if size < 1.0 { 16.0 } else { 40.0 }))
        .y_label_area_size(units(if size < 1.0 { 40.0 } else { 50.0 }))
        .build_cartesian_2d(Axis::new(x, x_keys), Axis::new(y.start..top, y_keys))?;
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.25).stroke_width(units(1.0) as u32))
        .axis_style(GREY.stroke_width(units(1.0) as u32))
        .set_all_tick_mark_size(units(4.0))
        .label_style(text(if size < 1.0 { 11.0 } else { 12.5 }));
    let formats = [along, up].map(|logarithmic| {
        move |v: &f64| {
            if logarithmic {
                power_of_ten(*v)
            } else {
                number((v * 1e9).round() / 1e9, 4).replace('-', "−")
            }
        }
    });
    mesh.x_label_formatter(&formats[0])
        .y_label_formatter(&formats[1]);
    if size == 1.0 {
        mesh.x_desc(&panel.axes[0])
            .y_desc(&panel.axes[1])
            .axis_desc_style(text(14.0));
    }
    mesh.draw()?;
    for series in &panel.series {
        let at = |point: &(f64, f64)| placed(panel, *point);
        let line: Vec<(f64, f64)> = series.points.iter().map(at).filter(finite).collect();
        let pairs = series.points.iter().zip(&series.interval);
        let ends: Vec<[(f64, f64); 2]> = pairs
            .map(|((x, _), (low, high))| [at(&(*x, *low)), at(&(*x, *high))])
            .filter(|pair| pair.iter().all(finite))
            .collect();
        match series.mark {
            Mark::Line(of) => {
                chart.draw_series(LineSeries::new(line, stroke(colour(of), 2.0 * size)))?;
            }
            Mark::Dashes(of) => {
                let style = stroke(colour(of), 2.0 * size);
                let dashes = DashedLineSeries::new(line, units(6.0), units(4.0), style);
                chart.draw_series(dashes)?;
            }
            Mark::Points(of) => {
                let radius = units(if line.len() > 50 { 2.0 } else { 4.0 } * size);
                let circle = |p: &(f64, f64)| Circle::new(*p, radius, colour(of).filled());
                chart.draw_series(line.iter().map(circle))?;
            }
            Mark::Whiskers(of) => {
                // Side by side on a logarithmic axis, where they share their x.
                let aside = if along {
                    0.025 * (of as f64 - 1.0)
                } else {
                    0.0
                };
                let moved = |(x, y): (f64, f64)| (x + aside, y);
                let style = stroke(colour(of), 2.0);
                let bar = |pair: [(f64, f64); 2]| PathElement::new(pair.map(moved).to_vec(), style);
                chart.draw_series(ends.into_iter().map(bar))?;
                let circle =
                    |p: &(f64, f64)| Circle::new(moved(*p), units(3.5), colour(of).filled());
                chart.draw_series(line.iter().map(circle))?;
            }
            Mark::Band(of) => {
                let low = ends.iter().map(|pair| pair[0]);
                let high = ends.iter().rev().map(|pair| pair[1]);
                let outline: Vec<(f64, f64)> = low.chain(high).collect();
                let band = Polygon::new(outline, colour(of).mix(0.22));
                chart.draw_series(std::iter::once(band))?;
            }
        }
    }
    if let Some(inset) = &panel.inset {
        let plotting = chart.plotting_area().strip_coord_spec();
        let (width, height) = plotting.dim_in_pixel();
        let share = |of: u32, share: f64| (f64::from(of) * share) as i32;
        let frame = plotting.shrink(
            (share(width, 0.02), share(height, 0.01)),
            (share(width, 0.96), share(height, INSET - 0.03)),
        );
        let style = text(12.0).pos(Pos::new(HPos::Center, VPos::Center));
        let centre = (share(width, 0.48), units(7.0));
        frame.draw(&Text::new(inset.title.clone(), centre, style))?;
        let (_, below) = frame.split_vertically(units(12.0));
        plot(inset, &below, 0.7)?;
    }
    Ok(())
}

/// A linear axis with numbers at given places.
struct Axis {
    coordinate: RangedCoordf64,
    keys: Vec<f64>,
}

impl Axis {
    fn new(range: Range<f64>, keys: Vec<f64>) -> Self {
        Self {
            coordinate: range.into(),
            keys,
        }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.coordinate.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.keys.clone()
    }

    fn range(&self) -> Range<f64> {
        self.coordinate.range()
    }
}

/// Round numbers of a range, at most so many; of a logarithmic one powers of ten, or 1, 2 and 5 times
/// such where those are too few.
fn ticks(range: &Range<f64>, logarithmic: bool, most: usize) -> Vec<f64> {
    let (low, high) = (range.start, range.end);
    let multiples = |step: f64| -> Vec<f64> {
        let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
        (first..=last).map(|k| k as f64 * step).collect()
    };
    if logarithmic {
        let fine = multiples(1.0)
            .into_iter()
            .chain([low.floor()])
            .flat_map(|decade| [1.0_f64, 2.0, 5.0].map(|factor| decade + factor.log10()));
        let mut fine: Vec<f64> = fine.filter(|v| (low..=high).contains(v)).collect();
        fine.sort_by(f64::total_cmp);
        fine.dedup();
        let coarser = (1..).map(|step| multiples(f64::from(step)));
        return std::iter::once(fine)
            .chain(coarser)
            .find(|ticks| ticks.len() <= most)
            .unwrap_or_default();
    }
    let decade = 10.0_f64.powf(((high - low) / most as f64).log10().floor());
    [1.0, 2.0, 5.0, 10.0, 20.0]
        .map(|factor| multiples(factor * decade))
        .into_iter()
        .find(|ticks| ticks.len() <= most)
        .unwrap_or_default()
}

/// 10^v for a label.
fn power_of_ten(v: f64) -> String {
    if v.fract() != 0.0 || (-2.0..=3.0).contains(&v) {
        return number(10.0_f64.powf(v), 1);
    }
    let superscript = |digit: char| match digit.to_digit(10) {
        Some(digit) => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize],
        None => '⁻',
    };
    let exponent: String = v.to_string().chars().map(superscript).collect();
    format!("10{exponent}")
}
