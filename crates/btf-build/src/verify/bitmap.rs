//! Bitmaps of what is true of elements, made for many elements at a time.

/// Number of elements of a bitmap.
pub(super) const ELEMENTS: usize = 64;

/// Returns a bit for each element, at most [`ELEMENTS`], which is set if something is true
/// of it.
#[inline]
pub(super) fn bitmap<T: Copy>(elements: &[T], is: impl Fn(T) -> bool) -> u64 {
    let mut flags = [0; ELEMENTS];
    for (flag, &element) in flags.iter_mut().zip(elements) {
        *flag = u8::from(is(element));
    }
    flags.as_chunks().0.iter().rev().fold(0, |bitmap, eight| bitmap << 8 | bits(*eight))
}

/// Returns the positions of the bits that are set, in ascending order.
#[inline]
pub(super) fn ones(mut bitmap: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let position = bitmap.checked_ilog2().map(|_| bitmap.trailing_zeros());
        bitmap &= bitmap.wrapping_sub(1);
        position
    })
}

/// Returns the lowest bits of eight bytes, one after the other.
const fn bits(bytes: [u8; 8]) -> u64 {
    // Byte k is moved to bit 56 + k, and no other product gets there.
    u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bits_are_kept() {
        for byte in 0..=u8::MAX {
            let flags = std::array::from_fn(|bit| byte >> bit & 1);
            assert_eq!(bits(flags), u64::from(byte));
        }
    }

    #[test]
    fn positions_are_those_of_the_elements() {
        for elements in [&[][..], &[1], &[0, 1, 1], &[1; 64], &[0; 64]] {
            let expected: Vec<u32> = (0..).zip(elements).filter(|(_, one)| **one == 1).map(|(at, _)| at).collect();
            assert_eq!(ones(bitmap(elements, |element: u8| element == 1)).collect::<Vec<_>>(), expected);
        }
    }
}
