//! The container this very process runs in, as the engine knows it, and the image that was made of: where that is our own image,
//! BuildKit need not be pulled. Reads `/proc/self/mountinfo`; asks the engine, which may know nothing of us (it may be another one's).

use bollard::models::ContainerInspectResponse;

use super::{ANSWER, Engine};

/// Label of our image: the version of BuildKit in it (`Dockerfile`).
const LABEL: &str = "io.stagefreight.buildkit";
/// Containers whose files are mounted here; ours is among the first.
const ASKED: usize = 4;

/// Our image, in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnImage {
    /// Its id, `sha256:…`.
    pub id: String,
    /// Version of the BuildKit in it.
    pub buildkit: String,
}

impl OwnImage {
    /// In one word, for processes of our own.
    pub fn word(&self) -> String {
        format!("{} {}", self.id, self.buildkit)
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        let (id, buildkit) = word.split_once(' ')?;
        Some(Self { id: id.to_owned(), buildkit: buildkit.to_owned() })
    }
}

impl Engine {
    /// The image of the container we run in, where this engine runs it and it is ours.
    pub async fn own_image(&self) -> Option<OwnImage> {
        let found = self.own_container().await?;
        let labels = found.config?.labels?;
        Some(OwnImage { id: found.image?, buildkit: labels.get(LABEL)?.clone() })
    }

    /// Where a path that is mounted into the container we run in lies on the engine's machine; the path itself where we run in none.
    pub async fn outside(&self, path: &str) -> String {
        let mounts = self.own_container().await.and_then(|found| found.mounts).unwrap_or_default();
        let mount = mounts.into_iter().find(|mount| mount.destination.as_deref() == Some(path));
        mount.and_then(|mount| mount.source).unwrap_or_else(|| path.to_owned())
    }

    /// An engine that does not know it, or does not answer: then it is as if we ran in none.
    async fn own_container(&self) -> Option<ContainerInspectResponse> {
        let mounts = tokio::fs::read_to_string("/proc/self/mountinfo").await.ok()?;
        for id in containers(&mounts) {
            let asked = tokio::time::timeout(ANSWER, self.client.inspect_container(id, None)).await;
            if let Ok(Ok(found)) = asked {
                return Some(found);
            }
        }
        None
    }
}

/// Ids of containers whose own files (`hostname`, `hosts`, `resolv.conf`) are mounted here, in order.
fn containers(mountinfo: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for root in mountinfo.lines().filter_map(|line| line.split(' ').nth(3)) {
        let Some((_, rest)) = root.rsplit_once("containers/") else { continue };
        let (id, _) = rest.split_once('/').unwrap_or((rest, ""));
        if id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && !found.contains(&id) {
            found.push(id);
        }
    }
    found.truncate(ASKED);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_known_by_the_files_that_the_engine_mounts_into_it() {
        let id = "4f".repeat(32);
        let text = format!(
            "1 0 0:1 / / rw - overlay overlay rw\n\
             2 1 8:1 /data/docker/containers/{id}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw\n\
             3 1 8:1 /data/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/vda rw\n\
             4 1 8:1 /home/containers/mine /mnt rw - ext4 /dev/vda rw\n\nrubbish\n"
        );
        assert_eq!(containers(&text), [id.as_str()]);
        assert_eq!(containers("1 0 0:1 / / rw - overlay overlay rw\n"), [""; 0]);
        let many: String =
            (10..30).map(|n| format!("1 1 1:1 /containers/{n}{}/x /x rw - e e\n", "a".repeat(62))).collect();
        assert_eq!(containers(&many).len(), ASKED);
    }

    #[test]
    fn it_is_handed_on_in_one_word() {
        let image = OwnImage { id: "sha256:1".into(), buildkit: "v1".into() };
        assert_eq!(OwnImage::parse(&image.word()), Some(image));
        assert_eq!(OwnImage::parse("x"), None);
    }
}
