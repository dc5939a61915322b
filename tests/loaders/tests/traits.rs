//! Generated types used through the traits of zerocopy and aya, which they must all
//! implement. The libraries are the real ones.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(confusable_idents, reason = "of names in the derives of zerocopy")]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

include!(concat!(env!("OUT_DIR"), "/traits.rs"));

/// Traits that each type implements.
#[cfg(not(feature = "aya"))]
trait All: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {}
#[cfg(not(feature = "aya"))]
impl<T: FromBytes + IntoBytes + Immutable + KnownLayout + Copy> All for T {}
#[cfg(feature = "aya")]
trait All: FromBytes + IntoBytes + Immutable + KnownLayout + aya::Pod {}
#[cfg(feature = "aya")]
impl<T: FromBytes + IntoBytes + Immutable + KnownLayout + aya::Pod> All for T {}

/// Check of a type, which returns its size.
type Check = fn() -> usize;

/// Reads a value from bytes and writes it. Returns its size.
fn check<T: All>() -> usize {
    let bytes: Vec<u8> = (1..=u8::MAX).cycle().take(size_of::<T>()).collect();
    let mut value = T::read_from_bytes(&bytes).unwrap();
    assert_eq!(value.as_bytes(), bytes);
    value.as_mut_bytes().reverse();
    assert!(value.as_bytes().iter().rev().eq(&bytes));
    assert!(T::ref_from_bytes(value.as_bytes()).is_ok());
    assert!(size_of::<T>() == 0 || T::read_from_bytes(&[]).is_err());
    bytes.len()
}

#[test]
fn all_types_are_bytes() {
    let mut empty = 0;
    for (name, check) in ALL {
        let size = check();
        empty += usize::from(size == 0);
        assert!(size < 10_000, "{name}: {size}");
    }
    assert!(ALL.len() > 200 && empty < 40, "{}, {empty}", ALL.len());
}

#[test]
fn values_are_those_of_the_machine() {
    // `struct wide_second { u32 a; u64 b; }` in several layouts.
    let bytes: [u8; 16] = std::array::from_fn(|index| index as u8);
    let b = if cfg!(target_endian = "little") { 0x0f0e_0d0c_0b0a_0908 } else { 0x0809_0a0b_0c0d_0e0f };
    #[cfg(target_endian = "little")]
    {
        assert_eq!(x86_64::wide_second::read_from_bytes(&bytes).unwrap().b, b);
        let i686 = i686::wide_second::read_from_bytes(bytes.get(..12).unwrap()).unwrap();
        assert_eq!(i686.b.get(), 0x0b0a_0908_0706_0504);
        let s390x = s390x::wide_second::read_from_bytes(&bytes).unwrap();
        assert_eq!((s390x.a.get(), s390x.b.get()), (0x0001_0203, b.swap_bytes()));
    }
    #[cfg(target_endian = "big")]
    assert_eq!(s390x::wide_second::read_from_bytes(&bytes).unwrap().b, b);
}
