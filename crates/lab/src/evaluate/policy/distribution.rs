//! Numbers by action, as logs write them: a list by number, an object by name, or the name of a list
//! that was defined before.

use hashbrown::HashMap;
use serde_json::Value;
use std::sync::Arc;

/// Farthest that probabilities may add up from 1.
const TOLERANCE: f64 = 1e-6;

/// A number for each action.
#[derive(Debug, Clone, PartialEq)]
pub enum ByAction {
    /// Actions are numbers, from 0.
    List(Vec<f64>),
    /// Actions are names.
    Names(HashMap<String, f64>),
}

impl ByAction {
    /// The number of `action`; `None` if there is none.
    pub fn of(&self, action: &Value) -> Option<f64> {
        match (self, action) {
            (Self::List(values), Value::Number(number)) => {
                values.get(usize::try_from(number.as_u64()?).ok()?).copied()
            }
            (Self::Names(values), Value::String(name)) => values.get(name).copied(),
            _ => None,
        }
    }

    fn values(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match self {
            Self::List(values) => Box::new(values.iter().copied()),
            Self::Names(values) => Box::new(values.values().copied()),
        }
    }

    /// What keeps this from being a distribution over actions.
    pub fn distribution_problem(&self) -> Option<String> {
        if let Some(bad) = self.values().find(|p| !(0.0..=1.0).contains(p)) {
            return Some(format!("holds {bad}; expected probabilities, 0 to 1"));
        }
        let sum: f64 = self.values().sum();
        ((sum - 1.0).abs() > TOLERANCE)
            .then(|| format!("adds up to {sum}; expected 1, so that every action has its probability"))
    }

    /// The mean of `predictions` under this distribution.
    ///
    /// # Errors
    /// The action that has a probability but no prediction.
    pub fn mean(&self, predictions: &Self) -> Result<f64, String> {
        let lacks =
            |action: String| format!("has no prediction for action {action}, which `policy` may choose");
        let mut pairs: Vec<(f64, f64)> = Vec::new();
        match (self, predictions) {
            (Self::List(policy), Self::List(predictions)) => {
                for (action, p) in policy.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                    pairs.push((*p, *predictions.get(action).ok_or_else(|| lacks(action.to_string()))?));
                }
            }
            (Self::Names(policy), Self::Names(predictions)) => {
                let mut policy: Vec<_> = policy.iter().filter(|(_, p)| **p > 0.0).collect();
                policy.sort_unstable_by_key(|(action, _)| *action);
                for (action, p) in policy {
                    pairs.push((*p, *predictions.get(action).ok_or_else(|| lacks(format!("{action:?}")))?));
                }
            }
            _ => {
                return Err(
                    "names actions in another way than `policy`: both by list, or both by name".into()
                );
            }
        }
        let total: f64 = pairs.iter().map(|(p, _)| p).sum();
        Ok(pairs.iter().map(|(p, prediction)| p * prediction).sum::<f64>() / total)
    }
}

/// Lists that were defined in a log.
#[derive(Debug, Default)]
pub struct Defined {
    by_name: HashMap<String, Arc<ByAction>>,
}

impl Defined {
    /// Remembers `values` as `name`.
    pub fn define(&mut self, name: &str, values: &Value) -> Result<(), String> {
        let values = read(values).map_err(|problem| format!("`values` {problem}"))?;
        match self.by_name.insert(name.to_owned(), Arc::new(values)) {
            None => Ok(()),
            Some(_) => Err(format!("{name:?} is defined twice; give each its own name")),
        }
    }

    /// What `value` stands for.
    pub fn resolve(&self, value: &Value) -> Result<Arc<ByAction>, String> {
        match value {
            Value::String(name) => self.by_name.get(name).cloned().ok_or_else(|| {
                format!("is {name:?}, which no line before defines; expected {{\"define\":{name:?},\"values\":[…]}}")
            }),
            _ => read(value).map(Arc::new),
        }
    }
}

fn read(value: &Value) -> Result<ByAction, String> {
    let number = |value: &Value| {
        let number = value.as_f64().filter(|number| number.is_finite());
        number.ok_or_else(|| format!("holds {value}; expected a number"))
    };
    match value {
        Value::Array(values) => values.iter().map(number).collect::<Result<_, _>>().map(ByAction::List),
        Value::Object(values) => {
            let pairs = values.iter().map(|(name, value)| number(value).map(|number| (name.clone(), number)));
            pairs.collect::<Result<_, _>>().map(ByAction::Names)
        }
        _ => Err("is no list, no object and no name; expected a number for each action".into()),
    }
}
