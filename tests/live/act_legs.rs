//! The reusable workflow, run whole by act: two legs, handed over as artifacts, and a job that joins them. The actions for
//! checkout and artifacts are GitHub's and need its servers, so stand-ins take their place here; they refuse what the real ones
//! refuse. Ours is the real one.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::support::Sandbox;
use crate::support::act::{Annotation, Jobs, ON_DOCKER, Workflow, ours, released_action};

/// act names the containers of a called workflow after its jobs alone: two runs at once would take each other's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const CALLER: &str = "name: legs-{id}
on: push
permissions: {}
jobs:
  image:
    uses: ./.github/workflows/build.yml
    permissions: {contents: read, packages: write, id-token: write, statuses: write, checks: write}
    with:
      platforms: linux/amd64,linux/arm64
      legs: |
        [{\"platform\": \"linux/amd64\", \"runner\": \"ubuntu-24.04\"},
         {\"platform\": \"linux/arm64\", \"runner\": \"ubuntu-24.04-arm\"}]
  after:
    needs: image
    runs-on: ubuntu-24.04
    steps:
      - shell: sh
        env:
          ALL: ${{ toJSON(needs.image) }}
        run: |
          printf 'SEEN %s\\n' \"$(printf %s \"$ALL\" | base64 -w0)\"
";

const TARGETS: &str = "targets:
  - {id: hub, kind: registry, build: app, url: '{registry}', path: 'legs/{id}', tags: ['1.0', latest]}
";

/// As `actions/upload-artifact`: a name without slashes, never the same twice unless it may, hidden files only when told so.
const UPLOAD: &str = "name: upload
inputs:
  name: {required: true}
  path: {required: true}
  include-hidden-files: {default: 'false'}
  if-no-files-found: {default: warn}
  overwrite: {default: 'false'}
  retention-days: {}
runs:
  using: composite
  steps:
    - shell: sh
      env: {NAME: '${{ inputs.name }}', FROM: '${{ inputs.path }}', HIDDEN: '${{ inputs.include-hidden-files }}', OVERWRITE: '${{ inputs.overwrite }}'}
      run: |
        set -eu
        case $NAME in */*) echo \"a slash in $NAME\"; exit 1;; esac
        case $FROM in .*) [ \"$HIDDEN\" = true ] || { echo \"no files in $FROM: they are hidden\"; exit 1; };; esac
        [ ! -e \"/artifacts/$NAME\" ] || [ \"$OVERWRITE\" = true ] || { echo \"$NAME is there\"; exit 1; }
        rm -rf \"/artifacts/$NAME\"; mkdir -p /artifacts
        mv \"${FROM%/}\" \"/artifacts/$NAME\"
";

const DOWNLOAD: &str = "name: download
inputs:
  pattern: {required: true}
  path: {required: true}
  merge-multiple: {default: 'false'}
runs:
  using: composite
  steps:
    - shell: sh
      env: {PATTERN: '${{ inputs.pattern }}', TO: '${{ inputs.path }}', MERGE: '${{ inputs.merge-multiple }}'}
      run: |
        set -eu
        [ \"$MERGE\" = true ]
        mkdir -p \"$TO\"
        for artifact in /artifacts/$PATTERN; do cp \"$artifact\"/* \"$TO\"; done
";

/// What stands in, each under the commit that the workflow pins.
fn stand_ins(dir: &Path) -> Vec<String> {
    let workflow = ours(".github/workflows/build.yml");
    let used: std::collections::BTreeSet<_> =
        workflow.lines().filter_map(|line| line.trim().strip_prefix("uses: ")?.split(' ').next()).collect();
    let mut args = Vec::new();
    for action in used {
        let text = match action.split('@').next().unwrap() {
            "stagefreight/action" => released_action(),
            "actions/upload-artifact" => UPLOAD.to_owned(),
            "actions/download-artifact" => DOWNLOAD.to_owned(),
            // act knows this one, and has the workspace there already.
            "actions/checkout" => continue,
            other => panic!("nothing stands in for {other}"),
        };
        let at = dir.join(action.replace(['/', '@'], "-"));
        std::fs::create_dir_all(&at).unwrap();
        std::fs::write(at.join("action.yml"), text).unwrap();
        args.extend(["--local-repository".to_owned(), format!("{action}={}", at.display())]);
    }
    args
}

fn project(dockerfile: &str) -> (Sandbox, Vec<String>) {
    let sandbox = Sandbox::new();
    let id = sandbox.id.clone();
    let sandbox = sandbox
        .file("hello.txt", &id)
        .file("only-amd64", &id)
        .file("Dockerfile", dockerfile)
        .config(&format!("{ON_DOCKER}{TARGETS}"))
        .file(".github/workflows/caller.yml", &CALLER.replace("{id}", &id))
        .file(".github/workflows/build.yml", &ours(".github/workflows/build.yml"))
        .docker();
    let mut args = stand_ins(&sandbox.path().join("stand-ins"));
    let artifacts = sandbox.path().join("artifacts");
    std::fs::create_dir(&artifacts).unwrap();
    args.extend(["--container-options".to_owned(), format!("--volume {}:/artifacts", artifacts.display())]);
    let arm = format!("ubuntu-24.04-arm={}/library/busybox:latest", sandbox.testbed.registry);
    args.extend(["--platform".to_owned(), arm, "--workflows".to_owned()]);
    args.push(sandbox.workspace().join(".github/workflows/caller.yml").to_str().unwrap().to_owned());
    (sandbox, args)
}

/// Runs the caller's workflow to its end, and takes away the builders it made: their record went with the jobs' workspaces, their
/// names stand in the log.
fn act(sandbox: &Sandbox, args: &[String]) -> Workflow {
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let workflow = sandbox.act(Jobs::Apart, &args);
    drop(alone);
    let name = regex::Regex::new(r"builder (sf-[0-9a-f]+-[0-9a-f]+): docker").unwrap();
    for found in name.captures_iter(workflow.text()) {
        sandbox.the_engine().remove_builder(&format!("buildx_buildkit_{}0", &found[1]));
    }
    workflow
}

#[test]
fn legs_on_two_runners_become_one_image() {
    let (sandbox, args) = project("FROM scratch\nCOPY hello.txt /hello.txt\n");
    let workflow = act(&sandbox, &args).exits(0);
    let repository = format!("legs/{}", sandbox.id);
    let registry = sandbox.registry();
    assert_eq!(registry.tags(&repository), ["1.0", "latest"], "{}", workflow.text());
    let index = registry.manifest(&repository, "latest").unwrap();
    let platforms: Vec<_> = index.body["manifests"]
        .as_array()
        .unwrap_or_else(|| panic!("no index: {}", index.body))
        .iter()
        .map(|entry| entry["platform"]["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(platforms, ["amd64", "arm64"]);
    // The caller's next job sees what the merge published.
    let (outputs, _) = workflow.seen();
    let host = &sandbox.testbed.registry;
    assert_eq!(outputs["digest"], index.digest);
    assert_eq!(outputs["image"], format!("{host}/{repository}@{}", index.digest));
    assert_eq!(outputs["tags"], format!("{host}/{repository}:1.0\n{host}/{repository}:latest"));
    let handed = std::fs::read_dir(sandbox.path().join("artifacts")).unwrap();
    let mut handed: Vec<_> = handed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    handed.sort();
    assert_eq!(handed, ["stagefreight-leg-linux-amd64", "stagefreight-leg-linux-arm64"]);
}

/// GitHub counts a job that is skipped as passed where it is a required check: the merge runs, and is red.
#[test]
fn a_leg_that_fails_makes_the_merge_fail() {
    let (sandbox, args) = project("FROM scratch\nARG TARGETARCH\nCOPY only-$TARGETARCH /\n");
    let workflow = act(&sandbox, &args).exits(1);
    let told = workflow.annotations();
    let missing = |error: &Annotation| error.text.contains("the leg linux/arm64") && error.text.contains("is missing");
    assert!(told.iter().any(missing), "{told:?}");
    assert_eq!(sandbox.registry().tags(&format!("legs/{}", sandbox.id)), [""; 0], "{}", workflow.text());
}
