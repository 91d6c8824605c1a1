//! What share of the machine's limit evaluations reach: `make bench` prints the table.
//!
//! The limit is the roofline's: the longest of the times that sums and products, quotients and roots, and memory take each. Their speeds
//! are measured here: independent fused multiply-adds (two operations each) and quotients in the widest registers that `pulp`
//! offers, and c ← a + s·b (24 bytes an entry) over arrays that together are as large as what the evaluation goes through, so that
//! they live at the same level of the memory hierarchy.
//!
//! Counted are the operations of the formulas (a root as a quotient, though the processor takes longer for it) and the bytes that the
//! interface cannot do without, each array once a call. Writes count once: that memory is read before it is written costs both alike.

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

/// The shortest of runs that together take a second, four at least: the first finds no memory in place.
fn shortest(mut run: impl FnMut()) -> f64 {
    let (begin, mut best) = (Instant::now(), f64::INFINITY);
    for count in 0.. {
        if count >= 4 && begin.elapsed().as_secs_f64() > 1.0 {
            break;
        }
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

/// Independent quotients.
struct Divide;

impl WithSimd for Divide {
    /// Quotients formed.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let x = simd.splat_f64s(black_box(1.5));
        let mut quotients = [x; MultiplyAdd::SUMS];
        for _ in 0..MultiplyAdd::ROUNDS / 10 {
            for quotient in &mut quotients {
                *quotient = simd.div_f64s(x, *quotient);
            }
        }
        let total = quotients.into_iter().map(|one| simd.reduce_sum_f64s(one));
        black_box(total.sum::<f64>());
        MultiplyAdd::SUMS * (MultiplyAdd::ROUNDS / 10) * S::F64_LANES
    }
}

/// Operations of a kernel per second.
fn arithmetic<K: WithSimd<Output = usize>>(kernel: fn() -> K, threads: usize) -> f64 {
    let mut count = 0;
    let seconds = shortest(|| {
        let all = (0..threads).into_par_iter();
        count = all.map(|_| Arch::new().dispatch(kernel())).sum();
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

/// What an evaluation does for each neuron.
struct Work {
    /// Sums and products.
    plain: usize,
    /// Quotients and roots.
    slow: usize,
    /// Bytes read and written.
    bytes: usize,
    /// Bytes of memory that it goes through.
    size: usize,
}

/// A line of the table, for n neurons in that time on so many threads.
fn row(what: &str, n: usize, seconds: f64, work: &Work, threads: usize) {
    let limits = [
        (
            "sums and products",
            work.plain,
            arithmetic(|| MultiplyAdd, threads),
        ),
        (
            "quotients and roots",
            work.slow,
            arithmetic(|| Divide, threads),
        ),
        ("memory", work.bytes, bandwidth(n * work.size, threads)),
    ];
    let least = limits.map(|(name, count, speed)| (name, (n * count) as f64 / speed));
    let (name, limit) = least
        .into_iter()
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .unwrap();
    let [fma, divide, memory] = limits.map(|(_, _, speed)| speed * 1e-9);
    println!(
        "| {what}, n = {n} | {:.3} | {} + {} | {} | {fma:.0} | {divide:.1} | {memory:.0} | {name} | {:.0} % |",
        1e3 * seconds,
        work.plain,
        work.slow,
        work.bytes,
        100.0 * limit / seconds,
    );
}

fn main() {
    println!(
        "| Evaluation | ms | operations a neuron | bytes | FMA Gflop/s | quotients G/s | triad GB/s | limit | reached |\n|---|---|---|---|---|---|---|---|---|"
    );
    let [two, three, _] = settings(2).unwrap();
    for n in WIDTHS {
        let wide = n > WIDTHS[0];
        let threads = if wide {
            rayon::current_num_threads()
        } else {
            1
        };
        for (setting, p) in [(&two, 2), (&three, 3)] {
            let initial = Network::sample(&setting.bias, OutputInit::Zero, n, 0);
            right_hand_side(&format!("flow, p = {p}"), setting, &initial, threads);
            if wide {
                projection(&format!("projection, p = {p}"), setting, &initial, threads);
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
    let mut point = model.at(&zeta, &gates);
    let seconds = shortest(|| {
        model.renew(&mut point, &zeta, &gates);
        model.add_transposed(&point, &gates, &point.residual, 1.0, &mut force);
    });
    black_box(&force);
    let [plain, slow] = of_conjugate(setting);
    let work = Work {
        // And θ̂ + (φ*)', two sums of products over the neurons, seven products and sums for Jᵀr.
        plain: 3 * plain + 3 + 4 + 8,
        slow: 3 * slow,
        // ζ, θ̂, θ, 1/φ''; θ again, the sum read and written; the row of gates twice.
        bytes: 7 * 3 * F64 + 2 * 4,
        size: 5 * 3 * F64 + 4,
    };
    row(what, n, seconds, &work, threads);
}

/// Operations for (φ*)' and (φ*)'' of one u: sums and products, quotients and roots.
fn of_conjugate(setting: &Setting) -> [usize; 2] {
    match setting.potential.leading_correction() {
        None => [0, 1],
        // |u|/s, root = √(b²/4 + (3a/4)v), ½v/(½b + root), ¼/root, s·t.
        Some(_) => [5, 4],
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
    let [plain, slow] = of_conjugate(setting);
    let work = Work {
        // Position t (a quotient), u, and five sums of products with t and 1 − t.
        plain: 1 + 4 + plain + 14,
        slow: 1 + slow,
        // Knot and place.
        bytes: 2 * F64,
        size: 2 * F64,
    };
    row(what, initial.width(), seconds, &work, threads);
}
