//! What the largest inputs may take. One test, since the count is the whole process's.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use mirrorflow::{
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::bregman_projection,
};
use peak_alloc::PeakAlloc;
use std::{fs, io::Write};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

const WORD: usize = size_of::<f64>();

/// The result, and the largest memory in use at a time besides it and what there was before, in words.
fn extra<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let result = run();
    let kept = ALLOCATED.current_usage().saturating_sub(before);
    let peak = ALLOCATED.peak_usage() - before;
    (result, (peak - kept) / WORD)
}

/// m points, x even and y uniform on [-1, 1].
fn points(m: usize) -> (Vec<f64>, Vec<f64>) {
    let bias = BiasDensity::uniform(1.0).unwrap();
    let x = (0..m).map(|k| (2 * k + 1) as f64 / m as f64 - 1.0);
    let y = Network::sample(&bias, OutputInit::Zero, m, 1).b.to_vec();
    (x.collect(), y)
}

#[test]
fn memory_grows_with_the_input_alone() {
    // A projection keeps α and the network; three n-vectors besides, and no n × m matrix.
    for (n, m) in [(1_000_000, 5), (200_000, 1000)] {
        for activation in [Activation::Abs, Activation::Relu] {
            let (x, y) = points(m);
            let setting = Setting {
                dataset: Dataset::from_points(&x, &y).unwrap(),
                activation,
                bias: BiasDensity::uniform(1.0).unwrap(),
                potential: Potential::power(3.0, 1.0).unwrap(),
                scaling: Scaling::Scaled,
            };
            let network = Network::sample(&setting.bias, OutputInit::Zero, n, 2);
            let (projection, words) = extra(|| bregman_projection::project(&setting, &network));
            assert_eq!(projection.unwrap().alpha.len(), n);
            // Newton's vectors and matrices, a hundred words a data point.
            let most = 3 * n + 100 * m;
            assert!(
                words <= most,
                "n = {n}, m = {m}, {activation:?}: {words} words"
            );
            assert!(
                words >= n,
                "the count misses the sorted neurons: {words} words"
            );
        }
    }
    // A file: its bytes, and ten words a point.
    let (x, y) = points(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.csv");
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    writeln!(file, "x,y").unwrap();
    for (x, y) in x.iter().zip(&y) {
        writeln!(file, "{x},{y}").unwrap();
    }
    file.into_inner().unwrap();
    let bytes = fs::metadata(&path).unwrap().len() as usize;
    let (dataset, words) = extra(|| Dataset::read_csv(&path).unwrap());
    assert_eq!(dataset.x(), x);
    assert_eq!(dataset.y(), y);
    let most = 2 * bytes / WORD + 10 * x.len();
    assert!(words <= most, "{words} words for {bytes} bytes");
}
