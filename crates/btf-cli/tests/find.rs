//! `btf find`: enumerators, kinds, what uses and what contains a type.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod command;

use btf_tests::blob::Blob;
use command::{btf, text};

/// Runs the command on a blob; its output, and what it says.
fn find(blob: &Blob, arguments: &[&str]) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("types.btf");
    std::fs::write(&path, blob.build()).unwrap();
    let output = btf(&[&["find"], arguments, &[path.to_str().unwrap()]].concat());
    let lines =
        text(&output.stdout).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    (lines, text(&output.stderr).replace(path.to_str().unwrap(), "FILE"))
}

/// A struct `lock`, and what has to do with it.
fn locks() -> Blob {
    let mut blob = Blob::new();
    blob.int();
    let mut name = |text: &str| blob.string(text);
    let (lock, v, lock_t, holder, a, p, f) =
        (name("lock"), name("v"), name("lock_t"), name("holder"), name("a"), name("p"), name("f"));
    let (outer, h, take, l, make, global) =
        (name("outer"), name("h"), name("take"), name("l"), name("make"), name("global"));
    blob.record(lock, 4, 1, false, 4, &[v, 1, 0]); // 2: struct lock
    blob.record(lock_t, 8, 0, false, 2, &[]); // 3: typedef struct lock lock_t
    blob.ptr(3); // 4: lock_t *
    blob.record(0, 3, 0, false, 0, &[3, 1, 2]); // 5: lock_t [2]
    blob.record(0, 13, 1, false, 0, &[l, 4]); // 6: void (lock_t *l)
    blob.ptr(6); // 7: void (*)(lock_t *l)
    blob.record(0, 4, 3, false, 24, &[a, 5, 0, p, 4, 64, f, 7, 128]); // 8: struct { lock_t a[2]; lock_t *p; ... }
    blob.record(holder, 4, 2, false, 28, &[v, 1, 0, 0, 8, 32]); // 9: struct holder { int v; struct {...}; }
    blob.record(outer, 4, 1, false, 32, &[h, 9, 32]); // 10: struct outer { struct holder h; }
    blob.record(take, 12, 0, false, 6, &[]); // 11: void take(lock_t *l)
    blob.record(0, 13, 0, false, 4, &[]); // 12: lock_t *(void)
    blob.record(make, 12, 0, false, 12, &[]); // 13: lock_t *make(void)
    blob.record(global, 14, 0, false, 3, &[1]); // 14: lock_t global
    blob
}

#[test]
fn enumerators_are_found_with_value_and_enum() {
    let mut blob = Blob::new();
    let (state, up, down, big) = (blob.string("state"), blob.string("UP"), blob.string("DOWN"), blob.string("BIG"));
    blob.record(state, 6, 2, true, 4, &[up, 1, down, u32::MAX]); // 1, signed
    blob.record(0, 19, 1, false, 8, &[big, 1, 1]); // 2
    assert_eq!(find(&blob, &["UP"]).0, ["#1 ENUMERATOR - UP = 1 of enum state"]);
    assert_eq!(find(&blob, &["DOWN", "--kind", "enumerator"]).0, ["#1 ENUMERATOR - DOWN = -1 of enum state"]);
    assert_eq!(find(&blob, &["--regex", "^B"]).0, ["#2 ENUMERATOR - BIG = 4294967297 of enum {...}"]);
    assert_eq!(find(&blob, &["*", "--kind", "enum,enum64"]).0, ["#1 ENUM 4 state"]);
    let (lines, said) = find(&blob, &["UP", "--kind", "struct"]);
    assert_eq!((lines.len(), said.as_str()), (0, "btf: FILE: nothing of this kind is named UP\n"));
    let json: serde_json::Value = serde_json::from_str(&find(&blob, &["--json", "*"]).0.join("\n")).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 4);
    assert_eq!(
        (&json[2]["name"], &json[2]["value"], &json[2]["enum"]),
        (&"DOWN".into(), &(-1).into(), &"state".into())
    );
    assert_eq!(json[3]["value"], 4_294_967_297u64);
}

#[test]
fn kinds_are_listed_and_may_be_several() {
    let blob = locks();
    let kinds = |arguments: &[&str]| find(&blob, &[&["*"], arguments].concat()).0.len();
    assert_eq!(kinds(&["--kind", "struct"]), 3);
    assert_eq!(kinds(&["--kind", "struct,typedef"]), 4);
    assert_eq!(kinds(&["--kind", "FUNC", "--kind", "var"]), 3);
    let output = btf(&["find", "x", "--kind", "strukt"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("[possible values: int, ptr, array, struct,"), "{}", text(&output.stderr));
    let output = btf(&["completions", "bash"]);
    assert!(text(&output.stdout).contains("datasec float decl_tag type_tag enum64 enumerator"));
}

/// Without a name, all of a kind; those too that have none.
#[test]
fn all_of_a_kind_are_found_without_a_name() {
    let blob = locks();
    assert_eq!(
        find(&blob, &["--kind", "struct"]).0,
        ["#2 STRUCT 4 lock", "#8 STRUCT 24 struct {...}", "#9 STRUCT 28 holder", "#10 STRUCT 32 outer"]
    );
    assert_eq!(find(&blob, &["--kind", "ptr"]).0, ["#4 PTR 8 lock_t *", "#7 PTR 8 void (*)(lock_t *l)"]);
    assert_eq!(find(&blob, &["--kind", "enum"]).1, "btf: FILE: there is nothing of this kind\n");
    assert_eq!(find(&blob, &["--kfuncs"]).1, "btf: FILE: there are no kfuncs\n");
    for arguments in [&["find"][..], &["find", "--uses"], &["find", "--kind", "int", "--regex"]] {
        let output = btf(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("<PATTERN>"), "{}", text(&output.stderr));
    }
}

/// Like in C, and like a shell splits it.
#[test]
fn a_word_before_a_name_says_which_is_meant() {
    assert_eq!(find(&locks(), &["struct lock"]).0, ["#2 STRUCT 4 lock"]);
    assert_eq!(find(&locks(), &["typedef *"]).0, ["#3 TYPEDEF 4 lock_t"]);
    let (_, said) = find(&locks(), &["union lock"]);
    assert_eq!(said, "btf: FILE: nothing is named union lock; there is STRUCT lock\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("types.btf");
    std::fs::write(&path, locks().build()).unwrap();
    let output = btf(&["find", "struct", path.to_str().unwrap()]);
    assert!(text(&output.stderr).ends_with("types.btf: nothing is named struct\n"), "{}", text(&output.stderr));
}

#[test]
fn uses_are_members_functions_variables_and_typedefs() {
    let expected = [
        "#3 TYPEDEF - lock_t struct lock",
        "#8 STRUCT 0 (anon).a lock_t[2]",
        "#8 STRUCT 8 (anon).p lock_t *",
        "#8 STRUCT 16 (anon).f void (*)(lock_t *l)",
        "#11 FUNC - take parameter 0: lock_t *l",
        "#13 FUNC - make returns lock_t *",
        "#14 VAR - global lock_t",
    ];
    assert_eq!(find(&locks(), &["--uses", "lock"]).0, expected);
    assert_eq!(find(&locks(), &["--uses", "lock_t"]).0, expected[1..]);
    assert_eq!(find(&locks(), &["--uses", "typedef lock*"]).0, expected[1..]);
    // The kind is that of what is found.
    assert_eq!(find(&locks(), &["--uses", "lock", "--kind", "func,var"]).0, expected[4..]);
    let (_, said) = find(&locks(), &["--uses", "lock", "--kind", "union"]);
    assert_eq!(said, "btf: FILE: nothing of this kind uses a type named lock\n");
    let (lines, said) = find(&locks(), &["--uses", "outer"]);
    assert_eq!((lines.len(), said.as_str()), (0, "btf: FILE: nothing uses a type named outer\n"));
    let json: serde_json::Value =
        serde_json::from_str(&find(&locks(), &["--uses", "--json", "lock"]).0.join("\n")).unwrap();
    let uses: Vec<_> = json.as_array().unwrap().iter().map(|found| found["use"].as_str().unwrap()).collect();
    assert_eq!(uses, ["declaration", "member", "member", "member", "parameter", "return", "declaration"]);
    assert_eq!((&json[2]["bit_offset"], &json[4]["parameter"]), (&64.into(), &"l".into()));
}

#[test]
fn what_contains_a_type_says_where() {
    let expected = ["#9 STRUCT 4 holder.a[] lock_t[2]", "#10 STRUCT 8 outer.h.a[] lock_t[2]"];
    assert_eq!(find(&locks(), &["--contains", "lock"]).0, expected);
    assert_eq!(find(&locks(), &["--contains", "holder"]).0, ["#10 STRUCT 4 outer.h struct holder"]);
    let json: serde_json::Value =
        serde_json::from_str(&find(&locks(), &["--contains", "--json", "lock"]).0.join("\n")).unwrap();
    assert_eq!(json[1]["path"], serde_json::json!(["h", "", "a"]));
    assert_eq!((&json[1]["bit_offset"], &json[1]["name"]), (&64.into(), &"outer".into()));
    assert_eq!(find(&locks(), &["--contains", "outer"]).1, "btf: FILE: nothing contains a type named outer\n");
    // What doubles, and what is inside of itself.
    let mut blob = Blob::new();
    let (top, leaf) = (blob.string("top"), blob.string("leaf"));
    for id in 1..=40 {
        let next = if id == 40 { 41 } else { id + 1 };
        blob.record(top, 4, 2, false, 8, &[0, next, 0, 0, next, 32]);
    }
    blob.record(leaf, 4, 2, false, 8, &[0, 1, 0, 0, 41, 32]); // 41
    let (lines, said) = find(&blob, &["--contains", "leaf"]);
    assert_eq!((lines.len(), said.as_str()), (82, ""));
    assert!(lines[0].starts_with("#1 STRUCT 0 top struct leaf"), "{}", lines[0]);
}

#[test]
fn kfuncs_are_tagged() {
    let mut blob = locks();
    let (tag, other) = (blob.string("bpf_kfunc"), blob.string("other"));
    blob.record(tag, 17, 0, false, 13, &[u32::MAX]).record(other, 17, 0, false, 11, &[u32::MAX]);
    assert_eq!(find(&blob, &["--kfuncs", "*"]).0, ["#13 FUNC - make"]);
    assert_eq!(find(&blob, &["--kfuncs", "take"]).1, "btf: FILE: no kfunc is named take; there is FUNC take\n");
}

/// Enumerators that share a long name are matched once.
#[test]
fn names_that_are_shared_are_matched_once() {
    const COUNT: u32 = 100_000;
    let mut blob = Blob::new();
    let (long, short) = (blob.string(vec![b'n'; 1 << 20]), blob.string("a".repeat(4000)));
    let values: Vec<u32> = (0..COUNT).flat_map(|index| [if index % 2 == 0 { long } else { short }, index]).collect();
    blob.record(0, 6, COUNT, false, 4, &values);
    assert_eq!(find(&blob, &["--regex", "(a|b|n)*z"]).0.len(), 0);
    assert_eq!(find(&blob, &["x*"]).0.len(), 0);
    assert_eq!(find(&blob, &["nnn"]).0.len(), 0);
}

/// Many members of one type, whose prototype has many parameters of another.
#[test]
fn what_is_shared_is_looked_at_once() {
    const COUNT: u32 = 50_000;
    let mut blob = Blob::new();
    blob.int();
    let (top, lock, n) = (blob.string("top"), blob.string("lock"), blob.string("n"));
    blob.record(lock, 4, 0, false, 0, &[]); // 2
    let params: Vec<u32> = (0..COUNT).flat_map(|_| [n, 1]).collect();
    blob.record(0, 13, COUNT, false, 0, &params).ptr(3); // 3, 4
    let inner: Vec<u32> = (0..COUNT).flat_map(|_| [n, 1, 0]).collect();
    blob.record(0, 4, COUNT, false, 4, &inner); // 5
    let members: Vec<u32> = (0..COUNT).flat_map(|index| [n, 4 + index % 2, 0]).collect();
    blob.record(top, 4, COUNT, false, 8, &members); // 6
    assert_eq!(find(&blob, &["--uses", "lock"]).0.len(), 0);
    assert_eq!(find(&blob, &["--contains", "lock"]).0.len(), 0);
}
