//! `btf show`: layouts, names, paths.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod command;

use std::{fs, process::Command};

use btf_tests::blob::Blob;
use command::{btf, text};

/// Writes a blob, and runs the command on it.
fn with(blob: &Blob, arguments: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("types.btf");
    fs::write(&path, blob.build()).unwrap();
    let output = btf(&[arguments, &[path.to_str().unwrap()]].concat());
    (text(&output.stdout), text(&output.stderr).replace(path.to_str().unwrap(), "FILE"))
}

/// `struct { int a:3; int b:9; long c; struct { int x; } *p; enum {A,B} e; }`
/// and more.
fn various() -> Blob {
    let mut blob = Blob::new();
    blob.int();
    let mut name = |text: &str| blob.string(text);
    let (long, top, a, b, c, p, e) = (name("long"), name("top"), name("a"), name("b"), name("c"), name("p"), name("e"));
    let (x, one, two, alias, var) = (name("x"), name("ONE"), name("TWO"), name("alias_t"), name("var"));
    let (tag, func, skb) = (name("tagged"), name("func"), name("skb"));
    blob.record(long, 1, 0, false, 8, &[0x0100_0040]); // 2
    blob.record(0, 4, 1, false, 4, &[x, 1, 0]); // 3: struct { int x; }
    blob.ptr(3); // 4
    blob.record(0, 6, 2, false, 4, &[one, 0, two, 1]); // 5: enum
    let members = [a, 1, 3 << 24, b, 1, 9 << 24 | 3, c, 2, 64, p, 4, 128, e, 5, 192];
    blob.record(top, 4, 5, true, 32, &members); // 6
    blob.record(alias, 8, 0, false, 3, &[]); // 7: typedef struct { int x; } alias_t
    blob.record(var, 14, 0, false, 3, &[1]); // 8
    blob.record(tag, 17, 0, false, 6, &[3]); // 9: of top.p
    blob.record(0, 13, 1, false, 1, &[skb, 1]); // 10
    blob.record(func, 12, 0, false, 10, &[]); // 11
    blob.record(tag, 17, 0, false, 11, &[0]); // 12: of func's skb
    blob
}

#[test]
fn bits_are_bits_and_what_has_no_name_shows_its_members() {
    let (shown, said) = with(&various(), &["show", "top"]);
    let expected = "\
struct top {
	int                        a:3;                  /*     0: 0  4 */
	int                        b:9;                  /*     0: 3  4 */

	/* XXX 20 bits hole, try to pack */
	/* XXX 4 bytes hole, try to pack */

	long                       c;                    /*     8     8 */
	struct {
		int                x;                    /*     0     4 */
	} *p;                                            /*    16     8 */
	enum {
		ONE = 0,
		TWO = 1,
	} e;                                             /*    24     4 */

	/* size: 32, cachelines: 1, members: 5 */
	/* sum members: 20, holes: 1, sum holes: 4 */
	/* sum bitfield members: 12 bits, bit holes: 1, sum bit holes: 20 bits */
	/* padding: 4 */
	/* last cacheline: 32 bytes */
};
";
    assert_eq!((shown.as_str(), said.as_str()), (expected, ""));
    // All of it is accounted for.
    assert_eq!(20 * 8 + 4 * 8 + 12 + 20 + 4 * 8, 32 * 8);
    let body = "struct {\n\tint                        x;                    /*     0     4 */\n\n\t\
        /* size: 4, cachelines: 1, members: 1 */\n\t/* last cacheline: 4 bytes */\n}";
    assert_eq!(with(&various(), &["show", "var"]).0, format!("{body} var;\n"));
    assert_eq!(with(&various(), &["show", "alias_t"]).0, format!("typedef {body} alias_t;\n"));
    assert_eq!(with(&various(), &["show", "func"]).0, "int func(int skb);\n");
}

#[test]
fn tags_say_what_they_tag() {
    let attribute = "__attribute__((btf_decl_tag(\"tagged\")))";
    let (shown, _) = with(&various(), &["show", "tagged"]);
    let expected = format!(
        "/* #9 DECL_TAG */\n{attribute}; /* of member 3 (p) of STRUCT top */\n\
         /* #12 DECL_TAG */\n{attribute}; /* of parameter 0 (skb) of FUNC func */\n"
    );
    assert_eq!(shown, expected);
    let (found, _) = with(&various(), &["find", "tagged"]);
    assert!(found.lines().next().unwrap().ends_with("tagged  of member 3 (p) of STRUCT top"), "{found}");
    let (found, _) = with(&various(), &["find", "--json", "--kind", "decl_tag", "*"]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found[0]["target"], serde_json::json!({"id": 6, "kind": "STRUCT", "name": "top"}));
    assert_eq!((&found[0]["component"], &found[0]["component_name"]), (&3.into(), &"p".into()));
    assert_eq!((&found[1]["target"]["name"], &found[1]["component_name"]), (&"func".into(), &"skb".into()));
}

/// Boundaries of cache lines are told of also inside of what has no name, for
/// each member of a union anew.
#[test]
fn cache_lines_begin_inside_too() {
    let mut blob = Blob::new();
    blob.int();
    let (top, a, b, c) = (blob.string("top"), blob.string("a"), blob.string("b"), blob.string("c"));
    blob.record(0, 3, 0, false, 0, &[1, 1, 15]); // 2: int [15]
    blob.record(0, 4, 2, false, 64, &[a, 2, 0, b, 1, 480]); // 3: struct { int a[15]; int b; }
    blob.record(0, 5, 2, false, 64, &[0, 3, 0, c, 1, 0]); // 4: union of it and int c
    blob.record(top, 4, 3, false, 72, &[a, 1, 0, 0, 4, 32, b, 1, 544]); // 5
    let (shown, _) = with(&blob, &["show", "top"]);
    let expected = "\
struct top {
	int                        a;                    /*     0     4 */
	union {
		struct {
			int        a[15];                /*     4    60 */
			/* --- cacheline 1 boundary (64 bytes) --- */
			int        b;                    /*    64     4 */
		};                                       /*     4    64 */
		int                c;                    /*     4     4 */
	};                                               /*     4    64 */
	/* --- cacheline 1 boundary (64 bytes) was 4 bytes ago --- */
	int                        b;                    /*    68     4 */

	/* size: 72, cachelines: 2, members: 3 */
	/* last cacheline: 8 bytes */
};
";
    assert_eq!(shown, expected);
}

#[test]
fn expansion_goes_through_typedefs() {
    let mut blob = various();
    let (outer, m, n) = (blob.string("outer"), blob.string("m"), blob.string("n"));
    let next = 13;
    blob.record(0, 10, 0, false, 7, &[]); // 13: const alias_t
    blob.record(outer, 4, 2, false, 8, &[m, next, 0, n, 1, 32]); // 14
    let (plain, _) = with(&blob, &["show", "outer"]);
    assert!(plain.contains("\tconst alias_t              m; "), "{plain}");
    let (expanded, _) = with(&blob, &["show", "--expand", "outer"]);
    let expected = "\tconst /* typedef alias_t */ struct {\n\
        \t\tint                x;                    /*     0     4 */\n\
        \t} m;                                             /*     0     4 */\n";
    assert!(expanded.contains(expected), "{expanded}");
}

#[test]
fn typedefs_have_sizes_and_all_their_steps() {
    let mut blob = various();
    let (first, second) = (blob.string("first_t"), blob.string("second_t"));
    blob.record(first, 8, 0, false, 14, &[]).record(second, 8, 0, false, 2, &[]); // 13, 14
    assert_eq!(
        with(&blob, &["show", "first_t"]).0,
        "typedef second_t first_t; /* size: 8 */\ntypedef long second_t; /* size: 8 */\n"
    );
    // Of itself.
    let mut blob = Blob::new();
    let name = blob.string("loop_t");
    blob.record(name, 8, 0, false, 1, &[]);
    let (shown, _) = with(&blob, &["show", "loop_t"]);
    assert!(shown.starts_with("typedef loop_t loop_t;\n") && shown.lines().count() <= 64, "{shown}");
}

#[test]
fn all_that_is_asked_for_is_answered() {
    let (shown, said) = with(&various(), &["show", "nosuch", "long", "top.q", "top->p", "top.p->z.y"]);
    assert_eq!(
        said,
        "btf: no type is named nosuch in FILE\n\
         top.q: struct top has no .q\n\
         top.p->z.y: struct {...} has no ->z.y\n"
    );
    assert!(
        shown.starts_with("long; /* size: 8 */\n/* top->p */\nstruct {...} * at offset 16 of struct top\n"),
        "{shown}"
    );
    // As a shell splits it.
    let (shown, said) = with(&various(), &["show", "struct", "top", "typedef", "alias_t"]);
    assert!(shown.starts_with("struct top {\n") && shown.ends_with("} alias_t;\n"), "{shown}");
    assert_eq!(said, "");
    let (_, said) = with(&various(), &["show", "union top"]);
    assert_eq!(said, "btf: no type is named union top in FILE; there is struct top\n");
}

#[test]
fn members_are_suggested() {
    let mut blob = Blob::new();
    blob.int();
    let (top, member, inner) = (blob.string("top"), blob.string("mm"), blob.string("parent_pid"));
    blob.record(0, 4, 1, false, 4, &[inner, 1, 0]); // 2
    blob.record(top, 4, 2, false, 8, &[member, 1, 0, 0, 2, 32]); // 3
    let said = |path: &str| with(&blob, &["show", path]).1;
    assert_eq!(said("top.mn"), "btf: top.mn: struct top has no .mn; there is mm\n");
    assert_eq!(said("top.parent_pip"), "btf: top.parent_pip: struct top has no .parent_pip; there is parent_pid\n");
    assert_eq!(said("tpo.mm"), "btf: no type is named tpo in FILE; there is top\n");
}

#[test]
fn names_with_two_wrong_letters_are_suggested() {
    let mut blob = Blob::new();
    blob.int();
    let [task, state, comm] = ["task_struct", "__state", "prio_list"].map(|name| blob.string(name));
    blob.record(task, 4, 2, false, 8, &[state, 1, 0, comm, 1, 32]);
    let said = |path: &str| with(&blob, &["show", path]).1;
    for (typo, name) in
        [("sate", "__state"), ("state", "__state"), ("proi_lst", "prio_list"), ("prio_lsit", "prio_list")]
    {
        let expected = format!("btf: task_struct.{typo}: struct task_struct has no .{typo}; there is {name}\n");
        assert_eq!(said(&format!("task_struct.{typo}")), expected);
    }
    assert_eq!(said("task_struct.x"), "btf: task_struct.x: struct task_struct has no .x\n");
    assert_eq!(said("tsk_strct"), "btf: no type is named tsk_strct in FILE; there is task_struct\n");
}

/// A name that is one of something else says of what.
#[test]
fn what_is_no_type_or_has_no_members_is_said() {
    let said = |arguments: &[&str]| with(&various(), &[&["show"], arguments].concat()).1;
    assert_eq!(said(&["TWO"]), "btf: no type is named TWO in FILE; there is an enumerator of enum {...}, '#5'\n");
    assert_eq!(said(&["6"]), "btf: no type is named 6 in FILE; the type with this id is '#6'\n");
    assert_eq!(said(&["TOP"]), "btf: no type is named TOP in FILE; there is top\n");
    assert_eq!(said(&["func.skb"]), "btf: func.skb: func is of kind FUNC, which has no members\n");
    assert_eq!(said(&["top."]), "btf: top.: expected the name of a member of struct top at the end\n");
    assert_eq!(said(&["top", "struct"]), "btf: struct: expected the name of a type after it\n");
}

#[test]
fn patterns_show_all_that_they_match() {
    let (shown, _) = with(&various(), &["show", "l*"]);
    assert_eq!(shown, "long; /* size: 8 */\n");
    let (shown, _) = with(&various(), &["show", "*"]);
    for expected in ["int; /* size: 4 */\n", "struct top {\n", "} alias_t;\n", "int func(int skb);\n"] {
        assert!(shown.contains(expected), "{shown}");
    }
    let (shown, _) = with(&various(), &["show", "struct *"]);
    assert!(shown.starts_with("struct top {\n") && !shown.contains("alias_t"), "{shown}");
    let (_, said) = with(&various(), &["show", "union *"]);
    assert_eq!(said, "btf: no type is named union * in FILE\n");
    let (shown, _) = with(&various(), &["show", "--hex", "top"]);
    assert!(shown.contains("c;                    /*   0x8   0x8 */"), "{shown}");
    assert!(shown.contains("/* size: 0x20, cachelines: 1, members: 5 */"), "{shown}");
}

#[test]
fn an_offset_shows_the_members_that_hold_it() {
    let mut blob = various();
    let (whole, u, m, n) = (blob.string("whole"), blob.string("u"), blob.string("m"), blob.string("n"));
    blob.record(0, 3, 0, false, 0, &[3, 1, 4]); // 13: struct { int x; } [4]
    blob.record(0, 5, 2, false, 16, &[m, 13, 0, n, 2, 0]); // 14: union { ... m[4]; long n; }
    blob.record(whole, 4, 2, false, 24, &[0, 14, 32, u, 1, 160]); // 15: whole
    let at = |name: &str| with(&blob, &["show", name]);
    assert_eq!(at("whole+0x6").0, "whole.m[0].x at offset 4 + 2: int\nwhole.n at offset 4 + 2: long\n");
    assert_eq!(at("struct whole+12").0, "whole.m[2].x at offset 12: int\n");
    assert_eq!(at("whole+20").0, "whole.u at offset 20: int\n");
    assert_eq!(at("whole+2").0, "a hole or padding of struct whole\n");
    assert_eq!(at("whole.m[1]+1").0, "whole.m[1].x at offset 0 + 1: int\n");
    assert_eq!(at("top+1").0, "top.b at offset 0, bit 3, 9 bits: int\n");
    assert_eq!(at("whole+24").1, "btf: whole+24: struct whole has only 24 bytes\n");
    let (json, _) = with(&blob, &["show", "--json", "whole+0x6"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!(["", "m", 0, "x"]);
    assert_eq!((&json[0]["members"][0]["path"], &json[0]["members"][1]["bit_offset"]), (&expected, &32.into()));
}

#[test]
fn json_is_what_the_text_says() {
    let (json, said) =
        with(&various(), &["show", "--json", "top", "func", "alias_t", "tagged", "nosuch", "top->p", "var"]);
    assert_eq!(said, "btf: no type is named nosuch in FILE\n");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let top = &json[0];
    assert_eq!((&top["kind"], &top["size"], &top["padding_bits"]), (&"STRUCT".into(), &32.into(), &32.into()));
    assert_eq!(top["holes"], serde_json::json!([{"bit_offset": 12, "bits": 52}]));
    let [a, _, c, p, e] = top["members"].as_array().unwrap().as_slice() else { panic!("{top}") };
    assert_eq!((&a["bitfield_size"], &a["bit_offset"], &a["type"]), (&3.into(), &0.into(), &"int".into()));
    assert_eq!((&c["bitfield_size"], &c["size"]), (&serde_json::Value::Null, &8.into()));
    assert_eq!((&p["members"][0]["name"], &e["values"][1]["name"]), (&"x".into(), &"TWO".into()));
    assert_eq!((&json[1]["parameters"][0]["name"], &json[1]["linkage"]), (&"skb".into(), &"static".into()));
    assert_eq!((&json[2]["kind"], &json[2]["type_id"]), (&"TYPEDEF".into(), &3.into()));
    assert_eq!((&json[3]["component"], &json[4]["target"]["name"]), (&3.into(), &"func".into()));
    assert_eq!((&json[5]["steps"][0]["bit_offset"], &json[6]["type"]), (&128.into(), &"struct {...}".into()));
    assert_eq!(json.as_array().unwrap().len(), 7);
    // Of itself, and by value.
    let mut blob = Blob::new();
    let name = blob.string("top");
    blob.record(name, 4, 2, false, 8, &[0, 2, 0, 0, 2, 32]).record(0, 4, 2, false, 8, &[0, 2, 0, 0, 1, 32]);
    let (json, _) = with(&blob, &["show", "--json", "--expand", "top"]);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
}

/// A file that is named like a type is not what is meant, if there is no BTF in
/// it.
#[test]
fn a_name_is_a_file_only_with_btf_in_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("types.btf"), various().build()).unwrap();
    fs::write(folder.path().join("plain"), various().build()).unwrap();
    fs::write(folder.path().join("long"), "notes").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_btf"));
        let output = command.args(arguments).current_dir(folder.path()).output().unwrap();
        text(&output.stdout) + &text(&output.stderr)
    };
    assert_eq!(run(&["show", "func", "types.btf"]), "int func(int skb);\n");
    assert_eq!(run(&["show", "func", "plain"]), "int func(int skb);\n");
    assert!(!run(&["show", "func", "long"]).contains("neither BTF"));
    assert!(run(&["show", "func", "./long"]).contains("neither BTF"));
}

#[test]
fn colors_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("types.btf");
    fs::write(&path, various().build()).unwrap();
    let run = |arguments: &[&str], set: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_btf"));
        for name in ["NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.args(["show", "long"]).arg(&path).args(arguments).envs(set.iter().copied());
        text(&command.output().unwrap().stdout)
    };
    let (plain, dimmed) = ("long; /* size: 8 */\n", "long; \x1b[2m/* size: 8 */\x1b[0m\n");
    assert_eq!(run(&[], &[]), plain);
    assert_eq!(run(&["--color", "always"], &[]), dimmed);
    assert_eq!(run(&["--color", "always"], &[("NO_COLOR", "1")]), dimmed);
    assert_eq!(run(&[], &[("CLICOLOR_FORCE", "1")]), dimmed);
    assert_eq!(run(&[], &[("CLICOLOR_FORCE", "0")]), plain);
    assert_eq!(run(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")]), dimmed);
    assert_eq!(run(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), plain);
    assert_eq!(run(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]), plain);
}

/// Text of a file never reaches a terminal unescaped.
#[test]
fn control_characters_are_escaped_everywhere() {
    let mut blob = Blob::new();
    let name = blob.string("a\x1b]0;t\x07\nFORGED\u{9b}");
    blob.record(name, 4, 1, false, 4, &[name, 2, 0]); // 1
    blob.record(name, 1, 0, false, 4, &[0x0100_0020]); // 2
    blob.record(name, 6, 1, false, 4, &[name, 0]); // 3
    blob.record(name, 17, 0, false, 1, &[0]); // 4
    blob.record(name, 15, 0, false, 0, &[]); // 5
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\x1b[31m\nFORGED.btf");
    fs::write(&path, blob.build()).unwrap();
    let path = path.to_str().unwrap();
    for arguments in [
        &["show", "*"][..],
        &["show", "#1.q"],
        &["show", "--expand", "#1"],
        &["find", "*"],
        &["find", "--json", "*"],
        &["find", "nothing"],
        &["info"],
        &["info", "--json"],
        &["dump", "--format", "json"],
        &["dump", "--fixup"],
        &["dump", "--base", path],
    ] {
        let output = btf(&[arguments, &[path]].concat());
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert!(!printed.is_empty());
        let is_sound = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        assert!(printed.chars().all(is_sound), "{arguments:?}: {printed:?}");
        assert!(!printed.lines().any(|line| line.starts_with("FORGED")), "{arguments:?}: {printed}");
    }
}
