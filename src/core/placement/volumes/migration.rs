//! Which CSI driver and volume stand behind a disk, and where it can be reached (upstream: `csi-translation-lib`).
//!
//! Disks of a few clouds were once attached by Kubernetes itself. CSI drivers have taken them over, and a node
//! says for which of them it has.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::Volumes;
use crate::model::{
    Claim, CsiNode, Disk, Labels, Name, NodeSelector, NodeSelectorTerm, PersistentVolume, Requirement,
    RequirementOp, VolumeSource,
};

/// Where a volume can be reached from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Affinity<'a> {
    /// From every node.
    Anywhere,
    /// From the nodes that this selects by their labels.
    Selector(Cow<'a, NodeSelector>),
    /// Nobody knows: a CSI driver has taken it over, and it can't be said in the driver's words.
    Unknown,
}

/// A volume that a node attaches: the CSI driver, and the driver's name for it.
pub(crate) type Attached = (Name, Name);

/// A kind of disk that a CSI driver has taken over.
struct Migration {
    /// The name of what attached it in former times, which may stand as the provisioner of a class.
    plugin: &'static str,
    /// The CSI driver.
    driver: &'static str,
    /// The driver's label for the zone of a node, where zones have to be said in its words.
    zone: Option<&'static str>,
}

const GCE: Migration = Migration {
    plugin: "kubernetes.io/gce-pd",
    driver: "pd.csi.storage.gke.io",
    zone: Some("topology.gke.io/zone"),
};
const AWS: Migration = Migration {
    plugin: "kubernetes.io/aws-ebs",
    driver: "ebs.csi.aws.com",
    zone: Some("topology.ebs.csi.aws.com/zone"),
};
const AZURE: Migration =
    Migration { plugin: "kubernetes.io/azure-disk", driver: "disk.csi.azure.com", zone: None };
const CINDER: Migration = Migration {
    plugin: "kubernetes.io/cinder",
    driver: "cinder.csi.openstack.org",
    zone: Some("topology.cinder.csi.openstack.org/zone"),
};
const PORTWORX: Migration =
    Migration { plugin: "kubernetes.io/portworx-volume", driver: "pxd.portworx.com", zone: None };

/// All of them.
const MIGRATIONS: [&Migration; 5] = [&GCE, &AWS, &AZURE, &CINDER, &PORTWORX];
/// Provisioners that a driver could take over too, but whose volumes upstream does not count.
const NOT_COUNTED: [&str; 2] = ["kubernetes.io/azure-file", "kubernetes.io/vsphere-volume"];

const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const BETA_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const BETA_REGION: &str = "failure-domain.beta.kubernetes.io/region";
/// What separates the zones in a label of a volume.
const ZONES_SEPARATOR: &str = "__";
/// What stands in a disk's handle for what is not known of it.
const UNSPECIFIED: &str = "UNSPECIFIED";

/// What a node attaches for a disk that a pod names itself, if it is counted.
pub(crate) fn attached_disk(disk: &Disk, csi_node: Option<&CsiNode>) -> Option<Attached> {
    csi_node?;
    let handle = match disk {
        Disk::Gce { name, read_only: _ } => zonal_handle(UNSPECIFIED, name),
        disk => handle(disk)?,
    };
    Some((migration(disk)?.driver.into(), handle))
}

/// What a node attaches for a volume, if it is counted.
pub(crate) fn attached_volume(volume: &PersistentVolume, csi_node: Option<&CsiNode>) -> Option<Attached> {
    let (driver, handle) = match &volume.source {
        VolumeSource::Csi { driver, handle } => (driver.clone(), handle.clone()),
        VolumeSource::Disk(disk) => {
            csi_node?;
            let handle = match disk {
                Disk::Gce { name, read_only: _ } => gce_handle(name, &volume.labels)?,
                disk => handle(disk)?,
            };
            (migration(disk)?.driver.into(), handle)
        }
        VolumeSource::Other => return None,
    };
    (!driver.is_empty() && !handle.is_empty()).then_some((driver, handle))
}

/// What a node will attach for a claim that has no volume yet, going by its class. Nobody knows the driver's name
/// for the volume, so one is made up that no volume can have.
pub(crate) fn attached_by_class(
    volumes: &Volumes,
    claim: &Claim,
    csi_node: Option<&CsiNode>,
) -> Option<Attached> {
    let provisioner = &volumes.classes.get(&claim.class)?.provisioner;
    let migration = MIGRATIONS.iter().find(|migration| migration.plugin == &**provisioner);
    let driver = match migration {
        Some(migration) => {
            csi_node?;
            migration.driver.into()
        }
        None if NOT_COUNTED.contains(&&**provisioner) || provisioner.is_empty() => return None,
        None => provisioner.clone(),
    };
    Some((driver, format!("\0{}", claim.key).into()))
}

/// Where a volume can be reached from, in the words of what attaches it on a node (upstream:
/// `volumeBinder.tryTranslatePVToCSI`).
pub(crate) fn affinity_on<'a>(volume: &'a PersistentVolume, csi_node: Option<&CsiNode>) -> Affinity<'a> {
    let as_it_says = || match &volume.affinity {
        None => Affinity::Anywhere,
        Some(selector) => Affinity::Selector(Cow::Borrowed(selector)),
    };
    let VolumeSource::Disk(disk) = &volume.source else { return as_it_says() };
    let Some(migration) = migration(disk) else { return as_it_says() };
    let migrated =
        csi_node.is_some_and(|csi_node| csi_node.migrated.iter().any(|plugin| &**plugin == migration.plugin));
    if !migrated {
        return as_it_says();
    }
    let has_handle = match disk {
        Disk::Gce { name, read_only: _ } => gce_handle(name, &volume.labels).is_some(),
        disk => handle(disk).is_some(),
    };
    match migration.zone {
        _ if !has_handle => Affinity::Unknown,
        None => as_it_says(),
        Some(zone) => match translate(volume, zone) {
            None => Affinity::Anywhere,
            Some(selector) => Affinity::Selector(Cow::Owned(selector)),
        },
    }
}

fn migration(disk: &Disk) -> Option<&'static Migration> {
    match disk {
        Disk::Gce { .. } => Some(&GCE),
        Disk::Aws { .. } => Some(&AWS),
        Disk::Azure { .. } => Some(&AZURE),
        Disk::Cinder { .. } => Some(&CINDER),
        Disk::Portworx { .. } => Some(&PORTWORX),
        Disk::Iscsi { .. } | Disk::Rbd { .. } => None,
    }
}

/// The driver's name for a disk, if it has one.
fn handle(disk: &Disk) -> Option<Name> {
    match disk {
        Disk::Aws { id } => aws_handle(id),
        Disk::Azure { uri, managed } => managed.then(|| uri.clone()),
        Disk::Cinder { id } | Disk::Portworx { id } => Some(id.clone()),
        Disk::Gce { .. } | Disk::Iscsi { .. } | Disk::Rbd { .. } => None,
    }
}

/// `vol-…`, which may be given as `aws://<zone>/vol-…`.
fn aws_handle(id: &Name) -> Option<Name> {
    let Some(rest) = id.strip_prefix("aws://") else { return Some(id.clone()) };
    let (_zone, path) = rest.split_once('/')?;
    let volume = path.trim_matches('/');
    (volume.starts_with("vol-") && !volume.contains('/')).then(|| volume.into())
}

fn zonal_handle(zone: &str, name: &str) -> Name {
    format!("projects/{UNSPECIFIED}/zones/{zone}/disks/{name}").into()
}

fn gce_handle(name: &str, labels: &Labels) -> Option<Name> {
    let zones = labels.get(BETA_ZONE).filter(|zones| !zones.is_empty()).or_else(|| labels.get(ZONE));
    let zones: Vec<&str> = zones.unwrap_or_default().split(ZONES_SEPARATOR).collect();
    match zones.as_slice() {
        [] | [""] => Some(zonal_handle(UNSPECIFIED, name)),
        [zone] => Some(zonal_handle(zone, name)),
        zones => {
            let regions: Option<BTreeSet<&str>> = zones.iter().map(|zone| gce_region(zone)).collect();
            let regions = regions?;
            let region = regions.first().filter(|_| regions.len() == 1)?;
            Some(format!("projects/{UNSPECIFIED}/regions/{region}/disks/{name}").into())
        }
    }
}

/// `locale-region` of `locale-region-zone`.
fn gce_region(zone: &str) -> Option<&str> {
    (zone.split('-').count() == 3).then(|| zone.rsplit_once('-').map(|(region, _)| region)).flatten()
}

/// The volume's affinity and zone labels with the driver's label for zones (upstream:
/// `translateTopologyFromInTreeToCSI`).
fn translate(volume: &PersistentVolume, driver_zone: &str) -> Option<NodeSelector> {
    let terms = volume.affinity.as_ref().map_or(&[][..], |affinity| &affinity.terms);
    let names = |key: &str| {
        terms.iter().flat_map(|term| &term.expressions).any(|requirement| &*requirement.key == key)
    };
    let has = |key: &str| volume.labels.get(key).is_some();
    let beta = !names(ZONE) && (names(BETA_ZONE) || (!has(ZONE) && has(BETA_ZONE)));
    let zone = if beta { BETA_ZONE } else { ZONE };
    let lists = |key: &str| {
        let expressions = terms.iter().flat_map(|term| &term.expressions);
        expressions.into_iter().any(|requirement| &*requirement.key == key && !requirement.values.is_empty())
    };
    let mut terms = terms.to_vec();
    if lists(zone) {
        rename(&mut terms, zone, driver_zone);
    } else if let Some(zones) = volume.labels.get(zone) {
        add_zones(&mut terms, zones, driver_zone);
    }
    if beta && lists(BETA_REGION) {
        rename(&mut terms, BETA_REGION, REGION);
    }
    (volume.affinity.is_some() || !terms.is_empty()).then(|| NodeSelector { terms: terms.into() })
}

fn rename(terms: &mut [NodeSelectorTerm], old: &str, new: &str) {
    for requirement in terms.iter_mut().flat_map(|term| &mut term.expressions) {
        if &*requirement.key == old {
            requirement.key = new.into();
        }
    }
}

fn add_zones(terms: &mut Vec<NodeSelectorTerm>, zones: &str, key: &str) {
    let zones = zones.split(ZONES_SEPARATOR).map(str::trim).filter(|zone| !zone.is_empty());
    let zones: BTreeSet<&str> = zones.collect();
    if zones.is_empty() {
        return;
    }
    if terms.is_empty() {
        terms.push(NodeSelectorTerm::default());
    }
    let values: Box<[Name]> = zones.into_iter().map(Name::from).collect();
    for term in terms {
        let added = Requirement { key: key.into(), op: RequirementOp::In, values: values.clone() };
        let expressions = std::mem::take(&mut term.expressions);
        term.expressions = expressions.into_iter().chain([added]).collect();
    }
}

#[cfg(test)]
mod tests;
