//! What a benchmark found: figures with their units in their names, beside the budget.

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde_json::{Map, Value, json};

/// Figures of one benchmark.
pub struct Report {
    bench: &'static str,
    backend: &'static str,
    figures: Vec<(&'static str, f64)>,
    budget: &'static str,
}

impl Report {
    pub fn new(bench: &'static str, backend: &'static str, budget: &'static str) -> Self {
        Self { bench, backend, figures: Vec::new(), budget }
    }

    /// Adds a figure.
    pub fn figure(mut self, name: &'static str, value: f64) -> Self {
        self.figures.push((name, value));
        self
    }

    fn json(&self) -> Value {
        let mut object = Map::from_iter([
            ("bench".to_owned(), json!(self.bench)),
            ("backend".to_owned(), json!(self.backend)),
        ]);
        for (name, value) in &self.figures {
            object.insert((*name).to_owned(), json!((value * 10_000.0).round() / 10_000.0));
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
    table.load_style(UTF8_FULL_CONDENSED).set_header(["bench", "backend", "figure", "value", "budget"]);
    for report in reports {
        for (at, (name, value)) in report.figures.iter().enumerate() {
            let (bench, backend) = if at == 0 { (report.bench, report.backend) } else { ("", "") };
            let budget = if at == 0 { report.budget } else { "" };
            table.add_row([bench, backend, name, &readable(*value), budget]);
        }
    }
    println!("{table}");
}

fn readable(value: f64) -> String {
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
