use proptest::prelude::*;

use super::*;
use crate::report::escape;
use crate::report::fixtures;
use crate::report::hostile::reader::shape;

#[test]
fn summaries() {
    for (name, outcome) in fixtures::all() {
        insta::assert_snapshot!(format!("summary_{name}"), summary(&fixtures::document(&outcome)));
    }
}

#[test]
fn a_summary_is_never_too_large() {
    let mut outcome = fixtures::hostile(&"`|x\n".repeat(200));
    let build = outcome.builds[0].clone();
    outcome.builds = vec![build; 100];
    let layer = outcome.builds[0].layers[0].clone();
    for build in &mut outcome.builds {
        build.layers = vec![layer.clone(); 9];
    }
    let text = summary(&Document::new(&outcome));
    assert!(text.len() < 1024 * 1024, "{}", text.len());
    assert!(text.starts_with("## ❌"));
}

#[test]
fn of_many_culprits_the_first_are_shown_and_the_rest_is_counted() {
    let mut outcome = fixtures::proofs::deterministic();
    let proof = outcome.builds[0].proof.as_mut().unwrap();
    let culprits = proof.culprits.as_mut().unwrap();
    let (file, change) = (culprits.layers[0].files[0].clone(), culprits.config[0].clone());
    culprits.layers.truncate(1);
    culprits.layers[0].files = vec![file; 500];
    culprits.config = vec![change; 500];
    proof.obstacles = vec!["something differs".into(); 500];
    proof.checks = vec![proof.checks[0].clone(); 500];
    let text = summary(&fixtures::document(&outcome));
    for (row, shown) in
        [("`/etc/built`", 60), ("`config.Env.BUILT`", 40), ("- something differs", 40), ("| image digest |", 40)]
    {
        assert_eq!(text.matches(row).count(), shown, "{row}");
    }
    for more in ["440", "460"] {
        assert!(text.contains(&format!("… and {more} more, see `.stagefreight/result.json`")), "{more}");
    }
    assert_eq!(text.matches("the cure for").count(), 1, "of a class, once");
    assert_eq!(text.matches("… and 460 more").count(), 3, "obstacles, configuration and checks");
}

#[test]
fn several_proofs_have_a_verdict_each() {
    let mut outcome = fixtures::proofs::reproducible();
    let mut worker = fixtures::proofs::deterministic().builds.remove(0);
    worker.id = "worker".into();
    outcome.builds.push(worker);
    let text = summary(&fixtures::document(&outcome));
    assert!(text.starts_with("## ✅ Proven: `app` reproducible, `worker` deterministic\n\nPublished"), "{text}");
    assert!(text.contains("### Proof of `app`\n\nReproducible: two cold builds of `app`"), "{text}");
    assert!(text.contains("### Proof of `worker`\n\nDeterministic: two cold builds of `worker`"), "{text}");
}

#[test]
fn a_publication_that_failed_after_the_proof_says_so_first() {
    let mut outcome = fixtures::failing_publish();
    outcome.builds[0].proof = fixtures::proofs::reproducible().builds[0].proof.clone();
    let text = summary(&fixtures::document(&outcome));
    assert!(text.starts_with("## ❌ Not published: `app`\n\nReproducible: two cold builds"), "{text}");
}

#[test]
fn timelines_go_first_when_room_is_short() {
    let mut outcome = fixtures::success();
    let layer = outcome.builds[0].layers[0].clone();
    let build = outcome.builds[0].clone();
    outcome.builds = vec![build; 60];
    outcome.builds.iter_mut().for_each(|b| b.layers = vec![layer.clone(); 300]);
    let text = summary(&Document::new(&outcome));
    assert!(!text.contains("| Step |") && text.contains("### Published") && text.contains("Environment"));
}

const HOSTILE: &[&str] = &[
    "a | b | c",
    "\\| x \\\\| y",
    "`code` ``more`` ```",
    "![beacon](https://evil.example/x.png)",
    "[click](https://evil.example)",
    "<img src=x onerror=alert(1)>",
    "</code></summary></details><script>alert(1)</script>",
    "@everyone look, #1 and acme/app#2",
    "https://evil.example www.evil.example me@evil.example",
    "<https://evil.example>",
    "x\n\n```\n# heading\n| a | b |\n",
    "~~~\n- list\n> quote\n1. one",
    "- item",
    "1. item",
    "=====",
    "a\r\n| row | row |\r",
    "&lt;b&gt; &#96;",
    "[a]: https://evil.example\n[a]",
    "*bold* _it_ __b__ ~~s~~ $x$ $$y$$",
    "\u{202e}drow\u{2028}x",
    "::error::x",
    "`unbalanced",
    "-->",
    "<!-- open",
    "[^1]",
];

#[test]
fn no_known_trick_works_in_a_summary() {
    let calm = shape(&summary(&Document::new(&fixtures::hostile("calm"))));
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/hostile");
    let corpus = std::fs::read_dir(corpus).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let corpus: Vec<String> = corpus.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    for text in HOSTILE.iter().copied().chain(corpus.iter().map(String::as_str)) {
        let rendered = summary(&Document::new(&fixtures::hostile(text)));
        assert_eq!(shape(&rendered), calm, "{text:?}\n{rendered}");
    }
}

fn in_places(text: &str) -> String {
    format!(
        "| a | b |\n| --- | --- |\n| {} | {} |\n\n- {}\n\nx {}\n\n{}\n\n<details>\n<summary>x {} y</summary>\n\n{}\n</details>\n",
        code(text),
        prose(text),
        prose(text),
        code(text),
        prose(text),
        html(text),
        fenced([text]),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn no_text_can_open_anything(text in "([-+=`|<>!\\[\\]()*_~#@&;:/.\\\\\n\r\t 0-9a]|https://|www\\.|</?[a-z]{1,8}>|\\PC){0,24}") {
        let calm = shape(&in_places("calm"));
        let rendered = in_places(&text);
        prop_assert_eq!(shape(&rendered), calm, "{}", rendered);
    }

    #[test]
    fn links_are_only_plain_web_addresses(text in "\\PC{0,40}") {
        if let Some(url) = escape::link(&text) {
            prop_assert!(url.starts_with("http") && !url.contains([' ', ')', '<', '>', '"', '\\']));
        }
    }
}

#[test]
fn nothing_looks_like_a_mention_or_an_address_outside_code() {
    let outside = |text: &str| {
        let rendered = prose(text);
        rendered.split('`').step_by(2).collect::<String>()
    };
    for text in [
        "ask @alice, or (@bob/team).",
        "see https://x.example/a?b=c.",
        "www.evil.example",
        "WWW.evil.example",
        "fixes #12; a#3",
        "mail me@x.example",
    ] {
        let outside = outside(text);
        assert!(
            !outside.contains(['@']) && !outside.contains("://") && !outside.to_lowercase().contains("www."),
            "{outside}"
        );
    }
}

#[test]
fn sentences_stay_readable() {
    assert_eq!(
        prose("target `hub` names the build `ap`: see https://x.example/a, or ask @alice."),
        "target `hub` names the build `ap`: see `https://x.example/a`, or ask `@alice`."
    );
    assert_eq!(prose("2 problems"), "&#50; problems");
    assert_eq!(code(""), "–");
    assert_eq!(code("a|b"), "<code>a&#124;b</code>");
}
