//! Shapes of archives: tars and their contents.

use btf_elf::Compression;
use tar::{Builder, EntryType, Header};

use super::{Shape, shapes};
use crate::{blob::Blob, packed};

/// Shapes of tars, plain or compressed.
pub const TARS: &[Shape] = shapes![
    many_kernels,
    many_releases_of_one_version,
    links_to_a_folder_of_files,
    links_in_a_row,
    links_that_double,
    links_to_one_file,
    links_of_long_paths,
    long_paths,
    deep_folders,
    empty_members,
    one_file_many_times,
    a_kernel_of_many_files * 32,
    kernels_of_zeros * KERNELS_OF_ZEROS,
    kernels_of_tars * 3,
    a_kernel_of_many_files_in_gzip * 32,
    kernels_of_zeros_in_gzip * KERNELS_OF_ZEROS,
    kernels_of_tars_of_zeros_in_gzip * KERNELS_OF_ZEROS,
    a_kernel_in_many_tars * 16,
    extended_headers,
    other_files,
    zeros_in_gzip * ZEROS,
    zeros_in_xz * ZEROS,
    zeros_in_zstd * ZEROS,
    zeros_in_bzip2 * ZEROS,
    zeros_in_lz4 * ZEROS,
];

/// Ratio of the decompressed to the requested size of a tar of zeros.
const ZEROS: usize = 64;
/// Ratio for an archive of kernels, each of 256 KiB in a member of 1,024 bytes.
const KERNELS_OF_ZEROS: usize = 256;

/// Returns minimal BTF.
fn btf() -> Vec<u8> {
    Blob::new().int().build()
}

fn archive(fill: impl FnOnce(&mut Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    fill(&mut builder);
    builder.into_inner().expect("memory can be written to")
}

fn file(builder: &mut Builder<Vec<u8>>, path: &str, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, path, bytes).expect("memory can be written to");
}

fn link(builder: &mut Builder<Vec<u8>>, path: &str, target: &str) {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, path, target).expect("memory can be written to");
}

fn many_kernels(size: usize) -> Vec<u8> {
    let btf = btf();
    archive(|tar| {
        for at in 0..size / 1024 {
            file(tar, &format!("debian/{}/x86_64/5.{at}.0.btf", at % 16), &btf);
        }
    })
}

fn many_releases_of_one_version(size: usize) -> Vec<u8> {
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        for at in 0..size / 512 {
            file(tar, &format!("debian/10/x86_64/5.10.0-{at}.btf"), &[]);
        }
    })
}

/// Makes as many links as files, so that the number of paths is their product.
fn links_to_a_folder_of_files(size: usize) -> Vec<u8> {
    let count = size / 1024;
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        (0..count).for_each(|at| file(tar, &format!("debian/10/x86_64/5.10.0-{at}.btf"), &[]));
        (0..count).for_each(|at| link(tar, &format!("debian/a{at}"), "10"));
    })
}

fn links_in_a_row(size: usize) -> Vec<u8> {
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        link(tar, "debian/a0", "10");
        (1..size / 512).for_each(|at| link(tar, &format!("debian/a{at}"), &format!("a{}", at - 1)));
    })
}

/// Makes a chain of folders, each with two links to the next, and files in the last.
fn links_that_double(size: usize) -> Vec<u8> {
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        (0..size / 1024).for_each(|at| file(tar, &format!("last/1/x86_64/5.{at}.btf"), &[]));
        for level in 0..size / 1024 {
            let next = if level + 1 == size / 1024 { "../last/1".to_owned() } else { format!("../d{}", level + 1) };
            link(tar, &format!("d{level}/a"), &next);
            link(tar, &format!("d{level}/b"), &next);
        }
    })
}

fn links_to_one_file(size: usize) -> Vec<u8> {
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        (0..size / 512).for_each(|at| link(tar, &format!("debian/10/x86_64/5.{at}.btf"), "4.19.0-1.btf"));
    })
}

fn links_of_long_paths(size: usize) -> Vec<u8> {
    let long = "x/".repeat(1000);
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        (0..size / 6000).for_each(|at| link(tar, &format!("{long}{at}"), &long));
    })
}

fn long_paths(size: usize) -> Vec<u8> {
    let long = "x".repeat(2000);
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        (0..size / 3584).for_each(|at| file(tar, &format!("{long}/10/x86_64/5.{at}.btf"), &[]));
    })
}

fn deep_folders(size: usize) -> Vec<u8> {
    let deep = "a/".repeat(1000);
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        (0..size / 3584).for_each(|at| file(tar, &format!("{deep}{at}/10/x86_64/5.btf"), &[]));
    })
}

fn empty_members(size: usize) -> Vec<u8> {
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        (0..size / 512).for_each(|at| file(tar, &format!("{at}"), &[]));
    })
}

fn one_file_many_times(size: usize) -> Vec<u8> {
    let btf = btf();
    archive(|tar| (0..size / 1024).for_each(|_| file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf)))
}

/// Packs a kernel as btfhub does, but together with a great many other files.
fn a_kernel_of_many_files(size: usize) -> Vec<u8> {
    let kernel = archive(|tar| {
        file(tar, "4.19.0-1.btf", &btf());
        (0..size / 16).for_each(|at| file(tar, &format!("m{at}.btf"), &[]));
    });
    archive(|tar| file(tar, "debian/10/x86_64/4.19.0-1.btf.tar.xz", &packed::encode(Compression::Xz, &kernel)))
}

/// Makes kernels, each of which decompresses to two thousand times its size.
fn kernels_of_zeros(size: usize) -> Vec<u8> {
    let kernel = packed::zeros(Compression::Xz, 256 << 10);
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        for at in 0..size / kernel.len().next_multiple_of(1024) {
            file(tar, &format!("debian/{at}/x86_64/4.19.0-1.btf.xz"), &kernel);
        }
    })
}

/// Packs kernels as btfhub does, each in a separate tar.
fn kernels_of_tars(size: usize) -> Vec<u8> {
    archive(|tar| {
        for at in 0..size / 1024 {
            let kernel = archive(|tar| file(tar, &format!("4.19.0-{at}.btf"), &btf()));
            let packed = packed::encode(Compression::Xz, &kernel);
            file(tar, &format!("debian/10/x86_64/4.19.0-{at}.btf.tar.xz"), &packed);
        }
    })
}

/// Makes tars for the same kernel, each of which contains it many times.
fn a_kernel_in_many_tars(size: usize) -> Vec<u8> {
    let kernel = archive(|tar| (0..16).for_each(|_| file(tar, "4.19.0-1.btf", &btf())));
    let packed = packed::encode(Compression::Xz, &kernel);
    archive(|tar| (0..size / 1024).for_each(|_| file(tar, "debian/10/x86_64/4.19.0-1.btf.tar.xz", &packed)))
}

fn in_gzip(tar: &[u8]) -> Vec<u8> {
    packed::encode(Compression::Gzip, tar)
}

fn a_kernel_of_many_files_in_gzip(size: usize) -> Vec<u8> {
    in_gzip(&a_kernel_of_many_files(size))
}

fn kernels_of_zeros_in_gzip(size: usize) -> Vec<u8> {
    in_gzip(&kernels_of_zeros(size))
}

/// Makes compressed tars with 256 KiB of zeros each, in a tar that is compressed again.
fn kernels_of_tars_of_zeros_in_gzip(size: usize) -> Vec<u8> {
    let kernel = archive(|tar| {
        file(tar, "4.19.0-1.btf", &btf());
        file(tar, "other", &vec![0; 256 << 10]);
    });
    let kernel = packed::encode(Compression::Xz, &kernel);
    in_gzip(&archive(|tar| {
        for at in 0..size / kernel.len().next_multiple_of(1024) {
            file(tar, &format!("debian/{at}/x86_64/4.19.0-1.btf.tar.xz"), &kernel);
        }
    }))
}

/// Makes members that each follow a PAX header with many records.
fn extended_headers(size: usize) -> Vec<u8> {
    let records = b"12 path=abc\n".repeat(40);
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        for at in 0..size / 1536 {
            let mut header = Header::new_ustar();
            header.set_entry_type(EntryType::XHeader);
            header.set_size(records.len() as u64);
            tar.append_data(&mut header, format!("h{at}"), records.as_slice()).expect("memory can be written to");
            file(tar, &format!("debian/10/x86_64/5.{at}.btf"), &[]);
        }
    })
}

fn other_files(size: usize) -> Vec<u8> {
    archive(|tar| {
        file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf());
        file(tar, "README", &b"x".repeat(size));
    })
}

/// Makes a compressed tar of a kernel and a member of zeros.
fn zeros(compression: Compression, size: usize) -> Vec<u8> {
    use std::io::Read;
    let start = archive(|tar| file(tar, "debian/10/x86_64/4.19.0-1.btf", &btf()));
    let end = start.len() - 1024;
    let mut header = Header::new_gnu();
    let zeros = (size * ZEROS) as u64;
    header.set_size(zeros);
    header.set_path("README").expect("it is short");
    header.set_cksum();
    let whole = (&start[..end]).chain(header.as_bytes().as_slice()).chain(std::io::repeat(0).take(zeros + 1024));
    packed::encode_reader(compression, whole)
}

fn zeros_in_gzip(size: usize) -> Vec<u8> {
    zeros(Compression::Gzip, size)
}

fn zeros_in_xz(size: usize) -> Vec<u8> {
    zeros(Compression::Xz, size)
}

fn zeros_in_zstd(size: usize) -> Vec<u8> {
    zeros(Compression::Zstd, size)
}

fn zeros_in_bzip2(size: usize) -> Vec<u8> {
    zeros(Compression::Bzip2, size)
}

fn zeros_in_lz4(size: usize) -> Vec<u8> {
    zeros(Compression::Lz4, size)
}
