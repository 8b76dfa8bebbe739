//! `targets[]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A target: a place where an image is published, under which tags, and when.
///
/// Only `kind: registry` is handled here; the keys of other kinds belong to other StageFreight programs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Target {
    /// Name, unique among targets.
    #[schemars(extend("x-required" = true))]
    pub id: String,
    /// What kind of place it is.
    #[schemars(extend("x-required" = true))]
    pub kind: TargetKind,
    /// Id of the build to publish. Required where the file has builds.
    pub build: Option<String>,
    /// When this target takes part in a run. Default: always.
    pub when: When,
    /// Publish only when the run's git tag matches: names from `policies.git_tags` or patterns, with the rules of `when.git_tags`.
    pub select_tags: Vec<String>,
    /// Registry as `host` or `host:port`, without scheme or path. A template. Required, except with `provider: local`.
    pub url: Option<String>,
    /// Kind of registry. Default: told by the host.
    pub provider: Option<RegistryProvider>,
    /// Repository path in the registry, `team/app`. A template. Required, except with `provider: local`.
    pub path: Option<String>,
    /// Prefix of the variables that hold the login: `PREFIX_USER` with `PREFIX_TOKEN`, `PREFIX_PASS` or `PREFIX_PASSWORD`.
    pub credentials: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Tags. Templates: `{version}`, `latest`, `{branch}-{sha:8}`. Characters a tag cannot hold are replaced by `-` in
    /// what variables bring in. At least one is required, except with `provider: local`.
    pub tags: Vec<String>,
    /// Which old tags stay in the registry: a number (`5` is `keep_last: 5`) or the rules one by one. Default: all.
    #[schemars(schema_with = "retention_schema")]
    #[serde(deserialize_with = "number_or_rules")]
    pub retention: Option<Retention>,
    /// The registry scans for vulnerabilities itself.
    pub native_scan: Option<bool>,
}

/// Kind of target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// A container registry.
    #[default]
    Registry,
    /// The business of another StageFreight program.
    DockerReadme,
    /// The business of another StageFreight program.
    GitlabComponent,
    /// The business of another StageFreight program.
    Release,
    /// The business of another StageFreight program.
    BinaryArchive,
}

/// Kind of registry, as written. `local` is no registry: the image is loaded into the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegistryProvider {
    /// Docker Hub. Also written `dockerhub`.
    #[serde(alias = "dockerhub")]
    Docker,
    /// GitHub's container registry. Also written `github`.
    #[serde(alias = "github")]
    Ghcr,
    /// GitLab's container registry.
    Gitlab,
    /// JFrog Artifactory.
    Jfrog,
    /// Harbor.
    Harbor,
    /// Quay.
    Quay,
    /// Gitea's or Forgejo's packages.
    Gitea,
    /// Any registry that follows the distribution specification.
    Generic,
    /// No registry: the image is loaded into the engine.
    Local,
}

/// Conditions. OR within a list, AND between lists; what is left out does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Branches: a name from `policies.branches`, else a pattern. `re:` marks an inline regular expression, a leading `!` excludes,
    /// and excludes win; with excludes only, all else matches. A pattern matches where it is found, but a plain name without any
    /// regex character (`main`) matches that name alone.
    pub branches: Vec<String>,
    /// Git tags, with the same rules and `policies.git_tags`. A run without a git tag does not match.
    pub git_tags: Vec<String>,
    /// Why the run was started.
    pub events: Vec<crate::runner::EventKind>,
}

/// Tag retention. Rules add up: a tag stays if any of them keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Keep the newest so many tags.
    pub keep_last: Option<u32>,
    /// Keep the newest tag of each of so many days.
    pub keep_daily: Option<u32>,
    /// Keep the newest tag of each of so many weeks.
    pub keep_weekly: Option<u32>,
    /// Keep the newest tag of each of so many months.
    pub keep_monthly: Option<u32>,
    /// Keep the newest tag of each of so many years.
    pub keep_yearly: Option<u32>,
    /// Patterns over tags that are never deleted and use up no other rule, with the rules of `when.git_tags`.
    pub protect: Vec<String>,
}

/// For serde, as `load` has it: a bare number is `keep_last`.
fn number_or_rules<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Retention>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u32),
        Rules(Retention),
    }
    Ok(Option::<Written>::deserialize(from)?.map(|written| match written {
        Written::Number(n) => Retention { keep_last: Some(n), ..Retention::default() },
        Written::Rules(rules) => rules,
    }))
}

fn retention_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let rules = generator.subschema_for::<Retention>();
    schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, rules] })
}
