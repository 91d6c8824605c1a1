//! A second opinion on the minimisers: the primal problems as cone programs, for an interior-point
//! solver that shares neither dual function, nor basis, nor quadrature with `solver`.
//!
//! ```text
//! minimise    Σ_k μ_k ψ(α_k) + s (2D)² + o (2A)²
//! subject to  A + D x_i + Σ_k ν_k α_k σ(w_k(x_i − t_k)) = y_i
//! ```
//!
//! over α, A and D. The atoms (t_k, w_k) are midpoints of cells where B has a density, which errs by
//! O(cell²), or the neurons of a network, which is exact.

use clarabel::{
    algebra::CscMatrix,
    solver::{
        DefaultSettingsBuilder, DefaultSolution, DefaultSolver, IPSolver, SolverStatus,
        SupportedConeT::{
            self, ExponentialConeT, NonnegativeConeT, PowerConeT, SecondOrderConeT, ZeroConeT,
        },
    },
};

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::extrapolation;
use crate::{
    Error, Result,
    setting::{BiasDensity, Family, Potential},
    solver::dual::Sheet,
};

/// One variable α_k.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Atom {
    /// Knot t, in units of x.
    pub knot: f64,
    /// Which feature it has.
    pub sheet: Sheet,
    /// μ, its weight in the penalty.
    pub penalty: f64,
    /// ν, its weight in the function.
    pub generated: f64,
}

/// What ψ is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Penalty {
    /// ψ = φ.
    Potential(Potential),
    /// ψ(α) = |α|: total variation of the slope.
    TotalVariation,
}

/// The affine part A + Dx of the function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// s of s(2D)²; `None` for D = 0.
    pub slopes: Option<f64>,
    /// o of o(2A)²; `None` for A = 0.
    pub offset: Option<f64>,
}

/// The problem of the module's first lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// ψ.
    pub penalty: Penalty,
    /// Its variables.
    pub atoms: Vec<Atom>,
    /// A and D.
    pub affine: Affine,
}

/// Its solution.
#[derive(Debug, Clone, PartialEq)]
pub struct ConicSolution {
    /// α, in the order of the atoms.
    pub alpha: Vec<f64>,
    /// D.
    pub slope: f64,
    /// A.
    pub offset: f64,
    atoms: Vec<Atom>,
}

impl ConicSolution {
    /// h(x).
    pub fn value(&self, x: f64) -> f64 {
        let curved = self.atoms.iter().zip(&self.alpha);
        let curved: f64 = curved
            .map(|(atom, alpha)| atom.generated * alpha * atom.sheet.feature(x, atom.knot))
            .sum();
        self.offset + self.slope * x + curved
    }

    /// Knots where α changes its sign; atoms ascend. φ'(α) is piecewise linear in the knot where
    /// the penalty is a potential, and so interpolated.
    fn sign_changes(&self, penalty: Penalty) -> Vec<f64> {
        let Penalty::Potential(potential) = penalty else {
            return Vec::new();
        };
        let dual: Vec<f64> = self
            .alpha
            .iter()
            .map(|&alpha| potential.mirror_map(alpha))
            .collect();
        // Where α = 0 on a stretch, its sign is noise.
        let noise = dual.iter().fold(0.0, |a: f64, u| a.max(u.abs())) * NOISE;
        let pairs = self.atoms.windows(2).zip(dual.windows(2));
        let crossing =
            pairs.filter(|(_, u)| u[0] * u[1] < 0.0 && u[0].abs().max(u[1].abs()) > noise);
        crossing
            .map(|(atoms, u)| {
                atoms[0].knot + (atoms[1].knot - atoms[0].knot) * (u[0] / (u[0] - u[1]))
            })
            .collect()
    }
}

/// The midpoint rule for a density of compact support: knots with their probabilities.
///
/// Each stretch between neighbouring `breaks` (sorted here, those outside left out; ends and kinks
/// of the density are added) is cut into `cells` cells, equal in s after t = l + (r − l)s²(3 − 2s).
/// The substitution keeps the order 2 where the integrand is like a root at a break.
pub fn midpoints(density: &BiasDensity, breaks: &[f64], cells: usize) -> Vec<(f64, f64)> {
    let edge = density.half_width();
    let mut breaks: Vec<f64> = breaks
        .iter()
        .copied()
        .chain(density.breakpoints())
        .chain([-edge, edge])
        .filter(|c| c.abs() <= edge)
        .collect();
    breaks.sort_by(f64::total_cmp);
    breaks.dedup();
    let stretches = breaks.windows(2);
    let rule = stretches.flat_map(|ends| {
        (0..cells).map(|k| {
            let (length, s) = (ends[1] - ends[0], (k as f64 + 0.5) / cells as f64);
            let knot = ends[0] + length * s * s * (3.0 - 2.0 * s);
            let size = length * 6.0 * s * (1.0 - s) / cells as f64;
            (knot, size * density.density(knot))
        })
    });
    rule.collect()
}

/// A function on grids of cells that are halved twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Refinement {
    /// h at the points, by Richardson's extrapolation of the two finest grids.
    pub values: Vec<f64>,
    /// An estimate of the error of all values: the largest correction by the extrapolation, which
    /// is the error before it, or what the two coarser grids lead to expect of it, lest it vanish by
    /// chance; plus the largest change with the solver's tolerance.
    pub error: f64,
    /// Observed order of convergence in the maximum over the points.
    pub order: f64,
}

/// Cells on each stretch of the coarsest grid.
const CELLS: usize = 6;
/// Relative tolerances of the interior-point method, the first that it reaches being used.
const TOLERANCES: [f64; 3] = [1e-9, 1e-8, 1e-7];
/// Relative size of φ'(α) below which its sign means nothing at these tolerances.
const NOISE: f64 = 1e-6;
/// The ratio of tolerances that shows what one is worth.
const LOOSER: f64 = 100.0;

/// Solves the programs that `build` makes of the cells of three grids, for the data (x_i, y_i).
///
/// Grids break at the data, at the points and where α changes its sign (found on the same grids before);
/// under a density that is not even also at their mirror images, since a bias b makes knots ±b.
///
/// Claims and seeds ask the same again, so what was found is kept for as long as the program runs.
///
/// # Errors
/// [`Error::NotConverged`] where the interior-point method reaches none of its tolerances.
pub fn refine(
    build: impl Fn(&[(f64, f64)]) -> Program,
    density: &BiasDensity,
    (x, y): (&[f64], &[f64]),
    points: &[f64],
) -> Result<Refinement> {
    static KNOWN: Mutex<BTreeMap<String, Refinement>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let program = build(&midpoints(density, x, CELLS));
    let question = format!("{program:?} {density:?} {x:?} {y:?} {points:?}");
    if let Some(refinement) = known().get(&question) {
        return Ok(refinement.clone());
    }
    let refinement = refined(build, density, (x, y), points)?;
    known().insert(question, refinement.clone());
    Ok(refinement)
}

fn refined(
    build: impl Fn(&[(f64, f64)]) -> Program,
    density: &BiasDensity,
    (x, y): (&[f64], &[f64]),
    points: &[f64],
) -> Result<Refinement> {
    let solve = |program: &Program| {
        let mut solved = program
            .solve(x, y, TOLERANCES[0])
            .map(|s| (s, TOLERANCES[0]));
        for tolerance in &TOLERANCES[1..] {
            solved = solved.or_else(|_| program.solve(x, y, *tolerance).map(|s| (s, *tolerance)));
        }
        solved
    };
    let mut fixed: Vec<f64> = x.iter().chain(points).copied().collect();
    fixed.extend(density.breakpoints());
    let mirrored = |breaks: Vec<f64>| -> Vec<f64> {
        if density.is_even() {
            return breaks;
        }
        breaks.iter().flat_map(|c| [*c, -c]).collect()
    };
    let mut breaks = mirrored(fixed.clone());
    for factor in [1, 2, 4] {
        let program = build(&midpoints(density, &breaks, factor * CELLS));
        let zeros = solve(&program)?.0.sign_changes(program.penalty);
        breaks = mirrored(fixed.iter().copied().chain(zeros).collect());
    }
    let at_points = |solution: &ConicSolution| -> Vec<f64> {
        points.iter().map(|&x| solution.value(x)).collect()
    };
    let largest =
        |a: &[f64], b: &[f64]| extrapolation::largest(a.iter().zip(b).map(|(a, b)| a - b));
    let (mut values, mut slack) = ([const { Vec::new() }; 3], 0.0);
    for (factor, values) in [1, 2, 4].into_iter().zip(&mut values) {
        let program = build(&midpoints(density, &breaks, factor * CELLS));
        let (solution, tolerance) = solve(&program)?;
        *values = at_points(&solution);
        let loose = at_points(&program.solve(x, y, LOOSER * tolerance)?);
        slack = f64::max(slack, largest(values, &loose));
    }
    let [coarse, middle, fine] = values;
    let pairs = fine.iter().zip(&middle);
    Ok(Refinement {
        values: pairs
            .map(|(fine, middle)| fine + (fine - middle) / 3.0)
            .collect(),
        error: f64::max(
            largest(&fine, &middle) / 3.0,
            largest(&middle, &coarse) / 12.0,
        ) + slack,
        order: (largest(&coarse, &middle) / largest(&middle, &fine)).log2(),
    })
}

/// A constant plus a sum of (variable, factor).
type Affinity<'a> = (f64, &'a [(usize, f64)]);

/// min ½vᵀPv + cᵀv (P diagonal) subject to bounds − rows·v in the cones.
#[derive(Default)]
struct Form {
    quadratic: Vec<f64>,
    linear: Vec<f64>,
    rows: Vec<usize>,
    columns: Vec<usize>,
    entries: Vec<f64>,
    bounds: Vec<f64>,
    cones: Vec<SupportedConeT<f64>>,
}

impl Form {
    /// A new variable v with the terms quadratic·v² + linear·v.
    fn variable(&mut self, quadratic: f64, linear: f64) -> usize {
        self.quadratic.push(2.0 * quadratic);
        self.linear.push(linear);
        self.linear.len() - 1
    }

    /// The constants less the sums of (variable, factor), together, lie in the cone.
    fn constrain(&mut self, cone: SupportedConeT<f64>, constraints: &[Affinity<'_>]) {
        for (bound, sum) in constraints {
            for &(column, entry) in *sum {
                self.rows.push(self.bounds.len());
                self.columns.push(column);
                self.entries.push(entry);
            }
            self.bounds.push(*bound);
        }
        self.cones.push(cone);
    }

    /// |z| ≤ size.
    fn bound_size(&mut self, z: usize, size: usize) {
        for sign in [1.0, -1.0] {
            let sum = [(z, sign), (size, -1.0)];
            self.constrain(NonnegativeConeT(1), &[(0.0, &sum)]);
        }
    }

    /// z² ≤ u v for u, v ≥ 0: |(u − v, 2z)| ≤ u + v.
    fn bound_square(&mut self, z: usize, u: Affinity<'_>, v: Affinity<'_>) {
        let combine = |sign: f64| -> Vec<(usize, f64)> {
            let (u, v) = (u.1.iter(), v.1.iter());
            let u = u.map(|&(column, entry)| (column, -entry));
            u.chain(v.map(|&(column, entry)| (column, -sign * entry)))
                .collect()
        };
        let (sum, difference) = (combine(1.0), combine(-1.0));
        self.constrain(
            SecondOrderConeT(3),
            &[
                (u.0 + v.0, &sum),
                (u.0 - v.0, &difference),
                (0.0, &[(z, -2.0)]),
            ],
        );
    }

    /// μψ(α), as a new variable v, with the unit α/v; a unit of the size of α keeps the cones well
    /// scaled.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a potential that cones are not known to state.
    fn penalise(&mut self, penalty: Penalty, weight: f64, unit: f64) -> Result<(usize, f64)> {
        let potential = match penalty {
            Penalty::Potential(potential) => potential,
            Penalty::TotalVariation => {
                // The mass of an atom of the slope, not its density, is what stays bounded.
                let (mass, size) = (self.variable(0.0, 0.0), self.variable(0.0, 1.0));
                self.bound_size(mass, size);
                return Ok((mass, weight.recip()));
            }
        };
        // s²φ(α/s)
        let scale = potential.scale();
        let alpha = match potential.family() {
            Family::Quadratic { half_hessian } => {
                self.variable(weight * half_hessian * unit * unit, 0.0)
            }
            Family::Power { exponent, omega } => {
                let alpha = self.variable(weight * omega / (1.0 + omega) * unit * unit, 0.0);
                let factor = scale * scale * (unit / scale).powf(exponent) / (1.0 + omega);
                let power = self.variable(0.0, weight * factor);
                // power ≥ |α/unit|^p, by second-order cones where they can say it.
                let one: &[(usize, f64)] = &[];
                if exponent == 4.0 {
                    let square = self.variable(0.0, 0.0);
                    self.bound_square(alpha, (0.0, &[(square, 1.0)]), (1.0, one));
                    self.bound_square(square, (0.0, &[(power, 1.0)]), (1.0, one));
                } else if exponent == 3.0 {
                    let (size, square) = (self.variable(0.0, 0.0), self.variable(0.0, 0.0));
                    self.bound_size(alpha, size);
                    self.bound_square(size, (0.0, &[(square, 1.0)]), (1.0, one));
                    self.bound_square(square, (0.0, &[(power, 1.0)]), (0.0, &[(size, 1.0)]));
                } else {
                    self.constrain(
                        PowerConeT(exponent.recip()),
                        &[(0.0, &[(power, -1.0)]), (1.0, one), (0.0, &[(alpha, -1.0)])],
                    );
                }
                alpha
            }
            // φ(z) = min over z₊ − z₋ = z of Σ z± ln(2z±/β) − z±, up to a constant.
            Family::Hypentropy { beta } => {
                let alpha = self.variable(0.0, 0.0);
                let mut parts = [0, 0];
                for part in &mut parts {
                    let factor = weight * scale * unit;
                    *part = self.variable(0.0, -factor);
                    let entropy = self.variable(0.0, factor);
                    self.constrain(
                        ExponentialConeT(),
                        &[
                            (0.0, &[(entropy, 1.0)]),
                            (0.0, &[(*part, -1.0)]),
                            (beta * scale / (2.0 * unit), &[]),
                        ],
                    );
                }
                let sum = [(alpha, 1.0), (parts[0], -1.0), (parts[1], 1.0)];
                self.constrain(ZeroConeT(1), &[(0.0, &sum)]);
                alpha
            }
            Family::Own(shape) => {
                return Err(Error::Parameter {
                    name: "potential".into(),
                    value: shape.name().into(),
                    what: "no cones are known that state it".into(),
                    remedy: "compare with a power or a hypentropy".into(),
                });
            }
        };
        Ok((alpha, unit))
    }

    fn solve(&self, tolerance: f64) -> Result<Vec<f64>> {
        let count = self.linear.len();
        let diagonal = (0..count).collect::<Vec<_>>();
        let square = CscMatrix::new_from_triplets(
            count,
            count,
            diagonal.clone(),
            diagonal,
            self.quadratic.clone(),
        );
        let constraints = CscMatrix::new_from_triplets(
            self.bounds.len(),
            count,
            self.rows.clone(),
            self.columns.clone(),
            self.entries.clone(),
        );
        let failed = |iterations, residual| Error::NotConverged {
            solver: "the interior-point method",
            iterations,
            residual,
        };
        let reduced = 10.0 * tolerance;
        let settings = DefaultSettingsBuilder::default()
            .verbose(false)
            .tol_gap_abs(tolerance)
            .tol_gap_rel(tolerance)
            .tol_feas(tolerance)
            .reduced_tol_gap_abs(reduced)
            .reduced_tol_gap_rel(reduced)
            .reduced_tol_feas(reduced)
            .build()
            .map_err(|_| failed(0, f64::NAN))?;
        let mut solver = DefaultSolver::new(
            &square,
            &self.linear,
            &constraints,
            &self.bounds,
            &self.cones,
            settings,
        )
        .map_err(|_| failed(0, f64::NAN))?;
        solver.solve();
        let DefaultSolution {
            x,
            status,
            iterations,
            r_dual,
            ..
        } = solver.solution;
        match status {
            SolverStatus::Solved | SolverStatus::AlmostSolved => Ok(x),
            _ => Err(failed(iterations as usize, r_dual)),
        }
    }
}

impl Program {
    /// Solves it for the data (x_i, y_i) to the solver's relative tolerance (ten times that where it
    /// cannot get on).
    ///
    /// # Errors
    /// [`Error::NotConverged`] where the interior-point method stops above the tolerance.
    pub fn solve(&self, x: &[f64], y: &[f64], tolerance: f64) -> Result<ConicSolution> {
        let quadratic = Penalty::Potential(Potential::quadratic());
        let first = self.solve_in_units(quadratic, 1.0, (x, y), tolerance)?;
        if self.penalty == quadratic {
            return Ok(first);
        }
        let size = first.alpha.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        let unit = if size > 0.0 { size } else { 1.0 };
        self.solve_in_units(self.penalty, unit, (x, y), tolerance)
    }

    fn solve_in_units(
        &self,
        penalty: Penalty,
        unit: f64,
        (x, y): (&[f64], &[f64]),
        tolerance: f64,
    ) -> Result<ConicSolution> {
        // The objective's own unit: that of a mean penalty of 1.
        let weights = self.atoms.iter().map(|atom| atom.penalty);
        let share = self.atoms.len() as f64 / weights.sum::<f64>() / (unit * unit);
        let mut form = Form::default();
        let alpha: Vec<(usize, f64)> = self
            .atoms
            .iter()
            .map(|atom| form.penalise(penalty, atom.penalty * share, unit))
            .collect::<Result<_>>()?;
        let [slope, offset] = [self.affine.slopes, self.affine.offset].map(|weight| {
            let variable = form.variable(4.0 * share * weight.unwrap_or(0.0), 0.0);
            if weight.is_none() {
                form.constrain(ZeroConeT(1), &[(0.0, &[(variable, 1.0)])]);
            }
            variable
        });
        for (&xi, &yi) in x.iter().zip(y) {
            let mut sum = vec![(slope, xi), (offset, 1.0)];
            sum.extend(
                self.atoms
                    .iter()
                    .zip(&alpha)
                    .map(|(atom, &(variable, unit))| {
                        let feature = atom.sheet.feature(xi, atom.knot);
                        (variable, atom.generated * feature * unit)
                    }),
            );
            form.constrain(ZeroConeT(1), &[(yi, &sum)]);
        }
        let solution = form.solve(tolerance)?;
        Ok(ConicSolution {
            alpha: alpha.iter().map(|&(k, unit)| solution[k] * unit).collect(),
            slope: solution[slope],
            offset: solution[offset],
            atoms: self.atoms.clone(),
        })
    }
}
