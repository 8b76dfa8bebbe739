use rstest::rstest;

use super::*;
use crate::plan::Provider;

const DIR: &str = "/stagefreight/cache/buildkit/5f89da0438fa1b17";
const LOCAL_FROM: &str = "type=local,src=/stagefreight/cache/buildkit/5f89da0438fa1b17";
const LOCAL_TO: &str = "type=local,dest=/stagefreight/cache/buildkit/5f89da0438fa1b17,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true";
const OWN: &str = "type=registry,ref=ghcr.io/acme/app:cache-5f89da04-feature-a-b-10b80f5c";
const OWN_TO: &str = "type=registry,ref=ghcr.io/acme/app:cache-5f89da04-feature-a-b-10b80f5c,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true";
const MAIN: &str = "type=registry,ref=ghcr.io/acme/app:cache-5f89da04-main-0d6e4079";

fn registry() -> CacheRegistry {
    CacheRegistry {
        target: "ghcr".into(),
        repository: "ghcr.io/acme/app".parse().unwrap(),
        provider: Provider::Ghcr,
        credentials: None,
        insecure: false,
    }
}

fn facts<'a>(config: &'a BuildCache, registry: &'a CacheRegistry) -> Facts<'a> {
    Facts {
        config,
        repo_id: "acme/app",
        branch: Some("feature/a-b"),
        fallback: Some("main"),
        local_dir: DIR,
        local_writable: true,
        registry: Some(registry),
        build: None,
        read_only: false,
    }
}

#[rstest]
#[case::unset(CacheMode::Unset, &[], &[])]
#[case::off(CacheMode::Off, &[], &[])]
#[case::local(CacheMode::Local, &[LOCAL_FROM], &[LOCAL_TO])]
#[case::shared(CacheMode::Shared, &[OWN, MAIN], &[OWN_TO])]
#[case::hybrid(CacheMode::Hybrid, &[LOCAL_FROM, OWN, MAIN], &[LOCAL_TO, OWN_TO])]
fn modes(#[case] mode: CacheMode, #[case] from: &[&str], #[case] to: &[&str]) {
    let config = BuildCache { mode, ..BuildCache::default() };
    let got = flags(&facts(&config, &registry()));
    assert_eq!(
        (got.from, got.to),
        (from.iter().map(|s| (*s).into()).collect(), to.iter().map(|s| (*s).into()).collect())
    );
    assert_eq!(got.skipped, Vec::<String>::new());
}

#[test]
fn what_cannot_be_used_is_left_out_and_said() {
    let config = BuildCache { mode: CacheMode::Hybrid, ..BuildCache::default() };
    let registry = registry();
    let base = facts(&config, &registry);

    let got = flags(&Facts { local_writable: false, ..base.clone() });
    assert_eq!(got.from, [OWN, MAIN]);
    assert_eq!(got.skipped, [format!("local: {DIR} is not there or cannot be written")]);

    let got = flags(&Facts { read_only: true, ..base.clone() });
    assert_eq!((got.from.len(), got.to.len()), (3, 0));

    let got = flags(&Facts { registry: None, ..base.clone() });
    assert_eq!((got.from, got.to), (vec![LOCAL_FROM.to_owned()], vec![LOCAL_TO.to_owned()]));
    assert_eq!(got.skipped.len(), 1);

    let got = flags(&Facts { branch: None, ..base.clone() });
    assert_eq!((got.from, got.to), (vec![LOCAL_FROM.to_owned(), MAIN.to_owned()], vec![LOCAL_TO.to_owned()]));

    let mut bad = config.clone();
    bad.external.path = Some("a/b".into());
    let got = flags(&Facts { config: &bad, ..base });
    assert_eq!(got.from, [LOCAL_FROM]);
    assert!(got.skipped[0].starts_with("external: `a/b` cannot begin a tag"), "{:?}", got.skipped);
}

#[test]
fn the_fallback_is_read_once_and_never_written() {
    let config = BuildCache { mode: CacheMode::Shared, ..BuildCache::default() };
    let registry = registry();
    let got = flags(&Facts { branch: Some("main"), ..facts(&config, &registry) });
    assert_eq!(got.from, [MAIN]);
    assert!(got.to[0].starts_with(&format!("{MAIN},")) && got.to.len() == 1, "its own branch writes it");
    let got = flags(&Facts { branch: Some("x"), ..facts(&config, &registry) });
    assert!(!got.to.iter().any(|to| to.contains("main-0d6e4079")), "{got:?}");
}

#[test]
fn several_builds_have_their_own_caches() {
    let mut config = BuildCache { mode: CacheMode::Hybrid, ..BuildCache::default() };
    config.external.mode = Some(CacheExport::Min);
    let registry = registry();
    let got = flags(&Facts { build: Some("web"), ..facts(&config, &registry) });
    assert_eq!(got.from[0], format!("{LOCAL_FROM},tag=web"));
    assert_eq!(got.from[1], "type=registry,ref=ghcr.io/acme/app:cache-web-5f89da04-feature-a-b-10b80f5c");
    assert!(got.to[1].contains(",mode=min,"), "{:?}", got.to);
}

#[test]
fn the_directory_is_named_by_the_repository() {
    let mut config = BuildCache::default();
    let dir = |config: &BuildCache| local_dir(config, "acme/app", std::path::Path::new("/w")).display().to_string();
    assert_eq!(dir(&config), DIR);
    config.local.path = Some("cache".into());
    assert_eq!(dir(&config), "/w/cache/5f89da0438fa1b17");
    config.local.path = Some("/c,type=x".into());
    config.mode = CacheMode::Local;
    let got = flags(&Facts { local_dir: &dir(&config), ..facts(&config, &registry()) });
    assert_eq!(got.from, ["type=local,\"src=/c,type=x/5f89da0438fa1b17\""]);
}

#[test]
fn a_registry_without_verified_tls_is_named_as_such() {
    let plain = CacheRegistry { insecure: true, ..registry() };
    let config = BuildCache { mode: CacheMode::Shared, ..BuildCache::default() };
    let flags = flags(&facts(&config, &plain));
    assert!(!flags.from.is_empty() && !flags.to.is_empty());
    assert!(flags.from.iter().chain(&flags.to).all(|spec| spec.contains(",registry.insecure=true")), "{flags:?}");
}
