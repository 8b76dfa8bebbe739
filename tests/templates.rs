//! The GitLab components as text: they offer what the binary takes, in GitLab's own terms, and nothing in them is left to a shell.
//!
//! Runs nothing. `just docs` writes the parts that come from the binary's table; tests/gitlab runs the components.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "UPDATE_DOCS is read here")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stagefreight::inputs::{INPUTS, InputKind, InputSpec, twin_variable};
use stagefreight::report::OUTPUTS;
use stagefreight::report::outputs::name_in_dotenv;
use stagefreight::runner::dotenv;

/// Components that hand the binary's inputs on, and cleanup, which has its own.
const COMPONENTS: [&str; 4] = ["build", "merge", "pipeline", "cleanup"];

/// Inputs of the binary that no component offers, and why.
const LEFT_OUT: [(&str, &str); 4] = [
    ("secrets", "inputs are stored in clear with the pipeline: secrets are variables, named by secret-envs"),
    ("builder", "a job's container is new and holds no builder of the user's"),
    ("local", "loads into the engine of a laptop"),
    ("github-token", "a secret, and another forge's: GitLab's is the variable GITLAB_TOKEN"),
];
/// Inputs that components have under the same name in a form of their own.
const OF_ITS_OWN: [(&str, &str); 2] = [
    ("push", "a boolean of GitLab cannot be unsaid; `true` would ask for a target in every build"),
    ("backend", "each needs keywords of the job, too: services, addresses, certificates"),
];

/// What GitLab can check of an input before a job runs. Values may name variables of the pipeline.
fn constraint(name: &str) -> &'static str {
    match name {
        "build-mode" => "options: [\"\", plain, crucible]",
        "build-id" => "regex: ^[A-Za-z0-9_.${}-]*$",
        "platforms" => "regex: ^[a-z0-9/,._${}A-Z\\s-]*$",
        "platform-leg" => "regex: ^[a-z0-9/._${}A-Z-]*$",
        _ => "",
    }
}

fn offered(component: &str) -> Vec<&'static InputSpec> {
    if component == "cleanup" {
        return INPUTS.iter().filter(|spec| spec.name == "config").collect();
    }
    let leg = component == "build";
    let elsewhere = |name: &str| LEFT_OUT.iter().chain(&OF_ITS_OWN).any(|(left_out, _)| *left_out == name);
    INPUTS.iter().filter(|spec| !elsewhere(spec.name) && (leg || spec.name != "platform-leg")).collect()
}

#[test]
fn components_offer_the_inputs_of_the_binary() {
    for component in COMPONENTS.iter().filter(|name| **name != "cleanup") {
        let (mut inputs, mut variables) = (String::new(), String::new());
        for spec in offered(component) {
            let name = spec.name;
            let help = serde_json::to_string(spec.help).unwrap();
            inputs.push_str(&format!("    {name}:\n      description: {help}\n"));
            match spec.kind {
                InputKind::Bool => inputs.push_str("      type: boolean\n      default: false\n"),
                _ => inputs.push_str("      default: \"\"\n"),
            }
            if !constraint(name).is_empty() {
                inputs.push_str(&format!("      {}\n", constraint(name)));
            }
            let variable = twin_variable(name);
            match spec.kind {
                InputKind::Bool => variables.push_str(&format!("    {variable}: \"$[[ inputs.{name} ]] \"\n")),
                _ => variables.push_str(&format!("    {variable}: $[[ inputs.{name} ]]\n")),
            }
        }
        generated(component, "inputs of the binary", &inputs);
        generated(component, "variables of the inputs", &variables);
    }
}

/// Nothing is forgotten: each input is offered or left out for a reason, and what is left out exists.
#[test]
fn what_is_left_out_is_left_out_on_purpose() {
    for (name, why) in LEFT_OUT.iter().chain(&OF_ITS_OWN) {
        assert!(INPUTS.iter().any(|spec| spec.name == *name), "{name} is no input any more");
        assert!(why.len() > 20, "{name}");
    }
    for component in COMPONENTS {
        let header = Component::read(component);
        for spec in offered(component) {
            assert!(header.inputs.contains_key(spec.name), "{component} does not offer {}", spec.name);
        }
        for (name, _) in LEFT_OUT {
            assert!(!header.inputs.contains_key(name), "{component} offers {name}");
        }
    }
}

#[test]
fn inputs_are_described_typed_and_used() {
    let block = regex::Regex::new(r"\$\[\[ *([^\]]*?) *\]\]").unwrap();
    for component in COMPONENTS {
        let Component { inputs, text, .. } = Component::read(component);
        for (name, spec) in &inputs {
            let place = format!("{component}: {name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{place}");
            assert!(spec["description"].as_str().is_some_and(|text| text.ends_with('.')), "{place} is not described");
            let default = &spec["default"];
            let fits = match spec["type"].as_str().unwrap_or("string") {
                "string" => default.is_string(),
                "boolean" => default.is_boolean(),
                "number" => default.is_number(),
                "array" => default.is_array() || (component, name.as_str()) == ("merge", "legs"),
                other => panic!("{place}: {other}"),
            };
            assert!(fits, "{place}: the default {default} is of another type");
            if let Some(options) = spec["options"].as_array() {
                assert!(options.len() <= 50 && options.contains(default), "{place}");
            }
            if let Some(pattern) = spec["regex"].as_str() {
                // RE2, as GitLab: no look-around, no back references. This crate has neither.
                let pattern = regex::Regex::new(pattern).unwrap_or_else(|error| panic!("{place}: {error}"));
                assert!(pattern.is_match(default.as_str().unwrap()), "{place}");
            }
            assert!(text.contains(&format!("$[[ inputs.{name} ]]")), "{place} is not used");
        }
        for found in block.captures_iter(&text) {
            let name = found[1].strip_prefix("inputs.").unwrap_or_else(|| panic!("{component}: {}", &found[0]));
            assert!(inputs.contains_key(name), "{component} uses the input {name}, which it does not have");
        }
    }
}

/// What a user writes into an input must not become part of a script.
#[test]
fn scripts_hold_no_text_of_a_user() {
    for component in COMPONENTS {
        let Component { inputs, body, .. } = Component::read(component);
        for (job, keywords) in body.as_object().unwrap() {
            for keyword in ["script", "before_script", "after_script"] {
                every_string(&keywords[keyword], &mut |line| {
                    for part in line.split("$[[ inputs.").skip(1) {
                        let name = part.split(' ').next().unwrap();
                        assert!(inputs[name]["options"].is_array(), "{component}: {job}: {line}");
                    }
                });
            }
        }
    }
}

/// A component may not set what holds for the whole pipeline of its user.
#[test]
fn components_have_no_global_keywords() {
    let global =
        ["default", "workflow", "stages", "variables", "image", "services", "cache", "include", "before_script"];
    for component in COMPONENTS {
        let Component { inputs, body, .. } = Component::read(component);
        for (name, job) in body.as_object().unwrap() {
            assert!(!global.contains(&name.as_str()), "{component}: {name}");
            assert!(job.is_object(), "{component}: {name}");
            // A component may be included twice, and of two jobs of one name GitLab takes the last, whichever include it is of.
            let name = name.strip_prefix(".stagefreight-").unwrap_or(name);
            assert!(name.starts_with("$[[ inputs.job-name ]]"), "{component}: {name}");
        }
        for choice in ["backend", "push", "keyless-signing"] {
            let Some(spec) = inputs.get(choice) else { continue };
            let options = match spec["options"].as_array() {
                Some(options) => options.iter().map(|option| option.as_str().unwrap().to_owned()).collect(),
                None => vec!["true".to_owned(), "false".to_owned()],
            };
            let part = choice.trim_start_matches("backend").trim_end_matches("-signing");
            for option in options {
                let hidden = [".stagefreight-$[[ inputs.job-name ]]", part, &option];
                let hidden = hidden.into_iter().filter(|word| !word.is_empty());
                let hidden = hidden.collect::<Vec<_>>().join("-");
                assert!(body[&hidden].is_object(), "{component}: there is no {hidden}");
            }
        }
    }
}

#[test]
fn reports_are_where_the_binary_writes_them() {
    for component in ["build", "merge", "pipeline"] {
        let body = Component::read(component).body;
        let job = &body["$[[ inputs.job-name ]]"];
        let artifacts = &job["artifacts"];
        assert_eq!(artifacts["when"], "always", "{component}");
        assert_eq!(artifacts["reports"]["dotenv"], ".stagefreight/outputs.env");
        assert_eq!(artifacts["reports"]["codequality"], stagefreight::report::CODE_QUALITY_FILE);
        assert_eq!(artifacts["reports"]["annotations"], stagefreight::report::ANNOTATIONS_FILE);
        let paths: Vec<&str> =
            artifacts["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
        assert!(paths.contains(&stagefreight::report::outputs::RESULT_FILE), "{component}: {paths:?}");
        // It may hold cosign.key.
        assert!(paths.iter().all(|path| path.trim_end_matches('/') != ".stagefreight" && !path.contains('*')));
    }
}

/// A variable of a dotenv report is set in all later jobs, over what their own `variables` say. Were it named like an input, the
/// outputs of one image would be the inputs of the next.
#[test]
fn no_output_is_taken_for_an_input() {
    let inputs: BTreeMap<_, _> = INPUTS.iter().map(|spec| (twin_variable(spec.name), spec.name)).collect();
    for output in OUTPUTS {
        let variable = dotenv::key(name_in_dotenv(output.name));
        assert!(!inputs.contains_key(&variable), "{variable} is an input, too");
        assert!(!["STAGEFREIGHT_DOTENV", "STAGEFREIGHT_BACKEND"].contains(&variable.as_str()));
    }
}

#[test]
fn the_page_names_every_input_and_output() {
    let page = read("docs/gitlab.md");
    for component in COMPONENTS {
        for name in Component::read(component).inputs.keys() {
            let own = !INPUTS.iter().any(|spec| spec.name == name);
            assert!(
                !own || page.contains(&format!("`{name}`")),
                "docs/gitlab.md does not tell of {component}'s {name}"
            );
        }
    }
    for output in OUTPUTS {
        let variable = format!("`{}`", dotenv::key(name_in_dotenv(output.name)));
        assert!(page.contains(&variable), "docs/gitlab.md does not tell of {variable}");
    }
}

/// Examples, and what the page shows, give components only inputs that they have, of the right type.
#[test]
fn examples_use_what_there_is() {
    let mut seen = BTreeSet::new();
    let mut all: Vec<(String, String)> = fs::read_dir(root().join("examples/gitlab"))
        .expect("examples/gitlab")
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .collect();
    all.sort();
    all.extend(yaml_blocks(&read("docs/gitlab.md")).into_iter().map(|block| ("docs/gitlab.md".to_owned(), block)));
    for (file, text) in all {
        let pipeline: Value = parse(&text, &file);
        for include in pipeline["include"].as_array().into_iter().flatten() {
            let address = include["component"].as_str().unwrap_or_else(|| panic!("{file}: {include}"));
            let name =
                address.strip_prefix("$CI_SERVER_FQDN/stagefreight/action/").and_then(|rest| rest.strip_suffix("@1"));
            let name = name.unwrap_or_else(|| panic!("{file}: {address}"));
            seen.insert(name.to_owned());
            let known = Component::read(name).inputs;
            let given = include["inputs"].as_object().cloned().unwrap_or_default();
            for (input, value) in &given {
                let spec = known.get(input).unwrap_or_else(|| panic!("{file}: {name} has no input {input}"));
                let fits = match spec["type"].as_str().unwrap_or("string") {
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "number" => value.is_number(),
                    _ => value.is_array(),
                };
                assert!(fits, "{file}: {name}: {input}");
                if let Some(options) = spec["options"].as_array() {
                    assert!(options.contains(value), "{file}: {name}: {input}");
                }
                if let Some(pattern) = spec["regex"].as_str() {
                    let pattern = regex::Regex::new(pattern).unwrap();
                    assert!(pattern.is_match(value.as_str().unwrap()), "{file}: {name}: {input}");
                }
            }
            for (input, spec) in &known {
                assert!(spec.get("default").is_some() || given.contains_key(input), "{file}: {name} needs {input}");
            }
        }
    }
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), ["build", "cleanup", "merge", "pipeline"]);
}

// ---- reading ----

struct Component {
    inputs: BTreeMap<String, Value>,
    body: Value,
    text: String,
}

impl Component {
    fn read(name: &str) -> Self {
        let text = read(path(name));
        let (header, body) = text.split_once("\n---\n").unwrap_or_else(|| panic!("{name} has no header"));
        let header: Value = parse(header, name);
        let inputs = header["spec"]["inputs"].as_object().unwrap().clone().into_iter().collect();
        let body_value = parse(body, name);
        Self { inputs, body: body_value, text: body.to_owned() }
    }
}

fn parse(text: &str, name: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every text in a document, names included.
fn every_string(value: &Value, look: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(all) => all.iter().for_each(|value| every_string(value, look)),
        Value::Object(all) => all.iter().for_each(|(name, value)| {
            look(name);
            every_string(value, look);
        }),
        _ => {}
    }
}

fn yaml_blocks(page: &str) -> Vec<String> {
    let block = regex::Regex::new("(?s)\n```yaml\n(.*?)\n```").unwrap();
    block.captures_iter(page).map(|found| found[1].to_owned()).collect()
}

/// Compares a part of a component between its markers with what it should be; with `UPDATE_DOCS=1` writes it.
fn generated(component: &str, name: &str, should: &str) {
    let text = read(path(component));
    let (open, close) = (format!("# <{name}>\n"), format!("    # </{name}>"));
    let start = text.find(&open).expect("the opening marker") + open.len();
    let end = start + text[start..].find(&close).expect("the closing marker");
    if &text[start..end] == should {
        return;
    }
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    assert!(update, "templates/{component}.yml: the part `{name}` is not what the binary says; run `just docs`");
    fs::write(root().join(path(component)), format!("{}{should}{}", &text[..start], &text[end..])).unwrap();
}

fn path(component: &str) -> PathBuf {
    Path::new("templates").join(component).with_extension("yml")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
