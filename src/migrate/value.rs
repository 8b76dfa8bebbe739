//! What an expression is in a kind of run: as far as it is known, and as a template of the configuration.

use std::collections::BTreeMap;

use super::expression::{Expr, Piece, parse, pieces};
use super::world::{Ref, Run, World};
use crate::runner::EventKind;

/// What is known of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    Text(String),
    Bool(bool),
    /// It begins so, and is none of the names the workflow knows.
    Starts(&'static str),
    Nothing,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    pub(super) known: Known,
    /// What makes it in the configuration.
    template: Option<String>,
}

/// Judges expressions, and remembers what only the job can say: those values go to the configuration through variables of the step.
#[derive(Debug)]
pub(super) struct Judge<'w> {
    pub(super) world: &'w World,
    /// `env:` of the workflow and the job.
    pub(super) env: &'w BTreeMap<String, String>,
    /// Outputs of steps that are the same in every run, by their whole path.
    pub(super) outputs: BTreeMap<String, String>,
    /// Variables of the step, and their expressions.
    pub(super) carried: BTreeMap<String, String>,
}

/// `env.A` may name `env.B`; not for ever.
const DEEPEST: usize = 8;

impl Judge<'_> {
    /// Whether a condition holds: an `if:`, with or without `${{ }}`.
    pub(super) fn holds(&self, condition: &str, run: &Run) -> Option<bool> {
        let text = condition.trim();
        match pieces(text).as_slice() {
            [Piece::Expression(inner)] => self.truth(&parse(inner)?, run),
            _ if text.contains("${{") => None,
            _ => self.truth(&parse(text)?, run),
        }
    }

    /// Whether a text is `true` once its expressions are filled in: the value of an input.
    pub(super) fn is_true(&self, text: &str, run: &Run) -> Option<bool> {
        match pieces(text.trim()).as_slice() {
            [Piece::Literal(word)] => Some(word.eq_ignore_ascii_case("true")),
            [Piece::Expression(inner)] => match self.value(&parse(inner)?, run, 0).known {
                Known::Bool(value) => Some(value),
                Known::Text(text) => Some(text == "true"),
                _ => None,
            },
            _ => None,
        }
    }

    /// The text as a template of the configuration. What only the job knows goes through a variable.
    pub(super) fn template(&mut self, text: &str, run: &Run) -> String {
        self.filled(text, run, 0)
    }

    /// The text itself, if it is the same in every run.
    pub(super) fn fixed(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Expression(inner) => {
                    let Expr::Path(path) = parse(inner)? else { return None };
                    let value = self.env.get(path.strip_prefix("env.")?)?;
                    if value.contains("${{") {
                        return None;
                    }
                    out.push_str(value);
                }
            }
        }
        Some(out)
    }

    fn filled(&mut self, text: &str, run: &Run, depth: usize) -> String {
        let mut out = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Expression(inner) => {
                    let parsed = parse(inner);
                    if let Some(Expr::Path(path)) = &parsed
                        && let Some(value) = path.strip_prefix("env.").and_then(|name| self.env.get(name)).cloned()
                        && depth < DEEPEST
                    {
                        out.push_str(&self.filled(&value, run, depth + 1));
                        continue;
                    }
                    let value = parsed.map(|expr| self.value(&expr, run, depth));
                    let told = value.and_then(|value| match (value.template, value.known) {
                        (Some(template), _) => Some(template),
                        (None, Known::Text(text)) => Some(text),
                        (None, Known::Bool(value)) => Some(value.to_string()),
                        _ => None,
                    });
                    match told {
                        Some(told) => out.push_str(&told),
                        None => {
                            let name = self.carry(inner);
                            out.push_str(&format!("{{env:{name}}}"));
                        }
                    }
                }
            }
        }
        out
    }

    /// Gives an expression a variable of the step.
    pub(super) fn carry(&mut self, inner: &str) -> String {
        let whole = format!("${{{{ {inner} }}}}");
        if let Some((name, _)) = self.carried.iter().find(|(_, expression)| **expression == whole) {
            return name.clone();
        }
        let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let plain = match parse(inner) {
            Some(Expr::Path(path)) => match path.split_once('.') {
                Some(("vars" | "secrets" | "env", name)) => name.chars().map(word).collect(),
                _ => format!("FROM_{}", path.chars().map(word).collect::<String>()),
            },
            _ => "FROM_EXPRESSION".to_owned(),
        };
        let plain: String = plain.chars().take(60).collect();
        let names = std::iter::once(plain.clone()).chain((2..).map(|n| format!("{plain}_{n}")));
        let name = names.into_iter().find(|name| !self.carried.contains_key(name)).unwrap_or(plain);
        self.carried.insert(name.clone(), whole);
        name
    }

    fn truth(&self, expr: &Expr, run: &Run) -> Option<bool> {
        match self.value(expr, run, 0).known {
            Known::Bool(value) => Some(value),
            Known::Text(text) => Some(!text.is_empty()),
            Known::Starts(_) => Some(true),
            Known::Nothing => None,
        }
    }

    fn value(&self, expr: &Expr, run: &Run, depth: usize) -> Value {
        if depth > DEEPEST * 4 {
            return nothing();
        }
        let of = |expr: &Expr| self.value(expr, run, depth + 1);
        match expr {
            Expr::Text(text) => text_value(text),
            Expr::Bool(value) => bool_value(Some(*value)),
            Expr::Not(inner) => bool_value(self.truth(inner, run).map(|value| !value)),
            Expr::Equal(same, a, b) => bool_value(equal(&of(a).known, &of(b).known).map(|equal| equal == *same)),
            Expr::And(a, b) => match (self.truth(a, run), self.truth(b, run)) {
                (Some(false), _) => of(a),
                (Some(true), _) => of(b),
                (None, Some(false)) => bool_value(Some(false)),
                (None, _) => nothing(),
            },
            Expr::Or(a, b) => match (self.truth(a, run), self.truth(b, run)) {
                (Some(true), _) => of(a),
                (Some(false), _) => of(b),
                (None, Some(true)) if matches!(of(b).known, Known::Bool(true)) => bool_value(Some(true)),
                (None, _) => nothing(),
            },
            Expr::Call(name, arguments) => self.call(name, arguments, run, depth),
            Expr::Path(path) => self.path(path, run, depth),
        }
    }

    fn call(&self, name: &str, arguments: &[Expr], run: &Run, depth: usize) -> Value {
        let of = |n: usize| arguments.get(n).map(|expr| self.value(expr, run, depth + 1));
        let text = |value: Option<Value>| match value.map(|value| value.known) {
            Some(Known::Text(text)) => Some(text),
            _ => None,
        };
        match (name, arguments.len()) {
            ("always" | "success", 0) => bool_value(Some(true)),
            ("startswith", 2) => {
                let Some(start) = text(of(1)).map(|text| text.to_ascii_lowercase()) else { return nothing() };
                bool_value(match of(0).map(|value| value.known) {
                    // A version with another first number.
                    Some(Known::Starts(_)) if start.ends_with("v0.") && run.reference == Ref::Release => Some(false),
                    Some(Known::Text(text)) => Some(text.to_ascii_lowercase().starts_with(&start)),
                    Some(Known::Starts(known)) if known.starts_with(&start) => Some(true),
                    Some(Known::Starts(known)) if !start.starts_with(known) => Some(false),
                    _ => None,
                })
            }
            ("endswith", 2) | ("contains", 2) => {
                let (Some(whole), Some(part)) = (text(of(0)), text(of(1))) else { return nothing() };
                let (whole, part) = (whole.to_ascii_lowercase(), part.to_ascii_lowercase());
                bool_value(Some(if name == "contains" { whole.contains(&part) } else { whole.ends_with(&part) }))
            }
            ("format", 1..) => {
                let Some(mut out) = text(of(0)) else { return nothing() };
                for n in 1..arguments.len() {
                    let Some(part) = text(of(n)) else { return nothing() };
                    out = out.replace(&format!("{{{}}}", n - 1), &part);
                }
                text_value(&out)
            }
            _ => nothing(),
        }
    }

    fn path(&self, path: &str, run: &Run, depth: usize) -> Value {
        if let Some(text) = self.outputs.get(path) {
            return text_value(text);
        }
        if let Some(name) = path.strip_prefix("env.") {
            return match self.env.get(name).map(|text| (text, pieces(text))) {
                Some((_, parts)) if matches!(parts.as_slice(), [Piece::Expression(_)]) => match parts[0] {
                    Piece::Expression(inner) => {
                        parse(inner).map_or_else(nothing, |expr| self.value(&expr, run, depth + 1))
                    }
                    Piece::Literal(_) => nothing(),
                },
                Some((text, _)) if !text.contains("${{") => text_value(text),
                _ => nothing(),
            };
        }
        // The imitators know it under their own names, too.
        let own = ["github.", "gitea.", "forgejo."].iter().find_map(|context| path.strip_prefix(context));
        let Some(name) = own else { return nothing() };
        self.github(name, run)
    }

    fn github(&self, name: &str, run: &Run) -> Value {
        let made = |known: Known, template: &str| Value { known, template: Some(template.to_owned()) };
        let variable = |known: Known| made(known, &format!("{{env:GITHUB_{}}}", name.to_ascii_uppercase()));
        let in_pull = run.reference == Ref::Pull;
        match name {
            "event_name" => variable(match run.event {
                EventKind::Push | EventKind::Tag => Known::Text("push".to_owned()),
                EventKind::Release => Known::Text("release".to_owned()),
                EventKind::Schedule => Known::Text("schedule".to_owned()),
                EventKind::Manual => Known::Text("workflow_dispatch".to_owned()),
                EventKind::PullRequest => Known::Text("pull_request".to_owned()),
                EventKind::MergeRequest => Known::Nothing,
            }),
            "ref" => variable(match &run.reference {
                Ref::Branch(name) => Known::Text(format!("refs/heads/{name}")),
                Ref::OtherBranch => Known::Starts("refs/heads/"),
                Ref::Pull => Known::Starts("refs/pull/"),
                Ref::Early => Known::Starts("refs/tags/v0."),
                _ if self.world.v_tags => Known::Starts("refs/tags/v"),
                _ => Known::Starts("refs/tags/"),
            }),
            "ref_name" => match &run.reference {
                Ref::Branch(name) => made(Known::Text(name.clone()), "{branch}"),
                Ref::OtherBranch => made(Known::Starts(""), "{branch}"),
                Ref::Pull => variable(Known::Nothing),
                Ref::Early => made(Known::Starts("v0."), "{tag}"),
                _ if self.world.v_tags => made(Known::Starts("v"), "{tag}"),
                _ => made(Known::Nothing, "{tag}"),
            },
            "ref_type" => text_value(if run.reference.is_tag() { "tag" } else { "branch" }),
            "head_ref" | "base_ref" if in_pull => variable(Known::Nothing),
            "head_ref" | "base_ref" => text_value(""),
            "sha" => made(Known::Nothing, "{sha:40}"),
            "run_id" => made(Known::Nothing, "{ci.pipeline}"),
            "repository" | "repository_owner" | "actor" | "run_number" | "run_attempt" | "workflow" | "job"
            | "repository_id" => variable(Known::Nothing),
            "event.repository.default_branch" => text_value(&self.world.default_branch),
            "event.number" | "event.pull_request.number" if in_pull => made(Known::Nothing, "{pr}"),
            "event.number" | "event.pull_request.number" => text_value(""),
            "event.release.tag_name" if run.event == EventKind::Release => made(Known::Nothing, "{tag}"),
            "event.release.tag_name" => text_value(""),
            _ => nothing(),
        }
    }
}

fn text_value(text: &str) -> Value {
    Value { known: Known::Text(text.to_owned()), template: None }
}

fn bool_value(value: Option<bool>) -> Value {
    Value { known: value.map_or(Known::Nothing, Known::Bool), template: None }
}

fn nothing() -> Value {
    Value { known: Known::Nothing, template: None }
}

fn equal(a: &Known, b: &Known) -> Option<bool> {
    match (a, b) {
        (Known::Text(a), Known::Text(b)) => Some(a.eq_ignore_ascii_case(b)),
        (Known::Bool(a), Known::Bool(b)) => Some(a == b),
        (Known::Bool(value), Known::Text(text)) | (Known::Text(text), Known::Bool(value)) => match text.as_str() {
            // GitHub compares them as numbers.
            "" => Some(!value),
            "1" => Some(*value),
            "0" => Some(!value),
            _ => Some(false),
        },
        (Known::Starts(start), Known::Text(text)) | (Known::Text(text), Known::Starts(start)) => {
            // A branch that the workflow names is a kind of its own; a tag may be any.
            let other = !text.starts_with(start) || start.is_empty() || start.starts_with("refs/heads/");
            other.then_some(false)
        }
        _ => None,
    }
}
