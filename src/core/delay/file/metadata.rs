//! The metadata: which row of the matrix is whose.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};

use super::{FileError, InputFile, Problem};
use crate::model::NodeName;

/// The row of each node.
///
/// Rows that no name points to are fine: they belong to nodes that are of no interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    by_name: BTreeMap<NodeName, usize>,
}

/// Reads the object itself. serde's own maps silently keep the last of two equal keys.
struct Entries<'a> {
    /// What was wrong, for errors that are ours.
    told: &'a mut Option<Problem>,
}

// === impl Metadata ===

impl Metadata {
    /// Reads the metadata file.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let expected = "a JSON object: node name to row index";
        if text.trim().is_empty() {
            return Err(FileError::whole(InputFile::Metadata, Problem::Empty { expected }));
        }
        let mut told = None;
        let mut json = serde_json::Deserializer::from_str(text);
        let read = Entries { told: &mut told }.deserialize(&mut json);
        let read = read.and_then(|by_name| json.end().map(|()| by_name));
        let by_name = read.map_err(|error| FileError::json(InputFile::Metadata, &error, told))?;
        if by_name.is_empty() {
            return Err(FileError::whole(InputFile::Metadata, Problem::NoNames));
        }
        Ok(Self { by_name })
    }

    /// The row of the node called `name`, if it has one.
    pub fn idx(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// All nodes with their rows, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeName, usize)> {
        self.by_name.iter().map(|(name, idx)| (name, *idx))
    }

    /// Whether every row is one of a matrix with this many.
    pub fn check(&self, rows: usize) -> Result<(), FileError> {
        match self.iter().find(|(_, idx)| *idx >= rows) {
            None => Ok(()),
            Some((name, idx)) => {
                let name = name.to_string();
                Err(FileError::whole(InputFile::Metadata, Problem::OutOfRange { name, idx, rows }))
            }
        }
    }
}

// === impl Entries ===

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = BTreeMap<NodeName, usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = BTreeMap<NodeName, usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object: node name to row index")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut by_name = BTreeMap::new();
        let mut by_idx: BTreeMap<usize, String> = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value: serde_json::Value = map.next_value()?;
            let problem = match value.as_u64().and_then(|idx| usize::try_from(idx).ok()) {
                None => Some(Problem::NotAnIndex { name: name.clone(), value: value.to_string() }),
                Some(_) if by_name.contains_key(name.as_str()) => {
                    Some(Problem::RepeatedKey { name: name.clone() })
                }
                Some(idx) => {
                    by_name.insert(NodeName::from(name.as_str()), idx);
                    let shared = by_idx.insert(idx, name.clone());
                    shared.map(|first| Problem::SharedIndex { first, second: name, idx })
                }
            };
            if problem.is_some() {
                *self.told = problem;
                return Err(A::Error::custom("told"));
            }
        }
        Ok(by_name)
    }
}
