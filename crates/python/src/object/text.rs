//! Looking into `str` and `bytes`.

use std::borrow::Cow;

use pyo3_ffi as ffi;

use super::{Class, PyResult, Ref};

impl<'a> Ref<'a> {
    /// Whether this is a `str`.
    pub(crate) fn is_text(&self) -> bool {
        // SAFETY: a live object.
        unsafe { ffi::PyUnicode_Check(self.as_ptr()) != 0 }
    }

    /// The content of a `bytes`, or `None` for other types.
    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        // SAFETY: a live object.
        if unsafe { ffi::PyBytes_Check(self.as_ptr()) } == 0 {
            return None;
        }
        // SAFETY: a bytes object.
        let length = unsafe { ffi::PyBytes_Size(self.as_ptr()) }.cast_unsigned();
        // SAFETY: a bytes object.
        let start = unsafe { ffi::PyBytes_AsString(self.as_ptr()) }.cast::<u8>();
        // SAFETY: bytes are immutable and live as long as the object does.
        Some(unsafe { std::slice::from_raw_parts(start, length) })
    }

    /// The characters of a `str` as latin-1; raises `UnicodeEncodeError`.
    pub(crate) fn to_latin1(&self) -> PyResult<Cow<'_, [u8]>> {
        if let Some(ascii) = self.as_ascii() {
            return Ok(Cow::Borrowed(ascii));
        }
        // SAFETY: attached; raises TypeError for what is not a str.
        let pointer = unsafe { ffi::PyUnicode_AsLatin1String(self.as_ptr()) };
        // SAFETY: a new reference or null.
        let encoded = unsafe { super::Object::from_new(self.py(), pointer)? };
        Ok(Cow::Owned(encoded.as_bytes().unwrap_or_default().to_vec()))
    }

    /// The content of a `str` that is all ASCII, without encoding it.
    fn as_ascii(&self) -> Option<&[u8]> {
        if !self.is_text() {
            return None;
        }
        let mut length = 0;
        // SAFETY: a live str. For ASCII this is the string's own buffer; for others a cached copy.
        let start = unsafe { ffi::PyUnicode_AsUTF8AndSize(self.as_ptr(), &raw mut length) };
        if start.is_null() {
            // SAFETY: attached; a str with lone surrogates raised.
            unsafe { ffi::PyErr_Clear() };
            return None;
        }
        // SAFETY: the buffer lives as long as the string.
        let text =
            unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length.cast_unsigned()) };
        text.is_ascii().then_some(text)
    }

    /// The text of a `str`, with what is not UTF-8 escaped.
    pub(crate) fn to_text(&self) -> PyResult<String> {
        let (encoding, errors) = (c"utf-8", c"backslashreplace");
        // SAFETY: attached; raises TypeError for what is not a str.
        let pointer = unsafe {
            ffi::PyUnicode_AsEncodedString(self.as_ptr(), encoding.as_ptr(), errors.as_ptr())
        };
        // SAFETY: a new reference or null.
        let encoded = unsafe { super::Object::from_new(self.py(), pointer)? };
        Ok(String::from_utf8_lossy(encoded.as_bytes().unwrap_or_default()).into_owned())
    }

    /// `str(self)`, or the type's name where that raises.
    pub(crate) fn describe(&self) -> String {
        // SAFETY: attached, a live object.
        let pointer = unsafe { ffi::PyObject_Str(self.as_ptr()) };
        // SAFETY: a new reference or null.
        let text = unsafe { super::Object::from_new(self.py(), pointer) };
        text.and_then(|text| text.to_text()).unwrap_or_else(|raised| {
            raised.clear(self.py());
            self.type_name()
        })
    }

    /// The value of an `int` that fits.
    pub(crate) fn to_int(&self) -> PyResult<i64> {
        // SAFETY: attached, a live object.
        if unsafe { ffi::PyLong_Check(self.as_ptr()) } == 0 {
            let text = format!("'{}' object cannot be interpreted as an integer", self.type_name());
            return Err(self.py().raise(Class::Type, &text));
        }
        // SAFETY: an int; -1 with an exception when it does not fit.
        let value = unsafe { ffi::PyLong_AsLongLong(self.as_ptr()) };
        // SAFETY: attached.
        if value == -1 && !unsafe { ffi::PyErr_Occurred() }.is_null() {
            return Err(super::Raised::pending());
        }
        Ok(value)
    }
}
