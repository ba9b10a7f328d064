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
        // It tells of each request that cannot be read, at the level of errors: whoever connects could fill the log. They are counted.
        let mut targets = Targets::new().with_default(LevelFilter::OFF).with_target(SERVER, LevelFilter::OFF);
        let mut default = None;
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
                None => match default.replace(level) {
                    None => targets.with_default(level),
                    Some(before) => return Err(format!("it says {before} and {level}; which one?")),
                },
                Some(target) => match target_problem(target) {
                    None => targets.with_target(target, level),
                    Some(problem) => return Err(format!("{directive:?} {problem}")),
                },
            };
        }
        // At its finest this client writes down what it sends to sign in, password and all.
        let trace = LevelFilter::TRACE.into_level();
        if trace.is_some_and(|trace| targets.would_enable(CLIENT_WITH_SECRETS, &trace)) {
            targets = targets.with_target(CLIENT_WITH_SECRETS, LevelFilter::DEBUG);
        }
        Ok(targets)
    }
}

/// The HTTP server's own part; to be told of, it is named.
const SERVER: &str = "actix_http";
/// Part of the NATS client that logs what it writes.
const CLIENT_WITH_SECRETS: &str = "async_nats::connection";

/// Why nothing is ever logged under `target`: that is a slip of the pen, not a wish.
fn target_problem(target: &str) -> Option<String> {
    let is_path_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    if target.is_empty() {
        Some("names no target".to_owned())
    } else if target.contains('-') {
        Some(format!("names a package; its target is {}", target.replace('-', "_")))
    } else if !target.bytes().all(is_path_byte) {
        Some("names no target: one is a path of modules, such as nearline_actors::engine".to_owned())
    } else if target.parse::<LevelFilter>().is_ok() {
        Some("has a level on both sides".to_owned())
    } else {
        None
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
        for level in [
            "",
            "loud",
            "info2",
            "3",
            "info,nearline=loud",
            "info,=debug",
            "info,",
            "nearline",
            "info,debug",
            "nearline-actors=debug",
            "debug=info",
            "info,a b=debug",
            "info;debug",
            "info=nearline",
        ] {
            assert!(read(level).is_err(), "{level}");
        }
        for level in ["trace", "async_nats=trace", "warn,async_nats::connection=trace"] {
            let targets = read(level).expect("read");
            let is_on = |level: tracing_subscriber::filter::LevelFilter| {
                targets.would_enable("async_nats::connection", &level.into_level().expect("a level"))
            };
            assert!(
                !is_on(tracing_subscriber::filter::LevelFilter::TRACE),
                "{level}: it writes passwords down"
            );
            assert!(is_on(tracing_subscriber::filter::LevelFilter::DEBUG), "{level}");
        }
        let error = tracing_subscriber::filter::LevelFilter::ERROR.into_level().expect("a level");
        let tells =
            |level: &str| read(level).expect("read").would_enable("actix_http::h1::dispatcher", &error);
        assert!(!tells("info") && !tells("trace"), "whoever connects would fill the log");
        assert!(tells("info,actix_http=error"));
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
