//! The report as one HTML page: figures, and a timeline of faults, answers and their latency.

use super::query::Answered;
use super::run::Course;
use std::fmt::Write;
use std::time::Duration;

/// Size of the plot, in pixels.
const WIDTH: f64 = 1_100.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 56.0;
/// Height of the part that shows where answers come from.
const SOURCES: f64 = 110.0;
/// Latency at the top of the plot, in milliseconds; the axis is logarithmic, from 0.1.
const TOP_MS: f64 = 3_000.0;
const COLOURS: [(&str, Answered, &str); 4] = [
    ("live", Answered::Live, "#2a9d8f"),
    ("store", Answered::Store, "#e9c46a"),
    ("popular", Answered::Popular, "#f4a261"),
    ("failed", Answered::Failed, "#d62828"),
];

/// The page.
pub fn page(course: &Course) -> String {
    let report = &course.report;
    let verdict = if report.held() { "every invariant held" } else { "INVARIANTS WERE BROKEN" };
    let mut page = String::from(HEAD);
    let _ = write!(page, "<h1>Chaos run <em>{}</em>: {verdict}</h1>", escaped(&report.plan));
    let _ = write!(page, "<pre>{}</pre>", escaped(&report.table()));
    page.push_str(
        "<h2>Timeline</h2><p>Grey bands: faults, from the injection to the recovery. Above: p99 of \
                   queries, milliseconds from when they were due. Below: where answers came from.</p>",
    );
    page.push_str(&plot(course));
    page.push_str("<p>");
    for (name, _, colour) in COLOURS {
        let _ = write!(page, "<span class=key style=\"background:{colour}\"></span>{name} ");
    }
    page.push_str("</p><h2>Injections</h2><table><tr><th>at s<th>fault<th>noticed<th>after ms<th>recovered after ms</tr>");
    for injection in &course.injections {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        let _ = write!(
            page,
            "<tr><td>{:.2}<td>{}<td>{}<td>{}<td>{}</tr>",
            injection.at.as_secs_f64(),
            escaped(&injection.label),
            escaped(injection.noticed.as_deref().unwrap_or("-")),
            number(injection.detect_ms),
            number(injection.recover_ms)
        );
    }
    page.push_str("</table></body></html>\n");
    page
}

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Nearline chaos run</title><style>\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1180px;color:#222}pre{overflow-x:auto;\
background:#f6f6f4;padding:1rem;font-size:12.5px;line-height:1.3}table{border-collapse:collapse}td,th{padding:.15rem .7rem;\
text-align:left;border-bottom:1px solid #ddd}.key{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}\
svg text{font:11px system-ui,sans-serif;fill:#555}</style><body>";

struct Bin {
    counts: [u64; 4],
    took_ms: Vec<f64>,
}

fn plot(course: &Course) -> String {
    let total_s = course.report.duration_s.max(1.0);
    let x = |seconds: f64| LEFT + (WIDTH - LEFT) * (seconds / total_s).min(1.0);
    let bottom = HEIGHT - SOURCES - 30.0;
    let y = |ms: f64| bottom - (bottom - 10.0) * ((ms.max(0.1) / 0.1).ln() / (TOP_MS / 0.1).ln()).min(1.0);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"100%\" role=img>");
    for injection in &course.injections {
        let from = injection.at.as_secs_f64();
        let recovery = Duration::from_secs_f64(injection.recover_ms.unwrap_or(0.0) / 1_000.0);
        let until = from + injection.lasted.max(recovery).as_secs_f64();
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"0\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#0002\"><title>{}</title></rect>",
            x(from),
            (x(until) - x(from)).max(1.5),
            HEIGHT - 20.0,
            escaped(&injection.label)
        );
    }
    for ms in [1.0, 10.0, 100.0, 1_000.0] {
        let at = y(ms);
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ccc\"/><text x=\"0\" y=\"{:.1}\">{ms} ms</text>",
            at + 4.0
        );
    }
    let bins = bins(course, total_s);
    let wide = (WIDTH - LEFT) / bins.len() as f64;
    let mut line = String::new();
    for (at, bin) in bins.iter().enumerate() {
        let left = LEFT + wide * at as f64;
        if let Some(p99) = super::percentile::percentile(&bin.took_ms, 0.99) {
            let _ = write!(line, "{:.1},{:.1} ", left + wide / 2.0, y(p99));
        }
        let all: u64 = bin.counts.iter().sum();
        let mut top = HEIGHT - 20.0;
        for ((_, _, colour), count) in COLOURS.iter().zip(bin.counts) {
            let high = SOURCES * count as f64 / all.max(1) as f64;
            top -= high;
            if count > 0 {
                let _ = write!(
                    svg,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{high:.1}\" fill=\"{colour}\"/>",
                    wide + 0.3
                );
            }
        }
    }
    let _ =
        write!(svg, "<polyline points=\"{line}\" fill=\"none\" stroke=\"#264653\" stroke-width=\"1.4\"/>");
    for tenth in 0..=10 {
        let seconds = total_s * f64::from(tenth) / 10.0;
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\">{seconds:.0} s</text>",
            x(seconds) - 12.0,
            HEIGHT - 4.0
        );
    }
    svg.push_str("</svg>");
    svg
}

fn bins(course: &Course, total_s: f64) -> Vec<Bin> {
    let count = (total_s * 4.0).clamp(20.0, 400.0) as usize;
    let mut bins: Vec<Bin> = (0..count).map(|_| Bin { counts: [0; 4], took_ms: Vec::new() }).collect();
    for sample in &course.samples {
        let at = (sample.due.as_secs_f64() / total_s * count as f64) as usize;
        let bin = &mut bins[at.min(count - 1)];
        bin.took_ms.push(sample.took.as_secs_f64() * 1_000.0);
        let kind = COLOURS.iter().position(|(_, answered, _)| *answered == sample.answered).unwrap_or(3);
        bin.counts[kind] += 1;
    }
    bins
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
