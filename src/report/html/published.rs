//! What became of the images, on the page: digests, references, how to pull them, signatures, and where else they are.

use super::super::document::{Build, Document, PublishedTag};
use super::super::headline::fate;
use super::super::pulls::pulls;
use super::super::signed;
use super::text::{block, code, prose};
use super::{list, section as whole, table};

pub(super) fn section(document: &Document) -> String {
    let mut out = published(document);
    out.push_str(&others(document));
    out.push_str(&kept_here(document));
    out
}

fn published(document: &Document) -> String {
    let builds: Vec<&Build> = document.builds.iter().filter(|build| !build.published.is_empty()).collect();
    if builds.is_empty() {
        return String::new();
    }
    let several = document.builds.len() > 1;
    let mut body: String = builds.iter().map(|build| image(build, several)).collect();
    body.push_str(&block(pulls(document).iter().map(String::as_str)));
    signed::sentence(document).iter().for_each(|said| body.push_str(&format!("<p>{}</p>\n", prose(said))));
    whole("Published", &body)
}

/// A digest is told once above the references that share it.
fn image(build: &Build, named: bool) -> String {
    let mut out = if named { format!("<h3>{}</h3>\n", code(&build.id)) } else { String::new() };
    for tags in build.published.chunk_by(|a, b| a.digest == b.digest) {
        let row = |tag: &PublishedTag| format!("<li>{}</li>\n", code(&tag.reference));
        let rows = list(tags.iter().map(row));
        out.push_str(&format!(
            "<div class=\"image\">\n{rows}<p class=\"digest\">{}</p>\n</div>\n",
            code(&tags[0].digest)
        ));
    }
    out
}

fn others(document: &Document) -> String {
    let rows: Vec<_> = document
        .builds
        .iter()
        .flat_map(|build| &build.others)
        .map(|tag| {
            let hint = tag.hint.as_ref().map(|hint| format!("<br><span class=\"muted\">{}</span>", prose(hint)));
            let hint = hint.unwrap_or_default();
            format!("<tr><td>{}</td><td>{}{hint}</td></tr>\n", code(&tag.reference), prose(&fate(tag)))
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    whole("Other tags", &table("Tags that do not name the image", &["Tag", "What became of it"], rows))
}

/// What was loaded into the engine or written as a layout.
fn kept_here(document: &Document) -> String {
    let mut rows = Vec::new();
    for build in &document.builds {
        let digest = build.digest.as_deref().map(|digest| format!("<br>{}", code(digest))).unwrap_or_default();
        rows.extend(build.loaded.iter().map(|name| format!("<li>In the engine: {}{digest}</li>\n", code(name))));
        rows.extend(build.layout.iter().map(|dir| format!("<li>OCI layout: {}{digest}</li>\n", code(dir))));
    }
    if rows.is_empty() { String::new() } else { whole("Images", &list(rows)) }
}
