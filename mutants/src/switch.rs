//! A source file with all its changes in it, each behind a switch.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context, Result};
use proc_macro2::Span;
use serde::{Deserialize, Serialize};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A change as `cargo mutants --list --json` tells of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Mutant {
    pub name: String,
    pub file: String,
    pub genre: Genre,
    pub replacement: String,
    pub span: LineSpan,
}

impl Mutant {
    /// The file with this change.
    pub fn applied(&self, text: &str) -> String {
        let span = self.bytes(text);
        [&text[..span.start], &self.replacement, &text[span.end..]].concat()
    }

    fn bytes(&self, text: &str) -> Range<usize> {
        let offset = |at: LineColumn| -> usize {
            let lines: usize = text
                .split_inclusive('\n')
                .take(at.line - 1)
                .map(str::len)
                .sum();
            let characters = text[lines..].chars().take(at.column - 1);
            lines + characters.map(char::len_utf8).sum::<usize>()
        };
        offset(self.span.start)..offset(self.span.end)
    }
}

/// What kind of source text a change replaces.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    StructField,
}

/// From a character to before another.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct LineSpan {
    start: LineColumn,
    end: LineColumn,
}

/// A line and a character of it, from 1.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct LineColumn {
    line: usize,
    column: usize,
}

/// A file with switches.
pub struct Switched {
    pub text: String,
    /// Which of the file's functions each change stands in; those without one have no switch.
    pub functions: BTreeMap<usize, usize>,
    /// Where the text of each change stands.
    variants: Vec<(Range<usize>, usize)>,
    /// Where each expression stands that has changes, with all of them.
    sites: Vec<(Range<usize>, Vec<usize>)>,
}

impl Switched {
    /// The changes to blame for an error at this place: those whose own text it stands in, or else all of the smallest
    /// expression around it; and whether it is the former.
    pub fn blame(&self, error: &Range<usize>) -> (Vec<usize>, bool) {
        let around = |range: &Range<usize>| range.start <= error.start && error.end <= range.end;
        if let Some((_, id)) = self.variants.iter().find(|(range, _)| around(range)) {
            return (vec![*id], true);
        }
        let sites = self.sites.iter().filter(|(range, _)| around(range));
        let smallest = sites.min_by_key(|(range, _)| range.len());
        (
            smallest.map_or_else(Vec::new, |(_, ids)| ids.clone()),
            false,
        )
    }
}

/// The file with these changes, by number; functions are numbered from `first_function` on.
pub fn switched(
    text: &str,
    mutants: &[(usize, &Mutant)],
    first_function: usize,
) -> Result<Switched> {
    let syntax = syn::parse_file(text)?;
    let mut places = Places::default();
    places.visit_file(&syntax);
    let mut functions = BTreeMap::new();
    let mut starts: BTreeMap<usize, String> = BTreeMap::new();
    let mut sites: BTreeMap<(usize, std::cmp::Reverse<usize>), Site> = BTreeMap::new();
    for &(id, mutant) in mutants {
        let span = mutant.bytes(text);
        let around = |range: &&Range<usize>| range.start <= span.start && span.end <= range.end;
        let smallest = |ranges: &[Range<usize>]| {
            ranges
                .iter()
                .filter(around)
                .min_by_key(|r| r.len())
                .cloned()
        };
        let Some(body) = smallest(&places.bodies) else {
            continue;
        };
        let function = first_function
            + places
                .bodies
                .iter()
                .position(|b| *b == body)
                .context("a body")?;
        if mutant.genre == Genre::FnValue {
            // An early return would have to be of the same hidden type.
            if mutant.name.contains("-> impl ") {
                continue;
            }
            let early = format!(
                " if crate::switches::on({id}) {{ return {}; }}",
                mutant.replacement
            );
            starts.entry(body.start + 1).or_default().push_str(&early);
            functions.insert(id, function);
            continue;
        }
        let site = match mutant.genre {
            Genre::BinaryOperator => smallest(&places.binary),
            Genre::UnaryOperator => smallest(&places.unary),
            Genre::MatchArm => smallest(&places.matches),
            Genre::StructField => smallest(&places.structs),
            Genre::MatchArmGuard | Genre::FnValue => Some(span.clone()),
        };
        let Some(site) = site.filter(|site| !places.with_let.contains(site)) else {
            continue;
        };
        let variant = [
            &text[site.start..span.start],
            &mutant.replacement,
            &text[span.end..site.end],
        ]
        .concat();
        let parenthesised = mutant.genre != Genre::MatchArm;
        sites
            .entry((site.start, std::cmp::Reverse(site.end)))
            .or_insert_with(|| Site {
                range: site,
                parenthesised,
                variants: Vec::new(),
            })
            .variants
            .push((id, variant));
        functions.insert(id, function);
    }
    for (i, body) in places.bodies.iter().enumerate() {
        let function = first_function + i;
        if functions.values().any(|f| *f == function) {
            let enter = format!(" crate::switches::enter({function});");
            starts
                .entry(body.start + 1)
                .or_default()
                .insert_str(0, &enter);
        }
    }
    let mut writer = Writer {
        text,
        starts,
        out: String::new(),
        variants: Vec::new(),
        sites: Vec::new(),
    };
    writer.write(0..text.len(), &sites.into_values().collect::<Vec<_>>());
    Ok(Switched {
        text: writer.out,
        functions,
        variants: writer.variants,
        sites: writer.sites,
    })
}

/// How many functions the file has.
pub fn function_count(text: &str) -> Result<usize> {
    let mut places = Places::default();
    places.visit_file(&syn::parse_file(text)?);
    Ok(places.bodies.len())
}

/// An expression and what it may become.
struct Site {
    range: Range<usize>,
    parenthesised: bool,
    variants: Vec<(usize, String)>,
}

struct Writer<'a> {
    text: &'a str,
    /// What is inserted where.
    starts: BTreeMap<usize, String>,
    out: String,
    variants: Vec<(Range<usize>, usize)>,
    sites: Vec<(Range<usize>, Vec<usize>)>,
}

impl Writer<'_> {
    /// Writes a range whose sites come outer before inner, from left to right.
    fn write(&mut self, range: Range<usize>, mut sites: &[Site]) {
        let mut at = range.start;
        while let [site, rest @ ..] = sites {
            let inner = rest
                .iter()
                .take_while(|s| s.range.start < site.range.end)
                .count();
            self.plain(at..site.range.start);
            self.site(site, &rest[..inner]);
            at = site.range.end;
            sites = &rest[inner..];
        }
        self.plain(at..range.end);
    }

    fn site(&mut self, site: &Site, inner: &[Site]) {
        let start = self.out.len();
        if site.parenthesised {
            self.out.push('(');
        }
        for (id, variant) in &site.variants {
            self.out
                .push_str(&format!("if crate::switches::on({id}) {{ "));
            let from = self.out.len();
            self.out.push_str(variant);
            self.variants.push((from..self.out.len(), *id));
            self.out.push_str(" } else ");
        }
        self.out.push_str("{ ");
        self.write(site.range.clone(), inner);
        self.out.push_str(" }");
        if site.parenthesised {
            self.out.push(')');
        }
        let ids = site.variants.iter().map(|(id, _)| *id).collect();
        self.sites.push((start..self.out.len(), ids));
    }

    fn plain(&mut self, range: Range<usize>) {
        let mut at = range.start;
        let starts: Vec<_> = self
            .starts
            .range(range.clone())
            .map(|(i, s)| (*i, s.clone()))
            .collect();
        for (i, inserted) in starts {
            self.out.push_str(&self.text[at..i]);
            // Blamed as the whole: a value that does not compile is found by its switch.
            let from = self.out.len();
            self.out.push_str(&inserted);
            for (offset, id) in early_returns(&inserted) {
                self.variants
                    .push((from + offset.start..from + offset.end, id));
            }
            at = i;
        }
        self.out.push_str(&self.text[at..range.end]);
    }
}

/// Where the early returns stand in what is inserted at a function's start, with their changes.
fn early_returns(inserted: &str) -> Vec<(Range<usize>, usize)> {
    let starts: Vec<usize> = inserted
        .match_indices(" if crate::switches::on(")
        .map(|(i, _)| i)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([inserted.len()]);
    let id = |i: usize| inserted[i..].trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = |text: &str| text.split(')').next().and_then(|n| n.parse().ok());
    let all = starts.iter().zip(ends);
    all.filter_map(|(&i, end)| Some((i..end, number(id(i))?)))
        .collect()
}

/// Where the expressions stand that changes are made in.
#[derive(Default)]
struct Places {
    /// Of functions that are not `const`.
    bodies: Vec<Range<usize>>,
    binary: Vec<Range<usize>>,
    unary: Vec<Range<usize>>,
    matches: Vec<Range<usize>>,
    structs: Vec<Range<usize>>,
    /// Conditions with `let`, which can stand in no other expression.
    with_let: Vec<Range<usize>>,
}

impl Places {
    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        if signature.constness.is_none() {
            self.bodies.push(range(block.span()));
        }
    }
}

impl<'a> Visit<'a> for Places {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_binary(&mut self, expr: &'a syn::ExprBinary) {
        self.binary.push(range(expr.span()));
        if has_let(&expr.left) || has_let(&expr.right) {
            self.with_let.push(range(expr.span()));
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'a syn::ExprUnary) {
        self.unary.push(range(expr.span()));
        visit::visit_expr_unary(self, expr);
    }

    fn visit_expr_match(&mut self, expr: &'a syn::ExprMatch) {
        self.matches.push(range(expr.span()));
        visit::visit_expr_match(self, expr);
    }

    fn visit_expr_struct(&mut self, expr: &'a syn::ExprStruct) {
        self.structs.push(range(expr.span()));
        visit::visit_expr_struct(self, expr);
    }
}

fn has_let(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(both) => has_let(&both.left) || has_let(&both.right),
        _ => false,
    }
}

fn range(span: Span) -> Range<usize> {
    span.byte_range()
}
