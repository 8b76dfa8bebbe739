//! What `stagefreight doctor` prints: a table of checks for people, each cure below its line. Pure.

use std::fmt::Write as _;

use super::style::{Paint, inline, lines};
use crate::preflight::{Aspect, Check, Examination, State, Subject};
use crate::report::headline::duration;

/// Longer sentences are cut.
const SENTENCE: usize = 1000;

/// The checks, each subject under its own name, and the sum.
pub fn render(found: &Examination, color: bool) -> String {
    let paint = Paint(color);
    let mut out = String::new();
    let mut last = None;
    for check in &found.checks {
        if last != Some(&check.subject) {
            let gap = if last.is_some() { "\n" } else { "" };
            let _ = writeln!(out, "{gap}{}", paint.bold(&title(&check.subject)));
            last = Some(&check.subject);
        }
        line(&mut out, paint, check);
    }
    let gap = if found.checks.is_empty() { "" } else { "\n" };
    let _ = writeln!(out, "{gap}{}", sum(found, paint));
    out
}

fn title(subject: &Subject) -> String {
    match subject {
        Subject::Access => "Logins".to_owned(),
        Subject::Builder => "Builder".to_owned(),
        Subject::Signing => "Signing".to_owned(),
        Subject::Dockerfile { build, path } => format!("Dockerfile of {}: {}", inline(build, 100), inline(path, 300)),
        Subject::Registry { target, repository } => {
            format!("Target {}: {}", inline(target, 100), inline(repository, 300))
        }
    }
}

fn line(out: &mut String, paint: Paint, check: &Check) {
    let sign = match check.state {
        State::Ok if check.is_warning() => paint.warn("!"),
        State::Ok => paint.good("✓"),
        State::Failed => paint.bad("✗"),
        State::Unknown => paint.warn("?"),
        State::NotNeeded => paint.dim("–"),
    };
    let says = inline(&check.says, SENTENCE);
    let says = if check.state == State::Failed { paint.bad(&says) } else { says };
    let _ = writeln!(out, "  {sign} {:<13} {says}", name(check.aspect));
    let cure = check.cure.as_deref().unwrap_or_default();
    for (i, cure) in lines(cure).enumerate() {
        let arrow = if i == 0 { "→" } else { " " };
        let _ = writeln!(out, "{:18}{} {}", "", paint.good(arrow), inline(&cure, SENTENCE));
    }
}

fn name(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Logins => "logins",
        Aspect::Builder => "builder",
        Aspect::Outputs => "outputs",
        Aspect::Platforms => "platform",
        Aspect::Reachable => "reachable",
        Aspect::Login => "login",
        Aspect::Push => "push",
        Aspect::Deletes => "deletes",
        Aspect::Referrers => "referrers",
        Aspect::FromBuilder => "from builder",
        Aspect::Signing => "signing",
        Aspect::Checks => "check",
    }
}

/// `✗ 1 of 12 checks failed, 2 could not be told (0.4s)`
fn sum(found: &Examination, paint: Paint) -> String {
    let count = |state| found.checks.iter().filter(|check| check.state == state).count();
    let (failed, unknown, all) = (count(State::Failed), count(State::Unknown), found.checks.len());
    let checks = if all == 1 { "check" } else { "checks" };
    let untold = if unknown > 0 { format!(", {unknown} could not be told") } else { String::new() };
    let took = paint.dim(&format!("({})", duration(found.seconds)));
    match (all, failed) {
        (0, _) => format!("{} Nothing to check: the plan builds nothing {took}", paint.good("✓")),
        (_, 0) => {
            format!("{} {} {took}", paint.good("✓"), paint.bold(&format!("{all} {checks}, nothing failed{untold}")))
        }
        _ => {
            let says = format!("{failed} of {all} {checks} failed{untold}");
            format!("{} {} {took}", paint.bad("✗"), paint.bold(&says))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subject: &Subject, aspect: Aspect, state: State, says: &str, cure: Option<&str>) -> Check {
        Check { subject: subject.clone(), aspect, state, says: says.to_owned(), cure: cure.map(str::to_owned) }
    }

    #[test]
    fn a_table_for_people() {
        let hub = Subject::Registry { target: "hub".into(), repository: "reg.example.com/team/app".into() };
        let builder = Subject::Builder;
        let checks = vec![
            check(&builder, Aspect::Builder, State::Ok, "builder b: buildkitd at tcp://b:1, driver remote", None),
            check(&builder, Aspect::Platforms, State::Ok, "linux/arm64 is emulated", Some("build on arm64")),
            check(&hub, Aspect::Reachable, State::Ok, "reg.example.com answers", None),
            check(&hub, Aspect::Push, State::Failed, "no\u{1b}[2J right\n::error::to push", Some("ask\nfor it")),
            check(&hub, Aspect::Deletes, State::NotNeeded, "deletes are disabled", None),
            check(&hub, Aspect::Referrers, State::Unknown, "reg.example.com gave no answer in time", None),
        ];
        let found = Examination::new(checks, std::time::Duration::from_millis(432));
        insta::assert_snapshot!(render(&found, false), @r"
        Builder
          ✓ builder       builder b: buildkitd at tcp://b:1, driver remote
          ! platform      linux/arm64 is emulated
                          → build on arm64

        Target hub: reg.example.com/team/app
          ✓ reachable     reg.example.com answers
          ✗ push          no right : :error::to push
                          → ask
                            for it
          – deletes       deletes are disabled
          ? referrers     reg.example.com gave no answer in time

        ✗ 1 of 6 checks failed, 1 could not be told (0.4s)
        ");
        assert!(render(&found, true).contains("\u{1b}["));
    }

    #[test]
    fn nothing_and_all_well_are_said() {
        let took = std::time::Duration::from_millis(40);
        insta::assert_snapshot!(render(&Examination::new(Vec::new(), took), false), @"✓ Nothing to check: the plan builds nothing (40ms)");
        let one = vec![check(&Subject::Builder, Aspect::Builder, State::Ok, "b", None)];
        insta::assert_snapshot!(render(&Examination::new(one, took), false), @r"
        Builder
          ✓ builder       b

        ✓ 1 check, nothing failed (40ms)
        ");
    }
}
