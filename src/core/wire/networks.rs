//! The networks that a pod is attached to beside the cluster's
//! (Kubernetes Network Custom Resource Definition De-facto Standard, §4.1).

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use crate::model::Vmis;

/// The annotation that lists them.
pub(super) const NETWORKS: &str = "k8s.v1.cni.cncf.io/networks";

/// How many networks are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Networks {
    /// This many.
    Listed(u32),
    /// The list can't be read.
    Unreadable,
}

/// An entry of the JSON form; what else it holds is for the network's own plugin.
#[derive(Deserialize)]
struct Selection {
    name: String,
}

// === impl Networks ===

impl Networks {
    /// Counts the networks of a list in either form: `a, ns/b@eth1`, or `[{"name": "a"}, …]`. What is meant
    /// as JSON is told by its signs, as Multus does.
    fn count(list: &str) -> Self {
        let count = if list.contains(['[', '{', '"']) {
            let list: Result<Vec<Selection>, _> = serde_json::from_str(list);
            list.ok().filter(|list| list.iter().all(|it| !it.name.is_empty())).map(|list| list.len())
        } else {
            Some(list.split(',').filter(|name| !name.trim().is_empty()).count())
        };
        let count = count.and_then(|count| u32::try_from(count).ok());
        count.map_or(Self::Unreadable, Self::Listed)
    }

    /// The VMIs of a pod with these networks.
    pub(super) fn vmis(self, is_host_network: bool) -> Vmis {
        match self {
            _ if is_host_network => Vmis::Known(0),
            Self::Listed(further) => Vmis::Known(further.saturating_add(1)),
            Self::Unreadable => Vmis::Unreadable,
        }
    }
}

impl Default for Networks {
    fn default() -> Self {
        Self::Listed(0)
    }
}

/// Reads the annotation's value where it stands, so that it isn't kept.
pub(super) struct CountNetworks;

impl<'de> DeserializeSeed<'de> for CountNetworks {
    type Value = Networks;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for CountNetworks {
    type Value = Networks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, list: &str) -> Result<Self::Value, E> {
        Ok(Networks::count(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expected: Networks) {
        assert_eq!(Networks::count(list), expected, "{list}");
    }

    #[test]
    fn both_forms_of_the_list_are_counted() {
        check("", Networks::Listed(0));
        check("blue", Networks::Listed(1));
        check("blue, net/red@eth2,green", Networks::Listed(3));
        check("blue,,", Networks::Listed(1));
        check("[]", Networks::Listed(0));
        check(
            r#"[{"name": "blue"}, {"name": "red", "namespace": "net", "ips": ["10.0.0.1"]}]"#,
            Networks::Listed(2),
        );
        check("[\n {\"name\": \"blue\"}\n]\n", Networks::Listed(1));
    }

    #[test]
    fn a_list_that_can_not_be_read_is_told_from_an_empty_one() {
        for list in [
            "[",
            "{}",
            r#"{"name": "blue"}"#,
            r#"["blue"]"#,
            r#"[{"namespace": "net"}]"#,
            r#"[{"name": ""}]"#,
        ] {
            check(list, Networks::Unreadable);
        }
    }

    #[test]
    fn a_pod_on_its_nodes_own_network_has_none() {
        assert_eq!(Networks::Listed(2).vmis(false), Vmis::Known(3));
        assert_eq!(Networks::default().vmis(false), Vmis::ONE);
        assert_eq!(Networks::Listed(2).vmis(true), Vmis::Known(0));
        assert_eq!(Networks::Unreadable.vmis(true), Vmis::Known(0));
        assert_eq!(Networks::Unreadable.vmis(false), Vmis::Unreadable);
    }
}
