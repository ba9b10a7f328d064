//! A list of ids in one piece of memory: a large catalogue has millions of them, and a `String` each would take four times
//! as much.

use get_size2::GetSize;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// What ends each id in memory; no id holds it.
const END: char = '\n';

/// Ids, in order. Read and written as a list of texts.
#[derive(Clone, Default, PartialEq, Eq, GetSize)]
pub struct IdList(Box<str>);

impl IdList {
    /// The ids.
    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split_terminator(END)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.bytes().filter(|byte| *byte == END as u8).count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The id at `index`.
    pub fn get(&self, index: usize) -> Option<&str> {
        self.iter().nth(index)
    }

    /// Whether `id` is among them.
    pub fn contains(&self, id: &str) -> bool {
        self.iter().any(|known| known == id)
    }
}

impl fmt::Debug for IdList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What is no id all the same, because it holds a line break, becomes several.
impl<T: AsRef<str>> FromIterator<T> for IdList {
    fn from_iter<I: IntoIterator<Item = T>>(ids: I) -> Self {
        let mut all = String::new();
        for id in ids {
            all.push_str(id.as_ref());
            all.push(END);
        }
        Self(all.into())
    }
}

impl Serialize for IdList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for IdList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Ids)
    }
}

struct Ids;

impl<'de> Visitor<'de> for Ids {
    type Value = IdList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut ids: A) -> Result<IdList, A::Error> {
        let mut all = String::new();
        while let Some(id) = ids.next_element::<Cow<'de, str>>()? {
            if id.contains(END) {
                return Err(serde::de::Error::custom(format!("{id:?} is no id: it holds a line break")));
            }
            all.push_str(&id);
            all.push(END);
        }
        Ok(IdList(all.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::IdList;

    #[test]
    fn a_list_is_read_and_written_as_it_is() {
        for json in ["[]", r#"[""]"#, r#"["a"]"#, r#"["a","","b-1","a"]"#, r#"["caf\u00e9"]"#] {
            let list: IdList = serde_json::from_str(json).expect(json);
            let ids: Vec<String> = serde_json::from_str(json).expect(json);
            assert_eq!(list.iter().collect::<Vec<_>>(), ids);
            assert_eq!((list.len(), list.is_empty()), (ids.len(), ids.is_empty()));
            assert_eq!(list, ids.iter().collect());
            assert_eq!(serde_json::to_value(&list).expect("JSON"), serde_json::json!(ids));
            assert_eq!(list.get(1), ids.get(1).map(String::as_str));
            assert!(ids.iter().all(|id| list.contains(id)) && !list.contains("else"));
        }
    }

    #[test]
    fn what_would_become_several_ids_is_refused() {
        for json in [r#"["a\nb"]"#, r#"["\n"]"#, r#"[1]"#, r#""a""#, "{}"] {
            assert!(serde_json::from_str::<IdList>(json).is_err(), "{json}");
        }
    }
}
