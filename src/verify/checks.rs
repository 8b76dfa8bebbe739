//! From what is known to what is believed: pure. Each check says why. What is not known raises nothing.

use serde::Serialize;
use serde_json::Value;

use super::facts::{About, Asked, Facts, Said};
use super::{Believe, Call};
use crate::plan::TrustLevel;
use crate::provenance;
use crate::sign::argv::Generation;
use crate::sign::attested;

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The image is what its name says.
    Digest,
    /// Somebody who is believed signed it.
    Signature,
    /// The same signed a statement about how it was made.
    Provenance,
    /// How far it is proven.
    Trust,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is right.
    Verified,
    /// It is wrong, or missing.
    Failed,
    /// Nobody knows.
    NotChecked,
    /// Nobody wanted to know.
    NotAsked,
}

/// One check, and why it came out as it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub check: What,
    /// How.
    pub state: State,
    /// Why, for people.
    pub why: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Check {
    pub(super) fn new(check: What, state: State, why: impl Into<String>) -> Self {
        Self { check, state, why: why.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// All checks, the digest's first, and the level that a believed proof reached.
pub(super) fn all(digest: Check, facts: &Facts, call: &Call) -> (Vec<Check>, Option<TrustLevel>) {
    let signature = signature(facts, call);
    let (provenance, level) = provenance(facts, call);
    let trust = trust(&provenance, level, call.min_trust);
    (vec![digest, signature, provenance, trust], level)
}

fn who(call: &Call) -> String {
    match &call.believe {
        Some(Believe::Key(key)) => format!("the key {key}"),
        Some(Believe::Identity(_)) => "the identity asked for".to_owned(),
        None => "nobody".to_owned(),
    }
}

fn signature(facts: &Facts, call: &Call) -> Check {
    let check = |state, why: String| Check::new(What::Signature, state, why);
    match &facts.asked {
        Asked::Nobody => check(State::NotChecked, "nobody was named to be believed".to_owned())
            .hint("Give --key cosign.pub, or --certificate-identity with --certificate-oidc-issuer."),
        Asked::NoCosign => {
            check(State::NotChecked, "there is no cosign on PATH".to_owned()).hint("Install cosign 2 or 3.")
        }
        Asked::Cosign { program, signature: Said::Good, .. } => {
            check(State::Verified, format!("{program} found a valid signature of {}", who(call)))
        }
        Asked::Cosign { program, signature: Said::Bad(words), generation, .. } => {
            let check = check(State::Failed, format!("{program} found no valid signature of {}: {words}", who(call)));
            match generation {
                Generation::Two => check.hint("cosign 2 does not find what cosign 3 signed: try with cosign 3."),
                Generation::Three { .. } => check,
            }
        }
        Asked::Cosign { program, signature: Said::Unknown(words), .. } => {
            check(State::NotChecked, format!("{program} could not tell: {words}"))
        }
    }
}

/// The proof: signed by whoever is believed, about this digest, of our kind. What merely hangs there proves nothing.
fn provenance(facts: &Facts, call: &Call) -> (Check, Option<TrustLevel>) {
    let check = |state, why: String| Check::new(What::Provenance, state, why);
    let astray = facts.attached.as_ref().ok().and_then(|all| all.iter().find(|found| found.about == About::Another));
    if let Some(found) = astray {
        return (check(State::Failed, format!("a statement that hangs on {} speaks of another image", found.on)), None);
    }
    let statements = match &facts.asked {
        Asked::Nobody | Asked::NoCosign => {
            let why = match unsigned(facts) {
                true => "a proof hangs on the image, and it was not checked who wrote it",
                false => "not looked for: it was not checked who signs for this image",
            };
            return (check(State::NotChecked, why.to_owned()), None);
        }
        Asked::Cosign { statements: Err(Said::Unknown(words)), program, .. } => {
            return (check(State::NotChecked, format!("{program} could not tell: {words}")), None);
        }
        Asked::Cosign { statements: Err(_), .. } => &[],
        Asked::Cosign { statements: Ok(statements), .. } => statements.as_slice(),
    };
    let (ours, others): (Vec<&Value>, Vec<&Value>) = statements.iter().partition(|said| attested::is_ours(said));
    let (right, wrong): (Vec<&Value>, Vec<&Value>) =
        ours.into_iter().partition(|said| attested::speaks_of(said, &facts.digest));
    let Some((best, level)) = right.into_iter().map(|said| (said, level(said))).max_by_key(|(_, level)| *level) else {
        let asked = call.min_trust.is_some();
        let why = match (wrong.is_empty(), others.is_empty(), unsigned(facts)) {
            (false, _, _) => format!("the proof that {} signed is of another image", who(call)),
            (true, false, _) => format!("the provenance that {} signed is not a proof of StageFreight's", who(call)),
            (true, true, true) => format!("a proof hangs on the image, and {} did not sign it", who(call)),
            (true, true, false) => "there is no proof of this image".to_owned(),
        };
        return match (asked, wrong.is_empty()) {
            (false, true) => (check(State::NotAsked, why), None),
            _ => (
                check(State::Failed, why).hint("An image that was not proven can be verified with --min-trust none."),
                None,
            ),
        };
    };
    let builder = best["predicate"]["runDetails"]["builder"]["id"].as_str().unwrap_or("somebody unnamed");
    let mut why =
        format!("signed by {}, about this digest, as {}: proven by {builder}", who(call), provenance::PREDICATE_TYPE);
    match &facts.attached {
        Ok(attached) => {
            let speaking = attached.iter().filter(|found| found.about == About::This).count();
            if speaking > 0 {
                why.push_str(&format!(
                    "; of what is attached to it and its platforms, {speaking} name what they hang on"
                ));
            }
            if speaking < attached.len() {
                why.push_str(&format!("; {} name nothing", attached.len() - speaking));
            }
        }
        Err(error) => {
            return (check(State::NotChecked, format!("what hangs on the image could not be read: {error}")), level);
        }
    }
    (check(State::Verified, why), level)
}

/// A proof of ours hangs there, whoever wrote it.
fn unsigned(facts: &Facts) -> bool {
    let of_us = |said: &Value| attested::is_ours(said) && attested::speaks_of(said, &facts.digest);
    facts.attached.iter().flatten().any(|found| of_us(&found.statement))
        || facts.attested.iter().flatten().any(|found| of_us(&found.statement))
}

fn level(statement: &Value) -> Option<TrustLevel> {
    let level = &statement["predicate"]["buildDefinition"]["internalParameters"]["trust"];
    serde_json::from_value(level.clone()).ok()
}

fn trust(provenance: &Check, level: Option<TrustLevel>, min: Option<TrustLevel>) -> Check {
    let check = |state, why: String| Check::new(What::Trust, state, why);
    match (provenance.state, level, min) {
        (State::Verified, Some(level), None) => check(State::NotAsked, format!("{level}; none was asked for")),
        (State::Verified, Some(level), Some(min)) if level >= min => {
            check(State::Verified, format!("{level}; asked for: {min}"))
        }
        (State::Verified, Some(level), Some(min)) => check(State::Failed, format!("{level}; asked for: {min}")),
        (_, _, None) => check(State::NotAsked, "none was asked for".to_owned()),
        (State::NotChecked, _, Some(_)) => {
            check(State::NotChecked, "what the proof says is not known to be true".to_owned())
        }
        (_, _, Some(min)) => check(State::Failed, format!("there is no proof to go by; asked for: {min}")),
    }
}

#[cfg(test)]
mod tests;
