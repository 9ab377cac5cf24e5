//! The lines of the whole configuration, of every module, as httpd has read them.

use std::{ffi::CStr, marker::PhantomData, ptr::NonNull};

use super::{Server, text};
use crate::ffi;

/// A line of a configuration that lives for `'c`.
#[derive(Clone, Copy)]
pub(crate) struct Line<'c> {
    /// Name of the directive; a section's begins with `<`.
    pub(crate) directive: &'c CStr,
    /// The rest of the line.
    pub(crate) arguments: &'c CStr,
    /// Configuration file.
    pub(crate) file: &'c CStr,
    /// Line in the file.
    pub(crate) number: u32,
    /// The virtual host that it stands in, counted from 1 in the order of the file; 0 outside.
    pub(crate) host: u32,
    node: NonNull<ffi::ap_directive_t>,
}

impl<'c> Line<'c> {
    /// The section around it, with what that is for.
    pub(crate) fn section(&self) -> Option<(&'c CStr, &'c CStr)> {
        self.sections().next()
    }

    /// The sections around it, the innermost first, each with what it is for.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (&'c CStr, &'c CStr)> + use<'c> {
        around(self.node).map(|section| {
            // SAFETY: nodes of the tree live as long as the configuration (mod_info shows them).
            let section = unsafe { section.as_ref() };
            // SAFETY: null or a NUL-terminated string of the tree's pool.
            let name = unsafe { text::optional(section.directive) }.unwrap_or_default();
            // SAFETY: as above.
            (name, unsafe { text::optional(section.args) }.unwrap_or_default())
        })
    }

    /// Whether it stands in the same section as `other`, or in one around that which is no virtual
    /// host.
    pub(crate) fn holds_for(&self, other: &Self) -> bool {
        let Some(section) = around(self.node).next() else { return false };
        // SAFETY: as above.
        let is_host = name_of(unsafe { section.as_ref() }).eq_ignore_ascii_case(b"<VirtualHost");
        !is_host && around(other.node).any(|of_other| of_other == section)
    }

    /// Whether a directive of this name stands in the same section, or in one around it that is no
    /// virtual host, however deep in sections of their own.
    pub(crate) fn has_beside(&self, name: &[u8]) -> bool {
        for section in around(self.node) {
            // SAFETY: nodes of the tree live as long as the configuration (mod_info shows them).
            let current = unsafe { section.as_ref() };
            if name_of(current).eq_ignore_ascii_case(b"<VirtualHost") {
                return false;
            }
            if has_below(current, name) {
                return true;
            }
        }
        false
    }
}

/// The sections around a node, the innermost first.
fn around(
    node: NonNull<ffi::ap_directive_t>,
) -> impl Iterator<Item = NonNull<ffi::ap_directive_t>> {
    // SAFETY: nodes of the tree live as long as the configuration (mod_info shows them).
    let parent =
        |node: &NonNull<ffi::ap_directive_t>| NonNull::new(unsafe { node.as_ref() }.parent);
    std::iter::successors(parent(&node), parent)
}

fn name_of(node: &ffi::ap_directive_t) -> &[u8] {
    // SAFETY: null or a NUL-terminated string of the tree's pool.
    unsafe { text::bytes(node.directive) }
}

fn has_below(section: &ffi::ap_directive_t, name: &[u8]) -> bool {
    let mut next = NonNull::new(section.first_child);
    while let Some(node) = next {
        // SAFETY: nodes of the tree live as long as the configuration (mod_info shows them).
        let node = unsafe { node.as_ref() };
        if name_of(node).eq_ignore_ascii_case(name) || has_below(node, name) {
            return true;
        }
        next = NonNull::new(node.next);
    }
    false
}

/// The lines in the order of the file.
pub(crate) struct Lines<'c> {
    next: Option<NonNull<ffi::ap_directive_t>>,
    /// The virtual host whose lines are being read, and how many there were.
    host: Option<NonNull<ffi::ap_directive_t>>,
    hosts: u32,
    of_configuration: PhantomData<&'c ()>,
}

/// The lines of the configuration of `server`.
pub(crate) fn lines<'c>(_: Server<'c>) -> Lines<'c> {
    // SAFETY: httpd sets the pointer while it reads the configuration, before anything runs that
    // has got a server of it.
    let first = unsafe { ffi::ap_conftree };
    Lines { next: NonNull::new(first), host: None, hosts: 0, of_configuration: PhantomData }
}

impl Lines<'_> {
    /// The node behind `node`: its first child, or whatever follows it or a section around it.
    fn step(&mut self, node: &ffi::ap_directive_t) -> Option<NonNull<ffi::ap_directive_t>> {
        if let Some(child) = NonNull::new(node.first_child) {
            return Some(child);
        }
        let mut node = Some(NonNull::from(node));
        while let Some(current) = node {
            if self.host == Some(current) {
                self.host = None;
            }
            // SAFETY: nodes of the tree live as long as the configuration (mod_info shows them).
            let current = unsafe { current.as_ref() };
            if let Some(next) = NonNull::new(current.next) {
                return Some(next);
            }
            node = NonNull::new(current.parent);
        }
        None
    }
}

impl<'c> Iterator for Lines<'c> {
    type Item = Line<'c>;

    fn next(&mut self) -> Option<Line<'c>> {
        let pointer = self.next?;
        // SAFETY: nodes of the tree live as long as the configuration (mod_info shows them).
        let node = unsafe { pointer.as_ref() };
        // SAFETY: null or a NUL-terminated string of the tree's pool.
        let directive = unsafe { text::optional(node.directive) }.unwrap_or_default();
        // SAFETY: as above.
        let arguments = unsafe { text::optional(node.args) }.unwrap_or_default();
        // SAFETY: as above.
        let file = unsafe { text::optional(node.filename) }.unwrap_or_default();
        if directive.to_bytes().eq_ignore_ascii_case(b"<VirtualHost") {
            self.hosts += 1;
            self.host = Some(pointer);
        }
        let host = self.host.map_or(0, |_| self.hosts);
        self.next = self.step(node);
        let number = u32::try_from(node.line_num).unwrap_or_default();
        Some(Line { directive, arguments, file, number, host, node: pointer })
    }
}
