//! The page of an audit: what it says, that it stands alone, and how a browser shows it.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod browser;

use mirrorflow::{
    Error, Result,
    claims::{self, Claim, Context, Control},
    evidence::{Evidence, Kind, TestFigures},
    report::{
        figures::{Figure, Mark, PLANS, Panel, Plan, Series},
        ledger::{Calibration, JudgedClaim, JudgedControl, Ledger, Summary, Verdict},
        page::{self, Page},
    },
};
use scraper::{ElementRef, Html, Selector};
use std::collections::BTreeSet;

const PROOFS: &str = include_str!("../proofs.md");
const HOSTILE: &str = "<script>alert(1)</script> & \"quoted\" 'so' <img src=x onerror=alert(1)>";

/// One comparison of each kind; of the last, one that disagrees and one without power.
fn evidence(well: bool) -> Vec<Evidence> {
    let test = |power| TestFigures {
        p_value: Some(0.25),
        alpha: Some(1e-5),
        power: Some(power),
        samples: Some(100),
        alternative: Some("covariance × 1.5".into()),
    };
    let statistical = |power| Evidence {
        test: test(power),
        ..Evidence::compare(
            Kind::Statistical,
            "χ² of projections",
            373.1603301,
            400.0,
            113.0,
        )
    };
    let mut all = vec![
        Evidence::compare(Kind::Exact, "a rational number", 0.0, 0.0, 0.0),
        Evidence::compare(
            Kind::Certified,
            "E φ(α) in function space",
            207.80419354838568,
            207.8,
            0.1,
        ),
        Evidence::compare(
            Kind::Numerical,
            "an_unbreakable_word_".repeat(9),
            1.373109587e-6,
            0.0,
            1e-4,
        ),
        statistical(0.99),
    ];
    if !well {
        all.extend([
            Evidence::compare(Kind::Exact, HOSTILE, f64::NAN, 0.0, 0.0),
            statistical(0.5),
        ]);
    }
    all
}

/// Every claim as if it held, but for the first, which fails, and the second, which was not carried out.
fn ledger() -> Ledger {
    let mut ledger = Ledger::run(&[], &Context::new(0, 1), || {});
    let judged = |(k, claim): (usize, &Claim)| {
        let evidence = if k == 1 { vec![] } else { evidence(k > 0) };
        let twin = |control: &Control| {
            let off = Evidence::compare(Kind::Exact, HOSTILE, 1.0, 2.0, 0.0);
            JudgedControl::of(control, &if k == 0 { vec![] } else { vec![off] })
        };
        JudgedClaim {
            id: claim.id.into(),
            statement: if k == 0 {
                HOSTILE.into()
            } else {
                claim.statement.into()
            },
            source: if k == 0 {
                HOSTILE.into()
            } else {
                claim.source.into()
            },
            verdict: Verdict::of(&evidence),
            error: (k == 1).then(|| HOSTILE.into()),
            seconds: 1.0,
            retested: if k == 2 { evidence.clone() } else { vec![] },
            controls: claim.controls.iter().map(twin).collect(),
            evidence,
        }
    };
    ledger.claims = claims::registry().iter().enumerate().map(judged).collect();
    let twins = ledger.claims.iter().flat_map(|claim| &claim.controls);
    ledger.summary = Summary {
        claims: ledger.claims.len(),
        holding: ledger.claims.len() - 2,
        controls: twins.clone().count(),
        rejected: twins.filter(|twin| twin.rejected).count(),
        seconds: 296.03,
    };
    ledger.calibration = Some(vec![Calibration {
        id: "fluctuation-law".into(),
        runs: 200,
        errors: 0,
        tests: 2400,
        rejections: 1,
        expected: 0.024,
        smallest_p: None,
        controls: 400,
        survivals: 2,
        uniformity: evidence(true),
    }]);
    ledger
}

/// A figure of this plan's panels, each with one line.
fn figure(plan: &Plan) -> Figure {
    let panel = |title: &str| Panel {
        title: title.into(),
        axes: ["x".into(), "f < g & h".into()],
        logarithmic: [false; 2],
        series: vec![Series {
            name: "h̄".into(),
            listed: true,
            mark: Mark::Line(0),
            points: (0..20).map(|k| (f64::from(k), f64::from(k * k))).collect(),
            interval: vec![],
        }],
        inset: None,
    };
    Figure {
        name: plan.name,
        panels: plan.panels.iter().map(|(title, _)| panel(title)).collect(),
    }
}

/// All figures but the last, which could not be had.
fn figures() -> Vec<(&'static Plan, Result<Figure>)> {
    let last = PLANS.len() - 1;
    let had = |(k, plan): (usize, &'static Plan)| {
        let missing = Error::Data {
            place: HOSTILE.into(),
            what: "broke".into(),
            remedy: "mend it".into(),
        };
        (
            plan,
            if k == last {
                Err(missing)
            } else {
                Ok(figure(plan))
            },
        )
    };
    PLANS.iter().enumerate().map(had).collect()
}

fn html() -> String {
    let (ledger, figures) = (ledger(), figures());
    let page = Page {
        ledger: &ledger,
        claims: claims::registry(),
        figures: &figures,
        proofs: PROOFS,
    };
    page.html()
}

fn all<'a>(document: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    document
        .select(&Selector::parse(selector).unwrap())
        .collect()
}

fn text(element: &ElementRef) -> String {
    element.text().collect()
}

#[test]
fn is_html_without_an_error() {
    let document = Html::parse_document(&html());
    assert_eq!(document.errors, Vec::<&str>::new());
    assert_eq!(format!("{:?}", document.quirks_mode), "NoQuirks");
}

#[test]
fn shows_every_claim_with_its_evidence_and_twins() {
    let document = Html::parse_document(&html());
    let ledger = ledger();
    for claim in &ledger.claims {
        let id = &claim.id;
        assert_eq!(all(&document, &format!(".tiles a[href='#{id}']")).len(), 1);
        assert_eq!(
            all(&document, &format!("#derivations #proof-{id}")).len(),
            1,
            "{id}"
        );
        let [article] = all(&document, &format!("article#{id}"))[..] else {
            panic!("{id}")
        };
        let words = text(&article);
        assert!(words.contains(&claim.verdict.to_string()) && words.contains(&claim.statement));
        for twin in &claim.controls {
            let fate = twin
                .by
                .as_deref()
                .unwrap_or("Not rejected by any comparison");
            assert!(words.contains(&twin.id) && words.contains(&twin.statement));
            assert!(words.contains(fate), "{id}: {fate}");
        }
        let rows: Vec<String> = all(&document, &format!("article#{id} tbody tr"))
            .iter()
            .map(text)
            .collect();
        assert_eq!(rows.len(), claim.evidence.len(), "{id}");
        for (row, evidence) in rows.iter().zip(&claim.evidence) {
            assert!(row.contains(&evidence.what), "{row}");
        }
        let open = all(&document, &format!("article#{id} details[open]")).len();
        assert_eq!(open, usize::from(claim.verdict == Verdict::Fails), "{id}");
    }
    let rows = all(&document, "#falsifiability tbody tr").len();
    assert_eq!(rows, ledger.summary.controls);
    assert_eq!(all(&document, "#calibration tbody tr").len(), 1);
    // Numbers are there in full.
    let whole = all(&document, "data[value='207.80419354838568']");
    assert_eq!(whole.len(), ledger.claims.len() - 1);
    assert_eq!(text(&whole[0]), "207.8042");
}

/// One picture a claim that has one, drawn once, and a word where one is missing.
#[test]
fn shows_figures_and_says_which_are_missing() {
    let document = Html::parse_document(&html());
    for (plan, figure) in figures() {
        for (place, (_, claims)) in plan.panels.iter().enumerate() {
            let id = format!("{}-{}", plan.name, place + 1);
            let drawn = usize::from(figure.is_ok());
            assert_eq!(
                all(&document, &format!("#figures g#{id} > svg")).len(),
                drawn
            );
            for claim in *claims {
                let picture = format!("article#{claim} use[href='#{id}']");
                assert_eq!(all(&document, &picture).len(), drawn, "{claim}");
                let words = text(&all(&document, &format!("article#{claim}"))[0]);
                assert_eq!(words.contains("could be drawn"), figure.is_err());
            }
        }
    }
    assert!(text(&all(&document, "#figures .alarm")[0]).contains(HOSTILE));
    assert_eq!(all(&document, "#figures svg style").len(), 0);
}

#[test]
fn shows_hostile_texts_as_texts() {
    let document = Html::parse_document(&html());
    assert_eq!(all(&document, "script, img").len(), 0);
    let shown = text(&document.root_element());
    // Statement, source and evidence of the first claim, the second's error, a figure's, and twins.
    assert!(shown.matches(HOSTILE).count() > 5);
}

#[test]
fn refers_to_nothing_outside_and_its_own_places_exist() {
    let page = html();
    let document = Html::parse_document(&page);
    let ids: Vec<&str> = all(&document, "[id]")
        .iter()
        .filter_map(|e| e.attr("id"))
        .collect();
    let places: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), places.len(), "an id stands twice");
    for element in all(&document, "*") {
        for (name, value) in element.value().attrs() {
            let near = value.strip_prefix('#').map(|id| places.contains(id));
            let well = match name {
                "href" if element.value().name() == "a" => {
                    near.unwrap_or(value == "https://arxiv.org/abs/2410.03988")
                }
                "href" => near.unwrap_or(value == "data:,"),
                "aria-labelledby" => places.contains(value),
                "src" | "srcset" | "action" | "data" | "poster" | "ping" => false,
                _ => !name.starts_with("on") && !value.contains("url("),
            };
            assert!(well, "<{} {name}=\"{value}\">", element.value().name());
        }
    }
    let style = text(&all(&document, "style")[0]);
    assert!(!style.contains("url(") && !style.contains("@import"));
}

#[test]
fn headings_go_down_one_level_at_a_time() {
    let document = Html::parse_document(&html());
    let levels: Vec<u8> = all(&document, "h1, h2, h3, h4, h5, h6")
        .iter()
        .map(|heading| heading.value().name().as_bytes()[1] - b'0')
        .collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
    assert_eq!(levels[0], 1);
    assert!(
        levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
        "{levels:?}"
    );
}

#[test]
fn every_claim_has_a_formula_that_converts() {
    let document = Html::parse_document(&html());
    for claim in claims::registry() {
        let math =
            page::mathml(claim.formula).unwrap_or_else(|error| panic!("{}: {error}", claim.id));
        assert!(math.starts_with("<math display=\"block\"") && !math.contains("merror"));
        let shown = format!("article#{} .formula > math", claim.id);
        assert_eq!(all(&document, &shown).len(), 1, "{}", claim.id);
    }
    for wrong in [r"\frac{1", r"\nosuchcommand", r"\left( 1", "a_b_c"] {
        assert!(page::mathml(wrong).is_err(), "{wrong}");
    }
}

/// In Markdown a `*` or `_` of a formula may begin emphasis that nobody meant.
#[test]
fn derivations_are_what_proofs_md_says() {
    let document = Html::parse_document(&html());
    for emphasised in all(&document, "#derivations em, #abstract em") {
        let words = text(&emphasised);
        let word = |c: char| c.is_ascii_alphabetic() || c.is_whitespace() || "()-".contains(c);
        assert!(words.ends_with('.') || words.chars().all(word), "{words}");
    }
    let sections = PROOFS
        .lines()
        .filter(|line| line.starts_with("## "))
        .count();
    // One of them stands beside the verdicts.
    assert_eq!(all(&document, "#derivations h3").len(), sections - 1);
    let sentences = PROOFS
        .lines()
        .filter(|line| line.starts_with("| \""))
        .count();
    assert_eq!(all(&document, "#abstract tbody tr").len(), sentences);
    let blocks = PROOFS.matches("```text").count();
    assert_eq!(all(&document, "#derivations pre").len(), blocks);
}

#[test]
fn plans_name_claims_that_there_are() {
    for plan in &PLANS {
        for (title, claims) in plan.panels {
            let known = |id: &str| claims::registry().iter().any(|claim| claim.id == id);
            assert!(claims.iter().all(|id| known(id)), "{}: {title}", plan.name);
        }
        assert!(plan.illustrates(plan.panels[0].1) && !plan.illustrates(&["representation-cost"]));
    }
}

mod command {
    use super::*;
    use assert_cmd::Command;

    #[test]
    fn audit_writes_the_page_without_figures_that_its_claims_do_not_show() {
        let folder = tempfile::TempDir::new().unwrap();
        Command::cargo_bin("mirrorflow")
            .unwrap()
            .args(["audit", "--only", "representation-cost", "--out"])
            .arg(folder.path())
            .assert()
            .code(0);
        let mut files: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let expected = [
            "index.html",
            "junit.xml",
            "ledger.json",
            "ledger.md",
            "ledger.txt",
            "units",
        ];
        assert_eq!(files, expected);
        let page = std::fs::read_to_string(folder.path().join("index.html")).unwrap();
        let document = Html::parse_document(&page);
        assert_eq!(document.errors, Vec::<&str>::new());
        assert_eq!(all(&document, "article.claim").len(), 1);
        assert_eq!(all(&document, "#figures, svg").len(), 0);
    }
}

mod in_a_browser {
    use super::*;

    #[test]
    fn it_is_legible_at_360_and_1440_pixels_light_and_dark() {
        let Some(browser) = browser::find() else {
            return;
        };
        let claims = claims::registry().len();
        let drawn = PLANS.iter().take(PLANS.len() - 1);
        let pictures = drawn.flat_map(|plan| plan.panels);
        let pictures: usize = pictures.map(|(_, claims)| claims.len()).sum();
        for dark in [false, true] {
            let (frames, console) = browser::look(&browser, &html(), dark);
            assert_eq!(console, Vec::<String>::new());
            assert_eq!(
                frames.iter().map(|seen| seen.width).collect::<Vec<_>>(),
                [360, 1440]
            );
            for seen in frames {
                assert_eq!(seen.dark, dark, "{seen:?}");
                assert!(seen.overflow == 0 && seen.wide.is_empty(), "{seen:?}");
                assert!(
                    seen.faint.is_empty() && seen.unmarked.is_empty(),
                    "{seen:?}"
                );
                assert!(seen.unreachable == 0 && seen.folded > 0, "{seen:?}");
                assert_eq!(seen.formulas, claims, "{seen:?}");
                assert_eq!(seen.pictures, pictures, "{seen:?}");
            }
        }
    }

    /// What the test above looks for it finds where it is.
    #[test]
    fn a_bad_page_is_seen_to_be_bad() {
        let Some(browser) = browser::find() else {
            return;
        };
        let bad = "<p class=scroll style='width: 2000px; outline: none !important'>wide</p>\
                   <p style='color: #999'>faint</p><img src='https://example.org/x.png' alt=''>\
                   <script>alert(1)</script></main>";
        let (frames, console) = browser::look(&browser, &html().replace("</main>", bad), false);
        assert!(
            console.iter().any(|line| line.contains("example.org")),
            "{console:?}"
        );
        assert!(
            console.iter().any(|line| line.contains("script")),
            "{console:?}"
        );
        for seen in frames {
            assert!(seen.overflow > 500, "{seen:?}");
            assert_eq!(
                (seen.faint.len(), seen.unreachable, seen.unmarked.len()),
                (1, 1, 1),
                "{seen:?}"
            );
        }
    }
}
