//! `docs/config.md`: every key with its type, default and meaning, written from the schema so that it cannot be out of date.

use std::fmt::Write as _;

use serde_json::Value;

use super::load::OTHERS;
use super::schema::documented;
use super::template::variables;

const HEAD: &str = "\
<!-- Written by `stagefreight schema --format markdown > docs/config.md`; a test keeps it fresh. -->

# `.stagefreight.yml`

The configuration file of StageFreight, in the root of the repository. None is needed: without it, the action's inputs or a
Dockerfile found in the repository make the plan. A key left out, or with nothing after its colon, has its default. YAML
anchors and merge keys work, and `defaults:` is a place for them. Every mistake in the file is reported at once, with its line.

```yaml
version: 1

policies:
  branches:
    trunk: ^main$
  git_tags:
    stable: ^v[0-9]+\\.[0-9]+\\.[0-9]+$

builds:
  - id: app
    kind: docker
    platforms: [linux/amd64, linux/arm64]

targets:
  - id: edge
    kind: registry
    build: app
    url: ghcr.io
    path: acme/app
    credentials: GHCR # the variables GHCR_USER and GHCR_TOKEN
    tags: [edge, \"{branch}-{sha:8}\"]
    when: { branches: [trunk], events: [push] }

  - id: release
    kind: registry
    build: app
    url: ghcr.io
    path: acme/app
    credentials: GHCR
    tags: [\"{version}\", \"{major}.{minor}\", latest]
    when: { git_tags: [stable] }
```
";

/// The order in which a file is written; what is not named here follows by name.
const ORDER: [&str; 10] =
    ["version", "vars", "policies", "sources", "builds", "targets", "build_cache", "registries", "network", "project"];

/// The reference, as markdown.
pub fn reference_markdown() -> String {
    let root = documented();
    let mut out = HEAD.to_owned();
    sections(&mut out, &root, &root, "", 2);
    templates(&mut out);
    others(&mut out);
    out
}

/// The table of one mapping, then those of the mappings in it.
fn sections(out: &mut String, root: &Value, schema: &Value, path: &str, depth: usize) {
    let properties: Vec<(&String, &Value)> = ordered(schema);
    if path.is_empty() {
        let _ = writeln!(out, "\n## The whole file");
    } else {
        let _ = writeln!(out, "\n{} `{path}`", "#".repeat(depth.min(4)));
        let _ = writeln!(out, "\n{}", schema["description"].as_str().unwrap_or_default());
    }
    let _ = writeln!(out, "\n| key | type | default | meaning |\n|---|---|---|---|");
    for (name, property) in &properties {
        row(out, root, schema, name, property);
    }
    for (name, property) in properties {
        let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if let Some((inner, suffix)) = mapping(root, property) {
            sections(out, root, inner, &format!("{at}{suffix}"), if path.is_empty() { 2 } else { depth + 1 });
        }
    }
}

fn row(out: &mut String, root: &Value, schema: &Value, name: &str, property: &Value) {
    let required = schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
    let description = property["description"].as_str().unwrap_or_default().replace('\n', " ");
    let (meaning, said) = match description.split_once(" Default: ") {
        Some((meaning, default)) => (meaning.to_owned(), default.trim_end_matches('.').to_owned()),
        None => (description, String::new()),
    };
    let default = match &property["default"] {
        _ if required => "**required**".to_owned(),
        _ if !said.is_empty() => said,
        Value::Bool(flag) => flag.to_string(),
        Value::String(word) => format!("`{word}`"),
        _ => String::new(),
    };
    let words = words(root, property);
    let meaning = if words.is_empty() { meaning } else { format!("{meaning}<br>{words}") };
    let cells = [format!("`{name}`"), kind(root, property), default, meaning].map(|cell| cell.replace('|', "\\|"));
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

/// Required keys first, then the order of a file, then by name.
fn ordered(schema: &Value) -> Vec<(&String, &Value)> {
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
    let mut properties: Vec<_> = schema["properties"].as_object().into_iter().flatten().collect();
    let place = |name: &str| ORDER.iter().position(|n| *n == name).unwrap_or(ORDER.len());
    // `target` is a key of builds too: the order is that of the whole file alone.
    let whole = schema["properties"]["version"].is_object();
    properties.sort_by_key(|(name, _)| (!required(name), if whole { place(name) } else { 0 }));
    properties
}

/// The type in words.
fn kind(root: &Value, schema: &Value) -> String {
    if let Some(target) = reference(root, schema) {
        return kind(root, target);
    }
    if let Some(title) = schema["title"].as_str() {
        return title.to_owned();
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let kinds: Vec<String> = choices.iter().filter(|c| c["type"] != "null").map(|c| kind(root, c)).collect();
        return kinds.join(" or ");
    }
    if schema["oneOf"].is_array() {
        return "word".to_owned();
    }
    let name = match &schema["type"] {
        Value::Array(several) => several.iter().filter_map(Value::as_str).find(|t| *t != "null").unwrap_or_default(),
        one => one.as_str().unwrap_or_default(),
    };
    match name {
        "string" => "text".to_owned(),
        "integer" => "number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => match kind(root, &schema["items"]).as_str() {
            "mapping" => "list of mappings".to_owned(),
            item => format!("list of {item}s").replace("texts", "text"),
        },
        "object" if schema["additionalProperties"].is_object() => {
            format!("name: {}", kind(root, &schema["additionalProperties"]))
        }
        _ => "mapping".to_owned(),
    }
}

/// The words a key takes, with what they mean.
fn words(root: &Value, schema: &Value) -> String {
    let inner = [schema, &schema["items"]].into_iter().chain(schema["anyOf"].as_array().into_iter().flatten());
    let choices = inner.filter_map(|s| reference(root, s).unwrap_or(s)["oneOf"].as_array()).next();
    let told = choices.into_iter().flatten().map(|choice| {
        let word = match choice["const"].as_str().unwrap_or_default() {
            "" => "empty",
            word => &format!("`{word}`"),
        };
        format!("{word}: {}", choice["description"].as_str().unwrap_or_default())
    });
    told.collect::<Vec<_>>().join("<br>")
}

/// The mapping in a property, and how a path says that it is one of several.
fn mapping<'s>(root: &'s Value, property: &'s Value) -> Option<(&'s Value, &'static str)> {
    let direct = [property].into_iter().chain(property["anyOf"].as_array().into_iter().flatten()).map(|s| (s, ""));
    let several = [(&property["items"], "[]"), (&property["additionalProperties"], ".NAME")];
    direct
        .chain(several)
        .filter_map(|(schema, suffix)| Some((reference(root, schema)?, suffix)))
        .find(|(schema, _)| schema["properties"].is_object())
}

fn reference<'s>(root: &'s Value, schema: &Value) -> Option<&'s Value> {
    root["$defs"].get(schema["$ref"].as_str()?.strip_prefix("#/$defs/")?)
}

fn templates(out: &mut String) {
    let _ = writeln!(
        out,
        "\n## Templates\n\nValues that are templates may hold variables. `${{NAME}}`, and a `{{` that no name and no `}}` follow, stay as they \
         are: a name that is no variable is a mistake.\nIn tags, characters a tag cannot hold become `-` where a variable brings them in: \
         `1.2.3-dev+abc1234` is the tag `1.2.3-dev-abc1234`.\n\n| variable | becomes |\n|---|---|"
    );
    for variable in variables() {
        let _ = writeln!(out, "| `{}` | {} |", variable.form, variable.meaning);
    }
}

fn others(out: &mut String) {
    let names: Vec<String> = OTHERS.iter().map(|name| format!("`{name}`")).collect();
    let _ = writeln!(
        out,
        "\n## Sections of other StageFreight programs\n\nAccepted, and not handled here: {}. So are builds of `kind: binary`, targets of \
         another kind than `registry`, and keys of `sources` not named above.",
        names.join(", ")
    );
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/config.md")
    }

    #[test]
    fn the_reference_is_fresh() {
        let written = std::fs::read_to_string(file()).unwrap_or_default();
        assert!(
            written == reference_markdown(),
            "docs/config.md is out of date: `stagefreight schema --format markdown > docs/config.md`, \
             or `cargo test --lib write_the_reference -- --ignored`"
        );
    }

    #[test]
    #[ignore = "writes docs/config.md"]
    fn write_the_reference() {
        std::fs::create_dir_all(file().parent().unwrap()).unwrap();
        std::fs::write(file(), reference_markdown()).unwrap();
    }

    #[test]
    fn its_example_loads() {
        let text = reference_markdown();
        let example = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert_eq!(crate::config::load(example, "example").map(|loaded| loaded.config.targets.len()), Ok(2));
    }

    #[test]
    fn it_has_every_section_and_no_broken_table() {
        let text = reference_markdown();
        for part in [
            "## `builds[]`",
            "### `targets[].when`",
            "#### `build_cache.cleanup.prune.images`",
            "## `registries.NAME`",
            "| `retention` | number or mapping |",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        for line in text.lines().filter(|line| line.starts_with('|')) {
            let cells = line.replace("\\|", "").matches('|').count();
            assert!(cells == 5 || cells == 3, "{line}");
        }
    }
}
