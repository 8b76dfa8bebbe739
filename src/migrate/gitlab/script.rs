//! Commands of docker, buildah and kaniko, as far as they build and push one image. Whatever a shell would do beside that is not
//! understood, and said.

use super::login;

/// What builds today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Docker,
    Buildah,
    Kaniko,
}

/// One image, put together from the commands of a script.
#[derive(Debug, Default)]
pub(super) struct Build {
    tool: Option<Tool>,
    context: String,
    file: Option<String>,
    target: Option<String>,
    platforms: Vec<String>,
    args: Vec<String>,
    labels: Vec<String>,
    cache_from: Vec<String>,
    secrets: Vec<(&'static str, String)>,
    flags: Vec<&'static str>,
    /// Names the image has here.
    names: Vec<String>,
    /// Names it is pushed under.
    pushed: Vec<String>,
    /// It is pushed by the build itself.
    pushes: bool,
    no_push: bool,
}

/// What is to be said about a command.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) changed: Vec<String>,
    pub(super) lost: Vec<(String, String)>,
}

impl Build {
    /// Takes in a command.
    ///
    /// # Errors
    /// Why it is not understood.
    pub(super) fn command(&mut self, line: &str) -> Result<Told, String> {
        let line = line.trim();
        let mut told = Told::default();
        if line.is_empty() || line.starts_with('#') || line == "set -e" {
            return Ok(told);
        }
        if login::is_login(line) {
            login::tell(line, &mut told);
            return Ok(told);
        }
        for command in line.split("&&") {
            // A cache that is pulled in vain is no trouble.
            let command = command.trim().strip_suffix("|| true").unwrap_or(command).trim();
            let words =
                words(command).ok_or_else(|| format!("`{}` is more than a command to build or push", clip(line)))?;
            self.words(&words, command, &mut told)?;
        }
        Ok(told)
    }

    fn words(&mut self, words: &[String], line: &str, told: &mut Told) -> Result<(), String> {
        let parts: Vec<&str> = words.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["docker", "info" | "version" | "images" | "logout", ..]
            | ["buildah", "version" | "images" | "info" | "logout", ..] => Ok(()),
            ["docker", "pull", ..] => Ok(()),
            ["docker", "context" | "buildx", "create" | "use" | "ls" | "inspect", ..] => Ok(()),
            ["docker", "build", rest @ ..] | ["docker", "buildx", "build", rest @ ..] => {
                self.docker(rest, Tool::Docker, told)
            }
            ["buildah", "bud" | "build" | "build-using-dockerfile", rest @ ..] => {
                self.docker(rest, Tool::Buildah, told)
            }
            ["/kaniko/executor", rest @ ..] | ["executor", rest @ ..] => self.kaniko(rest, told),
            ["docker" | "buildah", "tag", from, to] if self.names.contains(&tagged(from)) => {
                self.names.push(tagged(to));
                Ok(())
            }
            ["docker" | "buildah", "push", rest @ ..] => {
                let names: Vec<&str> = rest.iter().copied().filter(|word| !word.starts_with('-')).collect();
                match names.as_slice() {
                    [name] if self.names.contains(&tagged(name)) => self.pushed.push(tagged(name)),
                    [name, place] if self.names.contains(&tagged(name)) && place.starts_with("docker://") => {
                        self.pushed.push(tagged(place.trim_start_matches("docker://")));
                    }
                    _ => return Err(format!("`{}` pushes what was not built here", clip(line))),
                }
                Ok(())
            }
            _ => Err(format!("`{}` is more than a command to build or push", clip(line))),
        }
    }

    fn begin(&mut self, tool: Tool) -> Result<(), String> {
        match self.tool.replace(tool) {
            None => Ok(()),
            Some(_) => Err("it builds more than one image".to_owned()),
        }
    }

    fn docker(&mut self, words: &[&str], tool: Tool, told: &mut Told) -> Result<(), String> {
        self.begin(tool)?;
        let mut contexts = Vec::new();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            if !word.starts_with('-') || *word == "-" {
                contexts.push((*word).to_owned());
                continue;
            }
            let (flag, given) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (*word, None),
            };
            match flag {
                "--no-cache" => self.flags.push("no-cache"),
                "--pull" | "--pull-always" => self.flags.push("pull"),
                "--push" => self.pushes = true,
                "-q" | "--quiet" | "--rm" | "--force-rm" | "--layers" | "--load" => {}
                _ => {
                    let value = given.or_else(|| rest.next().map(|value| (*value).to_owned()));
                    self.flag(flag, value.ok_or_else(|| format!("`{flag}` has no value"))?, told)?;
                }
            }
        }
        match contexts.as_slice() {
            [context] if !context.contains("://") && context != "-" => {
                self.context = in_project(context);
                Ok(())
            }
            [] if tool == Tool::Buildah => {
                self.context = ".".to_owned();
                Ok(())
            }
            _ => Err("its context is no directory of the project".to_owned()),
        }
    }

    fn flag(&mut self, flag: &str, value: String, told: &mut Told) -> Result<(), String> {
        match flag {
            "-t" | "--tag" => self.names.push(tagged(&value)),
            "-f" | "--file" => self.file = Some(in_project(&value)),
            "--target" => self.target = Some(value),
            "--platform" => self.platforms.push(value),
            // `NAME` alone takes the variable's value.
            "--build-arg" if value.contains('=') => self.args.push(value),
            "--build-arg" => self.args.push(format!("{value}=${value}")),
            "--label" => self.labels.push(value),
            "--cache-from" => self.cache_from.push(value),
            "--secret" => {
                let of = |key: &str| value.split(',').find_map(|field| field.strip_prefix(key)).map(str::to_owned);
                match (of("id="), of("env="), of("src=").or_else(|| of("source="))) {
                    (Some(id), Some(env), _) => self.secrets.push(("secret-envs", format!("{id}={env}"))),
                    (Some(id), None, Some(path)) => self.secrets.push(("secret-files", format!("{id}={path}"))),
                    _ => return Err(format!("`--secret {}` is not understood", clip(&value))),
                }
            }
            "--ssh" => self.secrets.push(("ssh", value)),
            "--provenance" => self.secrets.push(("provenance", value)),
            "--sbom" => self.secrets.push(("sbom", value)),
            "--progress" | "--builder" | "--format" | "--isolation" | "--storage-driver" => {}
            "--cache-to" => told.lost.push((
                format!("`--cache-to {}` is not carried over", clip(&value)),
                "`build_cache` of .stagefreight.yml keeps layers in a registry, or the input `cache-to` does"
                    .to_owned(),
            )),
            other => return Err(format!("`{}` is not understood", clip(other))),
        }
        Ok(())
    }

    fn kaniko(&mut self, words: &[&str], told: &mut Told) -> Result<(), String> {
        self.begin(Tool::Kaniko)?;
        self.pushes = true;
        self.context = ".".to_owned();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let (flag, given) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (*word, None),
            };
            match (flag, given.as_deref()) {
                (
                    "--cleanup"
                    | "--use-new-run"
                    | "--compressed-caching"
                    | "--single-snapshot"
                    | "--ignore-var-run"
                    | "--force",
                    _,
                ) => continue,
                ("--cache" | "--no-push" | "--reproducible", given) => {
                    let on = given != Some("false");
                    match flag {
                        "--no-push" => self.no_push = on,
                        "--cache" if on => told.lost.push(("kaniko's cache is not carried over".to_owned(), "`build_cache: {mode: shared, external: {target: …}}` in .stagefreight.yml keeps layers in a registry".to_owned())),
                        "--reproducible" if on => told.lost.push(("`--reproducible` is not carried over".to_owned(), "`reproducible: on` of the build in .stagefreight.yml; `build_mode: crucible` proves it".to_owned())),
                        _ => {}
                    }
                    continue;
                }
                ("--insecure" | "--skip-tls-verify" | "--insecure-pull" | "--skip-tls-verify-pull", _) => {
                    told.lost.push((format!("`{flag}` is not carried over"), "say of that registry alone, `registries: {\"host:5000\": {http: true}}` or `{insecure: true}` in .stagefreight.yml".to_owned()));
                    continue;
                }
                _ => {}
            }
            let value = given
                .or_else(|| rest.next().map(|value| (*value).to_owned()))
                .ok_or_else(|| format!("`{flag}` has no value"))?;
            match flag {
                "-c" | "--context" if value.starts_with("dir://") || !value.contains("://") => {
                    self.context = in_project(value.trim_start_matches("dir://"))
                }
                "-f" | "--dockerfile" => self.file = Some(in_project(&value)),
                "-d" | "--destination" => self.names.push(tagged(&value)),
                "--custom-platform" | "--customPlatform" => self.platforms.push(value),
                "--build-arg" | "--label" | "--target" => self.flag(flag, value, told)?,
                "--verbosity"
                | "-v"
                | "--snapshot-mode"
                | "--snapshotMode"
                | "--push-retry"
                | "--cache-ttl"
                | "--log-format"
                | "--image-fs-extract-retry"
                | "--compression" => {}
                "--cache-repo" | "--cache-dir" => {}
                "--digest-file" | "--image-name-with-digest-file" => told.lost.push((
                    format!("`{flag}` is not carried over"),
                    "later jobs have the variable STAGEFREIGHT_DIGEST".to_owned(),
                )),
                "--registry-mirror" => told.lost.push((
                    "`--registry-mirror` is not carried over".to_owned(),
                    "`registries: {docker.io: {mirrors: [...]}}` in .stagefreight.yml".to_owned(),
                )),
                other => return Err(format!("`{} {}` is not understood", clip(other), clip(&value))),
            }
        }
        Ok(())
    }

    /// Whether all of it makes sense together.
    ///
    /// # Errors
    /// What does not.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        if self.pushes && !self.no_push {
            self.pushed.extend(self.names.clone());
        }
        let mut seen = std::collections::BTreeSet::new();
        self.pushed.retain(|name| seen.insert(name.clone()));
        if self.names.is_empty() && self.pushed.is_empty() && !self.no_push {
            return Err("its image has no name that could be carried over".to_owned());
        }
        Ok(())
    }

    /// The backend, where it is not the component's default.
    pub(super) fn backend(&self) -> Option<&'static str> {
        match self.tool {
            Some(Tool::Buildah | Tool::Kaniko) => Some(
                "rootless   # as before without privileges; the runner must let jobs create user namespaces: docs/gitlab.md",
            ),
            _ => None,
        }
    }

    /// Whether the component brings docker's engine.
    pub(super) fn has_engine(&self) -> bool {
        self.backend().is_none()
    }

    /// Inputs of the component, in order.
    pub(super) fn inputs(&self) -> Vec<(&'static str, Vec<String>)> {
        let one = |value: &Option<String>| value.clone().into_iter().collect::<Vec<_>>();
        let mut inputs = vec![
            ("context", Some(self.context.clone()).filter(|context| context != ".").into_iter().collect()),
            ("file", self.dockerfile().into_iter().collect()),
            ("target", one(&self.target)),
            ("platforms", Some(self.platforms.join(",")).filter(|text| !text.is_empty()).into_iter().collect()),
            ("build-args", self.args.clone()),
            ("labels", self.labels.clone()),
            ("cache-from", self.cache_from.clone()),
        ];
        for name in ["secret-envs", "secret-files", "ssh", "provenance", "sbom"] {
            inputs.push((
                name,
                self.secrets.iter().filter(|(key, _)| *key == name).map(|(_, value)| value.clone()).collect(),
            ));
        }
        for flag in ["no-cache", "pull"] {
            inputs.push((
                flag,
                self.flags.iter().filter(|given| **given == flag).take(1).map(|_| "true".to_owned()).collect(),
            ));
        }
        match self.pushed.is_empty() {
            true => inputs.push(("push", vec!["false".to_owned()])),
            false => inputs.push(("tags", self.pushed.clone())),
        }
        inputs.retain(|(_, values): &(&str, Vec<String>)| !values.is_empty());
        inputs
    }

    /// All three look for it in the context unless told.
    fn dockerfile(&self) -> Option<String> {
        self.file.clone().or_else(|| (self.context != ".").then(|| format!("{}/Dockerfile", self.context)))
    }
}

/// The name with its tag. A variable at the end may hold one already; of GitLab's own it is known that it does not.
fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let own = ["$CI_REGISTRY_IMAGE", "${CI_REGISTRY_IMAGE}"].contains(&last);
    if last.contains(':') || (last.contains('$') && !own) { name.to_owned() } else { format!("{name}:latest") }
}

/// A path of the project, without the variable for its root.
fn in_project(path: &str) -> String {
    let path = ["${CI_PROJECT_DIR}", "$CI_PROJECT_DIR"].iter().find_map(|root| path.strip_prefix(root)).unwrap_or(path);
    let clean = crate::source::clean_path(path.trim_start_matches('/'));
    if clean.is_empty() { ".".to_owned() } else { clean }
}

/// Words of a command; `None` where a shell would do more than split them.
fn words(command: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut inside, mut quote) = (Vec::new(), String::new(), false, None);
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => {
                if inside {
                    words.push(std::mem::take(&mut word));
                }
                inside = false;
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                inside = true;
            }
            (Some(open), c) if c == open => quote = None,
            // GitLab puts values in place of `$NAME` and `${NAME}` alone, and reads `$` everywhere.
            (Some('\''), '$') | (_, '`') => return None,
            (None, '|' | ';' | '&' | '<' | '>' | '(' | ')' | '*' | '?' | '~' | '\\') | (Some('"'), '\\') => {
                return None;
            }
            (_, '$') => {
                let next = chars.peek().copied();
                if !next.is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '{') {
                    return None;
                }
                word.push('$');
                inside = true;
                if next == Some('{') {
                    // `${NAME}`, and nothing a shell would compute.
                    let name: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                        return None;
                    }
                    word.push_str(&format!("{{{name}}}"));
                }
            }
            (_, c) => {
                word.push(c);
                inside = true;
            }
        }
    }
    if inside {
        words.push(word);
    }
    (quote.is_none()).then_some(words)
}

fn clip(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
