//! Registries, spoken to directly (`opencontainers/distribution-spec` spec.md): manifests, blobs, tags, copies.
//!
//! Everything is streamed, bounded, checked by digest and retried where that can help. Knows no forge and no builder.

mod api;
mod auth;
mod blobs;
mod catalog;
mod client;
mod copy;
mod download;
mod endpoint;
mod error;
mod grant;
mod moving;
mod probe;
mod provider;
pub mod referrers;
mod resolve;
mod retry;
mod tags;
mod transport;
mod untag;

pub use blobs::Sent;
pub use catalog::{Catalog, Listed};
pub use client::{Head, Reference, Registry};
pub use copy::{Copied, TransferError, copy, upload_layout};
pub use download::{download_blobs, download_manifests};
pub use endpoint::HostSettings;
pub use error::{Attempt, Fault, RegistryError};
pub use grant::Grant;
pub use provider::Provider;
