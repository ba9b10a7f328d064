//! Stored form of what was chosen. It holds weights as values, not as places in what may be chosen, so that those may change
//! from version to version: what is read becomes the nearest that there is. Groups of members and bands of ranks and closeness are
//! held in their order, without their bounds: other bounds need another [`VERSION`].

use super::{
    BEGINNINGS, Choice, DAMPINGS, DIRECT_SHARES, GROUPS, GroupTuning, OPENINGS, POPULARITIES,
    REGULARISATIONS, Returning, STEPS, TASTES, TRENDS, Tuning, WEIGHTS, Weights,
};
use crate::associations::Weighing;
use nearline_model::versioned::{self, DecodeError};
use serde::{Deserialize, Serialize};

/// Version of the stored form.
const VERSION: u8 = 1;
const WHAT: &str = "what was chosen for the ranking";

#[derive(Serialize, Deserialize)]
struct Stored {
    weighing: Weighing,
    /// By group, also where nothing was chosen.
    weights: [Weights; GROUPS.len()],
    /// By group; none if nothing was chosen.
    evidence: Vec<Evidence>,
    returning: Option<Returning>,
    plays: u64,
}

#[derive(Serialize, Deserialize)]
struct Evidence {
    probes: usize,
    gain: f64,
    gain_of_defaults: f64,
}

impl Tuning {
    /// Stored form.
    pub fn encode(&self) -> Vec<u8> {
        let evidence = |group: &GroupTuning| Evidence {
            probes: group.probes,
            gain: group.gain,
            gain_of_defaults: group.gain_of_defaults,
        };
        let stored = Stored {
            weighing: self.weighing,
            weights: self.choices.map(Choice::values),
            evidence: self.groups.iter().map(evidence).collect(),
            returning: self.returning.clone(),
            plays: self.plays,
        };
        versioned::encode(VERSION, &stored)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// It is of a newer program, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let damaged = |detail: &str| DecodeError::Damaged { what: WHAT, detail: detail.to_owned() };
        let (_version, rest) = versioned::split(WHAT, VERSION, bytes)?;
        let Stored { weighing, weights, evidence, returning, plays } = versioned::decode(WHAT, rest)?;
        let of_groups = weights.iter().flat_map(|weights| weights.all());
        let of_evidence = evidence.iter().flat_map(|group| [group.gain, group.gain_of_defaults]);
        let mut numbers =
            of_groups.chain(of_evidence).chain([weighing.regularisation, weighing.direct_share]);
        if !numbers.all(f64::is_finite) || !returning.as_ref().is_none_or(Returning::is_sound) {
            return Err(damaged("a number is none that could have been chosen"));
        }
        if !evidence.is_empty() && evidence.len() != GROUPS.len() {
            return Err(damaged("it is of other groups of members"));
        }
        let places = (
            nearest(&REGULARISATIONS, weighing.regularisation),
            nearest(&DIRECT_SHARES, weighing.direct_share),
        );
        let choices = weights.map(Choice::nearest);
        let groups = GROUPS.iter().zip(evidence).zip(&choices).map(|((from_plays, evidence), choice)| {
            let Evidence { probes, gain, gain_of_defaults } = evidence;
            GroupTuning { from_plays: *from_plays, probes, gain, gain_of_defaults, weights: choice.values() }
        });
        let groups = groups.collect();
        let weighing =
            Weighing { regularisation: REGULARISATIONS[places.0], direct_share: DIRECT_SHARES[places.1] };
        Ok(Self { weighing, groups, returning, places, choices, plays })
    }
}

impl Weights {
    fn all(&self) -> [f64; WEIGHTS] {
        let Self { step, damping, popularity, trend, opening, beginning, taste } = *self;
        [step, damping, popularity, trend, opening, beginning, taste]
    }
}

impl Choice {
    /// The places of what comes nearest to these weights.
    fn nearest(weights: Weights) -> Self {
        Self {
            step: nearest(&STEPS, weights.step),
            damping: nearest(&DAMPINGS, weights.damping),
            popularity: nearest(&POPULARITIES, weights.popularity),
            trend: nearest(&TRENDS, weights.trend),
            opening: nearest(&OPENINGS, weights.opening),
            beginning: nearest(&BEGINNINGS, weights.beginning),
            taste: nearest(&TASTES, weights.taste),
        }
    }
}

fn nearest(values: &[f64], value: f64) -> usize {
    let distance = |at: &usize| (values[*at] - value).abs();
    (0..values.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::DEFAULT_CHOICE;
    use super::*;
    use crate::tuning::returning::ReturnEvidence;

    fn chosen() -> Tuning {
        let choices: [Choice; GROUPS.len()] = std::array::from_fn(|group| Choice {
            step: group,
            damping: 6,
            popularity: group + 3,
            trend: 8 - group,
            opening: 4,
            beginning: 5,
            taste: group,
        });
        let group = |(from_plays, choice): (&usize, &Choice)| GroupTuning {
            from_plays: *from_plays,
            probes: 300 + from_plays,
            gain: 0.1 + 0.2,
            gain_of_defaults: 1.0 / 3.0,
            weights: choice.values(),
        };
        let mut evidence = ReturnEvidence::default();
        (0..50).for_each(|rank| evidence.placed(3, Some(rank + 1)));
        evidence.exposed(0.7, 1.0, 0.3, true);
        Tuning {
            weighing: Weighing { regularisation: REGULARISATIONS[3], direct_share: DIRECT_SHARES[2] },
            groups: GROUPS.iter().zip(&choices).map(group).collect(),
            returning: Some(evidence.learned()),
            places: (3, 2),
            choices,
            plays: 123_456_789_012,
        }
    }

    #[test]
    fn what_was_chosen_is_read_as_it_was_stored() {
        for tuning in [Tuning::default(), chosen(), Tuning { returning: None, ..chosen() }] {
            assert_eq!(Tuning::decode(&tuning.encode()), Ok(tuning));
        }
    }

    /// `NEARLINE_WRITE_GOLDEN=1` writes the file if it is not there; it is read for good.
    #[test]
    fn what_earlier_versions_stored_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tuning-v1.bin");
        if std::env::var_os("NEARLINE_WRITE_GOLDEN").is_some() && !std::fs::exists(path).is_ok_and(|is| is) {
            std::fs::write(path, chosen().encode()).expect("golden files are written in a checkout");
        }
        assert_eq!(Tuning::decode(&std::fs::read(path).expect("it is there")), Ok(chosen()));
    }

    #[test]
    fn values_that_may_no_longer_be_chosen_become_the_nearest() {
        let mut weights = [DEFAULT_CHOICE.values(); GROUPS.len()];
        (weights[1].step, weights[2].taste) = (0.55, 7.0);
        let weighing = Weighing { regularisation: 60.0, direct_share: -1.0 };
        let stored = Stored { weighing, weights, evidence: Vec::new(), returning: None, plays: 5 };
        let read = Tuning::decode(&versioned::encode(VERSION, &stored)).expect("read");
        assert_eq!(read.weighing, Weighing { regularisation: 80.0, direct_share: 0.0 });
        assert_eq!((read.places, read.choices[1].step, read.choices[2].taste), ((2, 0), 1, TASTES.len() - 1));
    }

    #[test]
    fn what_is_no_choice_is_refused() {
        let whole = chosen().encode();
        for end in 0..whole.len() {
            assert!(Tuning::decode(&whole[..end]).is_err(), "cut at {end}");
        }
        let newer = [&[VERSION + 1], &whole[1..]].concat();
        assert!(matches!(Tuning::decode(&newer), Err(DecodeError::UnknownVersion { version: 2, .. })));
        let other = Tuning { groups: chosen().groups[..2].to_vec(), ..chosen() };
        assert!(matches!(Tuning::decode(&other.encode()), Err(DecodeError::Damaged { .. })), "other groups");
        for number in [1.0_f64, 1.0 / 3.0, STEPS[3], REGULARISATIONS[3]] {
            let at = whole.windows(8).rposition(|bytes| bytes == number.to_le_bytes()).expect("it is there");
            let unsound = [&whole[..at], &f64::NAN.to_le_bytes(), &whole[at + 8..]].concat();
            assert!(matches!(Tuning::decode(&unsound), Err(DecodeError::Damaged { .. })), "no {number}");
        }
    }
}
