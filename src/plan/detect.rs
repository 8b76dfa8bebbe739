//! Where a build reads from: its context and its Dockerfile, as configured or found. Looks only at what `Source` holds.

use std::collections::BTreeMap;

use super::facts::{Facts, Findings};
use super::select::Chosen;
use super::{dockerfile, paths};
use crate::config::nearest::nearest;
use crate::problem::Problem;

/// Where a build reads from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) context: String,
    pub(crate) dockerfile: String,
    /// What its text says; `None` where the text is elsewhere.
    pub(crate) read: Option<dockerfile::Dockerfile>,
}

/// Finds it. `None` where a problem was found.
pub(crate) fn origin(chosen: &Chosen<'_>, facts: &Facts<'_>, found: &mut Findings) -> Option<Origin> {
    let inputs = &facts.request.inputs;
    let given = |input: &Option<String>, name, configured: &Option<String>, key| match input {
        Some(path) if chosen.named => Some((path.clone(), format!("input `{name}`"))),
        _ => configured.clone().map(|path| (path, format!("builds.{}.{key}", chosen.build.id))),
    };
    let context = match given(&inputs.context, "context", &chosen.build.context, "context") {
        None => Some(".".to_owned()),
        Some((context, what)) => found.keep(self::context(&context, &what, facts).map_err(|p| facts.placed(p, &what))),
    };
    let file = given(&inputs.file, "file", &chosen.build.dockerfile, "dockerfile");
    let file = match (file, context.as_deref()) {
        (None, None) => return None,
        (None, Some(url)) if paths::is_url(url) => Some("Dockerfile".to_owned()),
        (None, Some(dir)) => found.keep(first(dir, facts)).map(|(file, note)| {
            note.into_iter().for_each(|note| found.note(note));
            file
        }),
        (Some((file, what)), context) => {
            found.keep(configured(&file, &what, context, facts).map_err(|p| facts.placed(p, &what)))
        }
    };
    let (context, dockerfile) = (context?, file?);
    let text = (!paths::is_url(&context)).then(|| facts.request.source.dockerfiles.get(&dockerfile)).flatten();
    Some(Origin { read: text.map(|text| dockerfile::read(text)), context, dockerfile })
}

fn context(context: &str, what: &str, facts: &Facts<'_>) -> Result<String, Problem> {
    if context == "-" {
        return Err(Problem::new(format!("{what} is `-`, but a build here has no standard input"))
            .hint("give a directory or a git address"));
    }
    if paths::is_url(context) {
        return Ok(context.to_owned());
    }
    paths::inside(context, &facts.request.source.root, what)
}

/// The Dockerfile that was named: it has to be there.
fn configured(file: &str, what: &str, context: Option<&str>, facts: &Facts<'_>) -> Result<String, Problem> {
    if file == "-" {
        return Err(Problem::new(format!("{what} is `-`, but a build here has no standard input"))
            .hint("give the path of a Dockerfile"));
    }
    // Within a remote context only BuildKit can look.
    if paths::is_url(file) || context.is_some_and(paths::is_url) {
        return Ok(file.to_owned());
    }
    let path = paths::inside(file, &facts.request.source.root, what)?;
    let known = &facts.request.source.dockerfiles;
    if known.contains_key(&path) {
        return Ok(path);
    }
    let beside = context.map(|dir| paths::join(dir, &path)).filter(|beside| known.contains_key(beside));
    let near = beside.or_else(|| nearest(&path, dockerfiles(known)).map(str::to_owned));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`? Paths are relative to the root of the repository"),
        None => listed(known),
    };
    Err(Problem::new(format!("{what}: there is no Dockerfile at `{path}`")).hint(hint))
}

/// The Dockerfile nobody named: in the context, in the root, else the one nearest to the root; with a note where there
/// were others to choose from.
fn first(dir: &str, facts: &Facts<'_>) -> Result<(String, Option<String>), Problem> {
    let known = &facts.request.source.dockerfiles;
    let usual = ["Dockerfile", "Containerfile"];
    let places: &[&str] = if dir == "." { &["."] } else { &[dir, "."] };
    let looked: Vec<String> =
        places.iter().flat_map(|place| usual.iter().map(move |name| paths::join(place, name))).collect();
    if let Some(path) = looked.iter().find(|path| known.contains_key(*path)) {
        return Ok((path.clone(), None));
    }
    let mut found: Vec<&str> = dockerfiles(known).collect();
    found.sort_by_key(|path| {
        (path.matches('/').count(), !usual.contains(&path.rsplit('/').next().unwrap_or(path)), *path)
    });
    let Some(path) = found.first() else {
        return Err(Problem::new(format!(
            "there is no Dockerfile: looked for {} and below the root",
            looked.join(", ")
        ))
        .hint("add a Dockerfile, or name yours with the input `file` or `dockerfile` in the config"));
    };
    let note = (found.len() > 1).then(|| {
        format!(
            "took `{path}` of {} Dockerfiles; name one with the input `file` or `dockerfile` in the config",
            found.len()
        )
    });
    Ok(((*path).to_owned(), note))
}

fn dockerfiles(known: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    known.keys().map(String::as_str).filter(|path| !path.ends_with(".dockerignore"))
}

fn listed(known: &BTreeMap<String, String>) -> String {
    let some: Vec<&str> = dockerfiles(known).take(8).collect();
    if some.is_empty() {
        "no Dockerfile was found in this repository".to_owned()
    } else {
        format!("found: {}", some.join(", "))
    }
}
