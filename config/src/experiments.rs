//! `[[experiments]]`: variants of the ranking, written as what differs from `[ranking]`.

use nearline_ranking::experiment::{Experiment, Experiments, InvalidExperiment, Variant};
use nearline_ranking::settings::RankingSettings;
use serde::{Deserialize, Serialize};
use toml::Table;

/// An experiment as it is configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentSection {
    /// Name, `[a-z0-9_]{1,16}`.
    pub name: String,
    /// Text that the allocation is hashed with: another one deals the members anew.
    pub salt: String,
    /// Share of all members that take part, 0 to 1.
    #[serde(default = "everybody")]
    pub share: f64,
    /// Variants; the first is the control that the others are compared with.
    pub variants: Vec<VariantSection>,
}

/// A variant as it is configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantSection {
    /// Name, `[a-z0-9_]{1,16}`.
    pub name: String,
    /// Weight among the variants: members are dealt in proportion.
    pub weight: u32,
    /// Settings of the ranking that differ from `[ranking]`.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub ranking: Table,
}

fn everybody() -> f64 {
    1.0
}

/// The experiments that `sections` describe, with each variant's settings over `base`.
///
/// # Errors
/// The first key that cannot be.
pub(crate) fn experiments(
    sections: &[ExperimentSection],
    base: &RankingSettings,
) -> Result<Experiments, InvalidExperiment> {
    let mut experiments = Vec::with_capacity(sections.len());
    for (at, section) in sections.iter().enumerate() {
        let mut variants = Vec::with_capacity(section.variants.len());
        for (number, variant) in section.variants.iter().enumerate() {
            let key = format!("experiments[{at}].variants[{number}].ranking");
            let settings = merged(base, &variant.ranking).map_err(|found| {
                let expected = "keys of [ranking]".to_owned();
                InvalidExperiment { key: key.clone(), found, expected }
            })?;
            if let Some((setting, value, least, most)) = settings.out_of_bounds() {
                return Err(InvalidExperiment {
                    key: format!("{key}.{setting}"),
                    found: value.to_string(),
                    expected: format!("a number from {least} to {most}"),
                });
            }
            variants.push(Variant { name: variant.name.clone(), weight: variant.weight, settings });
        }
        let ExperimentSection { name, salt, share, .. } = section;
        experiments.push(Experiment { name: name.clone(), salt: salt.clone(), share: *share, variants });
    }
    Experiments::new(experiments)
}

/// `base` with the keys of `overrides`.
fn merged<T: Serialize + serde::de::DeserializeOwned>(base: &T, overrides: &Table) -> Result<T, String> {
    let mut table = Table::try_from(base).map_err(|error| error.to_string())?;
    for (key, value) in overrides {
        let Some(known) = table.get(key) else {
            let known: Vec<&str> = table.keys().map(String::as_str).collect();
            return Err(format!("the unknown key {key:?} (known are {})", known.join(", ")));
        };
        // Whole numbers are taken for fractions.
        let value = match (known, value) {
            (toml::Value::Float(_), toml::Value::Integer(whole)) => toml::Value::Float(*whole as f64),
            _ => value.clone(),
        };
        table.insert(key.clone(), value);
    }
    table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_with_an_unknown_key_is_refused_by_its_name() {
        let text = "name = 'rows'\nsalt = 's'\n[[variants]]\nname = 'a'\nweight = 1\n\
                    [[variants]]\nname = 'b'\nweight = 1\nranking = { spice = 1 }\n";
        let section: ExperimentSection = toml::from_str(text).expect("TOML");
        let unknown = experiments(&[section], &RankingSettings::default()).expect_err("refused");
        assert_eq!(unknown.key, "experiments[0].variants[1].ranking");
        assert!(unknown.found.contains("spice"), "{unknown}");
    }

    #[test]
    fn a_variant_with_a_setting_out_of_bounds_is_refused_by_its_key() {
        for (setting, value) in [
            ("freshness", "inf"),
            ("diversity", "nan"),
            ("exploration", "0.95"),
            ("popularity_weight", "-1"),
            ("damping_plays", "-5"),
            ("step_weight", "3.0"),
        ] {
            let text = format!(
                "name = 'rows'\nsalt = 's'\n[[variants]]\nname = 'a'\nweight = 1\n\
                 [[variants]]\nname = 'b'\nweight = 1\nranking = {{ {setting} = {value} }}\n"
            );
            let section: ExperimentSection = toml::from_str(&text).expect("TOML");
            let impossible = experiments(&[section], &RankingSettings::default()).expect_err("refused");
            assert_eq!(impossible.key, format!("experiments[0].variants[1].ranking.{setting}"));
            assert!(impossible.expected.starts_with("a number from"), "{impossible}");
        }
    }

    #[test]
    fn a_variant_overrides_the_keys_it_names_and_no_others() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Settings {
            spice: f64,
            salt: u32,
        }
        let base = Settings { spice: 0.5, salt: 3 };
        let overrides: Table = toml::from_str("spice = 1").expect("TOML");
        assert_eq!(merged(&base, &overrides), Ok(Settings { spice: 1.0, salt: 3 }));
        let wrong: Table = toml::from_str("salt = 'much'").expect("TOML");
        assert!(merged(&base, &wrong).is_err());
    }
}
