use insta::assert_snapshot;

use super::*;
use crate::plan::render::text;

#[test]
fn a_plan_says_everything_and_why() {
    let config = "
version: 1
project: {license: MIT}
builds:
  - {id: base, kind: docker, dockerfile: base/Dockerfile, required: false}
  - {id: app, kind: docker, depends_on: base, target: prod, platforms: [linux/amd64, linux/arm64], build_mode: crucible}
  - {id: docs, kind: docker, select_tags: ['^docs-']}
targets:
  - {id: ghcr, kind: registry, build: app, url: ghcr.io, path: acme/app, credentials: GHCR, tags: ['{version}', latest]}
  - {id: hub-nightly, kind: registry, build: app, provider: docker, path: acme/app, tags: [nightly], when: {events: [schedule]}}
build_cache: {mode: hybrid, external: {target: ghcr}}
";
    let mut request = request(config);
    request.context.branch = Some("feature/a-b".into());
    request.local_cache_writable = false;
    request.source.dockerfiles =
        [("Dockerfile", "ARG VERSION\nFROM alpine:3 AS prod\n"), ("base/Dockerfile", "FROM scratch\n")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
    request.inputs.secret_files = strings(&["npm=.npmrc"]);
    request.inputs.secrets = vec![Secret::new("gh=hush")];
    request.inputs.labels = strings(&["note=two\nlines"]);
    assert_snapshot!(text(&planned(&request)), @r"
    Plan for https://github.com/acme/app
      version      1.2.2-dev+4f4112d (not a release)
      commit       4f4112d10770be7e6195844aabad4bb59ba16b78 of 2026-01-02T03:04:05Z
      builder      sf-aac23a0f on buildkitd if it answers, else docker, else rootless where no buildkitd is set up
      cache        hybrid: feature/a-b, then main
                   local: /stagefreight/cache/buildkit/aac23a0f5f303e6d is not there or cannot be written
                   no cache of build `base` is written: nothing is published
                   build `app` is proven, so it neither reads nor writes a cache

    Build base (may fail)
      dockerfile   base/Dockerfile
      context      .
      platforms    linux/amd64
      labels       note=two\nlines
                   org.opencontainers.image.created=2026-01-02T03:04:05Z
                   org.opencontainers.image.licenses=MIT
                   org.opencontainers.image.revision=4f4112d10770be7e6195844aabad4bb59ba16b78
                   org.opencontainers.image.source=https://github.com/acme/app
                   org.opencontainers.image.title=app
                   org.opencontainers.image.url=https://github.com/acme/app
                   org.opencontainers.image.version=1.2.2-dev+4f4112d
                   org.stagefreight.plan.sha256=36a7625491bb3d8afe15bcdfda4f0c68c99363d997c2d69e6c1e6368522823e6
      secrets      id=npm,src=.npmrc
                   id=gh, given by value
      cache from   type=registry,ref=ghcr.io/acme/app:cache-base-aac23a0f-feature-a-b-10b80f5c
                   type=registry,ref=ghcr.io/acme/app:cache-base-aac23a0f-main-0d6e4079
      loads        stagefreight:dev-base; without an engine, writes an OCI layout to dist/base
      targets
        none

    Build app
      dockerfile   Dockerfile
      context      .
      stage        prod
      depends on   base
      platforms    linux/amd64
                   linux/arm64
      base images  alpine:3
      proof        crucible: built twice, cold, and compared
      min trust    consistent
      build args   VERSION=1.2.2-dev+4f4112d
      labels       note=two\nlines
                   org.opencontainers.image.created=2026-01-02T03:04:05Z
                   org.opencontainers.image.licenses=MIT
                   org.opencontainers.image.revision=4f4112d10770be7e6195844aabad4bb59ba16b78
                   org.opencontainers.image.source=https://github.com/acme/app
                   org.opencontainers.image.title=app
                   org.opencontainers.image.url=https://github.com/acme/app
                   org.opencontainers.image.version=1.2.2-dev+4f4112d
                   org.stagefreight.plan.sha256=b1a1e9f9ac6d538663d964dbba6e0c88da0b4d7f2ec1878ce6b17e3aa23449ca
      annotations  index:org.opencontainers.image.created=2026-01-02T03:04:05Z
                   index:org.opencontainers.image.licenses=MIT
                   index:org.opencontainers.image.revision=4f4112d10770be7e6195844aabad4bb59ba16b78
                   index:org.opencontainers.image.source=https://github.com/acme/app
                   index:org.opencontainers.image.title=app
                   index:org.opencontainers.image.url=https://github.com/acme/app
                   index:org.opencontainers.image.version=1.2.2-dev+4f4112d
      with         timestamps rewritten
                   every cache ignored
      secrets      id=npm,src=.npmrc
                   id=gh, given by value
      publishes
        ghcr.io/acme/app:1.2.2-dev-4f4112d (GitHub, login GHCR_*)
        ghcr.io/acme/app:latest (GitHub, login GHCR_*)
      targets
        in  ghcr         it has no conditions
        out hub-nightly  event push is none of when.events [schedule]

    Left out
        out docs  select_tags [^docs-] wants a git tag and this run has none
    ");
}

#[test]
fn a_run_without_anything_is_short() {
    let mut request = request("");
    (request.source.git, request.context.commit) = (None, None);
    assert_snapshot!(text(&planned(&request)), @r"
    Plan for https://github.com/acme/app
      version      0.0.0-dev (not a release)
      commit       none
      builder      sf-aac23a0f on buildkitd if it answers, else docker, else rootless where no buildkitd is set up
      cache        the builder's own

    Build default
      dockerfile   Dockerfile
      context      .
      platforms    linux/amd64
      base images  alpine:3.20
      labels       org.opencontainers.image.source=https://github.com/acme/app
                   org.opencontainers.image.title=app
                   org.opencontainers.image.url=https://github.com/acme/app
                   org.opencontainers.image.version=0.0.0-dev
                   org.stagefreight.plan.sha256=8773c2b5457f4448b6b25fca2ee01bcccc61af254e329ec232eab4ffaad0587a
      loads        stagefreight:dev; without an engine, writes an OCI layout to dist
      targets
        none
    ");
}

#[test]
fn a_plan_says_what_may_build_it() {
    let builder = |input: Option<&str>, existing: Option<&str>| {
        let mut request = request("");
        request.inputs.backend = input.map(str::to_owned);
        request.inputs.builder = existing.map(str::to_owned);
        let text = text(&planned(&request));
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix("builder ")).unwrap();
        line.trim().to_owned()
    };
    assert_snapshot!(builder(None, None), @"sf-aac23a0f on buildkitd if it answers, else docker, else rootless where no buildkitd is set up");
    assert_snapshot!(builder(Some("buildkitd"), None), @"sf-aac23a0f on buildkitd and nothing else");
    assert_snapshot!(builder(Some("docker"), None), @"sf-aac23a0f on docker and nothing else");
    assert_snapshot!(builder(Some("rootless"), None), @"sf-aac23a0f on BuildKit in the job itself (rootless)");
    assert_snapshot!(builder(None, Some("mine")), @"mine, as it is");
}

#[test]
fn nothing_a_branch_or_label_holds_reaches_the_terminal_as_a_command() {
    let mut request = from_fork(request("version: 1\ntargets: [{id: t, kind: registry, path: a/b, tags: [x]}]"));
    request.context.trust = Trust::Untrusted { reason: "fork\u{1b}[2J\r\n::error::x\u{202e}evil\u{7}".into() };
    request.inputs.labels = strings(&["a=\u{1b}]0;x\u{7}\n::add-mask::y"]);
    let text = text(&planned(&request));
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
}

#[test]
fn json_is_the_plan() {
    let mut request = request("");
    request.inputs.tags = strings(&["ghcr.io/acme/app:{version}"]);
    let json = serde_json::to_value(planned(&request)).unwrap();
    assert_eq!(json["steps"][0]["output"]["kind"], "publish");
    assert_eq!(json["steps"][0]["output"]["targets"][0]["repository"], "ghcr.io/acme/app");
    assert_eq!(json["version"]["full"], "1.2.2-dev+4f4112d");
    assert_eq!(json["steps"][0]["build_mode"], "");
}
