//! Timings of the solvers; advisory.

use criterion::{Criterion, criterion_group, criterion_main};
use mirrorflow::{
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{bregman_projection, infinite_width},
};

fn setting() -> Setting {
    Setting {
        dataset: Dataset::figure1(),
        activation: Activation::Relu,
        bias: BiasDensity::Uniform { half_width: 1.0 },
        potential: Potential::quadratic(),
        scaling: Scaling::Unscaled,
    }
}

fn solvers(criterion: &mut Criterion) {
    let setting = setting();
    criterion.bench_function("infinite width, figure 1", |bencher| {
        bencher.iter(|| infinite_width::minimize(&setting));
    });
    let network = Network::sample(&setting.bias, OutputInit::Zero, 48_600, 0);
    criterion.bench_function("projection, figure 1, n = 48600", |bencher| {
        bencher.iter(|| bregman_projection::project(&setting, &network));
    });
}

criterion_group!(benches, solvers);
criterion_main!(benches);
