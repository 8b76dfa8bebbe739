use tokio::io::AsyncReadExt as _;

use super::*;
use crate::build::Candidate;
use crate::http::{Clients, HttpSettings};
use crate::plan::Provider;
use crate::registry::HostSettings;

/// An image staged at a registry that takes requests and never answers.
async fn staged_at_a_silent_registry() -> Staged {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move { while stream.read(&mut [0; 1024]).await.is_ok_and(|n| n > 0) {} });
        }
    });
    let manifest = Manifest::new(br#"{"schemaVersion":2,"manifests":[]}"#[..].into(), "").unwrap();
    let candidate = Candidate {
        build: "app".into(),
        digest: manifest.digest.clone(),
        content: Content::Pushed { targets: vec![] },
        first: None,
    };
    let target = TargetPlan {
        id: "main".into(),
        repository: format!("{host}/acme/app").parse().unwrap(),
        provider: Provider::Generic,
        tags: vec!["1".parse().unwrap()],
        moving: Vec::new(),
        credentials: None,
    };
    let registry = Registry::new(&host, None, &HostSettings::default(), Clients::new(HttpSettings::default())).unwrap();
    Staged {
        verified: Verified::waived(candidate, "a test"),
        manifest: Arc::new(manifest),
        places: vec![(target, registry)],
    }
}

#[tokio::test]
async fn a_signal_while_a_tag_is_being_put_is_answered_in_time_and_said() {
    let staged = [staged_at_a_silent_registry().await];
    let (events, mut log) = Events::channel();
    let cancel = CancellationToken::new();
    let signal = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
    };
    let work = async { tokio::join!(tag(&staged, &events, &cancel), signal).0 };
    let publication = tokio::time::timeout(Duration::from_millis(1200), work).await.unwrap();
    assert!(publication.tags.is_empty());
    let said = publication.failure.unwrap().to_string();
    assert!(said.contains("/acme/app:1 was being put when a signal stopped the run: it may stand or not"), "{said}");
    assert!(log.try_recv().is_err());
}

#[tokio::test]
async fn after_a_signal_no_tag_is_begun() {
    let staged = [staged_at_a_silent_registry().await];
    let cancel = CancellationToken::new();
    cancel.cancel();
    let publication = tag(&staged, &Events::channel().0, &cancel).await;
    let said = publication.failure.unwrap().to_string();
    assert_eq!(said, "stopped by a signal before 1 of the tags were put");
}
