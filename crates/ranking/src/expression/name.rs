//! What expressions may name.

use super::kind::Type;

/// A field that an expression can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    TitleId,
    TitleName,
    TitleGenres,
    TitleYear,
    TitleMaturity,
    TitleCountries,
    ContextCountry,
    ContextDevice,
    ContextHour,
    MemberId,
    MemberList,
    MemberHistory,
}

/// Every field: object, name, type.
const FIELDS: [(&str, &str, Type, Field); 12] = [
    ("title", "id", Type::Text, Field::TitleId),
    ("title", "name", Type::Text, Field::TitleName),
    ("title", "genres", Type::Texts, Field::TitleGenres),
    ("title", "year", Type::Int, Field::TitleYear),
    ("title", "maturity", Type::Int, Field::TitleMaturity),
    ("title", "countries", Type::Texts, Field::TitleCountries),
    ("context", "country", Type::Text, Field::ContextCountry),
    ("context", "device", Type::Text, Field::ContextDevice),
    ("context", "hour", Type::Int, Field::ContextHour),
    ("member", "id", Type::Text, Field::MemberId),
    ("member", "list", Type::Texts, Field::MemberList),
    ("member", "history", Type::Texts, Field::MemberHistory),
];

/// Whether there is an object of this name.
pub(super) fn is_object(name: &str) -> bool {
    FIELDS.iter().any(|(object, ..)| *object == name)
}

/// The names of all objects.
pub(super) const OBJECTS: &str = "title, context, member";

/// A field and its type.
pub(super) fn field(object: &str, name: &str) -> Option<(Field, Type)> {
    FIELDS.iter().find(|(o, n, ..)| *o == object && *n == name).map(|(_, _, kind, field)| (*field, *kind))
}

/// The fields of an object, for people.
pub(super) fn fields_of(object: &str) -> String {
    let names: Vec<&str> = FIELDS.iter().filter(|(o, ..)| *o == object).map(|(_, name, ..)| *name).collect();
    names.join(", ")
}
