//! `bench compare`: one benchmark by two programs in turn, so that what else the machine does meets both alike.
//!
//! `benches/compare BASE HEAD -- BENCH …` builds both from two commits.

use super::paired::{interval, median};
use super::report::readable;
use anyhow::{Context, ensure};
use clap::Args;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to compare.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The program before.
    #[arg(long)]
    base: PathBuf,
    /// The program after; this one if it says nothing.
    #[arg(long)]
    head: Option<PathBuf>,
    /// How often both are run, one right after the other.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(3..=200))]
    pairs: u32,
    /// Figures that must not get worse.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "events_per_cpu_s,cpu_us_per_query_and_events,rss_mib,peak_rss_mib"
    )]
    judge: Vec<String>,
    /// By how much they may, in percent.
    #[arg(long, default_value_t = 5.0)]
    allowed: f64,
    /// The benchmark and its options, such as `fold --events 500000`.
    #[arg(last = true, required = true)]
    bench: Vec<String>,
}

/// What a run has printed.
type Figures = Map<String, Value>;

/// Both programs' figures of one name.
struct Compared {
    name: String,
    base: f64,
    head: f64,
    /// After by before, and the interval that holds 95 %.
    ratio: f64,
    interval: (f64, f64),
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Better,
    Worse,
    /// Worse by more than is allowed, and judged.
    Failed,
    /// The interval holds 1.
    NoDifference,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Failed => "worse by more than is allowed",
            Self::NoDifference => "no difference seen",
        }
    }
}

pub fn run(args: &CompareArgs, as_json: bool) -> anyhow::Result<()> {
    let head = match &args.head {
        Some(head) => head.clone(),
        None => std::env::current_exe().context("finding this program")?,
    };
    let mut pairs = Vec::new();
    for pair in 0..args.pairs {
        // Who is first takes turns, too.
        let (base, after) = if pair % 2 == 0 {
            let base = measured(&args.base, &args.bench)?;
            (base, measured(&head, &args.bench)?)
        } else {
            let after = measured(&head, &args.bench)?;
            (measured(&args.base, &args.bench)?, after)
        };
        pairs.push((base, after));
        eprintln!("pair {} of {} measured", pair + 1, args.pairs);
    }
    let compared = compare(&pairs, &args.judge, args.allowed / 100.0);
    ensure!(!compared.is_empty(), "both programs print no figure of one name that can be better or worse");
    print(&compared, as_json);
    let failed: Vec<&str> =
        compared.iter().filter(|one| one.verdict == Verdict::Failed).map(|one| &*one.name).collect();
    ensure!(failed.is_empty(), "worse than before by more than {} %: {}", args.allowed, failed.join(", "));
    Ok(())
}

/// Figures of one run.
fn measured(program: &Path, bench: &[String]) -> anyhow::Result<Figures> {
    let output = Command::new(program)
        .arg("bench")
        .args(bench)
        .arg("--json")
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    ensure!(
        output.status.success(),
        "{} ended with {}: {}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let printed = String::from_utf8_lossy(&output.stdout);
    let line = printed.lines().last().with_context(|| format!("{} printed nothing", program.display()))?;
    serde_json::from_str(line).with_context(|| format!("{} printed {line}", program.display()))
}

/// Whether more is better, by the unit at the end of a name; `None` where neither is.
fn more_is_better(name: &str) -> Option<bool> {
    if name.ends_with("per_s") || name.ends_with("per_cpu_s") {
        return Some(true);
    }
    let costs = ["_ms", "_mib", "cpu_s", "wall_s"].iter().any(|unit| name.ends_with(unit));
    let is_neighbour = name == "stolen_cpu_s" || name.starts_with("asked_late");
    ((costs || name.contains("cpu_us")) && !is_neighbour).then_some(false)
}

fn compare(pairs: &[(Figures, Figures)], judge: &[String], allowed: f64) -> Vec<Compared> {
    let mut dice = StdRng::seed_from_u64(1);
    let names = pairs.first().into_iter().flat_map(|(base, _)| base.keys());
    let compared = names.filter_map(|name| {
        let more_is_better = more_is_better(name)?;
        let of = |figures: &Figures| figures.get(name)?.as_f64().filter(|value| *value > 0.0);
        let both: Option<Vec<(f64, f64)>> =
            pairs.iter().map(|(base, head)| Some((of(base)?, of(head)?))).collect();
        let (mut base, mut head): (Vec<f64>, Vec<f64>) = both?.into_iter().unzip();
        let mut ratios: Vec<f64> = base.iter().zip(&head).map(|(base, head)| head / base).collect();
        let (low, high) = interval(&ratios, &mut dice);
        let (ends, bar) = if more_is_better {
            ((low, high), 1.0 - allowed)
        } else {
            ((1.0 / high, 1.0 / low), 1.0 / (1.0 + allowed))
        };
        let verdict = match ends {
            (_, best) if best < bar && judge.contains(name) => Verdict::Failed,
            (_, best) if best < 1.0 => Verdict::Worse,
            (worst, _) if worst > 1.0 => Verdict::Better,
            _ => Verdict::NoDifference,
        };
        Some(Compared {
            name: name.clone(),
            base: median(&mut base),
            head: median(&mut head),
            ratio: median(&mut ratios),
            interval: (low, high),
            verdict,
        })
    });
    compared.collect()
}

fn print(compared: &[Compared], as_json: bool) {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "figure",
        "before",
        "after",
        "after / before",
        "95 %",
        "verdict",
    ]);
    for Compared { name, base, head, ratio, interval: (low, high), verdict } in compared {
        if as_json {
            let line = json!({"figure": name, "base": base, "head": head, "ratio": ratio, "low": low, "high": high,
                "verdict": verdict.name()});
            println!("{line}");
            continue;
        }
        table.add_row([
            name.clone(),
            readable(*base),
            readable(*head),
            format!("{ratio:.3}"),
            format!("{low:.3} to {high:.3}"),
            verdict.name().to_owned(),
        ]);
    }
    if !as_json {
        println!("{table}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(name: &str, ratios: &[f64]) -> Verdict {
        let figures = |value: f64| Figures::from_iter([(name.to_owned(), json!(value))]);
        let pairs: Vec<_> = (1..)
            .zip(ratios)
            .map(|(pair, ratio)| (figures(f64::from(pair)), figures(f64::from(pair) * ratio)))
            .collect();
        compare(&pairs, &["events_per_cpu_s".to_owned(), "rss_mib".to_owned()], 0.05)[0].verdict
    }

    #[test]
    fn pairs_decide_however_much_runs_differ_among_each_other() {
        assert_eq!(verdict("events_per_cpu_s", &[0.9, 0.91, 0.89, 0.9, 0.92]), Verdict::Failed);
        assert_eq!(verdict("events_per_cpu_s", &[0.98, 0.97, 0.98, 0.99, 0.98]), Verdict::Worse);
        assert_eq!(verdict("events_per_cpu_s", &[1.1, 1.2, 1.1, 1.1, 1.3]), Verdict::Better);
        assert_eq!(verdict("events_per_cpu_s", &[0.8, 1.2, 1.0, 0.9, 1.1]), Verdict::NoDifference);
    }

    #[test]
    fn of_memory_and_time_less_is_better_and_only_what_is_judged_fails() {
        assert_eq!(verdict("rss_mib", &[1.2, 1.21, 1.2, 1.22, 1.2]), Verdict::Failed);
        assert_eq!(verdict("rss_mib", &[0.8, 0.81, 0.8, 0.82, 0.8]), Verdict::Better);
        assert_eq!(verdict("p99_ms", &[2.0, 2.1, 2.0, 2.2, 2.0]), Verdict::Worse);
    }

    #[test]
    fn what_has_no_better_is_left_out() {
        for name in ["members", "load_before", "stolen_cpu_s", "asked_late_p99_ms"] {
            assert_eq!(more_is_better(name), None, "{name}");
        }
    }
}
