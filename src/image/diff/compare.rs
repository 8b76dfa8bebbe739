//! Two layers, read side by side in two threads, entry by entry.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use tokio_util::sync::CancellationToken;

use super::pairing::{Found, Pairing, Side};
use super::{DiffError, SAMPLE};
use crate::image::layer::{Layer, Record, Sums, Unreadable, Watch};
use crate::image::{Descriptor, Digest, Layout};

/// Entries handed over at a time; fewer where they are large.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 64 << 10;
/// Batches that may wait to be looked at.
const QUEUE: usize = 4;

/// A layer of one side.
#[derive(Clone, Copy)]
pub(super) struct Blob<'a> {
    pub(super) layout: &'a Layout,
    pub(super) blob: &'a Descriptor,
    /// What the config says it holds.
    pub(super) diff_id: Option<&'a Digest>,
}

/// What ends reading early, and where bytes are counted.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) cancel: &'a CancellationToken,
    pub(super) bytes_read: &'a AtomicU64,
}

/// How a comparison went; what differs is in [`Found`].
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) order: bool,
    pub(super) incomplete: Option<String>,
}

enum Piece {
    Entries(Vec<Record>),
    End(Result<(), Unreadable>),
}

/// Compares what two layers hold; a side that is not there holds nothing.
pub(super) fn compare(
    a: Option<Blob<'_>>,
    b: Option<Blob<'_>>,
    found: &mut Found<'_, '_>,
    limits: Limits<'_>,
) -> Result<Compared, DiffError> {
    let stop = AtomicBool::new(false);
    let watch = Watch { cancel: limits.cancel, stop: &stop, bytes_read: limits.bytes_read };
    std::thread::scope(|scope| {
        let result = start(scope, a, watch)
            .and_then(|left| Ok((left, start(scope, b, watch)?)))
            .map_err(DiffError::Thread)
            .and_then(|(left, right)| pair(&left, &right, found));
        // Whoever still reads reads for nobody.
        stop.store(true, Ordering::Relaxed);
        if limits.cancel.is_cancelled() { Err(DiffError::Cancelled) } else { result }
    })
}

fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    blob: Option<Blob<'env>>,
    watch: Watch<'env>,
) -> std::io::Result<Receiver<Piece>> {
    let (sender, receiver) = sync_channel(QUEUE);
    std::thread::Builder::new().name("layer".to_owned()).spawn_scoped(scope, move || {
        let work = || blob.map_or(Ok(()), |blob| produce(blob, watch, &sender));
        // A decoder that panics on hostile bytes has found damage.
        let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let end = end.unwrap_or_else(|_| Err(Unreadable::Damaged("its reader failed".to_owned())));
        // Nobody listens any more when the comparison has ended for another reason.
        let _ = sender.send(Piece::End(end));
    })?;
    Ok(receiver)
}

fn produce(blob: Blob<'_>, watch: Watch<'_>, sender: &SyncSender<Piece>) -> Result<(), Unreadable> {
    let mut layer = Layer::open(blob.layout, blob.blob, watch)?;
    let (mut batch, mut bytes) = (Vec::with_capacity(BATCH), 0);
    loop {
        let next = layer.next_entry()?;
        if batch.len() == BATCH || bytes >= BATCH_BYTES || (next.is_none() && !batch.is_empty()) {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            bytes = 0;
            sender.send(Piece::Entries(full)).map_err(|_| Unreadable::Stopped)?;
        }
        let Some(mut record) = next else { break };
        layer.read_into(&mut record, SAMPLE)?;
        bytes += record.cost();
        batch.push(*record);
    }
    let Sums { diff_id } = layer.finish()?;
    match blob.diff_id {
        Some(named) if *named != diff_id => {
            Err(Unreadable::Damaged(format!("the config says that it holds {named}, and it holds {diff_id}")))
        }
        _ => Ok(()),
    }
}

fn pair(a: &Receiver<Piece>, b: &Receiver<Piece>, found: &mut Found<'_, '_>) -> Result<Compared, DiffError> {
    let mut pairing = Pairing::default();
    let mut incomplete = None;
    'reading: while let Some(side) = pairing.wants() {
        let piece = match side {
            Side::A => a.recv(),
            Side::B => b.recv(),
        };
        // A thread never goes without a word.
        match piece.unwrap_or(Piece::End(Err(Unreadable::Damaged("its reader failed".to_owned())))) {
            Piece::Entries(entries) => {
                for record in entries {
                    if pairing.take(side, record, found)?.is_err() {
                        incomplete = Some(
                            "The layers have so few entries in common, or in so different an order, that not all of them could be matched."
                                .to_owned(),
                        );
                        break 'reading;
                    }
                }
            }
            Piece::End(Ok(())) => pairing.end(side, found)?,
            Piece::End(Err(why)) => {
                let which = if side == Side::A { "first" } else { "second" };
                incomplete = Some(format!("The layer of the {which} image could not be read to its end: {why}."));
                break 'reading;
            }
        }
    }
    Ok(Compared { order: pairing.order, incomplete })
}
