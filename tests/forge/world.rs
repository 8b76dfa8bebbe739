//! A checkout with something small to build, on a runner of a forge that is there.

use serde_json::Value;

use crate::fake::{Face, Fake, Token};
use crate::support::{Finished, Sandbox};

/// The tip of the pull request in the fixtures' events.
const HEAD: &str = "1d2c3b4a5f6e7d8c9b0a1f2e3d4c5b6a7f8e9d0c";

/// A run's surroundings.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) fake: Fake,
}

impl World {
    /// A request on that forge, ready to run.
    pub(crate) fn new(face: Face, token: Token) -> Self {
        Self::with(face, token, |sandbox| sandbox)
    }

    /// The same with more in the checkout.
    pub(crate) fn with(face: Face, token: Token, more: impl FnOnce(Sandbox) -> Sandbox) -> Self {
        let fixture = match (face, token) {
            (Face::GitHub, Token::Fork) => "github-fork-pr",
            (Face::GitHub, _) => "github-pull-request",
            (Face::GitLab, Token::Fork) => "gitlab-mr-fork",
            (Face::GitLab, _) => "gitlab-mr-detached",
            (Face::Gitea, _) => "gitea-pr",
            (Face::Forgejo, _) => "forgejo-fork-pr",
        };
        Self::on(fixture, face, token, more)
    }

    /// A named fixture with this forge behind it.
    pub(crate) fn on(fixture: &str, face: Face, token: Token, more: impl FnOnce(Sandbox) -> Sandbox) -> Self {
        let fake = Fake::start(face, token);
        let sandbox = Sandbox::new();
        let text = sandbox.id.clone();
        let sandbox = sandbox
            .file("hello.txt", &text)
            .file("Dockerfile", "FROM scratch\nCOPY hello.txt /hello.txt\n")
            .config(CONFIG);
        let sandbox = more(sandbox).on(fixture).buildkitd().without("STAGEFREIGHT_REPORT");
        let head = sandbox.git(&["rev-parse", "HEAD"]);
        let of_request = fixture.ends_with("-pr") || fixture.ends_with("pull-request");
        fake.state().commit = if of_request && face != Face::GitLab { HEAD.to_owned() } else { head };
        let secret = fake.state().secret.clone();
        let mut sandbox = match face {
            Face::GitLab => sandbox.var("CI_API_V4_URL", &fake.url),
            _ => sandbox.var("GITHUB_API_URL", &fake.url),
        };
        if matches!(face, Face::Gitea | Face::Forgejo) && of_request {
            let head = if token == Token::Fork { "mallory/app" } else { "acme/app" };
            sandbox = event(sandbox, |event| event["pull_request"]["head"]["repo"]["full_name"] = head.into());
        }
        for name in ["INPUT_GITHUB-TOKEN", "INPUT_GITHUB_TOKEN", "GITHUB_TOKEN", "FORGEJO_TOKEN", "GITLAB_TOKEN"] {
            sandbox = sandbox.without(name);
        }
        let variable = match face {
            Face::GitHub => "INPUT_GITHUB-TOKEN",
            Face::GitLab => "GITLAB_TOKEN",
            Face::Gitea => "INPUT_GITHUB_TOKEN",
            Face::Forgejo => "GITHUB_TOKEN",
        };
        if token != Token::Absent {
            sandbox = sandbox.secret(variable, &secret);
        }
        Self { sandbox, fake }
    }

    /// Another variable for the run.
    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.sandbox = self.sandbox.var(name, value);
        self
    }

    /// Runs to the end, which must be this one, and leaves nothing behind.
    #[track_caller]
    pub(crate) fn run(&self, code: i32) -> Finished {
        let run = self.sandbox.run(&["run"]).exits(code);
        self.sandbox.assert_tidy(&run);
        run
    }

    /// What the report says of writing to the forge. It says it in the log and in the summary, too.
    #[track_caller]
    pub(crate) fn warnings(&self, run: &Finished) -> Vec<String> {
        let result = self.sandbox.result();
        let notes = result["notes"].as_array().unwrap().iter();
        let about = |note: &&Value| note["what"].as_str().unwrap().contains("not written to ");
        let found: Vec<_> = notes
            .filter(about)
            .map(|note| format!("{}\n{}", note["what"].as_str().unwrap(), note["hint"].as_str().unwrap_or_default()))
            .collect();
        for warning in &found {
            // Log and summary may wrap and escape the rest.
            run.says(&[&warning[..warning.find(':').unwrap()]]);
        }
        found
    }
}

/// The request's event, changed.
pub(crate) fn event(sandbox: Sandbox, change: impl FnOnce(&mut Value)) -> Sandbox {
    let path = sandbox.vars["GITHUB_EVENT_PATH"].clone();
    let mut event: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut event);
    let own = sandbox.path().join("event.json");
    std::fs::write(&own, event.to_string()).unwrap();
    sandbox.var("GITHUB_EVENT_PATH", own.to_str().unwrap())
}

const CONFIG: &str = "version: 1
builds:
  - {id: app, kind: docker}
targets:
  - {id: hub, kind: registry, build: app, url: '{registry}', path: 'forge/{id}', tags: ['1.0', '1.0-slim']}
";
