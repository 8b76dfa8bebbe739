//! `{version:SCOPE}`: the version told by git tags of the form `SCOPE-v1.2.3`.

use crate::plan::Version;
use crate::source::GitTag;

/// The version of a scope: that of the run's own tag if it is of this scope, else of the nearest tag behind the commit, with
/// `-dev+<sha7>` once commits have been added to it. `None` where no tag is of this scope.
pub(super) fn version(scope: &str, run_tag: Option<&str>, tags: &[GitTag], sha: Option<&str>) -> Option<Version> {
    if let Some(exact) = run_tag.and_then(|tag| of_tag(scope, tag)) {
        return Some(parts(&exact, None));
    }
    let (nearest, found) =
        tags.iter().filter_map(|tag| Some((tag, of_tag(scope, &tag.name)?))).min_by_key(|(tag, _)| tag.distance)?;
    let ahead = (nearest.distance > 0).then(|| sha.map_or("", |sha| sha.get(..7).unwrap_or(sha)));
    Some(parts(&found, ahead))
}

fn of_tag(scope: &str, tag: &str) -> Option<semver::Version> {
    semver::Version::parse(tag.strip_prefix(scope)?.strip_prefix("-v")?).ok()
}

/// The parts of a version; `ahead` is the short commit of a run past the tag.
fn parts(version: &semver::Version, ahead: Option<&str>) -> Version {
    let base = format!("{}.{}.{}", version.major, version.minor, version.patch);
    let full = match ahead {
        None => version.to_string(),
        Some("") => format!("{base}-dev"),
        Some(sha) => format!("{base}-dev+{sha}"),
    };
    Version {
        full,
        base,
        major: version.major.to_string(),
        minor: version.minor.to_string(),
        patch: version.patch.to_string(),
        prerelease: if ahead.is_some() { "dev".to_owned() } else { version.pre.to_string() },
        release: ahead.is_none(),
    }
}
