//! Opening files that may be the running kernel's BTF.

use std::path::Path;

use btf_elf::BtfFile;

use crate::sys;

/// Opens a file that contains BTF, like [`BtfFile::open`], but maps the running
/// kernel's BTF instead of reading it.
///
/// The kernel's BTF is `/sys/kernel/btf/vmlinux`, also behind a symlink or a
/// bind mount. All other files are read: they could change while they are
/// mapped. [`Kernel::running`](crate::Kernel::running) finds that file by
/// itself; this function is for paths that a user gives.
///
/// ```
/// # fn main() -> Result<(), btf_kernel::elf::Error> {
/// use btf_kernel::types::Struct;
///
/// # let path = "doc/root/boot/vmlinux-6.12.0";
/// let file = btf_kernel::open_file(path)?; // "/sys/kernel/btf/vmlinux", "vmlinux-6.12.0"
/// assert_eq!(file.btf()?.find::<Struct<'_>>("sk_buff")?.size(), 56);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of [`BtfFile::open`].
pub fn open_file(path: impl AsRef<Path>) -> Result<BtfFile, btf_elf::Error> {
    let path = path.as_ref();
    let bytes = sys::map_vmlinux_at(path).or_else(|| sys::read_large_btf(path));
    match bytes.map(BtfFile::parse) {
        Some(Ok(file)) => Ok(file),
        _ => BtfFile::open(path),
    }
}
