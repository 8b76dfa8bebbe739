//! What the builder has to be able to do for a plan: reach the registries it pushes to, build for the platforms, make what is
//! asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::{Aspect, Check, State, Subject, Verdict, verdict, whisper};
use crate::access::Access;
use crate::backend::builder::{Builder, Driver};
use crate::buildx::event::Progress;
use crate::buildx::progress::{Format, Parser};
use crate::buildx::reach::{self, Reach};
use crate::buildx::tool::Buildx;
use crate::event::Events;
use crate::image::Repository;
use crate::outcome::BuilderFacts;
use crate::plan::{Output, Plan, Step, TargetPlan};
use crate::problem::Problem;
use crate::process;
use crate::rundir::RunDir;

/// What has not answered by then is unknown.
const LIMIT: Duration = Duration::from_secs(10);
/// How many registries the builder is asked about at a time.
const SIDE_BY_SIDE: usize = 4;
/// A build that takes no longer is its own answer: nothing is asked beside it.
const HEAD_START: Duration = Duration::from_millis(400);

/// A builder and how to talk to it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Which.
    pub builder: &'a Builder,
    /// The engine behind it has the containerd image store.
    pub containerd: bool,
    /// With which program.
    pub buildx: &'a Buildx,
    /// How that prints progress.
    pub format: Format,
    /// For a few files.
    pub run: &'a RunDir,
    /// Which logins the builder has.
    pub access: &'a Access,
}

/// Beside a build: a check that fails sets `halt`. Ends when the build does.
pub async fn watch(
    plan: &Plan,
    asked: Asked<'_>,
    events: &Events,
    halt: &CancellationToken,
    ended: &CancellationToken,
) -> Verdict {
    let mut checks = outputs(&plan.steps, asked.builder.driver, asked.containerd);
    if !checks.iter().any(Check::is_fatal) {
        let work = async {
            tokio::time::sleep(HEAD_START).await;
            reachable(plan, asked, halt).await
        };
        tokio::select! {
            more = work => checks.extend(more),
            // What it had to push is pushed, or failed for its own reasons.
            () = ended.cancelled() => {}
        }
    }
    whisper(&checks, events).await;
    let verdict = verdict(&checks);
    if verdict.failure.is_some() {
        halt.cancel();
    }
    verdict
}

/// Whether the builder makes what the steps ask for. Only the engine's own is known not to.
pub fn outputs(steps: &[Step], driver: Driver, containerd: bool) -> Vec<Check> {
    if driver != Driver::Engine {
        return Vec::new();
    }
    let several = |step: &&Step| step.platforms.len() > 1;
    let attested = |step: &&Step| !containerd && (step.sbom != "false" || step.provenance != "false");
    let cached = |step: &&Step| !containerd && step.cache_to.iter().any(|to| !to.contains("type=inline"));
    let mut checks = Vec::new();
    for (what, ids) in [
        ("build for several platforms", names(steps, several)),
        ("attest (SBOM, provenance)", names(steps, attested)),
        ("export caches", names(steps, cached)),
    ] {
        if !ids.is_empty() {
            let says = format!("the docker engine's own builder cannot {what} (build {ids})");
            let cure = "leave out build_cache.builder.driver to build in a BuildKit container, or set BUILDKIT_HOST to a BuildKit daemon";
            checks.push(Check::new(&Subject::Builder, Aspect::Outputs, State::Failed, says).cure(cure));
        }
    }
    checks
}

fn names(steps: &[Step], wanted: impl Fn(&&Step) -> bool) -> String {
    steps.iter().filter(wanted).map(|step| step.id.as_str()).collect::<Vec<_>>().join(", ")
}

/// How the builder builds for the plan's platforms: by itself, by emulation, or nobody knows.
pub fn platforms(steps: &[Step], facts: &BuilderFacts) -> Vec<Check> {
    let wanted: BTreeSet<&str> = steps.iter().flat_map(|step| &step.platforms).map(String::as_str).collect();
    let check = |state, says: String| Check::new(&Subject::Builder, Aspect::Platforms, state, says);
    let Some(own) = facts.platforms.first() else {
        return match wanted.is_empty() {
            true => Vec::new(),
            false => vec![check(State::Unknown, "the builder did not say which platforms it builds for".to_owned())],
        };
    };
    let judge = |platform: &&str| {
        if !facts.platforms.iter().any(|known| same(known, platform)) {
            let says = format!("the builder does not name {platform}: commands (RUN) for it will fail, copying works");
            let cure = "install emulation on the builder's machine (docker run --privileged --rm tonistiigi/binfmt --install all), or build on a machine of that kind";
            return check(State::Unknown, says).cure(cure);
        }
        if native(own, platform) {
            return check(State::Ok, format!("{platform} is the builder's own"));
        }
        let says = format!("{platform} is emulated on a builder of {own}: its commands will be several times slower");
        check(State::Ok, says).cure(format!(
            "to be fast, build on a machine of {platform}, or cross-compile: FROM --platform=$BUILDPLATFORM"
        ))
    };
    wanted.iter().map(judge).collect()
}

/// Beside a run: says at once which platforms are emulated, and returns it for the report.
pub async fn tell_platforms(plan: &Plan, facts: &BuilderFacts, events: &Events) -> Vec<Problem> {
    let checks = platforms(&plan.steps, facts);
    whisper(&checks, events).await;
    let notes = verdict(&checks).notes;
    for note in &notes {
        events.info(&note.what).await;
    }
    notes
}

/// Two spellings of one platform: `linux/arm64` is `linux/arm64/v8`.
fn same(a: &str, b: &str) -> bool {
    fn plain(platform: &str) -> &str {
        let default = [("linux/arm64", "/v8"), ("linux/arm", "/v7"), ("linux/amd64", "/v1")];
        let found = default.iter().find(|(name, variant)| platform.strip_suffix(variant) == Some(*name));
        found.map_or(platform, |(name, _)| name)
    }
    plain(a) == plain(b)
}

/// Whether a machine runs the other's programs without emulation: any variant of its own, and 32 bits beside 64.
fn native(own: &str, other: &str) -> bool {
    let cut = |platform: &str| {
        let mut parts = platform.split('/').map(str::to_owned);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    };
    let ((own_os, own), (other_os, other)) = (cut(own), cut(other));
    own_os == other_os && (own == other || matches!((&*own, &*other), ("amd64", "386") | ("arm64", "arm")))
}

/// Whether the builder reaches every registry it pushes to. Each host is asked once.
pub async fn reachable(plan: &Plan, asked: Asked<'_>, cancel: &CancellationToken) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut hosts: BTreeMap<&str, Vec<&TargetPlan>> = BTreeMap::new();
    for step in &plan.steps {
        let Output::Publish { targets } = &step.output else { continue };
        for target in targets {
            let ours = step.crucible.is_some()
                || asked.builder.driver == Driver::Engine
                || !asked.access.builder_can_push(target);
            match ours {
                true => checks.push(about(
                    target,
                    State::NotNeeded,
                    "its content is uploaded from here, not by the builder",
                )),
                false => hosts.entry(target.repository.host()).or_default().push(target),
            }
        }
    }
    let answers = futures::stream::iter(hosts.into_iter().enumerate())
        .map(|(i, (host, targets))| async move {
            let solve = solve(i, &targets[0].repository, asked, cancel);
            let reach = match tokio::time::timeout(LIMIT, solve).await {
                Ok(reach) => reach,
                Err(_) => Reach::Unclear(format!("no answer within {} s", LIMIT.as_secs())),
            };
            let insecure = asked.access.is_insecure(host);
            targets.into_iter().map(|target| judge(target, &reach, insecure)).collect::<Vec<_>>()
        })
        .buffer_unordered(SIDE_BY_SIDE);
    checks.extend(answers.collect::<Vec<_>>().await.into_iter().flatten());
    checks
}

/// What an answer means. A push that is told to do without verified TLS goes on where this question stopped.
pub(super) fn judge(target: &TargetPlan, reach: &Reach, insecure: bool) -> Check {
    let host = target.repository.host();
    // Without a port the question went to that of https, and a push goes to that of http next.
    let elsewhere = insecure && !host.contains(':');
    match reach {
        Reach::Reached => about(target, State::Ok, &format!("the builder reaches {host}")),
        Reach::Untrusted(_) if insecure => {
            about(target, State::Ok, &format!("the builder reaches {host}, and is told to push without verified TLS"))
        }
        Reach::Unreached(why) if elsewhere && why.contains("connection refused") => about(
            target,
            State::Unknown,
            &format!("the builder does not reach {host} by https, and was not tried by http"),
        ),
        Reach::Unreached(why) | Reach::Untrusted(why) => {
            let untrusted = matches!(reach, Reach::Untrusted(_)) && !why.contains("HTTP response");
            let how = if untrusted { "trust the certificate of" } else { "reach" };
            let says = format!("the builder, which is to push there, does not {how} {host}: {why}");
            about(target, State::Failed, &says).cure(format!(
                "a registry must be reachable from the builder's own machine: check its DNS, its proxy, and for a private CA or plain http the entry for {host} in its buildkitd.toml"
            ))
        }
        Reach::Unclear(why) => {
            about(target, State::Unknown, &format!("whether the builder reaches {host} is not clear: {why}"))
        }
    }
}

fn about(target: &TargetPlan, state: State, says: &str) -> Check {
    let subject = Subject::Registry { target: target.id.clone(), repository: target.repository.to_string() };
    Check::new(&subject, Aspect::FromBuilder, state, says)
}

async fn solve(index: usize, repository: &Repository, asked: Asked<'_>, cancel: &CancellationToken) -> Reach {
    let context = asked.run.scratch(&format!("preflight-{index}"));
    let written = std::fs::create_dir_all(&context)
        .and_then(|()| std::fs::write(context.join("Dockerfile"), reach::dockerfile(repository)));
    if let Err(error) = written {
        return Reach::Unclear(format!("the question cannot be written: {error}"));
    }
    // buildx asks git only for the sake of provenance.
    let quiet = [("BUILDX_GIT_INFO".to_owned(), "false".to_owned())];
    let spec = asked.buildx.clone().with_env(quiet).call(reach::argv(&asked.builder.name, asked.format, &context));
    let (mut parser, mut found) = (Parser::new(asked.format), None);
    let mut note = |progress: Progress| {
        if let Progress::Vertex(vertex) = progress {
            found = reach::read(&vertex, repository).or(found.take());
        }
    };
    let streamed = process::stream(&spec, cancel, async |chunk| parser.push(chunk, &mut note)).await;
    parser.finish(&mut note);
    // That there is no such image is what it ends with: only a question that was never put is trouble.
    found.unwrap_or_else(|| match streamed {
        Ok(_) => Reach::Unclear("the builder said nothing about it".to_owned()),
        Err(error) => Reach::Unclear(error.to_string()),
    })
}
