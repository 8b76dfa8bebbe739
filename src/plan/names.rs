//! Image names as people write them in `tags`: full references and bare tags, with templates in them.

use super::facts::Facts;
use crate::image::{Repository, Tag};
use crate::problem::Problem;

/// A full reference of the `tags` input, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) repository: Repository,
    pub(crate) tag: Tag,
    /// `name:tag` as a person wrote it, for the engine.
    pub(crate) name: String,
}

/// Whether an entry of `tags` is a reference (`host/path:tag`, `name:tag`) and not a bare tag.
pub(crate) fn is_reference(entry: &str) -> bool {
    outside_braces(entry).any(|(_, c)| c == '/' || c == ':')
}

/// Reads a reference. Without a tag it is `latest`, as docker has it; capitals in the path become small letters, because
/// owners are often written with them and no registry takes them.
pub(crate) fn reference(entry: &str, facts: &Facts<'_>) -> Result<Reference, Problem> {
    let what = format!("input `tags`: `{entry}`");
    let after_slash = outside_braces(entry).filter(|(_, c)| *c == '/').last().map_or(0, |(at, _)| at + 1);
    let colon = outside_braces(entry).find(|(at, c)| *at >= after_slash && *c == ':').map(|(at, _)| at);
    let (path, tag) = colon.map_or((entry, "latest"), |at| (&entry[..at], &entry[at + 1..]));
    if path.contains('@') {
        return Err(Problem::new(format!("{what} is a reference by digest, and nothing can be published to a digest"))
            .hint("write `host/path:tag`"));
    }
    let path = facts.render(path, &what)?.to_lowercase();
    let tag = facts.render_tag(tag, &what)?;
    let repository: Repository = path.parse().map_err(|e| bad_name(&what, &e))?;
    Ok(Reference { name: format!("{path}:{tag}"), repository, tag })
}

/// A bad repository name with its cure.
pub(crate) fn bad_name(what: &str, error: &crate::image::reference::BadName) -> Problem {
    Problem::new(format!("{what}: {error}")).hint("an image is named `host[:port]/path:tag`, `ghcr.io/acme/app:1.2.3`")
}

/// Characters that stand in no template variable.
fn outside_braces(entry: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut depth = 0_usize;
    entry.char_indices().filter(move |(_, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}
