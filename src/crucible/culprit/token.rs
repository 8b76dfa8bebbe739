//! What kind of thing two words are that stand in the same place and are not the same.

use crate::crucible::proof::Cause;

/// Longer words are not looked into.
const LONGEST: usize = 512;
/// Two builds are not further apart than this, in seconds.
const NEAR: f64 = 7.0 * 86_400.0;
/// Moments of today's builds lie between these, in seconds since 1970: 2001 and 2100.
const MOMENTS: std::ops::Range<f64> = 978_307_200.0..4_102_444_800.0;
/// Process ids have at most seven digits.
const PID_DIGITS: usize = 7;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const UNITS: [&str; 9] = ["ns", "us", "µs", "ms", "s", "sec", "secs", "seconds", "m"];

/// Classifies a pair of words. `Unknown` where they show nothing.
pub(super) fn classify(a: &str, b: &str) -> Cause {
    if a.len() > LONGEST || b.len() > LONGEST {
        return Cause::Unknown;
    }
    // The words as they are, then what is left of them without what they have in common.
    let whole = (trim(a), trim(b));
    let core = core(whole.0, whole.1);
    let both = |test: fn(&str) -> bool| test(whole.0) && test(whole.1);
    let times = is_time(core.0) && is_time(core.1);
    if is_moment_pair(whole.0, whole.1) || is_moment_pair(core.0, core.1) || times || both(is_time) || both(is_duration)
    {
        return Cause::WallClock;
    }
    if is_host(whole.0) || is_host(whole.1) || both(is_address) {
        return Cause::Host;
    }
    if both(is_locale) {
        return Cause::Locale;
    }
    [core, whole]
        .into_iter()
        .map(|(a, b)| of_core(a, b))
        .find(|cause| *cause != Cause::Unknown)
        .unwrap_or(Cause::Unknown)
}

fn of_core(a: &str, b: &str) -> Cause {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|c| c.is_ascii_digit());
    if digits(a) && digits(b) {
        return if a.len().max(b.len()) <= PID_DIGITS { Cause::ProcessId } else { Cause::Random };
    }
    if is_random(a) && is_random(b) { Cause::Random } else { Cause::Unknown }
}

/// Made by a machine: hex, base64, a UUID, the end of a temporary name.
pub(super) fn is_random(word: &str) -> bool {
    let word = word.trim_end_matches('=');
    let hex = word.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if hex && word.len() >= 8 && digits > 0 {
        return true;
    }
    // `1.2` is a version, not a name from `mktemp`.
    let version = word.as_bytes().windows(3).any(|w| w[1] == b'.' && w[0].is_ascii_digit() && w[2].is_ascii_digit());
    let plain = word.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/-_.".contains(&c));
    word.len() >= 6 && plain && !version && is_mixed(word, digits > 0)
}

/// Letters and digits, capitals and small ones follow each other as in no word of a language.
fn is_mixed(word: &str, digits: bool) -> bool {
    let class = |c: &u8| match c {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        _ => 2,
    };
    let classes: Vec<u8> = word.bytes().filter(u8::is_ascii_alphanumeric).map(|c| class(&c)).collect();
    let changes = classes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // Without digits it may be several words written as one.
    if digits { changes >= (classes.len() / 5).max(3) } else { changes >= 3 && changes * 5 >= (classes.len() - 1) * 2 }
}

/// Punctuation of the sentence around a word.
fn trim(word: &str) -> &str {
    word.trim_matches(|c: char| matches!(c, '.' | ',' | ';' | ':' | '=' | '-' | '@' | '#' | '!'))
}

/// What is left without the common beginning and end, cut only beside characters that end words.
pub(super) fn core<'t>(a: &'t str, b: &'t str) -> (&'t str, &'t str) {
    let ends = |c: char| !c.is_alphanumeric();
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum::<usize>();
    let start = a[..same].rfind(ends).map_or(0, |at| at + a[at..].chars().next().map_or(1, char::len_utf8));
    let (a, b) = (&a[start..], &b[start..]);
    let same =
        a.chars().rev().zip(b.chars().rev()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum::<usize>();
    let end = a[a.len() - same..].find(ends).map_or(0, |at| same - at);
    (&a[..a.len() - end], &b[..b.len() - end])
}

/// Two numbers that count seconds (or parts of them) since 1970 and lie near each other.
fn is_moment_pair(a: &str, b: &str) -> bool {
    match (moment(a), moment(b)) {
        (Some(a), Some(b)) => a != b && (a - b).abs() < NEAR,
        _ => false,
    }
}

fn moment(word: &str) -> Option<f64> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let scale = match whole.len() {
        8 if whole.bytes().all(|c| c.is_ascii_hexdigit()) && whole == word => {
            let seconds = f64::from(u32::from_str_radix(whole, 16).ok()?);
            return MOMENTS.contains(&seconds).then_some(seconds);
        }
        10 => 1.0,
        13 => 1e3,
        16 => 1e6,
        19 => 1e9,
        _ => return None,
    };
    let digits = whole.bytes().all(|c| c.is_ascii_digit());
    let seconds = digits.then(|| word.parse::<f64>().ok()).flatten()? / scale;
    MOMENTS.contains(&seconds).then_some(seconds)
}

/// A date or a time of day, or a part of one.
pub(super) fn is_time(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let named = |names: &[&str]| names.iter().any(|name| lower.starts_with(name));
    if word.bytes().all(|c| c.is_ascii_alphabetic()) {
        return (3..=9).contains(&word.len()) && (named(&MONTHS) || named(&DAYS));
    }
    // `10:00:01`, `2026-01-31`, `31/Jan/2026`: the digits' pattern tells.
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if ["00:00", "0000-00-00", "0000/00/00", "0000.00.00", "00/00/0000", "00.00.0000"].iter().any(|s| shape.contains(s))
    {
        return true;
    }
    if shape.contains("00/") && MONTHS.iter().any(|month| lower.contains(&format!("/{month}/"))) {
        return true;
    }
    // `20260131`, `20260131100001`, `log-20260131T100001Z`.
    let date = |at: usize| word.get(at..at + 8).is_some_and(is_date);
    let joined = ["00000000T000000", "00000000-000000", "00000000_000000", "00000000.000000"];
    matches!(shape.as_str(), "00000000" | "000000000000" | "00000000000000") && date(0)
        || joined.iter().any(|joined| shape.find(joined).is_some_and(date))
}

fn is_date(digits: &str) -> bool {
    let number =
        |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
    (1970..2100).contains(&number(0..4)) && (1..=12).contains(&number(4..6)) && (1..=31).contains(&number(6..8))
}

/// `1.23s`, `12ms`, `0m0.003s`.
fn is_duration(word: &str) -> bool {
    let number = word.trim_end_matches(|c: char| c.is_alphabetic());
    let unit = &word[number.len()..];
    let figures = number.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b'm' | b'h'));
    figures && number.starts_with(|c: char| c.is_ascii_digit()) && UNITS.contains(&unit)
}

/// Names of build sandboxes: BuildKit's own, and the one the second pass is given.
fn is_host(word: &str) -> bool {
    word.contains("buildkitsandbox") || word.starts_with("sf-") || word.starts_with("stagefreight-")
}

/// IPv4.
fn is_address(word: &str) -> bool {
    let parts = word.split('/').next().unwrap_or_default().split('.');
    parts.clone().count() == 4 && parts.into_iter().all(|part| part.parse::<u8>().is_ok())
}

/// `de_DE.UTF-8`, `C.UTF-8`, `POSIX`.
fn is_locale(word: &str) -> bool {
    let name = word.split(['.', '@']).next().unwrap_or_default();
    let parts = name.split_once('_').is_some_and(|(language, country)| {
        (2..=3).contains(&language.len())
            && language.bytes().all(|c| c.is_ascii_lowercase())
            && country.len() == 2
            && country.bytes().all(|c| c.is_ascii_uppercase())
    });
    parts || matches!(name, "C" | "POSIX")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10:00:01", "10:00:09", Cause::WallClock)]
    #[case("2026-01-01T10:00:01Z", "2026-01-01T10:00:09Z", Cause::WallClock)]
    #[case("2026-01-01", "2026-01-02", Cause::WallClock)]
    #[case("[31/Jan/2026:10:00:01", "[31/Jan/2026:10:00:02", Cause::WallClock)]
    #[case("20260101", "20260102", Cause::WallClock)]
    #[case("20260101100001", "20260101100002", Cause::WallClock)]
    #[case("v1-20260101T100001Z", "v1-20260101T100002Z", Cause::WallClock)]
    #[case("1767261601", "1767261609", Cause::WallClock)]
    #[case("1767261601.5071", "1767261609.1", Cause::WallClock)]
    #[case("1767261601123", "1767261609456", Cause::WallClock)]
    #[case("1767261601123456789", "1767261609123456789", Cause::WallClock)]
    #[case("built=1767261601;", "built=1767261609;", Cause::WallClock)]
    #[case("69564661", "69564669", Cause::WallClock)]
    #[case("Jan", "Feb", Cause::WallClock)]
    #[case("Mon", "Tue", Cause::WallClock)]
    #[case("1.23s", "1.31s", Cause::WallClock)]
    #[case("0m0.003s", "0m0.004s", Cause::WallClock)]
    #[case("120ms", "98ms", Cause::WallClock)]
    #[case("4029292811", "1767261609", Cause::Random)]
    #[case("3f2a9c1b7d", "91ac04be22", Cause::Random)]
    #[case("0b7e3c0e-5e53-4a5e-8f0e-0d8f1f2f3a4b", "9a1b2c3d-1111-4222-8333-444455556666", Cause::Random)]
    #[case("kJ8s+Qz1Lw0=", "Zp3/9aXy7Vt=", Cause::Random)]
    #[case("/tmp/tmp.aB3dE9/x", "/tmp/tmp.Zq81Lm/x", Cause::Random)]
    #[case("17", "19", Cause::ProcessId)]
    #[case("pid=1234,", "pid=1240,", Cause::ProcessId)]
    #[case("buildkitsandbox", "sf-1a2b", Cause::Host)]
    #[case("10.0.0.3", "10.0.0.4", Cause::Host)]
    #[case("172.17.0.2/16", "172.17.0.3/16", Cause::Host)]
    #[case("de_DE.UTF-8", "C.UTF-8", Cause::Locale)]
    #[case("hello", "world", Cause::Unknown)]
    #[case("HelloWorld", "GoodbyeMoon", Cause::Unknown)]
    #[case("v1.2.3-rc4", "v1.2.4-rc1", Cause::Unknown)]
    #[case("aBcXyZq", "QwErTyu", Cause::Random)]
    #[case("", "1", Cause::Unknown)]
    #[case("é1", "é2", Cause::Unknown)]
    fn pairs(#[case] a: &str, #[case] b: &str, #[case] cause: Cause) {
        assert_eq!(classify(a, b), cause);
        assert_eq!(classify(b, a), cause);
    }

    #[test]
    fn cores_are_cut_beside_words() {
        assert_eq!(core("/tmp/abc/x", "/tmp/abd/x"), ("abc", "abd"));
        assert_eq!(core("a=1;", "a=21;"), ("1", "21"));
        assert_eq!(core("same", "same"), ("same", "same"));
        assert_eq!(core("é→a", "é→b"), ("a", "b"));
        assert_eq!(core("", "x"), ("", "x"));
    }

    proptest! {
        #[test]
        fn nothing_panics(a in "\\PC{0,20}", b in "[0-9a-fT:./é-]{0,20}") {
            let _ = (classify(&a, &b), classify(&b, &b), core(&a, &b));
        }
    }
}
