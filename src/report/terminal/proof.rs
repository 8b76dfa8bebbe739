//! The proof in the log: the verdict with its elephants and the plain fact, what stood in the way, what differs and why.

use super::closing::place;
use super::style::{Paint, inline};
use crate::report::culprits::cures;
use crate::report::document::{CulpritLayer, Culprits, Document, Proof};
use crate::report::headline::{count, duration, headline};
use crate::report::verdict::{advice, cause, elephants, hows, level, proven, untold_obstacles, verdict};

/// So many layers are shown, so many files of each, and so many of everything else; the document has more.
const LAYERS: usize = 10;
const FILES: usize = 5;
const OTHERS: usize = 10;
/// Longer sentences are cut.
const SENTENCE: usize = 1000;

/// Lines for every proven build; none where nothing was to be proven.
pub(super) fn rows(document: &Document, paint: Paint) -> Vec<String> {
    let (mut rows, headline) = (Vec::new(), headline(document));
    for (build, proof) in proven(document) {
        let marks = elephants(proof.trust);
        let marked = |text: String| if marks.is_empty() { text } else { format!("{marks} {text}") };
        let verdict = verdict(document, build, proof);
        if verdict == headline {
            // The log ends with it.
            rows.push(marked(facts(proof)));
        } else {
            let said = inline(&verdict, SENTENCE);
            rows.push(marked(if proof.passed { paint.good(&said) } else { paint.bad(&said) }));
            rows.push(format!("  {}", paint.dim(&facts(proof))));
        }
        rows.extend(passes(proof));
        let obstacles = untold_obstacles(document, build, proof);
        let what = if proof.passed { "kept from the next level:" } else { "in the way:" };
        rows.extend(obstacles.iter().take(OTHERS).map(|why| format!("  {what} {}", inline(why, SENTENCE))));
        rows.extend(more(obstacles.len(), OTHERS, "  "));
        if let Some(culprits) = &proof.culprits {
            rows.extend(differing(culprits, paint));
        }
        rows.extend(
            advice(document, build, proof).map(|text| format!("  {} {}", paint.good("→"), inline(&text, SENTENCE))),
        );
    }
    rows
}

fn facts(proof: &Proof) -> String {
    let reached = proof.trust.map_or("no level", level);
    let by = if proof.runner == "candidate" { ", second build run by the candidate" } else { "" };
    let attestation =
        proof.provenance.as_ref().map(|path| format!(", attestation {}", inline(path, 300))).unwrap_or_default();
    let id = inline(&proof.run_id, 40);
    format!("reached {reached}, asked for {}{by}, proof {id}{attestation}", level(proof.min_trust))
}

fn passes(proof: &Proof) -> Vec<String> {
    let line = |(i, pass): (usize, &crate::report::document::Pass)| {
        format!("  build {}: {} in {}", i + 1, inline(&pass.digest, 100), duration(pass.seconds))
    };
    let mut rows: Vec<_> = proof.passes.iter().enumerate().take(2).map(line).collect();
    if proof.passes.len() == 1 {
        rows.push("  build 2: no image".to_owned());
    }
    rows
}

fn differing(culprits: &Culprits, paint: Paint) -> Vec<String> {
    let mut rows = Vec::new();
    for layer in culprits.layers.iter().take(LAYERS) {
        rows.extend(of_layer(layer, paint));
    }
    rows.extend(more(culprits.layers.len(), LAYERS, "  "));
    for change in culprits.config.iter().take(OTHERS) {
        let value = |value: &Option<String>| value.as_ref().map_or("absent".to_owned(), |value| inline(value, 200));
        let field = paint.bold(&inline(&change.field, 300));
        rows.push(format!("  image configuration {field}: {} / {}", value(&change.a), value(&change.b)));
    }
    rows.extend(more(culprits.config.len(), OTHERS, "  "));
    let shown = culprits.layers.iter().take(LAYERS).flat_map(|layer| layer.files.iter().take(FILES));
    rows.extend(
        cures(shown)
            .into_iter()
            .map(|(cause, cure)| format!("  {} {}: {}", paint.good("→"), inline(&cause, 50), inline(cure, SENTENCE))),
    );
    if culprits.ignored > 0 {
        let ignored = usize::try_from(culprits.ignored).unwrap_or(usize::MAX);
        rows.push(format!("  ignored, as configured: {}", count(ignored, "difference", "differences")));
    }
    rows.extend(
        culprits.incomplete.iter().map(|why| format!("  not everything was compared: {}", inline(why, SENTENCE))),
    );
    rows.extend(culprits.listing.iter().map(|path| format!("  full listing: {}", inline(path, 300))));
    rows
}

fn of_layer(layer: &CulpritLayer, paint: Paint) -> Vec<String> {
    let at = layer.location.as_ref().map(|at| paint.bold(&format!("{}: ", place(at)))).unwrap_or_default();
    let origin = layer.origin.as_ref().map(|origin| format!(", from {}", inline(origin, 200))).unwrap_or_default();
    let platform = if layer.platform.is_empty() { String::new() } else { format!(", {}", inline(&layer.platform, 50)) };
    let tail = paint.dim(&format!(" (layer {}{platform}{origin})", layer.layer));
    let mut rows = vec![format!("  {at}{}{tail}", inline(&layer.instruction, 200))];
    for file in layer.files.iter().take(FILES) {
        let evidence =
            if file.evidence.is_empty() { String::new() } else { format!(" {}", inline(&file.evidence, 200)) };
        let (how, cause) = (inline(&hows(&file.how), 200), inline(&cause(&file.cause), 50));
        rows.push(format!("    {}: {how} ({cause}){}", inline(&file.path, 300), paint.dim(&evidence)));
    }
    let hidden = layer.more + layer.files.len().saturating_sub(FILES) as u64;
    if hidden > 0 {
        rows.push(format!("    … and {hidden} more"));
    }
    rows.extend(layer.note.iter().map(|note| format!("    {}", inline(note, SENTENCE))));
    rows
}

fn more(all: usize, shown: usize, indent: &str) -> Option<String> {
    (all > shown).then(|| format!("{indent}… and {} more", all - shown))
}
