//! Strict decoding: a field that doesn't exist is an error, and every error names the path.

use serde::de::DeserializeOwned;
use serde_ignored::Path as Ignored;
use serde_yaml::Value;

/// Reads a document. Upstream's decoder refuses a key given twice, and so does this.
pub fn document(text: &str) -> Result<Value, serde_yaml::Error> {
    serde_yaml::from_str(text).map(without_nulls)
}

/// Decodes `value`, which stands at `root`. What is wrong is added to `problems`.
pub fn strict<T: DeserializeOwned>(value: &Value, root: &str, problems: &mut Vec<String>) -> Option<T> {
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(value, &mut track);
    let mut unknown = Vec::new();
    let decoded = serde_ignored::deserialize(deserializer, |path| unknown.push(field(&path)));
    let below = |path: &str| if root.is_empty() { path.to_owned() } else { format!("{root}.{path}") };
    problems.extend(unknown.iter().map(|path| format!("unknown field {:?}", below(path))));
    decoded.map_err(|error| problems.push(format!("{}: {error}", below(&track.path().to_string())))).ok()
}

/// The path as upstream writes it.
fn field(path: &Ignored<'_>) -> String {
    let under = |parent: &Ignored<'_>, name: &str| match field(parent) {
        parent if parent.is_empty() => name.to_owned(),
        parent => format!("{parent}.{name}"),
    };
    match path {
        Ignored::Root => String::new(),
        Ignored::Seq { parent, index } => format!("{}[{index}]", field(parent)),
        Ignored::Map { parent, key } => under(parent, key),
        Ignored::Some { parent } | Ignored::NewtypeStruct { parent } | Ignored::NewtypeVariant { parent } => {
            field(parent)
        }
    }
}

/// `null` means that the field isn't there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Mapping(mapping) => {
            let kept = mapping.into_iter().filter(|(_, value)| !value.is_null());
            Value::Mapping(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Sequence(list) => Value::Sequence(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
