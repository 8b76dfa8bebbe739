//! How fast the log of a build reaches its sink: 200 MB of it through the queue, the renderer, the neutraliser and the
//! redactor. `cargo bench --bench terminal`. The promise is 100 MB/s and constant memory.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io;
use std::time::Instant;

use stagefreight::buildx::event::{Progress, Vertex};
use stagefreight::event::{Event, Events};
use stagefreight::redact::Redactor;
use stagefreight::report::terminal::{Drawn, Settings, spawn};
use stagefreight::runner::Dialect;
use stagefreight::secret::Secret;

const TOTAL: usize = 200_000_000;

fn main() {
    for (name, live, secrets) in
        [("plain, no secrets", false, 0), ("plain, 8 secrets", false, 8), ("terminal, 8 secrets", true, 8)]
    {
        let began = Instant::now();
        run(live, secrets);
        let seconds = began.elapsed().as_secs_f64();
        println!("{name:20} {:6.0} MB/s, peak memory {} MB", TOTAL as f64 / 1e6 / seconds, peak_mb());
    }
}

fn run(live: bool, secrets: usize) {
    let secrets: Vec<Secret> =
        (0..secrets).map(|n| Secret::new(format!("ghp_{n}aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"))).collect();
    let settings =
        Settings { dialect: Dialect::Actions, live, color: true, verbose: false, redactor: Redactor::new(&secrets) };
    let (events, listener) = Events::channel();
    let handle = spawn(listener, io::sink(), settings).unwrap();
    let line = "[ 42%] Building CXX object src/lib/CMakeFiles/core.dir/module_0001.cpp.o -- #include <vector>\n";
    let piece: Vec<u8> = line.bytes().cycle().take(line.len() * (32 * 1024 / line.len())).collect();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let vertex = Vertex { digest: "v".into(), name: "[build 4/4] RUN make".into(), ..Vertex::default() };
        events.send(Event::Build { build: "app".into(), progress: Progress::Vertex(vertex) }).await;
        for _ in 0..TOTAL / piece.len() {
            let progress = Progress::Log { vertex: "v".into(), stderr: false, data: piece.clone() };
            events.send(Event::Build { build: "app".into(), progress }).await;
        }
    });
    assert_eq!(handle.finish(String::new()), Drawn::All);
}

fn peak_mb() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kb = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|l| l.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kb.map_or("?".to_owned(), |kb| (kb / 1000).to_string())
}
