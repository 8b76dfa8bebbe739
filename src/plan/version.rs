//! The version of what is built, as the run's tag and git tell it.

use semver::Version as Semver;

use super::Version;
use crate::source::GitTag;

/// Finds the version.
///
/// The run's own tag decides if it is semver (a leading `v` is optional); else the nearest semver tag: on it, its version
/// is a release; past it, `-dev+<sha7>` follows its base; without any, it is `0.0.0-dev+<sha7>`. Tags of a scope
/// (`cli-v1.2.3`) are not the version, except where a repository has no others and the run is for one of them.
pub(crate) fn version(run_tag: Option<&str>, tags: &[GitTag], commit: Option<&str>) -> Version {
    find(run_tag, tags, commit)
        .or_else(|| run_tag.and_then(scoped).as_ref().map(release))
        .unwrap_or_else(|| dev(&Semver::new(0, 0, 0), commit))
}

fn find(run_tag: Option<&str>, tags: &[GitTag], commit: Option<&str>) -> Option<Version> {
    if let Some(exact) = run_tag.and_then(parse) {
        return Some(release(&exact));
    }
    let (nearest, distance) = tags.iter().find_map(|tag| Some((parse(&tag.name)?, tag.distance)))?;
    Some(if distance == 0 { release(&nearest) } else { dev(&nearest, commit) })
}

fn parse(tag: &str) -> Option<Semver> {
    Semver::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// The version in `cli-v1.2.3`.
fn scoped(tag: &str) -> Option<Semver> {
    tag.match_indices("-v").filter(|(at, _)| *at > 0).find_map(|(at, _)| parse(&tag[at + 1..]))
}

/// The version of a commit that carries its tag.
pub(crate) fn release(version: &Semver) -> Version {
    Version { full: version.to_string(), prerelease: version.pre.to_string(), release: true, ..parts(version) }
}

/// The version of a commit that came after the tag.
pub(crate) fn dev(version: &Semver, commit: Option<&str>) -> Version {
    let base = parts(version);
    let sha = commit.and_then(|sha| sha.get(..7)).map(|sha| format!("+{sha}")).unwrap_or_default();
    Version { full: format!("{}-dev{sha}", base.base), prerelease: "dev".to_owned(), release: false, ..base }
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
    #[case::past_a_prerelease(None, &[("v1.2.3-rc.1", 2)], "1.2.3-dev+abc1234", false)]
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
        let found = version(run_tag, &tags(list), Some(SHA));
        assert_eq!((found.full.as_str(), found.release), (full, release));
    }

    #[test]
    fn a_version_has_parts() {
        let found = version(Some("v1.22.333-rc.1"), &[], Some(SHA));
        let Version { base, major, minor, patch, prerelease, .. } = found;
        assert_eq!([base, major, minor, patch, prerelease], ["1.22.333", "1", "22", "333", "rc.1"]);
        assert_eq!(version(None, &[], None).full, "0.0.0-dev", "nothing is made up without a commit");
        assert_eq!(version(None, &[], Some("abc")).full, "0.0.0-dev");
        assert_eq!(version(None, &tags(&[("v2.0.0", 1)]), Some(SHA)).prerelease, "dev");
    }
}
