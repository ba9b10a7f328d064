//! One member, followed: what they just watched, and how their recommendations changed by it.

use nearline_actors::{Engine, Question};
use nearline_model::Position;
use std::fmt::Write as _;

/// Recommendations shown.
const SHOWN: usize = 5;

/// The followed member.
pub(super) struct Watcher {
    member: String,
    watched: Option<String>,
    top: Vec<String>,
    before: Vec<String>,
}

impl Watcher {
    pub fn new(member: String) -> Self {
        Self { member, watched: None, top: Vec::new(), before: Vec::new() }
    }

    pub fn member(&self) -> &str {
        &self.member
    }

    /// Begins with what they watched before the show.
    pub async fn begin(&mut self, engine: &Engine) {
        let Ok(answer) = engine.member(&self.member, false, None).await else { return };
        let last = answer.snapshot.and_then(|member| Some(member.history.last()?.title.to_string()));
        if let Some(title) = last {
            self.watched(engine, title, None).await;
        }
    }

    /// They played `title`, in the log up to `position`: asks for what is recommended now.
    pub async fn watched(&mut self, engine: &Engine, title: String, position: Option<Position>) {
        let question =
            Question { member: self.member.clone(), limit: SHOWN, after: position, ..Question::default() };
        let Ok(answer) = engine.recommend(&question).await else { return };
        let top = answer.offered.into_iter().map(|offered| offered.title.to_string()).collect();
        self.before = std::mem::replace(&mut self.top, top);
        self.watched = Some(title);
    }

    /// What is known of them, as lines.
    pub fn describe(&self, engine: &Engine) -> String {
        let Some(watched) = &self.watched else {
            return format!("{} has not played anything yet", self.member);
        };
        let mut text = format!("{} just played {}; now recommended:", self.member, name(engine, watched));
        for (at, title) in self.top.iter().enumerate() {
            let moved = match self.before.iter().position(|before| before == title) {
                _ if self.before.is_empty() => "",
                None => "  new",
                Some(before) if before > at => "  up",
                Some(before) if before < at => "  down",
                Some(_) => "",
            };
            write!(text, "\n  {}. {}{moved}", at + 1, name(engine, title))
                .expect("writing to a string does not fail");
        }
        text
    }
}

/// A title's name with its first genre, or its id.
pub(super) fn name(engine: &Engine, title: &str) -> String {
    match engine.title(title) {
        Some(known) => {
            let genre = known.genres.first().map(|genre| format!(" ({genre})")).unwrap_or_default();
            let name = format!("{}{genre}", known.name.as_deref().unwrap_or(title));
            nearline_terminal::clean(&name).into_owned()
        }
        None => title.to_owned(),
    }
}
