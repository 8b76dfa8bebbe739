//! Values that must never be seen: their `Debug` is `***`, and there is no `Display` and no `Serialize`.

use std::fmt;

/// A secret string. `reveal` is the only way out, so every use can be found by searching for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value into custody.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: only for a header, a private file or a child's stdin.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Nothing to keep secret.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
