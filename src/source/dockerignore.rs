//! `.dockerignore` as BuildKit obeys it: the last pattern that matches wins, a directory takes what is in it along, `!`
//! takes back, `**` crosses directories.
//!
//! Reads text, not files. The rules are those of moby's pattern matcher, which differ from git's: patterns begin at the
//! root of the context, and a leading `/` says nothing.

use regex::Regex;

/// More patterns than anyone writes; the rest is not looked at.
const PATTERNS: usize = 2_000;
/// A longer line is no pattern.
const LONGEST: usize = 1_000;

/// An ignore file.
#[derive(Debug, Default)]
pub(super) struct DockerIgnore {
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    /// It takes back.
    negated: bool,
    /// Up to the first character with a meaning.
    literal: String,
    regex: Regex,
}

/// What the patterns said of a directory; its entries need it.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdict {
    /// It is left out of the context.
    pub(super) ignored: bool,
    /// Which patterns matched it or a directory above it.
    matched: Vec<bool>,
}

impl DockerIgnore {
    /// Reads the text. Lines that are no patterns are passed over: BuildKit refuses them before we matter.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let patterns = text.lines().filter(|line| !line.starts_with('#') && line.len() <= LONGEST);
        Self { patterns: patterns.filter_map(pattern).take(PATTERNS).collect() }
    }

    /// What is said of a path, relative to the context with `/`, given what was said of its directory.
    pub(super) fn judge(&self, path: &str, directory: &Verdict) -> Verdict {
        let mut verdict = Verdict { ignored: false, matched: vec![false; self.patterns.len()] };
        for (i, pattern) in self.patterns.iter().enumerate() {
            let above = directory.matched.get(i).copied().unwrap_or(false);
            // Only a pattern that would change something is tried, and only then remembered: moby does the same.
            let matches = above || (pattern.negated == verdict.ignored && pattern.regex.is_match(path));
            verdict.matched[i] = matches;
            if matches {
                verdict.ignored = !pattern.negated;
            }
        }
        verdict
    }

    /// Whether something below an ignored directory may be taken back.
    pub(super) fn may_take_back(&self, directory: &str) -> bool {
        let inside = format!("{directory}/");
        self.patterns
            .iter()
            .filter(|pattern| pattern.negated)
            .any(|pattern| pattern.literal.starts_with(&inside) || inside.starts_with(&pattern.literal))
    }
}

fn pattern(line: &str) -> Option<Pattern> {
    let line = line.trim();
    let (negated, path) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
    if path.is_empty() {
        return None;
    }
    let path = clean(path);
    let literal = path.split(['*', '?', '[', '\\']).next().unwrap_or_default().to_owned();
    Some(Pattern { negated, literal, regex: regex(&path)? })
}

/// Go's `filepath.Clean`, and then no leading slash. `!` inside is a character like any other.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match part {
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if path.starts_with('/') => {}
            _ => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

fn regex(pattern: &str) -> Option<Regex> {
    let (mut out, mut chars) = (String::from("^(?s:"), pattern.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                // `a/**` is all that is in `a`, not `a` itself.
                out.push_str(if chars.peek().is_none() { ".*" } else { "(.*/)?" });
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '\\' => out.push_str(&regex::escape(chars.next()?.encode_utf8(&mut [0; 4]))),
            '[' => class(&mut chars, &mut out)?,
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str(")$");
    regex::RegexBuilder::new(&out).size_limit(1 << 20).build().ok()
}

/// `[a-z]`, `[^a]`: as in Go, `!` does not negate.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    loop {
        match chars.next()? {
            ']' => break,
            '\\' => out.push_str(&regex::escape(chars.next()?.encode_utf8(&mut [0; 4]))),
            '-' => out.push('-'),
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push(']');
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn ignores(text: &str, path: &str) -> bool {
        let ignore = DockerIgnore::parse(text);
        let mut verdict = Verdict::default();
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            verdict = ignore.judge(&path[..end], &verdict);
        }
        verdict.ignored
    }

    // The rules as docs.docker.com ("dockerignore files") and moby's patternmatcher state them.
    #[rstest]
    #[case::nothing("", "a", false)]
    #[case::name("a", "a", true)]
    #[case::only_at_the_root("a", "d/a", false)]
    #[case::directory("d", "d/x/y", true)]
    #[case::trailing_slash("d/", "d/x", true)]
    #[case::trailing_slash_on_a_file("a/", "a", true)]
    #[case::leading_slash("/a", "a", true)]
    #[case::leading_slash_is_not_anywhere("/a", "d/a", false)]
    #[case::dot_slash("./a", "a", true)]
    #[case::double_slash("d//x", "d/x", true)]
    #[case::parent("d/../a", "a", true)]
    #[case::parent_of_the_root("/../a", "a", true)]
    #[case::star("*.md", "a.md", true)]
    #[case::star_stays_in_its_directory("*.md", "d/a.md", false)]
    #[case::star_directory("*/temp*", "d/temporary.txt", true)]
    #[case::star_directory_one_level("*/temp*", "d/e/temp", false)]
    #[case::star_matches_dot_files("*", ".git", true)]
    #[case::question("temp?", "tempa", true)]
    #[case::question_needs_one("temp?", "temp", false)]
    #[case::question_is_no_slash("a?b", "a/b", false)]
    #[case::two_stars_first("**/*.go", "a/b/c.go", true)]
    #[case::two_stars_match_no_directory("**/*.go", "c.go", true)]
    #[case::two_stars_name("**/node_modules", "a/node_modules/b/c.js", true)]
    #[case::two_stars_whole_names("**/foo", "a/xfoo", false)]
    #[case::two_stars_last("d/**", "d/x/y", true)]
    #[case::two_stars_last_not_itself("d/**", "d", false)]
    #[case::two_stars_between("a/**/b", "a/b", true)]
    #[case::two_stars_between_deep("a/**/b", "a/x/y/b", true)]
    #[case::two_stars_alone("**", "a/b", true)]
    #[case::class("[a-c].txt", "b.txt", true)]
    #[case::class_not("[^a-c].txt", "b.txt", false)]
    #[case::class_is_not_shell("[!a].txt", "b.txt", false)]
    #[case::escaped(r"\*", "*", true)]
    #[case::escaped_is_no_star(r"\*", "a", false)]
    #[case::special_characters("a+(b).$x", "a+(b).$x", true)]
    #[case::comment("# a\n#b", "#b", false)]
    #[case::indented_is_no_comment("  #b", "#b", true)]
    #[case::spaces_around("  a  ", "a", true)]
    #[case::spaces_inside("a b", "a b", true)]
    #[case::windows_lines("a\r\nb\r\n", "b", true)]
    #[case::byte_order_mark("\u{feff}a", "a", true)]
    #[case::taken_back("*.md\n!README.md", "README.md", false)]
    #[case::others_stay("*.md\n!README.md", "a.md", true)]
    #[case::last_wins("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true)]
    #[case::last_wins_back("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false)]
    #[case::taken_back_inside("d\n!d/keep", "d/keep", false)]
    #[case::taken_back_directory("d\n!d/keep", "d/keep/x/y", false)]
    #[case::inside_stays("d\n!d/keep", "d/other", true)]
    #[case::all_but("*\n!src", "src/main.rs", false)]
    #[case::all_but_other("*\n!src", "target/x", true)]
    #[case::all_but_something_in_it("*\n!src\nsrc/secret", "src/secret/x", true)]
    #[case::space_after_the_mark("*\n! a", "a", false)]
    #[case::slash_after_the_mark("*\n!/a", "a", false)]
    #[case::a_mark_alone("!\na", "a", true)]
    #[case::case_counts("A", "a", false)]
    #[case::unclosed_class("[a", "[a", false)]
    fn the_table(#[case] text: &str, #[case] path: &str, #[case] ignored: bool) {
        assert_eq!(ignores(text, path), ignored);
    }

    #[rstest]
    #[case("d\n!d/keep/x", "d", true)]
    #[case("d\n!d/keep/x", "d/keep", true)]
    #[case("d\n!d/keep/x", "d/other", false)]
    #[case("d\n!**/x", "d/other", true)]
    #[case("d", "d", false)]
    fn directories_that_need_a_look(#[case] text: &str, #[case] directory: &str, #[case] may: bool) {
        assert_eq!(DockerIgnore::parse(text).may_take_back(directory), may);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "([!#*?/.a\\[\\]\\\\^ -]{0,8}\n){0,6}", path in "[a./*\\[\\\\ -]{1,12}") {
            let _ = ignores(&text, &path);
            let _ = DockerIgnore::parse(&text).may_take_back(&path);
        }
    }
}
