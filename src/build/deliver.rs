//! What becomes of an image that passed the gate and is not published, or not only: into the engine, or to where the user
//! wants the layout. Builds nothing: the bytes are those that were proven.

use super::{Candidate, Content, Workshop, place};
use crate::image::archive::save_archive;
use crate::image::{Layout, reference};
use crate::outcome::BuildOutcome;
use crate::plan::{Output, Step};
use crate::problem::{Failure, FailureKind, Problem};

/// Hands over a proven image; what was done is noted in its outcome. An image built without a proof has been handed over by
/// its build.
///
/// # Errors
/// When the engine or the disk refuses.
pub async fn deliver(
    candidate: &Candidate,
    step: &Step,
    outcome: &mut BuildOutcome,
    shop: Workshop<'_>,
) -> Result<(), Failure> {
    let (Some(_), Content::Layout(layout)) = (&candidate.first, &candidate.content) else { return Ok(()) };
    let mut names = step.also_load.clone();
    if let Output::Load { names: own } = &step.output {
        names.splice(0..0, own.iter().cloned()).for_each(drop);
    }
    if !names.is_empty() {
        load(layout, &names, shop).await?;
        outcome.loaded = names;
    }
    if let Output::Layout { dir } | Output::LoadOrLayout { dir, .. } = &step.output {
        let (layout, to) = (layout.clone(), shop.root.join(dir));
        let placed = tokio::task::spawn_blocking(move || {
            layout.prune().map_err(|e| Failure::new(FailureKind::Report, e.problem()))?;
            place::place(layout.dir(), &to)
        });
        placed.await.map_err(|e| Failure::new(FailureKind::Internal, Problem::new(e.to_string())))??;
        outcome.layout = Some(dir.clone());
    }
    Ok(())
}

async fn load(layout: &Layout, names: &[String], shop: Workshop<'_>) -> Result<(), Failure> {
    let engine = shop.engine.ok_or_else(|| {
        Failure::new(FailureKind::Internal, Problem::new("there is no engine to load into; please file a bug"))
    })?;
    let names: Vec<String> = names.iter().map(|name| reference::full_name(name)).collect();
    let layout = layout.clone();
    let loaded = tokio::select! {
        loaded = engine.load_image(move |sink| save_archive(&layout, &names, sink)) => loaded,
        () = shop.cancel.cancelled() => {
            return Err(Failure::new(FailureKind::Interrupted, Problem::new("loading was stopped by a signal")));
        }
    };
    loaded.map_err(|problem| Failure::new(FailureKind::Backend, problem))
}
