use std::path::Path;

use super::*;
use crate::source::tests::support::{commit, git, repository};

/// Only a checkout to ask.
pub(crate) fn of_checkout(checkout: &Path) -> History {
    History {
        checkout: checkout.to_owned(),
        kind: ForgeKind::GitHub,
        forge: None,
        fetch: None,
        cancel: CancellationToken::new(),
        answers: Mutex::default(),
    }
}

fn shallow(of: &Path) -> tempfile::TempDir {
    let part = tempfile::tempdir().unwrap();
    git(part.path(), &["clone", "--quiet", "--depth", "1", &format!("file://{}", of.display()), "."]);
    part
}

fn vars() -> crate::environment::Vars {
    [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/nonexistent")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into_iter()
        .collect()
}

#[tokio::test]
async fn what_a_shallow_checkout_cannot_tell_is_said_with_its_cure() {
    let full = tempfile::tempdir().unwrap();
    repository(full.path());
    let (old, new) = (commit(full.path()), commit(full.path()));
    let part = shallow(full.path());
    for (kind, cure) in [
        (ForgeKind::GitHub, "fetch-depth: 0"),
        (ForgeKind::Forgejo, "fetch-depth: 0"),
        (ForgeKind::GitLab, "GIT_DEPTH: 0"),
        (ForgeKind::Local, "git fetch --unshallow"),
    ] {
        let history = History { kind, ..of_checkout(part.path()) };
        let problem = history.relation(&old, &new).await.unwrap_err();
        let what = problem.what.replace(&old[..7], "OLD").replace(&new[..7], "NEW");
        assert_eq!(what, "whether OLD, which it names, is behind NEW cannot be told: the checkout is shallow");
        let hint = problem.hint.unwrap();
        assert!(hint.contains(cure) && hint.contains("moving_tags: always"), "{hint}");
    }
}

#[tokio::test]
async fn a_shallow_checkout_fetches_what_it_lacks() {
    let full = tempfile::tempdir().unwrap();
    repository(full.path());
    let (old, new) = (commit(full.path()), commit(full.path()));
    let part = shallow(full.path());
    let parent = tempfile::tempdir().unwrap();
    let private = RunDir::create(parent.path()).unwrap();
    let fetch = Fetch::new(part.path(), &vars(), &private);
    let history = History { fetch, ..of_checkout(part.path()) };
    assert_eq!(history.relation(&old, &new).await, Ok(Relation::Earlier));
    assert_eq!(history.relation(&new, &old).await, Ok(Relation::Later));
}

#[tokio::test]
async fn a_question_is_asked_once() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    let (old, new) = (commit(dir.path()), commit(dir.path()));
    let history = of_checkout(dir.path());
    assert_eq!(history.relation(&old, &new).await, Ok(Relation::Earlier));
    // Nobody could tell again.
    std::fs::remove_dir_all(dir.path().join(".git")).unwrap();
    assert_eq!(history.relation(&old, &new).await, Ok(Relation::Earlier));
    assert!(history.relation(&new, &old).await.is_err());
}

#[tokio::test]
async fn a_signal_ends_the_wait_and_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    repository(dir.path());
    let (old, new) = (commit(dir.path()), commit(dir.path()));
    let history = of_checkout(dir.path());
    history.cancel.cancel();
    assert!(history.relation(&old, &new).await.unwrap_err().what.contains("signal"));
    assert!(history.answers.lock().await.is_empty());
}
