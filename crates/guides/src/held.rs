//! Command lines of the guides, held against what a program takes.

use crate::{Command, Guide, commands_of_line};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What came of it.
#[derive(Debug, Default)]
pub struct Held {
    /// Commands that were held against the program.
    pub seen: usize,
    /// Those that it does not take, each with place and reason.
    pub refused: Vec<String>,
}

impl Held {
    /// Holds the commands of the guides of the project at `root`, and the examples in the program's own help, against its
    /// definition. Subcommands in `absent` are not built in, and not looked at.
    ///
    /// # Errors
    /// If the guides cannot be read.
    pub fn of(definition: &clap::Command, root: &std::path::Path, absent: &[&str]) -> std::io::Result<Self> {
        Ok(Self::of_guides(definition, &crate::of_project(root)?, absent))
    }

    /// The same for guides at hand.
    pub fn of_guides(definition: &clap::Command, guides: &[Guide], absent: &[&str]) -> Self {
        let mut commands: Vec<Command> = guides.iter().flat_map(Guide::commands).collect();
        commands.extend(examples(definition, definition.get_name()));
        let mut held = Self::default();
        for command in commands.iter().filter(|command| command.program() == definition.get_name()) {
            // `nearline` alone is the name, not a command.
            if command.words.len() == 1 || command.words.iter().any(|word| absent.contains(&word.as_str())) {
                continue;
            }
            held.seen += 1;
            if let Some(reason) = refusal(definition, command) {
                held.refused.push(format!("{}: `{}`: {reason}", command.place, command.words.join(" ")));
            }
        }
        held
    }
}

/// Lines of the help, of all subcommands, that begin with the program's name; a comment follows after two spaces.
fn examples(definition: &clap::Command, program: &str) -> Vec<Command> {
    let help = definition.get_after_help().map(ToString::to_string).unwrap_or_default();
    let place = format!("help of {}", definition.get_name());
    let mut found = Vec::new();
    let mut above: Option<String> = None;
    for line in help.lines() {
        let line = line.trim_start();
        let line = match above.take() {
            Some(above) => format!("{above} {line}"),
            None if line.starts_with(&format!("{program} ")) => line.to_owned(),
            None => continue,
        };
        match line.strip_suffix('\\') {
            Some(start) => above = Some(start.trim_end().to_owned()),
            None => found.extend(commands_of_line(line.split("  ").next().unwrap_or_default(), &place, true)),
        }
    }
    found.extend(definition.get_subcommands().flat_map(|subcommand| examples(subcommand, program)));
    found
}

fn refusal(definition: &clap::Command, command: &Command) -> Option<String> {
    let words = command.words.iter().map(|word| word.split('|').next().unwrap_or(word));
    let words = std::iter::once(definition.get_name()).chain(words.skip(1));
    let error = definition.clone().try_get_matches_from(words).err()?;
    let wrong = |kind| match error.get(kind) {
        Some(ContextValue::String(value)) => stands_for_a_value(value),
        _ => false,
    };
    let is_fine = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => !command.whole,
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            !command.whole && wrong(ContextKind::InvalidValue)
        }
        ErrorKind::InvalidSubcommand => !command.whole && wrong(ContextKind::InvalidSubcommand),
        _ => false,
    };
    (!is_fine)
        .then(|| error.to_string().lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" "))
}

/// `N`, `POSITION`, or nothing at all.
fn stands_for_a_value(text: &str) -> bool {
    text.chars().all(|sign| sign.is_ascii_uppercase() || sign == '_')
}
