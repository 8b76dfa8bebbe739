//! A build remembered: layers, what runs, and the evidence of a failure.

use super::*;
use crate::buildx::progress::rawjson;
use crate::buildx::progress::rawjson::tests::fixture;

pub(in crate::buildx) fn timeline(fixture_name: &str) -> Timeline {
    let mut timeline = Timeline::default();
    let mut parser = rawjson::Parser::default();
    parser.push(&fixture(fixture_name), &mut |p| timeline.push(&p));
    parser.finish(&mut |p| timeline.push(&p));
    timeline
}

fn vertex(digest: &str, name: &str, started: i64, completed: Option<i64>) -> Progress {
    let at = |s: i64| Timestamp::from_second(s).unwrap();
    Progress::Vertex(Vertex {
        digest: digest.into(),
        name: name.into(),
        started: Some(at(started)),
        completed: completed.map(at),
        ..Vertex::default()
    })
}

fn log(vertex: &str, text: &str) -> Progress {
    Progress::Log { vertex: vertex.into(), stderr: false, data: text.into() }
}

#[test]
fn seconds_of_several_goes_add_up() {
    let mut timeline = Timeline::default();
    let from = "[1/2] FROM x";
    for event in [
        vertex("a", from, 100, None),
        vertex("a", from, 100, Some(101)),
        vertex("a", from, 200, None),
        vertex("a", from, 200, Some(205)),
    ] {
        timeline.push(&event);
    }
    let layers = timeline.layers();
    assert_eq!(layers.len(), 1);
    assert!((layers[0].seconds - 6.0).abs() < 1e-9, "{layers:?}");
}

#[test]
fn what_runs_now() {
    let mut timeline = Timeline::default();
    timeline.push(&vertex("a", "[build 1/3] FROM x", 1, Some(2)));
    timeline.push(&vertex("c", "[build 2/3] RUN y", 5, None));
    timeline.push(&vertex("b", "[linux/arm64 2/2] RUN y", 4, None));
    timeline.push(&vertex("i", "[internal] load build context", 6, None));
    let live = timeline.live();
    assert_eq!((live.done, live.total), (1, 5));
    let names: Vec<&str> = live.running.iter().map(|r| r.vertex.as_str()).collect();
    assert_eq!(names, ["b", "c", "i"]);
}

#[test]
fn a_step_that_never_ran_is_no_layer_of_a_failed_build() {
    let layers = timeline("copy.rawjson").layers();
    let names: Vec<&str> = layers.iter().map(|l| l.instruction.as_str()).collect();
    assert_eq!(names, ["FROM"], "RUN was first called cached, then cancelled; COPY failed");
}

#[test]
fn the_step_that_failed_is_found_among_those_it_took_along() {
    let evidence = timeline("parallel.rawjson").evidence();
    assert!(evidence.step.starts_with("[b 2/2] RUN"), "{}", evidence.step);
    assert_eq!(evidence.log, ["b 1", "b 2", "b 3"]);

    let evidence = timeline("cachefrom.rawjson").evidence();
    assert!(evidence.step.starts_with("importing cache"), "nothing better is known: {}", evidence.step);
}

#[test]
fn memory_is_bounded_however_much_is_said() {
    let mut timeline = Timeline::default();
    for step in 0..100 {
        let name = format!("[{step}/100] RUN x");
        timeline.push(&vertex(&name, &name, 1, None));
        let line = format!("{} line of step {step}\n", "x".repeat(1000));
        for _ in 0..500 {
            timeline.push(&log(&name, &line));
        }
    }
    assert!(timeline.tails.len() <= MAX_STEP_TAILS);
    assert!(timeline.tail().len() <= OVERALL_TAIL.1);
    assert!(timeline.tail().last().unwrap().ends_with("line of step 99"));
    for step in 0..100 {
        let name = format!("[{step}/100] RUN x");
        timeline.push(&vertex(&name, &name, 1, Some(2)));
    }
    assert!(timeline.tails.is_empty(), "the output of what went well is given up");
}

#[test]
fn lines_of_two_steps_do_not_run_together() {
    let mut timeline = Timeline::default();
    for event in [log("a", "half"), log("b", "other\n"), log("a", "rest"), Progress::Trailer("ERROR: x".into())] {
        timeline.push(&event);
    }
    assert_eq!(timeline.tail(), ["half", "other", "rest", "ERROR: x"]);
}
