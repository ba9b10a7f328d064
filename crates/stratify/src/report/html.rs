//! A plan as one HTML page without scripts or outside resources; plots are inline SVG.

use std::fmt::Write as _;

use crate::{Census, Plan};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1c2330}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.15rem .7rem;text-align:right;border-bottom:1px solid #e3e6ec}\
td:first-child,th:first-child{text-align:left}.data{fill:#b9c2d0}.target{fill:#e2a33d}.sample{fill:#2f6fab}\
.bad{color:#a3262a}svg text{font:12px system-ui,sans-serif;fill:#1c2330}";

/// The page: what came of the rules, a plot per key, the sums and strata. `facts` are names and values for the head.
pub fn html(plan: &Plan, facts: &[(&str, String)]) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Stratified sample</title>",
    );
    let _ = write!(page, "<style>{STYLE}</style><h1>Stratified sample</h1>{}", fragment(plan, facts));
    page.push_str("</html>\n");
    page
}

/// The page's body, for notebooks.
pub fn fragment(plan: &Plan, facts: &[(&str, String)]) -> String {
    let mut out = String::new();
    let text = crate::report::text(plan);
    let head = text.lines().next().unwrap_or_default();
    let class = if plan.conflicts.is_empty() { "" } else { " class=\"bad\"" };
    let _ = write!(out, "<p{class}><strong>{}</strong></p><table>", escape(head));
    for (name, value) in facts {
        let _ = write!(out, "<tr><td>{}</td><td>{}</td></tr>", escape(name), escape(value));
    }
    out.push_str("</table>");
    if !plan.conflicts.is_empty() {
        out.push_str("<h2>Conflicts</h2><ul>");
        for conflict in &plan.conflicts {
            let _ = write!(
                out,
                "<li><b>{}</b>: {}</li>",
                escape(&conflict.rules.join(", ")),
                escape(&conflict.detail)
            );
        }
        out.push_str("</ul>");
    }
    for key in 0..plan.keys.len() {
        let _ = write!(out, "<h2>{}</h2>{}", escape(&plan.keys[key]), plot(plan, key));
    }
    sums(plan, &mut out);
    strata(plan, &mut out);
    out
}

/// Shares of a key's levels before, wanted and after, as bars.
fn plot(plan: &Plan, key: usize) -> String {
    let names: Vec<&str> = plan.keys.iter().map(String::as_str).collect();
    let census =
        Census::count(&names, plan.strata.iter().map(|stratum| (stratum.levels.clone(), stratum.available)));
    let mut bars = Vec::new();
    let totals = plan.strata.iter().fold((0.0, 0.0, 0.0), |sum, stratum| {
        (sum.0 + stratum.available as f64, sum.1 + stratum.target, sum.2 + stratum.take as f64)
    });
    for (level, strata) in census.groups(&[key]) {
        let of = |pick: fn(&crate::PlannedStratum) -> f64, total: f64| {
            if total > 0.0 {
                strata.iter().map(|stratum| pick(&plan.strata[*stratum])).sum::<f64>() / total
            } else {
                0.0
            }
        };
        bars.push((
            level,
            [
                of(|s| s.available as f64, totals.0),
                of(|s| s.target, totals.1),
                of(|s| s.take as f64, totals.2),
            ],
        ));
    }
    let shown = &bars[..bars.len().min(40)];
    let most = shown.iter().flat_map(|(_, shares)| *shares).fold(1e-9, f64::max);
    let mut svg = format!("<svg width=\"760\" height=\"{}\" role=\"img\">", 24 + 44 * shown.len());
    svg.push_str("<text x=\"180\" y=\"14\">share of the data (grey), of the target (yellow), of the sample (blue)</text>");
    for (place, (level, shares)) in shown.iter().enumerate() {
        let top = 24 + 44 * place;
        let _ =
            write!(svg, "<text x=\"170\" y=\"{}\" text-anchor=\"end\">{}</text>", top + 22, escape(level));
        for (bar, (share, class)) in shares.iter().zip(["data", "target", "sample"]).enumerate() {
            let (width, y) = (500.0 * share / most, top + 12 * bar);
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"180\" y=\"{y}\" width=\"{width:.1}\" height=\"10\"/>"
            );
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\">{:.2} %</text>",
                186.0 + width,
                y + 10,
                100.0 * share
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

fn sums(plan: &Plan, out: &mut String) {
    out.push_str("<h2>Sums that rules are about</h2><table><tr><th>rule</th><th>at least</th><th>at most</th><th>gets</th><th>rows there are</th><th>missed by</th></tr>");
    let text = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
    for sum in plan.sums.iter().take(200) {
        let class = if sum.missed >= 1.0 - 1e-6 { " class=\"bad\"" } else { "" };
        let _ = write!(
            out,
            "<tr{class}><td>{}</td><td>{}</td><td>{}</td><td>{:.0}</td><td>{}</td><td>{:.2}</td></tr>",
            escape(&sum.part),
            text(sum.at_least),
            text(sum.at_most),
            sum.gets,
            sum.available,
            sum.missed
        );
    }
    out.push_str("</table>");
}

fn strata(plan: &Plan, out: &mut String) {
    let _ = write!(
        out,
        "<h2>Strata</h2><table><tr><th>{}</th><th>rows</th><th>target</th><th>taken</th><th>weight</th></tr>",
        escape(&plan.keys.join(" · "))
    );
    for stratum in plan.strata.iter().take(1000) {
        let levels = escape(&stratum.levels.join(" · "));
        let _ = write!(
            out,
            "<tr><td>{levels}</td><td>{}</td><td>{:.2}</td><td>{}</td><td>{:.3}</td></tr>",
            stratum.available, stratum.target, stratum.take, stratum.weight
        );
    }
    out.push_str("</table>");
    if plan.strata.len() > 1000 {
        let _ = write!(out, "<p>{} more strata are in the JSON report.</p>", plan.strata.len() - 1000);
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
