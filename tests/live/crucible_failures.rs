//! Proofs that fail, and runs that fail with a good proof: nothing is published, nothing stays, and people are told why.

use std::sync::mpsc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::scenery::fault_proxy::{Fault, FaultProxy, Rule};
use crate::support::{LongStep, Sandbox, Web};

use super::crucible::{assert_nothing_published, assert_published, project, proof, published, random, sound};

/// A run that ends with exit 1 because of the gate, and publishes nothing.
fn refused(sandbox: &Sandbox, says: &[&str]) -> Value {
    let run = sandbox.run(&["run"]).exits(1);
    assert_nothing_published(sandbox);
    let result = sandbox.result();
    assert_eq!((&result["status"], &result["failure"]["kind"]), (&"failure".into(), &"verification".into()));
    let problem = result["failure"]["problems"][0]["what"].as_str().unwrap();
    for text in says {
        assert!(problem.contains(text), "{text:?} is not in {problem:?}");
    }
    run.says(&[problem]);
    assert!(!sandbox.workspace().join(".stagefreight/publish.json").exists());
    let proof = proof(sandbox);
    assert_eq!(proof["passed"], false);
    sandbox.assert_tidy(&run);
    proof
}

#[test]
fn an_image_that_reaches_less_than_asked_for_is_published_nowhere() {
    let sandbox = published(random(), ", crucible: {min_trust: reproducible}").on("github-push").buildkitd();
    let proof = refused(&sandbox, &["app", "deterministic", "reproducible", "image digest differs"]);
    assert_eq!(proof["trust"], "deterministic");
    assert_eq!(proof["culprits"]["layers"][0]["files"][0]["path"], "/random");
    assert!(sandbox.summary().contains("/random"), "{}", sandbox.summary());
    assert_eq!(sandbox.outputs()["trust-level"], "deterministic", "of an image that was not published, too");
    assert!(!sandbox.outputs().contains_key("tags") || sandbox.outputs()["tags"].is_empty());
}

#[test]
fn a_version_that_differs_fails_whatever_was_asked_for() {
    let sandbox = project("RUN head -c 9 /dev/urandom | base64 > /version\nENV PATH=/bin");
    let sandbox = published(sandbox, ", crucible: {min_trust: viable, version_command: [cat, /version]}").buildkitd();
    let proof = refused(&sandbox, &["app", "version"]);
    assert_eq!(proof["trust"], "viable");
    let version = proof["checks"].as_array().unwrap().iter().find(|check| check["kind"] == "version").unwrap();
    assert_eq!(version["state"], "differs");
}

#[test]
fn a_second_pass_that_cannot_be_built_is_no_proof() {
    let web = Web::start(|call| (call == 1).then(|| "once, and never again\n".to_owned()));
    let step = format!("RUN wget -qO /once {}", web.url());
    let sandbox = published(project(&step), ", crucible: {min_trust: viable}").buildkitd();
    let proof = refused(&sandbox, &["app", "could not be built a second time", "wget"]);
    assert!(proof["trust"].is_null(), "{proof:#}");
    assert_eq!(proof["passes"].as_array().unwrap().len(), 1);
    assert_eq!(web.calls(), 2);
}

/// A step that has the test do something in the first pass.
fn in_the_first_pass(mut what: impl FnMut() + Send + 'static) -> (Web, String) {
    let web = Web::start(move |call| {
        if call == 1 {
            what();
        }
        Some("done\n".to_owned())
    });
    let step = format!("RUN wget -qO /done {}", web.url());
    (web, step)
}

#[test]
fn a_dockerfile_that_changes_between_the_passes_is_a_difference() {
    let (path, told) = mpsc::channel::<std::path::PathBuf>();
    let (_web, step) = in_the_first_pass(move || {
        let path = told.recv().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("/done", "/other")).unwrap();
    });
    let sandbox = published(project(&step), ", crucible: {min_trust: reproducible}").buildkitd();
    path.send(sandbox.workspace().join("Dockerfile")).unwrap();
    let proof = refused(&sandbox, &["app", "deterministic", "image digest differs"]);
    let file = &proof["culprits"]["layers"][0]["files"][0];
    assert_eq!((&file["path"], &file["how"]), (&"/done".into(), &serde_json::json!(["only_in_a", "only_in_b"])));
    assert_eq!(file["evidence"], "done / other");
}

#[test]
fn a_configuration_that_changes_between_the_passes_is_another_plan() {
    let (path, told) = mpsc::channel::<std::path::PathBuf>();
    let (_web, step) = in_the_first_pass(move || {
        let path = told.recv().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("GREETING: one", "GREETING: two")).unwrap();
    });
    // Nothing in the image depends on it: only the plan does.
    let settings = ", build_args: {GREETING: one}, crucible: {min_trust: viable}";
    let sandbox = published(project(&step), settings).buildkitd();
    path.send(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let proof = refused(&sandbox, &["app", "plan"]);
    assert_ne!(proof["passes"][0]["plan_hash"], proof["passes"][1]["plan_hash"]);
    assert_eq!(proof["trust"], "viable");
}

#[test]
fn a_registry_that_fails_after_the_proof_fails_the_run() {
    let sandbox = sound();
    let refuses = Rule::new(Fault::Answer(403, Vec::new(), String::new())).on("PUT").at("/manifests/");
    let proxy = FaultProxy::start(&sandbox.testbed.registry2, [refuses]);
    let host = proxy.host().to_owned();
    let sandbox = published(sandbox, "");
    let config = std::fs::read_to_string(sandbox.workspace().join(".stagefreight.yml")).unwrap();
    let config = config.replace(&sandbox.testbed.registry2, &host);
    let sandbox = sandbox.file(".stagefreight.yml", &config).buildkitd();
    let run = sandbox.run(&["run"]).exits(1);
    assert_eq!(proof(&sandbox)["trust"], "reproducible", "the image is as good as before");
    assert_eq!(sandbox.result()["failure"]["kind"], "publish");
    for registry in [sandbox.registry(), sandbox.registry2()] {
        assert_eq!(registry.tags(&format!("live/{}", sandbox.id)), [""; 0]);
    }
    run.says(&[&host]);
    sandbox.assert_tidy(&run);
}

#[test]
fn two_crucibles_at_once_in_one_checkout() {
    let sandbox = published(sound(), ", crucible: {min_trust: reproducible}").buildkitd();
    let running = [sandbox.start(&["run"]), sandbox.start(&["run"])];
    let runs = running.map(|run| run.wait(Duration::from_secs(120)).succeeds());
    assert_published(&sandbox);
    for run in &runs {
        run.says(&["eproducible"]);
        sandbox.assert_tidy(run);
    }
}

#[test]
fn a_signal_in_the_second_pass_leaves_nothing() {
    let step = LongStep::new();
    let second = r#"[ "$(cat /proc/sys/kernel/hostname)" = buildkitsandbox ]"#;
    let sandbox = project(&step.instruction().replace("RUN ", &format!("RUN {second} || ")));
    let sandbox = published(sandbox, "").on("github-push").buildkitd().docker();
    let containers = sandbox.the_engine().containers();
    let running = sandbox.start(&["run"]);
    step.runs();
    let run = running.stop(Signal::TERM).exits(143);
    assert_eq!(sandbox.result()["status"], "cancelled");
    assert_nothing_published(&sandbox);
    run.says(&["ancelled"]);
    step.ends();
    let mine = |name: &&String| name.contains(&sandbox.id);
    assert_eq!(sandbox.the_engine().containers().difference(&containers).find(mine), None);
    sandbox.assert_tidy(&run);
}
