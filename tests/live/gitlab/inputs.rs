//! What GitLab checks before a job runs: inputs against their types, and components against GitLab's own schema.

use serde_json::{Value, json};

use super::{Project, find, root, tool};

fn preview(component: &str, inputs: &str) -> crate::support::Finished {
    let text =
        format!("include:\n  - component: @{component}\n    inputs: {{{inputs}}}\nother: {{script: [echo other]}}\n");
    Project::new().pipeline(&text).call(&["--preview"])
}

#[test]
fn wrong_values_are_refused_before_a_job_runs() {
    let cases = [
        ("build", "backend: podman", "not in the list of allowed options"),
        ("build", "push: perhaps", "not a boolean"),
        ("build", "no-cache: 'yes'", "not a boolean"),
        ("build", "git-depth: all", "not a number"),
        ("build", "runner-tags: docker", "not a array"),
        ("build", "build-mode: twice", "not in the list of allowed options"),
        ("build", "job-name: '$(touch x)'", "does not match required regex"),
        ("build", "platforms: 'linux/amd64;id'", "does not match required regex"),
        ("merge", "job-name: m", "required value has not been provided"),
        ("cleanup", "targets: 'a;b'", "does not match required regex"),
        ("cleanup", "mode: destroy", "not in the list of allowed options"),
        ("pipeline", "cleanup: sometimes", "not a boolean"),
    ];
    for (component, inputs, says) in cases {
        let run = preview(component, inputs);
        assert_ne!(run.code, Some(0), "{component}: {inputs}: {}", run.text());
        run.says(&[says]);
    }
}

/// Nothing of one include is seen in the jobs of the other.
#[test]
fn a_component_is_included_twice() {
    let include = |component: &str, inputs: &str| format!("  - component: @{component}\n    inputs: {{{inputs}}}\n");
    let text = [
        "include:\n".to_owned(),
        include(
            "build",
            "job-name: amd, backend: buildkitd, buildkit-host: 'tcp://amd:1', buildkit-certs: /amd, file: a",
        ),
        include(
            "build",
            "job-name: arm, backend: buildkitd, buildkit-host: 'tcp://arm:1', buildkit-certs: /arm, file: b",
        ),
        include("pipeline", "job-name: api, build-id: api, backend: dind, dind-image: 'api:1', push: false"),
        include("pipeline", "job-name: web, build-id: web, backend: dind, dind-image: 'web:1', keyless-signing: true"),
        include("merge", "job-name: one, legs: [amd], tags: 'reg.example/one:1', keyless-signing: true"),
        include("merge", "job-name: two, legs: [arm], tags: 'reg.example/two:1', push: false"),
    ];
    let run = Project::new().pipeline(&text.concat()).call(&["--preview"]).succeeds();
    let yaml = run.stdout.split_once("---\n").map_or(run.stdout.as_str(), |(_, yaml)| yaml);
    let jobs: Value = serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"));
    for name in ["amd", "arm"] {
        let variables = &jobs[name]["variables"];
        assert_eq!(variables["BUILDKIT_HOST"], format!("tcp://{name}:1").as_str());
        assert_eq!(variables["BUILDKIT_CERT_PATH"], format!("/{name}").as_str());
    }
    for name in ["api", "web"] {
        for job in [&jobs[name], &jobs[format!("{name}-leg")]] {
            assert_eq!(job["variables"]["STAGEFREIGHT_BUILD_ID"], name, "{yaml}");
        }
        assert_eq!(jobs[format!("{name}-leg")]["services"][0]["name"], format!("{name}:1").as_str());
    }
    let [signing, pushing] = ["id_tokens", "variables"].map(|key| {
        ["api", "web", "one", "two"].map(|job| match key {
            "variables" => jobs[job][key]["STAGEFREIGHT_PUSH"] != "false",
            _ => !jobs[job][key].is_null(),
        })
    });
    assert_eq!((signing, pushing), ([false, true, true, false], [false, true, true, false]));
    assert_eq!(jobs["two"]["variables"]["STAGEFREIGHT_TAGS"], "reg.example/two:1");
}

#[test]
fn right_values_make_the_jobs_they_should() {
    let jobs = |component: &str, inputs: &str| -> Value {
        let run = preview(component, inputs).succeeds();
        let yaml = run.stdout.split_once("---\n").map_or(run.stdout.as_str(), |(_, yaml)| yaml);
        serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"))
    };
    let built =
        jobs("build", "backend: dind, push: false, keyless-signing: true, no-cache: true, runner-tags: [big, arm]");
    let job = &built["build-image"];
    assert_eq!(job["services"][0], json!({"name": "docker:28-dind", "alias": "docker"}));
    assert_eq!(job["variables"]["DOCKER_HOST"], "tcp://docker:2376");
    assert_eq!(job["variables"]["STAGEFREIGHT_PUSH"], "false");
    assert_eq!(job["variables"]["STAGEFREIGHT_NO_CACHE"].as_str().map(str::trim), Some("true"));
    assert_eq!(job["id_tokens"]["SIGSTORE_ID_TOKEN"]["aud"], "sigstore");
    assert_eq!(job["tags"], json!(["big", "arm"]));
    assert_eq!(job["image"]["entrypoint"], json!([""]));

    let built = jobs("build", "backend: runner, job-name: mine, stage: test");
    let job = &built["mine"];
    assert_eq!((&job["stage"], &job["services"], &job["id_tokens"]), (&"test".into(), &Value::Null, &Value::Null));
    assert_eq!(
        (&job["variables"]["DOCKER_HOST"], &job["variables"]["STAGEFREIGHT_PUSH"]),
        (&Value::Null, &Value::Null)
    );

    let joined = jobs("pipeline", "backend: rootless, cleanup: true");
    assert_eq!(joined["build-image"]["script"], json!(["stagefreight merge"]));
    assert_eq!(joined["build-image"]["needs"][0]["job"], "build-image-leg");
    let leg = &joined["build-image-leg"];
    let second = &leg["parallel"]["matrix"][1];
    assert_eq!(second["STAGEFREIGHT_PLATFORM_LEG"], json!(["linux/arm64"]));
    assert_eq!(leg["tags"], json!(["$STAGEFREIGHT_RUNNER_TAG"]));
}

/// GitLab's schema knows no interpolation: each component is filled in, once for each choice it offers, and checked as the jobs
/// that come of it.
#[test]
fn components_and_examples_pass_gitlabs_schema() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let mut put = |name: String, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        files.push(path.to_str().unwrap().to_owned());
    };
    for component in ["build", "merge", "pipeline", "cleanup"] {
        let text = std::fs::read_to_string(root().join(format!("templates/{component}.yml"))).unwrap();
        let (header, body) = text.split_once("\n---\n").unwrap();
        put(format!("{component}.header.yml"), header);
        let spec: Value = serde_saphyr::from_str(header).unwrap();
        let inputs = spec["spec"]["inputs"].as_object().unwrap();
        let body: Value = serde_saphyr::from_str(body).unwrap();
        let defaults: serde_json::Map<_, _> =
            inputs.iter().map(|(name, input)| (name.clone(), input["default"].clone())).collect();
        // The schema wants at least one runner tag; GitLab takes none.
        let given = json!({"runner-tags": ["docker"], "legs": ["build-image"]});
        let mut choices: Vec<(String, Value)> = vec![("nothing".to_owned(), Value::Null)];
        for (name, input) in inputs {
            let options = match input["type"].as_str() {
                Some("boolean") => vec![true.into(), false.into()],
                _ => input["options"].as_array().cloned().unwrap_or_default(),
            };
            let others = options.into_iter().filter(|option| option != &input["default"]);
            choices.extend(others.map(|option| (name.clone(), option)));
        }
        for (number, (name, option)) in choices.into_iter().enumerate() {
            let mut values = defaults.clone();
            values.insert("runner-tags".to_owned(), given["runner-tags"].clone());
            if component == "merge" {
                values.insert("legs".to_owned(), given["legs"].clone());
            }
            if !option.is_null() {
                values.insert(name, option);
            }
            put(format!("{component}.{number}.json"), &filled(&body, &values).to_string());
        }
    }
    put("own.yml".to_owned(), &std::fs::read_to_string(root().join(".gitlab-ci.yml")).unwrap());
    for entry in std::fs::read_dir(root().join("examples/gitlab")).unwrap() {
        let path = entry.unwrap().path();
        put(
            format!("example.{}", path.file_name().unwrap().to_str().unwrap()),
            &std::fs::read_to_string(&path).unwrap(),
        );
    }
    assert!(files.len() > 25, "{files:?}");
    let schema = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"];
    let checker = find("check-jsonschema");
    let args: Vec<&str> = schema.into_iter().chain(files.iter().map(String::as_str)).collect();
    tool(&checker, &args).succeeds();

    // It would say so.
    let broken = dir.path().join("broken.json");
    std::fs::write(
        &broken,
        json!({"job": {"script": ["x"], "artifacts": {"reports": {"codequalty": "x"}}}}).to_string(),
    )
    .unwrap();
    let args: Vec<&str> = schema.into_iter().chain([broken.to_str().unwrap()]).collect();
    assert_eq!(tool(&checker, &args).code, Some(1));
}

/// Inputs filled in as GitLab does it, node by node: an input that is a whole value keeps its type, one inside a text becomes text.
fn filled(node: &Value, inputs: &serde_json::Map<String, Value>) -> Value {
    match node {
        Value::String(text) => {
            let block = regex::Regex::new(r"\$\[\[ inputs\.([a-z-]+) \]\]").unwrap();
            let Some(found) = block.captures(text) else { return node.clone() };
            let value = &inputs[&found[1]];
            if found[0].len() == text.len() {
                return value.clone();
            }
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Value::String(block.replace_all(text, regex::NoExpand(&value)).into_owned())
        }
        Value::Array(all) => all.iter().map(|node| filled(node, inputs)).collect(),
        Value::Object(all) => {
            let pairs = all.iter().map(|(name, node)| {
                let name = filled(&Value::String(name.clone()), inputs);
                (name.as_str().unwrap().to_owned(), filled(node, inputs))
            });
            Value::Object(pairs.collect())
        }
        other => other.clone(),
    }
}
