//! Every attack of `tests/corpus/hostile`, put into every text of a run, and what comes out judged by those who read it: models of
//! the runners' own parsers, and readers of markdown, HTML, Mermaid and JSON that share nothing with our writers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::Value;

use super::document::{Document, result_schema};
use super::outputs::Outputs;
use super::terminal::{self, Settings, closing};
use super::{annotations, code_quality, fixtures, html, markdown};
use crate::buildx::event::{Progress, Vertex, Warning};
use crate::event::{Event, Events};
use crate::outcome::Outcome;
use crate::problem::{Failure, FailureKind, Problem};
use crate::redact::Redactor;
use crate::runner::{self, Dialect, ForgeKind};

mod forge;
#[path = "../../tests/support/runner_model.rs"]
mod model;
pub(super) mod reader;

const FORGES: [ForgeKind; 5] =
    [ForgeKind::GitHub, ForgeKind::Gitea, ForgeKind::Forgejo, ForgeKind::GitLab, ForgeKind::Local];

/// Name and bytes of each attack.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/hostile");
    let mut all: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| name != "README.md")
        .collect();
    all.sort();
    assert!(all.len() >= 70, "{} attacks", all.len());
    all
}

fn texts() -> Vec<(String, String)> {
    corpus().into_iter().map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned())).collect()
}

/// A run in which every text is this one, on a forge.
fn run(text: &str, forge: ForgeKind) -> Outcome {
    let mut outcome = fixtures::hostile(text);
    outcome.context.forge = forge;
    outcome
}

fn document(text: &str) -> Document {
    Document::new(&run(text, ForgeKind::GitHub))
}

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl io::Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The whole log of such a run: two builds that shout side by side, one of which is cut short, and the last words.
async fn log(bytes: &[u8], forge: ForgeKind) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let failure = || Failure::new(FailureKind::Build, Problem::new(text.as_str()).hint(text.as_str()));
    let vertex = |digest: &str, ended: bool| {
        let completed = ended.then(|| Timestamp::from_second(1_700_000_002).unwrap());
        Progress::Vertex(Vertex {
            digest: digest.into(),
            name: format!("[build 1/2] RUN {text}"),
            started: Timestamp::from_second(1_700_000_000).ok(),
            completed,
            cached: false,
            error: if ended { text.clone() } else { String::new() },
        })
    };
    let output = |digest: &str, stderr| {
        let mut data = bytes.to_vec();
        data.push(b'\n');
        Progress::Log { vertex: digest.into(), stderr, data }
    };
    let warning = Warning { message: text.clone(), detail: text.clone(), url: text.clone(), location: None };
    let of = |build: &str, progress| Event::Build { build: format!("{build} {text}"), progress };
    let start = |id: &str| Event::SectionStart { id: id.into(), title: format!("{id} {text}") };
    let events = vec![
        start("plan"),
        Event::Info(text.clone()),
        Event::SectionEnd { id: "plan".into(), result: Ok(text.clone()), took: Default::default() },
        Event::Warning(text.clone()),
        start("build_0"),
        start("build_1"),
        of("a", vertex("1", false)),
        of("b", vertex("2", false)),
        of("a", output("1", false)),
        of("b", output("2", true)),
        of("a", output("1", true)),
        of("b", Progress::Trailer(text.clone())),
        of("a", Progress::Warning(warning)),
        of("a", vertex("1", true)),
        Event::Debug(text.clone()),
        Event::SectionEnd { id: "build_0".into(), result: Err(failure()), took: Default::default() },
        of("b", output("2", false)),
    ];
    let (sender, receiver) = Events::channel();
    let settings = Settings {
        dialect: Dialect::of(forge),
        live: false,
        color: true,
        verbose: true,
        redactor: Redactor::default(),
    };
    let screen = Screen::default();
    let handle = terminal::spawn(receiver, screen.clone(), settings).unwrap();
    for event in events {
        sender.send(event).await;
    }
    drop(sender);
    handle.finish(closing::last_words(&Document::new(&run(&text, forge)), false, true));
    screen.0.lock().unwrap().clone()
}

#[tokio::test]
async fn no_log_commands_a_runner_or_a_terminal() {
    for forge in FORGES {
        let calm = log(b"calm", forge).await;
        for (name, bytes) in corpus() {
            let log = log(&bytes, forge).await;
            let text = String::from_utf8(log.clone()).expect("every log is UTF-8");
            let case = format!("{name} on {forge:?}");
            match Dialect::of(forge) {
                Dialect::Actions => judge_actions(&case, &log, &calm),
                Dialect::GitLab => {
                    let calm = String::from_utf8_lossy(&calm);
                    assert_eq!(model::gitlab_sections(&text), model::gitlab_sections(&calm), "{case}");
                }
                Dialect::Plain => {}
            }
            assert_eq!(model::terminal_commands(&model::without_markers(&text)), [""; 0], "{case}");
        }
    }
}

/// By a runner that heeds `stop-commands`, and by one (or a viewer of logs) that does not.
fn judge_actions(case: &str, log: &[u8], calm: &[u8]) {
    let count = |read: &model::Read, name: &str| read.commands.iter().filter(|command| command.name == name).count();
    let (read, expected) = (model::actions_log(log, true), model::actions_log(calm, true));
    for name in ["group", "endgroup", "stop-commands", "resume"] {
        assert_eq!(count(&read, name), count(&expected, name), "{case}: {name}");
    }
    assert!(!read.still_stopped, "{case}: stopped to the end");
    let tokens: Vec<_> = read.commands.iter().filter(|c| c.name == "stop-commands").map(|c| &c.data).collect();
    assert!(tokens.len() >= 4, "{case}");
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), tokens.len(), "{case}: a token came twice");
    let relayed = read.text.iter().filter(|(line, _)| line.contains("/2] | "));
    assert!(relayed.clone().count() >= 3, "{case}: the output is shown");
    assert!(relayed.clone().all(|(_, stopped)| *stopped), "{case}: output that is obeyed");
    for read in [read, model::actions_log(log, false)] {
        for command in read.commands {
            let ours = ["group", "endgroup", "stop-commands", "resume", "error", "warning"];
            assert!(ours.contains(&command.name.as_str()), "{case}: {command:?}");
            let known = ["file", "line", "col", "title"];
            assert!(command.properties.keys().all(|key| known.contains(&key.as_str())), "{case}: {command:?}");
        }
    }
}

#[test]
fn no_annotation_says_more_than_one_thing() {
    for (name, text) in texts() {
        let lines = annotations::lines(&document(&text), false);
        assert!(!lines.is_empty());
        for line in lines {
            let read = model::actions_log(line.as_bytes(), true);
            assert_eq!((read.commands.len(), read.text.len()), (1, 0), "{name}: {line:?}");
            assert!(["error", "warning"].contains(&read.commands[0].name.as_str()), "{name}: {line:?}");
        }
    }
}

#[test]
fn no_page_holds_a_tag_that_is_not_ours() {
    let calm = tags(&html::page(&document("calm")));
    for (name, text) in texts() {
        let page = html::page(&document(&text));
        assert_eq!(tags(&page), calm, "{name}");
        assert!(page.chars().all(|c| matches!(c, '\n' | '\t') || !c.is_control()), "{name}: control characters");
    }
}

/// Every tag in order, as a browser reads them where text holds no `<`. Code may come and go.
fn tags(page: &str) -> Vec<String> {
    // What the style sheet holds is no tag, and the numbers of a drawing are not compared.
    let body = &page[page.find("</style>").unwrap()..];
    let numbers = regex::Regex::new("\"[0-9.]+\"").unwrap();
    body.split('<')
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap_or(rest))
        .filter(|tag| !matches!(*tag, "code" | "/code" | "br"))
        .map(|tag| numbers.replace_all(tag, "N").into_owned())
        .collect()
}

#[test]
fn no_diagram_holds_a_word_of_mermaid_that_is_not_ours() {
    let line = regex::Regex::new(
        r"^(gantt|    dateFormat x|    axisFormat %[sQ] m?s|    section [^:;#%{}<>&`$\\]+|    · [^:;#%{}<>&`$\\]+ \((cached|failed after )?[0-9.hms]*\) :(active, |crit, |milestone, done, )?[0-9]+, [0-9]+ms)$",
    )
    .unwrap();
    for (name, text) in texts() {
        let summary = markdown::summary(&document(&text));
        let (_, rest) = summary.split_once("### Timeline\n\n```mermaid\n").expect("a diagram");
        let (diagram, _) = rest.split_once("\n```\n").expect("its end");
        for found in diagram.lines() {
            assert!(line.is_match(found), "{name}: {found:?}");
        }
    }
}

#[test]
fn reports_for_machines_hold_what_they_should_and_nothing_else() {
    let schema = serde_json::to_value(result_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, text) in texts() {
        let document = Document::new(&run(&text, ForgeKind::GitLab));
        let json: Value = serde_json::from_str(&document.to_json()).unwrap();
        assert!(validator.is_valid(&json), "{name}");
        assert_eq!(serde_json::from_value::<Document>(json).unwrap(), document, "{name}");

        let quality: Vec<Value> = serde_json::from_str(&code_quality::report(&document)).unwrap();
        for entry in quality {
            let keys: Vec<&String> = entry.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["check_name", "description", "fingerprint", "location", "severity"], "{name}");
            let path = entry["location"]["path"].as_str().unwrap();
            assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."), "{name}: {path}");
        }
        let links: Value = serde_json::from_str(&annotations::gitlab_report(&document)).unwrap();
        for link in links.as_object().unwrap().values().flat_map(|section| section.as_array().unwrap()) {
            let url = link["external_link"]["url"].as_str().unwrap();
            assert!(url.starts_with("https://"), "{name}: {url}");
        }
    }
}

#[test]
fn no_output_becomes_two() {
    for (name, text) in texts() {
        let outputs = Outputs::new(&document(&text), None);
        let actions = outputs.for_actions();
        let borrowed: Vec<(&str, &str)> = actions.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let written = runner::outputs::render(&borrowed, runner::outputs::OutputLimits::of(ForgeKind::GitHub));
        let read = model::file_command(&written.text).unwrap_or_else(|why| panic!("{name}: {why}"));
        let given: BTreeMap<String, String> = actions.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        assert_eq!(read.len() + written.notes.len(), given.len(), "{name}: what is left out is told");
        assert!(read.iter().all(|(output, value)| given.get(output) == Some(value)), "{name}: {read:?}");

        let dotenv = outputs.for_dotenv();
        let borrowed: Vec<(&str, &str)> = dotenv.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let written = runner::dotenv::render(&borrowed).text;
        let mut seen = BTreeSet::new();
        for line in written.split_terminator('\n') {
            let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{name}: {line:?}"));
            let spec = super::OUTPUTS
                .iter()
                .find(|spec| runner::dotenv::key(super::outputs::name_in_dotenv(spec.name)) == key);
            assert!(spec.is_some() && seen.insert(key.to_owned()), "{name}: {line:?}");
            assert!(!value.contains(['$', '\r']) && value.trim() == value, "{name}: {line:?}");
        }
    }
}
