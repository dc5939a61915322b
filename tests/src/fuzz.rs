//! Bodies of the fuzz targets. They are plain functions, so that `cargo test`
//! can run them on stable with the seeds and with mutations of the fixtures;
//! `tests/fuzz` passes them to the fuzzer.
//!
//! Any input is allowed, and a panic is a finding.

use std::sync::OnceLock;

use btf_elf::{BpfObject, BtfFile, Compression, Elf, Limits};
use btf_format::{
    Assembly, ByteOrder, Data, Header, Layout, RawBtf, RawBtfExt, RawBtfExtMut, Records, RecordsMut, Word, convert,
    convert_ext,
};
use btf_types::{Btf, BtfExt, Collection, Error, Remap, Type};

use crate::{
    blob::Blob, costs, described::Description, headers, judging, making, memory, relocating, rust_types, trimming, walk,
};

/// Defines the binary of a fuzz target, in which allocations are counted.
#[macro_export]
macro_rules! fuzz_target {
    ($target:path) => {
        #[global_allocator]
        static ALLOCATOR: $crate::memory::CountingAllocator = $crate::memory::CountingAllocator;

        libfuzzer_sys::fuzz_target!(|input: &[u8]| $target(input));
    };
}

/// Fuzz target: a name, and the function that is given the input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("open", open),
    ("walk", walk),
    ("swap", swap),
    ("ext", ext),
    ("rewrite", rewrite),
    ("query", query),
    ("split", split),
    ("rebase", rebase),
    ("builder", making::builder),
    ("remake", making::remake),
    ("judge", judging::judge),
    ("elf", elf),
    ("image", image),
    ("decode", decode),
    ("object", object),
    ("relocate", relocating::relocate),
    ("trim", trimming::trim),
    ("c_header", headers::c_header),
    ("rust_types", rust_types::rust_types),
    #[cfg(target_os = "linux")]
    ("os_release", os_release),
    #[cfg(target_os = "linux")]
    ("modules_dep", modules_dep),
    #[cfg(target_os = "linux")]
    ("archive", archive),
    ("described_btf", described_btf),
    ("described_object", described_object),
    ("described_relocations", relocating::described_relocations),
    #[cfg(target_os = "linux")]
    ("described_archive", described_archive),
];

/// Opens the input as BTF without a base and as split BTF, and queries the result.
pub fn open(input: &[u8]) {
    let alone = within("Btf::parse", input.len(), || Btf::parse(input.to_vec()));
    match &alone {
        Ok(btf) => {
            let _ = walk::everything(btf);
            types_within(btf);
            assert!(!btf.is_split());
            let again = within("Btf::to_bytes", input.len(), || btf.to_bytes(btf.byte_order()));
            assert_eq!(again.as_deref(), Ok(input), "opened and written again");
        }
        Err(error) => within("Btf::parse", input.len(), || _ = shown(format_args!("{error} {error:?}"))),
    }
    let len = input.len() + len_of(base());
    match within("Btf::parse_split", len, || Btf::parse_split(input.to_vec(), base())) {
        Ok(split) => {
            let _ = walk::everything(&split);
            types_within(&split);
            assert_eq!(split.own_ids().start, base().type_count());
        }
        Err(error) => within("Btf::parse_split", len, || _ = shown(format_args!("{error} {error:?}"))),
    }
}

/// Walks the raw records and strings, even of BTF that cannot be opened.
pub fn walk(input: &[u8]) {
    if let Ok(raw) = RawBtf::parse(input) {
        within("RawBtf::parse, records", input.len(), || walk_records(&raw));
        let _ = within("Btf::parse", input.len(), || Btf::parse(input.to_vec()));
    }
    // The input as records without a header, too.
    let mut copy = input.to_vec();
    within("RawBtf::parse, records", input.len(), || {
        let shared = Records::new(input, 0, Layout::NONE).take_while(Result::is_ok).count();
        let changed = RecordsMut::new(&mut copy, 0, Layout::NONE)
            .map_while(Result::ok)
            .map(|mut record| record.for_each_field(|_, value| value))
            .count();
        assert_eq!(changed, shared);
    });
    assert_eq!(copy, input, "what was put back changes nothing");
}

/// Walks all records and strings of BTF.
fn walk_records(raw: &RawBtf<'_>) {
    let mut bytes = 0;
    let mut sound = true;
    for record in raw.records() {
        let Ok(record) = record else {
            sound = false;
            break;
        };
        bytes += record.as_bytes().len();
        record.for_each_field(|field, _| assert!(field.at + 4 <= record.as_bytes().len()));
        match record.data() {
            Data::Members(members) => assert_eq!(members.len(), record.head().info().vlen() as usize),
            Data::Params(params) => assert_eq!(params.len(), record.head().info().vlen() as usize),
            _ => {}
        }
    }
    assert!(bytes <= raw.types().len());
    assert!(!sound || bytes == raw.types().len(), "the records use up the section");
    let strings: usize = raw.strings().iter().map(|(_, name)| name.as_bytes().len() + 1).sum();
    assert_eq!(strings, raw.strings().as_bytes().len());
}

/// Converts the input to the other byte order and back.
pub fn swap(input: &[u8]) {
    let Ok(header) = Header::parse(input) else {
        let mut copy = input.to_vec();
        assert!(convert(&mut copy, ByteOrder::Little).is_err());
        assert_eq!(copy, input);
        return;
    };
    let order = header.byte_order();
    let mut copy = input.to_vec();
    assert_eq!(convert(&mut copy, order), Ok(()));
    assert_eq!(copy, input, "nothing to do");
    match within("convert", input.len(), || convert(&mut copy, order.swapped())) {
        Err(_) => assert_eq!(copy, input, "an error changes nothing"),
        Ok(()) => {
            let header = Header::parse(&copy).expect("still a header");
            assert_eq!(header.byte_order(), order.swapped());
            let both = [Btf::parse(input.to_vec()), Btf::parse(copy.clone())];
            if let [Ok(one), Ok(other)] = &both {
                assert_eq!(one.as_bytes(), other.as_bytes());
                assert_eq!(walk::everything(one), walk::everything(other));
            } else {
                assert!(both[0].is_err() && both[1].is_err(), "both open, or neither");
            }
            convert(&mut copy, order).expect("there and back");
            assert_eq!(copy, input);
        }
    }
}

/// Reads the input as `.BTF.ext`, both raw and with the types of [`base`], and
/// converts it to the other byte order and back.
pub fn ext(input: &[u8]) {
    if let Ok(ext) = within("BtfExt", input.len() + len_of(base()), || BtfExt::parse(input.to_vec(), base())) {
        let funcs = ext.func_infos().map(|info| format!("{info:?} {}", info.func().name())).count();
        let lines = ext.line_infos().map(|info| format!("{info:?} {}", info.text())).count();
        let relos = ext.core_relos().map(|relo| format!("{relo:?} {:?}", relo.access().max())).count();
        assert!((funcs + lines + relos) * 8 <= input.len());
    }
    if let Ok(ext) = RawBtfExt::parse(input) {
        let records = ext.func_infos().map(|block| block.records().len()).sum::<usize>()
            + ext.line_infos().flat_map(|block| block.records()).filter(|line| line.line() < 1 << 22).count()
            + ext.core_relos().map(|block| block.records().count()).sum::<usize>();
        assert!(records * 8 <= input.len());
    }
    let mut copy = input.to_vec();
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let before = copy.clone();
        if within("RawBtfExt::parse, convert_ext", copy.len(), || convert_ext(&mut copy, order)).is_err() {
            assert_eq!(copy, before, "an error changes nothing");
        } else if copy != before {
            let mut back = copy.clone();
            convert_ext(&mut back, order.swapped()).expect("there and back");
            assert_eq!(back, before);
        }
    }
}

/// Changes ids and string offsets of the input, as BTF and as `.BTF.ext`, and
/// changes them back.
pub fn rewrite(input: &[u8]) {
    if let Ok(raw) = RawBtf::parse(input) {
        rewrite_records(&raw);
    }
    let mut copy = input.to_vec();
    if let Ok(mut ext) = RawBtfExtMut::parse(&mut copy) {
        let same = |_, _: &mut u32| Ok::<_, ()>(());
        within("RawBtfExt::parse, convert_ext", input.len(), || ext.try_for_each_field(same)).expect("nothing fails");
        assert_eq!(copy, input, "what was put back changes nothing");
    }
    if let Ok(ext) = BtfExt::parse(input.to_vec(), base()) {
        remap_ext(&ext);
    }
}

/// Changes all fields of all records, and changes them back.
fn rewrite_records(raw: &RawBtf<'_>) {
    let mut types = raw.types().to_vec();
    let mut change = |change: fn(u32) -> u32| {
        let mut fields = Vec::new();
        for mut record in RecordsMut::new(&mut types, 0, raw.layout()).map_while(Result::ok) {
            record.for_each_field(|field, value| {
                fields.push((field.holds, value));
                change(value)
            });
        }
        (fields, types.clone())
    };
    let (before, changed) = change(|value| value.wrapping_add(7));
    let (after, restored) = change(|value| value.wrapping_sub(7));
    assert_eq!(restored, raw.types(), "there and back");
    assert!(before.is_empty() || changed != restored);
    assert!(before.iter().map(|&(holds, value)| (holds, value.wrapping_add(7))).eq(after));
    let mut seen = Vec::new();
    for record in raw.records().map_while(Result::ok) {
        record.for_each_field(|field, value| seen.push((field.holds, value)));
        let words: Vec<_> = record.words().collect();
        assert_eq!(words.len() * 4, record.as_bytes().len());
        assert_eq!(words.iter().any(|&(holds, _)| holds == Word::Opaque), record.check_roles().is_err());
    }
    assert_eq!(before, seen, "what is changed is what is seen");
}

/// Remaps the `.BTF.ext` of [`base`] to the moved types, and back.
fn remap_ext(ext: &BtfExt) {
    let (moved, there, back) = moved_base();
    let len = ext.as_bytes().len() + len_of(moved);
    match within("BtfExt", len, || there.remap_ext(ext, moved)) {
        Ok(moved) => {
            let said = |ext: &BtfExt| {
                let funcs = ext.func_infos().map(|info| format!("{info:?} {:?}", info.section()));
                let relos = ext.core_relos().map(|relo| format!("{relo:?} {:?}", relo.section()));
                let lines = ext.line_infos().map(|info| format!("{info:?} {:?}", info.section()));
                funcs.chain(relos).chain(lines).collect::<Vec<_>>()
            };
            assert_eq!(said(&moved), said(ext));
            let restored = back.remap_ext(&moved, base()).expect("there and back");
            assert_eq!(restored.as_bytes(), ext.as_bytes());
        }
        Err(error) => assert!(matches!(error, Error::Format(btf_format::Error::UnknownHeaderData { .. })), "{error}"),
    }
}

/// Returns the types of [`base`] with ids moved up by 3, and the maps there and
/// back.
fn moved_base() -> &'static (Btf, Remap, Remap) {
    static MOVED: OnceLock<(Btf, Remap, Remap)> = OnceLock::new();
    MOVED.get_or_init(|| {
        const SHIFT: u32 = 3;
        let below = Btf::parse(Blob::new().ptr(0).ptr(0).ptr(0).build()).expect("it is sound");
        let raw = RawBtf::parse(base().as_bytes()).expect("it is sound");
        let strings = raw.strings().as_bytes().len() as u32;
        let (mut there, mut back) = (Remap::builder(0, 0), Remap::builder(1 + SHIFT, 1));
        there.push_id(Some(0));
        for id in base().own_ids() {
            there.push_id(Some(id + SHIFT));
            back.push_id(Some(id));
        }
        there.push_strings(0..strings, 1);
        back.push_strings(1..1 + strings, 0);
        // The id of `void` is 0 on both sides.
        let (there, back) = (there.finish(), back.finish());
        let mut types = raw.types().to_vec();
        for record in RecordsMut::new(&mut types, 0, Layout::NONE) {
            record.expect("it is sound").for_each_field(|field, value| {
                let new = if field.holds == Word::Id { there.id(value) } else { there.string(value) };
                new.expect("all of it moves")
            });
        }
        let mut blob = Vec::new();
        let assembly = Assembly::new(&types, raw.strings().as_bytes());
        assembly.write(|part| blob.extend_from_slice(part)).expect("it is small");
        (Btf::parse_split(blob, &below).expect("it is sound"), there, back)
    })
}

/// Opens the input, and makes all queries that may be slow: sizes, alignment,
/// names, paths, walks through the type graph.
pub fn query(input: &[u8]) {
    if let Ok(btf) = Btf::parse(input.to_vec()) {
        types_within(&btf);
        walk::questions(&btf, 40);
        let _ = (btf.find::<Type<'_>>("int"), btf.path("a.b.c"), btf.pointer_size(), btf.is_name_sorted());
    }
}

/// Opens the second part of the input as split BTF on the first; see `halves`.
pub fn split(input: &[u8]) {
    let Some((base, split)) = halves(input) else { return };
    let Ok(base) = Btf::parse(base.to_vec()) else { return };
    if let Ok(split) = within("Btf::parse_split", input.len(), || Btf::parse_split(split.to_vec(), &base)) {
        let _ = walk::everything(&split);
        types_within(&split);
        walk::questions(&split, 20);
        for ty in split.types().take(20) {
            assert!(split.layer_of(ty).is_some_and(|layer| layer.is_same(&split)));
        }
        let mut collection = Collection::new("base", base);
        collection.add("split", split.clone()).expect("it is split from that base");
        for ty in split.types().take(20) {
            let found = collection.find_all::<Type<'_>>(ty.name());
            assert!(ty.name().is_empty() || found.iter().any(|found| found.ty == ty && found.object.name() == "split"));
        }
    }
}

/// Opens the second part of the input as split BTF on the first, a distilled base,
/// and rebases it onto other BTF.
pub fn rebase(input: &[u8]) {
    let Some((distilled, split)) = halves(input) else { return };
    let Ok(distilled) = Btf::parse(distilled.to_vec()) else { return };
    let Ok(split) = Btf::parse_split(split.to_vec(), &distilled) else { return };
    let before = split.as_bytes().to_vec();
    for target in [base(), &distilled] {
        let len = input.len() + target.as_bytes().len();
        if let Ok(rebased) = within("Btf::rebase", len, || split.rebase(target)) {
            assert!(rebased.base().is_some_and(|base| base.is_same(target)));
            assert_eq!(rebased.types().len(), split.types().len());
            let _ = walk::everything(&rebased);
        }
    }
    assert_eq!(split.as_bytes(), before);
}

/// Splits an input in two. Its first two bytes are the length of the first part.
pub(crate) fn halves(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (at, rest) = input.split_first_chunk()?;
    rest.split_at_checked(u16::from_le_bytes(*at).into())
}

/// Joins two inputs for `halves`.
///
/// # Panics
///
/// If the first is too long.
#[must_use]
pub fn pair(first: &[u8], second: &[u8]) -> Vec<u8> {
    let at = u16::try_from(first.len()).expect("the first is short");
    [&at.to_le_bytes(), first, second].concat()
}

/// Returns a small base for split BTF: `int`, a pointer to it, and a function that
/// uses it.
pub fn base() -> &'static Btf {
    static BASE: OnceLock<Btf> = OnceLock::new();
    BASE.get_or_init(|| {
        let mut blob = Blob::new();
        let name = blob.string("f");
        blob.int().ptr(1).record(0, 13, 1, false, 1, &[name, 2]).record(name, 12, 1, false, 3, &[]);
        Btf::parse(blob.build()).expect("it is sound")
    })
}

/// Limits for inputs as small as a fuzzer's.
const LIMITS: Limits = Limits::IMAGE.output(4 << 20).window(1 << 20).ratio(1000);

/// Reads the input as an ELF file, with all its contents.
pub fn elf(input: &[u8]) {
    match bounded("parse", input.len(), || Elf::parse(input.to_vec())) {
        Ok(elf) => {
            elf_within(&elf, decoded_len(&elf, input.len()));
            walk::elf(&elf, input.len());
        }
        Err(error) => {
            let _ = format!("{error} {error:?}");
        }
    }
}

/// Opens the input as a file of any format: raw BTF, ELF, kernel image, compressed.
pub fn image(input: &[u8]) {
    let len = input.len() + LIMITS.max_output() as usize;
    match bounded_payloads("image", len, || BtfFile::options().limits(LIMITS).parse(input.to_vec())) {
        Ok(file) => {
            assert!(!file.layers().is_empty());
            let _ = file.layers().iter().map(ToString::to_string).collect::<Vec<_>>();
            let bytes = bounded("btf_bytes", len, || file.btf_bytes());
            assert!(file.has_btf() || bytes.is_err());
            assert!(bytes.is_ok_and(|bytes| bytes.len() as u64 <= LIMITS.max_output()) || file.btf().is_err());
            let _ = file.split_btf(base());
        }
        Err(error) => {
            let _ = format!("{error} {error:?}");
        }
    }
}

/// Decompresses the input. Its first byte selects the format.
pub fn decode(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else { return };
    let compression = Compression::ALL[usize::from(first) % Compression::ALL.len()];
    match bounded("decode", input.len() + LIMITS.max_output() as usize, || compression.decode(rest, &LIMITS)) {
        Ok(decoded) => assert!(decoded.len() as u64 <= LIMITS.max_output()),
        Err(error) => {
            let _ = format!("{error} {error:?}");
        }
    }
}

/// Reads the input as a BPF object, with all its contents.
pub fn object(input: &[u8]) {
    match bounded_payloads("parse", input.len(), || BpfObject::parse(input.to_vec())) {
        Ok(object) => {
            object_within(&object, decoded_len(object.elf(), input.len()));
            walk::object(&object);
        }
        Err(error) => {
            let _ = format!("{error} {error:?}");
        }
    }
}

/// Reads the input as os-release, then its `ID` written out again.
#[cfg(target_os = "linux")]
pub fn os_release(input: &[u8]) {
    let parsed = within("OsRelease::parse", input.len(), || btf_kernel::OsRelease::parse(input));
    let said = [parsed.id(), parsed.version_id(), parsed.version_codename()];
    assert!(said.iter().flatten().all(|value| !value.is_empty()));
    assert!(parsed.id_like().all(|id| !id.contains(|c: char| c.is_ascii_whitespace())));
    if let Some(id) = parsed.id().filter(|id| !id.contains(['\'', '\n', '\r'])) {
        assert_eq!(btf_kernel::OsRelease::parse(format!("ID='{id}'").as_bytes()).id(), Some(id));
    }
}

/// Reads the input as modules.dep.
#[cfg(target_os = "linux")]
pub fn modules_dep(input: &[u8]) {
    let bytes = within("modules_dep", input.len(), || {
        let paths = btf_kernel::modules_dep(input).inspect(|path| {
            assert!(!path.components().any(|part| part == std::path::Component::ParentDir));
        });
        paths.map(|path| path.as_os_str().len() + 1).sum::<usize>()
    });
    assert!(bytes <= input.len());
}

/// Reads the input as an archive, plain or compressed: lists it, selects from it,
/// and reads the listed kernels.
#[cfg(target_os = "linux")]
pub fn archive(input: &[u8]) {
    use btf_archive::{Archive, Limits, SelectOptions};
    let limits = Limits::default().members(1000).bytes(LIMITS.max_output()).member_bytes(1 << 20).path_bytes(300);
    let Ok(archive) = Archive::parse(input.to_vec()) else { return };
    let archive = archive.with_limits(limits);
    // Compressed contents count with their decompressed size, up to the limit.
    let len = input.len() + LIMITS.max_output() as usize;
    let Ok(listed) = bounded("list", len, || archive.list()) else { return };
    // Paths are relative and normalized: a caller's `join` stays inside.
    let is_inside = |path: &str| path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    for listed in listed.iter().take(20) {
        assert!(is_inside(listed.path()) && is_inside(listed.file()), "{listed:?}");
        let Some(entry) = listed.entry() else { panic!("{listed:?} is a kernel's") };
        let _ = archive.read(listed.file());
        let host = btf_kernel::Host {
            distribution: entry.distribution.into(),
            version: Some(entry.version.into()),
            machine: entry.machine.unwrap_or("x86_64").into(),
            release: entry.release.into(),
            ..btf_kernel::Host::default()
        };
        let options = SelectOptions::new().nearest(true);
        if let Ok(selection) = archive.select_with(&host, &options) {
            assert!(selection.btf().type_count() > 0);
        }
    }
}

/// Maximum number of bytes that a call may allocate: per byte of input, and in addition. The
/// latter is for decoders, which allocate before they read (bzip2's most of all).
const MOST: (usize, u64) = (64, 5 << 20);

/// Runs a call with `len` bytes of input.
///
/// # Panics
///
/// If it allocates more than [`MOST`] allows. (Allocations of this thread are counted
/// if [`memory::CountingAllocator`] is the global allocator.)
pub(crate) fn bounded<T>(what: &str, len: usize, call: impl FnOnce() -> T) -> T {
    bounded_with(what, call, |_| len)
}

/// Maximum number of payloads that are tried in an image.
const PAYLOADS: u64 = 64;

/// Runs a call as [`bounded`] does, with input that may be a kernel image: each payload
/// may need a decoder, one after another.
fn bounded_payloads<T>(what: &str, len: usize, call: impl FnOnce() -> T) -> T {
    let (result, heap) = memory::measure(call);
    let most = (len * MOST.0) as u64 + MOST.1;
    let in_all = most + PAYLOADS * MOST.1;
    assert!(heap.bytes <= in_all && heap.peak <= most, "{what}: {heap:?} for {len} bytes");
    result
}

/// Runs a call as [`bounded`] does. `len` computes the number of bytes read and written
/// from the result.
pub(crate) fn bounded_with<T>(what: &str, call: impl FnOnce() -> T, len: impl FnOnce(&T) -> usize) -> T {
    let (result, heap) = memory::measure(call);
    let len = len(&result);
    let most = (len * MOST.0) as u64 + MOST.1;
    assert!(heap.bytes <= most && heap.peak <= most, "{what}: {heap:?} for {len} bytes");
    result
}

/// Bytes that an entry point which allocates may allocate in addition to its cost per byte:
/// for an error, or for the first elements of a list.
const ANY: u64 = 4 << 10;

/// Runs an entry point with `len` bytes of input.
///
/// # Panics
///
/// If it allocates more than [`costs`] allows, as with [`bounded`].
pub(crate) fn within<T>(entry: &str, len: usize, call: impl FnOnce() -> T) -> T {
    within_with(entry, call, |_| len)
}

/// Runs an entry point as [`within`] does, but allows the constant part of [`MOST`] in
/// addition, for tables.
pub(crate) fn within_tables<T>(entry: &str, len: usize, call: impl FnOnce() -> T) -> T {
    within_tables_with(entry, call, |_| len)
}

/// Runs an entry point as [`within_tables`] does. `len` computes the number of bytes read and
/// written from the result.
pub(crate) fn within_tables_with<T>(entry: &str, call: impl FnOnce() -> T, len: impl FnOnce(&T) -> usize) -> T {
    let (result, heap) = memory::measure(call);
    let (len, cost) = (len(&result), costs::of(entry));
    let most = |cost: u64| len as u64 * cost + MOST.1;
    assert!(heap.bytes <= most(cost.allocated) && heap.peak <= most(cost.held), "{entry}: {heap:?} for {len} bytes");
    result
}

/// Runs an entry point as [`within`] does. `len` computes the number of bytes read and
/// written from the result.
pub(crate) fn within_with<T>(entry: &str, call: impl FnOnce() -> T, len: impl FnOnce(&T) -> usize) -> T {
    let (result, heap) = memory::measure(call);
    let (len, cost) = (len(&result), costs::of(entry));
    let most = |each: u64| if each == 0 { 0 } else { len as u64 * each + ANY };
    let is_within = heap.bytes <= most(cost.allocated) && heap.peak <= most(cost.held);
    assert!(is_within, "{entry}: {heap:?} for {len} bytes, {cost:?} for each");
    result
}

/// Returns the total size in bytes of a BTF and its bases.
pub(crate) fn len_of(btf: &Btf) -> usize {
    btf.layers().map(|layer| layer.as_bytes().len()).sum()
}

/// Writer that only counts bytes.
pub(crate) struct Sink(pub(crate) usize);

impl std::fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// Returns the length of a formatted value, without keeping the text.
pub(crate) fn shown(text: impl std::fmt::Display) -> usize {
    let mut sink = Sink(0);
    let _ = std::fmt::write(&mut sink, format_args!("{text}"));
    sink.0
}

/// Makes BTF from a description, and makes expensive queries of some types.
pub fn described_btf(input: &[u8]) {
    let blob = Description::new(input).btf(0, 1);
    let len = blob.len();
    let Ok(btf) = within("Btf::parse", len, || Btf::parse(blob)) else { return };
    types_within(&btf);
    headers::check(&btf);
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let converted = within("Btf::to_bytes", len, || btf.to_bytes(order)).expect("all kinds are known");
        within("Btf::parse", len, || Btf::parse(converted)).expect("it was sound before");
    }
}

/// Queries types. Each query must cost at most in proportion to the size of their BTF.
fn types_within(btf: &Btf) {
    let len = len_of(btf);
    let first = btf.types().take(16);
    for ty in first.chain(btf.types().rev().take(16)) {
        bounded("Display", len, || shown(ty));
        within_with("Type Debug", || shown(format_args!("{ty:?}")), |text| len + text);
        within("Type::size_of, align_of", len, || _ = (ty.size_of(), ty.align_of(), ty.resolve(), ty.chain().count()));
        within("is_packed, holes", len, || match ty {
            Type::Struct(s) => _ = (s.is_packed(), s.holes().len(), s.padding()),
            Type::Union(u) => _ = (u.is_packed(), u.padding()),
            _ => {}
        });
        within("Type::find_member", len, || _ = ty.find_member("type"));
        for path in ["values.values.values", "[0][0]"] {
            within("Type::path", len + path.len(), || _ = ty.path(path));
        }
        within("Type::post_order", len, || ty.post_order().count());
        within("Type::references", len, || ty.references().count());
        within("decl_tags", len, || ty.decl_tags().count());
        let (name, essential) = (ty.name(), ty.name().essential());
        let len = len + name.as_bytes().len();
        let len_of_all = |all: &Vec<Type<'_>>| len + size_of_val(all.as_slice());
        let all = within_with("Btf::find_all", || btf.find_all::<Type<'_>>(name), len_of_all);
        assert!(name.is_empty() || all.contains(&ty));
        within("Btf::find", len_of_all(&all), || _ = btf.find::<Type<'_>>(name));
        within_with("Btf::find_flavors", || btf.find_flavors::<Type<'_>>(essential), len_of_all);
    }
}

/// Makes a BPF object from a description, and makes all queries.
pub fn described_object(input: &[u8]) {
    let file = Description::new(input).object();
    let len = file.len();
    let object = match bounded("parse", len, || BpfObject::parse(file.clone())) {
        Ok(object) => object,
        Err(error) => {
            bounded("error", len, || shown(format_args!("{error} {error:?}")));
            // It may still be a valid ELF file.
            if let Ok(elf) = bounded("parse", len, || Elf::parse(file)) {
                elf_within(&elf, len);
            }
            return;
        }
    };
    object_within(&object, len);
}

/// Returns the length of a file. Compressed sections add the size that they may always
/// decompress to.
pub(crate) fn decoded_len(elf: &Elf, len: usize) -> usize {
    let is_packed = elf.sections().any(btf_elf::Section::is_compressed);
    len + if is_packed { Limits::RATIO_FROM as usize } else { 0 }
}

/// Queries a BPF object. Each query must cost at most in proportion to its size.
fn object_within(object: &BpfObject, len: usize) {
    elf_within(object.elf(), len);
    bounded("maps", len, || _ = object.maps().map(|maps| maps.len()));
    bounded("ext", len, || _ = object.btf_ext().is_ok());
    bounded("faults", len, || object.datasec_fixups().faults().count());
    for program in object.programs().take(16) {
        bounded("functions", len, || _ = program.functions().map(|functions| functions.len()));
        bounded("instructions", len, || _ = program.instructions().map(|instructions| instructions.len()));
    }
    for section in object.data_sections().take(16) {
        bounded("contents", len, || _ = section.contents());
        bounded("variables", len, || _ = section.variables().map(Iterator::count));
    }
}

/// Queries an ELF file. Each query must cost at most in proportion to its size.
fn elf_within(elf: &Elf, len: usize) {
    for section in elf.sections().take(16) {
        bounded("data", len, || _ = section.data());
        bounded("relocations", len, || _ = section.relocations().map(|relocations| relocations.len()));
    }
    bounded("symbols", len, || _ = elf.symbols().map(Iterator::count));
    bounded("btf_ids", len, || _ = elf.btf_ids());
    if let Ok(btf) = bounded("btf", len, || elf.btf()) {
        bounded("fixup", len, || _ = elf.datasec_fixups(&btf).map(|fixup| fixup.btf_lenient().is_ok()));
    }
}

/// Makes a tar from a description, lists it and selects from it.
#[cfg(target_os = "linux")]
pub fn described_archive(input: &[u8]) {
    use btf_archive::Archive;
    let tar = Description::new(input).tar();
    let len = tar.len();
    let Ok(archive) = Archive::parse(tar) else { return };
    let listed = bounded("list", len, || archive.list()).unwrap_or_default();
    for listed in &listed {
        let path = listed.path();
        assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."), "{listed:?}");
    }
    let releases: Vec<String> =
        listed.iter().take(4).filter_map(|listed| Some(listed.entry()?.release.to_owned())).collect();
    for release in releases.into_iter().chain(["1".to_owned()]) {
        let host = btf_kernel::Host {
            distribution: "debian".into(),
            version: Some("10".into()),
            machine: "x86_64".into(),
            release,
            ..btf_kernel::Host::default()
        };
        bounded("select", len, || _ = archive.select(&host).is_ok());
    }
}
