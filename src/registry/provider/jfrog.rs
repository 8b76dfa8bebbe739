//! Artifactory (JFrog's REST API reference: "Folder Info", "Delete Item"): a tag is a folder `REPOSITORY/IMAGE/TAG` that holds
//! its manifest. Basic authentication with a token as password.
//!
//! Where the repository's name is part of the host (the subdomain method), the folder is not where the path says; the API
//! answers 404 then, and the specification is left.

use serde::Deserialize;

use super::super::api::{Api, Credential};
use super::super::error::{Fault, RegistryError};
use crate::image::{Repository, Tag};

const NEEDS: &str = "Artifactory wants an account or token with the right to delete in this repository.";

#[derive(Debug)]
pub(in super::super) struct Jfrog {
    api: Api,
    credential: Option<Credential>,
}

#[derive(Deserialize)]
struct Folder {
    children: Vec<Child>,
}

#[derive(Deserialize)]
struct Child {
    uri: String,
    folder: bool,
}

impl Jfrog {
    pub(super) fn new(api: Api) -> Self {
        let credential = api.login().map(Credential::basic);
        Self { api, credential }
    }

    /// Deletes the folder of a tag, if it is one and nothing else: the tags of an image `app/v1` are folders in that of the tag
    /// `v1` of `app`.
    pub(super) async fn untag(&self, repository: &Repository, tag: &Tag) -> Result<(), RegistryError> {
        let attempt = self.api.attempt(repository, format!("deleting {tag} from"), NEEDS);
        let path = format!("{}/{tag}", repository.path());
        let url = self.api.url(&attempt, &format!("artifactory/api/storage/{path}"))?;
        let folder: Folder = self.api.get(&attempt, url, self.credential.as_ref()).await?;
        if !is_tag(&folder) {
            let what = format!("the folder {path} holds more than the tag, and deleting it would take that too");
            return Err(RegistryError { attempt, fault: Fault::Unsafe(what) });
        }
        self.api.delete(&attempt, &format!("artifactory/{path}"), self.credential.as_ref()).await
    }
}

fn is_tag(folder: &Folder) -> bool {
    let manifest = |child: &Child| matches!(child.uri.as_str(), "/manifest.json" | "/list.manifest.json");
    folder.children.iter().any(manifest) && !folder.children.iter().any(|child| child.folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folder_of_a_tag_is_one() {
        let folder = |children: &[(&str, bool)]| Folder {
            children: children.iter().map(|(uri, folder)| Child { uri: (*uri).into(), folder: *folder }).collect(),
        };
        assert!(is_tag(&folder(&[("/manifest.json", false), ("/sha256__ab", false)])));
        assert!(is_tag(&folder(&[("/list.manifest.json", false)])));
        assert!(!is_tag(&folder(&[("/manifest.json", false), ("/v2", true)])));
        assert!(!is_tag(&folder(&[("/v1", true)])));
        assert!(!is_tag(&folder(&[("/manifest.json", true)])));
        assert!(!is_tag(&folder(&[])));
    }
}
