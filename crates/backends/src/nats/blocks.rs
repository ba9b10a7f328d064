//! Blocks: messages of the log that hold several events of one partition, one a line.
//!
//! A header says how many there are. A message whose header does not fit what it holds, or what the log takes, is one record,
//! which the fold refuses: nothing of it is lost.

use super::cloud_event::event_of;
use async_nats::{HeaderMap, HeaderName};
use bytes::{BufMut, Bytes, BytesMut};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use nearline_model::PartitionId;
use nearline_model::identifier::{Blocks, partition_of};
use nearline_ports::NewEvent;
use sha2::{Digest, Sha256};
use smallvec::{SmallVec, smallvec};

/// How many events a message holds, one a line; without it, one.
const EVENTS: HeaderName = HeaderName::from_static("Nearline-Events");
/// Bytes of a block at most, and of its headers; an event that is longer goes alone.
const BLOCK_BYTES: usize = 128 << 10;
const HEADER_BYTES: usize = 1_024;

/// The events of a message: one by itself takes no memory of its own.
pub(super) type Events = SmallVec<[Bytes; 1]>;

/// Events that go into one message, by their places in what is appended.
pub(super) struct Block {
    pub(super) partition: PartitionId,
    places: Vec<usize>,
    bytes: usize,
}

/// Where an event of an append went: a message, and its place among those in it; or the earlier one that it repeats.
#[derive(Clone, Copy)]
pub(super) enum Went {
    Into { block: usize, place: usize },
    AsRepeated(usize),
}

/// Deals events into messages of at most `max_payload` bytes, those of a partition in their order.
pub(super) fn deal(
    events: &[NewEvent],
    partitions: u16,
    blocks: Blocks,
    max_payload: usize,
) -> (Vec<Block>, Vec<Went>) {
    let most = usize::from(blocks.records());
    let most_bytes = BLOCK_BYTES.min(max_payload.saturating_sub(HEADER_BYTES));
    let mut dealt: Vec<Block> = Vec::new();
    let mut open: HashMap<PartitionId, usize> = HashMap::new();
    let mut known: HashMap<(&str, &str), usize> = HashMap::new();
    let mut went = Vec::with_capacity(events.len());
    for (at, event) in events.iter().enumerate() {
        if most > 1 {
            match known.entry((&event.member, &event.id)) {
                Entry::Occupied(first) => {
                    went.push(Went::AsRepeated(*first.get()));
                    continue;
                }
                Entry::Vacant(new) => drop(new.insert(at)),
            }
        }
        let partition = partition_of(&event.member, partitions);
        let (bytes, is_line) = (event.payload.len() + 1, is_line(&event.payload));
        let has_room = |block: &Block| block.places.len() < most && block.bytes + bytes <= most_bytes;
        let found = open.get(&partition).copied().filter(|block| is_line && has_room(&dealt[*block]));
        let block = found.unwrap_or_else(|| {
            dealt.push(Block { partition, places: Vec::new(), bytes: 0 });
            dealt.len() - 1
        });
        went.push(Went::Into { block, place: dealt[block].places.len() });
        dealt[block].places.push(at);
        dealt[block].bytes += bytes;
        // What cannot be told from its neighbours stays alone, before and behind others of its partition.
        if is_line && most > 1 {
            open.insert(partition, block);
        } else {
            open.remove(&partition);
        }
    }
    (dealt, went)
}

/// Whether it can stand among others.
fn is_line(payload: &[u8]) -> bool {
    !payload.is_empty() && !payload.contains(&b'\n')
}

impl Block {
    /// Events in it.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The message, and the id that the server drops it by when it comes again. An id is the member's own; no id holds a slash,
    /// so that one publisher's never meets another's, nor that of a block.
    pub(super) fn message(&self, events: &[NewEvent]) -> (HeaderMap, Bytes) {
        let mut headers = HeaderMap::new();
        if let [only] = self.places[..] {
            let NewEvent { member, id, payload } = &events[only];
            headers.insert(async_nats::header::NATS_MESSAGE_ID, format!("{member}/{id}"));
            return (headers, payload.clone());
        }
        let mut ids = Sha256::new();
        let mut lines = BytesMut::with_capacity(self.bytes);
        for NewEvent { member, id, payload } in self.places.iter().map(|place| &events[*place]) {
            for part in [member, "/", id, "\n"] {
                ids.update(part);
            }
            lines.put_slice(payload);
            lines.put_u8(b'\n');
        }
        lines.truncate(lines.len().saturating_sub(1));
        let digest = ids.finalize();
        let digest =
            digest.iter().take(16).fold(String::from("//"), |text, byte| format!("{text}{byte:02x}"));
        headers.insert(async_nats::header::NATS_MESSAGE_ID, digest);
        headers.insert(EVENTS, self.len().to_string());
        (headers, lines.freeze())
    }
}

/// The events of a message, in order; never none.
pub(super) fn events_of(
    headers: Option<&HeaderMap>,
    payload: Bytes,
    blocks: Blocks,
    event_bytes: usize,
) -> Events {
    match headers.and_then(|headers| lines(headers, &payload, blocks)) {
        Some(lines) => lines,
        None => smallvec![event_of(headers, payload, event_bytes)],
    }
}

fn lines(headers: &HeaderMap, payload: &Bytes, blocks: Blocks) -> Option<Events> {
    let count: usize = headers.get(EVENTS)?.as_str().trim().parse().ok()?;
    if count < 2 || count > usize::from(blocks.records()) {
        return None;
    }
    let text = payload.strip_suffix(b"\n").unwrap_or(payload);
    let mut lines = Events::with_capacity(count);
    for line in text.split(|byte| *byte == b'\n') {
        if line.is_empty() || lines.len() == count {
            return None;
        }
        lines.push(payload.slice_ref(line));
    }
    (lines.len() == count).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTITIONS: u16 = 4;
    const MAX_PAYLOAD: usize = 1 << 20;

    fn event(member: &str, id: &str, payload: &str) -> NewEvent {
        NewEvent { member: member.into(), id: id.into(), payload: Bytes::copy_from_slice(payload.as_bytes()) }
    }

    /// What is read of all messages, and in which each event of the append is found.
    fn told(events: &[NewEvent], blocks: Blocks) -> (Vec<Events>, Vec<Went>) {
        let (dealt, went) = deal(events, PARTITIONS, blocks, MAX_PAYLOAD);
        let read = |block: &Block| {
            let (headers, payload) = block.message(events);
            events_of(Some(&headers), payload, blocks, 65_536)
        };
        (dealt.iter().map(read).collect(), went)
    }

    #[test]
    fn every_event_is_read_from_the_message_it_went_into_and_those_of_a_partition_in_their_order() {
        let events: Vec<_> = (0..200)
            .map(|n| {
                let payload = match n % 17 {
                    3 => String::new(),
                    5 => format!("{{\n{n}}}"),
                    _ => format!("{{\"n\":{n}}}"),
                };
                event(&format!("m{}", n % 7), &format!("e{n}"), &payload)
            })
            .collect();
        for most in [1, 2, 8, 64] {
            let (read, went) = told(&events, Blocks::of(most));
            for (event, went) in events.iter().zip(&went) {
                let Went::Into { block, place } = *went else { panic!("none is repeated") };
                assert_eq!(read[block][place], event.payload);
            }
            assert!(read.iter().all(|events| events.len() <= most.into()));
            assert_eq!(read.iter().map(Events::len).sum::<usize>(), events.len());
            for partition in (0..PARTITIONS).map(PartitionId) {
                let is_of_it = |event: &&NewEvent| partition_of(&event.member, PARTITIONS) == partition;
                let (dealt, _) = deal(&events, PARTITIONS, Blocks::of(most), MAX_PAYLOAD);
                let of_it = dealt.iter().zip(&read).filter(|(block, _)| block.partition == partition);
                let read = of_it.flat_map(|(_, events)| events);
                assert!(read.eq(events.iter().filter(is_of_it).map(|event| &event.payload)));
            }
        }
        let (messages, _) = deal(&events, PARTITIONS, Blocks::of(64), MAX_PAYLOAD);
        assert!(messages.len() < 60, "{} messages", messages.len());
    }

    #[test]
    fn no_message_is_larger_than_the_server_takes_unless_one_event_is() {
        let events: Vec<_> =
            (0..300).map(|n| event("a", &format!("e{n}"), &"x".repeat(n % 100 * 40))).collect();
        let (dealt, _) = deal(&events, PARTITIONS, Blocks::of(64), 8_192);
        let sizes = dealt.iter().map(|block| (block.len(), block.message(&events).1.len()));
        assert!(sizes.clone().all(|(_, bytes)| bytes <= 8_192 - HEADER_BYTES), "{:?}", sizes.max());
        let (dealt, _) = deal(&events, PARTITIONS, Blocks::of(64), 2_048);
        assert!(dealt.iter().all(|block| block.len() == 1 || block.message(&events).1.len() <= 1_024));
    }

    #[test]
    fn an_event_that_comes_twice_in_one_append_goes_once() {
        let events =
            [event("a", "x", "{}"), event("b", "x", "{}"), event("a", "x", "{1}"), event("a", "y", "{}")];
        let (_, went) = told(&events, Blocks::of(8));
        assert!(matches!(went[2], Went::AsRepeated(0)));
        assert!([0, 1, 3].iter().all(|at| matches!(went[*at], Went::Into { .. })));
    }

    #[test]
    fn the_id_of_a_block_is_that_of_its_events_in_their_order() {
        let id = |events: &[NewEvent]| {
            let (dealt, _) = deal(events, 1, Blocks::of(8), MAX_PAYLOAD);
            let (headers, _) = dealt[0].message(events);
            headers.get("Nats-Msg-Id").expect("an id").as_str().to_owned()
        };
        let (a, b) = (event("a", "x", "{}"), event("b", "y", "{}"));
        let ids = [
            id(&[a.clone(), b.clone()]),
            id(&[b.clone(), a.clone()]),
            id(&[a.clone(), event("b", "z", "{}")]),
            id(std::slice::from_ref(&a)),
        ];
        assert_eq!(ids[3], "a/x");
        assert!(ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id)), "{ids:?}");
        assert_eq!(ids[0], id(&[a, event("b", "y", "{ }")]), "whatever they say");
    }

    #[test]
    fn what_the_header_does_not_fit_is_one_record() {
        for (count, payload, records) in [
            ("2", "{}\n{}", 2),
            ("2", "{}\n{}\n", 2),
            ("3", "{}\n{}", 1),
            ("2", "{}\n{}\n{}", 1),
            ("2", "{}\n\n", 1),
            ("9", "1\n2\n3\n4\n5\n6\n7\n8\n9", 1),
            ("1", "{\n}", 1),
            ("many", "{}\n{}", 1),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("Nearline-Events", count);
            let payload = Bytes::from_static(payload.as_bytes());
            let read = events_of(Some(&headers), payload.clone(), Blocks::of(8), 65_536);
            assert_eq!(read.len(), records, "{count}: {payload:?}");
            assert!(records > 1 || read[0] == payload);
            assert_eq!(events_of(None, payload, Blocks::of(8), 65_536).len(), 1);
        }
    }
}
