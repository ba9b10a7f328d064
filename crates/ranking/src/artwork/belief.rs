//! What is believed about the rate at which each artwork of a title is taken, by a segment.
//!
//! Evidence is pooled from the general to the particular, each level the prior of the next with a
//! limited weight in pseudo-impressions (empirical Bayes with fixed prior strengths; Efron and Morris,
//! *Scientific American* 236, 1977): all artworks → the title → the artwork with other segments → the
//! artwork with this segment. So a new segment starts with what others taught, and a few hundred
//! impressions of its own outweigh it. Members of no segment get the evidence of all members alike.

use super::best_arm::Beta;
use nearline_model::aggregates::arms::{ArtworkTally, Tally};

/// Rate assumed of all artworks before anything is known, and its weight.
const FIRST_RATE: f64 = 0.05;
const FIRST_WEIGHT: f64 = 20.0;
/// Weight of the rate of all artworks in that of a title.
const TITLE_WEIGHT: f64 = 20.0;
/// Weight of the title's rate in that of an artwork.
const ARTWORK_WEIGHT: f64 = 10.0;
/// Most weight that the evidence of other segments has in a segment.
pub const TRANSFER_WEIGHT: f64 = 100.0;

/// Beliefs about the artworks of one title, for members of a segment (`is_segment`) or of none.
pub fn beliefs(overall: Tally, artworks: &[ArtworkTally], is_segment: bool) -> Vec<Beta> {
    let title = artworks.iter().flat_map(|artwork| [artwork.segment, artwork.others]);
    let title = title.fold(Tally::default(), plus);
    let overall_rate = rate(overall, FIRST_RATE, FIRST_WEIGHT);
    let title_rate = rate(title, overall_rate, TITLE_WEIGHT);
    let belief = |artwork: &ArtworkTally| {
        let prior = beta(title_rate, ARTWORK_WEIGHT);
        if !is_segment {
            return after(prior, plus(artwork.segment, artwork.others));
        }
        let general = after(prior, artwork.others);
        let weight = (general.a + general.b).min(TRANSFER_WEIGHT);
        after(beta(general.mean(), weight), artwork.segment)
    };
    artworks.iter().map(belief).collect()
}

fn plus(one: Tally, two: Tally) -> Tally {
    Tally { shown: one.shown + two.shown, taken: one.taken + two.taken }
}

/// Rate of `tally`, drawn towards `prior` with a weight in impressions.
fn rate(tally: Tally, prior: f64, weight: f64) -> f64 {
    (tally.taken + prior * weight) / (tally.shown + weight)
}

fn beta(rate: f64, weight: f64) -> Beta {
    // A rate of 1 would leave no belief in the opposite.
    let rate = rate.clamp(1e-6, 1.0 - 1e-6);
    Beta { a: rate * weight, b: (1.0 - rate) * weight }
}

fn after(prior: Beta, evidence: Tally) -> Beta {
    Beta { a: prior.a + evidence.taken, b: prior.b + (evidence.shown - evidence.taken).max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(shown: f64, taken: f64) -> Tally {
        Tally { shown, taken }
    }

    #[test]
    fn nothing_known_is_the_same_belief_for_all() {
        let beliefs = beliefs(Tally::default(), &[ArtworkTally::default(); 3], true);
        assert!(beliefs.iter().all(|belief| *belief == beliefs[0]));
        assert!((beliefs[0].mean() - FIRST_RATE).abs() < 1e-12);
    }

    #[test]
    fn a_segment_starts_with_what_others_taught_and_outgrows_it() {
        let others = tally(10_000.0, 1_000.0);
        let new = ArtworkTally { segment: Tally::default(), others };
        let old = ArtworkTally { segment: tally(2_000.0, 40.0), others };
        let beliefs = beliefs(others, &[new, old], true);
        assert!((beliefs[0].mean() - 0.1).abs() < 0.001, "{:?}", beliefs[0]);
        assert!((beliefs[0].a + beliefs[0].b - TRANSFER_WEIGHT).abs() < 1e-9);
        assert!((beliefs[1].mean() - 0.02).abs() < 0.005, "{:?}", beliefs[1]);
    }

    #[test]
    fn a_member_of_no_segment_gets_all_evidence() {
        let one = ArtworkTally { segment: tally(100.0, 10.0), others: tally(900.0, 90.0) };
        let beliefs = beliefs(tally(1_000.0, 100.0), &[one], false);
        assert!((beliefs[0].a + beliefs[0].b - 1_000.0 - ARTWORK_WEIGHT).abs() < 1e-9);
    }

    #[test]
    fn evidence_beyond_reason_still_gives_a_belief() {
        let one = ArtworkTally { segment: tally(10.0, 10.0), others: tally(1e9, 1e9) };
        for belief in beliefs(tally(1e9, 1e9), &[one], true) {
            assert!(belief.a > 0.0 && belief.b > 0.0, "{belief:?}");
        }
    }
}
