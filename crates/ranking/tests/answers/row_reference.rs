//! The ranking as it is defined: every title is scored, one after the other, and sorted. Slow, and plain
//! enough to be read beside the module documentation of `nearline_ranking`.

use nearline_model::aggregates::counters::{CounterTable, FadedPlays};
use nearline_model::aggregates::transitions::BEGINNING;
use nearline_model::aggregates::{ALL, OPENING};
use nearline_model::catalogue::Catalogue;
use nearline_model::member::snapshot::WatchedTitle;
use nearline_model::symbols::{NONE, Symbol};
use nearline_model::{Aggregates, MemberSnapshot};
use nearline_ranking::affinity::GenreAffinity;
use nearline_ranking::associations::Equations;
use nearline_ranking::lift::lifts;
use nearline_ranking::settings::{RankingSettings, Repeats};
use nearline_ranking::{Learned, Query, Ranked, Reason};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What was learned of the sums at some time, and the lifts at that time.
pub struct LearnedThen {
    pub learned: Learned,
    lifts: BTreeMap<Symbol, f64>,
}

impl LearnedThen {
    pub fn of(aggregates: &Aggregates, catalogue: &Catalogue, most: usize) -> Self {
        // Lifts are kept in single precision.
        let lifts = lifts(aggregates).into_iter().map(|(title, lift)| (title, f64::from(lift as f32)));
        Self { learned: Learned::of(aggregates, catalogue, most), lifts: lifts.collect() }
    }
}

pub struct Reference<'a> {
    pub aggregates: &'a Aggregates,
    pub catalogue: &'a Catalogue,
    pub learned: Option<&'a LearnedThen>,
    pub member: Option<&'a MemberSnapshot>,
    pub query: &'a Query<'a>,
    settings: RankingSettings,
    /// Title, number, weight.
    sources: Vec<(Arc<str>, Symbol, f64)>,
    popularity_weight: f64,
    trend_weight: f64,
}

impl<'a> Reference<'a> {
    pub fn new(
        aggregates: &'a Aggregates,
        catalogue: &'a Catalogue,
        learned: Option<&'a LearnedThen>,
        member: Option<&'a MemberSnapshot>,
        query: &'a Query<'a>,
    ) -> Self {
        let settings = query.settings.copied().unwrap_or_default();
        let (mut sources, mut step) = (Vec::new(), 1.0);
        for watched in member.iter().flat_map(|member| member.history.iter().rev()) {
            if step < 0.01 {
                break;
            }
            if let (Some(number), Some(member)) = (aggregates.title(&watched.title), member) {
                sources.push((watched.title.clone(), number, step * regard(watched, member, &settings)));
            }
            step *= settings.step_weight;
        }
        let newest = member.iter().flat_map(|member| member.opinions.iter().rev());
        let unwatched = |title: &str| {
            member.is_some_and(|member| member.history.iter().all(|watched| *watched.title != *title))
        };
        let disliked =
            newest.filter(|opinion| opinion.thumb == Some(-1) && unwatched(&opinion.title)).take(8);
        for opinion in disliked {
            if let Some(number) = aggregates.title(&opinion.title) {
                sources.push((opinion.title.clone(), number, settings.thumb_down));
            }
        }
        if member.is_some_and(|member| member.seen.is_empty()) && step >= 0.01 {
            sources.push((Arc::from(""), BEGINNING, step * settings.beginning_weight));
        }
        let (popularity_weight, trend_weight) = (settings.popularity_weight, settings.trend_weight);
        Self {
            aggregates,
            catalogue,
            learned,
            member,
            query,
            settings,
            sources,
            popularity_weight,
            trend_weight,
        }
    }

    /// After one title alone.
    pub fn after(mut self, title: &str) -> Option<Self> {
        self.sources = vec![(Arc::from(title), self.aggregates.title(title)?, 1.0)];
        (self.popularity_weight, self.trend_weight) = (0.0, 0.0);
        Some(self)
    }

    fn damping(&self, title: Symbol) -> f64 {
        (self.aggregates.plays(title) as f64 + self.settings.damping_plays).powf(-self.settings.damping_power)
    }

    fn lift(&self, title: Symbol) -> f64 {
        let lift = self.learned.and_then(|then| then.lifts.get(&title)).copied().unwrap_or(1.0);
        lift.powf(self.settings.lift_power)
    }

    /// What one source speaks for a title where nothing is solved.
    fn direct(&self, from: Symbol, to: Symbol) -> f64 {
        let after = self.aggregates.transitions().after(from);
        let occurrences = self.aggregates.occurrences(from);
        after.map_or(0.0, |after| Equations::direct(after.get(to).next(), occurrences))
    }

    /// What the same counts for, of a pair that is not solved together.
    fn direct_share(&self, from: Symbol, to: Symbol) -> f64 {
        let known = self.learned.filter(|_| from != BEGINNING);
        known.map_or(1.0, |then| then.learned.associations.direct_shares(from, self.aggregates)(to))
    }

    /// What else one source speaks for a title where the two are not solved together.
    fn outer(&self, from: Symbol, to: Symbol) -> f64 {
        let known = self.learned.filter(|_| from != BEGINNING);
        let mut outer = known.into_iter().flat_map(|then| then.learned.associations.outer(from));
        outer.find(|(title, _)| *title == to).map_or(0.0, |(_, weight)| f64::from(*weight))
    }

    fn solved(&self, from: Symbol, to: Symbol) -> Option<f64> {
        self.learned.and_then(|then| then.learned.associations.weight(from, to))
    }

    fn tables(&self) -> Vec<(String, &'a [f64], f64)> {
        let table = |name: String, share: f64| {
            let scores = self.aggregates.counters(&name)?.popularity().scores();
            let top = scores.iter().copied().fold(0.0, f64::max);
            (top > 0.0).then_some((name, scores, share))
        };
        let country = self.query.country.map(|country| format!("country:{country}"));
        let device = self.query.device.map(|device| format!("device:{device}"));
        let mut tables: Vec<_> =
            [country, device].into_iter().flatten().filter_map(|name| table(name, 1.0)).collect();
        let asked = tables.len();
        tables.iter_mut().for_each(|table| table.2 = 1.0 / asked as f64);
        tables.extend(table(ALL.to_owned(), if asked == 0 { 1.0 } else { 0.1 }));
        tables
    }

    fn popularity(&self, title: Symbol) -> f64 {
        // What a title's share of the most popular one's plays counts for.
        let term = |scores: &[f64], weight: f64| {
            let top = scores.iter().copied().fold(0.0, f64::max);
            let score = scores.get(title.index()).copied().unwrap_or_default();
            if top > 0.0 { weight / top * score } else { 0.0 }
        };
        let faded = |name: &str, of: fn(&CounterTable) -> &FadedPlays, weight: f64| {
            self.aggregates.counters(name).map_or(0.0, |counters| term(of(counters).scores(), weight))
        };
        let (popularity, trend) = (self.popularity_weight, self.trend_weight);
        let (of_all, of_opening) = (1.0 - self.settings.opening_share, self.settings.opening_share);
        let tables = self.tables();
        let popular = tables.iter().map(|(_, scores, share)| term(scores, popularity * of_all * share));
        popular.sum::<f64>()
            + faded(OPENING, CounterTable::popularity, popularity * of_opening)
            + faded(ALL, CounterTable::trend, trend * of_all)
            + faded(OPENING, CounterTable::trend, trend * of_opening)
    }

    pub fn score(&self, title: Symbol) -> f64 {
        let mut direct = 0.0;
        let mut solved = 0.0_f32;
        for (_, from, weight) in &self.sources {
            match self.solved(*from, title) {
                // Solved weights are single precision, and so are their sums.
                Some(known) => solved += *weight as f32 * spoken(*weight, known) as f32,
                None => {
                    direct += weight * self.direct_share(*from, title) * self.direct(*from, title);
                    direct += weight * spoken(*weight, self.outer(*from, title));
                }
            }
        }
        let mut score = direct + f64::from(solved);
        if score > 0.0 {
            score *= self.damping(title);
        }
        (score.max(0.0) + self.popularity(title)) * self.lift(title)
    }

    pub fn excluded(&self) -> HashSet<Symbol> {
        let mut ids: Vec<&str> = self.query.exclude.clone();
        if let Some(member) = self.member {
            ids.extend(disliked(member));
            if self.settings.repeats != Repeats::Always {
                ids.extend(watched(member));
            }
        }
        ids.into_iter().filter_map(|id| self.aggregates.title(id)).collect()
    }

    /// Newcomers: id, score, affinity.
    fn newcomers(&self, top: f64) -> Vec<(Arc<str>, f64, f64)> {
        let Some(then) = self.learned else { return Vec::new() };
        let affinity = GenreAffinity::of(self.member, self.catalogue);
        let top = if top > 0.0 { top } else { 1.0 };
        let known = |id: &str| {
            let of_member = |member| watched(member).chain(disliked(member)).any(|known| known == id);
            self.query.exclude.contains(&id) || self.member.is_some_and(of_member)
        };
        let plays = |id: &str| self.aggregates.title(id).map_or(0, |title| self.aggregates.plays(title));
        let mut newcomers = Vec::new();
        for (id, newness) in then.learned.newcomers.iter() {
            if plays(id) < 5
                && !known(id)
                && let Some(title) = self.catalogue.get(id)
            {
                let affinity = affinity.to(&title.genres);
                let score = self.settings.freshness * newness * affinity * top;
                if score > 0.0 {
                    newcomers.push((id.clone(), score, affinity));
                }
            }
        }
        newcomers
    }

    pub fn rank(&self) -> Vec<Ranked> {
        let titles = self.aggregates.titles_after(NONE);
        let mut scores: BTreeMap<Arc<str>, f64> =
            titles.map(|title| (self.aggregates.title_id(title).clone(), self.score(title))).collect();
        let top = scores.values().copied().fold(0.0, f64::max);
        for title in self.excluded() {
            scores.insert(self.aggregates.title_id(title).clone(), 0.0);
        }
        let newcomers = self.newcomers(top);
        for (id, score, _) in &newcomers {
            let known = scores.entry(id.clone()).or_default();
            *known = known.max(*score);
        }
        let mut ranked: Vec<Ranked> = scores
            .into_iter()
            .filter(|(id, score)| *score > 0.0 && self.catalogue.is_available(id, self.query.country))
            .filter(|(id, _)| self.query.admit.is_none_or(|admit| admit(id)))
            .map(|(title, score)| {
                let score = score * self.query.boost.map_or(1.0, |boost| boost(&title));
                Ranked::new(title, score)
            })
            .filter(|ranked| ranked.score > 0.0)
            .collect();
        // The sort is stable: equal scores stay in the order of their ids.
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut ranked = self.diverse(ranked);
        ranked.truncate(self.query.limit);
        if self.query.explain {
            for ranked in &mut ranked {
                ranked.reasons = self.reasons(&ranked.title, &newcomers);
            }
        }
        ranked
    }

    /// Maximal marginal relevance over four candidates for each title wanted.
    fn diverse(&self, mut ranked: Vec<Ranked>) -> Vec<Ranked> {
        let diversity = self.settings.diversity;
        if diversity <= 0.0 {
            return ranked;
        }
        ranked.truncate(self.query.limit * 4);
        let top = ranked.first().map_or(1.0, |first| first.score);
        let mut picked: Vec<Ranked> = Vec::new();
        while !ranked.is_empty() {
            let worth = |candidate: &Ranked| {
                let likeness = picked.iter().map(|picked| self.likeness(&picked.title, &candidate.title));
                (1.0 - diversity) * candidate.score / top - diversity * likeness.fold(0.0, f64::max)
            };
            let worths: Vec<f64> = ranked.iter().map(worth).collect();
            let best = worths.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let first = worths.iter().position(|worth| *worth == best).expect("there are some");
            picked.push(ranked.remove(first));
        }
        picked
    }

    fn likeness(&self, a: &str, b: &str) -> f64 {
        let (Some(a), Some(b)) = (self.catalogue.get(a), self.catalogue.get(b)) else { return 0.0 };
        let common = a.genres.iter().filter(|genre| b.genres.contains(genre)).count();
        let all = a.genres.len() + b.genres.len() - common;
        if all == 0 { 0.0 } else { common as f64 / all as f64 }
    }

    fn reasons(&self, id: &str, newcomers: &[(Arc<str>, f64, f64)]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if let Some((_, weight, affinity)) = newcomers.iter().find(|(known, ..)| **known == *id) {
            reasons.push((*weight, Reason::Newcomer { affinity: *affinity, weight: *weight }));
        }
        if let Some(title) = self.aggregates.title(id) {
            let lift = self.lift(title);
            let damping = self.damping(title) * lift;
            for (source, from, weight) in &self.sources {
                let speaks = self.solved(*from, title);
                let unsolved =
                    || self.direct_share(*from, title) * self.direct(*from, title) + self.outer(*from, title);
                let speaks = speaks.unwrap_or_else(unsolved);
                let weight = weight * spoken(*weight, speaks) * damping;
                let reason = match source.is_empty() {
                    true => Reason::OftenFirst { weight },
                    false => Reason::BecauseYouWatched { title: source.clone(), weight },
                };
                reasons.push((weight, reason));
            }
            let tables = self.tables();
            let named = tables.iter().filter(|(name, scores, ..)| {
                name != ALL && scores.get(title.index()).is_some_and(|score| *score > 0.0)
            });
            let names: Vec<&str> = named.map(|(name, ..)| name.as_str()).collect();
            let dimension = if names.is_empty() { ALL.to_owned() } else { names.join(" and ") };
            let weight = self.popularity(title) * lift;
            reasons.push((weight, Reason::Popular { dimension, weight }));
        }
        reasons.retain(|(weight, _)| *weight > 0.0);
        reasons.sort_by(|a, b| b.0.total_cmp(&a.0));
        reasons.truncate(3);
        reasons.into_iter().map(|(_, reason)| reason).collect()
    }
}

/// What was disliked speaks against what goes with it, and for nothing.
fn spoken(weight: f64, speaks: f64) -> f64 {
    if weight < 0.0 { speaks.max(0.0) } else { speaks }
}

fn watched(member: &MemberSnapshot) -> impl Iterator<Item = &str> {
    member.history.iter().map(|watched| &*watched.title).chain(member.seen.iter().map(|title| &**title))
}

fn disliked(member: &MemberSnapshot) -> impl Iterator<Item = &str> {
    member.opinions.iter().filter(|opinion| opinion.thumb == Some(-1)).map(|opinion| &*opinion.title)
}

fn regard(watched: &WatchedTitle, member: &MemberSnapshot, settings: &RankingSettings) -> f64 {
    let opinion = member.opinions.iter().find(|opinion| opinion.title == watched.title);
    let given_up =
        watched.watched_s > 0 && f64::from(watched.watched_s) < 0.1 * f64::from(watched.duration_s);
    match opinion.map(|opinion| (opinion.thumb, opinion.rating)) {
        Some((Some(-1), _)) => settings.thumb_down,
        Some((Some(1), _)) => settings.thumb_up,
        Some((Some(_), _)) => settings.two_thumbs_up,
        Some((None, Some(rating))) if rating <= 2.0 => 0.0,
        Some((None, Some(rating))) => 1.0 + settings.star * (f64::from(rating) - 3.0),
        _ if given_up => settings.abandoned,
        _ => 1.0,
    }
}
