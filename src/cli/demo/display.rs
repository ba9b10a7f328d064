//! What the demo shows: redrawn in place on a terminal, a few lines now and then elsewhere.

use super::figures::Figures;
use super::watcher::{Watcher, name};
use crate::cli::serve::Service;
use futures_util::FutureExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nearline_actors::{Engine, TrendQuestion};
use nearline_audience::Audience;
use nearline_terminal::grouped;
use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Titles of the trend that are shown.
const TRENDING: usize = 5;
/// Time between two drawings.
const REDRAW: Duration = Duration::from_millis(250);
/// Time between two reports where nothing can be redrawn.
const REPORT: Duration = Duration::from_secs(3);

/// The screen.
pub(super) struct Display {
    bar: Option<ProgressBar>,
    last: Cell<Option<Instant>>,
}

impl Display {
    pub fn new() -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            bar.with_style(
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
            )
        });
        Self { bar, last: Cell::new(None) }
    }

    /// Where to look.
    pub fn introduce(&self, service: &Service, member: &str) {
        let http = service.servers.http;
        if let Some(admin) = service.servers.admin {
            println!("console    http://{admin}/    play something, break something, have it proved");
        }
        println!("API        http://{http}/v1/openapi.json");
        println!("try        curl 'http://{http}/v1/members/{member}/recommendations?limit=5&explain=true'");
        println!("           curl 'http://{http}/v1/trending?limit=5'\n");
    }

    /// Shows how things stand, if it is time to.
    pub fn refresh(&self, engine: &Engine, figures: &Figures, watcher: &Watcher, audience: &Audience) {
        let every = if self.bar.is_some() { REDRAW } else { REPORT };
        if self.last.get().is_some_and(|last| last.elapsed() < every) {
            return;
        }
        self.last.set(Some(Instant::now()));
        let lag: u64 = engine.partitions().iter().map(|partition| partition.lag).sum();
        let hits = figures.hit_percent().map_or("-".into(), |percent| format!("{percent:.0} %"));
        let counts = format!(
            "{} events   {:.0}/s   lag {lag}   played from the top 10: {hits}",
            grouped(figures.events()),
            figures.events_per_s()
        );
        let question = TrendQuestion { limit: TRENDING, ..TrendQuestion::default() };
        // Without expressions it is answered at once.
        let top = engine.trending(&question).now_or_never().and_then(Result::ok);
        let top = top.map(|offered| offered.trends).unwrap_or_default();
        let top: Vec<String> = top.into_iter().map(|offered| offered.trend.title.to_string()).collect();
        let hot = audience.hot_titles();
        let marked = |title: &String| {
            let hot = if hot.contains(&title.as_str()) { " *hot*" } else { "" };
            format!("{}{hot}", name(engine, title))
        };
        let trend = top.iter().map(marked).collect::<Vec<_>>().join(", ");
        let text = format!("{counts}\ntrending: {trend}\n{}", watcher.describe(engine));
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None => println!("{text}"),
        }
    }

    /// Leaves the last drawing as it is.
    pub fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}
