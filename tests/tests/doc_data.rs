//! The BTF that documentation and examples of the crates read: a small kernel, an
//! older one, and a module. Each crate has copies of the files that it needs, in
//! `doc/`, as it is published alone.
//!
//! `BTF_GOLDEN=renew cargo test -p btf-tests --test doc_data` writes them.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{fs, io::Write, path::Path};

use btf_build::{Builder, Distilled, Error, IntEncoding, distill};
use btf_elf::BtfFile;
use btf_tests::{elf_blob::ElfBlob, fixtures};
use btf_types::{Btf, ByteOrder, Func, Linkage, Struct, Typedef};

/// Files, and the crates that need them.
const COPIES: &[(&str, &str)] = &[
    ("btf-archive", "btfhub/debian/12/x86_64/5.10.0-8-amd64.btf"),
    ("btf-archive", "btfhub/debian/12/x86_64/6.1.0-9-amd64.btf"),
    ("btf-archive", "probe.bpf.o"),
    ("btf-codegen", "kernel.btf"),
    ("btf-codegen", "veth.btf"),
    ("btf-elf", "kernel.btf"),
    ("btf-elf", "kernel.btf.gz"),
    ("btf-elf", "veth.ko"),
    ("btf-format", "kernel.btf"),
    ("btf-format", "probe.btf.ext"),
    ("btf-kernel", "root/boot/vmlinux-6.12.0"),
    ("btf-kernel", "root/lib/modules/6.12.0/kernel/drivers/net/veth.ko"),
    ("btf-relocate", "kernel.btf"),
    ("btf-relocate", "probe.bpf.o"),
    ("btf-relocate", "veth.btf"),
    ("btf-types", "kernel.btf"),
    ("btf-types", "older.btf"),
    ("btf-types", "probe.btf"),
    ("btf-types", "probe.btf.ext"),
    ("btf-types", "veth.btf"),
    ("btf-types", "veth.distilled.base.btf"),
    ("btf-types", "veth.distilled.btf"),
];

/// The program that the object's documentation says how to compile.
const PROBE: &str = "../crates/btf-elf/doc/probe.bpf.o";

const UNSIGNED: IntEncoding = IntEncoding::from_bits(0);

/// Scalars, and what both kernels have in common.
struct Common {
    char: u32,
    int: u32,
    long: u32,
    u8: u32,
    u16: u32,
    u32: u32,
    u64: u32,
    list_head: u32,
    net_device: u32,
}

fn common(b: &mut Builder) -> Result<Common, Error> {
    let char = b.int("char", 1, IntEncoding::SIGNED)?;
    let int = b.int("int", 4, IntEncoding::SIGNED)?;
    let long = b.int("long", 8, IntEncoding::SIGNED)?;
    let unsigned_char = b.int("unsigned char", 1, UNSIGNED)?;
    let unsigned_short = b.int("short unsigned int", 2, UNSIGNED)?;
    let unsigned_int = b.int("unsigned int", 4, UNSIGNED)?;
    let unsigned_long_long = b.int("long long unsigned int", 8, UNSIGNED)?;
    let u8 = b.typedef("u8", unsigned_char)?;
    let u16 = b.typedef("u16", unsigned_short)?;
    let u32 = b.typedef("u32", unsigned_int)?;
    let u64 = b.typedef("u64", unsigned_long_long)?;
    let list_head = b.declare();
    let list_head_ptr = b.ptr(list_head)?;
    b.define(list_head)
        .structure("list_head", 16)
        .member("next", list_head_ptr, 0)
        .member("prev", list_head_ptr, 64)
        .finish()?;
    let name = b.array(char, int, 16)?;
    let net_device = b
        .structure("net_device", 24)
        .member("name", name, 0)
        .member("ifindex", int, 128)
        .member("mtu", unsigned_int, 160)
        .finish()?;
    Ok(Common { char, int, long, u8, u16, u32, u64, list_head, net_device })
}

/// The kernel of most examples, with all that they ask for.
fn kernel() -> Result<Btf, Error> {
    let mut b = Builder::new();
    let c = common(&mut b)?;
    let dev = b.ptr(c.net_device)?;

    let sk_buff = b.declare();
    let skb = b.ptr(sk_buff)?;
    let links = b.structure("", 16).member("next", skb, 0).member("prev", skb, 64).finish()?;
    let queue = b.union("", 16).member("", links, 0).member("list", c.list_head, 0).finish()?;
    let const_u8 = b.const_(c.u8)?;
    let data = b.ptr(const_u8)?;
    b.define(sk_buff)
        .structure("sk_buff", 56)
        .member("", queue, 0)
        .member("dev", dev, 128)
        .member("len", c.u32, 192)
        .member("data_len", c.u32, 224)
        .member("mac_len", c.u16, 256)
        .bitfield("cloned", c.u8, 272, 1)
        .bitfield("nohdr", c.u8, 273, 1)
        .member("data", data, 320)
        .member("mark", c.u32, 384)
        .finish()?;

    let page = b.structure("", 8).member("pgd", c.u64, 0).finish()?;
    let pgd_t = b.typedef("pgd_t", page)?;
    let pgd = b.ptr(pgd_t)?;
    let mm_struct = b.structure("mm_struct", 16).member("pgd", pgd, 0).member("map_count", c.int, 64).finish()?;
    let mm = b.ptr(mm_struct)?;
    let comm = b.array(c.char, c.int, 16)?;
    let task_struct = b.declare();
    let task = b.ptr(task_struct)?;
    let rcu = b.type_tag("rcu", task_struct)?;
    let parent = b.ptr(rcu)?;
    b.define(task_struct)
        .structure("task_struct", 56)
        .member("__state", c.u32, 0)
        .member("pid", c.int, 32)
        .member("mm", mm, 64)
        .member("comm", comm, 128)
        .member("real_parent", parent, 256)
        .member("children", c.list_head, 320)
        .finish()?;

    let work_struct = b.declare();
    let work = b.ptr(work_struct)?;
    let worker = b.func_proto(0).param("work", work).finish()?;
    let worker = b.ptr(worker)?;
    let work_func_t = b.typedef("work_func_t", worker)?;
    b.define(work_struct)
        .structure("work_struct", 32)
        .member("data", c.long, 0)
        .member("entry", c.list_head, 64)
        .member("func", work_func_t, 192)
        .finish()?;

    // A packed one.
    b.structure("boot_e820_entry", 20)
        .member("addr", c.u64, 0)
        .member("size", c.u64, 64)
        .member("type", c.u32, 128)
        .finish()?;

    let reason = b
        .enumeration("skb_drop_reason", 4)
        .value("SKB_NOT_DROPPED_YET", 0)
        .value("SKB_CONSUMED", 1)
        .value("SKB_DROP_REASON_NOT_SPECIFIED", 2)
        .value("SKB_DROP_REASON_NO_SOCKET", 3)
        .finish()?;
    b.enumeration64("", 8)
        .value("BPF_F_INDEX_MASK", 0xffff_ffff_u64)
        .value("BPF_F_CTXLEN_MASK", 0xf_ffff_0000_0000_u64)
        .finish()?;

    let proto = b.func_proto(0).param("skb", skb).finish()?;
    b.func("consume_skb", Linkage::Static, proto)?;
    let proto = b.func_proto(0).param("skb", skb).param("reason", reason).finish()?;
    b.func("kfree_skb_reason", Linkage::Static, proto)?;
    let proto = b.func_proto(c.int).param("index", c.int).param("dev", dev).param("skb", skb).finish()?;
    b.func("neigh_xmit", Linkage::Static, proto)?;
    let const_char = b.const_(c.char)?;
    let text = b.ptr(const_char)?;
    let proto = b.func_proto(c.int).param("fmt", text).vararg().finish()?;
    b.func("_printk", Linkage::Static, proto)?;

    let proto = b.func_proto(task).param("p", task).finish()?;
    let acquire = b.func("bpf_task_acquire", Linkage::Static, proto)?;
    b.decl_tag("bpf_kfunc", acquire, None)?;
    b.decl_tag("arg:nonnull", acquire, Some(0))?;
    let proto = b.func_proto(0).param("p", task).finish()?;
    let release = b.func("bpf_task_release", Linkage::Static, proto)?;
    b.decl_tag("bpf_kfunc", release, None)?;

    let active = b.var("bpf_prog_active", c.int, Linkage::Global)?;
    let current = b.var("current_task", task, Linkage::Global)?;
    b.datasec(".data..percpu", 16).var(current, 0, 8).var(active, 8, 4).finish()?;
    b.finish()
}

/// A kernel of years before: `task_struct` has `state`, `sk_buff` begins otherwise.
fn older() -> Result<Btf, Error> {
    let mut b = Builder::new();
    let c = common(&mut b)?;
    let dev = b.ptr(c.net_device)?;
    let sk_buff = b.declare();
    let skb = b.ptr(sk_buff)?;
    let const_u8 = b.const_(c.u8)?;
    let data = b.ptr(const_u8)?;
    b.define(sk_buff)
        .structure("sk_buff", 48)
        .member("next", skb, 0)
        .member("prev", skb, 64)
        .member("dev", dev, 128)
        .member("len", c.u32, 192)
        .member("data_len", c.u32, 224)
        .bitfield("cloned", c.u8, 256, 1)
        .member("mark", c.u32, 288)
        .member("data", data, 320)
        .finish()?;
    let state = b.volatile(c.long)?;
    let comm = b.array(c.char, c.int, 16)?;
    b.structure("task_struct", 32)
        .member("state", state, 0)
        .member("pid", c.int, 64)
        .member("comm", comm, 96)
        .finish()?;
    let work_struct = b.declare();
    let work = b.ptr(work_struct)?;
    let worker = b.func_proto(0).param("work", work).finish()?;
    let worker = b.ptr(worker)?;
    let work_func_t = b.typedef("work_func_t", worker)?;
    b.define(work_struct)
        .structure("work_struct", 32)
        .member("data", c.long, 0)
        .member("entry", c.list_head, 64)
        .member("func", work_func_t, 192)
        .finish()?;
    b.enumeration("skb_drop_reason", 4).value("SKB_NOT_DROPPED_YET", 0).value("SKB_CONSUMED", 1).finish()?;
    let proto = b.func_proto(0).param("skb", skb).finish()?;
    b.func("consume_skb", Linkage::Static, proto)?;
    b.finish()
}

/// A module of the kernel.
fn veth(kernel: &Btf) -> Result<Btf, Error> {
    let id = |name: &str| kernel.find::<Struct<'_>>(name).map(Struct::id);
    let (sk_buff, net_device, work_struct) = (id("sk_buff")?, id("net_device")?, id("work_struct")?);
    let int = kernel.find::<btf_types::Int<'_>>("int")?.id();
    let u64 = kernel.find::<Typedef<'_>>("u64")?.id();
    let mut b = Builder::on(kernel);
    let (dev, skb) = (b.ptr(net_device)?, b.ptr(sk_buff)?);
    b.structure("veth_priv", 48)
        .member("peer", dev, 0)
        .member("dropped", u64, 64)
        .member("work", work_struct, 128)
        .finish()?;
    let proto = b.func_proto(int).param("skb", skb).param("dev", dev).finish()?;
    b.func("veth_xmit", Linkage::Static, proto)?;
    b.finish()
}

/// The module as a file: with its distilled base, and a set of ids.
fn veth_ko(veth: &Distilled) -> Vec<u8> {
    const X86_64: u16 = 62;
    let order = ByteOrder::Little;
    let mut elf = ElfBlob { machine: X86_64, ..ElfBlob::bpf(order) };
    elf.section(".BTF", veth.split.to_bytes(order).unwrap());
    elf.section(".BTF.base", veth.base.to_bytes(order).unwrap());
    let xmit = veth.split.find::<Func<'_>>("veth_xmit").unwrap().id();
    let words = [1, 1, xmit, 0].map(u32::to_le_bytes).concat();
    let ids = elf.section(".BTF_ids", words);
    elf.variable("__BTF_ID__set8__veth_kfunc_ids", ids, 0);
    elf.build()
}

/// The bytes compressed, in whatever way the encoder of this day does it.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn files_in_doc_are_what_is_built_here() {
    let kernel = kernel().unwrap();
    let veth = veth(&kernel).unwrap();
    let distilled = distill(&veth).unwrap();
    let order = ByteOrder::Little;
    let mut files: Vec<(&str, Vec<u8>)> = [
        ("kernel.btf", &kernel),
        ("older.btf", &older().unwrap()),
        ("veth.btf", &veth),
        ("veth.distilled.btf", &distilled.split),
        ("veth.distilled.base.btf", &distilled.base),
    ]
    .map(|(name, btf)| (name, btf.to_bytes(order).unwrap()))
    .into();
    files.push(("probe.bpf.o", fixtures::read(PROBE)));
    files.push(("veth.ko", veth_ko(&distilled)));
    for (name, section) in [("probe.btf", ".BTF"), ("probe.btf.ext", ".BTF.ext")] {
        files.push((name, fixtures::section(PROBE, section).unwrap()));
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let is_renewed = std::env::var_os("BTF_GOLDEN").is_some_and(|value| value == "renew");
    for (name, file) in COPIES {
        let path = crates.join(name).join("doc").join(file);
        let plain = match file.strip_suffix(".gz").unwrap_or(file) {
            "btfhub/debian/12/x86_64/5.10.0-8-amd64.btf" => "older.btf",
            "btfhub/debian/12/x86_64/6.1.0-9-amd64.btf" | "root/boot/vmlinux-6.12.0" => "kernel.btf",
            name => name.rsplit('/').next().unwrap(),
        };
        let (_, bytes) = files.iter().find(|(name, _)| *name == plain).unwrap();
        let is_packed = file.ends_with(".gz");
        if is_renewed {
            fs::write(&path, if is_packed { gzip(bytes) } else { bytes.clone() }).unwrap();
        }
        let found = match is_packed {
            true => BtfFile::open(&path).unwrap().btf_bytes().unwrap().into(),
            false => fs::read(&path).unwrap_or_default(),
        };
        assert!(found == *bytes, "{}: not what is built here", path.display());
    }
}
