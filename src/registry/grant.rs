//! What a token allows, read from the token itself where it can be read (`distribution/distribution` docs: spec/auth/jwt.md).
//!
//! Only read, never verified: the registry does that. What is no such token, or says nothing about the repository, tells nothing.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// What a login may do in one repository, as far as the registry's token server tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The registry asked for no login at its door: anybody may enter, what may be done inside is not told.
    NotAsked,
    /// User and password were taken, or a token that cannot be read: what may be done is not told.
    Untold,
    /// Exactly these actions: `pull`, `push`, `delete`, `*`.
    Told(BTreeSet<String>),
}

impl Grant {
    /// Whether an action is allowed; `None` where nobody told.
    pub fn allows(&self, action: &str) -> Option<bool> {
        match self {
            Self::Told(actions) => Some(actions.contains(action) || actions.contains("*")),
            Self::NotAsked | Self::Untold => None,
        }
    }

    /// What a token says of a repository it was asked for.
    pub(super) fn in_token(token: &str, repository: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        let [_, claims, _] = parts[..] else { return Self::Untold };
        let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok();
        let Some(Claims { access: Some(access) }) = claims.and_then(|json| serde_json::from_slice(&json).ok()) else {
            return Self::Untold;
        };
        // Nothing for the repository that was asked for is nothing allowed; another name is one we do not understand.
        if !access.is_empty() && !access.iter().any(|one| one.kind == "repository" && one.name == repository) {
            return Self::Untold;
        }
        let own = access.into_iter().filter(|one| one.kind == "repository" && one.name == repository);
        Self::Told(own.flat_map(|one| one.actions.unwrap_or_default()).collect())
    }
}

#[derive(Deserialize)]
struct Claims {
    access: Option<Vec<Access>>,
}

#[derive(Deserialize)]
struct Access {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    actions: Option<Vec<String>>,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn token(claims: &str) -> String {
        format!("eyJhbGciOiJub25lIn0.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn told(actions: &[&str]) -> Grant {
        Grant::Told(actions.iter().map(|action| (*action).to_owned()).collect())
    }

    #[rstest]
    #[case::all(r#"{"access":[{"type":"repository","name":"team/app","actions":["pull","push"]}]}"#, told(&["pull", "push"]))]
    #[case::less(r#"{"access":[{"type":"repository","name":"team/app","actions":["pull"]}],"exp":1}"#, told(&["pull"]))]
    #[case::star(r#"{"access":[{"type":"repository","name":"team/app","actions":["*"]}]}"#, told(&["*"]))]
    #[case::twice(
        r#"{"access":[{"type":"repository","name":"team/app","actions":["pull"]},{"type":"repository","name":"team/app","actions":["push"]}]}"#,
        told(&["pull", "push"])
    )]
    #[case::nothing(r#"{"access":[]}"#, told(&[]))]
    #[case::no_actions(r#"{"access":[{"type":"repository","name":"team/app","actions":null}]}"#, told(&[]))]
    #[case::other_beside(
        r#"{"access":[{"type":"registry","name":"catalog","actions":["*"]},{"type":"repository","name":"team/app","actions":["pull"]}]}"#,
        told(&["pull"])
    )]
    #[case::other_name(
        r#"{"access":[{"type":"repository","name":"proxy/team/app","actions":["pull"]}]}"#,
        Grant::Untold
    )]
    #[case::other_type(r#"{"access":[{"type":"registry","name":"team/app","actions":["push"]}]}"#, Grant::Untold)]
    #[case::no_claim(r#"{"UserID":1,"Scope":"all"}"#, Grant::Untold)]
    #[case::null_claim(r#"{"access":null}"#, Grant::Untold)]
    #[case::not_a_list(r#"{"access":{"type":"repository"}}"#, Grant::Untold)]
    #[case::wrong_types(r#"{"access":[{"type":1,"name":[],"actions":"push"}]}"#, Grant::Untold)]
    #[case::no_object("[1,2]", Grant::Untold)]
    #[case::no_json("\u{0}\u{1}", Grant::Untold)]
    fn a_token_tells_what_it_allows(#[case] claims: &str, #[case] grant: Grant) {
        assert_eq!(Grant::in_token(&token(claims), "team/app"), grant);
    }

    #[test]
    fn opaque_and_hostile_tokens_tell_nothing() {
        let deep = token(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
        let dots = ".".repeat(200_000);
        for opaque in ["", "token-3", "..", "a.b", "a.b.c.d", "a.!!!.c", "a.e30.c", &deep, &dots] {
            assert_eq!(Grant::in_token(opaque, "team/app"), Grant::Untold, "{:.20}", opaque);
        }
    }

    #[test]
    fn a_star_allows_everything_and_silence_nothing_for_certain() {
        assert_eq!(told(&["*"]).allows("push"), Some(true));
        assert_eq!(told(&["pull"]).allows("push"), Some(false));
        assert_eq!(Grant::Untold.allows("push"), None);
        assert_eq!(Grant::NotAsked.allows("push"), None);
    }
}
