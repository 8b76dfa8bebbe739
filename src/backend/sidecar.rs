//! The BuildKit container where this job itself runs in our image: made of that very image, so that nothing is pulled. buildx
//! drives it like any other container; only who makes it differs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::builder::Surroundings;
use crate::buildx::argv::ContainerOptions;
use crate::engine::{CONFIG, Engine, OwnImage, Sidecar};
use crate::environment::Vars;
use crate::problem::Problem;

/// Tells a second pass in a container of the candidate which image the first pass's BuildKit was made of; empty if of none.
pub(crate) const HANDED: &str = "STAGEFREIGHT_CRUCIBLE_OWN_IMAGE";

/// Our image, if this job runs in it. A second pass goes by what the first one found: its own container is another one.
pub(super) async fn own_image(engine: &Engine, vars: &Vars) -> Option<OwnImage> {
    match vars.raw(HANDED) {
        Some(word) => OwnImage::parse(word),
        None => engine.own_image().await,
    }
}

/// Makes the container, ready to be started.
///
/// # Errors
/// When the engine refuses, or a CA file cannot be read.
pub(super) async fn make(
    engine: &Engine,
    own: &OwnImage,
    name: &str,
    options: &ContainerOptions,
    around: Surroundings<'_>,
) -> Result<(), Problem> {
    let sidecar = Sidecar {
        name: name.to_owned(),
        image: own.id.clone(),
        env: options.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        host_network: options.host_network,
        configured: options.config.is_some(),
    };
    let files = files(options.config.as_deref(), &authorities(around));
    engine.make_sidecar(&sidecar, move |sink| files.and_then(|files| write(&files, sink))).await
}

/// CA files that the configuration names, each under the path it has there.
fn authorities(around: Surroundings<'_>) -> BTreeSet<PathBuf> {
    let named = around.registries.values().filter_map(|settings| settings.ca.as_deref());
    named.chain(around.network.ca.as_deref()).map(|path| around.root.join(path)).collect()
}

/// What goes into the container: where, and what.
fn files(config: Option<&Path>, authorities: &BTreeSet<PathBuf>) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let Some(config) = config else { return Ok(Vec::new()) };
    let read = |from: &Path| {
        std::fs::read(from).map_err(|e| std::io::Error::new(e.kind(), format!("{}: {e}", from.display())))
    };
    let mut files = vec![(PathBuf::from(CONFIG), read(config)?)];
    for path in authorities {
        files.push((path.clone(), read(path)?));
    }
    Ok(files)
}

fn write(files: &[(PathBuf, Vec<u8>)], sink: &mut dyn std::io::Write) -> std::io::Result<()> {
    let mut tar = tar::Builder::new(sink);
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path.strip_prefix("/").unwrap_or(path), bytes.as_slice())?;
    }
    tar.into_inner()?.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_lies_where_the_configuration_says() {
        let dir = tempfile::tempdir().unwrap();
        let (config, ca) = (dir.path().join("buildkitd.toml"), dir.path().join("ca.pem"));
        std::fs::write(&config, "x").unwrap();
        let wanted = BTreeSet::from([ca.clone()]);
        assert_eq!(files(None, &wanted).unwrap(), []);
        assert!(files(Some(&config), &wanted).unwrap_err().to_string().contains("ca.pem"), "named");
        std::fs::write(&ca, "y").unwrap();
        let files = files(Some(&config), &wanted).unwrap();
        assert_eq!(files, [(PathBuf::from(CONFIG), b"x".to_vec()), (ca.clone(), b"y".to_vec())]);
        let mut archive = Vec::new();
        write(&files, &mut archive).unwrap();
        let mut tar = tar::Archive::new(archive.as_slice());
        let names: Vec<_> = tar.entries().unwrap().map(|e| e.unwrap().path().unwrap().into_owned()).collect();
        assert_eq!(names, [Path::new("etc/buildkit/buildkitd.toml"), ca.strip_prefix("/").unwrap()]);
    }
}
