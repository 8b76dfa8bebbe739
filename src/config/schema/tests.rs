use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::config::load;

fn fixtures(dir: &str) -> Vec<(String, String)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config").join(dir);
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
}

/// As an editor reads it: YAML 1.2, where `off` is a word. `None`: not YAML.
fn as_json(text: &str) -> Option<Value> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let text = text.trim_start_matches('\u{feff}').replace("1e999", "1e9");
    serde_saphyr::from_str_with_options(&text, options).ok()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::options().build(&schema()).unwrap()
}

#[test]
fn the_schema_accepts_what_the_loader_accepts() {
    let validator = validator();
    for (file, text) in fixtures("good") {
        let value = as_json(&text).unwrap_or_else(|| panic!("{file} is not YAML"));
        let mistakes: Vec<String> =
            validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(mistakes.is_empty(), "{file}: {mistakes:#?}");
    }
}

/// What no schema can see (references, circles, regular expressions, templates …) is marked so in the fixture.
#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let validator = validator();
    let (mut refused, mut wrong) = (0, Vec::new());
    for (file, text) in fixtures("bad") {
        let Some(value) = as_json(&text) else { continue };
        let blind = text.lines().any(|line| line == "# a schema cannot see this");
        wrong.extend((validator.is_valid(&value) != blind).then_some(file));
        refused += usize::from(!blind);
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(refused >= 8, "{refused}");
}

#[test]
fn it_is_a_valid_schema_without_an_address() {
    let schema = schema();
    assert!(jsonschema::meta::is_valid(&schema));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema.get("$id").is_none());
    assert_eq!(schema["required"], json!(["version"]));
}

#[test]
fn every_key_is_explained() {
    fn look(path: &str, schema: &Value, silent: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["description"].as_str().is_none_or(str::is_empty) {
                silent.push(format!("{path}.{name}"));
            }
        }
    }
    let schema = schema();
    let mut silent = Vec::new();
    look("", &schema, &mut silent);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        if !name.contains('.') {
            assert!(definition["description"].is_string(), "{name}");
        }
        look(name, definition, &mut silent);
    }
    assert!(silent.is_empty(), "{silent:?}");
}

/// The loader names its keys by hand; here they are held to the model's. `everything.yml` has every key of the schema, and loads.
#[test]
fn the_fixture_with_everything_has_every_key() {
    fn keys(schema: &Value, root: &Value, path: &str, found: &mut BTreeSet<String>) {
        if let Some(name) = schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
            return keys(&root["$defs"][name], root, path, found);
        }
        for choice in schema["anyOf"].as_array().into_iter().flatten() {
            keys(choice, root, path, found);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            found.insert(path.clone());
            keys(property, root, &path, found);
        }
        for inner in [&schema["items"], &schema["additionalProperties"]].into_iter().filter(|s| s.is_object()) {
            keys(inner, root, &format!("{path}[]"), found);
        }
    }
    fn written(value: &Value, schema_keys: &BTreeSet<String>, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                for (name, inner) in map {
                    let own = format!("{path}.{name}");
                    // Names the user chooses count as items.
                    let path = if schema_keys.contains(&own) { own } else { format!("{path}[]") };
                    found.insert(path.clone());
                    written(inner, schema_keys, &path, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|i| written(i, schema_keys, &format!("{path}[]"), found)),
            _ => {}
        }
    }
    let root = documented();
    let (mut known, mut used) = (BTreeSet::new(), BTreeSet::new());
    keys(&root, &root, "", &mut known);
    let text = fixtures("good").into_iter().find(|(file, _)| file.ends_with("everything.yml")).unwrap().1;
    assert!(load(&text, "everything.yml").is_ok());
    written(&as_json(&text).unwrap(), &known, "", &mut used);
    let unused: Vec<_> = known.difference(&used).collect();
    assert!(unused.is_empty(), "{unused:?}");
    assert!(known.len() > 80, "{}", known.len());
}

#[test]
fn other_spellings_are_the_models() {
    use crate::config::model::{Backend, RegistryProvider};
    for (definition, word, _) in ALIASES {
        let known = match *definition {
            "Backend" => serde_json::from_value::<Backend>(json!(word)).is_ok(),
            _ => serde_json::from_value::<RegistryProvider>(json!(word)).is_ok(),
        };
        assert!(known, "{definition} {word}");
    }
}
