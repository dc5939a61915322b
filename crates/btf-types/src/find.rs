//! Queries by name.

use alloc::vec::Vec;
use core::ops::ControlFlow;

#[cfg(feature = "regex")]
use crate::Type;
use crate::{Btf, Error, Name, View, layer::Layer, names::Sought};

/// Maximum length of a name that is matched, in bytes. A million types may
/// share a name of megabytes.
#[cfg(feature = "regex")]
const LONGEST: usize = 4096;

/// Returns the name of a type; empty if it is too long to be matched.
#[cfg(feature = "regex")]
#[inline]
fn short_name(ty: Type<'_>) -> Name<'_> {
    let Some(handle) = ty.handle() else { return Name::EMPTY };
    let tail = handle.btf.string_at(handle.record().name_off());
    let tail = tail.get(..=LONGEST).unwrap_or(tail);
    let end = memchr::memchr(0, tail).unwrap_or(0);
    Name::new(tail.get(..end).unwrap_or_default())
}

impl Btf {
    /// Finds the type of this name and kind in the nearest layer: an own type,
    /// else one of the base.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Error, Func, Struct, Type};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let sk_buff: Struct<'_> = vmlinux.find("sk_buff")?;
    /// assert_eq!(sk_buff.size(), 56);
    /// let any_kind: Type<'_> = vmlinux.find("sk_buff")?;
    /// assert_eq!(any_kind, sk_buff.into());
    /// assert!(matches!(vmlinux.find::<Func<'_>>("sk_buff"), Err(Error::NoSuchName { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Anonymous types are not found by an empty name. [`Btf::types`] includes
    /// them, and [`Btf::find_enumerator`] finds an enumeration by its values.
    ///
    /// Cost: tens of nanoseconds. The first query by name makes an index and
    /// keeps it: one for functions, and one for all other types. For a kernel's
    /// BTF, both together take less than a millisecond and half a megabyte.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchName`]; [`Error::Ambiguous`] if several are in the
    /// nearest layer that has any.
    pub fn find<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Result<K, Error> {
        let name = name.as_ref();
        let mut sought = Sought::new(name);
        for layer in self.layer().layers() {
            let (mut first, mut second) = (None, None);
            layer.named(&mut sought, K::KINDS, |handle| match (handle.view::<K>(), &first) {
                (None, _) => ControlFlow::Continue(()),
                (found, None) => {
                    first = found;
                    ControlFlow::Continue(())
                }
                (found, Some(_)) => {
                    second = found;
                    ControlFlow::Break(())
                }
            });
            match (first, second) {
                (Some(found), None) => return Ok(found),
                (Some(_), Some(_)) => {
                    let mut ids = Vec::new();
                    layer.each_named::<K>(&mut sought, |found| ids.push(found.into().id()));
                    return Err(Error::Ambiguous { name: name.into(), kinds: K::KINDS, ids });
                }
                (None, _) => {}
            }
        }
        Err(Error::NoSuchName { name: name.into(), kinds: K::KINDS })
    }

    /// Finds the type of this name and kind with the lowest id, in the base
    /// before own types: libbpf's answer (`btf__find_by_name_kind`).
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Enum, Struct};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// assert_eq!(vmlinux.find_first::<Struct<'_>>("sk_buff").unwrap().id(), 17);
    /// assert!(vmlinux.find_first::<Enum<'_>>("sk_buff").is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn find_first<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Option<K> {
        let mut sought = Sought::new(name.as_ref());
        let mut found = None;
        // The lowest layer is visited last, so the last match has the lowest
        // id.
        for layer in self.layer().layers() {
            found = layer.first_named(&mut sought).or(found);
        }
        found
    }

    /// Finds the own type of this name and kind with the lowest id.
    pub(crate) fn find_first_own<'btf, K: View<'btf>>(&'btf self, name: &[u8]) -> Option<K> {
        self.layer().first_named(&mut Sought::new(name))
    }

    /// Finds all types of this name and kind: own types, then those of the
    /// base, each by ascending id. [`Btf::layer_of`] returns the owner of each.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Type};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// # let veth = Btf::parse_split(std::fs::read("doc/veth.btf").unwrap(), &vmlinux)?;
    /// let found: Vec<Type<'_>> = veth.find_all("sk_buff");
    /// assert_eq!(found.len(), 1);
    /// assert!(veth.layer_of(found[0]).unwrap().is_same(&vmlinux));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn find_all<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Vec<K> {
        let (mut sought, mut all) = (Sought::new(name.as_ref()), Vec::new());
        for layer in self.layer().layers() {
            layer.add_named(&mut sought, &mut all);
        }
        all
    }

    /// Finds all own types of this name and kind, by ascending id.
    #[must_use]
    pub fn find_own<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Vec<K> {
        let mut all = Vec::new();
        self.layer().add_named(&mut Sought::new(name.as_ref()), &mut all);
        all
    }

    /// Finds all types with this essential name, by which CO-RE matches: `foo`
    /// finds `foo`, `foo___v2` and `foo___old`. In the order of
    /// [`Btf::find_all`].
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, BtfExt, Struct};
    ///
    /// # let btf = Btf::parse(std::fs::read("doc/probe.btf").unwrap())?;
    /// # let ext = BtfExt::parse(std::fs::read("doc/probe.btf.ext").unwrap(), &btf)?;
    /// let flavors: Vec<Struct<'_>> = btf.find_flavors("task_struct");
    /// let names: Vec<_> = flavors.iter().map(|s| s.name().to_string()).collect();
    /// assert_eq!(names, ["task_struct", "task_struct___old"]);
    /// assert_eq!(flavors[1].name().essential(), "task_struct");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cost: at most that of two calls of [`Btf::find_all`]. The first call for
    /// each layer searches the strings for names with a flavor, and indexes
    /// them.
    #[must_use]
    pub fn find_flavors<'btf, K: View<'btf>>(&'btf self, essential: impl AsRef<[u8]>) -> Vec<K> {
        let (mut essential, mut all) = (Sought::new(essential.as_ref()), Vec::new());
        for layer in self.layer().layers() {
            layer.add_flavors(&mut essential, &mut all);
        }
        all
    }

    /// Finds all own types with this essential name, by ascending id.
    #[must_use]
    pub fn find_own_flavors<'btf, K: View<'btf>>(&'btf self, essential: impl AsRef<[u8]>) -> Vec<K> {
        let mut all = Vec::new();
        self.layer().add_flavors(&mut Sought::new(essential.as_ref()), &mut all);
        all
    }

    /// Finds all types of any kind whose name matches a regular expression: own
    /// types, then those of the base, each by ascending id. Names of more than
    /// 4,096 bytes are skipped: kernels allow at most 512.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::Btf;
    /// use regex::bytes::Regex;
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let kfuncs = Regex::new("^bpf_task_").unwrap();
    /// let names: Vec<_> = vmlinux.find_matching(&kfuncs).map(|ty| ty.name().to_string()).collect();
    /// assert_eq!(names, ["bpf_task_acquire", "bpf_task_release"]);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "regex")]
    pub fn find_matching<'btf>(&'btf self, regex: &regex::bytes::Regex) -> impl Iterator<Item = Type<'btf>> {
        // Long names are matched once for each string offset, however many
        // types share them.
        let mut known = alloc::collections::BTreeMap::new();
        self.layers().flat_map(Btf::types).filter(move |ty| {
            let name = short_name(*ty);
            let is_match = || regex.is_match(name.as_bytes());
            match name.as_bytes().len() {
                0 => false,
                1..=64 => is_match(),
                _ => *known.entry(name.as_bytes().as_ptr() as usize).or_insert_with(is_match),
            }
        })
    }

    /// Returns `true` if the own types are sorted by name, as in kernels since
    /// 7.0. The file does not record it: the first call tests all names.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::Btf;
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let names: Vec<_> = vmlinux.types().map(|ty| ty.name()).filter(|name| !name.is_empty()).collect();
    /// assert_eq!(vmlinux.is_name_sorted(), names.is_sorted());
    /// assert!(!vmlinux.is_name_sorted()); // `int` comes before `char`
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_name_sorted(&self) -> bool {
        self.layer().is_sorted()
    }
}

impl Layer {
    fn each_named<'btf, K: View<'btf>>(&'btf self, sought: &mut Sought<'_>, mut each: impl FnMut(K)) {
        self.named(sought, K::KINDS, |handle| {
            if let Some(found) = handle.view() {
                each(found);
            }
            ControlFlow::Continue(())
        });
    }

    /// Returns the own type of this name with the lowest id.
    fn first_named<'btf, K: View<'btf>>(&'btf self, sought: &mut Sought<'_>) -> Option<K> {
        let mut first = None;
        self.named(sought, K::KINDS, |handle| {
            first = handle.view();
            if first.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        first
    }

    /// Adds the own types of this name, by ascending id.
    fn add_named<'btf, K: View<'btf>>(&'btf self, sought: &mut Sought<'_>, all: &mut Vec<K>) {
        let many = self.many_named(sought.name, K::KINDS);
        if all.is_empty() {
            all.reserve_exact(many);
        } else {
            all.reserve(many);
        }
        self.each_named(sought, |found| all.push(found));
    }

    /// Adds the own types with this essential name, by ascending id.
    pub(crate) fn add_flavors<'btf, K: View<'btf>>(&'btf self, essential: &mut Sought<'_>, all: &mut Vec<K>) {
        let first = all.len();
        if Name::new(essential.name).flavor().is_none() {
            self.add_named(essential, all);
        }
        let plain = all.len();
        self.flavored(essential, K::KINDS, |handle| all.extend(handle.view::<K>()));
        if first < plain && plain < all.len() {
            let by_id = |found: &K| (*found).into().id();
            all.get_mut(first..).unwrap_or_default().sort_unstable_by_key(by_id);
        }
    }
}
