//! The audit as one HTML file that needs nothing beside it.

use std::fmt::Write as _;

use nearline_terminal::grouped;

use super::{AuditReport, Table};
use crate::evaluate::chart::{Chart, Series, Shape, Unit, escape};
use crate::evaluate::html::STYLE;

/// Days that a chart shows: the newest.
const SHOWN_DAYS: usize = 60;

/// The report as a page.
pub fn page(report: &AuditReport) -> String {
    let mut out = String::with_capacity(32_768);
    write_page(&mut out, report).expect("writing to a string does not fail");
    out
}

fn write_page(out: &mut String, report: &AuditReport) -> std::fmt::Result {
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Nearline: audit of facts</title><style>{STYLE}</style></head><body>\n<h1>Audit of facts</h1>"
    )?;
    match report.findings.is_empty() {
        true => writeln!(out, "<p>All is well.</p>")?,
        false => {
            writeln!(out, "<ul>")?;
            report.findings.iter().try_for_each(|finding| writeln!(out, "<li>{}</li>", escape(finding)))?;
            writeln!(out, "</ul>")?;
        }
    }
    let (events, covered) = report
        .coverage
        .iter()
        .fold((0, 0), |(events, covered), of| (events + of.events, covered + of.covered.min(of.events)));
    let served = &report.served;
    writeln!(out, "<div class=\"tiles\">")?;
    let mut tiles = vec![
        (format!("{} of {}", grouped(covered), grouped(events)), "events without a fact left out".to_owned()),
        (
            format!("{} of {}", grouped(served.equal), grouped(served.answers)),
            format!("answers to {} % of the members were made of what is kept", report.sample * 100.0),
        ),
    ];
    if let Some(refolded) = &report.refolded {
        let equal = format!("{} of {}", grouped(refolded.equal), grouped(refolded.facts));
        tiles.push((equal, "of their facts are byte for byte what the events tell".to_owned()));
    }
    for (value, name) in tiles {
        writeln!(out, "<div class=\"tile\"><b>{value}</b><span>{name}</span></div>")?;
    }
    writeln!(out, "</div>")?;
    report.tables.iter().try_for_each(|table| write_table(out, table))?;
    writeln!(out, "</body></html>")
}

fn write_table(out: &mut String, table: &Table) -> std::fmt::Result {
    writeln!(
        out,
        "<h2>{}</h2><p class=\"quiet\">{} rows in {} files, {} bytes</p>",
        escape(&table.table),
        grouped(table.rows),
        grouped(table.files),
        grouped(table.bytes)
    )?;
    let days = &table.days[table.days.len().saturating_sub(SHOWN_DAYS)..];
    if !days.is_empty() {
        let chart = Chart {
            title: "Rows by day",
            axis: "day on which they became known, UTC",
            labels: days.iter().map(|day| day.day.clone()).collect(),
            series: vec![Series {
                name: "rows",
                class: "own",
                values: days.iter().map(|day| day.rows as f64).collect(),
            }],
            shape: Shape::Bars,
            unit: Unit::Count,
        };
        writeln!(out, "{}", chart.svg())?;
    }
    let rows = table.rows.max(1) as f64;
    let with_nulls: Vec<_> = table.columns.iter().filter(|column| column.nulls > 0).collect();
    if !with_nulls.is_empty() {
        let chart = Chart {
            title: "Nulls by column",
            axis: "column, of those that have any",
            labels: with_nulls.iter().map(|column| column.column.clone()).collect(),
            series: vec![Series {
                name: "nulls",
                class: "popular",
                values: with_nulls.iter().map(|column| column.nulls as f64 / rows).collect(),
            }],
            shape: Shape::Bars,
            unit: Unit::Percent,
        };
        writeln!(out, "{}", chart.svg())?;
    }
    Ok(())
}
