use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

fn redactor(values: &[&str]) -> Redactor {
    let secrets: Vec<Secret> = values.iter().map(|v| Secret::new(*v)).collect();
    Redactor::new(&secrets)
}

#[test]
fn secrets_are_masked_in_every_usual_form() {
    let secret = "p@ss/wörd\"<1>&";
    let r = redactor(&[secret]);
    for (form, text) in [
        ("as it is", secret.to_owned()),
        ("base64", STANDARD.encode(secret)),
        ("url-safe base64", URL_SAFE_NO_PAD.encode(secret)),
        ("url", "p%40ss%2Fw%C3%B6rd%22%3C1%3E%26".to_owned()),
        ("url in lower case", "p%40ss%2fw%c3%b6rd%22%3c1%3e%26".to_owned()),
        ("json", "p@ss/wörd\\\"<1>&".to_owned()),
        ("json by Go", "p@ss/wörd\\\"\\u003c1\\u003e\\u0026".to_owned()),
        ("json with slashes escaped", "p@ss\\/wörd\\\"<1>&".to_owned()),
    ] {
        assert_eq!(r.text(&format!("a {text} z")), "a *** z", "{form}");
    }
}

#[test]
fn base64_is_found_at_every_alignment() {
    let r = redactor(&["correct-horse"]);
    for before in ["", "u", "us", "use", "user:"] {
        for after in ["", "x", "xy", "xyz"] {
            let encoded = STANDARD.encode(format!("{before}correct-horse{after}"));
            let clean = r.text(&encoded);
            let left = clean.replace(MASK, "").len();
            assert!(clean.contains(MASK), "{before} {after}: {clean}");
            // What is left is what surrounds the secret, and at most a character on either side that shares bits with it.
            let surroundings = (before.len() + after.len()) * 8 / 6 + 2 + 2;
            assert!(left <= surroundings, "{before} {after}: {clean}");
        }
    }
}

#[test]
fn base64_broken_into_lines_is_found() {
    let secret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789-and-more-of-it";
    let r = redactor(&[secret]);
    for width in [64, 76] {
        let encoded = STANDARD.encode(secret);
        let lines: Vec<&str> = encoded.as_bytes().chunks(width).map(|l| std::str::from_utf8(l).unwrap()).collect();
        assert_eq!(r.text(&lines.join("\n")), vec![MASK; lines.len()].join("\n"), "{width}");
    }
}

#[test]
fn a_login_is_masked_whole() {
    let password = Secret::new("hunter22");
    let r = Redactor::with_logins([&password], [("bob", &password)]);
    let header = format!("Authorization: Basic {}", STANDARD.encode("bob:hunter22"));
    assert_eq!(r.text(&header), "Authorization: Basic ***");
}

#[test]
fn lines_of_a_long_secret_are_masked_one_by_one() {
    let r = redactor(&["-----BEGIN KEY-----\nAAAABBBB\r\n  CCCCDDDD\nab\n-----END KEY-----\n"]);
    assert_eq!(r.text("x AAAABBBB y\nCCCCDDDD\nab"), "x *** y\n***\nab");
    assert_eq!(
        r.text(r#"{"key":"-----BEGIN KEY-----\nAAAABBBB\r\n  CCCCDDDD\nab\n-----END KEY-----\n"}"#),
        r#"{"key":"***"}"#
    );
}

#[test]
fn short_and_empty_values_are_left_alone() {
    for value in ["", "a", "abc", "\n", " ab\n", "äöü"] {
        let r = redactor(&[value]);
        assert!(r.is_idle(), "{value:?}");
        assert!(matches!(r.text("abc abcd ab cd äöü"), Cow::Borrowed(_)));
    }
    assert_eq!(redactor(&["abcd"]).text("abcd"), "***");
}

#[test]
fn overlapping_secrets_leave_no_rest() {
    let r = redactor(&["abcdef", "defghi", "cdef"]);
    assert_eq!(r.text("-abcdefghi-"), "-***-");
    assert_eq!(r.text("-cdefghi-abcdef"), "-***-***");
    assert_eq!(redactor(&["aaaa"]).text(&"a".repeat(4097)), "***");
}

#[test]
fn a_value_longer_than_a_pattern_is_masked_whole() {
    let long: String = (0..5000u32).map(|i| char::from(b'a' + (i * i % 23) as u8)).collect();
    let r = redactor(&[&long]);
    assert_eq!(r.text(&format!("<{long}>")), "<***>");
    let mut out = Vec::new();
    let mut stream = r.stream();
    for piece in format!("<{long}>").as_bytes().chunks(7) {
        stream.push(piece, &mut out);
        assert!(stream.held.len() < 520, "held back {}", stream.held.len());
    }
    stream.finish(&mut out);
    assert_eq!(out, b"<***>");
}

#[test]
fn nothing_is_copied_or_held_where_nothing_is_secret() {
    assert!(matches!(redactor(&["topsecret"]).bytes(b"plain"), Cow::Borrowed(_)));
    let mut out = Vec::new();
    let mut stream = redactor(&["topsecret"]).stream();
    stream.push(b"a whole line\n", &mut out);
    assert_eq!(out, b"a whole line\n");
    stream.push(b"half", &mut out);
    stream.push(b" a line\nnext top", &mut out);
    assert!(out.ends_with(b"half a line\n"));
    stream.push(b"secret\n", &mut out);
    assert!(out.ends_with(b"\nnext ***\n"));
}

#[test]
fn the_writer_passes_on_everything() {
    let mut writer = RedactWriter::new(Vec::new(), &redactor(&["topsecret"]));
    writer.write_all(b"one topse").unwrap();
    writer.write_all(b"cret two").unwrap();
    assert_eq!(writer.finish().unwrap(), b"one *** two");
}

#[test]
fn debug_tells_nothing() {
    let r = redactor(&["topsecret"]);
    assert!(!format!("{r:?} {:?}", r.stream()).contains("topsecret"));
}

proptest! {
    /// Whatever the cuts: the same comes out, and no secret is in it.
    #[test]
    fn no_chunking_lets_a_secret_through(
        secrets in prop::collection::vec("[abc]{4,9}", 1..4),
        pieces in prop::collection::vec(("[abc \n]{0,9}", 0usize..8), 0..12),
        cuts in prop::collection::vec(1usize..9, 1..40),
    ) {
        let mut text = String::new();
        for (noise, pick) in &pieces {
            text.push_str(noise);
            text.push_str(secrets.get(*pick).map_or("", String::as_str));
        }
        let values: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let r = redactor(&values);
        let whole = r.text(&text).into_owned();
        for secret in &secrets {
            prop_assert!(!whole.contains(secret.as_str()), "{whole}");
        }
        let (mut out, mut stream, mut rest) = (Vec::new(), r.stream(), text.as_bytes());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            let (piece, later) = rest.split_at((*cut).min(rest.len()));
            stream.push(piece, &mut out);
            rest = later;
        }
        stream.finish(&mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), whole);
    }

    /// Arbitrary secrets and bytes: no panic, and the value itself never survives.
    #[test]
    fn any_value_is_masked(secret in "\\PC{4,40}", before in "\\PC{0,20}", after in "\\PC{0,20}") {
        let r = redactor(&[&secret]);
        prop_assume!(secret.trim().chars().count() >= SHORTEST && !MASK.contains(secret.trim()));
        prop_assume!(!secret.contains(MASK));
        let clean = r.text(&format!("{before}{secret}{after}")).into_owned();
        prop_assert!(!clean.contains(secret.trim()) , "{clean}");
    }
}
