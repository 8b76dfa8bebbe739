//! Two hundred random histories of a repository: images of one and of many platforms that share parts, attestations, artifacts
//! about artifacts, signatures of both generations of cosign, tags that move. After retention what is left is compared with what
//! the registry's own files say should be.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use futures::stream;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use stagefreight::image::Descriptor;
use stagefreight::registry::referrers::{Artifact, attach};

use super::*;

const HISTORIES: u64 = 200;
/// Worked on at a time: the registry and cosign have the processors to themselves while we wait.
const SIDE_BY_SIDE: usize = 4;
/// What the attestations say they are.
const KIND: &str = "application/vnd.in-toto+json";

#[tokio::test]
async fn after_any_history_what_stays_is_whole_and_nothing_else_does() {
    let mut private = Private::start(true);
    let cosign = Cosign::new(private.dir.path());
    let began = Instant::now();
    let all = stream::iter(0..HISTORIES).map(|seed| history(seed, &private, &cosign));
    let told: Vec<Told> = all.buffer_unordered(SIDE_BY_SIDE).collect().await;
    let sum = |of: fn(&Told) -> usize| told.iter().map(of).sum::<usize>();
    println!(
        "{HISTORIES} histories in {:.1} s: {} tags, {} deleted; {} manifests, {} deleted; {} needed by both; {} signatures verified",
        began.elapsed().as_secs_f64(),
        sum(|t| t.tags),
        sum(|t| t.tags_gone),
        sum(|t| t.before.manifests.len()),
        sum(|t| t.gone.len()),
        sum(|t| t.shared),
        sum(|t| t.verified),
    );
    // The histories are such that all of it was there to go wrong.
    assert!(
        sum(|t| t.tags_gone) > 500
            && sum(|t| t.gone.len()) > 1000
            && sum(|t| t.shared) > 100
            && sum(|t| t.verified) > 80
    );

    private.collect_garbage();
    let (storage, blobs) = (private.storage(), private.storage().blobs());
    let mut needed = BTreeSet::new();
    for history in &told {
        let after = storage.snapshot(&history.repository);
        assert_eq!(after.tags, history.after.tags);
        needed.extend(after.manifests.keys().cloned());
        needed.extend(after.manifests.keys().flat_map(|digest| after.blobs_of(digest)));
        // Old listings of referrers, which nothing points to any more, still name what they listed.
        needed.extend(after.manifests.keys().flat_map(|digest| after.children(digest)));
    }
    let left: Vec<_> = blobs.difference(&needed).collect();
    assert_eq!(left, Vec::<&String>::new(), "blobs that only deleted tags needed are still there");
    let kept = told.iter().flat_map(|history| history.kept.iter().map(move |digest| (history, digest)));
    for (history, digest) in kept {
        for blob in history.after.blobs_of(digest) {
            assert!(blobs.contains(&blob), "history {}: {digest} lost {blob}", history.seed);
        }
    }
}

/// What a history came to.
struct Told {
    seed: u64,
    repository: Repository,
    before: Snapshot,
    after: Snapshot,
    /// Manifests of tags that stay.
    kept: BTreeSet<String>,
    /// Manifests that went.
    gone: BTreeSet<String>,
    /// Manifests that tags on both sides needed.
    shared: usize,
    tags: usize,
    tags_gone: usize,
    verified: usize,
}

async fn history(seed: u64, private: &Private, cosign: &Cosign) -> Told {
    let mut chance = SmallRng::seed_from_u64(seed);
    let world = World::new(&private.host, &format!("history/n{seed}"));
    write(&world, seed, &mut chance).await;
    let signed = cosign.sign_some(&world, &mut chance).await;
    let before = private.storage().snapshot(&world.repository);

    let rules = self::rules(some_rules(&mut chance), &["{version}", "latest", "{branch}-{sha:8}"]);
    let (catalog, began) = (catalog(&private.host), before.tags.len());
    let plan = rules.plan(&catalog, &world.repository).await;
    assert_eq!(plan.obstacle, None, "history {seed}");
    assert_eq!(plan.staying.len() + plan.going.len(), began, "history {seed}: every tag is spoken of");
    let staying: BTreeSet<String> = plan.staying.iter().map(|tag| tag.tag.to_string()).collect();
    let swept = rules.apply(&catalog, &world.repository, plan).await;
    assert!(swept.is_whole(), "history {seed}: {swept:#?}");

    let after = private.storage().snapshot(&world.repository);
    let found: BTreeSet<String> = after.tags.keys().cloned().collect();
    assert_eq!(found, staying, "history {seed}");
    let (kept, gone, shared) = compare(seed, &before, &after);
    for root in after.tags.values().collect::<BTreeSet<_>>() {
        world.pull(&root.parse().unwrap()).await;
    }
    let mut verified = 0;
    for digest in signed.iter().filter(|digest| kept.contains(*digest)) {
        cosign.verify(&world, digest).await;
        verified += 1;
    }
    let tags_gone = before.tags.len() - after.tags.len();
    let (tags, repository) = (before.tags.len(), world.repository.clone());
    Told { seed, repository, before, after, kept, gone, shared, tags, tags_gone, verified }
}

/// What the files say against what they should: by another way than the program's.
fn compare(seed: u64, before: &Snapshot, after: &Snapshot) -> (BTreeSet<String>, BTreeSet<String>, usize) {
    for (tag, root) in &after.tags {
        assert_eq!(before.tags.get(tag), Some(root), "history {seed}: {tag} moved");
    }
    let of = |tags: &dyn Fn(&str) -> bool| {
        let roots = before.tags.iter().filter(|(tag, _)| !tag.starts_with("sha256-") && tags(tag));
        roots.map(|(_, root)| root.clone()).collect::<Vec<_>>()
    };
    let mut kept = before.closure(of(&|tag| after.tags.contains_key(tag)), true);
    let went = before.closure(of(&|tag| !after.tags.contains_key(tag)), false);
    // What is said about something follows it; about nothing known it stays, and with it whatever it speaks of.
    let attached: Vec<_> =
        before.tags.iter().filter_map(|(tag, root)| Some((tag, root, Snapshot::speaks_of(tag)?))).collect();
    loop {
        let size = kept.len();
        for (_, root, subject) in &attached {
            if !went.contains(subject) || kept.contains(subject) {
                kept.extend(before.closure([(*root).clone(), subject.clone()], true));
            }
        }
        if kept.len() == size {
            break;
        }
    }
    for (tag, _, subject) in &attached {
        let follows = went.contains(subject) && !kept.contains(subject);
        assert_eq!(after.tags.contains_key(*tag), !follows, "history {seed}: {tag}");
    }
    for tag in before.tags.keys().filter(|tag| !tag.starts_with("sha256-")) {
        let ours =
            tag.starts_with(|c: char| c.is_ascii_digit()) || tag.as_str() == "latest" || tag.starts_with("main-");
        assert!(ours || after.tags.contains_key(tag), "history {seed}: {tag} is not of our templates");
    }
    let gone: BTreeSet<String> = went.difference(&kept).cloned().collect();
    let expected: BTreeSet<&String> = before.manifests.keys().filter(|digest| !gone.contains(*digest)).collect();
    let found: BTreeSet<&String> = after.manifests.keys().collect();
    let told = |digest: &&String| ((*digest).clone(), before.manifests[*digest].clone());
    let too_many: Vec<_> = found.difference(&expected).map(told).collect();
    let too_few: Vec<_> = expected.difference(&found).map(told).collect();
    assert!(too_many.is_empty() && too_few.is_empty(), "history {seed}: left {too_many:#?}\nlost {too_few:#?}");
    let shared = went.intersection(&kept).count();
    (kept, gone, shared)
}

fn some_rules(chance: &mut SmallRng) -> Retention {
    let mut rule = |most: u32| chance.random_bool(0.5).then(|| chance.random_range(0..most));
    let mut rules = Retention {
        keep_last: rule(6),
        keep_daily: rule(4),
        keep_weekly: rule(3),
        keep_monthly: rule(3),
        keep_yearly: rule(2),
        protect: Vec::new(),
    };
    if rules.keep_last.is_none() && rules.keep_daily.is_none() {
        rules.keep_last = Some(chance.random_range(1..5));
    }
    if chance.random_bool(0.3) {
        rules.protect.push("latest".into());
    }
    if chance.random_bool(0.3) {
        rules.protect.push("re:[37]$".into());
    }
    rules
}

/// Five to forty tags, one event after another.
async fn write(world: &World, seed: u64, chance: &mut SmallRng) {
    let mut made: Vec<Value> = Vec::new();
    let mut parts: Vec<Value> = Vec::new();
    let mut hour = 0;
    let count = chance.random_range(5..=40);
    for n in 0..count {
        hour += chance.random_range(0..100);
        let created = format!("2026-{:02}-{:02}T{:02}:00:00Z", 1 + hour / 600 % 12, 1 + hour / 24 % 25, hour % 24);
        let words = format!("{seed} {n}");
        let image = match chance.random_range(0..9) {
            0 | 1 => world.image("amd64", &words, &created).await,
            2 | 3 => world.attested(&words, &created).await,
            // Only one platform is new: the other is that of an image before.
            4 if !parts.is_empty() => {
                let new = world.image("amd64", &words, &created).await;
                world.index(&[new, parts[chance.random_range(0..parts.len())].clone()]).await
            }
            // An index over indexes.
            5 if !made.is_empty() => {
                let new = world.image("amd64", &words, &created).await;
                world.index(&[new, made[chance.random_range(0..made.len())].clone()]).await
            }
            // Another tag of what is there.
            6 | 7 if !made.is_empty() => made[chance.random_range(0..made.len())].clone(),
            _ => {
                let pair = [world.image("amd64", &words, &created).await, world.image("arm64", &words, &created).await];
                parts.extend(pair.iter().cloned());
                world.index(&pair).await
            }
        };
        made.push(image.clone());
        let tag = match chance.random_range(0..10) {
            0 => "latest".to_owned(),
            1 => format!("main-{n:08x}"),
            2 => format!("by-hand-{n}"),
            _ => format!("1.{}.{n}", n / 5),
        };
        world.tag(&tag, &image).await;
        if chance.random_bool(0.3) {
            let latest = &made[chance.random_range(0..made.len())];
            world.tag("latest", latest).await;
        }
        say_something(world, &made, &parts, &words, chance).await;
    }
}

/// Attestations, attestations of attestations, signatures of cosign 2, tags on artifacts.
async fn say_something(world: &World, made: &[Value], parts: &[Value], words: &str, chance: &mut SmallRng) {
    let all: Vec<&Value> = made.iter().chain(parts).collect();
    let about = all[chance.random_range(0..all.len())];
    if chance.random_bool(0.2) {
        let said = attach(&world.registry, &world.repository, &descriptor(about), &artifact(words)).await.unwrap();
        if chance.random_bool(0.3) {
            let more = artifact(&format!("{words} again"));
            attach(&world.registry, &world.repository, &said, &more).await.unwrap();
        }
        if chance.random_bool(0.2) {
            // A tag of its own: by hand, or such as a template could have made.
            let tag = if chance.random_bool(0.5) {
                format!("sbom-{}", said.digest.short())
            } else {
                format!("0.0.{}", made.len())
            };
            world.tag(&tag, &serde_json::to_value(&said).unwrap()).await;
        }
    }
    if chance.random_bool(0.15) {
        let signature = world.image("signature", if chance.random_bool(0.5) { words } else { "the same" }, "").await;
        let suffix = [".sig", ".att", ".sbom"][chance.random_range(0..3)];
        world.tag(&format!("{}{suffix}", fallback_tag(&digest(about))), &signature).await;
    }
    if chance.random_bool(0.05) {
        let signature = world.image("signature", words, "").await;
        world.tag(&format!("sha256-{}.sig", digest(&signature).hex()), &signature).await;
        world.tag(&format!("cache-{}-main-{0}", &digest(about).hex()[..8]), about).await;
    }
}

fn descriptor(value: &Value) -> Descriptor {
    serde_json::from_value(value.clone()).unwrap()
}

fn artifact(words: &str) -> Artifact {
    let payload = Bytes::from(format!("{{\"says\": \"{words}\"}}"));
    Artifact { artifact_type: KIND.into(), media_type: KIND.into(), payload, annotations: BTreeMap::new() }
}

/// The real one, with a key and without a transparency log.
struct Cosign {
    dir: PathBuf,
}

impl Cosign {
    fn new(dir: &Path) -> Self {
        let cosign = Self { dir: dir.to_owned() };
        cosign.run(&["generate-key-pair"]);
        cosign.run(&["signing-config", "create", "--out", "sc.json"]);
        cosign
    }

    fn run(&self, args: &[&str]) {
        let mut command = Command::new("cosign");
        command.args(args).current_dir(&self.dir).env("COSIGN_PASSWORD", "").env("HOME", &self.dir);
        let output = command.output().expect("cosign: run `eval \"$(ci/testbed env)\"`");
        assert!(output.status.success(), "cosign {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    async fn run_beside(&self, args: Vec<String>) {
        let cosign = Self { dir: self.dir.clone() };
        let work = move || cosign.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(work).await.unwrap();
    }

    /// One or two images that versions name.
    async fn sign_some(&self, world: &World, chance: &mut SmallRng) -> BTreeSet<String> {
        let tags: Vec<_> = world.tags().await.into_iter().filter(|tag| tag.starts_with("1.")).collect();
        let mut signed = BTreeSet::new();
        let Some(newest) = tags.len().checked_sub(1) else { return signed };
        let one = if chance.random_bool(0.6) { newest } else { chance.random_range(0..tags.len()) };
        let found = world.registry.head_manifest(&world.repository, &name(&tags[one])).await.unwrap().unwrap();
        let digest = found.digest.unwrap().to_string();
        let mut args = vec!["sign", "--key", "cosign.key", "-y", "--signing-config", "sc.json"];
        if chance.random_bool(0.2) {
            args.push("--recursive");
        }
        let reference = format!("{}@{digest}", world.repository);
        self.run_beside(args.into_iter().map(str::to_owned).chain([reference]).collect()).await;
        signed.insert(digest);
        signed
    }

    async fn verify(&self, world: &World, digest: &str) {
        let args =
            ["verify", "--key", "cosign.pub", "--insecure-ignore-tlog", &format!("{}@{digest}", world.repository)];
        self.run_beside(args.map(str::to_owned).to_vec()).await;
    }
}
