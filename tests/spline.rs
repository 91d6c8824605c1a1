//! Function space: piecewise polynomials, the representation cost and its minimiser.

#![allow(clippy::unwrap_used)]

use mirrorflow::Error;
use mirrorflow::setting::Activation;
use mirrorflow::solver::spline::{Minimizer, PiecewisePolynomial, RepresentationCost, Terms};
use num_rational::BigRational;
use num_traits::{ToPrimitive, Zero};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

type Spline = PiecewisePolynomial<BigRational>;
type Cost = RepresentationCost<BigRational>;

fn q(numerator: i64, denominator: i64) -> BigRational {
    BigRational::new(numerator.into(), denominator.into())
}

fn qs(numerators: &[i64], denominator: i64) -> Vec<BigRational> {
    numerators.iter().map(|n| q(*n, denominator)).collect()
}

fn float(value: &BigRational) -> f64 {
    value.to_f64().unwrap()
}

#[track_caller]
fn assert_close(value: f64, reference: f64, relative: f64) {
    assert!(
        (value - reference).abs() <= relative * reference.abs(),
        "{value} against {reference}"
    );
}

fn natural(half_width: BigRational) -> Cost {
    Cost {
        slopes_weight: q(0, 1),
        offset_weight: q(0, 1),
        ..Cost::relu(half_width)
    }
}

fn figure1() -> (Vec<BigRational>, Vec<BigRational>) {
    (qs(&[-5, -1, 0, 1, 5], 5), qs(&[-3, -3, 3, -3, -3], 20))
}

fn figure2() -> (Vec<BigRational>, Vec<BigRational>) {
    (qs(&[-20, 7, 13, 20], 20), qs(&[3, 3, -3, 3], 20))
}

/// The minimiser, its terms, and the proof that it is one.
fn solved(
    cost: &Cost,
    x: &[BigRational],
    y: &[BigRational],
) -> (Minimizer<BigRational>, Terms<BigRational>) {
    let minimizer = cost.minimizer(x, y).unwrap();
    let defects = cost.optimality_defects(x, y, &minimizer);
    for defect in [
        defects.smoothness,
        defects.curvature,
        defects.slopes,
        defects.offset,
        defects.data,
    ] {
        assert!(defect.is_zero(), "{defect}");
    }
    let terms = cost.terms(&minimizer.function).unwrap();
    (minimizer, terms)
}

/// 121 points in [−1.5c, 1.5c].
fn grid(c: &BigRational) -> Vec<BigRational> {
    (-60..=60).map(|k| q(k, 40) * c).collect()
}

#[test]
fn figure_1_is_reproduced_under_every_shift() {
    let (x, y) = figure1();
    for (shift, exact, curvature, offset) in [
        (
            q(0, 1),
            q(644_193, 3100),
            202.375_816_857_440_16,
            5.428_376_690_946_93,
        ),
        (
            q(5, 2),
            q(661_593, 3100),
            204.548_553_590_010_4,
            8.868_543_184_183_142,
        ),
        (
            q(-7, 2),
            q(1_098_633, 3100),
            259.121_706_555_671_15,
            95.276_035_379_812_7,
        ),
    ] {
        let y: Vec<_> = y.iter().map(|y| y + &shift).collect();
        let (_, terms) = solved(&Cost::relu(q(1, 1)), &x, &y);
        assert_eq!(terms.total(), exact);
        assert!(terms.slopes.is_zero());
        assert_close(float(&terms.curvature), curvature, 1e-14);
        assert_close(float(&terms.offset), offset, 1e-14);
    }
    let (_, terms) = solved(&Cost::relu(q(1, 1)), &x, &y);
    // Computed before, in double precision.
    assert_close(float(&terms.total()), 207.804_193_548_385_68, 1e-12);
    assert_close(float(&terms.curvature), 202.375_816_857_438_96, 1e-12);
    assert_close(float(&terms.offset), 5.428_376_690_946_75, 1e-12);
}

#[test]
fn without_side_terms_it_is_the_natural_spline() {
    let (x, y) = figure1();
    let (minimizer, terms) = solved(&natural(q(1, 1)), &x, &y);
    assert_eq!(terms.total(), q(3780, 19));
    // Natural: h'' vanishes at the outermost data points, here ±c.
    let bend = minimizer.function.derivative().derivative();
    assert!(bend.value(&q(-1, 1)).is_zero());
    assert_ne!(
        terms.total(),
        solved(&Cost::relu(q(1, 1)), &x, &y).1.total()
    );
}

#[test]
fn figure_2_is_reproduced() {
    let (x, y) = figure2();
    let (minimizer, terms) = solved(&Cost::abs(q(1, 1)), &x, &y);
    assert_close(float(&terms.total()), 18.466_742_655_524_18, 1e-12);
    assert_close(
        float(&minimizer.function.value(&q(-1, 10))),
        0.384_884_928_431_097,
        1e-12,
    );
    assert!(terms.slopes.is_zero() && terms.offset.is_zero());
}

#[test]
fn each_condition_of_abs_matters() {
    let (x, y) = figure2();
    let cost = Cost::abs(q(1, 1));
    let (_, full) = solved(&cost, &x, &y);
    let offset_dropped = Cost {
        offset_weight: q(0, 1),
        ..cost.clone()
    };
    let (minimizer, terms) = solved(&offset_dropped, &x, &y);
    assert!(terms.total() < full.total());
    assert!(!cost.side_functionals(&minimizer.function).1.is_zero());
    assert!(!cost.optimality_defects(&x, &y, &minimizer).offset.is_zero());
    let slopes_dropped = Cost {
        slopes_weight: q(0, 1),
        ..cost
    };
    assert!(solved(&slopes_dropped, &x, &y).1.curvature < full.total());
}

#[test]
fn a_variance_ten_percent_off_is_another_function() {
    let (x, y) = figure1();
    let cost = Cost::relu(q(1, 1));
    let off = Cost {
        offset_weight: cost.offset_weight.clone() * q(10, 11),
        ..cost.clone()
    };
    let (twin, _) = solved(&off, &x, &y);
    assert!(!cost.optimality_defects(&x, &y, &twin).offset.is_zero());
    assert!(cost.terms(&twin.function).unwrap().total() > solved(&cost, &x, &y).1.total());
}

#[test]
fn doubles_agree_with_rationals() {
    let ((x1, y1), (x2, y2)) = (figure1(), figure2());
    let exact = [
        (Cost::relu(q(1, 1)), RepresentationCost::relu(1.0), x1, y1),
        (Cost::abs(q(1, 1)), RepresentationCost::abs(1.0), x2, y2),
    ];
    for (rational, double, x, y) in exact {
        let (minimizer, terms) = solved(&rational, &x, &y);
        let (x, y): (Vec<_>, Vec<_>) = x.iter().zip(&y).map(|(x, y)| (float(x), float(y))).unzip();
        let twin = double.minimizer(&x, &y).unwrap();
        assert_close(
            double.terms(&twin.function).unwrap().total(),
            float(&terms.total()),
            1e-12,
        );
        for at in grid(&q(1, 1)) {
            let reference = float(&minimizer.function.value(&at));
            assert!((twin.function.value(&float(&at)) - reference).abs() < 1e-12);
        }
    }
}

#[test]
fn impossible_data_are_refused() {
    let line = qs(&[-4, -3, -2], 1);
    let relu = Cost::relu(q(1, 1));
    let refused = |cost: &Cost, x: &[BigRational], y: &[BigRational]| {
        matches!(cost.minimizer(x, y), Err(Error::NotInterpolable { .. }))
    };
    // Three points left of all biases: on a line, or not.
    assert!(refused(&relu, &line, &qs(&[0, 1, 0], 1)));
    let (on_line, _) = solved(&relu, &line, &qs(&[0, 1, 2], 1));
    assert_eq!(on_line.function.value(&q(-9, 1)), q(-5, 1));
    // |·|: the outer points are joined by one line y = sgn(x)(Sx − T).
    let outer = qs(&[-2, 2, 3], 1);
    assert!(refused(&Cost::abs(q(1, 1)), &outer, &qs(&[1, 2, 3], 1)));
    solved(&Cost::abs(q(1, 1)), &outer, &qs(&[2, 2, 3], 1));
    // One x twice.
    assert!(refused(&relu, &qs(&[0, 0], 1), &qs(&[0, 1], 1)));
    let (twice, _) = solved(&relu, &qs(&[0, 0, 1], 2), &qs(&[1, 1, 0], 1));
    let (once, _) = solved(&relu, &qs(&[0, 1], 2), &qs(&[1, 0], 1));
    assert!(
        grid(&q(1, 1))
            .iter()
            .all(|t| twice.function.value(t) == once.function.value(t))
    );
    let doubles = RepresentationCost::relu(1.0);
    assert!(
        doubles
            .minimizer(&[-4.0, -3.0, -2.0], &[0.0, 1.0, 0.0])
            .is_err()
    );
    assert!(
        doubles
            .minimizer(&[-4.0, -3.0, -2.0], &[0.0, 1.0, 2.0])
            .is_ok()
    );
}

/// In doubles what is round-off depends on the size of the numbers, of inputs and of outputs.
#[test]
fn doubles_of_any_size_are_told_from_their_rounding() {
    let sizes = [1.0, 2.0_f64.powi(-30), 2.0_f64.powi(30)];
    let mut first = None;
    for (unit, size) in sizes
        .into_iter()
        .flat_map(|unit| sizes.map(|size| (unit, size)))
    {
        let cost = RepresentationCost::<f64>::relu(unit);
        let solved =
            |x: [f64; 4], y: [f64; 4]| cost.minimizer(&x.map(|x| unit * x), &y.map(|y| size * y));
        let kink = PiecewisePolynomial::absolute(&(0.25 * unit)).scaled(&(size / unit));
        assert!(cost.terms(&kink).is_err(), "{unit:e} {size:e}");
        let contradiction = solved([0.0, 1.5, 2.0, 3.0], [0.0, 1.0, 0.0, 1.0]);
        assert!(
            matches!(contradiction, Err(Error::NotInterpolable { .. })),
            "{unit:e} {size:e}"
        );
        let h = solved([-0.5, 0.25, 0.7, 0.9], [0.3, -0.1, 1.0, 0.2])
            .unwrap()
            .function;
        assert_close(h.value(&(0.25 * unit)), -0.1 * size, 1e-9);
        let total = cost.terms(&h).unwrap().total() * (unit / size).powi(2);
        assert_close(total, *first.get_or_insert(total), 1e-9);
    }
}

#[test]
fn misuse_is_refused() {
    let relu = Cost::relu(q(1, 1));
    let refused = |result: Result<(), Error>| matches!(result, Err(Error::Data { .. }));
    assert!(refused(relu.minimizer(&qs(&[0], 1), &[]).map(drop)));
    let negative = Cost {
        half_width: q(-1, 1),
        ..relu.clone()
    };
    assert!(refused(negative.minimizer(&[], &[]).map(drop)));
    // A kink, a parabola that never ends, and a jump have no finite cost.
    let step = Spline::new(vec![q(0, 1)], vec![vec![], vec![q(1, 1)]]).unwrap();
    for h in [
        Spline::absolute(&q(0, 1)),
        Spline::polynomial(qs(&[0, 0, 1], 1)),
        step,
    ] {
        assert!(refused(relu.terms(&h).map(drop)));
    }
    assert!(refused(
        Spline::new(vec![q(1, 1), q(1, 1)], vec![vec![]; 3]).map(drop)
    ));
    assert!(refused(
        Spline::new(vec![q(1, 1)], vec![vec![]; 3]).map(drop)
    ));
    assert_eq!(relu.activation, Activation::Relu);
}

/// Distinct rational abscissae in (−2, 2), any ordinates, and c: data may lie beyond the biases.
fn problem() -> impl Strategy<Value = (Vec<BigRational>, Vec<BigRational>, BigRational)> {
    (
        prop::collection::btree_map(-23_i64..24, -9_i64..10, 1..6),
        5_i64..9,
    )
        .prop_map(|(points, c)| {
            let (x, y): (Vec<_>, Vec<_>) =
                points.into_iter().map(|(x, y)| (q(x, 12), q(y, 4))).unzip();
            (x, y, q(c, 4))
        })
}

/// A spline in C¹ with h'' of degree ≤ 2 on random pieces of [−c, c], and c.
fn spline() -> impl Strategy<Value = (Spline, BigRational)> {
    let inner = prop::collection::btree_set(-5_i64..6, 0..4);
    let numbers = prop::collection::vec(-6_i64..7, 17);
    (inner, numbers, 1_i64..6).prop_map(|(inner, numbers, c)| {
        let c = q(c, 3);
        let marks: Vec<_> = [-6].into_iter().chain(inner).chain([6]).collect();
        let breakpoints: Vec<_> = marks.iter().map(|k| q(*k, 6) * &c).collect();
        let inside = numbers
            .chunks(3)
            .take(marks.len() - 1)
            .map(|piece| qs(piece, 2));
        let pieces = [vec![]].into_iter().chain(inside).chain([vec![]]).collect();
        let bend = Spline::new(breakpoints, pieces).unwrap();
        let affine = Spline::polynomial(qs(&numbers[15..], 3));
        (bend.antiderivative().antiderivative().sum(&affine), c)
    })
}

fn fixed() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(20_241_003),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Whether a function has the given values on the grid.
fn agree(left: &Spline, right: impl Fn(&BigRational) -> BigRational, c: &BigRational) -> bool {
    grid(c).iter().all(|x| left.value(x) == right(x))
}

proptest! {
    #![proptest_config(fixed())]

    #[test]
    fn minimisers_satisfy_their_optimality_conditions((x, y, c) in problem()) {
        for cost in [Cost::relu(c.clone()), Cost::abs(c.clone())] {
            match cost.minimizer(&x, &y) {
                Ok(minimizer) => {
                    let (again, terms) = solved(&cost, &x, &y);
                    prop_assert_eq!(&again, &minimizer);
                    // λ = ∂cost/∂y and the cost is quadratic.
                    let dual = minimizer.multipliers.iter().zip(&y).map(|(l, y)| l * y);
                    prop_assert_eq!(dual.sum::<BigRational>(), terms.total() * q(2, 1));
                }
                Err(error) => {
                    let refused = matches!(error, Error::NotInterpolable { .. });
                    prop_assert!(refused, "{error}");
                    let outside = x.iter().filter(|x| **x >= c || **x <= -c.clone()).count();
                    prop_assert!(outside >= 2, "refused with {outside} outer points");
                }
            }
        }
    }

    #[test]
    fn no_competitor_through_the_data_is_cheaper((x, y, _) in problem(), (g, c) in spline()) {
        let cost = Cost::relu(c);
        let Ok(best) = cost.minimizer(&x, &y) else { return Ok(()) };
        // g minus the minimiser through its own values vanishes at the data: Pythagoras.
        let at_data: Vec<_> = x.iter().map(|x| g.value(x)).collect();
        let (through, _) = solved(&cost, &x, &at_data);
        let null = g.sum(&through.function.scaled(&q(-1, 1)));
        let total = |h: &Spline| cost.terms(h).unwrap().total();
        prop_assert_eq!(total(&best.function.sum(&null)), total(&best.function) + total(&null));
    }

    #[test]
    fn terms_know_no_left_and_right((h, c) in spline()) {
        let cost = Cost::relu(c);
        let terms = cost.terms(&h).unwrap();
        prop_assert_eq!(&cost.terms(&h.reflected()).unwrap(), &terms);
        prop_assert_eq!(cost.terms(&h.scaled(&q(-3, 2))).unwrap().total(), terms.total() * q(9, 4));
    }

    #[test]
    fn shifts_move_only_the_offset((h, c) in spline(), shift in -5_i64..6) {
        let cost = Cost::relu(c);
        let shifted = h.sum(&Spline::polynomial(qs(&[shift], 2)));
        let (before, after) = (cost.terms(&h).unwrap(), cost.terms(&shifted).unwrap());
        prop_assert_eq!((before.curvature, before.slopes), (after.curvature, after.slopes));
        let (s, offset) = cost.side_functionals(&h);
        prop_assert_eq!(cost.side_functionals(&shifted), (s, offset - q(shift, 1)));
    }

    #[test]
    fn minimisers_follow_reflection_and_scale((x, y, c) in problem(), s in 1_i64..6) {
        let cost = Cost::relu(c.clone());
        let Ok(Minimizer { function: h, .. }) = cost.minimizer(&x, &y) else { return Ok(()) };
        let mirrored: Vec<_> = x.iter().map(|x| -x).collect();
        let (mirror, _) = solved(&cost, &mirrored, &y);
        prop_assert!(agree(&mirror.function, |t| h.value(&-t), &c));
        let larger: Vec<_> = y.iter().map(|y| y * q(-s, 3)).collect();
        let (multiple, _) = solved(&cost, &x, &larger);
        prop_assert!(agree(&multiple.function, |t| h.value(t) * q(-s, 3), &c));
        // x ↦ sx together with the biases: each term is divided by s².
        let s = q(s, 2);
        let wide: Vec<_> = x.iter().map(|x| x * &s).collect();
        let scaled = Cost::relu(&c * &s);
        let (stretched, terms) = solved(&scaled, &wide, &y);
        prop_assert!(agree(&stretched.function, |t| h.value(&(t / &s)), &(&c * &s)));
        prop_assert_eq!(terms.total() * &s * &s, cost.terms(&h).unwrap().total());
    }

    #[test]
    fn natural_splines_reproduce_affine_functions((x, y, c) in problem(), a in -4_i64..5, b in -4_i64..5) {
        prop_assume!(x.len() > 1);
        let cost = natural(c.clone());
        let Ok(Minimizer { function: h, .. }) = cost.minimizer(&x, &y) else { return Ok(()) };
        let tilted: Vec<_> = x.iter().zip(&y).map(|(x, y)| y + q(a, 1) + q(b, 3) * x).collect();
        let (tilt, _) = solved(&cost, &x, &tilted);
        prop_assert!(agree(&tilt.function, |t| h.value(t) + q(a, 1) + q(b, 3) * t, &c));
    }
}
