//! Thumbs and ratings, each as of the newest event that gave or withdrew it.

use super::{Member, insert_by_time};
use crate::settings::FoldSettings;
use crate::symbols::Symbol;
use get_size2::GetSize;

/// Rating, in tenths of a star, up to which a member disliked a title: two of five stars.
const LOW_TENTHS: u8 = 20;

/// A thumb or a rating.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, GetSize)]
pub struct Opinion {
    /// The title.
    pub title: Symbol,
    /// Thumb −1, 1 or 2; 0 where none was given, or it was withdrawn.
    pub thumb: i8,
    /// Event time of the thumb, Unix milliseconds; 0: never given.
    pub thumb_ms: i64,
    /// Rating in tenths of a star, 5 to 50; 0 where none was given, or it was withdrawn.
    pub rating_tenths: u8,
    /// Event time of the rating, Unix milliseconds; 0: never given.
    pub rating_ms: i64,
}

/// Whether a rating says that the member did not like the title.
pub(super) fn is_low(rating_tenths: u8) -> bool {
    (1..=LOW_TENTHS).contains(&rating_tenths)
}

impl Opinion {
    /// Whether the member dislikes the title: thumb down, or without a thumb a low rating.
    pub fn is_negative(&self) -> bool {
        self.thumb < 0 || (self.thumb == 0 && is_low(self.rating_tenths))
    }

    /// Whether nothing is left of it: everything was withdrawn.
    pub fn is_withdrawn(&self) -> bool {
        self.thumb == 0 && self.rating_tenths == 0
    }

    fn at_ms(&self) -> i64 {
        self.thumb_ms.max(self.rating_ms)
    }

    pub(super) fn thumb(&mut self, thumb: i8, at_ms: i64) {
        if at_ms >= self.thumb_ms {
            (self.thumb, self.thumb_ms) = (thumb, at_ms);
        }
    }

    pub(super) fn rate(&mut self, rating_tenths: u8, at_ms: i64) {
        if at_ms >= self.rating_ms {
            (self.rating_tenths, self.rating_ms) = (rating_tenths, at_ms);
        }
    }
}

impl Member {
    /// Opinions that were not withdrawn.
    pub fn held_opinions(&self) -> impl Iterator<Item = &Opinion> {
        self.opinions.iter().filter(|opinion| !opinion.is_withdrawn())
    }

    /// Changes the opinion of `title`.
    pub(super) fn think(
        &mut self,
        title: Symbol,
        settings: &FoldSettings,
        change: impl FnOnce(&mut Opinion),
    ) {
        let before = self.opinions.iter().position(|opinion| opinion.title == title);
        let mut opinion = match before {
            Some(at) => self.opinions.remove(at),
            None => Opinion { title, ..Opinion::default() },
        };
        change(&mut opinion);
        let _oldest = insert_by_time(&mut self.opinions, opinion, settings.list_titles, Opinion::at_ms);
    }
}
