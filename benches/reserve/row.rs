//! What was measured in one case, of one resource.

/// Amounts are in percent of what the covered pods demand, so that dedicated backups are 100.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) topology: String,
    pub(crate) nodes: usize,
    pub(crate) sizes: String,
    pub(crate) resource: String,
    pub(crate) pods: usize,
    /// How many nodes a pod may be on, on average.
    pub(crate) radius: f64,
    /// The BME rule: what it reserves, and what it would have to; of memory alone.
    pub(crate) bme: Option<(f64, f64)>,
    /// Ours, as pods arrive.
    pub(crate) online: f64,
    /// Re-optimised, with no pod moved.
    pub(crate) backups: f64,
    /// Re-optimised, with a tenth of the pods moved at most.
    pub(crate) moved: f64,
    /// The bound for the nodes that pods are on as they arrived.
    pub(crate) bound: f64,
    /// The bound for the nodes that pods are on once a tenth was moved.
    pub(crate) bound_moved: f64,
    /// The bound wherever pods are.
    pub(crate) free: f64,
    /// Violations that the checker found in ours, and pods left out by anybody.
    pub(crate) wrong: usize,
    /// How long a decision took, the 99th of 100, in µs; how long each of the two re-optimisations took, in ms.
    pub(crate) times: [f64; 3],
}

// === impl Row ===

impl Row {
    /// Which pods, and which resource.
    pub(crate) fn what(&self) -> String {
        format!("{}, {}", self.sizes.replace('-', " "), self.resource)
    }

    /// As one line.
    pub(crate) fn line(&self) -> String {
        let (reserves, needs) = self.bme.unwrap_or((f64::NAN, f64::NAN));
        let numbers = [
            self.radius,
            reserves,
            needs,
            self.online,
            self.backups,
            self.moved,
            self.bound,
            self.bound_moved,
            self.free,
            self.times[0],
            self.times[1],
            self.times[2],
        ];
        let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:.4}")).collect();
        let Self { topology, nodes, sizes, resource, pods, wrong, .. } = self;
        format!("{topology}\t{nodes}\t{sizes}\t{resource}\t{pods}\t{wrong}\t{}", numbers.join("\t"))
    }

    /// Reads such a line; none if it is something else.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split('\t');
        let mut text = || words.next().map(str::to_owned);
        let (topology, nodes, sizes, resource) = (text()?, text()?.parse().ok()?, text()?, text()?);
        let (pods, wrong) = (text()?.parse().ok()?, text()?.parse().ok()?);
        let numbers: Vec<f64> = words.filter_map(|word| word.parse().ok()).collect();
        let [radius, reserves, needs, online, backups, moved, bound, bound_moved, free, times @ ..] =
            *<&[f64; 12]>::try_from(numbers.as_slice()).ok()?;
        let bme = (!reserves.is_nan()).then_some((reserves, needs));
        Some(Self {
            topology,
            nodes,
            sizes,
            resource,
            pods,
            radius,
            bme,
            online,
            backups,
            moved,
            bound,
            bound_moved,
            free,
            wrong,
            times,
        })
    }
}
