//! What `stagefreight diff` is given, in skopeo's words (`containers/image` docs/containers-transports.5.md). Pure, but for a
//! look at whether a file is there.

use std::path::{Path, PathBuf};

use crate::image::{Digest, Repository, Tag};
use crate::problem::Problem;

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// In a registry.
    Registry(Repository, Version),
    /// In the docker engine, by name or id.
    Engine(String),
    /// In a layout on disk; the name of one image, if there are several.
    Layout(PathBuf, Option<String>),
    /// In a file of `docker save`, or a tar of a layout.
    Archive(PathBuf),
}

/// Which image of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Version {
    Tag(Tag),
    Digest(Digest),
}

const FORMS: &str = "Write docker://HOST/NAME:TAG (or @sha256:…), docker-daemon:NAME:TAG, oci:DIRECTORY, docker-archive:FILE, or \
                     just a name or a path.";

impl Source {
    /// Reads one argument; paths are relative to `cwd`.
    ///
    /// # Errors
    /// When it is none of these.
    pub(super) fn parse(text: &str, cwd: &Path) -> Result<Self, Problem> {
        let wrong = |why: String| Problem::new(why).hint(FORMS);
        if let Some(name) = text.strip_prefix("docker://") {
            return registry(name).map_err(wrong);
        }
        if let Some(name) = text.strip_prefix("docker-daemon:") {
            return if name.is_empty() {
                Err(wrong("docker-daemon: names no image".to_owned()))
            } else {
                Ok(Self::Engine(name.to_owned()))
            };
        }
        if let Some(path) = text.strip_prefix("oci:") {
            return Ok(layout(path, cwd));
        }
        if let Some(path) = text.strip_prefix("docker-archive:") {
            return Ok(Self::Archive(cwd.join(path)));
        }
        let path = cwd.join(text);
        if path.join("oci-layout").exists() {
            Ok(Self::Layout(path, None))
        } else if path.is_file() {
            Ok(Self::Archive(path))
        } else if path.is_dir() {
            Err(wrong(format!("{text} is a directory, and no OCI layout: there is no `oci-layout` in it")))
        } else {
            registry(text).map_err(wrong)
        }
    }
}

/// `DIR` or `DIR:NAME`; a directory that is there wins, whatever its name.
fn layout(text: &str, cwd: &Path) -> Source {
    match text.rsplit_once(':') {
        Some((dir, name)) if !name.is_empty() && !cwd.join(text).exists() => {
            Source::Layout(cwd.join(dir), Some(name.to_owned()))
        }
        _ => Source::Layout(cwd.join(text), None),
    }
}

/// `NAME`, `NAME:TAG`, `NAME@DIGEST`; of a name with both, the digest counts.
fn registry(text: &str) -> Result<Source, String> {
    let told = |why: String| format!("`{text}` is neither a file nor the name of an image: {why}");
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest.parse::<Digest>().map_err(|e| told(e.to_string()))?)),
        None => (text, None),
    };
    let (repository, tag) = crate::image::reference::parse_tagged(name).map_err(|e| told(e.to_string()))?;
    let version = match (digest, tag) {
        (Some(digest), _) => Version::Digest(digest),
        (None, Some(tag)) => Version::Tag(tag),
        (None, None) => Version::Tag("latest".parse().map_err(|_| told("no tag".to_owned()))?),
    };
    Ok(Source::Registry(repository, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, cwd: &Path) -> String {
        match Source::parse(text, cwd) {
            Ok(Source::Registry(repository, Version::Tag(tag))) => format!("registry {repository} {tag}"),
            Ok(Source::Registry(repository, Version::Digest(digest))) => {
                format!("registry {repository} {}", digest.short())
            }
            Ok(Source::Engine(name)) => format!("engine {name}"),
            Ok(Source::Layout(path, name)) => {
                format!("layout {} {}", path.strip_prefix(cwd).unwrap_or(&path).display(), name.unwrap_or_default())
            }
            Ok(Source::Archive(path)) => format!("archive {}", path.strip_prefix(cwd).unwrap_or(&path).display()),
            Err(problem) => {
                assert!(problem.hint.unwrap().contains("docker-daemon:"));
                format!("error {}", problem.what)
            }
        }
    }

    #[test]
    fn every_way_to_name_an_image() {
        let cwd = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(cwd.path().join("out:1")).unwrap();
        std::fs::create_dir_all(cwd.path().join("empty")).unwrap();
        std::fs::create_dir_all(cwd.path().join("layout")).unwrap();
        std::fs::write(cwd.path().join("layout/oci-layout"), "{}").unwrap();
        std::fs::write(cwd.path().join("image.tar"), "").unwrap();
        let hex = "a".repeat(64);
        for (text, want) in [
            ("docker://localhost:5000/a/b:1", "registry localhost:5000/a/b 1".to_owned()),
            ("docker://alpine", "registry docker.io/library/alpine latest".to_owned()),
            ("ghcr.io/acme/app", "registry ghcr.io/acme/app latest".to_owned()),
            (&format!("app:1@sha256:{hex}"), "registry docker.io/library/app aaaaaaaaaaaa".to_owned()),
            ("docker-daemon:app:1", "engine app:1".to_owned()),
            ("oci:out", "layout out ".to_owned()),
            ("oci:out:1", "layout out:1 ".to_owned()),
            ("oci:out:v2", "layout out v2".to_owned()),
            ("oci:/abs/out", "layout /abs/out ".to_owned()),
            ("docker-archive:image.tar", "archive image.tar".to_owned()),
            ("image.tar", "archive image.tar".to_owned()),
            ("layout", "layout layout ".to_owned()),
        ] {
            assert_eq!(told(text, cwd.path()), want, "{text}");
        }
        for (text, says) in [
            ("docker-daemon:", "names no image"),
            ("empty", "no `oci-layout` in it"),
            ("./missing.tar", "neither a file nor the name of an image"),
            ("a@sha256:1", "not a digest"),
            ("docker://UPPER", "not a repository path"),
            ("a:b c", "not a legal tag"),
        ] {
            let told = told(text, cwd.path());
            assert!(told.starts_with("error ") && told.contains(says), "{text}: {told}");
        }
    }
}
