//! From the configuration to the repositories that are asked about, each once, however many targets publish to it.

use std::collections::BTreeSet;

use super::{Claims, Owner, Question};
use crate::cache::flags;
use crate::config::model::{Retention, Target};
use crate::image::Tag;
use crate::plan::{self, TargetPlan};
use crate::problem::Problem;
use crate::request::Request;

/// A repository to tidy up.
#[derive(Debug)]
pub(super) struct Shelf {
    /// The first target that asks for it: with its login.
    pub(super) target: TargetPlan,
    claims: Claims,
    cache_prefixes: Vec<String>,
    /// Tags this run has put there.
    pub(super) ours: BTreeSet<Tag>,
}

impl Shelf {
    /// What is asked about it.
    pub(super) fn question<'a>(&'a self, request: &'a Request, busy: &'a BTreeSet<Tag>) -> Question<'a> {
        Question {
            repository: &self.target.repository,
            claims: &self.claims,
            policies: &request.config.policies.git_tags,
            cache_prefixes: &self.cache_prefixes,
            ours: &self.ours,
            busy,
        }
    }
}

/// The rules of a target, if it has any.
pub(super) fn retention<'r>(request: &'r Request, target: &str) -> Option<&'r Retention> {
    request.config.targets.iter().find(|found| found.id == target)?.retention.as_ref()
}

/// The repositories of these targets, whose rules are carried out. Tags that other targets may have put there are theirs, also
/// where these others are out of this run; a target whose repository is not known in this run may have put tags anywhere.
///
/// # Errors
/// A template that cannot be turned round.
pub(super) fn shelves(request: &Request, active: &[TargetPlan]) -> Result<Vec<Shelf>, Problem> {
    let config = &request.config;
    let all = plan::registry_targets(request);
    let find = |id: &str| config.targets.iter().find(|target| target.id == id);
    let mut shelves: Vec<Shelf> = Vec::new();
    for target in active {
        if shelves.iter().any(|shelf| shelf.target.repository == target.repository) {
            continue;
        }
        let mut owners = Vec::new();
        for (id, place) in &all {
            let here = place.as_ref().map_or(true, |place| place.repository == target.repository);
            let Some(own) = find(id).filter(|_| here) else { continue };
            let asked = active.iter().any(|one| one.id == *id && one.repository == target.repository);
            owners.push(owner(own, own.retention.as_ref().filter(|_| asked), request)?);
        }
        shelves.push(Shelf {
            target: target.clone(),
            claims: Claims::new(owners),
            cache_prefixes: cache_prefixes(request),
            ours: BTreeSet::new(),
        });
    }
    Ok(shelves)
}

fn owner(target: &Target, retention: Option<&Retention>, request: &Request) -> Result<Owner, Problem> {
    Owner::new(target, retention, &request.config.vars)
        .map_err(|error| Problem::new(format!("targets.{}.tags: {error}", target.id)))
}

/// With the default one: caches stay when their name is changed.
fn cache_prefixes(request: &Request) -> Vec<String> {
    let config = &request.config;
    let bases = [config.build_cache.external.path.as_deref().unwrap_or(flags::PREFIX), flags::PREFIX];
    let of_builds = |base: &str| config.builds.iter().map(move |b| format!("{base}-{}", b.id)).collect::<Vec<_>>();
    let mut all: Vec<String> =
        bases.iter().flat_map(|base| [vec![(*base).to_owned()], of_builds(base)].concat()).collect();
    all.sort();
    all.dedup();
    all
}
