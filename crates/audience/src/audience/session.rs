//! A session: a page of impressions, then plays with progress, and sometimes an opinion.

use super::{Shown, World};
use nearline_model::EventKind;
use rand::Rng;
use rand::rngs::StdRng;

/// Rows of a page.
pub(super) const ROWS: [&str; 3] = ["for-you", "trending", "new"];
const SHOWN_MIN: usize = 4;
const SHOWN_MAX: usize = 10;

/// One thing that a member does.
pub(super) struct Step {
    pub kind: EventKind,
    pub title: u32,
    /// Number of the page request; 0: none.
    pub request: u64,
    /// Its place in the row that was recommended, if it is about that.
    pub recommended: Option<usize>,
    /// Where it was shown.
    pub place: Option<Place>,
    pub watched_s: Option<u32>,
    pub duration_s: Option<u32>,
    /// In halves: 9 is 4.5.
    pub value_halves: Option<i32>,
}

/// Where a title was shown, and how.
pub(super) struct Place {
    /// Number of the row.
    pub row: u8,
    /// Position in it.
    pub position: u32,
    /// Number of the artwork.
    pub artwork: u32,
    /// Of how many it was drawn, each as likely as the others.
    pub artworks: u32,
}

impl Step {
    fn of(kind: EventKind, title: u32) -> Self {
        Self {
            kind,
            title,
            request: 0,
            recommended: None,
            place: None,
            watched_s: None,
            duration_s: None,
            value_halves: None,
        }
    }
}

enum Phase {
    Looking { shown: usize },
    Playing,
    Watching { watched_s: u32 },
    Judging,
    Over,
}

/// A session in progress.
pub(super) struct Session {
    pub member: usize,
    request: u64,
    page: [u32; SHOWN_MAX],
    page_len: usize,
    played: u32,
    duration_s: u32,
    plays_left: u32,
    phase: Phase,
    /// The row that was recommended, if the page is one.
    shown: Option<Shown>,
}

impl Session {
    pub fn new(member: usize, request: u64, world: &World, random: &mut StdRng) -> Self {
        let page_len = random.random_range(SHOWN_MIN..=SHOWN_MAX);
        let page = std::array::from_fn(|_| world.choose(member, random));
        Self {
            member,
            request,
            page,
            page_len,
            played: page[0],
            duration_s: 0,
            plays_left: random.random_range(1..=3),
            phase: Phase::Looking { shown: 0 },
            shown: None,
        }
    }

    /// Whether nothing has happened yet.
    pub fn begins(&self) -> bool {
        matches!(self.phase, Phase::Looking { shown: 0 })
    }

    /// Puts a row that was recommended in the page's place, as far as `number` knows its titles.
    pub fn show(&mut self, mut shown: Shown, number: impl Fn(&str) -> Option<u32>) {
        shown.titles.retain(|title| number(&title.title).is_some());
        shown.titles.truncate(SHOWN_MAX);
        if shown.titles.is_empty() {
            return;
        }
        self.page_len = shown.titles.len();
        for (place, title) in self.page.iter_mut().zip(&shown.titles) {
            *place = number(&title.title).unwrap_or_default();
        }
        self.shown = Some(shown);
    }

    /// The row that was recommended, if the page is one.
    pub fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// What the member does next.
    pub fn step(&mut self, world: &mut World, random: &mut StdRng) -> Step {
        match self.phase {
            Phase::Looking { shown } if self.shown.is_some() => {
                self.look_on(shown);
                Step { recommended: Some(shown), ..Step::of(EventKind::Impression, self.page[shown]) }
            }
            Phase::Looking { shown } => {
                let title = self.page[shown];
                let artworks = world.titles.artworks(title);
                let artwork = random.random_range(0..artworks) as u32;
                let row = shown * ROWS.len() / self.page_len;
                let first = (row * self.page_len).div_ceil(ROWS.len());
                self.look_on(shown);
                let (row, position, artworks) = (row as u8, (shown - first) as u32, artworks as u32);
                let place = Some(Place { row, position, artwork, artworks });
                Step { request: self.request, place, ..Step::of(EventKind::Impression, title) }
            }
            Phase::Playing | Phase::Over => self.play(world, random),
            Phase::Watching { watched_s } => {
                let left = self.duration_s - watched_s;
                let watched_s = watched_s + random.random_range(left / 3..=left);
                let enough = watched_s * 10 >= self.duration_s * 9 || random.random_range(0..3) == 0;
                self.phase = if enough { Phase::Judging } else { Phase::Watching { watched_s } };
                let (watched_s, duration_s) = (Some(watched_s), Some(self.duration_s));
                Step { watched_s, duration_s, ..Step::of(EventKind::Progress, self.played) }
            }
            Phase::Judging => match self.judge(random) {
                Some(step) => {
                    self.phase = if self.plays_left > 0 { Phase::Playing } else { Phase::Over };
                    step
                }
                None => self.play(world, random),
            },
        }
    }

    fn look_on(&mut self, shown: usize) {
        self.phase = match shown + 1 < self.page_len {
            true => Phase::Looking { shown: shown + 1 },
            false => Phase::Playing,
        };
    }

    /// Plays something of the page, or, after that, what goes with what was just played.
    fn play(&mut self, world: &mut World, random: &mut StdRng) -> Step {
        let first = self.duration_s == 0;
        let recommended = match first && self.shown.is_some() {
            true => world.take(self.member, &self.page[..self.page_len], random),
            false => None,
        };
        self.played = if let Some(at) = recommended {
            self.page[at]
        } else if first && self.shown.is_none() {
            self.page[random.random_range(0..self.page_len)]
        } else {
            world.choose(self.member, random)
        };
        self.plays_left = self.plays_left.saturating_sub(1);
        self.duration_s = random.random_range(20..=130) * 60;
        world.members[self.member].last_played = Some(self.played);
        self.phase = Phase::Watching { watched_s: 0 };
        let request = if first && self.shown.is_none() { self.request } else { 0 };
        Step {
            request,
            recommended,
            duration_s: Some(self.duration_s),
            ..Step::of(EventKind::Play, self.played)
        }
    }

    fn judge(&mut self, random: &mut StdRng) -> Option<Step> {
        let kind = match random.random_range(0..10) {
            0..=1 => EventKind::Thumb,
            2..=3 => EventKind::Rating,
            4 => EventKind::ListAdd,
            5 => EventKind::ListRemove,
            // A session always ends with a step of its own, so that it is over when nothing follows.
            _ if self.plays_left == 0 => EventKind::Thumb,
            _ => return None,
        };
        let value_halves = match kind {
            EventKind::Thumb => Some([2, 2, 2, 4, -2][random.random_range(0..5)]),
            EventKind::Rating => Some(random.random_range(4..=10)),
            _ => None,
        };
        let title = if kind == EventKind::ListAdd { self.page[self.page_len - 1] } else { self.played };
        Some(Step { value_halves, ..Step::of(kind, title) })
    }
}
