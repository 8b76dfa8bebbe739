//! A word out of a fixed set, read by the type's own serde names: the file format says them in one place, the model.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned};

/// The value of a word.
///
/// # Errors
/// The words there are.
pub(super) fn choose<T: DeserializeOwned>(word: &str) -> Result<T, &'static [&'static str]> {
    T::deserialize(StrDeserializer::<Words>::new(word)).map_err(|words| words.0)
}

/// What serde knows when a word is none of an enum's.
#[derive(Debug)]
struct Words(&'static [&'static str]);

impl de::Error for Words {
    fn custom<M: std::fmt::Display>(_: M) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Words {}
