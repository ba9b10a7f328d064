//! Logs of decisions as others publish them: Open Bandit's CSV (ZOZO 2020) and Vowpal Wabbit's `dsjson`.
//!
//! They say what was done, with which probability, and what came of it, but of no other policy what it would
//! have done. So what is evaluated on them are the policies that need no more than that: `uniform`, which
//! chooses among all actions alike, and, where the log tells its order, `first`, which always takes the first
//! action offered (the baseline of Azure Personalizer).

use super::{LineError, Logged};
use crate::off_policy::Round;
use hashbrown::HashSet;
use serde_json::{Map, Value};

/// What a published log came to.
#[derive(Debug, Default)]
pub struct Published {
    /// The policies that can be evaluated on it.
    pub logged: Vec<Logged>,
    /// What was left out, in sentences.
    pub notes: Vec<String>,
}

/// Whether `header` is that of Open Bandit's CSV.
pub(super) fn is_open_bandit(header: &str) -> bool {
    ["item_id", "click", "propensity_score"]
        .iter()
        .all(|name| header.split(',').any(|column| column.trim() == *name))
}

/// Open Bandit's rows: `item_id` was shown, with `propensity_score`; `click` tells what came of it. The actions
/// are the items that occur.
pub(super) fn open_bandit(rows: Vec<(usize, Map<String, Value>)>) -> Result<Published, LineError> {
    let mut items = HashSet::new();
    let mut decided = Vec::with_capacity(rows.len());
    for (line, row) in rows {
        let number = |name: &str| {
            let value = row.get(name).and_then(Value::as_f64).filter(|value| value.is_finite());
            value.ok_or_else(|| {
                let found = row.get(name).map_or("absent".to_owned(), Value::to_string);
                LineError::new(line, format!("`{name}` is {found}; expected a number"))
            })
        };
        items.insert(number("item_id")?.to_bits());
        let (reward, propensity) = (number("click")?, number("propensity_score")?);
        check_propensity(line, "propensity_score", propensity)?;
        decided.push((reward, propensity));
    }
    let policy = 1.0 / items.len().max(1) as f64;
    let round = |(reward, propensity)| Round { reward, propensity, policy, prediction: None };
    let rounds = decided.into_iter().map(round).collect();
    Ok(Published { logged: vec![Logged { policy: "uniform".to_owned(), rounds }], notes: Vec::new() })
}

/// Whether `fields` are those of a line of `dsjson`.
pub(super) fn is_dsjson(fields: &Map<String, Value>) -> bool {
    fields.contains_key("_label_cost")
        || fields.contains_key("_label_probability")
        || fields.contains_key("EventId")
}

/// Collects the lines of a `dsjson` log.
#[derive(Default)]
pub(super) struct Dsjson {
    uniform: Vec<Round>,
    first: Vec<Round>,
    not_activated: usize,
    dangling: usize,
}

impl Dsjson {
    /// Takes a line: `a` are the actions in the order they were ranked, the first of them was taken with `p[0]`.
    pub(super) fn take(&mut self, line: usize, fields: &Map<String, Value>) -> Result<(), LineError> {
        let problem = |problem: String| LineError::new(line, problem);
        if fields.get("_skipLearn") == Some(&Value::Bool(true)) {
            self.not_activated += 1;
            return Ok(());
        }
        if fields.contains_key("_outcomes") || fields.contains_key("_slot") {
            return Err(problem("has several slots; expected decisions with one action each".to_owned()));
        }
        if fields.get("pdrop").and_then(Value::as_f64).is_some_and(|dropped| dropped > 0.0) {
            return Err(problem("was thinned out (`pdrop`); expected a whole log".to_owned()));
        }
        let (Some(actions), Some(probabilities)) =
            (fields.get("a").and_then(Value::as_array), fields.get("p").and_then(Value::as_array))
        else {
            // A reward whose decision is not in the log.
            self.dangling += 1;
            return Ok(());
        };
        if actions.is_empty() || actions.len() != probabilities.len() {
            let (a, p) = (actions.len(), probabilities.len());
            return Err(problem(format!("`a` has {a} entries and `p` {p}; expected as many, at least one")));
        }
        let number = |name: &str, value: Option<&Value>| {
            let found = value.and_then(Value::as_f64).filter(|value| value.is_finite());
            found.ok_or_else(|| {
                let shown = value.map_or("absent".to_owned(), Value::to_string);
                problem(format!("`{name}` is {shown}; expected a number"))
            })
        };
        let cost = number("_label_cost", fields.get("_label_cost"))?;
        let propensity = match fields.get("_label_probability") {
            Some(value) => number("_label_probability", Some(value))?,
            None => number("p[0]", probabilities.first())?,
        };
        check_propensity(line, "_label_probability", propensity)?;
        let chosen = fields.get("_labelIndex").and_then(Value::as_u64).map(|index| index + 1);
        let chosen = chosen.or_else(|| actions[0].as_u64());
        let round = |policy| Round { reward: -cost, propensity, policy, prediction: None };
        self.uniform.push(round(1.0 / actions.len() as f64));
        self.first.push(round(if chosen == Some(1) { 1.0 } else { 0.0 }));
        Ok(())
    }

    pub(super) fn finish(self) -> Published {
        let mut notes = Vec::new();
        if self.not_activated > 0 {
            notes.push(format!("{} decisions were never activated and are left out", self.not_activated));
        }
        if self.dangling > 0 {
            notes.push(format!("{} rewards have no decision in the log and are left out", self.dangling));
        }
        let logged = [("uniform", self.uniform), ("first", self.first)];
        let logged = logged.map(|(policy, rounds)| Logged { policy: policy.to_owned(), rounds });
        Published { logged: logged.into(), notes }
    }
}

fn check_propensity(line: usize, name: &str, propensity: f64) -> Result<(), LineError> {
    if propensity > 0.0 && propensity <= 1.0 {
        return Ok(());
    }
    Err(LineError::new(line, format!("`{name}` is {propensity}; expected above 0, at most 1")))
}

#[cfg(test)]
mod tests {
    use super::super::decisions;
    use super::*;

    fn read(text: &str) -> Result<Published, LineError> {
        decisions::read_any(text)
    }

    #[test]
    fn open_bandits_csv_is_read_as_it_is_published() {
        let text = "\u{feff},timestamp,item_id,position,click,propensity_score,user_feature_0\r\n\
            0,2019-11-24 00:00:10.004101+00:00,0,3,0,0.25,cef3390ed299c09874189c387777674a\r\n\
            1,2019-11-24 00:00:10.004101+00:00,14,2,1,0.0625,\"x, y\"\r\n";
        let published = read(text).expect("read");
        let [Logged { policy, rounds }] = &published.logged[..] else { panic!("one policy") };
        assert_eq!(policy, "uniform");
        let seen: Vec<_> =
            rounds.iter().map(|round| (round.reward, round.propensity, round.policy)).collect();
        assert_eq!(seen, [(0.0, 0.25, 0.5), (1.0, 0.0625, 0.5)]);
        let error = read("item_id,click,propensity_score\n1,x,0.5\n").expect_err("no number");
        assert_eq!(error.to_string(), "line 2: `click` is \"x\"; expected a number");
        assert!(read("item_id,click,propensity_score\n1,0,0\n").expect_err("0").problem.contains("above 0"));
    }

    #[test]
    fn dsjson_is_read_as_vowpal_wabbit_writes_it() {
        let line = |cost: f64, probability: f64, actions: &str, rest: &str| {
            format!(
                r#"{{"_label_cost":{cost},"_label_probability":{probability},"_label_Action":1,"_labelIndex":0,
                "Timestamp":"2021-02-04T16:31:29Z","Version":"1","EventId":"e","a":{actions},"p":[{probability},0.1],
                "c":{{"_multi":[{{"a1":{{}}}},{{"a2":{{}}}}]}}{rest}}}"#
            )
            .replace('\n', " ")
        };
        let text = [
            line(-1.0, 0.9, "[1,2]", ""),
            line(0.0, 0.1, "[2,1]", "").replace("\"_labelIndex\":0,", ""),
            line(0.0, 0.5, "[1,2]", r#","_skipLearn":true"#),
            r#"{"RewardValue":1.0,"EnqueuedTimeUtc":"2021-02-04T16:31:29Z","EventId":"x"}"#.to_owned(),
        ];
        let published = read(&text.join("\n")).expect("read");
        let policies: Vec<&str> = published.logged.iter().map(|logged| logged.policy.as_str()).collect();
        assert_eq!(policies, ["uniform", "first"]);
        let seen = |at: usize| -> Vec<_> {
            let rounds = published.logged[at].rounds.iter();
            rounds.map(|round| (round.reward, round.propensity, round.policy)).collect()
        };
        assert_eq!(seen(0), [(1.0, 0.9, 0.5), (-0.0, 0.1, 0.5)]);
        assert_eq!(seen(1), [(1.0, 0.9, 1.0), (-0.0, 0.1, 0.0)]);
        assert_eq!(published.notes.len(), 2, "{:?}", published.notes);
        for (bad, says) in [
            (line(0.0, 1.5, "[1,2]", ""), "line 1: `_label_probability` is 1.5"),
            (line(0.0, 0.5, "[1]", ""), "line 1: `a` has 1 entries and `p` 2"),
            (line(0.0, 0.5, "[1,2]", r#","pdrop":0.2"#), "line 1: was thinned out"),
        ] {
            assert!(read(&bad).expect_err("refused").to_string().starts_with(says), "{bad}");
        }
    }
}
