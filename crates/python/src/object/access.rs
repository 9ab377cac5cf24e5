//! Attributes, calls, containers and iteration.

use std::ffi::CString;

use pyo3_ffi as ffi;

#[cfg(not(Py_3_13))]
use super::Raised;
use super::{Class, Object, PyResult, Ref};

impl<'a> Ref<'a> {
    /// Whether this is `None`.
    pub(crate) fn is_none(&self) -> bool {
        // SAFETY: the immortal None.
        self.as_ptr() == unsafe { ffi::Py_None() }
    }

    /// The value of `True` or `False`, `None` for anything else.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        // SAFETY: a live object.
        let is_bool = unsafe { ffi::PyBool_Check(self.as_ptr()) != 0 };
        // SAFETY: libpython's static object.
        is_bool.then(|| self.as_ptr() == unsafe { ffi::Py_True() })
    }

    /// Whether this is a `list` or a subclass.
    pub(crate) fn is_list(&self) -> bool {
        // SAFETY: a live object.
        unsafe { ffi::PyList_Check(self.as_ptr()) != 0 }
    }

    /// Whether this is a `list` without items.
    pub(crate) fn is_empty_list(&self) -> bool {
        // SAFETY: a live list, by the first half; reading its size runs no code.
        self.is_list() && unsafe { ffi::PyList_GET_SIZE(self.as_ptr()) == 0 }
    }

    /// Whether this is a `dict` or a subclass.
    pub(crate) fn is_dict(&self) -> bool {
        // SAFETY: a live object.
        unsafe { ffi::PyDict_Check(self.as_ptr()) != 0 }
    }

    /// Adds the items of another dict to a dict.
    pub(crate) fn update(&self, other: &Ref<'_>) -> PyResult<()> {
        // SAFETY: attached, live objects; raises what is wrong with them.
        self.py().check(unsafe { ffi::PyDict_Update(self.as_ptr(), other.as_ptr()) })
    }

    /// Calls with positional arguments and the items of a dict as named ones.
    pub(crate) fn call_named(
        &self,
        arguments: &[&Ref<'_>],
        named: &Ref<'_>,
    ) -> PyResult<Object<'a>> {
        let arguments = self.py().tuple(arguments)?;
        // SAFETY: attached; a live object, a tuple and a dict.
        let result =
            unsafe { ffi::PyObject_Call(self.as_ptr(), arguments.as_ptr(), named.as_ptr()) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self.py(), result) }
    }

    /// Appends to a list.
    pub(crate) fn append(&self, item: &Ref<'_>) -> PyResult<()> {
        // SAFETY: attached, live objects; raises SystemError for what is no list.
        self.py().check(unsafe { ffi::PyList_Append(self.as_ptr(), item.as_ptr()) })
    }

    /// Whether this is a `tuple` or a subclass.
    pub(crate) fn is_tuple(&self) -> bool {
        // SAFETY: a live object.
        unsafe { ffi::PyTuple_Check(self.as_ptr()) != 0 }
    }

    /// Whether this is exactly a `list` or a `tuple`, whose iteration runs no other code.
    pub(crate) fn is_plain_sequence(&self) -> bool {
        // SAFETY: a live object.
        let is_list = unsafe { ffi::PyList_CheckExact(self.as_ptr()) != 0 };
        // SAFETY: a live object.
        is_list || unsafe { ffi::PyTuple_CheckExact(self.as_ptr()) != 0 }
    }

    /// Whether this is an instance of the type object `class` or of a subclass of it.
    pub(crate) fn is_instance(&self, class: &Ref<'_>) -> bool {
        let class = class.as_ptr().cast::<ffi::PyTypeObject>();
        // SAFETY: two live type objects.
        unsafe { ffi::PyType_IsSubtype(self.type_pointer(), class) != 0 }
    }

    /// Whether this is an exception object of `class`.
    pub(crate) fn is_exception(&self, class: Class) -> bool {
        // SAFETY: a live object and a class object.
        unsafe { ffi::PyErr_GivenExceptionMatches(self.as_ptr(), class.as_ptr()) != 0 }
    }

    /// How many references there are to the object.
    pub(crate) fn reference_count(&self) -> isize {
        // SAFETY: a live object.
        unsafe { ffi::Py_REFCNT(self.as_ptr()) }
    }

    /// Whether the object has attributes of its own, or somebody refers to it weakly; "yes" where
    /// that cannot be seen.
    pub(crate) fn is_marked(&self) -> bool {
        // SAFETY: a live object's type.
        let class = unsafe { &*self.type_pointer() };
        let has_pointer = |offset: ffi::Py_ssize_t| {
            let Ok(offset) = usize::try_from(offset) else { return true };
            // SAFETY: an offset of the type, within its instances.
            let place = unsafe { self.as_ptr().byte_add(offset) }.cast::<*mut ffi::PyObject>();
            // SAFETY: at such an offset every instance has a pointer.
            offset != 0 && !unsafe { *place }.is_null()
        };
        has_pointer(class.tp_dictoffset) || has_pointer(class.tp_weaklistoffset)
    }

    /// An attribute.
    pub(crate) fn attribute(&self, name: &str) -> PyResult<Object<'a>> {
        let name = CString::new(name).unwrap_or_default();
        // SAFETY: attached, a live object, a C string.
        let pointer = unsafe { ffi::PyObject_GetAttrString(self.as_ptr(), name.as_ptr()) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self.py(), pointer) }
    }

    /// An attribute by name object, `None` when there is none.
    pub(crate) fn attribute_if_any(&self, name: &Ref<'_>) -> PyResult<Option<Object<'a>>> {
        // SAFETY: attached, live objects.
        let pointer = unsafe { ffi::PyObject_GetAttr(self.as_ptr(), name.as_ptr()) };
        // SAFETY: a new reference or null.
        match unsafe { Object::from_new(self.py(), pointer) } {
            Ok(value) => Ok(Some(value)),
            Err(raised) if raised.is(self.py(), Class::Attribute) => {
                raised.clear(self.py());
                Ok(None)
            }
            Err(raised) => Err(raised),
        }
    }

    /// Sets an attribute.
    pub(crate) fn set_attribute(&self, name: &str, value: &Ref<'_>) -> PyResult<()> {
        let name = CString::new(name).unwrap_or_default();
        // SAFETY: attached, live objects, a C string.
        self.py().check(unsafe {
            ffi::PyObject_SetAttrString(self.as_ptr(), name.as_ptr(), value.as_ptr())
        })
    }

    /// Calls the object with up to eight positional arguments.
    pub(crate) fn call(&self, arguments: &[&Ref<'_>]) -> PyResult<Object<'a>> {
        let mut pointers = [std::ptr::null_mut(); 8];
        for (pointer, argument) in pointers.iter_mut().zip(arguments) {
            *pointer = argument.as_ptr();
        }
        let count = arguments.len().min(pointers.len());
        // SAFETY: attached; `count` live arguments, no keyword names.
        let pointer = unsafe {
            ffi::PyObject_Vectorcall(self.as_ptr(), pointers.as_ptr(), count, std::ptr::null_mut())
        };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self.py(), pointer) }
    }

    /// Calls a method.
    pub(crate) fn call_method(&self, name: &str, arguments: &[&Ref<'_>]) -> PyResult<Object<'a>> {
        self.attribute(name)?.call(arguments)
    }

    /// An item of a dict, `None` when there is none.
    #[cfg(Py_3_13)]
    pub(crate) fn item(&self, key: &Ref<'_>) -> PyResult<Option<Object<'a>>> {
        let mut found = std::ptr::null_mut();
        // SAFETY: attached, live objects; on success a new reference, for nobody keeps other
        // threads from changing the dict where Python has no lock.
        let status = unsafe { ffi::PyDict_GetItemRef(self.as_ptr(), key.as_ptr(), &raw mut found) };
        self.py().check(status)?;
        if status == 0 {
            return Ok(None);
        }
        // SAFETY: a new reference.
        unsafe { Object::from_new(self.py(), found) }.map(Some)
    }

    /// An item of a dict, `None` when there is none.
    #[cfg(not(Py_3_13))]
    pub(crate) fn item(&self, key: &Ref<'_>) -> PyResult<Option<Object<'a>>> {
        // SAFETY: attached, live objects; a borrowed reference or null.
        let found = unsafe { ffi::PyDict_GetItemWithError(self.as_ptr(), key.as_ptr()) };
        // SAFETY: alive as long as the dict keeps it: a reference of our own is taken at once.
        match unsafe { Ref::from_pointer(found) } {
            Some(found) => Ok(Some(found.to_object())),
            // SAFETY: attached.
            None if !unsafe { ffi::PyErr_Occurred() }.is_null() => Err(Raised::pending()),
            None => Ok(None),
        }
    }

    /// Sets an item of a dict.
    pub(crate) fn set_item(&self, key: &Ref<'_>, value: &Ref<'_>) -> PyResult<()> {
        // SAFETY: attached, live objects; raises SystemError for what is not a dict.
        self.py().check(unsafe { ffi::PyDict_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) })
    }

    /// Whether a dict has an item.
    pub(crate) fn has_item(&self, key: &Ref<'_>) -> PyResult<bool> {
        // SAFETY: attached, a live dict and key.
        let found = unsafe { ffi::PyDict_Contains(self.as_ptr(), key.as_ptr()) };
        self.py().check(found)?;
        Ok(found > 0)
    }

    /// Removes an item of a dict that is there.
    pub(crate) fn remove_item(&self, key: &Ref<'_>) -> PyResult<()> {
        // SAFETY: attached, live objects; raises KeyError for what is not there.
        self.py().check(unsafe { ffi::PyDict_DelItem(self.as_ptr(), key.as_ptr()) })
    }

    /// A shallow copy of a dict.
    pub(crate) fn copy_dict(&self) -> PyResult<Object<'a>> {
        // SAFETY: attached, a live object; raises SystemError for what is not a dict.
        let pointer = unsafe { ffi::PyDict_Copy(self.as_ptr()) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self.py(), pointer) }
    }

    /// Sets an item of a dict by name.
    pub(crate) fn set_item_named(&self, key: &str, value: &Ref<'_>) -> PyResult<()> {
        self.set_item(&*self.py().text(key)?, value)
    }

    /// Items of a list or tuple, as they are now.
    pub(crate) fn items(&self) -> PyResult<Vec<Object<'a>>> {
        self.each_item().collect()
    }

    /// Items of a list or tuple one by one; what shrinks meanwhile raises IndexError.
    pub(crate) fn each_item(&self) -> impl Iterator<Item = PyResult<Object<'a>>> {
        // SAFETY: attached, a live object.
        let length = unsafe { ffi::PySequence_Size(self.as_ptr()) };
        (0..length).map(|index| {
            // SAFETY: attached, a live object.
            let item = unsafe { ffi::PySequence_GetItem(self.as_ptr(), index) };
            // SAFETY: a new reference or null.
            unsafe { Object::from_new(self.py(), item) }
        })
    }

    /// Items of a tuple (or of a subclass of it); none of what is no tuple.
    pub(crate) fn tuple_items(&self) -> &[Ref<'_>] {
        if !self.is_tuple() {
            return &[];
        }
        // SAFETY: a tuple.
        let length = unsafe { ffi::PyTuple_GET_SIZE(self.as_ptr()) };
        // SAFETY: a tuple's memory; only an address is taken.
        let start = unsafe { &raw const (*self.as_ptr().cast::<ffi::PyTupleObject>()).ob_item };
        // SAFETY: `length` pointers to objects; a tuple never changes and keeps its items alive.
        unsafe { std::slice::from_raw_parts(start.cast(), length.cast_unsigned()) }
    }

    /// `iter(self)`.
    pub(crate) fn iterate(&self) -> PyResult<Object<'a>> {
        // SAFETY: attached, a live object.
        let pointer = unsafe { ffi::PyObject_GetIter(self.as_ptr()) };
        // SAFETY: a new reference or null.
        unsafe { Object::from_new(self.py(), pointer) }
    }

    /// The next item of an iterator.
    pub(crate) fn next(&self) -> PyResult<Option<Object<'a>>> {
        // SAFETY: attached, an iterator.
        let pointer = unsafe { ffi::PyIter_Next(self.as_ptr()) };
        // SAFETY: a new reference or null.
        match unsafe { Object::from_new(self.py(), pointer) } {
            Ok(item) => Ok(Some(item)),
            // SAFETY: attached.
            Err(_) if unsafe { ffi::PyErr_Occurred() }.is_null() => Ok(None),
            Err(raised) => Err(raised),
        }
    }

    /// `callable(self)`.
    pub(crate) fn is_callable(&self) -> bool {
        // SAFETY: attached, a live object; this cannot fail.
        unsafe { ffi::PyCallable_Check(self.as_ptr()) != 0 }
    }

    /// `bool(self)`.
    pub(crate) fn is_true(&self) -> PyResult<bool> {
        // SAFETY: attached, a live object.
        let truth = unsafe { ffi::PyObject_IsTrue(self.as_ptr()) };
        self.py().check(truth)?;
        Ok(truth > 0)
    }
}
