//! Whole plans from small configs: one table or story for each rule.

mod access;
mod caches;
mod content;
mod hostile;
mod legs;
mod origin;
mod render;
mod selection;
mod targets;

use std::path::PathBuf;

use jiff::Timestamp;

use super::*;
use crate::config::model::Config;
use crate::inputs::Inputs;
use crate::runner::{CiContext, EventKind, ForgeKind, ForgeRegistry, RunnerFiles, Trust};
use crate::secret::Secret;
use crate::source::{Git, GitTag, Source};

const SHA: &str = "4f4112d10770be7e6195844aabad4bb59ba16b78";

/// A push to `main` of `acme/app` on GitHub, two commits after `v1.2.2`, with one Dockerfile in the root.
pub(crate) fn request(config: &str) -> Request {
    Request {
        context: context(),
        config: config_of(config),
        config_file: (!config.is_empty()).then(|| ".stagefreight.yml".to_owned()),
        inputs: Inputs::default(),
        source: Source {
            root: PathBuf::from("/work/app"),
            git: Some(Git {
                head: Some(SHA.to_owned()),
                branch: Some("main".to_owned()),
                commit_time: Some(time("2026-01-02T03:04:05Z")),
                tags: vec![GitTag { name: "v1.2.2".to_owned(), distance: 2 }],
                ..Git::default()
            }),
            dockerfiles: [("Dockerfile".to_owned(), "FROM alpine:3.20\n".to_owned())].into(),
            markers: vec!["go.mod".to_owned()],
        },
        vars: Default::default(),
        now: time("2026-03-04T05:06:07Z"),
        host_platform: "linux/amd64".to_owned(),
        local_cache_writable: true,
        notes: Vec::new(),
    }
}

fn config_of(yaml: &str) -> Config {
    if yaml.is_empty() {
        Config::default()
    } else {
        serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{e}\n{yaml}"))
    }
}

fn context() -> CiContext {
    CiContext {
        forge: ForgeKind::GitHub,
        event: EventKind::Push,
        event_name: "push".to_owned(),
        trust: Trust::Trusted,
        repository: Some("acme/app".to_owned()),
        repository_url: Some("https://github.com/acme/app".to_owned()),
        server_url: Some("https://github.com".to_owned()),
        api_url: None,
        commit: Some(SHA.to_owned()),
        branch: Some("main".to_owned()),
        tag: None,
        default_branch: Some("main".to_owned()),
        pull_request: None,
        pipeline: Some("77".to_owned()),
        attempt: Some(1),
        job: Some("build".to_owned()),
        job_url: None,
        runner: None,
        actor: None,
        workspace: PathBuf::from("/work/app"),
        files: RunnerFiles::default(),
        registry: Some(ForgeRegistry {
            host: "ghcr.io".to_owned(),
            user: "acme".to_owned(),
            secret: Secret::new("hush"),
            variable: "GITHUB_TOKEN".to_owned(),
        }),
        debug: false,
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// The run is for a git tag.
fn on_tag(mut request: Request, tag: &str) -> Request {
    request.context.event = EventKind::Tag;
    request.context.tag = Some(tag.to_owned());
    request.context.branch = None;
    request
}

/// The run builds what somebody else proposes.
fn from_fork(mut request: Request) -> Request {
    request.context.event = EventKind::PullRequest;
    request.context.trust = Trust::Untrusted { reason: "pull request from the fork mallory/app".to_owned() };
    request
}

fn planned(request: &Request) -> Plan {
    resolve(request).unwrap_or_else(|failure| panic!("{failure}"))
}

/// The only step.
fn step_of(request: &Request) -> Step {
    let plan = planned(request);
    assert_eq!(plan.steps.len(), 1, "{plan:?}");
    plan.steps.into_iter().next().unwrap()
}

/// What is wrong, one line for each problem with its hint.
fn refused(request: &Request) -> Vec<String> {
    let failure = resolve(request).expect_err("there is a plan");
    assert_eq!(failure.kind, FailureKind::Plan);
    let place = |p: &Problem| p.location.as_ref().map(|at| format!("{}: ", at.file)).unwrap_or_default();
    failure
        .problems
        .iter()
        .map(|p| format!("{}{} | {}", place(p), p.what, p.hint.as_deref().unwrap_or_default()))
        .collect()
}

/// `repository:tag` of everything published, in order.
fn published(step: &Step) -> Vec<String> {
    match &step.output {
        Output::Publish { targets } => {
            targets.iter().flat_map(|t| t.tags.iter().map(move |tag| format!("{}:{tag}", t.repository))).collect()
        }
        other => panic!("{other:?}"),
    }
}
