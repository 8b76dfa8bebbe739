//! Draws a run while it goes on: takes events, writes lines. The only place that writes to standard output.
//!
//! It has a thread of its own, so a slow or blocked terminal never holds up a build longer than the queue of events
//! allows, and never the end of a run: [`Handle::finish`] is bounded. What is drawn is decided by state machines without
//! clock or terminal (`plain`, `live`); every byte passes the redactor last.

mod bases;
pub mod checks;
pub mod closing;
mod live;
mod plain;
mod proof;
mod steps;
mod style;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as channel};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::environment::Vars;
use crate::event::Event;
use crate::redact::Redactor;
use crate::runner::{Dialect, ForgeKind};

use live::Live;
use plain::Plain;
use style::Paint;

/// How often it is asked whether all is drawn.
const TURN: Duration = Duration::from_millis(20);
/// A blocked terminal is given up after this long without a byte taken.
const STALLED: Duration = Duration::from_secs(1);
/// A slow one after this long in all.
const SLOW: Duration = Duration::from_secs(10);
/// Written in pieces of about this size.
const BUFFER: usize = 64 * 1024;

/// How to draw.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How sections are marked in the log.
    pub dialect: Dialect,
    /// Standard output is a terminal: steps that run are redrawn in place. Else calm lines.
    pub live: bool,
    /// Use colour; see [`wants_color`].
    pub color: bool,
    /// Say more; with `live`, show the output of steps.
    pub verbose: bool,
    /// What must not be shown.
    pub redactor: Redactor,
}

/// Colour on the runners of forges, which show it though they are no terminals, and on terminals; never with `NO_COLOR`.
pub fn wants_color(terminal: bool, forge: ForgeKind, vars: &Vars) -> bool {
    if vars.get("NO_COLOR").is_some() {
        return false;
    }
    forge != ForgeKind::Local || (terminal && vars.get("TERM") != Some("dumb"))
}

/// How the drawing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// Everything was written.
    All,
    /// The output took no more, or too slowly; the rest is lost.
    GaveUp,
}

/// The thread that draws. Dropped without [`Handle::finish`], it draws on until every sender of events is gone.
#[derive(Debug)]
pub struct Handle {
    closing: oneshot::Sender<String>,
    done: channel::Receiver<()>,
    written: Arc<AtomicU64>,
    redactor: Arc<Mutex<Redactor>>,
}

/// A moment, as the state machines see it.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Since the drawing began.
    elapsed: Duration,
    /// For GitLab's markers.
    wall: Timestamp,
}

/// Starts drawing.
///
/// # Errors
/// When no thread can be started.
pub fn spawn(
    events: mpsc::Receiver<Event>,
    out: impl Write + Send + 'static,
    settings: Settings,
) -> io::Result<Handle> {
    let (closing, end) = oneshot::channel();
    let (finished, done) = channel::channel();
    let written = Arc::new(AtomicU64::new(0));
    let redactor = Arc::new(Mutex::new(settings.redactor.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let sink = Sink { out, written: Arc::clone(&written), redactor: Arc::clone(&redactor), broken: false };
    thread::Builder::new().name("report".to_owned()).spawn(move || {
        runtime.block_on(draw(events, end, sink, &settings));
        let _ = finished.send(());
    })?;
    Ok(Handle { closing, done, written, redactor })
}

impl Handle {
    /// From now on hides this too: some secrets are known only when the configuration is.
    pub fn redact_with(&self, redactor: Redactor) {
        *self.redactor.lock().unwrap_or_else(PoisonError::into_inner) = redactor;
    }

    /// Draws what is still waiting, then `closing`, and ends: after 10 s at the latest, and after 1 s in which the output
    /// takes nothing.
    pub fn finish(self, closing: String) -> Drawn {
        self.finish_within(closing, SLOW)
    }

    /// The same with another limit: after a signal there is less time.
    pub fn finish_within(self, closing: String, limit: Duration) -> Drawn {
        let _ = self.closing.send(closing);
        // Counted in turns, not by the clock: where the whole machine stood still, the other thread did, too.
        let (mut seen, mut waited, mut still) = (self.written.load(Ordering::Relaxed), Duration::ZERO, Duration::ZERO);
        loop {
            match self.done.recv_timeout(TURN) {
                // Disconnected: the thread is gone, by a fault of ours; there is nothing to wait for.
                Ok(()) | Err(channel::RecvTimeoutError::Disconnected) => return Drawn::All,
                Err(channel::RecvTimeoutError::Timeout) => {}
            }
            (waited, still) = (waited + TURN, still + TURN);
            let now = self.written.load(Ordering::Relaxed);
            if now != seen {
                (seen, still) = (now, Duration::ZERO);
            }
            if still >= STALLED.min(limit) || waited >= limit {
                return Drawn::GaveUp;
            }
        }
    }
}

/// Either way of drawing.
enum Renderer {
    Plain(Plain),
    Live(Live),
}

impl Renderer {
    fn new(settings: &Settings) -> Self {
        let paint = Paint(settings.color);
        if settings.live {
            Self::Live(Live::new(paint, settings.verbose, live::terminal_size))
        } else {
            Self::Plain(Plain::new(settings.dialect, paint, settings.verbose))
        }
    }

    /// How often time alone changes the picture.
    fn tick_every(&self) -> Duration {
        match self {
            Self::Plain(_) => Duration::from_secs(1),
            Self::Live(_) => live::FRAME,
        }
    }

    fn event(&mut self, event: Event, redactor: &Redactor, now: Moment, out: &mut Vec<u8>) {
        match self {
            Self::Plain(plain) => plain.event(event, redactor, now, out),
            Self::Live(live) => live.event(event, redactor, now, out),
        }
    }

    fn tick(&mut self, now: Moment, out: &mut Vec<u8>) {
        match self {
            Self::Plain(plain) => plain.tick(now, out),
            Self::Live(live) => live.tick(now, out),
        }
    }

    fn close(&mut self, closing: &str, now: Moment, out: &mut Vec<u8>) {
        match self {
            Self::Plain(plain) => plain.close(now, out),
            Self::Live(live) => live.close(now, out),
        }
        out.extend_from_slice(closing.as_bytes());
    }
}

async fn draw(
    mut events: mpsc::Receiver<Event>,
    mut end: oneshot::Receiver<String>,
    mut sink: Sink<impl Write>,
    settings: &Settings,
) {
    let began = Instant::now();
    let now = || Moment { elapsed: began.elapsed(), wall: Timestamp::now() };
    let mut renderer = Renderer::new(settings);
    let mut out = Vec::with_capacity(2 * BUFFER);
    let mut tick = tokio::time::interval(renderer.tick_every());
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut asked = true; // somebody may still ask us to finish
    let closing = loop {
        tokio::select! {
            biased;
            closing = &mut end, if asked => match closing {
                Ok(text) => break text,
                Err(_) => asked = false,
            },
            _ = tick.tick() => renderer.tick(now(), &mut out),
            event = events.recv() => match event {
                Some(event) => renderer.event(event, &sink.redactor(), now(), &mut out),
                // Nobody will say anything more, except perhaps how it ended.
                None if asked => match (&mut end).await {
                    Ok(text) => break text,
                    Err(_) => break String::new(),
                },
                None => break String::new(),
            },
        }
        if out.len() >= BUFFER || events.is_empty() {
            sink.write(&mut out);
        }
    };
    while let Ok(event) = events.try_recv() {
        renderer.event(event, &sink.redactor(), now(), &mut out);
        if out.len() >= BUFFER {
            sink.write(&mut out);
        }
    }
    renderer.close(&closing, now(), &mut out);
    sink.write(&mut out);
}

/// Where the text goes, through the redactor. What is written at once holds whole lines, and no secret spans lines.
struct Sink<W: Write> {
    out: W,
    written: Arc<AtomicU64>,
    redactor: Arc<Mutex<Redactor>>,
    broken: bool,
}

impl<W: Write> Sink<W> {
    fn redactor(&self) -> Redactor {
        self.redactor.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes and empties the buffer. A broken pipe is no reason to fail a build: the rest is dropped.
    fn write(&mut self, text: &mut Vec<u8>) {
        if !self.broken && !text.is_empty() {
            let redactor = self.redactor();
            for piece in redactor.bytes(text).chunks(BUFFER) {
                if self.out.write_all(piece).is_err() {
                    self.broken = true;
                    break;
                }
                self.written.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
            self.broken |= self.out.flush().is_err();
        }
        text.clear();
    }
}
