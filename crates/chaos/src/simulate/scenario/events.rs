//! What publishers publish, and when.

use super::faults::Fault;
use super::{CALM_MS, CLOSING, Counted, POISON, Planned, START_MS};
use bytes::Bytes;
use nearline_audience::dice::Dice;
use nearline_model::identifier::partition_of;
use nearline_model::timestamp::format_rfc3339;
use nearline_ports::NewEvent;

/// Draws the events of every publisher; the last publisher has one more for each partition.
pub(super) fn draw_events(dice: &mut Dice, partitions: u16) -> Vec<Vec<Planned>> {
    let (publishers, total, members) = (dice.within(1, 3), dice.within(50, 200), dice.within(2, 14));
    let poison = if dice.chance(300) { 8 } else { 0 };
    let again = if dice.chance(500) { 60 } else { 0 };
    let mut publishers: Vec<Vec<Planned>> = (0..publishers)
        .map(|publisher| {
            let count = total / publishers;
            let mut events: Vec<Planned> = (0..count)
                .map(|at| {
                    let label = if dice.chance(poison) { POISON } else { "e" };
                    draw_event(dice, &format!("{label}{publisher}-{at}"), members, again)
                })
                .collect();
            events.sort_by_key(|planned| planned.publish_ms);
            events
        })
        .collect();
    publishers.push((0..partitions).map(|partition| closing_event(partition, partitions)).collect());
    publishers
}

/// One more event for a partition, after all faults: an owner whose store was rolled back notices it with
/// its next commit.
fn closing_event(partition: u16, partitions: u16) -> Planned {
    let member =
        (0..).map(|at| format!("closing{at}")).find(|member| partition_of(member, partitions).0 == partition);
    let member = member.expect("every partition has members");
    let (id, at_ms) = (format!("{CLOSING}{partition}"), START_MS + CALM_MS as i64);
    let at = format_rfc3339(at_ms);
    let payload = format!(r#"{{"id":"{id}","type":"play","member":"{member}","title":"t0","at":"{at}"}}"#);
    Planned {
        event: NewEvent { member, id, payload: Bytes::from(payload) },
        at_ms,
        counted: Counted::Play(0),
        publish_ms: CALM_MS + 300,
        again_after_ms: None,
    }
}

fn draw_event(dice: &mut Dice, id: &str, members: u64, again_per_mille: u64) -> Planned {
    let member = format!("m{}", dice.within(1, members));
    let title = dice.within(0, 8) as u8;
    let publish_ms = dice.within(0, CALM_MS - 200);
    let at_ms = START_MS + publish_ms as i64 - dice.within(0, 4_000) as i64;
    let at = format_rfc3339(at_ms);
    let (kind, fields, counted) = match dice.within(0, 99) {
        0..=34 => {
            let request = dice.within(0, 3);
            (
                "impression",
                format!(r#","request":"r{request}","device":"tv","artwork":"a{}""#, dice.within(0, 2)),
                Counted::Impression(title),
            )
        }
        35..=69 => {
            let country = ["BR", "JP"][dice.below(2)];
            let request = dice.within(0, 3);
            let fields = format!(r#","request":"r{request}","country":"{country}","watched_s":60"#);
            ("play", fields, Counted::Play(title))
        }
        70..=75 => (
            "progress",
            format!(r#","watched_s":{},"duration_s":5000"#, dice.within(1, 5_000)),
            Counted::Other,
        ),
        76..=81 => ("thumb", format!(r#","value":{}"#, [-1, 1, 2][dice.below(3)]), Counted::Other),
        82..=87 => ("list_add", String::new(), Counted::Other),
        88..=91 => ("list_remove", String::new(), Counted::Other),
        92..=93 => ("forget", String::new(), Counted::Forget),
        94..=96 => ("yawn", String::new(), Counted::Bad),
        _ => ("rating", r#","value":9"#.to_owned(), Counted::Bad),
    };
    let counted = if id.starts_with(POISON) { Counted::Poison } else { counted };
    let (kind, fields) = match counted {
        Counted::Poison => ("play", String::new()),
        _ => (kind, fields),
    };
    let payload = format!(
        r#"{{"id":"{id}","type":"{kind}","member":"{member}","title":"t{title}","at":"{at}"{fields}}}"#
    );
    Planned {
        event: NewEvent { member, id: id.to_owned(), payload: Bytes::from(payload) },
        at_ms,
        counted,
        publish_ms,
        again_after_ms: dice.chance(again_per_mille).then(|| dice.within(0, 600)),
    }
}

/// Some of what is published while the clock is wrong tells the time of that clock.
pub(super) fn follow_clock(dice: &mut Dice, publishers: &mut [Vec<Planned>], jump: (u64, Fault)) {
    let (from_ms, Fault::ClockJump { ahead_ms, for_ms }) = jump else { return };
    let during = |planned: &&mut Planned| (from_ms..from_ms + for_ms).contains(&planned.publish_ms);
    for planned in publishers.iter_mut().flatten().filter(during) {
        if ahead_ms > 0 && dice.chance(700) {
            let told = format_rfc3339(planned.at_ms);
            planned.at_ms += ahead_ms;
            let payload = String::from_utf8_lossy(&planned.event.payload)
                .replace(&told, &format_rfc3339(planned.at_ms));
            planned.event.payload = payload.into();
        }
    }
}

/// Some of what is published has a country, a device or an artwork that is nobody else's.
pub(super) fn bring_strangers(dice: &mut Dice, publishers: &mut [Vec<Planned>]) {
    for planned in publishers.iter_mut().flatten() {
        let payload = String::from_utf8_lossy(&planned.event.payload).into_owned();
        let (country, number) = (char::from(b'A' + dice.below(26) as u8), dice.below(60));
        let mut stranger =
            |payload: String, known: &[&str], per_mille, name: String| match dice.chance(per_mille) {
                true => known.iter().fold(payload, |payload, known| payload.replace(known, &name)),
                false => payload,
            };
        let countries = [r#""country":"BR""#, r#""country":"JP""#];
        let payload = stranger(payload, &countries, 100, format!(r#""country":"X{country}""#));
        let payload = stranger(payload, &[r#""device":"tv""#], 300, format!(r#""device":"d{number}""#));
        let artworks = [r#""artwork":"a0""#, r#""artwork":"a1""#, r#""artwork":"a2""#];
        let payload = stranger(payload, &artworks, 400, format!(r#""artwork":"b{number}""#));
        planned.event.payload = payload.into();
    }
}
