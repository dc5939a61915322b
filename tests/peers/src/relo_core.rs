//! libbpf's own functions for CO-RE, called one relocation at a time.
//!
//! They are not in its public header. They take raw sections, and so work for any
//! kernel's BTF and without privileges, whereas `bpf_object__prepare` needs the
//! running kernel's maps, symbols and capabilities. The declarations are those of
//! `relo_core.h` and `libbpf_internal.h` in libbpf 1.7.

use std::{
    collections::HashMap,
    ffi::{c_char, c_int, c_void},
    ptr::{self, NonNull},
};

use btf_format::{ByteOrder, Instruction, RawBtfExt};
use libbpf_sys as sys;

const MAX_LEVELS: usize = 64;

#[repr(C)]
#[derive(Clone, Copy)]
struct Accessor {
    type_id: u32,
    idx: u32,
    name: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Spec {
    btf: *const sys::btf,
    spec: [Accessor; MAX_LEVELS],
    root_type_id: u32,
    relo_kind: u32,
    len: c_int,
    raw_spec: [c_int; MAX_LEVELS],
    raw_len: c_int,
    bit_offset: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Cand {
    btf: *const sys::btf,
    id: u32,
}

#[repr(C)]
struct CandList {
    cands: *mut Cand,
    len: c_int,
}

/// `struct bpf_core_relo`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Relo {
    /// Offset of the instruction in bytes.
    pub insn_off: u32,
    /// Id of the local type.
    pub type_id: u32,
    /// Offset of the access string in the local strings.
    pub access_str_off: u32,
    /// `enum bpf_core_relo_kind`.
    pub kind: u32,
}

/// `struct bpf_core_relo_res`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Res {
    /// Value for the local types.
    pub orig_val: u64,
    /// Value for the target's types.
    pub new_val: u64,
    /// True if the instruction must be poisoned.
    pub poison: bool,
    /// True if the instruction must contain the local value.
    pub validate: bool,
    /// True if the sizes differ, and the size of the load cannot be adjusted.
    pub fail_memsz_adjust: bool,
    /// Size of the field in the local types, in bytes.
    pub orig_sz: u32,
    /// Type id of the field in the local types.
    pub orig_type_id: u32,
    /// Size of the field in the target's types, in bytes.
    pub new_sz: u32,
    /// Type id of the field in the target's types.
    pub new_type_id: u32,
}

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Insn {
    code: u8,
    regs: u8,
    off: i16,
    imm: i32,
}

unsafe extern "C" {
    fn bpf_core_essential_name_len(name: *const c_char) -> usize;
    fn bpf_core_add_cands(
        local_cand: *mut Cand,
        local_essent_len: usize,
        targ_btf: *const sys::btf,
        targ_btf_name: *const c_char,
        targ_start_id: c_int,
        cands: *mut CandList,
    ) -> c_int;
    fn bpf_core_calc_relo_insn(
        prog_name: *const c_char,
        relo: *const Relo,
        relo_idx: c_int,
        local_btf: *const sys::btf,
        cands: *mut CandList,
        specs_scratch: *mut Spec,
        targ_res: *mut Res,
    ) -> c_int;
    fn bpf_core_patch_insn(
        prog_name: *const c_char,
        insn: *mut Insn,
        insn_idx: c_int,
        relo: *const Relo,
        relo_idx: c_int,
        res: *const Res,
    ) -> c_int;
    fn free(pointer: *mut c_void);
}

/// A `struct btf *`.
pub struct Btf(NonNull<sys::btf>);

impl Drop for Btf {
    fn drop(&mut self) {
        // SAFETY: libbpf returned the pointer, and there is no other owner.
        unsafe { sys::btf__free(self.0.as_ptr()) }
    }
}

impl Btf {
    /// Opens BTF of either byte order, with an optional base, which must outlive
    /// the result.
    pub fn open(bytes: &[u8], base: Option<&Self>) -> Option<Self> {
        let len = u32::try_from(bytes.len()).ok()?;
        // SAFETY: libbpf copies the bytes; a null pointer means no base.
        let btf = unsafe {
            sys::libbpf_set_print(None);
            sys::btf__new_split(bytes.as_ptr().cast(), len, base.map_or(ptr::null_mut(), |base| base.0.as_ptr()))
        };
        NonNull::new(btf).map(Self)
    }

    fn type_count(&self) -> u32 {
        // SAFETY: the BTF is alive.
        unsafe { sys::btf__type_cnt(self.0.as_ptr()) }
    }
}

/// Result of a relocation.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// Values, or the errno.
    pub result: Result<Res, i32>,
    /// Number of remaining candidates.
    pub candidates: u32,
}

/// libbpf's state for one object.
pub struct Object<'a> {
    local: &'a Btf,
    /// BTF of the kernel, or custom BTF, then BTF of the modules.
    targets: Vec<&'a Btf>,
    lists: HashMap<u32, CandList>,
    scratch: Box<[Spec; 3]>,
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        for list in self.lists.values() {
            // SAFETY: libbpf made the list with malloc, or it is null.
            unsafe { free(list.cands.cast()) }
        }
    }
}

impl<'a> Object<'a> {
    /// Creates the state for an object with this BTF and these targets.
    pub fn new(local: &'a Btf, targets: Vec<&'a Btf>) -> Self {
        // SAFETY: all fields are pointers and numbers, for which zero is valid.
        let scratch = Box::new(unsafe { std::mem::zeroed() });
        Self { local, targets, lists: HashMap::new(), scratch }
    }

    /// Resolves a relocation. Previous ones have pruned its candidates.
    pub fn resolve(&mut self, relo: &Relo) -> Answer {
        let (local, targets) = (self.local, &self.targets);
        let list = if relo.kind == kinds::TYPE_ID_LOCAL {
            &mut CandList { cands: ptr::null_mut(), len: 0 }
        } else {
            self.lists.entry(relo.type_id).or_insert_with(|| candidates(local, relo.type_id, targets))
        };
        // SAFETY: the list has `len` elements.
        let before = unsafe { copy(list) };
        let result = calculate(local, relo, list, &mut self.scratch);
        if result.is_err() {
            // On an error, the list may be partly pruned; restore it.
            for (index, cand) in before.iter().enumerate() {
                // SAFETY: the list had as many elements.
                unsafe { *list.cands.add(index) = *cand }
            }
        }
        Answer { result, candidates: list.len as u32 }
    }

    /// Resolves a `lshift_u64` of an object in the other byte order. libbpf
    /// computes the shift for the byte order of the machine that it runs on. From
    /// its left shift, right shift and load size follows the left shift for the
    /// other byte order.
    pub fn resolve_foreign_lshift(&mut self, relo: &Relo) -> Answer {
        let (local, targets) = (self.local, &self.targets);
        let list = self.lists.entry(relo.type_id).or_insert_with(|| candidates(local, relo.type_id, targets));
        // SAFETY: the list has `len` elements.
        let mut all = unsafe { copy(list) };
        let mut ask = |kind: u32, cands: &mut [Cand]| {
            let mut list = CandList { cands: cands.as_mut_ptr(), len: cands.len() as c_int };
            calculate(local, &Relo { kind, ..*relo }, &mut list, &mut self.scratch)
        };
        let mut shift = |cands: &mut [Cand]| {
            let [lshift, rshift, size] =
                [kinds::LSHIFT_U64, kinds::RSHIFT_U64, kinds::BYTE_SIZE].map(|kind| ask(kind, cands));
            let (lshift, rshift, size) = (lshift?, rshift?, size?);
            let other = |lshift: u64, rshift: u64, size: u64| {
                u64::from(64u64.wrapping_sub(8 * size).wrapping_add(rshift).wrapping_sub(lshift) as u32)
            };
            let orig_val = other(lshift.orig_val, rshift.orig_val, size.orig_val);
            let new_val = if lshift.poison { 0 } else { other(lshift.new_val, rshift.new_val, size.new_val) };
            Ok(Res { orig_val, new_val, ..lshift })
        };
        let mut matched = Vec::new();
        let mut results = Vec::new();
        for &cand in &all {
            match shift(&mut [cand]) {
                Ok(res) if res.poison => {}
                Ok(res) => {
                    results.push(res);
                    matched.push(cand);
                }
                Err(errno) => return Answer { result: Err(errno), candidates: all.len() as u32 },
            }
        }
        let result = match results.first() {
            None => shift(&mut []),
            Some(first) if results.iter().all(|res| res.new_val == first.new_val) => Ok(*first),
            Some(_) => Err(22),
        };
        // The existence of a field is ambiguous only if its offset is.
        let result = ask(kinds::FIELD_EXISTS, &mut all).and(result);
        if result.is_ok() && !matched.is_empty() {
            for (index, cand) in matched.iter().enumerate() {
                // SAFETY: there are no more of them than elements of the list.
                unsafe { *list.cands.add(index) = *cand }
            }
            list.len = matched.len() as c_int;
        }
        Answer { result, candidates: list.len as u32 }
    }
}

/// `enum bpf_core_relo_kind`.
mod kinds {
    pub const BYTE_SIZE: u32 = 1;
    pub const FIELD_EXISTS: u32 = 2;
    pub const LSHIFT_U64: u32 = 4;
    pub const RSHIFT_U64: u32 = 5;
    pub const TYPE_ID_LOCAL: u32 = 6;
}

/// Returns the result of a relocation, or the errno.
fn calculate(local: &Btf, relo: &Relo, list: &mut CandList, scratch: &mut [Spec; 3]) -> Result<Res, i32> {
    let mut res = Res::default();
    // SAFETY: the ids exist, the scratch space has three specs, and libbpf only
    // changes the list.
    let error = unsafe {
        let local = local.0.as_ptr();
        bpf_core_calc_relo_insn(c"prog".as_ptr(), relo, 0, local, list, scratch.as_mut_ptr(), &mut res)
    };
    if error == 0 { Ok(res) } else { Err(-error) }
}

/// Returns a copy of the elements of a list.
unsafe fn copy(list: &CandList) -> Vec<Cand> {
    if list.cands.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller guarantees that the list has `len` elements.
    unsafe { std::slice::from_raw_parts(list.cands, list.len as usize).to_vec() }
}

fn candidates(local: &Btf, id: u32, targets: &[&Btf]) -> CandList {
    let mut list = CandList { cands: ptr::null_mut(), len: 0 };
    let mut cand = Cand { btf: local.0.as_ptr(), id };
    let mut start = 1;
    for (number, target) in targets.iter().enumerate() {
        if number == 1 && list.len > 0 {
            break;
        }
        // SAFETY: all BTF is alive, the id exists, and names are C strings.
        unsafe {
            let record = sys::btf__type_by_id(local.0.as_ptr(), id).as_ref().expect("the id exists");
            let name = sys::btf__name_by_offset(local.0.as_ptr(), record.name_off);
            let len = bpf_core_essential_name_len(name);
            let error = bpf_core_add_cands(&mut cand, len, target.0.as_ptr(), c"target".as_ptr(), start, &mut list);
            assert_eq!(error, 0);
        }
        if number == 0 {
            start = target.type_count() as c_int;
        }
    }
    list
}

/// Patches the instruction of a relocation with libbpf; the errno if libbpf rejects
/// it.
///
/// # Panics
///
/// If the section ends before the instruction does.
pub fn patch(code: &mut [u8], order: ByteOrder, relo: &Relo, res: &Res) -> Result<(), i32> {
    let offset = relo.insn_off as usize;
    let native = |insn: Instruction| {
        let [code, regs, off0, off1, imm @ ..] = insn.to_bytes(ByteOrder::NATIVE);
        Insn { code, regs, off: i16::from_ne_bytes([off0, off1]), imm: i32::from_ne_bytes(imm) }
    };
    let read = |at| Instruction::read(code, at, order);
    let first = read(offset).expect("the instruction is there");
    // After the last instruction, zeros do.
    let mut insns = [native(first), native(read(offset + 8).unwrap_or_default())];
    // SAFETY: libbpf reads and writes at most two instructions.
    let error = unsafe { bpf_core_patch_insn(c"prog".as_ptr(), insns.as_mut_ptr(), 0, relo, 0, res) };
    for (number, insn) in insns.iter().enumerate() {
        let [off0, off1] = insn.off.to_ne_bytes();
        let [imm0, imm1, imm2, imm3] = insn.imm.to_ne_bytes();
        let bytes = [insn.code, insn.regs, off0, off1, imm0, imm1, imm2, imm3];
        let _ = Instruction::from_bytes(bytes, ByteOrder::NATIVE).write(code, offset + 8 * number, order);
    }
    if error == 0 { Ok(()) } else { Err(-error) }
}

/// Returns the relocations of `.BTF.ext` in native byte order, each with the offset
/// of the name of its section.
pub fn relos(ext: &[u8]) -> Vec<(u32, Relo)> {
    let raw = RawBtfExt::parse(ext).expect("it is sound");
    let mut relos = Vec::new();
    for block in raw.core_relos() {
        relos.extend(block.records().map(|record| {
            let relo = Relo {
                insn_off: record.insn_off(),
                type_id: record.type_id(),
                access_str_off: record.access_str_off(),
                kind: record.kind(),
            };
            (block.sec_name_off(), relo)
        }));
    }
    relos
}
