//! Culprits as plain lines, so that tests can show them whole. What people see, `report` draws.

use std::collections::BTreeSet;

use crate::buildx::progress::clean::clean;
use crate::crucible::culprit::clip;
use crate::crucible::proof::{Cause, CulpritFile, CulpritLayer, Culprits};
use crate::image::diff::{ConfigChange, How};

/// Layers that are told in the log.
const LAYERS: usize = 10;
/// Files of a layer that are told in the log.
const FILES: usize = 8;
/// Fields of the config that are told in the log.
const FIELDS: usize = 10;

/// What differs, where it comes from and what mends it, one line each. Empty if there is nothing to tell.
pub(super) fn text(culprits: &Culprits) -> Vec<String> {
    let mut lines = Vec::new();
    for told in culprits.layers.iter().take(LAYERS) {
        layer(told, &mut lines);
    }
    more(culprits.layers.len().saturating_sub(LAYERS) as u64, "layers", "", &mut lines);
    if !culprits.config.is_empty() {
        lines.push("image config".to_owned());
        lines.extend(culprits.config.iter().take(FIELDS).map(field));
        more(culprits.config.len().saturating_sub(FIELDS) as u64, "fields", "  ", &mut lines);
    }
    if culprits.ignored > 0 {
        lines.push(format!(
            "{} in files that compare.ignore names",
            counted(culprits.ignored, "difference", "differences")
        ));
    }
    if let Some(why) = &culprits.incomplete {
        lines.push(format!("this is not all: {why}"));
    }
    lines.extend(causes(culprits).into_iter().map(|cause| format!("cure for {}: {}", cause.name(), cause.cure())));
    if let Some(path) = &culprits.listing {
        lines.push(format!("full listing: {path}"));
    }
    lines.iter().map(|line| clean(line.replace(['\n', '\r'], " ").as_bytes())).collect()
}

/// Causes of the files that are told, each once. What is only a consequence, or comes from nowhere known, goes without
/// advice where others have some.
fn causes(culprits: &Culprits) -> BTreeSet<Cause> {
    let mut causes = BTreeSet::new();
    for layer in culprits.layers.iter().take(LAYERS) {
        let files = &layer.files[..layer.files.len().min(FILES)];
        let holds = |path: &str| {
            files.iter().any(|file| file.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
        };
        causes.extend(files.iter().filter(|f| f.cause != Cause::Mtime || !holds(&f.path)).map(|file| file.cause));
    }
    if causes.len() > 1 {
        causes.remove(&Cause::Unknown);
    }
    causes
}

fn layer(layer: &CulpritLayer, lines: &mut Vec<String>) {
    let platform = if layer.platform.is_empty() { String::new() } else { format!(" of {}", layer.platform) };
    let place = layer.location.as_ref().map_or_else(String::new, |at| {
        at.line.map_or_else(|| format!("{}: ", at.file), |line| format!("{}:{line}: ", at.file))
    });
    lines.push(format!("layer {}{platform}: {place}{}", layer.layer, layer.instruction));
    lines.extend(layer.origin.iter().map(|origin| format!("  from {origin}")));
    lines.extend(layer.note.iter().map(|note| format!("  {note}")));
    lines.extend(layer.files.iter().take(FILES).map(file));
    more(layer.more + layer.files.len().saturating_sub(FILES) as u64, "entries", "  ", lines);
}

fn file(file: &CulpritFile) -> String {
    let how: Vec<_> = match file.how[..] {
        [How::OnlyInA, How::OnlyInB] => vec!["another name"],
        _ => file.how.iter().map(|how| name(*how)).collect(),
    };
    let evidence = if file.evidence.is_empty() { String::new() } else { format!(": {}", file.evidence) };
    format!("  {} ({}) {}{evidence}", file.path, how.join(", "), file.cause.name())
}

fn field(change: &ConfigChange) -> String {
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "missing".to_owned(), |v| clip::line(v, 70));
    format!("  {}: {} / {}", clip::line(&change.field, 100), value(&change.a), value(&change.b))
}

fn more(count: u64, of: &str, indent: &str, lines: &mut Vec<String>) {
    if count > 0 {
        lines.push(format!("{indent}… and {count} more {of}"));
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn name(how: How) -> &'static str {
    match how {
        How::OnlyInA => "only in the first",
        How::OnlyInB => "only in the second",
        How::Kind => "kind",
        How::Content => "content",
        How::Mode => "mode",
        How::Owner => "owner",
        How::Mtime => "mtime",
        How::Xattr => "xattr",
        How::Link => "link",
        How::Order => "order",
    }
}
