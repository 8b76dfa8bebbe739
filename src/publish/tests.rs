use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::build::Candidate;
use crate::config::model::Publish;
use crate::event::Events;
use crate::http::{Clients, HttpSettings};
use crate::outcome::TagFate;
use crate::plan::{Provider, Version};
use crate::publish::forward::{self, Ours};
use crate::registry::HostSettings;

/// An image staged at a registry that has no tag, and never answers to a PUT.
async fn staged_at_a_registry_that_hangs() -> Staged {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut heard = [0; 4096];
                while let Ok(n) = stream.read(&mut heard).await
                    && n > 0
                {
                    if heard.starts_with(b"GET ") {
                        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
                    }
                }
            });
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
        scan: false,
        credentials: None,
    };
    let registry = Registry::new(&host, None, &HostSettings::default(), Clients::new(HttpSettings::default())).unwrap();
    let catalog = Catalog::new(registry, Provider::Generic);
    Staged {
        verified: Verified::waived(candidate, "a test"),
        manifest: Arc::new(manifest),
        places: vec![Place { target, catalog, brought: Vec::new() }],
    }
}

async fn tag_with(cancel: &CancellationToken, staged: &[Staged]) -> Publication {
    let version = Version::default();
    let (publish, history) = (Publish::default(), forward::of_checkout(std::path::Path::new("/nonexistent")));
    let ours = Ours { revision: None, version: &version, release: false };
    let rules = Rules { publish: &publish, ours, history: &history };
    tag(staged, rules, &Events::channel().0, cancel).await
}

#[tokio::test]
async fn a_signal_while_a_tag_is_being_put_is_answered_in_time_and_said() {
    let staged = [staged_at_a_registry_that_hangs().await];
    let cancel = CancellationToken::new();
    let signal = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cancel.cancel();
    };
    let work = async { tokio::join!(tag_with(&cancel, &staged), signal).0 };
    let publication = tokio::time::timeout(Duration::from_secs(10), work).await.unwrap();
    assert!(publication.tags.is_empty());
    assert_eq!(publication.others[0].1.fate, TagFate::Removed, "it was asked for once more, and is not there");
    let said = publication.failure.unwrap().to_string();
    assert!(said.contains("/acme/app:1 was being put when a signal stopped the run"), "{said}");
}

#[tokio::test]
async fn after_a_signal_no_tag_is_begun() {
    let staged = [staged_at_a_registry_that_hangs().await];
    let cancel = CancellationToken::new();
    cancel.cancel();
    let publication = tag_with(&cancel, &staged).await;
    let said = publication.failure.unwrap().to_string();
    assert_eq!(said, "publishing was stopped by a signal; no tag was put");
    assert_eq!(publication.others[0].1.fate, TagFate::Left);
}
