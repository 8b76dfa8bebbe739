use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::config::model::{Backend, CacheMode, RegistryProvider, Reproducible, Retention};

fn fixtures(dir: &str) -> Vec<(String, String)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config").join(dir);
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

fn good(name: &str) -> Loaded {
    let (_, text) = fixtures("good").into_iter().find(|(file, _)| file == name).unwrap();
    load(&text, name).unwrap_or_else(|problems| panic!("{name}:\n{}", show(&problems)))
}

/// As a compiler would show them.
fn show(problems: &[Problem]) -> String {
    let mut out = String::new();
    for problem in problems {
        let at = problem.location.as_ref().unwrap();
        let place = [at.line, at.column].map(|n| n.map_or(String::new(), |n| format!(":{n}"))).concat();
        let _ = writeln!(out, "error: {}\n  --> {}{place}", problem.what, at.file);
        for line in problem.snippet.iter().flat_map(|s| s.lines()) {
            let _ = writeln!(out, "  {line}");
        }
        if let Some(hint) = &problem.hint {
            let _ = writeln!(out, "  help: {hint}");
        }
    }
    out
}

#[test]
fn good_files_load() {
    for (file, text) in fixtures("good") {
        if let Err(problems) = load(&text, &file) {
            panic!("{file}:\n{}", show(&problems));
        }
    }
}

/// The files say what they expect: `# expect LINE: part of the sentence [| part of the hint]`, and nothing else is found.
#[test]
fn bad_files_are_refused_for_what_is_wrong_with_them() {
    let mut complaints = String::new();
    for (file, text) in fixtures("bad") {
        let problems = load(&text, &file).map(|_| ()).expect_err(&file);
        let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# expect ")).collect();
        assert!(!expected.is_empty(), "{file} expects nothing");
        for line in &expected {
            let (number, words) = line.split_once(": ").unwrap();
            let (what, hint) = words.split_once(" | ").unwrap_or((words, ""));
            let found = problems.iter().any(|p| {
                p.location.as_ref().and_then(|at| at.line) == number.parse().ok()
                    && p.what.contains(what)
                    && p.hint.as_deref().unwrap_or_default().contains(hint)
                    && p.snippet.as_ref().is_some_and(|s| s.contains('^'))
            });
            if !found {
                let _ = writeln!(complaints, "{file} does not say {line}:\n{}", show(&problems));
            }
        }
        if problems.len() != expected.len() {
            let _ = writeln!(complaints, "{file} has another number of mistakes:\n{}", show(&problems));
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn ten_mistakes_at_once() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config/ten-mistakes.yml");
    let problems = load(&std::fs::read_to_string(path).unwrap(), ".stagefreight.yml").unwrap_err();
    insta::assert_snapshot!(show(&problems), @r#"
    error: `{var:imagee}`: there is no such name in `vars`
      --> .stagefreight.yml:4:10
      4 |   image: "{var:imagee}"
        |          ^^^^^^^^^^^^^^
      help: add `imagee: …` under `vars`
    error: `^release/(` is not a regular expression: unclosed group
      --> .stagefreight.yml:8:14
      8 |     release: ^release/(
        |              ^^^^^^^^^^
    error: unknown key `dockerFile` in `builds[0]`
      --> .stagefreight.yml:13:5
      13 |     dockerFile: Dockerfile
         |     ^^^^^^^^^^
      help: did you mean `dockerfile`?
    error: a list is wanted here, not a single value
      --> .stagefreight.yml:14:16
      14 |     platforms: linux/amd64
         |                ^^^^^^^^^^^
      help: write `[linux/amd64]`
    error: there is no build with the id `bass`
      --> .stagefreight.yml:15:17
      15 |     depends_on: bass
         |                 ^^^^
      help: builds are `app`
    error: `{versoin}` is not a template variable
      --> .stagefreight.yml:17:16
      17 |       VERSION: "{versoin}"
         |                ^^^^^^^^^^^
      help: did you mean `{version}`?
    error: `https://ghcr.io/acme` is not a registry host: scheme and path do not belong here
      --> .stagefreight.yml:24:10
      24 |     url: https://ghcr.io/acme
         |          ^^^^^^^^^^^^^^^^^^^^
      help: write `ghcr.io` here, and `acme` in `path`
    error: `githib` is not a value of `provider`
      --> .stagefreight.yml:26:15
      26 |     provider: githib
         |               ^^^^^^
      help: did you mean `github`? It is one of `docker`, `dockerhub`, `ghcr`, `github`, `gitlab`, `jfrog`, `harbor`, `quay`, `gitea`, `generic`, `local`
    error: not a legal tag: it cannot hold `+`
      --> .stagefreight.yml:27:12
      27 |     tags: ["v{version}+build", latest]
         |            ^^^^^^^^^^^^^^^^^^
      help: a tag is 1 to 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`
    error: `releases` is no policy; `release` is
      --> .stagefreight.yml:29:18
      29 |       branches: [releases]
         |                  ^^^^^^^^
      help: write `release`; if the name `releases` itself is meant, write `re:^releases$`
    error: `pushes` is not a value of `events`
      --> .stagefreight.yml:30:16
      30 |       events: [pushes]
         |                ^^^^^^
      help: did you mean `push`? It is one of `push`, `tag`, `release`, `schedule`, `manual`, `pull_request`, `merge_request`
    error: `7 days` is not a duration
      --> .stagefreight.yml:33:32
      33 |   local: {retention: {max_age: 7 days}}
         |                                ^^^^^^
      help: write it as `7d`, `72h` or `1h30m`
    "#);
}

/// Two independent readers of one file, ours and serde's, must agree on the file that has every key.
#[test]
fn the_loader_reads_what_serde_reads() {
    let (_, text) = fixtures("good").into_iter().find(|(file, _)| file == "everything.yml").unwrap();
    let by_serde: Config = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(good("everything.yml").config, by_serde);
}

#[test]
fn values_are_read_as_people_mean_them() {
    let config = good("as-people-write.yml").config;
    let var = |name: &str| config.vars[name].as_str();
    assert_eq!(
        ["port", "release", "debug", "hex", "nothing", "huge"].map(var),
        ["8080", "1.10", "true", "0x1F", "", "1e999"]
    );
    let build = &config.builds[0];
    assert_eq!((build.id.as_str(), build.required, build.dockerfile.as_deref()), ("1", Some(true), None));
    assert_eq!(build.reproducible, Reproducible::Off);
    assert_eq!((build.build_args["GO"].as_str(), build.build_args["DEBUG"].as_str()), ("1.20", "no"));
    assert_eq!(config.targets[0].tags, ["1.10", "2", "latest", "v1.2e3"]);
    assert_eq!(config.targets[0].retention, Some(Retention { keep_last: Some(5), ..Retention::default() }));
    assert_eq!(config.targets[0].provider, Some(RegistryProvider::Docker));
    assert_eq!(config.targets[1].provider, Some(RegistryProvider::Ghcr));
    assert_eq!((config.build_cache.mode, config.build_cache.builder.backend), (CacheMode::Off, Backend::Docker));
    assert_eq!(config.build_cache.local.retention.max_size.map(|s| s.0), Some(500));
    assert!(config.registries.contains_key("plain.example.com"));
}

#[test]
fn anchors_and_merge_keys() {
    let config = good("anchors.yml").config;
    assert_eq!(config.builds[1].id, "other");
    assert_eq!(config.builds[1].platforms, ["linux/amd64"]);
    let two = &config.targets[1];
    assert_eq!((two.url.as_deref(), two.path.as_deref()), (Some("registry.example.com"), Some("acme/two")));
    assert_eq!((two.when.branches.len(), two.when.events.len()), (1, 1));
}

#[test]
fn what_is_not_ours_is_told_once() {
    assert_eq!(
        good("not-ours.yml").notes,
        [
            "sections `badges`, `narrator`, `lint`, `security`, `release`, `docker`, `tag` belong to other StageFreight programs \
          and are not handled here"
        ]
    );
    assert!(good("everything.yml").notes.is_empty());
}

/// A mistake behind an anchor is shown where it stands, once, however often it is used.
#[test]
fn a_mistake_behind_an_anchor_has_one_place() {
    let text = "version: 1\ndefaults:\n  d: &d {id: x, kind: registry, provider: nope}\ntargets:\n  - <<: *d\n    id: a\n  - <<: *d\n    id: b\n";
    let problems = load(text, "f").unwrap_err();
    let about: Vec<_> = problems.iter().filter(|p| p.what.contains("nope")).collect();
    assert_eq!(about.len(), 1);
    assert_eq!(about[0].location.as_ref().and_then(|at| at.line), Some(3));
}

#[test]
fn hostile_files_end_soon_with_one_clear_mistake() {
    let bomb = {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for i in 1..12 {
            let _ = writeln!(text, "a{i}: &a{i} [{}]", vec![format!("*a{}", i - 1); 10].join(","));
        }
        text
    };
    let merges = {
        let mut text = "a: &a\n".to_owned();
        text.extend((0..10_000).map(|i| format!("  k{i}: 1\n")));
        text.extend((0..2_000).map(|i| format!("b{i}: {{<<: *a}}\n")));
        text
    };
    let nested_anchors: String = (0..30).map(|i| format!("{}a: &a{i}\n", " ".repeat(i))).collect();
    for (name, text, mistakes) in [
        ("ten megabytes", "x".repeat(10 << 20), 1),
        ("just too large", "#".repeat(LARGEST + 1), 1),
        ("deep flow", format!("a: {}", "[".repeat(100_000)), 1),
        ("deep braces", "{".repeat(500_000), 1),
        ("deep blocks", (0..1000).map(|i| format!("{}a:\n", " ".repeat(i))).collect(), 1),
        ("question marks", "? ".repeat(300_000), 1),
        ("dashes", "- ".repeat(300_000), 1),
        ("alias bomb", bomb, 1),
        ("merge bomb", merges, 1),
        ("nested anchors", format!("{nested_anchors}{}x: 1", " ".repeat(30)), 2),
        ("many nodes", format!("a: [{}]", "x,".repeat(500_000)), 1),
        ("many keys", (0..100_000).map(|i| format!("k{i}: 1\n")).collect(), 1),
        ("colons", "a: ".repeat(300_000), 1),
        ("NUL", "\0".repeat(100_000), 1),
        ("NUL in a value", "version: 1\nvars: {a: x\0y}".to_owned(), 1),
        ("tabs", "\t".repeat(500_000), 1),
        ("comments", "#\n".repeat(500_000), 1),
        ("one long line", format!("version: {}", "x".repeat(1_000_000)), 1),
        ("escapes", format!("version: \"{}\"", "\\\n".repeat(400_000)), 1),
        ("documents", "---\n".repeat(200_000), 1),
        ("unknown keys", format!("version: 1\n{}", (0..5_000).map(|i| format!("k{i}: 1\n")).collect::<String>()), 51),
        (
            "a long pattern",
            format!("version: 1\npolicies: {{branches: {{a: \"{}\"}}}}", "(a{99}){99}".repeat(50_000)),
            1,
        ),
        (
            "vars in a ring",
            format!(
                "version: 1\nvars:\n{}",
                (0..20_000).map(|i| format!("  v{i}: '{{var:v{}}}'\n", (i + 1) % 20_000)).collect::<String>()
            ),
            1,
        ),
    ] {
        let start = Instant::now();
        let problems = load(&text, "f").expect_err(name);
        // Under a second, in an unoptimised build; twenty on a machine that does much else: bounded, not fast.
        assert!(start.elapsed() < Duration::from_secs(20), "{name} took {:?}", start.elapsed());
        assert_eq!(problems.len(), mistakes, "{name}:\n{}", show(&problems).chars().take(2000).collect::<String>());
        for problem in problems {
            assert!(problem.what.len() < 40_000 || name == "vars in a ring", "{name}");
            assert!(problem.snippet.unwrap_or_default().len() < 2000, "{name}");
        }
    }
}

mod read_from_disk {
    use assert_fs::TempDir;
    use assert_fs::prelude::*;

    use super::*;

    #[test]
    fn the_default_names_in_order() {
        let dir = TempDir::new().unwrap();
        assert_eq!(read(dir.path(), None), Ok(None));
        dir.child(".stagefreight.yaml").write_str("b").unwrap();
        assert_eq!(read(dir.path(), None), Ok(Some((".stagefreight.yaml".into(), "b".into()))));
        dir.child(".stagefreight.yml").write_str("a").unwrap();
        assert_eq!(read(dir.path(), None), Ok(Some((".stagefreight.yml".into(), "a".into()))));
    }

    #[test]
    fn a_named_file_has_to_be_there_and_be_text() {
        let dir = TempDir::new().unwrap();
        dir.child("ci/sf.yml").write_str("version: 1").unwrap();
        dir.child("latin1.yml").write_binary(b"version: 1\nvars: {a: \xe4}\n").unwrap();
        dir.child("large.yml").write_str(&"#".repeat(LARGEST + 1)).unwrap();
        dir.child("fits.yml").write_str(&"#".repeat(LARGEST)).unwrap();
        dir.child("folder.yml").create_dir_all().unwrap();
        std::os::unix::fs::symlink("/dev/zero", dir.child("zero.yml").path()).unwrap();
        assert!(read(dir.path(), Some("ci/sf.yml")).unwrap().is_some());
        assert!(read(dir.path(), Some("fits.yml")).unwrap().is_some());
        for (name, what, line) in [
            ("nope.yml", "does not exist", None),
            ("latin1.yml", "is not UTF-8", Some(2)),
            ("large.yml", "larger than 1 MiB", None),
            ("folder.yml", "not a regular file", None),
            ("zero.yml", "not a regular file", None),
        ] {
            let problem = read(dir.path(), Some(name)).unwrap_err();
            assert!(problem.what.contains(what), "{name}: {}", problem.what);
            assert_eq!(problem.location.and_then(|at| at.line), line, "{name}");
        }
    }
}

/// Lines a config is made of, shuffled: near enough to real files to reach past the YAML parser.
fn nearly_config() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("version: 1".to_owned()),
        Just("builds:".to_owned()),
        Just("  - id: a".to_owned()),
        Just("    kind: docker".to_owned()),
        Just("targets: [{id: t, kind: registry, url: 'a/b', tags: [\"{versoin}\", '-']}]".to_owned()),
        Just("vars: {a: '{var:a}', b: &b x, c: *b}".to_owned()),
        Just("build_cache: {local: {retention: {max_age: 1x}}}".to_owned()),
        "[ ]{0,4}[a-z_]{1,8}: [ -~äß\t]{0,12}",
        "[ ]{0,4}- [ -~]{0,12}",
        ".{0,20}",
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn any_text_is_answered(text in nearly_config()) {
        if let Err(problems) = load(&text, "f") {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                let at = problem.location.unwrap();
                let lines = text.lines().count().max(1);
                prop_assert!(at.line.is_some_and(|l| l >= 1 && usize::try_from(l).unwrap() <= lines), "{:?} of {}", at, lines);
            }
        }
    }
}
