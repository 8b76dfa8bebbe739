//! The answer of `stagefreight verify`, version 1, for programs; `text` draws it for people.

use serde::Serialize;

use super::Check;
use super::checks::State;
use super::facts::Image;
use crate::image::{Digest, Repository};
use crate::plan::TrustLevel;

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Version of this form: 1.
    pub schema_version: u32,
    /// The image, as it was asked for.
    pub reference: String,
    /// `host/path@digest`; `null` where it could not be read.
    pub image: Option<String>,
    /// Digest of the manifest or index.
    pub digest: Option<Digest>,
    /// Platforms of an index.
    pub platforms: Vec<Platform>,
    /// What was checked, in this order.
    pub checks: Vec<Check>,
    /// How far a proof that is believed goes.
    pub trust: Option<TrustLevel>,
    /// All of it.
    pub verdict: Verdict,
}

/// A platform of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Platform {
    /// `linux/arm64`.
    pub platform: String,
    /// Its manifest.
    pub digest: Digest,
}

/// All checks together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was asked for is right.
    Verified,
    /// Something is wrong, or missing.
    Failed,
    /// Nothing is wrong as far as is known, and not everything is known.
    NotChecked,
}

impl Verdict {
    /// 0, 1 or 2.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Failed => 1,
            Self::NotChecked => 2,
        }
    }

    /// What is wrong goes before what is not known, and that before what is right. Nothing checked is nothing known.
    fn of(checks: &[Check]) -> Self {
        let any = |state| checks.iter().any(|check| check.state == state);
        match (any(State::Failed), any(State::NotChecked), any(State::Verified)) {
            (true, _, _) => Self::Failed,
            (false, false, true) => Self::Verified,
            (false, _, _) => Self::NotChecked,
        }
    }
}

impl Document {
    pub(super) fn new(
        reference: &str,
        image: Option<(&Repository, &Image)>,
        checks: Vec<Check>,
        trust: Option<TrustLevel>,
    ) -> Self {
        let platforms = image.iter().flat_map(|(_, image)| &image.platforms);
        Self {
            schema_version: 1,
            reference: reference.to_owned(),
            image: image.map(|(repository, image)| format!("{repository}@{}", image.manifest.digest)),
            digest: image.map(|(_, image)| image.manifest.digest.clone()),
            platforms: platforms
                .map(|(name, digest)| Platform { platform: name.clone(), digest: digest.clone() })
                .collect(),
            verdict: Verdict::of(&checks),
            checks,
            trust,
        }
    }

    /// Indented, with a line end.
    pub fn to_json(&self) -> String {
        // Strings and enums only: nothing in it can fail to serialise.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests;
