//! What a computed minimiser is worth: gap, residual, and a bound on sup |h − h̄|.
//!
//! The bound (proofs.md, "The certificate") is *linear* in the residual r of the dual's gradient. A matrix M that the
//! Newton matrix exceeds wherever λᵀF stays within a tube around its computed values, and ν² = rᵀM⁻¹r, keep the minimiser
//! within that tube, and ‖α̂ − α‖ in the metric φ'' below ν. h is evaluated locally, so only the local part of α counts.
//!
//! Every rounding is accounted for ("Outward rounding"), so that the bounds are a theorem, but for Gaussian
//! densities and potentials of one's own, where [`Certificate::proven`] is false.

use crate::{
    evidence::{
        Kind,
        ball::Ball,
        enclosure::{self, Conjugate, Enclosure},
        extrapolation::largest,
    },
    setting::Family,
    solver::{
        double_double::{DoubleDouble, Real},
        dual::{BorderedMatrix, Expansion, Functions, Piece, Sheet, for_pieces},
        infinite_width::Solution,
        quadrature::Order,
    },
};

/// Round-off in units of ε of the size of the terms where all is in double precision: at most 8 operations
/// on the way of each term (u, α, weight, density, basis function, three products) and pairwise
/// few terms per entry, each correct to half an ε, with a factor 2 to spare.
const ROUNDING: f64 = 16.0;
/// The same of h from double-double: half an ε for the outcome, and as much again for all that came before.
const ROUNDED: f64 = 1.0;
/// By how much (φ*)'' may change where one number stands for it.
const RATIO: f64 = 2.0;
/// What bounds lose to their own rounding, 10⁹ roundings of half an ε and more.
const OUTWARD: f64 = 1.0 + 1e-6;

/// Duality gap, residual and error bounds of a computed minimiser; all absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// |E φ(α) − (λᵀy − E φ*(λᵀF))| = |λᵀ(E\[αF\] − y)|, or a little more.
    pub duality_gap: f64,
    /// max_i |E\[αF_i\] − y_i|, or a little more; not more where r is an estimate.
    pub interpolation_residual: f64,
    /// Bound on sup |h − h̄| over [−1.5, 1.5]·max|x_i|, h as [`Solution::value`] gives it: the largest of the local ones.
    pub sup_error_bound: f64,
    /// Bounds on sup |h − h̄| left of x_1, between neighbouring data and right of x_m (of the points
    /// that [`Solution::basis`] holds), within that range; infinite where the residual is too large
    /// for the derivation.
    pub local_error_bounds: Vec<f64>,
    /// Whether all this is a theorem (proofs.md, "Outward rounding"). It is not where the density or the potential is known
    /// in double precision only (Gaussians, potentials of one's own): r is then the difference of two quadratures and 16
    /// roundings of its terms. Nor, for the rounding of h alone, for powers above 7 and a hypentropy's |u| above 64.
    pub proven: bool,
    /// Between what the least E φ(α) lies, proven; none for Gaussians and potentials of one's own.
    pub cost: Option<[f64; 2]>,
}

/// What a comparison within the [`Certificate::sup_error_bound`] of all of these is.
pub fn kind(certificates: &[Certificate]) -> Kind {
    if certificates.iter().all(|one| one.proven) {
        Kind::Certified
    } else {
        Kind::Numerical
    }
}

/// Certifies a solution of the infinite-width problem.
pub fn certify(solution: &Solution) -> Certificate {
    let basis = solution.basis();
    let enclosure = Enclosure::new(solution);
    let gradient = match &enclosure {
        Some(enclosure) => enclosure.gradient().to_vec(),
        None => estimated_gradient(solution),
    };
    let tube = Tube::new(solution, &gradient, enclosure.as_ref());
    let local_error_bounds = tube.as_ref().map_or_else(
        || vec![f64::INFINITY; basis.len() + 1],
        |tube| {
            let bounds = tube.distances().into_iter().zip(tube.evaluation_errors());
            let total = bounds.map(|(distance, evaluation)| (distance + evaluation).next_up());
            total
                .map(|bound| if bound.is_nan() { f64::INFINITY } else { bound })
                .collect()
        },
    );
    let gap = (solution.precise_coordinates().into_iter().zip(&gradient))
        .fold(Ball::from(0.0), |gap, (q, &r)| gap + r * q.into());
    let residual = basis.data_residual(&gradient).into_iter();
    let size = |residual: Ball| match enclosure {
        Some(_) => residual.magnitude(),
        None => residual.mid().high().abs(),
    };
    Certificate {
        duality_gap: gap.magnitude(),
        interpolation_residual: largest(residual.map(size)),
        sup_error_bound: largest(local_error_bounds.iter().copied()),
        local_error_bounds,
        proven: tube
            .as_ref()
            .map_or(enclosure.is_some(), |tube| tube.proven),
        cost: enclosure.zip(tube).map(|(enclosure, tube)| {
            // The dual rises from λ̂ to its maximum by no more than ν².
            let [least, most] = enclosure.dual_value().bounds();
            [
                least,
                (most + tube.radius * tube.radius * OUTWARD).next_up(),
            ]
        }),
    }
}

/// h̄ at points, enclosed; None for Gaussian densities, potentials of one's own, and where the bounds are infinite. A point beyond
/// [−1.5, 1.5]·max|x_i| gets a ball of infinite radius.
pub fn enclose(solution: &Solution, points: &[f64]) -> Option<Vec<Ball>> {
    let enclosure = Enclosure::new(solution)?;
    let distances = Tube::new(solution, enclosure.gradient(), Some(&enclosure))?.distances();
    let end = 1.5 * solution.setting().dataset.largest_input();
    let about = |&x: &f64| {
        let interval = solution.basis().x().partition_point(|&xi| xi <= x);
        let known = x.abs() <= end;
        enclosure.value(x).widened(if known {
            distances[interval]
        } else {
            f64::INFINITY
        })
    };
    Some(points.iter().map(about).collect())
}

/// The dual's gradient from two quadratures in double precision, and what it may be off by.
fn estimated_gradient(solution: &Solution) -> Vec<Ball> {
    let [base, fine] = [Order::Base, Order::Fine].map(|order| {
        Expansion::at(
            solution.basis(),
            solution.knots(order),
            solution.coordinates(),
        )
    });
    let entries = base
        .gradient
        .iter()
        .zip(&fine.gradient)
        .zip(&fine.magnitude);
    entries
        .map(|((base, &fine), size)| {
            Ball::new(fine, (fine - base).abs() + ROUNDING * f64::EPSILON * size)
        })
        .collect()
}

/// Stretches of |u| and what (φ*)'' is between on each; the last one has no end.
struct Bands {
    /// Where each begins: no more than that, and no less.
    starts: Vec<[f64; 2]>,
    /// Bounds on (φ*)''.
    ranges: Vec<[f64; 2]>,
    /// Bounds on |α|.
    largest: Vec<f64>,
    /// Whether (φ*)'' is monotone in |u|.
    monotone: bool,
}

impl Bands {
    /// Up to |u| = `reach` at least; None where nothing bounds (φ*)''.
    fn new(solution: &Solution, reach: f64) -> Option<Self> {
        let potential = solution.setting().limit_potential();
        if let Some(conjugate) = Conjugate::new(potential) {
            let ladder = conjugate.ladder(RATIO, reach);
            let ends = |k: usize| {
                let [one, next] =
                    [ladder[k], *ladder.get(k + 1)?].map(|[_, slope, _]| slope.bounds());
                Some([one[0].min(next[0]), one[1].max(next[1])])
            };
            let last = ladder.last()?[1].bounds();
            let beyond = match potential.family() {
                Family::Quadratic { .. } => last,
                Family::Hypentropy { .. } => [last[0], f64::INFINITY],
                _ => [0.0, last[1]],
            };
            return Some(Self {
                starts: ladder.iter().map(|[u, ..]| u.bounds()).collect(),
                ranges: (0..ladder.len())
                    .map(|k| ends(k).unwrap_or(beyond))
                    .collect(),
                largest: (ladder[1..].iter().map(|[.., alpha]| alpha.magnitude()))
                    .chain([f64::INFINITY])
                    .collect(),
                monotone: true,
            });
        }
        const MOST: f64 = 65_536.0;
        let Family::Own(_) = potential.family() else {
            return None;
        };
        let step = potential.stability_radius(RATIO).min(2.0 * reach);
        let count = (reach / step).ceil();
        let starts = (0..=count.min(MOST) as usize).map(|k| [step * k as f64; 2]);
        let ranges = starts.clone().map(|[start, _]| {
            let middle = potential.conjugate_hessian(start + step / 2.0);
            if start < reach {
                [middle / RATIO, middle * RATIO]
            } else {
                [0.0, f64::INFINITY]
            }
        });
        let ends = starts.clone().map(|[start, _]| start + step);
        (count <= MOST).then(|| Self {
            ranges: ranges.collect(),
            largest: ends.map(|u| potential.inverse_mirror_map(u)).collect(),
            starts: starts.collect(),
            monotone: false,
        })
    }

    /// Bounds on (φ*)'' for |u| between two numbers, and on |α|.
    fn range(&self, low: f64, high: f64) -> ([f64; 2], f64) {
        let from = self.starts.partition_point(|start| start[1] <= low).max(1) - 1;
        let to = self
            .starts
            .partition_point(|start| start[0] < high)
            .max(from + 1);
        let between = if self.monotone { to - from - 1 } else { 1 };
        let ranges = self.ranges[from..to].iter().step_by(between.max(1));
        let range = ranges.fold([f64::INFINITY, 0.0], |[low, high], range| {
            [low.min(range[0]), high.max(range[1])]
        });
        (range, self.largest[to - 1])
    }

    /// Where on a piece |u| + `margin` passes from one band to the next, u running between its values.
    fn cuts(&self, [start, end]: [f64; 2], margin: f64) -> impl Iterator<Item = f64> + '_ {
        // So little lower that rounding keeps a stretch within its band.
        const INWARD: f64 = 1.0 - 1e-9;
        let (low, high) = (start.min(end), start.max(end));
        let at = move |k: usize| self.starts[k][0] * INWARD - margin;
        let upto = |u: f64| {
            self.starts
                .partition_point(|edge| edge[0] * INWARD - margin < u)
        };
        let first = upto(0.0);
        let negative = (first.max(upto(-high))..upto(-low))
            .rev()
            .map(move |k| -at(k));
        let positive = (first.max(upto(low))..upto(high)).map(at);
        let rising = end > start;
        let all = negative.chain(positive).map(move |u| {
            let t = (u - low) / (high - low);
            if rising { t } else { 1.0 - t }
        });
        let mut all: Vec<f64> = all.filter(|t| 0.0 < *t && *t < 1.0).collect();
        if !rising {
            all.reverse();
        }
        all.into_iter()
    }
}

/// A piece of the knots and what is known of u = λᵀF on it.
struct Section {
    piece: Piece,
    /// F at both ends, in the local basis.
    functions: [Functions<Ball>; 2],
    /// û at both ends, and how far rounding may have put it off.
    u: [f64; 2],
    rounding: f64,
    /// Bounds on |u − û| at both ends; in between, the chord is one.
    deviation: [f64; 2],
    /// Density at both ends times the length, where it is linear between.
    mass: Option<[f64; 2]>,
    /// Whether u = α = 0.
    silent: bool,
    /// Bound on |α̂|.
    largest: f64,
}

/// Which bound on (φ*)'' is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Below,
    Above,
}

impl Section {
    fn new(solution: &Solution, piece: Piece, largest: Option<f64>) -> Self {
        let (basis, u) = (solution.basis(), solution.dual_at_ends(&piece));
        let alpha = |u: f64| {
            solution
                .setting()
                .limit_potential()
                .inverse_mirror_map(u)
                .abs()
        };
        Self {
            piece,
            functions: [piece.left, piece.right]
                .map(|c| basis.functions_in(piece.interval, piece.sheet, c)),
            u,
            rounding: 4.0 * f64::EPSILON * (u[0].abs() + u[1].abs()),
            deviation: [0.0; 2],
            mass: solution
                .mass_in::<DoubleDouble>(&piece)
                .map(|mass| mass.map(DoubleDouble::high)),
            silent: enclosure::is_silent(&piece, basis.len()),
            largest: largest.unwrap_or_else(|| alpha(u[0]).max(alpha(u[1]))),
        }
    }

    /// Integrates against a bound on (φ*)'' p over the stretch of the piece between two t: visits nodes t with their
    /// weights, exact for Q p where Q is quadratic and p linear, or too large where Q ≥ 0 is convex. The outcome bounds
    /// what rounding may make of ∫ Q for |Q|, |Q'| ≤ 2 on the piece.
    fn integrate(
        &self,
        solution: &Solution,
        bands: &Bands,
        [from, to]: [f64; 2],
        side: Side,
        mut visit: impl FnMut(f64, f64),
    ) -> f64 {
        // A Gaussian is monotone on its pieces; between so many points its values at their ends bound it.
        const PARTS: usize = 8;
        let length = self.piece.right - self.piece.left;
        let margin = self.deviation[0].max(self.deviation[1]);
        let extra = if self.mass.is_none() { PARTS } else { 1 };
        let even = (1..extra).map(|k| k as f64 / extra as f64);
        let mut cuts: Vec<f64> = bands.cuts(self.u, margin).chain(even).collect();
        if self.mass.is_none() {
            cuts.sort_by(f64::total_cmp);
        }
        let density = |t: f64| {
            let knots = solution.knots(Order::Fine);
            length * knots.density(self.piece.sheet, self.piece.left + t * length)
        };
        // The least slope of u in t, over the tube.
        let steep = (self.u[1] - self.u[0]).abs()
            - self.deviation[0]
            - self.deviation[1]
            - 2.0 * self.rounding;
        let (mut start, mut total, mut count) = (from, 0.0, 0.0);
        let inner = cuts.into_iter().filter(|t| from < *t && *t < to);
        for end in inner.chain([to]) {
            let u = [start, end].map(|t| self.u[0] * (1.0 - t) + self.u[1] * t);
            let [low, high] = u.map(f64::abs);
            let high = low.max(high) + margin + self.rounding;
            let low = if u[0] * u[1] > 0.0 {
                u[0].abs().min(u[1].abs())
            } else {
                0.0
            };
            let ([below, above], alpha) =
                bands.range((low - margin - self.rounding).max(0.0), high);
            let slope = if side == Side::Below { below } else { above };
            let (middle, half) = ((start + end) / 2.0, (end - start) / 2.0);
            let nodes = [-1.0, 1.0].map(|sign| middle + sign * half * 3f64.sqrt().recip());
            let density = match self.mass {
                Some([left, right]) => nodes.map(|t| left * (1.0 - t) + right * t),
                None => {
                    let [one, two] = [start, end].map(density);
                    [if side == Side::Below {
                        one.min(two)
                    } else {
                        one.max(two)
                    }; 2]
                }
            };
            let most = self
                .mass
                .map_or(density[0], |[left, right]| left.max(right));
            // Around a change of sign: what α can change by over the least slope of u.
            let crossed = 2.0 * alpha / steep;
            if side == Side::Above && steep > 0.0 && 4.0 * crossed < slope * (end - start) {
                for t in [start, end] {
                    visit(t, crossed * most);
                }
                total += crossed * most;
            } else {
                for (t, density) in nodes.into_iter().zip(density) {
                    visit(t, slope * half * density);
                }
                total += slope * most * (end - start);
            }
            count += 1.0;
            start = end;
        }
        // 64 roundings of each term and of its place, and those of the sum.
        (64.0 + count) * f64::EPSILON * total
    }

    /// A matrix below that of ∫ (φ*)''(u) p against (1 − t)², (1 − t)t and t².
    fn second_moments(&self, solution: &Solution, bands: &Bands) -> [f64; 3] {
        let (mut ll, mut lr, mut rr) = (0.0, 0.0, 0.0);
        let slack = self.integrate(solution, bands, [0.0, 1.0], Side::Below, |t, weight| {
            ll += weight * (1.0 - t) * (1.0 - t);
            lr += weight * (1.0 - t) * t;
            rr += weight * t * t;
        });
        [ll - 2.0 * slack, lr, rr - 2.0 * slack]
    }

    /// Bound on ∫ |α̂| p: the density is monotone.
    fn largest_change(&self, solution: &Solution) -> f64 {
        let Piece {
            sheet, left, right, ..
        } = self.piece;
        let density = |c: f64| solution.knots(Order::Fine).density(sheet, c) * (right - left);
        let mass = self.mass.unwrap_or_else(|| [density(left), density(right)]);
        self.largest * mass[0].max(mass[1])
    }
}

/// ρ, a little above ν for M over the tube at hand, and ρ√(FᵀM⁻¹F) at both ends of each piece, in the arithmetic of the
/// gradient; None where M is not positive.
fn reaches<T: Real>(
    solution: &Solution,
    bands: &Bands,
    sections: &[Section],
    gradient: &[T],
    functions: impl Fn(&Section) -> [Functions<T>; 2] + Sync,
) -> Option<(f64, Vec<[f64; 2]>)> {
    const BEYOND: f64 = 1.0 + 1e-9;
    // The root of no less than what this may stand for.
    let root = |square: T| (-(-square).least()).sqrt().next_up();
    let basis = solution.basis();
    let moments = for_pieces(sections.len(), |number| {
        let section = &sections[number];
        (!section.silent).then(|| section.second_moments(solution, bands).map(T::from))
    });
    let mut hessian = BorderedMatrix::<T>::zero(basis.len());
    for (section, moments) in sections.iter().zip(moments) {
        if let Some(moments) = moments {
            let [left, right] = &functions(section);
            hessian.add_moments(
                basis.indices(section.piece.interval),
                [left, right],
                moments,
            );
        }
    }
    let factored = hessian.factor(0.0)?;
    let solved = factored.solve(gradient).into_iter().zip(gradient);
    let radius = root(solved.fold(T::from(0.0), |sum, (a, &b)| sum + a * b)) * BEYOND;
    let inner = factored.inner_inverse_diagonal();
    let needed = for_pieces(sections.len(), |number| {
        let section = &sections[number];
        if section.silent {
            return [0.0; 2];
        }
        let indices = basis.indices(section.piece.interval);
        let reach = |f: &Functions<T>| root(factored.quadratic_form(&inner, indices, f));
        functions(section)
            .each_ref()
            .map(|f| (radius * reach(f)).next_up())
    });
    radius.is_finite().then_some((radius, needed))
}

/// Where u = λᵀF may be for the minimiser (proofs.md, "The certificate").
struct Tube<'a> {
    solution: &'a Solution,
    sections: Vec<Section>,
    bands: Bands,
    /// ν.
    radius: f64,
    /// Whether the bound holds for h as it is evaluated.
    proven: bool,
    /// Whether h is evaluated in double-double.
    precise: bool,
}

impl<'a> Tube<'a> {
    /// Widens the tube until the minimiser cannot be outside.
    fn new(
        solution: &'a Solution,
        gradient: &[Ball],
        enclosure: Option<&Enclosure>,
    ) -> Option<Self> {
        const ROUNDS: usize = 40;
        let pieces = solution.pieces();
        let mut sections = for_pieces(pieces.len(), |number| {
            let largest = enclosure.map(|enclosure| enclosure.largest()[number]);
            Section::new(solution, pieces[number], largest)
        });
        let reach = largest(sections.iter().flat_map(|section| section.u));
        let bands = Bands::new(solution, (2.0 * reach).max(f64::MIN_POSITIVE))?;
        // Doubles tell about how wide it has to be; balls decide.
        let estimate: Vec<f64> = gradient.iter().map(|r| r.magnitude()).collect();
        let functions = |section: &Section| section.functions.map(|f| f.map(|f| f.mid().high()));
        if let Some((_, needed)) = reaches(solution, &bands, &sections, &estimate, functions) {
            for (section, needed) in sections.iter_mut().zip(needed) {
                let wide = |needed: f64| {
                    if needed.is_finite() {
                        2.0 * needed
                    } else {
                        0.0
                    }
                };
                section.deviation = needed.map(wide);
            }
        }
        for _ in 0..ROUNDS {
            let (radius, needed) = reaches(solution, &bands, &sections, gradient, |section| {
                section.functions
            })?;
            let mut inside = true;
            for (section, needed) in sections.iter_mut().zip(needed) {
                for (deviation, needed) in section.deviation.iter_mut().zip(needed) {
                    let held = needed <= *deviation;
                    if !held {
                        inside = false;
                        *deviation = 1.2 * needed;
                    }
                }
            }
            if inside {
                return Some(Self {
                    solution,
                    sections,
                    bands,
                    radius,
                    proven: enclosure
                        .is_some_and(|known| known.conjugate().vouches_for_values(reach)),
                    precise: enclosure.is_some(),
                });
            }
        }
        None
    }

    /// Bound on E[G² (φ*)''(u)] over the tube and a stretch of a piece, G linear with these values at the piece's ends.
    fn square(&self, section: &Section, stretch: [f64; 2], [left, right]: [f64; 2]) -> f64 {
        if section.silent || stretch[0] >= stretch[1] {
            return 0.0;
        }
        let mut sum = 0.0;
        let slack = section.integrate(
            self.solution,
            &self.bands,
            stretch,
            Side::Above,
            |t, weight| {
                sum += weight * (left * (1.0 - t) + right * t).powi(2);
            },
        );
        (sum + slack * left.abs().max(right.abs()).powi(2)) * OUTWARD
    }

    /// For each interval a bound on sup |h − h̄| before h is rounded: ν times the norm of the kernel G_x with
    /// h(x) = (chord of the data) − E[α G_x].
    fn distances(&self) -> Vec<f64> {
        let basis = self.solution.basis();
        let (x, m) = (basis.x(), basis.len());
        let end = 1.5 * self.solution.setting().dataset.largest_input();
        let squares = for_pieces(self.sections.len(), |number| {
            let section = &self.sections[number];
            let Piece { interval, .. } = section.piece;
            if !(1..m).contains(&interval) {
                return 0.0;
            }
            // The kernel's largest value is a quarter of the distance.
            let largest = jump(&section.piece) * (x[interval] - x[interval - 1]) / 4.0;
            self.square(section, [0.0, 1.0], [largest; 2])
        });
        let mut square = vec![0.0; m + 1];
        for (section, part) in self.sections.iter().zip(squares) {
            square[section.piece.interval] += part;
        }
        for (interval, end) in [(0, -end), (m, end)] {
            square[interval] = if m == 1 {
                // Convex in x, hence largest at one end of the interval.
                largest([x[0], end].map(|x| self.feature_square(x)))
            } else {
                self.outer_square(interval, end)
            };
        }
        square
            .iter()
            .map(|square| self.radius * square.sqrt() * OUTWARD)
            .collect()
    }

    /// The same for E[σ(w(x − c))² (φ*)''(u)].
    fn feature_square(&self, x: f64) -> f64 {
        let parts = self.sections.iter().map(|section| {
            let Piece {
                sheet, left, right, ..
            } = section.piece;
            let at = crossing(&section.piece, x);
            let stretch = match sheet {
                Sheet::Both => [0.0, 1.0],
                Sheet::Plus => [0.0, at[1]],
                Sheet::Minus => [at[0], 1.0],
            };
            self.square(section, stretch, [x - left, x - right])
        });
        parts.sum()
    }

    /// The same for the kernel of an input `end` outside the data: slope at their edge, and the knots beyond.
    fn outer_square(&self, interval: usize, end: f64) -> f64 {
        let (x, m) = (self.solution.basis().x(), self.solution.basis().len());
        // The first or last interval gives the slope at the edge.
        let (inner, edge, beyond) = if interval == 0 {
            (1, 0, 1)
        } else {
            (m - 1, m - 1, m - 2)
        };
        let reach = (end - x[edge]) / (x[edge] - x[beyond]);
        if reach <= 0.0 {
            return 0.0; // no input lies out there
        }
        let parts = self.sections.iter().map(|section| {
            let Piece {
                interval: own,
                left,
                right,
                ..
            } = section.piece;
            let size = jump(&section.piece);
            let mut sum = 0.0;
            if own == inner {
                let ends = [left, right].map(|c| size * (c - x[beyond]) * reach);
                sum += self.square(section, [0.0, 1.0], ends);
            }
            if own == interval {
                let at = crossing(&section.piece, end);
                let stretch = if interval == 0 {
                    [at[0], 1.0]
                } else {
                    [0.0, at[1]]
                };
                sum += self.square(section, stretch, [left, right].map(|c| size * (end - c)));
            }
            sum
        });
        parts.sum()
    }

    /// What rounding may make of [`Solution::value`] on each interval, by the size of the terms: the data, and a quarter
    /// of the length times ∫|h''| (outside: the data, the chord extrapolated and the slopes).
    fn evaluation_errors(&self) -> Vec<f64> {
        let (basis, data) = (self.solution.basis(), &self.solution.setting().dataset);
        let (x, y, m) = (basis.x(), basis.y(), basis.len());
        let end = 1.5 * data.largest_input();
        let mut curvature = vec![0.0; m + 1];
        for section in &self.sections {
            curvature[section.piece.interval] +=
                jump(&section.piece) * section.largest_change(self.solution);
        }
        let terms = |interval: usize| {
            if m == 1 {
                let farthest = |piece: &Piece| {
                    let ends = [piece.left, piece.right].map(|c| c.abs() + end);
                    ends[0].max(ends[1])
                };
                let changes = self.sections.iter();
                return changes
                    .map(|section| farthest(&section.piece) * section.largest_change(self.solution))
                    .sum();
            }
            if (1..m).contains(&interval) {
                let length = x[interval] - x[interval - 1];
                return y[interval - 1].abs()
                    + y[interval].abs()
                    + length / 4.0 * curvature[interval];
            }
            let (inner, edge, beyond) = if interval == 0 {
                (1, 0, 1)
            } else {
                (m - 1, m - 1, m - 2)
            };
            let reach = (if interval == 0 { -end } else { end }) - x[edge];
            let chord = reach / (x[edge] - x[beyond]) * (y[edge] - y[beyond]);
            y[edge].abs() + chord.abs() + reach.abs() * (curvature[inner] + curvature[interval])
        };
        (0..=m)
            .map(|interval| {
                if self.precise {
                    return ROUNDED * f64::EPSILON * terms(interval) * OUTWARD;
                }
                ROUNDING * f64::EPSILON * terms(interval) + self.quadrature_error(interval)
            })
            .collect()
    }

    /// Difference of two orders of quadrature at the middle of an interval.
    fn quadrature_error(&self, interval: usize) -> f64 {
        let solution = self.solution;
        let x = solution.basis().x();
        let end = 1.5 * solution.setting().dataset.largest_input();
        let left = if interval == 0 { -end } else { x[interval - 1] };
        let right = x.get(interval).copied().unwrap_or(end);
        let middle = (left + right) / 2.0;
        (solution.value(middle) - solution.value_with(Order::Base, middle)).abs()
    }
}

/// What the jump of σ' makes of α in h'': 2 for |·|, 1 for ReLU.
fn jump(piece: &Piece) -> f64 {
    if piece.sheet == Sheet::Both { 2.0 } else { 1.0 }
}

/// Where on a piece the knot is at x, in t: no more than that, and no less; within the piece.
fn crossing(piece: &Piece, x: f64) -> [f64; 2] {
    let t = (x - piece.left) / (piece.right - piece.left);
    [t - 1e-15, t + 1e-15].map(|t| t.clamp(0.0, 1.0))
}
