//! The files that matter in two images: those the configuration names, else the program the image starts.

use tokio_util::sync::CancellationToken;

use super::proof::{Check, CheckKind, CheckState};
use crate::image::diff::{ImageDiff, PlatformDiff};
use crate::image::files::{self, Found};
use crate::image::manifest::{Children, MAX_MANIFEST};
use crate::image::{Descriptor, Digest, Layout};

/// Programs that start another: that they are the same says nothing about what they run.
const INTERPRETERS: [&str; 22] = [
    "ash",
    "bash",
    "bun",
    "busybox",
    "catatonit",
    "dash",
    "deno",
    "dotnet",
    "dumb-init",
    "env",
    "java",
    "ksh",
    "lua",
    "node",
    "perl",
    "php",
    "python",
    "ruby",
    "sh",
    "tini",
    "toybox",
    "zsh",
];

/// One check for each file and platform that differs; where no platform differs, one that says so.
pub(super) fn checks(
    layouts: (&Layout, &Layout),
    diff: &ImageDiff,
    named: &[String],
    cancel: &CancellationToken,
) -> Vec<Check> {
    let mut checks: Vec<_> =
        diff.platforms.iter().flat_map(|platform| of_platform(layouts, platform, named, cancel)).collect();
    checks.extend(
        diff.only_in_a.iter().chain(&diff.only_in_b).map(|platform| {
            check(platform, CheckState::Differs, "only one of the images has this platform".to_owned())
        }),
    );
    if checks.is_empty() {
        checks.push(check("", CheckState::Match, String::new()));
    }
    checks
}

fn of_platform(
    (a, b): (&Layout, &Layout),
    diff: &PlatformDiff,
    named: &[String],
    cancel: &CancellationToken,
) -> Vec<Check> {
    let compare = || -> Result<Vec<Check>, String> {
        let manifest = |layout: &Layout, digest: &Digest| layout.image(digest).map_err(|e| e.to_string());
        let (first, second) = (manifest(a, &diff.manifests.0)?, manifest(b, &diff.manifests.1)?);
        let paths = match named {
            [] => vec![program(a, &first, cancel)?],
            named => named.to_vec(),
        };
        let (left, right) = (find(a, &first, &paths, cancel)?, find(b, &second, &paths, cancel)?);
        let pairs = paths.iter().zip(left.into_iter().zip(right));
        Ok(pairs.map(|(path, (left, right))| pair(&diff.platform, path, left, right, named.is_empty())).collect())
    };
    compare().unwrap_or_else(|why| vec![check(&diff.platform, CheckState::Unavailable, why)])
}

fn pair(platform: &str, path: &str, a: Option<Found>, b: Option<Found>, guessed: bool) -> Check {
    let subject = format!("{platform} {path}");
    match (a, b) {
        (Some(a), Some(_)) if guessed && is_interpreter(&a.path) => {
            let why = format!(
                "the image starts {}, which only runs something else: name the files that matter under crucible.binaries",
                a.path
            );
            check(&subject, CheckState::Unavailable, why)
        }
        (Some(a), Some(b)) if a.sha256 == b.sha256 => check(&subject, CheckState::Match, a.sha256.to_string()),
        (Some(a), Some(b)) => check(&subject, CheckState::Differs, format!("{} / {}", a.sha256, b.sha256)),
        (None, None) => check(&subject, CheckState::Unavailable, "there is no such file in the image".to_owned()),
        _ => check(&subject, CheckState::Differs, "only one of the images has it".to_owned()),
    }
}

fn is_interpreter(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    // `python3.12`, `php8.2`, `perl5.36.0`
    INTERPRETERS.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'))
}

/// Absolute path of the program an image starts.
fn program(layout: &Layout, manifest: &Descriptor, cancel: &CancellationToken) -> Result<String, String> {
    let children = layout.manifest(manifest).and_then(|found| Ok(found.children()?)).map_err(|e| e.to_string())?;
    let Children::Image { config, .. } = children else { return Err("it is no image".to_owned()) };
    let config = layout.read(&config, MAX_MANIFEST).map_err(|e| e.to_string())?;
    let places = files::entrypoint_candidates(&config);
    let found = find(layout, manifest, &places, cancel)?;
    let first = places.iter().zip(found).find_map(|(place, found)| found.map(|_| place.clone()));
    first.ok_or_else(|| match places.first() {
        Some(place) => format!("the program the image starts, {place}, is not in it"),
        None => "the image starts no program: name the files that matter under crucible.binaries".to_owned(),
    })
}

fn find(
    layout: &Layout,
    manifest: &Descriptor,
    paths: &[String],
    cancel: &CancellationToken,
) -> Result<Vec<Option<Found>>, String> {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    files::find_all(layout, manifest, &paths, cancel).map_err(|e| e.to_string())
}

fn check(subject: &str, state: CheckState, detail: String) -> Check {
    Check { kind: CheckKind::Binary, subject: subject.to_owned(), state, detail }
}
