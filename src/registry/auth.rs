//! How a registry is told who asks: Basic, or a Bearer token from the token server that the registry names
//! (`distribution/distribution` docs: spec/auth/token.md, spec/auth/oauth.md).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::error::Fault;
use crate::credentials::Login;
use crate::secret::Secret;

/// What a token server's answer may hold at most.
pub(super) const MAX_TOKEN_ANSWER: usize = 256 << 10;

/// The longest tokens live for us, whatever their server says.
const MAX_LIFE: Duration = Duration::from_secs(3600);

/// How a registry wants to be asked. From a `WWW-Authenticate` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: String, scope: String },
}

/// What is known about a registry's ways, and the tokens it gave. One for each registry and login.
#[derive(Debug, Default)]
pub(super) struct Known {
    basic: bool,
    realm: Option<Url>,
    tokens: HashMap<String, Token>,
}

#[derive(Debug)]
struct Token {
    value: Secret,
    until: Instant,
}

/// A request to a token server, as a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenRequest {
    pub(super) url: Url,
    /// A form to POST; `None` is a GET.
    pub(super) form: Option<Secret>,
    pub(super) authorization: Option<Secret>,
}

/// What may be done to a repository, in the words of a token server: `repository:team/app:pull,push`.
pub(super) fn scope(repository: &str, actions: &str) -> String {
    format!("repository:{repository}:{actions}")
}

impl Known {
    /// The `Authorization` header for a scope, as far as known without asking.
    pub(super) fn header(&self, login: Option<&Login>, scope: &str) -> Option<Secret> {
        if self.basic {
            return login.filter(|login| !login.is_identity_token()).map(basic);
        }
        let token = self.tokens.get(scope).filter(|token| token.until > Instant::now())?;
        Some(bearer(&token.value))
    }

    /// The registry takes user and password as they are.
    pub(super) fn use_basic(&mut self) {
        self.basic = true;
    }

    /// Where the registry sends its users for tokens. They send their login there.
    pub(super) fn set_realm(&mut self, realm: &str) {
        self.realm = Url::parse(realm).ok();
    }

    /// See [`Known::set_realm`]; known once the registry has asked for a token.
    pub(super) fn realm(&self) -> Option<&Url> {
        self.realm.as_ref()
    }

    /// Keeps a token for a scope.
    pub(super) fn keep(&mut self, scope: &str, token: Secret, life: Duration) {
        self.basic = false;
        let until = Instant::now() + life;
        self.tokens.insert(scope.to_owned(), Token { value: token, until });
    }
}

/// `Authorization: Basic`.
pub(super) fn basic(login: &Login) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{}:{}", login.user, login.secret.reveal()))))
}

fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.reveal()))
}

impl Challenge {
    /// From the headers of a 401, the strongest first. Several challenges may stand in one header or in several.
    pub(super) fn read<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut found_basic = false;
        for header in headers {
            for (scheme, params) in challenges(header) {
                if scheme.eq_ignore_ascii_case("bearer") {
                    let get = |name: &str| params.get(name).cloned().unwrap_or_default();
                    let (realm, service, scope) = (get("realm"), get("service"), get("scope"));
                    if !realm.is_empty() {
                        return Some(Self::Bearer { realm, service, scope });
                    }
                }
                found_basic |= scheme.eq_ignore_ascii_case("basic");
            }
        }
        found_basic.then_some(Self::Basic)
    }
}

/// `scheme key=value, key="quoted", scheme …` (RFC 9110 §11.6.1), leniently and in one pass.
fn challenges(header: &str) -> Vec<(&str, HashMap<String, String>)> {
    let mut all: Vec<(&str, HashMap<String, String>)> = Vec::new();
    let mut rest = header.trim_start_matches([' ', ',', '\t']);
    while !rest.is_empty() && all.len() < 8 {
        let word_end = rest.find([' ', '\t', '=', ',']).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(word_end);
        let tail = tail.trim_start_matches([' ', '\t']);
        match (tail.strip_prefix('='), all.last_mut()) {
            (Some(value), Some((_, params))) => {
                let (value, tail) = param_value(value.trim_start_matches([' ', '\t']));
                if params.len() < 16 {
                    params.insert(word.to_ascii_lowercase(), value);
                }
                rest = tail;
            }
            (Some(tail), None) => rest = tail,
            (None, _) => {
                if !word.is_empty() {
                    all.push((word, HashMap::new()));
                }
                rest = tail;
            }
        }
        rest = rest.trim_start_matches([' ', ',', '\t']);
    }
    all
}

/// A token or a quoted string, and what follows it.
fn param_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

/// The request that answers a Bearer challenge: what the registry asked for together with what we know we need.
///
/// # Errors
/// When the realm is no address, or would have the login sent in the clear by a registry that itself is not.
pub(super) fn token_request(
    realm: &str,
    service: &str,
    scopes: &[&str],
    login: Option<&Login>,
    plain: bool,
) -> Result<TokenRequest, Fault> {
    let wrong = |why: &str| Fault::Protocol(format!("its token server {why}"));
    let mut url = Url::parse(realm).map_err(|_| wrong("has no usable address"))?;
    match url.scheme() {
        "https" => {}
        "http" if plain => {}
        _ => return Err(wrong("would be told the login without encryption")),
    }
    let mut distinct: Vec<&str> = Vec::new();
    for scope in scopes.iter().flat_map(|scopes| scopes.split_whitespace()) {
        if !distinct.contains(&scope) {
            distinct.push(scope);
        }
    }
    if let Some(login) = login.filter(|login| login.is_identity_token()) {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("service", service)
            .append_pair("client_id", "stagefreight")
            .append_pair("scope", &distinct.join(" "))
            .append_pair("refresh_token", login.secret.reveal())
            .finish();
        return Ok(TokenRequest { url, form: Some(Secret::new(form)), authorization: None });
    }
    {
        let mut query = url.query_pairs_mut();
        if !service.is_empty() {
            query.append_pair("service", service);
        }
        for scope in distinct {
            query.append_pair("scope", scope);
        }
        if let Some(login) = login {
            query.append_pair("account", &login.user);
        }
    }
    Ok(TokenRequest { url, form: None, authorization: login.map(basic) })
}

/// The token in a token server's answer, and how long to use it: a little shorter than it lives.
///
/// # Errors
/// When there is none.
pub(super) fn token_answer(body: &[u8]) -> Result<(Secret, Duration), Fault> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        token: String,
        #[serde(default)]
        access_token: String,
        expires_in: Option<u64>,
    }
    let no_token = || Fault::Protocol("its token server gave no token".into());
    let answer: Answer = serde_json::from_slice(body).map_err(|_| no_token())?;
    let token = if answer.token.is_empty() { answer.access_token } else { answer.token };
    if token.is_empty() || token.bytes().any(|b| b.is_ascii_control() || b == b' ') {
        return Err(no_token());
    }
    // The specification's least life is 60 s, and that of a token that does not say.
    let life = Duration::from_secs(answer.expires_in.unwrap_or(60)).clamp(Duration::from_secs(15), MAX_LIFE);
    Ok((Secret::new(token), life - Duration::from_secs(10)))
}

#[cfg(test)]
mod tests;
