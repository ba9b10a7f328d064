//! Writes the audience's events as JSON, quickly: one reused buffer, the date written once a day.

use super::session::{Place, ROWS, Step};
use super::{Audience, MemberProfile, Shown};
use nearline_model::EventKind;
use nearline_model::timestamp::format_rfc3339;
use std::fmt::Write as _;

const DAY_MS: i64 = 86_400_000;

pub(super) struct EventWriter {
    prefix: String,
    number: u64,
    buffer: String,
    day: i64,
    /// Such as `2026-03-01T`.
    date: String,
}

impl EventWriter {
    pub fn new(prefix: String) -> Self {
        Self { prefix, number: 0, buffer: String::with_capacity(512), day: -1, date: String::new() }
    }

    /// Id and JSON of one event. Ids, countries and devices need no escapes.
    pub fn write(
        &mut self,
        now_ms: i64,
        member: usize,
        profile: &MemberProfile,
        title: &str,
        step: &Step,
        shown: Option<(&Shown, usize)>,
    ) -> (String, String) {
        self.number += 1;
        let id = format!("{}-{}", self.prefix, self.number);
        self.buffer.clear();
        self.write_json(&id, now_ms, member, profile, title, step)
            .and_then(|()| self.write_shown(step, shown))
            .expect("writing to a string does not fail");
        (id, self.buffer.clone())
    }

    fn write_json(
        &mut self,
        id: &str,
        now_ms: i64,
        member: usize,
        profile: &MemberProfile,
        title: &str,
        step: &Step,
    ) -> std::fmt::Result {
        let (day, of_day) = (now_ms.div_euclid(DAY_MS), now_ms.rem_euclid(DAY_MS));
        if day != self.day {
            self.day = day;
            self.date = format_rfc3339(now_ms).chars().take("2026-03-01T".len()).collect();
        }
        let (seconds, ms) = (of_day / 1_000, of_day % 1_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let (date, member) = (&self.date, Audience::member_id(member));
        let out = &mut self.buffer;
        write!(out, r#"{{"id":"{id}","type":"{}","member":"{member}","title":"{title}","#, step.kind.name())?;
        write!(out, r#""at":"{date}{hour:02}:{minute:02}:{second:02}.{ms:03}Z","#)?;
        write!(out, r#""country":"{}","device":"{}""#, profile.country, profile.device)?;
        if step.request > 0 {
            write!(out, r#","request":"{}-r{}""#, self.prefix, step.request)?;
        }
        if let Some(Place { row, position, artwork, artworks }) = step.place {
            let (row, propensity) = (ROWS[usize::from(row)], 1.0 / f64::from(artworks));
            write!(out, r#","row":"{row}","position":{position},"artwork":"{title}-a{artwork}""#)?;
            write!(out, r#","propensity":{propensity}"#)?;
        }
        if let Some(watched_s) = step.watched_s {
            write!(out, r#","watched_s":{watched_s}"#)?;
        }
        if let Some(duration_s) = step.duration_s {
            write!(out, r#","duration_s":{duration_s}"#)?;
        }
        if let Some(halves) = step.value_halves {
            let fraction = if halves % 2 == 0 { "" } else { ".5" };
            write!(out, r#","value":{}{fraction}"#, halves / 2)?;
        }
        Ok(())
    }

    /// What the row that was recommended adds, and the end.
    fn write_shown(&mut self, step: &Step, shown: Option<(&Shown, usize)>) -> std::fmt::Result {
        let out = &mut self.buffer;
        if let Some((shown, at)) = shown {
            write!(out, r#","request":"{}""#, shown.request)?;
            if step.kind == EventKind::Impression {
                write!(out, r#","row":"{}","position":{at}"#, ROWS[0])?;
                if let Some((artwork, propensity)) = &shown.titles[at].artwork {
                    write!(out, r#","artwork":"{artwork}","propensity":{propensity}"#)?;
                }
            }
        }
        out.write_char('}')
    }
}
