//! A row in which new titles stand at some places.

use super::explorer::{Explorer, Place, Put};
use crate::ranked::{Ranked, Reason};

/// `ranked` with new titles at the places that `explorer` gives them, but none of those `taken` elsewhere. A new title
/// has the score of the one that would have stood there.
pub(crate) fn explored(
    ranked: Vec<Ranked>,
    explorer: &Explorer<'_>,
    explain: bool,
    taken: impl Fn(&str) -> bool,
) -> Vec<Ranked> {
    let ids: Vec<&str> = ranked.iter().map(|ranked| &*ranked.title).collect();
    let places = explorer.places(&ids, taken);
    let mut ranked: Vec<Option<Ranked>> = ranked.into_iter().map(Some).collect();
    let place = |Place { put, placement }| match put {
        Put::Ranked(at) => ranked[at].take().map(|ranked| Ranked { placement, ..ranked }),
        Put::New { title, affinity, instead_of } => {
            let score = ranked[instead_of].as_ref().map_or(0.0, |ranked| ranked.score);
            let reasons = if explain { vec![Reason::Explored { affinity }] } else { Vec::new() };
            Some(Ranked { title, score, reasons, placement })
        }
    };
    places.into_iter().filter_map(place).collect()
}
