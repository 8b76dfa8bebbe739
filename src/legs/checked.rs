//! A leg whose image was looked up: in the registries of the plan's targets it is what its document says. Only then is it merged.
//! No other registry is asked, whatever a document names.

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::document::{Document, Pointer};
use super::read::Found;
use crate::access::Access;
use crate::image::manifest::{Children, Descriptor, Manifest};
use crate::image::platform::{Configured, normalise, of_config};
use crate::image::{Digest, attestations};
use crate::plan::TargetPlan;
use crate::problem::Problem;
use crate::publish::attach::Statement;
use crate::registry::{Registry, RegistryError};

/// The largest config that is read.
const MAX_CONFIG: usize = 4 << 20;
/// Requests under way at a time, for one leg.
const PARALLEL: usize = 8;

/// A leg that is where its document says, and what it says. Made only by [`check`].
#[derive(Debug, Clone)]
pub struct CheckedLeg {
    file: String,
    document: Document,
    root: Manifest,
    manifest: Manifest,
    attestations: Vec<Manifest>,
    /// Which targets hold which manifest.
    held: Vec<(Digest, Vec<String>)>,
    os_version: Option<String>,
}

impl CheckedLeg {
    /// Path of its document, for people.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What was said of it.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// `linux/arm64`.
    pub fn platform(&self) -> &str {
        &self.document.platform
    }

    /// What was built: the manifest, or an index of it and its attestations.
    pub fn root(&self) -> &Manifest {
        &self.root
    }

    /// The manifest of the platform.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Manifests with what BuildKit attests of it.
    pub fn attestations(&self) -> &[Manifest] {
        &self.attestations
    }

    /// `os.version` of its config, which Windows images have.
    pub fn os_version(&self) -> Option<&str> {
        self.os_version.as_deref()
    }

    /// What its job says about it, to be attached: statements of their own type about this very image.
    ///
    /// # Errors
    /// When one is about something else.
    pub fn statements(&self) -> Result<Vec<Statement>, Problem> {
        let one = |said: &super::document::Said| {
            let text: Value = serde_json::from_str(&said.document).unwrap_or_default();
            let named = text["subject"].as_array().into_iter().flatten();
            let about: Vec<&str> = named.filter_map(|subject| subject["digest"]["sha256"].as_str()).collect();
            let ours = [&self.manifest.digest, &self.root.digest].contains(&&said.subject)
                && !about.is_empty()
                && about.iter().all(|hex| *hex == said.subject.hex())
                && text["predicateType"] == said.predicate.as_str()
                && said
                    .trust
                    .is_none_or(|trust| self.document.proof.as_ref().is_some_and(|proof| proof.trust == trust));
            match ours {
                true => Ok(Statement {
                    subject: said.subject.clone(),
                    predicate: said.predicate.clone(),
                    document: Bytes::from(said.document.clone()),
                    trust: said.trust,
                }),
                false => {
                    Err(Problem::new(format!("{}: a statement in it is not about the image of this leg", self.file))
                        .hint("somebody changed the document: run that leg again"))
                }
            }
        };
        self.document.statements.iter().map(one).collect()
    }

    /// Which targets hold one of its manifests.
    pub fn holders(&self, digest: &Digest) -> &[String] {
        self.held.iter().find(|(held, _)| held == digest).map(|(_, targets)| targets.as_slice()).unwrap_or_default()
    }
}

/// A target and its registry.
type Place<'a> = (&'a TargetPlan, Registry);

/// Looks a leg up in the registries of the targets.
///
/// # Errors
/// Where it is not what its document says, or is nowhere.
pub async fn check(found: Found, targets: &[TargetPlan], access: &Access) -> Result<CheckedLeg, Problem> {
    let places = targets.iter().map(|target| Ok((target, access.registry(target)?)));
    let places = places.collect::<Result<Vec<Place<'_>>, Problem>>()?;
    let Found { file, document } = found;
    let Some(staged) = document.staged.clone() else {
        let what =
            format!("{file}: the leg {} of build {} was not staged in any registry", document.platform, document.build);
        return Err(Problem::new(what).hint(
            "that job was not to publish and this one is: give both the same event, branch and inputs, or run the leg again",
        ));
    };
    let mut leg = Lookup { file: &file, document: &document, places: &places, held: Vec::new() };
    let manifest = leg.manifest(&staged.manifest.digest, Some(&staged.manifest)).await?;
    let os_version = leg.of_its_platform(&manifest, &staged.config).await?;
    let mut attested = Vec::new();
    for pointer in &staged.attestations {
        attested.push(leg.manifest(&pointer.digest, Some(pointer)).await?);
    }
    let root = match document.digest == manifest.digest {
        true => manifest.clone(),
        false => {
            let root = leg.manifest(&document.digest, None).await?;
            leg.is_of(&root, &manifest, &attested)?;
            root
        }
    };
    let held = leg.held;
    Ok(CheckedLeg { file, document, root, manifest, attestations: attested, held, os_version })
}

struct Lookup<'a> {
    file: &'a str,
    document: &'a Document,
    places: &'a [Place<'a>],
    held: Vec<(Digest, Vec<String>)>,
}

impl Lookup<'_> {
    /// A manifest from the first registry that holds it; who holds it is noted.
    async fn manifest(&mut self, digest: &Digest, said: Option<&Pointer>) -> Result<Manifest, Problem> {
        let asked = self.places.iter().map(|(target, registry)| async move {
            let head = registry.head_manifest(&target.repository, digest).await?;
            Ok(head.filter(|head| head.digest.as_ref().is_none_or(|told| told == digest)).map(|_| (*target, registry)))
        });
        let answers: Vec<Result<Option<(&TargetPlan, &Registry)>, RegistryError>> =
            stream::iter(asked).buffered(PARALLEL).collect().await;
        let mut holders = Vec::new();
        for answer in answers {
            holders.extend(answer.map_err(|error| error.problem())?);
        }
        let Some((target, registry)) = holders.first() else { return Err(self.gone(digest)) };
        let manifest = registry.get_manifest(&target.repository, digest).await.map_err(|error| error.problem())?;
        let told = Pointer {
            media_type: manifest.media_type.clone(),
            digest: manifest.digest.clone(),
            size: manifest.bytes.len() as u64,
        };
        if said.is_some_and(|said| *said != told) {
            let what = format!("{digest} is `{}` of {} bytes", told.media_type.escape_debug(), told.size);
            return Err(self.not_as_said(&what));
        }
        self.held.push((digest.clone(), holders.iter().map(|(target, _)| target.id.clone()).collect()));
        Ok(manifest)
    }

    /// The image is of the leg's platform, by its own config. Returns the config's `os.version`.
    async fn of_its_platform(&self, manifest: &Manifest, config: &Digest) -> Result<Option<String>, Problem> {
        let of_image = match manifest.children() {
            Ok(Children::Image { config, .. }) => config,
            _ => return Err(self.not_as_said(&format!("{} is no image", manifest.digest))),
        };
        if of_image.digest != *config {
            return Err(self.not_as_said(&format!("the config of {} is {}", manifest.digest, of_image.digest)));
        }
        let bytes = self.blob(&manifest.digest, &of_image).await?;
        let Some(Configured { platform: found, os_version }) = of_config(&bytes) else {
            return Err(self.not_as_said(&format!("{} is no image config", of_image.digest)));
        };
        let variant = found.variant.filter(|variant| !variant.is_empty()).map(|v| format!("/{v}")).unwrap_or_default();
        let platform = normalise(&format!("{}/{}{variant}", found.os, found.architecture));
        let whole = normalise(&format!("{}/{}", found.os, found.architecture));
        // Configs leave the variant out where it is the usual one.
        if ![platform.as_str(), whole.as_str()].contains(&self.document.platform().as_str()) {
            let what = format!("the image {} is for {}", manifest.digest, platform.escape_debug());
            return Err(self.not_as_said(&what));
        }
        Ok(os_version.filter(|version| !version.is_empty()))
    }

    async fn blob(&self, of: &Digest, blob: &Descriptor) -> Result<Vec<u8>, Problem> {
        let holder = self.held.iter().find(|(digest, _)| digest == of).and_then(|(_, targets)| targets.first());
        let place = self.places.iter().find(|(target, _)| Some(&target.id) == holder);
        let Some((target, registry)) = place else { return Err(self.gone(of)) };
        if blob.size > MAX_CONFIG as u64 {
            return Err(self.not_as_said(&format!("{} is no image config", blob.digest)));
        }
        let mut bytes = Vec::new();
        let mut stream = Box::pin(registry.get_blob(&target.repository, blob).await.map_err(|error| error.problem())?);
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| error.problem())?);
            if bytes.len() > MAX_CONFIG {
                return Err(self.not_as_said(&format!("{} is no image config", blob.digest)));
            }
        }
        Ok(bytes)
    }

    /// An index of this image and its attestations, and of nothing else.
    fn is_of(&self, root: &Manifest, manifest: &Manifest, attested: &[Manifest]) -> Result<(), Problem> {
        let Ok(Children::Index(children)) = root.children() else {
            return Err(self.not_as_said(&format!("{} is no index", root.digest)));
        };
        let (about, images): (Vec<_>, Vec<_>) = children.iter().partition(|child| attestations::is_attestation(child));
        let same = images.iter().map(|child| &child.digest).eq([&manifest.digest])
            && about.iter().map(|child| &child.digest).eq(attested.iter().map(|found| &found.digest));
        match same {
            true => Ok(()),
            false => Err(self.not_as_said(&format!("{} is an index of other manifests", root.digest))),
        }
    }

    fn gone(&self, digest: &Digest) -> Problem {
        let Document { build, platform, .. } = self.document;
        let places: Vec<_> = self.places.iter().map(|(target, _)| target.repository.to_string()).collect();
        let what = format!(
            "{}: the leg {platform} of build {build} is in no registry of this run any more: {digest} is not in {}",
            self.file,
            places.join(", ")
        );
        Problem::new(what).hint("a registry may delete what no tag holds: run that leg again, and merge soon after")
    }

    fn not_as_said(&self, found: &str) -> Problem {
        Problem::new(format!("{}: what the document says is not what the registry holds: {found}", self.file))
            .hint("somebody changed the document, or it is of another run: run that leg again")
    }
}

/// A leg that nobody looked up, for tests of what is made of it.
#[cfg(test)]
pub(super) fn unchecked(document: Document, manifest: Manifest, attestations: Vec<Manifest>) -> CheckedLeg {
    let root = manifest.clone();
    CheckedLeg { file: "leg.json".into(), document, root, manifest, attestations, held: Vec::new(), os_version: None }
}
