//! Two descriptions, operation by operation.

use super::schema::{Direction, Schemas};
use serde_json::Value;
use std::collections::BTreeSet;

const METHODS: [&str; 6] = ["get", "put", "post", "delete", "patch", "head"];

/// What a caller of `old` may not do with `new`, or does not get any more, each in one line that begins with the operation.
///
/// Not breaking: new paths, methods, answers, fields of answers, values in answers, and optional parameters and fields.
pub fn breaks(old: &Value, new: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, operations) in object(&old["paths"]) {
        for (method, was) in object(operations).filter(|(method, _)| METHODS.contains(&method.as_str())) {
            let name = format!("{} {path}", method.to_uppercase());
            let is = &new["paths"][path][method];
            if is.is_null() {
                found.insert(format!("{name}: is taken away"));
            } else {
                let told = Operation { old, new, was, is }.breaks();
                found.extend(told.into_iter().map(|what| format!("{name}: {what}")));
            }
        }
    }
    found
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// One operation, as it was and as it is.
struct Operation<'a> {
    old: &'a Value,
    new: &'a Value,
    was: &'a Value,
    is: &'a Value,
}

impl Operation<'_> {
    fn breaks(&self) -> Vec<String> {
        let mut found = self.parameters();
        found.extend(self.body());
        found.extend(self.answers());
        if self.was["operationId"] != self.is["operationId"] {
            let (was, is) = (&self.was["operationId"], &self.is["operationId"]);
            found.push(format!("is named {is} instead of {was}, as clients name it that are generated"));
        }
        for way in self.was["security"].as_array().into_iter().flatten() {
            if !self.is["security"].as_array().is_some_and(|ways| ways.contains(way)) {
                found.push(format!("no longer lets in who shows {way}"));
            }
        }
        found
    }

    fn compare(&self, was: &Value, is: &Value, direction: Direction) -> Vec<String> {
        Schemas::new(self.old, self.new).breaks(was, is, direction)
    }

    fn parameters(&self) -> Vec<String> {
        let mut found = Vec::new();
        let of = |operation: &Value| operation["parameters"].as_array().cloned().unwrap_or_default();
        let same = |one: &Value, other: &Value| one["name"] == other["name"] && one["in"] == other["in"];
        let (was, is) = (of(self.was), of(self.is));
        for before in &was {
            let name = before["name"].as_str().unwrap_or_default();
            let Some(now) = is.iter().find(|now| same(before, now)) else {
                found.push(format!("parameter `{name}` is taken away"));
                continue;
            };
            if now["required"] == true && before["required"] != true {
                found.push(format!("parameter `{name}` must be given now"));
            }
            let inside = self.compare(&before["schema"], &now["schema"], Direction::Sent);
            found.extend(inside.into_iter().map(|what| format!("parameter `{name}`{what}")));
        }
        for now in
            is.iter().filter(|now| now["required"] == true && !was.iter().any(|before| same(before, now)))
        {
            found.push(format!("parameter {} is new and must be given", now["name"]));
        }
        found
    }

    fn body(&self) -> Vec<String> {
        let (was, is) = (&self.was["requestBody"], &self.is["requestBody"]);
        let mut found = Vec::new();
        if is["required"] == true && was["required"] != true {
            found.push("a body must be sent now".to_owned());
        }
        found.extend(self.content(was, is, Direction::Sent).into_iter().map(|what| format!("body{what}")));
        found
    }

    fn answers(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (status, was) in object(&self.was["responses"]) {
            let is = &self.is["responses"][status];
            // A way to fail that is gone breaks nobody.
            if is.is_null() && status.starts_with('2') {
                found.push(format!("answer {status} is taken away"));
            } else if !is.is_null() {
                let inside = self.content(was, is, Direction::Answered);
                found.extend(inside.into_iter().map(|what| format!("answer {status}{what}")));
            }
        }
        found
    }

    fn content(&self, was: &Value, is: &Value, direction: Direction) -> Vec<String> {
        let mut found = Vec::new();
        for (kind, before) in object(&was["content"]) {
            let now = &is["content"][kind];
            if now.is_null() {
                found.push(format!(": {kind} is taken away"));
            } else {
                found.extend(self.compare(&before["schema"], &now["schema"], direction));
            }
        }
        found
    }
}
