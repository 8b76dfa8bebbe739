//! Whether a builder reaches a registry: asked by a solve that begins with an image which cannot exist, and makes nothing.
//!
//! One solve for each registry, about 0.1 s. (Caches that cannot exist would do for all of them in one solve; but BuildKit waits
//! for a cache inside its scheduler, so one registry that hangs would stop every build of the daemon.)

use std::path::Path;

use super::event::Vertex;
use super::progress::Format;
use super::progress::clean::clean;
use crate::image::Repository;

/// Nothing has this digest.
const NOTHING: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What a builder said of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It answered: that there is nothing, or that it wants a login.
    Reached,
    /// Somebody answers there, without a certificate that the builder trusts: the reason in BuildKit's words.
    Untrusted(String),
    /// There is no way, and trying again would change nothing: the same.
    Unreached(String),
    /// Anything else: the same.
    Unclear(String),
}

/// The Dockerfile that asks.
pub fn dockerfile(repository: &Repository) -> String {
    format!("FROM {repository}@{NOTHING}\n")
}

/// `buildx build …` in a directory that holds [`dockerfile`] and nothing else.
pub fn argv(builder: &str, format: Format, context: &Path) -> Vec<String> {
    let mut argv: Vec<String> = ["build", "--builder", builder, "--progress", format.flag()].map(str::to_owned).into();
    argv.extend(["--output", "type=cacheonly", "--provenance=false", "--sbom=false", "--"].map(str::to_owned));
    argv.push(context.display().to_string());
    argv
}

/// What a vertex of that solve tells about a repository; nothing while it runs, or when it is about something else.
pub fn read(vertex: &Vertex, repository: &Repository) -> Option<Reach> {
    if !vertex.name.ends_with(&format!(" {repository}@{NOTHING}")) {
        return None;
    }
    if !vertex.error.is_empty() {
        return Some(judge(&vertex.error));
    }
    vertex.completed.map(|_| Reach::Reached)
}

/// Words of Go's network libraries and of containerd's resolver. What may pass is told apart from what stays.
fn judge(error: &str) -> Reach {
    // The reason stands last; what comes before repeats the address.
    let reason =
        error.rsplit_once(": Head \"").or_else(|| error.rsplit_once(": Get \"")).map_or(error, |(_, tail)| tail);
    let reason = reason.split_once("\": ").map_or(reason, |(_, tail)| tail);
    let said = clean(reason.chars().take(300).collect::<String>().as_bytes());
    let has = |words: &[&str]| words.iter().any(|word| error.contains(word));
    if has(&["i/o timeout", "handshake timeout", "deadline exceeded", "server misbehaving", "connection reset", "EOF"])
    {
        return Reach::Unclear(said);
    }
    if has(&[
        "no such host",
        "no suitable address found",
        "connection refused",
        "no route to host",
        "network is unreachable",
    ]) {
        return Reach::Unreached(said);
    }
    if has(&["x509:", "tls: ", "server gave HTTP response to HTTPS client"]) {
        return Reach::Untrusted(said);
    }
    let answered = ["not found", "unexpected status", "insufficient_scope", "authorization failed", "access denied"];
    if has(&answered) || has(&["401 Unauthorized", "403 Forbidden", "failed to authorize", "no basic auth"]) {
        return Reach::Reached;
    }
    Reach::Unclear(said)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn repository(name: &str) -> Repository {
        name.parse().unwrap()
    }

    #[test]
    fn the_question_makes_nothing() {
        let argv = argv("b", Format::RawJson, Path::new("/run/preflight-0"));
        let question = "build --builder b --progress rawjson --output type=cacheonly --provenance=false --sbom=false -- /run/preflight-0";
        assert_eq!(argv.join(" "), question);
        let text = dockerfile(&repository("reg.example.com/team/app"));
        assert_eq!(text, format!("FROM reg.example.com/team/app@sha256:{}\n", "0".repeat(64)));
    }

    // As buildkitd 0.32 wrote them.
    #[rstest]
    #[case("localhost:5000/app@sha256:0: not found", Reach::Reached)]
    #[case(
        "unexpected status from HEAD request to http://localhost:5000/v2/app/manifests/sha256:0: 401 Unauthorized",
        Reach::Reached
    )]
    #[case(
        "failed to do request: Head \"https://localhost:9/v2/app/manifests/sha256:0\": dial tcp 127.0.0.1:9: connect: connection refused",
        Reach::Unreached("dial tcp 127.0.0.1:9: connect: connection refused".into())
    )]
    #[case(
        "failed to do request: Head \"https://no.such/v2/app/manifests/sha256:0\": dial tcp: lookup no.such on 10.0.0.1:53: no such host",
        Reach::Unreached("dial tcp: lookup no.such on 10.0.0.1:53: no such host".into())
    )]
    #[case(
        "failed to do request: Head \"http://no.such.onion/v2/app/manifests/sha256:0\": dial tcp: address no.such.onion: no suitable address found",
        Reach::Unreached("dial tcp: address no.such.onion: no suitable address found".into())
    )]
    #[case(
        "failed to do request: Head \"https://reg/v2/app/manifests/sha256:0\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
        Reach::Untrusted("tls: failed to verify certificate: x509: certificate signed by unknown authority".into())
    )]
    #[case(
        "failed to do request: Head \"https://reg/v2/app/manifests/sha256:0\": http: server gave HTTP response to HTTPS client",
        Reach::Untrusted("http: server gave HTTP response to HTTPS client".into())
    )]
    #[case(
        "failed to authorize: failed to fetch anonymous token: Get \"https://auth.reg/token?scope=x\": dial tcp: lookup auth.reg: no such host",
        Reach::Unreached("dial tcp: lookup auth.reg: no such host".into())
    )]
    #[case(
        "failed to do request: Head \"https://reg/v2/\": dial tcp 10.1.1.1:443: i/o timeout",
        Reach::Unclear("dial tcp 10.1.1.1:443: i/o timeout".into())
    )]
    #[case("something \u{1b}[31mnew", Reach::Unclear("something new".into()))]
    fn what_buildkit_says_is_told_apart(#[case] error: &str, #[case] reach: Reach) {
        let (repository, zeros) = (repository("localhost:5000/app"), "0".repeat(64));
        let name = format!("[internal] load metadata for {repository}@sha256:{zeros}");
        let vertex = Vertex { name, error: error.to_owned(), ..Vertex::default() };
        assert_eq!(read(&vertex, &repository), Some(reach));
    }

    #[test]
    fn only_the_end_of_its_own_vertex_tells_something() {
        let zeros = "0".repeat(64);
        let mut vertex = Vertex {
            name: format!("[internal] load metadata for localhost:5000/app@sha256:{zeros}"),
            ..Vertex::default()
        };
        assert_eq!(read(&vertex, &repository("localhost:5000/app")), None);
        vertex.completed = Some(jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(read(&vertex, &repository("localhost:5000/app")), Some(Reach::Reached));
        assert_eq!(read(&vertex, &repository("localhost:5000/a")), None);
        assert_eq!(read(&vertex, &repository("calhost:5000/app")), None);
    }
}
