//! What the text of an instruction suggests: it calls the clock, the network, an archiver …
//!
//! Only a suggestion: the file has the first word, the instruction settles what the file leaves open.

use crate::crucible::proof::Cause;

/// No instruction is longer than what anyone reads.
const LONGEST: usize = 64 * 1024;

/// Causes an instruction may bring in, and the word that suggests each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hints {
    found: Vec<(Cause, &'static str)>,
}

/// Commands, by the first word of a command.
const COMMANDS: [(&str, Cause); 54] = [
    ("date", Cause::WallClock),
    ("curl", Cause::Network),
    ("wget", Cause::Network),
    ("git", Cause::Network),
    ("aria2c", Cause::Network),
    ("rsync", Cause::Network),
    ("scp", Cause::Network),
    ("uuidgen", Cause::Random),
    ("shuf", Cause::Random),
    ("mktemp", Cause::RandomName),
    ("hostname", Cause::Host),
    ("uname", Cause::Host),
    ("ls", Cause::Order),
    ("find", Cause::Order),
    ("tar", Cause::Archive),
    ("zip", Cause::Archive),
    ("gzip", Cause::Archive),
    ("pigz", Cause::Archive),
    ("bzip2", Cause::Archive),
    ("xz", Cause::Archive),
    ("zstd", Cause::Archive),
    ("jar", Cause::Archive),
    ("cpio", Cause::Archive),
    ("dpkg-deb", Cause::Archive),
    ("cc", Cause::Compiler),
    ("gcc", Cause::Compiler),
    ("g++", Cause::Compiler),
    ("c++", Cause::Compiler),
    ("clang", Cause::Compiler),
    ("clang++", Cause::Compiler),
    ("ld", Cause::Compiler),
    ("ar", Cause::Compiler),
    ("make", Cause::Compiler),
    ("cmake", Cause::Compiler),
    ("ninja", Cause::Compiler),
    ("meson", Cause::Compiler),
    ("bazel", Cause::Compiler),
    ("go", Cause::Compiler),
    ("cargo", Cause::Compiler),
    ("rustc", Cause::Compiler),
    ("javac", Cause::Compiler),
    ("mvn", Cause::Compiler),
    ("gradle", Cause::Compiler),
    ("dotnet", Cause::Compiler),
    ("ghc", Cause::Compiler),
    ("zig", Cause::Compiler),
    ("nim", Cause::Compiler),
    ("python", Cause::PythonCache),
    ("python3", Cause::PythonCache),
    ("pip", Cause::PythonCache),
    ("pip3", Cause::PythonCache),
    ("umask", Cause::Mode),
    ("chown", Cause::Owner),
    ("sort", Cause::Locale),
];

/// Texts anywhere in the instruction.
const TEXTS: [(&str, Cause); 17] = [
    ("/dev/urandom", Cause::Random),
    ("/dev/random", Cause::Random),
    ("$RANDOM", Cause::Random),
    ("${RANDOM", Cause::Random),
    ("$SRANDOM", Cause::Random),
    ("random/uuid", Cause::Random),
    ("openssl rand", Cause::Random),
    ("$EPOCHSECONDS", Cause::WallClock),
    ("time.time()", Cause::WallClock),
    ("datetime.now", Cause::WallClock),
    ("$$", Cause::ProcessId),
    ("$BASHPID", Cause::ProcessId),
    ("getpid", Cause::ProcessId),
    ("/proc/self", Cause::ProcessId),
    ("/proc/version", Cause::Host),
    ("/proc/sys/kernel/", Cause::Host),
    ("/etc/hostname", Cause::Host),
];

impl Hints {
    /// Reads the text of an instruction without its keyword.
    pub(super) fn of(text: &str) -> Self {
        let text = match text.char_indices().nth(LONGEST) {
            Some((end, _)) => &text[..end],
            None => text,
        };
        let mut found: Vec<_> = commands(text)
            .filter_map(|name| COMMANDS.iter().find(|(command, _)| *command == name))
            .map(|(command, cause)| (*cause, *command))
            .collect();
        // `sh -c "echo \$\$"`
        let unescaped = text.replace('\\', "");
        found
            .extend(TEXTS.iter().filter(|(piece, _)| unescaped.contains(piece)).map(|(piece, cause)| (*cause, *piece)));
        found.dedup();
        Self { found }
    }

    /// For ADD with an address.
    pub(super) fn fetch() -> Self {
        Self { found: vec![(Cause::Network, "ADD")] }
    }

    /// What suggests this cause.
    pub(super) fn suggests(&self, cause: Cause) -> Option<&'static str> {
        self.found.iter().find(|(found, _)| *found == cause).map(|(_, word)| *word)
    }

    /// The hints of several instructions together.
    pub(super) fn join<'h>(all: impl IntoIterator<Item = &'h Self>) -> Self {
        Self { found: all.into_iter().flat_map(|hints| hints.found.iter().copied()).collect() }
    }
}

/// First words of the commands in a shell text, without their directories.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| matches!(c, '&' | '|' | ';' | '(' | ')' | '`' | '{' | '}' | '\n' | '"' | '\'' | '[' | ',');
    text.split(ends).filter_map(|piece| {
        let skipped = |word: &&str| word.contains('=') || word.starts_with('-') || PREFIXES.contains(word);
        let word = piece.split_whitespace().find(|word| !skipped(word))?;
        word.rsplit('/').next()
    })
}

/// Words that stand before a command.
const PREFIXES: [&str; 16] = [
    "if", "then", "else", "elif", "while", "until", "do", "!", "exec", "sudo", "time", "env", "xargs", "nice",
    "command", "set",
];
