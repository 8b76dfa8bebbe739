//! Arguments that more than one command has.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction};

use crate::inputs::{INPUTS, InputKind, InputSpec};

/// Every input that may stand on a command line.
pub(super) fn given() -> impl Iterator<Item = Arg> {
    INPUTS.iter().filter(|spec| !spec.token).map(arg)
}

pub(super) fn arg(spec: &InputSpec) -> Arg {
    let arg = Arg::new(spec.name).long(spec.name).help(spec.help).help_heading(spec.group).value_name(spec.value);
    let arg = match spec.kind {
        InputKind::Bool => {
            arg.num_args(0..=1).require_equals(true).default_missing_value("true").action(ArgAction::Set)
        }
        InputKind::Text => arg.action(ArgAction::Set),
        InputKind::List | InputKind::Lines => arg.action(ArgAction::Append),
    };
    let arg = spec.aliases.iter().fold(arg, |arg, alias| arg.visible_alias(*alias));
    match spec.short {
        Some(short) => arg.short(short),
        None => arg,
    }
}

pub(super) fn format_arg() -> Arg {
    Arg::new("format")
        .long("format")
        .value_parser([PossibleValue::new("text"), PossibleValue::new("json")])
        .default_value("text")
        .help("Text for people, or JSON for programs")
}

pub(super) fn path_arg(name: &'static str) -> Arg {
    Arg::new(name).long(name).required(true).value_name("FILE").value_parser(clap::value_parser!(PathBuf))
}
