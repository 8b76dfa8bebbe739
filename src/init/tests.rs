//! Tables; whole repositories are looked at in `tests/moving`.

use rstest::rstest;

use super::files::{flow, scalar};
use super::{builds, config};

#[rstest]
#[case("main", "main")]
#[case("a/b-c.d", "a/b-c.d")]
#[case(".", ".")]
#[case("", "\"\"")]
#[case("yes", "\"yes\"")]
#[case("Null", "\"Null\"")]
#[case("1.10", "\"1.10\"")]
#[case("a: b", "\"a: b\"")]
#[case("{version}", "\"{version}\"")]
#[case(r"^v\d+$", r"'^v\d+$'")]
#[case(r"it's\d", r"'it''s\d'")]
#[case("a\"b\\\n\u{1b}", r#""a\"b\\\n\x1b""#)]
fn a_text_is_a_yaml_value_and_the_same_text(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(scalar(text), expected);
    let read: std::collections::BTreeMap<String, String> = serde_saphyr::from_str(&format!("k: {expected}\n")).unwrap();
    assert_eq!(read["k"], text);
    let list: Vec<String> = serde_saphyr::from_str(&flow(&[text, "x"])).unwrap();
    assert_eq!(list, [text, "x"]);
}

#[test]
fn names_of_builds_can_stand_in_the_path_of_an_image() {
    assert_eq!(builds::legal("My_App..v2"), "my-app-v2");
    assert_eq!(builds::legal("--Ünï--"), "n");
    assert_eq!(builds::legal("///"), "");
    assert!(crate::image::Repository::new("localhost", &builds::legal(&"aB_".repeat(100))).is_ok());
}

#[test]
fn a_branch_becomes_a_pattern_for_itself_alone() {
    for name in ["main", "release/1.x", "a+b", "a(b)|c", "x{2}"] {
        let pattern = regex::Regex::new(&format!("^{}$", config::escaped(name))).unwrap();
        assert!(pattern.is_match(name) && !pattern.is_match("release/1yx") && !pattern.is_match("ab"), "{name}");
    }
}
