//! What to do about a failed build, for the kinds we know. One sentence or two, or nothing.

use super::cause::Cause;
use super::docker::Verdict;
use crate::buildx::event::BuildFailure;

/// The usual cure of this failure; `None` where we would only guess.
pub fn cure(failure: &BuildFailure) -> Option<String> {
    let verdict = Verdict::of(&failure.summary);
    if let Some(text) = of_verdict(&verdict) {
        return Some(text);
    }
    let causes =
        || failure.errors.iter().map(|e| e.raw.as_str()).chain([failure.summary.as_str()]).filter_map(Cause::of);
    if let Some(cause) = causes().next() {
        return Some(of_cause(cause).to_owned());
    }
    match verdict {
        Verdict::Exit(code) => of_exit(code).map(str::to_owned),
        _ => None,
    }
}

fn of_verdict(verdict: &Verdict<'_>) -> Option<String> {
    Some(match verdict {
        Verdict::Exit(_) | Verdict::Other => return None,
        Verdict::Syntax(_) => "Mend this line of the Dockerfile; BuildKit parsed nothing after it.".to_owned(),
        Verdict::NoDockerfile(path) => {
            format!(
                "Set `file` (or `dockerfile` in .stagefreight.yml) to the Dockerfile's path from the repository root; `{path}` is not there."
            )
        }
        Verdict::EmptyDockerfile => "Is this the right file? A Dockerfile begins with FROM.".to_owned(),
        Verdict::NoSource(path) => format!(
            "Paths of COPY and ADD begin at the build context, or at the root of the stage that --from names. Look whether `{}` is committed, not excluded by .dockerignore, and inside `context`.",
            path.trim_start_matches('/')
        ),
        Verdict::NoImage(image) => format!(
            "Check name and tag of `{image}`. If it is private, give credentials for its registry: some registries answer `not found` to strangers."
        ),
        Verdict::ImageDenied(image) => format!(
            "`{image}` needs a login. Give credentials for its registry to this job, and check that they may read it."
        ),
        Verdict::NoStage(stage) => {
            format!(
                "Name a stage the Dockerfile has (`FROM … AS {stage}`), or leave `target` out to build the last one."
            )
        }
        Verdict::PushDenied(target) => format!(
            "Give the job a login that may write to {target}: `credentials: PREFIX` on the target, with PREFIX_USER and PREFIX_TOKEN as variables of the job. If it has one, check that it is valid and has the right to write."
        ),
        Verdict::Untrusted(host) | Verdict::SpeaksTls(host) => format!(
            "Name the CA of its certificate in .stagefreight.yml, `registries: {{'{host}': {{ca: FILE}}}}` or `network: {{ca: FILE}}`, or accept any with `insecure: true` there. A BuildKit daemon of your own needs the CA in its buildkitd.toml."
        ),
        Verdict::SpeaksPlain(host) => format!(
            "Say so in .stagefreight.yml, `registries: {{'{host}': {{http: true}}}}`. A BuildKit daemon of your own needs it in its buildkitd.toml to pull from there."
        ),
        Verdict::PushUnreachable(_) => {
            "Check host and port of the target, and that its registry runs. The builder must reach it from where it runs, which is not always this machine."
                .to_owned()
        }
        Verdict::LostContact => {
            "It was stopped, or ran out of memory: look at the log of buildkitd (or of its container), then run the job again."
                .to_owned()
        }
        Verdict::NoMultiPlatform => {
            "Use a BuildKit builder (buildkitd, or the docker-container driver) for several platforms, or build one."
                .to_owned()
        }
    })
}

fn of_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::CommandNotFound => {
            "The image of this stage does not have that program: install it in an earlier RUN, or use a base image that has it."
        }
        Cause::PermissionDenied => {
            "The file is not executable, or belongs to another user: `chmod +x` it in git, or COPY it with --chmod=755."
        }
        Cause::WindowsLineEnds => {
            "The script has Windows line ends: commit it with LF (`*.sh text eol=lf` in .gitattributes)."
        }
        Cause::WrongArchitecture => {
            "The program is for another architecture. For other platforms the builder needs emulation (binfmt_misc with QEMU, registered with flag F), or a native runner each; a script needs a `#!` line."
        }
        Cause::OutOfMemory => {
            "The step ran out of memory: give the runner or builder more, or let the step use less (fewer parallel jobs)."
        }
        Cause::NoSpace => {
            "The builder's disk is full: prune its cache (`docker buildx prune`), or give it a bigger disk."
        }
        Cause::Network => {
            "The step could not reach a server. If this passes by itself, run it again; if not, check DNS, proxy and firewall as seen from the builder, which is not always this machine."
        }
        Cause::Certificate => {
            "The image of this stage does not trust that server's certificate: install your company's CA in it, or set the CA for builds in the configuration."
        }
    }
}

fn of_exit(code: u32) -> Option<&'static str> {
    match code {
        126 => Some(of_cause(Cause::PermissionDenied)),
        127 => Some(of_cause(Cause::CommandNotFound)),
        137 => Some(
            "Something killed the step with SIGKILL (137), most often for want of memory: give the runner or builder more, or let the step use less.",
        ),
        139 => Some(
            "The program crashed (139, segmentation fault). Under emulation this is often QEMU's: try a native runner of that platform.",
        ),
        _ => None,
    }
}
