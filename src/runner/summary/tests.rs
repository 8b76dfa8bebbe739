use std::borrow::Cow;

use proptest::prelude::*;

use super::{LIMIT, NOTE, append, cut, fence_after, fit};

#[test]
fn a_summary_that_fits_is_untouched() {
    assert!(matches!(fit("# Built\n", 0), Cow::Borrowed("# Built\n")));
}

#[test]
fn a_long_one_ends_after_a_whole_line_with_a_note() {
    let line = "| a row of a table that goes on and on |\n";
    let text = line.repeat(40_000);
    let cut = fit(&text, 0);
    assert!(cut.ends_with(&format!("on |\n{NOTE}")), "{:?}", &cut[cut.len() - 200..]);
    assert!((LIMIT as usize - cut.len()) < 200, "uses the room there is");
}

#[test]
fn an_open_code_block_is_closed_before_the_note() {
    let text = format!("```\n{}", "log line\n".repeat(200_000));
    assert!(fit(&text, 0).ends_with(&format!("log line\n```\n{NOTE}")));
}

#[test]
fn what_is_open_is_closed_whatever_stands_in_it() {
    let log = "```\nx\n````\n</details>\n".repeat(50);
    let text = format!("# Title\n\n<details>\n<summary>s</summary>\n\n`````text\n{log}`````\n\n</details>\n\n## End\n");
    for limit in NOTE.len()..text.len() {
        let cut = cut(&text, limit, NOTE);
        assert!(cut.len() <= limit, "{limit}: {}", cut.len());
        assert!(cut.ends_with(NOTE), "{cut}");
        let (mut fence, mut folds) = ("", 0);
        for line in cut.lines() {
            fence = fence_after(fence, line);
            folds += i32::from(fence.is_empty() && line == "<details>")
                - i32::from(fence.is_empty() && line == "</details>");
        }
        assert_eq!((fence, folds), ("", 0), "{limit}\n{cut}");
    }
    assert_eq!(fence_after("", "```js x`y\n"), "", "that is a line of text");
    assert_eq!(cut("too long", 3, NOTE), "");
}

#[test]
fn a_full_file_gets_nothing_more() {
    assert_eq!(fit("text", LIMIT), "");
    assert_eq!(fit("text", LIMIT * 2), "");
}

#[test]
fn appends_and_says_when_it_cut() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("summary");
    assert_eq!(append(&path, "# One"), Ok(None));
    assert_eq!(append(&path, "# Two\n"), Ok(None));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# One\n# Two\n");
    assert!(append(&path, &"row\n".repeat(400_000)).unwrap().is_some());
    assert!(append(&path, &"row\n".repeat(400_000)).unwrap().is_some(), "again, into the little room left");
    assert!(std::fs::metadata(&path).unwrap().len() <= LIMIT);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn never_passes_the_limit(line in "\\PC{0,30}", count in 0_usize..60_000, present in 0..=LIMIT) {
        let text = format!("{line}\n").repeat(count);
        prop_assert!(present + fit(&text, present).len() as u64 <= LIMIT.max(present));
    }
}
