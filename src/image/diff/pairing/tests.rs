use super::*;

fn record(n: usize, sample: usize) -> Record {
    Record {
        path: format!("some/directory/of/an/image/file-{n:08}").into_bytes().into(),
        kind: Kind::File,
        size: 1,
        sha256: [1; 32],
        mode: 0o644,
        uid: 0,
        gid: 0,
        owner_names: Box::default(),
        mtime: 0,
        nanos: 0,
        link: Box::default(),
        attributes: Vec::new(),
        sample: vec![b'x'; sample],
    }
}

/// Entries that never meet their twins, until it is too much.
fn fill(sample: usize) -> (usize, Pairing) {
    let (mut kept, mut pairing) = (0, Pairing::default());
    let mut listing = Listing::begin(None).unwrap();
    let mut found = Found { listing: &mut listing, kept: &mut kept, changes: Vec::new(), total: 0 };
    for n in 0..1_000_000 {
        if pairing.take(Side::A, record(n, sample), &mut found).unwrap().is_err() {
            return (n, pairing);
        }
    }
    panic!("nothing bounds what waits");
}

#[test]
fn what_waits_is_bounded() {
    let (with, pairing) = fill(4096);
    assert!(with > 5_000, "{with}");
    assert!(pairing.a.bytes < MAX_WAITING + 10_000);
    let (without, _) = fill(0);
    assert!(without > 15_000, "{without}");
}

#[test]
fn what_waited_is_given_back() {
    let (mut kept, mut pairing) = (0, Pairing::default());
    let mut listing = Listing::begin(None).unwrap();
    let mut found = Found { listing: &mut listing, kept: &mut kept, changes: Vec::new(), total: 0 };
    for round in 0..3 {
        for side in [Side::A, Side::B] {
            for n in 0..10_000 {
                let twice = record(n / 2, 10);
                assert!(pairing.take(side, twice, &mut found).unwrap().is_ok(), "round {round}");
            }
        }
    }
    assert_eq!((pairing.a.bytes, pairing.b.bytes, found.total), (0, 0, 0));
    assert!(!pairing.order);
}

#[test]
fn what_is_kept_is_bounded() {
    let (mut kept, mut total) = (0, 0);
    for _ in 0..100 {
        let (mut pairing, mut listing) = (Pairing::default(), Listing::begin(None).unwrap());
        let mut found = Found { listing: &mut listing, kept: &mut kept, changes: Vec::new(), total: 0 };
        pairing.end(Side::B, &mut found).unwrap();
        for n in 0..MAX_CHANGES {
            assert!(pairing.take(Side::A, record(n, 4096), &mut found).unwrap().is_ok());
        }
        total += found.changes.len();
    }
    assert!(kept < MAX_KEPT + 10_000, "{kept}");
    assert!(total > 1000, "{total}");
}
