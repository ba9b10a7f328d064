//! The scorer: what each title scores for one query.

mod blocks;

use super::popularity::Popularity;
use super::sums::BlockSums;
use crate::affinity::LOW_RATING;
use crate::associations::{Associations, Equations};
use crate::factors::Factors;
use crate::learned::Learned;
use crate::query::Query;
use crate::ranked::Reason;
use crate::settings::RankingSettings;
use crate::taste::{Genres, liked_titles};
use nearline_model::aggregates::Aggregates;
use nearline_model::aggregates::pair::Pair;
use nearline_model::aggregates::transitions::{BEGINNING, Followers};
use nearline_model::member::MemberSnapshot;
use nearline_model::member::snapshot::{TitleOpinion, WatchedTitle};
use nearline_model::symbols::Symbol;
use std::sync::Arc;

/// What a title of the history must still count for.
const LEAST_WEIGHT: f64 = 0.01;
/// Titles thumbed down without being watched that count at most, the newest.
const MOST_DISLIKED: usize = 8;
/// Share of a title's length below which it counts as given up.
const ABANDONED_SHARE: f64 = 0.1;
/// Reasons given for a title at most.
const MAX_REASONS: usize = 3;

/// A title of the history, and what it counts for.
struct Source<'a> {
    title: Arc<str>,
    symbol: Symbol,
    weight: f64,
    solved: Option<&'a [f32]>,
    followers: Option<&'a Followers>,
    occurrences: u64,
}

impl<'a> Source<'a> {
    fn new(
        aggregates: &'a Aggregates,
        learned: Option<&'a Learned>,
        title: Arc<str>,
        symbol: Symbol,
        weight: f64,
    ) -> Self {
        Self {
            title,
            symbol,
            weight,
            solved: learned.and_then(|learned| learned.associations.after(symbol)),
            followers: aggregates.transitions().after(symbol),
            occurrences: aggregates.occurrences(symbol),
        }
    }

    /// What it speaks for `to`, before damping.
    fn weight_of(&self, to: Symbol, associations: Option<&Associations>, aggregates: &Aggregates) -> f64 {
        let solved = associations.and_then(|associations| associations.weight(self.symbol, to));
        let direct = || {
            let after = self.followers.map_or(0.0, |after| self.direct(after.get(to)));
            let Some(known) = associations.filter(|_| self.symbol != BEGINNING) else { return after };
            known.unsolved_weight(self.symbol, to, after, aggregates)
        };
        self.weight * self.spoken(solved.unwrap_or_else(direct))
    }

    /// What a weight counts for: of what was disliked, what goes with it counts against, but nothing is
    /// liked for not going with it.
    fn spoken(&self, weight: f64) -> f64 {
        if self.weight < 0.0 { weight.max(0.0) } else { weight }
    }

    fn direct(&self, pair: Pair) -> f64 {
        Equations::direct(pair.next(), self.occurrences)
    }
}

/// Scores titles for one query.
pub(super) struct Scorer<'a> {
    aggregates: &'a Aggregates,
    associations: Option<&'a Associations>,
    factors: Arc<Factors>,
    sources: Vec<Source<'a>>,
    /// The beginning, if it is among the sources.
    beginning: Option<usize>,
    popularity: Popularity<'a>,
    /// What the sources speak for the titles that are solved, by their place.
    solved: Vec<f32>,
    /// What the sources but the beginning speak for titles beside it, by title number.
    direct: BlockSums,
    taste: Option<TasteFactors<'a>>,
}

/// What titles score more by the member's taste.
struct TasteFactors<'a> {
    genres: &'a Genres,
    /// By set of genres.
    factors: Vec<f64>,
    most: f64,
}

impl<'a> TasteFactors<'a> {
    fn of(aggregates: &Aggregates, member: &MemberSnapshot, genres: &'a Genres, taste: f64) -> Option<Self> {
        let factors = genres.leans(liked_titles(aggregates, member))?.factors(taste);
        let most = factors.iter().copied().fold(1.0, f64::max);
        Some(Self { genres, factors, most })
    }

    fn of_title(&self, title: Symbol) -> f64 {
        self.factors[usize::from(self.genres.set_of(title))]
    }
}

impl<'a> Scorer<'a> {
    /// A scorer for `member`.
    pub fn new(aggregates: &'a Aggregates, member: Option<&MemberSnapshot>, query: &Query<'a>) -> Self {
        let settings = query.settings_for(aggregates, member);
        let history = member.map(|member| member.history.as_slice()).unwrap_or_default();
        let opinions = member.map(|member| member.opinions.as_slice()).unwrap_or_default();
        let learned = query.learned_of(aggregates);
        let mut sources = Vec::new();
        let mut step = 1.0;
        for watched in history.iter().rev() {
            if step < LEAST_WEIGHT {
                break;
            }
            if let Some(symbol) = aggregates.title(&watched.title) {
                let opinion = opinions.iter().find(|opinion| opinion.title == watched.title);
                let weight = step * regard(watched, opinion, &settings);
                sources.push(Source::new(aggregates, learned, watched.title.clone(), symbol, weight));
            }
            step *= settings.step_weight;
        }
        // What was thumbed down without being watched speaks against its like, too.
        let is_watched = |id: &Arc<str>| history.iter().any(|watched| watched.title == *id);
        let disliked = opinions.iter().rev().filter(|opinion| opinion.thumb == Some(-1));
        for opinion in disliked.filter(|opinion| !is_watched(&opinion.title)).take(MOST_DISLIKED) {
            if let Some(symbol) = aggregates.title(&opinion.title) {
                let (title, weight) = (opinion.title.clone(), settings.thumb_down);
                sources.push(Source::new(aggregates, learned, title, symbol, weight));
            }
        }
        if let Some(member) = member
            && member.seen.is_empty()
            && step >= LEAST_WEIGHT
            && settings.beginning_weight > 0.0
        {
            let weight = step * settings.beginning_weight;
            sources.push(Source::new(aggregates, learned, Arc::from(""), BEGINNING, weight));
        }
        let taste = match (member, learned) {
            (Some(member), Some(learned)) if settings.taste > 0.0 => {
                TasteFactors::of(aggregates, member, &learned.genres, settings.taste)
            }
            _ => None,
        };
        Self { taste, ..Self::of(aggregates, query, sources, settings) }
    }

    /// A scorer for whoever watched `title` alone, whatever is popular.
    pub fn after(aggregates: &'a Aggregates, title: &str, symbol: Symbol, query: &Query<'a>) -> Self {
        let learned = query.learned_of(aggregates);
        let source = Source::new(aggregates, learned, Arc::from(title), symbol, 1.0);
        let settings = RankingSettings { popularity_weight: 0.0, trend_weight: 0.0, ..query.settings() };
        Self::of(aggregates, query, vec![source], settings)
    }

    fn of(
        aggregates: &'a Aggregates,
        query: &Query<'a>,
        sources: Vec<Source<'a>>,
        settings: RankingSettings,
    ) -> Self {
        let learned = query.learned_of(aggregates);
        let associations = learned.map(|learned| &learned.associations);
        let factors = match learned {
            Some(learned) => learned.factors(&settings),
            None => Arc::new(Factors::unprepared(&settings)),
        };
        let popularity = Popularity::of(aggregates, query, &settings);
        let mut solved = vec![0.0_f32; associations.map_or(0, |solved| solved.titles().len())];
        let mut direct = BlockSums::new(aggregates.title_count() + 1);
        for source in &sources {
            if let Some(weights) = source.solved {
                let (weight, sums) = (source.weight as f32, solved.iter_mut().zip(weights));
                // As `Source::spoken`.
                match source.weight < 0.0 {
                    true => sums.for_each(|(sum, solved)| *sum += weight * solved.max(0.0)),
                    false => sums.for_each(|(sum, solved)| *sum += weight * solved),
                }
            }
            // What follows the beginning is read where it is needed.
            if source.symbol == BEGINNING {
                continue;
            }
            let covering = associations.filter(|_| source.solved.is_some());
            let shares = associations.map(|known| known.direct_shares(source.symbol, aggregates));
            for (to, pair) in source.followers.into_iter().flat_map(|followers| followers.iter()) {
                if !covering.is_some_and(|covering| covering.covers(to)) {
                    let share = shares.as_ref().map_or(1.0, |share| share(to));
                    direct.add(to.index(), source.weight * share * source.direct(pair));
                }
            }
            for (to, weight) in associations.into_iter().flat_map(|known| known.outer(source.symbol)) {
                direct.add(to.index(), source.weight * source.spoken(f64::from(*weight)));
            }
        }
        let beginning = sources.iter().position(|source| source.symbol == BEGINNING);
        Self {
            aggregates,
            associations,
            factors,
            sources,
            beginning,
            popularity,
            solved,
            direct,
            taste: None,
        }
    }

    /// The titles solved, by place.
    pub fn solved_titles(&self) -> &'a [Symbol] {
        self.associations.map_or(&[][..], Associations::titles)
    }

    /// Whether a title is solved.
    pub fn is_solved(&self, title: Symbol) -> bool {
        self.associations.is_some_and(|associations| associations.covers(title))
    }

    /// The score of a title.
    pub fn score(&self, title: Symbol) -> f64 {
        let direct = self.direct.get(title.index());
        let associated = match self.associations.and_then(|associations| associations.place(title)) {
            Some(place) => direct + self.unsolved_beginning(title) + f64::from(self.solved[place]),
            None => direct + self.beginning.map_or(0.0, |at| self.after_beginning(at, title)),
        };
        self.score_of(title, associated, self.popularity.score(title.index()))
    }

    /// What the beginning speaks for a title that is solved, if it was not solved itself.
    fn unsolved_beginning(&self, title: Symbol) -> f64 {
        match self.beginning {
            Some(at) if self.sources[at].solved.is_none() => self.after_beginning(at, title),
            _ => 0.0,
        }
    }

    fn after_beginning(&self, at: usize, title: Symbol) -> f64 {
        let pair = self.aggregates.transitions().beginnings().get(title);
        self.sources[at].weight * self.sources[at].direct(pair)
    }

    fn score_of(&self, title: Symbol, associated: f64, popularity: f64) -> f64 {
        if title == BEGINNING {
            return 0.0;
        }
        together(associated, || self.damping(title), popularity, self.multiplier(title))
    }

    /// What a title's score is multiplied by: its lift, and the member's taste.
    fn multiplier(&self, title: Symbol) -> f64 {
        self.factors.lift(title.index()) * self.taste.as_ref().map_or(1.0, |taste| taste.of_title(title))
    }

    fn damping(&self, title: Symbol) -> f64 {
        self.factors.damping(self.aggregates.plays(title))
    }

    /// Why a title scores what it does, the weightiest first.
    pub fn reasons(&self, title: &str, newcomer: Option<(f64, f64)>) -> Vec<Reason> {
        let mut reasons: Vec<(f64, Reason)> = Vec::new();
        if let Some((weight, affinity)) = newcomer {
            reasons.push((weight, Reason::Newcomer { affinity, weight }));
        }
        if let Some(title) = self.aggregates.title(title) {
            let lift = self.multiplier(title);
            let damping = self.damping(title) * lift;
            for source in &self.sources {
                let weight = source.weight_of(title, self.associations, self.aggregates) * damping;
                if weight > 0.0 {
                    let because = || Reason::BecauseYouWatched { title: source.title.clone(), weight };
                    let is_beginning = source.symbol == BEGINNING;
                    reasons
                        .push((weight, if is_beginning { Reason::OftenFirst { weight } } else { because() }));
                }
            }
            let weight = self.popularity.score(title.index()) * lift;
            if weight > 0.0 {
                let dimension = self.popularity.dimension(title.index());
                reasons.push((weight, Reason::Popular { dimension, weight }));
            }
        }
        reasons.sort_by(|a, b| b.0.total_cmp(&a.0));
        reasons.into_iter().take(MAX_REASONS).map(|(_, reason)| reason).collect()
    }
}

/// A score, of its terms. In one place, so that the bound of a block is made in the same order as the scores in it.
fn together(associated: f64, damping: impl FnOnce() -> f64, popularity: f64, multiplier: f64) -> f64 {
    let damped = if associated > 0.0 { associated * damping() } else { 0.0 };
    (damped + popularity) * multiplier
}

/// What a title of the history counts for by what the member thought of it; 1 where nothing is known.
fn regard(watched: &WatchedTitle, opinion: Option<&TitleOpinion>, settings: &RankingSettings) -> f64 {
    if let Some(opinion) = opinion {
        match (opinion.thumb, opinion.rating) {
            (Some(-1), _) => return settings.thumb_down,
            (Some(1), _) => return settings.thumb_up,
            (Some(_), _) => return settings.two_thumbs_up,
            (None, Some(rating)) if rating <= LOW_RATING => return 0.0,
            (None, Some(rating)) => return 1.0 + settings.star * (f64::from(rating) - 3.0),
            (None, None) => {}
        }
    }
    let (seconds, length) = (f64::from(watched.watched_s), f64::from(watched.duration_s));
    if seconds > 0.0 && seconds < ABANDONED_SHARE * length { settings.abandoned } else { 1.0 }
}
