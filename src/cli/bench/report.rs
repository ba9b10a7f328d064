//! What a benchmark found: figures with their units in their names, beside the budget.

use super::paired::median;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Figures of one benchmark.
pub struct Report {
    bench: &'static str,
    backend: &'static str,
    figures: Vec<Figure>,
    budget: &'static str,
}

/// One figure: the median of all runs, the least and the greatest.
struct Figure {
    name: Cow<'static, str>,
    value: f64,
    spread: Option<(f64, f64)>,
}

impl Report {
    pub fn new(bench: &'static str, backend: &'static str, budget: &'static str) -> Self {
        Self { bench, backend, figures: Vec::new(), budget }
    }

    /// Adds a figure.
    pub fn figure(mut self, name: impl Into<Cow<'static, str>>, value: f64) -> Self {
        self.figures.push(Figure { name: name.into(), value, spread: None });
        self
    }

    /// The same benchmark's report of a run that printed `json`.
    pub fn of_json(&self, json: &Value) -> Self {
        let figures = self.figures.iter().filter_map(|Figure { name, .. }| {
            Some(Figure { name: name.clone(), value: json.get(&**name)?.as_f64()?, spread: None })
        });
        Self { figures: figures.collect(), ..*self }
    }

    /// Reports of several runs of one benchmark as one.
    pub fn together(mut runs: Vec<Self>) -> Option<Self> {
        let mut together = runs.pop()?;
        if runs.is_empty() {
            return Some(together);
        }
        for figure in &mut together.figures {
            let same = runs.iter().flat_map(|run| &run.figures).filter(|other| other.name == figure.name);
            let mut values: Vec<f64> = same.map(|other| other.value).collect();
            values.push(figure.value);
            figure.value = median(&mut values);
            figure.spread = Some((values[0], values[values.len() - 1]));
        }
        Some(together)
    }

    fn json(&self) -> Value {
        let mut object = Map::from_iter([
            ("bench".to_owned(), json!(self.bench)),
            ("backend".to_owned(), json!(self.backend)),
        ]);
        let rounded = |value: f64| json!((value * 10_000.0).round() / 10_000.0);
        for Figure { name, value, .. } in &self.figures {
            object.insert(name.to_string(), rounded(*value));
        }
        let spreads = self.figures.iter().filter_map(|figure| {
            let (least, greatest) = figure.spread?;
            Some((figure.name.to_string(), json!([rounded(least), rounded(greatest)])))
        });
        let spreads = Map::from_iter(spreads);
        if !spreads.is_empty() {
            object.insert("spread".to_owned(), Value::Object(spreads));
        }
        object.insert("budget".to_owned(), json!(self.budget));
        Value::Object(object)
    }
}

/// Prints reports as a table, or as one JSON object a line.
pub fn print(reports: &[Report], json: bool) {
    if json {
        for report in reports {
            println!("{}", report.json());
        }
        return;
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "bench",
        "backend",
        "figure",
        "value",
        "least to greatest",
        "budget",
    ]);
    for report in reports {
        for (at, Figure { name, value, spread }) in report.figures.iter().enumerate() {
            let (bench, backend) = if at == 0 { (report.bench, report.backend) } else { ("", "") };
            let budget = if at == 0 { report.budget } else { "" };
            let spread = spread.map_or(String::new(), |(least, greatest)| {
                format!("{} to {}", readable(least), readable(greatest))
            });
            table.add_row([bench, backend, name, &readable(*value), &spread, budget]);
        }
    }
    println!("{table}");
}

/// Digits in groups of three where there are many.
pub fn readable(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        let digits = format!("{value:.0}");
        let mut grouped = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_runs_are_their_median_and_their_spread() {
        let run = |value| Report::new("fold", "memory", "").figure("events_per_s", value);
        let together = Report::together(vec![run(3.0), run(9.0), run(1.0)]).expect("there are runs");
        assert_eq!(together.json()["events_per_s"], 3.0);
        assert_eq!(together.json()["spread"]["events_per_s"], json!([1.0, 9.0]));
        assert_eq!(run(3.0).of_json(&run(7.0).json()).json(), run(7.0).json());
        let even = Report::together(vec![run(1.0), run(2.0)]).expect("there are runs");
        assert_eq!(even.json()["events_per_s"], 1.5);
        assert_eq!(run(1.0).json().get("spread"), None);
        assert!(Report::together(Vec::new()).is_none());
    }
}
