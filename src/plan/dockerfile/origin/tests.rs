//! Paths inside a build, and the files of the checkout they come from.

use rstest::rstest;

use super::*;
use crate::plan::dockerfile::read;

fn context(dir: &str, files: &[&str]) -> Context {
    Context { dir: dir.into(), files: files.iter().map(|f| (*f).to_owned()).collect() }
}

/// `-` for nothing, `@5` for a line of the Dockerfile. The last RUN is the failing one.
fn origin(text: &str, context: &Context, named: &[(&str, Context)], args: &[(&str, &str)], path: &str) -> String {
    let dockerfile = read(text);
    assert!(dockerfile.certain, "{text}");
    let mut steps = dockerfile.stages.iter().flat_map(|s| &s.instructions);
    let line = steps.rfind(|i| i.keyword == Keyword::Run);
    let named = named.iter().map(|(n, c)| ((*n).to_owned(), c.clone())).collect();
    let build_args = args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let origins = Origins {
        dockerfile: &dockerfile,
        context: Some(context),
        named: &named,
        build_args: &build_args,
        platform: "linux/arm64",
    };
    match origins.step(line.unwrap().line).unwrap().origin(path) {
        Some(Origin::File(file)) => file,
        Some(Origin::Document { line }) => format!("@{line}"),
        None => "-".into(),
    }
}

const FILES: [&str; 14] = [
    "Dockerfile",
    "go.mod",
    "main.go",
    "cmd/app/main.go",
    "cmd/app/flags.go",
    "src/a.c",
    "src/b.c",
    "src/inc/a.h",
    "services/api/handler.go",
    "services/web/app.ts",
    "one/x.js",
    "one/lib/util.js",
    "two/x.js",
    "odd name.c",
];

#[rstest]
// Directories and files.
#[case("WORKDIR /src\nCOPY . .", "cmd/app/main.go", "cmd/app/main.go")]
#[case("WORKDIR /src\nCOPY . .", "./main.go", "main.go")]
#[case("WORKDIR /src\nCOPY . .", "/src/main.go", "main.go")]
#[case("WORKDIR /src\nCOPY . /src/", "cmd/../main.go", "main.go")]
#[case("WORKDIR /src\nCOPY cmd/ /src/cmd/", "/src/cmd/app/main.go", "cmd/app/main.go")]
#[case("WORKDIR /src\nCOPY cmd /code", "/code/app/main.go", "cmd/app/main.go")]
#[case("WORKDIR /src\nCOPY main.go go.mod ./", "main.go", "main.go")]
#[case("WORKDIR /src\nCOPY main.go /src/renamed.go", "renamed.go", "main.go")]
#[case("WORKDIR /src\nCOPY main.go /src", "/src/main.go", "main.go")]
#[case("WORKDIR /src\nADD src/a.c /opt/", "/opt/a.c", "src/a.c")]
#[case("WORKDIR /src\nCOPY [\"odd name.c\", \"./\"]", "/src/odd name.c", "odd name.c")]
#[case("WORKDIR /src\nCOPY ./cmd/app/ .", "flags.go", "cmd/app/flags.go")]
#[case("WORKDIR /src\nCOPY --parents src/inc/a.h services/./api /src/", "/src/src/inc/a.h", "src/inc/a.h")]
// Patterns.
#[case("WORKDIR /b\nCOPY src/*.c ./", "/b/b.c", "src/b.c")]
#[case("WORKDIR /b\nCOPY src/?.c ./", "a.c", "src/a.c")]
#[case("WORKDIR /b\nCOPY src/[ab].c ./", "a.c", "src/a.c")]
#[case("WORKDIR /b\nCOPY src/[^a].c ./", "/b/a.c", "-")]
#[case("WORKDIR /b\nCOPY s*/ ./", "/b/inc/a.h", "src/inc/a.h")]
#[case("WORKDIR /b\nCOPY src/**/*.h ./", "/b/a.h", "src/inc/a.h")]
// What lies on top counts, and what lies below it shows through.
#[case("WORKDIR /w\nCOPY one/ .\nCOPY two/ .", "x.js", "two/x.js")]
#[case("WORKDIR /w\nCOPY one/ .\nCOPY two/ .", "lib/util.js", "one/lib/util.js")]
// Directories of the step.
#[case("WORKDIR /a\nWORKDIR b\nCOPY src/ .", "/a/b/a.c", "src/a.c")]
#[case("ENV ROOT=/code DIR=x\nWORKDIR ${ROOT}/y\nCOPY src/ .", "/code/y/a.c", "src/a.c")]
#[case("ENV ROOT /code\nWORKDIR $ROOT\nCOPY src/ .", "a.c", "src/a.c")]
#[case("ARG ROOT=/code\nWORKDIR $ROOT\nCOPY src/ .", "/given/a.c", "src/a.c")]
#[case("ARG TARGETARCH\nWORKDIR /out/$TARGETARCH\nCOPY src/ .", "/out/arm64/a.c", "src/a.c")]
#[case("WORKDIR $UNKNOWN\nCOPY src/ .", "/x/a.c", "-")]
#[case("WORKDIR $UNKNOWN\nWORKDIR /known\nCOPY src/ .", "a.c", "src/a.c")]
// Toolchains, packages, and what the build made are nobody's.
#[case("WORKDIR /src\nCOPY . .", "/usr/local/go/src/main.go", "-")]
#[case("WORKDIR /src\nCOPY . .", "/src/generated.go", "-")]
#[case("WORKDIR /src\nCOPY . .", "/etc/passwd", "-")]
#[case("WORKDIR /src\nCOPY . .", "../../etc/passwd", "-")]
#[case("WORKDIR /src\nCOPY . .", "", "-")]
#[case("WORKDIR /src\nCOPY . .", "/", "-")]
// A base image with a directory of its own, as golang's /go.
#[case("COPY . .", "/go/main.go", "main.go")]
#[case("COPY . app", "/go/app/cmd/app/main.go", "cmd/app/main.go")]
#[case("COPY . .", "main.go", "main.go")]
#[case("COPY . .", "/usr/local/main.go", "-")]
// Tools that name files from a package's directory.
#[case("WORKDIR /src\nCOPY . .", "handler.go", "services/api/handler.go")]
#[case("WORKDIR /src\nCOPY . .", "api/handler.go", "services/api/handler.go")]
#[case("WORKDIR /src\nCOPY services services", "lib/util.js", "-")]
#[case("WORKDIR /nowhere\nCOPY services services", "x.js", "-")]
fn paths_of_one_stage(#[case] before: &str, #[case] path: &str, #[case] expected: &str) {
    let text = format!("FROM image\n{before}\nRUN build\n");
    assert_eq!(origin(&text, &context("", &FILES), &[], &[("ROOT", "/given")], path), expected, "{text}");
}

#[rstest]
#[case("cd services/api && go build", "handler.go", "services/api/handler.go")]
#[case("set -e; cd one ; node x.js", "x.js", "one/x.js")]
#[case("cd one && true && cd ../two && node x.js", "x.js", "two/x.js")]
// Which of two directories is meant is not known.
#[case("cd one && tsc && cd ../two && tsc", "x.js", "-")]
#[case("cd one && tsc && cd ../two && tsc", "lib/util.js", "one/lib/util.js")]
#[case("pushd one && tsc && popd && tsc -p two", "main.go", "main.go")]
#[case("cd cmd/app && make -j$(nproc)", "main.go", "cmd/app/main.go")]
#[case("<<EOF\ncd cmd/app\nmake\nEOF", "main.go", "cmd/app/main.go")]
#[case("(cd cmd/app && make) && make", "main.go", "-")]
// Other people's sources, before and after.
#[case("mkdir -p /tmp/lib && cd /tmp/lib && make", "main.go", "-")]
#[case("cd /tmp/lib && make", "handler.go", "-")]
#[case("V=1 && cd /tmp/lib-$V && make", "handler.go", "-")]
#[case("cd $D && make", "handler.go", "-")]
#[case("cd services/$D && make", "handler.go", "services/api/handler.go")]
#[case("make -C /tmp/lib", "main.go", "-")]
#[case("cd /tmp && curl x | tar xz && cd /src && make", "main.go", "main.go")]
#[case("make", "/tmp/lib/./main.go", "-")]
#[case("make", "/src/other/./handler.go", "services/api/handler.go")]
// Options of commands that take no project.
#[case("rm -f one/x.o && gcc -c x.js", "main.go", "main.go")]
#[case("rm -f cmd/app/main.o && gcc -c main.go", "main.go", "main.go")]
#[case("(cd one && node x.js)", "x.js", "one/x.js")]
#[case("D=1; cd /src/${NAME} && node x.js", "x.js", "one/x.js")]
#[case("make -C one all", "x.js", "one/x.js")]
#[case("npm --prefix=two run build", "x.js", "two/x.js")]
#[case("cargo build --manifest-path one/Cargo.toml", "x.js", "one/x.js")]
#[case("<<EOF\ncd two\nnode x.js\nEOF", "x.js", "two/x.js")]
#[case("[\"sh\", \"-c\", \"cd two && node x.js\"]", "x.js", "two/x.js")]
fn a_step_may_go_elsewhere(#[case] run: &str, #[case] path: &str, #[case] expected: &str) {
    let text = format!("FROM image\nENV NAME=one\nWORKDIR /src\nCOPY . .\nRUN {run}\n");
    assert_eq!(origin(&text, &context("", &FILES), &[], &[], path), expected, "{text}");
}

#[rstest]
#[case("FROM image AS base\nWORKDIR /src\nCOPY . .\nFROM base\nRUN x", "cmd/app/main.go", "cmd/app/main.go")]
#[case("ARG B=base\nFROM image AS base\nWORKDIR /src\nCOPY . .\nFROM ${B}\nRUN x", "main.go", "main.go")]
#[case(
    "FROM image AS a\nCOPY . /a\nFROM image\nWORKDIR /b\nCOPY --from=a /a/cmd ./cmd\nRUN x",
    "cmd/app/main.go",
    "cmd/app/main.go"
)]
#[case("FROM image AS a\nCOPY . /a\nFROM image\nCOPY --from=0 /a /c\nRUN x", "/c/src/a.c", "src/a.c")]
#[case("FROM image AS a\nCOPY . /a\nFROM image\nCOPY --from=a /a/main.go /b/\nRUN x", "/b/main.go", "main.go")]
#[case("FROM image AS a\nCOPY . /a\nFROM image\nCOPY --from=a /a/src/*.c /b/\nRUN x", "/b/a.c", "src/a.c")]
#[case("FROM image AS a\nCOPY . /a\nFROM image\nCOPY --from=elsewhere /a /b\nRUN x", "/b/main.go", "-")]
#[case("FROM image\nRUN --mount=type=bind,source=cmd,target=/w cd /w && x", "app/main.go", "cmd/app/main.go")]
#[case("FROM image\nRUN --mount=target=/w x", "/w/src/a.c", "src/a.c")]
#[case(
    "FROM image\nWORKDIR /w\nRUN --mount=type=bind,target=. --mount=type=cache,target=/w/src x",
    "main.go",
    "main.go"
)]
#[case("FROM image AS a\nCOPY . /a\nFROM image\nRUN --mount=from=a,src=/a/one,dst=/o x", "/o/x.js", "one/x.js")]
#[case("FROM image\nCOPY --from=shared . /s\nRUN x", "/s/lib.go", "libs/shared/lib.go")]
#[case("FROM image\nRUN --mount=from=shared,target=/s x", "/s/lib.go", "libs/shared/lib.go")]
#[case("FROM image\nCOPY <<run.sh /bin/\nset -e\nfalse\nrun.sh\nRUN x", "/bin/run.sh", "@3")]
#[case("FROM image\nCOPY <<E /bin/go.sh\nfalse\nE\nRUN x", "/bin/go.sh", "@3")]
#[case("FROM image AS base\nWORKDIR /o\nONBUILD COPY . .\nFROM base\nRUN x", "main.go", "main.go")]
// What is not there yet, or not there at all.
#[case("FROM image AS a\nCOPY . /a\nFROM image\nRUN make", "flags.go", "-")]
#[case("FROM image AS a\nCOPY . /a\nFROM image\nCOPY --from=a /a/src /b\nRUN make", "flags.go", "-")]
#[case("FROM image AS a\nCOPY . /a\nFROM image\nCOPY --from=a /a/cmd /b\nRUN make", "flags.go", "cmd/app/flags.go")]
#[case("FROM image\nADD https://example.com/main.go /x/\nRUN x", "/x/main.go", "-")]
fn paths_of_several_stages(#[case] text: &str, #[case] path: &str, #[case] expected: &str) {
    let shared = [("shared", context("libs/shared", &["lib.go"]))];
    assert_eq!(origin(text, &context("", &FILES), &shared, &[], path), expected, "{text}");
}

#[test]
fn a_context_below_the_root_gives_paths_from_the_root() {
    let text = "FROM image\nWORKDIR /src\nCOPY . .\nRUN x\n";
    let context = context("backend", &["main.go"]);
    assert_eq!(origin(text, &context, &[], &[], "/src/main.go"), "backend/main.go");
}

#[test]
fn stages_that_copy_from_each_other_over_and_over_end() {
    let mut text = String::from("FROM image AS s0\nCOPY . /a\n");
    for n in 1..40 {
        let from = n - 1;
        text.push_str(&format!("FROM image AS s{n}\nCOPY --from=s{from} /a /a\nCOPY --from=s{from} /a /a\n"));
    }
    text.push_str("RUN x\n");
    assert_eq!(origin(&text, &context("", &FILES), &[], &[], "/a/nothing.go"), "-");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn every_answer_is_a_file_of_a_context(
        before in proptest::collection::vec("(COPY|ADD|WORKDIR|ENV|RUN cd) ([a-z./*$\\[\\]{}=-]{1,8} ){1,3}", 0..6),
        path in "[a-z./]{0,12}",
    ) {
        let text = format!("FROM image\n{}\nRUN build\n", before.join("\n"));
        let dockerfile = read(&text);
        let context = context("", &["a", "b/a.c", "b/c/d.go"]);
        let (named, build_args) = (BTreeMap::new(), BTreeMap::new());
        let origins = Origins { dockerfile: &dockerfile, context: Some(&context), named: &named, build_args: &build_args, platform: "" };
        let line = u32::try_from(before.len()).unwrap() + 2;
        if let Some(Origin::File(file)) = origins.step(line).and_then(|step| step.origin(&path)) {
            proptest::prop_assert!(context.files.contains(&file));
        }
    }
}
