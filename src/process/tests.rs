use super::*;

fn sh(script: &str) -> Spec {
    Spec::new("/bin/sh", vec!["-c".into(), script.into()], BTreeMap::new(), Path::new("/"))
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn output_input_and_exit_are_handed_over() {
    let token = CancellationToken::new();
    let got = capture(&sh("cat; echo err >&2"), b"in", LONG, &token).await.unwrap();
    assert_eq!((got.stdout.as_slice(), got.stderr.as_slice()), (&b"in"[..], &b"err\n"[..]));
    let error = capture(&sh("echo no >&2; exit 7"), b"", LONG, &token).await.unwrap_err().to_string();
    assert_eq!(error, "sh -c 'echo no >&2; exit 7' ended with exit status: 7: no");
    let missing = Spec::new("/no/such", vec![], BTreeMap::new(), Path::new("/"));
    assert!(matches!(capture(&missing, b"", LONG, &token).await, Err(ProcessError::Start { .. })));
}

#[tokio::test]
async fn a_child_sees_only_the_environment_it_was_given() {
    let mut spec = sh("env");
    spec.env.insert("ONLY".into(), "this".into());
    let got = capture(&spec, b"", LONG, &CancellationToken::new()).await.unwrap();
    let text = String::from_utf8(got.stdout).unwrap();
    assert!(text.contains("ONLY=this") && !text.contains("CARGO"), "{text}");
}

#[tokio::test]
async fn cancellation_ends_the_whole_group_even_if_it_ignores_terms() {
    let dir = tempfile::tempdir().unwrap();
    let pidfile = dir.path().join("pid");
    let script = format!(
        "trap '' TERM; (trap '' TERM; echo $BASHPID >/dev/null; sleep 60) & echo $! > {}; wait",
        pidfile.display()
    );
    let token = CancellationToken::new();
    let mut spec = sh(&script);
    spec.env.insert("PATH".into(), "/usr/bin:/bin".into());
    let started = std::time::Instant::now();
    let (ended, ()) = tokio::join!(stream(&spec, &token, async |_| {}), cancel_when_written(&pidfile, &token));
    assert!(matches!(ended, Err(ProcessError::Cancelled { .. })));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_gone(&pidfile);
}

#[tokio::test]
async fn every_wait_has_a_bound() {
    let ended = capture(&sh("while :; do :; done"), b"", Duration::from_millis(200), &CancellationToken::new()).await;
    assert!(matches!(ended, Err(ProcessError::TimedOut { .. })), "{ended:?}");
}

#[tokio::test]
async fn a_leader_that_ends_politely_takes_its_group_along() {
    let dir = tempfile::tempdir().unwrap();
    let pidfile = dir.path().join("pid");
    let script = format!("(trap '' TERM; exec sleep 60 2>/dev/null) & echo $! > {}; wait", pidfile.display());
    let token = CancellationToken::new();
    let mut spec = sh(&script);
    spec.env.insert("PATH".into(), "/usr/bin:/bin".into());
    let (ended, ()) = tokio::join!(stream(&spec, &token, async |_| {}), cancel_when_written(&pidfile, &token));
    assert!(matches!(ended, Err(ProcessError::Cancelled { .. })));
    assert_gone(&pidfile);
}

#[tokio::test]
async fn dropping_the_call_ends_the_group() {
    let dir = tempfile::tempdir().unwrap();
    let pidfile = dir.path().join("pid");
    let mut spec = sh(&format!("sleep 60 & echo $! > {}; wait", pidfile.display()));
    spec.env.insert("PATH".into(), "/usr/bin:/bin".into());
    let (token, written) = (CancellationToken::new(), CancellationToken::new());
    tokio::select! {
        _ = stream(&spec, &token, async |_| {}) => panic!("it ended by itself"),
        () = cancel_when_written(&pidfile, &written) => {}
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_gone(&pidfile);
}

#[tokio::test]
async fn what_a_child_leaves_behind_cannot_hold_us_up() {
    let mut spec = sh("sleep 60 & echo last words >&2; exit 3");
    spec.env.insert("PATH".into(), "/usr/bin:/bin".into());
    let mut heard = Vec::new();
    let started = std::time::Instant::now();
    let ended = stream(&spec, &CancellationToken::new(), async |piece| heard.extend_from_slice(piece)).await;
    assert_eq!(ended.unwrap().code(), Some(3));
    assert_eq!(heard, b"last words\n");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn values_of_variables_are_not_shown() {
    let mut spec = sh("true");
    spec.env.insert("ACME_TOKEN".into(), "hunter2".into());
    let shown = format!("{spec:?}");
    assert!(shown.contains("ACME_TOKEN") && !shown.contains("hunter2"), "{shown}");
}

async fn cancel_when_written(file: &Path, token: &CancellationToken) {
    while std::fs::read_to_string(file).map_or(true, |s| !s.ends_with('\n')) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    token.cancel();
}

/// A killed process ends a moment after the signal; a zombie has ended.
fn assert_gone(pidfile: &Path) {
    let pid = std::fs::read_to_string(pidfile).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let runs = || !state().is_empty() && !state().contains(") Z ");
    for _ in 0..100 {
        if !runs() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("grandchild still runs: {}", state());
}
