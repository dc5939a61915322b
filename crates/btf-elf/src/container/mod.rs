//! Files that contain BTF, also compressed or inside kernel images, within
//! limits.

pub(crate) mod btf_file;
pub(crate) mod decode;
pub(crate) mod image;
pub(crate) mod input;
pub(crate) mod layer;
pub(crate) mod limits;
pub(crate) mod options;
mod scan;
