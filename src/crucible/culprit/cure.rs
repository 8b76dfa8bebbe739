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

    /// What usually mends it, for a person: what to do, with the commands.
    pub fn cure(self) -> &'static str {
        match self {
            Self::WallClock => {
                "use $SOURCE_DATE_EPOCH instead of the clock: declare `ARG SOURCE_DATE_EPOCH` in the stage, then \
                 `date -u -d @$SOURCE_DATE_EPOCH`; many tools obey the variable once it is declared"
            }
            Self::Mtime => {
                "times after the commit are lowered to the commit's, older ones are kept: \
                 `touch -h -d @$SOURCE_DATE_EPOCH` the files in the same RUN, or `touch` them after the checkout"
            }
            Self::Order => {
                "sort: `ls | LC_ALL=C sort`, `find … | LC_ALL=C sort`, sorted globs and keys in scripts; let parallel \
                 jobs write a file each and join them in a fixed order"
            }
            Self::Random => "use a fixed seed, or make the value when the container starts instead of in the image",
            Self::RandomName => {
                "delete temporary files in the same RUN, or make them in `RUN --mount=type=tmpfs,target=/tmp`; give \
                 files that stay a fixed name"
            }
            Self::ProcessId => "keep process ids, ports and counters out of files; delete pid files in the same RUN",
            Self::Host => {
                "keep the output of `hostname`, `uname` and /proc out of files; where a name is needed, set it with an ARG"
            }
            Self::Archive => {
                "fix order, times and owners: `tar --sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 \
                 --numeric-owner`; `gzip -n`; for zip `touch -d @$SOURCE_DATE_EPOCH` the files, then \
                 `find … | LC_ALL=C sort | TZ=UTC zip -X out.zip -@`; `jar --date=…`"
            }
            Self::PythonCache => {
                "set `PYTHONDONTWRITEBYTECODE=1` and use `pip install --no-compile`, or compile with \
                 `python -m compileall --invalidation-mode unchecked-hash`"
            }
            Self::PackageManager => {
                "delete logs and caches in the same RUN (`rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
                 /var/cache/ldconfig/aux-cache`, `apk --no-cache`, `pip --no-cache-dir`), or keep them out with \
                 `RUN --mount=type=cache,target=…`"
            }
            Self::Compiler => {
                "C and C++: `-ffile-prefix-map=$PWD=.`, no `__DATE__`, `-Wl,--build-id=none`, `ar rcD`; Go: `-trimpath \
                 -buildvcs=false -ldflags=-buildid=`; Rust: `--remap-path-prefix`; build in the same directory every time"
            }
            Self::Mode => {
                "begin the RUN with `umask 022`, or `chmod` to fixed modes; for copied files `COPY --chmod=…`"
            }
            Self::Owner => {
                "`chown` to fixed numbers in the same RUN; give users fixed ids (`useradd -u 1000`); for copied files \
                 `COPY --chown=…`"
            }
            Self::Xattr => "set them to fixed values, or remove them in the same RUN: `setfattr -x NAME FILE`",
            Self::Link => "let the link point to a fixed path: `ln -sfn TARGET LINK`",
            Self::Locale => "set the locale: `ENV LC_ALL=C`, or `LC_ALL=C` before the command; `TZ=UTC` for times",
            Self::Network => {
                "pin what is fetched: `ADD --checksum=sha256:… URL`, an exact version or commit, a lock file"
            }
            Self::Unknown => {
                "build twice with `--no-cache`, take the file out of both images and compare them, for instance with \
                 diffoscope"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_told_in_one_line() {
        let all = [
            Cause::WallClock,
            Cause::Mtime,
            Cause::Order,
            Cause::Random,
            Cause::RandomName,
            Cause::ProcessId,
            Cause::Host,
            Cause::Archive,
            Cause::PythonCache,
            Cause::PackageManager,
            Cause::Compiler,
            Cause::Mode,
            Cause::Owner,
            Cause::Xattr,
            Cause::Link,
            Cause::Locale,
            Cause::Network,
            Cause::Unknown,
        ];
        let mut names: Vec<_> = all.iter().map(|cause| cause.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        for cause in all {
            assert!((30..360).contains(&cause.cure().len()), "{cause:?}: {}", cause.cure().len());
            assert!(cause.meaning().ends_with('.') && cause.meaning().len() < 120, "{cause:?}");
            for text in [cause.cure(), cause.meaning()] {
                assert!(!text.contains(['\n', '\t']) && !text.contains("  "), "{cause:?}: {text}");
                assert_eq!(text.matches('`').count() % 2, 0, "{cause:?}: {text}");
            }
        }
    }
}
