//! Directories a RUN's commands work in: where it begins, where it goes with `cd`, and those it names to its tools.

use super::scene::{self, Scene};
use crate::plan::dockerfile::heredoc::Heredoc;
use crate::plan::dockerfile::instructions::Instruction;
use crate::plan::dockerfile::words;

/// Most directories remembered; of a RUN that works in more, none is certain.
const DIRECTORIES: usize = 24;

/// Tools, their options whose value is a directory they go to, and those whose value is a project file or its directory.
const TOOLS: [(&str, &[&str], &[&str]); 15] = [
    ("make", &["-C", "--directory"], &["-f", "--file"]),
    ("gmake", &["-C", "--directory"], &["-f", "--file"]),
    ("ninja", &["-C"], &["-f"]),
    ("cmake", &["-S"], &[]),
    ("meson", &["-C"], &[]),
    ("go", &["-C"], &[]),
    ("cargo", &["-C"], &["--manifest-path"]),
    ("npm", &["-C", "--prefix"], &[]),
    ("pnpm", &["-C", "--dir", "--prefix"], &[]),
    ("yarn", &["--cwd"], &[]),
    ("tsc", &[], &["-p", "--project"]),
    ("mvn", &[], &["-f", "--file"]),
    ("mvnw", &[], &["-f", "--file"]),
    ("gradle", &["-p", "--project-dir"], &[]),
    ("gradlew", &["-p", "--project-dir"], &[]),
];

/// Commands that say nothing of lines in files: where only they ran, nothing was worked on.
const IDLE: [&str; 23] = [
    "set", "export", "mkdir", "rm", "cp", "mv", "ln", "chmod", "chown", "curl", "wget", "tar", "unzip", "git", "echo",
    "true", "apt-get", "apt", "apk", "dnf", "yum", "test", "[",
];

/// Where a RUN worked.
#[derive(Debug, Default)]
pub(super) struct Went {
    /// Directories that commands ran in, in order.
    pub(super) worked: Vec<String>,
    /// Further ones that a tool's relative paths may begin at.
    pub(super) perhaps: Vec<String>,
    /// A command ran in a directory that is not known, below this one; `None` where that is nowhere certain.
    pub(super) lost: Vec<Option<String>>,
}

pub(super) fn directories(step: &Instruction, documents: &[Heredoc], scene: &Scene) -> Went {
    let (_, command) = step.split_flags();
    let exec = serde_json::from_str::<Vec<String>>(command).ok().map(|words| words.join(" "));
    let script = exec.as_deref().unwrap_or(command);
    let texts = std::iter::once(script).chain(documents.iter().map(|d| d.body.as_str()));
    let mut shell = Shell { scene, at: At::of(scene.workdir.clone()), before: None, went: Went::default() };
    for text in texts {
        for command in commands(text) {
            shell.run(&command);
        }
        // What follows a group is where the RUN began.
        if text.replace("$(", "").contains('(') {
            shell.went.worked.extend(scene.workdir.clone());
        }
    }
    let Went { worked, perhaps, lost } = &mut shell.went;
    if worked.is_empty() {
        perhaps.extend(scene.workdir.clone());
    }
    for dirs in [&mut *worked, &mut *perhaps] {
        dirs.sort_unstable();
        dirs.dedup();
    }
    if worked.len() > DIRECTORIES {
        worked.clear();
        lost.push(None);
    }
    perhaps.truncate(DIRECTORIES);
    shell.went
}

/// A directory, or of one that is not known the known one above it.
#[derive(Debug, Clone)]
enum At {
    Dir(String),
    Below(Option<String>),
    /// Unknown from the beginning.
    Start,
}

impl At {
    fn of(dir: Option<String>) -> Self {
        dir.map_or(Self::Start, Self::Dir)
    }
}

struct Shell<'a> {
    scene: &'a Scene,
    at: At,
    before: Option<At>,
    went: Went,
}

impl Shell<'_> {
    fn run(&mut self, command: &[String]) {
        let name = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
        if let Some(cd) = command.iter().position(|word| matches!(word.as_str(), "cd" | "pushd" | "popd")) {
            let to = command[cd + 1..].iter().find(|word| *word == "-" || !word.starts_with('-'));
            let to = match to {
                _ if command[cd] == "popd" => self.before.clone().unwrap_or(At::Below(None)),
                Some(back) if back == "-" => self.before.clone().unwrap_or(At::Below(None)),
                Some(to) => self.gone(to),
                None => At::Below(None),
            };
            self.before = Some(std::mem::replace(&mut self.at, to));
            return;
        }
        let mut words = command.iter().skip_while(|word| {
            word.contains('=')
                || matches!(word.as_str(), "if" | "then" | "else" | "do" | "!" | "{" | "(" | "fi" | "done")
        });
        if words.next().is_none_or(|first| first.starts_with("<<") || IDLE.contains(&first.as_str())) {
            return;
        }
        let (mut into, mut tools) = (false, Vec::new());
        for (i, part) in command.iter().enumerate() {
            tools.extend(TOOLS.iter().filter(|(tool, ..)| *tool == name(part)));
            let (option, value) = match part.split_once('=').filter(|(option, _)| option.starts_with("--")) {
                Some((option, value)) => (option, Some(value)),
                None => (part.as_str(), command.get(i + 1).map(String::as_str)),
            };
            let Some(value) = value else { continue };
            if tools.iter().any(|(_, dirs, _)| dirs.contains(&option)) {
                let to = self.gone(value);
                self.work(&to);
                into = true;
            } else if tools.iter().any(|(.., projects)| projects.contains(&option))
                && let At::Dir(path) = self.gone(value)
                && let Some((dir, name)) = path.rsplit_once('/')
            {
                self.went.perhaps.push(if name.contains('.') { dir.to_owned() } else { path });
            }
        }
        let at = self.at.clone();
        match at {
            At::Dir(dir) if into => self.went.perhaps.push(dir),
            at => self.work(&at),
        }
    }

    fn work(&mut self, at: &At) {
        match at {
            At::Dir(dir) => self.went.worked.push(dir.clone()),
            At::Below(dir) => self.went.lost.push(dir.clone()),
            At::Start => {}
        }
    }

    /// Where `cd` with this word leads.
    fn gone(&self, to: &str) -> At {
        let to = words::unquote(to);
        let from = |to: &str| match &self.at {
            _ if to.starts_with('/') => Some("/".to_owned()),
            At::Dir(at) => Some(at.clone()),
            At::Below(_) | At::Start => None,
        };
        let known = words::expand(&to, &self.scene.values).filter(|to| !to.contains(['$', '`', '~']));
        if let Some(dir) = known.and_then(|to| scene::join(&from(&to)?, &to)) {
            return At::Dir(dir);
        }
        // What a variable stands for at the beginning may be anywhere.
        let begins = to.split(['$', '`', '~']).next().unwrap_or_default();
        let above = begins
            .rsplit_once('/')
            .map(|(dir, _)| if begins.starts_with('/') { format!("/{dir}") } else { dir.to_owned() });
        At::Below(above.and_then(|dir| scene::join(&from(&dir)?, &dir)))
    }
}

/// The commands of a shell text, each as words.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let ended = text.replace(['\n', ';', '|'], " ; ").replace("&&", " ; ");
    // `${DIR}` is no group.
    let grouped = !text.contains("${");
    let text = if grouped { ended.replace(['(', ')', '{', '}'], " ") } else { ended };
    for word in words::split(&text) {
        match (word.as_str(), all.last_mut()) {
            (";", _) => all.push(Vec::new()),
            (_, Some(last)) => last.push(word),
            _ => {}
        }
    }
    all
}
