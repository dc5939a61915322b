//! Definitions of enumerations.
//!
//! Source: `btf_dump_emit_enum_def` in `tools/lib/bpf/btf_dump.c`.

use std::fmt;

use btf_types::{AnyEnum, EnumValue, Type, View};

use super::printer::Printer;

/// Size in bytes of an enumeration whose values fit in an `int` or `unsigned int`.
const INT: u32 = 4;

impl<'btf> Printer<'btf, '_> {
    /// Writes an enumeration; without values it is a declaration.
    pub(super) fn enumeration(&mut self, ty: Type<'btf>) -> fmt::Result {
        let Some(any) = AnyEnum::of(ty) else { return Ok(()) };
        self.put_real_name(ty)?;
        self.put_tag_name(ty)?;
        let (values, is_signed) = (any.values(), any.is_signed());
        if values.len() == 0 {
            return Ok(());
        }
        self.put(" {")?;
        self.level += 1;
        for value in values {
            self.step()?;
            self.line()?;
            self.put_enumerator(value.name())?;
            self.put(" = ")?;
            // Any value fits in an `i64` or a `u64`.
            match i64::try_from(value.value()) {
                Ok(number) => self.put_number(number)?,
                Err(_) => self.put_number(value.value() as u64)?,
            }
            self.put(match (any.is_enum64(), is_signed) {
                (false, _) => ",",
                (true, true) => "LL,",
                (true, false) => "ULL,",
            })?;
        }
        self.level -= 1;
        self.line()?;
        self.put("}")?;
        match if self.form.exact { self.mode_as_libbpf(any) } else { mode(any, self.btf.pointer_size()) } {
            Some(mode) => {
                self.put(" __attribute__((mode(")?;
                self.put(mode)?;
                self.put(")))")
            }
            None => Ok(()),
        }
    }

    fn mode_as_libbpf(&self, any: AnyEnum<'_>) -> Option<&'static str> {
        let is_wide = any.is_enum64() && any.values().any(|value| value.value() as u64 >> 32 != 0);
        match any.size() {
            1 => Some("byte"),
            8 if self.btf.pointer_size() == 8 && !is_wide => Some("word"),
            _ => None,
        }
    }
}

/// Returns the `mode` attribute that gives an enumeration its size, if it needs one.
fn mode(any: AnyEnum<'_>, pointer_size: u8) -> Option<&'static str> {
    let (mut least, mut most) = (0, 0);
    for value in any.values().map(EnumValue::value) {
        (least, most) = (value.min(least), value.max(most));
    }
    let fits = |range: std::ops::RangeInclusive<i128>| range.contains(&least) && range.contains(&most);
    let needs_64_bits = !fits(i32::MIN.into()..=i32::MAX.into()) && !fits(0..=u32::MAX.into());
    match any.size() {
        1 => Some("byte"),
        2 => Some("HI"),
        INT if !needs_64_bits => None,
        8 if needs_64_bits => None,
        8 if pointer_size == 8 => Some("word"),
        8 => Some("DI"),
        _ => None,
    }
}

/// Returns `true` if C can give an enumeration its size.
pub(super) fn is_definable(any: AnyEnum<'_>) -> bool {
    any.values().len() > 0 && matches!(any.size(), 1 | 2 | 4 | 8)
}
