//! The language of a project, from the files its tools expect in the root.

/// File names, most telling first: a Go service with a `package.json` for its web page is a Go service.
const BY_NAME: &[(&str, &str)] = &[
    ("go.mod", "go"),
    ("Cargo.toml", "rust"),
    ("mix.exs", "elixir"),
    ("pom.xml", "java"),
    ("build.gradle", "java"),
    ("build.gradle.kts", "kotlin"),
    ("build.sbt", "scala"),
    ("deps.edn", "clojure"),
    ("Package.swift", "swift"),
    ("pubspec.yaml", "dart"),
    ("stack.yaml", "haskell"),
    ("build.zig", "zig"),
    ("composer.json", "php"),
    ("Gemfile", "ruby"),
    ("pyproject.toml", "python"),
    ("setup.py", "python"),
    ("requirements.txt", "python"),
    ("Pipfile", "python"),
    ("deno.json", "typescript"),
    ("tsconfig.json", "typescript"),
    ("package.json", "javascript"),
    ("CMakeLists.txt", "c++"),
    ("meson.build", "c"),
];

/// File name endings, for tools that let the project choose the name.
const BY_ENDING: &[(&str, &str)] =
    &[(".csproj", "c#"), (".fsproj", "f#"), (".sln", "c#"), (".gemspec", "ruby"), (".cabal", "haskell")];

/// The language that the markers tell, in lower case.
pub fn detect_language(markers: &[String]) -> Option<&'static str> {
    let by_name = BY_NAME.iter().find(|(name, _)| markers.iter().any(|marker| marker == name));
    let by_ending = || BY_ENDING.iter().find(|(ending, _)| markers.iter().any(|marker| marker.ends_with(ending)));
    by_name.or_else(by_ending).map(|(_, language)| *language)
}

/// Does a file of this name tell a language?
pub(super) fn is_marker(name: &str) -> bool {
    BY_NAME.iter().any(|(known, _)| *known == name) || BY_ENDING.iter().any(|(ending, _)| name.ends_with(ending))
}
