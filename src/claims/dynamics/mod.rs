//! Claims on the path of the flow: how far parameters move, how fast the loss falls, where it ends.

pub mod descent;
pub mod diagonal;
pub mod lazy;
pub mod loss_decay;
pub mod multivariate;
pub mod output_layer;
pub mod projection;
pub mod uncentred;

use ndarray::{Array1, Array2};
use ndarray_linalg::LeastSquaresSvd;
use rand::Rng;

use super::Context;
use crate::{
    Error, Result,
    evidence::extrapolation::largest,
    setting::{
        Activation, BiasDensity, Dataset, Family, Network, OutputInit, Potential, Scaling, Setting,
    },
    solver::{
        mirror_flow::{self, Options, Run, State, Status},
        model::Trained,
    },
};

/// Neurons drawn at random, of which a network of any width is made by copying each of them.
///
/// Copies start equal and stay so, and the law of a neuron is the same at every width. So what is said
/// of n → ∞ can be measured without sampling error, with these neurons in place of p_B, as the limit
/// of quantities that are smooth in 1/n. No knot is within 1/64 of a datum, which it might meet at a
/// width that is not large.
#[derive(Clone)]
pub(super) struct Ensemble {
    pub(super) name: String,
    pub(super) setting: Setting,
    /// a holds A, the output weights of width n times √n; where it is not 0 every other neuron is
    /// the one before it with −A, so that f(x, θ̂) = d.
    pub(super) base: Network,
    /// Whether Φ is centred at 0 instead of θ̂.
    pub(super) uncentred: bool,
}

/// Least distance of a knot from a datum.
const MARGIN: f64 = 1.0 / 64.0;

/// |A| of random output, bounded as the limits want it.
const OUTPUT: f64 = 1.0 / 16.0;

/// Tolerance of the flow where its error must not be seen.
pub(super) const TOLERANCE: f64 = 1e-7;

impl Ensemble {
    pub(super) fn new(
        name: String,
        setting: Setting,
        neurons: usize,
        seed: u64,
        output: OutputInit,
    ) -> Self {
        let mut base = Network::sample(&setting.bias, output, neurons, seed);
        for k in 0..neurons {
            let knot = base.w[k] * base.b[k];
            let near = |x: &&f64| (knot - **x).abs() < MARGIN;
            if let Some(x) = setting.dataset.x().iter().find(near) {
                let away = if x.abs() + MARGIN < setting.bias.half_width() {
                    MARGIN.copysign(knot - x)
                } else {
                    -MARGIN.copysign(*x)
                };
                base.b[k] = base.w[k] * (x + away);
            }
        }
        if output != OutputInit::Zero {
            for k in (1..neurons).step_by(2) {
                (base.w[k], base.b[k]) = (base.w[k - 1], base.b[k - 1]);
            }
            base.a = (0..neurons)
                .map(|k| if k % 2 == 0 { OUTPUT } else { -OUTPUT })
                .collect();
        }
        Self {
            name,
            setting,
            base,
            uncentred: false,
        }
    }

    /// The number of different neurons.
    pub(super) fn len(&self) -> usize {
        self.base.width()
    }

    pub(super) fn is_random(&self) -> bool {
        self.base.a.iter().any(|&a| a != 0.0)
    }

    /// The order in 1/n in which limits are approached: 1, but for forces u = O(n^(−1/2)) under a scaled
    /// potential with the correction c|z|^q, which make (φ*)'(u) err by |u|^(q−2) relative.
    pub(super) fn order(&self) -> f64 {
        match (
            self.setting.scaling,
            self.setting.potential.leading_correction(),
        ) {
            (Scaling::Scaled, Some((_, q))) if self.is_random() => (0.5 * (q - 2.0)).min(1.0),
            _ => 1.0,
        }
    }

    /// The initial network with each neuron this many times; copies of one lie `len` apart.
    pub(super) fn network(&self, copies: usize) -> Network {
        let width = copies * self.len();
        let repeat = |layer: &Array1<f64>| -> Array1<f64> {
            (0..width).map(|k| layer[k % self.len()]).collect()
        };
        Network {
            w: repeat(&self.base.w),
            b: repeat(&self.base.b),
            a: repeat(&self.base.a) / (width as f64).sqrt(),
            d: self.base.d,
        }
    }

    /// F (one row a neuron, one column a datum).
    pub(super) fn features(&self) -> Array2<f64> {
        let (x, base) = (self.setting.dataset.x(), &self.base);
        Array2::from_shape_fn((self.len(), x.len()), |(k, i)| {
            self.setting.activation.value(base.w[k] * x[i] - base.b[k])
        })
    }

    /// s, the derivatives of σ at the data, laid out as F.
    pub(super) fn gates(&self) -> Array2<f64> {
        let (x, base) = (self.setting.dataset.x(), &self.base);
        Array2::from_shape_fn((self.len(), x.len()), |(k, i)| {
            slope(self.setting.activation, base.w[k] * x[i] - base.b[k])
        })
    }

    /// Trains the network of that many copies: (ζ at the end, the run).
    pub(super) fn train(&self, copies: usize, trained: Trained) -> Result<(Vec<f64>, Run)> {
        let mut dual = Vec::new();
        let run = self.observe(copies, trained, &mut |state| {
            dual = state.model.in_network_order(state.dual);
        })?;
        Ok((dual, run))
    }

    /// Trains the network of that many copies, looking at every step.
    pub(super) fn observe(
        &self,
        copies: usize,
        trained: Trained,
        observe: &mut dyn FnMut(&State<'_>),
    ) -> Result<Run> {
        let options = Options {
            trained,
            uncentred: self.uncentred,
            ..Options::within(TOLERANCE)
        };
        let run = mirror_flow::train(&self.setting, &self.network(copies), &options, observe)?;
        converged(&run)?;
        Ok(run)
    }

    /// The limit of the flow as the copies multiply: the model linear in a, with the limit's φ.
    ///
    /// Where φ is quadratic a step of the flow is exact however long, so the path is sampled at times
    /// in geometric progression instead.
    pub(super) fn limit(&self) -> Result<LimitPath> {
        let mut setting = self.setting.clone();
        setting.potential = self.setting.limit_potential();
        setting.scaling = Scaling::Scaled;
        let mut initial = self.network(1);
        initial.a.fill(0.0);
        let options = Options {
            trained: Trained::OutputWeights,
            ..Options::within(TOLERANCE)
        };
        let n = self.len();
        let layer = |values: &[f64]| Array1::from(values[2 * n..3 * n].to_vec()) * n as f64;
        let (mut times, mut alphas, mut duals) = (Vec::new(), Vec::new(), Vec::new());
        let run = mirror_flow::train(&setting, &initial, &options, &mut |state| {
            times.push(state.time);
            let ordered = |values: &[f64]| layer(&state.model.in_network_order(values));
            alphas.push(ordered(&state.point.parameters));
            duals.push(ordered(state.dual));
        })?;
        converged(&run)?;
        if matches!(setting.potential.family(), Family::Quadratic { .. }) {
            let last = times.len() - 1;
            alphas.drain(1..last);
            let mut horizon = 0.1 * times[1];
            while horizon < times[last] {
                let options = Options { horizon, ..options };
                let run = mirror_flow::train(&setting, &initial, &options, &mut |_| {})?;
                alphas.insert(alphas.len() - 1, run.network.a * n as f64);
                horizon *= 1.1;
            }
            let stiffness = setting.potential.hessian(0.0);
            duals = alphas.iter().map(|alpha| alpha * stiffness).collect();
        }
        let features = self.features();
        let multipliers = duals.iter().map(|dual| match features.least_squares(dual) {
            Ok(fit) => Ok(fit.solution),
            Err(_) => Err(not_converged("the least squares of the row space")),
        });
        Ok(LimitPath {
            potential: setting.potential,
            multipliers: multipliers.collect::<Result<_>>()?,
            alphas,
        })
    }
}

/// λ(t) and α(t) = (φ*)'(λᵀF) of the linear limit, from step to step.
pub(super) struct LimitPath {
    pub(super) potential: Potential,
    /// α of each neuron.
    pub(super) alphas: Vec<Array1<f64>>,
    /// λ, in the order of the inputs.
    pub(super) multipliers: Vec<Array1<f64>>,
}

impl LimitPath {
    /// ∫ α_k v_kᵀdλ for each neuron k, with the error of the trapezoidal rule: the difference that every
    /// other step makes.
    pub(super) fn integral(&self, v: &Array2<f64>) -> (Array1<f64>, f64) {
        let sum = |stride: usize| {
            let last = self.alphas.len() - 1;
            let mut places: Vec<usize> = (0..last).step_by(stride).collect();
            places.push(last);
            let mut sum = Array1::zeros(v.nrows());
            for pair in places.windows(2) {
                let change = &self.multipliers[pair[1]] - &self.multipliers[pair[0]];
                let mean = (&self.alphas[pair[0]] + &self.alphas[pair[1]]) * 0.5;
                sum += &(mean * v.dot(&change));
            }
            sum
        };
        let (fine, coarse) = (sum(1), sum(2));
        let error = largest(&fine - &coarse);
        (fine, error)
    }

    /// λ(∞).
    pub(super) fn end(&self) -> (&Array1<f64>, &Array1<f64>) {
        let last = self.alphas.len() - 1;
        (&self.alphas[last], &self.multipliers[last])
    }
}

/// σ'(z), z ≠ 0.
pub(super) fn slope(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Relu => f64::from(z > 0.0),
        Activation::Abs => z.signum(),
    }
}

pub(super) fn converged(run: &Run) -> Result<()> {
    if run.status == Status::Converged {
        return Ok(());
    }
    Err(Error::NotConverged {
        solver: "mirror flow",
        iterations: run.steps,
        residual: run.residual,
    })
}

pub(super) fn not_converged(solver: &'static str) -> Error {
    Error::NotConverged {
        solver,
        iterations: 0,
        residual: f64::NAN,
    }
}

/// A setting of uniform biases on \[−1, 1\].
pub(super) fn setting(
    dataset: Dataset,
    activation: Activation,
    potential: &str,
    scaling: Scaling,
) -> Result<Setting> {
    Ok(Setting {
        dataset,
        activation,
        bias: BiasDensity::uniform(1.0)?,
        potential: potential.parse()?,
        scaling,
    })
}

/// A name for a setting.
pub(super) fn describe(data: &str, setting: &Setting) -> String {
    let scaling = match setting.scaling {
        Scaling::Scaled => "scaled",
        Scaling::Unscaled => "unscaled",
    };
    format!(
        "{data}, {:?}, {scaling} {}, {}",
        setting.activation, setting.potential, setting.bias
    )
}

/// Data multiplied in their values.
pub(super) fn times(dataset: &Dataset, factor: f64) -> Result<Dataset> {
    dataset.with_values(dataset.y().iter().map(|y| y * factor).collect())
}

/// Densities of random problems: even and not, with and without a bounded support.
const DENSITIES: [&str; 5] = [
    "uniform:1",
    "uniform:1.5",
    "triangular:1.5",
    "triangular:1.5,0.5",
    "gaussian:1",
];

/// Random problems of either activation and any density under these potentials, values up to 1/16.
pub(super) fn random_settings(
    context: &Context,
    family: u64,
    count: usize,
    potentials: &[&str],
    scaling: Scaling,
) -> Result<Vec<(String, Setting)>> {
    let mut rng = context.problems(family);
    let mut draw = |count: usize| -> usize { rng.next_u32() as usize % count };
    let mut settings = Vec::new();
    for number in 0..context.random(count) {
        let activation = [Activation::Relu, Activation::Abs][draw(2)];
        let potential = potentials[draw(potentials.len())];
        let dataset = times(&spread_dataset(&mut draw)?, 0.0625)?;
        let bias = DENSITIES[draw(DENSITIES.len())].parse()?;
        let setting = Setting {
            bias,
            ..setting(dataset, activation, potential, scaling)?
        };
        settings.push((
            describe(&format!("random data set {number}"), &setting),
            setting,
        ));
    }
    Ok(settings)
}

/// Three to five points on a grid of 1/4 inside ±1, values in units of 1/8: close points make α and
/// with it the width from which asymptotics are seen large.
fn spread_dataset(draw: &mut impl FnMut(usize) -> usize) -> Result<Dataset> {
    let count = 3 + draw(3);
    let mut x: Vec<usize> = Vec::new();
    while x.len() < count {
        let place = draw(9);
        if !x.contains(&place) {
            x.push(place);
        }
    }
    let x: Vec<f64> = x.iter().map(|&k| k as f64 / 4.0 - 1.0).collect();
    let y: Vec<f64> = x.iter().map(|_| draw(17) as f64 / 8.0 - 1.0).collect();
    Dataset::from_points(&x, &y)
}
