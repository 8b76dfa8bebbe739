//! A run that has ended: what it printed and how it ended.

use std::time::Duration;

/// A finished run.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Finished {
    /// Asserts the exit code and shows everything if it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        self.exits(0)
    }

    /// Asserts that a person reads each of these, wherever it is printed.
    #[track_caller]
    pub(crate) fn says(&self, texts: &[&str]) -> &Self {
        let all = self.text();
        for text in texts {
            assert!(all.contains(text), "nobody is told {text:?}:\n{all}");
        }
        self
    }

    /// Asserts that nobody reads any of these.
    #[track_caller]
    pub(crate) fn is_silent_about(&self, texts: &[&str]) -> &Self {
        let all = self.text();
        for text in texts {
            assert!(!all.contains(text), "somebody is told {text:?}:\n{all}");
        }
        self
    }

    #[track_caller]
    pub(crate) fn faster_than(&self, limit: Duration) -> &Self {
        assert!(self.took < limit, "took {:?}\n{}", self.took, self.text());
        self
    }

    /// Both streams.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
