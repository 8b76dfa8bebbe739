//! Hostile progress: both parsers, cut into chunks by the input itself, remembered and explained as a failure.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagefreight::buildx::progress::layers::Timeline;
use stagefreight::buildx::progress::{Format, MAX_LOG_PIECE, Parser};
use stagefreight::buildx::{errors, event::Progress, inspect, metadata};

fuzz_target!(|input: (u16, &[u8])| {
    let (step, bytes) = input;
    for format in [Format::RawJson, Format::Plain] {
        let mut timeline = Timeline::default();
        let mut keep = |progress: Progress| {
            if let Progress::Log { data, .. } = &progress {
                assert!(data.len() <= MAX_LOG_PIECE);
            }
            timeline.push(&progress);
        };
        let mut parser = Parser::new(format);
        for chunk in bytes.chunks(usize::from(step).max(1)) {
            parser.push(chunk, &mut keep);
        }
        parser.finish(&mut keep);
        let _ = (timeline.layers(), timeline.live());
        let failure = errors::explain(&timeline.evidence());
        assert!(!failure.tail.is_empty());
        assert!(failure.errors.len() <= errors::MAX_ERRORS);
        let _ = errors::problem(&failure);
    }
    let _ = metadata::parse(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = inspect::parse_inspect(text);
    }
});
