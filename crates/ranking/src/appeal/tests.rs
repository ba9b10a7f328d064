use super::*;
use crate::query::Query;
use crate::{Learned, rank_given};
use nearline_model::MemberSnapshot;
use nearline_model::catalogue::Catalogue;
use nearline_model::delta::{Candidate, Contest, Delta, PositionBand};
use nearline_model::identifier::PartitionId;
use nearline_model::settings::AggregateSettings;
use std::collections::BTreeMap;

const FIRST_S: u32 = 1_772_396_100;

/// What one request showed: the title taken first, then the others with their positions, and what was played before.
struct Shown {
    member: u64,
    titles: Vec<(&'static str, Option<u32>)>,
    sources: Vec<&'static str>,
}

fn shown(titles: &[&'static str]) -> Shown {
    Shown { member: 1, titles: titles.iter().map(|title| (*title, None)).collect(), sources: Vec::new() }
}

fn delta(partition: u16, first: Position, contests: &[Shown]) -> Delta {
    let mut strings: Vec<Arc<str>> = vec![Arc::from("")];
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut number = |title: &'static str| {
        *numbers.entry(title).or_insert_with(|| {
            strings.push(Arc::from(title));
            strings.len() as u32 - 1
        })
    };
    let contests: Vec<Contest> = (first.0..)
        .zip(contests)
        .map(|(position, shown)| Contest {
            member: shown.member,
            position: Position(position),
            at_s: FIRST_S + 30 * position as u32,
            candidates: shown
                .titles
                .iter()
                .map(|(title, at)| Candidate {
                    title: number(title),
                    band: at.map(PositionBand::of),
                    shown_before: 0,
                })
                .collect(),
            sources: shown.sources.iter().map(|title| number(title)).collect(),
        })
        .collect();
    let position = Position(first.0 + contests.len() as u64 - 1);
    Delta {
        partition: PartitionId(partition),
        after: first.before(),
        position,
        strings,
        contests,
        ..Delta::default()
    }
}

fn sums(contests: &[Shown]) -> Aggregates {
    let mut sums = Aggregates::new(2, AggregateSettings::default());
    sums.add(&delta(0, Position(1), contests));
    sums
}

fn given(sums: &Aggregates, learned: &Learned, history: &[&str], titles: &[&str]) -> Given {
    let query = Query { limit: 100, learned: Some(learned), ..Query::default() };
    let now_ms = i64::from(FIRST_S) * 1_000 + 3_600_000;
    let member = member_of(history);
    rank_given(sums, &Catalogue::default(), Some(&member), &query, titles, now_ms)
}

fn member_of(history: &[&str]) -> MemberSnapshot {
    let watched = |title: &&str| {
        format!(r#"{{"title":"{title}","at_s":1,"position":1,"watched_s":0,"duration_s":0,"plays":1}}"#)
    };
    let history: Vec<String> = history.iter().map(watched).collect();
    let json = format!(
        r#"{{"member":"ana","position":1,"history":[{}],"seen":[],"list":[],"opinions":[],"open_impressions":[],"open_plays":0,"recent_ids":0}}"#,
        history.join(",")
    );
    serde_json::from_str(&json).expect("a member")
}

fn order(given: &Given) -> Vec<&str> {
    given.ranked.iter().map(|(title, _)| title.as_str()).collect()
}

#[test]
fn whoever_wins_against_strong_titles_is_stronger_than_whoever_wins_against_weak_ones() {
    let mut contests = Vec::new();
    for _ in 0..60 {
        // Both are taken half of the times that they are shown, in lists of the same length.
        contests.push(shown(&["strong", "weak", "worse"]));
        contests.push(shown(&["one", "strong"]));
        contests.push(shown(&["strong", "one"]));
        contests.push(shown(&["other", "weak"]));
        contests.push(shown(&["weak", "other"]));
    }
    let sums = sums(&contests);
    let learned = Learned::of(&sums, &Catalogue::default(), 8);
    assert_eq!(learned.appeal.contests(), 300);
    let given = given(&sums, &learned, &[], &["worse", "other", "one"]);
    assert!(given.learned);
    assert_eq!(order(&given), ["one", "other", "worse"]);
}

#[test]
fn what_those_take_who_played_alike_comes_first() {
    let mut contests = Vec::new();
    for turn in 0..150 {
        let (titles, sources): (&[&str], _) = match turn % 2 {
            0 => (&["space", "romance"], vec!["alien", "contact", "solaris"]),
            _ => (&["romance", "space"], vec!["emma", "amelie", "casablanca"]),
        };
        contests.push(Shown { member: turn, sources, ..shown(titles) });
    }
    let sums = sums(&contests);
    let learned = Learned::of(&sums, &Catalogue::default(), 8);
    let of = |history: &[&str]| order_of(given(&sums, &learned, history, &["space", "romance"]));
    assert_eq!(of(&["contact", "alien"]), ["space", "romance"]);
    assert_eq!(of(&["amelie", "emma"]), ["romance", "space"]);
}

fn order_of(given: Given) -> Vec<String> {
    given.ranked.into_iter().map(|(title, _)| title).collect()
}

#[test]
fn no_title_is_strong_for_having_stood_on_top() {
    let places = |told: bool| {
        let mut contests = Vec::new();
        for turn in 0..400 {
            // What stands on top is taken three of four times, whatever it is; `top` stands there nine of ten times.
            let (upper, lower) = if turn % 10 == 0 { ("low", "top") } else { ("top", "low") };
            let at = |position| told.then_some(position);
            let taken_below = turn % 4 == 1;
            let mut titles = vec![(upper, at(0)), (lower, at(1))];
            if taken_below {
                titles.reverse();
            }
            contests.push(Shown { titles, ..shown(&[]) });
        }
        let sums = sums(&contests);
        let learned = Learned::of(&sums, &Catalogue::default(), 8);
        let given = given(&sums, &learned, &[], &["top", "low"]);
        let score = |id| given.ranked.iter().find(|(title, _)| title == id).map_or(0.0, |(_, score)| *score);
        score("top") - score("low")
    };
    let (told, untold) = (places(true), places(false));
    assert!(untold > 0.0 && told < untold / 2.0, "{told} beside {untold}");
}

#[test]
fn partitions_in_any_order_teach_the_same() {
    let of_first: Vec<Shown> = (0..80).map(|_| shown(&["a", "b", "c"])).collect();
    let of_second: Vec<Shown> = (0..80)
        .map(|turn| Shown {
            sources: vec!["a", "z"],
            ..shown(if turn % 3 == 0 { &["c", "b"] } else { &["b", "c"] })
        })
        .collect();
    let scores = |first_is_first: bool| {
        let mut sums = Aggregates::new(2, AggregateSettings::default());
        let deltas = [delta(0, Position(1), &of_first), delta(1, Position(1), &of_second)];
        let order = if first_is_first { [0, 1] } else { [1, 0] };
        order.iter().for_each(|at| {
            sums.add(&deltas[*at]);
        });
        let learned = Learned::of(&sums, &Catalogue::default(), 8);
        given(&sums, &learned, &["z"], &["c", "a", "b"])
    };
    assert_eq!(scores(true), scores(false), "to the last digit");
}

#[test]
fn a_few_contests_are_learned_on_top_and_many_anew() {
    let old: Vec<Shown> = (0..320).map(|_| shown(&["a", "b"])).collect();
    let mut sums = sums(&old);
    let before = Learned::of(&sums, &Catalogue::default(), 8);
    let new: Vec<Shown> = (0..10).map(|_| shown(&["c", "a"])).collect();
    sums.add(&delta(0, Position(321), &new));
    let mut on_top = Learned::after(&before, &sums, &Catalogue::default(), 8);
    let anew = Learned::of(&sums, &Catalogue::default(), 8);
    assert_eq!((on_top.appeal.contests(), anew.appeal.contests()), (330, 330));
    let asked = ["b", "a", "c"];
    let (one, other) = (given(&sums, &on_top, &[], &asked), given(&sums, &anew, &[], &asked));
    assert_eq!(order(&one), order(&other));
    let known = |learned: &Learned| learned.appeal.0.as_ref().map(|known| known.fresh);
    assert_eq!((known(&on_top), known(&anew)), (Some(10), Some(0)));
    let many: Vec<Shown> = (0..40).map(|_| shown(&["c", "b"])).collect();
    sums.add(&delta(0, Position(331), &many));
    on_top.catch_up(&sums);
    assert_eq!((known(&on_top), on_top.appeal.contests()), (Some(0), 370));
}

#[test]
fn before_there_is_enough_to_learn_from_the_ranking_of_all_titles_decides() {
    let sums = sums(&[shown(&["a", "b"])]);
    let learned = Learned::of(&sums, &Catalogue::default(), 8);
    let found = given(&sums, &learned, &[], &["b", "nowhere", "a", "b"]);
    assert!(!found.learned);
    assert_eq!(order(&found), ["a", "b", "nowhere"], "each once, equal ones by id");
}

#[test]
fn what_may_not_be_offered_is_told_apart() {
    let sums = sums(&[shown(&["a", "b"])]);
    let admit = |id: &str| id != "b";
    let query = Query { limit: 1, admit: Some(&admit), exclude: vec!["c"], ..Query::default() };
    let found = rank_given(&sums, &Catalogue::default(), None, &query, &["c", "b", "a", "d"], 0);
    assert_eq!(
        (order(&found), found.left_out.as_slice()),
        (vec!["a"], ["c", "b"].map(String::from).as_slice())
    );
}
