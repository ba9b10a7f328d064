//! Which columns the result has, and which of them see the facts in the same way.

use std::time::Duration;

use arrow_schema::{DataType, Field};

use crate::columns::{
    BESIDE_FEATURES, FACT_AGE, FACT_EVENT_AT, FACT_KNOWN_AT, FACT_POSITION, MEMBER, STATUS,
};
use crate::error::{FactsError, Result};
use crate::moments::Unit;
use crate::rules::{Feature, Rules};
use crate::source::Source;
use crate::sweep::View;

/// One feature of the result.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub name: String,
    pub source: String,
    pub data_type: DataType,
    /// The view that it is read by.
    pub view: usize,
    /// Its limit of age.
    pub ttl: Option<i64>,
    /// The name of its own status, if its answer can differ from the row's.
    pub status: Option<String>,
    /// How many files lack it.
    pub lacking: usize,
}

/// The columns of the result.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The first is the row's own.
    pub views: Vec<View>,
    /// The row's limit of age.
    pub ttl: Option<i64>,
    pub columns: Vec<Column>,
    /// Bytes of one row's features, about.
    pub bytes_per_row: usize,
}

impl Layout {
    pub fn new(rules: &Rules, facts: &Source, labels: &Source, unit: Unit) -> Result<Self> {
        let features = features(rules, facts);
        if features.is_empty() {
            return Err(FactsError::Refused(
                "the facts have no column beside those of every table of facts; there is nothing to join"
                    .into(),
            ));
        }
        let view = |delay: Duration| View {
            order: rules.order,
            delay: unit.of(delay).saturating_add(i64::from(rules.strict)),
        };
        let mut views = vec![view(rules.delay)];
        let mut columns = Vec::new();
        for feature in &features {
            let wanted = view(feature.delay.unwrap_or(rules.delay));
            let place = views.iter().position(|known| *known == wanted).unwrap_or_else(|| {
                views.push(wanted);
                views.len() - 1
            });
            columns.push(Column {
                name: feature.name.clone(),
                source: feature.source().to_owned(),
                data_type: facts.field(feature.source())?.data_type().clone(),
                view: place,
                ttl: feature.ttl.or(rules.ttl).map(|ttl| unit.of(ttl)),
                status: feature.has_own_rules().then(|| format!("{}_{STATUS}", feature.name)),
                lacking: facts.lacking(feature.source()),
            });
        }
        let bytes_per_row = columns.iter().map(|column| width(facts, column)).sum();
        let layout = Self { views, ttl: rules.ttl.map(|ttl| unit.of(ttl)), columns, bytes_per_row };
        layout.check_names(labels)?;
        Ok(layout)
    }

    /// The columns to read of the facts, by view.
    pub fn columns_by_view(&self) -> impl Iterator<Item = (usize, Vec<&str>)> {
        (0..self.views.len()).map(|view| (view, self.sources(view)))
    }

    /// The columns of the facts that one view reads, each once.
    pub fn sources(&self, view: usize) -> Vec<&str> {
        let mut sources: Vec<&str> = Vec::new();
        for column in self.columns.iter().filter(|column| column.view == view) {
            if !sources.contains(&column.source.as_str()) {
                sources.push(&column.source);
            }
        }
        sources
    }

    /// The fields that are added to the labels' own.
    pub fn fields(&self, unit: Unit) -> Vec<Field> {
        let time = DataType::Timestamp(unit.time_unit(), Some("UTC".into()));
        let mut fields = vec![
            Field::new(FACT_EVENT_AT, time.clone(), true),
            Field::new(FACT_KNOWN_AT, time, true),
            Field::new(FACT_POSITION, DataType::UInt64, true),
            Field::new(FACT_AGE, DataType::Int64, true),
            status_field(STATUS),
        ];
        for column in &self.columns {
            fields.push(Field::new(&column.name, column.data_type.clone(), true));
            fields.extend(column.status.as_deref().map(status_field));
        }
        fields
    }

    fn check_names(&self, labels: &Source) -> Result<()> {
        let added = self.fields(Unit::Micros);
        for (place, field) in added.iter().enumerate() {
            let name = field.name();
            if labels.field(name).is_ok() {
                return Err(FactsError::column(
                    &labels.files[0].path,
                    name,
                    "is the name of a column of the result, too; rename it in the labels, or the feature in --features",
                ));
            }
            if added[..place].iter().any(|other| other.name() == name) {
                return Err(FactsError::Refused(format!(
                    "the result would have the column `{name}` twice; give each feature a name of its own"
                )));
            }
        }
        Ok(())
    }
}

pub(crate) fn status_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))
}

fn status_field(name: &str) -> Field {
    Field::new(name, status_type(), false)
}

/// The features that were asked for, or all that there are.
fn features(rules: &Rules, facts: &Source) -> Vec<Feature> {
    if !rules.features.is_empty() {
        return rules.features.clone();
    }
    facts.columns().filter(|column| !BESIDE_FEATURES.contains(column)).map(Feature::plain).collect()
}

/// Bytes of one value, about, by what the footers say.
fn width(facts: &Source, column: &Column) -> usize {
    if let Some(width) = column.data_type.primitive_width() {
        return width + 1;
    }
    let mut bytes = 0;
    let mut rows = 0;
    for group in &facts.groups {
        let chunks = facts.files[group.file].metadata.metadata().row_group(group.place).columns();
        for chunk in chunks
            .iter()
            .filter(|chunk| chunk.column_path().parts().first().is_some_and(|name| *name == column.source))
        {
            bytes += usize::try_from(chunk.uncompressed_size()).unwrap_or_default();
        }
        rows += group.rows;
    }
    // A dictionary hides how long texts are.
    16 + bytes / rows.max(1) * if column.source == MEMBER { 1 } else { 4 }
}
