//! Images in crucible mode: built twice, cold, compared, and published only as far as they are proven.

use serde_json::Value;

use crate::support::{Registry, Sandbox};

/// The start of a compiled program: a head, the note that linkers write, and a build id.
const PROGRAM: &[u8] = b"\x7fELF\x02\x01\x01\0 a program to be \0\
    \x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0ABCDEFGHIJKLMNOPQRST\0\
    and what it does: nothing at all, but always the same.\0";
/// Where the build id stands in it.
pub(crate) const BUILD_ID: usize = 42;

/// A checkout whose Dockerfile puts a program into busybox, does this in its third line, and starts the program.
pub(crate) fn project(instruction: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    // The daemon gives a file of the same content that somebody else just sent its own time: no two tests may share one.
    let program = [PROGRAM, sandbox.id.as_bytes()].concat();
    std::fs::write(sandbox.workspace().join("program"), program).unwrap();
    let dockerfile = format!("FROM busybox\nCOPY program /program\n{instruction}\nENTRYPOINT [\"/program\"]\n");
    sandbox.file(".dockerignore", ".git\n.stagefreight\n.stagefreight.yml\ndist\n").file("Dockerfile", &dockerfile)
}

/// The same, always with the same image.
pub(crate) fn sound() -> Sandbox {
    project("RUN echo always the same > /made")
}

/// An image of random bytes, and of a program that is always the same.
pub(crate) fn random() -> Sandbox {
    project("RUN head -c 64 /dev/urandom > /random")
}

/// Asks for proof; `more` are further settings of the build, each with a comma before it. Nothing is published.
pub(crate) fn proven(sandbox: Sandbox, more: &str) -> Sandbox {
    sandbox.config(&format!("version: 1\nbuilds:\n  - {{id: app, kind: docker, build_mode: crucible{more}}}\n"))
}

/// Asks for proof, to be published in two registries.
pub(crate) fn published(sandbox: Sandbox, more: &str) -> Sandbox {
    sandbox.config(&format!(
        "version: 1
builds:
  - {{id: app, kind: docker, build_mode: crucible{more}}}
targets:
  - {{id: one, kind: registry, build: app, url: '{{registry}}', path: 'live/{{id}}', tags: ['1', latest]}}
  - {{id: two, kind: registry, build: app, url: '{{registry2}}', path: 'live/{{id}}', tags: [latest]}}
"
    ))
}

/// What the first build's proof came to, as reported.
pub(crate) fn proof(sandbox: &Sandbox) -> Value {
    sandbox.result()["builds"][0]["proof"].clone()
}

/// Every tag stands for the image that was proven.
#[track_caller]
pub(crate) fn assert_published(sandbox: &Sandbox) {
    let proven = proof(sandbox)["passes"][0]["digest"].clone();
    let repository = format!("live/{}", sandbox.id);
    // Where a registry cannot list what refers to an image, a tag of the image's digest does.
    let tags = |registry: &Registry| {
        let tags = registry.tags(&repository);
        let (referrers, tags): (Vec<_>, Vec<_>) = tags.into_iter().partition(|tag| tag.starts_with("sha256-"));
        let of_the_image = proven.as_str().unwrap().replace(':', "-");
        assert!(referrers.contains(&of_the_image), "{}: {referrers:?}", registry.host);
        tags
    };
    assert_eq!(tags(&sandbox.registry()), ["1", "latest"]);
    assert_eq!(tags(&sandbox.registry2()), ["latest"]);
    for (registry, tag) in [(sandbox.registry(), "1"), (sandbox.registry(), "latest"), (sandbox.registry2(), "latest")]
    {
        assert_eq!(proven, registry.digest(&repository, tag), "{}: {tag}", registry.host);
    }
    let build = sandbox.result()["builds"][0].clone();
    assert_eq!(build["digest"], proven);
    for tag in build["published"].as_array().unwrap() {
        assert_eq!(tag["digest"], proven);
    }
    assert_eq!(build["published"].as_array().unwrap().len(), 3);
}

/// No tag, and no image of either pass under its digest.
#[track_caller]
pub(crate) fn assert_nothing_published(sandbox: &Sandbox) {
    let repository = format!("live/{}", sandbox.id);
    let passes = proof(sandbox)["passes"].as_array().cloned().unwrap_or_default();
    for registry in [sandbox.registry(), sandbox.registry2()] {
        assert_eq!(registry.tags(&repository), [""; 0], "{}", registry.host);
        for pass in &passes {
            let digest = pass["digest"].as_str().unwrap();
            assert_eq!(registry.manifest(&repository, digest), None, "{}: {digest}", registry.host);
        }
    }
    assert_eq!(sandbox.result()["builds"][0]["published"], serde_json::json!([]));
}

#[test]
fn a_reproducible_image_is_proven_and_what_is_published_is_what_was_proven() {
    let sandbox = published(sound(), ", crucible: {min_trust: reproducible}").on("github-push").buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    let proof = proof(&sandbox);
    assert_eq!((&proof["trust"], &proof["passed"]), (&"reproducible".into(), &true.into()), "{proof}");
    assert_eq!(proof["passes"].as_array().unwrap().len(), 2);
    assert_eq!(proof["passes"][0]["digest"], proof["passes"][1]["digest"]);
    assert!(proof["culprits"].is_null() && proof["obstacles"].as_array().is_none_or(Vec::is_empty), "{proof}");
    assert_published(&sandbox);
    assert_eq!(sandbox.outputs()["trust-level"], "reproducible");
    run.says(&["eproducible"]);
    assert!(sandbox.summary().contains("eproducible"), "{}", sandbox.summary());
    sandbox.assert_tidy(&run);
}

#[test]
fn the_same_checkout_proves_the_same_image_again() {
    let sandbox = published(sound(), "").buildkitd();
    let digest = || {
        sandbox.run(&["run"]).succeeds();
        assert_published(&sandbox);
        proof(&sandbox)["passes"][0]["digest"].clone()
    };
    assert_eq!(digest(), digest());
    sandbox.assert_clean();
}

#[test]
fn an_image_that_differs_is_published_where_less_was_asked_for() {
    let sandbox = published(random(), ", crucible: {min_trust: deterministic}").buildkitd();
    let run = sandbox.run(&["run"]).succeeds();
    assert_eq!(proof(&sandbox)["trust"], "deterministic");
    assert_published(&sandbox);
    sandbox.assert_tidy(&run);
}
