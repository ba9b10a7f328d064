//! Functions of an expression: names, types, values.

use std::borrow::Cow;

use anyhow::bail;

use super::node::{Function, Kind, Value};

/// Names, and how many arguments each takes.
const ALL: &[(&str, Function, std::ops::RangeInclusive<usize>)] = &[
    ("abs", Function::Abs, 1..=1),
    ("ceil", Function::Ceil, 1..=1),
    ("ceiling", Function::Ceil, 1..=1),
    ("char_length", Function::Length, 1..=1),
    ("character_length", Function::Length, 1..=1),
    ("coalesce", Function::Coalesce, 1..=64),
    ("concat", Function::Concat, 1..=64),
    ("exp", Function::Exp, 1..=1),
    ("floor", Function::Floor, 1..=1),
    ("greatest", Function::Greatest, 1..=64),
    ("if", Function::If, 3..=3),
    ("ifnull", Function::Coalesce, 2..=2),
    ("iff", Function::If, 3..=3),
    ("least", Function::Least, 1..=64),
    ("left", Function::Left, 2..=2),
    ("length", Function::Length, 1..=1),
    ("ln", Function::Ln, 1..=1),
    ("log10", Function::Log10, 1..=1),
    ("lower", Function::Lower, 1..=1),
    ("ltrim", Function::TrimStart, 1..=1),
    ("mod", Function::Mod, 2..=2),
    ("nullif", Function::NullIf, 2..=2),
    ("pow", Function::Power, 2..=2),
    ("power", Function::Power, 2..=2),
    ("replace", Function::Replace, 3..=3),
    ("right", Function::Right, 2..=2),
    ("round", Function::Round, 1..=2),
    ("rtrim", Function::TrimEnd, 1..=1),
    ("sign", Function::Sign, 1..=1),
    ("sqrt", Function::Sqrt, 1..=1),
    ("starts_with", Function::StartsWith, 2..=2),
    ("strpos", Function::Position, 2..=2),
    ("substr", Function::Substring, 2..=3),
    ("substring", Function::Substring, 2..=3),
    ("trim", Function::Trim, 1..=1),
    ("upper", Function::Upper, 1..=1),
];

/// The function of this name, for so many arguments.
pub(super) fn named(name: &str, arguments: usize) -> anyhow::Result<Function> {
    let lower = name.to_ascii_lowercase();
    let Some((_, function, takes)) = ALL.iter().find(|(known, _, _)| *known == lower) else {
        let mut known: Vec<&str> = ALL.iter().map(|(name, _, _)| *name).collect();
        known.extend(["date_trunc", "date_part"]);
        bail!("there is no function `{name}`; there are {}", known.join(", "))
    };
    if !takes.contains(&arguments) {
        let (least, most) = (takes.start(), takes.end());
        let takes = if least == most { least.to_string() } else { format!("{least} to {most}") };
        bail!("`{name}` takes {takes} arguments, not {arguments}");
    }
    Ok(*function)
}

/// What a function gives.
pub(super) enum Gives {
    /// Of this type, of arguments of these types.
    Of(Kind, &'static [Kind]),
    /// Of the type that all arguments have.
    Same,
    /// Of the type that its second and third arguments have; the first is a condition.
    Chosen,
}

impl Function {
    /// What it gives.
    pub fn gives(self) -> Gives {
        use Kind::{Integer, Number, Text, Truth};
        match self {
            Self::Coalesce | Self::Greatest | Self::Least | Self::NullIf | Self::Mod | Self::Abs => {
                Gives::Same
            }
            Self::If => Gives::Chosen,
            Self::Ceil | Self::Floor | Self::Exp | Self::Ln | Self::Log10 | Self::Sqrt | Self::Sign => {
                Gives::Of(Number, &[Number])
            }
            Self::Round => Gives::Of(Number, &[Number, Integer]),
            Self::Power => Gives::Of(Number, &[Number, Number]),
            Self::Lower | Self::Upper | Self::Trim | Self::TrimStart | Self::TrimEnd => {
                Gives::Of(Text, &[Text])
            }
            Self::Concat | Self::Join => Gives::Of(Text, &[Text]),
            Self::Length => Gives::Of(Integer, &[Text]),
            Self::Left | Self::Right => Gives::Of(Text, &[Text, Integer]),
            Self::Substring => Gives::Of(Text, &[Text, Integer, Integer]),
            Self::Replace => Gives::Of(Text, &[Text, Text, Text]),
            Self::Position => Gives::Of(Integer, &[Text, Text]),
            Self::StartsWith => Gives::Of(Truth, &[Text, Text]),
        }
    }

    /// Its value. Null if any argument is, but where null is what it is about.
    pub fn value<'a>(self, mut of: Vec<Value<'a>>) -> Value<'a> {
        match self {
            Self::Coalesce => {
                return of.into_iter().find(|value| *value != Value::Null).unwrap_or(Value::Null);
            }
            Self::Concat => {
                let text =
                    of.iter().map(|value| if let Value::Text(text) = value { text.as_ref() } else { "" });
                return Value::Text(text.collect::<String>().into());
            }
            // As DuckDB and Spark: of those that are there.
            Self::Greatest | Self::Least => {
                let there = of.into_iter().filter(|value| *value != Value::Null);
                let keep = if self == Self::Greatest {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Less
                };
                let found =
                    there.reduce(|best, next| if next.order(&best) == Some(keep) { next } else { best });
                return found.unwrap_or(Value::Null);
            }
            Self::NullIf => {
                let same = of[0].order(&of[1]) == Some(std::cmp::Ordering::Equal);
                return if same { Value::Null } else { of.swap_remove(0) };
            }
            Self::If => return of.swap_remove(if of[0] == Value::Truth(true) { 1 } else { 2 }),
            _ => {}
        }
        if of.contains(&Value::Null) {
            return Value::Null;
        }
        match of.as_slice() {
            [Value::Integer(one)] if self == Self::Abs => {
                one.checked_abs().map_or(Value::Null, Value::Integer)
            }
            [Value::Integer(one), Value::Integer(two)] => {
                one.checked_rem(*two).map_or(Value::Null, Value::Integer)
            }
            [Value::Number(number)] => self.of_number(*number, 0),
            [Value::Number(number), Value::Integer(digits)] => self.of_number(*number, *digits),
            [Value::Number(one), Value::Number(two)] => {
                finite(if self == Self::Power { one.powf(*two) } else { one % two })
            }
            [Value::Text(text), rest @ ..] => self.of_text(text, rest),
            _ => Value::Null,
        }
    }

    fn of_number(self, number: f64, digits: i64) -> Value<'static> {
        finite(match self {
            Self::Abs => number.abs(),
            Self::Ceil => number.ceil(),
            Self::Floor => number.floor(),
            Self::Exp => number.exp(),
            Self::Ln => number.ln(),
            Self::Log10 => number.log10(),
            Self::Sqrt => number.sqrt(),
            Self::Sign if number == 0.0 => 0.0,
            Self::Sign => number.signum(),
            Self::Round => {
                let unit = 10_f64.powi(i32::try_from(digits.clamp(-300, 300)).unwrap_or(0));
                (number * unit).round() / unit
            }
            _ => f64::NAN,
        })
    }

    fn of_text<'a>(self, text: &str, rest: &[Value<'a>]) -> Value<'a> {
        let cut = |text: &str, from: usize, count: usize| -> Value<'a> {
            Value::Text(Cow::Owned(text.chars().skip(from).take(count).collect()))
        };
        let owned = |text: &str| Value::Text(Cow::Owned(text.to_owned()));
        let size = |number: i64| usize::try_from(number).unwrap_or(0);
        match (self, rest) {
            (Self::Lower, _) => owned(&text.to_lowercase()),
            (Self::Upper, _) => owned(&text.to_uppercase()),
            (Self::Trim, _) => owned(text.trim_matches(' ')),
            (Self::TrimStart, _) => owned(text.trim_start_matches(' ')),
            (Self::TrimEnd, _) => owned(text.trim_end_matches(' ')),
            (Self::Join, [Value::Text(more)]) => Value::Text(Cow::Owned(format!("{text}{more}"))),
            (Self::Length, _) => Value::Integer(count(text)),
            (Self::Left, [Value::Integer(most)]) => cut(text, 0, size(*most)),
            (Self::Right, [Value::Integer(most)]) => {
                cut(text, size(count(text).saturating_sub(*most)), usize::MAX)
            }
            (Self::Substring, [Value::Integer(from), rest @ ..]) => {
                // The first character is the first; a start before it uses up some of the length.
                let most = if let [Value::Integer(most)] = rest { *most } else { i64::MAX };
                let end = from.saturating_add(most).saturating_sub(1).max(0);
                let start = from.saturating_sub(1).max(0);
                cut(text, size(start), size(end - start))
            }
            (Self::Replace, [Value::Text(from), _]) if from.is_empty() => owned(text),
            (Self::Replace, [Value::Text(from), Value::Text(to)]) => owned(&text.replace(from.as_ref(), to)),
            (Self::Position, [Value::Text(part)]) => {
                Value::Integer(text.find(part.as_ref()).map_or(0, |at| count(&text[..at]) + 1))
            }
            (Self::StartsWith, [Value::Text(start)]) => Value::Truth(text.starts_with(start.as_ref())),
            _ => Value::Null,
        }
    }
}

fn count(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// A number, or null where there is none.
pub(super) fn finite(number: f64) -> Value<'static> {
    if number.is_nan() { Value::Null } else { Value::Number(number) }
}
