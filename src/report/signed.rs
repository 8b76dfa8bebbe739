//! Whether what was published is signed, in one sentence for people: below the published tags, in the log and in the summary.

use super::document::{Document, Signature, SignatureState, SigningState};
use super::headline::count;

/// Plain text, not escaped; `None` where nothing was published, or nothing was to be said.
pub(super) fn sentence(document: &Document) -> Option<String> {
    let signing = document.signing.as_ref()?;
    let signatures: Vec<&Signature> = document.builds.iter().flat_map(|build| &build.signatures).collect();
    match signing.state {
        SigningState::NotSigned => {
            let published = document.builds.iter().any(|build| !build.published.is_empty());
            published.then(|| format!("Not signed: {}", signing.why.as_deref().unwrap_or("nobody knows why")))
        }
        SigningState::Signed if signatures.is_empty() => None,
        SigningState::Signed => {
            let mut text = format!("Signed in {}", count(signatures.len(), "repository", "repositories"));
            signing.how.iter().for_each(|how| text.push_str(&format!(" with {how}")));
            signing.program.iter().for_each(|program| text.push_str(&format!(" ({program})")));
            let stood = signatures.iter().filter(|s| s.state == SignatureState::Stood).count();
            if stood > 0 {
                text.push_str(&format!(", {stood} of them by an earlier run"));
            }
            if signatures.iter().any(|s| s.attestation.is_some()) {
                text.push_str("; the proof is attested");
            }
            Some(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome;
    use crate::report::fixtures;

    fn signed(state: outcome::SignatureState, attested: bool) -> outcome::Outcome {
        let mut outcome = fixtures::success();
        let how = "the key in COSIGN_KEY".to_owned();
        outcome.signing = Some(outcome::Signing::With { how, program: "cosign 3.1.1".into() });
        let tag = outcome.builds[0].published[0].clone();
        let attestation = attested.then(|| fixtures::digest("attestation"));
        let signature = outcome::Signature { repository: tag.repository, digest: tag.digest, state, attestation };
        outcome.builds[0].signatures = vec![signature];
        outcome
    }

    fn said(outcome: &outcome::Outcome) -> String {
        sentence(&Document::new(outcome)).unwrap_or_default()
    }

    #[test]
    fn it_says_who_signed_what() {
        use outcome::SignatureState::{Made, Stood};
        insta::assert_snapshot!(said(&signed(Made, false)), @"Signed in 1 repository with the key in COSIGN_KEY (cosign 3.1.1)");
        insta::assert_snapshot!(said(&signed(Stood, true)), @"Signed in 1 repository with the key in COSIGN_KEY (cosign 3.1.1), 1 of them by an earlier run; the proof is attested");
    }

    #[test]
    fn what_is_not_signed_is_said_where_something_was_published() {
        let mut outcome = fixtures::success();
        assert_eq!(said(&outcome), "");
        outcome.signing = Some(outcome::Signing::Off { why: "no key".into() });
        assert_eq!(said(&outcome), "Not signed: no key");
        outcome.builds[0].published.clear();
        assert_eq!(said(&outcome), "");
    }

    #[test]
    fn a_signature_is_read_in_the_log_the_summary_and_the_record() {
        let outcome = signed(outcome::SignatureState::Made, true);
        let document = Document::new(&outcome);
        assert!(crate::report::markdown::summary(&document).contains("Signed in 1 repository with the key in"));
        assert!(crate::report::terminal::closing::render(&document, false).contains("Signed in 1 repository"));
        let json: serde_json::Value = serde_json::from_str(&document.to_json()).unwrap();
        assert_eq!(json["signing"]["state"], "signed");
        assert_eq!(json["builds"][0]["signatures"][0]["state"], "made");
        let plan = outcome.plan.as_ref().unwrap();
        let record = crate::publish::record::record(&outcome.context, "", plan, &outcome.builds).unwrap();
        let attested = record.published.iter().filter(|entry| entry.attestation.is_some());
        let repository = outcome.builds[0].published[0].repository.path();
        assert!(attested.clone().count() > 0 && attested.clone().all(|entry| entry.path == repository));
    }
}
