use proptest::prelude::*;

use super::*;

/// Made with `printf %s "$name" | sha256sum`, the rest by hand from the rules.
#[test]
fn names_are_cleaned_as_0_5_cleans_them() {
    let a200 = "a".repeat(200);
    let a119 = format!("{}-c2a908d9", "a".repeat(119));
    for (name, canonical) in [
        ("main", "main-0d6e4079"),
        ("feature/a-b", "feature-a-b-10b80f5c"),
        ("feature-a/b", "feature-a-b-5dcb4b02"),
        ("Release/2.x_RC", "release-2.x-rc-4f4112d1"),
        ("--x--", "x-cf0e7da1"),
        ("日本", "-cf2abf0c"),
        ("", "-e3b0c442"),
        (a200.as_str(), a119.as_str()),
    ] {
        assert_eq!(canonicalize_ref(name), canonical, "{name}");
    }
}

#[test]
fn repositories_name_builders_and_directories() {
    assert_eq!(repo_hash("acme/app"), "5f89da0438fa1b17");
    assert_eq!(builder_name("acme/app"), "sf-5f89da04");
    assert_eq!(repo_hash("https://git.example.com/acme/app"), "5d5a3d5962709e51");
}

#[test]
fn tags_are_those_of_0_5_wherever_0_5_could_push_them() {
    for (prefix, repo, branch, tag) in [
        ("cache", "acme/app", "main", "cache-5f89da04-main-0d6e4079"),
        ("cache", "acme/app", "feature/a-b", "cache-5f89da04-feature-a-b-10b80f5c"),
        ("cache", "acme/app", "feature-a/b", "cache-5f89da04-feature-a-b-5dcb4b02"),
        ("cache", "acme/app", "日本", "cache-5f89da04--cf2abf0c"),
        ("build_cache.v1", "https://git.example.com/acme/app", "main", "build_cache.v1-5d5a3d59-main-0d6e4079"),
        ("cache-deadbeef", "acme/app", "main", "cache-deadbeef-5f89da04-main-0d6e4079"),
    ] {
        let built = CacheTag::new(prefix, repo, branch).unwrap();
        assert_eq!(built.to_string(), tag);
        assert_eq!(CacheTag::parse(tag, prefix), Some(built));
    }
}

#[test]
fn only_what_would_not_fit_is_shortened() {
    // `cache-` 6, hash and dash 9, dash and hash 9: 104 bytes are left for the name.
    let fits = CacheTag::new("cache", "acme/app", &"b".repeat(104)).unwrap();
    assert_eq!(fits.branch_ref(), canonicalize_ref(&"b".repeat(104)));
    assert_eq!(fits.to_string().len(), 128);
    let long = CacheTag::new("cache", "acme/app", &"b".repeat(105)).unwrap().to_string();
    assert_eq!(long.len(), 128);
    assert!(long.parse::<Tag>().is_ok());
    assert!(long.ends_with(&canonicalize_ref(&"b".repeat(105))[105..]), "the hash of the whole branch stays");
    assert!(CacheTag::parse(&long, "cache").is_some());
}

#[test]
fn a_prefix_must_begin_a_tag_and_leave_room() {
    for bad in ["", "-x", ".x", "a/b", "a b", "a+b", "ä"] {
        assert_eq!(CacheTag::new(bad, "r", "b"), Err(BadPrefix::Illegal(bad.to_owned())));
    }
    assert!(CacheTag::new(&"p".repeat(109), "r", &"b".repeat(300)).unwrap().to_string().parse::<Tag>().is_ok());
    assert_eq!(CacheTag::new(&"p".repeat(110), "r", "b"), Err(BadPrefix::Long(110)));
    assert_eq!(CacheTag::new(&"p".repeat(1000), "r", "b"), Err(BadPrefix::Long(1000)));
}

#[test]
fn retention_sees_only_its_own_scope() {
    let scope = CacheTag::new("cache", "acme/app", "main").unwrap().scope_prefix();
    assert_eq!(scope, "cache-5f89da04");
    for (tag, ours) in [
        ("cache-5f89da04-main-0d6e4079", true),
        ("cache-5f89da04--cf2abf0c", true),
        ("cache-5d5a3d59-main-0d6e4079", false),
        ("cache-5f89da04", false),
        ("cache-5f89da04-main", false),
        ("cache-5f89da04-main-0d6e407", false),
        ("cache-5f89da04-main-0D6E4079", false),
        ("cache-5f89da04-Main-0d6e4079", false),
        ("cache-5f89da041-main-0d6e4079", false),
        ("cache-deadbeef-5f89da04-main-0d6e4079", false),
        ("xcache-5f89da04-main-0d6e4079", false),
        ("1.2.3", false),
        ("", false),
    ] {
        assert_eq!(is_sf_cache_tag(tag, &scope), ours, "{tag}");
    }
    assert!(!is_sf_cache_tag("cache-5f89da04-main-0d6e4079", "cache"));
    assert!(!is_sf_cache_tag("cache-5f89da04-main-0d6e4079", ""));
    assert!(!is_sf_cache_tag("é", "ééééééééé"));
}

proptest! {
    #[test]
    fn parsing_undoes_construction(
        prefix in "[a-z0-9_]([a-zA-Z0-9._-]{0,60}|[a-f0-9-]{0,60})", repo in ".{0,40}", branch in ".{0,300}",
    ) {
        let built = CacheTag::new(&prefix, &repo, &branch).unwrap();
        let text = built.to_string();
        prop_assert!(text.parse::<Tag>().is_ok());
        prop_assert_eq!(CacheTag::parse(&text, &prefix), Some(built.clone()));
        prop_assert!(is_sf_cache_tag(&text, &built.scope_prefix()));
        prop_assert!(built.branch_ref().ends_with(&canonicalize_ref(&branch)[canonicalize_ref(&branch).len() - 9..]));
    }

    #[test]
    fn parsing_never_panics_and_gives_back_what_it_read(tag in ".{0,80}", prefix in ".{0,20}", scope in ".{0,30}") {
        if let Some(read) = CacheTag::parse(&tag, &prefix) {
            prop_assert_eq!(read.to_string(), tag.clone());
        }
        let _ = is_sf_cache_tag(&tag, &scope);
    }
}
