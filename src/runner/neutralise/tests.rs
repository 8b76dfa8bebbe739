use std::borrow::Cow;

use proptest::prelude::*;
use rstest::rstest;

use super::{neutralise, neutralise_text, strip_controls};

/// What GitHub's runner takes for a command: after white space, `::name …::`; or, anywhere, `##[name …]`. It ends lines
/// at carriage returns too.
fn obeyed(text: &str) -> bool {
    text.split(['\n', '\r']).any(|line| {
        let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        line.starts_with("::") || line.contains("##[")
    })
}

#[rstest]
#[case("#12 0.512 Compiling app v0.1.0")]
#[case("\tindented with a tab, and a :: in the middle, std::io::Error")]
#[case("# heading, ## heading, #[derive(Debug)]")]
#[case("grüße © 2025 ✓ 日本語")]
#[case("")]
#[case("  ")]
fn clean_lines_cost_no_allocation(#[case] line: &str) {
    assert!(matches!(neutralise(line.as_bytes()), Cow::Borrowed(same) if same == line.as_bytes()));
    assert!(matches!(neutralise_text(line), Cow::Borrowed(same) if same == line));
}

#[rstest]
#[case::command("::error file=x::boo", ": :error file=x::boo")]
#[case::indented("  \t::set-output name=a::b", "  \t: :set-output name=a::b")]
#[case::after_no_break_space("\u{a0}::error::x", "\u{a0}: :error::x")]
#[case::after_wide_space("\u{3000}::error::x", "\u{3000}: :error::x")]
#[case::after_byte_order_mark("\u{feff}::error::x", "\u{feff}: :error::x")]
#[case::legacy("text ##[error]boo ##[group]x", "text ## [error]boo ## [group]x")]
#[case::many_marks("####[error]", "#### [error]")]
#[case::colour("\x1b[1;31merror\x1b[0m: no", "error: no")]
#[case::hidden_by_colour("\x1b[31m::error::x", ": :error::x")]
#[case::split_by_control(":\x00:error::x", ": :error::x")]
#[case::split_by_sequence("#\x1b[0m#\x07[error]", "## [error]")]
#[case::after_carriage_return("ok\r::error::x", "ok ::error::x")]
#[case::line_break("ok\n::error::x", "ok ::error::x")]
#[case::progress_bar("10%\r20%\r100%\r", "10% 20% 100%")]
#[case::windows("line\r", "line")]
#[case::title("\x1b]0;a title\x07text", "text")]
#[case::link("\x1b]8;;https://e.org\x1b\\here\x1b]8;;\x1b\\", "here")]
#[case::unfinished_title("\x1b]0;never ends", "0;never ends")]
#[case::unfinished_sequence("a\x1b[31", "a")]
#[case::lone_escape("a\x1b", "a")]
#[case::charset("\x1b(Bplain", "plain")]
#[case::c1("a\u{9b}31mb\u{85}c", "abc")]
#[case::backspace("secret\x08\x08\x08", "secret")]
#[case::gitlab_section("\x1b[0Ksection_start:1:x\r\x1b[0KHeader", "section_start:1:x Header")]
fn dangerous_lines_are_defused(#[case] line: &str, #[case] expected: &str) {
    assert_eq!(neutralise_text(line), expected);
    assert_eq!(neutralise(line.as_bytes()), expected.as_bytes());
    assert!(!obeyed(expected));
}

#[test]
fn bytes_that_are_not_text_are_no_obstacle() {
    assert_eq!(neutralise(b"a\xff\x1b[0mb"), "a\u{fffd}b".as_bytes());
    assert_eq!(neutralise(b"\xc2\x01\x9bx"), "\u{fffd}\u{fffd}x".as_bytes(), "no control is put together from parts");
    assert_eq!(
        neutralise(b"\xff\xfe plain"),
        "\u{fffd}\u{fffd} plain".as_bytes(),
        "not UTF-8, and some terminal's controls"
    );
}

#[test]
fn controls_alone_can_be_stripped() {
    assert_eq!(strip_controls("::x \x1b[1m##[y]"), "::x ##[y]");
    assert!(matches!(strip_controls("::clean"), Cow::Borrowed(_)));
}

#[test]
fn a_line_made_to_be_slow_is_not() {
    let started = std::time::Instant::now();
    for piece in ["\x1b]", "\x1b[1", "\u{90}", "::", "##[", "\r", "\u{3000}"] {
        let line = piece.repeat(1_000_000 / piece.len());
        assert!(!obeyed(&neutralise_text(&line)));
    }
    assert!(started.elapsed().as_secs() < 10, "took {:?}", started.elapsed());
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("::".to_owned()),
        Just(":".to_owned()),
        Just("##[".to_owned()),
        Just("#".to_owned()),
        Just("[".to_owned()),
        Just("\x1b[".to_owned()),
        Just("\x1b]0;".to_owned()),
        Just("\x1b\\".to_owned()),
        "[\\x00-\\x20\\x7f-\\xa0\u{feff}\u{2003}]",
        "[a-z0-9;m ]{1,3}",
    ];
    proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_that_comes_out_is_a_command_or_a_control(line in pieces()) {
        let safe = neutralise_text(&line);
        prop_assert!(!obeyed(&safe), "{:?}", safe);
        prop_assert!(!safe.contains(|c: char| c.is_control() && c != '\t'), "{:?}", safe);
        let twice = neutralise_text(&safe);
        prop_assert_eq!(&twice, &safe, "a second time changes nothing");
        let bytes = neutralise(line.as_bytes());
        prop_assert_eq!(bytes.as_ref(), safe.as_bytes());
    }

    #[test]
    fn any_bytes_are_taken(line in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(!obeyed(&String::from_utf8_lossy(&neutralise(&line))));
    }
}
