//! `fluctuation-law`: how networks of finite width scatter about h̄ (law 1 of proofs.md).

use ndarray::{Array1, Array2};
use statrs::distribution::{ContinuousCDF, Normal};

use super::{
    Claim, Context, Control, Findings,
    sample::{self, Sample},
};
use crate::{
    Result,
    evidence::{
        Evidence, fluctuation,
        statistics::{self, Alternative},
    },
    setting::{Activation, BiasDensity, Dataset, Potential, Scaling, Setting},
    solver::infinite_width,
};

/// The claim (proofs.md, `fluctuation-law`).
pub const CLAIM: Claim = Claim {
    id: "fluctuation-law",
    statement: "√n (f_n(x) − h̄(x)) tends to a centred Gaussian process with the covariance of \
                α σ(x) − g(x)ᵀH⁻¹(α F − y).",
    source: "proofs.md, `fluctuation-law`",
    formula: r"\begin{aligned}
              \sqrt{n}\,(f_n - \bar h) &\to \mathcal{N}(0, C), \quad C(x, x') = \mathbb{E}[\psi(x)\,\psi(x')], \\
              \psi(x) &= \alpha\,\sigma(x) - \bar h(x) - g(x)^{\mathsf T} H^{-1} (\alpha F - y), \\
              H &= \mathbb{E}[(\varphi^*)''\,F F^{\mathsf T}], \quad g(x) = \mathbb{E}[(\varphi^*)''\,F\,\sigma(x)]
              \end{aligned}",
    controls: &[
        Control {
            id: "variance-off",
            statement: "The covariance is 15 % larger.",
        },
        Control {
            id: "multipliers-kept",
            statement: "The correction g(x)ᵀH⁻¹(α F − y) is absent: λ stays that of infinite width.",
        },
    ],
    check,
};

/// Width of the networks, and draws for each setting.
const WIDTH: usize = 14_580;
const DRAWS: usize = 160;

/// Data, activation, potential, scaling and points. Beyond figure 2's outer data h̄ does not
/// fluctuate for |·|.
const SETTINGS: [(Activation, &str, Scaling, [f64; 6]); 5] = [
    (Activation::Relu, "quadratic", Scaling::Unscaled, RELU),
    (Activation::Relu, "power:3,1", Scaling::Unscaled, RELU),
    (Activation::Abs, "power:3,1", Scaling::Scaled, ABS),
    (Activation::Abs, "power:4,1", Scaling::Scaled, ABS),
    (Activation::Abs, "hypentropy:1", Scaling::Scaled, ABS),
];
const RELU: [f64; 6] = [-1.4, -0.8, -0.5, 0.1, 0.6, 1.3];
const ABS: [f64; 6] = [-0.7, -0.4, 0.0, 0.2, 0.5, 0.8];

#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    VarianceOff,
    MultipliersKept,
}

/// Networks of one setting, and what law 1 says of them.
struct Measurement {
    sample: Sample,
    centre: Array1<f64>,
    covariance: Array2<f64>,
    frozen_covariance: Array2<f64>,
}

fn check(context: &Context) -> Result<Findings> {
    let measurements = SETTINGS.iter().zip(0..);
    let measurements: Vec<_> = measurements
        .map(|(entry, number)| measure(context, entry, number))
        .collect::<Result<_>>()?;
    let twins = [Theory::VarianceOff, Theory::MultipliersKept];
    let controls = twins.iter().map(|twin| judge(&measurements, *twin));
    Ok(Findings {
        evidence: judge(&measurements, Theory::Paper)?,
        controls: controls.collect::<Result<_>>()?,
    })
}

fn measure(
    context: &Context,
    &(activation, potential, scaling, points): &(Activation, &str, Scaling, [f64; 6]),
    number: usize,
) -> Result<Measurement> {
    let potential: Potential = potential.parse()?;
    let (dataset, data) = match activation {
        Activation::Relu => (Dataset::figure1(), "figure 1"),
        Activation::Abs => (Dataset::figure2(), "figure 2"),
    };
    let setting = Setting {
        dataset,
        activation,
        bias: BiasDensity::uniform(1.0)?,
        potential,
        scaling,
    };
    let scaled = match scaling {
        Scaling::Scaled => "scaled",
        Scaling::Unscaled => "unscaled",
    };
    let name = format!("{data}, {scaled} {potential}");
    let draws = context.samples(DRAWS);
    let seed = context.draws(64, number);
    let solution = infinite_width::minimize(&setting)?;
    let mut centre: Array1<f64> = points.iter().map(|&x| solution.value(x)).collect();
    // Unscaled potentials are off by law 2's c δ(x)/n^(q−2) at width n.
    if let (Scaling::Unscaled, Some((c, q))) = (scaling, potential.leading_correction()) {
        let gap = Array1::from(fluctuation::agreement_gap(&solution, q, &points)?);
        centre += &(gap * (c * (WIDTH as f64).powf(2.0 - q)));
    }
    Ok(Measurement {
        sample: Sample::draw(&name, &setting, &points, WIDTH, draws, seed)?,
        centre,
        covariance: fluctuation::covariance(&solution, &points)?,
        frozen_covariance: fluctuation::frozen_covariance(&solution, &points)?,
    })
}

impl Theory {
    fn covariance(self, measurement: &Measurement) -> Array2<f64> {
        match self {
            Self::Paper => measurement.covariance.clone(),
            Self::VarianceOff => &measurement.covariance * 1.15,
            Self::MultipliersKept => measurement.frozen_covariance.clone(),
        }
    }
}

fn judge(measurements: &[Measurement], theory: Theory) -> Result<Vec<Evidence>> {
    let (mut evidence, mut pooled) = (Vec::new(), Vec::new());
    let normal = Normal::standard();
    for measurement in measurements {
        let Measurement { sample, centre, .. } = measurement;
        let covariance = theory.covariance(measurement);
        let whitening = sample::whitening(&covariance)?;
        let whitened = sample.whitened(centre, Some(&whitening));
        let draws = whitened.len();
        evidence.push(sample.interpolates());
        // The mean's own χ²: √R times the mean of R whitened draws is standard normal.
        let total = whitened
            .iter()
            .fold(Array1::<f64>::zeros(centre.len()), |sum, u| sum + u);
        evidence.push(statistics::chi_square_shift(
            format!("{}: mean of √n (f_n − h̄)", sample.name),
            total.dot(&total) / draws as f64,
            centre.len(),
            draws,
            &Alternative::new("mean off by 0.6 standard deviations", 0.36 * draws as f64),
        ));
        let squares: f64 = whitened.iter().map(|u| u.dot(u)).sum();
        evidence.push(statistics::chi_square(
            format!("{}: covariance of √n (f_n − h̄)", sample.name),
            squares,
            centre.len() * draws,
            draws,
            &Alternative::new("covariance × 1.3", 1.3),
        ));
        pooled.extend(whitened.iter().flatten().copied());
    }
    let (count, draws) = (pooled.len(), measurements.len() * DRAWS);
    evidence.push(statistics::chi_square(
        "all settings together: covariance of √n (f_n − h̄)",
        pooled.iter().map(|u| u * u).sum(),
        count,
        draws,
        &Alternative::new("covariance × 1.15", 1.15),
    ));
    let ranks = pooled.iter().map(|&u| normal.cdf(u)).collect();
    evidence.push(statistics::uniform(
        "all settings together: normality of √n (f_n − h̄), whitened",
        ranks,
        &Alternative::new("distribution functions 0.07 apart", 0.07),
    ));
    Ok(evidence)
}
