use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::problem::FailureKind;
use crate::secret::Secret;

fn request(config: &str, vars: &[(&str, &str)]) -> Request {
    let mut request = crate::plan::tests::request(config);
    request.vars = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    request
}

fn order() -> PassOrder {
    PassOrder {
        nonce: "abc".into(),
        pins: vec![crate::buildx::metadata::Material {
            name: "docker.io/library/busybox".into(),
            platform: None,
            digest: None,
        }],
        dependencies: vec![("base".into(), "oci-layout:///t/layout-0@sha256:x".into())],
    }
}

fn written(handover: &Handover) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h.json");
    std::fs::write(&path, handover.to_bytes()).unwrap();
    (dir, path)
}

#[test]
fn it_arrives_whole_and_once() {
    let mut request = request("", &[("PATH", "/bin"), ("A", "é\n")]);
    request.inputs.build_args = vec!["X=\"1\",2".into()];
    request.inputs.secrets = vec![Secret::new("npm=hunter2")];
    let mut handover = Handover::new("0123456789ab", "app", &request, &order());
    handover.docker_config = serde_json::json!({ "auths": { "a.example": {} } });
    let (dir, path) = written(&handover);
    let taken = Handover::take(&path).map_err(|p| p.what).unwrap();
    assert!(taken == handover);
    assert_eq!((taken.vars().get("A"), taken.vars().get(RUN_ID)), (Some("é\n"), Some("0123456789ab")));
    let inputs = crate::inputs::Inputs::resolve(&|name| taken.inputs.get(name).cloned(), &Vars::default()).unwrap();
    assert_eq!(inputs, request.inputs);
    assert!(!path.exists(), "nobody needs it twice");
    drop(dir);
}

#[test]
fn what_only_publishing_needs_stays_here() {
    let config = "targets: [{id: t, kind: registry, build: app, url: r.example, path: a, tags: [x], credentials: DEPLOY}]\n\
                  registries: {m.example: {credentials: MIRROR}}";
    let vars = [
        ("DEPLOY_USER", "u"),
        ("DEPLOY_PASS", "s1"),
        ("MIRROR_TOKEN", "s2"),
        ("GITHUB_TOKEN", "s3"),
        ("INPUT_GITHUB-TOKEN", "s4"),
        ("COSIGN_PASSWORD", "s5"),
        ("CI_JOB_TOKEN", ""),
        ("NPM_TOKEN", "kept"),
    ];
    let mut request = request(config, &vars);
    let withheld = |request: &Request| {
        let handover = Handover::new("0123456789ab", "app", request, &order());
        let text = String::from_utf8(handover.to_bytes()).unwrap();
        let seen: Vec<_> = ["\"s1\"", "\"s2\"", "\"s3\"", "\"s4\"", "\"s5\"", "\"kept\""]
            .into_iter()
            .filter(|s| text.contains(s))
            .collect();
        (seen.join(" "), handover.vars)
    };
    let (seen, vars) = withheld(&request);
    assert_eq!(seen, "\"kept\"");
    assert_eq!(
        (vars["GITHUB_TOKEN"].as_str(), vars["CI_JOB_TOKEN"].as_str()),
        (WITHHELD, ""),
        "that there is one is told"
    );
    // What the user hands to the build itself is the build's.
    request.inputs.secret_envs = vec!["gh=GITHUB_TOKEN".into()];
    request.inputs.build_args = vec!["MIRROR_TOKEN".into(), "X=1".into()];
    assert_eq!(withheld(&request).0, "\"s2\" \"s3\" \"kept\"");
}

#[test]
fn nothing_but_a_crucibles_document_is_taken() {
    let good = Handover::new("0123456789ab", "app", &request("", &[]), &order());
    let document: serde_json::Value = serde_json::from_slice(&good.to_bytes()).unwrap();
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut document = document.clone();
        change(&mut document);
        document.to_string()
    };
    let unguarded = changed(&|d| drop(d["vars"].as_object_mut().unwrap().remove(GUARD)));
    let newer = changed(&|d| d["version"] = 2.into());
    for (text, says) in [
        (unguarded.as_str(), "lacks STAGEFREIGHT_CRUCIBLE"),
        (newer.as_str(), "has version 2, and this program reads version 1"),
        (r#"{"version":1}"#, "missing field"),
        (r#"{"version":2}"#, "has version 2"),
        ("", "EOF"),
        ("[]", "invalid"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("h.json");
        std::fs::write(&path, text).unwrap();
        let problem = Handover::take(&path).err().unwrap();
        assert!(problem.what.contains(says), "{}", problem.what);
    }
    assert!(Handover::take(Path::new("/no/such/file")).is_err());
    // Additions are no new version.
    let (_dir, path) = written(&good);
    std::fs::write(&path, changed(&|d| d["more"] = 1.into())).unwrap();
    assert!(Handover::take(&path).is_ok());
}

#[test]
fn an_answer_says_what_came_of_it() {
    let rebuilt = Rebuilt {
        digest: crate::image::Digest::of(b"x"),
        plan_hash: "p".into(),
        environment: vec![("buildkit".into(), "v1".into())],
        seconds: 1.5,
        by: "stagefreight 1".into(),
    };
    let failure = Failure::new(FailureKind::Build, Problem::new("no"));
    for result in [Ok(rebuilt), Err(failure)] {
        let bytes = Answer::new("0123456789ab", result.clone()).to_bytes();
        assert_eq!(Answer::parse(&bytes, "0123456789ab").unwrap(), result);
        assert!(Answer::parse(&bytes, "another").unwrap_err().what.contains("another run's"));
    }
    for hostile in [r#"{"version":1,"run_id":"r"}"#, r#"{"version":1,"run_id":"r","rebuilt":{}}"#, "null", ""] {
        assert!(Answer::parse(hostile.as_bytes(), "r").is_err(), "{hostile}");
    }
}

#[test]
fn it_travels_in_a_file_of_our_own() {
    let temp = tempfile::tempdir().unwrap();
    let run = crate::rundir::RunDir::create(temp.path()).unwrap();
    let path = run.secret("handover-x.json", b"{}").unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}
