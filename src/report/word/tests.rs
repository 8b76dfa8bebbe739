use super::*;
use crate::report::fixtures;

#[test]
fn every_run_in_a_line() {
    let lines: Vec<_> = fixtures::all()
        .iter()
        .map(|(name, outcome)| {
            let word = word(&fixtures::document(outcome));
            format!("{name:16} {:9} {}", format!("{:?}", word.state), word.description)
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_note_of_a_failure_and_of_a_success() {
    insta::assert_snapshot!(word(&Document::new(&fixtures::failing_run())).note);
    let good = word(&Document::new(&fixtures::success())).note;
    assert!(good.starts_with("### ✅ Published `app` under 6 tags in 42.5s\n\n- `ghcr.io/acme/app:1.4.2`\n"), "{good}");
    assert_eq!(good.matches("\n- `").count(), 6, "{good}");
}

#[test]
fn remarks_have_a_line_each() {
    let word = word(&Document::new(&fixtures::failing_run()));
    let told: Vec<_> = word
        .remarks
        .iter()
        .map(|r| format!("{}:{}:{:?} {:?} {}: {}", r.path, r.line, r.column, r.level, r.title, r.message))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn nothing_hostile_gets_through() {
    let evil = "x\u{202e}\r\n::error::y\u{1b}[31m @everyone <script>![a](http://evil)";
    let word = word(&Document::new(&fixtures::hostile(evil)));
    for line in [&word.description, &word.title] {
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
    for remark in &word.remarks {
        assert!(!remark.message.contains(['\r', '\u{1b}', '\u{202e}']), "{remark:?}");
    }
    // What stands in a code span calls nobody.
    let outside: String = word.note.split('`').step_by(2).collect();
    for part in ["@everyone", "<script>", "](http://evil"] {
        assert!(!outside.contains(part), "{outside}");
    }
}
