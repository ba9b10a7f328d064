//! The order of titles that a caller gives.

use super::evidence::Evidence;
use crate::affinity::is_disliked;
use crate::query::Query;
use crate::row::score_titles;
use crate::settings::{RankingSettings, Repeats};
use hashbrown::{HashMap, HashSet};
use nearline_model::MemberSnapshot;
use nearline_model::aggregates::Aggregates;
use nearline_model::catalogue::Catalogue;
use nearline_model::delta::{Candidate, MOST_CONTEST_SOURCES};
use nearline_model::symbols::{NONE, Symbol};
use serde::Serialize;

/// Titles in the order in which a member is likely to want them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Given {
    /// Title ids with their scores, best first. Scores of one answer can be compared with each other, and with no others.
    pub ranked: Vec<(String, f64)>,
    /// Ids of titles that may not be offered: not available in the country, not admitted, or thumbed down.
    pub left_out: Vec<String>,
    /// Whether what was shown together decided; otherwise the scores are those of [`rank`](crate::rank).
    pub learned: bool,
}

/// Ranks `titles` for a member: what of them, shown together, is likely to be played; `None` ranks for somebody nothing
/// is known of. Of a title that is given twice the first counts. Titles that the member has seen are ranked, too: who
/// gives them means them. Equal scores are ordered by id.
pub fn rank_given(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    member: Option<&MemberSnapshot>,
    query: &Query<'_>,
    titles: &[&str],
    now_ms: i64,
) -> Given {
    let thumbed_down: HashSet<&str> =
        member.into_iter().flat_map(|member| member.disliked()).map(|id| &**id).collect();
    let admits = |id: &str| {
        catalogue.is_available(id, query.country)
            && query.admit.is_none_or(|admit| admit(id))
            && !query.exclude.contains(&id)
            && !thumbed_down.contains(id)
    };
    let boost = |id: &str| query.boost.map_or(1.0, |boost| boost(id));
    let mut known = HashSet::new();
    let once = titles.iter().copied().filter(|id| known.insert(*id));
    let factored = once.map(|id| (id, if admits(id) { boost(id) } else { 0.0 }));
    let (mut asked, left_out): (Vec<_>, Vec<_>) = factored.partition(|(_, factor)| *factor > 0.0);
    asked.sort_unstable_by_key(|(id, _)| *id);
    let ids: Vec<&str> = asked.iter().map(|(id, _)| *id).collect();
    let (scores, learned) = score_given(aggregates, catalogue, member, query, &ids, now_ms);
    // What was learned is a logarithm of chances.
    let boosted = |score: f64, factor: f64| if learned { score + factor.ln() } else { score * factor };
    let scored =
        asked.iter().zip(scores).map(|((id, factor), score)| ((*id).to_owned(), boosted(score, *factor)));
    let mut ranked: Vec<(String, f64)> = scored.collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(query.limit);
    Given { ranked, left_out: left_out.into_iter().map(|(id, _)| id.to_owned()).collect(), learned }
}

/// The score of each of `titles`, in their order, and whether it was learned from contests.
pub fn score_given(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    member: Option<&MemberSnapshot>,
    query: &Query<'_>,
    titles: &[&str],
    now_ms: i64,
) -> (Vec<f64>, bool) {
    let learned = query.learned_of(aggregates);
    let known = learned.and_then(|learned| Some((learned, learned.appeal.known(aggregates)?)));
    let Some((learned, known)) = known.filter(|_| query.settings().learn) else {
        let settings = RankingSettings { repeats: Repeats::Always, ..query.settings() };
        let query = Query { settings: Some(&settings), ..query.clone() };
        return (score_titles(aggregates, catalogue, member, &query, titles), false);
    };
    let evidence = Evidence {
        aggregates,
        associations: &learned.associations,
        genres: &learned.genres,
        take_rate: known.contests as f64 / known.shown.max(1) as f64,
        plays: known.plays,
    };
    let sources = member.map(|member| sources_of(aggregates, member)).unwrap_or_default();
    let mut shown: HashMap<&str, u8> = HashMap::new();
    for impression in member.into_iter().flat_map(|member| &member.open_impressions) {
        let times = shown.entry(&*impression.title).or_default();
        *times = times.saturating_add(1);
    }
    let candidate = |id: &&str| Candidate {
        title: aggregates.title(id).unwrap_or(NONE),
        band: None,
        shown_before: shown.get(id).copied().unwrap_or_default(),
    };
    let candidates: Vec<Candidate> = titles.iter().map(candidate).collect();
    let rows = evidence.of_titles(&candidates, &sources, now_ms);
    let numbers: Vec<Symbol> = candidates.iter().map(|candidate| candidate.title).collect();
    (known.scores(&numbers, rows, &sources, now_ms as f64 / 1_000.0), true)
}

/// Titles that a member played and did not dislike, most recent first.
fn sources_of(aggregates: &Aggregates, member: &MemberSnapshot) -> Vec<Symbol> {
    let liked = member.history.iter().rev().filter(|watched| !is_disliked(member, &watched.title));
    liked.filter_map(|watched| aggregates.title(&watched.title)).take(MOST_CONTEST_SOURCES).collect()
}
