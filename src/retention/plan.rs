//! What is going to be deleted in one repository, and what stays, and why: decided before anything is touched.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Claims;
use super::entries::{Entry, Kind, Root, entries, resolve};
use super::graph::{Follow, Graph, Id};
use super::order::{Action, Group, Step, order};
use super::read::{Reader, Shape};
use super::rules::{self, Candidate, Ruling};
use crate::config::conditions::NameList;
use crate::image::{Digest, Repository, Tag};
use crate::problem::Problem;
use crate::registry::{Catalog, Fault};

/// How long reading a repository may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What is asked of a repository.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where.
    pub repository: &'a Repository,
    /// Who makes tags there, and the rules of those that are asked now.
    pub claims: &'a Claims,
    /// `policies.git_tags`, which `protect` may name.
    pub policies: &'a std::collections::BTreeMap<String, String>,
    /// What cache tags may begin with.
    pub cache_prefixes: &'a [String],
    /// Tags that this run has just put: they stay.
    pub ours: &'a BTreeSet<Tag>,
    /// Tags that are left alone and count for no rule: somebody else is at work on them.
    pub busy: &'a BTreeSet<Tag>,
}

/// What is going to happen to a repository's tags.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RetentionPlan {
    /// Where.
    pub repository: Repository,
    /// Targets whose rules these are.
    pub targets: Vec<String>,
    /// Tags that stay.
    pub staying: Vec<Staying>,
    /// Tags that go.
    pub going: Vec<Going>,
    /// Manifests that go, the tags' own and what only they need.
    pub manifests: usize,
    /// Why nothing is deleted although the rules ask for it: the repository could not be read whole. `going` is empty then.
    pub obstacle: Option<Problem>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Requests that the decision took.
    pub requests: usize,
    #[serde(skip)]
    pub(super) groups: Vec<Group>,
}

/// A tag that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Staying {
    /// The tag.
    pub tag: Tag,
    /// What it points to, if it had to be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// How old its image is, if that was asked and told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// One phrase.
    pub why: String,
}

/// A tag that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Going {
    /// The tag.
    pub tag: Tag,
    /// What it points to.
    pub digest: Digest,
    /// How old its image is; of what is attached to an image it is not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Its image stays, because something that stays needs it.
    pub image_stays: bool,
    /// It holds signatures or other statements about an image that goes.
    pub attached: bool,
}

/// Decides what goes from a repository. Deletes nothing.
///
/// Trouble is part of the plan: a repository that cannot be read whole keeps everything.
pub async fn plan(catalog: &Catalog, question: &Question<'_>, cancel: &CancellationToken) -> RetentionPlan {
    let owners = question.claims.owners().iter().filter(|owner| owner.retention.is_some());
    let mut plan = RetentionPlan {
        repository: question.repository.clone(),
        targets: owners.map(|owner| owner.target.clone()).collect(),
        staying: Vec::new(),
        going: Vec::new(),
        manifests: 0,
        obstacle: None,
        notes: Vec::new(),
        requests: 0,
        groups: Vec::new(),
    };
    let reader = Reader::new(catalog, question.repository);
    let decided = tokio::select! {
        decided = decide(catalog, question, &reader, &mut plan) => decided,
        () = cancel.cancelled() => Err(Problem::new("reading the repository was stopped by a signal")),
        () = tokio::time::sleep(PATIENCE) => {
            let what = format!("reading the repository took more than {} minutes", PATIENCE.as_secs() / 60);
            Err(Problem::new(what).hint("look at the state of the registry; fewer tags take less time"))
        }
    };
    plan.requests = reader.requests();
    if let Err(problem) = decided {
        (plan.going, plan.groups, plan.manifests) = (Vec::new(), Vec::new(), 0);
        plan.obstacle = Some(problem);
    }
    plan
}

async fn decide(
    catalog: &Catalog,
    question: &Question<'_>,
    reader: &Reader<'_>,
    plan: &mut RetentionPlan,
) -> Result<(), Problem> {
    let listed = match catalog.tags(question.repository).await {
        Ok(listed) => listed,
        Err(error) if matches!(error.fault, Fault::NameUnknown | Fault::NotFound) => Vec::new(),
        Err(error) => return Err(error.problem()),
    };
    let mut graph = Graph::default();
    let mut entries = entries(listed, question.claims, question.cache_prefixes);
    // The rules, first: where they let nothing go, nothing more has to be read.
    let reasons = by_rules(&mut entries, question, &mut graph, reader, plan).await?;
    if reasons.iter().all(Option::is_some) {
        plan.staying = staying(&entries, &reasons, &graph);
        return Ok(());
    }
    // Then everything that stays, and what it needs.
    resolve(&mut entries, |_| true, &mut graph, reader).await?;
    for entry in &entries {
        if let (Kind::Attached(subject), Some(root)) = (&entry.kind, entry.id()) {
            graph.attach(subject, root);
        }
    }
    let (kept, gone) = closures(&entries, &reasons, &mut graph, reader).await?;
    write(plan, &entries, reasons, (&kept, &gone), &graph);
    Ok(())
}

/// Why each tag stays by the rules; `None` where none keeps it.
async fn by_rules(
    entries: &mut [Entry],
    question: &Question<'_>,
    graph: &mut Graph,
    reader: &Reader<'_>,
    plan: &mut RetentionPlan,
) -> Result<Vec<Option<String>>, Problem> {
    let mut reasons: Vec<Option<String>> = entries.iter().map(|entry| outside(entry, question)).collect();
    // A tag of several targets goes only if each lets it go.
    let mut stays: HashMap<usize, String> = HashMap::new();
    for (at, owner) in question.claims.owners().iter().enumerate() {
        let Some(rules) = &owner.retention else { continue };
        if !rules::has_rules(rules) {
            plan.notes.push(format!(
                "targets.{}.retention says of nothing how much stays, so all stays (a rule of 0 is no rule)",
                owner.target
            ));
        }
        let protect = NameList::new(&rules.protect, question.policies)
            .map_err(|bad| Problem::new(format!("targets.{}.retention.protect: {bad}", owner.target)))?;
        let ours = |n: &usize| reasons[*n].is_none() && matches!(&entries[*n].kind, Kind::Made(of) if of.contains(&at));
        let own: Vec<usize> = (0..entries.len()).filter(ours).collect();
        let free = |n: &usize| protect.lets_in(entries[*n].tag.as_str()).is_none();
        let aged: Vec<usize> = own.iter().copied().filter(free).collect();
        let all_last = rules.keep_last.is_some_and(|last| last as usize >= aged.len());
        if rules::has_rules(rules) && !all_last {
            let wanted: BTreeSet<usize> = aged.iter().copied().collect();
            resolve(entries, |n| wanted.contains(&n), graph, reader).await?;
            let roots: Vec<Id> = aged.iter().filter_map(|n| entries[*n].id()).collect();
            graph.date(&roots, reader).await?;
        }
        let candidate = |n: &usize| {
            let entry = &entries[*n];
            let told = entry.id().and_then(|id| graph.created(id)).or(entry.pushed);
            // Where all fit into the last so many, their times are not asked.
            let time = told.or_else(|| all_last.then_some(Timestamp::UNIX_EPOCH));
            Candidate { tag: entry.tag.clone(), time }
        };
        let candidates: Vec<_> = own.iter().map(candidate).collect();
        for (n, ruling) in own.iter().zip(rules::decide(&candidates, rules, &protect)) {
            if let Ruling::Keep(why) = ruling {
                stays.entry(*n).or_insert(why);
            }
        }
    }
    for (n, reason) in reasons.iter_mut().enumerate().filter(|(_, reason)| reason.is_none()) {
        *reason =
            stays.remove(&n).or_else(|| question.ours.contains(&entries[n].tag).then(|| "put by this run".to_owned()));
        if entries[n].root == Root::Gone {
            *reason = Some("it is listed, and holds nothing".to_owned());
        }
    }
    Ok(reasons)
}

/// Why the rules do not speak of a tag.
fn outside(entry: &Entry, question: &Question<'_>) -> Option<String> {
    if question.busy.contains(&entry.tag) {
        return Some("it came or moved while this was planned".to_owned());
    }
    match &entry.kind {
        Kind::Attached(_) => Some("it speaks of an image that stays, or that is not known".to_owned()),
        Kind::Cache => Some("a build cache".to_owned()),
        Kind::Made(owners) if owners.is_empty() => Some("no template of the configuration makes it".to_owned()),
        Kind::Made(owners) => {
            let keeps = owners.iter().map(|at| &question.claims.owners()[*at]).find(|owner| owner.retention.is_none());
            keeps.map(|owner| format!("target {} may have made it, whose rules are not asked", owner.target))
        }
    }
}

/// Everything that stays, and everything that goes, as one flag for each node.
async fn closures(
    entries: &[Entry],
    reasons: &[Option<String>],
    graph: &mut Graph,
    reader: &Reader<'_>,
) -> Result<(Vec<bool>, Vec<bool>), Problem> {
    let roots = |keep: &dyn Fn(&Entry, &Option<String>) -> bool| -> Vec<Id> {
        entries
            .iter()
            .zip(reasons)
            .filter(|(entry, why)| keep(entry, why))
            .filter_map(|(entry, _)| entry.id())
            .collect()
    };
    let attached = |entry: &Entry| matches!(entry.kind, Kind::Attached(_));
    let mut stay_roots = roots(&|entry, why| why.is_some() && !attached(entry));
    let go_roots = roots(&|entry, why| why.is_none() && !attached(entry));
    loop {
        let kept = graph.follow(stay_roots.clone(), Follow::Staying, &[], reader).await?;
        let gone = graph.follow(go_roots.clone(), Follow::Going, &kept, reader).await?;
        let is = |flags: &[bool], id: Id| flags.get(id).copied().unwrap_or_default();
        // What speaks of an image that stays, stays, even if nothing lists it; and so does what speaks of an unknown one.
        let speaks = (0..graph.len()).filter(|id| is(&gone, *id) && graph.subject(*id).is_some_and(|s| is(&kept, s)));
        let mut more: Vec<Id> = speaks.collect();
        let strangers = entries.iter().filter_map(|entry| match &entry.kind {
            Kind::Attached(subject) => Some((entry.id()?, subject)),
            _ => None,
        });
        let strangers: Vec<_> =
            strangers.filter(|(_, subject)| !graph.find(subject).is_some_and(|id| is(&gone, id))).collect();
        for (root, subject) in strangers {
            more.extend([root, graph.node(subject, Shape::Unknown)]);
        }
        more.retain(|id| !is(&kept, *id));
        graph.read(more.clone(), reader).await?;
        more.retain(|id| graph.is_there(*id));
        if more.is_empty() {
            return Ok((kept, gone));
        }
        stay_roots.extend(more);
    }
}

/// Fills the plan.
fn write(
    plan: &mut RetentionPlan,
    entries: &[Entry],
    mut reasons: Vec<Option<String>>,
    (kept, gone): (&[bool], &[bool]),
    graph: &Graph,
) {
    let is = |flags: &[bool], id: Id| flags.get(id).copied().unwrap_or_default();
    let mut tags: HashMap<Id, Vec<Tag>> = HashMap::new();
    for (entry, reason) in entries.iter().zip(&mut reasons) {
        let Some(id) = entry.id() else { continue };
        let attached = match &entry.kind {
            Kind::Attached(subject) => graph.find(subject).filter(|id| is(gone, *id)),
            _ => None,
        };
        if attached.is_some() {
            *reason = None;
        }
        if reason.is_some() {
            continue;
        }
        let (digest, image_stays) = (graph.digest(id).clone(), is(kept, id));
        match image_stays {
            true => {
                let action = Action::Untag(entry.tag.clone(), digest.clone());
                plan.groups.push(vec![Step { action, below: Vec::new() }]);
            }
            false => tags.entry(id).or_default().push(entry.tag.clone()),
        }
        let created = if attached.is_some() { None } else { graph.created(id).or(entry.pushed) };
        plan.going.push(Going { tag: entry.tag.clone(), digest, created, image_stays, attached: attached.is_some() });
    }
    plan.going.sort_by(|a, b| (a.attached, a.created, &a.tag).cmp(&(b.attached, b.created, &b.tag)));
    let going: Vec<Id> = (0..graph.len()).filter(|id| is(gone, *id) && !is(kept, *id) && graph.is_there(*id)).collect();
    plan.manifests = going.len();
    plan.groups.extend(order(graph, &going, &tags));
    plan.staying = staying(entries, &reasons, graph);
}

fn staying(entries: &[Entry], reasons: &[Option<String>], graph: &Graph) -> Vec<Staying> {
    let with_reason = entries.iter().zip(reasons).filter_map(|(entry, why)| Some((entry, why.clone()?)));
    let mut staying: Vec<Staying> = with_reason
        .map(|(entry, why)| Staying {
            tag: entry.tag.clone(),
            digest: entry.id().map(|id| graph.digest(id).clone()),
            created: entry.id().and_then(|id| graph.created(id)).or(entry.pushed),
            why,
        })
        .collect();
    staying.sort_by(|a, b| a.tag.cmp(&b.tag));
    staying
}
