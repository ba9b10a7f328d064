//! What a caller asks for: drawn, said to the engine in its terms, and here in plain Rust.

use nearline_actors::{Question, TitleQuestion, TrendQuestion};
use nearline_audience::dice::Dice;
use nearline_model::{Position, Title};
use nearline_ranking::expression::Program;
use nearline_ranking::gate::Expressions;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// A filter: its text, and whether it admits a title by its id and what the catalogue knows of it.
type Filter = (&'static str, fn(&str, Option<&Title>) -> bool);
/// A boost: its text, and the factor.
type Boost = (&'static str, fn(&str, Option<&Title>) -> f64);

const FILTERS: [Filter; 4] = [
    (r#""drama" in title.genres"#, |_, title| title.is_some_and(|title| has(title, "drama"))),
    ("title.year >= 2022", |_, title| title.and_then(|title| title.year).is_some_and(|year| year >= 2022)),
    (r#"title.id != "t3""#, |id, _| id != "t3"),
    (r#"title.id == "t1" || !("horror" in title.genres)"#, |id, title| {
        id == "t1" || title.is_some_and(|title| !has(title, "horror"))
    }),
];

const BOOSTS: [Boost; 2] = [
    ("title.year >= 2022 ? 2.0 : 1.0", |_, title| {
        title.and_then(|title| title.year).map_or(1.0, |year| if year >= 2022 { 2.0 } else { 1.0 })
    }),
    (r#"title.id == "t4" ? 0.0 : 1.5"#, |id, _| if id == "t4" { 0.0 } else { 1.5 }),
];

static FILTER_PROGRAMS: LazyLock<[Arc<Program>; 4]> = LazyLock::new(|| {
    FILTERS.map(|(text, _)| Arc::new(Program::filter(text).expect("a filter as documented")))
});
static BOOST_PROGRAMS: LazyLock<[Arc<Program>; 2]> =
    LazyLock::new(|| BOOSTS.map(|(text, _)| Arc::new(Program::boost(text).expect("a boost as documented"))));

fn has(title: &Title, genre: &str) -> bool {
    title.genres.iter().any(|known| known == genre)
}

/// On which route it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A row for a member.
    Row,
    /// A page of so many rows at most for a member.
    Page(usize),
    /// Titles that follow one.
    Similar,
    /// What trends.
    Trending,
}

/// What a caller asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// On which route.
    pub route: Route,
    /// The member, of rows and pages.
    pub member: String,
    /// The title that others are to be similar to.
    pub title: String,
    /// Titles of a row at most.
    pub limit: usize,
    /// Country.
    pub country: Option<&'static str>,
    /// Device.
    pub device: Option<&'static str>,
    /// Titles not wanted.
    pub exclude: Vec<String>,
    /// Titles given before; empty: there is no cursor.
    pub given: BTreeSet<Arc<str>>,
    /// Age limit, in years.
    pub max_maturity: Option<u8>,
    /// Position insisted on; 0: none.
    pub after: Position,
    filter: Option<usize>,
    boost: Option<usize>,
}

impl Wanted {
    /// Draws what is asked for `member`, with each kind of limit in a part of the questions.
    pub fn draw(dice: &mut Dice, member: &str, after: Position) -> Self {
        let route = match dice.below(10) {
            0..=3 => Route::Row,
            4..=6 => Route::Page(dice.within(1, 7) as usize),
            7..=8 => Route::Similar,
            _ => Route::Trending,
        };
        let excluded = if dice.chance(400) { dice.within(1, 3) } else { 0 };
        Self {
            route,
            member: member.to_owned(),
            title: format!("t{}", dice.within(0, 8)),
            limit: dice.within(1, 8) as usize,
            country: [None, Some("BR"), Some("JP"), Some("DE")][dice.below(4)],
            device: dice.chance(300).then_some("tv"),
            exclude: (0..excluded).map(|_| format!("t{}", dice.within(0, 8))).collect(),
            given: BTreeSet::new(),
            max_maturity: dice.chance(300).then(|| [6, 12, 16][dice.below(3)]),
            after,
            filter: dice.chance(300).then(|| dice.below(FILTERS.len())),
            boost: dice.chance(200).then(|| dice.below(BOOSTS.len())),
        }
    }

    /// All that there is for `member`, without any limit.
    pub fn everything(route: Route, member: &str, title: &str) -> Self {
        Self {
            route,
            member: member.to_owned(),
            title: title.to_owned(),
            limit: 20,
            country: None,
            device: None,
            exclude: Vec::new(),
            given: BTreeSet::new(),
            max_maturity: None,
            after: Position::START,
            filter: None,
            boost: None,
        }
    }

    /// Whether what the caller asks for lets a title be shown, whoever the member is.
    pub fn admits(&self, id: &str, title: Option<&Title>) -> bool {
        let is_available = match (self.country, title) {
            (_, Some(title)) if title.withdrawn => false,
            (Some(country), Some(title)) => {
                title.countries.is_empty() || title.countries.iter().any(|known| known == country)
            }
            _ => true,
        };
        let is_for_age = self.max_maturity.is_none_or(|limit| {
            title.and_then(|title| title.maturity).is_some_and(|maturity| maturity <= limit)
        });
        let is_member_s = matches!(self.route, Route::Row | Route::Page(_));
        is_available
            && is_for_age
            && self.filter.is_none_or(|filter| FILTERS[filter].1(id, title))
            && !(is_member_s && (self.exclude.iter().any(|out| out == id) || self.given.contains(id)))
    }

    /// What a title's score is multiplied by; `None`: nothing is boosted.
    pub fn factor(&self, id: &str, title: Option<&Title>) -> Option<f64> {
        self.boost.map(|boost| BOOSTS[boost].1(id, title))
    }

    /// In the engine's terms.
    pub fn question(&self) -> Question {
        let given = self.given.clone();
        Question {
            member: self.member.clone(),
            limit: self.limit,
            country: self.country.map(str::to_owned),
            device: self.device.map(str::to_owned),
            exclude: self.exclude.clone(),
            explain: false,
            after: (!self.after.is_start()).then_some(self.after),
            expressions: self.expressions(),
            given: (!given.is_empty()).then(|| {
                Arc::new(move |id: &str| given.contains(id)) as Arc<dyn Fn(&str) -> bool + Send + Sync>
            }),
        }
    }

    /// The same, of a title.
    pub fn title_question(&self) -> TitleQuestion {
        TitleQuestion {
            title: self.title.clone(),
            next: self.is_next(),
            limit: self.limit,
            country: self.country.map(str::to_owned),
            expressions: self.expressions(),
        }
    }

    /// Whether titles are wanted that are watched after one, and not those like it.
    pub fn is_next(&self) -> bool {
        self.limit % 2 == 1
    }

    /// The same, of what trends.
    pub fn trend_question(&self) -> TrendQuestion {
        TrendQuestion {
            limit: self.limit,
            country: self.country.map(str::to_owned),
            device: self.device.map(str::to_owned),
            expressions: self.expressions(),
        }
    }

    fn expressions(&self) -> Expressions {
        Expressions {
            filter: self.filter.map(|filter| FILTER_PROGRAMS[filter].clone()),
            boost: self.boost.map(|boost| BOOST_PROGRAMS[boost].clone()),
            max_maturity: self.max_maturity,
        }
    }
}
