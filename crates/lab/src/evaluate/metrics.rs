//! Metrics of ranked lists.
//!
//! With one relevant title, nDCG is `1 / log2(1 + rank)`: the ideal list has it first (Järvelin and
//! Kekäläinen, 2002). Of lists with several relevant titles, AUC, MRR and nDCG are those of the MIND
//! benchmark: MRR is the mean of the reciprocal ranks of *all* relevant titles. Equal scores count as
//! what they come to on average over all their orders, so that no order of ties is favoured.

/// Reciprocal rank: `1 / rank` (from 1), 0 for what is not in the list.
pub fn reciprocal_rank(rank: Option<usize>) -> f64 {
    rank.map_or(0.0, |rank| 1.0 / rank as f64)
}

/// nDCG of a list whose only relevant title is at `rank` (from 1), 0 for what is not in the list.
pub fn ndcg_of_one(rank: Option<usize>) -> f64 {
    rank.map_or(0.0, discount)
}

/// Discount of a rank (from 1).
fn discount(rank: usize) -> f64 {
    1.0 / (1.0 + rank as f64).log2()
}

/// Titles of equal score, in the order of a ranked list.
struct Tie {
    /// Titles ranked above.
    above: usize,
    /// Titles of this score.
    titles: usize,
    /// Relevant ones among them.
    relevant: usize,
}

impl Tie {
    /// What one title of this score gains, on average over all orders of the tie.
    fn mean(&self, gain: impl Fn(usize) -> f64) -> f64 {
        let sum: f64 = (self.above + 1..=self.above + self.titles).map(gain).sum();
        sum / self.titles as f64
    }
}

/// A list of titles with scores, some of them relevant, ranked by score.
pub struct ScoredList {
    ties: Vec<Tie>,
    titles: usize,
    relevant: usize,
}

impl ScoredList {
    /// Ranks `scored`: the score of each title, and whether it is relevant.
    pub fn new(scored: impl IntoIterator<Item = (f64, bool)>) -> Self {
        let mut scored: Vec<(f64, bool)> = scored.into_iter().collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut ties = Vec::new();
        let mut above = 0;
        for tie in scored.chunk_by(|a, b| a.0 == b.0) {
            let relevant = tie.iter().filter(|(_, relevant)| *relevant).count();
            ties.push(Tie { above, titles: tie.len(), relevant });
            above += tie.len();
        }
        Self { relevant: ties.iter().map(|tie| tie.relevant).sum(), titles: scored.len(), ties }
    }

    /// Whether it has both relevant and other titles: without, nothing can be said of its order.
    pub fn is_telling(&self) -> bool {
        self.relevant > 0 && self.relevant < self.titles
    }

    /// Area under the ROC curve: the probability that a relevant title is above one that is not.
    pub fn auc(&self) -> f64 {
        let mut others_below = self.titles - self.relevant;
        let mut won = 0.0;
        for tie in &self.ties {
            let others = tie.titles - tie.relevant;
            others_below -= others;
            won += tie.relevant as f64 * (others_below as f64 + others as f64 / 2.0);
        }
        won / (self.relevant as f64 * (self.titles - self.relevant) as f64)
    }

    /// Mean of the reciprocal ranks of all relevant titles.
    pub fn mrr(&self) -> f64 {
        self.expected(|rank| 1.0 / rank as f64) / self.relevant as f64
    }

    /// nDCG of the first `k` titles.
    pub fn ndcg(&self, k: usize) -> f64 {
        let ideal: f64 = (1..=self.relevant.min(k)).map(discount).sum();
        self.expected(|rank| if rank <= k { discount(rank) } else { 0.0 }) / ideal
    }

    fn expected(&self, gain: impl Fn(usize) -> f64 + Copy) -> f64 {
        let relevant = self.ties.iter().filter(|tie| tie.relevant > 0);
        relevant.map(|tie| tie.relevant as f64 * tie.mean(gain)).sum()
    }
}

/// Mean of `values`, NaN where there is none.
pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
    sum / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12, "{value} is not {expected}");
    }

    #[test]
    fn one_relevant_title_counts_by_its_rank() {
        assert_close(reciprocal_rank(Some(4)), 0.25);
        assert_close(reciprocal_rank(None), 0.0);
        assert_close(ndcg_of_one(Some(1)), 1.0);
        assert_close(ndcg_of_one(Some(3)), 0.5);
        assert_close(ndcg_of_one(Some(7)), 1.0 / 3.0);
        assert_close(ndcg_of_one(None), 0.0);
    }

    #[test]
    fn a_list_without_ties_is_measured_as_worked_out_by_hand() {
        // Ranked: other, relevant, other, relevant.
        let list = ScoredList::new([(0.1, true), (0.9, false), (0.5, true), (0.2, false)]);
        assert_close(list.auc(), 1.0 / 4.0);
        assert_close(list.mrr(), (1.0 / 2.0 + 1.0 / 4.0) / 2.0);
        let (second, fourth) = (1.0 / 3.0_f64.log2(), 1.0 / 5.0_f64.log2());
        assert_close(list.ndcg(5), (second + fourth) / (1.0 + second));
        assert_close(list.ndcg(2), second / (1.0 + second));
        assert_close(list.ndcg(1), 0.0);
    }

    #[test]
    fn ties_count_as_the_mean_over_their_orders() {
        // One relevant title above, then one relevant and two others of equal score.
        let scored = [(2.0, true), (1.0, false), (1.0, true), (1.0, false)];
        let orders: Vec<ScoredList> = [[1.3, 1.2, 1.1], [1.2, 1.3, 1.1], [1.1, 1.3, 1.2]]
            .iter()
            .map(|[relevant, one, two]| {
                ScoredList::new([(2.0, true), (*one, false), (*relevant, true), (*two, false)])
            })
            .collect();
        let list = ScoredList::new(scored);
        let over_orders = |metric: &dyn Fn(&ScoredList) -> f64| mean(orders.iter().map(metric));
        assert_close(list.auc(), over_orders(&ScoredList::auc));
        assert_close(list.mrr(), over_orders(&ScoredList::mrr));
        assert_close(list.ndcg(3), over_orders(&|list| list.ndcg(3)));
        assert_close(list.auc(), 0.75);
        assert_close(list.mrr(), (1.0 + (1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 4.0) / 3.0) / 2.0);
    }

    #[test]
    fn equal_scores_for_all_are_worth_a_coin() {
        assert_close(ScoredList::new([(0.0, true), (0.0, false), (0.0, false)]).auc(), 0.5);
    }

    #[test]
    fn a_list_of_one_kind_tells_nothing() {
        assert!(!ScoredList::new([(0.1, true), (0.2, true)]).is_telling());
        assert!(!ScoredList::new([(0.1, false)]).is_telling());
        assert!(ScoredList::new([(0.1, false), (0.1, true)]).is_telling());
    }
}
