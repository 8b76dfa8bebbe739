//! Vendors' own APIs, against servers built from their published contracts: none of them can run here. See
//! `docs/registries.md` for what was tested how.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/fake_api.rs"]
mod fake_api;

mod fake;

mod docker_hub;
mod ghcr;
mod gitea;
mod gitlab;
mod harbor;
mod hostile;
mod jfrog;
mod quay;
mod resolve;
