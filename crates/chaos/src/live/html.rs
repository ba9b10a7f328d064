//! The report as one HTML page: figures, and a timeline of events, answers, their latency and faults.

mod plot;

use super::report::{FaultFigures, Report};
use plot::{SOURCES, plot};
use std::fmt::Write;

/// The page.
pub fn page(report: &Report) -> String {
    let held = report.held();
    let verdict = if held { "every invariant held" } else { "invariants were broken" };
    let class = if held { "held" } else { "broken" };
    let mut page = String::from(HEAD);
    let _ = write!(
        page,
        "<h1>Chaos run <em>{}</em> <span class={class}>{verdict}</span></h1>",
        escaped(&report.plan)
    );
    tiles(&mut page, report);
    page.push_str("<h2>Timeline</h2><p class=keys>Queries a second by source of the answer:");
    for (name, colour) in SOURCES {
        let _ = write!(page, "<span class=key style=\"background:{colour}\"></span>{name}");
    }
    page.push_str(
        ". Latency counts from when a query was due. Below, a mark for each fault, from the injection until \
         everything was settled; red: it did not recover.</p>",
    );
    page.push_str(&plot(report));
    faults(&mut page, &report.faults);
    injections(&mut page, report);
    let _ = write!(page, "<h2>As text</h2><pre>{}</pre></body></html>", escaped(&report.table()));
    page.push('\n');
    page
}

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Nearline chaos run</title><style>\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1240px;padding:0 1rem;color:#222}\
h1{font-weight:600}h1 span{font-size:15px;padding:.2rem .7rem;border-radius:1rem;color:#fff;vertical-align:middle}\
.held{background:#2a9d8f}.broken{background:#d62828}\
.tiles{display:flex;flex-wrap:wrap;gap:.8rem;margin:1rem 0}.tiles div{background:#f6f6f4;border-radius:.5rem;\
padding:.6rem 1rem;min-width:8rem}.tiles b{display:block;font-size:21px;font-weight:600}.tiles span{color:#666;font-size:13px}\
.keys{color:#555}pre{overflow-x:auto;background:#f6f6f4;padding:1rem;font-size:12px;line-height:1.3}\
table{border-collapse:collapse;font-size:14px}td,th{padding:.15rem .7rem;text-align:right;border-bottom:1px solid #ddd;\
font-variant-numeric:tabular-nums}th{font-weight:600;color:#555}.left{text-align:left}td.bad{color:#d62828;font-weight:600}\
.key{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 .8em;border-radius:2px}\
svg text{font:11px system-ui,sans-serif;fill:#555}svg .title{font-weight:600;fill:#222}</style><body>";

fn tiles(page: &mut String, report: &Report) {
    page.push_str("<div class=tiles>");
    let mut tile = |value: String, what: &str| {
        let _ = write!(page, "<div><b>{value}</b><span>{what}</span></div>");
    };
    let minutes = report.duration_s / 60.0;
    if let Some(verdict) = &report.verdict {
        tile(verdict.acknowledged.to_string(), "events acknowledged");
        tile(verdict.lost.to_string(), "lost");
        tile(verdict.doubled.to_string(), "doubled");
        let all = verdict.partitions_equal + verdict.partitions_differing;
        tile(format!("{} of {all}", verdict.partitions_equal), "partitions equal to the fold");
    }
    tile(
        format!("{:.3} %", report.query_availability * 100.0),
        &format!("queries answered within {} ms", report.query_within_ms),
    );
    tile(format!("{:.0}", report.events_per_s), &format!("events/s, {} wanted", report.events_per_s_wanted));
    tile(report.injections.len().to_string(), &format!("faults in {minutes:.1} minutes"));
    tile(report.nodes.to_string(), "nodes");
    page.push_str("</div>");
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.1}"))
}

fn faults(page: &mut String, faults: &[FaultFigures]) {
    page.push_str(
        "<h2>Faults</h2><table><tr><th class=left>fault<th>injections<th>recovered<th>detect p50 ms<th>p99\
         <th>recover p50 ms<th>p99<th>gap p50 ms<th>max<th>budget<th>queries in time</tr>",
    );
    for fault in faults {
        let bad = |is_bad: bool| if is_bad { " class=bad" } else { "" };
        let _ = write!(
            page,
            "<tr><td class=left>{}<td>{}<td{}>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td{}>{}<td>{}<td>{}</tr>",
            escaped(&fault.fault),
            fault.injections,
            bad(fault.recovered < fault.injections),
            fault.recovered,
            number(fault.detect_p50_ms),
            number(fault.detect_p99_ms),
            number(fault.recover_p50_ms),
            number(fault.recover_p99_ms),
            number(fault.gap_p50_ms),
            bad(fault.gaps_over_budget > 0),
            number(fault.gap_max_ms),
            fault.gap_budget_ms.map_or(String::new(), |budget| budget.to_string()),
            fault.query_availability.map_or("-".to_owned(), |share| format!("{:.2} %", share * 100.0)),
        );
    }
    page.push_str("</table>");
}

fn injections(page: &mut String, report: &Report) {
    page.push_str(
        "<h2>Injections</h2><table><tr><th>at s<th class=left>fault<th class=left>noticed<th>after ms\
         <th>recovered after ms<th>gap ms<th class=left>trouble</tr>",
    );
    for injection in &report.injections {
        let bad = if injection.recover_ms.is_none() { " class=bad" } else { "" };
        let _ = write!(
            page,
            "<tr><td>{:.2}<td class=left>{}<td class=left>{}<td>{}<td{bad}>{}<td>{:.1}<td class=\"left bad\">{}</tr>",
            injection.at.as_secs_f64(),
            escaped(&injection.label),
            escaped(injection.noticed.as_deref().unwrap_or("-")),
            number(injection.detect_ms),
            number(injection.recover_ms),
            injection.gap_ms(),
            escaped(injection.trouble.as_deref().unwrap_or_default()),
        );
    }
    page.push_str("</table>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
