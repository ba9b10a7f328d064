//! What is read from outside and from stores, given any bytes: it is read or refused, and never panics.
//!
//! Each function takes what a fuzzer makes of bytes. Tests give them random bytes and spoiled golden files in every run
//! (`tests/any_bytes.rs`); `fuzz/targets` gives them to libFuzzer, for as long as one likes.

use nearline_model::facts::{Decision, FactEntry, Known};
use nearline_model::quarantine::{Quarantined, Suspects};
use nearline_model::settings::AggregateSettings;
use nearline_model::versioned::DecodeError;
use nearline_model::{Aggregates, Delta, Event, Member, Title};
use nearline_ranking::expression::Program;

/// Partitions of the golden sums.
const PARTITIONS: u16 = 4;
/// Bytes of an event at most.
const EVENT_BYTES: usize = 65_536;

/// Reads stored forms of one kind.
type Read = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

/// Every stored form: its name, which golden files begin with, and what reads it and writes it again.
pub const FORMS: [(&str, Read); 7] = [
    ("member", |bytes| Member::decode(bytes).map(|member| member.encode())),
    ("delta", |bytes| Delta::decode(bytes).map(|delta| delta.encode())),
    ("aggregates", |bytes| {
        Aggregates::decode(bytes, PARTITIONS, &AggregateSettings::default()).map(|sums| sums.encode())
    }),
    ("quarantined", |bytes| Quarantined::decode(bytes).map(|event| event.encode())),
    ("suspects", |bytes| Suspects::decode(bytes).map(|list| list.encode())),
    ("fact", |bytes| {
        let entry = FactEntry::decode(bytes)?;
        for fact in entry.facts() {
            let _known = Known::decode(fact.schema_version, &fact.payload);
            let _offered = Decision::decode(&fact.payload);
        }
        Ok(entry.encode())
    }),
    ("decision", |bytes| Decision::decode(bytes).map(|decision| decision.encode())),
];

/// Reads an event.
pub fn event(bytes: &[u8]) {
    if let Ok(event) = Event::parse(bytes, EVENT_BYTES) {
        assert!(bytes.len() <= EVENT_BYTES, "{} bytes were taken", event.id.len());
    }
}

/// Reads a title of the catalogue.
pub fn title(bytes: &[u8]) {
    let _read = Title::parse(bytes);
}

/// Reads an expression of a caller.
pub fn expression(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _read = Program::read(text);
    }
}

/// Reads a stored form: the first byte says which, the others are the form.
///
/// # Panics
/// If what was read and written is not read again.
pub fn stored(bytes: &[u8]) {
    let Some((first, form)) = bytes.split_first() else { return };
    let (name, read) = FORMS[usize::from(*first) % FORMS.len()];
    if let Ok(written) = read(form) {
        assert!(read(&written).is_ok(), "{name}: what was written is refused");
    }
}
