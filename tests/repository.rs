//! Rules of this repository, as tests: documents say what the binary does, and the source keeps to what `ARCHITECTURE.md` promises.
//!
//! Builds nothing and talks to nobody. `just docs` mends the generated parts of documents.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use stagefreight::buildx::argv::Export;
use stagefreight::inputs::INPUTS;
use stagefreight::report::OUTPUTS;
use stagefreight::{cli, config};

#[path = "repository/action.rs"]
mod action;

/// About 400, and a little air. Longer files tell of two rooms in one. Tests are not counted.
const LONGEST: usize = 420;

// ---- documents ----

#[test]
fn documents_list_the_inputs_of_the_binary() {
    let mut text = String::new();
    let mut groups: Vec<&str> = INPUTS.iter().map(|spec| spec.group).collect();
    groups.dedup();
    let ordered = ["What to build", "How to build it", "Where it goes", "This run"];
    assert!(groups.iter().all(|group| ordered.contains(group)), "a group that the README does not know: {groups:?}");
    for group in ordered {
        text.push_str(&format!("\n**{group}**\n\n| Input | Also | Value | Meaning |\n|---|---|---|---|\n"));
        for spec in INPUTS.iter().filter(|spec| spec.group == group) {
            let short = spec.short.map(|short| format!("`-{short}`"));
            let also: Vec<_> =
                short.into_iter().chain(spec.aliases.iter().map(|alias| format!("`--{alias}`"))).collect();
            let cells =
                [format!("`{}`", spec.name), also.join(", "), format!("`{}`", spec.value), spec.help.to_owned()];
            text.push_str(&row(&cells));
        }
    }
    generated("README.md", "inputs", &text);
}

#[test]
fn documents_list_the_outputs_of_the_binary() {
    let mut text = "\n| Output | Holds |\n|---|---|\n".to_owned();
    for spec in OUTPUTS {
        text.push_str(&row(&[format!("`{}`", spec.name), spec.description.to_owned()]));
    }
    generated("README.md", "outputs", &text);
}

#[test]
fn command_lines_in_documents_are_accepted() {
    let mut seen = 0;
    let documents = ["README.md", "CONTRIBUTING.md", "docs/result.md", "docs/laptop.md", "docs/migrating.md"];
    for document in documents {
        for line in blocks(&read(document), "").lines() {
            // Two spaces end the command and begin its explanation.
            let command = line.split("  ").next().unwrap_or_default();
            if !command.starts_with("stagefreight ") {
                continue;
            }
            let parsed = cli::parse(command.split(' ').map(Into::into));
            assert!(parsed.is_ok(), "{document}: `{command}`: {}", parsed.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen >= 15, "only {seen} command lines found: is the README's quick start still there?");
}

#[test]
fn configurations_in_documents_and_examples_are_accepted() {
    let example = blocks(&read("README.md"), "yaml");
    let start = example.find("version: 1").expect("the README shows a configuration");
    let end = example[start..].find("\n```").map_or(example.len(), |at| start + at);
    let mut all = vec![("README.md".to_owned(), example[start..end].to_owned())];
    for path in files().into_iter().filter(|path| path.ends_with(".stagefreight.yml") && path.starts_with("examples")) {
        all.push((path.display().to_string(), read(&path)));
    }
    assert!(all.len() >= 3, "examples are missing");
    for (file, text) in all {
        let loaded = config::load(&text, &file).unwrap_or_else(|problems| panic!("{file}: {problems:?}"));
        assert_eq!(loaded.notes, Vec::<String>::new(), "{file}");
    }
}

#[test]
fn troubleshooting_quotes_our_own_messages() {
    let page = read("docs/troubleshooting.md");
    let source: String = files().iter().filter(|path| is_source(path)).map(read).collect();
    // A string that goes on in the next line of the source.
    let source = regex::Regex::new(r"\\\n\s*").unwrap().replace_all(&source, "").into_owned();
    let entries = page.lines().filter_map(|line| line.strip_prefix("**`")?.strip_suffix("`** —"));
    let quotes: Vec<&str> = entries.flat_map(|entry| entry.split("`** and **`")).collect();
    assert!(quotes.len() >= 45, "{quotes:?}");
    assert_eq!(page.matches("\n**").count(), page.matches("`** —\n").count(), "an entry that is not compared");
    // What people meet first on each forge and backend has its entry.
    for met in [
        "nothing to build with",
        "needs … and …",
        "does not allow it",
        "credentials are withheld",
        "not YAML",
        "matches none of",
        "client certificate",
    ] {
        assert!(quotes.iter().any(|quote| quote.contains(met)), "no entry for `{met}`");
    }
    for quote in quotes {
        for piece in quote.split('…').map(|piece| piece.trim_matches(['(', ')', ' '])).filter(|piece| piece.len() > 6)
        {
            assert!(source.contains(piece), "`{quote}`: no message of ours says `{piece}`");
        }
    }
}

#[test]
fn links_and_paths_in_documents_lead_somewhere() {
    let link = regex::Regex::new(r"\]\(([^)#:]+)(#[^)]*)?\)").unwrap();
    let path = regex::Regex::new(r"`((?:\.ci|ci|src|tests|docs|examples)/[A-Za-z0-9_./-]+)`").unwrap();
    for document in files().into_iter().filter(|path| path.extension().is_some_and(|e| e == "md")) {
        let text = read(&document);
        let folder = document.parent().unwrap_or(Path::new(""));
        for found in link.captures_iter(&text) {
            let target = folder.join(&found[1]);
            assert!(root().join(&target).exists(), "{} links to {}", document.display(), target.display());
        }
        for found in path.captures_iter(&text) {
            let here = root().join(folder).join(&found[1]).exists();
            assert!(here || root().join(&found[1]).exists(), "{} names {}", document.display(), &found[1]);
        }
    }
}

#[test]
fn the_index_of_the_documents_lists_every_page() {
    let index = read("docs/README.md");
    for page in files().into_iter().filter(|path| path.parent() == Some(Path::new("docs"))) {
        let name = page.file_name().and_then(|name| name.to_str()).unwrap();
        assert!(name == "README.md" || index.contains(&format!("]({name}")), "docs/README.md does not list {name}");
    }
}

#[test]
fn contributing_lists_the_recipes_of_the_justfile() {
    let justfile = read("justfile");
    let mut recipes: Vec<&str> = justfile
        .lines()
        .filter(|line| !line.starts_with([' ', '#']))
        .filter_map(|line| line.split_once(':')?.0.split(' ').next())
        .filter(|name| *name != "default")
        .collect();
    recipes.sort_unstable();
    let contributing = read("CONTRIBUTING.md");
    let mut listed: Vec<&str> =
        contributing.lines().filter_map(|line| line.strip_prefix("| `just ")?.split(['`', ' ']).next()).collect();
    listed.sort_unstable();
    assert_eq!(listed, recipes);
}

#[test]
fn the_map_shows_every_room() {
    let map = read("ARCHITECTURE.md");
    let rooms = section(&map, "## Rooms");
    let modules = read("src/lib.rs");
    for room in modules.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')) {
        assert!(rooms.contains(&format!("`{room}`")) || rooms.contains(&format!("`{room}/`")), "`{room}` is on no map");
    }
}

#[test]
fn the_image_is_compiled_with_the_toolchain_of_the_project() {
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"')).unwrap();
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains(&format!("\nFROM rust:{version}-slim-bookworm AS ")), "another Rust than {version}");
}

#[test]
fn the_image_holds_the_buildkit_that_is_tested() {
    let modules = read("ci/tools/go.mod");
    let version = modules.lines().find_map(|line| line.trim().strip_prefix("github.com/moby/buildkit v")).unwrap();
    let version = version.split(' ').next().unwrap();
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains(&format!("\nFROM moby/buildkit:v{version}-rootless AS buildkit\n")), "not {version}");
    assert!(dockerfile.contains(&format!("io.stagefreight.buildkit=\"v{version}\"")), "the label says another version");
}

#[test]
fn the_papers_are_in_order() {
    assert!(read("CHANGELOG.md").contains("\n## [Unreleased]\n"));
    assert!(read("LICENSE-MIT").contains("Permission is hereby granted"));
    assert!(read("LICENSE-APACHE").contains("Apache License"));
    assert_eq!(env!("CARGO_PKG_VERSION").split('.').count(), 3);
    assert!(read("Cargo.toml").contains("license = \"MIT OR Apache-2.0\""));
    assert!(!read("SECURITY.md").is_empty());
}

// ---- source ----

#[test]
fn modules_say_what_they_are_for() {
    for path in sources() {
        let text = read(&path);
        assert!(text.starts_with("//! "), "{} does not open with a line that says what it is for", path.display());
    }
}

#[test]
fn files_stay_small() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter_map(|path| {
            let text = read(&path);
            let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines = code.lines().count();
            (lines > LONGEST).then(|| format!("{}: {lines}", path.display()))
        })
        // A table of inputs, and a public format field by field: long, and nothing to take apart.
        .filter(|found| !found.starts_with("src/report/document/v1.rs"))
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines without tests: {long:#?}");
}

/// Clippy says so too; this also sees what an `allow` would hide.
#[test]
fn the_world_is_touched_in_one_place_each() {
    let rules: &[(&str, &[&str])] = &[
        (r"std::env::(var|vars|var_os|vars_os|current_dir|temp_dir|set_var|remove_var)\b", &["src/environment.rs"]),
        // clap's commands are named by a literal, child processes never.
        (r#"\bCommand::new\([^"]"#, &["src/process.rs"]),
        (r"process::exit\b", &[]),
        (r"\bClient::(new|builder)\(", &["src/http.rs"]),
        (r"\bprintln!|\beprintln!|\bprint!|\beprint!", &["src/main.rs"]),
    ];
    for (pattern, allowed) in rules {
        let finder = regex::Regex::new(pattern).unwrap();
        for path in sources().iter().filter(|path| !allowed.iter().any(|allowed| path == &Path::new(allowed))) {
            let text = read(path);
            let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
                assert!(!finder.is_match(line), "{}:{}: {}", path.display(), number + 1, line.trim());
            }
        }
    }
}

#[test]
fn no_package_registry_is_named() {
    // Put together here, or this file would be the first to name them.
    let hosts = [
        ["crates", "io"],
        ["npmjs", "org"],
        ["npmjs", "com"],
        ["pypi", "org"],
        ["pythonhosted", "org"],
        ["rubygems", "org"],
        ["proxy.golang", "org"],
        ["deb.debian", "org"],
        ["snapshot.debian", "org"],
    ]
    .map(|parts| parts.join("."));
    for path in files().into_iter().filter(|path| !path.ends_with("Cargo.lock")) {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for host in &hosts {
            assert!(!text.contains(host.as_str()), "{} names {host}", path.display());
        }
    }
}

// ---- scripts ----

#[test]
fn scripts_can_be_run_and_stop_at_the_first_error() {
    use std::os::unix::fs::PermissionsExt as _;
    let run = read(".ci/run");
    let mut seen = 0;
    for path in files().into_iter().filter(|path| path.starts_with("ci") || path.starts_with(".ci")) {
        let text = read(&path);
        if !text.starts_with("#!") {
            continue;
        }
        let name = path.display();
        assert!(text.starts_with("#!/usr/bin/env bash\n# "), "{name} says nothing about itself");
        assert!(text.contains("\nset -euo pipefail\n"), "{name}");
        let mode = fs::metadata(root().join(&path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name} is not executable");
        assert!(run.contains(&name.to_string()), "{name} is not checked by .ci/run");
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} scripts");
}

/// A comparison of times is one only if both sides make the same image.
#[test]
fn the_bench_compares_equal_exports() {
    let ours = Export::Push { repositories: Vec::new(), insecure: false, rewrite_timestamp: false }.spec();
    // Beside where it goes and how it is tagged, which is what differs.
    let ours: Vec<&str> = ours
        .split(',')
        .filter(|option| !["type=image", "name=", "push=true", "push-by-digest=true"].contains(option))
        .collect();
    let bench = read("ci/bench");
    let theirs = bench.lines().find_map(|line| line.strip_prefix("EXPORTER_OPTIONS=")).expect("ci/bench says it once");
    assert_eq!(ours.join(","), theirs);
    assert!(bench.contains(r#"--output "type=image,push=true,$EXPORTER_OPTIONS""#));
    // The two passes of the crucible.
    let passes = [
        Export::Layout { dir: "$WORK/layout".into(), rewrite_timestamp: true },
        Export::Digest { rewrite_timestamp: true },
    ];
    for pass in passes {
        let spec = pass.spec().replace(theirs, "$EXPORTER_OPTIONS");
        assert!(bench.contains(&format!("--output \"{spec}\"")), "{spec}");
    }
}

// ---- reading ----

/// Compares a part of a document between markers with what it should be; with `UPDATE_DOCS=1` writes it.
fn generated(document: &str, name: &str, should: &str) {
    // Tests run side by side, and two of them may write one document.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let text = read(document);
    let yaml = document.ends_with(".yml");
    let (open, close) = match yaml {
        true => (format!("# <{name}>\n"), format!("# </{name}>")),
        false => (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->")),
    };
    let start = text.find(&open).expect("the opening marker") + open.len();
    let end = start + text[start..].find(&close).expect("the closing marker");
    // In YAML the closing marker is indented like what it closes.
    let end = if yaml { text[..end].rfind('\n').expect("a line before it") + 1 } else { end };
    let should = format!("{should}\n");
    if text[start..end] == should {
        return;
    }
    #[allow(clippy::disallowed_methods, reason = "a switch for people who run this test")]
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    assert!(update, "{document}: the part `{name}` is not what the binary says; run `just docs`");
    fs::write(root().join(document), format!("{}{should}{}", &text[..start], &text[end..])).unwrap();
}

fn row(cells: &[String]) -> String {
    let escaped: Vec<_> = cells.iter().map(|cell| cell.replace('|', r"\|")).collect();
    format!("| {} |\n", escaped.join(" | "))
}

/// The text of a chapter, up to the next one of its rank.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text.find(heading).expect(heading) + heading.len();
    &text[start..][..text[start..].find("\n## ").unwrap_or(text.len() - start)]
}

/// What stands in fenced blocks of a language, with their fences.
fn blocks(text: &str, language: &str) -> String {
    let mut inside: Option<&str> = None;
    let mut found = String::new();
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), inside) {
            (Some(opened), None) => inside = Some(opened),
            (Some(_), Some(_)) => {
                inside = None;
                found.push_str("```\n");
            }
            (None, Some(opened)) if opened == language => {
                found.push_str(line);
                found.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file of the repository, relative to its root.
fn files() -> Vec<PathBuf> {
    let walk = ignore::WalkBuilder::new(root()).hidden(false).filter_entry(|entry| entry.file_name() != ".git").build();
    let mut all: Vec<_> = walk
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
        .map(|entry| entry.path().strip_prefix(root()).unwrap().to_owned())
        .collect();
    all.sort();
    all
}

fn is_source(path: &Path) -> bool {
    path.starts_with("src") && path.extension().is_some_and(|extension| extension == "rs")
}

/// The program's source, without files that hold only tests.
fn sources() -> Vec<PathBuf> {
    let test = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name == "tests.rs" || name == "fixtures.rs" || path.components().any(|part| part.as_os_str() == "tests")
    };
    files().into_iter().filter(|path| is_source(path) && !test(path)).collect()
}
