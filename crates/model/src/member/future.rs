//! What a clock that was ahead has left behind.

use super::Member;
use crate::settings::FoldSettings;

impl Member {
    /// Brings times that lie after the log's to the latest that they can have been: a clock that was ahead, for
    /// so long that it was believed, has come back since. They would outdo whatever happens until then.
    pub(super) fn leave_future(&mut self, log_ms: i64, settings: &FoldSettings) {
        if self.newest_ms.max(self.forgotten_ms) <= log_ms {
            return;
        }
        // It takes that long until a clock that went back is believed.
        let latest_ms = (log_ms - i64::from(settings.clock_settle_seconds) * 1_000).max(0);
        let bound = |at_ms: &mut i64| {
            if *at_ms > log_ms {
                *at_ms = latest_ms;
            }
        };
        bound(&mut self.newest_ms);
        bound(&mut self.forgotten_ms);
        for watched in &mut self.history {
            for at_ms in [&mut watched.at_ms, &mut watched.watched_ms, &mut watched.duration_ms] {
                bound(at_ms);
            }
        }
        self.history.sort_by_key(|watched| watched.at_ms);
        for listed in &mut self.list {
            bound(&mut listed.at_ms);
        }
        self.list.sort_by_key(|listed| listed.at_ms);
        for listed in &mut self.unlisted {
            bound(&mut listed.at_ms);
        }
        self.unlisted.sort_by_key(|listed| listed.at_ms);
        for opinion in &mut self.opinions {
            bound(&mut opinion.thumb_ms);
            bound(&mut opinion.rating_ms);
        }
        self.opinions.sort_by_key(|opinion| opinion.thumb_ms.max(opinion.rating_ms));
        self.open.leave_future(bound);
    }
}
