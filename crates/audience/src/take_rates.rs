//! A seeded stream of impressions and plays in the order of arrival, with what goes wrong on the way:
//! redeliveries, disorder, plays without an impression and plays that come too late.

use bytes::Bytes;
use nearline_model::timestamp::format_rfc3339;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// 2018-06-06T12:00:00Z.
const START_MS: i64 = 1_528_286_400_000;
/// Event time that the stream covers.
const SPAN_MS: i64 = 6 * 3_600_000;
const TITLES: usize = 4_000;
const COUNTRIES: [&str; 20] = [
    "US", "BR", "MX", "GB", "FR", "DE", "IN", "JP", "KR", "CA", "AU", "ES", "IT", "AR", "CO", "NL", "SE",
    "PL", "TR", "ZA",
];
const DEVICES: [&str; 4] = ["tv", "phone", "tablet", "web"];
const ROWS: [&str; 8] =
    ["trending", "top10", "continue", "because", "new", "mylist", "genre-drama", "genre-comedy"];

struct Happening {
    at_ms: i64,
    is_play: bool,
    member: u32,
    title: u32,
    request: u32,
    row: u8,
    position: u8,
    device: u8,
}

/// `events` lines of JSON.
pub fn lines(events: usize, seed: u64) -> Bytes {
    let mut random = StdRng::seed_from_u64(seed);
    let members = (events as u32 / 10).max(1);
    let distinct = events - events / 100;
    let impressions = distinct * 4 / 5;
    let weights: Vec<f64> = (1..=TITLES).map(|rank| 1.0 / rank as f64).collect();
    let titles = cumulative(&weights);
    let countries = cumulative(&(1..=20).map(|rank| f64::from(rank).powf(-0.8)).collect::<Vec<_>>());
    let country_of: Vec<u8> = (0..members).map(|_| draw(&countries, &mut random) as u8).collect();

    let mut happenings = pages(impressions, members, &titles, &mut random);
    happenings.reserve_exact(distinct - happenings.len());
    attribute_plays(&mut happenings, distinct, &mut random);
    play_unshown(&mut happenings, distinct, members, &titles, &mut random);
    let arrivals = arrivals(&happenings, events, &mut random);
    let mut lines = Vec::with_capacity(events * 190);
    for (_, at) in arrivals {
        write_line(
            &mut lines,
            at,
            &happenings[at],
            COUNTRIES[usize::from(country_of[happenings[at].member as usize])],
        );
    }
    lines.into()
}

/// Titles shown in pages of one request each, `impressions` altogether.
fn pages(impressions: usize, members: u32, titles: &[f64], random: &mut StdRng) -> Vec<Happening> {
    let mut happenings: Vec<Happening> = Vec::with_capacity(impressions);
    let mut request = 0;
    while happenings.len() < impressions {
        let member = random.random_range(0..members);
        let (shown_ms, device) = (random.random_range(0..SPAN_MS - 60_000), random.random_range(0..4_u8));
        let mut page: Vec<u32> = (0..28).map(|_| draw(titles, random) as u32).collect();
        page.sort_unstable();
        page.dedup();
        for title in page.into_iter().take(impressions - happenings.len()) {
            happenings.push(Happening {
                at_ms: shown_ms + random.random_range(0..20_000),
                is_play: false,
                member,
                title,
                request,
                row: random.random_range(0..8),
                position: random.random_range(0..40),
                device,
            });
        }
        request += 1;
    }
    happenings
}

/// One impression in seven is played within the hour, a few too late, while there are fewer than `most` happenings.
fn attribute_plays(happenings: &mut Vec<Happening>, most: usize, random: &mut StdRng) {
    for at in 0..happenings.len() {
        let delay_ms = match random.random_range(0..1_000) {
            0..146 => random.random_range(1_000.0_f64.ln()..3_500_000.0_f64.ln()).exp() as i64,
            146..150 => random.random_range(3_900_000..6_600_000),
            _ => continue,
        };
        let shown = &happenings[at];
        let at_ms = shown.at_ms + delay_ms;
        if at_ms < SPAN_MS && happenings.len() < most {
            let Happening { member, title, request, device, .. } = *shown;
            happenings.push(Happening {
                at_ms,
                is_play: true,
                member,
                title,
                request,
                row: 0,
                position: 0,
                device,
            });
        }
    }
}

/// Plays without an impression, until there are `most` happenings.
fn play_unshown(
    happenings: &mut Vec<Happening>,
    most: usize,
    members: u32,
    titles: &[f64],
    random: &mut StdRng,
) {
    let mut request = happenings.iter().map(|happening| happening.request + 1).max().unwrap_or_default();
    while happenings.len() < most {
        request += 1;
        happenings.push(Happening {
            at_ms: random.random_range(0..SPAN_MS),
            is_play: true,
            member: random.random_range(0..members),
            title: draw(titles, random) as u32,
            request,
            row: 0,
            position: 0,
            device: random.random_range(0..4),
        });
    }
}

/// When each event arrives, and which it is: some late, some more than once.
fn arrivals(happenings: &[Happening], events: usize, random: &mut StdRng) -> Vec<(i64, usize)> {
    let distinct = happenings.len();
    let mut arrivals: Vec<(i64, usize)> = Vec::with_capacity(events);
    for (at, happening) in happenings.iter().enumerate() {
        let late_ms = if random.random_bool(0.05) { random.random_range(1..60_000) } else { 0 };
        arrivals.push((happening.at_ms + late_ms, at));
    }
    for _ in 0..events - distinct {
        let (arrival_ms, at) = arrivals[random.random_range(0..distinct)];
        arrivals.push((arrival_ms + random.random_range(100..300_000), at));
    }
    arrivals.sort_unstable();
    arrivals
}

fn write_line(lines: &mut Vec<u8>, id: usize, event: &Happening, country: &str) {
    let Happening { at_ms, is_play, member, title, request, row, position, device } = event;
    let kind = if *is_play { "play" } else { "impression" };
    let at = format_rfc3339(START_MS + at_ms);
    let place = if *is_play {
        String::new()
    } else {
        format!(r#","row":"{}","position":{position}"#, ROWS[usize::from(*row)])
    };
    let device = DEVICES[usize::from(*device)];
    let line = format!(
        r#"{{"id":"e{id}","type":"{kind}","member":"m{member}","title":"t{title}","at":"{at}","request":"r{request}"{place},"country":"{country}","device":"{device}"}}"#
    );
    lines.extend_from_slice(line.as_bytes());
    lines.push(b'\n');
}

fn cumulative(weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights
        .iter()
        .scan(0.0, |sum, weight| {
            *sum += weight / total;
            Some(*sum)
        })
        .collect()
}

fn draw(cumulative: &[f64], random: &mut StdRng) -> usize {
    let at: f64 = random.random();
    cumulative.partition_point(|up_to| *up_to < at).min(cumulative.len() - 1)
}
