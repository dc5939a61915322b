//! Prototypes of kfuncs: functions of the kernel that BPF programs may call.
//!
//! Source: `dump_btf_kfuncs` in `tools/bpf/bpftool/btf.c`.

use std::{collections::HashSet, fmt};

use btf_types::{Btf, Func, Name, Type};

use super::{names::is_identifier, printer::Printer};

/// The tag of a kfunc.
const KFUNC: &str = "bpf_kfunc";
/// Tag of a kfunc that preserves registers.
const FASTCALL: &str = "bpf_fastcall";

impl<'btf> Printer<'btf, '_> {
    /// Writes the prototypes of the functions that DECL_TAGs in these layers mark as kfuncs.
    pub(super) fn kfuncs(&mut self, layers: &[&'btf Btf]) -> fmt::Result {
        let (mut kfuncs, mut fastcalls) = (Vec::new(), HashSet::new());
        for layer in layers {
            for ty in layer.types() {
                let Type::DeclTag(tag) = ty else { continue };
                let (Type::Func(func), None) = (tag.target(), tag.component_idx()) else { continue };
                let name = ty.name_start(16);
                if name == KFUNC {
                    kfuncs.push(func);
                } else if name == FASTCALL {
                    fastcalls.insert(func.id());
                }
            }
        }
        kfuncs.sort_by_key(|func| func.name());
        for func in &kfuncs {
            self.declare_for_prototype(func.proto().into())?;
        }
        self.put("\n/* BPF kfuncs */\n#ifndef BPF_NO_KFUNC_PROTOTYPES\n")?;
        let mut last = Name::EMPTY;
        for func in kfuncs {
            self.step()?;
            if self.form.exact || self.is_declarable(func, last)? {
                self.put("extern ")?;
                self.put(if fastcalls.contains(&func.id()) { "__bpf_fastcall " } else { "" })?;
                self.declare(func.proto().into(), func.name())?;
                self.put(" __weak __ksym;\n")?;
            }
            last = func.name();
        }
        self.put("#endif\n\n")
    }

    /// Returns `true` if a function can be declared by its name; otherwise
    /// writes a comment.
    fn is_declarable(&mut self, func: Func<'btf>, last: Name<'btf>) -> Result<bool, fmt::Error> {
        let name = func.name();
        let why = if !is_identifier(name) {
            " is left out: that is no identifier of C"
        } else if name == last {
            " is left out: there are several"
        } else if self.idents.contains(name.as_bytes()) {
            " is left out: a typedef or enumerator has this name"
        } else {
            return Ok(true);
        };
        self.comment(name, why)?;
        self.put("\n")?;
        Ok(false)
    }
}
