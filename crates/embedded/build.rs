//! Links the library for httpd's children with CPython.

fn main() {
    wsgi_linking::with_shared_library();
    println!("cargo:rerun-if-changed=build.rs");
}
