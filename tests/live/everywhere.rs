//! One commit, built where each forge and a laptop would build it: the same image, and the same outputs.

use std::collections::BTreeMap;

use crate::support::{Sandbox, outputs, unique};

/// A fixture for each kind of runner; `None` is a laptop.
const RUNNERS: [Option<&str>; 5] =
    [Some("github-push"), Some("gitea-push"), Some("forgejo-push"), Some("gitlab-branch"), None];

/// The same commit in every sandbox: nothing in it tells them apart.
fn checkout(repository: &str) -> Sandbox {
    Sandbox::new()
        .file("hello.sh", "#!/bin/sh\necho hello\n")
        .file("Dockerfile", "FROM busybox:1.36\nCOPY hello.sh /usr/bin/hello\nRUN date >/dev/null && sh /usr/bin/hello >/etc/hello\n")
        .config(&format!(
            "version: 1
sources: {{primary: {{kind: git, url: 'https://git.example.org/acme/app', default_branch: main}}}}
builds:
  - {{id: app, kind: docker, reproducible: on}}
targets:
  - {{id: hub, kind: registry, build: app, url: '{{registry}}', path: '{repository}', tags: ['{{branch}}', '{{sha:8}}', latest]}}
"
        ))
}

/// The outputs by the names an action gives them, lists as lists: what is left is the same on every forge.
fn told(sandbox: &Sandbox, runner: Option<&str>) -> BTreeMap<String, Vec<String>> {
    let list = |name: &str, value: &str, separator: char| {
        let many = matches!(name, "tags" | "provenance" | "published");
        let mut all: Vec<String> =
            if many { value.split(separator).map(str::to_owned).collect() } else { vec![value.to_owned()] };
        all.sort();
        all
    };
    match runner {
        Some("gitlab-branch") => {
            let text = std::fs::read_to_string(sandbox.workspace().join(".stagefreight/outputs.env")).unwrap();
            let read = outputs::dotenv(&text).into_iter().map(|(name, value)| {
                let name = name.strip_prefix("STAGEFREIGHT_").unwrap().to_lowercase().replace('_', "-");
                // Where the plain name is that of an input.
                let name = name.strip_prefix("image-").map(str::to_owned).unwrap_or(name);
                let value = list(&name, &value, ',');
                (name, value)
            });
            read.collect()
        }
        Some(_) => {
            let read = sandbox.outputs().into_iter().map(|(name, value)| {
                let value = list(&name, &value, '\n');
                (name, value)
            });
            read.collect()
        }
        // A laptop reads no outputs: the result document holds what they are made of.
        None => BTreeMap::new(),
    }
}

#[test]
fn one_commit_is_one_image_everywhere() {
    let repository = format!("live/everywhere-{}", unique());
    let mut digests = BTreeMap::new();
    let mut all_outputs = Vec::new();
    let mut all_published = Vec::new();
    for runner in RUNNERS {
        let sandbox = checkout(&repository);
        let sandbox = match runner {
            Some(fixture) => sandbox.on(fixture),
            None => sandbox,
        };
        let sandbox = sandbox.buildkitd();
        let run = sandbox.run(&["run"]).succeeds();
        let name = runner.unwrap_or("laptop");
        let result = sandbox.result();
        let build = &result["builds"][0];
        digests.insert(name, build["digest"].as_str().unwrap().to_owned());
        assert_eq!(sandbox.registry().digest(&repository, "latest"), build["digest"], "{name}");
        let mut published: Vec<_> =
            build["published"].as_array().unwrap().iter().map(|p| p["reference"].clone()).collect();
        published.sort_by_key(ToString::to_string);
        all_published.push((name, published));
        if runner.is_some() {
            all_outputs.push((name, told(&sandbox, runner)));
        }
        sandbox.assert_silent(&run);
    }
    let different: std::collections::BTreeSet<_> = digests.values().collect();
    assert_eq!(different.len(), 1, "{digests:#?}");
    let (_, tags) = &all_published[0];
    assert_eq!(tags.len(), 3, "{tags:?}");
    for (name, published) in &all_published {
        assert_eq!(published, tags, "{name}");
    }
    // `published` and `metadata` have another form in a dotenv report, which the report's own tests pin.
    let (_, first) = &all_outputs[0];
    assert!(first.len() >= 10, "{first:?}");
    for (name, outputs) in &all_outputs {
        assert_eq!(outputs.keys().collect::<Vec<_>>(), first.keys().collect::<Vec<_>>(), "{name}");
        for (output, value) in outputs.iter().filter(|(output, _)| !matches!(output.as_str(), "published" | "metadata"))
        {
            assert_eq!(value, &first[output], "{output} on {name}");
        }
    }
}
