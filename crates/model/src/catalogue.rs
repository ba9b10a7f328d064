//! The catalogue: what is known about titles beside what members do with them.

pub mod id_list;

use crate::identifier::id_problem;
use crate::reject::{Reject, RejectReason};
use get_size2::GetSize;
use hashbrown::HashMap;
use id_list::IdList;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Largest encoded title, in bytes.
pub const MAX_TITLE_BYTES: usize = 65_536;

/// One title of the catalogue. Only `id` is needed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, GetSize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// Id, `[A-Za-z0-9_-]{1,64}`.
    #[serde(default)]
    pub id: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Genres, most telling first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub genres: Vec<String>,
    /// Year of release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<u16>,
    /// Youngest age it is meant for, in years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maturity: Option<u8>,
    /// Countries (ISO 3166-1 alpha-2) where it may be shown; empty: everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// Ids of its artworks.
    #[serde(default, skip_serializing_if = "IdList::is_empty")]
    pub artworks: IdList,
    /// Whether it was taken out of the catalogue: it is offered nowhere, whoever asks. Written `"available": false`.
    #[serde(default, rename = "available", with = "available", skip_serializing_if = "is_available")]
    pub withdrawn: bool,
}

fn is_available(withdrawn: &bool) -> bool {
    !withdrawn
}

/// `available`, which is true where it is not said.
mod available {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(withdrawn: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(!withdrawn)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        bool::deserialize(deserializer).map(|available| !available)
    }
}

impl Title {
    /// Reads a title from a JSON object; it is not validated.
    ///
    /// # Errors
    /// What is no JSON object, or has a field that titles do not have.
    pub fn parse(json: &[u8]) -> Result<Self, Reject> {
        // The parser would take an array for an object, its values in the order of the fields.
        if let Some(found) = crate::event::no_object(json) {
            let detail = format!("a title is {found}; expected one JSON object, {{\"id\":…}}");
            return Err(Reject::new(RejectReason::MalformedJson, detail));
        }
        serde_json::from_slice(json).map_err(|error| {
            let reason = match error.classify() {
                serde_json::error::Category::Data => RejectReason::InvalidField,
                _ => RejectReason::MalformedJson,
            };
            Reject::new(reason, error.to_string())
        })
    }

    /// What is left of a title that is taken out of the catalogue.
    pub fn withdrawn(id: &str) -> Self {
        Self { id: id.to_owned(), withdrawn: true, ..Self::default() }
    }

    /// Whether nothing is known but that it was taken out.
    pub fn is_removed(&self) -> bool {
        *self == Self::withdrawn(&self.id)
    }

    /// Checks ids, countries and sizes.
    ///
    /// # Errors
    /// The first thing that is wrong, with the field's name.
    pub fn validate(&self) -> Result<(), Reject> {
        let bad = |reason, detail: String| Err(Reject::new(reason, detail));
        if let Some(problem) = id_problem(&self.id) {
            return bad(RejectReason::InvalidId, format!("`id` {problem}"));
        }
        for artwork in self.artworks.iter() {
            if let Some(problem) = id_problem(artwork) {
                return bad(RejectReason::InvalidId, format!("`artworks` has {artwork:?}, which {problem}"));
            }
        }
        let mut known: Vec<&str> = self.artworks.iter().collect();
        known.sort_unstable();
        if let Some(pair) = known.windows(2).find(|pair| pair[0] == pair[1]) {
            // Each is chosen with a probability of its own.
            return bad(
                RejectReason::InvalidValue,
                format!("`artworks` has {:?} twice; name each artwork once", pair[0]),
            );
        }
        for country in &self.countries {
            if !crate::event::is_country(country) {
                return bad(
                    RejectReason::InvalidValue,
                    format!("`countries` has {country:?}; expected two capital letters, such as BR"),
                );
            }
        }
        if let Some(genre) = self.genres.iter().find(|genre| genre.is_empty() || genre.len() > 64) {
            return bad(
                RejectReason::InvalidValue,
                format!("`genres` has {genre:?}; expected 1 to 64 bytes each"),
            );
        }
        if self.genres.len() > 64 || self.artworks.len() > 256 || self.countries.len() > 256 {
            return bad(
                RejectReason::InvalidValue,
                "too many entries: at most 64 `genres`, 256 `artworks`, 256 `countries`".into(),
            );
        }
        if self.name.as_ref().is_some_and(|name| name.len() > 1_024) {
            return bad(RejectReason::InvalidValue, "`name` has more than 1,024 bytes".into());
        }
        Ok(())
    }

    /// Whether it may be shown in `country` (`None`: country unknown, no restriction applied). A title that was
    /// withdrawn may nowhere.
    pub fn is_available_in(&self, country: Option<&str>) -> bool {
        match country {
            _ if self.withdrawn => false,
            Some(country) if !self.countries.is_empty() => self.countries.iter().any(|c| c == country),
            _ => true,
        }
    }
}

/// A title as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogueEntry {
    /// Counts the store's changes: of two versions of a title, the one with the higher revision is newer.
    pub revision: u64,
    /// The title.
    pub title: Title,
}

/// All titles of the catalogue, by id.
#[derive(Debug, Default, GetSize)]
pub struct Catalogue {
    titles: HashMap<Arc<str>, Known>,
    changes: u64,
    /// Another one after each change.
    #[get_size(ignore)]
    version: CatalogueVersion,
    /// Whether titles that are not in it may not be shown.
    only_catalogued: bool,
}

/// What one catalogue was between two changes.
#[derive(Debug, Clone, Default)]
pub struct CatalogueVersion(Arc<()>);

#[derive(Debug, GetSize)]
struct Known {
    title: Arc<Title>,
    revision: u64,
}

impl Catalogue {
    /// An empty catalogue; with `only_catalogued`, titles that are not in it may not be shown.
    pub fn new(only_catalogued: bool) -> Self {
        Self { only_catalogued, ..Self::default() }
    }

    /// Adds or replaces `title`, whatever its revision.
    pub fn put(&mut self, title: Title) {
        let revision = self.revision(&title.id).unwrap_or_default();
        self.put_anew(CatalogueEntry { revision, title });
    }

    /// Adds or replaces a title, unless a newer version of it is here: what somebody puts is shown at once, and an
    /// older version may still be on its way to those who watch.
    pub fn put_newer(&mut self, entry: CatalogueEntry) {
        if self.revision(&entry.title.id).is_none_or(|known| known <= entry.revision) {
            self.put_anew(entry);
        }
    }

    /// Adds or replaces a title, and takes its revision even where that is lower: a store that was made anew counts
    /// from the beginning.
    pub fn put_anew(&mut self, CatalogueEntry { revision, title }: CatalogueEntry) {
        if let Some(known) = self.titles.get_mut(title.id.as_str())
            && *known.title == title
        {
            // Whoever watches the catalogue anew is told of every title again.
            known.revision = revision;
            return;
        }
        self.changes += 1;
        self.version = CatalogueVersion::default();
        self.titles.insert(Arc::from(title.id.as_str()), Known { title: Arc::new(title), revision });
    }

    /// The revision of the title with `id`.
    pub fn revision(&self, id: &str) -> Option<u64> {
        self.titles.get(id).map(|known| known.revision)
    }

    /// How many changes there were: it grows with each title that is new or not what it was.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// What it is until something changes.
    pub fn version(&self) -> &CatalogueVersion {
        &self.version
    }

    /// Whether it is this catalogue, and nothing has changed since it had that version.
    pub fn is_still(&self, version: &CatalogueVersion) -> bool {
        Arc::ptr_eq(&self.version.0, &version.0)
    }

    /// The title with `id`.
    pub fn get(&self, id: &str) -> Option<&Arc<Title>> {
        self.titles.get(id).map(|known| &known.title)
    }

    /// All titles, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Title>> {
        self.titles.values().map(|known| &known.title)
    }

    /// Bytes that it holds in memory: a walk over all titles.
    pub fn memory_bytes(&self) -> usize {
        self.get_heap_size()
    }

    /// Number of titles.
    pub fn len(&self) -> usize {
        self.titles.len()
    }

    /// Whether there is no title.
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }

    /// Whether a title may be shown in `country`; one outside the catalogue may, unless only catalogued ones are to be.
    pub fn is_available(&self, id: &str, country: Option<&str>) -> bool {
        self.titles.get(id).map_or(!self.only_catalogued, |known| known.title.is_available_in(country))
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, CatalogueEntry, Title};

    #[test]
    fn a_withdrawn_title_is_available_nowhere_and_comes_back_when_it_is_put_again() {
        let mut catalogue = Catalogue::default();
        let title = |json: &str| serde_json::from_str::<Title>(json).expect("a title");
        let available = |catalogue: &Catalogue| {
            [None, Some("BR"), Some("JP")].map(|country| catalogue.is_available("a", country))
        };
        assert_eq!(available(&catalogue), [true; 3], "nobody catalogued it");
        catalogue.put(title(r#"{"id":"a","countries":["BR"]}"#));
        assert_eq!(available(&catalogue), [true, true, false]);
        for withdrawn in [title(r#"{"id":"a","available":false,"name":"A"}"#), Title::withdrawn("a")] {
            let stored = serde_json::to_string(&withdrawn).expect("JSON");
            assert_eq!(title(&stored), withdrawn);
            catalogue.put(withdrawn);
            assert_eq!(available(&catalogue), [false; 3]);
        }
        assert!(catalogue.get("a").is_some_and(|title| title.is_removed()));
        catalogue.put(title(r#"{"id":"a","available":true}"#));
        assert_eq!(available(&catalogue), [true; 3]);
    }

    #[test]
    fn an_artwork_that_is_named_twice_is_refused() {
        let with = |artworks: &[&str]| Title {
            id: "a".to_owned(),
            artworks: artworks.iter().collect(),
            ..Title::default()
        };
        with(&["a1", "a2"]).validate().expect("each once");
        let refused = with(&["a1", "a2", "a1"]).validate().expect_err("it would be shown too often");
        assert!(refused.detail.contains(r#""a1" twice"#), "{refused:?}");
    }

    #[test]
    fn with_only_catalogued_titles_others_are_available_nowhere() {
        let mut catalogue = Catalogue::new(true);
        assert!(!catalogue.is_available("a", None));
        catalogue.put(Title { id: "a".into(), ..Title::default() });
        assert!(catalogue.is_available("a", None) && !catalogue.is_available("b", Some("BR")));
    }

    #[test]
    fn an_older_version_that_comes_late_does_not_replace_a_newer_one() {
        let mut catalogue = Catalogue::default();
        let entry = |revision, year| CatalogueEntry {
            revision,
            title: Title { id: "a".to_owned(), year: Some(year), ..Title::default() },
        };
        let year = |catalogue: &Catalogue| catalogue.get("a").and_then(|title| title.year);
        for (told, expected) in
            [((4, 1984), 1984), ((6, 1986), 1986), ((4, 1984), 1986), ((6, 1986), 1986), ((7, 1987), 1987)]
        {
            catalogue.put_newer(entry(told.0, told.1));
            assert_eq!(year(&catalogue), Some(expected), "after {told:?}");
        }
        catalogue.put_anew(entry(2, 1984));
        assert_eq!(
            (year(&catalogue), catalogue.revision("a")),
            (Some(1984), Some(2)),
            "the store was made anew"
        );
    }

    #[test]
    fn only_what_is_new_or_not_what_it_was_counts_as_a_change() {
        let mut catalogue = Catalogue::default();
        let title = |year| Title { id: "a".to_owned(), year, ..Title::default() };
        let changes = [Some(2001), Some(2001), Some(2002), None].map(|year| {
            catalogue.put(title(year));
            catalogue.changes()
        });
        assert_eq!(changes, [1, 1, 2, 3]);
        assert_eq!(catalogue.len(), 1);
    }
}
