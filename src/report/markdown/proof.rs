//! How images were proven: what was compared and how it came out, and where two builds differ, what and why.

use super::super::culprits;
use super::super::document::{Build, Culprits, Document, Proof};
use super::super::escape::{code, prose};
use super::super::headline::duration;
use super::super::verdict::{advice, cause, check, hows, level, proven, state, untold_obstacles, verdict};
use super::cut;
use super::failure::place;

/// So many files that differ are shown for a build; the document has more.
const FILES: usize = 60;
/// So many of everything else that may be long: these tables are wide.
const ROWS: usize = 40;

/// Empty where nothing was to be proven.
pub(super) fn section(document: &Document) -> String {
    let proven = proven(document);
    let several = proven.len() > 1;
    proven.into_iter().map(|(build, proof)| one(document, build, proof, several)).collect()
}

fn one(document: &Document, build: &Build, proof: &Proof, several: bool) -> String {
    let mut out = "### Proof".to_owned();
    if several {
        // Of a single one it is on top.
        out.push_str(&format!(" of {}\n\n{}", code(&build.id), prose(&verdict(document, build, proof))));
    }
    out.push_str(&format!("\n\n{}\n\n", facts(proof)));
    let obstacles = untold_obstacles(document, build, proof);
    if !obstacles.is_empty() {
        let title = if proof.passed { "What kept it from the next level:" } else { "What stood in the way:" };
        out.push_str(&format!("{title}\n\n{}\n", cut(bullets(&obstacles), ROWS)));
    }
    if let Some(advice) = advice(document, build, proof) {
        out.push_str(&format!("💡 {}\n\n", prose(&advice)));
    }
    out.push_str(&passes(proof));
    if let Some(culprits) = &proof.culprits {
        out.push_str(&differing(culprits));
    }
    out.push_str(&checks(proof));
    out
}

fn facts(proof: &Proof) -> String {
    let reached = proof.trust.map_or("no level", level);
    let mut parts = vec![format!("Reached **{reached}**, asked for **{}**", level(proof.min_trust))];
    parts.push(format!("proof {}", code(&proof.run_id)));
    if proof.runner == "candidate" {
        parts.push("the second build was run by the candidate".to_owned());
    }
    parts.extend(proof.provenance.as_ref().map(|path| format!("attestation {}", code(path))));
    parts.join(" · ")
}

fn passes(proof: &Proof) -> String {
    if proof.passes.is_empty() {
        // Of a merged image the legs have them.
        return String::new();
    }
    let rows = proof.passes.iter().enumerate().take(2).map(|(i, pass)| {
        format!("| {} | {} | {} | {} |\n", i + 1, code(&pass.digest), duration(pass.seconds), prose(&pass.by))
    });
    let mut rows: String = rows.collect();
    if proof.passes.len() == 1 {
        rows.push_str("| 2 | no image | – | – |\n");
    }
    format!("| Build | Digest | Time | By |\n| --: | --- | --: | --- |\n{rows}\n")
}

fn checks(proof: &Proof) -> String {
    let rows = proof.checks.iter().map(|found| {
        let subject = if found.subject.is_empty() { String::new() } else { format!(" {}", code(&found.subject)) };
        let detail = if found.detail.is_empty() { String::new() } else { prose(&found.detail) };
        let state = state(found.state);
        let state = if state == "differs" { format!("**{state}**") } else { state.to_owned() };
        format!("| {}{subject} | {state} | {detail} |\n", prose(&check(&found.kind)))
    });
    format!("| Compared | State | Detail |\n| --- | --- | --- |\n{}\n", cut(rows, ROWS))
}

fn differing(culprits: &Culprits) -> String {
    let mut out = String::new();
    let rows = cut(files(culprits), FILES);
    if !rows.is_empty() {
        out.push_str(&format!("| Made by | File | How | Cause |\n| --- | --- | --- | --- |\n{rows}\n"));
    }
    out.push_str(&cures(culprits));
    let change = |value: &Option<String>| value.as_ref().map_or("absent".to_owned(), |value| code(value));
    let changes: Vec<_> = culprits
        .config
        .iter()
        .map(|c| format!("| {} | {} | {} |\n", code(&c.field), change(&c.a), change(&c.b)))
        .collect();
    if !changes.is_empty() {
        out.push_str("| Image configuration | First build | Second build |\n| --- | --- | --- |\n");
        out.push_str(&format!("{}\n", cut(changes.into_iter(), ROWS)));
    }
    let mut rest: Vec<String> = culprits::ignored(culprits).into_iter().collect();
    rest.extend(culprits.incomplete.as_ref().map(|why| format!("not everything was compared: {}", prose(why))));
    rest.extend(culprits.listing.as_ref().map(|path| format!("the full listing: {}", code(path))));
    if !rest.is_empty() {
        out.push_str(&format!("- {}\n\n", rest.join("\n- ")));
    }
    out
}

/// A row for each file; of a layer without any, one with what is said of it.
fn files(culprits: &Culprits) -> impl Iterator<Item = String> {
    culprits.layers.iter().flat_map(|layer| {
        let at = layer.location.as_ref().map(|at| format!("{} ", place(at))).unwrap_or_default();
        let origin = layer.origin.as_ref().map(|origin| format!("<br>from {}", prose(origin))).unwrap_or_default();
        let mut made = format!(
            "{at}{}{origin}<br>layer {}, {}",
            code(&layer.instruction),
            layer.layer,
            if layer.platform.is_empty() { "no platform".to_owned() } else { prose(&layer.platform) }
        );
        // Said once, in the first row of a layer.
        let mut row = |cells: String| format!("| {} | {cells} |\n", std::mem::take(&mut made));
        let mut rows = Vec::new();
        for file in &layer.files {
            let evidence =
                if file.evidence.is_empty() { String::new() } else { format!("<br>{}", code(&file.evidence)) };
            let (how, cause) = (prose(&hows(&file.how)), prose(&cause(&file.cause)));
            rows.push(row(format!("{} | {how} | {cause}{evidence}", code(&file.path))));
        }
        if layer.more > 0 {
            rows.push(row(format!("and {} more | | ", layer.more)));
        }
        rows.extend(layer.note.iter().map(|note| row(format!(" | {} | ", prose(note)))));
        rows
    })
}

/// The cure of each class, once.
fn cures(culprits: &Culprits) -> String {
    let cures = culprits::cures(culprits.layers.iter().flat_map(|layer| &layer.files));
    let rows = cut(cures.iter().map(|(cause, cure)| format!("- **{}**: {}\n", prose(cause), prose(cure))), ROWS);
    if rows.is_empty() { rows } else { format!("What usually mends it:\n\n{rows}\n") }
}

fn bullets(all: &[&str]) -> impl Iterator<Item = String> {
    all.iter().map(|text| format!("- {}\n", prose(text)))
}
