//! Scripts that log docker in on the runner. Those that do nothing else are read; of others the report says what to do.

use super::super::edit::{self, Edit};
use super::super::expression::{Piece, pieces};
use super::super::step::Step;
use super::super::value::Judge;
use super::super::world::Run;
use super::super::yaml;
use super::{Clouds, ECR, token};

/// Who a token of Azure's stands for.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What such a script does.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Login {
    /// `gcloud auth configure-docker`: a helper for these registries.
    Gcloud(Vec<String>),
    /// `az acr login --name NAME`, once.
    Acr(String),
}

/// Whether a script lets a cloud's program log docker in, and does nothing else.
pub(in crate::migrate) fn logs_in(script: &str) -> bool {
    login(script).is_some()
}

fn login(script: &str) -> Option<Login> {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut found = None;
    for line in lines {
        found = match (found, command(line)?) {
            (None, command) => Some(command),
            (Some(Login::Gcloud(mut hosts)), Login::Gcloud(more)) => {
                hosts.extend(more);
                Some(Login::Gcloud(hosts))
            }
            _ => return None,
        };
    }
    found
}

fn command(line: &str) -> Option<Login> {
    let words = words(line)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["gcloud", "auth", "configure-docker", rest @ ..] => {
            let hosts: Vec<_> =
                rest.iter().filter(|word| !word.starts_with('-')).map(|host| (*host).to_owned()).collect();
            Some(Login::Gcloud(if hosts.is_empty() { vec!["gcr.io".to_owned()] } else { hosts }))
        }
        ["az", "acr", "login", "--name" | "-n", name] => Some(Login::Acr((*name).to_owned())),
        ["az", "acr", "login", name] => Some(Login::Acr(name.strip_prefix("--name=")?.to_owned())),
        _ => None,
    }
}

/// The words of a command; an expression is filled in before a shell sees it. `None` where a shell would do more than split.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    for piece in pieces(line) {
        match (piece, words.last_mut()?) {
            (Piece::Expression(inner), last) => last.push_str(&format!("${{{{ {inner} }}}}")),
            (Piece::Literal(text), _) if text.contains(['|', '&', ';', '$', '`', '<', '>', '\\']) => return None,
            (Piece::Literal(text), last) => {
                let mut parts = text.split([' ', ',']).map(|part| part.replace(['"', '\''], ""));
                last.push_str(&parts.next()?);
                words.extend(parts);
            }
        }
    }
    words.retain(|word| !word.is_empty());
    Some(words)
}

/// Registries of such a script, as templates.
pub(super) fn hosts(step: &Step<'_>, run: &Run, judge: &mut Judge<'_>) -> Vec<String> {
    match step.text("run").and_then(login) {
        Some(Login::Gcloud(hosts)) => hosts.iter().map(|host| judge.template(host, run)).collect(),
        Some(Login::Acr(name)) => vec![acr(&name, run, judge)],
        None => Vec::new(),
    }
}

fn acr(name: &str, run: &Run, judge: &mut Judge<'_>) -> String {
    let name = judge.template(name, run);
    let name = if name.contains('{') { name } else { name.to_ascii_lowercase() };
    if name.ends_with(".azurecr.io") { name } else { format!("{name}.azurecr.io") }
}

/// A script that does nothing but log in.
pub(super) fn read(step: &Step<'_>, clouds: &mut Clouds<'_, '_, '_>) {
    match step.text("run").and_then(login) {
        Some(Login::Acr(name)) if step.text("shell").is_none() => azure(step, &name, clouds),
        Some(Login::Gcloud(hosts)) => hosts.iter().for_each(|host| google(step, host, clouds)),
        _ => other(step, clouds),
    }
}

/// `az` gives a token away if it is asked to.
fn azure(step: &Step<'_>, name: &str, clouds: &mut Clouds<'_, '_, '_>) {
    let (Some(item), Some((key, _))) = (step.item, yaml::entry(step.node, "run")) else { return };
    let host = acr(name, clouds.run, clouds.judge);
    let prefix = clouds.around.known(&host);
    let (line, column) = (key.place.line, key.place.column - 1);
    let lead: String = clouds.source[line - 1].chars().take(column).collect();
    let pad = " ".repeat(column);
    let mut lines = vec![format!("{lead}run: |")];
    if clouds.needed {
        lines.push(format!("{pad}  az acr login --name \"{name}\""));
    }
    lines.extend([
        format!("{pad}  token=$(az acr login --name \"{name}\" --expose-token --query accessToken --output tsv)"),
        format!("{pad}  echo \"::add-mask::$token\""),
        format!("{pad}  echo \"token=$token\" >> \"$GITHUB_OUTPUT\""),
    ]);
    let id = step.text("id").map_or_else(|| clouds.free("acr"), str::to_owned);
    if step.text("id").is_none() {
        lines.push(format!("{pad}id: {id}"));
        clouds.ids.insert(step.line(), id.clone());
    }
    let until = edit::end(clouds.source, line, column).min(item.last);
    clouds.around.edits.push(Edit { from: line, until, lines });
    clouds.around.variables(&prefix, NOBODY, &format!("${{{{ steps.{id}.outputs.token }}}}"));
    clouds.report.changed(line, &format!("`az acr login` stays, before the build, and gives its token to the build: `credentials: {prefix}` takes it for {host}. A login on the runner is not seen by the action's container"));
}

/// Google's helper is a program that the action's container has not; what it would give is the token of an earlier step.
fn google(step: &Step<'_>, host: &str, clouds: &mut Clouds<'_, '_, '_>) {
    let host = clouds.judge.template(host, clouds.run);
    let prefix = clouds.around.known(&host);
    let auth = clouds.google_before(step.line());
    match auth.filter(|auth| auth.input("token_format") == Some("access_token")) {
        Some(auth) => {
            let id = clouds.named(auth, "auth");
            clouds.around.variables(
                &prefix,
                "oauth2accesstoken",
                &format!("${{{{ steps.{id}.outputs.access_token }}}}"),
            );
            clouds.report.kept(step.line(), &format!("`gcloud auth configure-docker` stays for docker itself; the build takes Google's token from the step in line {}, by `credentials: {prefix}` for {host}", auth.line()));
        }
        None => {
            clouds.around.env.insert(format!("{prefix}_USER"), "oauth2accesstoken".to_owned());
            clouds.report.lost(
                step.line(),
                &format!("docker's helper of gcloud for {host} is on the runner, and not in the action's container: the build has no token yet"),
                &format!("give google-github-actions/auth an `id: auth` and `token_format: access_token`, and the build's step {prefix}_TOKEN: ${{{{ steps.auth.outputs.access_token }}}}"),
            );
        }
    }
}

/// A script that logs in beside other things, or in a way that is not read.
pub(super) fn other(step: &Step<'_>, clouds: &mut Clouds<'_, '_, '_>) {
    let run = step.text("run").unwrap_or_default();
    let cure = if run.contains("aws ecr get-login-password") || run.contains("aws ecr-public get-login-password") {
        let host = ECR.as_ref().and_then(|ecr| ecr.find(run)).map_or("", |found| found.as_str());
        format!(
            "log in by `aws-actions/amazon-ecr-login` with `id: ecr`, and give the registry `credentials: ECR`, and the build's step ECR_USER: AWS and ECR_TOKEN: {}",
            token("ecr", host)
        )
    } else if run.contains("az acr login") {
        format!(
            "in a step with an id, put what `az acr login --name NAME --expose-token --query accessToken --output tsv` prints, masked, into GITHUB_OUTPUT; give the registry `credentials: ACR`, and the build's step ACR_USER: {NOBODY} and ACR_TOKEN: that output"
        )
    } else if run.contains("gcloud auth configure-docker") {
        "give google-github-actions/auth an `id: auth` and `token_format: access_token`, the registry `credentials: GAR`, and the build's step GAR_USER: oauth2accesstoken and GAR_TOKEN: ${{ steps.auth.outputs.access_token }}".to_owned()
    } else if run.contains("docker login") {
        "give the registry `credentials: PREFIX`, and the build's step PREFIX_USER and PREFIX_TOKEN".to_owned()
    } else {
        return;
    };
    clouds.report.lost(
        step.line(),
        "this script logs docker in on the runner, which the action's container does not see",
        &cure,
    );
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::login;

    #[rstest]
    #[case("az acr login --name acme", "Acr(\"acme\")")]
    #[case("# why\n  az acr login -n \"acme\"\n\n", "Acr(\"acme\")")]
    #[case("az acr login --name=${{ vars.ACR }}", "Acr(\"${{ vars.ACR }}\")")]
    #[case("az acr login --name acme --subscription x", "")]
    #[case("az acr login --name $ACR", "")]
    #[case("az acr login -n a\naz acr login -n b", "")]
    #[case("az acr login --name acme && make", "")]
    #[case("gcloud auth configure-docker", "Gcloud([\"gcr.io\"])")]
    #[case(
        "gcloud auth configure-docker --quiet eu-docker.pkg.dev,us-docker.pkg.dev",
        "Gcloud([\"eu-docker.pkg.dev\", \"us-docker.pkg.dev\"])"
    )]
    #[case("gcloud auth configure-docker ${{ env.A }}-docker.pkg.dev -q", "Gcloud([\"${{ env.A }}-docker.pkg.dev\"])")]
    #[case("gcloud auth configure-dockerx", "")]
    #[case("gcloud auth login", "")]
    #[case("", "")]
    fn scripts_that_only_log_in(#[case] script: &str, #[case] expected: &str) {
        assert_eq!(login(script).map(|found| format!("{found:?}")).unwrap_or_default(), expected);
    }
}
