//! Cone programs against projections, against dense linear algebra, and against minimisers.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use mirrorflow::{
    evidence::conic::{self, Affine, Atom, Penalty, Program, midpoints},
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{bregman_projection, dual::Sheet, infinite_width},
};
use ndarray::{Array1, Array2};
use ndarray_linalg::Solve;

const TOLERANCE: f64 = 1e-9;
const NO_LINE: Affine = Affine {
    slopes: None,
    offset: None,
};

fn setting(activation: Activation, bias: &str, potential: Potential) -> Setting {
    Setting {
        dataset: match activation {
            Activation::Relu => Dataset::figure1(),
            Activation::Abs => Dataset::figure2(),
        },
        activation,
        bias: bias.parse().unwrap(),
        potential,
        scaling: Scaling::Scaled,
    }
}

fn potentials() -> Vec<Potential> {
    let texts = [
        "quadratic",
        "power:3,1",
        "power:4,0.5",
        "power:2.5,1",
        "hypentropy:0.5",
    ];
    let plain = texts.map(|text| text.parse::<Potential>().unwrap());
    plain.iter().flat_map(|f| [*f, f.rescaled(0.4)]).collect()
}

/// The neurons of a network, each of them an atom: the program is that of the projection.
///
/// A cost that is too large by g leaves E[φ''(α̃)(Δα)²]/2 ≤ g, so that f is off by √(2g/κ) max|σ| at most, κ the least φ''.
#[test]
fn projections_are_their_solutions() {
    for activation in [Activation::Relu, Activation::Abs] {
        for potential in potentials() {
            let setting = setting(activation, "uniform:1", potential);
            let (data, n) = (&setting.dataset, 40);
            let network = Network::sample(&setting.bias, OutputInit::Zero, n, 2);
            let knots = network.knots();
            let sheet = |w: f64| match activation {
                Activation::Abs => Sheet::Both,
                Activation::Relu if w > 0.0 => Sheet::Plus,
                Activation::Relu => Sheet::Minus,
            };
            let atoms = knots.iter().zip(&network.w).map(|(&knot, &w)| Atom {
                knot,
                sheet: sheet(w),
                penalty: 0.5 / n as f64,
                generated: 1.0 / n as f64,
            });
            let program = Program {
                penalty: Penalty::Potential(potential),
                atoms: atoms.collect(),
                affine: NO_LINE,
            };
            let solution = program.solve(data.x(), data.y(), TOLERANCE).unwrap();
            let projection = bregman_projection::project(&setting, &network).unwrap();
            let cost =
                |alpha: &[f64]| alpha.iter().map(|a| potential.value(*a)).sum::<f64>() / n as f64;
            let [best, found] = [
                cost(projection.alpha.as_slice().unwrap()),
                cost(&solution.alpha),
            ];
            let gap = 10.0 * TOLERANCE * best.max(1.0);
            assert!(
                (found - best).abs() <= gap,
                "{potential}: {found:e} {best:e}"
            );
            let largest = projection.alpha.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
            let stiffness = potential.hessian(0.0).min(potential.hessian(1.1 * largest));
            let allowed = (2.0 * gap / stiffness).sqrt() * 3.0;
            for x in (-15..=15).map(|k| f64::from(k) / 10.0) {
                let off = solution.value(x) - projection.network.output(activation, x);
                assert!(
                    off.abs() <= allowed,
                    "{potential} at {x}: {off:e} {allowed:e}"
                );
            }
            assert!(solution.slope.abs().max(solution.offset.abs()) < 1e-7);
        }
    }
}

/// Σ μα² + s(2D)² + o(2A)² least subject to Cv = y: v = W⁻¹Cᵀ(CW⁻¹Cᵀ)⁻¹y.
#[test]
fn affine_parts_have_their_weights() {
    let (x, y) = ([-0.9, -0.2, 0.3, 0.8], [0.4, -1.0, 0.7, 2.0]);
    let atoms: Vec<Atom> = (0..12)
        .map(|k| Atom {
            knot: f64::from(k) / 6.0 - 0.95,
            sheet: [Sheet::Plus, Sheet::Minus, Sheet::Both][k as usize % 3],
            penalty: 0.05 + 0.01 * f64::from(k),
            generated: 0.2 - 0.01 * f64::from(k),
        })
        .collect();
    for (slopes, offset) in [
        (Some(0.3), Some(0.7)),
        (Some(2.0), None),
        (None, Some(0.1)),
        (None, None),
    ] {
        let program = Program {
            penalty: Penalty::Potential(Potential::quadratic()),
            atoms: atoms.clone(),
            affine: Affine { slopes, offset },
        };
        let found = program.solve(&x, &y, TOLERANCE).unwrap();
        // 1/weight of each variable, 0 where it is none.
        let soft: Vec<f64> = (atoms.iter().map(|atom| atom.penalty.recip()))
            .chain([slopes, offset].map(|weight| weight.map_or(0.0, |w| 0.25 / w)))
            .collect();
        let row = |i: usize, k: usize| match k {
            12 => x[i],
            13 => 1.0,
            _ => atoms[k].generated * atoms[k].sheet.feature(x[i], atoms[k].knot),
        };
        let matrix = Array2::from_shape_fn((4, 4), |(i, j)| {
            (0..14).map(|k| row(i, k) * soft[k] * row(j, k)).sum()
        });
        let multipliers = matrix.solve(&Array1::from(y.to_vec())).unwrap();
        let exact = |k: usize| soft[k] * (0..4).map(|i| row(i, k) * multipliers[i]).sum::<f64>();
        let size = (0..14).map(|k| exact(k).abs()).fold(0.0, f64::max);
        let all = found.alpha.iter().chain([&found.slope, &found.offset]);
        for (k, value) in all.enumerate() {
            assert!(
                (value - exact(k)).abs() <= 1e-4 * size,
                "{slopes:?} {offset:?} {k}: {value} {}",
                exact(k)
            );
        }
        for (x, y) in x.into_iter().zip(y) {
            assert!((found.value(x) - y).abs() < 1e-6);
        }
    }
}

/// The least total variation through a tent is that of the tent: one atom at its top, or what does as well.
#[test]
fn total_variation_is_that_of_the_chords() {
    let (x, y) = ([-1.0, 0.0, 1.0], [0.0, 1.0, 0.0]);
    let atoms = (-9..=9).map(|k| Atom {
        knot: f64::from(k) / 10.0,
        sheet: Sheet::Both,
        penalty: 0.25,
        generated: 0.25,
    });
    let program = Program {
        penalty: Penalty::TotalVariation,
        atoms: atoms.collect(),
        affine: Affine {
            slopes: Some(1e-6),
            offset: Some(1e-6),
        },
    };
    let found = program.solve(&x, &y, 1e-8).unwrap();
    // h'' = 2·0.25·α at a knot, and the slopes change by −2 in all.
    let total: f64 = found.alpha.iter().map(|a| 0.5 * a.abs()).sum();
    assert!((total - 2.0).abs() < 1e-4, "{total}");
    assert!((found.value(0.5) - 0.5).abs() < 1e-3);
}

/// 6s(1 − s) at the middles of c cells adds up to c(1 + 1/(2c²)).
#[test]
fn midpoints_carry_the_density() {
    for cells in [1, 3, 10] {
        let more = 1.0 + 0.5 / (cells * cells) as f64;
        let rule = midpoints(
            &BiasDensity::uniform(2.0).unwrap(),
            &[0.5, -3.0, 0.5],
            cells,
        );
        assert_eq!(rule.len(), 2 * cells);
        let total: f64 = rule.iter().map(|cell| cell.1).sum();
        assert!((total - more).abs() < 1e-12, "{total}");
        assert!(rule.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let left: f64 = rule
            .iter()
            .filter(|cell| cell.0 < 0.5)
            .map(|cell| cell.1)
            .sum();
        assert!((left - 0.625 * more).abs() < 1e-12);
        // The middle of a stretch is that of its cells.
        let mean: f64 = rule[..cells]
            .iter()
            .map(|cell| cell.0 * cell.1)
            .sum::<f64>()
            / left;
        assert!((mean + 0.75).abs() < 1e-12, "{mean}");
    }
    let triangular = BiasDensity::triangular(1.0, 0.5).unwrap();
    let moment = |cells| {
        midpoints(&triangular, &[], cells)
            .iter()
            .map(|(c, p)| c * p)
            .sum::<f64>()
    };
    let mean = triangular.distribution(0.5) * (0.5 - 0.5) + (0.5) / 3.0;
    let [coarse, fine] = [20, 40].map(|cells| (moment(cells) - mean).abs());
    assert!(
        fine < 1e-3 && (coarse / fine).log2() > 1.8,
        "{coarse:e} {fine:e}"
    );
}

#[test]
fn refinements_are_within_their_error_of_minimisers() {
    for (activation, bias, potential) in [
        (Activation::Abs, "uniform:1", "power:3,1"),
        (Activation::Abs, "triangular:1,0.3", "power:4,1"),
        (Activation::Relu, "uniform:1", "hypentropy:1"),
    ] {
        let setting = setting(activation, bias, potential.parse().unwrap());
        let points = [-1.3, -0.6, 0.1, 0.5, 1.2];
        // A bias b makes knots b and −b with equal odds; under an even density b may stand for both.
        let mirror = if setting.bias.is_even() { 1.0 } else { -1.0 };
        let build = |cells: &[(f64, f64)]| {
            let side = |sheet: Sheet, sign: f64| {
                let atom = move |&(bias, mass): &(f64, f64)| Atom {
                    knot: sign * bias,
                    sheet,
                    penalty: 0.5 * mass,
                    generated: 0.5 * mass,
                };
                cells.iter().map(atom)
            };
            let ascending = |atoms: Vec<Atom>| {
                let mut atoms = atoms;
                atoms.sort_by(|a, b| a.knot.total_cmp(&b.knot));
                atoms
            };
            let atoms = match activation {
                Activation::Abs => ascending(
                    side(Sheet::Both, 1.0)
                        .chain(side(Sheet::Both, mirror))
                        .collect(),
                ),
                Activation::Relu => {
                    let minus = ascending(side(Sheet::Minus, mirror).collect());
                    side(Sheet::Plus, 1.0).chain(minus).collect()
                }
            };
            Program {
                penalty: Penalty::Potential(setting.potential),
                atoms,
                affine: NO_LINE,
            }
        };
        let data = (setting.dataset.x(), setting.dataset.y());
        let found = conic::refine(build, &setting.bias, data, &points).unwrap();
        let h = infinite_width::minimize(&setting).unwrap();
        assert!(found.error < 1e-2, "{found:?}");
        for (x, value) in points.into_iter().zip(&found.values) {
            let off = (value - h.value(x)).abs();
            assert!(
                off <= found.error,
                "{potential} {bias} at {x}: {off:e} {found:?}"
            );
        }
        assert_eq!(
            conic::refine(build, &setting.bias, data, &points).unwrap(),
            found
        );
    }
}
