//! The numbers of the figures, from flows in continuous time and the exact minimiser.

use ndarray::{Array1, Array2};
use ndarray_linalg::{Eigh, UPLO};
use rayon::prelude::*;

use super::{Figure, INK, Mark, Panel, Series};
use crate::{
    Error, Result,
    evidence::{distance, fluctuation},
    report::minimizer::grid,
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        dual::Sheet,
        infinite_width::{self, Solution},
        mirror_flow::{self, Options, Run, Status},
        quadrature::Order,
        spline::RepresentationCost,
    },
};

/// Widths and seeds of the middle panels.
pub const WIDTHS: [usize; 6] = [20, 60, 180, 540, 1620, 4860];
const SEEDS: u64 = 5;
/// Places of a curve.
const PLACES: usize = 301;
/// Draws of the limiting process, and the places at which it is looked at.
const DRAWS: u64 = 2_000;
const PROCESS: usize = 61;

fn setting(figure: usize, potential: Potential) -> Result<Setting> {
    let (dataset, activation, scaling) = if figure == 1 {
        (Dataset::figure1(), Activation::Relu, Scaling::Unscaled)
    } else {
        (Dataset::figure2(), Activation::Abs, Scaling::Scaled)
    };
    Ok(Setting {
        dataset,
        activation,
        scaling,
        potential,
        bias: BiasDensity::uniform(1.0)?,
    })
}

fn potentials() -> Result<[(&'static str, Potential); 3]> {
    Ok([
        ("p = 2", Potential::quadratic()),
        ("p = 3", Potential::power(3.0, 1.0)?),
        ("p = 4", Potential::power(4.0, 1.0)?),
    ])
}

fn train(setting: &Setting, width: usize, seed: u64) -> Result<(Network, Run)> {
    let initial = Network::sample(&setting.bias, OutputInit::Zero, width, seed);
    let run = mirror_flow::train(setting, &initial, &Options::default(), &mut |_| {})?;
    Ok((initial, run))
}

fn places() -> Vec<f64> {
    grid(-1.5, 1.5, PLACES)
}

fn series(name: impl Into<String>, mark: Mark, points: Vec<(f64, f64)>) -> Series {
    Series {
        name: name.into(),
        mark,
        points,
        interval: Vec::new(),
    }
}

fn curve(name: impl Into<String>, mark: Mark, f: impl Fn(f64) -> f64) -> Series {
    let points = places().into_iter().map(|x| (x, f(x))).collect();
    series(name, mark, points)
}

fn data(dataset: &Dataset, colour: usize) -> Series {
    let pairs = dataset.x().iter().zip(dataset.y());
    let points = pairs.map(|(x, y)| (*x, *y)).collect();
    series("data", Mark::Points(colour), points)
}

fn panel(title: &str, axes: [&str; 2], logarithmic: bool, series: Vec<Series>) -> Panel {
    Panel {
        title: title.into(),
        axes: axes.map(String::from),
        logarithmic: [logarithmic; 2],
        series,
    }
}

/// All four figures.
///
/// # Errors
/// Those of the solvers.
pub fn all() -> Result<Vec<Figure>> {
    Ok(vec![figure1()?, figure2()?, dynamics()?, shape()?])
}

/// Figure 1: ReLU, unscaled potentials. Left networks of width 4860 and h̄, in the middle how far they are
/// off, right five shifts of y with the natural spline.
///
/// # Errors
/// Those of the solvers.
pub fn figure1() -> Result<Figure> {
    let potentials = potentials()?;
    let base = setting(1, potentials[0].1)?;
    let solution = infinite_width::minimize(&base)?;
    let mut left = vec![curve("h̄", Mark::Line(INK), |x| solution.value(x))];
    for (colour, (name, potential)) in potentials.iter().enumerate() {
        let setting = setting(1, *potential)?;
        let network = train(&setting, 4860, 0)?.1.network;
        left.push(curve(
            format!("{name}, n = 4860"),
            Mark::Dashes(colour),
            |x| network.output(Activation::Relu, x),
        ));
    }
    left.push(data(&base.dataset, INK));
    let spline = natural_spline(&base.dataset)?;
    let shifts = [2.5, 1.0, -0.5, -2.0, -3.5];
    let shifted = shifts.into_par_iter().enumerate().map(|(colour, shift)| {
        let setting = Setting {
            dataset: base.dataset.shifted(shift)?,
            ..base.clone()
        };
        let network = train(&setting, 4860, 0)?.1.network;
        let mut drawn = vec![curve(
            format!("y + {shift}").replace("+ -", "− "),
            Mark::Line(colour),
            |x| network.output(Activation::Relu, x),
        )];
        if [2.5, -0.5, -3.5].contains(&shift) {
            let name = if shift == 2.5 { "natural spline" } else { "" };
            drawn.push(curve(name, Mark::Dashes(INK), |x| spline(x) + shift));
        }
        Ok::<_, Error>(drawn)
    });
    let shifted: Vec<Vec<Series>> = shifted.collect::<Result<_>>()?;
    Ok(Figure {
        name: "figure1",
        panels: vec![
            panel("Unscaled potentials, ReLU", ["x", "f"], false, left),
            errors(1)?,
            panel(
                "Shifted data, width 4860",
                ["x", "f"],
                false,
                shifted.concat(),
            ),
        ],
    })
}

/// The natural cubic spline: the representation cost without G₂ and G₃.
fn natural_spline(dataset: &Dataset) -> Result<impl Fn(f64) -> f64 + Sync + use<>> {
    let cost = RepresentationCost {
        slopes_weight: 0.0,
        offset_weight: 0.0,
        ..RepresentationCost::relu(1.0)
    };
    let spline = cost.minimizer(dataset.x(), dataset.y())?.function;
    Ok(move |x: f64| spline.value(&x))
}

/// Figure 2: |·|, scaled potentials. Left networks, in the middle how far they are off h̄, then the density of
/// |h''| and h'' itself.
///
/// # Errors
/// Those of the solvers.
pub fn figure2() -> Result<Figure> {
    let potentials = potentials()?;
    let (mut left, mut density, mut curvature) = (Vec::new(), Vec::new(), Vec::new());
    for (colour, (name, potential)) in potentials.iter().enumerate() {
        let setting = setting(2, *potential)?;
        let solution = infinite_width::minimize(&setting)?;
        let network = train(&setting, 4860, 0)?.1.network;
        left.push(curve(
            format!("{name}, n = 4860"),
            Mark::Line(colour),
            |x| network.output(Activation::Abs, x),
        ));
        let points = grid(-1.0, 1.0, PLACES).into_iter();
        curvature.push(series(
            *name,
            Mark::Line(colour),
            points.map(|x| (x, solution.second_derivative(x))).collect(),
        ));
        let largest = distance::sup(|x| solution.second_derivative(x), 1.0);
        let sizes = grid(0.0, largest, PLACES).into_iter();
        density.push(series(
            *name,
            Mark::Line(colour),
            sizes
                .map(|v| (v, density_of_curvature(&solution, v)))
                .collect(),
        ));
    }
    let gaussian = Setting {
        bias: BiasDensity::gaussian(0.5)?,
        ..setting(2, potentials[0].1)?
    };
    let network = train(&gaussian, 4860, 0)?.1.network;
    left.push(curve("p = 2, Gaussian b", Mark::Dashes(3), |x| {
        network.output(Activation::Abs, x)
    }));
    left.push(data(&gaussian.dataset, INK));
    Ok(Figure {
        name: "figure2",
        panels: vec![
            panel("Scaled potentials, |·|", ["x", "f"], false, left),
            errors(2)?,
            panel(
                "Density of |h''|, ω = 1",
                ["|h''|", "density"],
                false,
                density,
            ),
            panel("Curvature", ["x", "h''"], false, curvature),
        ],
    })
}

/// The density at v ≥ 0 of |h''(x)|, x uniform on \[−1, 1\], for B ~ U(−1, 1): h'' = (φ*)'(U), U linear between
/// the data, so that each crossing of ±v adds φ''(v)/|U'|, times ½.
pub fn density_of_curvature(solution: &Solution, v: f64) -> f64 {
    let setting = solution.setting();
    let x = setting.dataset.x();
    let force = |c: f64| solution.dual_function(Sheet::Both, c);
    let level = setting.potential.mirror_map(v);
    let crossings = x.windows(2).map(|pair| {
        let (left, right) = (force(pair[0]), force(pair[1]));
        let inside = |u: f64| (left.min(right)..left.max(right)).contains(&u);
        let count = u8::from(inside(level)) + u8::from(inside(-level));
        f64::from(count) * (pair[1] - pair[0]) / (right - left).abs().max(f64::MIN_POSITIVE)
    });
    0.5 * setting.potential.hessian(v) * crossings.sum::<f64>()
}

/// sup|f_n − h̄| against n: mean and spread over seeds, and as the fluctuation law predicts them.
fn errors(figure: usize) -> Result<Panel> {
    let mut drawn = Vec::new();
    for (colour, (name, potential)) in potentials()?.into_iter().enumerate() {
        let setting = setting(figure, potential)?;
        let solution = infinite_width::minimize(&setting)?;
        let [mean, sd] = predicted_error(&solution)?;
        let at = |width: &usize| (*width as f64, (*width as f64).sqrt());
        let band = WIDTHS.iter().map(at);
        let interval = band
            .clone()
            .map(|(_, root)| ((mean - sd) / root, (mean + sd) / root));
        // Under unscaled potentials one law holds for all.
        if figure == 2 || colour == 0 {
            drawn.push(Series {
                name: format!(
                    "predicted{}",
                    if figure == 2 {
                        format!(", {name}")
                    } else {
                        String::new()
                    }
                ),
                mark: Mark::Band(colour),
                points: band.map(|(n, root)| (n, mean / root)).collect(),
                interval: interval.collect(),
            });
        }
        let (mut points, mut interval) = (Vec::new(), Vec::new());
        for width in WIDTHS {
            let runs = (0..SEEDS)
                .into_par_iter()
                .map(|seed| train(&setting, width, seed));
            let runs: Vec<(Network, Run)> = runs.collect::<Result<_>>()?;
            // A draw that cannot fit the data has no end to compare.
            let fitted = runs
                .iter()
                .filter(|(_, run)| run.status == Status::Converged);
            let errors: Vec<f64> = fitted
                .map(|(_, run)| {
                    let off =
                        |x: f64| run.network.output(setting.activation, x) - solution.value(x);
                    distance::sup(off, 1.5)
                })
                .collect();
            let count = errors.len() as f64;
            let mean = errors.iter().sum::<f64>() / count;
            let squares = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>();
            let sd = (squares / (count - 1.0).max(1.0)).sqrt();
            points.push((width as f64, mean));
            interval.push(((mean - sd).max(0.2 * mean), mean + sd));
        }
        drawn.push(Series {
            name: format!("{name}, {SEEDS} seeds"),
            mark: Mark::Whiskers(colour),
            points,
            interval,
        });
    }
    Ok(panel(
        "Distance to the infinite width",
        ["width n", "sup |f − h̄|"],
        true,
        drawn,
    ))
}

/// Mean and standard deviation of sup over \[−1.5, 1.5\] of the Gaussian process of law 1, by drawing it.
pub fn predicted_error(solution: &Solution) -> Result<[f64; 2]> {
    let points = grid(-1.5, 1.5, PROCESS);
    let covariance = fluctuation::covariance(solution, &points)?;
    let (values, vectors) = covariance
        .eigh(UPLO::Lower)
        .map_err(|_| Error::NotConverged {
            solver: "the eigenvalues of the predicted covariance",
            iterations: 0,
            residual: f64::NAN,
        })?;
    let root = &vectors * &values.mapv(|v| v.max(0.0).sqrt());
    let normal = Network::sample(
        &BiasDensity::gaussian(1.0)?,
        OutputInit::Zero,
        PROCESS * DRAWS as usize,
        0,
    );
    let draws = Array2::from_shape_fn((PROCESS, DRAWS as usize), |(i, j)| {
        normal.b[i * DRAWS as usize + j]
    });
    let paths = root.dot(&draws);
    let sups: Array1<f64> = paths
        .columns()
        .into_iter()
        .map(|path| path.iter().fold(0.0, |a: f64, v| a.max(v.abs())))
        .collect();
    let mean = sups.sum() / DRAWS as f64;
    let squares = sups.mapv(|v| (v - mean).powi(2)).sum();
    Ok([mean, (squares / (DRAWS as f64 - 1.0)).sqrt()])
}

/// Loss against time with the predicted late rate, and displacements against width.
///
/// # Errors
/// Those of the solvers.
pub fn dynamics() -> Result<Figure> {
    let mut losses = Vec::new();
    for (colour, (name, figure, potential)) in [
        ("ReLU, unscaled p = 2", 1, Potential::quadratic()),
        ("|·|, scaled p = 2", 2, Potential::quadratic()),
        ("|·|, scaled p = 3", 2, Potential::power(3.0, 1.0)?),
        ("|·|, scaled p = 4", 2, Potential::power(4.0, 1.0)?),
    ]
    .into_iter()
    .enumerate()
    {
        let setting = setting(figure, potential)?;
        let initial = Network::sample(&setting.bias, OutputInit::Zero, 1620, 0);
        let mut points = Vec::new();
        mirror_flow::train(&setting, &initial, &Options::default(), &mut |state| {
            points.push((state.time, state.point.loss()));
        })?;
        let solution = infinite_width::minimize(&setting)?;
        let limit = setting.limit_potential();
        let kernel = solution.kernel(solution.knots(Order::Fine), |a| 1.0 / limit.hessian(a));
        let values = kernel
            .eigh(UPLO::Lower)
            .map_or(f64::NAN, |(values, _)| values[0]);
        let rate = 2.0 * values / setting.dataset.len() as f64;
        // Through the place where the slowest mode alone is left.
        let from = points
            .iter()
            .position(|(_, loss)| *loss < 1e-11)
            .unwrap_or(points.len() - 1);
        let (time, loss) = points[from];
        let end = points[points.len() - 1].0;
        let times = grid(0.2 * time, end, PLACES).into_iter();
        let line = times.map(|t| (t, loss * (-rate * (t - time)).exp()));
        let line: Vec<(f64, f64)> = line.filter(|(_, loss)| *loss > 1e-16).collect();
        losses.push(series(
            name,
            Mark::Line(colour),
            points
                .into_iter()
                .filter(|(t, l)| *t > 1.0 && *l > 1e-16)
                .collect(),
        ));
        let label = if colour == 0 {
            "predicted late rate"
        } else {
            ""
        };
        losses.push(series(label, Mark::Dashes(INK), line));
    }
    let setting = setting(1, Potential::quadratic())?;
    let runs = WIDTHS[1..]
        .par_iter()
        .map(|&width| Ok((width as f64, train(&setting, width, 0)?.1)));
    let runs: Vec<(f64, Run)> = runs.collect::<Result<_>>()?;
    let moved = |of: &dyn Fn(&Run) -> f64| runs.iter().map(|(n, run)| (*n, of(run))).collect();
    let solution = infinite_width::minimize(&setting)?;
    // |α| is largest where h'' is: h'' = p_B α⁺, and α⁻ is affine in the knot.
    let largest = largest_alpha(&solution);
    let line = |constant: f64, power: f64| {
        runs.iter()
            .map(|(n, _)| (*n, constant * n.powf(-power)))
            .collect()
    };
    let [w, b]: [Vec<(f64, f64)>; 2] = [
        moved(&|run| run.displacement.w),
        moved(&|run| run.displacement.b),
    ];
    let last = |points: &[(f64, f64)]| points.last().map_or(0.0, |(n, v)| v * n * n);
    let displacements = vec![
        series("sup |α|/n", Mark::Line(0), line(largest, 1.0)),
        series("slope −2", Mark::Dashes(1), line(last(&b), 2.0)),
        series("", Mark::Dashes(2), line(last(&w), 2.0)),
        series(
            "max |Δa|",
            Mark::Points(0),
            moved(&|run| run.displacement.a),
        ),
        series("max |Δb|", Mark::Points(1), b),
        series("max |Δw|", Mark::Points(2), w),
    ];
    Ok(Figure {
        name: "dynamics",
        panels: vec![
            panel("Loss, width 1620", ["flow time t", "L"], true, losses),
            panel(
                "Displacements, figure 1, p = 2",
                ["width n", "displacement"],
                true,
                displacements,
            ),
        ],
    })
}

/// sup|α| over both sheets and the support.
fn largest_alpha(solution: &Solution) -> f64 {
    let edge = solution.setting().bias.half_width();
    let on = |sheet: Sheet| distance::sup(|c| solution.alpha(sheet, c), edge);
    Sheet::of(solution.setting().activation)
        .iter()
        .map(|&sheet| on(sheet))
        .fold(0.0, f64::max)
}

/// φ'(n a_k) against the knot, on the line Σλ_i|x_i − c| (`curvature-shape`).
///
/// # Errors
/// Those of the solvers.
pub fn shape() -> Result<Figure> {
    let mut panels = Vec::new();
    for (name, potential) in [
        ("φ = z²", Potential::quadratic()),
        ("φ = (|z|³ + z²)/2", Potential::power(3.0, 1.0)?),
        ("φ = (z⁴ + z²)/2", Potential::power(4.0, 1.0)?),
        ("hypentropy, β = 1", Potential::hypentropy(1.0)?),
    ] {
        let setting = setting(2, potential)?;
        let (initial, run) = train(&setting, 1620, 0)?;
        let n = initial.width() as f64;
        let duals = run.network.a.iter().map(|a| potential.mirror_map(n * a));
        let points = run.network.knots().into_iter().zip(duals).collect();
        let solution = infinite_width::minimize(&setting)?;
        let force = |c: f64| solution.dual_function(Sheet::Both, c);
        let line = grid(-1.0, 1.0, PLACES).into_iter().map(|c| (c, force(c)));
        panels.push(panel(
            name,
            ["knot w b", "φ'(n a)"],
            false,
            vec![
                series("network, n = 1620", Mark::Points(0), points),
                series("Σ λ|x − c|, infinite width", Mark::Line(1), line.collect()),
            ],
        ));
    }
    Ok(Figure {
        name: "shape",
        panels,
    })
}

/// Data, h̄ with the band of two standard deviations of networks of a width, and h''.
///
/// # Errors
/// Those of [`fluctuation::standard_deviations`].
pub fn minimizer(solution: &Solution, width: Option<usize>) -> Result<Figure> {
    let dataset = &solution.setting().dataset;
    let edge = 1.5 * dataset.largest_input();
    let points = grid(-edge, edge, PLACES);
    let values: Vec<(f64, f64)> = points.iter().map(|&x| (x, solution.value(x))).collect();
    let mut drawn = Vec::new();
    if let Some(width) = width {
        let root = (width as f64).sqrt();
        let sds = fluctuation::standard_deviations(solution, &points)?;
        let interval = values.iter().zip(sds).map(|((_, h), sd)| {
            let two = 2.0 * sd / root;
            (h - two, h + two)
        });
        drawn.push(Series {
            name: format!("± 2 sd at n = {width}"),
            mark: Mark::Band(0),
            points: values.clone(),
            interval: interval.collect(),
        });
    }
    drawn.push(series("h̄", Mark::Line(0), values));
    drawn.push(data(dataset, INK));
    let curvature = points.iter().map(|&x| (x, solution.second_derivative(x)));
    Ok(Figure {
        name: "minimizer",
        panels: vec![
            panel("Infinite width", ["x", "h̄"], false, drawn),
            panel(
                "Curvature",
                ["x", "h''"],
                false,
                vec![series("h''", Mark::Line(1), curvature.collect())],
            ),
        ],
    })
}
