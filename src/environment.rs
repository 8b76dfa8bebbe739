//! The process environment, read once. The only place that reads it; nothing ever sets it.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use jiff::Timestamp;

/// Everything the outside world tells a run, as it was when the process started.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Variables. Names and values that are not UTF-8 are left out: no runner sets such.
    pub vars: Vars,
    /// The working directory.
    pub cwd: PathBuf,
    /// Standard output is a terminal.
    pub terminal: bool,
    /// The one clock reading of the run: `{date}`, `{timestamp}` and run times start here.
    pub now: Timestamp,
}

/// Environment variables by name. `Debug` shows names only: values may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Vars(BTreeMap<String, String>);

impl Environment {
    /// Reads the process's own environment.
    ///
    /// # Errors
    /// When the working directory is gone.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_process() -> std::io::Result<Self> {
        let vars =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        Ok(Self {
            vars: Vars(vars),
            cwd: std::env::current_dir()?,
            terminal: std::io::stdout().is_terminal(),
            now: Timestamp::now(),
        })
    }
}

impl Vars {
    /// The value, if set and not empty. Runners set empty strings where they mean "absent".
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// The value even if empty.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `true` exactly when the value is `true` or `1`.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some("true" | "1"))
    }

    /// All pairs, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

impl FromIterator<(String, String)> for Vars {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl std::fmt::Debug for Vars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
