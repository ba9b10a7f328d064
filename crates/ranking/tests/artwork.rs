//! Choosing artworks: exact probabilities, propensities that are what was drawn with, stable pages.

use nearline_model::Position;
use nearline_model::delta::{ArmCell, ArmCounts, Cell, Counts};
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, Delta, PartitionId, Title};
use nearline_ranking::artwork::{ArtworkSettings, Chooser, MAX_ARTWORKS, Viewer, probabilities};
use std::sync::Arc;

const NOW_MS: i64 = 1_772_323_200_000;
const EPOCH: u32 = (NOW_MS / 1_800_000) as u32;

fn title(artworks: usize) -> Title {
    let artworks = (0..artworks).map(|artwork| format!("a{artwork}")).collect();
    Title { id: "t".into(), artworks, ..Title::default() }
}

/// Aggregates that know `arms` of the title: artwork, segment, impressions, takes.
fn aggregates(arms: &[(&str, &str, u32, u32)]) -> Aggregates {
    let mut aggregates = Aggregates::new(1, AggregateSettings::default());
    teach(&mut aggregates, 0, arms);
    aggregates
}

fn teach(aggregates: &mut Aggregates, after: u64, arms: &[(&str, &str, u32, u32)]) {
    let mut strings: Vec<Arc<str>> = vec!["".into(), "t".into()];
    let mut place = |text: &str| {
        if text.is_empty() {
            return 0;
        }
        strings.push(text.into());
        strings.len() as u32 - 1
    };
    let arms = arms
        .iter()
        .map(|(artwork, segment, impressions, takes)| ArmCell {
            title: 1,
            artwork: place(artwork),
            segment: place(segment),
            epoch: EPOCH,
            counts: ArmCounts { impressions: *impressions, takes: *takes },
        })
        .collect();
    let counts = Counts { impressions: 1, attributed: 0, plays: 0, quality: 0 };
    let cells = vec![Cell { title: 1, epoch: EPOCH, country: 0, device: 0, counts }];
    let (partition, position) = (PartitionId(0), after + 1);
    aggregates.add(&Delta {
        partition,
        after: Position(after),
        position: Position(position),
        strings,
        cells,
        arms,
        ..Delta::default()
    });
}

fn viewer<'a>(member: &'a str, segment: &'a Arc<str>) -> Viewer<'a> {
    Viewer { member, segment: Some(segment), erased_at: None }
}

fn settings() -> ArtworkSettings {
    ArtworkSettings { exploration_floor: 0.02, ..ArtworkSettings::default() }
}

#[test]
fn a_title_nobody_saw_is_chosen_for_uniformly() {
    let nothing = Aggregates::new(1, AggregateSettings::default());
    assert_eq!(probabilities(&nothing, &title(4), "drama", 0.01), [250_000; 4]);
    assert_eq!(probabilities(&nothing, &title(1), "drama", 0.01), [1_000_000]);
    assert_eq!(probabilities(&nothing, &title(0), "drama", 0.01), [0; 0]);
    assert_eq!(probabilities(&nothing, &title(MAX_ARTWORKS + 9), "", 0.01).len(), MAX_ARTWORKS);
}

#[test]
fn each_segment_is_shown_what_it_takes_and_keeps_exploring() {
    let aggregates = aggregates(&[
        ("a0", "drama", 2_000, 240),
        ("a1", "drama", 2_000, 60),
        ("a0", "comedy", 2_000, 60),
        ("a1", "comedy", 2_000, 240),
    ]);
    assert_eq!(probabilities(&aggregates, &title(2), "drama", 0.02), [980_000, 20_000]);
    assert_eq!(probabilities(&aggregates, &title(2), "comedy", 0.02), [20_000, 980_000]);
    // Others disagree, so a segment never seen starts undecided.
    let unseen = probabilities(&aggregates, &title(2), "horror", 0.02);
    assert!((unseen[0] as i64 - 500_000).abs() < 1_000, "{unseen:?}");
}

#[test]
fn propensities_are_calibrated() {
    let aggregates = aggregates(&[
        ("a0", "drama", 120, 9),
        ("a1", "drama", 100, 5),
        ("a2", "drama", 90, 6),
        ("a3", "comedy", 400, 20),
    ]);
    let (title, segment) = (title(4), Arc::from("drama"));
    let expected = probabilities(&aggregates, &title, "drama", 0.02);
    let mut chooser = Chooser::new(settings());
    let (members, mut chosen) = (100_000, [0_u32; 4]);
    for member in 0..members {
        let choice = chooser
            .choose(&aggregates, &title, viewer(&format!("m{member}"), &segment), NOW_MS)
            .expect("there are artworks");
        assert_eq!(choice.propensity, f64::from(expected[choice.artwork]) / 1e6);
        assert_eq!(choice.segment.as_ref(), Some(&segment));
        chosen[choice.artwork] += 1;
    }
    // Pearson's chi-square, 3 degrees of freedom: 16.27 is exceeded once in a thousand.
    let chi_square: f64 = chosen
        .iter()
        .zip(&expected)
        .map(|(count, p)| {
            let expected = f64::from(*p) / 1e6 * f64::from(members);
            (f64::from(*count) - expected).powi(2) / expected
        })
        .sum();
    assert!(chi_square < 16.27, "{chi_square}: {chosen:?} against {expected:?}");
}

#[test]
fn what_was_chosen_before_a_member_was_erased_is_shown_no_more() {
    let aggregates = aggregates(&[
        ("a0", "drama", 500, 100),
        ("a1", "drama", 500, 5),
        ("a0", "comedy", 5_000, 50),
        ("a1", "comedy", 5_000, 1_000),
    ]);
    let (title, segment): (_, Arc<str>) = (title(2), "drama".into());
    let mut chooser = Chooser::new(settings());
    let mut choose = |viewer| chooser.choose(&aggregates, &title, viewer, NOW_MS).expect("artworks");
    let before = choose(viewer("m", &segment));
    assert_eq!(before.segment.as_deref(), Some("drama"));
    let watched_on = Viewer { segment: None, ..viewer("m", &segment) };
    assert_eq!(choose(watched_on), before, "it is held for the window");
    let erased = Viewer { erased_at: Some("2026-01-01T00:00:00Z"), ..watched_on };
    let after = choose(erased);
    assert_eq!(after.segment, None, "the segment tells of what was watched");
    assert_ne!(after.artwork, before.artwork, "nor is it held what followed from that");
    assert_eq!(choose(erased), after);
    let again = Viewer { erased_at: Some("2026-01-02T00:00:00Z"), segment: Some(&segment), ..watched_on };
    assert_eq!(choose(again).segment.as_deref(), Some("drama"), "erased again, it is chosen anew");
}

#[test]
fn a_page_is_stable_within_its_window_whatever_is_learned() {
    let mut aggregates = aggregates(&[("a0", "drama", 100, 5), ("a1", "drama", 100, 5)]);
    let (title, segment): (_, Arc<str>) = (title(2), "drama".into());
    let mut chooser = Chooser::new(ArtworkSettings { hold_seconds: 3_600, ..settings() });
    let members: Vec<String> = (0..500).map(|member| format!("m{member}")).collect();
    let choose = |chooser: &mut Chooser, aggregates: &Aggregates, now_ms| -> Vec<_> {
        let choice = |member: &String| {
            chooser.choose(aggregates, &title, viewer(member, &segment), now_ms).expect("artworks")
        };
        members.iter().map(choice).collect()
    };
    let before = choose(&mut chooser, &aggregates, NOW_MS);
    teach(&mut aggregates, 1, &[("a0", "drama", 1_000, 200), ("a1", "drama", 1_000, 10)]);
    let after = choose(&mut chooser, &aggregates, NOW_MS + 60_000);
    // Windows begin at different times: in a minute of an hour, about a sixtieth of them end.
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert!(changed < 25, "{changed} of 500 pages changed within a minute");
    let later = choose(&mut chooser, &aggregates, NOW_MS + 3_600_000);
    let best = later.iter().filter(|choice| choice.artwork == 0).count();
    assert!(best > 470, "{best} of 500 are shown what was learned to be better");
}

#[test]
fn another_node_and_a_restart_choose_the_same() {
    let aggregates = aggregates(&[("a0", "drama", 100, 9), ("a1", "drama", 100, 5), ("a2", "", 50, 5)]);
    let (title, segment): (_, Arc<str>) = (title(3), "drama".into());
    let (mut one, mut other) = (Chooser::new(settings()), Chooser::new(settings()));
    for member in 0..200 {
        let member = format!("m{member}");
        for later_ms in [0, 1_000] {
            let [a, b] = [&mut one, &mut other]
                .map(|node| node.choose(&aggregates, &title, viewer(&member, &segment), NOW_MS + later_ms));
            assert_eq!(a, b);
        }
    }
}

#[test]
fn members_titles_and_windows_are_drawn_for_independently() {
    let nothing = Aggregates::new(1, AggregateSettings::default());
    let mut chooser = Chooser::new(ArtworkSettings { hold_seconds: 60, ..settings() });
    let other = Title { id: "u".into(), ..title(2) };
    let (mut same_title, mut same_window) = (0, 0);
    for member in 0..2_000 {
        let member = format!("m{member}");
        let viewer = Viewer { member: &member, segment: None, erased_at: None };
        let mut choose = |title: &Title, now_ms| {
            chooser.choose(&nothing, title, viewer, now_ms).expect("artworks").artwork
        };
        let first = choose(&title(2), NOW_MS);
        same_title += usize::from(first == choose(&other, NOW_MS));
        same_window += usize::from(first == choose(&title(2), NOW_MS + 60_000));
    }
    // Half of them, give or take five standard deviations.
    assert!(
        (888..1_112).contains(&same_title) && (888..1_112).contains(&same_window),
        "{same_title} {same_window}"
    );
}

#[test]
fn probabilities_stay_until_what_is_believed_has_moved_and_small_moves_add_up() {
    let mut aggregates = aggregates(&[("a0", "drama", 400, 40), ("a1", "drama", 400, 36)]);
    let settings = ArtworkSettings { refresh_seconds: 1, ..settings() };
    let mut chooser = Chooser::new(settings.clone());
    let (title, segment) = (title(2), Some(Arc::from("drama")));
    let exactly =
        |aggregates: &Aggregates| probabilities(aggregates, &title, "drama", settings.exploration_floor);
    let first = chooser.probabilities(&aggregates, &title, segment.as_ref(), NOW_MS);
    assert_eq!(*first, *exactly(&aggregates));
    let (mut stayed, mut moved, mut before) = (0, 0, first.clone());
    for step in 1..=200 {
        teach(&mut aggregates, step, &[("a0", "drama", 1, 0), ("a1", "drama", 1, u32::from(step % 5 == 0))]);
        let now = chooser.probabilities(&aggregates, &title, segment.as_ref(), NOW_MS + 1_000 * step as i64);
        let exact = exactly(&aggregates);
        assert!(now[0].abs_diff(exact[0]) < 60_000, "{now:?} instead of {exact:?} after {step} impressions");
        if now == before {
            stayed += 1
        } else {
            moved += 1
        }
        before = now;
    }
    assert!(stayed > 20 && moved > 20, "they stayed {stayed} times, and moved {moved} times");
    assert!(before[0] + 300_000 < first[0], "{before:?} after {first:?}");
    // At once means at once.
    let mut exact = Chooser::new(ArtworkSettings { refresh_seconds: 0, ..settings.clone() });
    for step in 201..=220 {
        teach(&mut aggregates, step, &[("a0", "drama", 1, 0)]);
        let now = exact.probabilities(&aggregates, &title, segment.as_ref(), NOW_MS);
        assert_eq!(*now, *exactly(&aggregates));
    }
}
