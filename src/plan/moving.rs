//! Tags that move and tags that stay: told by their names, because nothing else of a tag is known to everybody.

use std::sync::LazyLock;

use regex::Regex;

use crate::image::Tag;

/// The least part of a commit's digits that names it in a tag.
const SHORTEST: usize = 7;

/// A whole version somewhere in a tag: `1.2.3`, `v1.2.3-rc.1`, `api-1.2.3`, `1.2.3-alpine`. Not `1.2`, and not `10.1.2.3`.
static WHOLE_VERSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:^|[^0-9.])[0-9]+\.[0-9]+\.[0-9]+(?:$|[^0-9.])").ok());

/// Those of the tags that move. A tag stays where it is put for good if it holds a whole version, or the beginning of the
/// commit the image is made of.
pub(crate) fn moving(tags: &[Tag], commit: Option<&str>) -> Vec<Tag> {
    tags.iter().filter(|tag| !is_fixed(tag.as_str(), commit)).cloned().collect()
}

fn is_fixed(tag: &str, commit: Option<&str>) -> bool {
    let versioned = WHOLE_VERSION.as_ref().is_some_and(|version| version.is_match(tag));
    versioned || commit.is_some_and(|commit| tag.split(['.', '-', '_']).any(|part| names_commit(part, commit)))
}

/// `abc1234`, also behind a letter that says what it is (`gabc1234`, as `git describe` writes it).
fn names_commit(part: &str, commit: &str) -> bool {
    let begins = |digits: &str| digits.len() >= SHORTEST && commit.starts_with(digits);
    begins(part) || part.strip_prefix('g').is_some_and(begins)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const COMMIT: &str = "abc1234def5678abc1234def5678abc1234def56";

    #[rstest]
    #[case("1.2.3", true)]
    #[case("v1.2.3", true)]
    #[case("1.2.3-rc.1", true)]
    #[case("1.2.3-alpine3.20", true)]
    #[case("api-v1.2.3", true)]
    #[case("1.2.3-dev-abc1234", true)]
    #[case("main-abc1234d", true)]
    #[case("sha-abc1234", true)]
    #[case("1.2.3-4-gabc1234", true)]
    #[case("abc1234def5678abc1234def5678abc1234def56", true)]
    #[case("latest", false)]
    #[case("1", false)]
    #[case("1.2", false)]
    #[case("v1.2", false)]
    #[case("main", false)]
    #[case("release-1.2", false)]
    #[case("10.1.2.3", false)]
    #[case("abc12", false)]
    #[case("def5678", false)]
    #[case("1.2-alpine3.20", false)]
    fn a_tag_with_a_version_or_the_commit_stays(#[case] tag: &str, #[case] fixed: bool) {
        assert_eq!(is_fixed(tag, Some(COMMIT)), fixed);
        let tags = [tag.parse().unwrap()];
        assert_eq!(moving(&tags, Some(COMMIT)).is_empty(), fixed);
    }

    #[test]
    fn without_a_commit_only_versions_stay() {
        assert!(is_fixed("1.2.3", None) && !is_fixed("abc1234", None));
    }
}
