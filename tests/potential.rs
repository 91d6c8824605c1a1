//! `Potential` against arbitrary precision, against Legendre duality, and against its own text.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use astro_float::{BigFloat, Consts, RoundingMode, Sign};
use mirrorflow::setting::Potential;
use proptest::{prelude::*, test_runner::RngSeed};
use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Reproducible, and no files beside the tests.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(20_241_003),
        failure_persistence: None,
        max_shrink_time: 10_000,
        ..ProptestConfig::default()
    }
}

fn close(found: f64, expected: f64, relative: f64) -> bool {
    found == expected || (found - expected).abs() <= relative * expected.abs()
}

/// Numbers of which every decade between 1e-300 and 1e300 is as likely as any other, and more of
/// those where the terms of a potential compare in size.
fn wide() -> impl Strategy<Value = f64> {
    let magnitude = prop_oneof![-300.0..300.0, -4.0..4.0, -0.5..0.5];
    (magnitude, any::<bool>()).prop_map(|(e, positive): (f64, bool)| {
        let size = 10f64.powf(e);
        if positive { size } else { -size }
    })
}

fn positive(decades: f64) -> impl Strategy<Value = f64> {
    (-decades..decades).prop_map(|e| 10f64.powf(e))
}

/// The families, written down a second time.
#[derive(Debug, Clone, Copy)]
enum Case {
    Power(f64, f64),
    Hypentropy(f64),
}

impl Case {
    fn potential(self) -> Potential {
        match self {
            Case::Power(p, omega) => Potential::power_beyond_hypotheses(p, omega).unwrap(),
            Case::Hypentropy(beta) => Potential::hypentropy(beta).unwrap(),
        }
    }
}

fn power() -> impl Strategy<Value = Case> {
    let exponent = prop_oneof![
        Just(2.0),
        Just(3.0),
        Just(4.0),
        (5..50).prop_map(f64::from),
        2.0..5.0,
        2.0..50.0,
    ];
    (exponent, positive(6.0)).prop_map(|(p, omega)| Case::Power(p, omega))
}

fn beyond() -> impl Strategy<Value = Case> {
    let omega = prop_oneof![Just(0.0), positive(6.0)];
    let exponent = prop_oneof![1.02..2.0, Just(4.0), 2.0..10.0];
    (exponent, omega).prop_map(|(p, omega)| Case::Power(p, omega))
}

fn hypentropy() -> impl Strategy<Value = Case> {
    prop_oneof![positive(3.0), positive(300.0)].prop_map(Case::Hypentropy)
}

fn family() -> impl Strategy<Value = Case> {
    prop_oneof![2 => power(), 1 => hypentropy()]
}

/// Real numbers of at least the precision of their operands.
mod real {
    use super::*;

    #[derive(Clone)]
    pub struct Real(pub BigFloat);

    const NEAREST: RoundingMode = RoundingMode::ToEven;
    thread_local!(static CONSTS: RefCell<Consts> = RefCell::new(Consts::new().unwrap()));

    impl Real {
        pub fn new(x: f64, bits: usize) -> Self {
            Self(BigFloat::from_f64(x, bits))
        }

        fn bits(&self) -> usize {
            self.0.mantissa_max_bit_len().unwrap().max(192)
        }

        fn transcendental(
            &self,
            f: impl Fn(&BigFloat, usize, RoundingMode, &mut Consts) -> BigFloat,
        ) -> Self {
            CONSTS.with_borrow_mut(|consts| Self(f(&self.0, self.bits(), NEAREST, consts)))
        }

        /// |x|^p. `BigFloat::pow` never ends where the power is a number of few bits.
        pub fn powf(&self, p: f64) -> Self {
            let bits = self.bits();
            let size = self.0.abs();
            if p.fract() == 0.0 {
                let power = Self(size.powi(p.abs() as usize, bits, NEAREST));
                return if p < 0.0 {
                    Self::new(1.0, bits) / power
                } else {
                    power
                };
            }
            let p = BigFloat::from_f64(p, bits);
            Self(size).transcendental(|x, bits, rounding, consts| x.pow(&p, bits, rounding, consts))
        }

        pub fn sinh(&self) -> Self {
            self.transcendental(BigFloat::sinh)
        }

        pub fn cosh(&self) -> Self {
            self.transcendental(BigFloat::cosh)
        }

        /// By logarithms, since `BigFloat::asinh` need not be trusted with more.
        pub fn arcsinh(&self) -> Self {
            let size = Self(self.0.abs());
            let root = (self * self + 1.0).sqrt();
            let value = (&size + &root).transcendental(BigFloat::ln);
            if self.0.is_negative() { -value } else { value }
        }

        pub fn sqrt(&self) -> Self {
            Self(self.0.sqrt(self.bits(), NEAREST))
        }

        pub fn f64(&self) -> f64 {
            let Some((words, _, sign, exponent, _)) = self.0.as_raw_parts() else {
                return f64::NAN;
            };
            let leading = *words.last().unwrap() as f64 / 2f64.powi(64);
            let (half, rest) = (exponent / 2, exponent - exponent / 2);
            let size = leading * 2f64.powi(half) * 2f64.powi(rest);
            if sign == Sign::Neg { -size } else { size }
        }
    }

    impl Neg for Real {
        type Output = Real;
        fn neg(self) -> Real {
            Real(self.0.neg())
        }
    }

    macro_rules! operator {
        ($($trait:ident $method:ident)*) => {$(
            impl $trait<&Real> for &Real {
                type Output = Real;
                fn $method(self, other: &Real) -> Real {
                    let bits = self.bits().max(other.bits());
                    Real(self.0.$method(&other.0, bits, NEAREST))
                }
            }
            impl $trait<f64> for &Real {
                type Output = Real;
                fn $method(self, other: f64) -> Real {
                    self.$method(&Real::new(other, self.bits()))
                }
            }
            impl $trait<f64> for Real {
                type Output = Real;
                fn $method(self, other: f64) -> Real {
                    (&self).$method(other)
                }
            }
            impl $trait<Real> for Real {
                type Output = Real;
                fn $method(self, other: Real) -> Real {
                    (&self).$method(&other)
                }
            }
        )*};
    }
    operator!(Add add Sub sub Mul mul Div div);
}
use real::Real;

/// Distance of `computed` from the exact number in units of the last place of `computed`; `None`
/// outside the normal range, from which `margin` is kept.
fn ulps(computed: f64, exact: &Real, margin: f64) -> Option<f64> {
    let size = exact.f64().abs();
    if !(f64::MIN_POSITIVE..=f64::MAX / margin).contains(&size) {
        return None;
    }
    if !computed.is_finite() {
        return Some(f64::INFINITY);
    }
    let ulp = computed.abs().next_up() - computed.abs();
    let bits = 192;
    Some(
        ((Real::new(computed, bits) - exact.clone()) / ulp)
            .f64()
            .abs(),
    )
}

/// φ, φ', φ'' and φ''' at z, from their definitions.
fn exact(case: Case, z: &Real) -> [Real; 4] {
    match case {
        Case::Power(p, omega) => {
            let sign = if z.0.is_negative() { -1.0 } else { 1.0 };
            let one = Real::new(1.0, 192);
            let (p, w) = (&one * p, &one * omega + 1.0);
            let term = |order: i32| z.powf(p.f64() - f64::from(order));
            let (p1, p2) = (&p - 1.0, &p - 2.0);
            [
                (term(0) + z * z * omega) / w.clone(),
                (&p * &term(1) * sign + z * 2.0 * omega) / w.clone(),
                (&p * &p1 * term(2) + &one * 2.0 * omega) / w.clone(),
                &p * &p1 * p2 * term(3) * sign / w,
            ]
        }
        Case::Hypentropy(beta) => {
            let x = z / beta;
            let root = (z * z + &Real::new(beta, 192) * beta).sqrt();
            [
                z * &x.arcsinh() - root.clone() + beta,
                x.arcsinh(),
                Real::new(1.0, 192) / root.clone(),
                -(z / &(&root * &root * root)),
            ]
        }
    }
}

/// Bits with which the definitions, which cancel for a small z/β or u, keep 128 of them.
fn bits(binary_logarithm: f64) -> usize {
    (192.0 + 5.0 * binary_logarithm.abs()) as usize
}

fn exact_at(case: Case, z: f64) -> [Real; 4] {
    let bits = match case {
        Case::Power(..) => 192,
        Case::Hypentropy(beta) => bits(z.abs().log2() - beta.log2()),
    };
    exact(case, &Real::new(z, bits))
}

/// φ*, (φ*)', (φ*)'' at u; for `power` two exact Newton steps from `start`.
fn exact_dual(case: Case, u: f64, start: f64) -> [Real; 3] {
    match case {
        Case::Power(..) => {
            let u = Real::new(u, 192);
            let mut z = Real::new(start, 192);
            for _ in 0..2 {
                let [_, slope, hessian, _] = exact(case, &z);
                z = &z - &((slope - u.clone()) / hessian);
            }
            let [value, _, hessian, _] = exact(case, &z);
            [&u * &z - value, z, Real::new(1.0, 192) / hessian]
        }
        Case::Hypentropy(beta) => {
            let u = Real::new(u, bits(u.abs().log2()));
            [(u.cosh() - 1.0) * beta, u.sinh() * beta, u.cosh() * beta]
        }
    }
}

mod potential_accuracy {
    use super::*;

    /// The bounds that the documentation of the module states.
    fn check(case: Case, x: f64) -> Result<(), TestCaseError> {
        let f = case.potential();
        let (bound, last, condition, margin) = match case {
            Case::Power(p, omega) => {
                let condition = if p < 2.0 { 2.0 / (p - 1.0) } else { 1.0 };
                (4.0, 4.0 + p, condition, (p * p).max(2.0) * (1.0 + omega))
            }
            Case::Hypentropy(_) => (6.0, 4.0, 1.0, 1.0),
        };
        let within = |name: &str, computed: f64, exact: &Real, bound: f64| match ulps(
            computed, exact, margin,
        ) {
            Some(ulps) if ulps > bound => Err(TestCaseError::fail(format!(
                "{name} {computed:e} is {ulps} ulp from {:e}, bound {bound}",
                exact.f64()
            ))),
            _ => Ok(()),
        };
        let primal = exact_at(case, x);
        within("φ", f.value(x), &primal[0], bound)?;
        within("φ'", f.mirror_map(x), &primal[1], 4.0)?;
        within("φ''", f.hessian(x), &primal[2], 4.0)?;
        if primal[3].f64().abs() > 1e-280 {
            within("φ'''", f.third_derivative(x), &primal[3], 8.0)?;
        }
        let hypentropy = matches!(case, Case::Hypentropy(_));
        if hypentropy && !(1e-100..1500.0).contains(&x.abs()) {
            return Ok(()); // cosh u − 1 would need too many bits, or cosh u too many digits
        }
        let start = f.inverse_mirror_map(x);
        if !start.is_normal() {
            // Only where the inverse itself leaves the range.
            let pure = matches!(case, Case::Power(p, _) if p < 2.0);
            prop_assert!(
                pure || hypentropy && (start == 0.0 || x.abs() > 30.0),
                "{start}"
            );
            return Ok(());
        }
        let dual = exact_dual(case, x, start);
        within("φ*", f.conjugate(x), &dual[0], bound * condition)?;
        within("(φ*)'", start, &dual[1], 4.0 * condition)?;
        within("(φ*)''", f.conjugate_hessian(x), &dual[2], last * condition)
    }

    proptest! {
        #![proptest_config(config(2000))]

        #[test]
        fn of_powers(case in power(), x in wide()) {
            check(case, x)?;
        }

        #[test]
        fn of_powers_beyond_the_hypotheses(case in beyond(), x in wide()) {
            check(case, x)?;
        }
    }

    proptest! {
        #![proptest_config(config(400))]

        #[test]
        fn of_the_hypentropy(case in hypentropy(), x in wide()) {
            check(case, x)?;
        }

        /// Near the diagonal and away from it, on one side of 0 and on both.
        #[test]
        fn of_the_divergence(
            case in prop_oneof![2 => power(), 1 => beyond(), 1 => positive(3.0).prop_map(Case::Hypentropy)],
            z0 in (-10.0..10.0f64).prop_map(|e| 10f64.powf(e)),
            gap in prop_oneof![(-14.0..0.0f64).prop_map(|e| 10f64.powf(e)), 0.0..3.0],
            (outward, negative) in any::<(bool, bool)>(),
        ) {
            let z0 = if negative { -z0 } else { z0 };
            let z = if outward { z0 * (1.0 + gap) } else { z0 * (1.0 - gap) };
            let beta = if let Case::Hypentropy(beta) = case { beta } else { 1.0 };
            let bits = 192 + bits(z0.abs().log2() - beta.log2());
            let (big, big0) = (Real::new(z, bits), Real::new(z0, bits));
            let ([value, ..], [value0, slope0, ..]) = (exact(case, &big), exact(case, &big0));
            let divergence = value - value0 - slope0 * (big - big0);
            let found = case.potential().bregman_divergence(z, z0);
            let ulps = ulps(found, &divergence, 1e12).unwrap_or(0.0);
            prop_assert!(ulps < 45.0, "{found:e} is {ulps} ulp from {:e}", divergence.f64());
        }
    }

    #[test]
    fn of_the_divergence_at_special_arguments() {
        for text in ["quadratic", "power:3,1", "power:2.5,0.1", "hypentropy:0.01"] {
            let f: Potential = text.parse().unwrap();
            for z in [-2.0, -1e-200, 0.0, 1e-9, 5.0] {
                assert_eq!(f.bregman_divergence(z, z), 0.0);
                assert_eq!(f.bregman_divergence(z, 0.0), f.value(z));
                let expected = f.conjugate(f.mirror_map(z));
                let found = f.bregman_divergence(0.0, z);
                assert!(
                    close(found, expected, 1e-14),
                    "{f} at {z}: {found:e}, {expected:e}"
                );
            }
        }
        // The series of a divergence whose terms add up to far less than 1.
        let steep = Case::Power(1.02, 0.0);
        for (z, z0) in [(1.49, 1.0), (1.0, 1.49), (-0.7, -1.0)] {
            let (big, big0) = (Real::new(z, 256), Real::new(z0, 256));
            let ([value, ..], [value0, slope0, ..]) = (exact(steep, &big), exact(steep, &big0));
            let divergence = value - value0 - slope0 * (big - big0);
            let found = steep.potential().bregman_divergence(z, z0);
            let ulps = ulps(found, &divergence, 1.0).unwrap();
            assert!(ulps < 45.0, "{found:e} is {ulps} ulp off");
        }
        // Next to 0 it is what it is at 0, whatever the other argument.
        let f = Potential::hypentropy(1.0).unwrap();
        assert!(close(
            f.bregman_divergence(10.0, 1e-200),
            f.value(10.0),
            1e-14
        ));
        let expected = f.conjugate_of_mirror_map(10.0);
        assert!(close(f.bregman_divergence(1e-200, 10.0), expected, 1e-14));
        let flat = Potential::hypentropy(1e200).unwrap();
        assert!(close(flat.bregman_divergence(2.0, 1.0), 0.5e-200, 1e-15));
    }

    /// c z², c = ½φ''(0): ω/(1 + ω) for powers, 1/(2β) for the hypentropy.
    #[test]
    fn of_quadratic_limits() {
        for (text, c) in [
            ("power:3,1", 0.5),
            ("power:4,0.25", 0.2),
            ("hypentropy:0.1", 5.0),
        ] {
            let f = text.parse::<Potential>().unwrap().quadratic_limit();
            for z in [-2.5, 0.3, 7.0] {
                for (name, found, expected) in [
                    ("φ", f.value(z), c * z * z),
                    ("φ'", f.mirror_map(z), 2.0 * c * z),
                    ("φ''", f.hessian(z), 2.0 * c),
                    ("φ'''", f.third_derivative(z), 0.0),
                    ("φ*", f.conjugate(z), z * z / (4.0 * c)),
                    ("φ*∘φ'", f.conjugate_of_mirror_map(z), c * z * z),
                    ("(φ*)'", f.inverse_mirror_map(z), z / (2.0 * c)),
                    ("(φ*)''", f.conjugate_hessian(z), 0.5 / c),
                    ("D", f.bregman_divergence(z, 1.0), c * (z - 1.0).powi(2)),
                ] {
                    assert!(
                        close(found, expected, 1e-15),
                        "{name}, {text}, {z}: {found:e}, {expected:e}"
                    );
                }
            }
            assert_eq!(f.third_derivative(0.0), 0.0);
            assert!(f.hessian(f64::NAN).is_nan());
        }
    }

    #[test]
    fn where_only_an_intermediate_overflows() {
        let f = Potential::hypentropy(1e-300).unwrap();
        let u = 600.0 * 10f64.ln() + 2f64.ln();
        assert!(close(f.mirror_map(1e300), u, 1e-15));
        assert!(close(f.hessian(1e300), 1e-300, 1e-15));
        assert!(close(f.inverse_mirror_map(u), 1e300, 1e-12));
        // φ*(u) = z − β at z = β sinh u, up to β/z.
        assert!(close(f.conjugate(u), 1e300, 1e-12));
        assert!(close(f.conjugate_hessian(u), 1e300, 1e-12));
        let f = Potential::power(3.0, 1e-9).unwrap();
        assert!(close(
            f.inverse_mirror_map(1.5e308),
            0.5e308f64.sqrt(),
            1e-8
        ));
        // ωt = 2t³ = u at t = 1: Cardano's intermediates do not fit, the general method's do.
        for omega in [1e150, 1e250] {
            let f = Potential::power(4.0, omega).unwrap();
            let t = (omega / 2.0).sqrt();
            assert!(close(f.inverse_mirror_map(f.mirror_map(t)), t, 1e-15));
        }
    }
}

mod potential_duality {
    use super::*;

    type Function = fn(&Potential, f64) -> f64;

    proptest! {
        #![proptest_config(config(4000))]

        #[test]
        fn identities_of_legendre(case in family(), e in -8.0..8.0f64) {
            let f = case.potential();
            let (z, p) = match case {
                Case::Power(p, _) => (10f64.powf(e / 2.0), p),
                Case::Hypentropy(beta) => (beta * 10f64.powf(e), 1.0),
            };
            prop_assume!((1e-290..1e290).contains(&f.value(z)));
            let u = f.mirror_map(z);
            // A rounding of u is u/(z φ''(z)) times as large in z, and p times that in φ''(z).
            let tolerance = 2e-15 * (1.0 + u / (z * f.hessian(z)));
            prop_assert!(close(f.inverse_mirror_map(u), z, tolerance));
            prop_assert!(close(f.value(z) + f.conjugate(u), u * z, tolerance));
            prop_assert!(close(f.hessian(z) * f.conjugate_hessian(u), 1.0, tolerance * p));
        }

        /// Slices give the numbers that one argument at a time gives, extremes and zeros among them.
        #[test]
        fn slices_agree_with_single_arguments(
            case in prop_oneof![4 => family(), 1 => positive(40.0).prop_map(|omega| Case::Power(4.0, omega))],
            limit in prop::bool::weighted(0.2),
            exponents in prop::collection::vec(-8.0..8.0f64, 0..40),
            extreme in prop::option::of(prop_oneof![Just(1e250), Just(1e-250), Just(f64::INFINITY), Just(f64::NAN)]),
            s in positive(3.0),
        ) {
            let f = case.potential().rescaled(s);
            let f = if limit { f.quadratic_limit() } else { f };
            let signs = [1.0, -1.0, 0.0, -0.0].into_iter().cycle();
            let u: Vec<f64> = exponents.iter().zip(signs).map(|(e, sign)| sign * 10f64.powf(*e)).chain(extreme).collect();
            let (mut first, mut second) = (vec![9.0; u.len()], vec![9.0; u.len()]);
            f.conjugate_derivatives(&u, &mut first, &mut second);
            for ((u, first), second) in u.iter().zip(first).zip(second) {
                let alone = f.inverse_mirror_map(*u);
                prop_assert!(first.to_bits() == alone.to_bits() || first.is_nan() && alone.is_nan());
                let hessian = f.hessian(alone).recip();
                // Twice the 4 + p ulp to which each is right.
                prop_assert!(close(second, hessian, 2.0 * 12.0 * f64::EPSILON) || second.is_nan() && hessian.is_nan() || second == hessian);
            }
        }

        #[test]
        fn symmetry_is_exact(
            case in prop_oneof![family(), beyond()],
            x in wide(),
            s in positive(3.0),
        ) {
            let f = case.potential().rescaled(s);
            let even: [Function; 4] = [
                Potential::value,
                Potential::hessian,
                Potential::conjugate,
                Potential::conjugate_hessian,
            ];
            let odd: [Function; 3] = [
                Potential::mirror_map,
                Potential::third_derivative,
                Potential::inverse_mirror_map,
            ];
            for function in even {
                prop_assert_eq!(function(&f, x), function(&f, -x));
            }
            for function in odd {
                prop_assert_eq!(function(&f, x), -function(&f, -x));
            }
        }

        #[test]
        fn convexity(
            case in prop_oneof![family(), beyond()],
            z in -20.0..20.0,
            z0 in -20.0..20.0,
        ) {
            let f = case.potential();
            prop_assert!(f.value(z) >= 0.0 && f.hessian(z) >= 0.0);
            prop_assert!(f.bregman_divergence(z, z0) >= 0.0);
            prop_assert!((f.mirror_map(z) - f.mirror_map(z0)) * (z - z0) >= 0.0);
        }

        /// At scales that are no power of two, whence the tolerance.
        #[test]
        fn rescaling(case in family(), t in -20.0..20.0f64, s in positive(3.0)) {
            let (f, g, z) = (case.potential(), case.potential().rescaled(s), s * t);
            prop_assume!((1e-250..1e250).contains(&f.value(t)));
            let u = g.mirror_map(z);
            let (t0, v) = (0.3 * t, u / s);
            let square = s * s;
            for (name, found, expected) in [
                ("φ", g.value(z), square * f.value(t)),
                ("φ'", u, s * f.mirror_map(t)),
                ("φ''", g.hessian(z), f.hessian(t)),
                ("φ'''", g.third_derivative(z), f.third_derivative(t) / s),
                ("φ*", g.conjugate(u), square * f.conjugate(v)),
                ("(φ*)'", g.inverse_mirror_map(u), s * f.inverse_mirror_map(v)),
                ("(φ*)''", g.conjugate_hessian(u), f.conjugate_hessian(v)),
                ("D", g.bregman_divergence(z, s * t0), square * f.bregman_divergence(t, t0)),
            ] {
                prop_assert!(close(found, expected, 2e-13), "{name}: {found:e}, {expected:e}");
            }
            prop_assert_eq!(g.quadratic_limit(), f.quadratic_limit());
        }
    }

    #[test]
    fn zero_and_nan() {
        let at_zero: [Function; 4] = [
            Potential::value,
            Potential::mirror_map,
            Potential::conjugate,
            Potential::inverse_mirror_map,
        ];
        let others: [Function; 3] = [
            Potential::hessian,
            Potential::third_derivative,
            Potential::conjugate_hessian,
        ];
        let mut potentials = vec![Potential::power_beyond_hypotheses(1.5, 0.0).unwrap()];
        for text in [
            "quadratic",
            "power:2.5,1",
            "power:3,1",
            "power:4,1",
            "hypentropy:1",
        ] {
            potentials.push(text.parse().unwrap());
        }
        for f in potentials {
            for function in at_zero {
                assert_eq!(function(&f, 0.0), 0.0, "{f}");
            }
            for function in at_zero.into_iter().chain(others) {
                assert!(function(&f, f64::NAN).is_nan(), "{f}");
            }
            assert!(f.bregman_divergence(f64::NAN, 1.0).is_nan(), "{f}");
            assert!(f.bregman_divergence(1.0, f64::NAN).is_nan(), "{f}");
        }
        for text in [
            "quadratic",
            "power:2.5,1",
            "power:3,1",
            "power:4,1",
            "power:9,1",
        ] {
            let f: Potential = text.parse().unwrap();
            // φ*(1e250) is finite for p = 9: about 1e250^(9/8).
            let far = if text == "power:9,1" { -1e300 } else { -1e250 };
            for x in [f64::INFINITY, far] {
                assert_eq!(
                    (f.value(x), f.conjugate(x)),
                    (f64::INFINITY, f64::INFINITY),
                    "{f}"
                );
            }
            assert_eq!(f.inverse_mirror_map(-f64::INFINITY), -f64::INFINITY, "{f}");
        }
        let steep: Potential = "power:2.5,1".parse().unwrap();
        assert_eq!(steep.third_derivative(0.0), f64::INFINITY);
        assert_eq!(steep.third_derivative(-0.0), f64::NEG_INFINITY);
        let kinked = Potential::power_beyond_hypotheses(1.5, 1.0).unwrap();
        assert_eq!(kinked.hessian(0.0), f64::INFINITY);
    }
}

mod potential_expansion {
    use super::*;

    #[test]
    fn leading_correction_is_what_the_quadratic_limit_leaves() {
        for text in [
            "power:2.5,0.3",
            "power:3,1",
            "power:4,2",
            "hypentropy:1",
            "hypentropy:0.1",
        ] {
            for s in [1.0, 0.7, 40.0] {
                let f = text.parse::<Potential>().unwrap().rescaled(s);
                let (c, q) = f.leading_correction().unwrap();
                let z = s * if text.ends_with(":0.1") { 4e-4 } else { 4e-3 };
                let left = f.value(z) - f.quadratic_limit().value(z);
                // Next order: (z/β)² = 1.6e-5. Rounding: an ulp of φ relative to the correction.
                let tolerance = 1.6e-5 + 1e-15 * f.value(z) / left.abs();
                assert!(close(left, c * z.powf(q), tolerance), "{f}: {left:e}");
            }
        }
        assert_eq!(Potential::quadratic().leading_correction(), None);
        let cubic: Potential = "power:3,1".parse().unwrap();
        assert_eq!(cubic.leading_correction(), Some((0.5, 3.0)));
        let hypentropy = Potential::hypentropy(0.5).unwrap();
        assert_eq!(hypentropy.leading_correction(), Some((-1.0 / 3.0, 4.0)));
    }

    #[test]
    fn rescaling_tends_to_the_quadratic_limit() {
        for text in ["power:3,1", "power:4,1", "hypentropy:0.1"] {
            let f: Potential = text.parse().unwrap();
            assert!(close(
                f.rescaled(1e9).value(3.0),
                f.quadratic_limit().value(3.0),
                1e-7
            ));
            assert_eq!(f.rescaled(4.0).rescaled(2.0), f.rescaled(8.0));
            assert_eq!(f.rescaled(8.0).scale(), 8.0);
        }
        let f = Potential::quadratic();
        assert_eq!(
            (f.rescaled(7.0), f.quadratic_limit(), f.scale()),
            (f, f, 1.0)
        );
    }
}

mod potential_stability {
    use super::*;

    /// Greatest ratio of Hessians between dual variables u and u', |u − u'| ≤ ρ, on a grid that
    /// reaches from 0 far into the other asymptotic regime.
    fn greatest_ratio(f: &Potential, rho: f64) -> f64 {
        let mut greatest = 0f64;
        for k in -2000i32..2000 {
            let u = rho * (1.01f64.powi(k.abs()) - 1.0) * f64::from(k.signum());
            for fraction in [-1.0, -0.5, 0.3, 1.0] {
                let ratio = f.conjugate_hessian(u) / f.conjugate_hessian(u + fraction * rho);
                if ratio.is_finite() && ratio > 0.0 {
                    greatest = greatest.max(ratio).max(ratio.recip());
                }
            }
        }
        greatest
    }

    #[test]
    fn hessians_within_the_radius_agree_up_to_the_factor() {
        for s in [1.0, 25.0] {
            for omega in [0.1, 1.0, 30.0] {
                let exponents = [2.1, 2.5, 3.0, 3.2, 4.0, 6.0, 12.0];
                for (p, factor) in exponents.iter().flat_map(|&p| [(p, 2.0), (p, 1.25)]) {
                    let f = Potential::power(p, omega).unwrap().rescaled(s);
                    let ratio = greatest_ratio(&f, f.stability_radius(factor));
                    // Sharp up to p = 3, and not far from it above.
                    let least = if p <= 3.0 {
                        factor - 1e-9
                    } else {
                        1.0 + 0.3 * (factor - 1.0)
                    };
                    assert!((least..=factor + 1e-9).contains(&ratio), "{f}: {ratio}");
                }
            }
            for beta in [1e-3, 1.0] {
                let f = Potential::hypentropy(beta).unwrap().rescaled(s);
                assert_eq!(f.stability_radius(2.0), s * 2f64.ln());
                let ratio = greatest_ratio(&f, f.stability_radius(2.0));
                assert!((1.9..=2.0 + 1e-9).contains(&ratio), "{f}: {ratio}");
            }
        }
        assert_eq!(Potential::quadratic().stability_radius(2.0), f64::INFINITY);
    }

    /// Λ of the documentation against the greatest φ'''/φ''² on a grid.
    #[test]
    fn slope_bound_is_attained() {
        for (p, omega) in [(3.1, 0.2), (4.0, 1.0), (5.5, 3.0), (20.0, 0.01)] {
            let f = Potential::power(p, omega).unwrap();
            let slope = |k: i32| {
                let z = 1.001f64.powi(k);
                f.third_derivative(z) / f.hessian(z).powi(2)
            };
            let greatest = (-40_000..8000).map(slope).fold(0.0, f64::max);
            assert!(
                close(f.stability_radius(2.0), 2f64.ln() / greatest, 1e-4),
                "{f}"
            );
        }
    }

    #[test]
    fn none_beyond_the_hypotheses() {
        for (p, omega) in [(1.5, 1.0), (1.5, 0.0), (2.5, 0.0), (3.0, 0.0), (4.0, 0.0)] {
            let f = Potential::power_beyond_hypotheses(p, omega).unwrap();
            assert_eq!(f.stability_radius(2.0), 0.0);
        }
    }
}

mod potential_text {
    use super::*;

    proptest! {
        #![proptest_config(config(500))]

        #[test]
        fn round_trips(case in family()) {
            let f = case.potential();
            prop_assert_eq!(f.to_string().parse::<Potential>().unwrap(), f);
        }
    }

    #[test]
    fn forms() {
        let read = |text: &str| text.parse::<Potential>().unwrap();
        assert_eq!(read("quadratic"), Potential::quadratic());
        assert_eq!(read("power:2,5"), Potential::quadratic());
        assert_eq!(read("power: 3, 0.5"), Potential::power(3.0, 0.5).unwrap());
        assert_eq!(read("hypentropy:1e-1"), Potential::hypentropy(0.1).unwrap());
        assert_eq!(
            read("power:3,1").rescaled(40.0).to_string(),
            "power:3,1 rescaled by 40"
        );
        let limit = read("hypentropy:2").quadratic_limit();
        assert_eq!(limit.to_string(), "quadratic, half Hessian 0.25");
    }

    #[test]
    fn refusals_name_the_option_the_reason_and_the_remedy() {
        let known = "is no known potential with its number of parameters";
        for (text, reason, remedy) in [
            ("", known, "power:P,OMEGA"),
            ("cubic", known, "power:P,OMEGA"),
            ("quadratic:1", known, "`quadratic`"),
            ("power", known, "power:P,OMEGA"),
            ("power:3", known, "power:P,OMEGA"),
            ("power:3,1,2", known, "power:P,OMEGA"),
            ("hypentropy", known, "hypentropy:BETA"),
            ("power:3,x", "`x` is not a number", "0.5"),
            ("hypentropy:", "`` is not a number", "0.5"),
            ("power:1.5,1", "φ'' is unbounded at 0", "power:3,1"),
            ("power:NaN,1", "finite exponent P ≥ 2", "power:3,1"),
            ("power:inf,1", "finite exponent P ≥ 2", "power:3,1"),
            ("power:3,0", "φ''(0) = 0", "power:3,1"),
            ("power:2,-1", "finite OMEGA > 0", "power:3,1"),
            ("power:3,inf", "finite OMEGA > 0", "power:3,1"),
            ("hypentropy:0", "finite BETA > 0", "hypentropy:1"),
            ("hypentropy:-2", "finite BETA > 0", "hypentropy:1"),
            ("hypentropy:NaN", "finite BETA > 0", "hypentropy:1"),
        ] {
            let message = text.parse::<Potential>().unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("--potential `{text}`: ")),
                "{message}"
            );
            assert!(
                message.contains(reason) && message.contains(remedy),
                "{message}"
            );
        }
        for (p, omega) in [(1.0, 1.0), (0.5, 1.0), (3.0, -1.0), (f64::NAN, 1.0)] {
            let message = Potential::power_beyond_hypotheses(p, omega)
                .unwrap_err()
                .to_string();
            assert!(message.contains("not strictly convex"), "{message}");
        }
    }
}
