//! The command line: what can be called, and one library call for each. Inputs come from the one table in `inputs`.

mod args;
mod merge;
mod moving;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Command};

use self::args::{arg, format_arg, given, path_arg};
use crate::compare;
use crate::init;
use crate::inputs::INPUTS;
use crate::migrate;
use crate::plan::TrustLevel;
use crate::retention;
use crate::verify::{self, Believe};

/// What was called.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// `run`: the CI job. Flags by input name.
    Run(Flags),
    /// `merge`: the CI job that puts legs together, and where they are.
    Merge(Flags, Vec<PathBuf>),
    /// `plan`.
    Plan(Flags, Format),
    /// `doctor`.
    Doctor(Flags, Format),
    /// `diff`.
    Diff(compare::Call),
    /// `retention`.
    Retention(retention::command::Call),
    /// `verify`.
    Verify(verify::Call),
    /// `init`.
    Init(init::Call),
    /// `migrate`.
    Migrate(migrate::Call),
    /// `schema`.
    Schema(SchemaOf),
    /// `completions`.
    Completions(clap_complete::Shell),
    /// `version`.
    Version(Format),
    /// `crucible-pass`: for processes of our own.
    CruciblePass {
        /// What to do.
        handover: PathBuf,
        /// Where the answer goes.
        result: PathBuf,
    },
}

/// Values of the flags that were given, by input name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flags(Vec<(&'static str, Vec<String>)>);

/// Text for people or JSON for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What `schema` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaOf {
    /// JSON Schema of the configuration file.
    Config,
    /// The same as a reference for people.
    ConfigReference,
    /// JSON Schema of `.stagefreight/result.json`.
    Result,
}

impl Flags {
    /// The values of a flag, or `None` if it was not given.
    pub fn get(&self, name: &str) -> Option<Vec<String>> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, values)| values.clone())
    }
}

/// Reads a command line.
///
/// # Errors
/// clap's own, which print themselves; `--help` and `--version` are among them.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Call, clap::Error> {
    // The action's input `command`, where an expression left it empty.
    let args =
        args.into_iter().enumerate().map(|(n, word)| if n == 1 && word.is_empty() { "run".into() } else { word });
    let matches = command().try_get_matches_from(args)?;
    Ok(match matches.subcommand() {
        Some(("merge", sub)) => Call::Merge(flags(sub), merge::legs(sub)),
        Some(("plan", sub)) => Call::Plan(flags(sub), format(sub)),
        Some(("doctor", sub)) => Call::Doctor(flags(sub), format(sub)),
        Some(("diff", sub)) => Call::Diff(diff(sub)),
        Some(("retention", sub)) => Call::Retention(retention(sub)),
        Some(("verify", sub)) => Call::Verify(verification(sub)),
        Some(("init", sub)) => Call::Init(moving::init(sub)),
        Some(("migrate", sub)) => Call::Migrate(moving::migrate(sub)),
        Some(("schema", sub)) => Call::Schema(schema_of(sub)?),
        Some(("completions", sub)) => Call::Completions(shell(sub)),
        Some(("version", sub)) => Call::Version(format(sub)),
        Some(("crucible-pass", sub)) => {
            Call::CruciblePass { handover: path(sub, "handover"), result: path(sub, "result") }
        }
        Some((_, sub)) => Call::Run(flags(sub)),
        None => {
            return Err(
                command().error(clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, "say what to do")
            );
        }
    })
}

/// The whole command line, also for completions and the README's test.
pub fn command() -> Command {
    Command::new("stagefreight")
        .about("Build and publish container images from any CI job")
        .long_about(
            "Build and publish container images from any CI job.\n\n\
             `stagefreight run` finds out where it runs (GitHub, Gitea, Forgejo, GitLab, or a laptop), reads .stagefreight.yml if \
             there is one, builds with BuildKit, publishes (no tag before every registry holds the image), and writes a summary, job \
             outputs and annotations where the runner shows them.\n\n\
             New here? `stagefreight plan` shows what would happen, and touches nothing; `stagefreight doctor` checks that it can.",
        )
        .after_help(
            "Exit codes: 0 all worked, 1 something failed, 2 the configuration or an input is wrong, 130/143 stopped by a signal.",
        )
        .version(version_line())
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100)
        .subcommand(
            Command::new("run")
                .about("Build and publish: the CI job")
                .after_help(RUN_EXAMPLES)
                .args(given()),
        )
        .subcommand(merge::command(INPUTS.iter().filter(|spec| !spec.token && spec.name != "platform-leg").map(arg)))
        .subcommand(
            Command::new("plan")
                .about("Show what `run` would do and why, and touch nothing")
                .args(given())
                .arg(format_arg()),
        )
        .subcommand(
            Command::new("doctor")
                .about("Check logins, registries and the builder for `run`, without building")
                .after_help(DOCTOR_EXAMPLES)
                .args(given())
                .arg(format_arg()),
        )
        .subcommand(diff_command())
        .subcommand(retention_command())
        .subcommand(verify_command())
        .subcommand(moving::init_command())
        .subcommand(moving::migrate_command())
        .subcommand(
            Command::new("schema")
                .about("Print the JSON Schema of the configuration file")
                .arg(
                    Arg::new("of")
                        .long("of")
                        .value_parser([PossibleValue::new("config"), PossibleValue::new("result")])
                        .default_value("config")
                        .help("Which document: the configuration file, or .stagefreight/result.json"),
                )
                .arg(
                    Arg::new("format")
                        .long("format")
                        .value_parser([PossibleValue::new("json"), PossibleValue::new("markdown")])
                        .default_value("json")
                        .help("JSON Schema, or a reference for people (config only)"),
                ),
        )
        .subcommand(
            Command::new("completions").about("Print completions for a shell").arg(
                Arg::new("shell").required(true).value_parser(clap::value_parser!(clap_complete::Shell)).help("Which shell"),
            ),
        )
        .subcommand(Command::new("version").about("Print the version").arg(format_arg()))
        .subcommand(
            Command::new("crucible-pass")
                .about("Run the second pass of a crucible: called by StageFreight itself")
                .hide(true)
                .args(["handover", "result"].map(path_arg)),
        )
}

const RUN_EXAMPLES: &str =
    "Every flag is also an action input (with: dry-run: true) and a variable (STAGEFREIGHT_DRY_RUN=true).

Examples:
  stagefreight run                                  as .stagefreight.yml says
  stagefreight run --local                          build, load into docker, publish nothing
  stagefreight run --tags ghcr.io/acme/app:1.2.3    no configuration file needed
  stagefreight run --build-id api --dry-run         what would happen, for one build";

const DOCTOR_EXAMPLES: &str =
    "Exit codes: 0 nothing failed, 1 something failed, 2 the configuration or an input is wrong.
What could not be checked is shown with a question mark and fails nothing.

Examples:
  stagefreight doctor                    as .stagefreight.yml says
  stagefreight doctor --build-id api     for one build and its targets
  stagefreight doctor --tags ghcr.io/acme/app:1.2.3 --platforms linux/amd64,linux/arm64
  stagefreight doctor --format json      for programs";

fn diff_command() -> Command {
    let image = |name: &'static str, help: &'static str| Arg::new(name).required(true).value_name(name).help(help);
    Command::new("diff")
        .about("Compare two images: which layers differ, which files in them, and how")
        .after_help(DIFF_EXAMPLES)
        .arg(image(
            "A",
            "The first image: in a registry, in the docker engine, in an OCI layout or in a file of `docker save`",
        ))
        .arg(image("B", "The second image"))
        .arg(format_arg())
        .arg(
            Arg::new("listing")
                .long("listing")
                .value_name("file")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Write every change to this file, as JSON; what is printed leaves out the long tail"),
        )
}

const DIFF_EXAMPLES: &str = "Exit codes: 0 they hold the same, 1 they differ, 2 it could not be told.

Examples:
  stagefreight diff ghcr.io/acme/app:1.2.3 ghcr.io/acme/app:1.2.4
  stagefreight diff docker-daemon:app:dev docker://ghcr.io/acme/app:1.2.3
  stagefreight diff oci:out docker-archive:app.tar --listing changes.json";

fn retention_command() -> Command {
    let of = |command: Command, about: &'static str| {
        let target = Arg::new("target-id").long("target").value_name("id").action(ArgAction::Append);
        let config = INPUTS.iter().filter(|spec| spec.name == "config").map(arg);
        command
            .about(about)
            .arg(target.help("Only this target of the configuration; may be given several times"))
            .args(config)
            .arg(format_arg())
    };
    Command::new("retention")
        .about("Delete old tags by the `retention` of targets, or show which")
        .after_help(RETENTION_EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(of(Command::new("plan"), "Show which tags would go and which stay, and why; deletes nothing"))
        .subcommand(of(Command::new("apply"), "Show it, and delete"))
}

const RETENTION_EXAMPLES: &str =
    "Exit codes: 0 done, 1 something could not be read or deleted, 2 the configuration is wrong.

Examples:
  stagefreight retention plan
  stagefreight retention plan --target ghcr --format json
  stagefreight retention apply --target ghcr";
/// Flags of cosign that name an identity, handed on as they are.
const IDENTITY: [(&str, &str); 2] = [
    (
        "certificate-identity",
        "Whom to believe: the subject of the certificate, for images that are signed without a key",
    ),
    ("certificate-identity-regexp", "The same as a pattern"),
];
/// Who vouches for it.
const ISSUER: [(&str, &str); 2] = [
    ("certificate-oidc-issuer", "Who vouches for that subject"),
    ("certificate-oidc-issuer-regexp", "The same as a pattern"),
];
/// No proof is asked for.
const NO_PROOF: &str = "none";

fn verify_command() -> Command {
    let flag = |(name, help): (&'static str, &'static str)| Arg::new(name).long(name).value_name("TEXT").help(help);
    let levels = [TrustLevel::Viable, TrustLevel::Consistent, TrustLevel::Deterministic, TrustLevel::Reproducible];
    let levels = levels.map(|level| PossibleValue::new(level.name()));
    Command::new("verify")
        .about("Say of a published image why it is to be believed: digest, signature, provenance, trust level")
        .after_help(VERIFY_EXAMPLES)
        .arg(Arg::new("IMAGE").required(true).value_name("IMAGE").help("host/path:tag, or host/path@sha256:…"))
        .arg(
            Arg::new("key")
                .long("key")
                .value_name("FILE")
                .conflicts_with_all(["identity", "issuer"])
                .help("The public key to believe: a file, or an address that cosign knows"),
        )
        .args(IDENTITY.map(|named| flag(named).group("identity").requires("issuer")))
        .args(ISSUER.map(|named| flag(named).group("issuer").requires("identity")))
        .arg(
            Arg::new("min-trust")
                .long("min-trust")
                .value_name("LEVEL")
                .value_parser(std::iter::once(PossibleValue::new(NO_PROOF)).chain(levels).collect::<Vec<_>>())
                .default_value(TrustLevel::Viable.name())
                .help("The least that must be proven; `none` for images that were built once and not proven"),
        )
        .arg(format_arg())
}

const VERIFY_EXAMPLES: &str =
    "Exit codes: 0 all verified, 1 something is wrong or missing, 2 something could not be checked.
Without --key or an identity the signature is not checked, so the exit code is not 0.

Examples:
  stagefreight verify ghcr.io/acme/app:1.2.3 --key cosign.pub --min-trust reproducible
  stagefreight verify ghcr.io/acme/app:1.2.3 --certificate-oidc-issuer https://token.actions.githubusercontent.com \\
      --certificate-identity https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.3";

fn verification(matches: &ArgMatches) -> verify::Call {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let identity = IDENTITY.iter().chain(&ISSUER).filter_map(|(name, _)| Some(format!("--{name}={}", text(name)?)));
    let identity: Vec<String> = identity.collect();
    let believe = match text("key") {
        Some(key) => Some(Believe::Key(key)),
        None => (!identity.is_empty()).then_some(Believe::Identity(identity)),
    };
    let level = text("min-trust").filter(|level| level != NO_PROOF);
    let min_trust = level.and_then(|level| serde_json::from_value(level.into()).ok());
    verify::Call { image: text("IMAGE").unwrap_or_default(), believe, min_trust, format: format(matches) }
}

/// `stagefreight version`.
pub fn version_line() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// `stagefreight version --format json`: also how a crucible knows a candidate that contains us.
pub fn version_json() -> serde_json::Value {
    serde_json::json!({ "name": "stagefreight", "version": env!("CARGO_PKG_VERSION") })
}

fn path(matches: &ArgMatches, name: &str) -> PathBuf {
    matches.get_one::<PathBuf>(name).cloned().unwrap_or_default()
}

fn flags(matches: &ArgMatches) -> Flags {
    let given = INPUTS.iter().filter(|spec| !spec.token).filter_map(|spec| {
        let values = matches.try_get_many::<String>(spec.name).ok().flatten()?;
        Some((spec.name, values.cloned().collect()))
    });
    Flags(given.collect())
}

fn format(matches: &ArgMatches) -> Format {
    if matches.get_one::<String>("format").is_some_and(|f| f == "json") { Format::Json } else { Format::Text }
}

fn diff(matches: &ArgMatches) -> compare::Call {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let listing = matches.get_one::<PathBuf>("listing").cloned();
    compare::Call { a: text("A"), b: text("B"), format: format(matches), listing }
}

fn retention(matches: &ArgMatches) -> retention::command::Call {
    let (name, sub) = matches.subcommand().unwrap_or(("plan", matches));
    let targets = sub.get_many::<String>("target-id").map(|ids| ids.cloned().collect()).unwrap_or_default();
    let config = sub.get_many::<String>("config").map(|values| ("config", values.cloned().collect()));
    let flags = Flags(config.into_iter().collect());
    retention::command::Call { apply: name == "apply", targets, format: format(sub), flags }
}

fn shell(matches: &ArgMatches) -> clap_complete::Shell {
    matches.get_one("shell").copied().unwrap_or(clap_complete::Shell::Bash)
}

fn schema_of(matches: &ArgMatches) -> Result<SchemaOf, clap::Error> {
    let is = |name: &str, value: &str| matches.get_one::<String>(name).is_some_and(|given| given == value);
    match (is("of", "result"), is("format", "markdown")) {
        (true, true) => {
            let what = "the result document has no reference in markdown, only its schema; leave out --format";
            Err(command().error(clap::error::ErrorKind::ArgumentConflict, what))
        }
        (true, false) => Ok(SchemaOf::Result),
        (false, true) => Ok(SchemaOf::ConfigReference),
        (false, false) => Ok(SchemaOf::Config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Call, clap::Error> {
        parse(std::iter::once("stagefreight").chain(words.iter().copied()).map(OsString::from))
    }

    #[test]
    fn an_empty_word_is_the_action_s_default() {
        assert_eq!(parse(["stagefreight", ""].map(OsString::from)).unwrap(), Call::Run(Flags::default()));
        assert!(parse(["stagefreight", "", ""].map(OsString::from)).is_err());
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn flags_are_read_as_docker_writes_them() {
        let Ok(Call::Run(flags)) = parse_words(&[
            "run",
            "-t",
            "a:1",
            "--tag=b:1",
            "--build-arg",
            "A=1",
            "--no-cache",
            "--push=false",
            "-f",
            "x",
        ]) else {
            panic!("not a run");
        };
        assert_eq!(flags.get("tags"), Some(vec!["a:1".into(), "b:1".into()]));
        assert_eq!(flags.get("build-args"), Some(vec!["A=1".into()]));
        assert_eq!(flags.get("no-cache"), Some(vec!["true".into()]));
        assert_eq!(flags.get("push"), Some(vec!["false".into()]));
        assert_eq!(flags.get("file"), Some(vec!["x".into()]));
        assert_eq!(flags.get("load"), None);
    }

    #[test]
    fn whom_to_believe_is_a_key_or_a_whole_identity() {
        let call = |words: &[&str]| match parse_words(&[&["verify", "reg/app:1"], words].concat()) {
            Ok(Call::Verify(call)) => call,
            other => panic!("{other:?}"),
        };
        let plain = call(&[]);
        assert_eq!((plain.believe, plain.min_trust), (None, Some(TrustLevel::Viable)));
        let key = call(&["--key", "cosign.pub", "--min-trust", "reproducible", "--format", "json"]);
        assert_eq!(key.believe, Some(Believe::Key("cosign.pub".into())));
        assert_eq!((key.min_trust, key.format), (Some(TrustLevel::Reproducible), Format::Json));
        assert_eq!(call(&["--min-trust", "none"]).min_trust, None);
        let identity = ["--certificate-identity-regexp", "^me$", "--certificate-oidc-issuer", "https://i"];
        let flags = ["--certificate-identity-regexp=^me$", "--certificate-oidc-issuer=https://i"].map(str::to_owned);
        assert_eq!(call(&identity).believe, Some(Believe::Identity(flags.into())));
        for wrong in
            [&identity[..2], &identity[2..], &["--key", "k", "--certificate-identity", "x"], &["--min-trust", "x"]]
        {
            let refused = parse_words(&[&["verify", "reg/app:1"], wrong].concat());
            assert_eq!(refused.unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn commands_and_their_formats_are_told_apart() {
        assert_eq!(parse_words(&["version", "--format", "json"]).unwrap(), Call::Version(Format::Json));
        assert_eq!(parse_words(&["plan"]).unwrap(), Call::Plan(Flags::default(), Format::Text));
        assert_eq!(parse_words(&["doctor", "--format=json"]).unwrap(), Call::Doctor(Flags::default(), Format::Json));
        assert_eq!(parse_words(&["schema"]).unwrap(), Call::Schema(SchemaOf::Config));
        assert_eq!(parse_words(&["schema", "--format", "markdown"]).unwrap(), Call::Schema(SchemaOf::ConfigReference));
        assert_eq!(parse_words(&["schema", "--of", "result"]).unwrap(), Call::Schema(SchemaOf::Result));
        assert_eq!(parse_words(&["schema", "--of", "result", "--format", "markdown"]).unwrap_err().exit_code(), 2);
        let Ok(Call::Diff(call)) = parse_words(&["diff", "a", "oci:b", "--format", "json", "--listing", "x.json"])
        else {
            panic!("not a diff");
        };
        let listing = Some(PathBuf::from("x.json"));
        assert_eq!(call, compare::Call { a: "a".into(), b: "oci:b".into(), format: Format::Json, listing });
        assert_eq!(parse_words(&["diff", "a"]).unwrap_err().exit_code(), 2);
        let Ok(Call::Retention(call)) = parse_words(&[
            "retention",
            "apply",
            "--target",
            "a",
            "--target=b",
            "--config",
            "x.yml",
            "--format",
            "json",
        ]) else {
            panic!("no retention");
        };
        assert_eq!((call.apply, call.targets, call.format), (true, vec!["a".into(), "b".into()], Format::Json));
        assert_eq!(call.flags.get("config"), Some(vec!["x.yml".into()]));
        assert!(matches!(parse_words(&["retention", "plan"]), Ok(Call::Retention(call)) if !call.apply));
        assert_eq!(parse_words(&["retention"]).unwrap_err().exit_code(), 2);
        let pass = Call::CruciblePass { handover: "/h".into(), result: "/r".into() };
        assert_eq!(parse_words(&["crucible-pass", "--handover", "/h", "--result", "/r"]).unwrap(), pass);
        assert_eq!(parse_words(&["crucible-pass", "--handover", "/h"]).unwrap_err().exit_code(), 2);
        assert_eq!(parse_words(&[]).unwrap_err().exit_code(), 2);
        assert_eq!(parse_words(&["run", "--no-such"]).unwrap_err().exit_code(), 2);
        assert_eq!(parse_words(&["--help"]).unwrap_err().exit_code(), 0);
    }
}
