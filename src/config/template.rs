//! Templates in config values: `{version}`, `{branch}-{sha:8}`, `{var:name}`.
//!
//! Parsed once, rendered with [`Values`]. Pure: no clock, no environment, no git; what a variable means comes in as a value.
//!
//! The grammar: `{name}` or `{name:argument}`, where the name starts with a letter. Everything else is literal, so build args can
//! hold JSON (`{"a": 1}`) and shell text: `${NAME}` is kept as it is, and so is a `{` that no letter or no `}` follows, and a
//! colon followed by a blank. A name that is no variable is a mistake, never literal text.

use std::collections::BTreeMap;

use crate::image::Tag;

mod date;
mod error;
mod pattern;
mod render;
mod scoped;
mod variable;

pub use error::TemplateError;
pub use pattern::TagPattern;
pub use render::{CiValues, Values};
pub use variable::Documented;
use variable::Variable;

/// The longest template read, in bytes.
const LONGEST: usize = 16 * 1024;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Variable(Variable),
}

/// All variables, for hints and documentation.
pub fn variables() -> &'static [Documented] {
    variable::VARIABLES
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// An unknown variable, a bad argument, a variable that is not closed, or a text of more than 16 KiB.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > LONGEST {
            return Err(TemplateError::TooLarge);
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            literal.push_str(&rest[..open]);
            let inside = &rest[open + 1..];
            // `${NAME}` belongs to shells and Dockerfiles.
            let found = if literal.ends_with('$') { None } else { variable_at(inside)? };
            match found {
                Some((variable, length)) => {
                    push_literal(&mut pieces, &mut literal);
                    pieces.push(Piece::Variable(variable));
                    rest = &inside[length..];
                }
                None => {
                    literal.push('{');
                    rest = inside;
                }
            }
        }
        literal.push_str(rest);
        push_literal(&mut pieces, &mut literal);
        Ok(Self { pieces })
    }

    /// The text itself, if no variable stands in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Names used as `{var:name}`, in order, with repetitions.
    pub fn var_names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(Variable::Var(name)) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether every `{var:name}` names something. Circles are found by rendering, and at load.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check_names(&self, vars: &BTreeMap<String, String>) -> Result<(), TemplateError> {
        match self.var_names().find(|name| !vars.contains_key(*name)) {
            Some(name) => Err(render::unknown_var(name, vars)),
            None => Ok(()),
        }
    }

    /// Names of the environment variables used as `{env:NAME}`, not counting those `{var:…}` brings in.
    pub fn env_names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(Variable::Env(name)) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The literal parts, in order.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(text) => Some(text.as_str()),
            Piece::Variable(_) => None,
        })
    }

    /// Whether what stands literally in the template can stand in a tag. What variables bring in is not looked at: it is made to fit.
    ///
    /// # Errors
    /// A text that could never be a tag, or a character no tag can hold.
    pub fn check_tag(&self) -> Result<(), TemplateError> {
        let not = |why: String| Err(TemplateError::NotATag(why));
        match self.as_literal() {
            Some("") => return not("it is empty".to_owned()),
            Some(text) if text.len() > 128 => return not("it is longer than 128 characters".to_owned()),
            _ => {}
        }
        if let Some(Piece::Literal(text)) = self.pieces.first()
            && text.starts_with(['.', '-'])
        {
            return not(format!("it cannot start with `{}`", &text[..1]));
        }
        match self.literals().flat_map(str::chars).find(|c| !is_tag_char(*c)) {
            Some(c) => not(format!("it cannot hold `{c}`")),
            None => Ok(()),
        }
    }

    /// The text with every variable replaced.
    ///
    /// # Errors
    /// A variable that has no value in this run, a `{var:…}` cycle, or a result of more than 64 KiB.
    pub fn render(&self, values: &Values<'_>) -> Result<String, TemplateError> {
        render::render(self, values)
    }

    /// The same as a legal tag: what variables bring in is made to fit by [`sanitize_tag`].
    ///
    /// # Errors
    /// As `render`; and where nothing is left to make a tag of, or literal parts are not legal in a tag.
    pub fn render_tag(&self, values: &Values<'_>) -> Result<Tag, TemplateError> {
        self.check_tag()?;
        let rendered = self.render(values)?;
        let tag = sanitize_tag(&rendered);
        if tag.is_empty() {
            return Err(TemplateError::NotATag("it is empty in this run".to_owned()));
        }
        tag.parse().map_err(|e: crate::image::reference::BadName| TemplateError::NotATag(e.to_string()))
    }
}

/// What is wrong with `vars`, each taken alone: templates that cannot be read, and names that are not there.
pub fn check_vars(vars: &BTreeMap<String, String>) -> Vec<(&str, TemplateError)> {
    let check = |text: &str| Template::parse(text).and_then(|template| template.check_names(vars));
    let wrong = vars.iter().filter_map(|(name, text)| Some((name.as_str(), check(text).err()?)));
    // A value is never told to name itself.
    wrong
        .map(|(name, error)| match error {
            TemplateError::UnknownVar { name: unknown, nearest } => {
                (name, TemplateError::UnknownVar { name: unknown, nearest: nearest.filter(|near| near != name) })
            }
            other => (name, other),
        })
        .collect()
}

/// Makes a text a legal tag, or empty: every character a tag cannot hold becomes `-` (so `1.2.3+abc` is `1.2.3-abc`), leading `.`
/// and `-` go, and what is longer than 128 characters is cut and ends in 8 hex digits of the whole text's sha256, so that two
/// long branch names stay two tags.
pub fn sanitize_tag(text: &str) -> String {
    let replaced: String = text.chars().map(|c| if is_tag_char(c) { c } else { '-' }).collect();
    let tag = replaced.trim_start_matches(['.', '-']);
    if tag.len() <= 128 {
        return tag.to_owned();
    }
    let digest = crate::image::Digest::of(text.as_bytes());
    format!("{}-{}", &tag[..119], &digest.hex()[..8])
}

fn is_tag_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

fn push_literal(pieces: &mut Vec<Piece>, literal: &mut String) {
    if !literal.is_empty() {
        pieces.push(Piece::Literal(std::mem::take(literal)));
    }
}

/// The variable that starts right after a `{`, and how many bytes it takes, its `}` included. `None`: the `{` is literal.
fn variable_at(inside: &str) -> Result<Option<(Variable, usize)>, TemplateError> {
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(None);
    }
    let name_end =
        inside.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))).unwrap_or(inside.len());
    let (name, after) = inside.split_at(name_end);
    if after.starts_with('}') {
        return Ok(Some((variable::variable(name, None)?, name_end + 1)));
    }
    if let Some(argument) = after.strip_prefix(':')
        && !argument.starts_with(char::is_whitespace)
        && let Some(close) = argument.find('}')
    {
        return Ok(Some((variable::variable(name, Some(&argument[..close]))?, name_end + 1 + close + 1)));
    }
    // Somebody who writes `{version` forgot the brace; somebody who writes `{ version` or `{a, b}` means text.
    if !after.contains('}') && variables().iter().any(|v| v.name == name) {
        return Err(TemplateError::NotClosed { name: name.to_owned() });
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
