//! Arguments of NetworkDelay.

use std::path::PathBuf;
use std::time::Duration;

use edge_core::delay::{DelayRules, DelaySource, Hysteresis, Statistic};
use edge_core::model::Delay;
use serde::{Deserialize, Serialize};

use super::Args;
use crate::duration::GoDuration;
use crate::error::{FieldErrors, Path};
use crate::{FileSource, GoldpingerSource, Source};

/// Where delays come from, and what is made of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NetworkDelayArgs {
    /// In order of precedence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<SourceArgs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statistic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_after: Option<GoDuration>,
    /// A percentage, such as `10%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    hysteresis: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor_grace: Option<GoDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<LayersArgs>,
}

/// The partitions of the nodes that are published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct LayersArgs {
    /// Delay values in ms that there are layers of from the beginning; those that pods ask for come by themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    initial: Vec<f64>,
}

/// How many layers may be asked for.
const MOST_LAYERS: usize = 16;

/// A source; one of the fields is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct SourceArgs {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileArgs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<ProbeArgs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goldpinger: Option<GoldpingerArgs>,
}

/// The probe agents; they are told by the scheduler what to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct ProbeArgs {}

/// Goldpinger, of which each pod is asked over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct GoldpingerArgs {
    /// All namespaces if it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<GoDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<GoDuration>,
}

/// The files of the BME edge scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FileArgs {
    delay_matrix: PathBuf,
    metadata: PathBuf,
}

impl Args for NetworkDelayArgs {
    const PLUGIN: &'static str = "NetworkDelay";

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if let Some(name) = self.statistic.as_ref().filter(|name| Statistic::from_name(name).is_none()) {
            errors.unsupported(path.child("statistic"), name, &Statistic::ALL.map(Statistic::name));
        }
        if let Some(after) = self.stale_after.filter(|after| !after.is_positive()) {
            errors.invalid(path.child("staleAfter"), after, "must be greater than 0");
        }
        if let Some((text, Err(error))) =
            self.hysteresis.as_ref().map(|text| (text, text.parse::<Hysteresis>()))
        {
            errors.invalid(path.child("hysteresis"), text, error.to_string());
        }
        if let Some(grace) = self.anchor_grace.filter(|grace| *grace < GoDuration::default()) {
            errors.invalid(path.child("anchorGrace"), grace, "must be zero or positive");
        }
        if let Some(layers) = &self.layers {
            layers.validate(&path.child("layers"), errors);
        }
        for (idx, source) in self.sources.iter().enumerate() {
            let path = path.child("sources").index(idx);
            source.validate(&path, errors);
            if self.sources.iter().take(idx).any(|earlier| earlier.source() == source.source()) {
                errors.forbidden(path, "a source may stand once");
            }
        }
    }

    fn delay_rules(&self) -> Option<DelayRules> {
        let Self { sources, statistic, stale_after, hysteresis, anchor_grace, layers } = self;
        if *self == Self::default() {
            return None;
        }
        let sources: Vec<DelaySource> = sources.iter().filter_map(SourceArgs::source).collect();
        let default = DelayRules::default();
        Some(DelayRules {
            sources: if sources.is_empty() { default.sources } else { sources },
            statistic: statistic.as_deref().and_then(Statistic::from_name).unwrap_or_default(),
            stale_after: stale_after.map(GoDuration::get),
            hysteresis: hysteresis.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default(),
            anchor_grace: anchor_grace.map(GoDuration::get),
            layers: layers.as_ref().map(LayersArgs::delays).unwrap_or_default(),
        })
    }

    fn delays(&self) -> Vec<Source> {
        self.sources.iter().filter_map(SourceArgs::delays).collect()
    }
}

// === impl LayersArgs ===

impl LayersArgs {
    fn delays(&self) -> Vec<Delay> {
        self.initial.iter().filter_map(|millis| Delay::from_millis_f64(*millis).ok()).collect()
    }

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        let path = path.child("initial");
        if self.initial.len() > MOST_LAYERS {
            errors.invalid(path.clone(), self.initial.len(), format!("must be at most {MOST_LAYERS} delays"));
        }
        for (idx, millis) in self.initial.iter().enumerate() {
            let path = path.clone().index(idx);
            let earlier = || self.initial.iter().take(idx).map(|millis| Delay::from_millis_f64(*millis).ok());
            match Delay::from_millis_f64(*millis) {
                Err(error) => errors.invalid(path, millis, error.to_string()),
                Ok(delay) if earlier().any(|it| it == Some(delay)) => errors.duplicate(path, millis),
                Ok(_) => (),
            }
        }
    }
}

// === impl SourceArgs ===

impl SourceArgs {
    /// Who measures.
    fn source(&self) -> Option<DelaySource> {
        let Self { file, probe, goldpinger } = self;
        let probe = probe.as_ref().map(|_| DelaySource::Probe);
        let goldpinger = || goldpinger.as_ref().map(|_| DelaySource::Goldpinger);
        probe.or_else(goldpinger).or_else(|| file.as_ref().map(|_| DelaySource::File))
    }

    fn delays(&self) -> Option<Source> {
        let Self { file, probe, goldpinger } = self;
        let goldpinger = || Some(Source::Goldpinger(goldpinger.as_ref()?.source()));
        let file = file.clone().map(|FileArgs { delay_matrix, metadata }| {
            Source::File(FileSource { matrix: delay_matrix, metadata })
        });
        probe.map(|ProbeArgs {}| Source::Probe).or(file).or_else(goldpinger)
    }

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        let Self { file, probe, goldpinger } = self;
        if let Some(goldpinger) = goldpinger {
            goldpinger.validate(&path.child("goldpinger"), errors);
        }
        match [file.is_some(), probe.is_some(), goldpinger.is_some()].into_iter().filter(|set| *set).count() {
            0 => errors.required(path.clone(), "one of `probe`, `goldpinger`, `file`"),
            1 => (),
            _ => errors.forbidden(path.clone(), "it is one source; write each as an element of its own"),
        }
        if let Some(file) = file {
            let path = path.child("file");
            let files = [("delayMatrix", &file.delay_matrix), ("metadata", &file.metadata)];
            for (field, _) in files.into_iter().filter(|(_, file)| file.as_os_str().is_empty()) {
                errors.required(path.child(field), "the path of a file");
            }
        }
    }
}

// === impl GoldpingerArgs ===

impl GoldpingerArgs {
    /// With the defaults: the labels of Goldpinger's chart, its port, and how often it measures.
    fn source(&self) -> GoldpingerSource {
        let Self { namespace, selector, port, interval, timeout } = self;
        GoldpingerSource {
            namespace: namespace.clone(),
            selector: selector.clone().unwrap_or_else(|| "app.kubernetes.io/name=goldpinger".to_owned()),
            port: port.unwrap_or(8080),
            every: interval.map_or(Duration::from_secs(30), GoDuration::get),
            timeout: timeout.map_or(Duration::from_secs(6), GoDuration::get),
        }
    }

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if self.selector.as_ref().is_some_and(String::is_empty) {
            errors.invalid(path.child("selector"), "", "would be all pods; give the labels of Goldpinger's");
        }
        if self.port == Some(0) {
            errors.invalid(path.child("port"), 0, "must be between 1 and 65535");
        }
        if let Some(interval) = self.interval.filter(|it| *it < GoDuration::from_secs(1)) {
            errors.invalid(path.child("interval"), interval, "must be at least 1s");
        }
        if let Some(timeout) = self.timeout.filter(|it| !it.is_positive()) {
            errors.invalid(path.child("timeout"), timeout, "must be greater than 0");
        }
    }
}
