//! Signatures, as the result document has them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether published images are signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signing {
    /// Whether they are.
    pub state: SigningState,
    /// With what: `the key in COSIGN_KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// By which program: `cosign 3.1.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Why they are not: `no key …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Whether published images are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SigningState {
    /// The run signs: each build has its signatures, or failed.
    Signed,
    /// It does not.
    NotSigned,
}

/// A signature of an image in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signature {
    /// Where, `host/path`.
    pub repository: String,
    /// What is signed.
    pub digest: String,
    /// Who made it.
    pub state: SignatureState,
    /// Digest of the manifest, in the same repository, with the signed attestation of the proof; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<String>,
}

/// Which run made a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureState {
    /// This one.
    Made,
    /// An earlier one, with the same key.
    Stood,
}
