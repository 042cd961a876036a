//! Building blocks of the decoder, made so that what isn't kept isn't allocated, and that `null`
//! means absent everywhere, as the API server reads it.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::model::Quantity;

use super::error::Problem;
use super::networks::{CountNetworks, NETWORKS, Networks};

/// A JSON object as pairs in the order given. Of two with one key the later counts.
#[derive(Clone, Debug)]
pub(super) struct Pairs<V>(pub(super) Vec<(String, V)>);

/// Annotations, of which only those with [`KEPT_PREFIX`] are kept. Of the list of networks only the number
/// is.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptAnnotations {
    pub(super) kept: Vec<(String, String)>,
    pub(super) networks: Networks,
}

/// What becomes of an annotation.
enum AnnotationKey {
    Kept(String),
    Networks,
    Other,
}

/// The prefix of annotations that mean something to the scheduler.
const KEPT_PREFIX: &str = "kubectl-edge.dev/";

/// A quantity, or the reason why it is none: the reason is told once the field's path is known.
#[derive(Clone, Debug)]
pub(super) struct Amount(pub(super) Result<Quantity, Problem>);

/// Whether a field is there, whatever it holds.
pub(super) type Presence = Option<IgnoredAny>;

/// Reads a field for which `null` means the same as absence.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

// === impl Pairs ===

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Pairs::default())
            }
        }

        deserializer.deserialize_any(PairsVisitor(PhantomData))
    }
}

// === impl KeptAnnotations ===

impl<'de> Deserialize<'de> for KeptAnnotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeptVisitor)
    }
}

struct KeptVisitor;

impl<'de> Visitor<'de> for KeptVisitor {
    type Value = KeptAnnotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut annotations = KeptAnnotations::default();
        while let Some(key) = map.next_key_seed(KeptKey)? {
            match key {
                AnnotationKey::Kept(key) => annotations.kept.push((key, map.next_value()?)),
                AnnotationKey::Networks => annotations.networks = map.next_value_seed(CountNetworks)?,
                // The value may be kilobytes long: it is passed over in place.
                AnnotationKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(annotations)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(KeptAnnotations::default())
    }
}

/// Reads a key, keeping it only if it has the prefix.
struct KeptKey;

impl<'de> DeserializeSeed<'de> for KeptKey {
    type Value = AnnotationKey;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeptKey {
    type Value = AnnotationKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(match key {
            NETWORKS => AnnotationKey::Networks,
            _ if key.starts_with(KEPT_PREFIX) => AnnotationKey::Kept(key.to_owned()),
            _ => AnnotationKey::Other,
        })
    }
}

// === impl Amount ===

impl Amount {
    /// Reads the text as the API server does, which passes over space around it and refuses an
    /// amount below zero wherever pods and nodes have one.
    fn read(text: &str) -> Self {
        let quantity = Quantity::parse(text.trim());
        Self(match quantity {
            Err(_) => Err(Problem::Quantity(text.to_owned())),
            Ok(quantity) if quantity.value() < 0 => Err(Problem::Negative(text.to_owned())),
            Ok(quantity) => Ok(quantity),
        })
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

impl Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity such as \"500Mi\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Amount::read(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Amount::read(&number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Amount::read(&number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Amount::read(&number.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Amount::read("0"))
    }
}
