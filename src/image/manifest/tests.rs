use super::*;

fn manifest(json: serde_json::Value) -> Manifest {
    Manifest::new(Bytes::from(json.to_string()), "").unwrap()
}

fn blob(n: u64) -> serde_json::Value {
    serde_json::json!({"mediaType": "x", "digest": Digest::of(&n.to_le_bytes()), "size": n})
}

fn image(config: u64, layers: &[u64]) -> Manifest {
    let layers: Vec<_> = layers.iter().map(|n| blob(*n)).collect();
    manifest(serde_json::json!({"schemaVersion": 2, "config": blob(config), "layers": layers}))
}

fn index(children: &[&Manifest]) -> Manifest {
    let children: Vec<_> = children.iter().map(|m| m.descriptor()).collect();
    manifest(serde_json::json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}))
}

fn walk(root: &Manifest, all: &[&Manifest]) -> Result<Content, BadManifest> {
    let mut walk = Walk::new(root.descriptor());
    while let Some(wanted) = walk.wants() {
        let found = all.iter().find(|m| m.digest == wanted.digest).expect("asked for something unheard of");
        walk.feed((*found).clone())?;
    }
    Ok(walk.finish())
}

#[test]
fn children_come_before_every_parent_and_everything_once() {
    let (a, b) = (image(1, &[2, 3]), image(4, &[2, 5]));
    let inner = index(&[&b]);
    // `b` is below the root twice: directly, and inside `inner`, which is visited first.
    let root = index(&[&inner, &b, &a, &a]);
    let found = walk(&root, &[&a, &b, &inner, &root]).unwrap();

    let order: Vec<_> = found.manifests.iter().map(|m| m.digest.clone()).collect();
    assert_eq!(order, [&b, &inner, &a, &root].map(|m| m.digest.clone()));
    let sizes: Vec<_> = found.blobs.iter().map(|d| d.size).collect();
    assert_eq!(sizes, [4, 2, 5, 1, 3]);
}

#[test]
fn foreign_layers_stay_where_they_are() {
    let foreign = serde_json::json!({
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": Digest::of(b"windows"), "size": 9, "urls": ["https://elsewhere.example/layer"]
    });
    let root = manifest(serde_json::json!({"schemaVersion": 2, "config": blob(1), "layers": [foreign, blob(2)]}));
    assert_eq!(walk(&root, &[&root]).unwrap().blobs.iter().map(|d| d.size).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn hostile_manifests_end_in_an_error() {
    for (text, expected) in [
        ("", "not a manifest: EOF"),
        ("[]", "not a manifest:"),
        ("{}", "not a manifest: missing field `schemaVersion`"),
        (r#"{"schemaVersion":1,"fsLayers":[]}"#, "schema version 1 is not supported"),
        (r#"{"schemaVersion":2}"#, "neither `manifests` nor `config`"),
        (r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:zz","size":1}]}"#, "is not a digest"),
        (r#"{"schemaVersion":2,"manifests":[{"digest":"md5:00","size":-1}]}"#, "not a manifest:"),
        (r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#, "ambiguous"),
    ] {
        let error = children(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!(matches!(children(&vec![b' '; MAX_MANIFEST + 1]), Err(BadManifest::TooLarge(_))));
    let deep = "[".repeat(100_000);
    assert!(children(deep.as_bytes()).is_err());
}

#[test]
fn too_deep_too_many_or_not_the_one_asked_for_is_refused() {
    let leaf = image(1, &[]);
    let mut tower = vec![leaf.clone()];
    for _ in 0..MAX_DEPTH {
        tower.push(index(&[tower.last().unwrap()]));
    }
    let all: Vec<_> = tower.iter().collect();
    assert!(matches!(walk(tower.last().unwrap(), &all), Err(BadManifest::TooLarge(_))));
    assert!(walk(&tower[MAX_DEPTH - 1], &all).is_ok());

    let many: Vec<_> = (0..600).map(|n| image(n, &[])).collect();
    let wide = index(&many.iter().collect::<Vec<_>>());
    assert!(matches!(walk(&wide, &[&wide]), Err(BadManifest::TooLarge("more than 512 manifests"))));

    let mut swapped = Walk::new(leaf.descriptor());
    assert!(swapped.wants().is_some());
    assert!(matches!(swapped.feed(image(2, &[])), Err(BadManifest::Digest { .. })));
}

#[test]
fn the_media_type_is_the_given_one_or_the_declared_one_or_the_obvious_one() {
    let bytes = Bytes::from_static(br#"{"schemaVersion":2,"mediaType":"a/b","manifests":[]}"#);
    assert_eq!(Manifest::new(bytes.clone(), "c/d").unwrap().media_type, "c/d");
    assert_eq!(Manifest::new(bytes, "").unwrap().media_type, "a/b");
    assert_eq!(image(1, &[]).media_type, OCI_MANIFEST);
}
