//! The JSON Schema of `.stagefreight.yml`, for editors and other programs. Made from the model; what the loader also accepts (other
//! programs' sections, numbers where text is wanted, sections with nothing in them) is added here.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::load::OTHERS;
use super::model::Config;

/// Other spellings of words, as serde's aliases in the model have them: definition, word, meaning.
const ALIASES: &[(&str, &str, &str)] = &[
    ("RegistryProvider", "dockerhub", "The same as `docker`."),
    ("RegistryProvider", "github", "The same as `ghcr`."),
    ("Backend", "dind", "The same as `docker`."),
];

/// The schema, draft 2020-12.
pub fn schema() -> Value {
    let mut schema = documented();
    loosen(&mut schema);
    other_programs(&mut schema);
    only_our_kind(&mut schema, "Build", "docker");
    only_our_kind(&mut schema, "Target", "registry");
    schema
}

/// The schema of our own keys, each as it should be written: what the reference is made from.
pub(super) fn documented() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Config>().to_value();
    schema["title"] = json!("StageFreight configuration");
    tidy(&mut schema);
    for (definition, word, meaning) in ALIASES {
        if let Some(words) = schema["$defs"][definition]["oneOf"].as_array_mut() {
            words.push(json!({ "const": word, "description": meaning, "type": "string" }));
        }
    }
    schema
}

/// Gathers what is required, and drops defaults that say nothing (null, empty, a whole section) and widths of numbers.
fn tidy(schema: &mut Value) {
    each_schema(schema, &mut |schema| {
        schema.remove("format");
        let telling = match schema.get("default") {
            Some(Value::Bool(_)) => true,
            Some(Value::String(word)) => !word.is_empty(),
            _ => false,
        };
        if !telling {
            schema.remove("default");
        }
        let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
        let mut required = Vec::new();
        for (name, property) in properties {
            if property.as_object_mut().and_then(|property| property.remove("x-required")).is_some() {
                property.as_object_mut().map(|property| property.remove("default"));
                required.push(json!(name));
            }
        }
        if !required.is_empty() {
            schema.insert("required".to_owned(), Value::Array(required));
        }
    });
}

/// Accepts what the loader accepts beside what is documented: numbers and truth values where text is wanted, truth values as YAML 1.1
/// spells them, and nothing at all where a key may be left out.
fn loosen(schema: &mut Value) {
    each_schema(schema, &mut |schema| {
        let types = match schema.get("type") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => return,
        };
        let has = |kind: &str| types.iter().any(|t| t == kind);
        if has("string") && !schema.contains_key("pattern") && !schema.contains_key("const") {
            schema.insert("type".to_owned(), json!(["string", "number", "boolean"]));
        } else if has("boolean") {
            schema.remove("type");
            schema.insert("enum".to_owned(), json!([true, false, "yes", "no", "on", "off"]));
        }
    });
    each_schema(schema, &mut |schema| {
        let required = schema.get("required").cloned().unwrap_or_default();
        let required = |name: &str| required.as_array().is_some_and(|names| names.contains(&json!(name)));
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.iter_mut().filter(|(name, _)| !required(name)).for_each(|(_, property)| or_null(property));
        }
        if let Some(values) = schema.get_mut("additionalProperties") {
            or_null(values);
        }
    });
}

/// Lets null stand where the schema's value may.
fn or_null(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    let nothing = json!({ "type": "null" });
    if let Some(reference) = schema.remove("$ref") {
        schema.insert("anyOf".to_owned(), json!([{ "$ref": reference }, nothing]));
    } else if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
    } else if let Some(types) = schema.get_mut("type") {
        match types {
            Value::Array(types) if !types.contains(&json!("null")) => types.push(json!("null")),
            Value::String(one) => *types = json!([one, "null"]),
            _ => {}
        }
    } else {
        for key in ["anyOf", "oneOf"] {
            if let Some(Value::Array(choices)) = schema.get_mut(key)
                && !choices.contains(&nothing)
            {
                choices.push(nothing.clone());
            }
        }
    }
}

/// Sections of other programs, and the place for anchors.
fn other_programs(schema: &mut Value) {
    let Some(properties) = schema["properties"].as_object_mut() else { return };
    properties
        .insert("defaults".to_owned(), json!({ "description": "A place for YAML anchors. Means nothing by itself." }));
    for name in OTHERS {
        let meaning = "Belongs to another StageFreight program and is not handled here.";
        properties.insert((*name).to_owned(), json!({ "description": meaning }));
    }
}

/// Splits a definition by `kind`: ours as documented, the others with whatever keys they have.
fn only_our_kind(schema: &mut Value, definition: &str, ours: &str) {
    let full = schema["$defs"][definition].take();
    let kinds = schema["$defs"][format!("{definition}Kind")]["oneOf"].as_array().cloned().unwrap_or_default();
    let others: Vec<Value> = kinds.into_iter().filter(|kind| kind["const"] != ours).collect();
    let ours_is = json!({ "required": ["kind"], "properties": { "kind": { "const": ours } } });
    schema["$defs"][definition] = json!({
        "description": full["description"],
        "type": "object",
        "if": ours_is,
        "then": { "$ref": format!("#/$defs/{definition}.{ours}") },
        "else": {
            "required": full["required"],
            "properties": { "id": full["properties"]["id"], "kind": { "oneOf": others } }
        }
    });
    schema["$defs"][format!("{definition}.{ours}")] = full;
}

/// Calls `change` on every schema in a schema, innermost first. A property's name is never taken for a keyword.
fn each_schema(schema: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    let Some(schema) = schema.as_object_mut() else { return };
    for (keyword, inner) in schema.iter_mut() {
        match (keyword.as_str(), inner) {
            ("$defs" | "properties", Value::Object(named)) => named.values_mut().for_each(|s| each_schema(s, change)),
            ("anyOf" | "oneOf" | "allOf", Value::Array(several)) => {
                several.iter_mut().for_each(|s| each_schema(s, change))
            }
            ("items" | "additionalProperties", inner) => each_schema(inner, change),
            _ => {}
        }
    }
    change(schema);
}

#[cfg(test)]
mod tests;
