//! Names of images, as templates: registry, repository, tag.

use super::expression::{Expr, Piece, parse, pieces};
use crate::config::template::Template;
use crate::image::Repository;
use crate::init::files::scalar;

/// What a job tells of the registries in its names.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Registries that its steps log in to, as templates.
    pub(super) hosts: Vec<String>,
    /// Users of Docker Hub that its steps log in as, as written, without blanks.
    pub(super) users: Vec<String>,
}

/// Why a name cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untold {
    /// Its first part is known in the job alone: a registry, a part of a path, or a whole list of references.
    Registry,
    /// It is no name of an image.
    NoName,
}

/// `${{ steps.ID.outputs.NAME }}`, and nothing else.
pub(super) fn step_output(text: &str) -> Option<(String, String)> {
    let parts = pieces(text.trim());
    let [Piece::Expression(inner)] = parts.as_slice() else { return None };
    let Some(Expr::Path(path)) = parse(inner) else { return None };
    let (id, output) = path.strip_prefix("steps.")?.split_once(".outputs.")?;
    Some((id.to_owned(), output.to_owned()))
}

/// Name and tag of a reference; `latest` where it has none.
pub(super) fn tagged(text: &str) -> (String, Vec<String>) {
    let (mut depth, mut colon) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => colon = None,
            ':' if depth == 0 => colon = Some(at),
            _ => {}
        }
    }
    match colon {
        Some(at) => (text[..at].to_owned(), vec![text[at + 1..].to_owned()]),
        None => (text.to_owned(), vec!["latest".to_owned()]),
    }
}

/// Registry and path of a name, `written` so and a template by now. A first part that only the job knows is a registry if somebody
/// logs in there, and on Docker Hub if somebody logs in as it: no user there is called like a host. Else nobody can say what it is.
pub(super) fn repository(written: &str, name: &str, places: &Places) -> Result<(String, String), Untold> {
    let name = lower(name.trim());
    let known = places
        .hosts
        .iter()
        .find_map(|host| Some((host.clone(), name.strip_prefix(&lower(host))?.strip_prefix('/')?.to_owned())));
    let (url, path) = match (known, name.split_once('/')) {
        (Some(known), _) => known,
        (None, Some((first, rest))) if !first.contains('{') && (first.contains(['.', ':']) || first == "localhost") => {
            (first.to_owned(), rest.to_owned())
        }
        (None, Some((first, _))) if first.contains('{') && !places.is_user(written) => return Err(Untold::Registry),
        (None, None) if name.contains('{') => return Err(Untold::Registry),
        _ => ("docker.io".to_owned(), name.clone()),
    };
    let url = match url.as_str() {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => "docker.io".to_owned(),
        _ => url,
    };
    let odd = |text: &str| text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '$');
    let bad = !name.contains('{') && Repository::new(&url, &path).is_err();
    if bad || odd(&url) || odd(&path) { Err(Untold::NoName) } else { Ok((url, path)) }
}

impl Places {
    /// Whether a name, as written, begins with a user of Docker Hub.
    fn is_user(&self, written: &str) -> bool {
        let squeezed = squeezed(written);
        self.users.iter().any(|user| squeezed.strip_prefix(user.as_str()).is_some_and(|rest| rest.starts_with('/')))
    }
}

pub(super) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Whether a template can be a tag; why not, if it cannot.
pub(super) fn tag(template: &str) -> Result<(), String> {
    Template::parse(template).and_then(|template| template.check_tag()).map_err(|error| error.to_string())
}

/// Lower case outside of braces: registries take no other.
fn lower(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .map(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 { c.to_ascii_lowercase() } else { c }
        })
        .collect()
}

/// A value with expressions in a workflow: bare where YAML lets it be.
pub(super) fn expression_scalar(text: &str) -> String {
    let bare = text.starts_with("${{")
        && text.ends_with("}}")
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains('\n');
    if bare { text.to_owned() } else { scalar(text) }
}
