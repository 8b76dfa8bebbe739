//! Times and caches, from the run's own types to those of the document.

use super::{CacheSource, Layer, PhaseSpan, seconds};
use crate::buildx::event;
use crate::event::{Phase, Span};
use crate::outcome::BuildOutcome;
use crate::report::document;

pub(super) fn span(span: &Span) -> PhaseSpan {
    PhaseSpan {
        phase: match span.phase {
            Phase::Builder => document::Phase::Builder,
            Phase::Build => document::Phase::Build,
            Phase::Prove => document::Phase::Prove,
            Phase::Stage => document::Phase::Stage,
            Phase::Sign => document::Phase::Sign,
            Phase::Tag => document::Phase::Tag,
            Phase::Retention => document::Phase::Retention,
        },
        build: span.build.clone(),
        start: seconds(span.began.as_secs_f64()),
        seconds: seconds(span.took.as_secs_f64()),
        ok: span.went_well,
    }
}

/// BuildKit's clock may be another machine's: its times only count from the first step of the build, and that from ours.
pub(super) fn layers(build: &BuildOutcome, phases: &[Span]) -> Vec<Layer> {
    let mut of_build = phases.iter().filter(|span| span.phase == Phase::Build);
    let began = of_build.find(|span| span.build.as_deref() == Some(&build.id)).map(|span| span.began.as_secs_f64());
    build.layers.iter().map(|layer| self::layer(layer, began)).collect()
}

fn layer(layer: &event::Layer, build_began: Option<f64>) -> Layer {
    Layer {
        stage: layer.stage.clone(),
        platform: layer.platform.clone(),
        index: layer.index,
        total: layer.total,
        instruction: layer.instruction.clone(),
        detail: layer.detail.clone(),
        base_image: layer.base_image.clone(),
        cached: layer.cached,
        seconds: seconds(layer.seconds),
        start: layer.start.zip(build_began).map(|(start, began)| seconds(began + start)),
    }
}

pub(super) fn cache_source(source: &event::CacheSource) -> CacheSource {
    let why = Some(source.error.clone()).filter(|why| !why.is_empty());
    CacheSource { name: source.name.clone(), read: why.is_none(), why }
}
