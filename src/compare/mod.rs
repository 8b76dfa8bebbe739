//! `stagefreight diff`: two images from anywhere, compared, from the outside: opens them, compares, prints, gives the exit code.
//!
//! Decides nothing about images: `image::diff` does. Needs no configuration and no run; leaves nothing behind.

mod document;
mod open;
mod source;
mod text;

use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use self::document::{Document, Named};
use self::open::{Opened, Opener, problem};
use self::source::Source;
use crate::access::Visitor;
use crate::cli::Format;
use crate::crucible::culprit;
use crate::environment::Environment;
use crate::image::diff::{DiffError, ImageDiff, diff};
use crate::problem::Problem;
use crate::run::question;
use crate::rundir::RunDir;

/// What was asked on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The first image, as written.
    pub a: String,
    /// The second.
    pub b: String,
    /// How to print the result.
    pub format: Format,
    /// Where every change goes.
    pub listing: Option<PathBuf>,
}

/// Compares. Returns the exit code: 0 they hold the same, 1 they differ, 2 it could not be told, 130 or 143 after a signal.
pub fn run(env: &Environment, call: &Call) -> u8 {
    question::answer(env, "the comparison", async |run, cancel| {
        let (text, same) = compare(env, call, run, cancel).await?;
        Ok((text, u8::from(!same)))
    })
}

/// What to print, and whether both hold the same.
async fn compare(
    env: &Environment,
    call: &Call,
    run: &RunDir,
    cancel: &CancellationToken,
) -> Result<(String, bool), Problem> {
    let (a, b) = (Source::parse(&call.a, &env.cwd)?, Source::parse(&call.b, &env.cwd)?);
    let listing = call.listing.as_ref().map(|path| env.cwd.join(path));
    let listing = listing.map(Listing::begin).transpose()?;
    let visitor = Visitor::new(env, cancel)?;
    let opening = Opener { env, run, visitor: &visitor, cancel };
    let (a, b) = tokio::select! {
        opened = opening.both(&a, &b) => opened?,
        // Whoever still unpacks an archive hears of it, too, and is waited for by the runtime.
        () = cancel.cancelled() => return Err(Problem::new("stopped")),
    };
    let (named, cancel) = ([call.a.clone(), call.b.clone()], cancel.clone());
    let format = call.format;
    let blocking = move || {
        let diff = read(&a, &b, listing, &cancel).map_err(|error| match error {
            Trouble::Diff(error) => problem(error),
            Trouble::Listing(problem) => problem,
        })?;
        let images =
            [Named { name: &named[0], digest: &a.root.digest }, Named { name: &named[1], digest: &b.root.digest }];
        let culprits = culprit::explain(&diff, None, &[]);
        let text = match format {
            Format::Text => text::render(images, &diff, &culprits),
            Format::Json => serde_json::to_string_pretty(&Document::new(images, &diff, &culprits))
                .map(|text| text + "\n")
                .map_err(|e| Problem::new(e.to_string()))?,
        };
        Ok((text, diff.same_content()))
    };
    let joined = tokio::task::spawn_blocking(blocking).await;
    joined.unwrap_or_else(|e| Err(Problem::new(format!("the comparison failed: {e}"))))
}

enum Trouble {
    Diff(DiffError),
    Listing(Problem),
}

fn read(a: &Opened, b: &Opened, listing: Option<Listing>, cancel: &CancellationToken) -> Result<ImageDiff, Trouble> {
    let Some(mut listing) = listing else {
        return diff(a.image(), b.image(), None, cancel).map_err(Trouble::Diff);
    };
    let found = diff(a.image(), b.image(), Some(&mut listing.file), cancel).map_err(Trouble::Diff)?;
    listing.end().map_err(Trouble::Listing)?;
    Ok(found)
}

/// The file of the full listing: it has its name when it is whole.
struct Listing {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Listing {
    fn begin(path: PathBuf) -> Result<Self, Problem> {
        let dir = path.parent().unwrap_or(Path::new("/"));
        let readable = std::fs::Permissions::from_mode(0o644);
        let file = tempfile::Builder::new().prefix(".stagefreight-diff-").permissions(readable).tempfile_in(dir);
        match file {
            Ok(file) => Ok(Self { path, file: BufWriter::new(file) }),
            Err(error) => Err(unwritable(&path, &error)),
        }
    }

    fn end(self) -> Result<(), Problem> {
        let Self { path, file } = self;
        let file = file.into_inner().map_err(|e| unwritable(&path, e.error()))?;
        file.persist(&path).map(drop).map_err(|e| unwritable(&path, &e.error))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(format!("the listing {} cannot be written: {error}", path.display()))
        .hint("Check the directory, its permissions and the space left.")
}
