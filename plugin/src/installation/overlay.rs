//! Laying parts of objects over objects: the part of kustomize's strategic merge that needs no schema.

use serde_json::{Map, Value};

/// Lays a part over what is there. Maps are merged; lists whose items all have names are merged by name; of anything
/// else the part's stays. `null` takes away.
pub(crate) fn lay_over(base: &mut Value, part: Value) {
    match (base, part) {
        (Value::Object(base), Value::Object(part)) => lay_map_over(base, part),
        (Value::Array(base), Value::Array(part)) if are_named(base) && are_named(&part) => {
            lay_list_over(base, part);
        }
        (base, part) => *base = without_nulls(part),
    }
}

fn lay_map_over(base: &mut Map<String, Value>, part: Map<String, Value>) {
    for (key, value) in part {
        if value.is_null() {
            base.remove(&key);
        } else if let Some(there) = base.get_mut(&key) {
            lay_over(there, value);
        } else {
            base.insert(key, without_nulls(value));
        }
    }
}

fn lay_list_over(base: &mut Vec<Value>, part: Vec<Value>) {
    for item in part {
        let there = base.iter_mut().find(|it| name_of(it) == name_of(&item));
        match there {
            Some(there) => lay_over(there, item),
            None => base.push(without_nulls(item)),
        }
    }
}

fn are_named(list: &[Value]) -> bool {
    list.iter().all(|item| name_of(item).is_some())
}

fn name_of(item: &Value) -> Option<&str> {
    item.get("name").and_then(Value::as_str)
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(mut base: Value, part: Value, expected: &Value) {
        lay_over(&mut base, part);
        assert_eq!(&base, expected);
    }

    #[test]
    fn maps_are_merged_and_null_takes_away() {
        let base = json!({"a": {"b": 1, "c": 2}, "d": 3});
        check(
            base,
            json!({"a": {"b": null, "e": {"f": null, "g": 1}}, "d": 4}),
            &json!({"a": {"c": 2, "e": {"g": 1}}, "d": 4}),
        );
    }

    #[test]
    fn lists_of_named_items_are_merged_and_others_replaced() {
        let base = json!({"containers": [{"name": "a", "image": "x", "args": ["1", "2"]}, {"name": "b"}]});
        let part = json!({"containers": [{"name": "a", "args": ["3"]}, {"name": "c"}]});
        let merged =
            json!({"containers": [{"name": "a", "image": "x", "args": ["3"]}, {"name": "b"}, {"name": "c"}]});
        check(base, part, &merged);
        let tolerations = json!([{"key": "a"}, {"key": "b"}]);
        check(tolerations, json!([{"operator": "Exists"}]), &json!([{"operator": "Exists"}]));
    }
}
