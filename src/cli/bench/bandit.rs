//! `bench bandit`: what choosing artworks earns, against never learning and against knowing everything.
//!
//! A [`World`] of titles whose artworks please segments differently is shown to members through the code
//! that serves: artworks are chosen from the aggregates, impressions and plays are folded as events, and
//! deltas are learned commit by commit. Regret is measured in true rates, not in lucky plays.

use super::report::Report;
use anyhow::Context;
use clap::Args;
use hashbrown::HashSet;
use nearline_audience::artworks::World;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::partition::Batch;
use nearline_model::settings::AggregateSettings;
use nearline_model::timestamp::format_rfc3339;
use nearline_model::{Aggregates, FoldSettings, LogRecord, Partition, PartitionId, Position};
use nearline_ranking::artwork::policy::UNIT;
use nearline_ranking::artwork::{ArtworkSettings, Chooser, Viewer, Window};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// 2026-03-01T00:00:00Z.
const START_MS: i64 = 1_772_323_200_000;
/// Events between commits, after which what was shown and played is learned.
const COMMIT_EVENTS: u64 = 2_000;
/// Buckets of the chi-square test: its degrees of freedom.
const BUCKETS: usize = 10;

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct BanditArgs {
    /// Impressions.
    #[arg(long, default_value_t = 400_000)]
    impressions: u64,
    /// Days that they spread over.
    #[arg(long, default_value_t = 14)]
    days: u32,
    /// Members.
    #[arg(long, default_value_t = 20_000)]
    members: usize,
    /// Titles.
    #[arg(long, default_value_t = 20)]
    titles: usize,
    /// Artworks of each title.
    #[arg(long, default_value_t = 4)]
    artworks: usize,
    /// Segments of members.
    #[arg(long, default_value_t = 6)]
    segments: usize,
    /// Decides the world and what happens in it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the events to FILE, too, for `nearline-lab evaluate policy`.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

pub fn run(args: &BanditArgs) -> anyhow::Result<Report> {
    let outcome = simulate(args, &ArtworkSettings::default())?;
    let per_thousand = |regret: f64| regret * 1_000.0 / args.impressions as f64;
    let last = |regret: f64| regret * 1_000.0 / outcome.last_impressions.max(1) as f64;
    let closed = 1.0 - outcome.last.nearline / outcome.last.best_single.max(f64::MIN_POSITIVE);
    Ok(Report::new(
        "bandit",
        "memory",
        "regret below the best single artwork; chi-square ≤ 29.6 (1 in 1,000)",
    )
    .figure("oracle_takes_per_1000", per_thousand(outcome.oracle_takes))
    .figure("regret_per_1000_nearline", per_thousand(outcome.all.nearline))
    .figure("regret_per_1000_best_single_artwork", per_thousand(outcome.all.best_single))
    .figure("regret_per_1000_random", per_thousand(outcome.all.random))
    .figure("last_tenth_regret_per_1000_nearline", last(outcome.last.nearline))
    .figure("last_tenth_regret_per_1000_best_single_artwork", last(outcome.last.best_single))
    .figure("last_tenth_regret_per_1000_random", last(outcome.last.random))
    .figure("last_tenth_share_of_personal_gain", closed)
    .figure("calibration_chi_square_10_df", outcome.chi_square)
    .figure("choices_drawn", outcome.drawn as f64)
    .figure("choose_us", outcome.choosing.as_secs_f64() * 1e6 / args.impressions.max(1) as f64)
    .figure("impressions", args.impressions as f64))
}

/// Takes lost against always showing the best artwork for the segment.
#[derive(Debug, Clone, Copy, Default)]
struct Regret {
    nearline: f64,
    best_single: f64,
    random: f64,
}

impl Regret {
    fn add(&mut self, world: &World, title: usize, segment: usize, artwork: usize) {
        let oracle = world.oracle_rate(title, segment);
        self.nearline += oracle - world.rate(title, artwork, segment);
        self.best_single += oracle - world.rate(title, world.best_single(title), segment);
        self.random += oracle - world.random_rate(title, segment);
    }
}

struct Outcome {
    all: Regret,
    last: Regret,
    last_impressions: u64,
    oracle_takes: f64,
    chi_square: f64,
    drawn: u64,
    choosing: Duration,
}

fn simulate(args: &BanditArgs, settings: &ArtworkSettings) -> anyhow::Result<Outcome> {
    let mut random = StdRng::seed_from_u64(args.seed);
    let world = World::new(args.titles.max(1), args.artworks.clamp(1, 32), args.segments.max(1), &mut random);
    let members: Vec<(String, usize)> = (0..args.members.max(1))
        .map(|member| (format!("m{member}"), random.random_range(0..world.segments.len())))
        .collect();
    let (mut chooser, mut learning) = (Chooser::new(settings.clone()), Learning::new(args.log.as_ref())?);
    let mut calibration = [Bucket::default(); BUCKETS];
    let mut windows = HashSet::new();
    let mut outcome = Outcome {
        all: Regret::default(),
        last: Regret::default(),
        last_impressions: 0,
        oracle_takes: 0.0,
        chi_square: 0.0,
        drawn: 0,
        choosing: Duration::ZERO,
    };
    for impression in 0..args.impressions {
        let span_ms = i64::from(args.days) * 86_400_000;
        let at_ms =
            START_MS + (impression as i128 * i128::from(span_ms) / i128::from(args.impressions)) as i64;
        let (member, segment) = &members[random.random_range(0..members.len())];
        let title_at = random.random_range(0..world.titles.len());
        let (title, name) = (&world.titles[title_at], &world.segments[*segment]);
        let started = Instant::now();
        let choice = chooser
            .choose(
                &learning.aggregates,
                title,
                Viewer { member, segment: Some(name), erased_at: None },
                at_ms,
            )
            .context("titles of this world have artworks")?;
        outcome.choosing += started.elapsed();
        let window = Window::of(member, at_ms, settings.hold_seconds);
        if windows.insert((member.as_str(), title_at, window.number)) {
            outcome.drawn += 1;
            // One artwork of each draw, picked at random: so that the buckets hold independent trials.
            let probabilities = chooser.probabilities(&learning.aggregates, title, Some(name), at_ms);
            let artwork = random.random_range(0..probabilities.len());
            let probability = f64::from(probabilities[artwork]) / f64::from(UNIT);
            let bucket = &mut calibration[((probability * BUCKETS as f64) as usize).min(BUCKETS - 1)];
            bucket.add(probability, choice.artwork == artwork);
        }
        outcome.oracle_takes += world.oracle_rate(title_at, *segment);
        outcome.all.add(&world, title_at, *segment, choice.artwork);
        if impression >= args.impressions - args.impressions / 10 {
            outcome.last.add(&world, title_at, *segment, choice.artwork);
            outcome.last_impressions += 1;
        }
        let artwork = title.artworks.get(choice.artwork).context("it was chosen among them")?;
        let shown = Shown {
            impression,
            member,
            title: &title.id,
            artwork,
            propensity: choice.propensity,
            segment: name,
        };
        learning.publish(at_ms, shown.event(at_ms))?;
        if random.random::<f64>() < world.rate(title_at, choice.artwork, *segment) {
            let at_ms = at_ms + random.random_range(1_000..60_000);
            learning.publish(at_ms, shown.play(at_ms))?;
        }
    }
    learning.finish()?;
    outcome.chi_square = calibration.iter().map(Bucket::chi_square).sum();
    Ok(outcome)
}

/// One impression of this world.
struct Shown<'a> {
    impression: u64,
    member: &'a str,
    title: &'a str,
    artwork: &'a str,
    propensity: f64,
    segment: &'a str,
}

impl Shown<'_> {
    fn event(&self, at_ms: i64) -> String {
        let Self { impression, member, title, artwork, propensity, segment } = self;
        let at = format_rfc3339(at_ms);
        format!(
            r#"{{"id":"i{impression}","type":"impression","member":"{member}","title":"{title}","at":"{at}","request":"r{impression}","artwork":"{artwork}","propensity":{propensity},"segment":"{segment}"}}"#
        )
    }

    /// The play that it led to.
    fn play(&self, at_ms: i64) -> String {
        let Self { impression, member, title, .. } = self;
        let at = format_rfc3339(at_ms);
        format!(
            r#"{{"id":"p{impression}","type":"play","member":"{member}","title":"{title}","at":"{at}","request":"r{impression}"}}"#
        )
    }
}

/// Trials of about the same probability.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    expected: f64,
    variance: f64,
    chosen: f64,
}

impl Bucket {
    fn add(&mut self, probability: f64, is_chosen: bool) {
        self.expected += probability;
        self.variance += probability * (1.0 - probability);
        self.chosen += f64::from(u8::from(is_chosen));
    }

    fn chi_square(&self) -> f64 {
        // Too few trials for a normal distribution say nothing.
        if self.variance < 5.0 { 0.0 } else { (self.chosen - self.expected).powi(2) / self.variance }
    }
}

/// The fold and the aggregates that learn from it.
struct Learning {
    partition: Partition,
    aggregates: Aggregates,
    settings: FoldSettings,
    position: Position,
    waiting: Vec<LogRecord>,
    log: Option<std::io::BufWriter<std::fs::File>>,
}

impl Learning {
    fn new(log: Option<&PathBuf>) -> anyhow::Result<Self> {
        let open = |path: &PathBuf| {
            let file = std::fs::File::create(path);
            file.with_context(|| format!("{} cannot be written", path.display())).map(std::io::BufWriter::new)
        };
        let settings = FoldSettings::default();
        Ok(Self {
            partition: Partition::new(PartitionId(0), 1, settings.clone()),
            aggregates: Aggregates::new(1, AggregateSettings::default()),
            settings,
            position: Position::START,
            waiting: Vec::new(),
            log: log.map(open).transpose()?,
        })
    }

    fn publish(&mut self, log_ms: i64, event: String) -> anyhow::Result<()> {
        if let Some(log) = &mut self.log {
            writeln!(log, "{event}")?;
        }
        self.position = self.position.next();
        self.waiting.push(LogRecord { position: self.position, log_ms, payload: event.into() });
        if self.waiting.len() as u64 >= COMMIT_EVENTS {
            self.learn()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.log.as_mut().map_or(Ok(()), Write::flush).context("the log cannot be written")
    }

    fn learn(&mut self) -> anyhow::Result<()> {
        let batch = Batch::parse(std::mem::take(&mut self.waiting), self.settings.event_bytes);
        let (admitted, missing) = self.partition.admit(batch);
        for slot in missing {
            self.partition.loaded(slot, None)?;
        }
        let folded = self.partition.fold(admitted, |_, _| {});
        anyhow::ensure!(folded.rejected.is_empty(), "events must be valid: {:?}", folded.rejected[0].reject);
        if let Some(commit) = self.partition.take_commit(OwnerEpoch(1)) {
            self.partition.committed(&commit);
            self.aggregates.add(&commit.delta);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artworks_are_learned_by_segment_and_propensities_are_calibrated() {
        let args = BanditArgs {
            impressions: 80_000,
            days: 1,
            members: 5_000,
            titles: 4,
            artworks: 3,
            segments: 4,
            seed: 1,
            log: None,
        };
        // What was learned counts late, so that fewer integrals are computed in a debug build.
        let settings = ArtworkSettings { refresh_seconds: 300, ..ArtworkSettings::default() };
        let outcome = simulate(&args, &settings).expect("valid events");
        let (all, last) = (outcome.all, outcome.last);
        assert!(all.nearline < 0.5 * all.random, "{all:?}");
        // A world whose segments differ enough to outweigh what the floor of exploration costs for good.
        assert!(last.nearline < 0.5 * last.best_single, "segments differ, and that is learned: {last:?}");
        // Ten degrees of freedom: exceeded once in a thousand.
        assert!(outcome.chi_square < 29.6, "{}", outcome.chi_square);
    }
}
