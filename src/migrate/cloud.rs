//! Logins made of a cloud's token: Amazon's, Google's, Microsoft's. Their actions and programs log docker in on the runner, where the
//! action's container does not look. So what gets a token stays, before the build, and the build's step takes the token from its outputs.

mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::edit::Edit;
use super::login::Around;
use super::report::Report;
use super::step::{Cloud, Role, Step};
use super::value::Judge;
use super::world::Run;
use super::yaml;
use crate::config::load::tree::Node;
pub(super) use script::logs_in;

const PUBLIC: &str = "public.ecr.aws";

/// A private registry of Amazon's.
static ECR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"\b[0-9]{12}\.dkr[.-]ecr\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)\b",
    )
    .ok()
});

/// A job's steps, and all that is made of them.
pub(super) struct Clouds<'a, 'n, 'w> {
    pub(super) steps: &'a [Step<'n>],
    pub(super) run: &'a Run,
    pub(super) judge: &'a mut Judge<'w>,
    pub(super) around: &'a mut Around,
    pub(super) report: &'a mut Report,
    pub(super) source: &'a [&'a str],
    /// Registries that the builds are published to.
    pub(super) published: BTreeSet<String>,
    /// Another step uses docker's own logins.
    pub(super) needed: bool,
    /// Ids of steps that had none, by line.
    pub(super) ids: BTreeMap<usize, String>,
}

/// Outputs of the steps that hold the same in every run.
pub(super) fn outputs(steps: &[Step<'_>], judge: &Judge<'_>) -> BTreeMap<String, String> {
    let ecr = steps.iter().filter(|step| step.role == Role::Cloud(Cloud::Ecr));
    ecr.filter_map(|step| match told(step, steps, judge).as_slice() {
        [host] => Some((format!("steps.{}.outputs.registry", step.text("id")?), host.clone())),
        _ => None,
    })
    .collect()
}

/// Registries that steps log in to with a cloud's token, as templates.
pub(super) fn hosts(steps: &[Step<'_>], run: &Run, judge: &mut Judge<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for step in steps {
        match step.role {
            Role::Cloud(Cloud::Ecr) => {
                let registry = step.text("id").map(|id| format!("steps.{id}.outputs.registry"));
                let named = registry.filter(|path| steps.iter().any(|step| holds(step.node, path)));
                found.extend(named.map(|path| judge.template(&format!("${{{{ {path} }}}}"), run)));
            }
            Role::Cloud(Cloud::Script) => found.extend(script::hosts(step, run, judge)),
            _ => {}
        }
    }
    found
}

/// Whether a name is that of a registry of Amazon's.
pub(super) fn is_ecr(host: &str) -> bool {
    host == PUBLIC || ECR.as_ref().and_then(|ecr| ecr.find(host)).is_some_and(|found| found.len() == host.len())
}

/// Whether docker/login-action takes what it is given for keys of AWS, and asks for a token with them.
pub(super) fn exchanges(step: &Step<'_>, host: &str) -> bool {
    let [user, password] = ["username", "password"].map(|name| step.input(name).unwrap_or_default());
    match step.input("ecr") {
        Some("false") => false,
        _ if user.trim() == "AWS" || user.contains("docker_username_") => false,
        Some("true") => true,
        _ => is_ecr(host) || (host.contains('{') && (user.contains("AWS_") || password.contains("AWS_"))),
    }
}

/// Such a login: a registry has no use for the keys themselves.
pub(super) fn exchanged(step: &Step<'_>, host: &str, around: &mut Around, report: &mut Report) {
    let prefix = around.known_as(host, if host == PUBLIC { "ECR_PUBLIC" } else { "ECR" });
    around.env.insert(format!("{prefix}_USER"), "AWS".to_owned());
    report.lost(
        step.line(),
        &format!("login-action asks AWS for {host}'s token with these keys, and the build's step does not: it has no token yet"),
        &format!("put `aws-actions/amazon-ecr-login` with `id: ecr` here (its env: AWS_REGION, and the keys if no step before sets them), and give the build's step {prefix}_TOKEN: {}", token("ecr", host)),
    );
}

/// Everything a cloud has to do with a job.
pub(super) fn read(clouds: &mut Clouds<'_, '_, '_>) {
    for step in clouds.steps {
        match step.role {
            Role::Cloud(Cloud::Aws) => clouds.aws(step),
            Role::Cloud(Cloud::Ecr) => clouds.ecr(step),
            Role::Cloud(Cloud::Google) => clouds.google(step),
            Role::Cloud(Cloud::Azure) => clouds.azure(step),
            Role::Cloud(Cloud::Script) => script::read(step, clouds),
            Role::Other => script::other(step, clouds),
            _ => {}
        }
    }
}

impl<'a, 'n> Clouds<'a, 'n, '_> {
    fn aws(&mut self, step: &Step<'_>) {
        let asks = |other: &&Step<'_>| match other.role {
            Role::Cloud(Cloud::Ecr) => true,
            Role::Other => other.text("run").is_some_and(|run| run.contains("get-login-password")),
            _ => false,
        };
        let why = match self.steps.iter().find(asks) {
            Some(other) => format!("line {} asks for ECR's token with its keys", other.line()),
            None => "it logs in to AWS, and to no registry".to_owned(),
        };
        self.report.kept(step.line(), &format!("configure-aws-credentials stays: {why}"));
    }

    fn ecr(&mut self, step: &Step<'_>) {
        let mut hosts = told(step, self.steps, self.judge);
        if step.input("registries").is_none() {
            let published: Vec<_> = self.published.iter().filter(|host| is_ecr(host) && *host != PUBLIC).collect();
            if let [host] = published.as_slice()
                && !hosts.contains(host)
                && hosts.iter().all(|host| host != PUBLIC)
            {
                hosts = vec![(*host).clone()];
            }
        }
        let id = self.named(step, "ecr");
        for host in &hosts {
            let prefix = self.around.known(host);
            self.around.variables(&prefix, "AWS", &token(&id, host));
            self.report.kept(step.line(), &format!("amazon-ecr-login stays, before the build: only it gets the token. `credentials: {prefix}` takes it from the output for {host}; the login it leaves on the runner is not seen by the action's container"));
        }
        if hosts.is_empty() {
            let host = self.judge.template(&format!("${{{{ steps.{id}.outputs.registry }}}}"), self.run);
            let published = self.published.contains(&host);
            let prefix = if published { self.around.known_as(&host, "ECR") } else { "ECR".to_owned() };
            self.around.env.insert(format!("{prefix}_USER"), "AWS".to_owned());
            let also = if published { "" } else { "; and give the registry `credentials: ECR`" };
            self.report.lost(
                step.line(),
                "amazon-ecr-login stays, before the build, but its output with the token is named after the registry, which this workflow does not tell: the build has no token yet",
                &format!("give the build's step {prefix}_TOKEN: {}, with your account's number, and your region with _ for -{also}", token(&id, "")),
            );
        }
    }

    fn google(&mut self, step: &Step<'_>) {
        let line = step.line();
        let id = step.text("id").unwrap_or_default();
        let outputs = format!("steps.{id}.outputs.");
        let takes = |other: &&Step<'_>| match other.role {
            Role::Login => other.input("password").is_some_and(|password| password.contains(&outputs)),
            Role::Cloud(Cloud::Script) => other.text("run").is_some_and(|run| run.contains("gcloud ")),
            _ => false,
        };
        let why = match self.steps.iter().find(takes) {
            Some(other) => {
                format!(", before the build: the login in line {} is made of its token", other.line())
            }
            None => ": it logs in to Google Cloud, and to no registry".to_owned(),
        };
        self.report.kept(line, &format!("google-github-actions/auth stays{why}"));
        if step.input("create_credentials_file") == Some("false") {
            return;
        }
        let from_git = |step: &Step<'_>| {
            step.role == Role::Build && step.input("context").is_none_or(|text| text.contains("{{defaultContext}}"))
        };
        let what = "google-github-actions/auth writes a credentials file, gha-creds-*.json, into the checkout";
        let cure = "put `gha-creds-*.json` into .dockerignore and .gitignore, or set `create_credentials_file: false`";
        match self.steps.iter().any(from_git) {
            true => self.report.lost(line, &format!("{what}, and the checkout is what is built now"), cure),
            false => self.report.kept(line, &format!("{what}; {cure}")),
        }
    }

    fn azure(&mut self, step: &Step<'_>) {
        let asks = |other: &&Step<'_>| {
            matches!(other.role, Role::Cloud(Cloud::Script) | Role::Other)
                && other.text("run").is_some_and(|run| run.contains("az acr login"))
        };
        let why = match self.steps.iter().find(asks) {
            Some(other) => format!(", before the build: line {} asks for a token with it", other.line()),
            None => ": it logs in to Azure, and to no registry".to_owned(),
        };
        self.report.kept(step.line(), &format!("azure/login stays{why}"));
    }

    /// The id of a step that stays. One that has none gets one.
    fn named(&mut self, step: &Step<'_>, wanted: &str) -> String {
        if let Some(id) = step.text("id").or(self.ids.get(&step.line()).map(String::as_str)) {
            return id.to_owned();
        }
        let id = self.free(wanted);
        if let Some((uses, _)) = yaml::entry(step.node, "uses") {
            let pad = " ".repeat(uses.place.column - 1);
            let (from, until) = (uses.place.line + 1, uses.place.line);
            self.around.edits.push(Edit { from, until, lines: vec![format!("{pad}id: {id}")] });
            self.report.changed(until, &format!("the step is called `{id}` now, because the build takes its token"));
        }
        self.ids.insert(step.line(), id.clone());
        id
    }

    fn free(&self, wanted: &str) -> String {
        let taken = |id: &String| {
            self.steps.iter().any(|step| step.text("id") == Some(id.as_str())) || self.ids.values().any(|has| has == id)
        };
        let names = std::iter::once(wanted.to_owned()).chain((2..100).map(|n| format!("{wanted}-{n}")));
        names.into_iter().find(|id| !taken(id)).unwrap_or_else(|| wanted.to_owned())
    }

    /// The step that gets Google's token before this one.
    fn google_before(&self, line: usize) -> Option<&'a Step<'n>> {
        let before = self.steps.iter().take_while(|step| step.line() < line);
        before.filter(|step| step.role == Role::Cloud(Cloud::Google)).last()
    }
}

/// Registries that an amazon-ecr-login logs in to, as far as the steps tell: by account and region.
fn told(step: &Step<'_>, steps: &[Step<'_>], judge: &Judge<'_>) -> Vec<String> {
    if step.input("registry-type") == Some("public") {
        return vec![PUBLIC.to_owned()];
    }
    let before = steps.iter().take_while(|other| other.line() < step.line());
    let aws = before.filter(|other| other.role == Role::Cloud(Cloud::Aws)).last();
    let of_aws = |name: &str| judge.fixed(aws?.input(name)?.trim());
    let Some(region) = of_aws("aws-region") else { return Vec::new() };
    let accounts = match step.input("registries") {
        Some(accounts) => judge.fixed(accounts),
        // `arn:aws:iam::123456789012:role/NAME`: the registry is the role's account's.
        None => of_aws("role-to-assume").and_then(|arn| Some(arn.split(':').nth(4)?.to_owned())),
    };
    let end = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let accounts = accounts.unwrap_or_default();
    let hosts = accounts.split(',').map(|account| format!("{}.dkr.ecr.{region}.{end}", account.trim()));
    hosts.filter(|host| is_ecr(host)).collect()
}

/// The output of amazon-ecr-login that holds the token for a registry.
fn token(id: &str, host: &str) -> String {
    let host = if is_ecr(host) { host } else { "ACCOUNT.dkr.ecr.REGION.amazonaws.com" };
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("${{{{ steps.{id}.outputs.docker_password_{} }}}}", host.chars().map(word).collect::<String>())
}

/// Whether a text stands anywhere in a step.
fn holds(node: &Node, text: &str) -> bool {
    yaml::text(node).is_some_and(|own| own.contains(text))
        || yaml::items(node).iter().any(|item| holds(item, text))
        || yaml::entries(node).iter().any(|(_, value)| holds(value, text))
}
