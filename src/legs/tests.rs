use serde_json::{Value, json};

use super::document::{BadLeg, LIMIT, Pointer, Run, SCHEMA_VERSION, Staged, reseal};
use super::*;
use crate::image::Digest;
use crate::plan::Plan;
use crate::report::fixtures;

/// A leg of the fixtures' successful run.
fn leg(platform: &str) -> Document {
    let outcome = fixtures::success();
    let (plan, context) = (outcome.plan.unwrap(), outcome.context);
    let digest = Digest::of(platform.as_bytes());
    Document {
        schema_version: SCHEMA_VERSION,
        checksum: String::new(),
        tool: "stagefreight 1".into(),
        run: Run { repository: context.repository, pipeline: context.pipeline, ..Run::default() },
        build: plan.steps[0].id.clone(),
        platform: platform.into(),
        platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
        commit: plan.commit.clone(),
        version: plan.version.full.clone(),
        plan_hash: plan.steps[0].plan_hash.clone(),
        source_date_epoch: plan.steps[0].epoch,
        seconds: 1.25,
        digest: digest.clone(),
        staged: Some(Staged {
            repositories: vec!["ghcr.io/acme/app".into()],
            manifest: Pointer { media_type: crate::image::manifest::OCI_MANIFEST.into(), digest, size: 400 },
            config: Digest::of(b"config"),
            attestations: Vec::new(),
        }),
        builder: None,
        proof: None,
        statements: Vec::new(),
    }
}

fn plan() -> Plan {
    let mut plan = fixtures::success().plan.unwrap();
    plan.steps.truncate(1);
    plan.steps[0].platforms = vec!["linux/amd64".into(), "linux/arm64".into()];
    plan
}

fn found(file: &str, document: Document) -> Found {
    Found { file: file.into(), document }
}

fn both() -> Vec<Found> {
    vec![found("arm.json", leg("linux/arm64")), found("amd.json", leg("linux/amd64"))]
}

/// What is wrong with these legs.
fn refused(legs: Vec<Found>) -> Vec<String> {
    let (plan, context) = (plan(), fixtures::success().context);
    let failure = sort(&plan, &context, legs).expect_err("they can be merged");
    assert_eq!(failure.kind.exit_code(), 2);
    failure
        .problems
        .into_iter()
        .map(|problem| format!("{} | {}", problem.what, problem.hint.unwrap_or_default()))
        .collect()
}

#[test]
fn a_document_reads_back_as_it_was_written() {
    let text = leg("linux/arm64").to_text();
    let read = Document::parse(text.as_bytes()).unwrap();
    assert_eq!(read.to_text(), text);
    let checksum: Value = serde_json::from_str::<Value>(&text).unwrap()["checksum"].clone();
    assert!(checksum.as_str().unwrap().parse::<Digest>().is_ok());
    let mut later: Value = serde_json::from_str(&text).unwrap();
    later["new_field"] = json!({"of": "a later version"});
    assert_eq!(Document::parse(reseal(later).as_bytes()).unwrap().platform, "linux/arm64");
}

/// Seen in a run: read back, this number of seconds is another in its last digit.
#[test]
fn a_long_fraction_does_not_break_the_seal() {
    let mut leg = leg("linux/arm64");
    for seconds in [7.5422825289999995, 0.1 + 0.2, 1e-9, 1_234_567.891_234_5] {
        leg.seconds = seconds;
        let read = Document::parse(leg.to_text().as_bytes()).unwrap();
        assert!((read.seconds - seconds).abs() < 0.001, "{seconds}");
    }
}

#[test]
fn what_somebody_changed_is_no_leg() {
    let text = leg("linux/arm64").to_text();
    let changed = text.replace("linux/arm64\",\"platforms", "linux/amd64\",\"platforms");
    assert_ne!(changed, text);
    assert_eq!(Document::parse(changed.as_bytes()), Err(BadLeg::Checksum));
    let mut without: Value = serde_json::from_str(&text).unwrap();
    without.as_object_mut().unwrap().remove("checksum");
    assert_eq!(Document::parse(without.to_string().as_bytes()), Err(BadLeg::Checksum));
    let cut = &text[..text.len() / 2];
    assert!(matches!(Document::parse(cut.as_bytes()), Err(BadLeg::Form(_))));
}

#[test]
fn hostile_documents_are_refused_before_anything_is_asked() {
    let good: Value = serde_json::from_str(&leg("linux/arm64").to_text()).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut document = good.clone();
        *document.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        Document::parse(reseal(document).as_bytes())
    };
    assert!(with("/version", json!("9")).is_ok());
    assert_eq!(with("/schema_version", json!(2)), Err(BadLeg::Version(2)));
    for (pointer, value) in [
        ("/schema_version", json!("1")),
        ("/build", json!(["app"])),
        ("/digest", json!("sha256:short")),
        ("/digest", json!("../../etc/passwd")),
        ("/seconds", json!(-1)),
        ("/seconds", json!("long")),
        ("/platform", json!("linux/s390x")),
        ("/platforms", json!(vec!["linux/arm64"; 65])),
        ("/staged/repositories", json!(["../up"])),
        ("/staged/repositories", json!(["HTTP://x y"])),
        ("/staged/repositories", json!(vec!["a.example/b"; 257])),
        ("/staged/manifest/media_type", json!("application/vnd.oci.image.index.v1+json")),
        ("/staged/manifest/media_type", json!("text/html")),
        ("/staged/manifest/size", json!(1_u64 << 40)),
        ("/staged/manifest/size", json!(0)),
        ("/staged/manifest/size", json!(-1)),
        ("/staged/manifest/digest", json!("sha512:00")),
    ] {
        assert!(matches!(with(pointer, value.clone()), Err(BadLeg::Form(_))), "{pointer} {value}");
    }
    assert_eq!(Document::parse(&vec![b' '; LIMIT + 1]), Err(BadLeg::TooLarge));
    let deep = "[".repeat(100_000);
    for bytes in [deep.as_bytes(), b"", b"[]", b"null", b"\xff", b"{}"] {
        assert!(matches!(Document::parse(bytes), Err(BadLeg::Form(_))));
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let _ = Document::parse(&bytes);
    }
}

#[test]
fn legs_are_sorted_as_the_plan_has_their_platforms() {
    let (plan, context) = (plan(), fixtures::success().context);
    let (builds, notes) = sort(&plan, &context, both()).unwrap();
    let legs = builds[0].legs.as_ref().unwrap();
    assert_eq!(legs.iter().map(|leg| leg.file.as_str()).collect::<Vec<_>>(), ["amd.json", "arm.json"]);
    assert!(notes.is_empty());
}

#[test]
fn a_missing_leg_is_named_with_its_cure() {
    let (plan, context) = (plan(), fixtures::success().context);
    let (builds, _) = sort(&plan, &context, vec![found("amd.json", leg("linux/amd64"))]).unwrap();
    let problem = builds[0].legs.as_ref().unwrap_err();
    let build = &plan.steps[0].id;
    assert_eq!(problem.what, format!("build {build} cannot be merged: the leg linux/arm64 is missing"));
    let hint = problem.hint.as_ref().unwrap();
    assert!(hint.contains(".linux-arm64.json") && hint.contains("--platform-leg linux/arm64"), "{hint}");
}

#[test]
fn two_legs_of_one_platform_are_an_error_that_names_both() {
    let mut legs = both();
    legs.push(found("again/amd.json", leg("linux/amd64")));
    let said = refused(legs);
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("amd.json and again/amd.json"), "{said:?}");
}

#[test]
fn legs_of_anything_else_are_refused_by_name() {
    type Change = fn(&mut Document);
    let cases: [(&str, Change); 8] = [
        ("repository", |leg| leg.run.repository = Some("mallory/app".into())),
        ("commit", |leg| leg.commit = Some("f".repeat(40))),
        ("commit", |leg| leg.commit = None),
        ("pipeline run", |leg| leg.run.pipeline = Some("another".into())),
        ("version", |leg| leg.version = "0.0.1".into()),
        ("set of platforms", |leg| leg.platforms.push("linux/s390x".into())),
        ("plan of build", |leg| leg.plan_hash = "0".repeat(64)),
        ("plan of build", |leg| leg.source_date_epoch = Some(1)),
    ];
    for (what, change) in cases {
        let mut legs = both();
        change(&mut legs[0].document);
        let said = refused(legs);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&format!("arm.json is of another {what}")), "{said:?}");
        assert!(!said[0].ends_with("| "), "no cure: {said:?}");
    }
    let mut legs = both();
    legs[0].document.build = "nobody's".into();
    assert!(refused(legs)[0].starts_with("arm.json is of build `nobody\\'s`, which this run does not have"));
}

#[test]
fn legs_of_builds_that_are_left_out_are_a_note() {
    let (mut plan, context) = (plan(), fixtures::success().context);
    plan.left_out = vec![crate::plan::Decision { id: "other".into(), included: false, why: "not asked for".into() }];
    let mut legs = both();
    legs.push(found("other.json", Document { build: "other".into(), ..leg("linux/amd64") }));
    let (builds, notes) = sort(&plan, &context, legs).unwrap();
    assert!(builds[0].legs.is_ok());
    assert_eq!(notes.len(), 1);
}

#[test]
fn every_build_and_platform_has_a_file_of_its_own() {
    assert_eq!(path("app", "linux/arm64"), ".stagefreight/legs/app.linux-arm64.json");
    assert_eq!(path("app", "linux/arm/v7"), ".stagefreight/legs/app.linux-arm-v7.json");
    assert_eq!(path("app", "linux/aarch64"), path("app", "linux/arm64"));
    for id in ["../up", "a/b", "a b", "ä", "a.b", &"x".repeat(300)] {
        let path = path(id, "linux/amd64");
        let file = path.strip_prefix(".stagefreight/legs/").unwrap();
        assert!(!file.contains('/') && !file.starts_with('.') && file.len() < 150, "{path}");
    }
    assert_ne!(path("a/b", "linux/amd64"), path("a_b", "linux/amd64"));
    assert_ne!(path("a/b", "linux/amd64"), path("a b", "linux/amd64"));
}

/// A manifest of that many bytes and whatever digest.
fn manifest(text: &str) -> crate::image::Manifest {
    let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(text.as_bytes()), "size": 2});
    let bytes = json!({"schemaVersion": 2, "config": config, "layers": []}).to_string();
    crate::image::Manifest::new(bytes.into(), crate::image::manifest::OCI_MANIFEST).unwrap()
}

/// Compared with what BuildKit 0.32 wrote for such a build, by eye and, in `tests/live/legs.rs`, by digest.
#[test]
fn the_index_is_written_as_buildkit_writes_it() {
    let mut step = plan().steps.remove(0);
    step.annotations = [
        ("index:t", "a & <b> é"),
        ("manifest:m", "is in the manifests"),
        ("manifest-descriptor:d", "1"),
        ("manifest-descriptor[linux/arm64]:d", "2"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    let legs = ["linux/amd64", "linux/arm64"].map(|platform| {
        checked::unchecked(leg(platform), manifest(platform), vec![manifest(&format!("about {platform}"))])
    });
    let index = image(&step, &legs).unwrap();
    assert_eq!(index.media_type, crate::image::manifest::OCI_INDEX);
    insta::assert_snapshot!(std::str::from_utf8(&index.bytes).unwrap());
    let [one, _] = legs;
    step.platforms.truncate(1);
    assert_eq!(image(&step, std::slice::from_ref(&one)).unwrap(), *one.root(), "of one platform there is no index");
}

#[test]
fn files_are_found_below_directories_and_links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let write = |path: &str, text: &str| {
        let at = root.join(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, text).unwrap();
    };
    let said = |named: &[&str]| {
        let named: Vec<_> = named.iter().map(Into::into).collect();
        gather(root, &named)
            .map(|legs| legs.into_iter().map(|leg| leg.file).collect::<Vec<_>>())
            .map_err(|f| f.to_string())
    };
    assert!(said(&[]).unwrap_err().contains("there are no legs in .stagefreight/legs"));
    write(".stagefreight/legs/app.linux-arm64.json", &leg("linux/arm64").to_text());
    assert_eq!(said(&[]).unwrap(), [".stagefreight/legs/app.linux-arm64.json"]);
    write("artifacts/one/a.json", &leg("linux/arm64").to_text());
    write("artifacts/two/deep/b.json", &leg("linux/amd64").to_text());
    write("artifacts/README", "no leg");
    std::os::unix::fs::symlink("/etc/passwd", root.join("artifacts/c.json")).unwrap();
    std::os::unix::fs::symlink("/", root.join("artifacts/all")).unwrap();
    assert_eq!(said(&["artifacts"]).unwrap(), ["artifacts/one/a.json", "artifacts/two/deep/b.json"]);
    assert_eq!(said(&["artifacts/one/a.json", "artifacts/one"]).unwrap(), ["artifacts/one/a.json"], "once");
    write("artifacts/one/bad.json", "{}");
    write("artifacts/one/worse.json", "no json");
    let told = said(&["artifacts"]).unwrap_err();
    assert!(told.contains("one/bad.json: ") && told.contains("one/worse.json: "), "all at once: {told}");
    std::fs::create_dir(root.join("empty")).unwrap();
    assert!(said(&["empty"]).unwrap_err().contains("there are no legs in empty"));
}
