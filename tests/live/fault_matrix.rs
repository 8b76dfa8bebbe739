//! Every way a registry can fail, at every step of a publication, in either of two registries: once, which a run gets over; and
//! for good, which must leave every tag as it was, in both.
//!
//! The image is built by the engine's own builder, so that every request on the way is our client's.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::backends::DOCKER;
use crate::scenery::fault_proxy::{Fault, FaultProxy, Rule};
use crate::support::{Registry, Sandbox};

use super::publish::small;

/// Runs at a time. Most of their time is waiting for the next attempt.
const AT_A_TIME: usize = 12;
/// A request that never succeeds is sent so often at most: six attempts, each once more if it is asked for a login.
const ATTEMPTS: usize = 12;

/// Where in a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Token,
    BlobHead,
    UploadStart,
    UploadBody,
    UploadEnd,
    Manifest,
    Tag,
    ReadBack,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Status(u16),
    Reset,
    Stall,
    Truncated,
    Slow,
    /// The token is not taken any more.
    LoggedOut,
}

const STEPS: [At; 8] =
    [At::Token, At::BlobHead, At::UploadStart, At::UploadBody, At::UploadEnd, At::Manifest, At::Tag, At::ReadBack];
const KINDS: [Kind; 9] = [
    Kind::Status(500),
    Kind::Status(502),
    Kind::Status(503),
    Kind::Status(429),
    Kind::Reset,
    Kind::Stall,
    Kind::Truncated,
    Kind::Slow,
    Kind::LoggedOut,
];

/// One cell: what happens where, in which of the two registries.
#[derive(Debug, Clone, Copy)]
struct Cell {
    at: At,
    kind: Kind,
    second: bool,
}

/// What one run is.
struct Case {
    sandbox: Sandbox,
    proxy: FaultProxy,
    before: [Vec<(String, String)>; 2],
}

impl Cell {
    fn rule(self, repository: &str) -> Rule {
        let (method, path) = match self.at {
            At::Token => ("GET", "/token".to_owned()),
            At::BlobHead => ("HEAD", format!("{repository}/blobs/sha256")),
            At::UploadStart => ("POST", format!("{repository}/blobs/uploads")),
            At::UploadBody | At::UploadEnd => ("PUT", format!("{repository}/blobs/uploads")),
            At::Manifest => ("PUT", format!("{repository}/manifests/sha256")),
            At::Tag => ("PUT", format!("{repository}/manifests/new")),
            At::ReadBack => ("GET", format!("{repository}/manifests/new")),
        };
        let rule = Rule::new(self.fault()).on(method).at(path);
        // Tags are looked at before they are put, too: once, because a fixed tag is not looked at again.
        if self.at == At::ReadBack { rule.after(1) } else { rule }
    }

    fn fault(self) -> Fault {
        match (self.kind, self.at) {
            // The registry has it, and says otherwise.
            (Kind::Status(status), At::UploadEnd) => Fault::AnswerAfter(status, String::new()),
            (Kind::Status(status), _) => Fault::Answer(status, vec![], String::new()),
            (Kind::Reset, At::UploadBody) => Fault::CloseInside(10),
            (Kind::Reset, At::UploadEnd) => Fault::CloseAfter,
            (Kind::Reset, _) => Fault::Close,
            (Kind::Stall, _) => Fault::Hang,
            (Kind::Truncated, _) => Fault::Truncate(0),
            (Kind::Slow, _) => Fault::Slow(Duration::from_millis(700)),
            (Kind::LoggedOut, At::Token) => {
                Fault::Answer(401, vec![], r#"{"details":"incorrect username or password"}"#.to_owned())
            }
            (Kind::LoggedOut, _) => Fault::LoggedOut,
        }
    }

    /// What trying again cannot mend: a login that the token server does not take.
    fn is_final(self) -> bool {
        self.kind == Kind::LoggedOut && self.at == At::Token
    }

    /// Some answers have no body that could be cut.
    fn makes_sense(self) -> bool {
        self.kind != Kind::Truncated || matches!(self.at, At::Token | At::ReadBack)
    }
}

fn case(cell: Cell, times: usize) -> Case {
    let sandbox = small(Sandbox::new()).secret("LOGIN_USER", "somebody").secret("LOGIN_TOKEN", "let-me-in-please");
    let repository = format!("live/{}", sandbox.id);
    let faulty = if cell.second { &sandbox.testbed.registry2 } else { &sandbox.testbed.registry };
    let proxy = FaultProxy::start(faulty, []).with_tokens("somebody", "let-me-in-please", Duration::from_secs(300));
    let (first, second) = match cell.second {
        true => ("{registry}".to_owned(), proxy.host().to_owned()),
        false => (proxy.host().to_owned(), "{registry2}".to_owned()),
    };
    // Only where somebody is silent need it be short; elsewhere a busy machine must not look like silence.
    let patience = if cell.kind == Kind::Stall { "2s" } else { "20s" };
    let login = |through_proxy: bool| if through_proxy { ", credentials: LOGIN" } else { "" };
    let config = format!(
        "version: 1
builds:
  - {{id: app, kind: docker}}
targets:
  - {{id: first, kind: registry, build: app, url: '{first}', path: 'live/{{id}}', tags: [new-1.0.0, latest]{}}}
  - {{id: second, kind: registry, build: app, url: '{second}', path: 'live/{{id}}', tags: [new-1.0.0, latest]{}}}
network: {{timeout: {patience}}}
{DOCKER}",
        login(!cell.second),
        login(cell.second)
    );
    let sandbox = sandbox.config(&config).docker();
    for registry in [sandbox.registry(), sandbox.registry2()] {
        registry.put_image(&repository, "latest", &serde_json::json!({}));
    }
    let before = snapshot(&sandbox);
    proxy.rule(cell.rule(&repository).times(times));
    Case { sandbox, proxy, before }
}

fn snapshot(sandbox: &Sandbox) -> [Vec<(String, String)>; 2] {
    let repository = format!("live/{}", sandbox.id);
    let of = |registry: Registry| {
        let tags = registry.tags(&repository);
        tags.into_iter().map(|tag| (tag.clone(), registry.digest(&repository, &tag))).collect()
    };
    [of(sandbox.registry()), of(sandbox.registry2())]
}

/// Runs all cells, a few at a time, and tells of every one that fails.
fn all(cells: Vec<Cell>, check: impl Fn(Cell) + Sync) {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(*cell)));
                    if caught.is_err() {
                        failed.lock().unwrap().push(*cell);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} cells: {failed:#?}", failed.len(), cells.len());
}

fn cells(kinds: &[Kind]) -> Vec<Cell> {
    let every =
        kinds.iter().flat_map(|kind| STEPS.map(|at| [false, true].map(|second| Cell { at, kind: *kind, second })));
    every.flatten().filter(|cell| cell.makes_sense()).collect()
}

/// The name of the step's repository stands in the paths; the token server has none.
fn requests(case: &Case, cell: Cell) -> usize {
    let path = match cell.at {
        At::Token => "/token".to_owned(),
        At::BlobHead => "/blobs/sha256".to_owned(),
        At::UploadStart | At::UploadBody | At::UploadEnd => "/blobs/uploads".to_owned(),
        At::Manifest => "/manifests/sha256".to_owned(),
        At::Tag | At::ReadBack => "/manifests/new".to_owned(),
    };
    let method = match cell.at {
        At::Token | At::ReadBack => "GET",
        At::BlobHead => "HEAD",
        At::UploadStart => "POST",
        _ => "PUT",
    };
    case.proxy.count(method, &path)
}

#[test]
fn what_fails_once_is_tried_again_and_everything_is_published() {
    let mendable = cells(&KINDS).into_iter().filter(|cell| !cell.is_final()).collect();
    all(mendable, |cell| {
        let case = case(cell, 1);
        let run = case.sandbox.run(&["run"]).succeeds();
        let repository = format!("live/{}", case.sandbox.id);
        let digest = case.sandbox.result()["builds"][0]["digest"].as_str().unwrap().to_owned();
        for registry in [case.sandbox.registry(), case.sandbox.registry2()] {
            assert_eq!(registry.tags(&repository), ["latest", "new-1.0.0"], "{cell:?}");
            for tag in ["latest", "new-1.0.0"] {
                assert_eq!(registry.digest(&repository, tag), digest, "{cell:?}");
            }
        }
        case.sandbox.assert_tidy(&run);
    });
}

#[test]
fn what_fails_for_good_leaves_every_tag_as_it_was_and_says_so() {
    // The three statuses of a broken server are one class; one of them stands for all here.
    let kinds = [Kind::Status(503), Kind::Status(429), Kind::Reset, Kind::Stall, Kind::Truncated, Kind::LoggedOut];
    all(cells(&kinds), |cell| {
        let case = case(cell, usize::MAX);
        let began = Instant::now();
        let run = case.sandbox.run(&["run"]).exits(1);
        assert!(began.elapsed() < Duration::from_secs(150), "{cell:?}: {:?}", began.elapsed());
        let result = case.sandbox.result();
        assert!(
            ["publish", "credentials"].contains(&result["failure"]["kind"].as_str().unwrap()),
            "{cell:?}: {result}"
        );
        // Which registry, and what was tried.
        run.says(&[case.proxy.host()]);
        let after = snapshot(&case.sandbox);
        let told = |at: usize, tag: &str, fate: &str| {
            let id = ["first", "second"][at];
            let others = result["builds"][0]["others"].as_array().cloned().unwrap_or_default();
            others.iter().any(|other| other["target"] == id && other["tag"] == tag && other["fate"] == fate)
        };
        for (at, (before, after)) in case.before.iter().zip(&after).enumerate() {
            for (tag, digest) in after.iter().filter(|entry| !before.contains(entry)) {
                // A registry that cannot be asked keeps what it took; then the report says that nobody knows.
                assert!(told(at, tag, "unknown"), "{cell:?}: {tag} is {digest} and nobody says so: {result:#}");
            }
            for entry in before.iter().filter(|entry| !after.contains(entry)) {
                assert!(told(at, &entry.0, "unknown"), "{cell:?}: {entry:?} is gone: {result:#}");
            }
        }
        let sound = usize::from(!cell.second);
        assert_eq!(after[sound], case.before[sound], "{cell:?}: the sound registry has what it had");
        if let Some(digest) = result["builds"][0]["digest"].as_str() {
            let registry = if cell.second { case.sandbox.registry() } else { case.sandbox.registry2() };
            let left = registry.manifest(&format!("live/{}", case.sandbox.id), digest);
            assert!(left.is_none(), "{cell:?}: {digest} stays in the sound registry, under no tag");
        }
        assert!(requests(&case, cell) <= 4 * ATTEMPTS, "{cell:?}: {} requests", requests(&case, cell));
        case.sandbox.assert_tidy(&run);
    });
}
