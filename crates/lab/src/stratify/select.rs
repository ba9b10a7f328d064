//! The second pass: which rows are taken. Only the keys and the ids are read; each id is hashed once.

use nearline_model::check_invariant;
use nearline_stratify::Plan;
use nearline_stratify::rules::Rules;
use nearline_stratify::select::{IdHasher, Sieve, Verdict};

use super::columns::Keys;
use super::count::{LEFT_OUT, Strata};
use super::output::Balance;
use super::rowset::{Bits, RowSet};
use super::source::{Group, Progress, Source};
use super::unique::Order;
use super::{balance, entity, ids, unique};

/// The rows that are taken.
pub(super) struct Selection {
    pub rows: RowSet,
    /// Per stratum, the largest hash that is taken.
    pub thresholds: Vec<Option<u64>>,
    /// Strata that got fewer rows than planned (or, whole entities, more), and by how many.
    pub missing: Vec<(usize, i64)>,
    /// The totals that the sample keeps.
    pub totals: Vec<Balance>,
}

/// The first margin, in standard deviations, and the one when it was too narrow.
const MARGINS: [f64; 3] = [7.0, 20.0, 1e9];

/// Selects the rows of a plan.
#[expect(clippy::too_many_arguments, reason = "a pass needs the source, the keys and the plan")]
pub(super) fn select(
    rules: &Rules,
    plan: &Plan,
    source: &Source,
    keys: &Keys,
    strata: &Strata,
    eligible: Option<&RowSet>,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<Selection> {
    source.data_type(&rules.id)?;
    if let Some(rule) = rules.entity().filter(|rule| rule.decides_rows()) {
        let (rows, missing) = if rule.whole {
            entity::keep_whole(rules, rule, plan, source, keys, strata, threads, progress)?
        } else {
            entity::flow(rules, rule, plan, source, keys, strata, eligible, threads, progress)?
        };
        unique::check(&rules.id, source, threads, progress)?;
        return Ok(Selection { rows, thresholds: Vec::new(), missing, totals: Vec::new() });
    }
    if let Some(rule) = rules.balance() {
        let (rows, totals) =
            balance::choose(rules, rule, plan, source, keys, strata, eligible, threads, progress)?;
        unique::check(&rules.id, source, threads, progress)?;
        return Ok(Selection { rows, thresholds: Vec::new(), missing: Vec::new(), totals });
    }
    let pass = Pass { rules, plan, keys, strata, eligible, hasher: IdHasher::new(rules.seed) };
    let mut ordered = false;
    for margin in MARGINS {
        let (quotas, available) = (pass.quotas(), plan.available());
        let found = source.each("selecting", threads, progress, |place, group| {
            pass.group(source, place, group, Sieve::new(&available, &quotas, margin))
        })?;
        if !ordered {
            let (orders, nulls): (Vec<Order>, Vec<u64>) =
                found.iter().map(|found| (found.order.clone(), found.nulls)).unzip();
            entity::refuse_nulls(&rules.id, nulls.iter().sum())?;
            if !unique::follows(&orders) {
                unique::check(&rules.id, source, threads, progress)?;
            }
            ordered = true;
        }
        let mut sieve = Sieve::new(&available, &quotas, margin);
        let mut bits = Vec::new();
        for found in found {
            sieve.merge(found.sieve);
            bits.push(found.bits);
        }
        if let Ok(decided) = sieve.finish() {
            let (taken, mut thresholds) = decided?;
            let mut rows = RowSet::new(source, bits);
            rows.extend(&taken);
            for (threshold, planned) in thresholds.iter_mut().zip(&plan.strata) {
                if planned.take == planned.available {
                    *threshold = Some(u64::MAX);
                }
            }
            // Each stratum's share is as many rows as planned, and the rows are those of smallest hashes.
            let (taken, planned) = (rows.count(), plan.take().iter().sum::<u64>());
            check_invariant!(I10, taken == planned, "{taken} rows were taken where {planned} were planned");
            return Ok(Selection { rows, thresholds, missing: Vec::new(), totals: Vec::new() });
        }
    }
    unreachable!("a margin of a thousand million deviations keeps every row undecided")
}

struct Pass<'a> {
    rules: &'a Rules,
    plan: &'a Plan,
    keys: &'a Keys,
    strata: &'a Strata,
    eligible: Option<&'a RowSet>,
    hasher: IdHasher,
}

struct Found {
    bits: Bits,
    sieve: Sieve,
    order: Order,
    nulls: u64,
}

impl Pass<'_> {
    /// What hashes decide: strata that are taken whole need none.
    fn quotas(&self) -> Vec<u64> {
        self.plan.strata.iter().map(|s| if s.take == s.available { 0 } else { s.take }).collect()
    }

    fn group(&self, source: &Source, place: usize, group: &Group, mut sieve: Sieve) -> anyhow::Result<Found> {
        let whole: Vec<bool> = self.plan.strata.iter().map(|s| s.take == s.available).collect();
        let none: Vec<bool> = self.plan.strata.iter().map(|s| s.take == 0).collect();
        let mut bits = Bits::new(group.rows);
        let (mut order, mut nulls, mut start) = (Order::default(), 0, 0);
        let keys = self.keys.columns();
        let mut columns = keys.clone();
        columns.push(&self.rules.id);
        // An id that is a key, too, is read as the key is.
        let mut encoder = self.keys.encoder();
        for batch in source.read(group, &columns, &keys, None)? {
            let batch = batch?;
            let codes = encoder.encode(&batch)?;
            let Some(array) = batch.column_by_name(&self.rules.id) else {
                anyhow::bail!("the ids were not read")
            };
            nulls += ids::visit(&self.rules.id, array, |row, id| {
                order.next(&id);
                let at = start + row;
                let stratum = self.strata.of(codes[row]);
                if stratum == LEFT_OUT || self.eligible.is_some_and(|eligible| !eligible.group(place).has(at))
                {
                    return;
                }
                let stratum = stratum as usize;
                if none[stratum] {
                    return;
                }
                let taken = whole[stratum]
                    || sieve.offer(stratum, self.hasher.hash(id.text), group.start + at as u64)
                        == Verdict::In;
                if taken {
                    bits.set(at);
                }
            })?;
            start += batch.num_rows();
        }
        Ok(Found { bits, sieve, order, nulls })
    }
}
