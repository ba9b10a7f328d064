//! The audience's titles: readable made-up names, genres, and companions watched one after the other.

use nearline_model::Title;
use rand::Rng;
use rand::rngs::StdRng;

const GENRES: [&str; 12] = [
    "drama",
    "comedy",
    "thriller",
    "science-fiction",
    "documentary",
    "crime",
    "romance",
    "animation",
    "horror",
    "adventure",
    "fantasy",
    "family",
];
const ADJECTIVES: [&str; 40] = [
    "Silent",
    "Golden",
    "Broken",
    "Distant",
    "Hidden",
    "Burning",
    "Frozen",
    "Crimson",
    "Endless",
    "Last",
    "Lonely",
    "Electric",
    "Wild",
    "Velvet",
    "Paper",
    "Iron",
    "Midnight",
    "Borrowed",
    "Second",
    "Quiet",
    "Salt",
    "Hollow",
    "Bright",
    "Northern",
    "Secret",
    "Falling",
    "Silver",
    "Lost",
    "Restless",
    "Glass",
    "Slow",
    "Amber",
    "Winter",
    "Forgotten",
    "Blue",
    "Early",
    "Perfect",
    "Stolen",
    "Open",
    "Gentle",
];
const NOUNS: [&str; 40] = [
    "Harbour",
    "River",
    "Garden",
    "Signal",
    "Orchard",
    "Kingdom",
    "Letters",
    "Horizon",
    "Island",
    "Winter",
    "Mountain",
    "Promise",
    "Station",
    "Mirror",
    "Forest",
    "Lighthouse",
    "Circus",
    "Empire",
    "Summer",
    "Voyage",
    "Kitchen",
    "Library",
    "Shadows",
    "Desert",
    "Engine",
    "Neighbours",
    "Bridge",
    "Detective",
    "Planet",
    "Choir",
    "Tide",
    "Carnival",
    "Witness",
    "Meadow",
    "Machine",
    "Sisters",
    "Archive",
    "Passenger",
    "Season",
    "Valley",
];
/// Youngest ages that titles are meant for.
const MATURITIES: [u8; 5] = [0, 6, 12, 16, 18];
/// Titles often watched after a title.
const COMPANIONS: usize = 5;

struct Entry {
    id: String,
    title: Title,
    companions: [u32; COMPANIONS],
}

/// All titles.
pub(super) struct Titles {
    entries: Vec<Entry>,
    /// Titles of each genre, the most popular first.
    by_genre: Vec<Vec<u32>>,
}

impl Titles {
    pub fn new(count: usize, random: &mut StdRng) -> Self {
        let genres = GENRES.len().min(count);
        let mut by_genre = vec![Vec::new(); genres];
        let mut entries: Vec<Entry> = (0..count)
            .map(|number| {
                let main = number % genres;
                by_genre[main].push(number as u32);
                let title = made_up(number, main, random);
                Entry { id: title.id.clone(), title, companions: [0; COMPANIONS] }
            })
            .collect();
        for (number, entry) in entries.iter_mut().enumerate() {
            let same = &by_genre[number % genres];
            entry.companions = std::array::from_fn(|_| same[random.random_range(0..same.len())]);
        }
        Self { entries, by_genre }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn id(&self, title: u32) -> &str {
        &self.entries[title as usize].id
    }

    /// The number of the title with this id.
    pub fn number(&self, id: &str) -> Option<u32> {
        let number: u32 = id.strip_prefix('t')?.parse().ok()?;
        self.entries.get(number as usize).filter(|entry| entry.id == id).map(|_| number)
    }

    /// Its main genre.
    pub fn genre(&self, title: u32) -> u8 {
        (title as usize % self.by_genre.len()) as u8
    }

    /// Whether `next` is often watched after `title`.
    pub fn is_companion(&self, title: u32, next: u32) -> bool {
        self.entries[title as usize].companions.contains(&next)
    }

    pub fn artworks(&self, title: u32) -> usize {
        self.entries[title as usize].title.artworks.len()
    }

    pub fn catalogue(&self) -> Vec<Title> {
        self.entries.iter().map(|entry| entry.title.clone()).collect()
    }

    pub fn any_genre(&self, random: &mut StdRng) -> u8 {
        random.random_range(0..self.by_genre.len()) as u8
    }

    /// A title of `genre`; few are popular, many are not.
    pub fn popular_in(&self, genre: u8, random: &mut StdRng) -> u32 {
        let titles = &self.by_genre[usize::from(genre)];
        let skewed = random.random::<f64>().powi(3);
        titles[(skewed * titles.len() as f64) as usize]
    }

    /// A title often watched after `title`, the first companions most.
    pub fn companion(&self, title: u32, random: &mut StdRng) -> u32 {
        let skewed = random.random::<f64>().powi(2);
        self.entries[title as usize].companions[(skewed * COMPANIONS as f64) as usize]
    }
}

fn made_up(number: usize, main: usize, random: &mut StdRng) -> Title {
    // Numbers that share no factor with the lists walk through all pairs before one comes again.
    let pairs = ADJECTIVES.len() * NOUNS.len();
    let pair = (number * 1_013) % pairs;
    let mut name = format!("The {} {}", ADJECTIVES[pair / NOUNS.len()], NOUNS[pair % NOUNS.len()]);
    if number >= pairs {
        name.push_str(&format!(" {}", number / pairs + 1));
    }
    let mut genres = vec![GENRES[main].to_owned()];
    let second = random.random_range(0..GENRES.len());
    if second != main {
        genres.push(GENRES[second].to_owned());
    }
    let id = format!("t{number}");
    let artworks = (0..random.random_range(1..=3)).map(|artwork| format!("{id}-a{artwork}")).collect();
    Title {
        name: Some(name),
        genres,
        year: Some(random.random_range(1965..=2026)),
        maturity: Some(MATURITIES[random.random_range(0..MATURITIES.len())]),
        countries: Vec::new(),
        artworks,
        id,
        ..Title::default()
    }
}
