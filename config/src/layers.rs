//! Layers of configuration, and which of them set a key.

use super::{Config, ConfigError, SecretUrl};
use std::collections::HashMap;
use toml::{Table, Value};

/// Start of the names of environment variables that are read.
const PREFIX: &str = "NEARLINE__";
/// Keys whose values may hold a password.
const SECRET_KEYS: [&str; 2] = ["nats.url", "redis.url"];

/// The key that is a list of tables and no section.
const EXPERIMENTS: &str = "experiments";

/// Where each key that is no default was set.
#[derive(Debug, Default)]
pub struct Origins(HashMap<String, String>);

impl Origins {
    /// Where `key` was set.
    pub fn of(&self, key: &str) -> String {
        self.0.get(key).cloned().unwrap_or_else(|| "the defaults".to_owned())
    }
}

/// The configuration as far as it is put together.
pub struct Layers {
    table: Table,
    config: Config,
    origins: Origins,
}

impl Layers {
    /// The defaults alone.
    pub fn new() -> Self {
        let config = Config::default();
        let table = Table::try_from(&config).expect("the defaults are plain tables of scalars");
        Self { table, config, origins: Origins::default() }
    }

    /// Overlays the sections of a file.
    pub fn overlay_file(&mut self, path: &str, text: &str) -> Result<(), ConfigError> {
        let malformed = |detail: String| ConfigError::Malformed { path: path.to_owned(), detail };
        let file: Table = toml::from_str(text).map_err(|error: toml::de::Error| {
            // The error's own text quotes the line, which may hold a password.
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            malformed(format!("line {line}: {}", error.message()))
        })?;
        for (section, values) in file {
            if section == EXPERIMENTS {
                self.set_experiments(values, path)?;
                continue;
            }
            self.expect_section(&section, path)?;
            let Value::Table(values) = values else {
                return Err(impossible(&section, &values, path, &format!("a section, written [{section}]")));
            };
            for (key, value) in values {
                self.set(&section, &key, value, path)?;
            }
        }
        Ok(())
    }

    /// Overlays variables named `NEARLINE__SECTION__KEY`, in the order of their names.
    pub fn overlay_environment(
        &mut self,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        let mut variables: Vec<_> = environment.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        for (name, raw) in variables {
            let origin = format!("environment variable {name}");
            let path = name[PREFIX.len()..].to_lowercase();
            let Some((section, key)) = path.split_once("__") else {
                return Err(unknown(&path, &origin, "NEARLINE__SECTION__KEY".to_owned()));
            };
            self.expect_section(section, &origin)?;
            let is_text = matches!(self.default_of(section, key), Some(Value::String(_)));
            self.set(section, key, scalar(&raw, is_text), &origin)?;
        }
        Ok(())
    }

    /// The configuration and where its keys were set.
    pub fn finish(self) -> (Config, Origins) {
        (self.config, self.origins)
    }

    fn default_of(&self, section: &str, key: &str) -> Option<&Value> {
        self.table.get(section)?.get(key)
    }

    fn expect_section(&self, section: &str, origin: &str) -> Result<(), ConfigError> {
        if self.table.contains_key(section) {
            return Ok(());
        }
        let known: Vec<&str> = self.table.keys().map(String::as_str).collect();
        Err(unknown(section, origin, format!("one of the sections {}", known.join(", "))))
    }

    /// Experiments are a list of tables, replaced as a whole: `[[experiments]]`.
    fn set_experiments(&mut self, value: Value, origin: &str) -> Result<(), ConfigError> {
        self.config.experiments = value.clone().try_into().map_err(|error: toml::de::Error| {
            let expected = format!("experiments, each written [[{EXPERIMENTS}]]: {}", error.message());
            let found = match &value {
                Value::Array(list) => format!("a list of {}", list.len()),
                other => other.type_str().to_owned(),
            };
            ConfigError::Impossible {
                key: EXPERIMENTS.to_owned(),
                found,
                origin: origin.to_owned(),
                expected,
            }
        })?;
        // Kept in the table, too: setting another key reads the configuration anew from there.
        self.table.insert(EXPERIMENTS.to_owned(), value);
        self.origins.0.insert(EXPERIMENTS.to_owned(), origin.to_owned());
        Ok(())
    }

    fn set(&mut self, section: &str, key: &str, value: Value, origin: &str) -> Result<(), ConfigError> {
        let name = format!("{section}.{key}");
        let values = match self.table.get_mut(section).and_then(Value::as_table_mut) {
            Some(values) => values,
            None => {
                return Err(unknown(&name, origin, "experiments in a file, written [[experiments]]".into()));
            }
        };
        if !values.contains_key(key) {
            let known: Vec<&str> = values.keys().map(String::as_str).collect();
            return Err(unknown(&name, origin, format!("one of {}", known.join(", "))));
        }
        values.insert(key.to_owned(), value.clone());
        self.config = Value::Table(self.table.clone()).try_into().map_err(|error: toml::de::Error| {
            let message = error.message();
            let expected = message.rsplit_once("expected ").map_or(message, |(_, expected)| expected);
            impossible(&name, &value, origin, &in_words(expected))
        })?;
        self.origins.0.insert(name, origin.to_owned());
        Ok(())
    }
}

/// The value of an environment variable: a TOML scalar, or else the text as it stands.
fn scalar(raw: &str, is_text: bool) -> Value {
    let parsed =
        toml::from_str::<Table>(&format!("value = {raw}")).ok().and_then(|mut table| table.remove("value"));
    match parsed {
        Some(Value::String(text)) => Value::String(text),
        Some(value) if !is_text => value,
        _ => Value::String(raw.to_owned()),
    }
}

/// Names of Rust's number types, for people who write TOML.
fn in_words(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "an integer of 0 or more that is not too large".to_owned(),
        "f64" => "a number with a point, such as 0.05".to_owned(),
        "a boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    }
}

fn unknown(key: &str, origin: &str, expected: String) -> ConfigError {
    ConfigError::UnknownKey { key: key.to_owned(), origin: origin.to_owned(), expected }
}

fn impossible(key: &str, found: &Value, origin: &str, expected: &str) -> ConfigError {
    let found = match found {
        Value::String(text) if SECRET_KEYS.contains(&key) => SecretUrl::new(text).to_string(),
        Value::Table(_) => "a table".to_owned(),
        other => other.to_string(),
    };
    ConfigError::Impossible {
        key: key.to_owned(),
        found,
        origin: origin.to_owned(),
        expected: expected.to_owned(),
    }
}
