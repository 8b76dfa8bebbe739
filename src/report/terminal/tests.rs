use super::*;
use crate::buildx::event::{Progress, Vertex, Warning};
use crate::problem::{Failure, FailureKind, Location, Problem};
use crate::report::document::Document;
use crate::report::fixtures;
use crate::secret::Secret;

fn at(millis: u64) -> Moment {
    Moment {
        elapsed: Duration::from_millis(millis),
        wall: Timestamp::from_second(1_773_480_413 + (millis / 1000) as i64).unwrap(),
    }
}

/// A vertex as the parser tells it: begun, or over after so many milliseconds.
fn vertex(build: &str, digest: &str, name: &str, took: Option<i64>) -> Event {
    let started = Timestamp::from_second(1_773_480_413).unwrap();
    let completed = took.map(|ms| started + jiff::SignedDuration::from_millis(ms));
    let vertex =
        Vertex { digest: digest.into(), name: name.into(), started: Some(started), completed, ..Vertex::default() };
    progress(build, Progress::Vertex(vertex))
}

fn cached(build: &str, digest: &str, name: &str) -> Event {
    progress(
        build,
        Progress::Vertex(Vertex { digest: digest.into(), name: name.into(), cached: true, ..Vertex::default() }),
    )
}

fn failed(build: &str, digest: &str, name: &str, error: &str) -> Event {
    let vertex = Vertex { digest: digest.into(), name: name.into(), error: error.into(), ..Vertex::default() };
    progress(build, Progress::Vertex(vertex))
}

fn log(build: &str, digest: &str, text: &str) -> Event {
    progress(build, Progress::Log { vertex: digest.into(), stderr: false, data: text.as_bytes().to_vec() })
}

fn progress(build: &str, progress: Progress) -> Event {
    Event::Build { build: build.into(), progress }
}

fn start(id: &str, title: &str) -> Event {
    Event::SectionStart { id: id.into(), title: title.into() }
}

fn end(id: &str, said: &str, millis: u64) -> Event {
    Event::SectionEnd { id: id.into(), result: Ok(said.into()), took: Duration::from_millis(millis) }
}

/// A run of one build, half a second between events.
fn a_run() -> Vec<Event> {
    vec![
        start("plan", "Plan"),
        Event::Info("app: Dockerfile → ghcr.io/acme/app (3 tags)".into()),
        end("plan", "1 build", 12),
        start("build_app", "Build app"),
        vertex("app", "a", "[internal] load build definition from Dockerfile", None),
        vertex("app", "a", "[internal] load build definition from Dockerfile", Some(40)),
        cached("app", "b", "[build 1/4] FROM docker.io/library/rust:1.95"),
        vertex("app", "c", "[build 4/4] RUN cargo build --release", None),
        log("app", "c", "   Compiling app v0.3.0\n   Comp"),
        log("app", "c", "iling http v1.0\n"),
        progress(
            "app",
            Progress::Warning(Warning {
                message: "FromAsCasing: casing does not match".into(),
                detail: String::new(),
                url: String::new(),
                location: Some(Location { file: "Dockerfile".into(), line: Some(1), column: None }),
            }),
        ),
        log("app", "c", "done, no line end"),
        vertex("app", "c", "[build 4/4] RUN cargo build --release", Some(33_800)),
        vertex("app", "d", "exporting to image", None),
        vertex("app", "d", "exporting to image", Some(2_400)),
        end("build_app", "sha256:a172cedcae47", 38_900),
        Event::Warning("the cache could not be read: connection refused".into()),
        Event::Debug("only when verbose".into()),
    ]
}

fn play(dialect: Dialect, verbose: bool, events: Vec<Event>) -> String {
    play_with(Plain::new(dialect, Paint(false), verbose), &Redactor::default(), events)
}

fn play_with(mut plain: Plain, redactor: &Redactor, events: Vec<Event>) -> String {
    let mut out = Vec::new();
    for (i, event) in events.into_iter().enumerate() {
        plain.event(event, redactor, at(i as u64 * 500), &mut out);
    }
    plain.close(at(60_000), &mut out);
    without_tokens(&String::from_utf8(out).unwrap())
}

/// Each run has other tokens.
fn without_tokens(text: &str) -> String {
    regex::Regex::new("stagefreight_[0-9a-f]{32}").unwrap().replace_all(text, "TOKEN").into_owned()
}

#[test]
fn the_log_on_github() {
    insta::assert_snapshot!(play(Dialect::Actions, false, a_run()));
}

#[test]
fn the_log_on_gitlab() {
    let text = play(Dialect::GitLab, false, a_run());
    insta::assert_snapshot!(text.replace('\x1b', "␛").replace('\r', "␍"));
}

#[test]
fn the_log_in_a_pipe() {
    insta::assert_snapshot!(play(Dialect::Plain, true, a_run()));
}

#[test]
fn builds_in_parallel_say_whose_lines_are_whose_and_sections_do_not_nest() {
    let events = vec![
        start("build_app", "Build app"),
        vertex("app", "a", "[2/3] RUN make", None),
        start("build_docs", "Build docs"),
        vertex("docs", "a", "[2/2] RUN mdbook build", None),
        log("app", "a", "cc main.c\n"),
        log("docs", "a", "rendering\n"),
        vertex("app", "a", "[2/3] RUN make", Some(900)),
        end("build_app", "", 1_000),
        vertex("docs", "a", "[2/2] RUN mdbook build", Some(1_900)),
        end("build_docs", "", 2_000),
    ];
    insta::assert_snapshot!(play(Dialect::Actions, false, events), @"
    ::group::Build app
      Build docs
    ::stop-commands::TOKEN
      app [2/3] RUN make
      app [2/3] | cc main.c
      docs [2/2] RUN mdbook build
      docs [2/2] | rendering
      app [2/3] RUN make … 0.9s
    ::TOKEN::
    ::endgroup::
    ✓ Build app (1.0s)
    ::group::Build docs
    ::stop-commands::TOKEN
      docs [2/2] RUN mdbook build … 1.9s
    ::TOKEN::
    ::endgroup::
    ✓ Build docs (2.0s)
    ");
}

#[test]
fn a_failed_step_and_section_say_why() {
    let failure = Failure::new(FailureKind::Build, Problem::new("the build `app` failed\nfor a reason"));
    let events = vec![
        start("build_app", "Build app"),
        vertex("app", "a", "[2/3] RUN make", None),
        failed("app", "a", "[2/3] RUN make", "process \"/bin/sh -c make\" did not complete successfully: exit code: 2"),
        failed("app", "b", "[other 2/3] RUN test", "rpc error: context canceled"),
        Event::SectionEnd { id: "build_app".into(), result: Err(failure), took: Duration::from_secs(75) },
    ];
    insta::assert_snapshot!(play(Dialect::Plain, false, events), @r#"
    Build app
      [2/3] RUN make … failed after 0.5s: process "/bin/sh -c make" did not complete successfully: exit code: 2
      [other 2/3] RUN test … cancelled
    ✗ Build app: the build `app` failed for a reason (1m15s)
    "#);
}

#[test]
fn a_silent_step_gives_a_sign_of_life() {
    let mut plain = Plain::new(Dialect::Plain, Paint(false), false);
    let (mut out, redactor) = (Vec::new(), Redactor::default());
    plain.event(start("build", "Build app"), &redactor, at(0), &mut out);
    plain.event(vertex("app", "a", "[2/3] RUN make", None), &redactor, at(1_000), &mut out);
    plain.event(vertex("app", "x", "exporting to image", None), &redactor, at(1_000), &mut out);
    let moved = Progress::Transfer {
        vertex: "x".into(),
        name: "layer".into(),
        current: 12_400_000,
        total: 80_000_000,
        done: false,
    };
    plain.event(progress("app", moved), &redactor, at(1_000), &mut out);
    plain.event(log("app", "a", "Password: "), &redactor, at(1_000), &mut out);
    out.clear();
    for second in 1..100 {
        plain.tick(at(second * 1_000), &mut out);
    }
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
      [2/3] | Password: 
      [2/3] RUN make … still running, 30.0s
      exporting to image … still running, 30.0s, 12.4/80.0 MB
      [2/3] RUN make … still running, 1m00s
      exporting to image … still running, 1m00s, 12.4/80.0 MB
      [2/3] RUN make … still running, 1m30s
      exporting to image … still running, 1m30s, 12.4/80.0 MB
    ");
}

#[test]
fn nothing_from_outside_commands_the_runner_or_the_terminal() {
    let evil = "::error::x\n##[group]y\n\x1b[2J\x1b]0;t\x07z\n\x1b[0Ksection_end:1:a\r\x1b[0K::set-env name=a::b\nq\r::stop-commands::t\n";
    let events = vec![
        start("a", evil),
        Event::Info(evil.into()),
        Event::Warning(evil.into()),
        vertex("b", "v", evil, None),
        log("b", "v", evil),
        progress("b", Progress::Trailer(evil.into())),
        vertex("b", "v", evil, Some(5_000)),
        end("a", evil, 1),
    ];
    let text = play(Dialect::Actions, true, events);
    for line in text.split(['\n', '\r']) {
        let known =
            line.starts_with("::group::") || ["::endgroup::", "::stop-commands::TOKEN", "::TOKEN::"].contains(&line);
        assert!(known || !line.trim_start().starts_with("::"), "{line}");
        assert!(!line.contains("##["), "{line}");
    }
    assert!(!text.contains(['\x1b', '\x07']), "{text:?}");
    assert_eq!((text.matches("::group::").count(), text.matches("::endgroup::").count()), (1, 1));
}

#[test]
fn a_secret_cut_by_pieces_by_escapes_or_by_an_overlong_line_is_masked() {
    let secret = Secret::new("tok-0123456789");
    let redactor = Redactor::new([&secret]);
    let long = "x".repeat(16 * 1024 - 8);
    let events = vec![
        vertex("b", "v", "[1/1] RUN make", None),
        log("b", "v", "one tok-0123"),
        log("b", "w", "of another step\n"),
        log("b", "v", "456789 two\n"),
        log("b", "v", "three tok-\x1b[0m0123456789 four\n"),
        log("b", "v", &format!("{long}tok-0123456789{long}\n")),
    ];
    let text = play_with(Plain::new(Dialect::Actions, Paint(false), false), &redactor, events);
    let text = redactor.text(&text); // as the sink does
    assert!(text.contains("one *** two") && text.contains("three *** four"), "{}", &text[..300]);
    assert!(!text.contains("0123456789") && !text.contains("tok-"), "{}", &text[text.len() - 200..]);
}

#[test]
fn memory_does_not_grow_with_the_log() {
    let mut plain = Plain::new(Dialect::Plain, Paint(false), false);
    let (mut out, redactor) = (Vec::new(), Redactor::default());
    let piece = "no line end ".repeat(2_000);
    for i in 0..700 {
        // Every piece in a step of its own that never ends, and one endless line in a step that stays.
        plain.event(log("b", &format!("v{i}"), "half a line"), &redactor, at(i), &mut out);
        plain.event(log("b", "long", &piece), &redactor, at(i), &mut out);
        assert!(out.len() < 2 * piece.len());
        out.clear();
    }
    assert!(plain.steps.running().len() <= 512);
}

#[test]
fn colour_is_for_forges_and_terminals_unless_unwanted() {
    let vars = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect::<Vars>();
    let none = vars(&[]);
    assert!(wants_color(false, ForgeKind::GitLab, &none));
    assert!(wants_color(true, ForgeKind::Local, &none));
    assert!(!wants_color(false, ForgeKind::Local, &none));
    assert!(!wants_color(true, ForgeKind::Local, &vars(&[("TERM", "dumb")])));
    assert!(!wants_color(true, ForgeKind::GitHub, &vars(&[("NO_COLOR", "1")])));
}

// The end of the log.

#[test]
fn last_words() {
    for (name, outcome) in fixtures::all() {
        insta::assert_snapshot!(format!("closing_{name}"), closing::render(&fixtures::document(&outcome), false));
    }
}

#[test]
fn a_proof_with_many_culprits_stays_readable() {
    let mut outcome = fixtures::proofs::deterministic();
    let proof = outcome.builds[0].proof.as_mut().unwrap();
    let culprits = proof.culprits.as_mut().unwrap();
    let (file, change) = (culprits.layers[0].files[0].clone(), culprits.config[0].clone());
    culprits.layers[0].files = vec![file; 20];
    culprits.layers = vec![culprits.layers[0].clone(); 100];
    culprits.config = vec![change; 500];
    proof.obstacles = vec!["something differs".into(); 500];
    let text = closing::render(&fixtures::document(&outcome), false);
    assert!(text.lines().count() < 140, "{}", text.lines().count());
    assert!(text.contains("… and 15 more") && text.contains("… and 90 more") && text.contains("… and 490 more"));
}

#[test]
fn annotations_stand_alone_and_the_headline_comes_last() {
    let text = closing::last_words(&Document::new(&fixtures::failing_run()), false, false);
    assert!(text.starts_with("::error file=src/main.rs,line=41"), "{text}");
    assert!(text.ends_with("\n✗ Build failed: `app` (16.8s)\n"), "{text}");
    assert!(
        !closing::last_words(&Document::new(&fixtures::failing_config()), false, false).contains("::error"),
        "GitLab"
    );
}

#[test]
fn last_words_command_nobody() {
    let evil = "\n::error::x\r\n##[group]y\x1b[2J\r::set-env name=a::b";
    let text = closing::render(&Document::new(&fixtures::hostile(evil)), false);
    for line in text.split(['\n', '\r']) {
        assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line}");
    }
    assert!(!text.contains(['\x1b', '\r']));
}

#[test]
fn colour_can_be_taken_away_without_losing_a_word() {
    for (_, outcome) in fixtures::all() {
        let document = Document::new(&outcome);
        let plain = anstream::adapter::strip_str(&closing::render(&document, true)).to_string();
        assert_eq!(plain, closing::render(&document, false));
    }
}

// The live terminal, seen through a small one.

/// What a terminal shows: rows of text, and where the cursor is.
struct Screen {
    columns: usize,
    rows: Vec<String>,
    row: usize,
}

impl Screen {
    fn new(columns: usize) -> Self {
        Self { columns, rows: vec![String::new()], row: 0 }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).unwrap();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\r' => {}
                '\n' => self.newline(),
                '\x1b' => {
                    let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    let (number, command) = (rest[1..end].parse().unwrap_or(1), &rest[end..=end]);
                    rest = &rest[end + 1..];
                    match command {
                        "A" => self.row = self.row.checked_sub(number).expect("moved above the beginning"),
                        "J" => {
                            self.rows.truncate(self.row + 1);
                            self.rows[self.row].clear();
                        }
                        other => panic!("{other}"),
                    }
                }
                c => {
                    if self.rows[self.row].chars().count() >= self.columns {
                        self.newline();
                    }
                    let row = self.row;
                    self.rows[row].push(c);
                }
            }
        }
    }

    fn newline(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(String::new());
        }
    }

    /// The window was made narrower: what is wider takes more rows.
    fn narrow(&mut self, columns: usize) {
        let (old, row) = (std::mem::take(&mut self.rows), self.row);
        for (i, text) in old.iter().enumerate() {
            if i == row {
                self.row = self.rows.len();
            }
            let chars: Vec<char> = text.chars().collect();
            let mut chunks: Vec<String> = chars.chunks(columns).map(|c| c.iter().collect()).collect();
            if chunks.is_empty() {
                chunks.push(String::new());
            }
            self.rows.extend(chunks);
        }
        self.columns = columns;
    }

    fn text(&self) -> String {
        self.rows.join("\n")
    }
}

fn drive(live: &mut Live, screen: &mut Screen, events: Vec<Event>, from: u64) {
    let mut out = Vec::new();
    for (i, event) in events.into_iter().enumerate() {
        let now = at(from + i as u64 * 150);
        live.event(event, &Redactor::default(), now, &mut out);
        live.tick(now, &mut out);
        screen.feed(&out);
        out.clear();
    }
}

#[test]
fn a_terminal_shows_what_runs_and_in_the_end_what_was_done() {
    let mut live = Live::new(Paint(false), false, || Some((60, 24)));
    let mut screen = Screen::new(60);
    let mut events = a_run();
    let rest = events.split_off(11);
    drive(&mut live, &mut screen, events, 0);
    insta::assert_snapshot!("live_middle", screen.text());
    drive(&mut live, &mut screen, rest, 60_000);
    let mut out = Vec::new();
    live.close(at(99_000), &mut out);
    screen.feed(&out);
    insta::assert_snapshot!("live_end", screen.text());
}

#[test]
fn a_narrowed_window_leaves_no_rubbish() {
    let mut live = Live::new(Paint(false), false, || Some((100, 24)));
    let mut screen = Screen::new(100);
    let name = "[build 4/4] RUN cargo build --release --all-features --target x86_64-unknown-linux-musl";
    drive(
        &mut live,
        &mut screen,
        vec![start("build", "Build app"), vertex("app", "c", name, None), Event::Info("kept".into())],
        0,
    );
    screen.narrow(40);
    live.resize(|| Some((40, 24)));
    drive(&mut live, &mut screen, vec![Event::Info("kept too".into()), vertex("app", "c", name, Some(5))], 1_000);
    let mut out = Vec::new();
    live.close(at(9_000), &mut out);
    screen.feed(&out);
    let text = screen.text();
    assert_eq!(text.matches("kept").count(), 2, "{text}");
    assert!(!text.contains('⣾') && !text.contains('⣽') && !text.contains('⣻'), "{text}");
}

#[test]
fn many_steps_and_small_windows_are_fine() {
    for (columns, rows) in [(1, 1), (2, 3), (20, 5), (200, 60)] {
        static SIZE: Mutex<(usize, usize)> = Mutex::new((0, 0));
        *SIZE.lock().unwrap() = (columns, rows);
        let mut live = Live::new(Paint(false), false, || Some(*SIZE.lock().unwrap()));
        let mut screen = Screen::new(columns);
        let steps =
            (0..50).map(|i| vertex("app", &format!("v{i}"), &format!("[s{i} 1/2] RUN 漢字 {i}"), None)).collect();
        drive(&mut live, &mut screen, steps, 0);
        assert!(screen.rows.len() <= rows.max(2), "{columns}x{rows}\n{}", screen.text());
    }
}

// The thread.

/// A sink that can be looked at, and blocked.
#[derive(Clone, Default)]
struct Probe {
    text: Arc<Mutex<Vec<u8>>>,
    blocked: bool,
    broken: bool,
}

impl Write for Probe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.blocked {
            thread::sleep(Duration::from_secs(3600));
        }
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.text.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Probe {
    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

fn settings(live: bool, secret: &str) -> Settings {
    let secret = Secret::new(secret);
    Settings { dialect: Dialect::Plain, live, color: false, verbose: false, redactor: Redactor::new([&secret]) }
}

#[tokio::test]
async fn everything_sent_is_drawn_before_the_last_words() {
    for live in [false, true] {
        let (events, listener) = crate::event::Events::channel();
        let probe = Probe::default();
        let handle = spawn(listener, probe.clone(), settings(live, "hunter22")).unwrap();
        for n in 0..1_000 {
            events.info(format!("line {n} hunter22")).await;
        }
        // The sender is still alive: the end does not depend on every task having let go.
        assert_eq!(handle.finish("the end hunter22\n".into()), Drawn::All);
        let text = probe.text();
        assert!(text.ends_with("line 999 ***\nthe end ***\n"), "{}", &text[text.len() - 100..]);
        assert_eq!(text.lines().filter(|l| l.starts_with("line ")).count(), 1_000);
    }
}

#[tokio::test]
async fn the_end_comes_also_after_all_senders_are_gone() {
    let (events, listener) = crate::event::Events::channel();
    let probe = Probe::default();
    let handle = spawn(listener, probe.clone(), settings(false, "")).unwrap();
    events.info("one").await;
    drop(events);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(handle.finish("two\n".into()), Drawn::All);
    assert_eq!(probe.text(), "one\ntwo\n");
}

#[tokio::test]
async fn secrets_learnt_later_are_hidden_from_then_on() {
    let (events, listener) = crate::event::Events::channel();
    let probe = Probe::default();
    let handle = spawn(listener, probe.clone(), settings(false, "")).unwrap();
    handle.redact_with(Redactor::new([&Secret::new("later-secret")]));
    events.info("a later-secret").await;
    handle.finish(String::new());
    assert_eq!(probe.text(), "a ***\n");
}

#[tokio::test]
async fn a_blocked_terminal_holds_up_nobody() {
    let (events, listener) = crate::event::Events::channel();
    let handle = spawn(listener, Probe { blocked: true, ..Probe::default() }, settings(false, "")).unwrap();
    events.info("x").await;
    let began = Instant::now();
    assert_eq!(handle.finish("end\n".into()), Drawn::GaveUp);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_broken_pipe_is_no_reason_to_stop() {
    let (events, listener) = crate::event::Events::channel();
    let handle = spawn(listener, Probe { broken: true, ..Probe::default() }, settings(false, "")).unwrap();
    for _ in 0..2_000 {
        events.info("x").await;
    }
    assert_eq!(handle.finish("end\n".into()), Drawn::All);
}
