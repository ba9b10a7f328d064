//! The report for people.

use super::{FaultFigures, Report};
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use std::fmt::Write;

impl Report {
    /// For people.
    pub fn table(&self) -> String {
        let mut text = format!("plan {}: {} s, {} node(s)\n", self.plan, self.duration_s, self.nodes);
        let _ = writeln!(
            text,
            "events {:.0} a second acknowledged ({:.0} in the median second), {} wanted",
            self.events_per_s, self.events_per_s_p50, self.events_per_s_wanted
        );
        if let Some(verdict) = &self.verdict {
            let _ = writeln!(
                text,
                "acknowledged {}  lost {}  doubled {}  uncounted {}  dead letters {}  partitions equal to the fold {} of {}",
                verdict.acknowledged,
                verdict.lost,
                verdict.doubled,
                verdict.uncounted,
                verdict.dead_lettered,
                verdict.partitions_equal,
                verdict.partitions_equal + verdict.partitions_differing
            );
        } else {
            text.push_str(
                "not judged: the plan names neither log nor store (target.nats_url, target.redis_url)\n",
            );
        }
        let percent = |share: f64| format!("{:.3} %", share * 100.0);
        let sources: Vec<String> = self
            .in_time_by_source
            .iter()
            .map(|(source, share)| format!("{source:?} {}", percent(*share)).to_lowercase())
            .collect();
        let _ = writeln!(
            text,
            "queries {}  answered within {} ms {} ({})  p50 {} ms  p99 {} ms  {:?}",
            self.queries,
            self.query_within_ms,
            percent(self.query_availability),
            sources.join(", "),
            readable(self.query_p50_ms),
            readable(self.query_p99_ms),
            self.sources
        );
        let _ = writeln!(text, "{}", self.faults_table());
        self.faults.iter().for_each(|fault| add_remarks(&mut text, fault));
        for exit in &self.engine_exits {
            let _ = writeln!(text, "started again: {exit}");
        }
        for skipped in &self.skipped {
            let _ = writeln!(text, "not injected: {skipped}");
        }
        for finding in self.verdict.iter().flat_map(|verdict| &verdict.findings) {
            let _ = writeln!(text, "VIOLATED {finding}");
        }
        text
    }

    fn faults_table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([
            "fault",
            "injections",
            "recovered",
            "detect p50 ms",
            "detect p99 ms",
            "recover p50 ms",
            "recover p99 ms",
            "gap p50 ms",
            "gap max ms",
            "queries in time",
        ]);
        for fault in &self.faults {
            table.add_row([
                fault.fault.clone(),
                fault.injections.to_string(),
                fault.recovered.to_string(),
                readable(fault.detect_p50_ms),
                readable(fault.detect_p99_ms),
                readable(fault.recover_p50_ms),
                readable(fault.recover_p99_ms),
                readable(fault.gap_p50_ms),
                readable(fault.gap_max_ms),
                fault.query_availability.map_or("-".to_owned(), |share| format!("{:.2} %", share * 100.0)),
            ]);
        }
        table
    }
}

fn add_remarks(text: &mut String, fault: &FaultFigures) {
    if let Some(budget) = fault.gap_budget_ms {
        let _ = writeln!(
            text,
            "gap budget of {}: {budget} ms, kept in {} of {}; longest by partition: {:?} ms",
            fault.fault,
            fault.injections - fault.gaps_over_budget,
            fault.injections,
            fault.partition_gap_max_ms
        );
    }
    for trouble in &fault.troubles {
        let _ = writeln!(text, "TROUBLE with {}: {trouble}", fault.fault);
    }
}

fn readable(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.1}"))
}
