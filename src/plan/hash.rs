//! The plan hash: one number over what decides an image's content, to see that two passes had the same plan.
//!
//! Over: step name, Dockerfile, context, target, platforms, build args without `BUILD_DATE`. The hashed bytes are, for
//! each field in this order, `<name> <length in bytes>:<value>\n`, begun by `stagefreight-plan 1\n`. Names are `step`,
//! `dockerfile`, `context`, `target` (absent without one), `platform` (each, sorted), `arg` (each as `NAME=value`, sorted by
//! name). The lengths make the encoding unambiguous whatever the values hold. Changing it breaks comparisons with
//! published images: raise the number.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// What is hashed. Paths are clean, platforms sorted.
#[derive(Debug)]
pub(crate) struct Hashed<'a> {
    pub(crate) step: &'a str,
    pub(crate) dockerfile: &'a str,
    pub(crate) context: &'a str,
    pub(crate) target: Option<&'a str>,
    pub(crate) platforms: &'a [String],
    pub(crate) build_args: &'a BTreeMap<String, String>,
}

/// 64 hex digits.
pub(crate) fn plan_hash(plan: &Hashed<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(b"stagefreight-plan 1\n");
    let mut field = |name: &str, value: &str| hash.update(format!("{name} {}:{value}\n", value.len()));
    field("step", plan.step);
    field("dockerfile", plan.dockerfile);
    field("context", plan.context);
    if let Some(target) = plan.target {
        field("target", target);
    }
    for platform in plan.platforms {
        field("platform", platform);
    }
    for (name, value) in plan.build_args.iter().filter(|(name, _)| *name != "BUILD_DATE") {
        field("arg", &format!("{name}={value}"));
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn hash(target: Option<&str>, platforms: &[&str], build_args: &[(&str, &str)]) -> String {
        plan_hash(&Hashed {
            step: "app",
            dockerfile: "Dockerfile",
            context: ".",
            target,
            platforms: &platforms.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>(),
            build_args: &args(build_args),
        })
    }

    /// Made with `printf 'stagefreight-plan 1\nstep 3:app\n…' | sha256sum`.
    #[test]
    fn vectors() {
        assert_eq!(hash(None, &[], &[]), "d0bc629e60f44b31e9882b7767fdbfdf2e77889f2101462b0febb1a98f915b58");
        assert_eq!(
            hash(Some("prod"), &["linux/amd64", "linux/arm64"], &[("VERSION", "1.2.3"), ("A", "é=\n")]),
            "ce31ac3331f14933567cef5beaa18b89cc7cb7e24b616c0fdc847f722c399f61"
        );
    }

    #[test]
    fn the_date_of_the_build_is_no_part_of_the_plan() {
        assert_eq!(hash(None, &[], &[("BUILD_DATE", "x")]), hash(None, &[], &[]));
    }

    #[test]
    fn no_two_plans_share_their_bytes() {
        let all = [
            hash(None, &[], &[]),
            hash(Some(""), &[], &[]),
            hash(Some("a"), &[], &[]),
            hash(None, &["a"], &[]),
            hash(None, &[], &[("a", "")]),
            hash(None, &[], &[("a", "b\narg 3:c=d")]),
            hash(None, &[], &[("a", "b"), ("c", "d")]),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
