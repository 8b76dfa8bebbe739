//! A comparison as a person reads it in a terminal: what agrees, then layer by layer what does not, then the verdict. Pure.
//! Names in images are hostile: every one is made harmless here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::slice::Iter;

use super::document::Named;
use crate::crucible::proof::{Cause, CulpritFile, CulpritLayer, Culprits};
use crate::image::diff::{ConfigChange, FileChange, How, ImageDiff, LayerDiff, PlatformDiff};
use crate::runner::neutralise_text;

/// So many fields of a config are shown. Of the files of a layer, those that `crucible::culprit` finds most telling are.
const FIELDS: usize = 20;
/// So many layers of a platform are shown.
const LAYERS: usize = 50;
/// Longer texts are cut, in characters.
const PATH: usize = 160;
const INSTRUCTION: usize = 100;
const VALUE: usize = 60;

/// Everything. `culprits` explains the layers of `diff`, in their order.
pub(super) fn render(images: [Named<'_>; 2], diff: &ImageDiff, culprits: &Culprits) -> String {
    let mut out = String::new();
    for (letter, image) in ["a", "b"].into_iter().zip(images) {
        let _ = writeln!(out, "{letter}  {}  {}", safe(image.name, PATH), image.digest);
    }
    for (letter, platforms) in [("a", &diff.only_in_a), ("b", &diff.only_in_b)] {
        for platform in platforms {
            let _ = writeln!(out, "\n{}: only in {letter}", safe(platform, PATH));
        }
    }
    let mut explained = culprits.layers.iter();
    diff.platforms.iter().for_each(|platform| self::platform(&mut out, platform, &mut explained));
    cures(&mut out, culprits);
    let _ = writeln!(out, "\n{}", verdict(diff));
    out
}

/// One line to remember.
fn verdict(diff: &ImageDiff) -> String {
    if diff.identical {
        return "✓ identical: every byte agrees".to_owned();
    }
    if diff.same_content() {
        return "✓ the same content: configs and files agree, only the compression or the manifests differ".to_owned();
    }
    let layers = diff.platforms.iter().flat_map(|p| &p.layers).filter(|layer| !layer.only_compression);
    let (layers, files) = layers.fold((0, 0), |(layers, files), layer| (layers + 1, files + layer.total));
    let configs = diff.platforms.iter().filter(|p| p.configs.0 != p.configs.1).count();
    let platforms = diff.only_in_a.len() + diff.only_in_b.len();
    let parts = [
        (layers, "layer"),
        (files, "file"),
        (configs as u64, "config"),
        (platforms as u64, "platform without a counterpart"),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| counted(n, what)).collect();
    format!("✗ different: {}", if parts.is_empty() { "the manifests".to_owned() } else { parts.join(", ") })
}

fn platform(out: &mut String, platform: &PlatformDiff, explained: &mut Iter<'_, CulpritLayer>) {
    let differ = platform.layers.iter().filter(|layer| !layer.only_compression).count();
    let name = if platform.platform.is_empty() { "the image".to_owned() } else { safe(&platform.platform, PATH) };
    let (a, b) = platform.layer_counts;
    let of = if a == b { a.to_string() } else { format!("{a} and {b}") };
    let config = if platform.configs.0 == platform.configs.1 { "the config agrees" } else { "the config differs" };
    let _ = writeln!(out, "\n{name}: {differ} of {of} layers differ, {config}");
    if platform.configs.0 != platform.configs.1 {
        fields(out, &platform.config);
    }
    for (i, layer) in platform.layers.iter().enumerate() {
        let explained = explained.next();
        if i < LAYERS {
            self::layer(out, layer, explained);
        }
    }
    if platform.layers.len() > LAYERS {
        let _ = writeln!(out, "  … and {} layers more", platform.layers.len() - LAYERS);
    }
}

fn fields(out: &mut String, changes: &[ConfigChange]) {
    out.push_str("  config\n");
    if changes.is_empty() {
        out.push_str("    only its history, its list of layers, or how it is written\n");
    }
    let side = |value: &Option<String>| value.as_deref().map_or("(nothing)".to_owned(), |value| safe(value, VALUE));
    for change in changes.iter().take(FIELDS) {
        let _ = writeln!(out, "    {}: {} → {}", safe(&change.field, PATH), side(&change.a), side(&change.b));
    }
    if changes.len() > FIELDS {
        let _ = writeln!(out, "    … and {} fields more", changes.len() - FIELDS);
    }
}

fn layer(out: &mut String, layer: &LayerDiff, explained: Option<&CulpritLayer>) {
    let place = match layer.index {
        (Some(a), Some(b)) if a == b => format!("layer {}", a + 1),
        (Some(a), Some(b)) => format!("layer {} / {}", a + 1, b + 1),
        (Some(a), None) => format!("layer {}, only in a", a + 1),
        (None, Some(b)) => format!("layer {}, only in b", b + 1),
        (None, None) => "layer".to_owned(),
    };
    let _ = writeln!(out, "  {place}  {}", safe(&layer.created_by, INSTRUCTION));
    if layer.only_compression {
        out.push_str("    the same files, compressed differently\n");
    }
    if layer.order {
        out.push_str("    files stand in another order in the archive\n");
    }
    if let Some(why) = &layer.incomplete {
        let _ = writeln!(out, "    {}", safe(why, 400));
    }
    let files = explained.map_or(&[][..], |layer| &layer.files);
    files.iter().for_each(|file| self::file(out, file, &layer.changes));
    let more = explained.map_or(layer.total, |layer| layer.more);
    if more > 0 {
        let _ = writeln!(out, "    … and {} more; --listing FILE has them all", counted(more, "file"));
    }
}

/// A file: how it differs, and what is known to make such files differ.
fn file(out: &mut String, file: &CulpritFile, changes: &[FileChange]) {
    let change = changes.iter().find(|change| file.path.strip_prefix('/') == Some(&change.path));
    let how: Vec<_> = match (&file.how[..], change) {
        // Two files are one with two names.
        ([How::OnlyInA, How::OnlyInB], _) => vec!["another name".to_owned()],
        // The evidence says the same.
        ([how], _) if !file.evidence.is_empty() && file.cause != Cause::Unknown => vec![word(*how, None)],
        (how, change) => how.iter().map(|how| word(*how, change)).collect(),
    };
    let cause = match (file.cause, file.evidence.as_str()) {
        (Cause::Unknown, _) => String::new(),
        (cause, "") => format!("  [{}]", cause.name()),
        (cause, evidence) => format!("  [{}: {}]", cause.name(), safe(evidence, PATH)),
    };
    let path = file.path.strip_prefix('/').unwrap_or(&file.path);
    let _ = writeln!(out, "    {}  {}{cause}", safe(path, PATH), how.join(", "));
}

/// What mends each cause that was named, for who expected the same image twice.
fn cures(out: &mut String, culprits: &Culprits) {
    let files = culprits.layers.iter().take(LAYERS).flat_map(|layer| &layer.files);
    let mut causes: BTreeSet<Cause> = files.map(|file| file.cause).collect();
    causes.remove(&Cause::Unknown);
    if !causes.is_empty() {
        out.push_str("\nIf both were built from the same sources:\n");
    }
    for cause in causes {
        let _ = writeln!(out, "  {}: {}", cause.name(), cause.cure());
    }
}

/// In a word, with what a glance can take in.
fn word(how: How, change: Option<&FileChange>) -> String {
    let both = change.and_then(|change| change.a.as_ref().zip(change.b.as_ref()));
    match (how, both) {
        (How::OnlyInA, _) => "only in a".to_owned(),
        (How::OnlyInB, _) => "only in b".to_owned(),
        (How::Kind, Some((a, b))) => format!("{} → {}", a.kind, b.kind),
        (How::Content, Some((a, b))) if a.size != b.size => format!("content ({} → {} bytes)", a.size, b.size),
        (How::Mode, Some((a, b))) => format!("mode {:04o} → {:04o}", a.mode, b.mode),
        (How::Owner, Some((a, b))) if (a.uid, a.gid) != (b.uid, b.gid) => {
            format!("owner {}:{} → {}:{}", a.uid, a.gid, b.uid, b.gid)
        }
        (How::Mtime, Some((a, b))) => format!("mtime {} → {}", time(a.mtime), time(b.mtime)),
        (How::Link, Some((a, b))) => format!("link {} → {}", safe(&a.link, VALUE), safe(&b.link, VALUE)),
        (How::Kind, None) => "kind".to_owned(),
        (How::Content, _) => "content".to_owned(),
        (How::Mode, None) => "mode".to_owned(),
        (How::Owner, _) => "owner".to_owned(),
        (How::Mtime, None) => "mtime".to_owned(),
        (How::Xattr, _) => "extended attributes".to_owned(),
        (How::Link, None) => "link".to_owned(),
        (How::Order, _) => "place in the archive".to_owned(),
    }
}

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

fn counted(n: u64, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => match what.split_once(' ') {
            Some((noun, rest)) => format!("{n} {noun}s {rest}"),
            None => format!("{n} {what}s"),
        },
    }
}

/// Text from an image on one line: control characters, and those that hide or turn what follows, are written out.
fn safe(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == limit {
            out.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    neutralise_text(&out).into_owned()
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
