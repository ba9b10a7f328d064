//! The smallest hashes of each stratum in one pass and little memory.
//!
//! Hashes are uniform, so where a stratum's cut will lie is known beforehand within a few standard deviations. Rows well
//! below it are in, rows well above it are out, and only those between are kept until the end. When the guess was wrong
//! (about once in 10^12 strata) the pass says so and is repeated with a wider margin: the result is exact in any case.

use crate::StratifyError;

/// What a hash means for its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The row is taken.
    In,
    /// The row is not taken.
    Out,
    /// Only the end of the pass tells.
    Undecided,
}

/// A row that only the end of the pass decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Its stratum.
    pub stratum: u32,
    /// Its hash.
    pub hash: u64,
    /// Its number.
    pub row: u64,
}

/// The margin was too narrow: repeat with a wider one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SieveMissed;

#[derive(Debug, Clone, Copy)]
struct Cut {
    quota: u64,
    /// Hashes below are in.
    sure: u64,
    /// Hashes above are out; `None` if even none is in.
    limit: Option<u64>,
}

/// Decides row by row; threads each have one and merge them.
#[derive(Debug, Clone)]
pub struct Sieve {
    cuts: Vec<Cut>,
    sure: Vec<u64>,
    candidates: Vec<Candidate>,
}

impl Sieve {
    /// A sieve for `take[s]` of `rows[s]` rows of each stratum, its margin in standard deviations (7 is plenty).
    pub fn new(rows: &[u64], take: &[u64], margin: f64) -> Self {
        let cuts: Vec<Cut> =
            rows.iter().zip(take).map(|(rows, take)| Cut::new(*rows, *take, margin)).collect();
        Self { sure: vec![0; cuts.len()], cuts, candidates: Vec::new() }
    }

    /// Looks at one row.
    #[inline]
    pub fn offer(&mut self, stratum: usize, hash: u64, row: u64) -> Verdict {
        let cut = self.cuts[stratum];
        if hash < cut.sure {
            self.sure[stratum] += 1;
            return Verdict::In;
        }
        if cut.limit.is_none_or(|limit| hash > limit) {
            return Verdict::Out;
        }
        let stratum = u32::try_from(stratum).expect("fewer than 2^32 strata");
        self.candidates.push(Candidate { stratum, hash, row });
        Verdict::Undecided
    }

    /// Adds what another sieve of the same cuts saw.
    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.sure.iter_mut().zip(other.sure) {
            *mine += theirs;
        }
        self.candidates.extend(other.candidates);
    }

    /// How many rows are kept undecided.
    pub fn undecided(&self) -> usize {
        self.candidates.len()
    }

    /// The undecided rows that are taken, and each stratum's largest hash that is taken (none if none is).
    ///
    /// # Errors
    /// The outer error is a wrong guess; the inner one a tie where a stratum is cut.
    #[expect(clippy::type_complexity, reason = "the two failures are handled by different callers")]
    pub fn finish(mut self) -> Result<Result<(Vec<u64>, Vec<Option<u64>>), StratifyError>, SieveMissed> {
        self.candidates.sort_unstable();
        let mut taken = Vec::new();
        let mut thresholds = Vec::with_capacity(self.cuts.len());
        let mut rest = self.candidates.as_slice();
        for (stratum, cut) in self.cuts.iter().enumerate() {
            let end = rest.partition_point(|candidate| candidate.stratum as usize == stratum);
            let (mine, others) = rest.split_at(end);
            rest = others;
            let open = cut.quota.checked_sub(self.sure[stratum]).ok_or(SieveMissed)?;
            let open = usize::try_from(open).map_err(|_| SieveMissed)?;
            if open > mine.len() {
                return Err(SieveMissed);
            }
            if open == 0 && self.sure[stratum] > 0 {
                // The largest hash taken was not kept.
                return Err(SieveMissed);
            }
            if open > 0 && open < mine.len() && mine[open - 1].hash == mine[open].hash {
                return Ok(Err(StratifyError::Tie { stratum }));
            }
            thresholds.push(open.checked_sub(1).map(|last| mine[last].hash));
            taken.extend(mine[..open].iter().map(|candidate| candidate.row));
        }
        taken.sort_unstable();
        Ok(Ok((taken, thresholds)))
    }
}

impl Cut {
    fn new(rows: u64, take: u64, margin: f64) -> Self {
        let quota = take.min(rows);
        if quota == 0 {
            return Self { quota, sure: 0, limit: None };
        }
        let (rows, wanted) = (rows as f64, quota as f64);
        let share = wanted / rows;
        let spread = margin * (wanted * (1.0 - share)).sqrt() + margin * margin;
        let low = ((wanted - spread) / rows).max(0.0);
        let high = (wanted + spread) / rows;
        // A stratum taken whole still keeps its largest hashes: its threshold is one of them.
        let limit = if quota as f64 >= rows || high >= 1.0 { u64::MAX } else { scaled(high) };
        Self { quota, sure: scaled(low), limit: Some(limit) }
    }
}

fn scaled(share: f64) -> u64 {
    // `as` saturates, which is what a share of one or more means here.
    (share * 18_446_744_073_709_551_616.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::{IdHasher, smallest};

    fn rows(count: usize) -> (Vec<Option<usize>>, Vec<u64>, Vec<u64>) {
        let hasher = IdHasher::new(11);
        let strata: Vec<_> =
            (0..count).map(|row| Some(if row % 10 == 0 { 0 } else { 1 + row % 3 })).collect();
        let hashes: Vec<_> = (0..count).map(|row| hasher.hash(row.to_string().as_bytes())).collect();
        let mut counts = vec![0; 4];
        strata.iter().flatten().for_each(|stratum| counts[*stratum] += 1);
        (strata, hashes, counts)
    }

    fn sift(margin: f64, take: &[u64], parts: usize) -> Result<Vec<u64>, SieveMissed> {
        let (strata, hashes, counts) = rows(20_000);
        let mut sieves = vec![Sieve::new(&counts, take, margin); parts];
        let mut taken = Vec::new();
        for row in 0..strata.len() {
            let verdict = sieves[row % parts].offer(strata[row].unwrap(), hashes[row], row as u64);
            if verdict == Verdict::In {
                taken.push(row as u64);
            }
        }
        let mut all = sieves.remove(0);
        sieves.into_iter().for_each(|sieve| all.merge(sieve));
        assert!(all.undecided() < 12_000);
        taken.extend(all.finish()?.unwrap().0);
        taken.sort_unstable();
        Ok(taken)
    }

    #[test]
    fn one_pass_takes_what_sorting_takes() {
        let (strata, hashes, counts) = rows(20_000);
        for take in [[200, 600, 0, 1], [counts[0], counts[1] - 1, 3000, 17]] {
            let wanted: Vec<u64> =
                smallest(&strata, &hashes, &take).unwrap().into_iter().map(|row| row as u64).collect();
            for parts in [1, 2, 5] {
                assert_eq!(sift(7.0, &take, parts).unwrap(), wanted);
            }
        }
    }

    #[test]
    fn a_margin_too_narrow_is_noticed() {
        assert_eq!(sift(0.0, &[200, 600, 500, 300], 1), Err(SieveMissed));
    }
}
