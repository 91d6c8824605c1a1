//! The audit as one HTML file without scripts and without references to other files: verdicts at a glance,
//! each claim with its evidence, false twins and pictures, the figures, tables, and the derivations.

mod derivations;

use math_core::{LatexToMathML, MathDisplay};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::path::Path;

use super::{
    figures::{Figure, Panel, Plan, drawing::SIZE},
    ledger::{Calibration, JudgedClaim, JudgedControl, Ledger, Verdict, kind, mark, seconds},
    number, write_whole,
};
use crate::{Error, Result, claims::Claim, evidence::Kind};
use derivations::Derivations;

const STYLE: &str = include_str!("page/style.css");
/// Nothing may be loaded, and no script may run, whatever a text in the ledger says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
const PAPER: &str = "https://arxiv.org/abs/2410.03988";
/// Significant digits of a number; the whole of it is in the element's `value`.
const DIGITS: usize = 7;

/// What the page shows.
#[derive(Debug)]
pub struct Page<'a> {
    /// The outcome of the audit.
    pub ledger: &'a Ledger,
    /// Claims whose formulas are shown; those of the ledger that are not among them are shown without.
    pub claims: &'a [Claim],
    /// Figures, or why they could not be had.
    pub figures: &'a [(&'a Plan, Result<Figure>)],
    /// The derivations, as Markdown with a section `` ## `id` `` for each claim.
    pub proofs: &'a str,
}

/// A formula as MathML, set off from the text.
///
/// # Errors
/// [`Error::Parameter`] where it is not LaTeX that can be converted.
pub fn mathml(latex: &str) -> Result<String> {
    LatexToMathML::default()
        .convert_with_local_counter(latex, MathDisplay::Block)
        .map_err(|error| Error::Parameter {
            name: "formula".into(),
            value: latex.into(),
            what: error.to_string(),
            remedy: "write LaTeX that math-core knows".into(),
        })
}

impl Page<'_> {
    /// Writes `index.html` into a folder, whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_whole(&folder.join("index.html"), self.html().as_bytes())
    }

    /// The page.
    pub fn html(&self) -> String {
        let Ledger {
            claims,
            summary,
            calibration,
            environment,
        } = self.ledger;
        let derivations = Derivations::of(self.proofs, claims);
        let panels = self.panels();
        let each = html! {
            p.note { "Symbols are those of " (derivations.setting) "." }
            @for claim in claims { (self.claim(claim, &panels)) }
        };
        let figures = (!self.figures.is_empty()).then(|| self.all_figures(&panels));
        let sections = [
            ("verdicts", "Verdicts", Some(self.verdicts())),
            ("abstract", "Sentence by sentence", derivations.paper),
            ("claims", "Claims", Some(each)),
            ("figures", "Figures", figures),
            (
                "falsifiability",
                "Falsifiability",
                Some(falsifiability(claims)),
            ),
            (
                "calibration",
                "Calibration",
                calibration.as_deref().map(calibrated),
            ),
            ("environment", "Environment", Some(self.environment())),
            ("derivations", "Derivations", Some(derivations.all)),
        ];
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { "mirrorflow: " (summary.holding) " of " (summary.claims) " claims hold" }
                    link rel="icon" href="data:,";
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#verdicts" { "Skip to the verdicts" }
                    header {
                        p.name { "mirrorflow" }
                        h1 { "Audit of the implicit bias of mirror flow" }
                        p {
                            "The theory of " cite { "Implicit Bias of Mirror Flow for Shallow Neural Networks in Univariate Regression" }
                            " (Liang and Montúfar, ICLR 2025, " a href=(PAPER) { "arXiv 2410.03988" } "), checked by computation."
                        }
                    }
                    div.columns {
                        nav aria-label="Contents" {
                            ul { @for (id, title, _) in sections.iter().filter(|section| section.2.is_some()) {
                                li { a href={ "#" (id) } { (title) } }
                            } }
                            ul.wide { @for claim in claims {
                                li { a href={ "#" (claim.id) } { (badge(claim.verdict, false)) code { (claim.id) } } }
                            } }
                        }
                        main { @for (id, title, contents) in &sections { @if let Some(contents) = contents {
                            section id=(id) tabindex="-1" aria-labelledby={ (id) "-title" } {
                                h2 id={ (id) "-title" } { (title) }
                                (contents)
                            }
                        } } }
                    }
                    footer { p { "Written by mirrorflow " (environment.version) "." } }
                }
            }
        }
        .into_string()
    }

    fn verdicts(&self) -> Markup {
        let summary = &self.ledger.summary;
        html! {
            p.counts {
                span class={ "count " @if summary.holding == summary.claims { "holds" } @else { "fails" } } {
                    b { (summary.holding) " of " (summary.claims) } " claims hold"
                }
                span class={ "count " @if summary.rejected == summary.controls { "holds" } @else { "fails" } } {
                    b { (summary.rejected) " of " (summary.controls) } " false twins rejected"
                }
            }
            ul.tiles { @for claim in &self.ledger.claims {
                li { a href={ "#" (claim.id) } {
                    (badge(claim.verdict, true))
                    code { (claim.id) }
                    small {
                        (claim.evidence.len()) " comparisons, "
                        (claim.controls.iter().filter(|twin| twin.rejected).count()) " of "
                        (claim.controls.len()) " twins rejected"
                    }
                } }
            } }
            details {
                summary { "How to read this" }
                p {
                    "A comparison sets a measured number beside a predicted one and agrees where they are no "
                    "further apart than a threshold. What the threshold rests on is its kind:"
                }
                dl.kinds {
                    dt { "exact" } dd { "rational arithmetic; the threshold is 0" }
                    dt { "certified" } dd { "a proven bound on the error" }
                    dt { "numerical" } dd { "an estimate of the error" }
                    dt { "statistical" } dd {
                        "a test: it rejects where p < α, and its power is the probability of that under the "
                        "alternative that it names"
                    }
                }
                p {
                    "A claim holds if all its comparisons agree and each of its tests has power at least 0.9. "
                    "A false twin is a theory that differs from it in one point: the same comparisons must reject it."
                }
            }
        }
    }

    fn claim(&self, claim: &JudgedClaim, panels: &[Drawn]) -> Markup {
        let formula = self.claims.iter().find(|known| known.id == claim.id);
        let shows = |claims: &[&str]| claims.contains(&claim.id.as_str());
        let pictures = panels
            .iter()
            .filter(|panel| shows(panel.claims) && panel.svg.is_ok());
        let pictures: Vec<&Drawn> = pictures.collect();
        let planned = self.figures.iter().flat_map(|(plan, _)| plan.panels);
        let planned = planned.filter(|(_, claims)| shows(claims)).count();
        html! {
            article.claim #(claim.id) aria-labelledby={ (claim.id) "-title" } {
                h3 id={ (claim.id) "-title" } { (badge(claim.verdict, true)) code { (claim.id) } }
                p.statement { (claim.statement) }
                @if let Some(formula) = formula {
                    div.formula tabindex="0" role="group" aria-label="Formula" {
                        @match mathml(formula.formula) {
                            Ok(math) => (PreEscaped(math)),
                            Err(_) => code { (formula.formula) },
                        }
                    }
                }
                p.note {
                    "Source: " (derivations::code_spans(&claim.source))
                    " · " a href={ "#proof-" (claim.id) } { "Derivation" }
                    " · checked in " (seconds(claim.seconds))
                    " · " a href="#verdicts" { "All verdicts" }
                }
                @if let Some(error) = &claim.error {
                    p.alarm { b { "The check was not carried out: " } (error) }
                }
                @if !claim.retested.is_empty() { p.alarm { (claim.retest()) } }
                @if !claim.evidence.is_empty() { (evidence(claim)) }
                @if !claim.controls.is_empty() { (twins(claim)) }
                @if !pictures.is_empty() {
                    h4 { "Pictures" }
                    div.panels { @for panel in &pictures { (panel.repeated()) } }
                }
                @if pictures.len() < planned {
                    p.note { "Not all pictures of this claim could be drawn: see " a href="#figures" { "Figures" } "." }
                }
            }
        }
    }

    fn panels(&self) -> Vec<Drawn<'_>> {
        let drawn = self.figures.iter().flat_map(|(plan, figure)| {
            let panels = figure.iter().flat_map(|figure| &figure.panels).enumerate();
            panels.map(|(k, panel)| Drawn::new(plan, k, panel))
        });
        drawn.collect()
    }

    fn all_figures(&self, panels: &[Drawn]) -> Markup {
        html! {
            @for (plan, figure) in self.figures {
                figure {
                    @if let Err(error) = figure {
                        p.alarm { b { "Not drawn: " } (error) }
                    }
                    div.panels { @for panel in panels.iter().filter(|panel| panel.figure == plan.name) { (panel.drawing()) } }
                    figcaption { b { (plan.name) } " · " (plan.caption) }
                }
            }
            p.note { code { "mirrorflow figures" } " writes them as files, with their numbers." }
        }
    }

    fn environment(&self) -> Markup {
        let environment = &self.ledger.environment;
        let repeat = format!(
            "mirrorflow audit --seed {} --effort {}",
            environment.seed, environment.effort
        );
        html! {
            dl.facts {
                dt { "Version" } dd { "mirrorflow " (environment.version) }
                dt { "System" } dd { (environment.os) " " (environment.arch) ", " (environment.threads) " threads" }
                dt { "Seed" } dd { (environment.seed) }
                dt { "Effort" } dd { (environment.effort) }
                dt { "Time" } dd { (seconds(self.ledger.summary.seconds)) }
                dt { "To repeat" } dd { code { (repeat) } }
            }
            p.note { "Results depend on seed and effort alone (last bits aside, which can differ between processors)." }
        }
    }
}

/// A panel as it is drawn, once: elsewhere the page refers to it.
struct Drawn<'a> {
    figure: &'static str,
    id: String,
    title: &'a str,
    claims: &'static [&'static str],
    svg: Result<String>,
}

impl<'a> Drawn<'a> {
    fn new(plan: &Plan, place: usize, panel: &'a Panel) -> Self {
        let known = plan.panels.iter().find(|(title, _)| *title == panel.title);
        Self {
            figure: plan.name,
            id: format!("{}-{}", plan.name, place + 1),
            title: &panel.title,
            claims: known.map_or(&[], |(_, claims)| claims),
            svg: panel.svg(),
        }
    }

    fn frame(&self, contents: &Markup) -> Markup {
        let size = format!("0 0 {} {}", SIZE.0, SIZE.1);
        html! {
            svg viewBox=(size) role="img" aria-label={ (self.figure) ": " (self.title) } { (contents) }
        }
    }

    fn drawing(&self) -> Markup {
        match &self.svg {
            Ok(svg) => self.frame(&html! { g id=(self.id) { (PreEscaped(svg)) } }),
            Err(error) => html! { p.alarm { b { "Not drawn: " } (error) } },
        }
    }

    fn repeated(&self) -> Markup {
        html! { a.panel href={ "#" (self.id) } {
            (self.frame(&html! { use href={ "#" (self.id) } {} }))
        } }
    }
}

fn badge(verdict: Verdict, word: bool) -> Markup {
    let (class, sign) = match verdict {
        Verdict::Holds => ("holds", "✓"),
        Verdict::Fails => ("fails", "✗"),
        Verdict::Inconclusive => ("open", "?"),
    };
    html! {
        span class={ "badge " (class) } {
            span aria-hidden="true" { (sign) } " "
            span .hidden[!word] { (verdict) }
        }
    }
}

/// What a comparison, or a twin, came to: a sign and a word.
fn sign(class: &str, sign: &str, word: &str, hide: bool) -> Markup {
    html! { span class={ "sign " (class) } { span aria-hidden="true" { (sign) } " " span .hidden[hide] { (word) } } }
}

fn digits(value: f64, digits: usize) -> Markup {
    html! { data value=(value) { (number(value, digits)) } }
}

fn short(value: Option<f64>) -> Option<Markup> {
    value.map(|value| digits(value, 3))
}

/// A row of a table: its first cells, and its numbers where it has them.
type Row = (Markup, Vec<Option<Markup>>);

/// A table that a narrow page shows without columns, where each number bears its column's name.
fn table(name: &str, texts: &[&str], numbers: &[&str], rows: impl Iterator<Item = Row>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(name) {
            table.reflow {
                thead { tr {
                    @for text in texts { th scope="col" {
                        @if text.is_empty() { span.hidden { "Outcome" } } @else { (text) }
                    } }
                    @for number in numbers { th.number scope="col" { (number) } }
                } }
                tbody { @for (first, cells) in rows { tr {
                    (first)
                    @for (number, cell) in numbers.iter().zip(cells) {
                        td.number data-label=(number) { @if let Some(cell) = cell { (cell) } }
                    }
                } } }
            }
        }
    }
}

fn evidence(claim: &JudgedClaim) -> Markup {
    let tests = claim.evidence.iter().any(|e| e.kind == Kind::Statistical);
    let kinds = [
        Kind::Exact,
        Kind::Certified,
        Kind::Numerical,
        Kind::Statistical,
    ];
    let counts = kinds.iter().filter_map(|one| {
        let count = claim.evidence.iter().filter(|e| e.kind == *one).count();
        (count > 0).then(|| format!("{count} {}", kind(*one)))
    });
    let counts: Vec<String> = counts.collect();
    let agreeing = claim.evidence.iter().filter(|e| e.passed).count();
    let rows = claim.evidence.iter().map(|e| {
        let sign = match mark(e) {
            "ok" => sign("holds", "✓", "agrees", true),
            "WEAK" => sign("open", "?", "without power", false),
            _ => sign("fails", "✗", "disagrees", false),
        };
        let first = html! {
            td { (sign) }
            th scope="row" {
                (e.what) " " span.kind { (kind(e.kind)) }
                @if let Some(alternative) = &e.test.alternative { small { "power against " (alternative) } }
            }
        };
        let cells = vec![
            Some(digits(e.measured, DIGITS)),
            Some(digits(e.predicted, DIGITS)),
            short(Some((e.measured - e.predicted).abs())),
            short(Some(e.threshold)),
            short(e.test.p_value),
            short(e.test.alpha),
            short(e.test.power),
            e.test.samples.map(|samples| html! { (samples) }),
        ];
        (first, cells)
    });
    let columns = [
        "measured",
        "predicted",
        "difference",
        "threshold",
        "p",
        "α",
        "power",
        "samples",
    ];
    let columns = if tests { &columns[..] } else { &columns[..4] };
    html! {
        details open[claim.verdict != Verdict::Holds] {
            summary {
                h4 { "Evidence" } " "
                (agreeing) " of " (claim.evidence.len()) " comparisons agree: " (counts.join(", "))
            }
            (table(&format!("Evidence for {}", claim.id), &["", "Comparison"], columns, rows))
        }
    }
}

fn outcome(twin: &JudgedControl) -> Markup {
    if twin.rejected {
        sign("holds", "✓", "rejected", true)
    } else {
        sign("fails", "✗", "not rejected", false)
    }
}

fn twins(claim: &JudgedClaim) -> Markup {
    html! {
        h4 { "False twins" }
        ul.twins { @for twin in &claim.controls {
            li {
                p { (outcome(twin)) code { (twin.id) } " " (twin.statement) }
                p.note {
                    @match &twin.by {
                        Some(by) => {
                            "Rejected by " (by) ". " (disagreeing(twin)) " disagree"
                            @if let Some(power) = twin.power { ", power " (number(power, 4)) }
                            "."
                        },
                        None => "Not rejected by any comparison.",
                    }
                }
            }
        } }
    }
}

fn disagreeing(twin: &JudgedControl) -> String {
    format!("{} of {}", twin.disagreeing[0], twin.disagreeing[1])
}

fn falsifiability(claims: &[JudgedClaim]) -> Markup {
    let twins = claims
        .iter()
        .flat_map(|claim| claim.controls.iter().map(move |twin| (claim, twin)));
    let rows = twins.map(|(claim, twin)| {
        let first = html! {
            td { (outcome(twin)) }
            th scope="row" { a href={ "#" (claim.id) } { code { (claim.id) } } " " code { (twin.id) } }
            td data-label="first rejected by" { (twin.kind.map_or("nothing", kind)) }
        };
        let power = twin.power.map(|power| digits(power, 4));
        (first, vec![Some(html! { (disagreeing(twin)) }), power])
    });
    html! {
        p {
            "Each false twin: the kind of comparison that rejected it first, and with which probability other seeds "
            "would reject it (1 where not by tests alone, else the power at the effect observed)."
        }
        (table(
            "Falsifiability",
            &["", "Claim and false twin", "first rejected by"],
            &["disagreeing", "power"],
            rows,
        ))
    }
}

fn calibrated(calibration: &[Calibration]) -> Markup {
    let rows = calibration.iter().map(|one| {
        let first = html! { th scope="row" { a href={ "#" (one.id) } { code { (one.id) } } } };
        let uniform = one.uniformity.iter().filter(|e| e.passed).count();
        let cells = vec![
            Some(html! { (one.runs) }),
            Some(html! { (one.errors) }),
            Some(html! { (one.tests) }),
            Some(html! { (one.rejections) }),
            short(Some(one.expected)),
            short(one.smallest_p),
            Some(html! { (uniform) " of " (one.uniformity.len()) }),
            Some(html! { (one.survivals) " of " (one.controls) }),
        ];
        (first, cells)
    });
    let columns = [
        "seeds",
        "errors",
        "tests",
        "disagreeing",
        "expected at most",
        "smallest p",
        "uniform p-values",
        "twins survived",
    ];
    html! {
        p { "How often tests and twins came out wrong where the statistical claims were repeated on further seeds." }
        (table("Calibration", &["Claim"], &columns, rows))
    }
}
