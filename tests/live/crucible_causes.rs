//! One image for each thing that makes builds differ: how far it is proven, and what the report blames. What happens in a
//! step happens differently in each pass, by the clock, by chance of many bits, or by the name of the build's host.

use rstest::rstest;
use serde_json::Value;

use crate::support::{Sandbox, Web};

use super::crucible::{BUILD_ID, project, proof, proven};

/// The second pass never reads the same clock as the first one: see [`LATER`].
const NOW: &str = "now=$(cut -d. -f1 /proc/uptime); {later}";
/// The first pass waits, so that the second one's step comes more than a second after it.
const LATER: &str = "if {first}; then sleep 1; fi";
/// The second pass runs on a host of another name.
const FIRST: &str = r#"[ "$(cat /proc/sys/kernel/hostname)" = buildkitsandbox ]"#;

/// The number `$1` as four bytes, the smallest first.
const BYTES: &str = r#"bytes() { for s in 0 8 16 24; do printf "\\$(printf %o $(($1 >> s & 255)))"; done; }"#;

/// What a step does to its image.
fn step(what: &str) -> String {
    let what = what.replace("{now}", NOW).replace("{later}", LATER);
    format!("RUN {}", what.replace("{first}", FIRST).replace("{bytes}", BYTES))
}

/// The proof of an image, which passes as at least consistent.
fn proof_of(sandbox: Sandbox) -> (Sandbox, Value) {
    let run = sandbox.run(&["run"]).succeeds();
    let proof = proof(&sandbox);
    assert_eq!(proof["passed"], true);
    sandbox.assert_tidy(&run);
    (sandbox, proof)
}

/// The report blames only files that begin with this path, made in this line, for this cause.
#[track_caller]
fn blames(proof: &Value, path: &str, cause: &str, line: u64) {
    let layers = proof["culprits"]["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1, "{proof:#}");
    let location = &layers[0]["location"];
    assert_eq!((&location["file"], &location["line"]), (&"Dockerfile".into(), &line.into()), "{proof:#}");
    let files = layers[0]["files"].as_array().unwrap();
    assert!(!files.is_empty(), "{proof:#}");
    for file in files {
        assert!(file["path"].as_str().unwrap().starts_with(path), "{path} is to blame: {proof:#}");
        assert_eq!(file["cause"], cause, "{proof:#}");
    }
}

#[rstest]
#[case::a_date_in_a_file("date > /built; {later}", "/built", "wall_clock")]
#[case::seconds_in_a_file("date +built=%s > /version.env; {later}", "/version.env", "wall_clock")]
#[case::a_time_before_the_epoch("{now}; echo x > /old; touch -d @$((now + 1000000)) /old", "/old", "mtime")]
#[case::the_order_of_a_directory(
    "--mount=type=tmpfs,target=/d for i in $(seq 20 | shuf); do echo > /d/$i.txt; done; find /d -type f > /list",
    "/list",
    "order"
)]
#[case::jobs_side_by_side(
    "for i in $(seq 15 | shuf); do (usleep 999; echo job $i) >> /log & done; wait",
    "/log",
    "order"
)]
#[case::random_bytes("head -c 64 /dev/urandom > /key", "/key", "random")]
#[case::a_random_word("head -c 20 /dev/urandom | sha1sum | cut -d' ' -f1 > /token", "/token", "random")]
#[case::a_random_name("mktemp /data.XXXXXX", "/data.", "random_name")]
#[case::a_process_id(
    // A hundred more in the first pass: the threads of the container's init take numbers too, by chance a few more or less.
    "if {first}; then for i in $(seq 100); do (true); done; fi; (exec sh -c 'echo $$ > /app.pid'); true",
    "/app.pid",
    "process_id"
)]
#[case::the_host_name("hostname > /host", "/host", "host")]
#[case::the_kernel("uname -a > /built-on", "/built-on", "host")]
#[case::times_in_a_tar("echo x > /tmp/x; tar -cf /x.tar -C /tmp x; rm /tmp/x; {later}", "/x.tar", "archive")]
#[case::times_in_a_jar(
    r#"{bytes}; t=$(date +%s); t=$((t / 4096 * 65536 + t % 4096)); (printf 'PK\3\4\24\0\0\0\0\0'; bytes $t; bytes 0; bytes 0; bytes 0; printf '\1\0\0\0x') > /app.jar; {later}"#,
    "/app.jar",
    "archive"
)]
#[case::compiled_python(
    r#"{bytes}; echo 'x = 1' > /m.py; mkdir /__pycache__; (printf '\247\r\r\n\0\0\0\0'; bytes $(stat -c %Y /m.py); bytes 6; echo code) > /__pycache__/m.cpython-311.pyc; {later}"#,
    "/__pycache__/m.cpython-311.pyc",
    "python_cache"
)]
#[case::a_package_managers_log(
    "mkdir -p /var/log/apt; echo \"Start-Date: $(date)\" > /var/log/apt/history.log; {later}",
    "/var/log/apt/history.log",
    "package_manager"
)]
#[case::a_package_managers_cache(
    "mkdir -p /var/cache/apt; (date; head -c 99 /dev/urandom) > /var/cache/apt/pkgcache.bin",
    "/var/cache/apt/pkgcache.bin",
    "package_manager"
)]
#[case::a_path_in_a_program(
    r#"d=$(mktemp -d); (head -c 64 /program; printf "$d/src/main.c\0") > /lib.so; rm -r $d"#,
    "/lib.so",
    "compiler"
)]
#[case::the_umask("{now}; umask 0$(printf %o $((now % 512))); mkdir /made", "/made", "mode")]
#[case::the_user("{now}; echo x > /owned; chown $((1000 + now % 1000)) /owned", "/owned", "owner")]
#[case::a_link("ln -s /tmp/$(head -c 9 /dev/urandom | base64 | tr / -) /link", "/link", "link")]
#[case::the_locale(
    r"printf 'apple\nBanana\ncherry\nDate\n' | if {first}; then LC_ALL=C sort; else sort -f; fi > /words",
    "/words",
    "locale"
)]
fn the_same_program_in_images_that_differ(#[case] what: &str, #[case] path: &str, #[case] cause: &str) {
    let (_sandbox, proof) = proof_of(proven(project(&step(what)), "").buildkitd());
    assert_eq!(proof["trust"], "deterministic", "{proof:#}");
    blames(&proof, path, cause, 3);
}

#[test]
fn another_build_id_is_another_program() {
    let what = format!("head -c 20 /dev/urandom | dd of=/program bs=1 seek={BUILD_ID} conv=notrunc");
    let (_sandbox, proof) = proof_of(proven(project(&step(&what)), "").buildkitd());
    assert_eq!(proof["trust"], "consistent", "{proof:#}");
    blames(&proof, "/program", "compiler", 3);
}

/// What a server says changes between the passes.
#[rstest]
#[case::fetched_by_a_command("RUN wget -qO /news {url}")]
#[case::added("ADD {url}news /news")]
fn what_comes_from_the_network(#[case] instruction: &str) {
    let web = Web::start(|call| Some(if call == 1 { "all is well\n" } else { "nothing is well\n" }.to_owned()));
    let (_sandbox, proof) = proof_of(proven(project(&instruction.replace("{url}", &web.url())), "").buildkitd());
    assert_eq!(proof["trust"], "deterministic", "{proof:#}");
    blames(&proof, "/news", "network", 3);
}

#[test]
fn times_of_new_files_are_set_back_unless_that_is_switched_off() {
    let new = || project(&step("echo x > /new; {later}"));
    let (_sandbox, clamped) = proof_of(proven(new(), "").buildkitd());
    assert_eq!(clamped["trust"], "reproducible", "{clamped:#}");
    let (_sandbox, kept) = proof_of(proven(new(), ", reproducible: off").buildkitd());
    assert_eq!(kept["trust"], "deterministic", "{kept:#}");
    // The mount points that a step leaves are new, too.
    let layer = &kept["culprits"]["layers"][0];
    assert_eq!((&layer["files"][0]["path"], &layer["location"]["line"]), (&"/new".into(), &3.into()), "{kept:#}");
    assert!(layer["files"].as_array().unwrap().iter().all(|file| file["cause"] == "mtime"), "{kept:#}");
}

/// Debian's own tools, in a stage the image is copied from.
#[rstest]
#[case::gzip("echo x > /x && gzip /x; {later}", "/x.gz", "archive")]
#[case::dpkg(
    "update-alternatives --install /usr/bin/x x /bin/true 1; {later}",
    "/var/log/alternatives.log",
    "package_manager"
)]
fn made_in_another_stage(#[case] what: &str, #[case] path: &str, #[case] cause: &str) {
    let dockerfile = format!(
        "FROM debian:bookworm-slim AS tools\n{}\nFROM busybox\nCOPY program /program\nCOPY --from=tools {path} {path}\nENTRYPOINT [\"/program\"]\n",
        step(what)
    );
    let (_sandbox, proof) = proof_of(proven(project("").file("Dockerfile", &dockerfile), "").buildkitd());
    assert_eq!(proof["trust"], "deterministic", "{proof:#}");
    blames(&proof, path, cause, 5);
    let origin = proof["culprits"]["layers"][0]["origin"].as_str().unwrap();
    assert!(origin.contains("tools") && origin.contains('2'), "{origin}");
}
