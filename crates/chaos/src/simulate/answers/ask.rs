//! How a question reaches the engine: the place of whatever stands between a caller and it, and of the planted
//! bugs of ranking.

use super::wanted::{Route, Wanted};
use crate::simulate::mutation::Mutation;
use nearline_actors::{Engine, NotAnswered, Question, Source};
use nearline_model::Position;
use nearline_ranking::gate::Expressions;
use nearline_ranking::offer::OfferedTitle;
use nearline_ranking::page::RowKind;
use std::sync::Arc;

/// A row as it was offered.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedRow {
    /// Of a page: what it is made of.
    pub kind: Option<RowKind>,
    /// Its titles, best first.
    pub titles: Vec<Offered>,
}

/// A title as it was offered.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered {
    /// The title.
    pub title: Arc<str>,
    /// Its artwork and the chance it had, for members.
    pub artwork: Option<(String, f64)>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Where the member's state came from; `None`: it is nobody's.
    pub source: Option<Source>,
    /// Position of the member's state.
    pub position: Position,
    /// The rows; one, unless a page was asked for.
    pub rows: Vec<OfferedRow>,
}

/// Asks `engine`. A node that was started again may have the planted bug of one.
pub async fn ask(
    engine: &Engine,
    wanted: &Wanted,
    mutation: Option<Mutation>,
    was_restarted: bool,
) -> Result<Offer, NotAnswered> {
    match wanted.route {
        Route::Row if mutation == Some(Mutation::LoseSeenAfterRestart) && was_restarted => {
            without_what_was_seen(engine, &wanted.question()).await
        }
        Route::Row => {
            let answer = engine.recommend(&wanted.question()).await?;
            Ok(row(Some(answer.source), answer.position, answer.offered))
        }
        Route::Page(rows) => {
            let mut question = wanted.question();
            if mutation == Some(Mutation::ForgetFilterOfPages) {
                question.expressions =
                    Expressions { boost: question.expressions.boost, ..Expressions::default() };
            }
            let answer = engine.page(&question, rows).await?;
            let rows = answer.offered.into_iter();
            let rows = rows.map(|row| OfferedRow { kind: Some(row.kind), titles: offered(row.titles) });
            Ok(Offer { source: Some(answer.source), position: answer.position, rows: rows.collect() })
        }
        Route::Similar => {
            let titles = engine.similar(&wanted.title_question()).await?;
            Ok(row(None, Position::START, titles.unwrap_or_default()))
        }
        Route::Trending => {
            let trends = engine.trending(&wanted.trend_question()).await?.trends.into_iter();
            let titles = trends.map(|trend| Offered { title: trend.trend.title, artwork: None }).collect();
            Ok(Offer {
                source: None,
                position: Position::START,
                rows: vec![OfferedRow { kind: None, titles }],
            })
        }
    }
}

/// A row made of a state that lost the titles seen before those of the history.
async fn without_what_was_seen(engine: &Engine, question: &Question) -> Result<Offer, NotAnswered> {
    let mut found = engine.member(&question.member, false, question.after).await?;
    if let Some(snapshot) = &mut found.snapshot {
        snapshot.seen.clear();
    }
    let titles = engine.row(question, &found)?;
    Ok(row(Some(found.source), found.position, titles))
}

fn row(source: Option<Source>, position: Position, titles: Vec<OfferedTitle>) -> Offer {
    Offer { source, position, rows: vec![OfferedRow { kind: None, titles: offered(titles) }] }
}

fn offered(titles: Vec<OfferedTitle>) -> Vec<Offered> {
    let artwork = |title: &OfferedTitle| title.artwork.as_ref().map(|art| (art.id.clone(), art.propensity));
    titles.into_iter().map(|title| Offered { artwork: artwork(&title), title: title.title }).collect()
}
