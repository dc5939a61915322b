//! Access to the counters of `steps.rs`, which only `cargo xtask amplification` links.

use crate::case::Cost;

/// Maximum number of steps of a call. Beyond it, the process exits.
const STEPS: u64 = 2_000_000_000;
/// Maximum number of bytes that a call may hold.
const LIVE: u64 = 400 << 20;

/// Runs `work`, and returns its cost. If it exceeds the limits, the process exits.
#[cfg(counted)]
#[allow(unsafe_code, reason = "the counters are another program's")]
pub(crate) fn count(work: impl FnOnce()) -> Cost {
    #[repr(C)]
    struct Counted {
        steps: u64,
        allocated: u64,
        peak: u64,
    }
    unsafe extern "C" {
        safe fn btf_count_from_here(steps: u64, live: u64);
        safe fn btf_counted() -> Counted;
    }
    btf_count_from_here(STEPS, LIVE);
    work();
    let Counted { steps, allocated, peak } = btf_counted();
    btf_count_from_here(u64::MAX, i64::MAX as u64);
    Cost { steps, allocated, peak }
}

/// Panics, as the counters are not linked.
#[cfg(not(counted))]
pub(crate) fn count(_: impl FnOnce()) -> Cost {
    let _ = (STEPS, LIVE);
    panic!("built without its counters: run `cargo xtask amplification`");
}

/// Returns the reason for which `steps.rs` made a process exit with this code.
pub(crate) fn reason(code: i32) -> Option<&'static str> {
    match code {
        90 => Some("too many steps"),
        91 => Some("over 400 MiB"),
        _ => None,
    }
}
