//! What a run came to, in one sentence for people: the first line of the summary and the last of the log.

use super::document::{Build, BuildState, Document, OtherTag, Output, Status, TagFate};
use super::failure::is_broken;
use super::verdict::{proven, verdicts};

/// One sentence of plain text; names stand between backticks. The document's texts in it are not escaped.
pub(super) fn headline(document: &Document) -> String {
    match document.status {
        Status::Success => succeeded(document),
        Status::Cancelled => format!("Cancelled after {}", duration(document.seconds)),
        Status::Failure => failed(document),
    }
}

/// What stands on top, and the sentence below it. A proof is what people look for; a run that failed for another reason says
/// that first.
pub(super) fn title(document: &Document) -> (String, Option<String>) {
    let headline = headline(document);
    match verdicts(document) {
        None => (headline, None),
        Some(verdict) if verdict == headline => (verdict, None),
        Some(verdict) if document.status == Status::Success => (verdict, Some(headline)),
        Some(verdict) => (headline, Some(verdict)),
    }
}

/// `12ms`, `0.4s`, `12.3s`, `2m05s`, `1h02m`.
pub(super) fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if (0.0005..0.0995).contains(&seconds) {
        return format!("{:.0}ms", seconds * 1000.0);
    }
    if seconds < 59.95 {
        return format!("{seconds:.1}s");
    }
    // Casting saturates; nothing runs that long.
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, rest) => format!("{minutes}m{rest:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

/// `1 tag`, `2 tags`.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn succeeded(document: &Document) -> String {
    let done: Vec<&Build> = document.builds.iter().filter(|b| b.state == BuildState::Done).collect();
    if done.is_empty() {
        return match document.builds.as_slice() {
            [] => "Nothing to build".to_owned(),
            builds => format!("Planned {}, built nothing", count(builds.len(), "build", "builds")),
        };
    }
    let names = listed(&done);
    let took = duration(document.seconds);
    let tags: usize = done.iter().map(|b| b.published.len()).sum();
    let legs: usize = done.iter().map(|b| b.legs.len()).sum();
    let did = |output: Output| done.iter().any(|b| b.plan.as_ref().is_some_and(|p| p.output == output));
    let what = if tags > 0 {
        let merged = if legs > 0 { format!(", merged from {}", count(legs, "leg", "legs")) } else { String::new() };
        format!("Published {names} under {}{merged}", count(tags, "tag", "tags"))
    } else if let Some(leg) = done.iter().find_map(|b| b.leg.as_ref()) {
        let after = if did(Output::Publish) { ", for `stagefreight merge` to publish," } else { "" };
        format!("Built the leg {} of {names}{after}", leg.platform)
    } else if legs > 0 {
        format!("Found {} of {names}, published nothing", count(legs, "leg", "legs"))
    } else if did(Output::Load) {
        format!("Built and loaded {names}")
    } else if let (true, Some(layout)) = (did(Output::Layout), done[0].layout.as_ref()) {
        format!("Built {names} into `{layout}`")
    } else {
        format!("Built {names}")
    };
    let broken: Vec<&Build> = document.builds.iter().filter(|b| is_broken(b)).collect();
    let but = if broken.is_empty() { String::new() } else { format!("; optional: {} failed", listed(&broken)) };
    format!("{what} in {took}{but}")
}

fn failed(document: &Document) -> String {
    let broken: Vec<&Build> = document.builds.iter().filter(|b| b.required && is_broken(b)).collect();
    let kind = document.failure.as_ref().map_or("", |f| f.kind.as_str());
    let problems = document.failure.as_ref().map_or(0, |f| f.problems.len());
    let counted = |what: &str| match problems {
        0 | 1 => what.to_owned(),
        n => format!("{what}: {n} problems"),
    };
    match kind {
        "config" => counted("The configuration is wrong"),
        "input" => counted("The inputs are wrong"),
        "plan" => counted("The plan cannot be made"),
        "backend" => "No builder can be used".to_owned(),
        "credentials" => counted("Credentials are missing or refused"),
        "verification" => unproven(document).unwrap_or_else(|| format!("Not proven: {}", listed(&broken))),
        "publish" => format!("Not published: {}", listed(&broken)),
        "report" => "The reports could not be written".to_owned(),
        "internal" => "StageFreight itself failed".to_owned(),
        _ if broken.is_empty() => "The run failed".to_owned(),
        _ => format!("Build failed: {}", listed(&broken)),
    }
}

/// What the proofs came to, where one of them failed the run. A run can fail verification without any.
fn unproven(document: &Document) -> Option<String> {
    proven(document).iter().any(|(_, proof)| !proof.passed).then(|| verdicts(document)).flatten()
}

fn listed(builds: &[&Build]) -> String {
    let names: Vec<String> = builds.iter().take(5).map(|b| format!("`{}`", b.id)).collect();
    match builds.len() {
        0 => "the image".to_owned(),
        n if n > 5 => format!("{} and {} more", names.join(", "), n - 5),
        _ => names.join(", "),
    }
}

/// What became of a tag that does not name the image, in one sentence.
pub(super) fn fate(tag: &OtherTag) -> String {
    let holds = tag.holds.as_deref().unwrap_or("nothing");
    match tag.fate {
        TagFate::Left => format!("left, {}", tag.why),
        TagFate::PutBack => format!("put back to {holds}"),
        TagFate::Removed => "new, and taken away again".to_owned(),
        TagFate::Taken => format!("taken by another run, it names {holds}"),
        TagFate::Unknown => format!("not known: {}", tag.why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn headlines() {
        let all: Vec<_> =
            fixtures::all().iter().map(|(name, o)| format!("{name:16} {}", headline(&Document::new(o)))).collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn durations_read_well() {
        for (seconds, text) in [
            (-1.0, "0.0s"),
            (0.0, "0.0s"),
            (0.04, "40ms"),
            (0.0999, "0.1s"),
            (12.34, "12.3s"),
            (59.94, "59.9s"),
            (59.96, "1m00s"),
            (125.0, "2m05s"),
            (3725.0, "1h02m"),
            (f64::NAN, "0.0s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
