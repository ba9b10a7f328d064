//! Cursors: what a paging session was given already, in the hands of the caller.
//!
//! The state changes between two pages, so a cursor that said "from the 21st on" would repeat titles
//! or skip them. This one holds a fingerprint of every title given so far; the next page is ranked
//! from the state as it is then, without those. It holds 40 bits of each (1,000 titles are 6.7 kB of
//! URL; the chance that a title not given has the fingerprint of one that was is 10⁻⁹ a title), is
//! bound to the member and the route, ends after a time, and carries a check sum. It is no secret and
//! no right: whoever forges one leaves titles out of their own answer, which `exclude` does as well.

use super::problem::{Problem, ProblemKind};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nearline_config::HttpSection;
use nearline_model::identifier::fingerprint;
use std::collections::HashSet;

/// Version of the form.
const VERSION: u8 = 1;
/// Bytes before the fingerprints: version, route, start of the session, member.
const HEAD_BYTES: usize = 1 + 1 + 8 + 8;
/// Bytes of a title's fingerprint.
const TITLE_BYTES: usize = 5;
/// Bytes of the check sum, at the end.
const CHECK_BYTES: usize = 8;

/// What is paged through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Route {
    /// A member's recommendations.
    Recommendations = 1,
    /// A member's home page.
    Home = 2,
}

/// A paging session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    route: Route,
    member: u64,
    /// Seconds since 1970; 0 until the first page is given.
    started_s: u64,
    given: HashSet<u64>,
}

impl Session {
    /// A session that has given nothing.
    pub fn start(member: &str, route: Route) -> Self {
        Self { route, member: fingerprint(member), started_s: 0, given: HashSet::new() }
    }

    /// The session that a cursor continues.
    ///
    /// # Errors
    /// Why the cursor is not valid here.
    pub fn resume(
        text: &str,
        member: &str,
        route: Route,
        now_s: u64,
        limits: &HttpSection,
    ) -> Result<Self, Problem> {
        let most = HEAD_BYTES + limits.session_titles * TITLE_BYTES + CHECK_BYTES;
        let damaged = || invalid("is damaged; give it exactly as `next` had it, or start without one");
        if text.len() > most.div_ceil(3) * 4 {
            return Err(damaged());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| damaged())?;
        match bytes.first() {
            Some(&VERSION) => {}
            Some(version) if bytes.len() > HEAD_BYTES => {
                let problem = format!("is of version {version}, which is not known here; start without one");
                return Err(invalid(&problem));
            }
            _ => return Err(damaged()),
        }
        let Some(body_bytes) = bytes.len().checked_sub(CHECK_BYTES).filter(|bytes| *bytes >= HEAD_BYTES)
        else {
            return Err(damaged());
        };
        let (body, sum) = bytes.split_at(body_bytes);
        let titles = &body[HEAD_BYTES..];
        if sum != check_sum(body) || !titles.len().is_multiple_of(TITLE_BYTES) {
            return Err(damaged());
        }
        let started_s = number(&body[2..10]);
        let session = Self {
            route,
            member: fingerprint(member),
            started_s,
            given: titles.chunks_exact(TITLE_BYTES).map(number).collect(),
        };
        if body[1] != route as u8 || number(&body[10..18]) != session.member {
            return Err(invalid("belongs to another member or another route; start without one"));
        }
        let age_s = now_s.saturating_sub(started_s);
        if age_s > limits.session_seconds {
            let problem = format!(
                "is of a session that began {age_s} s ago; sessions last {} s",
                limits.session_seconds
            );
            return Err(invalid(&problem));
        }
        Ok(session)
    }

    /// Whether a page before gave this title.
    pub fn gave(&self, title: &str) -> bool {
        !self.given.is_empty() && self.given.contains(&short(title))
    }

    /// Whether no page was given before.
    pub fn is_new(&self) -> bool {
        self.given.is_empty()
    }

    /// The cursor of the page after this one, which gave `titles`; `None` if that would be more titles
    /// than a session may give, or if this page gave none.
    pub fn next<'t>(
        mut self,
        titles: impl Iterator<Item = &'t str>,
        now_s: u64,
        limits: &HttpSection,
    ) -> Option<String> {
        let before = self.given.len();
        self.given.extend(titles.map(short));
        if self.given.len() == before || self.given.len() >= limits.session_titles {
            return None;
        }
        let started_s = if self.started_s == 0 { now_s } else { self.started_s };
        let mut bytes = vec![VERSION, self.route as u8];
        bytes.extend(started_s.to_be_bytes());
        bytes.extend(self.member.to_be_bytes());
        let mut given: Vec<u64> = self.given.into_iter().collect();
        given.sort_unstable();
        for title in given {
            bytes.extend(&title.to_be_bytes()[8 - TITLE_BYTES..]);
        }
        bytes.extend(check_sum(&bytes));
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn short(title: &str) -> u64 {
    fingerprint(title) >> (64 - 8 * TITLE_BYTES)
}

/// Bytes, most significant first, as a number.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn check_sum(body: &[u8]) -> [u8; CHECK_BYTES] {
    xxhash_rust::xxh3::xxh3_64_with_seed(body, u64::from(VERSION)).to_be_bytes()
}

fn invalid(problem: &str) -> Problem {
    Problem::new(ProblemKind::InvalidCursor, format!("`cursor` {problem}")).with("parameter", "cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> HttpSection {
        HttpSection { session_titles: 10, session_seconds: 60, ..HttpSection::default() }
    }

    fn resume(text: &str, now_s: u64) -> Result<Session, Problem> {
        Session::resume(text, "ana", Route::Recommendations, now_s, &limits())
    }

    #[test]
    fn a_session_knows_what_every_page_gave() {
        let first = Session::start("ana", Route::Recommendations);
        assert!(first.is_new());
        let cursor = first.next(["a", "b"].into_iter(), 1_000, &limits()).expect("a cursor");
        let second = resume(&cursor, 1_030).expect("valid");
        assert!(second.gave("a") && second.gave("b") && !second.gave("c"));
        let cursor = second.next(["c"].into_iter(), 1_030, &limits()).expect("a cursor");
        let third = resume(&cursor, 1_060).expect("still within the session's time");
        assert!(third.gave("a") && third.gave("c"));
        let detail = resume(&cursor, 1_061).expect_err("the session began 61 s ago").detail;
        assert!(detail.contains("61 s"), "{detail}");
    }

    #[test]
    fn a_session_ends_with_its_titles_and_its_bound() {
        let session = Session::start("ana", Route::Recommendations);
        assert_eq!(session.clone().next([].into_iter(), 1, &limits()), None);
        let titles: Vec<String> = (0..10).map(|n| format!("t{n}")).collect();
        assert_eq!(session.next(titles.iter().map(String::as_str), 1, &limits()), None);
    }

    #[test]
    fn every_change_of_a_single_character_is_noticed() {
        let cursor = Session::start("ana", Route::Recommendations)
            .next(["a", "b", "c"].into_iter(), 1_000, &limits())
            .expect("a cursor");
        for at in 0..cursor.len() {
            for other in ["A", "z", "-", "*", ""] {
                let mut changed = cursor.clone();
                changed.replace_range(at..=at, other);
                if changed != cursor {
                    assert!(resume(&changed, 1_000).is_err(), "{changed}");
                }
            }
        }
        for (member, route) in [("bob", Route::Recommendations), ("ana", Route::Home)] {
            let refused = Session::resume(&cursor, member, route, 1_000, &limits()).expect_err("not theirs");
            assert!(refused.detail.contains("another"), "{}", refused.detail);
        }
        for garbage in ["", "AA", "AQ", &"A".repeat(10_000)] {
            assert!(resume(garbage, 1_000).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_shown_as_a_cursor_is_read_or_refused(text in "\\PC{0,80}", bytes in proptest::collection::vec(0_u8..=255, 0..120)) {
            let _refused = resume(&text, 1_000);
            let summed = [&[VERSION, 1][..], &bytes, &check_sum(&[&[VERSION, 1][..], &bytes].concat())].concat();
            // The sum is right, so that what is behind it is read.
            let _read = resume(&URL_SAFE_NO_PAD.encode(summed), u64::MAX);
        }
    }
}
