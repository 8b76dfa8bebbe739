//! What an image says when it is asked for its version: a command run in it by BuildKit, without network, on any backend and
//! without an engine. Judges nothing.

use std::path::Path;

use crate::build::Workshop;
use crate::buildx::argv::csv_record;
use crate::buildx::event::Progress;
use crate::buildx::progress::Parser;
use crate::image::{Digest, Layout};
use crate::problem::Problem;
use crate::process;

/// The largest answer that is kept, in bytes.
const LIMIT: usize = 64 << 10;
/// What our only command's vertex is called, as BuildKit names it.
const COMMAND: &str = "] RUN ";

/// Runs a command in an image and returns what it printed to standard output.
///
/// # Errors
/// Why there is no answer, in one sentence.
pub(super) async fn ask(
    command: &[String],
    (layout, digest): (&Layout, &Digest),
    platform: &str,
    dir: &Path,
    shop: Workshop<'_>,
) -> Result<String, Problem> {
    let dockerfile = dir.join("Dockerfile");
    let argv = serde_json::to_string(command).unwrap_or_default();
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&dockerfile, format!("FROM image\nRUN --network=none {argv}\n")));
    written.map_err(|e| Problem::new(format!("the question cannot be written down: {e}")))?;
    let spec = shop.buildx.call(question(shop, &dockerfile, layout, digest, platform, dir));
    let mut parser = Parser::new(shop.format);
    let mut answer = Answer::default();
    let streamed =
        process::stream(&spec, shop.cancel, async |chunk| parser.push(chunk, &mut |piece| answer.take(piece)));
    let status = streamed.await.map_err(|e| Problem::new(e.to_string()))?;
    parser.finish(&mut |piece| answer.take(piece));
    let printed = String::from_utf8_lossy(&answer.printed).trim_end().to_owned();
    if !status.success() {
        let last = answer.trailer.unwrap_or_else(|| status.to_string());
        return Err(Problem::new(format!("the version command failed in the image: {last}")));
    }
    if printed.is_empty() {
        return Err(Problem::new("the version command printed nothing"));
    }
    Ok(printed)
}

/// The call of buildx.
fn question(
    shop: Workshop<'_>,
    dockerfile: &Path,
    layout: &Layout,
    digest: &Digest,
    platform: &str,
    dir: &Path,
) -> Vec<String> {
    let image = format!("image=oci-layout://{}@{digest}", layout.dir().display());
    let mut argv: Vec<String> =
        ["build", "--builder", &shop.builder.name, "--progress", shop.format.flag()].map(str::to_owned).to_vec();
    argv.extend(["--file".to_owned(), dockerfile.display().to_string()]);
    if !platform.is_empty() {
        argv.extend(["--platform".to_owned(), platform.to_owned()]);
    }
    argv.extend(["--build-context".to_owned(), image]);
    argv.extend(["--no-cache", "--provenance=false", "--sbom=false"].map(str::to_owned));
    // Nothing is made of the result.
    argv.extend(["--output".to_owned(), csv_record(&["type=cacheonly".to_owned()])]);
    argv.extend(["--".to_owned(), dir.display().to_string()]);
    argv
}

/// What comes out of the command.
#[derive(Default)]
struct Answer {
    vertex: Option<String>,
    printed: Vec<u8>,
    trailer: Option<String>,
}

impl Answer {
    fn take(&mut self, piece: Progress) {
        match piece {
            Progress::Vertex(vertex) if vertex.name.contains(COMMAND) => self.vertex = Some(vertex.digest),
            Progress::Log { vertex, stderr: false, data } if self.vertex.as_ref() == Some(&vertex) => {
                let room = LIMIT.saturating_sub(self.printed.len());
                self.printed.extend_from_slice(&data[..data.len().min(room)]);
            }
            Progress::Trailer(line) if line.starts_with("ERROR:") => {
                self.trailer = Some(line.chars().take(300).collect())
            }
            _ => {}
        }
    }
}
