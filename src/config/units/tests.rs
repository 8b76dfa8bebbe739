use proptest::prelude::*;

use super::*;

#[test]
fn ages() {
    for (text, seconds, shown) in [
        ("7d", 604_800.0, "7d"),
        ("72h", 259_200.0, "3d"),
        ("72h30m", 261_000.0, "3d30m"),
        ("1d12h", 129_600.0, "1d12h"),
        ("1.5h", 5400.0, "1h30m"),
        ("90s", 90.0, "1m30s"),
        ("1500ms", 1.5, "1.5s"),
        ("0", 0.0, "0s"),
        (" 5m ", 300.0, "5m"),
    ] {
        let age: Age = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert!((age.0.as_secs_f64() - seconds).abs() < 1e-6, "{text}");
        assert_eq!(age.to_string(), shown, "{text}");
        assert_eq!(shown.parse(), Ok(age), "{text}");
    }
    for bad in
        ["", " ", "7", "d", "-7d", "7 d", "7w", "7days", "1e9h", "nan", "inf", "1..5h", ".5h", "1h 5m", "9999999d"]
    {
        assert!(bad.parse::<Age>().is_err(), "{bad}");
    }
}

#[test]
fn sizes() {
    for (text, bytes, shown) in [
        ("15GB", 15 << 30, "15GB"),
        ("500M", 500 << 20, "500MB"),
        ("500mb", 500 << 20, "500MB"),
        ("1.5GB", 3 << 29, "1536MB"),
        ("1TiB", 1 << 40, "1TB"),
        ("1 KB", 1024, "1KB"),
        ("1000", 1000, "1000B"),
        ("0", 0, "0B"),
        ("0GB", 0, "0B"),
    ] {
        let size: Size = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!((size.0, size.to_string().as_str()), (bytes, shown), "{text}");
    }
    for bad in ["", "GB", "-1GB", "15XB", "15 G B", "1e3", "nan", "99999999TB", "1_000"] {
        assert!(bad.parse::<Size>().is_err(), "{bad}");
    }
}

#[test]
fn the_patterns_of_the_schema_agree_with_the_parsers() {
    let age = regex::Regex::new(AGE_PATTERN).unwrap();
    let size = regex::Regex::new(SIZE_PATTERN).unwrap();
    for text in ["7d", "72h30m", "1.5h", "0", "7", "d", "-7d", "7w", "1..5h", ".5h", "", "15", "1ms"] {
        assert_eq!(age.is_match(text), text.parse::<Age>().is_ok(), "{text}");
    }
    for text in ["15GB", "500M", "1.5GB", "1TiB", "1 KB", "1000", "", "GB", "-1GB", "15XB", "1e3", "5 b"] {
        assert_eq!(size.is_match(text), text.parse::<Size>().is_ok(), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_reads_back(seconds in 0u64..3_000_000_000, bytes in 0u64..9_007_199_254_740_992) {
        let age = Age(Duration::from_secs(seconds));
        prop_assert_eq!(age.to_string().parse::<Age>(), Ok(age));
        let size = Size(bytes);
        prop_assert_eq!(size.to_string().parse::<Size>(), Ok(size));
    }

    #[test]
    fn any_text_is_answered(text in ".{0,40}") {
        let _ = text.parse::<Age>();
        let _ = text.parse::<Size>();
    }
}
