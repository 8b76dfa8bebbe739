//! The version of what is built, as the run's tag and git tell it.

use std::collections::BTreeMap;

use semver::Version as Semver;

use super::Version;
use crate::source::GitTag;

/// Versions of a checkout: the main one and one for each scope (`cli` of `cli-v1.2.3`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) main: Version,
    pub(crate) scoped: BTreeMap<String, Version>,
}

/// Finds the versions.
///
/// The run's own tag decides if it is semver (a leading `v` is optional); else the nearest semver tag: on it, its version
/// is a release; past it, `-dev+<sha7>` is added; without any, it is `0.0.0-dev+<sha7>`. Where a repository has only scoped
/// tags, a run for one of them has that scope's version.
pub(crate) fn versions(run_tag: Option<&str>, tags: &[GitTag], commit: Option<&str>) -> Versions {
    let mut scoped = BTreeMap::new();
    for scope in run_tag.into_iter().chain(tags.iter().map(|t| t.name.as_str())).filter_map(scope_of) {
        if !scoped.contains_key(scope)
            && let Some(version) = find(run_tag, tags, commit, Some(scope))
        {
            scoped.insert(scope.to_owned(), version);
        }
    }
    let main = find(run_tag, tags, commit, None)
        .or_else(|| scoped.get(scope_of(run_tag?)?).cloned())
        .unwrap_or_else(|| dev(&Semver::new(0, 0, 0), commit));
    Versions { main, scoped }
}

fn find(run_tag: Option<&str>, tags: &[GitTag], commit: Option<&str>, scope: Option<&str>) -> Option<Version> {
    if let Some(exact) = run_tag.and_then(|tag| parse(tag, scope)) {
        return Some(release(&exact));
    }
    let (nearest, distance) = tags.iter().find_map(|tag| Some((parse(&tag.name, scope)?, tag.distance)))?;
    Some(if distance == 0 { release(&nearest) } else { dev(&nearest, commit) })
}

fn parse(tag: &str, scope: Option<&str>) -> Option<Semver> {
    let tag = match scope {
        Some(scope) => tag.strip_prefix(scope)?.strip_prefix('-')?,
        None => tag,
    };
    Semver::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// `cli` of `cli-v1.2.3`; nothing where the tag is a version itself.
fn scope_of(tag: &str) -> Option<&str> {
    if parse(tag, None).is_some() {
        return None;
    }
    tag.match_indices("-v")
        .map(|(at, _)| &tag[..at])
        .find(|scope| !scope.is_empty() && parse(tag, Some(scope)).is_some())
}

fn release(version: &Semver) -> Version {
    Version { full: version.to_string(), prerelease: version.pre.to_string(), release: true, ..parts(version) }
}

fn dev(version: &Semver, commit: Option<&str>) -> Version {
    let pre = if version.pre.is_empty() { "dev".to_owned() } else { format!("{}-dev", version.pre) };
    let base = parts(version);
    let sha = commit.and_then(|sha| sha.get(..7)).map(|sha| format!("+{sha}")).unwrap_or_default();
    Version { full: format!("{}-{pre}{sha}", base.base), prerelease: pre, release: false, ..base }
}

fn parts(version: &Semver) -> Version {
    Version {
        base: format!("{}.{}.{}", version.major, version.minor, version.patch),
        major: version.major.to_string(),
        minor: version.minor.to_string(),
        patch: version.patch.to_string(),
        ..Version::default()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SHA: &str = "abc1234def5678abc1234def5678abc1234def56";

    fn tags(list: &[(&str, u32)]) -> Vec<GitTag> {
        list.iter().map(|(name, distance)| GitTag { name: (*name).into(), distance: *distance }).collect()
    }

    #[rstest]
    #[case::exact(Some("v1.2.3"), &[("v9.9.9", 0)], "1.2.3", true)]
    #[case::without_v(Some("1.2.3-rc.1"), &[], "1.2.3-rc.1", true)]
    #[case::build_metadata(Some("v1.2.3+linux"), &[], "1.2.3+linux", true)]
    #[case::run_tag_is_no_version(Some("latest"), &[("latest", 0), ("v1.0.0", 3)], "1.0.0-dev+abc1234", false)]
    #[case::on_a_tag(None, &[("v1.2.3", 0)], "1.2.3", true)]
    #[case::past_a_tag(None, &[("v1.2.3", 2)], "1.2.3-dev+abc1234", false)]
    #[case::past_a_prerelease(None, &[("v1.2.3-rc.1", 2)], "1.2.3-rc.1-dev+abc1234", false)]
    #[case::nearest_version(None, &[("nightly", 0), ("v1", 1), ("v1.2", 1), ("v1.1.0", 2), ("v3.0.0", 9)], "1.1.0-dev+abc1234", false)]
    #[case::no_tag(None, &[], "0.0.0-dev+abc1234", false)]
    #[case::scopes_are_not_the_version(None, &[("cli-v2.0.0", 0), ("v1.0.0", 5)], "1.0.0-dev+abc1234", false)]
    #[case::run_for_a_scope(Some("cli-v2.0.0"), &[("cli-v2.0.0", 0)], "2.0.0", true)]
    #[case::run_for_a_scope_beside_versions(Some("cli-v2.0.0"), &[("cli-v2.0.0", 0), ("v1.0.0", 0)], "1.0.0", true)]
    #[case::hostile(Some("v1.2.3\n::error::"), &[("../v1.2.3", 0)], "0.0.0-dev+abc1234", false)]
    fn versions_come_from_tags(
        #[case] run_tag: Option<&str>,
        #[case] list: &[(&str, u32)],
        #[case] full: &str,
        #[case] release: bool,
    ) {
        let version = versions(run_tag, &tags(list), Some(SHA)).main;
        assert_eq!((version.full.as_str(), version.release), (full, release));
    }

    #[test]
    fn a_version_has_parts() {
        let version = versions(Some("v1.22.333-rc.1"), &[], Some(SHA)).main;
        let Version { base, major, minor, patch, prerelease, .. } = version;
        assert_eq!([base, major, minor, patch, prerelease], ["1.22.333", "1", "22", "333", "rc.1"]);
        assert_eq!(versions(None, &[], None).main.full, "0.0.0-dev", "nothing is made up without a commit");
        assert_eq!(versions(None, &[], Some("abc")).main.full, "0.0.0-dev");
        assert_eq!(versions(None, &tags(&[("v2.0.0", 1)]), Some(SHA)).main.prerelease, "dev");
    }

    #[test]
    fn scopes_have_their_own_versions() {
        let list = tags(&[("cli-v2.1.0", 0), ("api-gateway-v0.3.0", 4), ("cli-v2.0.0", 7), ("v1.0.0-v2.0.0", 0)]);
        let scoped = versions(None, &list, Some(SHA)).scoped;
        let full: Vec<_> = scoped.iter().map(|(scope, v)| (scope.as_str(), v.full.as_str())).collect();
        assert_eq!(full, [("api-gateway", "0.3.0-dev+abc1234"), ("cli", "2.1.0")]);
    }
}
