//! The affinity segment of a member: the genre that the recent history leans to.

use nearline_model::aggregates::transitions::NEXT_STEP;
use nearline_model::catalogue::Catalogue;
use nearline_model::identifier::{fingerprint, is_id};
use nearline_model::member::MemberSnapshot;
use std::sync::Arc;

/// Titles back in the history that a member's segment is told from.
const HISTORY_WINDOW: usize = 20;

/// The genre with the most weight in the last titles of the history: 0.85 per step back, and a title's
/// genres count 1, 1/2, 1/3 …, since the catalogue names the most telling first. Titles thumbed down do
/// not count. `None` for a member without history, or whose titles the catalogue does not know.
///
/// The genre is spelled as an id, so that it can stand in an event.
pub fn affinity_segment(catalogue: &Catalogue, member: Option<&MemberSnapshot>) -> Option<Arc<str>> {
    let member = member?;
    let mut weights: Vec<(&str, f64)> = Vec::new();
    let mut step = 1.0;
    for watched in member.history.iter().rev().take(HISTORY_WINDOW) {
        let disliked = member.disliked().any(|title| *title == watched.title);
        if let Some(title) = catalogue.get(&watched.title).filter(|_| !disliked) {
            for (place, genre) in title.genres.iter().enumerate() {
                let weight = step / (place + 1) as f64;
                match weights.iter_mut().find(|(known, _)| known == genre) {
                    Some((_, sum)) => *sum += weight,
                    None => weights.push((genre, weight)),
                }
            }
        }
        step *= NEXT_STEP;
    }
    // Of equal weights the name that comes first, so that the answer depends on state alone.
    let best = weights.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| b.0.cmp(a.0)));
    best.map(|(genre, _)| Arc::from(spelled_as_id(genre)))
}

/// `genre` if it is an id; else with its other characters replaced and a fingerprint that keeps it apart.
fn spelled_as_id(genre: &str) -> String {
    if is_id(genre) {
        return genre.to_owned();
    }
    let readable: String =
        genre.chars().take(48).map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    format!("{readable}-{:08x}", fingerprint(genre) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_model::Position;
    use nearline_model::catalogue::Title;
    use nearline_model::member::{Member, Watched};
    use nearline_model::symbols::Symbols;

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (id, genres) in [
            ("heat", vec!["crime", "drama"]),
            ("ran", vec!["drama"]),
            ("alien", vec!["Sci-Fi & Horror"]),
            ("up", vec![]),
        ] {
            let genres = genres.into_iter().map(str::to_owned).collect();
            catalogue.put(Title { id: id.into(), genres, ..Title::default() });
        }
        catalogue
    }

    fn segment(history: &[&str], disliked: &[&str]) -> Option<Arc<str>> {
        let mut symbols = Symbols::new(100);
        let mut member = Member::default();
        for title in history {
            let title = symbols.intern(title).expect("room");
            member.history.push(Watched { title, ..Watched::default() });
        }
        let mut snapshot =
            MemberSnapshot::new("m", Position::START, &member, |symbol| symbols.text(symbol).clone(), false);
        for title in disliked {
            let title = Arc::from(*title);
            snapshot.opinions.push(nearline_model::member::snapshot::TitleOpinion {
                title,
                thumb: Some(-1),
                rating: None,
            });
        }
        affinity_segment(&catalogue(), Some(&snapshot))
    }

    #[test]
    fn it_is_the_genre_that_recent_titles_lean_to() {
        assert_eq!(segment(&["heat"], &[]).as_deref(), Some("crime"));
        assert_eq!(segment(&["heat", "ran"], &[]).as_deref(), Some("drama"));
        assert_eq!(segment(&["heat", "ran"], &["ran"]).as_deref(), Some("crime"));
    }

    #[test]
    fn a_genre_that_is_no_id_is_spelled_as_one() {
        let segment = segment(&["alien"], &[]).expect("a genre");
        assert!(is_id(&segment) && segment.starts_with("Sci-Fi---Horror-"), "{segment}");
        assert!(is_id(&spelled_as_id(&"映画".repeat(21))));
    }

    #[test]
    fn nothing_known_is_no_segment() {
        for history in [&[][..], &["up"], &["not-in-the-catalogue"]] {
            assert_eq!(segment(history, &[]), None);
        }
        assert_eq!(affinity_segment(&catalogue(), None), None);
    }
}
