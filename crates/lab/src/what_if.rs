//! What if: an archived interval replayed under two sets of settings, the one beside the other.
//!
//! Both replays learn the same events in the log's order, fold and rank them by the code that serves, and are asked
//! before each play of a title that the member had not seen. What was served then stands beside them: whether the title
//! had been shown to the member shortly before. A play that was made because something was shown speaks for what was shown:
//! between two lists that were not served this bias is the same for both, so their difference is what to look at.
//! Takes of artworks are estimated off-policy, from the probabilities that were logged with them.

mod compared;
mod served;

use std::path::Path;

use anyhow::bail;
use nearline_facts::EventArchive;
use nearline_model::log_clock::LogClock;
use nearline_model::{Event, FoldSettings, PartitionId, Title};

use crate::evaluate::policy::PolicyReport;
use crate::evaluate::policy::artworks::ArtworkLog;
use crate::evaluate::prequential::{Heard, Options, Prequential, run_heard};
use crate::evaluate::replay::ReplaySettings;
use crate::evaluate::timed_event::TimedEvent;
use crate::off_policy;

pub use compared::{Class, Compared, Difference};
pub use served::Served;

use compared::Lists;

/// Settings that a node would serve with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Of fold, sums and ranking.
    pub replay: ReplaySettings,
    /// The least probability of an artwork.
    pub exploration_floor: f64,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The interval's first moment, by the log's time, Unix milliseconds; without one, when four fifths had come.
    pub from_ms: Option<i64>,
    /// Its end, exclusive.
    pub to_ms: i64,
    /// Titles in a list.
    pub k: usize,
    /// The settings that served.
    pub served: Settings,
    /// The other ones.
    pub other: Settings,
    /// Members whose lists at the end are wanted.
    pub members: Vec<String>,
}

/// Two lists of one member at the end of the interval.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Pages {
    /// The member.
    pub member: String,
    /// Under the settings that served.
    pub served: Vec<String>,
    /// Under the other ones.
    pub other: Vec<String>,
}

/// What came out.
pub struct Answer {
    /// Events that the log had before the interval.
    pub events_before: usize,
    /// Events of the interval.
    pub events_within: usize,
    /// Records that are no events, or none under both settings.
    pub left_out: u64,
    /// The two replays.
    pub replays: [Prequential; 2],
    /// How they differ.
    pub compared: Compared,
    /// What was served.
    pub shown: Served,
    /// What the choice of artworks that serves would have earned under both; none where nothing was chosen.
    pub artwork: Option<[PolicyReport; 2]>,
    /// Lists at the end.
    pub pages: Vec<Pages>,
}

/// Which of the two replays is at work, of how many events, and how many it has learned.
pub type Progress<'a> = &'a dyn Fn(usize, usize, usize);

/// Replays an archive up to the end of the interval.
///
/// # Errors
/// A folder that is no archive, and an interval without a question.
pub fn run(
    archive: &Path,
    titles: &[Title],
    question: &Question,
    progress: Progress<'_>,
) -> anyhow::Result<Answer> {
    let event_bytes = [&question.served, &question.other]
        .map(|settings| settings.replay.fold.event_bytes)
        .into_iter()
        .min();
    let fold = FoldSettings { event_bytes: event_bytes.unwrap_or(0), ..question.served.replay.fold.clone() };
    let (events, left_out) = events(&EventArchive::existing(archive)?, question.to_ms, &fold)?;
    let events_before = match question.from_ms {
        Some(from_ms) => events.partition_point(|event| event.at_ms < from_ms),
        None => events.len() * 4 / 5,
    };
    let events_within = events.len() - events_before;
    if events_within == 0 {
        bail!("the archive has {events_before} events before the interval, and none in it");
    }
    let mut lists = Lists::default();
    let mut ends = [Vec::new(), Vec::new()];
    let mut replay = |number: usize, settings: &Settings, lists: &mut Lists| {
        let options = Options {
            train_fraction: events_before as f64 / events.len() as f64,
            k: question.k,
            settings: settings.replay.clone(),
            explore: false,
        };
        let told = |done: usize| progress(number, events.len(), done);
        let heard = |heard: Heard<'_>| match heard {
            Heard::List(event, list) => lists.add(number, event, list),
            Heard::End(replay) => ends[number] = compared::ends(replay, &question.members, question.k),
        };
        run_heard(&events, titles.to_vec(), options, told, heard)
    };
    let served = replay(0, &question.served, &mut lists)?;
    let other = replay(1, &question.other, &mut lists)?;
    let window_ms = i64::from(question.served.replay.fold.attribution_seconds) * 1_000;
    let shown = Served::of(&events, &served.outcomes, window_ms, question.served.replay.fold.event_bytes);
    let [first, second] = ends;
    let pages = question.members.iter().zip(first.into_iter().zip(second));
    let pages = pages.map(|(member, (served, other))| Pages { member: member.clone(), served, other });
    Ok(Answer {
        events_before,
        events_within,
        left_out,
        compared: Compared::of(&served, &other, &lists),
        shown,
        artwork: artwork(&events[events_before..], titles, question)?,
        pages: pages.collect(),
        replays: [served, other],
    })
}

/// The events that the log had before a moment, in the order of the time that is believed; those of one time by partition and
/// position. And how many records are left out.
fn events(archive: &EventArchive, to_ms: i64, fold: &FoldSettings) -> anyhow::Result<(Vec<TimedEvent>, u64)> {
    let (mut events, mut left_out) = (Vec::new(), 0);
    for partition in (0..archive.partitions()).map(PartitionId) {
        archive.check_whole(partition)?;
        let (mut clock, mut newest_ms) = (LogClock::default(), 0);
        'partition: for records in archive.events(partition) {
            for record in records? {
                // The log is in its own order: what follows a later event was not there yet.
                let (at_ms, _) = clock.read(record.log_ms, fold);
                if at_ms >= to_ms {
                    break 'partition;
                }
                // Also where a clock that was ahead is put right, a partition's events stay in their order.
                newest_ms = at_ms.max(newest_ms);
                if Event::parse(&record.payload, fold.event_bytes).is_err() {
                    left_out += 1;
                    continue;
                }
                events.push(TimedEvent { at_ms: newest_ms, payload: record.payload });
            }
        }
    }
    events.sort_by_key(|event| event.at_ms);
    Ok((events, left_out))
}

/// What the choice of artworks that serves would have earned with the exploration of both, by what the interval logged.
fn artwork(
    events: &[TimedEvent],
    titles: &[Title],
    question: &Question,
) -> anyhow::Result<Option<[PolicyReport; 2]>> {
    let of = |settings: &Settings| -> anyhow::Result<Option<PolicyReport>> {
        let mut log = ArtworkLog::new(&settings.replay.fold);
        for event in events {
            // What cannot be is counted there.
            if log.add(&event.payload, event.at_ms).is_err() {
                log.skipped.refused += 1;
            }
        }
        let policies = log.policies(titles.to_vec(), &settings.replay.aggregates, settings.exploration_floor);
        let serves = policies.into_iter().find(|logged| logged.policy == "thompson");
        let Some(logged) = serves.filter(|logged| !logged.rounds.is_empty()) else { return Ok(None) };
        let evaluation = off_policy::evaluate(&logged.rounds, &off_policy::Options::default())?;
        Ok(Some(PolicyReport { policy: logged.policy, evaluation }))
    };
    Ok(of(&question.served)?.zip(of(&question.other)?).map(|(served, other)| [served, other]))
}
