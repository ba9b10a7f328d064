//! Tables that strangers fill: what is known keeps counting, and what is new and frequent begins to count.

use crate::harness::{Harness, START_MS, event, record};
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings, LogRecord};
use serde_json::{Value, json};

fn small() -> AggregateSettings {
    AggregateSettings {
        titles: 40,
        dimensions: 32,
        rows: 8,
        variants: 4,
        arms: 40,
        ..AggregateSettings::default()
    }
}

struct Stream {
    harness: Harness,
    sums: Aggregates,
    records: Vec<LogRecord>,
    events: u64,
}

impl Stream {
    fn new() -> Self {
        let harness = Harness::new(0, 1, FoldSettings::default());
        Self { harness, sums: Aggregates::new(1, small()), records: Vec::new(), events: 0 }
    }

    /// An impression, and its play.
    fn taken(&mut self, member: &str, title: &str, mut fields: Value) {
        let request = format!("r{}{}", self.events, fields["variant"].as_str().unwrap_or_default());
        fields["request"] = json!(request);
        for kind in ["impression", "play"] {
            self.events += 1;
            let at_ms = START_MS + self.events as i64;
            let event = event(&format!("e{}", self.events), kind, member, title, at_ms, fields.clone());
            self.records.push(record(self.events, at_ms, &event));
        }
    }

    fn commit(&mut self) {
        self.harness.fold(&std::mem::take(&mut self.records));
        self.harness.commit();
        let delta = self.harness.deltas.pop().expect("something was folded");
        self.sums.add(&delta);
        let stored = self.sums.encode();
        let read = Aggregates::decode(&stored, 1, &small()).expect("just written");
        assert_eq!(read.encode(), stored, "what is kept is stored and read all the same");
    }

    fn shown_and_taken(&self, dimension: &str, title: &str) -> (u32, u32) {
        let table = self.sums.counters(dimension);
        let counters = table.and_then(|table| table.title(self.sums.title(title)?));
        let epochs = counters.into_iter().flat_map(|counters| &counters.epochs);
        epochs.fold((0, 0), |(shown, taken), (_, c)| (shown + c.impressions, taken + c.attributed))
    }
}

/// What an ordinary member sends.
fn usual(device: &str) -> Value {
    json!({"country": "BR", "device": device, "row": "top", "position": 3, "artwork": "a1", "segment": "drama",
        "variant": "-x-home-a"})
}

/// Junk of one kind, as often as it is asked for.
fn junk(field: &str, number: usize) -> (String, Value) {
    let mut fields = usual("tv");
    let title = if field == "title" { format!("junk{number}") } else { "t".to_owned() };
    match field {
        "country" => {
            let letter = |at: usize| char::from(b'A' + (at % 26) as u8);
            fields["country"] = json!(format!("{}{}", letter(number / 26), letter(number)));
        }
        "variant" => fields["variant"] = json!(format!("-x-junk-v{number}")),
        "position" => fields["position"] = json!(number),
        "title" => {}
        name => fields[name] = json!(format!("junk{number}")),
    }
    (title, fields)
}

#[test]
fn junk_from_one_member_or_many_ends_the_counting_of_nothing() {
    for field in ["device", "row", "country", "position", "artwork", "segment", "variant", "title"] {
        for strangers in [1, 100] {
            let mut stream = Stream::new();
            for _ in 0..10 {
                stream.taken("m", "t", usual("tv"));
            }
            stream.commit();
            for number in 0..1_100 {
                let (title, fields) = junk(field, number);
                stream.taken(&format!("stranger{}", number % strangers), &title, fields);
                if number % 100 == 99 {
                    stream.commit();
                }
            }
            // The known, and a title and a device that are new and not junk.
            for _ in 0..10 {
                stream.taken("m", "t", usual("tv"));
                stream.taken("n", "new", usual("console"));
            }
            stream.commit();
            let of_t: Vec<u32> = ["all", "country:BR", "device:tv", "row:top", "position:3"]
                .map(|dimension| stream.shown_and_taken(dimension, "t").1)
                .to_vec();
            assert!(of_t.iter().all(|taken| *taken >= 20), "{field} from {strangers}: t {of_t:?}");
            let of_new = ["all", "country:BR", "device:console", "row:top", "position:3"]
                .map(|d| stream.shown_and_taken(d, "new"));
            assert_eq!(of_new, [(10, 10); 5], "{field} from {strangers}");
            let variant = stream.sums.variant_counts("home", "a").expect("counted").totals();
            assert!(variant.attributed >= 30, "{field} from {strangers}: {variant:?}");
            let new = stream.sums.title("new").expect("counted");
            let arms: Vec<_> =
                stream.sums.arms().of_title(new).map(|(artwork, _, tally)| (artwork, tally.taken)).collect();
            assert_eq!((arms[0].0, arms.len()), ("a1", 1), "{field} from {strangers}");
            assert!(arms[0].1 > 9.9, "{field} from {strangers}: {arms:?}");
            for table in stream.sums.tables() {
                assert!(table.entries <= table.limit, "{field} from {strangers}: {table:?}");
            }
        }
    }
}

#[test]
fn a_title_that_made_room_and_comes_back_counts_anew() {
    let mut stream = Stream::new();
    for number in 0..200 {
        stream.taken("m", &format!("junk{number}"), usual("tv"));
        stream.commit();
    }
    assert_eq!(stream.sums.title("junk0"), None);
    stream.taken("m", "junk0", usual("tv"));
    stream.commit();
    let title = stream.sums.title("junk0").expect("counted");
    assert_eq!((stream.sums.plays(title), stream.shown_and_taken("all", "junk0")), (1, (1, 1)));
    assert!(stream.sums.title_count() <= 40);
}
