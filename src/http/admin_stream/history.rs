//! What happened to remediations and dead letters, in order and with a number each: whoever comes back with the last number it
//! saw is told the rest, nothing left out and nothing twice.

use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write;

/// Bytes of events that are kept for those who come back.
const KEPT_BYTES: usize = 4 << 20;

/// One event, as it is sent.
struct Entry {
    number: u64,
    text: String,
}

/// What was told so far.
pub(super) struct History {
    /// Tells this history from those of other processes, whose numbers mean other events.
    life: String,
    number: u64,
    kept: VecDeque<Entry>,
    kept_bytes: usize,
    remediations: Sent,
    letters: BTreeMap<u64, Value>,
    /// Whether `letters` are all there are.
    all_letters: bool,
}

impl History {
    pub(super) fn new(life: String) -> Self {
        Self {
            life,
            number: 0,
            kept: VecDeque::new(),
            kept_bytes: 0,
            remediations: Sent::default(),
            letters: BTreeMap::new(),
            all_letters: true,
        }
    }

    /// Takes the remediations as they are now.
    pub(super) fn see_remediations(&mut self, now: Vec<impl Serialize>) {
        let changed = self.remediations.changed(now, "id");
        if !changed.is_empty() {
            self.add("remediations", &json!(changed));
        }
    }

    /// Takes the dead letters as they are now, by position, and whether these are all.
    pub(super) fn see_letters(&mut self, now: BTreeMap<u64, Value>, all: bool) {
        let added: Vec<&Value> = now
            .iter()
            .filter(|(at, letter)| self.letters.get(at) != Some(letter))
            .map(|(_, letter)| letter)
            .collect();
        let removed: Vec<u64> = self.letters.keys().filter(|at| !now.contains_key(at)).copied().collect();
        let is_news = !added.is_empty() || !removed.is_empty() || all != self.all_letters;
        let document = json!({ "added": added, "removed": removed, "all": all });
        (self.letters, self.all_letters) = (now, all);
        if is_news {
            self.add("dead_letters", &document);
        }
    }

    fn add(&mut self, name: &str, data: &Value) {
        self.number += 1;
        let text = event(name, data, Some(&self.id(self.number)));
        self.kept_bytes += text.len();
        self.kept.push_back(Entry { number: self.number, text });
        while self.kept_bytes > KEPT_BYTES {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.kept_bytes -= oldest.text.len();
        }
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.life)
    }

    /// The number behind which whoever saw `id` last goes on; none, if that cannot be told any more.
    pub(super) fn place_of(&self, id: &str) -> Option<u64> {
        let number: u64 = id.strip_prefix(self.life.as_str())?.strip_prefix('-')?.parse().ok()?;
        self.goes_on_behind(number).then_some(number)
    }

    fn goes_on_behind(&self, number: u64) -> bool {
        number <= self.number && self.kept.front().map_or(self.number, |oldest| oldest.number - 1) <= number
    }

    /// What came behind `seen`, which is moved on; everything, said to be that, where what came is not kept any more.
    pub(super) fn tell(&self, text: &mut String, seen: &mut Option<u64>, why: &str) {
        match seen.filter(|seen| self.goes_on_behind(*seen)) {
            Some(number) => {
                let missed = self.kept.iter().filter(|entry| entry.number > number);
                missed.for_each(|entry| text.push_str(&entry.text));
            }
            None => {
                let why = if seen.is_some() { "what came meanwhile is not kept any more" } else { why };
                let remediations: Vec<&Value> = self.remediations.0.values().collect();
                let added: Vec<&Value> = self.letters.values().collect();
                let letters = json!({ "added": added, "removed": [], "all": self.all_letters });
                text.push_str(&event("snapshot", &json!({ "why": why }), None));
                text.push_str(&event("remediations", &json!(remediations), None));
                // The number stands at the end: whoever loses the line before has not seen it, and begins again.
                text.push_str(&event("dead_letters", &letters, Some(&self.id(self.number))));
            }
        }
        *seen = Some(self.number);
    }
}

/// A server-sent event.
pub(super) fn event(name: &str, data: &impl Serialize, id: Option<&str>) -> String {
    // JSON as it is made here has no line breaks; writing to a string cannot fail.
    let data = serde_json::to_string(data).unwrap_or_default();
    let mut text = format!("event: {name}\n");
    if let Some(id) = id {
        let _infallible = writeln!(text, "id: {id}");
    }
    let _infallible = write!(text, "data: {data}\n\n");
    text
}

/// Documents as they were sent last, by what names them.
#[derive(Default)]
pub(super) struct Sent(HashMap<String, Value>);

impl Sent {
    /// Those that differ from what was sent before. What is not among `now` any more is forgotten.
    pub(super) fn changed(&mut self, now: Vec<impl Serialize>, name: &str) -> Vec<Value> {
        let mut known = HashMap::with_capacity(now.len());
        let mut changed = Vec::new();
        for document in now.into_iter().filter_map(|document| serde_json::to_value(document).ok()) {
            let key = document[name].to_string();
            if self.0.get(&key) != Some(&document) {
                changed.push(document.clone());
            }
            known.insert(key, document);
        }
        self.0 = known;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(history: &History, mut seen: Option<u64>) -> String {
        let mut text = String::new();
        history.tell(&mut text, &mut seen, "first");
        assert_eq!(seen, Some(history.number));
        text
    }

    fn letter(at: u64) -> (u64, Value) {
        (at, json!({ "position": at }))
    }

    #[test]
    fn only_what_differs_from_before_is_sent_again() {
        let mut sent = Sent::default();
        let one = |lag| json!({ "partition": 1, "lag": lag });
        let two = json!({ "partition": 2, "lag": 0 });
        assert_eq!(sent.changed(vec![one(0), two.clone()], "partition").len(), 2);
        assert_eq!(sent.changed(vec![one(0), two.clone()], "partition"), Vec::<Value>::new());
        assert_eq!(sent.changed(vec![one(7), two.clone()], "partition"), [one(7)]);
        assert!(sent.changed(vec![two], "partition").is_empty());
        assert_eq!(sent.changed(vec![one(7)], "partition"), [one(7)], "it had gone meanwhile");
    }

    #[test]
    fn whoever_comes_back_is_told_what_came_meanwhile_and_nothing_else() {
        let mut history = History::new("a".into());
        history.see_remediations(vec![json!({ "id": "r1" })]);
        history.see_letters(BTreeMap::from([letter(1)]), true);
        let place = history.place_of("a-2").expect("it is kept");
        assert_eq!(told(&history, Some(place)), "", "nothing came");
        history.see_remediations(vec![json!({ "id": "r2" }), json!({ "id": "r1" })]);
        history.see_letters(BTreeMap::from([letter(2)]), true);
        let missed = told(&history, Some(place));
        assert_eq!(
            missed,
            "event: remediations\nid: a-3\ndata: [{\"id\":\"r2\"}]\n\n\
             event: dead_letters\nid: a-4\ndata: {\"added\":[{\"position\":2}],\"all\":true,\"removed\":[1]}\n\n"
        );
        assert!(told(&history, None).starts_with("event: snapshot\ndata: {\"why\":\"first\"}"));
    }

    #[test]
    fn what_another_process_numbered_or_nobody_yet_is_no_place_to_go_on_from() {
        let mut history = History::new("a".into());
        history.see_remediations(vec![json!({ "id": "r1" })]);
        for id in ["", "a", "a-", "a-2", "a-x", "b-1", "aa-1", "1"] {
            assert_eq!(history.place_of(id), None, "{id:?}");
        }
        assert_eq!((history.place_of("a-0"), history.place_of("a-1")), (Some(0), Some(1)));
    }

    #[test]
    fn what_is_not_kept_any_more_is_told_as_a_whole_and_said_so() {
        let mut history = History::new("a".into());
        let large = "x".repeat(KEPT_BYTES / 3);
        for number in 0..6 {
            history.see_remediations(vec![json!({ "id": number, "detail": large })]);
        }
        assert_eq!(history.place_of("a-1"), None);
        assert!(history.place_of("a-5").is_some() && history.kept_bytes <= KEPT_BYTES);
        assert!(told(&history, Some(1)).contains("not kept any more"));
    }
}
