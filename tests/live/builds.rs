//! Several builds in one run, and caches between runs.

use crate::support::Sandbox;

#[test]
fn a_build_sees_the_image_just_built_and_not_an_older_tag() {
    let sandbox = Sandbox::new();
    let id = sandbox.id.clone();
    let base = format!("{}/live/{id}/base:stable", sandbox.testbed.registry);
    let sandbox = sandbox
        .file("base/Dockerfile", "FROM busybox\nARG WORD\nRUN echo \"$WORD\" > /word\n")
        .file("app/Dockerfile", &format!("FROM {base}\nRUN cp /word /copied\nCMD [\"cat\", \"/copied\"]\n"))
        .config(
            "version: 1
builds:
  - {id: app, kind: docker, context: app, dockerfile: app/Dockerfile, depends_on: base}
  - {id: base, kind: docker, context: base, dockerfile: base/Dockerfile, build_args: {WORD: '{env:WORD}'}}
targets:
  - {id: base, kind: registry, build: base, url: '{registry}', path: 'live/{id}/base', tags: [stable]}
  - {id: app, kind: registry, build: app, url: '{registry}', path: 'live/{id}/app', tags: [stable]}
",
        )
        .buildkitd()
        .var("WORD", "first");
    let engine = crate::support::Engine::new(&sandbox.testbed.docker_host);
    let app = format!("live/{id}/app");
    for word in ["first", "second"] {
        let sandbox = &sandbox;
        let run = {
            let mut vars = sandbox.vars.clone();
            vars.insert("WORD".to_owned(), word.to_owned());
            sandbox.start_with(&vars, &["run"]).wait(std::time::Duration::from_secs(120)).succeeds()
        };
        let digest = sandbox.registry().digest(&app, "stable");
        let name = format!("{}/{app}@{digest}", sandbox.testbed.registry);
        assert_eq!(engine.run(&name, &[]).trim(), word);
        engine.remove_image(&name);
        sandbox.assert_tidy(&run);
    }
    assert_eq!(sandbox.result()["builds"].as_array().unwrap().len(), 2);
}

#[test]
fn one_build_and_what_it_depends_on() {
    let sandbox = Sandbox::new()
        .file("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        .config(
            "version: 1
builds:
  - {id: base, kind: docker}
  - {id: app, kind: docker, depends_on: base}
  - {id: docs, kind: docker}
targets:
  - {id: base, kind: registry, build: base, url: '{registry}', path: 'live/{id}/base', tags: [a]}
  - {id: app, kind: registry, build: app, url: '{registry}', path: 'live/{id}/app', tags: [a]}
  - {id: docs, kind: registry, build: docs, url: '{registry}', path: 'live/{id}/docs', tags: [a]}
",
        )
        .on("github-push")
        .buildkitd();
    let run = sandbox.run(&["run", "--build-id", "app"]).succeeds();
    let tags = |name: &str| sandbox.registry().tags(&format!("live/{}/{name}", sandbox.id));
    assert_eq!((tags("base").len(), tags("app").len(), tags("docs").len()), (1, 1, 0));
    let outputs = sandbox.outputs();
    assert_eq!(outputs["tags"], sandbox.fill("{registry}/live/{id}/app:a"), "the build that was asked for");
    assert_eq!(sandbox.result()["left_out"][0]["id"], "docs");
    sandbox.assert_tidy(&run);
}

#[test]
fn a_build_that_need_not_work_may_fail() {
    let sandbox = super::publish::small(Sandbox::new())
        .file("extra/Dockerfile", "FROM busybox\nRUN echo no luck >&2; exit 3\n")
        .config(
            "version: 1
builds:
  - {id: extra, kind: docker, dockerfile: extra/Dockerfile, required: false}
  - {id: app, kind: docker}
targets:
  - {id: extra, kind: registry, build: extra, url: '{registry}', path: 'live/{id}/extra', tags: [latest]}
  - {id: app, kind: registry, build: app, url: '{registry}', path: 'live/{id}/app', tags: [latest]}
",
        )
        .buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(sandbox.registry().tags(&format!("live/{}/app", sandbox.id)), ["latest"]);
    assert_eq!(sandbox.registry().tags(&format!("live/{}/extra", sandbox.id)), [""; 0]);
    let result = sandbox.result();
    assert_eq!(result["status"], "success");
    let extra = result["builds"].as_array().unwrap().iter().find(|b| b["id"] == "extra").unwrap();
    assert_eq!(extra["state"], "build_failed");
    run.says(&["extra", "no luck", "optional"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_dependency_that_fails_stops_what_needs_it() {
    let sandbox = Sandbox::new()
        .file("Dockerfile", "FROM busybox\nRUN exit 4\n")
        .config(
            "version: 1
builds:
  - {id: base, kind: docker}
  - {id: app, kind: docker, depends_on: base}
targets:
  - {id: app, kind: registry, build: app, url: '{registry}', path: 'live/{id}', tags: [latest]}
",
        )
        .buildkitd();
    let run = sandbox.run(&["run"]).exits(1);
    let result = sandbox.result();
    assert_eq!(result["builds"][0]["state"], "build_failed");
    assert_eq!(result["builds"][1]["state"], "not_run");
    assert!(result["builds"][1]["why"].as_str().unwrap().contains("base"), "{result}");
    run.says(&["exit code: 4"]);
    sandbox.assert_tidy(&run);
}

/// A build whose RUN is slow to make and tells whether it ran.
fn cached(mode: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let dockerfile = format!("FROM busybox\nRUN head -c 16 /dev/urandom | md5sum > /random # {}\n", sandbox.id);
    let cache = sandbox.path().join("cache");
    sandbox
        .file("Dockerfile", &dockerfile)
        .config(&format!(
            "version: 1
builds:
  - {{id: app, kind: docker}}
build_cache:
  {mode}
  local: {{path: '{}'}}
  external: {{target: hub}}
targets:
  - {{id: hub, kind: registry, build: app, url: '{{registry}}', path: 'live/{{id}}', tags: [latest]}}
",
            cache.display()
        ))
        .on("github-push")
}

fn second_run_hits(sandbox: Sandbox) -> Sandbox {
    // The second daemon has never seen this build: only the cache can know it.
    let elsewhere = crate::support::extras::PrivateBuildkitd::start();
    let sandbox = sandbox.buildkitd();
    let first = sandbox.run(&["run"]).succeeds();
    let repository = format!("live/{}", sandbox.id);
    let digest = sandbox.registry().digest(&repository, "latest");
    let sandbox = sandbox.var("BUILDKIT_HOST", &elsewhere.host);
    let second = sandbox.run(&["run"]).succeeds();
    let layers = sandbox.result()["builds"][0]["layers"].clone();
    let step = layers.as_array().unwrap().iter().find(|l| l["instruction"] == "RUN").unwrap();
    assert_eq!(step["cached"], true, "{layers}");
    assert_eq!(sandbox.registry().digest(&repository, "latest"), digest);
    second.says(&["cached"]);
    sandbox.assert_silent(&first);
    sandbox.assert_tidy(&second);
    sandbox
}

#[test]
fn a_local_cache_serves_the_next_run() {
    let sandbox = cached("mode: local");
    std::fs::create_dir(sandbox.path().join("cache")).unwrap();
    second_run_hits(sandbox);
}

#[test]
fn a_shared_cache_serves_the_next_run() {
    let sandbox = second_run_hits(cached("mode: shared"));
    let tags = sandbox.registry().tags(&format!("live/{}", sandbox.id));
    assert_eq!(tags.len(), 2, "{tags:?}");
    assert!(tags[0].starts_with("cache-") && tags[0].contains("-main-"), "{tags:?}");
}
