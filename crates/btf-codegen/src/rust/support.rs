//! Support items at the end of the generated code, on which its types are built.

use btf_types::ByteOrder;

use super::{Traits, generator::Generator, traits::ZEROCOPY};

/// Support items that the generated code uses.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) ptr: bool,
    pub(super) fn_ptr: bool,
    pub(super) boolean: bool,
    pub(super) int128: bool,
    pub(super) align4: bool,
    pub(super) foreign: bool,
    pub(super) read_at: bool,
    pub(super) write_at: bool,
    pub(super) bits: bool,
    pub(super) wide_bits: bool,
}

impl Generator<'_, '_> {
    /// Writes the items that are used.
    pub(super) fn support(&mut self) {
        let (is_big, pointer_size) = (self.btf.byte_order() == ByteOrder::Big, self.btf.pointer_size());
        let order = if is_big { "Be" } else { "Le" };
        let swap = if is_big { "be" } else { "le" };
        let integer = if pointer_size == 8 { "u64" } else { "u32" };
        let pointer_bits = if pointer_size == 8 { "64" } else { "32" };
        let (field, from, to) = match self.foreign() {
            Some(order) => (
                format!("{order}<{integer}>"),
                format!("{order}(addr.to_{swap}())"),
                if is_big { "self.0.0.to_be()" } else { "self.0.0.to_le()" },
            ),
            None => (integer.to_owned(), "addr".to_owned(), "self.0"),
        };
        self.used.foreign |= self.foreign().is_some() && (self.used.ptr || self.used.fn_ptr);
        self.support_text(PLAIN, &[]);
        let of_pointer = [("INTEGER", integer), ("FIELD", &field), ("FROM", &from), ("TO", to), ("BITS", pointer_bits)];
        if self.used.ptr {
            self.support_text(PTR, &of_pointer);
            self.support_text(ADDRESS, &[&of_pointer[..], &[("NAME", "Ptr")]].concat());
        }
        if self.used.fn_ptr {
            self.support_text(FN_PTR, &of_pointer);
            self.support_text(ADDRESS, &[&of_pointer[..], &[("NAME", "FnPtr")]].concat());
        }
        if self.used.boolean {
            self.support_text(BOOL, &[]);
        }
        if self.used.int128 {
            for (name, integer) in [("U128", "u128"), ("I128", "i128")] {
                self.support_text(INT128, &[("NAME", name), ("INTEGER", integer), ("SWAP", swap)]);
            }
        }
        if self.used.align4 {
            self.support_text(ALIGN4, &[]);
        }
        if self.used.foreign {
            self.support_text(
                FOREIGN,
                &[("NAME", order), ("SWAP", swap), ("ORDER", if is_big { "big" } else { "little" })],
            );
        }
        if self.used.read_at {
            self.support_text(READ_AT, &[]);
        }
        if self.used.write_at {
            self.support_text(WRITE_AT, &[]);
        }
        for (is_used, suffix, size) in [(self.used.bits, "", "64"), (self.used.wide_bits, "_wide", "128")] {
            if is_used {
                let text = if is_big { BITS_BIG } else { BITS_LITTLE };
                self.support_text(text, &[("WIDE", suffix), ("SIZE", size)]);
                self.support_text(SIGNED_BITS, &[("WIDE", suffix), ("SIZE", size)]);
            }
        }
        // No blank line before the end.
        self.text.truncate(self.text.trim_end().len());
        self.put("\n");
    }

    /// Writes one of the templates below, with `$NAME` placeholders replaced.
    fn support_text(&mut self, text: &str, replace: &[(&str, &str)]) {
        let zerocopy = match self.form.implements.contains(&Traits::Zerocopy) {
            true => ZEROCOPY,
            false => "",
        };
        let mut text = text.replace("    $DERIVES\n", zerocopy);
        for (name, with) in replace {
            text = text.replace(&format!("${name}"), with);
        }
        self.put(&text);
        self.put("\n");
    }
}

const PLAIN: &str = r#"    /// A type of which any bytes are a value.
    ///
    /// # Safety
    ///
    /// Any bytes are a value of the type.
    pub unsafe trait Plain: Copy {
        /// The value that consists of zeros.
        #[must_use]
        fn zeroed() -> Self {
            // SAFETY: any bytes are a value.
            unsafe { ::core::mem::zeroed() }
        }

        /// A copy of the value at the start of some bytes; `None` if there are too few.
        #[must_use]
        fn read_from(bytes: &[u8]) -> Option<Self> {
            let bytes = bytes.get(..::core::mem::size_of::<Self>())?;
            // SAFETY: the bytes are as many as the type has, and any are a value.
            Some(unsafe { ::core::ptr::read_unaligned(bytes.as_ptr().cast()) })
        }

        /// The value at the start of some bytes; `None` if there are too few, or they
        /// are not aligned as the type is.
        #[must_use]
        fn ref_from(bytes: &[u8]) -> Option<&Self> {
            let bytes = bytes.get(..::core::mem::size_of::<Self>())?;
            let value = bytes.as_ptr().cast::<Self>();
            // SAFETY: the bytes are as many as the type has, any are a value, and they
            // are aligned.
            if value.is_aligned() { Some(unsafe { &*value }) } else { None }
        }
    }

    /// A type all of whose bytes are initialized.
    ///
    /// # Safety
    ///
    /// The type has no padding.
    pub unsafe trait AsBytes: Plain {
        /// The bytes of the value.
        #[must_use]
        fn as_bytes(&self) -> &[u8] {
            let start = ::core::ptr::from_ref(self).cast();
            // SAFETY: all bytes of a value are initialized.
            unsafe { ::core::slice::from_raw_parts(start, ::core::mem::size_of::<Self>()) }
        }

        /// The value at the start of some bytes, to be changed; `None` if there are too
        /// few, or they are not aligned as the type is.
        #[must_use]
        fn mut_from(bytes: &mut [u8]) -> Option<&mut Self> {
            let bytes = bytes.get_mut(..::core::mem::size_of::<Self>())?;
            let value = bytes.as_mut_ptr().cast::<Self>();
            // SAFETY: the bytes are as many as the type has, any are a value, all bytes
            // of a value are initialized, and they are aligned.
            if value.is_aligned() { Some(unsafe { &mut *value }) } else { None }
        }
    }

    macro_rules! plain {
        ($($ty:ty)*) => {$(
            unsafe impl Plain for $ty {}
            unsafe impl AsBytes for $ty {}
        )*};
    }

    plain! { u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 }

    unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}
    unsafe impl<T: AsBytes, const N: usize> AsBytes for [T; N] {}
"#;

const PTR: &str = r#"    /// The address of a `T` in the memory of the machine that the value is from.
    #[repr(transparent)]
    $DERIVES
    pub struct Ptr<T>($FIELD, ::core::marker::PhantomData<fn() -> T>);

    impl<T> Ptr<T> {
        /// The address as a pointer, for code that runs where the `T` is.
        #[cfg(target_pointer_width = "$BITS")]
        #[must_use]
        pub fn as_ptr(self) -> *mut T {
            self.addr() as *mut T
        }
    }
"#;

const FN_PTR: &str = r#"    /// The address of a function in the memory of the machine that the value is from.
    #[repr(transparent)]
    $DERIVES
    pub struct FnPtr<T>($FIELD, ::core::marker::PhantomData<fn() -> T>);
"#;

const ADDRESS: &str = r#"    impl<T> $NAME<T> {
        /// The pointer with an address.
        #[must_use]
        pub const fn new(addr: $INTEGER) -> Self {
            Self($FROM, ::core::marker::PhantomData)
        }

        /// The address.
        #[must_use]
        pub const fn addr(self) -> $INTEGER {
            $TO
        }

        /// Returns `true` if the address is 0.
        #[must_use]
        pub const fn is_null(self) -> bool {
            self.addr() == 0
        }
    }

    impl<T> Clone for $NAME<T> {
        fn clone(&self) -> Self {
            *self
        }
    }

    impl<T> Copy for $NAME<T> {}

    impl<T> PartialEq for $NAME<T> {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    impl<T> Eq for $NAME<T> {}

    impl<T> Default for $NAME<T> {
        fn default() -> Self {
            Self::zeroed()
        }
    }

    impl<T> ::core::fmt::Debug for $NAME<T> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            write!(f, "{:#x}", self.addr())
        }
    }

    unsafe impl<T> Plain for $NAME<T> {}
    unsafe impl<T> AsBytes for $NAME<T> {}
"#;

const BOOL: &str = r#"    /// A boolean as C has it: any byte but 0 is `true`.
    #[repr(transparent)]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
    $DERIVES
    pub struct Bool(pub u8);

    impl Bool {
        /// The boolean of a value.
        #[must_use]
        pub const fn new(value: bool) -> Self {
            Self(value as u8)
        }

        /// The value.
        #[must_use]
        pub const fn get(self) -> bool {
            self.0 != 0
        }

        /// Sets the value.
        pub const fn set(&mut self, value: bool) {
            self.0 = value as u8;
        }
    }

    plain! { Bool }
"#;

const INT128: &str = r#"    /// An integer of 16 bytes, which machines align differently.
    #[repr(C)]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
    $DERIVES
    pub struct $NAME([u64; 2]);

    impl $NAME {
        /// The integer of a value.
        #[must_use]
        pub const fn new(value: $INTEGER) -> Self {
            // SAFETY: any bytes are a value of both.
            Self(unsafe { ::core::mem::transmute::<[u8; 16], [u64; 2]>(value.to_$SWAP_bytes()) })
        }

        /// The value.
        #[must_use]
        pub const fn get(self) -> $INTEGER {
            // SAFETY: any bytes are a value of both.
            $INTEGER::from_$SWAP_bytes(unsafe { ::core::mem::transmute::<[u64; 2], [u8; 16]>(self.0) })
        }

        /// Sets the value.
        pub const fn set(&mut self, value: $INTEGER) {
            *self = Self::new(value);
        }
    }

    impl ::core::fmt::Debug for $NAME {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            self.get().fmt(f)
        }
    }

    plain! { $NAME }
"#;

const ALIGN4: &str = r#"    /// A value of 8 bytes that is aligned to 4 on all machines.
    #[repr(C, packed(4))]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
    $DERIVES
    pub struct Align4<T: Copy>(T);

    impl<T: Copy> Align4<T> {
        /// Aligns a value.
        #[must_use]
        pub const fn new(value: T) -> Self {
            Self(value)
        }

        /// The value.
        #[must_use]
        pub const fn get(self) -> T {
            self.0
        }

        /// Sets the value.
        pub const fn set(&mut self, value: T) {
            self.0 = value;
        }
    }

    impl<T: Copy + ::core::fmt::Debug> ::core::fmt::Debug for Align4<T> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            self.get().fmt(f)
        }
    }

    unsafe impl<T: Plain> Plain for Align4<T> {}
    unsafe impl<T: AsBytes> AsBytes for Align4<T> {}
"#;

const FOREIGN: &str = r#"    /// A scalar in $ORDER-endian byte order.
    #[repr(transparent)]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
    $DERIVES
    pub struct $NAME<T>(T);

    impl<T: Swap> $NAME<T> {
        /// The scalar of a value.
        #[must_use]
        pub fn new(value: T) -> Self {
            Self(value.swap())
        }

        /// The value.
        #[must_use]
        pub fn get(self) -> T {
            self.0.swap()
        }

        /// Sets the value.
        pub fn set(&mut self, value: T) {
            self.0 = value.swap();
        }
    }

    impl<T: Swap + ::core::fmt::Debug> ::core::fmt::Debug for $NAME<T> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            self.get().fmt(f)
        }
    }

    unsafe impl<T: Plain> Plain for $NAME<T> {}
    unsafe impl<T: AsBytes> AsBytes for $NAME<T> {}

    /// A scalar that has a byte order.
    pub trait Swap: Copy {
        /// From the byte order of this machine to $ORDER-endian, or back.
        #[must_use]
        fn swap(self) -> Self;
    }

    macro_rules! swap {
        ($($ty:ty)*) => {$(
            impl Swap for $ty {
                fn swap(self) -> Self {
                    self.to_$SWAP()
                }
            }
        )*};
    }

    swap! { u16 u32 u64 i16 i32 i64 }

    impl Swap for f32 {
        fn swap(self) -> Self {
            Self::from_bits(self.to_bits().to_$SWAP())
        }
    }

    impl Swap for f64 {
        fn swap(self) -> Self {
            Self::from_bits(self.to_bits().to_$SWAP())
        }
    }
"#;

const READ_AT: &str = r#"    /// The value at an offset of some bytes.
    #[inline]
    fn read_at<T: Plain>(bytes: &[u8], at: usize) -> T {
        let bytes = &bytes[at..at + ::core::mem::size_of::<T>()];
        // SAFETY: the bytes are as many as the type has, and any are a value.
        unsafe { ::core::ptr::read_unaligned(bytes.as_ptr().cast()) }
    }
"#;

const WRITE_AT: &str = r#"    /// Writes a value at an offset of some bytes.
    #[inline]
    fn write_at<T: AsBytes>(bytes: &mut [u8], at: usize, value: T) {
        bytes[at..at + ::core::mem::size_of::<T>()].copy_from_slice(value.as_bytes());
    }
"#;

const BITS_LITTLE: &str = r#"    /// So many bits of some bytes, from one bit on, least significant ones first.
    #[inline]
    fn get_bits$WIDE(bytes: &[u8], at: usize, width: usize) -> u$SIZE {
        let (mut value, mut done) = (0, 0);
        while done < width {
            let (byte, skip) = ((at + done) / 8, (at + done) % 8);
            let taken = (8 - skip).min(width - done);
            let part = bytes[byte] >> skip & (0xff >> (8 - taken));
            value |= u$SIZE::from(part) << done;
            done += taken;
        }
        value
    }

    /// Sets so many bits of some bytes, from one bit on, least significant ones first.
    #[inline]
    fn set_bits$WIDE(bytes: &mut [u8], at: usize, width: usize, value: u$SIZE) {
        let mut done = 0;
        while done < width {
            let (byte, skip) = ((at + done) / 8, (at + done) % 8);
            let taken = (8 - skip).min(width - done);
            let mask = (0xff >> (8 - taken)) << skip;
            let part = ((value >> done) as u8) << skip;
            bytes[byte] = bytes[byte] & !mask | part & mask;
            done += taken;
        }
    }
"#;

const BITS_BIG: &str = r#"    /// So many bits of some bytes, from one bit on, most significant ones first.
    #[inline]
    fn get_bits$WIDE(bytes: &[u8], at: usize, width: usize) -> u$SIZE {
        let (mut value, mut done) = (0, 0);
        while done < width {
            let (byte, skip) = ((at + done) / 8, (at + done) % 8);
            let taken = (8 - skip).min(width - done);
            let part = bytes[byte] >> (8 - skip - taken) & (0xff >> (8 - taken));
            value |= u$SIZE::from(part) << (width - done - taken);
            done += taken;
        }
        value
    }

    /// Sets so many bits of some bytes, from one bit on, most significant ones first.
    #[inline]
    fn set_bits$WIDE(bytes: &mut [u8], at: usize, width: usize, value: u$SIZE) {
        let mut done = 0;
        while done < width {
            let (byte, skip) = ((at + done) / 8, (at + done) % 8);
            let taken = (8 - skip).min(width - done);
            let shift = 8 - skip - taken;
            let mask = (0xff >> (8 - taken)) << shift;
            let part = ((value >> (width - done - taken)) as u8) << shift;
            bytes[byte] = bytes[byte] & !mask | part & mask;
            done += taken;
        }
    }
"#;

const SIGNED_BITS: &str = r#"    /// So many bits of some bytes, the most significant one of which is the sign.
    #[inline]
    fn get_signed_bits$WIDE(bytes: &[u8], at: usize, width: usize) -> i$SIZE {
        let unused = $SIZE - width;
        ((get_bits$WIDE(bytes, at, width) << unused) as i$SIZE) >> unused
    }
"#;
