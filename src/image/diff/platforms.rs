//! Which images of two roots belong together: by platform.

use super::config::{Config, MAX_CONFIG, platform};
use super::{DiffError, Image, parse};
use crate::image::Descriptor;
use crate::image::layout::LayoutError;
use crate::image::manifest::{BadManifest, Children, DOCKER_MANIFEST, OCI_MANIFEST};

/// Indexes in indexes in indexes are somebody's trick.
const MAX_DEPTH: usize = 4;
/// More images than any index holds.
const MAX_IMAGES: usize = 512;

/// Images that differ, by platform, and those without a counterpart.
#[derive(Debug, Default)]
pub(super) struct Counterparts {
    pub(super) both: Vec<(String, Descriptor, Descriptor)>,
    pub(super) only_in_a: Vec<String>,
    pub(super) only_in_b: Vec<String>,
}

/// Matches images. Attestations are left out; so are images whose digests agree.
pub(super) fn counterparts(a: Image<'_>, b: Image<'_>) -> Result<Counterparts, DiffError> {
    let (mut left, mut right) = (images(a)?, images(b)?);
    // One image each, and one does not say what it is for: they are meant for each other.
    if let ([one], [other]) = (left.as_mut_slice(), right.as_mut_slice())
        && (one.0.is_empty() || other.0.is_empty())
    {
        let name = if one.0.is_empty() { other.0.clone() } else { one.0.clone() };
        (one.0, other.0) = (name.clone(), name);
    }
    let mut found = Counterparts::default();
    for (platform, image) in left {
        match right.iter().position(|(name, _)| *name == platform) {
            Some(at) => {
                let (_, other) = right.remove(at);
                if image.digest != other.digest {
                    found.both.push((platform, image, other));
                }
            }
            None => found.only_in_a.push(platform),
        }
    }
    found.only_in_b = right.into_iter().map(|(platform, _)| platform).collect();
    Ok(found)
}

/// Every image below a root, with its platform.
fn images(image: Image<'_>) -> Result<Vec<(String, Descriptor)>, DiffError> {
    let mut found = Vec::new();
    let mut level = vec![image.root.clone()];
    for depth in 0.. {
        let mut below = Vec::new();
        for descriptor in level {
            if let Some(name) = named(&descriptor) {
                found.push((name, descriptor));
                continue;
            }
            match image.layout.manifest(&descriptor)?.children().map_err(LayoutError::from)? {
                Children::Index(children) if depth == MAX_DEPTH && !children.is_empty() => {
                    return Err(LayoutError::from(BadManifest::TooLarge("indexes nested more than 4 deep")).into());
                }
                Children::Index(children) => {
                    below.extend(children.into_iter().filter(|child| !is_attestation(child)));
                }
                Children::Image { config, .. } => {
                    let bytes = image.layout.read(&config, MAX_CONFIG)?;
                    found.push((parse::<Config>(&config, &bytes)?.platform(), descriptor));
                }
            }
            if found.len() + below.len() > MAX_IMAGES {
                return Err(LayoutError::from(BadManifest::TooLarge("more than 512 images in an index")).into());
            }
        }
        if below.is_empty() {
            break;
        }
        level = below;
    }
    Ok(found)
}

/// The platform that an index itself gives an image: it need not be opened to be skipped.
fn named(descriptor: &Descriptor) -> Option<String> {
    let is_image = matches!(descriptor.media_type.as_str(), OCI_MANIFEST | DOCKER_MANIFEST);
    let p = descriptor.platform.as_ref().filter(|_| is_image)?;
    Some(platform(&p.os, &p.architecture, p.variant.as_deref())).filter(|name| !name.is_empty())
}

/// BuildKit's mark: `unknown/unknown`.
pub(super) fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.platform.as_ref().is_some_and(|p| p.os == "unknown" && p.architecture == "unknown")
}
