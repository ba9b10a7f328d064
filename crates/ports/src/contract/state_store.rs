//! What every `StateStore` promises.

use super::{Fixture, commit, is_fenced, soon};
use crate::{AggregatesSnapshot, PortError, Ports};
use bytes::Bytes;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::symbols::Symbol;
use nearline_model::{Commit, PartitionId, Position};
use std::collections::BTreeMap;
use std::sync::Arc;

const P0: PartitionId = PartitionId(0);
const P1: PartitionId = PartitionId(1);

async fn acquire(ports: &Ports, partition: PartitionId) -> OwnerEpoch {
    ports.store.acquire(partition, ports.log.identity(), "{}").await.expect("acquired").epoch
}

async fn store(ports: &Ports, commit: Arc<Commit>) {
    soon("commit", ports.store.commit(commit)).await.expect("committed");
}

async fn load(ports: &Ports, partition: PartitionId, members: &[&str]) -> Vec<Option<String>> {
    let members: Vec<Box<str>> = members.iter().map(|&member| member.into()).collect();
    let forms = ports.store.load_members(partition, &members).await.expect("loaded");
    forms.into_iter().map(|form| form.map(|form| String::from_utf8(form.to_vec()).expect("text"))).collect()
}

async fn position(ports: &Ports, partition: PartitionId) -> u64 {
    ports.store.position(partition).await.expect("a position").0
}

async fn stored(ports: &Ports, partition: PartitionId) -> (u64, Vec<Arc<str>>) {
    (position(ports, partition).await, ports.store.symbols(partition).await.expect("symbols"))
}

async fn outbox(ports: &Ports, after: u64, limit: usize) -> Vec<(u64, String)> {
    let entries = ports.store.outbox(P0, Position(after), limit).await.expect("entries");
    let text = |delta: Bytes| String::from_utf8(delta.to_vec()).expect("text");
    entries.into_iter().map(|entry| (entry.position.0, text(entry.delta))).collect()
}

fn snapshot(positions: &[u64], text: &str) -> AggregatesSnapshot {
    AggregatesSnapshot {
        positions: positions.iter().copied().map(Position).collect(),
        bytes: Bytes::from(text.to_owned()),
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub async fn an_empty_partition_is_acquired_at_position_zero(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    assert_eq!(stored(&ports, P0).await, (0, vec![]));
    let acquired = ports.store.acquire(P0, ports.log.identity(), "{\"a\":1}").await.expect("acquired");
    assert!(acquired.epoch >= OwnerEpoch(1));
    assert_eq!((acquired.position, acquired.symbols, acquired.fold_state), (Position::START, vec![], None));
    assert_eq!(ports.store.fold_state(P0).await.expect("read"), None);
    assert_eq!(load(&ports, P0, &["ada"]).await, [None]);
    assert_eq!(ports.store.scan_members(P0, 0).await.expect("scanned"), (0, vec![]));
    assert_eq!(outbox(&ports, 0, 10).await, []);
    assert_eq!(ports.store.load_aggregates().await.expect("loaded"), None);
}

pub async fn the_first_beginning_is_kept_until_the_partition_is_forgotten(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    acquire(&ports, P0).await;
    let keep =
        async |ports: &Ports, found| ports.store.keep_beginning(P0, Position(found)).await.expect("kept").0;
    assert_eq!((keep(&ports, 0).await, keep(&ports, 9).await), (0, 0));
    assert_eq!(
        ports.store.keep_beginning(P1, Position(7)).await.expect("kept"),
        Position(7),
        "the neighbour's"
    );
    drop(ports);
    let ports = fixture.ports().await;
    acquire(&ports, P0).await;
    assert_eq!(keep(&ports, 9).await, 0);
    ports.store.forget_partition(P0).await.expect("forgotten");
    assert_eq!(keep(&ports, 9).await, 9);
}

pub async fn every_acquisition_raises_the_epoch(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let mut last = OwnerEpoch::NONE;
    for _ in 0..5 {
        let epoch = acquire(&ports, P0).await;
        assert!(epoch > last);
        last = epoch;
    }
}

pub async fn an_epoch_is_never_given_out_again_after_reopening(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    acquire(&ports, P0).await;
    let first = acquire(&ports, P0).await;
    drop(ports);
    assert!(acquire(&fixture.ports().await, P0).await > first);
}

pub async fn acquisition_returns_symbols_position_and_the_first_settings(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = ports.store.acquire(P0, ports.log.identity(), "{\"first\":1}").await.expect("acquired").epoch;
    let symbols = |texts: &[&str]| texts.iter().map(|&text| Arc::from(text)).collect::<Vec<Arc<str>>>();
    let mut first = Arc::unwrap_or_clone(commit(P0, epoch, 0, 10, &[]));
    first.symbols = symbols(&["alien", "brazil"]);
    store(&ports, Arc::new(first)).await;
    let mut second = Arc::unwrap_or_clone(commit(P0, epoch, 10, 20, &[]));
    (second.first_symbol, second.symbols) = (3, symbols(&["casablanca"]));
    store(&ports, Arc::new(second)).await;
    let expected = symbols(&["alien", "brazil", "casablanca"]);
    assert_eq!(stored(&ports, P0).await, (20, expected.clone()));
    drop(ports);
    let ports = fixture.ports().await;
    let settings = ports.store.fold_settings(P0).await.expect("asked");
    assert_eq!(settings.as_deref(), Some("{\"first\":1}"), "without taking it over");
    assert_eq!(ports.store.fold_settings(P1).await.expect("asked"), None);
    let acquired = ports.store.acquire(P0, ports.log.identity(), "{\"second\":2}").await.expect("acquired");
    assert_eq!((acquired.position, acquired.symbols), (Position(20), expected));
    assert_eq!(acquired.fold_state.as_deref(), Some(&b"fold state at 20"[..]));
    assert_eq!(acquired.settings.as_deref(), Some("{\"first\":1}"));
    assert_eq!(stored(&ports, P1).await, (0, vec![]), "the neighbour is untouched");
}

pub async fn what_is_forgotten_is_folded_from_the_start_by_a_new_owner(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = ports.store.acquire(P0, ports.log.identity(), "{\"first\":1}").await.expect("acquired").epoch;
    let mut first = Arc::unwrap_or_clone(commit(P0, epoch, 0, 10, &[("ada", "ada 10")]));
    first.symbols = vec![Arc::from("alien")];
    store(&ports, Arc::new(first)).await;
    let neighbour = acquire(&ports, P1).await;
    store(&ports, commit(P1, neighbour, 0, 7, &[("bob", "bob 7")])).await;
    assert!(ports.store.save_aggregates(snapshot(&[10, 7], "sums"), 0).await.expect("asked"), "saved");
    for _twice in 0..2 {
        ports.store.forget_aggregates().await.expect("forgotten");
        ports.store.forget_partition(P0).await.expect("forgotten");
    }
    assert_eq!(ports.store.load_aggregates().await.expect("loaded"), None);
    let late = ports.store.commit(commit(P0, epoch, 10, 20, &[])).await;
    assert!(is_fenced(&late), "{late:?}");
    drop(ports);
    let ports = fixture.ports().await;
    assert_eq!(ports.store.fold_settings(P0).await.expect("asked"), None);
    let acquired = ports.store.acquire(P0, ports.log.identity(), "{\"second\":2}").await.expect("acquired");
    assert!(acquired.epoch > epoch);
    assert_eq!((acquired.position, acquired.symbols, acquired.fold_state), (Position::START, vec![], None));
    assert_eq!(load(&ports, P0, &["ada"]).await, [None]);
    assert_eq!(ports.store.scan_members(P0, 0).await.expect("scanned"), (0, vec![]));
    assert_eq!(outbox(&ports, 0, 10).await, []);
    store(&ports, commit(P0, acquired.epoch, 0, 5, &[("ada", "ada 5")])).await;
    assert_eq!(load(&ports, P0, &["ada"]).await, [some("ada 5")]);
    assert_eq!(load(&ports, P1, &["bob"]).await, [some("bob 7")], "the neighbour is untouched");
}

pub async fn names_are_those_of_the_symbols_asked_for(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P0).await;
    let mut first = Arc::unwrap_or_clone(commit(P0, epoch, 0, 10, &[]));
    first.symbols = vec![Arc::from("alien"), Arc::from("brazil"), Arc::from("casablanca")];
    store(&ports, Arc::new(first)).await;
    let names = |symbols: Vec<u32>| {
        let (ports, symbols) = (ports.clone(), symbols.into_iter().map(Symbol).collect::<Vec<_>>());
        async move { ports.store.names(P0, &symbols).await.expect("names") }
    };
    assert_eq!(names(vec![3, 1, 3]).await, ["casablanca", "alien", "casablanca"].map(|n| Some(Arc::from(n))));
    assert_eq!(names(vec![0, 4, u32::MAX]).await, [None, None, None], "numbers that were not given out");
    assert_eq!(names(Vec::new()).await, []);
    assert_eq!(
        ports.store.names(P1, &[Symbol(1)]).await.expect("names"),
        [None],
        "the neighbour has its own"
    );
}

pub async fn a_commit_is_visible_as_a_whole(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P0).await;
    store(&ports, commit(P0, epoch, 0, 7, &[("ada", "ada 7"), ("bob", "bob 7")])).await;
    store(&ports, commit(P0, epoch, 7, 12, &[("bob", "bob 12"), ("cleo", "cleo 12")])).await;
    assert_eq!(position(&ports, P0).await, 12);
    let fold_state = ports.store.fold_state(P0).await.expect("read");
    assert_eq!(fold_state.as_deref(), Some(&b"fold state at 12"[..]));
    assert_eq!(ports.store.fold_state(P1).await.expect("read"), None, "the neighbour has its own");
    let loaded = load(&ports, P0, &["ada", "bob", "cleo"]).await;
    assert_eq!(loaded, [some("ada 7"), some("bob 12"), some("cleo 12")]);
    assert_eq!(outbox(&ports, 0, 10).await, [(7, "delta 0..7".into()), (12, "delta 7..12".into())]);
}

pub async fn a_commit_survives_reopening(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P0).await;
    store(&ports, commit(P0, epoch, 0, 7, &[("ada", "ada 7")])).await;
    drop(ports);
    let ports = fixture.ports().await;
    assert_eq!(position(&ports, P0).await, 7);
    assert_eq!(load(&ports, P0, &["ada"]).await, [some("ada 7")]);
    assert_eq!(outbox(&ports, 0, 10).await, [(7, "delta 0..7".into())]);
}

pub async fn members_come_back_in_the_order_asked(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P0).await;
    store(&ports, commit(P0, epoch, 0, 1, &[("a", "1"), ("b", "2"), ("c", "")])).await;
    let loaded = load(&ports, P0, &["c", "nobody", "a", "b", "a"]).await;
    assert_eq!(loaded, [some(""), None, some("1"), some("2"), some("1")]);
    assert!(load(&ports, P0, &[]).await.is_empty());
}

pub async fn partitions_do_not_see_each_others_members(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    for (partition, form) in [(P0, "zero"), (P1, "one")] {
        let epoch = acquire(&ports, partition).await;
        store(&ports, commit(partition, epoch, 0, 5, &[("ada", form)])).await;
    }
    assert_eq!(load(&ports, P0, &["ada"]).await, [some("zero")]);
    assert_eq!(load(&ports, P1, &["ada"]).await, [some("one")]);
    assert_eq!(ports.store.scan_members(P1, 0).await.expect("scanned").1.len(), 1);
}

pub async fn only_the_owner_loads_as_the_owner(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let older = ports.store.acquire(P1, ports.log.identity(), "{}").await.expect("acquired").epoch;
    let asked: Vec<Box<str>> = vec!["nobody".into(), "ann".into()];
    let loaded = ports.store.load_owned(P1, older, &asked).await.expect("loaded");
    assert_eq!(loaded, (Position::START, vec![None, None]));
    ports.store.commit(commit(P1, older, 0, 7, &[("ann", "ann at 7")])).await.expect("committed");
    let loaded = ports.store.load_owned(P1, older, &asked).await.expect("loaded");
    assert_eq!(loaded, (Position(7), vec![None, Some("ann at 7".into())]));
    assert_eq!(ports.store.prove_owner(P1, older).await.expect("proved"), Position(7));
    let newer = ports.store.acquire(P1, ports.log.identity(), "{}").await.expect("acquired").epoch;
    let refused = ports.store.load_owned(P1, older, &asked).await.map(drop);
    let disproved = ports.store.prove_owner(P1, older).await.map(drop);
    for refused in [refused, disproved] {
        assert!(
            matches!(refused, Err(PortError::Fenced { held, current, .. }) if (held, current) == (older, newer))
        );
    }
}

pub async fn an_older_epoch_is_fenced(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let old = acquire(&ports, P0).await;
    store(&ports, commit(P0, old, 0, 5, &[("ada", "old")])).await;
    let new = acquire(&ports, P0).await;
    let outcome = ports.store.commit(commit(P0, old, 5, 9, &[("ada", "zombie")])).await;
    assert!(is_fenced(&outcome), "{outcome:?}");
    assert_eq!((position(&ports, P0).await, load(&ports, P0, &["ada"]).await), (5, vec![some("old")]));
    assert_eq!(outbox(&ports, 5, 10).await, []);
    store(&ports, commit(P0, new, 5, 8, &[("ada", "new")])).await;
    assert_eq!(load(&ports, P0, &["ada"]).await, [some("new")]);
}

pub async fn an_unexpected_position_is_refused_and_nothing_is_written(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P0).await;
    store(&ports, commit(P0, epoch, 0, 5, &[("ada", "5")])).await;
    for (expected, next) in [(0, 9), (4, 9), (6, 9), (0, 4)] {
        let outcome = ports.store.commit(commit(P0, epoch, expected, next, &[("ada", "wrong")])).await;
        match outcome {
            Err(PortError::UnexpectedPosition { partition, expected: told, found }) => {
                assert_eq!((partition, told, found), (P0, Position(expected), Position(5)));
            }
            other => panic!("{expected}..{next} gave {other:?}"),
        }
    }
    assert_eq!((position(&ports, P0).await, load(&ports, P0, &["ada"]).await), (5, vec![some("5")]));
    assert_eq!(outbox(&ports, 0, 10).await.len(), 1);
}

pub async fn the_same_commit_twice_is_a_success(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P0).await;
    let repeated = commit(P0, epoch, 0, 5, &[("ada", "5")]);
    store(&ports, repeated.clone()).await;
    store(&ports, repeated).await;
    assert_eq!((position(&ports, P0).await, load(&ports, P0, &["ada"]).await), (5, vec![some("5")]));
    assert_eq!(outbox(&ports, 0, 10).await, [(5, "delta 0..5".into())]);
}

pub async fn a_repeated_commit_of_an_older_epoch_is_fenced(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let old = acquire(&ports, P0).await;
    let repeated = commit(P0, old, 0, 5, &[("ada", "5")]);
    store(&ports, repeated.clone()).await;
    acquire(&ports, P0).await;
    let outcome = ports.store.commit(repeated).await;
    assert!(is_fenced(&outcome), "{outcome:?}");
}

pub async fn racing_commits_of_one_position_leave_one_state(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P0).await;
    let racers: Vec<_> = (1..=8_u64)
        .map(|racer| {
            let (ports, form) = (ports.clone(), format!("racer {racer}"));
            tokio::spawn(async move {
                let commit = commit(P0, epoch, 0, racer, &[("ada", &form), ("bob", &form)]);
                (racer, ports.store.commit(commit).await)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for racer in racers {
        match racer.await.expect("the racer ends") {
            (racer, Ok(())) => winners.push(racer),
            (_, Err(PortError::UnexpectedPosition { .. })) => {}
            (racer, other) => panic!("racer {racer}: {other:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(position(&ports, P0).await, winners[0]);
    let form = some(&format!("racer {}", winners[0]));
    assert_eq!(load(&ports, P0, &["ada", "bob"]).await, [form.clone(), form]);
    assert_eq!(outbox(&ports, 0, 10).await.len(), 1);
}

pub async fn a_scan_returns_every_member(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P1).await;
    let expected: BTreeMap<String, String> =
        (0..3_000).map(|n| (format!("member-{n}"), format!("form-{n}"))).collect();
    let members: Vec<_> = expected.iter().map(|(name, form)| (name.as_str(), form.as_str())).collect();
    store(&ports, commit(P1, epoch, 0, 3_000, &members)).await;
    let (mut found, mut cursor) = (BTreeMap::new(), 0);
    loop {
        let (next, members) = ports.store.scan_members(P1, cursor).await.expect("scanned");
        for (name, form) in members {
            found.insert(String::from(name), String::from_utf8(form.to_vec()).expect("text"));
        }
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(found, expected);
}

pub async fn the_outbox_keeps_order_and_limit(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P0).await;
    let positions: Vec<u64> = (1..=20).map(|n| n * 50).collect();
    let mut expected = 0;
    for &next in &positions {
        store(&ports, commit(P0, epoch, expected, next, &[])).await;
        expected = next;
    }
    let entries = |from: Vec<(u64, String)>| from.into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    assert_eq!(entries(outbox(&ports, 0, 100).await), positions);
    assert_eq!(entries(outbox(&ports, 0, 3).await), [50, 100, 150]);
    assert_eq!(entries(outbox(&ports, 100, 2).await), [150, 200]);
    assert_eq!(entries(outbox(&ports, 101, 1).await), [150]);
    assert_eq!(outbox(&ports, 1_000, 10).await, []);
    assert_eq!(ports.store.outbox(P1, Position::START, 10).await.expect("entries"), vec![]);
}

pub async fn a_snapshot_trims_the_outbox_entries_it_covers(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P0).await;
    for next in 1..=10 {
        store(&ports, commit(P0, epoch, next - 1, next, &[])).await;
    }
    let other = acquire(&ports, P1).await;
    store(&ports, commit(P1, other, 0, 3, &[])).await;
    // Some stores drop what a snapshot covers once it is not the latest any more.
    let mut first_left = 1;
    for (position, bytes) in [(4, "four"), (6, "six"), (6, "six")] {
        assert!(
            ports.store.save_aggregates(snapshot(&[position, 0, 0, 0], bytes), 0).await.expect("asked"),
            "saved"
        );
        let left: Vec<u64> = outbox(&ports, 0, 100).await.into_iter().map(|(at, _)| at).collect();
        assert!((first_left..=position).contains(&left[0]), "the last one that it covers stays: {left:?}");
        assert_eq!(left, (left[0]..=10).collect::<Vec<_>>());
        first_left = position;
    }
    assert_eq!(ports.store.outbox(P1, Position::START, 10).await.expect("entries").len(), 1);
    let loaded = ports.store.load_aggregates().await.expect("loaded");
    assert_eq!(loaded, Some(snapshot(&[6, 0, 0, 0], "six")));
    let positions = ports.store.aggregates_positions().await.expect("asked");
    assert_eq!(positions, Some([6, 0, 0, 0].map(Position).to_vec()));
}

pub async fn a_lesser_snapshot_is_ignored(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P1).await;
    store(&ports, commit(P1, epoch, 0, 7, &[])).await;
    assert!(ports.store.save_aggregates(snapshot(&[5, 5, 0, 0], "first"), 0).await.expect("asked"), "saved");
    for lesser in [[4, 5, 0, 0], [9, 4, 9, 9]] {
        assert!(
            !ports.store.save_aggregates(snapshot(&lesser, "lesser"), 0).await.expect("asked"),
            "ignored"
        );
        let loaded = ports.store.load_aggregates().await.expect("loaded");
        assert_eq!(loaded, Some(snapshot(&[5, 5, 0, 0], "first")));
    }
    assert_eq!(ports.store.outbox(P1, Position::START, 10).await.expect("entries").len(), 1);
    assert!(ports.store.save_aggregates(snapshot(&[5, 8, 1, 0], "later"), 0).await.expect("asked"), "saved");
    let loaded = ports.store.load_aggregates().await.expect("loaded");
    assert_eq!(loaded, Some(snapshot(&[5, 8, 1, 0], "later")));
    assert!(ports.store.save_aggregates(snapshot(&[5, 8, 1, 0], "later"), 0).await.expect("asked"), "saved");
    assert_eq!(ports.store.outbox(P1, Position::START, 10).await.expect("entries"), vec![]);
}

pub async fn a_snapshot_survives_reopening(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let large = "aggregates ".repeat(200_000);
    assert!(ports.store.save_aggregates(snapshot(&[1, 2, 3, 4], &large), 0).await.expect("asked"), "saved");
    drop(ports);
    let loaded = fixture.ports().await.store.load_aggregates().await.expect("loaded");
    assert_eq!(loaded, Some(snapshot(&[1, 2, 3, 4], &large)));
}

pub async fn what_was_chosen_for_the_ranking_is_kept_until_it_is_chosen_anew(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    assert_eq!(ports.store.load_tuning().await.expect("asked"), None);
    for chosen in ["first", "second \0\u{1}"] {
        ports.store.save_tuning(Bytes::from(chosen)).await.expect("stored");
        let beside = fixture.ports_beside(&ports).await;
        assert_eq!(beside.store.load_tuning().await.expect("asked").as_deref(), Some(chosen.as_bytes()));
    }
    assert!(ports.store.save_aggregates(snapshot(&[1, 2, 3, 4], "sums"), 0).await.expect("asked"), "saved");
    ports.store.forget_aggregates().await.expect("forgotten");
    drop(ports);
    let loaded = fixture.ports().await.store.load_tuning().await.expect("asked");
    assert_eq!(loaded.as_deref(), Some(&b"second \0\x01"[..]), "the next choice begins with it");
}

pub async fn a_large_commit_is_stored_whole(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = acquire(&ports, P0).await;
    let names: Vec<String> = (0..10_000).map(|n| format!("member-{n}")).collect();
    let form = "x".repeat(600);
    let members: Vec<_> = names.iter().map(|name| (name.as_str(), form.as_str())).collect();
    store(&ports, commit(P0, epoch, 0, 10_000, &members)).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let loaded = load(&ports, P0, &names).await;
    assert!(loaded.iter().all(|found| found.as_ref() == Some(&form)));
}

pub async fn state_of_another_log_is_refused_and_left_as_it_is(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    assert_eq!(ports.store.folded_log(P0).await.expect("asked"), None);
    let epoch = acquire(&ports, P0).await;
    store(&ports, commit(P0, epoch, 0, 5, &[("ada", "a")])).await;
    match ports.store.acquire(P0, "another", "{}").await {
        Err(error @ PortError::Misconfigured(_)) => {
            let text = error.to_string();
            let folded = format!("folded from log {}", ports.log.identity());
            assert!(text.contains(&folded) && text.contains("this is log another"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    // Whoever owned it still does.
    let last = commit(P0, epoch, 5, 6, &[("ada", "b")]);
    store(&ports, last.clone()).await;
    assert_eq!(ports.store.folded_log(P0).await.expect("asked").as_deref(), Some(ports.log.identity()));
    let acquired = ports.store.acquire(P0, ports.log.identity(), "{}").await.expect("acquired");
    assert_eq!((acquired.position, acquired.mark), (Position(6), last.mark));
}
