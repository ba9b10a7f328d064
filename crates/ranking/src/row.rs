//! Ranking: which titles a member is offered next.
//!
//! A title's score adds up, over the titles of the member's history, what having watched each speaks
//! for it: the weights of [associations](crate::associations), less with each step back, more or less by what the
//! member thought of the title. The beginning of the history counts as a title, too, and what was thumbed down
//! unwatched against its like. The sum is damped by how often the title is played anyway. Added is a little of
//! its decayed popularity and its trend, which order what associations do not reach and are all there is
//! for a new member. How much each of these counts is chosen from the stream, for members with few plays and with
//! many ([`crate::tuning`]). All count by the title's take-rate lift ([`crate::trending`]): how much more it is
//! taken where it is offered than others are; and by the member's [taste](crate::taste): genres that fill more of the whole history than of
//! others'. Titles of the catalogue that hardly anybody has played yet are mixed in by the
//! genres that the member likes. Titles seen, thumbed down, excluded or not available in the country are
//! left out. Equal scores are ordered by title id, so that the answer depends on state alone.
//!
//! In the end a few places go to titles that are new ([`crate::exploration`]), where it is known who asks.
//!
//! Not every title is scored: `search` passes over those that cannot be among the best.

mod alike;
mod explored;
mod explorer;
mod newcomers;
mod popularity;
mod repeats;
mod scorer;
mod search;
mod selection;
mod sums;

pub use alike::similar;
pub(crate) use explored::explored;
pub(crate) use explorer::Explorer;

use crate::query::Query;
use crate::ranked::Ranked;
use crate::settings::Repeats;
use hashbrown::{HashMap, HashSet};
use nearline_model::aggregates::Aggregates;
use nearline_model::catalogue::Catalogue;
use nearline_model::member::MemberSnapshot;
use nearline_model::symbols::Symbol;
use newcomers::NewcomerScorer;
use repeats::RepeatScorer;
use scorer::Scorer;
use search::{Found, search};
use selection::{Listing, Scored, best, best_of, candidates, diverse};

/// Ranks titles for a member; `None` ranks for somebody nothing is known of.
///
/// ```
/// use nearline_model::catalogue::Catalogue;
/// use nearline_model::identifier::OwnerEpoch;
/// use nearline_model::partition::{Batch, Lookup};
/// use nearline_model::settings::AggregateSettings;
/// use nearline_model::{Aggregates, FoldSettings, LogRecord, Partition, PartitionId, Position};
/// use nearline_ranking::{Query, Reason, rank};
///
/// // Three members watch one title after the other; the third has just begun.
/// let watched = [("ana", "alien"), ("ana", "brazil"), ("ben", "alien"), ("ben", "brazil"), ("cleo", "alien")];
/// let log = (1..).zip(watched).map(|(position, (member, title))| {
///     let payload = format!(
///         r#"{{"id":"e{position}","type":"play","member":"{member}","title":"{title}","at":"2026-03-01T20:15:00Z"}}"#
///     );
///     LogRecord { position: Position(position), log_ms: 1_772_396_100_000, payload: payload.into() }
/// });
///
/// // The fold makes state of each member, and a delta to the sums over all of them.
/// let mut partition = Partition::new(PartitionId(0), 1, FoldSettings::default());
/// let (admitted, _missing) = partition.admit(Batch::parse(log.collect(), 65_536));
/// partition.fold(admitted, |_, _| {});
/// let mut sums = Aggregates::new(1, AggregateSettings::default());
/// sums.add(&partition.take_commit(OwnerEpoch(1)).expect("something was folded").delta);
///
/// let Lookup::Ready(cleo) = partition.lookup("cleo", false) else { unreachable!("nothing was evicted") };
/// let query = Query { limit: 10, explain: true, ..Query::default() };
/// let row = rank(&sums, &Catalogue::default(), Some(&cleo), &query);
/// assert_eq!(row.len(), 1, "what she watched is left out");
/// assert_eq!(&*row[0].title, "brazil");
/// assert!(matches!(&row[0].reasons[0], Reason::BecauseYouWatched { title, .. } if &**title == "alien"));
/// ```
pub fn rank(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    member: Option<&MemberSnapshot>,
    query: &Query<'_>,
) -> Vec<Ranked> {
    let settings = query.settings();
    let scorer = Scorer::new(aggregates, member, query);
    let repeats = RepeatScorer::new(aggregates, member, query, &scorer);
    // Where titles played before are placed among the others, all of these stand there: what a caller does not want
    // changes the place of none.
    let (left_out, unwanted): (&[&str], HashSet<&str>) = match &repeats {
        Some(_) => (&[], query.exclude.iter().copied().collect()),
        None => (&query.exclude, HashSet::new()),
    };
    let excluded = excluded(aggregates, member, query, left_out);
    let admitted = |id: &str| {
        !unwanted.contains(id)
            && catalogue.is_available(id, query.country)
            && query.admit.is_none_or(|admit| admit(id))
    };
    let wanted = candidates(query.limit, settings.diversity);
    let least = repeats.as_ref().map_or(0, RepeatScorer::least_found);
    let length = if query.boost.is_some() { usize::MAX } else { wanted.max(least) };
    let found = search(aggregates, &scorer, length, &excluded);
    let top = found.top;
    let newcomers = NewcomerScorer::new(aggregates, catalogue, member, query, top);
    let mut found = Some(found);
    let mut list = |length: usize| {
        let length = length.max(least);
        let found = found.take().unwrap_or_else(|| search(aggregates, &scorer, length, &excluded));
        let is_whole = found.titles.len() < length;
        let known =
            repeats.as_ref().map(|repeats| repeats.among(&found.titles, is_whole)).unwrap_or_default();
        with_others(aggregates, found, newcomers.as_ref(), &known, length)
    };
    let ranked = match query.boost {
        None => best(wanted, list, admitted),
        // No bound is known of boosts: every title is boosted.
        Some(boost) => {
            let all = list(usize::MAX).titles.into_iter();
            best_of(
                all.map(|Scored { id, score }| Scored { score: score * boost(&id), id }),
                wanted,
                admitted,
            )
        }
    };
    let mut ranked = diverse(ranked, catalogue, query.limit, settings.diversity);
    if query.explain {
        for ranked in &mut ranked {
            let newcomer = newcomers.as_ref().and_then(|newcomers| newcomers.find(&ranked.title));
            let newcomer = newcomer.map(|newcomer| (newcomer.score, newcomer.affinity));
            ranked.reasons = scorer.reasons(&ranked.title, newcomer);
        }
    }
    match Explorer::new(aggregates, catalogue, member, query) {
        Some(explorer) => explored(ranked, &explorer, query.explain, |_| false),
        None => ranked,
    }
}

/// The titles found by a search for `length` of them, with the newcomers and the titles played before that belong
/// among them.
fn with_others(
    aggregates: &Aggregates,
    found: Found,
    newcomers: Option<&NewcomerScorer<'_>>,
    known: &[(f64, Symbol)],
    length: usize,
) -> Listing {
    let are_all_found = found.titles.len() < length;
    let scored =
        |(score, title): &(f64, Symbol)| Scored { id: aggregates.title_id(*title).clone(), score: *score };
    let mut titles: Vec<Scored> = found.titles.iter().map(scored).collect();
    let last_found = titles.last().filter(|_| !are_all_found).cloned();
    let least = last_found.as_ref().map_or(0.0, |last| last.score);
    let (liked, are_all_liked) =
        newcomers.map_or((Vec::new(), true), |newcomers| newcomers.scoring(least, length));
    if liked.is_empty() && known.is_empty() {
        return Listing { titles, is_whole: are_all_found };
    }
    titles.extend(known.iter().map(scored));
    let last_liked = liked.last().filter(|_| !are_all_liked);
    let last_liked = last_liked.map(|liked| Scored { id: liked.id.clone(), score: liked.score });
    let places: HashMap<Symbol, usize> =
        found.titles.iter().enumerate().map(|(place, (_, title))| (*title, place)).collect();
    for newcomer in liked {
        match newcomer.number.and_then(|title| places.get(&title)) {
            // One that was played a little already has the better of both scores.
            Some(place) => titles[*place].score = titles[*place].score.max(newcomer.score),
            None => titles.push(Scored { id: newcomer.id, score: newcomer.score }),
        }
    }
    titles.sort_unstable_by(|a, b| b.cmp(a));
    // What comes after the last one found, or the last newcomer, may have others before it.
    let last = last_found.max(last_liked);
    if let Some(last) = &last {
        titles.retain(|scored| scored >= last);
    }
    Listing { titles, is_whole: last.is_none() }
}

/// The score that each of `titles` has in [`rank`], in their order, boost and newcomers aside; 0 for what
/// it leaves out.
pub fn score_titles(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    member: Option<&MemberSnapshot>,
    query: &Query<'_>,
    titles: &[&str],
) -> Vec<f64> {
    let scorer = Scorer::new(aggregates, member, query);
    let excluded = excluded(aggregates, member, query, &query.exclude);
    let score = |id: &&str| match aggregates.title(id) {
        Some(title) if catalogue.is_available(id, query.country) && !excluded.contains(&title) => {
            scorer.score(title)
        }
        _ => 0.0,
    };
    titles.iter().map(score).collect()
}

/// Titles that having watched `title` speaks for, best first.
pub fn next(aggregates: &Aggregates, catalogue: &Catalogue, title: &str, query: &Query<'_>) -> Vec<Ranked> {
    let Some(from) = aggregates.title(title) else { return Vec::new() };
    let scorer = Scorer::after(aggregates, title, from, query);
    let itself = HashSet::from_iter([from]);
    let list =
        |length| with_others(aggregates, search(aggregates, &scorer, length, &itself), None, &[], length);
    best(query.limit, list, |id| catalogue.is_available(id, query.country))
}

/// Titles that are not offered whatever they score, those that are `left_out` among them.
fn excluded(
    aggregates: &Aggregates,
    member: Option<&MemberSnapshot>,
    query: &Query<'_>,
    left_out: &[&str],
) -> HashSet<Symbol> {
    let mut excluded: HashSet<Symbol> = left_out.iter().filter_map(|id| aggregates.title(id)).collect();
    if let Some(member) = member {
        excluded.extend(member.disliked().filter_map(|id| aggregates.title(id)));
        if query.settings().repeats != Repeats::Always {
            excluded.extend(member.known().filter_map(|id| aggregates.title(id)));
        }
    }
    excluded
}
