//! Whether there is an interpolant at all, decided before iterating (proofs.md, "Interpolants").

use crate::{
    Error, Result,
    setting::{Activation, Dataset, Setting},
};

/// Indices (into the ascending inputs) of data that determine the infinite-width problem.
///
/// On or outside the support of the biases the limit is affine: x ↦ sgn(x)(Sx − T) on both sides
/// together for |·|, one affine function on each side for ReLU. Two points fix such a function; what
/// they leave over either follows from them, and is dropped, or contradicts them.
///
/// # Errors
/// [`Error::NotInterpolable`] naming the contradicting points.
pub fn independent_points(setting: &Setting) -> Result<Vec<usize>> {
    let (x, y) = (setting.dataset.x(), setting.dataset.y());
    let edge = setting.bias.half_width();
    let left = 0..x.partition_point(|&x| x <= -edge);
    let right = x.partition_point(|&x| x < edge)..x.len();
    // One group of points, the two of them that are kept, and the sign that makes them collinear.
    let groups = match setting.activation {
        Activation::Abs if !left.is_empty() && !right.is_empty() => vec![(
            left.clone().chain(right.clone()).collect::<Vec<_>>(),
            [left.end - 1, right.start],
        )],
        Activation::Abs | Activation::Relu => [left.clone(), right.clone()]
            .into_iter()
            .filter(|side| !side.is_empty())
            .map(|side| (side.clone().collect(), [side.start, side.end - 1]))
            .collect(),
    };
    let reflected = |i: usize| match setting.activation {
        Activation::Abs if i < left.end => -y[i],
        _ => y[i],
    };
    let mut redundant = vec![false; x.len()];
    for (group, [a, b]) in groups {
        for i in group {
            if i == a || i == b {
                continue;
            }
            let (ya, yb, h) = (reflected(a), reflected(b), x[b] - x[a]);
            let s = (x[i] - x[a]) / h;
            let defect = reflected(i) - (ya + (yb - ya) * s);
            // Rounding of the outputs, extrapolated, and of the inputs.
            let rounding = y[i].abs()
                + (ya.abs() + yb.abs()) * (1.0 + s.abs())
                + (yb - ya).abs() * (x[i].abs() + x[a].abs() + x[b].abs()) / h;
            if defect.abs() > 8.0 * f64::EPSILON * rounding {
                return Err(Error::NotInterpolable {
                    what: format!(
                        "x = {}, {} and {} lie on or outside the support [-{edge}, {edge}] of the \
                         biases, where {}, and their y do not fit one such function",
                        x[a],
                        x[b],
                        x[i],
                        match setting.activation {
                            Activation::Abs => "every limit is sgn(x)(S x - T)",
                            Activation::Relu => "every limit is affine",
                        },
                    ),
                    remedy: format!(
                        "widen the support beyond {0}, such as with --bias uniform:{1}",
                        setting.dataset.largest_input(),
                        2.0 * setting.dataset.largest_input()
                    ),
                });
            }
            redundant[i] = true;
        }
    }
    Ok((0..x.len()).filter(|&i| !redundant[i]).collect())
}

/// Whether |·| features with so many knots in each of the m + 1 intervals span the data: n ≥ m, and every cyclic run of
/// k < m consecutive data points touches at least k knots in its k + 1 arcs, the two outer arcs
/// being one. (For ReLU the decision is the rank of the first Newton matrix.)
///
/// # Errors
/// [`Error::NotInterpolable`] with the run of points that too few knots touch.
pub fn knots_reach_data(dataset: &Dataset, knots: &[usize]) -> Result<()> {
    let (x, m) = (dataset.x(), dataset.len());
    // Surplus of each arc over one knot; arc i lies between x_i and x_{i+1}, arc 0 is both outer ones.
    let mut surplus = vec![-1_i64; m];
    for (interval, &count) in knots.iter().enumerate() {
        surplus[interval % m] += count as i64;
    }
    let width: usize = knots.iter().sum();
    let too_few = |what: String| {
        Err(Error::NotInterpolable {
            what,
            remedy: "take a larger width, another seed or fewer points".into(),
        })
    };
    if width < m {
        return too_few(format!("{width} neurons cannot fit {m} points"));
    }
    // A run of k points has k + 1 arcs, so the least sum over a cyclic run of arcs decides: either
    // it does not wrap around, or its complement is the largest run that does not.
    let (mut prefix, mut highest, mut lowest) = (0_i64, (0, 0), (0, 0));
    let mut worst = (0, 0..0);
    let total = width as i64 - m as i64;
    for end in 1..=m {
        prefix += surplus[end - 1];
        worst = [
            (prefix - highest.0, highest.1..end),
            (total - (prefix - lowest.0), end..lowest.1 + m),
        ]
        .into_iter()
        .fold(
            worst,
            |worst, run| if run.0 < worst.0 { run } else { worst },
        );
        highest = highest.max((prefix, end));
        lowest = lowest.min((prefix, end));
    }
    if worst.0 < -1 {
        let points: Vec<String> = worst
            .1
            .skip(1)
            .map(|arc| x[(arc + m - 1) % m].to_string())
            .collect();
        return too_few(format!(
            "fewer than {} knots lie in the arcs next to x = {}",
            points.len(),
            points.join(", ")
        ));
    }
    Ok(())
}
