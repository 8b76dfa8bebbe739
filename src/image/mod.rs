//! What an image is, apart from any registry or builder: digests, references, OCI layouts.

pub mod digest;
pub mod reference;

pub use digest::Digest;
pub use reference::{Repository, Tag};
