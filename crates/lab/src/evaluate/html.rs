//! The report of a prequential evaluation as one HTML file that needs nothing beside it.

use super::chart::{Chart, Series, Shape, Unit, escape};
use super::prequential::Prequential;
use super::summary::Scores;
use nearline_model::timestamp::format_rfc3339;
use nearline_terminal::grouped;
use std::fmt::Write as _;

/// The look of reports.
pub const STYLE: &str = "
:root { color-scheme: light dark; --text: #1c2430; --quiet: #5d6878; --line: #dfe4ea; --back: #fff; --own: #1768ac; --popular: #d1872c; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e9f0; --quiet: #98a4b5; --line: #303a47; --back: #12171e; --own: #5aaeea; --popular: #e5a44f; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 760px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .3rem; }
p { margin: .3rem 0; } .quiet { color: var(--quiet); }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.2rem 0; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem; flex: 1 1 6.2rem; }
.tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; } .tile span { color: var(--quiet); font-size: .85rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .5rem; border-bottom: 1px solid var(--line); } th:first-child, td:first-child { text-align: left; }
th { color: var(--quiet); font-weight: 500; } svg { width: 100%; height: auto; display: block; }
.grid { stroke: var(--line); } .tick, .axis { fill: var(--quiet); font: 11px system-ui, sans-serif; }
.line { fill: none; stroke-width: 2; } .line.own { stroke: var(--own); } .line.popular { stroke: var(--popular); }
.fill.own { fill: var(--own); } .fill.popular { fill: var(--popular); }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .4em 0 1em; }
.legend i.own { background: var(--own); margin-left: 0; } .legend i.popular { background: var(--popular); }
";

/// The report as a page.
pub fn page(report: &Prequential, source: &str, bad_lines: u64) -> String {
    let mut out = String::with_capacity(32_768);
    write_page(&mut out, report, source, bad_lines).expect("writing to a string does not fail");
    out
}

fn write_page(out: &mut String, report: &Prequential, source: &str, bad_lines: u64) -> std::fmt::Result {
    let k = report.options.k;
    let own = report.own();
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Nearline: prequential evaluation</title><style>{STYLE}</style></head><body>"
    )?;
    writeln!(out, "<h1>Prequential evaluation</h1>")?;
    let tested = report
        .tested
        .map(|(from, to)| format!(", from {} to {}", minute(from), minute(to)))
        .unwrap_or_default();
    let left_out = if bad_lines > 0 { format!("; {bad_lines} lines left out") } else { String::new() };
    writeln!(
        out,
        "<p class=\"quiet\">{} · {} events, {} members, {} titles · asked about the last {}{tested}{left_out}</p>",
        escape(source),
        grouped(report.events as u64),
        grouped(report.members as u64),
        grouped(report.titles as u64),
        grouped((report.events - report.train_events) as u64),
    )?;
    writeln!(
        out,
        "<p>Before each play or first rating of a title that the member had not seen: was it among the {k} \
         titles that would have been recommended just then? Then the event was learned.</p>"
    )?;
    writeln!(out, "<div class=\"tiles\">")?;
    for (value, name) in [
        (percent(own.hit_rate), format!("hit rate at {k} (± {})", percent(1.96 * own.hit_rate_error))),
        (decimal(own.mrr), format!("MRR at {k}")),
        (decimal(own.ndcg), format!("nDCG at {k}")),
        (percent(report.coverage()), "of all titles recommended".to_owned()),
        (format!("{} µs", grouped(report.query.quantile_us(0.99) as u64)), "p99 of a query".to_owned()),
    ] {
        writeln!(out, "<div class=\"tile\"><b>{value}</b><span>{name}</span></div>")?;
    }
    writeln!(out, "</div>")?;
    write_table(out, report)?;
    write_charts(out, report)?;
    writeln!(
        out,
        "<p class=\"quiet\">± is 1.96 standard errors, the queries of one member taken as one draw. \
         Mean self-information of what was recommended: {:.2} bits. A query took {:.0} µs (p50) and {:.0} µs \
         (p99), an event {:.0} µs and {:.0} µs, on one thread.</p></body></html>",
        report.novelty_bits,
        report.query.quantile_us(0.5),
        report.query.quantile_us(0.99),
        report.event.quantile_us(0.5),
        report.event.quantile_us(0.99),
    )
}

fn write_table(out: &mut String, report: &Prequential) -> std::fmt::Result {
    let k = report.options.k;
    writeln!(
        out,
        "<div class=\"scroll\"><table><tr><th></th><th>queries</th><th>hit rate at {k}</th><th>MRR at {k}</th>\
         <th>nDCG at {k}</th></tr>"
    )?;
    let (cold, warm) = (report.cold(true), report.cold(false));
    for (name, scores) in [
        ("recommended to the member", report.own()),
        ("popular, not seen", report.popular()),
        ("member with fewer than 5 titles", cold.0),
        ("the same, popular", cold.1),
        ("member with 5 titles or more", warm.0),
        ("the same, popular", warm.1),
    ] {
        let Scores { queries, hit_rate, mrr, ndcg, .. } = scores;
        writeln!(
            out,
            "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            grouped(queries as u64),
            percent(hit_rate),
            decimal(mrr),
            decimal(ndcg)
        )?;
    }
    writeln!(out, "</table></div>")
}

fn write_charts(out: &mut String, report: &Prequential) -> std::fmt::Result {
    let legend = "<p class=\"legend quiet\"><i class=\"own\"></i>recommended to the member\
                  <i class=\"popular\"></i>popular, not seen</p>";
    let parts = report.over_time();
    let chart = Chart {
        title: "Hit rate over time",
        axis: "time of the event, in parts of equally many queries",
        labels: parts.iter().map(|part| format_rfc3339(part.from_ms).chars().take(10).collect()).collect(),
        series: both(parts.iter().map(|part| (part.own, part.popular))),
        shape: Shape::Line,
        unit: Unit::Percent,
    };
    writeln!(out, "<h2>Hit rate over time</h2>{legend}\n{}", chart.svg())?;
    let classes = report.by_seen();
    let chart = Chart {
        title: "Hit rate by titles seen before",
        axis: "titles that the member had seen before",
        labels: classes.iter().map(|class| class.name.clone()).collect(),
        series: both(classes.iter().map(|class| (class.own, class.popular))),
        shape: Shape::Bars,
        unit: Unit::Percent,
    };
    writeln!(out, "<h2>Hit rate by length of history</h2>{legend}\n{}", chart.svg())?;
    let ranks = report.ranks();
    let chart = Chart {
        title: "Hits by rank",
        axis: "rank at which the title that was played had been recommended",
        labels: (1..=ranks.len()).map(|rank| rank.to_string()).collect(),
        series: vec![Series {
            name: "hits",
            class: "own",
            values: ranks.iter().map(|hits| *hits as f64).collect(),
        }],
        shape: Shape::Bars,
        unit: Unit::Count,
    };
    writeln!(out, "<h2>Hits by rank</h2>\n{}", chart.svg())
}

fn both<'a>(scores: impl Iterator<Item = (Scores, Scores)>) -> Vec<Series<'a>> {
    let (own, popular) = scores.map(|(own, popular)| (own.hit_rate, popular.hit_rate)).unzip();
    vec![
        Series { name: "recommended to the member", class: "own", values: own },
        Series { name: "popular, not seen", class: "popular", values: popular },
    ]
}

fn minute(ms: i64) -> String {
    format_rfc3339(ms).chars().take("2026-03-01T20:15".len()).collect::<String>().replace('T', " ")
}

/// A share as a percentage; a dash where there is none.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.2}\u{a0}%", share * 100.0) } else { "–".to_owned() }
}

/// A mean with four digits; a dash where there is none.
pub fn decimal(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "–".to_owned() }
}
