//! What the figures show, from flows in continuous time and the exact minimiser. Nothing is worked out here:
//! curves, points and bands are put together into panels.

use rayon::prelude::*;

use super::{Figure, INK, Mark, Panel, Series};
use crate::{
    Result,
    evidence::{distance, ensemble, ensemble::Member, fluctuation, prediction},
    report::minimizer::grid,
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        dual::Sheet,
        infinite_width::{self, Solution},
        mirror_flow::{self, Options},
        spline::RepresentationCost,
    },
};

/// Widths and seeds of the middle panels.
pub const WIDTHS: [usize; 6] = [20, 60, 180, 540, 1620, 4860];
const SEEDS: u64 = 5;
/// Width of the networks whose functions are drawn, and of those that are looked into.
const WIDE: usize = 4860;
const MIDDLING: usize = 1620;
/// Places of a curve.
const PLACES: usize = 301;
/// Neurons shown of a network.
const NEURONS: usize = 120;

const POWERS: [&str; 3] = ["p = 2", "p = 3", "p = 4"];

/// The setting of one of the paper's figures under each of its potentials, ω = 1.
///
/// # Errors
/// None: the parameters are admissible.
pub fn settings(figure: usize) -> Result<[Setting; 3]> {
    let (dataset, activation, scaling) = if figure == 1 {
        (Dataset::figure1(), Activation::Relu, Scaling::Unscaled)
    } else {
        (Dataset::figure2(), Activation::Abs, Scaling::Scaled)
    };
    let bias = BiasDensity::uniform(1.0)?;
    let of = |potential| Setting {
        dataset: dataset.clone(),
        activation,
        scaling,
        potential,
        bias,
    };
    Ok([
        of(Potential::quadratic()),
        of(Potential::power(3.0, 1.0)?),
        of(Potential::power(4.0, 1.0)?),
    ])
}

fn solve(settings: &[Setting]) -> Result<Vec<Solution>> {
    settings.iter().map(infinite_width::minimize).collect()
}

fn series(name: impl Into<String>, mark: Mark, points: Vec<(f64, f64)>) -> Series {
    Series {
        name: name.into(),
        listed: true,
        mark,
        points,
        interval: Vec::new(),
    }
}

fn unlisted(series: Series) -> Series {
    Series {
        listed: false,
        ..series
    }
}

fn curve(name: impl Into<String>, mark: Mark, edge: f64, f: impl Fn(f64) -> f64) -> Series {
    let points = grid(-edge, edge, PLACES).into_iter().map(|x| (x, f(x)));
    series(name, mark, points.collect())
}

fn function(name: impl Into<String>, mark: Mark, setting: &Setting, network: &Network) -> Series {
    curve(name, mark, 1.5, |x| network.output(setting.activation, x))
}

/// The band of two standard deviations of networks of a width about a curve.
fn band(
    solution: &Solution,
    width: usize,
    edge: f64,
    about: impl Fn(f64) -> f64,
) -> Result<Series> {
    let points = grid(-edge, edge, PLACES);
    let sds = fluctuation::standard_deviations(solution, &points)?;
    let points: Vec<(f64, f64)> = points.into_iter().map(|x| (x, about(x))).collect();
    let two = sds.iter().map(|sd| 2.0 * sd / (width as f64).sqrt());
    Ok(Series {
        name: format!("± 2 sd at n = {width}"),
        listed: true,
        mark: Mark::Band(0),
        interval: points
            .iter()
            .zip(two)
            .map(|((_, y), two)| (y - two, y + two))
            .collect(),
        points,
    })
}

fn data(dataset: &Dataset) -> Series {
    let pairs = dataset.x().iter().zip(dataset.y());
    let points = pairs.map(|(x, y)| (*x, *y)).collect();
    series("data", Mark::Points(INK), points)
}

fn panel(title: &str, axes: [&str; 2], logarithmic: bool, series: Vec<Series>) -> Panel {
    Panel {
        title: title.into(),
        axes: axes.map(String::from),
        logarithmic: [logarithmic; 2],
        series,
        inset: None,
    }
}

/// An inset over the same axis as its panel.
fn inset(title: &str, series: Vec<Series>) -> Option<Box<Panel>> {
    Some(Box::new(panel(title, ["x", title], false, series)))
}

/// All figures.
///
/// # Errors
/// Those of the solvers.
pub fn all() -> Result<Vec<Figure>> {
    let figures: [fn() -> Result<Figure>; 5] = [figure1, figure2, relu_scaled, dynamics, shape];
    figures.into_par_iter().map(|figure| figure()).collect()
}

/// Figure 1: ReLU, unscaled potentials. Left networks of width 4860 and h̄, in the middle how far they are
/// off, right five shifts of y with the natural spline.
///
/// # Errors
/// Those of the solvers.
pub fn figure1() -> Result<Figure> {
    let settings = settings(1)?;
    let base = &settings[0];
    let solution = infinite_width::minimize(base)?;
    let members = ensemble::draw(&settings, &WIDTHS, SEEDS)?;
    let h = |x| solution.value(x);
    let mut left = vec![curve("h̄", Mark::Line(INK), 1.5, h)];
    let mut off = vec![band(&solution, WIDE, 1.5, |_| 0.0)?];
    for (colour, (name, setting)) in POWERS.into_iter().zip(&settings).enumerate() {
        let mark = Mark::Dashes(colour);
        let network = first(&members, colour, WIDE);
        left.push(function(
            format!("{name}, n = {WIDE}"),
            mark,
            setting,
            network,
        ));
        off.push(curve(name, mark, 1.5, |x| {
            network.output(setting.activation, x) - h(x)
        }));
    }
    left.push(data(&base.dataset));
    let spline = natural_spline(&base.dataset)?;
    let shifts = [2.5, 1.0, -0.5, -2.0, -3.5];
    let shifted = shifts.into_par_iter().enumerate().map(|(colour, shift)| {
        let setting = Setting {
            dataset: base.dataset.shifted(shift)?,
            ..base.clone()
        };
        let network = ensemble::train(&setting, WIDE, 0, ensemble::TOLERANCE)?.network;
        let name = format!("y + {shift}").replace("+ -", "− ");
        let mark = Mark::Line(colour);
        let mut drawn = vec![function(&name, mark, &setting, &network)];
        let mut apart = Vec::new();
        if [2.5, -0.5, -3.5].contains(&shift) {
            let shifted = |x| spline(x) + shift;
            drawn.push(if shift == 2.5 {
                curve("natural spline", Mark::Dashes(INK), 1.5, shifted)
            } else {
                let name = format!("natural spline, {name}");
                unlisted(curve(name, Mark::Dashes(INK), 1.5, shifted))
            });
            let solution = infinite_width::minimize(&setting)?;
            apart.push(curve(name, mark, 1.5, |x| solution.value(x) - shifted(x)));
        }
        Ok((drawn, apart))
    });
    let shifted: Vec<(Vec<Series>, Vec<Series>)> = shifted.collect::<Result<_>>()?;
    let (drawn, apart): (Vec<_>, Vec<_>) = shifted.into_iter().unzip();
    Ok(Figure {
        name: "figure1",
        panels: vec![
            Panel {
                inset: inset("f − h̄, and ± 2 sd", off),
                ..panel("Unscaled potentials, ReLU", ["x", "f"], false, left)
            },
            errors(&[solution], &members, true)?,
            Panel {
                inset: inset("h̄ − natural spline", apart.concat()),
                ..panel(
                    "Shifted data, width 4860",
                    ["x", "f"],
                    false,
                    drawn.concat(),
                )
            },
        ],
    })
}

/// The network of seed 0.
fn first(members: &[Member], setting: usize, width: usize) -> &Network {
    let place = members.partition_point(|member| (member.setting, member.width) < (setting, width));
    &members[place].run.network
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

/// Figure 2: |·|, scaled potentials. Left networks, in the middle how far they are off h̄, right the density of
/// |h''| with h'' itself.
///
/// # Errors
/// Those of the solvers.
pub fn figure2() -> Result<Figure> {
    let settings = settings(2)?;
    let solutions = solve(&settings)?;
    let members = ensemble::draw(&settings, &WIDTHS, SEEDS)?;
    let (mut left, mut density, mut curvature) = (Vec::new(), Vec::new(), Vec::new());
    for (colour, (name, solution)) in POWERS.into_iter().zip(&solutions).enumerate() {
        let mark = Mark::Line(colour);
        let network = first(&members, colour, WIDE);
        left.push(function(
            format!("{name}, n = {WIDE}"),
            mark,
            solution.setting(),
            network,
        ));
        let bend = |x| solution.second_derivative(x);
        curvature.push(curve(name, mark, 1.0_f64.next_down(), bend));
        let largest = distance::sup(bend, 1.0_f64.next_down());
        let sizes = grid(0.0, 1.02 * largest, 2 * PLACES).into_iter();
        let points = sizes.map(|v| (v, prediction::curvature_density(solution, v)));
        density.push(series(name, mark, points.collect()));
    }
    let gaussian = Setting {
        bias: BiasDensity::gaussian(0.5)?,
        ..settings[0].clone()
    };
    let run = ensemble::train(&gaussian, WIDE, 0, ensemble::TOLERANCE)?;
    let name = "p = 2, Gaussian b";
    left.push(function(name, Mark::Dashes(3), &gaussian, &run.network));
    left.push(data(&gaussian.dataset));
    Ok(Figure {
        name: "figure2",
        panels: vec![
            panel("Scaled potentials, |·|", ["x", "f"], false, left),
            errors(&solutions, &members, false)?,
            Panel {
                inset: inset("h''", curvature),
                ..panel(
                    "Density of |h''|, ω = 1",
                    ["|h''|", "density"],
                    false,
                    density,
                )
            },
        ],
    })
}

/// sup|f_n − h̄| against n: mean and spread over seeds, and as the fluctuation law predicts them; one h̄ for all
/// potentials where they are unscaled.
fn errors(solutions: &[Solution], members: &[Member], common: bool) -> Result<Panel> {
    let mut drawn = Vec::new();
    for (colour, solution) in solutions.iter().enumerate() {
        let [mean, sd] = prediction::error(solution)?;
        let roots = WIDTHS.map(|width| (width as f64, (width as f64).sqrt()));
        let name = if common {
            "".into()
        } else {
            format!(", {}", POWERS[colour])
        };
        let points: Vec<(f64, f64)> = roots.iter().map(|(n, root)| (*n, mean / root)).collect();
        let ends = roots.map(|(_, root)| ((mean - sd) / root, (mean + sd) / root));
        drawn.push(Series {
            name: format!("predicted{name}"),
            listed: true,
            mark: Mark::Band(colour),
            points: points.clone(),
            interval: ends.to_vec(),
        });
        let name = format!("predicted mean{name}");
        drawn.push(unlisted(series(name, Mark::Line(colour), points)));
    }
    for (colour, name) in POWERS.into_iter().enumerate() {
        let solution = &solutions[if common { 0 } else { colour }];
        let (mut points, mut interval) = (Vec::new(), Vec::new());
        for width in WIDTHS {
            let ours = |member: &&Member| (member.setting, member.width) == (colour, width);
            let errors: Vec<f64> = members
                .iter()
                .filter(ours)
                .filter_map(|member| ensemble::error(&member.run, solution))
                .collect();
            let [mean, sd] = ensemble::spread(&errors);
            points.push((width as f64, mean));
            interval.push((mean - sd, mean + sd));
        }
        drawn.push(Series {
            name: format!("{name}, {SEEDS} seeds"),
            listed: true,
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

/// ReLU under scaled potentials, where the paper stops (`relu-scaled`): h̄, its curvature p_B α⁺, and α⁻, which is
/// affine in the knot for p = 2 alone. Where it is not, curvature and affine part share the cost.
///
/// # Errors
/// Those of the solvers.
pub fn relu_scaled() -> Result<Figure> {
    let settings = settings(1)?.map(|setting| Setting {
        scaling: Scaling::Scaled,
        ..setting
    });
    let solutions = solve(&settings)?;
    let (mut left, mut curvature, mut odd) = (Vec::new(), Vec::new(), Vec::new());
    let members = ensemble::draw(&settings, &[WIDE], 1)?;
    let edge = 1.0_f64.next_down();
    for (colour, (name, solution)) in POWERS.into_iter().zip(&solutions).enumerate() {
        let mark = Mark::Line(colour);
        left.push(curve(format!("h̄, {name}"), mark, 1.5, |x| {
            solution.value(x)
        }));
        curvature.push(curve(name, mark, edge, |x| solution.second_derivative(x)));
        odd.push(curve(name, mark, edge, |c| {
            0.5 * (solution.alpha(Sheet::Plus, c) - solution.alpha(Sheet::Minus, c))
        }));
    }
    for (colour, (name, setting)) in POWERS.into_iter().zip(&settings).enumerate() {
        let network = first(&members, colour, WIDE);
        let drawn = |name: String| function(name, Mark::Dashes(INK), setting, network);
        left.push(match colour {
            0 => drawn(format!("networks, n = {WIDE}")),
            _ => unlisted(drawn(format!("network, {name}"))),
        });
    }
    left.push(data(&settings[0].dataset));
    Ok(Figure {
        name: "relu-scaled",
        panels: vec![
            panel("Scaled potentials, ReLU", ["x", "f"], false, left),
            panel("Curvature h'' = p_B α⁺", ["x", "h''"], false, curvature),
            panel("Odd part α⁻", ["knot w b", "α⁻"], false, odd),
        ],
    })
}

/// Loss against time with the predicted late rate, and displacements against width.
///
/// # Errors
/// Those of the solvers.
pub fn dynamics() -> Result<Figure> {
    let [relu, ..] = settings(1)?;
    let [two, three, four] = settings(2)?;
    let shown = [
        ("ReLU, unscaled p = 2", &relu),
        ("|·|, scaled p = 2", &two),
        ("|·|, scaled p = 3", &three),
        ("|·|, scaled p = 4", &four),
    ];
    let losses = shown
        .into_par_iter()
        .enumerate()
        .map(|(colour, (name, setting))| {
            let initial = Network::sample(&setting.bias, OutputInit::Zero, MIDDLING, 0);
            let mut points = Vec::new();
            mirror_flow::train(setting, &initial, &Options::default(), &mut |state| {
                points.push((state.time, state.point.loss()));
            })?;
            let rate = prediction::late_rate(&infinite_width::minimize(setting)?)?;
            // Through the place where the slowest mode alone is left.
            let late = points.iter().copied().find(|(_, loss)| *loss < 1e-11);
            let (time, loss) = late.unwrap_or(points[points.len() - 1]);
            points.retain(|(t, loss)| *t > 1.0 && *loss > LEAST_LOSS);
            // From a third of that time to the lowest loss drawn.
            let end = time + (loss / LEAST_LOSS).ln() / rate;
            let line = grid(0.3 * time, end, PLACES).into_iter();
            let line = line.map(|t| (t, loss * (-rate * (t - time)).exp()));
            let mark = Mark::Dashes(INK);
            let late = match colour {
                0 => series("predicted late rate", mark, line.collect()),
                _ => unlisted(series(format!("late rate, {name}"), mark, line.collect())),
            };
            Ok([series(name, Mark::Line(colour), points), late])
        });
    let losses: Vec<[Series; 2]> = losses.collect::<Result<_>>()?;
    let widths = &WIDTHS[1..];
    let members = ensemble::draw(std::slice::from_ref(&relu), widths, 1)?;
    let moved = |of: fn(&Member) -> f64| -> Vec<(f64, f64)> {
        members
            .iter()
            .map(|one| (one.width as f64, of(one)))
            .collect()
    };
    let solution = infinite_width::minimize(&relu)?;
    let largest = prediction::largest_weight(&solution);
    let [w_limit, b_limit] = prediction::inner_moves(&solution)?;
    let line = |constant: f64, power: i32| -> Vec<(f64, f64)> {
        let widths = widths.iter().map(|&width| width as f64);
        widths.map(|n| (n, constant * n.powi(power))).collect()
    };
    let a = moved(|one| one.run.displacement.a);
    let b = moved(|one| one.run.displacement.b);
    let w = moved(|one| one.run.displacement.w);
    let displacements = vec![
        series("predicted for a", Mark::Line(0), line(largest, -1)),
        series("max |Δa|", Mark::Points(0), a),
        series("predicted for b", Mark::Line(1), line(b_limit, -2)),
        series("max |Δb|", Mark::Points(1), b),
        series("predicted for w", Mark::Line(2), line(w_limit, -2)),
        series("max |Δw|", Mark::Points(2), w),
    ];
    Ok(Figure {
        name: "dynamics",
        panels: vec![
            panel(
                "Loss, width 1620",
                ["flow time t", "L"],
                true,
                losses.concat(),
            ),
            panel(
                "Displacements, figure 1, p = 2",
                ["width n", "displacement"],
                true,
                displacements,
            ),
        ],
    })
}

/// Losses below this are not drawn.
const LEAST_LOSS: f64 = 1e-16;

/// φ'(n a_k) against the knot, on the line Σλ_i|x_i − c| (`curvature-shape`).
///
/// # Errors
/// Those of the solvers.
pub fn shape() -> Result<Figure> {
    let [two, three, four] = settings(2)?;
    let hypentropy = Setting {
        potential: Potential::hypentropy(1.0)?,
        ..two.clone()
    };
    let settings = [two, three, four, hypentropy];
    let members = ensemble::draw(&settings, &[MIDDLING], 1)?;
    let names = [
        "φ = z²",
        "φ = (|z|³ + z²)/2",
        "φ = (z⁴ + z²)/2",
        "hypentropy, β = 1",
    ];
    let panels = names.into_iter().zip(&settings).zip(&members);
    let panels = panels.map(|((name, setting), member)| {
        let network = &member.run.network;
        let n = network.width() as f64;
        let duals = network
            .a
            .iter()
            .map(|a| setting.potential.mirror_map(n * a));
        let mut points: Vec<(f64, f64)> = network.knots().into_iter().zip(duals).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let shown = points.into_iter().step_by(MIDDLING.div_ceil(NEURONS));
        let solution = infinite_width::minimize(setting)?;
        let force = |c: f64| solution.dual_function(Sheet::Both, c);
        Ok(panel(
            name,
            ["knot w b", "φ'(n a)"],
            false,
            vec![
                curve("Σ λ|x − c|, n → ∞", Mark::Line(INK), 1.0, force),
                series("neurons, n = 1620", Mark::Points(1), shown.collect()),
            ],
        ))
    });
    Ok(Figure {
        name: "shape",
        panels: panels.collect::<Result<_>>()?,
    })
}

/// Data, h̄ with the band of two standard deviations of networks of a width, and h''.
///
/// # Errors
/// Those of [`fluctuation::standard_deviations`].
pub fn minimizer(solution: &Solution, width: Option<usize>) -> Result<Figure> {
    let dataset = &solution.setting().dataset;
    let edge = 1.5 * dataset.largest_input();
    let h = |x| solution.value(x);
    let band = width
        .map(|width| band(solution, width, edge, h))
        .transpose()?;
    let mut drawn: Vec<Series> = band.into_iter().collect();
    drawn.push(curve("h̄", Mark::Line(0), edge, h));
    drawn.push(data(dataset));
    // Where the density jumps, h'' does: upright there.
    let breaks = solution.setting().bias.breakpoints().into_iter();
    let beside = breaks
        .flat_map(|c| [-c, c])
        .flat_map(|c| [c - 1e-9 * edge, c + 1e-9 * edge]);
    let mut places = grid(-edge, edge, PLACES);
    places.extend(beside.filter(|x| x.abs() < edge));
    places.sort_by(f64::total_cmp);
    let bends = places
        .into_iter()
        .map(|x| (x, solution.second_derivative(x)));
    let curvature = series("h''", Mark::Line(1), bends.collect());
    Ok(Figure {
        name: "minimizer",
        panels: vec![
            panel("Infinite width", ["x", "h̄"], false, drawn),
            panel("Curvature", ["x", "h''"], false, vec![curvature]),
        ],
    })
}
