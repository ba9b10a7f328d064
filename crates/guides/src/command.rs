//! Command lines as words.

/// What parts one command from the next.
const BETWEEN: [&str; 5] = ["|", "||", "&&", ";", "&"];
/// What sends output elsewhere; the next word is no argument.
const ELSEWHERE: [&str; 4] = [">", ">>", "2>", "<"];
/// Stands for the rest of a command that the guide leaves out.
const REST: char = '…';

/// A command of a guide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// File and line.
    pub place: String,
    /// Program and arguments, as the program gets them.
    pub words: Vec<String>,
    /// Whether nothing is left out: one in the middle of a sentence may be a part.
    pub whole: bool,
}

impl Command {
    /// The program, without a folder.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word))
    }
}

/// The commands of a line. `cargo run … -- ARGUMENTS` is the program that it runs; variables in front, comments, and
/// where output goes are left out.
pub fn commands_of_line(line: &str, place: &str, whole: bool) -> Vec<Command> {
    let line = line.trim_start_matches("$ ");
    // Brackets around what may be left out are a guide's, not a shell's, and are never whole.
    let bare = if whole { line.to_owned() } else { line.replace(['[', ']'], "") };
    let Some(words) = shlex::split(&bare) else { return Vec::new() };
    let mut found = Vec::new();
    for part in words.split(|word| BETWEEN.contains(&word.as_str())) {
        let mut words = Vec::new();
        let mut left_out = false;
        let mut skips = false;
        for word in part {
            if word.contains(REST) {
                left_out = true;
                break;
            }
            if ELSEWHERE.contains(&word.as_str()) {
                skips = true;
            } else if skips {
                skips = false;
            } else if !(words.is_empty() && is_assignment(word)) {
                words.push(word.clone());
            }
        }
        let words = run_by_cargo(words);
        if !words.is_empty() {
            found.push(Command { place: place.to_owned(), words, whole: whole && !left_out });
        }
    }
    found
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_')
    })
}

/// `cargo run … -p PACKAGE -- ARGUMENTS` as `PACKAGE ARGUMENTS`; without a package, the program at the root.
fn run_by_cargo(words: Vec<String>) -> Vec<String> {
    let is_run = words.len() > 1 && words[0] == "cargo" && words[1] == "run";
    let Some(end) = words.iter().position(|word| word == "--").filter(|_| is_run) else { return words };
    let package = words[..end].iter().position(|word| word == "-p").and_then(|at| words.get(at + 1));
    let program = package.cloned().unwrap_or_else(|| "nearline".to_owned());
    std::iter::once(program).chain(words[end + 1..].iter().cloned()).collect()
}
