//! What is asked of the engine, and what it answers.

use crate::member_answer::{NotReached, Source};
use nearline_model::Position;
use nearline_ranking::artwork::ArtworkSettings;
use nearline_ranking::experiment::Experiments;
use nearline_ranking::gate::{BudgetSpent, Expressions};
use nearline_ranking::settings::RankingSettings;
use std::sync::Arc;

/// How answers are made.
#[derive(Debug, Clone)]
pub struct AnswerSettings {
    /// Settings of the ranking.
    pub ranking: RankingSettings,
    /// Experiments that run.
    pub experiments: Arc<Experiments>,
    /// How artworks are chosen.
    pub artwork: ArtworkSettings,
    /// Evaluation steps that the filter and the boost of one question may take together.
    pub expression_steps: u64,
}

impl Default for AnswerSettings {
    fn default() -> Self {
        Self {
            ranking: RankingSettings::default(),
            experiments: Arc::default(),
            artwork: ArtworkSettings::default(),
            expression_steps: 2_000_000,
        }
    }
}

/// Tells whether a title was given before.
pub type Given = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A row or a page for a member.
#[derive(Clone, Default)]
pub struct Question {
    /// The member.
    pub member: String,
    /// Titles of a row at most.
    pub limit: usize,
    /// Country: only titles available there.
    pub country: Option<String>,
    /// Device.
    pub device: Option<String>,
    /// Titles not wanted.
    pub exclude: Vec<String>,
    /// Whether reasons are wanted.
    pub explain: bool,
    /// Position of the member's partition that the answer must have reached.
    pub after: Option<Position>,
    /// Filter, boost and maturity limit.
    pub expressions: Expressions,
    /// Titles that were given before and are not wanted again; `None`: there are none.
    pub given: Option<Given>,
}

/// Titles like one, or played after it.
#[derive(Clone, Default)]
pub struct TitleQuestion {
    /// The title.
    pub title: String,
    /// Whether those are wanted that having watched it speaks for, whatever they are like.
    pub next: bool,
    /// Titles at most.
    pub limit: usize,
    /// Country: only titles available there.
    pub country: Option<String>,
    /// Filter, boost and maturity limit.
    pub expressions: Expressions,
}

/// What is taken and played most right now.
#[derive(Clone, Default)]
pub struct TrendQuestion {
    /// Titles at most.
    pub limit: usize,
    /// Country: what trends there, and is available there.
    pub country: Option<String>,
    /// Device.
    pub device: Option<String>,
    /// Filter, boost and maturity limit.
    pub expressions: Expressions,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// Id of this answer, fresh each time. Under an experiment it ends in `-x-EXPERIMENT-VARIANT-DEFINITION`.
    pub recommendation_id: String,
    /// Where the member's state came from.
    pub source: Source,
    /// Position of the log that the member's state reflects; 0 for [`Source::Popular`].
    pub position: Position,
    /// Experiment and variant that it was made under.
    pub variant: Option<(String, String)>,
    /// What is offered.
    pub offered: T,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotAnswered {
    /// The state is not as new as was asked for.
    #[error(transparent)]
    NotReached(#[from] NotReached),
    /// Filter and boost took too many steps.
    #[error(transparent)]
    BudgetSpent(#[from] BudgetSpent),
    /// Filter and boost were not done within the deadline: too many such questions are under way.
    #[error(
        "filter and boost were not evaluated within {deadline_ms} ms: too many costly questions are under way; try again \
         in a moment, or another node"
    )]
    Overloaded {
        /// The deadline of queries.
        deadline_ms: u64,
    },
}
