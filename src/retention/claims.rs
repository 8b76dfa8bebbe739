//! Whose a tag is: the target whose templates could have made it. What no template could have made is nobody's, and stays.

use std::collections::BTreeMap;

use crate::config::model::{Retention, Target};
use crate::config::template::{TagPattern, Template, TemplateError};
use crate::image::Tag;

/// A target, seen as somebody who makes tags in a repository.
#[derive(Debug)]
pub struct Owner {
    /// Target id.
    pub target: String,
    /// Its rules, where they are to be carried out now; `None`: all its tags stay.
    pub retention: Option<Retention>,
    patterns: Vec<TagPattern>,
}

/// Everybody who makes tags in one repository.
#[derive(Debug, Default)]
pub struct Claims(Vec<Owner>);

impl Owner {
    /// # Errors
    /// A template of the target that cannot be turned round. The configuration has been checked, so it names no such one.
    pub fn new(
        target: &Target,
        retention: Option<&Retention>,
        vars: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let pattern = |text: &String| Template::parse(text)?.tag_pattern(vars);
        let patterns = target.tags.iter().map(pattern).collect::<Result<_, _>>()?;
        Ok(Self { target: target.id.clone(), retention: retention.cloned(), patterns })
    }
}

impl Claims {
    /// Of these targets.
    pub fn new(owners: Vec<Owner>) -> Self {
        Self(owners)
    }

    /// All of them.
    pub fn owners(&self) -> &[Owner] {
        &self.0
    }

    /// Whose a tag is, as a place in `owners`. Where templates of several could have made it, it belongs to the most exact one:
    /// `1.2.3-alpine` is of `{version}-alpine` before `{version}`, and of `{version}` before `{branch}`. Equals share it.
    pub fn of(&self, tag: &Tag) -> Vec<usize> {
        let fits = |owner: &Owner| owner.patterns.iter().filter(|p| p.matches(tag)).map(TagPattern::precision).max();
        let all: Vec<_> = self.0.iter().enumerate().filter_map(|(at, owner)| Some((at, fits(owner)?))).collect();
        let best = all.iter().map(|(_, precision)| *precision).max();
        all.into_iter().filter(|(_, precision)| Some(*precision) == best).map(|(at, _)| at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(targets: &[(&str, &[&str])]) -> Claims {
        let owner = |(id, tags): &(&str, &[&str])| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let target = Target { id: (*id).to_owned(), tags, ..Target::default() };
            Owner::new(&target, None, &BTreeMap::new()).unwrap()
        };
        Claims::new(targets.iter().map(owner).collect())
    }

    #[test]
    fn a_tag_is_of_the_target_that_could_have_made_it() {
        let claims = claims(&[
            ("plain", &["{version}", "latest"]),
            ("alpine", &["{version}-alpine", "alpine"]),
            ("branches", &["{branch}"]),
            ("again", &["{version}"]),
        ]);
        for (tag, owners) in [
            ("1.2.3", &["plain", "again"][..]),
            ("latest", &["plain"]),
            ("1.2.3-alpine", &["alpine"]),
            ("1.2.3-rc.1", &["plain", "again"]),
            ("alpine", &["alpine"]),
            ("main", &["branches"]),
        ] {
            let found: Vec<_> =
                claims.of(&tag.parse().unwrap()).iter().map(|at| claims.owners()[*at].target.as_str()).collect();
            assert_eq!(found, owners, "{tag}");
        }
        assert_eq!(self::claims(&[("plain", &["{version}"])]).of(&"main".parse().unwrap()), Vec::<usize>::new());
    }
}
