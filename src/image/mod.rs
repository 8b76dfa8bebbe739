//! What an image is, apart from any registry or builder: digests, references, OCI layouts.

pub mod archive;
pub mod attestations;
pub mod diff;
pub mod digest;
pub mod files;
#[cfg(test)]
pub(crate) mod fixture;
pub mod layer;
pub mod layout;
pub mod manifest;
pub mod platform;
pub mod reference;

pub use digest::Digest;
pub use layout::Layout;
pub use manifest::{Descriptor, Manifest};
pub use reference::{Repository, Tag};
