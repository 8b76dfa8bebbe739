//! Native legs: one platform of a build each, built by jobs of their own and merged into one image. What a job says of its leg is
//! a document; this room writes, reads and checks it, and makes the index. It publishes nothing, and believes no document: what
//! is said of an image is looked up in the registries of the plan, and nowhere else.

mod checked;
pub mod document;
mod index;
mod read;
mod sort;
mod write;

pub use checked::{CheckedLeg, check};
pub use document::Document;
pub use index::image;
pub use read::{Found, gather};
pub use sort::{OfBuild, sort};
pub use write::{Written, document};

use crate::image::Digest;
use crate::image::platform::normalise;

/// Where leg documents go, relative to the workspace: what jobs hand on to each other.
pub const DIRECTORY: &str = ".stagefreight/legs";

/// Path of a leg's document, relative to the workspace: `.stagefreight/legs/app.linux-arm64.json`.
pub fn path(build: &str, platform: &str) -> String {
    let clean: String =
        build.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect();
    // Ids may hold anything, and no two may share a file.
    let clean = match clean == build && clean.len() <= 100 {
        true => clean,
        false => {
            let start: String = clean.chars().take(90).collect();
            format!("{start}-{}", &Digest::of(build.as_bytes()).hex()[..8])
        }
    };
    format!("{DIRECTORY}/{clean}.{}.json", normalise(platform).replace('/', "-"))
}

#[cfg(test)]
mod tests;
