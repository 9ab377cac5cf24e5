//! Tells the sources which CPython they are compiled for.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
    // For the unit tests: who uses this crate links for himself.
    wsgi_linking::as_the_interpreter_is();
    if let Some(executable) = pyo3_build_config::get().executable() {
        println!("cargo:rustc-env=WSGI_PYTHON_EXECUTABLE={executable}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
