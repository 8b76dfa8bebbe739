//! What the user asked for, fully explicit: inputs over config over defaults, with where we run and what the checkout holds.

use jiff::Timestamp;

use crate::config::model::Config;
use crate::environment::Vars;
use crate::inputs::Inputs;
use crate::runner::CiContext;
use crate::source::Source;

/// The request: the pure input of `plan::resolve`.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where we run.
    pub context: CiContext,
    /// The configuration; the default where there is no file.
    pub config: Config,
    /// Path of the configuration file as read, relative to the root, if there is one.
    pub config_file: Option<String>,
    /// Flags, action inputs and environment twins, merged.
    pub inputs: Inputs,
    /// The checkout.
    pub source: Source,
    /// For `{env:NAME}` templates and credentials.
    pub vars: Vars,
    /// The run's one clock reading.
    pub now: Timestamp,
    /// The platform of this machine, `linux/amd64`.
    pub host_platform: String,
    /// Whether the local cache directory can be written; looked at before planning.
    pub local_cache_writable: bool,
}
