//! One index of all legs, byte for byte as BuildKit writes its own (`moby/buildkit` exporter/containerimage/writer.go,
//! `opencontainers/image-spec` specs-go/v1): the platforms in the plan's order, then what is attested of them. Pure.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::CheckedLeg;
use crate::image::attestations;
use crate::image::manifest::{BadManifest, DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, Manifest, OCI_INDEX, Platform};
use crate::image::platform::{normalise, parse};
use crate::plan::{Step, annotation_kinds};

/// Fields in the order in which Go's encoder writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: &'a str,
    manifests: Vec<Entry>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    platform: EntryPlatform,
}

#[derive(Serialize)]
struct EntryPlatform {
    architecture: String,
    os: String,
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    os_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
}

/// What a build's legs make: an index of them; a build of one platform is that leg as it is.
///
/// # Errors
/// When it would be larger than any registry takes.
pub fn image(step: &Step, legs: &[CheckedLeg]) -> Result<Manifest, BadManifest> {
    if let ([only], 0 | 1) = (legs, step.platforms.len()) {
        return Ok(only.root().clone());
    }
    let docker = legs.iter().all(|leg| leg.manifest().media_type == DOCKER_MANIFEST);
    let media_type = if docker { DOCKER_INDEX } else { OCI_INDEX };
    let images = legs.iter().map(|leg| {
        let Platform { os, architecture, variant } = parse(leg.platform());
        let platform = EntryPlatform { os, architecture, variant, os_version: leg.os_version().map(str::to_owned) };
        let annotations = annotations_for(step, "manifest-descriptor", Some(leg.platform()));
        entry(leg.manifest().descriptor(), annotations, platform)
    });
    let unknown =
        || EntryPlatform { os: "unknown".into(), architecture: "unknown".into(), os_version: None, variant: None };
    let attesting = legs.iter().flat_map(|leg| {
        let subject = leg.manifest().digest.clone();
        leg.attestations()
            .iter()
            .map(move |found| entry(found.descriptor(), attestations::annotations_about(&subject), unknown()))
    });
    let index = Index {
        schema_version: 2,
        media_type,
        manifests: images.chain(attesting).collect(),
        annotations: annotations_for(step, "index", None),
    };
    // Keys are strings, so nothing in it can fail to serialise.
    let text = serde_json::to_string_pretty(&index).unwrap_or_default();
    Manifest::new(Bytes::from(as_go_escapes(&text)), media_type)
}

fn entry(of: Descriptor, annotations: BTreeMap<String, String>, platform: EntryPlatform) -> Entry {
    Entry { media_type: of.media_type, digest: of.digest.to_string(), size: of.size, annotations, platform }
}

/// The planned annotations of one kind; what names a platform wins over what does not.
fn annotations_for(step: &Step, wanted: &str, platform: Option<&str>) -> BTreeMap<String, String> {
    let (mut general, mut particular) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in &step.annotations {
        let (kinds, key) = annotation_kinds(name);
        for kind in kinds.split(',') {
            match (kind.split_once('['), platform) {
                (None, _) if kind == wanted => drop(general.insert(key.to_owned(), value.clone())),
                (Some((kind, named)), Some(platform))
                    if kind == wanted && normalise(named.trim_end_matches(']')) == normalise(platform) =>
                {
                    drop(particular.insert(key.to_owned(), value.clone()));
                }
                _ => {}
            }
        }
    }
    general.extend(particular);
    general
}

/// Go's encoder escapes what could be taken for HTML; these signs stand in JSON inside of strings only.
fn as_go_escapes(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            other => out.push(other),
        }
    }
    out
}
