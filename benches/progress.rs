//! Speed of reading progress: the promise is 200 MB/s of rawjson and more, so that a chatty build waits for BuildKit and
//! never for us. Run with `cargo bench --bench progress`; criterion prints MiB/s of input.

use std::hint::black_box;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stagefreight::buildx::event::Progress;
use stagefreight::buildx::progress::layers::Timeline;
use stagefreight::buildx::progress::{Format, Parser};

const SIZE: usize = 16 << 20;
/// What one read of a pipe gives at most.
const CHUNK: usize = 64 * 1024;

/// A build that says `message` again and again.
fn log_heavy(message: &[u8]) -> Vec<u8> {
    let vertex = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let data = BASE64_STANDARD.encode(message);
    let mut stream = format!(
        "{{\"vertexes\":[{{\"digest\":\"{vertex}\",\"name\":\"[2/2] RUN make\",\"started\":\"2026-01-01T00:00:00.123456789Z\"}}]}}\n"
    )
    .into_bytes();
    let line = format!(
        "{{\"logs\":[{{\"vertex\":\"{vertex}\",\"stream\":1,\"data\":\"{data}\",\"timestamp\":\"2026-01-01T00:00:00.123456789Z\"}}]}}\n"
    );
    while stream.len() < SIZE {
        stream.extend_from_slice(line.as_bytes());
    }
    stream
}

/// The same as plain text.
fn plain() -> Vec<u8> {
    let mut stream = b"#5 [2/2] RUN make\n".to_vec();
    while stream.len() < SIZE {
        stream.extend_from_slice(b"#5 12.345 ");
        stream.extend_from_slice(&[b'x'; 99]);
        stream.push(b'\n');
    }
    stream
}

fn read(format: Format, stream: &[u8], out: &mut impl FnMut(Progress)) {
    let mut parser = Parser::new(format);
    for chunk in stream.chunks(CHUNK) {
        parser.push(chunk, out);
    }
    parser.finish(out);
}

fn progress(c: &mut Criterion) {
    let long = log_heavy(&b"a line of output, of which there are many, as compilers write them\n".repeat(480));
    let short = log_heavy(&[&[b'x'; 99][..], b"\n"].concat());
    let capture = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/progress/multi.rawjson"))
        .unwrap_or_default();
    let vertexes = capture.repeat(SIZE / 16 / capture.len().max(1));
    let plain = plain();

    let mut group = c.benchmark_group("progress");
    group.sample_size(10);
    for (name, format, stream) in [
        ("rawjson, messages of 32 KiB", Format::RawJson, &long),
        ("rawjson, messages of 100 bytes", Format::RawJson, &short),
        ("rawjson, vertexes", Format::RawJson, &vertexes),
        ("plain, lines of 100 bytes", Format::Plain, &plain),
    ] {
        group.throughput(Throughput::Bytes(stream.len() as u64));
        group.bench_function(name, |b| b.iter(|| read(format, stream, &mut |p| drop(black_box(p)))));
    }
    group.throughput(Throughput::Bytes(long.len() as u64));
    group.bench_function("rawjson, messages of 32 KiB, remembered", |b| {
        b.iter(|| {
            let mut timeline = Timeline::default();
            read(Format::RawJson, &long, &mut |p| timeline.push(&p));
            timeline.tail()
        });
    });
    group.finish();
}

criterion_group!(benches, progress);
criterion_main!(benches);
