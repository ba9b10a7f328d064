//! Logged decisions, one a line: NDJSON, or CSV with a header.
//!
//! ```text
//! {"define":"men","values":[0.5,0.5]}
//! {"action":0,"reward":1,"propensity":0.25,"policy":"men","reward_model":[0.02,0.03]}
//! {"action":"b","reward":0,"propensity":0.75,"policy":{"a":0.1,"b":0.9},"context":{"any":"thing"}}
//! ```
//!
//! `policy` is the evaluated policy's probability of each action in that context, `reward_model`
//! (optional) the reward predicted for each. Other fields are the context: kept by whoever logs, and
//! ignored here. CSV has the same as columns `policy.<action>` and `reward_model.<action>`.

use super::distribution::Defined;
use super::published::{self, Dsjson, Published};
use super::{LineError, Logged, csv};
use crate::off_policy::{Prediction, Round};
use serde_json::{Map, Value};

/// Name of the policy in a log of decisions.
const POLICY: &str = "policy";

/// Reads a log of decisions, or one that others publish: Open Bandit's CSV, Vowpal Wabbit's `dsjson`.
///
/// # Errors
/// The first line that is wrong.
pub fn read_any(text: &str) -> Result<Published, LineError> {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if published::is_open_bandit(first) {
        let mut rows = Vec::new();
        csv::rows(text, |line, row| {
            rows.push((line, row));
            Ok(())
        })?;
        return published::open_bandit(rows);
    }
    if serde_json::from_str(first).is_ok_and(|fields| published::is_dsjson(&fields)) {
        let mut log = Dsjson::default();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let fields = serde_json::from_str(line)
                .map_err(|error| LineError::new(at + 1, format!("is no JSON object: {error}")))?;
            log.take(at + 1, &fields)?;
        }
        return Ok(log.finish());
    }
    Ok(Published { logged: vec![read(text)?], notes: Vec::new() })
}

/// Reads a log of decisions.
///
/// # Errors
/// The first line that is wrong.
pub fn read(text: &str) -> Result<Logged, LineError> {
    let is_json = text.trim_start().starts_with('{');
    let mut defined = Defined::default();
    let mut rounds = Vec::new();
    let mut take = |line: usize, fields: Map<String, Value>| -> Result<(), LineError> {
        let problem = |problem: String| LineError::new(line, problem);
        match fields.get("define") {
            Some(Value::String(name)) => {
                defined.define(name, fields.get("values").unwrap_or(&Value::Null)).map_err(problem)
            }
            Some(other) => Err(problem(format!("`define` is {other}; expected a name"))),
            None => {
                rounds.push(round(&fields, &defined).map_err(problem)?);
                Ok(())
            }
        }
    };
    if is_json {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let fields = serde_json::from_str(line)
                .map_err(|error| LineError::new(at + 1, format!("is no JSON object: {error}")))?;
            take(at + 1, fields)?;
        }
    } else {
        csv::rows(text, take)?;
    }
    Ok(Logged { policy: POLICY.to_owned(), rounds })
}

fn round(fields: &Map<String, Value>, defined: &Defined) -> Result<Round, String> {
    let number = |name: &str| {
        let value = fields.get(name).ok_or_else(|| format!("`{name}` is absent"))?;
        value.as_f64().ok_or_else(|| format!("`{name}` is {value}; expected a number"))
    };
    let action = fields.get("action").ok_or("`action` is absent")?;
    if !(action.is_u64() || action.is_string()) {
        return Err(format!("`action` is {action}; expected a number from 0, or a name"));
    }
    let policy = fields.get("policy").ok_or("`policy` is absent")?;
    let policy = defined.resolve(policy).map_err(|problem| format!("`policy` {problem}"))?;
    if let Some(problem) = policy.distribution_problem() {
        return Err(format!("`policy` {problem}"));
    }
    let probability =
        policy.of(action).ok_or_else(|| format!("`policy` has no probability for `action` {action}"))?;
    let prediction = match fields.get("reward_model") {
        None | Some(Value::Null) => None,
        Some(model) => {
            let model = defined.resolve(model).map_err(|problem| format!("`reward_model` {problem}"))?;
            let logged = model
                .of(action)
                .ok_or_else(|| format!("`reward_model` has no prediction for `action` {action}"))?;
            let policy = policy.mean(&model).map_err(|problem| format!("`reward_model` {problem}"))?;
            Some(Prediction { logged, policy })
        }
    };
    let propensity = number("propensity")?;
    if !(propensity > 0.0 && propensity <= 1.0) {
        return Err(format!("`propensity` is {propensity}; expected above 0, at most 1"));
    }
    let reward = number("reward")?;
    if !reward.is_finite() {
        return Err(format!("`reward` is {reward}; expected a finite number"));
    }
    Ok(Round { reward, propensity, policy: probability, prediction })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        read(text).expect_err("refused").to_string()
    }

    #[test]
    fn lists_names_and_definitions_say_the_same() {
        let by_list =
            r#"{"action":1,"reward":1,"propensity":0.5,"policy":[0.25,0.75],"reward_model":[0.1,0.2]}"#;
        let by_name = r#"{"action":"b","reward":1,"propensity":0.5,"policy":{"a":0.25,"b":0.75},"reward_model":{"a":0.1,"b":0.2}}"#;
        let defined = "{\"define\":\"p\",\"values\":[0.25,0.75]}\n{\"define\":\"q\",\"values\":[0.1,0.2]}\n\n\
            {\"action\":1,\"reward\":1,\"propensity\":0.5,\"policy\":\"p\",\"reward_model\":\"q\"}";
        let csv = "action,reward,propensity,policy.a,policy.b,reward_model.a,reward_model.b,note\n\
            b,1,0.5,0.25,0.75,0.1,0.2,\"said, \"\"quoted\"\"\"\n";
        let expected = Round {
            reward: 1.0,
            propensity: 0.5,
            policy: 0.75,
            prediction: Some(Prediction { logged: 0.2, policy: 0.25 * 0.1 + 0.75 * 0.2 }),
        };
        for text in [by_list, by_name, defined, csv] {
            assert_eq!(read(text).expect("valid").rounds, [expected], "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let row = |policy: &str, action: &str, propensity: &str| {
            format!("\n{{\"action\":{action},\"reward\":0,\"propensity\":{propensity},\"policy\":{policy}}}")
        };
        for (text, expected) in [
            (row("[0.5,0.4]", "0", "1"), "line 2: `policy` adds up to 0.9"),
            (row("[0.5,0.5]", "2", "1"), "line 2: `policy` has no probability for `action` 2"),
            (row("[0.5,0.5]", "-1", "1"), "line 2: `action` is -1"),
            (row("[0.5,0.5]", "0", "0"), "line 2: `propensity` is 0"),
            (row("[1.5,-0.5]", "0", "1"), "line 2: `policy` holds 1.5"),
            (row("\"men\"", "0", "1"), "line 2: `policy` is \"men\", which no line before defines"),
            ("{}".into(), "line 1: `action` is absent"),
            ("{".into(), "line 1: is no JSON object"),
            ("action,reward\na".into(), "line 2: has 1 column; the header has 2"),
            (
                "action,reward,propensity,policy.a\na,x,1,1".into(),
                "line 2: `reward` is \"x\"; expected a number",
            ),
        ] {
            assert!(problem(&text).starts_with(expected), "{:?} for {text}", problem(&text));
        }
    }
}
