//! Query parameters, read strictly: what a route does not know is refused with its name.

use super::problem::{Problem, ProblemKind};
use actix_web::{HttpRequest, web};
use nearline_model::Position;
use nearline_model::event::is_country;
use nearline_model::identifier::id_problem;

/// The parameters of one request.
pub struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Reads the query of `request`, which may hold `known` names only.
    pub fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map_err(|error| {
                Problem::new(ProblemKind::InvalidParameter, format!("query cannot be read: {error}"))
            })?
            .into_inner();
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let shown: String = name.chars().take(64).collect();
                let detail = format!("`{shown}` is not known; parameters of this route: {known}");
                return Err(Problem::new(ProblemKind::UnknownParameter, detail).with("parameter", shown));
            }
            if name != "exclude" && pairs[..at].iter().any(|(before, _)| before == name) {
                return Err(invalid(name, "stands twice; give it once"));
            }
        }
        Ok(Self { pairs })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `limit`: 1 to `most`.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, Problem> {
        Ok(self.number("limit", 1, most)?.unwrap_or_else(|| default.min(most)))
    }

    /// `country`: two capital letters.
    pub fn country(&self) -> Result<Option<&str>, Problem> {
        match self.text("country") {
            Some(text) if !is_country(text) => Err(invalid(
                "country",
                format!("is {:?}; expected two capital letters, such as BR", shorten(text)),
            )),
            country => Ok(country),
        }
    }

    /// `device`: an id.
    pub fn device(&self) -> Result<Option<&str>, Problem> {
        match self.text("device").map(|text| (text, id_problem(text))) {
            Some((_, Some(problem))) => Err(invalid("device", problem)),
            device => Ok(device.map(|(text, _)| text)),
        }
    }

    /// `exclude`: ids, separated by commas, repeated, or both. An empty one is refused: it is more often
    /// a caller's mistake than meant.
    pub fn exclude(&self, most: usize) -> Result<Vec<String>, Problem> {
        let values = self.pairs.iter().filter(|(name, _)| name == "exclude");
        let ids: Vec<&str> = values.flat_map(|(_, value)| value.split(',')).map(str::trim).collect();
        if ids.len() > most {
            return Err(invalid("exclude", format!("has {} ids; at most {most} are taken", ids.len())));
        }
        match ids.iter().find_map(|id| id_problem(id)) {
            Some(problem) => Err(invalid("exclude", format!("has an id that {problem}"))),
            None => Ok(ids.into_iter().map(str::to_owned).collect()),
        }
    }

    /// `explain`: `true` or `false`.
    pub fn explain(&self) -> Result<bool, Problem> {
        match self.text("explain") {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(text) => Err(invalid("explain", format!("is {:?}; expected true or false", shorten(text)))),
        }
    }

    /// `by`: `likeness`, or `next`, for which it is true.
    pub fn by_next(&self) -> Result<bool, Problem> {
        match self.text("by") {
            None | Some("likeness") => Ok(false),
            Some("next") => Ok(true),
            Some(text) => Err(invalid("by", format!("is {:?}; expected likeness or next", shorten(text)))),
        }
    }

    /// A whole number of `least` to `most`; `None` if it was not given.
    pub fn number(&self, name: &str, least: usize, most: usize) -> Result<Option<usize>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => {
                let problem = format!("is {:?}; expected a whole number, {least} to {most}", shorten(text));
                Err(invalid(name, problem))
            }
        }
    }

    /// `filter`, `boost` or `cursor`, as it stands.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.text(name)
    }

    /// `after`: a position of the log.
    pub fn after(&self) -> Result<Option<Position>, Problem> {
        Ok(self.after_number()?.map(Position))
    }

    /// `after`: a position of the log, or a number of the stream of facts.
    pub fn after_number(&self) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text("after") else { return Ok(None) };
        let wrong =
            || invalid("after", format!("is {:?}; expected a position that publishing gave", shorten(text)));
        text.parse().map(Some).map_err(|_| wrong())
    }
}

/// The id in the path.
pub fn path_id(request: &HttpRequest) -> Result<String, Problem> {
    let id = request.match_info().query("id");
    match id_problem(id) {
        None => Ok(id.to_owned()),
        Some(problem) => Err(Problem::new(ProblemKind::InvalidId, format!("the id in the path {problem}"))),
    }
}

fn invalid(name: &str, problem: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::InvalidParameter, format!("`{name}` {problem}")).with("parameter", name)
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}
