//! Addresses of remotes, as git accepts them: credentials out, and the web page they stand for.

/// The address without user name and password; `git@host:path`, where the user is part of the protocol, stays.
pub fn strip_credentials(address: &str) -> String {
    match split_url(address) {
        Some((scheme, authority, rest)) => {
            let host = authority.rsplit('@').next().unwrap_or(authority);
            let user = if scheme == "ssh" { ssh_user(authority) } else { String::new() };
            format!("{scheme}://{user}{host}{rest}")
        }
        None => address.to_owned(),
    }
}

/// The repository's web page: `https://host/owner/name`. Nothing for a directory, or for what is no address.
///
/// An ssh port says nothing about the web server, so it goes; a port of `http(s)` stays.
pub fn web_url(address: &str) -> Option<String> {
    if address.contains(|c: char| c.is_control() || c == ' ') {
        return None;
    }
    let (scheme, host, path) = match split_url(address) {
        Some((scheme, authority, path)) => {
            let host = authority.rsplit('@').next()?;
            match scheme.to_ascii_lowercase().as_str() {
                "http" => ("http", host, path),
                "https" => ("https", host, path),
                "ssh" | "git" | "git+ssh" | "ssh+git" => ("https", without_port(host), path),
                _ => return None,
            }
        }
        None => {
            let (host, path) = split_scp(address)?;
            ("https", host, path)
        }
    };
    let path = path.split(['?', '#']).next()?.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    (!host.is_empty() && !path.is_empty()).then(|| format!("{scheme}://{host}/{path}"))
}

/// Scheme, authority and the rest of `scheme://authority/rest`.
fn split_url(address: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = address.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some((scheme, authority, path))
}

/// Host and path of `[user@]host:path`. A slash before the colon makes it a file name, as for git.
fn split_scp(address: &str) -> Option<(&str, &str)> {
    let (host, path) = address.split_once(':')?;
    let host = host.rsplit('@').next()?;
    (!host.contains('/') && host.len() > 1).then_some((host, path))
}

/// `user@` of an ssh authority, without the password some write there.
fn ssh_user(authority: &str) -> String {
    match authority.rsplit_once('@') {
        Some((user, _)) => format!("{}@", user.split(':').next().unwrap_or(user)),
        None => String::new(),
    }
}

/// The host of `host:port`; the colons of an IPv6 address in brackets are no port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}
