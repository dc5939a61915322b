//! `events [COMMAND]`: runs a command, and prints the programs that this user starts
//! meanwhile. `events --records FILE` prints the records of a file.

#![forbid(unsafe_code)]

use std::{env, error::Error, ffi::CStr, fs};

use btf_events::types::{AsBytes, Plain, event, origin};

#[cfg(feature = "aya")]
mod load;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1);
    match arguments.next() {
        Some(option) if option == "--records" => {
            let records = fs::read(arguments.next().ok_or("no file")?)?;
            records.chunks(size_of::<event>()).try_for_each(print)
        }
        #[cfg(feature = "aya")]
        command => load::run(command.unwrap_or_else(|| "true".into()), print),
        #[cfg(not(feature = "aya"))]
        _ => Err("usage: events --records FILE".into()),
    }
}

/// Prints a record of the ring buffer.
fn print(record: &[u8]) -> Result<()> {
    let event = event::read_from(record).ok_or("a short record")?;
    let name = CStr::from_bytes_until_nul(event.comm.as_bytes())?.to_string_lossy();
    let thread = if event.origin == origin::ORIGIN_MAIN_THREAD { "" } else { ", from a thread" };
    let root = if event.is_root() != 0 { " (root)" } else { "" };
    println!("#{} {name}: process {}, user {}{root}{thread}", event.sequence(), event.tgid, event.uid);
    Ok(())
}
