//! Checks that the crates only depend downward.
//!
//! The table `[workspace.metadata.layers]` of the workspace's Cargo.toml has a row
//! for each crate. Its normal, build and dev dependencies may be the workspace
//! crates of its row, and all crates that those may depend on. An entry that ends
//! in `?` allows only an optional dependency, on that crate and on those of its row.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Result, metadata};

pub(crate) fn run() -> Result {
    let metadata = metadata()?;
    let faults = faults(&metadata)?;
    if faults.is_empty() {
        println!("layers: {} crates, all in order", list(&metadata, "packages").len());
        Ok(())
    } else {
        Err(faults.join("\nxtask: ").into())
    }
}

/// Returns the violations of the table in the metadata.
fn faults(metadata: &Value) -> Result<Vec<String>> {
    let table = Table::new(metadata)?;
    let packages = list(metadata, "packages");
    let is_member = |name: &str| packages.iter().any(|package| text(package, "name") == name);
    let mut faults = Vec::new();
    for package in packages {
        let name = text(package, "name");
        let Some(allowed) = table.allowed(name) else {
            faults.push(format!("{name} has no row in [workspace.metadata.layers]"));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let on = text(dependency, "name");
            if !is_member(on) || allowed.contains_key("*") {
                continue;
            }
            let is_optional = dependency.get("optional").and_then(Value::as_bool).unwrap_or(false);
            let kind = dependency.get("kind").and_then(Value::as_str).unwrap_or("normal");
            match allowed.get(on) {
                Some(Use::Always) => {}
                Some(Use::Optional) if is_optional => {}
                Some(Use::Optional) => faults.push(format!("{name} may depend on {on} only if it is optional")),
                None => faults.push(format!("{name} may not depend on {on} ({kind} dependency)")),
            }
        }
    }
    for name in table.0.keys().filter(|name| !is_member(name)) {
        faults.push(format!("[workspace.metadata.layers] has a row for {name}, which is not a crate"));
    }
    Ok(faults)
}

/// Kind of dependency that is allowed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Optional,
    Always,
}

/// The entries of each row.
struct Table<'a>(BTreeMap<&'a str, Vec<(&'a str, Use)>>);

impl<'a> Table<'a> {
    fn new(metadata: &'a Value) -> Result<Self> {
        let rows = metadata.pointer("/metadata/layers").and_then(Value::as_object);
        let rows = rows.ok_or("Cargo.toml has no [workspace.metadata.layers]")?;
        let entry = |entry: &'a str| match entry.strip_suffix('?') {
            Some(name) => (name, Use::Optional),
            None => (entry, Use::Always),
        };
        let entries =
            |row: &'a Value| row.as_array().into_iter().flatten().filter_map(Value::as_str).map(entry).collect();
        Ok(Self(rows.iter().map(|(name, row)| (name.as_str(), entries(row))).collect()))
    }

    /// Returns the crates that a crate may depend on: its row, and those that
    /// their rows allow.
    fn allowed(&self, name: &str) -> Option<BTreeMap<&'a str, Use>> {
        let mut allowed = BTreeMap::new();
        let row = self.0.get(name)?;
        let mut pending = row.clone();
        while let Some((on, how)) = pending.pop() {
            if allowed.get(on).is_some_and(|known| *known >= how) {
                continue;
            }
            allowed.insert(on, how);
            pending.extend(self.0.get(on).into_iter().flatten().map(|&(next, next_how)| (next, how.min(next_how))));
        }
        // `*` applies only in the crate's own row.
        if !row.iter().any(|(on, _)| *on == "*") {
            allowed.remove("*");
        }
        Some(allowed)
    }
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

    /// Checks crates `low` and `high`, where `high` has this dependency and this
    /// row of the table.
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
    fn a_row_allows_what_its_rows_allow() {
        let check = |high: Value, on: &str, optional: bool| {
            let dependency = json!({ "name": on, "kind": null, "optional": optional });
            let metadata = json!({
                "metadata": { "layers": { "low": [], "middle": ["low"], "any": ["*"], "high": high } },
                "packages": [{ "name": "low" }, { "name": "middle" }, { "name": "any" }, { "name": "high", "dependencies": [dependency] }],
            });
            faults(&metadata).unwrap().len()
        };
        assert_eq!(check(json!(["middle"]), "low", false), 0);
        assert_eq!(check(json!(["low"]), "middle", false), 1);
        assert_eq!(check(json!(["middle?"]), "low", true), 0);
        assert_eq!(check(json!(["middle?"]), "low", false), 1);
        assert_eq!(check(json!(["middle?", "low"]), "low", false), 0);
        assert_eq!(check(json!(["any"]), "low", false), 1);
    }

    #[test]
    fn each_crate_has_a_row_and_each_row_a_crate() {
        let metadata = json!({ "metadata": { "layers": { "gone": [] } }, "packages": [{ "name": "new" }] });
        assert_eq!(faults(&metadata).unwrap().len(), 2);
        assert!(faults(&json!({ "packages": [] })).is_err());
    }
}
