//! Decisions: answers as they were given, queued for the stream without holding an answer up.

use super::FactSettings;
use crate::event_loop::EventLoop;
use crate::member_answer::MemberAnswer;
use crate::recommender::Question;
use crate::retry::Backoff;
use nearline_model::Fact;
use nearline_model::facts::{Candidate, ChosenArtwork, Decision, FactKind, Known, PlacedBy};
use nearline_model::identifier::partition_of;
use nearline_ports::{Clock, FactStream};
use nearline_ranking::exploration::Placement;
use nearline_ranking::offer::{OfferedRow, OfferedTitle};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Decisions of one entry at most.
const AT_ONCE: usize = 512;
/// Times that an entry is tried before it is left out.
const ATTEMPTS: u32 = 5;
/// How long decisions are gathered for one entry.
const GATHER: Duration = Duration::from_millis(100);
/// Longest time that stopping waits for the stream.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// What is offered, as candidates of a decision.
pub trait Offer {
    /// Which kind of fact it is.
    fn kind(&self) -> FactKind;
    /// Its titles, in order.
    fn candidates(&self) -> Vec<Candidate>;
}

impl Offer for Vec<OfferedTitle> {
    fn kind(&self) -> FactKind {
        FactKind::Row
    }

    fn candidates(&self) -> Vec<Candidate> {
        row("", self).collect()
    }
}

impl Offer for Vec<OfferedRow> {
    fn kind(&self) -> FactKind {
        FactKind::Page
    }

    fn candidates(&self) -> Vec<Candidate> {
        self.iter().flat_map(|offered| row(offered.kind.name(), &offered.titles)).collect()
    }
}

fn row<'a>(name: &'a str, titles: &'a [OfferedTitle]) -> impl Iterator<Item = Candidate> + 'a {
    (0..).zip(titles).map(move |(place, offered)| Candidate {
        title: offered.title.clone(),
        row: name.into(),
        place,
        score: offered.score,
        artwork: offered.artwork.as_ref().map(|artwork| ChosenArtwork {
            id: artwork.id.as_str().into(),
            propensity: artwork.propensity,
            segment: artwork.segment.clone(),
        }),
        placed: offered.placement.map(|Placement { explored, propensity }| PlacedBy { explored, propensity }),
    })
}

/// An answer that was made.
pub(crate) struct Made<'a, T> {
    pub question: &'a Question,
    pub found: &'a MemberAnswer,
    pub recommendation_id: &'a str,
    pub variant: Option<&'a (String, String)>,
    pub offered: &'a T,
}

/// Where decisions wait.
pub(crate) struct DecisionQueue {
    settings: FactSettings,
    partitions: u16,
    clock: Arc<dyn Clock>,
    queue: mpsc::Sender<Fact>,
    /// How many are not in the stream yet.
    waiting: watch::Sender<usize>,
}

impl DecisionQueue {
    /// Starts; what empties it runs on `event_loop`. `None`: no decisions are kept.
    pub fn start(
        settings: &FactSettings,
        partitions: u16,
        clock: Arc<dyn Clock>,
        stream: Arc<dyn FactStream>,
        event_loop: &EventLoop,
    ) -> Option<Self> {
        if !settings.capture || settings.decision_share <= 0.0 {
            return None;
        }
        let (queue, decisions) = mpsc::channel(settings.decision_queue.max(1));
        let waiting = watch::Sender::new(0);
        event_loop.spawn(put_all(stream, decisions, waiting.clone()));
        Some(Self { settings: settings.clone(), partitions, clock, queue, waiting })
    }

    /// Keeps an answer, if it is in the sample and there is room.
    pub fn add<T: Offer>(&self, made: &Made<'_, T>) {
        if self.settings.decision_share < 1.0 && !self.is_sampled() {
            return;
        }
        let Ok(room) = self.queue.try_reserve() else {
            metrics::counter!("nearline_facts_left_out_total", "why" => "queue_full").increment(1);
            return;
        };
        self.waiting.send_modify(|count| *count += 1);
        room.send(self.fact(made));
    }

    /// Waits until all are in the stream, for a moment at most.
    pub async fn flush(&self) {
        let mut waiting = self.waiting.subscribe();
        if tokio::time::timeout(FLUSH_DEADLINE, waiting.wait_for(|count| *count == 0)).await.is_err() {
            tracing::warn!("the last decisions were not kept: the fact stream is away");
        }
    }

    fn is_sampled(&self) -> bool {
        (crate::retry::random() as f64 / u64::MAX as f64) < self.settings.decision_share
    }

    fn fact<T: Offer>(&self, made: &Made<'_, T>) -> Fact {
        let Made { question, found, recommendation_id, variant, offered } = made;
        let known = found.snapshot.as_ref();
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        let decision = Decision {
            recommendation_id: (*recommendation_id).into(),
            source: found.source.name().into(),
            variant: variant
                .map(|(experiment, variant)| (experiment.as_str().into(), variant.as_str().into())),
            country: text(&question.country),
            device: text(&question.device),
            known: known.map(|snapshot| Known::of_snapshot(snapshot, self.settings.titles).digest()),
            candidates: offered.candidates(),
        };
        let now_ms = self.clock.now_ms();
        Fact {
            member: question.member.as_str().into(),
            event_at_ms: now_ms,
            known_at_ms: now_ms,
            partition: partition_of(&question.member, self.partitions),
            position: found.position,
            ordinal: 0,
            kind: offered.kind(),
            schema_version: Decision::VERSION,
            payload: decision.encode().into(),
        }
    }
}

/// Puts what comes, until nobody is left who could add.
async fn put_all(
    stream: Arc<dyn FactStream>,
    mut queue: mpsc::Receiver<Fact>,
    waiting: watch::Sender<usize>,
) {
    let mut decisions = Vec::new();
    loop {
        if queue.recv_many(&mut decisions, AT_ONCE).await == 0 {
            return;
        }
        tokio::time::sleep(GATHER).await;
        while decisions.len() < AT_ONCE
            && let Ok(more) = queue.try_recv()
        {
            decisions.push(more);
        }
        let count = decisions.len();
        put(&*stream, std::mem::take(&mut decisions)).await;
        waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(count));
    }
}

async fn put(stream: &dyn FactStream, decisions: Vec<Fact>) {
    let count = decisions.len() as u64;
    let mut backoff = Backoff::new(50, 2_000);
    for _ in 0..ATTEMPTS {
        match stream.put_decisions(decisions.clone()).await {
            Ok(()) => {
                metrics::counter!("nearline_facts_total", "kind" => "decision").increment(count);
                return;
            }
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, "decisions wait for the fact stream");
                tokio::time::sleep(backoff.next_wait()).await;
            }
            Err(error) => {
                tracing::error!(%error, "decisions cannot be kept");
                break;
            }
        }
    }
    metrics::counter!("nearline_facts_left_out_total", "why" => "stream_away").increment(count);
}
