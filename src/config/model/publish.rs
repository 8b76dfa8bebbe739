//! `publish` and `sign`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How tags are put once every registry holds the image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Publish {
    /// When a tag that moves (`latest`, `1.2`, a branch's name) is taken from the image it names now.
    pub moving_tags: MovingTags,
    /// What a moving tag means for the run that may not be taken.
    pub on_conflict: OnConflict,
    /// What happens where a tag that should never change (`1.2.3`, one with a commit in it) exists and names another image.
    pub fixed_tags: FixedTags,
}

/// When a moving tag is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MovingTags {
    /// Only from an image of an earlier commit, or of a lower version on a release: never back, and never from what cannot be told.
    #[default]
    Forward,
    /// Whatever it names.
    Always,
}

/// What a moving tag means that may not be taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// It is left where it is, and the report says so.
    #[default]
    Skip,
    /// The run fails before any tag is put.
    Fail,
}

/// What happens to a fixed tag that names another image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FixedTags {
    /// The run fails before any tag is put.
    #[default]
    Fail,
    /// It is left as it is, and the report says so.
    Skip,
    /// It is put on the new image.
    Replace,
}

/// How published images are signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sign {
    /// Whether images must be signed.
    pub mode: SignMode,
    /// Key to sign with: a file, `env://NAME`, or a URI that cosign knows (`awskms://…`). Default: the variable `COSIGN_KEY`, else
    /// `.stagefreight/cosign.key` if it exists, else the job's OIDC token where the runner offers one.
    pub key: Option<String>,
    /// Whether the signature is entered in the public transparency log, with the image's name. Default: only without a key, where
    /// nothing else proves that the signature was made while its certificate was valid.
    pub transparency_log: Option<bool>,
}

/// Whether images must be signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignMode {
    /// They are signed where a key or an OIDC token is there. Configured but failing fails the run; not configured is said.
    #[default]
    Auto,
    /// A run that cannot sign fails before anything is built.
    Required,
    /// They are not signed.
    Off,
}
