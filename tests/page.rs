//! The page and the diagrams of a run, in a real browser: nothing sticks out at the width of a phone, a tablet and a desk, nothing is
//! asked of the network, nobody complains, and every word can be read by day and by night.
//!
//! Needs `ci/runners up chromium playwright mermaid`; without them it fails. `PAGE_SHOTS=DIR` keeps pictures for people.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stagefreight::report::{Document, html, markdown};

/// No look at all pages takes longer, or something hangs.
const LIMIT: Duration = Duration::from_secs(400);
/// Words of the document's format, which attacks cannot be.
const WORDS: [&str; 14] = [
    "status",
    "forge",
    "state",
    "fate",
    "output",
    "phase",
    "trust",
    "min_trust",
    "started",
    "runner",
    "mode",
    "kind",
    "cause",
    "how",
];

/// Documents of the report's own tests, by name.
fn documents() -> BTreeMap<String, Value> {
    let written = |name: &str| {
        let file = format!(
            "src/report/document/snapshots/stagefreight__report__document__tests__the_document_of_a_{name}.snap"
        );
        let text = fs::read_to_string(root().join(&file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let (_, json) = text.splitn(3, "---\n").last().map(|json| ((), json.to_owned())).unwrap();
        serde_json::from_str::<Value>(&json).unwrap()
    };
    let mut all: BTreeMap<String, Value> = [("success", "success"), ("failing", "failure"), ("differs", "proof")]
        .map(|(as_, of)| (as_.to_owned(), written(of)))
        .into();
    let (failing, differs) = (all["failing"].clone(), all["differs"].clone());
    all.insert("huge".to_owned(), huge(&differs));
    // Everything that can be shown at once, and each text an attack.
    let mut worst = differs;
    for key in ["status", "failure"] {
        worst[key] = failing[key].clone();
    }
    let broken = failing["builds"][0].clone();
    worst["builds"].as_array_mut().unwrap().push(broken);
    for (name, attack) in corpus() {
        let mut document = worst.clone();
        replace(&mut document, "", &attack);
        all.insert(format!("hostile-{name}"), document);
    }
    all
}

/// Six builds, each of three hundred steps, tags, warnings and targets.
fn huge(document: &Value) -> Value {
    let mut document = document.clone();
    let build = document["builds"][0].clone();
    let repeated = |build: &Value, key: &str, times: usize| vec![build[key][0].clone(); times];
    let mut large = build.clone();
    for (key, times) in [("layers", 300), ("published", 300), ("warnings", 300), ("targets", 300)] {
        large[key] = repeated(&build, key, times).into();
    }
    for (at, layer) in large["layers"].as_array_mut().unwrap().iter_mut().enumerate() {
        layer["detail"] =
            format!("{} {at}", "make all the things, every one of them, with a very long name".repeat(3)).into();
        layer["cached"] = (at % 7 == 0).into();
        layer["start"] = (at as f64 / 10.0).into();
        layer["seconds"] = (((at * 37) % 100) as f64 / 3.0).into();
    }
    document["builds"] = vec![large; 6].into();
    document
}

/// Attacks worth a browser: those on it, and one of each other kind.
fn corpus() -> Vec<(String, String)> {
    let folder = root().join("tests/corpus/hostile");
    let mut all: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .filter(|(name, _)| {
            let browsers = ["html", "mermaid", "markdown-html", "markdown-fence", "markdown-details"];
            let others = ["unicode-bidi", "unicode-noncharacters", "long-word", "long-line", "bytes-invalid"];
            browsers.iter().chain(&others).any(|kind| name.starts_with(kind))
        })
        .map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned()))
        .collect();
    all.sort();
    assert!(all.len() > 15, "{} attacks", all.len());
    all
}

/// Every text of a document is the attack, but for words of the format.
fn replace(value: &mut Value, key: &str, attack: &str) {
    match value {
        Value::String(_) if WORDS.contains(&key) => {}
        Value::String(text) => *text = attack.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, key, attack)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, field)| replace(field, key, attack)),
        _ => {}
    }
}

fn read(name: &str, document: &Value) -> Document {
    serde_json::from_value(document.clone()).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// What the browser saw.
fn look(job: &Value) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("job.json");
    fs::write(&file, job.to_string()).unwrap();
    #[allow(clippy::disallowed_methods, reason = "a test drives the browser")]
    let mut child = Command::new("node")
        .arg(root().join("tests/page/look.mjs"))
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(fs::File::create(folder.path().join("out")).unwrap())
        .stderr(fs::File::create(folder.path().join("err")).unwrap())
        .spawn()
        .expect("node must be on PATH: it drives the browser");
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("no end within {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let said = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(status.success(), "{}", said("err"));
    serde_json::from_str(&said("out")).unwrap()
}

/// What `ci/runners env` exports.
fn variable(name: &str) -> String {
    #[allow(clippy::disallowed_methods, reason = "a test reads what ci/runners exports")]
    let value = std::env::var(name);
    value.unwrap_or_else(|_| {
        panic!("{name} is not set: run `ci/runners up chromium playwright mermaid` and `eval \"$(ci/runners env)\"`")
    })
}

fn shots() -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "a switch for people who run this test")]
    let folder = std::env::var_os("PAGE_SHOTS").map(PathBuf::from)?;
    fs::create_dir_all(&folder).unwrap();
    Some(folder)
}

fn chromium() -> &'static str {
    let place = "/usr/bin/chromium";
    assert!(Path::new(place).exists(), "there is no {place}: run `ci/runners up chromium`");
    place
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_page_is_whole_readable_and_alone() {
    variable("TESTBED_PLAYWRIGHT");
    let folder = tempfile::tempdir().unwrap();
    let shots = shots();
    let (mut pages, mut looks) = (Vec::new(), 0);
    for (name, document) in documents() {
        let page = html::page(&read(&name, &document));
        assert!(page.len() < 4 * 1024 * 1024, "{name}: {} bytes", page.len());
        let file = folder.path().join(format!("{name}.html"));
        fs::write(&file, page).unwrap();
        // Colours and widths are those of the style sheet, whatever the text: a phone by day shows what an attack does.
        let hostile = name.starts_with("hostile-");
        let (widths, schemes) =
            if hostile { (vec![360], vec!["light"]) } else { (vec![360, 768, 1280], vec!["light", "dark"]) };
        looks += schemes.len();
        pages.push(json!({ "name": name, "file": file, "shots": shots, "widths": widths, "schemes": schemes }));
    }
    let seen = look(&json!({ "chromium": chromium(), "pages": pages }));
    let findings = seen["findings"].as_array().unwrap();
    assert!(findings.len() == looks && looks > pages.len(), "by day and by night");
    let mut calm: Option<Value> = None;
    for found in findings {
        let case = format!("{}, {}", found["name"], found["scheme"]);
        for nothing in ["complaints", "requests", "overflow", "contrast"] {
            assert_eq!(found[nothing], json!([]), "{case}: {nothing}");
        }
        let structure = &found["structure"];
        assert_eq!(structure["lang"], "en", "{case}");
        assert_eq!(structure["headings"][0], 1, "{case}");
        assert_eq!(structure["jumps"], 0, "{case}: a level of headings left out");
        assert_eq!(structure["tablesWithoutHeads"], 0, "{case}");
        assert_eq!(structure["strangers"], json!([]), "{case}");
        assert!(structure["text"].as_u64().unwrap() > 300, "{case}");
        for link in structure["links"].as_array().unwrap() {
            let known = ["https://forge.example/", "https://docs.docker.com/"];
            assert!(known.iter().any(|start| link.as_str().unwrap().starts_with(start)), "{case}: {link}");
        }
        if found["name"].as_str().unwrap().starts_with("hostile-") {
            // The same elements whatever the attack; one of them may be empty and need no word for it.
            let calm = calm.get_or_insert_with(|| structure["headings"].clone());
            assert_eq!(&structure["headings"], calm, "{case}");
        }
    }
}

#[test]
fn diagrams_are_drawn_by_mermaid() {
    let scripts: Vec<String> = variable("TESTBED_MERMAID").split(':').map(str::to_owned).collect();
    assert!(scripts.len() >= 2 && scripts.iter().all(|script| Path::new(script).exists()), "{scripts:?}");
    let mut diagrams = BTreeMap::new();
    for (name, document) in documents() {
        let summary = markdown::summary(&read(&name, &document));
        let (_, rest) =
            summary.split_once("### Timeline\n\n```mermaid\n").unwrap_or_else(|| panic!("{name}: no diagram"));
        diagrams.insert(name, rest.split_once("\n```\n").unwrap().0.to_owned());
    }
    let seen = look(&json!({ "chromium": chromium(), "mermaid": scripts, "diagrams": diagrams, "shots": shots() }));
    let drawn = seen["diagrams"].as_array().unwrap();
    assert_eq!(drawn.len(), diagrams.len() * scripts.len());
    for found in drawn {
        let case = format!("{} by {}", found["name"], found["script"]);
        let text = &diagrams[found["name"].as_str().unwrap()];
        assert_eq!(found.get("error"), None, "{case}\n{text}");
        assert_eq!(found["type"], "gantt", "{case}");
        assert_eq!(found["complaints"], json!([]), "{case}");
        assert_eq!(found["strangers"], json!([]), "{case}");
        let bars = text.lines().filter(|line| line.starts_with("    · ")).count();
        assert_eq!(found["bars"], bars, "{case}: every bar is drawn, and no other\n{text}");
        assert!(
            found["labels"].as_array().unwrap().iter().all(|label| label.as_str().unwrap().contains("· ")),
            "{case}"
        );
    }
}
