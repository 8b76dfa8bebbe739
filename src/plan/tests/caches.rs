use super::*;

const HYBRID: &str = "
version: 1
sources: {primary: {url: acme/app}}
builds: [{id: app, kind: docker}]
targets:
  - {id: ghcr, kind: registry, build: app, url: ghcr.io, path: acme/app, credentials: GHCR, tags: [x], when: {branches: [main]}}
build_cache: {mode: hybrid, external: {target: ghcr}}
";

const DIR: &str = "/stagefreight/cache/buildkit/5f89da0438fa1b17";
const OPTIONS: &str = "mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true";

#[test]
fn a_branch_reads_its_own_cache_then_that_of_the_default_branch() {
    let plan = planned(&request(HYBRID));
    let step = &plan.steps[0];
    let main = "type=registry,ref=ghcr.io/acme/app:cache-5f89da04-main-0d6e4079";
    assert_eq!(step.cache_from, [format!("type=local,src={DIR}"), main.to_owned()]);
    assert_eq!(step.cache_to, [format!("type=local,dest={DIR},{OPTIONS}"), format!("{main},{OPTIONS}")]);
    assert_eq!((plan.cache.mode.as_str(), plan.cache.branch.as_str(), plan.cache.fallback), ("hybrid", "main", None));

    let mut feature = request(HYBRID);
    feature.context.branch = Some("feature/a-b".into());
    let plan = planned(&feature);
    let step = &plan.steps[0];
    let own = "type=registry,ref=ghcr.io/acme/app:cache-5f89da04-feature-a-b-10b80f5c";
    assert_eq!(step.cache_from, [format!("type=local,src={DIR}"), own.to_owned(), main.to_owned()]);
    assert_eq!(step.cache_to, Vec::<String>::new(), "its target is out: nothing is published, nothing is written");
    assert_eq!(plan.cache.skipped, ["no cache is written: nothing is published"]);
    assert_eq!(plan.cache.fallback.as_deref(), Some("main"));
    let registry = plan.cache.registry.unwrap();
    assert_eq!(
        (registry.repository.to_string(), registry.credentials.as_deref()),
        ("ghcr.io/acme/app".into(), Some("GHCR"))
    );
}

#[test]
fn a_tag_reads_the_default_branch_and_a_fork_writes_nothing() {
    let plan = planned(&on_tag(request(HYBRID), "v1.0.0"));
    assert_eq!(plan.steps[0].cache_from[1], "type=registry,ref=ghcr.io/acme/app:cache-5f89da04-main-0d6e4079");
    let mut fork = from_fork(request(HYBRID));
    fork.inputs.cache_to = strings(&["type=gha"]);
    let plan = planned(&fork);
    assert_eq!((plan.steps[0].cache_from.len(), plan.steps[0].cache_to.len()), (2, 0));
    let why = "the input `cache-to` is not used: pull request from the fork mallory/app";
    assert_eq!(plan.cache.skipped.last().unwrap(), why);
}

#[test]
fn inputs_take_the_place_of_the_config_each_for_itself() {
    let mut asked = request(HYBRID);
    asked.inputs.cache_from = strings(&["type=gha", "ghcr.io/acme/app:buildcache"]);
    let step = step_of(&asked);
    assert_eq!(step.cache_from, ["type=gha", "ghcr.io/acme/app:buildcache"]);
    assert_eq!(step.cache_to.len(), 2);
    asked.inputs.cache_to = strings(&["type=inline"]);
    asked.inputs.push = Some(false);
    assert_eq!(step_of(&asked).cache_to, ["type=inline"], "what is asked for is written, published or not");
    asked.inputs.cache_from = strings(&["", "a\nb", "\"x"]);
    assert_eq!(refused(&asked).len(), 3);
}

#[test]
fn trouble_with_a_cache_is_no_trouble_with_the_build() {
    let mut asked = request(&HYBRID.replace("path: acme/app", "path: '{env:NOPE}'"));
    asked.inputs.tags = strings(&["a.io/b:c"]);
    asked.local_cache_writable = false;
    let plan = planned(&asked);
    assert!(plan.steps[0].cache_from.is_empty() && plan.steps[0].cache_to.is_empty());
    assert_eq!(plan.cache.skipped.len(), 2, "{:?}", plan.cache.skipped);
    assert!(
        plan.notes[0].starts_with("the external cache is not used: targets.ghcr.path: `{env:NOPE}`"),
        "{:?}",
        plan.notes
    );
}

#[test]
fn several_builds_do_not_overwrite_each_other() {
    let config = HYBRID.replace("[{id: app, kind: docker}]", "[{id: app, kind: docker}, {id: web, kind: docker}]");
    let plan = planned(&request(&config));
    let writes: Vec<_> = plan.steps.iter().map(|s| s.cache_from[1].as_str()).collect();
    assert_eq!(
        writes,
        [
            "type=registry,ref=ghcr.io/acme/app:cache-app-5f89da04-main-0d6e4079",
            "type=registry,ref=ghcr.io/acme/app:cache-web-5f89da04-main-0d6e4079"
        ]
    );
}
