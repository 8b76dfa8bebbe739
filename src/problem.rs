//! What went wrong, said once: what, where, and how to mend it.
//!
//! Rooms whose callers branch have their own `thiserror` enums; here is the form in which trouble leaves a stage and
//! reaches a person. This room renders nothing: `report` does.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a file of the user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Path relative to the workspace, with `/` separators.
    pub file: String,
    /// 1-based line; absent when only the file is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// 1-based column in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// One mistake or obstacle, with its cure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// One sentence: what is wrong. Untrusted text may stand in it; whoever prints it escapes it.
    pub what: String,
    /// Where, if it has a place in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Source excerpt or tool output that shows it, several lines, unescaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem with no place yet.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), location: None, snippet: None, hint: None }
    }

    /// The same, with its cure.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, at a place.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// The same, with the lines that show it.
    #[must_use]
    pub fn snippet(mut self, snippet: impl Into<String>) -> Self {
        self.snippet = Some(snippet.into());
        self
    }
}

/// Which part of a run failed. Decides the exit code and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The configuration file is wrong.
    Config,
    /// A flag, action input or environment twin is wrong.
    Input,
    /// The plan cannot be made from what was asked.
    Plan,
    /// No usable BuildKit or engine.
    Backend,
    /// A credential is missing or cannot be used.
    Credentials,
    /// A build failed.
    Build,
    /// The image was not proven as required.
    Verification,
    /// Publication failed, in whole or in part.
    Publish,
    /// What happened could not be written down.
    Report,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// A fault of ours.
    Internal,
}

impl FailureKind {
    /// The process exit code: 2 where the request itself is wrong, 130/143 after a signal, 1 otherwise.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Config | Self::Input | Self::Plan => 2,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            _ => 1,
        }
    }
}

/// Why a stage ended without its value. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which part failed.
    pub kind: FailureKind,
    /// At least one problem, most important first.
    pub problems: Vec<Problem>,
}

impl Failure {
    /// One problem of a kind.
    pub fn new(kind: FailureKind, problem: Problem) -> Self {
        Self { kind, problems: vec![problem] }
    }

    /// Several problems of a kind; an empty list is a fault of ours and says so.
    pub fn many(kind: FailureKind, problems: Vec<Problem>) -> Self {
        if problems.is_empty() {
            return Self::new(
                FailureKind::Internal,
                Problem::new("a failure without a reason was reported; please file a bug"),
            );
        }
        Self { kind, problems }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            if let Some(at) = &problem.location {
                write!(f, "{}", at.file)?;
                if let Some(line) = at.line {
                    write!(f, ":{line}")?;
                }
                f.write_str(": ")?;
            }
            f.write_str(&problem.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
