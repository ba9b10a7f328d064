//! The order of titles that a caller gives.

use super::{Answer, NotAnswered, Question, Recommender, offered_title};
use crate::member_answer::MemberAnswer;
use crate::router::Router;
use nearline_ranking::expression::Stop;
use nearline_ranking::gate::BudgetSpent;
use nearline_ranking::offer::OfferedTitle;
use nearline_ranking::{Ranked, rank_given};
use std::sync::Arc;

/// Titles in the order in which a member is likely to want them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OfferedOrder {
    /// The titles that may be offered, best first.
    pub titles: Vec<OfferedTitle>,
    /// Ids of those that may not: not available in the country, not admitted, or thumbed down.
    pub left_out: Vec<Arc<str>>,
    /// Whether what was shown together decided; otherwise it is the order of the ranking of all titles.
    pub learned: bool,
}

impl Recommender {
    /// The titles of a question in their order for its member, asked of the member's owner.
    pub async fn order(
        self: &Arc<Self>,
        router: &Router,
        question: &Question,
        titles: Vec<String>,
    ) -> Result<Answer<OfferedOrder>, NotAnswered> {
        let found = router.member(&question.member, true, question.after).await?;
        let make = move |me: &Self, question: &Question, found: &MemberAnswer, stop: &Stop| {
            me.order_until(question, &titles, found, stop)
        };
        let OfferedOrder { titles, left_out, learned } = self.made(question, &found, make).await?;
        let signed = self.sign(question, &found, titles);
        let Answer { recommendation_id, source, position, variant, offered: titles } = signed;
        let offered = OfferedOrder { titles, left_out, learned };
        Ok(Answer { recommendation_id, source, position, variant, offered })
    }

    fn order_until(
        &self,
        question: &Question,
        titles: &[String],
        found: &MemberAnswer,
        stop: &Stop,
    ) -> Result<OfferedOrder, BudgetSpent> {
        let given: Vec<&str> = titles.iter().map(String::as_str).collect();
        if !self.can_tell(question.country.as_deref()) {
            let left_out = given.into_iter().map(Arc::from).collect();
            return Ok(OfferedOrder { left_out, ..OfferedOrder::default() });
        }
        let now_ms = self.sources.clock.now_ms();
        let aggregates = self.sources.aggregates.read();
        let catalogue = self.sources.catalogue.titles.read();
        let snapshot = found.snapshot.as_ref();
        self.with_query(question, &catalogue, snapshot, stop, |query| {
            let order = rank_given(&aggregates, &catalogue, snapshot, query, &given, now_ms);
            let ranked = |(title, score): (String, f64)| Ranked {
                title: Arc::from(title),
                score,
                reasons: Vec::new(),
                placement: None,
            };
            let mut titles: Vec<OfferedTitle> =
                order.ranked.into_iter().map(|given| offered_title(ranked(given), &catalogue)).collect();
            self.dress(&aggregates, &catalogue, &question.member, snapshot, &mut titles);
            let left_out = order.left_out.into_iter().map(Arc::from).collect();
            OfferedOrder { titles, left_out, learned: order.learned }
        })
    }
}
