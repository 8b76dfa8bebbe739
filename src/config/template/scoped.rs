//! `{version:SCOPE}`: the version told by git tags of the form `SCOPE-v1.2.3`.

use crate::plan::Version;
use crate::plan::version::{dev, release};
use crate::source::GitTag;

/// The version of a scope: that of the run's own tag if it is of this scope, else of the nearest tag behind the commit, with
/// `-dev+<sha7>` once commits have been added to it. `None` where no tag is of this scope.
pub(super) fn version(scope: &str, run_tag: Option<&str>, tags: &[GitTag], sha: Option<&str>) -> Option<Version> {
    if let Some(exact) = run_tag.and_then(|tag| of_tag(scope, tag)) {
        return Some(release(&exact));
    }
    let (nearest, found) =
        tags.iter().filter_map(|tag| Some((tag, of_tag(scope, &tag.name)?))).min_by_key(|(tag, _)| tag.distance)?;
    Some(if nearest.distance == 0 { release(&found) } else { dev(&found, sha) })
}

fn of_tag(scope: &str, tag: &str) -> Option<semver::Version> {
    semver::Version::parse(tag.strip_prefix(scope)?.strip_prefix("-v")?).ok()
}
