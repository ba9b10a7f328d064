//! CSV of decisions (RFC 4180, but a quoted field ends on its line): rows as the NDJSON would have them.

use super::LineError;
use serde_json::{Map, Value};

/// Gives each row to `take`, with its line, as an object: `policy.a` becomes `a` of `policy`.
pub(super) fn rows(
    text: &str,
    mut take: impl FnMut(usize, Map<String, Value>) -> Result<(), LineError>,
) -> Result<(), LineError> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let Some((at, header)) = lines.next() else { return Ok(()) };
    let header = fields(header).map_err(|problem| LineError::new(at + 1, problem))?;
    for (at, line) in lines {
        let problem = |problem| LineError::new(at + 1, problem);
        let values = fields(line).map_err(problem)?;
        if values.len() != header.len() {
            let columns = if values.len() == 1 { "column" } else { "columns" };
            return Err(problem(format!("has {} {columns}; the header has {}", values.len(), header.len())));
        }
        let mut row = Map::new();
        for (name, text) in header.iter().zip(values) {
            let of_action = name.split_once('.').filter(|(of, _)| ["policy", "reward_model"].contains(of));
            match of_action {
                // An empty prediction is none.
                Some(_) if text.is_empty() => {}
                Some((of, action)) => {
                    let values = row.entry(of).or_insert_with(|| Value::Object(Map::new()));
                    if let Value::Object(values) = values {
                        values.insert(action.to_owned(), scalar(text));
                    }
                }
                None if name == "action" => drop(row.insert(name.clone(), Value::String(text))),
                None => drop(row.insert(name.clone(), scalar(text))),
            }
        }
        take(at + 1, row)?;
    }
    Ok(())
}

fn scalar(text: String) -> Value {
    match text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
        Some(number) => Value::Number(number),
        None => Value::String(text),
    }
}

fn fields(line: &str) -> Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let last = fields.len() - 1;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                fields[last].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields[last].push(other),
        }
    }
    if quoted { Err("has a quote that does not end on the line".into()) } else { Ok(fields) }
}
