//! Small charts as inline SVG: lines over ordered classes, and bars. No script, no font, no file beside.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;
/// Width that a character of a label takes at most, and the room between two labels.
const CHARACTER: f64 = 6.6;
const BETWEEN: f64 = 10.0;

/// One series of values, drawn in the colour of its style class.
pub struct Series<'a> {
    /// Name in the legend.
    pub name: &'a str,
    /// Style class: `own` or `popular`.
    pub class: &'a str,
    /// One value for each label; NaN is not drawn.
    pub values: Vec<f64>,
}

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A line with a dot at each value.
    Line,
    /// Bars side by side.
    Bars,
}

/// What values are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Shares of one, written as percentages.
    Percent,
    /// Whole numbers.
    Count,
}

/// A chart: `labels` along the x axis, values from 0 upward.
pub struct Chart<'a> {
    /// What it shows, for those who cannot see it.
    pub title: &'a str,
    /// What the x axis means.
    pub axis: &'a str,
    /// One for each value of each series.
    pub labels: Vec<String>,
    /// What is drawn.
    pub series: Vec<Series<'a>>,
    /// How.
    pub shape: Shape,
    /// What the values are.
    pub unit: Unit,
}

impl Chart<'_> {
    /// The chart as an SVG element.
    pub fn svg(&self) -> String {
        let mut svg = String::with_capacity(8_192);
        self.draw(&mut svg).expect("writing to a string does not fail");
        svg
    }

    fn draw(&self, out: &mut String) -> std::fmt::Result {
        let values = self.series.iter().flat_map(|series| &series.values).copied();
        let step = round_step(values.filter(|value| value.is_finite()).fold(0.0, f64::max) / 4.0, self.unit);
        let top = values_top(&self.series, step);
        let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
        let slot = (WIDTH - LEFT - RIGHT) / self.labels.len().max(1) as f64;
        let middle = |at: usize| LEFT + slot * (at as f64 + 0.5);
        writeln!(
            out,
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{}</title>"#,
            escape(self.title)
        )?;
        let mut line = 0.0;
        while line <= top + step / 2.0 {
            let at = y(line);
            writeln!(
                out,
                r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}"/>"#,
                WIDTH - RIGHT
            )?;
            writeln!(
                out,
                r#"<text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                LEFT - 6.0,
                at + 4.0,
                self.written(line, step)
            )?;
            line += step;
        }
        let longest = self.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let every = ((longest as f64 * CHARACTER + BETWEEN) / slot).ceil().max(1.0) as usize;
        for (at, label) in self.labels.iter().enumerate().step_by(every) {
            let (x, y) = (middle(at), HEIGHT - BOTTOM + 16.0);
            writeln!(
                out,
                r#"<text class="tick" x="{x:.1}" y="{y:.1}" text-anchor="middle">{}</text>"#,
                escape(label)
            )?;
        }
        let axis_x = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
        let axis = escape(self.axis);
        writeln!(
            out,
            r#"<text class="axis" x="{axis_x:.1}" y="{:.1}" text-anchor="middle">{axis}</text>"#,
            HEIGHT - 8.0
        )?;
        for (number, series) in self.series.iter().enumerate() {
            match self.shape {
                Shape::Line => self.line(out, series, &middle, &y)?,
                Shape::Bars => self.bars(out, series, number, slot, &middle, &y)?,
            }
        }
        out.write_str("</svg>\n")
    }

    fn line(
        &self,
        out: &mut String,
        series: &Series<'_>,
        x: &impl Fn(usize) -> f64,
        y: &impl Fn(f64) -> f64,
    ) -> std::fmt::Result {
        let drawn = || series.values.iter().enumerate().filter(|(_, value)| value.is_finite());
        let points: Vec<String> =
            drawn().map(|(at, value)| format!("{:.1},{:.1}", x(at), y(*value))).collect();
        writeln!(out, r#"<polyline class="line {}" points="{}"/>"#, series.class, points.join(" "))?;
        for (at, value) in drawn() {
            let (x, y) = (x(at), y(*value));
            let tip = self.tip(series, at, *value);
            writeln!(
                out,
                r#"<circle class="fill {}" cx="{x:.1}" cy="{y:.1}" r="3">{tip}</circle>"#,
                series.class
            )?;
        }
        Ok(())
    }

    fn bars(
        &self,
        out: &mut String,
        series: &Series<'_>,
        number: usize,
        slot: f64,
        x: &impl Fn(usize) -> f64,
        y: &impl Fn(f64) -> f64,
    ) -> std::fmt::Result {
        let width = (slot * 0.7 / self.series.len() as f64).min(48.0);
        let offset = (number as f64 - self.series.len() as f64 / 2.0) * width;
        for (at, value) in series.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let (left, top) = (x(at) + offset, y(*value));
            let height = y(0.0) - top;
            let tip = self.tip(series, at, *value);
            writeln!(
                out,
                r#"<rect class="fill {}" x="{left:.1}" y="{top:.1}" width="{:.1}" height="{height:.1}">{tip}</rect>"#,
                series.class,
                width - 2.0
            )?;
        }
        Ok(())
    }

    fn tip(&self, series: &Series<'_>, at: usize, value: f64) -> String {
        let label = self.labels.get(at).map_or("", String::as_str);
        let value = match self.unit {
            Unit::Percent => format!("{:.2} %", value * 100.0),
            Unit::Count => format!("{value:.0}"),
        };
        format!("<title>{}, {}: {value}</title>", escape(series.name), escape(label))
    }

    fn written(&self, value: f64, step: f64) -> String {
        match self.unit {
            Unit::Percent => {
                let digits = if step < 0.01 { 1 } else { 0 };
                format!("{:.digits$} %", value * 100.0)
            }
            Unit::Count => format!("{value:.0}"),
        }
    }
}

/// The end of the axis: the first whole number of steps that no value exceeds.
fn values_top(series: &[Series<'_>], step: f64) -> f64 {
    let values = series.iter().flat_map(|series| &series.values).copied();
    let top = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    (top / step - 1e-9).ceil().max(1.0) * step
}

/// A step of 1, 2 or 5 times a power of ten, at least `about`.
fn round_step(about: f64, unit: Unit) -> f64 {
    let least = if unit == Unit::Count { 1.0 } else { 0.001 };
    let about = about.max(least);
    let power = 10.0_f64.powf(about.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= about * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// `text` as it may stand in HTML and SVG.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_numbers() {
        for (about, expected) in [(0.034, 0.05), (0.05, 0.05), (0.011, 0.02), (0.0, 0.001), (0.07, 0.1)] {
            let step = round_step(about, Unit::Percent);
            assert!((step - expected).abs() < 1e-9, "{about}: {step} is not {expected}");
        }
        assert!((round_step(0.2, Unit::Count) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_axis_ends_above_every_value_and_missing_ones_are_not_drawn() {
        let series = [Series { name: "a", class: "own", values: vec![0.31, f64::NAN, 0.1] }];
        assert!((values_top(&series, 0.1) - 0.4).abs() < 1e-9);
        let chart = Chart {
            title: "x < y",
            axis: "",
            labels: ["1", "2", "3"].map(String::from).to_vec(),
            series: series.into(),
            shape: Shape::Line,
            unit: Unit::Percent,
        };
        let svg = chart.svg();
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains("<title>x &lt; y</title>") && svg.contains("31.00 %") && !svg.contains("NaN"));
    }
}
