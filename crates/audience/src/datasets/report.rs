//! What an import left out or changed: counted, with the first of each kind.

use nearline_model::Title;

/// Lines and names that are listed; more are only counted.
const LISTED: usize = 20;
/// Bytes of a title's name, and of a genre, that the catalogue takes.
const NAME_BYTES: usize = 1_024;
const GENRE_BYTES: usize = 64;

/// What did not go as it stood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines that could not be read.
    pub refused: u64,
    /// The first of them: file, line and what is wrong.
    pub first_refused: Vec<String>,
    /// Names that are no ids, each written as one.
    pub renamed: u64,
    /// The first of them: the name, and the id.
    pub first_renamed: Vec<(String, String)>,
    /// Titles whose name or genre was too long for the catalogue, and was cut.
    pub shortened: u64,
    /// Lines that were no UTF-8 and were taken as Latin-1.
    pub latin1_lines: u64,
}

impl Report {
    pub(super) fn refuse(&mut self, place: impl std::fmt::Display, why: impl std::fmt::Display) {
        self.refused += 1;
        if self.first_refused.len() < LISTED {
            self.first_refused.push(format!("{place}: {why}"));
        }
    }

    pub(super) fn rename(&mut self, name: &str, id: &str) {
        self.renamed += 1;
        if self.first_renamed.len() < LISTED {
            self.first_renamed.push((name.to_owned(), id.to_owned()));
        }
    }

    /// `title` as the catalogue takes it: what is too long is cut, what is empty left out.
    pub(super) fn fit(&mut self, mut title: Title) -> anyhow::Result<Title> {
        let before = title.clone();
        if let Some(name) = &mut title.name {
            cut(name, NAME_BYTES);
        }
        title.genres.iter_mut().for_each(|genre| cut(genre, GENRE_BYTES));
        if title != before {
            self.shortened += 1;
        }
        title.genres.retain(|genre| !genre.is_empty());
        title.name = title.name.filter(|name| !name.is_empty());
        title.validate()?;
        Ok(title)
    }

    /// One sentence for each kind of change; none where everything went as it stood.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.latin1_lines > 0 {
            sentences.push(format!("{} lines are no UTF-8 and were read as Latin-1", self.latin1_lines));
        }
        if self.renamed > 0 {
            let shown = self.first_renamed.iter().take(3);
            let shown: Vec<String> = shown.map(|(name, id)| format!("{name:?} as {id}")).collect();
            sentences.push(format!(
                "{} names are no ids and were written as one: {}",
                self.renamed,
                shown.join(", ")
            ));
        }
        if self.shortened > 0 {
            sentences.push(format!("{} titles have a name or genre that was cut", self.shortened));
        }
        sentences
    }
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
}
