//! [`Header`]: contents and format of a header.

use std::{
    fmt::{self, Write as _},
    io,
};

use btf_types::{Btf, Name, Type};

use super::{
    order::has_place,
    printer::{Form, Printer, state, steps},
    sort::Groups,
};
use crate::{Error, TypeRef, output::Bytes, root::Root};

const GUARD: &str = "__VMLINUX_H__";

/// C header with the types of a BTF.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use btf_codegen::c::Header;
/// # let bytes = std::fs::read("doc/socket.btf").unwrap();
/// # let btf = btf_types::Btf::parse(bytes)?;
///
/// let mut text = String::new();
/// Header::new().root("struct sk_buff").preserve_access_index(false).write(&btf, &mut text)?;
/// assert!(text.contains("\nstruct sk_buff {\n\tstruct net_device *dev;\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Header {
    roots: Vec<Root>,
    unsorted: bool,
    own: bool,
    static_asserts: bool,
    no_preserve_access_index: bool,
    guard: Option<String>,
}

impl Header {
    /// Makes a header with all types, sorted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a root type: only root types are written, with the types that they
    /// need. A name stands for all types of this name; `struct NAME`, `union
    /// NAME`, `enum NAME` and `typedef NAME` only for those of the kind.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_codegen::c::Header;
    ///
    /// # let vmlinux = btf_types::Btf::parse(std::fs::read("doc/kernel.btf")?)?;
    /// let mut text = String::new();
    /// Header::new().root("list_head").root("enum skb_drop_reason").write(&vmlinux, &mut text)?;
    /// assert!(text.contains("struct list_head {") && text.contains("SKB_CONSUMED"));
    /// assert!(!text.contains("sk_buff"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn root(mut self, name: impl Into<String>) -> Self {
        self.roots.push(Root::Name(name.into()));
        self
    }

    /// Adds a root type by its id.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_codegen::{btf_types::Struct, c::Header};
    ///
    /// # let vmlinux = btf_types::Btf::parse(std::fs::read("doc/kernel.btf")?)?;
    /// let list_head: Struct<'_> = vmlinux.find("list_head")?;
    /// let mut text = String::new();
    /// Header::new().root_id(list_head.id()).write(&vmlinux, &mut text)?;
    /// assert!(text.contains("struct list_head {") && !text.contains("sk_buff"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn root_id(mut self, id: u32) -> Self {
        self.roots.push(Root::Id(id));
        self
    }

    /// Writes the output of bpftool 7.8 for `format c unsorted`, byte for byte:
    /// types by ascending id, including its faults.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_codegen::c::Header;
    ///
    /// # let vmlinux = btf_types::Btf::parse(std::fs::read("doc/kernel.btf")?)?;
    /// let (mut sorted, mut unsorted) = (String::new(), String::new());
    /// Header::new().write(&vmlinux, &mut sorted)?;
    /// Header::new().unsorted(true).write(&vmlinux, &mut unsorted)?;
    /// assert!(unsorted.find("struct list_head {") < unsorted.find("struct boot_e820_entry {")); // by id
    /// assert_ne!(sorted, unsorted);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn unsorted(mut self, unsorted: bool) -> Self {
        self.unsorted = unsorted;
        self
    }

    /// Omits the types of the base of split BTF: include the header after that
    /// of the base. Structs and unions of the base that are only pointed to are
    /// forward-declared, so that a header that needs nothing else of the base
    /// compiles alone.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_codegen::c::Header;
    ///
    /// # let vmlinux = btf_types::Btf::parse(std::fs::read("doc/kernel.btf")?)?;
    /// let veth = btf_types::Btf::parse_split(std::fs::read("doc/veth.btf")?, &vmlinux)?;
    /// let mut text = String::new();
    /// Header::new().own(true).write(&veth, &mut text)?;
    /// assert!(text.contains("struct veth_priv {") && !text.contains("struct sk_buff {"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn own(mut self, own: bool) -> Self {
        self.own = own;
        self
    }

    /// Adds a `_Static_assert` for the size of each definition and the offset of each
    /// member that is not a bitfield.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_codegen::c::Header;
    ///
    /// # let vmlinux = btf_types::Btf::parse(std::fs::read("doc/kernel.btf")?)?;
    /// let mut text = String::new();
    /// Header::new().root("mm_struct").static_asserts(true).write(&vmlinux, &mut text)?;
    /// assert!(text.contains("_Static_assert(sizeof(struct mm_struct) == 16,"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn static_asserts(mut self, static_asserts: bool) -> Self {
        self.static_asserts = static_asserts;
        self
    }

    /// Sets whether accesses to the types are recorded, so that a loader
    /// relocates them for the running kernel (CO-RE). The default is `true`.
    #[must_use]
    pub fn preserve_access_index(mut self, preserve: bool) -> Self {
        self.no_preserve_access_index = !preserve;
        self
    }

    /// Sets the macro of the include guard. The default is `__VMLINUX_H__`, and
    /// `__VMLINUX_OWN_H__` for [own](Header::own) types.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_codegen::c::Header;
    ///
    /// # let vmlinux = btf_types::Btf::parse(std::fs::read("doc/kernel.btf")?)?;
    /// let mut text = String::new();
    /// Header::new().root("list_head").guard("LIST_H").write(&vmlinux, &mut text)?;
    /// assert!(text.starts_with("#ifndef LIST_H\n#define LIST_H\n"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn guard(mut self, guard: impl Into<String>) -> Self {
        self.guard = Some(guard.into());
        self
    }

    /// Writes the header as text.
    ///
    /// # Errors
    ///
    /// [`Error`] if a root type does not exist, a type cannot be declared in C,
    /// or the text cannot be written. Text that was written before an error
    /// stays.
    pub fn write(&self, btf: &Btf, out: &mut impl fmt::Write) -> Result<(), Error> {
        self.print(btf, out)
    }

    /// Writes the header to a file or any other writer of bytes, in pieces of
    /// about 32 KiB.
    ///
    /// # Errors
    ///
    /// As for [`Header::write`].
    pub fn write_to(&self, btf: &Btf, out: &mut impl io::Write) -> Result<(), Error> {
        Bytes::write(out, |out| self.print(btf, out))
    }

    /// Returns the definition of a single type, without the types that it needs
    /// and without a `;`: a struct, union or enumeration with its members, or a
    /// typedef. For any other kind, returns the declaration.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use btf_codegen::c::Header;
    /// # use btf_types::Struct;
    /// # let bytes = std::fs::read("doc/socket.btf").unwrap();
    /// # let btf = btf_types::Btf::parse(bytes)?;
    /// let text = Header::new().definition(btf.find::<Struct<'_>>("sk_buff")?)?;
    /// assert!(text.starts_with("struct sk_buff {\n"));
    /// assert!(text.ends_with("\n}"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Header::write`].
    pub fn definition<'btf>(&self, ty: impl Into<Type<'btf>>) -> Result<String, Error> {
        self.piece(ty.into(), None)
    }

    /// Returns the declaration of a name with a type, without a `;`: `struct
    /// sk_buff *skb`. Anonymous types are written with their members.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use btf_codegen::c::Header;
    /// # use btf_types::Func;
    /// # let bytes = std::fs::read("doc/socket.btf").unwrap();
    /// # let btf = btf_types::Btf::parse(bytes)?;
    /// let func: Func<'_> = btf.find("kfree_skb_reason")?;
    /// let text = Header::new().declaration(func.proto(), "kfree_skb_reason")?;
    /// assert!(text.starts_with("void kfree_skb_reason(struct sk_buff *skb"), "{text}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Header::write`].
    pub fn declaration<'btf>(&self, ty: impl Into<Type<'btf>>, name: &str) -> Result<String, Error> {
        self.piece(ty.into(), Some(name))
    }

    /// Returns the declaration of a name, or without a name the definition of the type.
    fn piece(&self, ty: Type<'_>, name: Option<&str>) -> Result<String, Error> {
        let Some(btf) = ty.btf() else {
            return Ok(name.map_or_else(|| "void".into(), |name| format!("void {name}")));
        };
        let steps = steps(&btf, self.form());
        let mut piece = Piece { text: String::new(), left: steps.saturating_mul(BYTES_PER_STEP), is_full: false };
        let mut printer = Printer::new(&btf, self.form(), &mut piece);
        let ty = printer.ty(ty.id());
        let result = match name {
            Some(name) => printer.declare(ty, Name::from(name)),
            None => printer.definition(ty),
        };
        match printer.checked(result).and_then(|()| printer.finish()) {
            Err(_) if piece.is_full => Err(Error::TooComplex { ty: TypeRef::from(ty), limit: steps }),
            Err(error) => Err(error),
            Ok(()) => Ok(piece.text),
        }
    }

    fn form(&self) -> Form {
        Form { exact: self.unsorted, static_asserts: self.static_asserts }
    }

    fn print(&self, btf: &Btf, out: &mut dyn fmt::Write) -> Result<(), Error> {
        let roots = Root::all(&self.roots, btf)?;
        let mut printer = Printer::new(btf, self.form(), out);
        let mut layers: Vec<_> = btf.layers().collect();
        layers.reverse();
        if let Some((own, base)) = layers.split_last().filter(|_| self.own && btf.is_split()) {
            // Record which types the header of the base defines, and under which names.
            printer.muted = true;
            printer.expect_all();
            printer.unmarked.extend(base);
            self.all(base, &mut printer)?;
            printer.end_base(own.own_ids().start);
            printer.muted = false;
            layers.drain(..base.len());
        }
        printer.unmarked.extend(&layers);
        let result = self.preamble(&mut printer);
        printer.checked(result)?;
        if self.roots.is_empty() {
            printer.expect_all();
            self.all(&layers, &mut printer)?;
            let result = printer.kfuncs(&layers);
            printer.checked(result)?;
        }
        for ty in roots {
            printer.define(ty)?;
        }
        let result = self.end(&mut printer);
        printer.checked(result)?;
        printer.finish()
    }

    fn all<'btf>(&self, layers: &[&'btf Btf], printer: &mut Printer<'btf, '_>) -> Result<(), Error> {
        if self.unsorted {
            for layer in layers {
                layer.types().filter(|ty| has_place(*ty)).try_for_each(|ty| printer.define(ty))?;
            }
            return Ok(());
        }
        let mut groups = Groups::new(layers);
        while let Some(ids) = groups.next(|id| printer.is(id, state::ORDERED)) {
            ids.into_iter().try_for_each(|id| printer.define_id(id))?;
        }
        Ok(())
    }

    fn preamble(&self, out: &mut Printer<'_, '_>) -> fmt::Result {
        let guard = self.guard.as_deref().unwrap_or(if self.own { "__VMLINUX_OWN_H__" } else { GUARD });
        write!(out, "#ifndef {guard}\n#define {guard}\n\n")?;
        if !self.no_preserve_access_index {
            out.put(concat!(
                "#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n",
                "#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)\n",
                "#endif\n\n",
            ))?;
        }
        out.put(concat!(
            "#ifndef __ksym\n#define __ksym __attribute__((section(\".ksyms\")))\n#endif\n\n",
            "#ifndef __weak\n#define __weak __attribute__((weak))\n#endif\n\n",
            "#ifndef __bpf_fastcall\n",
            "#if __has_attribute(bpf_fastcall)\n",
            "#define __bpf_fastcall __attribute__((bpf_fastcall))\n",
            "#else\n#define __bpf_fastcall\n#endif\n#endif\n\n",
        ))
    }

    fn end(&self, out: &mut Printer<'_, '_>) -> fmt::Result {
        if !self.no_preserve_access_index {
            out.put("#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n#pragma clang attribute pop\n#endif\n\n")?;
        }
        let guard = self.guard.as_deref().unwrap_or(if self.own { "__VMLINUX_OWN_H__" } else { GUARD });
        writeln!(out, "#endif /* {guard} */")
    }
}

/// Maximum number of bytes of a piece per step that it may take. A name is written at each
/// use, and a piece is held in memory.
const BYTES_PER_STEP: u64 = 8;

/// Text of a piece of a header, limited in size.
struct Piece {
    text: String,
    /// Number of bytes that may still be written.
    left: u64,
    is_full: bool,
}

impl fmt::Write for Piece {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.left.checked_sub(text.len() as u64) {
            Some(left) => self.left = left,
            None => {
                self.is_full = true;
                return Err(fmt::Error);
            }
        }
        self.text.push_str(text);
        Ok(())
    }
}
