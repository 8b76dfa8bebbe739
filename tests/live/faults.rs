//! Whole runs against a registry that fails in the middle: what is tried again, what fails the run, and what then stands.

use std::time::Duration;

use rustix::process::Signal;

use crate::scenery::fault_proxy::{Fault, FaultProxy, Rule};
use crate::support::{Registry, Sandbox};

use super::publish::small;

/// Two targets: a sound registry, and the second one behind a proxy with this fault.
fn faulty(rules: impl IntoIterator<Item = Rule>) -> (Sandbox, FaultProxy) {
    let sandbox = small(Sandbox::new());
    let proxy = FaultProxy::start(&sandbox.testbed.registry2, rules);
    let config = format!(
        "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: sound, kind: registry, build: app, url: '{{registry}}', path: 'live/{{id}}', tags: [one, latest]}}
  - {{id: faulty, kind: registry, build: app, url: '{}', path: 'live/{{id}}', tags: [one, latest]}}
",
        proxy.host()
    );
    (sandbox.config(&config).buildkitd(), proxy)
}

fn tags(sandbox: &Sandbox, registry: &Registry) -> Vec<String> {
    registry.tags(&format!("live/{}", sandbox.id))
}

fn answer(status: u16, code: &str) -> Fault {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{}"}}]}}"#, code.to_lowercase().replace('_', " "));
    Fault::Answer(status, vec![("content-type", "application/json".to_owned())], body)
}

#[test]
fn a_push_that_fails_in_passing_is_tried_once_more() {
    let (sandbox, _proxy) = faulty([Rule::new(answer(404, "BLOB_UNKNOWN")).on("PUT").at("/manifests/").times(1)]);
    let run = sandbox.run(&["run"]).succeeds();
    run.says(&["trying once more"]);
    assert_eq!(tags(&sandbox, &sandbox.registry()), ["latest", "one"]);
    assert_eq!(tags(&sandbox, &sandbox.registry2()), ["latest", "one"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_tag_that_fails_in_passing_is_put_again() {
    // Where another job's upload of a blob is just ending, a registry may not find it for a moment.
    let unsettled = answer(400, "MANIFEST_BLOB_UNKNOWN");
    for fault in
        [answer(503, "UNAVAILABLE"), answer(429, "TOOMANYREQUESTS"), unsettled, Fault::Close, Fault::CloseAfter]
    {
        let (sandbox, proxy) = faulty([Rule::new(fault).on("PUT").at("/manifests/latest").times(1)]);
        let run = sandbox.run(&["run"]).succeeds();
        assert_eq!(proxy.count("PUT", "/manifests/latest"), 2);
        assert_eq!(tags(&sandbox, &sandbox.registry2()), ["latest", "one"]);
        sandbox.assert_tidy(&run);
    }
}

#[test]
fn a_push_that_is_refused_leaves_no_tag_anywhere() {
    let (sandbox, _proxy) = faulty([Rule::new(answer(403, "DENIED")).on("PUT").at("/manifests/")]);
    let run = sandbox.run(&["run"]).exits(1);
    assert_eq!(tags(&sandbox, &sandbox.registry()), [""; 0]);
    assert_eq!(tags(&sandbox, &sandbox.registry2()), [""; 0]);
    run.says(&["push"]).is_silent_about(&["trying once more"]);
    sandbox.assert_tidy(&run);
}

#[test]
fn a_tag_that_is_refused_takes_every_other_back() {
    let (sandbox, proxy) = faulty([Rule::new(answer(403, "DENIED")).on("PUT").at("/manifests/latest")]);
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&["latest", proxy.host(), "every tag that was put was taken back"]);
    assert_eq!(tags(&sandbox, &sandbox.registry()), [""; 0]);
    assert_eq!(tags(&sandbox, &sandbox.registry2()), [""; 0]);
    let build = &sandbox.result()["builds"][0];
    assert_eq!(build["published"].as_array().unwrap().len(), 0);
    assert_eq!(build["others"].as_array().unwrap().len(), 4, "{build}");
    assert_eq!(sandbox.result()["failure"]["kind"], "publish");
    sandbox.assert_tidy(&run);
}

#[test]
fn a_registry_that_shows_another_image_under_the_tag_fails_the_run() {
    let other = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
    let kind = ("content-type", "application/vnd.oci.image.manifest.v1+json".to_owned());
    let lie = Rule::new(Fault::Answer(200, vec![kind], other.to_owned())).on("GET").at("/manifests/latest").after(2);
    let (sandbox, proxy) = faulty([lie]);
    let run = sandbox.run(&["run"]).exits(1);
    run.says(&[proxy.host(), "latest", "reads back as"]);
    assert_eq!(sandbox.result()["status"], "failure");
    let build = &sandbox.result()["builds"][0];
    assert_eq!(build["others"][0]["fate"], "taken", "{build}");
    sandbox.assert_tidy(&run);
}

#[test]
fn a_signal_while_a_registry_hangs_ends_the_run() {
    let (sandbox, proxy) = faulty([Rule::new(Fault::Hang).on("PUT").at("/manifests/latest")]);
    let running = sandbox.start(&["run"]);
    crate::support::within(Duration::from_secs(120), "the tag is put", || {
        (proxy.count("PUT", "/manifests/latest") > 0).then_some(())
    });
    let run = running.stop(Signal::TERM).exits(143);
    assert_eq!(sandbox.result()["status"], "cancelled");
    sandbox.assert_tidy(&run);
}
