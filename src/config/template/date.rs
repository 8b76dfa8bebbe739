//! Date layouts: Go's reference time (`2006-01-02`, what StageFreight 0.5 takes) and strftime (`%Y-%m-%d`). Always UTC.

use jiff::Timestamp;
use jiff::fmt::strtime;

/// A layout, as a strftime format that is known to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout(String);

impl Default for Layout {
    fn default() -> Self {
        Self("%Y-%m-%d".to_owned())
    }
}

/// Go's tokens and what strftime calls them. The first that fits is taken, so longer ones stand before what they start with.
const TOKENS: &[(&str, &str)] = &[
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "%Z"),
    ("2006", "%Y"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("_2006", "_%Y"),
    ("_2", "%e"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("Z07:00", "Z"),
    ("Z0700", "Z"),
    ("-07:00", "+00:00"),
    ("-0700", "+0000"),
    (".000000000", ".%9N"),
    (".000000", ".%6N"),
    (".000", ".%3N"),
];

impl Layout {
    /// What `{datetime}` shows.
    pub(super) fn date_time() -> Self {
        Self("%Y-%m-%dT%H:%M:%SZ".to_owned())
    }

    /// A layout as written: strftime where a `%` stands in it, else Go's.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > 100 {
            return Err("a layout is wanted, `2006-01-02` or `%Y-%m-%d`".to_owned());
        }
        let format = if text.contains('%') { text.to_owned() } else { from_go(text) };
        if format == text && !text.contains('%') {
            return Err("no part of a date stands in it; write it as `2006-01-02` or `%Y-%m-%d`".to_owned());
        }
        let layout = Self(format);
        match layout.format(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(layout),
            None => Err("not a strftime layout".to_owned()),
        }
    }

    /// The time in this layout, UTC.
    pub(super) fn format(&self, time: Timestamp) -> Option<String> {
        strtime::format(&self.0, &time.to_zoned(jiff::tz::TimeZone::UTC)).ok()
    }
}

fn from_go(layout: &str) -> String {
    let mut format = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        match TOKENS.iter().find(|(token, _)| rest.starts_with(token)) {
            Some((token, strftime)) => {
                format.push_str(strftime);
                rest = &rest[token.len()..];
            }
            None => {
                format.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_and_strftime_layouts() {
        let time: Timestamp = "2026-03-07T09:05:04.123Z".parse().unwrap();
        for (layout, shown) in [
            ("2006-01-02", "2026-03-07"),
            ("20060102", "20260307"),
            ("20060102150405", "20260307090504"),
            ("06.1.2", "26.3.7"),
            ("2006-002", "2026-066"),
            ("Mon Jan _2 15:04:05 2006", "Sat Mar  7 09:05:04 2026"),
            ("Monday, 02-Jan-06 3:04 PM", "Saturday, 07-Mar-26 9:05 AM"),
            ("2006-01-02T15:04:05Z07:00", "2026-03-07T09:05:04Z"),
            ("15:04:05.000", "09:05:04.123"),
            ("Jan 2, 2006", "Mar 7, 2026"),
            ("%Y%m%d", "20260307"),
            ("%Y-W%V", "2026-W10"),
            ("%s", "1772874304"),
        ] {
            let layout_read = Layout::parse(layout).unwrap_or_else(|e| panic!("{layout}: {e}"));
            assert_eq!(layout_read.format(time).as_deref(), Some(shown), "{layout}");
        }
        for bad in ["", "YYYY-MM-DD", "%", "%!", "%Q-%", &"2006".repeat(50)] {
            assert!(Layout::parse(bad).is_err(), "{bad}");
        }
    }
}
