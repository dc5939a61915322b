//! BPF tokens: a container without rights of its own loads BTF with one.
//!
//! The container is this test once more, in a user namespace of its own. It
//! opens a BPF file system; who has the rights says what that delegates, and
//! mounts it. Needs root, Linux 6.9 and util-linux' `unshare`.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    env,
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, Stdio},
};

use btf_kernel::{Error, Feature, LoadOptions, LoadedBtf, Token, is_supported, is_supported_with};
use btf_tests::{blob::Blob, skip};
use btf_types::Btf;
use rustix::{
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen},
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
};

/// Set for the test that is the container.
const INSIDE: &str = "BTF_TEST_IN_A_USER_NAMESPACE";

fn send(socket: BorrowedFd<'_>, fd: BorrowedFd<'_>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    sendmsg(socket, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
}

fn receive(socket: BorrowedFd<'_>) -> Option<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::empty()).unwrap();
    control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    })
}

#[test]
fn a_token_lends_the_right_to_load() {
    // Which came with the same version.
    if !matches!(is_supported(Feature::OptionalDatasec), Ok(true)) {
        return skip("needs root, and Linux 6.9");
    }
    let Err(error) = Token::create("/") else { panic!("no BPF file system") };
    assert!(matches!(error, Error::System { .. }), "{error}");
    assert!(matches!(Token::create("/nonexistent"), Err(Error::Io { .. })));
    let (here, there) = UnixStream::pair().unwrap();
    let container = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "inside_of_a_container", "--nocapture"])
        .env(INSIDE, "1")
        .stdin(Stdio::from(OwnedFd::from(there)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(container) = container else {
        return skip("there is no unshare");
    };
    let Some(bpffs) = receive(here.as_fd()) else {
        let output = container.wait_with_output().unwrap();
        return skip(format!("no user namespace: {}", String::from_utf8_lossy(&output.stderr)));
    };
    fsconfig_set_string(bpffs.as_fd(), "delegate_cmds", "any").unwrap();
    fsconfig_create(bpffs.as_fd()).unwrap();
    let mount = fsmount(bpffs.as_fd(), FsMountFlags::empty(), MountAttrFlags::empty()).unwrap();
    send(here.as_fd(), mount.as_fd());
    let output = container.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// Run by the test above, with the other end of its socket as standard input.
#[test]
fn inside_of_a_container() {
    if env::var_os(INSIDE).is_none() {
        return;
    }
    let stdin = std::io::stdin();
    let bpffs = fsopen("bpf", FsOpenFlags::empty()).unwrap();
    send(stdin.as_fd(), bpffs.as_fd());
    let mount = receive(stdin.as_fd()).unwrap();
    let btf = Btf::parse(Blob::new().int().build()).unwrap();
    // Root in here is nobody to the kernel.
    assert!(matches!(LoadedBtf::load(&btf), Err(Error::Permission { .. })));
    assert!(matches!(is_supported(Feature::Float), Err(Error::Permission { .. })));
    let folder = rustix::fs::openat(
        &mount,
        ".",
        rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    );
    let token = Token::of_folder(folder.unwrap().as_fd()).unwrap();
    let loaded = LoadOptions::new().token(token.as_fd()).load(&btf).unwrap();
    assert_eq!(loaded.bytes().unwrap(), btf.as_bytes());
    assert!(is_supported_with(Feature::Float, token.as_fd()).unwrap());
    // It is known now, whoever asks.
    assert!(is_supported(Feature::Float).unwrap());
    let broken = Blob::new().int().int().build();
    let refused = LoadOptions::new().token(token.try_clone().unwrap().as_fd()).load_bytes(&broken[..broken.len() - 1]);
    let Err(Error::Rejected { log, .. }) = refused else { panic!("{refused:?}") };
    assert!(!log.is_empty());
}
