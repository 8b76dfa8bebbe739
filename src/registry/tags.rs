//! The tags of a repository, over as many pages as the registry has.

use std::collections::HashSet;

use reqwest::Method;
use reqwest::header::{HeaderMap, LINK};
use serde::Deserialize;
use url::Url;

use super::auth::scope;
use super::client::Registry;
use super::endpoint::same_origin;
use super::error::{Fault, RegistryError, clean};
use super::retry::retry;
use super::transport::{Body, Request};
use crate::image::{Repository, Tag};

const MAX_PAGES: usize = 1000;
const MAX_TAGS: usize = 200_000;
const MAX_PAGE: usize = 4 << 20;

impl Registry {
    /// Every tag of a repository, in the registry's order. All or an error: what is missing in a list is not deleted.
    ///
    /// # Errors
    /// When a page is not to be had or not understood, or there are more than 200 000. Where there is content and no tag,
    /// many registries say `NameUnknown`.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, RegistryError> {
        let attempt = self.attempt(repository, "listing the tags of".into());
        let scope = scope(repository.path(), "pull");
        let fail = |fault| RegistryError { attempt: attempt.clone(), fault };
        let (mut tags, mut seen) = (Vec::new(), HashSet::new());
        let mut next = Some(self.url(&attempt, repository, "tags/list?n=1000")?);
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { return Ok(tags) };
            let request = Request { method: Method::GET, url, scope: scope.clone(), accept: None, body: Body::None };
            let (headers, body) = retry(|| async {
                let response = self.transport.send(&attempt, &request).await?;
                let headers = response.headers().clone();
                Ok((headers, self.transport.read(response, MAX_PAGE).await.map_err(fail)?))
            })
            .await?;
            // Some registries give the same page for every address.
            let fresh = page(&body).map_err(fail)?.into_iter().filter(|tag| seen.insert(tag.clone()));
            tags.extend(fresh);
            if tags.len() > MAX_TAGS {
                return Err(fail(Fault::TooLarge(format!("more than {MAX_TAGS} tags"))));
            }
            next = next_page(&headers, &request.url).map_err(fail)?;
        }
        Err(fail(Fault::Protocol(format!("the list of tags has more than {MAX_PAGES} pages"))))
    }
}

fn page(body: &[u8]) -> Result<Vec<Tag>, Fault> {
    #[derive(Deserialize)]
    struct Page {
        tags: Option<Vec<Tag>>,
    }
    // An illegal tag fails the list: a list with holes looks like tags that are gone.
    let page: Page = serde_json::from_slice(body).map_err(|error| {
        Fault::Protocol(format!("the list of tags cannot be read: {}", clean(&error.to_string(), 200)))
    })?;
    Ok(page.tags.unwrap_or_default())
}

/// The address in `Link: <…>; rel="next"`.
pub(super) fn next_page(headers: &HeaderMap, here: &Url) -> Result<Option<Url>, Fault> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    for link in links.flat_map(|links| links.split(", <")) {
        let Some((target, params)) = link.trim_start_matches('<').split_once('>') else { continue };
        if !params.replace([' ', '"'], "").to_ascii_lowercase().contains("rel=next") {
            continue;
        }
        let wrong = || Fault::Protocol("the list goes on at an address that is none of its own".into());
        let next = here.join(target).map_err(|_| wrong())?;
        // A registry behind a proxy may not know its own scheme and port; the path is what counts.
        let mut same = here.clone();
        same.set_path(next.path());
        same.set_query(next.query());
        let next = if same_origin(&next, here) { next } else { same };
        return if next == *here { Err(wrong()) } else { Ok(Some(next)) };
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
