//! Putting files down: new ones whole, lines added to those that are there, nothing written over unless told to.
//!
//! Also for `stagefreight migrate`. A link is not followed out of the checkout, and a file has its name when it is whole.

use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// Larger files are not added to.
const LARGEST: u64 = 1 << 20;

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Path relative to the root.
    pub(crate) path: String,
    /// The whole text, or the lines to add.
    pub(crate) text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A file of our own: whole.
    Create,
    /// Lines at the end of a file that may be there.
    Append,
    /// A file that was read, rewritten.
    Replace,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is there now.
    Written,
    /// It would be.
    WouldBe,
    /// It is there already, as it should be.
    Same,
    /// Another one is there.
    LeftAlone,
    /// It could not be written.
    Failed(String),
}

impl Change {
    /// A new file.
    pub(crate) fn create(path: &str, text: String) -> Self {
        Self { path: path.to_owned(), text, kind: Kind::Create }
    }

    /// Lines for the end of a file.
    pub(crate) fn append(path: &str, text: String) -> Self {
        Self { path: path.to_owned(), text, kind: Kind::Append }
    }

    /// A file in place of the one that was read.
    pub(crate) fn replace(path: &str, text: String) -> Self {
        Self { path: path.to_owned(), text, kind: Kind::Replace }
    }

    /// Whether it is a file of our own.
    pub(crate) fn is_new_file(&self) -> bool {
        self.kind == Kind::Create
    }
}

impl Fate {
    /// One line for people.
    pub(crate) fn sentence(&self, change: &Change) -> String {
        let path = &change.path;
        let added = change.kind == Kind::Append;
        match self {
            Self::Written if added => format!("added to  {path}: {}", listed(&change.text)),
            Self::WouldBe if added => format!("would add to {path}: {}", listed(&change.text)),
            Self::Written => format!("wrote     {path}"),
            Self::WouldBe => format!("would write {path}"),
            Self::Same => format!("unchanged {path}: it says this already"),
            Self::LeftAlone => {
                format!("kept      {path}: it is there already, and says something else; this would have been written")
            }
            Self::Failed(why) => format!("failed    {path}: {why}"),
        }
    }
}

/// Writes all of them, or says what would be written.
pub(crate) fn apply(root: &Path, changes: &[Change], dry_run: bool, force: bool) -> Vec<Fate> {
    changes.iter().map(|change| one(root, change, dry_run, force)).collect()
}

fn one(root: &Path, change: &Change, dry_run: bool, force: bool) -> Fate {
    let path = root.join(&change.path);
    let there = match std::fs::symlink_metadata(&path) {
        Ok(found) if !found.is_file() => return Fate::Failed("it is there, and is no regular file".to_owned()),
        Ok(found) if found.len() > LARGEST => return Fate::Failed("it is larger than 1 MiB".to_owned()),
        Ok(_) => match std::fs::read(&path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => return Fate::Failed(error.to_string()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Fate::Failed(error.to_string()),
    };
    let text = match (&there, change.kind) {
        (Some(old), Kind::Append) if old.is_empty() || old.ends_with('\n') => format!("{old}{}", change.text),
        (Some(old), Kind::Append) => format!("{old}\n{}", change.text),
        _ => change.text.clone(),
    };
    match (&there, change.kind) {
        (Some(old), _) if *old == text => Fate::Same,
        (Some(_), Kind::Create) if !force => Fate::LeftAlone,
        _ if dry_run => Fate::WouldBe,
        _ => match write(root, &path, &text) {
            Ok(()) => Fate::Written,
            Err(error) => Fate::Failed(error.to_string()),
        },
    }
}

fn write(root: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(root);
    // A directory that is a link may lead anywhere.
    let there = directory.ancestors().find(|directory| directory.exists()).unwrap_or(root);
    if !there.canonicalize()?.starts_with(root.canonicalize()?) {
        return Err(std::io::Error::other("its directory leads out of the checkout"));
    }
    std::fs::create_dir_all(directory)?;
    let mode = std::fs::metadata(path).map_or_else(|_| readable(), |old| old.permissions());
    let mut file = tempfile::Builder::new().prefix(".stagefreight-").permissions(mode).tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    NamedTempFile::persist(file, path).map(|_| ()).map_err(|error| error.error)
}

fn readable() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o644)
}

fn listed(text: &str) -> String {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect::<Vec<_>>().join(", ")
}

/// Text for a terminal: what a file name, a branch or a YAML value could do to one is taken out. Lines may end as Windows has it.
pub(crate) fn shown(text: &str) -> String {
    let fine = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    let line = |line: &str| line.chars().map(|c| if fine(c) { c } else { '\u{fffd}' }).collect::<String>();
    let lines: Vec<String> = text.split("\r\n").map(line).collect();
    lines.join("\r\n")
}

/// A text as a YAML value: bare where that is safe, else in quotes.
pub(crate) fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let wordy = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.' || c == '/') && text.chars().all(plain);
    let reserved = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", ".", ".inf", ".nan"];
    if wordy && !reserved.contains(&text.to_ascii_lowercase().as_str()) || text == "." {
        return text.to_owned();
    }
    let hard = text.contains(|c: char| c.is_control());
    if text.contains('\\') && !hard {
        // Regular expressions: nothing has to be escaped between single quotes but they themselves.
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c) & 0xff)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A list in one line.
pub(crate) fn flow<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<_> = items.iter().map(|item| scalar(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}
