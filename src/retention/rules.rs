//! Which tags stay, by restic's rules. Pure: tags with their times in, one ruling for each out; the order they come in does not matter.
//!
//! A tag stays if any rule keeps it. `keep_last` takes the newest so many; `keep_daily` the newest of each of the last so many days
//! that have a tag, in UTC, and so on for ISO weeks, months and years. (Unlike restic, the oldest tag does not stay for slots that
//! are left.) Protected tags stay and take no slot. What has no time stays, too. A rule of 0 is no rule, and without any rule
//! everything stays: nobody means "delete all" by `keep_last: 0`.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::conditions::NameList;
use crate::config::model::Retention;
use crate::image::Tag;

/// A tag that the rules speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The tag.
    pub tag: Tag,
    /// How old it is; `None` where nothing says so.
    pub time: Option<Timestamp>,
}

/// What becomes of a tag, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It stays. One phrase: `newest of 2026-11-20`.
    Keep(String),
    /// No rule keeps it.
    Drop,
}

/// `newest of …`: the part of a time that a rule goes by.
type Bucket = fn(Timestamp) -> String;

/// How many buckets a rule keeps.
type Rule = fn(&Retention) -> Option<u32>;

/// Rules by the calendar.
const CALENDAR: [(Rule, Bucket); 4] = [
    (|rules| rules.keep_daily, |time| time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()),
    (|rules| rules.keep_weekly, |time| time.to_zoned(TimeZone::UTC).strftime("week %G-W%V").to_string()),
    (|rules| rules.keep_monthly, |time| time.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()),
    (|rules| rules.keep_yearly, |time| time.to_zoned(TimeZone::UTC).strftime("%Y").to_string()),
];

/// Whether there is a rule at all: without one everything stays.
pub fn has_rules(retention: &Retention) -> bool {
    let Retention { keep_last, keep_daily, keep_weekly, keep_monthly, keep_yearly, protect: _ } = retention;
    [keep_last, keep_daily, keep_weekly, keep_monthly, keep_yearly].iter().any(|rule| rule.is_some_and(|n| n > 0))
}

/// One ruling for each candidate, in their order.
pub fn decide(candidates: &[Candidate], retention: &Retention, protect: &NameList<'_>) -> Vec<Ruling> {
    if !has_rules(retention) {
        return vec![Ruling::Keep("no rule says how many stay".to_owned()); candidates.len()];
    }
    let mut rulings: Vec<Option<String>> = candidates
        .iter()
        .map(|candidate| match (protect.lets_in(candidate.tag.as_str()), candidate.time) {
            (Some(entry), _) => Some(format!("protected by `{entry}`")),
            (None, None) => Some("nothing says how old it is".to_owned()),
            (None, Some(_)) => None,
        })
        .collect();
    let mut aged: Vec<(usize, Timestamp)> = candidates
        .iter()
        .enumerate()
        .filter_map(|(at, candidate)| Some((at, candidate.time.filter(|_| rulings[at].is_none())?)))
        .collect();
    // Of two of the same moment one has to be the newer.
    aged.sort_by_key(|(at, time)| (Reverse(*time), &candidates[*at].tag));
    let last = retention.keep_last.unwrap_or_default() as usize;
    for (at, _) in aged.iter().take(last) {
        rulings[*at] = Some(format!("among the newest {last}"));
    }
    for (rule, bucket) in CALENDAR {
        by_calendar(&aged, rule(retention).unwrap_or_default(), bucket, &mut rulings);
    }
    rulings.into_iter().map(|kept| kept.map_or(Ruling::Drop, Ruling::Keep)).collect()
}

/// The newest of each of so many buckets. `aged` is sorted, newest first.
fn by_calendar(aged: &[(usize, Timestamp)], mut left: u32, bucket: Bucket, rulings: &mut [Option<String>]) {
    let mut last = None;
    for (at, time) in aged {
        if left == 0 {
            return;
        }
        let here = bucket(*time);
        if last.as_ref() != Some(&here) {
            left -= 1;
            rulings[*at].get_or_insert_with(|| format!("newest of {here}"));
            last = Some(here);
        }
    }
}

/// How many tags stay for which reason, most first: for a summary.
pub fn tally<'a>(reasons: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(reason, count)| (Reverse(*count), *reason));
    counts
}

#[cfg(test)]
mod tests;
