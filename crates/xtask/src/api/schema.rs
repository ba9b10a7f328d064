//! Two schemas, seen by a caller who sends such a value or is answered with one.

use serde_json::Value;
use std::collections::BTreeSet;

/// Who makes the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The caller: what was taken must be taken.
    Sent,
    /// The program: what was promised must be there.
    Answered,
}

/// Bounds of what may be sent: those that may not grow, and those that may not shrink.
const LOWER: [&str; 4] = ["minimum", "exclusiveMinimum", "minLength", "minItems"];
const UPPER: [&str; 4] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems"];

/// The documents that references lead into, and the pairs that are being compared already.
pub struct Schemas<'a> {
    old: &'a Value,
    new: &'a Value,
    seen: BTreeSet<(String, String)>,
}

impl<'a> Schemas<'a> {
    /// Schemas of two documents.
    pub fn new(old: &'a Value, new: &'a Value) -> Self {
        Self { old, new, seen: BTreeSet::new() }
    }

    /// What breaks callers, each after the place within the value: `.titles[].score: …`.
    pub fn breaks(&mut self, was: &Value, is: &Value, direction: Direction) -> Vec<String> {
        if let (Some(one), Some(other)) = (was["$ref"].as_str(), is["$ref"].as_str())
            && !self.seen.insert((one.to_owned(), other.to_owned()))
        {
            return Vec::new();
        }
        let (was, is) = (resolved(self.old, was), resolved(self.new, is));
        let mut found = types(&was, &is, direction);
        found.extend(values(&was, &is));
        if direction == Direction::Sent {
            found.extend(bounds(&was, &is));
        }
        if was["format"] != is["format"] {
            found.push(format!(": the format is {} instead of {}", is["format"], was["format"]));
        }
        found.extend(self.fields(&was, &is, direction));
        if was["items"].is_object() && is["items"].is_object() {
            found.extend(prefixed("[]", self.breaks(&was["items"], &is["items"], direction)));
        }
        found.extend(self.variants(&was, &is, direction));
        found
    }

    fn fields(&mut self, was: &Value, is: &Value, direction: Direction) -> Vec<String> {
        let mut found = Vec::new();
        for (name, before) in was["properties"].as_object().into_iter().flatten() {
            match is["properties"].get(name) {
                None => found.push(format!(".{name}: is taken away")),
                Some(now) => found.extend(prefixed(&format!(".{name}"), self.breaks(before, now, direction))),
            }
        }
        let (needed, needs) = (required(was), required(is));
        match direction {
            Direction::Sent => {
                found.extend(needs.difference(&needed).map(|name| format!(".{name}: must be sent now")));
                if is["additionalProperties"] == false && was["additionalProperties"] != false {
                    found.push(": fields that are not known are refused now".to_owned());
                }
            }
            Direction::Answered => {
                let known = |name: &&String| is["properties"].get(name.as_str()).is_some();
                let absent = needed.difference(&needs).filter(known);
                found.extend(absent.map(|name| format!(".{name}: may be absent now")));
            }
        }
        found
    }

    /// Each variant that there was has one that it fits.
    fn variants(&mut self, was: &Value, is: &Value, direction: Direction) -> Vec<String> {
        let mut found = Vec::new();
        for kind in ["oneOf", "anyOf", "allOf"] {
            let (before, now) = (list(&was[kind]), list(&is[kind]));
            for (at, variant) in before.iter().enumerate() {
                let closest = now.iter().map(|other| {
                    let mut apart = Self { old: self.old, new: self.new, seen: self.seen.clone() };
                    apart.breaks(variant, other, direction)
                });
                match closest.min_by_key(Vec::len) {
                    None => found.push(format!(": {kind}, variant {} is taken away", at + 1)),
                    Some(broken) => {
                        let inside = format!(": {kind}, variant {}", at + 1);
                        found.extend(prefixed(&inside, broken));
                    }
                }
            }
        }
        found
    }
}

fn prefixed(place: &str, found: Vec<String>) -> impl Iterator<Item = String> {
    found.into_iter().map(move |what| format!("{place}{what}"))
}

fn resolved(document: &Value, schema: &Value) -> Value {
    let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema).clone()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn required(schema: &Value) -> BTreeSet<String> {
    list(&schema["required"]).iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn types(was: &Value, is: &Value, direction: Direction) -> Vec<String> {
    let of = |schema: &Value| -> BTreeSet<String> {
        let one = schema["type"].as_str().map(str::to_owned);
        list(&schema["type"]).iter().filter_map(|kind| kind.as_str().map(str::to_owned)).chain(one).collect()
    };
    let (was, is) = (of(was), of(is));
    if was.is_empty() || is.is_empty() {
        return Vec::new();
    }
    let (small, large, why) = match direction {
        Direction::Sent => (&was, &is, "is no longer taken"),
        Direction::Answered => (&is, &was, "is new in answers"),
    };
    let fits = |kind: &&String| large.contains(*kind) || *kind == "integer" && large.contains("number");
    small.iter().filter(|kind| !fits(kind)).map(|kind| format!(": the type {kind} {why}")).collect()
}

/// Values that were named and are not any more, or that are named now and were free.
fn values(was: &Value, is: &Value) -> Vec<String> {
    let (before, now) = (list(&was["enum"]), list(&is["enum"]));
    if before.is_empty() && !now.is_empty() {
        return vec![": only some values are left".to_owned()];
    }
    if now.is_empty() {
        return Vec::new();
    }
    before
        .iter()
        .filter(|value| !now.contains(value))
        .map(|value| format!(": the value {value} is taken away"))
        .collect()
}

fn bounds(was: &Value, is: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (names, is_lower) in [(LOWER, true), (UPPER, false)] {
        for name in names {
            let (before, now) = (was[name].as_f64(), is[name].as_f64());
            let narrower = match (before, now) {
                (Some(before), Some(now)) => {
                    if is_lower {
                        now > before
                    } else {
                        now < before
                    }
                }
                (before, now) => before.is_none() && now.is_some(),
            };
            if narrower {
                found.push(format!(": {name} is {} now", is[name]));
            }
        }
    }
    if !is["pattern"].is_null() && was["pattern"] != is["pattern"] {
        found.push(format!(": the pattern is {} now", is["pattern"]));
    }
    found
}
