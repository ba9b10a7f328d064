//! `GET /v1/members/{id}/home`: a page of rows, no title twice.

use super::artwork;
use super::asked::{Asked, SHARED, now_s};
use super::cursor::Route;
use super::problem::Problem;
use super::query::{Parameters, path_id};
use super::recommendations::{RankedTitle, VariantDocument, issued_id, not_reached};
use super::state::{Answer, ApiState, State, ok};
use crate::experiments::Allocation;
use actix_web::HttpRequest;
use nearline_model::MemberSnapshot;
use nearline_model::catalogue::Catalogue;
use nearline_model::page::{MAX_ROWS, PageSources, Row, assemble};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use utoipa::ToSchema;

/// The title that a row follows.
#[derive(Debug, Serialize, ToSchema)]
pub struct BecauseDocument {
    /// Its id.
    #[schema(value_type = String)]
    pub title: Arc<str>,
    /// Its name, if the catalogue has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A row of a page.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowDocument {
    /// `continue_watching`, `top_picks`, `because_you_watched`, `trending_now`, `new_for_you` or `my_list`:
    /// send it back as `row` of impressions.
    pub row: &'static str,
    /// The title that it follows, of `because_you_watched`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<BecauseDocument>,
    /// Share of impressions in such rows that is expected to be played: what rows are ordered by.
    pub expected_take: f64,
    /// Whether that share was measured; false: it is the one that such rows start with.
    pub measured: bool,
    /// Titles, best first.
    pub titles: Vec<RankedTitle>,
}

impl RowDocument {
    fn new(row: Row, catalogue: &Catalogue) -> Self {
        let because = row.because.map(|title| BecauseDocument {
            name: catalogue.get(&title).and_then(|known| known.name.clone()),
            title,
        });
        Self {
            row: row.kind.name(),
            because,
            expected_take: row.expected_take,
            measured: row.measured,
            titles: row.titles.into_iter().map(|title| RankedTitle::of_row(title, catalogue)).collect(),
        }
    }
}

/// A member's home page.
#[derive(Debug, Serialize, ToSchema)]
pub struct HomeAnswer {
    /// Id of this answer, fresh each time: send it back as `request` of impressions and plays. Under an
    /// experiment it ends in `-x-EXPERIMENT-VARIANT`.
    pub recommendation_id: String,
    /// The member.
    pub member: String,
    /// `live`: every event folded counts; `store`: every event committed; `popular`: the member's
    /// own history was out of reach.
    pub source: &'static str,
    /// Position of the log that the member's state reflects; 0 for `popular`.
    pub position: u64,
    /// The experiment that it was made under, if the member is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<VariantDocument>,
    /// Rows, the one most likely taken from first.
    pub rows: Vec<RowDocument>,
    /// Cursor of the page after this one; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[utoipa::path(
    get, path = "/v1/members/{id}/home", tag = "members", summary = "A member's home page",
    description = "Rows of titles, no title twice. Rows with too few titles are left out.",
    params(
        ("id" = String, Path, description = "The member"),
        ("limit" = Option<usize>, Query, description = "Titles of a row at most (default 20)", minimum = 1),
        ("rows" = Option<usize>, Query, description = "Rows at most (default: all)", minimum = 1),
        ("country" = Option<String>, Query, description = "Country, ISO 3166-1 alpha-2: only titles available there"),
        ("device" = Option<String>, Query, description = "Device"),
        ("exclude" = Option<String>, Query, description = "Titles not wanted: ids separated by commas; may be repeated"),
        ("explain" = Option<bool>, Query, description = "Whether reasons are wanted"),
        ("after" = Option<u64>, Query, description = "Position that publishing an event of this member gave: the answer is at least that new"),
        ("filter" = Option<String>, Query, description = "CEL: only titles that it is true for"),
        ("boost" = Option<String>, Query, description = "CEL: what a title's score is multiplied by"),
        ("max_maturity" = Option<u8>, Query, description = "Only titles known to be meant for this age, in years, or younger"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before: no title of the session is given again"),
    ),
    responses(
        (status = 200, description = "Rows, the one most likely taken from first", body = HomeAnswer),
        (status = 400, description = "The id or a parameter is not valid, or the log has no such position for this member", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many queries are under way; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The state is not as new as `after` yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn page(request: HttpRequest, state: State) -> Answer {
    let started = Instant::now();
    let member = path_id(&request)?;
    let known = [SHARED.as_slice(), &["after", "cursor", "rows"]].concat();
    let parameters = Parameters::read(&request, &known)?;
    let most_rows = parameters.number("rows", 1, MAX_ROWS)?.unwrap_or(MAX_ROWS);
    let asked = Asked::read(&parameters, &state, &member, Route::Home)?;
    let _admitted = state.admission.admit()?;
    let found = state.engine.member(&member, false, asked.after).await.map_err(not_reached)?;
    let allocation = state.experiments.allocate(&member);
    let rows = rows(&state, &asked, &member, found.snapshot.as_ref(), allocation.as_ref(), most_rows)?;
    state.queries.count(found.source);
    let source = found.source.name();
    metrics::histogram!("nearline_query_duration_seconds", "route" => "home", "source" => source)
        .record(started.elapsed());
    let given = rows.iter().flat_map(|row| &row.titles).map(|title| &*title.title);
    let next = asked.session.next(given, now_s(), &state.config.http);
    ok(&HomeAnswer {
        recommendation_id: issued_id(&member, allocation.as_ref()),
        source,
        position: found.position,
        variant: allocation.as_ref().map(VariantDocument::of),
        rows,
        next,
        member,
    })
}

fn rows(
    state: &ApiState,
    asked: &Asked,
    member: &str,
    snapshot: Option<&MemberSnapshot>,
    allocation: Option<&Allocation<'_>>,
    most_rows: usize,
) -> Result<Vec<RowDocument>, Problem> {
    let aggregates = state.engine.aggregates().read();
    let catalogue = state.engine.catalogue().read();
    let takes = state.row_takes.current(&aggregates);
    let sources = PageSources {
        aggregates: &aggregates,
        catalogue: &catalogue,
        member: snapshot,
        expected_take: &|row| takes.get(row).copied(),
    };
    asked.with_query(state, &catalogue, member, snapshot, allocation, |query| {
        let page = assemble(&sources, query, most_rows);
        let mut rows: Vec<RowDocument> =
            page.into_iter().map(|row| RowDocument::new(row, &catalogue)).collect();
        let titles = rows.iter_mut().flat_map(|row| &mut row.titles);
        artwork::decorate(state, &aggregates, &catalogue, member, snapshot, titles);
        rows
    })
}
