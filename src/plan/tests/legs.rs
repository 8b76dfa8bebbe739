//! One leg: one platform of a plan that is otherwise the whole one.

use super::*;

const TWO: &str = "
builds: [{id: app, kind: docker, platforms: [linux/amd64, linux/arm64]}]
targets: [{id: hub, kind: registry, build: app, url: docker.io, path: acme/app, tags: [latest]}]
";

fn leg(config: &str, platform: &str) -> Request {
    let mut request = request(config);
    request.inputs.platform_leg = Some(platform.to_owned());
    request
}

#[test]
fn a_leg_is_the_whole_plan_for_one_platform() {
    let whole = step_of(&request(TWO));
    for written in ["linux/arm64", "Linux/aarch64", "linux/arm64/v8"] {
        let step = step_of(&leg(TWO, written));
        assert_eq!(step.platforms, ["linux/arm64"]);
        let planned = Leg { platform: "linux/arm64".into(), of: strings(&["linux/amd64", "linux/arm64"]) };
        assert_eq!(step.leg.as_ref(), Some(&planned));
        assert_eq!((&step.plan_hash, &step.labels), (&whole.plan_hash, &whole.labels), "what legs must share");
        assert_eq!(published(&step), published(&whole), "what merge is to put");
        assert!(step.annotations.is_empty(), "{:?}", step.annotations);
    }
    assert!(planned(&leg(TWO, "linux/arm64")).notes.iter().any(|note| note.contains("puts no tag")));
}

#[test]
fn annotations_of_manifests_go_with_their_leg_and_those_of_the_index_wait_for_it() {
    let mut request = leg(TWO, "linux/arm64");
    request.inputs.annotations = strings(&[
        "plain=1",
        "index:whole=2",
        "index,manifest:both=3",
        "manifest[linux/arm64]:plain=ours",
        "manifest[linux/amd64]:other=theirs",
        "manifest-descriptor:pointer=4",
    ]);
    let annotations = step_of(&request).annotations;
    let all: Vec<_> = annotations.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(all, ["manifest:both=3", "manifest:plain=ours"]);
}

#[test]
fn a_leg_that_is_the_whole_is_built_as_the_whole() {
    let one = TWO.replace(", linux/arm64]", "]");
    let (whole, mut step) = (step_of(&request(&one)), step_of(&leg(&one, "linux/amd64")));
    assert_eq!(step.leg.take().map(|leg| leg.of), Some(strings(&["linux/amd64"])));
    assert_eq!(step, whole);
}

#[test]
fn builds_without_the_platform_are_left_out_and_a_platform_nobody_has_is_refused() {
    let config = "
builds:
  - {id: app, kind: docker, platforms: [linux/amd64, linux/arm64]}
  - {id: tool, kind: docker, platforms: [linux/amd64]}
";
    let plan = planned(&leg(config, "linux/arm64"));
    assert_eq!(plan.steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>(), ["app"]);
    assert_eq!(plan.left_out[0].id, "tool");
    assert_eq!(plan.left_out[0].why, "this run is the leg linux/arm64, and it is for linux/amd64");
    let refused = refused(&leg(config, "linux/s390x"));
    assert_eq!(
        refused,
        ["platform-leg `linux/s390x` is no platform of any build of this run | the platforms are: linux/amd64, \
             linux/arm64; add it to `platforms` of a build, or leave the leg out"]
    );
}

#[test]
fn a_leg_builds_what_it_depends_on() {
    let config = |base: &str| {
        format!(
            "
builds:
  - {{id: base, kind: docker, platforms: [{base}]}}
  - {{id: app, kind: docker, platforms: [linux/amd64, linux/arm64], depends_on: base}}
"
        )
    };
    let plan = planned(&leg(&config("linux/arm64, linux/amd64"), "linux/arm64"));
    assert_eq!(plan.steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>(), ["base", "app"]);
    let refused = refused(&leg(&config("linux/amd64"), "linux/arm64"));
    assert_eq!(
        refused,
        ["the leg linux/arm64 of build app cannot be built: it depends on base, which is not for linux/arm64 | add \
             linux/arm64 to the platforms of base: every leg builds what it depends on itself"]
    );
}

#[test]
fn legs_have_caches_of_their_own() {
    let config = format!(
        "{TWO}
build_cache: {{mode: shared, external: {{target: hub}}}}
"
    );
    let of = |platform: &str| step_of(&leg(&config, platform)).cache_to;
    let (amd, arm) = (of("linux/amd64"), of("linux/arm64"));
    assert!(arm[0].contains(":cache-app-linux-arm64-"), "{arm:?}");
    assert_ne!(amd, arm);
}

#[test]
fn a_leg_stays_on_no_laptop() {
    let mut request = leg(TWO, "linux/amd64");
    request.inputs.local = true;
    assert!(refused(&request)[0].starts_with("a leg is built for others to merge"));
}
