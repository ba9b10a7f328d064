//! What an answer must be, of a state, sums, weights and a catalogue: titles and order.
//!
//! The scores are the product's; which titles may be shown, and what they are boosted by, is decided here.

use super::ask::Offer;
use super::wanted::{Route, Wanted};
use nearline_model::catalogue::Catalogue;
use nearline_model::{Aggregates, MemberSnapshot, Title};
use nearline_ranking::exploration::{SURE_PLACES, Seed};
use nearline_ranking::page::{PageSources, RowKind, assemble};
use nearline_ranking::settings::RankingSettings;
use nearline_ranking::trending::{TrendQuery, known_dimensions, trending};
use nearline_ranking::{Learned, Query, next, rank, similar};
use std::collections::HashSet;
use std::sync::Arc;

/// What answers rest on, beside the member's state.
pub struct Basis<'a> {
    /// The sums.
    pub aggregates: &'a Aggregates,
    /// The titles.
    pub catalogue: &'a Catalogue,
    /// What was worked out of them.
    pub learned: &'a Learned,
    /// Settings of the ranking.
    pub settings: &'a RankingSettings,
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// Rows of titles, best first.
pub type Rows = Vec<(Option<RowKind>, Vec<Arc<str>>)>;

/// The rows of an offer.
pub fn rows_of(offer: &Offer) -> Rows {
    let titles =
        |row: &super::ask::OfferedRow| row.titles.iter().map(|offered| offered.title.clone()).collect();
    offer.rows.iter().map(|row| (row.kind, titles(row))).collect()
}

impl Basis<'_> {
    /// What is to be offered to a member in this state; `None`: to somebody nothing is known of.
    pub fn expected(&self, wanted: &Wanted, member: Option<&MemberSnapshot>) -> Rows {
        // Without a catalogue it cannot be told what may be shown in a country.
        if self.catalogue.is_empty() && wanted.country.is_some() {
            let none =
                if matches!(wanted.route, Route::Page(_)) { Vec::new() } else { vec![(None, Vec::new())] };
            return none;
        }
        match wanted.route {
            Route::Row => vec![(None, self.row(wanted, member))],
            Route::Page(rows) => self.page(wanted, member, rows),
            Route::Similar => vec![(None, self.similar(wanted))],
            Route::Trending => vec![(None, self.trending(wanted))],
        }
    }

    fn known(&self, id: &str) -> Option<&Title> {
        self.catalogue.get(id).map(|title| &**title)
    }

    /// All titles are ranked, and those that may not be shown are left out afterwards.
    fn row(&self, wanted: &Wanted, member: Option<&MemberSnapshot>) -> Vec<Arc<str>> {
        let boost = |id: &str| wanted.factor(id, self.known(id)).unwrap_or(1.0);
        let query = Query {
            limit: self.aggregates.title_count() + self.catalogue.len(),
            boost: wanted.factor("", None).is_some().then_some(&boost as &dyn Fn(&str) -> f64),
            ..self.query(wanted)
        };
        let ranked = rank(self.aggregates, self.catalogue, member, &query);
        let admitted = ranked.into_iter().map(|ranked| ranked.title);
        let admitted: Vec<Arc<str>> =
            admitted.filter(|id| wanted.admits(id, self.known(id))).take(wanted.limit).collect();
        self.with_new(wanted, member, admitted)
    }

    /// `row` with the new titles at the places that the product gives them: from the fourth on, and what is moved keeps
    /// its order. Where it is otherwise, `row` as it is.
    fn with_new(
        &self,
        wanted: &Wanted,
        member: Option<&MemberSnapshot>,
        row: Vec<Arc<str>>,
    ) -> Vec<Arc<str>> {
        let boost = |id: &str| wanted.factor(id, self.known(id)).unwrap_or(1.0);
        let admit = |id: &str| wanted.admits(id, self.known(id));
        let query = self.explored_query(wanted, &admit, &boost);
        let explored = rank(self.aggregates, self.catalogue, member, &query);
        let is_new = |at: usize| explored[at].placement.is_some_and(|placement| placement.explored);
        let new: HashSet<&Arc<str>> =
            (0..explored.len()).filter(|at| is_new(*at)).map(|at| &explored[at].title).collect();
        let moved = (0..explored.len()).filter(|at| !is_new(*at)).map(|at| &explored[at].title);
        let is_sound = explored.len() == row.len()
            && !(0..explored.len().min(SURE_PLACES)).any(is_new)
            && new.iter().all(|id| admit(id))
            && moved.eq(row.iter().filter(|id| !new.contains(id)).take(explored.len() - new.len()));
        if is_sound { explored.into_iter().map(|ranked| ranked.title).collect() } else { row }
    }

    /// The question as the product asks it of itself, with new titles at some places.
    fn explored_query<'a>(
        &'a self,
        wanted: &'a Wanted,
        admit: &'a dyn Fn(&str) -> bool,
        boost: &'a dyn Fn(&str) -> f64,
    ) -> Query<'a> {
        Query {
            limit: wanted.limit,
            admit: Some(admit),
            boost: wanted.factor("", None).is_some().then_some(boost),
            seed: Some(Seed { member: &wanted.member, now_ms: self.now_ms }),
            ..self.query(wanted)
        }
    }

    fn page(&self, wanted: &Wanted, member: Option<&MemberSnapshot>, rows: usize) -> Rows {
        let boost = |id: &str| wanted.factor(id, self.known(id)).unwrap_or(1.0);
        let admit = |id: &str| wanted.admits(id, self.known(id));
        let query = self.explored_query(wanted, &admit, &boost);
        // Too little is shown in a world for take rates of rows.
        let sources = PageSources {
            aggregates: self.aggregates,
            catalogue: self.catalogue,
            member,
            expected_take: &|_| None,
            boards: None,
            new_titles: None,
        };
        let page = assemble(&sources, &query, rows).into_iter();
        page.map(|row| (Some(row.kind), row.titles.into_iter().map(|title| title.title).collect())).collect()
    }

    fn similar(&self, wanted: &Wanted) -> Vec<Arc<str>> {
        // Titles that nobody played may be similar, too.
        let query = Query { limit: usize::MAX, device: None, ..self.query(wanted) };
        let ranked = if wanted.is_next() { next } else { similar };
        let ranked = ranked(self.aggregates, self.catalogue, &wanted.title, &query);
        self.chosen(wanted, ranked.into_iter().map(|ranked| (ranked.score, ranked.title)).collect())
    }

    fn trending(&self, wanted: &Wanted) -> Vec<Arc<str>> {
        let asked = [
            wanted.country.map(|country| format!("country:{country}")),
            wanted.device.map(|device| format!("device:{device}")),
        ];
        let asked: Vec<&str> = asked.iter().flatten().map(String::as_str).collect();
        let dimensions = known_dimensions(self.aggregates, &asked);
        let query = TrendQuery {
            dimensions: &dimensions,
            country: wanted.country,
            limit: usize::MAX,
            learned: Some(self.learned),
            ..TrendQuery::default()
        };
        let trends = trending(self.aggregates, self.catalogue, &query);
        self.chosen(wanted, trends.into_iter().map(|trend| (trend.score, trend.title)).collect())
    }

    /// The best of scored titles that may be shown, with their boosts.
    fn chosen(&self, wanted: &Wanted, mut titles: Vec<(f64, Arc<str>)>) -> Vec<Arc<str>> {
        titles.retain(|(_, id)| wanted.admits(id, self.known(id)));
        if wanted.factor("", None).is_some() {
            for (score, id) in &mut titles {
                *score *= wanted.factor(id, self.known(id)).unwrap_or(1.0);
            }
            titles.retain(|(score, _)| *score > 0.0);
            titles.sort_by(|a, b| b.0.total_cmp(&a.0));
        }
        titles.into_iter().take(wanted.limit).map(|(_, id)| id).collect()
    }

    fn query<'a>(&'a self, wanted: &'a Wanted) -> Query<'a> {
        Query {
            country: wanted.country,
            device: wanted.device,
            settings: Some(self.settings),
            learned: Some(self.learned),
            ..Query::default()
        }
    }
}
