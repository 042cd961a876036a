//! Names of labels and resources (upstream: `apimachinery/pkg/util/validation`, `IsQualifiedName`).

use std::collections::BTreeMap;

use edge_core::model::is_label_value;

use super::error::{FieldErrors, Path};

const NAME_FORM: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const PREFIX_FORM: &str = "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
    validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Checks that `name` may be the key of a label.
pub(super) fn validate_label_name(name: &str, path: &Path, errors: &mut FieldErrors) {
    let mut invalid = |detail: &str| errors.invalid(path.clone(), name, detail);
    let own = match name.split_once('/') {
        None => name,
        Some((_, rest)) if rest.contains('/') => {
            return invalid(&format!(
                "a qualified name {NAME_FORM} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ));
        }
        Some((prefix, own)) => {
            if prefix.is_empty() {
                invalid("prefix part must be non-empty");
            } else if !is_subdomain(prefix) {
                invalid(PREFIX_FORM);
            }
            own
        }
    };
    if own.is_empty() {
        invalid("name part must be non-empty");
    } else if own.len() > 63 {
        invalid("name part must be no more than 63 bytes");
    }
    if !is_label_value(own) && own.len() <= 63 || own.is_empty() {
        invalid(&format!("name part {NAME_FORM}"));
    }
}

/// Checks labels that nodes are to have.
pub(super) fn validate_labels(labels: &BTreeMap<String, String>, path: &Path, errors: &mut FieldErrors) {
    for (key, value) in labels {
        validate_label_name(key, path, errors);
        if !is_label_value(value) {
            errors.invalid(path.child(key), value, "must be the value of a label");
        }
    }
}

fn is_subdomain(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_part)
}
