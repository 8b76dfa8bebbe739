//! The commands for moving in: `init` and `migrate`.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::init::{self, Forge};
use crate::migrate;

const INIT_EXAMPLES: &str = "Exit codes: 0 done, 1 a file that is there was left alone or could not be written, or the forge could not be told, 2 there is nothing to start from.

Examples:
  stagefreight init --dry-run           what would be written, and why
  stagefreight init                     write it; nothing that is there is written over
  stagefreight init --forge forgejo     where the repository does not tell its forge";

pub(super) fn init_command() -> Command {
    Command::new("init")
        .about("Write a configuration and a workflow for this repository, by looking at it")
        .after_help(INIT_EXAMPLES)
        .arg(
            Arg::new("forge")
                .long("forge")
                .value_name("FORGE")
                .value_parser(Forge::ALL.map(|forge| PossibleValue::new(forge.name())))
                .help("The forge whose workflow is written. Default: told by `origin` and by what is there"),
        )
        .arg(flag("dry-run", "Show what would be written, and write nothing"))
        .arg(flag("force", "Write over files that are there"))
}

pub(super) fn init(matches: &ArgMatches) -> init::Call {
    let name = matches.get_one::<String>("forge");
    init::Call {
        forge: name.and_then(|name| Forge::ALL.into_iter().find(|forge| forge.name() == name)),
        dry_run: matches.get_flag("dry-run"),
        force: matches.get_flag("force"),
    }
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

const MIGRATE_EXAMPLES: &str = "Exit codes: 0 all of it was carried over, 1 somebody has to look at something, 2 there is nothing that could be moved.

Examples:
  stagefreight migrate .github/workflows/docker.yml            what would become of it, line by line
  stagefreight migrate .github/workflows/docker.yml --write    write the workflow and .stagefreight.yml
  stagefreight migrate .gitlab-ci.yml                          jobs that build and push, and do nothing else";

pub(super) fn migrate_command() -> Command {
    Command::new("migrate")
        .about("Turn a workflow that builds with docker's actions (GitLab: docker, buildah, kaniko) into ours, and explain each line")
        .after_help(MIGRATE_EXAMPLES)
        .arg(
            Arg::new("FILE")
                .required(true)
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("A workflow of GitHub, Gitea or Forgejo, or .gitlab-ci.yml"),
        )
        .arg(flag("write", "Write the workflow and .stagefreight.yml; without it nothing is written"))
        .arg(flag("force", "Write over a .stagefreight.yml that is there"))
}

pub(super) fn migrate(matches: &ArgMatches) -> migrate::Call {
    migrate::Call {
        file: matches.get_one::<PathBuf>("FILE").cloned().unwrap_or_default(),
        write: matches.get_flag("write"),
        force: matches.get_flag("force"),
    }
}
