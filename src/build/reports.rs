//! Our own reports as part of a build's context: they differ with every run, and so would every `COPY . .`.

use std::path::Path;

use crate::plan::Step;
use crate::problem::Problem;

/// Directory of our reports, at the root of the checkout.
const DIRECTORY: &str = ".stagefreight";
/// Patterns that keep it out of a context, bare of slashes and stars around them.
const COVERING: [&str; 3] = [DIRECTORY, ".", ""];

/// Names the first build that sees an earlier run's reports, if one does.
pub fn in_the_way(root: &Path, steps: &[Step]) -> Option<Problem> {
    if !root.join(DIRECTORY).is_dir() {
        return None;
    }
    let step = steps.iter().find(|step| step.context == "." && !is_covered(root, &step.dockerfile))?;
    let what = format!(
        "{DIRECTORY} is part of the context of build {}: it differs with every run, so `COPY . .` is never cached",
        step.id
    );
    Some(Problem::new(what).hint(format!("add a line `{DIRECTORY}` to .dockerignore")))
}

/// A Dockerfile's own ignore file goes before that of the context (docs.docker.com, "build context", .dockerignore files).
fn is_covered(root: &Path, dockerfile: &str) -> bool {
    let own = root.join(format!("{dockerfile}.dockerignore"));
    let Ok(text) = std::fs::read_to_string(own).or_else(|_| std::fs::read_to_string(root.join(".dockerignore"))) else {
        return false;
    };
    covers(&text)
}

fn covers(ignore: &str) -> bool {
    ignore.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '!'])).any(|line| {
        let bare = line.trim_matches(|c| c == '/' || c == '*');
        COVERING.contains(&bare)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildx::argv::tests::step;

    #[test]
    fn patterns_that_cover_our_directory_are_known() {
        for covering in [".stagefreight", "/.stagefreight/", "**/.stagefreight", ".stagefreight/**", "*\n!src", ".*"] {
            assert!(covers(covering), "{covering}");
        }
        for not in ["", "# .stagefreight", "!.stagefreight", "target\nnode_modules", ".stagefreight2"] {
            assert!(!covers(not), "{not}");
        }
    }

    #[test]
    fn only_a_build_that_sees_them_is_told() {
        let root = tempfile::tempdir().unwrap();
        let steps = [Step { context: ".".into(), ..step() }];
        assert_eq!(in_the_way(root.path(), &steps), None, "nothing is there yet");
        std::fs::create_dir(root.path().join(DIRECTORY)).unwrap();
        assert!(in_the_way(root.path(), &steps).is_some());
        assert_eq!(in_the_way(root.path(), &[Step { context: "app".into(), ..step() }]), None);
        std::fs::write(root.path().join(".dockerignore"), ".stagefreight\n").unwrap();
        assert_eq!(in_the_way(root.path(), &steps), None);
    }
}
