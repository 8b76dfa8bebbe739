//! Image configs: what they say about layers, and which of their other fields differ. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::ConfigChange;
use crate::image::Digest;

/// The largest config taken. Builders may keep a cache of some hundred kilobytes in it.
pub(super) const MAX_CONFIG: usize = 1 << 20;
/// So many fields that differ are told.
const MAX_CHANGES: usize = 200;
/// Longer values are cut, in characters.
const LONG: usize = 200;

/// What a config says about platform and layers.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    rootfs: RootFs,
    #[serde(default)]
    history: Option<Vec<History>>,
}

#[derive(Debug, Default, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct History {
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    empty_layer: bool,
}

/// Where a layer comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) created_by: String,
    /// Index into the whole history.
    pub(super) history: Option<usize>,
}

impl Config {
    /// `linux/arm64`; empty where it does not say.
    pub(super) fn platform(&self) -> String {
        platform(&self.os, &self.architecture, self.variant.as_deref())
    }

    /// The uncompressed digest of each layer, if there is one we understand for each.
    pub(super) fn diff_ids(&self, layers: usize) -> Option<Vec<Digest>> {
        let ids: Option<Vec<_>> = self.rootfs.diff_ids.iter().map(|id| id.parse().ok()).collect();
        ids.filter(|ids| ids.len() == layers)
    }

    /// What made each layer: entries of the history that made one, if there are as many as layers.
    pub(super) fn origins(&self, layers: usize) -> Vec<Origin> {
        let history = self.history.iter().flatten().enumerate();
        let made: Vec<_> = history.filter(|(_, entry)| !entry.empty_layer).collect();
        if made.len() != layers {
            return vec![Origin::default(); layers];
        }
        made.into_iter().map(|(i, e)| Origin { created_by: e.created_by.clone(), history: Some(i) }).collect()
    }
}

/// As people write it; the variant every arm64 has is left out.
pub(super) fn platform(os: &str, architecture: &str, variant: Option<&str>) -> String {
    match (os, architecture, variant.unwrap_or_default()) {
        ("", "", _) => String::new(),
        (os, "arm64", "v8") => format!("{os}/arm64"),
        (os, architecture, "") => format!("{os}/{architecture}"),
        (os, architecture, variant) => format!("{os}/{architecture}/{variant}"),
    }
}

/// The fields in which two configs differ, history and layers left out. Missing, `null` and empty are the same thing.
pub(super) fn changes(a: &[u8], b: &[u8]) -> serde_json::Result<Vec<ConfigChange>> {
    let read = |bytes: &[u8]| -> serde_json::Result<Value> {
        let mut value: Value = serde_json::from_slice(bytes)?;
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|name, _| name != "history" && name != "rootfs");
        }
        Ok(value)
    };
    let mut found = Vec::new();
    compare("", Some(&read(a)?), Some(&read(b)?), &mut found);
    Ok(found)
}

fn compare(path: &str, a: Option<&Value>, b: Option<&Value>, found: &mut Vec<ConfigChange>) {
    let (a, b) = (a.filter(|v| !is_empty(v)), b.filter(|v| !is_empty(v)));
    if a == b || found.len() >= MAX_CHANGES {
        return;
    }
    let empty = Value::Null;
    match (a.unwrap_or(&empty), b.unwrap_or(&empty)) {
        (Value::Object(left), Value::Object(right)) => {
            for name in keys(left.keys(), right.keys()) {
                compare(&below(path, name), left.get(name), right.get(name), found);
            }
        }
        // An object that only one has is told field by field as well.
        (Value::Object(only), Value::Null) => {
            only.iter().for_each(|(name, value)| compare(&below(path, name), Some(value), None, found));
        }
        (Value::Null, Value::Object(only)) => {
            only.iter().for_each(|(name, value)| compare(&below(path, name), None, Some(value), found));
        }
        (Value::Array(left), Value::Array(right)) if path == "config.Env" => {
            environment(path, left, right, found);
        }
        _ => found.push(ConfigChange { field: clip(path), a: a.map(shortened), b: b.map(shortened) }),
    }
}

/// `Env` is a list of `NAME=value`: told by name, unless only its order differs.
fn environment(path: &str, a: &[Value], b: &[Value], found: &mut Vec<ConfigChange>) {
    let by_name = |list: &[Value]| -> BTreeMap<String, Value> {
        let pairs = list.iter().filter_map(Value::as_str).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()
    };
    let (left, right) = (by_name(a), by_name(b));
    let before = found.len();
    for name in keys(left.keys(), right.keys()) {
        // A variable that is set to nothing is not one that is missing.
        let (a, b) = (left.get(name), right.get(name));
        if a != b && found.len() < MAX_CHANGES {
            found.push(ConfigChange { field: clip(&below(path, name)), a: a.map(shortened), b: b.map(shortened) });
        }
    }
    if found.len() == before {
        let whole = |list: &[Value]| Some(shortened(&Value::Array(list.to_vec())));
        found.push(ConfigChange { field: path.to_owned(), a: whole(a), b: whole(b) });
    }
}

fn keys<'a>(a: impl Iterator<Item = &'a String>, b: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    a.chain(b).collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(set) => !set,
        Value::Number(_) => false,
    }
}

fn shortened(value: &Value) -> String {
    clip(&value.to_string())
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(a: Value, b: Value) -> Vec<String> {
        let changes = changes(a.to_string().as_bytes(), b.to_string().as_bytes()).unwrap();
        let side = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        changes.into_iter().map(|c| format!("{}: {} {}", c.field, side(c.a), side(c.b))).collect()
    }

    #[test]
    fn fields_are_told_by_their_path() {
        let a = json!({"created": "1", "config": {"Env": ["A=1", "B=2"], "Labels": {"x.y": "1"}, "Cmd": ["a", "b"]},
            "history": [{"created": "1"}], "rootfs": {"diff_ids": []}});
        let b = json!({"created": "2", "config": {"Env": ["A=2", "C="], "Cmd": ["a"], "User": "1000"},
            "history": [], "rootfs": {"diff_ids": ["x"]}});
        assert_eq!(
            told(a, b),
            [
                r#"config.Cmd: ["a","b"] ["a"]"#,
                r#"config.Env.A: "1" "2""#,
                r#"config.Env.B: "2" -"#,
                r#"config.Env.C: - """#,
                r#"config.Labels.x.y: "1" -"#,
                r#"config.User: - "1000""#,
                r#"created: "1" "2""#,
            ]
        );
    }

    #[test]
    fn empty_null_and_missing_are_one() {
        let a = json!({"config": {"Entrypoint": null, "Labels": {}, "Volumes": {"a": {}}, "OpenStdin": false}, "variant": ""});
        assert!(told(a, json!({"config": {"Cmd": [], "Volumes": {"a": null}}})).is_empty());
        assert_eq!(
            told(json!({"config": {"Env": ["A=1", "B=2"]}}), json!({"config": {"Env": ["B=2", "A=1"]}})),
            [r#"config.Env: ["A=1","B=2"] ["B=2","A=1"]"#]
        );
    }

    #[test]
    fn hostile_configs_are_cut() {
        let many: serde_json::Map<_, _> = (0..5000).map(|n| (n.to_string(), "x".repeat(300).into())).collect();
        let changes = changes(Value::Object(many).to_string().as_bytes(), b"{}").unwrap();
        assert_eq!(changes.len(), MAX_CHANGES);
        assert!(changes.iter().all(|c| c.a.as_ref().unwrap().chars().count() == LONG + 1));
    }

    #[test]
    fn history_names_the_maker_of_each_layer_or_of_none() {
        let config: Config = serde_json::from_value(json!({"history": [
            {"created_by": "ADD base"}, {"created_by": "ENV A", "empty_layer": true}, {"created_by": "RUN x"}]}))
        .unwrap();
        let origins = config.origins(2);
        assert_eq!((origins[1].created_by.as_str(), origins[1].history), ("RUN x", Some(2)));
        assert_eq!(config.origins(3), vec![Origin::default(); 3]);
    }
}
