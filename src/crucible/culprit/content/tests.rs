use proptest::prelude::*;
use rstest::rstest;

use super::*;

#[rstest]
#[case::date("built Sun Nov 22 15:34:22 UTC 2026\n", "built Sun Nov 22 15:34:25 UTC 2026\n", Cause::WallClock)]
#[case::midnight("Nov 22 23:59:59 2026", "Nov 23 00:00:01 2026", Cause::WallClock)]
#[case::json("{\"at\":\"2026-01-01T10:00:01Z\"}", "{\"at\":\"2026-01-01T10:00:02Z\"}", Cause::WallClock)]
#[case::epoch("t=1767261601\nx", "t=1767261609\nx", Cause::WallClock)]
#[case::lines("b\na\nc\n", "a\nc\nb\n", Cause::Order)]
#[case::words("b a c", "c b a", Cause::Order)]
#[case::json_list("[1,2,3]", "[3,1,2]", Cause::Order)]
#[case::collation("B\na\nc\n", "a\nB\nc\n", Cause::Locale)]
#[case::neither_sorted("b\na\nC\n", "C\nb\na\n", Cause::Order)]
#[case::environment("PATH=/bin\nLANG=C\n", "PATH=/bin\nLANG=de_DE.UTF-8\n", Cause::Locale)]
#[case::random("id 3f2a9c1b7d\n", "id 91ac04be22\n", Cause::Random)]
#[case::dump(" 3f 2a 9c 1b\n", " 11 42 0c ff\n", Cause::Random)]
#[case::pid("pid 17\n", "pid 19\n", Cause::ProcessId)]
#[case::host("HOSTNAME=abc\n", "HOSTNAME=def\n", Cause::Host)]
#[case::sandbox("buildkitsandbox\n", "sf-0123\n", Cause::Host)]
#[case::kernel("Linux version 6.1.0 (gcc 12)\n", "Linux version 6.18.0 (gcc 14)\n", Cause::Host)]
#[case::uname("Linux a 6.1 #1 SMP Mon Jan 1\n", "Linux b 6.1 #1 SMP Tue Jan 2\n", Cause::Host)]
#[case::headers("HTTP/1.1 200 OK\nX: 1\n", "HTTP/1.1 200 OK\nX: 2\n", Cause::Network)]
#[case::etag("a\nETag: x\n", "a\nETag: y\n", Cause::Network)]
#[case::html("<!DOCTYPE html>\n<p>one\n", "<!DOCTYPE html>\n<p>two\n", Cause::Network)]
#[case::dated_html("<html>at 10:00:01", "<html>at 10:00:02", Cause::WallClock)]
#[case::words_tell_nothing("alpha\n", "beta\n", Cause::Unknown)]
#[case::longer("a\n", "a\nb\n", Cause::Unknown)]
fn texts(#[case] a: &str, #[case] b: &str, #[case] cause: Cause) {
    assert_eq!(classify(a, b, true).0, cause, "{:?}", classify(a, b, true));
    assert_eq!(classify(b, a, true).0, cause);
}

#[test]
fn evidence_shows_short_lines_whole_and_of_long_ones_the_words() {
    let long = "x".repeat(100);
    assert_eq!(classify("at 10:00:01", "at 10:00:02", true).1, "at 10:00:01 / at 10:00:02");
    assert_eq!(classify(&format!("{long} 17"), &format!("{long} 19"), true).1, "17 / 19");
    assert_eq!(classify("b\na\n", "a\nb\n", true).1, "place 1: b / a");
    assert_eq!(classify("a\n", "a\nb\n", true).1, "1 lines / 2 lines");
}

#[test]
fn the_beginnings_of_long_lists_may_be_in_another_order() {
    let mut a: Vec<String> = (0..40).map(|i| format!("name-{i}")).collect();
    let mut b: Vec<String> = a.iter().rev().cloned().collect();
    // Others have come in from behind.
    b[3] = "name-77".into();
    a[9] = "name-88".into();
    assert_eq!(classify(&a.join("\n"), &b.join("\n"), false).0, Cause::Order);
    assert_ne!(classify(&a.join("\n"), &b.join("\n"), true).0, Cause::Order, "all of it was seen");
}

proptest! {
    #[test]
    fn nothing_panics_and_evidence_is_short(a in "(\\PC|\n| |[0-9:]){0,80}", b in "(\\PC|\n| |[0-9:]){0,80}", whole: bool) {
        let (_, evidence) = classify(&a, &b, whole);
        prop_assert!(evidence.chars().count() <= clip::EVIDENCE + 20, "{evidence}");
        prop_assert!(!evidence.contains('\n'));
    }
}
