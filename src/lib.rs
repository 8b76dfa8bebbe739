//! StageFreight Action: build, prove and publish container images from a CI job. Table of contents; see `ARCHITECTURE.md`.

pub mod access;
pub mod backend;
pub mod buildx;
pub mod cache;
pub mod cli;
pub mod config;
pub mod crucible;
pub mod engine;
pub mod credentials;
pub mod environment;
pub mod event;
pub mod http;
pub mod image;
pub mod inputs;
pub mod outcome;
pub mod plan;
pub mod problem;
pub mod process;
pub mod redact;
pub mod registry;
pub mod report;
pub mod request;
pub mod rundir;
pub mod runner;
pub mod secret;
pub mod source;
