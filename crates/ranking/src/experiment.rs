//! Experiments: variants of the ranking that members are allocated to, and how they do.
//!
//! Every member is in one experiment at most, and in one variant of it: both follow from hashes of the
//! member, so that they hold across restarts and nodes without being stored anywhere. Where weights or
//! variants change, nobody moves between variants that stay as they are: variants draw members as nodes draw
//! partitions, by weighted rendezvous (Schindelhauer and Schomaker 2005: "Weighted Distributed Hash Tables"),
//! so a variant that is new or heavier only takes, of any other, and one that goes or is lighter only gives, to any other.
//!
//! A recommendation made under an experiment has an id that ends in `-x-EXPERIMENT-VARIANT-DEFINITION`;
//! impressions and plays carry it back as `request`, which is how a variant's take rate is counted. The
//! definition is a fingerprint of all that decides who is in which variant and what that is: what was counted
//! under another one is not added to it, although the experiment has the same name.

mod results;

pub use results::{ExperimentResults, SampleRatio, VariantResults};

use crate::settings::RankingSettings;
use xxhash_rust::xxh3::xxh3_64;

/// Longest name of an experiment or a variant.
const MAX_NAME_BYTES: usize = 16;
/// What separates the random part of a recommendation id from the experiment.
const MARK: &str = "-x-";

/// An experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Name, `[a-z0-9_]{1,16}`.
    pub name: String,
    /// Text that the allocation is hashed with: another one deals the members anew.
    pub salt: String,
    /// Share of all members that take part, 0 to 1.
    pub share: f64,
    /// Variants; the first is the control that the others are compared with.
    pub variants: Vec<Variant>,
}

/// A variant of the ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Name, `[a-z0-9_]{1,16}`.
    pub name: String,
    /// Weight among the variants: members are dealt in proportion.
    pub weight: u32,
    /// The ranking's settings in this variant.
    pub settings: RankingSettings,
}

/// Why experiments were refused: the key, what was found, what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is {found}; expected {expected}")]
pub struct InvalidExperiment {
    /// The key's full name.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What is expected.
    pub expected: String,
}

/// Experiments that are checked.
#[derive(Debug, Clone, Default)]
pub struct Experiments {
    running: Vec<Experiment>,
    /// What each is defined as, in short.
    definitions: Vec<String>,
}

/// Where a member was dealt to.
#[derive(Debug, Clone, Copy)]
pub struct Allocation<'a> {
    /// The experiment.
    pub experiment: &'a str,
    /// The variant.
    pub variant: &'a str,
    /// What the experiment is defined as, in short: six hexadecimal digits.
    pub definition: &'a str,
    settings: &'a RankingSettings,
    /// The variant's number.
    pub number: usize,
}

impl Experiments {
    /// Checks `experiments`.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn new(experiments: Vec<Experiment>) -> Result<Self, InvalidExperiment> {
        let shares: f64 = experiments.iter().map(|experiment| experiment.share).sum();
        for (at, experiment) in experiments.iter().enumerate() {
            let key = |key: &str| format!("experiments[{at}].{key}");
            check_name(&key("name"), &experiment.name)?;
            if experiments[..at].iter().any(|before| before.name == experiment.name) {
                return Err(invalid(key("name"), &experiment.name, "a name of its own"));
            }
            if experiment.salt.is_empty() {
                return Err(invalid(key("salt"), "empty", "a text, such as the date of the start"));
            }
            if !(experiment.share > 0.0 && experiment.share <= 1.0) {
                return Err(invalid(key("share"), experiment.share, "more than 0, up to 1"));
            }
            if experiment.variants.len() < 2 || experiment.variants.len() > 16 {
                let found = format!("{} variants", experiment.variants.len());
                return Err(invalid(key("variants"), found, "2 to 16, the control first"));
            }
            for (number, variant) in experiment.variants.iter().enumerate() {
                let key = |name: &str| key(&format!("variants[{number}].{name}"));
                check_name(&key("name"), &variant.name)?;
                if experiment.variants[..number].iter().any(|before| before.name == variant.name) {
                    return Err(invalid(key("name"), &variant.name, "a name of its own"));
                }
                if variant.weight == 0 {
                    return Err(invalid(key("weight"), 0, "1 or more; leave the variant out to end it"));
                }
            }
        }
        if shares > 1.0 + 1e-9 {
            let expected = "shares that add up to 1 at most: every member is in one experiment at most";
            return Err(invalid("experiments".to_owned(), format!("{shares} in all"), expected));
        }
        let mut from = 0.0;
        let definitions = experiments.iter().map(|experiment| {
            let definition = definition(experiment, from);
            from += experiment.share;
            definition
        });
        Ok(Self { definitions: definitions.collect(), running: experiments })
    }

    /// All experiments, as configured.
    pub fn all(&self) -> &[Experiment] {
        &self.running
    }

    /// The experiment of this name.
    pub fn get(&self, name: &str) -> Option<&Experiment> {
        self.running.iter().find(|running| running.name == name)
    }

    /// What the experiment of this name is defined as, in short: another one where its salt, its members, its
    /// variants, their weights or their settings are others.
    pub fn definition(&self, name: &str) -> Option<&str> {
        let at = self.running.iter().position(|running| running.name == name)?;
        Some(&self.definitions[at])
    }

    /// Where `member` is dealt to. Experiments take their shares of the members one after the other, so
    /// that a new one at the end of the list moves nobody. One that grows, shrinks or goes moves the members
    /// of those behind it, whose definitions change with it.
    pub fn allocate(&self, member: &str) -> Option<Allocation<'_>> {
        if self.running.is_empty() {
            return None;
        }
        let mut point = unit("nearline-experiments", member);
        for (running, definition) in self.running.iter().zip(&self.definitions) {
            if point < running.share {
                return Some(running.allocate(member, definition));
            }
            point -= running.share;
        }
        None
    }
}

impl Experiment {
    fn allocate<'a>(&'a self, member: &str, definition: &'a str) -> Allocation<'a> {
        let variants = &self.variants;
        // Each variant draws an exponential waiting time of its weight for the member; the first to be there has it.
        let wait = |variant: &Variant| {
            let point = unit(&format!("{}/{}", self.salt, variant.name), member);
            -(1.0 - point).ln() / f64::from(variant.weight)
        };
        let waits = variants.iter().map(wait).enumerate();
        let number = waits.min_by(|one, other| one.1.total_cmp(&other.1)).map_or(0, |(number, _)| number);
        Allocation {
            definition,
            experiment: &self.name,
            variant: &variants[number].name,
            settings: &variants[number].settings,
            number,
        }
    }
}

impl<'a> Allocation<'a> {
    /// The ranking's settings in that variant.
    pub fn settings(&self) -> &'a RankingSettings {
        self.settings
    }
}

/// A recommendation id from random bits. Under an experiment it says which: at most 20 + 3 + 16 + 1 + 16 + 1 + 6
/// bytes.
pub fn recommendation_id(allocation: Option<&Allocation<'_>>, random: u128) -> String {
    match allocation {
        None => format!("{random:032x}"),
        Some(Allocation { experiment, variant, definition, .. }) => {
            format!("{:020x}{MARK}{experiment}-{variant}-{definition}", random >> 48)
        }
    }
}

/// A fingerprint of an experiment whose members begin at the point `from`.
fn definition(experiment: &Experiment, from: f64) -> String {
    let Experiment { name, salt, share, variants } = experiment;
    let mut text = format!("{name}/{salt}/{from}/{share}");
    for Variant { name, weight, settings } in variants {
        text.push_str(&format!("/{name}/{weight}/{settings:?}"));
    }
    format!("{:06x}", xxh3_64(text.as_bytes()) >> 40)
}

/// The point in 0 to 1, itself left out, that a member is hashed to.
fn unit(salt: &str, member: &str) -> f64 {
    let hash = xxh3_64(format!("{salt}/{member}").as_bytes());
    // The upper 53 bits: every one of these fractions is a double of its own.
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

fn check_name(key: &str, name: &str) -> Result<(), InvalidExperiment> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(known) {
        return Ok(());
    }
    Err(invalid(key.to_owned(), format!("{name:?}"), "1 to 16 characters of a-z, 0-9 and _"))
}

fn invalid(key: String, found: impl ToString, expected: &str) -> InvalidExperiment {
    InvalidExperiment { key, found: found.to_string(), expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics;
    use nearline_model::identifier::is_id;

    fn experiment(name: &str, share: f64, weights: &[u32]) -> Experiment {
        let variant = |(at, weight): (usize, &u32)| Variant {
            name: format!("v{at}"),
            weight: *weight,
            settings: RankingSettings::default(),
        };
        Experiment {
            name: name.to_owned(),
            salt: format!("{name}-2026"),
            share,
            variants: weights.iter().enumerate().map(variant).collect(),
        }
    }

    fn running(experiments: &[Experiment]) -> Experiments {
        Experiments::new(experiments.to_vec()).expect("valid")
    }

    #[test]
    fn members_are_dealt_in_proportion_and_stay_where_they_are() {
        let weights = [1_u32, 3, 6];
        let experiments = running(&[experiment("rows", 1.0, &weights)]);
        let mut counts = [0_u64; 3];
        for member in 0..20_000 {
            let member = format!("member-{member}");
            let first = experiments.allocate(&member).expect("everybody takes part");
            assert_eq!(first.variant, experiments.allocate(&member).expect("again").variant);
            counts[first.number] += 1;
        }
        let expected: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
        let test = statistics::chi_square(&counts, &expected).expect("counted");
        assert!(test.p_value > 1e-3, "{counts:?}: {test:?}");
    }

    #[test]
    fn variants_of_one_experiment_say_nothing_about_those_of_another_salt() {
        let mut other = experiment("rows", 1.0, &[1, 1]);
        other.salt = "another".to_owned();
        let (one, other) = (running(&[experiment("rows", 1.0, &[1, 1])]), running(&[other]));
        let mut counts = [0_u64; 4];
        for member in 0..8_000 {
            let member = format!("member-{member}");
            let number = |experiments: &Experiments| experiments.allocate(&member).expect("dealt").number;
            counts[number(&one) * 2 + number(&other)] += 1;
        }
        let test = statistics::chi_square(&counts, &[1.0; 4]).expect("counted");
        assert!(test.p_value > 1e-3, "{counts:?}: {test:?}");
    }

    #[test]
    fn where_weights_or_variants_change_members_only_move_to_who_gains_and_from_who_loses() {
        let dealt = |experiment: &Experiment| -> Vec<String> {
            let experiments = running(std::slice::from_ref(experiment));
            let variant =
                |member| experiments.allocate(&format!("m{member}")).expect("dealt").variant.to_owned();
            (0..6_000).map(variant).collect()
        };
        let before = experiment("rows", 1.0, &[1, 1]);
        let moves = |after: &Experiment| -> Vec<(String, String)> {
            let moved = dealt(&before).into_iter().zip(dealt(after));
            moved.filter(|(from, to)| from != to).collect()
        };
        let near = |found: usize, expected: usize| found.abs_diff(expected) < expected / 5;
        let heavier = moves(&experiment("rows", 1.0, &[1, 3]));
        assert!(heavier.iter().all(|(from, to)| from == "v0" && to == "v1"));
        assert!(near(heavier.len(), 1_500), "from a half to three quarters: {}", heavier.len());
        let added = moves(&experiment("rows", 1.0, &[1, 1, 1]));
        assert!(added.iter().all(|(_, to)| to == "v2"));
        assert!(near(added.len(), 2_000), "a third: {}", added.len());
        let mut gone = experiment("rows", 1.0, &[1, 1, 1]);
        gone.variants.remove(0);
        let stayed = dealt(&experiment("rows", 1.0, &[1, 1, 1])).into_iter().zip(dealt(&gone));
        assert!(stayed.into_iter().all(|(from, to)| from == to || from == "v0"));
        let mut reordered = before.clone();
        reordered.variants.reverse();
        assert!(moves(&reordered).is_empty(), "their order is no matter");
    }

    #[test]
    fn what_changes_who_is_where_or_what_it_is_is_another_definition() {
        let first = || experiment("first", 0.3, &[1, 1]);
        let second = || experiment("second", 0.5, &[1, 1]);
        let of = |experiments: &[Experiment], name: &str| {
            running(experiments).definition(name).map(str::to_owned).expect("running")
        };
        let before = of(&[first(), second()], "second");
        assert_eq!(before, of(&[first(), second(), experiment("third", 0.1, &[1, 1])], "second"));
        let mut changed = [second(), second(), second(), second(), second()];
        changed[0].salt = "another".to_owned();
        changed[1].share = 0.4;
        changed[2].variants[0].weight = 2;
        changed[3].variants[1].settings.diversity = 0.3;
        changed[4].variants.truncate(1);
        changed[4].variants.push(Variant { name: "other".to_owned(), ..second().variants[0].clone() });
        for changed in changed {
            assert_ne!(before, of(&[first(), changed], "second"));
        }
        assert_ne!(before, of(&[second()], "second"), "its members are others without the one before it");
        let experiments = running(&[experiment("abcdefghijklmnop", 1.0, &[1, 1])]);
        let allocation = experiments.allocate("ana").expect("dealt");
        let id = recommendation_id(Some(&allocation), u128::MAX);
        assert!(is_id(&id), "{id}");
        let counted = format!("abcdefghijklmnop-{}-{}", allocation.variant, allocation.definition);
        assert_eq!(nearline_model::delta::variant_of(&id), counted);
    }

    #[test]
    fn an_experiment_added_at_the_end_moves_nobody() {
        let first = experiment("first", 0.3, &[1, 1]);
        let (before, after) =
            (running(std::slice::from_ref(&first)), running(&[first, experiment("second", 0.5, &[1, 1])]));
        let mut taking_part = [0_u64; 3];
        for member in 0..10_000 {
            let member = format!("member-{member}");
            let now = after.allocate(&member);
            if let Some(allocation) = before.allocate(&member) {
                let now = now.as_ref().expect("still");
                assert_eq!((allocation.experiment, allocation.variant), (now.experiment, now.variant));
            }
            taking_part[now.map_or(2, |now| usize::from(now.experiment == "second"))] += 1;
        }
        let test = statistics::chi_square(&taking_part, &[0.3, 0.5, 0.2]).expect("counted");
        assert!(test.p_value > 1e-3, "{taking_part:?}: {test:?}");
    }

    #[test]
    fn recommendation_ids_name_the_variant_and_stay_ids() {
        let mut longest = experiment("abcdefghijklmnop", 1.0, &[1, 1]);
        for (at, variant) in longest.variants.iter_mut().enumerate() {
            variant.name = format!("variant_of_16_b{at}");
        }
        let experiments = running(&[longest]);
        let allocation = experiments.allocate("ana").expect("dealt");
        let id = recommendation_id(Some(&allocation), u128::MAX);
        assert!(is_id(&id), "{id}");
        let ending = format!("-x-abcdefghijklmnop-{}-{}", allocation.variant, allocation.definition);
        assert!(id.ends_with(&ending), "{id}");
        assert_eq!(recommendation_id(None, 7).len(), 32);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_key() {
        let refused = |change: fn(&mut Experiment)| {
            let mut experiment = experiment("rows", 1.0, &[1, 1]);
            change(&mut experiment);
            Experiments::new(vec![experiment]).expect_err("refused")
        };
        assert_eq!(refused(|e| e.name = "Rows".into()).key, "experiments[0].name");
        assert_eq!(refused(|e| e.salt.clear()).key, "experiments[0].salt");
        assert_eq!(refused(|e| e.share = 0.0).key, "experiments[0].share");
        assert_eq!(refused(|e| e.variants.truncate(1)).key, "experiments[0].variants");
        assert_eq!(refused(|e| e.variants[1].name = "v0".into()).key, "experiments[0].variants[1].name");
        assert_eq!(refused(|e| e.variants[1].weight = 0).key, "experiments[0].variants[1].weight");
        let both = [experiment("one", 0.6, &[1, 1]), experiment("two", 0.6, &[1, 1])];
        let refused = Experiments::new(both.to_vec()).expect_err("1.2 in all");
        assert_eq!(refused.key, "experiments");
    }
}
