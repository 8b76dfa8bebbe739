//! The instructions of a Dockerfile with their places: where each begins and ends, and its text on one line.
//!
//! Lines are joined as BuildKit joins them (comments and blank lines inside an instruction drop out). Nothing is evaluated.

use std::ops::Range;

use super::heredoc::{self, Heredoc};
use super::words;

/// An instruction of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its first word.
    pub keyword: Keyword,
    /// What follows the first word, continued lines joined, here-document bodies left out.
    pub arguments: String,
    /// 1-based line of its first word.
    pub line: u32,
    /// 1-based line it ends in, here-documents included.
    pub end_line: u32,
    /// Its here-documents, as a range of [`super::Dockerfile::heredocs`].
    pub heredocs: Range<usize>,
}

/// The first word of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are Dockerfile keywords")]
pub enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
}

const KEYWORDS: [(&str, Keyword); 18] = [
    ("ADD", Keyword::Add),
    ("ARG", Keyword::Arg),
    ("CMD", Keyword::Cmd),
    ("COPY", Keyword::Copy),
    ("ENTRYPOINT", Keyword::Entrypoint),
    ("ENV", Keyword::Env),
    ("EXPOSE", Keyword::Expose),
    ("FROM", Keyword::From),
    ("HEALTHCHECK", Keyword::Healthcheck),
    ("LABEL", Keyword::Label),
    ("MAINTAINER", Keyword::Maintainer),
    ("ONBUILD", Keyword::Onbuild),
    ("RUN", Keyword::Run),
    ("SHELL", Keyword::Shell),
    ("STOPSIGNAL", Keyword::Stopsignal),
    ("USER", Keyword::User),
    ("VOLUME", Keyword::Volume),
    ("WORKDIR", Keyword::Workdir),
];

impl Keyword {
    /// The keyword, in any case.
    pub fn of(word: &str) -> Option<Self> {
        KEYWORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, keyword)| *keyword)
    }

    /// In capitals.
    pub fn as_str(self) -> &'static str {
        KEYWORDS.iter().find(|(_, keyword)| *keyword == self).map_or("", |(name, _)| name)
    }
}

impl Instruction {
    /// The instruction that an ONBUILD holds, with the same place; `None` for any other, and for nonsense.
    pub fn trigger(&self) -> Option<Self> {
        if self.keyword != Keyword::Onbuild {
            return None;
        }
        let (word, arguments) = first_word(&self.arguments);
        Some(Self { keyword: Keyword::of(word)?, arguments: arguments.to_owned(), ..self.clone() })
    }

    /// The value of `--name=value`, quotes removed. Flags stand before everything else.
    pub fn flag(&self, name: &str) -> Option<String> {
        let (flags, _) = self.split_flags();
        let value = flags.iter().find_map(|flag| flag.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('='))?;
        Some(words::unquote(value))
    }

    /// Its flags, as written, and the arguments after them.
    pub fn split_flags(&self) -> (Vec<&str>, &str) {
        let (mut flags, mut rest) = (Vec::new(), self.arguments.trim_start());
        while rest.starts_with("--") {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            flags.push(&rest[..end]);
            rest = rest[end..].trim_start();
        }
        (flags, rest)
    }
}

/// Every instruction of the file, FROM and what stands before the first FROM included. `text` is the file as the user
/// wrote it, `blanked` the same with its here-documents taken out.
pub(super) fn read(text: &str, blanked: &str, heredocs: &[Heredoc]) -> Vec<Instruction> {
    let escape = heredoc::escape(text);
    let (lines, plain): (Vec<&str>, Vec<&str>) =
        (text.split_inclusive('\n').collect(), blanked.split_inclusive('\n').collect());
    let (mut found, mut at, mut document) = (Vec::new(), 0, 0);
    while at < plain.len() {
        let code = &lines[at..heredoc::instruction_end(&plain, at, escape)];
        let (mut end, first) = (at + code.len(), document);
        // A body begins in the line after the instruction or the body before it.
        while let Some(next) = heredocs.get(document).filter(|next| usize_of(next.line) == end + 1) {
            end += next.body.split_inclusive('\n').count() + 1;
            document += 1;
        }
        if let Some((keyword, arguments)) = parse(code, escape) {
            found.push(Instruction {
                keyword,
                arguments,
                line: line(at),
                end_line: line(end - 1),
                heredocs: first..document,
            });
        }
        at = end;
    }
    found
}

fn parse(code: &[&str], escape: char) -> Option<(Keyword, String)> {
    let mut joined = String::new();
    for line in code.iter().filter(|line| !heredoc::is_comment(line) && !line.trim().is_empty()) {
        let line = line.trim_end();
        joined.push_str(line.strip_suffix(escape).unwrap_or(line));
    }
    let (word, arguments) = first_word(&joined);
    Some((Keyword::of(word)?, arguments.to_owned()))
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn line(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

fn usize_of(line: u32) -> usize {
    usize::try_from(line).unwrap_or(usize::MAX)
}
