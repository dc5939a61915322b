//! Opens BTF without the standard library: were it needed by btf-format or
//! btf-types, there would be two panic handlers and this would not build.
//! Exit status 0: all is as it should be.

#![no_std]
#![no_main]

extern crate alloc;

use core::{
    alloc::{GlobalAlloc, Layout},
    ffi::{c_char, c_int, c_void},
    panic::PanicInfo,
};

use btf_types::{Btf, Type};

#[link(name = "c")]
unsafe extern "C" {
    fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    fn free(ptr: *mut c_void);
    fn abort() -> !;
}

struct Libc;

// SAFETY: aligned_alloc returns null or memory of that size and alignment; the
// size is made a multiple of the alignment, as C wants it.
unsafe impl GlobalAlloc for Libc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any alignment of a layout is a power of two.
        unsafe { aligned_alloc(layout.align(), layout.pad_to_align().size()).cast() }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, _: Layout) {
        // SAFETY: it came from aligned_alloc.
        unsafe { free(ptr.cast()) }
    }
}

#[global_allocator]
static ALLOCATOR: Libc = Libc;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: nothing is asked of the caller.
    unsafe { abort() }
}

/// Function that the compiled `alloc` refers to, and calls only where panics unwind.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    static POINT: &[u8] = include_bytes!("../../../crates/btf-types/doc/point.btf");
    let Ok(btf) = Btf::parse(POINT) else { return 1 };
    match btf.type_by_id(2) {
        Ok(Type::Struct(point)) if point.name() == "point" && point.members().len() == 2 => 0,
        _ => 2,
    }
}
