//! The docker configuration our children get: what the user's says, our logins on top, in a directory of the run's own.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Login, config_key, means};

/// What is taken over from the user's configuration. Contexts, plugins and formats are not: they would change which
/// engine is spoken to and what it prints.
const KEPT: [&str; 5] = ["auths", "credHelpers", "credsStore", "HttpHeaders", "proxies"];

/// The content of a private `config.json`: the user's logins, helpers, headers and proxies, with ours on top.
pub fn private_config(existing: Option<&Value>, logins: &[Login]) -> Value {
    let mut config = Map::new();
    for key in KEPT {
        if let Some(value) = existing.and_then(|existing| existing.get(key)).filter(|value| !value.is_null()) {
            config.insert(key.to_owned(), value.clone());
        }
    }
    let helped = config.contains_key("credsStore") || config.contains_key("credHelpers");
    let mut auths = take_object(&mut config, "auths");
    let mut helpers = take_object(&mut config, "credHelpers");
    for login in logins {
        let key = config_key(&login.host);
        auths.retain(|other, _| !means(other, &login.host));
        auths.insert(key.to_owned(), entry(login));
        if helped {
            // A helper, or the store for all, would be asked instead of `auths`. In docker/cli an entry in
            // `credHelpers` goes before `credsStore`, and an empty name there means the file store
            // (cli/config/configfile/file.go: getConfiguredCredentialStore, GetCredentialsStore).
            helpers.retain(|other, _| !means(other, &login.host));
            helpers.insert(key.to_owned(), Value::String(String::new()));
        }
    }
    config.insert("auths".to_owned(), Value::Object(auths));
    if !helpers.is_empty() {
        config.insert("credHelpers".to_owned(), Value::Object(helpers));
    }
    Value::Object(config)
}

/// Leaves nothing in a configuration but the logins of these hosts; helpers, which know more, only where they are wanted.
pub fn only_for(config: &mut Value, hosts: &BTreeSet<String>, helpers: bool) {
    let Some(config) = config.as_object_mut() else { return };
    let wanted = |key: &String| hosts.iter().any(|host| means(key, host));
    if let Some(Value::Object(auths)) = config.get_mut("auths") {
        auths.retain(|key, _| wanted(key));
    }
    if !helpers {
        config.remove("credsStore");
        config.remove("credHelpers");
    } else if let Some(Value::Object(helpers)) = config.get_mut("credHelpers") {
        helpers.retain(|key, _| wanted(key));
    }
}

fn entry(login: &Login) -> Value {
    if login.is_identity_token() {
        return json!({ "identitytoken": login.secret.reveal() });
    }
    json!({ "auth": STANDARD.encode(format!("{}:{}", login.user, login.secret.reveal())) })
}

/// A section as an object; one that is none (a hand-made file) counts as empty.
fn take_object(config: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match config.remove(name) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Writes `config.json` into `dir`, which only this user may enter (0700, made if missing) and read (0600). A file that
/// is already there is replaced in one step.
///
/// # Errors
/// When the directory or file cannot be made.
pub fn write_private(dir: &Path, config: &Value) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
        }
        other => other?,
    }
    let (path, fresh) = (dir.join("config.json"), dir.join("config.json.new"));
    if let Err(error) = std::fs::remove_file(&fresh)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    // `create_new`: never through a link somebody left there.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec_pretty(config)?)?;
    std::fs::rename(&fresh, &path)
}
