//! `nearline key`: keys for callers.

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use nearline_config::{KeySection, Scope, key_text, keys_of, read_keys};
use nearline_model::timestamp::{format_rfc3339, parse_rfc3339_ms};
use nearline_terminal::print_all;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key: it is printed once, with what stands for it in the file of keys.
    #[command(
        after_help = "Examples:\n  nearline key new --name player --scope publish --scope query --file keys.toml\n  \
                            nearline key new --name player --scope publish --scope query --expires 90d --file keys.toml\n\n\
                            The second takes the place of the first: both are good until the first is taken out of the file.\n\
                            Name the file in `access.keys_file`; it is read again while Nearline runs."
    )]
    New(NewArgs),
    /// List the keys of a file: names, scopes, and when they end.
    List {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
struct NewArgs {
    /// Whose it is. The old and the new key of one caller have one name.
    #[arg(long)]
    name: String,
    /// What it is for; may be given several times.
    #[arg(long, required = true, value_delimiter = ',')]
    scope: Vec<ScopeArgument>,
    /// When it ends: a time such as 2027-01-01T00:00:00Z, or a number of days such as 90d; never, unless said.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Requests a second at most, on each node.
    #[arg(long, value_name = "N")]
    requests_per_second: Option<u32>,
    /// Adds it to this file of keys, made if it is not there; without it, what belongs there is printed.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// A scope, as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScopeArgument {
    /// Send events, erase members.
    Publish,
    /// Ask.
    Query,
    /// Put and withdraw titles.
    Catalogue,
    /// Look at what the console shows, change nothing.
    View,
    /// All of that, and the operators' routes.
    Admin,
}

impl From<ScopeArgument> for Scope {
    fn from(scope: ScopeArgument) -> Self {
        match scope {
            ScopeArgument::Publish => Self::Publish,
            ScopeArgument::Query => Self::Query,
            ScopeArgument::Catalogue => Self::Catalogue,
            ScopeArgument::View => Self::View,
            ScopeArgument::Admin => Self::Admin,
        }
    }
}

pub(super) fn run(args: KeyArgs) -> anyhow::Result<()> {
    match args.command {
        KeyCommand::New(args) => new(args),
        KeyCommand::List { file } => list(&file),
    }
}

fn new(args: NewArgs) -> anyhow::Result<()> {
    let (key, sha256) = crate::keys::draw().context("drawing random bits")?;
    let mut scopes: Vec<Scope> = args.scope.into_iter().map(Scope::from).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let expires = args.expires.as_deref().map(|text| end(text, super::now_ms())).transpose()?;
    let requests_per_second = args.requests_per_second;
    let entry = key_text(KeySection { name: args.name, sha256, scopes, expires, requests_per_second });
    match args.file {
        Some(file) => {
            add(&file, &entry)?;
            eprintln!("added to {}; this is the key, shown once:", file.display());
            print_all(&format!("{key}\n"))
        }
        None => {
            keys_of(&entry).map_err(anyhow::Error::msg)?;
            print_all(&format!(
                "{key}\n\n# The key above is shown once. This belongs into `access.keys_file`:\n{entry}"
            ))
        }
    }
}

/// When a key ends, as it is written down.
fn end(text: &str, now_ms: i64) -> anyhow::Result<String> {
    let ms = match text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok()) {
        Some(days) => now_ms + i64::from(days) * DAY_MS,
        None => parse_rfc3339_ms(text)
            .map_err(|problem| anyhow::anyhow!("--expires: {problem}, or a number of days such as 90d"))?,
    };
    if ms <= now_ms {
        bail!("--expires: {text} is over");
    }
    Ok(format_rfc3339(ms))
}

/// Adds an entry to a file, at once or not at all: whoever reads it meanwhile finds the old one or the new one whole.
fn add(file: &Path, entry: &str) -> anyhow::Result<()> {
    let mut text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    };
    if !text.is_empty() {
        text.truncate(text.trim_end().len());
        text.push_str("\n\n");
    }
    text.push_str(entry);
    keys_of(&text)
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("{} is left as it was", file.display()))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // For its owner alone, as such files are made; one that is there keeps whom it is for.
    let mut beside = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("writing beside {}", file.display()))?;
    beside.write_all(text.as_bytes())?;
    if let Ok(known) = std::fs::metadata(file) {
        beside.as_file().set_permissions(known.permissions())?;
    }
    beside.as_file().sync_all()?;
    beside.persist(file).with_context(|| format!("writing {}", file.display()))?;
    Ok(())
}

fn list(file: &Path) -> anyhow::Result<()> {
    let keys = read_keys(file)?;
    let now_ms = super::now_ms();
    let mut text = String::new();
    for key in &keys {
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
        let end = match (key.expires_ms(), &key.expires) {
            (Some(ms), Some(end)) if ms <= now_ms => format!("ended {end}"),
            (_, Some(end)) => format!("until {end}"),
            (_, None) => "without an end".to_owned(),
        };
        let rate = key.requests_per_second.map_or(String::new(), |rate| format!(", {rate} requests/s"));
        // The start of the hash tells two keys of one name apart.
        writeln!(text, "{}  {}  {end}{rate}  {}…", key.name, scopes.join(","), &key.sha256[..8])?;
    }
    print_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_a_number_of_days_and_not_over() {
        let now_ms = parse_rfc3339_ms("2026-11-26T00:00:00Z").expect("a time");
        assert_eq!(end("30d", now_ms).expect("days"), "2026-12-26T00:00:00.000Z");
        assert_eq!(end("2027-01-01T00:00:00+01:00", now_ms).expect("a time"), "2026-12-31T23:00:00.000Z");
        for (text, says) in
            [("2026-01-01T00:00:00Z", "over"), ("0d", "over"), ("soon", "90d"), ("-3d", "90d")]
        {
            let error = end(text, now_ms).expect_err("refused").to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
