//! Ranking over what a fold has made: what is left out, and why the rest is in.

use crate::harness::{Harness, START_MS, event, record};
use nearline_model::catalogue::{Catalogue, Title};
use nearline_model::member::snapshot::TitleOpinion;
use nearline_model::settings::AggregateSettings;
use nearline_model::symbols::NONE;
use nearline_model::{Aggregates, FoldSettings, LogRecord, MemberSnapshot};
use nearline_ranking::associations::Associations;
use nearline_ranking::{Learned, Query, Ranked, Reason, next, rank, score_titles, similar};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

/// An audience: everybody watches the titles of a list, in its order.
fn audience(lists: &[&[&str]]) -> (Harness, Aggregates) {
    let mut log: Vec<LogRecord> = Vec::new();
    let mut put = |kind: &str, member: &str, title: &str, fields: Value| {
        let position = log.len() as u64 + 1;
        let at_ms = START_MS + position as i64 * 1_000;
        log.push(record(
            position,
            at_ms,
            &event(&format!("e{position}"), kind, member, title, at_ms, fields),
        ));
    };
    for (member, titles) in lists.iter().enumerate() {
        for title in *titles {
            put("play", &format!("m{member}"), title, json!({"country": "BR"}));
        }
    }
    put("thumb", "m0", "disliked", json!({"value": -1}));
    let harness = crate::harness::fold_at_once(&log, FoldSettings::default());
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    harness.add_to(&mut aggregates);
    (harness, aggregates)
}

fn ids(ranked: &[Ranked]) -> Vec<&str> {
    ranked.iter().map(|ranked| &*ranked.title).collect()
}

const LISTS: &[&[&str]] = &[
    &["a", "b"],
    &["a", "b", "c", "disliked", "d"],
    &["b", "c"],
    &["b", "c", "d"],
    &["b", "c", "d", "elsewhere"],
    &["x", "y"],
];

#[test]
fn seen_disliked_excluded_and_unavailable_titles_are_left_out() {
    let (mut harness, aggregates) = audience(LISTS);
    let member = harness.snapshot("m0");
    let mut catalogue = Catalogue::default();
    let elsewhere = Title { id: "elsewhere".into(), countries: vec!["JP".into()], ..Title::default() };
    catalogue.put(elsewhere);
    let query =
        Query { limit: 10, country: Some("BR"), exclude: vec!["d", "unheard-of"], ..Query::default() };
    let ranked = rank(&aggregates, &catalogue, Some(&member), &query);
    assert_eq!(ids(&ranked), ["c", "x", "y"], "what follows first, then what is popular, equal ones by id");
    let anywhere = Query { country: None, exclude: vec![], ..query.clone() };
    assert!(ids(&rank(&aggregates, &catalogue, Some(&member), &anywhere)).contains(&"elsewhere"));
    let one = Query { limit: 1, ..query };
    assert_eq!(ids(&rank(&aggregates, &catalogue, Some(&member), &one)), ["c"]);
}

#[test]
fn given_titles_have_the_scores_that_they_are_ranked_by() {
    let (mut harness, aggregates) = audience(LISTS);
    let member = harness.snapshot("m0");
    let mut catalogue = Catalogue::default();
    catalogue.put(Title { id: "y".into(), countries: vec!["JP".into()], ..Title::default() });
    let query = Query {
        limit: 10,
        country: Some("BR"),
        exclude: vec!["elsewhere", "unheard-of"],
        ..Query::default()
    };
    let ranked = rank(&aggregates, &catalogue, Some(&member), &query);
    assert_eq!(ids(&ranked), ["c", "d", "x"]);
    let titles = ["unheard-of", "x", "a", "d", "y", "c", "elsewhere", "disliked"];
    let scores = score_titles(&aggregates, &catalogue, Some(&member), &query, &titles);
    let expected = titles
        .map(|title| ranked.iter().find(|ranked| &*ranked.title == title).map_or(0.0, |ranked| ranked.score));
    assert_eq!(scores, expected);
    let of_nobody = score_titles(&aggregates, &catalogue, None, &query, &["a", "x"]);
    assert!(of_nobody[0] > of_nobody[1] && of_nobody[1] > 0.0, "{of_nobody:?}");
}

#[test]
fn a_title_that_left_the_history_is_still_left_out() {
    let (mut harness, aggregates) = audience(LISTS);
    let mut member = harness.snapshot("m0");
    let left = member.history.remove(0);
    member.seen.push(left.title);
    let query = Query { limit: 10, ..Query::default() };
    assert!(!ids(&rank(&aggregates, &Catalogue::default(), Some(&member), &query)).contains(&"a"));
}

#[test]
fn nothing_goes_up_for_a_title_thumbed_down_and_a_low_rating_is_no_interest() {
    let (mut harness, aggregates) = audience(LISTS);
    let learned = Learned::of(&aggregates, &Catalogue::default(), 4);
    let whole = Learned::of(&aggregates, &Catalogue::default(), 100);
    let ids: Vec<String> =
        aggregates.titles_after(NONE).map(|title| aggregates.title_id(title).to_string()).collect();
    let titles: Vec<&str> = ids.iter().map(String::as_str).collect();
    for learned in [&learned, &whole] {
        let query = Query { learned: Some(learned), ..Query::default() };
        let score = |member: &MemberSnapshot| {
            score_titles(&aggregates, &Catalogue::default(), Some(member), &query, &titles)
        };
        for disliked in &titles {
            let mut member = harness.snapshot("m2");
            if member.history.iter().any(|watched| *watched.title == **disliked) {
                continue;
            }
            let before = score(&member);
            member.opinions.push(TitleOpinion { title: Arc::from(*disliked), thumb: Some(-1), rating: None });
            let after = score(&member);
            assert!(before.iter().zip(&after).all(|(before, after)| after <= before), "{disliked}");
        }
        let mut member = harness.snapshot("m2");
        let liked = score(&member);
        for watched in member.history.clone() {
            member.opinions.push(TitleOpinion { title: watched.title, thumb: None, rating: Some(1.0) });
        }
        let unrated = score(&MemberSnapshot { history: Vec::new(), ..member.clone() });
        let rated = score(&member);
        assert!(liked.iter().zip(&rated).any(|(liked, rated)| rated < liked));
        assert!(rated.iter().zip(&unrated).all(|(rated, unrated)| rated <= unrated), "{rated:?} {unrated:?}");
    }
}

#[test]
fn what_goes_with_a_title_thumbed_down_unwatched_goes_down() {
    let (mut harness, aggregates) = audience(LISTS);
    let mut member = harness.snapshot("m2");
    let query = Query { limit: 10, ..Query::default() };
    let score = |member: &MemberSnapshot| {
        let titles = ["elsewhere", "d"];
        score_titles(&aggregates, &Catalogue::default(), Some(member), &query, &titles)
    };
    let before = score(&member);
    member.opinions.push(TitleOpinion { title: Arc::from("disliked"), thumb: Some(-1), rating: None });
    let after = score(&member);
    assert!(after[1] < before[1], "d is played after what is disliked: {before:?}, {after:?}");
    assert_eq!(after[0], before[0], "the other is not");
}

#[test]
fn nobody_known_is_offered_what_is_popular() {
    let (_, aggregates) = audience(LISTS);
    let query = Query { limit: 2, explain: true, ..Query::default() };
    let ranked = rank(&aggregates, &Catalogue::default(), None, &query);
    assert_eq!(ids(&ranked), ["b", "c"]);
    let popular = |ranked: &Ranked| matches!(&ranked.reasons[..], [Reason::Popular { dimension, .. }] if dimension == "all");
    assert!(ranked.iter().all(popular), "{ranked:?}");
}

#[test]
fn an_engine_that_knows_nothing_answers_with_nothing() {
    let aggregates = Aggregates::new(1, AggregateSettings::default());
    let catalogue = Catalogue::default();
    let query = Query { limit: 10, explain: true, country: Some("BR"), ..Query::default() };
    assert!(rank(&aggregates, &catalogue, None, &query).is_empty());
    assert!(similar(&aggregates, &catalogue, "a", &Query { limit: 10, ..Query::default() }).is_empty());
}

#[test]
fn similar_titles_are_watched_by_the_same_members_and_popularity_is_no_likeness() {
    let fans = ["wars", "empire", "everybodys"];
    let others = ["godfather", "everybodys"];
    let lists: Vec<&[&str]> =
        (0..40).map(|member| if member % 4 == 0 { &fans[..] } else { &others[..] }).collect();
    let (_, aggregates) = audience(&lists);
    let query = Query { limit: 10, ..Query::default() };
    let ranked = similar(&aggregates, &Catalogue::default(), "empire", &query);
    assert_eq!(ids(&ranked), ["everybodys"], "what was played before alone is not known without a solve");
    let learned = Learned::of(&aggregates, &Catalogue::default(), 100);
    let query = Query { learned: Some(&learned), ..query };
    let ranked = similar(&aggregates, &Catalogue::default(), "empire", &query);
    assert_eq!(ids(&ranked), ["wars", "everybodys"], "before it or after it, but not by popularity");
}

#[test]
fn titles_that_nobody_played_are_similar_by_their_genres() {
    let (_, aggregates) = audience(LISTS);
    let mut catalogue = Catalogue::default();
    for (id, genre) in [("a", "horror"), ("cold-horror", "horror"), ("cold-comedy", "comedy")] {
        catalogue.put(Title { id: id.to_owned(), genres: vec![genre.to_owned()], ..Title::default() });
    }
    let learned = Learned::of(&aggregates, &catalogue, 100);
    let query = Query { limit: 10, learned: Some(&learned), ..Query::default() };
    let ranked = |title| {
        let ranked = similar(&aggregates, &catalogue, title, &query);
        ranked.into_iter().map(|ranked| ranked.title.to_string()).collect::<Vec<_>>()
    };
    assert!(ranked("a").contains(&"cold-horror".to_owned()), "{:?}", ranked("a"));
    assert!(!ranked("a").contains(&"cold-comedy".to_owned()));
    assert_eq!(ranked("cold-horror"), ["a"], "what little is known of is like what is known of its kind");
}

#[test]
fn titles_that_come_next_are_those_that_follow() {
    let (_, aggregates) = audience(LISTS);
    let ranked = next(&aggregates, &Catalogue::default(), "b", &Query { limit: 10, ..Query::default() });
    assert_eq!(ids(&ranked)[0], "c");
    assert!(!ids(&ranked).contains(&"x"));
    assert!(!ids(&ranked).contains(&"b"));
}

#[test]
fn titles_played_again_and_again_leave_the_sums_those_of_histories() {
    let again = ["a", "b"].repeat(20);
    let mut lists = vec![&again[..]; 200];
    lists.extend([&["c", "d"][..]; 5]);
    let (_, aggregates) = audience(&lists);
    let associations = Associations::of(&aggregates, 100);
    assert_eq!(associations.raise(), 0.0, "what members come back to is in no pair");
    let titles = associations.titles();
    assert!(
        titles.iter().all(|title| associations
            .after(*title)
            .unwrap()
            .iter()
            .all(|weight| weight.is_finite()))
    );
    let weight = |from, to| {
        let title = |id| aggregates.title(id).expect("it was played");
        associations.weight(title(from), title(to)).expect("it was solved")
    };
    assert!(weight("a", "b") > 0.0 && weight("c", "d") > 0.0, "{} {}", weight("a", "b"), weight("c", "d"));
    assert!(weight("a", "d").abs() < weight("c", "d") / 10.0, "nobody played both: {}", weight("a", "d"));
}

fn weight(reason: &Reason) -> f64 {
    match reason {
        Reason::BecauseYouWatched { weight, .. }
        | Reason::Popular { weight, .. }
        | Reason::OftenFirst { weight }
        | Reason::Newcomer { weight, .. } => *weight,
        Reason::Explored { .. } => 0.0,
    }
}

proptest! {
    #[test]
    fn reasons_add_up_to_the_score(
        lists in prop::collection::vec(prop::collection::vec(0..8_usize, 1..8), 2..10), device in any::<bool>(),
    ) {
        const TITLES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let lists: Vec<Vec<&str>> = lists.iter().map(|list| list.iter().map(|title| TITLES[*title]).collect()).collect();
        let lists: Vec<&[&str]> = lists.iter().map(Vec::as_slice).collect();
        let (mut harness, aggregates) = audience(&lists);
        for member in 0..lists.len() {
            let member = harness.snapshot(&format!("m{member}"));
            let query = Query { limit: 8, explain: true, device: device.then_some("tv"), ..Query::default() };
            for ranked in rank(&aggregates, &Catalogue::default(), Some(&member), &query) {
                let weights: Vec<f64> = ranked.reasons.iter().map(weight).collect();
                let sum: f64 = weights.iter().sum();
                prop_assert!(!weights.is_empty() && weights.is_sorted_by(|a, b| a >= b));
                prop_assert!(sum <= ranked.score + 1e-12, "{ranked:?}");
                // At most three reasons are given; where fewer are, these are all.
                prop_assert!(weights.len() == 3 || (sum - ranked.score).abs() < 1e-12, "{ranked:?}");
            }
        }
    }
}
