use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::image::fixture::{Entry, Maker, dir, file, gzipped, hardlink, symlink};

struct Made {
    _dir: TempDir,
    layout: Layout,
    image: Descriptor,
}

fn image(layers: &[&[Entry]]) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let maker = Maker::new(dir.path());
    let (layout, image) = maker.finish(&maker.image(&gzipped(layers), &json!({})));
    Made { _dir: dir, layout, image }
}

impl Made {
    fn find(&self, path: &str) -> Option<Found> {
        find(&self.layout, &self.image, path, &CancellationToken::new()).unwrap()
    }

    /// Where it is, what it holds, and in which layer.
    fn told(&self, path: &str) -> String {
        match self.find(path) {
            Some(found) => format!("{} {} {}", found.path, String::from_utf8_lossy(&found.sample), found.layer),
            None => "nothing".to_owned(),
        }
    }
}

/// Three layers with everything that can hide or move a file.
fn crowded() -> Made {
    let base = [
        symlink("bin", "usr/bin"),
        dir("usr/"),
        dir("usr/bin/"),
        file("usr/bin/sh", "sh0"),
        file("usr/bin/tool", "tool0"),
        hardlink("usr/bin/alias", "usr/bin/tool"),
        file("etc/gone", "x"),
        file("etc/emptied/a", "x"),
        file("opt/removed/deep/a", "x"),
        file("srv/replaced/a", "x"),
        symlink("loop", "loop"),
        symlink("a", "/b/c"),
        symlink("out", "../../../usr/bin/sh"),
        symlink("usr/local", "../opt/local"),
        file("opt/local/bin/app", "app0"),
    ];
    let middle = [
        file("usr/bin/tool", "tool1"),
        file("etc/.wh.gone", ""),
        file("etc/emptied/.wh..wh..opq", ""),
        file("etc/emptied/b", "b1"),
        file("opt/.wh.removed", ""),
        file("srv/replaced", "now a file"),
        symlink("b", "d"),
        file("twice", "first"),
        file("twice", "last"),
    ];
    let top = [file("d/c", "c2"), symlink("usr/bin/link", "./tool"), dir("etc/")];
    image(&[&base, &middle, &top])
}

#[rstest]
#[case("/usr/bin/sh", "/usr/bin/sh sh0 0")]
#[case("/bin/sh", "/usr/bin/sh sh0 0")]
#[case("bin/./sh", "/usr/bin/sh sh0 0")]
#[case("/bin/tool", "/usr/bin/tool tool1 1")]
#[case("/bin/link", "/usr/bin/tool tool1 1")]
#[case("/bin/alias", "/usr/bin/alias tool0 0")]
#[case("/etc/gone", "nothing")]
#[case("/etc/emptied/a", "nothing")]
#[case("/etc/emptied/b", "/etc/emptied/b b1 1")]
#[case("/opt/removed/deep/a", "nothing")]
#[case("/srv/replaced/a", "nothing")]
#[case("/srv/replaced", "/srv/replaced now a file 1")]
#[case("/a", "/d/c c2 2")]
#[case("/out", "/usr/bin/sh sh0 0")]
#[case("/../../usr/bin/../bin/sh", "/usr/bin/sh sh0 0")]
#[case("/usr/local/bin/app", "/opt/local/bin/app app0 0")]
#[case("/twice", "/twice last 1")]
#[case("/usr/bin", "nothing")]
#[case("/usr/bin/sh/x", "nothing")]
#[case("/missing", "nothing")]
#[case("/", "nothing")]
fn a_path_is_what_a_container_would_find(#[case] path: &str, #[case] want: &str) {
    assert_eq!(crowded().told(path), want);
}

#[test]
fn several_paths_are_answered_in_order() {
    let made = crowded();
    let found = find_all(&made.layout, &made.image, &["/bin/sh", "/nope", "/a"], &CancellationToken::new()).unwrap();
    let layers: Vec<_> = found.iter().map(|f| f.as_ref().map(|f| f.layer)).collect();
    assert_eq!(layers, [Some(0), None, Some(2)]);
    let sh = found[0].as_ref().unwrap();
    assert_eq!((&sh.sha256, sh.size, sh.mode), (&Digest::of(b"sh0"), 3, 0o644));
}

#[test]
fn circles_are_an_error() {
    let made = crowded();
    let error = find(&made.layout, &made.image, "/loop", &CancellationToken::new()).unwrap_err();
    assert!(matches!(error, FilesError::Links(_)), "{error}");
    let links: Vec<_> = (0..60).map(|n| symlink(&format!("l{n}"), &format!("l{}", n + 1))).collect();
    let made = image(&[&links]);
    let error = find(&made.layout, &made.image, "/l0", &CancellationToken::new()).unwrap_err();
    assert!(matches!(error, FilesError::Links(_)), "{error}");
}

/// What the top layer answers needs nothing below it.
#[test]
fn layers_below_the_answer_are_not_read() {
    let made = image(&[&[file("app", "old")], &[file("app", "new")]]);
    let below = match made.layout.manifest(&made.image).unwrap().children().unwrap() {
        Children::Image { layers, .. } => layers[0].digest.clone(),
        Children::Index(_) => panic!("an index"),
    };
    std::fs::remove_file(made.layout.blob_path(&below)).unwrap();
    assert_eq!(made.told("/app"), "/app new 1");
    let error = find(&made.layout, &made.image, "/other", &CancellationToken::new()).unwrap_err();
    assert!(matches!(error, FilesError::Layer { index: 0, .. }), "{error}");
}

#[test]
fn a_file_is_taken_out_whole_or_not_at_all() {
    use std::os::unix::fs::PermissionsExt as _;
    let made = crowded();
    let dir = tempfile::tempdir().unwrap();
    let (to, cancel) = (dir.path().join("tool"), CancellationToken::new());
    let take = |path: &str, limit| extract(&made.layout, &made.image, path, &to, limit, &cancel);
    assert!(matches!(take("/bin/tool", 4), Err(FilesError::TooLarge { size: 5, limit: 4, .. })));
    assert!(matches!(take("/bin", 100), Err(FilesError::Missing(_))));
    assert!(!to.exists());
    assert_eq!(take("/bin/alias", 100).unwrap().sha256, Digest::of(b"tool0"));
    assert_eq!(std::fs::read(&to).unwrap(), b"tool0");
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::remove_file(&to).unwrap();
    take("/twice", 100).unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), b"last");
}

#[test]
fn nothing_is_overwritten() {
    let made = crowded();
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("there");
    std::fs::write(&to, "mine").unwrap();
    let cancel = CancellationToken::new();
    let error = extract(&made.layout, &made.image, "/bin/sh", &to, 100, &cancel).unwrap_err();
    assert!(matches!(error, FilesError::Write { .. }), "{error}");
    assert_eq!(std::fs::read(&to).unwrap(), b"mine");
}

#[test]
fn an_index_is_no_image_of_one_platform() {
    let dir = tempfile::tempdir().unwrap();
    let maker = Maker::new(dir.path());
    let (layout, root) = maker.finish(&maker.index(&[]));
    let error = find(&layout, &root, "/a", &CancellationToken::new()).unwrap_err();
    assert!(error.to_string().contains("is an index"), "{error}");
}
