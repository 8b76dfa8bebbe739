//! `stagefreight merge` on the command line: the inputs of `run`, and where the legs are.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::legs::DIRECTORY;

const EXAMPLES: &str =
    "Exit codes: those of `run`. A leg that is missing, there twice, or of another image is 2: nothing is published.

Examples:
  stagefreight run --platform-leg linux/arm64      on an arm64 runner; writes .stagefreight/legs/
  stagefreight merge                               all legs in .stagefreight/legs
  stagefreight merge artifacts --build-id api      all legs of one build below a directory";

pub(super) fn command(inputs: impl IntoIterator<Item = Arg>) -> Command {
    Command::new("merge")
        .about("Make one image of legs that jobs built on their own, and publish it")
        .after_help(EXAMPLES)
        .arg(
            Arg::new("LEGS")
                .value_name("DIR|FILE")
                .num_args(0..)
                .action(ArgAction::Append)
                .value_parser(clap::value_parser!(PathBuf))
                .help(format!("Leg documents, or directories that hold them. Default: {DIRECTORY}")),
        )
        .args(inputs)
}

pub(super) fn legs(matches: &ArgMatches) -> Vec<PathBuf> {
    matches.get_many::<PathBuf>("LEGS").map(|paths| paths.cloned().collect()).unwrap_or_default()
}
