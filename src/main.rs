//! Snapshots the world, calls one function, returns an exit code.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one place that answers on the command line itself")]

use std::process::ExitCode;

use stagefreight::cli::{self, Call, Format, SchemaOf};
use stagefreight::environment::Environment;
use stagefreight::{buildctl, compare, config, guard, init, migrate, reaper, report, retention, run, verify};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(code) = reaper::take_over(&arguments) {
        return ExitCode::from(code);
    }
    if let Some(question) = buildctl::question(&arguments) {
        return ExitCode::from(buildctl::answer(question));
    }
    if let Some(command) = guard::called(&arguments) {
        return ExitCode::from(guard::run(command));
    }
    let call = match cli::parse(arguments) {
        Ok(call) => call,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let environment = match Environment::from_process() {
        Ok(environment) => environment,
        Err(error) => {
            eprintln!(
                "error: the working directory cannot be used: {error}\n  hint: change to the checkout and try again"
            );
            return ExitCode::FAILURE;
        }
    };
    match call {
        Call::Run(flags) => ExitCode::from(run::run(&environment, &flags)),
        Call::Merge(flags, legs) => ExitCode::from(run::merge(&environment, &flags, legs)),
        Call::Plan(flags, format) => ExitCode::from(run::plan(&environment, &flags, format)),
        Call::Doctor(flags, format) => ExitCode::from(run::doctor::run(&environment, &flags, format)),
        Call::Diff(call) => ExitCode::from(compare::run(&environment, &call)),
        Call::Retention(call) => ExitCode::from(retention::command::run(&environment, &call)),
        Call::Verify(call) => ExitCode::from(verify::run(&environment, &call)),
        Call::Init(call) => ExitCode::from(init::run(&environment, &call)),
        Call::Migrate(call) => ExitCode::from(migrate::run(&environment, &call)),
        Call::Schema(SchemaOf::Config) => answer(&pretty(&config::schema::schema())),
        Call::Schema(SchemaOf::ConfigReference) => answer(&config::reference::reference_markdown()),
        Call::Schema(SchemaOf::Result) => answer(&pretty(&report::result_schema().to_value())),
        Call::Completions(shell) => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut cli::command(), "stagefreight", &mut text);
            answer(&String::from_utf8_lossy(&text))
        }
        Call::CruciblePass { handover, result } => ExitCode::from(run::pass::run(&environment, &handover, &result)),
        Call::Version(Format::Text) => answer(&format!("stagefreight {}\n", cli::version_line())),
        Call::Version(Format::Json) => answer(&pretty(&cli::version_json())),
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// Writes the answer. A reader that closed the pipe has what it wanted.
fn answer(text: &str) -> ExitCode {
    use std::io::Write as _;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
