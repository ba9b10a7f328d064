//! serenade's VMIS-kNN on a table of plays, asked exactly as `tables.py` asks its peers.
//!
//! `nearline-serenade ordered.csv serenade.json [BUILDS]`, where `tables.py order` wrote the table.
//!
//! Its index is a batch job: built before each tenth of the tested part (or as often as is said), once for tuning. A
//! session is all plays of a user. Items played are left out, and what it gives no score comes in the order of recent
//! popularity, as for the other peers. The time of a query is that of one call that asks for ten items and as many as
//! are left out. Which sessions serenade takes of equal ones differs from run to run.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use serde_json::{Value, json};
use serenade::vmisknn::{predict, vmis_index::VMISIndex};

const K: f64 = 10.0;
const CLASSES: [usize; 6] = [0, 1, 2, 3, 6, 21];
const HALF_LIVES: [f64; 7] = [14.0, 0.04, 0.125, 0.5, 1.0, 3.0, 90.0];
const DAY_MS: f64 = 86_400_000.0;

struct Event {
    user: usize,
    item: usize,
    ms: i64,
}

struct Table {
    events: Vec<Event>,
    users: usize,
    items: usize,
}

/// What is tuned. More than nine items tell nothing more: serenade weighs the tenth from the end with 0, and those
/// before it below.
#[derive(Clone, Copy, PartialEq)]
struct Parameters {
    most_recent: usize,
    nearest: usize,
    last_items: usize,
    idf: f64,
}

#[derive(Default)]
struct Outcome {
    ranks: Vec<f64>,
    played: Vec<usize>,
    nanos: Vec<u64>,
    build_seconds: f64,
}

impl Outcome {
    fn hit_rate(&self) -> f64 {
        self.ranks.iter().filter(|&&rank| rank <= K).count() as f64 / self.ranks.len() as f64
    }
}

fn number<'a>(known: &mut HashMap<&'a str, usize>, name: &'a str) -> usize {
    let next = known.len();
    *known.entry(name).or_insert(next)
}

fn read(path: &str) -> Result<Table, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    let (mut users, mut items, mut events) = (HashMap::new(), HashMap::new(), Vec::new());
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        let &[user, item, ms] = fields.as_slice() else { return Err(format!("not a play: {line}").into()) };
        let (user, item) = (number(&mut users, user), number(&mut items, item));
        events.push(Event { user, item, ms: ms.parse()? });
    }
    Ok(Table { events, users: users.len(), items: items.len() })
}

/// serenade reads its training data from a file, with times in seconds. It never indexes the last session of the
/// file, which is given one of nobody. What it prints goes to standard output.
fn build(table: &Table, end: usize, parameters: Parameters, scratch: &str) -> VMISIndex {
    let mut text = String::from("SessionId\tItemId\tTime\n");
    for event in &table.events[..end] {
        let _ = writeln!(text, "{}\t{}\t{}", event.user, event.item, event.ms / 1_000);
    }
    let last = table.events[end - 1].ms / 1_000;
    let _ = writeln!(text, "{}\t{}\t{last}", table.users, table.items);
    fs::write(scratch, text).expect("the scratch file can be written");
    VMISIndex::new_from_csv(scratch, parameters.most_recent, parameters.idf)
}

/// Mean rank of the item among those not played; recent popularity decides between equal scores.
fn rank(scores: &[f64], recent: &[f64], item: usize) -> f64 {
    let (mut above, mut equal) = (0, 0);
    let own = (scores[item], recent[item]);
    for other in scores.iter().copied().zip(recent.iter().copied()) {
        if other > own {
            above += 1;
        } else if other == own {
            equal += 1;
        }
    }
    f64::from(above) + f64::from(equal + 1) / 2.0
}

/// Asks about events `first..end`; without parameters, popularity alone.
fn run(
    table: &Table,
    first: usize,
    end: usize,
    half_life: f64,
    parameters: Option<Parameters>,
    refits: usize,
    scratch: &str,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut histories = vec![Vec::<usize>::new(); table.users];
    let (mut recent, mut scores) = (vec![0.0; table.items], vec![0.0; table.items]);
    let (mut index, mut refit) = (None, 0);
    for (at, event) in table.events[..end].iter().enumerate() {
        if at > 0 && event.ms > table.events[at - 1].ms {
            let faded = 0.5_f64.powf((event.ms - table.events[at - 1].ms) as f64 / (half_life * DAY_MS));
            recent.iter_mut().for_each(|plays| *plays *= faded);
        }
        if let Some(parameters) = parameters
            && refit < refits
            && at == first + (end - first) * refit / refits
        {
            let begun = Instant::now();
            index = Some((build(table, at, parameters, scratch), parameters));
            outcome.build_seconds += begun.elapsed().as_secs_f64();
            refit += 1;
        }
        let history = &mut histories[event.user];
        let before = history.iter().position(|&item| item == event.item);
        if at >= first && before.is_none() {
            scores.fill(0.0);
            if let Some((index, of)) = &index
                && !history.is_empty()
            {
                let last = &history[history.len().saturating_sub(of.last_items)..];
                let session: Vec<u64> = last.iter().map(|&item| item as u64).collect();
                let begun = Instant::now();
                let mut answer =
                    predict(index, &session, of.nearest, of.most_recent, 10 + history.len(), false)
                        .into_sorted_vec();
                answer.retain(|scored| !history.contains(&(scored.id as usize)));
                outcome.nanos.push(begun.elapsed().as_nanos() as u64);
                // Asked again for all, so that equal scores around the tenth place count as for the others.
                for scored in predict(index, &session, of.nearest, of.most_recent, table.items + 1, false) {
                    if let Some(score) = scores.get_mut(scored.id as usize) {
                        *score = scored.score;
                    }
                }
            }
            for &item in &*history {
                scores[item] = f64::NEG_INFINITY;
            }
            outcome.ranks.push(rank(&scores, &recent, event.item));
            outcome.played.push(history.len());
        }
        if let Some(before) = before {
            history.remove(before);
        }
        history.push(event.item);
        recent[event.item] += 1.0;
    }
    outcome
}

fn by_plays(outcome: &Outcome) -> Vec<Value> {
    let class = |played: usize| CLASSES.iter().rposition(|&from| played >= from);
    let cell = |number| {
        let ranks = outcome.ranks.iter().zip(&outcome.played).filter(|of| class(*of.1) == Some(number));
        let (queries, hits) = ranks.fold((0, 0), |sum, of| (sum.0 + 1, sum.1 + i32::from(*of.0 <= K)));
        json!({"queries": queries, "hit_rate": (queries > 0).then(|| f64::from(hits) / f64::from(queries))})
    };
    (0..CLASSES.len()).map(cell).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (from, to, builds) = match arguments.as_slice() {
        [from, to] => (from, to, 10),
        [from, to, builds] => (from, to, builds.parse()?),
        _ => return Err("nearline-serenade ordered.csv serenade.json [BUILDS]".into()),
    };
    let (table, scratch) = (read(from)?, format!("{to}.scratch"));
    let total = table.events.len();
    let test = (total as f64 * 0.8).round_ties_even() as usize;
    let tuning = (test as f64 * 0.8).round_ties_even() as usize;

    let begun = Instant::now();
    let popularity = |half_life| run(&table, tuning, test, half_life, None, 0, &scratch).hit_rate();
    let mut half_life = (f64::NAN, -1.0);
    for of in HALF_LIVES {
        let hit_rate = popularity(of);
        if hit_rate > half_life.1 {
            half_life = (of, hit_rate);
        }
    }
    let half_life = half_life.0;

    // One after the other, from serenade's own defaults.
    let mut best = Parameters { most_recent: 500, nearest: 500, last_items: 2, idf: 1.0 };
    let mut tried: Vec<(Parameters, f64)> = Vec::new();
    let changes: [(&[f64], fn(&mut Parameters, f64)); 4] = [
        (&[1.0, 3.0, 5.0, 9.0], |of, value| of.last_items = value as usize),
        (&[100.0, 250.0, 1_000.0, 2_500.0, 5_000.0], |of, value| of.most_recent = value as usize),
        (&[50.0, 100.0, 250.0, 1_000.0, 1_500.0], |of, value| of.nearest = value as usize),
        (&[0.0, 2.0, 5.0], |of, value| of.idf = value),
    ];
    for (values, change) in changes {
        let mut candidates = vec![best];
        candidates.extend(values.iter().map(|&value| {
            let mut changed = best;
            change(&mut changed, value);
            changed
        }));
        for candidate in candidates {
            if tried.iter().all(|(known, _)| *known != candidate) {
                let hit_rate = run(&table, tuning, test, half_life, Some(candidate), 1, &scratch).hit_rate();
                tried.push((candidate, hit_rate));
            }
        }
        let found = tried.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1));
        best = found.map_or(best, |(parameters, _)| *parameters);
    }

    let mut outcome = run(&table, test, total, half_life, Some(best), builds, &scratch);
    fs::remove_file(&scratch)?;
    outcome.nanos.sort_unstable_by_key(|&nanos| Reverse(nanos));
    let slowest = |share: f64| {
        let place = (outcome.nanos.len() as f64 * share) as usize;
        outcome.nanos.get(place).map(|&nanos| nanos as f64 / 1_000.0)
    };
    let result = json!({
        "name": format!("serenade 0.3.1, index built {builds} times"),
        "parameters": {
            "m_most_recent_sessions": best.most_recent, "neighborhood_size_k": best.nearest,
            "max_items_in_session": best.last_items, "idf_weighting": best.idf, "half_life": half_life,
        },
        "tried": tried.len(),
        "queries": outcome.ranks.len(),
        "hit_rate": outcome.hit_rate(),
        "by_plays": by_plays(&outcome),
        "seconds": begun.elapsed().as_secs_f64(),
        "build_seconds": outcome.build_seconds / builds as f64,
        "query_us": {"p50": slowest(0.5), "p90": slowest(0.1), "p99": slowest(0.01)},
    });
    fs::write(to, serde_json::to_string_pretty(&json!({"events": total, "peers": [result]}))?)?;
    Ok(())
}
