//! Reads one input from the first of the three ways in that says it. What it means is not decided here.

use super::{INPUTS, InputKind, input_variable, twin_variable};
use crate::environment::Vars;
use crate::problem::Problem;

/// An input as written: who said it, and the pieces it was said in.
struct Written {
    by: String,
    pieces: Vec<String>,
}

pub(super) struct Reader<'a> {
    pub(super) cli: &'a dyn Fn(&str) -> Option<Vec<String>>,
    pub(super) vars: &'a Vars,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    fn written(&self, name: &str) -> Option<Written> {
        if let Some(pieces) = (self.cli)(name) {
            return Some(Written { by: format!("--{name}"), pieces });
        }
        // Some runners map dashes (act, Forgejo's templates, composite actions), GitHub's keeps them.
        let dashed = input_variable(name);
        let mapped = dashed.replace('-', "_");
        [dashed, mapped, twin_variable(name)].into_iter().find_map(|variable| {
            let value = self.vars.get(&variable)?.to_owned();
            (!value.trim().is_empty()).then(|| Written { by: variable, pieces: vec![value] })
        })
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        let written = self.written(name)?;
        written.pieces.last().map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
    }

    pub(super) fn bool(&mut self, name: &str) -> Option<bool> {
        let written = self.written(name)?;
        let text = written.pieces.last().map(|v| v.trim().to_ascii_lowercase())?;
        match text.as_str() {
            "" => None,
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => {
                let what = format!("{} is neither true nor false", written.by);
                self.problems.push(Problem::new(what).hint(format!("set {} to true or false", written.by)));
                None
            }
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let Some(written) = self.written(name) else { return Vec::new() };
        let split_commas = INPUTS.iter().any(|spec| spec.name == name && spec.kind == InputKind::List);
        let mut values = Vec::new();
        for piece in &written.pieces {
            match split(piece, split_commas) {
                Ok(more) => values.extend(more),
                Err(problem) => self.problems.push(Problem::new(format!("{}: {problem}", written.by)).hint(
                    "write one value a line; put a value that holds quotes or line ends in double quotes and double the quotes inside",
                )),
            }
        }
        values
    }
}

/// Reads a list as docker's actions do: CSV records, one a line; commas separate values only where `commas` says so.
fn split(text: &str, commas: bool) -> Result<Vec<String>, String> {
    if text.matches('"').count() % 2 == 1 && text.lines().any(|l| l.trim_start().starts_with('"')) {
        return Err("a double quote is opened and never closed".to_owned());
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(if commas { b',' } else { 0 })
        .from_reader(text.as_bytes());
    let mut values = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        values.extend(record.iter().map(str::trim).filter(|v| !v.is_empty()).map(str::to_owned));
    }
    Ok(values)
}
