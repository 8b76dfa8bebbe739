//! Which program of an image is StageFreight, by its place. What it is, it has to say itself.

use tokio_util::sync::CancellationToken;

use crate::image::files::{self, FilesError, entrypoint_candidates};
use crate::image::manifest::{Children, MAX_MANIFEST, Platform};
use crate::image::platform::{Configured, of_config};
use crate::image::{Descriptor, Layout};
use crate::problem::Problem;

/// Where the program is by convention.
const USUAL: &str = "/usr/local/bin/stagefreight";
/// Its file name.
const NAME: &str = "/stagefreight";

/// A program in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// Manifest of the image of one platform.
    pub(super) manifest: Descriptor,
    /// Absolute path.
    pub(super) path: String,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The image has none that could be it. The rest of a sentence.
    Absent(String),
    /// The image cannot be read.
    Unreadable(Problem),
    /// A signal came.
    Stopped,
}

/// Finds it in the image for a platform (`linux/amd64`).
pub(super) async fn find(layout: &Layout, platform: &str, cancel: &CancellationToken) -> Result<Program, Trouble> {
    let (layout, platform, cancel) = (layout.clone(), platform.to_owned(), cancel.clone());
    let work = tokio::task::spawn_blocking(move || blocking(&layout, &platform, &cancel));
    work.await.unwrap_or_else(|e| Err(Trouble::Unreadable(Problem::new(e.to_string()))))
}

fn blocking(layout: &Layout, platform: &str, cancel: &CancellationToken) -> Result<Program, Trouble> {
    let (manifest, config) = of_platform(layout, platform)?;
    let places = places(entrypoint_candidates(&config));
    let paths: Vec<_> = places.iter().map(String::as_str).collect();
    let found = files::find_all(layout, &manifest, &paths, cancel).map_err(|e| unreadable(&e, cancel))?;
    let path = places.iter().zip(found).find(|(_, found)| found.is_some()).map(|(path, _)| path.clone());
    let absent = || Trouble::Absent(format!("none of {} is a program in it", places.join(", ")));
    Ok(Program { path: path.ok_or_else(absent)?, manifest })
}

pub(super) fn unreadable(error: &FilesError, cancel: &CancellationToken) -> Trouble {
    match cancel.is_cancelled() {
        true => Trouble::Stopped,
        false => Trouble::Unreadable(Problem::new(format!("the candidate's program cannot be read: {error}"))),
    }
}

/// Where to look, best guess first: the entrypoint where it has our name, the usual place, whatever else the image starts.
fn places(entrypoint: Vec<String>) -> Vec<String> {
    let (ours, other): (Vec<_>, Vec<_>) = entrypoint.into_iter().partition(|path| path.ends_with(NAME));
    let mut places: Vec<String> = Vec::new();
    for path in ours.into_iter().chain([USUAL.to_owned()]).chain(other) {
        if !places.contains(&path) {
            places.push(path);
        }
    }
    places
}

/// The manifest and config of the image for a platform.
fn of_platform(layout: &Layout, platform: &str) -> Result<(Descriptor, Vec<u8>), Trouble> {
    let broken = |e: crate::image::layout::LayoutError| Trouble::Unreadable(e.problem());
    let root = layout.root().map_err(broken)?;
    let manifests = match layout.manifest(root).map_err(broken)?.children().map_err(|e| broken(e.into()))? {
        Children::Image { .. } => vec![root.clone()],
        Children::Index(manifests) => manifests,
    };
    let mut has = Vec::new();
    for manifest in manifests {
        let children = layout.manifest(&manifest).map_err(broken)?.children().map_err(|e| broken(e.into()))?;
        let Children::Image { config, .. } = children else { continue };
        let bytes = layout.read(&config, MAX_MANIFEST).map_err(broken)?;
        let Some(Configured { platform: Platform { os, architecture, .. }, .. }) = of_config(&bytes) else { continue };
        let own = format!("{os}/{architecture}");
        // Variants of an architecture are told by what runs: `linux/arm64/v8` is no other machine.
        if platform.split('/').take(2).eq([os.as_str(), architecture.as_str()]) {
            return Ok((manifest, bytes.to_vec()));
        }
        has.push(own);
    }
    Err(Trouble::Absent(format!("it is built for {}, while the second pass runs on {platform}", has.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entrypoint_is_asked_first_where_it_has_our_name() {
        let at = |paths: &[&str]| places(paths.iter().map(|p| (*p).to_owned()).collect());
        assert_eq!(at(&["/opt/stagefreight"]), ["/opt/stagefreight", USUAL]);
        assert_eq!(at(&[USUAL]), [USUAL]);
        assert_eq!(at(&["/bin/tini"]), [USUAL, "/bin/tini"]);
        assert_eq!(at(&["/a/stagefreight", "/b/stagefreight"]), ["/a/stagefreight", "/b/stagefreight", USUAL]);
        assert_eq!(at(&[]), [USUAL]);
    }
}
