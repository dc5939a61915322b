//! Spelling of types in Rust, where they are used.

use btf_types::{AnyEnum, ByteOrder, FuncProto, Type, View};

use super::{
    generator::Generator,
    layout::Writing,
    names::Ident,
    scalar::{Plain, Scalar},
};
use crate::Error;

impl<'btf> Generator<'btf, '_> {
    /// Writes a type that is used by value, and has a known size.
    pub(super) fn put_value_type(&mut self, ty: Type<'btf>, writing: Writing, hops: u32) -> Result<(), Error> {
        let hops = self.hop(ty, hops)?;
        let lowers = writing == Writing::Lowered;
        match ty {
            Type::Array(array) => {
                self.put("[");
                self.put_value_type(array.element(), writing, hops)?;
                self.put("; ");
                self.put_number(array.nelems());
                self.put("]");
            }
            Type::Typedef(typedef) => {
                let is_array = matches!(ty.peel_modifiers(), Type::Array(_));
                if (lowers && is_array) || !self.put_wrapped_name(ty, lowers) {
                    self.put_value_type(typedef.target(), writing, hops)?;
                }
            }
            _ if ty.is_modifier() => {
                self.put_value_type(ty.target().unwrap_or(Type::Void), writing, hops)?;
            }
            Type::Enum(_) | Type::Enum64(_) => {
                self.put_wrapped_name(ty, lowers);
            }
            Type::Int(_) | Type::Float(_) if lowers => {
                self.used.align4 = true;
                self.put("Align4<");
                self.put_scalar(ty);
                self.put(">");
            }
            Type::Int(_) | Type::Float(_) => self.put_scalar(ty),
            Type::Ptr(ptr) => self.put_pointer(ptr.target(), hops)?,
            _ => {
                self.put_name(ty);
            }
        }
        Ok(())
    }

    /// Writes the name of a type, wrapped in `Align4` if it `lowers`. Returns `false` if the type
    /// has none.
    fn put_wrapped_name(&mut self, ty: Type<'btf>, lowers: bool) -> bool {
        if self.names.get(ty.id()).is_none() {
            return false;
        }
        if lowers {
            self.used.align4 = true;
            self.put("Align4<");
        }
        self.put_name(ty);
        self.put(if lowers { ">" } else { "" });
        true
    }

    /// Writes the name of a type. Returns `false` if it has none.
    pub(super) fn put_name(&mut self, ty: Type<'btf>) -> bool {
        let Some(name) = self.names.get(ty.id()) else { return false };
        if super::names::is_keyword(name) {
            self.text.push_str("r#");
        }
        self.text.push_str(name);
        true
    }

    /// Returns the name of a type as written in the generated code.
    pub(super) fn name_of(&self, ty: Type<'btf>) -> String {
        Ident(self.names.get(ty.id()).unwrap_or_default()).to_string()
    }

    /// Writes a pointer to a type.
    fn put_pointer(&mut self, target: Type<'btf>, hops: u32) -> Result<(), Error> {
        if matches!(target.peel_modifiers(), Type::FuncProto(_)) {
            self.used.fn_ptr = true;
            self.put("FnPtr<");
        } else {
            self.used.ptr = true;
            self.put("Ptr<");
        }
        self.put_any_type(target, hops)?;
        self.put(">");
        Ok(())
    }

    /// Writes a type whose size need not be known: that of a pointee, a parameter or a
    /// typedef.
    pub(super) fn put_any_type(&mut self, ty: Type<'btf>, hops: u32) -> Result<(), Error> {
        let hops = self.hop(ty, hops)?;
        match ty {
            Type::Array(array) => {
                self.put("[");
                self.put_any_type(array.element(), hops)?;
                self.put("; ");
                self.put_number(array.nelems());
                self.put("]");
            }
            Type::Int(_) | Type::Float(_) => self.put_scalar(ty),
            Type::Ptr(ptr) => self.put_pointer(ptr.target(), hops)?,
            Type::FuncProto(proto) => self.put_function(proto, hops)?,
            _ if self.put_name(ty) => {}
            _ if ty.is_modifier() => self.put_any_type(ty.target().unwrap_or(Type::Void), hops)?,
            _ => self.put("::core::ffi::c_void"),
        }
        Ok(())
    }

    fn put_function(&mut self, proto: FuncProto<'btf>, hops: u32) -> Result<(), Error> {
        self.put("unsafe extern \"C\" fn(");
        let count = proto.params().len();
        for (index, param) in proto.params().enumerate() {
            self.step()?;
            // Before C23, `()` leaves the parameters unspecified.
            if count == 1 && param.is_vararg() {
                break;
            }
            self.put(if index > 0 { ", " } else { "" });
            if index + 1 == count && param.is_vararg() {
                self.put("...");
            } else {
                self.put_any_type(param.ty(), hops)?;
            }
        }
        self.put(")");
        if !matches!(proto.return_type().peel_modifiers(), Type::Void) {
            self.put(" -> ");
            self.put_any_type(proto.return_type(), hops)?;
        }
        Ok(())
    }

    /// Writes an integer or float.
    fn put_scalar(&mut self, ty: Type<'btf>) {
        let scalar = match ty {
            Type::Int(int) => Scalar::of_int(int),
            Type::Float(float) => Scalar::of_float(float),
            _ => return,
        };
        match scalar {
            Scalar::Plain(plain) => self.put_plain(plain),
            Scalar::Bool => {
                self.used.boolean = true;
                self.put("Bool");
            }
            Scalar::Wide { is_signed } => {
                self.used.int128 = true;
                self.put(if is_signed { "I128" } else { "U128" });
            }
            Scalar::Bytes(size) => self.put_bytes(size.into()),
        }
    }

    pub(super) fn put_bytes(&mut self, size: u64) {
        self.put("[u8; ");
        self.put_number(size);
        self.put("]");
    }

    /// Writes a scalar, in the byte order of the BTF.
    pub(super) fn put_plain(&mut self, plain: Plain) {
        match self.foreign().filter(|_| plain.size() > 1) {
            Some(order) => {
                self.used.foreign = true;
                self.put(order);
                self.put("<");
                self.put(plain.as_str());
                self.put(">");
            }
            None => self.put(plain.as_str()),
        }
    }

    /// Returns the wrapper of scalars, if the byte order of the BTF is not that of the code.
    pub(super) fn foreign(&self) -> Option<&'static str> {
        match self.btf.byte_order() {
            order if order == self.form.byte_order => None,
            ByteOrder::Little => Some("Le"),
            ByteOrder::Big => Some("Be"),
        }
    }

    /// Returns the integer of an enumeration, and its wrapper if it is in the other byte order;
    /// `None` if Rust has no such integer.
    pub(super) fn enum_integer(&self, ty: Type<'btf>) -> Option<(Plain, Option<&'static str>)> {
        match Scalar::of_enum(AnyEnum::of(ty)?) {
            Scalar::Plain(plain) => Some((plain, self.foreign().filter(|_| plain.size() > 1))),
            _ => None,
        }
    }
}
