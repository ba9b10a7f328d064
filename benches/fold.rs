//! Events to state: parsing, folding, adding deltas up, stored forms of members. Rates are events per second
//! of one core.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, Divan, black_box};
use nearline_benches::{BATCH_EVENTS, World};
use nearline_model::aggregates::Added;
use nearline_model::partition::Batch;
use nearline_model::{Event, EventKind, FoldSettings, Member};
use std::cell::RefCell;
use std::time::Duration;

/// Members, titles and events of the world that events are folded into.
const WORLD: (usize, usize, usize) = (20_000, 10_000, 200_000);

fn main() {
    let divan = Divan::default().sample_count(1_000).max_time(Duration::from_secs(2)).skip_ext_time(true);
    divan.config_with_args().main();
}

fn world() -> World {
    let (members, titles, events) = WORLD;
    World::new(members, titles, events)
}

/// The audience's first event of a kind.
fn payload(kind: EventKind) -> Vec<u8> {
    let mut world = World::new(100, 100, 0);
    let bytes = FoldSettings::default().event_bytes;
    let is_wanted = |payload: &[u8]| Event::parse(payload, bytes).is_ok_and(|event| event.kind == kind);
    let mut payloads = std::iter::from_fn(|| world.records(1).pop()).map(|record| record.payload);
    payloads.find(|payload| is_wanted(payload)).expect("audiences do everything").to_vec()
}

const KINDS: [&str; 3] = ["impression", "play", "rating"];

fn named(name: &str) -> Vec<u8> {
    payload(*EventKind::ALL.iter().find(|kind| kind.name() == name).expect("a known kind"))
}

#[divan::bench(args = KINDS)]
fn parse_an_event(bencher: Bencher<'_, '_>, kind: &str) {
    let payload = named(kind);
    let most = FoldSettings::default().event_bytes;
    let bencher = bencher.counter(ItemsCount::new(1_usize)).counter(BytesCount::new(payload.len()));
    bencher.bench(|| Event::parse(black_box(&payload), most).is_ok());
}

/// The limit beside it: the same bytes read as any JSON, with nothing kept.
#[divan::bench(args = KINDS)]
fn skip_any_json(bencher: Bencher<'_, '_>, kind: &str) {
    let payload = named(kind);
    let bencher = bencher.counter(ItemsCount::new(1_usize)).counter(BytesCount::new(payload.len()));
    bencher.bench(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&payload)).is_ok());
}

#[divan::bench]
fn parse_a_batch(bencher: Bencher<'_, '_>) {
    let mut world = World::new(WORLD.0, WORLD.1, 0);
    let most = FoldSettings::default().event_bytes;
    let bencher = bencher.counter(ItemsCount::new(BATCH_EVENTS));
    bencher.with_inputs(|| world.records(BATCH_EVENTS)).bench_local_values(|batch| Batch::parse(batch, most));
}

/// Into members that are there, with what a commit needs of it.
#[divan::bench]
fn parse_and_fold_a_batch(bencher: Bencher<'_, '_>) {
    let world = RefCell::new(world());
    let bencher = bencher.counter(ItemsCount::new(BATCH_EVENTS));
    let records = || {
        let mut world = world.borrow_mut();
        // As often as the engine, so that members changed twice in between are there.
        if world.partition.uncommitted_events() >= 20_000 {
            drop(world.commit());
        }
        world.records(BATCH_EVENTS)
    };
    bencher.with_inputs(records).bench_local_values(|records| world.borrow_mut().fold(records));
}

/// Of a batch, with stored forms and the delta's.
#[divan::bench(sample_size = 1)]
fn take_a_commit(bencher: Bencher<'_, '_>) {
    let world = RefCell::new(world());
    let bencher = bencher.counter(ItemsCount::new(BATCH_EVENTS));
    let fold = || {
        let mut world = world.borrow_mut();
        let records = world.records(BATCH_EVENTS);
        world.fold(records);
    };
    bencher.with_inputs(fold).bench_local_values(|()| world.borrow_mut().commit());
}

/// Of a batch.
#[divan::bench]
fn add_a_delta(bencher: Bencher<'_, '_>) {
    let world = RefCell::new(world());
    let bencher = bencher.counter(ItemsCount::new(BATCH_EVENTS));
    let delta = || {
        let mut world = world.borrow_mut();
        let records = world.records(BATCH_EVENTS);
        world.fold(records);
        world.commit().delta
    };
    let bencher = bencher.with_inputs(delta);
    bencher.bench_local_refs(|delta| assert_eq!(world.borrow_mut().aggregates.add(delta), Added::Now));
}

/// The member of median size among those of two hundred events each.
fn member() -> Member {
    let world = World::new(1_000, 2_000, 200_000);
    let mut members: Vec<Member> = world.partition.members().map(|(_, member)| member.into_owned()).collect();
    members.sort_by_cached_key(|member| member.encode().len());
    members[members.len() / 2].clone()
}

#[divan::bench]
fn encode_a_member(bencher: Bencher<'_, '_>) {
    let member = member();
    bencher.counter(BytesCount::new(member.encode().len())).bench(|| black_box(&member).encode());
}

#[divan::bench]
fn decode_a_member(bencher: Bencher<'_, '_>) {
    let stored = member().encode();
    let bencher = bencher.counter(BytesCount::new(stored.len()));
    bencher.bench(|| Member::decode(black_box(&stored)).expect("it was encoded just now"));
}
