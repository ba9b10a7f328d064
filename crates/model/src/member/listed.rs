//! The member's own list: what was put on it and what was taken off, each as of the newest event of the title.
//!
//! A last-writer-wins element set (Shapiro, Preguiça, Baquero, Zawirski: "A comprehensive study of Convergent
//! and Commutative Replicated Data Types", INRIA 2011) over event time, with as many removals remembered as
//! there are places on the list.

use super::{Member, insert_by_time};
use crate::settings::FoldSettings;
use crate::symbols::Symbol;
use get_size2::GetSize;

/// A title that was put on the list, or taken off it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GetSize)]
pub struct Listed {
    /// The title.
    pub title: Symbol,
    /// Event time, Unix milliseconds; 0: known to be older than anything that tells one.
    pub at_ms: i64,
}

impl Member {
    pub(super) fn put_on_list(&mut self, title: Symbol, at_ms: i64, settings: &FoldSettings) {
        if take_older(&mut self.list, title, at_ms) && take_older(&mut self.unlisted, title, at_ms) {
            put(&mut self.list, Listed { title, at_ms }, settings);
        }
    }

    pub(super) fn take_off_list(&mut self, title: Symbol, at_ms: i64, settings: &FoldSettings) {
        if take_older(&mut self.list, title, at_ms) && take_older(&mut self.unlisted, title, at_ms) {
            put(&mut self.unlisted, Listed { title, at_ms }, settings);
        }
    }
}

fn put(list: &mut Vec<Listed>, listed: Listed, settings: &FoldSettings) {
    let _oldest = insert_by_time(list, listed, settings.list_titles, |listed| listed.at_ms);
}

/// Takes `title` out of `list`, unless it is there by something newer than `at_ms`: then false.
fn take_older(list: &mut Vec<Listed>, title: Symbol, at_ms: i64) -> bool {
    match list.iter().position(|listed| listed.title == title) {
        Some(at) if list[at].at_ms > at_ms => false,
        Some(at) => {
            list.remove(at);
            true
        }
        None => true,
    }
}
