//! Runs as tests see them: one outcome for each way a run can go.

pub(crate) mod legs;
pub(crate) mod proofs;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::buildx::event::{BuildError, BuildFailure, CacheSource, Layer, Warning};
use crate::event::{Phase, Span};
use crate::image::{Digest, Tag};
use crate::outcome::{BuildOutcome, BuildState, BuilderFacts, Outcome, PublishedTag, Status};
use crate::plan::{BuildMode, BuilderPlan, CachePlan, Decision, Output, Plan, Provider, Step, TargetPlan, Version};
use crate::problem::{Failure, FailureKind, Location, Problem};
use crate::report::Document;
use crate::runner::{CiContext, EventKind, ForgeKind, PullRequest, RunnerFiles, Trust};

const COMMIT: &str = "5f0c1a7e9b3d4826a1c7e0f94d2b6a83c5e17f20";

/// All of them, by name.
pub(crate) fn all() -> Vec<(&'static str, Outcome)> {
    let mut all = vec![
        ("success", success()),
        ("failing_run", failing_run()),
        ("failing_config", failing_config()),
        ("failing_publish", failing_publish()),
        ("cancelled", cancelled()),
        ("dry_run", dry_run()),
        ("fork", fork()),
        ("optional_failed", optional_failed()),
        ("local_layout", local_layout()),
    ];
    all.extend(proofs::all());
    all.extend(legs::all());
    all
}

/// The document of a run, without what changes with releases of ours and with the wording of cures.
pub(crate) fn document(outcome: &Outcome) -> Document {
    let mut document = Document::new(outcome);
    document.tool.version = "1.2.3".to_owned();
    let culprits = document.builds.iter_mut().filter_map(|build| build.proof.as_mut()?.culprits.as_mut());
    for file in culprits.flat_map(|culprits| &mut culprits.layers).flat_map(|layer| &mut layer.files) {
        file.cure = format!("the cure for {}", file.cause);
    }
    document
}

/// Two registries, three tags each, on GitHub.
pub(crate) fn success() -> Outcome {
    let step = publish_step("app");
    let build = published_build("app");
    Outcome { builder: Some(builder()), builds: vec![build], ..outcome(ForgeKind::GitHub, Some(plan(vec![step]))) }
}

/// A compiler error in a RUN, on GitHub.
pub(crate) fn failing_run() -> Outcome {
    let failure = BuildFailure {
        errors: vec![
            BuildError {
                tool: "rustc".into(),
                location: Some(at("src/main.rs", 41, Some(9))),
                message: "error[E0308]: mismatched types: expected `u16`, found `&str`".into(),
                raw: "error[E0308]: mismatched types".into(),
            },
            BuildError {
                tool: "rustc".into(),
                location: Some(at("src/routes.rs", 7, Some(5))),
                message: "error[E0433]: failed to resolve: use of undeclared crate or module `axum`".into(),
                raw: "error[E0433]: failed to resolve: use of undeclared crate or module `axum`".into(),
            },
        ],
        dockerfile: Some(at("Dockerfile", 8, None)),
        summary: "process \"/bin/sh -c cargo build --release\" did not complete successfully: exit code: 101".into(),
        tail: [
            "   Compiling app v0.3.0 (/src)",
            "error[E0308]: mismatched types",
            "  --> src/main.rs:41:9",
            "   |",
            "41 |         \"8080\"",
            "   |         ^^^^^^ expected `u16`, found `&str`",
            "error: could not compile `app` (bin \"app\") due to 2 previous errors",
        ]
        .map(String::from)
        .to_vec(),
    };
    let summary = failure.summary.clone();
    let build = BuildOutcome {
        state: BuildState::BuildFailed(failure),
        took: Duration::from_millis(14_230),
        layers: layers().into_iter().take(3).collect(),
        ..planned_build("app")
    };
    let problem = Problem::new(format!("the build `app` failed: {summary}"))
        .at(at("Dockerfile", 8, None))
        .snippet("   6 |     COPY Cargo.toml Cargo.lock ./\n   7 |     COPY src src\n   8 | >>> RUN cargo build --release\n   9 |     \n  10 |     FROM alpine:3.22");
    Outcome {
        status: Status::Failure,
        failure: Some(Failure::new(FailureKind::Build, problem)),
        builder: Some(builder()),
        builds: vec![build],
        took: Duration::from_millis(16_802),
        phases: phases_until(2, 14_230),
        ..outcome(ForgeKind::GitHub, Some(plan(vec![publish_step("app")])))
    }
}

/// Two mistakes in the configuration, on GitLab.
pub(crate) fn failing_config() -> Outcome {
    let problems = vec![
        Problem::new("unknown key `dockerfle` in a build")
            .at(at(".stagefreight.yml", 5, Some(5)))
            .snippet("  4 |   - id: app\n  5 |     dockerfle: Dockerfile\n    |     ^^^^^^^^^")
            .hint("did you mean `dockerfile`?"),
        Problem::new("target `hub` names the build `ap`, which does not exist")
            .at(at(".stagefreight.yml", 12, Some(12)))
            .hint("builds are: app"),
    ];
    Outcome {
        status: Status::Failure,
        failure: Some(Failure::many(FailureKind::Config, problems)),
        took: Duration::from_millis(12),
        phases: Vec::new(),
        ..outcome(ForgeKind::GitLab, None)
    }
}

/// The second registry answered 503 until the end; no tag was put.
pub(crate) fn failing_publish() -> Outcome {
    let problem = Problem::new(
        "docker.io/acme/app: the registry answered 503 five times in 62 s; no tag was put in any registry",
    )
    .hint("it is the registry that is in trouble: run the job again later");
    let failure = Failure::new(FailureKind::Publish, problem);
    let build =
        BuildOutcome { state: BuildState::Failed(failure.clone()), published: Vec::new(), ..published_build("app") };
    let phases = phases_until(3, 62_000);
    Outcome { status: Status::Failure, failure: Some(failure), builds: vec![build], phases, ..success() }
}

/// SIGTERM in the middle of a build, on GitLab.
pub(crate) fn cancelled() -> Outcome {
    let failure = Failure::new(
        FailureKind::Terminated,
        Problem::new("the run was told to stop (SIGTERM) during the build `app`"),
    );
    let build = BuildOutcome {
        state: BuildState::Failed(failure.clone()),
        took: Duration::from_millis(4_100),
        layers: layers().into_iter().take(2).collect(),
        ..planned_build("app")
    };
    Outcome {
        status: Status::Cancelled,
        failure: Some(failure),
        builder: Some(builder()),
        builds: vec![build],
        took: Duration::from_millis(5_018),
        phases: phases_until(2, 4_100),
        ..outcome(ForgeKind::GitLab, Some(plan(vec![publish_step("app"), publish_step("worker")])))
    }
}

/// Nothing was touched.
pub(crate) fn dry_run() -> Outcome {
    let build = BuildOutcome { state: BuildState::NotRun { why: "this is a dry run".into() }, ..planned_build("app") };
    let mut step = publish_step("app");
    step.targets.push(Decision {
        id: "nightly".into(),
        included: false,
        why: "when.events has schedule, this run is a push".into(),
    });
    let plan = Plan {
        left_out: vec![Decision {
            id: "docs".into(),
            included: false,
            why: "the input build-id asks for app only".into(),
        }],
        ..plan(vec![step])
    };
    let took = Duration::from_millis(9);
    Outcome { builds: vec![build], took, phases: Vec::new(), ..outcome(ForgeKind::Local, Some(plan)) }
}

/// A pull request from a fork, on Forgejo: built, not published.
pub(crate) fn fork() -> Outcome {
    let reason = "pull request 7 from the fork mallory/app".to_owned();
    let mut step = Step { output: Output::Layout { dir: "dist/app".into() }, ..publish_step("app") };
    for target in &mut step.targets {
        target.included = false;
        target.why = format!("credentials are withheld: {reason}");
    }
    let build = BuildOutcome {
        state: BuildState::Done,
        took: Duration::from_millis(31_400),
        layers: layers(),
        digest: Some(digest("app")),
        layout: Some("dist/app".into()),
        verified: None,
        proof: None,
        ..planned_build("app")
    };
    let context = CiContext {
        event: EventKind::PullRequest,
        event_name: "pull_request".into(),
        trust: Trust::Untrusted { reason: reason.clone() },
        branch: Some("patch-1".into()),
        pull_request: Some(PullRequest {
            number: 7,
            head_ref: "patch-1".into(),
            base_ref: "main".into(),
            head_sha: Some(COMMIT.into()),
            head_repository: Some("mallory/app".into()),
        }),
        ..context(ForgeKind::Forgejo)
    };
    let note = Problem::new(format!("GHCR_TOKEN and HUB_TOKEN were not used: this run is a {reason}"))
        .hint("the image is published when the change is merged");
    Outcome {
        context,
        builder: Some(builder()),
        builds: vec![build],
        signing: None,
        notes: vec![note],
        ..outcome(ForgeKind::Forgejo, Some(plan(vec![step])))
    }
}

/// One of two builds failed, and did not have to work.
pub(crate) fn optional_failed() -> Outcome {
    let failure = BuildFailure {
        errors: Vec::new(),
        dockerfile: Some(at("docs/Dockerfile", 3, None)),
        summary: "failed to compute cache key: \"/book.toml\": not found".into(),
        tail: vec!["ERROR: failed to compute cache key: \"/book.toml\": not found".into()],
    };
    let docs = BuildOutcome {
        required: false,
        state: BuildState::BuildFailed(failure),
        took: Duration::from_millis(820),
        ..planned_build("docs")
    };
    let steps = vec![publish_step("app"), Step { required: false, ..publish_step("docs") }];
    Outcome {
        builder: Some(builder()),
        builds: vec![published_build("app"), docs],
        ..outcome(ForgeKind::GitHub, Some(plan(steps)))
    }
}

/// A laptop without an engine.
pub(crate) fn local_layout() -> Outcome {
    let step = Step { output: Output::Layout { dir: "dist/app".into() }, targets: Vec::new(), ..publish_step("app") };
    let build = BuildOutcome {
        state: BuildState::Done,
        took: Duration::from_millis(2_100),
        layers: layers(),
        digest: Some(digest("app")),
        image_id: Some(digest("config")),
        layout: Some("dist/app".into()),
        ..planned_build("app")
    };
    Outcome {
        builder: Some(builder()),
        builds: vec![build],
        took: Duration::from_millis(2_350),
        // A laptop with plain progress: nothing was measured.
        phases: Vec::new(),
        ..outcome(ForgeKind::Local, Some(plan(vec![step])))
    }
}

/// Every text that comes from outside replaced.
pub(crate) fn hostile(text: &str) -> Outcome {
    let mut outcome = failing_run();
    let problem = Problem::new(text).at(at(text, 3, None)).snippet(text).hint(text);
    outcome.failure = Some(Failure::many(FailureKind::Build, vec![problem.clone()]));
    outcome.notes = vec![problem.clone()];
    outcome.context.branch = Some(text.into());
    outcome.context.job_url = Some(text.into());
    outcome.context.trust = Trust::Untrusted { reason: text.into() };
    if let Some(plan) = &mut outcome.plan {
        plan.version.full = text.into();
        plan.cache.skipped = vec![text.into()];
        plan.left_out = vec![Decision { id: text.into(), included: false, why: text.into() }];
        plan.steps[0].targets = vec![Decision { id: text.into(), included: false, why: text.into() }];
        plan.steps[0].dockerfile = text.into();
    }
    let mut builds = vec![outcome.builds[0].clone(), published_build("b"), planned_build("c")];
    builds[0].state = BuildState::BuildFailed(BuildFailure {
        errors: vec![BuildError {
            tool: text.into(),
            location: Some(at(text, 1, None)),
            message: text.into(),
            raw: text.into(),
        }],
        dockerfile: Some(at(text, 2, None)),
        summary: text.into(),
        tail: vec![text.into(), text.into()],
    });
    builds[1].state = BuildState::Failed(Failure::new(FailureKind::Publish, problem));
    builds[2].state = BuildState::NotRun { why: text.into() };
    for build in &mut builds {
        build.id = text.into();
        build.verified = Some(text.into());
        build.proof = Some(proofs::hostile(text));
        build.caches = vec![
            CacheSource { name: text.into(), error: text.into() },
            CacheSource { name: text.into(), error: String::new() },
        ];
        build.loaded = vec![text.into()];
        build.layout = Some(text.into());
        build.layers = vec![Layer {
            stage: text.into(),
            platform: Some(text.into()),
            instruction: text.into(),
            detail: text.into(),
            start: Some(1.0),
            seconds: 2.0,
            ..Layer::default()
        }];
        let warning = |message: String| Warning { message, detail: text.into(), url: text.into(), location: None };
        build.warnings = vec![warning(text.into()), warning(format!("FromAsCasing: {text}"))];
    }
    outcome.builds = builds;
    outcome.phases.iter_mut().for_each(|span| span.build = Some(text.into()));
    outcome
}

fn outcome(forge: ForgeKind, plan: Option<Plan>) -> Outcome {
    Outcome {
        context: context(forge),
        started: "2026-03-14T09:26:53Z".parse().unwrap(),
        took: Duration::from_millis(42_517),
        status: Status::Success,
        failure: None,
        plan,
        builder: None,
        builds: Vec::new(),
        swept: Vec::new(),
        signing: None,
        phases: phases(),
        notes: Vec::new(),
    }
}

/// Of a run that published.
fn phases() -> Vec<Span> {
    let span = |phase, build: Option<&str>, began, took| Span {
        phase,
        build: build.map(str::to_owned),
        began: Duration::from_millis(began),
        took: Duration::from_millis(took),
        went_well: true,
    };
    vec![
        span(Phase::Builder, None, 40, 420),
        span(Phase::Build, Some("app"), 480, 38_900),
        span(Phase::Stage, Some("app"), 39_400, 310),
        span(Phase::Sign, None, 39_720, 640),
        span(Phase::Tag, None, 40_370, 2_100),
    ]
}

/// The first of these, the last of them cut short.
fn phases_until(last: usize, took: u64) -> Vec<Span> {
    let mut phases = phases();
    phases.truncate(last);
    phases.iter_mut().skip(last - 1).for_each(|span| {
        span.took = Duration::from_millis(took);
        span.went_well = false;
    });
    phases
}

pub(crate) fn context(forge: ForgeKind) -> CiContext {
    let local = forge == ForgeKind::Local;
    let ci = |text: &str| (!local).then(|| text.to_owned());
    CiContext {
        forge,
        event: if local { EventKind::Manual } else { EventKind::Push },
        event_name: if local { "local".into() } else { "push".into() },
        trust: Trust::Trusted,
        repository: Some("acme/app".into()),
        repository_url: Some("https://forge.example/acme/app".into()),
        server_url: ci("https://forge.example"),
        api_url: ci("https://forge.example/api"),
        commit: Some(COMMIT.into()),
        branch: Some("main".into()),
        tag: None,
        default_branch: Some("main".into()),
        pull_request: None,
        pipeline: ci("4711"),
        attempt: (!local).then_some(1),
        job: ci("image"),
        job_url: ci("https://forge.example/acme/app/jobs/4711"),
        runner: ci("runner-3"),
        actor: ci("alice"),
        workspace: "/work".into(),
        files: RunnerFiles::default(),
        registry: None,
        debug: false,
    }
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan {
        version: Version {
            full: "1.4.2".into(),
            base: "1.4.2".into(),
            major: "1".into(),
            minor: "4".into(),
            patch: "2".into(),
            prerelease: String::new(),
            release: true,
        },
        commit: Some(COMMIT.into()),
        commit_time: "2026-03-14T09:00:00Z".parse().ok(),
        repo_id: "acme/app".into(),
        steps,
        left_out: Vec::new(),
        cache: CachePlan {
            mode: "shared".into(),
            branch: "main".into(),
            fallback: None,
            skipped: Vec::new(),
            registry: None,
        },
        builder: BuilderPlan::default(),
        publish: Default::default(),
        sign: Default::default(),
        notes: Vec::new(),
    }
}

fn publish_step(id: &str) -> Step {
    let target = |name: &str, repository: &str, provider| TargetPlan {
        id: name.into(),
        repository: repository.parse().unwrap(),
        provider,
        tags: tags(),
        moving: vec!["latest".parse().unwrap()],
        scan: false,
        credentials: Some(name.to_uppercase()),
    };
    let included = |name: &str| Decision { id: name.into(), included: true, why: "it has no conditions".into() };
    Step {
        id: id.into(),
        depends_on: Vec::new(),
        required: true,
        build_mode: BuildMode::Plain,
        crucible: None,
        dockerfile: "Dockerfile".into(),
        context: ".".into(),
        target: None,
        platforms: vec!["linux/amd64".into()],
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
        epoch: Some(1_773_478_800),
        also_load: Vec::new(),
        base_images: Vec::new(),
        output: Output::Publish {
            targets: vec![
                target("ghcr", &format!("ghcr.io/acme/{id}"), Provider::Ghcr),
                target("hub", &format!("docker.io/acme/{id}"), Provider::DockerHub),
            ],
        },
        targets: vec![included("ghcr"), included("hub")],
        plan_hash: digest("plan").hex().into(),
    }
}

fn planned_build(id: &str) -> BuildOutcome {
    BuildOutcome {
        id: id.into(),
        required: true,
        state: BuildState::NotRun { why: String::new() },
        took: Duration::ZERO,
        layers: Vec::new(),
        caches: Vec::new(),
        warnings: Vec::new(),
        digest: None,
        image_id: None,
        metadata: None,
        verified: None,
        proof: None,
        published: Vec::new(),
        others: Vec::new(),
        signatures: Vec::new(),
        loaded: Vec::new(),
        layout: None,
        leg: None,
        legs: Vec::new(),
    }
}

fn published_build(id: &str) -> BuildOutcome {
    let digest = digest(id);
    let put = |target: &str, repository: String| {
        tags()
            .into_iter()
            .map({
                let digest = digest.clone();
                move |tag| PublishedTag {
                    target: target.to_owned(),
                    repository: repository.parse().unwrap(),
                    tag,
                    digest: digest.clone(),
                    was: None,
                }
            })
            .collect::<Vec<_>>()
    };
    BuildOutcome {
        state: BuildState::Done,
        took: Duration::from_millis(38_900),
        layers: layers(),
        caches: vec![
            CacheSource { name: format!("ghcr.io/acme/{id}:cache-main"), error: String::new() },
            CacheSource {
                name: format!("ghcr.io/acme/{id}:cache-topic"),
                error: format!("failed to configure registry cache importer: ghcr.io/acme/{id}:cache-topic: not found"),
            },
        ],
        warnings: vec![Warning {
            message: "FromAsCasing: 'as' and 'FROM' keywords' casing do not match".into(),
            detail: "The 'as' keyword should match the case of the 'from' keyword".into(),
            url: "https://docs.docker.com/go/dockerfile/rule/from-as-casing/".into(),
            location: Some(at("Dockerfile", 1, None)),
        }],
        metadata: Some(serde_json::json!({
            "containerimage.digest": digest.as_str(),
            "image.name": format!("ghcr.io/acme/{id},docker.io/acme/{id}"),
        })),
        published: [put("ghcr", format!("ghcr.io/acme/{id}")), put("hub", format!("docker.io/acme/{id}"))].concat(),
        digest: Some(digest),
        image_id: Some(self::digest("config")),
        verified: Some("published as built, without proof: build_mode is not crucible".into()),
        ..planned_build(id)
    }
}

fn layers() -> Vec<Layer> {
    let layer = |stage: &str, index, total, instruction: &str, detail: &str, start, seconds| Layer {
        stage: stage.into(),
        platform: None,
        index,
        total,
        instruction: instruction.into(),
        detail: detail.into(),
        base_image: (instruction == "FROM").then(|| detail.split(' ').next().unwrap().to_owned()),
        cached: seconds == 0.0,
        seconds,
        start: Some(start),
    };
    vec![
        layer("build", 1, 4, "FROM", "rust:1.95", 0.3, 0.0),
        layer("build", 2, 4, "COPY", "Cargo.toml Cargo.lock ./", 0.3, 0.0),
        layer("build", 3, 4, "COPY", "src src", 0.4, 0.1),
        layer("build", 4, 4, "RUN", "cargo build --release", 0.5, 33.8),
        layer("", 1, 2, "FROM", "alpine:3.22", 0.3, 0.0),
        layer("", 2, 2, "COPY", "--from=build /src/target/release/app /usr/bin/app", 34.3, 0.2),
    ]
}

fn builder() -> BuilderFacts {
    BuilderFacts {
        name: "sf-builder".into(),
        driver: "remote".into(),
        backend: "buildkitd".into(),
        endpoint: "tcp://buildkitd:1234".into(),
        status: "running".into(),
        action: "created".into(),
        buildkit: "v0.32.2".into(),
        buildx: "v0.36.1".into(),
        platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
        gc_rules: Vec::new(),
        seconds: 0.4,
        raw: None,
    }
}

fn tags() -> Vec<Tag> {
    ["1.4.2", "1.4", "latest"].map(|tag| tag.parse().unwrap()).to_vec()
}

pub(crate) fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

fn at(file: &str, line: u32, column: Option<u32>) -> Location {
    Location { file: file.into(), line: Some(line), column }
}
