//! The action's descriptions list exactly the inputs and outputs of the binary. `just docs` writes them anew.

use stagefreight::inputs::{INPUTS, InputKind, input_variable};
use stagefreight::report::OUTPUTS;

use super::{generated, read};

/// Inputs whose default the runner fills in.
const DEFAULTS: &[(&str, &str)] = &[("github-token", "${{ github.token }}")];

/// What a called workflow cannot pass on, and why.
const NOT_FOR_CALLERS: &[(&str, &str)] = &[
    ("secrets", "the caller's secret `build-secrets`"),
    ("secret-envs", "the caller's environment does not reach a called workflow"),
    ("secret-files", "nor do its files"),
    ("ssh", "nor do its agents"),
    ("builder", "nor do its builders"),
    ("platform-leg", "the matrix says it"),
    ("github-token", "the job's own"),
    ("push", "legs are built to be published"),
    ("load", "legs are built to be published"),
    ("local", "legs are built to be published"),
    ("dry-run", "legs are built to be published"),
];

/// Paths in the workspace of a job that is over.
const LEFT_IN_THE_JOB: [&str; 3] = ["result", "metadata", "provenance"];

const WORKFLOW: &str = ".github/workflows/build.yml";

#[test]
fn documents_the_actions_describe_the_inputs_of_the_binary() {
    let mut text = String::new();
    for spec in INPUTS {
        text.push_str(&format!("  {}:\n    description: {}\n", spec.name, quoted(spec.help)));
        if let Some((_, default)) = DEFAULTS.iter().find(|(name, _)| *name == spec.name) {
            text.push_str(&format!("    default: {default}\n"));
        }
    }
    generated("action.yml", "inputs", text.trim_end());
    generated("native/action.yml", "inputs", text.trim_end());
}

#[test]
fn documents_the_actions_describe_the_outputs_of_the_binary() {
    let (mut docker, mut native) = (String::new(), String::new());
    for spec in OUTPUTS {
        let head = format!("  {}:\n    description: {}\n", spec.name, quoted(spec.description));
        docker.push_str(&head);
        native.push_str(&format!("{head}    value: ${{{{ steps.stagefreight.outputs.{} }}}}\n", spec.name));
    }
    generated("action.yml", "outputs", docker.trim_end());
    generated("native/action.yml", "outputs", native.trim_end());
}

#[test]
fn documents_the_native_action_hands_every_input_to_the_binary() {
    let mut text = String::new();
    for spec in INPUTS {
        let variable = input_variable(spec.name).replace('-', "_");
        text.push_str(&format!("        {variable}: ${{{{ inputs.{} }}}}\n", spec.name));
    }
    generated("native/action.yml", "environment", text.trim_end());
}

/// Inputs reach the program by its environment: no process list shows one, and no shell reads one.
#[test]
fn the_action_has_no_shell_and_no_secret_in_its_arguments() {
    let action = read("action.yml");
    let runs = &action[action.find("\nruns:").unwrap()..];
    assert_eq!(runs.trim(), "runs:\n  using: docker\n  image: Dockerfile\n  args:\n    - ${{ inputs.command }}");
    let native = read("native/action.yml");
    let script = native.lines().find_map(|line| line.trim().strip_prefix("run: ")).unwrap();
    assert_eq!(script, r#"'"$GITHUB_ACTION_PATH/run"'"#);
}

/// A YAML scalar in double quotes, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[test]
fn documents_the_workflow_passes_inputs_on_to_legs_and_merge() {
    let (mut inputs, mut with) = (String::new(), String::new());
    for spec in INPUTS.iter().filter(|spec| NOT_FOR_CALLERS.iter().all(|(name, _)| *name != spec.name)) {
        let kind = match spec.kind {
            InputKind::Bool => "boolean\n        default: false",
            InputKind::Text | InputKind::List | InputKind::Lines => "string",
        };
        let (name, help) = (spec.name, quoted(spec.help));
        inputs.push_str(&format!("      {name}:\n        description: {help}\n        type: {kind}\n"));
        with.push_str(&format!("          {name}: ${{{{ inputs.{name} }}}}\n"));
    }
    generated(WORKFLOW, "inputs", inputs.trim_end());
    generated(WORKFLOW, "leg", with.trim_end());
    generated(WORKFLOW, "merge", with.trim_end());
}

/// A release changes no workflow: GitHub takes none from a job. By a tag that never moves, so that whoever pins the workflow pins
/// what it runs.
#[test]
fn the_workflow_uses_the_action_of_its_own_version() {
    let workflow = read(WORKFLOW);
    let used: Vec<_> =
        workflow.lines().filter_map(|line| line.trim().strip_prefix("uses: stagefreight/action@")).collect();
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    assert_eq!(used, [version, version], "{WORKFLOW} and Cargo.toml name one version: set both");
}

#[test]
fn documents_the_workflow_hands_the_outputs_of_merge_to_its_caller() {
    let (mut outputs, mut job) = (String::new(), String::new());
    for spec in OUTPUTS.iter().filter(|spec| !LEFT_IN_THE_JOB.contains(&spec.name)) {
        let (name, description) = (spec.name, quoted(spec.description));
        outputs.push_str(&format!(
            "      {name}:\n        description: {description}\n        value: ${{{{ jobs.merge.outputs.{name} }}}}\n"
        ));
        job.push_str(&format!("      {name}: ${{{{ steps.merge.outputs.{name} }}}}\n"));
    }
    generated(WORKFLOW, "outputs", outputs.trim_end());
    generated(WORKFLOW, "job-outputs", job.trim_end());
}
