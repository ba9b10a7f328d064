//! A guide as lines: what stands in backquotes, and what in blocks of commands.

use crate::command::{Command, commands_of_line};

/// Kinds of blocks that hold commands.
const SHELLS: [&str; 3] = ["sh", "bash", "console"];

/// One guide.
#[derive(Debug)]
pub struct Guide {
    /// Path below the root.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A text in backquotes.
#[derive(Debug, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// Its line.
    pub line: usize,
    /// The text.
    pub text: &'a str,
    /// Whether it stands in the first cell of a table's row.
    pub heads_row: bool,
}

impl Guide {
    /// All texts in backquotes, those of code blocks left out.
    pub fn quoted(&self) -> Vec<Quoted<'_>> {
        let mut found = Vec::new();
        let mut fenced = false;
        for (index, line) in self.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                continue;
            }
            if fenced {
                continue;
            }
            let first_cell = line.strip_prefix('|').and_then(|rest| rest.find(" |")).map_or(0, |end| end + 1);
            let mut offset = 0;
            for (at, part) in line.split('`').enumerate() {
                if at % 2 == 1 {
                    found.push(Quoted { line: index + 1, text: part, heads_row: offset < first_cell });
                }
                offset += part.len() + 1;
            }
        }
        found
    }

    /// Command lines of blocks of commands, and of texts in backquotes; the latter may be parts of one.
    pub fn commands(&self) -> Vec<Command> {
        let mut found = Vec::new();
        for (line, text) in self.lines_of_blocks() {
            found.extend(commands_of_line(&text, &self.place(line), true));
        }
        for quoted in self.quoted() {
            found.extend(commands_of_line(quoted.text, &self.place(quoted.line), false));
        }
        found
    }

    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    /// Lines of blocks of commands, with the number of their first; one that goes on (`\`, an open quote) is one.
    fn lines_of_blocks(&self) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, String)> = Vec::new();
        let (mut in_block, mut in_shell, mut goes_on) = (false, false, false);
        for (index, line) in self.text.lines().enumerate() {
            if let Some(kind) = line.trim_start().strip_prefix("```") {
                in_shell = !in_block && SHELLS.contains(&kind.trim());
                (in_block, goes_on) = (!in_block, false);
            } else if in_shell {
                match found.last_mut() {
                    Some((_, text)) if goes_on => *text = joined(text, line),
                    _ => found.push((index + 1, line.to_owned())),
                }
                goes_on = found
                    .last()
                    .is_some_and(|(_, text)| text.ends_with('\\') || shlex::split(text).is_none());
            }
        }
        found
    }
}

/// A line and the next: one where it ends in `\`, as a shell reads it.
fn joined(text: &str, line: &str) -> String {
    text.strip_suffix('\\').map_or_else(|| format!("{text}\n{line}"), |text| format!("{text}{line}"))
}
