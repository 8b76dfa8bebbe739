//! Old tags, in the result document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of the old tags of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SweptRepository {
    /// `host/path`.
    pub repository: String,
    /// Ids of the targets whose rules were carried out.
    pub targets: Vec<String>,
    /// All that the rules asked for was done. If not, `notes` say why.
    pub complete: bool,
    /// Tags that were deleted.
    pub deleted: Vec<String>,
    /// How many manifests were deleted: those of the tags, and what only they needed.
    pub manifests: u64,
    /// Tags that stay by the rules, or because no rule speaks of them.
    pub staying: u64,
    /// Tags that were to be deleted and are still there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<LeftTag>,
}

/// A tag that was to be deleted and is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftTag {
    /// The tag.
    pub tag: String,
    /// One phrase.
    pub why: String,
}
