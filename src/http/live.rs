//! `GET /v1/members/{id}/recommendations/live`: a member's row, sent again whenever it changes
//! (server-sent events; WHATWG HTML, section 9.2).
//!
//! A subscriber waits for two things: an event of its member being folded (told by the partition's
//! actor, for watched members only) and a change of what all rows rest on: the sums, what was worked out of
//! them, the catalogue (looked at by one task for all). Either makes it rank its row again, at most once per
//! `live.min_interval_ms`; a row that came out the same is not sent. A member that was not read from this node's
//! actor is read again now and then: what happens to it is told to nobody here. The stream is pulled by the
//! connection: while a client reads slowly nothing is ranked and nothing is queued, and what it gets next is
//! the newest.

use super::asked::{Asked, SHARED};
use super::cursor::Route;
use super::event_stream;
use super::filter::too_costly;
use super::live_hub::Seat;
use super::problem::{Problem, ProblemKind};
use super::query::{Parameters, path_id};
use super::recommendations::{document, not_reached};
use super::state::{Answer, State};
use actix_web::HttpRequest;
use actix_web::http::Method;
use bytes::Bytes;
use nearline_actors::{MemberAnswer, MemberWatch, NotReached, Source};
use nearline_config::LiveSection;
use nearline_model::Position;
use nearline_model::identifier::OwnerEpoch;
use nearline_ranking::offer::OfferedTitle;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

/// Milliseconds after which a client is told to open its row again.
const RETRY_MS: u64 = 1_000;

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/members/{id}/recommendations/live", tag = "members", operation_id = "follow_recommendations",
    summary = "A member's row, again whenever it changes",
    description = "Server-sent events named `recommendations`; the data are those of `GET /v1/members/{id}/recommendations`. Send the id of the last event as `Last-Event-ID`: a row that is still the same is not sent again.",
    params(
        ("id" = String, Path, description = "The member"),
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event received"),
        ("limit" = Option<usize>, Query, description = "Titles at most (default 20)", minimum = 1),
        ("country" = Option<String>, Query, description = "Country, ISO 3166-1 alpha-2: only titles available there"),
        ("device" = Option<String>, Query, description = "Device"),
        ("exclude" = Option<String>, Query, description = "Titles not wanted: ids separated by commas; may be repeated"),
        ("explain" = Option<bool>, Query, description = "Whether reasons are wanted"),
        ("filter" = Option<String>, Query, description = "CEL: only titles that it is true for"),
        ("boost" = Option<String>, Query, description = "CEL: what a title's score is multiplied by"),
        ("max_maturity" = Option<u8>, Query, description = "Only titles known to be meant for this age, in years, or younger"),
    ),
    responses(
        (status = 200, description = "Rows, as they change", body = String, content_type = "text/event-stream"),
        (status = 400, description = "The id or a parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "As many live rows are open as may be, or the service is stopping", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn follow(request: HttpRequest, state: State) -> Answer {
    let member = path_id(&request)?;
    let parameters = Parameters::read(&request, &SHARED)?;
    let asked = Asked::read(&parameters, &state, &member, Route::Recommendations)?;
    let mut response = event_stream::head();
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let Some(seat) = state.live.take_seat() else {
        let detail = format!(
            "{} live rows are open, which is all that `live.max_subscribers` allows; try again later",
            state.config.live.max_subscribers
        );
        return Err(Problem::new(ProblemKind::TooManySubscribers, detail));
    };
    let sent = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()).and_then(row_of_event);
    // Watched before it is read: what is folded in between is told.
    let watch = state.engine.watch_member(&member);
    let subscriber = Subscriber {
        trend: state.live.trend(),
        ends: Instant::now() + Duration::from_secs(state.config.live.max_seconds),
        found: Found::read(&state, &member, None).await.map_err(not_reached)?,
        opening: Some(Opening::Greet),
        quiet_until: Instant::now(),
        state,
        asked,
        member,
        watch,
        sent,
        _seat: seat,
    };
    // Ranked once before the answer begins: a filter that costs too much is told as a problem.
    subscriber.rank()?;
    let events = futures_util::stream::unfold(subscriber, |mut subscriber| async move {
        let bytes = subscriber.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), subscriber))
    });
    Ok(response.streaming(events))
}

/// What made a subscriber look at its row.
#[derive(PartialEq)]
enum WokenBy {
    /// An event of its member.
    Member,
    /// What all rows rest on.
    Trend,
    /// Neither, for a while.
    Time,
}

/// What a subscriber does before it waits for changes.
enum Opening {
    /// Tells when to come back.
    Greet,
    /// Sends the row, unless the client has it.
    Row,
}

/// A member as it was read last.
struct Found {
    answer: MemberAnswer,
    /// Epoch of this node's actor that it was read from: what that one folds since is told. `None`: it was read
    /// from the store or from another node.
    told_under: Option<OwnerEpoch>,
}

impl Found {
    /// Reads the member's state, at least as new as `after`.
    async fn read(state: &State, member: &str, after: Option<Position>) -> Result<Self, NotReached> {
        let before = state.engine.folding_epoch(member);
        let answer = state.engine.member(member, false, after).await?;
        // Nobody knows who answered if the partition changed hands meanwhile.
        let is_told = answer.source == Source::Live && before == state.engine.folding_epoch(member);
        Ok(Self { answer, told_under: before.filter(|_| is_told) })
    }
}

/// One open connection.
struct Subscriber {
    state: State,
    asked: Asked,
    member: String,
    watch: MemberWatch,
    trend: watch::Receiver<u64>,
    found: Found,
    /// Fingerprint of the row that the client has.
    sent: Option<u64>,
    opening: Option<Opening>,
    /// When the row may be ranked again.
    quiet_until: Instant,
    ends: Instant,
    _seat: Seat,
}

impl Subscriber {
    /// What to send next; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        match self.opening.take() {
            Some(Opening::Greet) => {
                self.opening = Some(Opening::Row);
                return Some(Bytes::from(format!("retry: {RETRY_MS}\n\n")));
            }
            Some(Opening::Row) => {
                if let Some(event) = self.changed_row().ok()? {
                    return Some(event);
                }
            }
            None => {}
        }
        let LiveSection { keep_alive_seconds, min_interval_ms, trend_interval_ms, .. } =
            self.state.config.live;
        let stopped = self.state.live.stopped();
        tokio::pin!(stopped);
        // From the last thing sent, not from the last look: rows that stay the same are silent.
        let silent_until = Instant::now() + Duration::from_secs(keep_alive_seconds);
        loop {
            let woken_by = tokio::select! {
                biased;
                () = &mut stopped => return None,
                () = tokio::time::sleep_until(self.ends) => return None,
                // Before what may be ready at every look, or its turn would never come.
                () = tokio::time::sleep_until(silent_until) => return Some(Bytes::from_static(b": still here\n\n")),
                _ = self.watch.changed() => WokenBy::Member,
                changed = self.trend.changed() => changed.map(|()| WokenBy::Trend).ok()?,
                () = tokio::time::sleep(Duration::from_millis(trend_interval_ms)) => WokenBy::Time,
            };
            // Judged now, not before the wait: the partition may have moved in between.
            let is_told = self.is_told();
            if woken_by == WokenBy::Time && is_told {
                continue;
            }
            tokio::select! {
                biased;
                () = &mut stopped => return None,
                () = tokio::time::sleep_until(self.quiet_until) => {}
            }
            self.quiet_until = Instant::now() + Duration::from_millis(min_interval_ms);
            if woken_by == WokenBy::Member || !is_told {
                // Only then is the actor asked: the trend changes no member's state.
                self.read_again().await;
            }
            if let Some(event) = self.changed_row().ok()? {
                return Some(event);
            }
        }
    }

    /// Whether every event that is not in `found` yet is told.
    fn is_told(&self) -> bool {
        let epoch = self.found.told_under;
        epoch.is_some() && epoch == self.state.engine.folding_epoch(&self.member)
    }

    /// Reads the member again. A row does not go back: where nothing as new as what it shows can be had in
    /// time, it stays, and is looked at again in a while.
    async fn read_again(&mut self) {
        let shown = Some(self.found.answer.position).filter(|position| !position.is_start());
        let found = match Found::read(&self.state, &self.member, shown).await {
            // The log has no such position any more: it was set back.
            Err(error) if error.log_end.is_some() => Found::read(&self.state, &self.member, None).await,
            found => found,
        };
        match found {
            Ok(found) => self.found = found,
            Err(_) => self.found.told_under = None,
        }
    }

    fn rank(&self) -> Result<Vec<OfferedTitle>, Problem> {
        self.state.engine.row(&self.asked.question, &self.found.answer).map_err(too_costly)
    }

    /// The row as an event, if it is not the one that the client has.
    fn changed_row(&mut self) -> Result<Option<Bytes>, Problem> {
        metrics::counter!("nearline_live_rankings_total").increment(1);
        let titles = self.rank()?;
        let fingerprint = fingerprint_of(&titles);
        if self.sent == Some(fingerprint) {
            return Ok(None);
        }
        self.sent = Some(fingerprint);
        let answer = self.state.engine.sign(&self.asked.question, &self.found.answer, titles);
        let answer = document(self.member.clone(), answer);
        self.state.queries.count(self.found.answer.source);
        metrics::counter!("nearline_live_events_total").increment(1);
        let data = serde_json::to_string(&answer)
            .map_err(|error| Problem::new(ProblemKind::Internal, error.to_string()))?;
        // JSON has no line breaks of its own here, so that one `data` line holds it.
        let id = format!("{}-{fingerprint:016x}", answer.position);
        Ok(Some(Bytes::from(format!("id: {id}\nevent: recommendations\ndata: {data}\n\n"))))
    }
}

/// Fingerprint of the titles of a row, in their order.
fn fingerprint_of(titles: &[OfferedTitle]) -> u64 {
    let mut hash = Xxh3Default::new();
    for title in titles {
        hash.update(title.title.as_bytes());
        // No id holds it: "ab", "c" and "a", "bc" differ.
        hash.update(b"\n");
    }
    hash.digest()
}

/// The row's fingerprint in the id of an event; ids that are not ours are no reason to refuse.
fn row_of_event(id: &str) -> Option<u64> {
    let (position, row) = id.split_once('-')?;
    let _: Position = position.parse().ok()?;
    u64::from_str_radix(row, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::row_of_event;

    #[test]
    fn the_row_is_read_from_ids_of_ours_and_no_others() {
        assert_eq!(row_of_event("12-00000000000000ff"), Some(255));
        for other in ["", "12", "x-00", "12-xyz", "-ff"] {
            assert_eq!(row_of_event(other), None, "{other}");
        }
    }
}
