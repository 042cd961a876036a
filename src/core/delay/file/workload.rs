//! Workloads of manifests, and the pods that a cluster's controllers would make of them.

use std::fmt;

use crate::model::{
    Labels, Name, Node, NodeAffinity, NodeName, NodeSelector, NodeSelectorTerm, Owner, Pod, PodKey, PodUid,
    Requirement, RequirementOp,
};

/// A workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestWorkload {
    /// Its kind, such as `Deployment`.
    pub kind: Name,
    /// How many pods it makes.
    pub copies: Copies,
    /// What its pods are like, under the workload's own namespace and name.
    pub template: Pod,
}

/// How many pods a workload makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// It is a pod.
    Itself,
    /// So many.
    Count(u32),
    /// One for each node, which no other node can take.
    OnePerNode,
}

/// The letters of `pod-template-hash` (upstream: `k8s.io/apimachinery/pkg/util/rand`): no vowels, so that no
/// words come of it.
const HASH_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const HASH_LEN: u32 = 9;

// === impl ManifestWorkload ===

impl ManifestWorkload {
    /// The pods that the cluster's controllers would make, named and owned as they do, so that anchors are
    /// resolved as in a cluster. What controllers draw at random is counted here.
    pub fn pods(&self, nodes: &[Node]) -> Vec<Pod> {
        match self.copies {
            Copies::Itself => vec![self.template.clone()],
            Copies::Count(count) => (0..count).map(|number| self.copy(number)).collect(),
            Copies::OnePerNode => {
                let copies = (0..).map(|number| self.copy(number));
                copies.zip(nodes).map(|(pod, node)| pinned(pod, &node.name)).collect()
            }
        }
    }

    fn copy(&self, number: u32) -> Pod {
        let PodKey { namespace, name } = &self.template.key;
        let (owner, labels) = match &*self.kind {
            "Deployment" => {
                let hash = template_hash(&self.template);
                let hashed = ("pod-template-hash".into(), Name::from(&*hash));
                let pairs = self.template.labels.iter().map(|(key, value)| (key.clone(), value.clone()));
                let owner = Owner { kind: "ReplicaSet".into(), name: format!("{name}-{hash}").into() };
                (owner, Labels::new(pairs.chain([hashed])))
            }
            _ => (Owner { kind: self.kind.clone(), name: name.clone() }, self.template.labels.clone()),
        };
        let key = PodKey::new(namespace.clone(), format!("{}-{number}", owner.name));
        let uid = PodUid::new(key.to_string());
        Pod { key, uid, labels, owner: Some(owner), ..self.template.clone() }
    }
}

impl fmt::Display for ManifestWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.template.key)
    }
}

/// The pod of a DaemonSet, as its controller makes it: its node is a requirement on top of its own (upstream:
/// `ReplaceDaemonSetPodNodeNameNodeAffinity`).
fn pinned(pod: Pod, node: &NodeName) -> Pod {
    let field = Requirement {
        key: "metadata.name".into(),
        op: RequirementOp::In,
        values: [Name::from(node.as_str())].into(),
    };
    let terms = match &pod.node_affinity.required {
        Some(required) => required.terms.iter().map(|term| with_field(term.clone(), &field)).collect(),
        None => [with_field(NodeSelectorTerm::default(), &field)].into(),
    };
    let preferred = pod.node_affinity.preferred.clone();
    Pod { node_affinity: NodeAffinity { required: Some(NodeSelector { terms }), preferred }, ..pod }
}

fn with_field(term: NodeSelectorTerm, field: &Requirement) -> NodeSelectorTerm {
    NodeSelectorTerm { fields: [field.clone()].into(), ..term }
}

/// A hash that differs between Deployments and is the same in every run: FNV-1a of the name.
fn template_hash(template: &Pod) -> String {
    let text = template.key.to_string();
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let letter = |place: u32| {
        let idx = hash / 27_u64.pow(place) % 27;
        let letter = usize::try_from(idx).ok().and_then(|idx| HASH_LETTERS.get(idx));
        letter.map_or('b', |letter| char::from(*letter))
    };
    (0..HASH_LEN).map(letter).collect()
}
