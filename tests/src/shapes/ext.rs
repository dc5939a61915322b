//! Shapes of `.BTF.ext`, each preceded by its BTF.

use super::Shape;
use crate::blob::Blob;

/// Shapes of BTF with its `.BTF.ext`.
pub const PAIRS: &[Shape] = &[
    Shape::new("blocks_of_one_name", blocks_of_one_name),
    Shape::new("records_of_one_block", records_of_one_block),
    Shape::new("lines_of_one_text", lines_of_one_text),
    Shape::new("relocations_of_one_access_string", relocations_of_one_access_string),
];

const FUNC: u8 = 12;
const FUNC_PROTO: u8 = 13;

/// Returns a `.BTF.ext` of three sections, each given by its record size and the
/// words that follow. A section without words is left out.
pub(crate) fn ext(sections: [(u32, Vec<u32>); 3]) -> Vec<u8> {
    const HEADER: u32 = 32;
    let mut words = Vec::new();
    let mut places = Vec::new();
    for (size, contents) in sections {
        let start = words.len();
        if !contents.is_empty() {
            words.push(size);
            words.extend(contents);
        }
        places.extend([start as u32 * 4, (words.len() - start) as u32 * 4]);
    }
    let mut blob = Vec::new();
    blob.extend(0xeb9fu16.to_ne_bytes());
    blob.extend([1, 0]);
    blob.extend([HEADER].iter().chain(&places).chain(&words).flat_map(|word| word.to_ne_bytes()));
    blob
}

/// Returns BTF with a function (id 3), an access string at [`ACCESS`] and a name of
/// `len` bytes at [`NAME`].
fn btf(len: usize) -> Vec<u8> {
    let mut blob = Blob::new();
    blob.string(["0", &":1".repeat(20)].concat());
    blob.string("n".repeat(len));
    blob.int();
    let name = blob.string("f");
    blob.record(0, FUNC_PROTO, 0, false, 1, &[]).record(name, FUNC, 1, false, 2, &[]);
    blob.build()
}

const ACCESS: u32 = 1;
const NAME: u32 = ACCESS + 42;
const FUNCTION: u32 = 3;

pub(crate) fn blocks_of_one_name(size: usize) -> Vec<Vec<u8>> {
    let count = size / 2 / (3 * 20);
    let funcs = [NAME, 1, 0, FUNCTION].repeat(count);
    let lines = [NAME, 1, 0, NAME, NAME, 1 << 10].repeat(count);
    let relos = [NAME, 1, 0, 1, ACCESS, 0].repeat(count);
    vec![btf(size / 2), ext([(8, funcs), (16, lines), (16, relos)])]
}

fn one_block(record: &[u32], count: usize) -> Vec<u32> {
    [&[NAME, count as u32], record.repeat(count).as_slice()].concat()
}

fn records_of_one_block(size: usize) -> Vec<Vec<u8>> {
    let count = size / 40;
    let records = [
        (8, one_block(&[0, FUNCTION], count)),
        (16, one_block(&[0, NAME, NAME, 0], count)),
        (16, one_block(&[0, 1, ACCESS, 0], count)),
    ];
    vec![btf(6), ext(records)]
}

fn lines_of_one_text(size: usize) -> Vec<Vec<u8>> {
    let lines = one_block(&[0, NAME, NAME, 1 << 10], size / 2 / 16);
    vec![btf(size / 2), ext([(8, vec![NAME, 1, 0, FUNCTION]), (16, lines), (16, vec![NAME, 1, 0, 1, ACCESS, 0])])]
}

fn relocations_of_one_access_string(size: usize) -> Vec<Vec<u8>> {
    let relos = one_block(&[0, 1, ACCESS, 0], size / 2 / 16);
    let lines = vec![NAME, 1, 0, NAME, NAME, 0];
    vec![btf(size / 2), ext([(8, vec![NAME, 1, 0, FUNCTION]), (16, lines), (16, relos)])]
}
