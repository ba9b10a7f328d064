//! Events to measure with: the demo's audience, made before the clock starts.

use bytes::Bytes;
use nearline_audience::{Audience, AudienceSettings};
use nearline_model::catalogue::Title;
use nearline_ports::{Clock, EventLog, NewEvent, SystemClock};

/// Events appended in one call while a log is filled.
const APPEND_EVENTS: usize = 2_000;

/// `events` events of an audience of `members` and `titles`, 2 milliseconds apart.
pub fn events(events: usize, members: usize, titles: usize, seed: u64) -> Vec<NewEvent> {
    let mut audience =
        Audience::new(AudienceSettings { seed, members, titles, ..AudienceSettings::default() });
    let now_ms = now_ms() - 2 * events as i64;
    (0..events as i64)
        .map(|at| {
            let event = audience.next_event(now_ms + 2 * at);
            NewEvent { member: event.member, id: event.id, payload: Bytes::from(event.json) }
        })
        .collect()
}

/// What that audience chooses from.
pub fn titles(titles: usize, seed: u64) -> Vec<Title> {
    Audience::new(AudienceSettings { seed, titles, ..AudienceSettings::default() }).titles()
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemClock.now_ms()
}

/// Appends all events, in order, `under_way` calls at a time.
pub async fn fill(log: &dyn EventLog, events: &[NewEvent], under_way: usize) -> anyhow::Result<()> {
    use futures_util::StreamExt;
    let appends = events.chunks(APPEND_EVENTS).map(|chunk| log.append(chunk.to_vec()));
    let mut appends = futures_util::stream::iter(appends).buffered(under_way.max(1));
    while let Some(outcomes) = appends.next().await {
        for outcome in outcomes {
            outcome?;
        }
    }
    Ok(())
}
