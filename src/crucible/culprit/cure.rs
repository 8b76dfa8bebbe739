//! What people are told about each class of cause: its name, what it means, and the usual cure.

use crate::crucible::proof::Cause;

impl Cause {
    /// A short name for people: `wall clock`.
    pub fn name(self) -> &'static str {
        match self {
            Self::WallClock => "wall clock",
            Self::Mtime => "modification time",
            Self::Order => "order",
            Self::Random => "random bytes",
            Self::RandomName => "random file name",
            Self::ProcessId => "process id or counter",
            Self::Host => "build host",
            Self::Archive => "archive",
            Self::PythonCache => "python cache",
            Self::PackageManager => "package manager",
            Self::Compiler => "compiler",
            Self::Mode => "file mode",
            Self::Owner => "owner",
            Self::Xattr => "extended attributes",
            Self::Link => "link target",
            Self::Locale => "locale",
            Self::Network => "network",
            Self::Unknown => "unknown",
        }
    }

    /// What it means, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::WallClock => "The file holds the date or time of the build.",
            Self::Mtime => "The modification time is not the same in both builds.",
            Self::Order => "The same lines stand in another order.",
            Self::Random => "The file holds random or machine-made bytes.",
            Self::RandomName => "The file gets a new, made-up name in every build.",
            Self::ProcessId => "The file holds a number that is another in every build, such as a process id.",
            Self::Host => "The file tells the build host's name, address or kernel.",
            Self::Archive => "An archive or compressed file holds times, owners or an order of its own.",
            Self::PythonCache => {
                "Python compiled a module, and the compiled file holds the source's time or a random order."
            }
            Self::PackageManager => "A package manager left a log, cache or database that holds times.",
            Self::Compiler => "A compiled file holds a build id, a path, a date or code in another order.",
            Self::Mode => "The permissions are not the same in both builds.",
            Self::Owner => "The owner is not the same in both builds.",
            Self::Xattr => "The extended attributes are not the same in both builds.",
            Self::Link => "The link does not point to the same place.",
            Self::Locale => "The file follows the language or sorting rules of the build's locale.",
            Self::Network => "The content comes from the network and was not the same twice.",
            Self::Unknown => "The content differs, and nothing in it shows why.",
        }
    }

    /// What usually mends it.
    pub fn cure(self) -> &'static str {
        ""
    }
}
