//! How images were proven, on the page: the ladder of trust, what was compared, and where two builds differ, what and why.

use super::super::culprits;
use super::super::document::{Build, CheckState, CulpritLayer, Culprits, Document, Proof, TrustLevel};
use super::super::headline::duration;
use super::super::verdict::{advice, cause, check, hows, level, proven, state, untold_obstacles, verdict};
use super::failure::place;
use super::text::{code, prose, text};
use super::{limited, list, section as whole, table};

/// So many files that differ are shown for a layer; the document has more.
const FILES: usize = 60;

const LADDER: [TrustLevel; 4] =
    [TrustLevel::Viable, TrustLevel::Consistent, TrustLevel::Deterministic, TrustLevel::Reproducible];

/// Empty where nothing was to be proven.
pub(super) fn section(document: &Document) -> String {
    let proven = proven(document);
    let several = proven.len() > 1;
    proven.into_iter().map(|(build, proof)| one(document, build, proof, several)).collect()
}

fn one(document: &Document, build: &Build, proof: &Proof, several: bool) -> String {
    let mut body = String::new();
    if several {
        body.push_str(&format!("<p>{}</p>\n", prose(&verdict(document, build, proof))));
    }
    body.push_str(&ladder(proof));
    let obstacles = untold_obstacles(document, build, proof);
    if !obstacles.is_empty() {
        let title = if proof.passed { "What kept it from the next level" } else { "What stood in the way" };
        let rows = list(obstacles.iter().map(|said| format!("<li>{}</li>\n", prose(said))));
        body.push_str(&format!("<h3>{title}</h3>\n{rows}"));
    }
    advice(document, build, proof)
        .iter()
        .for_each(|said| body.push_str(&format!("<p class=\"hint\">{}</p>\n", prose(said))));
    body.push_str(&passes(proof));
    proof.culprits.iter().for_each(|culprits| body.push_str(&differing(culprits)));
    body.push_str(&checks(proof));
    whole(&if several { format!("Proof of {}", code(&build.id)) } else { "Proof".to_owned() }, &body)
}

/// Every level, whether it was reached and which was asked for: in words, for those who see no colour.
fn ladder(proof: &Proof) -> String {
    let rungs: String = LADDER
        .iter()
        .map(|rung| {
            let reached = proof.trust.is_some_and(|trust| trust >= *rung);
            let class = if reached { " class=\"reached\"" } else { "" };
            let asked = if *rung == proof.min_trust { " <small>asked for</small>" } else { "" };
            let unseen = if reached { "reached" } else { "not reached" };
            format!("<li{class}>{}{asked}<span class=\"unseen\">, {unseen}</span></li>\n", level(*rung))
        })
        .collect();
    let by = if proof.runner == "candidate" { ", the second build was run by the candidate" } else { "" };
    let attestation = proof.provenance.as_ref().map(|path| format!(", attestation {}", code(path))).unwrap_or_default();
    format!(
        "<ol class=\"ladder\">\n{rungs}</ol>\n<p class=\"muted\">Proof {}{by}{attestation}</p>\n",
        code(&proof.run_id)
    )
}

fn passes(proof: &Proof) -> String {
    let rows = proof.passes.iter().enumerate().take(2).map(|(i, pass)| {
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"number\">{}</td><td>{}</td></tr>\n",
            if i == 0 { "First" } else { "Second" },
            code(&pass.digest),
            duration(pass.seconds),
            prose(&pass.by)
        )
    });
    let mut rows: Vec<String> = rows.collect();
    if rows.len() == 1 {
        rows.push(
            "<tr><th scope=\"row\">Second</th><td>no image</td><td class=\"number\">–</td><td>–</td></tr>\n".into(),
        );
    }
    table("The two builds", &["Build", "Digest", "Time", "By"], rows)
}

fn checks(proof: &Proof) -> String {
    let rows = proof.checks.iter().map(|found| {
        let subject = if found.subject.is_empty() { String::new() } else { format!(" {}", code(&found.subject)) };
        let class = match found.state {
            CheckState::Match => "good",
            CheckState::Differs => "bad",
            CheckState::Unavailable => "warn",
            CheckState::NotAsked => "muted",
        };
        let detail = if found.detail.is_empty() { String::new() } else { format!("<br>{}", prose(&found.detail)) };
        let (what, state) = (prose(&check(&found.kind)), state(found.state));
        format!(
            "<tr><th scope=\"row\">{what}{subject}</th><td><span class=\"{class}\">{state}</span>{detail}</td></tr>\n"
        )
    });
    format!("<h3>What was compared</h3>\n{}", table("What was compared", &["Compared", "State"], rows))
}

fn differing(culprits: &Culprits) -> String {
    let layers = limited(culprits.layers.iter().map(layer));
    let mut out = if layers.is_empty() { layers } else { format!("<h3>What differs, and why</h3>\n{layers}") };
    out.push_str(&cures(culprits));
    let change = |value: &Option<String>| value.as_ref().map_or("absent".to_owned(), |value| code(value));
    let changes: Vec<_> = culprits
        .config
        .iter()
        .map(|c| {
            let (field, a, b) = (code(&c.field), change(&c.a), change(&c.b));
            format!(
                "<tr><td>{field}</td><td><span class=\"narrow\">First: </span>{a}</td>\
                 <td><span class=\"narrow\">Second: </span>{b}</td></tr>\n"
            )
        })
        .collect();
    if !changes.is_empty() {
        out.push_str("<h3>Image configuration</h3>\n");
        out.push_str(&table("Image configuration", &["Field", "First build", "Second build"], changes));
    }
    let mut rest: Vec<String> = culprits::ignored(culprits).into_iter().collect();
    rest.extend(culprits.incomplete.as_ref().map(|why| format!("not everything was compared: {}", prose(why))));
    rest.extend(culprits.listing.as_ref().map(|path| format!("the full listing: {}", code(path))));
    rest.iter().for_each(|said| out.push_str(&format!("<p class=\"muted\">{said}</p>\n")));
    out
}

/// The instruction, and the files of it that differ.
fn layer(layer: &CulpritLayer) -> String {
    let at = layer.location.as_ref().map(|at| format!("{} ", place(at))).unwrap_or_default();
    let origin = layer.origin.as_ref().map(|origin| format!("from {}, ", prose(origin))).unwrap_or_default();
    let platform = if layer.platform.is_empty() { "no platform".to_owned() } else { text(&layer.platform) };
    let mut out = format!(
        "<div class=\"problem\">\n<p class=\"place\">{at}{}</p>\n<p class=\"muted\">{origin}layer {}, {platform}</p>\n",
        code(&layer.instruction),
        layer.layer
    );
    let file = |file: &super::super::document::CulpritFile| {
        let evidence = if file.evidence.is_empty() { String::new() } else { format!("<br>{}", code(&file.evidence)) };
        let (how, cause) = (prose(&hows(&file.how)), prose(&cause(&file.cause)));
        format!("<tr><td>{}</td><td>{how}</td><td>{cause}{evidence}</td></tr>\n", code(&file.path))
    };
    if !layer.files.is_empty() {
        out.push_str(&table("Files that differ", &["File", "How", "Cause"], layer.files.iter().take(FILES).map(file)));
    }
    let more = layer.more + layer.files.len().saturating_sub(FILES) as u64;
    if more > 0 {
        out.push_str(&format!("<p>and {more} more</p>\n"));
    }
    layer.note.iter().for_each(|note| out.push_str(&format!("<p>{}</p>\n", prose(note))));
    out + "</div>\n"
}

/// The cure of each class, once.
fn cures(culprits: &Culprits) -> String {
    let cures = culprits::cures(culprits.layers.iter().flat_map(|layer| &layer.files));
    let row = |(cause, cure): &(String, &str)| format!("<dt>{}</dt><dd>{}</dd>\n", prose(cause), prose(cure));
    let rows = limited(cures.iter().map(row));
    if rows.is_empty() { rows } else { format!("<h3>What usually mends it</h3>\n<dl class=\"plan\">{rows}</dl>\n") }
}
