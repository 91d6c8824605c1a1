//! Timings of the solvers, against a baseline where one was saved (`make bench` says how), and the log–log slopes with
//! which they grow with m and n; advisory, since they are those of one machine in one hour.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mirrorflow::{
    evidence::certificate,
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{bregman_projection, infinite_width},
};
use std::time::{Duration, Instant};

fn setting(dataset: Dataset, activation: Activation, exponent: f64) -> Setting {
    Setting {
        dataset,
        activation,
        bias: BiasDensity::Uniform { half_width: 1.0 },
        potential: Potential::power(exponent, 1.0).unwrap_or(Potential::quadratic()),
        scaling: Scaling::Scaled,
    }
}

fn network(width: usize, seed: u64) -> Network {
    let bias = BiasDensity::Uniform { half_width: 1.0 };
    Network::sample(&bias, OutputInit::Zero, width, seed)
}

/// m points with x and y uniform on [-1, 1], spread evenly enough over the networks' arcs where `even`.
fn noise(m: usize, even: bool) -> Dataset {
    let (random, y) = (network(m, 0).b.to_vec(), network(m, 1).b.to_vec());
    let grid = |k: usize| (2 * k + 1) as f64 / m as f64 - 1.0;
    let x: Vec<f64> = if even {
        (0..m).map(grid).collect()
    } else {
        random
    };
    Dataset::from_points(&x, &y).unwrap_or_else(|_| Dataset::figure2())
}

/// Prints the log–log slope of the time from each size to the next.
fn slopes(what: &str, times: &[(usize, Duration)]) {
    for pair in times.windows(2) {
        let [(small, fast), (large, slow)] = [pair[0], pair[1]];
        let slope =
            (slow.as_secs_f64() / fast.as_secs_f64()).ln() / (large as f64 / small as f64).ln();
        println!("{what}, {small} to {large}: {fast:.2?} to {slow:.2?}, slope {slope:.3}");
    }
    let [(small, fast), (large, slow)] = [times[0], times[times.len() - 1]];
    let slope = (slow.as_secs_f64() / fast.as_secs_f64()).ln() / (large as f64 / small as f64).ln();
    println!("{what}, in all: slope {slope:.3}");
}

/// The shortest of three runs, or of one that takes seconds.
fn shortest<T>(run: impl Fn() -> T) -> Duration {
    let once = || {
        let start = Instant::now();
        std::hint::black_box(run());
        start.elapsed()
    };
    let first = once();
    if first > Duration::from_secs(3) {
        return first;
    }
    once().min(once()).min(first)
}

fn minimizers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("infinite width");
    group.sample_size(10);
    for activation in [Activation::Abs, Activation::Relu] {
        for exponent in [2.0, 3.0, 4.0] {
            let name = format!("{activation:?}, p = {exponent}");
            let (mut times, mut certified) = (Vec::new(), Vec::new());
            let most = if activation == Activation::Abs {
                1_000_000
            } else {
                100_000
            };
            for m in [1_000, 10_000, 100_000, 1_000_000] {
                if m > most {
                    break;
                }
                let setting = setting(noise(m, false), activation, exponent);
                let solve = || infinite_width::minimize(&setting);
                let certify = || solve().map(|h| certificate::certify(&h));
                if m == 1_000 {
                    group.bench_function(BenchmarkId::new(&name, m), |bencher| {
                        bencher.iter(certify)
                    });
                }
                times.push((m, shortest(solve)));
                certified.push((m, shortest(certify)));
            }
            slopes(&format!("{name}: m"), &times);
            slopes(&format!("{name}, with certificate: m"), &certified);
        }
    }
    group.finish();
}

fn projections(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("projection");
    group.sample_size(10);
    let mut grow = |name: &str, sizes: [(usize, usize); 3], of: fn((usize, usize)) -> usize| {
        let mut times = Vec::new();
        for (n, m) in sizes {
            let setting = setting(noise(m, true), Activation::Abs, 3.0);
            let network = network(n, 2);
            let project = || bregman_projection::project(&setting, &network);
            if n == 100_000 {
                group.bench_function(format!("n = {n}, m = {m}"), |bencher| {
                    bencher.iter(project);
                });
            }
            let sort = || bregman_projection::Neurons::new(&setting, &network);
            let [whole, sorting] = [shortest(project), shortest(sort)];
            println!("projection, n = {n}, m = {m}: {whole:.2?}, of which sorting {sorting:.2?}");
            times.push((of((n, m)), whole.saturating_sub(sorting)));
        }
        slopes(name, &times);
    };
    let in_n = [100_000, 1_000_000, 10_000_000].map(|n| (n, 5));
    grow("projection after sorting, m = 5: n", in_n, |(n, _)| n);
    let in_m = [10, 100, 1000].map(|m| (1_000_000, m));
    grow("projection after sorting, n = 1000000: m", in_m, |(_, m)| m);
    group.finish();
}

criterion_group!(benches, minimizers, projections);
criterion_main!(benches);
