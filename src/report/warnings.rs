//! What BuildKit's checks found, for those who draw it: the rule, the page that explains it, the place, what is wrong. Not escaped.

use super::document::{Document, Location, Warning};
use super::escape;
use crate::buildx::event::rule;

/// Where BuildKit's own rules are explained. A Dockerfile chooses who checks it (`# syntax=`), so that others could lead anywhere
/// under a trusted name.
const PAGES: &str = "https://docs.docker.com/";

/// One warning.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Warned<'d> {
    pub(super) at: Option<&'d Location>,
    /// Letters and digits; none where it names no rule.
    pub(super) rule: Option<&'d str>,
    /// The page that explains the rule.
    pub(super) page: Option<&'d str>,
    pub(super) said: &'d str,
}

/// All of them.
pub(super) fn warnings(document: &Document) -> impl Iterator<Item = Warned<'_>> {
    document.builds.iter().flat_map(|build| &build.warnings).map(warned)
}

fn warned(warning: &Warning) -> Warned<'_> {
    let at = warning.location.as_ref();
    match rule(&warning.message) {
        Some((rule, said)) => {
            let page = address(warning).filter(|url| url.starts_with(PAGES));
            // The line in the message is told by the place, where there is one.
            let said = if at.is_some() { said } else { &warning.message[rule.len() + ": ".len()..] };
            Warned { at, rule: Some(rule), page, said }
        }
        None => Warned { at, rule: None, page: None, said: &warning.message },
    }
}

/// Where to read more, if it is a plain address that nobody can listen in on, to be shown as text.
pub(super) fn address(warning: &Warning) -> Option<&str> {
    escape::link(&warning.url).filter(|url| url.starts_with("https://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixtures, html, markdown};

    const PAGE: &str = "https://docs.docker.com/go/dockerfile/rule/from-as-casing/";

    /// A run whose only warning is this one.
    fn warns(message: &str, url: &str) -> Document {
        let mut document = Document::new(&fixtures::success());
        let warning = &mut document.builds[0].warnings[0];
        (warning.message, warning.url) = (message.to_owned(), url.to_owned());
        document
    }

    #[test]
    fn a_rule_is_linked_to_the_page_that_explains_it() {
        let document = warns("FromAsCasing: 'as' and 'FROM' do not match (line 1)", PAGE);
        let [found] = warnings(&document).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(
            (found.rule, found.page, found.said),
            (Some("FromAsCasing"), Some(PAGE), "'as' and 'FROM' do not match")
        );
        assert!(markdown::summary(&document).contains(&format!("- `Dockerfile:1`: [FromAsCasing]({PAGE}): 'as'")));
        let link = format!("<a href=\"{PAGE}\" rel=\"noopener noreferrer\">FromAsCasing</a>: &#39;as&#39;");
        assert!(html::page(&document).contains(&link));
    }

    #[test]
    fn nothing_else_is_linked() {
        for url in [
            "",
            "javascript:alert(1)",
            "http://docs.docker.com/x",
            "HTTPS://DOCS.DOCKER.COM/x",
            "https://docs.docker.com.evil.example/",
            "https://docs.docker.com@evil.example/",
            "https://evil.example/https://docs.docker.com/",
            "https://docs.docker.com/x) [click](https://evil.example",
            "https://docs.docker.com/x>\n\n# evil",
            "https://docs.docker.com/\" onmouseover=\"alert(1)",
            "https://docs.docker.com/\u{202e}x",
            " https://docs.docker.com/x",
        ] {
            let document = warns("FromAsCasing: casing", url);
            let (summary, page) = (markdown::summary(&document), html::page(&document));
            assert!(summary.contains("- `Dockerfile:1`: FromAsCasing: casing\n"), "{url:?}\n{summary}");
            assert!(page.contains("FromAsCasing: casing</li>"), "{url:?}");
            for shown in [summary, page] {
                assert!(!shown.contains("evil") && !shown.contains("docs.docker.com"), "{url:?}\n{shown}");
            }
        }
        // What names no rule has no words to link.
        for message in ["casing", "[x](y): casing", "Rule](https://evil.example): x", "::error: x"] {
            let document = warns(message, PAGE);
            assert!(!markdown::summary(&document).contains(PAGE) && !html::page(&document).contains(PAGE), "{message}");
        }
    }

    #[test]
    fn as_text_only_plain_addresses_are_shown() {
        let shown = |url: &str| warns("FromAsCasing: x", url).builds[0].warnings.first().and_then(address).is_some();
        assert!(shown(PAGE) && shown("https://rules.example/x"));
        assert!(!shown("javascript:alert(1)") && !shown("http://rules.example/") && !shown("https://x/ y"));
    }
}
