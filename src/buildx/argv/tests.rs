//! Exact argv tables: what buildx is called with, word for word.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::plan::{BuildMode, Output};

pub(crate) fn step() -> Step {
    Step {
        id: "app".into(),
        depends_on: Vec::new(),
        required: true,
        build_mode: BuildMode::Plain,
        crucible: None,
        dockerfile: "Dockerfile".into(),
        context: ".".into(),
        target: None,
        platforms: Vec::new(),
        leg: None,
        build_args: BTreeMap::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        build_contexts: BTreeMap::new(),
        secrets: Vec::new(),
        secret_values: Vec::new(),
        ssh: Vec::new(),
        cache_from: Vec::new(),
        cache_to: Vec::new(),
        no_cache: false,
        pull: false,
        provenance: "false".into(),
        sbom: "false".into(),
        rewrite_timestamp: false,
        epoch: Some(1_700_000_000),
        output: Output::Layout { dir: "dist".into() },
        also_load: Vec::new(),
        base_images: Vec::new(),
        targets: Vec::new(),
        plan_hash: String::new(),
    }
}

fn argv(
    step: &Step,
    exports: &[Export],
    dependencies: &[(String, String)],
    secret_files: &[(String, PathBuf)],
) -> String {
    let invocation = Invocation {
        builder: "sf-12345678",
        format: Format::RawJson,
        root: Path::new("/w"),
        metadata: Path::new("/t/m.json"),
        exports,
        dependencies,
        secret_files,
        nonce: None,
    };
    build(step, &invocation).join("\n")
}

fn push(names: &[&str]) -> Export {
    let repositories = names.iter().map(|n| n.parse().unwrap()).collect();
    Export::Push { repositories, insecure: false, rewrite_timestamp: false }
}

#[test]
fn the_plainest_build() {
    insta::assert_snapshot!(argv(&step(), &[push(&["localhost:5000/app"])], &[], &[]), @r"
    build
    --builder
    sf-12345678
    --progress
    rawjson
    --metadata-file
    /t/m.json
    --file
    /w/Dockerfile
    --provenance=false
    --sbom=false
    --output
    type=image,name=localhost:5000/app,push=true,push-by-digest=true,oci-mediatypes=true,compression=gzip
    --
    /w/.
    ");
}

#[test]
fn a_build_with_everything() {
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let step = Step {
        dockerfile: "docker/app.Dockerfile".into(),
        context: "https://forge.example/a.git#main".into(),
        target: Some("final".into()),
        platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
        build_args: map(&[("A", "1 2"), ("B", "x=y")]),
        labels: map(&[("org.opencontainers.image.title", "app, \"the\" one")]),
        annotations: map(&[("index:k", "v")]),
        build_contexts: map(&[("src", "../src")]),
        secrets: vec!["id=npm,env=NPM_TOKEN".into()],
        ssh: vec!["default".into()],
        cache_from: vec!["type=registry,ref=r/c:x".into()],
        cache_to: vec!["type=registry,ref=r/c:x,ignore-error=true".into()],
        no_cache: true,
        pull: true,
        provenance: "mode=max".into(),
        sbom: "true".into(),
        ..step()
    };
    let dependencies = [("base".to_owned(), "docker-image://r/base@sha256:00".to_owned())];
    let secrets = [("token".to_owned(), PathBuf::from("/t/a,b"))];
    let exports = [push(&["a.example/x", "b.example/y"]), Export::Engine { names: vec!["app:dev".into()] }];
    insta::assert_snapshot!(argv(&step, &exports, &dependencies, &secrets), @r#"
    build
    --builder
    sf-12345678
    --progress
    rawjson
    --metadata-file
    /t/m.json
    --file
    docker/app.Dockerfile
    --target
    final
    --platform
    linux/amd64,linux/arm64
    --build-arg
    A=1 2
    --build-arg
    B=x=y
    --label
    org.opencontainers.image.title=app, "the" one
    --annotation
    index:k=v
    --build-context
    base=docker-image://r/base@sha256:00
    --build-context
    src=../src
    --secret
    id=npm,env=NPM_TOKEN
    --secret
    id=token,"src=/t/a,b"
    --ssh
    default
    --cache-from
    type=registry,ref=r/c:x
    --cache-to
    type=registry,ref=r/c:x,ignore-error=true
    --no-cache
    --pull
    --provenance=mode=max
    --sbom=true
    --output
    type=image,"name=a.example/x,b.example/y",push=true,push-by-digest=true,oci-mediatypes=true,compression=gzip
    --output
    type=docker,name=app:dev
    --
    https://forge.example/a.git#main
    "#);
}

#[test]
fn every_option_that_decides_a_digest_is_said() {
    let push = |insecure, rewrite_timestamp| Export::Push {
        repositories: vec!["a.example/x".parse().unwrap(), "b.example/y".parse().unwrap()],
        insecure,
        rewrite_timestamp,
    };
    let layout = Export::Layout { dir: "/out/a b".into(), rewrite_timestamp: true };
    let engine = Export::Engine { names: vec!["app:1".into(), "app:2".into()] };
    let specs: Vec<_> = [push(false, false), push(true, true), layout, engine].iter().map(Export::spec).collect();
    insta::assert_snapshot!(specs.join("\n"), @r#"
    type=image,"name=a.example/x,b.example/y",push=true,push-by-digest=true,oci-mediatypes=true,compression=gzip
    type=image,"name=a.example/x,b.example/y",push=true,push-by-digest=true,registry.insecure=true,oci-mediatypes=true,compression=gzip,rewrite-timestamp=true
    type=oci,tar=false,dest=/out/a b,oci-mediatypes=true,compression=gzip,rewrite-timestamp=true
    type=docker,"name=app:1,app:2"
    "#);
}

#[test]
fn builders_are_made_with_exactly_these_words() {
    let certs = ClientCerts { ca: "/c,x/ca.pem".into(), cert: "/c/cert.pem".into(), key: "/c/key.pem".into() };
    let options = ContainerOptions {
        image: Some("registry.example/moby/buildkit:1".into()),
        host_network: true,
        env: vec![("NO_PROXY".into(), "a,b".into())],
        config: Some("/t/buildkitd.toml".into()),
    };
    let lines = [
        create_remote("sf-1", "tcp://b:1234", Some(&certs)),
        create_remote("sf-1", "unix:///b.sock", None),
        create_container("sf-1", &ContainerOptions::default(), None),
        create_container("sf-1", &options, Some("ctx")),
        inspect("sf-1"),
    ];
    let text: Vec<_> = lines.iter().map(|argv| argv.join(" ")).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    create --name sf-1 --driver remote --driver-opt "cacert=/c,x/ca.pem",cert=/c/cert.pem,key=/c/key.pem tcp://b:1234
    create --name sf-1 --driver remote unix:///b.sock
    create --name sf-1 --driver docker-container
    create --name sf-1 --driver docker-container --driver-opt image=registry.example/moby/buildkit:1 --driver-opt network=host --driver-opt "env.NO_PROXY=a,b" --buildkitd-config /t/buildkitd.toml ctx
    inspect --bootstrap sf-1
    "#);
}

#[test]
fn a_context_cannot_pass_for_a_flag() {
    let step = Step { context: "--push".into(), ..step() };
    assert!(argv(&step, &[], &[], &[]).ends_with("--\n/w/--push"));
}

#[test]
fn checks_are_asked_with_what_decides_them_and_build_nothing() {
    let step = Step {
        dockerfile: "deploy/Dockerfile".into(),
        context: "app".into(),
        target: Some("final".into()),
        build_args: BTreeMap::from([("VERSION".into(), "1".into())]),
        build_contexts: BTreeMap::from([("shared".into(), "../shared".into())]),
        ..step()
    };
    assert_eq!(
        super::check(&step, "b", Path::new("/work")).join(" "),
        "build --builder b --call check,format=json --file /work/deploy/Dockerfile --target final --build-arg VERSION=1 \
         --build-context shared=../shared -- /work/app"
    );
}
