//! Mirror flow by another program: a smoothed network, its equations written out here, and the
//! explicit Runge–Kutta method of order 8 of another library. As the smoothing vanishes it must end
//! where the differential inclusion does, with knots that slide along data.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use mirrorflow::{
    evidence::{Evidence, extrapolation::Limit},
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Scaling, Setting},
    solver::mirror_flow::{self, Options, Run, Status},
};
use ode_solvers::{DVector, Dop853, OutputType, System};

/// θ = (w, b, a, d), dθ/dt = −(1/nm) Jᵀr/φ''.
#[derive(Clone)]
struct Smoothed {
    x: Vec<f64>,
    y: Vec<f64>,
    start: DVector<f64>,
    /// ε of √(z² + ε²) for |z|.
    epsilon: f64,
    relu: bool,
    /// φ'' as a function of θ − θ̂.
    hessian: fn(f64, f64) -> f64,
    /// A twin keeps the slopes that σ has at the start.
    frozen: bool,
}

impl Smoothed {
    fn width(&self) -> usize {
        (self.start.len() - 1) / 3
    }

    /// σ and σ'.
    fn activation(&self, z: f64, at_start: f64) -> (f64, f64) {
        let root = z.hypot(self.epsilon);
        let (value, slope) = match self.frozen {
            true => (z * at_start.signum(), at_start.signum()),
            false => (root, z / root),
        };
        match self.relu {
            true => (0.5 * (z + value), 0.5 * (1.0 + slope)),
            false => (value, slope),
        }
    }
}

impl System<f64, DVector<f64>> for Smoothed {
    fn system(&self, _: f64, theta: &DVector<f64>, rate: &mut DVector<f64>) {
        let (n, m) = (self.width(), self.x.len());
        rate.fill(0.0);
        for (x, y) in self.x.iter().zip(&self.y) {
            let sigma = |k: usize| {
                let z = |theta: &DVector<f64>| theta[k] * x - theta[n + k];
                self.activation(z(theta), z(&self.start))
            };
            let sum: f64 = (0..n).map(|k| theta[2 * n + k] * sigma(k).0).sum();
            let pull = -(sum + theta[3 * n] - y) / (n * m) as f64;
            for k in 0..n {
                let (value, slope) = sigma(k);
                rate[k] += pull * theta[2 * n + k] * slope * x;
                rate[n + k] -= pull * theta[2 * n + k] * slope;
                rate[2 * n + k] += pull * value;
            }
            rate[3 * n] += pull;
        }
        for j in 0..=3 * n {
            rate[j] /= (self.hessian)(theta[j] - self.start[j], n as f64);
        }
    }
}

struct Case {
    setting: Setting,
    initial: Network,
    horizon: f64,
    hessian: fn(f64, f64) -> f64,
}

impl Case {
    fn new(
        activation: Activation,
        potential: &str,
        hessian: fn(f64, f64) -> f64,
        (seed, horizon): (u64, f64),
    ) -> Self {
        let (dataset, scaling) = match activation {
            Activation::Relu => (Dataset::figure1(), Scaling::Unscaled),
            Activation::Abs => (Dataset::figure2(), Scaling::Scaled),
        };
        let setting = Setting {
            dataset,
            activation,
            bias: BiasDensity::uniform(1.0).unwrap(),
            potential: potential.parse().unwrap(),
            scaling,
        };
        Self {
            initial: Network::sample(&setting.bias, OutputInit::Zero, 20, seed),
            setting,
            horizon,
            hessian,
        }
    }

    fn flow(&self) -> Run {
        let options = Options {
            horizon: self.horizon,
            tolerance: 1e-8,
            ..Options::default()
        };
        let run = mirror_flow::train(&self.setting, &self.initial, &options, &mut |_| {}).unwrap();
        assert_eq!(run.status, Status::Horizon);
        run
    }

    /// The function at 31 points.
    fn values(&self, network: &Network) -> Vec<f64> {
        let points = (0..31).map(|i| f64::from(i) / 10.0 - 1.5);
        points
            .map(|x| network.output(self.setting.activation, x))
            .collect()
    }

    /// The smoothed network's function at the horizon.
    fn smoothed(&self, epsilon: f64, frozen: bool) -> Vec<f64> {
        let Network { w, b, a, d } = &self.initial;
        let start: Vec<f64> = w.iter().chain(b).chain(a).chain([d]).copied().collect();
        let system = Smoothed {
            x: self.setting.dataset.x().to_vec(),
            y: self.setting.dataset.y().to_vec(),
            start: DVector::from_vec(start.clone()),
            epsilon,
            relu: self.setting.activation == Activation::Relu,
            hessian: self.hessian,
            frozen,
        };
        let n = w.len();
        let theta = DVector::from_vec(start);
        // The library's defaults, but for the output (ends of steps) and room for a stiff problem.
        let (output, most) = (OutputType::Sparse, 10_000_000);
        let end = self.horizon;
        let mut solver = Dop853::from_param(
            system, 0.0, end, end, theta, 1e-9, 1e-12, 0.9, 0.0, 0.333, 6.0, end, 0.0, most, most,
            output,
        );
        solver.integrate().unwrap();
        let theta = solver.y_out().last().unwrap();
        let layer = |from: usize| (0..n).map(|k| theta[from * n + k]).collect();
        self.values(&Network {
            w: layer(0),
            b: layer(1),
            a: layer(2),
            d: theta[3 * n],
        })
    }

    /// The limit ε → 0 of first order against the flow: a sliding knot sits O(ε) off its datum, where the
    /// smoothed slope is the gate that holds it.
    fn agrees(&self, run: &Run, frozen: bool) -> Evidence {
        let [coarse, fine] = [2e-4, 1e-4].map(|epsilon| self.smoothed(epsilon, frozen));
        let limit = Limit::of(&coarse, &fine, 2.0, 1.0);
        // Both integrators: a hundred times the flow's tolerance (proofs.md), at n = 20.
        limit.against(
            "the end of the smoothed flow",
            &self.values(&run.network),
            1e-6,
        )
    }
}

#[test]
fn another_library_on_a_smoothed_network() {
    let cubic = |moved: f64, n: f64| 3.0 * (n * moved).abs() + 1.0;
    let quartic = |moved: f64, _: f64| 6.0 * moved * moved + 1.0;
    let cases = [
        Case::new(Activation::Abs, "power:3,1", cubic, (0, 4000.0)),
        Case::new(Activation::Relu, "power:4,1", quartic, (1, 40_000.0)),
    ];
    for case in &cases {
        let run = case.flow();
        assert!(run.events.pins > 0);
        let evidence = case.agrees(&run, false);
        assert!(evidence.passed, "{evidence:?}");
        let twin = case.agrees(&run, true);
        assert!(!twin.passed, "{twin:?}");
    }
}
