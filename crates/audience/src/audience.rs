//! A seeded audience: made-up titles, and members who look at pages, play, rate and follow trends.
//!
//! Members have tastes by genre; titles have companions that are often watched after them; now and
//! then a title becomes hot, rises and falls again. The same seed gives the same events: no clock is
//! read, time is an argument. Used by `nearline demo` and the benchmarks.

mod json;
mod session;
mod shown;
mod titles;

use json::EventWriter;
use nearline_model::{EventKind, Title};
use nearline_ports::NewEvent;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use session::Session;
pub use shown::{Shown, ShownTitle};
use titles::Titles;

/// What shapes an audience.
#[derive(Debug, Clone)]
pub struct AudienceSettings {
    /// Decides everything: the same seed gives the same events.
    pub seed: u64,
    /// Members.
    pub members: usize,
    /// Titles.
    pub titles: usize,
    /// Members active at the same time.
    pub active_members: usize,
    /// Events in which a hot title rises and falls again.
    pub trend_events: u64,
    /// Number of a member who is always active (from 0); `None`: nobody in particular.
    pub followed: Option<usize>,
    /// What the events' ids begin with: two runs into the same log need different ones.
    pub id_prefix: String,
    /// Which run this is of the same titles and members: what they do is another thing in each.
    pub run: u64,
}

impl Default for AudienceSettings {
    fn default() -> Self {
        Self {
            seed: 42,
            members: 2_000,
            titles: 500,
            active_members: 64,
            trend_events: 12_000,
            followed: None,
            id_prefix: "a".into(),
            run: 0,
        }
    }
}

/// One event of the audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedEvent {
    /// The member.
    pub member: String,
    /// The event's id.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
    /// The title.
    pub title: String,
    /// The event as JSON.
    pub json: String,
    /// Whether it is about a row that was recommended ([`Audience::show`]).
    pub recommended: bool,
}

impl From<GeneratedEvent> for NewEvent {
    fn from(event: GeneratedEvent) -> Self {
        Self { member: event.member, id: event.id, payload: event.json.into() }
    }
}

/// What an audience is made of beside its sessions: shared with them.
struct World {
    titles: Titles,
    members: Vec<MemberProfile>,
    hot: Vec<Trend>,
    generated: u64,
}

/// Who a member is.
struct MemberProfile {
    country: &'static str,
    device: &'static str,
    /// Genres liked, the best first.
    genres: [u8; 3],
    last_played: Option<u32>,
}

/// A title that is hot for a while.
struct Trend {
    title: u32,
    since: u64,
    until: u64,
}

impl Trend {
    /// From 0 up to 1 in the middle and down to 0 again.
    fn heat(&self, now: u64) -> f64 {
        let length = (self.until - self.since).max(1) as f64;
        let at = now.saturating_sub(self.since) as f64 / length;
        (1.0 - (2.0 * at - 1.0).abs()).max(0.0)
    }
}

/// Countries with how often they occur among a hundred members.
const COUNTRIES: [(&str, u32); 6] = [("US", 35), ("BR", 20), ("DE", 15), ("IN", 15), ("JP", 10), ("FR", 5)];
/// Devices with how often they occur among a hundred members.
const DEVICES: [(&str, u32); 4] = [("tv", 50), ("phone", 30), ("web", 12), ("tablet", 8)];
/// 2^64 divided by the golden ratio: spreads numbers that are close.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
/// Titles that are hot at the same time.
const HOT_TITLES: usize = 3;

/// A seeded audience; [`Audience::next_event`] gives one event after the other.
pub struct Audience {
    settings: AudienceSettings,
    random: StdRng,
    world: World,
    sessions: Vec<Session>,
    next: usize,
    /// Whether it is settled whose turn the next event is.
    is_turn: bool,
    requests: u64,
    writer: EventWriter,
}

impl Audience {
    /// An audience; at least one member and ten titles.
    pub fn new(settings: AudienceSettings) -> Self {
        let mut random = StdRng::seed_from_u64(settings.seed);
        let titles = Titles::new(settings.titles.max(10), &mut random);
        let members = (0..settings.members.max(1))
            .map(|_| MemberProfile {
                country: weighted(&COUNTRIES, &mut random),
                device: weighted(&DEVICES, &mut random),
                genres: std::array::from_fn(|_| titles.any_genre(&mut random)),
                last_played: None,
            })
            .collect();
        if settings.run != 0 {
            random = StdRng::seed_from_u64(settings.seed ^ settings.run.wrapping_mul(GOLDEN_RATIO));
        }
        let writer = EventWriter::new(settings.id_prefix.clone());
        let world = World { titles, members, hot: Vec::new(), generated: 0 };
        Self { settings, random, world, sessions: Vec::new(), next: 0, is_turn: false, requests: 0, writer }
    }

    /// The catalogue.
    pub fn titles(&self) -> Vec<Title> {
        self.world.titles.catalogue()
    }

    /// Id of the member with `number`, from 0.
    pub fn member_id(number: usize) -> String {
        format!("m{number}")
    }

    /// The titles that are hot now.
    pub fn hot_titles(&self) -> Vec<&str> {
        self.world.hot.iter().map(|trend| self.world.titles.id(trend.title)).collect()
    }

    /// The next event, as of `now_ms` (Unix milliseconds).
    pub fn next_event(&mut self, now_ms: i64) -> GeneratedEvent {
        self.take_turn();
        self.is_turn = false;
        let step = self.sessions[self.next].step(&mut self.world, &mut self.random);
        let member = self.sessions[self.next].member;
        self.world.generated += 1;
        let profile = &self.world.members[member];
        let title = self.world.titles.id(step.title);
        let shown = step.recommended.and_then(|at| Some((self.sessions[self.next].shown()?, at)));
        let (id, json) = self.writer.write(now_ms, member, profile, title, &step, shown);
        let (member, title, recommended) = (Self::member_id(member), title.to_owned(), shown.is_some());
        GeneratedEvent { member, id, kind: step.kind, title, json, recommended }
    }

    /// Who begins to look at a page with the next event, if anybody does.
    pub fn arrives(&mut self) -> Option<String> {
        self.take_turn();
        let session = &self.sessions[self.next];
        session.begins().then(|| Self::member_id(session.member))
    }

    /// Shows whoever [`arrives`](Self::arrives) a row that was recommended, in place of a page of the audience's own: what
    /// they play of it depends on their taste. Titles of another audience are left out.
    pub fn show(&mut self, shown: Shown) {
        let titles = &self.world.titles;
        if let Some(session) = self.sessions.get_mut(self.next).filter(|session| session.begins()) {
            session.show(shown, |id| titles.number(id));
        }
    }

    /// Settles whose turn the next event is.
    fn take_turn(&mut self) {
        if std::mem::replace(&mut self.is_turn, true) {
            return;
        }
        self.move_trends();
        let active = self.settings.active_members.clamp(1, self.world.members.len());
        if self.sessions.len() < active {
            let session = self.start_session(self.sessions.len());
            self.sessions.push(session);
        }
        self.next = if self.next + 1 >= self.sessions.len() { 0 } else { self.next + 1 };
        if self.sessions[self.next].is_over() {
            self.sessions[self.next] = self.start_session(self.next);
        }
    }

    fn start_session(&mut self, at: usize) -> Session {
        let member = match self.settings.followed {
            Some(followed) if at == 0 => followed.min(self.world.members.len() - 1),
            _ => self.random.random_range(0..self.world.members.len()),
        };
        self.requests += 1;
        Session::new(member, self.requests, &self.world, &mut self.random)
    }

    fn move_trends(&mut self) {
        let now = self.world.generated;
        self.world.hot.retain(|trend| trend.until > now);
        while self.world.hot.len() < HOT_TITLES {
            let title = self.random.random_range(0..self.world.titles.len() as u32);
            // Staggered, so that one rises while another falls.
            let length = self.settings.trend_events.max(10);
            let until = now + length / 2 + self.random.random_range(0..length);
            self.world.hot.push(Trend { title, since: now, until });
        }
    }
}

impl World {
    /// A title that `member` is likely to choose.
    fn choose(&self, member: usize, random: &mut StdRng) -> u32 {
        let profile = &self.members[member];
        let roll: f64 = random.random();
        if roll < 0.45
            && let Some(last) = profile.last_played
        {
            return self.titles.companion(last, random);
        }
        let hot = &self.hot[random.random_range(0..self.hot.len())];
        if roll > 0.75 && random.random::<f64>() < hot.heat(self.generated) {
            return hot.title;
        }
        let liked = match random.random_range(0..6) {
            0..=2 => 0,
            3..=4 => 1,
            _ => 2,
        };
        self.titles.popular_in(profile.genres[liked], random)
    }
}

fn weighted(choices: &[(&'static str, u32)], random: &mut StdRng) -> &'static str {
    let mut roll = random.random_range(0..choices.iter().map(|(_, weight)| weight).sum());
    for (name, weight) in choices {
        if roll < *weight {
            return name;
        }
        roll -= weight;
    }
    choices[0].0
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_model::Event;

    #[test]
    fn the_same_seed_gives_the_same_events() {
        let mut one = Audience::new(AudienceSettings::default());
        let mut two = Audience::new(AudienceSettings::default());
        let mut other = Audience::new(AudienceSettings { seed: 7, ..AudienceSettings::default() });
        let mut differences = 0;
        for n in 0..2_000 {
            let event = one.next_event(1_700_000_000_000 + n);
            assert_eq!(event, two.next_event(1_700_000_000_000 + n));
            differences += usize::from(event != other.next_event(1_700_000_000_000 + n));
        }
        assert!(differences > 1_000);
    }

    #[test]
    fn another_run_is_the_same_audience_doing_other_things() {
        let run = |run| {
            let mut audience =
                Audience::new(AudienceSettings { run, members: 30, ..AudienceSettings::default() });
            let events: Vec<GeneratedEvent> =
                (0..3_000).map(|n| audience.next_event(1_700_000_000_000 + n)).collect();
            let plays = events.into_iter().filter(|event| event.kind == EventKind::Play);
            let plays: Vec<_> = plays.map(|event| (event.member, event.title)).collect();
            (audience.titles(), plays)
        };
        let ((titles, first), (same_titles, second)) = (run(0), run(7));
        assert_eq!(titles, same_titles);
        let seen: std::collections::HashSet<_> = first.iter().collect();
        let new = second.iter().filter(|play| !seen.contains(play)).count();
        assert!(new * 4 > second.len(), "{new} of {} plays are of titles not seen before", second.len());
    }

    #[test]
    fn every_event_is_valid_and_says_what_it_is() {
        let mut audience = Audience::new(AudienceSettings { members: 50, ..AudienceSettings::default() });
        let mut kinds = std::collections::HashSet::new();
        let mut ids = std::collections::HashSet::new();
        for n in 0..20_000 {
            let now_ms = 1_709_164_799_000 + n * 37;
            let generated = audience.next_event(now_ms);
            let event = Event::parse(generated.json.as_bytes(), 65_536).expect("valid");
            assert_eq!(
                (&*event.member, &*event.id, event.kind, &*event.title, event.at_ms),
                (&*generated.member, &*generated.id, generated.kind, &*generated.title, now_ms)
            );
            kinds.insert(event.kind);
            assert!(ids.insert(generated.id));
        }
        assert_eq!(kinds.len(), EventKind::ALL.len() - 1, "everything but forget: {kinds:?}");
    }

    #[test]
    fn who_is_shown_a_row_looks_at_it_and_plays_what_is_to_their_taste() {
        let mut audience = Audience::new(AudienceSettings { members: 50, ..AudienceSettings::default() });
        let genres: Vec<[u8; 3]> = audience.world.members.iter().map(|member| member.genres).collect();
        let (mut seen, mut plays, mut liked) = (0, 0, 0);
        for at in 0..40_000 {
            if audience.arrives().is_some() {
                assert_eq!(audience.arrives(), audience.arrives());
                // One title of each genre, and one that nobody knows.
                let shown = |n: usize| ShownTitle {
                    title: format!("t{n}"),
                    artwork: Some((format!("t{n}-a0"), 0.25)),
                };
                let titles = [999_999].into_iter().chain(at % 100..at % 100 + 12).map(shown).collect();
                audience.show(Shown { request: format!("shown{at}"), titles });
            }
            let event = audience.next_event(1_700_000_000_000 + at as i64);
            let parsed = Event::parse(event.json.as_bytes(), 65_536).expect("valid");
            assert_eq!(event.recommended, event.json.contains("\"request\":\"shown"), "{}", event.json);
            if event.recommended && event.kind == EventKind::Impression {
                seen += 1;
                assert!(
                    parsed.position.is_some() && event.json.contains("\"propensity\":0.25"),
                    "{}",
                    event.json
                );
            }
            if event.recommended && event.kind == EventKind::Play {
                plays += 1;
                let genre = audience
                    .world
                    .titles
                    .genre(audience.world.titles.number(&event.title).expect("one of ours"));
                let member: usize = event.member[1..].parse().expect("a number");
                liked += usize::from(genres[member].contains(&genre));
            }
        }
        assert!(seen > 10_000 && plays > 500 && liked * 2 > plays, "{seen} {plays} {liked}");
    }

    #[test]
    fn what_is_shown_says_how_likely_its_artwork_was() {
        let mut audience = Audience::new(AudienceSettings { members: 50, ..AudienceSettings::default() });
        let artworks: std::collections::HashMap<String, usize> =
            audience.titles().into_iter().map(|title| (title.id, title.artworks.len())).collect();
        let mut shown = 0;
        for _ in 0..2_000 {
            let event = audience.next_event(0);
            let json: serde_json::Value = serde_json::from_str(&event.json).expect("JSON");
            let expected = match event.kind {
                EventKind::Impression => Some(1.0 / artworks[&event.title] as f64),
                _ => None,
            };
            assert_eq!(json["propensity"].as_f64(), expected, "{}", event.json);
            shown += usize::from(event.kind == EventKind::Impression);
        }
        assert!(shown > 500, "{shown}");
    }

    #[test]
    fn every_title_is_valid_and_named_once() {
        let titles =
            Audience::new(AudienceSettings { titles: 3_000, ..AudienceSettings::default() }).titles();
        assert_eq!(titles.len(), 3_000);
        let names: std::collections::HashSet<_> = titles.iter().map(|title| title.name.clone()).collect();
        assert_eq!(names.len(), titles.len());
        titles.iter().for_each(|title| title.validate().expect("valid"));
    }

    #[test]
    fn the_followed_member_is_always_active() {
        let settings =
            AudienceSettings { followed: Some(3), active_members: 10, ..AudienceSettings::default() };
        let mut audience = Audience::new(settings);
        let events: Vec<_> = (0..1_000).map(|n| audience.next_event(1_700_000_000_000 + n)).collect();
        let followed = events.iter().filter(|event| event.member == Audience::member_id(3)).count();
        assert!(followed >= 95, "{followed} of 1,000");
    }

    #[test]
    fn a_hot_title_rises_and_falls() {
        let trend = Trend { title: 0, since: 100, until: 300 };
        assert!(trend.heat(120) < trend.heat(200) && trend.heat(280) < trend.heat(200));
        assert_eq!(trend.heat(300), 0.0);
    }
}
