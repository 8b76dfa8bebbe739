//! The forms in which a secret shows up in a log: as it is, and as base64, URL and JSON encoders write it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::SHORTEST;

/// Longer forms are looked for in pieces of this size: bounds how much a stream must hold back.
const PIECE: usize = 512;

/// Only so much of a value is looked for. Forges refuse secrets half as long.
const LONGEST: usize = 128 * 1024;

/// Widths at which `base64` and PEM writers break lines.
const BASE64_WIDTHS: [usize; 2] = [76, 64];

/// RFC 3986: everything but unreserved characters is encoded.
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Adds all forms of a value.
pub(super) fn of_secret(value: &str, patterns: &mut BTreeSet<Vec<u8>>) {
    let value = clip(value);
    let trimmed = value.trim();
    if trimmed.chars().count() < SHORTEST {
        return;
    }
    let mut add = |form: &str| add(form, patterns);
    for line in value.split(['\n', '\r']).map(str::trim) {
        encodings(line, &mut add);
    }
    if trimmed.contains(['\n', '\r']) {
        encodings(trimmed, &mut add);
    }
    if trimmed != value {
        // With its last line end, as a file piped into an encoder has it.
        encodings(value, &mut add);
    }
}

/// Adds the Basic authorization form of a login.
pub(super) fn of_login(user: &str, password: &str, patterns: &mut BTreeSet<Vec<u8>>) {
    if password.chars().count() >= SHORTEST {
        let pair = format!("{user}:{password}");
        base64_forms(&pair, &mut |form| add(form, patterns));
    }
}

fn add(form: &str, patterns: &mut BTreeSet<Vec<u8>>) {
    if form.chars().count() < SHORTEST || form.contains(['\n', '\r']) {
        return;
    }
    let bytes = form.as_bytes();
    if bytes.len() <= PIECE {
        patterns.insert(bytes.to_vec());
        return;
    }
    patterns.extend(bytes.chunks_exact(PIECE).map(<[u8]>::to_vec));
    patterns.insert(bytes[bytes.len() - PIECE..].to_vec());
}

fn encodings(value: &str, add: &mut impl FnMut(&str)) {
    if value.chars().count() < SHORTEST {
        return;
    }
    add(value);
    base64_forms(value, add);
    url_forms(value, add);
    json_forms(value, add);
}

/// The value encoded alone, in either alphabet, whole or broken into lines; and what any encoding of a longer text that
/// holds it must contain, for each of the three ways it can lie on the 3-byte groups.
fn base64_forms(value: &str, add: &mut impl FnMut(&str)) {
    for engine in [&STANDARD, &URL_SAFE] {
        let alone = engine.encode(value);
        add(alone.trim_end_matches('='));
        add(&alone);
        for width in BASE64_WIDTHS {
            if alone.len() > width {
                // ASCII, so any cut is a character border.
                let lines = alone.as_bytes().chunks(width).filter(|line| line.len() >= 8);
                lines.filter_map(|line| std::str::from_utf8(line).ok()).for_each(&mut *add);
            }
        }
        for before in 0..3 {
            let mut group = vec![0u8; before];
            group.extend_from_slice(value.as_bytes());
            let text = engine.encode(&group);
            // A character holds 6 bits: take those that hold bits of the value only.
            let (first, end) = ((before * 8).div_ceil(6), group.len() * 8 / 6);
            add(text.get(first..end).unwrap_or_default());
        }
    }
}

fn url_forms(value: &str, add: &mut impl FnMut(&str)) {
    let encoded = utf8_percent_encode(value, URL).to_string();
    if encoded == value {
        return;
    }
    add(&lower_hex(&encoded));
    add(&encoded.replace("%20", "+"));
    add(&encoded);
}

/// Some encoders write `%3a` for `%3A`.
fn lower_hex(encoded: &str) -> String {
    let mut digits = 0;
    encoded
        .chars()
        .map(|c| {
            if c == '%' {
                digits = 2;
                return c;
            }
            if digits > 0 {
                digits -= 1;
                return c.to_ascii_lowercase();
            }
            c
        })
        .collect()
}

fn json_forms(value: &str, add: &mut impl FnMut(&str)) {
    let Ok(quoted) = serde_json::to_string(value) else { return };
    let escaped = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    if escaped != value {
        add(escaped);
    }
    // Go's encoder, docker's among them, keeps JSON safe inside HTML; others escape the slash.
    if escaped.contains(['<', '>', '&']) {
        add(&escaped.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"));
    }
    if escaped.contains('/') {
        add(&escaped.replace('/', "\\/"));
    }
}

fn clip(value: &str) -> &str {
    let mut end = value.len().min(LONGEST);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}
