//! Which tags may be put. Everything is decided before the first is, so that what must fail fails with nothing touched.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};

use super::{PARALLEL, Rules, State, Wish};
use crate::config::model::{FixedTags, MovingTags, OnConflict};
use crate::image::Tag;
use crate::problem::{Failure, FailureKind, Problem};
use crate::publish::forward::{self, Ruling};

/// Decides for every tag that does not name our image yet. Returns what is said of those that are taken.
pub(super) async fn all(wishes: &mut [Wish<'_>], rules: Rules<'_>) -> Result<Vec<String>, Failure> {
    let verdicts = wishes.iter().map(|wish| async move {
        match (&wish.state, wish.held()) {
            (State::Wanted, Some(_)) => verdict(wish, rules).await,
            _ => Verdict::Take,
        }
    });
    let verdicts: Vec<_> = stream::iter(verdicts).buffered(PARALLEL).collect().await;
    let (mut said, mut refused) = (Vec::new(), Vec::new());
    for (wish, verdict) in wishes.iter_mut().zip(verdicts) {
        match verdict {
            Verdict::Take => {}
            Verdict::Pass(why) => said.push(format!("{wish} is taken: {why}")),
            Verdict::Leave(why) => wish.state = State::Left(why),
            Verdict::Refuse(why) => refused.push(why),
        }
    }
    if refused.is_empty() { Ok(said) } else { Err(Failure::many(FailureKind::Publish, refused)) }
}

/// What is done about one tag.
pub(super) enum Verdict {
    Take,
    /// Taken without a comparison, and why.
    Pass(String),
    Leave(Problem),
    /// The run fails.
    Refuse(Problem),
}

/// For a tag that names another image.
pub(super) async fn verdict(wish: &Wish<'_>, rules: Rules<'_>) -> Verdict {
    match wish.moves() {
        true => moving(wish, rules).await,
        false => fixed(wish, rules.publish.fixed_tags),
    }
}

fn fixed(wish: &Wish<'_>, rule: FixedTags) -> Verdict {
    let held = wish.held().map(|digest| digest.short().to_string()).unwrap_or_default();
    let what = format!("{wish} exists and names another image, {held}");
    match rule {
        FixedTags::Replace => Verdict::Take,
        FixedTags::Skip => Verdict::Leave(Problem::new(what).hint("`publish: fixed_tags: replace` puts it on the new image")),
        FixedTags::Fail => Verdict::Refuse(Problem::new(what).hint(
            "publish under a new version; or say `publish: fixed_tags: skip` to leave such tags, `replace` to put them on the new image",
        )),
    }
}

async fn moving(wish: &Wish<'_>, rules: Rules<'_>) -> Verdict {
    let Some(held) = wish.held().filter(|_| rules.publish.moving_tags == MovingTags::Forward) else {
        return Verdict::Take;
    };
    let conflict = |why: Problem| match rules.publish.on_conflict {
        OnConflict::Skip => Verdict::Leave(why),
        OnConflict::Fail => Verdict::Refuse(Problem { what: format!("{wish} may not be taken: {}", why.what), ..why }),
    };
    let holder = match forward::holder(wish.place.registry(), &wish.place.target.repository, held).await {
        Ok(holder) => holder,
        Err(why) => return conflict(why),
    };
    match forward::judge(rules.ours, &holder, rules.history).await {
        Ruling::Take(why) => {
            tracing::debug!(tag = %wish, why, "taken");
            Verdict::Take
        }
        Ruling::Pass(why) => Verdict::Pass(why),
        Ruling::Leave(why) => {
            conflict(Problem::new(why).hint("`publish: moving_tags: always` takes it whatever it names"))
        }
        Ruling::Unknown(why) => conflict(why),
    }
}

/// One tag of one image that is put in one registry and left in another, for people: registries that tell different stories.
pub(super) fn disagreements(wishes: &[Wish<'_>]) -> Vec<Problem> {
    let mut by_tag: BTreeMap<(&str, &Tag), Vec<&Wish<'_>>> = BTreeMap::new();
    for wish in wishes {
        by_tag.entry((wish.image.build(), wish.tag)).or_default().push(wish);
    }
    let split = by_tag.into_iter().filter_map(|((_, tag), all)| {
        let (left, taken): (Vec<_>, Vec<_>) = all.into_iter().partition(|wish| matches!(wish.state, State::Left(_)));
        (!left.is_empty() && !taken.is_empty()).then(|| {
            let places = |wishes: &[&Wish<'_>]| {
                wishes.iter().map(|w| w.place.target.repository.to_string()).collect::<Vec<_>>().join(", ")
            };
            let what =
                format!("the registries do not agree on `{tag}`: put in {}, left in {}", places(&taken), places(&left));
            Problem::new(what).hint("it names different images there now; the lines above say why it was left")
        })
    });
    split.collect()
}
