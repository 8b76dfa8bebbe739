//! Ages (`7d`, `72h30m`) and sizes (`15GB`) as the config writes them. Pure; whoever compares them with a clock or a disk lives elsewhere.

use crate::config::clip;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A length of time: numbers with units `ns us µs ms s m h d`, largest first or in any order, `1.5h` allowed, `0` alone too.
/// Go's duration syntax and `d` for 24 hours; never negative, at most 100 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Age(pub Duration);

/// An amount of storage in bytes: a number with `B KB MB GB TB`, in steps of 1024, `1.5GB` allowed; without a unit it is bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size(pub u64);

/// The text is no age or no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUnit {
    /// Not a duration.
    #[error("`{0}` is not a duration")]
    Age(String),
    /// Not a size.
    #[error("`{0}` is not a size")]
    Size(String),
}

const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;
const DAY: f64 = 86_400.0;
const AGE_PATTERN: &str = r"^\s*(0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h|d))+)\s*$";
const SIZE_PATTERN: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*([KkMmGgTt]?[Ii]?[Bb]?)\s*$";

impl FromStr for Age {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad = || BadUnit::Age(clip(text));
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let mut seconds = 0.0;
        while !rest.is_empty() {
            let (number, after) = leading_number(rest).ok_or_else(bad)?;
            let (unit, after) = leading_unit(after).ok_or_else(bad)?;
            seconds += number * unit;
            rest = after;
        }
        if text.trim().is_empty() || seconds > LONGEST {
            return Err(bad());
        }
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| bad())
    }
}

impl FromStr for Size {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad = || BadUnit::Size(clip(text));
        let (number, unit) = leading_number(text.trim()).ok_or_else(bad)?;
        let factor: u64 = match unit.trim().to_ascii_uppercase().as_str() {
            "" | "B" => 1,
            "K" | "KB" | "KIB" => 1 << 10,
            "M" | "MB" | "MIB" => 1 << 20,
            "G" | "GB" | "GIB" => 1 << 30,
            "T" | "TB" | "TIB" => 1 << 40,
            _ => return Err(bad()),
        };
        #[allow(clippy::cast_precision_loss, reason = "powers of two are exact")]
        let bytes = number * factor as f64;
        // 2^53: up to here every whole number of bytes is exact, and no disk is larger.
        if bytes > 9_007_199_254_740_992.0 {
            return Err(bad());
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded just above, never negative"
        )]
        Ok(Self(bytes as u64))
    }
}

/// Digits with at most one dot, then the rest. No sign, no exponent, and a digit first.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((digits.parse().ok()?, rest))
}

fn leading_unit(text: &str) -> Option<(f64, &str)> {
    // `ms` before `m` and `s`.
    const UNITS: [(&str, f64); 9] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
        ("d", DAY),
    ];
    UNITS.iter().find_map(|(unit, seconds)| text.strip_prefix(unit).map(|rest| (*seconds, rest)))
}

impl fmt::Display for Age {
    /// The shortest exact form in `d h m s`; parts below a second as a fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seconds = self.0.as_secs();
        let nanos = self.0.subsec_nanos();
        for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60)] {
            if seconds >= length {
                write!(f, "{}{unit}", seconds / length)?;
                seconds %= length;
            }
        }
        match (seconds, nanos) {
            (0, 0) if self.0.is_zero() => f.write_str("0s"),
            (0, 0) => Ok(()),
            (s, 0) => write!(f, "{s}s"),
            (s, n) => write!(f, "{s}.{}s", format!("{n:09}").trim_end_matches('0')),
        }
    }
}

impl fmt::Display for Size {
    /// The largest unit that divides it evenly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10)];
        match units.iter().find(|(_, bits)| self.0 > 0 && self.0.trailing_zeros() >= *bits) {
            Some((unit, bits)) => write!(f, "{}{unit}", self.0 >> bits),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl TryFrom<String> for Age {
    type Error = BadUnit;

    fn try_from(text: String) -> Result<Self, BadUnit> {
        text.parse()
    }
}

impl From<Age> for String {
    fn from(age: Age) -> Self {
        age.to_string()
    }
}

impl TryFrom<String> for Size {
    type Error = BadUnit;

    fn try_from(text: String) -> Result<Self, BadUnit> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

impl JsonSchema for Age {
    fn schema_name() -> Cow<'static, str> {
        "Age".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "duration",
            "description": "A duration: numbers with the units s, m, h and d, as in `7d` or `72h30m`.",
            "anyOf": [{ "type": "string", "pattern": AGE_PATTERN }, { "const": 0 }]
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "size",
            "description": "A size in binary units, as in `15GB`: 1 KB is 1024 bytes. Without a unit it is bytes.",
            "anyOf": [{ "type": "string", "pattern": SIZE_PATTERN }, { "type": "number", "minimum": 0 }]
        })
    }
}

#[cfg(test)]
#[path = "units/tests.rs"]
mod tests;
