//! `lazy-multivariate`: laziness, its constants and the decay of the loss for inputs in R^d.
//!
//! The solver is univariate. This is a plain second route: classical Runge–Kutta steps in ζ = ∇Φ − ∇Φ(θ̂)
//! for problems that are not stiff, with the neurons of an ensemble and their copies.

use ndarray::{Array1, Array2, Axis};
use ndarray_linalg::{EigValsh, UPLO};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{
    super::{Claim, Context, Control, Findings},
    not_converged, slope,
};
use crate::{
    Result,
    evidence::{
        Evidence, Kind,
        extrapolation::{Limit, largest},
    },
    setting::{Activation, BiasDensity, Potential, Scaling},
};

/// The claim (proofs.md, `lazy-multivariate`).
pub const CLAIM: Claim = Claim {
    id: "lazy-multivariate",
    statement: "For inputs in R^d (d = 2, 5), w uniform on the sphere and b on an interval, training from zero \
                output is lazy with the same constants: nΔa → α(t), n²φ''(0)Δ(w, b) (scaled: nφ'(nΔ)) → the forces \
                along the limit flow, whose product with (w, b) needs no path; the loss decays at the rate of the limit.",
    source: "proofs.md, `lazy-multivariate`",
    formula: r"\begin{aligned}
              n\Delta a &\to \alpha = (\varphi^*)'(\lambda^{\mathsf T} F), \qquad \frac{d\lambda}{dt} = -\frac{r}{m}, \\
              n^2 (\nabla\Phi(\theta) - \nabla\Phi(\hat\theta))_w &\to \int \alpha \sum_i x_i s_i\,d\lambda_i =: I_w, \\
              n^2 (\nabla\Phi(\theta) - \nabla\Phi(\hat\theta))_b &\to -\int \alpha\,s^{\mathsf T}\,d\lambda =: I_b, \\
              w^{\mathsf T} I_w + b\,I_b &= \alpha\varphi'(\alpha) - \varphi(\alpha)
              \end{aligned}",
    controls: &[
        Control {
            id: "inner-weights-move-as-output-weights",
            statement: "w and b move by O(1/n).",
        },
        Control {
            id: "bias-pushed-the-other-way",
            statement: "The force on b has the sign of that on w.",
        },
        Control {
            id: "half-of-the-product",
            statement: "n(wᵀφ'(nΔw) + bφ'(nΔb)) → ½αφ'(α), which is right for quadratic φ.",
        },
        Control {
            id: "one-input",
            statement: "w moves along the first input only.",
        },
        Control {
            id: "rate-of-the-start",
            statement: "The late rate is that of φ''(0).",
        },
    ],
    check,
};

/// Different neurons, and how often they are copied.
const NEURONS: usize = 60;
const COPIES: [usize; 3] = [16, 32, 64];
/// Least |wᵀx − b| of a neuron at a datum.
const MARGIN: f64 = 1.0 / 32.0;
/// Steps of the coarser of two integrations.
const STEPS: usize = 600;
/// Times at which networks are looked at, in the time that it takes to fit the data.
const LOOKS: [f64; 3] = [0.05, 0.25, 1.0];
/// Share of max|y| at which the data count as fitted.
const FITTED: f64 = 1e-5;

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    InnerAsOutput,
    OtherWay,
    HalfOfTheProduct,
    OneInput,
    RateOfTheStart,
}

use Theory::{HalfOfTheProduct, InnerAsOutput, OneInput, OtherWay, Paper, RateOfTheStart};

fn check(context: &Context) -> Result<Findings> {
    let mut cases = Vec::new();
    for (dimension, activation, potential, scaling) in [
        (2, Activation::Relu, "power:3,1", Scaling::Unscaled),
        (2, Activation::Abs, "power:3,1", Scaling::Scaled),
        (5, Activation::Relu, "quadratic", Scaling::Scaled),
        (5, Activation::Abs, "hypentropy:1", Scaling::Scaled),
    ] {
        cases.push((dimension, activation, potential, scaling));
    }
    let mut rng = context.problems(450);
    let mut draw = |count: usize| rng.next_u32() as usize % count;
    for _ in 0..context.random(2) {
        cases.push((
            2 + draw(4),
            [Activation::Relu, Activation::Abs][draw(2)],
            ["power:3,1", "power:4,1", "hypentropy:2"][draw(3)],
            [Scaling::Unscaled, Scaling::Scaled][draw(2)],
        ));
    }
    let trials = cases.into_par_iter().enumerate().map(
        |(number, (dimension, activation, potential, scaling))| {
            let problem = Problem::draw(
                dimension,
                activation,
                potential.parse()?,
                scaling,
                context.draws(451, number),
            );
            Trial::new(&problem)
        },
    );
    let trials: Vec<Trial> = trials.collect::<Result<_>>()?;
    let judge = |theory| {
        trials
            .iter()
            .flat_map(|trial| trial.judge(theory))
            .collect()
    };
    let twins = [
        InnerAsOutput,
        OtherWay,
        HalfOfTheProduct,
        OneInput,
        RateOfTheStart,
    ];
    Ok(Findings {
        evidence: judge(Paper),
        controls: twins.map(judge).into(),
    })
}

/// Data in R^d and the neurons of an ensemble.
struct Problem {
    /// Inputs (m × d) and values (m).
    x: Array2<f64>,
    y: Array1<f64>,
    activation: Activation,
    potential: Potential,
    scaling: Scaling,
    /// w (K × d) and b (K).
    w: Array2<f64>,
    b: Array1<f64>,
    /// σ(wᵀx − b) and σ'(wᵀx − b) (K × m).
    features: Array2<f64>,
    gates: Array2<f64>,
}

impl Problem {
    fn draw(
        dimension: usize,
        activation: Activation,
        potential: Potential,
        scaling: Scaling,
        seed: u64,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut unit = || (f64::from(rng.next_u32()) + 0.5) / 2.0_f64.powi(32);
        let normal = BiasDensity::Gaussian {
            standard_deviation: 1.0,
        };
        // Three points that are well apart, in the ball of radius 1.
        let mut inputs: Vec<Array1<f64>> = Vec::new();
        while inputs.len() < 3 {
            let x: Array1<f64> = (0..dimension).map(|_| 2.0 * unit() - 1.0).collect();
            let apart = |other: &Array1<f64>| (&x - other).mapv(|v| v * v).sum() > 0.5;
            if x.dot(&x) <= 1.0 && inputs.iter().all(apart) {
                inputs.push(x);
            }
        }
        let y: Array1<f64> = (0..3)
            .map(|_| (unit() * 9.0).floor() / 16.0 - 0.25)
            .collect();
        // Not all zero: that has nothing to learn.
        let y = if y.iter().all(|y| *y == 0.0) {
            y + 0.125
        } else {
            y
        };
        let (mut w, mut b) = (Vec::new(), Vec::new());
        while b.len() < NEURONS {
            let v: Array1<f64> = (0..dimension).map(|_| normal.quantile(unit())).collect();
            let direction = &v / v.dot(&v).sqrt();
            let bias = 2.0 * unit() - 1.0;
            if inputs
                .iter()
                .all(|x| (direction.dot(x) - bias).abs() > MARGIN)
            {
                w.extend(direction);
                b.push(bias);
            }
        }
        let x = Array2::from_shape_fn((3, dimension), |(i, j)| inputs[i][j]);
        let w = Array2::from_shape_fn((NEURONS, dimension), |(k, j)| w[k * dimension + j]);
        let b = Array1::from(b);
        let z = w.dot(&x.t()) - b.view().insert_axis(Axis(1));
        Self {
            features: z.mapv(|z| activation.value(z)),
            gates: z.mapv(|z| slope(activation, z)),
            x,
            y,
            activation,
            potential,
            scaling,
            w,
            b,
        }
    }

    fn name(&self) -> String {
        let scaling = match self.scaling {
            Scaling::Scaled => "scaled",
            Scaling::Unscaled => "unscaled",
        };
        format!(
            "R^{}, {:?}, {scaling} {}",
            self.x.ncols(),
            self.activation,
            self.potential
        )
    }

    fn limit_potential(&self) -> Potential {
        match self.scaling {
            Scaling::Scaled => self.potential,
            Scaling::Unscaled => self.potential.quadratic_limit(),
        }
    }

    /// dζ/dt of the network of n neurons, ζ = (w, b, a, d) by neuron, and its residuals.
    fn velocity(&self, n: f64, zeta: &Array1<f64>) -> Option<(Array1<f64>, Array1<f64>)> {
        let potential = match self.scaling {
            Scaling::Scaled => self.potential.rescaled(1.0 / n),
            Scaling::Unscaled => self.potential,
        };
        let moved = zeta.mapv(|z| potential.inverse_mirror_map(z));
        let (size, m) = (self.x.ncols(), self.y.len() as f64);
        let neuron =
            |k: usize| moved.slice_axis(Axis(0), (k * (size + 2)..(k + 1) * (size + 2)).into());
        let d = moved[moved.len() - 1];
        let copies = n / NEURONS as f64;
        let mut residual = d - &self.y;
        let mut preactivation = Array2::zeros(self.features.dim());
        for k in 0..NEURONS {
            let part = neuron(k);
            for i in 0..self.y.len() {
                let z: f64 = (0..size)
                    .map(|j| (self.w[[k, j]] + part[j]) * self.x[[i, j]])
                    .sum::<f64>()
                    - self.b[k]
                    - part[size];
                if slope(self.activation, z) != self.gates[[k, i]] {
                    return None;
                }
                preactivation[[k, i]] = self.activation.value(z);
                residual[i] += copies * part[size + 1] * preactivation[[k, i]];
            }
        }
        let rate = -1.0 / (n * m);
        let mut velocity = Array1::zeros(zeta.len());
        for k in 0..NEURONS {
            let (a, from) = (neuron(k)[size + 1], k * (size + 2));
            for i in 0..self.y.len() {
                let force = rate * residual[i] * a * self.gates[[k, i]];
                for j in 0..size {
                    velocity[from + j] += force * self.x[[i, j]];
                }
                velocity[from + size] -= force;
                velocity[from + size + 1] += rate * residual[i] * preactivation[[k, i]];
            }
        }
        velocity[zeta.len() - 1] = rate * residual.sum();
        Some((velocity, residual))
    }

    /// d/dt of the limit's (λ, forces on w and b): dλ/dt = −r/m.
    fn limit_velocity(&self, state: &Array1<f64>) -> (Array1<f64>, Array1<f64>) {
        let (size, m) = (self.x.ncols(), self.y.len());
        let alpha = self.alpha(state);
        let residual = self.features.t().dot(&alpha) / NEURONS as f64 - &self.y;
        let change = &residual / -(m as f64);
        let mut velocity = Array1::zeros(state.len());
        velocity
            .slice_axis_mut(Axis(0), (..m).into())
            .assign(&change);
        for k in 0..NEURONS {
            let from = m + k * (size + 1);
            for i in 0..m {
                let force = alpha[k] * self.gates[[k, i]] * change[i];
                for j in 0..size {
                    velocity[from + j] += force * self.x[[i, j]];
                }
                velocity[from + size] -= force;
            }
        }
        (velocity, residual)
    }

    /// (φ*)'(λᵀF) of each neuron.
    fn alpha(&self, state: &Array1<f64>) -> Array1<f64> {
        let lambda = state.slice_axis(Axis(0), (..self.y.len()).into());
        let potential = self.limit_potential();
        self.features
            .dot(&lambda)
            .mapv(|u| potential.inverse_mirror_map(u))
    }

    /// λ_min(E\[FFᵀ/φ''(α)\])/m, the late rate of |r|.
    fn rate(&self, alpha: &Array1<f64>) -> Result<f64> {
        let potential = self.limit_potential();
        let soft = alpha.mapv(|a| 1.0 / (potential.hessian(a) * NEURONS as f64));
        let weighted = &self.features * &soft.insert_axis(Axis(1));
        let kernel = self.features.t().dot(&weighted);
        let values = kernel
            .eigvalsh(UPLO::Lower)
            .map_err(|_| not_converged("the limit's kernel"))?;
        Ok(values[0] / self.y.len() as f64)
    }
}

/// Classical Runge–Kutta steps to each of the times: the states there.
fn integrate(
    start: Array1<f64>,
    times: &[f64],
    steps: usize,
    velocity: impl Fn(&Array1<f64>) -> Option<Array1<f64>>,
) -> Result<Vec<Array1<f64>>> {
    let gate = || not_converged("Runge–Kutta steps: a gate changed, draw other neurons");
    let (mut state, mut time, mut states) = (start, 0.0, Vec::new());
    for &until in times {
        let h = (until - time) / steps as f64;
        for _ in 0..steps {
            let at = |state: &Array1<f64>| velocity(state).ok_or_else(gate);
            let first = at(&state)?;
            let second = at(&(&state + &(&first * (0.5 * h))))?;
            let third = at(&(&state + &(&second * (0.5 * h))))?;
            let fourth = at(&(&state + &(&third * h)))?;
            state = state + (first + second * 2.0 + third * 2.0 + fourth) * (h / 6.0);
        }
        time = until;
        states.push(state.clone());
    }
    Ok(states)
}

/// What is compared at one time: nα, forces and loss.
struct Look {
    /// Of networks, n → ∞; forces also divided by n.
    output: Limit,
    weights: Limit,
    biases: Limit,
    slow: Limit,
    product: Limit,
    residual: Limit,
    /// Of the limit.
    alpha: Vec<f64>,
    omega: Vec<f64>,
    beta: Vec<f64>,
    left: Vec<f64>,
}

struct Trial {
    name: String,
    looks: Vec<Look>,
    /// αφ'(α) − φ(α) and ½αφ'(α) at each look.
    products: Vec<[Vec<f64>; 2]>,
    dimension: usize,
    /// Relative error of the integrations.
    solver: f64,
    /// −d ln|r|/dt of the limit at half of the time and at its end; predictions.
    decay: [f64; 2],
    rate: f64,
    rate_at_start: f64,
}

impl Trial {
    fn new(problem: &Problem) -> Result<Self> {
        let (m, size) = (problem.y.len(), problem.x.ncols());
        let limit = |times: &[f64], steps: usize| {
            let start = Array1::zeros(m + NEURONS * (size + 1));
            integrate(start, times, steps, |state| {
                Some(problem.limit_velocity(state).0)
            })
        };
        // The time that it takes to fit the data.
        let mut time = 10.0 / problem.rate(&Array1::zeros(NEURONS))?;
        let fitted = FITTED * largest(problem.y.iter().copied());
        while largest(problem.limit_velocity(&limit(&[time], STEPS)?[0]).1) > fitted {
            time *= 1.5;
        }
        let times = LOOKS.map(|share| share * time);
        let [rough, ends] = [STEPS, 2 * STEPS].map(|steps| limit(&times, steps));
        let (rough, ends) = (rough?, ends?);
        let error = |rough: &[Array1<f64>], fine: &[Array1<f64>]| {
            let pairs = rough.iter().zip(fine);
            largest(pairs.map(|(a, b)| largest(a - b) / largest(b.iter().copied())))
        };
        let mut solver = error(&rough, &ends);
        let mut networks = Vec::new();
        for copies in COPIES {
            let n = (copies * NEURONS) as f64;
            let train = |steps: usize| {
                let start = Array1::zeros(NEURONS * (size + 2) + 1);
                integrate(start, &times, steps, |zeta| {
                    Some(problem.velocity(n, zeta)?.0)
                })
            };
            let (rough, fine) = (train(STEPS)?, train(2 * STEPS)?);
            solver = solver.max(error(&rough, &fine));
            networks.push((n, fine));
        }
        let (mut looks, mut products) = (Vec::new(), Vec::new());
        for (number, end) in ends.iter().enumerate() {
            // n² times ζ: n φ'(nΔ) where scaled, n²φ'(Δ) where not.
            let seen = |of: &dyn Fn(f64, &Array1<f64>) -> Vec<f64>| {
                let of = |index: usize| of(networks[index].0, &networks[index].1[number]);
                Limit::of_three([&of(0), &of(1), &of(2)], 2.0, 1.0)
            };
            let part = |zeta: &Array1<f64>, range: std::ops::Range<usize>| -> Vec<f64> {
                let neurons = (0..NEURONS).map(|k| k * (size + 2));
                neurons
                    .flat_map(|from| range.clone().map(move |j| from + j))
                    .map(|index| zeta[index])
                    .collect()
            };
            let scale = |values: Vec<f64>, factor: f64| -> Vec<f64> {
                values.into_iter().map(|v| v * factor).collect()
            };
            let output = |n: f64, zeta: &Array1<f64>| -> Vec<f64> {
                let potential = match problem.scaling {
                    Scaling::Scaled => problem.potential,
                    Scaling::Unscaled => problem.potential.rescaled(n),
                };
                let dual = scale(part(zeta, size + 1..size + 2), n);
                dual.iter()
                    .map(|&u| potential.inverse_mirror_map(u))
                    .collect()
            };
            let product = |n: f64, zeta: &Array1<f64>| -> Vec<f64> {
                let (w, b) = (part(zeta, 0..size), part(zeta, size..size + 1));
                let neurons = (0..NEURONS).map(|k| {
                    let row = problem.w.row(k);
                    let along: f64 = row.iter().zip(&w[k * size..]).map(|(w, v)| w * v).sum();
                    n * n * (along + problem.b[k] * b[k])
                });
                neurons.collect()
            };
            let residual = |n: f64, zeta: &Array1<f64>| -> Vec<f64> {
                problem
                    .velocity(n, zeta)
                    .map_or_else(|| vec![f64::NAN; m], |(_, residual)| residual.to_vec())
            };
            let alpha = problem.alpha(end);
            let forces = |range: std::ops::Range<usize>| -> Vec<f64> {
                let neurons = (0..NEURONS).map(|k| m + k * (size + 1));
                neurons
                    .flat_map(|from| range.clone().map(move |j| from + j))
                    .map(|index| end[index])
                    .collect()
            };
            let potential = problem.limit_potential();
            let dual = |a: f64| a * potential.mirror_map(a);
            products.push([
                alpha
                    .iter()
                    .map(|&a| dual(a) - potential.value(a))
                    .collect(),
                alpha.iter().map(|&a| 0.5 * dual(a)).collect(),
            ]);
            looks.push(Look {
                output: seen(&output),
                weights: seen(&|n, zeta| scale(part(zeta, 0..size), n * n)),
                biases: seen(&|n, zeta| scale(part(zeta, size..size + 1), n * n)),
                slow: seen(&|n, zeta| scale(part(zeta, 0..size), n)),
                product: seen(&product),
                residual: seen(&residual),
                alpha: alpha.to_vec(),
                omega: forces(0..size),
                beta: forces(size..size + 1),
                left: problem.limit_velocity(end).1.to_vec(),
            });
        }
        let halves = limit(&[0.5 * time, time], 2 * STEPS)?;
        let decay = [0, 1].map(|half: usize| {
            let (velocity, residual) = problem.limit_velocity(&halves[half]);
            // dr/dt = E\[F (φ*)''(u) Fᵀ\] dλ/dt.
            let potential = problem.limit_potential();
            let change = problem
                .features
                .dot(&velocity.slice_axis(Axis(0), (..m).into()));
            let alpha = problem.alpha(&halves[half]);
            let soft = alpha.mapv(|a| 1.0 / (potential.hessian(a) * NEURONS as f64));
            let falling = problem.features.t().dot(&(soft * change));
            -residual.dot(&falling) / residual.dot(&residual)
        });
        Ok(Self {
            name: problem.name(),
            dimension: size,
            looks,
            products,
            solver,
            decay,
            rate: problem.rate(&problem.alpha(&halves[1]))?,
            rate_at_start: problem.rate(&Array1::zeros(NEURONS))?,
        })
    }

    fn judge(&self, theory: Theory) -> Vec<Evidence> {
        let mut evidence = Vec::new();
        for ((look, products), share) in self.looks.iter().zip(&self.products).zip(LOOKS) {
            let against = |limit: &Limit, what: &str, predicted: &[f64]| {
                let solver = 8.0 * self.solver * largest(predicted.iter().copied());
                let what = format!("{}, t = {share} of the way: {what}", self.name);
                limit.against(what, predicted, solver)
            };
            evidence.push(against(&look.output, "nΔa and α(t)", &look.alpha));
            let one_input: Vec<f64> = (0..look.omega.len())
                .map(|index| {
                    if index % self.dimension == 0 {
                        look.omega[index]
                    } else {
                        0.0
                    }
                })
                .collect();
            let turned: Vec<f64> = look.beta.iter().map(|b| -b).collect();
            evidence.push(match theory {
                InnerAsOutput => against(&look.slow, "n∇Φ of w and its force", &look.omega),
                OneInput => against(&look.weights, "n²∇Φ of w and its force", &one_input),
                _ => against(&look.weights, "n²∇Φ of w and its force", &look.omega),
            });
            let beta = if theory == OtherWay {
                &turned
            } else {
                &look.beta
            };
            evidence.push(against(&look.biases, "n²∇Φ of b and its force", beta));
            let [product, half] = products;
            let product = if theory == HalfOfTheProduct {
                half
            } else {
                product
            };
            evidence.push(against(
                &look.product,
                "n²(w, b)ᵀ∇Φ and αφ'(α) − φ(α)",
                product,
            ));
            let scale = largest(self.looks[0].left.iter().copied());
            evidence.push(look.residual.against(
                format!(
                    "{}, t = {share} of the way: residuals and the limit's",
                    self.name
                ),
                &look.left,
                8.0 * self.solver * scale,
            ));
        }
        let rate = if theory == RateOfTheStart {
            self.rate_at_start
        } else {
            self.rate
        };
        let [before, at_end] = self.decay;
        evidence.push(Evidence::compare(
            Kind::Numerical,
            format!(
                "{}: late rate of |r| over λ_min(E[FFᵀ/φ''(α)])/m",
                self.name
            ),
            at_end / rate,
            1.0,
            (before - at_end).abs() / rate + self.solver,
        ));
        evidence
    }
}
