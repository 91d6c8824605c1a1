//! `sharp-hypotheses`: for each hypothesis an instance without it, and where the conclusion then fails.

use ndarray::{Array1, Array2};
use ndarray_linalg::Inverse;

use super::{
    Claim, Context, Control, Findings,
    dynamics::{Ensemble, TOLERANCE, not_converged, output_layer::Response, setting, times},
    minimizer::abs::program,
};
use crate::{
    Error, Result,
    evidence::{
        Evidence, Kind, distance,
        extrapolation::{Limit, largest, largest_difference},
    },
    setting::{Activation, BiasDensity, Dataset, Network, OutputInit, Potential, Scaling, Setting},
    solver::{
        bregman_projection,
        infinite_width::{self, Solution},
        mirror_flow::{self, Options},
        model::Trained,
    },
};

/// The claim (proofs.md, `sharp-hypotheses`).
pub const CLAIM: Claim = Claim {
    id: "sharp-hypotheses",
    statement: "Without φ'' > 0, φ ∈ C², the lazy scaling of the start, independence of (w, b), a density of \
                b, data inside its support, or E A = 0, there are instances in which the conclusion fails, \
                by a predicted amount.",
    source: "proofs.md, `sharp-hypotheses`",
    formula: r"\begin{aligned}
              \varphi(z) = |z|^4:\quad n^2 \varphi(\alpha/n) &= n^{-2} \varphi(\alpha), \\
              \varphi(z) = |z|^p + \omega z^2,\ p < 2:\quad n^2 \varphi(\alpha/n) &= n^{2-p}\bigl(|\alpha|^p + \omega n^{p-2} \alpha^2\bigr), \\
              A \text{ the same } \ne 0 \text{ for all neurons}:\quad f_A - f_0 &= \sqrt{n}\,A\,\Pi[\mathbb{E}_n \sigma]
              \end{aligned}",
    controls: &[
        Control {
            id: "curvature-at-zero-not-needed",
            statement: "Unscaled |z|⁴ has the bias of gradient flow.",
        },
        Control {
            id: "continuity-not-needed",
            statement: "Unscaled |z|^1.5 + z² has the bias of gradient flow.",
        },
        Control {
            id: "rate-of-smooth-potentials",
            statement: "Unscaled |z|^1.5 + z² nears its limit at the rate 1/n.",
        },
        Control {
            id: "any-start-is-lazy",
            statement: "Input weights that start at O(n^(−1/2)) hardly move relative to their size.",
        },
        Control {
            id: "marginals-suffice",
            statement: "For w = ±1 and b uniform the limit is h̄, whatever their joint law.",
        },
        Control {
            id: "atoms-smooth-out",
            statement: "Biases on atoms lead to a function of the same curvature as a density.",
        },
        Control {
            id: "support-not-needed",
            statement: "d moves by O(1/n) where data lie outside the support.",
        },
        Control {
            id: "mean-output-averages-out",
            statement: "E A ≠ 0 changes f by O(1).",
        },
    ],
    check,
};

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    CurvatureAtZeroNotNeeded,
    ContinuityNotNeeded,
    RateOfSmoothPotentials,
    AnyStartIsLazy,
    MarginalsSuffice,
    AtomsSmoothOut,
    SupportNotNeeded,
    MeanOutputAveragesOut,
}

use Theory::{
    AnyStartIsLazy, AtomsSmoothOut, ContinuityNotNeeded, CurvatureAtZeroNotNeeded,
    MarginalsSuffice, MeanOutputAveragesOut, Paper, RateOfSmoothPotentials, SupportNotNeeded,
};

/// Where functions are compared.
const POINTS: [f64; 9] = [-1.5, -0.8, -0.5, -0.1, 0.1, 0.3, 0.5, 0.8, 1.5];

fn check(context: &Context) -> Result<Findings> {
    let quartic = Quartic::new(context.draws(440, 0))?;
    let kinked = Kinked::new()?;
    let small = SmallStart::new(context.draws(441, 0))?;
    let dependent = Dependent::new()?;
    let atoms = Atoms::new()?;
    let outside = Outside::new(context.draws(442, 0))?;
    let mean = MeanOutput::new(context.draws(443, 0))?;
    let judge = |theory| -> Vec<Evidence> {
        let mut evidence = quartic.judge(theory);
        evidence.extend(kinked.judge(theory));
        evidence.extend([small.judge(theory), dependent.judge(theory)]);
        evidence.extend([atoms.judge(theory), outside.judge(theory)]);
        evidence.push(outside.refused.clone());
        evidence.push(mean.judge(theory));
        evidence
    };
    Ok(Findings {
        evidence: judge(Paper),
        controls: CLAIM_TWINS.map(judge).into(),
    })
}

const CLAIM_TWINS: [Theory; 8] = [
    CurvatureAtZeroNotNeeded,
    ContinuityNotNeeded,
    RateOfSmoothPotentials,
    AnyStartIsLazy,
    MarginalsSuffice,
    AtomsSmoothOut,
    SupportNotNeeded,
    MeanOutputAveragesOut,
];

fn values(solution: &Solution) -> Vec<f64> {
    POINTS.iter().map(|&x| solution.value(x)).collect()
}

fn outputs(network: &Network, activation: Activation) -> Vec<f64> {
    let output = |&x: &f64| network.output(activation, x);
    POINTS.iter().map(output).collect()
}

/// φ'' > 0: pure |z|⁴, whose unscaled and scaled potentials are multiples of each other.
///
/// |z|⁴ + εz² as ε → 0, since Newton's method wants φ'' > 0 too.
struct Quartic {
    /// Unscaled |z|⁴ + εn⁻²z² and scaled |z|⁴ + εz²: largest difference of α, and what the
    /// tolerance of Newton's method leaves of it.
    difference: f64,
    residuals: f64,
    /// sup|h̄ − h̄₂| for h̄ under scaled |z|⁴ + εz² as ε → 0.
    sup: Limit,
}

/// sup|h̄_4 − h̄_2| on figure 1, an independent computation (six digits).
const QUARTIC: f64 = 0.229157;

impl Quartic {
    const WIDTH: usize = 400;

    fn new(seed: u64) -> Result<Self> {
        let base = setting(
            Dataset::figure1(),
            Activation::Relu,
            "quadratic",
            Scaling::Scaled,
        )?;
        let under = |epsilon: f64, scaling: Scaling| -> Result<Setting> {
            Ok(Setting {
                potential: Potential::power_beyond_hypotheses(4.0, epsilon)?,
                scaling,
                ..base.clone()
            })
        };
        let initial = Network::sample(&base.bias, OutputInit::Zero, Self::WIDTH, seed);
        let squared = (Self::WIDTH * Self::WIDTH) as f64;
        let settings = [
            under(1e-3, Scaling::Scaled)?,
            under(1e-3 / squared, Scaling::Unscaled)?,
        ];
        let [scaled, unscaled] = settings.map(|setting| {
            let projection = bregman_projection::project(&setting, &initial)?;
            Ok::<_, Error>(projection.alpha.to_vec())
        });
        let (scaled, unscaled) = (scaled?, unscaled?);
        let gradient = infinite_width::minimize(&base)?;
        let solve = |epsilon: f64| infinite_width::minimize(&under(epsilon, Scaling::Scaled)?);
        let [coarse, middle, fine] = [4e-3, 2e-3, 1e-3].map(solve);
        let (coarse, middle, fine) = (coarse?, middle?, fine?);
        let sup = |one: &Solution| vec![distance::sup(|x| one.value(x) - gradient.value(x), 1.5)];
        Ok(Self {
            difference: largest_difference(&scaled, &unscaled),
            residuals: NEWTON * largest(scaled),
            sup: Limit::of_three([&sup(&coarse), &sup(&middle), &sup(&fine)], 2.0, 1.0),
        })
    }

    fn judge(&self, theory: Theory) -> Vec<Evidence> {
        let naive = theory == CurvatureAtZeroNotNeeded;
        let predicted = if naive { 0.0 } else { QUARTIC };
        vec![
            Evidence::compare(
                Kind::Numerical,
                "unscaled and scaled |z|⁴, n = 400: difference of the projections",
                self.difference,
                0.0,
                self.residuals,
            ),
            self.sup.against(
                "unscaled |z|⁴, figure 1: sup distance to the limit of gradient flow",
                &[predicted],
                5e-7,
            ),
        ]
    }
}

/// Newton's relative residual, 10⁻¹⁰, times the condition of its scaled matrix, at most 7 for p = 4 (proofs.md,
/// "The dual in local coordinates"), for each of two projections.
const NEWTON: f64 = 14e-10;

/// n/2 knots at the middles of equal parts of \[−1, 1\] on each sheet; `biases` of (w = 1, w = −1).
fn stratified(n: usize, biases: impl Fn(f64) -> [f64; 2]) -> Network {
    let half = n / 2;
    let middle = |k: usize| (2 * k + 1) as f64 / half as f64 - 1.0;
    let pairs = (0..half).map(|k| biases(middle(k)));
    Network {
        w: (0..2 * half)
            .map(|k| if k % 2 == 0 { 1.0 } else { -1.0 })
            .collect(),
        b: pairs.flatten().collect(),
        a: Array1::zeros(2 * half),
        d: 0.0,
    }
}

/// φ ∈ C²: |z|^1.5 + z², of which n²φ(·/n) is a multiple of |z|^1.5 + n^(−1/2)z².
struct Kinked {
    limit: Limit,
    order: f64,
    pure: Vec<f64>,
    gradient: Vec<f64>,
    tolerance: f64,
}

impl Kinked {
    /// n^(−1/2).
    const EPSILONS: [f64; 3] = [0.04, 0.02, 0.01];
    /// Different neurons; what they are copies of does not change the projection.
    const NEURONS: usize = 120;

    fn new() -> Result<Self> {
        let data = Dataset::figure2();
        let neurons = stratified(Self::NEURONS, |c| [c, -c]);
        let cells: Vec<(f64, f64)> = neurons
            .knots()
            .iter()
            .map(|c| (*c, 1.0 / Self::NEURONS as f64))
            .collect();
        // Newton's method wants φ ∈ C²; cone programs do not.
        let under = |potential: Potential, tolerance: f64| -> Result<Vec<f64>> {
            let solution = program(potential)(&cells).solve(data.x(), data.y(), tolerance)?;
            Ok(POINTS.iter().map(|&x| solution.value(x)).collect())
        };
        let at = |epsilon: f64, tolerance: f64| {
            under(Potential::power_beyond_hypotheses(1.5, epsilon)?, tolerance)
        };
        let [coarse, middle, fine] = Self::EPSILONS.map(|epsilon| at(epsilon, TIGHT));
        let (coarse, middle, fine) = (coarse?, middle?, fine?);
        let pure = at(0.0, TIGHT)?;
        Ok(Self {
            order: 0.5
                * (largest_difference(&coarse, &middle) / largest_difference(&middle, &fine))
                    .log2(),
            limit: Limit::of_three([&coarse, &middle, &fine], 2.0, 1.0),
            tolerance: largest_difference(&pure, &at(0.0, 100.0 * TIGHT)?),
            pure,
            gradient: under(Potential::quadratic(), TIGHT)?,
        })
    }

    fn judge(&self, theory: Theory) -> Vec<Evidence> {
        let predicted = if theory == ContinuityNotNeeded {
            &self.gradient
        } else {
            &self.pure
        };
        let rate = if theory == RateOfSmoothPotentials {
            1.0
        } else {
            0.5
        };
        vec![
            self.limit.against(
                "unscaled |z|^1.5 + z²: limit of the projection, and that under |z|^1.5",
                predicted,
                self.tolerance,
            ),
            // ¼ tells ½ from 1.
            Evidence::compare(
                Kind::Numerical,
                "unscaled |z|^1.5 + z²: power of 1/n at which the limit is neared",
                self.order,
                rate,
                0.25,
            ),
        ]
    }
}

/// Relative tolerance of cone programs.
const TIGHT: f64 = 1e-9;

/// The lazy scaling: input weights and biases that start at n^(−1/2) times theirs.
struct SmallStart {
    /// max|Δw| over the size of w at 60 and at 240 neurons (copies).
    moves: [f64; 2],
}

impl SmallStart {
    fn new(seed: u64) -> Result<Self> {
        // Values so small that no knot meets a datum.
        let setting = setting(
            times(&Dataset::figure2(), 1.0 / 256.0)?,
            Activation::Abs,
            "quadratic",
            Scaling::Unscaled,
        )?;
        let y = setting.dataset.y();
        let loss = y.iter().map(|y| y * y).sum::<f64>() / (2 * y.len()) as f64;
        let ensemble = Ensemble::new(String::new(), setting, 60, seed, OutputInit::Zero);
        let relative = |copies: usize| -> Result<f64> {
            let mut initial = ensemble.network(copies);
            let size = (initial.width() as f64).sqrt().recip();
            initial.w *= size;
            initial.b *= size;
            let options = Options {
                // Until the loss has fallen by a factor 100.
                loss: 0.01 * loss,
                ..Options::within(TOLERANCE)
            };
            let run = mirror_flow::train(&ensemble.setting, &initial, &options, &mut |_| {})?;
            Ok(run.displacement.w / size)
        };
        Ok(Self {
            moves: [relative(1)?, relative(4)?],
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let [few, many] = self.moves;
        // A lazy w moves by O(n⁻²): a sixteenth at four times the width.
        let predicted = if theory == AnyStartIsLazy {
            few / 16.0
        } else {
            few
        };
        Evidence::compare(
            Kind::Numerical,
            "start of size n^(−1/2): max|Δw| over that size at n = 240, predicted from n = 60",
            many,
            predicted,
            100.0 * TOLERANCE * few,
        )
    }
}

/// Independence: b = w|u|, u uniform on \[−1, 1\], has the marginals of the figures.
struct Dependent {
    limit: Limit,
    joint: Vec<f64>,
    marginals: Vec<f64>,
}

impl Dependent {
    fn new() -> Result<Self> {
        let setting = setting(
            Dataset::figure2(),
            Activation::Abs,
            "quadratic",
            Scaling::Scaled,
        )?;
        let network = |n: usize| -> Result<Vec<f64>> {
            // Knots c = wb = |u| on both sheets.
            let initial = stratified(n, |c| [0.5 * (c + 1.0), -0.5 * (c + 1.0)]);
            let projection = bregman_projection::project(&setting, &initial)?;
            Ok(outputs(&projection.network, setting.activation))
        };
        let [coarse, middle, fine] = [2_000, 4_000, 8_000].map(network);
        // h(x) = k(x)ᵀK⁻¹y with k(x, x') = ∫₀¹|x − c||x' − c|dc, exact by Simpson's rule on each piece.
        let data = &setting.dataset;
        let kernel = |one: f64, other: f64| -> f64 {
            let mut ends = vec![0.0, 1.0];
            ends.extend([one, other].into_iter().filter(|x| (0.0..1.0).contains(x)));
            ends.sort_by(f64::total_cmp);
            let product = |c: f64| (one - c).abs() * (other - c).abs();
            let pieces = ends.windows(2).map(|piece| {
                let [left, right] = [piece[0], piece[1]];
                let middle = product(0.5 * (left + right));
                (right - left) * (product(left) + 4.0 * middle + product(right)) / 6.0
            });
            pieces.sum()
        };
        let m = data.len();
        let gram = Array2::from_shape_fn((m, m), |(i, j)| kernel(data.x()[i], data.x()[j]));
        let inverse = gram
            .inv()
            .map_err(|_| not_converged("the joint law's kernel"))?;
        let weights = inverse.dot(&Array1::from(data.y().to_vec()));
        let joint = |&x: &f64| {
            data.x()
                .iter()
                .zip(&weights)
                .map(|(&xi, v)| v * kernel(x, xi))
                .sum()
        };
        Ok(Self {
            limit: Limit::of_three([&coarse?, &middle?, &fine?], 2.0, 1.0),
            joint: POINTS.iter().map(joint).collect(),
            marginals: values(&infinite_width::minimize(&setting)?),
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let predicted = if theory == MarginalsSuffice {
            &self.marginals
        } else {
            &self.joint
        };
        self.limit.against(
            "b = w|u|: limit of the projection, and the minimiser for knots on [0, 1]",
            predicted,
            1e-9,
        )
    }
}

/// A density of b: on sixteen atoms the limit is piecewise linear.
struct Atoms {
    /// f(¼) − ½(f(¼ − s) + f(¼ + s)) between two atoms, of networks of 64 neurons and of h̄.
    bend: f64,
    smooth: f64,
}

impl Atoms {
    fn new() -> Result<Self> {
        let setting = setting(
            Dataset::figure2(),
            Activation::Abs,
            "quadratic",
            Scaling::Scaled,
        )?;
        // Atoms at the odd multiples of 1/16: the projection of copies is that of one of each.
        let initial = stratified(32, |c| [c, -c]);
        let network = bregman_projection::project(&setting, &initial)?.network;
        let bend = |f: &dyn Fn(f64) -> f64| f(0.25) - 0.5 * (f(0.2) + f(0.3));
        let solution = infinite_width::minimize(&setting)?;
        Ok(Self {
            bend: bend(&|x| network.output(setting.activation, x)),
            smooth: bend(&|x| solution.value(x)),
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let predicted = if theory == AtomsSmoothOut {
            self.smooth
        } else {
            0.0
        };
        Evidence::compare(
            Kind::Numerical,
            "biases on 16 atoms: second difference of the limit between two of them",
            self.bend,
            predicted,
            1e-12,
        )
    }
}

/// Data inside the support: what the outer ones contradict is left to d, which moves by O(1).
struct Outside {
    /// d as n → ∞.
    limit: Limit,
    /// vᵀy/vᵀ1, v orthogonal to all sgn(x)(Sx − T) on the outer data.
    predicted: f64,
    /// Whether the minimiser is refused.
    refused: Evidence,
}

impl Outside {
    /// Neurons, and how often each is copied.
    const NEURONS: usize = 60;
    const COPIES: [usize; 3] = [16, 32, 64];

    fn new(seed: u64) -> Result<Self> {
        let setting = Setting {
            bias: BiasDensity::uniform(0.5)?,
            ..setting(
                Dataset::figure2(),
                Activation::Abs,
                "quadratic",
                Scaling::Scaled,
            )?
        };
        let refused = matches!(
            infinite_width::minimize(&setting),
            Err(Error::NotInterpolable { .. })
        );
        let refused = Evidence::compare(
            Kind::Exact,
            "three data outside the support: minimisers that are found",
            f64::from(u8::from(!refused)),
            0.0,
            0.0,
        );
        // The inner datum 0.35 takes no part: three outer ones, two numbers S and T.
        let (x, y) = (setting.dataset.x(), setting.dataset.y());
        let outer: Vec<usize> = (0..x.len()).filter(|&i| x[i].abs() >= 0.5).collect();
        let sign = |i: usize| x[i].signum();
        // v_i ∝ sgn(x_i) times the cross product of the columns x and 1.
        let [i, j, k] = [outer[0], outer[1], outer[2]];
        let v = [
            (i, sign(i) * (x[j] - x[k])),
            (j, sign(j) * (x[k] - x[i])),
            (k, sign(k) * (x[i] - x[j])),
        ];
        let predicted =
            v.iter().map(|(i, v)| v * y[*i]).sum::<f64>() / v.iter().map(|(_, v)| v).sum::<f64>();
        let ensemble = Ensemble::new(
            String::new(),
            setting,
            Self::NEURONS,
            seed,
            OutputInit::Zero,
        );
        let [coarse, middle, fine] = Self::COPIES.map(|copies| {
            let run = ensemble.train(copies, Trained::OutputLayer)?.1;
            Ok::<_, Error>(vec![run.network.d])
        });
        Ok(Self {
            limit: Limit::of_three([&coarse?, &middle?, &fine?], 2.0, 1.0),
            predicted,
            refused,
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let predicted = if theory == SupportNotNeeded {
            0.0
        } else {
            self.predicted
        };
        self.limit.against(
            "three data outside the support: limit of d, output layer trained",
            &[predicted],
            TOLERANCE,
        )
    }
}

/// E A = 0: with A = 1/16 the output at the start is √n E A E σ, and off the data that is not undone.
struct MeanOutput {
    /// (f_A − f_0)/√n at points, f_0 from zero output.
    measured: Vec<f64>,
    /// E A Π\[E σ\].
    predicted: Vec<f64>,
}

impl MeanOutput {
    const NEURONS: usize = 60;
    const COPIES: usize = 64;

    fn new(seed: u64) -> Result<Self> {
        // On figure 2 |x + 1| + |x − 1| is constant on the support, and E σ an interpolant.
        let setting = setting(
            Dataset::figure1(),
            Activation::Relu,
            "quadratic",
            Scaling::Scaled,
        )?;
        let mut ensemble = Ensemble::new(
            String::new(),
            setting,
            Self::NEURONS,
            seed,
            OutputInit::Zero,
        );
        let path = ensemble.limit()?;
        let response = Response::new(&ensemble, &path, POINTS.to_vec())?;
        let mean = 1.0 / 16.0;
        let base = ensemble.base.clone();
        let sigma = ensemble.setting.activation;
        let predicted = response.project(|x| {
            let terms = (0..Self::NEURONS).map(|k| sigma.value(base.w[k] * x - base.b[k]));
            mean * terms.sum::<f64>() / Self::NEURONS as f64
        });
        let trained = |ensemble: &Ensemble| -> Result<Vec<f64>> {
            let network = ensemble
                .train(Self::COPIES, Trained::OutputWeights)?
                .1
                .network;
            Ok(outputs(&network, sigma))
        };
        let zero = trained(&ensemble)?;
        ensemble.base.a.fill(mean);
        let root = ((Self::COPIES * Self::NEURONS) as f64).sqrt();
        let pairs = trained(&ensemble)?.into_iter().zip(zero);
        Ok(Self {
            measured: pairs.map(|(one, zero)| (one - zero) / root).collect(),
            predicted,
        })
    }

    fn judge(&self, theory: Theory) -> Evidence {
        let zero = vec![0.0; POINTS.len()];
        let predicted = if theory == MeanOutputAveragesOut {
            &zero
        } else {
            &self.predicted
        };
        Evidence::compare(
            Kind::Numerical,
            "A = 1/16: (f_A − f_0)/√n at points, output weights trained, less its prediction",
            largest_difference(&self.measured, predicted),
            0.0,
            TOLERANCE * largest(self.predicted.iter().copied()),
        )
    }
}
