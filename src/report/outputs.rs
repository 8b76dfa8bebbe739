//! The outputs of the job, for later steps and jobs. Drawn from the document; the files' formats are the runner's room.

use serde::Serialize;

use super::document::convert::lowest_trust;
use super::document::{Build, BuildState, Document, PublishedTag};
use super::verdict::level;

/// Where the result document lies, relative to the workspace.
pub const RESULT_FILE: &str = ".stagefreight/result.json";
/// Where BuildKit's metadata of the one build the singular outputs tell of lies, relative to the workspace.
pub const METADATA_FILE: &str = ".stagefreight/metadata.json";

/// Metadata with more bytes goes without provenance: runners of Gitea and Forgejo read lines of at most 64 KiB.
const METADATA_LIMIT: usize = 60_000;

/// An output, as `action.yml`, the templates and the README describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputSpec {
    /// Its name; `STAGEFREIGHT_` and the name in capitals in a dotenv report, but see [`name_in_dotenv`].
    pub name: &'static str,
    /// What it holds.
    pub description: &'static str,
}

/// All outputs, the most important first: where a runner's limits are reached, the last go.
pub const OUTPUTS: &[OutputSpec] = &[
    OutputSpec {
        name: "digest",
        description: "Digest of the image (sha256:…): of the index for several platforms, else of the manifest",
    },
    OutputSpec {
        name: "image",
        description: "The image by digest (host/path@sha256:…) in the first registry; its name in the engine if it was loaded",
    },
    OutputSpec {
        name: "tags",
        description: "References published (host/path:tag), or names loaded; one on each line, comma-joined in a dotenv report",
    },
    OutputSpec { name: "imageid", description: "Digest of the image's configuration; empty for several platforms" },
    OutputSpec { name: "version", description: "Version of the image, as git and CI tell it" },
    OutputSpec { name: "result", description: "Path of the result document, relative to the workspace" },
    OutputSpec {
        name: "published",
        description: "Everything published by all builds: a JSON array of objects with build, target, reference and digest; comma-joined host/path:tag@digest in a dotenv report",
    },
    OutputSpec {
        name: "trust-level",
        description: "How far the image is proven: viable, consistent, deterministic or reproducible; of several builds the lowest; empty when one that was to be proven is not, or none was",
    },
    OutputSpec {
        name: "provenance",
        description: "Path of the attestation of the proof, relative to the workspace; of several builds one on each line, comma-joined in a dotenv report",
    },
    OutputSpec {
        name: "metadata",
        description: "BuildKit's metadata as JSON; in a dotenv report the path of a file that holds it",
    },
];

/// The values, before they take a runner's form. The singular ones are empty when several builds could be meant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs {
    digest: String,
    image: String,
    tags: Vec<String>,
    image_id: String,
    version: String,
    published: Vec<(String, PublishedTag)>,
    trust_level: String,
    provenance: Vec<String>,
    metadata: Option<serde_json::Value>,
}

/// One published tag in the output `published`.
#[derive(Serialize)]
struct Published<'a> {
    build: &'a str,
    target: &'a str,
    reference: &'a str,
    digest: &'a str,
}

impl Outputs {
    /// The outputs of a run. `build_id` is what the input asked for.
    pub fn new(document: &Document, build_id: Option<&str>) -> Self {
        let published =
            document.builds.iter().flat_map(|b| b.published.iter().map(|tag| (b.id.clone(), tag.clone()))).collect();
        let version = document.version.as_ref().map(|v| v.full.clone()).unwrap_or_default();
        let meant = || document.builds.iter().filter(|b| build_id.is_none_or(|id| b.id == id));
        let trust_level = lowest_trust(meant()).map(level).unwrap_or_default().to_owned();
        let provenance = meant().filter_map(|b| b.proof.as_ref()?.provenance.clone()).collect();
        let Some(build) = the_build(document, build_id) else {
            return Self { version, published, trust_level, provenance, ..Self::default() };
        };
        let digest = build.digest.clone().unwrap_or_default();
        let references = build.published.iter().map(|tag| tag.reference.clone());
        Self {
            image: match build.published.first() {
                Some(tag) => format!("{}@{}", tag.repository, tag.digest),
                None => build.loaded.first().cloned().unwrap_or_default(),
            },
            tags: references.chain(build.loaded.iter().cloned()).collect(),
            image_id: build.image_id.clone().unwrap_or_default(),
            metadata: build.metadata.clone(),
            digest,
            version,
            published,
            trust_level,
            provenance,
        }
    }

    /// BuildKit's metadata for [`METADATA_FILE`], if there is any.
    pub fn metadata(&self) -> Option<&serde_json::Value> {
        self.metadata.as_ref()
    }

    /// Names and values for `GITHUB_OUTPUT`, in the order of [`OUTPUTS`].
    pub fn for_actions(&self) -> Vec<(&'static str, String)> {
        self.values(|name| match name {
            "tags" => self.tags.join("\n"),
            "provenance" => self.provenance.join("\n"),
            "published" => self.published_json(),
            _ => self.metadata.as_ref().map(short_json).unwrap_or_default(),
        })
    }

    /// Names and values for a GitLab dotenv report, in the order of [`OUTPUTS`].
    pub fn for_dotenv(&self) -> Vec<(&'static str, String)> {
        let values = self.values(|name| match name {
            "tags" => self.tags.join(","),
            "provenance" => self.provenance.join(","),
            "published" => {
                let all: Vec<_> =
                    self.published.iter().map(|(_, tag)| format!("{}@{}", tag.reference, tag.digest)).collect();
                all.join(",")
            }
            _ => self.metadata.as_ref().map(|_| METADATA_FILE.to_owned()).unwrap_or_default(),
        });
        values.into_iter().map(|(name, value)| (name_in_dotenv(name), value)).collect()
    }

    /// `shaped` gives the values whose form depends on the runner.
    fn values(&self, shaped: impl Fn(&str) -> String) -> Vec<(&'static str, String)> {
        let value = |name: &str| match name {
            "digest" => self.digest.clone(),
            "image" => self.image.clone(),
            "imageid" => self.image_id.clone(),
            "version" => self.version.clone(),
            "result" => RESULT_FILE.to_owned(),
            "trust-level" => self.trust_level.clone(),
            other => shaped(other),
        };
        OUTPUTS.iter().map(|spec| (spec.name, value(spec.name))).collect()
    }

    fn published_json(&self) -> String {
        let all: Vec<_> = self
            .published
            .iter()
            .map(|(build, tag)| Published {
                build,
                target: &tag.target,
                reference: &tag.reference,
                digest: &tag.digest,
            })
            .collect();
        serde_json::to_string(&all).unwrap_or_default()
    }
}

/// What an output is called in a dotenv report. Its variables are set in every later job, over what that job's own `variables`
/// say, so none may be the twin of an input: the tags of one image would become those of the next.
pub fn name_in_dotenv(output: &'static str) -> &'static str {
    match output {
        "tags" => "image-tags",
        "provenance" => "image-provenance",
        other => other,
    }
}

/// The build the singular outputs tell of: the one asked for, else the only published, else the only finished.
fn the_build<'d>(document: &'d Document, build_id: Option<&str>) -> Option<&'d Build> {
    let mut done = document.builds.iter().filter(|b| b.state == BuildState::Done);
    if let Some(id) = build_id {
        return done.find(|b| b.id == id);
    }
    let done: Vec<&Build> = done.collect();
    let published: Vec<&Build> = done.iter().copied().filter(|b| !b.published.is_empty()).collect();
    match (published.as_slice(), done.as_slice()) {
        ([only], _) | ([], [only]) => Some(only),
        _ => None,
    }
}

/// Compact JSON, without provenance where that makes it too long.
fn short_json(metadata: &serde_json::Value) -> String {
    let whole = metadata.to_string();
    if whole.len() <= METADATA_LIMIT {
        return whole;
    }
    let mut short = metadata.clone();
    if let Some(map) = short.as_object_mut() {
        map.retain(|key, _| !key.starts_with("buildx.build.provenance"));
    }
    short.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::report::fixtures;

    fn outputs(outcome: &Outcome, build_id: Option<&str>) -> Outputs {
        Outputs::new(&Document::new(outcome), build_id)
    }

    fn lines(values: Vec<(&'static str, String)>) -> String {
        values.into_iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    #[test]
    fn outputs_for_actions() {
        insta::assert_snapshot!(lines(outputs(&fixtures::success(), None).for_actions()));
    }

    #[test]
    fn outputs_for_a_dotenv_report() {
        let values = outputs(&fixtures::success(), None).for_dotenv();
        insta::assert_snapshot!(lines(values.clone()));
        let pairs: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(
            crate::runner::dotenv::render(&pairs).notes,
            [],
            "two registries and three tags fit GitLab's limits"
        );
    }

    #[test]
    fn a_failed_run_still_names_its_document() {
        insta::assert_snapshot!(lines(outputs(&fixtures::failing_run(), None).for_actions()), @"
        digest=
        image=
        tags=
        imageid=
        version=1.4.2
        result=.stagefreight/result.json
        published=[]
        trust-level=
        provenance=
        metadata=
        ");
    }

    #[test]
    fn the_lowest_trust_of_what_was_to_be_proven_counts() {
        let trust = |outcome: &Outcome, id: Option<&str>| outputs(outcome, id).trust_level;
        let mut two = fixtures::proofs::reproducible();
        assert_eq!(trust(&two, None), "reproducible");
        let mut worker = fixtures::proofs::deterministic().builds.remove(0);
        worker.id = "worker".into();
        two.builds.push(worker);
        assert_eq!(trust(&two, None), "deterministic");
        assert_eq!(trust(&two, Some("app")), "reproducible");
        assert_eq!(outputs(&two, None).provenance.len(), 2);

        // A build that asks for no proof says nothing; one that asks and has none takes it away.
        two.builds.push(fixtures::success().builds.remove(0));
        two.builds[2].id = "docs".into();
        assert_eq!(trust(&two, None), "deterministic");
        two.builds[1].proof.as_mut().unwrap().trust = None;
        assert_eq!((trust(&two, None), trust(&two, Some("app"))), (String::new(), "reproducible".into()));
        assert_eq!(Document::new(&two).trust, None);
        let mut never_ran = fixtures::proofs::reproducible();
        never_ran.builds.clear();
        assert_eq!((trust(&never_ran, None), trust(&fixtures::success(), None)), (String::new(), String::new()));
        assert_eq!(trust(&fixtures::proofs::min_trust_unmet(), None), "consistent", "of a failed proof, too");
    }

    #[test]
    fn several_attestations_fit_both_forms() {
        let mut two = fixtures::proofs::reproducible();
        two.builds.push(two.builds[0].clone());
        two.builds[1].id = "worker".into();
        two.builds[1].proof.as_mut().unwrap().provenance = Some(".stagefreight/provenance/crucible-b.json".into());
        let value = |values: Vec<(&str, String)>| {
            values.into_iter().find(|(name, _)| ["provenance", "image-provenance"].contains(name)).unwrap().1
        };
        let both = [".stagefreight/provenance/crucible-0123456789ab.json", ".stagefreight/provenance/crucible-b.json"];
        assert_eq!(value(outputs(&two, None).for_actions()), both.join("\n"));
        assert_eq!(value(outputs(&two, None).for_dotenv()), both.join(","));
    }

    #[test]
    fn singular_outputs_need_one_build() {
        let mut two = fixtures::success();
        two.builds.push(two.builds[0].clone());
        two.builds[1].id = "worker".into();
        let ambiguous = outputs(&two, None);
        assert_eq!((ambiguous.digest.as_str(), ambiguous.tags.len(), ambiguous.published.len()), ("", 0, 12));
        assert_eq!(outputs(&two, Some("worker")).tags.len(), 6);
        assert_eq!(outputs(&two, Some("nothing")).digest, "");

        two.builds[0].published.clear();
        assert_ne!(outputs(&two, None).digest, "", "the only published one");
        two.builds[1].published.clear();
        assert_eq!(outputs(&two, None).digest, "", "two finished, none published");
        assert_eq!(outputs(&fixtures::optional_failed(), None).tags.len(), 6);
        assert_ne!(outputs(&fixtures::local_layout(), None).digest, "");
    }

    #[test]
    fn a_build_that_failed_after_it_was_built_gives_no_digest() {
        assert_eq!(outputs(&fixtures::failing_publish(), None).digest, "");
    }

    #[test]
    fn a_loaded_image_is_known_by_its_name() {
        let mut loaded = fixtures::local_layout();
        loaded.builds[0].loaded = vec!["app:dev".into(), "app:next".into()];
        let outputs = outputs(&loaded, None);
        assert_eq!((outputs.image.as_str(), outputs.tags.join(" ").as_str()), ("app:dev", "app:dev app:next"));
    }

    #[test]
    fn long_metadata_goes_without_provenance() {
        let long = serde_json::json!({
            "containerimage.digest": "sha256:1",
            "buildx.build.provenance": {"x": "y".repeat(70_000)},
            "buildx.build.provenance/linux/arm64": {},
        });
        assert_eq!(short_json(&long), r#"{"containerimage.digest":"sha256:1"}"#);
    }
}
