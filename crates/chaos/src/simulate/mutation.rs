//! Planted bugs: proof that the checker can fail.
//!
//! Each is a way to break an adapter's promise (or a setting that takes a safeguard away, or something that
//! stands between callers and the engine), so that the product needs no flag for it.

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// The store takes commits of any epoch.
    SkipEpochCheck,
    /// The store gives the same epoch out again.
    ReuseEpoch,
    /// The store advances the position first, and may fail before the members are written.
    AcknowledgeBeforeCommit,
    /// The store writes the members first, and may fail before the position is.
    TearCommit,
    /// Members remember one event id instead of many.
    ForgetRecentIds,
    /// A commit that is repeated adds its delta to the outbox again.
    RepeatDelta,
    /// What is in the outbox is lost when a partition is acquired.
    LoseOutbox,
    /// A snapshot of the aggregates that reflects less replaces one that reflects more.
    AcceptLesserSnapshot,
    /// Readers resume behind what was ever delivered, not behind what was committed.
    ResumeFromAckFloor,
    /// A reader that is opened again leaves one record out.
    LeaveGap,
    /// Dead letters are acknowledged but not kept.
    DropDeadLetters,
    /// Pages forget the caller's filter and age limit, which rows and all others keep.
    ForgetFilterOfPages,
    /// Every time stamp of the log is believed, however far it jumps.
    BelieveEveryStamp,
    /// A partition is acquired without what its fold goes on from.
    LoseFoldState,
    /// A node that was started again offers what members saw before the titles of their history.
    LoseSeenAfterRestart,
    /// Every thousandth commit leaves one of its members out.
    LeaveMemberOut,
    /// A server whose disk is full acknowledges, and keeps nothing.
    AcknowledgeWhenFull,
    /// The store lets a node that may not write acquire partitions and prove itself.
    ProveWithoutWriting,
    /// The log lets go of what is not committed.
    TrimUncommitted,
    /// A partition whose records were all let go says that it never had any.
    ForgetEmptiedEnd,
    /// Who watches a registry that was deleted is not told.
    ForgetWatchers,
    /// A registry that was deleted goes on acknowledging, and keeps nothing.
    ForgetAnnouncements,
    /// Records that are damaged are left out.
    LeaveDamagedOut,
    /// Another log under the log's address is taken for it.
    HideForeignLog,
    /// The sums have room for fewer titles than are played all the time.
    StarveKnownTitles,
    /// The store tells where the sums end when a partition was acquired, and not once a node was absent.
    HideEndFromAbsent,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::SkipEpochCheck,
        Self::ReuseEpoch,
        Self::AcknowledgeBeforeCommit,
        Self::TearCommit,
        Self::ForgetRecentIds,
        Self::RepeatDelta,
        Self::LoseOutbox,
        Self::AcceptLesserSnapshot,
        Self::ResumeFromAckFloor,
        Self::LeaveGap,
        Self::DropDeadLetters,
        Self::ForgetFilterOfPages,
        Self::BelieveEveryStamp,
        Self::LoseFoldState,
        Self::LoseSeenAfterRestart,
        Self::LeaveMemberOut,
        Self::AcknowledgeWhenFull,
        Self::ProveWithoutWriting,
        Self::TrimUncommitted,
        Self::ForgetEmptiedEnd,
        Self::ForgetWatchers,
        Self::ForgetAnnouncements,
        Self::LeaveDamagedOut,
        Self::HideForeignLog,
        Self::StarveKnownTitles,
        Self::HideEndFromAbsent,
    ];
}
