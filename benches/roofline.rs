//! What share of the machine's limit evaluations reach: `make bench` prints the table.
//!
//! The limit is the roofline's, min(arithmetic, intensity × bandwidth). Both are measured here: arithmetic by
//! independent fused multiply-adds in the widest registers that `pulp` offers, bandwidth by the sum a + s·b into c (24
//! bytes an entry) over arrays that together are as large as what the evaluation touches, so that they live at the same level of
//! the memory hierarchy.
//!
//! Counted are bytes that the interface cannot do without, each array once a call, and floating-point operations of the formulas,
//! a division or a root as one (the processor takes 5 to 10 times as long for one). Writes count once: that memory
//! is read before it is written costs both alike.

#![allow(clippy::unwrap_used)] // A table that cannot be made is no table.

use mirrorflow::{
    report::figures::numbers::settings,
    setting::{Network, OutputInit, Setting},
    solver::{
        bregman_projection::Neurons,
        dual::Measure,
        model::{Model, Trained},
    },
};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::{hint::black_box, time::Instant};

/// In cache, on one thread; and out of it, on all.
const WIDTHS: [usize; 2] = [4_860, 10_000_000];
const F64: usize = size_of::<f64>();

/// The shortest of runs that together take about a second.
fn shortest(mut run: impl FnMut()) -> f64 {
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    while best == f64::INFINITY || start.elapsed().as_secs_f64() < 1.0 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

/// Independent sums s ← s·x + y, enough to hide their latency.
struct MultiplyAdd;

impl MultiplyAdd {
    const SUMS: usize = 12;
    const ROUNDS: usize = 100_000;
}

impl WithSimd for MultiplyAdd {
    /// Operations carried out.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let [x, y] = [0.5, 0.25].map(|v| simd.splat_f64s(black_box(v)));
        let mut sums = [y; Self::SUMS];
        for _ in 0..Self::ROUNDS {
            for sum in &mut sums {
                *sum = simd.mul_add_f64s(*sum, x, y);
            }
        }
        let total = sums.into_iter().map(|sum| simd.reduce_sum_f64s(sum));
        black_box(total.sum::<f64>());
        2 * Self::SUMS * Self::ROUNDS * S::F64_LANES
    }
}

/// Operations per second.
fn arithmetic(threads: usize) -> f64 {
    let mut count = 0;
    let seconds = shortest(|| {
        let all = (0..threads).into_par_iter();
        count = all.map(|_| Arch::new().dispatch(MultiplyAdd)).sum();
    });
    count as f64 / seconds
}

/// Bytes per second with three arrays that are together of this size.
fn bandwidth(bytes: usize, threads: usize) -> f64 {
    let entries = bytes / (3 * F64);
    let (a, b, mut c) = (vec![1.0; entries], vec![2.0; entries], vec![0.0; entries]);
    let share = entries.div_ceil(threads);
    // Many times where once is short beside the clock and the pool.
    let times = (1 << 24) / entries + 1;
    let seconds = shortest(|| {
        let pairs = a.par_chunks(share).zip(b.par_chunks(share));
        pairs.zip(c.par_chunks_mut(share)).for_each(|((a, b), c)| {
            for _ in 0..times {
                Arch::new().dispatch(|| {
                    for ((c, a), b) in black_box(&mut *c).iter_mut().zip(a).zip(b) {
                        *c = a + 3.0 * b;
                    }
                });
            }
        });
    });
    (times * entries * 3 * F64) as f64 / seconds
}

/// A line of the table: what was done `count` times in that time on so many threads, with how many operations on how many bytes, in
/// a working set of that size.
fn row(what: &str, seconds: f64, [operations, bytes, size]: [usize; 3], threads: usize) {
    let (arithmetic, bandwidth) = (arithmetic(threads), bandwidth(size, threads));
    let by_memory = operations as f64 / bytes as f64 * bandwidth;
    let speed = operations as f64 / seconds;
    let limit = arithmetic.min(by_memory);
    println!(
        "| {what} | {:.2} | {:.1} | {:.2} | {:.1} | {:.1} | {} | {:.0} % |",
        1e3 * seconds,
        speed * 1e-9,
        operations as f64 / bytes as f64,
        arithmetic * 1e-9,
        bandwidth * 1e-9,
        if arithmetic < by_memory {
            "arithmetic"
        } else {
            "memory"
        },
        100.0 * speed / limit,
    );
}

fn main() {
    println!(
        "| Evaluation | ms | Gflop/s | flop/byte | FMA Gflop/s | triad GB/s | limit | reached |\n|---|---|---|---|---|---|---|---|"
    );
    let [two, three, _] = settings(2).unwrap();
    for n in WIDTHS {
        let threads = if n > WIDTHS[0] {
            rayon::current_num_threads()
        } else {
            1
        };
        for (setting, p) in [(&two, 2), (&three, 3)] {
            let initial = Network::sample(&setting.bias, OutputInit::Zero, n, 0);
            right_hand_side(
                &format!("flow, p = {p}, n = {n}"),
                setting,
                &initial,
                threads,
            );
            if n > WIDTHS[0] {
                projection(
                    &format!("projection, p = {p}, n = {n}"),
                    setting,
                    &initial,
                    threads,
                );
            }
        }
    }
}

/// ζ ↦ Jᵀr.
fn right_hand_side(what: &str, setting: &Setting, initial: &Network, threads: usize) {
    let n = initial.width();
    let model = Model::new(setting, initial, Trained::All, false);
    let gates = model.initial_gates();
    let zeta = vec![1e-3; 3 * n + 1];
    let mut force = vec![0.0; 3 * n + 1];
    let seconds = shortest(|| {
        let point = model.at(&zeta, &gates);
        model.add_transposed(&point, &gates, &point.residual, 1.0, &mut force);
    });
    black_box(&force);
    // ζ, θ̂, θ, 1/φ''; θ again, the sum read and written.
    let bytes = (4 + 1 + 2) * 3 * n * F64;
    row(
        what,
        seconds,
        [
            n * (3 * of_conjugate(setting) + 3 + 4 + 11),
            bytes,
            5 * 3 * n * F64,
        ],
        threads,
    );
}

/// Operations for (φ*)' and (φ*)'' of one u.
fn of_conjugate(setting: &Setting) -> usize {
    match setting.potential.leading_correction() {
        None => 1,
        // |u|/s, b²/4 + (3a/4)v, its root, ½v/(½b + root), ¼/root, s·t.
        Some(_) => 1 + 2 + 1 + 3 + 1 + 1,
    }
}

/// Moments of all neurons, as one step of Newton's method takes them.
fn projection(what: &str, setting: &Setting, initial: &Network, threads: usize) {
    let neurons = Neurons::new(setting, initial).unwrap();
    let seconds = shortest(|| {
        for piece in 0..neurons.pieces().len() {
            black_box(neurons.moments(piece, [-0.7, 0.9]));
        }
    });
    // Knot and place of each; its position, u, derivatives of φ*, and five sums.
    let n = initial.width();
    row(
        what,
        seconds,
        [
            n * (2 + 4 + of_conjugate(setting) + 15),
            n * 2 * F64,
            n * 2 * F64,
        ],
        threads,
    );
}
