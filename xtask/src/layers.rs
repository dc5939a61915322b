//! Checks that the crates only depend downward.
//!
//! What is allowed stands in one table, `[workspace.metadata.layers]` of the
//! workspace's Cargo.toml: for each crate the workspace crates that it may
//! depend on, in whatever way (normal, build or dev).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Result, cargo};

pub(crate) fn run() -> Result {
    let output = cargo().args(["metadata", "--format-version=1", "--no-deps"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let faults = faults(&metadata)?;
    if faults.is_empty() {
        println!("layers: {} crates, all in order", list(&metadata, "packages").len());
        Ok(())
    } else {
        Err(faults.join("\nxtask: ").into())
    }
}

/// Everything in the metadata that the table does not allow.
fn faults(metadata: &Value) -> Result<Vec<String>> {
    let table = metadata.pointer("/metadata/layers").and_then(Value::as_object);
    let table = table.ok_or("Cargo.toml has no [workspace.metadata.layers]")?;
    let table: BTreeMap<&str, Vec<&str>> = table
        .iter()
        .map(|(name, allowed)| {
            (name.as_str(), allowed.as_array().into_iter().flatten().filter_map(Value::as_str).collect())
        })
        .collect();
    let packages = list(metadata, "packages");
    let is_member = |name: &str| packages.iter().any(|package| text(package, "name") == name);
    let mut faults = Vec::new();
    for package in packages {
        let name = text(package, "name");
        let Some(allowed) = table.get(name) else {
            faults.push(format!("{name} has no row in [workspace.metadata.layers]"));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let on = text(dependency, "name");
            if !is_member(on) || allowed.contains(&"*") || allowed.contains(&on) {
                continue;
            }
            let is_optional = dependency.get("optional").and_then(Value::as_bool).unwrap_or(false);
            if allowed.iter().any(|entry| entry.strip_suffix('?') == Some(on)) {
                if !is_optional {
                    faults.push(format!("{name} may depend on {on} only if it is optional"));
                }
                continue;
            }
            let kind = dependency.get("kind").and_then(Value::as_str).unwrap_or("normal");
            faults.push(format!("{name} may not depend on {on} ({kind} dependency)"));
        }
    }
    for name in table.keys().filter(|name| !is_member(name)) {
        faults.push(format!("[workspace.metadata.layers] has a row for {name}, which is no crate"));
    }
    Ok(faults)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Crates `low` and `high`, of which `high` has this dependency, under
    /// this row of the table.
    fn check(row: Value, dependency: Value) -> Vec<String> {
        let metadata = json!({
            "metadata": { "layers": { "low": [], "high": row } },
            "packages": [
                { "name": "low", "dependencies": [] },
                { "name": "high", "dependencies": [dependency, { "name": "serde", "kind": null }] },
            ],
        });
        faults(&metadata).unwrap()
    }

    #[test]
    fn only_what_the_table_allows_passes() {
        let normal = json!({ "name": "low", "kind": null, "optional": false });
        let dev = json!({ "name": "low", "kind": "dev", "optional": false });
        let optional = json!({ "name": "low", "kind": null, "optional": true });
        assert_eq!(check(json!(["low"]), normal.clone()), [""; 0]);
        assert_eq!(check(json!(["*"]), normal.clone()), [""; 0]);
        assert_eq!(check(json!(["low?"]), optional), [""; 0]);
        assert_eq!(check(json!(["low?"]), normal.clone()), ["high may depend on low only if it is optional"]);
        assert_eq!(check(json!([]), normal), ["high may not depend on low (normal dependency)"]);
        assert_eq!(check(json!([]), dev), ["high may not depend on low (dev dependency)"]);
    }

    #[test]
    fn each_crate_has_a_row_and_each_row_a_crate() {
        let metadata = json!({ "metadata": { "layers": { "gone": [] } }, "packages": [{ "name": "new" }] });
        assert_eq!(faults(&metadata).unwrap().len(), 2);
        assert!(faults(&json!({ "packages": [] })).is_err());
    }
}
