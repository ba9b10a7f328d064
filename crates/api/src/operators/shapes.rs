//! Shapes of what other rooms write themselves, for the description alone: nothing here is ever made. That answers look like
//! this is held by the tests of the operators' listener, and below for fields that are seldom there.

use crate::dead_letters::LetterHeading;
use serde_json::Value;
use utoipa::ToSchema;

/// What a partition is doing on this node.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum PartitionState {
    /// Being acquired and loaded.
    Starting,
    /// Folding and answering.
    Live,
    /// Waiting for the store or the log; answering from what it has.
    Holding,
    /// Failed; about to be built anew.
    Restarting,
    /// Not running any more.
    Stopped,
    /// Another node owns it.
    Elsewhere,
}

/// A partition as operators see it.
#[derive(ToSchema)]
pub struct PartitionDocument {
    /// The partition.
    pub partition: u16,
    /// What it is doing here.
    pub state: PartitionState,
    /// Node that owns it, as far as is known here.
    #[schema(required)]
    pub owner: Option<String>,
    /// Epoch of its owner.
    pub epoch: u64,
    /// Position of the last record folded.
    pub folded: u64,
    /// Position of the last commit.
    pub committed: u64,
    /// Position of the last record in the log, as of the last look.
    pub log_last: u64,
    /// Records that wait to be folded.
    pub lag: u64,
    /// Milliseconds that the oldest of them may have waited; 0 when caught up.
    pub lag_ms: u64,
    /// Members in memory.
    pub cached_members: usize,
    /// Restarts since the engine started.
    pub restarts: u64,
    /// Why it failed last.
    #[schema(required)]
    pub last_failure: Option<String>,
    /// Records folded since the engine started.
    pub events: u64,
}

/// Where a partition stands.
#[derive(ToSchema)]
pub struct StandingDocument {
    /// Its state: `live`, `holding`, `restarting`…
    pub state: String,
    /// Epoch of its owner.
    pub epoch: u64,
    /// Position of the last record folded.
    pub folded: u64,
    /// Position of the last commit.
    pub committed: u64,
}

/// A fault that was noticed, and what was done about it.
#[derive(ToSchema)]
pub struct RemediationDocument {
    /// Orders remediations by time; the same id again is the same remediation, further along.
    pub id: String,
    /// When the fault was noticed, Unix milliseconds.
    pub at_ms: i64,
    /// The partition.
    pub partition: u16,
    /// Stable code of the fault.
    pub fault: String,
    /// What exactly was wrong.
    pub detail: String,
    /// Stable code of the action.
    pub action: String,
    /// Milliseconds waited before it.
    pub wait_ms: u64,
    /// Position of the event that it is about, if it is about one.
    #[schema(nullable = false)]
    pub position: Option<u64>,
    /// Crashes on that event.
    #[schema(nullable = false)]
    pub attempts: Option<u32>,
    /// Trace that its span is in, 32 hexadecimal digits; absent where no traces are recorded.
    #[schema(nullable = false)]
    pub trace_id: Option<String>,
    /// Before.
    pub before: StandingDocument,
    /// After; null while it lasts.
    #[schema(required)]
    pub after: Option<StandingDocument>,
    /// Milliseconds from the fault to `after`; null while it lasts.
    #[schema(required)]
    pub took_ms: Option<u64>,
}

/// How bad what was found is.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and will not under some circumstances.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that the doctor examined.
#[derive(ToSchema)]
pub struct FindingDocument {
    /// What it is of: `nats`, `redis`, `disk`…
    pub part: String,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found.
    pub says: String,
    /// What to do, where something is to be done.
    #[schema(nullable = false)]
    pub advice: Option<String>,
}

/// How full a table of the sums is.
#[derive(ToSchema)]
pub struct TableDocument {
    /// The table.
    pub table: String,
    /// Entries in it.
    pub entries: usize,
    /// Entries at most.
    pub limit: usize,
}

/// What an archiver can read here.
#[derive(ToSchema)]
pub struct HoldingsDocument {
    /// The log, by its identity.
    pub log: String,
    /// Records that one message of the log may hold.
    pub block: u16,
    /// By partition: position of the first record that is kept, and of the last one.
    pub partitions: Vec<Vec<u64>>,
    /// The stream of facts, by its identity; empty: nothing was ever put.
    pub facts: String,
    /// Number of its last entry; 0: there is none.
    pub last_fact: u64,
}

/// How weights between titles are made of the sums.
#[derive(ToSchema)]
pub struct WeighingDocument {
    /// Regularisation: this, times the root of a title's plays.
    pub regularisation: f64,
    /// Share of what was played right before and after; the rest is what was solved.
    pub direct_share: f64,
}

/// Weights of the members of one group.
#[derive(ToSchema)]
pub struct WeightsDocument {
    /// What a title of the history counts for, one more step back.
    pub step: f64,
    /// Power of plays that scores are divided by.
    pub damping: f64,
    /// What the most popular title scores by that alone.
    pub popularity: f64,
    /// The same of the strongest trend.
    pub trend: f64,
    /// Share of plays that members began with in both.
    pub opening: f64,
    /// What the beginning of a history counts for.
    pub beginning: f64,
    /// How much the genres count that the member plays more than others do.
    pub taste: f64,
}

/// What was chosen for the members of one group, and on what evidence.
#[derive(ToSchema)]
pub struct GroupDocument {
    /// Titles played from which on a member belongs to it.
    pub from_plays: usize,
    /// Probes that it was tried on.
    pub probes: usize,
    /// Mean of 10 / (9 + rank) of what was played, 0 to 1.
    pub gain: f64,
    /// The same under the defaults.
    pub gain_of_defaults: f64,
    /// What was chosen.
    pub weights: WeightsDocument,
}

/// What titles played before are held against.
#[derive(ToSchema)]
pub struct ReturningDocument {
    /// By group and band of ranks: how likely a place of the band holds what is played next, of what was not played before.
    pub places: Vec<Vec<f64>>,
    /// By band of closeness: how many times as likely a title is come back to.
    pub closeness: Vec<f64>,
}

/// The ranking's weights, as they were chosen from the stream.
#[derive(ToSchema)]
pub struct RankingDocument {
    /// How weights between titles are made.
    pub weighing: WeighingDocument,
    /// By group; none until there was enough to choose by.
    pub groups: Vec<GroupDocument>,
    /// Absent where members did not come back to any title.
    #[schema(nullable = false)]
    pub returning: Option<ReturningDocument>,
    /// Plays that the sums held then.
    pub plays: u64,
}

/// The configuration as it is in effect, without what is secret: what a key means stands in `config/default.toml`.
#[derive(ToSchema)]
#[schema(value_type = Object)]
pub struct ConfigurationDocument(pub Value);

/// Dead letters that came and went.
#[derive(ToSchema)]
pub struct LettersChange {
    /// Those that are new, or differ from before.
    pub added: Vec<LetterHeading>,
    /// Positions of those that are gone.
    pub removed: Vec<u64>,
    /// Whether the console knows all there are: it is told of the oldest.
    pub all: bool,
}

/// Everything follows, since what came meanwhile is not known.
#[derive(ToSchema)]
pub struct SnapshotDocument {
    /// Why it is not.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_model::control::remediation::{Remediation, Standing};
    use nearline_model::{PartitionId, Position};
    use nearline_ports::finding::Finding;
    use serde::Serialize;
    use std::collections::BTreeSet;
    use utoipa::PartialSchema;

    /// Names of the fields of a value, and of a shape.
    fn fields<T: PartialSchema>(value: impl Serialize) -> (BTreeSet<String>, BTreeSet<String>) {
        let value = serde_json::to_value(value).expect("JSON");
        let schema = serde_json::to_value(T::schema()).expect("JSON");
        let names = |of: &Value| of.as_object().expect("fields").keys().cloned().collect();
        (names(&value), names(&schema["properties"]))
    }

    #[test]
    fn shapes_have_the_fields_that_are_seldom_there() {
        let remediation = Remediation {
            id: "1".into(),
            at_ms: 1,
            partition: PartitionId(1),
            fault: "panicked".into(),
            detail: "at an event".into(),
            action: "restart".into(),
            wait_ms: 0,
            position: Some(Position(7)),
            attempts: Some(1),
            trace_id: Some("a".into()),
            before: Standing::default(),
            after: Some(Standing::default()),
            took_ms: Some(1),
        };
        let (written, described) = fields::<RemediationDocument>(remediation);
        assert_eq!(written, described);
        let (written, described) = fields::<FindingDocument>(Finding::warn("disk", "little", "more"));
        assert_eq!(written, described);
    }
}
