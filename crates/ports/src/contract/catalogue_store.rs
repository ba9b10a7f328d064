//! What every `CatalogueStore` promises.

use super::{Fixture, soon};
use nearline_model::Title;
use nearline_model::catalogue::CatalogueEntry;
use std::collections::BTreeMap;
use tokio::sync::mpsc::Receiver;

fn title(id: &str, name: &str) -> Title {
    Title { id: id.into(), name: Some(name.into()), genres: vec!["drama".into()], ..Title::default() }
}

type Names = BTreeMap<String, String>;

fn learn(names: &mut Names, entries: Vec<CatalogueEntry>) {
    let titles = entries.into_iter().map(|entry| entry.title);
    names.extend(titles.map(|title| (title.id, title.name.unwrap_or_default())));
}

/// The titles that the first batch holds.
async fn first(watch: &mut Receiver<Vec<CatalogueEntry>>) -> Names {
    let mut names = Names::new();
    learn(&mut names, soon("first batch", watch.recv()).await.expect("an open watch"));
    names
}

/// Learns from the watch until all of `expected` is there as expected.
async fn until(watch: &mut Receiver<Vec<CatalogueEntry>>, names: &mut Names, expected: &Names) {
    soon("the expected titles", async {
        while names != expected {
            learn(names, watch.recv().await.expect("an open watch"));
        }
    })
    .await;
}

fn names(pairs: &[(&str, &str)]) -> Names {
    pairs.iter().map(|&(id, name)| (id.into(), name.into())).collect()
}

pub async fn a_watch_gets_old_and_new_titles(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    ports.catalogue.put(vec![title("a", "Alien"), title("b", "Brazil")]).await.expect("put");
    let mut watch = ports.catalogue.watch().await.expect("a watch");
    let mut known = first(&mut watch).await;
    assert_eq!(known, names(&[("a", "Alien"), ("b", "Brazil")]));
    ports.catalogue.put(vec![title("c", "Casablanca")]).await.expect("put");
    let expected = names(&[("a", "Alien"), ("b", "Brazil"), ("c", "Casablanca")]);
    until(&mut watch, &mut known, &expected).await;
}

pub async fn the_first_batch_of_an_empty_catalogue_is_empty(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let mut watch = ports.catalogue.watch().await.expect("a watch");
    assert_eq!(first(&mut watch).await, Names::new());
    ports.catalogue.put(Vec::new()).await.expect("nothing to put");
    ports.catalogue.put(vec![title("a", "Alien")]).await.expect("put");
    until(&mut watch, &mut Names::new(), &names(&[("a", "Alien")])).await;
}

pub async fn the_latest_version_of_a_title_wins(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let mut early = ports.catalogue.watch().await.expect("a watch");
    let mut known = first(&mut early).await;
    for version in 1..=20 {
        let name = format!("version {version}");
        ports.catalogue.put(vec![title("a", &name), title("b", "Brazil")]).await.expect("put");
    }
    ports.catalogue.put(vec![title("c", "older"), title("c", "newer")]).await.expect("put");
    let expected = names(&[("a", "version 20"), ("b", "Brazil"), ("c", "newer")]);
    until(&mut early, &mut known, &expected).await;
    let mut late = ports.catalogue.watch().await.expect("a watch");
    assert_eq!(first(&mut late).await, expected);
}

pub async fn no_title_is_lost_between_the_first_batch_and_the_changes(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let putter = {
        let ports = ports.clone();
        tokio::spawn(async move {
            for n in 0..200 {
                ports.catalogue.put(vec![title(&format!("t{n}"), "name")]).await.expect("put");
            }
        })
    };
    let expected: Names = (0..200).map(|n| (format!("t{n}"), "name".into())).collect();
    let mut watchers = Vec::new();
    for _ in 0..10 {
        let mut watch = ports.catalogue.watch().await.expect("a watch");
        let expected = expected.clone();
        watchers.push(tokio::spawn(async move {
            let mut known = first(&mut watch).await;
            until(&mut watch, &mut known, &expected).await;
        }));
    }
    putter.await.expect("the putter ends");
    for watcher in watchers {
        watcher.await.expect("every watcher gets everything");
    }
}

pub async fn every_watcher_gets_every_title(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let mut watches = Vec::new();
    for _ in 0..5 {
        let mut watch = ports.catalogue.watch().await.expect("a watch");
        let known = first(&mut watch).await;
        watches.push((watch, known));
    }
    drop(watches.pop());
    let titles: Vec<Title> = (0..500).map(|n| title(&format!("t{n}"), "name")).collect();
    ports.catalogue.put(titles).await.expect("put");
    let expected: Names = (0..500).map(|n| (format!("t{n}"), "name".into())).collect();
    for (mut watch, mut known) in watches {
        until(&mut watch, &mut known, &expected).await;
    }
}

pub async fn titles_survive_reopening(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let whole = Title {
        year: Some(1985),
        maturity: Some(16),
        countries: vec!["BR".into()],
        artworks: ["art-1"].into_iter().collect(),
        ..title("b", "Brazil")
    };
    ports.catalogue.put(vec![whole.clone(), title("a", "Alien")]).await.expect("put");
    drop(ports);
    let ports = fixture.ports().await;
    let mut watch = ports.catalogue.watch().await.expect("a watch");
    let entries = soon("first batch", watch.recv()).await.expect("an open watch");
    let mut titles: Vec<_> = entries.into_iter().map(|entry| entry.title).collect();
    titles.sort_by(|left, right| left.id.cmp(&right.id));
    assert_eq!(titles, [title("a", "Alien"), whole]);
}

pub async fn revisions_tell_which_version_is_newer(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let mut early = ports.catalogue.watch().await.expect("a watch");
    first(&mut early).await;
    let mut put = Vec::new();
    for version in 1..=5 {
        let titles = vec![title("a", &format!("version {version}")), title("b", "Brazil")];
        let revisions = ports.catalogue.put(titles).await.expect("put");
        assert_eq!(revisions.len(), 2);
        put.push(revisions[0]);
    }
    assert!(put.is_sorted_by(|earlier, later| earlier < later), "{put:?}");
    let mut watched = Vec::new();
    soon("all versions", async {
        while watched.last() != put.last() {
            let entries = early.recv().await.expect("an open watch").into_iter();
            watched.extend(entries.filter(|entry| entry.title.id == "a").map(|entry| entry.revision));
        }
    })
    .await;
    assert!(
        watched.is_sorted() && watched.iter().all(|revision| put.contains(revision)),
        "{watched:?} of {put:?}"
    );
    let mut late = ports.catalogue.watch().await.expect("a watch");
    let entries = soon("first batch", late.recv()).await.expect("an open watch");
    let latest = entries.iter().find(|entry| entry.title.id == "a").expect("it is there");
    assert_eq!(Some(&latest.revision), put.last());
}

pub async fn a_title_is_replaced_only_in_the_version_that_is_named(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let first_put = ports.catalogue.put(vec![title("a", "first")]).await.expect("put")[0];
    let second = ports.catalogue.replace(title("a", "second"), first_put).await.expect("asked");
    let second = second.expect("nobody else changed it");
    assert!(second > first_put);
    let stale = ports.catalogue.replace(title("a", "from what was"), first_put).await.expect("asked");
    assert_eq!(stale, None);
    drop(ports);
    let ports = fixture.ports().await;
    let mut watch = ports.catalogue.watch().await.expect("a watch");
    let entries = soon("first batch", watch.recv()).await.expect("an open watch");
    assert_eq!(entries[0].title, title("a", "second"));
    let third = ports.catalogue.replace(title("a", "third"), entries[0].revision).await.expect("asked");
    assert!(third.is_some_and(|third| third > entries[0].revision), "after reopening, too");
}
