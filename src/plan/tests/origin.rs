use rstest::rstest;

use super::*;

fn with_files(mut request: Request, files: &[&str]) -> Request {
    request.source.dockerfiles = files.iter().map(|f| ((*f).to_owned(), "FROM alpine AS prod\n".to_owned())).collect();
    request
}

fn inputs(file: Option<&str>, context: Option<&str>) -> Inputs {
    Inputs { file: file.map(Into::into), context: context.map(Into::into), ..Inputs::default() }
}

#[rstest]
#[case::root(&["Dockerfile", "a/Dockerfile"], None, None, "Dockerfile", ".")]
#[case::containerfile(&["Containerfile"], None, None, "Containerfile", ".")]
#[case::beside_the_context(&["Dockerfile", "web/Dockerfile"], None, Some("./web/"), "web/Dockerfile", "web")]
#[case::root_for_a_context_without(&["Dockerfile", "x/Dockerfile"], None, Some("web"), "Dockerfile", "web")]
#[case::nearest_to_the_root(&["a/b/Dockerfile", "z/Dockerfile", "prod.Dockerfile"], None, None, "prod.Dockerfile", ".")]
#[case::usual_name_first(&["a/api.Dockerfile", "b/Dockerfile"], None, None, "b/Dockerfile", ".")]
#[case::not_an_ignore_file(&["Dockerfile.dockerignore", "x/Dockerfile"], None, None, "x/Dockerfile", ".")]
#[case::named(&["Dockerfile", "x/Dockerfile"], Some("x/../x//Dockerfile"), None, "x/Dockerfile", ".")]
#[case::absolute(&["Dockerfile"], Some("/work/app/Dockerfile"), Some("/work/app"), "Dockerfile", ".")]
#[case::remote_file(&[], Some("https://example.com/Dockerfile"), None, "https://example.com/Dockerfile", ".")]
#[case::remote_context(&[], None, Some("https://github.com/acme/x.git#main"), "Dockerfile", "https://github.com/acme/x.git#main")]
#[case::remote_both(&[], Some("docker/Dockerfile"), Some("git@example.com:a/b"), "docker/Dockerfile", "git@example.com:a/b")]
fn dockerfiles_are_found(
    #[case] files: &[&str],
    #[case] file: Option<&str>,
    #[case] context: Option<&str>,
    #[case] dockerfile: &str,
    #[case] directory: &str,
) {
    let mut request = with_files(request(""), files);
    request.inputs = inputs(file, context);
    let step = step_of(&request);
    assert_eq!((step.dockerfile.as_str(), step.context.as_str()), (dockerfile, directory));
}

#[rstest]
#[case::none(&[], None, None, "there is no Dockerfile: looked for Dockerfile, Containerfile and below the root | add a Dockerfile, or name yours with the input `file` or `dockerfile` in the config")]
#[case::none_for_a_context(&[], None, Some("web"), "there is no Dockerfile: looked for web/Dockerfile, web/Containerfile, Dockerfile, Containerfile and below the root | add a Dockerfile, or name yours with the input `file` or `dockerfile` in the config")]
#[case::mistyped(&["Dockerfile"], Some("Dockerfle"), None, "input `file`: there is no Dockerfile at `Dockerfle` | did you mean `Dockerfile`? Paths are relative to the root of the repository")]
#[case::relative_to_the_context(&["web/prod.Dockerfile"], Some("prod.Dockerfile"), Some("web"), "input `file`: there is no Dockerfile at `prod.Dockerfile` | did you mean `web/prod.Dockerfile`? Paths are relative to the root of the repository")]
#[case::other(&["a/Dockerfile"], Some("some/where/else"), None, "input `file`: there is no Dockerfile at `some/where/else` | found: a/Dockerfile")]
#[case::stdin(&["Dockerfile"], Some("-"), None, "input `file` is `-`, but a build here has no standard input | give the path of a Dockerfile")]
#[case::stdin_context(&["Dockerfile"], None, Some("-"), "input `context` is `-`, but a build here has no standard input | give a directory or a git address")]
#[case::escape(&["Dockerfile"], None, Some("../other"), "input `context` `../other` lies outside the workspace | only files of the checkout can be built; move it there, or give a path relative to the root")]
#[case::control(&["Dockerfile"], Some("a\n::error::x"), None, "input `file` `a\\n::error::x` holds a control character | write the path on one line, without control characters")]
fn what_is_missing_is_named_with_the_cure(
    #[case] files: &[&str],
    #[case] file: Option<&str>,
    #[case] context: Option<&str>,
    #[case] expected: &str,
) {
    let mut request = with_files(request(""), files);
    request.inputs = inputs(file, context);
    assert_eq!(refused(&request), [expected]);
}

#[test]
fn several_mistakes_are_told_at_once_and_placed() {
    let config = "
version: 1
builds:
  - {id: a, kind: docker, context: ../../etc, platforms: [linux], dockerfile: nope}
  - {id: b, kind: docker, target: prd, build_args: {X: '{env:MISSING}'}}
";
    let problems = refused(&with_files(request(config), &["Dockerfile"]));
    let begins = [
        ".stagefreight.yml: builds.a.context `../../etc` lies outside the workspace",
        ".stagefreight.yml: builds.a.dockerfile: there is no Dockerfile at `nope`",
        ".stagefreight.yml: builds.a.platforms: `linux` is no platform",
        "Dockerfile: there is no stage `prd` | did you mean `prod`?",
        ".stagefreight.yml: builds.b.build_args.X: `{env:MISSING}`: the environment variable MISSING is not set",
    ];
    assert_eq!(problems.len(), begins.len(), "{problems:#?}");
    for (problem, begin) in problems.iter().zip(begins) {
        assert!(problem.starts_with(begin), "{problem}");
    }
}

#[test]
fn a_stage_is_missed_only_in_a_file_that_was_understood() {
    let mut request = request("");
    request.inputs.target = Some("prod".into());
    assert_eq!(
        refused(&request),
        ["Dockerfile: there is no stage `prod` | no stage of it has a name: add one with `FROM … AS name`"]
    );
    request.source.dockerfiles.insert("Dockerfile".into(), "FROM a\nNOT DOCKER\n".into());
    assert_eq!(step_of(&request).target.as_deref(), Some("prod"), "BuildKit will say");
}

#[test]
fn a_choice_among_dockerfiles_is_told() {
    let plan = planned(&with_files(request(""), &["a/Dockerfile", "b/Dockerfile"]));
    assert_eq!(
        plan.notes,
        ["took `a/Dockerfile` of 2 Dockerfiles; name one with the input `file` or `dockerfile` in the config"]
    );
}

#[test]
fn named_contexts_take_the_place_of_images() {
    let mut request = request("");
    request.source.dockerfiles.insert("Dockerfile".into(), "FROM base\nCOPY --from=tools:1 /a /a\n".into());
    assert_eq!(step_of(&request).base_images, ["base", "tools:1"]);
    request.inputs.build_contexts = strings(&["base=docker-image://alpine:3"]);
    assert_eq!(step_of(&request).base_images, ["tools:1"]);
}
