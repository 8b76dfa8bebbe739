//! What differs between two images: which layers, and in them which files and how.
//!
//! Reads layouts, streaming: no layer is ever held in memory or unpacked, and blobs whose digests agree are not opened. Knows
//! no Dockerfile and no build: why things differ is `crucible::culprit`'s business.

mod model;

pub use model::*;
