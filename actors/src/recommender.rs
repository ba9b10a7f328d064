//! The recommender: every answer is made here, whoever asks.
//!
//! It takes a member's state as the router found it and ranks it against the sums, the catalogue and what
//! was learned, beside the partition's actor. Filter, boost, exclusions, what was given before, experiment,
//! settings and artwork are all applied in one place, so that no route can forget one.
//!
//! What is deliberately absent: HTTP, and the ranking itself (`nearline-ranking`).

mod artworks;
mod costly;
mod exposure;
mod given;
mod question;
mod row_takes;
mod shared;

pub use given::OfferedOrder;
pub use question::{Answer, AnswerSettings, Given, NotAnswered, Question, TitleQuestion, TrendQuestion};

use crate::engine::catalogue::SharedCatalogue;
use crate::event_loop::Threads;
use crate::facts::{DecisionQueue, Made, Offer};
use crate::member_answer::{MemberAnswer, Source};
use crate::router::Router;
use artworks::Artworks;
use costly::Costly;
use exposure::Exposure;
use nearline_model::aggregates::ALL;
use nearline_model::catalogue::Catalogue;
use nearline_model::check_invariant;
use nearline_model::{Aggregates, MemberSnapshot};
use nearline_ports::Clock;
use nearline_ranking::artwork::{Viewer, affinity_segment};
use nearline_ranking::experiment::{Allocation, Experiment, ExperimentResults, recommendation_id};
use nearline_ranking::exploration::Seed;
use nearline_ranking::expression::{Context, Stop};
use nearline_ranking::gate::{BudgetSpent, Gate, sifted};
use nearline_ranking::insights::Insights;
use nearline_ranking::offer::{OfferedArtwork, OfferedRow, OfferedTitle, OfferedTrend, OfferedTrends};
use nearline_ranking::page::{PageSources, Row, RowTitle, assemble};
use nearline_ranking::trending::{TrendQuery, trending};
use nearline_ranking::{Learned, Query, Ranked, next, rank, similar};
use parking_lot::RwLock;
use row_takes::RowTakes;
use shared::{Common, Shared};
use std::sync::Arc;
use std::time::Duration;

/// What the recommender reads.
#[derive(Clone)]
pub(crate) struct Sources {
    pub aggregates: Arc<RwLock<Aggregates>>,
    pub catalogue: Arc<SharedCatalogue>,
    pub learned: Arc<RwLock<Arc<Learned>>>,
    pub clock: Arc<dyn Clock>,
}

impl Sources {
    /// With nothing learned yet.
    pub fn new(
        aggregates: Arc<RwLock<Aggregates>>,
        catalogue: Arc<SharedCatalogue>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { aggregates, catalogue, learned: Arc::default(), clock }
    }
}

/// Makes answers.
pub(crate) struct Recommender {
    sources: Sources,
    settings: AnswerSettings,
    artworks: Artworks,
    row_takes: RowTakes,
    shared: Shared,
    costly: Costly,
    /// By experiment, in their order.
    exposures: Vec<Exposure>,
    decisions: Option<DecisionQueue>,
}

impl Recommender {
    pub fn new(
        sources: Sources,
        settings: AnswerSettings,
        decisions: Option<DecisionQueue>,
        threads: Threads,
        deadline: Duration,
    ) -> Self {
        let artworks = Artworks::new(&settings.artwork);
        let variants = settings.experiments.all().iter().map(|experiment| experiment.variants.len());
        let exposures = variants.map(Exposure::new).collect();
        let shared = Shared::new(sources.clone(), threads);
        let costly = Costly::new(threads, deadline);
        Self {
            sources,
            settings,
            artworks,
            row_takes: RowTakes::default(),
            shared,
            costly,
            exposures,
            decisions,
        }
    }

    /// A row, asked of the member's owner and ranked.
    pub async fn recommend(
        self: &Arc<Self>,
        router: &Router,
        question: &Question,
    ) -> Result<Answer<Vec<OfferedTitle>>, NotAnswered> {
        let found = router.member(&question.member, false, question.after).await?;
        let titles = self.made(question, &found, Self::row_until).await?;
        Ok(self.sign(question, &found, titles))
    }

    /// A page, asked of the member's owner and assembled.
    pub async fn page(
        self: &Arc<Self>,
        router: &Router,
        question: &Question,
        most_rows: usize,
    ) -> Result<Answer<Vec<OfferedRow>>, NotAnswered> {
        let found = router.member(&question.member, false, question.after).await?;
        let common = self.shared.common(question.country.as_deref(), question.device.as_deref(), true).await;
        let make = move |me: &Self, question: &Question, found: &MemberAnswer, stop: &Stop| {
            me.rows(question, found, &common, most_rows, stop)
        };
        let rows = self.made(question, &found, make).await?;
        Ok(self.sign(question, &found, rows))
    }

    /// What `make` makes of a member's state: at once, unless it is costly. Only then are question and state copied.
    async fn made<T: Send + 'static>(
        self: &Arc<Self>,
        question: &Question,
        found: &MemberAnswer,
        make: impl FnOnce(&Self, &Question, &MemberAnswer, &Stop) -> Result<T, BudgetSpent> + Send + 'static,
    ) -> Result<T, NotAnswered> {
        if question.expressions.is_empty() {
            return Ok(make(self, question, found, &Stop::default())?);
        }
        let (me, question, found) = (self.clone(), question.clone(), found.clone());
        Ok(self.costly.make(true, move |stop| make(&me, &question, &found, stop)).await??)
    }

    /// What was made for a member becomes an answer, with an id of its own. Under an experiment, the member
    /// counts as exposed to the variant from now on.
    pub fn sign<T: Offer>(&self, question: &Question, found: &MemberAnswer, offered: T) -> Answer<T> {
        check_invariant!(
            I7,
            found.source != Source::Popular || found.position.is_start(),
            "an answer without the member's state says that it reflects position {}",
            found.position
        );
        let allocation = self.settings.experiments.allocate(&question.member);
        if let Some(allocation) = &allocation
            && let Some(number) = self.number_of(allocation.experiment)
        {
            self.exposures[number].add(&question.member, allocation.number);
        }
        let random = u128::from(crate::retry::random()) << 64 | u128::from(crate::retry::random());
        let answer = Answer {
            recommendation_id: recommendation_id(allocation.as_ref(), random),
            source: found.source,
            position: found.position,
            variant: allocation.map(|dealt| (dealt.experiment.to_owned(), dealt.variant.to_owned())),
            offered,
        };
        if let Some(decisions) = &self.decisions {
            decisions.add(&Made {
                question,
                found,
                recommendation_id: &answer.recommendation_id,
                variant: answer.variant.as_ref(),
                offered: &answer.offered,
            });
        }
        answer
    }

    /// Waits until the decisions made are kept, for a moment at most.
    pub async fn flush(&self) {
        if let Some(decisions) = &self.decisions {
            decisions.flush().await;
        }
    }

    fn number_of(&self, experiment: &str) -> Option<usize> {
        self.settings.experiments.all().iter().position(|known| known.name == experiment)
    }

    /// The row of a member in the state that was found.
    pub fn row(&self, question: &Question, found: &MemberAnswer) -> Result<Vec<OfferedTitle>, BudgetSpent> {
        self.row_until(question, found, &Stop::default())
    }

    fn row_until(
        &self,
        question: &Question,
        found: &MemberAnswer,
        stop: &Stop,
    ) -> Result<Vec<OfferedTitle>, BudgetSpent> {
        if !self.can_tell(question.country.as_deref()) {
            return Ok(Vec::new());
        }
        let aggregates = self.sources.aggregates.read();
        let catalogue = self.sources.catalogue.titles.read();
        let snapshot = found.snapshot.as_ref();
        self.with_query(question, &catalogue, snapshot, stop, |query| {
            let ranked = rank(&aggregates, &catalogue, snapshot, query);
            let mut titles: Vec<OfferedTitle> =
                ranked.into_iter().map(|ranked| offered_title(ranked, &catalogue)).collect();
            self.dress(&aggregates, &catalogue, &question.member, snapshot, &mut titles);
            titles
        })
    }

    fn rows(
        &self,
        question: &Question,
        found: &MemberAnswer,
        common: &Common,
        most_rows: usize,
        stop: &Stop,
    ) -> Result<Vec<OfferedRow>, BudgetSpent> {
        if !self.can_tell(question.country.as_deref()) {
            return Ok(Vec::new());
        }
        let aggregates = self.sources.aggregates.read();
        let catalogue = self.sources.catalogue.titles.read();
        let takes = self.row_takes.current(&aggregates);
        let sources = PageSources {
            aggregates: &aggregates,
            catalogue: &catalogue,
            member: found.snapshot.as_ref(),
            expected_take: &|row| takes.get(row).copied(),
            boards: Some(&|dimensions| common.board(dimensions)),
            new_titles: common.new_titles.as_deref(),
        };
        self.with_query(question, &catalogue, sources.member, stop, |query| {
            let page = assemble(&sources, query, most_rows);
            let mut rows: Vec<OfferedRow> =
                page.into_iter().map(|row| offered_row(row, &catalogue)).collect();
            let titles = rows.iter_mut().flat_map(|row| &mut row.titles);
            self.dress(&aggregates, &catalogue, &question.member, sources.member, titles);
            rows
        })
    }

    /// Titles like one, or those that having watched it speaks for; `None`: nothing is known of it.
    pub async fn similar(
        self: &Arc<Self>,
        question: &TitleQuestion,
    ) -> Result<Option<Vec<OfferedTitle>>, NotAnswered> {
        let (me, asked) = (self.clone(), question.clone());
        let is_costly = !question.expressions.is_empty();
        Ok(self.costly.make(is_costly, move |stop| me.similar_until(&asked, stop)).await??)
    }

    fn similar_until(
        &self,
        question: &TitleQuestion,
        stop: &Stop,
    ) -> Result<Option<Vec<OfferedTitle>>, BudgetSpent> {
        let aggregates = self.sources.aggregates.read();
        let catalogue = self.sources.catalogue.titles.read();
        if aggregates.title(&question.title).is_none() && catalogue.get(&question.title).is_none() {
            return Ok(None);
        }
        if !self.can_tell(question.country.as_deref()) {
            return Ok(Some(Vec::new()));
        }
        let expressions = &question.expressions;
        let learned = self.sources.learned.read().clone();
        let query = Query {
            limit: if expressions.is_empty() { question.limit } else { usize::MAX },
            country: question.country.as_deref(),
            settings: Some(&self.settings.ranking),
            learned: Some(&learned),
            ..Query::default()
        };
        let ranked = if question.next { next } else { similar };
        let ranked = ranked(&aggregates, &catalogue, &question.title, &query);
        let context = Context::new(query.country, None, self.hour(), "", None);
        let gate = Gate::new(expressions, &catalogue, context, self.settings.expression_steps).until(stop);
        let ranked = sifted(&gate, ranked, question.limit);
        gate.finish()?;
        Ok(Some(ranked.into_iter().map(|ranked| offered_title(ranked, &catalogue)).collect()))
    }

    /// What is taken and played most right now.
    pub async fn trending(self: &Arc<Self>, question: &TrendQuestion) -> Result<OfferedTrends, NotAnswered> {
        let common = self.shared.common(question.country.as_deref(), question.device.as_deref(), false).await;
        let (me, asked) = (self.clone(), question.clone());
        let is_costly = !question.expressions.is_empty();
        Ok(self.costly.make(is_costly, move |stop| me.trending_until(&asked, &common, stop)).await??)
    }

    fn trending_until(
        &self,
        question: &TrendQuestion,
        common: &Common,
        stop: &Stop,
    ) -> Result<OfferedTrends, BudgetSpent> {
        let (country, device) = (question.country.as_deref(), question.device.as_deref());
        if !self.can_tell(country) {
            let dimension = ALL.to_owned();
            return Ok(OfferedTrends { dimension, trends: Vec::new() });
        }
        let known = common.known_dimensions();
        let dimension = match known.is_empty() {
            true => ALL.to_owned(),
            false => known.join(" and "),
        };
        let aggregates = self.sources.aggregates.read();
        let catalogue = self.sources.catalogue.titles.read();
        let learned = self.sources.learned.read().clone();
        let expressions = &question.expressions;
        let context = Context::new(country, device, self.hour(), "", None);
        let gate = Gate::new(expressions, &catalogue, context, self.settings.expression_steps).until(stop);
        let admit = |id: &str| gate.admits(id);
        let query = TrendQuery {
            dimensions: &known,
            country,
            // A boost may bring any title to the front.
            limit: if expressions.has_boost() { usize::MAX } else { question.limit },
            learned: Some(&learned),
            admit: expressions.has_filter().then_some(&admit as &dyn Fn(&str) -> bool),
            boards: Some(&|dimensions| common.board(dimensions)),
        };
        let mut trends = trending(&aggregates, &catalogue, &query);
        if expressions.has_boost() {
            trends.iter_mut().for_each(|trend| trend.score *= gate.factor(&trend.title));
            trends.retain(|trend| trend.score > 0.0);
            // The sort is stable: equal scores stay ordered by id.
            trends.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        trends.truncate(question.limit);
        gate.finish()?;
        let offered = |trend: nearline_ranking::trending::Trend| OfferedTrend {
            known: catalogue.get(&trend.title).cloned(),
            trend,
        };
        Ok(OfferedTrends { dimension, trends: trends.into_iter().map(offered).collect() })
    }

    /// How a title does; `None`: nothing is known of it.
    pub fn insights(&self, title: &str) -> Option<Insights> {
        let aggregates = self.sources.aggregates.read();
        let is_known =
            aggregates.title(title).is_some() || self.sources.catalogue.titles.read().get(title).is_some();
        is_known.then(|| Insights::of(&aggregates, title))
    }

    /// The experiments that run, each with its definition in short and how it does.
    pub fn experiments(&self) -> Vec<(Experiment, String, ExperimentResults)> {
        let experiments = self.settings.experiments.all().iter().zip(&self.exposures);
        let results = experiments.map(|(experiment, exposure)| {
            let definition = self.settings.experiments.definition(&experiment.name).unwrap_or_default();
            let counts: Vec<_> = {
                let aggregates = self.sources.aggregates.read();
                let counted = |variant: &str| {
                    let defined = format!("{variant}-{definition}");
                    aggregates.variant_counts(&experiment.name, &defined).map(|counts| counts.totals())
                };
                let variants = experiment.variants.iter();
                variants.map(|variant| counted(&variant.name).unwrap_or_default()).collect()
            };
            let results = ExperimentResults::of(experiment, &counts, &exposure.members());
            (experiment.clone(), definition.to_owned(), results)
        });
        results.collect()
    }

    /// Whether it can be told which titles may be shown in `country`: not before the catalogue has come.
    fn can_tell(&self, country: Option<&str>) -> bool {
        let can = country.is_none() || self.sources.catalogue.is_loaded();
        if !can {
            metrics::counter!("nearline_answers_without_catalogue_total").increment(1);
        }
        can
    }

    /// Ranks by `make` with the query that is asked for; its hooks hold as long as `make` runs.
    fn with_query<T>(
        &self,
        question: &Question,
        catalogue: &Catalogue,
        snapshot: Option<&MemberSnapshot>,
        stop: &Stop,
        make: impl FnOnce(&Query<'_>) -> T,
    ) -> Result<T, BudgetSpent> {
        let (country, device) = (question.country.as_deref(), question.device.as_deref());
        let context = Context::new(country, device, self.hour(), &question.member, snapshot);
        let expressions = &question.expressions;
        let gate = Gate::new(expressions, catalogue, context, self.settings.expression_steps).until(stop);
        let was_given = |id: &str| question.given.as_ref().is_some_and(|given| given(id));
        let admit = |id: &str| !was_given(id) && gate.admits(id);
        let boost = |id: &str| gate.factor(id);
        let learned = self.sources.learned.read().clone();
        let allocation = self.settings.experiments.allocate(&question.member);
        let query = Query {
            limit: question.limit,
            country,
            device,
            exclude: question.exclude.iter().map(String::as_str).collect(),
            explain: question.explain,
            admit: (expressions.has_filter() || question.given.is_some())
                .then_some(&admit as &dyn Fn(&str) -> bool),
            boost: expressions.has_boost().then_some(&boost as &dyn Fn(&str) -> f64),
            settings: Some(allocation.as_ref().map_or(&self.settings.ranking, Allocation::settings)),
            learned: Some(&learned),
            seed: Some(Seed { member: &question.member, now_ms: self.sources.clock.now_ms() }),
        };
        let made = make(&query);
        gate.finish()?;
        Ok(made)
    }

    /// Gives every title whose catalogue entry has artworks the one that `member` is shown now.
    fn dress<'a>(
        &self,
        aggregates: &Aggregates,
        catalogue: &Catalogue,
        member: &str,
        snapshot: Option<&MemberSnapshot>,
        titles: impl IntoIterator<Item = &'a mut OfferedTitle>,
    ) {
        let now_ms = self.sources.clock.now_ms();
        let mut segment = None;
        let erased_at = snapshot.and_then(|snapshot| snapshot.erased_at.as_deref());
        for title in titles {
            let Some(known) = title.known.as_ref().filter(|title| !title.artworks.is_empty()) else {
                continue;
            };
            let segment = segment.get_or_insert_with(|| affinity_segment(catalogue, snapshot));
            let chooser = self.artworks.of(&known.id);
            let viewer = Viewer { member, segment: segment.as_ref(), erased_at };
            let choice = chooser.lock().choose(aggregates, known, viewer, now_ms);
            title.artwork = choice.and_then(|choice| {
                let id = known.artworks.get(choice.artwork)?.to_owned();
                Some(OfferedArtwork { id, propensity: choice.propensity, segment: choice.segment })
            });
        }
    }

    /// The hour of the day, UTC: filters and boosts may depend on it.
    pub fn hour(&self) -> u8 {
        (self.sources.clock.now_ms().div_euclid(3_600_000).rem_euclid(24)) as u8
    }
}

fn offered_title(ranked: Ranked, catalogue: &Catalogue) -> OfferedTitle {
    offered_row_title(RowTitle::from(ranked), catalogue)
}

fn offered_row_title(title: RowTitle, catalogue: &Catalogue) -> OfferedTitle {
    let RowTitle { title, score, reasons, placement } = title;
    OfferedTitle { known: catalogue.get(&title).cloned(), title, score, reasons, artwork: None, placement }
}

fn offered_row(row: Row, catalogue: &Catalogue) -> OfferedRow {
    OfferedRow {
        kind: row.kind,
        because: row.because.map(|title| {
            let known = catalogue.get(&title).cloned();
            (title, known)
        }),
        genre: row.genre,
        expected_take: row.expected_take,
        measured: row.measured,
        titles: row.titles.into_iter().map(|title| offered_row_title(title, catalogue)).collect(),
    }
}
