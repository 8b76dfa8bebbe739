//! What the candidate is told: everything the second pass needs and nothing it could publish with. Travels as a private file,
//! never in argv or in an environment. What is written here is read by StageFreights of other versions.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::build::cold::PassOrder;
use crate::crucible::rebuild::Rebuilt;
use crate::environment::Vars;
use crate::problem::{Failure, Problem};
use crate::request::Request;
use crate::runner;

/// Set in a process that is itself run by a crucible: it starts no other one.
pub const GUARD: &str = "STAGEFREIGHT_CRUCIBLE";
/// Correlates the passes in logs.
pub const RUN_ID: &str = "STAGEFREIGHT_CRUCIBLE_RUN_ID";

/// The form of both documents. One that can no longer be understood by older readers gets another number.
const VERSION: u32 = 1;
/// The largest document that is read.
const LIMIT: u64 = 16 << 20;
/// What stands where a secret was that the second pass has no use for: that there is one may be part of the plan.
const WITHHELD: &str = "***";

/// The handover. It holds secrets: no `Debug`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Handover {
    version: u32,
    /// 12 hex digits, as in the proof.
    pub run_id: String,
    /// Build id.
    pub build: String,
    /// Root of the checkout; absolute.
    pub root: PathBuf,
    /// Where the pass may keep its private directory; its own choice if `None`.
    pub temp: Option<PathBuf>,
    /// Variables of the run, the guard among them. The process itself gets next to none.
    pub vars: BTreeMap<String, String>,
    /// The run's one clock reading.
    pub now: Timestamp,
    /// Inputs as flags take them.
    pub inputs: BTreeMap<String, Vec<String>>,
    /// docker's `config.json`: logins for base images, proxies.
    pub docker_config: Value,
    /// How to build.
    pub order: PassOrder,
}

/// What the candidate says in return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    version: u32,
    run_id: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Rebuilt(Rebuilt),
    Failure(Failure),
}

impl Handover {
    /// For the second pass of a build of this run.
    pub(super) fn new(run_id: &str, build: &str, request: &Request, order: &PassOrder) -> Self {
        let mut vars: BTreeMap<_, _> = request.vars.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let needed = needed(request);
        for name in secrets(request).iter().filter(|name| !needed.contains(name.as_str())) {
            if let Some(value) = vars.get_mut(name).filter(|value| !value.is_empty()) {
                WITHHELD.clone_into(value);
            }
        }
        vars.extend([(GUARD.to_owned(), "1".to_owned()), (RUN_ID.to_owned(), run_id.to_owned())]);
        let written = request.inputs.written().into_iter();
        Self {
            version: VERSION,
            run_id: run_id.to_owned(),
            build: build.to_owned(),
            root: request.source.root.clone(),
            temp: None,
            vars,
            now: request.now,
            inputs: written.map(|(name, values)| (name.to_owned(), values)).collect(),
            docker_config: Value::Null,
            order: order.clone(),
        }
    }

    /// As the document's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the document, and removes the file: nobody needs it twice.
    ///
    /// # Errors
    /// When it cannot be read, is of another version, or lacks the guard.
    pub fn take(file: &Path) -> Result<Self, Problem> {
        let bytes = read_bounded(file);
        let _ = std::fs::remove_file(file);
        let handover: Self = parse(&bytes.map_err(|e| unusable(&e.to_string()))?)?;
        if handover.vars.get(GUARD).map(String::as_str) != Some("1") {
            return Err(unusable(&format!("it lacks {GUARD}, so no crucible wrote it")));
        }
        Ok(handover)
    }

    /// The variables, as a run reads them.
    pub fn vars(&self) -> Vars {
        self.vars.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }
}

impl Answer {
    /// What came of the pass.
    pub fn new(run_id: &str, result: Result<Rebuilt, Failure>) -> Self {
        let outcome = result.map_or_else(Outcome::Failure, Outcome::Rebuilt);
        Self { version: VERSION, run_id: run_id.to_owned(), outcome }
    }

    /// As the document's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the document from a file.
    ///
    /// # Errors
    /// As [`Answer::parse`].
    pub(super) fn read(file: &Path, run_id: &str) -> Result<Result<Rebuilt, Failure>, Problem> {
        Self::parse(&read_bounded(file).map_err(|e| unusable(&e.to_string()))?, run_id)
    }

    /// Reads the document: what the pass came to.
    ///
    /// # Errors
    /// When it is none, of another version, or of another run.
    pub(super) fn parse(bytes: &[u8], run_id: &str) -> Result<Result<Rebuilt, Failure>, Problem> {
        let answer: Self = parse(bytes)?;
        if answer.run_id != run_id {
            return Err(unusable("it is another run's"));
        }
        Ok(match answer.outcome {
            Outcome::Rebuilt(rebuilt) => Ok(rebuilt),
            Outcome::Failure(failure) => Err(failure),
        })
    }
}

/// Parses a document of a version we know. The version is looked at first, so that a new form is named as such.
fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    #[derive(Deserialize)]
    struct Header {
        version: u32,
    }
    let header: Header = serde_json::from_slice(bytes).map_err(|e| unusable(&e.to_string()))?;
    if header.version != VERSION {
        return Err(unusable(&format!("it has version {}, and this program reads version {VERSION}", header.version)));
    }
    serde_json::from_slice(bytes).map_err(|e| unusable(&e.to_string()))
}

fn unusable(why: &str) -> Problem {
    Problem::new(format!("the document of the crucible's second pass cannot be used: {why}"))
}

fn read_bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Names of variables that hold secrets of the run.
fn secrets(request: &Request) -> BTreeSet<String> {
    let config = &request.config;
    let targets = config.targets.iter().filter_map(|target| target.credentials.as_deref());
    let prefixes = targets.chain(config.registries.values().filter_map(|registry| registry.credentials.as_deref()));
    let named = prefixes.flat_map(|p| ["TOKEN", "PASS", "PASSWORD"].map(|suffix| format!("{p}_{suffix}")));
    let inputs = request.vars.iter().map(|(name, _)| name).filter(|name| is_token_input(name)).map(str::to_owned);
    runner::SECRET_VARIABLES.iter().map(|name| (*name).to_owned()).chain(named).chain(inputs).collect()
}

/// An action's input that holds a token.
fn is_token_input(name: &str) -> bool {
    name.starts_with("INPUT_") && name.ends_with("TOKEN")
}

/// Those of them that the build itself is given, by the user's own word.
fn needed(request: &Request) -> BTreeSet<&str> {
    let inputs = &request.inputs;
    let secrets = inputs.secret_envs.iter().filter_map(|given| Some(given.split_once('=')?.1));
    let args = inputs.build_args.iter().filter(|given| !given.contains('=')).map(String::as_str);
    secrets.chain(args).collect()
}

#[cfg(test)]
mod tests;
