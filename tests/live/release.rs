//! `ci/release`, against a bare git remote that refuses what GitHub refuses, the testbed's registry, and a stand-in for GitHub's
//! program: our own image is built and proven for each platform, joined, signed and verified, and then it goes out, each thing
//! before what names it. What must not be released leaves nothing anyone can name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use super::legs::PLATFORMS;
use crate::support::act::our_binary;
use crate::support::{Cosign, Registry, Testbed, unique};

const VERSION: &str = env!("CARGO_PKG_VERSION");

const DOCKERFILE: &str = "FROM scratch AS binary
FROM scratch
ARG TARGETARCH
COPY --from=binary --chmod=755 /stagefreight-$TARGETARCH /usr/local/bin/stagefreight
ENTRYPOINT [\"/usr/local/bin/stagefreight\"]
";

/// A proof by the candidate itself wants a machine of its platform.
const ANYWHERE: (&str, &str) = ("runner: candidate", "runner: rebuild");
const HERE_ONLY: (&str, &str) = ("platforms: [linux/amd64, linux/arm64]", "platforms: [linux/amd64]");

/// As GitHub for the token of a job: nothing differs below .github/workflows. And what a moving tag leads to is there before: the
/// version's own tag, the binaries, the image's tag.
const HOOK: &str = r#"#!/bin/bash
while read -r old new ref; do
  if [[ $ref == refs/heads/main ]]; then continue; fi
  if ! git diff --quiet main "$new^{commit}" -- .github/workflows; then
    echo "refusing to allow a GitHub App to create or update workflow without 'workflows' permission"
    exit 1
  fi
  if [[ $ref == refs/tags/v*.*.* ]]; then continue; fi
  tag=$(git tag --points-at "$new" 'v*.*.*')
  if [[ -z $tag || ! -e {gh}/$tag/title || -e {gh}/$tag/draft ]]; then
    echo "$ref would lead to binaries that are not there"
    exit 1
  fi
  if ! curl -fs -o /dev/null -H 'Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json' "{image}/manifests/${tag#v}"; then
    echo "$ref would lead to an image that is not there"
    exit 1
  fi
done
"#;

/// Stands in for GitHub's program: a release is a directory, and is published on a tag that is there.
const GH: &str = r#"#!/bin/bash
set -eu
[[ "$1 $GH_REPO" == "release github.com/stagefreight/action" ]]
command=$2 tag=$3
shift 3
cd {gh}
case $command in
  view)
    [[ $* == "--json isDraft --jq .isDraft" && -e $tag ]] || exit 1
    if [[ -e $tag/draft ]]; then echo true; else echo false; fi
    ;;
  delete) [[ $* == --yes ]] && rm -r "$tag" ;;
  create)
    [[ "$1 $2 $4" == "--draft --title --notes-file" && ! -e $tag ]] || { echo "$tag is there"; exit 1; }
    mkdir "$tag"
    echo "$3" >"$tag/title"
    touch "$tag/draft"
    cp "${@:5}" "$tag"
    ;;
  edit)
    [[ $* == "--draft=false --verify-tag" && -e $tag/draft ]]
    git -C {remote} rev-parse --quiet --verify "refs/tags/$tag" || { echo "there is no tag $tag"; exit 1; }
    if [[ -e {gh}/down ]]; then echo "HTTP 502"; exit 1; fi
    rm "$tag/draft"
    ;;
  *) exit 2 ;;
esac
"#;

/// A checkout of this repository as it is now, and the remote it was cloned from.
struct Release {
    dir: tempfile::TempDir,
    testbed: Testbed,
    image: String,
    vars: BTreeMap<String, String>,
}

impl Release {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("sf-release-").tempdir().unwrap();
        let testbed = Testbed::get();
        let image = format!("{}/release-{}/action", testbed.registry, unique());
        let release = Self { dir, testbed, image, vars: BTreeMap::new() };
        release.forge();
        release
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The remote, and GitHub's program.
    fn forge(&self) {
        let remote = self.path("remote.git");
        Testbed::tool("git", &["init", "--quiet", "--bare", "--initial-branch=main", remote.to_str().unwrap()]);
        let image = self.image.replacen('/', "/v2/", 1);
        let filled = |text: &str| {
            text.replace("{gh}", self.path("gh").to_str().unwrap())
                .replace("{remote}", remote.to_str().unwrap())
                .replace("{image}", &format!("http://{image}"))
        };
        for name in ["bin", "gh"] {
            std::fs::create_dir(self.path(name)).unwrap();
        }
        self.program("remote.git/hooks/pre-receive", &filled(HOOK));
        self.program("bin/gh", &filled(GH));
    }

    fn program(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), text).unwrap();
        Testbed::tool("chmod", &["+x", self.path(path).to_str().unwrap()]);
    }

    /// This checkout with everything it has now, but for a word of our own configuration, committed and pushed, its registries those
    /// of the testbed.
    fn checked_out(mut self, cosign: &Cosign, (word, other): (&str, &str)) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let checkout = self.path("checkout");
        std::fs::create_dir(&checkout).unwrap();
        let listed =
            Testbed::tool("git", &["-C", here.to_str().unwrap(), "ls-files", "-co", "--exclude-standard"]).stdout;
        for file in String::from_utf8(listed).unwrap().lines().filter(|file| here.join(file).exists()) {
            let to = checkout.join(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(here.join(file), to).unwrap();
        }
        // What is in our image, and that it proves itself, is the business of other tests. Here it is the program alone.
        std::fs::write(checkout.join("Dockerfile"), DOCKERFILE).unwrap();
        let registries =
            format!("registries: {{docker.io: {{mirrors: ['{0}']}}, '{0}': {{http: true}}}}\n", self.testbed.registry);
        let config = std::fs::read_to_string(checkout.join(".stagefreight.yml")).unwrap();
        assert!(config.contains(word), "{config}");
        std::fs::write(checkout.join(".stagefreight.yml"), config.replace(word, other) + &registries).unwrap();
        let changelog = std::fs::read_to_string(checkout.join("CHANGELOG.md")).unwrap();
        let chapter = format!("## [Unreleased]\n\n## [{VERSION}] - 2026-01-01\n");
        std::fs::write(checkout.join("CHANGELOG.md"), changelog.replacen("## [Unreleased]\n", &chapter, 1)).unwrap();
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.git(&["remote", "add", "origin", self.path("remote.git").to_str().unwrap()]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", "As it is"]);
        self.git(&["push", "--quiet", "origin", "main"]);

        // What is built: where it proves itself the program under test, else nothing that runs, another file for each platform.
        // It comes as an image, because a build takes no files from outside its checkout.
        let layer = self.path("layer.tar");
        for arch in PLATFORMS.map(arch) {
            let program = self.path(&format!("stagefreight-{arch}"));
            match (word, other) == HERE_ONLY {
                true => drop(Testbed::tool("strip", &["-o", program.to_str().unwrap(), &our_binary()])),
                false => std::fs::write(&program, arch).unwrap(),
            }
        }
        let dir = self.dir.path().to_str().unwrap();
        let programs = ["stagefreight-amd64", "stagefreight-arm64"];
        Testbed::tool("tar", &[&["-C", dir, "-cf", layer.to_str().unwrap()], &programs[..]].concat());
        let prebuilt = format!("{}-prebuilt:1", self.image);
        Testbed::tool("crane", &["append", "--insecure", "-f", layer.to_str().unwrap(), "-t", &prebuilt]);
        let contexts = format!("binary=docker-image://{prebuilt}");
        let testbed = &self.testbed;
        let vars = [
            ("PATH", format!("{}:{}", self.path("bin").display(), cosign.path())),
            ("HOME", self.path("home").to_str().unwrap().to_owned()),
            ("DOCKER_CONFIG", testbed.docker_config.to_str().unwrap().to_owned()),
            ("DOCKER_HOST", testbed.docker_host.clone()),
            ("BUILDKIT_HOST", testbed.buildkit_host.clone()),
            ("BUILDKIT_CERT_PATH", testbed.buildkit_certs.to_str().unwrap().to_owned()),
            ("STAGEFREIGHT", our_binary()),
            ("STAGEFREIGHT_BUILD_CONTEXTS", contexts),
            ("COSIGN_KEY", cosign.key()),
            ("COSIGN_PASSWORD", cosign.password.clone()),
            ("RELEASE_KEY", cosign.public()),
            ("RELEASE_IMAGE", self.image.clone()),
            // A debug binary weighs more.
            ("IMAGE_LARGEST_OF_OURS", "60000000".to_owned()),
        ];
        self.vars = vars.map(|(name, value)| (name.to_owned(), value)).into();
        self
    }

    fn git(&self, args: &[&str]) -> String {
        git(&self.path("checkout"), args)
    }

    /// Runs `ci/release` of the checkout.
    fn release(&self, args: &[&str]) -> (Option<i32>, String) {
        self.release_as(&self.vars, args)
    }

    fn release_as<'a>(
        &self,
        vars: impl IntoIterator<Item = (&'a String, &'a String)>,
        args: &[&str],
    ) -> (Option<i32>, String) {
        let output = Command::new(self.path("checkout/ci/release"))
            .args(args)
            .env_clear()
            .envs(vars)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        (output.status.code(), said(&output))
    }

    /// A leg, which has nothing to sign with.
    fn leg(&self, version: &str, platform: &str) -> (Option<i32>, String) {
        let Self { vars, .. } = self;
        let unsigned = vars.iter().filter(|(name, _)| !name.starts_with("COSIGN_"));
        let legs = self.path("legs");
        self.release_as(unsigned, &["leg", version, platform, legs.to_str().unwrap()])
    }

    fn prepare(&self, version: &str) -> (Option<i32>, String) {
        let (dir, legs) = (self.path("release"), self.path("legs"));
        self.release(&["prepare", version, dir.to_str().unwrap(), legs.to_str().unwrap()])
    }

    fn publish(&self) -> (Option<i32>, String) {
        self.release(&["publish", self.path("release").to_str().unwrap()])
    }

    /// Tags of the remote, each with the commit it leads to.
    fn released(&self) -> BTreeMap<String, String> {
        tags(&self.path("remote.git"))
    }

    fn registry(&self) -> (Registry, String) {
        let repository = self.image.split_once('/').unwrap().1.to_owned();
        (Registry::new(&self.testbed.registry), repository)
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"];
    let all = [&["-C", dir.to_str().unwrap()], &who[..], args].concat();
    String::from_utf8(Testbed::tool("git", &all).stdout).unwrap().trim().to_owned()
}

fn tags(remote: &Path) -> BTreeMap<String, String> {
    let lines = git(remote, &["for-each-ref", "--format=%(refname:strip=2) %(objectname) %(*objectname)", "refs/tags"]);
    let of = |line: &str| {
        let fields: Vec<_> = line.split(' ').filter(|field| !field.is_empty()).collect();
        (fields[0].to_owned(), (*fields.last().unwrap()).to_owned())
    };
    lines.lines().map(of).collect()
}

#[track_caller]
fn works((code, text): (Option<i32>, String)) {
    assert_eq!(code, Some(0), "{text}");
}

#[track_caller]
fn fails((code, text): (Option<i32>, String), why: &str) {
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(why), "{why}: {text}");
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn arch(platform: &str) -> &str {
    platform.strip_prefix("linux/").unwrap()
}

#[test]
fn a_release_goes_out_whole_and_only_once() {
    let cosign = Cosign::new(3, "of the release");
    let release = Release::new().checked_out(&cosign, ANYWHERE);
    let (registry, repository) = release.registry();
    for platform in PLATFORMS {
        works(release.leg(VERSION, platform));
        assert_eq!(registry.tags(&repository), [""; 0]);
    }
    works(release.prepare(VERSION));
    assert_eq!(release.released(), BTreeMap::new(), "nobody sees it yet");
    works(release.publish());

    // The image: for both platforms, proven, signed, under the tags for people, and nothing else of it.
    let digest = registry.digest(&repository, VERSION);
    let index = registry.manifest(&repository, &digest).unwrap().body;
    let platforms: Vec<_> = index["manifests"].as_array().unwrap().iter().map(|entry| &entry["platform"]).collect();
    assert_eq!(
        platforms,
        PLATFORMS.map(|name| json!({"os": "linux", "architecture": arch(name)})).iter().collect::<Vec<_>>()
    );
    let minor = VERSION.rsplit_once('.').unwrap().0;
    assert_eq!(registry.digest(&repository, minor), digest);
    assert_eq!(registry.digest(&repository, "latest"), digest);
    assert!(cosign.verifies(&format!("{}@{digest}", release.image)));

    // The tags, and what a user of them gets.
    let main = release.git(&["rev-parse", "HEAD"]);
    let released = release.released();
    let names: Vec<_> = released.keys().cloned().collect();
    assert_eq!(names, [format!("v{minor}"), format!("v{VERSION}")]);
    let commit = released[&format!("v{VERSION}")].clone();
    assert_eq!(released[&format!("v{minor}")], commit);
    assert_ne!(commit, main, "main builds its Dockerfile, a release names its image");
    let remote = release.path("remote.git");
    let show = |path: &str| git(&remote, &["show", &format!("{commit}:{path}")]);
    assert_eq!(git(&remote, &["rev-parse", &format!("{commit}^")]), main);
    assert_eq!(git(&remote, &["rev-parse", "main"]), main, "main is as it was");
    let image = format!("{}@{digest}", release.image);
    assert!(show("action.yml").contains(&format!("\n  image: docker://{image}\n")));
    let templates = git(&remote, &["ls-tree", "-r", "--name-only", &commit, "templates"]);
    for template in templates.lines() {
        let text = show(template);
        assert!(text.contains(&format!("default: {image}\n")), "{template}: {text}");
        assert!(
            !text.contains("ci/release: image") && !text.contains("ghcr.io/stagefreight/action:"),
            "{template}: {text}"
        );
    }
    assert!(templates.lines().count() >= 4, "{templates}");
    let changed = git(&remote, &["diff", "--name-only", &main, &commit]);
    assert_eq!(changed, format!("action.yml\nnative/release\n{templates}"));
    let workflow = show(".github/workflows/build.yml");
    assert_eq!(workflow.matches(&format!("uses: stagefreight/action@v{VERSION}\n")).count(), 2, "{workflow}");

    // The binaries are those of the image, and lie where the native action looks for them.
    let out = release.path(&format!("gh/v{VERSION}"));
    assert!(!out.join("draft").exists());
    let native = show("native/release");
    let from = format!("{}/releases/download/v{VERSION}", env!("CARGO_PKG_REPOSITORY"));
    assert!(native.contains(&format!("\nfrom {from}\n")), "{native}");
    let sums = std::fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    let mut expected = String::new();
    for arch in PLATFORMS.map(arch) {
        let sum = Testbed::sha256(&release.path(&format!("stagefreight-{arch}")));
        assert_eq!(sum, Testbed::sha256(&out.join(format!("stagefreight-linux-{arch}"))), "{arch}");
        assert!(format!("{native}\n").contains(&format!("\n{arch} {sum}\n")), "{native}");
        expected.push_str(&format!("{sum}  stagefreight-linux-{arch}\n"));
    }
    assert_eq!(sums, expected);
    let notes = std::fs::read_to_string(out.join("notes.md")).unwrap();
    assert!(notes.contains("### Added") && !notes.contains("## ["), "{notes}");

    // Once more, and nothing changes.
    works(release.publish());
    fails(release.leg(VERSION, PLATFORMS[0]), "is released already");
    fails(release.prepare(VERSION), "is released already");
    assert_eq!(release.released(), released);
}

#[test]
fn what_must_not_be_released_leaves_nothing() {
    let cosign = Cosign::new(3, "of the release");
    let mut release = Release::new().checked_out(&cosign, HERE_ONLY);
    let (registry, repository) = release.registry();
    let refuses = |release: &Release, version: &str, why: &str| {
        fails(release.leg(version, PLATFORMS[0]), why);
        fails(release.prepare(version), why);
        assert_eq!(release.released(), BTreeMap::new(), "{why}");
    };
    refuses(&release, "1.2", "is no version");
    refuses(&release, "9.9.9", "Cargo.toml has another version");
    std::fs::write(release.path("checkout/new"), "").unwrap();
    refuses(&release, VERSION, "changes that are not committed");
    release.git(&["add", "--all"]);
    release.git(&["commit", "--quiet", "-m", "Not pushed"]);
    refuses(&release, VERSION, "HEAD is not on main");
    release.git(&["reset", "--quiet", "--hard", "origin/main"]);
    let workflow = release.path("checkout/.github/workflows/build.yml");
    let text = std::fs::read_to_string(&workflow).unwrap();
    std::fs::write(&workflow, text.replacen(&format!("action@v{VERSION}"), "action@v0.0.9", 1)).unwrap();
    release.git(&["commit", "--quiet", "--all", "-m", "Another version"]);
    refuses(&release, VERSION, "build.yml uses another version of the action");
    release.git(&["reset", "--quiet", "--hard", "origin/main"]);
    assert_eq!(registry.tags(&repository), [""; 0], "nothing was built for any of these");

    // Too heavy: refused before it is signed.
    works(release.leg(VERSION, PLATFORMS[0]));
    let limit = |release: &mut Release, name: &str, bytes: &str| {
        let before = release.vars.insert(name.to_owned(), bytes.to_owned());
        let answer = release.prepare(VERSION);
        match before {
            Some(before) => release.vars.insert(name.to_owned(), before),
            None => release.vars.remove(name),
        };
        std::fs::remove_dir_all(release.path("release")).unwrap();
        answer
    };
    fails(limit(&mut release, "IMAGE_LARGEST", "1000000"), "the image weighs more than 1 MB");
    fails(limit(&mut release, "IMAGE_LARGEST_OF_OURS", "1000000"), "our own layer weighs more than 1 MB");
    assert_eq!(registry.tags(&repository), [""; 0], "neither a tag nor a signature");

    // Signed by somebody else than who must have signed it.
    let other = Cosign::new(3, "of somebody else");
    release.vars.insert("RELEASE_KEY".to_owned(), other.public());
    fails(release.prepare(VERSION), "the image is not accepted");
    assert_eq!(release.released(), BTreeMap::new());
    let left: Vec<_> = registry.tags(&repository).into_iter().filter(|tag| !tag.starts_with("sha256-")).collect();
    assert!(left.len() == 1 && left[0].starts_with("candidate-"), "{left:?}");
}

/// What `prepare` leaves, made by hand around an image that is there, so that only the publishing is tried.
fn prepared(release: &Release, version: &str) -> PathBuf {
    let dir = release.path(&format!("prepared-{version}"));
    let action = dir.join("action");
    std::fs::create_dir_all(dir.join("assets")).unwrap();
    let remote = release.path("remote.git");
    Testbed::tool("git", &["clone", "--quiet", remote.to_str().unwrap(), action.to_str().unwrap()]);
    git(&action, &["commit", "--quiet", "--allow-empty", "-m", version]);
    git(&action, &["tag", "--annotate", "--message", version, &format!("v{version}")]);
    let of = format!("{}/library/busybox:latest", release.testbed.registry);
    let digest = Registry::new(&release.testbed.registry).digest("library/busybox", "latest");
    let to = format!("{}:seed", release.image);
    Testbed::tool("crane", &["copy", "--insecure", &of, &to]);
    for (name, text) in [("version", version), ("digest", &digest), ("notes.md", ""), ("assets/SHA256SUMS", "")] {
        std::fs::write(dir.join(name), format!("{text}\n")).unwrap();
    }
    dir
}

#[test]
fn moving_tags_go_forward_only_all_or_none_and_last() {
    let cosign = Cosign::new(3, "unused");
    let release = Release::new().checked_out(&cosign, ANYWHERE);
    let publish = |dir: &Path| release.release(&["publish", dir.to_str().unwrap()]);
    let commit = |version: &str| git(&release.path(&format!("prepared-{version}/action")), &["rev-parse", "HEAD"]);
    let (registry, repository) = release.registry();
    works(publish(&prepared(&release, "1.2.3")));
    works(publish(&prepared(&release, "1.3.0")));
    // A repair of what came before: its own minor moves, the major does not.
    works(publish(&prepared(&release, "1.2.4")));
    works(publish(&prepared(&release, "2.0.0-rc.1")));
    let tags = release.released();
    assert_eq!(tags["v1.2"], commit("1.2.4"));
    assert_eq!(tags["v1.3"], commit("1.3.0"));
    assert_eq!(tags["v1"], commit("1.3.0"));
    let names: Vec<_> = tags.keys().map(String::as_str).collect();
    assert_eq!(names, ["v1", "v1.2", "v1.2.3", "v1.2.4", "v1.3", "v1.3.0", "v2.0.0-rc.1"]);
    let images: Vec<_> = registry.tags(&repository);
    assert_eq!(images, ["1", "1.2", "1.2.3", "1.2.4", "1.3", "1.3.0", "2.0.0-rc.1", "latest", "seed"]);

    // The version's own tag is refused: nothing is released.
    let dir = prepared(&release, "1.4.0");
    let hook = release.path("remote.git/hooks/update");
    let refuse =
        |tag: &str| release.program("remote.git/hooks/update", &format!("#!/bin/sh\n[ \"$1\" != refs/tags/{tag} ]\n"));
    let unmoved = |more: &[&str]| {
        let mut now = release.released();
        for tag in more {
            assert!(now.remove(*tag).is_some(), "{tag}");
        }
        assert_eq!(now, tags);
    };
    refuse("v1.4.0");
    fails(publish(&dir), "nothing is released");
    unmoved(&[]);
    assert_eq!(registry.tags(&repository), images, "the image's tags come after it");
    assert!(release.path("gh/v1.4.0/draft").exists());
    std::fs::remove_file(&hook).unwrap();

    // From here on the version is out, and no tag moves before what it leads to is there. Run again, it goes on.
    let down = release.path("gh/down");
    std::fs::write(&down, "").unwrap();
    fails(
        publish(&dir),
        "cannot publish the binaries. v1.4.0 is out, what leads to it is not all there: ci/release publish",
    );
    unmoved(&["v1.4.0"]);
    std::fs::remove_file(&down).unwrap();

    let digest = std::fs::read_to_string(dir.join("digest")).unwrap();
    std::fs::write(dir.join("digest"), format!("sha256:{}\n", "0".repeat(64))).unwrap();
    fails(publish(&dir), "1.4.0. v1.4.0 is out");
    unmoved(&["v1.4.0"]);
    assert_eq!(registry.tags(&repository), images);
    std::fs::write(dir.join("digest"), digest).unwrap();

    // A remote that takes one tag and refuses another.
    refuse("v1");
    fails(publish(&dir), "none has moved");
    unmoved(&["v1.4.0"]);
    std::fs::remove_file(&hook).unwrap();
    works(publish(&dir));
    assert_eq!((&release.released()["v1"], &release.released()["v1.4"]), (&commit("1.4.0"), &commit("1.4.0")));
    assert_eq!(registry.digest(&repository, "1.4.0"), registry.digest(&repository, "seed"));
}
