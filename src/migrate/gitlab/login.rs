//! `docker login` and its like: the job's own login is the component's, those to other registries are named by the configuration.

use super::super::login::{bare, is_hub, prefix};
use super::script::Told;
use crate::init::files::scalar;

const COMMANDS: [&str; 4] = ["docker login", "buildah login", "podman login", "crane auth login"];

/// `docker login`, piped or not, and kaniko's configuration written by hand.
pub(super) fn is_login(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    let last = line.rsplit(['|', '&']).next().unwrap_or(line).trim();
    let piped = first == "echo" && !line.contains('>') && COMMANDS.iter().any(|command| last.starts_with(command));
    let plain = COMMANDS.iter().any(|command| line.starts_with(command))
        && !line.contains(['|', '&', ';', '>', '`'])
        && !line.contains("$(");
    piped || plain || is_kanikos(line)
}

fn is_kanikos(line: &str) -> bool {
    line == "mkdir -p /kaniko/.docker"
        || (line.starts_with("echo ")
            && ["auths", "credHelpers"].iter().any(|key| line.contains(key))
            && line.ends_with("/kaniko/.docker/config.json")
            && !line.contains(';')
            && !of_file(line).is_empty())
}

/// What becomes of a login.
pub(super) fn tell(line: &str, told: &mut Told) {
    let hosts = if is_kanikos(line) { of_file(line) } else { of_commands(line) };
    let own_token = hosts.len() == 1 && ["CI_REGISTRY_PASSWORD", "CI_JOB_TOKEN"].iter().any(|own| line.contains(own));
    for host in hosts {
        if own_token || matches!(host.as_str(), "$CI_REGISTRY" | "${CI_REGISTRY}") {
            told.changed.push("the login is gone: the job's own is used for the project's registry".to_owned());
            continue;
        }
        let host = if is_hub(&host) { "docker.io".to_owned() } else { host };
        let prefix = prefix(&host);
        let real = if host.contains('$') { " (with what the variable holds)" } else { "" };
        told.lost.push((
            format!("the login to {host} is not carried over"),
            format!(
                "write `registries: {{{}: {{credentials: {prefix}}}}}`{real} into .stagefreight.yml, which begins with `version: 1`, and set the variables {prefix}_USER and {prefix}_TOKEN, masked, in the project's CI/CD settings",
                scalar(&host)
            ),
        ));
    }
}

/// The registries of `docker login`; Docker Hub where it names none.
fn of_commands(line: &str) -> Vec<String> {
    let logins = line.split(['|', '&']).map(str::trim);
    let logins = logins.filter(|part| COMMANDS.iter().any(|command| part.starts_with(command)));
    logins
        .map(|part| {
            let mut words = part.split_whitespace().skip_while(|word| *word != "login").skip(1);
            while let Some(word) = words.next() {
                if !word.starts_with('-') {
                    return bare(word.trim_matches(['"', '\''])).to_owned();
                }
                // Flags with a value of their own, `-p VALUE`; `-pVALUE` and `--password=VALUE` hold it.
                if word.len() == 2 || matches!(word, "--username" | "--password" | "--authfile" | "--cert-dir") {
                    words.next();
                }
            }
            String::new()
        })
        .collect()
}

/// The keys of `auths` and `credHelpers`, whichever way the shell is kept off its quotes.
fn of_file(line: &str) -> Vec<String> {
    let bald: String = line.chars().filter(|c| !matches!(c, '\\' | '\'' | '"' | ' ')).collect();
    let bald = bald.replace("${", "$");
    let helped = bald.split_once("credHelpers:{").and_then(|(_, rest)| rest.split_once('}'));
    let helped = helped.into_iter().flat_map(|(pairs, _)| pairs.split(','));
    let helped = helped.filter_map(|pair| Some(bare(pair.rsplit_once(':')?.0).to_owned()));
    let mut parts: Vec<&str> = bald.split(":{").collect();
    parts.pop();
    let keys = parts.into_iter().map(|part| part.rsplit(['{', ',']).next().unwrap_or(part).trim_end_matches('}'));
    let of_its_own = |key: &&str| !matches!(*key, "auths" | "credHelpers");
    keys.filter(of_its_own).map(|key| bare(key).to_owned()).chain(helped).collect()
}
