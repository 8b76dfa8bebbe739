//! YAML as a tree in which every key and value knows its place. Anchors, aliases and merge keys are resolved by the YAML library,
//! which also bounds them; scalars keep the text of the file, so that `1.10` is not `1.1`.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, NonFiniteFloatPolicy, Spanned, alias_limits, budget, options};

use super::findings::{Findings, Place};

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    /// `plain`: not quoted, so that it may be a number or a truth value.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of a mapping.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// Reads the one document of a file. `None` when it is not YAML at all; then exactly one mistake was noted. Keys that stand twice
/// are noted and dropped.
pub(crate) fn parse(text: &str, findings: &mut Findings<'_>) -> Option<Node> {
    // Nothing a person writes comes near these; a test keeps them below a second.
    let options = options! {
        budget: budget! {
            max_depth: 32,
            flow_nesting_limit: 32,
            max_nodes: 50_000,
            max_events: 200_000,
            max_documents: 4,
            max_recorded_anchor_events: 50_000,
            max_recorded_anchor_bytes: 4 << 20,
        },
        alias_limits: alias_limits! { max_total_replayed_events: 50_000 },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        ignore_binary_tag_for_string: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Some(node(raw, text, findings)),
        Err(error) => {
            let (what, hint) = in_our_words(&error);
            let place = error.location().map_or(Place { line: 1, column: 1, length: 1 }, |at| place(&at));
            findings.add(place, what, hint.map(str::to_owned));
            None
        }
    }
}

/// What the library hands over.
enum Raw {
    Null,
    Text(String),
    /// A number or a truth value, whose text is taken from the file.
    Typed,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

fn node(raw: Spanned<Raw>, text: &str, findings: &mut Findings<'_>) -> Node {
    // The place of the definition: a mistake behind an alias is mended there.
    let place = place(&raw.defined);
    let source = source(&raw.defined, text);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Typed => Value::Scalar { text: source.unwrap_or_default().to_owned(), plain: true },
        Raw::Text(text) => match source.filter(|source| !source.starts_with(['"', '\'', '|', '>'])) {
            // `.inf` and its like come as canonical text; the file's own is wanted.
            Some(plain) if !plain.contains('\n') && !plain.is_empty() => {
                Value::Scalar { text: plain.to_owned(), plain: true }
            }
            Some(_) => Value::Scalar { text, plain: true },
            None => Value::Scalar { text, plain: false },
        },
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, text, findings)).collect()),
        Raw::Map(entries) => Value::Map(map(entries, text, findings)),
    };
    Node { value, place }
}

fn map(entries: Vec<(Spanned<Raw>, Spanned<Raw>)>, text: &str, findings: &mut Findings<'_>) -> Vec<(Key, Node)> {
    let mut lines: HashMap<String, usize> = HashMap::new();
    let mut map = Vec::new();
    for (key, value) in entries {
        let key = node(key, text, findings);
        let value = node(value, text, findings);
        let name = match key.value {
            Value::Scalar { text, .. } => text,
            Value::Null => String::new(),
            Value::List(_) | Value::Map(_) => {
                findings.add(key.place, "a key must be plain text", None);
                continue;
            }
        };
        match lines.get(&name) {
            Some(first) => {
                let hint = format!("it stands first in line {first}; keep one of the two");
                findings.add(key.place, format!("the key `{name}` stands here twice"), Some(hint));
            }
            None => {
                lines.insert(name.clone(), key.place.line);
                map.push((Key { name, place: key.place }, value));
            }
        }
    }
    map
}

fn place(at: &serde_saphyr::Location) -> Place {
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    // The library says 0 where it does not know.
    Place { line: size(at.line()).max(1), column: size(at.column()).max(1), length: size(at.span().len()) }
}

fn source<'t>(at: &serde_saphyr::Location, text: &'t str) -> Option<&'t str> {
    let start = usize::try_from(at.span().byte_offset()?).ok()?;
    let length = usize::try_from(at.span().byte_len()?).ok()?;
    text.get(start..start.checked_add(length)?)
}

/// The library's message without its place, and what usually mends it.
fn in_our_words(error: &serde_saphyr::Error) -> (String, Option<&'static str>) {
    use serde_saphyr::Error as E;
    let too_much = "a configuration needs far less; take out aliases or nesting";
    let (what, hint) = match error.without_snippet() {
        E::Budget { .. }
        | E::AliasReplayLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. } => ("the file holds too much".to_owned(), Some(too_much)),
        E::MultipleDocuments { .. } => (
            "a second YAML document starts here".to_owned(),
            Some("the file holds one configuration; take out the `---` before this line"),
        ),
        E::RecursiveReferencesRequireWeakTypes { .. } => {
            ("an alias stands inside what it names".to_owned(), Some("an anchor cannot hold itself"))
        }
        E::UnknownAnchor { .. } => {
            ("the alias names no anchor".to_owned(), Some("an anchor, `&name`, has to stand above its alias, `*name`"))
        }
        E::MergeValueNotMapOrSeqOfMaps { .. } => {
            ("`<<` takes a mapping, or a list of mappings".to_owned(), Some("write `<<: *name`"))
        }
        other => {
            let text = other.to_string();
            // Its messages end in ` at line 3, column 5`, which is told apart from the sentence.
            let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
            let hint = HINTS.iter().find(|(part, _)| what.contains(part)).map(|(_, hint)| *hint);
            (what, hint)
        }
    };
    (format!("not YAML: {what}"), hint)
}

/// Parts of the library's messages, and the cure.
const HINTS: &[(&str, &str)] = &[
    ("recursion limit", "a configuration is nested a few levels deep"),
    ("tab", "indent with spaces"),
    ("mapping values are not allowed", "check the indentation; a value that holds `: ` has to stand in quotes"),
    ("unexpected character", "put the value in quotes"),
    ("unclosed", "close it"),
];
