//! What `simulate` tells of what is reserved for backups.

use edge_core::cover::Kind;
use edge_core::simulation::{Reserve, ReservedResource};
use serde::Serialize;

/// What is reserved for backups, as the pods came and after re-optimisation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReserveReport {
    /// How many pods have a backup.
    covered: usize,
    /// Those that should have one and have none.
    uncovered: Vec<Uncovered>,
    resources: Vec<Amounts>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Uncovered {
    namespace: String,
    pod: String,
    message: String,
}

/// In bytes, thousandths of a core, or the resource's own unit, on all nodes together.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Amounts {
    resource: String,
    /// What the covered pods demand.
    demand: i64,
    /// What all nodes have, of memory: nothing else is limited by the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    allocatable: Option<i64>,
    /// What is reserved as it came about.
    online: i64,
    /// The same with the backups re-optimised.
    offline: i64,
    /// With the pods where they are less can't be reserved.
    bound: i64,
    /// The same with pods moved as well.
    moved: i64,
}

// === impl ReserveReport ===

impl ReserveReport {
    pub(super) fn new(reserve: &Reserve) -> Self {
        let uncovered = reserve.uncovered.iter().map(|(key, message)| Uncovered {
            namespace: key.namespace.to_string(),
            pod: key.name.to_string(),
            message: message.clone(),
        });
        let resources = reserve.resources().iter().map(Amounts::from).collect();
        Self { covered: reserve.cover.subjects.len(), uncovered: uncovered.collect(), resources }
    }

    /// A row for each resource: its name, what is covered, and four amounts with their shares of all nodes.
    pub(super) fn rows(&self) -> Vec<[String; 6]> {
        self.resources.iter().map(Amounts::row).collect()
    }

    /// How many pods are covered; none if there are none to be covered.
    pub(super) fn sentence(&self) -> Option<String> {
        let (covered, all) = (self.covered, self.covered + self.uncovered.len());
        (all > 0).then(|| format!("{covered} of {all} pods that should have a backup have one\n"))
    }
}

// === impl Amounts ===

impl From<&ReservedResource> for Amounts {
    fn from(reserved: &ReservedResource) -> Self {
        let ReservedResource { kind, demand, allocatable, online, offline, bound, moved } = reserved;
        let resource = match kind {
            Kind::Cpu => "cpu".to_owned(),
            Kind::Memory => "memory".to_owned(),
            Kind::EphemeralStorage => "ephemeral-storage".to_owned(),
            Kind::Scalar(name) => name.to_string(),
        };
        Self {
            resource,
            demand: *demand,
            allocatable: (*kind == Kind::Memory).then_some(*allocatable),
            online: *online,
            offline: *offline,
            bound: *bound,
            moved: *moved,
        }
    }
}

impl Amounts {
    fn row(&self) -> [String; 6] {
        let show = |amount: i64| match self.resource.as_str() {
            "cpu" => format!("{amount}m"),
            "memory" | "ephemeral-storage" => gibibytes(amount),
            _ => amount.to_string(),
        };
        let shown = |amount: i64| match self.allocatable.and_then(|all| percent(amount, all)) {
            Some(share) => format!("{} ({share})", show(amount)),
            None => show(amount),
        };
        let Self { demand, online, offline, bound, moved, .. } = *self;
        let resource = self.resource.clone();
        [resource, show(demand), shown(online), shown(offline), shown(bound), shown(moved)]
    }
}

/// With up to two decimals.
fn gibibytes(bytes: i64) -> String {
    let hundredths = (i128::from(bytes) * 100 + (1 << 29)) >> 30;
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    format!("{} GiB", text.trim_end_matches('0').trim_end_matches('.'))
}

/// With one decimal; none where there is nothing at all.
fn percent(part: i64, whole: i64) -> Option<String> {
    let tenths = (i128::from(part) * 1000 + i128::from(whole) / 2).checked_div(i128::from(whole))?;
    Some(format!("{}.{} %", tenths / 10, tenths % 10))
}
