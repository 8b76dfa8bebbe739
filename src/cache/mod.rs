//! Layer caches: their names, and the buildx flags that read and write them. Touches no cache: that is BuildKit's work.

pub mod flags;
pub mod tag;

pub use flags::{Flags, flags, local_dir};
pub use tag::{CacheTag, builder_name, canonicalize_ref, is_sf_cache_tag, repo_hash};
