//! The largest distance of two functions, located.

use rayon::prelude::*;

/// Places at which the distance is measured first.
const GRID: usize = 601;
/// Steps of the golden section: the last one spans 10⁻⁶ of a cell of the grid.
const SECTIONS: usize = 30;

/// sup |f| over \[−edge, edge\]: the largest of a grid of 601, then the golden section between the
/// neighbours of each of its three largest places.
pub fn sup(f: impl Fn(f64) -> f64 + Sync, edge: f64) -> f64 {
    located(f, edge).1
}

/// The same with the place where it is attained: (x, |f(x)|).
pub fn located(f: impl Fn(f64) -> f64 + Sync, edge: f64) -> (f64, f64) {
    let place = |k: usize| edge * (2.0 * k as f64 / (GRID - 1) as f64 - 1.0);
    let values: Vec<f64> = (0..GRID)
        .into_par_iter()
        .map(|k| f(place(k)).abs())
        .collect();
    let mut peaks: Vec<usize> = (0..GRID).collect();
    peaks.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
    let refined = peaks[..3].par_iter().map(|&peak| {
        let (mut left, mut right) = (place(peak.max(1) - 1), place((peak + 1).min(GRID - 1)));
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        let mut best = (place(peak), values[peak]);
        for _ in 0..SECTIONS {
            let [a, b] = [
                right - golden * (right - left),
                left + golden * (right - left),
            ];
            let [at_a, at_b] = [(a, f(a).abs()), (b, f(b).abs())];
            best = larger(best, larger(at_a, at_b));
            if at_a.1 > at_b.1 { right = b } else { left = a }
        }
        best
    });
    refined.reduce(|| (0.0, 0.0), larger)
}

/// NaN is the largest.
fn larger(one: (f64, f64), other: (f64, f64)) -> (f64, f64) {
    if other.1 > one.1 || other.1.is_nan() {
        other
    } else {
        one
    }
}
