//! Counts allocations, so that tests can check bounds.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// System allocator that counts allocations per thread.
///
/// To count, a test or benchmark sets it as its `#[global_allocator]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

/// Allocations of a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heap {
    /// Calls that made or grew an allocation.
    pub allocations: u64,
    /// Total number of bytes requested by those calls.
    pub bytes: u64,
    /// Maximum number of bytes allocated at one time, beyond those at the start.
    pub peak: u64,
}

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

/// Runs `work`, and returns its allocations on this thread. (Nothing is
/// counted unless [`CountingAllocator`] is the global allocator.)
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Heap) {
    let (allocations, bytes, live) = (ALLOCATIONS.get(), BYTES.get(), LIVE.get());
    PEAK.set(live);
    let result = work();
    let heap = Heap {
        allocations: ALLOCATIONS.get() - allocations,
        bytes: BYTES.get() - bytes,
        peak: (PEAK.get() - live).unsigned_abs(),
    };
    (result, heap)
}

fn grown(size: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    BYTES.set(BYTES.get() + size as u64);
    LIVE.set(LIVE.get() + size as i64);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

fn shrunk(size: usize) {
    LIVE.set(LIVE.get() - size as i64);
}

#[allow(unsafe_code, reason = "the trait is unsafe to implement")]
// SAFETY: every call is forwarded to the system allocator with unchanged
// arguments; the counters are plain cells without destructors.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller upholds the contract of `System`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // While the bytes are moved, both allocations exist.
        grown(new_size);
        shrunk(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        shrunk(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}
