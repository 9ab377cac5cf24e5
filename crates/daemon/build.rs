//! Links the daemon with CPython.

fn main() {
    wsgi_linking::as_the_interpreter_is();
    println!("cargo:rerun-if-changed=build.rs");
}
