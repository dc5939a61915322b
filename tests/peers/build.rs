//! Lets one program answer libbpf's questions about the kernel.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_PEERS_C").is_some() {
        println!("cargo:rustc-link-arg-bin=libbpf-sanitizes=-Wl,--wrap=feat_supported");
    }
}
