//! Values of the environment, taken only if they can be what they claim: a branch name with a line break in it is no
//! branch name, git itself would refuse it.

use std::path::{Path, PathBuf};

use crate::environment::{Environment, Vars};

/// Longer than any reference git can store on the file systems in use.
const REF_LIMIT: usize = 1024;
/// Longer than any name or address worth repeating.
const TEXT_LIMIT: usize = 2048;

/// A branch or tag name, or nothing if git could not have one like it.
pub(super) fn reference(name: &str) -> Option<String> {
    let illegal = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let legal = !name.is_empty()
        && name.len() <= REF_LIMIT
        && !name.contains(illegal)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.starts_with(['-', '/'])
        && !name.ends_with(['/', '.']);
    legal.then(|| name.to_owned())
}

/// A full commit id in lower case; zeros, with which forges say "none", are none.
pub(super) fn commit(id: &str) -> Option<String> {
    let full = matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit());
    (full && id.bytes().any(|b| b != b'0')).then(|| id.to_ascii_lowercase())
}

/// A name for people or an address: one line of moderate length.
pub(super) fn text(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty() && value.len() <= TEXT_LIMIT && !value.contains(char::is_control)).then(|| value.to_owned())
}

/// A variable as [`text`].
pub(super) fn text_var(vars: &Vars, name: &str) -> Option<String> {
    vars.get(name).and_then(text)
}

/// A variable that holds an `http(s)` address; no slash at its end, no credentials in it.
pub(super) fn url_var(vars: &Vars, name: &str) -> Option<String> {
    let value = text_var(vars, name)?;
    let (scheme, rest) = value.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().filter(|host| !host.is_empty())?;
    Some(format!("{scheme}://{host}{}", path.trim_end_matches('/')))
}

/// The host and port of an address.
pub(super) fn host(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split('/').next().filter(|host| !host.is_empty())
}

/// A variable that names a path, made absolute.
pub(super) fn path_var(env: &Environment, name: &str) -> Option<PathBuf> {
    env.vars.get(name).map(|path| env.cwd.join(path))
}

/// Where temporary files go: the runner's own place, else the system's. It may not exist yet.
pub(super) fn temp_dir(env: &Environment) -> PathBuf {
    path_var(env, "RUNNER_TEMP").or_else(|| path_var(env, "TMPDIR")).unwrap_or_else(|| Path::new("/tmp").to_owned())
}
