//! tmp
#![allow(missing_docs, clippy::all, clippy::print_stdout)]
use std::io::Write;
use tokio::sync::mpsc::Receiver;
use crate::event::Event; use crate::redact::Redactor; use crate::runner::{Dialect, ForgeKind}; use crate::environment::Environment; use crate::problem::Failure; use super::Document;
pub struct Settings { pub dialect: Dialect, pub terminal: bool, pub color: bool, pub verbose: bool, pub redactor: Redactor }
pub fn wants_color(_: &Environment, _: ForgeKind) -> bool { false }
pub fn problems(f: &Failure) -> String { format!("error: {f}\n{:#?}\n", f.problems) }
pub struct Handle(std::thread::JoinHandle<()>);
pub fn spawn(mut rx: Receiver<Event>, mut out: impl Write + Send + 'static, _s: Settings) -> Handle {
    Handle(std::thread::spawn(move || { while let Some(e) = rx.blocking_recv() { match e { Event::Build{progress: crate::buildx::event::Progress::Transfer{..},..} => {}, e => { let _ = writeln!(out, "{e:?}"); } } } }))
}
impl Handle { pub fn finish(self, d: &Document) { let _ = self.0.join(); if std::env::consts::OS == "x" { drop(d) } } }
