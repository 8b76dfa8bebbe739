//! Paths and addresses in the plan: cleaned, inside the workspace, told apart from URLs. Looks at no file.

use std::path::Path;

use crate::problem::Problem;

/// Whether BuildKit would fetch this instead of reading it: a git or http address.
pub(crate) fn is_url(s: &str) -> bool {
    let scheme = ["http://", "https://", "git://", "ssh://", "git@", "github.com/"];
    scheme.iter().any(|prefix| s.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
}

/// A path relative to the root: `.` and empty parts gone, `..` resolved, `.` for the root itself. Links are not followed.
///
/// # Errors
/// When it leaves the root, or holds a control character.
pub(crate) fn inside(path: &str, root: &Path, what: &str) -> Result<String, Problem> {
    if path.chars().any(char::is_control) {
        return Err(Problem::new(format!("{what} `{}` holds a control character", path.escape_debug()))
            .hint("write the path on one line, without control characters"));
    }
    let outside = || {
        Problem::new(format!("{what} `{path}` lies outside the workspace"))
            .hint("only files of the checkout can be built; move it there, or give a path relative to the root")
    };
    let relative = if path.starts_with('/') {
        let root = root.to_str().map(|r| r.trim_end_matches('/')).filter(|r| !r.is_empty()).ok_or_else(outside)?;
        let rest = path.strip_prefix(root).ok_or_else(outside)?;
        if rest.is_empty() || rest.starts_with('/') { rest } else { return Err(outside()) }
    } else {
        path
    };
    clean(relative).ok_or_else(outside)
}

/// `None` where `..` goes above the start.
fn clean(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

/// A path below a directory of the plan.
pub(crate) fn join(dir: &str, name: &str) -> String {
    if dir == "." { name.to_owned() } else { format!("{dir}/{name}") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Some("."))]
    #[case(".", Some("."))]
    #[case("./a//b/./c/", Some("a/b/c"))]
    #[case("a/../b", Some("b"))]
    #[case("a/../../work/b", None)]
    #[case("..", None)]
    #[case("../x", None)]
    #[case("/work/a", Some("a"))]
    #[case("/work", Some("."))]
    #[case("/work/../etc", None)]
    #[case("/workshop/a", None)]
    #[case("/etc/passwd", None)]
    #[case("-f", Some("-f"))]
    #[case("a\nb", None)]
    #[case("a\0b", None)]
    fn paths_stay_inside_the_root(#[case] path: &str, #[case] cleaned: Option<&str>) {
        assert_eq!(inside(path, Path::new("/work"), "context").ok().as_deref(), cleaned);
        assert_eq!(inside("/a", Path::new("/"), "context").ok(), None, "a root of / would hold the whole machine");
    }

    #[test]
    fn addresses_are_told_from_directories() {
        for url in ["https://x/y.git#main", "HTTP://x", "git@host:a/b", "ssh://x", "github.com/a/b", "git://x"] {
            assert!(is_url(url), "{url}");
        }
        for path in ["", ".", "a", "https:/x", "gitlab.com/a/b", "./github.com/a", "é"] {
            assert!(!is_url(path), "{path}");
        }
    }
}
