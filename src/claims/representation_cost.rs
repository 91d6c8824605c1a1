//! `representation-cost`: what a function costs in α is what G₁ + G₂ + G₃ says.
//!
//! Exactly, for uniform biases and random rational splines; numerically, as a least-norm problem
//! on Gauss nodes, for Gaussian and triangular ones.

pub(super) mod exact;
mod numerical;

use num_rational::BigRational;
use num_traits::Signed;

use self::exact::ExactCase;
use self::numerical::NumericalCase;
use super::{Claim, Context, Control, Findings};
use crate::Result;
use crate::evidence::{Evidence, Kind};
use crate::setting::BiasDensity;

/// The claim (proofs.md, `representation-cost`).
pub const CLAIM: Claim = Claim {
    id: "representation-cost",
    statement: "The least E α² over all α(w, b) with E[α σ(w x − b)] = h(x) for every x equals \
                G₁ + G₂ + G₃.",
    source: "proofs.md, `representation-cost`",
    formula: r"\begin{aligned}
              &\min_{\mathbb{E}[\alpha\,\sigma(wx - B)] = h(x)\ \forall x} \mathbb{E}\,\alpha^2 = G_1 + G_2 + G_3, \\
              &G_1 = \int \frac{h''(x)^2}{p_B(x)}\,dx, \\
              &G_2 = \bigl(h'(+\infty) + h'(-\infty)\bigr)^2, \\
              &G_3 = \frac{1}{\mathbb{E}\,B^2} \Bigl(\int h''(x)\,|x|\,dx - 2h(0)\Bigr)^2
              \end{aligned}",
    controls: &[
        Control {
            id: "absolute-moment",
            statement: "G₃ is divided by (E|B|)² instead of E B².",
        },
        Control {
            id: "slopes-dropped",
            statement: "G₂ is absent: slopes at infinity cost nothing.",
        },
        Control {
            id: "unweighted-curvature",
            statement: "The weight 1/p_B in G₁ is replaced by 1.",
        },
    ],
    check,
};

/// Which G₁ + G₂ + G₃ is compared with the measured E α².
#[derive(Clone, Copy, PartialEq)]
enum Theory {
    Paper,
    AbsoluteMoment,
    SlopesDropped,
    UnweightedCurvature,
}

use Theory::{AbsoluteMoment, Paper, SlopesDropped, UnweightedCurvature};

struct Measurement {
    exact: Vec<ExactCase>,
    numerical: Vec<NumericalCase>,
}

fn check(context: &Context) -> Result<Findings> {
    let measurement = measure(context)?;
    let twins = [AbsoluteMoment, SlopesDropped, UnweightedCurvature];
    let controls = twins.iter().map(|twin| judge(&measurement, *twin));
    Ok(Findings {
        evidence: judge(&measurement, Paper)?,
        controls: controls.collect::<Result<_>>()?,
    })
}

fn measure(context: &Context) -> Result<Measurement> {
    let mut rng = context.problems(0);
    let exact = (0..context.random(16)).map(|_| ExactCase::draw(&mut rng));
    let exact = exact.collect::<Result<_>>()?;
    let (gaussian, triangular) = (
        BiasDensity::gaussian(0.7)?,
        BiasDensity::triangular(1.3, 0.0)?,
    );
    let densities = [gaussian, triangular]
        .into_iter()
        .cycle()
        .take(context.samples(2));
    let numerical = densities.map(|density| NumericalCase::draw(density, &mut rng));
    Ok(Measurement {
        exact,
        numerical: numerical.collect::<Result<_>>()?,
    })
}

fn judge(measurement: &Measurement, theory: Theory) -> Result<Vec<Evidence>> {
    let gap = |case: &ExactCase| Ok((case.energy.clone() - case.cost(theory)?).abs());
    let gaps: Result<Vec<_>> = measurement.exact.iter().map(gap).collect();
    let column = |entry: fn(&ExactCase) -> &BigRational| {
        measurement.exact.iter().map(entry).cloned().collect()
    };
    let exact: [(&str, Vec<BigRational>); 3] = [
        ("|E[α σ(w x − b)] − h(x)|", column(|case| &case.generation)),
        (
            "|E[α ν]| and |E[ν σ(w x − b)]| over null directions ν",
            column(|case| &case.nullity),
        ),
        ("|E α² − (G₁ + G₂ + G₃)|", gaps?),
    ];
    let exact = exact.into_iter().map(|(what, defects)| {
        let what = format!(
            "uniform B, largest in {} random splines: {what}",
            defects.len()
        );
        exact::vanish(what, defects)
    });
    let numerical = measurement.numerical.iter().map(|case| {
        let what = format!("{}: least E α² on Gauss nodes", case.density);
        Evidence::compare(
            Kind::Numerical,
            what,
            case.least,
            case.cost(theory),
            case.error,
        )
    });
    Ok(exact.chain(numerical).collect())
}
