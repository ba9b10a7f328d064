//! Golden files of facts.

use crate::{NOW_MS, golden, golden_of_old};
use nearline_model::Position;
use nearline_model::facts::{
    Candidate, ChosenArtwork, Decision, FactKind, Known, KnownOpinion, KnownTitle, PlacedBy, Whereabouts,
};
use nearline_model::{Fact, FactEntry, MemberFacts, PartitionId, RecordMark};
use std::sync::Arc;

fn known() -> Known<'static> {
    Known {
        titles: 2,
        seen: 1,
        listed: 1,
        liked: 1,
        titles_1d: 1,
        titles_7d: 2,
        titles_30d: 2,
        watched_7d_s: 6_420,
        recent: vec![
            KnownTitle { title: "alien", at_s: 1_772_396_100, watched_s: 5_400, duration_s: 7_020 },
            KnownTitle { title: "brazil", at_s: 1_772_296_100, watched_s: 1_020, duration_s: 0 },
        ],
        list: vec!["solaris"],
        opinions: vec![KnownOpinion { title: "alien", thumb: 0, rating_tenths: 45 }],
        ..Known::default()
    }
}

fn decision() -> Decision {
    Decision {
        recommendation_id: "r-1".into(),
        source: "live".into(),
        variant: Some(("calm".into(), "control".into())),
        country: Some("BR".into()),
        device: None,
        known: Some(known().digest()),
        candidates: vec![Candidate {
            title: Arc::from("alien"),
            row: "top_picks".into(),
            place: 3,
            score: 0.75,
            artwork: Some(ChosenArtwork {
                id: "alien-2".into(),
                propensity: 0.25,
                segment: Some(Arc::from("drama")),
            }),
            placed: None,
        }],
    }
}

fn fact(kind: FactKind, schema_version: u16, payload: Vec<u8>) -> Fact {
    Fact {
        member: "ana".into(),
        event_at_ms: NOW_MS - 5,
        known_at_ms: NOW_MS,
        partition: PartitionId(3),
        position: Position(8),
        ordinal: 0,
        kind,
        schema_version,
        payload: payload.into(),
    }
}

#[test]
fn decisions_of_version_1_are_read_for_good() {
    let read =
        FactEntry::decode(&golden_of_old("fact-decisions-v1.bin")).expect("version 1 is read for good");
    assert_eq!(read.facts()[0].schema_version, 1);
    assert_eq!(Decision::decode(&read.facts()[0].payload), Ok(decision()));
}

#[test]
fn decisions_of_version_2_are_read() {
    let mut decision = decision();
    decision.candidates[0].placed = Some(PlacedBy { explored: true, propensity: 0.0125 });
    let entry = FactEntry::Decisions(vec![fact(FactKind::Page, Decision::VERSION, decision.encode())]);
    let read = FactEntry::decode(&golden("fact-decisions-v2.bin", &entry.encode())).expect("it is read");
    assert_eq!(read, entry, "the form changed: give it a new version");
    assert_eq!(Decision::decode(&read.facts()[0].payload), Ok(decision));
}

#[test]
fn facts_of_members_of_version_1_are_read() {
    let payload = known().payload(Whereabouts { country: "BR", device: "tv" });
    let members = FactEntry::Members(MemberFacts {
        partition: PartitionId(3),
        after: Position(4),
        position: Position(12),
        mark: RecordMark::new(77),
        facts: vec![fact(FactKind::Member, 1, payload)],
    });
    let read =
        FactEntry::decode(&golden("fact-members-v1.bin", &members.encode())).expect("version 1 is read");
    assert_eq!(read, members);
    let fact = &read.facts()[0];
    let read = Known::decode(fact.schema_version, &fact.payload).expect("version 1 is read");
    assert_eq!(read, (known(), Whereabouts { country: "BR", device: "tv" }));
}
