//! Messages of a log that hold several records.

/// How many records one message of a log may hold: its block.
///
/// Each message has as many numbers ([`position_of`](super::position_of)) as a block may have records, and its records have the
/// last of them: where a message ends is known without looking into it. Numbers before its first record stay without one. Where blocks
/// hold one record, as they do unless a log says otherwise, messages and records are the same, and numbers are dense.
///
/// ```
/// use nearline_model::identifier::Blocks;
/// let blocks = Blocks::of(4);
/// // The second message, with three records.
/// assert_eq!(blocks.numbers(2, 3), 6..=8);
/// assert_eq!(blocks.message_of(6), 2);
/// assert!(blocks.is_last(8) && !blocks.is_last(7));
/// assert_eq!(Blocks::default().numbers(2, 1), 2..=2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks(u16);

/// Most records of a block.
pub const MAX_BLOCK: u16 = 1_024;

impl Default for Blocks {
    fn default() -> Self {
        Self(1)
    }
}

impl Blocks {
    /// Blocks of at most so many records.
    pub fn of(records: u16) -> Self {
        Self(records.clamp(1, MAX_BLOCK))
    }

    /// Records of a block at most.
    pub fn records(self) -> u16 {
        self.0
    }

    /// The message, from 1 on, that holds the record of this number, from 1 on.
    pub fn message_of(self, number: u64) -> u64 {
        number.div_ceil(u64::from(self.0))
    }

    /// The numbers of a message's records, of which there are so many.
    pub fn numbers(self, message: u64, records: u16) -> std::ops::RangeInclusive<u64> {
        let last = message * u64::from(self.0);
        last + 1 - u64::from(records.clamp(1, self.0))..=last
    }

    /// The first number of a message, whether it has a record or not.
    pub fn first_number(self, message: u64) -> u64 {
        *self.numbers(message, self.0).start()
    }

    /// Whether a message ends with this number.
    pub fn is_last(self, number: u64) -> bool {
        number.is_multiple_of(u64::from(self.0))
    }

    /// Whether the record of number `next` can be the one behind `before`: another one of its message, or, behind the last of
    /// it, one of the next message.
    pub fn follows(self, before: u64, next: u64) -> bool {
        if self.is_last(before) {
            self.message_of(next) == self.message_of(before) + 1
        } else {
            next == before + 1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_blocks_numbers_are_dense() {
        let blocks = Blocks::default();
        for number in 1..100 {
            assert_eq!(blocks.message_of(number), number);
            assert!(blocks.is_last(number) && blocks.follows(number, number + 1));
            assert!(!blocks.follows(number, number + 2) && !blocks.follows(number, number));
        }
    }

    #[test]
    fn what_follows_is_the_rest_of_the_message_or_anything_of_the_next_one() {
        let blocks = Blocks::of(8);
        for (before, next, follows) in [
            (6, 7, true),
            (6, 8, false),
            (8, 9, true),
            (8, 16, true),
            (8, 17, false),
            (8, 8, false),
            (15, 16, true),
            (15, 17, false),
            (0, 1, true),
            (0, 8, true),
            (0, 9, false),
        ] {
            assert_eq!(blocks.follows(before, next), follows, "{next} after {before}");
        }
        assert_eq!(blocks.numbers(3, 1), 24..=24);
        assert_eq!(blocks.numbers(3, 8), 17..=24);
        assert_eq!(blocks.first_number(3), 17);
    }
}
