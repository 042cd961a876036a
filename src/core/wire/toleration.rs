//! Tolerations and taints.

use serde::Deserialize;

use crate::model::{Taint, TaintEffect, Toleration, TolerationOp};

use super::error::{Fault, Problem};
use super::intern::Interner;

const EFFECTS: &str = "NoSchedule, PreferNoSchedule, NoExecute";

/// A toleration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TolerationObject {
    key: Option<String>,
    operator: Option<String>,
    value: Option<String>,
    effect: Option<String>,
    #[serde(rename = "tolerationSeconds")]
    seconds: Option<i64>,
}

/// A taint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TaintObject {
    key: Option<String>,
    value: Option<String>,
    effect: Option<String>,
}

/// The tolerations that can tolerate anything.
pub(super) fn read(
    objects: &[TolerationObject],
    interner: &mut Interner,
) -> Result<Box<[Toleration]>, Fault> {
    let tolerations = objects.iter().enumerate().filter_map(|(idx, object)| {
        let toleration = object.read(interner).transpose()?;
        Some(toleration.map_err(|fault| fault.under(format_args!("spec.tolerations[{idx}]"))))
    });
    tolerations.collect()
}

fn read_effect(text: &str) -> Result<TaintEffect, Fault> {
    match text {
        "NoSchedule" => Ok(TaintEffect::NoSchedule),
        "PreferNoSchedule" => Ok(TaintEffect::PreferNoSchedule),
        "NoExecute" => Ok(TaintEffect::NoExecute),
        other => Err(Problem::word(other, EFFECTS).at("effect")),
    }
}

// === impl TolerationObject ===

impl TolerationObject {
    fn read(&self, interner: &mut Interner) -> Result<Option<Toleration>, Fault> {
        let op = match self.operator.as_deref() {
            None | Some("" | "Equal") => TolerationOp::Equal,
            Some("Exists") => TolerationOp::Exists,
            // Upstream's `ToleratesTaint` answers no for any operator that isn't enabled, such as
            // `Gt` and `Lt` without their feature gate, so the toleration is as good as absent.
            Some(_) => return Ok(None),
        };
        let effect = self.effect.as_deref().filter(|effect| !effect.is_empty());
        Ok(Some(Toleration {
            key: interner.intern(self.key.as_deref().unwrap_or_default()),
            op,
            value: interner.intern(self.value.as_deref().unwrap_or_default()),
            effect: effect.map(read_effect).transpose()?,
            seconds: self.seconds,
        }))
    }
}

// === impl TaintObject ===

impl TaintObject {
    /// The taint.
    pub(super) fn read(&self, interner: &mut Interner) -> Result<Taint, Fault> {
        Ok(Taint {
            key: interner.intern(self.key.as_deref().unwrap_or_default()),
            value: interner.intern(self.value.as_deref().unwrap_or_default()),
            effect: read_effect(self.effect.as_deref().unwrap_or_default())?,
        })
    }
}
