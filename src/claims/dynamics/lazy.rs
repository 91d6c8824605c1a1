//! `lazy-unscaled` and `lazy-scaled`: how far each kind of parameter moves as the width grows.

use ndarray::{Array1, Array2};
use ndarray_linalg::Solve;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

use super::{
    super::{Claim, Context, Control, Findings, nth_draw},
    Ensemble, LimitPath, TOLERANCE, describe, not_converged, random_settings, setting, times,
};
use crate::{
    Result,
    evidence::{
        Evidence, Kind,
        extrapolation::{Limit, largest, largest_difference},
        statistics::{self, Alternative},
    },
    setting::{Activation, Dataset, Network, OutputInit, Scaling, Setting},
    solver::{bregman_projection, dual::Sheet, infinite_width, model::Trained},
};

const CONTROLS: &[Control] = &[
    Control {
        id: "mean-field",
        statement: "No parameter stays closer to its start as the width grows.",
    },
    Control {
        id: "root-of-width",
        statement: "a and d move by O(n^(−1/2)).",
    },
    Control {
        id: "inner-as-outer",
        statement: "w and b move by O(1/n), like a.",
    },
];

/// The claim for unscaled potentials (proofs.md, `lazy-unscaled`).
pub const UNSCALED: Claim = Claim {
    id: "lazy-unscaled",
    statement: "Under an unscaled potential the displacements of (a, d) are α/n and δ/n, those of (w, b) \
                O(n⁻²) from zero and O(n^(−3/2)) from random output, with the limits that the linear \
                model's path predicts.",
    source: "proofs.md, `lazy-unscaled`",
    formula: r"\begin{aligned}
              n(a_k - \hat a_k) &\to \alpha_k, \qquad n(d - \hat d) \to \frac{1}{\varphi''(0)} \sum_i \lambda_i, \\
              n^2 \varphi'(\Delta b_k) &\to -\int \alpha_k\, s_k^{\mathsf T}\,d\lambda, \\
              n^2 \varphi'(\Delta w_k) &\to \int \alpha_k\,(x \circ s_k)^{\mathsf T}\,d\lambda
              \qquad \text{(zero output)}
              \end{aligned}",
    controls: CONTROLS,
    check: |context| check(context, Scaling::Unscaled),
};

/// The claim for scaled potentials (proofs.md, `lazy-scaled`).
pub const SCALED: Claim = Claim {
    id: "lazy-scaled",
    statement: "Under a scaled potential the displacements of (a, d) are α/n and δ/n, and those of (w, b) \
                vanish against them: φ'(nΔw) and φ'(nΔb) are O(1/n) from zero and O(n^(−1/2)) from \
                random output, with the limits that the linear model's path predicts.",
    source: "proofs.md, `lazy-scaled`",
    formula: r"\begin{aligned}
              n(a_k - \hat a_k) &\to \alpha_k, \qquad n(d - \hat d) \to (\varphi^*)'\Bigl(\sum_i \lambda_i\Bigr), \\
              n\,\varphi'(n\Delta b_k) &\to -\int \alpha_k\, s_k^{\mathsf T}\,d\lambda, \\
              n\,\varphi'(n\Delta w_k) &\to \int \alpha_k\,(x \circ s_k)^{\mathsf T}\,d\lambda
              \qquad \text{(zero output)}
              \end{aligned}",
    controls: CONTROLS,
    check: |context| check(context, Scaling::Scaled),
};

/// Neurons of an ensemble, and how often they are copied.
const NEURONS: usize = 60;
const COPIES: [usize; 3] = [9, 18, 36];
/// Width and number of the networks whose scatter is predicted.
const WIDTH: usize = 4860;
const DRAWS: usize = 200;

/// Slopes in log n of max|n(θ − θ̂)/n| for a, d, and of φ'(n(θ − θ̂)) for w, b.
#[derive(Clone, Copy)]
struct Exponents {
    a: f64,
    d: f64,
    inner: f64,
}

fn check(context: &Context, scaling: Scaling) -> Result<Findings> {
    let [zero, random] = [
        OutputInit::Zero,
        OutputInit::Random {
            output_weight: 1.0,
            output_bias: 0.01,
        },
    ];
    let [one, two] = [Dataset::figure1(), Dataset::figure2()];
    let fainter = [times(&one, 0.125)?, times(&two, 0.25)?];
    let (relu, abs) = (Activation::Relu, Activation::Abs);
    let figures = [
        ("figure 1, y/8", &fainter[0], relu, "quadratic", zero),
        ("figure 1, y/8", &fainter[0], relu, "power:3,1", random),
        ("figure 2, y/4", &fainter[1], abs, "power:3,1", zero),
        ("figure 2, y/4", &fainter[1], abs, "power:4,1", random),
    ];
    let mut problems = Vec::new();
    for (data, dataset, activation, potential, output) in figures {
        let setting = setting(dataset.clone(), activation, potential, scaling)?;
        problems.push((describe(data, &setting), setting, output));
    }
    let potentials = ["quadratic", "power:3,1", "power:4,1", "hypentropy:2"];
    for (name, setting) in random_settings(context, 11, 2, &potentials, scaling)? {
        let output = if problems.len() % 2 == 0 {
            zero
        } else {
            random
        };
        problems.push((name, setting, output));
    }
    if context.calibrating {
        problems.clear();
    }
    let trials: Vec<Trial> = problems
        .into_par_iter()
        .enumerate()
        .map(|(number, (name, setting, output))| {
            let start = match output {
                OutputInit::Zero => "zero output",
                OutputInit::Random { .. } => "random output",
            };
            let seed = context.draws(160, number);
            let name = format!("{name}, {start}");
            Trial::new(Ensemble::new(name, setting, NEURONS, seed, output))
        })
        .collect::<Result<_>>()?;
    let mut scatter = Vec::new();
    for (data, dataset, activation, potential) in [
        ("figure 1", &one, relu, "quadratic"),
        ("figure 2", &two, abs, "power:3,1"),
    ] {
        let setting = setting(dataset.clone(), activation, potential, scaling)?;
        scatter.extend(scattered(context, &describe(data, &setting), &setting)?);
    }
    let judge = |change: &dyn Fn(Exponents) -> Exponents| -> Vec<Evidence> {
        let slopes = trials
            .iter()
            .map(|trial| trial.slopes(change(trial.exponents())));
        let limits = trials.iter().flat_map(|trial| trial.limits.clone());
        slopes.chain(limits).chain(scatter.clone()).collect()
    };
    Ok(Findings {
        evidence: judge(&|paper| paper),
        controls: vec![
            judge(&|_| Exponents {
                a: 0.0,
                d: 0.0,
                inner: 0.0,
            }),
            judge(&|paper| Exponents {
                a: -0.5,
                d: -0.5,
                ..paper
            }),
            // φ'(nΔb) is of order 1 if Δb is of order 1/n.
            judge(&|paper| Exponents {
                inner: 0.0,
                ..paper
            }),
        ],
    })
}

/// One ensemble at three widths.
struct Trial {
    ensemble: Ensemble,
    /// For each width the logarithms of max|Δa|, |Δd|, max|φ'(nΔb)|.
    sizes: [[f64; 3]; 3],
    limits: Vec<Evidence>,
}

/// What is measured at one width, for each neuron of the ensemble.
struct Displacements {
    /// nΔa.
    a: Vec<f64>,
    /// nΔd.
    d: f64,
    /// nφ'(nΔw) and nφ'(nΔb) (unscaled: n²φ'(Δw), n²φ'(Δb)), from random output over √n.
    w: Vec<f64>,
    b: Vec<f64>,
    /// Largest nΔa at any step.
    sup: f64,
}

impl Trial {
    fn new(ensemble: Ensemble) -> Result<Self> {
        let runs: Vec<Displacements> = COPIES
            .iter()
            .map(|&copies| Displacements::measure(&ensemble, copies))
            .collect::<Result<_>>()?;
        let widths = COPIES.map(|copies| (copies * NEURONS) as f64);
        let sizes = [0, 1, 2].map(|i| {
            let power = if ensemble.is_random() { 0.5 } else { 1.0 };
            [
                largest(runs[i].a.iter().copied()) / widths[i],
                runs[i].d.abs() / widths[i],
                largest(runs[i].b.iter().copied()) / widths[i].powf(power),
            ]
            .map(f64::ln)
        });
        let limits = limits(&ensemble, &runs, &ensemble.limit()?);
        Ok(Self {
            ensemble,
            sizes,
            limits,
        })
    }

    fn exponents(&self) -> Exponents {
        Exponents {
            a: -1.0,
            d: -1.0,
            inner: if self.ensemble.is_random() {
                -0.5
            } else {
                -1.0
            },
        }
    }

    /// The slopes of the three kinds in log n, extrapolated from the two pairs of widths.
    fn slopes(&self, exponents: Exponents) -> Evidence {
        let [first, second]: [Vec<f64>; 2] = [0, 1].map(|i| {
            let pairs = self.sizes[i].iter().zip(self.sizes[i + 1]);
            pairs.map(|(s, next)| (next - s) / 2f64.ln()).collect()
        });
        let what = "slopes of log max|Δa|, log|Δd| and log max|φ'(nΔb)| in log n";
        let predicted = [exponents.a, exponents.d, exponents.inner];
        let distance = largest_difference(&second, &predicted);
        // Slopes err by a power n^(−s), s ≥ ½: their change is at least √2 − 1 of what is left.
        let change = largest_difference(&second, &first);
        Evidence::compare(
            Kind::Numerical,
            format!("{}: {what}", self.ensemble.name),
            distance,
            0.0,
            change / (2f64.sqrt() - 1.0),
        )
    }
}

impl Ensemble {
    /// The part of a neuron's numbers that changes sign with A where `odd`, that does not where not;
    /// the other part is of order n^(−1/2) relative to it. From zero output everything.
    fn part(&self, values: &[f64], odd: bool) -> Vec<f64> {
        if !self.is_random() {
            return values.to_vec();
        }
        let sign = if odd { -1.0 } else { 1.0 };
        let pairs = values.chunks(2);
        pairs.map(|pair| 0.5 * (pair[0] + sign * pair[1])).collect()
    }
}

impl Displacements {
    fn measure(ensemble: &Ensemble, copies: usize) -> Result<Self> {
        let (dual, run) = ensemble.train(copies, Trained::All)?;
        let (width, len) = (copies * ensemble.len(), ensemble.len());
        let n = width as f64;
        let initial = ensemble.network(copies);
        let a: Vec<f64> = (0..len)
            .map(|k| n * (run.network.a[k] - initial.a[k]))
            .collect();
        // ζ is φ'(nΔ)/n where scaled, φ'(Δ) where not: n²ζ in both.
        let factor = if ensemble.is_random() {
            n.powf(1.5)
        } else {
            n * n
        };
        let inner = |from: usize| -> Vec<f64> {
            dual[from..from + len].iter().map(|z| factor * z).collect()
        };
        Ok(Self {
            a: ensemble.part(&a, false),
            d: n * (run.network.d - initial.d),
            w: ensemble.part(&inner(0), true),
            b: ensemble.part(&inner(width), true),
            sup: n * run.largest_displacement.a,
        })
    }
}

/// The limits of all displacements against the linear model's path.
fn limits(ensemble: &Ensemble, runs: &[Displacements], path: &LimitPath) -> Vec<Evidence> {
    let name = &ensemble.name;
    let order = ensemble.order();
    let limit = |of: &dyn Fn(&Displacements) -> Vec<f64>| {
        let [coarse, middle, fine] = [0, 1, 2].map(|i| of(&runs[i]));
        Limit::of_three([&coarse, &middle, &fine], 2.0, order)
    };
    // The flows' own errors: those of their steps, each at most the tolerance of the largest.
    let solver = |values: &[f64]| 100.0 * TOLERANCE * largest(values.iter().copied());
    let (alpha, lambda) = path.end();
    let alpha = ensemble.part(&alpha.to_vec(), false);
    let delta = path.potential.inverse_mirror_map(lambda.sum());
    let sup = largest(path.alphas.iter().flatten().copied());
    let mut evidence = vec![
        limit(&|run| run.a.clone()).against(
            format!("{name}: nΔa and α of the linear model"),
            &alpha,
            solver(&alpha),
        ),
        limit(&|run| vec![run.d]).against(
            format!("{name}: nΔd and (φ*)'(Σλ)"),
            &[delta],
            solver(&[delta]),
        ),
    ];
    if !ensemble.is_random() {
        evidence.push(limit(&|run| vec![run.sup]).against(
            format!("{name}: largest nΔa on the way and of the linear model"),
            &[sup],
            solver(&[sup]),
        ));
    }
    let (gates, x) = (ensemble.gates(), ensemble.setting.dataset.x());
    let inputs = Array1::from(x.to_vec());
    let tilted = &gates * &inputs;
    let predicted = |v: &Array2<f64>, sign: f64| -> (Vec<f64>, f64) {
        if ensemble.is_random() {
            let force = &ensemble.base.a * v.dot(lambda) * sign;
            (ensemble.part(&force.to_vec(), true), 0.0)
        } else {
            let (integral, error) = path.integral(v);
            (integral.iter().map(|i| sign * i).collect(), error)
        }
    };
    let [w, b] = [predicted(&tilted, 1.0), predicted(&gates, -1.0)];
    for (what, of, (values, error)) in [
        ("φ'(nΔw)", limit(&|run| run.w.clone()), &w),
        ("φ'(nΔb)", limit(&|run| run.b.clone()), &b),
    ] {
        evidence.push(of.against(
            format!("{name}: {what} of each neuron and the linear model's force"),
            values,
            error + solver(values),
        ));
    }
    if !ensemble.is_random() {
        // No path: w∫α(x∘s)ᵀdλ − b∫α sᵀdλ = ∫α FᵀdλT = αφ'(α) − φ(α).
        let identity = |run: &Displacements| -> Vec<f64> {
            let neurons = run.w.iter().zip(&run.b).enumerate();
            neurons
                .map(|(k, (w, b))| ensemble.base.w[k] * w + ensemble.base.b[k] * b)
                .collect()
        };
        let conjugate =
            |&alpha: &f64| alpha * path.potential.mirror_map(alpha) - path.potential.value(alpha);
        let values: Vec<f64> = alpha.iter().map(conjugate).collect();
        evidence.push(limit(&identity).against(
            format!("{name}: n(wφ'(nΔw) + bφ'(nΔb)) and αφ'(α) − φ(α)"),
            &values,
            solver(&values),
        ));
    }
    evidence
}

/// What happens with high probability: n max|Δa| and (φ*)'(Σλ) of many networks are normal about
/// sup|α| and δ with the standard errors of law 1.
fn scattered(context: &Context, name: &str, setting: &Setting) -> Result<Vec<Evidence>> {
    // Unscaled, n²φ(·/n) moves the centre by O(n^(2−q)): little, but seen in 200 draws.
    let (x, potential) = (setting.dataset.x(), setting.potential_at_width(WIDTH));
    let solution = infinite_width::minimize(&Setting {
        potential,
        scaling: Scaling::Scaled,
        ..setting.clone()
    })?;
    let mut lambda = vec![0.0; x.len()];
    // Figure data are in ascending order.
    lambda.copy_from_slice(&solution.multipliers());
    // u = λᵀF is piecewise linear: its largest value is at a datum or at the edge.
    let edge = setting.bias.half_width();
    let ends = [-edge.next_down(), edge.next_down()];
    let corners = x.iter().filter(|x| x.abs() < edge).copied().chain(ends);
    let mut corner = (Sheet::of(setting.activation)[0], 0.0);
    for c in corners {
        for &sheet in Sheet::of(setting.activation) {
            if solution.alpha(sheet, c).abs() > solution.alpha(corner.0, corner.1).abs() {
                corner = (sheet, c);
            }
        }
    }
    let at_corner: Array1<f64> = x.iter().map(|&x| corner.0.feature(x, corner.1)).collect();
    let sign = solution.alpha(corner.0, corner.1).signum();
    let directions = [
        ("n max|Δa|", at_corner),
        ("(φ*)'(Σλ)", Array1::ones(x.len())),
    ];
    let seed = context.draws(192, 0);
    let covariance = multiplier_covariance(setting, &potential, &lambda, seed)?;
    let draws = context.samples(DRAWS) as u64;
    let measured: Vec<[f64; 2]> = (1..=draws)
        .into_par_iter()
        .map(|draw| {
            let initial =
                Network::sample(&setting.bias, OutputInit::Zero, WIDTH, nth_draw(seed, draw));
            let projection = bregman_projection::project(setting, &initial)?;
            let total: f64 = projection.multipliers.iter().sum();
            // The largest of one sign: ±α may be close at two corners.
            let signed = projection.alpha.iter().map(|alpha| alpha * sign);
            Ok([
                signed.fold(0.0, f64::max),
                potential.inverse_mirror_map(total),
            ])
        })
        .collect::<Result<_>>()?;
    let lambda = Array1::from(lambda);
    let normal = Normal::standard();
    let alternative = Alternative::new("centre off by one standard deviation", 0.383);
    let evidence = directions.iter().enumerate().map(|(number, (what, v))| {
        let centre = potential.inverse_mirror_map(v.dot(&lambda));
        let centre = if number == 0 { centre * sign } else { centre };
        let deviation = potential.conjugate_hessian(v.dot(&lambda))
            * (v.dot(&covariance.dot(v)) / WIDTH as f64).sqrt();
        let ranks = measured
            .iter()
            .map(|values| normal.cdf((values[number] - centre) / deviation));
        statistics::uniform(
            format!("{name}, n = {WIDTH}: scatter of {what} about {centre:.5}"),
            ranks.collect(),
            &alternative,
        )
    });
    Ok(evidence.collect())
}

/// Covariance of √n(λ̂_n − λ), H⁻¹Cov(αF)H⁻¹, by the mean over 2·10⁵ neurons.
fn multiplier_covariance(
    setting: &Setting,
    potential: &crate::setting::Potential,
    lambda: &[f64],
    seed: u64,
) -> Result<Array2<f64>> {
    let (x, count) = (setting.dataset.x(), 200_000);
    let m = x.len();
    let neurons = Network::sample(&setting.bias, OutputInit::Zero, count, seed);
    let (mut hessian, mut second) = (Array2::zeros((m, m)), Array2::zeros((m, m)));
    let target = Array1::from(setting.dataset.y().to_vec());
    for (w, b) in neurons.w.iter().zip(&neurons.b) {
        let f: Array1<f64> = x
            .iter()
            .map(|x| setting.activation.value(w * x - b))
            .collect();
        let u: f64 = f.iter().zip(lambda).map(|(f, l)| f * l).sum();
        let alpha = potential.inverse_mirror_map(u);
        let centred = &f * alpha - &target;
        for i in 0..m {
            for j in 0..m {
                hessian[[i, j]] += potential.conjugate_hessian(u) * f[i] * f[j] / count as f64;
                second[[i, j]] += centred[i] * centred[j] / count as f64;
            }
        }
    }
    let mut solved = Array2::zeros((m, m));
    for j in 0..m {
        let column = hessian.solve(&second.column(j).to_owned());
        let column = column.map_err(|_| not_converged("the Newton matrix of a sample"))?;
        solved.column_mut(j).assign(&column);
    }
    let transposed = solved.t().to_owned();
    for j in 0..m {
        let column = hessian.solve(&transposed.column(j).to_owned());
        let column = column.map_err(|_| not_converged("the Newton matrix of a sample"))?;
        solved.column_mut(j).assign(&column);
    }
    Ok(solved)
}
