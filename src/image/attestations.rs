//! An image apart from what BuildKit attests about it: an index of platforms and attestations becomes the image alone.
//!
//! The digest that is proven must not depend on attestations, which hold times and ids of the build. What is left is byte for
//! byte what BuildKit makes without them. Blocking.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Digest;
use super::layout::{Layout, LayoutError};
use super::manifest::{Children, Descriptor, MAX_MANIFEST, Manifest};

/// Annotation of a manifest that attests something (`moby/buildkit` docs/attestations/attestation-storage.md).
const KIND: &str = "vnd.docker.reference.type";
/// Annotation with the digest of what it attests.
const SUBJECT: &str = "vnd.docker.reference.digest";
/// Annotation of a layer that is an in-toto statement.
const PREDICATE: &str = "in-toto.io/predicate-type";
/// The largest statement read; an SBOM of a large image has some megabytes.
const MAX_STATEMENT: usize = 64 << 20;

/// A statement about an image: an in-toto document in a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// The manifest it speaks of.
    pub subject: Digest,
    /// `https://slsa.dev/provenance/v1`, `https://spdx.dev/Document` …
    pub predicate: String,
    /// The blob.
    pub blob: Descriptor,
}

impl Attestation {
    /// The statement's bytes.
    ///
    /// # Errors
    /// When the blob is missing, damaged or absurdly large.
    pub fn read(&self, layout: &Layout) -> Result<Bytes, LayoutError> {
        layout.read(&self.blob, MAX_STATEMENT)
    }
}

/// Takes attestations out of a layout with one image: afterwards its root is the manifest, or the index of platform manifests
/// only. The blobs of the attestations stay, unnamed.
///
/// # Errors
/// When the layout is damaged, holds no image, or cannot be written.
pub fn separate(layout: &Layout) -> Result<(Layout, Vec<Attestation>), LayoutError> {
    let root = layout.root()?.clone();
    let manifest = layout.manifest(&root)?;
    let Children::Index(children) = manifest.children()? else { return Ok((layout.clone(), Vec::new())) };
    let (attesting, images): (Vec<_>, Vec<_>) = children.into_iter().partition(is_attestation);
    let attestations = attesting.iter().map(|found| statements(layout, found)).collect::<Result<Vec<_>, _>>()?;
    let root = match images.as_slice() {
        [] => return Err(invalid(layout.dir(), "the image has attestations and nothing they speak of")),
        [only] => only.clone(),
        _ if attesting.is_empty() => return Ok((layout.clone(), Vec::new())),
        _ => {
            let bytes = without(&manifest.bytes, |child| !is_attestation(child))
                .ok_or_else(|| invalid(layout.dir(), "its index cannot be taken apart"))?;
            let index = Manifest::new(bytes.into(), &manifest.media_type)?;
            let path = layout.blob_path(&index.digest);
            std::fs::write(&path, &index.bytes).map_err(LayoutError::io(&path))?;
            index.descriptor()
        }
    };
    let entry = serde_json::json!({ "schemaVersion": 2, "manifests": [root] });
    let path = layout.dir().join("index.json");
    std::fs::write(&path, entry.to_string()).map_err(LayoutError::io(&path))?;
    Ok((Layout::open(layout.dir())?, attestations.into_iter().flatten().collect()))
}

/// What an index says of a manifest that attests this one.
pub fn annotations_about(subject: &Digest) -> BTreeMap<String, String> {
    [(KIND, "attestation-manifest"), (SUBJECT, subject.as_str())].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

/// It speaks of another manifest of the same index.
pub fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.annotations.get(KIND).is_some_and(|kind| kind == "attestation-manifest")
}

fn statements(layout: &Layout, manifest: &Descriptor) -> Result<Vec<Attestation>, LayoutError> {
    let subject = manifest.annotations.get(SUBJECT).and_then(|digest| digest.parse::<Digest>().ok());
    let Some(subject) = subject else { return Ok(Vec::new()) };
    let Children::Image { layers, .. } = layout.manifest(manifest)?.children()? else { return Ok(Vec::new()) };
    let statement = |blob: Descriptor| {
        let predicate = blob.annotations.get(PREDICATE)?.clone();
        Some(Attestation { subject: subject.clone(), predicate, blob })
    };
    Ok(layers.into_iter().filter_map(statement).collect())
}

/// An index without some of its manifests, everything else of it as it was, spaces included: so it is what BuildKit would have
/// written. `None` where it is not laid out as one array of manifests, or nothing would be left.
fn without(index: &[u8], keep: impl Fn(&Descriptor) -> bool) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Index<'a> {
        #[serde(borrow)]
        manifests: Vec<&'a RawValue>,
    }
    if index.len() > MAX_MANIFEST {
        return None;
    }
    let text = std::str::from_utf8(index).ok()?;
    let parsed: Index<'_> = serde_json::from_str(text).ok()?;
    let place = |raw: &RawValue| {
        let from = (raw.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
        Some((from, from + raw.get().len()))
    };
    let places = parsed.manifests.iter().map(|raw| place(raw)).collect::<Option<Vec<_>>>()?;
    let (first, last) = (places.first()?, places.last()?);
    let between = places.windows(2).next().and_then(|pair| text.get(pair[0].1..pair[1].0)).unwrap_or(",");
    let kept: Vec<&str> = parsed
        .manifests
        .iter()
        .filter(|raw| serde_json::from_str::<Descriptor>(raw.get()).is_ok_and(|child| keep(&child)))
        .map(|raw| raw.get())
        .collect();
    if kept.is_empty() {
        return None;
    }
    Some([text.get(..first.0)?, &kept.join(between), text.get(last.1..)?].concat().into_bytes())
}

fn invalid(path: &Path, why: &str) -> LayoutError {
    LayoutError::Invalid { path: path.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(digit: char, attests: Option<char>) -> String {
        let digest = |d: char| format!("sha256:{}", d.to_string().repeat(64));
        let annotations = attests.map_or(String::new(), |subject| {
            format!(
                ",\n      \"annotations\": {{\n        \"{KIND}\": \"attestation-manifest\",\n        \"{SUBJECT}\": \"{}\"\n      }}",
                digest(subject)
            )
        });
        format!("{{\n      \"digest\": \"{}\",\n      \"size\": 7{annotations}\n    }}", digest(digit))
    }

    fn index(children: &[String]) -> String {
        format!(
            "{{\n  \"schemaVersion\": 2,\n  \"manifests\": [\n    {}\n  ],\n  \"annotations\": {{\"z\": \"1\", \"a\": \"2\"}}\n}}",
            children.join(",\n    ")
        )
    }

    #[test]
    fn an_index_without_attestations_is_the_one_buildkit_writes_without_them() {
        let (a, b) = (child('a', None), child('b', None));
        let (c, d) = (child('c', Some('a')), child('d', Some('b')));
        let keep = |d: &Descriptor| !is_attestation(d);
        let plain = index(&[a.clone(), b.clone()]);
        for mixed in [[a.clone(), b.clone(), c.clone(), d.clone()], [c.clone(), a.clone(), d.clone(), b.clone()]] {
            let bytes = without(index(&mixed).as_bytes(), keep).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), plain);
        }
        assert_eq!(without(index(&[c, d]).as_bytes(), keep), None, "an index of nothing is no image");
        assert_eq!(without(b"{\"manifests\": {}}", keep), None);
        assert_eq!(without(b"\xff", keep), None);
    }
}
