//! Whether a moving tag goes forward: only from an earlier commit, or on a release from a lower version; never back, and never
//! from what cannot be told. Decides; puts nothing.
//!
//! Commits are compared in the checkout, then by the forge's API, then in a bounded fetch. The two rules never mix: a release
//! goes by version alone, any other run by commit alone.

mod compare;
mod fetch;
mod history;
mod labels;

use semver::Version as Semver;

#[cfg(test)]
pub(super) use history::tests::of_checkout;
pub use history::{History, Relation};
pub use labels::holder;

use crate::image::Digest;
use crate::plan::Version;
use crate::problem::Problem;

/// The cure that always works, for the person who knows better.
const ONCE: &str = "to take it all the same, run once with `publish: moving_tags: always`";

/// What takes the tag.
#[derive(Debug, Clone, Copy)]
pub struct Ours<'a> {
    /// The commit of our image.
    pub revision: Option<&'a str>,
    /// Its version.
    pub version: &'a Version,
    /// The run is for a git tag that is a version: moving tags then go by version, else by commit.
    pub release: bool,
}

/// What the tag names now, by the labels of its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its digest.
    pub digest: Digest,
    /// `org.opencontainers.image.revision`: 40 or 64 lower-case hex digits.
    pub revision: Option<String>,
    /// `org.opencontainers.image.version`, as a semantic version without a `v` before it.
    pub version: Option<String>,
    /// Labels that are there and say nothing that can be used: a revision that is no commit, a version that is none.
    pub unusable: Vec<&'static str>,
}

/// What may be done with the tag. Each with one sentence that says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It goes forward.
    Take(String),
    /// There is nothing to compare: its image says nothing of its commit, or is of ours. Taken, and that is said.
    Pass(String),
    /// It would go back.
    Leave(String),
    /// It cannot be told. The problem says why and how to mend it.
    Unknown(Problem),
}

/// May we take it? Reads and asks nothing where labels alone tell.
pub async fn judge(ours: Ours<'_>, holder: &Holder, history: &History) -> Ruling {
    if let (Some(own), Some(theirs)) = (ours.revision, &holder.revision)
        && own.eq_ignore_ascii_case(theirs)
    {
        return Ruling::Pass("it names another image of this commit".to_owned());
    }
    // A version that comes without a commit is most often that of a base image, whose labels images inherit: only a release's
    // counts, and only for a release.
    let mute = holder.revision.is_none() && !holder.unusable.contains(&labels::REVISION);
    match (ours.release, &holder.version) {
        (true, Some(version)) if !(mute && is_branch_build(version)) => by_version(ours.version, version, holder),
        _ if mute => Ruling::Pass("the image it names says nothing of its commit".to_owned()),
        (true, _) => {
            let what = "the image it names has no version that could be compared with this release's";
            Ruling::Unknown(Problem::new(what).hint(ONCE))
        }
        (false, _) => by_commit(ours.revision, holder.revision.as_deref(), history).await,
    }
}

/// A release takes a tag from a lower one.
fn by_version(ours: &Version, theirs: &str, holder: &Holder) -> Ruling {
    let (Ok(own), Ok(other)) = (Semver::parse(&ours.full), Semver::parse(theirs)) else {
        let what = format!("{} and {theirs}, which it names, cannot be compared as versions", ours.full);
        return Ruling::Unknown(Problem::new(what).hint(ONCE));
    };
    if is_branch_build(theirs) {
        let what = format!("it names {theirs}, an image built on a branch, and this is the release {own}");
        let cure = format!("releases and branch builds cannot share a tag: give them different ones; {ONCE}");
        return Ruling::Unknown(Problem::new(what).hint(cure));
    }
    match own.cmp_precedence(&other) {
        std::cmp::Ordering::Greater => Ruling::Take(format!("{own} is higher than {other}, which it names")),
        std::cmp::Ordering::Less => Ruling::Leave(format!("{own} is lower than {other}, which it names")),
        std::cmp::Ordering::Equal => {
            let of = holder.revision.as_deref().map(|commit| format!(" of commit {}", short(commit)));
            let what = format!("it names another image{} with the version {other}", of.unwrap_or_default());
            Ruling::Unknown(Problem::new(what).hint(format!("if the git tag was moved on purpose: {ONCE}")))
        }
    }
}

/// Any other run takes a tag from a commit behind its own.
async fn by_commit(ours: Option<&str>, theirs: Option<&str>, history: &History) -> Ruling {
    let Some(theirs) = theirs else {
        let what = "the image it names has a revision label that is no commit";
        return Ruling::Unknown(Problem::new(what).hint(ONCE));
    };
    let Some(ours) = ours else {
        let what = format!("it names commit {}, and this run knows no commit of its own", short(theirs));
        return Ruling::Unknown(Problem::new(what).hint(format!("build from a git checkout; {ONCE}")));
    };
    let (own, other) = (short(ours), short(theirs));
    match history.relation(theirs, ours).await {
        Ok(Relation::Earlier) => Ruling::Take(format!("{other}, which it names, is an earlier commit")),
        Ok(Relation::Later) => Ruling::Leave(format!("{own} is older than {other}, which it names")),
        Ok(Relation::Apart) => Ruling::Leave(format!("{other}, which it names, is not in the history of {own}")),
        Err(problem) => Ruling::Unknown(problem),
    }
}

/// As `plan` makes versions past a tag: `1.2.3-dev`, `1.2.3-dev+abc1234`.
fn is_branch_build(version: &str) -> bool {
    Semver::parse(version).is_ok_and(|version| version.pre.as_str() == "dev")
}

/// The part of a commit's id that people read.
fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

#[cfg(test)]
mod tests;
