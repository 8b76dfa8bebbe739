//! Brings both images onto this disk, as far as comparing them needs: layouts are read where they are, archives and engine
//! images are taken apart, of registry images only the blobs that differ are fetched.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::source::{Source, Version};
use crate::access::Visitor;
use crate::engine;
use crate::environment::Environment;
use crate::image::archive::import_for_reading;
use crate::image::diff::{DiffError, Image, Needs, needs};
use crate::image::layout::LayoutError;
use crate::image::{Descriptor, Layout, Repository};
use crate::problem::Problem;
use crate::registry::{Reference, Registry, download_blobs, download_manifests};
use crate::rundir::RunDir;

/// How an image in a layout is named (opencontainers/image-spec annotations.md).
const NAME: &str = "org.opencontainers.image.ref.name";
/// So many names are told to choose from.
const CHOICE: usize = 10;

/// An image that can be compared.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) layout: Layout,
    pub(super) root: Descriptor,
    /// Where the layers are, if not in the layout.
    remote: Option<(Registry, Repository)>,
}

impl Opened {
    pub(super) fn image(&self) -> Image<'_> {
        Image { layout: &self.layout, root: &self.root }
    }
}

/// What opening needs.
pub(super) struct Opener<'a> {
    pub(super) env: &'a Environment,
    pub(super) run: &'a RunDir,
    pub(super) visitor: &'a Visitor<'a>,
    pub(super) cancel: &'a CancellationToken,
}

impl Opener<'_> {
    /// Opens both, side by side, and fetches what has to be read.
    pub(super) async fn both(&self, a: &Source, b: &Source) -> Result<(Opened, Opened), Problem> {
        let (a, b) = futures::try_join!(self.one(a, "a"), self.one(b, "b"))?;
        if a.remote.is_some() || b.remote.is_some() {
            let Needs { a: of_a, b: of_b } = needs(a.image(), b.image()).map_err(problem)?;
            futures::try_join!(a.fetch(&of_a), b.fetch(&of_b))?;
        }
        Ok((a, b))
    }

    async fn one(&self, source: &Source, name: &str) -> Result<Opened, Problem> {
        let dir = self.run.scratch(name);
        match source {
            Source::Registry(repository, version) => self.registry(repository, version, &dir).await,
            Source::Engine(image) => self.engine(image, &dir).await,
            Source::Archive(path) => self.archive(path.clone(), dir).await,
            Source::Layout(path, name) => {
                let layout = Layout::open(path).map_err(|e| e.problem())?;
                let root = choose(&layout, name.as_deref())?;
                Ok(Opened { layout, root, remote: None })
            }
        }
    }

    async fn registry(&self, repository: &Repository, version: &Version, dir: &Path) -> Result<Opened, Problem> {
        let registry = self.visitor.registry(repository.host()).await?;
        let reference = match version {
            Version::Tag(tag) => Reference::Tag(tag),
            Version::Digest(digest) => Reference::Digest(digest),
        };
        let manifests = download_manifests((&registry, repository), reference, dir).await;
        let (layout, root) = manifests.map_err(|e| e.problem())?;
        Ok(Opened { layout, root, remote: Some((registry, repository.clone())) })
    }

    async fn engine(&self, image: &str, dir: &Path) -> Result<Opened, Problem> {
        let address = engine::address(&self.env.vars);
        let Some(engine) = engine::connect(&address).await? else {
            return Err(Problem::new(format!("{image} cannot be read: there is no docker engine at {}", address.host))
                .hint("Start it, or set DOCKER_HOST to where it listens."));
        };
        let file = dir.with_extension("tar");
        engine.export_image(image, &file).await?;
        let opened = self.archive(file.clone(), dir.to_owned()).await;
        // Room for the other image; what stays goes with the directory.
        let _ = tokio::fs::remove_file(file).await;
        opened
    }

    async fn archive(&self, path: PathBuf, dir: PathBuf) -> Result<Opened, Problem> {
        let cancel = self.cancel.clone();
        let import = move || {
            let file = File::open(&path).map_err(|error| LayoutError::Io { path, error })?;
            import_for_reading(Stoppable { file, cancel }, &dir)
        };
        let joined = tokio::task::spawn_blocking(import).await;
        let layout = joined.map_err(|e| Problem::new(format!("reading an image archive failed: {e}")))?;
        let layout = layout.map_err(|e| e.problem())?;
        let root = choose(&layout, None)?;
        Ok(Opened { layout, root, remote: None })
    }
}

impl Opened {
    async fn fetch(&self, blobs: &[Descriptor]) -> Result<(), Problem> {
        match &self.remote {
            Some((registry, repository)) => {
                download_blobs((registry, repository), blobs, &self.layout).await.map_err(|e| e.problem())
            }
            None => Ok(()),
        }
    }
}

/// The one image of a layout, or that of a name.
fn choose(layout: &Layout, name: Option<&str>) -> Result<Descriptor, Problem> {
    let Some(name) = name else {
        return layout.root().cloned().map_err(|error| match error {
            LayoutError::NotOne { count: 2.., .. } => {
                error.problem().hint(format!("Name one of them: oci:DIRECTORY:NAME, with {}.", names(layout)))
            }
            other => other.problem(),
        });
    };
    let found = layout.entries().iter().find(|entry| entry.annotations.get(NAME).is_some_and(|given| given == name));
    found.cloned().ok_or_else(|| {
        Problem::new(format!("there is no image named `{name}` in {}", layout.dir().display()))
            .hint(format!("Its images are named {}.", names(layout)))
    })
}

fn names(layout: &Layout) -> String {
    let names: Vec<_> = layout.entries().iter().filter_map(|entry| entry.annotations.get(NAME)).take(CHOICE).collect();
    match names.as_slice() {
        [] => "none of them (they have no names)".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

/// For people.
pub(super) fn problem(error: DiffError) -> Problem {
    match error {
        DiffError::Layout(error) => error.problem(),
        other => Problem::new(other.to_string()),
    }
}

/// A file whose reading ends when a signal comes.
struct Stoppable {
    file: File,
    cancel: CancellationToken,
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("stopped by a signal"));
        }
        self.file.read(buffer)
    }
}
