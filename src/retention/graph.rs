//! What needs what in a repository: manifests as nodes, read as far as a question goes and each at most once.
//!
//! An image needs the manifests below it and everything said about it: what refers to it by the registry's own listing, and what
//! hangs on the tags `sha256-<hex>…` (listings of registries without that, signatures and attestations of cosign 2). What stays
//! also keeps the subject it speaks of. Decides nothing; deletes nothing.

use std::collections::HashMap;

use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::read::{ConfigAt, Found, Pointer, Reader, Shape, many};
use crate::image::Digest;
use crate::problem::Problem;
use crate::registry::Reference;

/// More manifests than any repository of this world has; a graph beyond that is not followed.
const MOST: usize = 500_000;

/// A node.
pub(super) type Id = usize;

/// Manifests and what they need.
#[derive(Debug, Default)]
pub(super) struct Graph {
    ids: HashMap<Digest, Id>,
    nodes: Vec<Node>,
    /// Roots of tags `sha256-<hex>…`, by what they speak of.
    attached: HashMap<Digest, Vec<Id>>,
    /// Whether the registry lists referrers; `None` before it was asked.
    lists: Option<bool>,
}

#[derive(Debug)]
struct Node {
    digest: Digest,
    shape: Shape,
    state: State,
    children: Vec<Id>,
    /// The first image below it: through it an index says how old it is.
    first: Option<Id>,
    subject: Option<Id>,
    referrers: Option<Vec<Id>>,
    created: Option<Timestamp>,
    config: Option<ConfigAt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unread,
    Read,
    /// It is surely not there.
    Gone,
}

/// Why a set of nodes is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// These stay, and everything they need.
    Staying,
    /// These would go, and everything they brought with them.
    Going,
}

impl Graph {
    /// The node of a manifest.
    pub(super) fn node(&mut self, digest: &Digest, shape: Shape) -> Id {
        if let Some(id) = self.ids.get(digest) {
            if self.nodes[*id].shape == Shape::Unknown {
                self.nodes[*id].shape = shape;
            }
            return *id;
        }
        let id = self.nodes.len();
        self.ids.insert(digest.clone(), id);
        self.nodes.push(Node {
            digest: digest.clone(),
            shape,
            state: State::Unread,
            children: Vec::new(),
            first: None,
            subject: None,
            referrers: None,
            created: None,
            config: None,
        });
        id
    }

    /// The node of a manifest that was read.
    pub(super) fn insert(&mut self, found: Found) -> Id {
        let id = self.node(&found.digest, found.shape);
        if self.nodes[id].state == State::Read {
            return id;
        }
        let first = found.children.iter().position(|child| child.shape == Shape::Image && !child.attests);
        let children: Vec<Id> = found.children.iter().map(|child| self.pointed(child)).collect();
        let subject = found.subject.map(|digest| self.node(&digest, Shape::Unknown));
        let node = &mut self.nodes[id];
        node.first = first.and_then(|at| children.get(at).copied());
        (node.state, node.shape, node.children, node.subject) = (State::Read, found.shape, children, subject);
        (node.created, node.config) = (found.created, found.config);
        id
    }

    /// A tag `sha256-<hex>…` points to `root` and speaks of `subject`.
    pub(super) fn attach(&mut self, subject: &Digest, root: Id) {
        self.attached.entry(subject.clone()).or_default().push(root);
    }

    /// The node of a digest, if anything spoke of it.
    pub(super) fn find(&self, digest: &Digest) -> Option<Id> {
        self.ids.get(digest).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn digest(&self, id: Id) -> &Digest {
        &self.nodes[id].digest
    }

    /// It is in the registry, as far as is known, and a manifest: it can be deleted.
    pub(super) fn is_there(&self, id: Id) -> bool {
        self.nodes[id].state != State::Gone && self.nodes[id].shape != Shape::Blob
    }

    pub(super) fn subject(&self, id: Id) -> Option<Id> {
        self.nodes[id].subject
    }

    /// What goes when a node goes, unless something else needs it.
    pub(super) fn brings(&self, id: Id) -> impl Iterator<Item = Id> {
        let node = &self.nodes[id];
        let attached = self.attached.get(&node.digest).into_iter().flatten();
        node.children.iter().chain(node.referrers.iter().flatten()).chain(attached).copied()
    }

    /// How old an image is, as far as has been read.
    pub(super) fn created(&self, id: Id) -> Option<Timestamp> {
        let node = &self.nodes[id];
        node.created.or_else(|| self.nodes[node.first?].created)
    }

    /// Reads these manifests, each once. Those that are not there are known as gone.
    pub(super) async fn read(&mut self, ids: Vec<Id>, reader: &Reader<'_>) -> Result<(), Problem> {
        let mut wanted: Vec<Id> = ids.into_iter().filter(|id| self.nodes[*id].state == State::Unread).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let wanted: Vec<_> = wanted.into_iter().map(|id| (id, self.nodes[id].digest.clone())).collect();
        let read = many(wanted, async |(id, digest)| Ok((id, reader.manifest(Reference::Digest(&digest)).await?)));
        let mut read = std::pin::pin!(read);
        while let Some(next) = read.next().await {
            match next.map_err(|error| error.problem())? {
                (_, Some(found)) => drop(self.insert(found)),
                (id, None) => self.nodes[id].state = State::Gone,
            }
        }
        self.check_size()
    }

    /// Finds out how old these images are: by their own annotation, else by the config of the image, the first of an index.
    pub(super) async fn date(&mut self, ids: &[Id], reader: &Reader<'_>) -> Result<(), Problem> {
        self.read(ids.to_vec(), reader).await?;
        let undated = |graph: &Self, id: &Id| graph.nodes[*id].created.is_none();
        let firsts: Vec<Id> =
            ids.iter().filter(|id| undated(self, id)).filter_map(|id| self.nodes[*id].first).collect();
        self.read(firsts.clone(), reader).await?;
        // Several images may have one config.
        let mut configs: HashMap<Digest, (ConfigAt, Vec<Id>)> = HashMap::new();
        for id in ids.iter().copied().chain(firsts) {
            if self.nodes[id].created.is_none()
                && let Some(config) = self.nodes[id].config.take()
            {
                configs.entry(config.digest.clone()).or_insert_with(|| (config, Vec::new())).1.push(id);
            }
        }
        let read = many(configs.into_values(), async |(config, of)| Ok((reader.created(&config).await?, of)));
        let mut read = std::pin::pin!(read);
        while let Some((created, of)) = read.try_next().await.map_err(|error| error.problem())? {
            of.into_iter().for_each(|id| self.nodes[id].created = created);
        }
        Ok(())
    }

    /// Everything these need or bring with them, themselves included, as one flag for each node. Nothing is followed into `stop`.
    ///
    /// # Errors
    /// When a manifest that matters cannot be read, or it cannot be told what refers to one.
    pub(super) async fn follow(
        &mut self,
        roots: Vec<Id>,
        why: Follow,
        stop: &[bool],
        reader: &Reader<'_>,
    ) -> Result<Vec<bool>, Problem> {
        let stopped = |id: Id| stop.get(id).copied().unwrap_or_default();
        let mut members = vec![false; self.nodes.len()];
        let mut wave: Vec<Id> = roots;
        wave.sort_unstable();
        wave.dedup();
        wave.retain(|id| !stopped(*id));
        while !wave.is_empty() {
            members.resize(self.nodes.len(), false);
            wave.iter().for_each(|id| members[*id] = true);
            let unread = wave.iter().copied().filter(|id| match self.nodes[*id].shape {
                Shape::Unknown | Shape::Index => true,
                // What an image speaks of has to be known before it goes.
                Shape::Image => why == Follow::Going,
                Shape::Blob => false,
            });
            self.read(unread.collect(), reader).await?;
            if why == Follow::Staying
                && let Some(id) = wave.iter().find(|id| self.nodes[**id].state == State::Gone)
            {
                let what = format!("{} is needed by a tag that stays, and is not there", self.nodes[*id].digest);
                return Err(Problem::new(what).hint("push the tag again, or delete it"));
            }
            self.ask_for_referrers(&wave, reader).await?;
            members.resize(self.nodes.len(), false);
            let mut next = Vec::new();
            for id in wave {
                let subject = self.nodes[id].subject.filter(|_| why == Follow::Staying);
                for needed in self.brings(id).chain(subject).collect::<Vec<_>>() {
                    if !members[needed] && !stopped(needed) && self.nodes[needed].shape != Shape::Blob {
                        members[needed] = true;
                        next.push(needed);
                    }
                }
            }
            wave = next;
        }
        members.resize(self.nodes.len(), false);
        Ok(members)
    }

    /// Asks the registry what refers to these, unless it has no such listings.
    async fn ask_for_referrers(&mut self, ids: &[Id], reader: &Reader<'_>) -> Result<(), Problem> {
        let mut wanted: Vec<Id> =
            ids.iter().copied().filter(|id| self.is_there(*id) && self.nodes[*id].referrers.is_none()).collect();
        if self.lists.is_none() {
            // A manifest that was just read is there: a registry that knows nothing of listings for it knows of none.
            let Some(at) = wanted.iter().position(|id| self.nodes[*id].state == State::Read) else { return Ok(()) };
            let id = wanted.swap_remove(at);
            let listed = reader.referrers(&self.nodes[id].digest).await.map_err(|error| undiscovered(&error))?;
            self.lists = Some(listed.is_some());
            self.note_referrers(id, listed.unwrap_or_default());
        }
        if self.lists != Some(true) {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.into_iter().map(|id| (id, self.nodes[id].digest.clone())).collect();
        let listed = many(wanted, async |(id, digest)| Ok((id, digest.clone(), reader.referrers(&digest).await?)));
        let mut listed = std::pin::pin!(listed);
        while let Some((id, digest, listed)) = listed.try_next().await.map_err(|error| undiscovered(&error))? {
            let Some(listed) = listed else {
                let what = format!("the registry lists what refers to other images, and not what refers to {digest}");
                return Err(Problem::new(what).hint("look at the log of the registry"));
            };
            self.note_referrers(id, listed);
        }
        self.check_size()
    }

    fn note_referrers(&mut self, id: Id, listed: Vec<Pointer>) {
        let referrers = listed.iter().map(|pointer| self.pointed(pointer)).collect();
        self.nodes[id].referrers = Some(referrers);
    }

    fn pointed(&mut self, pointer: &Pointer) -> Id {
        self.node(&pointer.digest, pointer.shape)
    }

    fn check_size(&self) -> Result<(), Problem> {
        if self.nodes.len() <= MOST {
            return Ok(());
        }
        Err(Problem::new(format!("there are more than {MOST} manifests to follow"))
            .hint("delete old images by hand once, or by the registry's own rules"))
    }
}

fn undiscovered(error: &crate::registry::RegistryError) -> Problem {
    let problem = error.problem();
    Problem { what: format!("what refers to an image cannot be told: {}", problem.what), ..problem }
}
