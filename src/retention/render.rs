//! What people read of a plan and of what became of it. Pure; tags of a registry are a stranger's text, which whoever prints escapes.

use super::rules::tally;
use super::{RetentionPlan, Swept};

/// Tags that are printed; JSON has all.
const ROWS: usize = 40;
/// Reasons that are printed.
const REASONS: usize = 12;

/// A plan, line by line.
pub fn plan(plan: &RetentionPlan) -> String {
    let mut lines = vec![format!("{} ({})", plan.repository, targets(plan))];
    let reasons = tally(plan.staying.iter().map(|tag| tag.why.as_str()));
    lines.push(format!("  {} stay", count(plan.staying.len(), "tag")));
    lines.extend(reasons.iter().take(REASONS).map(|(why, n)| format!("    {n:>5}  {why}")));
    lines.extend(rest(reasons.len(), REASONS, "reason"));
    match (&plan.obstacle, plan.going.is_empty()) {
        (Some(problem), _) => lines.push(format!("  nothing is deleted: {}", problem.what)),
        (None, true) => lines.push("  nothing is to be deleted".to_owned()),
        (None, false) => {
            let tags = count(plan.going.len(), "tag");
            lines.push(format!("  {tags} and {} go", count(plan.manifests, "manifest")));
            lines.extend(plan.going.iter().take(ROWS).map(going));
            lines.extend(rest(plan.going.len(), ROWS, "tag"));
        }
    }
    lines.extend(plan.notes.iter().map(|note| format!("  note: {note}")));
    lines.join("\n") + "\n"
}

fn going(going: &super::Going) -> String {
    let what = match (going.attached, going.image_stays) {
        (true, _) => "  (said about an image that goes)",
        (false, true) => "  (the tag alone: its image is needed)",
        (false, false) => "",
    };
    let created = going.created.map(|time| time.strftime("  %Y-%m-%d %H:%M").to_string()).unwrap_or_default();
    format!("    {}  {}{created}{what}", going.tag, going.digest.short())
}

/// What became of it, in one line.
pub fn swept(swept: &Swept) -> String {
    let at = &swept.plan.repository;
    let stay = swept.plan.staying.len() + swept.left.len();
    if swept.plan.obstacle.is_some() {
        return format!("{at}: nothing deleted, the repository could not be read whole");
    }
    if swept.plan.going.is_empty() {
        return format!("{at}: nothing to delete, {} stay", count(stay, "tag"));
    }
    let deleted = format!("{} and {} deleted", count(swept.deleted.len(), "tag"), count(swept.manifests, "manifest"));
    let left = match swept.left.len() {
        0 => String::new(),
        n => format!(", {} could not be", count(n, "tag")),
    };
    format!("{at}: {deleted}{left}, {} stay", count(stay, "tag"))
}

fn targets(plan: &RetentionPlan) -> String {
    match plan.targets.as_slice() {
        [only] => format!("target {only}"),
        several => format!("targets {}", several.join(", ")),
    }
}

fn rest(all: usize, shown: usize, what: &str) -> Option<String> {
    (all > shown).then(|| format!("      …  and {} more", count(all - shown, what)))
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
