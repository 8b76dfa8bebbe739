//! `.stagefreight/publish.json`: what was published, where, seen by whom. Canonical JSON that carries its own checksum.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::image::Digest;
use crate::outcome::{BuildOutcome, PublishedTag};
use crate::plan::{Output, Plan, Provider, TargetPlan};
use crate::problem::{Failure, FailureKind, Problem};
use crate::runner::CiContext;

/// Where the record goes, below the workspace.
pub const FILE: &str = ".stagefreight/publish.json";

/// The record, version 1. Keys are sorted, there is no white space, and `checksum` is the sha256 of the whole with that field empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishRecord {
    /// Version of this form.
    pub schema: u32,
    /// `sha256:…` over the document with this field empty.
    pub checksum: String,
    /// The run that published.
    pub instance: Instance,
    /// One for each tag, sorted by host, path and tag.
    pub published: Vec<Entry>,
}

/// The run that published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Commit the images are made of.
    pub commit: Option<String>,
    /// Pipeline or workflow run.
    pub pipeline: Option<String>,
    /// Job.
    pub job: Option<String>,
    /// When the run began, RFC 3339.
    pub at: String,
}

/// One tag in one registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Build id.
    pub build: String,
    /// Target id.
    pub target: String,
    /// Registry host.
    pub host: String,
    /// Repository path.
    pub path: String,
    /// Tag.
    pub tag: String,
    /// `host/path:tag`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Digest of the manifest or index.
    pub digest: Digest,
    /// Kind of registry.
    pub provider: String,
    /// Prefix of the variables that held the login; never the login.
    pub credentials: Option<String>,
    /// Who saw which digest.
    pub observed: Observed,
    /// What the plan wanted here.
    pub expected: Expected,
    /// Digest of the manifest, in the same repository, with the signed attestation of the proof, where there is one.
    pub attestation: Option<String>,
}

/// Two observers that know nothing of each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// What the builder said it made.
    pub builder: Option<Digest>,
    /// What the registry returned under the tag, recomputed from the bytes.
    pub registry: Digest,
}

/// What the plan wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// All tags of the target.
    pub tags: Vec<String>,
    /// Commit.
    pub commit: Option<String>,
}

/// The record of a run.
///
/// # Errors
/// When one reference is said to have two digests.
pub fn record(context: &CiContext, at: &str, plan: &Plan, builds: &[BuildOutcome]) -> Result<PublishRecord, Failure> {
    let mut entries: BTreeMap<(String, String, String), Entry> = BTreeMap::new();
    for build in builds {
        for tag in &build.published {
            let entry = entry(plan, build, tag);
            let key = (entry.host.clone(), entry.path.clone(), entry.tag.clone());
            match entries.get(&key) {
                Some(other) if other.digest != entry.digest => {
                    let what =
                        format!("{} was published twice, as {} and as {}", entry.reference, other.digest, entry.digest);
                    let hint = "give the two builds different tags or repositories";
                    return Err(Failure::new(FailureKind::Publish, Problem::new(what).hint(hint)));
                }
                _ => drop(entries.insert(key, entry)),
            }
        }
    }
    let instance = Instance {
        commit: plan.commit.clone(),
        pipeline: context.pipeline.clone(),
        job: context.job.clone(),
        at: at.to_owned(),
    };
    let record =
        PublishRecord { schema: 1, checksum: String::new(), instance, published: entries.into_values().collect() };
    let checksum = Digest::of(canonical(&record).as_bytes()).to_string();
    Ok(PublishRecord { checksum, ..record })
}

fn entry(plan: &Plan, build: &BuildOutcome, tag: &PublishedTag) -> Entry {
    let target = plan.steps.iter().filter(|s| s.id == build.id).find_map(|step| match &step.output {
        Output::Publish { targets } => targets.iter().find(|t| t.id == tag.target),
        _ => None,
    });
    let signature = build.signatures.iter().find(|s| s.repository == tag.repository && s.digest == tag.digest);
    let tags = |t: &TargetPlan| t.tags.iter().map(ToString::to_string).collect();
    Entry {
        build: build.id.clone(),
        target: tag.target.clone(),
        host: tag.repository.host().to_owned(),
        path: tag.repository.path().to_owned(),
        tag: tag.tag.to_string(),
        reference: format!("{}:{}", tag.repository, tag.tag),
        digest: tag.digest.clone(),
        provider: provider(target.map_or(Provider::Generic, |t| t.provider)),
        credentials: target.and_then(|t| t.credentials.clone()),
        observed: Observed { builder: build.digest.clone(), registry: tag.digest.clone() },
        expected: Expected { tags: target.map(tags).unwrap_or_default(), commit: plan.commit.clone() },
        attestation: signature.and_then(|s| s.attestation.as_ref()).map(ToString::to_string),
    }
}

fn provider(provider: Provider) -> String {
    serde_json::to_value(provider).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Keys sorted, no white space. The intermediate value sorts: serde_json's map is a `BTreeMap`.
pub fn canonical(record: &PublishRecord) -> String {
    serde_json::to_value(record).map(|value| value.to_string()).unwrap_or_default()
}

/// Whether the checksum is that of the document.
pub fn is_intact(record: &PublishRecord) -> bool {
    let blank = PublishRecord { checksum: String::new(), ..record.clone() };
    Digest::of(canonical(&blank).as_bytes()).as_str() == record.checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> PublishRecord {
        let digest = Digest::of(b"manifest");
        let entry = Entry {
            build: "app".into(),
            target: "main".into(),
            host: "localhost:5000".into(),
            path: "acme/app".into(),
            tag: "1.2.3".into(),
            reference: "localhost:5000/acme/app:1.2.3".into(),
            digest: digest.clone(),
            provider: "generic".into(),
            credentials: Some("ACME".into()),
            observed: Observed { builder: Some(digest.clone()), registry: digest },
            expected: Expected { tags: vec!["1.2.3".into()], commit: Some("c".repeat(40)) },
            attestation: None,
        };
        let record =
            PublishRecord { schema: 1, checksum: String::new(), instance: Instance::default(), published: vec![entry] };
        let checksum = Digest::of(canonical(&record).as_bytes()).to_string();
        PublishRecord { checksum, ..record }
    }

    #[test]
    fn the_form_is_canonical_and_carries_its_checksum() {
        let record = sample();
        let text = canonical(&record);
        insta::assert_snapshot!(text, @r#"{"checksum":"sha256:93f45758d5267e7ee9dadc95f6ae1e3225c1c0141d43381da70c2bec6eb5fca5","instance":{"at":"","commit":null,"job":null,"pipeline":null},"published":[{"attestation":null,"build":"app","credentials":"ACME","digest":"sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f","expected":{"commit":"cccccccccccccccccccccccccccccccccccccccc","tags":["1.2.3"]},"host":"localhost:5000","observed":{"builder":"sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f","registry":"sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"},"path":"acme/app","provider":"generic","ref":"localhost:5000/acme/app:1.2.3","tag":"1.2.3","target":"main"}],"schema":1}"#);
        let read: PublishRecord = serde_json::from_str(&text).unwrap();
        assert!(is_intact(&read));
        let forged = PublishRecord { schema: 2, ..read };
        assert!(!is_intact(&forged));
    }
}
