//! The other way round: which tags a template could have made, in this run or in any other.
//!
//! Too few tags rather than too many: what is found here may be deleted one day. Tags that were cut because they were too long,
//! and leading dashes that were taken off, are therefore not recognised.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use regex::{Regex, RegexBuilder};

use super::date::Layout;
use super::error::TemplateError;
use super::render::unknown_var;
use super::variable::{Variable, VersionPart};
use super::{Piece, Template, is_tag_char};
use crate::image::Tag;

/// How large a compiled pattern may be.
const REGEX_BYTES: usize = 1 << 20;
/// The deepest nesting of `{var:…}`, and the most pieces altogether.
const DEEPEST: usize = 16;
const MOST_PIECES: usize = 500;

const NUMBER: &str = "(?:0|[1-9][0-9]*)";
const ANY: &str = "[A-Za-z0-9_.-]*";

/// Tags a template could have made.
#[derive(Debug, Clone)]
pub struct TagPattern {
    regex: Regex,
    exact: bool,
    literal: usize,
}

impl TagPattern {
    /// Could the template have made it?
    pub fn matches(&self, tag: &Tag) -> bool {
        self.regex.is_match(tag.as_str())
    }

    /// How much the pattern tells of a tag, to choose between two that fit: one made of versions, commits and dates before one
    /// that may hold any text (`{branch}`, `{env:NAME}`), then the one with more literal text.
    pub fn precision(&self) -> (bool, usize) {
        (self.exact, self.literal)
    }
}

impl Template {
    /// The tags this template could have made. `vars` are those of the config: what `{var:name}` was in former runs is not known.
    ///
    /// # Errors
    /// A name that is not in `vars`, `{var:…}` in a circle, or more than anybody writes.
    pub fn tag_pattern(&self, vars: &BTreeMap<String, String>) -> Result<TagPattern, TemplateError> {
        let mut writing =
            Writing { vars, text: r"\A(?:".to_owned(), exact: true, literal: 0, open: Vec::new(), pieces: 0 };
        writing.template(self)?;
        writing.text.push_str(r")\z");
        let built = RegexBuilder::new(&writing.text).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).build();
        let regex = built.map_err(|_| TemplateError::TooLarge)?;
        Ok(TagPattern { regex, exact: writing.exact, literal: writing.literal })
    }
}

struct Writing<'a> {
    vars: &'a BTreeMap<String, String>,
    text: String,
    exact: bool,
    literal: usize,
    /// `{var:…}` being expanded, outermost first.
    open: Vec<String>,
    pieces: usize,
}

impl Writing<'_> {
    fn template(&mut self, template: &Template) -> Result<(), TemplateError> {
        for piece in &template.pieces {
            self.pieces += 1;
            if self.pieces > MOST_PIECES {
                return Err(TemplateError::TooLarge);
            }
            match piece {
                Piece::Literal(text) => {
                    let fitting: String = text.chars().map(|c| if is_tag_char(c) { c } else { '-' }).collect();
                    self.literal += fitting.len();
                    self.text.push_str(&regex::escape(&fitting));
                }
                Piece::Variable(Variable::Var(name)) => self.var(name)?,
                Piece::Variable(variable) => self.variable(variable),
            }
        }
        Ok(())
    }

    fn var(&mut self, name: &str) -> Result<(), TemplateError> {
        if let Some(start) = self.open.iter().position(|open| open == name) {
            let circle = self.open[start..].iter().cloned().chain([name.to_owned()]).collect();
            return Err(TemplateError::Cycle(circle));
        }
        if self.open.len() >= DEEPEST {
            return Err(TemplateError::TooLarge);
        }
        let text = self.vars.get(name).ok_or_else(|| unknown_var(name, self.vars))?;
        let template = Template::parse(text)?;
        self.open.push(name.to_owned());
        self.template(&template)?;
        self.open.pop();
        Ok(())
    }

    fn variable(&mut self, variable: &Variable) {
        let text = match variable {
            Variable::Version { part, .. } => version(*part),
            Variable::Sha(digits) => sha(*digits),
            Variable::Date(layout) | Variable::CommitDate(layout) => date(layout),
            Variable::DateTime => date(&Layout::date_time()),
            Variable::Timestamp => "[0-9]{9,11}".to_owned(),
            Variable::PullRequest => NUMBER.to_owned(),
            Variable::Rand(digits) => format!("[0-9]{{{digits}}}"),
            Variable::RandHex(digits) => format!("[0-9a-f]{{{digits}}}"),
            Variable::Branch
            | Variable::Tag
            | Variable::Env(_)
            | Variable::Ci(_)
            | Variable::Project(_)
            | Variable::Var(_) => {
                self.exact = false;
                ANY.to_owned()
            }
        };
        self.text.push_str(&text);
    }
}

/// As `plan::version` writes versions, with the `+` of build metadata made a dash.
fn version(part: VersionPart) -> String {
    match part {
        VersionPart::Full => format!("{NUMBER}\\.{NUMBER}\\.{NUMBER}(?:-[0-9A-Za-z.-]+)?"),
        VersionPart::Base => format!("{NUMBER}\\.{NUMBER}\\.{NUMBER}"),
        VersionPart::Major | VersionPart::Minor | VersionPart::Patch => NUMBER.to_owned(),
        VersionPart::Prerelease => "[0-9A-Za-z.-]*".to_owned(),
    }
}

/// A commit has 40 digits, or 64; of fewer than were asked for all are taken.
fn sha(digits: usize) -> String {
    match digits {
        0..=40 => format!("[0-9a-f]{{{digits}}}"),
        _ => format!("(?:[0-9a-f]{{40}}|[0-9a-f]{{{digits}}})"),
    }
}

/// The shape of what a layout shows: digits where it shows digits, letters where it shows letters, everything else as it is. Two
/// days are looked at, because a number may have one digit or two, and a blank in front.
fn date(layout: &Layout) -> String {
    let days = [1_136_214_245, 1_795_354_397].into_iter().filter_map(|second| Timestamp::from_second(second).ok());
    let mut shapes: Vec<String> = days.filter_map(|day| layout.format(day)).map(|shown| shape(&shown)).collect();
    shapes.dedup();
    format!("(?:{})", shapes.join("|"))
}

fn shape(shown: &str) -> String {
    let mut text = String::new();
    let mut rest = shown;
    while let Some(first) = rest.chars().next() {
        let is_like = |c: char| match first {
            '0'..='9' => c.is_ascii_digit(),
            'a'..='z' | 'A'..='Z' => c.is_ascii_alphabetic(),
            _ => false,
        };
        let run = rest.find(|c| !is_like(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let _ = match first {
            // A day may have one digit or two.
            '0'..='9' if run <= 2 => write!(text, "[0-9]{{1,2}}"),
            '0'..='9' => write!(text, "[0-9]{{{run}}}"),
            'a'..='z' | 'A'..='Z' => write!(text, "[A-Za-z]+"),
            c => write!(text, "{}", if is_tag_char(c) { regex::escape(&c.to_string()) } else { "-".to_owned() }),
        };
        rest = &rest[run..];
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn pattern(template: &str) -> TagPattern {
        let vars = [("flavour", "alpine{var:release}"), ("release", "3.20"), ("a", "{var:b}"), ("b", "{var:a}")];
        let vars = vars.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        Template::parse(template).unwrap().tag_pattern(&vars).unwrap_or_else(|error| panic!("{template}: {error}"))
    }

    #[rstest]
    #[case("{version}", &["1.2.3", "0.0.0-dev-abc1234", "1.2.3-rc.1", "1.2.3-linux", "10.20.30"], &["1.2", "v1.2.3", "latest", "01.2.3", "1.2.3_4", "1.2.3-", "x1.2.3"])]
    #[case("v{version}", &["v1.2.3"], &["1.2.3", "vv1.2.3"])]
    #[case("{major}.{minor}", &["1.2", "0.10"], &["1", "1.2.3", "1x2", "latest", "01.2"])]
    #[case("{version}-alpine", &["1.2.3-alpine", "1.2.3-rc.1-alpine"], &["1.2.3", "1.2.3-alpine3"])]
    #[case("{base}", &["1.2.3"], &["1.2.3-rc.1"])]
    #[case("latest", &["latest"], &["latest2", "Latest", "notlatest"])]
    #[case("1.2", &["1.2"], &["1x2", "1.2.0"])]
    #[case("{sha}", &["abc1234"], &["abc12345", "ABC1234", "abc123", "abcdefg"])]
    #[case("{sha:8}", &["abc12345"], &["abc1234"])]
    #[case("{sha:40}", &["abc1234def5678abc1234def5678abc1234def56"], &["abc1234"])]
    #[case("{sha:64}", &["abc1234def5678abc1234def5678abc1234def56"], &["abc1234"])]
    #[case("{branch}-{sha:8}", &["main-abc12345", "feature-x-abc12345"], &["main", "main-abc1234", "abc12345"])]
    #[case("{branch}", &["main", "1.2.3", "anything_at.all"], &[])]
    #[case("{env:STAGE}-{version}", &["prod-1.2.3"], &["prod-1.2"])]
    #[case("{version}-{var:flavour}", &["1.2.3-alpine3.20"], &["1.2.3-alpine3x20", "1.2.3"])]
    #[case("{date}", &["2026-11-20", "1999-01-01"], &["2026-11", "20-nov", "1-2-3"])]
    #[case("nightly-{date:20060102}", &["nightly-20261120"], &["nightly-", "nightly-2026x1120"])]
    #[case("{date:Jan 2}", &["Nov-20", "Mar-7"], &["11-20", "Nov20"])]
    #[case("{commit.date}.{sha}", &["2026-11-20.abc1234"], &["2026-11-20-abc1234"])]
    #[case("{datetime}", &["2026-11-20T10-11-12Z"], &["2026-11-20"])]
    #[case("{timestamp}", &["1795354397"], &["17953", "main"])]
    #[case("{rand:4}-{randhex:4}", &["1234-12ef"], &["123-12ef", "123f-12ef"])]
    #[case("api-{version:api}", &["api-1.2.3"], &["api-v1.2.3", "web-1.2.3"])]
    fn a_pattern_fits_what_its_template_makes(#[case] template: &str, #[case] made: &[&str], #[case] other: &[&str]) {
        let pattern = pattern(template);
        for tag in made {
            assert!(pattern.matches(&tag.parse().unwrap()), "{template} makes {tag}");
        }
        for tag in other {
            assert!(!pattern.matches(&tag.parse().unwrap()), "{template} does not make {tag}");
        }
    }

    #[test]
    fn the_more_exact_pattern_is_known() {
        let precision = |template: &str| pattern(template).precision();
        assert!(precision("{version}") > precision("{branch}"));
        assert!(precision("{version}") > precision("{branch}-alpine"));
        assert!(precision("{version}-alpine") > precision("{version}"));
        assert!(precision("{branch}-{sha:8}") > precision("{branch}"));
    }

    #[test]
    fn what_cannot_be_expanded_is_an_error() {
        let vars = [("a", "{var:b}"), ("b", "{var:a}")].map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let of = |template: &str| Template::parse(template).unwrap().tag_pattern(&vars).unwrap_err();
        assert!(matches!(of("{var:a}"), TemplateError::Cycle(_)));
        assert!(matches!(of("{var:none}"), TemplateError::UnknownVar { .. }));
        let wide: BTreeMap<_, _> = [("x".to_owned(), "{sha}".repeat(600))].into();
        let template = Template::parse("{var:x}").unwrap();
        assert_eq!(template.tag_pattern(&wide).unwrap_err(), TemplateError::TooLarge);
    }
}
