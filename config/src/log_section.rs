//! `[log]`: logs, on standard error.

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[log]`: logs, on standard error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// Level, or directives such as `info,nearline_actors=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

impl LogSection {
    /// What is logged, at which level.
    ///
    /// # Errors
    /// The first directive that is neither a level nor `target=level`.
    pub fn targets(&self) -> Result<Targets, String> {
        let mut targets = Targets::new().with_default(LevelFilter::OFF);
        for directive in self.level.split(',').map(str::trim) {
            let (target, level) = match directive.split_once('=') {
                Some((target, level)) => (Some(target.trim()), level.trim()),
                None => (None, directive),
            };
            // Numbers are levels to the parser, and to nobody else.
            let is_name = !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_alphabetic());
            let level: LevelFilter =
                level.parse().ok().filter(|_| is_name).ok_or_else(|| format!("{level:?} is no level"))?;
            targets = match target {
                None => targets.with_default(level),
                Some("") => return Err(format!("{directive:?} names no target")),
                Some(target) => targets.with_target(target, level),
            };
        }
        Ok(targets)
    }
}

#[cfg(test)]
mod tests {
    use super::LogSection;

    #[test]
    fn levels_and_directives_are_read_and_anything_else_is_refused() {
        let read = |level: &str| LogSection { level: level.to_owned(), ..LogSection::default() }.targets();
        for level in ["info", "WARN", "off", "info,nearline_actors=debug", "warn, nearline=trace"] {
            assert!(read(level).is_ok(), "{level}");
        }
        for level in ["", "loud", "info2", "3", "info,nearline=loud", "info,=debug", "info,", "nearline"] {
            assert!(read(level).is_err(), "{level}");
        }
        let targets = read("warn,nearline_actors=debug").expect("read");
        assert!(targets.would_enable(
            "nearline_actors::engine",
            &tracing_subscriber::filter::LevelFilter::DEBUG.into_level().expect("a level")
        ));
        assert!(!targets.would_enable(
            "nearline_ports",
            &tracing_subscriber::filter::LevelFilter::INFO.into_level().expect("a level")
        ));
    }
}
