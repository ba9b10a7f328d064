//! The timeline as SVG: four panels over one axis of time.

use super::escaped;
use crate::live::inject::Injection;
use crate::live::report::Report;
use crate::live::seconds::Second;
use std::fmt::Write;

/// Sizes in pixels: the whole, the room for labels at the left, each panel and the room above it.
const WIDTH: f64 = 1_200.0;
const LEFT: f64 = 128.0;
const PANEL: f64 = 120.0;
const ABOVE: f64 = 28.0;
/// Height of the lane of one kind of fault.
const LANE: f64 = 16.0;
/// Latency at the top of its panel, in milliseconds, and at its foot; the axis is logarithmic.
const TOP_MS: f64 = 3_000.0;
const FOOT_MS: f64 = 0.3;
/// Steps between the times written below, in seconds.
const TICKS_S: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0];
/// Bars of the whole width at most: seconds are put together beyond.
const BARS: usize = 600;

/// Sources of answers, in the order of [`Second::queries`], with their colours.
pub(super) const SOURCES: [(&str, &str); 4] =
    [("live", "#2a9d8f"), ("store", "#e9c46a"), ("popular", "#f4a261"), ("failed", "#d62828")];

struct Plot {
    svg: String,
    total_s: f64,
    top: f64,
}

impl Plot {
    fn x(&self, seconds: f64) -> f64 {
        LEFT + (WIDTH - LEFT) * (seconds / self.total_s).clamp(0.0, 1.0)
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let _ =
            write!(self.svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>", escaped(text));
    }

    fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        let _ = write!(
            self.svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\"/>"
        );
    }

    /// A line across the panel at `share` of its height, with what it stands for.
    fn guide(&mut self, share: f64, label: &str) {
        let y = self.top + PANEL * (1.0 - share);
        let _ = write!(
            self.svg,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }

    fn begin(&mut self, title: &str) {
        self.top += ABOVE;
        self.text(LEFT, self.top - 8.0, "title", title);
    }

    fn end(&mut self) {
        self.top += PANEL;
    }

    /// A line through shares of the panel's height.
    fn line(&mut self, shares: impl Iterator<Item = (f64, Option<f64>)>, colour: &str) {
        let mut points = String::new();
        let mut lines = Vec::new();
        for (seconds, share) in shares {
            match share {
                Some(share) => {
                    let y = self.top + PANEL * (1.0 - share.clamp(0.0, 1.0));
                    let _ = write!(points, "{:.1},{y:.1} ", self.x(seconds));
                }
                None => lines.push(std::mem::take(&mut points)),
            }
        }
        lines.push(points);
        for points in lines.iter().filter(|points| !points.is_empty()) {
            let _ = write!(
                self.svg,
                "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
            );
        }
    }
}

/// Seconds put together so that bars can be told apart.
struct Bar {
    from_s: f64,
    long_s: f64,
    acknowledged_per_s: f64,
    queries_per_s: [f64; 4],
    p99_ms: Option<f64>,
}

fn bars(seconds: &[Second]) -> Vec<Bar> {
    let together = seconds.len().div_ceil(BARS).max(1);
    // The last second is not whole.
    let whole = &seconds[..seconds.len().saturating_sub(1)];
    let chunks = whole.chunks(together).enumerate();
    chunks
        .map(|(at, chunk)| {
            let long_s = chunk.len() as f64;
            let per_s = |count: u64| count as f64 / long_s;
            Bar {
                from_s: (at * together) as f64,
                long_s,
                acknowledged_per_s: per_s(chunk.iter().map(|second| second.acknowledged).sum()),
                queries_per_s: [0, 1, 2, 3]
                    .map(|source| per_s(chunk.iter().map(|second| second.queries[source]).sum())),
                p99_ms: chunk.iter().filter_map(|second| second.p99_ms).reduce(f64::max),
            }
        })
        .collect()
}

/// A round number at or above `value`.
fn ceiling(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0];
    steps.map(|step| step * power).into_iter().find(|step| *step >= value).unwrap_or(10.0 * power)
}

/// The whole timeline.
pub(super) fn plot(report: &Report) -> String {
    let bars = bars(&report.seconds.0);
    let labels: Vec<&str> = report.faults.iter().map(|fault| fault.fault.as_str()).collect();
    let lanes = ABOVE + LANE * labels.len() as f64;
    let height = 3.0 * (PANEL + ABOVE) + lanes + 24.0;
    let svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" width=\"100%\" role=img>");
    let mut plot = Plot { svg, total_s: report.duration_s.max(1.0), top: 0.0 };
    for injection in &report.injections {
        let (from, until) = (injection.at.as_secs_f64(), injection.settled.as_secs_f64());
        let (x, wide) = (plot.x(from), (plot.x(until) - plot.x(from)).max(0.7));
        plot.rectangle((x, 0.0), (wide, height - 20.0), "#0000000d");
    }
    queries(&mut plot, &bars);
    latency(&mut plot, &bars, report.query_within_ms as f64);
    events(&mut plot, &bars);
    marks(&mut plot, &labels, &report.injections);
    let step = TICKS_S.into_iter().find(|step| plot.total_s / step <= 15.0).unwrap_or(3_600.0);
    for tick in 0..(plot.total_s / step).ceil() as u32 {
        let seconds = step * f64::from(tick);
        plot.text(plot.x(seconds), height - 4.0, "", &format!("{seconds:.0} s"));
    }
    plot.svg.push_str("</svg>");
    plot.svg
}

fn queries(plot: &mut Plot, bars: &[Bar]) {
    plot.begin("queries/s by source");
    let most = ceiling(bars.iter().map(|bar| bar.queries_per_s.iter().sum()).fold(1.0, f64::max));
    for bar in bars {
        let (x, mut y) = (plot.x(bar.from_s), plot.top + PANEL);
        let wide = plot.x(bar.from_s + bar.long_s) - x;
        for ((_, colour), count) in SOURCES.iter().zip(bar.queries_per_s) {
            let high = PANEL * count / most;
            y -= high;
            if count > 0.0 {
                plot.rectangle((x, y), (wide + 0.2, high), colour);
            }
        }
    }
    for share in [0.0, 0.5, 1.0] {
        plot.guide(share, &format!("{}", (most * share).round()));
    }
    plot.end();
}

fn latency(plot: &mut Plot, bars: &[Bar], within_ms: f64) {
    plot.begin("latency p99 of each second");
    let share = |ms: f64| (ms.max(FOOT_MS) / FOOT_MS).ln() / (TOP_MS / FOOT_MS).ln();
    for ms in [1.0, 10.0, 100.0, 1_000.0] {
        plot.guide(share(ms), &format!("{ms} ms"));
    }
    let bound = share(within_ms);
    plot.line([(0.0, Some(bound)), (plot.total_s, Some(bound))].into_iter(), "#d6282880");
    plot.line(bars.iter().map(|bar| (bar.from_s + bar.long_s / 2.0, bar.p99_ms.map(share))), "#264653");
    plot.end();
}

fn events(plot: &mut Plot, bars: &[Bar]) {
    plot.begin("events/s acknowledged");
    let most = ceiling(bars.iter().map(|bar| bar.acknowledged_per_s).fold(1.0, f64::max));
    for share in [0.0, 0.5, 1.0] {
        plot.guide(share, &format!("{}", (most * share).round()));
    }
    let shares = bars.iter().map(|bar| (bar.from_s + bar.long_s / 2.0, Some(bar.acknowledged_per_s / most)));
    plot.line(shares, "#6d597a");
    plot.end();
}

fn marks(plot: &mut Plot, labels: &[&str], injections: &[Injection]) {
    plot.begin("faults");
    for label in labels {
        let middle = plot.top + LANE / 2.0;
        let _ = write!(
            plot.svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\" stroke=\"#eee\"/>",
            LEFT - 6.0,
            middle + 4.0,
            escaped(label)
        );
        for injection in injections.iter().filter(|injection| injection.label == *label) {
            let (from, until) = (injection.at.as_secs_f64(), injection.settled.as_secs_f64());
            let fill = if injection.recover_ms.is_some() { "#264653" } else { "#d62828" };
            let _ = write!(
                plot.svg,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.2}\" height=\"{:.1}\" rx=\"1.5\" fill=\"{fill}\">\
                 <title>{}</title></rect>",
                plot.x(from),
                plot.top + 3.0,
                (plot.x(until) - plot.x(from)).max(2.0),
                LANE - 6.0,
                escaped(&injection.line())
            );
        }
        plot.top += LANE;
    }
}

#[cfg(test)]
mod tests {
    use super::{bars, ceiling};
    use crate::live::seconds::Second;

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(
            [ceiling(301.0), ceiling(1_000.0), ceiling(0.0), ceiling(19_900.0)],
            [500.0, 1e3, 1.0, 2e4]
        );
    }

    #[test]
    fn long_runs_are_put_together_into_few_bars_of_rates() {
        let second = Second { acknowledged: 10, queries: [4, 0, 0, 0], ..Second::default() };
        let bars = bars(&vec![second; 1_801]);
        assert_eq!(bars.len(), 450);
        assert!((bars[0].acknowledged_per_s - 10.0).abs() < 1e-9 && (bars[449].long_s - 4.0).abs() < 1e-9);
    }
}
