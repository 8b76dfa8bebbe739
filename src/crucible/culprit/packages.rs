//! Paths that package managers, and tools like them, fill with times, random order and logs.

/// Pieces of paths (with `/` before the first) and who writes there. A trailing `/` means everything inside.
const PLACES: [(&str, &str); 62] = [
    ("/var/lib/apt/", "apt"),
    ("/var/cache/apt/", "apt"),
    ("/var/log/apt/", "apt"),
    ("/var/log/dpkg.log", "dpkg"),
    ("/var/log/alternatives.log", "dpkg"),
    ("/var/log/bootstrap.log", "debootstrap"),
    ("/var/lib/dpkg/", "dpkg"),
    ("/var/cache/debconf/", "debconf"),
    ("/lib/apk/db/", "apk"),
    ("/var/cache/apk/", "apk"),
    ("/var/log/apk.log", "apk"),
    ("/var/lib/rpm/", "rpm"),
    ("/usr/lib/sysimage/rpm/", "rpm"),
    ("/usr/lib/sysimage/libdnf5/", "dnf"),
    ("/var/lib/dnf/", "dnf"),
    ("/var/cache/dnf/", "dnf"),
    ("/var/cache/libdnf5/", "dnf"),
    ("/var/log/dnf", "dnf"),
    ("/var/log/hawkey.log", "dnf"),
    ("/var/lib/yum/", "yum"),
    ("/var/cache/yum/", "yum"),
    ("/var/log/yum.log", "yum"),
    ("/var/lib/rhsm/", "subscription-manager"),
    ("/var/log/rhsm/", "subscription-manager"),
    ("/var/cache/zypp/", "zypper"),
    ("/var/log/zypp", "zypper"),
    ("/var/lib/pacman/", "pacman"),
    ("/var/cache/pacman/", "pacman"),
    ("/var/log/pacman.log", "pacman"),
    ("/var/cache/ldconfig/", "ldconfig"),
    ("/var/cache/man/", "man-db"),
    ("/var/cache/fontconfig/", "fontconfig"),
    ("/.cache/pip/", "pip"),
    ("/.cache/uv/", "uv"),
    ("/.cache/pypoetry/", "poetry"),
    ("/.conda/", "conda"),
    ("/conda/pkgs/", "conda"),
    ("/conda-meta/history", "conda"),
    ("/.npm/", "npm"),
    ("/node_modules/.package-lock.json", "npm"),
    ("/node_modules/.cache/", "npm"),
    ("/npm-debug.log", "npm"),
    ("/node_modules/.yarn-integrity", "yarn"),
    ("/node_modules/.yarn-state.yml", "yarn"),
    ("/.cache/yarn/", "yarn"),
    ("/usr/local/share/.cache/", "yarn"),
    ("/.yarn/", "yarn"),
    ("/node_modules/.modules.yaml", "pnpm"),
    ("/.local/share/pnpm/", "pnpm"),
    ("/.cache/go-build/", "go"),
    ("/pkg/mod/cache/", "go"),
    ("/.cargo/registry/", "cargo"),
    ("/cargo/registry/", "cargo"),
    ("/.package-cache", "cargo"),
    ("/.global-cache", "cargo"),
    ("/.crates2.json", "cargo"),
    ("/.m2/repository/", "maven"),
    ("/.gradle/", "gradle"),
    ("/.nuget/", "nuget"),
    ("/.composer/cache/", "composer"),
    ("/.bundle/cache/", "bundler"),
    ("/gem_make.out", "gem"),
];

/// Who keeps its books at this path (without leading `/`), if it is known for that.
pub(super) fn owner(path: &str) -> Option<&'static str> {
    let path = format!("/{path}");
    PLACES.iter().find(|(place, _)| holds(&path, place)).map(|(_, owner)| *owner)
}

/// Places below `/var`, `/usr` and `/lib` count from the root; homes may be anywhere.
fn holds(path: &str, place: &str) -> bool {
    let rooted = ["/var/", "/usr/", "/lib/"].iter().any(|root| place.starts_with(root));
    match rooted {
        true => path.starts_with(place) || path.strip_prefix("/usr").is_some_and(|path| path.starts_with(place)),
        false => path.contains(place),
    }
}
