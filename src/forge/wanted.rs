//! What is to be written, from the input and the configuration. Pure.

use crate::config::model::{Report, WriteBack};
use crate::problem::Problem;
use crate::runner::Trust;

/// Name of status and check where none is configured.
const CONTEXT: &str = "stagefreight";

/// What is to be written to the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The commit status.
    pub status: bool,
    /// The check run.
    pub checks: bool,
    /// The note.
    pub comment: bool,
    /// Name of status and check.
    pub context: String,
}

impl Wanted {
    /// What the configuration says, or the input where it says anything.
    ///
    /// # Errors
    /// When the input says something else than it can.
    pub fn of(config: &Report, input: &[String]) -> Result<Self, Problem> {
        let context = config.context.clone().unwrap_or_else(|| CONTEXT.to_owned());
        if input.is_empty() {
            let auto = |what: WriteBack| what == WriteBack::Auto;
            return Ok(Self {
                status: auto(config.status),
                checks: auto(config.checks),
                comment: config.comment,
                context,
            });
        }
        let mut wanted = Self { status: false, checks: false, comment: false, context };
        for word in input {
            match word.as_str() {
                "status" => wanted.status = true,
                "checks" => wanted.checks = true,
                "comment" => wanted.comment = true,
                "off" if input.len() == 1 => {}
                "off" => return Err(wrong("report: `off` does not go with anything else".to_owned())),
                other => {
                    let other: String = other.chars().take(80).collect();
                    return Err(wrong(format!("report: `{other}` is nothing that can be written to a forge")));
                }
            }
        }
        Ok(wanted)
    }

    /// The same for a run that builds somebody else's code. Whoever wrote that code wrote the configuration, too: a name of their choice
    /// could pass for a status that others wait for, so only what switches off is obeyed.
    #[must_use]
    pub fn for_trust(mut self, trust: &Trust, input: &[String]) -> Self {
        if matches!(trust, Trust::Untrusted { .. }) {
            CONTEXT.clone_into(&mut self.context);
            self.comment &= !input.is_empty();
        }
        self
    }

    /// Nothing.
    pub fn is_nothing(&self) -> bool {
        !self.status && !self.checks && !self.comment
    }
}

fn wrong(what: String) -> Problem {
    Problem::new(what).hint("write any of status, checks and comment, with commas between, or off")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(config: &Report, input: &[&str]) -> Result<(bool, bool, bool), String> {
        let input: Vec<_> = input.iter().map(|word| (*word).to_owned()).collect();
        Wanted::of(config, &input).map(|w| (w.status, w.checks, w.comment)).map_err(|p| p.what)
    }

    #[test]
    fn the_input_goes_before_the_configuration() {
        let quiet = Report { status: WriteBack::Off, comment: true, ..Report::default() };
        assert_eq!(of(&Report::default(), &[]), Ok((true, true, false)));
        assert_eq!(of(&quiet, &[]), Ok((false, true, true)));
        assert_eq!(of(&quiet, &["status"]), Ok((true, false, false)));
        assert_eq!(of(&quiet, &["comment", "checks"]), Ok((false, true, true)));
        assert_eq!(of(&quiet, &["off"]), Ok((false, false, false)));
        assert!(of(&quiet, &["off", "status"]).is_err());
        assert!(of(&quiet, &["Status"]).unwrap_err().contains("`Status`"));
    }

    #[test]
    fn somebody_elses_configuration_cannot_choose_a_name_or_ask_for_a_note() {
        let theirs = Report { comment: true, context: Some("security-review".into()), ..Report::default() };
        let stranger = Trust::Untrusted { reason: "a fork".into() };
        let wanted = Wanted::of(&theirs, &[]).unwrap();
        assert_eq!(wanted.clone().for_trust(&Trust::Trusted, &[]), wanted);
        let bounded = wanted.for_trust(&stranger, &[]);
        assert_eq!((bounded.context.as_str(), bounded.comment, bounded.status), ("stagefreight", false, true));
        let input = ["comment".to_owned()];
        assert!(Wanted::of(&theirs, &input).unwrap().for_trust(&stranger, &input).comment, "the workflow is ours");
        let quiet = Report { status: WriteBack::Off, ..Report::default() };
        assert!(!Wanted::of(&quiet, &[]).unwrap().for_trust(&stranger, &[]).status);
    }
}
