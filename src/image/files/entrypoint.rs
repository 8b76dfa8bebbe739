//! Which program an image starts. Pure.

use serde::Deserialize;

/// Where a program is looked for when the image does not say (`opencontainers/runtime-spec` leaves it to the runtime; this is
/// docker's and runc's default).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// More directories than any search path has.
const MAX_CANDIDATES: usize = 32;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Process {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default)]
    config: Option<Process>,
}

/// Where the program an image starts may be: absolute paths, the first that is a file is it. Empty where the config starts
/// nothing or is none.
pub fn entrypoint_candidates(config: &[u8]) -> Vec<String> {
    let process = serde_json::from_slice::<Config>(config).ok().and_then(|c| c.config).unwrap_or_default();
    let words = process.entrypoint.filter(|words| !words.is_empty()).or(process.cmd).unwrap_or_default();
    let Some(program) = words.into_iter().next().filter(|word| !word.is_empty()) else { return Vec::new() };
    let dir = process.working_dir.filter(|dir| dir.starts_with('/')).unwrap_or_else(|| "/".to_owned());
    if program.starts_with('/') {
        return vec![program];
    }
    if program.contains('/') {
        return vec![below(&dir, &program)];
    }
    let env = process.env.unwrap_or_default();
    let path = env.iter().rev().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let absolute = path.split(':').filter(|dir| dir.starts_with('/'));
    absolute.take(MAX_CANDIDATES).map(|dir| below(dir, &program)).collect()
}

fn below(dir: &str, name: &str) -> String {
    format!("{}/{name}", dir.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"config": {"Entrypoint": ["/app", "x"], "Cmd": ["y"]}}"#, &["/app"])]
    #[case(r#"{"config": {"Entrypoint": null, "Cmd": ["/bin/sh", "-c", "x"]}}"#, &["/bin/sh"])]
    #[case(r#"{"config": {"Entrypoint": [], "Cmd": ["app"], "Env": ["PATH=/a:/b/:rel"]}}"#, &["/a/app", "/b/app"])]
    #[case(r#"{"config": {"Cmd": ["./app"], "WorkingDir": "/srv"}}"#, &["/srv/./app"])]
    #[case(r#"{"config": {"Cmd": ["bin/app"]}}"#, &["/bin/app"])]
    #[case(r#"{"config": {}}"#, &[])]
    #[case(r#"{}"#, &[])]
    #[case("no json", &[])]
    fn the_program_is_where_a_container_would_look(#[case] config: &str, #[case] want: &[&str]) {
        assert_eq!(entrypoint_candidates(config.as_bytes()), want);
    }

    #[test]
    fn without_a_path_the_usual_one_counts() {
        let found = entrypoint_candidates(br#"{"config": {"Cmd": ["app"]}}"#);
        assert_eq!((found.len(), found[1].as_str()), (6, "/usr/local/bin/app"));
    }
}
