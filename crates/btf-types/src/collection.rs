//! Collections: a base and any number of split BTFs on it, queried together.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

use core::{
    hash::{Hash, Hasher},
    iter, slice,
};

use crate::{Btf, Error, Type, View, layer::Layer, names::Sought};

/// BTF of a kernel and of modules on it, queried together.
///
/// The ids of all modules begin where those of the base end, so that an id
/// means different types in each. A result therefore comes with the object that
/// owns it. The base is the first object.
///
/// ```
/// # fn main() -> Result<(), btf_types::Error> {
/// use btf_types::{Btf, Collection, Func, Struct};
///
/// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
/// # let veth = Btf::parse_split(std::fs::read("doc/veth.btf").unwrap(), &vmlinux)?;
/// let mut kernel = Collection::new("vmlinux", vmlinux);
/// kernel.add("veth", veth)?;
///
/// let xmit = kernel.find::<Func<'_>>("veth_xmit")?;
/// assert_eq!((xmit.object.name(), xmit.ty.params().len()), ("veth", 2));
/// let skb = kernel.find::<Struct<'_>>("sk_buff")?;
/// assert_eq!((skb.object.name(), skb.ty.size()), ("vmlinux", 56));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Collection {
    base: Object,
    modules: Vec<Object>,
    /// Indices of the objects, from 0 for the base, by name and by address of
    /// the layer.
    by_name: BTreeMap<Box<str>, usize>,
    by_layer: BTreeMap<usize, usize>,
}

/// One BTF of a [`Collection`], with its name.
#[derive(Debug, Clone)]
pub struct Object {
    name: Box<str>,
    btf: Btf,
}

impl Object {
    /// Name under which the object was added.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// BTF whose own types are the object's.
    #[must_use]
    pub fn btf(&self) -> &Btf {
        &self.btf
    }
}

/// Equal if it is the same BTF under the same name.
impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.btf.is_same(&other.btf) && self.name == other.name
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        address(self.btf.layer()).hash(state);
        self.name.hash(state);
    }
}

/// Type with the object that owns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Found<'btf, K> {
    /// The object.
    pub object: &'btf Object,
    /// The type.
    pub ty: K,
}

impl Collection {
    /// Makes a collection of a base, under a name such as `vmlinux`.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, base: Btf) -> Self {
        let name = name.into();
        Self {
            modules: Vec::new(),
            by_name: BTreeMap::from([(name.clone(), 0)]),
            by_layer: BTreeMap::from([(address(base.layer()), 0)]),
            base: Object { name, btf: base },
        }
    }

    /// Adds split BTF under a name.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Collection, Error};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// # let veth = Btf::parse_split(std::fs::read("doc/veth.btf").unwrap(), &vmlinux)?;
    /// let mut kernel = Collection::new("vmlinux", vmlinux);
    /// kernel.add("veth", veth.clone())?;
    /// assert!(matches!(kernel.add("veth", veth), Err(Error::NameTaken { .. })));
    /// # let stranger = Btf::parse(std::fs::read("doc/point.btf").unwrap())?;
    /// assert!(matches!(kernel.add("point", stranger), Err(Error::NotOfCollection { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotOfCollection`] if it was not opened with this base (a clone,
    /// not an equal one); [`Error::NameTaken`].
    pub fn add(&mut self, name: impl Into<Box<str>>, btf: Btf) -> Result<(), Error> {
        let name = name.into();
        if !btf.base().is_some_and(|base| base.is_same(self.base())) {
            return Err(Error::NotOfCollection { name });
        }
        if self.get(&name).is_some() {
            return Err(Error::NameTaken { name });
        }
        let number = self.modules.len() + 1;
        self.by_name.insert(name.clone(), number);
        self.by_layer.entry(address(btf.layer())).or_insert(number);
        self.modules.push(Object { name, btf });
        Ok(())
    }

    /// The base.
    #[must_use]
    pub fn base(&self) -> &Btf {
        &self.base.btf
    }

    /// Iterates over the objects: the base first, then in the order of
    /// [`Collection::add`].
    pub fn objects(&self) -> Objects<'_> {
        Objects(iter::once(&self.base).chain(&self.modules))
    }

    /// Returns the object with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Object> {
        self.object(*self.by_name.get(name)?)
    }

    /// Returns the object that owns a type; `None` for `void`, and for a type
    /// of another BTF.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Collection, Func};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// # let veth = Btf::parse_split(std::fs::read("doc/veth.btf").unwrap(), &vmlinux)?;
    /// let mut kernel = Collection::new("vmlinux", vmlinux);
    /// kernel.add("veth", veth)?;
    /// let xmit = kernel.find_first::<Func<'_>>("veth_xmit").unwrap().ty;
    /// let dev = xmit.params().nth(1).unwrap().ty().target().unwrap();
    /// assert_eq!(kernel.object_of(xmit).unwrap().name(), "veth");
    /// assert_eq!(kernel.object_of(dev).unwrap().name(), "vmlinux"); // struct net_device
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn object_of<'btf>(&self, ty: impl Into<Type<'btf>>) -> Option<&Object> {
        let owner = ty.into().handle()?.btf;
        self.object(*self.by_layer.get(&address(owner))?)
    }

    fn object(&self, number: usize) -> Option<&Object> {
        match number.checked_sub(1) {
            None => Some(&self.base),
            Some(module) => self.modules.get(module),
        }
    }

    /// Finds the type of this name and kind: of the base if it has any, else of
    /// the modules.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchName`]; [`Error::Ambiguous`] if one object has several;
    /// [`Error::AmbiguousObjects`] if several modules have one.
    pub fn find<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Result<Found<'btf, K>, Error> {
        let name = name.as_ref();
        for objects in [core::slice::from_ref(&self.base), &self.modules] {
            let found: Vec<_> = find_in(objects, name).collect();
            match found.as_slice() {
                [] => {}
                [one] => return Ok(*one),
                [first, rest @ ..] if rest.iter().all(|other| core::ptr::eq(other.object, first.object)) => {
                    let ids = found.iter().map(|found| found.ty.into().id()).collect();
                    return Err(Error::Ambiguous { name: name.into(), kinds: K::KINDS, ids });
                }
                _ => {
                    let mut objects: Vec<&Object> = found.iter().map(|found| found.object).collect();
                    objects.dedup_by(|a, b| core::ptr::eq(*a, *b));
                    let objects = objects.into_iter().map(|object| object.name.clone()).collect();
                    return Err(Error::AmbiguousObjects { name: name.into(), kinds: K::KINDS, objects });
                }
            }
        }
        Err(Error::NoSuchName { name: name.into(), kinds: K::KINDS })
    }

    /// Finds the first type of this name and kind: of the base, else of the
    /// module that was added first. Of several, the one with the lowest id.
    #[must_use]
    pub fn find_first<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Option<Found<'btf, K>> {
        let name = name.as_ref();
        self.objects().find_map(|object| Some(Found { object, ty: object.btf.find_first_own(name)? }))
    }

    /// Finds all types with this essential name, as [`Btf::find_flavors`] does,
    /// in the order of [`Collection::find_all`].
    #[must_use]
    pub fn find_flavors<'btf, K: View<'btf>>(&'btf self, essential: impl AsRef<[u8]>) -> Vec<Found<'btf, K>> {
        let essential = essential.as_ref();
        let own = |object: &'btf Object| {
            let mut own = Vec::new();
            object.btf.layer().add_flavors(&mut Sought::new(essential), &mut own);
            own.into_iter().map(move |ty| Found { object, ty })
        };
        self.objects().flat_map(own).collect()
    }

    /// Finds all types of this name and kind in all objects: the base first,
    /// and by ascending id in each.
    #[must_use]
    pub fn find_all<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Vec<Found<'btf, K>> {
        let name = name.as_ref();
        let of_base = find_in(core::slice::from_ref(&self.base), name);
        of_base.chain(find_in(&self.modules, name)).collect()
    }
}

/// Iterator over the objects of a [`Collection`].
#[derive(Debug, Clone)]
#[must_use = "iterators are lazy"]
pub struct Objects<'a>(iter::Chain<iter::Once<&'a Object>, slice::Iter<'a, Object>>);

impl<'a> Iterator for Objects<'a> {
    type Item = &'a Object;

    fn next(&mut self) -> Option<&'a Object> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Objects<'_> {}
impl iter::FusedIterator for Objects<'_> {}

impl<'a> IntoIterator for &'a Collection {
    type Item = &'a Object;
    type IntoIter = Objects<'a>;

    fn into_iter(self) -> Objects<'a> {
        self.objects()
    }
}

fn address(layer: &Layer) -> usize {
    core::ptr::from_ref(layer) as usize
}

fn find_in<'btf, K: View<'btf>>(objects: &'btf [Object], name: &[u8]) -> impl Iterator<Item = Found<'btf, K>> {
    objects.iter().flat_map(move |object| object.btf.find_own(name).into_iter().map(move |ty| Found { object, ty }))
}
