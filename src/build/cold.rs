//! Cold builds: a crucible's two passes, which share no cache and no running command with each other or with anybody.
//!
//! The first goes into a private layout, the second only as far as its digest. `--no-cache` alone would not do: BuildKit joins
//! equal commands of concurrent solves, so each pass carries a word of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::exports::Route;
use super::solve::{Made, Order, Trouble, solve};
use super::{Candidate, Content, FirstPass, Workshop};
use crate::buildx::argv::Export;
use crate::buildx::errors;
use crate::buildx::metadata::{Material, Metadata, materials_of};
use crate::buildx::progress::layers::Timeline;
use crate::image::attestations::{self, Attestation};
use crate::image::manifest::{Children, Descriptor};
use crate::image::{Digest, Layout};
use crate::plan::Step;
use crate::problem::{Failure, FailureKind, Problem};

/// Where buildx reads a source policy (`docker/buildx` docs/reference, environment variables).
const POLICY: &str = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY";
/// Build argument that names the machine a command runs on (`moby/buildkit` frontend/dockerfile docs, pre-defined ARGs).
const HOST_NAME: &str = "BUILDKIT_SANDBOX_HOSTNAME";

/// How the second pass is to be built. It travels to whoever runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassOrder {
    /// A word only this pass knows: lower-case letters and digits.
    pub nonce: String,
    /// Base images to use, by digest.
    pub pins: Vec<Material>,
    /// Named contexts for the builds it depends on.
    pub dependencies: Vec<(String, String)>,
}

/// What the second pass came to.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondPass {
    /// Digest of the manifest or index it made.
    pub digest: Digest,
    /// Sources it used, where the builder tells: for a single platform.
    pub materials: Vec<Material>,
    /// How long it took.
    pub took: Duration,
}

/// Builds the candidate.
pub(super) async fn first(
    index: usize,
    step: &Step,
    dependencies: &[(String, String)],
    route: &Route,
    shop: Workshop<'_>,
    timeline: &mut Timeline,
) -> Result<Made, Trouble> {
    let (started, begun) = (Instant::now(), Timestamp::now());
    let mut cold = step.clone();
    if cold.provenance == "false" {
        // Where several platforms are built, nothing else tells the digests of the base images.
        "mode=min".clone_into(&mut cold.provenance);
    }
    let nonce = format!("{}a{index}", shop.run.nonce());
    let order = Order { index, dependencies, exports: &route.exports, nonce: Some(&nonce), env: &[], quiet: false };
    let metadata = solve(&cold, &order, shop, timeline).await?;
    let dir = route.layout.clone().unwrap_or_default();
    let separated = tokio::task::spawn_blocking(move || separate(&dir)).await;
    let separated = separated.map_err(|e| Failure::new(FailureKind::Internal, Problem::new(e.to_string())))?;
    let Separated { layout, root, config, attestations, mut materials } = separated?;
    if materials.is_empty() {
        materials = metadata.materials;
    }
    let first = FirstPass {
        index,
        materials,
        attestations,
        dependencies: dependencies.to_vec(),
        started: begun,
        took: started.elapsed(),
    };
    Ok(Made {
        metadata: Some(of_the_image(metadata.raw, &root)),
        candidate: Candidate {
            build: step.id.clone(),
            digest: root.digest,
            content: Content::Layout(layout),
            first: Some(first),
        },
        image_id: config,
        loaded: Vec::new(),
        layout: None,
    })
}

/// Builds it once more and computes the digest; no byte of the image moves.
///
/// # Errors
/// Why there is no second image.
pub async fn second(index: usize, step: &Step, order: &PassOrder, shop: Workshop<'_>) -> Result<SecondPass, Failure> {
    let started = Instant::now();
    let step = rebuilt(step, order);
    let exports = [Export::Digest { rewrite_timestamp: step.rewrite_timestamp }];
    let metadata = again(index, &step, order, &exports, shop).await?;
    let digest = metadata.digest.ok_or_else(|| verification("the second build told no digest".to_owned()))?;
    Ok(SecondPass { digest, materials: metadata.materials, took: started.elapsed() })
}

/// Takes the bytes of the second pass out of BuildKit's cache into a layout, where the digests say that there is something
/// to compare. What the pass made is all there; a cache that lost it meanwhile is noticed by the digest.
///
/// # Errors
/// When they are not to be had any more.
pub async fn fetch(
    index: usize,
    step: &Step,
    order: &PassOrder,
    digest: &Digest,
    dir: &Path,
    shop: Workshop<'_>,
) -> Result<Layout, Failure> {
    let step = Step { no_cache: false, ..rebuilt(step, order) };
    let exports = [Export::Layout { dir: dir.to_owned(), rewrite_timestamp: step.rewrite_timestamp }];
    let metadata = again(index, &step, order, &exports, shop).await?;
    if metadata.digest.as_ref() != Some(digest) {
        let what = "the builder cannot give the second image again: its cache was cleaned meanwhile, or something the build \
                    fetches is another each time";
        return Err(verification(what.to_owned()));
    }
    Layout::open(dir).map_err(|e| Failure::new(FailureKind::Verification, e.problem()))
}

async fn again(
    index: usize,
    step: &Step,
    order: &PassOrder,
    exports: &[Export],
    shop: Workshop<'_>,
) -> Result<Metadata, Failure> {
    let policy = shop.run.scratch(&format!("policy-{index}.json"));
    let written = write_policy(&policy, &order.pins, shop.buildx.variable(POLICY));
    written.map_err(|e| verification(format!("the base images cannot be pinned: {e}")))?;
    let env = [(POLICY.to_owned(), policy.display().to_string())];
    let call = Order {
        index,
        dependencies: &order.dependencies,
        exports,
        nonce: Some(&order.nonce),
        env: &env,
        quiet: !step.no_cache,
    };
    let mut timeline = Timeline::default();
    match solve(step, &call, shop, &mut timeline).await {
        Ok(metadata) => Ok(metadata),
        Err(Trouble::Other(failure)) => Err(failure),
        Err(Trouble::Build) => {
            let why = errors::explain(&timeline.evidence());
            Err(Failure { kind: FailureKind::Verification, problems: vec![errors::problem(&why)] })
        }
    }
}

/// The step as the second pass builds it: no attestations, and on a machine of another name, so that an image that holds the
/// name of its build host is found out.
fn rebuilt(step: &Step, order: &PassOrder) -> Step {
    let mut cold = step.clone();
    cold.build_args.entry(HOST_NAME.to_owned()).or_insert_with(|| format!("sf-{}", order.nonce));
    let off = || "false".to_owned();
    Step { provenance: off(), sbom: off(), ..cold }
}

/// What comes of a layout with attestations.
struct Separated {
    layout: Layout,
    root: Descriptor,
    config: Option<Digest>,
    attestations: Vec<Attestation>,
    materials: Vec<Material>,
}

fn separate(dir: &Path) -> Result<Separated, Failure> {
    let read = || {
        let (layout, attestations) = attestations::separate(&Layout::open(dir)?)?;
        let root = layout.root()?.clone();
        let config = match layout.manifest(&root)?.children() {
            Ok(Children::Image { config, .. }) => Some(config.digest),
            _ => None,
        };
        let mut materials = BTreeSet::new();
        for provenance in attestations.iter().filter(|a| a.predicate.starts_with("https://slsa.dev/provenance/")) {
            let statement: Value = serde_json::from_slice(&provenance.read(&layout)?).unwrap_or_default();
            materials.extend(materials_of(&statement));
        }
        Ok(Separated { layout, root, config, attestations, materials: materials.into_iter().collect() })
    };
    read().map_err(|e: crate::image::layout::LayoutError| Failure::new(FailureKind::Build, e.problem()))
}

/// buildx's metadata, told of the image without its attestations.
fn of_the_image(mut raw: Value, root: &Descriptor) -> Value {
    if let Some(fields) = raw.as_object_mut() {
        fields.insert("containerimage.digest".to_owned(), json!(root.digest));
        let descriptor = json!({ "mediaType": root.media_type, "digest": root.digest, "size": root.size });
        fields.insert("containerimage.descriptor".to_owned(), descriptor);
    }
    raw
}

/// A source policy: every base image becomes the one the first pass found (`moby/buildkit` sourcepolicy/pb/policy.proto).
/// Rules of the user's own policy go first.
fn write_policy(path: &Path, pins: &[Material], own: Option<&str>) -> std::io::Result<()> {
    let own: Value = match own {
        Some(file) => serde_json::from_slice(&std::fs::read(file)?)?,
        None => Value::Null,
    };
    let mut rules = own.get("rules").and_then(Value::as_array).cloned().unwrap_or_default();
    rules.extend(pins.iter().filter_map(pin));
    std::fs::write(path, json!({ "rules": rules }).to_string())
}

fn pin(material: &Material) -> Option<Value> {
    let digest = material.digest.as_ref()?;
    // Other sources are not pinned: that they give something else is what a second build is to find out.
    if material.name.contains("://") {
        return None;
    }
    let image = format!("docker-image://{}", material.name);
    let pinned = format!("{image}@{digest}");
    Some(json!({ "action": "CONVERT", "selector": { "identifier": image }, "updates": { "identifier": pinned } }))
}

fn verification(what: String) -> Failure {
    Failure::new(FailureKind::Verification, Problem::new(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildx::argv::tests::step;

    fn material(name: &str, digit: Option<&str>) -> Material {
        let digest = digit.map(|d| format!("sha256:{}", d.repeat(64)).parse().unwrap());
        Material { name: name.into(), platform: None, digest }
    }

    #[test]
    fn every_base_image_is_pinned_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (path, own) = (dir.path().join("policy"), dir.path().join("own"));
        std::fs::write(&own, r#"{"rules":[{"action":"DENY"}]}"#).unwrap();
        let pins = [
            material("docker.io/library/busybox:1.36", Some("a")),
            material("https://example.com/x.tar", Some("b")),
            material("docker.io/library/unknown:1", None),
        ];
        write_policy(&path, &pins, own.to_str()).unwrap();
        let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let rules = written["rules"].as_array().unwrap();
        assert_eq!((rules.len(), &rules[0]["action"]), (2, &json!("DENY")));
        assert_eq!(rules[1]["selector"]["identifier"], "docker-image://docker.io/library/busybox:1.36");
        let pinned = format!("docker-image://docker.io/library/busybox:1.36@sha256:{}", "a".repeat(64));
        assert_eq!(rules[1]["updates"]["identifier"], pinned);
    }

    #[test]
    fn the_second_pass_differs_in_nothing_that_makes_the_image_but_its_host_name() {
        let order = PassOrder { nonce: "n1".into(), pins: Vec::new(), dependencies: Vec::new() };
        let step = Step { sbom: "true".into(), no_cache: true, ..step() };
        let again = rebuilt(&step, &order);
        assert!(again.no_cache);
        assert_eq!((again.provenance.as_str(), again.sbom.as_str()), ("false", "false"));
        assert_eq!(again.build_args[HOST_NAME], "sf-n1");
        let mut own = step.clone();
        own.build_args.insert(HOST_NAME.into(), "mine".into());
        assert_eq!(rebuilt(&own, &order).build_args[HOST_NAME], "mine", "what the user says stands");
        assert_eq!((&again.labels, &again.annotations, again.epoch), (&step.labels, &step.annotations, step.epoch));
    }
}
