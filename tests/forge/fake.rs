//! Forges in memory, one core with three faces: stateful, and strict about what they are asked.
//!
//! Every request is judged by the forge's contract and by the limits that the contract does not state. What it refuses is a
//! violation; `fake_api` fails the test for it, and for a write that no test asked for.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::answers;
use crate::contract::{Contract, Operation};
use crate::fake_api::{self, Api, Journal, Seen, Server};

pub(crate) const SECRET: &str = "t0k3n-of-this-test-0123456789abcdef";
pub(crate) const REPOSITORY: &str = "acme/app";
pub(crate) const PROJECT: &str = "acme/platform/app";
pub(crate) const PIPELINE: u64 = 334_455;
pub(crate) const REQUEST: &str = "17";

impl Seen {
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.query.iter().find(|(key, _)| key == name)?.1.parse().ok()
    }

    pub(crate) fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

/// Which forge it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    GitHub,
    GitLab,
    Gitea,
    Forgejo,
}

/// What the token of the run may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// Everything it is used for.
    Full,
    /// Read, and nothing else.
    ReadOnly,
    /// As the run of a fork's request gets it.
    Fork,
    /// Not any more.
    Expired,
    /// There is none.
    Absent,
    /// A person's, which GitHub takes no check runs from.
    Personal,
    /// Read the repository not even: it is not shown.
    Blind,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply(pub(crate) u16, pub(crate) Vec<(&'static str, String)>, pub(crate) Value);

impl Reply {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self(status, Vec::new(), body)
    }

    fn sent(self) -> fake_api::Reply {
        let Self(status, mut headers, body) = self;
        headers.push(("content-type", "application/json".to_owned()));
        fake_api::Reply(status, headers, body.to_string().into_bytes())
    }
}

/// What happens to a request instead of being obeyed.
#[derive(Debug, Clone)]
pub(crate) enum Instead {
    Reply(Reply),
    /// Obeyed, but the answer is this: a proxy that broke off.
    ObeyedBut(Reply),
    /// No answer, ever.
    Hang,
}

/// A comment on the request.
#[derive(Debug, Clone)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    pub(crate) author: String,
    pub(crate) robot: bool,
    pub(crate) body: String,
}

/// A write that was obeyed.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) method: String,
    pub(crate) template: String,
    pub(crate) body: Value,
}

/// What is stored, and what was done.
pub(crate) struct State {
    pub(crate) face: Face,
    pub(crate) token: Token,
    /// The whole token as sent.
    pub(crate) secret: String,
    /// The only commit that may be told of.
    pub(crate) commit: String,
    /// Who the token stands for.
    pub(crate) me: String,
    pub(crate) statuses: Vec<Value>,
    pub(crate) comments: Vec<Comment>,
    /// Remarks of the check runs.
    pub(crate) remarks: Vec<Value>,
    pub(crate) delay: Duration,
    base: &'static str,
    contract: &'static Contract,
    instead: VecDeque<(&'static str, Instead)>,
    /// Every request, its path below the API's base.
    seen: Vec<Seen>,
    pub(crate) journal: Journal<Write>,
}

impl Api for State {
    type Write = Write;

    fn handle(&mut self, seen: Seen) -> Option<fake_api::Reply> {
        match self.judged(seen) {
            Instead::Reply(reply) | Instead::ObeyedBut(reply) => Some(reply.sent()),
            Instead::Hang => None,
        }
    }

    fn journal(&mut self) -> &mut Journal<Write> {
        &mut self.journal
    }

    fn delay(&self) -> Duration {
        self.delay
    }

    fn unasked(&self) -> Vec<String> {
        self.instead.iter().map(|(part, _)| (*part).to_owned()).collect()
    }
}

impl State {
    fn judged(&mut self, mut seen: Seen) -> Instead {
        match seen.path.strip_prefix(self.base) {
            Some(rest) => seen.path = rest.to_owned(),
            None => return self.refuse(&seen, "not below the API's base"),
        }
        self.seen.push(seen.clone());
        let operation = match self.contract.judge(&seen) {
            Ok(operation) => operation,
            Err(why) => return self.refuse(&seen, &why),
        };
        if let Err(why) = self.is_mine(&seen) {
            return self.refuse(&seen, why);
        }
        let scripted = self.instead.front().is_some_and(|(part, _)| seen.path.contains(part));
        let instead = if scripted { self.instead.pop_front().map(|(_, instead)| instead) } else { None };
        match instead {
            Some(Instead::ObeyedBut(reply)) => {
                self.obey(&seen, &operation);
                Instead::Reply(reply)
            }
            Some(other) => other,
            None => Instead::Reply(self.obey(&seen, &operation)),
        }
    }

    fn obey(&mut self, seen: &Seen, operation: &Operation) -> Reply {
        if let Some(refusal) = answers::refused(self, seen, operation) {
            return refusal;
        }
        let reply = match answers::answer(self, seen, operation) {
            Ok(reply) => reply,
            Err((why, reply)) => {
                self.journal.violations.push(format!("{} {}: {why}", seen.method, seen.path));
                return reply;
            }
        };
        if seen.is_write() && reply.0 < 400 {
            let Operation { template, body, .. } = operation.clone();
            self.journal.writes.push(Write { method: seen.method.clone(), template, body });
        }
        reply
    }

    /// The right token in the right header, and on GitHub the version of the API.
    fn is_mine(&self, seen: &Seen) -> Result<(), &'static str> {
        let (name, value) = match self.face {
            Face::GitHub => ("authorization", format!("Bearer {}", self.secret)),
            Face::GitLab => ("private-token", self.secret.clone()),
            Face::Gitea | Face::Forgejo => ("authorization", format!("token {}", self.secret)),
        };
        if seen.header(name) != value {
            return Err("without the token");
        }
        if self.face == Face::GitHub
            && (seen.header("accept"), seen.header("x-github-api-version"))
                != ("application/vnd.github+json", "2022-11-28")
        {
            return Err("without the version of the API");
        }
        if !seen.header("user-agent").starts_with("stagefreight/") {
            return Err("from nobody");
        }
        Ok(())
    }

    fn refuse(&mut self, seen: &Seen, why: &str) -> Instead {
        let body = String::from_utf8_lossy(&seen.body).chars().take(300).collect::<String>();
        self.journal.violations.push(format!("{} {} {:?}: {why}: {body}", seen.method, seen.path, seen.query));
        Instead::Reply(Reply::new(418, json!({"message": why})))
    }

    pub(crate) fn example(&self, template: &str, method: &str, status: u16) -> Value {
        self.contract.example(template, method, status)
    }
}

/// A forge, serving until it goes out of scope.
pub(crate) struct Fake {
    pub(crate) url: String,
    server: Server<State>,
}

impl Deref for Fake {
    type Target = Server<State>;

    fn deref(&self) -> &Server<State> {
        &self.server
    }
}

impl Fake {
    pub(crate) fn start(face: Face, token: Token) -> Self {
        let (base, contract) = match face {
            Face::GitHub => ("", github()),
            Face::GitLab => ("/api/v4", gitlab()),
            Face::Gitea | Face::Forgejo => ("/api/v1", gitea()),
        };
        let secret = match (face, token) {
            (Face::GitHub, Token::Personal) => format!("ghp_{SECRET}"),
            (Face::GitHub, _) => format!("ghs_{SECRET}"),
            _ => SECRET.to_owned(),
        };
        let me = match (face, token) {
            (Face::GitHub, Token::Personal) | (Face::GitLab, _) => "release-robot",
            (Face::GitHub, _) => "github-actions[bot]",
            (Face::Gitea, _) => "gitea-actions",
            (Face::Forgejo, _) => "forgejo-actions",
        };
        let state = State {
            face,
            token,
            secret,
            commit: String::new(),
            me: me.to_owned(),
            statuses: Vec::new(),
            comments: Vec::new(),
            remarks: Vec::new(),
            delay: Duration::ZERO,
            base,
            contract,
            instead: VecDeque::new(),
            seen: Vec::new(),
            journal: Journal::default(),
        };
        let server = Server::start(|_| state);
        Self { url: format!("http://{}{base}", server.host), server }
    }

    /// The next request whose path contains this is treated so.
    pub(crate) fn instead(&self, part: &'static str, what: Instead) {
        self.state().instead.push_back((part, what));
    }

    /// States of the statuses written since the last look, and nothing else was.
    #[track_caller]
    pub(crate) fn only_statuses(&self) -> Vec<String> {
        let writes = self.writes();
        assert!(writes.iter().all(|write| write.template.contains("/statuses/")), "{writes:#?}");
        writes.iter().map(|write| write.body["state"].as_str().unwrap().to_owned()).collect()
    }

    /// Every request so far, as `GET /user`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().seen.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }
}

/// GitHub's own description, from its npm package.
pub(crate) fn github() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| {
        let file = std::env::var("TESTBED_GITHUB_OPENAPI").unwrap_or_else(|_| {
            panic!("TESTBED_GITHUB_OPENAPI is not set: run `ci/runners up github-openapi`, then `eval \"$(ci/runners env)\"`, then the tests again")
        });
        Contract::read(&file)
    })
}

pub(crate) fn gitlab() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| Contract::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contracts/gitlab.json")))
}

pub(crate) fn gitea() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| Contract::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contracts/gitea.json")))
}
