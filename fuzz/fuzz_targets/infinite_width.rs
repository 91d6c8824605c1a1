//! The minimiser of an arbitrary small problem: an error, or a report without NaN whose certificate is true.
//!
//! It is measured three ways that share no step with the solver: the reported λ, integrated by brute force,
//! fits the data and closes the gap to within what is certified; the mirrored problem has the mirrored
//! solution to within both bounds on errors; and where the penalty is quadratic and biases are uniform,
//! rational arithmetic gives h̄ itself.
#![no_main]

use gauss_quad::GaussLegendre;
use libfuzzer_sys::fuzz_target;
use mirrorflow::{
    evidence::certificate::{self, Certificate},
    report::minimizer::{MinimizerReport, grid},
    setting::{Activation, BiasDensity, Dataset, Family, Setting},
    solver::infinite_width::{self, Solution},
};
use mirrorflow_fuzz::{Problem, says_what_to_do};
use num_rational::BigRational;
use num_traits::{ToPrimitive, Zero};
use std::{num::NonZeroUsize, sync::LazyLock};

const EPS: f64 = f64::EPSILON;

fuzz_target!(|problem: Problem| {
    let setting = problem.0;
    let report = match MinimizerReport::new(&setting, None, Some(100)) {
        Ok(report) => report,
        Err(error) => return says_what_to_do(&error.to_string()),
    };
    has_no_nan(&report);
    let solution = infinite_width::minimize(&setting).expect("it was solved before");
    let certificate = certificate::certify(&solution);
    assert!(certificate.duality_gap >= 0.0 && certificate.interpolation_residual >= 0.0);
    // The knee of steeper powers at |α| = 1 is too sharp for the rule here.
    if !matches!(setting.limit_potential().family(), Family::Power { exponent, .. } if exponent > 64.0)
    {
        fits(&solution, &certificate);
    }
    agrees_with_its_mirror_image(&solution, &certificate);
    agrees_with_rational_arithmetic(&solution, &certificate);
});

fn has_no_nan(report: &MinimizerReport) {
    let terms = report.terms.map(|t| [t.curvature, t.slopes, t.offset]);
    let certified = [
        report.certificate.duality_gap,
        report.certificate.interpolation_residual,
    ];
    let all = (report
        .points
        .iter()
        .chain(&report.values)
        .chain(&report.second_derivative))
    .chain(&report.fluctuation_sd)
    .chain(&report.multipliers)
    .chain([&report.cost])
    .chain(terms.iter().flatten())
    .chain(&certified);
    for number in all {
        assert!(number.is_finite(), "{report:?}");
    }
    // Infinite where no bound is known.
    assert!(!report.certificate.sup_error_bound.is_nan(), "{report:?}");
}

/// Cuts a stretch of knots on which u = Σ λ_i σ(w(x_i − c)) is linear, at its zero and geometrically towards it:
/// on each part, where u changes by at most `longest`, (φ*)' is as smooth as a polynomial of low degree.
fn cells(
    [from, to]: [f64; 2],
    [l, r]: [f64; 2],
    (depth, longest): (usize, f64),
    parts: &mut Vec<[f64; 2]>,
) {
    let (least, most) = (l.abs().min(r.abs()), l.abs().max(r.abs()));
    let inside = |cut: &f64| from < *cut && *cut < to;
    // A zero in the rounding of an end is no cut.
    let zero = (l * r < 0.0).then(|| from + (to - from) * (l / (l - r)));
    let (cut, middle) = match zero.filter(inside) {
        Some(zero) => (zero, 0.0),
        None => (0.5 * (from + to), 0.5 * (l + r)),
    };
    let smooth = l * r >= 0.0 && most <= 3.0 * least && (r - l).abs() <= longest;
    // Exponentials overflow there, and NaN has no smooth part.
    let beyond = !(r - l).is_finite() || least > 200.0 * longest;
    if depth == 0 || smooth || beyond || !inside(&cut) {
        parts.push([from, to]);
        return;
    }
    cells([from, cut], [l, middle], (depth - 1, longest), parts);
    cells([cut, to], [middle, r], (depth - 1, longest), parts);
}

/// E[αF] − y, and E φ(α) + E φ*(λᵀF) − λᵀy, from the reported λ alone.
fn fits(solution: &Solution, certificate: &Certificate) {
    static RULE: LazyLock<GaussLegendre> =
        LazyLock::new(|| GaussLegendre::new(NonZeroUsize::new(12).expect("12 nodes")));
    let setting = solution.setting();
    let (data, potential) = (&setting.dataset, setting.limit_potential());
    let (x, lambda) = (data.in_file_order(data.x()), solution.multipliers());
    let y = data.in_file_order(data.y());
    let mut cuts: Vec<f64> = setting.bias.breakpoints();
    if let BiasDensity::Gaussian {
        standard_deviation: s,
    } = setting.bias
    {
        cuts = (-38..=38).map(|k| f64::from(k) * s).collect();
    }
    let edge = cuts.iter().fold(0.0, |a: f64, c| a.max(c.abs()));
    cuts.extend(cuts.clone().iter().map(|c| -c));
    cuts.extend(x.iter().filter(|x| x.abs() < edge));
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();

    // Exponentials are smooth over short stretches only.
    let longest = match potential.family() {
        Family::Hypentropy { .. } => 4.0 * potential.scale(),
        _ => f64::INFINITY,
    };
    let m = x.len();
    let precision = precision(solution, &x, &lambda);
    // Attained values, and by how much the roundings of λ and of the sum u may have moved them.
    let (mut values, mut moved) = (vec![0.0; m], vec![0.0; m]);
    let (mut primal, mut dual, mut loose) = (0.0, 0.0, 0.0);
    for w in [1.0, -1.0] {
        let feature = |x: f64, c: f64| setting.activation.value(w * (x - c));
        let u = |c: f64| {
            x.iter()
                .zip(&lambda)
                .map(|(&x, l)| l * feature(x, c))
                .sum::<f64>()
        };
        for pair in cuts.windows(2) {
            let mut parts = Vec::new();
            let ends = [pair[0], pair[1]];
            cells(ends, ends.map(u), (44, longest), &mut parts);
            for [from, to] in parts {
                for &(node, weight) in RULE.as_node_weight_pairs() {
                    let c = from + (to - from) * (0.5 + 0.5 * node);
                    let weight = 0.5 * (to - from) * weight * 0.5 * setting.bias.density(w * c);
                    let u = u(c);
                    // Three roundings of a term, m of the sum, one of the difference in the feature.
                    let terms = (0..m).map(|i| {
                        let size = EPS * (4.0 + m as f64) * lambda[i].abs() + precision[i];
                        size * feature(x[i], c) + EPS * lambda[i].abs() * (x[i].abs() + c.abs())
                    });
                    let off = terms.sum::<f64>();
                    let [low, alpha, high] =
                        [u - off, u, u + off].map(|u| potential.inverse_mirror_map(u));
                    for i in 0..m {
                        values[i] += weight * alpha * feature(x[i], c);
                        moved[i] += weight * (high - low + 1e-11 * alpha.abs()) * feature(x[i], c);
                    }
                    let (phi, conjugate) = (potential.value(alpha), potential.conjugate(u));
                    primal += weight * phi;
                    dual -= weight * conjugate;
                    loose += weight
                        * ((high - low) * (u.abs() + off)
                            + alpha.abs() * off
                            + 1e-11 * (phi + conjugate));
                }
            }
        }
    }
    for i in 0..m {
        let off = (values[i] - y[i]).abs();
        // The last term: numbers below it have fewer digits.
        let rounding = 1e-12 * y[i].abs() + f64::MIN_POSITIVE;
        let allowed = certificate.interpolation_residual + moved[i] + rounding;
        assert!(
            off.is_nan() || !moved[i].is_finite() || off <= allowed,
            "at {}: {off:e} > {allowed:e}, certified {certificate:?}",
            x[i]
        );
    }
    for ((l, y), precision) in lambda.iter().zip(&y).zip(&precision) {
        dual += l * y;
        // The gap is λᵀr: that of the rounded λ has r as well.
        loose += 4.0 * EPS * (l * y).abs() + precision * certificate.interpolation_residual;
    }
    let (gap, allowed) = ((primal - dual).abs(), certificate.duality_gap + loose);
    assert!(
        gap.is_nan() || !allowed.is_finite() || gap <= allowed,
        "gap {gap:e} > {allowed:e}, certified {certificate:?}"
    );
}

/// What double precision leaves of λ, half the difference of two slopes of Σ λ_i |x_i − c| at the data,
/// of which the values are what the solver knows.
fn precision(solution: &Solution, x: &[f64], lambda: &[f64]) -> Vec<f64> {
    let sorted = solution.setting().dataset.x();
    let m = sorted.len();
    let size = |at: f64| {
        x.iter()
            .zip(lambda)
            .map(|(x, l)| (l * (x - at)).abs())
            .sum::<f64>()
    };
    let slope =
        |i: usize, j: usize| (size(sorted[i]) + size(sorted[j])) / (sorted[j] - sorted[i]).abs();
    (x.iter())
        .map(|&x| {
            let i = sorted.partition_point(|&s| s < x);
            let neighbours = [(i + m - 1) % m, (i + 1) % m];
            let slopes = neighbours.iter().filter(|&&j| j != i).map(|&j| slope(i, j));
            4.0 * EPS * slopes.sum::<f64>()
        })
        .collect()
}

/// Over the range of the bound.
fn points(data: &Dataset) -> impl Iterator<Item = f64> {
    let edge = 1.5 * data.largest_input();
    grid(-edge, edge, 25).into_iter().chain(
        data.x()
            .windows(2)
            .map(|pair| pair[0] / 2.0 + pair[1] / 2.0)
            .collect::<Vec<_>>(),
    )
}

/// x → −x with w → −w, which has the law of w; that of b is as it was.
fn agrees_with_its_mirror_image(solution: &Solution, certificate: &Certificate) {
    let setting = solution.setting();
    let x: Vec<f64> = setting.dataset.x().iter().map(|x| -x).collect();
    let mirrored = Setting {
        dataset: Dataset::from_points(&x, setting.dataset.y()).expect("as good as it was"),
        ..setting.clone()
    };
    let Ok(mirrored) = infinite_width::minimize(&mirrored) else {
        return;
    };
    let bound = certificate.sup_error_bound + certificate::certify(&mirrored).sup_error_bound;
    let few_digits = setting.dataset.largest_input() < f64::MIN_POSITIVE;
    for x in points(&setting.dataset) {
        let off = (solution.value(x) - mirrored.value(-x)).abs();
        assert!(few_digits || off <= bound, "at {x}: {off:e} > {bound:e}");
    }
}

/// h̄ = k(·)ᵀK⁻¹y with the kernel E[σ(wx − b)σ(wx' − b)].
fn agrees_with_rational_arithmetic(solution: &Solution, certificate: &Certificate) {
    let setting = solution.setting();
    let basis = solution.basis();
    let BiasDensity::Uniform { half_width } = setting.bias else {
        return;
    };
    let quadratic = matches!(setting.limit_potential().family(), Family::Quadratic { .. });
    let moderate = |v: &f64| *v == 0.0 || (1e-9..1e9).contains(&v.abs());
    let all = basis.x().iter().chain(basis.y()).chain([&half_width]);
    if !quadratic || !all.into_iter().all(moderate) {
        return;
    }
    let exact = |v: f64| BigRational::from_float(v).expect("finite");
    let c = exact(half_width);
    let kernel = |x: &BigRational, z: &BigRational| {
        // ∫ (x − t)(z − t) dt
        let integral = |from: &BigRational, to: &BigRational| {
            let third =
                |t: &BigRational| t * (x * z - t * (x + z) / exact(2.0) + t * t / exact(3.0));
            third(to) - third(from)
        };
        let inside = |v: &BigRational| v.clone().clamp(-c.clone(), c.clone());
        let [low, high] = [inside(x.min(z)), inside(x.max(z))];
        let same = integral(&-c.clone(), &low) + integral(&high, &c);
        match setting.activation {
            Activation::Abs => (same - integral(&low, &high)) / (exact(2.0) * &c),
            Activation::Relu => same / (exact(4.0) * &c),
        }
    };
    let x: Vec<BigRational> = basis.x().iter().map(|&v| exact(v)).collect();
    let mut rows: Vec<Vec<BigRational>> = (x.iter().zip(basis.y()))
        .map(|(at, &y)| x.iter().map(|z| kernel(at, z)).chain([exact(y)]).collect())
        .collect();
    let m = rows.len();
    for pivot in 0..m {
        let Some(found) = (pivot..m).find(|&row| !rows[row][pivot].is_zero()) else {
            panic!("solved, though the kernel is singular: {setting:?}");
        };
        rows.swap(pivot, found);
        let above = rows[pivot].clone();
        for row in (0..m).filter(|&row| row != pivot) {
            let factor = &rows[row][pivot] / &above[pivot];
            for (entry, above) in rows[row].iter_mut().zip(&above).skip(pivot) {
                *entry -= &factor * above;
            }
        }
    }
    let lambda: Vec<BigRational> = (0..m).map(|i| &rows[i][m] / &rows[i][i]).collect();
    for at in points(&setting.dataset) {
        let z = exact(at);
        let truth: BigRational = x.iter().zip(&lambda).map(|(x, l)| l * kernel(&z, x)).sum();
        let off = (exact(solution.value(at)) - truth)
            .to_f64()
            .expect("a number")
            .abs();
        let bound = certificate.sup_error_bound;
        assert!(off <= bound, "at {at}: {off:e} > {bound:e}");
    }
}
