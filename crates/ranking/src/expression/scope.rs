//! What an expression is evaluated over.

use super::name::Field;
use nearline_model::catalogue::Title;
use nearline_model::member::MemberSnapshot;
use std::sync::Arc;

/// What holds for a whole request.
#[derive(Debug, Default)]
pub struct Context<'a> {
    country: Option<&'a str>,
    device: Option<&'a str>,
    hour: i64,
    member: &'a str,
    list: &'a [Arc<str>],
    history: Vec<Arc<str>>,
}

impl<'a> Context<'a> {
    /// A request's context; `hour` is the hour of the day, UTC, 0 to 23.
    pub fn new(
        country: Option<&'a str>,
        device: Option<&'a str>,
        hour: u8,
        member_id: &'a str,
        member: Option<&'a MemberSnapshot>,
    ) -> Self {
        Self {
            country,
            device,
            hour: i64::from(hour),
            member: member_id,
            list: member.map(|member| member.list.as_slice()).unwrap_or_default(),
            history: member
                .map(|member| member.history.iter().map(|watched| watched.title.clone()).collect())
                .unwrap_or_default(),
        }
    }
}

/// One title in a request's context.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The title's id.
    pub id: &'a str,
    /// What the catalogue knows of it.
    pub title: Option<&'a Title>,
    /// What holds for the whole request.
    pub context: &'a Context<'a>,
}

/// A value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(&'a str),
    Texts(Texts<'a>),
    Ints(&'a [i64]),
}

/// A list of texts, wherever it is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Texts<'a> {
    Owned(&'a [String]),
    Shared(&'a [Arc<str>]),
}

impl<'a> Texts<'a> {
    pub fn len(self) -> usize {
        match self {
            Self::Owned(texts) => texts.len(),
            Self::Shared(texts) => texts.len(),
        }
    }

    pub fn get(self, at: usize) -> &'a str {
        match self {
            Self::Owned(texts) => &texts[at],
            Self::Shared(texts) => &texts[at],
        }
    }

    pub fn contains(self, text: &str) -> bool {
        (0..self.len()).any(|at| self.get(at) == text)
    }
}

impl<'a> Scope<'a> {
    /// A field's value; `None` if it is not known.
    pub(super) fn field(&self, field: Field) -> Option<Value<'a>> {
        let context = self.context;
        Some(match field {
            Field::TitleId => Value::Text(self.id),
            Field::TitleName => Value::Text(self.title?.name.as_deref()?),
            Field::TitleGenres => Value::Texts(Texts::Owned(&self.title?.genres)),
            Field::TitleYear => Value::Int(i64::from(self.title?.year?)),
            Field::TitleMaturity => Value::Int(i64::from(self.title?.maturity?)),
            Field::TitleCountries => Value::Texts(Texts::Owned(&self.title?.countries)),
            Field::ContextCountry => Value::Text(context.country?),
            Field::ContextDevice => Value::Text(context.device?),
            Field::ContextHour => Value::Int(context.hour),
            Field::MemberId => Value::Text(context.member),
            Field::MemberList => Value::Texts(Texts::Shared(context.list)),
            Field::MemberHistory => Value::Texts(Texts::Shared(&context.history)),
        })
    }
}
