//! proofs.md as parts of the page: its headings become places, ids of claims become links.

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};

use super::badge;
use crate::report::ledger::JudgedClaim;

/// The section of the derivations that the page shows beside the verdicts.
const PAPER: &str = "## The abstract, sentence by sentence\n";

/// proofs.md in HTML.
pub(super) struct Derivations {
    /// Which sentence of the paper stands in which claim.
    pub paper: Option<Markup>,
    /// Where the symbols are explained.
    pub setting: Markup,
    /// Everything else.
    pub all: Markup,
}

impl Derivations {
    /// Those of `proofs`, in which claims are linked with their verdicts.
    pub fn of(proofs: &str, claims: &[JudgedClaim]) -> Self {
        let (before, after) = proofs.split_once(PAPER).unwrap_or((proofs, ""));
        let (paper, after) = match after.split_once("\n## ") {
            Some((paper, rest)) => (paper, format!("## {rest}")),
            None => (after, String::new()),
        };
        let known: Vec<&str> = proofs
            .lines()
            .filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`'))
            .collect();
        let judged = |id: &str| claims.iter().find(|claim| claim.id == id);
        let to_proof = |id: &str| {
            known
                .contains(&id)
                .then(|| html! { a href={ "#proof-" (id) } { code { (id) } } })
        };
        let to_claim = |id: &str| match judged(id) {
            Some(claim) => {
                Some(html! { a href={ "#" (id) } { (badge(claim.verdict, false)) code { (id) } } })
            }
            None => to_proof(id),
        };
        let judged = |id: &str| judged(id).is_some();
        Self {
            paper: (!paper.is_empty()).then(|| rendered(paper, &to_claim, &judged)),
            setting: html! {
                a href="#proof-setting" { "Setting" } " and "
                a href="#proof-from-parameters-to-a-convex-problem" { "From parameters to a convex problem" }
            },
            all: rendered(&format!("{before}{after}"), &to_proof, &judged),
        }
    }
}

/// A line of Markdown of which nothing but `` `code` `` means anything.
pub(super) fn code_spans(text: &str) -> Markup {
    html! { @for (k, part) in text.split('`').enumerate() {
        @if k % 2 == 0 { (part) } @else { code { (part) } }
    } }
}

/// Markdown as HTML, its headings two levels down, the first level left out.
fn rendered(
    markdown: &str,
    link: &dyn Fn(&str) -> Option<Markup>,
    judged: &dyn Fn(&str) -> bool,
) -> Markup {
    let mut events = Parser::new_ext(markdown, Options::ENABLE_TABLES);
    let mut shown = Vec::new();
    while let Some(event) = events.next() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let inside: Vec<Event> = events
                    .by_ref()
                    .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))))
                    .collect();
                if level as usize > 1 {
                    shown.push(raw(heading(level as usize + 1, &inside, judged)));
                }
            }
            Event::Code(text) => shown.push(match link(&text) {
                Some(linked) => raw(linked),
                None => Event::Code(text),
            }),
            Event::Start(Tag::Table(columns)) => {
                shown.push(Event::Html(
                    r#"<div class="scroll" tabindex="0" role="region" aria-label="Table">"#.into(),
                ));
                shown.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => shown.extend([event, Event::Html("</div>".into())]),
            Event::Start(Tag::CodeBlock(_)) => {
                shown.push(Event::Html(r#"<pre tabindex="0"><code>"#.into()));
            }
            Event::End(TagEnd::CodeBlock) => shown.push(Event::Html("</code></pre>".into())),
            // What looks like HTML is a formula.
            Event::Html(text) | Event::InlineHtml(text) => shown.push(Event::Text(text)),
            event => shown.push(event),
        }
    }
    let mut text = String::new();
    pulldown_cmark::html::push_html(&mut text, shown.into_iter());
    PreEscaped(text)
}

fn heading(level: usize, inside: &[Event], judged: &dyn Fn(&str) -> bool) -> Markup {
    let title: String = inside
        .iter()
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect();
    let slug: String = title
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let code = matches!(inside, [Event::Code(_)]);
    let contents = html! {
        @if code { code { (title) } } @else { (title) }
        @if judged(&title) { " " a.back href={ "#" (title) } { "evidence" } }
    };
    // Subsections bear the same names in several sections, and nothing links to them.
    match level {
        3 => html! { h3 id={ "proof-" (slug) } { (contents) } },
        _ => html! { h4 { (contents) } },
    }
}

fn raw(markup: Markup) -> Event<'static> {
    Event::InlineHtml(CowStr::from(markup.into_string()))
}
