//! Takes keys out of a mapping by name and type. What does not fit is noted and read as absent, so that reading goes on; keys
//! nobody asked for are noted at the end.

use crate::config::clip;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::choice::choose;
use super::findings::{Findings, Place};
use super::tree::{Key, Node, Value};
use crate::config::nearest::nearest;

/// A mapping being read.
pub(super) struct Section<'r, 't> {
    findings: &'r mut Findings<'t>,
    entries: &'r [(Key, Node)],
    /// `targets[0]`; empty for the whole file.
    path: String,
    place: Place,
    asked: Vec<&'static str>,
    /// Keys nobody asks for belong to somebody else.
    lenient: bool,
}

impl<'r, 't> Section<'r, 't> {
    /// Reads a mapping with `read`, then notes the keys it did not ask for.
    pub(super) fn read<T>(
        node: &'r Node,
        path: String,
        findings: &'r mut Findings<'t>,
        read: impl FnOnce(&mut Section<'_, 't>) -> T,
    ) -> Option<T> {
        let entries: &[(Key, Node)] = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            other => {
                findings.add(node.place, format!("keys and values are wanted here, not {}", kind_of(other)), None);
                return None;
            }
        };
        let mut section = Section { findings, entries, path, place: node.place, asked: Vec::new(), lenient: false };
        let value = read(&mut section);
        section.finish();
        Some(value)
    }

    /// Lets keys nobody asks for stand.
    pub(super) fn leave_the_rest(&mut self) {
        self.lenient = true;
    }

    /// Lets these keys stand, and gives those of them that are there.
    pub(super) fn leave(&mut self, keys: &[&'static str]) -> Vec<&'static str> {
        self.asked.extend(keys);
        keys.iter().copied().filter(|key| self.entries.iter().any(|(k, _)| k.name == *key)).collect()
    }

    /// Text; numbers and truth values are text as written.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        let node = self.field(name)?;
        self.text_of(node)
    }

    /// Text that must be there.
    pub(super) fn required_text(&mut self, name: &'static str) -> String {
        let text = self.text(name);
        if !self.has(name) {
            self.missing(name);
        } else if text.as_deref() == Some("") {
            self.mistake(name, format!("`{name}` is empty"), None);
        }
        text.unwrap_or_default()
    }

    /// One of an enum's words.
    pub(super) fn choice<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        let node = self.field(name)?;
        self.choice_of(node, name)
    }

    /// One of an enum's words that must be there.
    pub(super) fn required_choice<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        let choice = self.choice(name);
        if !self.has(name) {
            self.missing(name);
        }
        choice
    }

    /// Text that a parser understands; `example` is shown where it does not.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, name: &'static str, example: &str) -> Option<T> {
        let node = self.field(name)?;
        let text = self.text_of(node)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.findings.add(node.place, error.to_string(), Some(example.to_owned()));
                None
            }
        }
    }

    /// A truth value, as YAML 1.1 and 1.2 spell it.
    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let node = self.field(name)?;
        match &node.value {
            Value::Scalar { text, plain: true } => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => return Some(true),
                "false" | "no" | "off" => return Some(false),
                _ => self.wrong(node, "true or false"),
            },
            _ => self.wrong(node, "true or false"),
        }
        None
    }

    /// A whole number from 0.
    pub(super) fn number(&mut self, name: &'static str) -> Option<u32> {
        let node = self.field(name)?;
        self.number_of(node)
    }

    /// A number, or a mapping.
    pub(super) fn number_or<T>(
        &mut self,
        name: &'static str,
        number: impl FnOnce(u32) -> T,
        rules: impl FnOnce(&mut Section<'_, 't>) -> T,
    ) -> Option<T> {
        let node = self.field(name)?;
        match &node.value {
            Value::Map(_) => Section::read(node, self.path_of(name), self.findings, rules),
            Value::Scalar { .. } => self.number_of(node).map(number),
            _ => {
                self.wrong(node, "a number, or keys and values");
                None
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &'static str) -> Vec<String> {
        self.list(name, |section, node, _| section.text_of(node))
    }

    /// A list of an enum's words.
    pub(super) fn choices<T: DeserializeOwned>(&mut self, name: &'static str) -> Vec<T> {
        self.list(name, |section, node, _| section.choice_of(node, name))
    }

    /// A list of mappings.
    pub(super) fn sections<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Section<'_, 't>) -> T,
    ) -> Vec<T> {
        self.list(name, |section, node, path| Section::read(node, path, section.findings, &mut read))
    }

    /// A mapping of texts by names the user chooses.
    pub(super) fn text_map(&mut self, name: &'static str) -> BTreeMap<String, String> {
        self.named(name, |section, node, _| match node.value {
            Value::Null => Some(String::new()),
            _ => section.text_of(node),
        })
    }

    /// A mapping of mappings by names the user chooses.
    pub(super) fn section_map<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Section<'_, 't>) -> T,
    ) -> BTreeMap<String, T> {
        self.named(name, |section, node, path| Section::read(node, path, section.findings, &mut read))
    }

    /// A mapping; absent is its default.
    pub(super) fn section<T: Default>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Section<'_, 't>) -> T,
    ) -> T {
        self.optional(name, read).unwrap_or_default()
    }

    /// A mapping that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Section<'_, 't>) -> T,
    ) -> Option<T> {
        let node = self.field(name)?;
        Section::read(node, self.path_of(name), self.findings, read)
    }

    /// Notes a mistake in the value of a key, or in the section where the key is not there.
    pub(super) fn mistake(&mut self, name: &str, what: impl Into<String>, hint: Option<String>) {
        let place = self.entries.iter().find(|(key, _)| key.name == name).map_or(self.place, |(_, node)| node.place);
        self.findings.add(place, what, hint);
    }

    /// Whether a key is there with a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, node)| key.name == name && !matches!(node.value, Value::Null))
    }

    fn missing(&mut self, name: &str) {
        self.findings.add(self.place, format!("the key `{name}` is missing here"), None);
    }

    /// The value of a key; `None` where it is absent or null.
    fn field(&mut self, name: &'static str) -> Option<&'r Node> {
        self.asked.push(name);
        let node = &self.entries.iter().find(|(key, _)| key.name == name)?.1;
        self.findings.place(self.path_of(name), node.place);
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn list<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Self, &'r Node, String) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = self.field(name) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.wrong(node, "a list");
            return Vec::new();
        };
        let mut values = Vec::new();
        for (i, item) in items.iter().enumerate() {
            // The index counts what was read: checks see a list without the items that were refused.
            let path = format!("{}[{}]", self.path_of(name), values.len());
            self.findings.place(path.clone(), item.place);
            if matches!(item.value, Value::Null) {
                self.findings.add(item.place, format!("item {} of `{name}` is empty", i + 1), None);
            } else {
                values.extend(read(self, item, path));
            }
        }
        values
    }

    fn named<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Self, &'r Node, String) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let Some(node) = self.field(name) else { return BTreeMap::new() };
        let Value::Map(entries) = &node.value else {
            self.wrong(node, "keys and values");
            return BTreeMap::new();
        };
        let mut values = BTreeMap::new();
        for (key, item) in entries {
            let path = format!("{}.{}", self.path_of(name), key.name);
            // What is wrong with a name is shown at the name, what is wrong with a text at the text.
            let text = matches!(item.value, Value::Scalar { .. });
            self.findings.place(path.clone(), if text { item.place } else { key.place });
            if key.name.is_empty() {
                self.findings.add(key.place, format!("a key of `{name}` is empty"), None);
            } else if let Some(value) = read(self, item, path) {
                values.insert(key.name.clone(), value);
            }
        }
        values
    }

    fn text_of(&mut self, node: &Node) -> Option<String> {
        match &node.value {
            // It could reach neither a command line nor an environment.
            Value::Scalar { text, .. } if text.contains('\0') => {
                self.findings.add(node.place, "a NUL character stands in this text", None);
                None
            }
            Value::Scalar { text, .. } => Some(text.clone()),
            _ => {
                self.wrong(node, "text");
                None
            }
        }
    }

    fn choice_of<T: DeserializeOwned>(&mut self, node: &Node, name: &str) -> Option<T> {
        let word = self.text_of(node)?;
        let words = match choose(&word) {
            Ok(value) => return Some(value),
            Err(words) => words,
        };
        let shown: Vec<String> = words.iter().filter(|w| !w.is_empty()).map(|w| format!("`{w}`")).collect();
        let hint = match nearest(&word, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? It is one of {}", shown.join(", ")),
            None => format!("it is one of {}", shown.join(", ")),
        };
        self.findings.add(node.place, format!("`{}` is not a value of `{name}`", clip(&word)), Some(hint));
        None
    }

    fn number_of(&mut self, node: &Node) -> Option<u32> {
        if let Value::Scalar { text, plain: true } = &node.value
            && text.bytes().all(|b| b.is_ascii_digit())
            && let Ok(number) = text.parse()
        {
            return Some(number);
        }
        self.wrong(node, "a whole number");
        None
    }

    fn wrong(&mut self, node: &Node, wanted: &str) {
        let hint = match &node.value {
            Value::Scalar { plain: false, .. } if wanted != "a list" => Some("take the quotes away".to_owned()),
            Value::Scalar { text, .. } if wanted == "a list" => Some(format!("write `[{}]`", clip(text))),
            _ => None,
        };
        self.findings.add(node.place, format!("{wanted} is wanted here, not {}", kind_of(&node.value)), hint);
    }

    /// Notes the keys nobody asked for.
    fn finish(self) {
        if self.lenient {
            return;
        }
        for (key, _) in self.entries.iter().filter(|(key, _)| !self.asked.contains(&key.name.as_str())) {
            let hint = match nearest(&key.name, self.asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("keys here are {}", self.asked.join(", ")),
            };
            let owner = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
            self.findings.add(key.place, format!("unknown key `{}`{owner}", clip(&key.name)), Some(hint));
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Scalar { plain: true, .. } => "a single value",
        Value::Scalar { plain: false, .. } => "text in quotes",
        Value::List(_) => "a list",
        Value::Map(_) => "keys and values",
    }
}
